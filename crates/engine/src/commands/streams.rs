//! Streams: adding, looking at and removing entries.
//!
//! Reading as clients that follow a stream do is in [`super::stream_reads`], consumer groups are in
//! [`super::stream_groups`] and [`super::stream_claims`], what streams tell of themselves in [`super::stream_info`].
//! What these share stands at the end here: ids as clients write them, and entries as replies.

use crate::commands::family;
use crate::parse::{integer, is_word};
use crate::session::State;
use crate::{BASE, Command, CommandError, Cx};
use command::{Access, Category, Flags, Former, Group, KeySpec, Range, Release, v};
use keyspace::{Class, Event, Params};
use resp::{Args, Reply};
use smallvec::SmallVec;
use structures::number::Decimal;
use structures::stream::{Bound, Entries, Entry, NodeLimits, Stream, StreamId, Trim};

family!(XADD, XLEN, XRANGE, XREVRANGE, XDEL, XTRIM, XSETID);

/// What most commands of streams have in common.
pub(super) const STREAM: Command = Command {
    group: Group::Stream,
    categories: Category::STREAM,
    since: v(5, 0, 0),
    range: Range::ONE,
    ..BASE
};

/// Before 7.0 some commands were listed as random.
pub(super) const RANDOM_BEFORE_7: &[Former] = &[Former::before(Release::V7_0).with(Flags::RANDOM)];

/// Replies that depend on more than the arguments and keys.
pub(super) const NONDETERMINISTIC: &[&str] = &["nondeterministic_output"];

/// `XADD key [NOMKSTREAM] [MAXLEN | MINID [= | ~] threshold [LIMIT count]] * | id field value [field value ...]`: the
/// entry's id; nil if there is no stream and none is to be made.
pub static XADD: Command = Command {
    name: "xadd",
    summary: "Adds an entry to a stream.",
    complexity: "O(1), and O(N) for N entries that are trimmed.",
    arity: -5,
    syntax: "key [NOMKSTREAM]@6.2.0 trim=[strategy=(MAXLEN | MINID@6.2.0) operator=[equal== | \
             approximately=~] threshold [LIMIT count:int]@6.2.0] id_or_auto=(auto_id=* | id) (field \
             value)...",
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    keys: &[KeySpec::at(1, Access::RW.union(Access::UPDATE))
        .noted("UPDATE instead of INSERT because of the optional trimming feature")],
    tips: NONDETERMINISTIC,
    former: RANDOM_BEFORE_7,
    handler: xadd,
    ..STREAM
};

/// `XLEN key`: the number of entries.
pub static XLEN: Command = Command {
    name: "xlen",
    summary: "Counts the entries of a stream.",
    arity: 2,
    syntax: "key",
    flags: Flags::READONLY.union(Flags::FAST),
    keys: &[KeySpec::at(1, Access::RO)],
    handler: xlen,
    ..STREAM
};

/// `XRANGE key start end [COUNT count]`: the entries from one id to another.
pub static XRANGE: Command = Command {
    name: "xrange",
    summary: "Gives the entries of a stream whose ids lie in an interval.",
    complexity: "O(log(N)+M) for N entries of which M are given.",
    arity: -4,
    syntax: "key start end [COUNT count:int]",
    flags: Flags::READONLY,
    keys: &[KeySpec::at(1, Access::RO.union(Access::ACCESS))],
    handler: |cx, args, reply| range(cx, args, reply, Direction::Forward),
    ..STREAM
};

/// `XREVRANGE key end start [COUNT count]`: the entries from one id to another, the last one first.
pub static XREVRANGE: Command = Command {
    name: "xrevrange",
    summary: "Gives the entries of a stream whose ids lie in an interval, backwards.",
    syntax: "key end start [COUNT count:int]",
    handler: |cx, args, reply| range(cx, args, reply, Direction::Backward),
    ..XRANGE
};

/// `XDEL key id [id ...]`: how many entries there were.
pub static XDEL: Command = Command {
    name: "xdel",
    summary: "Deletes entries of a stream.",
    complexity: "O(1) for each entry.",
    arity: -3,
    syntax: "key id...",
    flags: Flags::WRITE.union(Flags::FAST),
    keys: &[KeySpec::at(1, Access::RW.union(Access::DELETE))],
    handler: xdel,
    ..STREAM
};

/// `XTRIM key MAXLEN | MINID [= | ~] threshold [LIMIT count]`: how many entries went.
pub static XTRIM: Command = Command {
    name: "xtrim",
    summary: "Removes entries from the beginning of a stream.",
    complexity: "O(N) for N entries that go.",
    arity: -4,
    syntax: "key trim=(strategy=(MAXLEN | MINID@6.2.0) operator=[equal== | approximately=~] threshold \
             [LIMIT count:int]@6.2.0)",
    flags: Flags::WRITE,
    keys: &[KeySpec::at(1, Access::RW.union(Access::DELETE))],
    tips: NONDETERMINISTIC,
    former: &[
        Former::before(Release::V7_0).with(Flags::RANDOM),
        Former::before(Release::V6_2).arity(-2).with(Flags::FAST),
    ],
    handler: xtrim,
    ..STREAM
};

/// `XSETID key last-id [ENTRIESADDED count] [MAXDELETEDID id]`: OK.
pub static XSETID: Command = Command {
    name: "xsetid",
    summary: "Says which id a stream has given last.",
    arity: -3,
    syntax: "key last-id [ENTRIESADDED entries_added:int]@7.0.0 [MAXDELETEDID max_deleted_entry_id]@7.0.0",
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    keys: &[KeySpec::at(1, Access::RW.union(Access::UPDATE))],
    former: &[Former::before(Release::V7_0).arity(3)],
    handler: xsetid,
    ..STREAM
};

/// The id that an entry is to be given.
#[derive(Clone, Copy)]
enum NewId {
    /// The next one of this time, or of the last entry's if that is later.
    Auto,
    /// The next one of this very time.
    Time(u64),
    Given(StreamId),
}

impl NewId {
    /// `*`, `ms-*` from 7.0 on, or an id.
    fn parse(cx: &Cx, arg: &[u8]) -> Result<NewId, CommandError> {
        match arg {
            b"*" => Ok(NewId::Auto),
            [ms @ .., b'-', b'*'] if cx.release().has(v(7, 0, 0)) => {
                number(ms).map(NewId::Time).ok_or(CommandError::InvalidStreamId)
            }
            _ => id(arg, 0).map(NewId::Given),
        }
    }

    /// The id, in a stream with these entries.
    fn choose(self, entries: &Entries, now_ms: i64) -> Result<StreamId, CommandError> {
        let last = entries.last_id();
        let Some(next) = last.next() else { return Err(CommandError::StreamIdsExhausted) };
        let chosen = match self {
            NewId::Auto => StreamId::new(now_ms as u64, 0).max(next),
            NewId::Time(ms) if ms == last.ms && next.ms == ms => next,
            NewId::Time(ms) => StreamId::new(ms, 0),
            NewId::Given(id) => id,
        };
        if chosen > last { Ok(chosen) } else { Err(CommandError::StreamIdNotAfterLast) }
    }
}

/// The options before an entry, or of `XTRIM`.
#[derive(Default)]
struct Options {
    no_stream: bool,
    bound: Option<Bound>,
    approximate: bool,
    limit: Option<i64>,
    /// The number of the argument that is the bound.
    bound_at: usize,
    /// The number of the first argument that is no option.
    end: usize,
}

impl Options {
    /// The options from argument 2 on; `adds` tells `XADD` from `XTRIM`.
    fn parse(cx: &Cx, args: Args, adds: bool) -> Result<Options, CommandError> {
        let mut options = Options { end: 2, ..Options::default() };
        let since_6_2 = cx.release().has(v(6, 2, 0));
        while let Some(word) = args.get(options.end) {
            let value = args.get(options.end + 1);
            if adds && word == b"*" {
                break;
            } else if let Some(value) = value.filter(|_| is_word(word, "MAXLEN")) {
                options.parse_bound(args, value, since_6_2, |value| match integer(value)? {
                    ..0 => Err(CommandError::TrimLenNegative),
                    len => Ok(Bound::Len(len as u64)),
                })?;
            } else if let Some(value) = value.filter(|_| is_word(word, "MINID") && since_6_2) {
                options.parse_bound(args, value, since_6_2, |value| id(value, 0).map(Bound::Id))?;
            } else if let Some(value) = value.filter(|_| is_word(word, "LIMIT") && since_6_2) {
                let limit = integer(value)?;
                if limit < 0 {
                    return Err(CommandError::TrimLimitNegative);
                }
                options.limit = Some(limit);
                options.end += 2;
            } else if adds && is_word(word, "NOMKSTREAM") && since_6_2 {
                options.no_stream = true;
                options.end += 1;
            } else if adds {
                break;
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(options)
    }

    /// `[= | ~] threshold`, after the word at `end`.
    fn parse_bound(
        &mut self,
        args: Args,
        value: &[u8],
        once: bool,
        parse: impl FnOnce(&[u8]) -> Result<Bound, CommandError>,
    ) -> Result<(), CommandError> {
        if self.bound.is_some() && once {
            return Err(CommandError::TrimTwice);
        }
        self.end += 1;
        self.approximate = false;
        let mut value = value;
        if let (b"~" | b"=", Some(next)) = (value, args.get(self.end + 1)) {
            self.approximate = value == b"~";
            self.end += 1;
            value = next;
        }
        self.bound = Some(parse(value)?);
        self.bound_at = self.end;
        self.end += 1;
        Ok(())
    }

    /// Checks what makes sense only together.
    fn check(&self, cx: &Cx, adds: bool) -> Result<(), CommandError> {
        match self.bound {
            None if self.limit > Some(0) => Err(CommandError::TrimLimitAlone),
            None if !adds && cx.release().has(v(6, 2, 0)) => Err(CommandError::TrimUnspecified),
            None if !adds => Err(CommandError::TrimUnspecified5),
            // What was trimmed approximately is repeated as trimmed exactly.
            _ if self.limit.is_some()
                && !self.approximate
                && !cx.session.state.intersects(State::MASTER | State::REPLAYING) =>
            {
                Err(CommandError::TrimLimitExact)
            }
            _ => Ok(()),
        }
    }

    /// The bound that trims others exactly as a stream has been trimmed approximately.
    fn exact_bound(&self, entries: &Entries) -> Option<Bound> {
        match self.bound? {
            _ if !self.approximate => None,
            Bound::Len(_) => Some(Bound::Len(entries.len() as u64)),
            // That of the first node: entries that have been deleted count.
            Bound::Id(_) => Some(Bound::Id(entries.nodes().next().map_or(StreamId::MAX, |(id, _)| id))),
        }
    }

    /// Has a request repeated with an exact bound and with the id that was chosen, if any.
    fn repeat(&self, cx: &mut Cx, args: Args, exact: Option<Bound>, chosen: Option<StreamId>) {
        let id = chosen.map(StreamId::text);
        let (len, first);
        let mut request: SmallVec<[&[u8]; 16]> = args.iter().collect();
        if let Some(id) = &id {
            request[self.end] = id.as_ref();
        }
        match exact {
            Some(Bound::Len(entries)) => {
                len = Decimal::new(entries as i64);
                request[self.bound_at] = len.as_bytes();
            }
            Some(Bound::Id(id)) => {
                first = id.text();
                request[self.bound_at] = first.as_ref();
            }
            None => {}
        }
        if exact.is_some() {
            request[self.bound_at - 1] = b"=";
        }
        cx.repeat(&request);
    }

    /// How to trim a stream.
    fn trim(&self, release: Release, params: &Params) -> Option<Trim> {
        let limit = match self.limit {
            Some(limit) if self.approximate => limit as u64,
            // Only masters and files say so, and want it exact.
            Some(_) => 0,
            // So that nobody waits long for one command.
            None if self.approximate && release.has(v(6, 2, 0)) => match params.stream_node_entries {
                0 => 10_000,
                entries => (entries as u64).saturating_mul(100).min(1_000_000),
            },
            None => 0,
        };
        Some(Trim { bound: self.bound?, approximate: self.approximate, limit })
    }
}

fn xadd(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let release = cx.release();
    let options = Options::parse(cx, args, true)?;
    let new_id = args.get(options.end).map(|word| NewId::parse(cx, word)).transpose()?;
    options.check(cx, true)?;
    let fields = args.iter_from(options.end + 1);
    let new_id = match new_id {
        Some(NewId::Given(StreamId::MIN)) => return Err(CommandError::StreamIdZero),
        Some(new_id) if fields.len() > 0 && fields.len().is_multiple_of(2) => new_id,
        _ if release.has(v(7, 0, 0)) => return Err(CommandError::Arity(cx.entry.full_name.clone())),
        _ => return Err(CommandError::XaddArity),
    };
    let now_ms = cx.now_ms();
    let mut change = cx.change::<Stream>(args.at(1))?;
    if options.no_stream && !change.existed() {
        change.leave();
        reply.null();
        return Ok(());
    }
    let (stream, params) = change.parts();
    let limits = NodeLimits { bytes: params.stream_node_bytes, entries: params.stream_node_entries };
    let added = new_id.choose(stream.entries(), now_ms).and_then(|id| {
        let added = stream.entries_mut().append(id, fields, limits);
        added.map(|()| id).map_err(|_| CommandError::StreamEntryTooLarge)
    });
    let id = match added {
        Ok(id) => id,
        Err(error) => {
            change.leave();
            return Err(error);
        }
    };
    let trimmed = options.trim(release, params).is_some_and(|trim| stream.entries_mut().trim(&trim) > 0);
    let exact = options.exact_bound(stream.entries());
    let events = [Event(Class::STREAM, "xadd"), Event(Class::STREAM, "xtrim")];
    change.commit_all(&events[..1 + usize::from(trimmed)], 1);
    // Before 7.0 ids are repeated in full.
    let chosen = !(release >= Release::V7_0 && matches!(new_id, NewId::Given(_)));
    if cx.is_repeated() && (chosen || exact.is_some()) {
        options.repeat(cx, args, exact, chosen.then_some(id));
    }
    reply.bulk(id.text());
    Ok(())
}

fn xlen(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let len = cx.read_object::<Stream>(args.at(1))?.map_or(0, |stream| stream.entries().len());
    reply.count(len);
    Ok(())
}

#[derive(Clone, Copy)]
enum Direction {
    Forward,
    Backward,
}

fn range(cx: &mut Cx, args: Args, reply: &mut Reply, direction: Direction) -> Result<(), CommandError> {
    let (from, to) = match direction {
        Direction::Forward => interval(cx, args.at(2), args.at(3))?,
        Direction::Backward => interval(cx, args.at(3), args.at(2))?,
    };
    let mut count = None;
    let mut words = args.iter_from(4);
    while let Some(word) = words.next() {
        match words.next() {
            Some(value) if is_word(word, "COUNT") => count = Some(integer(value)?.max(0) as usize),
            _ => return Err(CommandError::Syntax),
        }
    }
    let scales = cx.scales();
    let Some(stream) = cx.read_object::<Stream>(args.at(1))? else {
        reply.array(0);
        return Ok(());
    };
    if count == Some(0) {
        reply.null_array();
        return Ok(());
    }
    let entries = stream.entries();
    scales.weigh(entries.about(from, to).min(count.unwrap_or(usize::MAX)))?;
    match direction {
        Direction::Forward => write_entries(reply, entries.range(from, to), count),
        Direction::Backward => write_entries(reply, entries.range_back(from, to), count),
    };
    Ok(())
}

fn xdel(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let Some(mut change) = cx.change_existing::<Stream>(args.at(1))? else {
        reply.integer(0);
        return Ok(());
    };
    let ids = match ids(args.iter_from(2)) {
        Ok(ids) => ids,
        Err(error) => {
            change.leave();
            return Err(error);
        }
    };
    let deleted = ids.into_iter().filter(|&id| change.entries_mut().delete(id)).count();
    if deleted > 0 {
        change.commit_many(Event(Class::STREAM, "xdel"), deleted as u64);
    } else {
        change.leave();
    }
    reply.count(deleted);
    Ok(())
}

fn xtrim(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let release = cx.release();
    // Before 6.2 it is seen first whether there is anything to trim.
    if !release.has(v(6, 2, 0)) && cx.read_object::<Stream>(args.at(1))?.is_none() {
        reply.integer(0);
        return Ok(());
    }
    let options = Options::parse(cx, args, false)?;
    options.check(cx, false)?;
    let scales = cx.scales();
    let Some(mut change) = cx.change_existing::<Stream>(args.at(1))? else {
        reply.integer(0);
        return Ok(());
    };
    let (stream, params) = change.parts();
    let trim = options.trim(release, params);
    let nodes = trim.map_or(0, |trim| stream.entries().nodes_to_trim(trim.bound));
    if let Err(error) = scales.weigh(nodes) {
        change.leave();
        return Err(error);
    }
    let trimmed = trim.map_or(0, |trim| stream.entries_mut().trim(&trim));
    if trimmed > 0 {
        let exact = options.exact_bound(stream.entries());
        change.commit_many(Event(Class::STREAM, "xtrim"), trimmed as u64);
        if exact.is_some() && cx.is_repeated() {
            options.repeat(cx, args, exact, None);
        }
    } else {
        change.leave();
    }
    reply.count(trimmed);
    Ok(())
}

fn xsetid(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let release = cx.release();
    // Before 7.0 the key is looked for first.
    if release < Release::V7_0 && cx.read_object::<Stream>(args.at(1))?.is_none() {
        return Err(CommandError::NoSuchKey);
    }
    let last_id = id(args.at(2), 0)?;
    let (mut added, mut max_deleted) = (None, StreamId::MIN);
    let mut words = args.iter_from(3);
    while let Some(word) = words.next() {
        match words.next() {
            Some(value) if is_word(word, "ENTRIESADDED") => match integer(value)? {
                ..0 => return Err(CommandError::SetIdAddedNegative),
                value => added = Some(value as u64),
            },
            Some(value) if is_word(word, "MAXDELETEDID") => {
                max_deleted = id(value, 0)?;
                if last_id < max_deleted {
                    return Err(CommandError::SetIdBeforeDeleted);
                }
            }
            _ => return Err(CommandError::Syntax),
        }
    }
    let Some(mut change) = cx.change_existing::<Stream>(args.at(1))? else {
        return Err(CommandError::NoSuchKey);
    };
    let entries = change.entries();
    let wrong = if release.has(v(7, 2, 0)) && last_id < entries.max_deleted_id() {
        Some(CommandError::SetIdBeforeOwnDeleted)
    } else if entries.last().is_some_and(|last| last_id < last.id) {
        Some(CommandError::SetIdBeforeLast)
    } else if added.is_some_and(|added| added < entries.len() as u64) {
        Some(CommandError::SetIdAddedBelowLen)
    } else {
        None
    };
    if let Some(error) = wrong {
        change.leave();
        return Err(error);
    }
    let entries = change.entries_mut();
    entries.set_last_id(last_id);
    if let Some(added) = added {
        entries.set_added(added);
    }
    if max_deleted != StreamId::MIN {
        entries.set_max_deleted_id(max_deleted);
    }
    change.commit_aside(&[Event(Class::STREAM, "xsetid")], 1);
    reply.ok();
    Ok(())
}

/// An id: `ms-seq`, or `ms` alone, which stands for `ms-missing_seq`.
pub(super) fn id(arg: &[u8], missing_seq: u64) -> Result<StreamId, CommandError> {
    /// Longer arguments are not looked at.
    const MAX_LEN: usize = 127;
    let parse = || {
        let (ms, seq) = match arg.iter().position(|&byte| byte == b'-') {
            Some(at) => (number(&arg[..at])?, number(&arg[at + 1..])?),
            None => (number(arg)?, missing_seq),
        };
        (arg.len() <= MAX_LEN).then_some(StreamId::new(ms, seq))
    };
    parse().ok_or(CommandError::InvalidStreamId)
}

/// As [`id`], and `-` and `+` for the first and the last possible one.
pub(super) fn id_or_end(arg: &[u8], missing_seq: u64) -> Result<StreamId, CommandError> {
    match arg {
        b"-" => Ok(StreamId::MIN),
        b"+" => Ok(StreamId::MAX),
        _ => id(arg, missing_seq),
    }
}

/// Where an interval starts: from 6.2 on an id after `(` is not part of it.
pub(super) fn start(cx: &Cx, arg: &[u8]) -> Result<StreamId, CommandError> {
    match arg {
        [b'(', rest @ ..] if !rest.is_empty() && cx.release().has(v(6, 2, 0)) => {
            id(rest, 0)?.next().ok_or(CommandError::IntervalStart)
        }
        _ => id_or_end(arg, 0),
    }
}

/// An interval of ids, as the first and the last id that lie in it.
pub(super) fn interval(cx: &Cx, from: &[u8], to: &[u8]) -> Result<(StreamId, StreamId), CommandError> {
    let from = start(cx, from)?;
    let to = match to {
        [b'(', rest @ ..] if !rest.is_empty() && cx.release().has(v(6, 2, 0)) => {
            id(rest, u64::MAX)?.previous().ok_or(CommandError::IntervalEnd)?
        }
        _ => id_or_end(to, u64::MAX)?,
    };
    Ok((from, to))
}

/// Ids, all of them sound.
pub(super) fn ids<'a>(args: impl Iterator<Item = &'a [u8]>) -> Result<SmallVec<[StreamId; 8]>, CommandError> {
    args.map(|arg| id(arg, 0)).collect()
}

/// A part of an id. Observed on redis 7.0: white space and a sign may stand in front, and a negative number that is not
/// in canonical form wraps around.
fn number(text: &[u8]) -> Option<u64> {
    if let [b'-', b'1'..=b'9', ..] = text {
        return None;
    }
    let text = text.trim_ascii_start();
    let (digits, negative) = match text {
        [b'-', digits @ ..] => (digits, true),
        [b'+', digits @ ..] => (digits, false),
        digits => (digits, false),
    };
    if digits.is_empty() {
        return None;
    }
    let value = digits.iter().try_fold(0u64, |value, digit| {
        let digit = digit.wrapping_sub(b'0');
        value.checked_mul(10)?.checked_add(u64::from(digit)).filter(|_| digit < 10)
    })?;
    Some(if negative { value.wrapping_neg() } else { value })
}

/// Writes entries, at most so many; gives how many.
pub(super) fn write_entries<'a>(
    reply: &mut Reply,
    entries: impl Iterator<Item = Entry<'a>>,
    count: Option<usize>,
) -> usize {
    let place = reply.defer();
    let mut written = 0;
    for entry in entries.take(count.unwrap_or(usize::MAX)) {
        write_entry(reply, entry);
        written += 1;
    }
    reply.deferred_array(place, written);
    written
}

/// Writes an entry: its id, and an array of names and values.
#[inline]
pub(super) fn write_entry(reply: &mut Reply, entry: Entry) {
    reply.array(2);
    reply.bulk(entry.id.text());
    reply.array(2 * entry.fields.len());
    for (name, value) in entry.fields {
        name.with_bytes(|name| reply.bulk(name));
        value.with_bytes(|value| reply.bulk(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_real_servers_read_them() {
        // Observed on redis 7.0.
        for (text, want) in [
            ("5", Some((5, 9))),
            ("5-1", Some((5, 1))),
            ("007-01", Some((7, 1))),
            (" 7-+1", Some((7, 1))),
            ("1--0", Some((1, 0))),
            ("1- -1", Some((1, u64::MAX))),
            ("18446744073709551615-18446744073709551615", Some((u64::MAX, u64::MAX))),
            ("18446744073709551616", None),
            ("1--1", None),
            ("-1", None),
            ("1-", None),
            ("-", None),
            ("+", None),
            ("", None),
            ("1-2-3", None),
            ("1 -2", None),
            ("abc", None),
        ] {
            let want = want.map(|(ms, seq)| StreamId::new(ms, seq)).ok_or(CommandError::InvalidStreamId);
            assert_eq!(id(text.as_bytes(), 9), want, "{text:?}");
        }
        assert!(id(&[b'0'; 127], 0).is_ok() && id(&[b'0'; 128], 0).is_err());
    }
}
