//! A stream.
#![allow(unsafe_code)]

use crate::block;
use crate::entry::{Kind, Object};
use crate::thin::ThinEnum;
use std::ptr::NonNull;

/// A stream.
#[derive(Clone)]
pub struct Stream(Box<Body>);

#[derive(Clone, Default)]
struct Body {
    len: usize,
}

// SAFETY: it is a box.
unsafe impl ThinEnum for Stream {
    fn into_raw(self) -> (NonNull<u8>, usize) {
        (NonNull::from(Box::leak(self.0)).cast(), 0)
    }

    unsafe fn from_raw(pointer: NonNull<u8>, _tag: usize) -> Self {
        // SAFETY: the pointer came from `into_raw`.
        Stream(unsafe { Box::from_raw(pointer.cast().as_ptr()) })
    }
}

impl Object for Stream {
    const KIND: Kind = Kind::Stream;

    fn empty() -> Self {
        Stream(Box::default())
    }

    fn is_empty(&self) -> bool {
        self.0.len == 0
    }

    fn heap_bytes(&self) -> usize {
        block::class(size_of::<Body>())
    }
}
