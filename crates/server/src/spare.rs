//! Memory that a node does not need any more: freed and given back to the system by a thread of its own, where nobody waits
//! for it.
//!
//! The allocator gives back what has been free for a moment when something else becomes free. A node that falls silent
//! would keep what its items had.

use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use structures::allocator;

/// What is worth the work, in bytes.
const LEAST_BYTES: usize = 1 << 20;

/// When memory is given back once more, if nothing else has gone meanwhile; each time after the time before. Pages of large
/// blocks wait for the first. The allocator lets one thread at a time give back: whoever asks meanwhile is passed over, and
/// what has just become free may not have been seen.
const AGAIN: [Duration; 3] =
    [Duration::from_millis(100), Duration::from_millis(400), Duration::from_millis(1_600)];

/// Frees something; how many bytes that were.
type Work = Box<dyn FnOnce() -> usize + Send>;

/// What has gone and has yet to be given back, in bytes.
#[derive(Debug, Default)]
pub(crate) struct Spare(usize);

impl Spare {
    /// Takes note that so many bytes have gone.
    pub(crate) fn add(&mut self, bytes: usize) {
        self.0 += bytes;
    }

    /// Gives back what has gone, if it is much.
    pub(crate) fn give_back(&mut self) {
        if self.is_due() {
            free(|| LEAST_BYTES);
        }
    }

    /// Whether it is much, and to be given back: it counts no more then.
    fn is_due(&mut self) -> bool {
        let is_due = self.0 >= LEAST_BYTES;
        if is_due {
            self.0 = 0;
        }
        is_due
    }
}

/// Drops something large and gives its memory back.
pub(crate) fn discard<T: Send + 'static>(what: T) {
    free(move || {
        drop(what);
        LEAST_BYTES
    });
}

/// Has something freed, which tells how many bytes that were: much of it is given back when all has been freed.
pub(crate) fn free(work: impl FnOnce() -> usize + Send + 'static) {
    static RECLAIMER: OnceLock<Sender<Work>> = OnceLock::new();
    let reclaimer = RECLAIMER.get_or_init(|| {
        let (sender, receiver) = channel();
        // Without the thread the sender fails, and what it was to free is freed here.
        let _ = thread::Builder::new().name("reclaim".into()).spawn(move || free_all(&receiver));
        sender
    });
    let _ = reclaimer.send(Box::new(work));
}

/// Frees what comes.
fn free_all(receiver: &Receiver<Work>) {
    let (mut spare, mut again) = (Spare::default(), [].iter());
    loop {
        let next = match again.as_slice().first() {
            Some(time) => receiver.recv_timeout(*time),
            None => receiver.recv().map_err(RecvTimeoutError::from),
        };
        match next {
            Ok(work) => {
                spare.add(work());
                while let Ok(work) = receiver.try_recv() {
                    spare.add(work());
                }
                if spare.is_due() {
                    allocator::give_back_small();
                    again = AGAIN.iter();
                }
            }
            Err(RecvTimeoutError::Timeout) => {
                allocator::give_back();
                again.next();
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}
