//! What Redis saves: values and files, RDB versions 6 to 12, read and written.
//!
//! A value is a type byte and what the type says; a payload, as `DUMP` gives it and `RESTORE` takes it, adds the version
//! and a checksum. A file, as `SAVE` writes it and a replica is sent it, is a header, records (what the file is about,
//! libraries, databases, keys with their values) and a checksum; [`Reader`] takes one in pieces, [`Writer`] makes one.
//!
//! Whoever wrote the bytes is not trusted: reading checks everything that the structures rest on and allocates what the
//! bytes hold rather than what they announce, at most some hundred times as much. All that is wrong with a value is
//! [`Damaged`]; an [`Error`] in a file says where it is.
//!
//! What is written is what a server of that version writes, but for ziplists (versions up to 9), in whose place stand
//! the plain types, which every server reads.
//!
//! Not here: what a release is, where files are, and what shards are; modules' values are not read.

mod checksum;
mod code;
mod cursor;
mod error;
mod event;
mod file_reader;
mod join;
mod lzf;
pub mod payload;
mod read;
mod reader;
mod shape;
mod stream;
mod write;
mod writer;
mod ziplist;

pub use error::{Error, ModuleId, Problem, ReadError};
pub use event::{Access, EarlyLibrary, Event, Key, Library};
pub use file_reader::FileReader;
pub use join::join;
pub use read::entry;
pub use reader::{Reader, libraries};
pub use write::value;
pub use writer::{Form, Origin, Position, Writer, record};

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
