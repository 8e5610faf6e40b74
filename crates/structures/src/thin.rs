//! An enum of thin pointers in eight bytes.
//!
//! A collection has several representations, each behind a thin pointer: as a plain enum that is sixteen bytes,
//! and every key of the keyspace would pay for it. [`Thin`] keeps the variant in the pointer's low bits instead,
//! and hands out the plain enum while it is looked at, so that all code above works on an ordinary enum.
//!
//! Invariant: the word always owns exactly one value of the enum; [`Write`] puts it back when dropped.

#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// Bits of a word that tell the variant.
const TAG_BITS: usize = 0b111;

/// An enum whose every variant is one thin, owning pointer, aligned to eight bytes or more.
///
/// # Safety
/// `from_raw(into_raw(x))` gives `x` back; tags are below eight; the pointer's low three bits are zero.
pub unsafe trait ThinEnum: Sized {
    /// Gives up the value as its pointer and the number of its variant.
    fn into_raw(self) -> (NonNull<u8>, usize);

    /// Takes a value back.
    ///
    /// # Safety
    /// The pair came from [`ThinEnum::into_raw`] and is used once.
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

    /// The value, for changing; it is stored back when the guard is dropped.
    #[inline]
    pub fn write(&mut self) -> Write<'_, E> {
        // SAFETY: the word came from `into_raw`; the guard is the only user until it stores a word back.
        Write { value: ManuallyDrop::new(unsafe { self.unpack() }), place: self }
    }

    /// Unpacks the value.
    #[inline]
    pub fn into_inner(self) -> E {
        let this = ManuallyDrop::new(self);
        // SAFETY: the word came from `into_raw`, and `this` is forgotten.
        unsafe { this.unpack() }
    }

    #[inline]
    unsafe fn unpack(&self) -> E {
        let tag = self.word.as_ptr().addr() & TAG_BITS;
        let pointer = self.word.as_ptr().map_addr(|addr| addr & !TAG_BITS);
        // SAFETY: the pointer without its tag is the non-null one that `into_raw` gave.
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

/// A value being changed.
pub struct Write<'a, E: ThinEnum> {
    value: ManuallyDrop<E>,
    place: &'a mut Thin<E>,
}

impl<E: ThinEnum> Deref for Write<'_, E> {
    type Target = E;

    #[inline]
    fn deref(&self) -> &E {
        &self.value
    }
}

impl<E: ThinEnum> DerefMut for Write<'_, E> {
    #[inline]
    fn deref_mut(&mut self) -> &mut E {
        &mut self.value
    }
}

impl<E: ThinEnum> Drop for Write<'_, E> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the value is taken once, here. The old word is overwritten without being dropped: its value is
        // the one that is packed again.
        unsafe {
            let value = ManuallyDrop::take(&mut self.value);
            std::ptr::write(self.place, Thin::new(value));
        }
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
    fn a_value_can_change_its_variant_in_place() {
        let mut thin = Thin::new(Either::Number(Box::new(7)));
        assert!(matches!(&*thin.read(), Either::Number(number) if **number == 7));
        *thin.write() = Either::Pair(Box::new([7, 8]));
        assert!(matches!(&*thin.read(), Either::Pair(pair) if **pair == [7, 8]));
        let Either::Pair(pair) = thin.into_inner() else { panic!("the variant was lost") };
        assert_eq!(*pair, [7, 8]);
    }

    #[test]
    fn a_thin_enum_is_one_word() {
        assert_eq!(size_of::<Option<Thin<Either>>>(), 8);
    }
}
