//! Few digits that read back as a double, by the second of Florian Loitsch's Grisu algorithms.
//!
//! Releases from 7.2 on print doubles so. The digits are the fewest in all but one of a thousand cases, where they are
//! one more; to print what Redis prints, those cases matter.

use crate::extended::Extended;
use std::sync::LazyLock;

/// A number `fraction * 2^exponent`.
#[derive(Clone, Copy)]
struct Binary {
    fraction: u64,
    exponent: i32,
}

/// The digits of a number, which is them times a power of ten.
pub(crate) struct Digits {
    bytes: [u8; 18],
    len: usize,
    /// The power of ten of the last digit.
    pub(crate) power: i32,
}

impl Digits {
    /// The digits.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn push(&mut self, digit: u64) {
        // No zeros in front.
        if digit > 0 || self.len > 0 {
            self.bytes[self.len] = b'0' + digit as u8;
            self.len += 1;
        }
    }
}

/// Powers of ten, from the first on in steps.
static POWERS: LazyLock<Vec<Binary>> = LazyLock::new(|| {
    let power = |index: i32| {
        let power = Extended::power_of_ten(FIRST_POWER + STEP * index);
        Binary { fraction: power.mantissa(), exponent: power.exponent() }
    };
    (0..POWERS_LEN).map(power).collect()
});

const FIRST_POWER: i32 = -348;
const STEP: i32 = 8;
const POWERS_LEN: i32 = 87;
/// Where a product with a power of ten must have its point, so that what is before it has up to ten digits.
const POINT: std::ops::RangeInclusive<i32> = -60..=-32;

/// A power of ten with which a number of this exponent comes into the range of [`POINT`], and its exponent.
fn power_for(exponent: i32) -> (Binary, i32) {
    let guess = -f64::from(exponent + POWERS_LEN) * std::f64::consts::LOG10_2;
    let mut index = (guess as i32 - FIRST_POWER) / STEP;
    // More than one may do; which is taken decides on the digits.
    loop {
        let power = POWERS[index as usize];
        let point = exponent + power.exponent + 64;
        if point < *POINT.start() {
            index += 1;
        } else if point > *POINT.end() {
            index -= 1;
        } else {
            return (power, FIRST_POWER + STEP * index);
        }
    }
}

impl Binary {
    /// The first bits of a product, rounded.
    fn times(self, other: Binary) -> Binary {
        let product = u128::from(self.fraction) * u128::from(other.fraction) + (1 << 63);
        Binary { fraction: (product >> 64) as u64, exponent: self.exponent + other.exponent + 64 }
    }

    /// The same number with all bits in use.
    fn normal(self) -> Binary {
        let up = self.fraction.leading_zeros();
        Binary { fraction: self.fraction << up, exponent: self.exponent - up as i32 }
    }
}

/// The digits of a double that is finite and above zero.
pub(crate) fn digits(value: f64) -> Digits {
    debug_assert!(value.is_finite() && value > 0.0);
    const HIDDEN: u64 = 1 << 52;
    let (biased, fraction) = ((value.to_bits() >> 52) as i32 & 0x7FF, value.to_bits() & (HIDDEN - 1));
    let own = match biased {
        0 => Binary { fraction, exponent: -1074 },
        _ => Binary { fraction: fraction | HIDDEN, exponent: biased - 1075 },
    };
    // Half of the way to the next double; below a power of two the next one is half as far.
    let upper = Binary { fraction: 2 * own.fraction + 1, exponent: own.exponent - 1 }.normal();
    let shift = if own.fraction == HIDDEN { 2 } else { 1 };
    let lower = (own.fraction << shift) - 1;
    let lower = lower << (own.exponent - shift - upper.exponent);
    let (power, decimal_exponent) = power_for(upper.exponent);
    let value = own.normal().times(power);
    // One less on either side, since products are rounded.
    let upper = upper.times(power);
    let upper = Binary { fraction: upper.fraction - 1, ..upper };
    let lower = Binary { fraction: lower, exponent: upper.exponent }.times(power).fraction + 1;
    generate(value.fraction, upper, lower, -decimal_exponent)
}

/// Digits of `upper` until what is left out takes it below `lower` otherwise; then the last is moved towards the value.
fn generate(value: u64, upper: Binary, lower: u64, power: i32) -> Digits {
    let mut digits = Digits { bytes: [0; 18], len: 0, power };
    let (distance, mut delta) = (upper.fraction - value, upper.fraction - lower);
    let point = -upper.exponent as u32;
    let one = 1u64 << point;
    let (mut whole, mut rest) = (upper.fraction >> point, upper.fraction & (one - 1));
    let mut unit = 1_000_000_000;
    for kappa in (0..10).rev() {
        digits.push(whole / unit);
        whole %= unit;
        let left = (whole << point) + rest;
        if left <= delta {
            digits.power += kappa;
            approach(&mut digits, delta, left, unit << point, distance);
            return digits;
        }
        unit /= 10;
    }
    let mut scale = 1u64;
    loop {
        rest *= 10;
        delta *= 10;
        scale = scale.wrapping_mul(10);
        digits.power -= 1;
        digits.push(rest >> point);
        rest &= one - 1;
        if rest < delta {
            approach(&mut digits, delta, rest, one, distance.wrapping_mul(scale));
            return digits;
        }
    }
}

/// Lowers the last digit as long as that comes closer to the value and stays within the limits.
fn approach(digits: &mut Digits, delta: u64, rest: u64, unit: u64, distance: u64) {
    let mut rest = rest;
    while rest < distance
        && delta - rest >= unit
        && (rest + unit < distance || distance - rest > rest + unit - distance)
    {
        digits.bytes[digits.len - 1] -= 1;
        rest += unit;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: f64) -> String {
        let digits = digits(value);
        format!("{}e{}", String::from_utf8_lossy(digits.as_bytes()), digits.power)
    }

    #[test]
    fn powers_of_ten_have_the_published_bits() {
        let bits = |index: usize| (POWERS[index].fraction, POWERS[index].exponent);
        assert_eq!(bits(0), (0xFA8F_D5A0_081C_0288, -1220));
        assert_eq!(bits(86), (0xAF87_023B_9BF0_EE6B, 1066));
        assert_eq!(bits(44), (0x9C40_0000_0000_0000, -50));
    }

    #[test]
    fn digits_read_back_and_are_nearly_always_the_fewest() {
        let mut state = 7u64;
        let mut longer = 0;
        for _ in 0..200_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let value = f64::from_bits(state & (u64::MAX >> 1));
            if value.is_finite() && value > 0.0 {
                let text = text(value);
                assert_eq!(text.parse(), Ok(value), "{text}");
                let fewest =
                    format!("{value:e}").split('e').next().unwrap_or_default().replace('.', "").len();
                longer += usize::from(digits(value).as_bytes().len() > fewest);
            }
        }
        assert!((1..600).contains(&longer), "{longer} of 200,000 have more digits than needed");
    }

    #[test]
    fn known_doubles() {
        for (value, want) in [
            (0.1, "1e-1"),
            (1.1, "11e-1"),
            (5e-324, "5e-324"),
            (f64::MAX, "17976931348623157e292"),
            (f64::MIN_POSITIVE, "22250738585072014e-324"),
            (0.30000000000000004, "30000000000000004e-17"),
            (1e22, "1e22"),
            // The end of what reads back as this is not taken for a part of it.
            (1e23, "9999999999999999e7"),
        ] {
            assert_eq!(text(value), want);
        }
    }
}
