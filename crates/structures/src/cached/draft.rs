//! An item whose value comes bit by bit, to where it will stay.
//!
//! Invariants: the block holds all that the item has before its value, and as much of that as has come; it is at most
//! [`ROOM`] times as large as what has come, or [`LEAST`], and never larger than the item's.

use super::{Cached, Head, LENT_FROM, begin, form, plain, total};
use crate::block;
use crate::lent::{Lender, Loan};
use bytes::BufMut;
use bytes::buf::UninitSlice;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

/// How many times what has come there may be room for: what is announced is believed as far as something has come of it.
const ROOM: usize = 8;

/// Blocks that have more than what stands before the value are at least so large, in bytes: they are pages of the system then,
/// and no thread keeps the allocator's pages for each size on the way.
const LEAST: usize = block::SMALL_MAX + 1;

/// An item that is not complete; see the module. Bytes of its value are put into it as into a buffer that does not grow.
pub struct Draft {
    block: NonNull<u8>,
    /// What the block was allocated for, in bytes.
    allocated: usize,
    /// What the item will take, in bytes.
    total: usize,
    /// Where the value begins.
    start: usize,
    value_len: usize,
    /// How much of it has come.
    filled: usize,
}

// SAFETY: it owns its block.
unsafe impl Send for Draft {}
// SAFETY: shared access only reads.
unsafe impl Sync for Draft {}

impl Draft {
    /// The draft of an item with a value of this length. Nothing if that is too small to be lent: to copy it costs less.
    ///
    /// # Panics
    /// If the key is longer than [`super::KEY_MAX`].
    pub fn new(key: &[u8], head: &Head, value_len: usize) -> Option<Draft> {
        if value_len < LENT_FROM {
            return None;
        }
        let form = form(head);
        let start = plain(form, key.len(), value_len) - value_len;
        let block = block::allocate(start);
        // SAFETY: the block was allocated for what stands before the value.
        unsafe { begin(block, key, head, value_len) };
        let total = total(form, key.len(), value_len);
        Some(Draft { block, allocated: start, total, start, value_len, filled: 0 })
    }

    /// Whether all of the value has come.
    pub fn is_full(&self) -> bool {
        self.filled == self.value_len
    }

    /// What it takes from the allocator, in bytes.
    pub fn heap_bytes(&self) -> usize {
        block::class(self.allocated)
    }

    /// Whether there is room for so many bytes, or for all that are yet to come.
    pub fn has_room(&self, bytes: usize) -> bool {
        self.remaining_mut() >= bytes.min(self.value_len - self.filled)
    }

    /// Puts these bytes behind those that have come, and makes room for some more.
    ///
    /// # Panics
    /// If the value has not so many.
    pub fn take(&mut self, bytes: &[u8]) {
        assert!(bytes.len() <= self.value_len - self.filled, "{} bytes are too many", bytes.len());
        self.resize(self.len_with(bytes.len()));
        self.put_slice(bytes);
    }

    /// How much more it takes from the allocator with so many bytes more, in bytes.
    pub fn growth(&self, bytes: usize) -> usize {
        block::class(self.len_with(bytes)) - self.heap_bytes()
    }

    /// What the block is allocated for if so many bytes are taken.
    fn len_with(&self, bytes: usize) -> usize {
        if self.has_room(bytes) {
            return self.allocated;
        }
        self.total.min((self.start + (self.filled + bytes).saturating_mul(ROOM)).max(LEAST))
    }

    fn resize(&mut self, len: usize) {
        // SAFETY: the block was allocated for so many bytes.
        self.block = unsafe { block::resize(self.block, self.allocated, len) };
        self.allocated = len;
    }

    /// The item, which is lent by this lender.
    ///
    /// # Panics
    /// If some of the value is yet to come.
    pub fn finish(mut self, lender: &Lender) -> Cached {
        assert!(self.is_full(), "{} of {} bytes have come", self.filled, self.value_len);
        self.resize(self.total);
        let item = Cached(ManuallyDrop::new(self).block);
        if let Some(loan) = item.loan() {
            // SAFETY: the block has room for the record there.
            unsafe { loan.write(Loan::new(lender)) };
        }
        item
    }
}

// SAFETY: what is given as room belongs to the block, and what is told to be filled has been.
unsafe impl BufMut for Draft {
    #[inline]
    fn remaining_mut(&self) -> usize {
        self.allocated.min(self.start + self.value_len) - self.start - self.filled
    }

    #[inline]
    unsafe fn advance_mut(&mut self, bytes: usize) {
        assert!(bytes <= self.remaining_mut(), "there is room for {}", self.remaining_mut());
        self.filled += bytes;
    }

    #[inline]
    fn chunk_mut(&mut self) -> &mut UninitSlice {
        // SAFETY: so much of the block lies behind what has come.
        unsafe {
            let rest = self.block.as_ptr().add(self.start + self.filled);
            UninitSlice::from_raw_parts_mut(rest, self.remaining_mut())
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // SAFETY: the block was allocated for so many bytes, and its bytes own nothing.
        unsafe { block::free(self.block, self.allocated) }
    }
}

impl std::fmt::Debug for Draft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Draft { value_len, filled, .. } = self;
        f.debug_struct("Draft").field("value_len", value_len).field("filled", filled).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cached::Marks;
    use crate::table::Item;
    use proptest::prelude::*;

    #[test]
    fn what_is_announced_costs_little_until_it_comes() {
        assert!(Draft::new(b"key", &Head::default(), LENT_FROM - 1).is_none());
        let mut draft = Draft::new(b"key", &Head::default(), 1 << 30).unwrap();
        assert!(draft.heap_bytes() <= 64);
        draft.take(&[b'x'; 100]);
        assert!(draft.heap_bytes() <= 20 << 10 && !draft.is_full());
        draft.take(&[b'x'; 20_000]);
        assert!(draft.heap_bytes() <= 200_000 && draft.has_room(100_000) && !draft.has_room(200_000));
    }

    #[test]
    #[should_panic(expected = "too many")]
    fn a_value_has_no_more_bytes_than_it_has() {
        let mut draft = Draft::new(b"key", &Head::default(), LENT_FROM).unwrap();
        draft.take(&[0; LENT_FROM]);
        draft.take(b"x");
    }

    #[test]
    #[should_panic(expected = "16383 of 16384 bytes have come")]
    fn a_part_of_a_value_is_no_item() {
        let mut draft = Draft::new(b"key", &Head::default(), LENT_FROM).unwrap();
        draft.take(&[0; LENT_FROM - 1]);
        draft.finish(&Lender::default());
    }

    proptest! {
        #[test]
        fn an_item_is_the_same_however_its_value_came(
            key in prop::collection::vec(any::<u8>(), 1..=250),
            value_len in LENT_FROM..300_000,
            flags in prop_oneof![Just(0), any::<u32>()],
            expires in prop_oneof![Just(0), any::<u32>()],
            pieces in prop::collection::vec((1usize..100_000, any::<bool>()), 1..40),
        ) {
            let value: Vec<u8> = (0..value_len).map(|at| (at / 7) as u8).collect();
            let head = Head { flags, expires, cas: 7, accessed: 9 };
            let lender = Lender::default();
            let whole = Cached::new(&key, &head, [&value, &[]], &lender);
            let mut draft = Draft::new(&key, &head, value_len).unwrap();
            let mut rest = &value[..];
            for &(len, is_put) in pieces.iter().cycle() {
                let room = if is_put { draft.remaining_mut() } else { rest.len() };
                let (piece, others) = rest.split_at(len.min(room).min(rest.len()));
                let (before, growth) = (draft.heap_bytes(), draft.growth(piece.len()));
                if is_put { draft.put_slice(piece) } else { draft.take(piece) }
                prop_assert_eq!(draft.heap_bytes(), before + growth);
                rest = others;
                prop_assert!(draft.heap_bytes() <= whole.heap_bytes());
                if rest.is_empty() {
                    break;
                }
                // There is always a way on.
                if is_put && piece.is_empty() {
                    let (piece, others) = rest.split_at(1);
                    draft.take(piece);
                    rest = others;
                }
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert!(draft.is_full());
            let item = draft.finish(&lender);
            prop_assert_eq!((item.key(), item.head(), item.marks()), (&key[..], head, Marks::empty()));
            prop_assert!(item.value() == value);
            prop_assert_eq!(item.heap_bytes(), whole.heap_bytes());
            let lent = item.lend().unwrap();
            prop_assert_eq!(lender.bytes(), 0);
            drop(item);
            prop_assert_eq!((lender.bytes(), lent[..] == value), (whole.heap_bytes(), true));
        }
    }
}
