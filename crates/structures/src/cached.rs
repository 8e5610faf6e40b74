//! An item of a memcached cache: a key with its value and all that belongs to it, in one block.
//!
//! ```text
//! key length: u8 | marks: u8 | accessed: u32 | cas: 48 bits | flags: u32, if marked | expires: u32, if marked
//! | length | key | value | who has a share in the block, if the value is large
//! ```
//!
//! Invariants: the block's class follows from its contents; optional parts are there if the marks say so. A large value may
//! be lent to readers (see [`crate::lent`]), which keep the block when the item is gone.
//!
//! Not here: what the times mean, and who may read or replace an item.

#![allow(unsafe_code)]

use crate::block;
use crate::length;
use crate::lent::{self, Lender, Lent, Loan};
use crate::table::{Item, Kept};
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

mod draft;

pub use draft::Draft;

/// Longest key, in bytes.
pub const KEY_MAX: usize = 250;
/// Bits of a cas id; those above are dropped.
pub const CAS_BITS: u32 = 48;

const MARKS: usize = 1;
const ACCESSED: usize = 2;
const CAS: usize = 6;
const FIXED: usize = 12;
const WORD: usize = 4;

const HAS_FLAGS: u8 = 1 << 0;
const EXPIRES: u8 = 1 << 1;
const FORM: u8 = HAS_FLAGS | EXPIRES;

bitflags::bitflags! {
    /// What has happened to an item.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Marks: u8 {
        /// It has been read.
        const FETCHED = 1 << 2;
        /// Its value is out of date.
        const STALE = 1 << 3;
        /// Somebody has been told to make the value anew.
        const WON = 1 << 4;
        /// The key is no text: it is shown as base64.
        const BINARY_KEY = 1 << 5;
    }
}

/// Pages are sparse where so much lies idle, in percent of their blocks.
const SPARSE: usize = 90;
/// The blocks of a page are its last where it is used to so many percent or less.
const LAST: usize = 12;
/// Most that counts as idle on account of one block, in percent of it: a page of which one block is left would outweigh all
/// others.
const IDLE_MAX: usize = 2_400;
/// Larger items than so many bytes do not move. A page holds few of them, and which of those are the last changes with every
/// item that goes.
const MOVED_MAX: usize = 512;

/// Values of at least so many bytes are lent; to copy smaller ones costs less than to count who has them.
pub const LENT_FROM: usize = 16 << 10;

/// How often an item was used lately: the highest count.
pub const USES_MAX: u8 = 3;
const USES_SHIFT: u32 = 6;

/// What belongs to an item beside its key and its value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// What the client keeps beside the value.
    pub flags: u32,
    /// When it expires, in a unit of the owner's; zero for never.
    pub expires: u32,
    /// What it is for a later change that depends on it.
    pub cas: u64,
    /// When it was used last, in a unit of the owner's.
    pub accessed: u32,
}

/// What lies idle in a page of the allocator on account of one of its blocks: an estimate.
#[derive(Clone, Copy, Debug)]
pub struct Idle {
    /// In bytes.
    pub bytes: usize,
    /// Whether the page is sparse.
    pub is_sparse: bool,
    /// Whether the block is small and one of the last in its page.
    pub is_last: bool,
}

/// An item; see the module.
pub struct Cached(NonNull<u8>);

// SAFETY: an item owns its block.
unsafe impl Send for Cached {}
// SAFETY: shared access only reads.
unsafe impl Sync for Cached {}

/// Changes of what an item has in its head.
impl Kept<'_, Cached> {
    /// Says when it was used last. Nothing is written where nothing changes, for the same reason as in the table.
    #[inline]
    pub fn set_accessed(&mut self, accessed: u32) {
        if self.accessed() != accessed {
            self.item_mut().set_accessed(accessed);
        }
    }

    /// Says what has happened to it; see [`Kept::set_accessed`].
    #[inline]
    pub fn set_marks(&mut self, marks: Marks) {
        if self.marks() != marks {
            self.item_mut().set_marks(marks);
        }
    }

    /// Says how often it was used lately; see [`Kept::set_accessed`].
    #[inline]
    pub fn set_uses(&mut self, uses: u8) {
        if self.uses() != uses {
            self.item_mut().set_uses(uses);
        }
    }
}

// SAFETY: it is a thin pointer to a block of the allocator.
unsafe impl Item for Cached {
    #[inline]
    fn into_raw(self) -> NonNull<u8> {
        ManuallyDrop::new(self).0
    }

    #[inline]
    unsafe fn from_raw(raw: NonNull<u8>) -> Self {
        Cached(raw)
    }

    #[inline]
    fn key(&self) -> &[u8] {
        let (_, place) = self.value_len();
        // SAFETY: the key stands behind the length.
        unsafe { std::slice::from_raw_parts(place, self.key_len()) }
    }
}

/// The marks that say which parts there are.
#[inline]
fn form(head: &Head) -> u8 {
    let flags = if head.flags == 0 { 0 } else { HAS_FLAGS };
    flags | if head.expires == 0 { 0 } else { EXPIRES }
}

/// The length of the optional parts.
#[inline]
fn optional(marks: u8) -> usize {
    (marks & FORM).count_ones() as usize * WORD
}

/// The length of what all items have.
#[inline]
fn plain(form: u8, key_len: usize, value_len: usize) -> usize {
    FIXED + optional(form) + length::size(value_len) + key_len + value_len
}

#[inline]
fn total(form: u8, key_len: usize, value_len: usize) -> usize {
    let plain = plain(form, key_len, value_len);
    if value_len < LENT_FROM { plain } else { lent::place(plain).1 }
}

/// Writes all that stands before the value, and gives the place of that.
///
/// # Safety
/// The block was allocated for as much.
///
/// # Panics
/// If the key is longer than [`KEY_MAX`].
#[inline]
unsafe fn begin(block: NonNull<u8>, key: &[u8], head: &Head, value_len: usize) -> *mut u8 {
    assert!(key.len() <= KEY_MAX, "a key of {} bytes", key.len());
    let form = form(head);
    let mut item = ManuallyDrop::new(Cached(block));
    // SAFETY: all of this lies before the value.
    unsafe {
        let start = block.as_ptr();
        *start = key.len() as u8;
        *start.add(MARKS) = form;
        item.set_accessed(head.accessed);
        item.set_cas(head.cas);
        let mut place = start.add(FIXED);
        for (bit, word) in [(HAS_FLAGS, head.flags), (EXPIRES, head.expires)] {
            if form & bit != 0 {
                place.cast::<u32>().write_unaligned(word);
                place = place.add(WORD);
            }
        }
        place = length::write(place, value_len);
        place.copy_from_nonoverlapping(key.as_ptr(), key.len());
        place.add(key.len())
    }
}

impl Cached {
    /// What an item would take from the allocator, in bytes.
    #[inline]
    pub fn room(head: &Head, key_len: usize, value_len: usize) -> usize {
        block::class(total(form(head), key_len, value_len))
    }

    /// An item whose value is these parts, one behind the other. If it is large it is lent by this lender.
    ///
    /// # Panics
    /// If the key is longer than [`KEY_MAX`].
    #[inline]
    pub fn new(key: &[u8], head: &Head, parts: [&[u8]; 2], lender: &Lender) -> Self {
        let [first, second] = parts;
        let value_len = first.len() + second.len();
        let block = block::allocate(total(form(head), key.len(), value_len));
        // SAFETY: the block was allocated for all of these parts.
        unsafe {
            let mut place = begin(block, key, head, value_len);
            for part in [first, second] {
                place.copy_from_nonoverlapping(part.as_ptr(), part.len());
                place = place.add(part.len());
            }
        }
        let item = Cached(block);
        if let Some(loan) = item.loan() {
            // SAFETY: the block has room for the record there.
            unsafe { loan.write(Loan::new(lender)) };
        }
        item
    }

    /// Where the record is of who has a share in the block.
    #[inline]
    fn loan(&self) -> Option<NonNull<Loan>> {
        let (value_len, _) = self.value_len();
        if value_len < LENT_FROM {
            return None;
        }
        let (at, _) = lent::place(plain(self.marks_byte(), self.key_len(), value_len));
        // SAFETY: the block was allocated with the record there, and blocks are aligned to more than that needs.
        Some(unsafe { self.0.add(at) }.cast())
    }

    /// The value as something that stays when the item is replaced or goes; nothing if it is small.
    #[inline]
    pub fn lend(&self) -> Option<Lent> {
        let loan = self.loan()?;
        // SAFETY: the item has its share, and all of these belong to its block.
        Some(unsafe { Lent::new(NonNull::from(self.value()), self.0, self.total(), loan) })
    }

    /// Whether somebody reads the value who keeps it when the item goes.
    #[inline]
    pub fn is_lent(&self) -> bool {
        // SAFETY: the record is there for as long as the item.
        self.loan().is_some_and(|loan| unsafe { loan.as_ref() }.is_lent())
    }

    /// The same item with another expiry, in a block of its own.
    fn renewed(&self, expires: u32) -> Self {
        // SAFETY: the record is there for as long as the item.
        let lender = self.loan().map(|loan| unsafe { loan.as_ref() }.lender().clone()).unwrap_or_default();
        let head = Head { expires, ..self.head() };
        let other = Cached::new(self.key(), &head, [self.value(), &[]], &lender);
        // SAFETY: the marks stand there.
        unsafe { *other.0.as_ptr().add(MARKS) |= self.marks_byte() & !FORM };
        other
    }

    /// What belongs to it.
    #[inline]
    pub fn head(&self) -> Head {
        Head { flags: self.flags(), expires: self.expires(), cas: self.cas(), accessed: self.accessed() }
    }

    /// The value.
    #[inline]
    pub fn value(&self) -> &[u8] {
        let (len, key) = self.value_len();
        // SAFETY: the value stands behind the key.
        unsafe { std::slice::from_raw_parts(key.add(self.key_len()), len) }
    }

    /// The value, for changing it without its length. Whoever it is lent to keeps it as it was.
    #[inline]
    pub fn value_mut(&mut self) -> &mut [u8] {
        if self.is_lent() {
            *self = self.renewed(self.expires());
        }
        let (len, key) = self.value_len();
        // SAFETY: as in `value`; the item is borrowed for changing, and nobody else has a share in its block.
        unsafe { std::slice::from_raw_parts_mut(key.add(self.key_len()), len) }
    }

    /// What the client keeps beside the value.
    #[inline]
    pub fn flags(&self) -> u32 {
        // SAFETY: the flags stand first if there are any.
        if self.marks_byte() & HAS_FLAGS == 0 { 0 } else { unsafe { self.word(FIXED) } }
    }

    /// When it expires; zero for never.
    #[inline]
    pub fn expires(&self) -> u32 {
        match self.marks_byte() & FORM {
            // SAFETY: the expiry stands behind the flags if there are any.
            FORM => unsafe { self.word(FIXED + WORD) },
            // SAFETY: the expiry stands first.
            EXPIRES => unsafe { self.word(FIXED) },
            _ => 0,
        }
    }

    /// Gives it another expiry, or none; for that it may move to another block.
    pub fn set_expires(&mut self, expires: u32) {
        let marks = self.marks_byte();
        if (marks & EXPIRES != 0) == (expires != 0) {
            if expires != 0 {
                let place = FIXED + if marks & HAS_FLAGS == 0 { 0 } else { WORD };
                // SAFETY: the expiry stands there.
                unsafe { self.0.as_ptr().add(place).cast::<u32>().write_unaligned(expires) };
            }
            return;
        }
        *self = self.renewed(expires);
    }

    /// What it is for a later change that depends on it.
    #[inline]
    pub fn cas(&self) -> u64 {
        let mut bytes = [0; 8];
        // SAFETY: six bytes stand there.
        bytes[..6].copy_from_slice(unsafe { std::slice::from_raw_parts(self.0.as_ptr().add(CAS), 6) });
        u64::from_le_bytes(bytes)
    }

    /// Gives it another.
    #[inline]
    pub fn set_cas(&mut self, cas: u64) {
        // SAFETY: six bytes stand there.
        unsafe { self.0.as_ptr().add(CAS).copy_from_nonoverlapping(cas.to_le_bytes().as_ptr(), 6) };
    }

    /// When it was used last.
    #[inline]
    pub fn accessed(&self) -> u32 {
        // SAFETY: a word stands there.
        unsafe { self.word(ACCESSED) }
    }

    /// Says when it was used last.
    #[inline]
    pub fn set_accessed(&mut self, accessed: u32) {
        // SAFETY: a word stands there.
        unsafe { self.0.as_ptr().add(ACCESSED).cast::<u32>().write_unaligned(accessed) };
    }

    /// What has happened to it.
    #[inline]
    pub fn marks(&self) -> Marks {
        Marks::from_bits_truncate(self.marks_byte())
    }

    /// Says what has happened to it.
    #[inline]
    pub fn set_marks(&mut self, marks: Marks) {
        let kept = self.marks_byte() & !Marks::all().bits();
        // SAFETY: the marks stand there.
        unsafe { *self.0.as_ptr().add(MARKS) = kept | marks.bits() };
    }

    /// How often it was used lately, up to [`USES_MAX`].
    #[inline]
    pub fn uses(&self) -> u8 {
        self.marks_byte() >> USES_SHIFT
    }

    /// Says how often it was used lately.
    #[inline]
    pub fn set_uses(&mut self, uses: u8) {
        let kept = self.marks_byte() & !(USES_MAX << USES_SHIFT);
        // SAFETY: the marks stand there.
        unsafe { *self.0.as_ptr().add(MARKS) = kept | uses.min(USES_MAX) << USES_SHIFT };
    }

    /// How long it is with its key and all that it keeps of itself, in bytes: at most what its block has.
    #[inline]
    pub fn bytes(&self) -> usize {
        self.total()
    }

    /// What it takes from the allocator, in bytes.
    #[inline]
    pub fn heap_bytes(&self) -> usize {
        block::class(self.total())
    }

    /// How much lies idle in its page of the allocator on its account.
    #[inline]
    pub fn idle(&self) -> Idle {
        let (used, capacity) = block::neighbours(self.0).unwrap_or((1, 1));
        let (percent, own) = (IDLE_MAX.min((capacity - used) * 100 / used), self.heap_bytes());
        let is_last = own <= MOVED_MAX && used * 100 <= LAST * capacity;
        Idle { bytes: own * percent / 100, is_sparse: percent >= SPARSE, is_last }
    }

    /// The same item in a block of another page, if it is small and one of the last in its own.
    #[inline]
    pub fn moved_if_last(&self) -> Option<Self> {
        // Most are not: that is known without a look at the item.
        if !block::is_in_sparse_page(self.0, LAST) {
            return None;
        }
        let total = self.total();
        if total > MOVED_MAX {
            return None;
        }
        let other = block::allocate(total);
        // SAFETY: both blocks are of this length; an item that cannot be lent is its bytes and nothing else.
        unsafe { other.copy_from_nonoverlapping(self.0, total) };
        Some(Cached(other)).filter(|_| !block::share_page(self.0, other))
    }

    #[inline]
    fn total(&self) -> usize {
        total(self.marks_byte(), self.key_len(), self.value_len().0)
    }

    #[inline]
    fn key_len(&self) -> usize {
        // SAFETY: every block begins with it.
        usize::from(unsafe { *self.0.as_ptr() })
    }

    #[inline]
    fn marks_byte(&self) -> u8 {
        // SAFETY: the marks stand there.
        unsafe { *self.0.as_ptr().add(MARKS) }
    }

    /// The length of the value, and the place of the key.
    #[inline]
    fn value_len(&self) -> (usize, *mut u8) {
        // SAFETY: the length stands behind the optional parts.
        unsafe { length::read(self.0.as_ptr().add(FIXED + optional(self.marks_byte()))) }
    }

    /// # Safety
    /// A word stands at this place.
    #[inline]
    unsafe fn word(&self, at: usize) -> u32 {
        // SAFETY: by the caller's promise.
        unsafe { self.0.as_ptr().add(at).cast::<u32>().read_unaligned() }
    }
}

impl Drop for Cached {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the block was allocated for an item of this length, with the record where it is.
        unsafe {
            match self.loan() {
                None => block::free(self.0, self.total()),
                Some(loan) => lent::leave(self.0, self.total(), loan),
            }
        }
    }
}

impl std::fmt::Debug for Cached {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cached").field("key", &self.key()).field("head", &self.head()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Table;
    use proptest::prelude::*;

    #[test]
    fn a_short_item_fits_into_a_cache_line() {
        assert_eq!(Cached::room(&Head::default(), 16, 32), 64);
    }

    #[test]
    fn what_is_said_of_an_item_in_its_place_is_there_afterwards() {
        let mut table = Table::new(7, 0);
        let hash = table.hash(b"key");
        let place =
            table.insert_new(hash, Cached::new(b"key", &Head::default(), [b"x", b""], &Lender::default()));
        for (accessed, marks, uses) in
            [(3, Marks::FETCHED, 2), (3, Marks::FETCHED, 2), (4, Marks::empty(), 0)]
        {
            let mut item = table.at_kept(place);
            item.set_accessed(accessed);
            item.set_marks(marks);
            item.set_uses(uses);
            let (found, item) = table.find_item(hash, b"key").unwrap();
            assert_eq!((item.accessed(), item.marks(), item.uses(), found), (accessed, marks, uses, place));
            assert_eq!(item.value(), b"x");
        }
    }

    fn large(letter: u8, lender: &Lender) -> Cached {
        Cached::new(b"key", &Head::default(), [&[letter; LENT_FROM], b"end"], lender)
    }

    #[test]
    fn a_small_value_is_not_lent() {
        let item = Cached::new(b"key", &Head::default(), [&[b'x'; LENT_FROM - 1], b""], &Lender::default());
        assert!(item.lend().is_none());
    }

    #[test]
    fn a_value_stays_for_those_it_is_lent_to() {
        let lender = Lender::default();
        let mut item = large(b'a', &lender);
        let whole = item.value().to_vec();
        let bytes = item.heap_bytes();
        let first = item.lend().unwrap();
        assert!(item.is_lent());
        assert_eq!(lender.bytes(), 0, "the item has the block");
        item.set_expires(7);
        assert_eq!((item.expires(), item.is_lent(), lender.bytes()), (7, false, bytes), "it has moved");
        let second = item.lend().unwrap();
        item.value_mut().fill(b'b');
        assert_eq!((item.value()[0], item.key(), item.expires()), (b'b', &b"key"[..], 7));
        drop(item);
        assert!(first[..] == whole && second[..] == whole);
        assert_eq!(lender.bytes(), 2 * bytes);
        drop(first);
        assert_eq!(lender.bytes(), bytes);
        drop(second);
        assert_eq!(lender.bytes(), 0);
    }

    #[test]
    fn an_item_outlives_those_it_is_lent_to() {
        let lender = Lender::default();
        let item = large(b'a', &lender);
        let lent = [(); 3].map(|()| item.lend());
        drop(lent);
        assert!(!item.is_lent());
        assert_eq!((item.value()[0], lender.bytes()), (b'a', 0));
    }

    #[test]
    fn readers_and_items_go_at_once() {
        let lender = Lender::default();
        for round in 0..20 {
            let item = large(round, &lender);
            std::thread::scope(|scope| {
                for lent in [(); 2].map(|()| item.lend().unwrap()) {
                    scope.spawn(move || assert!(lent[..LENT_FROM].iter().all(|&byte| byte == round)));
                }
                scope.spawn(move || drop(item));
            });
            assert_eq!(lender.bytes(), 0);
        }
    }

    proptest! {
        #[test]
        fn what_is_put_in_comes_out(
            key in prop::collection::vec(any::<u8>(), 0..=250),
            first in prop::collection::vec(any::<u8>(), 0..600),
            second in prop::collection::vec(any::<u8>(), 0..20),
            flags in prop_oneof![Just(0), any::<u32>()],
            expiries in prop::collection::vec(prop_oneof![Just(0), any::<u32>()], 1..5),
            cas in 0..1u64 << CAS_BITS,
            accessed: u32,
            uses in 0..=USES_MAX,
            is_large: bool,
        ) {
            let mut first = first;
            first.resize(first.len() + if is_large { LENT_FROM } else { 0 }, b'-');
            let mut head = Head { flags, expires: expiries[0], cas, accessed };
            let mut item = Cached::new(&key, &head, [&first, &second], &Lender::default());
            let value = [first, second].concat();
            prop_assert_eq!(item.heap_bytes(), Cached::room(&head, key.len(), value.len()));
            item.set_uses(uses);
            item.set_marks(Marks::FETCHED | Marks::WON);
            for expires in expiries {
                item.set_expires(expires);
                head.expires = expires;
                prop_assert_eq!(item.key(), &key);
                prop_assert!(item.value() == value);
                prop_assert_eq!(item.head(), head);
                prop_assert_eq!((item.marks(), item.uses()), (Marks::FETCHED | Marks::WON, uses));
            }
            head.cas = cas ^ 1;
            item.set_cas(head.cas);
            item.set_accessed(7);
            item.set_marks(Marks::STALE);
            item.value_mut().fill(b'x');
            prop_assert_eq!(item.head(), Head { accessed: 7, ..head });
            prop_assert_eq!((item.marks(), item.uses()), (Marks::STALE, uses));
            prop_assert!(item.value().iter().all(|&byte| byte == b'x'));
            prop_assert_eq!(item.key(), &key);
        }
    }
}
