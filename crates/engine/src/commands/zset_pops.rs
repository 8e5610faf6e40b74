//! Sorted sets: taking members from the ends, at once or as soon as there are some.
//!
//! Up to 7.0 a waiting client is served from the key that has become ready; from 7.2 on its command is run again, which
//! looks at the keys in the client's order. Of those keys only the ones can have changed since that are held together
//! with the ready one.

use super::zsets::{Members, ZSET};
use crate::blocking::{self, Serve, Wait};
use crate::commands::family;
use crate::context::Scales;
use crate::parse::{self, integer, is_word};
use crate::{Command, CommandError, Cx};
use command::{Access, Category, Flags, Former, KeySpec, Range, Release, v};
use keyspace::{Change, Class, Event};
use resp::{Args, Reply};
use structures::number::Decimal;
use structures::packed::Item;
use structures::zset::ZSet;

family!(ZPOPMIN, ZPOPMAX, BZPOPMIN, BZPOPMAX, ZMPOP, BZMPOP);

/// What taking members does with a key.
const TAKES: Access = Access::RW.union(Access::ACCESS).union(Access::DELETE);

/// Taking members.
const POP: Command = Command {
    complexity: "O(log N) for each taken member, of N.",
    since: v(5, 0, 0),
    arity: -2,
    flags: Flags::WRITE.union(Flags::FAST),
    keys: &[KeySpec::at(1, TAKES)],
    ..ZSET
};

/// Taking members, or waiting for some.
const WAIT: Command = Command {
    arity: -3,
    flags: Flags::WRITE.union(Flags::FAST).union(Flags::BLOCKING),
    keys: &[KeySpec::range(1, -2, 1, TAKES)],
    range: Range::new(1, -2, 1),
    // Before 7.0 that a command blocks was only a category.
    former: &[
        Former::before(Release::V7_4).with(Flags::NOSCRIPT),
        Former::before(Release::V7_0)
            .without(Flags::BLOCKING)
            .categories(Category::SORTEDSET.union(Category::BLOCKING)),
    ],
    ..POP
};

/// Taking members from the first of some sets that is there.
const MANY: Command = Command {
    complexity: "O(K+M log N) for M taken members of N, and K keys.",
    since: v(7, 0, 0),
    range: Range::NONE,
    ..ZSET
};

/// `ZPOPMIN key [count]`: an array of members and scores.
pub static ZPOPMIN: Command = Command {
    name: "zpopmin",
    summary: "Takes the members with the lowest scores.",
    syntax: "key [count:int]",
    handler: |cx, args, reply| pop(cx, args, reply, End::Min),
    ..POP
};

/// `ZPOPMAX key [count]`: an array of members and scores.
pub static ZPOPMAX: Command = Command {
    name: "zpopmax",
    summary: "Takes the members with the highest scores.",
    syntax: "key [count:int]",
    handler: |cx, args, reply| pop(cx, args, reply, End::Max),
    ..POP
};

/// `BZPOPMIN key [key ...] timeout`: the key, the member and its score, or nil.
pub static BZPOPMIN: Command = Command {
    name: "bzpopmin",
    summary: "Takes the member with the lowest score from the first of some sets that is there; waits if there is none.",
    syntax: "key... timeout:double",
    handler: |cx, args, reply| bzpop(cx, args, reply, End::Min, serve_bzpopmin),
    ..WAIT
};

/// `BZPOPMAX key [key ...] timeout`: the key, the member and its score, or nil.
pub static BZPOPMAX: Command = Command {
    name: "bzpopmax",
    summary: "Takes the member with the highest score from the first of some sets that is there; waits if there is none.",
    syntax: "key... timeout:double",
    handler: |cx, args, reply| bzpop(cx, args, reply, End::Max, serve_bzpopmax),
    ..WAIT
};

/// `ZMPOP keys key [key ...] MIN | MAX [COUNT count]`: the key and an array of pairs, or nil.
pub static ZMPOP: Command = Command {
    name: "zmpop",
    summary: "Takes members from an end of the first of some sets that is there.",
    arity: -4,
    syntax: "numkeys:int key... where=(MIN | MAX) [COUNT count:int]",
    flags: Flags::WRITE.union(Flags::MOVABLEKEYS),
    keys: &[KeySpec::counted(1, TAKES)],
    handler: zmpop,
    ..MANY
};

/// `BZMPOP timeout keys key [key ...] MIN | MAX [COUNT count]`: the key and an array of pairs, or nil.
pub static BZMPOP: Command = Command {
    name: "bzmpop",
    summary: "Takes members from an end of the first of some sets that is there; waits if there is none.",
    arity: -5,
    syntax: "timeout:double numkeys:int key... where=(MIN | MAX) [COUNT count:int]",
    flags: Flags::WRITE.union(Flags::BLOCKING).union(Flags::MOVABLEKEYS),
    keys: &[KeySpec::counted(2, TAKES)],
    handler: bzmpop,
    ..MANY
};

/// One of the two ends of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Min,
    Max,
}

/// How taken members are written.
#[derive(Clone, Copy)]
enum Shape {
    /// Members and scores in turn.
    Flat,
    /// An array of pairs; a flat one in RESP2.
    Pairs,
    /// The key in front of the member and its score.
    Keyed,
    /// The key, and an array of pairs in both protocols.
    KeyedPairs,
}

fn pop(cx: &mut Cx, args: Args, reply: &mut Reply, end: End) -> Result<(), CommandError> {
    if args.len() > 3 {
        return Err(CommandError::Syntax);
    }
    let count = match args.get(2) {
        None => 1,
        Some(count) if cx.release().has(v(7, 0, 0)) => {
            parse::integer_in(count, 0..=i64::MAX, CommandError::NotPositive)? as usize
        }
        // What is no number of members is none, and then nobody asks what the key is.
        Some(count) => match integer(count)? {
            count @ 1.. => count as usize,
            _ => {
                reply.array(0);
                return Ok(());
            }
        },
    };
    let shape = if args.len() == 3 { Shape::Pairs } else { Shape::Flat };
    let (members, scales) = (Members::new(cx, true), cx.scales());
    match cx.change_existing::<ZSet>(args.at(1))? {
        None => reply.array(0),
        Some(change) if count == 0 => {
            change.leave();
            reply.array(0);
        }
        Some(change) => {
            take(change, args.at(1), end, count, shape, members, scales, reply)?;
        }
    }
    Ok(())
}

fn zmpop(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let Many { keys, end, count } = Many::parse(args, 1)?;
    if !take_first(cx, keys.iter(), end, count, Shape::KeyedPairs, reply)? {
        reply.null_array();
    }
    Ok(())
}

fn bzpop(cx: &mut Cx, args: Args, reply: &mut Reply, end: End, serve: Serve) -> Result<(), CommandError> {
    let timeout_ms = blocking::timeout(cx, args.at(args.len() - 1))?;
    take_or_wait(cx, keys_of_bzpop(args), end, 1, Shape::Keyed, timeout_ms, serve, reply)
}

/// The keys of `BZPOPMIN` and `BZPOPMAX`.
fn keys_of_bzpop(args: Args) -> Args {
    args.slice(1..args.len() - 1)
}

fn bzmpop(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let Many { keys, end, count } = Many::parse(args, 2)?;
    let timeout_ms = blocking::timeout(cx, args.at(1))?;
    take_or_wait(cx, keys, end, count, Shape::KeyedPairs, timeout_ms, serve_bzmpop, reply)
}

/// The arguments of `ZMPOP` and `BZMPOP`.
struct Many<'a> {
    keys: Args<'a>,
    end: End,
    count: usize,
}

impl<'a> Many<'a> {
    /// Reads them, the number of keys being argument `at`.
    fn parse(args: Args<'a>, at: usize) -> Result<Self, CommandError> {
        let keys = parse::integer_in(args.at(at), 1..=i64::MAX, CommandError::NumKeysNotPositive)?;
        let after = (at + 1).saturating_add(keys as usize);
        let end = match args.get(after) {
            Some(word) if is_word(word, "min") => End::Min,
            Some(word) if is_word(word, "max") => End::Max,
            _ => return Err(CommandError::Syntax),
        };
        let count = match (args.get(after + 1), args.get(after + 2)) {
            (None, _) => 1,
            (Some(word), Some(count)) if is_word(word, "count") => {
                parse::integer_in(count, 1..=i64::MAX, CommandError::CountNotPositive)?
            }
            _ => return Err(CommandError::Syntax),
        };
        if args.len() > after + 3 {
            return Err(CommandError::Syntax);
        }
        Ok(Many { keys: args.slice(at + 1..after), end, count: count as usize })
    }
}

#[allow(clippy::too_many_arguments, reason = "they are what two commands differ in")]
fn take_or_wait(
    cx: &mut Cx,
    keys: Args,
    end: End,
    count: usize,
    shape: Shape,
    timeout_ms: Option<i64>,
    serve: Serve,
    reply: &mut Reply,
) -> Result<(), CommandError> {
    if !take_first(cx, keys.iter(), end, count, shape, reply)? {
        cx.wait(Wait::for_keys(keys.iter(), timeout_ms, serve), reply);
    }
    Ok(())
}

fn serve_bzpopmin(cx: &mut Cx, args: Args, key: &[u8], reply: &mut Reply) -> Result<bool, CommandError> {
    serve(cx, keys_of_bzpop(args), key, End::Min, 1, Shape::Keyed, reply)
}

fn serve_bzpopmax(cx: &mut Cx, args: Args, key: &[u8], reply: &mut Reply) -> Result<bool, CommandError> {
    serve(cx, keys_of_bzpop(args), key, End::Max, 1, Shape::Keyed, reply)
}

fn serve_bzmpop(cx: &mut Cx, args: Args, key: &[u8], reply: &mut Reply) -> Result<bool, CommandError> {
    let Many { keys, end, count } = Many::parse(args, 2)?;
    serve(cx, keys, key, end, count, Shape::KeyedPairs, reply)
}

fn serve(
    cx: &mut Cx,
    keys: Args,
    ready: &[u8],
    end: End,
    count: usize,
    shape: Shape,
    reply: &mut Reply,
) -> Result<bool, CommandError> {
    if cx.peek_object::<ZSet>(ready).is_none() {
        return Ok(false);
    }
    if !cx.release().has(v(7, 2, 0)) {
        return take_first(cx, std::iter::once(ready), end, count, shape, reply);
    }
    let held: Vec<&[u8]> = keys.iter().filter(|key| cx.holds(key)).collect();
    take_first(cx, held.into_iter(), end, count, shape, reply)
}

/// Takes up to `count` members from the first of some sets that is there; gives whether one was.
fn take_first<'k>(
    cx: &mut Cx,
    keys: impl Iterator<Item = &'k [u8]>,
    end: End,
    count: usize,
    shape: Shape,
    reply: &mut Reply,
) -> Result<bool, CommandError> {
    let (members, scales) = (Members::new(cx, true), cx.scales());
    for key in keys {
        let Some(change) = cx.change_existing::<ZSet>(key)? else { continue };
        let taken = take(change, key, end, count, shape, members, scales, reply)?;
        let name: &[u8] = if end == End::Min { b"ZPOPMIN" } else { b"ZPOPMAX" };
        match shape {
            _ if !cx.is_repeated() => {}
            Shape::KeyedPairs => cx.repeat(&[name, key, Decimal::new(taken as i64).as_bytes()]),
            _ => cx.repeat(&[name, key]),
        }
        return Ok(true);
    }
    Ok(false)
}

/// Takes up to `count` members, at least one. Gives how many.
#[allow(clippy::too_many_arguments, reason = "they are what six commands differ in")]
fn take(
    mut change: Change<ZSet>,
    key: &[u8],
    end: End,
    count: usize,
    shape: Shape,
    members: Members,
    scales: Scales,
    reply: &mut Reply,
) -> Result<usize, CommandError> {
    let len = change.len();
    let count = count.min(len);
    if let Err(error) = scales.weigh(count) {
        change.leave();
        return Err(error);
    }
    match shape {
        Shape::Flat => reply.array(2 * count),
        Shape::Pairs => members.header(reply, count),
        Shape::Keyed => {
            reply.array(1 + 2 * count);
            reply.bulk(key);
        }
        Shape::KeyedPairs => {
            reply.array(2);
            reply.bulk(key);
            reply.array(count);
        }
    }
    let put = |member: Item, score| match shape {
        Shape::Flat | Shape::Keyed => members.put_flat(reply, member, score),
        Shape::Pairs => members.put(reply, member, score),
        Shape::KeyedPairs => {
            reply.array(2);
            members.put_flat(reply, member, score);
        }
    };
    let name = match end {
        End::Min => {
            change.remove_range(0, count, put);
            "zpopmin"
        }
        End::Max => {
            change.for_range_back(len - count, len, put);
            change.remove_range(len - count, len, |_, _| ());
            "zpopmax"
        }
    };
    change.commit_many(Event(Class::ZSET, name), count as u64);
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use resp::OwnedArgs;

    #[test]
    fn the_arguments_of_zmpop_end_with_the_count() {
        let read = |line: &str| {
            let args = OwnedArgs::new(line.split(' ').map(str::as_bytes));
            Many::parse(args.as_args(), 1).map(|many| (many.keys.len(), many.end, many.count))
        };
        assert_eq!(read("zmpop 1 z min"), Ok((1, End::Min, 1)));
        assert_eq!(read("zmpop 2 z y MAX count 7"), Ok((2, End::Max, 7)));
        for line in ["zmpop 1 z", "zmpop 1 z min count", "zmpop 1 z min count 1 count 1", "zmpop 2 z min"] {
            assert_eq!(read(line), Err(CommandError::Syntax), "{line}");
        }
        assert_eq!(read("zmpop 9223372036854775807 z min"), Err(CommandError::Syntax));
        assert_eq!(read("zmpop 0 z min"), Err(CommandError::NumKeysNotPositive));
        assert_eq!(read("zmpop 1 z min count 0"), Err(CommandError::CountNotPositive));
    }
}
