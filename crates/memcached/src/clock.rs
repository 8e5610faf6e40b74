//! Time as a node counts it.
//!
//! Items expire by whole seconds since a moment shortly before the node began, as in memcached, so that no time is zero. A
//! second begins when a whole number of them has passed since the node began, wherever that lies in those of the calendar.

/// Longest time that is taken for one from now on, in seconds: what is later is since the epoch.
const LONGEST_S: i64 = 60 * 60 * 24 * 30;
/// Seconds that had passed when a node begins.
const HEAD_START_S: i64 = BEGIN as i64;
/// The second at which a node begins.
pub(crate) const BEGIN: u32 = 62;
/// Ticks in a second, by which it is told which item was used longer ago.
pub const TICKS: i64 = 32;

/// How a node counts.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// Second zero, in ms since the epoch.
    zero_ms: i64,
}

/// A moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// In ms since the epoch.
    pub ms: i64,
    /// The second of the node.
    pub second: u32,
    /// In [`TICKS`] of a second since the node's second zero.
    pub tick: u32,
}

impl Clock {
    /// Begins at this time, in ms since the epoch.
    pub fn new(now_ms: i64) -> Self {
        Clock { zero_ms: now_ms - HEAD_START_S * 1000 }
    }

    /// A moment, given in ms since the epoch.
    #[inline]
    pub fn at(&self, ms: i64) -> Now {
        let since_ms = (ms - self.zero_ms).max(0);
        Now { ms, second: (since_ms / 1000) as u32, tick: (since_ms * TICKS / 1000) as u32 }
    }

    /// When a second of the node is, in ms since the epoch.
    #[inline]
    pub fn ms(&self, second: u32) -> i64 {
        self.zero_ms + i64::from(second) * 1000
    }

    /// Second zero, in whole seconds since the epoch.
    #[inline]
    fn zero_s(&self) -> i64 {
        self.zero_ms.div_euclid(1000)
    }

    /// When a second of the node is, in seconds since the epoch.
    #[inline]
    pub fn since_epoch_s(&self, second: u32) -> i64 {
        self.zero_s() + i64::from(second)
    }

    /// The second of a time in seconds since the epoch; one for what was before the node began.
    #[inline]
    pub fn of_epoch_s(&self, at_s: i64) -> u32 {
        u32::try_from((at_s - self.zero_s()).max(1)).unwrap_or(u32::MAX)
    }

    /// When an item expires of which a client says so: in seconds from now on, or since the epoch if that is long; zero
    /// for never, and negative for what has expired already.
    #[inline]
    pub fn expiry(&self, exptime: i64, now: Now) -> u32 {
        match exptime {
            0 => 0,
            ..0 => 1,
            _ if exptime > LONGEST_S => self.of_epoch_s(exptime),
            _ => now.second.saturating_add(exptime as u32),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_from_now_on_or_since_the_epoch() {
        let clock = Clock::new(1_800_000_000_500);
        let now = clock.at(1_800_000_010_250);
        assert_eq!((now.second, now.tick), (71, 71 * 32 + 24), "it is not ten seconds later");
        for (exptime, want) in [
            (0, 0),
            (-1, 1),
            (1, 72),
            (LONGEST_S, 71 + LONGEST_S as u32),
            (LONGEST_S + 1, 1),
            (1_800_000_020, 82),
            (i64::MAX, u32::MAX),
        ] {
            assert_eq!(clock.expiry(exptime, now), want, "{exptime}");
        }
        assert_eq!(clock.ms(72), 1_800_000_010_500);
        assert_eq!(clock.since_epoch_s(82), 1_800_000_020);
    }
}
