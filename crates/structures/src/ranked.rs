//! Locks that know their place in the order in which locks are taken, and say so when they are taken out of it.
//!
//! The order is that of `docs/threads.md`, whose lines are the ranks. Whoever holds a lock takes only those further down,
//! and nobody holds two of one line; two threads that keep to that never wait for each other. Builds with debug assertions
//! look at every lock that is taken by a thread; others have the locks of `parking_lot` and nothing besides.
//!
//! Invariants: a lock is given back by the thread that took it.
//!
//! Deliberately not here: locks that are held across waits, since they belong to no thread.

use std::fmt;
use std::ops::{Deref, DerefMut};

/// The lines of the order, from the first to the last.
pub mod rank {
    /// The nodes of a process, by their instances.
    pub const INSTANCES: u8 = 1;
    /// The nodes of an instance.
    pub const NODES: u8 = 3;
    /// What the clients of an instance come to.
    pub const FRONT: u8 = 4;
    /// That a thread begins or ends an append-only file.
    pub const APPENDING: u8 = 5;
    /// That a thread gives an append-only file its place.
    pub const PLACING_APPENDED: u8 = 6;
    /// The shards of a node.
    pub const SHARDS: u8 = 7;
    /// What a waiting client has asked for.
    pub const STAGE: u8 = 8;
    /// That a file of keys is given its place.
    pub const PLACING_KEYS: u8 = 9;
    /// How saving stands.
    pub const SAVING: u8 = 10;
    /// The lines of the stream of changes.
    pub const FEED: u8 = 11;
    /// How far a failover of the node is.
    pub const FAILOVER: u8 = 12;
    /// Replicas and the end of the stream.
    pub const REPLICAS: u8 = 13;
    /// The append-only file.
    pub const APPEND_FILE: u8 = 14;
    /// What has been appended and not been written.
    pub const APPENDED: u8 = 15;
    /// Who listens.
    pub const LISTENERS: u8 = 16;
    /// Locks under which no other is taken.
    pub const LEAF: u8 = 17;
}

/// The ranks that this thread holds, looked after in builds with debug assertions.
#[cfg(debug_assertions)]
mod held {
    use std::cell::RefCell;

    thread_local! {
        static RANKS: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }

    /// Takes a rank, under none but those that are `before`.
    pub(super) fn take(rank: u8, before: u8) {
        RANKS.with_borrow_mut(|ranks| {
            let last = ranks.iter().copied().max().unwrap_or(0);
            assert!(
                last < before,
                "a lock of line {rank} is taken under one of line {last}: see docs/threads.md"
            );
            ranks.push(rank);
        });
    }

    pub(super) fn give_back(rank: u8) {
        // A thread that ends may have given up its list before its last locks.
        let _ = RANKS.try_with(|ranks| {
            let mut ranks = ranks.borrow_mut();
            match ranks.iter().rposition(|own| *own == rank) {
                Some(at) => drop(ranks.swap_remove(at)),
                None if std::thread::panicking() => {}
                None => panic!("a lock of line {rank} is given back by a thread that did not take it"),
            }
        });
    }
}

/// That a thread holds a lock of a rank. Nothing in builds without debug assertions.
#[derive(Debug)]
pub(crate) struct Taken<const RANK: u8>(());

impl<const RANK: u8> Taken<RANK> {
    /// To be called before a lock is waited for.
    #[inline]
    pub(crate) fn new() -> Self {
        #[cfg(debug_assertions)]
        held::take(RANK, RANK);
        Taken(())
    }

    /// To be called before a lock is waited for beside others of the rank: briefly, or in an order that all keep to.
    #[cfg(debug_assertions)]
    pub(crate) fn beside() -> Self {
        held::take(RANK, RANK + 1);
        Taken(())
    }

    /// To be called after a lock was free by chance: nobody has waited for it, so the order does not matter.
    #[cfg(debug_assertions)]
    pub(crate) fn by_chance() -> Self {
        held::take(RANK, u8::MAX);
        Taken(())
    }
}

#[cfg(debug_assertions)]
impl<const RANK: u8> Drop for Taken<RANK> {
    fn drop(&mut self) {
        held::give_back(RANK);
    }
}

/// A lock of `parking_lot` with a rank.
#[derive(Default)]
pub struct Mutex<T, const RANK: u8 = { rank::LEAF }>(parking_lot::Mutex<T>);

/// A lock of `parking_lot` with a rank, which readers share.
#[derive(Default)]
pub struct RwLock<T, const RANK: u8 = { rank::LEAF }>(parking_lot::RwLock<T>);

/// A lock that is held.
#[derive(Debug)]
pub struct Guard<G, const RANK: u8> {
    // Given back before its rank is.
    guard: G,
    _taken: Taken<RANK>,
}

impl<T, const RANK: u8> Mutex<T, RANK> {
    /// A free lock with this value.
    pub const fn new(value: T) -> Self {
        Mutex(parking_lot::Mutex::new(value))
    }

    /// Takes the lock, blocking the thread meanwhile.
    #[inline]
    pub fn lock(&self) -> Guard<parking_lot::MutexGuard<'_, T>, RANK> {
        let taken = Taken::new();
        Guard { guard: self.0.lock(), _taken: taken }
    }
}

impl<T, const RANK: u8> RwLock<T, RANK> {
    /// A free lock with this value.
    pub const fn new(value: T) -> Self {
        RwLock(parking_lot::RwLock::new(value))
    }

    /// Takes the lock beside other readers, blocking the thread meanwhile.
    #[inline]
    pub fn read(&self) -> Guard<parking_lot::RwLockReadGuard<'_, T>, RANK> {
        let taken = Taken::new();
        Guard { guard: self.0.read(), _taken: taken }
    }

    /// Takes the lock alone, blocking the thread meanwhile.
    #[inline]
    pub fn write(&self) -> Guard<parking_lot::RwLockWriteGuard<'_, T>, RANK> {
        let taken = Taken::new();
        Guard { guard: self.0.write(), _taken: taken }
    }
}

impl<T: fmt::Debug, const RANK: u8> fmt::Debug for Mutex<T, RANK> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: fmt::Debug, const RANK: u8> fmt::Debug for RwLock<T, RANK> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<G: Deref, const RANK: u8> Deref for Guard<G, RANK> {
    type Target = G::Target;

    #[inline]
    fn deref(&self) -> &G::Target {
        &self.guard
    }
}

impl<G: DerefMut, const RANK: u8> DerefMut for Guard<G, RANK> {
    #[inline]
    fn deref_mut(&mut self) -> &mut G::Target {
        &mut self.guard
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_are_taken_downwards_and_given_back_in_any_order() {
        let feed: Mutex<u8, { rank::FEED }> = Mutex::new(1);
        let replicas: RwLock<u8, { rank::REPLICAS }> = RwLock::new(2);
        let leaf: Mutex<u8> = Mutex::default();
        for _ in 0..2 {
            let first = feed.lock();
            let second = replicas.read();
            let mut third = leaf.lock();
            *third += *first + *second;
            drop(first);
            drop(third);
            drop(second);
        }
        assert_eq!(*leaf.lock(), 6);
        drop(replicas.write());
        drop(feed.lock());
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "a lock of line 11 is taken under one of line 13")]
    fn a_lock_that_is_taken_upwards_is_noticed() {
        let feed: Mutex<u8, { rank::FEED }> = Mutex::new(1);
        let replicas: RwLock<u8, { rank::REPLICAS }> = RwLock::new(2);
        let _second = replicas.write();
        let _first = feed.lock();
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "a lock of line 17 is taken under one of line 17")]
    fn two_leaves_are_not_held_at_once() {
        let leaves = [Mutex::<u8>::new(1), Mutex::new(2)];
        let _first = leaves[0].lock();
        let _second = leaves[1].lock();
    }
}
