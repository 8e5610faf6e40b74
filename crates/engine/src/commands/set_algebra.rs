//! Intersections, unions and differences of sets.

use crate::commands::{bulk, family};
use crate::{BASE, Command, CommandError, Cx, parse};
use command::{Access, Category, Flags, Former, Group, KeySpec, Range, Release, v};
use keyspace::{Class, Event};
use resp::{Args, Reply};
use smallvec::SmallVec;
use std::ops::ControlFlow;
use structures::entry::{Entry, Kind, Object};
use structures::set::{Limits, Set};
use structures::set_algebra as algebra;
use structures::thin::Read;

family!(SINTER, SINTERCARD, SINTERSTORE, SUNION, SUNIONSTORE, SDIFF, SDIFFSTORE);

/// What commands that reply with a set have in common.
const READS: Command = Command {
    group: Group::Set,
    arity: -2,
    flags: Flags::READONLY.union(Flags::SORT_FOR_SCRIPT),
    categories: Category::SET,
    keys: &[KeySpec::range(1, -1, 1, Access::RO.union(Access::ACCESS))],
    range: Range::ALL,
    tips: &["nondeterministic_output_order"],
    ..BASE
};

/// What commands that store a set have in common.
const STORES: Command = Command {
    group: Group::Set,
    arity: -3,
    flags: Flags::WRITE.union(Flags::DENYOOM),
    categories: Category::SET,
    keys: &[
        KeySpec::at(1, Access::OW.union(Access::UPDATE)),
        KeySpec::range(2, -1, 1, Access::RO.union(Access::ACCESS)),
    ],
    range: Range::ALL,
    ..BASE
};

/// `SINTER key [key ...]`: the members that all sets have.
pub static SINTER: Command = Command {
    name: "sinter",
    summary: "Gives the members that several sets have in common.",
    syntax: "key...",
    complexity: "O(N*M) for M sets of which the smallest has N members.",
    handler: sinter,
    ..READS
};

/// `SINTERCARD numkeys key [key ...] [LIMIT limit]`: the number of members that all sets have.
pub static SINTERCARD: Command = Command {
    name: "sintercard",
    summary: "Counts the members that several sets have in common, up to a limit.",
    complexity: "O(N*M) for M sets of which the smallest has N members.",
    since: v(7, 0, 0),
    group: Group::Set,
    arity: -3,
    syntax: "numkeys:int key... [LIMIT limit:int]",
    flags: Flags::READONLY.union(Flags::MOVABLEKEYS),
    categories: Category::SET,
    keys: &[KeySpec::counted(1, Access::RO.union(Access::ACCESS))],
    handler: sintercard,
    ..BASE
};

/// `SINTERSTORE destination key [key ...]`: the number of members that were stored.
pub static SINTERSTORE: Command = Command {
    name: "sinterstore",
    summary: "Stores the members that several sets have in common.",
    syntax: "destination:key key...",
    complexity: "O(N*M) for M sets of which the smallest has N members.",
    former: &[Former::before(Release::V7_4).keys(&[
        KeySpec::at(1, Access::RW.union(Access::UPDATE)),
        KeySpec::range(2, -1, 1, Access::RO.union(Access::ACCESS)),
    ])],
    handler: sinterstore,
    ..STORES
};

/// `SUNION key [key ...]`: the members that any set has.
pub static SUNION: Command = Command {
    name: "sunion",
    summary: "Gives the members of several sets.",
    syntax: "key...",
    complexity: "O(N) for N members of all sets together.",
    handler: sunion,
    ..READS
};

/// `SUNIONSTORE destination key [key ...]`: the number of members that were stored.
pub static SUNIONSTORE: Command = Command {
    name: "sunionstore",
    summary: "Stores the members of several sets.",
    syntax: "destination:key key...",
    complexity: "O(N) for N members of all sets together.",
    handler: sunionstore,
    ..STORES
};

/// `SDIFF key [key ...]`: the members that only the first set has.
pub static SDIFF: Command = Command {
    name: "sdiff",
    summary: "Gives the members of a set that others do not have.",
    syntax: "key...",
    complexity: "O(N) for N members of all sets together.",
    handler: sdiff,
    ..READS
};

/// `SDIFFSTORE destination key [key ...]`: the number of members that were stored.
pub static SDIFFSTORE: Command = Command {
    name: "sdiffstore",
    summary: "Stores the members of a set that others do not have.",
    syntax: "destination:key key...",
    complexity: "O(N) for N members of all sets together.",
    handler: sdiffstore,
    ..STORES
};

fn sinter(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let keys = args.slice(1..args.len());
    let Some(sets) = intersected(cx, keys, Use::Reply)? else {
        reply.set(0);
        return Ok(());
    };
    let (header, mut len) = (reply.defer(), 0);
    algebra::intersect(&mut refs(&sets), |item| {
        bulk(reply, item);
        len += 1;
        ControlFlow::Continue(())
    });
    reply.deferred_set(header, len);
    Ok(())
}

fn sintercard(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let count = parse::integer_in(args.at(1), 1..=i64::MAX, CommandError::NumKeysNotPositive)?;
    let end = match usize::try_from(count) {
        Ok(count) if count <= args.len() - 2 => 2 + count,
        _ => return Err(CommandError::TooManyKeys),
    };
    let mut limit = 0;
    let mut options = args.iter_from(end);
    while let Some(option) = options.next() {
        match options.next() {
            Some(value) if parse::is_word(option, "LIMIT") => {
                limit = parse::integer_in(value, 0..=i64::MAX, CommandError::NegativeLimit)?;
            }
            _ => return Err(CommandError::Syntax),
        }
    }
    let mut len = 0;
    if let Some(sets) = intersected(cx, args.slice(2..end), Use::Reply)? {
        algebra::intersect(&mut refs(&sets), |_| {
            len += 1;
            if len == limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
    }
    reply.integer(len);
    Ok(())
}

fn sinterstore(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let (packs, limits) = (cx.release().has(v(7, 2, 0)), limits(cx));
    let result = match intersected(cx, args.slice(2..args.len()), Use::Store)? {
        Some(sets) => algebra::intersection(&mut refs(&sets), packs, &limits),
        None => Set::empty(),
    };
    store(cx, args.at(1), result, "sinterstore", reply);
    Ok(())
}

fn sunion(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let result = union(cx, args.slice(1..args.len()), Use::Reply)?;
    give(&result, reply);
    Ok(())
}

fn sunionstore(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let result = union(cx, args.slice(2..args.len()), Use::Store)?;
    store(cx, args.at(1), result, "sunionstore", reply);
    Ok(())
}

fn sdiff(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let result = difference(cx, args.slice(1..args.len()), Use::Reply)?;
    give(&result, reply);
    Ok(())
}

fn sdiffstore(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let result = difference(cx, args.slice(2..args.len()), Use::Store)?;
    store(cx, args.at(1), result, "sdiffstore", reply);
    Ok(())
}

/// What becomes of a result.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Reply,
    Store,
}

/// Sets that are read.
type Sets<'a> = SmallVec<[Read<'a, Set>; 8]>;

fn refs<'a>(sets: &'a Sets<'_>) -> SmallVec<[&'a Set; 8]> {
    sets.iter().map(|set| &**set).collect()
}

fn limits(cx: &Cx) -> Limits {
    cx.params().set
}

/// Looks at a key, which counts as reading it; whether it is there.
fn look(cx: &mut Cx, key: &[u8], used: Use) -> Result<bool, CommandError> {
    let kind = if used == Use::Store && cx.release() < Release::V7_0 {
        // Sources were looked up as keys to write: neither hit nor miss.
        let spot = cx.spot(key);
        let kind = spot.entry().map(|entry| entry.kind());
        spot.leave();
        kind
    } else {
        cx.read(key).map(|entry| entry.kind())
    };
    match kind {
        None => Ok(false),
        Some(Kind::Set) => Ok(true),
        Some(_) => Err(CommandError::WrongType),
    }
}

/// The sets to intersect; none if one of them is empty.
fn intersected<'a>(cx: &'a mut Cx, keys: Args, used: Use) -> Result<Option<Sets<'a>>, CommandError> {
    // Up to 5.0, keys behind one that was not there were not looked at.
    let looks_at_all = cx.release() >= Release::V6_2;
    let mut complete = true;
    for key in keys.iter() {
        complete &= look(cx, key, used)?;
        if !complete && !looks_at_all {
            break;
        }
    }
    if !complete {
        return Ok(None);
    }
    let sets: Sets = keys.iter().filter_map(|key| cx.peek_object(key)).collect();
    let smallest = sets.iter().map(|set| set.len()).min().unwrap_or(0);
    cx.weigh(smallest.saturating_mul(sets.len()))?;
    Ok(Some(sets))
}

fn union(cx: &mut Cx, keys: Args, used: Use) -> Result<Set, CommandError> {
    for key in keys.iter() {
        look(cx, key, used)?;
    }
    let sets: Sets = keys.iter().filter_map(|key| cx.peek_object(key)).collect();
    cx.weigh(sets.iter().map(|set| set.len()).sum())?;
    Ok(algebra::union(&refs(&sets), &limits(cx)))
}

fn difference(cx: &mut Cx, keys: Args, used: Use) -> Result<Set, CommandError> {
    for key in keys.iter() {
        look(cx, key, used)?;
    }
    let Some(first) = cx.peek_object::<Set>(keys.at(0)) else { return Ok(Set::empty()) };
    let others: Sets = keys.iter_from(1).filter_map(|key| cx.peek_object(key)).collect();
    let mut others = refs(&others);
    cx.weigh(algebra::difference_work(&first, &others))?;
    Ok(algebra::difference(&first, &mut others, &limits(cx)))
}

fn give(result: &Set, reply: &mut Reply) {
    reply.set(result.len());
    result.for_each(|item| bulk(reply, item));
}

/// Puts a result in the place of whatever is at a key; an empty one only removes that.
fn store(cx: &mut Cx, key: &[u8], result: Set, event: &'static str, reply: &mut Reply) {
    reply.count(result.len());
    let mut spot = cx.spot(key);
    if !result.is_empty() {
        spot.replace(Entry::with_object(key, result));
        spot.commit(Event(Class::SET, event));
    } else if spot.exists() {
        let lazily = spot.params().lazy_server_del;
        spot.delete(lazily);
        spot.commit(Event(Class::GENERIC, "del"));
    } else {
        spot.leave();
    }
}
