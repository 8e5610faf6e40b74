//! The bytes that say what a record is: of which type its value is, and in which form, or what else.

use crate::Version;

pub(crate) const STRING: u8 = 0;
pub(crate) const LIST: u8 = 1;
pub(crate) const SET: u8 = 2;
pub(crate) const ZSET: u8 = 3;
pub(crate) const HASH: u8 = 4;
/// A sorted set with binary scores.
pub(crate) const ZSET_2: u8 = 5;
/// A module's value that only the module can read: of candidates of 4.0.
pub(crate) const MODULE: u8 = 6;
/// A module's value in parts that anybody can tell from each other.
pub(crate) const MODULE_2: u8 = 7;
pub(crate) const HASH_ZIPMAP: u8 = 9;
pub(crate) const LIST_ZIPLIST: u8 = 10;
pub(crate) const SET_INTSET: u8 = 11;
pub(crate) const ZSET_ZIPLIST: u8 = 12;
pub(crate) const HASH_ZIPLIST: u8 = 13;
/// A list of ziplists.
pub(crate) const LIST_QUICKLIST: u8 = 14;
pub(crate) const STREAM: u8 = 15;
pub(crate) const HASH_LISTPACK: u8 = 16;
pub(crate) const ZSET_LISTPACK: u8 = 17;
/// A list of listpacks and of entries too long for one.
pub(crate) const LIST_QUICKLIST_2: u8 = 18;
/// A stream that knows how many entries were ever added.
pub(crate) const STREAM_2: u8 = 19;
pub(crate) const SET_LISTPACK: u8 = 20;
/// A stream whose consumers know when they last got something.
pub(crate) const STREAM_3: u8 = 21;
/// A hash with expiries, as candidates of 7.4 wrote it.
pub(crate) const HASH_EXPIRING_EARLY: u8 = 22;
pub(crate) const HASH_LISTPACK_EXPIRING_EARLY: u8 = 23;
/// A hash with expiries, told from the soonest on.
pub(crate) const HASH_EXPIRING: u8 = 24;
pub(crate) const HASH_LISTPACK_EXPIRING: u8 = 25;

/// About a slot of a cluster: its number, its keys, those of them that expire.
pub(crate) const SLOT: u8 = 244;
/// A library of functions: its code.
pub(crate) const LIBRARY: u8 = 245;
/// A library as candidates of 7.0 wrote it: name, engine, perhaps a description, and the code.
pub(crate) const LIBRARY_EARLY: u8 = 246;
/// What a module keeps beside keys.
pub(crate) const MODULE_AUX: u8 = 247;
/// For how long the next key has not been used, in s.
pub(crate) const IDLE: u8 = 248;
/// How often the next key is used.
pub(crate) const FREQUENCY: u8 = 249;
/// Something about the file: a name and a value.
pub(crate) const AUX: u8 = 250;
/// How many keys the database has, and how many that expire.
pub(crate) const SIZES: u8 = 251;
/// When the next key expires, in ms and in s.
pub(crate) const EXPIRES_MS: u8 = 252;
pub(crate) const EXPIRES_S: u8 = 253;
/// The database of the keys that follow.
pub(crate) const DATABASE: u8 = 254;
pub(crate) const END: u8 = 255;

/// The first version with a type; none if there is no such type.
pub(crate) fn since(code: u8) -> Option<Version> {
    Some(match code {
        STRING..=HASH | HASH_ZIPMAP..=HASH_ZIPLIST => Version::V6,
        LIST_QUICKLIST => Version::V7,
        ZSET_2 => Version::V8,
        STREAM => Version::V9,
        HASH_LISTPACK..=STREAM_2 => Version::V10,
        SET_LISTPACK | STREAM_3 => Version::V11,
        HASH_EXPIRING_EARLY..=HASH_LISTPACK_EXPIRING => Version::V12,
        _ => return None,
    })
}

/// The latest time at which a field may expire, in ms since the epoch; one more stands for never.
pub(crate) const LAST_EXPIRY_MS: u64 = (1 << 48) - 1;

/// The two top bits of a length say how long it is; all but the last of these stand alone.
pub(crate) const LENGTH_6_BITS: u8 = 0;
pub(crate) const LENGTH_14_BITS: u8 = 1;
pub(crate) const LENGTH_IN_BYTES: u8 = 2;
/// A whole byte: the length is in the next four or eight.
pub(crate) const LENGTH_32_BITS: u8 = 0x80;
pub(crate) const LENGTH_64_BITS: u8 = 0x81;
/// A whole byte: a string in another form than its bytes.
pub(crate) const INT_8: u8 = 0xC0;
pub(crate) const INT_16: u8 = 0xC1;
pub(crate) const INT_32: u8 = 0xC2;
pub(crate) const COMPRESSED: u8 = 0xC3;

/// How a node of a list is stored: as one entry, or as a listpack of some.
pub(crate) const NODE_PLAIN: u64 = 1;
pub(crate) const NODE_PACKED: u64 = 2;

/// Lengths of textual scores that are none.
pub(crate) const SCORE_NAN: u8 = 253;
pub(crate) const SCORE_INFINITE: u8 = 254;
pub(crate) const SCORE_MINUS_INFINITE: u8 = 255;

/// What the parts of a module's data are.
pub(crate) const PART_END: u64 = 0;
pub(crate) const PART_SIGNED: u64 = 1;
pub(crate) const PART_UNSIGNED: u64 = 2;
pub(crate) const PART_FLOAT: u64 = 3;
pub(crate) const PART_DOUBLE: u64 = 4;
pub(crate) const PART_STRING: u64 = 5;
