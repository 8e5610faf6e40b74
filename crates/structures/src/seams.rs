//! Where Redis would have cut a long list into nodes.
//!
//! From 7.2 on a list that has shrunk is reported as small again once all that is left of it stands in one node of
//! Redis' own. Which entries share a node follows from all that has been done to the list, so the nodes are counted
//! here as Redis would have made them: what they hold is in nodes of ours, which are others (see [`crate::list`]).
//!
//! Invariants: no node is empty; the counts add up to the list's length. The bytes of entries are those that they take
//! in a packed list.

use crate::block;
use crate::list::{Limit, Side};
use std::collections::VecDeque;
use std::ops::Range;

/// What a packed list takes beside its entries, in bytes.
const FRAME_BYTES: usize = 7;
/// What an entry is taken to need beside its own bytes when Redis asks whether a node has room for it.
const OVERHEAD_BYTES: usize = 8;
/// The longest node of Redis where its entries are limited, in bytes.
const SAFE_BYTES: usize = 8192;

/// An entry, as it is counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    /// The length of its text, in bytes.
    pub text: usize,
    /// What it takes in a packed list, in bytes.
    pub packed: usize,
}

/// The nodes; see the module.
#[derive(Clone, Debug)]
pub(crate) struct Seams {
    limit: Limit,
    nodes: VecDeque<Node>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Node {
    count: usize,
    bytes: usize,
    /// Whether it is one entry that is too large for a packed list.
    plain: bool,
}

impl Node {
    fn packed(count: usize, entry_bytes: usize) -> Node {
        Node { count, bytes: FRAME_BYTES + entry_bytes, plain: false }
    }
}

impl Seams {
    /// A list that has been one packed list until now.
    pub(crate) fn new(limit: Limit, count: usize, entry_bytes: usize) -> Self {
        let nodes = (count > 0).then(|| Node::packed(count, entry_bytes)).into_iter().collect();
        Seams { limit, nodes }
    }

    /// What it takes from the allocator, in bytes.
    pub(crate) fn heap_bytes(&self) -> usize {
        block::class(size_of::<Seams>()) + block::class(self.nodes.capacity() * size_of::<Node>())
    }

    /// The number of nodes.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether all there is, is one packed list no larger than half the limit.
    pub(crate) fn is_half(&self, limit: Limit) -> bool {
        match (self.nodes.len(), self.nodes.front(), limit) {
            (1, Some(Node { plain: false, bytes, .. }), Limit::Bytes(most)) => *bytes <= most / 2,
            (1, Some(Node { plain: false, count, .. }), Limit::Entries(most)) => *count <= most / 2,
            _ => false,
        }
    }

    fn exceeds(&self, count: usize, bytes: usize) -> bool {
        match self.limit {
            Limit::Bytes(most) => bytes > most,
            Limit::Entries(most) | Limit::EntriesAndValue { entries: most, .. } => {
                bytes > SAFE_BYTES || count > most
            }
        }
    }

    fn is_large(&self, size: Size) -> bool {
        let most = if let Limit::Bytes(most) = self.limit { most } else { SAFE_BYTES };
        size.text > most
    }

    /// Whether a node has room for an entry.
    fn admits(&self, node: usize, size: Size) -> bool {
        self.nodes.get(node).is_some_and(|node| {
            !node.plain
                && !self.is_large(size)
                && !self.exceeds(node.count + 1, node.bytes + size.text + OVERHEAD_BYTES)
        })
    }

    /// A node of one entry.
    fn single(&self, size: Size) -> Node {
        if self.is_large(size) {
            Node { count: 1, bytes: size.text, plain: true }
        } else {
            Node::packed(1, size.packed)
        }
    }

    fn add(&mut self, node: usize, size: Size) {
        self.nodes[node].count += 1;
        self.nodes[node].bytes += size.packed;
    }

    /// An entry has been added at one end.
    pub(crate) fn push(&mut self, side: Side, size: Size) {
        let (end, beyond) = match side {
            Side::Left => (0, 0),
            Side::Right => (self.nodes.len().saturating_sub(1), self.nodes.len()),
        };
        if self.admits(end, size) {
            self.add(end, size);
        } else {
            self.nodes.insert(beyond, self.single(size));
        }
    }

    /// An entry has been taken from one end.
    pub(crate) fn pop(&mut self, side: Side, packed_bytes: usize) {
        let end = if side == Side::Left { 0 } else { self.nodes.len().saturating_sub(1) };
        self.remove_some(end, 1, packed_bytes);
    }

    /// Entries have been removed from a node; gives whether any is left.
    fn remove_some(&mut self, node: usize, count: usize, packed_bytes: usize) -> bool {
        let Some(own) = self.nodes.get_mut(node) else { return false };
        own.count -= count;
        if own.count == 0 {
            self.nodes.remove(node);
            return false;
        }
        own.bytes -= packed_bytes;
        true
    }

    /// The node of an entry, and which of the node's it is.
    fn locate(&self, index: usize) -> (usize, usize) {
        let mut rest = index;
        for (number, node) in self.nodes.iter().enumerate() {
            match rest.checked_sub(node.count) {
                Some(less) => rest = less,
                None => return (number, rest),
            }
        }
        debug_assert!(false, "there is no entry {index}");
        (0, 0)
    }

    /// An entry has been put beside the one number `index`. `bytes_of` tells what entries took before.
    pub(crate) fn insert(
        &mut self,
        index: usize,
        side: Side,
        size: Size,
        bytes_of: impl FnOnce(Range<usize>) -> usize,
    ) {
        let (node, offset) = self.locate(index);
        let at_end = match side {
            Side::Left => offset == 0,
            Side::Right => offset + 1 == self.nodes[node].count,
        };
        let beyond = if side == Side::Left { node } else { node + 1 };
        let neighbour = if side == Side::Left { node.checked_sub(1) } else { Some(node + 1) };
        let neighbour = neighbour.filter(|&neighbour| at_end && self.admits(neighbour, size));
        if self.admits(node, size) {
            self.add(node, size);
        } else if let Some(neighbour) = neighbour {
            self.add(neighbour, size);
        } else if at_end || self.nodes[node].plain {
            self.nodes.insert(beyond, self.single(size));
        } else {
            // The entries before the new one stay with one part, those after it with the other.
            let cut = if side == Side::Left { offset } else { offset + 1 };
            self.split(node, cut, bytes_of(index - offset..index - offset + cut));
            if self.is_large(size) {
                self.nodes.insert(node + 1, self.single(size));
            } else {
                self.add(beyond, size);
                // The part that was cut off is the one that the entry was added to.
                self.merge_around(if side == Side::Left { node + 1 } else { node });
            }
        }
    }

    /// Cuts a node after its first entries, which take so many bytes.
    fn split(&mut self, node: usize, count: usize, packed_bytes: usize) {
        let whole = self.nodes[node];
        self.nodes[node] = Node::packed(count, packed_bytes);
        let rest = Node::packed(whole.count - count, whole.bytes - FRAME_BYTES - packed_bytes);
        self.nodes.insert(node + 1, rest);
    }

    /// Joins what has become small enough: the two nodes before one, the two after it, and then itself with those.
    fn merge_around(&mut self, node: usize) {
        let mut node = node;
        if node >= 2 && self.merge(node - 2) {
            node -= 1;
        }
        self.merge(node + 1);
        if node >= 1 && self.merge(node - 1) {
            node -= 1;
        }
        self.merge(node);
    }

    /// Joins a node with the next one, if they are one node's worth.
    fn merge(&mut self, node: usize) -> bool {
        let (Some(&own), Some(&next)) = (self.nodes.get(node), self.nodes.get(node + 1)) else {
            return false;
        };
        let bytes = own.bytes + next.bytes - FRAME_BYTES;
        if own.plain || next.plain || self.exceeds(own.count + next.count, bytes) {
            return false;
        }
        self.nodes[node] = Node { count: own.count + next.count, bytes, plain: false };
        self.nodes.remove(node + 1);
        true
    }

    /// The entry number `index` has been overwritten. `bytes_of` tells what entries took before.
    pub(crate) fn set(
        &mut self,
        index: usize,
        old_packed_bytes: usize,
        size: Size,
        bytes_of: impl FnOnce(Range<usize>) -> usize,
    ) {
        let (node, offset) = self.locate(index);
        match (self.nodes[node].plain, self.is_large(size)) {
            (false, false) => self.nodes[node].bytes += size.packed,
            (true, true) => return self.nodes[node].bytes = size.text,
            (true, false) => {
                if self.admits(node + 1, size) {
                    self.add(node + 1, size);
                } else {
                    self.nodes.insert(node + 1, self.single(size));
                }
                self.nodes.remove(node);
                return;
            }
            (false, true) => {
                if offset + 1 < self.nodes[node].count {
                    let start = index - offset;
                    self.split(node, offset + 1, bytes_of(start..index + 1));
                }
                self.nodes.insert(node + 1, self.single(size));
                self.remove_some(node, 1, old_packed_bytes);
                return;
            }
        }
        self.nodes[node].bytes -= old_packed_bytes;
    }

    /// Entries are about to be removed. `bytes_of` tells what entries take.
    pub(crate) fn remove(&mut self, range: Range<usize>, bytes_of: impl Fn(Range<usize>) -> usize) {
        if range.is_empty() {
            return;
        }
        let (mut node, offset) = self.locate(range.start);
        let mut start = range.start;
        let mut left = self.nodes[node].count - offset;
        while start < range.end {
            let count = left.min(range.end - start);
            // A node that goes altogether need not be measured.
            let bytes = if count == self.nodes[node].count { 0 } else { bytes_of(start..start + count) };
            if self.remove_some(node, count, bytes) {
                node += 1;
            }
            start += count;
            left = self.nodes.get(node).map_or(0, |node| node.count);
        }
    }

    /// Checks the invariants; for tests.
    pub(crate) fn check_invariants(&self, len: usize) {
        assert!(self.nodes.iter().all(|node| node.count > 0), "an empty node");
        assert_eq!(self.nodes.iter().map(|node| node.count).sum::<usize>(), len);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(seams: &Seams) -> Vec<usize> {
        seams.nodes.iter().map(|node| node.count).collect()
    }

    const SMALL: Size = Size { text: 1, packed: 3 };

    /// Entries of three bytes each, four to a node.
    fn of_nodes(nodes: usize) -> Seams {
        let mut seams = Seams::new(Limit::Entries(4), 0, 0);
        (0..4 * nodes).for_each(|_| seams.push(Side::Right, SMALL));
        seams
    }

    #[test]
    fn nodes_fill_up_at_both_ends() {
        let mut seams = Seams::new(Limit::Entries(4), 4, 12);
        seams.push(Side::Right, SMALL);
        seams.push(Side::Left, SMALL);
        assert_eq!(counts(&seams), [1, 4, 1]);
        seams.pop(Side::Left, 3);
        seams.remove(0..3, |range| range.len() * 3);
        assert_eq!(counts(&seams), [1, 1]);
        assert!(!seams.is_half(Limit::Entries(4)), "two entries in two nodes");
        seams.pop(Side::Right, 3);
        assert!(seams.is_half(Limit::Entries(4)));
    }

    #[test]
    fn an_insertion_splits_and_merges() {
        let bytes_of = |range: Range<usize>| range.len() * 3;
        let mut seams = of_nodes(3);
        seams.insert(5, Side::Right, SMALL, bytes_of);
        assert_eq!(counts(&seams), [4, 2, 3, 4]);
        seams.insert(0, Side::Left, SMALL, bytes_of);
        assert_eq!(counts(&seams), [1, 4, 2, 3, 4]);
        seams.insert(1, Side::Left, SMALL, bytes_of);
        assert_eq!(counts(&seams), [2, 4, 2, 3, 4], "the neighbour has room");
        seams.insert(4, Side::Left, SMALL, bytes_of);
        assert_eq!(counts(&seams), [2, 3, 4, 3, 4], "what is cut off joins the next node");
    }

    #[test]
    fn a_large_entry_has_a_node_of_its_own() {
        let bytes_of = |range: Range<usize>| range.len() * 3;
        let large = Size { text: 9000, packed: 9008 };
        let mut seams = of_nodes(1);
        seams.push(Side::Left, large);
        seams.set(2, 3, large, bytes_of);
        assert_eq!(counts(&seams), [1, 1, 1, 2]);
        seams.set(0, 9008, SMALL, bytes_of);
        assert_eq!(counts(&seams), [2, 1, 2], "what was large joins the next node");
        seams.remove(0..4, bytes_of);
        assert!(seams.is_half(Limit::Entries(2)));
        seams.pop(Side::Right, 3);
        seams.push(Side::Left, large);
        assert!(!seams.is_half(Limit::Entries(8)));
    }
}
