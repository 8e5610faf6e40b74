//! Sets into a Memcached node that is full: what is stored makes others go.

use crate::Options;
use anyhow::{Result, ensure};
use benches::memcache::stay_on;
use benches::process::cpu_ns;
use benches::server::{Kind, Server};
use benches::stats::median;
use std::ops::RangeInclusive;
use testkit::{Rng, Wire};

/// What the node may take, in MB.
const MEGABYTES: usize = 64;
/// Sets in one write, if they are not too long for that.
const BATCH: usize = 50;
/// A longer write is not added to, in bytes.
const WRITE_BYTES: usize = 64 << 10;
/// Most sets that are measured in a round.
const SETS_MAX: usize = 500_000;
/// The lengths of values.
const LENGTHS: [(&str, RangeInclusive<usize>); 5] = [
    ("32 bytes", 32..=32),
    ("1,000 bytes", 1_000..=1_000),
    ("5,000 bytes", 5_000..=5_000),
    ("5 to 60 KB", 5_000..=60_000),
    ("60 to 500 KB", 60_000..=500_000),
];

/// Processor time for each set.
pub(crate) fn compare(options: &Options, kinds: impl Fn(usize, &str) -> Result<[Kind; 2]>) -> Result<()> {
    println!("| values set into a full node of {MEGABYTES} MB | carnelian us | memcached us | ratio |");
    println!("|---|---|---|---|");
    for (name, lengths) in LENGTHS {
        let mut rows = [Vec::new(), Vec::new()];
        for _ in 0..options.rounds {
            for (row, kind) in rows.iter_mut().zip(kinds(1, &MEGABYTES.to_string())?) {
                row.push(round(&kind, &lengths)?);
            }
        }
        let [own, peer] = rows.map(|mut row| median(&mut row));
        println!("| {name} | {own:.2} | {peer:.2} | {:.2} |", own / peer);
    }
    println!();
    Ok(())
}

/// The processor time that a server takes for a set when it is full, in us.
fn round(kind: &Kind, lengths: &RangeInclusive<usize>) -> Result<f64> {
    let server = Server::start(kind, Some(0))?;
    // The load and what it starts from now on.
    stay_on(1)?;
    let mut load = Load { wire: Wire::connect(server.address), rng: Rng::new(1), number: 0 };
    let (least, most) = (*lengths.start(), *lengths.end());
    let fits = (MEGABYTES << 20) / ((least + most) / 2);
    load.set(2 * fits, lengths);
    let before = cpu_ns(server.id())?;
    let sets = SETS_MAX.min(4 * fits);
    load.set(sets, lengths);
    let us = (cpu_ns(server.id())? - before) as f64 / 1_000.0 / sets as f64;
    let evicted: usize = load.wire.stat("", "evictions").parse()?;
    ensure!(evicted >= sets / 2, "{evicted} items have gone: the node is not full");
    Ok(us)
}

struct Load {
    wire: Wire,
    rng: Rng,
    /// Keys that have been set.
    number: usize,
}

impl Load {
    /// Sets so many keys that are not there, and waits until that is done.
    fn set(&mut self, count: usize, lengths: &RangeInclusive<usize>) {
        let value = vec![b'v'; *lengths.end()];
        let mut out = Vec::new();
        for at in 1..=count {
            let len = lengths.start() + self.rng.below(lengths.end() + 1 - lengths.start());
            out.extend_from_slice(format!("set key:{:012} 0 0 {len} noreply\r\n", self.number).as_bytes());
            out.extend_from_slice(&value[..len]);
            out.extend_from_slice(b"\r\n");
            self.number += 1;
            if at % BATCH == 0 || at == count || out.len() >= WRITE_BYTES {
                self.wire.send(&out);
                out.clear();
            }
        }
        self.wire.ask(b"mn\r\n", b"MN\r\n");
    }
}
