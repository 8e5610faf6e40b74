//! What a shard gives up where memory is short, and how it keeps its pages full.
//!
//! Eviction draws items at random and gives up the one that is least use for its room: how long ago it was used, halved for
//! each of its latest uses, times the root of its size, and more where few others share its page of memory. Uses wear off
//! whenever an item is drawn and stays.

use arrayvec::ArrayVec;
use structures::cached::{Cached, Marks};
use structures::table::{Item, Place};

use super::{Shard, next_random};
use crate::attention::Attention;
use crate::classes::class_of;
use crate::clock::{Now, TICKS};
use crate::policy::Policy;
use crate::watching::Evicted;

/// How many items are drawn at least for each that is evicted; as they come by buckets, it is a few more.
const DRAWN: usize = 10;
/// How many may come of that: all of the last bucket, of eight.
const DRAWN_TOGETHER: usize = DRAWN + 7;
/// How many are drawn at most to find those, where few expire and no others may go.
const DRAWN_AT_MOST: usize = 4_096;
/// How much sooner an item goes whose page is sparse already: pages that lose all their items are given back.
const SPARSE_AGE: u64 = 4;
/// One in eight evictions has a part of the table looked at.
const SETTLE_SHIFT: u32 = u64::BITS - 3;
/// How many segments of the table are tidied at once; about five hundred items in each.
const TIDIED: usize = 4;

/// What speaks for giving an item up, among those that may go: how long ago it was used, halved for each of its latest
/// uses, and how much room it takes. The most goes first.
#[inline]
fn age(item: &Cached, now: Now) -> u64 {
    let unused = u64::from(now.tick.saturating_sub(item.accessed()) >> item.uses());
    (unused + 1) * (item.heap_bytes() as u64).isqrt()
}

impl Shard {
    /// Gives up the item that is least use among some, of those that may go. What it took, in bytes, if there was
    /// one.
    pub(crate) fn evict(&mut self, policy: Policy, now: Now) -> Option<usize> {
        if policy.is_volatile() && self.expiring == 0 {
            return None;
        }
        let wanted = if matches!(policy, Policy::AllKeysRandom | Policy::VolatileRandom) { 1 } else { DRAWN };
        let mut first: Option<(u64, Place)> = None;
        let (mut looked_at, mut drawn, mut is_last) = (0, 0, false);
        while looked_at < DRAWN_AT_MOST && (drawn < wanted || first.is_none()) {
            let places = self.draw(wanted)?;
            looked_at += places.len();
            for place in places {
                let mut item = self.items.at_mut(place);
                if policy.is_volatile() && item.expires() == 0 {
                    continue;
                }
                drawn += 1;
                let idle = item.idle();
                self.sparseness.note(idle.bytes);
                is_last |= idle.is_last;
                let (age, uses) = match policy {
                    Policy::VolatileTtl => (u64::from(u32::MAX - item.expires()), 0),
                    _ if idle.is_sparse => (SPARSE_AGE * age(&item, now), item.uses()),
                    _ => (age(&item, now), item.uses()),
                };
                // To give up what replies keep makes no room.
                if first.is_none_or(|(most, _)| age >= most) && !item.is_lent() {
                    first = Some((age, place));
                }
                // Not all at once: what is drawn by chance now may be drawn again soon.
                if uses > 0 && now.tick.saturating_sub(item.accessed()) > 0 {
                    item.set_uses(uses - 1);
                }
            }
        }
        let (_, place) = first?;
        if self.is_watched(Attention::EVICTIONS) {
            self.tell_eviction(place, now);
        }
        let item = self.items.at(place);
        let bytes = item.heap_bytes();
        let tally = self.tallies.of(class_of(bytes));
        self.counts.evictions += 1;
        tally.evicted(item.accessed(), now.tick);
        tally.evicted_nonzero += u64::from(item.expires() != 0);
        if !item.marks().contains(Marks::FETCHED) {
            self.counts.evicted_unfetched += 1;
            tally.evicted_unfetched += 1;
        } else if item.uses() > 1 {
            self.counts.evicted_active += 1;
            tally.evicted_active += 1;
        }
        self.remove(place);
        let number = next_random(&mut self.random);
        if number >> SETTLE_SHIFT == 0 {
            self.items.settle(number);
        }
        if is_last {
            self.tidy();
        }
        let mut next = self.random;
        self.items.prefetch_random(wanted, || next_random(&mut next));
        Some(bytes)
    }

    /// Places of some items, at least so many; nothing if there are no items.
    fn draw(&mut self, wanted: usize) -> Option<ArrayVec<Place, DRAWN_TOGETHER>> {
        let random = &mut self.random;
        let draw = || next_random(random);
        let places = match wanted {
            1 => self.items.random(draw).into_iter().collect(),
            _ => self.items.random_places(wanted, draw),
        };
        (!places.is_empty()).then_some(places)
    }

    #[cold]
    fn tell_eviction(&self, place: Place, now: Now) {
        let item = self.items.at(place);
        let evicted = Evicted {
            key: item.key(),
            is_fetched: item.marks().contains(Marks::FETCHED),
            expires: item.expires(),
            unused_s: now.tick.saturating_sub(item.accessed()) / TICKS as u32,
            class: class_of(item.heap_bytes()),
            bytes: item.value().len(),
        };
        self.watchers.tell_eviction(&evicted, now);
    }

    /// Draws items for how much memory lies idle on their account.
    pub(crate) fn look(&mut self) {
        let mut is_last = false;
        let Some(places) = self.draw(DRAWN) else { return };
        for place in places {
            let idle = self.items.at(place).idle();
            self.sparseness.note(idle.bytes);
            is_last |= idle.is_last;
        }
        if is_last {
            self.tidy();
        }
    }

    /// Moves items that are among the last in their pages, in a part of the table, so that those pages become empty. To wait
    /// for all of them to be given up would take long: where others are drawn hundreds of times as often, they stay.
    fn tidy(&mut self) {
        for _ in 0..TIDIED {
            let number = next_random(&mut self.random);
            self.items.renew(number, Cached::moved_if_last);
        }
    }
}
