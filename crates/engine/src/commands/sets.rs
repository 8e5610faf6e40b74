//! Sets.
//!
//! Members come in the order of the set's representation: integers ascend, small sets keep the order in which members
//! came, large ones have none. Intersections, unions and differences stand in [`set_algebra`](super::set_algebra),
//! `SSCAN` in [`scan`](super::scan).

use crate::commands::expiry::deletion;
use crate::commands::{bulk, bulks, family};
use crate::{BASE, Command, CommandError, Cx, parse};
use command::{Access, Category, Flags, Former, Group, KeySpec, Range, Release, v};
use keyspace::{Class, Event};
use resp::{Args, Reply};
use structures::entry::Kind;
use structures::set::Set;

family!(SADD, SREM, SMOVE, SISMEMBER, SMISMEMBER, SCARD, SMEMBERS, SPOP, SRANDMEMBER);

/// More draws with repetition than this are refused: their replies would be as long as a client likes.
const MOST_DRAWS: usize = 1 << 24;

/// `SADD key member [member ...]`: the number of members that are new.
pub static SADD: Command = Command {
    name: "sadd",
    summary: "Adds members to a set.",
    complexity: "O(1) for each member.",
    group: Group::Set,
    arity: -3,
    syntax: "key member...",
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    categories: Category::SET,
    keys: &[KeySpec::at(1, Access::RW.union(Access::INSERT))],
    range: Range::ONE,
    handler: sadd,
    ..BASE
};

/// `SREM key member [member ...]`: the number of members that were there.
pub static SREM: Command = Command {
    name: "srem",
    summary: "Removes members from a set.",
    complexity: "O(1) for each member.",
    group: Group::Set,
    arity: -3,
    syntax: "key member...",
    flags: Flags::WRITE.union(Flags::FAST),
    categories: Category::SET,
    keys: &[KeySpec::at(1, Access::RW.union(Access::DELETE))],
    range: Range::ONE,
    handler: srem,
    ..BASE
};

/// `SMOVE source destination member`: 1, or 0 if the source has no such member.
pub static SMOVE: Command = Command {
    name: "smove",
    summary: "Moves a member from one set to another.",
    group: Group::Set,
    arity: 4,
    syntax: "source:key destination:key member",
    flags: Flags::WRITE.union(Flags::FAST),
    categories: Category::SET,
    keys: &[
        KeySpec::at(1, Access::RW.union(Access::ACCESS).union(Access::DELETE)),
        KeySpec::at(2, Access::RW.union(Access::INSERT)),
    ],
    range: Range::new(1, 2, 1),
    handler: smove,
    ..BASE
};

/// `SISMEMBER key member`: 1 or 0.
pub static SISMEMBER: Command = Command {
    name: "sismember",
    summary: "Tells whether a set has a member.",
    group: Group::Set,
    arity: 3,
    syntax: "key member",
    flags: Flags::READONLY.union(Flags::FAST),
    categories: Category::SET,
    keys: &[KeySpec::at(1, Access::RO)],
    range: Range::ONE,
    handler: sismember,
    ..BASE
};

/// `SMISMEMBER key member [member ...]`: 1 or 0 for each.
pub static SMISMEMBER: Command = Command {
    name: "smismember",
    summary: "Tells which of some members a set has.",
    complexity: "O(1) for each member.",
    since: v(6, 2, 0),
    group: Group::Set,
    arity: -3,
    syntax: "key member...",
    flags: Flags::READONLY.union(Flags::FAST),
    categories: Category::SET,
    keys: &[KeySpec::at(1, Access::RO.union(Access::ACCESS))],
    range: Range::ONE,
    handler: smismember,
    ..BASE
};

/// `SCARD key`: the number of members.
pub static SCARD: Command = Command {
    name: "scard",
    summary: "Counts the members of a set.",
    group: Group::Set,
    arity: 2,
    syntax: "key",
    flags: Flags::READONLY.union(Flags::FAST),
    categories: Category::SET,
    keys: &[KeySpec::at(1, Access::RO)],
    range: Range::ONE,
    handler: scard,
    ..BASE
};

/// `SMEMBERS key`: all members.
pub static SMEMBERS: Command = Command {
    name: "smembers",
    summary: "Gives all members of a set.",
    complexity: "O(N) for N members.",
    group: Group::Set,
    arity: 2,
    syntax: "key",
    flags: Flags::READONLY.union(Flags::SORT_FOR_SCRIPT),
    categories: Category::SET,
    keys: &[KeySpec::at(1, Access::RO.union(Access::ACCESS))],
    range: Range::ONE,
    tips: &["nondeterministic_output_order"],
    handler: smembers,
    ..BASE
};

/// `SPOP key [count]`: a member or nil; so many different members, or all, if there is a count (from 3.2 on).
pub static SPOP: Command = Command {
    name: "spop",
    summary: "Removes random members from a set and gives them.",
    complexity: "O(1) for each member that is removed.",
    group: Group::Set,
    arity: -2,
    syntax: "key [count:int]@3.2.0",
    flags: Flags::WRITE.union(Flags::RANDOM).union(Flags::FAST),
    categories: Category::SET,
    keys: &[KeySpec::at(1, Access::RW.union(Access::ACCESS).union(Access::DELETE))],
    range: Range::ONE,
    tips: &["nondeterministic_output"],
    former: &[Former::before(Release::V4_0).arity(2).with(Flags::NOSCRIPT)],
    handler: spop,
    ..BASE
};

/// `SRANDMEMBER key [count]`: a member or nil; so many different members, or all, if there is a count; if it is negative,
/// so many that need not be different.
pub static SRANDMEMBER: Command = Command {
    name: "srandmember",
    summary: "Gives random members of a set.",
    complexity: "O(1) for each member that is given.",
    group: Group::Set,
    arity: -2,
    syntax: "key [count:int]@2.6.0",
    flags: Flags::READONLY.union(Flags::RANDOM),
    categories: Category::SET,
    keys: &[KeySpec::at(1, Access::RO.union(Access::ACCESS))],
    range: Range::ONE,
    tips: &["nondeterministic_output"],
    handler: srandmember,
    ..BASE
};

fn sadd(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let announces = cx.release().has(v(7, 2, 0));
    cx.weigh(args.len())?;
    let mut set = cx.change::<Set>(args.at(1))?;
    let limits = set.params().set;
    if announces {
        set.expect(args.at(2), args.len() - 2, &limits);
    }
    let added = args.iter_from(2).filter(|member| set.add(member, &limits)).count();
    if added > 0 {
        set.commit_many(Event(Class::SET, "sadd"), added as u64);
    } else {
        set.leave();
    }
    reply.count(added);
    Ok(())
}

fn srem(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    cx.weigh(args.len())?;
    let removed = match cx.change_existing::<Set>(args.at(1))? {
        None => 0,
        Some(mut set) => {
            let removed = args.iter_from(2).filter(|member| set.remove(member)).count();
            if removed > 0 {
                set.commit_many(Event(Class::SET, "srem"), removed as u64);
            } else {
                set.leave();
            }
            removed
        }
    };
    reply.count(removed);
    Ok(())
}

fn smove(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let (source, target, member) = (args.at(1), args.at(2), args.at(3));
    let announces = cx.release().has(v(7, 2, 0));
    // Both keys are looked at before anything is said about either.
    let [from, to] = [source, target].map(|key| {
        let spot = cx.spot(key);
        let kind = spot.entry().map(|entry| entry.kind());
        spot.leave();
        kind
    });
    if from.is_none() {
        reply.integer(0);
        return Ok(());
    }
    if [from, to].into_iter().flatten().any(|kind| kind != Kind::Set) {
        return Err(CommandError::WrongType);
    }
    let mut set = cx.change::<Set>(source)?;
    let moves = source != target;
    let found = if moves { set.remove(member) } else { set.contains(member) };
    if !(moves && found) {
        set.leave();
        reply.integer(found.into());
        return Ok(());
    }
    set.commit(Event(Class::SET, "srem"));
    let mut set = cx.change::<Set>(target)?;
    let limits = set.params().set;
    if announces && !set.existed() {
        set.expect(member, 1, &limits);
    }
    if set.add(member, &limits) {
        set.commit(Event(Class::SET, "sadd"));
    } else {
        set.leave();
    }
    reply.integer(1);
    Ok(())
}

fn sismember(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let found = cx.read_object::<Set>(args.at(1))?.is_some_and(|set| set.contains(args.at(2)));
    reply.integer(found.into());
    Ok(())
}

fn smismember(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    cx.weigh(args.len())?;
    let set = cx.read_object::<Set>(args.at(1))?;
    let members = args.iter_from(2);
    reply.array(members.len());
    for member in members {
        reply.integer(set.as_ref().is_some_and(|set| set.contains(member)).into());
    }
    Ok(())
}

fn scard(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let len = cx.read_object::<Set>(args.at(1))?.map_or(0, |set| set.len());
    reply.count(len);
    Ok(())
}

fn smembers(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let scales = cx.scales();
    match cx.read_object::<Set>(args.at(1))? {
        None => reply.set(0),
        Some(set) => {
            scales.weigh(set.len())?;
            reply.set(set.len());
            set.for_each(|item| bulk(reply, item));
        }
    }
    Ok(())
}

fn spop(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    match args.len() {
        2 => {}
        3 => return pop_many(cx, args, reply),
        _ => return Err(CommandError::Syntax),
    }
    let Some(mut set) = cx.change_existing::<Set>(args.at(1))? else {
        reply.null();
        return Ok(());
    };
    let mut draw = set.draws();
    let before = reply.len();
    set.pop(&mut draw, |item| bulk(reply, item));
    set.commit(Event(Class::SET, "spop"));
    if cx.is_repeated() {
        bulks(&reply.bytes()[before..]).for_each(|member| cx.repeat(&[b"SREM", args.at(1), member]));
    }
    Ok(())
}

fn pop_many(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let count = if cx.release() >= Release::V6_2 {
        parse::integer_in(args.at(2), 0..=i64::MAX, CommandError::NotPositive)?
    } else {
        let count = cx.integer(args.at(2))?;
        if count < 0 {
            return Err(CommandError::IndexOutOfRange);
        }
        count
    };
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let scales = cx.scales();
    let mut spot = cx.spot(args.at(1));
    let Some(entry) = spot.entry() else {
        reply.set(0);
        spot.leave();
        return Ok(());
    };
    let set = entry.into_object::<Set>().ok_or(CommandError::WrongType)?;
    let len = set.len();
    scales.weigh(count.min(len))?;
    reply.set(count.min(len));
    if count == 0 {
        spot.leave();
    } else if count >= len {
        set.for_each(|item| bulk(reply, item));
        spot.event(Event(Class::SET, "spop"));
        let lazily = spot.params().lazy_server_del;
        spot.delete(lazily);
        spot.commit_many(Event(Class::GENERIC, "del"), len as u64);
        // A set that goes as a whole is read as by SUNION, and counts as a hit, as observed on redis 7.0.
        cx.effects().hits += 1;
        let lazily = lazily && cx.release().has(v(7, 2, 0));
        cx.repeat(&[deletion(lazily), args.at(1)]);
    } else {
        let before = reply.len();
        let mut set = spot.object::<Set>()?;
        let mut draw = set.draws();
        set.pop_many(count, &mut draw, |item| bulk(reply, item));
        set.commit_many(Event(Class::SET, "spop"), count as u64);
        if cx.is_repeated() {
            repeat_removal(cx, args.at(1), &reply.bytes()[before..]);
        }
    }
    Ok(())
}

/// Repeats that members have been removed, which are the strings of a reply.
fn repeat_removal(cx: &mut Cx, key: &[u8], reply: &[u8]) {
    /// So many members go by one request, from 7.2 on.
    const TOGETHER: usize = 1024;
    let release = cx.release();
    let together = if release.has(v(7, 2, 0)) { TOGETHER } else { 1 };
    // From 6.0 on several requests are a transaction, which the stream sees to from 7.0 on.
    let wraps = release == Release::V6_2 && bulks(reply).nth(1).is_some() && !cx.is_repeated_in_transaction();
    if wraps {
        cx.repeat(&[b"MULTI"]);
    }
    let mut members = bulks(reply).peekable();
    while members.peek().is_some() {
        let request: Vec<&[u8]> = [b"SREM", key].into_iter().chain(members.by_ref().take(together)).collect();
        cx.repeat(&request);
    }
    if wraps {
        cx.repeat(&[b"EXEC"]);
    }
}

fn srandmember(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let key = args.at(1);
    let draws = match args.len() {
        2 => None,
        3 => Some(Draws::parse(cx.release(), args.at(2))?),
        _ => return Err(CommandError::Syntax),
    };
    let scales = cx.scales();
    let mut draw = cx.draws(key);
    match (cx.read_object::<Set>(key)?, draws) {
        (None, None) => reply.null(),
        (None, Some(_)) => reply.array(0),
        (Some(set), None) => {
            set.random(&mut draw, |item| bulk(reply, item));
        }
        (Some(set), Some(draws)) => {
            let count = draws.from(set.len())?;
            scales.weigh(count)?;
            reply.array(count);
            match draws {
                Draws::Different(_) => set.sample(count, &mut draw, |item| bulk(reply, item)),
                Draws::Any(_) => {
                    for _ in 0..count {
                        set.random(&mut draw, |item| bulk(reply, item));
                    }
                }
            }
        }
    }
    Ok(())
}

/// How many members are to be drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Draws {
    /// So many different ones, or all.
    Different(usize),
    /// So many, which may be the same.
    Any(usize),
}

impl Draws {
    /// Reads a count; a negative one asks for members that may be the same.
    pub(super) fn parse(release: Release, bytes: &[u8]) -> Result<Draws, CommandError> {
        let count = parse::integer_of(bytes, release)?;
        if count == i64::MIN && release >= Release::V6_2 {
            return Err(CommandError::NotNegatable);
        }
        let size = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
        Ok(if count < 0 { Draws::Any(size) } else { Draws::Different(size) })
    }

    /// The number that was asked for.
    pub(super) fn asked_for(self) -> usize {
        match self {
            Draws::Different(count) | Draws::Any(count) => count,
        }
    }

    /// The number that is drawn from `len` members.
    pub(super) fn from(self, len: usize) -> Result<usize, CommandError> {
        match self {
            Draws::Different(count) => Ok(count.min(len)),
            Draws::Any(count) if count > MOST_DRAWS => Err(CommandError::OutOfRange),
            Draws::Any(count) => Ok(count),
        }
    }
}
