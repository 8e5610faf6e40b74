//! Sorted sets: members with scores.
//!
//! Ranges are in [`super::zset_ranges`], unions and the like in [`super::zset_algebra`], and taking members from the
//! ends in [`super::zset_pops`].

use super::sets::Draws;
use crate::commands::{bulk, family};
use crate::parse::{decimal_of, is_word};
use crate::{BASE, Command, CommandError, Cx, float};
use command::{Access, Category, Flags, Former, Group, KeySpec, Range, Release, v};
use keyspace::{Class, Event};
use resp::{Args, Reply};
use smallvec::SmallVec;
use structures::entry::{Entry, Object};
use structures::packed::Item;
use structures::zset::ZSet;

family!(ZADD, ZINCRBY, ZREM, ZSCORE, ZMSCORE, ZCARD, ZRANK, ZREVRANK, ZRANDMEMBER);

/// What all commands of sorted sets have in common.
pub(super) const ZSET: Command =
    Command { group: Group::SortedSet, categories: Category::SORTEDSET, range: Range::ONE, ..BASE };

/// Reading what is in one set.
pub(super) const READ: Command =
    Command { flags: Flags::READONLY, keys: &[KeySpec::at(1, Access::RO.union(Access::ACCESS))], ..ZSET };

/// Reading in constant or logarithmic time.
const LOOK: Command = Command { flags: Flags::READONLY.union(Flags::FAST), ..READ };

/// The rank of a member, which had no option before 7.2.
const RANK: Command = Command {
    complexity: "O(log N) for N members.",
    since: v(2, 0, 0),
    arity: -3,
    former: &[Former::before(Release::V7_4).arity(3)],
    ..LOOK
};

/// `ZADD key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]`: the number of new members, with `CH` of
/// those that have changed too; with `INCR` the new score, or nil.
pub static ZADD: Command = Command {
    name: "zadd",
    summary: "Gives members scores; adds those that are not there.",
    complexity: "O(log N) for each member, of N.",
    since: v(1, 2, 0),
    arity: -4,
    syntax: "key condition=[NX | XX]@3.0.2 comparison=[GT | LT]@6.2.0 change=[CH]@3.0.2 \
             increment=[INCR]@3.0.2 (score:double member)...",
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    keys: &[KeySpec::at(1, Access::RW.union(Access::UPDATE))],
    handler: |cx, args, reply| zadd(cx, args, reply, Options::empty()),
    ..ZSET
};

/// `ZINCRBY key increment member`: the new score.
pub static ZINCRBY: Command = Command {
    name: "zincrby",
    summary: "Adds to the score of a member, which is zero if it is not there.",
    complexity: "O(log N) for N members.",
    since: v(1, 2, 0),
    arity: 4,
    syntax: "key increment:int member",
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    keys: &[KeySpec::at(1, Access::RW.union(Access::ACCESS).union(Access::UPDATE))],
    handler: |cx, args, reply| zadd(cx, args, reply, Options::INCR),
    ..ZSET
};

/// `ZREM key member [member ...]`: how many were there.
pub static ZREM: Command = Command {
    name: "zrem",
    summary: "Removes members.",
    complexity: "O(log N) for each member, of N.",
    since: v(1, 2, 0),
    arity: -3,
    syntax: "key member...",
    flags: Flags::WRITE.union(Flags::FAST),
    keys: &[KeySpec::at(1, Access::RW.union(Access::DELETE))],
    handler: zrem,
    ..ZSET
};

/// `ZSCORE key member`: the score, or nil.
pub static ZSCORE: Command = Command {
    name: "zscore",
    summary: "Gives the score of a member.",
    since: v(1, 2, 0),
    arity: 3,
    syntax: "key member",
    handler: zscore,
    ..LOOK
};

/// `ZMSCORE key member [member ...]`: an array of scores, with nil for members that are not there.
pub static ZMSCORE: Command = Command {
    name: "zmscore",
    summary: "Gives the scores of members.",
    complexity: "O(1) for each member.",
    since: v(6, 2, 0),
    arity: -3,
    syntax: "key member...",
    handler: zmscore,
    ..LOOK
};

/// `ZCARD key`: the number of members.
pub static ZCARD: Command = Command {
    name: "zcard",
    summary: "Gives the number of members.",
    since: v(1, 2, 0),
    arity: 2,
    syntax: "key",
    keys: &[KeySpec::at(1, Access::RO)],
    handler: zcard,
    ..LOOK
};

/// `ZRANK key member [WITHSCORE]`: how many members come before, or nil; with the score, an array of both, or nil.
pub static ZRANK: Command = Command {
    name: "zrank",
    summary: "Gives the rank of a member in ascending order, from zero.",
    syntax: "key member [WITHSCORE]@7.2.0",
    handler: |cx, args, reply| rank(cx, args, reply, false),
    ..RANK
};

/// `ZREVRANK key member [WITHSCORE]`: how many members come after, or nil; with the score, an array of both, or nil.
pub static ZREVRANK: Command = Command {
    name: "zrevrank",
    summary: "Gives the rank of a member in descending order, from zero.",
    syntax: "key member [WITHSCORE]@7.2.0",
    handler: |cx, args, reply| rank(cx, args, reply, true),
    ..RANK
};

/// `ZRANDMEMBER key [count [WITHSCORES]]`: a member or nil; so many different members, or all, if there is a count; if
/// it is negative, so many that may be the same.
pub static ZRANDMEMBER: Command = Command {
    name: "zrandmember",
    summary: "Gives members drawn at random.",
    complexity: "O(N log M) for N drawn of M members.",
    since: v(6, 2, 0),
    arity: -2,
    syntax: "key options=[count:int [WITHSCORES]]",
    tips: &["nondeterministic_output"],
    former: &[Former::before(Release::V7_0).with(Flags::RANDOM)],
    handler: zrandmember,
    ..READ
};

bitflags::bitflags! {
    /// Options of `ZADD`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) struct Options: u8 {
        /// Only members that are not there.
        const NX = 1 << 0;
        /// Only members that are there.
        const XX = 1 << 1;
        /// Members that are there only get greater scores.
        const GT = 1 << 2;
        /// Members that are there only get lesser scores.
        const LT = 1 << 3;
        /// Changed scores are counted too.
        const CH = 1 << 4;
        /// The score is an increment.
        const INCR = 1 << 5;
    }
}

impl Options {
    /// Reads options from argument 2 on; gives the number of the argument behind them.
    fn read(self, release: Release, args: Args) -> (Options, usize) {
        let (mut options, mut at) = (self, 2);
        while let Some(word) = args.get(at) {
            options |= match word {
                word if is_word(word, "nx") => Options::NX,
                word if is_word(word, "xx") => Options::XX,
                word if is_word(word, "ch") => Options::CH,
                word if is_word(word, "incr") => Options::INCR,
                word if is_word(word, "gt") && release.has(v(6, 2, 0)) => Options::GT,
                word if is_word(word, "lt") && release.has(v(6, 2, 0)) => Options::LT,
                _ => break,
            };
            at += 1;
        }
        (options, at)
    }

    fn check(self, pairs: usize) -> Result<(), CommandError> {
        let exclusive = Options::NX | Options::GT | Options::LT;
        if self.contains(Options::NX | Options::XX) {
            Err(CommandError::NxWithXx)
        } else if self.intersection(exclusive).bits().count_ones() > 1 {
            Err(CommandError::GtLtNx)
        } else if self.contains(Options::INCR) && pairs > 1 {
            Err(CommandError::IncrOfMany)
        } else {
            Ok(())
        }
    }
}

fn zadd(cx: &mut Cx, args: Args, reply: &mut Reply, given: Options) -> Result<(), CommandError> {
    let (options, first) = given.read(cx.release(), args);
    let rest = args.len() - first;
    if rest == 0 || !rest.is_multiple_of(2) {
        return Err(CommandError::Syntax);
    }
    options.check(rest / 2)?;
    let release = cx.release();
    let score =
        |bytes| float::parse(decimal_of(bytes, release, Release::V4_0)).ok_or(CommandError::NotAFloat);
    let scores = args.iter_from(first).step_by(2).map(score);
    if rest == 2 {
        let score = score(args.at(first))?;
        return add(cx, args.at(1), options, std::iter::once((score, args.at(first + 1))), reply);
    }
    let scores = scores.collect::<Result<SmallVec<[f64; 16]>, _>>()?;
    cx.weigh(scores.len())?;
    let members = args.iter_from(first + 1).step_by(2);
    add(cx, args.at(1), options, scores.into_iter().zip(members), reply)
}

/// Gives members scores, and replies as `ZADD` does.
#[inline]
pub(super) fn add<'a>(
    cx: &mut Cx,
    key: &[u8],
    options: Options,
    pairs: impl ExactSizeIterator<Item = (f64, &'a [u8])>,
    reply: &mut Reply,
) -> Result<(), CommandError> {
    let release = cx.release();
    // Whether members decide on the representation by their number alone, before they are looked at.
    let announces = release.has(v(7, 2, 0));
    let mut change = cx.change::<ZSet>(key)?;
    let (mut added, mut changed, mut result, mut is_nan) = (0, 0, None, false);
    if change.existed() || !options.contains(Options::XX) {
        let (zset, params) = change.parts();
        if announces && pairs.len() > params.zset.packed_entries {
            zset.spread(params.zset.seed);
        }
        for (score, member) in pairs {
            zset.update(member, &params.zset, |old| {
                let new = match old {
                    None if options.contains(Options::XX) => return None,
                    Some(_) if options.contains(Options::NX) => return None,
                    Some(old) if options.contains(Options::INCR) => old + score,
                    _ => score,
                };
                if new.is_nan() {
                    is_nan = true;
                    return None;
                }
                match old {
                    Some(old) if options.contains(Options::GT) && new <= old => return None,
                    Some(old) if options.contains(Options::LT) && new >= old => return None,
                    Some(old) => changed += u64::from(new != old),
                    None => added += 1,
                }
                result = Some(new);
                result
            });
        }
    }
    if is_nan {
        change.leave();
        return Err(CommandError::ScoreNotANumber);
    }
    if added + changed == 0 {
        change.leave();
    } else {
        let name = if options.contains(Options::INCR) { "zincr" } else { "zadd" };
        change.commit_many(Event(Class::ZSET, name), added + changed);
    }
    if options.contains(Options::INCR) {
        match result {
            Some(score) => reply.double(float::format(score, release)),
            None => reply.null(),
        }
    } else {
        let changed = if options.contains(Options::CH) { changed } else { 0 };
        reply.integer((added + changed) as i64);
    }
    Ok(())
}

fn zrem(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let Some(mut change) = cx.change_existing::<ZSet>(args.at(1))? else {
        reply.integer(0);
        return Ok(());
    };
    let removed = args.iter_from(2).filter(|member| change.remove(member).is_some()).count();
    reply.count(removed);
    if removed == 0 {
        change.leave();
    } else {
        change.commit_many(Event(Class::ZSET, "zrem"), removed as u64);
    }
    Ok(())
}

fn zscore(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let release = cx.release();
    let score = cx.read_object::<ZSet>(args.at(1))?.and_then(|zset| zset.score(args.at(2)));
    put_score_or_null(reply, score, release);
    Ok(())
}

fn zmscore(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let release = cx.release();
    let zset = cx.read_object::<ZSet>(args.at(1))?;
    let members = args.iter_from(2);
    reply.array(members.len());
    for member in members {
        put_score_or_null(reply, zset.as_ref().and_then(|zset| zset.score(member)), release);
    }
    Ok(())
}

fn put_score_or_null(reply: &mut Reply, score: Option<f64>, release: Release) {
    match score {
        Some(score) => reply.double(float::format(score, release)),
        None => reply.null(),
    }
}

fn zcard(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    reply.count(cx.read_object::<ZSet>(args.at(1))?.map_or(0, |zset| zset.len()));
    Ok(())
}

fn rank(cx: &mut Cx, args: Args, reply: &mut Reply, descending: bool) -> Result<(), CommandError> {
    let with_score = match args.get(3) {
        _ if args.len() > 4 => return Err(CommandError::Arity(cx.entry.full_name.clone())),
        Some(word) if is_word(word, "withscore") => true,
        Some(_) => return Err(CommandError::Syntax),
        None => false,
    };
    let release = cx.release();
    let zset = cx.read_object::<ZSet>(args.at(1))?;
    let found = zset.as_ref().and_then(|zset| Some((zset.len(), zset.rank(args.at(2))?)));
    let rank = found.map(|(len, rank)| if descending { len - 1 - rank } else { rank });
    match (rank, with_score) {
        (Some(rank), false) => reply.count(rank),
        (None, false) => reply.null(),
        (Some(rank), true) => {
            reply.array(2);
            reply.count(rank);
            put_score_or_null(reply, zset.and_then(|zset| zset.score(args.at(2))), release);
        }
        (None, true) => reply.null_array(),
    }
    Ok(())
}

fn zrandmember(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let key = args.at(1);
    let scales = cx.scales();
    let mut draw = cx.draws(key);
    let Some(count) = args.get(2) else {
        let zset = cx.read_object::<ZSet>(key)?;
        if zset.and_then(|zset| zset.random(&mut draw, |member, _| bulk(reply, member))).is_none() {
            reply.null();
        }
        return Ok(());
    };
    let draws = Draws::parse(cx.release(), count)?;
    let with_scores = match args.get(3) {
        Some(word) if args.len() == 4 && is_word(word, "withscores") => true,
        Some(_) => return Err(CommandError::Syntax),
        None => false,
    };
    if with_scores && draws.asked_for() > i64::MAX as usize / 2 {
        return Err(CommandError::OutOfRange);
    }
    let members = Members::new(cx, with_scores);
    let Some(zset) = cx.read_object::<ZSet>(key)? else {
        reply.array(0);
        return Ok(());
    };
    let count = draws.from(zset.len())?;
    scales.weigh(count)?;
    members.header(reply, count);
    let mut put = |member: Item, score| members.put(reply, member, score);
    match draws {
        Draws::Different(asked_for) if asked_for > 1 && count == zset.len() => {
            // All of them, the last first, as Redis gives them.
            zset.for_range_back(0, count, put);
        }
        Draws::Different(_) => zset.sample(count, &mut draw, put),
        Draws::Any(_) => {
            for _ in 0..count {
                zset.random(&mut draw, &mut put);
            }
        }
    }
    Ok(())
}

/// How members are written: with their scores or without.
#[derive(Clone, Copy)]
pub(super) struct Members {
    release: Release,
    scores: bool,
}

impl Members {
    pub(super) fn new(cx: &Cx, scores: bool) -> Self {
        Members { release: cx.release(), scores }
    }

    /// Writes the header of so many members: of a flat array in RESP2, of one of pairs in RESP3.
    #[inline]
    pub(super) fn header(self, reply: &mut Reply, count: usize) {
        reply.array(if self.scores && !reply.is_resp3() { 2 * count } else { count });
    }

    /// Writes a member.
    #[inline]
    pub(super) fn put(self, reply: &mut Reply, member: Item, score: f64) {
        if !self.scores {
            return bulk(reply, member);
        }
        if reply.is_resp3() {
            reply.array(2);
        }
        self.put_flat(reply, member, score);
    }

    /// Writes a member and its score, one after the other in both protocols.
    #[inline]
    pub(super) fn put_flat(self, reply: &mut Reply, member: Item, score: f64) {
        bulk(reply, member);
        reply.double(float::format(score, self.release));
    }
}

/// Makes a key this sorted set, whatever it was, and gives the number of members; there is no key if there are none.
pub(super) fn store(cx: &mut Cx, key: &[u8], zset: ZSet, event: Event, changes: u64) -> usize {
    let mut spot = cx.spot(key);
    let len = zset.len();
    if !zset.is_empty() {
        spot.replace(Entry::with_object(key, zset));
        spot.commit_many(event, changes);
    } else if spot.exists() {
        let lazily = spot.params().lazy_server_del;
        spot.delete(lazily);
        spot.commit(Event(Class::GENERIC, "del"));
    } else {
        spot.leave();
    }
    len
}
