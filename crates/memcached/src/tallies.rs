//! What is counted by size class: what clients did with its items, and what happened to those that nobody asked for.
//!
//! Invariant: for what is counted in all, too ([`crate::counts`]), the classes add up to that, since both were forgotten last.

use crate::classes::CLASSES;
use crate::clock::TICKS;

/// The tallies of those classes of which something has been counted: a shard where nothing has been keeps nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tallies(Option<Box<ByClass>>);

#[derive(Clone, Debug)]
struct ByClass {
    /// For each class one more than the number of its tally; zero if it has none.
    places: [u8; CLASSES],
    tallies: Vec<Tally>,
}

/// What is counted of a class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// What clients did, as the general report calls it.
    pub(crate) get_hits: u64,
    pub(crate) cmd_set: u64,
    pub(crate) delete_hits: u64,
    pub(crate) incr_hits: u64,
    pub(crate) decr_hits: u64,
    pub(crate) cas_hits: u64,
    pub(crate) cas_badval: u64,
    pub(crate) touch_hits: u64,
    /// Items that were given up, and those of them that would have expired, had not been read, and had been used more than
    /// once of late.
    pub(crate) evicted: u64,
    pub(crate) evicted_nonzero: u64,
    pub(crate) evicted_unfetched: u64,
    pub(crate) evicted_active: u64,
    /// Items for which there was no room.
    pub(crate) out_of_memory: u64,
    /// Items that expired and were not asked for since, and those of them that had not been read.
    pub(crate) reclaimed: u64,
    pub(crate) expired_unfetched: u64,
    /// When an item was given up last, and when that had been used last, in ticks.
    evicted_tick: u32,
    used_tick: u32,
}

impl Default for ByClass {
    fn default() -> Self {
        ByClass { places: [0; CLASSES], tallies: Vec::new() }
    }
}

impl Tallies {
    /// That of a class, to be added to.
    #[inline]
    pub(crate) fn of(&mut self, class: usize) -> &mut Tally {
        let by_class = self.0.get_or_insert_default();
        if by_class.places[class] == 0 {
            by_class.add(class);
        }
        &mut by_class.tallies[usize::from(by_class.places[class]) - 1]
    }

    /// That of a class, as it is; nothing if nothing has been counted of it.
    pub(crate) fn at(&self, class: usize) -> Option<Tally> {
        let by_class = self.0.as_ref()?;
        let place = usize::from(by_class.places[class]).checked_sub(1)?;
        by_class.tallies.get(place).copied()
    }

    /// Adds those of another shard.
    pub(crate) fn add(&mut self, other: &Tallies) {
        for class in 0..CLASSES {
            if let Some(tally) = other.at(class) {
                self.of(class).add(&tally);
            }
        }
    }
}

impl ByClass {
    #[cold]
    fn add(&mut self, class: usize) {
        self.tallies.push(Tally::default());
        self.places[class] = self.tallies.len() as u8;
    }
}

impl Tally {
    /// Takes note that an item is given up now that was used last at this tick.
    pub(crate) fn evicted(&mut self, used_tick: u32, now_tick: u32) {
        self.evicted += 1;
        (self.used_tick, self.evicted_tick) = (used_tick, now_tick);
    }

    /// How long ago the item had been used that was given up last, when it was, in seconds.
    pub(crate) fn evicted_time_s(&self) -> u32 {
        self.evicted_tick.saturating_sub(self.used_tick) / TICKS as u32
    }

    fn add(&mut self, other: &Tally) {
        self.get_hits += other.get_hits;
        self.cmd_set += other.cmd_set;
        self.delete_hits += other.delete_hits;
        self.incr_hits += other.incr_hits;
        self.decr_hits += other.decr_hits;
        self.cas_hits += other.cas_hits;
        self.cas_badval += other.cas_badval;
        self.touch_hits += other.touch_hits;
        self.evicted += other.evicted;
        self.evicted_nonzero += other.evicted_nonzero;
        self.evicted_unfetched += other.evicted_unfetched;
        self.evicted_active += other.evicted_active;
        self.out_of_memory += other.out_of_memory;
        self.reclaimed += other.reclaimed;
        self.expired_unfetched += other.expired_unfetched;
        if other.evicted_tick > self.evicted_tick {
            (self.used_tick, self.evicted_tick) = (other.used_tick, other.evicted_tick);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_add_up_and_the_latest_eviction_tells_the_time() {
        assert_eq!(size_of::<Tallies>(), size_of::<usize>(), "one where nothing has been counted");
        let (mut one, mut two) = (Tallies::default(), Tallies::default());
        one.of(3).evicted(0, 10 * TICKS as u32);
        two.of(3).evicted(18 * TICKS as u32, 20 * TICKS as u32);
        two.of(CLASSES - 1).out_of_memory += 1;
        for (mut sum, other) in [(one.clone(), &two), (two.clone(), &one)] {
            sum.add(other);
            let tally = sum.at(3).unwrap();
            assert_eq!((tally.evicted, tally.evicted_time_s()), (2, 2));
            assert_eq!(sum.at(CLASSES - 1).map(|tally| tally.out_of_memory), Some(1));
            assert_eq!(sum.at(8), None);
        }
    }
}
