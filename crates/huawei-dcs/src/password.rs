//! What a password of an instance must be like (DCS API Reference, table 4-2).

/// The least and the greatest number of characters.
const LENGTH: std::ops::RangeInclusive<usize> = 8..=32;

/// Whether a password is strong enough, and not a user's name, forwards or backwards (table 5-14).
pub(crate) fn is_strong(password: &str, user: Option<&str>) -> bool {
    let backwards: String = password.chars().rev().collect();
    has_kinds(password) && user.is_none_or(|user| user != password && user != backwards)
}

/// Whether a password has 8 to 32 characters, all of them letters, digits or special characters of ASCII, and three
/// of these four kinds: lower case, upper case, digits, special characters.
fn has_kinds(password: &str) -> bool {
    let has = |kind: fn(&u8) -> bool| usize::from(password.as_bytes().iter().any(kind));
    let kinds = has(u8::is_ascii_lowercase)
        + has(u8::is_ascii_uppercase)
        + has(u8::is_ascii_digit)
        + has(u8::is_ascii_punctuation);
    LENGTH.contains(&password.len()) && password.bytes().all(|byte| byte.is_ascii_graphic()) && kinds >= 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_kinds_of_characters_are_enough() {
        for good in [
            "First_Pw1",
            "abcdefg1A",
            "ABCDEFG1_",
            "abcdefg1_",
            "Abcdefg_",
            "`~!@#$%^&*()-_=+\\|[{}]:'\",<.>aA1",
        ] {
            assert!(is_strong(good, None), "{good}");
        }
    }

    #[test]
    fn a_user_has_not_their_name_as_password() {
        assert!(is_strong("User_0001", Some("user_0001")));
        for bad in ["User_0001", "1000_resU"] {
            assert!(!is_strong(bad, Some("User_0001")), "{bad}");
        }
    }

    #[test]
    fn too_short_too_long_too_plain_or_outside_ascii_is_not() {
        let long = format!("aA1{}", "x".repeat(30));
        for bad in ["", "aA1_xyz", &long, "abcdefgh", "abcdefg1", "ABCDEFGH1", "aA1_ xyzw", "aA1_xyzé"] {
            assert!(!is_strong(bad, None), "{bad}");
        }
    }
}
