//! Floating-point numbers as clients write and read them.
//!
//! Scores are doubles. Releases before 7.2 print them with seventeen significant digits as C's `%.17g` does, later ones
//! in few digits that read back. Text is made on the stack: ranges print many scores.
//!
//! Not here: the numbers that increments of strings and hashes are computed with, which are in [`crate::extended`].

use crate::grisu;
use command::{Release, v};
use std::cmp::Ordering;
use std::fmt::{self, Write};
use structures::number::{self, Decimal};

/// A number as text, on the stack.
#[derive(Clone, Copy)]
pub struct Text {
    bytes: [u8; TEXT_BYTES],
    len: u8,
}

/// Most decimals that are printed of coordinates, and of numbers of extended precision.
pub(crate) const DECIMALS: usize = 17;
/// Longer than any text of [`format`], [`general`] and [`fixed`].
const TEXT_BYTES: usize = 48;

impl Text {
    const EMPTY: Text = Text { bytes: [0; TEXT_BYTES], len: 0 };

    /// The text.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    #[inline]
    fn push(&mut self, bytes: &[u8]) {
        let len = usize::from(self.len);
        self.bytes[len..len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len() as u8;
    }

    fn push_zeros(&mut self, count: usize) {
        self.push(&[b'0'; TEXT_BYTES][..count]);
    }

    /// Takes back the zeros at the end, and a point before them.
    fn trim_fraction(&mut self) {
        while self.as_bytes().ends_with(b"0") {
            self.len -= 1;
        }
        if self.as_bytes().ends_with(b".") {
            self.len -= 1;
        }
    }
}

impl AsRef<[u8]> for Text {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl From<&str> for Text {
    #[inline]
    fn from(text: &str) -> Text {
        let mut new = Text::EMPTY;
        new.push(text.as_bytes());
        new
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if usize::from(self.len) + text.len() > TEXT_BYTES {
            return Err(fmt::Error);
        }
        self.push(text.as_bytes());
        Ok(())
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.as_bytes()))
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&String::from_utf8_lossy(self.as_bytes()), f)
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

/// Integers of up to this size are printed as such, before 7.2: these have seventeen digits or fewer.
const PLAIN_OLD: f64 = 4_503_599_627_370_496.0;
/// The same from 7.2 on: half the largest 64-bit integer.
const PLAIN_NEW: f64 = 4_611_686_018_427_387_904.0;

/// A double as text.
#[inline]
pub fn format(value: f64, release: Release) -> Text {
    let shortest = release.has(v(7, 2, 0));
    let plain = if shortest { PLAIN_NEW } else { PLAIN_OLD };
    if value.abs() <= plain && value == value.trunc() && (value != 0.0 || value.is_sign_positive()) {
        let mut text = Text::EMPTY;
        text.push(Decimal::new(value as i64).as_bytes());
        return text;
    }
    special(value).unwrap_or_else(|| if shortest { short_form(value) } else { general(value, 17) })
}

/// A double as text, as it goes into a digest: from 7.2 on integers have no more digits than they need, either.
pub fn digested(value: f64, release: Release) -> Text {
    if release.has(v(7, 2, 0)) {
        return special(value).unwrap_or_else(|| if value == 0.0 { "0".into() } else { short_form(value) });
    }
    format(value, release)
}

/// What is not a number of digits, and minus zero.
fn special(value: f64) -> Option<Text> {
    let text = if value.is_nan() {
        "nan"
    } else if value == f64::INFINITY {
        "inf"
    } else if value == f64::NEG_INFINITY {
        "-inf"
    } else if value == 0.0 && value.is_sign_negative() {
        "-0"
    } else {
        return None;
    };
    Some(text.into())
}

/// The digits of a number's absolute value, and the power of ten of the first of them.
struct Scientific {
    digits: Text,
    exponent: i32,
}

impl Scientific {
    /// From a text such as `1.25e-7`.
    fn of(text: &Text) -> Scientific {
        let mut new = Scientific { digits: Text::EMPTY, exponent: 0 };
        let mut bytes = text.as_bytes().split(|&byte| byte == b'e');
        for &byte in bytes.next().unwrap_or_default().iter().filter(|byte| byte.is_ascii_digit()) {
            new.digits.push(&[byte]);
        }
        let exponent = bytes.next().and_then(number::parse_i64);
        new.exponent = exponent.unwrap_or(0) as i32;
        new
    }
}

/// A finite double as C's `%.{digits}g` prints it, with at most seventeen digits.
pub fn general(value: f64, digits: usize) -> Text {
    let mut text = Text::EMPTY;
    // What is longest, `-1.0000000000000000e-308`, fits by far.
    let _ = write!(text, "{:.*e}", digits.clamp(1, 17) - 1, value.abs());
    let Scientific { digits: all, exponent } = Scientific::of(&text);
    let mut text = Text::EMPTY;
    if value.is_sign_negative() {
        text.push(b"-");
    }
    if exponent < -4 || exponent >= digits as i32 {
        let (first, rest) = all.as_bytes().split_at(1);
        text.push(first);
        text.push(b".");
        text.push(rest);
        text.trim_fraction();
        let sign = if exponent < 0 { '-' } else { '+' };
        let _ = write!(text, "e{sign}{:02}", exponent.abs());
    } else if exponent < 0 {
        text.push(b"0.");
        text.push_zeros((-exponent - 1) as usize);
        text.push(all.as_bytes());
        text.trim_fraction();
    } else {
        let (whole, fraction) = all.as_bytes().split_at(exponent as usize + 1);
        text.push(whole);
        if !fraction.is_empty() {
            text.push(b".");
            text.push(fraction);
            text.trim_fraction();
        }
    }
    text
}

/// A finite double in few digits that read back as it, as releases from 7.2 on print it.
fn short_form(value: f64) -> Text {
    let all = grisu::digits(value.abs());
    let (digits, last) = (all.as_bytes(), all.power);
    let count = digits.len() as i32;
    let exponent = last + count - 1;
    let mut text = Text::from(if value < 0.0 { "-" } else { "" });
    if last >= 0 && exponent.abs() < count + 7 {
        text.push(digits);
        text.push_zeros(last as usize);
    } else if last < 0 && (last > -7 || exponent.abs() < 4) {
        let before = count + last;
        if before <= 0 {
            text.push(b"0.");
            text.push_zeros(-before as usize);
            text.push(digits);
        } else {
            let (whole, fraction) = digits.split_at(before as usize);
            text.push(whole);
            text.push(b".");
            text.push(fraction);
        }
    } else {
        let (first, rest) = digits.split_at(1);
        text.push(first);
        if !rest.is_empty() {
            text.push(b".");
            text.push(rest);
        }
        let sign = if exponent < 0 { '-' } else { '+' };
        let _ = write!(text, "e{sign}{}", exponent.abs());
    }
    text
}

/// A number with so many decimals, at most seventeen, as C's `%.{decimals}f` prints it; larger numbers than `2^63` go without.
pub fn fixed(value: f64, decimals: usize) -> Text {
    if value.is_nan() || value.abs() >= 9_223_372_036_854_775_808.0 {
        return special(value).unwrap_or_else(|| general(value, 17));
    }
    let bits = value.abs().to_bits();
    let (biased, fraction) = ((bits >> 52) as i32, bits & ((1 << 52) - 1));
    let (mantissa, exponent) =
        if biased == 0 { (fraction, -1074) } else { (fraction | 1 << 52, biased - 1075) };
    // At most 53 bits and 57 for the power of ten.
    let power = 10u128.pow(decimals as u32);
    let scaled = if exponent >= 0 {
        (u128::from(mantissa) << exponent) * power
    } else {
        shift_rounded(u128::from(mantissa) * power, -exponent as u32)
    };
    let mut text = Text::from(if value.is_sign_negative() { "-" } else { "" });
    text.push(Decimal::new((scaled / power) as i64).as_bytes());
    if decimals > 0 {
        text.push(b".");
        let rest = Decimal::new((scaled % power) as i64);
        text.push_zeros(decimals - rest.as_bytes().len());
        text.push(rest.as_bytes());
    }
    text
}

/// A number with seventeen decimals, and then without the zeros at the end.
pub fn human(value: f64) -> Text {
    let mut text = fixed(value, DECIMALS);
    if text.as_bytes().contains(&b'.') {
        text.trim_fraction();
    }
    if text == *"-0" { "0".into() } else { text }
}

/// A distance, with four decimals. From 7.0.6 on they are found by a multiplication, which rounds before they do.
pub fn distance(value: f64, release: Release) -> Text {
    const SCALE: f64 = 10_000.0;
    if !release.has(v(7, 0, 6)) || value.is_nan() || value.abs() > PLAIN_OLD / SCALE {
        return fixed(value, 4);
    }
    let scaled = (value * SCALE).round_ties_even() as i64;
    let mut text = Text::from(if scaled < 0 { "-" } else { "" });
    let (whole, rest) = (scaled.abs() / SCALE as i64, Decimal::new(scaled.abs() % SCALE as i64));
    text.push(Decimal::new(whole).as_bytes());
    text.push(b".");
    text.push_zeros(4 - rest.as_bytes().len());
    text.push(rest.as_bytes());
    text
}

/// `value / 2^by`, rounded to the nearest, ties to even.
fn shift_rounded(value: u128, by: u32) -> u128 {
    if by > 127 {
        return 0;
    }
    let (quotient, rest) = (value >> by, value & ((1 << by) - 1));
    match rest.cmp(&(1 << by >> 1)) {
        Ordering::Less => quotient,
        Ordering::Equal => quotient + (quotient & 1),
        Ordering::Greater => quotient + 1,
    }
}

/// A double from text: all of it, no space in front, neither NaN nor out of a double's range.
#[inline]
pub fn parse(bytes: &[u8]) -> Option<f64> {
    plain(bytes).or_else(|| whole(bytes).filter(|read| !read.out_of_range).map(|read| read.value))
}

/// As [`parse`], but what is out of range is infinite or zero.
pub fn parse_any(bytes: &[u8]) -> Option<f64> {
    whole(bytes).map(|read| read.value)
}

/// A double from text as the limits of ranges are read: space may be in front, what is out of range is infinite or
/// zero, and text ends at a NUL. Nothing is zero.
pub fn parse_limit(bytes: &[u8]) -> Option<f64> {
    if let Some(value) = plain(bytes) {
        return Some(value);
    }
    let text = bytes.split(|&byte| byte == 0).next().unwrap_or_default();
    if text.is_empty() {
        return Some(0.0);
    }
    // What isspace() says of ASCII; the vertical tab is not among Rust's.
    let blanks = text.iter().take_while(|byte| byte.is_ascii_whitespace() || **byte == 11).count();
    let read = strtod(&text[blanks..])?;
    (blanks + read.len == text.len() && !read.value.is_nan()).then_some(read.value)
}

/// Up to fifteen digits, with a minus and a point perhaps: exact as a quotient of two exact doubles.
#[inline]
fn plain(bytes: &[u8]) -> Option<f64> {
    const POWERS: [f64; 16] =
        [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
    let (negative, text) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, bytes),
    };
    if text.len() > 16 {
        return None;
    }
    let (mut mantissa, mut digits, mut decimals) = (0u64, 0, None);
    for &byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            mantissa = mantissa * 10 + u64::from(digit);
            digits += 1;
        } else if byte == b'.' && decimals.is_none() {
            decimals = Some(digits);
        } else {
            return None;
        }
    }
    if digits == 0 || digits > 15 {
        return None;
    }
    let value = mantissa as f64;
    let value = decimals.map_or(value, |whole| value / POWERS[digits - whole]);
    Some(if negative { -value } else { value })
}

/// A number that is all of a text, and is one.
fn whole(bytes: &[u8]) -> Option<Read> {
    strtod(bytes).filter(|read| read.len == bytes.len() && !read.value.is_nan())
}

/// What was read at the beginning of a text.
struct Read {
    value: f64,
    /// How many bytes it took.
    len: usize,
    /// Whether the number is too large for a double, or too small.
    out_of_range: bool,
}

/// Reads a number as `strtod` does, but for space in front. Nothing if there is none.
fn strtod(bytes: &[u8]) -> Option<Read> {
    let (negative, sign_len) = match bytes.first()? {
        b'-' => (true, 1),
        b'+' => (false, 1),
        _ => (false, 0),
    };
    let text = &bytes[sign_len..];
    let starts = |word: &[u8]| text.get(..word.len()).is_some_and(|own| own.eq_ignore_ascii_case(word));
    let exact = |value, len| Some(Read { value, len, out_of_range: false });
    let read = if starts(b"infinity") {
        exact(f64::INFINITY, 8)
    } else if starts(b"inf") {
        exact(f64::INFINITY, 3)
    } else if starts(b"nan") {
        let is_inside = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        let inside = text.get(4..).map_or(0, |rest| rest.iter().take_while(|byte| is_inside(byte)).count());
        let closed = text.get(3) == Some(&b'(') && text.get(4 + inside) == Some(&b')');
        exact(f64::NAN, if closed { 5 + inside } else { 3 })
    } else if starts(b"0x") {
        hexadecimal(&text[2..]).map(|read| Read { len: read.len + 2, ..read }).or_else(|| exact(0.0, 1))
    } else {
        decimal(text)
    }?;
    let value = if negative { -read.value } else { read.value };
    Some(Read { value, len: sign_len + read.len, ..read })
}

/// How many digits are in front.
fn digits(bytes: &[u8], is_digit: impl Fn(&u8) -> bool) -> usize {
    bytes.iter().take_while(|byte| is_digit(byte)).count()
}

/// How many bytes whole digits, a point and further digits take; nothing if there is no digit.
fn mantissa_len(text: &[u8], is_digit: impl Fn(&u8) -> bool + Copy) -> Option<usize> {
    let whole = digits(text, is_digit);
    let fraction = match text.get(whole) {
        Some(b'.') => Some(digits(&text[whole + 1..], is_digit)),
        _ => None,
    };
    (whole + fraction.unwrap_or(0) > 0).then(|| whole + fraction.map_or(0, |fraction| 1 + fraction))
}

/// How many bytes an exponent takes, which begins with this letter; zero if there is none.
fn exponent_len(text: &[u8], letter: u8) -> usize {
    if !text.first().is_some_and(|byte| byte.eq_ignore_ascii_case(&letter)) {
        return 0;
    }
    let sign_len = usize::from(matches!(text.get(1), Some(b'+' | b'-')));
    match digits(&text[1 + sign_len..], u8::is_ascii_digit) {
        0 => 0,
        len => 1 + sign_len + len,
    }
}

fn decimal(text: &[u8]) -> Option<Read> {
    let mantissa_len = mantissa_len(text, u8::is_ascii_digit)?;
    let len = mantissa_len + exponent_len(&text[mantissa_len..], b'e');
    let value: f64 = std::str::from_utf8(&text[..len]).ok()?.parse().ok()?;
    let is_zero = text[..mantissa_len].iter().all(|byte| matches!(byte, b'0' | b'.'));
    Some(Read { value, len, out_of_range: value.is_infinite() || value == 0.0 && !is_zero })
}

/// What follows `0x`: digits, perhaps with a point, and perhaps a binary exponent.
fn hexadecimal(text: &[u8]) -> Option<Read> {
    let mantissa_len = mantissa_len(text, u8::is_ascii_hexdigit)?;
    let len = mantissa_len + exponent_len(&text[mantissa_len..], b'p');
    let (mantissa, exponent, cut) = hex_digits(std::str::from_utf8(&text[..len]).ok()?)?;
    let value = scaled(mantissa | u128::from(cut), exponent);
    Some(Read { value, len, out_of_range: value.is_infinite() || value == 0.0 && mantissa != 0 })
}

/// `mantissa * 2^exponent`, rounded once.
fn scaled(mantissa: u128, exponent: i32) -> f64 {
    if mantissa == 0 {
        return 0.0;
    }
    // The power of two of the first bit, and of the last one for which a double has room.
    let top = exponent + 127 - mantissa.leading_zeros() as i32;
    let last = (top - 52).max(-1074);
    if top > 1023 {
        return f64::INFINITY;
    }
    let (mantissa, exponent) = match last - exponent {
        by @ 1.. => (shift_rounded(mantissa, by as u32), last),
        _ => (mantissa, exponent),
    };
    // All factors are exact, and so is the product, unless it is infinite.
    let half = exponent / 2;
    mantissa as f64 * 2f64.powi(half) * 2f64.powi(exponent - half)
}

/// Hexadecimal digits, perhaps with a point and a binary exponent: the first digits as a number, its binary exponent,
/// and whether anything is cut off.
pub(crate) fn hex_digits(text: &str) -> Option<(u128, i32, bool)> {
    let (digits, exponent) = match text.split_once(['p', 'P']) {
        Some((digits, exponent)) => {
            (digits, exponent.parse::<i64>().ok()?.clamp(-1_000_000, 1_000_000) as i32)
        }
        None => (text, 0),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let (mut mantissa, mut exponent, mut cut) = (0u128, exponent - 4 * fraction.len() as i32, false);
    for digit in whole.chars().chain(fraction.chars()) {
        let digit = u128::from(digit.to_digit(16)?);
        // One bit stays free, so that what is cut off can be told by setting the last one.
        if mantissa < 1 << 123 {
            mantissa = mantissa << 4 | digit;
        } else {
            exponent += 4;
            cut |= digit != 0;
        }
    }
    Some((mantissa, exponent, cut))
}

/// Whether text stands for an infinite number, as `strtod` reads it.
pub fn is_infinite(bytes: &[u8]) -> bool {
    let unsigned = bytes.strip_prefix(b"-").or_else(|| bytes.strip_prefix(b"+")).unwrap_or(bytes);
    unsigned.eq_ignore_ascii_case(b"inf") || unsigned.eq_ignore_ascii_case(b"infinity")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_as_the_releases_print_them() {
        for (value, old, new) in [
            (1.1, "1.1000000000000001", "1.1"),
            (1e20, "1e+20", "1e+20"),
            (1e-7, "9.9999999999999995e-08", "1e-7"),
            (123456789012345678.0, "1.2345678901234568e+17", "123456789012345680"),
            (0.1, "0.10000000000000001", "0.1"),
            (3.0, "3", "3"),
            (17179869184.0, "17179869184", "17179869184"),
            (1e17, "1e+17", "100000000000000000"),
            (1e16, "10000000000000000", "10000000000000000"),
            (4_611_686_018_427_387_904.0, "4.6116860184273879e+18", "4611686018427387904"),
            (1e19, "1e+19", "1e+19"),
            (-1e22, "-1e+22", "-1e+22"),
            (1.5e-7, "1.4999999999999999e-07", "1.5e-7"),
            (0.00025, "0.00025000000000000001", "0.00025"),
            (5e-324, "4.9406564584124654e-324", "5e-324"),
            (f64::MAX, "1.7976931348623157e+308", "1.7976931348623157e+308"),
            (0.30000000000000004, "0.30000000000000004", "0.30000000000000004"),
            (-2.5, "-2.5", "-2.5"),
            (f64::INFINITY, "inf", "inf"),
            (-0.0, "-0", "-0"),
        ] {
            assert_eq!(format(value, Release::V7_0), *old);
            assert_eq!(format(value, Release::V7_4), *new);
        }
    }

    #[test]
    fn text_is_read_as_strtod_reads_it() {
        for (text, want) in [
            ("1.5", Some(1.5)),
            (".5", Some(0.5)),
            ("5.", Some(5.0)),
            ("+3e2", Some(300.0)),
            ("0x10", Some(16.0)),
            ("0x10000000000000800000000000000000000000000000001", Some(2.4519928653854227e55)),
            ("0x1p9999", None),
            ("0x1p", None),
            ("-inf", Some(f64::NEG_INFINITY)),
            ("Infinity", Some(f64::INFINITY)),
            ("nan", None),
            ("", None),
            (" 1", None),
            ("1 ", None),
            ("1e", None),
            ("--1", None),
            ("abc", None),
            ("-0.001", Some(-0.001)),
            ("000000123456", Some(123_456.0)),
            ("123456789012345", Some(123_456_789_012_345.0)),
            ("9007199254740993", Some(9_007_199_254_740_992.0)),
            ("1234567890.12345678", Some(1_234_567_890.123_456_8)),
            (".", None),
            ("-", None),
            ("1e400", None),
            ("1e-400", None),
            ("0e-400", Some(0.0)),
            ("1e-310", Some(1e-310)),
            ("nan(1)", None),
            ("infinit", None),
            ("0x", None),
            ("0x.8p1", Some(1.0)),
            ("0x1p-1074", Some(5e-324)),
            ("0x1p-1075", None),
            ("0x1.8p-1074", Some(1e-323)),
            ("0x1p1024", None),
            ("0x20000000000001", Some(9_007_199_254_740_992.0)),
            ("0x200000000000010000001", Some(2_417_851_639_229_258_886_873_088.0)),
        ] {
            assert_eq!(parse(text.as_bytes()), want, "{text:?}");
        }
        assert_eq!((parse_any(b"1e400"), parse_any(b"1e-400")), (Some(f64::INFINITY), Some(0.0)));
        assert_eq!((parse_any(b"nan"), parse_any(b"1 ")), (None, None));
        assert!(parse(b"-0").is_some_and(|value| value == 0.0 && value.is_sign_negative()));
    }

    #[test]
    fn limits_are_read_more_loosely() {
        for (text, want) in [
            ("", Some(0.0)),
            (" 1", Some(1.0)),
            ("\x0b\t-.5", Some(-0.5)),
            ("  ", None),
            ("1 ", None),
            ("1\0x", Some(1.0)),
            ("\0x", Some(0.0)),
            ("1e400", Some(f64::INFINITY)),
            ("1e-400", Some(0.0)),
            ("nan", None),
            ("+inf", Some(f64::INFINITY)),
            ("x", None),
        ] {
            assert_eq!(parse_limit(text.as_bytes()), want, "{text:?}");
        }
    }

    #[test]
    fn plain_numbers_are_exact() {
        let mut state = 1u64;
        for _ in 0..100_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (value, point) = ((state >> 14) % 1_000_000_000_000_000, state as usize % 17);
            let mut text = value.to_string();
            text.insert(point.min(text.len()), '.');
            assert_eq!(plain(text.as_bytes()), text.parse().ok(), "{text}");
        }
    }

    #[test]
    fn decimals_are_rounded_as_printf_rounds_them() {
        for (value, four, all) in [
            (166_274.151_56, "166274.1516", "166274.15155999999842606"),
            (0.0, "0.0000", "0"),
            (-0.0, "-0.0000", "0"),
            (0.000_05, "0.0001", "0.00005"),
            (0.031_25, "0.0312", "0.03125"),
            (13.361_389_338_970_184, "13.3614", "13.36138933897018433"),
            (-180.0, "-180.0000", "-180"),
            (1e-30, "0.0000", "0"),
            (9e18, "9000000000000000000.0000", "9000000000000000000"),
            (1e20, "1e+20", "1e+20"),
            (f64::NAN, "nan", "nan"),
        ] {
            assert_eq!(fixed(value, 4), *four);
            assert_eq!(human(value), *all);
        }
        for (value, old, new) in [
            (166_274.151_56, "166274.1516", "166274.1516"),
            (0.000_05, "0.0001", "0.0000"),
            (-2.5, "-2.5000", "-2.5000"),
        ] {
            assert_eq!(distance(value, Release::V6_2), *old);
            assert_eq!(distance(value, Release::V7_0), *new);
        }
    }
}
