//! Values in the form in which Redis saves them: RDB versions 6 to 12, read and written.
//!
//! A value is a type byte and what the type says; a payload, as `DUMP` gives it and `RESTORE` takes it, adds the version
//! and a checksum. Whoever wrote the bytes is not trusted: reading checks everything that the structures rest on,
//! allocates what the bytes hold rather than what they announce, and gives [`Damaged`] for all that is wrong.
//!
//! What is written is what a server of that version writes, but for ziplists (versions up to 9), in whose place stand
//! the plain types, which every server reads.
//!
//! Not here: whole files, and what a release is; modules' values are not read.

mod code;
mod cursor;
mod lzf;
pub mod payload;
mod read;
mod stream;
mod write;
mod ziplist;

pub use read::entry;
pub use write::value;

use structures::{hash, list, set, zset};

/// A version of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u16);

impl Version {
    /// That of Redis 3.0.
    pub const V6: Version = Version(6);
    /// The first with quicklists: 3.2.
    pub const V7: Version = Version(7);
    /// The first with binary scores: 4.0.
    pub const V8: Version = Version(8);
    /// The first with streams: 5.0, 6.0 and 6.2.
    pub const V9: Version = Version(9);
    /// The first with listpacks: 7.0.
    pub const V10: Version = Version(10);
    /// The first with packed sets: 7.2.
    pub const V11: Version = Version(11);
    /// The first with fields that expire: 7.4.
    pub const V12: Version = Version(12);
}

/// Bytes that are not a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damaged;

/// When values that are read take their next representation.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Of lists.
    pub list: list::Limit,
    /// Of sets.
    pub set: set::Limits,
    /// Of hashes.
    pub hash: hash::Limits,
    /// Of sorted sets.
    pub zset: zset::Limits,
}
