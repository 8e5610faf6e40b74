//! A Memcached node beside memcached.

use crate::Options;
use anyhow::{Result, ensure};
use benches::flood::Flood;
use benches::memcache::{KEY_BYTES, Kind as Asked, Load, VALUE_BYTES, add_set, fill, stay_on};
use benches::process::{cpu_ns, now, own_cpu_ns, resident_bytes};
use benches::server::{Kind, Server};
use benches::stats::median;
use benches::trace::zipf;
use memcache_wire::Reply;
use memcached::node::{Host, Surroundings};
use memcached::settings::SHARD_BITS_MAX;
use memcached::shard::Garbage;
use memcached::{Access, Node, Session, Settings};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use testkit::memcached::mixed_value_bytes;
use testkit::{Rng, Wire};

/// Connections of the load.
const CONNECTIONS: usize = 50;
/// Memory where it is not to be short, in MB.
const PLENTY_MB: &str = "4096";
/// The time of a node that nobody serves, in ms since the epoch.
const NOW_MS: i64 = 1_800_000_000_000;
/// Most bytes of an item that are not its key or value.
const OVERHEAD_BAR: f64 = 40.0;

/// All measurements.
pub(crate) fn compare(options: &Options) -> Result<()> {
    // These need all processors; later on the load keeps to one.
    if options.wants("threads") {
        threads(options)?;
    }
    if options.wants("processors") {
        processors(options)?;
    }
    if options.wants("clients") {
        clients(options)?;
    }
    if options.wants("speed") {
        speed(options)?;
    }
    if options.wants("full") {
        crate::full::compare(options, kinds)?;
    }
    if options.wants("memory") {
        memory(options)?;
    }
    if options.wants("hits") {
        hits(options)?;
    }
    Ok(())
}

/// Both servers, with so many threads and so much memory.
fn kinds(threads: usize, megabytes: &str) -> Result<[Kind; 2]> {
    let threads = threads.to_string();
    Ok([
        Kind::carnelian_memcached(&["--threads", &threads, "--memory", megabytes])?,
        Kind::memcached(&["-t", &threads, "-m", megabytes]),
    ])
}

/// Processor time for each command.
fn speed(options: &Options) -> Result<()> {
    println!("| command | a write | carnelian us | memcached us | ratio | bar | per second | memcached's |");
    println!("|---|---|---|---|---|---|---|---|");
    let kinds = kinds(1, PLENTY_MB)?;
    for (name, kind) in [("get", Asked::Get), ("set", Asked::Set)] {
        for (depth, bar) in [(1, 1.0), (16, 0.7)] {
            let requests = if depth == 1 { options.requests / 4 } else { options.requests };
            let load = Load { kind, depth, connections: CONNECTIONS, requests, keys: options.keys };
            let mut cpu = [Vec::new(), Vec::new()];
            let mut rates = [Vec::new(), Vec::new()];
            for _ in 0..options.rounds {
                for (at, kind) in kinds.iter().enumerate() {
                    let server = Server::start(kind, Some(0))?;
                    // The load and what it starts from now on.
                    stay_on(1)?;
                    fill(server.address, 0..options.keys)?;
                    let (before, start) = (cpu_ns(server.id())?, now());
                    load.run(server.address)?;
                    rates[at].push(requests as f64 / start.elapsed().as_secs_f64());
                    cpu[at].push((cpu_ns(server.id())? - before) as f64 / 1000.0 / requests as f64);
                }
            }
            let [own_us, peer_us] = cpu.map(|mut cpu| median(&mut cpu));
            let [own, peer] = rates.map(|mut rates| median(&mut rates));
            println!(
                "| {name} | {depth} | {own_us:.3} | {peer_us:.3} | {:.2} | {bar:.2} | {own:.0} | {peer:.0} |",
                own_us / peer_us
            );
        }
    }
    println!();
    Ok(())
}

/// Throughput of two worker threads against one, over sockets, under a load that takes next to nothing of a processor. In
/// short rounds servers with one thread and with two take turns, and the best of each counts, since a machine that does
/// other work as well has two processors to give for moments only. Beside it stands what processor time alone would allow:
/// what one thread takes for an item against what two threads and the load take for one on two processors. Two servers of
/// one thread each, which have nothing in common but the machine, show what it has to give.
fn threads(options: &Options) -> Result<()> {
    println!(
        "| keys of a get | server | threads | us an item | load's | items a second | ratio | by processor time | bar |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for (keys, kind) in [(1, Asked::Get), (100, Asked::GetMany(100))] {
        for at in 0..2 {
            let mut all = Vec::new();
            for (name, threads) in [("1", &[1][..]), ("2", &[2]), ("1 in each of two", &[1, 1])] {
                all.push((name, Flooded::start(at, threads, kind, options.keys)?, Round::WORST));
            }
            for _ in 0..options.rounds * ROUNDS {
                for (_, flooded, best) in &mut all {
                    best.take(flooded.measure()?);
                }
            }
            let one = all[0].2;
            for (name, _, best) in all {
                println!(
                    "| {keys} | {} | {name} | {:.3} | {:.3} | {:.0} | {:.2} | {:.2} | 1.80 |",
                    kinds(1, PLENTY_MB)?[at].name,
                    best.server_us,
                    best.load_us,
                    best.per_second,
                    best.per_second / one.per_second,
                    2.0 * one.server_us / (best.server_us + best.load_us),
                );
            }
        }
    }
    println!();
    Ok(())
}

/// Connections of the load for threads: several for each.
const FLOODED: usize = 8;
/// Rounds of the measurement of threads, for each round of the others.
const ROUNDS: usize = 5;
/// How long the load runs before it is measured, and how long it is.
const WARM: Duration = Duration::from_millis(100);
const MEASURED: Duration = Duration::from_millis(300);

/// Servers under the load for threads.
struct Flooded {
    servers: Vec<Server>,
    flood: Flood,
}

/// What a round of it has shown, or the best of several.
#[derive(Clone, Copy, Debug)]
struct Round {
    /// Processor time that the servers take for an item.
    server_us: f64,
    /// Processor time that the load takes for an item.
    load_us: f64,
    /// Items that have come in a second.
    per_second: f64,
}

/// Ours or memcached, once for each number of threads, and with so many items each.
fn filled(at: usize, threads: &[usize], keys: usize) -> Result<Vec<Server>> {
    let start = |threads: &usize| {
        let server = Server::start(&kinds(*threads, PLENTY_MB)?[at], None)?;
        fill(server.address, 0..keys)?;
        Ok(server)
    };
    threads.iter().map(start).collect()
}

impl Flooded {
    /// As [`filled`], with a load.
    fn start(at: usize, threads: &[usize], kind: Asked, keys: usize) -> Result<Flooded> {
        let servers = filled(at, threads, keys)?;
        let addresses: Vec<SocketAddr> = servers.iter().map(|server| server.address).collect();
        Ok(Flooded { flood: Flood::connect(&addresses, FLOODED, kind, keys)?, servers })
    }

    fn measure(&mut self) -> Result<Round> {
        self.flood.run(WARM)?;
        let (before, items, start) = (self.cpu_ns()?, self.flood.items(), now());
        self.flood.run(MEASURED)?;
        let (time, items) = (start.elapsed(), self.flood.items() - items);
        let after = self.cpu_ns()?;
        self.flood.settle()?;
        let us = |part: fn(&(u64, u64)) -> u64| (part(&after) - part(&before)) as f64 / 1000.0 / items;
        Ok(Round {
            server_us: us(|cpu| cpu.0),
            load_us: us(|cpu| cpu.1),
            per_second: items / time.as_secs_f64(),
        })
    }

    /// Processor time that the servers have taken, and that the load has.
    fn cpu_ns(&self) -> Result<(u64, u64)> {
        Ok((all_cpu_ns(&self.servers)?, cpu_ns(std::process::id())?))
    }
}

impl Round {
    const WORST: Round = Round { server_us: f64::INFINITY, load_us: f64::INFINITY, per_second: 0.0 };

    /// Takes of another round what is better.
    fn take(&mut self, other: Round) {
        self.server_us = self.server_us.min(other.server_us);
        self.load_us = self.load_us.min(other.load_us);
        self.per_second = self.per_second.max(other.per_second);
    }
}

/// Processor time of a get on two threads against one, from many clients that wait for each answer. The load takes a good
/// part of two processors, so that throughput says nothing: what counts is what the servers take.
fn clients(options: &Options) -> Result<()> {
    println!("| server | us a get, 1 thread | 2 threads | 1 in each of two | ratio of two threads | bar |");
    println!("|---|---|---|---|---|---|");
    let load = Load {
        kind: Asked::Get,
        depth: 1,
        connections: CONNECTIONS,
        requests: options.requests / 4 / ROUNDS,
        keys: options.keys,
    };
    for at in 0..2 {
        let name = &kinds(1, PLENTY_MB)?[at].name;
        let mut best = [f64::INFINITY; 3];
        let servers = [&[1][..], &[2], &[1, 1]].map(|threads| filled(at, threads, options.keys));
        let servers: Vec<Vec<Server>> = servers.into_iter().collect::<Result<_>>()?;
        for _ in 0..options.rounds * ROUNDS {
            for (servers, best) in servers.iter().zip(&mut best) {
                let before = all_cpu_ns(servers)?;
                let addresses: Vec<SocketAddr> = servers.iter().map(|server| server.address).collect();
                load.run_on(&addresses)?;
                *best = best.min((all_cpu_ns(servers)? - before) as f64 / 1000.0 / load.requests as f64);
            }
        }
        let [one, two, each] = best;
        println!("| {name} | {one:.2} | {two:.2} | {each:.2} | {:.2} | 1.80 |", 2.0 * one / two);
    }
    println!();
    Ok(())
}

/// Processor time that servers have taken.
fn all_cpu_ns(servers: &[Server]) -> Result<u64> {
    servers.iter().map(|server| cpu_ns(server.id())).sum()
}

/// Throughput of a node in this process on two threads against one, without sockets and without another program that
/// takes a processor: what threads have in common is the node alone. Two threads with a node each have nothing in common
/// but the machine: what is called two processors may be two halves of one. Rounds are short and take turns, and the best
/// of each counts.
fn processors(options: &Options) -> Result<()> {
    println!(
        "| gets of a batch | keys of a get | threads | us a key | keys a second | ratio | by processor time | bar |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let nodes = [(); 2].map(|()| bare_node(options.keys));
    let cases =
        [("1", vec![&nodes[0]]), ("2", vec![&nodes[0]; 2]), ("1 in each of two", nodes.iter().collect())];
    for (batch, keys) in [(1, 1), (16, 1), (1, 100)] {
        let mut best = [(f64::INFINITY, 0.0_f64); 3];
        let batches = options.requests / ROUNDS / (batch * keys);
        for _ in 0..options.rounds * ROUNDS {
            for ((_, nodes), (us, rate)) in cases.iter().zip(&mut best) {
                let start = now();
                let cpu_ns = std::thread::scope(|scope| {
                    let one = |thread, node: &Node| gets(node, options.keys, batches, batch, keys, thread);
                    let threads: Vec<_> = nodes
                        .iter()
                        .enumerate()
                        .map(|(thread, node)| scope.spawn(move || one(thread, node)))
                        .collect();
                    threads
                        .into_iter()
                        .map(|thread| thread.join().expect("all is found"))
                        .sum::<Result<u64>>()
                })?;
                let all = (nodes.len() * batches * batch * keys) as f64;
                *rate = rate.max(all / start.elapsed().as_secs_f64());
                *us = us.min(cpu_ns as f64 / 1000.0 / all);
            }
        }
        let (one_us, one) = best[0];
        for ((name, nodes), (us, rate)) in cases.iter().zip(best) {
            println!(
                "| {batch} | {keys} | {name} | {us:.3} | {rate:.0} | {:.2} | {:.2} | 1.80 |",
                rate / one,
                nodes.len() as f64 * one_us / us,
            );
        }
    }
    println!();
    Ok(())
}

/// A node with so many items that nobody serves.
fn bare_node(keys: usize) -> Node {
    #[derive(Debug)]
    struct Nobody;
    impl Host for Nobody {
        fn wake_at(&self, _: i64) {}
        fn discard(&self, _: Garbage) {}

        fn surroundings(&self) -> Surroundings {
            let address = ([127, 0, 0, 1], 11_211).into();
            Surroundings { address, backlog: 1, threads: 1 }
        }

        fn processor_us(&self) -> (u64, u64) {
            (1_500_000, 20)
        }
    }
    let settings =
        Settings { memory_bytes: (4 << 30).into(), shard_bits: SHARD_BITS_MAX, ..Settings::default() };
    let node = Node::new(1, NOW_MS, settings, Access::default(), Arc::new(Nobody));
    let (mut session, mut request, mut reply) =
        (Session::new(&node), Vec::new(), Reply::with_buffer(Vec::new()));
    for number in 0..keys {
        request.clear();
        add_set(&mut request, number);
        session.run(&node, &request, node.clock.at(NOW_MS), &mut reply);
        reply.truncate(0);
    }
    assert_eq!(node.items(), keys);
    node
}

/// Asks a node for items that are there, in so many batches of gets. Gives the processor time that it has taken, in ns.
fn gets(node: &Node, items: usize, batches: usize, batch: usize, keys: usize, thread: usize) -> Result<u64> {
    let load = Load {
        kind: if keys == 1 { Asked::Get } else { Asked::GetMany(keys) },
        depth: batch,
        connections: 1,
        requests: batch,
        keys: items,
    };
    let (mut session, mut rng) = (Session::new(node), Rng::new(thread as u64));
    let (mut input, mut reply) = (Vec::new(), Reply::with_buffer(Vec::new()));
    stay_on(thread)?;
    let before = own_cpu_ns()?;
    for _ in 0..batches {
        input.clear();
        (0..batch).for_each(|_| load.add(&mut input, &mut rng));
        let mut done = 0;
        // Who meets somebody in a shard for too long would leave its thread to others; here there is nobody.
        while done < input.len() {
            done += session.run(node, &input[done..], node.clock.at(NOW_MS), &mut reply).0;
        }
        ensure!(reply.len() == batch * load.answer_len(), "an item is missing");
        reply.truncate(0);
    }
    Ok(own_cpu_ns()? - before)
}

/// Resident bytes for each item, in a fresh process. The first hundredth makes what is there once.
fn memory(options: &Options) -> Result<()> {
    let items = options.keys * 4;
    println!("| bytes resident for each item | carnelian | memcached | bar |\n|---|---|---|---|");
    let mut row = Vec::new();
    for kind in kinds(1, PLENTY_MB)? {
        let mut rounds = Vec::new();
        for _ in 0..options.rounds {
            let server = Server::start(&kind, None)?;
            let first = items / 100;
            fill(server.address, 0..first)?;
            let before = resident_bytes(server.id())?;
            fill(server.address, first..items)?;
            // Memory that was used in passing is given back meanwhile.
            std::thread::sleep(Duration::from_millis(300));
            rounds.push((resident_bytes(server.id())? - before) as f64 / (items - first) as f64);
        }
        row.push(median(&mut rounds));
    }
    let data = (KEY_BYTES + VALUE_BYTES) as f64;
    println!("| key of 16, value of 32 | {:.1} | {:.1} | {:.0} |", row[0], row[1], data + OVERHEAD_BAR);
    println!("| of that, overhead | {:.1} | {:.1} | {OVERHEAD_BAR:.0} |\n", row[0] - data, row[1] - data);
    Ok(())
}

/// How many requests find their key when memory is short. Values are of mixed sizes; which size is the key's own.
fn hits(options: &Options) -> Result<()> {
    const MEGABYTES: &str = "64";
    const KEYS: usize = 1_000_000;
    let trace = zipf(KEYS, options.requests * 2, 1);
    println!(
        "| {} requests to {KEYS} keys, {MEGABYTES} MB | carnelian | memcached |\n|---|---|---|",
        trace.len()
    );
    let mut ratios = Vec::new();
    let mut resident = Vec::new();
    for kind in kinds(1, MEGABYTES)? {
        let server = Server::start(&kind, None)?;
        ratios.push(format!("{:.2} %", 100.0 * replay(&server, &trace)?));
        resident.push(format!("{:.1}", resident_bytes(server.id())? as f64 / f64::from(1 << 20)));
    }
    println!("| found | {} |", ratios.join(" | "));
    println!("| MB resident at the end | {} |\n", resident.join(" | "));
    Ok(())
}

/// The part of requests that find their key, after a first third that fills the cache. A key that is not there is set.
fn replay(server: &Server, trace: &[u32]) -> Result<f64> {
    const BATCH: usize = 50;
    let value = vec![b'v'; 8_000];
    let mut wire = Wire::connect(server.address);
    let (mut hits, mut counted) = (0, 0);
    for (number, batch) in trace.chunks(BATCH).enumerate() {
        let mut request = b"get".to_vec();
        for key in batch {
            request.extend_from_slice(format!(" key:{key:010}").as_bytes());
        }
        request.extend_from_slice(b"\r\n");
        let answer = wire.ask(&request, b"END\r\n");
        let mut found = std::collections::HashSet::new();
        let mut rest = &answer[..];
        while let Some(item) = rest.strip_prefix(b"VALUE key:") {
            let key: u32 = std::str::from_utf8(&item[..10])?.parse()?;
            let header = item.iter().position(|&byte| byte == b'\n').unwrap_or(0) + 1;
            rest = &item[header + mixed_value_bytes(key) + 2..];
            found.insert(key);
        }
        let missed: Vec<u32> = batch.iter().copied().filter(|key| !found.contains(key)).collect();
        if number * BATCH > trace.len() / 3 {
            counted += batch.len();
            hits += batch.len() - missed.len();
        }
        let mut request = Vec::new();
        for key in &missed {
            let len = mixed_value_bytes(*key);
            request.extend_from_slice(format!("set key:{key:010} 0 0 {len}\r\n").as_bytes());
            request.extend_from_slice(&value[..len]);
            request.extend_from_slice(b"\r\n");
        }
        wire.send(&request);
        let heard = wire.read(missed.len() * "STORED\r\n".len());
        ensure!(heard.bytes.starts_with(b"STORED") || missed.is_empty(), "set: {heard:?}");
    }
    Ok(f64::from(hits as u32) / f64::from(counted as u32))
}
