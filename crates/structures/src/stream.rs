//! A stream: entries in the order of their ids, and groups of consumers that share the work of reading them.
//!
//! [`Entries`] packs the entries into nodes; a [`Group`] knows how far its consumers have read, and which entries they
//! have yet to acknowledge. The two do not know each other: an entry may be gone that is still pending.
//!
//! Invariants: `group_bytes` is what the groups take; a group that is being changed settles it when it is put down.
//! Not here: what time it is, how ids are written by clients, and which release shows what.

#![allow(unsafe_code)]

mod entries;
mod group;
mod id;
mod node;
mod pending;

pub use entries::{Bound, Entries, NodeLimits, Range, RangeBack, TooLarge, Trim};
pub use group::{Consumer, ConsumerId, Group};
pub use id::{IdText, StreamId};
pub use node::{Entry, Fields};
pub use pending::Pending;

use crate::block;
use crate::entry::{Kind, Object};
use crate::thin::ThinEnum;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// A stream; see the module.
pub struct Stream(Box<Body>);

#[derive(Clone, Default)]
struct Body {
    entries: Entries,
    /// In the order of their names.
    groups: Vec<Group>,
    /// What the groups hold takes from the allocator, in bytes.
    group_bytes: usize,
}

// SAFETY: it is a box, and a Body is aligned to eight bytes.
unsafe impl ThinEnum for Stream {
    fn into_raw(self) -> (NonNull<u8>, usize) {
        (NonNull::from(Box::leak(self.0)).cast(), 0)
    }

    unsafe fn from_raw(pointer: NonNull<u8>, _tag: usize) -> Self {
        // SAFETY: the pointer came from `into_raw`.
        Stream(unsafe { Box::from_raw(pointer.cast().as_ptr()) })
    }
}

// SAFETY: `Kind::Stream` is its own kind.
unsafe impl Object for Stream {
    const KIND: Kind = Kind::Stream;

    fn empty() -> Self {
        Stream(Box::default())
    }

    fn is_empty(&self) -> bool {
        self.entries().is_empty()
    }

    fn heap_bytes(&self) -> usize {
        let Body { entries, groups, group_bytes } = &*self.0;
        block::class(size_of::<Body>()) + entries.heap_bytes() + vec_bytes(groups) + group_bytes
    }
}

impl Clone for Stream {
    fn clone(&self) -> Self {
        let mut copy = Stream(self.0.clone());
        // Copies take no more than they hold.
        copy.0.group_bytes = copy.groups().map(Group::heap_bytes).sum();
        copy
    }
}

impl Stream {
    /// The entries.
    #[inline]
    pub fn entries(&self) -> &Entries {
        &self.0.entries
    }

    /// The entries, for changing them.
    #[inline]
    pub fn entries_mut(&mut self) -> &mut Entries {
        &mut self.0.entries
    }

    /// The groups, in the order of their names.
    pub fn groups(&self) -> impl ExactSizeIterator<Item = &Group> {
        self.0.groups.iter()
    }

    /// The group of a name.
    pub fn group(&self, name: &[u8]) -> Option<&Group> {
        self.find(name).ok().map(|index| &self.0.groups[index])
    }

    /// The group of a name, for changing it, and the entries.
    pub fn open(&mut self, name: &[u8]) -> Option<(&Entries, GroupMut<'_>)> {
        let index = self.find(name).ok()?;
        let Body { entries, groups, group_bytes } = &mut *self.0;
        let group = &mut groups[index];
        let before = group.heap_bytes();
        Some((entries, GroupMut { group, before, total: group_bytes }))
    }

    /// Adds a group that has been delivered the entries up to `last_id`; whether there was none of that name.
    pub fn create_group(&mut self, name: &[u8], last_id: StreamId, entries_read: Option<u64>) -> bool {
        let Err(index) = self.find(name) else { return false };
        let group = Group::new(name, last_id, entries_read);
        self.0.group_bytes += group.heap_bytes();
        grow_by_half(&mut self.0.groups);
        self.0.groups.insert(index, group);
        true
    }

    /// Removes a group; whether there was one of that name.
    pub fn remove_group(&mut self, name: &[u8]) -> bool {
        let Ok(index) = self.find(name) else { return false };
        let group = self.0.groups.remove(index);
        self.0.group_bytes -= group.heap_bytes();
        true
    }

    fn find(&self, name: &[u8]) -> Result<usize, usize> {
        self.0.groups.binary_search_by(|group| group.name().cmp(name))
    }

    /// Checks the invariants; for tests.
    pub fn check_invariants(&self) {
        self.entries().check_invariants();
        assert!(self.0.groups.is_sorted_by(|a, b| a.name() < b.name()));
        self.groups().for_each(Group::check_invariants);
        assert_eq!(self.0.group_bytes, self.groups().map(Group::heap_bytes).sum::<usize>());
    }
}

/// A group being changed.
pub struct GroupMut<'a> {
    group: &'a mut Group,
    /// What it took when it was picked up, in bytes.
    before: usize,
    total: &'a mut usize,
}

impl Deref for GroupMut<'_> {
    type Target = Group;

    #[inline]
    fn deref(&self) -> &Group {
        self.group
    }
}

impl DerefMut for GroupMut<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Group {
        self.group
    }
}

impl Drop for GroupMut<'_> {
    fn drop(&mut self) {
        *self.total = *self.total - self.before + self.group.heap_bytes();
    }
}

/// What a vector takes from the allocator, in bytes.
fn vec_bytes<T>(vec: &Vec<T>) -> usize {
    taken(vec.capacity() * size_of::<T>())
}

/// What a request of so many bytes takes from the allocator; none takes nothing.
fn taken(bytes: usize) -> usize {
    if bytes == 0 { 0 } else { block::class(bytes) }
}

/// Makes room for one more in a vector that stays small.
fn grow_by_half<T>(vec: &mut Vec<T>) {
    if vec.len() == vec.capacity() {
        vec.reserve_exact(vec.len() / 2 + 1);
    }
}

#[cfg(test)]
mod tests;
