//! Holding shards of a node without blocking the thread.

use engine::Node;
use keyspace::{Locked, ShardSet};
use std::future::poll_fn;

/// Holds all shards of a node.
pub(crate) async fn hold(node: &Node) -> Locked<'_> {
    hold_some(node, node.keyspace.all()).await
}

/// Holds some shards of a node.
pub(crate) async fn hold_some(node: &Node, set: ShardSet) -> Locked<'_> {
    let keyspace = &node.keyspace;
    loop {
        let shard = match keyspace.lock(set) {
            Ok(held) => return held,
            Err(shard) => shard,
        };
        poll_fn(|cx| keyspace.poll_free(shard, cx)).await;
    }
}
