//! The one clock of the program: the cloud's tasks, tokens and schedules go by it, and so do the keys of all nodes.

use std::sync::Arc;

use cloud::Pending;
use cloud::clock::{Clock, Steering};

/// The clock of the nodes, as the cloud reads it.
pub(crate) struct SharedClock(pub(crate) Arc<server::Clock>);

fn unsigned(ms: i64) -> u64 {
    u64::try_from(ms).unwrap_or(0)
}

impl Clock for SharedClock {
    fn now_ms(&self) -> u64 {
        unsigned(self.0.wall_ms())
    }

    fn machine_ms(&self) -> u64 {
        unsigned(self.0.real_ms())
    }

    fn sleep_until(&self, at_ms: u64) -> Pending<'_, ()> {
        Box::pin(self.0.sleep_until(i64::try_from(at_ms).unwrap_or(i64::MAX)))
    }

    fn rate(&self) -> u64 {
        self.0.rate()
    }

    fn steer(&self, steering: Steering) -> bool {
        if let Some(rate) = steering.rate {
            self.0.set_rate(rate);
        }
        self.0.advance_us(i64::try_from(steering.advance_ms.saturating_mul(1000)).unwrap_or(i64::MAX));
        true
    }
}
