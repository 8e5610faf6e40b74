//! What streams tell of themselves: `XINFO`.

use super::stream_groups::pending_of;
use super::streams::{STREAM, write_entries, write_entry};
use crate::commands::{family, help};
use crate::error::printed;
use crate::parse::{integer, is_word};
use crate::{Command, CommandError, Cx};
use command::{Access, Category, Flags, Former, KeySpec, Range, Refusal, Release, v};
use resp::{Args, Reply};
use structures::stream::{Consumer, Entries, Group, Stream, StreamId};
use structures::thin::Read;

family!(XINFO);

/// `XINFO subcommand`: see the subcommands.
pub static XINFO: Command = Command {
    name: "xinfo",
    summary: "Tells about a stream, its groups and their consumers.",
    complexity: "That of the subcommand.",
    arity: -2,
    flags: Flags::CONTAINER,
    handler: no_info_subcommand,
    categories: Category::empty(),
    range: Range::NONE,
    former: &[Former::before(Release::V7_0)
        .with(Flags::READONLY.union(Flags::RANDOM))
        .range(2, 2, 1)
        .categories(Category::STREAM)],
    subcommands: &[&CONSUMERS, &GROUPS, &STREAM_COMMAND, &HELP],
    refusals: &[(Release::V7_0, Refusal::Quoted)],
    ..STREAM
};

/// What its subcommands have in common.
const INFO: Command = Command {
    flags: Flags::READONLY,
    keys: &[KeySpec::at(2, Access::RO.union(Access::ACCESS))],
    range: Range::new(2, 2, 1),
    ..STREAM
};

/// `XINFO CONSUMERS key group`: a map for each consumer.
static CONSUMERS: Command = Command {
    name: "consumers",
    summary: "Tells about the consumers of a group.",
    complexity: "O(N) for N consumers.",
    arity: 4,
    syntax: "key groupname",
    tips: super::streams::NONDETERMINISTIC,
    handler: consumers,
    ..INFO
};

/// `XINFO GROUPS key`: a map for each group.
static GROUPS: Command = Command {
    name: "groups",
    summary: "Tells about the groups of a stream.",
    complexity: "O(N) for N groups.",
    arity: 3,
    syntax: "key",
    handler: groups,
    ..INFO
};

/// `XINFO STREAM key [FULL [COUNT count]]`: a map.
static STREAM_COMMAND: Command = Command {
    name: "stream",
    summary: "Tells about a stream, and all that belongs to it if asked for.",
    complexity: "O(N) for N nodes of the stream, and for all that is shown.",
    arity: -3,
    syntax: "key full=[FULL ([COUNT count:int])]",
    former: &[Former::before(Release::V6_2).arity(3)],
    handler: stream,
    ..INFO
};

/// `XINFO HELP`: how the others are called.
static HELP: Command = Command {
    name: "help",
    summary: "Tells how the subcommands are called.",
    arity: 2,
    former: &[Former::before(Release::V7_0).arity(-2)],
    flags: Flags::LOADING.union(Flags::STALE),
    keys: &[],
    range: Range::NONE,
    handler: info_help,
    ..INFO
};

/// Entries, and pending ones, that `FULL` shows if not told how many.
const DEFAULT_COUNT: i64 = 10;

/// The stream that a subcommand is about, which must exist.
/// Before 7.0 a command looks for the key before it sees what is asked of it.
fn no_info_subcommand(cx: &mut Cx, args: Args, _: &mut Reply) -> Result<(), CommandError> {
    match args.len() {
        0..3 if !cx.release().has(v(6, 2, 0)) => Err(CommandError::TryHelp("XINFO")),
        0..3 => Err(cx.no_subcommand(args)),
        _ => {
            existing(cx, args)?;
            Err(cx.no_subcommand(args))
        }
    }
}

fn existing<'c>(cx: &'c mut Cx, args: Args) -> Result<Read<'c, Stream>, CommandError> {
    cx.read_object::<Stream>(args.at(2))?.ok_or(CommandError::NoSuchKey)
}

/// Writes a field of a map whose value is an integer.
fn number(reply: &mut Reply, name: &str, value: i64) {
    reply.bulk(name);
    reply.integer(value);
}

/// Writes a field of a map whose value is an id.
fn id(reply: &mut Reply, name: &str, value: StreamId) {
    reply.bulk(name);
    reply.bulk(value.text());
}

/// Writes a field of a map whose value may be unknown.
fn known(reply: &mut Reply, name: &str, value: Option<i64>) {
    reply.bulk(name);
    match value {
        Some(value) => reply.integer(value),
        None => reply.null(),
    }
}

fn consumers(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let (now_ms, release) = (cx.now_ms(), cx.release());
    let stream = existing(cx, args)?;
    let Some(group) = stream.group(args.at(3)) else {
        return Err(CommandError::NoGroup(printed(args.at(3)), printed(args.at(2))));
    };
    let since_7_2 = release.has(v(7, 2, 0));
    reply.array(group.consumers().len());
    for consumer in group.consumers() {
        reply.map(if since_7_2 { 4 } else { 3 });
        reply.bulk("name");
        reply.bulk(consumer.name());
        number(reply, "pending", consumer.pending_len() as i64);
        number(reply, "idle", now_ms.saturating_sub(consumer.seen_ms()).max(0));
        if since_7_2 {
            number(
                reply,
                "inactive",
                consumer.active_ms().map_or(-1, |active_ms| now_ms.saturating_sub(active_ms).max(0)),
            );
        }
    }
    Ok(())
}

fn groups(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let has_lag = cx.release().has(v(7, 0, 0));
    let stream = existing(cx, args)?;
    reply.array(stream.groups().len());
    for group in stream.groups() {
        reply.map(if has_lag { 6 } else { 4 });
        reply.bulk("name");
        reply.bulk(group.name());
        number(reply, "consumers", group.consumers().len() as i64);
        number(reply, "pending", group.pending_len() as i64);
        id(reply, "last-delivered-id", group.last_id());
        if has_lag {
            write_lag(reply, stream.entries(), group);
        }
    }
    Ok(())
}

fn write_lag(reply: &mut Reply, entries: &Entries, group: &Group) {
    known(reply, "entries-read", group.entries_read().map(|read| read as i64));
    known(reply, "lag", group.lag(entries));
}

fn stream(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let (scales, release) = (cx.scales(), cx.release());
    let wrong = cx.bad_subcommand(args);
    let stream = existing(cx, args)?;
    let count = match (args.get(3), args.get(4), args.get(5)) {
        (None, ..) => None,
        (Some(full), None, _) if is_word(full, "FULL") => Some(DEFAULT_COUNT),
        (Some(full), Some(word), Some(count))
            if is_word(full, "FULL") && is_word(word, "COUNT") && args.len() == 6 =>
        {
            Some(integer(count)?)
        }
        _ => return Err(wrong),
    };
    // Below zero it is as if it were not there, and zero is any number.
    let full = count.map(|count| match count {
        ..0 => DEFAULT_COUNT as usize,
        0 => usize::MAX,
        _ => count as usize,
    });
    scales.weigh(stream.entries().nodes().len())?;
    if let Some(count) = full {
        let pending: usize = stream.groups().map(|group| 2 * group.pending_len().min(count)).sum();
        scales.weigh(stream.entries().len().min(count) + pending)?;
    }
    let since_7 = release.has(v(7, 0, 0));
    let groups_first = !release.has(v(6, 2, 0));
    let entries = stream.entries();
    let len = if full.is_some() { 6 } else { 7 } + if since_7 { 3 } else { 0 };
    reply.map(len);
    number(reply, "length", entries.len() as i64);
    number(reply, "radix-tree-keys", entries.nodes().len() as i64);
    number(reply, "radix-tree-nodes", entries.radix_nodes() as i64);
    if groups_first {
        number(reply, "groups", stream.groups().len() as i64);
    }
    id(reply, "last-generated-id", entries.last_id());
    if since_7 {
        id(reply, "max-deleted-entry-id", entries.max_deleted_id());
        number(reply, "entries-added", entries.added() as i64);
        id(reply, "recorded-first-entry-id", entries.first_id());
    }
    match full {
        Some(count) => write_full(reply, &stream, count, release),
        None => {
            if !groups_first {
                number(reply, "groups", stream.groups().len() as i64);
            }
            let first = entries.range(StreamId::MIN, StreamId::MAX).next();
            for (name, entry) in [("first-entry", first), ("last-entry", entries.last())] {
                reply.bulk(name);
                match entry {
                    Some(entry) => write_entry(reply, entry),
                    None => reply.null(),
                }
            }
        }
    }
    Ok(())
}

/// Writes what `FULL` shows beside what is always shown.
fn write_full(reply: &mut Reply, stream: &Stream, count: usize, release: Release) {
    reply.bulk("entries");
    write_entries(reply, stream.entries().range(StreamId::MIN, StreamId::MAX), Some(count));
    reply.bulk("groups");
    reply.array(stream.groups().len());
    for group in stream.groups() {
        let has_lag = release.has(v(7, 0, 0));
        reply.map(if has_lag { 7 } else { 5 });
        reply.bulk("name");
        reply.bulk(group.name());
        id(reply, "last-delivered-id", group.last_id());
        if has_lag {
            write_lag(reply, stream.entries(), group);
        }
        number(reply, "pel-count", group.pending_len() as i64);
        reply.bulk("pending");
        reply.array(group.pending_len().min(count));
        for pending in group.pending_from(StreamId::MIN).take(count) {
            reply.array(4);
            reply.bulk(pending.id.text());
            reply.bulk(group.consumer_at(pending.consumer).name());
            reply.integer(pending.delivered_ms);
            reply.integer(pending.deliveries as i64);
        }
        reply.bulk("consumers");
        reply.array(group.consumers().len());
        group.consumers().for_each(|consumer| write_consumer(reply, group, consumer, count, release));
    }
}

fn write_consumer(reply: &mut Reply, group: &Group, consumer: &Consumer, count: usize, release: Release) {
    let since_7_2 = release.has(v(7, 2, 0));
    reply.map(if since_7_2 { 5 } else { 4 });
    reply.bulk("name");
    reply.bulk(consumer.name());
    number(reply, "seen-time", consumer.seen_ms());
    if since_7_2 {
        number(reply, "active-time", consumer.active_ms().unwrap_or(-1));
    }
    number(reply, "pel-count", consumer.pending_len() as i64);
    reply.bulk("pending");
    reply.array(consumer.pending_len().min(count));
    for pending in pending_of(group, consumer, StreamId::MIN).take(count) {
        reply.array(3);
        reply.bulk(pending.id.text());
        reply.integer(pending.delivered_ms);
        reply.integer(pending.deliveries as i64);
    }
}

fn info_help(cx: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let stream =
        if cx.release().has(v(6, 2, 0)) { "STREAM <key> [FULL [COUNT <count>]]" } else { "STREAM <key>" };
    let all = [
        ("CONSUMERS <key> <group>", "Tell about the consumers of a group."),
        ("GROUPS <key>", "Tell about the groups of a stream."),
        (stream, "Tell about a stream, and all that belongs to it with FULL."),
    ];
    help(reply, "XINFO", &all);
    Ok(())
}
