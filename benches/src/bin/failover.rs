//! For how long clients of a master/standby instance are not answered when the standby takes over.
//!
//! `cargo run --release -p benches --bin failover [-- --rounds 20]`
//!
//! Four clients write one value after the other to an instance with default settings, and connect again whenever they are
//! hung up on. The gap is the longest time that one of them was without an answer; every acknowledged write is looked
//! for afterwards.

use anyhow::{Context, Result};
use benches::process::machine;
use command::Release;
use lexopt::prelude::*;
use server::{Clock, Fault, Order, Pair, Workers};
use std::sync::Arc;
use std::time::Duration;
use testkit::{Client, Writers};

/// How long they write before and after.
const WHILE: Duration = Duration::from_millis(50);
/// Two milliseconds each.
const LOOKS: usize = 5_000;

fn main() -> Result<()> {
    let mut rounds = 20;
    let mut parser = lexopt::Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Long("rounds") => rounds = parser.value()?.parse()?,
            _ => return Err(arg.unexpected().into()),
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    println!("{}\n", machine());
    println!("| failover | rounds | median gap ms | longest gap ms |");
    println!("|---|---|---|---|");
    for (name, fault) in
        [("ordered", None), ("master stops", Some(Fault::Stop)), ("master hangs", Some(Fault::Hang))]
    {
        let mut gaps = runtime.block_on(measure(fault, rounds))?;
        gaps.sort_by(f64::total_cmp);
        let longest = gaps.last().context("there were rounds")?;
        println!("| {name} | {rounds} | {:.1} | {longest:.1} |", gaps[gaps.len() / 2]);
    }
    Ok(())
}

/// The longest gap of each round, in ms.
async fn measure(fault: Option<Fault>, rounds: usize) -> Result<Vec<f64>> {
    let workers = Workers::start(2)?;
    let order = Order {
        release: Release::V7_4,
        address: ([127, 0, 0, 1], 0).into(),
        seed: 7,
        config: Vec::new(),
        directory: None,
        seat: None,
        admission: Arc::default(),
        withheld: &[],
    };
    let pair = Pair::start(&workers, &Arc::new(Clock::new()), &order, 1).map_err(anyhow::Error::new)?;
    let mut gaps = Vec::new();
    for _ in 0..rounds {
        until(|| pair.standby().is_some_and(|standby| standby.master.is_up())).await?;
        let writers = Writers::start(pair.address(), &["a"]);
        tokio::time::sleep(WHILE).await;
        let before = pair.failovers();
        match fault {
            None => pair.failover(None).await?,
            Some(fault) => assert!(pair.fail(fault), "the standby is in step"),
        }
        until(|| pair.failovers() > before).await?;
        tokio::time::sleep(WHILE).await;
        let gap = writers.stop();
        Client::connect(pair.address()).say("FLUSHALL");
        gaps.push(gap.as_secs_f64() * 1000.0);
    }
    pair.stop().await;
    Ok(gaps)
}

async fn until(mut is_so: impl FnMut() -> bool) -> Result<()> {
    for _ in 0..LOOKS {
        if is_so() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    anyhow::bail!("nothing happens")
}
