//! Size classes: how large the blocks are that items are kept in.
//!
//! Invariant: up to 16 kB the classes are those of the allocator's blocks; up to 512 kB each has blocks of a few sizes, of
//! which its own is the largest. Larger items share the last one.

/// The number of size classes that are told apart.
pub const CLASSES: usize = 58;
/// The number of those whose blocks are of one size; they come first.
pub const EXACT: usize = 37;
/// The class of all items that are larger than those of the others.
pub const LARGEST: usize = CLASSES - 1;

/// The number of the size class of a block or of what is kept in it, from one on, as reports tell it.
#[inline]
pub fn class_of(bytes: usize) -> usize {
    match bytes {
        0..=64 => bytes.div_ceil(16).max(1),
        65..=524_288 => {
            let shift = usize::BITS - 1 - (bytes - 1).leading_zeros();
            let quarter = (bytes - 1) >> (shift - 2) & 3;
            5 + 4 * (shift as usize - 6) + quarter
        }
        _ => LARGEST,
    }
}

/// The size of the blocks of a class, in bytes; the last class has all that are larger.
pub fn class_bytes(class: usize) -> usize {
    match class {
        0..=4 => 16 * class,
        _ if class < LARGEST => {
            let (doubling, quarter) = ((class - 5) / 4, (class - 5) % 4);
            (64 << doubling) + (16 << doubling) * (quarter + 1)
        }
        _ => 1 << 20,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use structures::block;

    #[test]
    fn classes_are_those_of_blocks() {
        for bytes in 1..=524_288 {
            let (block, class) = (block::class(bytes), class_of(block::class(bytes)));
            assert_eq!(class_of(bytes), class);
            assert!(class < LARGEST && block <= class_bytes(class), "{bytes}: {class}");
            assert!(block > class_bytes(class - 1), "{bytes}: {class}");
            assert!(class >= EXACT || block == class_bytes(class), "{bytes}: {class}");
        }
        assert_eq!((class_of(16_384), class_of(16_385)), (EXACT - 1, EXACT));
        assert_eq!(class_of(524_289), LARGEST);
    }
}
