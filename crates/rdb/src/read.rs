//! Reading values.

use crate::cursor::{Cursor, parse_score};
use crate::{Damaged, Error, Limits, Problem, Version, code, stream, ziplist};
use std::borrow::Cow;
use structures::entry::{Entry, Object, Value};
use structures::hash::{self, Expiry, Hash};
use structures::intset::IntSet;
use structures::list::{List, Side};
use structures::packed::{self, Item, Packed};
use structures::set::{self, Set};
use structures::zset::{self, ZSet};

/// The value in `bytes`, which follows its type, as an entry of this key; types are those that a server of this
/// version knows. What follows the value is not looked at.
///
/// # Errors
/// [`Error`]; offsets are from the beginning of `bytes`.
pub fn entry(key: &[u8], bytes: &[u8], version: Version, limits: &Limits) -> Result<Entry, Error> {
    let mut from = Cursor::new(bytes);
    let code = from.byte().map_err(|_| Error { offset: 0, problem: Problem::BreaksOff })?;
    if code::since(code).is_none_or(|since| since > version) {
        return Err(Error { offset: 0, problem: Problem::Unknown(code) });
    }
    let read = value(key, code, &mut from, limits).and_then(|entry| entry.ok_or(Damaged));
    let offset = from.position() as u64;
    read.map_err(|_| Error { offset, problem: Problem::Value { key: key.into(), code } })
}

/// A value of this type as an entry of this key; nothing if it is a collection without members, which no key has.
pub(crate) fn value(
    key: &[u8],
    code: u8,
    from: &mut Cursor<'_>,
    limits: &Limits,
) -> Result<Option<Entry>, Damaged> {
    debug_assert!(code::since(code).is_some(), "it is a value's type");
    Ok(match code {
        code::STRING => Some(match from.string()? {
            Cow::Borrowed(bytes) => Entry::new(key, Value::Text(bytes)),
            Cow::Owned(bytes) => Entry::with_buffer(key, bytes),
        }),
        code::LIST | code::LIST_ZIPLIST | code::LIST_QUICKLIST | code::LIST_QUICKLIST_2 => {
            filled(key, list(from, code, limits)?)
        }
        code::SET | code::SET_INTSET | code::SET_LISTPACK => filled(key, set(from, code, &limits.set)?),
        code::ZSET | code::ZSET_2 | code::ZSET_ZIPLIST | code::ZSET_LISTPACK => {
            filled(key, zset(from, code, &limits.zset)?)
        }
        code::STREAM | code::STREAM_2 | code::STREAM_3 => {
            Some(Entry::with_object(key, stream::read(from, code)?))
        }
        _ => filled(key, hash(from, code, &limits.hash)?),
    })
}

/// An entry of a collection that has members.
fn filled<O: Object>(key: &[u8], object: O) -> Option<Entry> {
    (!object.is_empty()).then(|| Entry::with_object(key, object))
}

/// A listpack, checked from end to end.
pub(crate) fn listpack(bytes: &[u8]) -> Result<Packed, Damaged> {
    packed::validate(bytes).map_err(|_| Damaged)?;
    Ok(Packed::from_valid(bytes))
}

/// Items in groups of so many.
fn groups<'a, const N: usize>(
    mut items: impl Iterator<Item = Item<'a>>,
    mut each: impl FnMut([Item<'a>; N]) -> Result<(), Damaged>,
) -> Result<(), Damaged> {
    while let Some(first) = items.next() {
        let mut group = [first; N];
        for place in &mut group[1..] {
            *place = items.next().ok_or(Damaged)?;
        }
        each(group)?;
    }
    Ok(())
}

/// How far apart in a table those are that are put into another one by turns.
const STRIDE: usize = 32;

/// Calls `each` with all members of a table. They may have come in the order of their hashes, and a table that is filled
/// in that order crowds its buckets: more than `most_in_order` are therefore taken in another one.
fn scattered<T>(
    members: &[T],
    most_in_order: usize,
    mut each: impl FnMut(&T) -> Result<(), Damaged>,
) -> Result<(), Damaged> {
    let stride = if members.len() > most_in_order { STRIDE } else { 1 };
    (0..stride.min(members.len()))
        .try_for_each(|first| members[first..].iter().step_by(stride).try_for_each(&mut each))
}

fn list(from: &mut Cursor<'_>, code: u8, limits: &Limits) -> Result<List, Damaged> {
    let (mut list, mut longest) = (List::empty(), 0);
    let mut push = |bytes: &[u8]| {
        longest = longest.max(bytes.len());
        list.push(Side::Right, bytes);
    };
    let count = if code == code::LIST_ZIPLIST { 1 } else { from.number()? };
    for _ in 0..count {
        let is_plain = match code {
            code::LIST => true,
            code::LIST_QUICKLIST_2 => match from.number()? {
                code::NODE_PLAIN => true,
                code::NODE_PACKED => false,
                _ => return Err(Damaged),
            },
            _ => false,
        };
        let node = from.string()?;
        if is_plain {
            push(&node);
        } else if code == code::LIST_QUICKLIST_2 {
            listpack(&node)?.iter().for_each(|item| item.with_bytes(&mut push));
        } else {
            ziplist::entries(&node)?.for_each(|item| item.with_bytes(&mut push));
        }
    }
    list.widen(limits.list, longest);
    Ok(list)
}

fn set(from: &mut Cursor<'_>, code: u8, limits: &set::Limits) -> Result<Set, Damaged> {
    let mut set = Set::empty();
    let mut add = |bytes: &[u8]| if set.add(bytes, limits) { Ok(()) } else { Err(Damaged) };
    match code {
        code::SET => {
            let mut members = Vec::new();
            for _ in 0..from.number()? {
                members.push(from.string()?);
            }
            scattered(&members, limits.packed_entries, |member| add(member))?;
        }
        code::SET_INTSET => {
            let ints = IntSet::from_bytes(&from.string()?).ok_or(Damaged)?;
            if ints.len() <= limits.ints {
                return Ok(Set::Ints(ints));
            }
            ints.iter().try_for_each(|int| Item::Int(int).with_bytes(&mut add))?;
        }
        _ => listpack(&from.string()?)?.iter().try_for_each(|item| item.with_bytes(&mut add))?,
    }
    Ok(set)
}

fn zset(from: &mut Cursor<'_>, code: u8, limits: &zset::Limits) -> Result<ZSet, Damaged> {
    let mut zset = ZSet::empty();
    let mut add = |member: &[u8], score: f64| {
        if score.is_nan() || zset.set(member, score, limits).is_some() { Err(Damaged) } else { Ok(()) }
    };
    let add_pair = |[member, score]: [Item<'_>; 2]| {
        let score = match score {
            Item::Int(score) => score as f64,
            Item::Str(score) => parse_score(score)?,
        };
        member.with_bytes(|member| add(member, score))
    };
    match code {
        code::ZSET_LISTPACK => groups(listpack(&from.string()?)?.iter(), add_pair)?,
        code::ZSET_ZIPLIST => groups(ziplist::entries(&from.string()?)?, add_pair)?,
        _ => {
            for _ in 0..from.number()? {
                let member = from.string()?;
                let score = if code == code::ZSET_2 { from.score()? } else { from.textual_score()? };
                add(&member, score)?;
            }
        }
    }
    Ok(zset)
}

fn hash(from: &mut Cursor<'_>, code: u8, limits: &hash::Limits) -> Result<Hash, Damaged> {
    let mut hash = Hash::empty();
    let mut add = |field: &[u8], value: &[u8], expire_at_ms: u64| {
        if expire_at_ms > code::LAST_EXPIRY_MS || !hash.set(field, value, Expiry::Clear, limits) {
            return Err(Damaged);
        }
        if expire_at_ms > 0 {
            hash.set_expire_at_ms(field, Some(expire_at_ms as i64));
        }
        Ok(())
    };
    match code {
        code::HASH => {
            let mut fields = Vec::new();
            for _ in 0..from.number()? {
                fields.push((from.string()?, from.string()?));
            }
            scattered(&fields, limits.packed_entries, |(field, value)| add(field, value, 0))?;
        }
        code::HASH_EXPIRING | code::HASH_EXPIRING_EARLY => {
            // Times are told from the soonest on, the first being one.
            let base = if code == code::HASH_EXPIRING { from.time_ms()? as u64 } else { 1 };
            let mut fields = Vec::new();
            for _ in 0..from.number()? {
                let expire_at_ms = match from.number()? {
                    0 => 0,
                    after => base.checked_add(after - 1).ok_or(Damaged)?,
                };
                fields.push((expire_at_ms, from.string()?, from.string()?));
            }
            scattered(&fields, limits.packed_entries, |(expire_at_ms, field, value)| {
                add(field, value, *expire_at_ms)
            })?;
        }
        code::HASH_LISTPACK_EXPIRING | code::HASH_LISTPACK_EXPIRING_EARLY => {
            if code == code::HASH_LISTPACK_EXPIRING {
                from.time_ms()?;
            }
            groups(listpack(&from.string()?)?.iter(), |[field, value, expiry]| {
                let Item::Int(expire_at_ms @ 0..) = expiry else { return Err(Damaged) };
                field.with_bytes(|field| value.with_bytes(|value| add(field, value, expire_at_ms as u64)))
            })?;
            hash.make_timed();
        }
        code::HASH_ZIPMAP => ziplist::zipmap(&from.string()?, |field, value| add(field, value, 0))?,
        _ => {
            let mut add_pair = |[field, value]: [Item<'_>; 2]| {
                field.with_bytes(|field| value.with_bytes(|value| add(field, value, 0)))
            };
            let packed = from.string()?;
            if code == code::HASH_LISTPACK {
                groups(listpack(&packed)?.iter(), &mut add_pair)?;
            } else {
                groups(ziplist::entries(&packed)?, &mut add_pair)?;
            }
        }
    }
    Ok(hash)
}
