//! Heap blocks in whole size classes.
//!
//! A packed value grows and shrinks by bytes; the allocator works in size classes. Blocks here are always
//! requested in whole classes, so that growth inside a class is free, nobody has to remember a capacity (it
//! follows from the length), and accounting adds up what the allocator really hands out.
//!
//! Invariant: a block allocated for `len` bytes is freed or resized with a `len` of the same class.
//!
//! The classes are those that mimalloc and jemalloc share: multiples of 16 up to 64, then four per doubling. Blocks of more
//! than 16 KB take pages of the system (see `extents`): whole pages up to 128 KB, then sixteen classes per doubling.

#![allow(unsafe_code)]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error, realloc};
use std::ffi::c_void;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};

unsafe extern "C" {
    /// The page of a block; null if the block is not mimalloc's.
    fn _mi_safe_ptr_page(block: *const c_void) -> *const Page;
}

/// How mimalloc's record of a page begins. Other threads may change the counts at any moment.
#[repr(C)]
struct Page {
    _thread: *const c_void,
    _free: *const c_void,
    used: AtomicU16,
    capacity: AtomicU16,
    reserved: AtomicU16,
}

/// Larger blocks are whole pages of the system; see [`crate::extents`].
pub(crate) const SMALL_MAX: usize = 16 * 1024;
/// The least page that a system has.
pub(crate) const PAGE: usize = 4096;

/// Alignment of every block; the low four bits of a block's address are free for tags.
pub(crate) const ALIGN: usize = 16;

/// The number of bytes that the allocator takes for a request of `len` bytes.
#[inline]
pub const fn class(len: usize) -> usize {
    if len <= 64 {
        if len == 0 { ALIGN } else { (len + ALIGN - 1) & !(ALIGN - 1) }
    } else {
        let doubling = usize::BITS - 1 - (len - 1).leading_zeros();
        let step = if len <= SMALL_MAX {
            1 << (doubling - 2)
        } else if doubling <= 16 {
            PAGE
        } else {
            1 << (doubling - 4)
        };
        (len + step - 1) & !(step - 1)
    }
}

#[inline]
fn layout(len: usize) -> Layout {
    let size = class(len);
    debug_assert!(size <= isize::MAX as usize - ALIGN);
    // SAFETY: ALIGN is a power of two, and no caller holds anywhere near isize::MAX bytes.
    unsafe { Layout::from_size_align_unchecked(size, ALIGN) }
}

/// Allocates a block that holds at least `len` bytes; its contents are uninitialised.
#[inline]
pub(crate) fn allocate(len: usize) -> NonNull<u8> {
    let layout = layout(len);
    // SAFETY: the layout's size is never zero.
    let block = unsafe { alloc(layout) };
    NonNull::new(block).unwrap_or_else(|| handle_alloc_error(layout))
}

/// Allocates a block for these bytes, with them in it.
#[inline]
pub(crate) fn copy_of(bytes: &[u8]) -> NonNull<u8> {
    let block = allocate(bytes.len());
    // SAFETY: the block is fresh and holds as many bytes.
    unsafe { block.as_ptr().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
    block
}

/// Frees a block.
///
/// # Safety
/// `block` came from [`allocate`] or [`resize`] for a length of the same class as `len`, and is not used again.
#[inline]
pub(crate) unsafe fn free(block: NonNull<u8>, len: usize) {
    // SAFETY: by the caller's promise the layout is the one the block was allocated with.
    unsafe { dealloc(block.as_ptr(), layout(len)) }
}

/// Makes a block of `old` bytes hold `new` bytes, keeping its first `min(old, new)`; it may move.
///
/// # Safety
/// As for [`free`] with `len == old`.
#[inline]
pub(crate) unsafe fn resize(block: NonNull<u8>, old: usize, new: usize) -> NonNull<u8> {
    let (old, new) = (layout(old), layout(new));
    if old == new {
        return block;
    }
    // SAFETY: by the caller's promise `old` is the block's layout; the new size is not zero.
    let moved = unsafe { realloc(block.as_ptr(), old, new.size()) };
    NonNull::new(moved).unwrap_or_else(|| handle_alloc_error(new))
}

/// How many blocks there are in the page of the allocator that a block lies in, and how many it holds: a guess, since other
/// threads may be taking blocks from that page or giving them back, and those that they have given back count until the page
/// is next looked after. A page that is being filled for the first time counts as full. Nothing for large blocks, which have
/// no page in common with others.
#[inline]
pub(crate) fn neighbours(block: NonNull<u8>) -> Option<(usize, usize)> {
    // SAFETY: any address may be asked for. The record of a page is there for as long as a block of it, and whoever asks has
    // the block. Its counts are words that change at once: any value that they have had will do for a guess.
    let page = unsafe { _mi_safe_ptr_page(block.as_ptr().cast()).as_ref() }?;
    let count = |count: &AtomicU16| usize::from(count.load(Relaxed));
    let (used, capacity, reserved) = (count(&page.used).max(1), count(&page.capacity), count(&page.reserved));
    Some((used, if capacity < reserved { used } else { capacity.max(used) }))
}

/// Whether two blocks lie in one page of the allocator.
#[inline]
pub(crate) fn share_page(one: NonNull<u8>, other: NonNull<u8>) -> bool {
    // SAFETY: as in `neighbours`; nothing is read of the records.
    let [one, other] = [one, other].map(|block| unsafe { _mi_safe_ptr_page(block.as_ptr().cast()) });
    !one.is_null() && ptr::eq(one, other)
}

/// Whether a block lies in a page of the allocator that is used to no more than so many percent.
#[inline]
pub(crate) fn is_in_sparse_page(block: NonNull<u8>, percent: usize) -> bool {
    neighbours(block).is_some_and(|(used, capacity)| used * 100 <= percent * capacity)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_monotonic_and_hold_what_is_asked() {
        let mut last = 0;
        for len in 1..200_000 {
            let class = class(len);
            assert!(class >= len && class >= last, "{len} -> {class}");
            assert_eq!(super::class(class), class, "a class is its own class");
            last = class;
        }
    }

    #[test]
    fn classes_at_the_known_edges() {
        for (len, want) in
            [(0, 16), (1, 16), (17, 32), (54, 64), (65, 80), (129, 160), (1025, 1280), (4097, 5120)]
        {
            assert_eq!(class(len), want);
        }
    }

    #[test]
    fn resize_keeps_contents() {
        let block = allocate(10);
        // SAFETY: the block holds ten bytes, then a hundred, and is freed with its last length.
        unsafe {
            block.as_ptr().copy_from(b"0123456789".as_ptr(), 10);
            let block = resize(block, 10, 100);
            assert_eq!(std::slice::from_raw_parts(block.as_ptr(), 10), b"0123456789");
            free(block, 100);
        }
    }
}
