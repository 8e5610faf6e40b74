//! A value on its way from one server to another: its bytes, the version, and a checksum of both.

use crate::Version;
use crate::checksum::{self, Checksum};

const VERSION_BYTES: usize = 2;

/// Adds version and checksum to a value.
pub fn seal(value: &mut Vec<u8>, version: Version) {
    value.extend_from_slice(&version.0.to_le_bytes());
    let checksum = Checksum::of(value);
    value.extend_from_slice(&checksum.to_le_bytes());
}

/// The value in a payload, and the version that it claims; nothing if it has been damaged.
pub fn open(payload: &[u8]) -> Option<(&[u8], Version)> {
    let (sealed, checksum) = payload.split_last_chunk::<{ checksum::BYTES }>()?;
    let (value, version) = sealed.split_last_chunk::<VERSION_BYTES>()?;
    (Checksum::of(sealed) == u64::from_le_bytes(*checksum))
        .then(|| (value, Version(u16::from_le_bytes(*version))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_as_redis_7_0_dumps_it() {
        // What it answers to `SET a 10`, `DUMP a`.
        let payload = b"\x00\xc0\x0a\x0a\x00\x6e\x9f\x57\x45\x0e\xae\x63\xbb";
        let mut sealed = b"\x00\xc0\x0a".to_vec();
        seal(&mut sealed, Version::V10);
        assert_eq!(sealed, payload);
        assert_eq!(open(payload), Some((&payload[..3], Version::V10)));
        for index in 0..payload.len() {
            let mut damaged = *payload;
            damaged[index] ^= 4;
            assert_eq!(open(&damaged), None);
            assert_eq!(open(&payload[..index]), None);
        }
    }
}
