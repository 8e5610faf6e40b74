//! Strings as arrays of bits, the most significant bit of the first byte first.
//!
//! Positions beyond the end of a string are zeros for whoever reads them; nothing here grows a string.

#![allow(unsafe_code)]

use std::ops::Range;

/// How two strings are combined bit by bit; where one of them has ended, it is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Combine {
    /// Set where both are.
    And,
    /// Set where any is.
    Or,
    /// Set where just one is.
    Xor,
}

/// The number of set bits.
pub fn count(bytes: &[u8]) -> u64 {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("popcnt") {
        // SAFETY: the processor has the instruction.
        return unsafe { count_with_popcnt(bytes) };
    }
    count_words(bytes)
}

/// As [`count_words`], one instruction a word.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "popcnt")]
fn count_with_popcnt(bytes: &[u8]) -> u64 {
    count_words(bytes)
}

#[inline(always)]
fn count_words(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let words: u64 = words.iter().map(|word| u64::from(u64::from_ne_bytes(*word).count_ones())).sum();
    words + rest.iter().map(|byte| u64::from(byte.count_ones())).sum::<u64>()
}

/// The number of set bits in a range of bits, which lies inside the string.
pub fn count_range(bytes: &[u8], range: Range<u64>) -> u64 {
    if range.is_empty() {
        return 0;
    }
    let (first, last) = ((range.start / 8) as usize, ((range.end - 1) / 8) as usize);
    // The bits of the first and the last byte that are outside.
    let before = bytes[first] & !(0xFF >> (range.start % 8));
    let after = bytes[last] & (0x7F_u8 >> ((range.end - 1) % 8));
    count(&bytes[first..=last]) - u64::from(before.count_ones() + after.count_ones())
}

/// The first bit of a range of bits, which lies inside the string, that is set or clear.
pub fn find(bytes: &[u8], bit: bool, range: Range<u64>) -> Option<u64> {
    // Looking for a set bit in the string or in its complement is the same.
    let flip = if bit { 0 } else { u64::MAX };
    let word = |at: usize| -> u64 {
        let mut word = [0; 8];
        let rest = &bytes[at..bytes.len().min(at + 8)];
        word[..rest.len()].copy_from_slice(rest);
        u64::from_be_bytes(word) ^ flip
    };
    let within = |position: u64| (position < range.end).then_some(position);
    let mut at = (range.start / 8) as usize;
    let end = range.end.div_ceil(8) as usize;
    if at < end {
        let first = word(at) & (u64::MAX >> (range.start % 8));
        if first != 0 {
            return within(at as u64 * 8 + u64::from(first.leading_zeros()));
        }
        at += 8;
    }
    if at < end {
        let (words, _) = bytes[at..end].as_chunks::<8>();
        let skipped = words.iter().position(|word| u64::from_ne_bytes(*word) != flip).unwrap_or(words.len());
        at += skipped * 8;
    }
    (at < end).then(|| word(at)).filter(|word| *word != 0).and_then(|word| {
        let position = at as u64 * 8 + u64::from(word.leading_zeros());
        within(position)
    })
}

/// Combines a string with another one, which is not longer.
pub fn combine(into: &mut [u8], with: &[u8], how: Combine) {
    let (common, rest) = into.split_at_mut(with.len());
    let pairs = common.iter_mut().zip(with);
    match how {
        Combine::And => {
            pairs.for_each(|(a, b)| *a &= b);
            rest.fill(0);
        }
        Combine::Or => pairs.for_each(|(a, b)| *a |= b),
        Combine::Xor => pairs.for_each(|(a, b)| *a ^= b),
    }
}

/// Clears what is set and sets what is clear.
pub fn invert(bytes: &mut [u8]) {
    bytes.iter_mut().for_each(|byte| *byte = !*byte);
}

/// The number that stands in `bits` bits, at most 64, from position `at` on.
pub fn read(bytes: &[u8], at: u64, bits: u32) -> u64 {
    let window = window(bytes, at);
    (window << (at % 8) >> (128 - bits)) as u64
}

/// Writes the last `bits` bits of a number, at most 64, from position `at` on; they lie inside the string.
pub fn write(bytes: &mut [u8], at: u64, bits: u32, value: u64) {
    let mask = u128::MAX << (128 - bits) >> (at % 8);
    let value = u128::from(value) << (128 - bits) >> (at % 8);
    let changed = (window(bytes, at) & !mask | value & mask).to_be_bytes();
    let first = (at / 8) as usize;
    let len = (at % 8 + u64::from(bits)).div_ceil(8) as usize;
    bytes[first..first + len].copy_from_slice(&changed[..len]);
}

/// The sixteen bytes from the one on in which position `at` lies.
#[inline]
fn window(bytes: &[u8], at: u64) -> u128 {
    let mut window = [0; 16];
    let from = usize::try_from(at / 8).unwrap_or(usize::MAX).min(bytes.len());
    let rest = &bytes[from..bytes.len().min(from + 16)];
    window[..rest.len()].copy_from_slice(rest);
    u128::from_be_bytes(window)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bit(bytes: &[u8], at: u64) -> bool {
        bytes.get((at / 8) as usize).is_some_and(|byte| byte >> (7 - at % 8) & 1 == 1)
    }

    fn string() -> impl Strategy<Value = Vec<u8>> {
        // Long runs of equal bytes, so that whole words are skipped.
        prop::collection::vec((prop_oneof![Just(0u8), Just(0xFF), any::<u8>()], 1usize..30), 0..6)
            .prop_map(|runs| runs.into_iter().flat_map(|(byte, len)| vec![byte; len]).collect())
    }

    fn range_of(bytes: &[u8], a: u64, b: u64) -> Range<u64> {
        let bits = bytes.len() as u64 * 8 + 1;
        (a % bits).min(b % bits)..(a % bits).max(b % bits)
    }

    proptest! {
        #[test]
        fn counting_and_finding_agree_with_looking_at_every_bit(bytes in string(), a: u64, b: u64, set: bool) {
            let range = range_of(&bytes, a, b);
            let set_bits = range.clone().filter(|at| bit(&bytes, *at)).count() as u64;
            prop_assert_eq!(count_range(&bytes, range.clone()), set_bits);
            prop_assert_eq!(find(&bytes, set, range.clone()), range.clone().find(|at| bit(&bytes, *at) == set));
            prop_assert_eq!(count_words(&bytes), count(&bytes));
        }

        #[test]
        fn strings_are_combined_bit_by_bit(a in string(), b in string()) {
            for how in [Combine::And, Combine::Or, Combine::Xor] {
                let mut result = a.clone();
                result.resize(a.len().max(b.len()), 0);
                combine(&mut result, &b, how);
                for at in 0..result.len() as u64 * 8 {
                    let (a, b) = (bit(&a, at), bit(&b, at));
                    let want = match how {
                        Combine::And => a & b,
                        Combine::Or => a | b,
                        Combine::Xor => a ^ b,
                    };
                    prop_assert_eq!(bit(&result, at), want);
                }
            }
        }

        #[test]
        fn numbers_are_read_as_they_were_written(bytes in string(), at in 0u64..400, bits in 1u32..=64, value: u64) {
            let want = (at..at + u64::from(bits)).fold(0, |sum, at| sum << 1 | u64::from(bit(&bytes, at)));
            prop_assert_eq!(read(&bytes, at, bits), want);
            let mut changed = bytes.clone();
            changed.resize(changed.len().max((at + u64::from(bits)).div_ceil(8) as usize), 0);
            write(&mut changed, at, bits, value);
            prop_assert_eq!(read(&changed, at, bits), value & (u64::MAX >> (64 - bits)));
            for other in (0..changed.len() as u64 * 8).filter(|other| !(at..at + u64::from(bits)).contains(other)) {
                prop_assert_eq!(bit(&changed, other), bit(&bytes, other));
            }
        }
    }
}
