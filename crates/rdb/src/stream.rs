//! Streams, with their groups.

use crate::cursor::Cursor;
use crate::read::listpack;
use crate::write::{Encoder, Sink, raw_id};
use crate::{Damaged, code};
use std::collections::BTreeMap;
use structures::entry::Object;
use structures::packed::{Item, Packed};
use structures::stream::{Group, Pending, Stream, StreamId};

/// How many entries a group has read, where that is not known.
const UNKNOWN: u64 = u64::MAX;
/// When a consumer last got something, where it never did.
const NEVER_MS: i64 = -1;

/// Writes a stream as this type.
pub(crate) fn write<S: Sink>(to: &mut Encoder<'_, S>, stream: &Stream, code: u8) {
    let entries = stream.entries();
    to.len(entries.nodes().len());
    for (id, list) in entries.nodes() {
        to.string(&raw_id(id));
        to.string(list.bytes());
    }
    to.len(entries.len());
    to.id(entries.last_id());
    if code >= code::STREAM_2 {
        to.id(entries.first_id());
        to.id(entries.max_deleted_id());
        to.number(entries.added());
    }
    to.len(stream.groups().len());
    stream.groups().for_each(|group| write_group(to, group, code));
}

fn write_group<S: Sink>(to: &mut Encoder<'_, S>, group: &Group, code: u8) {
    to.string(group.name());
    to.id(group.last_id());
    if code >= code::STREAM_2 {
        to.number(group.entries_read().unwrap_or(UNKNOWN));
    }
    to.len(group.pending_len());
    for pending in group.pending_from(StreamId::MIN) {
        to.raw_id(pending.id);
        to.time_ms(pending.delivered_ms);
        to.number(pending.deliveries);
    }
    to.len(group.consumers().len());
    for consumer in group.consumers() {
        to.string(consumer.name());
        to.time_ms(consumer.seen_ms());
        if code >= code::STREAM_3 {
            to.time_ms(consumer.active_ms().unwrap_or(NEVER_MS));
        }
        to.len(consumer.pending_len());
        consumer.pending_from(StreamId::MIN).for_each(|id| to.raw_id(id));
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
