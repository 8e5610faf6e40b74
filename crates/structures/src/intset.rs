//! A sorted set of integers in one allocation.
//!
//! All members take the same two, four or eight bytes, as many as the widest ever needed. The layout is the one
//! of Redis' intset (width, count, members, little-endian), so that it is saved by copying.
//!
//! Invariants: members ascend strictly; the block's class follows from width and count.

#![allow(unsafe_code)]

use crate::block;
use std::ptr::NonNull;

const HEADER_BYTES: usize = 8;

/// A sorted set of integers; see the module.
pub struct IntSet(NonNull<u8>);

// SAFETY: an IntSet owns its block and nothing else.
unsafe impl Send for IntSet {}
// SAFETY: shared access only reads the block.
unsafe impl Sync for IntSet {}

impl Default for IntSet {
    fn default() -> Self {
        IntSet::new()
    }
}

impl IntSet {
    /// An empty set.
    pub fn new() -> Self {
        IntSet(block::copy_of(&[2, 0, 0, 0, 0, 0, 0, 0]))
    }

    /// Takes over bytes that [`IntSet::bytes`] gave; `None` if they are not a well-formed set, whoever wrote them.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (header, members) = bytes.split_at_checked(HEADER_BYTES)?;
        let width = u32::from_le_bytes(header[..4].try_into().ok()?) as usize;
        let count = u32::from_le_bytes(header[4..].try_into().ok()?) as usize;
        if !matches!(width, 2 | 4 | 8) || count.checked_mul(width)? != members.len() {
            return None;
        }
        let member = |index: usize| read(&members[index * width..], width);
        if (1..count).any(|index| member(index - 1) >= member(index)) {
            return None;
        }
        Some(IntSet(block::copy_of(bytes)))
    }

    /// The set in its serialised form.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the block holds as many initialised bytes as width and count say.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr(), self.total()) }
    }

    /// The number of members.
    #[inline]
    pub fn len(&self) -> usize {
        self.header()[1] as usize
    }

    /// Whether there is no member.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the set takes from the allocator, in bytes.
    #[inline]
    pub fn heap_bytes(&self) -> usize {
        block::class(self.total())
    }

    /// Whether `value` is a member.
    #[inline]
    pub fn contains(&self, value: i64) -> bool {
        width_of(value) <= self.width() && self.search(value).is_ok()
    }

    /// The member number `index` in ascending order.
    #[inline]
    pub fn get(&self, index: usize) -> Option<i64> {
        (index < self.len()).then(|| self.at(index))
    }

    /// The members in ascending order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = i64> + ExactSizeIterator + Clone + '_ {
        (0..self.len()).map(|index| self.at(index))
    }

    /// Adds a member; whether it is new.
    pub fn insert(&mut self, value: i64) -> bool {
        if width_of(value) > self.width() {
            self.widen(width_of(value));
        }
        let Err(index) = self.search(value) else { return false };
        let (width, len) = (self.width(), self.len());
        assert!(len < u32::MAX as usize, "more integers than can be counted");
        let total = self.total();
        // SAFETY: the block grows by one member before anything moves, and the tail moves within it.
        unsafe {
            self.0 = block::resize(self.0, total, total + width);
            let place = self.0.as_ptr().add(HEADER_BYTES + index * width);
            place.add(width).copy_from(place, (len - index) * width);
            place.copy_from(value.to_le_bytes().as_ptr(), width);
        }
        self.set_header(width, len + 1);
        true
    }

    /// Removes a member; whether it was one.
    pub fn remove(&mut self, value: i64) -> bool {
        if width_of(value) > self.width() {
            return false;
        }
        let Ok(index) = self.search(value) else { return false };
        let (width, len) = (self.width(), self.len());
        let total = self.total();
        self.set_header(width, len - 1);
        // SAFETY: the tail moves within the block, which shrinks afterwards.
        unsafe {
            let place = self.0.as_ptr().add(HEADER_BYTES + index * width);
            place.copy_from(place.add(width), (len - index - 1) * width);
            self.0 = block::resize(self.0, total, total - width);
        }
        true
    }

    fn header(&self) -> [u32; 2] {
        // SAFETY: every block begins with the header, aligned to sixteen bytes.
        unsafe { self.0.cast::<[u32; 2]>().read() }.map(u32::from_le)
    }

    fn set_header(&mut self, width: usize, len: usize) {
        // SAFETY: every block begins with the header, aligned to sixteen bytes.
        unsafe { self.0.cast::<[u32; 2]>().write([width as u32, len as u32].map(u32::to_le)) };
    }

    #[inline]
    fn width(&self) -> usize {
        self.header()[0] as usize
    }

    #[inline]
    fn total(&self) -> usize {
        let [width, len] = self.header();
        HEADER_BYTES + width as usize * len as usize
    }

    #[inline]
    fn at(&self, index: usize) -> i64 {
        let width = self.width();
        read(&self.bytes()[HEADER_BYTES + index * width..], width)
    }

    /// Where the value stands, or would stand.
    fn search(&self, value: i64) -> Result<usize, usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.at(middle).cmp(&value) {
                std::cmp::Ordering::Equal => return Ok(middle),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    fn widen(&mut self, width: usize) {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + self.len() * width);
        bytes.extend_from_slice(&(width as u32).to_le_bytes());
        bytes.extend_from_slice(&(self.len() as u32).to_le_bytes());
        for value in self.iter() {
            bytes.extend_from_slice(&value.to_le_bytes()[..width]);
        }
        *self = IntSet::from_bytes(&bytes).expect("the members ascend as before");
    }
}

impl Clone for IntSet {
    fn clone(&self) -> Self {
        IntSet(block::copy_of(self.bytes()))
    }
}

impl Drop for IntSet {
    fn drop(&mut self) {
        // SAFETY: the block's class is that of its total, and it is not used again.
        unsafe { block::free(self.0, self.total()) };
    }
}

impl std::fmt::Debug for IntSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// Gives up the set as its block, for a word of a [`crate::thin::Thin`].
pub(crate) fn into_block(set: IntSet) -> NonNull<u8> {
    std::mem::ManuallyDrop::new(set).0
}

/// Takes a set back from its block.
///
/// # Safety
/// The block came from [`into_block`] and is used once.
pub(crate) unsafe fn from_block(block: NonNull<u8>) -> IntSet {
    IntSet(block)
}

/// The number of bytes that a value needs.
fn width_of(value: i64) -> usize {
    if i16::try_from(value).is_ok() {
        2
    } else if i32::try_from(value).is_ok() {
        4
    } else {
        8
    }
}

#[inline]
fn read(bytes: &[u8], width: usize) -> i64 {
    match width {
        2 => i64::from(i16::from_le_bytes([bytes[0], bytes[1]])),
        4 => i64::from(i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])),
        _ => {
            let mut wide = [0; 8];
            wide.copy_from_slice(&bytes[..8]);
            i64::from_le_bytes(wide)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn members_take_the_width_of_the_widest() {
        let mut set = IntSet::new();
        for value in 0..20 {
            set.insert(value);
        }
        assert_eq!(set.bytes().len(), 8 + 20 * 2);
        set.insert(1 << 20);
        assert_eq!(set.bytes().len(), 8 + 21 * 4);
        set.insert(1 << 40);
        assert_eq!(set.bytes().len(), 8 + 22 * 8);
        assert!(set.remove(1 << 40) && set.contains(1 << 20) && !set.contains(1 << 40));
    }

    #[test]
    fn hostile_bytes_are_refused() {
        let set = [1i64, 2, 70_000].into_iter().fold(IntSet::new(), |mut set, value| {
            set.insert(value);
            set
        });
        let good = set.bytes().to_vec();
        assert!(IntSet::from_bytes(&good).is_some());
        for len in 0..good.len() {
            assert!(IntSet::from_bytes(&good[..len]).is_none());
        }
        let mut unsorted = good.clone();
        unsorted[8] = 3;
        assert!(IntSet::from_bytes(&unsorted).is_none());
        let announced = [8, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF];
        assert!(IntSet::from_bytes(&announced).is_none());
    }

    proptest! {
        #[test]
        fn behaves_as_a_sorted_set(
            steps in prop::collection::vec(
                (any::<bool>(), prop_oneof![-40i64..40, any::<i64>(), -70_000i64..70_000]), 1..200)
        ) {
            let mut set = IntSet::new();
            let mut model = BTreeSet::new();
            for (insert, value) in steps {
                if insert {
                    prop_assert_eq!(set.insert(value), model.insert(value));
                } else {
                    prop_assert_eq!(set.remove(value), model.remove(&value));
                }
                prop_assert_eq!(set.contains(value), model.contains(&value));
                prop_assert!(set.iter().eq(model.iter().copied()));
                prop_assert_eq!(set.get(model.len()), None);
            }
            prop_assert!(IntSet::from_bytes(set.bytes()).is_some());
        }
    }
}
