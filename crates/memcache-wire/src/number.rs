//! Numbers as words of a request: read as memcached reads them, which is as C does.
//!
//! White space other than the blank may stand in a word. It is skipped before a number and ends one, and what follows it
//! is not looked at. Signs are allowed, for numbers without sign too, as long as the result makes sense.

/// White space in the C locale.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0B | 0x0C | b'\r')
}

/// The digits of a word and whether a minus is before them; nothing if it is no number.
fn digits(word: &[u8]) -> Option<(bool, &[u8])> {
    let start = word.iter().position(|&byte| !is_space(byte))?;
    let (negative, rest) = match &word[start..] {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let len = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
    let ends = rest.get(len).is_none_or(|&byte| is_space(byte));
    (len > 0 && ends).then(|| (negative, &rest[..len]))
}

/// The value of digits; nothing if it is too large.
fn magnitude(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0u64, |value, digit| value.checked_mul(10)?.checked_add(u64::from(digit - b'0')))
}

/// A number without sign. A negative one is the number that it is congruent to, unless that is as large as no number with
/// a sign can be.
pub fn unsigned(word: &[u8]) -> Option<u64> {
    let (negative, digits) = digits(word)?;
    let magnitude = magnitude(digits)?;
    let value = if negative { magnitude.wrapping_neg() } else { magnitude };
    (!negative || value as i64 >= 0).then_some(value)
}

/// A number with a sign.
pub fn signed(word: &[u8]) -> Option<i64> {
    let (negative, digits) = digits(word)?;
    let magnitude = magnitude(digits)?;
    if negative { 0i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

/// A number without sign, of which the lower half is kept.
pub fn unsigned_32(word: &[u8]) -> Option<u32> {
    unsigned(word).map(|value| value as u32)
}

/// A number with a sign, of which the lower half is kept.
pub fn signed_32(word: &[u8]) -> Option<i32> {
    signed(word).map(|value| value as i32)
}

/// A number with a fraction. One that is too large is none; hexadecimal digits are not read, as C would.
pub fn real(word: &[u8]) -> Option<f64> {
    let start = word.iter().position(|&byte| !is_space(byte))?;
    let digits = &word[start..];
    let len = digits.iter().position(|&byte| is_space(byte)).unwrap_or(digits.len());
    let text = std::str::from_utf8(&digits[..len]).ok()?;
    let value: f64 = text.parse().ok()?;
    (value.is_finite() || !text.contains(|letter: char| letter.is_ascii_digit())).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_c_reads_them() {
        for (word, want_unsigned, want_signed) in [
            ("0", Some(0), Some(0)),
            ("+7", Some(7), Some(7)),
            ("7\tx", Some(7), Some(7)),
            ("\t7", Some(7), Some(7)),
            ("-0", Some(0), Some(0)),
            ("-1", None, Some(-1)),
            ("-18446744073709551615", Some(1), None),
            ("18446744073709551615", Some(u64::MAX), None),
            ("18446744073709551616", None, None),
            ("9223372036854775807", Some(i64::MAX as u64), Some(i64::MAX)),
            ("-9223372036854775808", None, Some(i64::MIN)),
            ("-9223372036854775809", Some(i64::MAX as u64), None),
            ("", None, None),
            ("-", None, None),
            ("\t", None, None),
            ("\tx", None, None),
            ("1x", None, None),
            ("0x10", None, None),
            ("- 1", None, None),
        ] {
            assert_eq!(unsigned(word.as_bytes()), want_unsigned, "{word:?}");
            assert_eq!(signed(word.as_bytes()), want_signed, "{word:?}");
        }
        assert_eq!(unsigned_32(b"4294967297"), Some(1));
        assert_eq!(signed_32(b"2147483648"), Some(i32::MIN));
        for (word, want) in [
            ("0.5", Some(0.5)),
            (".5", Some(0.5)),
            ("2.", Some(2.0)),
            ("\t-1e1\tx", Some(-10.0)),
            ("inf", Some(f64::INFINITY)),
            ("1e999", None),
            ("", None),
            ("1x", None),
        ] {
            assert_eq!(real(word.as_bytes()), want, "{word:?}");
        }
    }
}
