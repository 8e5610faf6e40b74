//! Commands that make a key anew, as append-only files without an RDB preamble hold them.
//!
//! They are those of real servers of the release: up to 64 items a command, an entry of a stream each, and what a stream
//! knows beside its entries. Observed on redis 7.0.
//!
//! Not here: which keys are written and when, and where the commands go.
//!
//! Lost on this way, as with real servers: when keys have been used last; what is pending of entries that have been
//! deleted; up to 7.0 what groups have read; up to 6.2 how many entries a stream was given; in 5.0 consumers for whom
//! nothing is pending.

use crate::float;
use command::{Release, v};
use resp::Reply;
use std::io::{self, Write};
use structures::entry::{Entry, Object, ValueRef};
use structures::hash::Hash;
use structures::number::Decimal;
use structures::packed::Item;
use structures::stream::{Group, Stream, StreamId};
use structures::table::Item as _;

/// Most items of a collection in one command.
const ITEMS_A_COMMAND: usize = 64;

/// Writes the command that selects a database.
///
/// # Errors
/// Those of `out`.
pub fn write_select(out: &mut impl Write, db: u64) -> io::Result<()> {
    let mut commands = Commands::new(out);
    commands.put(&[b"SELECT", db.to_string().as_bytes()]);
    commands.end()
}

/// Writes the commands that make a key, its value and its expiry where there is no such key. No more than one command
/// is held in memory.
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut impl Write, entry: &Entry, release: Release) -> io::Result<()> {
    let key = entry.key();
    let mut commands = Commands::new(out);
    match entry.value() {
        ValueRef::Text(text) => text.with_bytes(|text| commands.put(&[b"SET", key, text])),
        ValueRef::List(list) => {
            let mut batch = Batch::new(&mut commands, "RPUSH", key, list.len(), 1);
            list.iter().for_each(|item| item.with_bytes(|bytes| batch.item(&[bytes])));
        }
        ValueRef::Set(set) => {
            let mut batch = Batch::new(&mut commands, "SADD", key, set.len(), 1);
            set.for_each(|member| member.with_bytes(|bytes| batch.item(&[bytes])));
        }
        ValueRef::ZSet(zset) => {
            let mut batch = Batch::new(&mut commands, "ZADD", key, zset.len(), 2);
            // All digits, in every release.
            let exact = |score| float::format(score, Release::V7_0);
            zset.for_each(|member, score| {
                member.with_bytes(|member| batch.item(&[exact(score).as_bytes(), member]));
            });
        }
        ValueRef::Hash(hash) => write_hash(&mut commands, key, &hash),
        ValueRef::Stream(stream) => write_stream(&mut commands, key, &stream, release),
    }
    if let Some(at_ms) = entry.expire_at_ms() {
        commands.put(&[b"PEXPIREAT", key, Decimal::new(at_ms).as_bytes()]);
    }
    commands.end()
}

/// Commands on their way. The first error ends them.
struct Commands<'a, W> {
    out: &'a mut W,
    /// The command that is being written.
    buffer: Reply,
    result: io::Result<()>,
}

impl<'a, W: Write> Commands<'a, W> {
    fn new(out: &'a mut W) -> Self {
        Commands { out, buffer: Reply::default(), result: Ok(()) }
    }

    fn put(&mut self, words: &[&[u8]]) {
        self.buffer.array(words.len());
        words.iter().for_each(|word| self.buffer.bulk(word));
        self.flush();
    }

    fn flush(&mut self) {
        if self.result.is_ok() {
            self.result = self.out.write_all(self.buffer.bytes());
        }
        self.buffer.clear();
    }

    fn end(self) -> io::Result<()> {
        debug_assert!(self.buffer.is_empty(), "a command has not been written");
        self.result
    }
}

/// Items of a collection, some to a command.
struct Batch<'c, 'a, W> {
    commands: &'c mut Commands<'a, W>,
    name: &'static str,
    key: &'c [u8],
    /// Words that an item consists of.
    width: usize,
    /// Items that have not been written yet.
    left: usize,
    /// Items that the command begun last still takes.
    room: usize,
}

impl<'c, 'a, W: Write> Batch<'c, 'a, W> {
    fn new(
        commands: &'c mut Commands<'a, W>,
        name: &'static str,
        key: &'c [u8],
        items: usize,
        width: usize,
    ) -> Self {
        Batch { commands, name, key, width, left: items, room: 0 }
    }

    fn item(&mut self, words: &[&[u8]]) {
        debug_assert_eq!(words.len(), self.width);
        let buffer = &mut self.commands.buffer;
        if self.room == 0 {
            self.room = self.left.min(ITEMS_A_COMMAND);
            buffer.array(2 + self.room * self.width);
            buffer.bulk(self.name);
            buffer.bulk(self.key);
        }
        words.iter().for_each(|word| buffer.bulk(word));
        self.left -= 1;
        self.room -= 1;
        if self.room == 0 {
            self.commands.flush();
        }
    }
}

/// Visits the bytes of two items.
fn with_both<R>(a: Item, b: Item, visit: impl FnOnce(&[u8], &[u8]) -> R) -> R {
    a.with_bytes(|a| b.with_bytes(|b| visit(a, b)))
}

fn write_hash<W: Write>(commands: &mut Commands<W>, key: &[u8], hash: &Hash) {
    if hash.soonest_ms().is_none() {
        let mut batch = Batch::new(commands, "HMSET", key, hash.len(), 2);
        hash.for_each(|(field, value, _)| {
            with_both(field, value, |field, value| batch.item(&[field, value]))
        });
        return;
    }
    // Where fields expire, each is written for itself.
    hash.for_each(|(field, value, expire_at_ms)| {
        with_both(field, value, |field, value| {
            commands.put(&[b"HMSET", key, field, value]);
            if let Some(at_ms) = expire_at_ms {
                let at = Decimal::new(at_ms);
                commands.put(&[b"HPEXPIREAT", key, at.as_bytes(), b"FIELDS", b"1", field]);
            }
        });
    });
}

fn write_stream<W: Write>(commands: &mut Commands<W>, key: &[u8], stream: &Stream, release: Release) {
    let entries = stream.entries();
    for entry in entries.range(StreamId::MIN, StreamId::MAX) {
        let buffer = &mut commands.buffer;
        buffer.array(3 + 2 * entry.fields.len());
        buffer.bulk("XADD");
        buffer.bulk(key);
        buffer.bulk(entry.id.text());
        for (name, value) in entry.fields {
            name.with_bytes(|name| buffer.bulk(name));
            value.with_bytes(|value| buffer.bulk(value));
        }
        commands.flush();
    }
    if entries.is_empty() {
        // A stream may be there without entries, but only after one.
        commands.put(&[b"XADD", key, b"MAXLEN", b"0", b"0-1", b"x", b"y"]);
    }
    let (last_id, max_deleted_id) = (entries.last_id().text(), entries.max_deleted_id().text());
    let added = Decimal::new(entries.added() as i64);
    let all: [&[u8]; 7] = [
        b"XSETID",
        key,
        last_id.as_ref(),
        b"ENTRIESADDED",
        added.as_bytes(),
        b"MAXDELETEDID",
        max_deleted_id.as_ref(),
    ];
    commands.put(if release.has(v(7, 0, 0)) { &all } else { &all[..3] });
    stream.groups().for_each(|group| write_group(commands, key, group, release));
}

fn write_group<W: Write>(commands: &mut Commands<W>, key: &[u8], group: &Group, release: Release) {
    let last_id = group.last_id().text();
    let read = Decimal::new(group.entries_read().map_or(-1, |read| read as i64));
    let all: [&[u8]; 7] =
        [b"XGROUP", b"CREATE", key, group.name(), last_id.as_ref(), b"ENTRIESREAD", read.as_bytes()];
    commands.put(if release.has(v(7, 0, 0)) { &all } else { &all[..5] });
    for consumer in group.consumers() {
        if consumer.pending_len() == 0 && release.has(v(6, 2, 0)) {
            commands.put(&[b"XGROUP", b"CREATECONSUMER", key, group.name(), consumer.name()]);
        }
        for pending in consumer.pending_from(StreamId::MIN).filter_map(|id| group.pending(id)) {
            let (id, time) = (pending.id.text(), Decimal::new(pending.delivered_ms));
            commands.put(&[
                b"XCLAIM",
                key,
                group.name(),
                consumer.name(),
                b"0",
                id.as_ref(),
                b"TIME",
                time.as_bytes(),
                b"RETRYCOUNT",
                Decimal::new(pending.deliveries as i64).as_bytes(),
                b"JUSTID",
                b"FORCE",
            ]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use structures::entry::Value;
    use structures::list::{List, Side};

    /// The words of the commands that make an entry.
    fn written(entry: &Entry) -> String {
        let mut out = Vec::new();
        write(&mut out, entry, Release::V7_0).expect("a buffer takes all");
        let text = String::from_utf8(out).expect("commands of text");
        text.split("\r\n").filter(|part| !part.starts_with(['*', '$'])).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn items_come_in_commands_of_64() {
        let mut list = List::empty();
        (0..130).for_each(|number| list.push(Side::Right, number.to_string().as_bytes()));
        let all = written(&Entry::new(b"l", Value::List(list)));
        let commands: Vec<usize> =
            all.split("RPUSH l").skip(1).map(|rest| rest.split_whitespace().count()).collect();
        assert_eq!(commands, [64, 64, 2]);
    }

    #[test]
    fn an_error_ends_it() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let entry = Entry::new(b"s", Value::Int(5));
        assert!(write(&mut Full, &entry, Release::V7_0).is_err());
        assert_eq!(written(&entry), "SET s 5 ");
    }
}
