//! Backups of what runs behind an address, and the way back, while standbys follow.

mod orders;
mod wait;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use command::Release;
use orders::order_of;
use server::backup::Written;
use server::{Clock, Cluster, ClusterOrder, Holders, Order, Pair, Proxy, ProxyOrder, Workers};
use testkit::{Client, Reply};
use wait::until;

fn order(config: &[(&str, &str)]) -> Order {
    order_of(Release::V7_0, None, config)
}

fn paths(directory: &Path, written: &[Written]) -> Vec<PathBuf> {
    written.iter().map(|file| directory.join(&file.name)).collect()
}

fn keys(client: &mut Client) -> i64 {
    match client.run(&["DBSIZE"]) {
        Reply::Integer(keys) => keys,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_pair_goes_back_and_its_standby_with_it() {
    let (workers, directory) = (Workers::start(2).unwrap(), tempfile::tempdir().unwrap());
    let pair = Pair::start(&workers, &Arc::new(Clock::new()), &order(&[("rdbchecksum", "no")]), 1).unwrap();
    pair.loaded().await.unwrap();
    until("the standby follows", || pair.standby().is_some_and(|standby| standby.master.is_up())).await;
    let mut client = Client::connect(pair.address());
    for number in 0..200 {
        client.run(&["RPUSH", &format!("key{number}"), "a", "b"]);
    }
    client.run(&["SELECT", "3"]);
    client.run(&["SET", "short", "lived", "PX", "10"]);
    client.run(&["SET", "long", "lived", "EX", "1000"]);
    let written = Holders::of_pair(&pair).back_up(directory.path(), false).await.unwrap();
    assert_eq!(written.len(), 1);
    let length = std::fs::metadata(directory.path().join(&written[0].name)).unwrap().len();
    assert_eq!(written[0].bytes, length);
    until("its time is over", || client.run(&["EXISTS", "short"]) == Reply::Integer(0)).await;

    client.run(&["FLUSHALL"]);
    client.run(&["SET", "later", "1"]);
    let files = paths(directory.path(), &written);
    Holders::of_pair(&pair).restore(&workers, &files).await.unwrap();
    assert_eq!(keys(&mut client), 1);
    assert_eq!(client.run(&["GET", "long"]), Reply::Bulk(b"lived".to_vec()));
    client.run(&["SET", "after", "1"]);
    // The standby has what was restored and what came after it.
    pair.failover(None).await.unwrap();
    let mut client = Client::connect(pair.address());
    assert_eq!(keys(&mut client), 200);
    client.run(&["SELECT", "3"]);
    assert_eq!(keys(&mut client), 2);

    // A file that is damaged anywhere changes nothing, whatever the configuration says of checksums.
    let mut bytes = std::fs::read(&files[0]).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&files[0], &bytes).unwrap();
    assert!(Holders::of_pair(&pair).restore(&workers, &files).await.is_err());
    std::fs::write(&files[0], &bytes[..middle]).unwrap();
    assert!(Holders::of_pair(&pair).restore(&workers, &files).await.is_err());
    assert!(Holders::of_pair(&pair).restore(&workers, &[directory.path().join("none.rdb")]).await.is_err());
    assert_eq!(keys(&mut client), 2);
    pair.stop().await;
}

#[tokio::test]
async fn keys_go_where_their_slots_are_now() {
    let (workers, directory) = (Workers::start(2).unwrap(), tempfile::tempdir().unwrap());
    let clock = Arc::new(Clock::new());
    let proxy = |shards| {
        let order = ProxyOrder { nodes: order(&[]), shards, standbys: 0 };
        Proxy::start(&workers, &clock, &order).unwrap()
    };
    let three = proxy(3);
    three.loaded().await.unwrap();
    let mut client = Client::connect(three.address());
    for number in 0..300 {
        client.run(&["SET", &format!("key{number}"), &number.to_string()]);
    }
    let written = Holders::of_proxy(&three).back_up(directory.path(), true).await.unwrap();
    let names: Vec<_> = written.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["0.aof", "1.aof", "2.aof"]);
    assert!(std::fs::read(directory.path().join("0.aof")).unwrap().starts_with(b"*"));
    let files = paths(directory.path(), &written);

    let two = proxy(2);
    two.loaded().await.unwrap();
    Holders::of_proxy(&two).restore(&workers, &files).await.unwrap();
    let mut client = Client::connect(two.address());
    assert_eq!(keys(&mut client), 300);
    for number in [0, 150, 299] {
        let value = client.run(&["GET", &format!("key{number}")]);
        assert_eq!(value, Reply::Bulk(number.to_string().into_bytes()));
    }

    let cluster = ClusterOrder {
        nodes: order(&[("cluster-enabled", "yes")]),
        name: "backup".to_owned(),
        masters: 2,
        replicas: 1,
        ports: Vec::new(),
    };
    let cluster = Cluster::start(&workers, &clock, &cluster, |_| true).unwrap();
    cluster.loaded().await.unwrap();
    let replicas = || cluster.nodes().into_iter().filter(|node| node.follows());
    until("replicas follow", || replicas().count() == 2 && replicas().all(|node| node.master.is_up())).await;
    Holders::of_cluster(&cluster).restore(&workers, &files).await.unwrap();
    let mut counts: Vec<_> =
        cluster.addresses().into_iter().map(|address| keys(&mut Client::connect(address))).collect();
    assert_eq!(counts[0] + counts[1], 300);
    assert!(counts[0] > 100 && counts[1] > 100, "{counts:?}");
    counts.rotate_left(2);
    assert_eq!(counts[0] + counts[1], 300, "the replicas have them, too");
    cluster.stop().await;
}
