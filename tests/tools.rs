//! The tools that people use with Redis, against a node: redis-cli and redis-benchmark.

use std::io::Write;
use std::process::{Command, Stdio};
use testkit::client::encode;
use testkit::{Program, Reply, redis_tool};

/// What a tool prints; it has to succeed.
fn output(mut tool: Command, input: &[u8]) -> String {
    let mut process = tool
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the tool starts");
    let mut stdin = process.stdin.take().expect("its input is piped");
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let done = process.wait_with_output().expect("the tool ends");
    // A tool that does not read its input may close it.
    let _ = writer.join().expect("the writer does not panic");
    let (said, errors) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{said}{errors}");
    said.into_owned()
}

#[test]
fn redis_cli_shows_replies_of_both_protocols() {
    let node = Program::redis("7.4", &[]);
    let Some(mut cli) = redis_tool("redis-cli", node.address()) else { return };
    let lines = "HSET h a 1 b 2\nHGETALL h\nHELLO 3\nHGETALL h\nZADD z 1.5 m\nZSCORE z m\nNOSUCH\n";
    cli.arg("--no-raw");
    let said = output(cli, lines.as_bytes());
    for expected in
        ["(integer) 2", "1) \"a\"", "1# \"a\" => \"1\"", "(double) 1.5", "(error) ERR unknown command"]
    {
        assert!(said.contains(expected), "{expected} is not in\n{said}");
    }
}

#[test]
fn redis_cli_loads_walks_and_weighs_a_keyspace() {
    const KEYS: usize = 5_000;
    let node = Program::redis("7.0", &[]);
    let tool = || redis_tool("redis-cli", node.address());
    let Some(mut pipe) = tool() else { return };
    let mut protocol = Vec::new();
    for number in 0..KEYS {
        protocol.extend(encode(&[b"SET".to_vec(), format!("key:{number}").into_bytes(), b"x".to_vec()]));
    }
    protocol.extend(encode(&[b"RPUSH".to_vec(), b"list".to_vec(), b"a".to_vec(), b"b".to_vec()]));
    pipe.arg("--pipe");
    let said = output(pipe, &protocol);
    assert!(said.contains(&format!("errors: 0, replies: {}", KEYS + 1)), "{said}");

    let Some(mut scan) = tool() else { return };
    scan.args(["--scan", "--pattern", "key:*"]);
    let mut seen: Vec<String> = output(scan, b"").lines().map(str::to_owned).collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), KEYS);

    for (mode, expected) in
        [("--bigkeys", "Biggest   list found"), ("--memkeys", "Biggest   list found"), ("--latency", "")]
    {
        let Some(mut weigh) = tool() else { return };
        weigh.arg(mode);
        let said = output(weigh, b"");
        assert!(said.contains(expected) && !said.to_lowercase().contains("error"), "{mode}: {said}");
    }
}

#[test]
fn redis_benchmark_runs_all_its_tests() {
    let node = Program::redis("7.0", &[]);
    let Some(mut benchmark) = redis_tool("redis-benchmark", node.address()) else { return };
    benchmark.args(["-q", "-n", "2000", "-P", "16", "-r", "1000", "-c", "20"]);
    let said = output(benchmark, b"");
    let rows = said.matches("requests per second").count();
    assert!(rows >= 19 && !said.contains("rror"), "{rows} rows: {said}");
    let commands = node.client().say("INFO commandstats");
    let Reply::Bulk(stats) = commands else { panic!("{commands:?}") };
    let stats = String::from_utf8_lossy(&stats).into_owned();
    for command in ["set", "lpush", "zadd", "spop", "mset", "zpopmin", "lrange"] {
        assert!(stats.contains(&format!("cmdstat_{command}:")), "{command} did not run: {stats}");
    }
    let failed: Vec<&str> = stats
        .lines()
        .filter(|line| line.starts_with("cmdstat_") && !line.trim_end().ends_with("failed_calls=0"))
        .collect();
    assert!(failed.is_empty(), "{failed:?}");
}
