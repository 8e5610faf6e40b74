//! Standbys of the shards behind a proxy: what clients see of a failover.

mod orders;
mod wait;

use command::Release;
use orders::order_of;
use server::{Clock, FailoverError, Fault, Proxy, ProxyOrder, Workers};
use std::path::PathBuf;
use std::sync::Arc;
use testkit::{Client, Reply, Writers};
use wait::until;

struct Setup {
    _workers: Arc<Workers>,
    proxy: Proxy,
}

async fn started(directory: Option<PathBuf>, config: &[(&str, &str)], standbys: usize) -> Setup {
    let workers = Workers::start(2).unwrap();
    let nodes = order_of(Release::V7_0, directory, config);
    let order = ProxyOrder { nodes, shards: 3, standbys };
    let proxy = Proxy::start(&workers, &Arc::new(Clock::new()), &order).unwrap();
    proxy.loaded().await.unwrap();
    if standbys > 0 {
        in_step(&proxy).await;
    }
    Setup { _workers: workers, proxy }
}

/// Waits until every shard has a standby that has all that its master has told.
async fn in_step(proxy: &Proxy) {
    until("the standbys follow", || {
        let (masters, standbys) = (proxy.shards(), proxy.standbys());
        let has_all = |(shard, standby): &(usize, Arc<engine::Node>)| {
            standby.master.is_up() && standby.replicas.offset() >= masters[*shard].replicas.offset()
        };
        !standbys.is_empty() && standbys.len() % masters.len() == 0 && standbys.iter().all(has_all)
    })
    .await;
}

/// Writers that go on while `fail` makes a standby take over, and then some: nothing that they were told is lost.
async fn through(proxy: &Proxy, fail: impl AsyncFnOnce(&Proxy)) {
    // Keys of all three shards.
    let writers = Writers::start(proxy.address(), &["a", "b", "c", "d"]);
    let before = proxy.failovers();
    until("all write", || writers.least() > 20).await;
    fail(proxy).await;
    until("the standby takes over", || proxy.failovers() == before + 1).await;
    let before = writers.least();
    until("all write again", || writers.least() > before + 20).await;
    tokio::task::spawn_blocking(|| writers.stop()).await.unwrap();
}

#[tokio::test]
async fn an_ordered_failover_of_a_shard_loses_nothing() {
    let Setup { proxy, _workers } = started(None, &[("requirepass", "")], 1).await;
    for shard in [0, 2, 2, 1] {
        in_step(&proxy).await;
        let before = proxy.shards();
        through(&proxy, async |proxy| proxy.failover(Some(shard), None).unwrap().await.unwrap()).await;
        for (number, (old, new)) in before.iter().zip(proxy.shards()).enumerate() {
            assert_eq!(Arc::ptr_eq(old, &new), number != shard, "shard {number}");
        }
    }
    proxy.stop().await;
}

#[tokio::test]
async fn a_shard_that_stops_or_hangs_is_replaced() {
    let Setup { proxy, _workers } = started(None, &[], 1).await;
    for (shard, fault) in [(1, Fault::Stop), (1, Fault::Hang), (2, Fault::Stop), (0, Fault::Hang)] {
        in_step(&proxy).await;
        through(&proxy, async |proxy| proxy.fail(Some(shard), fault).unwrap()).await;
    }
    proxy.stop().await;
}

#[tokio::test]
async fn several_shards_fail_at_once() {
    let Setup { proxy, _workers } = started(None, &[], 1).await;
    let mut client = Client::connect(proxy.address());
    for number in 0..100 {
        client.run(&["SET", &format!("k{number}"), "v"]);
    }
    in_step(&proxy).await;
    for shard in 0..3 {
        proxy.fail(Some(shard), Fault::Stop).unwrap();
    }
    assert_eq!(client.say("PING"), Reply::Closed, "connections drop");
    // Whoever comes is served when all shards are there again.
    assert_eq!(Client::connect(proxy.address()).say("DBSIZE").integer(), 100);
    assert_eq!(proxy.failovers(), 3);
    proxy.stop().await;
}

#[tokio::test]
async fn what_clients_were_in_the_midst_of_ends_with_their_connections() {
    let Setup { proxy, _workers } = started(None, &[("notify-keyspace-events", "KEA")], 1).await;
    let address = proxy.address();
    let mut other = Client::connect(address);
    let mut listener = Client::connect(address);
    listener.say("SUBSCRIBE news");
    let mut waiting = Client::connect(address);
    waiting.send(&["BLPOP", "list", "0"]);
    let mut watching = Client::connect(address);
    watching.say("WATCH k1");
    until("one waits", || other.say("INFO clients").text().contains("blocked_clients:1")).await;
    proxy.failover(None, None).unwrap().await.unwrap();
    for client in [&mut listener, &mut waiting, &mut watching, &mut other] {
        assert_eq!(client.read(), Reply::Closed);
    }
    let mut client = Client::connect(address);
    assert_eq!(client.say("PUBLISH news x").integer(), 0, "nobody listens any more");
    until("all are gone", || client.say("CLIENT LIST").text().lines().count() == 1).await;
    // An event is told once, whichever node has the key, and by no standby.
    in_step(&proxy).await;
    let mut listener = Client::connect(address);
    listener.say("PSUBSCRIBE *");
    client.say("MSET a 1 b 2 c 3 d 4");
    let told: Vec<String> = (0..8).map(|_| listener.read().elements()[2].text()).collect();
    assert_eq!(
        (told.len(), told[0].as_str(), told[7].as_str()),
        (8, "__keyspace@0__:a", "__keyevent@0__:set")
    );
    client.say("PUBLISH news end");
    assert_eq!(listener.read().elements()[3].text(), "end");
    proxy.stop().await;
}

#[tokio::test]
async fn what_was_configured_and_saved_stays() {
    for config in [&[][..], &[("appendonly", "yes")]] {
        let folder = tempfile::tempdir().unwrap();
        let Setup { proxy, _workers } = started(Some(folder.path().to_owned()), config, 1).await;
        let mut client = Client::connect(proxy.address());
        client.say("MSET a 1 b 1 c 1 d 1");
        client.say("CONFIG SET maxmemory-policy allkeys-lfu");
        client.say("CONFIG SET slowlog-log-slower-than 0");
        in_step(&proxy).await;
        for shard in 0..3 {
            proxy.failover(Some(shard), None).unwrap().await.unwrap();
        }
        let mut client = Client::connect(proxy.address());
        for (name, value) in [
            ("maxmemory-policy", "allkeys-lfu"),
            ("slowlog-log-slower-than", "0"),
            ("notify-keyspace-events", ""),
        ] {
            for node in proxy.shards().iter().chain([proxy.node()]) {
                let told = node.configuration.named(name).unwrap();
                let row = node.configuration.parameters().find(name.as_bytes()).unwrap().1;
                assert_eq!(String::from_utf8_lossy(&node.configuration.show(row)), value, "{name}: {told:?}");
            }
        }
        assert_eq!(client.say("MSET e 1 f 1 g 1 h 1"), Reply::Status(b"OK".to_vec()));
        assert!(proxy.stop_and_save(true).await);
        let Setup { proxy, _workers } = started(Some(folder.path().to_owned()), config, 1).await;
        assert_eq!(Client::connect(proxy.address()).say("EXISTS a b c d e f g h").integer(), 8, "{config:?}");
        proxy.stop().await;
    }
}

#[tokio::test]
async fn what_cannot_be_done_is_refused() {
    let Setup { proxy, _workers } = started(None, &[], 1).await;
    assert_eq!(proxy.failover(Some(3), None).err(), Some(FailoverError::NoShard));
    assert_eq!(proxy.fail(Some(3), Fault::Hang), Err(FailoverError::NoShard));
    proxy.stop().await;
    let Setup { proxy, _workers } = started(None, &[], 0).await;
    assert_eq!(proxy.failover(None, None).unwrap().await, Err(FailoverError::NoStandby));
    assert_eq!(proxy.fail(None, Fault::Stop), Err(FailoverError::NoStandby));
    assert_eq!(Client::connect(proxy.address()).say("PING"), Reply::Status(b"PONG".to_vec()));
    proxy.stop().await;
}
