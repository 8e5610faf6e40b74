//! Memory that a node does not need any more: freed and given back to the system by a thread of its own, where nobody waits
//! for it.
//!
//! The allocator gives back what has been free for a moment when something else becomes free. A process that falls silent
//! would keep what its items had. So the thread looks again when those who serve clients have rested for a moment, and sleeps
//! as long as nothing is done.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use structures::allocator;

/// When memory is given back after something was done, each time after the time before. The allocator lets one thread at a
/// time give back: whoever asks meanwhile is passed over, and what has just become free may not have been seen.
const AGAIN: [Duration; 3] =
    [Duration::from_millis(200), Duration::from_millis(400), Duration::from_millis(1_600)];

/// What is known of those who serve clients: one of [`IDLE`], [`RESTED`] and [`WORKED`].
static ACTIVITY: AtomicU8 = AtomicU8::new(IDLE);
/// They have done nothing for long: the thread is to be told when they do.
const IDLE: u8 = 0;
/// They have done nothing since the thread looked last.
const RESTED: u8 = 1;
/// They have.
const WORKED: u8 = 2;

/// Takes note that somebody has served clients, and rests now.
#[inline]
pub(crate) fn rest() {
    if ACTIVITY.load(Relaxed) != WORKED && ACTIVITY.swap(WORKED, Relaxed) == IDLE {
        discard(());
    }
}

/// Drops something, and gives its memory back soon.
pub(crate) fn discard<T: Send + 'static>(what: T) {
    static RECLAIMER: OnceLock<Sender<Box<dyn Send>>> = OnceLock::new();
    let reclaimer = RECLAIMER.get_or_init(|| {
        let (sender, receiver) = channel();
        // Without the thread the sender fails, and what it was to drop is dropped here.
        let _ = thread::Builder::new().name("reclaim".into()).spawn(move || reclaim(&receiver));
        sender
    });
    let _ = reclaimer.send(Box::new(what));
}

/// Drops what comes, and gives back what has become free.
fn reclaim(receiver: &Receiver<Box<dyn Send>>) {
    let mut again = AGAIN.iter();
    loop {
        let next = match again.as_slice().first() {
            Some(time) => receiver.recv_timeout(*time),
            None => receiver.recv().map_err(RecvTimeoutError::from),
        };
        match next {
            Ok(what) => {
                drop(what);
                allocator::give_back_unused();
                again = AGAIN.iter();
            }
            Err(RecvTimeoutError::Timeout) if ACTIVITY.swap(RESTED, Relaxed) == WORKED => {
                allocator::give_back_unused();
                again = AGAIN.iter();
            }
            Err(RecvTimeoutError::Timeout) => {
                allocator::give_back();
                again.next();
                let is_last = again.as_slice().is_empty();
                if is_last && ACTIVITY.compare_exchange(RESTED, IDLE, Relaxed, Relaxed).is_err() {
                    again = AGAIN.iter();
                }
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}
