//! A key with its value, expiry and access clock, in one block.
//!
//! ```text
//! meta: u32 | expiry: i64, if flagged | length | key | payload
//! meta = kind (4 bits) | expires (1 bit) | access clock (27 bits)
//! payload = i64 (Int) | length, bytes (Inline, InlineRaw) | pointer (the rest)
//! ```
//!
//! Short strings and integers live in the block itself; longer strings and collections behind the pointer.
//! Invariants: the block's class follows from its contents; the payload is of the kind that the meta word names.
//!
//! Not here: what the access clock means (see the keyspace's eviction), and how collections work.

#![allow(unsafe_code)]

use crate::block;
use crate::hash::Hash;
use crate::length;
use crate::list::List;
use crate::packed::Item as Text;
use crate::set::Set;
use crate::stream::Stream;
use crate::table::{Item, Ref};
use crate::thin::{Read, Thin, ThinEnum};
use crate::zset::ZSet;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

/// Longest string that lives in the entry's own block, in bytes.
pub const INLINE_MAX: usize = 1024;
/// Bits of the access clock.
pub const CLOCK_BITS: u32 = 27;

const META_BYTES: usize = 4;
const EXPIRY_BYTES: usize = 8;
const WORD_BYTES: usize = 8;
const KIND_MASK: u32 = 0b1111;
const EXPIRES: u32 = 1 << 4;
const CLOCK_SHIFT: u32 = 5;

/// What a value is, and how it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A string that is a canonical integer.
    Int,
    /// A string in the block, as it was set.
    Inline,
    /// A string in the block that has been changed in place since.
    InlineRaw,
    /// A string in a buffer of its own.
    Big,
    /// A list.
    List,
    /// A set.
    Set,
    /// A hash.
    Hash,
    /// A sorted set.
    ZSet,
    /// A stream.
    Stream,
}

impl Kind {
    const ALL: [Kind; 9] = [
        Kind::Int,
        Kind::Inline,
        Kind::InlineRaw,
        Kind::Big,
        Kind::List,
        Kind::Set,
        Kind::Hash,
        Kind::ZSet,
        Kind::Stream,
    ];

    /// Whether the value is a string.
    #[inline]
    pub fn is_string(self) -> bool {
        matches!(self, Kind::Int | Kind::Inline | Kind::InlineRaw | Kind::Big)
    }
}

/// A collection that an entry can hold.
///
/// # Safety
/// No other type has its kind, which is that of a collection.
pub unsafe trait Object: ThinEnum {
    /// The kind of entries that hold it.
    const KIND: Kind;

    /// A collection without members.
    fn empty() -> Self;

    /// Whether it has no members; such a key does not exist (but for streams).
    fn is_empty(&self) -> bool;

    /// What it takes from the allocator, in bytes.
    fn heap_bytes(&self) -> usize;

    /// When the first of its members expires by itself, in ms since the epoch.
    fn soonest_ms(&self) -> Option<i64> {
        None
    }
}

/// A value to make an entry of.
pub enum Value<'a> {
    /// A string; stored as an integer if it is one.
    Text(&'a [u8]),
    /// An integer.
    Int(i64),
    /// A list.
    List(List),
    /// A set.
    Set(Set),
    /// A hash.
    Hash(Hash),
    /// A sorted set.
    ZSet(ZSet),
    /// A stream.
    Stream(Stream),
}

/// A value being read.
pub enum ValueRef<'a> {
    /// A string.
    Text(Text<'a>),
    /// A list.
    List(Read<'a, List>),
    /// A set.
    Set(Read<'a, Set>),
    /// A hash.
    Hash(Read<'a, Hash>),
    /// A sorted set.
    ZSet(Read<'a, ZSet>),
    /// A stream.
    Stream(Read<'a, Stream>),
}

/// A key with all that belongs to it; see the module.
pub struct Entry(NonNull<u8>);

// SAFETY: an entry owns its block and what its payload points to, which are all Send: see `are_shared`.
unsafe impl Send for Entry {}
// SAFETY: shared access only gives shared access to what its payload points to, which are all Sync: see `are_shared`.
unsafe impl Sync for Entry {}

/// What a payload may point to can be sent and shared.
const fn are_shared<T: Send + Sync>() {}
const _: () = are_shared::<(Vec<u8>, List, Set, Hash, ZSet, Stream)>();

// SAFETY: it is a thin pointer to a block of the allocator.
unsafe impl Item for Entry {
    #[inline]
    fn into_raw(self) -> NonNull<u8> {
        ManuallyDrop::new(self).0
    }

    #[inline]
    unsafe fn from_raw(raw: NonNull<u8>) -> Self {
        Entry(raw)
    }

    #[inline]
    fn key(&self) -> &[u8] {
        // SAFETY: the key stands there.
        unsafe {
            let (len, bytes) = length::read(self.key_place());
            std::slice::from_raw_parts(bytes, len)
        }
    }
}

impl Entry {
    /// An entry with this value, without expiry and with clock zero.
    pub fn new(key: &[u8], value: Value<'_>) -> Self {
        match value {
            Value::Text(bytes) => match Text::of(bytes) {
                Text::Int(value) => Entry::with_word(key, Kind::Int, value),
                Text::Str(bytes) if bytes.len() <= INLINE_MAX => Entry::inline(key, bytes),
                Text::Str(bytes) => Entry::with_word(key, Kind::Big, Box::new(bytes.to_vec())),
            },
            Value::Int(value) => Entry::with_word(key, Kind::Int, value),
            Value::List(list) => Entry::with_word(key, Kind::List, Thin::new(list)),
            Value::Set(set) => Entry::with_word(key, Kind::Set, Thin::new(set)),
            Value::Hash(hash) => Entry::with_word(key, Kind::Hash, Thin::new(hash)),
            Value::ZSet(zset) => Entry::with_word(key, Kind::ZSet, Thin::new(zset)),
            Value::Stream(stream) => Entry::with_word(key, Kind::Stream, Thin::new(stream)),
        }
    }

    /// An entry that holds this collection.
    pub fn with_object<O: Object>(key: &[u8], object: O) -> Self {
        Entry::with_word(key, O::KIND, Thin::new(object))
    }

    /// An entry that holds this buffer as a string, without copying it if it is long.
    pub fn with_buffer(key: &[u8], buffer: Vec<u8>) -> Self {
        if buffer.len() <= INLINE_MAX {
            Entry::new(key, Value::Text(&buffer))
        } else {
            Entry::with_word(key, Kind::Big, Box::new(buffer))
        }
    }

    #[inline]
    fn inline(key: &[u8], bytes: &[u8]) -> Self {
        let payload = length::size(bytes.len()) + bytes.len();
        let (block, place) = Entry::allocate(key, Kind::Inline, payload);
        // SAFETY: the block was allocated for a payload of just this size.
        unsafe {
            let place = length::write(place, bytes.len());
            place.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        }
        Entry(block)
    }

    /// An entry whose payload is one word: an integer, a box or a thin enum.
    #[inline]
    fn with_word<W>(key: &[u8], kind: Kind, word: W) -> Self {
        const { assert!(size_of::<W>() == WORD_BYTES) };
        let (block, place) = Entry::allocate(key, kind, WORD_BYTES);
        // SAFETY: the block was allocated for a payload of one word.
        unsafe { place.cast::<W>().write_unaligned(word) };
        Entry(block)
    }

    /// A block with meta and key written, and the place of its payload.
    #[inline]
    fn allocate(key: &[u8], kind: Kind, payload: usize) -> (NonNull<u8>, *mut u8) {
        let block = block::allocate(META_BYTES + length::size(key.len()) + key.len() + payload);
        // SAFETY: the block was allocated for meta, key and payload.
        unsafe {
            block.cast::<u32>().write(kind as u32);
            let place = length::write(block.as_ptr().add(META_BYTES), key.len());
            place.copy_from_nonoverlapping(key.as_ptr(), key.len());
            (block, place.add(key.len()))
        }
    }

    /// What the value is.
    #[inline]
    pub fn kind(&self) -> Kind {
        Kind::ALL[(self.meta() & KIND_MASK) as usize]
    }

    /// When the key goes, in ms since the epoch.
    #[inline]
    pub fn expire_at_ms(&self) -> Option<i64> {
        // SAFETY: the expiry follows the meta word if that says so.
        (self.meta() & EXPIRES != 0)
            .then(|| unsafe { self.0.as_ptr().add(META_BYTES).cast::<i64>().read_unaligned() })
    }

    /// Gives the key another expiry, or none.
    pub fn set_expire_at_ms(&mut self, expire_at_ms: Option<i64>) {
        let total = self.total();
        let meta = self.meta();
        let place = META_BYTES + EXPIRY_BYTES;
        // SAFETY: the block is resized before the tail moves to a higher place, and after it moved to a lower one.
        unsafe {
            match expire_at_ms {
                Some(_) if meta & EXPIRES == 0 => {
                    self.0 = block::resize(self.0, total, total + EXPIRY_BYTES);
                    self.0.add(META_BYTES).copy_to(self.0.add(place), total - META_BYTES);
                    self.set_meta(meta | EXPIRES);
                }
                None if meta & EXPIRES != 0 => {
                    self.0.add(place).copy_to(self.0.add(META_BYTES), total - place);
                    self.0 = block::resize(self.0, total, total - EXPIRY_BYTES);
                    self.set_meta(meta & !EXPIRES);
                }
                _ => {}
            }
            if let Some(expire_at_ms) = expire_at_ms {
                self.0.as_ptr().add(META_BYTES).cast::<i64>().write_unaligned(expire_at_ms);
            }
        }
    }

    /// The access clock.
    #[inline]
    pub fn clock(&self) -> u32 {
        self.meta() >> CLOCK_SHIFT
    }

    /// Sets the access clock; bits above [`CLOCK_BITS`] are dropped.
    #[inline]
    pub fn set_clock(&mut self, clock: u32) {
        self.set_meta(self.meta() & (KIND_MASK | EXPIRES) | clock << CLOCK_SHIFT);
    }

    /// What key and value take from the allocator, in bytes.
    #[inline]
    pub fn heap_bytes(&self) -> usize {
        let own = block::class(self.total());
        match self.kind() {
            Kind::Int | Kind::Inline | Kind::InlineRaw => own,
            _ => own + self.value_bytes(),
        }
    }

    /// What the value takes from the allocator beside the entry's block, in bytes.
    fn value_bytes(&self) -> usize {
        match self.value() {
            // SAFETY: the kind is Big, so the payload is this box.
            ValueRef::Text(_) if self.kind() == Kind::Big => unsafe {
                let buffer: &ManuallyDrop<Box<Vec<u8>>> = &self.word();
                block::class(size_of::<Vec<u8>>()) + block::class(buffer.capacity())
            },
            ValueRef::Text(_) => 0,
            ValueRef::List(list) => list.heap_bytes(),
            ValueRef::Set(set) => set.heap_bytes(),
            ValueRef::Hash(hash) => hash.heap_bytes(),
            ValueRef::ZSet(zset) => zset.heap_bytes(),
            ValueRef::Stream(stream) => stream.heap_bytes(),
        }
    }

    /// The value.
    #[inline]
    pub fn value(&self) -> ValueRef<'_> {
        // SAFETY: the payload is of the kind that the meta word names; references end with the borrow of self.
        unsafe {
            match self.kind() {
                Kind::Int => ValueRef::Text(Text::Int(self.payload().cast::<i64>().read_unaligned())),
                Kind::Inline | Kind::InlineRaw => ValueRef::Text(Text::Str(self.inline_bytes())),
                Kind::Big => {
                    let buffer: *const Vec<u8> = self.payload().cast::<*const Vec<u8>>().read_unaligned();
                    ValueRef::Text(Text::Str(&*buffer))
                }
                Kind::List => ValueRef::List(self.read_object()),
                Kind::Set => ValueRef::Set(self.read_object()),
                Kind::Hash => ValueRef::Hash(self.read_object()),
                Kind::ZSet => ValueRef::ZSet(self.read_object()),
                Kind::Stream => ValueRef::Stream(self.read_object()),
            }
        }
    }

    /// The value, if it is a string.
    #[inline]
    pub fn text(&self) -> Option<Text<'_>> {
        match self.value() {
            ValueRef::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value, if it is such a collection.
    #[inline]
    pub fn object<O: Object>(&self) -> Option<Read<'_, O>> {
        // SAFETY: the payload is of the kind that the meta word names.
        (self.kind() == O::KIND).then(|| unsafe { self.read_object() })
    }

    /// Asks the processor to fetch what looking up members of a large collection will need: `members` of a set or fields of
    /// a hash, `scored` members of a sorted set.
    pub fn prefetch_members<'m>(
        &self,
        members: impl Iterator<Item = &'m [u8]>,
        scored: impl Iterator<Item = &'m [u8]>,
    ) {
        match self.value() {
            ValueRef::Set(set) => set.prefetch(members),
            ValueRef::Hash(hash) => hash.prefetch(members),
            ValueRef::ZSet(zset) => zset.prefetch(scored),
            ValueRef::Text(_) | ValueRef::List(_) | ValueRef::Stream(_) => {}
        }
    }

    /// Takes a collection out, to be changed and put back; until then the entry holds zero.
    #[inline]
    pub fn take_object<O: Object>(&mut self) -> Option<O> {
        if self.kind() != O::KIND {
            return None;
        }
        // SAFETY: the payload is of the kind that the meta word names, and is overwritten without being dropped.
        let thin = unsafe {
            let word = self.payload();
            let thin = word.cast::<Thin<O>>().read_unaligned();
            word.cast::<i64>().write_unaligned(0);
            thin
        };
        self.set_kind(Kind::Int);
        Some(thin.into_inner())
    }

    /// Puts a collection back where [`Entry::take_object`] took it from, or in the place of an integer.
    #[inline]
    pub fn put_object<O: Object>(&mut self, object: O) {
        assert_eq!(self.kind(), Kind::Int, "a collection goes where one was taken out");
        // SAFETY: an integer's payload is one word, as the collection's, and needs no drop.
        unsafe { self.payload().cast::<Thin<O>>().write_unaligned(Thin::new(object)) };
        self.set_kind(O::KIND);
    }

    /// Makes the value this string, whatever it was; expiry and clock stay.
    #[inline]
    pub fn set_text(&mut self, bytes: &[u8]) {
        match Text::of(bytes) {
            Text::Int(value) => self.set_int(value),
            Text::Str(bytes) => self.set_verbatim(bytes),
        }
    }

    /// Makes the value this string as it is: it is no integer even if it looks like one. Expiry and clock stay.
    #[inline]
    pub fn set_verbatim(&mut self, bytes: &[u8]) {
        if bytes.len() <= INLINE_MAX {
            self.set_inline(Kind::Inline, bytes);
        } else {
            self.set_buffer(bytes.to_vec());
        }
    }

    /// Makes the value this string, as one that has been changed in place; expiry and clock stay.
    pub fn set_raw(&mut self, mut buffer: Vec<u8>) {
        if buffer.len() <= INLINE_MAX {
            self.set_inline(Kind::InlineRaw, &buffer);
        } else {
            buffer.shrink_to_fit();
            self.set_buffer(buffer);
        }
    }

    #[inline]
    fn set_inline(&mut self, kind: Kind, bytes: &[u8]) {
        self.replace_payload(kind, length::size(bytes.len()) + bytes.len());
        // SAFETY: the payload has just been made this long.
        unsafe {
            let place = length::write(self.payload(), bytes.len());
            place.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        }
    }

    /// Makes the value this integer, whatever it was; expiry and clock stay.
    #[inline]
    pub fn set_int(&mut self, value: i64) {
        if self.kind() != Kind::Int {
            self.replace_payload(Kind::Int, WORD_BYTES);
        }
        // SAFETY: an integer's payload is one word.
        unsafe { self.payload().cast::<i64>().write_unaligned(value) };
    }

    /// Makes the value a string in this buffer.
    fn set_buffer(&mut self, buffer: Vec<u8>) {
        let buffer = Box::new(buffer);
        self.replace_payload(Kind::Big, WORD_BYTES);
        // SAFETY: the payload has just been made one word.
        unsafe { self.payload().cast::<Box<Vec<u8>>>().write_unaligned(buffer) };
    }

    /// Makes the value a string that is changed in place, of at least `len` bytes, and gives all of them; what is
    /// added is zero. `None` if the value is not a string.
    pub fn text_mut(&mut self, len: usize) -> Option<&mut [u8]> {
        let old = self.text()?;
        let (old_len, len) = (old.len(), len.max(old.len()));
        match self.kind() {
            Kind::Big => {}
            Kind::InlineRaw if len == old_len => {}
            Kind::InlineRaw if len <= INLINE_MAX && length::size(len) == length::size(old_len) => {
                let total = self.total();
                // SAFETY: the block's class is that of the old total; the length takes as many bytes as before, so that
                // the string stays where it is, and what follows it is inside the resized block.
                unsafe {
                    self.0 = block::resize(self.0, total, total + len - old_len);
                    length::write(self.payload(), len).add(old_len).write_bytes(0, len - old_len);
                }
            }
            _ if len > INLINE_MAX => {
                let buffer = old.with_bytes(|bytes| grown(bytes, len));
                self.set_buffer(buffer);
            }
            _ => {
                let mut bytes = [0; INLINE_MAX];
                old.with_bytes(|old| bytes[..old.len()].copy_from_slice(old));
                self.replace_payload(Kind::InlineRaw, length::size(len) + len);
                // SAFETY: the payload has just been made this long.
                unsafe { length::write(self.payload(), len).copy_from_nonoverlapping(bytes.as_ptr(), len) };
            }
        }
        // SAFETY: the payload is of the kind that the meta word names, and the borrow of self is mutable.
        unsafe {
            if self.kind() == Kind::Big {
                let buffer = &mut *self.payload().cast::<*mut Vec<u8>>().read_unaligned();
                if len > buffer.capacity() && len / 2 > buffer.len() {
                    *buffer = grown(buffer, len);
                } else if len > buffer.len() {
                    if len > buffer.capacity() {
                        buffer.reserve_exact(spare(len) - buffer.len());
                    }
                    buffer.resize(len, 0);
                }
                Some(buffer)
            } else {
                let (len, bytes) = length::read(self.payload());
                Some(std::slice::from_raw_parts_mut(bytes, len))
            }
        }
    }

    /// The same value, expiry and clock under another key.
    pub fn rename(self, key: &[u8]) -> Entry {
        let (clock, expire_at_ms, payload) = (self.clock(), self.expire_at_ms(), self.payload_len());
        let (block, place) = Entry::allocate(key, self.kind(), payload);
        let old = ManuallyDrop::new(self);
        // SAFETY: the new block was allocated for the payload, which moves there; the old block is freed alone.
        unsafe {
            place.copy_from_nonoverlapping(old.payload(), payload);
            block::free(old.0, old.total());
        }
        let mut renamed = Entry(block);
        renamed.set_clock(clock);
        renamed.set_expire_at_ms(expire_at_ms);
        renamed
    }

    /// A copy of value and expiry, stored alike, under another key; its clock is zero.
    pub fn copy(&self, key: &[u8]) -> Entry {
        let mut copy = match (self.kind(), self.value()) {
            (Kind::Big, ValueRef::Text(text)) => {
                Entry::with_word(key, Kind::Big, Box::new(text.to_bytes().into_owned()))
            }
            (kind, ValueRef::Text(_)) => {
                let len = self.payload_len();
                let (block, place) = Entry::allocate(key, kind, len);
                // SAFETY: both payloads have this length and, being integers or bytes, own nothing.
                unsafe { place.copy_from_nonoverlapping(self.payload(), len) };
                Entry(block)
            }
            (_, ValueRef::List(list)) => Entry::with_object(key, List::clone(&list)),
            (_, ValueRef::Set(set)) => Entry::with_object(key, Set::clone(&set)),
            (_, ValueRef::Hash(hash)) => Entry::with_object(key, Hash::clone(&hash)),
            (_, ValueRef::ZSet(zset)) => Entry::with_object(key, ZSet::clone(&zset)),
            (_, ValueRef::Stream(stream)) => Entry::with_object(key, Stream::clone(&stream)),
        };
        copy.set_expire_at_ms(self.expire_at_ms());
        copy
    }

    #[inline]
    fn meta(&self) -> u32 {
        // SAFETY: every block begins with the meta word, aligned to sixteen bytes.
        unsafe { self.0.cast::<u32>().read() }
    }

    #[inline]
    fn set_meta(&mut self, meta: u32) {
        // SAFETY: every block begins with the meta word, aligned to sixteen bytes.
        unsafe { self.0.cast::<u32>().write(meta) };
    }

    #[inline]
    fn set_kind(&mut self, kind: Kind) {
        self.set_meta(self.meta() & !KIND_MASK | kind as u32);
    }

    #[inline]
    fn key_place(&self) -> *mut u8 {
        // SAFETY: meta, and the expiry if it says so, stand before the key.
        unsafe { self.0.as_ptr().add(META_BYTES + if self.meta() & EXPIRES != 0 { EXPIRY_BYTES } else { 0 }) }
    }

    #[inline]
    fn payload(&self) -> *mut u8 {
        // SAFETY: the key stands before the payload.
        unsafe {
            let (len, bytes) = length::read(self.key_place());
            bytes.add(len)
        }
    }

    /// The string in the payload.
    ///
    /// # Safety
    /// The kind is Inline or InlineRaw.
    #[inline]
    unsafe fn inline_bytes(&self) -> &[u8] {
        // SAFETY: by the caller's promise length and bytes stand in the payload.
        unsafe {
            let (len, bytes) = length::read(self.payload());
            std::slice::from_raw_parts(bytes, len)
        }
    }

    /// The word in the payload, without owning it.
    ///
    /// # Safety
    /// The payload is a `W`.
    #[inline]
    unsafe fn word<W>(&self) -> ManuallyDrop<W> {
        // SAFETY: by the caller's promise.
        ManuallyDrop::new(unsafe { self.payload().cast::<W>().read_unaligned() })
    }

    /// The collection in the payload, for reading.
    ///
    /// # Safety
    /// The kind is the collection's.
    #[inline]
    unsafe fn read_object<O: Object>(&self) -> Read<'_, O> {
        // SAFETY: by the caller's promise; the copy of the word is not dropped, and ends with the borrow of self.
        unsafe { Read::from_copy(self.word::<Thin<O>>()) }
    }

    #[inline]
    fn payload_len(&self) -> usize {
        match self.kind() {
            Kind::Inline | Kind::InlineRaw => {
                // SAFETY: the kind has just been looked at.
                let len = unsafe { self.inline_bytes() }.len();
                length::size(len) + len
            }
            _ => WORD_BYTES,
        }
    }

    #[inline]
    fn total(&self) -> usize {
        // SAFETY: the payload lies in the same block as its start.
        let before = unsafe { self.payload().offset_from(self.0.as_ptr()) } as usize;
        before + self.payload_len()
    }

    /// Drops the payload and makes room for one of another kind and length, to be written by the caller.
    #[inline]
    fn replace_payload(&mut self, kind: Kind, len: usize) {
        let old_total = self.total();
        let new_total = old_total - self.payload_len() + len;
        if !matches!(self.kind(), Kind::Int | Kind::Inline | Kind::InlineRaw) {
            self.drop_payload();
        }
        // SAFETY: the block's class is that of the old total.
        self.0 = unsafe { block::resize(self.0, old_total, new_total) };
        self.set_kind(kind);
    }

    /// Drops what the payload owns. The payload must be overwritten, or the block freed, next.
    fn drop_payload(&mut self) {
        // SAFETY: the payload is of the kind that the meta word names, and is not used again.
        unsafe {
            match self.kind() {
                Kind::Int | Kind::Inline | Kind::InlineRaw => {}
                Kind::Big => drop(ManuallyDrop::into_inner(self.word::<Box<Vec<u8>>>())),
                Kind::List => drop(ManuallyDrop::into_inner(self.word::<Thin<List>>())),
                Kind::Set => drop(ManuallyDrop::into_inner(self.word::<Thin<Set>>())),
                Kind::Hash => drop(ManuallyDrop::into_inner(self.word::<Thin<Hash>>())),
                Kind::ZSet => drop(ManuallyDrop::into_inner(self.word::<Thin<ZSet>>())),
                Kind::Stream => drop(ManuallyDrop::into_inner(self.word::<Thin<Stream>>())),
            }
        }
    }
}

impl<'a> Ref<'a, Entry> {
    /// The value, if it is a string, for as long as the table is borrowed.
    #[inline]
    pub fn into_text(self) -> Option<Text<'a>> {
        match self.text()? {
            Text::Int(value) => Some(Text::Int(value)),
            Text::Str(bytes) => {
                // SAFETY: the bytes outlive the borrow of the table that owns the entry.
                let bytes = unsafe { std::slice::from_raw_parts(bytes.as_ptr(), bytes.len()) };
                Some(Text::Str(bytes))
            }
        }
    }

    /// The value, if it is such a collection, for as long as the table is borrowed.
    #[inline]
    pub fn into_object<O: Object>(self) -> Option<Read<'a, O>> {
        // SAFETY: the payload is of the kind that the meta word names; it outlives the borrow of the table.
        (self.kind() == O::KIND).then(|| unsafe { Read::from_copy(self.word::<Thin<O>>()) })
    }
}

impl Drop for Entry {
    #[inline]
    fn drop(&mut self) {
        let total = self.total();
        self.drop_payload();
        // SAFETY: the block's class is that of its total, and it is not used again.
        unsafe { block::free(self.0, total) };
    }
}

/// A buffer of `len` bytes that begins with these and goes on with zeros, which the system may have at hand.
fn grown(bytes: &[u8], len: usize) -> Vec<u8> {
    let mut buffer = vec![0; spare(len)];
    buffer.truncate(len);
    buffer[..bytes.len()].copy_from_slice(bytes);
    buffer
}

/// The capacity for a string that grew to `len` bytes: twice as much, but at most a megabyte more.
fn spare(len: usize) -> usize {
    len + len.min(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(entry: &Entry) -> Vec<u8> {
        entry.text().unwrap().to_bytes().into_owned()
    }

    #[test]
    fn the_sizes_of_the_design() {
        let key = [b'k'; 16];
        let mut plain = Entry::new(&key, Value::Text(&[b'v'; 32]));
        assert_eq!(plain.heap_bytes(), 64);
        plain.set_expire_at_ms(Some(1));
        assert_eq!(plain.heap_bytes(), 64, "an expiry fits beside key and value");
        assert_eq!(Entry::new(&key, Value::Text(b"123456")).heap_bytes(), 32);
        assert_eq!(Entry::with_object(&key, List::empty()).heap_bytes() - List::empty().heap_bytes(), 32);
    }

    #[test]
    fn a_collection_is_taken_out_and_put_back() {
        let mut entry = Entry::with_object(b"set", Set::empty());
        assert!(entry.take_object::<List>().is_none());
        let set = entry.take_object::<Set>().unwrap();
        assert_eq!(text(&entry), b"0");
        entry.put_object(set);
        assert_eq!(entry.kind(), Kind::Set);
        assert!(entry.text_mut(1).is_none());
        entry.set_text(b"now a string");
        assert_eq!(text(&entry), b"now a string");
    }

    #[test]
    fn changing_in_place_makes_a_raw_string() {
        let mut entry = Entry::new(b"k", Value::Text(b"10"));
        assert_eq!(entry.kind(), Kind::Int);
        entry.text_mut(3).unwrap()[2] = b'!';
        assert_eq!((entry.kind(), text(&entry)), (Kind::InlineRaw, b"10!".to_vec()));
        entry.text_mut(5000).unwrap()[4999] = b'?';
        assert_eq!(entry.kind(), Kind::Big);
        let bytes = text(&entry);
        assert_eq!((&bytes[..5], bytes[4999], bytes.len()), (&b"10!\0\0"[..], b'?', 5000));
        assert!(entry.heap_bytes() >= 10_000, "room to grow is accounted for");
        entry.text_mut(1 << 20).unwrap()[(1 << 20) - 1] = b'.';
        let bytes = text(&entry);
        assert_eq!((bytes[4999], bytes[5000], bytes[(1 << 20) - 1], bytes.len()), (b'?', 0, b'.', 1 << 20));
    }

    #[test]
    fn a_string_of_digits_need_not_be_an_integer() {
        let mut entry = Entry::new(b"k", Value::Int(7));
        entry.set_verbatim(b"12");
        assert_eq!((entry.kind(), text(&entry)), (Kind::Inline, b"12".to_vec()));
        entry.set_raw(b"13".to_vec());
        assert_eq!((entry.kind(), text(&entry)), (Kind::InlineRaw, b"13".to_vec()));
        entry.set_raw(vec![b'1'; INLINE_MAX + 1]);
        assert_eq!(entry.kind(), Kind::Big);
        entry.set_text(b"14");
        assert_eq!(entry.kind(), Kind::Int);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Set(Vec<u8>),
        Verbatim(Vec<u8>),
        Raw(Vec<u8>),
        Int(i64),
        Grow(usize),
        Expire(Option<i64>),
        Clock(u32),
        Rename(Vec<u8>),
        Copy(Vec<u8>),
        Collection,
    }

    fn step() -> impl Strategy<Value = Step> {
        let bytes = prop_oneof![
            prop::collection::vec(any::<u8>(), 0..100),
            (200usize..3000).prop_map(|len| vec![b'x'; len])
        ];
        prop_oneof![
            bytes.clone().prop_map(Step::Set),
            bytes.clone().prop_map(Step::Verbatim),
            bytes.clone().prop_map(Step::Raw),
            any::<i64>().prop_map(Step::Int),
            (0usize..3000).prop_map(Step::Grow),
            any::<Option<i64>>().prop_map(Step::Expire),
            any::<u32>().prop_map(Step::Clock),
            bytes.clone().prop_map(Step::Rename),
            bytes.prop_map(Step::Copy),
            Just(Step::Collection),
        ]
    }

    proptest! {
        #[test]
        fn key_value_expiry_and_clock_do_not_disturb_each_other(steps in prop::collection::vec(step(), 1..50)) {
            let mut entry = Entry::new(b"key", Value::Text(b"value"));
            let (mut key, mut value, mut expire_at_ms, mut clock) = (b"key".to_vec(), Some(b"value".to_vec()), None, 0);
            for step in steps {
                match step {
                    Step::Set(bytes) => {
                        entry.set_text(&bytes);
                        value = Some(bytes);
                    }
                    Step::Verbatim(bytes) => {
                        entry.set_verbatim(&bytes);
                        value = Some(bytes);
                    }
                    Step::Raw(bytes) => {
                        entry.set_raw(bytes.clone());
                        value = Some(bytes);
                    }
                    Step::Int(int) => {
                        entry.set_int(int);
                        value = Some(int.to_string().into_bytes());
                    }
                    Step::Grow(len) => match (&mut value, entry.text_mut(len)) {
                        (Some(value), Some(bytes)) => {
                            value.resize(value.len().max(len), 0);
                            if let (Some(a), Some(b)) = (bytes.first_mut(), value.first_mut()) {
                                (*a, *b) = (b'!', b'!');
                            }
                        }
                        (value, bytes) => prop_assert_eq!(value.is_some(), bytes.is_some()),
                    },
                    Step::Expire(at) => {
                        entry.set_expire_at_ms(at);
                        expire_at_ms = at;
                    }
                    Step::Clock(to) => {
                        entry.set_clock(to);
                        clock = to & ((1 << CLOCK_BITS) - 1);
                    }
                    Step::Rename(to) => {
                        entry = entry.rename(&to);
                        key = to;
                    }
                    Step::Copy(to) => {
                        let copy = entry.copy(&to);
                        prop_assert_eq!((copy.kind(), copy.clock()), (entry.kind(), 0));
                        entry = copy;
                        (key, clock) = (to, 0);
                    }
                    Step::Collection => {
                        entry.set_int(0);
                        entry.put_object(Set::empty());
                        value = None;
                    }
                }
                prop_assert_eq!(entry.key(), &key);
                prop_assert_eq!(entry.text().map(|text| text.to_bytes().into_owned()), value.clone());
                prop_assert_eq!(entry.expire_at_ms(), expire_at_ms);
                prop_assert_eq!(entry.clock(), clock);
                prop_assert!(entry.heap_bytes() >= key.len() + value.as_ref().map_or(0, |value| value.len().min(8)));
            }
        }
    }
}
