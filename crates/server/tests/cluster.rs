//! Shards of a cluster that are failed on purpose, by their numbers.

mod orders;
mod wait;

use command::Release;
use engine::Node;
use orders::order_of;
use server::{Clock, Cluster, ClusterOrder, FailoverError, Fault, Workers};
use std::sync::Arc;
use testkit::Client;
use wait::until;

fn is_replica(node: &Arc<Node>) -> bool {
    node.member.as_ref().is_some_and(|member| member.is_replica())
}

/// Waits until every master has a replica that is in step.
async fn in_step(cluster: &Cluster) {
    until("the replicas follow", || {
        let nodes = cluster.nodes();
        let (replicas, masters): (Vec<_>, Vec<_>) = nodes.iter().partition(|node| is_replica(node));
        replicas.len() == 3 && masters.len() == 3 && replicas.iter().all(|node| node.master.is_up())
    })
    .await;
}

#[tokio::test]
async fn shards_keep_their_numbers_while_others_fail() {
    let workers = Workers::start(2).unwrap();
    let nodes = order_of(Release::V7_0, None, &[]);
    let order = ClusterOrder { nodes, name: "test".to_owned(), masters: 3, replicas: 1, ports: Vec::new() };
    let cluster = Cluster::start(&workers, &Arc::new(Clock::new()), &order, |_| true).unwrap();
    let addresses = cluster.addresses();
    for fault in [Fault::Stop, Fault::Hang] {
        in_step(&cluster).await;
        let replicas: Vec<bool> = cluster.nodes().iter().map(is_replica).collect();
        for shard in 0..3 {
            assert_eq!(cluster.fail(Some(shard), fault), Ok(()), "{fault:?} {shard}");
        }
        assert_eq!(cluster.fail(Some(3), fault), Err(FailoverError::NoShard));
        // That one hangs is found out when a client waits.
        if fault == Fault::Hang {
            for (at, _) in addresses.iter().zip(&replicas).filter(|(_, is_replica)| !**is_replica) {
                Client::connect(*at).say("PING");
            }
        }
        until("all replicas have taken over", || {
            let now: Vec<bool> = cluster.nodes().iter().map(is_replica).collect();
            now.len() == 6 && now.iter().zip(&replicas).all(|(now, before)| now != before)
        })
        .await;
    }
    assert_eq!(cluster.failover(Some(3)).await, Err(FailoverError::NoShard));
    cluster.stop().await;
}
