//! Streams, with their groups.

use crate::cursor::Cursor;
use crate::read::listpack;
use crate::write::{Writer, raw_id};
use crate::{Damaged, Version, code};
use std::collections::BTreeMap;
use structures::entry::Object;
use structures::packed::{Item, Packed};
use structures::stream::{Group, Pending, Stream, StreamId};

/// How many entries a group has read, where that is not known.
const UNKNOWN: u64 = u64::MAX;
/// When a consumer last got something, where it never did.
const NEVER_MS: i64 = -1;

/// Writes a stream with its type.
pub(crate) fn write(writer: &mut Writer<'_>, stream: &Stream) {
    let code = match writer.version {
        version if version < Version::V10 => code::STREAM,
        Version::V10 => code::STREAM_2,
        _ => code::STREAM_3,
    };
    let entries = stream.entries();
    writer.byte(code);
    writer.len(entries.nodes().len());
    for (id, list) in entries.nodes() {
        writer.string(&raw_id(id));
        writer.string(list.bytes());
    }
    writer.len(entries.len());
    writer.id(entries.last_id());
    if code >= code::STREAM_2 {
        writer.id(entries.first_id());
        writer.id(entries.max_deleted_id());
        writer.number(entries.added());
    }
    writer.len(stream.groups().len());
    stream.groups().for_each(|group| write_group(writer, group, code));
}

fn write_group(writer: &mut Writer<'_>, group: &Group, code: u8) {
    writer.string(group.name());
    writer.id(group.last_id());
    if code >= code::STREAM_2 {
        writer.number(group.entries_read().unwrap_or(UNKNOWN));
    }
    writer.len(group.pending_len());
    for pending in group.pending_from(StreamId::MIN) {
        writer.raw_id(pending.id);
        writer.time_ms(pending.delivered_ms);
        writer.number(pending.deliveries);
    }
    writer.len(group.consumers().len());
    for consumer in group.consumers() {
        writer.string(consumer.name());
        writer.time_ms(consumer.seen_ms());
        if code >= code::STREAM_3 {
            writer.time_ms(consumer.active_ms().unwrap_or(NEVER_MS));
        }
        writer.len(consumer.pending_len());
        consumer.pending_from(StreamId::MIN).for_each(|id| writer.raw_id(id));
    }
}

/// Reads a stream of this type.
pub(crate) fn read(from: &mut Cursor<'_>, code: u8) -> Result<Stream, Damaged> {
    let mut stream = Stream::empty();
    let entries = stream.entries_mut();
    for _ in 0..from.number()? {
        let id = from.string()?;
        let id = Cursor::new(<&[u8; 16]>::try_from(&*id).map_err(|_| Damaged)?).raw_id()?;
        entries.push_node(id, canonical(&listpack(&from.string()?)?)).map_err(|_| Damaged)?;
    }
    if from.number()? != entries.len() as u64 {
        return Err(Damaged);
    }
    let last_id = from.id()?;
    if last_id < entries.last_id() {
        return Err(Damaged);
    }
    entries.set_last_id(last_id);
    if code >= code::STREAM_2 {
        // The first id is that of the first entry, whatever is said.
        from.id()?;
        entries.set_max_deleted_id(from.id()?);
        entries.set_added(from.number()?);
    } else {
        entries.set_added(entries.len() as u64);
    }
    for _ in 0..from.number()? {
        read_group(from, code, &mut stream)?;
    }
    Ok(stream)
}

/// The same list, with every integer stored as one and in its shortest form.
fn canonical(list: &Packed) -> Packed {
    let mut copy = Packed::new();
    copy.extend(list.iter().map(|item| match item {
        Item::Str(bytes) => Item::of(bytes),
        int => int,
    }));
    copy
}

fn read_group(from: &mut Cursor<'_>, code: u8, stream: &mut Stream) -> Result<(), Damaged> {
    let name = from.string()?;
    let last_id = from.id()?;
    let entries_read = if code >= code::STREAM_2 {
        Some(from.number()?).filter(|&read| read != UNKNOWN)
    } else {
        stream.entries().ordinal(last_id)
    };
    if !stream.create_group(&name, last_id, entries_read) {
        return Err(Damaged);
    }
    let (_, mut group) = stream.open(&name).ok_or(Damaged)?;
    let mut unassigned = BTreeMap::new();
    for _ in 0..from.number()? {
        if unassigned.insert(from.raw_id()?, (from.time_ms()?, from.number()?)).is_some() {
            return Err(Damaged);
        }
    }
    for _ in 0..from.number()? {
        let name = from.string()?;
        if group.consumer(&name).is_some() {
            return Err(Damaged);
        }
        let seen_ms = from.time_ms()?;
        let consumer = group.create_consumer(&name, seen_ms);
        let active_ms = if code >= code::STREAM_3 { from.time_ms()? } else { seen_ms };
        if active_ms != NEVER_MS {
            group.activate(consumer, active_ms);
        }
        for _ in 0..from.number()? {
            let id = from.raw_id()?;
            let (delivered_ms, deliveries) = unassigned.remove(&id).ok_or(Damaged)?;
            group.assign(Pending { id, delivered_ms, deliveries, consumer });
        }
    }
    // What is pending is so for somebody.
    if unassigned.is_empty() { Ok(()) } else { Err(Damaged) }
}
