//! A master and its standby behind one address: what clients see of a failover.

mod orders;
mod wait;

use command::Release;
use engine::master::Address;
use orders::order_of;
use server::{Clock, FailoverError, Fault, Order, Pair, Workers};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use testkit::{Client, Reply, Writers};
use wait::until;

fn order(directory: Option<PathBuf>, config: &[(&str, &str)]) -> Order {
    order_of(Release::V7_4, directory, config)
}

struct Setup {
    _workers: Arc<Workers>,
    pair: Pair,
}

async fn started(directory: Option<PathBuf>, config: &[(&str, &str)]) -> Setup {
    let workers = Workers::start(2).unwrap();
    let pair = Pair::start(&workers, &Arc::new(Clock::new()), &order(directory, config), 1).unwrap();
    pair.loaded().await.unwrap();
    in_step(&pair).await;
    Setup { _workers: workers, pair }
}

async fn in_step(pair: &Pair) {
    until("the standby follows", || pair.standby().is_some_and(|standby| standby.master.is_up())).await;
}

/// Writers that go on while `fail` makes the standby take over, and then some; nothing that they were told is lost. The
/// longest time for which one of them was not answered.
async fn through(pair: &Pair, fail: impl AsyncFnOnce(&Pair)) -> Duration {
    let writers = Writers::start(pair.address(), &["a"]);
    let before = pair.failovers();
    until("all write", || writers.least() > 20).await;
    fail(pair).await;
    until("the standby takes over", || pair.failovers() == before + 1).await;
    let before = writers.least();
    until("all write again", || writers.least() > before + 20).await;
    tokio::task::spawn_blocking(|| writers.stop()).await.unwrap()
}

/// The longest time that a client of an instance with default settings may be without an answer in a failover.
const GAP: Duration = Duration::from_millis(200);
/// On a busy machine anybody may be held up, client or server: of so many failovers one has to keep to the limit.
const TRIES: usize = 10;

#[tokio::test]
async fn clients_wait_no_longer_than_they_are_to() {
    for fault in [None, Some(Fault::Stop), Some(Fault::Hang)] {
        let Setup { pair, _workers } = started(None, &[]).await;
        let mut gaps = Vec::new();
        while gaps.last().is_none_or(|gap| *gap >= GAP) {
            assert!(gaps.len() < TRIES, "{fault:?}: {gaps:?}");
            in_step(&pair).await;
            let gap = through(&pair, async |pair| match fault {
                None => pair.failover(None).await.unwrap(),
                Some(fault) => assert!(pair.fail(fault)),
            });
            gaps.push(gap.await);
        }
        eprintln!("{fault:?}: longest time without an answer: {gaps:?}");
        pair.stop().await;
    }
}

#[tokio::test]
async fn an_ordered_failover_loses_nothing_and_keeps_the_address() {
    let Setup { pair, _workers } = started(None, &[]).await;
    for _ in 0..3 {
        in_step(&pair).await;
        let first = pair.master().unwrap().identity("run");
        through(&pair, async |pair| pair.failover(None).await.unwrap()).await;
        assert_ne!(pair.master().unwrap().identity("run"), first, "another node serves");
        let mut client = Client::connect(pair.address());
        let role = client.say("ROLE");
        assert_eq!(role.elements()[0].text(), "master");
    }
    pair.stop().await;
}

#[tokio::test]
async fn a_master_that_stops_or_hangs_is_replaced() {
    for fault in [Fault::Stop, Fault::Hang] {
        let Setup { pair, _workers } = started(None, &[("requirepass", "")]).await;
        // What was acknowledged had been told to the standby, which got it before it took over.
        through(&pair, async |pair| assert!(pair.fail(fault))).await;
        in_step(&pair).await;
        pair.stop().await;
    }
}

#[tokio::test]
async fn what_waited_for_its_replica_is_kept_whatever_happens() {
    let Setup { pair, _workers } = started(None, &[]).await;
    let mut client = Client::connect(pair.address());
    for number in 0..100 {
        client.run(&["SET", &format!("k{number}"), "v"]);
    }
    assert_eq!(client.say("WAIT 1 5000").integer(), 1);
    assert!(pair.fail(Fault::Stop));
    until("the standby takes over", || pair.failovers() == 1).await;
    assert_eq!(client.say("PING"), Reply::Closed, "connections drop");
    assert_eq!(Client::connect(pair.address()).say("DBSIZE").integer(), 100);
    pair.stop().await;
}

#[tokio::test]
async fn the_new_master_has_the_files() {
    for config in [&[][..], &[("appendonly", "yes")]] {
        let folder = tempfile::tempdir().unwrap();
        let Setup { pair, _workers } = started(Some(folder.path().to_owned()), config).await;
        let mut client = Client::connect(pair.address());
        client.say("SET before 1");
        pair.failover(None).await.unwrap();
        let mut client = Client::connect(pair.address());
        assert_eq!(client.say("GET before").text(), "1");
        client.say("SET after 1");
        in_step(&pair).await;
        // There is one file more than the keys, if any: nobody else writes here.
        assert!(pair.stop_and_save(true).await);
        let Setup { pair, _workers } = started(Some(folder.path().to_owned()), config).await;
        assert_eq!(Client::connect(pair.address()).say("EXISTS before after").integer(), 2, "{config:?}");
        pair.stop().await;
    }
}

#[tokio::test]
async fn a_standby_that_has_not_caught_up_does_not_take_over() {
    let Setup { pair, _workers } = started(None, &[]).await;
    let mut client = Client::connect(pair.address());
    client.say("SET a 1");
    let standby = pair.standby().unwrap();
    let nowhere = Address { host: "127.0.0.1".into(), port: 1 };
    standby.follow(&mut standby.keyspace.lock_blocking(standby.keyspace.all()), Some(nowhere));
    assert_eq!(pair.failover(None).await, Err(FailoverError::NoStandby));
    assert_eq!(client.say("GET a").text(), "1", "nothing has changed");
    pair.stop().await;
}

/// The value of a parameter, as a client is told.
fn parameter(client: &mut Client, name: &str) -> String {
    client.run(&["CONFIG", "GET", name]).elements()[1].text().to_owned()
}

#[tokio::test]
async fn what_clients_set_stays_whichever_node_serves() {
    let Setup { pair, _workers } = started(None, &[("requirepass", "first"), ("timeout", "300")]).await;
    let mut client = Client::connect(pair.address());
    client.say("AUTH first");
    for set in
        ["maxmemory-policy allkeys-lru", "hash-max-listpack-entries 7", "timeout 0", "requirepass second"]
    {
        assert_eq!(client.say(&format!("CONFIG SET {set}")), Reply::Status("OK".into()));
    }
    // The standby comes back in, whatever the password is now.
    client.say("CLIENT KILL TYPE replica");
    client.say("SET a 1");
    for round in 0..3 {
        let offset = pair.master().unwrap().replicas.offset();
        until("the standby has it", || {
            pair.standby()
                .is_some_and(|standby| standby.master.is_up() && standby.replicas.offset() >= offset)
        })
        .await;
        pair.failover(None).await.unwrap();
        client = Client::connect(pair.address());
        assert_eq!(client.say("AUTH second"), Reply::Status("OK".into()), "{round}");
        assert_eq!(parameter(&mut client, "maxmemory-policy"), "allkeys-lru");
        assert_eq!(parameter(&mut client, "hash-max-listpack-entries"), "7");
        assert_eq!(parameter(&mut client, "timeout"), "0");
        assert_eq!(client.say("GET a").text(), "1");
    }
    pair.stop().await;
}

#[tokio::test]
async fn standbys_to_come_can_be_ordered_otherwise() {
    let Setup { pair, _workers } = started(None, &[("databases", "4")]).await;
    pair.reorder(|config| config.push(("databases".to_owned(), "8".to_owned())));
    for databases in ["4", "8"] {
        in_step(&pair).await;
        pair.failover(None).await.unwrap();
        assert_eq!(parameter(&mut Client::connect(pair.address()), "databases"), databases);
    }
    pair.stop().await;
}

#[tokio::test]
async fn a_failover_that_nobody_waits_for_comes_to_its_end() {
    let Setup { pair, _workers } = started(None, &[]).await;
    Client::connect(pair.address()).say("SET a 1");
    let _ = tokio::time::timeout(Duration::from_micros(1), pair.failover(None)).await;
    until("the standby takes over", || pair.failovers() == 1).await;
    assert_eq!(Client::connect(pair.address()).say("GET a").text(), "1");
    pair.stop().await;
}

#[tokio::test]
async fn fifty_failovers_under_load_lose_nothing() {
    let Setup { pair, _workers } = started(None, &[]).await;
    let mut blocked = Client::connect(pair.address());
    let mut listens = Client::connect(pair.address());
    let mut watches = Client::connect(pair.address());
    blocked.send(&["BLPOP", "nothing", "0"]);
    listens.say("SUBSCRIBE channel");
    watches.say("MULTI");
    through(&pair, async |pair| pair.failover(None).await.unwrap()).await;
    for client in [&mut blocked, &mut listens, &mut watches] {
        assert_eq!(client.read(), Reply::Closed, "connections drop");
    }
    let writers = Writers::start(pair.address(), &["a"]);
    for _ in 0..50 {
        in_step(&pair).await;
        // Whatever the standby was about when it came: a save is going on every other time.
        Client::connect(pair.address()).say("BGSAVE");
        pair.failover(None).await.unwrap();
    }
    tokio::task::spawn_blocking(|| writers.stop()).await.unwrap();
    assert_eq!(pair.failovers(), 51);
    pair.stop().await;
}

#[tokio::test]
async fn a_client_that_ends_pauses_lets_no_write_slip_in() {
    let Setup { pair, _workers } = started(None, &[]).await;
    let (address, ends) = (pair.address(), Arc::new(AtomicBool::new(false)));
    let ending = {
        let ends = Arc::clone(&ends);
        std::thread::spawn(move || {
            let mut client = Client::connect(address);
            while !ends.load(Ordering::Relaxed) {
                if client.say("CLIENT UNPAUSE") == Reply::Closed {
                    client = Client::connect(address);
                }
            }
        })
    };
    for _ in 0..20 {
        in_step(&pair).await;
        through(&pair, async |pair| pair.failover(None).await.unwrap()).await;
    }
    ends.store(true, Ordering::Relaxed);
    tokio::task::spawn_blocking(|| ending.join().unwrap()).await.unwrap();
    pair.stop().await;
}

#[tokio::test]
async fn a_standby_that_has_everything_rests_and_is_not_missed() {
    let Setup { pair, _workers } = started(None, &[("repl-ping-replica-period", "3600")]).await;
    let heard_ms = || {
        let members = pair.master().unwrap().replicas.view().members;
        members.iter().find(|member| member.replica.is_own && member.replica.answers).map(|member| {
            (
                member.replica.heard_ms,
                member.replica.lag_s(i64::MAX, pair.master().unwrap().replicas.offset()),
            )
        })
    };
    until("it is known to be the own one", || heard_ms().is_some()).await;
    let sent = pair.master().unwrap().replicas.counts.output_bytes.load(Ordering::Relaxed);
    assert!(sent > 100, "a snapshot counts as what replicas are sent: {sent}");
    let before = heard_ms();
    // Twice as long as it would be silent otherwise.
    tokio::time::sleep(Duration::from_millis(2_200)).await;
    assert_eq!(heard_ms(), before, "it has nothing to say");
    assert_eq!(before.unwrap().1, 0, "and there is no lag");
    let mut client = Client::connect(pair.address());
    client.say("SET a 1");
    assert_eq!(client.say("WAIT 1 5000").integer(), 1);
    pair.stop().await;
}
