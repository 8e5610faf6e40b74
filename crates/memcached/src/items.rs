//! What commands do with items, whichever protocol they came in.
//!
//! Everything here may find a shard held by somebody else: its number is the error then, nothing has been done, and it is
//! to be tried again.

use std::cell::RefCell;

use bytes::Bytes;
use memcache_wire::{Reply, number};
use structures::cached::{Cached, Head, Marks};
use structures::table::Place;

use crate::attention::Attention;
use crate::classes::class_of;
use crate::clock::Now;
use crate::node::{Node, Room};
use crate::shard::Shard;
use crate::unfinished::Made;
use crate::watching::Told;
use std::sync::atomic::Ordering::Relaxed;

/// What memcached keeps of an item beside its key, flags and value, in bytes: its limit on items counts it.
const OVERHEAD_BYTES: usize = 48 + 8 + 1 + 2;

/// When a value is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Whatever there is.
    Set,
    /// If there is no such item.
    Add,
    /// If there is one.
    Replace,
    /// Behind the value that there is.
    Append,
    /// Before the value that there is.
    Prepend,
    /// If the item has not changed.
    Cas,
}

/// A value to be stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order<'a> {
    pub(crate) mode: Mode,
    pub(crate) key: &'a [u8],
    pub(crate) flags: u32,
    /// The second at which it expires; zero for never.
    pub(crate) expires: u32,
    pub(crate) value: &'a [u8],
    /// What the item must be; zero if anything will do.
    pub(crate) cas: u64,
    /// The item with all of this, if it has been made already and been counted.
    pub(crate) made: Option<&'a Made>,
    /// Whether an item that has changed since is replaced all the same, by one that is out of date.
    pub(crate) is_stale: bool,
    /// Whether the key is no text.
    pub(crate) has_binary_key: bool,
    /// Whether what there is is out of date, and goes, if there is no room for this.
    pub(crate) outdates: bool,
}

impl Order<'_> {
    /// What the item has beside its key and its value.
    #[inline]
    fn head(&self) -> Head {
        Head { flags: self.flags, expires: self.expires, ..Head::default() }
    }

    /// What the item takes with a value of this length, in bytes.
    #[inline]
    fn room(&self, value_len: usize) -> usize {
        Cached::room(&self.head(), self.key.len(), value_len)
    }
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    /// It is there, with this cas id.
    Yes(u64),
    /// The condition does not hold.
    No,
    /// The item has changed.
    Changed,
    /// There is no such item.
    Missing,
    /// It is larger than items may be.
    TooLarge,
    /// There is no room.
    NoMemory,
}

/// A number to be added to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sum<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) delta: u64,
    pub(crate) decrements: bool,
    /// What the item must be; zero if anything will do.
    pub(crate) cas: u64,
    /// What it begins with where there is none, and when that expires.
    pub(crate) initial: Option<(u64, u32)>,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Summed {
    /// The number is this now, at this place; it may have been made.
    Yes { value: u64, place: Place, is_new: bool },
    /// There is no such item.
    Missing,
    /// The item has changed.
    Changed,
    /// What there is is no number.
    NonNumeric,
    /// There is no room.
    NoMemory,
}

/// Holds the shard of a key for as long as `work` takes, which gets it with the hash of the key.
#[inline]
pub(crate) fn with<R>(node: &Node, key: &[u8], work: impl FnOnce(&mut Shard, u64) -> R) -> Result<R, usize> {
    let hash = node.hash(key);
    with_hash(node, hash, |shard| work(shard, hash))
}

/// Holds the shard of a hash for as long as `work` takes.
#[inline]
pub(crate) fn with_hash<R>(node: &Node, hash: u64, work: impl FnOnce(&mut Shard) -> R) -> Result<R, usize> {
    let number = node.shard_of(hash);
    let mut held = node.hold(number)?;
    let shard = held.get_mut(number);
    let result = work(shard);
    node.account(number, shard);
    Ok(result)
}

/// Whether an item of this size may not be.
#[inline]
pub(crate) fn is_too_large(node: &Node, key: &[u8], flags: u32, value_len: usize) -> bool {
    memcached_bytes(key.len(), value_len, flags) > node.settings.item_bytes.load(Relaxed)
}

/// What memcached would need for an item, in bytes.
#[inline]
pub(crate) fn memcached_bytes(key_len: usize, value_len: usize, flags: u32) -> usize {
    let flags_len = if flags == 0 { 0 } else { 4 };
    (OVERHEAD_BYTES + key_len + flags_len).saturating_add(value_len)
}

/// Writes the value of an item: a large one is not copied.
#[inline]
pub(crate) fn write_value(item: &Cached, reply: &mut Reply) {
    match item.lend() {
        None => reply.raw(item.value()),
        Some(lent) => reply.lend(Bytes::from_owner(lent)),
    }
}

/// Makes room for a block. Nothing if there is room.
#[inline]
fn room(node: &Node, bytes: usize, now: Now) -> Result<Option<Stored>, usize> {
    match node.make_room(bytes, now) {
        Room::Enough => Ok(None),
        Room::Contended(number) => Err(number),
        Room::Short => Ok(Some(Stored::NoMemory)),
    }
}

/// Stores a value.
#[inline]
pub(crate) fn store(node: &Node, order: &Order, now: Now) -> Result<Stored, usize> {
    let Order { key, flags, value, .. } = *order;
    if is_too_large(node, key, flags, value.len()) {
        return refuse(node, order, value.len(), Stored::TooLarge, now);
    }
    let bytes = order.room(value.len());
    if order.made.is_none()
        && let Some(short) = room(node, bytes, now)?
    {
        return refuse(node, order, value.len(), short, now);
    }
    with(node, key, |shard, hash| {
        let stored = put(node, shard, hash, order, bytes, now);
        if shard.is_watched(Attention::MUTATIONS) {
            tell(shard, hash, order, stored, now);
        }
        stored
    })
}

/// Stores a value in the shard of its key, if the condition holds: as an item of so many bytes.
#[inline]
fn put(node: &Node, shard: &mut Shard, hash: u64, order: &Order, bytes: usize, now: Now) -> Stored {
    let (Order { key, value, .. }, head) = (*order, order.head());
    shard.counts.cmd_set += 1;
    shard.tally_of(bytes).cmd_set += 1;
    let place = shard.find(hash, key, now);
    let found = place.map(|place| shard.at(place).cas());
    let mut marks = if order.has_binary_key { Marks::BINARY_KEY } else { Marks::empty() };
    let (parts, head) = match (order.mode, place, found) {
        (Mode::Set | Mode::Replace, Some(_), _) | (Mode::Set | Mode::Add, None, _) => ([value, &[]], head),
        (Mode::Cas, Some(place), Some(own)) if own == order.cas => {
            shard.counts.cas_hits += 1;
            shard.tally(place).cas_hits += 1;
            ([value, &[]], head)
        }
        (Mode::Cas, Some(place), Some(own)) if order.is_stale && order.cas != 0 && order.cas < own => {
            shard.counts.cas_hits += 1;
            shard.tally(place).cas_hits += 1;
            let item = shard.at(place);
            // It comes too late to say when the item expires, and whoever was told to make it anew still is: others
            // are not.
            marks |= Marks::STALE | item.marks() & Marks::WON;
            ([value, &[]], Head { expires: item.expires(), ..head })
        }
        (Mode::Append | Mode::Prepend, Some(_), Some(own)) if order.cas != 0 && order.cas != own => {
            return Stored::Changed;
        }
        (Mode::Append | Mode::Prepend, Some(place), _) => {
            return extend(node, shard, hash, place, order, now);
        }
        (Mode::Add, Some(place), _) => {
            // It counts as use, but not as being read.
            shard.wanted(place, now);
            return Stored::No;
        }
        (Mode::Cas, Some(place), _) => {
            shard.counts.cas_badval += 1;
            shard.tally(place).cas_badval += 1;
            return Stored::Changed;
        }
        (Mode::Cas, None, _) => {
            shard.counts.cas_misses += 1;
            return Stored::Missing;
        }
        (Mode::Replace | Mode::Append | Mode::Prepend, None, _) => return Stored::No,
    };
    let place = match order.made.and_then(RefCell::take) {
        Some(item) => shard.put_item(hash, item, head.expires, now),
        None => shard.put(hash, key, head, parts, now),
    };
    if !marks.is_empty() {
        shard.change(place, now, |item| item.set_marks(marks));
    }
    Stored::Yes(shard.at(place).cas())
}

/// Tells those who watch what became of a value.
#[cold]
fn tell(shard: &Shard, hash: u64, order: &Order, stored: Stored, now: Now) {
    let status = match stored {
        Stored::Yes(_) => "stored",
        Stored::No => "not_stored",
        Stored::Changed => "exists",
        Stored::Missing => "not_found",
        Stored::TooLarge => "too_large",
        Stored::NoMemory => "no_memory",
    };
    let command = match order.mode {
        Mode::Set => "set",
        Mode::Add => "add",
        Mode::Replace => "replace",
        Mode::Append => "append",
        Mode::Prepend => "prepend",
        Mode::Cas => "cas",
    };
    let (expires, class, bytes) = match stored {
        Stored::Yes(_) => shard.stored(hash, order.key),
        // There was no item.
        Stored::TooLarge | Stored::NoMemory => (0, 0, 0),
        _ => {
            let len = order.value.len();
            (order.expires, class_of(order.room(len)), len)
        }
    };
    shard.watchers.tell_store(order.key, &Told { status, command, expires, class, bytes }, now);
}

/// Puts a value behind or before the one that there is.
fn extend(node: &Node, shard: &mut Shard, hash: u64, place: Place, order: &Order, now: Now) -> Stored {
    let item = shard.at(place);
    let old = item.value().to_vec();
    let head = item.head();
    if is_too_large(node, order.key, head.flags, old.len() + order.value.len()) {
        return Stored::No;
    }
    let parts = if order.mode == Mode::Append { [&old[..], order.value] } else { [order.value, &old[..]] };
    let place = shard.put(hash, order.key, head, parts, now);
    Stored::Yes(shard.at(place).cas())
}

/// Takes note of a value of this length that did not end where it was said to: it counts as stored.
#[cold]
pub(crate) fn count_bad(node: &Node, order: &Order, len: usize) -> Result<(), usize> {
    with(node, order.key, |shard, _| {
        shard.counts.cmd_set += 1;
        shard.tally_of(order.room(len)).cmd_set += 1;
    })
}

/// Answers that a value of this length is not stored, which was not waited for: it is too large, or too many others are
/// on their way.
#[cold]
pub(crate) fn turn_away(node: &Node, order: &Order, len: usize, now: Now) -> Result<Stored, usize> {
    let is_too_large = is_too_large(node, order.key, order.flags, len);
    let why = if is_too_large { Stored::TooLarge } else { Stored::NoMemory };
    refuse(node, order, len, why, now)
}

/// Answers that a value of this length is not stored: it is too large, or there is no room.
#[cold]
pub(crate) fn refuse(node: &Node, order: &Order, len: usize, why: Stored, now: Now) -> Result<Stored, usize> {
    with(node, order.key, |shard, hash| {
        if shard.is_watched(Attention::MUTATIONS) {
            tell(shard, hash, order, why, now);
        }
        if why == Stored::TooLarge {
            shard.counts.store_too_large += 1;
        } else {
            shard.counts.store_no_memory += 1;
            shard.lacked_room(order.room(len));
        }
        if order.outdates
            && let Some(place) = shard.find(hash, order.key, now)
        {
            shard.remove(place);
        }
        why
    })
}

/// Adds to a number, and gives what `look` gives for it while it is held.
pub(crate) fn sum<R>(
    node: &Node,
    order: &Sum,
    now: Now,
    look: impl FnOnce(&mut Shard, Summed) -> R,
) -> Result<R, usize> {
    let largest = Head { flags: 1, expires: 1, ..Head::default() };
    let has_room = room(node, Cached::room(&largest, order.key.len(), DIGITS_MAX), now)?.is_none();
    with(node, order.key, |shard, hash| {
        let summed = add(shard, hash, order, has_room, now);
        look(shard, summed)
    })
}

/// Digits of the largest number.
const DIGITS_MAX: usize = 20;

fn add(shard: &mut Shard, hash: u64, order: &Sum, has_room: bool, now: Now) -> Summed {
    let Some(place) = shard.find(hash, order.key, now) else {
        let Some((value, expires)) = order.initial else {
            let counts = &mut shard.counts;
            *(if order.decrements { &mut counts.decr_misses } else { &mut counts.incr_misses }) += 1;
            return Summed::Missing;
        };
        let head = Head { expires, ..Head::default() };
        if !has_room {
            shard.lacked_room(Cached::room(&head, order.key.len(), DIGITS_MAX));
            return Summed::NoMemory;
        }
        // memcached looks once more.
        shard.tell_missing(order.key, now);
        let place =
            shard.put(hash, order.key, head, [itoa::Buffer::new().format(value).as_bytes(), &[]], now);
        if shard.is_watched(Attention::MUTATIONS) {
            let (expires, class, bytes) = shard.stored(hash, order.key);
            let told = Told { status: "stored", command: "add", expires, class, bytes };
            shard.watchers.tell_store(order.key, &told, now);
        }
        return Summed::Yes { value, place, is_new: true };
    };
    let item = shard.at(place);
    // What can be seen by the length comes first, then what the item is, then whether it is a number.
    if !(1..=NUMBER_MAX).contains(&item.value().len()) {
        return Summed::NonNumeric;
    }
    if order.cas != 0 && order.cas != item.cas() {
        return Summed::Changed;
    }
    let Some(value) = number::unsigned(item.value()) else { return Summed::NonNumeric };
    let (len, head) = (item.value().len(), item.head());
    let value = if order.decrements {
        shard.counts.decr_hits += 1;
        shard.tally(place).decr_hits += 1;
        value.saturating_sub(order.delta)
    } else {
        shard.counts.incr_hits += 1;
        shard.tally(place).incr_hits += 1;
        value.wrapping_add(order.delta)
    };
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(value).as_bytes();
    if digits.len() <= len {
        let cas = shard.next_cas();
        shard.change(place, now, |item| {
            let (start, rest) = item.value_mut().split_at_mut(digits.len());
            start.copy_from_slice(digits);
            // A number that has become shorter is filled up.
            rest.fill(b' ');
            item.set_cas(cas);
        });
        return Summed::Yes { value, place, is_new: false };
    }
    if !has_room {
        shard.lacked_room(Cached::room(&head, order.key.len(), digits.len()));
        return Summed::NoMemory;
    }
    let place = shard.put(hash, order.key, head, [digits, &[]], now);
    Summed::Yes { value, place, is_new: false }
}

/// Longer values are not looked at as numbers, in bytes: memcached keeps them in several pieces.
const NUMBER_MAX: usize = 512 << 10;
