//! Sorted sets: unions, intersections and differences of sorted sets and sets, whose members count as having score one.

use super::zsets::{Members, ZSET, store};
use crate::commands::family;
use crate::parse::{self, integer, is_word};
use crate::{Command, CommandError, Cx, float};
use command::{Access, Flags, Former, KeySpec, Range, Release, v};
use keyspace::{Class, Event};
use resp::{Args, Reply};
use smallvec::SmallVec;
use structures::entry::Kind;
use structures::packed::Item;
use structures::set::Set;
use structures::thin::Read;
use structures::zset::{Gathered, ZSet};

family!(ZUNION, ZINTER, ZDIFF, ZUNIONSTORE, ZINTERSTORE, ZDIFFSTORE, ZINTERCARD);

/// Giving the result.
const GIVE: Command = Command {
    since: v(6, 2, 0),
    arity: -3,
    flags: Flags::READONLY.union(Flags::MOVABLEKEYS),
    keys: &[KeySpec::counted(1, Access::RO.union(Access::ACCESS))],
    range: Range::NONE,
    ..ZSET
};

/// Storing the result.
const STORE: Command = Command {
    since: v(2, 0, 0),
    arity: -4,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::MOVABLEKEYS),
    keys: &[
        KeySpec::at(1, Access::OW.union(Access::UPDATE)),
        KeySpec::counted(2, Access::RO.union(Access::ACCESS)),
    ],
    former: &[Former::before(Release::V6_2).range(0, 0, 0)],
    ..ZSET
};

/// How the work of a union grows.
const UNION_WORK: &str = "O(N+M log M) for N members of all sets and M of the result.";
/// How the work of an intersection grows.
const INTER_WORK: &str = "O(NK+M log M) for N members of the smallest of K sets and M of the result.";
/// How the work of a difference grows.
const DIFF_WORK: &str =
    "O(min(NK, L)+M log M) for N members of the first of K sets, L of all and M of the result.";

/// `ZUNION keys key [key ...] [WEIGHTS weight ...] [AGGREGATE SUM | MIN | MAX] [WITHSCORES]`: an array of members.
pub static ZUNION: Command = Command {
    name: "zunion",
    summary: "Gives the members of any of some sets.",
    syntax: "numkeys:int key... [WEIGHTS weight:int...] aggregate=[AGGREGATE (SUM | MIN | MAX)] \
             [WITHSCORES]",
    complexity: UNION_WORK,
    handler: |cx, args, reply| give(cx, args, reply, Operation::Union),
    ..GIVE
};

/// `ZINTER keys key [key ...] [WEIGHTS weight ...] [AGGREGATE SUM | MIN | MAX] [WITHSCORES]`: an array of members.
pub static ZINTER: Command = Command {
    name: "zinter",
    summary: "Gives the members that some sets have in common.",
    syntax: "numkeys:int key... [WEIGHTS weight:int...] aggregate=[AGGREGATE (SUM | MIN | MAX)] \
             [WITHSCORES]",
    complexity: INTER_WORK,
    handler: |cx, args, reply| give(cx, args, reply, Operation::Inter),
    ..GIVE
};

/// `ZDIFF keys key [key ...] [WITHSCORES]`: an array of members.
pub static ZDIFF: Command = Command {
    name: "zdiff",
    summary: "Gives the members of the first of some sets that are in no other.",
    syntax: "numkeys:int key... [WITHSCORES]",
    complexity: DIFF_WORK,
    handler: |cx, args, reply| give(cx, args, reply, Operation::Diff),
    ..GIVE
};

/// `ZUNIONSTORE destination keys key [key ...] [WEIGHTS weight ...] [AGGREGATE SUM | MIN | MAX]`: how many members.
pub static ZUNIONSTORE: Command = Command {
    name: "zunionstore",
    summary: "Stores the members of any of some sets.",
    syntax: "destination:key numkeys:int key... [WEIGHTS weight:int...] aggregate=[AGGREGATE (SUM | \
             MIN | MAX)]",
    complexity: UNION_WORK,
    handler: |cx, args, reply| store_result(cx, args, reply, Operation::Union, "zunionstore"),
    ..STORE
};

/// `ZINTERSTORE destination keys key [key ...] [WEIGHTS weight ...] [AGGREGATE SUM | MIN | MAX]`: how many members.
pub static ZINTERSTORE: Command = Command {
    name: "zinterstore",
    summary: "Stores the members that some sets have in common.",
    syntax: "destination:key numkeys:int key... [WEIGHTS weight:int...] aggregate=[AGGREGATE (SUM | \
             MIN | MAX)]",
    complexity: INTER_WORK,
    handler: |cx, args, reply| store_result(cx, args, reply, Operation::Inter, "zinterstore"),
    ..STORE
};

/// `ZDIFFSTORE destination keys key [key ...]`: how many members.
pub static ZDIFFSTORE: Command = Command {
    name: "zdiffstore",
    summary: "Stores the members of the first of some sets that are in no other.",
    syntax: "destination:key numkeys:int key...",
    complexity: DIFF_WORK,
    since: v(6, 2, 0),
    handler: |cx, args, reply| store_result(cx, args, reply, Operation::Diff, "zdiffstore"),
    ..STORE
};

/// `ZINTERCARD keys key [key ...] [LIMIT limit]`: how many members.
pub static ZINTERCARD: Command = Command {
    name: "zintercard",
    summary: "Counts the members that some sets have in common.",
    syntax: "numkeys:int key... [LIMIT limit:int]",
    complexity: "O(NK) for N members of the smallest of K sets.",
    since: v(7, 0, 0),
    handler: zintercard,
    ..GIVE
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Union,
    Inter,
    Diff,
}

/// What becomes of the scores of a member that is in several sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aggregate {
    Sum,
    Min,
    Max,
}

impl Aggregate {
    /// Scores that are not a number, as infinity times zero, only come in where Redis lets them in: they never get
    /// into a result.
    #[inline]
    fn of(self, a: f64, b: f64) -> f64 {
        match self {
            // Infinity plus minus infinity.
            Aggregate::Sum => number_or_zero(a + b),
            Aggregate::Min => {
                if b < a {
                    b
                } else {
                    a
                }
            }
            Aggregate::Max => {
                if b > a {
                    b
                } else {
                    a
                }
            }
        }
    }
}

#[inline]
fn number_or_zero(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

/// The arguments that all commands share.
struct Request<'a> {
    keys: Args<'a>,
    /// One for each key.
    weights: SmallVec<[f64; 4]>,
    aggregate: Aggregate,
    with_scores: bool,
    /// How many common members are counted at most.
    limit: usize,
}

/// The words that a command understands behind its keys.
#[derive(Clone, Copy)]
struct Words {
    weights: bool,
    with_scores: bool,
    limit: bool,
}

/// Reads the keys, the number of which is argument `at`; finds out whether they are sets; reads the options.
fn request<'a>(cx: &mut Cx, args: Args<'a>, at: usize, words: Words) -> Result<Request<'a>, CommandError> {
    let count = integer(args.at(at))?;
    if count < 1 {
        let name = || cx.entry.full_name.clone();
        return Err(match cx.release() {
            Release::V3_0 | Release::V4_0 | Release::V5_0 => CommandError::NoInputKey5,
            Release::V6_2 => CommandError::NoInputKey6(name()),
            _ => CommandError::NoInputKey7(name()),
        });
    }
    let first = at + 1;
    let count = usize::try_from(count).ok().filter(|&count| count <= args.len() - first);
    let keys = args.slice(first..first + count.ok_or(CommandError::Syntax)?);
    // Before 7.0, who stores looks at the sources without counting it.
    let counts = !words.with_scores || cx.release().has(v(7, 0, 0));
    for key in keys.iter() {
        is_set(cx, key, counts)?;
    }
    let mut request = Request {
        keys,
        weights: SmallVec::from_elem(1.0, keys.len()),
        aggregate: Aggregate::Sum,
        with_scores: false,
        limit: usize::MAX,
    };
    options(args, first + keys.len(), words, &mut request)?;
    Ok(request)
}

fn options(args: Args, at: usize, words: Words, request: &mut Request) -> Result<(), CommandError> {
    let mut at = at;
    while let Some(word) = args.get(at) {
        let left = args.len() - at - 1;
        if words.weights && left >= request.keys.len() && is_word(word, "weights") {
            for (weight, bytes) in request.weights.iter_mut().zip(args.iter_from(at + 1)) {
                *weight = float::parse(bytes).ok_or(CommandError::Weight)?;
            }
            at += request.keys.len();
        } else if words.weights && left >= 1 && is_word(word, "aggregate") {
            at += 1;
            request.aggregate = match args.at(at) {
                word if is_word(word, "sum") => Aggregate::Sum,
                word if is_word(word, "min") => Aggregate::Min,
                word if is_word(word, "max") => Aggregate::Max,
                _ => return Err(CommandError::Syntax),
            };
        } else if words.with_scores && is_word(word, "withscores") {
            request.with_scores = true;
        } else if words.limit && left >= 1 && is_word(word, "limit") {
            at += 1;
            let limit = parse::integer_in(args.at(at), 0..=i64::MAX, CommandError::NegativeLimit)?;
            request.limit = if limit == 0 { usize::MAX } else { limit as usize };
        } else {
            return Err(CommandError::Syntax);
        }
        at += 1;
    }
    Ok(())
}

/// Fails if a key holds neither a sorted set nor a set. An expired key goes.
fn is_set(cx: &mut Cx, key: &[u8], counts: bool) -> Result<(), CommandError> {
    let kind = if counts {
        cx.read(key).map(|entry| entry.kind())
    } else {
        let spot = cx.spot(key);
        let kind = spot.entry().map(|entry| entry.kind());
        spot.leave();
        kind
    };
    match kind {
        None | Some(Kind::ZSet | Kind::Set) => Ok(()),
        Some(_) => Err(CommandError::WrongType),
    }
}

/// A source of members.
enum Source<'a> {
    ZSet(Read<'a, ZSet>),
    Set(Read<'a, Set>),
    Nothing,
}

impl<'a> Source<'a> {
    fn at(cx: &'a Cx, key: &[u8]) -> Source<'a> {
        match cx.peek_object(key) {
            Some(zset) => Source::ZSet(zset),
            None => cx.peek_object(key).map_or(Source::Nothing, Source::Set),
        }
    }

    fn len(&self) -> usize {
        match self {
            Source::ZSet(zset) => zset.len(),
            Source::Set(set) => set.len(),
            Source::Nothing => 0,
        }
    }

    fn score(&self, member: &[u8]) -> Option<f64> {
        match self {
            Source::ZSet(zset) => zset.score(member),
            Source::Set(set) => set.contains(member).then_some(1.0),
            Source::Nothing => None,
        }
    }

    /// Whether `test` holds for a member; stops at the first.
    fn any(&self, mut test: impl FnMut(Item, f64) -> bool) -> bool {
        match self {
            Source::ZSet(zset) => zset.any_from(0, test),
            Source::Set(set) => set.any(|member| test(member, 1.0)),
            Source::Nothing => false,
        }
    }

    fn for_each(&self, mut visit: impl FnMut(Item, f64)) {
        self.any(|member, score| {
            visit(member, score);
            false
        });
    }
}

/// The result of an operation, as a table however small it is.
fn operate(cx: &Cx, operation: Operation, request: &Request) -> Result<ZSet, CommandError> {
    let mut result = Gathered::new(cx.params().zset.seed);
    let mut sources: SmallVec<[(Source, f64); 4]> =
        request.keys.iter().map(|key| Source::at(cx, key)).zip(request.weights.iter().copied()).collect();
    if operation != Operation::Diff {
        // Sums of doubles depend on their order.
        sources.sort_by_key(|(source, _)| source.len());
    }
    let total: usize = sources.iter().map(|(source, _)| source.len()).sum();
    let aggregate = request.aggregate;
    match operation {
        Operation::Union => {
            cx.weigh(total)?;
            for (source, weight) in &sources {
                source.for_each(|member, score| {
                    let score = number_or_zero(weight * score);
                    member.with_bytes(|member| {
                        result.update(member, |old| old.map_or(score, |old| aggregate.of(old, score)));
                    });
                });
            }
        }
        Operation::Inter => {
            let [(smallest, weight), others @ ..] = &sources[..] else { return Ok(result.into_zset()) };
            cx.weigh(smallest.len().saturating_mul(sources.len()))?;
            smallest.for_each(|member, score| {
                member.with_bytes(|member| {
                    let first = number_or_zero(weight * score);
                    let all = others.iter().try_fold(first, |all, (other, weight)| {
                        Some(aggregate.of(all, weight * other.score(member)?))
                    });
                    if let Some(score) = all {
                        result.add(member, score);
                    }
                });
            });
        }
        Operation::Diff => {
            let [(first, _), others @ ..] = &sources[..] else { return Ok(result.into_zset()) };
            let lookups = first.len().saturating_mul(others.len());
            cx.weigh(total.min(first.len() + lookups))?;
            if lookups <= total {
                first.for_each(|member, score| {
                    member.with_bytes(|member| {
                        if others.iter().all(|(other, _)| other.score(member).is_none()) {
                            result.add(member, score);
                        }
                    });
                });
            } else {
                first.for_each(|member, score| member.with_bytes(|member| result.add(member, score)));
                for (other, _) in others {
                    other.for_each(|member, _| member.with_bytes(|member| result.remove(member)));
                }
            }
        }
    }
    Ok(result.into_zset())
}

fn give(cx: &mut Cx, args: Args, reply: &mut Reply, operation: Operation) -> Result<(), CommandError> {
    let words = Words { weights: operation != Operation::Diff, with_scores: true, limit: false };
    let request = request(cx, args, 1, words)?;
    let result = operate(cx, operation, &request)?;
    let members = Members::new(cx, request.with_scores);
    members.header(reply, result.len());
    result.for_each(|member, score| members.put(reply, member, score));
    Ok(())
}

fn store_result(
    cx: &mut Cx,
    args: Args,
    reply: &mut Reply,
    operation: Operation,
    event: &'static str,
) -> Result<(), CommandError> {
    let words = Words { weights: operation != Operation::Diff, with_scores: false, limit: false };
    let request = request(cx, args, 2, words)?;
    let mut result = operate(cx, operation, &request)?;
    result.pack_if_small(&cx.params().zset);
    reply.count(store(cx, args.at(1), result, Event(Class::ZSET, event), 1));
    Ok(())
}

fn zintercard(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let words = Words { weights: false, with_scores: false, limit: true };
    let Request { keys, limit, .. } = request(cx, args, 1, words)?;
    let mut sources: SmallVec<[Source; 4]> = keys.iter().map(|key| Source::at(cx, key)).collect();
    sources.sort_by_key(Source::len);
    let mut count = 0;
    if let [smallest, others @ ..] = &sources[..] {
        cx.weigh(smallest.len().saturating_mul(sources.len()))?;
        smallest.any(|member, _| {
            let is_common =
                member.with_bytes(|member| others.iter().all(|other| other.score(member).is_some()));
            count += usize::from(is_common);
            count >= limit
        });
    }
    reply.count(count);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_that_are_no_numbers_do_not_get_into_results() {
        let inf = f64::INFINITY;
        assert_eq!(Aggregate::Sum.of(inf, -inf), 0.0);
        assert_eq!(Aggregate::Sum.of(1.0, f64::NAN), 0.0);
        assert_eq!(Aggregate::Min.of(1.0, f64::NAN), 1.0);
        assert_eq!(Aggregate::Max.of(1.0, f64::NAN), 1.0);
        assert_eq!((Aggregate::Min.of(2.0, -inf), Aggregate::Max.of(2.0, 3.0)), (-inf, 3.0));
        assert_eq!(number_or_zero(inf * 0.0), 0.0);
    }
}
