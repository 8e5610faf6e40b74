//! An enum of thin pointers in eight bytes.
//!
//! A collection has several representations, each behind a thin pointer: as a plain enum that is sixteen bytes,
//! and every key of the keyspace would pay for it. [`Thin`] keeps the variant in the pointer's low bits instead,
//! and hands out the plain enum while it is looked at, so that all code above works on an ordinary enum.
//!
//! Invariant: the word always owns exactly one value of the enum. What is to be changed is taken out and packed again.
//!
//! Deliberately not here: a guard that changes the value in place and packs it again when it is dropped. Whoever forgot
//! such a guard would keep a word whose value has moved.

#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::ptr::NonNull;

/// Bits of a word that tell the variant.
const TAG_BITS: usize = 0b111;

/// An enum whose every variant is one thin, owning pointer, aligned to eight bytes or more.
///
/// # Safety
/// `from_raw(into_raw(x))` gives `x` back; tags are below eight; the pointer's low three bits are zero. A pair may be taken
/// back several times: what it gives may all be read at once.
pub unsafe trait ThinEnum: Sized {
    /// Gives up the value as its pointer and the number of its variant.
    fn into_raw(self) -> (NonNull<u8>, usize);

    /// Takes a value back.
    ///
    /// # Safety
    /// The pair came from [`ThinEnum::into_raw`]. Of all that it gives, one is changed or dropped at most, when the others
    /// are no longer read.
    unsafe fn from_raw(pointer: NonNull<u8>, tag: usize) -> Self;
}

/// One value of the enum `E`, in eight bytes.
pub struct Thin<E: ThinEnum> {
    word: NonNull<u8>,
    owns: PhantomData<E>,
}

// SAFETY: a Thin owns its E and nothing else.
unsafe impl<E: ThinEnum + Send> Send for Thin<E> {}
// SAFETY: shared access to a Thin gives shared access to its E and nothing else.
unsafe impl<E: ThinEnum + Sync> Sync for Thin<E> {}

impl<E: ThinEnum> Thin<E> {
    /// Packs a value.
    #[inline]
    pub fn new(value: E) -> Self {
        let (pointer, tag) = value.into_raw();
        debug_assert!(tag <= TAG_BITS && pointer.as_ptr().addr() & TAG_BITS == 0);
        Thin { word: pointer.map_addr(|addr| addr | tag), owns: PhantomData }
    }

    /// The value, for reading.
    #[inline]
    pub fn read(&self) -> Read<'_, E> {
        // SAFETY: the word came from `into_raw`; ManuallyDrop keeps this second copy from being dropped, and the
        // lifetime keeps the word from being changed meanwhile.
        Read { value: ManuallyDrop::new(unsafe { self.unpack() }), word: PhantomData }
    }

    /// Unpacks the value.
    #[inline]
    pub fn into_inner(self) -> E {
        let this = ManuallyDrop::new(self);
        // SAFETY: the word came from `into_raw`, and `this` is forgotten.
        unsafe { this.unpack() }
    }

    /// # Safety
    /// As for [`ThinEnum::from_raw`].
    #[inline]
    unsafe fn unpack(&self) -> E {
        let tag = self.word.as_ptr().addr() & TAG_BITS;
        let pointer = self.word.as_ptr().map_addr(|addr| addr & !TAG_BITS);
        // SAFETY: the pointer without its tag is the non-null one that `into_raw` gave; the rest is the caller's promise.
        unsafe { E::from_raw(NonNull::new_unchecked(pointer), tag) }
    }
}

impl<E: ThinEnum> Drop for Thin<E> {
    fn drop(&mut self) {
        // SAFETY: the word came from `into_raw` and is not used after this.
        drop(unsafe { self.unpack() });
    }
}

/// A value being read.
pub struct Read<'a, E> {
    value: ManuallyDrop<E>,
    word: PhantomData<&'a E>,
}

impl<'a, E: ThinEnum> Read<'a, E> {
    /// The value of a word that lies elsewhere.
    ///
    /// # Safety
    /// `thin` is a copy of a word that is not changed during `'a`.
    #[inline]
    pub(crate) unsafe fn from_copy(thin: ManuallyDrop<Thin<E>>) -> Read<'a, E> {
        // SAFETY: by the caller's promise; neither copy is dropped.
        Read { value: ManuallyDrop::new(unsafe { thin.unpack() }), word: PhantomData }
    }
}

impl<E> Deref for Read<'_, E> {
    type Target = E;

    #[inline]
    fn deref(&self) -> &E {
        &self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    enum Either {
        Number(Box<u64>),
        Pair(Box<[u64; 2]>),
    }

    // SAFETY: both variants are boxes of types aligned to eight; tags are 0 and 1.
    unsafe impl ThinEnum for Either {
        fn into_raw(self) -> (NonNull<u8>, usize) {
            match self {
                Either::Number(number) => (NonNull::from(Box::leak(number)).cast(), 0),
                Either::Pair(pair) => (NonNull::from(Box::leak(pair)).cast(), 1),
            }
        }

        unsafe fn from_raw(pointer: NonNull<u8>, tag: usize) -> Self {
            // SAFETY: the pair came from `into_raw`.
            unsafe {
                match tag {
                    0 => Either::Number(Box::from_raw(pointer.cast().as_ptr())),
                    _ => Either::Pair(Box::from_raw(pointer.cast().as_ptr())),
                }
            }
        }
    }

    #[test]
    fn a_value_is_read_and_taken_out_as_its_variant() {
        let thin = Thin::new(Either::Number(Box::new(7)));
        assert!(matches!(&*thin.read(), Either::Number(number) if **number == 7));
        let Either::Number(number) = thin.into_inner() else { panic!("the variant was lost") };
        let thin = Thin::new(Either::Pair(Box::new([*number, 8])));
        assert!(matches!(&*thin.read(), Either::Pair(pair) if **pair == [7, 8]));
    }

    #[test]
    fn a_thin_enum_is_one_word() {
        assert_eq!(size_of::<Option<Thin<Either>>>(), 8);
    }
}
