//! What big sets, sorted sets and hashes hold: a string, a string with a score, a field with a value.
//!
//! Each is one block that an eight-byte slot of a [`Table`](crate::table::Table) points to:
//!
//! ```text
//! Member:  length | bytes
//! Scored:  score: f64 | length | bytes
//! Field:   flags | expiry: i64, if flagged | length | field | length | value
//! ```

#![allow(unsafe_code)]

use crate::block;
use crate::length;
use crate::table::{Item, Ref};
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

/// A member of a set.
pub struct Member(NonNull<u8>);

/// A member of a sorted set, with its score.
pub struct Scored(NonNull<u8>);

/// A field of a hash, with its value and, from release 7.4 on, its own expiry.
pub struct Field(NonNull<u8>);

const SCORE_BYTES: usize = 8;
const EXPIRES: u8 = 1;

macro_rules! block_item {
    ($name:ident) => {
        // SAFETY: it owns its block and nothing else.
        unsafe impl Send for $name {}
        // SAFETY: shared access only reads the block.
        unsafe impl Sync for $name {}

        // SAFETY: it is a thin pointer to a block of the allocator.
        unsafe impl Item for $name {
            #[inline]
            fn into_raw(self) -> NonNull<u8> {
                ManuallyDrop::new(self).0
            }

            #[inline]
            unsafe fn from_raw(raw: NonNull<u8>) -> Self {
                $name(raw)
            }

            #[inline]
            fn key(&self) -> &[u8] {
                self.bytes()
            }
        }

        impl $name {
            /// What it takes from the allocator, in bytes.
            #[inline]
            pub fn heap_bytes(&self) -> usize {
                block::class(self.total())
            }
        }

        impl Drop for $name {
            #[inline]
            fn drop(&mut self) {
                // SAFETY: the block was allocated for `total` bytes, and is not used again.
                unsafe { block::free(self.0, self.total()) };
            }
        }
    };
}

block_item!(Member);
block_item!(Scored);
block_item!(Field);

impl<'a> Ref<'a, Member> {
    /// The member's bytes, for as long as the table is borrowed.
    #[inline]
    pub fn into_bytes(self) -> &'a [u8] {
        // SAFETY: the block outlives the borrow of the table that owns it.
        unsafe { string(self.0.as_ptr()) }
    }
}

impl<'a> Ref<'a, Scored> {
    /// The member's bytes, for as long as the table is borrowed.
    #[inline]
    pub fn into_bytes(self) -> &'a [u8] {
        // SAFETY: the block outlives the borrow of the table that owns it.
        unsafe { string(self.0.as_ptr().add(SCORE_BYTES)) }
    }
}

impl<'a> Ref<'a, Field> {
    /// The field's name and value, for as long as the table is borrowed.
    #[inline]
    pub fn into_parts(self) -> (&'a [u8], &'a [u8]) {
        // SAFETY: the block outlives the borrow of the table that owns it.
        unsafe { (string(self.name_place()), string(self.value_place())) }
    }
}

/// The string at `place`: a length and its bytes.
///
/// # Safety
/// Both were written there, and outlive `'a`.
#[inline]
unsafe fn string<'a>(place: *mut u8) -> &'a [u8] {
    // SAFETY: by the caller's promise.
    unsafe {
        let (len, bytes) = length::read(place);
        std::slice::from_raw_parts(bytes, len)
    }
}

/// Writes a length and its bytes; gives the place after them.
///
/// # Safety
/// `place` is writable for both.
#[inline]
unsafe fn put_string(place: *mut u8, bytes: &[u8]) -> *mut u8 {
    // SAFETY: by the caller's promise.
    unsafe {
        let place = length::write(place, bytes.len());
        place.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        place.add(bytes.len())
    }
}

impl Member {
    /// A member with these bytes.
    #[inline]
    pub fn new(bytes: &[u8]) -> Self {
        let block = block::allocate(length::size(bytes.len()) + bytes.len());
        // SAFETY: the block was allocated for just this.
        unsafe { put_string(block.as_ptr(), bytes) };
        Member(block)
    }

    /// Its bytes.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: every block begins with length and bytes.
        unsafe { string(self.0.as_ptr()) }
    }

    #[inline]
    fn total(&self) -> usize {
        let len = self.bytes().len();
        length::size(len) + len
    }
}

impl Scored {
    /// A member with these bytes and this score.
    #[inline]
    pub fn new(score: f64, bytes: &[u8]) -> Self {
        let block = block::allocate(SCORE_BYTES + length::size(bytes.len()) + bytes.len());
        // SAFETY: the block was allocated for just this.
        unsafe {
            block.cast::<f64>().write(score);
            put_string(block.as_ptr().add(SCORE_BYTES), bytes);
        }
        Scored(block)
    }

    /// Its score.
    #[inline]
    pub fn score(&self) -> f64 {
        // SAFETY: every block begins with the score, aligned to sixteen bytes.
        unsafe { self.0.cast::<f64>().read() }
    }

    /// Gives it another score.
    #[inline]
    pub fn set_score(&mut self, score: f64) {
        // SAFETY: every block begins with the score, aligned to sixteen bytes.
        unsafe { self.0.cast::<f64>().write(score) };
    }

    /// Its bytes.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: length and bytes follow the score.
        unsafe { string(self.0.as_ptr().add(SCORE_BYTES)) }
    }

    #[inline]
    fn total(&self) -> usize {
        let len = self.bytes().len();
        SCORE_BYTES + length::size(len) + len
    }
}

impl Field {
    /// A field with its value; `expire_at_ms` is when the field goes, in ms since the epoch.
    #[inline]
    pub fn new(field: &[u8], value: &[u8], expire_at_ms: Option<i64>) -> Self {
        let total = Field::size(field.len(), value.len(), expire_at_ms.is_some());
        let block = block::allocate(total);
        // SAFETY: the block was allocated for just this.
        unsafe {
            let mut place = block.as_ptr();
            *place = if expire_at_ms.is_some() { EXPIRES } else { 0 };
            place = place.add(1);
            if let Some(expire_at_ms) = expire_at_ms {
                place.cast::<i64>().write_unaligned(expire_at_ms);
                place = place.add(8);
            }
            place = put_string(place, field);
            put_string(place, value);
        }
        Field(block)
    }

    /// The field's name.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the name stands there.
        unsafe { string(self.name_place()) }
    }

    /// The field's value.
    #[inline]
    pub fn value(&self) -> &[u8] {
        // SAFETY: the value stands there.
        unsafe { string(self.value_place()) }
    }

    /// When the field goes, in ms since the epoch.
    #[inline]
    pub fn expire_at_ms(&self) -> Option<i64> {
        // SAFETY: every block begins with the flags, and the expiry follows if they say so.
        unsafe {
            (*self.0.as_ptr() & EXPIRES != 0).then(|| self.0.as_ptr().add(1).cast::<i64>().read_unaligned())
        }
    }

    /// Gives the field another value, and how many bytes it takes from the allocator more than before.
    #[inline]
    pub fn set_value(&mut self, value: &[u8]) -> isize {
        let (old, old_total) = (self.value().len(), self.total());
        let new_total = old_total - length::size(old) - old + length::size(value.len()) + value.len();
        // SAFETY: the block is resized to hold the new value before it is written; all before it stays in place.
        unsafe {
            let offset = self.value_place().offset_from(self.0.as_ptr());
            self.0 = block::resize(self.0, old_total, new_total);
            put_string(self.0.as_ptr().offset(offset), value);
        }
        block::class(new_total) as isize - block::class(old_total) as isize
    }

    /// Gives the field another expiry, or none.
    pub fn set_expire_at_ms(&mut self, expire_at_ms: Option<i64>) {
        match (self.expire_at_ms(), expire_at_ms) {
            // SAFETY: the expiry stands there.
            (Some(_), Some(new)) => unsafe { self.0.as_ptr().add(1).cast::<i64>().write_unaligned(new) },
            (None, None) => {}
            _ => *self = Field::new(self.bytes(), self.value(), expire_at_ms),
        }
    }

    #[inline]
    fn name_place(&self) -> *mut u8 {
        // SAFETY: flags, and the expiry if they say so, stand before the name.
        unsafe { self.0.as_ptr().add(if *self.0.as_ptr() & EXPIRES != 0 { 9 } else { 1 }) }
    }

    #[inline]
    fn value_place(&self) -> *mut u8 {
        // SAFETY: the name stands before the value.
        unsafe {
            let (len, bytes) = length::read(self.name_place());
            bytes.add(len)
        }
    }

    #[inline]
    fn size(field: usize, value: usize, expires: bool) -> usize {
        1 + if expires { 8 } else { 0 } + length::size(field) + field + length::size(value) + value
    }

    #[inline]
    fn total(&self) -> usize {
        Field::size(self.bytes().len(), self.value().len(), self.expire_at_ms().is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_of_all_lengths() {
        for len in [0, 1, 15, 253, 254, 255, 256, 70_000] {
            let bytes = vec![b'm'; len];
            assert_eq!(Member::new(&bytes).bytes(), bytes);
            let mut scored = Scored::new(1.5, &bytes);
            scored.set_score(-2.0);
            assert_eq!((scored.score(), scored.bytes()), (-2.0, &bytes[..]));
        }
    }

    #[test]
    fn a_field_changes_value_and_expiry() {
        let mut field = Field::new(b"name", b"1", None);
        for (value_len, expire_at_ms) in
            [(3, None), (300, Some(7)), (2, Some(i64::MAX)), (0, None), (90, Some(-1))]
        {
            let value = vec![b'v'; value_len];
            let before = field.heap_bytes();
            let change = field.set_value(&value);
            assert_eq!(before.checked_add_signed(change), Some(field.heap_bytes()));
            field.set_expire_at_ms(expire_at_ms);
            assert_eq!((field.bytes(), field.value()), (&b"name"[..], &value[..]));
            assert_eq!(field.expire_at_ms(), expire_at_ms);
            assert_eq!(field.heap_bytes(), Field::new(b"name", &value, expire_at_ms).heap_bytes());
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "four gigabytes, of which nothing is touched")]
    fn a_string_whose_length_cannot_be_told_is_refused() {
        let long = vec![0; u32::MAX as usize + 1];
        let mut field = Field::new(b"name", b"value", None);
        let refuses =
            |make: &mut dyn FnMut()| std::panic::catch_unwind(std::panic::AssertUnwindSafe(make)).is_err();
        assert!(refuses(&mut || drop(Member::new(&long))));
        assert!(refuses(&mut || drop(Scored::new(0.0, &long))));
        assert!(refuses(&mut || drop(Field::new(&long, b"", None))));
        assert!(refuses(&mut || drop(Field::new(b"", &long, Some(1)))));
        assert!(refuses(&mut || _ = field.set_value(&long)));
        assert_eq!(field.value(), b"value");
    }

    #[test]
    fn sixteen_bytes_of_string_stay_in_thirty_two() {
        assert_eq!(Member::new(&[b'x'; 16]).heap_bytes(), 32);
        assert_eq!(Scored::new(0.0, &[b'x'; 16]).heap_bytes(), 32);
    }
}
