//! Items of a table that are drawn at random.

use super::{Item, Place, SLOTS, Table, prefetch};
use crate::draw::Selection;
use arrayvec::ArrayVec;
use std::collections::HashSet;

/// Most buckets that are looked at together.
const TOGETHER: usize = 4;

impl<T: Item> Table<T> {
    /// A place drawn uniformly from all items; `draw` gives random numbers.
    pub fn random(&self, mut draw: impl FnMut() -> u64) -> Option<Place> {
        if self.is_empty() {
            return None;
        }
        loop {
            let place = self.random_slot(&mut draw);
            // SAFETY: the slot is only read.
            if !unsafe { *self.slot(place) }.is_null() {
                return Some(place);
            }
        }
    }

    /// Places drawn uniformly from all items: at least `count` of them, but for what `N` has no room for; none where there are
    /// no items. Those of a bucket come all together, which says nothing of them but how their hashes begin. The processor
    /// has been asked to fetch the items: what lies apart in memory comes in two times together, not one by one.
    pub fn random_places<const N: usize>(
        &self,
        count: usize,
        mut draw: impl FnMut() -> u64,
    ) -> ArrayVec<Place, N> {
        const { assert!(N >= SLOTS, "a bucket has room") };
        let mut places = ArrayVec::new();
        if self.is_empty() {
            return places;
        }
        // Where a part of a bucket were left out, items with few neighbours would be drawn more often.
        let count = count.min(N + 1 - SLOTS);
        while places.len() < count {
            for bucket in self.random_buckets(count - places.len(), &mut draw) {
                if places.len() >= count {
                    break;
                }
                for slot in bucket.slot..bucket.slot + SLOTS as u32 {
                    let place = Place { slot, ..bucket };
                    // SAFETY: the slot is only read.
                    let item = unsafe { *self.slot(place) };
                    if !item.is_null() {
                        prefetch(item.map_addr(|addr| addr & super::POINTER_MASK));
                        places.push(place);
                    }
                }
            }
        }
        places
    }

    /// Asks the processor to fetch what [`Table::random_places`] would look at first with these random numbers.
    pub fn prefetch_random(&self, count: usize, draw: impl FnMut() -> u64) {
        if !self.is_empty() {
            self.random_buckets(count, draw);
        }
    }

    /// First slots of buckets that are likely to have so many items together. The processor has been asked to fetch them.
    #[inline]
    fn random_buckets(&self, count: usize, mut draw: impl FnMut() -> u64) -> ArrayVec<Place, TOGETHER> {
        let mut slots = ArrayVec::new();
        for _ in 0..TOGETHER.min(count.div_ceil(SLOTS / 2)) {
            let mut place = self.random_slot(&mut draw);
            place.slot -= place.slot % SLOTS as u32;
            prefetch(self.slot(place).cast());
            slots.push(place);
        }
        slots
    }

    /// A slot drawn uniformly from those of all segments, with an item or without.
    #[inline]
    fn random_slot(&self, draw: &mut impl FnMut() -> u64) -> Place {
        let width = if self.depth == 0 { self.directory[0].width() } else { self.widest };
        let slots = u64::from(width) * SLOTS as u64;
        loop {
            let number = draw();
            let index = (number & ((1 << self.depth) - 1)) as usize;
            let slot = ((number >> 32) * slots) >> 32;
            // Drawing only first entries makes every segment equally likely, whatever its depth.
            if self.first(index) == index && slot < u64::from(self.directory[index].slots) {
                return Place { segment: index as u32, slot: slot as u32 };
            }
        }
    }

    /// Visits `count` different items drawn uniformly, or all where there are not more; `draw` gives random numbers. The
    /// work grows with `count`, not with the table.
    pub fn sample(&self, count: usize, draw: &mut dyn FnMut() -> u64, mut visit: impl FnMut(&T)) {
        if count >= self.len / 4 {
            let mut selection = Selection::new(count, self.len);
            self.iter().filter(|_| selection.takes(draw)).for_each(|item| visit(&item));
            return;
        }
        let mut drawn = HashSet::with_capacity_and_hasher(count, foldhash::fast::FixedState::default());
        while drawn.len() < count {
            let Some(place) = self.random(&mut *draw) else { return };
            if drawn.insert(place) {
                visit(&self.at(place));
            }
        }
    }
}
