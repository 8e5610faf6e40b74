//! Integers in decimal, as the keyspace understands them.
//!
//! A string *is* an integer here when it is the canonical decimal form of an `i64`: no sign but a leading minus,
//! no leading zeros, no spaces, not `-0`. Only then may it be stored as an integer, because only then does
//! formatting the integer give the client's bytes back.

/// The longest canonical form of an `i64`, in bytes.
pub const MAX_DIGITS: usize = 20;

/// Reads the canonical decimal form of an `i64`; anything else is `None`.
#[inline]
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    match digits {
        [b'0'] => return (!negative).then_some(0),
        [b'1'..=b'9', ..] if digits.len() < MAX_DIGITS => {}
        _ => return None,
    }
    let mut value: u64 = 0;
    for &digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        // Nineteen digits stay below 10^19, which a u64 holds.
        value = value * 10 + u64::from(digit);
    }
    if negative {
        (value <= 1 << 63).then(|| (value as i64).wrapping_neg())
    } else {
        i64::try_from(value).ok()
    }
}

/// The decimal form of an integer, on the stack.
#[derive(Clone, Copy)]
pub struct Decimal {
    bytes: [u8; MAX_DIGITS],
    start: u8,
}

const PAIRS: [u8; 200] = {
    let mut pairs = [0; 200];
    let mut n = 0;
    while n < 100 {
        pairs[2 * n] = b'0' + (n / 10) as u8;
        pairs[2 * n + 1] = b'0' + (n % 10) as u8;
        n += 1;
    }
    pairs
};

impl Decimal {
    /// Formats `value`.
    #[inline]
    pub fn new(value: i64) -> Self {
        let mut bytes = [0; MAX_DIGITS];
        let mut at = MAX_DIGITS;
        let mut rest = value.unsigned_abs();
        while rest >= 100 {
            let pair = (rest % 100) as usize * 2;
            rest /= 100;
            at -= 2;
            bytes[at] = PAIRS[pair];
            bytes[at + 1] = PAIRS[pair + 1];
        }
        if rest >= 10 {
            at -= 2;
            bytes[at] = PAIRS[rest as usize * 2];
            bytes[at + 1] = PAIRS[rest as usize * 2 + 1];
        } else {
            at -= 1;
            bytes[at] = b'0' + rest as u8;
        }
        if value < 0 {
            at -= 1;
            bytes[at] = b'-';
        }
        Decimal { bytes, start: at as u8 }
    }

    /// The digits, with a leading minus where the number is negative.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[usize::from(self.start)..]
    }
}

impl AsRef<[u8]> for Decimal {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

/// The number of bytes of the decimal form of `value`.
#[inline]
pub fn digits(value: i64) -> usize {
    let magnitude = value.unsigned_abs();
    usize::from(value < 0) + magnitude.checked_ilog10().unwrap_or(0) as usize + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_canonical_forms_are_integers() {
        for (text, want) in [
            ("0", Some(0)),
            ("-1", Some(-1)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("-9223372036854775809", None),
            ("99999999999999999999", None),
            ("", None),
            ("-", None),
            ("-0", None),
            ("00", None),
            ("01", None),
            ("+1", None),
            (" 1", None),
            ("1 ", None),
            ("1a", None),
        ] {
            assert_eq!(parse_i64(text.as_bytes()), want, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn formatting_and_parsing_agree(value: i64) {
            let decimal = Decimal::new(value);
            prop_assert_eq!(decimal.as_bytes().to_vec(), value.to_string().into_bytes());
            prop_assert_eq!(digits(value), decimal.as_bytes().len());
            prop_assert_eq!(parse_i64(decimal.as_bytes()), Some(value));
        }

        #[test]
        fn whatever_parses_formats_back(text in "-?[0-9]{0,21}") {
            if let Some(value) = parse_i64(text.as_bytes()) {
                prop_assert_eq!(value.to_string(), text);
            }
        }
    }
}
