//! The keyspace of a node, and shards of it that are held.
//!
//! Lock order: several shards are taken in ascending order, and nobody who holds one waits for another without
//! letting go of all first, unless it is taken within a short spin.

use crate::effects::Effects;
use crate::params::Params;
use crate::shard::{DbStats, Moment, Shard};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use structures::entry::Entry;
use structures::lock::{self, Held, Locks};
use structures::table::{self, Item, Ref};

/// Most shards of a keyspace: a set of them is a word.
pub const MAX_SHARDS: usize = lock::MAX_LOCKS;

/// A key and its hash.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    /// The key's bytes.
    pub bytes: &'a [u8],
    /// Their hash in this keyspace.
    pub hash: u64,
}

/// A set of shards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShardSet(u64);

impl ShardSet {
    /// No shard.
    pub const NONE: ShardSet = ShardSet(0);

    /// Adds a shard.
    #[inline]
    pub fn insert(&mut self, shard: usize) {
        self.0 |= 1 << shard;
    }

    /// The shards of either set.
    #[inline]
    pub fn union(self, other: ShardSet) -> ShardSet {
        ShardSet(self.0 | other.0)
    }

    /// Whether all shards of `other` are in this set.
    #[inline]
    pub fn contains(self, other: ShardSet) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether there is no shard.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The shards in ascending order.
    #[inline]
    pub fn iter(self) -> impl Iterator<Item = usize> {
        lock::bits(self.0)
    }
}

/// The keys of a node.
pub struct Keyspace {
    shards: Locks<Shard>,
    /// Bits of the hash that choose the shard.
    bits: u8,
    seed: u64,
    used_bytes: AtomicUsize,
    peak_bytes: AtomicUsize,
}

impl Keyspace {
    /// An empty keyspace of so many shards (a power of two, at most [`MAX_SHARDS`]), its hashes keyed by `seed`.
    pub fn new(shards: usize, seed: u64, params: Arc<Params>) -> Self {
        assert!(shards.is_power_of_two() && shards <= MAX_SHARDS, "{shards} shards");
        let bits = shards.trailing_zeros() as u8;
        let shard = |number| Shard::new(seed, bits, number, Arc::clone(&params));
        Keyspace {
            shards: Locks::new((0..shards).map(shard)),
            bits,
            seed,
            used_bytes: AtomicUsize::new(0),
            peak_bytes: AtomicUsize::new(0),
        }
    }

    /// A key with its hash.
    #[inline]
    pub fn key<'a>(&self, bytes: &'a [u8]) -> Key<'a> {
        Key { bytes, hash: table::hash(self.seed, bytes) }
    }

    /// What keys its hashes.
    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// Bits of the hash that choose the shard.
    pub(crate) fn bits(&self) -> u8 {
        self.bits
    }

    /// The number of the shard of a hash.
    #[inline]
    pub fn shard_of(&self, hash: u64) -> usize {
        if self.bits == 0 { 0 } else { (hash >> (64 - self.bits)) as usize }
    }

    /// The one shard of a key.
    #[inline]
    pub fn set_of(&self, key: &Key<'_>) -> ShardSet {
        ShardSet(1 << self.shard_of(key.hash))
    }

    /// The number of shards.
    pub fn shards(&self) -> usize {
        self.shards.len()
    }

    /// All shards.
    pub fn all(&self) -> ShardSet {
        ShardSet(u64::MAX >> (64 - self.shards.len()))
    }

    /// What all keys take, in bytes.
    #[inline]
    pub fn used_bytes(&self) -> usize {
        self.used_bytes.load(Ordering::Relaxed)
    }

    /// The most that all keys have taken, in bytes.
    pub fn peak_bytes(&self) -> usize {
        self.peak_bytes.load(Ordering::Relaxed).max(self.used_bytes())
    }

    /// Adds what commands have changed to the memory in use.
    #[inline]
    pub fn account(&self, effects: &mut Effects) {
        if effects.bytes != 0 {
            let old = self.used_bytes.fetch_add(effects.bytes as usize, Ordering::Relaxed);
            // What falls was higher before, so peaks show where it begins to.
            if effects.bytes < 0 && old > self.peak_bytes.load(Ordering::Relaxed) {
                self.peak_bytes.fetch_max(old, Ordering::Relaxed);
            }
            effects.bytes = 0;
        }
    }

    /// Holds these shards.
    ///
    /// # Errors
    /// The number of a shard that has been held by somebody else for some tens of microseconds; none is held then.
    #[inline]
    pub fn lock(&self, set: ShardSet) -> Result<Locked<'_>, usize> {
        Ok(Locked { keyspace: self, held: self.shards.hold(set.0)? })
    }

    /// Holds these shards, blocking the thread until all are free: for threads that serve no connections.
    pub fn lock_blocking(&self, set: ShardSet) -> Locked<'_> {
        Locked { keyspace: self, held: self.shards.hold_blocking(set.0) }
    }

    /// As [`Keyspace::lock_blocking`], beside shards of another node, if nobody takes those of these two nodes the other way
    /// round.
    pub fn lock_beside(&self, set: ShardSet) -> Locked<'_> {
        Locked { keyspace: self, held: self.shards.hold_beside(set.0) }
    }

    /// Asks the processor to fetch the buckets of keys, and then their entries, but for those whose shard somebody else
    /// holds. Meanwhile the shards are held, so that each is taken once.
    pub fn prefetch(&self, db: u32, keys: &[Key<'_>]) {
        let mut held = self.shards.hold_none();
        for key in keys {
            let number = self.shard_of(key.hash);
            if held.try_add(number) {
                held.get(number).prefetch(db, key, false);
            }
        }
        for key in keys {
            let number = self.shard_of(key.hash);
            if held.set() & (1 << number) != 0 {
                held.get(number).prefetch(db, key, true);
            }
        }
    }

    /// As [`Keyspace::prefetch`], for members of the collection at a key; see [`Entry::prefetch_members`].
    pub fn prefetch_members<'m>(
        &self,
        db: u32,
        key: &Key<'_>,
        members: impl Iterator<Item = &'m [u8]>,
        scored: impl Iterator<Item = &'m [u8]>,
    ) {
        let number = self.shard_of(key.hash);
        let mut held = self.shards.hold_none();
        if held.try_add(number)
            && let Some(place) = held.get(number).find(db, key)
        {
            held.get(number).at(db, place).prefetch_members(members, scored);
        }
    }

    /// Ready when a shard may be free.
    pub fn poll_free(&self, shard: usize, context: &Context<'_>) -> Poll<()> {
        if self.shards.wake_when_free(shard, context.waker()) { Poll::Pending } else { Poll::Ready(()) }
    }
}

/// Shards that are held.
pub struct Locked<'a> {
    keyspace: &'a Keyspace,
    held: Held<'a, Shard>,
}

impl<'a> Locked<'a> {
    /// The keyspace.
    #[inline]
    pub fn keyspace(&self) -> &'a Keyspace {
        self.keyspace
    }

    /// Which shards are held.
    #[inline]
    pub fn set(&self) -> ShardSet {
        ShardSet(self.held.set())
    }

    /// Whether all shards are held.
    #[inline]
    pub fn holds_all(&self) -> bool {
        self.set() == self.keyspace.all()
    }

    /// The shard of a key; it must be held.
    #[inline]
    pub fn shard(&self, key: &Key<'_>) -> &Shard {
        self.held.get(self.keyspace.shard_of(key.hash))
    }

    /// The shard of a key; it must be held.
    #[inline]
    pub fn shard_mut(&mut self, key: &Key<'_>) -> &mut Shard {
        self.held.get_mut(self.keyspace.shard_of(key.hash))
    }

    /// The shards that are held.
    pub fn iter(&self) -> impl Iterator<Item = &Shard> {
        self.held.iter()
    }

    /// The shards that are held.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Shard> {
        self.held.iter_mut()
    }

    /// The entry of a key that is alive; this counts as using it.
    #[inline]
    pub fn get(
        &mut self,
        effects: &mut Effects,
        moment: Moment,
        db: u32,
        key: &Key<'_>,
    ) -> Option<Ref<'_, Entry>> {
        self.shard_mut(key).get(effects, moment, db, key)
    }

    /// The numbers of a database, over all shards; they must all be held.
    pub fn stats(&self, db: u32) -> DbStats {
        debug_assert!(self.holds_all());
        self.iter().map(|shard| shard.stats(db)).fold(DbStats::default(), |sum, part| DbStats {
            keys: sum.keys + part.keys,
            volatile: sum.volatile + part.volatile,
            volatile_sum_ms: sum.volatile_sum_ms + part.volatile_sum_ms,
            fading: sum.fading + part.fading,
        })
    }

    /// One more than the highest database that was ever used; all shards must be held.
    pub fn dbs(&self) -> u32 {
        self.iter().map(|shard| shard.dbs().end).max().unwrap_or(0)
    }

    /// Visits about `count` keys of a database, dead ones included, from a cursor on, and gives the cursor from which
    /// to go on, zero at the end. Cursors have 48 bits. Whatever is there throughout is visited, and visited once.
    pub fn scan(&self, db: u32, cursor: u64, count: usize, mut visit: impl FnMut(&Entry)) -> u64 {
        debug_assert!(self.holds_all());
        let bits = u32::from(self.keyspace.bits);
        let position = cursor << 16;
        let mut number = if bits == 0 { 0 } else { (position >> (64 - bits)) as usize };
        let mut inner = position & (u64::MAX >> bits);
        let mut seen = 0;
        loop {
            let shard = self.held.get(number);
            inner = shard.scan(db, inner, |entry| {
                seen += 1;
                visit(entry);
            });
            if inner == 0 {
                number += 1;
                if number == self.keyspace.shards() {
                    return 0;
                }
            }
            if seen >= count {
                return if bits == 0 { inner >> 16 } else { ((number as u64) << (64 - bits) | inner) >> 16 };
            }
        }
    }

    /// A key of a database, drawn from all alike, dead or alive; all shards must be held.
    pub fn random(&mut self, db: u32) -> Option<Ref<'_, Entry>> {
        debug_assert!(self.holds_all());
        let keys: usize = self.iter().map(|shard| shard.len(db)).sum();
        let drawn = self.held.get_mut(0).draw();
        let mut index = ((u128::from(drawn) * keys as u128) >> 64) as usize;
        let shard = self.held.iter_mut().find(|shard| match index.checked_sub(shard.len(db)) {
            Some(less) => {
                index = less;
                false
            }
            None => true,
        })?;
        shard.random(db)
    }

    /// The shard that has the key with this hash, for deleting a key found by other means.
    pub fn key_of<'k>(&self, entry: &'k Entry) -> Key<'k> {
        self.keyspace.key(entry.key())
    }
}
