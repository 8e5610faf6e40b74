//! A memcached master and its standby behind one address: what clients see of a failover.

mod wait;

use memcached::{Access, Settings};
use server::{Clock, FailoverError, Fault, Memcached, MemcachedOrder, Workers};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use testkit::Wire;
use wait::until;

struct Setup {
    _workers: Arc<Workers>,
    pair: Memcached,
}

fn started(has_standby: bool) -> Setup {
    started_with(has_standby, None)
}

fn started_with(has_standby: bool, file: Option<PathBuf>) -> Setup {
    let workers = Workers::start(2).unwrap();
    let order = MemcachedOrder {
        address: ([127, 0, 0, 1], 0).into(),
        seed: 7,
        settings: Settings::default(),
        access: Access::default(),
        has_standby,
        file,
    };
    let pair = Memcached::start(&workers, &Arc::new(Clock::new()), order).unwrap();
    Setup { _workers: workers, pair }
}

async fn in_step(pair: &Memcached) {
    until("the standby has everything", || pair.standby().is_some()).await;
}

/// What a writer has seen.
struct Seen {
    /// The last number that was acknowledged.
    acknowledged: u64,
    /// The longest time without an answer, in ms.
    gap_ms: i64,
}

/// Stores numbers, one after the other, and connects again whenever it has to.
fn write(address: SocketAddr, name: &str, stop: &AtomicBool) -> Seen {
    let clock = Clock::new();
    let mut wire = Wire::connect(address);
    let (mut next, mut last_ms) = (1u64, clock.wall_ms());
    let mut seen = Seen { acknowledged: 0, gap_ms: 0 };
    while !stop.load(Ordering::Relaxed) {
        let value = next.to_string();
        wire.send(format!("set {name} 0 0 {}\r\n{value}\r\n", value.len()).as_bytes());
        let heard = wire.read_until(|bytes| bytes.ends_with(b"\r\n"));
        if heard.is_closed {
            wire = Wire::connect(address);
            continue;
        }
        assert_eq!(heard.bytes, b"STORED\r\n");
        let now_ms = clock.wall_ms();
        seen.gap_ms = seen.gap_ms.max(now_ms - last_ms);
        (last_ms, seen.acknowledged, next) = (now_ms, next, next + 1);
    }
    seen
}

/// Writers that go on while `fail` makes the standby take over, and then some: none of what they were told is stored is
/// lost. The longest time without an answer, in ms.
async fn through(pair: &Memcached, fail: impl AsyncFnOnce(&Memcached)) -> i64 {
    let (address, stop) = (pair.address(), Arc::new(AtomicBool::new(false)));
    let writers: Vec<_> = (0..4)
        .map(|number| {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || write(address, &format!("writer:{number}"), &stop))
        })
        .collect();
    let before = pair.failovers();
    let stored = || pair.node().is_some_and(|node| node.items() >= 4);
    until("all writers have begun", stored).await;
    fail(pair).await;
    until("the standby takes over", || pair.failovers() == before + 1).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    stop.store(true, Ordering::Relaxed);
    let joined = tokio::task::spawn_blocking(move || {
        writers.into_iter().map(|writer| writer.join().unwrap()).collect::<Vec<_>>()
    });
    let mut wire = Wire::connect(address);
    let mut longest_ms = 0;
    for (number, seen) in joined.await.unwrap().into_iter().enumerate() {
        let answer = wire.ask(format!("get writer:{number}\r\n").as_bytes(), b"END\r\n");
        let answer = String::from_utf8(answer).unwrap();
        let value: u64 = answer.lines().nth(1).unwrap().parse().unwrap();
        assert!(value >= seen.acknowledged, "{value} where {} was acknowledged", seen.acknowledged);
        assert!(seen.acknowledged > 0);
        longest_ms = longest_ms.max(seen.gap_ms);
    }
    longest_ms
}

#[tokio::test]
async fn an_ordered_failover_loses_nothing_and_keeps_the_address() {
    let Setup { pair, _workers } = started(true);
    for _ in 0..3 {
        in_step(&pair).await;
        let first = Arc::downgrade(&pair.node().unwrap());
        let gap_ms = through(&pair, async |pair| pair.failover().await.unwrap()).await;
        assert!(gap_ms < 2_000, "{gap_ms} ms");
        until("the old master is gone", || first.strong_count() == 0).await;
    }
    pair.stop().await;
}

#[tokio::test]
async fn a_master_that_stops_or_hangs_is_replaced() {
    for fault in [Fault::Stop, Fault::Hang] {
        let Setup { pair, _workers } = started(true);
        in_step(&pair).await;
        let gap_ms = through(&pair, async |pair| assert!(pair.fail(fault))).await;
        eprintln!("{fault:?}: longest time without an answer: {gap_ms} ms");
        in_step(&pair).await;
        pair.stop().await;
    }
}

/// What was there before the standby came it has as well, and what is set for the master is set for it.
#[tokio::test]
async fn a_standby_has_items_expiries_and_settings() {
    let Setup { pair, _workers } = started(true);
    let mut wire = Wire::connect(pair.address());
    for key in 0..20_000 {
        wire.send(format!("set key:{key} {key} 0 5 noreply\r\nvalue\r\n").as_bytes());
    }
    assert_eq!(wire.say("cache_memlimit 100"), "OK");
    wire.send(b"set short 0 1000 1\r\nx\r\ndelete key:7\r\n");
    wire.read_until(|bytes| bytes.ends_with(b"DELETED\r\n"));
    in_step(&pair).await;
    pair.failover().await.unwrap();
    let mut wire = Wire::connect(pair.address());
    assert_eq!(wire.stat("", "curr_items"), "20000");
    assert_eq!(wire.stat("", "limit_maxbytes"), (100 << 20).to_string());
    assert_eq!(wire.ask(b"get key:19999\r\n", b"END\r\n"), b"VALUE key:19999 19999 5\r\nvalue\r\nEND\r\n");
    assert_eq!(wire.say("get key:7"), "END");
    let left = wire.say("mg short t");
    let seconds: u32 = left.strip_prefix("HD t").unwrap().parse().unwrap();
    assert!((900..=1000).contains(&seconds), "{left}");
    pair.stop().await;
}

#[tokio::test]
async fn without_a_standby_nobody_takes_over() {
    let Setup { pair, _workers } = started(false);
    assert_eq!(pair.failover().await, Err(FailoverError::NoStandby));
    assert!(!pair.fail(Fault::Stop) && !pair.fail(Fault::Hang));
    assert_eq!(Wire::connect(pair.address()).say("get a"), "END");
    pair.stop().await;
}

/// Clients of a node and its items, through its end and its beginning, a backup, and files that are no good.
#[tokio::test]
async fn items_are_kept_over_an_end_and_in_backups() {
    let directory = tempfile::tempdir().unwrap();
    let (file, backup) = (directory.path().join("items"), directory.path().join("backup"));
    let Setup { pair, _workers } = started_with(true, Some(file.clone()));
    pair.loaded().await.unwrap();
    let mut wire = Wire::connect(pair.address());
    assert_eq!(wire.say("set a 7 0 1\r\n1"), "STORED");
    assert_eq!(wire.say("set b 0 1000 1\r\n2"), "STORED");
    assert_eq!(wire.say("set gone 0 -1 1\r\n2"), "STORED");
    assert_eq!(pair.back_up(backup.clone()).await.unwrap(), 2);
    assert_eq!(wire.say("set c 0 0 1\r\n3"), "STORED");
    assert!(pair.stop_and_save().await);

    let Setup { pair, _workers } = started_with(true, Some(file.clone()));
    pair.loaded().await.unwrap();
    let mut wire = Wire::connect(pair.address());
    assert_eq!(
        wire.ask(b"get a b c\r\n", b"END\r\n"),
        b"VALUE a 7 1\r\n1\r\nVALUE b 0 1\r\n2\r\nVALUE c 0 1\r\n3\r\nEND\r\n"
    );
    let left: u32 = wire.say("mg b t").strip_prefix("HD t").unwrap().parse().unwrap();
    assert!((900..=1000).contains(&left), "{left}");

    // A backup takes the place of everything, and the standby follows.
    in_step(&pair).await;
    assert_eq!(pair.restore(backup.clone()).await, Ok(2));
    let mut wire = Wire::connect(pair.address());
    assert_eq!(wire.say("get c"), "END");
    in_step(&pair).await;
    pair.failover().await.unwrap();
    let mut wire = Wire::connect(pair.address());
    assert_eq!(wire.ask(b"get a\r\n", b"END\r\n"), b"VALUE a 7 1\r\n1\r\nEND\r\n");

    // One that is damaged leaves everything as it was, its clients included.
    let mut damaged = std::fs::read(&backup).unwrap();
    *damaged.last_mut().unwrap() ^= 1;
    std::fs::write(&backup, &damaged).unwrap();
    let refused = pair.restore(backup.clone()).await.unwrap_err();
    assert!(refused.contains("the checksum is wrong"), "{refused}");
    assert_eq!(wire.ask(b"get a\r\n", b"END\r\n"), b"VALUE a 7 1\r\n1\r\nEND\r\n");
    pair.stop().await;

    // And a node whose own file is damaged serves nobody, and leaves the file as it is.
    std::fs::write(&file, &damaged).unwrap();
    let Setup { pair, _workers } = started_with(false, Some(file.clone()));
    let refused = pair.loaded().await.unwrap_err();
    assert!(refused.contains("at byte"), "{refused}");
    assert!(pair.stop_and_save().await);
    assert_eq!(std::fs::read(&file).unwrap(), damaged);
}

/// A flush that waits for its time comes, whoever is the master by then, and though the node has ended in between.
#[tokio::test]
async fn a_flush_that_waits_outlives_a_failover_and_an_end() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("items");
    let due_s = |pair: &Memcached| pair.node().unwrap().flush_due_s();
    let is_flushed = |pair: &Memcached| Wire::connect(pair.address()).say("mg a") == "EN";

    let Setup { pair, _workers } = started_with(true, Some(file.clone()));
    in_step(&pair).await;
    let mut wire = Wire::connect(pair.address());
    assert_eq!(wire.say("set a 0 0 1\r\n1"), "STORED");
    assert_eq!(wire.say("flush_all 3600"), "OK");
    let expected = due_s(&pair);
    assert!(expected.is_some());
    pair.failover().await.unwrap();
    assert_eq!(due_s(&pair), expected);
    // The one that stands by now came later.
    in_step(&pair).await;
    pair.failover().await.unwrap();
    assert_eq!(due_s(&pair), expected);
    let backup = directory.path().join("backup");
    assert_eq!(pair.back_up(backup.clone()).await.unwrap(), 1);
    assert!(pair.stop_and_save().await);

    let Setup { pair, _workers } = started_with(true, Some(file.clone()));
    pair.loaded().await.unwrap();
    assert_eq!(due_s(&pair), expected);
    in_step(&pair).await;
    let mut wire = Wire::connect(pair.address());
    assert_eq!(wire.ask(b"get a\r\n", b"END\r\n"), b"VALUE a 0 1\r\n1\r\nEND\r\n");
    assert_eq!(wire.say("flush_all 2"), "OK");
    pair.failover().await.unwrap();
    until("it is flushed", || is_flushed(&pair)).await;

    // Items that a backup has are not flushed by what was ordered before.
    pair.restore(backup).await.unwrap();
    assert_eq!(due_s(&pair), None);
    let mut wire = Wire::connect(pair.address());
    assert_eq!(wire.say("flush_all 2"), "OK");
    let due = due_s(&pair);
    assert!(pair.stop_and_save().await);

    // The time comes while nobody runs.
    until("the time has come", || due.is_none_or(|at_s| Clock::new().wall_ms() / 1000 >= at_s)).await;
    let Setup { pair, _workers } = started_with(false, Some(file));
    pair.loaded().await.unwrap();
    assert!(is_flushed(&pair));
    assert_eq!(due_s(&pair), None);
    pair.stop().await;
}
