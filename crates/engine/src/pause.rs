//! A pause in which clients are not served.

use crate::node::{Gates, Node};
use parking_lot::Mutex;
use std::task::{Context, Poll, Waker};

/// What a pause holds back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Commands that write.
    Writes,
    /// All commands.
    All,
}

/// The pause of a node, if there is one.
#[derive(Debug, Default)]
pub struct Pause(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// What is held back, and until when, in ms since the epoch.
    now: Option<(Scope, i64)>,
    wakers: Vec<Waker>,
}

impl Inner {
    fn end(&mut self, node: &Node) {
        self.now = None;
        node.set_gates(Gates::PAUSED, false);
        self.wakers.drain(..).for_each(Waker::wake);
    }
}

impl Pause {
    /// Begins a pause, or makes one longer and wider.
    pub fn begin(&self, node: &Node, scope: Scope, until_ms: i64) {
        let mut inner = self.0.lock();
        inner.now = Some(match inner.now {
            Some((own, own_until_ms)) => (own.max(scope), own_until_ms.max(until_ms)),
            None => (scope, until_ms),
        });
        node.set_gates(Gates::PAUSED, true);
    }

    /// Has the node hang: it answers nobody any more.
    pub fn hang(&self, node: &Node) {
        self.begin(node, Scope::All, i64::MAX);
    }

    /// Whether the node hangs.
    pub fn hangs(&self) -> bool {
        self.0.lock().now == Some((Scope::All, i64::MAX))
    }

    /// Ends the pause.
    pub fn end(&self, node: &Node) {
        self.0.lock().end(node);
    }

    /// Until when a command is held back, in ms since the epoch; nothing if it is not.
    pub fn holds_until(&self, node: &Node, writes: bool, now_ms: i64) -> Option<i64> {
        let mut inner = self.0.lock();
        let (scope, until_ms) = inner.now?;
        if until_ms <= now_ms {
            // Under the same lock: another pause may be about to begin.
            inner.end(node);
            return None;
        }
        (writes || scope == Scope::All).then_some(until_ms)
    }

    /// Ready when the pause has been ended.
    pub fn poll_over(&self, context: &Context<'_>) -> Poll<()> {
        let mut inner = self.0.lock();
        if inner.now.is_none() {
            return Poll::Ready(());
        }
        if !inner.wakers.iter().any(|waker| waker.will_wake(context.waker())) {
            inner.wakers.push(context.waker().clone());
        }
        Poll::Pending
    }
}
