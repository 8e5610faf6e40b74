//! What a node tells of itself: slow log, latency, durations, digests, memory.

use std::fmt::Write;
use testkit::{Client, Oracle, Program, Reply};

fn bulk(text: &str) -> Reply {
    Reply::Bulk(text.as_bytes().to_vec())
}

fn array(reply: Reply) -> Vec<Reply> {
    match reply {
        Reply::Array(elements) => elements,
        other => panic!("not an array: {other:?}"),
    }
}

fn integer(reply: &Reply) -> i64 {
    match reply {
        Reply::Integer(value) => *value,
        other => panic!("not an integer: {other:?}"),
    }
}

fn node(release: &str) -> (Program, Client) {
    let mut config = vec![("slowlog-log-slower-than", "0")];
    if release == "7.0" {
        config.push(("enable-debug-command", "yes"));
    }
    let node = Program::redis(release, &config);
    let client = node.client();
    (node, client)
}

#[test]
fn the_slow_log_tells_who_sent_what_without_secrets() {
    for (release, fields, password) in [("3.0", 4, "secret"), ("4.0", 6, "secret"), ("7.0", 6, "(redacted)")]
    {
        let (_node, mut client) = node(release);
        client.say("CLIENT SETNAME me");
        client.say("SLOWLOG RESET");
        client.say("AUTH secret");
        client.say("NOSUCH");
        client.say("LPUSH list a");
        client.say("GET list");
        let entries = array(client.say("SLOWLOG GET"));
        let of = |entry: &Reply| array(entry.clone());
        let commands: Vec<_> = entries.iter().map(|entry| of(entry)[3].clone()).collect();
        let expected = ["GET list", "LPUSH list a", &format!("AUTH {password}"), "SLOWLOG RESET"]
            .map(|line| Reply::Array(line.split(' ').map(bulk).collect()));
        assert_eq!(commands, expected, "{release}");
        let newest = of(&entries[0]);
        assert_eq!(newest.len(), fields, "{release}");
        assert_eq!(integer(&newest[0]) - integer(&of(&entries[3])[0]), 3);
        if fields == 6 {
            assert_eq!(newest[5], bulk("me"));
        }
        // Itself, and the one that asked before.
        assert_eq!(integer(&client.say("SLOWLOG LEN")), 5);
        assert_eq!(array(client.say("SLOWLOG GET 2")).len(), 2);
    }
}

#[test]
fn a_sleep_is_slow_and_holds_up_nobody_else() {
    let (node, mut sleeper) = node("7.0");
    sleeper.say("CONFIG SET slowlog-log-slower-than 10000 latency-monitor-threshold 50");
    sleeper.say("SLOWLOG RESET");
    sleeper.send(&["DEBUG", "SLEEP", "0.2"]);
    let mut other = node.client();
    for number in 0..100 {
        assert_eq!(other.say(&format!("SET key:{number} x")), Reply::Status(b"OK".to_vec()));
    }
    assert_eq!(array(other.say("SLOWLOG GET")), []);
    assert_eq!(sleeper.read(), Reply::Status(b"OK".to_vec()));
    // The reply goes out first.
    assert_eq!(sleeper.say("PING"), Reply::Status(b"PONG".to_vec()));
    let slow = array(other.say("SLOWLOG GET"));
    assert_eq!(slow.len(), 1);
    let took_us = integer(&array(slow[0].clone())[2]);
    assert!((190_000..5_000_000).contains(&took_us), "{took_us} us");
    let latest = array(array(other.say("LATENCY LATEST"))[0].clone());
    assert_eq!(latest[0], bulk("command"));
    assert!((190..5000).contains(&integer(&latest[3])), "{latest:?}");
    assert_eq!(array(other.say("LATENCY HISTORY command")).len(), 1);
    assert_eq!(other.say("LATENCY RESET"), Reply::Integer(1));
    assert_eq!(array(other.say("LATENCY LATEST")), []);
}

#[test]
fn durations_are_kept_by_command() {
    let (_node, mut client) = node("7.0");
    client.say("SET k v");
    client.say("GET k");
    client.say("GET k");
    client.say("CLIENT ID");
    client.say("HELLO 3");
    let histogram = client.say("LATENCY HISTOGRAM get client nosuch set");
    let Reply::Map(commands) = histogram else { panic!("not a map: {histogram:?}") };
    let calls: Vec<_> = commands
        .iter()
        .map(|(name, value)| match value {
            Reply::Map(fields) => (name.clone(), integer(&fields[0].1)),
            other => panic!("not a map: {other:?}"),
        })
        .collect();
    assert_eq!(calls, [(bulk("get"), 2), (bulk("client|id"), 1), (bulk("set"), 1)]);
    client.say("CONFIG RESETSTAT");
    assert_eq!(client.say("LATENCY HISTOGRAM get"), Reply::Map(vec![]));
}

/// What a monitor sees of these commands, without times and addresses.
fn monitored(release: &str, commands: &[&str]) -> Vec<String> {
    let node = Program::redis(release, &[]);
    let (mut monitor, mut client) = (node.client(), node.client());
    assert_eq!(monitor.say("MONITOR").text(), "OK");
    for command in commands {
        client.say(command);
    }
    client.say("PING end");
    let mut seen = Vec::new();
    loop {
        let line = monitor.read().text();
        let (time, rest) = line.split_once(' ').expect("a time comes first");
        let (seconds, us) = time.split_once('.').expect("a time has decimals");
        assert!(seconds.parse::<u64>().is_ok() && us.len() == 6 && us.parse::<u32>().is_ok(), "{line}");
        let (place, command) = rest.split_once("] ").expect("a database and an address come next");
        let (db, address) = place[1..].split_once(' ').expect("they are two");
        assert!(address.starts_with("127.0.0.1:"), "{line}");
        if command == "\"PING\" \"end\"" {
            return seen;
        }
        seen.push(format!("{db} {command}"));
    }
}

#[test]
fn monitors_see_what_is_run_as_each_release_shows_it() {
    let commands = [
        "SELECT 1",
        "AUTH secret",
        "MULTI",
        "LPUSH list \\x00\"",
        "CONFIG GET port",
        "EXEC",
        "GET list",
        "GET",
        "NOSUCH",
        "CONFIG GET port",
    ];
    let transaction =
        ["1 \"MULTI\"", "1 \"LPUSH\" \"list\" \"\\\\x00\\\"\"", "1 \"EXEC\"", "1 \"GET\" \"list\""];
    let seen = monitored("7.0", &commands);
    assert_eq!(seen[..2], ["1 \"SELECT\" \"1\"", "1 \"AUTH\" \"(redacted)\""]);
    assert_eq!(seen[2..], transaction);
    let seen = monitored("4.0", &commands);
    assert_eq!(seen[..2], ["0 \"SELECT\" \"1\"", "1 \"AUTH\" \"secret\""]);
    assert_eq!(seen[2..], transaction);
}

#[test]
fn clients_are_listed_with_the_commands_that_they_sent_last() {
    let (node, mut client) = node("7.0");
    let mut other = node.client();
    other.say("MULTI");
    other.say("GET k");
    let list = client.say("CLIENT LIST").text();
    let mut commands: Vec<&str> =
        list.lines().filter_map(|line| line.split(' ').find(|field| field.starts_with("cmd="))).collect();
    commands.sort_unstable();
    assert_eq!(commands, ["cmd=client|list", "cmd=get"]);
}

/// The fields of a flat map.
fn fields(map: &[Reply]) -> impl Iterator<Item = (String, &Reply)> {
    map.chunks_exact(2).map(|pair| (pair[0].text(), &pair[1]))
}

/// What `COMMAND INFO` tells, with subcommands in the order of their names.
fn described(reply: &Reply) -> Vec<Reply> {
    let mut described = array(reply.clone());
    if let Some(Reply::Array(subcommands)) = described.get_mut(9) {
        subcommands.sort();
    }
    described
}

#[test]
fn commands_are_what_those_of_a_real_server_are() {
    let Some(oracle) = Oracle::start() else { return };
    let ours = Program::redis("7.0", &[]);
    let (mut ours, mut theirs) = (ours.client(), oracle.client());
    let names: Vec<String> = array(ours.say("COMMAND LIST")).iter().map(|name| name.text()).collect();
    assert!(names.len() > 250, "{} commands", names.len());
    let mut differences = String::new();
    for name in names {
        let [own, real] = [&mut ours, &mut theirs].map(|client| {
            let info =
                array(client.run(&["COMMAND", "INFO", &name])).iter().flat_map(described).collect::<Vec<_>>();
            let docs = array(client.run(&["COMMAND", "DOCS", &name]));
            let arguments = fields(docs[1].elements()).find(|(field, _)| *field == "arguments");
            (info, arguments.map(|(_, arguments)| arguments.clone()))
        });
        // One of its arguments is told to be deprecated.
        let same_arguments = own.1 == real.1 || name == "client|kill";
        if own.0 != real.0 || !same_arguments {
            let _ = writeln!(differences, "{name}\n  ours   {own:?}\n  theirs {real:?}");
        }
    }
    assert!(differences.is_empty(), "{differences}");
}
