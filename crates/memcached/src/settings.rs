//! What a node is like, as far as it can be changed while it runs.

use crate::policy::AtomicPolicy;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicUsize, Ordering::Relaxed};

/// The settings; each is read where it takes effect.
#[derive(Debug)]
pub struct Settings {
    /// Items are in so many shards as this power of two, [`SHARD_BITS_MAX`] at most; that stays as it is.
    pub shard_bits: u32,
    /// What items and tables may take, in bytes.
    pub memory_bytes: AtomicUsize,
    /// The largest item, in bytes, with what memcached would keep beside key and value.
    pub item_bytes: AtomicUsize,
    /// Which items go when there is no room for others.
    pub policy: AtomicPolicy,
    /// The most connections.
    pub connections: AtomicU32,
    /// Seconds after which a client is closed that says nothing; zero for never.
    pub idle_s: AtomicU32,
    /// Whether clients may end the node.
    pub shuts_down: AtomicBool,
    /// Whether clients may remove all items.
    pub flushes: AtomicBool,
    /// Whether clients may have all items walked over.
    pub crawls: AtomicBool,
    /// How much is to be said about what goes on, as far as somebody wants to know the number: nothing is said.
    pub verbosity: AtomicU8,
    /// The second up to which items are gone or will be, as the latest flush has said; zero if there was none.
    pub oldest: AtomicU32,
}

/// Memory unless it is said otherwise, in bytes.
pub const MEMORY_BYTES: usize = 64 << 20;
/// The largest item unless it is said otherwise, in bytes.
pub const ITEM_BYTES: usize = 1 << 20;
/// The most connections unless it is said otherwise.
pub const CONNECTIONS: u32 = 1024;
/// The highest verbosity.
pub const VERBOSITY_MAX: u32 = 2;
/// Less memory cannot be set by clients, in bytes.
pub const LEAST_MEMORY_BYTES: usize = 8 << 20;

/// Sixteen shards: enough that threads seldom meet, and little for a node without items.
const SHARD_BITS: u32 = 4;
/// Most shards, for a node that many threads use at once: what one thread has left in a shard's cache lines is fetched by
/// the other less often.
pub const SHARD_BITS_MAX: u32 = 6;

impl Default for Settings {
    fn default() -> Self {
        Settings {
            shard_bits: SHARD_BITS,
            memory_bytes: AtomicUsize::new(MEMORY_BYTES),
            item_bytes: AtomicUsize::new(ITEM_BYTES),
            policy: AtomicPolicy::default(),
            connections: AtomicU32::new(CONNECTIONS),
            idle_s: AtomicU32::new(0),
            shuts_down: AtomicBool::new(false),
            flushes: AtomicBool::new(true),
            crawls: AtomicBool::new(true),
            verbosity: AtomicU8::new(0),
            oldest: AtomicU32::new(0),
        }
    }
}

impl Clone for Settings {
    fn clone(&self) -> Self {
        Settings {
            shard_bits: self.shard_bits,
            memory_bytes: self.memory_bytes.load(Relaxed).into(),
            item_bytes: self.item_bytes.load(Relaxed).into(),
            policy: self.policy.load().into(),
            connections: self.connections.load(Relaxed).into(),
            idle_s: self.idle_s.load(Relaxed).into(),
            shuts_down: self.shuts_down.load(Relaxed).into(),
            flushes: self.flushes.load(Relaxed).into(),
            crawls: self.crawls.load(Relaxed).into(),
            verbosity: self.verbosity.load(Relaxed).into(),
            oldest: self.oldest.load(Relaxed).into(),
        }
    }
}
