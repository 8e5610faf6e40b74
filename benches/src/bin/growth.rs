//! Growth never stalls: a keyspace is filled with ten million keys, and the slowest insertion is told.
//!
//! The machine interrupts, so the keyspace is filled several times with the same keys: what an insertion takes is the
//! least of its times, and what all of them have in common is the table's. The allocator keeps its memory from one
//! time to the next: how long the kernel takes to clear a huge page (6 ms on some virtual machines) is not the table's.
//!
//! `cargo run --release -p benches --bin growth -- [keys]`

use anyhow::{Context, Result};
use benches::process::{machine, now};
use keyspace::{Class, Effects, Event, Keyspace, Moment, Params};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;
use structures::ticks;

#[global_allocator]
static ALLOCATOR: structures::allocator::Allocator = structures::allocator::Allocator;

/// How often the keyspace is filled.
const ROUNDS: usize = 3;
/// Has the allocator keep what is freed; it reads this when the process starts.
const KEEP_MEMORY: (&str, &str) = ("MIMALLOC_PURGE_DELAY", "-1");
/// The bar, in ms.
const BAR_MS: f64 = 5.0;

fn main() -> Result<()> {
    let keys: usize = match std::env::args().nth(1) {
        Some(text) => text.parse().with_context(|| format!("{text} is not a number of keys"))?,
        None => 10_000_000,
    };
    if std::env::var_os(KEEP_MEMORY.0).is_none() {
        let error = Command::new(std::env::current_exe()?)
            .args(std::env::args_os().skip(1))
            .env(KEEP_MEMORY.0, KEEP_MEMORY.1)
            .exec();
        return Err(error).context("cannot run itself again");
    }
    println!("{}\n", machine());
    let mut least = vec![u32::MAX; keys];
    let rate = ticks_per_ms();
    for _ in 0..ROUNDS {
        let keyspace = Keyspace::new(16, 7, Arc::new(Params::new(7)));
        let mut effects = Effects::default();
        let mut locked = keyspace.lock_blocking(keyspace.all());
        for (number, least) in least.iter_mut().enumerate() {
            let name = format!("key:{number:012}");
            let key = keyspace.key(name.as_bytes());
            let start = ticks::now();
            let mut spot = locked.shard_mut(&key).spot(&mut effects, Moment::at(0), 0, key);
            spot.set_text(b"value");
            spot.commit(Event(Class::STRING, "set"));
            *least = (*least).min(u32::try_from(ticks::now() - start).unwrap_or(u32::MAX));
        }
    }
    least.sort_unstable();
    let ms = |index: usize| f64::from(least[index]) / rate;
    println!("insertions of {keys} keys, the least of {ROUNDS} times each:");
    for (name, index) in [("median", keys / 2), ("p99.9", keys - keys / 1000), ("slowest", keys - 1)] {
        println!("{name:8} {:.4} ms", ms(index));
    }
    let slowest = ms(keys - 1);
    println!("{}", if slowest <= BAR_MS { "below the bar of 5 ms" } else { "ABOVE the bar of 5 ms" });
    Ok(())
}

/// How often the processor's counter ticks in a millisecond.
fn ticks_per_ms() -> f64 {
    let (start, ticks) = (now(), ticks::now());
    while start.elapsed().as_millis() < 50 {}
    (ticks::now() - ticks) as f64 / (start.elapsed().as_secs_f64() * 1000.0)
}
