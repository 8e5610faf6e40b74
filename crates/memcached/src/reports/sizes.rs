//! `stats sizes`: how many items there are of each size.

use std::collections::BTreeMap;
use structures::table::Item;

use super::{Line, line};
use crate::items;
use crate::node::Node;

/// Sizes of items are told in steps of so many bytes.
const SIZE_STEP: usize = 32;

/// How many items there are of each size, in steps of 32 bytes as memcached would keep them: of those that have been
/// stored since somebody wanted to know. Nothing is counted before; all items are looked at when it is asked for.
pub(super) fn lines(node: &Node) -> Vec<Line> {
    let Some(since) = node.sizes_since() else { return vec![line("sizes_status", "disabled")] };
    let mut counts = BTreeMap::new();
    node.visit_since(&since, |item| {
        let bytes = items::memcached_bytes(item.key().len(), item.value().len(), item.flags());
        *counts.entry(bytes.next_multiple_of(SIZE_STEP)).or_insert(0_u64) += 1;
    });
    counts.into_iter().map(|(bytes, count)| line(&bytes.to_string(), count)).collect()
}
