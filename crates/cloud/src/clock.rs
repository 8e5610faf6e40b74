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
