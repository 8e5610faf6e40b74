//! A shard: the items whose hashes begin alike, behind one lock.
//!
//! Invariants: `used_bytes` is what table, items and wheel take, and an estimate of what lies idle between the items; for
//! every item that expires the wheel has a record. What is put in, changed or taken out here is repeated by the same shard
//! of the standby, if there is one, before the shard is let go.
//!
//! Not here: what is given up where memory is short; see `eviction`.

mod eviction;

use std::sync::Arc;

use structures::cached::{Cached, Head, Marks, USES_MAX};
use structures::lent::Lender;
use structures::table::{Item, Place, Ref, Table};
use structures::wheel::{Wheel, fragment};

use crate::attention::Attention;
use crate::classes::{CLASSES, EXACT, class_bytes, class_of};
use crate::clock::{Clock, Now};
use crate::counts::Counts;
use crate::node::Node;
use crate::sparseness::Sparseness;
use crate::tallies::{Tallies, Tally};
use crate::watching::Watchers;

/// How many are looked at for how old the items are: while a shard is held for that, it is for tens of microseconds.
const LOOKED_AT: usize = 256;
/// Most records that are looked at before others get their turn.
pub(crate) const EXPIRED_AT_ONCE: usize = 256;

/// The items of a shard; see the module. What is counted comes first: it is changed by every request, as the lock before it
/// is, and all else that a `get` looks at by few.
#[repr(C)]
pub struct Shard {
    /// What is counted.
    pub counts: Counts,
    number: usize,
    seed: u64,
    /// First bits of the hash that all items share.
    skip: u8,
    clock: Clock,
    items: Table<Cached>,
    wheel: Wheel,
    /// What the items take, in bytes.
    blocks_bytes: usize,
    sparseness: Sparseness,
    /// How many items expire.
    expiring: usize,
    /// How many items each size class has.
    by_class: [u32; CLASSES],
    /// What those of the classes take that have blocks of several sizes, in bytes.
    inexact_bytes: [usize; CLASSES - EXACT],
    /// The second at which all items go; zero for never.
    flush_at: u32,
    /// What is to be looked at beside items.
    attention: Attention,
    /// Who watches, as far as attention says that somebody does.
    pub(crate) watchers: Arc<Watchers>,
    random: u64,
    last_cas: u64,
    /// How much cas ids grow by: no two shards give the same.
    cas_step: u64,
    /// What is counted of each size class.
    pub(crate) tallies: Tallies,
    standby: Option<Arc<Node>>,
    garbage: Vec<Table<Cached>>,
    /// Counts what replies keep of values that are gone.
    lender: Lender,
}

/// Items that nobody reaches any more; dropping them may take long.
#[derive(Default)]
pub struct Garbage(Vec<Table<Cached>>);

impl Garbage {
    /// Whether there is nothing to drop.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Shard {
    pub(crate) fn new(
        number: usize,
        shards: usize,
        seed: u64,
        clock: Clock,
        lender: Lender,
        watchers: Arc<Watchers>,
    ) -> Self {
        let skip = shards.trailing_zeros() as u8;
        Shard {
            number,
            seed,
            skip,
            clock,
            items: Table::new(seed, skip),
            wheel: Wheel::default(),
            blocks_bytes: 0,
            sparseness: Sparseness::default(),
            expiring: 0,
            by_class: [0; CLASSES],
            inexact_bytes: [0; CLASSES - EXACT],
            flush_at: 0,
            attention: Attention::empty(),
            watchers,
            random: seed.wrapping_add(number as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
            last_cas: number as u64,
            cas_step: shards as u64,
            counts: Counts::default(),
            tallies: Tallies::default(),
            standby: None,
            garbage: Vec::new(),
            lender,
        }
    }

    /// What everything takes, and what lies idle between the items, in bytes.
    #[inline]
    pub fn used_bytes(&self) -> usize {
        self.blocks_bytes + self.sparseness.idle_bytes(self.items.len()) + self.index_bytes()
    }

    /// What is needed to find the items, in bytes.
    #[inline]
    pub fn index_bytes(&self) -> usize {
        self.items.heap_bytes() + self.wheel.heap_bytes()
    }

    /// What the items take, in bytes.
    pub fn items_bytes(&self) -> usize {
        self.blocks_bytes
    }

    /// The number of items, those that have expired and are still there included.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is no item.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// How many items each size class has, and what they take, in bytes.
    pub fn by_class(&self) -> impl Iterator<Item = (u32, usize)> {
        self.by_class.iter().enumerate().map(|(class, &count)| {
            let bytes = match class.checked_sub(EXACT) {
                None => count as usize * class_bytes(class),
                Some(at) => self.inexact_bytes[at],
            };
            (count, bytes)
        })
    }

    /// Asks the processor to fetch what a request for this key will need.
    #[inline]
    pub(crate) fn prefetch(&self, hash: u64) {
        self.items.prefetch(hash);
    }

    /// As [`Shard::prefetch`], when the first fetch has come.
    #[inline]
    pub(crate) fn prefetch_item(&self, hash: u64) {
        self.items.prefetch_item_for_change(hash);
    }

    /// Where the item of a key is, unless it has expired: then it goes.
    #[inline]
    pub(crate) fn find(&mut self, hash: u64, key: &[u8], now: Now) -> Option<Place> {
        if !self.attention.is_empty() {
            return self.find_attentively(hash, key, now);
        }
        let (place, item) = self.items.find_item(hash, key)?;
        let expires = item.expires();
        if expires != 0 && expires <= now.second {
            self.find_expired(place);
            return None;
        }
        Some(place)
    }

    /// Takes note that an item was looked up that has expired.
    #[cold]
    fn find_expired(&mut self, place: Place) {
        self.counts.get_expired += 1;
        self.remove(place);
    }

    /// As [`Shard::find`], where something is going on.
    #[cold]
    fn find_attentively(&mut self, hash: u64, key: &[u8], now: Now) -> Option<Place> {
        self.flush_if_due(now);
        let found = self.items.find(hash, key);
        let expires = found.map_or(0, |place| self.items.at(place).expires());
        let is_expired = expires != 0 && expires <= now.second;
        if is_expired && let Some(place) = found {
            self.find_expired(place);
        }
        let found = found.filter(|_| !is_expired);
        if self.is_watched(Attention::FETCHERS) {
            let (status, class, bytes) = match found.map(|place| self.items.at(place)) {
                Some(item) => ("found", class_of(item.heap_bytes()), item.value().len()),
                None => (if is_expired { "expired" } else { "not_found" }, 0, 0),
            };
            self.watchers.tell_lookup(key, status, class, bytes, now);
        }
        found
    }

    /// Looks at what somebody watches from now on.
    pub(crate) fn attend(&mut self, to: Attention) {
        self.attention |= to;
    }

    /// Whether somebody watches such things.
    #[inline]
    pub(crate) fn is_watched(&mut self, what: Attention) -> bool {
        self.attention.contains(what) && self.is_still_watched(what)
    }

    /// Looks no more at what nobody watches any more.
    #[cold]
    fn is_still_watched(&mut self, what: Attention) -> bool {
        self.attention.remove(Attention::WATCHED - self.watchers.wanted());
        self.attention.contains(what)
    }

    fn set_flush(&mut self, second: u32) {
        self.flush_at = second;
        self.attention.set(Attention::FLUSH, second != 0);
    }

    /// The item at a place.
    #[inline]
    pub(crate) fn at(&self, place: Place) -> Ref<'_, Cached> {
        self.items.at(place)
    }

    /// What is counted of the class of blocks of this size, in bytes.
    #[inline]
    pub(crate) fn tally_of(&mut self, bytes: usize) -> &mut Tally {
        self.tallies.of(class_of(bytes))
    }

    /// What is counted of the class of an item.
    #[inline]
    pub(crate) fn tally(&mut self, place: Place) -> &mut Tally {
        // Its block is of the same class.
        let bytes = self.items.at(place).bytes();
        self.tally_of(bytes)
    }

    /// Takes note that an item was looked up, which is there or not, or was to be given another expiry when it was: that is
    /// another count.
    #[inline]
    pub(crate) fn looked_up(&mut self, found: Option<Place>, is_touched: bool) {
        self.counts.looked_up(found.is_some(), is_touched);
        let Some(place) = found else { return };
        let tally = self.tally(place);
        *(if is_touched { &mut tally.touch_hits } else { &mut tally.get_hits }) += 1;
    }

    /// Takes note that an item has been read.
    #[inline]
    pub(crate) fn used(&mut self, place: Place, now: Now) {
        self.wanted(place, now);
        let mut item = self.items.at_kept(place);
        let marks = item.marks();
        item.set_marks(marks | Marks::FETCHED);
    }

    /// Takes note that an item has been used, but not read.
    #[inline]
    pub(crate) fn wanted(&mut self, place: Place, now: Now) {
        let mut item = self.items.at_kept(place);
        item.set_accessed(now.tick);
        let uses = item.uses();
        item.set_uses(USES_MAX.min(uses + 1));
    }

    /// The cas id that was given last.
    pub(crate) fn last_cas(&self) -> u64 {
        self.last_cas
    }

    /// A cas id that nothing has had.
    #[inline]
    pub(crate) fn next_cas(&mut self) -> u64 {
        self.last_cas += self.cas_step;
        self.last_cas
    }

    /// Puts an item in the place of what its key has, and gives its cas id. The parts are the value's.
    #[inline]
    pub(crate) fn put(&mut self, hash: u64, key: &[u8], head: Head, parts: [&[u8]; 2], now: Now) -> Place {
        let cas = self.next_cas();
        let head = Head { cas, accessed: now.tick, ..head };
        self.put_new(hash, Cached::new(key, &head, parts, &self.lender), now)
    }

    /// Puts an item that has been made already, which is to expire at this second.
    pub(crate) fn put_item(&mut self, hash: u64, item: Cached, expires: u32, now: Now) -> Place {
        let mut item = item;
        item.set_expires(expires);
        item.set_cas(self.next_cas());
        item.set_accessed(now.tick);
        self.put_new(hash, item, now)
    }

    #[inline]
    fn put_new(&mut self, hash: u64, item: Cached, now: Now) -> Place {
        self.counts.total_items += 1;
        let place = self.replace(hash, item, now.ms);
        self.repeat(place);
        place
    }

    /// Puts an item in the place of what its key has.
    #[inline]
    fn replace(&mut self, hash: u64, item: Cached, now_ms: i64) -> Place {
        let (bytes, expires) = (item.heap_bytes(), item.expires());
        let (place, old) = match self.items.find(hash, item.key()) {
            Some(place) => {
                let old = std::mem::replace(&mut *self.items.at_mut(place), item);
                // Most often it is as large as what was there.
                if old.heap_bytes() != bytes {
                    self.add_to_sums(old.heap_bytes(), -1);
                    self.add_to_sums(bytes, 1);
                }
                (place, old.expires())
            }
            None => {
                self.add_to_sums(bytes, 1);
                (self.items.insert_new(hash, item), 0)
            }
        };
        self.expiring = self.expiring + usize::from(expires != 0) - usize::from(old != 0);
        if expires != 0 {
            self.record(hash, old, expires, now_ms);
        }
        place
    }

    /// Takes note that a block of so many bytes has come, or has gone.
    #[inline]
    fn add_to_sums(&mut self, bytes: usize, sign: isize) {
        self.blocks_bytes = self.blocks_bytes.wrapping_add_signed(sign * bytes as isize);
        let class = class_of(bytes);
        self.by_class[class] = self.by_class[class].wrapping_add_signed(sign as i32);
        if let Some(of_class) = class.checked_sub(EXACT).and_then(|at| self.inexact_bytes.get_mut(at)) {
            *of_class = of_class.wrapping_add_signed(sign * bytes as isize);
        }
    }

    /// Changes an item where it is, and gives what `change` gives. Its key and the length of its value stay.
    pub(crate) fn change<R>(&mut self, place: Place, now: Now, change: impl FnOnce(&mut Cached) -> R) -> R {
        let (before, result, after) = {
            let mut item = self.items.at_mut(place);
            let before = (item.heap_bytes(), item.expires());
            let result = change(&mut item);
            (before, result, (item.heap_bytes(), item.expires()))
        };
        if before != after {
            self.add_to_sums(before.0, -1);
            self.add_to_sums(after.0, 1);
            self.expiring = self.expiring + usize::from(after.1 != 0) - usize::from(before.1 != 0);
            if after.1 != 0 {
                let hash = self.items.hash(self.items.at(place).key());
                self.record(hash, before.1, after.1, now.ms);
            }
        }
        self.repeat(place);
        result
    }

    /// Has the wheel look at an item when it expires.
    fn record(&mut self, hash: u64, old: u32, expires: u32, now_ms: i64) {
        if self.wheel.is_littered(self.expiring, self.items.len()) {
            self.wheel = Wheel::default();
            for item in self.items.iter().filter(|item| item.expires() != 0) {
                let at_ms = self.clock.ms(item.expires());
                self.wheel.add(fragment(self.items.hash(item.key()), self.skip), None, at_ms, now_ms);
            }
            return;
        }
        let old_ms = (old != 0).then(|| self.clock.ms(old));
        self.wheel.add(fragment(hash, self.skip), old_ms, self.clock.ms(expires), now_ms);
    }

    /// Takes an item out.
    pub(crate) fn remove(&mut self, place: Place) {
        let item = self.items.remove(place);
        self.add_to_sums(item.heap_bytes(), -1);
        self.expiring -= usize::from(item.expires() != 0);
        if let Some(standby) = &self.standby {
            standby.repeat_removal(self.number, item.key());
        }
    }

    /// Takes an item out that has expired without being asked for since.
    fn expire(&mut self, place: Place) {
        let item = self.items.at(place);
        let tally = self.tallies.of(class_of(item.heap_bytes()));
        if !item.marks().contains(Marks::FETCHED) {
            self.counts.expired_unfetched += 1;
            tally.expired_unfetched += 1;
        }
        self.counts.reclaimed += 1;
        tally.reclaimed += 1;
        self.remove(place);
    }

    /// Takes note that there was no room for an item of this size, in bytes.
    #[cold]
    pub(crate) fn lacked_room(&mut self, bytes: usize) {
        self.tally_of(bytes).out_of_memory += 1;
    }

    /// For each size class, how long ago that item was used that was not used for longest, in ticks; nothing where none
    /// was looked at. All are looked at where they are few, else as many that are drawn.
    pub(crate) fn ages(&mut self, now: Now) -> [Option<u32>; CLASSES] {
        let mut ages = [None; CLASSES];
        let mut look = |item: &Cached| {
            let own = &mut ages[class_of(item.heap_bytes())];
            *own = (*own).max(Some(now.tick.saturating_sub(item.accessed())));
        };
        if self.items.len() <= LOOKED_AT {
            self.items.iter().for_each(|item| look(&item));
            return ages;
        }
        for _ in 0..LOOKED_AT {
            let random = &mut self.random;
            let Some(place) = self.items.random(|| next_random(random)) else { break };
            look(&self.items.at(place));
        }
        ages
    }

    /// Removes what has expired, as far as the wheel knows; at most [`EXPIRED_AT_ONCE`] items. When it is to be asked
    /// again, in ms since the epoch.
    pub(crate) fn expire_due(&mut self, now: Now) -> Option<i64> {
        self.flush_if_due(now);
        for _ in 0..EXPIRED_AT_ONCE {
            let Some(fragment) = self.wheel.pop(now.ms) else { break };
            // Items that share the fragment are rare, but all of them may stand behind this record.
            let due = |item: &Cached| item.expires() != 0 && item.expires() <= now.second;
            while let Some(place) = self.items.find_fragment(fragment, due) {
                self.expire(place);
            }
            let rest = self.items.find_fragment(fragment, |item| item.expires() != 0);
            if let Some(place) = rest {
                let item = self.items.at(place);
                let (hash, expires) = (self.items.hash(item.key()), item.expires());
                self.record(hash, 0, expires, now.ms);
            }
        }
        self.first_due_ms()
    }

    /// When something is to be looked at next, in ms since the epoch.
    pub(crate) fn first_due_ms(&self) -> Option<i64> {
        let flush_ms = (self.flush_at != 0).then(|| self.clock.ms(self.flush_at));
        self.wheel.first_ms().into_iter().chain(flush_ms).min()
    }

    /// Has all items go at a second: those that there are then. Zero takes back what was said before.
    pub(crate) fn flush_at(&mut self, second: u32, now: Now) {
        self.set_flush(second);
        self.repeat_flush();
        self.flush_if_due(now);
    }

    /// The second at which all items go; zero for never.
    pub(crate) fn flush_second(&self) -> u32 {
        self.flush_at
    }

    /// Follows another node's shard: has all items go when they go there, zero for never.
    pub(crate) fn follow_flush(&mut self, second: u32) {
        self.set_flush(second);
    }

    fn flush_if_due(&mut self, now: Now) {
        if self.flush_at != 0 && self.flush_at <= now.second {
            self.set_flush(0);
            self.clear();
        }
    }

    /// Removes all items. What is left of them is to be fetched by [`Shard::take_garbage`].
    pub(crate) fn clear(&mut self) {
        let items = std::mem::replace(&mut self.items, Table::new(self.seed, self.skip));
        if !items.is_empty() {
            self.garbage.push(items);
        }
        self.wheel = Wheel::default();
        self.sparseness = Sparseness::default();
        (self.blocks_bytes, self.expiring) = (0, 0);
        (self.by_class, self.inexact_bytes) = ([0; CLASSES], [0; CLASSES - EXACT]);
        if let Some(standby) = &self.standby {
            standby.repeat_clear(self.number);
        }
    }

    /// What is to be freed where nobody waits for it.
    pub(crate) fn take_garbage(&mut self) -> Garbage {
        Garbage(std::mem::take(&mut self.garbage))
    }

    /// Follows another node's shard: takes an item over as it is.
    pub(crate) fn adopt(&mut self, hash: u64, item: &Cached, now_ms: i64) {
        self.last_cas = self.last_cas.max(item.cas());
        self.replace(hash, copy(item, &self.lender), now_ms);
    }

    /// Tells those who watch that an item was looked for that is not there.
    pub(crate) fn tell_missing(&mut self, key: &[u8], now: Now) {
        if self.is_watched(Attention::FETCHERS) {
            self.watchers.tell_lookup(key, "not_found", 0, 0, now);
        }
    }

    /// What there is of a key, to be told: when it expires, its size class, and the length of its value.
    pub(crate) fn stored(&self, hash: u64, key: &[u8]) -> (u32, usize, usize) {
        self.items.find(hash, key).map_or((0, 0, 0), |place| {
            let item = self.items.at(place);
            (item.expires(), class_of(item.heap_bytes()), item.value().len())
        })
    }

    /// Whether there is an item of this key, expired or not.
    pub(crate) fn has(&self, hash: u64, key: &[u8]) -> bool {
        self.items.find(hash, key).is_some()
    }

    /// Takes an item out, if it is there, as the master has.
    pub(crate) fn drop_key(&mut self, hash: u64, key: &[u8]) {
        if let Some(place) = self.items.find(hash, key) {
            self.remove(place);
        }
    }

    /// Has another node do what is done here from now on.
    pub(crate) fn set_standby(&mut self, standby: Option<Arc<Node>>) {
        self.standby = standby;
        self.repeat_flush();
    }

    /// Visits the items of a few buckets, from a position on; gives the next position, zero at the end.
    pub(crate) fn walk(&self, position: u64, mut visit: impl FnMut(&Cached)) -> u64 {
        let mut position = position;
        for _ in 0..BUCKETS_AT_ONCE {
            position = self.items.scan(position, &mut visit);
            if position == 0 {
                break;
            }
        }
        position
    }

    /// Has the standby, if there is one, take over an item as it is.
    #[inline]
    fn repeat(&self, place: Place) {
        if let Some(standby) = &self.standby {
            standby.repeat_item(self.number, &self.items.at(place));
        }
    }

    /// Tells the standby, if there is one, when all items go.
    fn repeat_flush(&self) {
        if let Some(standby) = &self.standby {
            standby.repeat_flush(self.number, self.flush_at);
        }
    }

    /// Checks the invariants; for tests.
    pub fn check_invariants(&self) {
        self.wheel.check_invariants();
        let bytes: usize = self.items.iter().map(|item| item.heap_bytes()).sum();
        let expiring = self.items.iter().filter(|item| item.expires() != 0).count();
        assert_eq!((bytes, expiring), (self.blocks_bytes, self.expiring));
        assert_eq!(self.by_class().map(|(count, _)| count as usize).sum::<usize>(), self.items.len());
        assert_eq!(self.by_class().map(|(_, bytes)| bytes).sum::<usize>(), self.blocks_bytes);
    }
}

/// Buckets that are walked while a shard is held once.
const BUCKETS_AT_ONCE: usize = 64;

/// An item as another one, with all that it has.
fn copy(item: &Cached, lender: &Lender) -> Cached {
    let mut copy = Cached::new(item.key(), &item.head(), [item.value(), &[]], lender);
    copy.set_marks(item.marks());
    copy.set_uses(item.uses());
    copy
}

/// xorshift64*.
#[inline]
fn next_random(state: &mut u64) -> u64 {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    state.wrapping_mul(0x2545_F491_4F6C_DD1D)
}
