//! A node: its shards, and what belongs to all of them. In files of their own: the memory that it may take, what it has
//! counted, and its standby.

mod counting;
mod memory;
mod standby;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};

use memcache_wire::Error;
use structures::cached::{Cached, Draft, Head};
use structures::lent::Lender;
use structures::lock::{Held, Locks, bits};
use structures::ranked::Mutex;
use structures::table::{self, Item};

use crate::access::Access;
use crate::attention::Attention;
use crate::clients::{Client, Clients};
use crate::clock::{Clock, Now};
use crate::prefixes::Prefixes;
use crate::settings::{SHARD_BITS_MAX, Settings};
use crate::shard::{Garbage, Shard};
use crate::watching::{Ended, Watch, Watchers};

use counting::Forgotten;
pub use counting::Traffic;
pub(crate) use memory::Room;
use memory::Used;

/// Most shards.
const SHARDS_MAX: usize = 1 << SHARD_BITS_MAX;

/// What a node needs of the world around it.
pub trait Host: Send + Sync + std::fmt::Debug {
    /// Has [`Node::expire_due`] called at this time, in ms since the epoch; earlier than was said before.
    fn wake_at(&self, at_ms: i64);

    /// Drops what nobody needs any more, where nobody waits for it.
    fn discard(&self, garbage: Garbage);

    /// What there is around the node.
    fn surroundings(&self) -> Surroundings;

    /// The processor time that the process has taken, for all its nodes, in microseconds: in programs and in the system.
    fn processor_us(&self) -> (u64, u64);
}

/// What there is around a node, for its reports.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings {
    /// Where clients come to.
    pub address: SocketAddr,
    /// How many may wait there to be let in.
    pub backlog: u32,
    /// The threads that serve clients: of this node, and of all others of the process.
    pub threads: usize,
}

/// A memcached node.
pub struct Node {
    /// Bits of a hash by which its shard is found.
    shard_bits: u32,
    shards: Locks<Shard>,
    used: Box<[Used]>,
    seed: u64,
    /// How it counts time.
    pub clock: Clock,
    /// What it is like; its standby is like it.
    pub settings: Arc<Settings>,
    /// Who may use it, or its standby.
    pub access: Arc<Access>,
    /// What is counted of what concerns no item.
    pub traffic: Traffic,
    /// Its connections.
    pub clients: Clients,
    /// What is counted by the beginnings of keys.
    pub(crate) prefixes: Prefixes,
    /// Who watches what it does.
    pub(crate) watchers: Arc<Watchers>,
    /// When it is to be woken, in ms since the epoch.
    due_ms: AtomicI64,
    host: Arc<dyn Host>,
    /// What had been counted when the counters were forgotten.
    forgotten: Mutex<Forgotten>,
    /// What connections keep of requests that are not complete and of replies that are not read, in bytes.
    unfinished: AtomicUsize,
    /// The last cas id of each shard when somebody wanted sizes to be counted.
    sizes_since: Mutex<Option<Vec<u64>>>,
    /// Counts what replies keep of values that are gone.
    lender: Lender,
    /// Items that have been given up, to know which shard is to look at its memory.
    given_up: AtomicUsize,
    /// What small items have left that have made way for large ones, in bytes.
    to_give_back: AtomicUsize,
}

/// One item, as it is walked over.
#[derive(Clone, Copy, Debug)]
pub struct Walked<'a> {
    /// The key.
    pub key: &'a [u8],
    /// The value.
    pub value: &'a [u8],
    /// What the client keeps beside it.
    pub flags: u32,
    /// When it expires, in seconds since the epoch; nothing for never.
    pub expires_s: Option<i64>,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").field("used", &self.used_bytes()).finish_non_exhaustive()
    }
}

impl Node {
    /// A node without items that begins now.
    pub fn new(seed: u64, now_ms: i64, settings: Settings, access: Access, host: Arc<dyn Host>) -> Self {
        Node::counting(seed, Clock::new(now_ms), Arc::new(settings), Arc::new(access), host)
    }

    /// A node without items that counts time by this clock.
    fn counting(
        seed: u64,
        clock: Clock,
        settings: Arc<Settings>,
        access: Arc<Access>,
        host: Arc<dyn Host>,
    ) -> Self {
        let lender = Lender::default();
        let watchers = Arc::new(Watchers::default());
        let shard_bits = settings.shard_bits.clamp(1, SHARD_BITS_MAX);
        let shards = 1 << shard_bits;
        let shard = |number| Shard::new(number, shards, seed, clock, lender.clone(), Arc::clone(&watchers));
        Node {
            shard_bits,
            shards: Locks::new((0..shards).map(shard)),
            used: (0..shards).map(|_| Used::default()).collect(),
            seed,
            clock,
            settings,
            access,
            traffic: Traffic::default(),
            clients: Clients::default(),
            prefixes: Prefixes::default(),
            watchers: Arc::clone(&watchers),
            due_ms: AtomicI64::new(i64::MAX),
            host,
            forgotten: Mutex::default(),
            unfinished: AtomicUsize::new(0),
            sizes_since: Mutex::default(),
            lender,
            given_up: AtomicUsize::new(0),
            to_give_back: AtomicUsize::new(0),
        }
    }

    /// A node like this one, for its standby: it counts time and places items alike, and what is set for one is set for
    /// both.
    #[must_use]
    pub fn sibling(&self, host: Arc<dyn Host>) -> Self {
        Node::counting(self.seed, self.clock, Arc::clone(&self.settings), Arc::clone(&self.access), host)
    }

    /// The world around it.
    pub(crate) fn host(&self) -> &dyn Host {
        &*self.host
    }

    /// The hash of a key.
    #[inline]
    pub(crate) fn hash(&self, key: &[u8]) -> u64 {
        table::hash(self.seed, key)
    }

    /// The shard of a hash.
    #[inline]
    pub(crate) fn shard_of(&self, hash: u64) -> usize {
        (hash >> (u64::BITS - self.shard_bits)) as usize
    }

    /// The number of shards.
    #[inline]
    fn shards(&self) -> usize {
        1 << self.shard_bits
    }

    /// Holds a shard.
    ///
    /// # Errors
    /// Its number, if somebody else goes on holding it.
    #[inline]
    pub(crate) fn hold(&self, number: usize) -> Result<Held<'_, Shard>, usize> {
        self.shards.hold(1 << number)
    }

    /// Ready when a shard may be free.
    pub fn poll_free(&self, number: usize, context: &Context<'_>) -> Poll<()> {
        if self.shards.wake_when_free(number, context.waker()) { Poll::Pending } else { Poll::Ready(()) }
    }

    /// Whether somebody holds a shard, from this one on: its number. Nobody does so for long.
    pub fn held_from(&self, number: usize) -> Option<usize> {
        (number..self.shards()).find(|number| self.hold(*number).is_err())
    }

    /// The item of a draft, with all of its value.
    pub(crate) fn finish(&self, draft: Draft) -> Cached {
        draft.finish(&self.lender)
    }

    /// Asks the processor to fetch what requests for these keys will need, at most 64 of them, as far as nobody holds their
    /// shards. Each shard is held once for all of its keys.
    pub(crate) fn prefetch(&self, hashes: &[u64]) {
        let (mut shards, mut keys) = (0, [0_u64; SHARDS_MAX]);
        for (at, &hash) in hashes.iter().enumerate() {
            let number = self.shard_of(hash);
            shards |= 1 << number;
            keys[number] |= 1 << at;
        }
        bits(shards).for_each(|number| self.shards.prefetch(number));
        for second in [false, true] {
            for number in bits(shards) {
                let mut held = self.shards.hold_none();
                if held.try_add(number) {
                    let shard = held.get(number);
                    for at in bits(keys[number]) {
                        if second { shard.prefetch_item(hashes[at]) } else { shard.prefetch(hashes[at]) }
                    }
                }
            }
        }
    }

    /// Asks the processor to fetch the shard of a key that will be held soon.
    #[inline]
    pub(crate) fn prefetch_shard(&self, hash: Option<&u64>) {
        if let Some(&hash) = hash {
            self.shards.prefetch(self.shard_of(hash));
        }
    }

    /// Removes what has expired, as far as it is known now. When that is to be done again, in ms since the epoch.
    ///
    /// # Errors
    /// The number of a shard that somebody else goes on holding; this is to be called again when it is free.
    pub fn expire_due(&self, now_ms: i64) -> Result<Option<i64>, usize> {
        let now = self.clock.at(now_ms);
        self.due_ms.store(i64::MAX, Relaxed);
        let mut next = None;
        for number in 0..self.shards() {
            let mut held = match self.hold(number) {
                Ok(held) => held,
                Err(number) => {
                    self.due_ms.fetch_min(now_ms, Relaxed);
                    return Err(number);
                }
            };
            let shard = held.get_mut(number);
            let due = shard.expire_due(now);
            let garbage = shard.take_garbage();
            self.used[number].0.store(shard.used_bytes(), Relaxed);
            drop(held);
            self.discard(garbage);
            next = next.into_iter().chain(due).min();
        }
        if let Some(next) = next {
            self.due_ms.fetch_min(next, Relaxed);
        }
        Ok(next)
    }

    fn discard(&self, garbage: Garbage) {
        if !garbage.is_empty() {
            self.host.discard(garbage);
        }
    }

    /// Has all items go at a second, those that there are then; zero for now.
    ///
    /// # Errors
    /// The number of a shard that somebody else goes on holding; this is to be called again when it is free.
    pub fn flush(&self, second: u32, now: Now) -> Result<(), usize> {
        for number in 0..self.shards() {
            let mut held = self.hold(number)?;
            let shard = held.get_mut(number);
            if second == 0 {
                shard.flush_at(0, now);
                shard.clear();
            } else {
                shard.flush_at(second, now);
            }
            let garbage = shard.take_garbage();
            self.account(number, shard);
            drop(held);
            self.discard(garbage);
        }
        Ok(())
    }

    /// Takes back what was said of a flush that has yet to come.
    ///
    /// # Errors
    /// As [`Node::flush`].
    pub(crate) fn forget_flush(&self, now: Now) -> Result<(), usize> {
        for number in 0..self.shards() {
            let mut held = self.hold(number)?;
            let shard = held.get_mut(number);
            shard.flush_at(0, now);
            self.account(number, shard);
        }
        Ok(())
    }

    /// When all items are to go that there are then, in seconds since the epoch; nothing for never.
    pub fn flush_due_s(&self) -> Option<i64> {
        let second =
            self.each(|shard| shard.flush_second()).into_iter().max().filter(|second| *second != 0)?;
        Some(self.clock.since_epoch_s(second))
    }

    /// Has all items go at a time in seconds since the epoch: at once if it has passed.
    ///
    /// # Errors
    /// As [`Node::flush`].
    pub fn flush_at_s(&self, at_s: i64, now: Now) -> Result<(), usize> {
        let second = self.clock.of_epoch_s(at_s);
        self.flush(if second <= now.second { 0 } else { second }, now)
    }

    /// Visits each shard for a moment, blocking the thread if somebody else holds it.
    pub(crate) fn each<R>(&self, mut visit: impl FnMut(&mut Shard) -> R) -> Vec<R> {
        (0..self.shards())
            .map(|number| visit(self.shards.hold_blocking(1 << number).get_mut(number)))
            .collect()
    }

    /// Has somebody watch what it does from now on.
    ///
    /// # Errors
    /// As many watch as may.
    pub(crate) fn watch(&self, wants: Attention) -> Result<Watch, Error> {
        let watch = self.watchers.add(wants)?;
        self.each(|shard| shard.attend(wants - Attention::CONNECTIONS));
        Ok(watch)
    }

    /// Tells those who watch that a connection has been made.
    pub fn tell_coming(&self, client: &Client, now: Now) {
        self.watchers.tell_coming(client, now);
    }

    /// Tells those who watch that a connection has ended, and why.
    pub fn tell_leaving(&self, client: &Client, why: Ended, now: Now) {
        self.watchers.tell_leaving(client, why, now);
    }

    /// Visits items that have not expired, a few of them, from a place on that is zero first. Gives the next place, or
    /// nothing at the end. What is there throughout is visited once.
    ///
    /// # Errors
    /// The number of a shard that somebody else goes on holding; this is to be called again when it is free.
    pub fn walk(
        &self,
        place: (usize, u64),
        now: Now,
        mut visit: impl FnMut(Walked<'_>),
    ) -> Result<Option<(usize, u64)>, usize> {
        self.look(place, now, |item| {
            let expires = item.expires();
            visit(Walked {
                key: item.key(),
                value: item.value(),
                flags: item.flags(),
                expires_s: (expires != 0).then(|| self.clock.since_epoch_s(expires)),
            });
        })
    }

    /// As [`Node::walk`], with all that items have.
    pub(crate) fn look(
        &self,
        place: (usize, u64),
        now: Now,
        mut visit: impl FnMut(&Cached),
    ) -> Result<Option<(usize, u64)>, usize> {
        let (number, position) = place;
        let held = self.hold(number)?;
        let next = held.get(number).walk(position, |item| {
            if item.expires() == 0 || item.expires() > now.second {
                visit(item);
            }
        });
        Ok(match next {
            0 if number + 1 == self.shards() => None,
            0 => Some((number + 1, 0)),
            next => Some((number, next)),
        })
    }

    /// Puts an item in that was walked over, here or elsewhere, unless it has expired. Whether there is room.
    ///
    /// # Errors
    /// The number of a shard that somebody else goes on holding; this is to be called again when it is free.
    pub fn load(&self, item: Walked<'_>, now: Now) -> Result<bool, usize> {
        let expires = item.expires_s.map_or(0, |at_s| self.clock.of_epoch_s(at_s));
        if expires != 0 && expires <= now.second {
            return Ok(true);
        }
        let head = Head { flags: item.flags, expires, ..Head::default() };
        match self.make_room(Cached::room(&head, item.key.len(), item.value.len()), now) {
            Room::Enough => {}
            Room::Contended(number) => return Err(number),
            Room::Short => return Ok(false),
        }
        let hash = self.hash(item.key);
        let number = self.shard_of(hash);
        let mut held = self.hold(number)?;
        let shard = held.get_mut(number);
        shard.put(hash, item.key, head, [item.value, &[]], now);
        self.account(number, shard);
        Ok(true)
    }

    /// Checks the invariants; for tests.
    pub fn check_invariants(&self) {
        for (number, used) in
            self.each(|shard| (shard.check_invariants(), shard.used_bytes()).1).iter().enumerate()
        {
            assert_eq!(self.used[number].0.load(Relaxed), *used);
        }
    }
}
