//! Logging in by text: all that a client may do before it has, as memcached 1.6.18 with `-Y` hears it.
//!
//! A line is looked at only for whether it is `set` with the length of a block; the block is a name and a password. What
//! key, flags and expiry are makes no difference. Any other line is refused, and what follows it is the next line.
//!
//! Invariant: nothing is kept between calls. The bytes are given again until they suffice.

use memcache_wire::{Error, Words, number};

/// A longer line that has no end yet ends the connection, in bytes.
const LINE_MAX: usize = 2048;
/// As much of a block as there may be without its end, in bytes.
const BLOCK_MAX: usize = 16 << 10;
/// Nothing shorter is looked at, in bytes.
const LEAST: usize = 2;

/// What a client has said that has yet to log in. `len` is the number of bytes that it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempt<'a> {
    /// So many bytes are needed at least.
    Incomplete { wanted: usize },
    /// It will not be complete: the connection ends without an answer.
    Endless,
    /// It is not let in, whoever it is.
    Refused { len: usize, error: Error },
    /// It is let in if these are somebody's.
    Credentials { len: usize, user: &'a [u8], password: &'a [u8] },
}

/// What is next in `input`.
pub(crate) fn attempt(input: &[u8]) -> Attempt<'_> {
    if input.len() < LEAST {
        return Attempt::Incomplete { wanted: LEAST };
    }
    let Some(end) = input.iter().position(|&byte| byte == b'\n') else {
        return if input.len() > LINE_MAX {
            Attempt::Endless
        } else {
            Attempt::Incomplete { wanted: input.len() + 1 }
        };
    };
    let (line, rest) = (&input[..end], &input[end + 1..]);
    let Some(block_len) = announced(line.strip_suffix(b"\r").unwrap_or(line)) else {
        return Attempt::Refused { len: end + 1, error: Error::Unauthenticated };
    };
    let whole_len = block_len + 2;
    let Some(block) = rest.get(..whole_len) else {
        return if rest.len() > BLOCK_MAX {
            Attempt::Endless
        } else {
            Attempt::Incomplete { wanted: end + 1 + whole_len.min(BLOCK_MAX + 1) }
        };
    };
    let len = end + 1 + whole_len;
    if whole_len > BLOCK_MAX {
        return Attempt::Endless;
    }
    let Some(block) = block.strip_suffix(b"\r\n") else {
        return Attempt::Refused { len, error: Error::AuthenticationEnd };
    };
    let mut words = Words::new(block);
    match (words.next(), words.next()) {
        (Some(user), Some(password)) => Attempt::Credentials { len, user, password },
        _ => Attempt::Refused { len, error: Error::AuthenticationFormat },
    }
}

/// The length of the block that a line announces, if it is `set`.
fn announced(line: &[u8]) -> Option<usize> {
    let mut words = Words::new(line);
    if words.next() != Some(b"set") {
        return None;
    }
    let len = number::unsigned(words.nth(3)?)?;
    // Whatever is larger is no length to memcached.
    i32::try_from(len).ok().map(|len| len as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_heard_when_it_is_there() {
        let request = b"set k 0 0 9\r\nuser pass\r\nget a\r\n";
        let whole_len = request.len() - b"get a\r\n".len();
        for len in 0..whole_len {
            let heard = attempt(&request[..len]);
            let is_more =
                matches!(heard, Attempt::Incomplete { wanted } if wanted > len && wanted <= whole_len);
            assert!(is_more, "{len}: {heard:?}");
        }
        let credentials = Attempt::Credentials { len: whole_len, user: b"user", password: b"pass" };
        assert_eq!(attempt(request), credentials);
    }

    #[test]
    fn what_comes_without_end_is_not_waited_for() {
        assert!(matches!(attempt(&[b'x'; 2048]), Attempt::Incomplete { .. }));
        assert_eq!(attempt(&[b'x'; 2049]), Attempt::Endless);
        for (block_len, is_heard) in [(16_382, true), (16_383, false), (2_000_000, false)] {
            let mut bytes = format!("set k 0 0 {block_len}\r\nuser ").into_bytes();
            let wanted = match attempt(&bytes) {
                Attempt::Incomplete { wanted } => wanted,
                other => panic!("{other:?}"),
            };
            assert!(wanted < 17_000, "{wanted}");
            bytes.resize(wanted - 2, b'x');
            bytes.extend_from_slice(b"\r\n");
            assert_eq!(matches!(attempt(&bytes), Attempt::Credentials { .. }), is_heard, "{block_len}");
            assert_eq!(attempt(&bytes) == Attempt::Endless, !is_heard, "{block_len}");
        }
    }
}
