//! A sorted set: members and scores in one packed list while it is small; a table of members and an order of them
//! from then on.
//!
//! The order is by score, then by the members' bytes. A packed list holds member and score in turn, in that order,
//! a score as an integer where it is one and in its shortest decimal form otherwise.
//!
//! Invariants: members are unique; the order holds exactly the table's members, under the scores that they carry, which are
//! not NaN. The last two are what unsafe blocks rest on: a member goes out of the order before it is freed.

#![allow(unsafe_code)]

use crate::block;
use crate::draw::{Selection, below};
use crate::entry::{Kind, Object};
use crate::member::Scored;
use crate::order::Order;
use crate::packed::{self, Item, Packed};
use crate::table::{Item as _, Place, Ref, Table};
use crate::thin::ThinEnum;
use std::cmp::Ordering;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

/// From when on a sorted set becomes a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most members of a packed list.
    pub packed_entries: usize,
    /// Longest member in a packed list, in bytes.
    pub packed_value: usize,
    /// Whether a packed list tells minus zero from zero, as releases before 7.0 do; tables always do.
    pub packed_minus_zero: bool,
    /// Keys the hash of tables.
    pub seed: u64,
}

impl Limits {
    /// Whether a packed list may take one more member.
    #[inline]
    fn admit(&self, list: &Packed, member: &[u8]) -> bool {
        list.count() / 2 < self.packed_entries
            && member.len() <= self.packed_value
            && list.has_room(member.len())
    }
}

/// A sorted set; see the module.
pub enum ZSet {
    /// Members and scores in turn.
    Packed(Packed),
    /// Any members.
    Table(Box<ScoreTable>),
}

/// The members of a big sorted set.
pub struct ScoreTable {
    table: Table<Scored>,
    order: Order<Key>,
    member_bytes: usize,
}

/// What the order holds of a member: its score, and where its block is.
#[derive(Clone, Copy)]
struct Key {
    score: f64,
    member: NonNull<u8>,
}

impl PartialEq for Key {
    /// Whether it is the same member.
    #[inline]
    fn eq(&self, other: &Key) -> bool {
        self.member == other.member
    }
}

// SAFETY: the pointer leads to a block of the table that stands beside the order, and is used with it only.
unsafe impl Send for Key {}
// SAFETY: shared access only reads the block.
unsafe impl Sync for Key {}

impl Key {
    /// The member's bytes.
    ///
    /// # Safety
    /// The member is in the table, or is being removed from it and not freed yet.
    #[inline]
    unsafe fn bytes<'a>(&self) -> &'a [u8] {
        // SAFETY: by the caller's promise the block is alive.
        unsafe {
            let member = ManuallyDrop::new(Scored::from_raw(self.member));
            let bytes = member.bytes();
            std::slice::from_raw_parts(bytes.as_ptr(), bytes.len())
        }
    }
}

/// The order of keys whose members are alive.
#[inline]
fn compare(a: &Key, b: &Key) -> Ordering {
    // SAFETY: the order is only used while all its members, and the one looked for, are alive.
    by_score(a.score, b.score).then_with(|| unsafe { a.bytes().cmp(b.bytes()) })
}

/// Refuses a score that has no place in the order.
#[inline]
fn assert_ordered(score: f64) {
    assert!(!score.is_nan(), "a score that is not a number");
}

/// Removes the key of a member that is about to be freed or to get another score.
///
/// # Panics
/// If it is not found, as where the same member is there twice: a key must not stay without its member.
#[inline]
fn remove_key(order: &mut Order<Key>, key: &Key) {
    assert!(order.remove(key, &compare), "a member without its key");
}

/// The order of scores, which are not NaN; minus zero is equal to zero.
#[inline]
fn by_score(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or(Ordering::Equal)
}

// SAFETY: both variants are pointers to blocks aligned to eight bytes or more; tags are 0 and 1.
unsafe impl ThinEnum for ZSet {
    #[inline]
    fn into_raw(self) -> (NonNull<u8>, usize) {
        match self {
            ZSet::Packed(list) => (packed::into_block(list), 0),
            ZSet::Table(table) => (NonNull::from(Box::leak(table)).cast(), 1),
        }
    }

    #[inline]
    unsafe fn from_raw(pointer: NonNull<u8>, tag: usize) -> Self {
        // SAFETY: the pair came from `into_raw`.
        unsafe {
            match tag {
                0 => ZSet::Packed(packed::from_block(pointer)),
                _ => ZSet::Table(Box::from_raw(pointer.cast().as_ptr())),
            }
        }
    }
}

// SAFETY: `Kind::ZSet` is its own kind.
unsafe impl Object for ZSet {
    const KIND: Kind = Kind::ZSet;

    fn empty() -> Self {
        ZSet::Packed(Packed::new())
    }

    #[inline]
    fn is_empty(&self) -> bool {
        match self {
            ZSet::Packed(list) => list.is_empty(),
            ZSet::Table(members) => members.table.is_empty(),
        }
    }

    #[inline]
    fn heap_bytes(&self) -> usize {
        match self {
            ZSet::Packed(list) => list.heap_bytes(),
            ZSet::Table(members) => {
                block::class(size_of::<ScoreTable>())
                    + members.table.heap_bytes()
                    + members.order.heap_bytes()
                    + members.member_bytes
            }
        }
    }
}

impl ZSet {
    /// Asks the processor to fetch what looking these members up will need.
    pub fn prefetch<'m>(&self, members: impl Iterator<Item = &'m [u8]>) {
        if let ZSet::Table(own) = self {
            own.table.prefetch_all(members);
        }
    }

    /// The number of members.
    #[inline]
    pub fn len(&self) -> usize {
        match self {
            ZSet::Packed(list) => list.count() / 2,
            ZSet::Table(members) => members.table.len(),
        }
    }

    /// A member's score.
    #[inline]
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        match self {
            ZSet::Packed(list) => {
                list.find(member, list.start(), 2).map(|at| score_of(list.get(list.next(at))))
            }
            ZSet::Table(members) => members.find(member).map(|place| members.table.at(place).score()),
        }
    }

    /// Gives a member a score, adding it if need be; gives the old score. Scores are not NaN.
    #[inline]
    pub fn set(&mut self, member: &[u8], score: f64, limits: &Limits) -> Option<f64> {
        let mut own = None;
        self.update(member, limits, |old| {
            own = old;
            Some(score)
        });
        own
    }

    /// Gives a member the score that `new` makes of its old one, of none if it is not there; leaves all as it is if that
    /// gives none. Scores are not NaN.
    #[inline]
    pub fn update(&mut self, member: &[u8], limits: &Limits, new: impl FnOnce(Option<f64>) -> Option<f64>) {
        match self {
            ZSet::Packed(list) => match list.find(member, list.start(), 2) {
                Some(at) => {
                    let old = score_of(list.get(list.next(at)));
                    if let Some(score) = new(Some(old))
                        && score != old
                    {
                        list.remove(at, 2);
                        insert_packed(list, member, score, limits);
                    }
                }
                None => {
                    let Some(score) = new(None) else { return };
                    if limits.admit(list, member) {
                        insert_packed(list, member, score, limits);
                    } else {
                        self.spread(limits.seed).insert_new(member, score);
                    }
                }
            },
            ZSet::Table(members) => members.update(member, new),
        }
    }

    /// Adds a member that is not there, and that comes after all others.
    pub fn push(&mut self, member: &[u8], score: f64, limits: &Limits) {
        match self {
            ZSet::Packed(list) if limits.admit(list, member) => {
                list.push(member);
                put_score(list, None, score, limits);
            }
            _ => self.spread(limits.seed).insert_new(member, score),
        }
    }

    /// Removes a member; gives its score.
    #[inline]
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        match self {
            ZSet::Packed(list) => {
                let at = list.find(member, list.start(), 2)?;
                let score = score_of(list.get(list.next(at)));
                list.remove(at, 2);
                Some(score)
            }
            ZSet::Table(members) => {
                let place = members.find(member)?;
                Some(members.remove(place))
            }
        }
    }

    /// Removes the members from number `from` up to, not including, number `to`; tells `removed` each.
    pub fn remove_range(&mut self, from: usize, to: usize, mut removed: impl FnMut(Item<'_>, f64)) {
        let to = to.min(self.len());
        if from >= to {
            return;
        }
        match self {
            ZSet::Packed(list) => {
                let at = list.seek(2 * from);
                let mut items = list.iter_from(at).map(|(_, item)| item);
                for _ in from..to {
                    if let (Some(member), Some(score)) = (items.next(), items.next()) {
                        removed(member, score_of(score));
                    }
                }
                drop(items);
                list.remove(at, 2 * (to - from));
            }
            ZSet::Table(members) => {
                for _ in from..to {
                    let Some(&key) = members.order.get(from) else { return };
                    // SAFETY: the order's members are alive.
                    let bytes = unsafe { key.bytes() };
                    removed(Item::Str(bytes), key.score);
                    if let Some(place) = members.find(bytes) {
                        members.remove(place);
                    }
                }
            }
        }
    }

    /// A member's number in ascending order.
    pub fn rank(&self, member: &[u8]) -> Option<usize> {
        match self {
            ZSet::Packed(list) => {
                let found = list.find(member, list.start(), 2)?;
                Some(list.iter_from(list.start()).position(|(at, _)| at == found)? / 2)
            }
            ZSet::Table(members) => {
                let score = self.score(member)?;
                // SAFETY: the order's members are alive.
                let before = |key: &Key| {
                    // SAFETY: the order's members are alive.
                    let bytes = unsafe { key.bytes() };
                    by_score(key.score, score).then_with(|| bytes.cmp(member)) == Ordering::Less
                };
                Some(members.order.count_while(before))
            }
        }
    }

    /// The number of members at the front for which `before` holds; it must hold for no member after one for which it
    /// does not.
    pub fn count_while(&self, mut before: impl FnMut(Item<'_>, f64) -> bool) -> usize {
        match self {
            ZSet::Packed(_) => {
                let mut count = 0;
                self.any_from(0, |member, score| {
                    let goes_on = before(member, score);
                    count += usize::from(goes_on);
                    !goes_on
                });
                count
            }
            ZSet::Table(members) => {
                let before = std::cell::RefCell::new(before);
                members.order.count_while(|key| {
                    // SAFETY: the order's members are alive.
                    (before.borrow_mut())(Item::Str(unsafe { key.bytes() }), key.score)
                })
            }
        }
    }

    /// Calls `visit` with the members from number `from` up to, not including, number `to`.
    #[inline]
    pub fn for_range(&self, from: usize, to: usize, mut visit: impl FnMut(Item<'_>, f64)) {
        let mut left = to.saturating_sub(from);
        if left > 0 {
            self.any_from(from, |member, score| {
                visit(member, score);
                left -= 1;
                left == 0
            });
        }
    }

    /// As [`ZSet::for_range`], from the last of them to the first.
    pub fn for_range_back(&self, from: usize, to: usize, mut visit: impl FnMut(Item<'_>, f64)) {
        let to = to.min(self.len());
        match self {
            ZSet::Packed(list) => {
                let mut at = list.seek(2 * to);
                for _ in from..to {
                    let Some(score_at) = list.prev(at) else { return };
                    let Some(member_at) = list.prev(score_at) else { return };
                    visit(list.get(member_at), score_of(list.get(score_at)));
                    at = member_at;
                }
            }
            ZSet::Table(members) => {
                for key in members.order.iter_back_from(to).take(to.saturating_sub(from)) {
                    // SAFETY: the order's members are alive.
                    visit(Item::Str(unsafe { key.bytes() }), key.score);
                }
            }
        }
    }

    /// Calls `visit` with every member, in order.
    #[inline]
    pub fn for_each(&self, mut visit: impl FnMut(Item<'_>, f64)) {
        self.any_from(0, |member, score| {
            visit(member, score);
            false
        });
    }

    /// Whether `test` holds for a member from number `from` on; stops at the first.
    #[inline]
    pub fn any_from(&self, from: usize, mut test: impl FnMut(Item<'_>, f64) -> bool) -> bool {
        match self {
            ZSet::Packed(list) => {
                let mut items = list.iter_from(list.seek(2 * from)).map(|(_, item)| item);
                while let (Some(member), Some(score)) = (items.next(), items.next()) {
                    if test(member, score_of(score)) {
                        return true;
                    }
                }
                false
            }
            ZSet::Table(members) => members.order.iter_from(from).any(|key| {
                // SAFETY: the order's members are alive.
                test(Item::Str(unsafe { key.bytes() }), key.score)
            }),
        }
    }

    /// Calls `visit` with a member drawn uniformly; `draw` gives random numbers.
    pub fn random<R>(
        &self,
        draw: &mut dyn FnMut() -> u64,
        visit: impl FnOnce(Item<'_>, f64) -> R,
    ) -> Option<R> {
        let len = self.len();
        if len == 0 {
            return None;
        }
        Some(match self {
            ZSet::Packed(list) => {
                let at = list.seek(2 * below(draw(), len));
                visit(list.get(at), score_of(list.get(list.next(at))))
            }
            ZSet::Table(members) => {
                let member = members.table.at(members.table.random(draw)?);
                visit(Item::Str(member.bytes()), member.score())
            }
        })
    }

    /// Visits `count` different members drawn uniformly, or all where there are not more.
    pub fn sample(&self, count: usize, draw: &mut dyn FnMut() -> u64, mut visit: impl FnMut(Item<'_>, f64)) {
        match self {
            ZSet::Table(members) => {
                members.table.sample(count, draw, |member| visit(Item::Str(member.bytes()), member.score()))
            }
            ZSet::Packed(_) => {
                let mut selection = Selection::new(count, self.len());
                self.for_each(|member, score| {
                    if selection.takes(draw) {
                        visit(member, score);
                    }
                });
            }
        }
    }

    /// Visits some members and gives the position from which to go on, zero at the end: see [`Table::scan`]. Small
    /// sets are visited whole.
    pub fn scan(&self, position: u64, mut visit: impl FnMut(Item<'_>, f64)) -> u64 {
        match self {
            ZSet::Table(members) => {
                members.table.scan(position, |member| visit(Item::Str(member.bytes()), member.score()))
            }
            ZSet::Packed(_) => {
                self.for_each(visit);
                0
            }
        }
    }

    /// Makes the set a table.
    pub fn spread(&mut self, seed: u64) -> &mut ScoreTable {
        if let ZSet::Packed(_) = self {
            let mut members = Gathered::new(seed);
            self.for_each(|member, score| member.with_bytes(|bytes| members.add(bytes, score)));
            *self = members.into_zset();
        }
        match self {
            ZSet::Table(members) => members,
            ZSet::Packed(_) => unreachable!("it has just been made a table"),
        }
    }

    /// Packs the set again, if it is within the limits: a set that was built for its result only.
    pub fn pack_if_small(&mut self, limits: &Limits) {
        let small = matches!(self, ZSet::Table(_))
            && self.len() <= limits.packed_entries
            && !self.any_from(0, |member, _| member.len() > limits.packed_value);
        if small {
            let mut list = Packed::new();
            let is_too_large = self.any_from(0, |member, score| {
                if !list.has_room(member.len()) {
                    return true;
                }
                member.with_bytes(|bytes| list.push(bytes));
                put_score(&mut list, None, score, limits);
                false
            });
            if !is_too_large {
                *self = ZSet::Packed(list);
            }
        }
    }

    /// Checks the invariants; for tests.
    pub fn check_invariants(&self) {
        let mut all: Vec<(f64, Vec<u8>)> = Vec::new();
        self.for_each(|member, score| all.push((score, member.to_bytes().into_owned())));
        assert_eq!(all.len(), self.len());
        assert!(all.is_sorted_by(|a, b| a.0 < b.0 || a.0 == b.0 && a.1 < b.1), "{all:?}");
        match self {
            ZSet::Packed(list) => list.check_invariants(),
            ZSet::Table(members) => {
                members.table.check_invariants();
                members.order.check_invariants(&compare);
                members.check_order();
                let bytes: usize = members.table.iter().map(|member| member.heap_bytes()).sum();
                assert_eq!(bytes, members.member_bytes);
                for (score, member) in all {
                    assert_eq!(self.score(&member), Some(score));
                }
            }
        }
    }
}

impl ScoreTable {
    #[inline]
    fn find(&self, member: &[u8]) -> Option<Place> {
        self.table.find(self.table.hash(member), member)
    }

    fn update(&mut self, member: &[u8], new: impl FnOnce(Option<f64>) -> Option<f64>) {
        let hash = self.table.hash(member);
        let Some(place) = self.table.find(hash, member) else {
            if let Some(score) = new(None) {
                self.insert_hashed(hash, member, score);
            }
            return;
        };
        let mut own = self.table.at_mut(place);
        let old = own.score();
        if let Some(score) = new(Some(old))
            && score != old
        {
            assert_ordered(score);
            let key = Key { score: old, member: pointer(&own) };
            remove_key(&mut self.order, &key);
            own.set_score(score);
            self.order.insert(Key { score, ..key }, &compare);
        }
    }

    fn insert_new(&mut self, member: &[u8], score: f64) {
        self.insert_hashed(self.table.hash(member), member, score);
    }

    fn insert_hashed(&mut self, hash: u64, member: &[u8], score: f64) {
        assert_ordered(score);
        let scored = Scored::new(score, member);
        self.member_bytes += scored.heap_bytes();
        let key = Key { score, member: pointer(&scored) };
        // First, since a table may refuse a member, which is freed then.
        self.table.insert_new(hash, scored);
        self.order.insert(key, &compare);
    }

    fn remove(&mut self, place: Place) -> f64 {
        let scored = self.table.at(place);
        let key = Key { score: scored.score(), member: pointer(&scored) };
        remove_key(&mut self.order, &key);
        self.member_bytes -= self.table.remove(place).heap_bytes();
        key.score
    }

    /// Checks that the order leads to the table's blocks and no others; for tests.
    fn check_order(&self) {
        let mut own: Vec<_> = self.table.iter().map(|member| pointer(&member)).collect();
        let mut ordered: Vec<_> = self.order.iter_from(0).map(|key| key.member).collect();
        own.sort_unstable();
        ordered.sort_unstable();
        assert_eq!(own, ordered);
    }
}

impl Clone for ZSet {
    fn clone(&self) -> Self {
        match self {
            ZSet::Packed(list) => ZSet::Packed(list.clone()),
            ZSet::Table(members) => {
                let mut copy = Gathered { table: members.table.for_copy(), member_bytes: 0 };
                self.for_each(|member, score| member.with_bytes(|bytes| copy.add(bytes, score)));
                copy.into_zset()
            }
        }
    }
}

/// Members with scores that are gathered in any order, to become a sorted set: they are sorted once, at the end.
pub struct Gathered {
    table: Table<Scored>,
    member_bytes: usize,
}

impl Gathered {
    /// No members; `seed` keys the hash.
    pub fn new(seed: u64) -> Self {
        Gathered { table: Table::new(seed, 0), member_bytes: 0 }
    }

    /// Gives a member the score that `new` makes of its old one, of none if it is not there. Scores are not NaN.
    #[inline]
    pub fn update(&mut self, member: &[u8], new: impl FnOnce(Option<f64>) -> f64) {
        let hash = self.table.hash(member);
        match self.table.find(hash, member) {
            Some(place) => {
                let mut own = self.table.at_mut(place);
                let score = new(Some(own.score()));
                assert_ordered(score);
                own.set_score(score);
            }
            None => self.insert(hash, member, new(None)),
        }
    }

    /// Adds a member that is not there.
    #[inline]
    pub fn add(&mut self, member: &[u8], score: f64) {
        self.insert(self.table.hash(member), member, score);
    }

    #[inline]
    fn insert(&mut self, hash: u64, member: &[u8], score: f64) {
        assert_ordered(score);
        let scored = Scored::new(score, member);
        self.member_bytes += scored.heap_bytes();
        self.table.insert_new(hash, scored);
    }

    /// Removes a member, if it is there.
    pub fn remove(&mut self, member: &[u8]) {
        if let Some(place) = self.table.find(self.table.hash(member), member) {
            self.member_bytes -= self.table.remove(place).heap_bytes();
        }
    }

    /// The sorted set, as a table however small it is.
    pub fn into_zset(self) -> ZSet {
        let key = |member: Ref<'_, Scored>| Key { score: member.score(), member: pointer(&member) };
        let mut keys: Vec<Key> = self.table.iter().map(key).collect();
        keys.sort_unstable_by(compare);
        let Gathered { table, member_bytes } = self;
        ZSet::Table(Box::new(ScoreTable { table, order: Order::from_sorted(&keys), member_bytes }))
    }
}

/// Where a member's block is.
fn pointer(member: &Scored) -> NonNull<u8> {
    // SAFETY: the copy gives its pointer away and is not dropped.
    unsafe { std::ptr::read(member) }.into_raw()
}

/// The score that an item of a packed list stands for.
#[inline]
fn score_of(item: Item<'_>) -> f64 {
    match item {
        Item::Int(value) => value as f64,
        Item::Str(bytes) => std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok()).unwrap_or(0.0),
    }
}

/// Puts a member where its score belongs.
fn insert_packed(list: &mut Packed, member: &[u8], score: f64, limits: &Limits) {
    let mut at = list.start();
    while at < list.end() {
        let score_at = list.next(at);
        let own = score_of(list.get(score_at));
        if own > score || own == score && list.get(at).with_bytes(|own| own > member) {
            break;
        }
        at = list.next(score_at);
    }
    let at = list.insert(at, member);
    put_score(list, Some(at), score, limits);
}

/// Puts a score at a position, or at the end.
fn put_score(list: &mut Packed, at: Option<usize>, score: f64, limits: &Limits) {
    let at = at.unwrap_or_else(|| list.end());
    if score == 0.0 && score.is_sign_negative() && limits.packed_minus_zero {
        list.insert(at, b"-0");
        return;
    }
    // Every integer of up to 53 bits is a score of its own.
    if score.abs() < 9_007_199_254_740_992.0 && score == score.trunc() {
        list.insert_item(at, Item::Int(score as i64));
    } else if score.is_infinite() {
        list.insert(at, if score > 0.0 { b"inf" } else { b"-inf" });
    } else {
        list.insert_item(at, Item::Str(zmij::Buffer::new().format_finite(score).as_bytes()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, HashSet};

    const LIMITS: Limits = Limits { packed_entries: 20, packed_value: 10, packed_minus_zero: false, seed: 1 };

    #[test]
    fn scores_come_back_as_they_were() {
        let scores = [
            0.1,
            1e300,
            -1e-300,
            f64::INFINITY,
            f64::NEG_INFINITY,
            9_007_199_254_740_993.0,
            0.30000000000000004,
            -5.0,
            f64::MIN_POSITIVE,
            5e-324,
        ];
        let mut zset = ZSet::empty();
        for (index, &score) in scores.iter().enumerate() {
            zset.set(format!("m{index}").as_bytes(), score, &LIMITS);
        }
        assert!(matches!(zset, ZSet::Packed(_)));
        for (index, &score) in scores.iter().enumerate() {
            assert_eq!(zset.score(format!("m{index}").as_bytes()), Some(score));
        }
        zset.check_invariants();
    }

    #[test]
    fn minus_zero_is_equal_to_zero_and_kept_where_the_release_keeps_it() {
        for (packed, packed_minus_zero, kept) in
            [(true, false, false), (true, true, true), (false, false, true)]
        {
            let limits = Limits { packed_minus_zero, ..LIMITS };
            let mut zset = ZSet::empty();
            zset.set(b"b", 0.0, &limits);
            if !packed {
                zset.spread(1);
            }
            zset.set(b"a", -0.0, &limits);
            assert_eq!(zset.rank(b"a"), Some(0));
            assert_eq!(zset.score(b"a").unwrap().is_sign_negative(), kept);
            zset.check_invariants();
        }
    }

    #[test]
    fn no_parameter_makes_a_packed_list_too_long() {
        let limits = Limits { packed_value: usize::MAX, packed_entries: usize::MAX, ..LIMITS };
        let (mut set, mut pushed) = (ZSet::empty(), ZSet::empty());
        for letter in b'a'..=b'd' {
            assert!(matches!((&set, &pushed), (ZSet::Packed(_), ZSet::Packed(_))));
            set.set(&vec![letter; 300_000], 1.0, &limits);
            pushed.push(&vec![letter; 300_000], 1.0, &limits);
        }
        pushed.pack_if_small(&limits);
        assert!(matches!((&set, &pushed), (ZSet::Table(_), ZSet::Table(_))));
    }

    #[test]
    fn samples_are_different_members() {
        let mut state = 1u64;
        let mut draw = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state.rotate_left(32)
        };
        for (len, count) in [(10, 3), (10, 9), (100, 1), (100, 20), (100, 50), (100, 0)] {
            let mut zset = ZSet::empty();
            for n in 0..len {
                zset.set(format!("m{n}").as_bytes(), f64::from(n), &LIMITS);
            }
            let mut times = vec![0; len as usize];
            for _ in 0..300 {
                let mut drawn = HashSet::new();
                zset.sample(count, &mut draw, |_, score| assert!(drawn.insert(score as usize)));
                assert_eq!(drawn.len(), count);
                drawn.into_iter().for_each(|n| times[n] += 1);
            }
            // Each member is in a sample with the same chance; this is far from what is likely otherwise.
            let mean = 300.0 * count as f64 / f64::from(len);
            assert!(
                times.iter().all(|&n| (f64::from(n) - mean).abs() < 6.0 * mean.sqrt() + 1.0),
                "{times:?}"
            );
        }
    }

    #[test]
    fn no_member_is_taken_for_another_one_that_is_equal() {
        let members = [Scored::new(1.0, b"a"), Scored::new(1.0, b"a")];
        let [one, other] = members.each_ref().map(|member| Key { score: 1.0, member: pointer(member) });
        let mut order = Order::new();
        order.insert(one, &compare);
        let refuses = |order: &mut Order<Key>, key| {
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| remove_key(order, key))).is_err()
        };
        assert!(refuses(&mut order, &other), "the one would be freed and still be in the order");
        assert!(!refuses(&mut order, &one));
    }

    #[test]
    fn a_score_that_is_not_a_number_is_refused() {
        let mut zset = ZSet::empty();
        zset.set(b"a", 1.0, &LIMITS);
        zset.spread(1);
        let refuses =
            |add: &mut dyn FnMut()| std::panic::catch_unwind(std::panic::AssertUnwindSafe(add)).is_err();
        for member in [b"a", b"b"] {
            assert!(refuses(&mut || _ = zset.set(member, f64::NAN, &LIMITS)));
            zset.check_invariants();
        }
        let mut list = Packed::new();
        ["a", "nan"].iter().for_each(|text| list.push(text.as_bytes()));
        assert!(refuses(&mut || _ = ZSet::Packed(list.clone()).spread(1)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 3 } else { 200 }))]
        #[test]
        fn behaves_as_a_map_in_order(
            steps in prop::collection::vec((0u8..10, "[a-e]{1,2}|[0-9]{1,3}|[x-z]{11}", -20i32..20), 1..200),
            packed_entries in prop_oneof![Just(20), Just(3)],
            range in (0usize..30, 0usize..30),
        ) {
            let limits = Limits { packed_entries, ..LIMITS };
            let mut zset = ZSet::empty();
            let mut model: BTreeMap<Vec<u8>, f64> = BTreeMap::new();
            for (kind, member, score) in steps {
                let (member, score) = (member.into_bytes(), f64::from(score) / 4.0);
                if kind == 6 {
                    let mut seen = None;
                    zset.update(&member, &limits, |old| {
                        seen = old;
                        old.filter(|&old| old < score).map(|_| score)
                    });
                    let old = model.get_mut(&member);
                    prop_assert_eq!(seen, old.as_deref().copied());
                    if let Some(old) = old {
                        *old = old.max(score);
                    }
                } else if kind < 7 {
                    prop_assert_eq!(zset.set(&member, score, &limits), model.insert(member, score));
                } else {
                    prop_assert_eq!(zset.remove(&member), model.remove(&member));
                }
            }
            zset.check_invariants();
            let mut sorted: Vec<(Vec<u8>, f64)> = model.into_iter().collect();
            sorted.sort_by(|a, b| a.1.total_cmp(&b.1).then_with(|| a.0.cmp(&b.0)));
            for (rank, (member, score)) in sorted.iter().enumerate() {
                prop_assert_eq!(zset.rank(member), Some(rank));
                prop_assert_eq!(zset.score(member), Some(*score));
                let before = zset.count_while(|_, own| own < *score);
                prop_assert_eq!(before, sorted.partition_point(|(_, own)| own < score));
            }
            let (from, to) = (range.0.min(sorted.len()), range.1.min(sorted.len()));
            let want: Vec<_> = if from < to { sorted[from..to].to_vec() } else { Vec::new() };
            let mut got = Vec::new();
            zset.for_range(from, to, |member, score| got.push((member.to_bytes().into_owned(), score)));
            prop_assert_eq!(&got, &want);
            got.clear();
            zset.for_range_back(from, to, |member, score| got.push((member.to_bytes().into_owned(), score)));
            got.reverse();
            prop_assert_eq!(&got, &want);
            got.clear();
            zset.clone().remove_range(from, to, |member, score| got.push((member.to_bytes().into_owned(), score)));
            prop_assert_eq!(&got, &want);
            let mut pushed = ZSet::empty();
            zset.for_each(|member, score| member.with_bytes(|bytes| pushed.push(bytes, score, &limits)));
            pushed.check_invariants();
            prop_assert_eq!(matches!(pushed, ZSet::Packed(_)), {
                zset.len() <= packed_entries && !zset.any_from(0, |member, _| member.len() > 10)
            });
            let mut gathered = Gathered::new(1);
            for (member, score) in sorted.iter().rev() {
                gathered.update(member, |old| old.unwrap_or(7.0) + score);
                gathered.update(member, |old| old.unwrap_or(0.0) - 7.0);
            }
            if let Some((member, _)) = sorted.first() {
                gathered.remove(member);
            }
            let gathered = gathered.into_zset();
            gathered.check_invariants();
            got.clear();
            gathered.for_each(|member, score| got.push((member.to_bytes().into_owned(), score)));
            prop_assert_eq!(&got, &sorted[sorted.len().min(1)..]);
            let mut copy = zset.clone();
            copy.pack_if_small(&LIMITS);
            copy.check_invariants();
            prop_assert_eq!(copy.len(), sorted.len());
        }
    }
}
