//! Who wants to hear of keys: transactions that watch them, and clients that wait for them.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A transaction's watch: set once a watched key has changed.
#[derive(Debug, Default)]
pub struct Watch(AtomicBool);

impl Watch {
    /// Whether a watched key has changed.
    pub fn is_broken(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Takes note that a watched key has changed.
    pub fn break_now(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Those interested in the keys of one database of a shard.
#[derive(Debug, Default)]
pub struct Interest {
    watched: HashMap<Box<[u8]>, Vec<Arc<Watch>>, foldhash::fast::RandomState>,
    /// Clients that wait, by their ids, first come first served.
    waiting: HashMap<Box<[u8]>, VecDeque<u64>, foldhash::fast::RandomState>,
}

impl Interest {
    /// Whether nobody is interested in anything.
    pub fn is_empty(&self) -> bool {
        self.watched.is_empty() && self.waiting.is_empty()
    }

    /// Has `watch` told of changes of a key.
    pub fn watch(&mut self, key: &[u8], watch: &Arc<Watch>) {
        let watches = self.watched.entry(key.into()).or_default();
        if !watches.iter().any(|own| Arc::ptr_eq(own, watch)) {
            watches.push(Arc::clone(watch));
        }
    }

    /// Undoes [`Interest::watch`].
    pub fn unwatch(&mut self, key: &[u8], watch: &Arc<Watch>) {
        if let Some(watches) = self.watched.get_mut(key) {
            watches.retain(|own| !Arc::ptr_eq(own, watch));
            if watches.is_empty() {
                self.watched.remove(key);
            }
        }
    }

    /// Puts a client at the end of a key's queue.
    pub fn wait(&mut self, key: &[u8], client: u64) {
        let queue = self.waiting.entry(key.into()).or_default();
        if !queue.contains(&client) {
            queue.push_back(client);
        }
    }

    /// Takes a client out of a key's queue.
    pub fn stop_waiting(&mut self, key: &[u8], client: u64) {
        if let Some(queue) = self.waiting.get_mut(key) {
            queue.retain(|&own| own != client);
            if queue.is_empty() {
                self.waiting.remove(key);
            }
        }
    }

    /// The clients that wait for a key, first come first.
    pub fn waiters(&self, key: &[u8]) -> impl Iterator<Item = u64> {
        self.waiting.get(key).into_iter().flatten().copied()
    }

    /// The keys that are watched.
    pub fn watched_keys(&self) -> impl Iterator<Item = &[u8]> {
        self.watched.keys().map(|key| &**key)
    }

    /// The keys that are waited for.
    pub fn awaited_keys(&self) -> impl Iterator<Item = &[u8]> {
        self.waiting.keys().map(|key| &**key)
    }

    /// Whether anybody waits for a key.
    pub fn is_awaited(&self, key: &[u8]) -> bool {
        !self.waiting.is_empty() && self.waiting.contains_key(key)
    }

    /// Breaks the watches on a key; whether anybody waits for it.
    pub fn changed(&self, key: &[u8]) -> bool {
        if let Some(watches) = self.watched.get(key) {
            watches.iter().for_each(|watch| watch.break_now());
        }
        self.is_awaited(key)
    }
}
