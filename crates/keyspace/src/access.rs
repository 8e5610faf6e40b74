//! Access clocks: when, or how often, a key was used.
//!
//! An entry has 27 bits for it. Under LRU policies they are the time of the last access in units of 128 ms, which
//! go round after 198 days; under LFU policies, as in Redis, sixteen bits of minutes when the counter was last decayed
//! and eight bits of a logarithmic counter.

use crate::params::{Params, Policy};

const UNIT_SHIFT: u32 = 7;
/// By how much times of access may be wrong, in ms.
pub const RESOLUTION_MS: i64 = 1 << UNIT_SHIFT;
const CLOCK_MASK: u32 = (1 << structures::entry::CLOCK_BITS) - 1;
const MINUTE_MS: i64 = 60_000;
/// The counter of a new key: it shall not be the first to go.
const INITIAL_COUNTER: u32 = 5;

/// The clock of a key that has just been created.
#[inline]
pub fn initial(policy: Policy, now_ms: i64) -> u32 {
    if policy.is_lfu() { minutes(now_ms) << 8 | INITIAL_COUNTER } else { units(now_ms) }
}

/// The clock of a key with this clock that has just been used; `random` is a random number.
#[inline]
pub fn used(params: &Params, clock: u32, now_ms: i64, random: impl FnOnce() -> u64) -> u32 {
    if !params.policy.is_lfu() {
        return units(now_ms);
    }
    let counter = frequency(params, clock, now_ms);
    let base = counter.saturating_sub(INITIAL_COUNTER);
    let odds = u64::from(base) * u64::from(params.lfu_log_factor) + 1;
    let counter = if counter < 255 && random().is_multiple_of(odds) { counter + 1 } else { counter };
    minutes(now_ms) << 8 | counter
}

/// For how long a key has not been used, in ms.
pub fn idle_ms(clock: u32, now_ms: i64) -> i64 {
    i64::from(units(now_ms).wrapping_sub(clock) & CLOCK_MASK) << UNIT_SHIFT
}

/// The clock that says that a key has not been used for so long.
pub fn with_idle_ms(idle_ms: i64, now_ms: i64) -> u32 {
    units(now_ms - idle_ms)
}

/// How often a key has been used: the logarithmic counter, decayed to now.
pub fn frequency(params: &Params, clock: u32, now_ms: i64) -> u32 {
    let elapsed = minutes(now_ms).wrapping_sub(clock >> 8) & 0xFFFF;
    let decay = elapsed.checked_div(params.lfu_decay_minutes).unwrap_or(0);
    (clock & 0xFF).saturating_sub(decay)
}

/// The clock that says that a key has been used so often.
pub fn with_frequency(counter: u8, now_ms: i64) -> u32 {
    minutes(now_ms) << 8 | u32::from(counter)
}

#[inline]
fn units(now_ms: i64) -> u32 {
    (now_ms >> UNIT_SHIFT) as u32 & CLOCK_MASK
}

fn minutes(now_ms: i64) -> u32 {
    (now_ms / MINUTE_MS) as u32 & 0xFFFF
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_800_000_000_000;

    #[test]
    fn idle_time_is_counted_in_units() {
        let clock = initial(Policy::AllKeysLru, NOW_MS);
        assert_eq!(idle_ms(clock, NOW_MS), 0);
        assert_eq!(idle_ms(clock, NOW_MS + 12_800), 12_800);
        assert_eq!(idle_ms(clock, NOW_MS + 150 * 24 * 3_600_000) / 1000, 150 * 24 * 3600);
        assert_eq!(idle_ms(with_idle_ms(64_000, NOW_MS), NOW_MS), 64_000);
    }

    #[test]
    fn frequencies_grow_logarithmically_and_decay_by_the_minute() {
        let params = Params { policy: Policy::AllKeysLfu, ..Params::new(0) };
        let mut clock = initial(params.policy, NOW_MS);
        assert_eq!(frequency(&params, clock, NOW_MS), 5);
        let mut random = 1u64;
        for _ in 0..1000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            clock = used(&params, clock, NOW_MS, || random >> 33);
        }
        // Redis documents about 18 after a thousand accesses with factor 10.
        let counter = frequency(&params, clock, NOW_MS);
        assert!((12..25).contains(&counter), "{counter}");
        assert_eq!(frequency(&params, clock, NOW_MS + 5 * MINUTE_MS), counter - 5);
        assert_eq!(frequency(&params, clock, NOW_MS + 500 * MINUTE_MS), 0);
    }
}
