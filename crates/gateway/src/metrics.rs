//! What the gateway counts, in the text form that Prometheus reads.
//!
//! Invariant: labels are operations, statuses and states, all of which are few; nothing that a client chooses
//! becomes a label.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use cloud::instance::Status;
use parking_lot::Mutex;

/// The counts since the process started.
#[derive(Default)]
pub(crate) struct Metrics(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    requests: BTreeMap<(&'static str, u16), u64>,
    /// Requests by the first of [`BOUNDS`] that they stayed within; the last is for those that did not.
    durations: [u64; BOUNDS.len() + 1],
    seconds: f64,
}

/// The bounds of the duration histogram, in seconds.
const BOUNDS: [f64; 8] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5];

impl Metrics {
    /// Counts a request that `operation` answered, or nobody, with `status`.
    pub(crate) fn count(&self, operation: Option<&'static str>, status: u16, took: Duration) {
        let seconds = took.as_secs_f64();
        let bucket = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len());
        let mut counts = self.0.lock();
        *counts.requests.entry((operation.unwrap_or("none"), status)).or_default() += 1;
        counts.durations[bucket] += 1;
        counts.seconds += seconds;
    }

    /// The text, with the number of instances in each state.
    pub(crate) fn render(&self, instances: &[(Status, usize)]) -> String {
        let counts = self.0.lock();
        let mut text = String::new();
        head(&mut text, "carnelian_build_info", "gauge", "The version of the program.");
        let _ = writeln!(text, "carnelian_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"));
        head(&mut text, "carnelian_instances", "gauge", "Instances by their state.");
        for (status, count) in instances {
            let _ = writeln!(text, "carnelian_instances{{status=\"{}\"}} {count}", status.name());
        }
        head(&mut text, "carnelian_http_requests_total", "counter", "Requests by operation and HTTP status.");
        for ((operation, status), count) in &counts.requests {
            let labels = format!("operation=\"{operation}\",status=\"{status}\"");
            let _ = writeln!(text, "carnelian_http_requests_total{{{labels}}} {count}");
        }
        let name = "carnelian_http_request_duration_seconds";
        head(&mut text, name, "histogram", "How long requests took.");
        let mut below = 0;
        for (bound, count) in BOUNDS.iter().zip(counts.durations) {
            below += count;
            let _ = writeln!(text, "{name}_bucket{{le=\"{bound}\"}} {below}");
        }
        let all: u64 = counts.durations.iter().sum();
        let _ = writeln!(text, "{name}_bucket{{le=\"+Inf\"}} {all}");
        let _ = writeln!(text, "{name}_sum {}\n{name}_count {all}", counts.seconds);
        text
    }
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_their_durations_are_counted() {
        let metrics = Metrics::default();
        metrics.count(Some("Show"), 200, Duration::from_millis(1));
        metrics.count(Some("Show"), 200, Duration::from_millis(20));
        metrics.count(None, 404, Duration::from_secs(10));
        let text = metrics.render(&[(Status::Running, 3)]);
        for line in [
            "carnelian_instances{status=\"RUNNING\"} 3",
            "carnelian_http_requests_total{operation=\"Show\",status=\"200\"} 2",
            "carnelian_http_requests_total{operation=\"none\",status=\"404\"} 1",
            "carnelian_http_request_duration_seconds_bucket{le=\"0.001\"} 1",
            "carnelian_http_request_duration_seconds_bucket{le=\"0.01\"} 1",
            "carnelian_http_request_duration_seconds_bucket{le=\"0.025\"} 2",
            "carnelian_http_request_duration_seconds_bucket{le=\"+Inf\"} 3",
            "carnelian_http_request_duration_seconds_count 3",
        ] {
            assert!(text.lines().any(|have| have == line), "{line} is missing from\n{text}");
        }
    }
}
