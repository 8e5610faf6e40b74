//! Arguments as numbers and words.

use crate::error::CommandError;
use command::Release;
use structures::number;

/// An integer in canonical form.
///
/// # Errors
/// [`CommandError::NotAnInteger`]
#[inline]
pub fn integer(bytes: &[u8]) -> Result<i64, CommandError> {
    number::parse_i64(bytes).ok_or(CommandError::NotAnInteger)
}

/// An integer as a release reads it: before 4.0, whatever C's `strtoll` reads, which may have a plus sign and leading
/// zeros, is zero if there is nothing, and ends at a zero byte.
///
/// # Errors
/// [`CommandError::NotAnInteger`]
#[inline]
pub fn integer_of(bytes: &[u8], release: Release) -> Result<i64, CommandError> {
    match number::parse_i64(bytes) {
        Some(value) => Ok(value),
        None if release < Release::V4_0 => lenient_integer(bytes).ok_or(CommandError::NotAnInteger),
        None => Err(CommandError::NotAnInteger),
    }
}

#[cold]
fn lenient_integer(bytes: &[u8]) -> Option<i64> {
    let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    if text.is_empty() {
        return Some(0);
    }
    // Rust reads integers so, too.
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// What a release sees of the text of a number with a fraction: before the one from which on it sees everything, the number
/// ends at a zero byte, and nothing is zero.
#[inline]
pub fn decimal_of(bytes: &[u8], release: Release, whole_from: Release) -> &[u8] {
    if release >= whole_from {
        return bytes;
    }
    match bytes.split(|byte| *byte == 0).next() {
        None | Some([]) => b"0",
        Some(text) => text,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn early_releases_read_more_integers() {
        for (text, value) in [
            (&b""[..], Some(0)),
            (b"\0x", Some(0)),
            (b"+5", Some(5)),
            (b"007", Some(7)),
            (b"-0", Some(0)),
            (b"12\0abc", Some(12)),
            (b" 1", None),
            (b"1 ", None),
            (b"+", None),
            (b"+-1", None),
            (b"9223372036854775808", None),
        ] {
            assert_eq!(integer_of(text, Release::V3_0).ok(), value, "{text:?}");
            assert_eq!(integer_of(text, Release::V4_0), Err(CommandError::NotAnInteger), "{text:?}");
        }
        assert_eq!(integer_of(b"-12", Release::V4_0), Ok(-12));
    }
}
