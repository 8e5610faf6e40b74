//! A packed list: a sequence of strings and integers in one allocation.
//!
//! The bytes are exactly those of Redis' listpack (its format is public and stands in RDB files and DUMP payloads
//! from 7.0 on), so that small values are saved by copying, and the byte limits of the `*-max-listpack-*`
//! parameters cut where they cut in Redis:
//!
//! ```text
//! total bytes: u32 | entries: u16 | entry ... | 0xFF
//! entry = header and data | length of the two, readable from the right
//! ```
//!
//! Positions are byte offsets of entries; one past the last entry is the offset of the closing 0xFF. Strings that
//! are canonical integers are stored as integers, which is why reading gives an [`Item`].
//!
//! Invariants: the total is the length of the block's bytes, which are all initialised, and its class follows from that;
//! nothing that is unsafe here rests on more. `bytes()` is a well-formed listpack at all times, too: where positions are
//! given that are none of an entry's, it no longer is, and reading panics.
//! Not here: what entries mean (pairs, scores, expiries): see the value types.

#![allow(unsafe_code)]

use crate::block;
use crate::number::{self, Decimal};
use std::borrow::Cow;
use std::ptr::NonNull;

const HEADER_BYTES: usize = 6;
const CLOSE: u8 = 0xFF;
/// The entry count's ceiling: from here on the count is found by walking.
const COUNT_UNKNOWN: u16 = u16::MAX;
/// No list grows past this; callers keep far below by their parameters and [`Packed::has_room`].
pub const MAX_BYTES: usize = 1 << 30;
/// Longest string that a list can hold, in bytes.
pub const ITEM_BYTES_MAX: usize = MAX_BYTES - 32;
/// Beyond this size a collection is stored otherwise, however large its parameters let a list become.
const ROOM_BYTES: usize = if cfg!(test) { 1 << 20 } else { MAX_BYTES / 4 };

/// An entry of a packed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// A string that is not a canonical integer.
    Str(&'a [u8]),
    /// A string that is one.
    Int(i64),
}

impl<'a> Item<'a> {
    /// The item that stores `bytes`.
    #[inline]
    pub fn of(bytes: &'a [u8]) -> Self {
        match number::parse_i64(bytes) {
            Some(value) => Item::Int(value),
            None => Item::Str(bytes),
        }
    }

    /// Whether the item stands for these bytes.
    #[inline]
    pub fn is(&self, bytes: &[u8]) -> bool {
        match *self {
            Item::Str(own) => own == bytes,
            Item::Int(value) => number::parse_i64(bytes) == Some(value),
        }
    }

    /// The length of the string that the item stands for, in bytes.
    #[inline]
    pub fn len(&self) -> usize {
        match *self {
            Item::Str(bytes) => bytes.len(),
            Item::Int(value) => number::digits(value),
        }
    }

    /// Whether the item stands for the empty string.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The string that the item stands for.
    pub fn to_bytes(self) -> Cow<'a, [u8]> {
        match self {
            Item::Str(bytes) => Cow::Borrowed(bytes),
            Item::Int(value) => Cow::Owned(Decimal::new(value).as_bytes().to_vec()),
        }
    }

    /// Calls `f` with the string that the item stands for, without allocating.
    #[inline]
    pub fn with_bytes<R>(self, f: impl FnOnce(&[u8]) -> R) -> R {
        match self {
            Item::Str(bytes) => f(bytes),
            Item::Int(value) => f(Decimal::new(value).as_bytes()),
        }
    }
}

/// A packed list; see the module.
pub struct Packed(NonNull<u8>);

// SAFETY: a Packed owns its block and nothing else.
unsafe impl Send for Packed {}
// SAFETY: shared access only reads the block.
unsafe impl Sync for Packed {}

impl Default for Packed {
    fn default() -> Self {
        Packed::new()
    }
}

impl Packed {
    /// An empty list.
    pub fn new() -> Self {
        Packed(block::copy_of(&[7, 0, 0, 0, 0, 0, CLOSE]))
    }

    /// Takes over bytes that [`Packed::bytes`] gave, or that [`validate`] has passed.
    ///
    /// # Panics
    /// If they do not begin with their length.
    pub fn from_valid(bytes: &[u8]) -> Self {
        debug_assert_eq!(validate(bytes), Ok(()));
        let total = bytes.first_chunk().map(|total| u32::from_le_bytes(*total) as usize);
        assert!(total == Some(bytes.len()) && bytes.len() > HEADER_BYTES, "no packed list");
        Packed(block::copy_of(bytes))
    }

    /// The list in its serialised form.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the block holds `total()` initialised bytes.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr(), self.total()) }
    }

    /// The length of the serialised form, in bytes.
    #[inline]
    pub fn total(&self) -> usize {
        // SAFETY: every block begins with its total as a little-endian u32.
        u32::from_le(unsafe { self.0.cast::<u32>().read() }) as usize
    }

    /// Whether strings of so many bytes may be added, or put in the place of others. If not, what holds them is to be
    /// stored otherwise.
    #[inline]
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.total().saturating_add(bytes) <= ROOM_BYTES
    }

    /// What the list takes from the allocator, in bytes.
    #[inline]
    pub fn heap_bytes(&self) -> usize {
        block::class(self.total())
    }

    /// The number of entries.
    #[inline]
    pub fn count(&self) -> usize {
        let bytes = self.bytes();
        match u16::from_le_bytes([bytes[4], bytes[5]]) {
            COUNT_UNKNOWN => self.iter().count(),
            count => usize::from(count),
        }
    }

    /// Whether there is no entry.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.bytes()[HEADER_BYTES] == CLOSE
    }

    /// The position of the first entry; the end of the list when there is none.
    #[inline]
    pub fn start(&self) -> usize {
        HEADER_BYTES
    }

    /// The position after the last entry.
    #[inline]
    pub fn end(&self) -> usize {
        self.total() - 1
    }

    /// The entry at a position before the end.
    #[inline]
    pub fn get(&self, at: usize) -> Item<'_> {
        decode(&self.bytes()[at..]).0
    }

    /// The entry at a position before the end, and the position after it.
    #[inline]
    pub fn entry(&self, at: usize) -> (Item<'_>, usize) {
        let (item, size) = decode(&self.bytes()[at..]);
        (item, at + size + back_size(size))
    }

    /// The position after the entry at `at`.
    #[inline]
    pub fn next(&self, at: usize) -> usize {
        let size = decode(&self.bytes()[at..]).1;
        at + size + back_size(size)
    }

    /// The position before `at`; `None` at the start.
    #[inline]
    pub fn prev(&self, at: usize) -> Option<usize> {
        (at > HEADER_BYTES).then(|| {
            let size = read_back(&self.bytes()[..at]);
            at - size - back_size(size)
        })
    }

    /// The position of the entry number `index`, from zero; the end when there are not so many.
    pub fn seek(&self, index: usize) -> usize {
        let count = self.count();
        if index >= count {
            return self.end();
        }
        if index <= count / 2 {
            let mut at = self.start();
            for _ in 0..index {
                at = self.next(at);
            }
            at
        } else {
            let mut at = self.end();
            for _ in index..count {
                at = self.prev(at).expect("index is below the count");
            }
            at
        }
    }

    /// The entries in order.
    #[inline]
    pub fn iter(&self) -> Iter<'_> {
        Iter { bytes: &self.bytes()[HEADER_BYTES..] }
    }

    /// The entries from a position on.
    #[inline]
    pub fn iter_at(&self, at: usize) -> Iter<'_> {
        Iter { bytes: &self.bytes()[at..] }
    }

    /// The entries from a position on, each with its own position.
    pub fn iter_from(&self, at: usize) -> impl Iterator<Item = (usize, Item<'_>)> {
        let mut at = at;
        std::iter::from_fn(move || {
            (at < self.end()).then(|| {
                let here = at;
                let (item, size) = decode(&self.bytes()[at..]);
                at += size + back_size(size);
                (here, item)
            })
        })
    }

    /// The position of the first entry from `at` on that stands for `needle`, looking at every `stride`-th entry.
    #[inline]
    pub fn find(&self, needle: &[u8], at: usize, stride: usize) -> Option<usize> {
        let wanted = Item::of(needle);
        let bytes = self.bytes();
        let mut at = at;
        let mut skip = 0;
        while bytes[at] != CLOSE {
            let (item, size) = decode(&bytes[at..]);
            if skip == 0 {
                if item == wanted {
                    return Some(at);
                }
                skip = stride;
            }
            skip -= 1;
            at += size + back_size(size);
        }
        None
    }

    /// Puts an entry before the one at `at`, or at the end; gives the position after it.
    #[inline]
    pub fn insert(&mut self, at: usize, bytes: &[u8]) -> usize {
        self.insert_item(at, Item::of(bytes))
    }

    /// As [`Packed::insert`], for an item that is already known.
    ///
    /// `Item::Str` is stored as a string even where it is a canonical integer: give what [`Item::of`] gave.
    pub fn insert_item(&mut self, at: usize, item: Item<'_>) -> usize {
        let entry = Encoded::new(item);
        let after = at + entry.total();
        entry.write(self.open(at, entry.total()));
        self.add_count(1);
        after
    }

    /// Appends an entry.
    #[inline]
    pub fn push(&mut self, bytes: &[u8]) {
        self.insert(self.end(), bytes);
    }

    /// Appends entries, moving the closing byte once.
    ///
    /// As for [`Packed::insert_item`], strings are not looked at.
    pub fn extend<'a>(&mut self, items: impl Iterator<Item = Item<'a>> + Clone) {
        let bytes = items.clone().map(|item| Encoded::new(item).total()).sum();
        let mut place = self.open(self.end(), bytes);
        let mut count = 0;
        for item in items {
            let entry = Encoded::new(item);
            let (own, rest) = place.split_at_mut(entry.total());
            entry.write(own);
            place = rest;
            count += 1;
        }
        self.add_count(count);
    }

    /// Puts an entry before all others.
    #[inline]
    pub fn push_front(&mut self, bytes: &[u8]) {
        self.insert(HEADER_BYTES, bytes);
    }

    /// Overwrites the entry at `at`; gives the position after it.
    pub fn replace(&mut self, at: usize, bytes: &[u8]) -> usize {
        self.replace_item(at, Item::of(bytes))
    }

    /// As [`Packed::replace`], for an item that is already known.
    pub fn replace_item(&mut self, at: usize, item: Item<'_>) -> usize {
        let entry = Encoded::new(item);
        let old = self.next(at) - at;
        entry.write(self.splice(at, old, entry.total()));
        at + entry.total()
    }

    /// Removes `count` entries from `at` on, or as many as there are; gives how many.
    pub fn remove(&mut self, at: usize, count: usize) -> usize {
        let mut after = at;
        let mut removed = 0;
        while removed < count && after < self.end() {
            after = self.next(after);
            removed += 1;
        }
        if removed > 0 {
            self.close(at, after - at);
            self.add_count(-(removed as isize));
        }
        removed
    }

    /// Removes every entry from `at` on and gives them as a list of their own.
    pub fn split_off(&mut self, at: usize) -> Packed {
        let mut tail = Packed::new();
        let entries = &self.bytes()[at..self.end()];
        let bytes = entries.len();
        tail.open(HEADER_BYTES, bytes).copy_from_slice(entries);
        let moved = tail.iter().count();
        tail.add_count(moved as isize);
        self.close(at, bytes);
        self.add_count(-(moved as isize));
        tail
    }

    /// Appends all entries of another list.
    pub fn append(&mut self, other: &Packed) {
        let entries = &other.bytes()[HEADER_BYTES..other.end()];
        self.open(self.end(), entries.len()).copy_from_slice(entries);
        self.add_count(other.count() as isize);
    }

    /// What an entry for these bytes adds to the total, in bytes.
    pub fn entry_bytes(bytes: &[u8]) -> usize {
        Packed::item_bytes(Item::of(bytes))
    }

    /// What an entry for this item adds to the total, in bytes.
    pub(crate) fn item_bytes(item: Item<'_>) -> usize {
        Encoded::new(item).total()
    }

    /// Makes room for `new` bytes at `at`, to be written by the caller.
    fn open(&mut self, at: usize, new: usize) -> &mut [u8] {
        self.splice(at, 0, new)
    }

    /// Takes `old` bytes away at `at`.
    fn close(&mut self, at: usize, old: usize) {
        self.splice(at, old, 0);
    }

    /// Replaces `old` bytes at `at` by `new` ones, whatever they are (to be written by the caller), keeping the total.
    #[inline(always)]
    fn splice(&mut self, at: usize, old: usize, new: usize) -> &mut [u8] {
        let total = self.total();
        // Positions of entries are behind the header and before the closing byte.
        if at.wrapping_sub(HEADER_BYTES) >= total - HEADER_BYTES || old >= total - at {
            no_entries(at, old);
        }
        let kept = total - old;
        if new > MAX_BYTES - kept {
            too_large(kept, new);
        }
        let new_total = kept + new;
        let tail = kept - at;
        let mut block = self.0;
        // SAFETY: all ranges lie within the block, by what has just been looked at: it is resized before the tail moves to
        // a higher place, and after it moved to a lower one. The block's class is that of `total` before and of `new_total`
        // after. What is given lies before `total`, or has been zeroed.
        unsafe {
            if new > old {
                block = block::resize(block, total, new_total);
            }
            if new != old {
                let place = block.add(at);
                place.add(new).copy_from(place.add(old), tail);
            }
            if new < old {
                block = block::resize(block, total, new_total);
            }
            self.0 = block;
            block.cast::<u32>().write((new_total as u32).to_le());
            if at + new > total {
                block.add(total).write_bytes(0, at + new - total);
            }
            std::slice::from_raw_parts_mut(block.as_ptr().add(at), new)
        }
    }

    fn add_count(&mut self, change: isize) {
        let bytes = self.bytes();
        let count = u16::from_le_bytes([bytes[4], bytes[5]]);
        let new = match count {
            // Walking a list of unlimited length each time would add up.
            COUNT_UNKNOWN if change >= 0 => return,
            COUNT_UNKNOWN => self.iter().count(),
            count => usize::from(count).wrapping_add_signed(change),
        };
        let new = u16::try_from(new).unwrap_or(COUNT_UNKNOWN);
        // SAFETY: the count stands at offset four of every block.
        unsafe { self.0.add(4).cast::<u16>().write_unaligned(new.to_le()) };
    }

    /// Checks the structure's own invariants; for tests.
    pub fn check_invariants(&self) {
        assert_eq!(validate(self.bytes()), Ok(()));
        for item in self.iter() {
            if let Item::Str(bytes) = item {
                assert_eq!(number::parse_i64(bytes), None, "an integer stored as a string");
            }
        }
    }
}

impl Clone for Packed {
    fn clone(&self) -> Self {
        Packed(block::copy_of(self.bytes()))
    }
}

impl Drop for Packed {
    fn drop(&mut self) {
        // SAFETY: the block's class is that of its total, and it is not used again.
        unsafe { block::free(self.0, self.total()) };
    }
}

impl std::fmt::Debug for Packed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Gives up the list as its block, for a word of a [`crate::thin::Thin`].
pub(crate) fn into_block(list: Packed) -> NonNull<u8> {
    std::mem::ManuallyDrop::new(list).0
}

/// Takes a list back from its block.
///
/// # Safety
/// The block came from [`into_block`] and is used once.
pub(crate) unsafe fn from_block(block: NonNull<u8>) -> Packed {
    Packed(block)
}

/// The entries of a list, in order.
#[derive(Clone)]
pub struct Iter<'a> {
    /// What is left, with the closing byte.
    bytes: &'a [u8],
}

impl Default for Iter<'_> {
    /// No entries.
    fn default() -> Self {
        Iter { bytes: &[CLOSE] }
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        if self.bytes[0] == CLOSE {
            return None;
        }
        let (item, size) = decode(self.bytes);
        self.bytes = &self.bytes[size + back_size(size)..];
        Some(item)
    }
}

/// Why bytes are not a packed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Where it was noticed, in bytes from the start.
    pub offset: usize,
}

/// Checks that bytes are a whole, well-formed list, whoever wrote them; nothing is assumed of them.
pub fn validate(bytes: &[u8]) -> Result<(), Malformed> {
    let wrong = |offset| Err(Malformed { offset });
    let Some((header, entries)) = bytes.split_at_checked(HEADER_BYTES) else { return wrong(bytes.len()) };
    let total = u32::from_le_bytes([header[0], header[1], header[2], header[3]]) as usize;
    if total != bytes.len() || total > MAX_BYTES {
        return wrong(0);
    }
    let mut at = HEADER_BYTES;
    let mut count: usize = 0;
    loop {
        let rest = &bytes[at..];
        match rest.first() {
            None => return wrong(at),
            Some(&CLOSE) if rest.len() == 1 => break,
            Some(&CLOSE) => return wrong(at),
            Some(_) => {}
        }
        let Some(size) = entry_size(rest) else { return wrong(at) };
        let back = back_size(size);
        if rest.len() <= size + back || read_back(&rest[..size + back]) != size {
            return wrong(at + size.min(rest.len()));
        }
        at += size + back;
        count += 1;
    }
    debug_assert_eq!(entries.len() + HEADER_BYTES, at + 1);
    match u16::from_le_bytes([header[4], header[5]]) {
        COUNT_UNKNOWN => Ok(()),
        stored if usize::from(stored) == count => Ok(()),
        _ => wrong(4),
    }
}

/// The size of the entry's header and data, if the bytes hold as much as the header says.
fn entry_size(bytes: &[u8]) -> Option<usize> {
    let first = *bytes.first()?;
    let size = match first {
        0x00..=0x7F => 1,
        0x80..=0xBF => 1 + usize::from(first & 0x3F),
        0xC0..=0xDF => 2,
        0xE0..=0xEF => 2 + (usize::from(first & 0x0F) << 8 | usize::from(*bytes.get(1)?)),
        0xF0 => 5 + u32::from_le_bytes(bytes.get(1..5)?.try_into().ok()?) as usize,
        0xF1 => 3,
        0xF2 => 4,
        0xF3 => 5,
        0xF4 => 9,
        _ => return None,
    };
    (size <= bytes.len()).then_some(size)
}

/// The entry at the start of `bytes`, and the size of its header and data.
#[inline]
fn decode(bytes: &[u8]) -> (Item<'_>, usize) {
    let first = bytes[0];
    match first {
        0x00..=0x7F => (Item::Int(i64::from(first)), 1),
        0x80..=0xBF => {
            let len = usize::from(first & 0x3F);
            (Item::Str(&bytes[1..1 + len]), 1 + len)
        }
        0xC0..=0xDF => {
            let raw = u16::from(first & 0x1F) << 8 | u16::from(bytes[1]);
            // Thirteen bits with a sign: move it to the top and back.
            (Item::Int(i64::from((raw << 3) as i16 >> 3)), 2)
        }
        0xE0..=0xEF => {
            let len = usize::from(first & 0x0F) << 8 | usize::from(bytes[1]);
            (Item::Str(&bytes[2..2 + len]), 2 + len)
        }
        0xF0 => {
            let len = u32::from_le_bytes([bytes[1], bytes[2], bytes[3], bytes[4]]) as usize;
            (Item::Str(&bytes[5..5 + len]), 5 + len)
        }
        0xF1 => (Item::Int(i64::from(i16::from_le_bytes([bytes[1], bytes[2]]))), 3),
        0xF2 => (Item::Int(i64::from(i32::from_le_bytes([0, bytes[1], bytes[2], bytes[3]]) >> 8)), 4),
        0xF3 => (Item::Int(i64::from(i32::from_le_bytes([bytes[1], bytes[2], bytes[3], bytes[4]]))), 5),
        _ => {
            debug_assert_eq!(first, 0xF4);
            let mut wide = [0; 8];
            wide.copy_from_slice(&bytes[1..9]);
            (Item::Int(i64::from_le_bytes(wide)), 9)
        }
    }
}

#[cold]
#[inline(never)]
fn no_entries(at: usize, bytes: usize) -> ! {
    panic!("no entries of {bytes} bytes at {at} of a packed list");
}

#[cold]
#[inline(never)]
fn too_large(old: usize, new: usize) -> ! {
    panic!("a packed list of {old} bytes is to have {new} more");
}

/// The number of bytes that the trailing length of an entry of `size` bytes takes.
#[inline]
fn back_size(size: usize) -> usize {
    match size {
        0..=127 => 1,
        128..=16_383 => 2,
        16_384..=2_097_151 => 3,
        2_097_152..=268_435_455 => 4,
        _ => 5,
    }
}

/// Writes the trailing length: big-endian groups of seven bits, all but the leftmost marked by their top bit.
#[inline]
fn write_back(place: &mut [u8], size: usize) {
    let mut rest = size;
    for (index, byte) in place.iter_mut().enumerate().rev() {
        *byte = (rest & 0x7F) as u8 | if index > 0 { 0x80 } else { 0 };
        rest >>= 7;
    }
}

/// Reads the trailing length that ends `bytes`.
#[inline]
fn read_back(bytes: &[u8]) -> usize {
    let mut size = 0;
    for (index, &byte) in bytes.iter().rev().take(5).enumerate() {
        size |= usize::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            break;
        }
    }
    size
}

/// An entry about to be written: its header (with the data, if an integer), and a string's bytes.
struct Encoded<'a> {
    header: [u8; 9],
    header_len: usize,
    data: &'a [u8],
}

impl<'a> Encoded<'a> {
    #[inline]
    fn new(item: Item<'a>) -> Self {
        let mut header = [0; 9];
        let (header_len, data) = match item {
            Item::Str(bytes) => (Self::string_header(&mut header, bytes.len()), bytes),
            Item::Int(value) => (Self::integer(&mut header, value), &[][..]),
        };
        Encoded { header, header_len, data }
    }

    #[inline]
    fn string_header(header: &mut [u8; 9], len: usize) -> usize {
        if len < 64 {
            header[0] = 0x80 | len as u8;
            1
        } else if len < 4096 {
            header[0] = 0xE0 | (len >> 8) as u8;
            header[1] = len as u8;
            2
        } else {
            header[0] = 0xF0;
            header[1..5].copy_from_slice(&(len as u32).to_le_bytes());
            5
        }
    }

    #[inline]
    fn integer(header: &mut [u8; 9], value: i64) -> usize {
        let le = value.to_le_bytes();
        let wide = |header: &mut [u8; 9], first: u8, bytes: usize| {
            header[0] = first;
            header[1..=bytes].copy_from_slice(&le[..bytes]);
            1 + bytes
        };
        match value {
            0..=127 => {
                header[0] = value as u8;
                1
            }
            -4096..=4095 => {
                header[0] = 0xC0 | (value >> 8) as u8 & 0x1F;
                header[1] = value as u8;
                2
            }
            -32_768..=32_767 => wide(header, 0xF1, 2),
            -8_388_608..=8_388_607 => wide(header, 0xF2, 3),
            -2_147_483_648..=2_147_483_647 => wide(header, 0xF3, 4),
            _ => wide(header, 0xF4, 8),
        }
    }

    #[inline]
    fn size(&self) -> usize {
        self.header_len + self.data.len()
    }

    #[inline]
    fn total(&self) -> usize {
        self.size() + back_size(self.size())
    }

    #[inline]
    fn write(&self, place: &mut [u8]) {
        let (header, rest) = place.split_at_mut(self.header_len);
        header.copy_from_slice(&self.header[..self.header_len]);
        let (data, back) = rest.split_at_mut(self.data.len());
        data.copy_from_slice(self.data);
        write_back(back, self.size());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes_of(list: &Packed) -> Vec<Vec<u8>> {
        list.iter().map(|item| item.to_bytes().into_owned()).collect()
    }

    #[test]
    fn the_bytes_are_a_listpack() {
        let mut list = Packed::new();
        for entry in ["a", "1", "-1", "4095", "40000", "-8388608", "2147483647", "9223372036854775807"] {
            list.push(entry.as_bytes());
        }
        let want: &[&[u8]] = &[
            &[0x81, b'a', 2],
            &[1, 1],
            &[0xDF, 0xFF, 2],
            &[0xCF, 0xFF, 2],
            &[0xF2, 0x40, 0x9C, 0x00, 4],
            &[0xF2, 0x00, 0x00, 0x80, 4],
            &[0xF3, 0xFF, 0xFF, 0xFF, 0x7F, 5],
            &[0xF4, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 9],
        ];
        let want = want.concat();
        assert_eq!(&list.bytes()[..6], [(want.len() + 7) as u8, 0, 0, 0, 8, 0]);
        assert_eq!(&list.bytes()[6..6 + want.len()], want);
        list.check_invariants();
    }

    #[test]
    fn long_entries_have_longer_trailers() {
        for len in [63, 64, 125, 126, 127, 4095, 4096, 16_376, 16_384, 2_097_200] {
            let mut list = Packed::new();
            let entry = vec![b'x'; len];
            list.push(b"before");
            list.push(&entry);
            list.push(b"after");
            list.check_invariants();
            let after = list.prev(list.end()).unwrap();
            let at = list.prev(after).unwrap();
            assert_eq!(list.get(at), Item::Str(&entry));
            assert_eq!(list.prev(at), Some(list.start()));
        }
    }

    #[test]
    fn positions_outside_of_the_entries_are_refused() {
        let mut list = Packed::new();
        (0..3).for_each(|_| list.push(b"entry"));
        let (before, total) = (list.bytes().to_vec(), list.total());
        for at in [0, 4, 5, total, total + 1, 1 << 40, usize::MAX] {
            let changes: [fn(&mut Packed, usize); 4] = [
                |list, at| _ = list.insert(at, b"more"),
                |list, at| _ = list.replace(at, b"more"),
                |list, at| _ = list.split_off(at),
                |list, at| _ = list.splice(at, 1, 0),
            ];
            for change in changes {
                let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| change(&mut list, at)));
                assert!(result.is_err() && list.bytes() == before, "at {at}");
            }
        }
        for (old, new) in [(total, 0), (usize::MAX - 5, 0), (0, MAX_BYTES), (0, usize::MAX), (1, usize::MAX)]
        {
            let splice = std::panic::AssertUnwindSafe(|| list.splice(HEADER_BYTES, old, new).len());
            assert!(std::panic::catch_unwind(splice).is_err(), "{old} {new}");
        }
        assert_eq!(list.bytes(), before);
    }

    #[test]
    fn bytes_that_do_not_tell_their_length_are_no_list() {
        for bytes in [&[][..], &[6, 0, 0, 0, 0, 0], &[8, 0, 0, 0, 0, 0, CLOSE], &[CLOSE; 9]] {
            assert!(std::panic::catch_unwind(|| Packed::from_valid(bytes)).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn more_entries_than_the_header_counts() {
        let mut list = Packed::new();
        for _ in 0..65_540 {
            list.push(b"7");
        }
        assert_eq!(list.count(), 65_540);
        list.remove(list.start(), 10);
        assert_eq!(list.count(), 65_530);
        list.check_invariants();
    }

    #[test]
    fn hostile_bytes_are_refused_where_they_are_wrong() {
        let mut list = Packed::new();
        list.push(b"hello");
        list.push(b"12345");
        let good = list.bytes().to_vec();
        assert_eq!(validate(&good), Ok(()));
        for len in 0..good.len() {
            assert!(validate(&good[..len]).is_err());
        }
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[at] ^= 1 << bit;
                if validate(&bad).is_ok() {
                    // A change inside the data is a different, well-formed list.
                    assert_eq!(Packed::from_valid(&bad).count(), 2);
                }
            }
        }
        let announced = [11, 0, 0, 0, 1, 0, 0xF0, 0xFF, 0xFF, 0xFF, 0xFF];
        assert_eq!(validate(&announced), Err(Malformed { offset: 6 }));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Insert(usize, Vec<u8>),
        Replace(usize, Vec<u8>),
        Remove(usize, usize),
        Split(usize),
        Find(Vec<u8>),
    }

    fn entry() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            any::<i64>().prop_map(|value| value.to_string().into_bytes()),
            (-200i64..200).prop_map(|value| value.to_string().into_bytes()),
            prop::collection::vec(any::<u8>(), 0..80),
            (60usize..5000).prop_map(|len| vec![b'y'; len]),
        ]
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (any::<usize>(), entry()).prop_map(|(at, entry)| Step::Insert(at, entry)),
            1 => (any::<usize>(), entry()).prop_map(|(at, entry)| Step::Replace(at, entry)),
            1 => (any::<usize>(), 0usize..4).prop_map(|(at, count)| Step::Remove(at, count)),
            1 => any::<usize>().prop_map(Step::Split),
            1 => entry().prop_map(Step::Find),
        ]
    }

    proptest! {
        #[test]
        fn extending_is_pushing(entries in prop::collection::vec(entry(), 0..20), more in prop::collection::vec(entry(), 0..20)) {
            let (mut extended, mut pushed) = (Packed::new(), Packed::new());
            for entries in [&entries, &more] {
                extended.extend(entries.iter().map(|entry| Item::of(entry)));
                entries.iter().for_each(|entry| pushed.push(entry));
            }
            prop_assert_eq!(extended.bytes(), pushed.bytes());
        }

        #[test]
        fn behaves_as_a_vector(steps in prop::collection::vec(step(), 1..60)) {
            let mut list = Packed::new();
            let mut model: Vec<Vec<u8>> = Vec::new();
            for step in steps {
                match step {
                    Step::Insert(at, entry) => {
                        let index = at % (model.len() + 1);
                        let at = list.seek(index);
                        let after = list.insert(at, &entry);
                        prop_assert!(list.get(at).is(&entry));
                        model.insert(index, entry);
                        prop_assert_eq!(after, list.seek(index + 1));
                    }
                    Step::Replace(at, entry) if !model.is_empty() => {
                        let index = at % model.len();
                        list.replace(list.seek(index), &entry);
                        model[index] = entry;
                    }
                    Step::Remove(at, count) if !model.is_empty() => {
                        let index = at % model.len();
                        let end = model.len().min(index + count);
                        prop_assert_eq!(list.remove(list.seek(index), count), end - index);
                        model.drain(index..end);
                    }
                    Step::Split(at) => {
                        let index = at % (model.len() + 1);
                        let tail = list.split_off(list.seek(index));
                        tail.check_invariants();
                        prop_assert_eq!(bytes_of(&tail), &model[index..]);
                        list.append(&tail);
                    }
                    Step::Find(entry) => {
                        let found = list.find(&entry, list.start(), 1);
                        let want = model.iter().position(|own| *own == entry).map(|index| list.seek(index));
                        prop_assert_eq!(found, want);
                    }
                    _ => {}
                }
                list.check_invariants();
                prop_assert_eq!(list.count(), model.len());
                prop_assert_eq!(&bytes_of(&list), &model);
            }
        }
    }
}
