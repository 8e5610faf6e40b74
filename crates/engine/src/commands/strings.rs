//! Strings.
//!
//! `GET key` and `SET key value` are what most clients do most of the time: their plain forms look at no options, and
//! look a key up once.
//!
//! Not here: numbers in strings (see [`counters`](super::counters)), bits in strings (see [`bitmaps`](super::bitmaps)
//! and [`bitfield`](super::bitfield)), and what two strings have in common (see [`lcs`](super::lcs)).

use crate::commands::expiry::deletion;
use crate::commands::family;
use crate::feed::Audience;
use crate::parse::is_word;
use crate::{BASE, Command, CommandError, Cx};
use command::{Access, Category, Flags, Former, Group, KeySpec, Range, Release, Untold, Version, v};
use keyspace::{Class, Event, Spot};
use resp::{Args, Reply};
use smallvec::SmallVec;
use std::sync::atomic::Ordering;
use structures::number::Decimal;
use structures::packed::Item as Text;

family!(
    GET, SET, SETNX, SETEX, PSETEX, GETSET, GETEX, GETDEL, MGET, MSET, MSETNX, APPEND, STRLEN, GETRANGE,
    SUBSTR, SETRANGE,
);

/// On which the records of this family, and of its neighbours, are built.
pub(super) const STRING: Command =
    Command { group: Group::String, categories: Category::STRING, range: Range::ONE, ..BASE };

/// What a command does with a string that it replaces, wherever it lies.
const OVERWRITES: Access = Access::OW.union(Access::UPDATE);

/// What a command does with a string that it gives back and replaces.
pub(super) const EXCHANGES: Access = Access::RW.union(Access::ACCESS).union(Access::UPDATE);

/// The event of a string that is set.
const SET_EVENT: Event = Event(Class::STRING, "set");

/// `GET key`: the string, or nil.
pub static GET: Command = Command {
    name: "get",
    summary: "Gives the string at a key.",
    arity: 2,
    syntax: "key",
    flags: Flags::READONLY.union(Flags::FAST),
    keys: &[KeySpec::at(1, Access::RO.union(Access::ACCESS))],
    handler: get,
    ..STRING
};

/// `SET key value [NX | XX] [GET] [EX seconds | PX ms | EXAT seconds | PXAT ms | KEEPTTL]`: OK, or nil if the key was
/// not set; with `GET` the string that was there, or nil.
pub static SET: Command = Command {
    name: "set",
    summary: "Sets a key to a string, whatever it was; it expires as the options say.",
    arity: -3,
    syntax: "key value condition=[NX | XX]@2.6.12 [GET]@6.2.0 expiration=[EX seconds:int@2.6.12 | PX \
             milliseconds:int@2.6.12 | EXAT unix-time-seconds:time@6.2.0 | PXAT \
             unix-time-milliseconds:time@6.2.0 | KEEPTTL@6.0.0]",
    flags: Flags::WRITE.union(Flags::DENYOOM),
    keys: &[KeySpec::at(1, EXCHANGES.union(Access::VARIABLE_FLAGS))
        .noted("RW and ACCESS due to the optional `GET` argument")
        .knowing(Untold::Without(&["get"], Access::OW.union(Access::UPDATE)))],
    handler: set,
    ..STRING
};

/// `SETNX key value`: 1, or 0 if the key exists.
pub static SETNX: Command = Command {
    name: "setnx",
    summary: "Sets a key to a string if there is no such key.",
    deprecated: Some((v(2, 6, 12), "`SET` with the `NX` argument")),
    arity: 3,
    syntax: "key value",
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    keys: &[KeySpec::at(1, Access::OW.union(Access::INSERT))],
    handler: setnx,
    ..STRING
};

/// `SETEX key seconds value`: OK.
pub static SETEX: Command = Command {
    name: "setex",
    summary: "Sets a key to a string that expires after some seconds.",
    since: v(2, 0, 0),
    deprecated: Some((v(2, 6, 12), "`SET` with the `EX` argument")),
    arity: 4,
    syntax: "key seconds:int value",
    flags: Flags::WRITE.union(Flags::DENYOOM),
    keys: &[KeySpec::at(1, OVERWRITES)],
    handler: setex,
    ..STRING
};

/// `PSETEX key ms value`: OK.
pub static PSETEX: Command = Command {
    name: "psetex",
    summary: "Sets a key to a string that expires after some milliseconds.",
    syntax: "key milliseconds:int value",
    since: v(2, 6, 0),
    deprecated: Some((v(2, 6, 12), "`SET` with the `PX` argument")),
    handler: psetex,
    ..SETEX
};

/// `GETSET key value`: the string that was there, or nil.
pub static GETSET: Command = Command {
    name: "getset",
    summary: "Sets a key to a string and gives the one that was there.",
    deprecated: Some((v(6, 2, 0), "`SET` with the `!GET` argument")),
    arity: 3,
    syntax: "key value",
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    keys: &[KeySpec::at(1, EXCHANGES)],
    former: &[Former::before(Release::V6_2).without(Flags::FAST)],
    handler: getset,
    ..STRING
};

/// `GETEX key [EX seconds | PX ms | EXAT seconds | PXAT ms | PERSIST]`: the string, or nil.
pub static GETEX: Command = Command {
    name: "getex",
    summary: "Gives the string at a key and changes when the key expires.",
    since: v(6, 2, 0),
    arity: -2,
    syntax: "key expiration=[EX seconds:int | PX milliseconds:int | EXAT unix-time-seconds:time | \
             PXAT unix-time-milliseconds:time | PERSIST]",
    flags: Flags::WRITE.union(Flags::FAST),
    keys: &[KeySpec::at(1, EXCHANGES).noted("RW and UPDATE because it changes the TTL")],
    handler: getex,
    ..STRING
};

/// `GETDEL key`: the string, or nil.
pub static GETDEL: Command = Command {
    name: "getdel",
    summary: "Gives the string at a key and deletes the key.",
    since: v(6, 2, 0),
    arity: 2,
    syntax: "key",
    flags: Flags::WRITE.union(Flags::FAST),
    keys: &[KeySpec::at(1, Access::RW.union(Access::ACCESS).union(Access::DELETE))],
    handler: getdel,
    ..STRING
};

/// `MGET key [key ...]`: an array of the strings; nil for a key that holds none.
pub static MGET: Command = Command {
    name: "mget",
    summary: "Gives the strings at several keys.",
    complexity: "O(N) for N keys.",
    arity: -2,
    syntax: "key...",
    flags: Flags::READONLY.union(Flags::FAST),
    keys: &[KeySpec::range(1, -1, 1, Access::RO.union(Access::ACCESS))],
    range: Range::ALL,
    tips: &["request_policy:multi_shard"],
    former: &[Former::before(Release::V4_0).without(Flags::FAST)],
    handler: mget,
    ..STRING
};

/// `MSET key value [key value ...]`: OK.
pub static MSET: Command = Command {
    name: "mset",
    summary: "Sets several keys to strings, all at once.",
    complexity: "O(N) for N keys.",
    since: v(1, 0, 1),
    arity: -3,
    syntax: "(key value)...",
    flags: Flags::WRITE.union(Flags::DENYOOM),
    keys: &[KeySpec::range(1, -1, 2, OVERWRITES)],
    range: Range::new(1, -1, 2),
    tips: &["request_policy:multi_shard", "response_policy:all_succeeded"],
    handler: mset,
    ..STRING
};

/// `MSETNX key value [key value ...]`: 1, or 0 if any of the keys exists.
pub static MSETNX: Command = Command {
    name: "msetnx",
    summary: "Sets several keys to strings, all at once, if none of them exists.",
    keys: &[KeySpec::range(1, -1, 2, Access::OW.union(Access::INSERT))],
    tips: &[],
    former: &[Former::before(Release::V7_4).tips(&["request_policy:multi_shard", "response_policy:agg_min"])],
    handler: msetnx,
    ..MSET
};

/// `APPEND key value`: the length of the string.
pub static APPEND: Command = Command {
    name: "append",
    summary: "Appends to the string at a key, which is empty if there is none.",
    complexity: "O(1) for each byte appended, as strings get room to grow.",
    since: v(2, 0, 0),
    arity: 3,
    syntax: "key value",
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    keys: &[KeySpec::at(1, Access::RW.union(Access::INSERT))],
    former: &[Former::before(Release::V6_2).without(Flags::FAST)],
    handler: append,
    ..STRING
};

/// `STRLEN key`: the length of the string in bytes; 0 if there is none.
pub static STRLEN: Command = Command {
    name: "strlen",
    summary: "Gives the length of the string at a key.",
    since: v(2, 2, 0),
    arity: 2,
    syntax: "key",
    flags: Flags::READONLY.union(Flags::FAST),
    keys: &[KeySpec::at(1, Access::RO)],
    handler: strlen,
    ..STRING
};

/// `GETRANGE key start end`: that part of the string; both ends belong to it, and negative ones count from the end.
pub static GETRANGE: Command = Command {
    name: "getrange",
    summary: "Gives a part of the string at a key.",
    complexity: "O(N) for N bytes given.",
    since: v(2, 4, 0),
    arity: 4,
    syntax: "key start:int end:int",
    flags: Flags::READONLY,
    keys: &[KeySpec::at(1, Access::RO.union(Access::ACCESS))],
    handler: getrange,
    ..STRING
};

/// `SUBSTR key start end`: as [`GETRANGE`].
pub static SUBSTR: Command =
    Command { name: "substr", since: v(1, 0, 0), deprecated: Some((v(2, 0, 0), "`GETRANGE`")), ..GETRANGE };

/// `SETRANGE key offset value`: the length of the string.
pub static SETRANGE: Command = Command {
    name: "setrange",
    summary: "Overwrites a part of the string at a key; what is missing before it becomes zeros.",
    complexity: "O(N) for N bytes that are written or added.",
    since: v(2, 2, 0),
    arity: 4,
    syntax: "key offset:int value",
    flags: Flags::WRITE.union(Flags::DENYOOM),
    keys: &[KeySpec::at(1, Access::RW.union(Access::UPDATE))],
    handler: setrange,
    ..STRING
};

fn get(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    bulk(reply, cx.read_text(args.at(1))?);
    Ok(())
}

fn set(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    if args.len() > 3 {
        return set_with_options(cx, args, reply);
    }
    let mut spot = cx.spot(args.at(1));
    spot.set_text(args.at(2));
    spot.set_expiry(None);
    spot.commit(SET_EVENT);
    reply.ok();
    Ok(())
}

fn set_with_options(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let SetOptions { only, get, keep_ttl, expiry } = SetOptions::parse(cx.release(), args)?;
    let expire_at_ms = expiry.map(|expiry| expiry.at_ms(cx)).transpose()?;
    let key = args.at(1);
    // Before 7.0 a key that is not going to be set is not read either.
    if get && (cx.release() >= Release::V7_0 || only != Some(Only::Existing) || cx.peek(key).is_some()) {
        bulk(reply, cx.read_text(key)?);
    } else if get {
        reply.null();
    }
    let mut spot = cx.spot(key);
    let may_set = match only {
        None => true,
        Some(Only::New) => !spot.exists(),
        Some(Only::Existing) => spot.exists(),
        Some(Only::Never) => false,
    };
    if !may_set {
        spot.leave();
        if !get {
            reply.null();
        }
        return Ok(());
    }
    spot.set_text(args.at(2));
    if !keep_ttl {
        spot.set_expiry(expire_at_ms);
    }
    commit_set(spot, expire_at_ms.is_some());
    if cx.is_repeated() {
        match (expiry, expire_at_ms) {
            (Some(expiry), Some(at_ms)) => repeat_expiring(cx, args, args.at(2), expiry.unit, at_ms),
            _ => repeat_set(cx, args, get),
        }
    }
    if !get {
        reply.ok();
    }
    Ok(())
}

/// Repeats a `SET` with options that do not make the key expire.
fn repeat_set(cx: &mut Cx, args: Args, get: bool) {
    match cx.release() {
        Release::V4_0 | Release::V5_0 => {
            // Files are not told of the conditions either.
            cx.repeat_for(Audience::REPLICAS, args.iter());
            cx.repeat_for(Audience::FILE, args.slice(0..3).iter());
        }
        _ if get => {
            let is_kept = |(index, arg): &(usize, &[u8])| *index < 3 || !is_word(arg, "GET");
            let kept = args.iter().enumerate().filter(is_kept).map(|(_, arg)| arg);
            cx.repeat_for(Audience::all(), kept.collect::<SmallVec<[&[u8]; 8]>>().into_iter());
        }
        _ => {}
    }
}

/// Repeats that a string has been set that expires at a time in ms, as a client has said in a unit.
fn repeat_expiring(cx: &mut Cx, args: Args, value: &[u8], unit: Unit, at_ms: i64) {
    let (release, key, at) = (cx.release(), args.at(1), Decimal::new(at_ms));
    let as_time = [b"SET", key, value, b"PXAT", at.as_bytes()];
    let is_time = unit.absolute && !unit.seconds;
    match release {
        // Files were told of `SETEX` by the time, and of `SET` with an expiry as it came.
        Release::V3_0 if args.len() > 4 => {}
        Release::V3_0 | Release::V4_0 | Release::V5_0 => {
            cx.repeat_for(Audience::REPLICAS, args.iter());
            let name = if args.len() > 4 { args.at(0) } else { b"SET" };
            cx.repeat_for(Audience::FILE, [name, key, value].into_iter());
            cx.repeat_for(Audience::FILE, [b"PEXPIREAT", key, at.as_bytes()].into_iter());
        }
        Release::V6_2 if !unit.absolute => {
            let left = Decimal::new(at_ms - cx.now_ms());
            cx.repeat_for(Audience::REPLICAS, [b"SET", key, value, b"PX", left.as_bytes()].into_iter());
            cx.repeat_for(Audience::FILE, as_time.into_iter());
        }
        Release::V7_4 if is_time => {}
        _ => cx.repeat(&as_time),
    }
}

/// Ends the setting of a string.
fn commit_set(mut spot: Spot, expires: bool) {
    if expires {
        spot.event(SET_EVENT);
        spot.commit(Event(Class::GENERIC, "expire"));
    } else {
        spot.commit(SET_EVENT);
    }
}

fn setnx(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let mut spot = cx.spot(args.at(1));
    let new = !spot.exists();
    if new {
        spot.set_text(args.at(2));
        spot.commit(SET_EVENT);
    } else {
        spot.leave();
    }
    reply.integer(i64::from(new));
    Ok(())
}

fn setex(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    set_expiring(cx, args, reply, Unit { seconds: true, absolute: false })
}

fn psetex(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    set_expiring(cx, args, reply, Unit { seconds: false, absolute: false })
}

fn set_expiring(cx: &mut Cx, args: Args, reply: &mut Reply, unit: Unit) -> Result<(), CommandError> {
    let expire_at_ms = Expiry { text: args.at(2), unit }.at_ms(cx)?;
    let mut spot = cx.spot(args.at(1));
    spot.set_text(args.at(3));
    spot.set_expiry(Some(expire_at_ms));
    commit_set(spot, true);
    if cx.is_repeated() {
        repeat_expiring(cx, args, args.at(3), unit, expire_at_ms);
    }
    reply.ok();
    Ok(())
}

fn getset(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    bulk(reply, cx.read_text(args.at(1))?);
    let mut spot = cx.spot(args.at(1));
    spot.set_text(args.at(2));
    spot.set_expiry(None);
    spot.commit(SET_EVENT);
    if cx.release().has(v(6, 2, 0)) {
        cx.repeat(&[b"SET", args.at(1), args.at(2)]);
    }
    Ok(())
}

fn getex(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let mut persist = false;
    let mut expiry: Option<Expiry> = None;
    let mut words = args.iter_from(2);
    while let Some(word) = words.next() {
        if is_word(word, "PERSIST") && expiry.is_none() {
            persist = true;
        } else {
            Expiry::parse(cx.release(), word, &mut words, &mut expiry, persist)?;
        }
    }
    let key = args.at(1);
    let text = cx.read_text(key)?;
    let found = text.is_some();
    bulk(reply, text);
    if !found {
        return Ok(());
    }
    let expire_at_ms = expiry.as_ref().map(|expiry| expiry.at_ms(cx)).transpose()?;
    let now_ms = cx.now_ms();
    let is_over = expire_at_ms.is_some_and(|at_ms| cx.is_over(at_ms));
    let mut spot = cx.spot(key);
    match expire_at_ms {
        Some(_) if is_over => {
            let lazily = spot.params().lazy_expire;
            spot.delete(lazily);
            spot.commit(Event(Class::GENERIC, "del"));
            cx.repeat(&[deletion(lazily), key]);
        }
        Some(at_ms) => {
            spot.set_expiry(expire_at_ms);
            spot.commit(Event(Class::GENERIC, "expire"));
            if cx.is_repeated() {
                let at = Decimal::new(at_ms);
                let is_left = expiry.is_some_and(|expiry| !expiry.unit.absolute);
                if is_left && cx.release() < Release::V7_0 {
                    let left = Decimal::new(at_ms - now_ms);
                    cx.repeat_for(Audience::REPLICAS, [b"PEXPIRE", key, left.as_bytes()].into_iter());
                    cx.repeat_for(Audience::FILE, [b"PEXPIREAT", key, at.as_bytes()].into_iter());
                } else {
                    cx.repeat(&[b"PEXPIREAT", key, at.as_bytes()]);
                }
            }
        }
        None if persist && spot.entry().is_some_and(|entry| entry.expire_at_ms().is_some()) => {
            spot.set_expiry(None);
            spot.commit(Event(Class::GENERIC, "persist"));
            cx.repeat(&[b"PERSIST", key]);
        }
        None => spot.leave(),
    }
    Ok(())
}

fn getdel(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let text = cx.read_text(args.at(1))?;
    let found = text.is_some();
    bulk(reply, text);
    if found {
        let knows_lazy = !cx.release().has(v(7, 2, 0));
        let mut spot = cx.spot(args.at(1));
        let lazily = spot.params().lazy_user_del && knows_lazy;
        spot.delete(lazily);
        spot.commit(Event(Class::GENERIC, "del"));
        cx.repeat(&[deletion(lazily), args.at(1)]);
    }
    Ok(())
}

fn mget(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    cx.weigh(args.len())?;
    reply.array(args.len() - 1);
    for key in args.iter_from(1) {
        bulk(reply, cx.read(key).and_then(|entry| entry.into_text()));
    }
    Ok(())
}

fn mset(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    check_pairs(cx, args)?;
    cx.weigh(args.len())?;
    set_pairs(cx, args);
    reply.ok();
    Ok(())
}

fn msetnx(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    check_pairs(cx, args)?;
    cx.weigh(args.len())?;
    let exists = |key| {
        let spot = cx.spot(key);
        let exists = spot.exists();
        spot.leave();
        exists
    };
    let any = args.iter_from(1).step_by(2).any(exists);
    if !any {
        set_pairs(cx, args);
    }
    reply.integer(i64::from(!any));
    Ok(())
}

/// Checks that every key has a value.
fn check_pairs(cx: &Cx, args: Args) -> Result<(), CommandError> {
    match args.len() % 2 {
        1 => Ok(()),
        _ if cx.release() < Release::V7_0 => Err(CommandError::MsetArity),
        _ => Err(CommandError::Arity(cx.entry.full_name.clone())),
    }
}

fn set_pairs(cx: &mut Cx, args: Args) {
    for index in (1..args.len()).step_by(2) {
        let mut spot = cx.spot(args.at(index));
        spot.set_text(args.at(index + 1));
        spot.set_expiry(None);
        spot.commit(SET_EVENT);
    }
}

fn append(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let added = args.at(2);
    let limit = LengthLimit::of(cx);
    let mut spot = cx.spot(args.at(1));
    let old = spot.text(|text| text.map(|text| text.len()))?;
    let len = old.unwrap_or(0) + added.len();
    if old.is_none() {
        spot.set_text(added);
    } else {
        limit.check(len as u64)?;
        spot.text_mut(len)?.bytes()[len - added.len()..].copy_from_slice(added);
    }
    spot.commit(Event(Class::STRING, "append"));
    reply.count(len);
    Ok(())
}

fn strlen(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    reply.count(cx.read_text(args.at(1))?.map_or(0, |text| text.len()));
    Ok(())
}

fn getrange(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let (start, end) = (cx.integer(args.at(2))?, cx.integer(args.at(3))?);
    let backward = is_backward(start, end, cx.release());
    match cx.read_text(args.at(1))? {
        Some(text) if !backward => text.with_bytes(|bytes| match clip(start, end, bytes.len() as u64) {
            Some((first, last)) => reply.bulk(&bytes[first as usize..=last as usize]),
            None => reply.bulk(b""),
        }),
        _ => reply.bulk(b""),
    }
    Ok(())
}

fn setrange(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let offset = u64::try_from(cx.integer(args.at(2))?).map_err(|_| CommandError::OffsetOutOfRange)?;
    let (key, bytes) = (args.at(1), args.at(3));
    let end = offset.saturating_add(bytes.len() as u64);
    let limit = LengthLimit::of(cx);
    if end <= limit.bytes {
        cx.weigh_growth(key, end)?;
    }
    let mut spot = cx.spot(key);
    let old = spot.text(|text| text.map_or(0, |text| text.len()))?;
    if bytes.is_empty() {
        spot.leave();
        reply.count(old);
        return Ok(());
    }
    limit.check(end)?;
    spot.text_mut(end as usize)?.bytes()[offset as usize..end as usize].copy_from_slice(bytes);
    spot.commit(Event(Class::STRING, "setrange"));
    reply.count(old.max(end as usize));
    Ok(())
}

/// Writes a string, or nil.
#[inline]
fn bulk(reply: &mut Reply, text: Option<Text>) {
    match text {
        Some(Text::Str(bytes)) => reply.bulk(bytes),
        Some(Text::Int(value)) => reply.bulk_integer(value),
        None => reply.null(),
    }
}

/// Whether a range counts from the end and ends before it begins: such a range is empty, wherever it lies. Before 3.2
/// that was only seen after both ends had been moved to the beginning of the string.
pub(super) fn is_backward(start: i64, end: i64, release: Release) -> bool {
    end < start && start < 0 && release.has(v(3, 2, 0))
}

/// The first and the last of `len` positions that a range covers whose negative ends count from the end, though not
/// beyond the first position; nothing if it is empty.
pub(super) fn clip(start: i64, end: i64, len: u64) -> Option<(u64, u64)> {
    let position = |end: i64| match u64::try_from(end) {
        Ok(from_start) => from_start,
        Err(_) => len.saturating_sub(end.unsigned_abs()),
    };
    let (first, last) = (position(start), position(end).min(len.checked_sub(1)?));
    (first <= last).then_some((first, last))
}

/// How long strings may become by being changed in place.
pub(super) struct LengthLimit {
    /// Most bytes.
    pub(super) bytes: u64,
    error: CommandError,
}

impl LengthLimit {
    /// The limit of a node, as it is now.
    pub(super) fn of(cx: &Cx) -> LengthLimit {
        if cx.release().has(v(6, 2, 0)) {
            let bytes = cx.node.settings.bulk_bytes.load(Ordering::Relaxed);
            LengthLimit { bytes: u64::try_from(bytes).unwrap_or(0), error: CommandError::StringTooLong6 }
        } else {
            LengthLimit { bytes: 512 << 20, error: CommandError::StringTooLong }
        }
    }

    /// Checks a length.
    fn check(&self, len: u64) -> Result<(), CommandError> {
        if len > self.bytes { Err(self.error.clone()) } else { Ok(()) }
    }
}

/// When only a key is set.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Only {
    New,
    Existing,
    /// Both, which is never: only 3.0 accepts it.
    Never,
}

/// The options of `SET`.
#[derive(Default)]
struct SetOptions<'a> {
    only: Option<Only>,
    get: bool,
    keep_ttl: bool,
    expiry: Option<Expiry<'a>>,
}

impl<'a> SetOptions<'a> {
    fn parse(release: Release, args: Args<'a>) -> Result<Self, CommandError> {
        let mut options = SetOptions::default();
        // Before 4.0 options do not exclude each other, from 7.0 on NX and GET go together.
        let (excludes, get_excludes_nx) = (release >= Release::V4_0, release < Release::V7_0);
        let mut words = args.iter_from(3);
        while let Some(word) = words.next() {
            let only = options.only;
            if is_word(word, "NX") && !(options.get && get_excludes_nx) {
                options.only =
                    Some(if only.is_none_or(|only| only == Only::New) { Only::New } else { Only::Never });
            } else if is_word(word, "XX") {
                options.only = Some(if only.is_none_or(|only| only == Only::Existing) {
                    Only::Existing
                } else {
                    Only::Never
                });
            } else if is_word(word, "GET") && release.has(v(6, 2, 0)) {
                if only == Some(Only::New) && get_excludes_nx {
                    return Err(CommandError::Syntax);
                }
                options.get = true;
            } else if is_word(word, "KEEPTTL") && release.has(v(6, 0, 0)) && options.expiry.is_none() {
                options.keep_ttl = true;
            } else {
                Expiry::parse(release, word, &mut words, &mut options.expiry, options.keep_ttl)?;
            }
            if options.only == Some(Only::Never) && excludes {
                return Err(CommandError::Syntax);
            }
        }
        Ok(options)
    }
}

/// What the number of an expiry counts.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Unit {
    /// Seconds rather than milliseconds.
    seconds: bool,
    /// Since the epoch rather than from now on.
    absolute: bool,
}

/// Options that say when a key expires.
const EXPIRIES: [(&str, Version, Unit); 4] = [
    ("EX", v(2, 6, 12), Unit { seconds: true, absolute: false }),
    ("PX", v(2, 6, 12), Unit { seconds: false, absolute: false }),
    ("EXAT", v(6, 2, 0), Unit { seconds: true, absolute: true }),
    ("PXAT", v(6, 2, 0), Unit { seconds: false, absolute: true }),
];

/// When a key expires, as a client says it.
#[derive(Clone, Copy)]
struct Expiry<'a> {
    text: &'a [u8],
    unit: Unit,
}

impl<'a> Expiry<'a> {
    /// Parses an option and the word after it. It may come again in the same unit only, and not at all where another
    /// option excludes it; before 4.0 the last one counts.
    ///
    /// # Errors
    /// [`CommandError::Syntax`], also for a word that is no such option.
    fn parse(
        release: Release,
        word: &[u8],
        words: &mut impl Iterator<Item = &'a [u8]>,
        expiry: &mut Option<Expiry<'a>>,
        excluded: bool,
    ) -> Result<(), CommandError> {
        let option = EXPIRIES.iter().find(|(name, since, _)| is_word(word, name) && release.has(*since));
        let (Some((.., unit)), Some(text)) = (option, words.next()) else { return Err(CommandError::Syntax) };
        let excluded = excluded || expiry.is_some_and(|old| old.unit != *unit && release >= Release::V4_0);
        if excluded {
            return Err(CommandError::Syntax);
        }
        *expiry = Some(Expiry { text, unit: *unit });
        Ok(())
    }

    /// The time, in ms since the epoch.
    ///
    /// # Errors
    /// If it is no number, or not after the epoch.
    fn at_ms(&self, cx: &Cx) -> Result<i64, CommandError> {
        let (release, name) = (cx.release(), cx.entry.record.name);
        let invalid = || {
            if release < Release::V7_0 {
                CommandError::InvalidExpire(name)
            } else {
                CommandError::InvalidExpire7(name)
            }
        };
        let number = cx.integer(self.text)?;
        if number <= 0 {
            return Err(invalid());
        }
        let scale = if self.unit.seconds { 1000 } else { 1 };
        let base = if self.unit.absolute { 0 } else { cx.now_ms() };
        if release.has(v(6, 2, 0)) {
            number.checked_mul(scale).and_then(|ms| ms.checked_add(base)).ok_or_else(invalid)
        } else {
            // Times too far away went round.
            Ok(number.wrapping_mul(scale).wrapping_add(base))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_clipped_to_the_string() {
        for (start, end, want) in [
            (0, 4, Some((0, 4))),
            (-5, -1, Some((6, 10))),
            (5, 2, None),
            (-100, 100, Some((0, 10))),
            (-100, -50, Some((0, 0))),
            (0, -100, Some((0, 0))),
            (-50, -100, Some((0, 0))),
            (11, 20, None),
            (i64::MIN, i64::MAX, Some((0, 10))),
        ] {
            assert_eq!(clip(start, end, 11), want, "{start} {end}");
        }
        assert_eq!(clip(0, -1, 0), None);
        assert!(is_backward(-50, -100, Release::V4_0) && !is_backward(-50, -100, Release::V3_0));
        assert!(!is_backward(-50, -50, Release::V4_0) && !is_backward(5, -2, Release::V4_0));
    }
}
