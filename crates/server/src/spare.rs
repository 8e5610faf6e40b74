//! Memory that a node does not need any more: dropped and given back to the system by a thread of its own, where nobody
//! waits for it.
//!
//! The allocator gives back what has been free for a moment when something else becomes free. A node that falls silent
//! would keep what its items had.

use std::thread;

use structures::allocator;

/// What is worth the work, in bytes.
const LEAST_BYTES: usize = 1 << 20;

/// What has gone and has yet to be given back, in bytes.
#[derive(Debug, Default)]
pub(crate) struct Spare(usize);

impl Spare {
    /// Takes note that so many bytes have gone.
    pub(crate) fn add(&mut self, bytes: usize) {
        self.0 += bytes;
    }

    /// Whether it is much, and to be given back: it counts no more then.
    pub(crate) fn is_due(&mut self) -> bool {
        let is_due = self.0 >= LEAST_BYTES;
        if is_due {
            self.0 = 0;
        }
        is_due
    }

    /// Gives back what has gone, if it is much.
    pub(crate) fn give_back(&mut self) {
        if self.is_due() {
            discard(());
        }
    }
}

/// Drops something and gives its memory back.
pub(crate) fn discard<T: Send + 'static>(what: T) {
    // Whoever cannot have a thread drops it where it is.
    let _ = thread::Builder::new().name("free".into()).spawn(move || {
        drop(what);
        allocator::give_back();
    });
}
