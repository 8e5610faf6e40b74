//! A set: sorted integers while all members are integers, a packed list while it is small, a table from then on.
//!
//! Invariants: members are unique; a table's `member_bytes` is the sum over its members.

#![allow(unsafe_code)]

use crate::block;
use crate::entry::{Kind, Object};
use crate::intset::{self, IntSet};
use crate::member::Member;
use crate::number;
use crate::packed::{self, Item, Packed};
use crate::table::Table;
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

impl Object for Set {
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
                        self.outgrow_ints(limits);
                    }
                    new
                }
                None => {
                    let longest = set.iter().map(number::digits).max().unwrap_or(0).max(bytes.len());
                    if set.len() < limits.packed_entries && longest <= limits.packed_value {
                        self.pack();
                    } else {
                        self.spread(limits.seed);
                    }
                    self.add(bytes, limits)
                }
            },
            Set::Packed(list) => {
                if list.find(bytes, list.start(), 1).is_some() {
                    return false;
                }
                if list.count() < limits.packed_entries && bytes.len() <= limits.packed_value {
                    list.push(bytes);
                    return true;
                }
                self.spread(limits.seed);
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

    /// Makes the set a table.
    pub fn spread(&mut self, seed: u64) {
        if matches!(self, Set::Table(_)) {
            return;
        }
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

    /// Gives up sorted integers, which have become too many.
    fn outgrow_ints(&mut self, limits: &Limits) {
        if let Set::Ints(set) = self {
            let longest = set.iter().map(number::digits).max().unwrap_or(0);
            if set.len() <= limits.packed_entries && longest <= limits.packed_value {
                self.pack();
            } else {
                self.spread(limits.seed);
            }
        }
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
                    MemberTable { table: members.table.same_kind(), member_bytes: members.member_bytes };
                for member in members.table.iter() {
                    let bytes = member.bytes();
                    copy.table.insert_new(copy.table.hash(bytes), Member::new(bytes));
                }
                Set::Table(Box::new(copy))
            }
        }
    }
}

/// A number below `limit`, from a random one.
#[inline]
pub(crate) fn below(random: u64, limit: usize) -> usize {
    ((u128::from(random) * limit as u128) >> 64) as usize
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
        assert_eq!(representation(&set), "packed", "nine integers, of at most eight");
        (9..13).for_each(|value| assert!(set.add(value.to_string().as_bytes(), &LIMITS)));
        assert_eq!(representation(&set), "table");
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
