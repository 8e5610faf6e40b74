//! Several standbys of one master: who takes its place, whom the others follow then, and how they come and go.

mod orders;
mod wait;

use command::Release;
use engine::Node;
use orders::order_of;
use server::{Clock, FailoverError, Fault, Order, Pair, Proxy, ProxyOrder, Workers};
use std::sync::Arc;
use testkit::{Client, Reply, Writers};
use wait::until;

fn order(release: Release) -> Order {
    order_of(release, None, &[("requirepass", "")])
}

fn has_all(master: &Node, standby: &Node) -> bool {
    standby.master.is_up() && standby.replicas.offset() >= master.replicas.offset()
}

/// Waits until so many standbys have all that their master has told.
async fn in_step(pair: &Pair, count: usize) {
    until("the standbys follow", || {
        let (master, standbys) = (pair.master(), pair.standbys());
        master.is_some_and(|master| {
            standbys.len() == count && standbys.iter().all(|standby| has_all(&master, standby))
        })
    })
    .await;
}

async fn started(workers: &Arc<Workers>, standbys: usize) -> Pair {
    let pair = Pair::start(workers, &Arc::new(Clock::new()), &order(Release::V5_0), standbys).unwrap();
    pair.loaded().await.unwrap();
    in_step(&pair, standbys).await;
    pair
}

/// The places of all members, that of the master first.
fn places(pair: &Pair) -> Vec<usize> {
    pair.members().iter().map(|member| member.copy).collect()
}

#[tokio::test]
async fn whichever_standby_takes_over_the_others_follow_it_and_nothing_is_lost() {
    let workers = Workers::start(2).unwrap();
    let pair = started(&workers, 3).await;
    for (number, fault) in [None, Some(Fault::Stop), Some(Fault::Hang), None].into_iter().enumerate() {
        let writers = Writers::start(pair.address(), &["a"]);
        until("all write", || writers.least() > 20).await;
        match fault {
            None => pair.failover(None).await.unwrap(),
            Some(fault) => assert!(pair.fail(fault)),
        }
        until("a standby takes over", || pair.failovers() == number as u64 + 1).await;
        let before = writers.least();
        until("all write again", || writers.least() > before + 20).await;
        tokio::task::spawn_blocking(|| writers.stop()).await.unwrap();
        in_step(&pair, 3).await;
        let keys = Client::connect(pair.address()).say("DBSIZE").integer();
        for standby in pair.standbys() {
            let own = server::owner::keys(&standby).await;
            assert_eq!(own as i64, keys, "{fault:?}: a standby has what the master has");
        }
        let told = Client::connect(pair.address()).say("INFO replication").text().to_owned();
        assert!(told.contains("connected_slaves:3"), "{told}");
    }
    pair.stop().await;
}

#[tokio::test]
async fn the_one_that_is_furthest_takes_over() {
    let workers = Workers::start(2).unwrap();
    let pair = started(&workers, 3).await;
    let (first, third) = (pair.standbys().swap_remove(0), pair.standbys().swap_remove(2));
    let (holding, held) = std::sync::mpsc::channel();
    let (release, released) = std::sync::mpsc::channel::<()>();
    // Two of them get nothing any more.
    let holder = std::thread::spawn(move || {
        let own = [&first, &third].map(|node| node.keyspace.lock_beside(node.keyspace.all()));
        holding.send(()).unwrap();
        let _ = released.recv();
        drop(own);
    });
    held.recv().unwrap();
    let mut client = Client::connect(pair.address());
    for number in 0..100 {
        client.run(&["SET", &format!("k{number}"), "v"]);
    }
    assert_eq!(client.say("WAIT 1 5000").integer(), 1);
    assert!(pair.fail(Fault::Stop));
    until("a standby takes over", || pair.failovers() == 1).await;
    assert_eq!(places(&pair)[0], 2, "the second of them");
    assert_eq!(Client::connect(pair.address()).say("DBSIZE").integer(), 100);
    release.send(()).unwrap();
    holder.join().unwrap();
    in_step(&pair, 3).await;
    assert_eq!(places(&pair), [2, 0, 1, 3]);
    pair.stop().await;
}

#[tokio::test]
async fn one_of_a_certain_place_takes_over_when_it_is_asked_to() {
    let workers = Workers::start(2).unwrap();
    let pair = started(&workers, 2).await;
    assert_eq!(pair.failover(Some(0)).await, Err(FailoverError::NoStandby), "that is the master");
    assert_eq!(pair.failover(Some(5)).await, Err(FailoverError::NoStandby));
    pair.failover(Some(2)).await.unwrap();
    in_step(&pair, 2).await;
    assert_eq!(places(&pair), [2, 0, 1]);
    pair.failover(Some(1)).await.unwrap();
    in_step(&pair, 2).await;
    assert_eq!(places(&pair), [1, 0, 2]);
    pair.stop().await;
}

#[tokio::test]
async fn their_number_changes_and_no_connection_drops() {
    let workers = Workers::start(2).unwrap();
    let pair = started(&workers, 1).await;
    let mut client = Client::connect(pair.address());
    client.run(&["SET", "a", "1"]);
    for (wanted, leaving, expected) in [
        (4, &[][..], &[0, 1, 2, 3, 4][..]),
        (3, &[2], &[0, 1, 3, 4]),
        (4, &[], &[0, 1, 2, 3, 4]),
        (1, &[], &[0, 1]),
        (0, &[], &[0]),
        (2, &[], &[0, 1, 2]),
    ] {
        pair.keep_standbys(wanted, leaving).await;
        assert_eq!(places(&pair), expected);
        assert!(pair.standbys().iter().all(|standby| standby.master.is_up()));
        assert_eq!(client.say("GET a").text(), "1", "the connection is the same");
    }
    in_step(&pair, 2).await;
    pair.failover(None).await.unwrap();
    assert_eq!(client.say("PING"), Reply::Closed);
    pair.stop().await;
}

#[tokio::test]
async fn shards_behind_a_proxy_have_several() {
    let workers = Workers::start(2).unwrap();
    let order = ProxyOrder { nodes: order(Release::V5_0), shards: 2, standbys: 2 };
    let proxy = Proxy::start(&workers, &Arc::new(Clock::new()), &order).unwrap();
    proxy.loaded().await.unwrap();
    let in_step = async |each: usize| {
        until("the standbys follow", || {
            let (masters, standbys) = (proxy.shards(), proxy.standbys());
            standbys.len() == each * 2 && standbys.iter().all(|(shard, own)| has_all(&masters[*shard], own))
        })
        .await;
    };
    in_step(2).await;
    for (number, fault) in (1..).zip([None, Some(Fault::Stop), Some(Fault::Hang)]) {
        let writers = Writers::start(proxy.address(), &["a", "b", "c", "d"]);
        until("all write", || writers.least() > 20).await;
        match fault {
            None => proxy.failover(Some(1), None).unwrap().await.unwrap(),
            Some(fault) => proxy.fail(Some(1), fault).unwrap(),
        }
        until("a standby takes over", || proxy.failovers() == number).await;
        let before = writers.least();
        until("all write again", || writers.least() > before + 20).await;
        tokio::task::spawn_blocking(|| writers.stop()).await.unwrap();
        in_step(2).await;
    }
    let mut client = Client::connect(proxy.address());
    proxy.keep_standbys(3).await;
    in_step(3).await;
    assert_eq!(client.say("PING"), Reply::Status("PONG".into()), "the connection is the same");
    proxy.stop().await;
}
