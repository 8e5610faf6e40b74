//! How busy instances are: how much of the time since they were asked last their commands have run.

use std::collections::HashMap;

use parking_lot::Mutex;

/// Who asks again sooner is told the same, in ms.
const INTERVAL_MS: u64 = 1_000;

/// What instances had done when they were asked last.
#[derive(Default)]
pub(crate) struct Busyness(Mutex<HashMap<String, Sample>>);

#[derive(Clone, Copy)]
struct Sample {
    at_ms: u64,
    busy_us: u64,
    percent: f64,
}

impl Busyness {
    /// How busy an instance is, in percent of one processor, that runs since `since_ms` and has been busy for `busy_us`.
    pub(crate) fn percent(&self, id: &str, since_ms: u64, now_ms: u64, busy_us: u64) -> f64 {
        let mut samples = self.0.lock();
        let last = samples.get(id).copied().filter(|last| last.busy_us <= busy_us);
        let last = last.unwrap_or(Sample { at_ms: since_ms, busy_us: 0, percent: 0.0 });
        let passed_ms = now_ms.saturating_sub(last.at_ms);
        if passed_ms < INTERVAL_MS {
            return last.percent;
        }
        let percent = (busy_us - last.busy_us) as f64 / passed_ms as f64 / 10.0;
        samples.insert(id.to_owned(), Sample { at_ms: now_ms, busy_us, percent });
        percent
    }

    /// Forgets an instance.
    pub(crate) fn forget(&self, id: &str) {
        self.0.lock().remove(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_since_the_last_time_counts() {
        let busyness = Busyness::default();
        // A quarter of two seconds.
        assert_eq!(busyness.percent("a", 1_000, 3_000, 500_000), 25.0);
        assert_eq!(busyness.percent("a", 1_000, 3_500, 900_000), 25.0, "it was asked just now");
        assert_eq!(busyness.percent("a", 1_000, 4_000, 1_500_000), 100.0);
        assert_eq!(busyness.percent("a", 1_000, 5_000, 1_500_000), 0.0);
        assert_eq!(busyness.percent("a", 5_000, 7_000, 20_000), 1.0, "it began anew");
        busyness.forget("a");
        assert_eq!(busyness.percent("a", 7_000, 7_500, 20_000), 0.0, "it has only begun");
    }
}
