//! A pause in which clients are not served.
//!
//! Whoever wants clients to be held back has a pause of its own, which nobody else ends: a client that ends the pauses of
//! clients does not let writes slip into a failover.

use crate::node::{Gates, Node};
use std::task::{Context, Poll, Waker};
use structures::ranked::Mutex;

/// What a pause holds back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Commands that write.
    Writes,
    /// All commands.
    All,
}

/// Why clients are held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A client wants it.
    Client,
    /// The node is about to end.
    Shutdown,
    /// Another node is about to take its place.
    Failover,
    /// Somebody wants the node to hang.
    Hang,
}

/// How many reasons there are.
const REASONS: usize = Reason::Hang as usize + 1;

/// The pauses of a node.
#[derive(Debug, Default)]
pub struct Pause(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// What is held back for each reason, and until when, in ms since the epoch.
    now: [Option<(Scope, i64)>; REASONS],
    wakers: Vec<Waker>,
}

impl Inner {
    fn end(&mut self, node: &Node, ends: impl Fn(usize, i64) -> bool) {
        for (reason, pause) in self.now.iter_mut().enumerate() {
            if pause.is_some_and(|(_, until_ms)| ends(reason, until_ms)) {
                *pause = None;
                self.wakers.drain(..).for_each(Waker::wake);
            }
        }
        node.set_gates(Gates::PAUSED, self.now.iter().any(Option::is_some));
    }
}

impl Pause {
    /// Begins a pause, or makes the one for this reason longer and wider.
    pub fn begin(&self, node: &Node, reason: Reason, scope: Scope, until_ms: i64) {
        let own = &mut self.0.lock().now[reason as usize];
        *own = Some(match *own {
            Some((own, own_until_ms)) => (own.max(scope), own_until_ms.max(until_ms)),
            None => (scope, until_ms),
        });
        node.set_gates(Gates::PAUSED, true);
    }

    /// Has the node hang: it answers nobody any more.
    pub fn hang(&self, node: &Node) {
        self.begin(node, Reason::Hang, Scope::All, i64::MAX);
    }

    /// Whether the node hangs.
    pub fn hangs(&self) -> bool {
        self.0.lock().now[Reason::Hang as usize].is_some()
    }

    /// Ends the pause for a reason.
    pub fn end(&self, node: &Node, reason: Reason) {
        self.0.lock().end(node, |own, _| own == reason as usize);
    }

    /// Until when a command is held back, in ms since the epoch; nothing if it is not.
    pub fn holds_until(&self, node: &Node, writes: bool, now_ms: i64) -> Option<i64> {
        let mut inner = self.0.lock();
        if inner.now.iter().flatten().any(|(_, until_ms)| *until_ms <= now_ms) {
            // Under the same lock: another pause may be about to begin.
            inner.end(node, |_, until_ms| until_ms <= now_ms);
        }
        let holds = inner.now.iter().flatten().filter(|(scope, _)| writes || *scope == Scope::All);
        holds.map(|(_, until_ms)| *until_ms).max()
    }

    /// Ready when the pause that was to last until then has been ended.
    pub fn poll_over(&self, context: &Context<'_>, until_ms: i64) -> Poll<()> {
        let mut inner = self.0.lock();
        if inner.now.iter().flatten().all(|(_, own_until_ms)| *own_until_ms != until_ms) {
            return Poll::Ready(());
        }
        if !inner.wakers.iter().any(|waker| waker.will_wake(context.waker())) {
            inner.wakers.push(context.waker().clone());
        }
        Poll::Pending
    }
}
