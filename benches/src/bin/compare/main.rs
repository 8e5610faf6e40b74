//! Compares a node with redis-server, and other servers, side by side in one run.
//!
//! `cargo run --release -p benches --bin compare -- [--memory | --threads | --start | --idle | --memcached] [OPTIONS]`
//!
//! Each server has processor 0 to itself, the load (redis-benchmark) processor 1. Servers take turns, and the median
//! of several rounds counts. What matters is the processor time of the server for each command: on a machine that is
//! shared, times on the wall say little.

mod full;
mod memcached;

use anyhow::{Context, Result, bail, ensure};
use benches::process::{cpu_ns, machine, now, resident_bytes};
use benches::server::{Kind, Server};
use benches::stats::median;
use std::ops::Range;
use std::process::Command;
use std::time::Duration;
use testkit::Client;
use testkit::client::encode;

/// A row of the comparison of speed: what redis-benchmark runs, at which depth, and the ratio to stay below.
struct Load {
    name: &'static str,
    /// Arguments of redis-benchmark.
    args: &'static [&'static str],
    /// Pipeline depths, with the most that is allowed of redis-server's processor time.
    depths: &'static [(usize, f64)],
    /// What fills the keyspace before.
    prepare: &'static [&'static str],
}

const SIMPLE: &[(usize, f64)] = &[(1, 1.00), (16, 0.58), (64, 0.42)];

const LOADS: &[Load] = &[
    Load { name: "SET", args: &["-t", "set"], depths: SIMPLE, prepare: &[] },
    Load { name: "GET", args: &["-t", "get"], depths: SIMPLE, prepare: &["-t", "set"] },
    Load { name: "INCR", args: &["-t", "incr"], depths: SIMPLE, prepare: &[] },
    Load { name: "HSET", args: &["-t", "hset"], depths: SIMPLE, prepare: &[] },
    Load { name: "LPUSH", args: &["-t", "lpush"], depths: SIMPLE, prepare: &[] },
    Load { name: "SADD", args: &["-t", "sadd"], depths: SIMPLE, prepare: &[] },
    Load { name: "ZADD", args: &["-t", "zadd"], depths: &[(16, 0.60)], prepare: &[] },
    Load { name: "LRANGE_100", args: &["-t", "lrange_100"], depths: &[(16, 0.60)], prepare: &[] },
];

/// What one run of the load tells.
#[derive(Clone, Copy, Debug)]
struct Measured {
    cpu_us: f64,
    per_second: f64,
    p99_ms: f64,
}

struct Options {
    mode: Mode,
    peers: Vec<Kind>,
    rounds: usize,
    requests: usize,
    keys: usize,
    only: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Speed,
    Memory,
    Threads,
    Start,
    Idle,
    Memcached,
}

const HELP: &str = "\
compare [MODE] [OPTIONS] [NAME=COMMAND ...]

Modes: (none) processor time per command; --memory bytes per item; --threads two worker threads against one;
       --start time from start to first PONG; --idle memory of idle connections;
       --memcached all of this of a Memcached node, beside memcached: speed, threads, memory, hits

--rounds N     rounds of which the median counts [3]
--requests N   requests of a run at the greatest depth [2000000]
--keys N       size of the keyspace [1000000]
--only NAME    only this command or data set
NAME=COMMAND   another server to compare with; {port} in the command stands for its port
";

fn main() -> Result<()> {
    let options = options()?;
    println!("{}\n", machine());
    match options.mode {
        Mode::Speed => speed(&options),
        Mode::Memory => memory(&options),
        Mode::Threads => threads(&options),
        Mode::Start => start(&options),
        Mode::Idle => idle(&options),
        Mode::Memcached => memcached::compare(&options),
    }
}

fn options() -> Result<Options> {
    use lexopt::prelude::{Long, Value};
    let mut options = Options {
        mode: Mode::Speed,
        peers: vec![Kind::redis(&[])],
        rounds: 3,
        requests: 2_000_000,
        keys: 1_000_000,
        only: None,
    };
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        let number = |args: &mut lexopt::Parser| -> Result<usize> {
            let text = args.value()?.to_string_lossy().into_owned();
            text.parse().with_context(|| format!("{text} is not a number"))
        };
        match arg {
            Long("memory") => options.mode = Mode::Memory,
            Long("threads") => options.mode = Mode::Threads,
            Long("start") => options.mode = Mode::Start,
            Long("idle") => options.mode = Mode::Idle,
            Long("memcached") => options.mode = Mode::Memcached,
            Long("rounds") => options.rounds = number(&mut args)?,
            Long("requests") => options.requests = number(&mut args)?,
            Long("keys") => options.keys = number(&mut args)?,
            Long("only") => options.only = Some(args.value()?.to_string_lossy().to_lowercase()),
            Long("help") => {
                print!("{HELP}");
                std::process::exit(0);
            }
            Value(peer) => options.peers.push(Kind::parse(&peer.to_string_lossy())?),
            other => bail!("{}; see --help", other.unexpected()),
        }
    }
    ensure!(
        options.rounds > 0 && options.requests > 0 && options.keys > 0,
        "numbers are above zero; see --help"
    );
    Ok(options)
}

impl Options {
    fn wants(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| name.to_lowercase().starts_with(only))
    }
}

/// Processor time for each command, and what clients notice.
fn speed(options: &Options) -> Result<()> {
    let ours = Kind::carnelian(&["--threads", "1", "--release", "7.0"])?;
    println!(
        "| command | depth | {} us | peer | peer us | ratio | bar | per second | peer's | p99 ms | peer's |",
        ours.name
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    for load in LOADS.iter().filter(|load| options.wants(load.name)) {
        for &(depth, bar) in load.depths {
            let kinds: Vec<&Kind> = std::iter::once(&ours).chain(&options.peers).collect();
            let mut all: Vec<Vec<Measured>> = vec![Vec::new(); kinds.len()];
            for _ in 0..options.rounds {
                for (kind, measured) in kinds.iter().zip(&mut all) {
                    measured.push(measure(kind, load, depth, options)?);
                }
            }
            let of = |measured: &[Measured], part: fn(&Measured) -> f64| {
                median(&mut measured.iter().map(part).collect::<Vec<_>>())
            };
            for (kind, measured) in kinds[1..].iter().zip(&all[1..]) {
                let (own_us, peer_us) = (of(&all[0], |run| run.cpu_us), of(measured, |run| run.cpu_us));
                println!(
                    "| {} | {depth} | {own_us:.3} | {} | {peer_us:.3} | {:.2} | {bar:.2} | {:.0} | {:.0} | {:.2} | {:.2} |",
                    load.name,
                    kind.name,
                    own_us / peer_us,
                    of(&all[0], |run| run.per_second),
                    of(measured, |run| run.per_second),
                    of(&all[0], |run| run.p99_ms),
                    of(measured, |run| run.p99_ms),
                );
            }
        }
    }
    Ok(())
}

/// One run of the load against a fresh server.
fn measure(kind: &Kind, load: &Load, depth: usize, options: &Options) -> Result<Measured> {
    let server = Server::start(kind, Some(0))?;
    if !load.prepare.is_empty() {
        benchmark(&server, load.prepare, 64, options.keys * 2, options)?;
    }
    // Shallow pipelines take longer for each request; short commands more requests.
    let share = match depth {
        1 => 8,
        2..=16 => 2,
        _ => 1,
    };
    let requests = (options.requests / if load.name.starts_with("LRANGE") { 10 } else { share }).max(depth);
    // A run to warm up, so that tables have grown and caches are filled.
    benchmark(&server, load.args, depth, requests / 4, options)?;
    let before = cpu_ns(server.id())?;
    let (per_second, p99_ms) = benchmark(&server, load.args, depth, requests, options)?;
    let cpu_us = (cpu_ns(server.id())? - before) as f64 / 1000.0 / requests as f64;
    Ok(Measured { cpu_us, per_second, p99_ms })
}

/// Runs redis-benchmark; gives requests a second and the 99th percentile of their times, in ms.
fn benchmark(
    server: &Server,
    args: &[&str],
    depth: usize,
    requests: usize,
    options: &Options,
) -> Result<(f64, f64)> {
    let output = Command::new("taskset")
        .args(["-c", "1", "redis-benchmark", "--csv"])
        .args(["-p", &server.address.port().to_string()])
        .args(["-P", &depth.to_string(), "-n", &requests.to_string(), "-r", &options.keys.to_string()])
        .args(args)
        .output()
        .context("redis-benchmark does not run: is redis-tools installed?")?;
    let text = String::from_utf8_lossy(&output.stdout);
    // The last line is the command's; LRANGE has another before, which fills its list.
    let line = text.lines().rfind(|line| line.starts_with('"') && !line.starts_with("\"test\""));
    let fields: Vec<f64> = line
        .with_context(|| format!("redis-benchmark said {text}"))?
        .rsplit("\",\"")
        .filter_map(|field| field.trim_matches('"').parse().ok())
        .collect();
    // From the right: max, p99, p95, p50, min, average, requests a second.
    ensure!(fields.len() >= 7, "redis-benchmark said {text}");
    Ok((fields[6], fields[1]))
}

/// A set of data: its name, how many items, how an item is made, and the bar in bytes an item.
struct DataSet {
    name: &'static str,
    items: usize,
    command: fn(usize) -> Vec<Vec<u8>>,
    bar: f64,
}

fn words(text: String) -> Vec<Vec<u8>> {
    text.split(' ').map(|word| word.as_bytes().to_vec()).collect()
}

fn key(number: usize) -> String {
    format!("key:{number:012}")
}

const DATA_SETS: &[DataSet] = &[
    DataSet {
        name: "string of 32",
        items: 4_000_000,
        command: |number| words(format!("SET {} {}", key(number), "v".repeat(32))),
        bar: 80.0,
    },
    DataSet {
        name: "string of 32 with TTL",
        items: 4_000_000,
        command: |number| {
            words(format!("SET {} {} EX {}", key(number), "v".repeat(32), 50_000 + number % 50_000))
        },
        bar: 88.0,
    },
    DataSet {
        name: "integer",
        items: 4_000_000,
        command: |number| words(format!("SET {} {}", key(number), 100_000 + number)),
        bar: 48.0,
    },
    DataSet {
        name: "hash of 10 small fields",
        items: 1_000_000,
        command: |number| {
            let fields: String =
                (0..10).map(|field| format!(" field:{field} value:{}", field * 11)).collect();
            words(format!("HSET {}{fields}", key(number)))
        },
        bar: 300.0,
    },
    DataSet {
        name: "list of 20",
        items: 1_000_000,
        command: |number| {
            let entries: String = (0..20).map(|entry| format!(" element:{entry}")).collect();
            words(format!("RPUSH {}{entries}", key(number)))
        },
        bar: 300.0,
    },
    DataSet {
        name: "set of 20 integers",
        items: 1_000_000,
        command: |number| {
            let members: String =
                (0..20).map(|member| format!(" {}", 100_000 + member * 7 + number)).collect();
            words(format!("SADD {}{members}", key(number)))
        },
        bar: 140.0,
    },
    DataSet {
        name: "member of a zset of a million",
        items: 1_000_000,
        command: |number| words(format!("ZADD zset {} member:{number:09}", number * 7919 % 1_000_003)),
        bar: 75.0,
    },
    DataSet {
        name: "field of a hash of a million",
        items: 1_000_000,
        command: |number| words(format!("HSET hash field:{number:010} value:{:06}", number % 1_000_000)),
        bar: 60.0,
    },
    DataSet {
        name: "stream entry of two small fields",
        items: 4_000_000,
        command: |number| words(format!("XADD stream * a {} b {}", number % 10, number % 7)),
        bar: 14.0,
    },
];

/// Resident bytes for each item, each set in a fresh process. The first hundredth of the items makes what is there once:
/// code that is mapped, buffers, pages of every size class. The kernel gives huge pages of 2 MiB, so the sets are large.
fn memory(options: &Options) -> Result<()> {
    let mut kinds = vec![Kind::carnelian(&["--threads", "1", "--release", "7.0"])?];
    kinds.extend(options.peers.iter().cloned());
    let names: Vec<&str> = kinds.iter().map(|kind| kind.name.as_str()).collect();
    println!("| bytes resident for each | {} | bar | used_memory of {} |", names.join(" | "), names[0]);
    println!("|---|{}---|---|", "---|".repeat(names.len()));
    for set in DATA_SETS.iter().filter(|set| options.wants(set.name)) {
        let mut row = Vec::new();
        let mut used = 0.0;
        for (index, kind) in kinds.iter().enumerate() {
            let mut rounds = Vec::new();
            for _ in 0..options.rounds {
                let (resident, own) = bytes_each(kind, set)?;
                rounds.push(resident);
                if index == 0 {
                    used = own;
                }
            }
            row.push(format!("{:.1}", median(&mut rounds)));
        }
        println!("| {} | {} | {:.0} | {used:.1} |", set.name, row.join(" | "), set.bar);
    }
    Ok(())
}

/// What an item of a set takes in a fresh server, in bytes: resident, and of its used_memory.
fn bytes_each(kind: &Kind, set: &DataSet) -> Result<(f64, f64)> {
    let server = Server::start(kind, None)?;
    let mut client = server.client();
    let first = set.items / 100;
    fill(&mut client, set, 0..first);
    let (resident, used) = (resident_bytes(server.id())?, used_memory(&mut client));
    fill(&mut client, set, first..set.items);
    // What was allocated for the requests is given back meanwhile.
    std::thread::sleep(Duration::from_millis(300));
    let each = |after: f64, before: f64| (after - before) / (set.items - first) as f64;
    Ok((each(resident_bytes(server.id())? as f64, resident as f64), each(used_memory(&mut client), used)))
}

fn used_memory(client: &mut Client) -> f64 {
    let info = client.say("INFO memory").text();
    let line = info.lines().find_map(|line| line.strip_prefix("used_memory:"));
    line.and_then(|value| value.trim().parse().ok()).unwrap_or(f64::NAN)
}

fn fill(client: &mut Client, set: &DataSet, numbers: Range<usize>) {
    let mut number = numbers.start;
    while number < numbers.end {
        let batch = (number..numbers.end.min(number + 200)).map(set.command);
        let bytes: Vec<u8> = batch.clone().flat_map(|command| encode(&command)).collect();
        client.send_bytes(&bytes);
        for _ in batch {
            let reply = client.read();
            assert!(!reply.is_error(), "{reply:?}");
            number += 1;
        }
    }
}

/// Throughput of two worker threads against one, on commands that cost five microseconds or more.
fn threads(options: &Options) -> Result<()> {
    println!("| command | one thread, us of a processor | per second, 1 thread | 2 threads | ratio | bar |");
    println!("|---|---|---|---|---|---|");
    // The load has to share the processors with two threads: it may take little beside the commands themselves.
    let loads: &[(&str, &[&str], usize)] = &[
        ("SINTERCARD of 5,000", &["SINTERCARD", "2", "set:__rand_int__", "set:__rand_int__"], 20_000),
        ("BITCOUNT of 1 MiB", &["BITCOUNT", "bits:__rand_int__"], 40_000),
    ];
    for (name, command, requests) in loads.iter().filter(|(name, ..)| options.wants(name)) {
        let mut rates = [Vec::new(), Vec::new()];
        let mut cpu = Vec::new();
        for _ in 0..options.rounds {
            for threads in [1, 2] {
                let kind = Kind::carnelian(&["--threads", &threads.to_string(), "--release", "7.0"])?;
                let server = Server::start(&kind, None)?;
                prepare(&mut server.client());
                let before = cpu_ns(server.id())?;
                let start = now();
                let output = Command::new("redis-benchmark")
                    .args(["-p", &server.address.port().to_string(), "-q", "-P", "4", "-c", "16", "-r", "64"])
                    .args(["-n", &requests.to_string()])
                    .args(*command)
                    .output()
                    .context("redis-benchmark does not run: is redis-tools installed?")?;
                ensure!(output.status.success(), "redis-benchmark failed");
                rates[threads - 1].push(*requests as f64 / start.elapsed().as_secs_f64());
                if threads == 1 {
                    cpu.push((cpu_ns(server.id())? - before) as f64 / 1000.0 / *requests as f64);
                }
            }
        }
        let [one, two] = rates.map(|mut rates| median(&mut rates));
        println!("| {name} | {:.1} | {one:.0} | {two:.0} | {:.2} | 1.80 |", median(&mut cpu), two / one);
    }
    Ok(())
}

fn prepare(client: &mut Client) {
    for number in 0..64 {
        let number = format!("{number:012}");
        let mut set = vec!["SADD".to_owned(), format!("set:{number}")];
        set.extend((0..5_000).map(|member| format!("member:{member}")));
        client.run(&set);
        client.run(&["SETRANGE", &format!("bits:{number}"), "1048575", "x"]);
    }
}

/// Time from starting the process to its first answer.
fn start(options: &Options) -> Result<()> {
    let mut kinds = vec![Kind::carnelian(&["--release", "7.0"])?];
    kinds.extend(options.peers.iter().cloned());
    println!("| server | start to first PONG, ms (steps of 5) |\n|---|---|");
    for kind in kinds {
        let mut times = Vec::new();
        for _ in 0..options.rounds.max(5) {
            let start = now();
            let server = Server::start(&kind, None)?;
            times.push(start.elapsed().as_secs_f64() * 1000.0);
            drop(server);
        }
        println!("| {} | {:.1} |", kind.name, median(&mut times));
    }
    Ok(())
}

/// Memory of connections that do nothing. There are many, since the kernel gives huge pages of 2 MiB; the limit of open
/// files has to allow for them.
fn idle(options: &Options) -> Result<()> {
    const CONNECTIONS: usize = 5_000;
    let mut kinds = vec![Kind::carnelian(&["--threads", "1", "--release", "7.0"])?];
    kinds.extend(options.peers.iter().cloned());
    println!("| server | bytes resident for each idle connection |\n|---|---|");
    for kind in kinds {
        let server = Server::start(&kind, None)?;
        // The first connections make what all share.
        let _first: Vec<Client> = (0..50).map(|_| talk(&server)).collect();
        let before = resident_bytes(server.id())?;
        let _clients: Vec<Client> = (0..CONNECTIONS).map(|_| talk(&server)).collect();
        let each = (resident_bytes(server.id())? as f64 - before as f64) / CONNECTIONS as f64;
        println!("| {} | {each:.0} |", kind.name);
    }
    Ok(())
}

/// A connection that has said something, and says no more.
fn talk(server: &Server) -> Client {
    let mut client = server.client();
    client.run(&["SET", "key", &"x".repeat(2000)]);
    client.run(&["GET", "key"]);
    client
}
