//! Consumer groups of streams: making and removing them and their consumers, and what they have yet to acknowledge.
//!
//! Reading as a member of a group is in [`super::stream_reads`], taking over what others have been given in
//! [`super::stream_claims`].
//!
//! Groups do not belong to the value of a stream: a transaction that watches the key does not fail because of them.

use super::stream_reads::{CREATE_CONSUMER, find_or_create};
use super::streams::{RANDOM_BEFORE_7, STREAM, id, id_or_end, ids, interval};
use crate::commands::{family, help};
use crate::error::printed;
use crate::parse::{integer, is_word};
use crate::{Command, CommandError, Cx};
use command::{Access, Category, Flags, Former, KeySpec, Range, Refusal, Release, v};
use keyspace::{Change, Class, Event};
use resp::{Args, Reply};
use structures::stream::{Consumer, Group, Pending, Stream, StreamId};

family!(XGROUP, XACK, XPENDING);

/// `XGROUP subcommand`: see the subcommands.
pub static XGROUP: Command = Command {
    name: "xgroup",
    summary: "Makes, changes and removes consumer groups.",
    complexity: "That of the subcommand.",
    arity: -2,
    flags: Flags::CONTAINER,
    handler: no_group_subcommand,
    categories: Category::empty(),
    range: Range::NONE,
    former: &[Former::before(Release::V7_0)
        .with(Flags::WRITE.union(Flags::DENYOOM))
        .range(2, 2, 1)
        .categories(Category::STREAM)],
    subcommands: &[&CREATE, &CREATE_CONSUMER_COMMAND, &DEL_CONSUMER, &DESTROY, &SET_ID, &HELP],
    refusals: &[(Release::V7_0, Refusal::Quoted)],
    ..STREAM
};

/// What its subcommands have in common.
const GROUP: Command = Command { range: Range::new(2, 2, 1), flags: Flags::WRITE, ..STREAM };

/// `XGROUP CREATE key group id | $ [MKSTREAM] [ENTRIESREAD entries-read]`: OK.
static CREATE: Command = Command {
    name: "create",
    summary: "Makes a group that is given the entries after an id.",
    arity: -5,
    syntax: "key groupname id=(id | new_id=$) [MKSTREAM] [ENTRIESREAD entries_read:int]",
    flags: Flags::WRITE.union(Flags::DENYOOM),
    keys: &[KeySpec::at(2, Access::RW.union(Access::INSERT))],
    handler: create,
    ..GROUP
};

/// `XGROUP CREATECONSUMER key group consumer`: 1 if there was none of that name, or 0.
static CREATE_CONSUMER_COMMAND: Command = Command {
    name: "createconsumer",
    summary: "Makes a consumer of a group.",
    since: v(6, 2, 0),
    arity: 5,
    syntax: "key groupname consumername",
    flags: Flags::WRITE.union(Flags::DENYOOM),
    keys: &[KeySpec::at(2, Access::RW.union(Access::INSERT))],
    handler: create_consumer,
    ..GROUP
};

/// `XGROUP DELCONSUMER key group consumer`: how many entries it had yet to acknowledge.
static DEL_CONSUMER: Command = Command {
    name: "delconsumer",
    summary: "Removes a consumer of a group.",
    complexity: "O(N) for N entries that it had yet to acknowledge.",
    arity: 5,
    syntax: "key groupname consumername",
    keys: &[KeySpec::at(2, Access::RW.union(Access::DELETE))],
    handler: delete_consumer,
    ..GROUP
};

/// `XGROUP DESTROY key group`: 1 if there was such a group, or 0.
static DESTROY: Command = Command {
    name: "destroy",
    summary: "Removes a group.",
    complexity: "O(N) for N entries that were yet to be acknowledged.",
    arity: 4,
    syntax: "key groupname",
    keys: &[KeySpec::at(2, Access::RW.union(Access::DELETE))],
    handler: destroy,
    ..GROUP
};

/// `XGROUP SETID key group id | $ [ENTRIESREAD entries-read]`: OK.
static SET_ID: Command = Command {
    name: "setid",
    summary: "Has a group go on after another id.",
    arity: -5,
    syntax: "key groupname id=(id | new_id=$) [ENTRIESREAD entries_read:int]",
    keys: &[KeySpec::at(2, Access::RW.union(Access::UPDATE))],
    handler: set_id,
    ..GROUP
};

/// `XGROUP HELP`: how the others are called.
static HELP: Command = Command {
    name: "help",
    summary: "Tells how the subcommands are called.",
    arity: 2,
    former: &[Former::before(Release::V6_2).arity(-2)],
    flags: Flags::LOADING.union(Flags::STALE),
    range: Range::NONE,
    handler: group_help,
    ..STREAM
};

/// `XACK key group id [id ...]`: how many entries were yet to be acknowledged.
pub static XACK: Command = Command {
    name: "xack",
    summary: "Takes note that entries have been dealt with.",
    complexity: "O(1) for each entry.",
    arity: -4,
    syntax: "key group id...",
    flags: Flags::WRITE.union(Flags::FAST),
    keys: &[KeySpec::at(1, Access::RW.union(Access::UPDATE))],
    former: &[
        Former::before(Release::V7_0).with(Flags::RANDOM),
        Former::before(Release::V6_2).without(Flags::RANDOM),
    ],
    handler: xack,
    ..STREAM
};

/// `XPENDING key group [[IDLE min-idle-time] start end count [consumer]]`: how many entries are yet to be acknowledged,
/// the first and the last of them, and how many by whom; or, of each in an interval: its id, the consumer, how long ago
/// it was delivered, and how often.
pub static XPENDING: Command = Command {
    name: "xpending",
    summary: "Tells which entries have yet to be acknowledged.",
    complexity: "O(N) for N entries that are looked at.",
    arity: -3,
    syntax: "key group filters=[[IDLE min-idle-time:int]@6.2.0 start end count:int [consumer]]",
    flags: Flags::READONLY,
    keys: &[KeySpec::at(1, Access::RO.union(Access::ACCESS))],
    tips: super::streams::NONDETERMINISTIC,
    former: RANDOM_BEFORE_7,
    handler: xpending,
    ..STREAM
};

/// The options of `CREATE` and `SETID`.
#[derive(Default)]
struct Options {
    make_stream: bool,
    entries_read: Option<u64>,
}

impl Options {
    fn parse(cx: &mut Cx, args: Args, creates: bool) -> Result<Options, CommandError> {
        let mut options = Options::default();
        let mut words = args.iter_from(5);
        while let Some(word) = words.next() {
            if creates && is_word(word, "MKSTREAM") {
                options.make_stream = true;
                continue;
            }
            match words.next() {
                Some(value) if is_word(word, "ENTRIESREAD") && cx.release().has(v(7, 0, 0)) => {
                    options.entries_read = match integer(value)? {
                        -1 => None,
                        ..0 => return Err(CommandError::EntriesReadNegative),
                        value => Some(value as u64),
                    };
                }
                // Before 7.0 an option of CREATE is looked at first, any other number of arguments last.
                _ if cx.release() < Release::V7_0 && !(creates && args.len() == 6) => {
                    return Err(group_error(cx, args));
                }
                _ => return Err(cx.bad_subcommand(args)),
            }
        }
        Ok(options)
    }
}

/// The stream that a subcommand is about, which must exist.
fn stream<'k>(cx: &'k mut Cx, args: Args<'k>) -> Result<Change<'k, Stream>, CommandError> {
    cx.change_existing::<Stream>(args.at(2))?.ok_or(CommandError::NoStreamForGroup)
}

/// The same with its group, which must exist too.
fn stream_with_group<'k>(cx: &'k mut Cx, args: Args<'k>) -> Result<Change<'k, Stream>, CommandError> {
    let change = stream(cx, args)?;
    if change.group(args.at(3)).is_some() {
        return Ok(change);
    }
    change.leave();
    Err(CommandError::NoGroup(printed(args.at(3)), printed(args.at(2))))
}

fn no_group_subcommand(cx: &mut Cx, args: Args, _: &mut Reply) -> Result<(), CommandError> {
    Err(group_error(cx, args))
}

/// Before 7.0 the key, and for some subcommands the group, are looked for before it is seen that there is no such subcommand, or
/// not with so many arguments.
fn group_error(cx: &mut Cx, args: Args) -> CommandError {
    if args.len() < 4 {
        return cx.no_subcommand(args);
    }
    let is = |name| is_word(args.at(1), name);
    let needs_group =
        is("SETID") || is("DELCONSUMER") || is("CREATECONSUMER") && cx.release().has(v(6, 2, 0));
    match cx.read_object::<Stream>(args.at(2)) {
        Err(error) => return error,
        Ok(None) => return CommandError::NoStreamForGroup,
        Ok(Some(stream)) if needs_group && stream.group(args.at(3)).is_none() => {
            return CommandError::NoGroup(printed(args.at(3)), printed(args.at(2)));
        }
        Ok(Some(_)) => {}
    }
    cx.no_subcommand(args)
}

fn create(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let Options { make_stream, entries_read } = Options::parse(cx, args, true)?;
    let mut change = if make_stream { cx.change::<Stream>(args.at(2))? } else { stream(cx, args)? };
    let last_id = match args.at(4) {
        b"$" => Ok(change.entries().last_id()),
        arg => id(arg, 0),
    };
    let created = last_id.map(|last_id| change.create_group(args.at(3), last_id, entries_read));
    match created {
        Ok(true) => {
            change.commit_aside(&[Event(Class::STREAM, "xgroup-create")], 1);
            reply.ok();
            Ok(())
        }
        other => {
            change.leave();
            Err(other.err().unwrap_or(CommandError::BusyGroup))
        }
    }
}

fn set_id(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let Options { entries_read, .. } = Options::parse(cx, args, false)?;
    let mut change = stream_with_group(cx, args)?;
    let last_id = match args.at(4) {
        b"$" => Ok(change.entries().last_id()),
        arg => id_or_end(arg, 0),
    };
    let last_id = match last_id {
        Ok(last_id) => last_id,
        Err(error) => {
            change.leave();
            return Err(error);
        }
    };
    if let Some((_, mut group)) = change.open(args.at(3)) {
        group.set_last_id(last_id, entries_read);
    }
    change.commit_aside(&[Event(Class::STREAM, "xgroup-setid")], 1);
    reply.ok();
    Ok(())
}

fn destroy(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let mut change = stream(cx, args)?;
    let destroyed = change.remove_group(args.at(3));
    if destroyed {
        // Those who wait as its members are to learn of it.
        change.wake();
        change.commit_aside(&[Event(Class::STREAM, "xgroup-destroy")], 1);
    } else {
        change.leave();
    }
    reply.count(usize::from(destroyed));
    Ok(())
}

fn create_consumer(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let now_ms = cx.now_ms();
    let mut change = stream_with_group(cx, args)?;
    let created = change
        .open(args.at(3))
        .is_some_and(|(_, mut group)| find_or_create(&mut group, args.at(4), now_ms).1);
    if created {
        change.commit_aside(&[CREATE_CONSUMER], 1);
    } else {
        change.leave();
    }
    reply.count(usize::from(created));
    Ok(())
}

fn delete_consumer(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let always_notifies = !cx.release().has(v(7, 0, 0));
    let scales = cx.scales();
    let mut change = stream_with_group(cx, args)?;
    let pending = change.group(args.at(3)).map_or(0, |group| group.pending_len_of(args.at(4)));
    if let Err(error) = scales.weigh(pending) {
        change.leave();
        return Err(error);
    }
    let pending = change.open(args.at(3)).and_then(|(_, mut group)| group.remove_consumer(args.at(4)));
    if pending.is_some() || always_notifies {
        change.commit_aside(&[Event(Class::STREAM, "xgroup-delconsumer")], 1);
    } else {
        change.leave();
    }
    reply.count(pending.unwrap_or(0));
    Ok(())
}

fn group_help(cx: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let create_consumer = (
        "CREATECONSUMER <key> <group> <consumer>",
        "Make a consumer. Consumers are also made when they first read.",
    );
    let others = [
        (
            "CREATE <key> <group> <id|$> [option ...]",
            "Make a group that reads on after the id; $ is the last one. Option MKSTREAM makes the stream too.",
        ),
        ("DELCONSUMER <key> <group> <consumer>", "Remove a consumer and what it has yet to acknowledge."),
        ("DESTROY <key> <group>", "Remove a group."),
        ("SETID <key> <group> <id|$> [option ...]", "Have a group read on after another id."),
    ];
    let since_6_2 = cx.release().has(v(6, 2, 0));
    let all: Vec<_> = others[..1]
        .iter()
        .chain(since_6_2.then_some(&create_consumer))
        .chain(&others[1..])
        .copied()
        .collect();
    help(reply, "XGROUP", &all);
    Ok(())
}

fn xack(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let Some(mut change) = cx.change_existing::<Stream>(args.at(1))? else {
        reply.integer(0);
        return Ok(());
    };
    let acknowledged = match change.open(args.at(2)) {
        None => Ok(0),
        Some((_, mut group)) => {
            ids(args.iter_from(3)).map(|ids| ids.into_iter().filter(|&id| group.acknowledge(id)).count())
        }
    };
    match acknowledged {
        Ok(1..) => change.commit_aside(&[], acknowledged.as_ref().map_or(0, |&count| count as u64)),
        _ => change.leave(),
    }
    reply.count(acknowledged?);
    Ok(())
}

fn xpending(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let (now_ms, scales) = (cx.now_ms(), cx.scales());
    let query = Query::parse(cx, args)?;
    let stream = cx.read_object::<Stream>(args.at(1))?;
    let Some(group) = stream.as_ref().and_then(|stream| stream.group(args.at(2))) else {
        return Err(CommandError::NoKeyOrGroup(printed(args.at(1)), printed(args.at(2))));
    };
    match query {
        None => write_summary(reply, group),
        Some(query) => {
            let looks_at = if query.min_idle_ms > 0 { usize::MAX } else { query.count };
            scales.weigh(group.pending_len().min(looks_at))?;
            query.write(reply, group, now_ms);
        }
    }
    Ok(())
}

fn write_summary(reply: &mut Reply, group: &Group) {
    reply.array(4);
    reply.count(group.pending_len());
    let Some((first, last)) = group.pending_ends() else {
        reply.null();
        reply.null();
        reply.null_array();
        return;
    };
    reply.bulk(first.text());
    reply.bulk(last.text());
    let place = reply.defer();
    let mut written = 0;
    for consumer in group.consumers().filter(|consumer| consumer.pending_len() > 0) {
        reply.array(2);
        reply.bulk(consumer.name());
        reply.bulk_integer(consumer.pending_len() as i64);
        written += 1;
    }
    reply.deferred_array(place, written);
}

/// Which pending entries to show.
struct Query<'a> {
    min_idle_ms: i64,
    from: StreamId,
    to: StreamId,
    count: usize,
    consumer: Option<&'a [u8]>,
}

impl<'a> Query<'a> {
    /// Nothing where only the summary is asked for.
    fn parse(cx: &Cx, args: Args<'a>) -> Result<Option<Query<'a>>, CommandError> {
        let has_idle = cx.release().has(v(6, 2, 0));
        match args.len() {
            3 => return Ok(None),
            6 | 7 => {}
            8 | 9 if has_idle => {}
            _ => return Err(CommandError::Syntax),
        }
        let (mut min_idle_ms, mut at) = (0, 3);
        if has_idle && is_word(args.at(3), "IDLE") {
            min_idle_ms = integer(args.at(4))?;
            at = 5;
        }
        let Some(count) = args.get(at + 2) else { return Err(CommandError::Syntax) };
        let count = integer(count)?.max(0) as usize;
        let (from, to) = interval(cx, args.at(at), args.at(at + 1))?;
        Ok(Some(Query { min_idle_ms, from, to, count, consumer: args.get(at + 3) }))
    }

    fn write(&self, reply: &mut Reply, group: &Group, now_ms: i64) {
        let consumer = match self.consumer.map(|name| group.consumer(name)) {
            Some(None) => return reply.array(0),
            found => found.flatten(),
        };
        let place = reply.defer();
        let mut written = 0;
        let mut show = |pending: &Pending| {
            let idle_ms = pending.idle_ms(now_ms);
            if self.min_idle_ms == 0 || idle_ms >= self.min_idle_ms {
                reply.array(4);
                reply.bulk(pending.id.text());
                reply.bulk(group.consumer_at(pending.consumer).name());
                reply.integer(idle_ms.max(0));
                reply.integer(pending.deliveries as i64);
                written += 1;
            }
            written < self.count
        };
        if self.count > 0 {
            let within = |pending: &&Pending| pending.id <= self.to;
            match consumer {
                None => group.pending_from(self.from).take_while(within).all(&mut show),
                Some(consumer) => {
                    let consumer = group.consumer_at(consumer);
                    pending_of(group, consumer, self.from).take_while(within).all(&mut show)
                }
            };
        }
        reply.deferred_array(place, written);
    }
}

/// What a consumer has yet to acknowledge, from an id on.
pub(super) fn pending_of<'g>(
    group: &'g Group,
    consumer: &'g Consumer,
    from: StreamId,
) -> impl Iterator<Item = &'g Pending> {
    consumer.pending_from(from).filter_map(|id| group.pending(id))
}
