//! Strings that are numbers: counting up and down.
//!
//! Integers have 64 bits and do not overflow. Floating-point numbers are added in the x87's extended precision, which
//! is what Redis' own digits come from: see [`float`](crate::float).

use crate::commands::family;
use crate::commands::strings::{EXCHANGES, STRING};
use crate::extended::Extended;
use crate::float;
use crate::parse;
use crate::{Command, CommandError, Cx};
use command::{Flags, KeySpec, Release, v};
use keyspace::{Class, Event};
use resp::{Args, Reply};
use structures::packed::Item as Text;

family!(INCR, DECR, INCRBY, DECRBY, INCRBYFLOAT);

/// `INCR key`: the new value.
pub static INCR: Command = Command {
    name: "incr",
    summary: "Adds one to the integer at a key, which is zero if there is none.",
    arity: 2,
    syntax: "key",
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    keys: &[KeySpec::at(1, EXCHANGES)],
    handler: incr,
    ..STRING
};

/// `DECR key`: the new value.
pub static DECR: Command = Command {
    name: "decr",
    summary: "Takes one from the integer at a key, which is zero if there is none.",
    handler: decr,
    ..INCR
};

/// `INCRBY key increment`: the new value.
pub static INCRBY: Command = Command {
    name: "incrby",
    summary: "Adds to the integer at a key, which is zero if there is none.",
    arity: 3,
    syntax: "key increment:int",
    handler: incrby,
    ..INCR
};

/// `DECRBY key decrement`: the new value.
pub static DECRBY: Command = Command {
    name: "decrby",
    summary: "Takes from the integer at a key, which is zero if there is none.",
    syntax: "key decrement:int",
    handler: decrby,
    ..INCRBY
};

/// `INCRBYFLOAT key increment`: the new value, as a string.
pub static INCRBYFLOAT: Command = Command {
    name: "incrbyfloat",
    summary: "Adds to the floating-point number at a key, which is zero if there is none.",
    syntax: "key increment:double",
    since: v(2, 6, 0),
    handler: incrbyfloat,
    ..INCRBY
};

fn incr(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    add(cx, args.at(1), 1, reply)
}

fn decr(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    add(cx, args.at(1), -1, reply)
}

fn incrby(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let increment = cx.integer(args.at(2))?;
    add(cx, args.at(1), increment, reply)
}

fn decrby(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let decrement = cx.integer(args.at(2))?;
    // Before 7.0 the one number that cannot be negated stayed as it was.
    if decrement == i64::MIN && cx.release() >= Release::V7_0 {
        return Err(CommandError::DecrementOverflow);
    }
    add(cx, args.at(1), decrement.wrapping_neg(), reply)
}

/// Adds to the integer at a key.
#[inline]
fn add(cx: &mut Cx, key: &[u8], increment: i64, reply: &mut Reply) -> Result<(), CommandError> {
    let release = cx.release();
    let mut spot = cx.spot(key);
    let old = spot.text(|text| match text {
        None => Ok(0),
        Some(Text::Int(value)) => Ok(value),
        Some(Text::Str(bytes)) => parse::integer_of(bytes, release),
    })??;
    let new = old.checked_add(increment).ok_or(CommandError::IncrementOverflow)?;
    spot.set_int(new);
    spot.commit(Event(Class::STRING, "incrby"));
    reply.integer(new);
    Ok(())
}

fn incrbyfloat(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let release = cx.release();
    let mut spot = cx.spot(args.at(1));
    let old = spot.text(|text| match text {
        None => Ok(Some(Extended::ZERO)),
        Some(text) => text.with_bytes(|bytes| operand(bytes, release)),
    })??;
    let increment = operand(args.at(2), release)?;
    let new = match (old, increment) {
        (Some(old), Some(increment)) => old.add(&increment),
        _ => None,
    };
    let new = new.ok_or(CommandError::WouldNotBeFinite)?.to_text();
    spot.set_verbatim(new.as_bytes());
    spot.commit(Event(Class::STRING, "incrbyfloat"));
    // Others may add differently. Before 6.0 they lost the expiry.
    let all: [&[u8]; 4] = [b"SET", args.at(1), new.as_bytes(), b"KEEPTTL"];
    cx.repeat(if release.has(v(6, 0, 0)) { &all } else { &all[..3] });
    reply.bulk(new);
    Ok(())
}

/// A number to be added; nothing if it is infinite.
fn operand(bytes: &[u8], release: Release) -> Result<Option<Extended>, CommandError> {
    let bytes = parse::decimal_of(bytes, release, Release::V4_0);
    match Extended::parse(bytes) {
        Some(value) => Ok(Some(value)),
        None if float::is_infinite(bytes) => Ok(None),
        None => Err(CommandError::NotAFloat),
    }
}
