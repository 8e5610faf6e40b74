//! Values that are read where they are, while their items may be replaced or given up.
//!
//! A large item ends with a record of who has a share in its block: the item itself, and each reader that its value is
//! lent to. The last of them frees the block. What readers alone keep is counted by their lender, so that nothing is
//! held that nobody knows of.
//!
//! Invariants: the value of an item is not changed while it is lent; a block that its item has left is counted from
//! before that until it is freed.

#![allow(unsafe_code)]

use crate::block;
use std::mem::align_of;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering, fence};

/// Counts what readers keep of items that are gone; its copies count together.
#[derive(Clone, Debug, Default)]
pub struct Lender(Arc<AtomicUsize>);

impl Lender {
    /// What blocks take whose items are gone, in bytes.
    #[inline]
    pub fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// The record at the end of a block.
#[repr(C)]
pub(crate) struct Loan {
    /// The number of shares in the block.
    shares: AtomicUsize,
    lender: Lender,
}

/// Where the record stands in a block whose other parts take so many bytes; and what the block takes with it.
#[inline]
pub(crate) const fn place(bytes: usize) -> (usize, usize) {
    let at = bytes.next_multiple_of(align_of::<Loan>());
    (at, at + size_of::<Loan>())
}

impl Loan {
    /// The record of a block that only its item has a share in.
    pub(crate) fn new(lender: &Lender) -> Self {
        Loan { shares: AtomicUsize::new(1), lender: lender.clone() }
    }

    /// Whether others have a share beside the item, whose owner asks.
    #[inline]
    pub(crate) fn is_lent(&self) -> bool {
        // Whoever had a share has read the value before this.
        self.shares.load(Ordering::Acquire) > 1
    }

    /// Who counts what is lent.
    pub(crate) fn lender(&self) -> &Lender {
        &self.lender
    }
}

/// Takes the item's share from a block, as its owner, and frees it unless it is lent.
///
/// # Safety
/// The block was allocated for `len` bytes and has its record at `loan`. The item is not used again.
pub(crate) unsafe fn leave(block: NonNull<u8>, len: usize, loan: NonNull<Loan>) {
    // SAFETY: the record is there for as long as the item has its share; the rest is the caller's promise.
    unsafe {
        if loan.as_ref().is_lent() {
            loan.as_ref().lender.0.fetch_add(block::class(len), Ordering::Relaxed);
            give_back(block, len, loan);
        } else {
            loan.drop_in_place();
            block::free(block, len);
        }
    }
}

/// Gives a share back. The last one frees the block, which has been counted since its item left it.
///
/// # Safety
/// As for [`leave`], of a share.
unsafe fn give_back(block: NonNull<u8>, len: usize, loan: NonNull<Loan>) {
    // SAFETY: the record is there for as long as there are shares, and nobody else uses the block after the last one.
    unsafe {
        if (*loan.as_ptr()).shares.fetch_sub(1, Ordering::Release) > 1 {
            return;
        }
        // What others did with their shares comes before the block goes.
        fence(Ordering::Acquire);
        loan.as_ref().lender.0.fetch_sub(block::class(len), Ordering::Relaxed);
        loan.drop_in_place();
        block::free(block, len);
    }
}

/// A value that is lent: it stays as it is for as long as this is there.
pub struct Lent {
    value: NonNull<[u8]>,
    block: NonNull<u8>,
    /// What the block was allocated for, in bytes.
    block_len: usize,
    loan: NonNull<Loan>,
}

// SAFETY: it only reads, and its share keeps the block.
unsafe impl Send for Lent {}
// SAFETY: as above.
unsafe impl Sync for Lent {}

impl Lent {
    /// Takes another share in a block, beside that of the item.
    ///
    /// # Safety
    /// The block was allocated for `block_len` bytes, has its record at `loan`, and has the value in it. The item has its
    /// share now.
    pub(crate) unsafe fn new(
        value: NonNull<[u8]>,
        block: NonNull<u8>,
        block_len: usize,
        loan: NonNull<Loan>,
    ) -> Self {
        // SAFETY: the record is there, since the item has its share.
        unsafe { loan.as_ref() }.shares.fetch_add(1, Ordering::Relaxed);
        Lent { value, block, block_len, loan }
    }
}

impl Deref for Lent {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: the share keeps the block, and nobody changes the value meanwhile.
        unsafe { self.value.as_ref() }
    }
}

impl AsRef<[u8]> for Lent {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        // SAFETY: by the promise to `new`; the share is not used again.
        unsafe { give_back(self.block, self.block_len, self.loan) }
    }
}

impl std::fmt::Debug for Lent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lent").field("len", &self.len()).finish_non_exhaustive()
    }
}
