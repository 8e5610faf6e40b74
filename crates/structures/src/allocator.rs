//! The allocator of the program: mimalloc, asked in the way that wastes nothing, for blocks of up to 16 KB; larger ones are
//! pages of the system (see `extents`).
//!
//! Measured against jemalloc: fewer instructions for the small blocks of entries, in the same size classes. What the
//! `mimalloc` crate asks for names an alignment each time. From version 3 on mimalloc then looks for it in a block of
//! the next size class, unless it has one at hand whose size is a power of two; of 224 bytes it made 256 so, of 1,280
//! bytes 1,536. Any block is aligned to sixteen bytes anyway.

#![allow(unsafe_code)]

use libmimalloc_sys::{
    mi_free, mi_malloc, mi_malloc_aligned, mi_realloc, mi_realloc_aligned, mi_zalloc, mi_zalloc_aligned,
};
use std::alloc::{GlobalAlloc, Layout};
use std::ffi::{c_int, c_long};
use std::ptr::{self, NonNull};

use crate::block::{self, PAGE};
use crate::extents;

/// Blocks of at least so many bytes are aligned to as many without being asked; smaller ones to their size.
const ALIGN: usize = 16;

/// The allocator; see the module.
#[derive(Clone, Copy, Debug, Default)]
pub struct Allocator;

unsafe extern "C" {
    fn mi_option_set(option: c_int, value: c_long);
    fn mi_collect(force: bool);
}

/// The number of mimalloc's option for how long pages that are free are kept, in ms.
const PURGE_DELAY: c_int = 15;

/// The number of its option for who takes a page up that was full and has lost a block.
const RECLAIM_ON_FREE: c_int = 35;

/// Has pages that were full and have lost blocks taken up by whichever thread needs one of their size next, rather than by
/// the one that filled them: in a cache whose threads evict what others have stored they stay fuller. To free a block in
/// such a page takes somewhat longer.
pub fn share_pages() {
    // SAFETY: any value of an option will do, at any time.
    unsafe { mi_option_set(RECLAIM_ON_FREE, -1) }
}

/// Has pages that have been free for so many ms given back to the system, when others become free after that; otherwise
/// after a second.
pub fn give_back_after(ms: u16) {
    // SAFETY: any value of an option will do, at any time.
    unsafe { mi_option_set(PURGE_DELAY, c_long::from(ms)) }
}

/// Gives pages back to the system that are free now, without waiting for others to become free. What other threads keep for
/// their next blocks stays.
pub fn give_back() {
    give_back_small();
    extents::give_back();
}

/// As [`give_back`], of what small blocks have left.
pub fn give_back_small() {
    // SAFETY: it frees nothing that is in use, and may be called by any thread at any time.
    unsafe { mi_collect(true) }
}

/// Gives pages back to the system that small blocks have left and that have been free for as long as they are kept; see
/// [`give_back_after`].
pub fn give_back_unused() {
    // SAFETY: it frees nothing that is in use, and may be called by any thread at any time.
    unsafe { mi_collect(false) }
}

/// Whether blocks of so many bytes take pages of their own: others cannot have their places.
#[inline]
pub const fn is_large(bytes: usize) -> bool {
    bytes > block::SMALL_MAX
}

/// Who has a block of this layout.
enum Keeper {
    /// mimalloc, which aligns it by itself.
    Plain,
    /// mimalloc, which is asked for the alignment.
    Aligned,
    /// [`crate::extents`].
    Pages,
}

#[inline]
fn keeper(layout: Layout) -> Keeper {
    let (bytes, align) = (layout.size(), layout.align());
    if is_large(bytes) && align <= PAGE {
        Keeper::Pages
    } else if align <= ALIGN && align <= bytes {
        Keeper::Plain
    } else {
        Keeper::Aligned
    }
}

/// A block as those who ask an allocator want it.
fn start(block: Option<NonNull<u8>>) -> *mut u8 {
    block.map_or(ptr::null_mut(), NonNull::as_ptr)
}

// SAFETY: mimalloc and the extents give blocks of at least the size and alignment that they are asked for, or null, and
// every block goes back to whom its layout names, whichever function gave it. What is not asked for is there: see `keeper`.
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let (bytes, align) = (layout.size(), layout.align());
        // SAFETY: any size will do, and any alignment of a layout.
        unsafe {
            match keeper(layout) {
                Keeper::Plain => mi_malloc(bytes).cast(),
                Keeper::Aligned => mi_malloc_aligned(bytes, align).cast(),
                Keeper::Pages => start(extents::allocate(bytes).map(|(start, _)| start)),
            }
        }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let (bytes, align) = (layout.size(), layout.align());
        // SAFETY: any size will do, and any alignment of a layout.
        unsafe {
            match keeper(layout) {
                Keeper::Plain => mi_zalloc(bytes).cast(),
                Keeper::Aligned => mi_zalloc_aligned(bytes, align).cast(),
                Keeper::Pages => start(extents::allocate_zeroed(bytes)),
            }
        }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: by the caller's promise the block came from here, for this layout, and is not used again.
        unsafe {
            match (keeper(layout), NonNull::new(block)) {
                (Keeper::Pages, Some(block)) => extents::free(block, layout.size()),
                _ => mi_free(block.cast()),
            }
        }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        let align = layout.align();
        // SAFETY: by the caller's promise the block came from here, and the new size does not overflow with the alignment.
        // It is aligned, so it may stay where it is.
        unsafe {
            let new = Layout::from_size_align_unchecked(bytes, align);
            match (keeper(layout), keeper(new)) {
                (Keeper::Pages, _) | (_, Keeper::Pages) => self.change(block, layout, new),
                (_, Keeper::Plain) => mi_realloc(block.cast(), bytes).cast(),
                (_, Keeper::Aligned) => mi_realloc_aligned(block.cast(), bytes, align).cast(),
            }
        }
    }
}

impl Allocator {
    /// Resizes a block that is large before or after that.
    ///
    /// # Safety
    /// As for [`GlobalAlloc::realloc`].
    #[cold]
    unsafe fn change(&self, block: *mut u8, old: Layout, new: Layout) -> *mut u8 {
        // SAFETY: by the caller's promise. Both blocks hold what is copied, and the old one is freed if it has moved.
        unsafe {
            if let (Keeper::Pages, Keeper::Pages, Some(start)) =
                (keeper(old), keeper(new), NonNull::new(block))
                && extents::resize(start, old.size(), new.size())
            {
                return block;
            }
            let moved = self.alloc(new);
            if !moved.is_null() {
                moved.copy_from_nonoverlapping(block, old.size().min(new.size()));
                self.dealloc(block, old);
            }
            moved
        }
    }
}

#[cfg(test)]
#[cfg(not(miri))]
mod tests {
    use super::*;
    use crate::block;

    unsafe extern "C" {
        fn mi_usable_size(block: *const std::ffi::c_void) -> usize;
        fn mi_option_get(option: c_int) -> c_long;
    }

    /// Allocates many blocks at once, so that both what is at hand and what is fetched are seen; gives the most that any
    /// of them takes.
    fn most_bytes(layout: Layout) -> usize {
        // SAFETY: the layouts are not of size zero; all blocks are freed once, with the layout of their allocation.
        unsafe {
            let blocks: Vec<*mut u8> = (0..70).map(|_| Allocator.alloc(layout)).collect();
            let taken = blocks.iter().map(|block| mi_usable_size(block.cast_const().cast())).max();
            for block in blocks {
                assert!(!block.is_null() && block.addr() % layout.align() == 0, "{layout:?} at {block:?}");
                Allocator.dealloc(block, layout);
            }
            taken.unwrap_or(0)
        }
    }

    #[test]
    fn the_options_are_those_that_are_meant() {
        // SAFETY: it only reads. A second is what no other option has from the beginning; 0, 2 and 4 in a row is what no
        // others have.
        let option = |number| unsafe { mi_option_get(number) };
        assert_eq!(option(PURGE_DELAY), 1000);
        give_back_after(100);
        assert_eq!(option(PURGE_DELAY), 100);
        assert_eq!([0, 1, 2].map(|next| option(RECLAIM_ON_FREE + next)), [0, 2, 4]);
        share_pages();
        assert_eq!(option(RECLAIM_ON_FREE), -1);
    }

    /// The counts of a page are read where mimalloc has them.
    #[test]
    fn the_neighbours_of_a_block_are_counted() {
        let layout = Layout::from_size_align(3072, 16).unwrap();
        // SAFETY: the layout is not of size zero; all blocks are freed once, with it.
        unsafe {
            let blocks: Vec<_> = (0..200).map(|_| NonNull::new(Allocator.alloc(layout)).unwrap()).collect();
            let full: Vec<_> =
                blocks.iter().filter(|block| block::neighbours(**block) == Some((21, 21))).collect();
            assert!(full.len() > 150, "21 of them fill 64 KB: {}", full.len());
            let page = |block: &NonNull<u8>| block.addr().get() >> 16;
            let (one, others) = full.split_first().unwrap();
            let others: Vec<_> = others.iter().filter(|other| page(other) == page(one)).collect();
            assert_eq!(others.len(), 20);
            for (number, other) in others.iter().enumerate() {
                assert!(block::share_page(**one, ***other));
                Allocator.dealloc(other.as_ptr(), layout);
                assert_eq!(block::neighbours(**one), Some((20 - number, 21)));
            }
            assert!(block::is_in_sparse_page(**one, 5));
            let gone = |block: &NonNull<u8>| page(block) == page(one) && block != *one;
            for block in blocks.iter().filter(|block| !gone(block)) {
                Allocator.dealloc(block.as_ptr(), layout);
            }
        }
    }

    #[test]
    fn blocks_take_what_is_accounted() {
        let mut bytes = 16;
        while bytes <= block::SMALL_MAX {
            for asked in [bytes - 7, bytes] {
                let layout = Layout::from_size_align(asked, if asked == bytes { 16 } else { 8 }).unwrap();
                assert_eq!(most_bytes(layout), block::class(asked), "{layout:?}");
            }
            bytes = block::class(bytes + 1);
        }
    }

    #[test]
    fn what_is_asked_to_be_zero_is_zero_also_where_something_was() {
        for (bytes, align) in [(100, 8), (100, 128), (40_000, 8), (500_001, PAGE), (40_000, 4 * PAGE)] {
            let layout = Layout::from_size_align(bytes, align).unwrap();
            for _ in 0..3 {
                // SAFETY: the block holds as many bytes and is freed with its layout.
                unsafe {
                    let block = Allocator.alloc_zeroed(layout);
                    assert_eq!(block.addr() % align, 0);
                    assert!(std::slice::from_raw_parts(block, bytes).iter().all(|byte| *byte == 0));
                    block.write_bytes(7, bytes);
                    Allocator.dealloc(block, layout);
                }
            }
        }
    }

    #[test]
    fn every_alignment_is_given() {
        for shift in 0..13 {
            for bytes in [1, 7, 8, 9, 24, 48, 100, 3000] {
                let layout = Layout::from_size_align(bytes, 1 << shift).unwrap();
                assert!(most_bytes(layout) >= bytes);
            }
        }
    }

    /// Blocks grow and shrink, with whom they are kept by changing on the way.
    #[test]
    fn blocks_keep_their_contents_when_they_are_resized() {
        let byte = |at: usize| (at % 251) as u8;
        for align in [8, 16, 64, PAGE, 4 * PAGE] {
            let mut layout = Layout::from_size_align(24, align).unwrap();
            // SAFETY: the block is written and read within its size, and freed with its last layout.
            unsafe {
                let mut block = Allocator.alloc_zeroed(layout);
                (0..24).for_each(|at| block.add(at).write(byte(at)));
                let edge = extents::MAPPED_FROM;
                for bytes in
                    [30, 224, 1280, 100_000, 120_000, 40_000, 16_385, 16_384, 700_000, edge - 1, edge, 40]
                {
                    block = Allocator.realloc(block, layout, bytes);
                    assert_eq!(block.addr() % align, 0);
                    let held = std::slice::from_raw_parts(block, bytes.min(layout.size()).min(700_000));
                    assert!(held.iter().enumerate().all(|(at, held)| *held == byte(at)), "{align} {bytes}");
                    (held.len()..bytes.min(700_000)).for_each(|at| block.add(at).write(byte(at)));
                    layout = Layout::from_size_align(bytes, align).unwrap();
                }
                Allocator.dealloc(block, layout);
            }
        }
    }
}
