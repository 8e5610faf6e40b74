//! Strings.

use crate::commands::family;
use crate::{BASE, Command, CommandError, Cx, parse};
use command::{Access, Flags, Group, KeySpec, Range};
use keyspace::{Class, Event};
use resp::{Args, Reply};
use structures::packed::Item as Text;

family!(GET, SET, INCR);

/// `GET key`: the string, or nil.
pub static GET: Command = Command {
    name: "get",
    summary: "Gives the string at a key.",
    group: Group::String,
    arity: 2,
    flags: Flags::READONLY.union(Flags::FAST),
    keys: &[KeySpec::at(1, Access::RO.union(Access::ACCESS))],
    range: Range::ONE,
    handler: get,
    ..BASE
};

/// `SET key value`: OK.
pub static SET: Command = Command {
    name: "set",
    summary: "Sets a key to a string.",
    group: Group::String,
    arity: -3,
    flags: Flags::WRITE.union(Flags::DENYOOM),
    keys: &[KeySpec::at(1, Access::RW.union(Access::ACCESS).union(Access::UPDATE))],
    range: Range::ONE,
    handler: set,
    ..BASE
};

/// `INCR key`: the new value.
pub static INCR: Command = Command {
    name: "incr",
    summary: "Adds one to the integer at a key.",
    group: Group::String,
    arity: 2,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    keys: &[KeySpec::at(1, Access::RW.union(Access::ACCESS).union(Access::UPDATE))],
    range: Range::ONE,
    handler: incr,
    ..BASE
};

fn get(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    match cx.read_text(args.at(1))? {
        Some(Text::Str(bytes)) => reply.bulk(bytes),
        Some(Text::Int(value)) => reply.bulk_integer(value),
        None => reply.null(),
    }
    Ok(())
}

fn set(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    if args.len() > 3 {
        return Err(CommandError::Syntax);
    }
    let mut spot = cx.spot(args.at(1));
    spot.set_text(args.at(2));
    spot.set_expiry(None);
    spot.commit(Event(Class::STRING, "set"));
    reply.ok();
    Ok(())
}

fn incr(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let mut spot = cx.spot(args.at(1));
    let old = spot.text(|text| match text {
        None => Ok(0),
        Some(Text::Int(value)) => Ok(value),
        Some(Text::Str(bytes)) => parse::integer(bytes),
    });
    let new = old
        .map_err(CommandError::from)
        .and_then(|old| old?.checked_add(1).ok_or(CommandError::IncrementOverflow));
    let new = match new {
        Ok(new) => new,
        Err(error) => {
            spot.leave();
            return Err(error);
        }
    };
    spot.set_int(new);
    spot.commit(Event(Class::STRING, "incrby"));
    reply.integer(new);
    Ok(())
}
