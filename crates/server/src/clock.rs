//! The clock: the only place where the system's time is read.
//!
//! A clock can be frozen, moved and run faster than real time; whoever sleeps on it wakes by its time.

#![allow(clippy::disallowed_methods, reason = "this is the clock")]

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};
use structures::ranked::Mutex;
use structures::ticks;
use tokio::sync::Notify;

/// A wall clock that can be steered, and a clock for durations that cannot.
#[derive(Debug)]
pub struct Clock {
    start: Instant,
    start_ticks: u64,
    /// The wall clock is `base_us + (real - anchor_us) * rate / 1000`.
    base_us: AtomicI64,
    anchor_us: AtomicI64,
    /// Thousandths of real time that pass by this clock.
    rate: AtomicU64,
    steering: Mutex<()>,
    steered: Notify,
}

/// Real time.
const REAL_RATE: u64 = 1000;

impl Default for Clock {
    fn default() -> Self {
        Clock::new()
    }
}

impl Clock {
    /// A clock that shows real time.
    pub fn new() -> Self {
        Clock {
            start: Instant::now(),
            start_ticks: ticks::now(),
            base_us: AtomicI64::new(0),
            anchor_us: AtomicI64::new(0),
            rate: AtomicU64::new(REAL_RATE),
            steering: Mutex::new(()),
            steered: Notify::new(),
        }
    }

    /// The wall clock, in microseconds since the epoch.
    #[inline]
    pub fn wall_us(&self) -> i64 {
        let rate = self.rate.load(Ordering::Acquire);
        let (base_us, anchor_us) =
            (self.base_us.load(Ordering::Acquire), self.anchor_us.load(Ordering::Acquire));
        let real_us = real_us();
        if rate == REAL_RATE {
            return base_us + (real_us - anchor_us);
        }
        base_us + ((i128::from(real_us - anchor_us) * i128::from(rate)) / 1000) as i64
    }

    /// The wall clock, in ms since the epoch.
    pub fn wall_ms(&self) -> i64 {
        self.wall_us().div_euclid(1000)
    }

    /// Nanoseconds in a billion ticks of the processor's counter, by what has passed since the clock was made.
    pub fn ns_per_giga_tick(&self) -> u64 {
        let passed = ticks::now().wrapping_sub(self.start_ticks).max(1);
        let passed_ns = self.start.elapsed().as_nanos();
        (passed_ns * 1_000_000_000 / u128::from(passed)) as u64
    }

    /// The time that other programs see, in ms since the epoch.
    pub fn real_ms(&self) -> i64 {
        real_us().div_euclid(1000)
    }

    /// How many thousandths of real time pass by this clock.
    pub fn rate(&self) -> u64 {
        self.rate.load(Ordering::Acquire)
    }

    /// Moves the clock forward, or back.
    pub fn advance_us(&self, by_us: i64) {
        let _steering = self.steering.lock();
        self.base_us.fetch_add(by_us, Ordering::AcqRel);
        self.steered.notify_waiters();
    }

    /// Lets the clock run so many times faster than real time, in thousandths; zero freezes it.
    pub fn set_rate(&self, thousandths: u64) {
        let _steering = self.steering.lock();
        let now_us = self.wall_us();
        self.base_us.store(now_us, Ordering::Release);
        self.anchor_us.store(real_us(), Ordering::Release);
        self.rate.store(thousandths, Ordering::Release);
        self.steered.notify_waiters();
    }

    /// Sleeps until the clock shows this time, in ms since the epoch.
    pub async fn sleep_until(&self, at_ms: i64) {
        loop {
            // Registered before the clock is read, so that no steering goes unnoticed.
            let mut steered = std::pin::pin!(self.steered.notified());
            steered.as_mut().enable();
            let left_us = at_ms.saturating_mul(1000).saturating_sub(self.wall_us());
            if left_us <= 0 {
                return;
            }
            match self.rate.load(Ordering::Acquire) {
                0 => steered.await,
                rate => {
                    let real_us = (left_us as u128 * 1000).div_ceil(u128::from(rate));
                    // Timers have a longest time; a clock that is asked again does not mind.
                    let real = Duration::from_micros(real_us.min(1 << 50) as u64);
                    tokio::select! {
                        () = tokio::time::sleep(real) => {}
                        () = steered => {}
                    }
                }
            }
        }
    }
}

fn real_us() -> i64 {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since_epoch.as_micros() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_can_be_frozen_moved_and_run_faster() {
        let clock = Clock::new();
        assert!((clock.wall_us() - real_us()).abs() < 5_000_000);
        clock.set_rate(0);
        let frozen = clock.wall_us();
        assert_eq!(clock.wall_us(), frozen);
        clock.advance_us(1_000_000);
        assert_eq!(clock.wall_us(), frozen + 1_000_000);
        clock.set_rate(1_000_000);
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(2) {}
        assert!(clock.wall_us() >= frozen + 1_000_000 + 2_000_000);
    }

    #[test]
    fn the_rate_of_ticks_is_found() {
        let clock = Clock::new();
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(20) {}
        let ticks = ticks::now();
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(20) {}
        let ns =
            (u128::from(ticks::now() - ticks) * u128::from(clock.ns_per_giga_tick()) / 1_000_000_000) as u64;
        assert!((15_000_000..200_000_000).contains(&ns), "20 ms were {ns} ns");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn sleepers_wake_by_the_clock_not_by_real_time() {
        let clock = Clock::new();
        clock.set_rate(0);
        let at_ms = clock.wall_ms() + 3_600_000;
        let sleep = clock.sleep_until(at_ms);
        let steer = async {
            tokio::task::yield_now().await;
            clock.advance_us(3_601_000_000);
        };
        tokio::join!(sleep, steer);
        assert!(clock.wall_ms() >= at_ms);
    }
}
