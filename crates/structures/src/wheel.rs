//! Which keys are due when.
//!
//! A wheel of time: for every time at which something is to be looked at, 32 bits of the hash of each key concerned.
//! That costs four to eight bytes a key, and nothing while nothing is due. Far expiries stand under a coarse time
//! before them and are moved to a finer one when it comes; a key whose expiry has moved away meanwhile is moved along,
//! and one that has gone is forgotten.
//!
//! Invariants: for every key that expires there is a record at a time at or before the tick after its expiry. There may
//! be records without a key: [`Wheel::is_littered`] says when a new wheel pays. `records` and `heap_bytes` are the sums
//! over all times.

use crate::block;
use std::collections::BTreeMap;

/// The finest distinction, in ms: keys go by themselves at most so long after their time.
const TICK_MS: i64 = 64;
/// Each level of the wheel distinguishes times this many times less finely than the one before.
const LEVEL_SHIFT: u32 = 6;
/// No level is coarser than two years.
const COARSEST_MS: i64 = TICK_MS << (LEVEL_SHIFT * 5);
/// The latest time that is told apart from later ones: no clock gets there.
const LATEST_MS: i64 = i64::MAX / 4;

/// Records that are allocated together: nothing is copied when there are more, and little is spare.
const CHUNK: usize = 256;
/// About what a time takes beside its records, in bytes: nodes of the tree are half full or more.
const TIME_BYTES: usize = 2 * (size_of::<i64>() + size_of::<Records>());

/// The wheel of one database of a shard.
#[derive(Debug, Default)]
pub struct Wheel {
    due: BTreeMap<i64, Records>,
    records: usize,
    heap_bytes: usize,
}

/// The records of one time. There is at least one; all chunks but the last are full.
#[derive(Debug, Default)]
struct Records {
    chunks: Vec<Vec<u32>>,
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
        self.heap_bytes += self.due.entry(due).or_default().push(fragment);
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
        let records = first.get_mut();
        let (fragment, bytes) = records.pop()?;
        self.heap_bytes -= bytes;
        if records.chunks.is_empty() {
            first.remove();
        }
        self.records -= 1;
        Some(fragment)
    }

    /// A record drawn from all, with the number `random`.
    pub fn draw(&self, random: u64) -> Option<u32> {
        let mut index = ((u128::from(random) * self.records as u128) >> 64) as usize;
        self.due.values().find_map(|records| match records.get(index) {
            Some(fragment) => Some(fragment),
            None => {
                index -= records.len();
                None
            }
        })
    }

    /// Whether there are so many more records than the `keys` that expire that a new wheel pays: it costs a look at
    /// `all` keys.
    #[inline]
    pub fn is_littered(&self, keys: usize, all: usize) -> bool {
        self.records > 2 * keys + all / 8 + 1024
    }

    /// What the wheel takes from the allocator, in bytes.
    #[inline]
    pub fn heap_bytes(&self) -> usize {
        self.heap_bytes
    }

    /// Checks the invariants that no key is needed for; for tests.
    pub fn check_invariants(&self) {
        let (mut count, mut bytes) = (0, 0);
        for records in self.due.values() {
            let (last, full) = records.chunks.split_last().expect("a time has records");
            assert!(!last.is_empty() && last.len() <= CHUNK && full.iter().all(|chunk| chunk.len() == CHUNK));
            count += records.chunks.iter().map(Vec::len).sum::<usize>();
            let chunks = records.chunks.iter().map(|chunk| block::class(4 * chunk.capacity()));
            bytes += TIME_BYTES + block::class(size_of::<Vec<u32>>() * records.chunks.capacity());
            bytes += chunks.sum::<usize>();
        }
        assert_eq!((count, bytes), (self.records, self.heap_bytes));
    }
}

impl Records {
    #[inline]
    fn len(&self) -> usize {
        self.chunks.last().map_or(0, |last| (self.chunks.len() - 1) * CHUNK + last.len())
    }

    fn get(&self, index: usize) -> Option<u32> {
        self.chunks.get(index / CHUNK)?.get(index % CHUNK).copied()
    }

    /// Adds a record; gives how many bytes more are taken from the allocator.
    #[inline]
    fn push(&mut self, fragment: u32) -> usize {
        match self.chunks.last_mut() {
            Some(last) if last.len() < last.capacity() => {
                last.push(fragment);
                0
            }
            _ => {
                let before = self.heap_bytes();
                self.push_and_grow(fragment);
                self.heap_bytes() - before
            }
        }
    }

    #[cold]
    fn push_and_grow(&mut self, fragment: u32) {
        match self.chunks.last_mut() {
            Some(last) if last.len() < CHUNK => last.push(fragment),
            Some(_) => {
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push(fragment);
                self.chunks.push(chunk);
            }
            // The first grows from four records on: most times have few.
            None => {
                self.chunks.reserve_exact(1);
                self.chunks.push(vec![fragment]);
            }
        }
    }

    /// Takes a record out; gives also how many bytes go back to the allocator.
    #[inline]
    fn pop(&mut self) -> Option<(u32, usize)> {
        let last = self.chunks.last_mut()?;
        if last.len() > 1 {
            return Some((last.pop()?, 0));
        }
        let before = self.heap_bytes();
        let fragment = self.chunks.pop()?.pop()?;
        Some((fragment, before - self.heap_bytes()))
    }

    /// What they and their time take from the allocator, in bytes; nothing where there are none.
    #[inline]
    fn heap_bytes(&self) -> usize {
        let Some(last) = self.chunks.last() else { return 0 };
        let chunks = (self.chunks.len() - 1) * block::class(4 * CHUNK) + block::class(4 * last.capacity());
        TIME_BYTES + block::class(size_of::<Vec<u32>>() * self.chunks.capacity()) + chunks
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

    #[test]
    fn a_million_expiries_take_little_more_than_their_records() {
        let mut wheel = Wheel::default();
        for number in 0..1_000_000 {
            wheel.add(number, None, NOW_MS + 50_000_000 + i64::from(number % 50_000) * 1000, NOW_MS);
        }
        let bytes = wheel.heap_bytes() as f64 / 1_000_000.0;
        assert!((4.0..4.3).contains(&bytes), "{bytes} bytes each");
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
                wheel.check_invariants();
            }
        }

        /// Records come and go by hundreds; what the wheel takes is known throughout.
        #[test]
        fn what_it_takes_is_known(
            steps in prop::collection::vec((0usize..900, 0i64..100_000, 0usize..900), 1..40),
            random: u64,
        ) {
            let mut wheel = Wheel::default();
            let mut model: Vec<u32> = Vec::new();
            for (more, after_ms, less) in steps {
                for _ in 0..more {
                    let fragment = model.len() as u32;
                    wheel.add(fragment, None, NOW_MS + after_ms, NOW_MS);
                    model.push(fragment);
                }
                wheel.check_invariants();
                if let Some(fragment) = wheel.draw(random) {
                    prop_assert!(model.contains(&fragment));
                }
                for _ in 0..less {
                    if let Some(fragment) = wheel.pop(i64::MAX) {
                        let at = model.iter().position(|&own| own == fragment);
                        model.swap_remove(at.expect("it was put in"));
                    }
                }
                wheel.check_invariants();
                prop_assert_eq!(wheel.records, model.len());
            }
            while wheel.pop(i64::MAX).is_some() {}
            prop_assert_eq!(wheel.heap_bytes(), 0);
        }
    }
}
