//! How long executions of a command took.
//!
//! A log-linear histogram: sixteen buckets for each power of two, so that a value is known to a sixteenth of itself.
//! Values are ticks of the processor's counter, and become nanoseconds when somebody asks. There is one writer; the
//! buckets of a power of two are allocated when the first value falls into them, so that a command that always takes
//! about as long costs about a kilobyte.

use crate::stats::Counter;
use std::sync::OnceLock;

/// Buckets of a power of two.
const BUCKETS: usize = 16;
const BUCKET_BITS: u32 = BUCKETS.trailing_zeros();
/// Powers of two that are told apart: up to some seconds.
const POWERS: usize = 32;

/// A histogram; see the module.
#[derive(Debug, Default)]
pub struct Histogram([OnceLock<Box<[Counter; BUCKETS]>>; POWERS]);

impl Histogram {
    /// Counts a value. Only the one writer does.
    #[inline]
    pub fn add(&self, ticks: u64) {
        let (power, bucket) = place(ticks);
        self.0[power].get_or_init(Box::default)[bucket].add(1);
    }

    /// Numbers of buckets, and how many values fell into each.
    fn buckets(&self) -> impl Iterator<Item = (usize, u64)> {
        let powers = self.0.iter().enumerate().filter_map(|(power, counts)| Some((power, counts.get()?)));
        powers.flat_map(|(power, counts)| {
            counts.iter().enumerate().map(move |(bucket, count)| (power * BUCKETS + bucket, count.get()))
        })
    }
}

/// The power and the bucket that a value falls into.
#[inline]
fn place(ticks: u64) -> (usize, usize) {
    // The first bits of the value, but the first one.
    let bits = (64 - (ticks | (BUCKETS as u64 - 1)).leading_zeros()) - BUCKET_BITS;
    let power = bits as usize;
    if power >= POWERS {
        return (POWERS - 1, BUCKETS - 1);
    }
    let shift = bits.saturating_sub(1);
    (power, (ticks >> shift) as usize % BUCKETS)
}

/// The highest value that falls into a bucket.
fn highest(index: usize) -> u64 {
    let (power, bucket) = (index / BUCKETS, (index % BUCKETS) as u64);
    match power {
        0 => bucket,
        _ => ((BUCKETS as u64 + bucket + 1) << (power - 1)) - 1,
    }
}

/// The sum of histograms, to be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Durations {
    counts: Box<[u64]>,
    ns_per_giga_tick: u64,
}

/// The longest duration that is told, in ns, as in Redis.
const LONGEST_NS: u64 = 1_000_000_000;
/// The shortest interval of a distribution, in ns; each further one is twice as long. What Redis' histograms cannot
/// tell from an interval's end, they count to it.
const FIRST_INTERVAL_NS: u64 = 1024 + 8;

impl Durations {
    /// Nothing, with this many ns in a billion ticks.
    pub fn new(ns_per_giga_tick: u64) -> Self {
        Durations { counts: vec![0; POWERS * BUCKETS].into(), ns_per_giga_tick }
    }

    /// Adds a histogram.
    pub fn add(&mut self, histogram: &Histogram) {
        for (index, count) in histogram.buckets() {
            self.counts[index] += count;
        }
    }

    /// Takes away what was counted before.
    pub fn subtract(&mut self, before: &Durations) {
        for (count, before) in self.counts.iter_mut().zip(&before.counts) {
            *count = count.saturating_sub(*before);
        }
    }

    /// The number of values.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Durations in ns, ascending, and how many were about as long.
    fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        self.counts.iter().enumerate().filter(|(_, count)| **count > 0).map(|(index, &count)| {
            let ns = u128::from(highest(index)) * u128::from(self.ns_per_giga_tick) / 1_000_000_000;
            ((ns as u64).clamp(1, LONGEST_NS), count)
        })
    }

    /// The duration, in ns, that so many percent of all do not exceed.
    pub fn percentile_ns(&self, percent: f64) -> u64 {
        let wanted = ((percent / 100.0 * self.count() as f64).ceil() as u64).max(1);
        let mut seen = 0;
        self.iter()
            .find(|(_, count)| {
                seen += count;
                seen >= wanted
            })
            .map_or(0, |(ns, _)| ns)
    }

    /// The distribution: how many took at most this many microseconds, for each power of two that adds to the number
    /// before.
    pub fn distribution_us(&self) -> Vec<(u64, u64)> {
        let mut distribution: Vec<(u64, u64)> = Vec::new();
        let (mut interval_ns, mut seen) = (FIRST_INTERVAL_NS, 0);
        for (ns, count) in self.iter() {
            while ns >= interval_ns {
                interval_ns *= 2;
            }
            seen += count;
            let interval_us = (interval_ns - 1) / 1000;
            match distribution.last_mut() {
                Some(last) if last.0 == interval_us => last.1 = seen,
                _ => distribution.push((interval_us, seen)),
            }
        }
        distribution
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// One tick a nanosecond.
    const RATE: u64 = 1_000_000_000;

    fn durations(values: &[u64]) -> Durations {
        let histogram = Histogram::default();
        values.iter().for_each(|&ticks| histogram.add(ticks));
        let mut durations = Durations::new(RATE);
        durations.add(&histogram);
        durations
    }

    #[test]
    fn percentiles_and_distribution_follow_from_the_values() {
        let mut all = durations(&[900, 3000, 3000, 7000, 60_000]);
        assert_eq!(all.count(), 5);
        assert_eq!(all.distribution_us(), [(1, 1), (4, 3), (8, 4), (66, 5)]);
        for (percent, about) in [(0.0, 900), (50.0, 3000), (80.0, 7000), (99.0, 60_000), (100.0, 60_000)] {
            let ns = all.percentile_ns(percent);
            assert!((about..about + about / 15).contains(&ns), "p{percent} is {ns}");
        }
        all.subtract(&durations(&[3000, 60_000]));
        assert_eq!(all.distribution_us(), [(1, 1), (4, 2), (8, 3)]);
        assert_eq!(durations(&[]).percentile_ns(50.0), 0);
        assert_eq!(durations(&[0, u64::MAX]).distribution_us(), [(1, 1), (1_082_130, 2)]);
    }

    proptest! {
        #[test]
        fn a_bucket_is_at_most_a_sixteenth_above_the_value(value in prop_oneof![0u64..100_000, 0u64..1 << 34]) {
            let (power, bucket) = place(value);
            let highest = highest(power * BUCKETS + bucket);
            prop_assert!(highest >= value && highest - value <= value / 16, "{value} counts as {highest}");
            prop_assert_eq!(place(highest), (power, bucket));
            prop_assert!(place(highest + 1) > (power, bucket));
        }
    }
}
