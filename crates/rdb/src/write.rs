//! Writing values, member by member.

use crate::{Version, code, lzf, stream};
use structures::entry::{Entry, Object, ValueRef};
use structures::hash::Hash;
use structures::list::List;
use structures::number;
use structures::packed::{Item, Packed};
use structures::set::Set;
use structures::stream::StreamId;
use structures::zset::ZSet;

/// Strings that are longer are compressed, in bytes.
const COMPRESS_BYTES: usize = 20;
/// So many bytes must be saved for a string to be compressed.
const LEAST_SAVED_BYTES: usize = 4;
/// No integer of 32 bits is longer, in bytes.
const MOST_INT_DIGITS: usize = 11;

/// Writes type and value of an entry, as a server of this version does.
pub fn value(out: &mut Vec<u8>, entry: &Entry, version: Version, compresses: bool) {
    Encoder { out, version, compresses }.value(None, &entry.value());
}

/// Where bytes go.
pub(crate) trait Sink {
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Where a value is written to, and how.
pub(crate) struct Encoder<'a, S> {
    pub(crate) out: &'a mut S,
    pub(crate) version: Version,
    pub(crate) compresses: bool,
}

impl<S: Sink> Encoder<'_, S> {
    pub(crate) fn byte(&mut self, byte: u8) {
        self.out.put(&[byte]);
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.out.put(bytes);
    }

    /// A length or another number.
    pub(crate) fn number(&mut self, number: u64) {
        if number < 1 << 6 {
            self.byte(number as u8);
        } else if number < 1 << 14 {
            self.bytes(&(number as u16 | u16::from(code::LENGTH_14_BITS) << 14).to_be_bytes());
        } else if let Ok(number) = u32::try_from(number) {
            self.byte(code::LENGTH_32_BITS);
            self.bytes(&number.to_be_bytes());
        } else {
            self.byte(code::LENGTH_64_BITS);
            self.bytes(&number.to_be_bytes());
        }
    }

    pub(crate) fn len(&mut self, len: usize) {
        self.number(len as u64);
    }

    pub(crate) fn string(&mut self, bytes: &[u8]) {
        let int = if bytes.len() <= MOST_INT_DIGITS { number::parse_i64(bytes) } else { None };
        if let Some(int) = int.and_then(|int| i32::try_from(int).ok()) {
            return self.int(int);
        }
        if self.compresses
            && bytes.len() > COMPRESS_BYTES
            && let Some(compressed) = lzf::compress(bytes, bytes.len() - LEAST_SAVED_BYTES)
        {
            self.byte(code::COMPRESSED);
            self.len(compressed.len());
            self.len(bytes.len());
            return self.bytes(&compressed);
        }
        self.len(bytes.len());
        self.bytes(bytes);
    }

    fn int(&mut self, int: i32) {
        if let Ok(int) = i8::try_from(int) {
            self.byte(code::INT_8);
            self.bytes(&int.to_le_bytes());
        } else if let Ok(int) = i16::try_from(int) {
            self.byte(code::INT_16);
            self.bytes(&int.to_le_bytes());
        } else {
            self.byte(code::INT_32);
            self.bytes(&int.to_le_bytes());
        }
    }

    pub(crate) fn item(&mut self, item: Item<'_>) {
        item.with_bytes(|bytes| self.string(bytes));
    }

    pub(crate) fn time_ms(&mut self, time_ms: i64) {
        self.bytes(&time_ms.to_le_bytes());
    }

    /// The id of an entry, as two numbers.
    pub(crate) fn id(&mut self, id: StreamId) {
        self.number(id.ms);
        self.number(id.seq);
    }

    /// The id of an entry, as sixteen bytes.
    pub(crate) fn raw_id(&mut self, id: StreamId) {
        self.bytes(&raw_id(id));
    }

    /// Writes a value's type, the name of its key unless that is known, and the value.
    pub(crate) fn value(&mut self, key: Option<&[u8]>, value: &ValueRef<'_>) {
        let code = self.code(value);
        self.byte(code);
        if let Some(key) = key {
            self.string(key);
        }
        match value {
            ValueRef::Text(text) => self.item(*text),
            ValueRef::List(list) => self.list(list, code),
            ValueRef::Set(set) => self.set(set, code),
            ValueRef::Hash(hash) => self.hash(hash, code),
            ValueRef::ZSet(zset) => self.zset(zset, code),
            ValueRef::Stream(own) => stream::write(self, own, code),
        }
    }

    /// The type as which this version saves a value.
    fn code(&self, value: &ValueRef<'_>) -> u8 {
        let version = self.version;
        match value {
            ValueRef::Text(_) => code::STRING,
            ValueRef::List(_) if version >= Version::V10 => code::LIST_QUICKLIST_2,
            ValueRef::List(_) => code::LIST,
            ValueRef::Set(set) => match **set {
                Set::Ints(_) => code::SET_INTSET,
                Set::Packed(_) if version >= Version::V11 => code::SET_LISTPACK,
                _ => code::SET,
            },
            ValueRef::Hash(hash) => match **hash {
                Hash::Packed(_) if version >= Version::V10 => code::HASH_LISTPACK,
                Hash::Timed(_) if version >= Version::V12 => code::HASH_LISTPACK_EXPIRING,
                _ if version >= Version::V12 && hash.soonest_ms().is_some() => code::HASH_EXPIRING,
                _ => code::HASH,
            },
            ValueRef::ZSet(zset) => match **zset {
                ZSet::Packed(_) if version >= Version::V10 => code::ZSET_LISTPACK,
                _ if version >= Version::V8 => code::ZSET_2,
                _ => code::ZSET,
            },
            ValueRef::Stream(_) if version >= Version::V11 => code::STREAM_3,
            ValueRef::Stream(_) if version >= Version::V10 => code::STREAM_2,
            ValueRef::Stream(_) => code::STREAM,
        }
    }

    fn list(&mut self, list: &List, code: u8) {
        if code == code::LIST {
            self.len(list.len());
            return list.iter().for_each(|item| self.item(item));
        }
        if self.version >= Version::V11 && !list.is_wide() {
            // Servers of these versions keep a small list in one node, and take one of several for a big one.
            let mut whole = Packed::new();
            list.nodes().for_each(|node| whole.append(node));
            self.len(1);
            self.number(code::NODE_PACKED);
            return self.string(whole.bytes());
        }
        self.len(list.nodes().count());
        for node in list.nodes() {
            self.number(code::NODE_PACKED);
            self.string(node.bytes());
        }
    }

    fn set(&mut self, set: &Set, code: u8) {
        match set {
            Set::Ints(ints) => self.string(ints.bytes()),
            Set::Packed(list) if code == code::SET_LISTPACK => self.string(list.bytes()),
            _ => {
                self.len(set.len());
                set.for_each(|member| self.item(member));
            }
        }
    }

    fn hash(&mut self, hash: &Hash, code: u8) {
        let soonest_ms = hash.soonest_ms();
        match hash {
            Hash::Packed(list) if code == code::HASH_LISTPACK => self.string(list.bytes()),
            Hash::Timed(list) if code == code::HASH_LISTPACK_EXPIRING => {
                self.time_ms(soonest_ms.unwrap_or(code::LAST_EXPIRY_MS as i64 + 1));
                self.string(list.bytes());
            }
            _ => {
                let expiries_from = soonest_ms.filter(|_| code == code::HASH_EXPIRING);
                if let Some(soonest_ms) = expiries_from {
                    self.time_ms(soonest_ms);
                }
                self.len(hash.len());
                hash.for_each(|(field, value, expire_at_ms)| {
                    if let Some(soonest_ms) = expiries_from {
                        // From one on, since zero is none.
                        self.number(expire_at_ms.map_or(0, |at_ms| (at_ms - soonest_ms) as u64 + 1));
                    }
                    self.item(field);
                    self.item(value);
                });
            }
        }
    }

    fn zset(&mut self, zset: &ZSet, code: u8) {
        match zset {
            ZSet::Packed(list) if code == code::ZSET_LISTPACK => self.string(list.bytes()),
            _ => {
                self.len(zset.len());
                // The highest first: whoever reads it inserts at the front each time.
                zset.for_range_back(0, zset.len(), |member, score| {
                    self.item(member);
                    if code == code::ZSET_2 {
                        self.bytes(&score.to_le_bytes());
                    } else {
                        self.textual_score(score);
                    }
                });
            }
        }
    }

    fn textual_score(&mut self, score: f64) {
        if score.is_infinite() {
            return self.byte(if score > 0.0 { code::SCORE_INFINITE } else { code::SCORE_MINUS_INFINITE });
        }
        let mut buffer = zmij::Buffer::new();
        let text = buffer.format_finite(score).as_bytes();
        self.byte(text.len() as u8);
        self.bytes(text);
    }
}

/// The id of an entry, as sixteen bytes.
pub(crate) fn raw_id(id: StreamId) -> [u8; 16] {
    let mut raw = [0; 16];
    raw[..8].copy_from_slice(&id.ms.to_be_bytes());
    raw[8..].copy_from_slice(&id.seq.to_be_bytes());
    raw
}
