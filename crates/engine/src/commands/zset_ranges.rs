//! Sorted sets: ranges by rank, by score and by the members themselves.
//!
//! A range becomes ranks first, in logarithmic time; what is read, counted or removed is that range of ranks.

use super::zsets::{Members, READ, ZSET, store};
use crate::commands::family;
use crate::parse::is_word;
use crate::{Command, CommandError, Cx, float};
use command::{Access, Flags, KeySpec, Range, v};
use keyspace::{Class, Event};
use resp::{Args, Reply};
use std::ops;
use structures::entry::Object;
use structures::packed::Item;
use structures::zset::{Limits, ZSet};

family!(
    ZRANGE,
    ZREVRANGE,
    ZRANGEBYSCORE,
    ZREVRANGEBYSCORE,
    ZRANGEBYLEX,
    ZREVRANGEBYLEX,
    ZRANGESTORE,
    ZCOUNT,
    ZLEXCOUNT,
    ZREMRANGEBYRANK,
    ZREMRANGEBYSCORE,
    ZREMRANGEBYLEX
);

/// Reading a range.
const RANGE: Command = Command { complexity: "O(log N+M) for M members given of N.", arity: -4, ..READ };

/// Counting a range.
const COUNT: Command = Command {
    complexity: "O(log N) for N members.",
    arity: 4,
    flags: Flags::READONLY.union(Flags::FAST),
    ..READ
};

/// Removing a range.
const REMOVE: Command = Command {
    complexity: "O(log N) for each removed member, of N.",
    arity: 4,
    flags: Flags::WRITE,
    keys: &[KeySpec::at(1, Access::RW.union(Access::DELETE))],
    ..ZSET
};

/// `ZRANGE key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]`: an array of members.
pub static ZRANGE: Command = Command {
    name: "zrange",
    summary: "Gives the members of a range of ranks, of scores, or of members.",
    syntax: "key start stop sortby=[BYSCORE | BYLEX]@6.2.0 [REV]@6.2.0 [LIMIT (offset:int \
             count:int)]@6.2.0 [WITHSCORES]",
    since: v(1, 2, 0),
    handler: |cx, args, reply| range(cx, args, reply, Form::ANY),
    ..RANGE
};

/// `ZREVRANGE key start stop [WITHSCORES]`: an array of members.
pub static ZREVRANGE: Command = Command {
    name: "zrevrange",
    summary: "Gives the members of a range of ranks, the greatest score first.",
    syntax: "key start:int stop:int [WITHSCORES]",
    since: v(1, 2, 0),
    deprecated: Some((v(6, 2, 0), "`ZRANGE` with `REV`")),
    handler: |cx, args, reply| range(cx, args, reply, Form { by: Some(By::Rank), back: Some(true) }),
    ..RANGE
};

/// `ZRANGEBYSCORE key min max [WITHSCORES] [LIMIT offset count]`: an array of members.
pub static ZRANGEBYSCORE: Command = Command {
    name: "zrangebyscore",
    summary: "Gives the members whose scores are in a range.",
    syntax: "key min:double max:double [WITHSCORES]@2.0.0 [LIMIT (offset:int count:int)]",
    since: v(1, 0, 5),
    deprecated: Some((v(6, 2, 0), "`ZRANGE` with `BYSCORE`")),
    handler: |cx, args, reply| range(cx, args, reply, Form { by: Some(By::Score), back: Some(false) }),
    ..RANGE
};

/// `ZREVRANGEBYSCORE key max min [WITHSCORES] [LIMIT offset count]`: an array of members.
pub static ZREVRANGEBYSCORE: Command = Command {
    name: "zrevrangebyscore",
    summary: "Gives the members whose scores are in a range, the greatest score first.",
    syntax: "key max:double min:double [WITHSCORES] [LIMIT (offset:int count:int)]",
    since: v(2, 2, 0),
    deprecated: Some((v(6, 2, 0), "`ZRANGE` with `REV` and `BYSCORE`")),
    handler: |cx, args, reply| range(cx, args, reply, Form { by: Some(By::Score), back: Some(true) }),
    ..RANGE
};

/// `ZRANGEBYLEX key min max [LIMIT offset count]`: an array of members.
pub static ZRANGEBYLEX: Command = Command {
    name: "zrangebylex",
    summary: "Gives the members that are themselves in a range, where all scores are the same.",
    syntax: "key min max [LIMIT (offset:int count:int)]",
    since: v(2, 8, 9),
    deprecated: Some((v(6, 2, 0), "`ZRANGE` with `BYLEX`")),
    handler: |cx, args, reply| range(cx, args, reply, Form { by: Some(By::Lex), back: Some(false) }),
    ..RANGE
};

/// `ZREVRANGEBYLEX key max min [LIMIT offset count]`: an array of members.
pub static ZREVRANGEBYLEX: Command = Command {
    name: "zrevrangebylex",
    summary: "Gives the members that are themselves in a range, the last first, where all scores are the same.",
    syntax: "key max min [LIMIT (offset:int count:int)]",
    since: v(2, 8, 9),
    deprecated: Some((v(6, 2, 0), "`ZRANGE` with `REV` and `BYLEX`")),
    handler: |cx, args, reply| range(cx, args, reply, Form { by: Some(By::Lex), back: Some(true) }),
    ..RANGE
};

/// `ZRANGESTORE destination source start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count]`: the number of members.
pub static ZRANGESTORE: Command = Command {
    name: "zrangestore",
    summary: "Stores the members of a range of ranks, of scores, or of members, with their scores.",
    since: v(6, 2, 0),
    arity: -5,
    syntax: "dst:key src:key min max sortby=[BYSCORE | BYLEX] [REV] [LIMIT (offset:int count:int)]",
    flags: Flags::WRITE.union(Flags::DENYOOM),
    keys: &[
        KeySpec::at(1, Access::OW.union(Access::UPDATE)),
        KeySpec::at(2, Access::RO.union(Access::ACCESS)),
    ],
    range: Range::new(1, 2, 1),
    handler: zrangestore,
    ..RANGE
};

/// `ZCOUNT key min max`: the number of members.
pub static ZCOUNT: Command = Command {
    name: "zcount",
    summary: "Counts the members whose scores are in a range.",
    syntax: "key min:double max:double",
    since: v(2, 0, 0),
    handler: |cx, args, reply| count(cx, args, reply, By::Score),
    ..COUNT
};

/// `ZLEXCOUNT key min max`: the number of members.
pub static ZLEXCOUNT: Command = Command {
    name: "zlexcount",
    summary: "Counts the members that are themselves in a range, where all scores are the same.",
    syntax: "key min max",
    since: v(2, 8, 9),
    handler: |cx, args, reply| count(cx, args, reply, By::Lex),
    ..COUNT
};

/// `ZREMRANGEBYRANK key start stop`: the number of members that were removed.
pub static ZREMRANGEBYRANK: Command = Command {
    name: "zremrangebyrank",
    summary: "Removes the members of a range of ranks.",
    syntax: "key start:int stop:int",
    since: v(2, 0, 0),
    handler: |cx, args, reply| remove(cx, args, reply, By::Rank, "zremrangebyrank"),
    ..REMOVE
};

/// `ZREMRANGEBYSCORE key min max`: the number of members that were removed.
pub static ZREMRANGEBYSCORE: Command = Command {
    name: "zremrangebyscore",
    summary: "Removes the members whose scores are in a range.",
    syntax: "key min:double max:double",
    since: v(1, 2, 0),
    handler: |cx, args, reply| remove(cx, args, reply, By::Score, "zremrangebyscore"),
    ..REMOVE
};

/// `ZREMRANGEBYLEX key min max`: the number of members that were removed.
pub static ZREMRANGEBYLEX: Command = Command {
    name: "zremrangebylex",
    summary: "Removes the members that are themselves in a range, where all scores are the same.",
    syntax: "key min max",
    since: v(2, 8, 9),
    handler: |cx, args, reply| remove(cx, args, reply, By::Lex, "zremrangebylex"),
    ..REMOVE
};

/// What the limits of a range are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Rank,
    Score,
    Lex,
}

/// What a command has decided about its range; the rest is for options to say.
#[derive(Clone, Copy)]
struct Form {
    by: Option<By>,
    back: Option<bool>,
}

impl Form {
    const ANY: Form = Form { by: None, back: None };
}

/// A range, as a command asks for it.
struct Query<'a> {
    span: Span<'a>,
    /// From the last to the first.
    back: bool,
    part: Part,
    with_scores: bool,
}

/// Which of the members in a range are wanted.
#[derive(Clone, Copy)]
struct Part {
    /// How many are left out; none are wanted if it is negative.
    offset: i64,
    /// How many are wanted; all if it is negative.
    count: i64,
    /// Whether a negative offset counts from the end in a big set, as from 7.4 on.
    counts_back: bool,
}

impl Part {
    const ALL: Part = Part { offset: 0, count: -1, counts_back: false };

    /// Reads a part as a release does.
    fn parse(cx: &Cx, offset: &[u8], count: &[u8]) -> Result<Part, CommandError> {
        let counts_back = cx.release().has(v(7, 4, 0));
        Ok(Part { offset: cx.integer(offset)?, count: cx.integer(count)?, counts_back })
    }

    /// The same part of a range of so many members of a set, told from its beginning.
    fn of(self, zset: &ZSet, len: usize) -> Part {
        let counts_back = self.counts_back && self.offset < 0 && !matches!(zset, ZSet::Packed(_));
        let offset = if counts_back { self.offset.saturating_add(len as i64) } else { self.offset };
        Part { offset, ..self }
    }
}

/// The limits of a range.
enum Span<'a> {
    Rank(i64, i64),
    Score(ScoreSpan),
    Lex(LexSpan<'a>),
}

impl<'a> Span<'a> {
    fn parse(cx: &Cx, by: By, min: &'a [u8], max: &'a [u8]) -> Result<Self, CommandError> {
        Ok(match by {
            By::Rank => Span::Rank(cx.integer(min)?, cx.integer(max)?),
            By::Score => Span::Score(ScoreSpan::parse(min, max)?),
            By::Lex => Span::Lex(LexSpan::parse(min, max)?),
        })
    }

    /// The ranks of the members of a part, which is counted from the end if it is wanted backwards.
    fn ranks(&self, zset: &ZSet, back: bool, part: Part) -> ops::Range<usize> {
        match self {
            Span::Rank(start, stop) => {
                let ranks = ranks(*start, *stop, zset.len());
                if back { zset.len() - ranks.end..zset.len() - ranks.start } else { ranks }
            }
            Span::Score(span) => {
                let ranks = span.ranks(zset);
                let part = part.of(zset, ranks.len());
                cut(ranks, back, part)
            }
            Span::Lex(span) => span.ranks(zset, back, part),
        }
    }
}

/// The ranks from one to another, both included and both negative from the end; what is outside of the set is left out.
fn ranks(start: i64, stop: i64, len: usize) -> ops::Range<usize> {
    let len = len as i64;
    let from_first = |rank: i64| if rank < 0 { rank.saturating_add(len) } else { rank };
    let start = from_first(start).max(0);
    let end = from_first(stop).min(len - 1) + 1;
    if start < end { start as usize..end as usize } else { 0..0 }
}

/// The part of a range of ranks that is wanted.
fn cut(ranks: ops::Range<usize>, back: bool, part: Part) -> ops::Range<usize> {
    let Ok(offset) = usize::try_from(part.offset) else { return 0..0 };
    let left = ranks.len().saturating_sub(offset);
    let count = usize::try_from(part.count).map_or(left, |count| count.min(left));
    if count == 0 {
        0..0
    } else if back {
        ranks.end - offset - count..ranks.end - offset
    } else {
        ranks.start + offset..ranks.start + offset + count
    }
}

/// Limits that are scores.
pub(super) struct ScoreSpan {
    pub(super) min: f64,
    pub(super) max: f64,
    /// Whether the limits themselves are outside.
    pub(super) min_open: bool,
    pub(super) max_open: bool,
}

impl ScoreSpan {
    fn parse(min: &[u8], max: &[u8]) -> Result<Self, CommandError> {
        let limit = |bytes: &[u8]| {
            let (open, number) = match bytes {
                [b'(', number @ ..] => (true, number),
                _ => (false, bytes),
            };
            float::parse_limit(number).map(|number| (number, open)).ok_or(CommandError::ScoreLimit)
        };
        let ((min, min_open), (max, max_open)) = (limit(min)?, limit(max)?);
        Ok(ScoreSpan { min, max, min_open, max_open })
    }

    /// The ranks of the members whose scores are inside.
    pub(super) fn ranks(&self, zset: &ZSet) -> ops::Range<usize> {
        let is_below = |score: f64| if self.min_open { score <= self.min } else { score < self.min };
        let is_not_above = |score: f64| if self.max_open { score < self.max } else { score <= self.max };
        let start = zset.count_while(|_, score| is_below(score));
        let end = zset.count_while(|_, score| is_not_above(score));
        start..end.max(start)
    }
}

/// Limits that are members.
struct LexSpan<'a> {
    min: Lex<'a>,
    max: Lex<'a>,
}

/// A limit that is a member.
#[derive(Clone, Copy)]
enum Lex<'a> {
    /// Before all members.
    First,
    /// This one is inside.
    Closed(&'a [u8]),
    /// This one is outside.
    Open(&'a [u8]),
    /// After all members.
    Last,
}

impl<'a> LexSpan<'a> {
    fn parse(min: &'a [u8], max: &'a [u8]) -> Result<Self, CommandError> {
        let limit = |bytes: &'a [u8]| match bytes {
            [b'-'] | [b'-', 0, ..] => Ok(Lex::First),
            [b'+'] | [b'+', 0, ..] => Ok(Lex::Last),
            [b'[', member @ ..] => Ok(Lex::Closed(member)),
            [b'(', member @ ..] => Ok(Lex::Open(member)),
            _ => Err(CommandError::LexLimit),
        };
        Ok(LexSpan { min: limit(min)?, max: limit(max)? })
    }

    fn is_below(&self, member: Item) -> bool {
        match self.min {
            Lex::First => false,
            Lex::Closed(min) => member.with_bytes(|member| member < min),
            Lex::Open(min) => member.with_bytes(|member| member <= min),
            Lex::Last => true,
        }
    }

    fn is_above(&self, member: Item) -> bool {
        match self.max {
            Lex::First => true,
            Lex::Closed(max) => member.with_bytes(|member| member > max),
            Lex::Open(max) => member.with_bytes(|member| member >= max),
            Lex::Last => false,
        }
    }

    /// The ranks of the members of a part.
    ///
    /// Where scores differ, members do not ascend, and what is in the range depends on how it is looked for. Small sets
    /// are walked as Redis walks them: up to the first member that is not below, then past those that are left out,
    /// then on until one is above.
    fn ranks(&self, zset: &ZSet, back: bool, part: Part) -> ops::Range<usize> {
        let ZSet::Packed(_) = zset else {
            let start = zset.count_while(|member, _| self.is_below(member));
            let end = zset.count_while(|member, _| !self.is_above(member)).max(start);
            return cut(start..end, back, part.of(zset, end - start));
        };
        let len = zset.len();
        // Whether each member is below, and is above.
        let mut sides = Vec::with_capacity(len);
        zset.for_each(|member, _| sides.push((self.is_below(member), self.is_above(member))));
        if sides.last().is_none_or(|&(below, _)| below) || sides.first().is_none_or(|&(_, above)| above) {
            return 0..0;
        }
        if back {
            sides.reverse();
            sides.iter_mut().for_each(|(below, above)| std::mem::swap(below, above));
        }
        let first = sides.iter().position(|&(before, _)| !before).filter(|&first| !sides[first].1);
        let (Some(first), Ok(offset)) = (first, usize::try_from(part.offset)) else { return 0..0 };
        let most = usize::try_from(part.count).unwrap_or(usize::MAX);
        let start = first.saturating_add(offset).min(len);
        let end = start + sides[start..].iter().take(most).take_while(|&&(_, behind)| !behind).count();
        if back { len - end..len - start } else { start..end }
    }
}

/// Reads the arguments of a range whose source is argument `at`.
fn query<'a>(
    cx: &Cx,
    args: Args<'a>,
    at: usize,
    form: Form,
    stores: bool,
) -> Result<Query<'a>, CommandError> {
    if !cx.release().has(v(6, 2, 0)) {
        return former_query(cx, args, form);
    }
    let Form { mut by, mut back } = form;
    let (mut part, mut with_scores, mut next) = (Part::ALL, false, at + 3);
    while let Some(word) = args.get(next) {
        if !stores && is_word(word, "withscores") {
            with_scores = true;
        } else if is_word(word, "limit") && args.len() > next + 2 {
            part = Part::parse(cx, args.at(next + 1), args.at(next + 2))?;
            next += 2;
        } else if back.is_none() && is_word(word, "rev") {
            back = Some(true);
        } else if by.is_none() && is_word(word, "bylex") {
            by = Some(By::Lex);
        } else if by.is_none() && is_word(word, "byscore") {
            by = Some(By::Score);
        } else {
            return Err(CommandError::Syntax);
        }
        next += 1;
    }
    let (by, back) = (by.unwrap_or(By::Rank), back.unwrap_or(false));
    if part.count != -1 && by == By::Rank {
        return Err(CommandError::LimitByRank);
    }
    if with_scores && by == By::Lex {
        return Err(CommandError::WithScoresByLex);
    }
    let (min, max) = limits(args, at, by, back);
    Ok(Query { span: Span::parse(cx, by, min, max)?, back, part, with_scores })
}

/// As [`query`], for the releases before 6.2: limits are read before options.
fn former_query<'a>(cx: &Cx, args: Args<'a>, form: Form) -> Result<Query<'a>, CommandError> {
    let (by, back) = (form.by.unwrap_or(By::Rank), form.back.unwrap_or(false));
    let (min, max) = limits(args, 1, by, back);
    let span = Span::parse(cx, by, min, max)?;
    let (mut part, mut with_scores, mut next) = (Part::ALL, false, 4);
    while let Some(word) = args.get(next) {
        let is_last = args.len() == next + 1;
        if by != By::Lex && is_word(word, "withscores") && (by == By::Score || is_last && next == 4) {
            with_scores = true;
        } else if by != By::Rank && is_word(word, "limit") && args.len() > next + 2 {
            part = Part::parse(cx, args.at(next + 1), args.at(next + 2))?;
            next += 2;
        } else {
            return Err(CommandError::Syntax);
        }
        next += 1;
    }
    Ok(Query { span, back, part, with_scores })
}

/// The lesser and the greater limit: backwards they come the other way round, unless they are ranks.
fn limits<'a>(args: Args<'a>, at: usize, by: By, back: bool) -> (&'a [u8], &'a [u8]) {
    let (first, second) = (args.at(at + 1), args.at(at + 2));
    if back && by != By::Rank { (second, first) } else { (first, second) }
}

fn range(cx: &mut Cx, args: Args, reply: &mut Reply, form: Form) -> Result<(), CommandError> {
    let Query { span, back, part, with_scores } = query(cx, args, 1, form, false)?;
    let members = Members::new(cx, with_scores);
    let scales = cx.scales();
    let Some(zset) = cx.read_object::<ZSet>(args.at(1))? else {
        reply.array(0);
        return Ok(());
    };
    let ranks = span.ranks(&zset, back, part);
    scales.weigh(ranks.len())?;
    members.header(reply, ranks.len());
    let put = |member: Item, score| members.put(reply, member, score);
    if back {
        zset.for_range_back(ranks.start, ranks.end, put);
    } else {
        zset.for_range(ranks.start, ranks.end, put);
    }
    Ok(())
}

fn zrangestore(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let Query { span, back, part, .. } = query(cx, args, 2, Form::ANY, true)?;
    let (limits, scales) = (cx.params().zset, cx.scales());
    let result = match cx.read_object::<ZSet>(args.at(2))? {
        Some(zset) => {
            let ranks = span.ranks(&zset, back, part);
            scales.weigh(ranks.len())?;
            copy(&zset, ranks, &limits)
        }
        None => ZSet::empty(),
    };
    reply.count(store(cx, args.at(1), result, Event(Class::ZSET, "zrangestore"), 1));
    Ok(())
}

/// A sorted set of a range of another's members.
fn copy(zset: &ZSet, ranks: ops::Range<usize>, limits: &Limits) -> ZSet {
    let mut copy = ZSet::empty();
    zset.for_range(ranks.start, ranks.end, |member, score| {
        member.with_bytes(|member| copy.push(member, score, limits));
    });
    copy
}

fn count(cx: &mut Cx, args: Args, reply: &mut Reply, by: By) -> Result<(), CommandError> {
    let span = Span::parse(cx, by, args.at(2), args.at(3))?;
    let zset = cx.read_object::<ZSet>(args.at(1))?;
    reply.count(zset.map_or(0, |zset| span.ranks(&zset, false, Part::ALL).len()));
    Ok(())
}

fn remove(
    cx: &mut Cx,
    args: Args,
    reply: &mut Reply,
    by: By,
    event: &'static str,
) -> Result<(), CommandError> {
    let span = Span::parse(cx, by, args.at(2), args.at(3))?;
    let scales = cx.scales();
    let Some(mut change) = cx.change_existing::<ZSet>(args.at(1))? else {
        reply.integer(0);
        return Ok(());
    };
    let ranks = span.ranks(&change, false, Part::ALL);
    if let Err(error) = scales.weigh(ranks.len()) {
        change.leave();
        return Err(error);
    }
    reply.count(ranks.len());
    if ranks.is_empty() {
        change.leave();
    } else {
        change.remove_range(ranks.start, ranks.end, |_, _| ());
        change.commit_many(Event(Class::ZSET, event), ranks.len() as u64);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { packed_entries: 8, packed_value: 64, packed_minus_zero: false, seed: 1 };

    fn zset(pairs: &[(&str, f64)], packed: bool) -> ZSet {
        let mut zset = ZSet::empty();
        for (member, score) in pairs {
            zset.set(member.as_bytes(), *score, &LIMITS);
        }
        if !packed {
            zset.spread(1);
        }
        zset
    }

    #[test]
    fn ranks_count_from_both_ends() {
        for (start, stop, want) in [
            (0, -1, 0..5),
            (1, 2, 1..3),
            (-2, -1, 3..5),
            (5, 10, 0..0),
            (3, 1, 0..0),
            (i64::MIN, i64::MAX, 0..5),
            (i64::MAX, i64::MIN, 0..0),
        ] {
            assert_eq!(ranks(start, stop, 5), want, "{start} {stop}");
        }
        assert_eq!(ranks(0, -1, 0), 0..0);
    }

    #[test]
    fn parts_are_counted_from_where_the_range_begins() {
        for (back, offset, count, want) in [
            (false, 1, 2, 3..5),
            (true, 1, 2, 5..7),
            (false, 0, -1, 2..8),
            (true, 4, -5, 2..4),
            (false, 6, 1, 0..0),
            (false, -1, 1, 0..0),
            (true, i64::MAX, i64::MAX, 0..0),
            (false, 0, 0, 0..0),
        ] {
            assert_eq!(cut(2..8, back, Part { offset, count, ..Part::ALL }), want, "{back} {offset} {count}");
        }
    }

    #[test]
    fn spans_of_scores_are_ranks() {
        for packed in [true, false] {
            let zset = zset(&[("a", 1.0), ("b", 2.0), ("c", 2.0), ("d", 3.0)], packed);
            for (min, max, want) in [
                ("-inf", "+inf", 0..4),
                ("2", "2", 1..3),
                ("(2", "3", 3..4),
                ("(2", "(2", 3..3),
                ("3", "1", 3..3),
                ("", "(2", 0..1),
                (" 2", "1e400", 1..4),
            ] {
                let span = ScoreSpan::parse(min.as_bytes(), max.as_bytes()).unwrap();
                assert_eq!(span.ranks(&zset), want, "{min} {max}");
            }
        }
        for (min, max) in [("x", "1"), ("1", "((1"), ("nan", "1"), ("1 ", "2")] {
            assert!(ScoreSpan::parse(min.as_bytes(), max.as_bytes()).is_err(), "{min} {max}");
        }
    }

    #[test]
    fn spans_of_members_are_ranks() {
        for packed in [true, false] {
            let zset = zset(&[("", 0.0), ("a", 0.0), ("b", 0.0), ("c", 0.0)], packed);
            for (min, max, want) in [
                ("-", "+", 0..4),
                ("[a", "(c", 1..3),
                ("(", "[b", 1..3),
                ("[x", "+", 0..0),
                ("+", "-", 0..0),
                ("-", "-", 0..0),
                ("[c", "[a", 0..0),
                ("+\0x", "+", 0..0),
            ] {
                let span = LexSpan::parse(min.as_bytes(), max.as_bytes()).unwrap();
                let ranks = span.ranks(&zset, false, Part::ALL);
                assert!(ranks == want || ranks.is_empty() && want.is_empty(), "{min} {max} {ranks:?}");
                let back = span.ranks(&zset, true, Part { offset: 1, count: 1, ..Part::ALL });
                let want = cut(want, true, Part { offset: 1, count: 1, ..Part::ALL });
                assert!(back == want || back.is_empty() && want.is_empty(), "{min} {max} {back:?}");
            }
        }
        for (min, max) in [("a", "+"), ("+x", "+"), ("", "+")] {
            assert!(LexSpan::parse(min.as_bytes(), max.as_bytes()).is_err(), "{min} {max}");
        }
    }

    #[test]
    fn members_that_do_not_ascend_are_walked() {
        let zset = zset(&[("b", 1.0), ("z", 2.0), ("a", 3.0), ("c", 4.0)], true);
        let span = LexSpan::parse(b"[b", b"[c").unwrap();
        assert_eq!(span.ranks(&zset, false, Part::ALL), 0..1);
        assert_eq!(span.ranks(&zset, true, Part::ALL), 3..4);
        assert_eq!(span.ranks(&zset, false, Part { offset: 2, ..Part::ALL }), 2..4);
    }
}
