//! Expiries of keys: giving them, taking them away, telling them.
//!
//! An expiry is a time in ms since the epoch. One that has passed deletes the key at once, which the events call a
//! deletion, not an expiry.

use crate::commands::family;
use crate::error::printed;
use crate::feed::Audience;
use crate::{BASE, Command, CommandError, Cx, parse};
use command::{Access, Category, Flags, Former, Group, KeySpec, Range, Release, v};
use keyspace::{Class, Event};
use resp::{Args, Reply};
use structures::number::Decimal;

family!(EXPIRE, PEXPIRE, EXPIREAT, PEXPIREAT, TTL, PTTL, EXPIRETIME, PEXPIRETIME, PERSIST);

/// `EXPIRE key seconds [NX | XX | GT | LT]`: 1, or 0 if there is no key or the condition does not hold.
pub static EXPIRE: Command = Command {
    name: "expire",
    summary: "Has a key expire after some seconds.",
    group: Group::Generic,
    arity: -3,
    syntax: "key seconds:int condition=[NX | XX | GT | LT]@7.0.0",
    flags: Flags::WRITE.union(Flags::FAST),
    categories: Category::KEYSPACE,
    keys: &[KeySpec::at(1, Access::RW.union(Access::UPDATE))],
    range: Range::ONE,
    former: &[Former::before(Release::V7_0).arity(3)],
    handler: expire,
    ..BASE
};

/// `PEXPIRE key milliseconds [NX | XX | GT | LT]`: as [`EXPIRE`].
pub static PEXPIRE: Command = Command {
    name: "pexpire",
    summary: "Has a key expire after some milliseconds.",
    syntax: "key milliseconds:int condition=[NX | XX | GT | LT]@7.0.0",
    since: v(2, 6, 0),
    handler: pexpire,
    ..EXPIRE
};

/// `EXPIREAT key unix-time-seconds [NX | XX | GT | LT]`: as [`EXPIRE`].
pub static EXPIREAT: Command = Command {
    name: "expireat",
    summary: "Has a key expire at a time in seconds since the epoch.",
    syntax: "key unix-time-seconds:time condition=[NX | XX | GT | LT]@7.0.0",
    since: v(1, 2, 0),
    handler: expireat,
    ..EXPIRE
};

/// `PEXPIREAT key unix-time-milliseconds [NX | XX | GT | LT]`: as [`EXPIRE`].
pub static PEXPIREAT: Command = Command {
    name: "pexpireat",
    summary: "Has a key expire at a time in milliseconds since the epoch.",
    syntax: "key unix-time-milliseconds:time condition=[NX | XX | GT | LT]@7.0.0",
    since: v(2, 6, 0),
    handler: pexpireat,
    ..EXPIRE
};

/// `TTL key`: seconds until the key expires, rounded; -1 if it does not, -2 if there is none.
pub static TTL: Command = Command {
    name: "ttl",
    summary: "Tells in how many seconds a key expires.",
    group: Group::Generic,
    arity: 2,
    syntax: "key",
    flags: Flags::READONLY.union(Flags::RANDOM).union(Flags::FAST),
    categories: Category::KEYSPACE,
    keys: &[KeySpec::at(1, Access::RO.union(Access::ACCESS))],
    range: Range::ONE,
    tips: &["nondeterministic_output"],
    former: &[Former::before(Release::V5_0).without(Flags::RANDOM)],
    handler: ttl,
    ..BASE
};

/// `PTTL key`: as [`TTL`], in ms.
pub static PTTL: Command = Command {
    name: "pttl",
    summary: "Tells in how many milliseconds a key expires.",
    since: v(2, 6, 0),
    handler: pttl,
    ..TTL
};

/// `EXPIRETIME key`: when the key expires, in seconds since the epoch, rounded; -1 if it does not, -2 if there is none.
pub static EXPIRETIME: Command = Command {
    name: "expiretime",
    summary: "Tells when a key expires, in seconds since the epoch.",
    since: v(7, 0, 0),
    flags: Flags::READONLY.union(Flags::FAST),
    tips: &[],
    handler: expiretime,
    ..TTL
};

/// `PEXPIRETIME key`: as [`EXPIRETIME`], in ms.
pub static PEXPIRETIME: Command = Command {
    name: "pexpiretime",
    summary: "Tells when a key expires, in milliseconds since the epoch.",
    handler: pexpiretime,
    ..EXPIRETIME
};

/// `PERSIST key`: 1, or 0 if there is no key or it does not expire.
pub static PERSIST: Command = Command {
    name: "persist",
    summary: "Has a key not expire any more.",
    since: v(2, 2, 0),
    group: Group::Generic,
    arity: 2,
    syntax: "key",
    flags: Flags::WRITE.union(Flags::FAST),
    categories: Category::KEYSPACE,
    keys: &[KeySpec::at(1, Access::RW.union(Access::UPDATE))],
    range: Range::ONE,
    handler: persist,
    ..BASE
};

/// The units in which commands tell times, in ms.
const SECOND_MS: i64 = 1000;
const MILLISECOND_MS: i64 = 1;

fn expire(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let now_ms = cx.now_ms();
    expire_key(cx, args, reply, SECOND_MS, now_ms)
}

fn pexpire(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let now_ms = cx.now_ms();
    expire_key(cx, args, reply, MILLISECOND_MS, now_ms)
}

fn expireat(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    expire_key(cx, args, reply, SECOND_MS, 0)
}

fn pexpireat(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    expire_key(cx, args, reply, MILLISECOND_MS, 0)
}

/// Gives a key an expiry that is told in this unit, from this time on.
fn expire_key(
    cx: &mut Cx,
    args: Args,
    reply: &mut Reply,
    unit_ms: i64,
    from_ms: i64,
) -> Result<(), CommandError> {
    let conditions = Conditions::parse(args)?;
    let at_ms = expiry_ms(cx, args.at(2), unit_ms, from_ms)?;
    let is_over = cx.is_over(at_ms);
    let mut spot = cx.spot(args.at(1));
    let old_ms = spot.entry().map(|entry| entry.expire_at_ms());
    let changes = old_ms.is_some_and(|old_ms| conditions.hold(old_ms, at_ms));
    if !changes {
        spot.leave();
    } else if is_over {
        let lazily = spot.params().lazy_expire;
        spot.delete(lazily);
        spot.commit(Event(Class::GENERIC, "del"));
        cx.repeat(&[deletion(lazily), args.at(1)]);
    } else {
        spot.set_expiry(Some(at_ms));
        spot.commit(Event(Class::GENERIC, "expire"));
        if cx.is_repeated() && (unit_ms, from_ms) != (MILLISECOND_MS, 0) {
            repeat_expiry(cx, args, at_ms);
        }
    }
    reply.integer(changes.into());
    Ok(())
}

/// How the deletion of a key is repeated.
pub(super) fn deletion(lazily: bool) -> &'static [u8] {
    if lazily { b"UNLINK" } else { b"DEL" }
}

/// Repeats that a key expires as a time in ms. Before 7.0 only files are told so.
fn repeat_expiry(cx: &mut Cx, args: Args, at_ms: i64) {
    let at_ms = Decimal::new(at_ms);
    let as_time = args.iter().enumerate().map(|(index, arg)| match index {
        0 => &b"PEXPIREAT"[..],
        2 => at_ms.as_bytes(),
        _ => arg,
    });
    if cx.release() >= Release::V7_0 {
        cx.repeat_for(Audience::all(), as_time);
    } else {
        cx.repeat_for(Audience::REPLICAS, args.iter());
        cx.repeat_for(Audience::FILE, as_time);
    }
}

/// An expiry in ms since the epoch, told in this unit from this time on.
fn expiry_ms(cx: &Cx, text: &[u8], unit_ms: i64, from_ms: i64) -> Result<i64, CommandError> {
    let value = cx.integer(text)?;
    let name = cx.entry.record.name;
    if !cx.release().has(v(6, 2, 0)) {
        // Whatever is too large comes out as some other time.
        return Ok(value.wrapping_mul(unit_ms).wrapping_add(from_ms));
    }
    value.checked_mul(unit_ms).and_then(|ms| ms.checked_add(from_ms)).ok_or_else(|| {
        if cx.release().has(v(7, 0, 0)) {
            CommandError::InvalidExpire7(name)
        } else {
            CommandError::InvalidExpire(name)
        }
    })
}

/// Conditions under which a key is given an expiry.
#[derive(Clone, Copy, Debug, Default)]
struct Conditions {
    /// It has none.
    nx: bool,
    /// It has one.
    xx: bool,
    /// The new one is later.
    gt: bool,
    /// The new one is earlier.
    lt: bool,
}

impl Conditions {
    fn parse(args: Args) -> Result<Self, CommandError> {
        let mut own = Conditions::default();
        for option in args.iter_from(3) {
            match () {
                () if parse::is_word(option, "nx") => own.nx = true,
                () if parse::is_word(option, "xx") => own.xx = true,
                () if parse::is_word(option, "gt") => own.gt = true,
                () if parse::is_word(option, "lt") => own.lt = true,
                () => return Err(CommandError::UnsupportedOption(printed(option))),
            }
        }
        if own.nx && (own.xx || own.gt || own.lt) {
            return Err(CommandError::ExpiryNxAndOthers);
        }
        if own.gt && own.lt {
            return Err(CommandError::ExpiryGtAndLt);
        }
        Ok(own)
    }

    /// Whether they hold for a key with this expiry that is to have that one. To have none is to expire at the end of
    /// time.
    fn hold(self, old_ms: Option<i64>, new_ms: i64) -> bool {
        !(self.nx && old_ms.is_some()
            || self.xx && old_ms.is_none()
            || self.gt && old_ms.is_none_or(|old_ms| new_ms <= old_ms)
            || self.lt && old_ms.is_some_and(|old_ms| new_ms >= old_ms))
    }
}

fn ttl(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    tell(cx, args, reply, SECOND_MS, cx.now_ms());
    Ok(())
}

fn pttl(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    tell(cx, args, reply, MILLISECOND_MS, cx.now_ms());
    Ok(())
}

fn expiretime(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    tell(cx, args, reply, SECOND_MS, 0);
    Ok(())
}

fn pexpiretime(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    tell(cx, args, reply, MILLISECOND_MS, 0);
    Ok(())
}

/// Tells a key's expiry in this unit, from this time on.
fn tell(cx: &mut Cx, args: Args, reply: &mut Reply, unit_ms: i64, from_ms: i64) {
    reply.integer(match cx.look(args.at(1)).map(|entry| entry.expire_at_ms()) {
        None => -2,
        Some(None) => -1,
        // As unsigned numbers the latest times can be rounded up too.
        Some(Some(at_ms)) => (((at_ms - from_ms).max(0) as u64 + unit_ms as u64 / 2) / unit_ms as u64) as i64,
    });
}

fn persist(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let tells = cx.release().has(v(6, 0, 0));
    let mut spot = cx.spot(args.at(1));
    let expires = spot.entry().is_some_and(|entry| entry.expire_at_ms().is_some());
    if !expires {
        spot.leave();
    } else {
        spot.set_expiry(None);
        if tells {
            spot.commit(Event(Class::GENERIC, "persist"));
        } else {
            spot.commit_silently();
        }
    }
    reply.integer(expires.into());
    Ok(())
}
