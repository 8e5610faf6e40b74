//! What happened to items of each size class that nobody asked for: they were given up, or expired, or found no room.
//!
//! Invariant: for what is counted in all, too ([`crate::counts`]), the classes add up to that, since both were forgotten last.
//!
//! Deliberately not here: hits by class. To know an item's class takes as long as a tenth of a `get`.

use crate::clock::TICKS;

/// By the number of the class, as far as something has happened there: a node where nothing has keeps nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Losses(Vec<Loss>);

/// What happened to the items of a class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Loss {
    /// Items that were given up, and those of them that would have expired, had not been read, and had been used more than
    /// once of late.
    pub(crate) evicted: u64,
    pub(crate) evicted_nonzero: u64,
    pub(crate) evicted_unfetched: u64,
    pub(crate) evicted_active: u64,
    /// Items for which there was no room.
    pub(crate) out_of_memory: u64,
    /// Items that had expired, and those of them that had not been read.
    pub(crate) reclaimed: u64,
    pub(crate) expired_unfetched: u64,
    /// When an item was given up last, and when that had been used last, in ticks.
    evicted_tick: u32,
    used_tick: u32,
}

impl Losses {
    /// Those of a class, to be added to.
    pub(crate) fn of(&mut self, class: usize) -> &mut Loss {
        if self.0.len() <= class {
            self.0.resize(class + 1, Loss::default());
        }
        &mut self.0[class]
    }

    /// Those of a class, as they are.
    pub(crate) fn at(&self, class: usize) -> Loss {
        self.0.get(class).copied().unwrap_or_default()
    }

    /// Adds those of another shard.
    pub(crate) fn add(&mut self, other: &Losses) {
        for (class, loss) in other.0.iter().enumerate() {
            self.of(class).add(loss);
        }
    }
}

impl Loss {
    /// Takes note that an item is given up now that was used last at this tick.
    pub(crate) fn evicted(&mut self, used_tick: u32, now_tick: u32) {
        self.evicted += 1;
        (self.used_tick, self.evicted_tick) = (used_tick, now_tick);
    }

    /// How long ago the item had been used that was given up last, when it was, in seconds.
    pub(crate) fn evicted_time_s(&self) -> u32 {
        self.evicted_tick.saturating_sub(self.used_tick) / TICKS as u32
    }

    fn add(&mut self, other: &Loss) {
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
        let (mut one, mut two) = (Losses::default(), Losses::default());
        one.of(3).evicted(0, 10 * TICKS as u32);
        two.of(3).evicted(18 * TICKS as u32, 20 * TICKS as u32);
        two.of(7).out_of_memory += 1;
        for (mut sum, other) in [(one.clone(), &two), (two.clone(), &one)] {
            sum.add(other);
            assert_eq!((sum.at(3).evicted, sum.at(3).evicted_time_s()), (2, 2));
            assert_eq!((sum.at(7).out_of_memory, sum.at(8)), (1, Loss::default()));
        }
    }
}
