//! Arguments as numbers and words.

use crate::error::CommandError;
use structures::number;

/// An integer in canonical form.
///
/// # Errors
/// [`CommandError::NotAnInteger`]
#[inline]
pub fn integer(bytes: &[u8]) -> Result<i64, CommandError> {
    number::parse_i64(bytes).ok_or(CommandError::NotAnInteger)
}

/// An integer from `min` to `max`.
///
/// # Errors
/// `error`, if it is none or outside.
pub fn integer_in(
    bytes: &[u8],
    range: std::ops::RangeInclusive<i64>,
    error: CommandError,
) -> Result<i64, CommandError> {
    number::parse_i64(bytes).filter(|value| range.contains(value)).ok_or(error)
}

/// An integer of 32 bits.
///
/// # Errors
/// [`CommandError::NotAnInteger`], [`CommandError::NotBetween`]
pub fn int32(bytes: &[u8]) -> Result<i32, CommandError> {
    let outside = |_| CommandError::NotBetween(i32::MIN.into(), i32::MAX.into());
    i32::try_from(integer(bytes)?).map_err(outside)
}

/// Whether an argument is this word, in any case.
#[inline]
pub fn is_word(bytes: &[u8], word: &str) -> bool {
    bytes.eq_ignore_ascii_case(word.as_bytes())
}
