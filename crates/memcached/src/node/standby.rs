//! A node's standby: another one that repeats what is done here.
//!
//! Invariant: it has the same number of shards and the same seed, so that an item is in the same shard of both. Its shards
//! are taken by the master's alone, while those are held; whoever looks at it does so for moments.

use std::sync::Arc;

use structures::cached::Cached;
use structures::table::Item;

use super::Node;

impl Node {
    /// Has another node repeat what is done here from now on, in every shard from when it is held next. What there is
    /// already is copied by [`Node::copy_to`].
    pub fn set_standby(&self, standby: Option<&Arc<Node>>) {
        self.each(|shard| shard.set_standby(standby.cloned()));
    }

    /// Copies items that the standby does not have, a few of them, from a place on that is zero first. Gives the next
    /// place, or nothing at the end.
    ///
    /// # Errors
    /// The number of a shard that somebody else goes on holding; this is to be called again when it is free.
    pub fn copy_to(&self, standby: &Node, place: (usize, u64)) -> Result<Option<(usize, u64)>, usize> {
        let (number, position) = place;
        let held = self.hold(number)?;
        let next = held.get(number).walk(position, |item| {
            // What has been changed since it follows is there already.
            if !standby.has(number, item.key()) {
                standby.repeat_item(number, item);
            }
        });
        Ok(match next {
            0 if number + 1 == self.shards() => None,
            0 => Some((number + 1, 0)),
            next => Some((number, next)),
        })
    }

    /// Whether there is an item, for a master that holds its shard of this number.
    fn has(&self, number: usize, key: &[u8]) -> bool {
        let hash = self.hash(key);
        self.shards.hold_beside(1 << number).get(number).has(hash, key)
    }

    /// Takes an item over as it is, for a master that holds its shard of this number.
    pub(crate) fn repeat_item(&self, number: usize, item: &Cached) {
        let hash = self.hash(item.key());
        let mut held = self.shards.hold_beside(1 << number);
        let shard = held.get_mut(number);
        shard.adopt(hash, item, 0);
        self.account(number, shard);
    }

    /// Takes an item out, for a master that holds its shard of this number.
    pub(crate) fn repeat_removal(&self, number: usize, key: &[u8]) {
        let hash = self.hash(key);
        let mut held = self.shards.hold_beside(1 << number);
        let shard = held.get_mut(number);
        shard.drop_key(hash, key);
        self.account(number, shard);
    }

    /// Removes all items of a shard, for a master that holds its shard of this number.
    pub(crate) fn repeat_clear(&self, number: usize) {
        let mut held = self.shards.hold_beside(1 << number);
        let shard = held.get_mut(number);
        // Whatever was to come has come, or was taken back.
        shard.follow_flush(0);
        shard.clear();
        let garbage = shard.take_garbage();
        self.account(number, shard);
        drop(held);
        self.discard(garbage);
    }

    /// Has all items of a shard go at a second, zero for never, for a master that holds its shard of this number.
    pub(crate) fn repeat_flush(&self, number: usize, second: u32) {
        let mut held = self.shards.hold_beside(1 << number);
        let shard = held.get_mut(number);
        shard.follow_flush(second);
        self.account(number, shard);
    }
}
