//! When fields of hashes expire (from 7.4 on).
//!
//! Fields go by themselves once their time has come: that is the keyspace's work. Here times are set, taken back and told.

use crate::commands::family;
use crate::{BASE, Command, CommandError, Cx, parse};
use command::{Access, Category, Flags, Group, KeySpec, Range, v};
use keyspace::{Change, Class, Event};
use resp::{Args, Reply};
use structures::hash::Hash;
use structures::number::Decimal;

family!(HEXPIRE, HPEXPIRE, HEXPIREAT, HPEXPIREAT, HTTL, HPTTL, HEXPIRETIME, HPEXPIRETIME, HPERSIST);

/// The latest time at which a field can expire, in ms since the epoch: the original keeps 46 bits of it.
const LATEST_MS: i64 = (1 << 46) - 1;

/// There is no such field.
const NO_FIELD: i64 = -2;
/// The field does not expire.
const NO_EXPIRY: i64 = -1;
/// The condition is not met.
const NOT_MET: i64 = 0;
/// It is done.
const DONE: i64 = 1;
/// The time has passed: the field has been removed.
const REMOVED: i64 = 2;

/// What commands that set expiries have in common.
const SETS: Command = Command {
    complexity: "O(1) for each field.",
    since: v(7, 4, 0),
    group: Group::Hash,
    arity: -6,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    categories: Category::HASH,
    keys: &[KeySpec::at(1, Access::RW.union(Access::UPDATE))],
    range: Range::ONE,
    ..BASE
};

/// What commands that tell expiries have in common.
const TELLS: Command = Command {
    arity: -5,
    flags: Flags::READONLY.union(Flags::FAST),
    keys: &[KeySpec::at(1, Access::RO.union(Access::ACCESS))],
    ..SETS
};

/// `HEXPIRE key seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]`: for each field -2 if there is none, 0 if the
/// condition is not met, 1 if its expiry was set, 2 if it was removed, since that time is now.
pub static HEXPIRE: Command = Command {
    name: "hexpire",
    summary: "Has fields of a hash expire after some seconds.",
    syntax: "key seconds:int condition=[NX | XX | GT | LT] fields=FIELDS (numfields:int field...)",
    handler: hexpire,
    ..SETS
};

/// `HPEXPIRE key milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]`: as of `HEXPIRE`.
pub static HPEXPIRE: Command = Command {
    name: "hpexpire",
    summary: "Has fields of a hash expire after some milliseconds.",
    syntax: "key milliseconds:int condition=[NX | XX | GT | LT] fields=FIELDS (numfields:int field...)",
    handler: hpexpire,
    ..SETS
};

/// `HEXPIREAT key unix-time-seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]`: as of `HEXPIRE`.
pub static HEXPIREAT: Command = Command {
    name: "hexpireat",
    summary: "Has fields of a hash expire at a time in seconds since the epoch.",
    syntax: "key unix-time-seconds:time condition=[NX | XX | GT | LT] fields=FIELDS (numfields:int \
             field...)",
    handler: hexpireat,
    ..SETS
};

/// `HPEXPIREAT key unix-time-milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]`: as of `HEXPIRE`.
pub static HPEXPIREAT: Command = Command {
    name: "hpexpireat",
    summary: "Has fields of a hash expire at a time in milliseconds since the epoch.",
    syntax: "key unix-time-milliseconds:time condition=[NX | XX | GT | LT] fields=FIELDS \
             (numfields:int field...)",
    handler: hpexpireat,
    ..SETS
};

/// `HTTL key FIELDS numfields field [field ...]`: for each field -2 if there is none, -1 if it does not expire, else the
/// seconds that are left.
pub static HTTL: Command = Command {
    name: "httl",
    summary: "Tells in how many seconds fields of a hash expire.",
    syntax: "key fields=FIELDS (numfields:int field...)",
    handler: httl,
    ..TELLS
};

/// `HPTTL key FIELDS numfields field [field ...]`: as of `HTTL`, in ms.
pub static HPTTL: Command = Command {
    name: "hpttl",
    summary: "Tells in how many milliseconds fields of a hash expire.",
    syntax: "key fields=FIELDS (numfields:int field...)",
    handler: hpttl,
    ..TELLS
};

/// `HEXPIRETIME key FIELDS numfields field [field ...]`: for each field -2 if there is none, -1 if it does not expire, else
/// the time in seconds since the epoch.
pub static HEXPIRETIME: Command = Command {
    name: "hexpiretime",
    summary: "Tells when fields of a hash expire, in seconds since the epoch.",
    syntax: "key fields=FIELDS (numfields:int field...)",
    handler: hexpiretime,
    ..TELLS
};

/// `HPEXPIRETIME key FIELDS numfields field [field ...]`: as of `HEXPIRETIME`, in ms.
pub static HPEXPIRETIME: Command = Command {
    name: "hpexpiretime",
    summary: "Tells when fields of a hash expire, in milliseconds since the epoch.",
    syntax: "key fields=FIELDS (numfields:int field...)",
    handler: hpexpiretime,
    ..TELLS
};

/// `HPERSIST key FIELDS numfields field [field ...]`: for each field -2 if there is none, -1 if it did not expire, else 1.
pub static HPERSIST: Command = Command {
    name: "hpersist",
    summary: "Has fields of a hash no longer expire.",
    arity: -5,
    syntax: "key fields=FIELDS (numfields:int field...)",
    flags: Flags::WRITE.union(Flags::FAST),
    handler: hpersist,
    ..SETS
};

/// How a time is written.
#[derive(Clone, Copy, Debug)]
struct Clock {
    /// Its unit, in ms.
    unit_ms: i64,
    /// Whether it counts from now, not from the epoch.
    from_now: bool,
}

const SECONDS_LEFT: Clock = Clock { unit_ms: 1000, from_now: true };
const MS_LEFT: Clock = Clock { unit_ms: 1, from_now: true };
const UNIX_SECONDS: Clock = Clock { unit_ms: 1000, from_now: false };
const UNIX_MS: Clock = Clock { unit_ms: 1, from_now: false };

impl Clock {
    /// The time, in ms since the epoch, to which others are added.
    fn base_ms(self, now_ms: i64) -> i64 {
        if self.from_now { now_ms } else { 0 }
    }

    /// Reads a time; gives it in ms since the epoch.
    fn read(self, bytes: &[u8], now_ms: i64, name: &'static str) -> Result<i64, CommandError> {
        let value = parse::integer(bytes)?;
        if value < 0 {
            return Err(CommandError::NegativeExpire);
        }
        value
            .checked_mul(self.unit_ms)
            .and_then(|ms| ms.checked_add(self.base_ms(now_ms)))
            .filter(|&at_ms| at_ms <= LATEST_MS)
            .ok_or(CommandError::InvalidExpire7(name))
    }

    /// How a time is told: begun seconds count.
    fn tell(self, at_ms: i64, now_ms: i64) -> i64 {
        (at_ms - self.base_ms(now_ms) + self.unit_ms - 1).div_euclid(self.unit_ms)
    }
}

/// On which former expiries it depends whether a new one is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    Always,
    None,
    Some,
    Later,
    Sooner,
}

impl Condition {
    fn parse(word: &[u8]) -> Option<Condition> {
        [
            ("NX", Condition::None),
            ("XX", Condition::Some),
            ("GT", Condition::Later),
            ("LT", Condition::Sooner),
        ]
        .into_iter()
        .find(|(own, _)| parse::is_word(word, own))
        .map(|(_, condition)| condition)
    }

    /// A field that does not expire counts as one that expires later than all others.
    fn is_met(self, old_ms: Option<i64>, new_ms: i64) -> bool {
        match self {
            Condition::Always => true,
            Condition::None => old_ms.is_none(),
            Condition::Some => old_ms.is_some(),
            Condition::Later => old_ms.is_some_and(|old_ms| new_ms > old_ms),
            Condition::Sooner => old_ms.is_none_or(|old_ms| new_ms < old_ms),
        }
    }
}

fn hexpire(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    expire(cx, args, SECONDS_LEFT, reply)
}

fn hpexpire(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    expire(cx, args, MS_LEFT, reply)
}

fn hexpireat(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    expire(cx, args, UNIX_SECONDS, reply)
}

fn hpexpireat(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    expire(cx, args, UNIX_MS, reply)
}

fn expire(cx: &mut Cx, args: Args, clock: Clock, reply: &mut Reply) -> Result<(), CommandError> {
    let (at_ms, changed) = expire_fields(cx, args, clock, reply)?;
    if cx.is_over(at_ms) {
        changed.into_iter().for_each(|field| cx.repeat(&[b"HDEL", args.at(1), field]));
    } else if !changed.is_empty() {
        repeat_expiry(cx, args, clock, at_ms, &changed);
    }
    Ok(())
}

/// Gives fields an expiry, or removes them if it has passed. Gives the expiry, in ms since the epoch, and which fields
/// have changed, if that is to be repeated elsewhere.
fn expire_fields<'a>(
    cx: &mut Cx,
    args: Args<'a>,
    clock: Clock,
    reply: &mut Reply,
) -> Result<(i64, Vec<&'a [u8]>), CommandError> {
    let (now_ms, name, repeats) = (cx.now_ms(), cx.entry.record.name, cx.is_repeated());
    cx.weigh(args.len())?;
    let request = || {
        let at_ms = clock.read(args.at(2), now_ms, name)?;
        let condition = Condition::parse(args.at(3));
        let fields = fields(args, 3 + usize::from(condition.is_some()), CommandError::NoFieldsToExpire)?;
        Ok((at_ms, condition.unwrap_or(Condition::Always), fields))
    };
    let follows = !cx.moment.expire;
    let (hash, (at_ms, condition, fields)) = hash_for(cx, args.at(1), request())?;
    let Some(mut hash) = hash else {
        without_hash(fields, reply);
        return Ok((at_ms, Vec::new()));
    };
    let removes = at_ms <= now_ms && !follows;
    hash.make_timed();
    let mut changes = 0;
    let mut changed = Vec::new();
    reply.array(fields.len());
    for field in fields.iter() {
        let code = match hash.expire_at_ms(field) {
            None => NO_FIELD,
            Some(old_ms) if !condition.is_met(old_ms, at_ms) => NOT_MET,
            Some(_) if removes => {
                hash.remove(field);
                REMOVED
            }
            Some(_) => {
                hash.set_expire_at_ms(field, Some(at_ms));
                DONE
            }
        };
        changes += u64::from(code > NOT_MET);
        if repeats && code > NOT_MET {
            changed.push(field);
        }
        reply.integer(code);
    }
    if changes == 0 {
        hash.leave();
    } else {
        hash.commit_many(Event(Class::HASH, if removes { "hdel" } else { "hexpire" }), changes);
    }
    Ok((at_ms, changed))
}

/// Repeats that fields expire as a time in ms, of those fields only that have been given it.
fn repeat_expiry(cx: &mut Cx, args: Args, clock: Clock, at_ms: i64, changed: &[&[u8]]) {
    let (at, count) = (Decimal::new(at_ms), Decimal::new(changed.len() as i64));
    let announced_at = args.iter().position(|arg| parse::is_word(arg, "FIELDS")).unwrap_or(0) + 1;
    let mut request: Vec<&[u8]> =
        args.slice(0..announced_at + 1).iter().chain(changed.iter().copied()).collect();
    if request.len() < args.len() {
        request[announced_at] = count.as_bytes();
    }
    if clock.unit_ms != UNIX_MS.unit_ms || clock.from_now {
        request[0] = b"HPEXPIREAT";
        request[2] = at.as_bytes();
    }
    cx.repeat(&request);
}

fn httl(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    tell(cx, args, SECONDS_LEFT, reply)
}

fn hpttl(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    tell(cx, args, MS_LEFT, reply)
}

fn hexpiretime(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    tell(cx, args, UNIX_SECONDS, reply)
}

fn hpexpiretime(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    tell(cx, args, UNIX_MS, reply)
}

fn tell(cx: &mut Cx, args: Args, clock: Clock, reply: &mut Reply) -> Result<(), CommandError> {
    let now_ms = cx.now_ms();
    cx.weigh(args.len())?;
    let hidden_ms = cx.hidden_until_ms();
    let hash = cx.read_object::<Hash>(args.at(1))?;
    let fields = fields(args, 2, CommandError::NoFields)?;
    let Some(hash) = hash else {
        without_hash(fields, reply);
        return Ok(());
    };
    // In its last millisecond a field of a small hash is there for every command but these.
    let hidden_ms = if matches!(*hash, Hash::Timed(_)) { now_ms } else { hidden_ms };
    reply.array(fields.len());
    for field in fields.iter() {
        reply.integer(match hash.expire_at_ms(field) {
            None => NO_FIELD,
            Some(None) => NO_EXPIRY,
            Some(Some(at_ms)) if at_ms <= hidden_ms => NO_FIELD,
            Some(Some(at_ms)) => clock.tell(at_ms, now_ms),
        });
    }
    Ok(())
}

fn hpersist(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    cx.weigh(args.len())?;
    let (hash, fields) = hash_for(cx, args.at(1), fields(args, 2, CommandError::NoFields))?;
    let Some(mut hash) = hash else {
        without_hash(fields, reply);
        return Ok(());
    };
    let mut changes = 0;
    reply.array(fields.len());
    for field in fields.iter() {
        let code = match hash.expire_at_ms(field) {
            None => NO_FIELD,
            Some(None) => NO_EXPIRY,
            Some(Some(_)) => {
                hash.set_expire_at_ms(field, None);
                DONE
            }
        };
        changes += u64::from(code == DONE);
        reply.integer(code);
    }
    if changes == 0 {
        hash.leave();
    } else {
        hash.commit_many(Event(Class::HASH, "hpersist"), changes);
    }
    Ok(())
}

/// The hash at a key, for changing it, and what the request says. A key of another type is worse than a wrong request.
fn hash_for<'k, R>(
    cx: &'k mut Cx,
    key: &'k [u8],
    request: Result<R, CommandError>,
) -> Result<(Option<Change<'k, Hash>>, R), CommandError> {
    match (cx.change_existing::<Hash>(key)?, request) {
        (hash, Ok(request)) => Ok((hash, request)),
        (hash, Err(error)) => {
            if let Some(hash) = hash {
                hash.leave();
            }
            Err(error)
        }
    }
}

/// The fields of a request, which announces them from argument `at` on; `none` is the error if it announces none.
fn fields<'a>(args: Args<'a>, at: usize, none: CommandError) -> Result<Args<'a>, CommandError> {
    if !parse::is_word(args.at(at), "FIELDS") {
        return Err(CommandError::FieldsMissing);
    }
    let announced = parse::integer_in(args.at(at + 1), 1..=i64::MAX, none)?;
    let fields = args.slice(at + 2..args.len());
    if usize::try_from(announced) != Ok(fields.len()) {
        return Err(CommandError::FieldCount);
    }
    Ok(fields)
}

/// The reply where there is no hash.
fn without_hash(fields: Args, reply: &mut Reply) {
    reply.array(fields.len());
    fields.iter().for_each(|_| reply.integer(NO_FIELD));
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_800_000_000_500;

    #[test]
    fn times_are_read_up_to_the_latest() {
        let read = |clock: Clock, text: &str| clock.read(text.as_bytes(), NOW_MS, "hexpire");
        assert_eq!(read(SECONDS_LEFT, "10"), Ok(NOW_MS + 10_000));
        assert_eq!(read(UNIX_SECONDS, "0"), Ok(0));
        assert_eq!(read(UNIX_MS, &LATEST_MS.to_string()), Ok(LATEST_MS));
        assert_eq!(read(MS_LEFT, &(LATEST_MS - NOW_MS).to_string()), Ok(LATEST_MS));
        let late = Err(CommandError::InvalidExpire7("hexpire"));
        assert_eq!(read(UNIX_MS, &(LATEST_MS + 1).to_string()), late);
        assert_eq!(read(MS_LEFT, &(LATEST_MS - NOW_MS + 1).to_string()), late);
        assert_eq!(read(SECONDS_LEFT, &i64::MAX.to_string()), late);
        assert_eq!(read(MS_LEFT, &i64::MAX.to_string()), late);
        assert_eq!(read(MS_LEFT, "-1"), Err(CommandError::NegativeExpire));
        assert_eq!(read(MS_LEFT, "x"), Err(CommandError::NotAnInteger));
    }

    #[test]
    fn begun_seconds_count() {
        assert_eq!(SECONDS_LEFT.tell(NOW_MS + 10_000, NOW_MS), 10);
        assert_eq!(SECONDS_LEFT.tell(NOW_MS + 1, NOW_MS), 1);
        assert_eq!(MS_LEFT.tell(NOW_MS + 1, NOW_MS), 1);
        assert_eq!(UNIX_SECONDS.tell(NOW_MS, NOW_MS), 1_800_000_001);
        assert_eq!(UNIX_MS.tell(NOW_MS, NOW_MS), NOW_MS);
    }

    #[test]
    fn conditions_take_no_expiry_for_the_latest() {
        for (word, old_ms, met) in [
            ("NX", None, true),
            ("nx", Some(5), false),
            ("XX", None, false),
            ("XX", Some(5), true),
            ("GT", None, false),
            ("GT", Some(9), true),
            ("GT", Some(10), false),
            ("LT", None, true),
            ("LT", Some(10), false),
            ("LT", Some(11), true),
        ] {
            let condition = Condition::parse(word.as_bytes()).unwrap();
            assert_eq!(condition.is_met(old_ms, 10), met, "{word} {old_ms:?}");
        }
        assert_eq!(Condition::parse(b"FIELDS"), None);
    }
}
