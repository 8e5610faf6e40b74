//! A list: one packed list while it is small, a chain of them from then on.
//!
//! Nodes of the chain are kept to two kilobytes, so that pushing at the front moves little, and their entry counts
//! stand beside their pointers, so that finding an index does not touch the nodes passed over.
//!
//! What `OBJECT ENCODING` says is another matter: it follows the limits of the release (see [`Limit`]), and is
//! remembered in [`Chain::wide`], since a list that has shrunk again may still be reported as before. When it is no
//! longer, depends on nodes that Redis would have (see [`crate::seams`]).
//!
//! Invariants: no node is empty; `len`, `entry_bytes` and `heap_bytes` are the sums over the nodes; a list that is not
//! wide has no seams.

#![allow(unsafe_code)]

use crate::block;
use crate::entry::{Kind, Object};
use crate::packed::{self, Item, Packed};
use crate::seams::{Seams, Size};
use crate::thin::ThinEnum;
use std::collections::VecDeque;
use std::ops::Range;
use std::ptr::NonNull;

/// Largest node of a chain, in bytes, unless a single entry is larger.
const NODE_BYTES: usize = 2048;
/// What an empty packed list takes, in bytes.
const EMPTY_BYTES: usize = 7;

/// One of the two ends of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The head.
    Left,
    /// The tail.
    Right,
}

/// From when on a list is no longer reported as small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// More bytes, as one packed list, than this.
    Bytes(usize),
    /// More entries than this.
    Entries(usize),
    /// More entries than `entries`, or one longer than `value` bytes.
    EntriesAndValue {
        /// Most entries.
        entries: usize,
        /// Longest entry, in bytes.
        value: usize,
    },
}

/// What is about to be added to a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Growth {
    /// Entries.
    pub entries: usize,
    /// Their bytes, without what storing them takes.
    pub bytes: usize,
    /// The longest of them, in bytes.
    pub longest: usize,
}

impl Growth {
    /// By these entries.
    #[inline]
    pub fn of<'a>(entries: impl Iterator<Item = &'a [u8]>) -> Self {
        entries.fold(Growth::default(), |sum, entry| Growth {
            entries: sum.entries + 1,
            bytes: sum.bytes + entry.len(),
            longest: sum.longest.max(entry.len()),
        })
    }
}

/// A list; see the module.
pub enum List {
    /// All entries in one allocation.
    Packed(Packed),
    /// A chain of packed lists.
    Chain(Box<Chain>),
}

/// A chain of packed lists.
pub struct Chain {
    nodes: VecDeque<Node>,
    len: usize,
    /// Bytes of all entries, headers of the nodes not counted.
    entry_bytes: usize,
    /// What the nodes take from the allocator, in bytes.
    heap_bytes: usize,
    /// Whether the list has outgrown what its release reports as small.
    wide: bool,
    /// The nodes that Redis would have, if the list is wide and its release has nodes.
    seams: Option<Box<Seams>>,
}

struct Node {
    list: Packed,
    count: u32,
}

// SAFETY: both variants are pointers to blocks aligned to eight bytes or more; tags are 0 and 1.
unsafe impl ThinEnum for List {
    #[inline]
    fn into_raw(self) -> (NonNull<u8>, usize) {
        match self {
            List::Packed(list) => (packed::into_block(list), 0),
            List::Chain(chain) => (NonNull::from(Box::leak(chain)).cast(), 1),
        }
    }

    #[inline]
    unsafe fn from_raw(pointer: NonNull<u8>, tag: usize) -> Self {
        // SAFETY: the pair came from `into_raw`.
        unsafe {
            match tag {
                0 => List::Packed(packed::from_block(pointer)),
                _ => List::Chain(Box::from_raw(pointer.cast().as_ptr())),
            }
        }
    }
}

// SAFETY: `Kind::List` is its own kind.
unsafe impl Object for List {
    const KIND: Kind = Kind::List;

    fn empty() -> Self {
        List::Packed(Packed::new())
    }

    #[inline]
    fn is_empty(&self) -> bool {
        match self {
            List::Packed(list) => list.is_empty(),
            List::Chain(chain) => chain.len == 0,
        }
    }

    #[inline]
    fn heap_bytes(&self) -> usize {
        match self {
            List::Packed(list) => list.heap_bytes(),
            List::Chain(chain) => {
                block::class(size_of::<Chain>())
                    + block::class(chain.nodes.capacity() * size_of::<Node>())
                    + chain.heap_bytes
                    + chain.seams.as_ref().map_or(0, |seams| seams.heap_bytes())
            }
        }
    }
}

impl List {
    /// The number of entries.
    #[inline]
    pub fn len(&self) -> usize {
        match self {
            List::Packed(list) => list.count(),
            List::Chain(chain) => chain.len,
        }
    }

    /// Whether the list has outgrown what is reported as small: see [`List::widen`].
    pub fn is_wide(&self) -> bool {
        matches!(self, List::Chain(chain) if chain.wide)
    }

    /// Takes note that the list has grown, the longest new entry by `longest` bytes: beyond `limit` it counts as wide.
    #[inline]
    pub fn widen(&mut self, limit: Limit, longest: usize) {
        if self.is_wide() || self.fits(limit, longest) {
            return;
        }
        let mut seams = Seams::new(limit, 0, 0);
        if limit.has_nodes() {
            self.iter().for_each(|item| {
                seams.push(Side::Right, Size { text: item.len(), packed: Packed::item_bytes(item) });
            });
        }
        let chain = self.chain();
        chain.wide = true;
        chain.seams = limit.has_nodes().then(|| Box::new(seams));
    }

    /// Does something that may add entries, and takes note of the list's size: it counts as wide from then on if it
    /// outgrows the limit. With the limits of bytes and entries it is the size before that counts, and what is to be
    /// added as the client wrote it, whether or not it is added in the end; so do the releases that have them.
    #[inline]
    pub fn grow<R>(&mut self, limit: Limit, growth: Growth, add: impl FnOnce(&mut List) -> R) -> R {
        if self.is_wide() {
            return add(self);
        }
        if let Limit::EntriesAndValue { .. } = limit {
            let added = add(self);
            self.widen(limit, growth.longest);
            return added;
        }
        let (entry_bytes, len) = match self {
            List::Packed(list) => (list.total() - EMPTY_BYTES, list.count()),
            List::Chain(chain) => (chain.entry_bytes, chain.len),
        };
        if !List::fits_in(limit, entry_bytes + growth.bytes, len + growth.entries, growth.longest) {
            let chain = self.chain();
            chain.wide = true;
            chain.seams = Some(Box::new(Seams::new(limit, len, entry_bytes)));
        }
        add(self)
    }

    /// Takes note that the list has shrunk: at half the limit, and if Redis would have but one node left, it counts as
    /// small again. The releases that limit the length of values never go back.
    pub fn narrow(&mut self, limit: Limit) {
        if let List::Chain(chain) = self
            && chain.seams.as_ref().is_some_and(|seams| seams.is_half(limit))
        {
            chain.wide = false;
            chain.seams = None;
        }
    }

    /// The number of nodes that Redis would have.
    pub fn redis_nodes(&self) -> usize {
        match self {
            List::Packed(_) => 1,
            List::Chain(chain) => chain.seams.as_ref().map_or(1, |seams| seams.len()),
        }
    }

    fn fits(&self, limit: Limit, longest: usize) -> bool {
        match self {
            List::Packed(list) => List::fits_in(limit, list.total() - EMPTY_BYTES, list.count(), longest),
            List::Chain(chain) => List::fits_in(limit, chain.entry_bytes, chain.len, longest),
        }
    }

    fn fits_in(limit: Limit, entry_bytes: usize, len: usize, longest: usize) -> bool {
        match limit {
            Limit::Bytes(bytes) => EMPTY_BYTES + entry_bytes <= bytes,
            Limit::Entries(entries) => len <= entries && EMPTY_BYTES + entry_bytes <= 8192,
            Limit::EntriesAndValue { entries, value } => len <= entries && longest <= value,
        }
    }

    /// Adds an entry at one end.
    #[inline]
    pub fn push(&mut self, side: Side, bytes: &[u8]) {
        if let List::Packed(list) = self {
            if list.total() + bytes.len() + 10 <= NODE_BYTES || list.is_empty() {
                let at = if side == Side::Left { list.start() } else { list.end() };
                list.insert(at, bytes);
                return;
            }
            self.chain();
        }
        let List::Chain(chain) = self else { unreachable!("it has just been made a chain") };
        chain.push(side, bytes);
    }

    /// Removes the entry at one end and gives what `take` makes of it.
    #[inline]
    pub fn pop<R>(&mut self, side: Side, take: impl FnOnce(Item<'_>) -> R) -> Option<R> {
        match self {
            List::Packed(list) => pop_packed(list, side, take),
            List::Chain(chain) => {
                let last = chain.nodes.len().checked_sub(1)?;
                let index = if side == Side::Left { 0 } else { last };
                let before = chain.entry_bytes;
                let taken = chain.change(index, |list| pop_packed(list, side, take));
                if let Some(seams) = &mut chain.seams {
                    seams.pop(side, before - chain.entry_bytes);
                }
                chain.tidy(index);
                taken
            }
        }
    }

    /// The entry number `index`, from zero.
    pub fn get(&self, index: usize) -> Option<Item<'_>> {
        match self {
            List::Packed(list) => {
                let at = list.seek(index);
                (at < list.end()).then(|| list.get(at))
            }
            List::Chain(chain) => {
                let (node, offset) = chain.locate(index)?;
                let list = &chain.nodes[node].list;
                Some(list.get(list.seek(offset)))
            }
        }
    }

    /// Overwrites the entry number `index`; whether there is one.
    pub fn set(&mut self, index: usize, bytes: &[u8]) -> bool {
        if index >= self.len() {
            return false;
        }
        if let List::Packed(list) = self {
            if list.total() + bytes.len() + 10 <= NODE_BYTES {
                list.replace(list.seek(index), bytes);
                return true;
            }
            self.chain();
        }
        let List::Chain(chain) = self else { unreachable!("it has just been made a chain") };
        chain.set(index, bytes)
    }

    /// Puts an entry beside the one number `index`, towards one end; at the tail if there is no such entry.
    pub fn insert(&mut self, index: usize, side: Side, bytes: &[u8]) {
        if index >= self.len() {
            return self.push(Side::Right, bytes);
        }
        if let List::Packed(list) = self {
            if list.total() + bytes.len() + 10 <= NODE_BYTES {
                list.insert(list.seek(index + usize::from(side == Side::Right)), bytes);
                return;
            }
            self.chain();
        }
        let List::Chain(chain) = self else { unreachable!("it has just been made a chain") };
        chain.insert(index, side, bytes);
    }

    /// Removes entries `from..to`.
    pub fn remove_range(&mut self, from: usize, to: usize) {
        let to = to.min(self.len());
        if from >= to {
            return;
        }
        match self {
            List::Packed(list) => {
                list.remove(list.seek(from), to - from);
            }
            List::Chain(chain) => chain.remove_range(from, to),
        }
    }

    /// Removes up to `most` entries that stand for `bytes`, coming from one end; gives how many.
    pub fn remove_equal(&mut self, side: Side, most: usize, bytes: &[u8]) -> usize {
        match self {
            List::Packed(list) => remove_equal_packed(list, side, most, bytes),
            List::Chain(chain) => {
                let mut removed = 0;
                chain.forget_seams_of_equal(side, most, bytes);
                let count = chain.nodes.len();
                for step in 0..count {
                    // Emptied nodes are dropped afterwards, so numbers stay.
                    let node = if side == Side::Left { step } else { count - 1 - step };
                    removed +=
                        chain.change(node, |list| remove_equal_packed(list, side, most - removed, bytes));
                    if removed == most {
                        break;
                    }
                }
                chain.drop_empty();
                removed
            }
        }
    }

    /// The entries from number `from` on towards the tail.
    pub fn iter_from(&self, from: usize) -> Iter<'_> {
        match self {
            List::Packed(list) => {
                Iter { current: list.iter_at(list.seek(from)), front: [].iter(), back: [].iter() }
            }
            List::Chain(chain) => {
                let Some((node, offset)) = chain.locate(from) else {
                    return Iter { current: packed::Iter::default(), front: [].iter(), back: [].iter() };
                };
                let (front, back) = chain.nodes.as_slices();
                let (front, back) = match node.checked_sub(front.len()) {
                    None => (&front[node + 1..], back),
                    Some(node) => (&[][..], &back[node + 1..]),
                };
                let list = &chain.nodes[node].list;
                Iter { current: list.iter_at(list.seek(offset)), front: front.iter(), back: back.iter() }
            }
        }
    }

    /// The entries from number `from` on towards the head.
    pub fn iter_back_from(&self, from: usize) -> IterBack<'_> {
        match self {
            List::Packed(list) => {
                let at = list.seek(from);
                let at = if at < list.end() { list.next(at) } else { at };
                IterBack { current: Some((list, at)), chain: None, node: 0 }
            }
            List::Chain(chain) => match chain.locate(from) {
                Some((node, position)) => {
                    let list = &chain.nodes[node].list;
                    IterBack {
                        current: Some((list, list.next(list.seek(position)))),
                        chain: Some(chain),
                        node,
                    }
                }
                None => IterBack { current: None, chain: None, node: 0 },
            },
        }
    }

    /// The entries in order.
    pub fn iter(&self) -> Iter<'_> {
        self.iter_from(0)
    }

    /// The packed lists that make up this list, in order.
    pub fn nodes(&self) -> impl Iterator<Item = &Packed> {
        let (one, chain) = match self {
            List::Packed(list) => (Some(list), None),
            List::Chain(chain) => (None, Some(chain)),
        };
        one.into_iter().chain(chain.into_iter().flat_map(|chain| chain.nodes.iter().map(|node| &node.list)))
    }

    /// Makes this a chain, if it is not one yet.
    fn chain(&mut self) -> &mut Chain {
        if let List::Packed(list) = self {
            let list = std::mem::take(list);
            let mut chain = Chain {
                nodes: VecDeque::new(),
                len: 0,
                entry_bytes: 0,
                heap_bytes: 0,
                wide: false,
                seams: None,
            };
            if !list.is_empty() {
                chain.insert_node(0, list);
            }
            *self = List::Chain(Box::new(chain));
        }
        let List::Chain(chain) = self else { unreachable!("it has just been made a chain") };
        chain
    }

    /// Checks the invariants; for tests.
    pub fn check_invariants(&self) {
        match self {
            List::Packed(list) => list.check_invariants(),
            List::Chain(chain) => {
                let (mut len, mut entry_bytes, mut heap_bytes) = (0, 0, 0);
                for node in &chain.nodes {
                    node.list.check_invariants();
                    assert_eq!(node.list.count(), node.count as usize);
                    assert!(node.count > 0, "an empty node");
                    assert!(
                        node.list.total() <= NODE_BYTES || node.count == 1,
                        "a large node of many entries"
                    );
                    len += node.count as usize;
                    entry_bytes += node.list.total() - EMPTY_BYTES;
                    heap_bytes += node.list.heap_bytes();
                }
                assert_eq!((len, entry_bytes, heap_bytes), (chain.len, chain.entry_bytes, chain.heap_bytes));
                if let Some(seams) = &chain.seams {
                    assert!(chain.wide, "a small list with seams");
                    seams.check_invariants(len);
                }
            }
        }
    }
}

impl Clone for List {
    fn clone(&self) -> Self {
        match self {
            List::Packed(list) => List::Packed(list.clone()),
            List::Chain(chain) => List::Chain(Box::new(Chain {
                nodes: chain
                    .nodes
                    .iter()
                    .map(|node| Node { list: node.list.clone(), count: node.count })
                    .collect(),
                len: chain.len,
                entry_bytes: chain.entry_bytes,
                heap_bytes: chain.heap_bytes,
                wide: chain.wide,
                seams: chain.seams.clone(),
            })),
        }
    }
}

fn pop_packed<R>(list: &mut Packed, side: Side, take: impl FnOnce(Item<'_>) -> R) -> Option<R> {
    let at = match side {
        Side::Left if list.is_empty() => return None,
        Side::Left => list.start(),
        Side::Right => list.prev(list.end())?,
    };
    let taken = take(list.get(at));
    list.remove(at, 1);
    Some(taken)
}

fn remove_equal_packed(list: &mut Packed, side: Side, most: usize, bytes: &[u8]) -> usize {
    let wanted = Item::of(bytes);
    let mut removed = 0;
    let mut at = if side == Side::Left { Some(list.start()) } else { list.prev(list.end()) };
    while let Some(here) = at
        && here < list.end()
        && removed < most
    {
        let equal = list.get(here) == wanted;
        if equal {
            list.remove(here, 1);
            removed += 1;
        }
        at = match side {
            Side::Left if equal => Some(here),
            Side::Left => Some(list.next(here)),
            Side::Right => list.prev(here),
        };
    }
    removed
}

impl Limit {
    /// Whether the releases with this limit keep long lists in nodes.
    fn has_nodes(self) -> bool {
        !matches!(self, Limit::EntriesAndValue { .. })
    }
}

impl Chain {
    fn push(&mut self, side: Side, bytes: &[u8]) {
        let before = self.entry_bytes;
        self.push_unseen(side, bytes);
        if let Some(seams) = &mut self.seams {
            seams.push(side, Size { text: bytes.len(), packed: self.entry_bytes - before });
        }
    }

    #[inline]
    fn push_unseen(&mut self, side: Side, bytes: &[u8]) {
        let end = match side {
            Side::Left => 0,
            Side::Right => self.nodes.len().saturating_sub(1),
        };
        // An entry takes at most ten bytes beside its own.
        match self.nodes.get(end) {
            Some(node) if node.list.total() + bytes.len() + 10 <= NODE_BYTES => {
                self.change(end, |list| {
                    let at = if side == Side::Left { list.start() } else { list.end() };
                    list.insert(at, bytes)
                });
            }
            _ => {
                let mut list = Packed::new();
                list.push(bytes);
                let at = if side == Side::Left { 0 } else { self.nodes.len() };
                self.insert_node(at, list);
            }
        }
    }

    /// Changes a node and keeps the sums; the node may be empty afterwards.
    #[inline]
    fn change<R>(&mut self, node: usize, change: impl FnOnce(&mut Packed) -> R) -> R {
        let node = &mut self.nodes[node];
        let (heap_bytes, total) = (node.list.heap_bytes(), node.list.total());
        let result = change(&mut node.list);
        let count = node.list.count() as u32;
        self.heap_bytes = self.heap_bytes - heap_bytes + node.list.heap_bytes();
        self.entry_bytes = self.entry_bytes + node.list.total() - total;
        self.len = self.len - node.count as usize + count as usize;
        node.count = count;
        result
    }

    fn set(&mut self, index: usize, bytes: &[u8]) -> bool {
        let Some((node, offset)) = self.locate(index) else { return false };
        let list = &self.nodes[node].list;
        let at = list.seek(offset);
        let old_bytes = list.next(at) - at;
        if let Some(mut seams) = self.seams.take() {
            let size = Size { text: bytes.len(), packed: Packed::entry_bytes(bytes) };
            seams.set(index, old_bytes, size, |range| self.bytes_of(range));
            self.seams = Some(seams);
        }
        self.change(node, |list| list.replace(at, bytes));
        self.split_if_large(node);
        true
    }

    fn insert(&mut self, index: usize, side: Side, bytes: &[u8]) {
        let Some((node, offset)) = self.locate(index) else { return };
        if let Some(mut seams) = self.seams.take() {
            let size = Size { text: bytes.len(), packed: Packed::entry_bytes(bytes) };
            seams.insert(index, side, size, |range| self.bytes_of(range));
            self.seams = Some(seams);
        }
        let offset = offset + usize::from(side == Side::Right);
        self.change(node, |list| list.insert(list.seek(offset), bytes));
        self.split_if_large(node);
    }

    /// What the entries `range` take, in bytes.
    fn bytes_of(&self, range: Range<usize>) -> usize {
        let Some((mut node, mut offset)) = self.locate(range.start) else { return 0 };
        let mut left = range.len();
        let mut bytes = 0;
        while left > 0 {
            let Node { list, count } = &self.nodes[node];
            let here = left.min(*count as usize - offset);
            bytes += list.seek(offset + here) - list.seek(offset);
            (node, offset, left) = (node + 1, 0, left - here);
        }
        bytes
    }

    /// Tells the seams which entries are about to be removed by [`List::remove_equal`].
    fn forget_seams_of_equal(&mut self, side: Side, most: usize, bytes: &[u8]) {
        let Some(mut seams) = self.seams.take() else { return };
        let wanted = Item::of(bytes);
        let entries = self.nodes.iter().flat_map(|node| node.list.iter()).enumerate();
        let equal = entries.filter(|(_, item)| *item == wanted).map(|(index, _)| index);
        let mut indices: Vec<usize> =
            equal.take(if side == Side::Left { most } else { usize::MAX }).collect();
        indices.drain(..indices.len().saturating_sub(most));
        let packed_bytes = Packed::entry_bytes(bytes);
        // From the tail on, so that what is still to come keeps its number.
        for index in indices.into_iter().rev() {
            seams.remove(index..index + 1, |_| packed_bytes);
        }
        self.seams = Some(seams);
    }

    fn insert_node(&mut self, at: usize, list: Packed) {
        let count = list.count();
        self.heap_bytes += list.heap_bytes();
        self.entry_bytes += list.total() - EMPTY_BYTES;
        self.len += count;
        self.nodes.insert(at, Node { list, count: count as u32 });
    }

    fn remove_node(&mut self, at: usize) {
        if let Some(node) = self.nodes.remove(at) {
            self.heap_bytes -= node.list.heap_bytes();
            self.entry_bytes -= node.list.total() - EMPTY_BYTES;
            self.len -= node.count as usize;
        }
        if self.nodes.capacity() > 32 && self.nodes.len() < self.nodes.capacity() / 4 {
            self.nodes.shrink_to(self.nodes.len() * 2);
        }
    }

    /// Which node holds the entry number `index`, and as which of its own.
    fn locate(&self, index: usize) -> Option<(usize, usize)> {
        if index >= self.len {
            return None;
        }
        if index < self.len / 2 {
            let mut rest = index;
            for (number, node) in self.nodes.iter().enumerate() {
                match rest.checked_sub(node.count as usize) {
                    Some(less) => rest = less,
                    None => return Some((number, rest)),
                }
            }
        } else {
            let mut rest = self.len - index;
            for (number, node) in self.nodes.iter().enumerate().rev() {
                match rest.checked_sub(node.count as usize) {
                    Some(less) if less > 0 => rest = less,
                    _ => return Some((number, node.count as usize - rest)),
                }
            }
        }
        None
    }

    /// Splits a node that has become too large, until all parts are small or single entries.
    fn split_if_large(&mut self, node: usize) {
        let mut node = node;
        while self.nodes[node].list.total() > NODE_BYTES && self.nodes[node].count > 1 {
            // In the middle by bytes, so that at most one part is still large: it holds the large entry.
            let list = &self.nodes[node].list;
            let middle = list.total() / 2;
            let mut at = list.next(list.start());
            while at < middle && list.next(at) < list.end() {
                at = list.next(at);
            }
            let tail = self.change(node, |list| list.split_off(at));
            self.insert_node(node + 1, tail);
            if self.nodes[node].list.total() <= NODE_BYTES || self.nodes[node].count == 1 {
                node += 1;
            }
        }
    }

    /// Drops a node if it is empty, or joins it with its neighbour if both are far from full.
    fn tidy(&mut self, node: usize) {
        if self.nodes[node].count == 0 {
            self.remove_node(node);
        } else if self.nodes[node].list.total() < NODE_BYTES / 4
            && let Some(next) = self.nodes.get(node + 1)
            && next.list.total() < NODE_BYTES / 4
        {
            let next = self.nodes[node + 1].list.clone();
            self.remove_node(node + 1);
            self.change(node, |list| list.append(&next));
        }
    }

    fn drop_empty(&mut self) {
        for node in (0..self.nodes.len()).rev() {
            if self.nodes[node].count == 0 {
                self.remove_node(node);
            }
        }
    }

    fn remove_range(&mut self, from: usize, to: usize) {
        let Some((mut node, offset)) = self.locate(from) else { return };
        if let Some(mut seams) = self.seams.take() {
            seams.remove(from..to, |range| self.bytes_of(range));
            self.seams = Some(seams);
        }
        let mut rest = to - from;
        let mut offset = offset;
        while rest > 0 && node < self.nodes.len() {
            let here = (self.nodes[node].count as usize - offset).min(rest);
            if here == self.nodes[node].count as usize {
                self.remove_node(node);
            } else {
                self.change(node, |list| list.remove(list.seek(offset), here));
                node += 1;
            }
            rest -= here;
            offset = 0;
        }
        if let Some(last) = self.nodes.len().checked_sub(1) {
            self.tidy(node.min(last));
        }
    }
}

/// The entries of a list towards the tail.
pub struct Iter<'a> {
    current: packed::Iter<'a>,
    front: std::slice::Iter<'a, Node>,
    back: std::slice::Iter<'a, Node>,
}

impl<'a> Iterator for Iter<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        loop {
            if let Some(item) = self.current.next() {
                return Some(item);
            }
            // No node is empty, so this goes round once.
            self.current = self.front.next().or_else(|| self.back.next())?.list.iter();
        }
    }
}

/// The entries of a list towards the head.
pub struct IterBack<'a> {
    /// A node and the position after the next entry to give.
    current: Option<(&'a Packed, usize)>,
    chain: Option<&'a Chain>,
    node: usize,
}

impl<'a> Iterator for IterBack<'a> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Item<'a>> {
        loop {
            let (list, at) = self.current?;
            if let Some(before) = list.prev(at) {
                self.current = Some((list, before));
                return Some(list.get(before));
            }
            self.current = match self.chain {
                Some(chain) if self.node > 0 => {
                    self.node -= 1;
                    let list = &chain.nodes[self.node].list;
                    Some((list, list.end()))
                }
                _ => None,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes_of(list: &List) -> Vec<Vec<u8>> {
        list.iter().map(|item| item.to_bytes().into_owned()).collect()
    }

    #[derive(Clone, Debug)]
    enum Step {
        Push(bool, Vec<u8>),
        PushMany(bool, usize),
        Pop(bool),
        Insert(usize, bool, Vec<u8>),
        Set(usize, Vec<u8>),
        RemoveRange(usize, usize),
        RemoveEqual(bool, usize, Vec<u8>),
    }

    fn entry() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            4 => (0u8..6).prop_map(|value| vec![b'a' + value; 3]),
            2 => any::<i64>().prop_map(|value| value.to_string().into_bytes()),
            1 => (0usize..6000).prop_map(|len| vec![b'z'; len]),
        ]
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (any::<bool>(), entry()).prop_map(|(left, entry)| Step::Push(left, entry)),
            2 => (any::<bool>(), 0usize..400).prop_map(|(left, many)| Step::PushMany(left, many)),
            2 => any::<bool>().prop_map(Step::Pop),
            2 => (any::<usize>(), any::<bool>(), entry()).prop_map(|(at, left, entry)| Step::Insert(at, left, entry)),
            2 => (any::<usize>(), entry()).prop_map(|(at, entry)| Step::Set(at, entry)),
            1 => (any::<usize>(), 0usize..300).prop_map(|(at, many)| Step::RemoveRange(at, many)),
            1 => (any::<bool>(), 1usize..50, entry()).prop_map(|(left, most, entry)| Step::RemoveEqual(left, most, entry)),
        ]
    }

    fn side(left: bool) -> Side {
        if left { Side::Left } else { Side::Right }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 3 } else { 150 }))]
        #[test]
        fn behaves_as_a_deque(steps in prop::collection::vec(step(), 1..80), probe: usize, wide: bool) {
            let mut list = List::empty();
            if wide {
                list.grow(Limit::Entries(0), Growth { entries: 1, ..Growth::default() }, |_| ());
            }
            let mut model: VecDeque<Vec<u8>> = VecDeque::new();
            for step in steps {
                match step {
                    Step::Push(left, entry) => {
                        list.push(side(left), &entry);
                        if left { model.push_front(entry) } else { model.push_back(entry) }
                    }
                    Step::PushMany(left, many) => {
                        for number in 0..many {
                            let entry = format!("entry {number}").into_bytes();
                            list.push(side(left), &entry);
                            if left { model.push_front(entry) } else { model.push_back(entry) }
                        }
                    }
                    Step::Pop(left) => {
                        let popped = list.pop(side(left), |item| item.to_bytes().into_owned());
                        prop_assert_eq!(popped, if left { model.pop_front() } else { model.pop_back() });
                    }
                    Step::Insert(at, left, entry) => {
                        let at = at % (model.len() + 1);
                        list.insert(at, side(left), &entry);
                        model.insert((at + usize::from(!left)).min(model.len()), entry);
                    }
                    Step::Set(at, entry) => {
                        let at = at % (model.len() + 1);
                        prop_assert_eq!(list.set(at, &entry), at < model.len());
                        if let Some(own) = model.get_mut(at) {
                            *own = entry;
                        }
                    }
                    Step::RemoveRange(at, many) => {
                        let from = at % (model.len() + 1);
                        let to = (from + many).min(model.len());
                        list.remove_range(from, from + many);
                        model.drain(from..to);
                    }
                    Step::RemoveEqual(left, most, entry) => {
                        let mut indices: Vec<usize> =
                            (0..model.len()).filter(|&index| model[index] == entry).collect();
                        if !left {
                            indices.reverse();
                        }
                        indices.truncate(most);
                        prop_assert_eq!(list.remove_equal(side(left), most, &entry), indices.len());
                        indices.sort_unstable_by(|a, b| b.cmp(a));
                        for index in indices {
                            model.remove(index);
                        }
                    }
                }
                list.check_invariants();
                prop_assert_eq!(list.len(), model.len());
                prop_assert_eq!(Object::is_empty(&list), model.is_empty());
                let at = probe % (model.len() + 1);
                prop_assert_eq!(list.get(at).map(|item| item.to_bytes().into_owned()), model.get(at).cloned());
                let tail: Vec<_> = list.iter_from(at).map(|item| item.to_bytes().into_owned()).collect();
                prop_assert!(tail.iter().eq(model.iter().skip(at)));
                let head: Vec<_> = list.iter_back_from(at).map(|item| item.to_bytes().into_owned()).collect();
                if at < model.len() {
                    prop_assert!(head.iter().eq(model.iter().take(at + 1).rev()));
                }
            }
            prop_assert_eq!(bytes_of(&list.clone()), Vec::from(model));
        }
    }

    #[test]
    fn a_list_of_twenty_is_one_block() {
        let mut list = List::empty();
        for number in 0..20 {
            list.push(Side::Right, format!("element:{number}").as_bytes());
        }
        assert!(matches!(list, List::Packed(_)));
        assert_eq!(list.heap_bytes(), 256);
    }

    #[test]
    fn byte_limits_look_at_what_is_to_be_added() {
        let value = [b'x'; 40];
        let grow = |list: &mut List, limit| {
            list.grow(limit, Growth::of([&value[..]].into_iter()), |list| list.push(Side::Right, &value));
        };
        // Seven bytes, and 42 for each entry: 91 bytes are below 100, and so are they with 8 added, not with 40.
        let mut list = List::empty();
        grow(&mut list, Limit::Bytes(100));
        grow(&mut list, Limit::Bytes(100));
        assert!(!list.is_wide());
        grow(&mut list, Limit::Bytes(100));
        assert!(list.is_wide());

        let mut list = List::empty();
        for _ in 0..3 {
            assert!(!list.is_wide());
            grow(&mut list, Limit::Entries(2));
        }
        assert!(list.is_wide());
    }

    #[test]
    fn value_limits_look_at_what_has_been_added() {
        let limit = Limit::EntriesAndValue { entries: 2, value: 4 };
        let mut list = List::empty();
        for entry in [b"a", b"b"] {
            list.grow(limit, Growth::of([&entry[..]].into_iter()), |list| list.push(Side::Left, entry));
        }
        list.grow(limit, Growth::of([&b"c"[..]].into_iter()), |list| list.set(0, b"c"));
        assert!(!list.is_wide(), "nothing has been added");
        list.grow(limit, Growth::of([&b"value"[..]].into_iter()), |list| list.set(7, b"value"));
        assert!(list.is_wide(), "the length of a value counts before it is known whether it is added");
    }

    #[test]
    fn wide_lists_narrow_at_half_the_limit() {
        let mut list = List::empty();
        for number in 0..5u8 {
            list.push(Side::Right, &[b'a' + number]);
            list.widen(Limit::Entries(4), 1);
        }
        assert!(list.is_wide());
        list.pop(Side::Left, |_| ());
        list.narrow(Limit::Entries(4));
        assert!(list.is_wide(), "four entries are not half of four");
        list.remove_range(0, 2);
        list.narrow(Limit::Entries(4));
        assert!(list.is_wide(), "two entries in two nodes");
        list.pop(Side::Left, |_| ());
        list.narrow(Limit::Entries(4));
        assert!(!list.is_wide());
    }
}
