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

/// Why a payload cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// It is too short.
    #[error("at byte {0}: it ends before its version and checksum")]
    Short(usize),
    /// What stands at its end is the checksum of something else.
    #[error("at byte {0}: the checksum is not that of what stands before it")]
    Checksum(usize),
    /// It is of a version that is not read.
    #[error("at byte {0}: it is of version {1}")]
    Version(usize, u16),
}

/// The value in a payload whose version `is_read`, and that version.
///
/// # Errors
/// [`Broken`], with the place.
pub fn open(payload: &[u8], is_read: impl FnOnce(Version) -> bool) -> Result<(&[u8], Version), Broken> {
    let short = Broken::Short(payload.len());
    let (sealed, checksum) = payload.split_last_chunk::<{ checksum::BYTES }>().ok_or(short)?;
    let (value, version) = sealed.split_last_chunk::<VERSION_BYTES>().ok_or(short)?;
    if Checksum::of(sealed) != u64::from_le_bytes(*checksum) {
        return Err(Broken::Checksum(sealed.len()));
    }
    let version = Version(u16::from_le_bytes(*version));
    if is_read(version) { Ok((value, version)) } else { Err(Broken::Version(value.len(), version.0)) }
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
        assert_eq!(open(payload, |_| true), Ok((&payload[..3], Version::V10)));
        assert_eq!(open(payload, |_| false), Err(Broken::Version(3, 10)));
        for index in 0..payload.len() {
            let mut damaged = *payload;
            damaged[index] ^= 4;
            assert_eq!(open(&damaged, |_| true), Err(Broken::Checksum(5)));
            let cut = if index < 10 { Broken::Short(index) } else { Broken::Checksum(index - 8) };
            assert_eq!(open(&payload[..index], |_| true), Err(cut));
        }
    }
}
