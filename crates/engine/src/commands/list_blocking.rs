//! Lists: the commands that wait for entries.
//!
//! Up to 7.0 a waiting client is served from the key that has become ready; from 7.2 on its command is run again, which
//! looks at the keys in the client's order. Of those keys only the ones can have changed since that are held together
//! with the ready one.

use super::lists::{FROM_TO, MultiPop, Notice, TAKES, pop_first, side, string_at, transfer};
use crate::blocking::{self, Serve, Wait};
use crate::commands::family;
use crate::feed::Audience;
use crate::{BASE, Command, CommandError, Cx};
use command::{Category, Flags, Former, Group, KeySpec, Range, Release, v};
use resp::{Args, Reply};
use structures::list::{List, Side};

family!(BLPOP, BRPOP, BRPOPLPUSH, BLMOVE, BLMPOP);

/// What the commands have in common.
const BLOCKING: Command = Command { group: Group::List, categories: Category::LIST, ..BASE };

/// How most of them differed in earlier releases.
const FORMER: Former = Former::before(Release::V7_4).with(Flags::NOSCRIPT);
/// Before 7.0 that a command blocks was only a category.
const FORMER_6: Former = Former::before(Release::V7_0)
    .without(Flags::BLOCKING)
    .categories(Category::LIST.union(Category::BLOCKING));

/// Popping.
const POP: Command = Command {
    complexity: "O(N) for N keys.",
    since: v(2, 0, 0),
    arity: -3,
    flags: Flags::WRITE.union(Flags::BLOCKING),
    keys: &[KeySpec::range(1, -2, 1, TAKES)],
    range: Range::new(1, -2, 1),
    ..BLOCKING
};

/// `BLPOP key [key ...] timeout`: the key and the element, or nil.
pub static BLPOP: Command = Command {
    name: "blpop",
    summary: "Takes the element at the head of the first of some lists that is there; waits if there is none.",
    syntax: "key... timeout:double",
    former: &[FORMER, FORMER_6],
    handler: |cx, args, reply| pop(cx, args, reply, Side::Left, serve_blpop),
    ..POP
};

/// `BRPOP key [key ...] timeout`: the key and the element, or nil.
pub static BRPOP: Command = Command {
    name: "brpop",
    summary: "Takes the element at the tail of the first of some lists that is there; waits if there is none.",
    syntax: "key... timeout:double",
    former: &[FORMER, FORMER_6, Former::before(Release::V4_0).range(1, 1, 1)],
    handler: |cx, args, reply| pop(cx, args, reply, Side::Right, serve_brpop),
    ..POP
};

/// `BRPOPLPUSH source destination timeout`: the element, or nil.
pub static BRPOPLPUSH: Command = Command {
    name: "brpoplpush",
    summary: "Moves the element at the tail of a list to the head of another, or of the same; waits for it.",
    since: v(2, 2, 0),
    deprecated: Some((v(6, 2, 0), "`BLMOVE` with `RIGHT` and `LEFT`")),
    arity: 4,
    syntax: "source:key destination:key timeout:double",
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::BLOCKING),
    keys: FROM_TO,
    range: Range::new(1, 2, 1),
    former: &[FORMER, FORMER_6],
    handler: brpoplpush,
    ..BLOCKING
};

/// `BLMOVE source destination LEFT | RIGHT LEFT | RIGHT timeout`: the element, or nil.
pub static BLMOVE: Command = Command {
    name: "blmove",
    summary: "Moves the element at one end of a list to an end of another, or of the same; waits for it.",
    since: v(6, 2, 0),
    arity: 6,
    syntax: "source:key destination:key wherefrom=(LEFT | RIGHT) whereto=(LEFT | RIGHT) timeout:double",
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::BLOCKING),
    keys: FROM_TO,
    range: Range::new(1, 2, 1),
    former: &[FORMER, FORMER_6],
    handler: blmove,
    ..BLOCKING
};

/// `BLMPOP timeout keys key [key ...] LEFT | RIGHT [COUNT count]`: the key and an array of elements, or nil.
pub static BLMPOP: Command = Command {
    name: "blmpop",
    summary: "Takes elements from an end of the first of some lists that is there; waits if there is none.",
    complexity: "O(K+N) for K keys and N elements.",
    since: v(7, 0, 0),
    arity: -5,
    syntax: "timeout:double numkeys:int key... where=(LEFT | RIGHT) [COUNT count:int]",
    flags: Flags::WRITE.union(Flags::BLOCKING).union(Flags::MOVABLEKEYS),
    keys: &[KeySpec::counted(2, TAKES)],
    handler: blmpop,
    ..BLOCKING
};

/// How an entry is moved.
#[derive(Clone, Copy)]
struct Move {
    from: Side,
    to: Side,
    /// The command that does the same without waiting.
    name: &'static [u8],
}

/// How `BRPOPLPUSH` moves an entry.
const POPS_AND_PUSHES: Move = Move { from: Side::Right, to: Side::Left, name: b"RPOPLPUSH" };

fn pop(cx: &mut Cx, args: Args, reply: &mut Reply, side: Side, serve: Serve) -> Result<(), CommandError> {
    let timeout_ms = blocking::timeout(cx, args.at(args.len() - 1))?;
    pop_or_wait(cx, keys_of_pop(args), side, None, timeout_ms, serve, reply)
}

/// The keys of `BLPOP` and `BRPOP`.
fn keys_of_pop(args: Args) -> Args {
    args.slice(1..args.len() - 1)
}

fn brpoplpush(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let timeout_ms = blocking::timeout(cx, args.at(3))?;
    move_or_wait(cx, args, POPS_AND_PUSHES, timeout_ms, serve_brpoplpush, reply)
}

fn blmove(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let (from, to) = (side(args.at(3))?, side(args.at(4))?);
    let timeout_ms = blocking::timeout(cx, args.at(5))?;
    move_or_wait(cx, args, Move { from, to, name: b"LMOVE" }, timeout_ms, serve_blmove, reply)
}

fn blmpop(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let MultiPop { keys, side, count } = MultiPop::parse(args, 2)?;
    let timeout_ms = blocking::timeout(cx, args.at(1))?;
    pop_or_wait(cx, keys, side, Some(count), timeout_ms, serve_blmpop, reply)
}

fn pop_or_wait(
    cx: &mut Cx,
    keys: Args,
    side: Side,
    count: Option<usize>,
    timeout_ms: Option<i64>,
    serve: Serve,
    reply: &mut Reply,
) -> Result<(), CommandError> {
    if !pop_first(cx, keys.iter(), side, count, reply, Notice::Given)? {
        cx.wait(Wait::for_keys(keys.iter(), timeout_ms, serve), reply);
    }
    Ok(())
}

fn move_or_wait(
    cx: &mut Cx,
    args: Args,
    how: Move,
    timeout_ms: Option<i64>,
    serve: Serve,
    reply: &mut Reply,
) -> Result<(), CommandError> {
    let (source, destination) = (args.at(1), args.at(2));
    if cx.peek(source).is_some() {
        transfer(cx, source, destination, how.from, how.to, reply, Notice::Given)?;
        // Before 6.0 it was repeated as it came: others have what there is to wait for.
        if cx.release().has(v(6, 0, 0)) {
            repeat_without_timeout(cx, args, how);
        }
        return Ok(());
    }
    if !cx.may_wait {
        // Not the reply of a wait whose time is up: a string would be here.
        reply.null();
        return Ok(());
    }
    let keyspace = &cx.node.keyspace;
    let shard_of = |key| keyspace.shard_of(cx.key(key).hash);
    let wait = Wait {
        needs_other_keys: shard_of(source) != shard_of(destination),
        ..Wait::for_keys([source], timeout_ms, serve)
    };
    cx.wait(wait, reply);
    Ok(())
}

fn serve_blpop(cx: &mut Cx, args: Args, key: &[u8], reply: &mut Reply) -> Result<bool, CommandError> {
    serve_pop(cx, keys_of_pop(args), key, Side::Left, None, reply)
}

fn serve_brpop(cx: &mut Cx, args: Args, key: &[u8], reply: &mut Reply) -> Result<bool, CommandError> {
    serve_pop(cx, keys_of_pop(args), key, Side::Right, None, reply)
}

fn serve_blmpop(cx: &mut Cx, args: Args, key: &[u8], reply: &mut Reply) -> Result<bool, CommandError> {
    let MultiPop { keys, side, count } = MultiPop::parse(args, 2)?;
    serve_pop(cx, keys, key, side, Some(count), reply)
}

fn serve_brpoplpush(cx: &mut Cx, args: Args, key: &[u8], reply: &mut Reply) -> Result<bool, CommandError> {
    serve_move(cx, args, key, POPS_AND_PUSHES, reply)
}

fn serve_blmove(cx: &mut Cx, args: Args, key: &[u8], reply: &mut Reply) -> Result<bool, CommandError> {
    let how = Move { from: side(args.at(3))?, to: side(args.at(4))?, name: b"LMOVE" };
    serve_move(cx, args, key, how, reply)
}

fn serve_pop(
    cx: &mut Cx,
    keys: Args,
    ready: &[u8],
    side: Side,
    count: Option<usize>,
    reply: &mut Reply,
) -> Result<bool, CommandError> {
    if cx.peek_object::<List>(ready).is_none() {
        return Ok(false);
    }
    if !cx.release().has(v(7, 2, 0)) {
        return pop_first(cx, std::iter::once(ready), side, count, reply, notice(cx));
    }
    let held: Vec<&[u8]> = keys.iter().filter(|key| cx.holds(key)).collect();
    pop_first(cx, held.into_iter(), side, count, reply, Notice::Given)
}

fn serve_move(
    cx: &mut Cx,
    args: Args,
    ready: &[u8],
    how: Move,
    reply: &mut Reply,
) -> Result<bool, CommandError> {
    if cx.peek_object::<List>(ready).is_none() {
        return Ok(false);
    }
    let before = reply.len();
    transfer(cx, ready, args.at(2), how.from, how.to, reply, notice(cx))?;
    if !cx.is_repeated() {
        return Ok(true);
    }
    match cx.release() {
        Release::V3_0 | Release::V4_0 | Release::V5_0 => {
            cx.repeat(&[b"RPOP", ready]);
            cx.repeat(&[b"LPUSH", args.at(2), string_at(reply, before)]);
        }
        // Up to 7.0 the sides are not told in the client's words.
        release if !release.has(v(7, 2, 0)) && args.len() > 4 => {
            cx.repeat(&[how.name, ready, args.at(2), word_of(how.from), word_of(how.to)]);
        }
        _ => repeat_without_timeout(cx, args, how),
    }
    Ok(true)
}

/// Repeats a command that has not waited, or has been served, as one that does not wait.
fn repeat_without_timeout(cx: &mut Cx, args: Args, how: Move) {
    let rest = args.slice(0..args.len() - 1);
    cx.repeat_for(
        Audience::all(),
        rest.iter().enumerate().map(|(index, arg)| if index == 0 { how.name } else { arg }),
    );
}

fn word_of(side: Side) -> &'static [u8] {
    match side {
        Side::Left => b"left",
        Side::Right => b"right",
    }
}

/// Whether it is published that a client which has waited is served.
fn notice(cx: &Cx) -> Notice {
    if cx.release().has(v(5, 0, 0)) { Notice::Given } else { Notice::Withheld }
}
