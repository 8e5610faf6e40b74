//! Numbers of extended precision: the increments of strings and hashes are computed with them, and printed with
//! seventeen decimals.

use crate::float::{DECIMALS, hex_digits};
use std::cmp::Ordering;

/// A number of the x87's extended precision: 64 bits of mantissa, 15 of exponent.
///
/// It is what `long double` is where Redis' own figures come from; computed here in integers, so that every machine
/// gives the same digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extended {
    negative: bool,
    /// The value is `mantissa * 2^exponent`; the mantissa's top bit is set, unless it is zero.
    mantissa: u64,
    exponent: i32,
}

/// The exponents of the largest and the smallest normal numbers, as they stand in [`Extended`].
const MAX_EXPONENT: i32 = 16_383 - 63;
const MIN_EXPONENT: i32 = -16_382 - 63;
/// From this length on text is not read as a number.
const MAX_TEXT: usize = 5 * 1024;
/// Powers of five, and of ten, up to these fit into 64 bits.
const MAX_FIVES: i32 = 27;
const MAX_TENS: i32 = 19;
/// The exponents of the smallest numbers that do not become zero, as they stand in [`Extended`].
const MIN_DENORMAL_EXPONENT: i32 = -16_446 - 63;

impl Extended {
    /// Zero.
    pub const ZERO: Extended = Extended { negative: false, mantissa: 0, exponent: 0 };

    /// Reads a decimal number, all of the text; neither NaN nor infinite, nor so small that it becomes zero.
    pub fn parse(bytes: &[u8]) -> Option<Extended> {
        if bytes.len() >= MAX_TEXT {
            return None;
        }
        let text = std::str::from_utf8(bytes).ok()?;
        let (negative, unsigned) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        if let Some(hex) = unsigned.strip_prefix("0x").or_else(|| unsigned.strip_prefix("0X")) {
            let (mantissa, exponent, cut) = hex_digits(hex)?;
            return Extended::normal(negative, mantissa, exponent, cut).in_range();
        }
        let (digits, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((digits, exponent)) => {
                (digits, exponent.parse::<i64>().ok()?.clamp(-1_000_000, 1_000_000) as i32)
            }
            None => (unsigned, 0),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() && fraction.is_empty() || !all_digits(whole) || !all_digits(fraction) {
            return None;
        }
        let power = exponent - fraction.len() as i32;
        if whole.len() + fraction.len() <= MAX_TENS as usize {
            let digits = whole.bytes().chain(fraction.bytes());
            let significant = digits.fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
            if let Some(value) = Extended::from_short(negative, significant, power) {
                return Some(value);
            }
        }
        let significant = format!("{whole}{fraction}");
        let significant = significant.trim_start_matches('0');
        if significant.is_empty() {
            return Some(Extended { negative, ..Extended::ZERO });
        }
        let magnitude = power + significant.len() as i32;
        if !(-4_960..=4_940).contains(&magnitude) {
            return None;
        }
        let numerator = Big::from_decimal(significant);
        let value = if power >= 0 {
            Extended::from_ratio(negative, numerator.times_power_of_ten(power as u32), Big::from(1))
        } else {
            Extended::from_ratio(negative, numerator, Big::from(1).times_power_of_ten(-power as u32))
        };
        value.in_range()
    }

    /// A number that was read: nothing if it is infinite, or becomes zero without being zero.
    fn in_range(self) -> Option<Extended> {
        let smallest = self.exponent == MIN_DENORMAL_EXPONENT && self.mantissa == 1 << 63;
        let vanishes = self.mantissa != 0 && (self.exponent < MIN_DENORMAL_EXPONENT || smallest);
        (!vanishes && self.is_finite()).then(|| self.flushed())
    }

    /// `significant * 10^power` where that can be had from one division or multiplication.
    fn from_short(negative: bool, significant: u64, power: i32) -> Option<Extended> {
        if significant == 0 {
            return Some(Extended { negative, ..Extended::ZERO });
        }
        let wide = u128::from(significant);
        match power {
            0..=MAX_TENS => Some(Extended::normal(negative, wide * 10u128.pow(power as u32), 0, false)),
            _ if (-MAX_FIVES..0).contains(&power) => {
                // Shifted up as far as it goes it has 65 bits more than the divisor at least.
                let up = wide.leading_zeros();
                let divisor = 5u128.pow(-power as u32);
                let (numerator, exponent) = (wide << up, power - up as i32);
                let exact = numerator.is_multiple_of(divisor);
                Some(Extended::normal(negative, numerator / divisor, exponent, !exact))
            }
            _ => None,
        }
    }

    /// Whether it is below zero, or zero below.
    pub fn is_negative(&self) -> bool {
        self.negative
    }

    /// A power of ten, rounded.
    pub(crate) fn power_of_ten(power: i32) -> Extended {
        let (one, ten) = (Big::from(1), Big::from(1).times_power_of_ten(power.unsigned_abs()));
        if power >= 0 { Extended::from_ratio(false, ten, one) } else { Extended::from_ratio(false, one, ten) }
    }

    /// The 64 bits of the mantissa, an integer.
    pub(crate) fn mantissa(&self) -> u64 {
        self.mantissa
    }

    /// The power of two by which the mantissa is multiplied.
    pub(crate) fn exponent(&self) -> i32 {
        self.exponent
    }

    /// A double, exactly; nothing if it is not finite.
    pub fn from_f64(value: f64) -> Option<Extended> {
        if !value.is_finite() {
            return None;
        }
        let bits = value.to_bits();
        let biased = (bits >> 52 & 0x7FF) as i32;
        let fraction = bits & ((1 << 52) - 1);
        let (mantissa, exponent) =
            if biased == 0 { (fraction, -1074) } else { (fraction | 1 << 52, biased - 1075) };
        Some(Extended::normal(value.is_sign_negative(), u128::from(mantissa), exponent, false))
    }

    /// The sum; infinite sums are nothing.
    pub fn add(&self, other: &Extended) -> Option<Extended> {
        let (high, low) = if self.exponent >= other.exponent { (self, other) } else { (other, self) };
        if high.mantissa == 0 {
            return Some(if low.mantissa == 0 {
                Extended { negative: high.negative && low.negative, ..Extended::ZERO }
            } else {
                low.clone()
            });
        }
        if low.mantissa == 0 {
            return Some(high.clone());
        }
        // Both mantissas have their top bits set: with 62 more bits below, and one that says whether anything was
        // cut off, the sum is rounded as if it were exact.
        let shift = (high.exponent - low.exponent) as u32;
        let a = u128::from(high.mantissa) << 62;
        let wide = u128::from(low.mantissa) << 62;
        let (b, cut) = if shift >= 127 {
            (0, true)
        } else {
            (wide >> shift, wide << (128 - shift.max(1)) != 0 && shift > 0)
        };
        let exponent = high.exponent - 62;
        let sum = if high.negative == low.negative {
            Extended::normal(high.negative, a + b, exponent, cut)
        } else {
            match a.cmp(&b) {
                Ordering::Equal if !cut => Extended::ZERO,
                Ordering::Less => Extended::normal(low.negative, b - a, exponent, cut),
                // What was cut off makes the true difference a little smaller.
                _ if cut => Extended::normal(high.negative, a - b - 1, exponent, true),
                _ => Extended::normal(high.negative, a - b, exponent, false),
            }
        };
        sum.is_finite().then(|| sum.flushed())
    }

    /// The number with seventeen decimals, and then without trailing zeros.
    pub fn to_text(&self) -> String {
        match self.to_scaled() {
            Some(scaled) => {
                let unit = 10u128.pow(DECIMALS as u32);
                let (whole, fraction) = (scaled / unit, (scaled % unit) as u64);
                let sign = if self.negative && scaled > 0 { "-" } else { "" };
                if fraction == 0 {
                    return format!("{sign}{whole}");
                }
                let text = format!("{sign}{whole}.{fraction:0DECIMALS$}");
                text.trim_end_matches('0').to_owned()
            }
            None => self.to_long_text(),
        }
    }

    /// The number times 10^17, rounded to the nearest integer, ties to even, as printf does; if it has 128 bits or less.
    fn to_scaled(&self) -> Option<u128> {
        let scaled = u128::from(self.mantissa) * 10u128.pow(DECIMALS as u32);
        match u32::try_from(-self.exponent) {
            Ok(0) => Some(scaled),
            Ok(down @ 1..128) => {
                let (kept, cut) = (scaled >> down, scaled << (128 - down));
                let half = 1 << 127;
                Some(kept + u128::from(cut > half || cut == half && kept & 1 == 1))
            }
            Ok(_) => Some(0),
            Err(_) => None,
        }
    }

    /// As [`Extended::to_text`], for any number.
    fn to_long_text(&self) -> String {
        let scaled = Big::from(self.mantissa).times_power_of_ten(DECIMALS as u32);
        let digits = if self.exponent >= 0 {
            scaled.shifted_left(self.exponent as u32)
        } else {
            scaled.shifted_right_rounded(-self.exponent as u32)
        }
        .to_decimal();
        let digits = format!("{digits:0>width$}", width = DECIMALS + 1);
        let (whole, fraction) = digits.split_at(digits.len() - DECIMALS);
        let fraction = fraction.trim_end_matches('0');
        let zero = whole == "0" && fraction.is_empty();
        let sign = if self.negative && !zero { "-" } else { "" };
        if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
    }

    fn is_finite(&self) -> bool {
        self.mantissa == 0 || self.exponent <= MAX_EXPONENT
    }

    /// `value * 2^exponent` with its top bit moved up and rounded to 64 bits, ties to even; `cut` says that the true
    /// value is a little larger.
    fn normal(negative: bool, value: u128, exponent: i32, cut: bool) -> Extended {
        if value == 0 {
            return Extended { negative, ..Extended::ZERO };
        }
        let up = value.leading_zeros();
        let (value, mut exponent) = (value << up, exponent - up as i32 + 64);
        let mut mantissa = (value >> 64) as u64;
        let rest = value as u64;
        let half = 1 << 63;
        if rest > half || rest == half && (cut || mantissa & 1 == 1) {
            let (rounded, carried) = mantissa.overflowing_add(1);
            mantissa = if carried { half } else { rounded };
            exponent += i32::from(carried);
        }
        Extended { negative, mantissa, exponent }
    }

    /// Zero if it is less than any normal number: denormal ones have fewer bits, but none of their digits is among the
    /// first seventeen decimals.
    fn flushed(self) -> Extended {
        if self.exponent < MIN_EXPONENT {
            Extended { negative: self.negative, ..Extended::ZERO }
        } else {
            self
        }
    }

    /// A ratio, rounded.
    fn from_ratio(negative: bool, numerator: Big, denominator: Big) -> Extended {
        // Enough bits that the quotient has between 66 and 127.
        let shift = 96 + denominator.bits() as i32 - numerator.bits() as i32;
        let (numerator, denominator) = if shift >= 0 {
            (numerator.shifted_left(shift as u32), denominator)
        } else {
            (numerator, denominator.shifted_left(-shift as u32))
        };
        let (quotient, exact) = numerator.divided_by(&denominator);
        Extended::normal(negative, quotient, -shift, !exact)
    }
}

/// A natural number of any size, in 32-bit digits, least first.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Big(Vec<u32>);

impl From<u64> for Big {
    fn from(value: u64) -> Big {
        let mut big = Big(vec![value as u32, (value >> 32) as u32]);
        big.trim();
        big
    }
}

impl Big {
    fn trim(&mut self) {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    fn from_decimal(digits: &str) -> Big {
        let mut big = Big(Vec::new());
        for chunk in digits.as_bytes().chunks(9) {
            let value = chunk.iter().fold(0, |value, digit| value * 10 + u32::from(digit - b'0'));
            big.multiply_add(10u32.pow(chunk.len() as u32), value);
        }
        big
    }

    fn multiply_add(&mut self, factor: u32, summand: u32) {
        let mut carry = u64::from(summand);
        for digit in &mut self.0 {
            let value = u64::from(*digit) * u64::from(factor) + carry;
            *digit = value as u32;
            carry = value >> 32;
        }
        if carry > 0 {
            self.0.push(carry as u32);
        }
    }

    fn times_power_of_ten(mut self, power: u32) -> Big {
        for _ in 0..power / 9 {
            self.multiply_add(1_000_000_000, 0);
        }
        self.multiply_add(10u32.pow(power % 9), 0);
        self.trim();
        self
    }

    fn bits(&self) -> u32 {
        self.0.last().map_or(0, |last| self.0.len() as u32 * 32 - last.leading_zeros())
    }

    fn shifted_left(&self, by: u32) -> Big {
        let mut digits = vec![0; (by / 32) as usize];
        let bits = by % 32;
        let mut carry = 0;
        for &digit in &self.0 {
            let value = u64::from(digit) << bits | carry;
            digits.push(value as u32);
            carry = value >> 32;
        }
        digits.push(carry as u32);
        let mut big = Big(digits);
        big.trim();
        big
    }

    fn bit(&self, index: u32) -> bool {
        self.0.get((index / 32) as usize).is_some_and(|digit| digit >> (index % 32) & 1 == 1)
    }

    /// Without the last `by` bits, rounded to the nearest, ties to even.
    fn shifted_right_rounded(&self, by: u32) -> Big {
        let (skip, bits) = ((by / 32) as usize, by % 32);
        let mut digits = Vec::new();
        for index in skip..self.0.len() {
            let low = u64::from(self.0[index]);
            let high = u64::from(self.0.get(index + 1).copied().unwrap_or(0));
            digits.push(((high << 32 | low) >> bits) as u32);
        }
        let mut big = Big(digits);
        let half = by > 0 && self.bit(by - 1);
        let below = by > 1 && (0..by - 1).any(|index| self.bit(index));
        if half && (below || big.bit(0)) {
            if big.0.is_empty() {
                big.0.push(0);
            }
            big.multiply_add(1, 1);
        }
        big.trim();
        big
    }

    /// The quotient, which has at most 127 bits, and whether there is no remainder.
    fn divided_by(&self, divisor: &Big) -> (u128, bool) {
        let mut remainder = Big(Vec::new());
        let mut quotient = 0u128;
        for index in (0..self.bits()).rev() {
            remainder = remainder.shifted_left(1);
            if self.bit(index) {
                remainder.multiply_add(1, 1);
                if remainder.0.is_empty() {
                    remainder.0.push(1);
                }
            }
            quotient <<= 1;
            if remainder.compare(divisor) != Ordering::Less {
                remainder.subtract(divisor);
                quotient |= 1;
            }
        }
        (quotient, remainder.0.is_empty())
    }

    fn compare(&self, other: &Big) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }

    fn subtract(&mut self, other: &Big) {
        let mut borrow = 0;
        for (index, digit) in self.0.iter_mut().enumerate() {
            let value = i64::from(*digit) - i64::from(other.0.get(index).copied().unwrap_or(0)) - borrow;
            *digit = value as u32;
            borrow = i64::from(value < 0);
        }
        self.trim();
    }

    fn to_decimal(&self) -> String {
        let mut rest = self.0.clone();
        let mut chunks = Vec::new();
        while !rest.is_empty() {
            let mut remainder = 0u64;
            for digit in rest.iter_mut().rev() {
                let value = remainder << 32 | u64::from(*digit);
                *digit = (value / 1_000_000_000) as u32;
                remainder = value % 1_000_000_000;
            }
            chunks.push(remainder);
            while rest.last() == Some(&0) {
                rest.pop();
            }
        }
        let mut text = chunks.pop().unwrap_or(0).to_string();
        for chunk in chunks.iter().rev() {
            text.push_str(&format!("{chunk:09}"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn increments_have_the_digits_of_extended_precision() {
        for (a, b, want) in [
            ("10.50", "0.1", "10.6"),
            ("10.6", "-5", "5.6"),
            ("5.6", "5.0e3", "5005.60000000000000009"),
            ("3", "1.1", "4.1"),
            ("4.1", "200000000000000000000", "200000000000000000000"),
            ("0", "3.0e-10", "0.0000000003"),
            ("0", "0.00000000000000000001", "0"),
            ("1.0", "0", "1"),
            ("0.1", "0.2", "0.3"),
            ("-1.5", "1.5", "0"),
            ("1e17", "0.5", "100000000000000000.5"),
            ("0x10", "0x1.8p0", "17.5"),
            ("0xFFFFFFFFFFFFFFFF8", "0", "295147905179352825856"),
        ] {
            let sum = Extended::parse(a.as_bytes()).unwrap().add(&Extended::parse(b.as_bytes()).unwrap());
            assert_eq!(sum.unwrap().to_text(), want, "{a} + {b}");
        }
        for text in ["abc", "inf", "nan", "", "1e5000", "1 ", ".", "1e", "1e-4951", "-1e-5000"] {
            assert_eq!(Extended::parse(text.as_bytes()), None, "{text:?}");
        }
        for text in ["0e-9999", "1e-4950", "-0", "0.0"] {
            assert_eq!(Extended::parse(text.as_bytes()).map(|value| value.mantissa), Some(0), "{text:?}");
        }
    }

    #[test]
    fn short_numbers_take_a_shorter_way_to_the_same_digits() {
        let mut random = 0x9E37_79B9_7F4A_7C15u64;
        for _ in 0..20_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let significant = (random >> 8) >> (random % 56);
            let power = ((random >> 40) % 47) as i32 - MAX_FIVES;
            let short = Extended::from_short(false, significant, power).unwrap();
            let digits = Big::from_decimal(&significant.to_string());
            let long = match significant {
                0 => Extended::ZERO,
                _ if power < 0 => {
                    Extended::from_ratio(false, digits, Big::from(1).times_power_of_ten(-power as u32))
                }
                _ => Extended::from_ratio(false, digits.times_power_of_ten(power as u32), Big::from(1)),
            };
            assert_eq!(short, long, "{significant}e{power}");
            assert_eq!(short.to_text(), short.to_long_text(), "{significant}e{power}");
        }
    }

    #[test]
    fn doubles_are_exact() {
        for (value, want) in [
            (1.5, "1.5"),
            (-0.1, "-0.10000000000000001"),
            (1e30, "1000000000000000019884624838656"),
            (5e-324, "0"),
        ] {
            let text = Extended::from_f64(value).unwrap().to_text();
            assert_eq!(text, want);
        }
    }
}
