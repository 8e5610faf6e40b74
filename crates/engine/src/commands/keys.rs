//! Keys, whatever they hold: deleting, finding, renaming, copying them.
//!
//! Not here: expiries, databases as a whole, iteration in steps (`SCAN`), and what `OBJECT` tells.

use crate::commands::family;
use crate::{BASE, Command, CommandError, Cx, parse};
use command::{Access, Category, Flags, Former, Group, KeySpec, Range, Release, v};
use keyspace::{Class, Event, Spot};
use resp::{Args, Reply};
use structures::entry::{Entry, Kind};
use structures::glob;
use structures::table::Item as _;

family!(DEL, UNLINK, EXISTS, TOUCH, TYPE, KEYS, RANDOMKEY, DBSIZE, RENAME, RENAMENX, MOVE, COPY);

/// How proxies split commands whose replies add up over the keys.
const SUM_OF_KEYS: &[&str] = &["request_policy:multi_shard", "response_policy:agg_sum"];

/// `DEL key [key ...]`: how many of the keys there were.
pub static DEL: Command = Command {
    name: "del",
    summary: "Deletes keys.",
    complexity: "O(1) for each key that holds a string, O(M) for one that holds M members.",
    group: Group::Generic,
    arity: -2,
    syntax: "key...",
    flags: Flags::WRITE,
    categories: Category::KEYSPACE,
    keys: &[KeySpec::range(1, -1, 1, Access::RM.union(Access::DELETE))],
    range: Range::ALL,
    tips: SUM_OF_KEYS,
    handler: del,
    ..BASE
};

/// `UNLINK key [key ...]`: how many of the keys there were.
pub static UNLINK: Command = Command {
    name: "unlink",
    summary: "Deletes keys, and frees their values in the background.",
    complexity: "O(1) for each key; values are freed elsewhere.",
    since: v(4, 0, 0),
    flags: Flags::WRITE.union(Flags::FAST),
    handler: unlink,
    ..DEL
};

/// `EXISTS key [key ...]`: how many of the keys there are, each as often as it is named.
pub static EXISTS: Command = Command {
    name: "exists",
    summary: "Counts those of the given keys that exist.",
    complexity: "O(N) for N keys.",
    group: Group::Generic,
    arity: -2,
    syntax: "key...",
    flags: Flags::READONLY.union(Flags::FAST),
    categories: Category::KEYSPACE,
    keys: &[KeySpec::range(1, -1, 1, Access::RO)],
    range: Range::ALL,
    tips: SUM_OF_KEYS,
    handler: exists,
    ..BASE
};

/// `TOUCH key [key ...]`: how many of the keys there are.
pub static TOUCH: Command = Command {
    name: "touch",
    summary: "Counts those of the given keys that exist, and counts it as using them.",
    since: v(3, 2, 1),
    former: &[Former::before(Release::V6_2).range(1, 1, 1)],
    handler: touch,
    ..EXISTS
};

/// `TYPE key`: what the key holds, as a status; `none` if there is no key.
pub static TYPE: Command = Command {
    name: "type",
    summary: "Tells what type of value a key holds.",
    group: Group::Generic,
    arity: 2,
    syntax: "key",
    flags: Flags::READONLY.union(Flags::FAST),
    categories: Category::KEYSPACE,
    keys: &[KeySpec::at(1, Access::RO)],
    range: Range::ONE,
    handler: type_of,
    ..BASE
};

/// `KEYS pattern`: the keys that match.
pub static KEYS: Command = Command {
    name: "keys",
    summary: "Gives all keys that match a pattern.",
    complexity: "O(N) for N keys of the database.",
    group: Group::Generic,
    arity: 2,
    syntax: "pattern:pattern",
    flags: Flags::READONLY.union(Flags::SORT_FOR_SCRIPT).union(Flags::KEYSPACE),
    categories: Category::KEYSPACE.union(Category::DANGEROUS),
    tips: &["request_policy:all_shards", "nondeterministic_output_order"],
    handler: keys,
    ..BASE
};

/// `RANDOMKEY`: a key, or nil if there is none.
pub static RANDOMKEY: Command = Command {
    name: "randomkey",
    summary: "Gives a key drawn from all alike.",
    group: Group::Generic,
    arity: 1,
    flags: Flags::READONLY.union(Flags::RANDOM).union(Flags::KEYSPACE),
    categories: Category::KEYSPACE,
    tips: &["request_policy:all_shards", "response_policy:special", "nondeterministic_output"],
    former: &[Former::before(Release::V7_4).tips(&["request_policy:all_shards", "nondeterministic_output"])],
    handler: randomkey,
    ..BASE
};

/// `DBSIZE`: the number of keys, those included whose time has come but which are still there.
pub static DBSIZE: Command = Command {
    name: "dbsize",
    summary: "Counts the keys of the database.",
    group: Group::Server,
    arity: 1,
    flags: Flags::READONLY.union(Flags::FAST).union(Flags::KEYSPACE),
    categories: Category::KEYSPACE,
    tips: &["request_policy:all_shards", "response_policy:agg_sum"],
    handler: dbsize,
    ..BASE
};

/// `RENAME key newkey`: OK.
pub static RENAME: Command = Command {
    name: "rename",
    summary: "Gives a key another name, overwriting what has it.",
    complexity: "O(1), and what it takes to free a value that is overwritten.",
    group: Group::Generic,
    arity: 3,
    syntax: "key newkey:key",
    flags: Flags::WRITE,
    categories: Category::KEYSPACE,
    keys: &[
        KeySpec::at(1, Access::RW.union(Access::ACCESS).union(Access::DELETE)),
        KeySpec::at(2, Access::OW.union(Access::UPDATE)),
    ],
    range: Range::new(1, 2, 1),
    handler: rename,
    ..BASE
};

/// `RENAMENX key newkey`: 1, or 0 if there is a key of the new name.
pub static RENAMENX: Command = Command {
    name: "renamenx",
    summary: "Gives a key another name, unless it is taken.",
    complexity: "O(1)",
    flags: Flags::WRITE.union(Flags::FAST),
    keys: &[
        KeySpec::at(1, Access::RW.union(Access::ACCESS).union(Access::DELETE)),
        KeySpec::at(2, Access::OW.union(Access::INSERT)),
    ],
    handler: renamenx,
    ..RENAME
};

/// `MOVE key db`: 1, or 0 if there is no such key or the database has one.
pub static MOVE: Command = Command {
    name: "move",
    summary: "Moves a key to another database.",
    group: Group::Generic,
    arity: 3,
    syntax: "key db:int",
    flags: Flags::WRITE.union(Flags::FAST),
    categories: Category::KEYSPACE,
    keys: &[KeySpec::at(1, Access::RW.union(Access::ACCESS).union(Access::UPDATE))],
    range: Range::ONE,
    handler: move_key,
    ..BASE
};

/// `COPY source destination [DB destination-db] [REPLACE]`: 1, or 0 if there is no such key or the destination is taken.
pub static COPY: Command = Command {
    name: "copy",
    summary: "Copies the value of a key to another key.",
    complexity: "O(N) for a value of N members.",
    since: v(6, 2, 0),
    group: Group::Generic,
    arity: -3,
    syntax: "source:key destination:key [DB destination-db:int] [REPLACE]",
    flags: Flags::WRITE.union(Flags::DENYOOM),
    categories: Category::KEYSPACE,
    keys: &[
        KeySpec::at(1, Access::RO.union(Access::ACCESS)),
        KeySpec::at(2, Access::OW.union(Access::UPDATE)),
    ],
    range: Range::new(1, 2, 1),
    handler: copy,
    ..BASE
};

fn del(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let lazily = cx.params().lazy_user_del;
    delete(cx, args, reply, lazily);
    Ok(())
}

fn unlink(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    delete(cx, args, reply, true);
    Ok(())
}

fn delete(cx: &mut Cx, args: Args, reply: &mut Reply, lazily: bool) {
    let mut deleted = 0;
    for key in args.iter_from(1) {
        let mut spot = cx.spot(key);
        if spot.delete(lazily) {
            spot.commit(Event(Class::GENERIC, "del"));
            deleted += 1;
        } else {
            spot.leave();
        }
    }
    reply.count(deleted);
}

fn exists(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let found = args.iter_from(1).filter(|key| cx.look(key).is_some()).count();
    reply.count(found);
    Ok(())
}

fn touch(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let found = args.iter_from(1).filter(|key| cx.touch(key).is_some()).count();
    reply.count(found);
    Ok(())
}

fn type_of(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    reply.status(cx.look(args.at(1)).map_or("none", |entry| type_name(entry.kind())));
    Ok(())
}

/// The name of a type of value.
pub(crate) fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Int | Kind::Inline | Kind::InlineRaw | Kind::Big => "string",
        Kind::List => "list",
        Kind::Set => "set",
        Kind::Hash => "hash",
        Kind::ZSet => "zset",
        Kind::Stream => "stream",
    }
}

fn keys(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let (pattern, db, now_ms) = (args.at(1), cx.session.db, cx.now_ms());
    if !pattern.iter().any(|byte| matches!(byte, b'*' | b'?' | b'[' | b'\\')) {
        // It matches nothing but itself.
        let found = cx.peek(pattern).is_some();
        reply.array(usize::from(found));
        if found {
            reply.bulk(pattern);
        }
        return Ok(());
    }
    cx.weigh(cx.locked.stats(db).keys)?;
    let (header, mut found) = (reply.defer(), 0);
    for entry in cx.locked.iter().flat_map(|shard| shard.iter(db)) {
        if is_alive(&entry, now_ms) && (pattern == b"*" || glob::matches(pattern, entry.key())) {
            reply.bulk(entry.key());
            found += 1;
        }
    }
    reply.deferred_array(header, found);
    Ok(())
}

/// Whether an entry's time has not come yet.
pub(crate) fn is_alive(entry: &Entry, now_ms: i64) -> bool {
    entry.expire_at_ms().is_none_or(|at_ms| at_ms >= now_ms)
}

/// How many dead keys are drawn before one of them is given: where the dead only hide, there may be no other.
const MOST_DRAWS: usize = 100;

fn randomkey(cx: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let (db, now_ms) = (cx.session.db, cx.now_ms());
    for draw in 1.. {
        let Some(entry) = cx.locked.random(db) else { break };
        if is_alive(&entry, now_ms) || !cx.moment.expire && draw == MOST_DRAWS {
            reply.bulk(entry.key());
            return Ok(());
        }
        let dead = entry.key().to_vec();
        // The dead go when they are met.
        cx.spot(&dead).leave();
    }
    reply.null();
    Ok(())
}

fn dbsize(cx: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    reply.count(cx.locked.stats(cx.session.db).keys);
    Ok(())
}

fn rename(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    rename_unless(cx, args, false)?;
    reply.ok();
    Ok(())
}

fn renamenx(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let renamed = rename_unless(cx, args, true)?;
    reply.integer(renamed.into());
    Ok(())
}

/// Renames a key, unless the new name is taken and must not be; whether it did.
fn rename_unless(cx: &mut Cx, args: Args, taken: bool) -> Result<bool, CommandError> {
    let (from, to, db) = (args.at(1), args.at(2), cx.session.db);
    if from == to && !cx.release().has(v(3, 2, 0)) {
        return Err(CommandError::SameObject);
    }
    if !is_there(cx, db, from) {
        return Err(CommandError::NoSuchKey);
    }
    if taken && is_there(cx, db, to) {
        return Ok(false);
    }
    if from != to {
        transfer(cx, (db, from), (db, to), Some(["rename_from", "rename_to"]));
    }
    Ok(true)
}

fn move_key(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    if cx.node.member.is_some() {
        return Err(CommandError::NotInCluster("MOVE"));
    }
    let (key, from) = (args.at(1), cx.session.db);
    let to = if cx.release().has(v(6, 2, 0)) {
        database(cx, args.at(2))?
    } else {
        database(cx, args.at(2)).map_err(|_| CommandError::IndexOutOfRange)?
    };
    if from == to {
        return Err(CommandError::SameObject);
    }
    let moves = is_there(cx, from, key) && !is_there(cx, to, key);
    if moves {
        let events = cx.release().has(v(6, 0, 0)).then_some(["move_from", "move_to"]);
        transfer(cx, (from, key), (to, key), events);
    }
    reply.integer(moves.into());
    Ok(())
}

/// The database of this number.
fn database(cx: &Cx, number: &[u8]) -> Result<u32, CommandError> {
    u32::try_from(parse::int32(number)?)
        .ok()
        .filter(|&db| db < cx.node.settings.databases())
        .ok_or(CommandError::DbOutOfRange)
}

fn is_there(cx: &mut Cx, db: u32, key: &[u8]) -> bool {
    let spot = cx.spot_in(db, key);
    let exists = spot.exists();
    spot.leave();
    exists
}

/// Takes a key from one place to another, whatever is there; the events are those of the two.
fn transfer(cx: &mut Cx, from: (u32, &[u8]), to: (u32, &[u8]), events: Option<[&'static str; 2]>) {
    let mut spot = cx.spot_in(from.0, from.1);
    let Some(entry) = spot.take() else { return spot.leave() };
    spot.commit_as_part();
    let entry = if from.1 == to.1 { entry } else { entry.rename(to.1) };
    let mut spot = put(cx, to.0, to.1, entry);
    match events {
        Some([left, came]) => {
            spot.event_of(Event(Class::GENERIC, left), from.0, from.1);
            spot.commit(Event(Class::GENERIC, came));
        }
        None => spot.commit_silently(),
    }
}

/// Puts an entry where another may be that goes first, so that the key counts as new.
fn put<'k>(cx: &'k mut Cx, db: u32, key: &'k [u8], entry: Entry) -> Spot<'k> {
    let lazily = cx.params().lazy_server_del;
    let mut spot = cx.spot_in(db, key);
    spot.delete(lazily);
    spot.replace(entry);
    spot
}

/// What a member of a large value takes at least, in bytes: so much of a value is as much work as one.
const MEMBER_BYTES: usize = 64;

fn copy(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let (from, to, from_db) = (args.at(1), args.at(2), cx.session.db);
    let (mut to_db, mut replaces) = (from_db, false);
    let mut options = args.iter_from(3);
    while let Some(option) = options.next() {
        if parse::is_word(option, "replace") {
            replaces = true;
        } else if parse::is_word(option, "db") && options.len() > 0 {
            to_db = database(cx, options.next().unwrap_or_default())?;
        } else {
            return Err(CommandError::Syntax);
        }
    }
    if from_db != to_db && cx.node.member.is_some() {
        return Err(CommandError::CopyInCluster);
    }
    if from_db == to_db && from == to {
        return Err(CommandError::SameObject);
    }
    cx.weigh(cx.peek(from).map_or(0, |entry| entry.heap_bytes() / MEMBER_BYTES))?;
    if cx.read(from).is_none() || !replaces && is_there(cx, to_db, to) {
        reply.integer(0);
        return Ok(());
    }
    if let Some(copy) = cx.peek(from).map(|entry| entry.copy(to)) {
        put(cx, to_db, to, copy).commit(Event(Class::GENERIC, "copy_to"));
    }
    reply.integer(1);
    Ok(())
}
