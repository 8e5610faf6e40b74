//! What a node has counted, in all and since its counters were forgotten.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use structures::cached::Cached;

use super::Node;
use crate::counts::Counts;
use crate::tallies::Tallies;

/// Sockets that listen.
const SOCKETS: u64 = 1;

/// What had been counted when the counters were forgotten.
#[derive(Debug, Default)]
pub(super) struct Forgotten {
    counts: Counts,
    /// Bytes that had been read and written.
    bytes: (u64, u64),
    /// Connections that there had been, and that had been refused.
    comers: (u64, u64),
}

/// What is counted of what concerns no item.
#[derive(Debug, Default)]
#[allow(missing_docs, reason = "the names are those of the general report")]
pub struct Traffic {
    pub cmd_flush: AtomicU64,
    pub auth_cmds: AtomicU64,
    pub auth_errors: AtomicU64,
    pub idle_kicks: AtomicU64,
}

impl Traffic {
    pub(super) fn forget(&self) {
        for count in [&self.cmd_flush, &self.auth_cmds, &self.auth_errors, &self.idle_kicks] {
            count.store(0, Relaxed);
        }
    }
}

impl Node {
    /// What has been counted, since the counters were forgotten.
    pub fn counts(&self) -> Counts {
        self.all_counts().since(&self.forgotten.lock().counts)
    }

    /// What has been counted since the node began.
    pub fn all_counts(&self) -> Counts {
        let mut sum = Counts::default();
        self.each(|shard| shard.counts).iter().for_each(|counts| sum.add(counts));
        sum
    }

    /// Forgets what has been counted.
    pub fn forget_counts(&self) {
        let mut all = Counts::default();
        self.each(|shard| {
            all.add(&shard.counts);
            // Nobody else wants to know of these.
            shard.tallies = Tallies::default();
        });
        self.traffic.forget();
        self.prefixes.forget();
        self.watchers.forget_counts();
        let comers = (self.clients.accepted.load(Relaxed) + SOCKETS, self.clients.rejected.load(Relaxed));
        *self.forgotten.lock() = Forgotten { counts: all, bytes: self.clients.bytes(), comers };
    }

    /// Connections that have been made and refused since the counters were forgotten; the socket that listens is one of
    /// them, as in memcached.
    pub fn comers(&self) -> (u64, u64) {
        let before = self.forgotten.lock().comers;
        (
            self.clients.accepted.load(Relaxed) + SOCKETS - before.0,
            self.clients.rejected.load(Relaxed) - before.1,
        )
    }

    /// Has the sizes of items be told that are stored from now on, or of none; those that are told already stay.
    pub(crate) fn count_sizes(&self, wanted: bool) {
        let last = wanted.then(|| self.each(|shard| shard.last_cas()));
        let mut since = self.sizes_since.lock();
        *since = last.map(|last| since.take().unwrap_or(last));
    }

    /// The last cas id of each shard when somebody wanted sizes to be told; nothing if nobody does.
    pub(crate) fn sizes_since(&self) -> Option<Vec<u64>> {
        self.sizes_since.lock().clone()
    }

    /// Visits items that were stored after these cas ids of their shards. No shard is held for all of its items.
    pub(crate) fn visit_since(&self, since: &[u64], mut visit: impl FnMut(&Cached)) {
        for (number, since) in since.iter().enumerate() {
            let mut position = 0;
            loop {
                let held = self.shards.hold_blocking(1 << number);
                position = held.get(number).walk(position, |item| {
                    if item.cas() > *since {
                        visit(item);
                    }
                });
                if position == 0 {
                    break;
                }
            }
        }
    }

    /// Bytes that have been read and written since the counters were forgotten.
    pub fn bytes(&self) -> (u64, u64) {
        let ((read, written), before) = (self.clients.bytes(), self.forgotten.lock().bytes);
        (read - before.0, written - before.1)
    }

    /// The number of items.
    pub fn items(&self) -> usize {
        self.each(|shard| shard.len()).iter().sum()
    }

    /// What items take without the tables around them, in bytes.
    pub fn items_bytes(&self) -> usize {
        self.each(|shard| shard.items_bytes()).iter().sum()
    }

    /// What is needed to find the items, in bytes.
    pub fn index_bytes(&self) -> usize {
        self.each(|shard| shard.index_bytes()).iter().sum()
    }

    /// Whether a size class has items.
    pub(crate) fn has_class(&self, class: usize) -> bool {
        self.each(|shard| shard.by_class().nth(class).is_some_and(|(items, _)| items > 0)).contains(&true)
    }
}
