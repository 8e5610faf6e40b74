//! Lengths inside blocks: one byte up to 254, five bytes above.

#![allow(unsafe_code)]

const LONG: u8 = 0xFF;

/// The number of bytes that the length `len` takes. Whoever makes room for a length asks for it first: what is written
/// later has been seen here.
///
/// # Panics
/// If `len` is more than a `u32` can tell.
#[inline]
pub(crate) const fn size(len: usize) -> usize {
    if len < LONG as usize {
        1
    } else {
        assert!(len <= u32::MAX as usize, "a string of four gigabytes or more");
        5
    }
}

/// Writes a length; gives the place after it.
///
/// # Safety
/// `place` is writable for [`size`] bytes.
#[inline]
pub(crate) unsafe fn write(place: *mut u8, len: usize) -> *mut u8 {
    // SAFETY: by the caller's promise.
    unsafe {
        if len < LONG as usize {
            *place = len as u8;
            place.add(1)
        } else {
            debug_assert!(u32::try_from(len).is_ok());
            *place = LONG;
            place.add(1).cast::<u32>().write_unaligned(len as u32);
            place.add(5)
        }
    }
}

/// Reads a length; gives it and the place after it.
///
/// # Safety
/// [`write`] wrote a length at `place`.
#[inline]
pub(crate) unsafe fn read(place: *mut u8) -> (usize, *mut u8) {
    // SAFETY: by the caller's promise.
    unsafe {
        match *place {
            LONG => (place.add(1).cast::<u32>().read_unaligned() as usize, place.add(5)),
            len => (usize::from(len), place.add(1)),
        }
    }
}
