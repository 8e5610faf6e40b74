//! The rule for passwords: 8 to 16 characters, letters, digits and some marks, of at least two of these kinds.

/// The marks. The star stands in the text of the error alone.
const MARKS: &str = "!@#%^*()";

/// Whether a password keeps the rule.
pub(crate) fn is_good(password: &str) -> bool {
    let has = |is: fn(char) -> bool| usize::from(password.chars().any(is));
    let is_mark = |character: char| MARKS.contains(character);
    (8..=16).contains(&password.chars().count())
        && password.chars().all(|character| character.is_ascii_alphanumeric() || is_mark(character))
        && has(|character| character.is_ascii_alphabetic())
            + has(|character| character.is_ascii_digit())
            + has(|character| MARKS.contains(character))
            >= 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_kinds_and_eight_characters_are_enough() {
        for good in [
            "49A2d!e@f12e",
            "12D3E@!r5ed",
            "abcdefg1",
            "1234567!",
            "abcdefg(",
            "abcdefgh12345678",
            "abcdefg*",
        ] {
            assert!(is_good(good), "{good}");
        }
        for bad in [
            "",
            "abcdef1",
            "abcdefgh123456789",
            "abcdefgh",
            "12345678",
            "!@#%^*()",
            "abcdefg1 ",
            "abcdefg1$",
            "äbcdefg1",
        ] {
            assert!(!is_good(bad), "{bad}");
        }
    }
}
