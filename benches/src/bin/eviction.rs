//! How many requests find their key when memory is short, and what a request takes: each policy, beside redis-server with
//! the same limit.
//!
//! A trace of requests with a Zipf distribution (exponent 0.99) over ten times as many keys as fit is replayed as a
//! cache is used: a key that is not there is set. Policies that look at expiries get keys that expire.
//!
//! `cargo run --release -p benches --bin eviction -- [--requests N] [--megabytes N] [--seed N] [--policy NAME]`

use anyhow::{Context, Result, bail, ensure};
use benches::process::{cpu_ns, machine};
use benches::server::{Kind, Server};
use benches::trace::zipf;
use testkit::client::encode;
use testkit::{Client, Reply};

/// Length of values, in bytes.
const VALUE_BYTES: usize = 200;
/// What redis-server takes for a key and such a value, in bytes: how many keys are ten times the memory.
const ITEM_BYTES: usize = 330;
/// Requests that are under way together.
const BATCH: usize = 50;

const POLICIES: [&str; 7] = [
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
];

fn main() -> Result<()> {
    let (mut requests, mut megabytes, mut seed) = (1_500_000, 20, 1);
    let mut policies = POLICIES.to_vec();
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        let place = match arg {
            lexopt::Arg::Long("requests") => &mut requests,
            lexopt::Arg::Long("megabytes") => &mut megabytes,
            lexopt::Arg::Long("seed") => &mut seed,
            lexopt::Arg::Long("policy") => {
                let name = args.value()?.to_string_lossy().into_owned();
                policies.retain(|policy| *policy == name);
                ensure!(!policies.is_empty(), "{name} is not one of {}", POLICIES.join(", "));
                continue;
            }
            other => bail!("{}; allowed are --requests, --megabytes, --seed, --policy", other.unexpected()),
        };
        let text = args.value()?.to_string_lossy().into_owned();
        *place = text.parse().with_context(|| format!("{text} is not a number"))?;
    }
    let limit: usize = megabytes << 20;
    let keys = 10 * limit / ITEM_BYTES;
    println!("{}\n{requests} requests to {keys} keys, maxmemory {megabytes} MB, seed {seed}\n", machine());
    println!("| policy | carnelian | redis-server | carnelian us a request | redis-server us |");
    println!("|---|---|---|---|---|");
    let trace = zipf(keys, requests, seed as u64);
    for policy in policies {
        let (mut row, mut times) = (Vec::new(), Vec::new());
        for kind in [Kind::carnelian(&["--release", "7.0"])?, Kind::redis(&[])] {
            let server = Server::start(&kind, None)?;
            let before = cpu_ns(server.id())?;
            row.push(format!("{:.2} %", 100.0 * replay(&mut server.client(), policy, limit, &trace)?));
            let us = (cpu_ns(server.id())? - before) as f64 / 1000.0 / trace.len() as f64;
            times.push(format!("{us:.2}"));
        }
        println!("| {policy} | {} | {} |", row.join(" | "), times.join(" | "));
    }
    Ok(())
}

/// The part of requests that find their key, after a first third that fills the cache.
fn replay(client: &mut Client, policy: &str, limit: usize, trace: &[u32]) -> Result<f64> {
    for (name, value) in [("maxmemory", limit.to_string()), ("maxmemory-policy", policy.to_owned())] {
        let reply = client.run(&["CONFIG", "SET", name, &value]);
        ensure!(!reply.is_error(), "CONFIG SET {name}: {reply:?}");
    }
    let value = "v".repeat(VALUE_BYTES);
    let volatile = policy.starts_with("volatile");
    let (mut hits, mut counted) = (0, 0);
    for (number, batch) in trace.chunks(BATCH).enumerate() {
        let keys: Vec<String> = batch.iter().map(|key| format!("key:{key:010}")).collect();
        client.send_bytes(&keys.iter().flat_map(|key| encode(&["GET", key])).collect::<Vec<u8>>());
        let missed: Vec<&String> = keys.iter().filter(|_| client.read() == Reply::Nil).collect();
        if number * BATCH > trace.len() / 3 {
            counted += batch.len();
            hits += batch.len() - missed.len();
        }
        for key in &missed {
            // Expiries that say nothing of how often a key is used.
            let seconds = (10_000 + key.bytes().map(usize::from).sum::<usize>() * 7919 % 10_000).to_string();
            let mut command = vec!["SET", key, &value];
            if volatile {
                command.extend(["EX", &seconds]);
            }
            client.send(&command);
        }
        for _ in &missed {
            let reply = client.read();
            ensure!(!reply.is_error(), "SET: {reply:?}");
        }
    }
    Ok(hits as f64 / counted as f64)
}
