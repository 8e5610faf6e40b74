//! The entries of a stream, packed into nodes.
//!
//! Invariants: nodes are in the order of their ids; `len` and `list_bytes` agree with them; `first_id`
//! is the first entry's, or zero; no entry is after `last_id`.

use super::node::{Entry, Head, ITEM_OVERHEAD, NODE_OVERHEAD, Node};
use super::{StreamId, taken};
use crate::packed::{self, Malformed, Packed};
use std::collections::VecDeque;

/// When a node is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeLimits {
    /// Most bytes, zero for any number.
    pub bytes: usize,
    /// Most entries, deleted ones included; zero for any number.
    pub entries: usize,
}

/// The fields of an entry are longer than a node can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge;

/// What stays when a stream is trimmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// So many entries, the last ones.
    Len(u64),
    /// Entries from this id on.
    Id(StreamId),
}

/// How a stream is trimmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trim {
    /// What stays.
    pub bound: Bound,
    /// Whether only whole nodes go.
    pub approximate: bool,
    /// Most entries that go, zero for any number; no node goes of which only a part may.
    pub limit: u64,
}

/// The entries of a stream; see the module.
#[derive(Clone, Default)]
pub struct Entries {
    nodes: VecDeque<Node>,
    len: usize,
    /// What the nodes' lists take from the allocator, in bytes.
    list_bytes: usize,
    last_id: StreamId,
    first_id: StreamId,
    max_deleted_id: StreamId,
    added: u64,
}

impl Entries {
    /// The number of entries.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no entry.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What the entries take from the allocator, in bytes.
    #[inline]
    pub fn heap_bytes(&self) -> usize {
        self.list_bytes + taken(self.nodes.capacity() * size_of::<Node>())
    }

    /// The last id that was given to an entry.
    #[inline]
    pub fn last_id(&self) -> StreamId {
        self.last_id
    }

    /// The first entry's id, zero if there is none.
    pub fn first_id(&self) -> StreamId {
        self.first_id
    }

    /// The last of the ids that were deleted one by one.
    pub fn max_deleted_id(&self) -> StreamId {
        self.max_deleted_id
    }

    /// How many entries were ever added.
    pub fn added(&self) -> u64 {
        self.added
    }

    /// Says which id was given last; no entry is after it.
    pub fn set_last_id(&mut self, id: StreamId) {
        self.last_id = id;
    }

    /// Says which id was deleted last.
    pub fn set_max_deleted_id(&mut self, id: StreamId) {
        self.max_deleted_id = id;
    }

    /// Says how many entries were ever added.
    pub fn set_added(&mut self, added: u64) {
        self.added = added;
    }

    /// Adds an entry with an id after the last; `fields` are names and values by turns.
    ///
    /// # Errors
    /// [`TooLarge`], and nothing has changed.
    pub fn append<'a>(
        &mut self,
        id: StreamId,
        fields: impl Iterator<Item = &'a [u8]> + Clone,
        limits: NodeLimits,
    ) -> Result<(), TooLarge> {
        debug_assert!(id > self.last_id);
        let (items, bytes) =
            fields.clone().fold((0, 0), |(items, bytes), item| (items + 1, bytes + item.len()));
        let most = bytes + items * ITEM_OVERHEAD + NODE_OVERHEAD;
        if most > packed::MAX_BYTES {
            return Err(TooLarge);
        }
        // Where an id is given again, a node that it was given in before may be left, without entries.
        while let Some(node) = self.nodes.pop_back_if(|node| node.id >= id) {
            debug_assert_eq!(node.head().live, 0);
            self.list_bytes -= node.list.heap_bytes();
        }
        match self.nodes.back_mut().filter(|node| !is_full(node, bytes, most, limits)) {
            Some(node) => {
                let before = node.list.heap_bytes();
                node.append(id, fields);
                self.list_bytes = self.list_bytes - before + node.list.heap_bytes();
            }
            None => self.push(Node::new(id, fields)),
        }
        if self.len == 0 {
            self.first_id = id;
        }
        self.len += 1;
        self.last_id = id;
        self.added = self.added.wrapping_add(1);
        Ok(())
    }

    /// Deletes an entry; whether there was one with this id.
    pub fn delete(&mut self, id: StreamId) -> bool {
        let Some(index) = self.node_of(id) else { return false };
        let node = &mut self.nodes[index];
        let head = node.head();
        let Some(place) = node.find(&head, id) else { return false };
        if head.live == 1 {
            self.list_bytes -= node.list.heap_bytes();
            self.nodes.remove(index);
        } else {
            let before = node.list.heap_bytes();
            node.delete(&head, &place);
            self.list_bytes = self.list_bytes - before + node.list.heap_bytes();
        }
        self.len -= 1;
        self.max_deleted_id = self.max_deleted_id.max(id);
        if id == self.first_id {
            self.find_first();
        }
        true
    }

    /// Trims the stream; gives how many entries went.
    pub fn trim(&mut self, trim: &Trim) -> usize {
        let before = self.len;
        while let Some(node) = self.nodes.front_mut() {
            let head = node.head();
            let excess = match trim.bound {
                Bound::Len(len) if self.len as u64 <= len => break,
                Bound::Id(id) if node.id >= id => break,
                Bound::Len(len) => (self.len as u64 - len) as usize,
                Bound::Id(_) => head.live,
            };
            if trim.limit > 0 && (before - self.len + head.live) as u64 > trim.limit {
                break;
            }
            let whole = match trim.bound {
                Bound::Len(_) => head.live <= excess,
                Bound::Id(id) => node.last_id() < id,
            };
            if whole {
                self.list_bytes -= node.list.heap_bytes();
                self.nodes.pop_front();
                self.len -= head.live;
                continue;
            }
            if !trim.approximate {
                let bytes = node.list.heap_bytes();
                let mut left = excess;
                let deleted = node.delete_while(|own| match trim.bound {
                    Bound::Len(_) => left.checked_sub(1).is_some_and(|less| {
                        left = less;
                        true
                    }),
                    Bound::Id(id) => own < id,
                });
                self.len -= deleted;
                self.list_bytes = self.list_bytes - bytes + node.list.heap_bytes();
            }
            break;
        }
        if self.len != before {
            if self.nodes.len() < self.nodes.capacity() / 4 {
                self.nodes.shrink_to(2 * self.nodes.len());
            }
            self.find_first();
        }
        before - self.len
    }

    /// About how many nodes go when the stream is trimmed.
    pub fn nodes_to_trim(&self, bound: Bound) -> usize {
        match bound {
            Bound::Len(len) => (self.len as u64).saturating_sub(len) as usize / self.node_len(),
            Bound::Id(id) => self.nodes.partition_point(|node| node.id < id),
        }
    }

    /// About how many entries lie from one id to another, without counting them.
    pub fn about(&self, from: StreamId, to: StreamId) -> usize {
        match self.node_of(to) {
            Some(last) => (last + 1).saturating_sub(self.node_of(from).unwrap_or(0)) * self.node_len(),
            None => 0,
        }
    }

    /// How many entries a node holds on average.
    fn node_len(&self) -> usize {
        (self.len / self.nodes.len().max(1)).max(1)
    }

    fn find_first(&mut self) {
        self.first_id =
            self.range(StreamId::MIN, StreamId::MAX).next().map_or(StreamId::MIN, |entry| entry.id);
    }

    /// The entry of an id.
    pub fn get(&self, id: StreamId) -> Option<Entry<'_>> {
        self.range(id, id).next()
    }

    /// The last entry.
    pub fn last(&self) -> Option<Entry<'_>> {
        self.range_back(StreamId::MIN, StreamId::MAX).next()
    }

    /// Whether there is an entry after an id.
    #[inline]
    pub fn has_after(&self, id: StreamId) -> bool {
        self.last_id > id && self.last().is_some_and(|last| last.id > id)
    }

    /// The entries from one id to another, both included.
    pub fn range(&self, from: StreamId, to: StreamId) -> Range<'_> {
        let index = self.node_of(from).unwrap_or(0);
        let mut range = Range { nodes: &self.nodes, index, head: Head::default(), at: 0, from, to };
        range.enter(index);
        range
    }

    /// The entries from one id to another, both included, backwards.
    pub fn range_back(&self, from: StreamId, to: StreamId) -> RangeBack<'_> {
        let mut range = RangeBack { nodes: &self.nodes, left: 0, head: Head::default(), at: 0, from, to };
        range.enter(self.node_of(to).map_or(0, |index| index + 1));
        range
    }

    /// The node that an entry of this id is in, if it is in any.
    fn node_of(&self, id: StreamId) -> Option<usize> {
        self.nodes.partition_point(|node| node.id <= id).checked_sub(1)
    }

    /// Whether an entry was deleted that is not before an id, and not before the first one: the number of entries in
    /// between cannot be told from ids then.
    pub fn has_gap_from(&self, id: StreamId) -> bool {
        let last_gap = self.max_deleted_id;
        self.len > 0 && last_gap != StreamId::MIN && last_gap >= self.first_id && id <= last_gap
    }

    /// How many entries were ever added up to an id, as far as that can be told without counting.
    pub fn ordinal(&self, id: StreamId) -> Option<u64> {
        if self.added == 0 {
            return Some(0);
        }
        if id == self.last_id || self.len == 0 && id < self.last_id {
            return Some(self.added);
        }
        let is_whole = self.max_deleted_id == StreamId::MIN || self.max_deleted_id < self.first_id;
        if id > self.last_id || !is_whole || id > self.first_id {
            return None;
        }
        let before = self.added.wrapping_sub(self.len as u64);
        Some(before + u64::from(id == self.first_id))
    }

    /// The nodes: the id that others in it are stored as differences to, and the list; see `stream::node`.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = (StreamId, &Packed)> {
        self.nodes.iter().map(|node| (node.id, &node.list))
    }

    /// Adds a node that somebody has saved, after all others; the ids and counts of the stream are to be set after
    /// that.
    ///
    /// # Errors
    /// [`Malformed`] where the list is not a node's, or its entries are not after all others.
    pub fn push_node(&mut self, id: StreamId, list: Packed) -> Result<(), Malformed> {
        let node = Node::from_list(id, list)?;
        if self.nodes.back().is_some_and(|last| last.id >= id)
            || self.last().is_some_and(|last| last.id >= id)
        {
            return Err(Malformed { offset: 0 });
        }
        self.len += node.head().live;
        self.push(node);
        self.last_id = self.last().map_or(self.last_id, |last| last.id);
        self.find_first();
        Ok(())
    }

    fn push(&mut self, node: Node) {
        self.list_bytes += node.list.heap_bytes();
        if self.nodes.len() == self.nodes.capacity() {
            self.nodes.reserve_exact(self.nodes.len() / 2 + 1);
        }
        self.nodes.push_back(node);
    }

    /// The number of nodes that a radix tree over the nodes' ids, as sixteen bytes, would have: a real server's index
    /// is one, and it shows that number.
    pub fn radix_nodes(&self) -> usize {
        let Some(first) = self.nodes.front() else { return 1 };
        // A key ends in a leaf, and is led to it by a node that holds all bytes after the last one that it shares.
        // Wherever keys part there is a node, and one before it that holds the bytes since they last parted.
        let mut count = 0;
        let mut partings = arrayvec::ArrayVec::<u32, 16>::new();
        let mut close = |partings: &mut arrayvec::ArrayVec<u32, 16>, down_to: Option<u32>| {
            while let Some(depth) = partings.pop() {
                if down_to.is_some_and(|down_to| depth <= down_to) {
                    partings.push(depth);
                    break;
                }
                let outer = partings.last().copied().max(down_to);
                count += 1 + usize::from(depth > outer.map_or(0, |outer| outer + 1));
            }
        };
        let mut last = first.id;
        let mut shared_before = None;
        let mut leaves = 0;
        for node in self.nodes.iter().skip(1) {
            let shared = shared_bytes(last, node.id);
            leaves += 1 + usize::from(shared_before.max(Some(shared)) < Some(15));
            close(&mut partings, Some(shared));
            if partings.last() != Some(&shared) {
                partings.push(shared);
            }
            (last, shared_before) = (node.id, Some(shared));
        }
        leaves += 1 + usize::from(shared_before < Some(15));
        close(&mut partings, None);
        leaves + count
    }

    /// Checks the invariants; for tests.
    pub fn check_invariants(&self) {
        let (mut len, mut list_bytes) = (0, 0);
        for node in &self.nodes {
            node.check_invariants();
            len += node.head().live;
            list_bytes += node.list.heap_bytes();
        }
        assert_eq!((len, list_bytes), (self.len, self.list_bytes));
        assert!(self.nodes.iter().is_sorted_by(|a, b| a.id < b.id));
        let ids: Vec<StreamId> = self.range(StreamId::MIN, StreamId::MAX).map(|entry| entry.id).collect();
        assert!(ids.len() == len && ids.is_sorted_by(|a, b| a < b));
        assert!(ids.last().is_none_or(|&last| last <= self.last_id));
        assert_eq!(ids.first().copied().unwrap_or(StreamId::MIN), self.first_id);
    }
}

/// Whether an entry whose names and values have so many bytes, and which takes at most so many, belongs into a new node.
fn is_full(node: &Node, bytes: usize, most: usize, limits: NodeLimits) -> bool {
    let total = node.list.total();
    let max = if limits.bytes == 0 { packed::MAX_BYTES } else { limits.bytes };
    if total + bytes >= max || total + most > packed::MAX_BYTES {
        return true;
    }
    let head = node.head();
    limits.entries > 0 && head.live + head.deleted >= limits.entries
}

/// The number of bytes that two different ids begin with alike, as big-endian numbers.
fn shared_bytes(a: StreamId, b: StreamId) -> u32 {
    let bits =
        if a.ms == b.ms { 64 + (a.seq ^ b.seq).leading_zeros() } else { (a.ms ^ b.ms).leading_zeros() };
    bits / 8
}

/// Entries in order.
#[derive(Clone)]
pub struct Range<'a> {
    nodes: &'a VecDeque<Node>,
    /// Number of the node that is being read.
    index: usize,
    head: Head,
    /// Where the next entry is.
    at: usize,
    from: StreamId,
    to: StreamId,
}

impl Range<'_> {
    fn enter(&mut self, index: usize) {
        self.index = index;
        if let Some(node) = self.nodes.get(index) {
            self.head = node.head();
            self.at = self.head.start;
        }
    }
}

impl<'a> Iterator for Range<'a> {
    type Item = Entry<'a>;

    #[inline]
    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            let node = self.nodes.get(self.index)?;
            if self.at == node.list.end() {
                self.enter(self.index + 1);
                continue;
            }
            let place = node.place(&self.head, self.at);
            self.at = place.after;
            if place.is_deleted() || place.id < self.from {
                continue;
            }
            if place.id > self.to {
                self.index = self.nodes.len();
                return None;
            }
            return Some(node.entry(&self.head, &place));
        }
    }
}

/// Entries backwards.
#[derive(Clone)]
pub struct RangeBack<'a> {
    nodes: &'a VecDeque<Node>,
    /// The number of nodes left, with the one that is being read.
    left: usize,
    head: Head,
    /// The end of the next entry.
    at: usize,
    from: StreamId,
    to: StreamId,
}

impl RangeBack<'_> {
    fn enter(&mut self, left: usize) {
        self.left = left;
        if let Some(node) = left.checked_sub(1).and_then(|index| self.nodes.get(index)) {
            self.head = node.head();
            self.at = node.list.end();
        }
    }
}

impl<'a> Iterator for RangeBack<'a> {
    type Item = Entry<'a>;

    #[inline]
    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            let node = self.nodes.get(self.left.checked_sub(1)?)?;
            if self.at == self.head.start {
                self.enter(self.left - 1);
                continue;
            }
            let place = node.place_before(&self.head, self.at);
            // The end of the entry before is where this one begins.
            self.at = place.start();
            if place.is_deleted() || place.id > self.to {
                continue;
            }
            if place.id < self.from {
                self.left = 0;
                return None;
            }
            return Some(node.entry(&self.head, &place));
        }
    }
}
