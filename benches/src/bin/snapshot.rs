//! What a background save costs while clients write: memory, and the slowest command; beside redis-server's.
//!
//! `cargo run --release -p benches --bin snapshot [-- --megabytes 1024]`
//!
//! Each server is filled, and its keys are saved while redis-benchmark overwrites them at random as fast as it can:
//! `testkit::save_cost` says how. For the kernel's copying at a fork INFO is asked.

use anyhow::{Context, Result};
use benches::process::machine;
use benches::server::{Kind, Server};
use lexopt::prelude::*;
use std::fs;
use std::time::Duration;
use testkit::Loaded;
use testkit::save_cost::KEY_BYTES;

/// How long the load runs before the save begins.
const WARM_UP: Duration = Duration::from_secs(4);

fn main() -> Result<()> {
    let mut megabytes = 1024;
    let mut parser = lexopt::Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Long("megabytes") => megabytes = parser.value()?.parse()?,
            _ => return Err(arg.unexpected().into()),
        }
    }
    println!("{}\n", machine());
    println!(
        "| server | keys | MB before | MB at most | growth | save s | slowest command before ms | slowest command ms | longest PING ms | fork ms |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    let folder = std::env::temp_dir().join(format!("snapshot-bench-{}", std::process::id()));
    for number in 0..2 {
        let own = folder.join(number.to_string());
        fs::create_dir_all(&own)?;
        let directory = own.display().to_string();
        let kind = match number {
            0 => Kind::carnelian_in(&directory)?,
            _ => Kind::redis(&["--dir", &directory, "--enable-debug-command", "yes"]),
        };
        measure(&kind, megabytes * (1 << 20) / KEY_BYTES)?;
        fs::remove_dir_all(&own)?;
    }
    let _ = fs::remove_dir(folder);
    Ok(())
}

fn measure(kind: &Kind, keys: usize) -> Result<()> {
    let server = Server::start(kind, None)?;
    let mut loaded =
        Loaded::begin(server.address, server.id(), keys).context("redis-benchmark does not start")?;
    let cost = loaded.save(WARM_UP);
    let client = loaded.client();
    let fork_us: f64 = client.info("latest_fork_usec").parse()?;
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    println!(
        "| {} | {} | {} | {} | {:.1} % | {:.1} | {:.1} | {:.1} | {:.1} | {:.1} |",
        kind.name,
        client.say("DBSIZE").integer(),
        cost.bytes_before >> 20,
        cost.bytes_at_most >> 20,
        cost.growth() * 100.0,
        cost.time.as_secs_f64(),
        ms(cost.slowest_before),
        ms(cost.slowest),
        ms(cost.longest_ping),
        fork_us / 1000.0,
    );
    Ok(())
}
