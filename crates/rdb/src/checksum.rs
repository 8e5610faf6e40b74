//! The checksum of files and payloads: CRC-64 of Jones.

use crc::{CRC_64_REDIS, Crc, Table};

static SHARED: Crc<u64, Table<16>> = Crc::<u64, Table<16>>::new(&CRC_64_REDIS);

/// What a checksum takes, in bytes, the lowest first.
pub(crate) const BYTES: usize = 8;

/// The checksum of bytes that come by and by.
pub(crate) struct Checksum(crc::Digest<'static, u64, Table<16>>);

impl Checksum {
    pub(crate) fn new() -> Self {
        Checksum(SHARED.digest())
    }

    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn value(&self) -> u64 {
        self.0.clone().finalize()
    }

    /// The checksum of these bytes.
    pub(crate) fn of(bytes: &[u8]) -> u64 {
        SHARED.checksum(bytes)
    }
}
