//! The cloud's clock: the only file of this crate that reads the system's time.
//!
//! Everything that depends on time (a task's duration, a token's expiry, a record's date) asks a [`Clock`], so that
//! a clock can be frozen, advanced or sped up without anyone noticing. Times are milliseconds since 1970 in UTC.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::Pending;

/// What time it is in the cloud.
pub trait Clock: Send + Sync + 'static {
    /// The cloud's time.
    fn now_ms(&self) -> u64;

    /// The time that other programs on this machine see, which a client signs its requests with. It is the cloud's
    /// time unless that was frozen or moved.
    fn machine_ms(&self) -> u64 {
        self.now_ms()
    }

    /// Waits until the cloud's time is `at_ms` or later.
    fn sleep_until(&self, at_ms: u64) -> Pending<'_, ()>;

    /// How many thousandths of real time pass by this clock: 1000 as a rule, 0 while it stands still.
    fn rate(&self) -> u64 {
        1000
    }

    /// Moves the clock or changes its rate, for everything that goes by it. Whether it can be steered.
    fn steer(&self, _: Steering) -> bool {
        false
    }
}

/// What becomes of a clock; first its rate changes, then it moves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Steering {
    /// How many thousandths of real time are to pass from now on.
    pub rate: Option<u64>,
    /// By how much it moves forward.
    pub advance_ms: u64,
}

/// The system's time, as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    // This is the place where the cloud reads the time.
    #[allow(clippy::disallowed_methods)]
    fn now_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    fn sleep_until(&self, at_ms: u64) -> Pending<'_, ()> {
        Box::pin(async move {
            // The system's time may be set back while waiting.
            while let Some(left_ms) = at_ms.checked_sub(self.now_ms()).filter(|left_ms| *left_ms > 0) {
                tokio::time::sleep(Duration::from_millis(left_ms)).await;
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_system_clock_moves_and_wakes_sleepers() {
        let before_ms = SystemClock.now_ms();
        assert!(before_ms > 1_600_000_000_000, "{before_ms}");
        SystemClock.sleep_until(before_ms + 5).await;
        assert!(SystemClock.now_ms() >= before_ms + 5);
        SystemClock.sleep_until(0).await;
    }
}
