//! Hashes.
//!
//! Small hashes keep the order in which fields came; where fields expire, those that go first come first. Large ones
//! have no order. Fields whose time has come are gone before a command sees the hash, or, on a replica, are hidden from
//! those who read until the master deletes them: their expiry stands in
//! [`hash_expiry`](super::hash_expiry), `HSCAN` in [`scan`](super::scan).

use crate::commands::sets::Draws;
use crate::commands::{bulk, family};
use crate::extended::Extended;
use crate::parse::{self, decimal_of};
use crate::{BASE, Command, CommandError, Cx};
use command::{Access, Category, Flags, Former, Group, KeySpec, Range, Release, v};
use keyspace::{Class, Event};
use resp::{Args, Reply};
use structures::entry::Object;
use structures::hash::{Expiry, Hash, Limits};
use structures::number::Decimal;
use structures::packed::Item;

family!(
    HSET,
    HMSET,
    HSETNX,
    HGET,
    HMGET,
    HGETALL,
    HKEYS,
    HVALS,
    HLEN,
    HEXISTS,
    HSTRLEN,
    HDEL,
    HINCRBY,
    HINCRBYFLOAT,
    HRANDFIELD,
);

/// What the commands of this family have in common.
const COMMON: Command =
    Command { since: v(2, 0, 0), group: Group::Hash, categories: Category::HASH, range: Range::ONE, ..BASE };

/// `HSET key field value [field value ...]`: the number of fields that are new. One field only before 4.0.
pub static HSET: Command = Command {
    name: "hset",
    summary: "Sets fields of a hash.",
    complexity: "O(1) for each field.",
    arity: -4,
    syntax: "key (field value)...",
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    keys: &[KeySpec::at(1, Access::RW.union(Access::UPDATE))],
    former: &[Former::before(Release::V4_0).arity(4)],
    handler: hset,
    ..COMMON
};

/// `HMSET key field value [field value ...]`: OK.
pub static HMSET: Command = Command {
    name: "hmset",
    summary: "Sets fields of a hash.",
    complexity: "O(1) for each field.",
    deprecated: Some((v(4, 0, 0), "`HSET` with several fields")),
    arity: -4,
    syntax: "key (field value)...",
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    keys: &[KeySpec::at(1, Access::RW.union(Access::UPDATE))],
    former: &[Former::before(Release::V4_0).without(Flags::FAST)],
    handler: hmset,
    ..COMMON
};

/// `HSETNX key field value`: 1, or 0 if there is such a field.
pub static HSETNX: Command = Command {
    name: "hsetnx",
    summary: "Sets a field of a hash that is not there yet.",
    arity: 4,
    syntax: "key field value",
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    keys: &[KeySpec::at(1, Access::RW.union(Access::INSERT))],
    handler: hsetnx,
    ..COMMON
};

/// `HGET key field`: the value, or nil.
pub static HGET: Command = Command {
    name: "hget",
    summary: "Gives the value of a field of a hash.",
    arity: 3,
    syntax: "key field",
    flags: Flags::READONLY.union(Flags::FAST),
    keys: &[KeySpec::at(1, Access::RO.union(Access::ACCESS))],
    handler: hget,
    ..COMMON
};

/// `HMGET key field [field ...]`: the value of each, or nil.
pub static HMGET: Command = Command {
    name: "hmget",
    summary: "Gives the values of some fields of a hash.",
    complexity: "O(1) for each field.",
    arity: -3,
    syntax: "key field...",
    flags: Flags::READONLY.union(Flags::FAST),
    keys: &[KeySpec::at(1, Access::RO.union(Access::ACCESS))],
    former: &[Former::before(Release::V4_0).without(Flags::FAST)],
    handler: hmget,
    ..COMMON
};

/// `HGETALL key`: all fields with their values.
pub static HGETALL: Command = Command {
    name: "hgetall",
    summary: "Gives all fields of a hash with their values.",
    complexity: "O(N) for N fields.",
    arity: 2,
    syntax: "key",
    flags: Flags::READONLY.union(Flags::RANDOM),
    keys: &[KeySpec::at(1, Access::RO.union(Access::ACCESS))],
    tips: &["nondeterministic_output_order"],
    former: &[Former::before(Release::V5_0).without(Flags::RANDOM)],
    handler: hgetall,
    ..COMMON
};

/// `HKEYS key`: the names of all fields.
pub static HKEYS: Command = Command {
    name: "hkeys",
    summary: "Gives the names of all fields of a hash.",
    complexity: "O(N) for N fields.",
    arity: 2,
    syntax: "key",
    flags: Flags::READONLY.union(Flags::SORT_FOR_SCRIPT),
    keys: &[KeySpec::at(1, Access::RO.union(Access::ACCESS))],
    tips: &["nondeterministic_output_order"],
    handler: hkeys,
    ..COMMON
};

/// `HVALS key`: the values of all fields.
pub static HVALS: Command = Command {
    name: "hvals",
    summary: "Gives the values of all fields of a hash.",
    complexity: "O(N) for N fields.",
    arity: 2,
    syntax: "key",
    flags: Flags::READONLY.union(Flags::SORT_FOR_SCRIPT),
    keys: &[KeySpec::at(1, Access::RO.union(Access::ACCESS))],
    tips: &["nondeterministic_output_order"],
    handler: hvals,
    ..COMMON
};

/// `HLEN key`: the number of fields.
pub static HLEN: Command = Command {
    name: "hlen",
    summary: "Counts the fields of a hash.",
    arity: 2,
    syntax: "key",
    flags: Flags::READONLY.union(Flags::FAST),
    keys: &[KeySpec::at(1, Access::RO)],
    handler: hlen,
    ..COMMON
};

/// `HEXISTS key field`: 1 or 0.
pub static HEXISTS: Command = Command {
    name: "hexists",
    summary: "Tells whether a hash has a field.",
    arity: 3,
    syntax: "key field",
    flags: Flags::READONLY.union(Flags::FAST),
    keys: &[KeySpec::at(1, Access::RO)],
    handler: hexists,
    ..COMMON
};

/// `HSTRLEN key field`: the length of the value in bytes, 0 if there is none.
pub static HSTRLEN: Command = Command {
    name: "hstrlen",
    summary: "Gives the length of the value of a field of a hash.",
    since: v(3, 2, 0),
    arity: 3,
    syntax: "key field",
    flags: Flags::READONLY.union(Flags::FAST),
    keys: &[KeySpec::at(1, Access::RO)],
    handler: hstrlen,
    ..COMMON
};

/// `HDEL key field [field ...]`: the number of fields that were there.
pub static HDEL: Command = Command {
    name: "hdel",
    summary: "Removes fields from a hash.",
    complexity: "O(1) for each field.",
    arity: -3,
    syntax: "key field...",
    flags: Flags::WRITE.union(Flags::FAST),
    keys: &[KeySpec::at(1, Access::RW.union(Access::DELETE))],
    handler: hdel,
    ..COMMON
};

/// `HINCRBY key field increment`: the new value.
pub static HINCRBY: Command = Command {
    name: "hincrby",
    summary: "Adds to the integer in a field of a hash.",
    arity: 4,
    syntax: "key field increment:int",
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    keys: &[KeySpec::at(1, Access::RW.union(Access::ACCESS).union(Access::UPDATE))],
    handler: hincrby,
    ..COMMON
};

/// `HINCRBYFLOAT key field increment`: the new value, as a string.
pub static HINCRBYFLOAT: Command = Command {
    name: "hincrbyfloat",
    summary: "Adds to the number in a field of a hash.",
    since: v(2, 6, 0),
    arity: 4,
    syntax: "key field increment:double",
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    keys: &[KeySpec::at(1, Access::RW.union(Access::ACCESS).union(Access::UPDATE))],
    handler: hincrbyfloat,
    ..COMMON
};

/// `HRANDFIELD key [count [WITHVALUES]]`: a field or nil; so many different fields, or all, if there is a count; if it is
/// negative, so many that need not be different.
pub static HRANDFIELD: Command = Command {
    name: "hrandfield",
    summary: "Gives random fields of a hash.",
    complexity: "O(1) for each field that is given.",
    since: v(6, 2, 0),
    arity: -2,
    syntax: "key options=[count:int [WITHVALUES]]",
    flags: Flags::READONLY.union(Flags::RANDOM),
    keys: &[KeySpec::at(1, Access::RO.union(Access::ACCESS))],
    tips: &["nondeterministic_output"],
    handler: hrandfield,
    ..COMMON
};

const HSET_EVENT: Event = Event(Class::HASH, "hset");

fn hset(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let created = set_fields(cx, args)?;
    reply.count(created);
    Ok(())
}

fn hmset(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    set_fields(cx, args)?;
    reply.ok();
    Ok(())
}

/// Sets all fields of a request; the number of those that are new.
fn set_fields(cx: &mut Cx, args: Args) -> Result<usize, CommandError> {
    if args.len() % 2 == 1 {
        return Err(match cx.release() {
            Release::V3_0 | Release::V4_0 | Release::V5_0 => CommandError::FieldWithoutValue,
            _ => CommandError::Arity(cx.entry.full_name.clone()),
        });
    }
    let fields = args.len() / 2 - 1;
    let announces = cx.release().has(v(7, 2, 0));
    cx.weigh(fields)?;
    let mut hash = cx.change::<Hash>(args.at(1))?;
    let limits = hash.params().hash;
    if announces {
        hash.expect(args.at(2), fields, &limits);
    }
    let mut created = 0;
    for index in (2..args.len()).step_by(2) {
        created += usize::from(hash.set(args.at(index), args.at(index + 1), Expiry::Clear, &limits));
    }
    hash.commit_many(HSET_EVENT, fields as u64);
    Ok(created)
}

fn hsetnx(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let mut hash = cx.change::<Hash>(args.at(1))?;
    let created = !hash.contains(args.at(2));
    if created {
        let limits = hash.params().hash;
        hash.set(args.at(2), args.at(3), Expiry::Clear, &limits);
        hash.commit(HSET_EVENT);
    } else {
        hash.leave();
    }
    reply.integer(created.into());
    Ok(())
}

fn hget(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let hidden_ms = cx.hidden_until_ms();
    let hash = cx.read_object::<Hash>(args.at(1))?;
    value(reply, hash.as_ref().and_then(|hash| seen(hash, args.at(2), hidden_ms)));
    Ok(())
}

fn hmget(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    cx.weigh(args.len())?;
    let hidden_ms = cx.hidden_until_ms();
    let hash = cx.read_object::<Hash>(args.at(1))?;
    let fields = args.iter_from(2);
    reply.array(fields.len());
    for field in fields {
        value(reply, hash.as_ref().and_then(|hash| seen(hash, field, hidden_ms)));
    }
    Ok(())
}

/// Whether fields of a hash may be hidden: see [`Cx::hidden_until_ms`].
#[inline]
pub(super) fn hides(hash: &Hash, hidden_ms: i64) -> bool {
    hidden_ms != i64::MIN && hash.soonest_ms().is_some_and(|at_ms| at_ms <= hidden_ms)
}

/// The value of a field, unless the field is hidden.
#[inline]
pub(super) fn seen<'h>(hash: &'h Hash, field: &[u8], hidden_ms: i64) -> Option<Item<'h>> {
    let expiry = if hides(hash, hidden_ms) { hash.expire_at_ms(field).flatten() } else { None };
    hash.get(field).filter(|_| expiry.is_none_or(|at_ms| at_ms > hidden_ms))
}

/// The fields that are not hidden, where some may be.
fn without_hidden(hash: &Hash, hidden_ms: i64) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut seen = Vec::new();
    hash.for_each(|(field, value, expiry)| {
        if expiry.is_none_or(|at_ms| at_ms > hidden_ms) {
            seen.push((field.with_bytes(<[u8]>::to_vec), value.with_bytes(<[u8]>::to_vec)));
        }
    });
    seen
}

/// Writes a value, or that there is none.
#[inline]
fn value(reply: &mut Reply, value: Option<Item>) {
    match value {
        Some(item) => bulk(reply, item),
        None => reply.null(),
    }
}

fn hgetall(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    give_all(cx, args, reply, Reply::map, |reply, field, value| {
        bulk(reply, field);
        bulk(reply, value);
    })
}

fn hkeys(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    give_all(cx, args, reply, Reply::array, |reply, field, _| bulk(reply, field))
}

fn hvals(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    give_all(cx, args, reply, Reply::array, |reply, _, value| bulk(reply, value))
}

/// Writes something of every field.
#[inline]
fn give_all(
    cx: &mut Cx,
    args: Args,
    reply: &mut Reply,
    header: impl Fn(&mut Reply, usize),
    write: impl Fn(&mut Reply, Item, Item),
) -> Result<(), CommandError> {
    let (scales, hidden_ms) = (cx.scales(), cx.hidden_until_ms());
    match cx.read_object::<Hash>(args.at(1))? {
        None => header(reply, 0),
        Some(hash) => {
            scales.weigh(hash.len())?;
            if hides(&hash, hidden_ms) {
                let seen = without_hidden(&hash, hidden_ms);
                header(reply, seen.len());
                seen.iter().for_each(|(field, value)| write(reply, Item::Str(field), Item::Str(value)));
                return Ok(());
            }
            header(reply, hash.len());
            hash.for_each(|(field, value, _)| write(reply, field, value));
        }
    }
    Ok(())
}

fn hlen(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let len = cx.read_object::<Hash>(args.at(1))?.map_or(0, |hash| hash.len());
    reply.count(len);
    Ok(())
}

fn hexists(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let hidden_ms = cx.hidden_until_ms();
    let hash = cx.read_object::<Hash>(args.at(1))?;
    let found = hash.is_some_and(|hash| seen(&hash, args.at(2), hidden_ms).is_some());
    reply.integer(found.into());
    Ok(())
}

fn hstrlen(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let hidden_ms = cx.hidden_until_ms();
    let hash = cx.read_object::<Hash>(args.at(1))?;
    let value = hash.as_ref().and_then(|hash| seen(hash, args.at(2), hidden_ms));
    reply.count(value.map_or(0, |value| value.len()));
    Ok(())
}

fn hdel(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    cx.weigh(args.len())?;
    let removed = match cx.change_existing::<Hash>(args.at(1))? {
        None => 0,
        Some(mut hash) => {
            let removed = args.iter_from(2).filter(|field| hash.remove(field)).count();
            if removed > 0 {
                hash.commit_many(Event(Class::HASH, "hdel"), removed as u64);
            } else {
                hash.leave();
            }
            removed
        }
    };
    reply.count(removed);
    Ok(())
}

/// Before 7.0 increments do not look at how long their fields are.
fn limits_of_increment(release: Release, limits: Limits) -> Limits {
    if release < Release::V7_0 { Limits { packed_value: usize::MAX, ..limits } } else { limits }
}

fn hincrby(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let (release, increment) = (cx.release(), cx.integer(args.at(3))?);
    let mut hash = cx.change::<Hash>(args.at(1))?;
    let old = match hash.get(args.at(2)) {
        None => Some(0),
        Some(Item::Int(value)) => Some(value),
        Some(Item::Str(bytes)) => parse::integer_of(bytes, release).ok(),
    };
    let new = old
        .ok_or(CommandError::ValueNotAnInteger)
        .and_then(|old| old.checked_add(increment).ok_or(CommandError::IncrementOverflow));
    let new = match new {
        Ok(new) => new,
        Err(error) => {
            hash.leave();
            return Err(error);
        }
    };
    let limits = limits_of_increment(release, hash.params().hash);
    hash.set(args.at(2), Decimal::new(new).as_bytes(), Expiry::Keep, &limits);
    hash.commit(Event(Class::HASH, "hincrby"));
    reply.integer(new);
    Ok(())
}

fn hincrbyfloat(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let release = cx.release();
    let increment =
        Number::parse(decimal_of(args.at(3), release, Release::V4_0)).ok_or(CommandError::NotAFloat)?;
    if matches!(increment, Number::Infinite { .. }) && release >= Release::V6_2 {
        return Err(CommandError::NotFinite);
    }
    let mut hash = cx.change::<Hash>(args.at(1))?;
    let old = match hash.get(args.at(2)) {
        None => Some(Number::Finite(Extended::ZERO)),
        Some(item) => item.with_bytes(|bytes| Number::parse(decimal_of(bytes, release, Release::V6_2))),
    };
    let new = match old {
        Some(old) => match old.plus(&increment) {
            Number::Finite(sum) => Ok(sum.to_text()),
            // Up to 4.0 infinity was a number as any other.
            sum if release < Release::V5_0 => Ok(sum.word().to_owned()),
            _ => Err(CommandError::WouldNotBeFinite),
        },
        None if release == Release::V3_0 => Err(CommandError::ValueNotAValidFloat),
        None => Err(CommandError::ValueNotAFloat),
    };
    let new = match new {
        Ok(new) => new,
        Err(error) => {
            hash.leave();
            return Err(error);
        }
    };
    let limits = limits_of_increment(release, hash.params().hash);
    hash.set(args.at(2), new.as_bytes(), Expiry::Keep, &limits);
    hash.commit(Event(Class::HASH, "hincrbyfloat"));
    // Others may add differently.
    cx.repeat(&[b"HSET", args.at(1), args.at(2), new.as_bytes()]);
    reply.bulk(new);
    Ok(())
}

/// What `strtold` reads, but for what is not a number.
#[derive(Clone, Debug, PartialEq)]
enum Number {
    Finite(Extended),
    Infinite { negative: bool },
    Undefined,
}

impl Number {
    fn parse(bytes: &[u8]) -> Option<Number> {
        if let Some(finite) = Extended::parse(bytes) {
            return Some(Number::Finite(finite));
        }
        let (negative, word) = match bytes {
            [b'-', word @ ..] => (true, word),
            [b'+', word @ ..] => (false, word),
            word => (false, word),
        };
        let infinite = parse::is_word(word, "inf") || parse::is_word(word, "infinity");
        infinite.then_some(Number::Infinite { negative })
    }

    fn plus(&self, other: &Number) -> Number {
        match (self, other) {
            (Number::Finite(a), Number::Finite(b)) => match a.add(b) {
                Some(sum) => Number::Finite(sum),
                // Only two large numbers of the same sign have an infinite sum.
                None => Number::Infinite { negative: a.is_negative() },
            },
            (Number::Infinite { negative: a }, Number::Infinite { negative: b }) if a != b => {
                Number::Undefined
            }
            (Number::Infinite { negative }, Number::Finite(_) | Number::Infinite { .. })
            | (Number::Finite(_), Number::Infinite { negative }) => Number::Infinite { negative: *negative },
            _ => Number::Undefined,
        }
    }

    /// The word for what has no digits.
    fn word(&self) -> &'static str {
        match self {
            Number::Infinite { negative: false } => "inf",
            Number::Infinite { negative: true } => "-inf",
            _ => "-nan",
        }
    }
}

/// A number below `len`, as a random one says; zero where nothing is below.
fn below(random: u64, len: usize) -> usize {
    ((u128::from(random) * len as u128) >> 64) as usize
}

fn hrandfield(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let key = args.at(1);
    let mut draw = cx.draws(key);
    let hidden_ms = cx.hidden_until_ms();
    let Some(count) = args.get(2) else {
        match cx.read_object::<Hash>(key)? {
            None => reply.null(),
            Some(hash) if hides(&hash, hidden_ms) => {
                let seen = without_hidden(&hash, hidden_ms);
                match seen.get(below(draw(), seen.len())) {
                    None => reply.null(),
                    Some((field, _)) => reply.bulk(field),
                }
            }
            Some(hash) => {
                hash.random(&mut draw, |(field, ..)| bulk(reply, field));
            }
        }
        return Ok(());
    };
    let draws = Draws::parse(cx.release(), count)?;
    let with_values = match args.len() {
        3 => false,
        4 if parse::is_word(args.at(3), "WITHVALUES") => true,
        _ => return Err(CommandError::Syntax),
    };
    if with_values && draws.asked_for() > i64::MAX as usize / 2 {
        return Err(CommandError::OutOfRange);
    }
    let scales = cx.scales();
    let Some(hash) = cx.read_object::<Hash>(key)? else {
        reply.array(0);
        return Ok(());
    };
    let has_hidden = hides(&hash, hidden_ms);
    let mut seen = if has_hidden { without_hidden(&hash, hidden_ms) } else { Vec::new() };
    if has_hidden && seen.is_empty() {
        reply.array(0);
        return Ok(());
    }
    let count = draws.from(if has_hidden { seen.len() } else { hash.len() })?;
    scales.weigh(count)?;
    // Pairs are arrays of their own in RESP3.
    let nested = with_values && reply.is_resp3();
    reply.array(if with_values && !nested { 2 * count } else { count });
    let write = |reply: &mut Reply, field: Item, value: Item| {
        if nested {
            reply.array(2);
        }
        bulk(reply, field);
        if with_values {
            bulk(reply, value);
        }
    };
    match draws {
        Draws::Different(_) if has_hidden => {
            for at in 0..count {
                let other = at + below(draw(), seen.len() - at);
                seen.swap(at, other);
                write(reply, Item::Str(&seen[at].0), Item::Str(&seen[at].1));
            }
        }
        Draws::Any(_) if has_hidden => {
            for _ in 0..count {
                let (field, value) = &seen[below(draw(), seen.len())];
                write(reply, Item::Str(field), Item::Str(value));
            }
        }
        Draws::Different(_) => {
            hash.sample(count, &mut draw, |(field, value, _)| write(reply, field, value));
        }
        Draws::Any(_) => {
            for _ in 0..count {
                hash.random(&mut draw, |(field, value, _)| write(reply, field, value));
            }
        }
    }
    Ok(())
}
