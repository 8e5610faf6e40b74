//! What a node may take: who counts, and who makes room.
//!
//! Invariant: no more memory is in use than may be, but for what one command adds. Room is made before a shard is held for
//! the item, in the shards that have most.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use structures::allocator;

use super::Node;
use crate::clock::Now;
use crate::policy::Policy;
use crate::shard::Shard;

/// After so many evictions one of the shards looks at how sparse its memory is.
const LOOK_EVERY: usize = 4;
/// What small items leave for large ones is given back when it is one part in so many of the memory.
const GIVEN_BACK_SHARE: usize = 32;

/// What a shard takes, as last told; alone in its cache lines.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Used(pub(super) AtomicUsize);

/// Whether there is room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// There is.
    Enough,
    /// Somebody holds this shard, which would have to give something up.
    Contended(usize),
    /// There is not, and none can be made.
    Short,
}

impl Node {
    /// Takes note of what a shard takes, and of when it is to be looked at.
    #[inline]
    pub(crate) fn account(&self, number: usize, shard: &Shard) {
        let (used, bytes) = (&self.used[number].0, shard.used_bytes());
        if used.load(Relaxed) != bytes {
            used.store(bytes, Relaxed);
        }
        if let Some(due_ms) = shard.first_due_ms()
            && due_ms < self.due_ms.load(Relaxed)
            && self.due_ms.fetch_min(due_ms, Relaxed) > due_ms
        {
            self.host.wake_at(due_ms);
        }
    }

    /// What items, tables and wheels take, what lies idle between the items, what is kept of requests that are not complete
    /// and of replies that have not been read, and values that are gone for all but those replies, in bytes.
    #[inline]
    pub fn used_bytes(&self) -> usize {
        let used: usize = self.used.iter().map(|used| used.0.load(Relaxed)).sum();
        used + self.unfinished.load(Relaxed) + self.lender.bytes()
    }

    /// Takes note that a connection keeps so many bytes of a request that is not complete, or of replies that its client
    /// does not read, and how many it kept before. Items make room for them. Whether they may be kept: if not, nothing has
    /// been noted. All together may take half of the memory, so that others can go on, or what the largest item needs
    /// while it comes.
    pub fn keep(&self, before: usize, bytes: usize, now: Now) -> bool {
        let most =
            (self.settings.memory_bytes.load(Relaxed) / 2).max(2 * self.settings.item_bytes.load(Relaxed));
        let grown = bytes.saturating_sub(before);
        if grown > 0
            && (self.unfinished.load(Relaxed) + grown > most || self.make_room(grown, now) == Room::Short)
        {
            return false;
        }
        self.unfinished.fetch_add(bytes.wrapping_sub(before), Relaxed);
        true
    }

    /// Takes note that a connection keeps nothing any more.
    pub fn forget_kept(&self, bytes: usize) {
        self.unfinished.fetch_sub(bytes, Relaxed);
    }

    /// Makes room for so many bytes.
    #[inline]
    pub(crate) fn make_room(&self, bytes: usize, now: Now) -> Room {
        if self.used_bytes() + bytes <= self.settings.memory_bytes.load(Relaxed) {
            return Room::Enough;
        }
        self.evict(bytes, now)
    }

    #[cold]
    fn evict(&self, bytes: usize, now: Now) -> Room {
        let policy = self.settings.policy.load();
        if policy == Policy::NoEviction {
            return Room::Short;
        }
        while self.used_bytes() + bytes > self.settings.memory_bytes.load(Relaxed) {
            let used = |number: &usize| self.used[*number].0.load(Relaxed);
            let most = (0..self.shards()).max_by_key(used).unwrap_or_default();
            // The others are for where it has nothing that may go.
            let others = (0..self.shards()).filter(|number| *number != most);
            let mut evicted = None;
            for number in std::iter::once(most).chain(others) {
                let mut held = match self.hold(number) {
                    Ok(held) => held,
                    Err(number) => return Room::Contended(number),
                };
                let shard = held.get_mut(number);
                evicted = shard.evict(policy, now);
                self.account(number, shard);
                if evicted.is_some() {
                    break;
                }
            }
            let Some(evicted) = evicted else { return Room::Short };
            self.look_at_another();
            if !allocator::is_large(evicted) && allocator::is_large(bytes) {
                self.make_way(evicted);
            }
        }
        Room::Enough
    }

    /// Takes note that small items of so many bytes have made way for large ones, which cannot have their places: now and
    /// then those go back to the system.
    fn make_way(&self, bytes: usize) {
        let all = self.to_give_back.fetch_add(bytes, Relaxed) + bytes;
        if all > self.settings.memory_bytes.load(Relaxed) / GIVEN_BACK_SHARE {
            self.to_give_back.store(0, Relaxed);
            allocator::give_back_small();
        }
    }

    /// Now and then has a shard look at how sparse its memory is: its items may lie in pages that those of others have left.
    fn look_at_another(&self) {
        let given_up = self.given_up.fetch_add(1, Relaxed);
        if given_up.is_multiple_of(LOOK_EVERY) {
            let number = given_up / LOOK_EVERY % self.shards();
            if let Ok(mut held) = self.hold(number) {
                let shard = held.get_mut(number);
                shard.look();
                self.account(number, shard);
            }
        }
    }
}
