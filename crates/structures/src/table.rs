//! A hash table that grows in small steps: the table of the keyspace, and of big sets, hashes and sorted sets.
//!
//! A directory indexed by the hash's first bits points to segments; a segment has up to 64 buckets, each one cache
//! line of eight slots. A slot holds the item's pointer (48 bits) and sixteen bits of its hash, the *tag*: those
//! that follow the bits by which the directory found the segment. The tag alone gives the item's home bucket, in
//! hash order, so a segment is resized without touching its items; an item that finds its bucket full goes to the
//! next one that is not.
//!
//! - Growth touches one segment, at most two: a segment grows by a quarter until it has 64 buckets, then splits in
//!   two by one more bit of the hash. The directory doubles now and then, at sixteen bytes a segment.
//! - A scan walks the items in hash order, which growth and shrinking leave as it is: whatever was present
//!   throughout is seen, and seen once.
//! - A random item is drawn uniformly, in constant time, by drawing slots until one is taken.
//!
//! Invariants (see [`Table::check_invariants`]): an item stands in the first bucket, from its home on, that had room
//! for it, so that a search may stop at the first bucket with a free slot; all directory entries of a segment are
//! equal but for `count`, which is kept in the first of them.
//!
//! Not here: what items are, and equality other than of keys.

#![allow(unsafe_code)]

use crate::block;
use crate::lock::prefetch_for_change;
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::hash::{BuildHasher, Hasher};
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::ptr::{self, NonNull};

mod drawing;

/// Slots in a bucket.
const SLOTS: usize = 8;
/// Bits of a slot that hold the pointer.
const POINTER_BITS: u32 = 48;
const POINTER_MASK: usize = (1 << POINTER_BITS) - 1;
/// A segment of so many buckets splits instead of growing.
const SPLIT_BUCKETS: u16 = 64;
/// Most buckets of a segment that splitting does not help, because all its hashes begin alike.
const MAX_BUCKETS: u16 = 32_768;
/// The largest blocks that mimalloc aligns to their size, in bytes.
const ALIGNED_BYTES: usize = 4096;
/// Most keys that are fetched ahead at once.
const PREFETCHED: usize = 32;
/// Tables of fewer items are not fetched ahead.
const PREFETCH_FROM: usize = 10_000;
/// Most bits that the directory looks at.
const MAX_DEPTH: u8 = 26;
/// A page of the allocator is mostly empty that is used to so many percent or less.
const SPARSE_PERCENT: usize = 75;

/// Something that a table holds: a thin, owning pointer to a block that begins with, or leads to, a key.
///
/// # Safety
/// `from_raw(into_raw(x))` gives `x` back, and the pointer has at most 48 significant bits. It may be taken back several
/// times: what it gives may all be read at once. An item is dropped without a panic.
pub unsafe trait Item: Sized {
    /// Gives up the item as its pointer.
    fn into_raw(self) -> NonNull<u8>;

    /// Takes an item back.
    ///
    /// # Safety
    /// The pointer came from [`Item::into_raw`]. Of all that it gives, one is changed or dropped at most, when the others
    /// are no longer read.
    unsafe fn from_raw(raw: NonNull<u8>) -> Self;

    /// The key by which the item is found; it does not change while the item is in a table.
    fn key(&self) -> &[u8];
}

#[repr(C, align(64))]
struct Bucket([*mut u8; SLOTS]);

/// A directory entry.
#[derive(Clone, Copy)]
struct Segment {
    buckets: NonNull<Bucket>,
    /// Number of slots, of all buckets.
    slots: u32,
    /// Items in the segment; valid in the segment's first directory entry.
    count: u16,
    /// Bits of the hash that the segment's items share.
    depth: u8,
}

/// Where an item is; valid until the table is changed. Whoever uses it after that gets another item, or panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    segment: u32,
    slot: u32,
}

/// A hash table; see the module.
pub struct Table<T: Item> {
    directory: Vec<Segment>,
    len: usize,
    segments_bytes: usize,
    seed: u64,
    /// The directory has `1 << depth` entries, or none while the table is empty.
    depth: u8,
    /// First bits of the hash that all items of the table share: they chose the table.
    skip: u8,
    /// Segments whose depth is the directory's.
    deepest: u32,
    /// No segment is wider than this.
    widest: u16,
    items: PhantomData<T>,
}

// SAFETY: a table owns its segments and items and nothing else.
unsafe impl<T: Item + Send> Send for Table<T> {}
// SAFETY: shared access only reads.
unsafe impl<T: Item + Sync> Sync for Table<T> {}

/// The hash of a key under a seed.
#[inline]
pub fn hash(seed: u64, key: &[u8]) -> u64 {
    let mut hasher = foldhash::quality::FixedState::with_seed(seed).build_hasher();
    hasher.write(key);
    hasher.finish()
}

impl<T: Item> Table<T> {
    /// An empty table. `seed` keys the hash; the first `skip` bits of hashes are the same for all its items.
    pub const fn new(seed: u64, skip: u8) -> Self {
        Table {
            directory: Vec::new(),
            len: 0,
            segments_bytes: 0,
            seed,
            depth: 0,
            skip,
            deepest: 0,
            widest: 0,
            items: PhantomData,
        }
    }

    /// An empty table to be filled with this one's items as they are iterated over. Its seed is another: else all that
    /// comes in a row would look for room in the same bucket.
    pub const fn for_copy(&self) -> Self {
        Table::new(self.seed.wrapping_add(0x9E37_79B9_7F4A_7C15), self.skip)
    }

    /// The number of items.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no item.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What directory and segments take from the allocator, in bytes; the items' own blocks are not in it.
    #[inline]
    pub fn heap_bytes(&self) -> usize {
        match self.directory.capacity() {
            0 => 0,
            entries => self.segments_bytes + block::class(entries * size_of::<Segment>()),
        }
    }

    /// The hash by which this table knows a key.
    #[inline]
    pub fn hash(&self, key: &[u8]) -> u64 {
        hash(self.seed, key)
    }

    /// Where the item of a key is. `hash` is what [`Table::hash`] gives for it.
    #[inline]
    pub fn find(&self, hash: u64, key: &[u8]) -> Option<Place> {
        self.find_where(hash, |item| item.key() == key)
    }

    /// As [`Table::find`], with the item itself.
    #[inline]
    pub fn find_item(&self, hash: u64, key: &[u8]) -> Option<(Place, Ref<'_, T>)> {
        self.seek(hash, |item| item.key() == key)
    }

    /// Where an item is whose key has this hash, and for which `test` holds.
    #[inline]
    pub fn find_where(&self, hash: u64, test: impl Fn(&T) -> bool) -> Option<Place> {
        self.seek(hash, test).map(|(place, _)| place)
    }

    #[inline]
    fn seek(&self, hash: u64, test: impl Fn(&T) -> bool) -> Option<(Place, Ref<'_, T>)> {
        if self.directory.is_empty() {
            return None;
        }
        let index = self.index(hash);
        let segment = &self.directory[index];
        let tag = self.tag(hash, segment.depth);
        let home = segment.home(tag);
        let mut number = home;
        loop {
            let bucket = segment.bucket(number);
            let mut matches = bucket.matches(tag);
            while matches != 0 {
                let slot = matches.trailing_zeros() as usize;
                // SAFETY: a taken slot holds an item of this table; it is only borrowed.
                let item = unsafe { borrow::<T>(bucket.0[slot]) };
                if test(&item) {
                    let place = Place { segment: index as u32, slot: (number * SLOTS + slot) as u32 };
                    return Some((place, Ref { item, table: PhantomData }));
                }
                matches &= matches - 1;
            }
            if !bucket.is_full() {
                return None;
            }
            number = segment.after(number);
            if number == home {
                return None;
            }
        }
    }

    /// Where an item is whose hash, behind the first `skip` bits, begins with these 32, and for which `test` holds.
    pub fn find_fragment(&self, fragment: u32, test: impl Fn(&T) -> bool) -> Option<Place> {
        // Sixteen bits and the directory's are all that a search looks at.
        if self.depth <= 16 {
            return self.find_where(u64::from(fragment) << 32 >> self.skip, test);
        }
        let index = (fragment >> (32 - u32::from(self.depth))) as usize;
        let segment = self.directory.get(index)?;
        let slot = (0..segment.slots as usize).find(|slot| {
            let pointer = segment.bucket(slot / SLOTS).0[slot % SLOTS];
            // SAFETY: a taken slot holds an item of this table; it is only borrowed.
            !pointer.is_null() && test(&*unsafe { borrow::<T>(pointer) })
        })?;
        Some(Place { segment: index as u32, slot: slot as u32 })
    }

    /// Asks the processor to fetch the bucket where a key with this hash belongs.
    #[inline]
    pub fn prefetch(&self, hash: u64) {
        if let Some(segment) = self.directory.get(self.index(hash)) {
            prefetch(ptr::from_ref(segment.bucket(segment.home(self.tag(hash, segment.depth)))).cast());
        }
    }

    /// Asks the processor to fetch the item that looks like the one with this hash; its bucket is close already.
    #[inline]
    pub fn prefetch_item(&self, hash: u64) {
        if let Some(item) = self.likely(hash) {
            prefetch(item);
        }
    }

    /// As [`Table::prefetch_item`], for one that is about to be changed.
    #[inline]
    pub fn prefetch_item_for_change(&self, hash: u64) {
        if let Some(item) = self.likely(hash) {
            prefetch_for_change(item);
        }
    }

    /// The first item that looks like the one with this hash, if it stands where it belongs.
    #[inline]
    fn likely(&self, hash: u64) -> Option<*const u8> {
        let segment = self.directory.get(self.index(hash))?;
        let tag = self.tag(hash, segment.depth);
        let bucket = segment.bucket(segment.home(tag));
        let matches = bucket.matches(tag);
        let slot = bucket.0.get(matches.trailing_zeros() as usize)?;
        Some(slot.map_addr(|addr| addr & POINTER_MASK))
    }

    /// Asks the processor to fetch the buckets and then the items of some keys, at most [`PREFETCHED`]; not where the table
    /// is so small that it is in the caches anyway.
    pub fn prefetch_all<'k>(&self, keys: impl Iterator<Item = &'k [u8]>) {
        if self.len < PREFETCH_FROM {
            return;
        }
        let mut hashes = [0; PREFETCHED];
        let mut count = 0;
        for (key, hash) in keys.zip(&mut hashes) {
            *hash = self.hash(key);
            self.prefetch(*hash);
            count += 1;
        }
        hashes[..count].iter().for_each(|&hash| self.prefetch_item(hash));
    }

    /// The item at a place.
    ///
    /// # Panics
    /// If the place is none of this table, or holds nothing any more.
    #[inline]
    pub fn at(&self, place: Place) -> Ref<'_, T> {
        // SAFETY: the place is looked at when it is asked for, and the slot only read.
        let slot = unsafe { *self.slot(place) };
        // SAFETY: a taken slot holds an item of this table; it is borrowed no longer than the table.
        Ref { item: ManuallyDrop::new(unsafe { T::from_raw(untag(slot)) }), table: PhantomData }
    }

    /// The item at a place, for changing; its key must stay. It is out of the table until what is given is dropped, and for
    /// ever if that is forgotten.
    ///
    /// # Panics
    /// If the place is none of this table, or holds nothing any more.
    #[inline]
    pub fn at_mut(&mut self, place: Place) -> RefMut<'_, T> {
        // SAFETY: the place is looked at when it is asked for; nobody else has the slot while the table is borrowed.
        let slot = unsafe { &mut *self.slot(place) };
        let pointer = untag(*slot);
        // Items move when they are changed: nothing is to be found here until it is known where to.
        let tagged = std::mem::replace(slot, ptr::null_mut());
        // SAFETY: a taken slot held an item of this table, and does no longer.
        RefMut { item: ManuallyDrop::new(unsafe { T::from_raw(pointer) }), tag: tag_of(tagged), slot }
    }

    /// The item at a place, for changes that leave it where it is. The bucket is not written, so that it stays in the caches
    /// of all processors.
    ///
    /// # Panics
    /// If the place is none of this table, or holds nothing any more.
    #[inline]
    pub fn at_kept(&mut self, place: Place) -> Kept<'_, T> {
        // SAFETY: the place is looked at when it is asked for.
        let slot = untag(unsafe { *self.slot(place) }).as_ptr();
        // SAFETY: a taken slot holds an item; it is borrowed no longer than the table.
        Kept { item: unsafe { borrow(slot) }, table: PhantomData }
    }

    /// Adds an item whose key is not in the table.
    pub fn insert_new(&mut self, hash: u64, item: T) -> Place {
        debug_assert!(self.find(hash, item.key()).is_none(), "the key is in the table");
        debug_assert_eq!(self.hash(item.key()), hash);
        if self.directory.is_empty() {
            let segment = self.new_segment(1, 0);
            self.directory.push(segment);
            self.deepest = 1;
        }
        let mut index = self.index(hash);
        let mut first = self.first(index);
        while self.directory[first].count >= limit(self.directory[first].width()) {
            self.grow(first);
            index = self.index(hash);
            first = self.first(index);
        }
        let segment = &mut self.directory[first];
        segment.count += 1;
        let segment = *segment;
        let tag = self.tag(hash, segment.depth);
        self.len += 1;
        let slot = segment.put(tag, item.into_raw().as_ptr());
        Place { segment: index as u32, slot: slot as u32 }
    }

    /// Takes an item out.
    ///
    /// # Panics
    /// If the place is none of this table, or holds nothing any more.
    pub fn remove(&mut self, place: Place) -> T {
        // SAFETY: the place is looked at when it is asked for, and the slot only read.
        let pointer = untag(unsafe { *self.slot(place) });
        let first = self.first(place.segment as usize);
        let segment = self.directory[first];
        // SAFETY: a taken slot holds an item of this table; it is emptied or overwritten below.
        let item = unsafe { T::from_raw(pointer) };
        segment.close_gap(place.slot as usize);
        self.directory[first].count -= 1;
        self.len -= 1;
        self.shrink(first);
        item
    }

    /// Visits the items of one bucket in hash order and gives the position from which to go on; zero at the end.
    ///
    /// Start at zero. Positions stay good across growth and shrinking. Their first `skip` bits are zero.
    pub fn scan(&self, position: u64, mut visit: impl FnMut(&T)) -> u64 {
        if self.is_empty() {
            return 0;
        }
        let position = position << self.skip;
        let index = if self.depth == 0 { 0 } else { (position >> (64 - self.depth)) as usize };
        let segment = &self.directory[index];
        let from = tag_bits(position, segment.depth);
        let home = segment.home(from);
        let mut number = home;
        loop {
            let bucket = segment.bucket(number);
            for &slot in &bucket.0 {
                if !slot.is_null() && tag_of(slot) >= from && segment.home(tag_of(slot)) == home {
                    // SAFETY: a taken slot holds an item of this table; it is only borrowed.
                    visit(&*unsafe { borrow::<T>(slot) });
                }
            }
            number = segment.after(number);
            if !bucket.is_full() || number == home {
                break;
            }
        }
        let prefix = if segment.depth == 0 { 0 } else { position >> (64 - segment.depth) };
        let next = if home + 1 < usize::from(segment.width()) {
            // The first tag whose home is the next bucket.
            let tag = ((home as u64 + 1) << 16).div_ceil(u64::from(segment.width()));
            (prefix << 16 | tag) << (48 - segment.depth)
        } else if segment.depth == 0 {
            0
        } else {
            // Wraps to zero after the last segment.
            (prefix + 1) << (64 - segment.depth)
        };
        next >> self.skip
    }

    /// All items, in no order to rely on.
    pub fn iter(&self) -> impl Iterator<Item = Ref<'_, T>> {
        self.segments().flat_map(move |(_, segment)| {
            (0..usize::from(segment.width())).flat_map(move |number| {
                let bucket: &Bucket = segment.bucket(number);
                bucket.0.iter().filter(|slot| !slot.is_null()).map(|&slot| {
                    // SAFETY: a taken slot holds an item of this table; it is borrowed no longer than the table.
                    Ref { item: unsafe { borrow(slot) }, table: PhantomData }
                })
            })
        })
    }

    /// The segments, each once, with the index of its first directory entry.
    fn segments(&self) -> impl Iterator<Item = (usize, &Segment)> {
        let mut index = 0;
        std::iter::from_fn(move || {
            let segment = self.directory.get(index)?;
            let first = index;
            index += self.span(segment.depth);
            Some((first, segment))
        })
    }

    #[inline]
    fn index(&self, hash: u64) -> usize {
        if self.depth == 0 { 0 } else { ((hash << self.skip) >> (64 - self.depth)) as usize }
    }

    #[inline]
    fn tag(&self, hash: u64, depth: u8) -> u16 {
        tag_bits(hash << self.skip, depth)
    }

    /// The number of directory entries of a segment.
    #[inline]
    fn span(&self, depth: u8) -> usize {
        1 << (self.depth - depth)
    }

    /// The first directory entry of the segment that this one leads to.
    #[inline]
    fn first(&self, index: usize) -> usize {
        index & !(self.span(self.directory[index].depth) - 1)
    }

    /// The slot of a place, which may be free by now but lies within this table.
    #[inline]
    fn slot(&self, place: Place) -> *mut *mut u8 {
        let segment = &self.directory[place.segment as usize];
        assert!(place.slot < segment.slots, "a place of another table, or of what this one was before");
        // SAFETY: the segment has so many slots.
        unsafe { segment.buckets.as_ptr().cast::<*mut u8>().add(place.slot as usize) }
    }

    fn new_segment(&mut self, width: u16, depth: u8) -> Segment {
        let layout = Segment::layout(width);
        self.segments_bytes += taken(width);
        self.widest = self.widest.max(width);
        // SAFETY: the layout is not empty. Zeroed buckets are buckets of null pointers.
        let buckets = unsafe { alloc_zeroed(layout) };
        let Some(buckets) = NonNull::new(buckets.cast()) else { handle_alloc_error(layout) };
        Segment { buckets, slots: u32::from(width) * SLOTS as u32, count: 0, depth }
    }

    fn free_segment(&mut self, segment: Segment) {
        self.segments_bytes -= taken(segment.width());
        // SAFETY: the segment was allocated with this layout; no directory entry leads to it any more.
        unsafe { dealloc(segment.buckets.as_ptr().cast(), Segment::layout(segment.width())) };
    }

    /// Makes room in the segment at `first`.
    #[cold]
    fn grow(&mut self, first: usize) {
        let segment = self.directory[first];
        // Where hashes begin alike, splitting would only grow the directory.
        let worth = segment.depth < MAX_DEPTH
            && (segment.depth < self.depth || self.directory.len() <= 1 + self.len / 16);
        if segment.width() < SPLIT_BUCKETS || !worth {
            assert!(segment.width() < MAX_BUCKETS, "{} items whose hashes begin alike", segment.count);
            let width =
                (segment.width() + 1..=MAX_BUCKETS).find(|&width| is_step(width)).unwrap_or(MAX_BUCKETS);
            self.rebuild(first, width);
        } else {
            self.split(first);
        }
    }

    /// Gives memory back where a segment has become much too wide.
    #[inline]
    fn shrink(&mut self, first: usize) {
        let segment = self.directory[first];
        if usize::from(segment.count) * 4 < usize::from(limit(segment.width())) {
            self.shrink_now(first);
        }
    }

    #[cold]
    fn shrink_now(&mut self, first: usize) {
        if self.len == 0 {
            self.clear();
            return;
        }
        let segment = self.directory[first];
        if segment.depth > 0 {
            let span = self.span(segment.depth);
            let buddy = self.directory[first ^ span];
            if buddy.depth == segment.depth && usize::from(buddy.count) + usize::from(segment.count) <= 160 {
                self.merge(first & !span, (first & !span) + span);
                return;
            }
        }
        if segment.width() > 1 {
            let width = width_for(segment.count + segment.count / 4 + 1).min(segment.width());
            if width < segment.width() {
                self.rebuild(first, width);
            }
        }
    }

    /// Moves a segment to another block if its own lies in a page of the allocator that is mostly empty, so that such pages
    /// become empty and are given back. Any number says which. Whether it was moved: places of its items are no longer good.
    pub fn settle(&mut self, number: u64) -> bool {
        if self.directory.is_empty() {
            return false;
        }
        let first = self.first(number as usize & (self.directory.len() - 1));
        let segment = self.directory[first];
        if !block::is_in_sparse_page(segment.buckets.cast(), SPARSE_PERCENT) {
            return false;
        }
        let new = self.new_segment(segment.width(), segment.depth);
        let has_left = !block::share_page(segment.buckets.cast(), new.buckets.cast());
        if has_left {
            self.refill(first, new);
        } else {
            self.free_segment(new);
        }
        has_left
    }

    /// Puts what `renew` gives of an item in its place, for all items of a segment of which it gives something. Their keys
    /// stay. Any number says which segment.
    pub fn renew(&mut self, number: u64, mut renew: impl FnMut(&T) -> Option<T>) {
        if self.directory.is_empty() {
            return;
        }
        let segment = self.directory[self.first(number as usize & (self.directory.len() - 1))];
        for at in 0..segment.slots as usize {
            // SAFETY: the slot is one of the segment's, and only read.
            let slot = unsafe { *segment.buckets.cast::<*mut u8>().add(at).as_ptr() };
            if slot.is_null() {
                continue;
            }
            // SAFETY: a taken slot holds an item of this table; it is borrowed until its place is taken below.
            let item = unsafe { borrow::<T>(slot) };
            if let Some(other) = renew(&item) {
                debug_assert_eq!(other.key(), item.key(), "the key stays");
                segment.set(at, tagged(other.into_raw().as_ptr(), tag_of(slot)));
                drop(ManuallyDrop::into_inner(item));
            }
        }
    }

    /// Moves a segment's items to one of another width.
    fn rebuild(&mut self, first: usize, width: u16) {
        let new = self.new_segment(width, self.directory[first].depth);
        self.refill(first, new);
    }

    /// Moves a segment's items to an empty one that takes its place.
    fn refill(&mut self, first: usize, mut new: Segment) {
        let old = self.directory[first];
        new.count = old.count;
        for slot in old.slots() {
            new.put(tag_of(slot), slot.map_addr(|addr| addr & POINTER_MASK));
        }
        self.set_segment(first, new);
        self.free_segment(old);
    }

    /// Splits a segment by the next bit of its items' hashes.
    fn split(&mut self, first: usize) {
        let old = self.directory[first];
        let mut first = first;
        if old.depth == self.depth {
            self.directory = self.directory.iter().flat_map(|&segment| [segment, segment]).collect();
            self.depth += 1;
            self.deepest = 0;
            first *= 2;
        }
        let depth = old.depth + 1;
        let ones = old.slots().filter(|&slot| tag_of(slot) >> 15 == 1).count() as u16;
        let counts = [old.count - ones, ones];
        let mut halves = counts.map(|count| self.new_segment(width_for(with_room(count, 16)), depth));
        for number in 0..usize::from(old.width()) {
            if number + 1 < usize::from(old.width()) {
                for &slot in &old.bucket(number + 1).0 {
                    prefetch(slot.map_addr(|addr| addr & POINTER_MASK));
                }
            }
            for &slot in old.bucket(number).0.iter().filter(|slot| !slot.is_null()) {
                // SAFETY: a taken slot holds an item of this table; it is borrowed for its key only.
                let item = unsafe { borrow::<T>(slot) };
                let hash = self.hash(item.key());
                let half = &mut halves[usize::from(tag_of(slot) >> 15)];
                half.put(self.tag(hash, depth), slot.map_addr(|addr| addr & POINTER_MASK));
                half.count += 1;
            }
        }
        let span = self.span(depth);
        self.set_segment(first, halves[0]);
        self.set_segment(first + span, halves[1]);
        if depth == self.depth {
            self.deepest += 2;
        }
        self.free_segment(old);
    }

    /// Joins two segments that differ in the last of their shared bits.
    fn merge(&mut self, low: usize, high: usize) {
        let halves = [self.directory[low], self.directory[high]];
        let depth = halves[0].depth - 1;
        let count = halves[0].count + halves[1].count;
        let mut joined = self.new_segment(width_for(count + count / 4 + 1), depth);
        joined.count = count;
        for (bit, half) in halves.iter().enumerate() {
            for slot in half.slots() {
                joined.put((bit as u16) << 15 | tag_of(slot) >> 1, slot.map_addr(|addr| addr & POINTER_MASK));
            }
        }
        self.set_segment(low, joined);
        for half in halves {
            self.free_segment(half);
        }
        if depth + 1 == self.depth {
            self.deepest -= 2;
            while self.deepest == 0 && self.depth > 0 {
                self.directory = self.directory.iter().step_by(2).copied().collect();
                self.depth -= 1;
                let depth = self.depth;
                self.deepest = self.segments().filter(|(_, segment)| segment.depth == depth).count() as u32;
            }
        }
    }

    fn set_segment(&mut self, first: usize, segment: Segment) {
        let span = self.span(segment.depth);
        self.directory[first..first + span].fill(segment);
    }

    /// Frees everything.
    pub fn clear(&mut self) {
        let mut index = 0;
        while index < self.directory.len() {
            let segment = self.directory[index];
            index += self.span(segment.depth);
            for slot in segment.slots() {
                // SAFETY: a taken slot holds an item of this table, and the segment is freed with it.
                drop(unsafe { T::from_raw(untag(slot)) });
            }
            self.free_segment(segment);
        }
        self.directory = Vec::new();
        self.len = 0;
        self.depth = 0;
        self.deepest = 0;
        self.widest = 0;
        debug_assert_eq!(self.segments_bytes, 0);
    }

    /// Checks the invariants; for tests.
    pub fn check_invariants(&self) {
        if self.directory.is_empty() {
            assert_eq!((self.len, self.depth, self.segments_bytes), (0, 0, 0));
            return;
        }
        assert_eq!(self.directory.len(), 1 << self.depth);
        let (mut len, mut bytes, mut deepest) = (0, 0, 0);
        for (first, segment) in self.segments() {
            bytes += taken(segment.width());
            deepest += u32::from(segment.depth == self.depth);
            for entry in &self.directory[first..first + self.span(segment.depth)] {
                assert_eq!(
                    (entry.buckets, entry.width(), entry.depth),
                    (segment.buckets, segment.width(), segment.depth)
                );
            }
            let mut count = 0;
            for number in 0..usize::from(segment.width()) {
                for &slot in segment.bucket(number).0.iter().filter(|slot| !slot.is_null()) {
                    count += 1;
                    // SAFETY: a taken slot holds an item of this table; it is only borrowed.
                    let item = unsafe { borrow::<T>(slot) };
                    let hash = self.hash(item.key());
                    assert_eq!(self.first(self.index(hash)), first, "in the wrong segment");
                    assert_eq!(self.tag(hash, segment.depth), tag_of(slot), "with the wrong tag");
                    let mut before = segment.home(tag_of(slot));
                    while before != number {
                        assert!(segment.bucket(before).is_full(), "out of a search's reach");
                        before = segment.after(before);
                    }
                }
            }
            assert_eq!(count, segment.count);
            assert!(count <= limit(segment.width()));
            len += usize::from(count);
        }
        assert_eq!((len, bytes), (self.len, self.segments_bytes));
        assert_eq!(deepest, self.deepest);
        assert!(deepest > 0 || self.depth == 0);
    }
}

impl<T: Item> Drop for Table<T> {
    fn drop(&mut self) {
        self.clear();
    }
}

impl Bucket {
    /// A bit for every slot with this tag; a free slot may look like one with tag zero, so null is ruled out.
    #[inline]
    fn matches(&self, tag: u16) -> u32 {
        #[cfg(target_arch = "x86_64")]
        {
            let bits = sse2::with_tag(&self.0, tag);
            if tag == 0 { bits & !sse2::nulls(&self.0) } else { bits }
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            let hits = |(index, slot): (usize, &*mut u8)| {
                u32::from(tag_of(*slot) == tag && !slot.is_null()) << index
            };
            self.0.iter().enumerate().map(hits).sum()
        }
    }

    /// The first free slot.
    #[inline]
    fn free_slot(&self) -> Option<usize> {
        #[cfg(target_arch = "x86_64")]
        {
            let nulls = sse2::nulls(&self.0);
            (nulls != 0).then(|| nulls.trailing_zeros() as usize)
        }
        #[cfg(not(target_arch = "x86_64"))]
        self.0.iter().position(|slot| slot.is_null())
    }

    #[inline]
    fn is_full(&self) -> bool {
        self.free_slot().is_none()
    }
}

/// Looks at the eight slots of a bucket at once. SSE2 is part of x86_64.
#[cfg(target_arch = "x86_64")]
mod sse2 {
    use super::SLOTS;
    use std::arch::x86_64::*;

    /// The slots, two to a register.
    #[inline]
    fn pairs(slots: &[*mut u8; SLOTS]) -> [__m128i; 4] {
        // SAFETY: eight pointers are four registers; loads need no alignment.
        std::array::from_fn(|pair| unsafe { _mm_loadu_si128(slots.as_ptr().add(2 * pair).cast()) })
    }

    /// The words number `LANES` of two registers, in one.
    #[inline]
    fn gather<const LANES: i32>(a: __m128i, b: __m128i) -> __m128i {
        // SAFETY: SSE2 is there.
        unsafe { _mm_castps_si128(_mm_shuffle_ps::<LANES>(_mm_castsi128_ps(a), _mm_castsi128_ps(b))) }
    }

    /// A bit for every slot whose upper sixteen bits are these.
    #[inline]
    pub(super) fn with_tag(slots: &[*mut u8; SLOTS], tag: u16) -> u32 {
        // SAFETY: SSE2 is there.
        unsafe {
            // Tags sign-extended to 32 bits, so that packing them keeps them as they are.
            let [a, b, c, d] = pairs(slots).map(|pair| _mm_srai_epi32::<16>(pair));
            let tags = _mm_packs_epi32(gather::<0b11_01_11_01>(a, b), gather::<0b11_01_11_01>(c, d));
            let equal = _mm_cmpeq_epi16(tags, _mm_set1_epi16(tag as i16));
            _mm_movemask_epi8(_mm_packs_epi16(equal, _mm_setzero_si128())) as u32
        }
    }

    /// A bit for every slot that is free.
    #[inline]
    pub(super) fn nulls(slots: &[*mut u8; SLOTS]) -> u32 {
        // SAFETY: SSE2 is there.
        unsafe {
            let zero = _mm_setzero_si128();
            // A word of a slot's lower half is zero if both halves are.
            let [a, b, c, d] = pairs(slots).map(|pair| _mm_or_si128(pair, _mm_srli_epi64::<32>(pair)));
            let low = _mm_cmpeq_epi32(gather::<0b10_00_10_00>(a, b), zero);
            let high = _mm_cmpeq_epi32(gather::<0b10_00_10_00>(c, d), zero);
            _mm_movemask_epi8(_mm_packs_epi16(_mm_packs_epi32(low, high), zero)) as u32
        }
    }
}

impl Segment {
    fn layout(width: u16) -> Layout {
        Layout::array::<Bucket>(usize::from(width)).expect("a segment is small")
    }

    /// The number of buckets.
    #[inline]
    fn width(&self) -> u16 {
        (self.slots / SLOTS as u32) as u16
    }

    /// The bucket where items with this tag begin to look for room.
    #[inline]
    fn home(&self, tag: u16) -> usize {
        (usize::from(tag) * self.slots as usize) >> (16 + SLOTS.trailing_zeros())
    }

    #[inline]
    fn after(&self, number: usize) -> usize {
        if number + 1 == usize::from(self.width()) { 0 } else { number + 1 }
    }

    #[inline]
    fn bucket<'a>(&self, number: usize) -> &'a Bucket {
        debug_assert!(number < usize::from(self.width()));
        // SAFETY: the number is below the width. Buckets live until their table frees the segment, which needs the
        // table mutably; callers hold the result no longer than their borrow of the table.
        unsafe { &*self.buckets.as_ptr().add(number) }
    }

    /// The pointers in taken slots, tagged.
    fn slots<'a>(&self) -> impl Iterator<Item = *mut u8> + use<'a> {
        let segment = *self;
        (0..usize::from(self.width()))
            .flat_map(move |number| segment.bucket(number).0.iter().copied())
            .filter(|slot| !slot.is_null())
    }

    /// Stores a pointer in the first bucket with room, from its home on; gives the number of the slot.
    #[inline]
    fn put(&self, tag: u16, pointer: *mut u8) -> usize {
        let pointer = tagged(pointer, tag);
        let mut number = self.home(tag);
        loop {
            let bucket = self.bucket(number);
            if let Some(slot) = bucket.free_slot() {
                self.set(number * SLOTS + slot, pointer);
                return number * SLOTS + slot;
            }
            number = self.after(number);
        }
    }

    #[inline]
    fn set(&self, slot: usize, pointer: *mut u8) {
        debug_assert!(slot < self.slots as usize);
        // SAFETY: the slot lies within the segment. Every caller is a table that is borrowed mutably, or builds a
        // segment that nobody else knows; no reference to a bucket is held across the call.
        unsafe { *self.buckets.as_ptr().cast::<*mut u8>().add(slot) = pointer };
    }

    /// Empties a slot, and moves items back so that none is out of a search's reach.
    fn close_gap(&self, slot: usize) {
        let (mut gap, mut number) = (slot, slot / SLOTS);
        loop {
            // Searches pass a bucket only while it is full: only then may an item behind depend on it.
            let was_full = self.bucket(number).is_full();
            self.set(gap, ptr::null_mut());
            if !was_full {
                return;
            }
            let mut candidate = self.after(number);
            let found = loop {
                if candidate == number {
                    break None;
                }
                let bucket = self.bucket(candidate);
                // An item may move into the gap if its home is not strictly between the two buckets.
                let movable = bucket.0.iter().position(|&slot| {
                    !slot.is_null() && {
                        let home = self.home(tag_of(slot));
                        self.distance(home, candidate) >= self.distance(number, candidate)
                    }
                });
                match movable {
                    Some(slot) => break Some((candidate, slot)),
                    None if bucket.is_full() => candidate = self.after(candidate),
                    None => break None,
                }
            };
            let Some((from, slot)) = found else { return };
            let pointer = self.bucket(from).0[slot];
            self.set(gap, pointer);
            gap = from * SLOTS + slot;
            number = from;
        }
    }

    /// How many buckets after `from` the bucket `to` comes, going round.
    #[inline]
    fn distance(&self, from: usize, to: usize) -> usize {
        if to >= from { to - from } else { to + usize::from(self.width()) - from }
    }
}

/// Most items of a segment: seven in eight slots, so that searches for what is not there end soon.
#[inline]
fn limit(width: u16) -> u16 {
    if width == 1 { SLOTS as u16 } else { width.saturating_mul(SLOTS as u16 - 1) }
}

/// What a segment takes from the allocator, in bytes: up to a page, powers of two are aligned to themselves; from any
/// other block the allocator cuts what is aligned.
fn taken(width: u16) -> usize {
    let bytes = usize::from(width) * size_of::<Bucket>();
    let is_aligned = bytes.is_power_of_two() && bytes <= ALIGNED_BYTES;
    block::class(if is_aligned { bytes } else { bytes + align_of::<Bucket>() - 1 })
}

/// Whether a segment may have this width: those that fill a size class.
fn is_step(width: u16) -> bool {
    taken(width + 1) > taken(width)
}

/// The smallest width for so many items.
fn width_for(count: u16) -> u16 {
    (1..=MAX_BUCKETS).find(|&width| is_step(width) && limit(width) > count).unwrap_or(MAX_BUCKETS)
}

/// So many items, and room for a share of as many more.
fn with_room(count: u16, share: u16) -> u16 {
    count.saturating_add(count / share)
}

#[inline]
fn tag_bits(hash: u64, depth: u8) -> u16 {
    ((hash << depth) >> 48) as u16
}

#[inline]
fn tag_of(slot: *mut u8) -> u16 {
    (slot.addr() >> POINTER_BITS) as u16
}

/// What a slot holds.
#[inline]
fn tagged(pointer: *mut u8, tag: u16) -> *mut u8 {
    pointer.map_addr(|addr| {
        debug_assert!(addr & !POINTER_MASK == 0, "a pointer of more than 48 bits");
        addr | usize::from(tag) << POINTER_BITS
    })
}

/// The pointer in a taken slot.
#[inline]
fn untag(slot: *mut u8) -> NonNull<u8> {
    NonNull::new(slot.map_addr(|addr| addr & POINTER_MASK)).expect("a place where an item is")
}

/// The item in a taken slot, without owning it.
///
/// # Safety
/// The slot holds an item that outlives the result.
#[inline]
unsafe fn borrow<T: Item>(slot: *mut u8) -> ManuallyDrop<T> {
    // SAFETY: by the caller's promise the pointer came from `into_raw`; ManuallyDrop leaves the owner the only one.
    ManuallyDrop::new(unsafe {
        T::from_raw(NonNull::new_unchecked(slot.map_addr(|addr| addr & POINTER_MASK)))
    })
}

#[inline]
fn prefetch(place: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: prefetching reads nothing, whatever the address.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(place.cast());
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: prefetching reads nothing, whatever the address.
    unsafe {
        std::arch::asm!("prfm pldl1keep, [{}]", in(reg) place, options(readonly, nostack, preserves_flags));
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = place;
}

/// An item being read.
pub struct Ref<'a, T> {
    item: ManuallyDrop<T>,
    table: PhantomData<&'a T>,
}

impl<T> Deref for Ref<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.item
    }
}

/// An item that is changed, but stays where it is: how is for the items' own files to say.
pub struct Kept<'a, T: Item> {
    item: ManuallyDrop<T>,
    table: PhantomData<&'a mut Table<T>>,
}

impl<T: Item> Kept<'_, T> {
    /// The item, for a change after which its pointer is the same: the table is not told of another.
    #[inline]
    pub(crate) fn item_mut(&mut self) -> &mut T {
        &mut self.item
    }
}

impl<T: Item> Deref for Kept<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.item
    }
}

/// An item being changed; it is stored back when the guard is dropped.
pub struct RefMut<'a, T: Item> {
    item: ManuallyDrop<T>,
    tag: u16,
    /// Where it was, free meanwhile.
    slot: &'a mut *mut u8,
}

impl<T: Item> Deref for RefMut<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.item
    }
}

impl<T: Item> DerefMut for RefMut<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.item
    }
}

impl<T: Item> Drop for RefMut<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the item is taken once, here, and goes back to its slot.
        let pointer = unsafe { ManuallyDrop::take(&mut self.item) }.into_raw().as_ptr();
        *self.slot = tagged(pointer, self.tag);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{HashMap, HashSet};

    /// An item for tests: a boxed key.
    struct Key(Box<Bytes>);

    struct Bytes(Vec<u8>);

    // SAFETY: a box of a sized type is a thin pointer.
    unsafe impl Item for Key {
        fn into_raw(self) -> NonNull<u8> {
            NonNull::from(Box::leak(self.0)).cast()
        }
        unsafe fn from_raw(raw: NonNull<u8>) -> Self {
            // SAFETY: the pointer came from `into_raw`.
            Key(unsafe { Box::from_raw(raw.cast().as_ptr()) })
        }
        fn key(&self) -> &[u8] {
            &self.0.0
        }
    }

    fn key(number: usize) -> Vec<u8> {
        format!("key:{number}").into_bytes()
    }

    fn add(table: &mut Table<Key>, key: Vec<u8>) -> bool {
        let hash = table.hash(&key);
        let new = table.find(hash, &key).is_none();
        if new {
            table.insert_new(hash, Key(Box::new(Bytes(key))));
        }
        new
    }

    fn take(table: &mut Table<Key>, key: &[u8]) -> bool {
        let found = table.find(table.hash(key), key);
        if let Some(place) = found {
            assert_eq!(table.remove(place).key(), key);
        }
        found.is_some()
    }

    /// Numbers that look random and are the same in every run.
    fn draws() -> impl FnMut() -> u64 {
        let mut state = 0u64;
        move || {
            state += 1;
            hash(42, &state.to_le_bytes())
        }
    }

    const MANY: usize = if cfg!(miri) { 1_200 } else { 100_000 };

    #[test]
    fn fills_and_empties() {
        let mut table = Table::new(1, 0);
        for number in 0..MANY {
            assert!(add(&mut table, key(number)));
        }
        table.check_invariants();
        assert_eq!(table.len(), MANY);
        assert_eq!(table.iter().count(), MANY);
        for number in 0..MANY {
            assert!(table.find(table.hash(&key(number)), &key(number)).is_some());
        }
        assert!(table.find(table.hash(b"none"), b"none").is_none());
        let full = table.heap_bytes();
        for number in 0..MANY - 100 {
            assert!(take(&mut table, &key(number)));
        }
        table.check_invariants();
        assert!(table.heap_bytes() < full / 50, "{} of {full} bytes", table.heap_bytes());
        for number in MANY - 100..MANY {
            assert!(take(&mut table, &key(number)));
        }
        assert_eq!((table.len(), table.heap_bytes()), (0, 0));
        table.check_invariants();
    }

    #[test]
    fn an_item_whose_guard_is_forgotten_is_gone() {
        let mut table = Table::new(1, 0);
        (0..2).for_each(|number| assert!(add(&mut table, key(number))));
        let place = table.find(table.hash(&key(1)), &key(1)).unwrap();
        let mut guard = table.at_mut(place);
        *guard = Key(Box::new(Bytes(key(1))));
        // SAFETY: the guard does not look at it again. Forgotten with the guard it would be leaked.
        let item = unsafe { ManuallyDrop::take(&mut guard.item) };
        std::mem::forget(guard);
        drop(item);
        assert!(table.find(table.hash(&key(1)), &key(1)).is_none());
        assert_eq!(table.iter().count(), 1);
        table.clear();
    }

    #[test]
    #[should_panic(expected = "a place where an item is")]
    fn a_place_that_has_become_free_gives_nothing() {
        let mut table = Table::new(1, 0);
        (0..2).for_each(|number| assert!(add(&mut table, key(number))));
        let place = table.find(table.hash(&key(1)), &key(1)).unwrap();
        table.remove(place);
        table.at(place);
    }

    #[test]
    #[should_panic(expected = "a place of another table")]
    fn a_place_of_a_wider_table_gives_nothing() {
        let (mut wide, mut narrow) = (Table::new(1, 0), Table::new(1, 0));
        (0..100).for_each(|number| assert!(add(&mut wide, key(number))));
        add(&mut narrow, key(0));
        let last = (0..100)
            .map(|number| wide.find(wide.hash(&key(number)), &key(number)).unwrap())
            .max_by_key(|place| place.slot);
        narrow.at_mut(last.unwrap());
    }

    #[test]
    fn the_most_items_of_a_segment_have_room_when_it_splits() {
        let width = width_for(with_room(u16::MAX, 16));
        assert!(usize::from(width) * SLOTS > usize::from(u16::MAX));
    }

    #[test]
    #[cfg_attr(miri, ignore = "a measurement")]
    fn takes_about_ten_bytes_an_item_at_every_size() {
        let mut table = Table::new(1, 0);
        let (mut sum, mut worst, mut samples) = (0.0, 0.0f64, 0.0);
        for number in 0..1_000_000 {
            add(&mut table, key(number));
            if number > 10_000 && number % 5_000 == 0 {
                let each = table.heap_bytes() as f64 / table.len() as f64;
                (sum, worst, samples) = (sum + each, worst.max(each), samples + 1.0);
            }
        }
        assert!(sum / samples < 10.8 && worst < 12.0, "mean {}, worst {worst} bytes an item", sum / samples);
    }

    #[test]
    fn a_scan_sees_what_was_there_throughout_and_sees_it_once() {
        for (start, add_to, remove_to) in [(500, MANY / 2, 0), (MANY / 2, 0, MANY / 2 - 300), (1000, 1000, 0)]
        {
            let mut table = Table::new(7, 3);
            for number in 0..start {
                add(&mut table, key(number));
            }
            let (mut seen, mut position, mut step) = (HashMap::new(), 0, 0);
            let mut added = start;
            let mut removed = 0;
            loop {
                position = table.scan(position, |item| *seen.entry(item.key().to_vec()).or_insert(0) += 1);
                assert_eq!(position >> 61, 0, "the skipped bits are zero");
                assert_eq!(position & 0xFFFF, 0, "a position fits into 48 bits");
                if position == 0 {
                    break;
                }
                step += 1;
                // Grow or shrink by much while the scan goes on.
                for _ in 0..(add_to / 20).min(add_to + start - added) {
                    add(&mut table, key(added));
                    added += 1;
                }
                if step % 7 == 0 {
                    for _ in 0..(remove_to / 20).min(remove_to - removed) {
                        take(&mut table, &key(removed));
                        removed += 1;
                    }
                }
            }
            for number in removed..start {
                assert_eq!(seen.get(&key(number)), Some(&1), "key {number} of {start}");
            }
            assert!(seen.values().all(|&times| times == 1));
            table.check_invariants();
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "a statistic")]
    fn random_items_are_fair() {
        // 1,000 items are 60 degrees of segments and widths; chi-square with 999 degrees of freedom exceeds 1,143
        // once in a thousand fair runs. The numbers are fixed, so the outcome is.
        let mut table = Table::new(3, 0);
        for number in 0..3_000 {
            add(&mut table, key(number));
        }
        for number in 0..2_000 {
            take(&mut table, &key(number));
        }
        let mut draw = draws();
        let mut hits: HashMap<Vec<u8>, f64> = HashMap::new();
        let draws = 200_000;
        for _ in 0..draws {
            let place = table.random(&mut draw).unwrap();
            *hits.entry(table.at(place).key().to_vec()).or_default() += 1.0;
        }
        let expected = f64::from(draws) / 1_000.0;
        assert_eq!(hits.len(), 1_000);
        let chi_square: f64 = hits.values().map(|hits| (hits - expected).powi(2) / expected).sum();
        assert!(chi_square < 1_143.0, "chi-square {chi_square}");
    }

    #[test]
    #[cfg_attr(miri, ignore = "a statistic")]
    fn items_that_are_drawn_together_are_fair() {
        let mut table = Table::new(3, 0);
        let mut draw = draws();
        table.prefetch_random(12, &mut draw);
        assert!(table.random_places::<20>(12, &mut draw).is_empty(), "there are none");
        for number in 0..3_000 {
            add(&mut table, key(number));
        }
        for number in 0..2_000 {
            take(&mut table, &key(number));
        }
        for count in [1, 5, 12, 100] {
            let mut hits: HashMap<Vec<u8>, f64> = HashMap::new();
            let mut drawn = 0;
            while drawn < 200_000 {
                let places = table.random_places::<20>(count, &mut draw);
                assert!(places.len() >= count.min(13), "{count}: {}", places.len());
                drawn += places.len();
                table.prefetch_random(count, &mut draw);
                places.iter().for_each(|&place| {
                    *hits.entry(table.at(place).key().to_vec()).or_default() += 1.0;
                });
            }
            let expected = drawn as f64 / 1_000.0;
            assert_eq!(hits.len(), 1_000);
            // Those of a bucket come together: the sum is as large as for items that come by themselves, but varies more.
            let chi_square: f64 = hits.values().map(|hits| (hits - expected).powi(2) / expected).sum();
            assert!(chi_square < 1_400.0, "{count}: chi-square {chi_square}");
        }
    }

    #[test]
    fn hashes_that_begin_alike_do_not_blow_up_the_directory() {
        // Skipping 20 bits and keeping keys whose next 12 are zero is what a flood of colliding keys looks like.
        let mut table = Table::new(5, 0);
        let mut kept = 0;
        for number in 0..if cfg!(miri) { 60_000 } else { 3_000_000 } {
            let key = key(number);
            if table.hash(&key) >> 54 == 0 {
                add(&mut table, key);
                kept += 1;
            }
        }
        table.check_invariants();
        assert_eq!(table.len(), kept);
        assert!(table.directory.len() <= kept, "{} entries for {kept} items", table.directory.len());
        assert!(table.random(draws()).is_some());
    }

    proptest! {
        #[test]
        fn behaves_as_a_set(
            skip in 0u8..6,
            steps in prop::collection::vec((0u8..10, 0usize..2_000), 1..if cfg!(miri) { 80 } else { 3_000 })
        ) {
            let mut table = Table::new(11, skip);
            let mut model = HashSet::new();
            for (index, (kind, number)) in steps.into_iter().enumerate() {
                let key = key(number);
                if kind < 6 {
                    prop_assert_eq!(add(&mut table, key.clone()), model.insert(key));
                } else {
                    prop_assert_eq!(take(&mut table, &key), model.remove(&key));
                }
                prop_assert_eq!(table.len(), model.len());
                if index % 64 == 0 {
                    table.check_invariants();
                }
            }
            table.check_invariants();
            let all: HashSet<Vec<u8>> = table.iter().map(|item| item.key().to_vec()).collect();
            prop_assert_eq!(all, model);
        }
    }
}
