//! Failovers while something else is going on: a file that is rewritten, a replica that is sent all keys, clients that wait.

mod disk;
mod orders;
mod wait;

use command::Release;
use disk::copied;
use orders::order_of;
use server::{Clock, FailoverError, Fault, Order, Pair, Running, Workers};
use std::sync::Arc;
use std::time::Duration;
use testkit::{Client, Reply, Writers};
use wait::until;

/// Each way in which a standby comes to take over.
const FAULTS: [Option<Fault>; 3] = [None, Some(Fault::Stop), Some(Fault::Hang)];

async fn started(workers: &Arc<Workers>, order: &Order) -> Pair {
    let pair = Pair::start(workers, &Arc::new(Clock::new()), order, 1).unwrap();
    pair.loaded().await.unwrap();
    in_step(&pair).await;
    pair
}

async fn in_step(pair: &Pair) {
    until("the standby follows", || pair.standby().is_some_and(|standby| standby.master.is_up())).await;
}

/// Has the standby take over, and waits until it has.
async fn fail_over(pair: &Pair, fault: Option<Fault>) {
    let before = pair.failovers();
    match fault {
        None => pair.failover(None).await.unwrap(),
        Some(fault) => assert!(pair.fail(fault)),
    }
    let address = pair.address();
    // That a master hangs is found out when a client waits for it.
    let waits = tokio::task::spawn_blocking(move || Client::connect(address).say("PING"));
    until("the standby takes over", || pair.failovers() > before).await;
    waits.await.unwrap();
}

/// Makes so many thousands of keys.
fn fill(client: &mut Client, thousands: usize) {
    for number in 0..thousands {
        let mut set = vec!["MSET".to_owned()];
        (0..1000).for_each(|key| set.extend([format!("{number}:{key}"), "value".to_owned()]));
        client.run(&set);
    }
}

#[tokio::test]
async fn a_file_that_is_rewritten_lacks_nothing_afterwards() {
    for release in [Release::V5_0, Release::V7_4] {
        for fault in FAULTS {
            let (folder, workers) = (tempfile::tempdir().unwrap(), Workers::start(2).unwrap());
            let config = [("appendonly", "yes")];
            let order = order_of(release, Some(folder.path().to_owned()), &config);
            let pair = started(&workers, &order).await;
            let mut client = Client::connect(pair.address());
            fill(&mut client, 10);
            assert_eq!(client.say("WAIT 1 10000").integer(), 1);
            let writers = Writers::start(pair.address(), &["a"]);
            until("all write", || writers.least() > 5).await;
            let master = pair.master().unwrap();
            let rewrites = || master.rewriting.state().running_since_s.is_some();
            // One that has ended by now is begun again.
            until("it is rewritten meanwhile", || !client.say("BGREWRITEAOF").is_error() && rewrites()).await;
            drop(master);
            fail_over(&pair, fault).await;
            let before = writers.least();
            until("all write again", || writers.least() > before + 5).await;
            tokio::task::spawn_blocking(|| writers.stop()).await.unwrap();
            let digest = Client::connect(pair.address()).say("DBSIZE").integer();
            let killed = copied(folder.path());
            let again = Order { directory: Some(killed.path().to_owned()), ..order };
            let again = Running::start(&workers, &Arc::new(Clock::new()), &again).unwrap();
            again.loaded().await.unwrap();
            let (mut now, mut then) = (Client::connect(pair.address()), Client::connect(again.address()));
            assert_eq!(then.say("DBSIZE").integer(), digest, "{release:?} {fault:?}");
            for number in 0..4 {
                let get = format!("GET writer:{number}:a");
                assert_eq!(then.say(&get), now.say(&get), "{release:?} {fault:?}");
            }
            again.stop().await;
            in_step(&pair).await;
            pair.stop().await;
        }
    }
}

#[tokio::test]
async fn a_replica_that_is_still_sent_all_keys_holds_nothing_up() {
    for fault in FAULTS {
        let workers = Workers::start(2).unwrap();
        let pair = started(&workers, &order_of(Release::V7_4, None, &[])).await;
        let mut client = Client::connect(pair.address());
        // More than sockets take.
        let value = "x".repeat(1 << 20);
        for number in 0..16 {
            client.run(&["SET", &format!("big:{number}"), &value]);
        }
        assert_eq!(client.say("WAIT 1 10000").integer(), 1);
        let mut slow = Client::connect(pair.address());
        slow.send(&["SYNC"]);
        until("it is being sent", || client.say("INFO replication").text().contains("state=send_bulk")).await;
        let writers = Writers::start(pair.address(), &["a"]);
        until("all write", || writers.least() > 20).await;
        fail_over(&pair, fault).await;
        let before = writers.least();
        until("all write again", || writers.least() > before + 20).await;
        tokio::task::spawn_blocking(|| writers.stop()).await.unwrap();
        // The next standby comes without waiting for it, and it is hung up on.
        in_step(&pair).await;
        assert_eq!(Client::connect(pair.address()).say("DBSIZE").integer(), 20, "{fault:?}");
        slow.set_patience(Duration::from_secs(5));
        while !matches!(slow.read(), Reply::Closed) {}
        pair.stop().await;
    }
}

#[tokio::test]
async fn clients_that_wait_or_watch_come_again() {
    for fault in FAULTS {
        let workers = Workers::start(2).unwrap();
        let pair = started(&workers, &order_of(Release::V7_4, None, &[])).await;
        let connect = || Client::connect(pair.address());
        let [mut waits, mut blocked, mut reads, mut monitors, mut listens, mut queues, mut watches] =
            [(); 7].map(|()| connect());
        let mut client = connect();
        client.say("SET a 1");
        client.say("XADD stream 1-1 f v");
        waits.say("SET b 1");
        // There is no second replica.
        waits.send(&["WAIT", "2", "0"]);
        blocked.send(&["BLPOP", "list", "0"]);
        reads.send(&["XREAD", "BLOCK", "0", "STREAMS", "stream", "$"]);
        monitors.say("MONITOR");
        listens.say("SUBSCRIBE channel");
        queues.say("MULTI");
        queues.say("SET a 2");
        watches.say("WATCH a");
        until("three wait", || client.say("INFO clients").text().contains("blocked_clients:3")).await;
        assert_eq!(client.say("WAIT 1 10000").integer(), 1);
        fail_over(&pair, fault).await;
        // A transaction that was not run is not run later either.
        assert_eq!(queues.say("EXEC"), Reply::Closed, "{fault:?}");
        for client in [&mut waits, &mut blocked, &mut reads, &mut listens, &mut watches] {
            assert_eq!(client.read(), Reply::Closed, "{fault:?}");
        }
        while !matches!(monitors.read(), Reply::Closed) {}
        let mut client = connect();
        assert_eq!(client.say("MGET a b"), client.say("MGET b a"), "{fault:?}");
        assert_eq!(client.say("GET a").text(), "1", "{fault:?}");
        // Whoever comes again is served as before: by the new master and its own standby.
        in_step(&pair).await;
        let mut blocked = connect();
        blocked.send(&["BLPOP", "list", "0"]);
        until("one waits", || client.say("INFO clients").text().contains("blocked_clients:1")).await;
        client.say("RPUSH list x");
        assert_eq!(blocked.read().elements()[1].text(), "x");
        assert_eq!(client.say("WAIT 1 10000").integer(), 1);
        pair.stop().await;
    }
}

#[tokio::test]
async fn commands_keep_the_names_that_they_were_given() {
    for fault in FAULTS {
        let workers = Workers::start(2).unwrap();
        let renamed = [("rename-command", "flushall wipe"), ("rename-command", "del \"\"")];
        let pair = started(&workers, &order_of(Release::V5_0, None, &renamed)).await;
        for round in 0..3 {
            in_step(&pair).await;
            let mut client = Client::connect(pair.address());
            client.say("MSET a 1 b 2");
            assert!(client.say("FLUSHALL").text().contains("unknown command"), "{round}");
            assert!(client.say("DEL a").text().contains("unknown command"), "{round}");
            assert_eq!(client.say("WIPE"), Reply::Status(b"OK".to_vec()));
            client.say(&format!("SET round {round}"));
            assert_eq!(client.say("WAIT 1 10000").integer(), 1);
            fail_over(&pair, fault).await;
            let mut client = Client::connect(pair.address());
            assert_eq!(client.say("DBSIZE").integer(), 1, "{fault:?}: the standby has heard of it");
            assert_eq!(client.say("GET round").text(), round.to_string());
        }
        pair.stop().await;
    }
}

#[tokio::test]
async fn a_command_that_takes_long_does_not_part_the_keys() {
    let workers = Workers::start(2).unwrap();
    let pair = started(&workers, &order_of(Release::V7_4, None, &[])).await;
    let mut client = Client::connect(pair.address());
    let mut push = vec!["RPUSH".to_owned(), "numbers".to_owned()];
    push.extend((0..30_000).map(|number| (number % 1_000 * 7919 % 1_009).to_string()));
    client.run(&push);
    for round in 0..4 {
        in_step(&pair).await;
        let mut sorts = Client::connect(pair.address());
        // It writes, and has been handed to another thread by the time that writes pause.
        sorts.send(&["SORT", "numbers", "STORE", &format!("sorted{round}")]);
        // It may take longer than writes are to be held back: then nothing changes.
        while let Err(error) = pair.failover(None).await {
            assert_eq!(error, FailoverError::TooSlow);
        }
        let told = sorts.read();
        let mut client = Client::connect(pair.address());
        let len = client.say(&format!("LLEN sorted{round}")).integer();
        match told {
            Reply::Integer(acknowledged) => assert_eq!(len, acknowledged, "it was acknowledged"),
            Reply::Closed => assert!(len == 0 || len == 30_000, "{len}"),
            other => panic!("{other:?}"),
        }
    }
    pair.stop().await;
}
