//! Which keys are due when.
//!
//! A wheel of time: for every time at which something is to be looked at, 32 bits of the hash of each key concerned.
//! That costs four to eight bytes a key, and nothing while nothing is due. Far expiries stand under a coarse time
//! before them and are moved to a finer one when it comes; a key whose expiry has moved away meanwhile is moved along,
//! and one that has gone is forgotten.
//!
//! Invariant: for every key that expires there is a record at a time at or before the tick after its expiry. There may
//! be records without a key: [`Wheel::is_littered`] says when a new wheel pays.

use std::collections::BTreeMap;

/// The finest distinction, in ms: keys go by themselves at most so long after their time.
const TICK_MS: i64 = 64;
/// Each level of the wheel distinguishes times this many times less finely than the one before.
const LEVEL_SHIFT: u32 = 6;
/// No level is coarser than two years.
const COARSEST_MS: i64 = TICK_MS << (LEVEL_SHIFT * 5);
/// The latest time that is told apart from later ones: no clock gets there.
const LATEST_MS: i64 = i64::MAX / 4;

/// The wheel of one database of a shard.
#[derive(Debug, Default)]
pub struct Wheel {
    due: BTreeMap<i64, Vec<u32>>,
    records: usize,
}

/// What of a hash a record keeps; `skip` bits in front are the same for all keys of the shard.
#[inline]
pub fn fragment(hash: u64, skip: u8) -> u32 {
    ((hash << skip) >> 32) as u32
}

/// The time under which an expiry is recorded, as seen from now.
#[inline]
fn due_at(at_ms: i64, now_ms: i64) -> i64 {
    let at_ms = at_ms.min(LATEST_MS);
    let mut unit_ms = TICK_MS;
    while at_ms - now_ms >= unit_ms << LEVEL_SHIFT && unit_ms < COARSEST_MS {
        unit_ms <<= LEVEL_SHIFT;
    }
    if unit_ms == TICK_MS {
        // The tick after the expiry.
        at_ms.max(now_ms).div_euclid(TICK_MS) * TICK_MS + TICK_MS
    } else {
        at_ms.div_euclid(unit_ms) * unit_ms
    }
}

impl Wheel {
    /// Records that a key expires. `old_ms` is its former expiry, for which there is a record already; gives the time
    /// at which the wheel is to be asked, if that is new.
    pub fn add(&mut self, fragment: u32, old_ms: Option<i64>, at_ms: i64, now_ms: i64) -> Option<i64> {
        let due = due_at(at_ms, now_ms);
        // An earlier record moves the key along when its time comes.
        if old_ms.is_some_and(|old_ms| due_at(old_ms, now_ms) <= due) {
            return None;
        }
        self.due.entry(due).or_default().push(fragment);
        self.records += 1;
        Some(due)
    }

    /// The earliest time at which something is to be looked at.
    #[inline]
    pub fn first_ms(&self) -> Option<i64> {
        self.due.first_key_value().map(|(&due, _)| due)
    }

    /// Takes out a record whose time has come.
    #[inline]
    pub fn pop(&mut self, now_ms: i64) -> Option<u32> {
        let mut first = self.due.first_entry().filter(|first| *first.key() <= now_ms)?;
        let fragment = first.get_mut().pop();
        if first.get().is_empty() {
            first.remove();
        }
        self.records -= usize::from(fragment.is_some());
        fragment
    }

    /// A record drawn from all, with the number `random`.
    pub fn draw(&self, random: u64) -> Option<u32> {
        let mut index = ((u128::from(random) * self.records as u128) >> 64) as usize;
        self.due.values().find_map(|fragments| match fragments.get(index) {
            Some(&fragment) => Some(fragment),
            None => {
                index -= fragments.len();
                None
            }
        })
    }

    /// Whether there are so many more records than the `keys` that expire that a new wheel pays.
    #[inline]
    pub fn is_littered(&self, keys: usize) -> bool {
        self.records > 2 * keys + 1024
    }

    /// What the wheel takes from the allocator, in bytes.
    pub fn heap_bytes(&self) -> usize {
        self.due.values().map(|fragments| structures::block::class(4 * fragments.capacity()) + 40).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    const NOW_MS: i64 = 1_800_000_000_000;

    #[test]
    fn near_expiries_are_due_within_a_tick_and_far_ones_are_looked_at_before() {
        for after_ms in [0, 1, 63, 64, 1000, 4000] {
            let due = due_at(NOW_MS + after_ms, NOW_MS);
            assert!((1..=TICK_MS).contains(&(due - NOW_MS - after_ms)), "{after_ms}");
        }
        for after_ms in [5_000, 3_600_000, 86_400_000 * 30, 86_400_000 * 36_500] {
            let due = due_at(NOW_MS + after_ms, NOW_MS);
            assert!(due <= NOW_MS + after_ms && due > NOW_MS, "{after_ms} is looked at {}", due - NOW_MS);
        }
        assert!(due_at(i64::MAX, NOW_MS) > NOW_MS);
        assert!(due_at(-5, NOW_MS) - NOW_MS <= TICK_MS);
    }

    #[test]
    fn renewing_an_expiry_over_and_over_takes_no_memory() {
        let mut wheel = Wheel::default();
        let mut old = None;
        for step in 0..100_000 {
            let now_ms = NOW_MS + step;
            wheel.add(7, old, now_ms + 86_400_000, now_ms);
            old = Some(now_ms + 86_400_000);
        }
        assert!(wheel.records < 5, "{} records of one key", wheel.records);
    }

    proptest! {
        /// Keys come with expiries, are renewed and go; time passes; whoever asks the wheel at the times that it gave
        /// sees every expiry within a tick.
        #[test]
        fn nothing_is_missed(
            steps in prop::collection::vec(
                (0u32..20, prop_oneof![Just(None), (0i64..500_000).prop_map(Some), (0i64..900).prop_map(Some)], 0i64..3_000),
                1..200,
            )
        ) {
            let mut wheel = Wheel::default();
            let mut model: HashMap<u32, i64> = HashMap::new();
            let mut now_ms = NOW_MS;
            for (key, expiry, pass_ms) in steps {
                match expiry {
                    Some(after_ms) => {
                        let at_ms = now_ms + after_ms;
                        wheel.add(key, model.insert(key, at_ms), at_ms, now_ms);
                    }
                    None => { model.remove(&key); }
                }
                let until_ms = now_ms + pass_ms;
                while let Some(due_ms) = wheel.first_ms().filter(|&due_ms| due_ms <= until_ms) {
                    now_ms = now_ms.max(due_ms);
                    while let Some(key) = wheel.pop(now_ms) {
                        match model.get(&key) {
                            Some(&at_ms) if at_ms <= now_ms => { model.remove(&key); }
                            Some(&at_ms) => { wheel.add(key, None, at_ms, now_ms); }
                            None => {}
                        }
                    }
                    for at_ms in model.values() {
                        prop_assert!(*at_ms + TICK_MS > now_ms);
                    }
                }
                now_ms = until_ms;
            }
        }
    }
}
