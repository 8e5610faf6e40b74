//! Lists.
//!
//! Invariant: whoever adds entries goes through [`List::grow`], and whoever removes some through [`narrow`], so that
//! what `OBJECT ENCODING` says follows the limits of the release.
//!
//! Not here: the commands that wait for entries, which are in [`super::list_blocking`].

use crate::commands::{bulk, bulks, family};
use crate::context::Scales;
use crate::parse::{self, integer_of, is_word};
use crate::{BASE, Command, CommandError, Cx};
use command::{Access, Category, Flags, Former, Group, KeySpec, Range, Release, v};
use keyspace::{Change, Class, Event};
use resp::{Args, Reply};
use std::iter::once;
use structures::list::{Growth, List, Side};
use structures::number::Decimal;
use structures::packed::Item;

family!(
    LPUSH, RPUSH, LPUSHX, RPUSHX, LPOP, RPOP, LLEN, LRANGE, LINDEX, LSET, LINSERT, LREM, LTRIM, LPOS,
    RPOPLPUSH, LMOVE, LMPOP
);

/// What most commands of this family have in common.
const LIST: Command = Command { group: Group::List, categories: Category::LIST, range: Range::ONE, ..BASE };

/// Pushing.
const PUSH: Command = Command {
    complexity: "O(1) for each value.",
    arity: -3,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    keys: &[KeySpec::at(1, Access::RW.union(Access::INSERT))],
    ..LIST
};

/// Pushing onto what is there, which took one value before 4.0.
const PUSHX: Command =
    Command { since: v(2, 2, 0), former: &[Former::before(Release::V4_0).arity(3)], ..PUSH };

/// Popping, which took one value before 6.2.
const POP: Command = Command {
    complexity: "O(1) for each entry.",
    arity: -2,
    flags: Flags::WRITE.union(Flags::FAST),
    keys: &[KeySpec::at(1, TAKES)],
    former: &[Former::before(Release::V6_2).arity(2)],
    ..LIST
};

/// What popping does with a key.
pub(super) const TAKES: Access = Access::RW.union(Access::ACCESS).union(Access::DELETE);

/// The keys of moving: from where, and to where.
pub(super) const FROM_TO: &[KeySpec] =
    &[KeySpec::at(1, TAKES), KeySpec::at(2, Access::RW.union(Access::INSERT))];

/// `LPUSH key element [element ...]`: the list's new length.
pub static LPUSH: Command = Command {
    name: "lpush",
    summary: "Puts elements before the head of a list, one after the other; makes the list if there is none.",
    syntax: "key element...",
    handler: |cx, args, reply| push(cx, args, reply, Side::Left, false),
    ..PUSH
};

/// `RPUSH key element [element ...]`: the list's new length.
pub static RPUSH: Command = Command {
    name: "rpush",
    summary: "Puts elements after the tail of a list, one after the other; makes the list if there is none.",
    syntax: "key element...",
    handler: |cx, args, reply| push(cx, args, reply, Side::Right, false),
    ..PUSH
};

/// `LPUSHX key element [element ...]`: the list's new length; zero if there is none.
pub static LPUSHX: Command = Command {
    name: "lpushx",
    summary: "Puts elements before the head of a list, if there is one.",
    syntax: "key element...",
    handler: |cx, args, reply| push(cx, args, reply, Side::Left, true),
    ..PUSHX
};

/// `RPUSHX key element [element ...]`: the list's new length; zero if there is none.
pub static RPUSHX: Command = Command {
    name: "rpushx",
    summary: "Puts elements after the tail of a list, if there is one.",
    syntax: "key element...",
    handler: |cx, args, reply| push(cx, args, reply, Side::Right, true),
    ..PUSHX
};

/// `LPOP key [count]`: the element, or nil; with a count, an array of elements, or nil.
pub static LPOP: Command = Command {
    name: "lpop",
    summary: "Takes elements from the head of a list.",
    syntax: "key [count:int]@6.2.0",
    handler: |cx, args, reply| pop(cx, args, reply, Side::Left),
    ..POP
};

/// `RPOP key [count]`: the element, or nil; with a count, an array of elements, or nil.
pub static RPOP: Command = Command {
    name: "rpop",
    summary: "Takes elements from the tail of a list.",
    syntax: "key [count:int]@6.2.0",
    handler: |cx, args, reply| pop(cx, args, reply, Side::Right),
    ..POP
};

/// `LLEN key`: the list's length.
pub static LLEN: Command = Command {
    name: "llen",
    summary: "Gives the length of a list.",
    arity: 2,
    syntax: "key",
    flags: Flags::READONLY.union(Flags::FAST),
    keys: &[KeySpec::at(1, Access::RO)],
    handler: llen,
    ..LIST
};

/// `LRANGE key start stop`: an array of elements.
pub static LRANGE: Command = Command {
    name: "lrange",
    summary: "Gives the elements of a list from one index to another.",
    complexity: "O(S+N) for N elements, S from the nearer end.",
    arity: 4,
    syntax: "key start:int stop:int",
    flags: Flags::READONLY,
    keys: &[KeySpec::at(1, Access::RO.union(Access::ACCESS))],
    handler: lrange,
    ..LIST
};

/// `LINDEX key index`: the element, or nil.
pub static LINDEX: Command = Command {
    name: "lindex",
    summary: "Gives the element of a list at an index.",
    complexity: "O(N) for an element N from the nearer end.",
    arity: 3,
    syntax: "key index:int",
    flags: Flags::READONLY,
    keys: &[KeySpec::at(1, Access::RO.union(Access::ACCESS))],
    handler: lindex,
    ..LIST
};

/// `LSET key index element`: OK.
pub static LSET: Command = Command {
    name: "lset",
    summary: "Puts another element in the place of one in a list.",
    complexity: "O(N) for an element N from the nearer end.",
    arity: 4,
    syntax: "key index:int element",
    flags: Flags::WRITE.union(Flags::DENYOOM),
    keys: &[KeySpec::at(1, Access::RW.union(Access::UPDATE))],
    handler: lset,
    ..LIST
};

/// `LINSERT key BEFORE | AFTER pivot element`: the list's new length; -1 if the pivot is not in it, zero if there is no
/// list.
pub static LINSERT: Command = Command {
    name: "linsert",
    summary: "Puts an element beside another one in a list.",
    complexity: "O(N) for a pivot N from the head.",
    since: v(2, 2, 0),
    arity: 5,
    syntax: "key where=(BEFORE | AFTER) pivot element",
    flags: Flags::WRITE.union(Flags::DENYOOM),
    keys: &[KeySpec::at(1, Access::RW.union(Access::INSERT))],
    handler: linsert,
    ..LIST
};

/// `LREM key count element`: how many were removed.
pub static LREM: Command = Command {
    name: "lrem",
    summary: "Removes elements that are equal to a given one, from the head, from the tail, or all.",
    complexity: "O(N) for a list of N elements.",
    arity: 4,
    syntax: "key count:int element",
    flags: Flags::WRITE,
    keys: &[KeySpec::at(1, Access::RW.union(Access::DELETE))],
    handler: lrem,
    ..LIST
};

/// `LTRIM key start stop`: OK.
pub static LTRIM: Command = Command {
    name: "ltrim",
    summary: "Removes all elements of a list but those from one index to another.",
    complexity: "O(N) for N elements that are removed.",
    arity: 4,
    syntax: "key start:int stop:int",
    flags: Flags::WRITE,
    keys: &[KeySpec::at(1, Access::RW.union(Access::DELETE))],
    handler: ltrim,
    ..LIST
};

/// `LPOS key element [RANK rank] [COUNT matches] [MAXLEN elements]`: the index, or nil; with a count, an array of
/// indices.
pub static LPOS: Command = Command {
    name: "lpos",
    summary: "Finds elements of a list that are equal to a given one.",
    complexity: "O(N) for N elements that are looked at.",
    since: v(6, 0, 6),
    arity: -3,
    syntax: "key element [RANK rank:int] [COUNT num-matches:int] [MAXLEN len:int]",
    flags: Flags::READONLY,
    keys: &[KeySpec::at(1, Access::RO.union(Access::ACCESS))],
    handler: lpos,
    ..LIST
};

/// `RPOPLPUSH source destination`: the element, or nil.
pub static RPOPLPUSH: Command = Command {
    name: "rpoplpush",
    summary: "Moves the element at the tail of a list to the head of another, or of the same.",
    since: v(1, 2, 0),
    deprecated: Some((v(6, 2, 0), "`LMOVE` with `RIGHT` and `LEFT`")),
    arity: 3,
    syntax: "source:key destination:key",
    flags: Flags::WRITE.union(Flags::DENYOOM),
    keys: FROM_TO,
    range: Range::new(1, 2, 1),
    handler: rpoplpush,
    ..LIST
};

/// `LMOVE source destination LEFT | RIGHT LEFT | RIGHT`: the element, or nil.
pub static LMOVE: Command = Command {
    name: "lmove",
    summary: "Moves the element at one end of a list to an end of another, or of the same.",
    since: v(6, 2, 0),
    arity: 5,
    syntax: "source:key destination:key wherefrom=(LEFT | RIGHT) whereto=(LEFT | RIGHT)",
    flags: Flags::WRITE.union(Flags::DENYOOM),
    keys: FROM_TO,
    range: Range::new(1, 2, 1),
    handler: lmove,
    ..LIST
};

/// `LMPOP keys key [key ...] LEFT | RIGHT [COUNT count]`: the key and an array of elements, or nil.
pub static LMPOP: Command = Command {
    name: "lmpop",
    summary: "Takes elements from an end of the first of some lists that is there.",
    complexity: "O(K+N) for K keys and N elements.",
    since: v(7, 0, 0),
    arity: -4,
    syntax: "numkeys:int key... where=(LEFT | RIGHT) [COUNT count:int]",
    flags: Flags::WRITE.union(Flags::MOVABLEKEYS),
    keys: &[KeySpec::counted(1, TAKES)],
    range: Range::NONE,
    handler: lmpop,
    ..LIST
};

fn push(
    cx: &mut Cx,
    args: Args,
    reply: &mut Reply,
    side: Side,
    only_onto_existing: bool,
) -> Result<(), CommandError> {
    let mut list = cx.change::<List>(args.at(1))?;
    if only_onto_existing && !list.existed() {
        list.leave();
        reply.integer(0);
        return Ok(());
    }
    let values = args.iter_from(2);
    let (entries, params) = list.parts();
    let growth = Growth::of(values.clone());
    entries.grow(params.list, growth, |entries| values.for_each(|value| entries.push(side, value)));
    reply.count(list.len());
    list.commit_many(pushed(side), growth.entries as u64);
    Ok(())
}

fn pop(cx: &mut Cx, args: Args, reply: &mut Reply, side: Side) -> Result<(), CommandError> {
    if args.len() > 3 {
        return Err(CommandError::Arity(cx.entry.full_name.clone()));
    }
    let count = match args.get(2) {
        Some(count) => Some(parse::integer_in(count, 0..=i64::MAX, CommandError::NotPositive)? as usize),
        None => None,
    };
    let scales = cx.scales();
    let Some(mut list) = cx.change_existing::<List>(args.at(1))? else {
        if count.is_some() {
            reply.null_array()
        } else {
            reply.null()
        }
        return Ok(());
    };
    match count {
        None => {
            list.pop(side, |item| bulk(reply, item));
            commit_taken(list, side, 1, Notice::Given);
        }
        Some(0) => {
            list.leave();
            reply.array(0);
        }
        Some(count) => {
            pop_many(list, side, count, scales, reply, Notice::Given)?;
        }
    }
    Ok(())
}

fn llen(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    reply.count(cx.read_object::<List>(args.at(1))?.map_or(0, |list| list.len()));
    Ok(())
}

fn lrange(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let (start, stop) = (cx.integer(args.at(2))?, cx.integer(args.at(3))?);
    let scales = cx.scales();
    let Some(list) = cx.read_object::<List>(args.at(1))? else {
        reply.array(0);
        return Ok(());
    };
    let range = span(start, stop, list.len());
    scales.weigh(range.len())?;
    reply.array(range.len());
    if !range.is_empty() {
        list.iter_from(range.start).take(range.len()).for_each(|item| bulk(reply, item));
    }
    Ok(())
}

fn lindex(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let release = cx.release();
    let Some(list) = cx.read_object::<List>(args.at(1))? else {
        reply.null();
        return Ok(());
    };
    match position(integer_of(args.at(2), release)?, list.len()).and_then(|index| list.get(index)) {
        Some(item) => bulk(reply, item),
        None => reply.null(),
    }
    Ok(())
}

fn lset(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let (release, value) = (cx.release(), args.at(3));
    let Some(mut list) = cx.change_existing::<List>(args.at(1))? else { return Err(CommandError::NoSuchKey) };
    let index = match integer_of(args.at(2), release) {
        Ok(index) => position(index, list.len()),
        Err(error) => {
            list.leave();
            return Err(error);
        }
    };
    let (entries, params) = list.parts();
    let set = |entries: &mut List| index.is_some_and(|index| entries.set(index, value));
    if !entries.grow(params.list, Growth::of(once(value)), set) {
        list.leave();
        return Err(CommandError::IndexOutOfRange);
    }
    narrow(&mut list);
    list.commit(Event(Class::LIST, "lset"));
    reply.ok();
    Ok(())
}

fn linsert(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let after = match args.at(2) {
        word if is_word(word, "after") => true,
        word if is_word(word, "before") => false,
        _ => return Err(CommandError::Syntax),
    };
    let (pivot, value) = (Item::of(args.at(3)), args.at(4));
    let scales = cx.scales();
    let Some(mut list) = cx.change_existing::<List>(args.at(1))? else {
        reply.integer(0);
        return Ok(());
    };
    if let Err(error) = scales.weigh(list.len()) {
        list.leave();
        return Err(error);
    }
    let (entries, params) = list.parts();
    let inserted = entries.grow(params.list, Growth::of(once(value)), |entries| {
        let index = entries.iter().position(|item| item == pivot)?;
        entries.insert(index, if after { Side::Right } else { Side::Left }, value);
        Some(entries.len())
    });
    match inserted {
        Some(len) => {
            list.commit(Event(Class::LIST, "linsert"));
            reply.count(len);
        }
        None => {
            list.leave();
            reply.integer(-1);
        }
    }
    Ok(())
}

fn lrem(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let count = negatable(cx, args.at(2))?;
    let (scales, release) = (cx.scales(), cx.release());
    let Some(mut list) = cx.change_existing::<List>(args.at(1))? else {
        reply.integer(0);
        return Ok(());
    };
    if let Err(error) = scales.weigh(list.len()) {
        list.leave();
        return Err(error);
    }
    let side = if count < 0 { Side::Right } else { Side::Left };
    let most = if count == 0 { usize::MAX } else { count.unsigned_abs() as usize };
    let removed = list.remove_equal(side, most, args.at(3));
    reply.count(removed);
    if removed == 0 {
        list.leave();
        return Ok(());
    }
    narrow(&mut list);
    match release {
        Release::V3_0 => list.commit_unnoticed(removed as u64),
        Release::V4_0 => list.commit_many(Event(Class::GENERIC, "lrem"), removed as u64),
        _ => list.commit_many(Event(Class::LIST, "lrem"), removed as u64),
    }
    Ok(())
}

fn ltrim(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let (start, stop) = (cx.integer(args.at(2))?, cx.integer(args.at(3))?);
    let (scales, release) = (cx.scales(), cx.release());
    let Some(mut list) = cx.change_existing::<List>(args.at(1))? else {
        reply.ok();
        return Ok(());
    };
    let len = list.len();
    let kept = span(start, stop, len);
    let removed = len - kept.len();
    if let Err(error) = scales.weigh(removed) {
        list.leave();
        return Err(error);
    }
    list.remove_range(kept.end, len);
    list.remove_range(0, kept.start);
    narrow(&mut list);
    // Before 6.2 it counts as one change, whether or not there is anything to remove.
    let changes = if release.has(v(6, 2, 0)) { removed as u64 } else { 1 };
    list.commit_many(Event(Class::LIST, "ltrim"), changes);
    reply.ok();
    Ok(())
}

fn lpos(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let (mut rank, mut count, mut most) = (1, None, 0);
    let mut options = args.iter_from(3);
    while let Some(option) = options.next() {
        let value = options.next().ok_or(CommandError::Syntax)?;
        if is_word(option, "rank") {
            rank = negatable(cx, value)?;
            if rank == 0 {
                let is_7 = cx.release().has(v(7, 0, 0));
                return Err(if is_7 { CommandError::RankZero7 } else { CommandError::RankZero });
            }
        } else if is_word(option, "count") {
            count = Some(parse::integer_in(value, 0..=i64::MAX, CommandError::CountNegative)?);
        } else if is_word(option, "maxlen") {
            most = parse::integer_in(value, 0..=i64::MAX, CommandError::MaxLenNegative)?;
        } else {
            return Err(CommandError::Syntax);
        }
    }
    let scales = cx.scales();
    let Some(list) = cx.read_object::<List>(args.at(1))? else {
        if count.is_some() {
            reply.array(0)
        } else {
            reply.null()
        }
        return Ok(());
    };
    let len = list.len();
    let most = if most == 0 { len } else { len.min(most as usize) };
    scales.weigh(most)?;
    let wanted = Item::of(args.at(2));
    // The number that cannot be negated is not turned round by the releases that take it: it skips nothing.
    let skipped = rank.checked_abs().map_or(0, |rank| rank as usize - 1);
    let mut visit = |matches: &mut dyn Iterator<Item = usize>| match count {
        None => match matches.next() {
            Some(index) => reply.count(index),
            None => reply.null(),
        },
        Some(count) => {
            let header = reply.defer();
            let count = if count == 0 { usize::MAX } else { count as usize };
            let found = matches.take(count).map(|index| reply.count(index)).count();
            reply.deferred_array(header, found);
        }
    };
    if rank > 0 {
        let all = list.iter().take(most).enumerate();
        visit(&mut all.filter(|(_, item)| *item == wanted).map(|(index, _)| index).skip(skipped));
    } else {
        let all = list.iter_back_from(len - 1).take(most).enumerate();
        visit(&mut all.filter(|(_, item)| *item == wanted).map(|(back, _)| len - 1 - back).skip(skipped));
    }
    Ok(())
}

fn rpoplpush(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    transfer(cx, args.at(1), args.at(2), Side::Right, Side::Left, reply, Notice::Given)
}

fn lmove(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let (from, to) = (side(args.at(3))?, side(args.at(4))?);
    transfer(cx, args.at(1), args.at(2), from, to, reply, Notice::Given)
}

fn lmpop(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let MultiPop { keys, side, count } = MultiPop::parse(args, 1)?;
    if !pop_first(cx, keys.iter(), side, Some(count), reply, Notice::Given)? {
        reply.null_array();
    }
    Ok(())
}

/// Whether the removal of entries is published: older releases do not do so when they serve a client that has waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    /// It is.
    Given,
    /// It is not, nor that of the key if no entry is left.
    Withheld,
}

/// The arguments of `LMPOP` and `BLMPOP`.
pub(super) struct MultiPop<'a> {
    pub(super) keys: Args<'a>,
    pub(super) side: Side,
    pub(super) count: usize,
}

impl<'a> MultiPop<'a> {
    /// Reads them, the number of keys being argument `at`.
    pub(super) fn parse(args: Args<'a>, at: usize) -> Result<Self, CommandError> {
        let keys = parse::integer_in(args.at(at), 1..=i64::MAX, CommandError::NumKeysNotPositive)?;
        let end = (at + 1).saturating_add(keys as usize);
        let side = side(args.get(end).ok_or(CommandError::Syntax)?)?;
        let count = match (args.get(end + 1), args.get(end + 2)) {
            (None, _) => 1,
            (Some(word), Some(count)) if is_word(word, "count") => {
                parse::integer_in(count, 1..=i64::MAX, CommandError::CountNotPositive)?
            }
            _ => return Err(CommandError::Syntax),
        };
        if args.len() > end + 3 {
            return Err(CommandError::Syntax);
        }
        Ok(MultiPop { keys: args.slice(at + 1..end), side, count: count as usize })
    }
}

/// Takes one entry, or up to `count`, from the first of some lists that is there; gives whether one was. The reply is
/// the key, and the entry or an array of entries.
pub(super) fn pop_first<'k>(
    cx: &mut Cx,
    keys: impl Iterator<Item = &'k [u8]>,
    side: Side,
    count: Option<usize>,
    reply: &mut Reply,
    notice: Notice,
) -> Result<bool, CommandError> {
    let scales = cx.scales();
    for key in keys {
        let Some(mut list) = cx.change_existing::<List>(key)? else { continue };
        reply.array(2);
        reply.bulk(key);
        let name: &[u8] = if side == Side::Left { b"LPOP" } else { b"RPOP" };
        match count {
            None => {
                list.pop(side, |item| bulk(reply, item));
                commit_taken(list, side, 1, notice);
                cx.repeat(&[name, key]);
            }
            Some(count) => {
                let taken = pop_many(list, side, count, scales, reply, notice)?;
                if cx.is_repeated() {
                    cx.repeat(&[name, key, Decimal::new(taken as i64).as_bytes()]);
                }
            }
        }
        return Ok(true);
    }
    Ok(false)
}

/// Takes up to `count` entries; the reply is an array of them. Gives how many.
fn pop_many(
    mut list: Change<List>,
    side: Side,
    count: usize,
    scales: Scales,
    reply: &mut Reply,
    notice: Notice,
) -> Result<usize, CommandError> {
    let len = list.len();
    let count = count.min(len);
    if let Err(error) = scales.weigh(count) {
        list.leave();
        return Err(error);
    }
    reply.array(count);
    match side {
        Side::Left => {
            list.iter().take(count).for_each(|item| bulk(reply, item));
            list.remove_range(0, count);
        }
        Side::Right => {
            list.iter_back_from(len - 1).take(count).for_each(|item| bulk(reply, item));
            list.remove_range(len - count, len);
        }
    }
    commit_taken(list, side, count as u64, notice);
    Ok(count)
}

/// Moves an entry from one end of a list to an end of another, or of the same; the reply is the entry, or nil if there
/// is no list. What is pushed is published before what is popped.
pub(super) fn transfer(
    cx: &mut Cx,
    source: &[u8],
    destination: &[u8],
    from: Side,
    to: Side,
    reply: &mut Reply,
    notice: Notice,
) -> Result<(), CommandError> {
    let Some(mut list) = cx.change_existing::<List>(source)? else {
        reply.null();
        return Ok(());
    };
    let before = reply.len();
    if source == destination {
        list.pop(from, |item| bulk(reply, item));
        list.push(to, string_at(reply, before));
        list.event(pushed(to));
        commit_taken(list, from, 1, notice);
        return Ok(());
    }
    let end = if from == Side::Left { 0 } else { list.len() - 1 };
    if let Some(item) = list.get(end) {
        bulk(reply, item);
    }
    list.leave();
    // Its own bytes in the reply are the only copy of the entry that is needed.
    let value = string_at(reply, before);
    let mut list = cx.change::<List>(destination)?;
    let (entries, params) = list.parts();
    entries.grow(params.list, Growth::of(once(value)), |entries| entries.push(to, value));
    list.commit_many(pushed(to), 0);
    let mut list = cx.change::<List>(source)?;
    list.pop(from, |_| ());
    commit_taken(list, from, 1, notice);
    Ok(())
}

/// The string of a reply that begins at `at`.
pub(super) fn string_at(reply: &Reply, at: usize) -> &[u8] {
    bulks(&reply.bytes()[at..]).next().unwrap_or_default()
}

/// Ends a change that has removed entries from one end.
fn commit_taken(mut list: Change<List>, side: Side, entries: u64, notice: Notice) {
    narrow(&mut list);
    match notice {
        Notice::Given => {
            let name = if side == Side::Left { "lpop" } else { "rpop" };
            list.commit_many(Event(Class::LIST, name), entries);
        }
        Notice::Withheld => list.commit_unnoticed(entries),
    }
}

/// Has a list that has become shorter count as small again, in the releases that do so.
fn narrow(list: &mut Change<List>) {
    let (entries, params) = list.parts();
    if params.list_narrows {
        entries.narrow(params.list);
    }
}

/// The event of a push.
fn pushed(side: Side) -> Event {
    Event(Class::LIST, if side == Side::Left { "lpush" } else { "rpush" })
}

/// One of the two ends of a list.
pub(super) fn side(word: &[u8]) -> Result<Side, CommandError> {
    match word {
        word if is_word(word, "left") => Ok(Side::Left),
        word if is_word(word, "right") => Ok(Side::Right),
        _ => Err(CommandError::Syntax),
    }
}

/// An integer that can be negated; earlier releases take any.
fn negatable(cx: &Cx, bytes: &[u8]) -> Result<i64, CommandError> {
    match cx.integer(bytes)? {
        i64::MIN if cx.release().has(v(7, 2, 0)) => Err(CommandError::NotNegatable),
        value => Ok(value),
    }
}

/// An index as clients give it, negative from the end, as one from the head.
fn position(index: i64, len: usize) -> Option<usize> {
    let index = if index < 0 { index.checked_add(len as i64)? } else { index };
    usize::try_from(index).ok().filter(|&index| index < len)
}

/// The entries from one index to another, both included and both negative from the end; what is outside of the list is
/// left out.
fn span(start: i64, stop: i64, len: usize) -> std::ops::Range<usize> {
    let len = len as i64;
    let from_head = |index: i64| if index < 0 { index.saturating_add(len) } else { index };
    let start = from_head(start).max(0);
    let end = from_head(stop).min(len - 1) + 1;
    if start < end { start as usize..end as usize } else { 0..0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_to_the_list() {
        assert_eq!(span(0, -1, 5), 0..5);
        assert_eq!(span(-3, 3, 5), 2..4);
        assert_eq!(span(-100, 100, 5), 0..5);
        assert_eq!(span(3, 1, 5), 0..0);
        assert_eq!(span(5, 9, 5), 0..0);
        assert_eq!(span(0, -6, 5), 0..0);
        assert_eq!(span(i64::MIN, i64::MAX, 5), 0..5);
        assert_eq!(span(i64::MAX, i64::MIN, 5), 0..0);
    }

    #[test]
    fn indices_count_from_both_ends() {
        assert_eq!(position(0, 3), Some(0));
        assert_eq!(position(-1, 3), Some(2));
        assert_eq!(position(-3, 3), Some(0));
        for outside in [3, -4, i64::MAX, i64::MIN] {
            assert_eq!(position(outside, 3), None);
        }
    }

    #[test]
    fn the_string_of_a_reply_is_found() {
        let mut reply = Reply::default();
        reply.bulk(b"before");
        let at = reply.len();
        reply.bulk(b"a\r\nb\r\n");
        assert_eq!(string_at(&reply, at), b"a\r\nb\r\n");
    }
}
