//! Waiting for a state.

use std::time::Duration;

/// How often it is looked.
const LOOK: Duration = Duration::from_millis(10);
/// How often at most: much longer than anything should take.
const LOOKS: usize = 3_000;

/// Waits until something is so, which `what` names.
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..LOOKS {
        if is_so() {
            return;
        }
        std::thread::sleep(LOOK);
    }
    panic!("it did not come to this: {what}");
}
