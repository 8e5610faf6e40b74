//! Digests of values and of the whole keyspace, as `DEBUG DIGEST-VALUE` and `DEBUG DIGEST` give them.
//!
//! They are those of Redis, byte for byte: two servers with the same data have the same digest. What is in order is
//! mixed in one after the other, what is not is exclusive-or-ed, and a whole keyspace is the exclusive or of its keys.

use crate::float;
use command::Release;
use keyspace::Locked;
use sha1::{Digest as _, Sha1};
use std::fmt;
use structures::entry::{Entry, ValueRef};
use structures::packed::Item;
use structures::stream::StreamId;
use structures::table::Item as _;

/// A digest: twenty bytes, shown as forty hexadecimal digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest([u8; 20]);

/// What a key that expires, whenever that is, adds.
const EXPIRES: &[u8] = b"!!expire!!";
/// The same for a field of a hash.
const FIELD_EXPIRES: &[u8] = b"!!hexpire!!";

impl Digest {
    /// That of one value with what it knows of its expiry; its key is not in it.
    pub fn of_value(entry: &Entry, release: Release) -> Digest {
        let mut digest = Digest::default();
        digest.mix_value(entry, release);
        digest
    }

    /// That of all keys in all databases; all shards must be held.
    pub fn of_keyspace(locked: &Locked, release: Release) -> Digest {
        let mut all = Digest::default();
        for db in (0..locked.dbs()).filter(|&db| locked.stats(db).keys > 0) {
            all.mix(db.to_be_bytes());
            for entry in locked.iter().flat_map(|shard| shard.iter(db)) {
                let mut digest = Digest::default();
                digest.mix(entry.key());
                digest.mix_value(&entry, release);
                all.xor(digest.0);
            }
        }
        all
    }

    /// Adds something whose place among others does not matter.
    fn xor(&mut self, bytes: impl AsRef<[u8]>) {
        for (own, added) in self.0.iter_mut().zip(Sha1::digest(bytes)) {
            *own ^= added;
        }
    }

    /// Adds something whose place matters.
    fn mix(&mut self, bytes: impl AsRef<[u8]>) {
        self.xor(bytes);
        self.0 = Sha1::digest(self.0).into();
    }

    fn mix_item(&mut self, item: Item) {
        item.with_bytes(|bytes| self.mix(bytes));
    }

    fn mix_value(&mut self, entry: &Entry, release: Release) {
        let kind: u32 = match entry.value() {
            ValueRef::Text(_) => 0,
            ValueRef::List(_) => 1,
            ValueRef::Set(_) => 2,
            ValueRef::ZSet(_) => 3,
            ValueRef::Hash(_) => 4,
            ValueRef::Stream(_) => 6,
        };
        self.mix(kind.to_be_bytes());
        match entry.value() {
            ValueRef::Text(text) => self.mix_item(text),
            ValueRef::List(list) => list.iter().for_each(|item| self.mix_item(item)),
            ValueRef::Set(set) => set.for_each(|member| member.with_bytes(|bytes| self.xor(bytes))),
            ValueRef::ZSet(zset) => zset.for_each(|member, score| {
                let mut digest = Digest::default();
                digest.mix_item(member);
                digest.mix(float::digested(score, release));
                self.xor(digest.0);
            }),
            ValueRef::Hash(hash) => hash.for_each(|(field, value, expire_at_ms)| {
                let mut digest = Digest::default();
                digest.mix_item(field);
                digest.mix_item(value);
                if expire_at_ms.is_some() {
                    digest.xor(FIELD_EXPIRES);
                }
                self.xor(digest.0);
            }),
            ValueRef::Stream(stream) => {
                for entry in stream.entries().range(StreamId::MIN, StreamId::MAX) {
                    self.mix(format!("{}.{}", entry.id.ms, entry.id.seq));
                    for (name, value) in entry.fields {
                        self.mix_item(name);
                        self.mix_item(value);
                    }
                }
            }
        }
        if entry.expire_at_ms().is_some() {
            self.xor(EXPIRES);
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyspace::Params;
    use structures::entry::{Object, Value};
    use structures::hash::{Expiry, Hash};
    use structures::list::{List, Side};
    use structures::set::Set;
    use structures::zset::ZSet;

    fn digest(value: Value) -> String {
        Digest::of_value(&Entry::new(b"any key", value), Release::V7_0).to_string()
    }

    #[test]
    fn strings_digest_as_observed_on_redis_7_0() {
        assert_eq!(Digest::default().to_string(), "0".repeat(40));
        assert_eq!(digest(Value::Int(42)), "547a004a370bc71c2d611f010c52f2e7b64c77a4");
        assert_eq!(digest(Value::Text(b"hello")), "36b23a1456b2dce2c3ed252c456761301dba8060");
        let mut entry = Entry::new(b"any key", Value::Text(b"hello"));
        entry.set_expire_at_ms(Some(1));
        let expiring = Digest::of_value(&entry, Release::V7_0).to_string();
        assert_eq!(expiring, "d037c4eb8a8b36b602fbced4000daeab0714c1e3");
    }

    #[test]
    fn collections_digest_as_observed_on_redis_7_0() {
        let params = Params::new(1);
        let mut list = List::empty();
        list.push(Side::Right, b"a");
        list.push(Side::Right, b"1");
        assert_eq!(digest(Value::List(list)), "a4b574dfd44a241b7583aa0f4da11ef31ee0b995");
        let mut set = Set::empty();
        for member in [b"1", b"b", b"a"] {
            set.add(member, &params.set);
        }
        assert_eq!(digest(Value::Set(set)), "e8f32bbb1ad9bf537c8867de4f19fec9e001296d");
        let mut zset = ZSet::empty();
        for (member, score) in [(b"a", 1.1), (b"b", -0.0), (b"c", f64::INFINITY)] {
            zset.set(member, score, &params.zset);
        }
        assert_eq!(digest(Value::ZSet(zset)), "dbc3cbad407faf00b215362d3487406ac3825d6b");
        let mut hash = Hash::empty();
        hash.set(b"1", b"2", Expiry::Clear, &params.hash);
        hash.set(b"f", b"v", Expiry::Clear, &params.hash);
        assert_eq!(digest(Value::Hash(hash)), "78186da816517abac4ec4b92f608dd6059a76ae9");
    }
}
