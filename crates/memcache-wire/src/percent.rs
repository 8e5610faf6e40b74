//! Keys as `lru_crawler metadump` and `watch` write them: bytes that could be taken for something else as `%` and two
//! digits.

/// Whether a byte stands for itself.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Writes a key behind what there is.
pub fn encode(key: &[u8], into: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in key {
        if is_plain(byte) {
            into.push(byte);
        } else {
            into.extend_from_slice(&[b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_plain_is_written_as_digits() {
        for (key, want) in
            [(&b"aZ0-._~"[..], "aZ0-._~"), (b"k%/+~", "k%25%2F%2B~"), (b"\"\x01\xC3 ", "%22%01%C3%20")]
        {
            let mut out = b"key=".to_vec();
            encode(key, &mut out);
            assert_eq!(out, format!("key={want}").into_bytes());
        }
    }
}
