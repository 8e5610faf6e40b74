//! A set: sorted integers while all members are integers, a packed list while it is small, a table from then on.
//!
//! Invariants: members are unique; a table's `member_bytes` is the sum over its members.

#![allow(unsafe_code)]

use crate::block;
use crate::draw::{Selection, below};
use crate::entry::{Kind, Object};
use crate::intset::{self, IntSet};
use crate::member::Member;
use crate::number;
use crate::packed::{self, Item, Packed};
use crate::table::{self, Table};
use crate::thin::ThinEnum;
use std::ptr::NonNull;

/// From when on a set takes its next representation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most members of sorted integers.
    pub ints: usize,
    /// Most members of a packed list.
    pub packed_entries: usize,
    /// Longest member of a packed list, in bytes.
    pub packed_value: usize,
    /// Keys the hash of tables.
    pub seed: u64,
}

/// A set; see the module.
pub enum Set {
    /// Integers only.
    Ints(IntSet),
    /// A few short members.
    Packed(Packed),
    /// Any members.
    Table(Box<MemberTable>),
}

/// The members of a big set.
pub struct MemberTable {
    table: Table<Member>,
    member_bytes: usize,
}

// SAFETY: all variants are pointers to blocks aligned to eight bytes or more; tags are 0 to 2.
unsafe impl ThinEnum for Set {
    #[inline]
    fn into_raw(self) -> (NonNull<u8>, usize) {
        match self {
            Set::Ints(set) => (intset::into_block(set), 0),
            Set::Packed(list) => (packed::into_block(list), 1),
            Set::Table(table) => (NonNull::from(Box::leak(table)).cast(), 2),
        }
    }

    #[inline]
    unsafe fn from_raw(pointer: NonNull<u8>, tag: usize) -> Self {
        // SAFETY: the pair came from `into_raw`.
        unsafe {
            match tag {
                0 => Set::Ints(intset::from_block(pointer)),
                1 => Set::Packed(packed::from_block(pointer)),
                _ => Set::Table(Box::from_raw(pointer.cast().as_ptr())),
            }
        }
    }
}

// SAFETY: `Kind::Set` is its own kind.
unsafe impl Object for Set {
    const KIND: Kind = Kind::Set;

    fn empty() -> Self {
        Set::Ints(IntSet::new())
    }

    #[inline]
    fn is_empty(&self) -> bool {
        match self {
            Set::Ints(set) => set.is_empty(),
            Set::Packed(list) => list.is_empty(),
            Set::Table(members) => members.table.is_empty(),
        }
    }

    #[inline]
    fn heap_bytes(&self) -> usize {
        match self {
            Set::Ints(set) => set.heap_bytes(),
            Set::Packed(list) => list.heap_bytes(),
            Set::Table(members) => {
                block::class(size_of::<MemberTable>()) + members.table.heap_bytes() + members.member_bytes
            }
        }
    }
}

impl Set {
    /// Asks the processor to fetch what looking these members up will need.
    pub fn prefetch<'m>(&self, members: impl Iterator<Item = &'m [u8]>) {
        if let Set::Table(own) = self {
            own.table.prefetch_all(members);
        }
    }

    /// The number of members.
    #[inline]
    pub fn len(&self) -> usize {
        match self {
            Set::Ints(set) => set.len(),
            Set::Packed(list) => list.count(),
            Set::Table(members) => members.table.len(),
        }
    }

    /// Whether `bytes` is a member.
    #[inline]
    pub fn contains(&self, bytes: &[u8]) -> bool {
        match self {
            Set::Ints(set) => number::parse_i64(bytes).is_some_and(|value| set.contains(value)),
            Set::Packed(list) => list.find(bytes, list.start(), 1).is_some(),
            Set::Table(members) => members.table.find(members.table.hash(bytes), bytes).is_some(),
        }
    }

    /// As [`Set::contains`], for an item of another set.
    #[inline]
    pub fn contains_item(&self, item: Item<'_>) -> bool {
        match (self, item) {
            (Set::Ints(set), Item::Int(value)) => set.contains(value),
            _ => item.with_bytes(|bytes| self.contains(bytes)),
        }
    }

    /// Adds a member; whether it is new.
    #[inline]
    pub fn add(&mut self, bytes: &[u8], limits: &Limits) -> bool {
        match self {
            Set::Ints(set) => match number::parse_i64(bytes) {
                Some(value) => {
                    let new = set.insert(value);
                    if new && set.len() > limits.ints {
                        self.spread(limits, bytes);
                    }
                    new
                }
                None => {
                    // The longest integers are the first and the last.
                    let ends =
                        [0, set.len().wrapping_sub(1)].map(|index| set.get(index).map_or(0, number::digits));
                    let longest = ends[0].max(ends[1]).max(bytes.len());
                    if set.len() < limits.packed_entries && longest <= limits.packed_value {
                        self.pack();
                    } else {
                        self.spread(limits, bytes);
                    }
                    self.add(bytes, limits)
                }
            },
            Set::Packed(list) => {
                if list.find(bytes, list.start(), 1).is_some() {
                    return false;
                }
                if list.count() < limits.packed_entries
                    && bytes.len() <= limits.packed_value
                    && list.has_room(bytes.len())
                {
                    list.push(bytes);
                    return true;
                }
                self.spread(limits, bytes);
                self.add(bytes, limits)
            }
            Set::Table(members) => {
                let hash = members.table.hash(bytes);
                if members.table.find(hash, bytes).is_some() {
                    return false;
                }
                let member = Member::new(bytes);
                members.member_bytes += member.heap_bytes();
                members.table.insert_new(hash, member);
                true
            }
        }
    }

    /// As [`Set::add`], for an item of another set.
    #[inline]
    pub fn add_item(&mut self, item: Item<'_>, limits: &Limits) -> bool {
        match (&mut *self, item) {
            (Set::Ints(set), Item::Int(value)) if set.len() < limits.ints => set.insert(value),
            _ => item.with_bytes(|bytes| self.add(bytes, limits)),
        }
    }

    /// Takes the representation that a set of so many members has, of which `first` is the first to come; they need not
    /// all be new. What is larger already stays so.
    pub fn expect(&mut self, first: &[u8], members: usize, limits: &Limits) {
        let fits = match self {
            Set::Ints(set) => {
                members <= limits.ints && (!set.is_empty() || number::parse_i64(first).is_some())
            }
            Set::Packed(_) => members <= limits.packed_entries,
            Set::Table(_) => true,
        };
        if fits {
            return;
        }
        if members <= limits.packed_entries && self.is_empty() {
            self.pack();
        } else {
            self.spread(limits, first);
        }
    }

    /// Makes the set one of sorted integers, if all members are integers and not too many.
    pub fn narrow(&mut self, limits: &Limits) {
        if matches!(self, Set::Ints(_)) || self.len() > limits.ints {
            return;
        }
        let mut ints = IntSet::new();
        let is_integer = |item: Item<'_>| match item {
            Item::Int(value) => Some(value),
            Item::Str(bytes) => number::parse_i64(bytes),
        };
        if !self.any(|item| is_integer(item).map(|value| ints.insert(value)).is_none()) {
            *self = Set::Ints(ints);
        }
    }

    /// Removes a member; whether it was one.
    #[inline]
    pub fn remove(&mut self, bytes: &[u8]) -> bool {
        match self {
            Set::Ints(set) => number::parse_i64(bytes).is_some_and(|value| set.remove(value)),
            Set::Packed(list) => match list.find(bytes, list.start(), 1) {
                Some(at) => list.remove(at, 1) == 1,
                None => false,
            },
            Set::Table(members) => match members.table.find(members.table.hash(bytes), bytes) {
                Some(place) => {
                    members.member_bytes -= members.table.remove(place).heap_bytes();
                    true
                }
                None => false,
            },
        }
    }

    /// Calls `visit` with a member drawn uniformly; `draw` gives random numbers.
    pub fn random<R>(&self, draw: &mut dyn FnMut() -> u64, visit: impl FnOnce(Item<'_>) -> R) -> Option<R> {
        let len = self.len();
        if len == 0 {
            return None;
        }
        Some(match self {
            Set::Ints(set) => visit(Item::Int(set.get(below(draw(), len))?)),
            Set::Packed(list) => visit(list.get(list.seek(below(draw(), len)))),
            Set::Table(members) => visit(Item::Str(members.table.at(members.table.random(draw)?).bytes())),
        })
    }

    /// Visits `count` different members drawn uniformly, or all where there are not more.
    pub fn sample(&self, count: usize, draw: &mut dyn FnMut() -> u64, mut visit: impl FnMut(Item<'_>)) {
        match self {
            Set::Table(members) => {
                members.table.sample(count, draw, |member| visit(Item::Str(member.bytes())))
            }
            _ => {
                let mut selection = Selection::new(count, self.len());
                self.for_each(|item| {
                    if selection.takes(draw) {
                        visit(item);
                    }
                });
            }
        }
    }

    /// Removes a member drawn uniformly and calls `visit` with it.
    pub fn pop<R>(&mut self, draw: &mut dyn FnMut() -> u64, visit: impl FnOnce(Item<'_>) -> R) -> Option<R> {
        let len = self.len();
        if len == 0 {
            return None;
        }
        Some(match self {
            Set::Ints(set) => {
                let value = set.get(below(draw(), len))?;
                set.remove(value);
                visit(Item::Int(value))
            }
            Set::Packed(list) => {
                let at = list.seek(below(draw(), len));
                let result = visit(list.get(at));
                list.remove(at, 1);
                result
            }
            Set::Table(members) => {
                let member = members.table.remove(members.table.random(draw)?);
                members.member_bytes -= member.heap_bytes();
                visit(Item::Str(member.bytes()))
            }
        })
    }

    /// Removes `count` different members drawn uniformly, or all where there are not more, and visits them.
    pub fn pop_many(&mut self, count: usize, draw: &mut dyn FnMut() -> u64, mut visit: impl FnMut(Item<'_>)) {
        let mut selection = Selection::new(count, self.len());
        match self {
            Set::Ints(set) => {
                let mut rest = IntSet::new();
                for value in set.iter() {
                    if selection.takes(draw) {
                        visit(Item::Int(value));
                    } else {
                        rest.insert(value);
                    }
                }
                *set = rest;
            }
            Set::Packed(list) => {
                let mut rest = Packed::new();
                for item in list.iter() {
                    if selection.takes(draw) {
                        visit(item);
                    } else {
                        rest.insert_item(rest.end(), item);
                    }
                }
                *list = rest;
            }
            Set::Table(_) => {
                for _ in 0..count.min(self.len()) {
                    self.pop(draw, &mut visit);
                }
            }
        }
    }

    /// Calls `visit` with every member.
    #[inline]
    pub fn for_each(&self, mut visit: impl FnMut(Item<'_>)) {
        match self {
            Set::Ints(set) => set.iter().for_each(|value| visit(Item::Int(value))),
            Set::Packed(list) => list.iter().for_each(visit),
            Set::Table(members) => members.table.iter().for_each(|member| visit(Item::Str(member.bytes()))),
        }
    }

    /// Whether `test` holds for a member; stops at the first.
    pub fn any(&self, mut test: impl FnMut(Item<'_>) -> bool) -> bool {
        match self {
            Set::Ints(set) => set.iter().any(|value| test(Item::Int(value))),
            Set::Packed(list) => list.iter().any(test),
            Set::Table(members) => members.table.iter().any(|member| test(Item::Str(member.bytes()))),
        }
    }

    /// Visits some members and gives the position from which to go on, zero at the end: see [`Table::scan`]. Small
    /// sets are visited whole.
    pub fn scan(&self, position: u64, mut visit: impl FnMut(Item<'_>)) -> u64 {
        match self {
            Set::Table(members) => members.table.scan(position, |member| visit(Item::Str(member.bytes()))),
            _ => {
                self.for_each(visit);
                0
            }
        }
    }

    /// Makes integers a packed list.
    fn pack(&mut self) {
        let mut list = Packed::new();
        self.for_each(|item| {
            list.insert_item(list.end(), item);
        });
        *self = Set::Packed(list);
    }

    /// Makes the set a table, as `member` comes. Its seed follows from that: members of another set that come in the
    /// order in which that one is iterated over would all look for room in the same bucket if the seed was the same.
    fn spread(&mut self, limits: &Limits, member: &[u8]) {
        if matches!(self, Set::Table(_)) {
            return;
        }
        let seed = table::hash(limits.seed, member);
        let mut members = Box::new(MemberTable { table: Table::new(seed, 0), member_bytes: 0 });
        self.for_each(|item| {
            item.with_bytes(|bytes| {
                let member = Member::new(bytes);
                members.member_bytes += member.heap_bytes();
                members.table.insert_new(members.table.hash(bytes), member);
            });
        });
        *self = Set::Table(members);
    }

    /// Checks the invariants; for tests.
    pub fn check_invariants(&self) {
        match self {
            Set::Ints(set) => assert!(set.iter().is_sorted_by(|a, b| a < b)),
            Set::Packed(list) => list.check_invariants(),
            Set::Table(members) => {
                members.table.check_invariants();
                let bytes: usize = members.table.iter().map(|member| member.heap_bytes()).sum();
                assert_eq!(bytes, members.member_bytes);
            }
        }
    }
}

impl Clone for Set {
    fn clone(&self) -> Self {
        match self {
            Set::Ints(set) => Set::Ints(set.clone()),
            Set::Packed(list) => Set::Packed(list.clone()),
            Set::Table(members) => {
                let mut copy =
                    MemberTable { table: members.table.for_copy(), member_bytes: members.member_bytes };
                for member in members.table.iter() {
                    let bytes = member.bytes();
                    copy.table.insert_new(copy.table.hash(bytes), Member::new(bytes));
                }
                Set::Table(Box::new(copy))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    const LIMITS: Limits = Limits { ints: 8, packed_entries: 12, packed_value: 10, seed: 1 };

    fn representation(set: &Set) -> &'static str {
        match set {
            Set::Ints(_) => "ints",
            Set::Packed(_) => "packed",
            Set::Table(_) => "table",
        }
    }

    #[test]
    fn representations_follow_the_limits() {
        let mut set = Set::empty();
        for (member, want) in [("1", "ints"), ("2", "ints"), ("a", "packed"), ("12345678901", "table")] {
            assert!(set.add(member.as_bytes(), &LIMITS));
            assert_eq!(representation(&set), want, "{member}");
        }
        let mut set = Set::empty();
        (0..9).for_each(|value| assert!(set.add(value.to_string().as_bytes(), &LIMITS)));
        assert_eq!(
            representation(&set),
            "table",
            "nine integers, of at most eight, as observed on redis 7.4"
        );
        let mut set = Set::empty();
        (0..8).for_each(|value| assert!(set.add(value.to_string().as_bytes(), &LIMITS)));
        assert!(set.add(b"a", &LIMITS) && set.remove(b"a"));
        assert_eq!(representation(&set), "packed");
        set.narrow(&LIMITS);
        assert_eq!(representation(&set), "ints");
    }

    #[test]
    fn no_parameter_makes_a_packed_list_too_long() {
        let limits = Limits { packed_value: usize::MAX, packed_entries: usize::MAX, ..LIMITS };
        let mut set = Set::empty();
        for (letter, want) in [(b'a', "packed"), (b'b', "packed"), (b'c', "packed"), (b'd', "table")] {
            assert!(set.add(&vec![letter; 300_000], &limits));
            assert_eq!(representation(&set), want);
        }
    }

    #[test]
    fn announced_members_decide_the_representation() {
        let mut some_ints = Set::empty();
        (0..3).for_each(|value| assert!(some_ints.add(value.to_string().as_bytes(), &LIMITS)));
        let mut some_texts = some_ints.clone();
        some_texts.add(b"a", &LIMITS);
        for (set, first, members, want) in [
            (Set::empty(), "1", 8, "ints"),
            (Set::empty(), "1", 9, "packed"),
            (Set::empty(), "a", 8, "packed"),
            (Set::empty(), "a", 13, "table"),
            (Set::empty(), "1", 13, "table"),
            (some_ints.clone(), "a", 8, "ints"),
            (some_ints, "1", 9, "table"),
            (some_texts.clone(), "1", 12, "packed"),
            (some_texts, "1", 13, "table"),
        ] {
            let mut set = set;
            set.expect(first.as_bytes(), members, &LIMITS);
            assert_eq!(representation(&set), want, "{first} and others, {members} in all");
        }
    }

    /// Numbers that are the same in every run.
    fn numbers() -> impl FnMut() -> u64 {
        let mut number = 7u64;
        move || {
            number = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mixed = (number ^ number >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
            mixed ^ mixed >> 31
        }
    }

    /// How far hits are from as many for each, in chi-square.
    fn chi_square(hits: &[usize]) -> f64 {
        let expected = hits.iter().sum::<usize>() as f64 / hits.len() as f64;
        hits.iter().map(|&hits| (hits as f64 - expected).powi(2) / expected).sum()
    }

    #[test]
    fn draws_are_fair_and_distinct() {
        let ints = Limits { ints: 64, ..LIMITS };
        let packed = Limits { ints: 0, packed_entries: 64, ..LIMITS };
        let table = Limits { ints: 0, packed_entries: 0, ..LIMITS };
        let rounds = if cfg!(miri) { 2 } else { 20_000 };
        for limits in [ints, packed, table] {
            let mut set = Set::empty();
            set.expect(b"0", 64, &limits);
            (0..64).for_each(|value| assert!(set.add(value.to_string().as_bytes(), &limits)));
            let kind = representation(&set);
            let mut draw = numbers();
            let number = |item: Item<'_>| String::from_utf8_lossy(&item.to_bytes()).parse::<usize>().unwrap();
            // Few of many and many of few are drawn in different ways.
            for count in [1, 5, 15, 16, 40, 63] {
                let (mut sampled, mut popped) = ([0; 64], [0; 64]);
                for _ in 0..rounds / count {
                    let mut seen = HashSet::new();
                    set.sample(count, &mut draw, |item| assert!(seen.insert(number(item))));
                    assert_eq!(seen.len(), count);
                    seen.iter().for_each(|&number| sampled[number] += 1);
                    let (mut rest, mut seen) = (set.clone(), HashSet::new());
                    rest.pop_many(count, &mut draw, |item| assert!(seen.insert(number(item))));
                    rest.check_invariants();
                    assert_eq!((rest.len(), seen.len()), (64 - count, count));
                    assert!(seen.iter().all(|number| !rest.contains(number.to_string().as_bytes())));
                    seen.iter().for_each(|&number| popped[number] += 1);
                }
                if !cfg!(miri) {
                    // 63 degrees of freedom: exceeds 104 once in a thousand fair runs; the numbers are fixed.
                    let (sampled, popped) = (chi_square(&sampled), chi_square(&popped));
                    assert!(sampled < 104.0 && popped < 104.0, "{kind} {count}: {sampled} {popped}");
                }
            }
            let mut all = 0;
            set.clone().pop_many(1000, &mut draw, |_| all += 1);
            set.sample(1000, &mut draw, |_| all += 1);
            assert_eq!(all, 128);
        }
    }

    #[test]
    fn a_few_of_many_are_drawn_with_little_work() {
        let mut set = Set::empty();
        (0..20_000).for_each(|value| assert!(set.add(format!("m{value}").as_bytes(), &LIMITS)));
        let (mut draw, mut drawn) = (numbers(), 0);
        let mut count = || {
            drawn += 1;
            draw()
        };
        set.sample(100, &mut count, |_| ());
        assert!((100..1000).contains(&drawn), "{drawn} random numbers for 100 members");
    }

    #[test]
    fn twenty_integers_take_little() {
        let limits = Limits { ints: 512, ..LIMITS };
        let mut set = Set::empty();
        (0..20).for_each(|value| assert!(set.add((value * 1000).to_string().as_bytes(), &limits)));
        assert_eq!(set.heap_bytes(), 48);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 5 } else { 256 }))]
        #[test]
        fn behaves_as_a_set(
            steps in prop::collection::vec(
                (any::<bool>(), prop_oneof!["[0-9]{1,2}", "[a-c]{1,3}", "-?[0-9]{9,11}"]), 1..120)
        ) {
            let mut set = Set::empty();
            let mut model = HashSet::new();
            for (add, member) in steps {
                let bytes = member.as_bytes();
                if add {
                    prop_assert_eq!(set.add(bytes, &LIMITS), model.insert(bytes.to_vec()));
                } else {
                    prop_assert_eq!(set.remove(bytes), model.remove(bytes));
                }
                set.check_invariants();
                prop_assert_eq!(set.len(), model.len());
                prop_assert_eq!(set.contains(bytes), model.contains(bytes));
            }
            let mut all = HashSet::new();
            set.clone().for_each(|item| assert!(all.insert(item.to_bytes().into_owned())));
            prop_assert_eq!(&all, &model);
            let (mut scanned, mut position) = (HashSet::new(), 0);
            loop {
                position = set.scan(position, |item| { scanned.insert(item.to_bytes().into_owned()); });
                if position == 0 {
                    break;
                }
            }
            prop_assert_eq!(scanned, model);
            let mut number = 0u64;
            let random = set.random(&mut || { number = number.wrapping_add(0x9E37_79B9_7F4A_7C15); number }, |item| set.contains_item(item));
            prop_assert_eq!(random, (set.len() > 0).then_some(true));
        }
    }
}
