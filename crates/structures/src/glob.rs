//! Patterns of keys and channels: `*` for anything, `?` for one byte, `[a-z]` and `[^a]` for one of some, and `\` before
//! a byte that stands for itself.
//!
//! Matching goes back to the last star only: a mismatch after it cannot be mended by an earlier one. The work is at
//! most the product of the two lengths, whatever the pattern.
//!
//! Source: observed on redis-server 7.0, ill-formed classes included.

/// Whether all of `text` matches `pattern`.
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    matches_by(pattern, text, |byte| byte)
}

/// As [`matches`], with letters of either case alike.
pub fn matches_nocase(pattern: &[u8], text: &[u8]) -> bool {
    matches_by(pattern, text, |byte| byte.to_ascii_lowercase())
}

fn matches_by(pattern: &[u8], text: &[u8], fold: impl Fn(u8) -> u8) -> bool {
    let (mut rest, mut left) = (pattern, text);
    // The pattern after the last star, and the text that it was last tried on.
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        if let [b'*', after @ ..] = rest {
            if after.is_empty() {
                return true;
            }
            retry = Some((after, left));
            rest = after;
            continue;
        }
        let Some((&byte, further)) = left.split_first() else {
            return rest.is_empty();
        };
        match one(rest, byte, &fold) {
            Some(after) => (rest, left) = (after, further),
            None => match retry {
                // The star takes one byte more.
                Some((after, [_, further @ ..])) => {
                    retry = Some((after, further));
                    (rest, left) = (after, further);
                }
                _ => return false,
            },
        }
    }
}

/// Matches one byte against what a pattern begins with, which is not a star; gives the pattern after it.
fn one<'a>(pattern: &'a [u8], byte: u8, fold: &impl Fn(u8) -> u8) -> Option<&'a [u8]> {
    match pattern {
        [] => None,
        [b'?', after @ ..] => Some(after),
        [b'[', class @ ..] => one_of(class, byte, fold),
        [b'\\', own, after @ ..] | [own, after @ ..] => (fold(*own) == fold(byte)).then_some(after),
    }
}

/// Matches one byte against a class, given without its opening bracket. A class that is not closed ends with the
/// pattern.
fn one_of<'a>(class: &'a [u8], byte: u8, fold: &impl Fn(u8) -> u8) -> Option<&'a [u8]> {
    let (negated, mut rest) = match class {
        [b'^', rest @ ..] => (true, rest),
        _ => (false, class),
    };
    let byte = fold(byte);
    let mut found = false;
    let after = loop {
        match rest {
            [] => break rest,
            [b'\\', own, further @ ..] => {
                found |= fold(*own) == byte;
                rest = further;
            }
            [b']', further @ ..] => break further,
            [from, b'-', to, further @ ..] => {
                let (from, to) = (fold(*from), fold(*to));
                found |= (from.min(to)..=from.max(to)).contains(&byte);
                rest = further;
            }
            [own, further @ ..] => {
                found |= fold(*own) == byte;
                rest = further;
            }
        }
    };
    (found != negated).then_some(after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patterns_of_all_kinds() {
        for (pattern, text, want) in [
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("a*", "a", true),
            ("*a*b", "xaxxb", true),
            ("*a*b", "xaxxbc", false),
            ("h?llo", "hello", true),
            ("h?llo", "hllo", false),
            ("h[ae]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[a-c]llo", "hbllo", true),
            ("h[c-a]llo", "hbllo", true),
            ("a\\*c", "a*c", true),
            ("a\\*c", "abc", false),
            ("[a", "a", true),
            ("[^a", "b", true),
            ("[\\]]", "]", true),
            ("\\", "\\", true),
            ("**a", "ba", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), want, "{pattern} {text}");
        }
        assert!(matches_nocase(b"H[A-C]L*", b"hblLO") && !matches(b"H*", b"hello"));
    }

    #[test]
    fn a_hostile_pattern_does_not_take_for_ever() {
        let pattern = b"a*".repeat(2_000);
        assert!(!matches(&[&pattern[..], b"b"].concat(), &b"a".repeat(20_000)));
    }

    /// The meaning of a pattern, without regard to time.
    fn model(pattern: &[u8], text: &[u8]) -> bool {
        match pattern {
            [] => text.is_empty(),
            [b'*', after @ ..] => (0..=text.len()).any(|skip| model(after, &text[skip..])),
            _ => text.split_first().is_some_and(|(&byte, further)| {
                one(pattern, byte, &|byte| byte).is_some_and(|after| model(after, further))
            }),
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_model(pattern in "[ab*?\\[\\]^\\\\-]{0,10}", text in "[ab\\]-]{0,10}") {
            prop_assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), model(pattern.as_bytes(), text.as_bytes()));
        }
    }
}
