//! An ordered sequence with ranks: a B+ tree whose inner nodes count what is below them.
//!
//! It orders small copyable keys by a comparison that the caller brings along; finding the key at a rank, the rank
//! of a key, and the first key that satisfies a condition are all logarithmic. Leaves hold up to 31 keys: with
//! sixteen-byte keys a leaf fills a size class of 512 bytes.
//!
//! A node that a removal leaves less than half full is joined with a neighbour if both fit into three quarters of one, so
//! that removed keys leave little room unused.
//!
//! Invariants: keys ascend strictly under the caller's comparison, which must not change its mind; all leaves are at
//! the same depth; no node but the root is empty.

use crate::block;
use std::cmp::Ordering;

const LEAF_KEYS: usize = 31;
const FAN_OUT: usize = 24;

/// An ordered sequence; see the module.
pub struct Order<K> {
    root: Node<K>,
    len: usize,
    heap_bytes: usize,
}

enum Node<K> {
    Leaf(Box<Leaf<K>>),
    Inner(Box<Inner<K>>),
}

type Leaf<K> = arrayvec::ArrayVec<K, LEAF_KEYS>;
type Inner<K> = arrayvec::ArrayVec<Child<K>, FAN_OUT>;

struct Child<K> {
    node: Node<K>,
    /// Keys below.
    count: usize,
    /// A key that is not after any below, and after all below the children before: which child a key belongs to.
    low: K,
}

impl<K: Copy> Default for Order<K> {
    fn default() -> Self {
        Order::new()
    }
}

impl<K: Copy> Order<K> {
    /// An empty sequence.
    pub fn new() -> Self {
        Order { root: Node::Leaf(Box::default()), len: 0, heap_bytes: leaf_bytes::<K>() }
    }

    /// The sequence of these keys, which ascend strictly: its nodes are as full as can be.
    pub fn from_sorted(keys: &[K]) -> Self {
        if keys.is_empty() {
            return Order::new();
        }
        let leaf = |keys: &[K]| Child {
            node: Node::Leaf(Box::new(keys.iter().copied().collect())),
            count: keys.len(),
            low: keys[0],
        };
        let mut level: Vec<Child<K>> = even_chunks(keys, LEAF_KEYS).map(leaf).collect();
        let mut heap_bytes = level.len() * leaf_bytes::<K>();
        while level.len() > 1 {
            let parents = level.len().div_ceil(FAN_OUT);
            heap_bytes += parents * inner_bytes::<K>();
            let sizes: Vec<usize> = even_chunks(&level, FAN_OUT).map(<[Child<K>]>::len).collect();
            let mut children = level.into_iter();
            level = sizes
                .into_iter()
                .map(|size| {
                    let inner: Box<Inner<K>> = Box::new(children.by_ref().take(size).collect());
                    let count = inner.iter().map(|child| child.count).sum();
                    Child { count, low: inner[0].low, node: Node::Inner(inner) }
                })
                .collect();
        }
        let root = level.pop().expect("there is a key, hence a node");
        Order { root: root.node, len: keys.len(), heap_bytes }
    }

    /// The number of keys.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What the nodes take from the allocator, in bytes.
    #[inline]
    pub fn heap_bytes(&self) -> usize {
        self.heap_bytes
    }

    /// Adds a key that is not in the sequence.
    pub fn insert(&mut self, key: K, compare: &impl Fn(&K, &K) -> Ordering) {
        if let Some(right) =
            self.root.insert(key, compare, Ends { first: true, last: true }, &mut self.heap_bytes)
        {
            self.heap_bytes += inner_bytes::<K>();
            let count = self.len + 1 - right.count;
            let left = std::mem::replace(&mut self.root, Node::Inner(Box::default()));
            let low = *left.first();
            let Node::Inner(root) = &mut self.root else {
                unreachable!("it has just been made an inner node")
            };
            root.push(Child { node: left, count, low });
            root.push(right);
        }
        self.len += 1;
    }

    /// Removes a key; whether it was there. Another one that is equal by the comparison alone is left.
    pub fn remove(&mut self, key: &K, compare: &impl Fn(&K, &K) -> Ordering) -> bool
    where
        K: PartialEq,
    {
        let removed = self.root.remove(key, compare, &mut self.heap_bytes);
        if removed {
            self.len -= 1;
            while let Node::Inner(root) = &mut self.root
                && root.len() == 1
            {
                let only = root.pop().expect("there is one child").node;
                self.heap_bytes -= inner_bytes::<K>();
                self.root = only;
            }
        }
        removed
    }

    /// The number of keys at the front for which `before` holds; it must hold for no key after one for which it does
    /// not.
    pub fn count_while(&self, before: impl Fn(&K) -> bool) -> usize {
        let mut node = &self.root;
        let mut rank = 0;
        loop {
            match node {
                Node::Leaf(leaf) => return rank + leaf.partition_point(&before),
                Node::Inner(inner) => {
                    // The first child whose low key is not before may not hold any key that is: the boundary lies in
                    // the child in front of it.
                    let next = inner[1..].partition_point(|child| before(&child.low));
                    rank += inner[..next].iter().map(|child| child.count).sum::<usize>();
                    node = &inner[next].node;
                }
            }
        }
    }

    /// The keys from number `from` on.
    pub fn iter_from(&self, from: usize) -> impl Iterator<Item = &K> {
        let mut rank = from;
        let mut rest: std::slice::Iter<'_, K> = [].iter();
        std::iter::from_fn(move || {
            if rest.len() == 0 {
                let (leaf, offset) = self.leaf(rank)?;
                rest = leaf[offset..].iter();
                rank += rest.len();
            }
            rest.next()
        })
    }

    /// The keys before number `to`, backwards.
    pub fn iter_back_from(&self, to: usize) -> impl Iterator<Item = &K> {
        let mut rank = to.min(self.len);
        let mut rest: std::slice::Iter<'_, K> = [].iter();
        std::iter::from_fn(move || {
            if rest.len() == 0 {
                let (leaf, offset) = self.leaf(rank.checked_sub(1)?)?;
                rest = leaf[..=offset].iter();
                rank -= rest.len();
            }
            rest.next_back()
        })
    }

    /// The key number `rank`.
    pub fn get(&self, rank: usize) -> Option<&K> {
        let (leaf, offset) = self.leaf(rank)?;
        leaf.get(offset)
    }

    /// The key number `rank`, for changing what the comparison does not look at.
    pub fn get_mut(&mut self, rank: usize) -> Option<&mut K> {
        if rank >= self.len {
            return None;
        }
        let mut node = &mut self.root;
        let mut rest = rank;
        loop {
            match node {
                Node::Leaf(leaf) => return leaf.get_mut(rest),
                Node::Inner(inner) => {
                    let child = inner.iter_mut().find(|child| match rest.checked_sub(child.count) {
                        Some(less) => {
                            rest = less;
                            false
                        }
                        None => true,
                    })?;
                    node = &mut child.node;
                }
            }
        }
    }

    /// The leaf that holds the key number `rank`, and where in it.
    fn leaf(&self, rank: usize) -> Option<(&[K], usize)> {
        if rank >= self.len {
            return None;
        }
        let mut node = &self.root;
        let mut rest = rank;
        loop {
            match node {
                Node::Leaf(leaf) => return Some((leaf, rest)),
                Node::Inner(inner) => {
                    let child = inner.iter().find(|child| match rest.checked_sub(child.count) {
                        Some(less) => {
                            rest = less;
                            false
                        }
                        None => true,
                    })?;
                    node = &child.node;
                }
            }
        }
    }

    /// Checks the invariants; for tests.
    pub fn check_invariants(&self, compare: &impl Fn(&K, &K) -> Ordering) {
        let mut heap_bytes = 0;
        let (len, _) = self.root.check(compare, &mut heap_bytes);
        assert_eq!((len, heap_bytes), (self.len, self.heap_bytes));
        let keys: Vec<&K> = self.iter_from(0).collect();
        assert_eq!(keys.len(), self.len);
        assert!(keys.windows(2).all(|pair| compare(pair[0], pair[1]) == Ordering::Less));
    }
}

/// Whether a node is the first or the last of its depth: there a full node is left full, since more is likely to come
/// on the same side.
#[derive(Clone, Copy)]
struct Ends {
    first: bool,
    last: bool,
}

impl<K: Copy> Node<K> {
    fn first(&self) -> &K {
        match self {
            Node::Leaf(leaf) => &leaf[0],
            Node::Inner(inner) => &inner[0].low,
        }
    }

    /// Adds a key below; gives the right half if the node had to be split.
    fn insert(
        &mut self,
        key: K,
        compare: &impl Fn(&K, &K) -> Ordering,
        ends: Ends,
        heap_bytes: &mut usize,
    ) -> Option<Child<K>> {
        match self {
            Node::Leaf(leaf) => {
                let at = leaf.partition_point(|own| compare(own, &key) == Ordering::Less);
                if !leaf.is_full() {
                    leaf.insert(at, key);
                    return None;
                }
                *heap_bytes += leaf_bytes::<K>();
                let middle = split_point(at, leaf.len(), ends);
                let mut right: Box<Leaf<K>> = Box::default();
                right.extend(leaf.drain(middle..));
                if at <= middle && !leaf.is_full() {
                    leaf.insert(at, key)
                } else {
                    right.insert(at - middle, key)
                }
                Some(Child { count: right.len(), low: right[0], node: Node::Leaf(right) })
            }
            Node::Inner(inner) => {
                let at = inner[1..].partition_point(|child| compare(&child.low, &key) != Ordering::Greater);
                let ends = Ends { first: ends.first && at == 0, last: ends.last && at + 1 == inner.len() };
                let child = &mut inner[at];
                child.count += 1;
                if compare(&key, &child.low) == Ordering::Less {
                    child.low = key;
                }
                let right = child.node.insert(key, compare, ends, heap_bytes)?;
                child.count -= right.count;
                if !inner.is_full() {
                    inner.insert(at + 1, right);
                    return None;
                }
                *heap_bytes += inner_bytes::<K>();
                let middle = if ends.first && at == 0 { 1 } else { split_point(at + 1, inner.len(), ends) };
                let mut half: Box<Inner<K>> = Box::default();
                half.extend(inner.drain(middle..));
                if at < middle && !inner.is_full() {
                    inner.insert(at + 1, right)
                } else {
                    half.insert(at + 1 - middle, right)
                }
                Some(Child {
                    count: half.iter().map(|child| child.count).sum(),
                    low: half[0].low,
                    node: Node::Inner(half),
                })
            }
        }
    }

    fn remove(&mut self, key: &K, compare: &impl Fn(&K, &K) -> Ordering, heap_bytes: &mut usize) -> bool
    where
        K: PartialEq,
    {
        match self {
            Node::Leaf(leaf) => {
                let at = leaf.partition_point(|own| compare(own, key) == Ordering::Less);
                let found = leaf.get(at).is_some_and(|own| own == key);
                if found {
                    leaf.remove(at);
                }
                found
            }
            Node::Inner(inner) => {
                let at = inner[1..].partition_point(|child| compare(&child.low, key) != Ordering::Greater);
                if !inner[at].node.remove(key, compare, heap_bytes) {
                    return false;
                }
                inner[at].count -= 1;
                if inner[at].node.is_empty() {
                    inner[at].node.forget(heap_bytes);
                    inner.remove(at);
                } else {
                    // The low key may have been the removed one, and its owner may free it: take a live one.
                    inner[at].low = *inner[at].node.first();
                    Node::join_if_small(inner, at, heap_bytes);
                }
                true
            }
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Node::Leaf(leaf) => leaf.is_empty(),
            Node::Inner(inner) => inner.is_empty(),
        }
    }

    /// Takes a node that is about to be dropped out of the accounts; it has no children.
    fn forget(&self, heap_bytes: &mut usize) {
        *heap_bytes -= match self {
            Node::Leaf(_) => leaf_bytes::<K>(),
            Node::Inner(_) => inner_bytes::<K>(),
        };
    }

    /// Joins a child with a neighbour where one node can hold both and room is left.
    fn join_if_small(inner: &mut Inner<K>, at: usize, heap_bytes: &mut usize) {
        let small = match &inner[at].node {
            Node::Leaf(leaf) => leaf.len() < LEAF_KEYS / 2,
            Node::Inner(inner) => inner.len() < FAN_OUT / 2,
        };
        if !small || inner.len() < 2 {
            return;
        }
        let left = if at + 1 < inner.len() { at } else { at - 1 };
        let fits = match (&inner[left].node, &inner[left + 1].node) {
            (Node::Leaf(a), Node::Leaf(b)) => a.len() + b.len() <= LEAF_KEYS * 3 / 4,
            (Node::Inner(a), Node::Inner(b)) => a.len() + b.len() <= FAN_OUT * 3 / 4,
            _ => unreachable!("all leaves are at the same depth"),
        };
        if !fits {
            return;
        }
        let right = inner.remove(left + 1);
        inner[left].count += right.count;
        right.node.forget(heap_bytes);
        match (&mut inner[left].node, right.node) {
            (Node::Leaf(a), Node::Leaf(b)) => a.extend(*b),
            (Node::Inner(a), Node::Inner(b)) => a.extend(*b),
            _ => unreachable!("all leaves are at the same depth"),
        }
    }

    /// Gives the number of keys and the depth below.
    fn check(&self, compare: &impl Fn(&K, &K) -> Ordering, heap_bytes: &mut usize) -> (usize, usize) {
        match self {
            Node::Leaf(leaf) => {
                *heap_bytes += leaf_bytes::<K>();
                (leaf.len(), 0)
            }
            Node::Inner(inner) => {
                *heap_bytes += inner_bytes::<K>();
                assert!(!inner.is_empty());
                let mut len = 0;
                let mut depths = Vec::new();
                for child in inner.iter() {
                    let (count, depth) = child.node.check(compare, heap_bytes);
                    assert!(count > 0 && count == child.count);
                    assert_ne!(compare(&child.low, child.node.first()), Ordering::Greater);
                    len += count;
                    depths.push(depth);
                }
                assert!(depths.windows(2).all(|pair| pair[0] == pair[1]));
                (len, depths[0] + 1)
            }
        }
    }
}

/// Cuts a slice into as few chunks as can be, none longer than `most`, all of about the same length.
fn even_chunks<T>(all: &[T], most: usize) -> impl Iterator<Item = &[T]> {
    let chunks = all.len().div_ceil(most);
    (0..chunks).map(move |chunk| &all[all.len() * chunk / chunks..all.len() * (chunk + 1) / chunks])
}

/// Where to cut a full node of `len` into which something is to be put at `at`.
fn split_point(at: usize, len: usize, ends: Ends) -> usize {
    if ends.last && at == len {
        len
    } else if ends.first && at == 0 {
        0
    } else {
        len / 2
    }
}

const fn leaf_bytes<K>() -> usize {
    block::class(size_of::<Leaf<K>>())
}

const fn inner_bytes<K>() -> usize {
    block::class(size_of::<Inner<K>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn keys_that_come_in_order_fill_their_leaves() {
        for descending in [false, true] {
            let mut order = Order::new();
            for key in 0..10_000u128 {
                order.insert(if descending { 10_000 - key } else { key }, &u128::cmp);
            }
            order.check_invariants(&u128::cmp);
            let each = order.heap_bytes() as f64 / 10_000.0;
            assert!(each < 19.0, "{each} bytes a key of sixteen");
        }
    }

    #[test]
    fn a_sequence_is_built_from_sorted_keys() {
        for len in [0, 1, 31, 32, 744, 745, 20_000] {
            let keys: Vec<u64> = (0..len).collect();
            let mut order = Order::from_sorted(&keys);
            order.check_invariants(&u64::cmp);
            assert!(order.iter_from(0).eq(keys.iter()));
            for key in (0..len).step_by(3) {
                assert!(order.remove(&key, &u64::cmp));
                order.insert(key + len, &u64::cmp);
            }
            order.check_invariants(&u64::cmp);
        }
    }

    #[test]
    fn removed_keys_leave_little_room_unused() {
        let mut order = Order::new();
        let key = |number: u128| number.wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
        (0..20_000).for_each(|number| order.insert(key(number), &u128::cmp));
        for number in 0..14_000 {
            assert!(order.remove(&key(number * 7 % 20_000), &u128::cmp));
        }
        order.check_invariants(&u128::cmp);
        let each = order.heap_bytes() as f64 / 6_000.0;
        assert!(each < 40.0, "{each} bytes a key of sixteen");
    }

    #[test]
    fn everything_can_be_removed_again() {
        let mut order = Order::new();
        let keys: Vec<u64> = (0..5_000u64).map(|key| key.wrapping_mul(0x9E37_79B9_7F4A_7C15)).collect();
        keys.iter().for_each(|&key| order.insert(key, &u64::cmp));
        order.check_invariants(&u64::cmp);
        for (index, key) in keys.iter().enumerate() {
            assert!(order.remove(key, &u64::cmp));
            assert!(!order.remove(key, &u64::cmp));
            if index % 500 == 0 {
                order.check_invariants(&u64::cmp);
            }
        }
        assert_eq!((order.len(), order.heap_bytes()), (0, Order::<u64>::new().heap_bytes()));
    }

    #[test]
    fn what_is_not_compared_can_be_changed_in_place() {
        let by_first = |a: &(u32, u32), b: &(u32, u32)| a.0.cmp(&b.0);
        let mut order = Order::new();
        (0..1_000).for_each(|key| order.insert((key, 0), &by_first));
        for rank in 0..1_000 {
            order.get_mut(rank).unwrap().1 = rank as u32 + 7;
        }
        assert!(order.get_mut(1_000).is_none());
        order.check_invariants(&by_first);
        assert!(order.iter_from(0).all(|key| key.1 == key.0 + 7));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 3 } else { 100 }))]
        #[test]
        fn behaves_as_a_sorted_set(steps in prop::collection::vec((0u8..10, 0u32..3_000), 1..2_000), probe: u16) {
            let mut order = Order::new();
            let mut model = BTreeSet::new();
            for (kind, key) in steps {
                if kind < 6 {
                    if model.insert(key) {
                        order.insert(key, &u32::cmp);
                    }
                } else {
                    prop_assert_eq!(order.remove(&key, &u32::cmp), model.remove(&key));
                }
            }
            order.check_invariants(&u32::cmp);
            let keys: Vec<u32> = model.iter().copied().collect();
            let rank = usize::from(probe) % (keys.len() + 1);
            prop_assert_eq!(order.get(rank), keys.get(rank));
            prop_assert!(order.iter_from(rank).eq(keys[rank..].iter()));
            prop_assert!(order.iter_back_from(rank).eq(keys[..rank].iter().rev()));
            let built = Order::from_sorted(&keys);
            built.check_invariants(&u32::cmp);
            prop_assert!(built.iter_from(0).eq(keys.iter()));
            let limit = u32::from(probe) % 3_000;
            prop_assert_eq!(order.count_while(|&key| key < limit), keys.partition_point(|&key| key < limit));
        }
    }
}
