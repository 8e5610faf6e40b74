//! Streams: reading what has been added since, alone or as a member of a group, and waiting for it.
//!
//! Up to 7.0 a waiting client is served from the stream that has become ready; from 7.2 on its command is run again,
//! which looks at all of its streams. Of those only the ones can have changed since that are held together with the
//! ready one.

use super::streams::{STREAM, id, write_entries, write_entry};
use crate::blocking::{self, Wait};
use crate::commands::family;
use crate::error::printed;
use crate::parse::{integer, is_word};
use crate::{Command, CommandError, Cx};
use command::{Access, Category, Find, Flags, Former, KeySpec, Range, Release, v};
use keyspace::{Class, Event};
use resp::{Args, Deferred, OwnedArgs, Reply};
use smallvec::SmallVec;
use structures::number::Decimal;
use structures::stream::{ConsumerId, Entries, Group, Pending, Stream, StreamId};

family!(XREAD, XREADGROUP);

/// Before 7.2 a client that has waited gets at most so many entries if it has not said how many.
const COUNT_AFTER_WAIT: usize = 1000;

/// An event: a consumer has come into being.
pub(super) const CREATE_CONSUMER: Event = Event(Class::STREAM, "xgroup-createconsumer");

const FORMER: &[Former] = &[
    Former::before(Release::V7_0)
        .without(Flags::BLOCKING)
        .categories(Category::STREAM.union(Category::BLOCKING)),
    Former::before(Release::V6_2).with(Flags::NOSCRIPT).range(1, 1, 1),
];

/// The keys after `STREAMS`: the first half of what follows.
const fn streams_from(index: i8) -> KeySpec {
    KeySpec {
        find: Find::Range { last: -1, step: 1, limit: 2 },
        ..KeySpec::after("STREAMS", index, Access::RO.union(Access::ACCESS))
    }
}

/// `XREAD [COUNT count] [BLOCK milliseconds] STREAMS key [key ...] id [id ...]`: streams that have entries after the ids,
/// with these entries; nil if there is none.
pub static XREAD: Command = Command {
    name: "xread",
    summary: "Gives the entries of streams after some ids, and waits for them if there are none.",
    complexity: "O(N) for N entries that are given.",
    arity: -4,
    syntax: "[COUNT count:int] [BLOCK milliseconds:int] streams=STREAMS (key... id...)",
    flags: Flags::READONLY.union(Flags::BLOCKING).union(Flags::MOVABLEKEYS),
    keys: &[streams_from(1)],
    range: Range::NONE,
    former: FORMER,
    handler: xread,
    ..STREAM
};

/// `XREADGROUP GROUP group consumer [COUNT count] [BLOCK milliseconds] [NOACK] STREAMS key [key ...] id [id ...]`: as
/// [`XREAD`], of entries that no consumer of the group has been given yet, or of those given to this one.
pub static XREADGROUP: Command = Command {
    name: "xreadgroup",
    summary: "Gives a consumer entries that no other one of its group gets, and waits for them if there are none.",
    complexity: "O(N) for N entries that are given.",
    arity: -7,
    syntax: "GROUP (group consumer) [COUNT count:int] [BLOCK milliseconds:int] [NOACK] \
             streams=STREAMS (key... id...)",
    flags: Flags::WRITE.union(Flags::BLOCKING).union(Flags::MOVABLEKEYS),
    keys: &[streams_from(4)],
    range: Range::NONE,
    former: FORMER,
    handler: xreadgroup,
    ..STREAM
};

/// What is to be read.
struct Reading<'a> {
    /// The group and the consumer.
    group: Option<(&'a [u8], &'a [u8])>,
    no_ack: bool,
    count: Option<usize>,
    /// For how long to wait, in ms, if at all.
    block: Option<Option<i64>>,
    keys: Args<'a>,
    ids: Args<'a>,
    /// The number of the first id among the arguments.
    ids_at: usize,
}

impl<'a> Reading<'a> {
    fn parse(cx: &Cx, args: Args<'a>, as_group: bool) -> Result<Reading<'a>, CommandError> {
        let mut reading = Reading {
            group: None,
            no_ack: false,
            count: None,
            block: None,
            keys: args.slice(0..0),
            ids: args.slice(0..0),
            ids_at: 0,
        };
        let mut at = 1;
        loop {
            let Some(word) = args.get(at) else { return Err(CommandError::Syntax) };
            match (args.get(at + 1), args.get(at + 2)) {
                (Some(value), _) if is_word(word, "BLOCK") => {
                    reading.block = Some(blocking::timeout_ms(cx, value)?);
                    at += 2;
                }
                (Some(value), _) if is_word(word, "COUNT") => {
                    // Zero, or less, is any number.
                    reading.count = usize::try_from(integer(value)?).ok().filter(|&count| count > 0);
                    at += 2;
                }
                (Some(_), _) if is_word(word, "STREAMS") => {
                    let streams = args.slice(at + 1..args.len());
                    if !streams.len().is_multiple_of(2) {
                        return Err(unbalanced(cx, as_group));
                    }
                    reading.keys = streams.slice(0..streams.len() / 2);
                    reading.ids = streams.slice(streams.len() / 2..streams.len());
                    reading.ids_at = at + 1 + reading.keys.len();
                    break;
                }
                (Some(group), Some(consumer)) if is_word(word, "GROUP") => {
                    if !as_group {
                        return Err(CommandError::OnlyWithGroup("GROUP"));
                    }
                    reading.group = Some((group, consumer));
                    at += 3;
                }
                _ if is_word(word, "NOACK") => {
                    if !as_group {
                        return Err(CommandError::OnlyWithGroup("NOACK"));
                    }
                    reading.no_ack = true;
                    at += 1;
                }
                _ => return Err(CommandError::Syntax),
            }
        }
        if as_group && reading.group.is_none() {
            return Err(CommandError::MissingGroup);
        }
        Ok(reading)
    }

    /// The streams with the ids to read from.
    fn streams(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        self.keys.iter().zip(self.ids.iter())
    }

    fn wait(&self, serve: blocking::Serve, serves_gone_keys: bool) -> Option<Wait> {
        Some(Wait { serves_gone_keys, ..Wait::for_keys(self.keys.iter(), self.block?, serve) })
    }

    /// The streams, with the ids to read from, that serve a client when a key has become ready.
    fn ready(&self, cx: &Cx, key: &[u8]) -> SmallVec<[(&'a [u8], &'a [u8]); 4]> {
        if cx.release().has(v(7, 2, 0)) {
            self.streams().filter(|(own, _)| cx.holds(own)).collect()
        } else {
            self.streams().find(|(own, _)| *own == key).into_iter().collect()
        }
    }

    /// Most entries to give a client that has waited.
    fn count_after_wait(&self, cx: &Cx) -> Option<usize> {
        self.count.or((!cx.release().has(v(7, 2, 0))).then_some(COUNT_AFTER_WAIT))
    }
}

fn unbalanced(cx: &Cx, as_group: bool) -> CommandError {
    match (cx.release().has(v(7, 2, 0)), as_group) {
        (false, _) => CommandError::UnbalancedStreams,
        (true, false) => CommandError::UnbalancedStreams7("xread", '$'),
        (true, true) => CommandError::UnbalancedStreams7("xreadgroup", '>'),
    }
}

/// Streams as a reply: a map, or pairs in RESP2.
fn write_stream(reply: &mut Reply, key: &[u8]) {
    if !reply.is_resp3() {
        reply.array(2);
    }
    reply.bulk(key);
}

/// Whether there is something after an id. Before 6.2 it was only asked whether there was something once, and so it
/// was up to 7.0 of a client that has waited.
fn has_after(cx: &Cx, entries: &Entries, id: StreamId, waited: bool) -> bool {
    let looks = cx.release().has(if waited { v(7, 2, 0) } else { v(6, 2, 0) });
    if looks { entries.has_after(id) } else { entries.last_id() > id && (waited || !entries.is_empty()) }
}

fn xread(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let reading = Reading::parse(cx, args, false)?;
    let (scales, release) = (cx.scales(), cx.release());
    let mut ids = SmallVec::<[StreamId; 8]>::new();
    let mut most = 0;
    for (key, arg) in reading.streams() {
        let stream = cx.read_object::<Stream>(key)?;
        let entries = stream.as_ref().map(|stream| stream.entries());
        let after = match arg {
            b"$" => entries.map_or(StreamId::MIN, Entries::last_id),
            b"+" if release.has(v(7, 4, 0)) => match entries.and_then(Entries::last) {
                Some(last) => last.id.previous().unwrap_or(StreamId::MIN),
                None => entries.map_or(StreamId::MIN, Entries::last_id),
            },
            b">" => return Err(CommandError::IdWithoutGroup),
            _ => id(arg, 0)?,
        };
        let len = entries.map_or(0, |entries| entries.about(after, StreamId::MAX));
        most += len.min(reading.count.unwrap_or(usize::MAX));
        ids.push(after);
    }
    scales.weigh(most)?;
    let place = reply.defer();
    let mut served = 0;
    for (key, &after) in reading.keys.iter().zip(&ids) {
        // Observed on redis 7.0: streams are looked at twice, which counts.
        let _ = cx.read(key);
        let Some(stream) = cx.peek_object::<Stream>(key) else { continue };
        let entries = stream.entries();
        if has_after(cx, entries, after, false) {
            write_stream(reply, key);
            write_after(reply, entries, after, reading.count);
            served += 1;
        }
    }
    if served > 0 {
        write_header(reply, place, served);
        return Ok(());
    }
    match reading.wait(serve_xread, false) {
        Some(wait) => {
            // What the ids stand for is what there is now.
            let ids = ids.iter().map(|id| id.text()).collect::<Vec<_>>();
            let own = args.slice(0..reading.ids_at);
            let resolved = OwnedArgs::new(own.iter().chain(ids.iter().map(AsRef::as_ref)));
            cx.wait_as(wait, Some(resolved), reply);
        }
        None => reply.null_array(),
    }
    Ok(())
}

/// Puts the header of streams before them.
fn write_header(reply: &mut Reply, place: Deferred, streams: usize) {
    if reply.is_resp3() {
        reply.deferred_map(place, streams);
    } else {
        reply.deferred_array(place, streams);
    }
}

fn write_after(reply: &mut Reply, entries: &Entries, after: StreamId, count: Option<usize>) {
    match after.next() {
        Some(from) => {
            write_entries(reply, entries.range(from, StreamId::MAX), count);
        }
        None => reply.array(0),
    }
}

fn serve_xread(cx: &mut Cx, args: Args, key: &[u8], reply: &mut Reply) -> Result<bool, CommandError> {
    let reading = Reading::parse(cx, args, false)?;
    let count = reading.count_after_wait(cx);
    let place = reply.defer();
    let mut served = 0;
    for (key, after) in reading.ready(cx, key) {
        let after = id(after, 0)?;
        let Some(stream) = cx.peek_object::<Stream>(key) else { continue };
        if has_after(cx, stream.entries(), after, true) {
            write_stream(reply, key);
            write_after(reply, stream.entries(), after, count);
            served += 1;
        }
    }
    if served > 0 {
        write_header(reply, place, served);
    }
    Ok(served > 0)
}

/// From where a consumer reads.
#[derive(Clone, Copy)]
enum From {
    /// What no consumer of the group has been given.
    New,
    /// What this consumer has been given and has not acknowledged, after an id.
    History(StreamId),
}

fn xreadgroup(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let reading = Reading::parse(cx, args, true)?;
    let Some((group, consumer)) = reading.group else { return Err(CommandError::MissingGroup) };
    // It is repeated as what it hands out.
    cx.repeat_nothing();
    let (scales, release) = (cx.scales(), cx.release());
    let mut starts = SmallVec::<[From; 8]>::new();
    let mut most = 0;
    for (key, arg) in reading.streams() {
        let stream = cx.read_object::<Stream>(key)?;
        let found = stream.as_ref().and_then(|stream| Some((stream.entries(), stream.group(group)?)));
        let Some((entries, found)) = found else { return Err(no_group_to_read(key, group)) };
        let (start, len) = match arg {
            b"$" => return Err(CommandError::IdWithGroup('$')),
            b"+" if release.has(v(7, 4, 0)) => return Err(CommandError::IdWithGroup('+')),
            b">" => (From::New, entries.about(found.last_id(), StreamId::MAX)),
            _ => (From::History(id(arg, 0)?), found.pending_len_of(consumer)),
        };
        starts.push(start);
        most += len.min(reading.count.unwrap_or(usize::MAX));
    }
    scales.weigh(most)?;
    let place = reply.defer();
    let mut served = 0;
    for (key, start) in reading.keys.iter().zip(starts) {
        // As in XREAD.
        let _ = cx.read(key);
        served += usize::from(read_group(cx, key, &reading, start, reading.count, false, reply)?);
    }
    if served > 0 {
        write_header(reply, place, served);
        return Ok(());
    }
    match reading.wait(serve_xreadgroup, release.has(v(7, 0, 0))) {
        Some(wait) => cx.wait(wait, reply),
        None => reply.null_array(),
    }
    Ok(())
}

fn no_group_to_read(key: &[u8], group: &[u8]) -> CommandError {
    CommandError::NoGroupToRead(printed(key), printed(group))
}

fn serve_xreadgroup(cx: &mut Cx, args: Args, key: &[u8], reply: &mut Reply) -> Result<bool, CommandError> {
    let reading = Reading::parse(cx, args, true)?;
    let Some((group, _)) = reading.group else { return Ok(false) };
    cx.repeat_nothing();
    let count = reading.count_after_wait(cx);
    let ready = reading.ready(cx, key);
    for (key, _) in &ready {
        if !may_serve(cx, key, group)? {
            return Ok(false);
        }
    }
    let place = reply.defer();
    let mut served = 0;
    for (key, _) in ready {
        served += usize::from(read_group(cx, key, &reading, From::New, count, true, reply)?);
    }
    if served > 0 {
        write_header(reply, place, served);
    }
    Ok(served > 0)
}

/// Whether a stream with its group is still there.
///
/// # Errors
/// What ends the wait if not; up to 6.2 a client waits until there is a stream again.
fn may_serve(cx: &Cx, key: &[u8], group: &[u8]) -> Result<bool, CommandError> {
    let entry = cx.peek(key);
    let exists = entry.is_some();
    let has_group =
        entry.and_then(|entry| entry.into_object::<Stream>()).map(|stream| stream.group(group).is_some());
    let (since_7, since_7_2) = (cx.release().has(v(7, 0, 0)), cx.release().has(v(7, 2, 0)));
    match has_group {
        Some(true) => Ok(true),
        None if since_7_2 && exists => Err(CommandError::WrongType),
        _ if since_7_2 => Err(no_group_to_read(key, group)),
        Some(false) => Err(CommandError::GroupGone),
        None if since_7 => Err(CommandError::StreamGone),
        None => Ok(false),
    }
}

/// Reads from one stream; whether there was anything to read, and it was written.
fn read_group(
    cx: &mut Cx,
    key: &[u8],
    reading: &Reading,
    start: From,
    count: Option<usize>,
    waited: bool,
    reply: &mut Reply,
) -> Result<bool, CommandError> {
    let (release, now_ms, repeats) = (cx.release(), cx.now_ms(), cx.is_repeated());
    let Some((group_name, consumer_name)) = reading.group else { return Ok(false) };
    let (group, consumer) = (group_name, consumer_name);
    let has_new = cx.peek_object::<Stream>(key).is_some_and(|stream| {
        stream.group(group).is_some_and(|group| has_after(cx, stream.entries(), group.last_id(), waited))
    });
    let served = has_new || matches!(start, From::History(_));
    // From 7.2 on a consumer is heard of whether or not there is anything for it.
    if !served && !release.has(v(7, 2, 0)) {
        return Ok(false);
    }
    let Some(mut change) = cx.change_existing::<Stream>(key)? else { return Ok(false) };
    let Some((entries, mut group)) = change.open(group) else {
        change.leave();
        return Ok(false);
    };
    let (consumer, created) = find_or_create(&mut group, consumer, now_ms);
    group.see(consumer, now_ms);
    let mut delivered = Vec::new();
    if served {
        write_stream(reply, key);
        match start {
            From::New => {
                let delivery = Delivery { consumer, no_ack: reading.no_ack, now_ms, count };
                let note = |id| {
                    if repeats {
                        delivered.push(id);
                    }
                };
                delivery.write_new(reply, entries, &mut group, note);
            }
            From::History(after) => write_history(reply, entries, &mut group, consumer, after, count, now_ms),
        }
    }
    let (last_id, entries_read) = (group.last_id(), group.entries_read());
    drop(group);
    let notified = created && release.has(v(7, 0, 0));
    match u64::from(served) + u64::from(created) {
        0 => change.leave(),
        changes => change.commit_aside(&[CREATE_CONSUMER][..usize::from(notified)], changes),
    }
    if repeats {
        // Elsewhere a consumer comes into being with what it claims.
        if created && reading.no_ack && release.has(v(6, 2, 0)) {
            cx.repeat(&[b"XGROUP", b"CREATECONSUMER", key, group_name, consumer_name]);
        }
        for &id in delivered.iter().filter(|_| !reading.no_ack) {
            let claim = Claimed { consumer: consumer_name, delivered_ms: now_ms, deliveries: 1, last_id: id };
            claim.repeat(cx, key, group_name, id.text().as_ref());
        }
        if reading.no_ack && release < Release::V6_2 {
            delivered.iter().for_each(|&id| repeat_group_id(cx, key, group_name, id, entries_read));
        } else if !delivered.is_empty() && (reading.no_ack || release.has(v(7, 2, 0))) {
            repeat_group_id(cx, key, group_name, last_id, entries_read);
        }
    }
    Ok(served)
}

/// The consumer of a name, and whether it had to be made.
pub(super) fn find_or_create(group: &mut Group, name: &[u8], now_ms: i64) -> (ConsumerId, bool) {
    match group.consumer(name) {
        Some(consumer) => (consumer, false),
        None => (group.create_consumer(name, now_ms), true),
    }
}

/// That an entry is pending, as it is repeated elsewhere.
pub(super) struct Claimed<'a> {
    pub(super) consumer: &'a [u8],
    pub(super) delivered_ms: i64,
    pub(super) deliveries: u64,
    /// Up to where the group has read.
    pub(super) last_id: StreamId,
}

impl Claimed<'_> {
    pub(super) fn repeat(&self, cx: &mut Cx, key: &[u8], group: &[u8], id: &[u8]) {
        let (time, count) = (Decimal::new(self.delivered_ms), Decimal::new(self.deliveries as i64));
        let last_id = self.last_id.text();
        cx.repeat(&[
            b"XCLAIM",
            key,
            group,
            self.consumer,
            b"0",
            id,
            b"TIME",
            time.as_bytes(),
            b"RETRYCOUNT",
            count.as_bytes(),
            b"FORCE",
            b"JUSTID",
            b"LASTID",
            last_id.as_ref(),
        ]);
    }
}

/// Repeats up to where a group has read.
pub(super) fn repeat_group_id(
    cx: &mut Cx,
    key: &[u8],
    group: &[u8],
    last_id: StreamId,
    entries_read: Option<u64>,
) {
    let (id, read) = (last_id.text(), Decimal::new(entries_read.map_or(-1, |read| read as i64)));
    let all: [&[u8]; 7] = [b"XGROUP", b"SETID", key, group, id.as_ref(), b"ENTRIESREAD", read.as_bytes()];
    cx.repeat(if cx.release().has(v(7, 0, 0)) { &all } else { &all[..5] });
}

/// How entries are delivered.
struct Delivery {
    consumer: ConsumerId,
    no_ack: bool,
    now_ms: i64,
    count: Option<usize>,
}

impl Delivery {
    /// Writes entries that no consumer of the group has been given; `note` is told of each.
    fn write_new(
        &self,
        reply: &mut Reply,
        entries: &Entries,
        group: &mut Group,
        mut note: impl FnMut(StreamId),
    ) {
        let Some(from) = group.last_id().next() else { return reply.array(0) };
        let place = reply.defer();
        let mut written = 0;
        for entry in entries.range(from, StreamId::MAX).take(self.count.unwrap_or(usize::MAX)) {
            let id = entry.id;
            group.advance(entries, id);
            write_entry(reply, entry);
            written += 1;
            note(id);
            if !self.no_ack {
                // It may be pending already: the group may have been set back.
                group.assign(Pending {
                    id,
                    delivered_ms: self.now_ms,
                    deliveries: 1,
                    consumer: self.consumer,
                });
            }
        }
        if written > 0 && !self.no_ack {
            group.activate(self.consumer, self.now_ms);
        }
        reply.deferred_array(place, written);
    }
}

/// Writes entries that a consumer has been given; those that have been deleted meanwhile are nil.
fn write_history(
    reply: &mut Reply,
    entries: &Entries,
    group: &mut Group,
    consumer: ConsumerId,
    after: StreamId,
    count: Option<usize>,
    now_ms: i64,
) {
    let from = after.next().into_iter();
    let ids = from.flat_map(|from| group.consumer_at(consumer).pending_from(from));
    let ids: Vec<StreamId> = ids.take(count.unwrap_or(usize::MAX)).collect();
    reply.array(ids.len());
    for id in ids {
        let Some(entry) = entries.get(id) else {
            reply.array(2);
            reply.bulk(id.text());
            reply.null_array();
            continue;
        };
        write_entry(reply, entry);
        if let Some(&own) = group.pending(id) {
            let deliveries = own.deliveries.saturating_add(1);
            group.assign(Pending { delivered_ms: now_ms, deliveries, ..own });
        }
    }
}
