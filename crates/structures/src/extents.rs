//! Large blocks: whole pages of the system, given out and taken back by ourselves.
//!
//! An allocator that keeps blocks of one size together has to guess how many there will be. mimalloc takes four megabytes
//! for the first block of 100 KB, and four more for the first of 120: a cache of 64 MB whose values have 50 to 500 KB took
//! 120 MB from the system. Here a block takes its pages and nothing else. What becomes free stays at hand for the next
//! block as long as it is little; beyond that it is given back at once.
//!
//! Pages come from regions of address space that are asked for whole and never given up; what has not been written, or has
//! been given back, takes no memory. So holes between blocks cost nothing. They are counted by four kilobytes, the least page
//! that a system has; where its own are larger, of what is free only whole ones of those can be given back.
//!
//! Invariants: what is free and what is in use are apart and add up to the regions without their first pages, but for what
//! is being given back at the moment; what may hold memory ("dirty") is free. No two neighbouring runs of a list touch.
//!
//! Nothing here allocates large blocks by itself, under the lock or elsewhere: it would come here again.

#![allow(unsafe_code)]

use arrayvec::ArrayVec;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::ptr::{self, NonNull};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::block::{self, PAGE};

/// Most regions.
const REGIONS_MAX: usize = 1024;
/// What is asked of the system at once, in bytes of address space.
const REGION_BYTES: usize = 1 << 30;
/// Larger blocks are asked of the system and given back one by one.
pub(crate) const MAPPED_FROM: usize = REGION_BYTES / 4;
/// What may stay at hand in any case, in bytes.
const KEPT_BYTES: usize = 2 << 20;
/// What may stay at hand: one part in so many of what is in use.
const KEPT_SHARE: usize = 16;

/// Smaller blocks are zeroed by writing them, larger ones by giving back what they hold.
const WRITTEN_BELOW: usize = 256 << 10;
/// How many runs that are too short are looked at for what lies beside them.
const LOOKED_AT: usize = 8;

/// Large blocks of the process.
static EXTENTS: Extents = Extents::new();

/// Allocates a block that holds at least so many bytes, and says whether they are zero; nothing if the system has no more.
pub(crate) fn allocate(bytes: usize) -> Option<(NonNull<u8>, bool)> {
    EXTENTS.allocate(bytes)
}

/// Allocates a block that holds at least so many bytes, all of them zero; nothing if the system has no more.
pub(crate) fn allocate_zeroed(bytes: usize) -> Option<NonNull<u8>> {
    let (start, is_zero) = EXTENTS.allocate(bytes)?;
    if !is_zero {
        // SAFETY: the block is fresh, holds as many bytes, and nobody else has it.
        unsafe { zero(start, bytes) };
    }
    Some(start)
}

/// Frees a block of so many bytes.
///
/// # Safety
/// The block came from [`allocate`], or was resized by [`resize`], for as many bytes, and is not used again.
pub(crate) unsafe fn free(start: NonNull<u8>, bytes: usize) {
    // SAFETY: by the caller's promise.
    unsafe { EXTENTS.free(start, bytes) }
}

/// Makes a block larger or smaller where it is. Whether that could be done: else nothing has changed.
///
/// # Safety
/// As for [`free`] with `old` bytes, if it succeeds.
pub(crate) unsafe fn resize(start: NonNull<u8>, old: usize, new: usize) -> bool {
    // SAFETY: by the caller's promise.
    unsafe { EXTENTS.resize(start, old, new) }
}

/// Gives all memory back to the system that is at hand for other blocks.
pub(crate) fn give_back() {
    EXTENTS.give_back(EXTENTS.lock(), 0);
}

/// The system's page, in bytes.
fn system_page() -> usize {
    // SAFETY: it only asks.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(bytes).unwrap_or(PAGE).max(PAGE)
}

/// Has the system take back the memory of its own whole pages, which are zero then. Whether it has.
///
/// # Safety
/// The bytes are whole pages of the system, of a region, and nobody needs what is in them.
unsafe fn discard(start: NonNull<u8>, bytes: usize) -> bool {
    // SAFETY: by the caller's promise.
    unsafe { libc::madvise(start.as_ptr().cast(), bytes, libc::MADV_DONTNEED) == 0 }
}

/// Zeroes a block. What it holds may go: large blocks take memory only where they are written.
///
/// # Safety
/// The block is one of a region, of so many bytes, and nobody else uses it.
unsafe fn zero(start: NonNull<u8>, bytes: usize) {
    let page = system_page();
    let before = start.addr().get().next_multiple_of(page) - start.addr().get();
    let whole = bytes.saturating_sub(before) / page * page;
    // SAFETY: the parts lie in the block, and the middle is whole pages.
    unsafe {
        if bytes < WRITTEN_BELOW || !discard(start.add(before), whole) {
            start.write_bytes(0, bytes);
        } else {
            start.write_bytes(0, before);
            start.add(before + whole).write_bytes(0, bytes - before - whole);
        }
    }
}

/// Runs of pages, by their numbers; see the module.
#[derive(Debug)]
struct Runs {
    by_place: BTreeMap<usize, usize>,
    by_length: BTreeSet<(usize, usize)>,
    pages: usize,
}

impl Runs {
    const fn new() -> Self {
        Runs { by_place: BTreeMap::new(), by_length: BTreeSet::new(), pages: 0 }
    }

    /// Adds pages, none of which it has.
    fn add(&mut self, run: Range<usize>) {
        let Range { mut start, mut end } = run;
        self.pages += run.len();
        if let Some((&before, &length)) = self.by_place.range(..start).next_back()
            && before + length == start
        {
            self.by_length.remove(&(length, before));
            start = before;
        }
        if let Some(length) = self.by_place.remove(&end) {
            self.by_length.remove(&(length, end));
            end += length;
        }
        self.by_place.insert(start, end - start);
        self.by_length.insert((end - start, start));
    }

    /// Takes those of some pages out that it has; gives how many those were.
    fn take(&mut self, run: &Range<usize>) -> usize {
        let mut taken = 0;
        while let Some((&start, &length)) = self.by_place.range(..run.end).next_back() {
            let end = start + length;
            if end <= run.start {
                break;
            }
            self.by_place.remove(&start);
            self.by_length.remove(&(length, start));
            for rest in [start..run.start, run.end..end].into_iter().filter(|rest| !rest.is_empty()) {
                self.by_place.insert(rest.start, rest.len());
                self.by_length.insert((rest.len(), rest.start));
            }
            taken += end.min(run.end) - start.max(run.start);
        }
        self.pages -= taken;
        taken
    }

    /// The first pages of the shortest run that has so many.
    fn best(&self, pages: usize) -> Option<Range<usize>> {
        self.shortest(pages).map(|run| run.start..run.start + pages)
    }

    /// The run that has this page.
    fn around(&self, page: usize) -> Option<Range<usize>> {
        let (&start, &length) = self.by_place.range(..=page).next_back()?;
        Some(start..start + length).filter(|run| run.contains(&page))
    }

    /// Whether it has all of these pages.
    fn has(&self, run: &Range<usize>) -> bool {
        self.around(run.start).is_some_and(|around| run.end <= around.end)
    }

    /// The longest runs, the longest first.
    fn longest(&self) -> impl Iterator<Item = Range<usize>> {
        self.by_length.iter().rev().map(|&(length, start)| start..start + length)
    }

    /// The shortest run that has so many pages.
    fn shortest(&self, pages: usize) -> Option<Range<usize>> {
        self.by_length.range((pages, 0)..).next().map(|&(length, start)| start..start + length)
    }
}

/// Address space that the system has let us have.
#[derive(Debug)]
struct Region {
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: it owns its address space, which no thread is special to.
unsafe impl Send for Region {}

impl Region {
    /// Asks the system for address space.
    fn new(bytes: usize) -> Option<Self> {
        let (protection, flags) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping at a place of the system's choice concerns nobody else.
        let start =
            unsafe { libc::mmap(ptr::null_mut(), bytes, protection, flags | libc::MAP_NORESERVE, -1, 0) };
        if start == libc::MAP_FAILED {
            return None;
        }
        // What the system may join to large pages would come back whole where a part of it is written.
        // SAFETY: the mapping is ours. Not to be heard costs memory, nothing else.
        unsafe { libc::madvise(start, bytes, libc::MADV_NOHUGEPAGE) };
        NonNull::new(start.cast()).map(|start| Region { start, bytes })
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and whoever drops it uses it no more.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}

#[derive(Debug)]
struct State {
    regions: ArrayVec<Region, REGIONS_MAX>,
    free: Runs,
    /// What of that may hold memory.
    dirty: Runs,
    /// Pages in use.
    used: usize,
}

/// See the module.
#[derive(Debug)]
struct Extents(Mutex<State>);

/// So many bytes in pages.
fn pages(bytes: usize) -> usize {
    block::class(bytes) / PAGE
}

fn page_of(start: NonNull<u8>) -> usize {
    start.addr().get() / PAGE
}

impl State {
    /// Where a page begins.
    fn address(&self, page: usize) -> Option<NonNull<u8>> {
        let address = page * PAGE;
        let region = self.regions.iter().find(|region| {
            address.checked_sub(region.start.addr().get()).is_some_and(|offset| offset < region.bytes)
        })?;
        // SAFETY: the offset was just seen to lie in the region.
        Some(unsafe { region.start.add(address - region.start.addr().get()) })
    }

    /// Gets another region, with room for so many pages.
    fn grow(&mut self, pages: usize) -> Option<()> {
        if self.regions.is_full() {
            return None;
        }
        // The first page is nobody's, so that no run goes over the end of a region.
        let least = (pages + 1) * PAGE;
        // Where address space is short a part will do.
        let sizes = std::iter::successors(Some(REGION_BYTES), |bytes| Some(bytes / 2));
        let region = sizes.take_while(|bytes| *bytes >= least).find_map(Region::new)?;
        let first = page_of(region.start);
        self.free.add(first + 1..first + region.bytes / PAGE);
        self.regions.push(region);
        Some(())
    }

    /// Pages that may stay at hand.
    fn kept(&self) -> usize {
        (KEPT_BYTES / PAGE).max(self.used / KEPT_SHARE)
    }

    /// The pages for a block: such that hold memory already, as far as possible.
    fn choose(&self, pages: usize) -> Option<Range<usize>> {
        let part_dirty = || {
            self.dirty.longest().take(LOOKED_AT).find_map(|dirty| {
                let around = self.free.around(dirty.start).filter(|around| around.len() >= pages)?;
                let start = dirty.start.min(around.end - pages);
                Some(start..start + pages)
            })
        };
        self.dirty.best(pages).or_else(part_dirty).or_else(|| self.free.best(pages))
    }

    /// Takes pages for use; whether they are zero.
    fn take(&mut self, run: &Range<usize>) -> bool {
        self.free.take(run);
        self.used += run.len();
        self.dirty.take(run) == 0
    }

    /// Takes pages back that were in use.
    fn put(&mut self, run: Range<usize>) {
        self.used -= run.len();
        self.free.add(run.clone());
        self.dirty.add(run);
    }
}

impl Extents {
    const fn new() -> Self {
        Extents(Mutex::new(State {
            regions: ArrayVec::new_const(),
            free: Runs::new(),
            dirty: Runs::new(),
            used: 0,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn allocate(&self, bytes: usize) -> Option<(NonNull<u8>, bool)> {
        if bytes >= MAPPED_FROM {
            let region = Region::new(bytes)?;
            let start = region.start;
            std::mem::forget(region);
            return Some((start, true));
        }
        let mut state = self.lock();
        let pages = pages(bytes);
        let run = match state.choose(pages) {
            Some(run) => run,
            None => {
                state.grow(pages)?;
                state.free.best(pages)?
            }
        };
        let start = state.address(run.start)?;
        Some((start, state.take(&run)))
    }

    /// # Safety
    /// As for [`free`].
    unsafe fn free(&self, start: NonNull<u8>, bytes: usize) {
        if bytes >= MAPPED_FROM {
            drop(Region { start, bytes });
            return;
        }
        let mut state = self.lock();
        let first = page_of(start);
        state.put(first..first + pages(bytes));
        self.keep_little(state);
    }

    /// # Safety
    /// As for [`resize`].
    unsafe fn resize(&self, start: NonNull<u8>, old: usize, new: usize) -> bool {
        if old.max(new) >= MAPPED_FROM {
            return false;
        }
        let mut state = self.lock();
        let first = page_of(start);
        let (old, new) = (first + pages(old), first + pages(new));
        if new > old {
            let more = old..new;
            let has = state.free.has(&more);
            if has {
                state.take(&more);
            }
            return has;
        }
        if new < old {
            state.put(new..old);
            self.keep_little(state);
        }
        true
    }

    /// Gives memory back if more is at hand than may be.
    fn keep_little(&self, state: MutexGuard<'_, State>) {
        let kept = state.kept();
        if state.dirty.pages > kept {
            self.give_back(state, kept - kept / 8);
        }
    }

    /// Gives memory back to the system until no more than so many pages are at hand, or no whole pages of the system.
    fn give_back<'a>(&'a self, mut state: MutexGuard<'a, State>, kept: usize) {
        let whole = system_page() / PAGE;
        // As long as this a run has a whole page of the system wherever it begins.
        let least = 2 * whole - 1;
        while let Some(excess) = state.dirty.pages.checked_sub(kept).filter(|excess| *excess > 0)
            && let Some(run) = state.dirty.shortest(least)
        {
            let end = run.end.min(run.start + excess.max(least));
            let run = run.start.next_multiple_of(whole)..end / whole * whole;
            let Some(start) = state.address(run.start) else { return };
            state.dirty.take(&run);
            // Nobody gets these pages meanwhile.
            state.free.take(&run);
            drop(state);
            // SAFETY: the pages are whole ones of the system, free, and out of the list of those.
            let is_done = unsafe { discard(start, run.len() * PAGE) };
            state = self.lock();
            state.free.add(run.clone());
            if !is_done {
                state.dirty.add(run);
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    impl Runs {
        fn check_invariants(&self) {
            let by_length = self.by_place.iter().map(|(&start, &length)| (length, start));
            assert_eq!(by_length.collect::<BTreeSet<_>>(), self.by_length);
            assert_eq!(self.by_place.values().sum::<usize>(), self.pages);
            let touching = |((start, length), (next, _)): (_, _)| start + length >= next;
            let runs = || self.by_place.iter().map(|(&start, &length)| (start, length));
            assert!(!runs().zip(runs().skip(1)).any(touching), "{:?}", self.by_place);
        }
    }

    impl Extents {
        fn check_invariants(&self) {
            let state = self.lock();
            state.free.check_invariants();
            state.dirty.check_invariants();
            assert!(state.dirty.longest().all(|dirty| state.free.has(&dirty)));
            let pages = state.regions.iter().map(|region| region.bytes / PAGE - 1);
            assert_eq!(pages.sum::<usize>(), state.free.pages + state.used);
        }

        fn at_hand(&self) -> usize {
            self.lock().dirty.pages * PAGE
        }

        fn used_bytes(&self) -> usize {
            self.lock().used * PAGE
        }
    }

    /// A block that is full of one byte.
    struct Filled {
        start: NonNull<u8>,
        bytes: usize,
        byte: u8,
    }

    impl Filled {
        fn new(extents: &Extents, bytes: usize, byte: u8) -> Self {
            let (start, is_zero) = extents.allocate(bytes).unwrap();
            let mut block = Filled { start, bytes, byte: 0 };
            assert!(!is_zero || block.is_whole(bytes), "said to be zero");
            block.fill(byte);
            block
        }

        fn fill(&mut self, byte: u8) {
            self.byte = byte;
            // SAFETY: the block holds as many bytes.
            unsafe { self.start.write_bytes(byte, self.bytes) };
        }

        /// Whether its first bytes are what they should be.
        fn is_whole(&self, bytes: usize) -> bool {
            // SAFETY: the block holds as many bytes, and was written or is new.
            let bytes = unsafe { std::slice::from_raw_parts(self.start.as_ptr(), bytes.min(self.bytes)) };
            bytes.iter().all(|byte| *byte == self.byte)
        }

        fn free(self, extents: &Extents) {
            assert!(self.is_whole(self.bytes));
            // SAFETY: it was allocated or resized for as many bytes, and is gone.
            unsafe { extents.free(self.start, self.bytes) };
        }

        fn resize(&mut self, extents: &Extents, bytes: usize) -> bool {
            let old = self.bytes;
            // SAFETY: as for `free`.
            let is_done = unsafe { extents.resize(self.start, old, bytes) };
            if is_done {
                self.bytes = bytes;
                assert!(self.is_whole(old));
                self.fill(self.byte);
            }
            is_done
        }
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Allocate(usize),
        Free(usize),
        Resize(usize, usize),
        GiveBack,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let bytes = || prop_oneof![9 => 16_385..300_000_usize, 1 => 300_000..4_000_000_usize];
        let step = prop_oneof![
            8 => bytes().prop_map(Step::Allocate),
            6 => any::<usize>().prop_map(Step::Free),
            4 => (any::<usize>(), bytes()).prop_map(|(which, bytes)| Step::Resize(which, bytes)),
            1 => Just(Step::GiveBack),
        ];
        proptest::collection::vec(step, 1..60)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn blocks_are_apart_and_keep_what_is_written(steps in steps()) {
            let extents = Extents::new();
            let mut blocks: Vec<Filled> = Vec::new();
            for (number, step) in steps.into_iter().enumerate() {
                let place = |which: usize| (!blocks.is_empty()).then(|| which % blocks.len());
                match step {
                    Step::Allocate(bytes) => blocks.push(Filled::new(&extents, bytes, number as u8 | 1)),
                    Step::Free(which) => {
                        if let Some(at) = place(which) {
                            blocks.swap_remove(at).free(&extents);
                        }
                    }
                    Step::Resize(which, bytes) => {
                        if let Some(at) = place(which) {
                            let old = blocks[at].bytes;
                            let is_done = blocks[at].resize(&extents, bytes);
                            prop_assert!(is_done || bytes > old, "to make one smaller is no matter of room");
                        }
                    }
                    Step::GiveBack => {
                        extents.give_back(extents.lock(), 0);
                        prop_assert_eq!(extents.at_hand(), 0);
                    }
                }
                extents.check_invariants();
                prop_assert!(extents.at_hand() <= KEPT_BYTES.max(extents.used_bytes() / KEPT_SHARE));
            }
            blocks.into_iter().for_each(|block| block.free(&extents));
            extents.check_invariants();
            prop_assert_eq!(extents.used_bytes(), 0);
        }
    }

    #[test]
    fn blocks_take_what_is_accounted() {
        let extents = Extents::new();
        let mut bytes = block::SMALL_MAX + 1;
        while bytes < 3_000_000 {
            let block = Filled::new(&extents, bytes, 1);
            assert_eq!(extents.used_bytes(), block::class(bytes));
            block.free(&extents);
            bytes = block::class(bytes) + 1;
        }
    }

    #[test]
    fn little_stays_at_hand() {
        let extents = Extents::new();
        let blocks: Vec<_> = (0..200).map(|_| Filled::new(&extents, 1 << 20, 7)).collect();
        for block in blocks {
            block.free(&extents);
            assert!(extents.at_hand() <= KEPT_BYTES.max(extents.used_bytes() / KEPT_SHARE));
        }
        assert!(extents.at_hand() > 0, "it is taken again without asking the system");
        extents.check_invariants();
    }

    #[test]
    fn what_is_at_hand_is_taken_first() {
        let extents = Extents::new();
        // Two that go, each between two that stay.
        let [mut large, _first, small, _second] =
            [200_000, 20_000, 100_000, 20_000].map(|bytes| Filled::new(&extents, bytes, 3));
        let (large_start, small_start) = (large.start, small.start);
        small.free(&extents);
        extents.give_back(extents.lock(), 0);
        large.free(&extents);
        // The hole that fits holds nothing; the other one does.
        large = Filled::new(&extents, 100_000, 4);
        assert_eq!(large.start, large_start);
        large.free(&extents);
        extents.give_back(extents.lock(), 0);
        assert_eq!(
            Filled::new(&extents, 100_000, 5).start,
            small_start,
            "nothing is at hand, so it is what fits"
        );
    }

    #[test]
    fn part_of_what_is_taken_may_be_at_hand() {
        let extents = Extents::new();
        let [first, second, _third] = [100_000, 100_000, 20_000].map(|bytes| Filled::new(&extents, bytes, 3));
        let start = first.start;
        first.free(&extents);
        extents.give_back(extents.lock(), 0);
        second.free(&extents);
        // The end of the hole is at hand, and is taken whole, with as much of the beginning as is needed.
        let both = Filled::new(&extents, 140_000, 4);
        let hole = 2 * block::class(100_000);
        assert_eq!(both.start.addr().get() - start.addr().get(), hole - block::class(140_000));
        assert_eq!(extents.at_hand(), 0);
    }

    #[test]
    fn what_a_block_gives_up_stays_at_hand_as_far_as_it_is_little() {
        let extents = Extents::new();
        let mut block = Filled::new(&extents, 20 << 20, 3);
        assert!(block.resize(&extents, 20_000));
        assert!(extents.at_hand() <= KEPT_BYTES);
        block.free(&extents);
        extents.check_invariants();
    }

    #[test]
    fn the_largest_are_mapped_by_themselves() {
        let extents = Extents::new();
        let mut block = Filled::new(&extents, 10, 1);
        block.free(&extents);
        let (start, is_zero) = extents.allocate(MAPPED_FROM).unwrap();
        assert!(is_zero);
        block = Filled { start, bytes: MAPPED_FROM, byte: 0 };
        assert!(!block.resize(&extents, MAPPED_FROM + 1));
        // SAFETY: the first and the last byte are the block's.
        unsafe {
            start.write(1);
            start.add(MAPPED_FROM - 1).write(1);
            extents.free(start, MAPPED_FROM);
        }
        assert_eq!(extents.used_bytes(), 0);
    }

    #[test]
    fn another_region_is_asked_for_when_one_is_full() {
        let extents = Extents::new();
        let bytes = MAPPED_FROM - 1;
        let blocks: Vec<_> = (0..5).map(|_| extents.allocate(bytes).unwrap()).collect();
        assert_eq!(extents.lock().regions.len(), 2);
        for (start, _) in blocks {
            // SAFETY: each was allocated for as many bytes, and is used no more.
            unsafe { extents.free(start, bytes) };
        }
        extents.check_invariants();
    }

    #[test]
    fn threads_get_blocks_of_their_own() {
        let extents = Extents::new();
        std::thread::scope(|scope| {
            for thread in 1..=4 {
                let extents = &extents;
                scope.spawn(move || {
                    let mut blocks = Vec::new();
                    for round in 0..300_usize {
                        blocks.push(Filled::new(extents, 40_000 + round * 7_919 % 200_000, thread));
                        if round % 3 > 0 {
                            blocks.swap_remove(round * 31 % blocks.len()).free(extents);
                        }
                    }
                    blocks.into_iter().for_each(|block| block.free(extents));
                });
            }
        });
        extents.check_invariants();
        assert_eq!(extents.used_bytes(), 0);
    }
}
