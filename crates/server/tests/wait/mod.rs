//! Waiting for a state without blocking the thread of the test.

use std::time::Duration;

/// How often it is looked whether something has happened: much longer than it should take.
const LOOKS: usize = 6_000;

/// Waits until it is so; `what` says what has not happened if that takes too long.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..LOOKS {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("{what}");
}
