//! Iteration in steps: `SCAN` over keys, `SSCAN`, `HSCAN` and `ZSCAN` over members.
//!
//! A cursor is a place in the order of hashes, so that whatever is there throughout is given, and nothing is kept
//! between two steps. A step looks at whole buckets until it has seen as much as was asked for; what a pattern or a
//! type leaves out counts as seen. Small collections, which are not tables, are given at once.

use crate::commands::family;
use crate::commands::keys::{is_alive, type_name};
use crate::error::CommandError;
use crate::{BASE, Command, Cx, float, parse};
use command::{Access, Category, Flags, Former, Group, KeySpec, Range, Release, v};
use resp::{Args, Reply};
use structures::entry::Object;
use structures::hash::Hash;
use structures::packed::Item;
use structures::set::Set;
use structures::table::Item as _;
use structures::zset::ZSet;
use structures::{glob, number};

family!(SCAN, SSCAN, HSCAN, ZSCAN);

/// `SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]`: the next cursor, and keys.
pub static SCAN: Command = Command {
    name: "scan",
    summary: "Iterates over the keys of the database.",
    complexity: "O(1) for a step, O(N) for all N keys.",
    since: v(2, 8, 0),
    group: Group::Generic,
    arity: -2,
    syntax: "cursor:int [MATCH pattern:pattern] [COUNT count:int] [TYPE type]@6.0.0",
    flags: Flags::READONLY.union(Flags::RANDOM).union(Flags::KEYSPACE),
    categories: Category::KEYSPACE,
    tips: &["nondeterministic_output", "request_policy:special", "response_policy:special"],
    former: &[Former::before(Release::V7_4).tips(&["nondeterministic_output", "request_policy:special"])],
    handler: scan,
    ..BASE
};

/// What iterations over members have in common.
const MEMBERS: Command = Command {
    complexity: "O(1) for a step, O(N) for all N members.",
    since: v(2, 8, 0),
    arity: -3,
    flags: Flags::READONLY.union(Flags::RANDOM),
    keys: &[KeySpec::at(1, Access::RO.union(Access::ACCESS))],
    range: Range::ONE,
    tips: &["nondeterministic_output"],
    ..BASE
};

/// `SSCAN key cursor [MATCH pattern] [COUNT count]`: the next cursor, and members.
pub static SSCAN: Command = Command {
    name: "sscan",
    summary: "Iterates over the members of a set.",
    syntax: "key cursor:int [MATCH pattern:pattern] [COUNT count:int]",
    group: Group::Set,
    categories: Category::SET,
    handler: sscan,
    ..MEMBERS
};

/// `HSCAN key cursor [MATCH pattern] [COUNT count] [NOVALUES]`: the next cursor, and fields with their values.
pub static HSCAN: Command = Command {
    name: "hscan",
    summary: "Iterates over the fields of a hash.",
    syntax: "key cursor:int [MATCH pattern:pattern] [COUNT count:int] [NOVALUES]@7.4.0",
    group: Group::Hash,
    categories: Category::HASH,
    handler: hscan,
    ..MEMBERS
};

/// `ZSCAN key cursor [MATCH pattern] [COUNT count]`: the next cursor, and members with their scores.
pub static ZSCAN: Command = Command {
    name: "zscan",
    summary: "Iterates over the members of a sorted set.",
    syntax: "key cursor:int [MATCH pattern:pattern] [COUNT count:int]",
    group: Group::SortedSet,
    categories: Category::SORTEDSET,
    handler: zscan,
    ..MEMBERS
};

/// How many keys or members a step looks at if the client does not say.
const COUNT: i64 = 10;
/// Bits of a table's position that no cursor needs: positions are multiples of this power of two.
const SPARE_BITS: u32 = 16;

fn scan(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let cursor = parse_cursor(args.at(1), cx.release())?;
    let step = Step::parse(args, 2, Of::Keys, cx.release())?;
    let (db, now_ms) = (cx.session.db, cx.now_ms());
    cx.weigh(step.count.min(cx.locked.stats(db).keys))?;
    let mut dead: Vec<Box<[u8]>> = Vec::new();
    let mut page = Page::begin(reply);
    let next = cx.locked.scan(db, cursor, step.count, |entry| {
        let of_type = |name: &[u8]| parse::is_word(name, type_name(entry.kind()));
        if !step.matches(entry.key()) || !step.of_type.is_none_or(of_type) {
            return;
        }
        if is_alive(entry, now_ms) {
            page.bytes(entry.key());
        } else {
            dead.push(entry.key().into());
        }
    });
    page.end(next);
    // The dead go when they are met.
    dead.iter().for_each(|key| cx.spot(key).leave());
    Ok(())
}

fn sscan(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let Some(step) = begin(cx, args, reply, Of::Members, Set::len)? else { return Ok(()) };
    if let Some(set) = cx.peek_object::<Set>(args.at(1)) {
        step.run(reply, |position, page| {
            set.scan(position, |member| {
                if page.sees(&step, member) {
                    page.item(member);
                }
            })
        });
    }
    Ok(())
}

fn hscan(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let Some(step) = begin(cx, args, reply, Of::Fields, Hash::len)? else { return Ok(()) };
    let now_ms = cx.now_ms();
    if let Some(hash) = cx.peek_object::<Hash>(args.at(1)) {
        step.run(reply, |position, page| {
            hash.scan(position, |(field, value, expiry)| {
                if page.sees(&step, field) && expiry.is_none_or(|at_ms| at_ms >= now_ms) {
                    page.item(field);
                    if step.values {
                        page.item(value);
                    }
                }
            })
        });
    }
    Ok(())
}

fn zscan(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let Some(step) = begin(cx, args, reply, Of::Members, ZSet::len)? else { return Ok(()) };
    if let Some(zset) = cx.peek_object::<ZSet>(args.at(1)) {
        let release = match *zset {
            ZSet::Packed(_) => cx.release(),
            // Here the scores of large sets are printed in the old way even by the releases that have a new one.
            ZSet::Table(_) => Release::V7_0,
        };
        step.run(reply, |position, page| {
            zset.scan(position, |member, score| {
                if page.sees(&step, member) {
                    page.item(member);
                    page.bytes(float::format(score, release).as_bytes());
                }
            })
        });
    }
    Ok(())
}

/// What is iterated over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    Keys,
    Members,
    Fields,
}

/// What a client asks of one step.
#[derive(Debug)]
struct Step<'a> {
    /// Where it begins.
    cursor: u64,
    /// How much to look at.
    count: usize,
    /// What keys and members are to match, if not everything will do.
    pattern: Option<&'a [u8]>,
    /// The type that keys are to have.
    of_type: Option<&'a [u8]>,
    /// Whether fields are given with their values.
    values: bool,
}

/// Begins a step over the members of a key; none, with the reply written, if there is no such key.
fn begin<'a, O: Object>(
    cx: &mut Cx,
    args: Args<'a>,
    reply: &mut Reply,
    of: Of,
    len: impl FnOnce(&O) -> usize,
) -> Result<Option<Step<'a>>, CommandError> {
    let release = cx.release();
    let cursor = parse_cursor(args.at(2), release)?;
    let Some(members) = cx.read_object::<O>(args.at(1))?.map(|object| len(&object)) else {
        Page::begin(reply).end(0);
        return Ok(None);
    };
    let step = Step { cursor, ..Step::parse(args, 3, of, release)? };
    cx.weigh(step.count.min(members))?;
    Ok(Some(step))
}

impl<'a> Step<'a> {
    fn parse(args: Args<'a>, from: usize, of: Of, release: Release) -> Result<Self, CommandError> {
        let mut step = Step { cursor: 0, count: COUNT as usize, pattern: None, of_type: None, values: true };
        let mut options = args.iter_from(from);
        while let Some(option) = options.next() {
            if release.has(v(7, 4, 0)) && parse::is_word(option, "novalues") {
                if of != Of::Fields {
                    return Err(CommandError::NoValuesElsewhere);
                }
                step.values = false;
                continue;
            }
            let value = options.next().ok_or(CommandError::Syntax)?;
            if parse::is_word(option, "count") {
                step.count = usize::try_from(parse::integer_of(value, release)?)
                    .ok()
                    .filter(|&count| count > 0)
                    .ok_or(CommandError::Syntax)?;
            } else if parse::is_word(option, "match") {
                step.pattern = (value != b"*").then_some(value);
            } else if parse::is_word(option, "type") && of == Of::Keys && release.has(v(6, 0, 0)) {
                step.of_type = Some(value);
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(step)
    }

    fn matches(&self, bytes: &[u8]) -> bool {
        self.pattern.is_none_or(|pattern| glob::matches(pattern, bytes))
    }

    /// Visits members from the cursor on, by a function from one position to the next, and writes the reply.
    fn run(&self, reply: &mut Reply, mut visit: impl FnMut(u64, &mut Page) -> u64) {
        let mut page = Page::begin(reply);
        let mut position = self.cursor << SPARE_BITS;
        loop {
            position = visit(position, &mut page);
            if position == 0 || page.seen >= self.count {
                break;
            }
        }
        debug_assert_eq!(position.trailing_zeros().min(SPARE_BITS), SPARE_BITS);
        page.end(position >> SPARE_BITS);
    }
}

/// The reply of a step being written.
struct Page<'r> {
    reply: &'r mut Reply,
    /// Where the cursor and the header of the elements go.
    places: [resp::reply::Deferred; 2],
    /// How many elements have been written.
    len: usize,
    /// How many keys or members have been looked at.
    seen: usize,
}

impl<'r> Page<'r> {
    fn begin(reply: &'r mut Reply) -> Self {
        reply.array(2);
        let places = [reply.defer(), reply.defer()];
        Page { reply, places, len: 0, seen: 0 }
    }

    /// Counts a member as seen; whether it is to be given.
    fn sees(&mut self, step: &Step, member: Item) -> bool {
        self.seen += 1;
        step.pattern.is_none() || member.with_bytes(|bytes| step.matches(bytes))
    }

    fn item(&mut self, item: Item) {
        match item {
            Item::Str(bytes) => self.reply.bulk(bytes),
            Item::Int(value) => self.reply.bulk_integer(value),
        }
        self.len += 1;
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.reply.bulk(bytes);
        self.len += 1;
    }

    /// Puts in front where to go on.
    fn end(self, cursor: u64) {
        let [cursor_place, header] = self.places;
        self.reply.deferred_array(header, self.len);
        self.reply.deferred_bulk_integer(cursor_place, cursor);
    }
}

/// A cursor as C's `strtoul` reads it, which each release restricts in its own way.
fn parse_cursor(bytes: &[u8], release: Release) -> Result<u64, CommandError> {
    // To it, a string ends at its first zero.
    let text = bytes.split(|&byte| byte == 0).next().unwrap_or_default();
    let spaces = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t'..=b'\r')).count();
    let refused = if release.has(v(7, 2, 0)) {
        text.is_empty() || number::parse_i64(text).is_some_and(|value| value < 0)
    } else if text.is_empty() {
        return Ok(0);
    } else {
        spaces > 0
    };
    let (negative, digits) = match &text[spaces..] {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    // The parser of the standard library would take a second sign.
    let all_digits = digits.iter().all(u8::is_ascii_digit);
    let value = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<u64>().ok());
    match value {
        Some(value) if all_digits && !refused => Ok(if negative { value.wrapping_neg() } else { value }),
        _ => Err(CommandError::InvalidCursor),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_read_as_each_release_reads_them() {
        for (text, old, new) in [
            ("0", Some(0), Some(0)),
            ("17", Some(17), Some(17)),
            ("007", Some(7), Some(7)),
            ("+5", Some(5), Some(5)),
            ("-1", Some(u64::MAX), None),
            ("-01", Some(u64::MAX), Some(u64::MAX)),
            ("18446744073709551615", Some(u64::MAX), Some(u64::MAX)),
            ("18446744073709551616", None, None),
            ("", Some(0), None),
            (" 5", None, Some(5)),
            ("5 ", None, None),
            ("5\0x", Some(5), Some(5)),
            ("++5", None, None),
            ("-", None, None),
            ("abc", None, None),
        ] {
            assert_eq!(parse_cursor(text.as_bytes(), Release::V7_0).ok(), old, "{text:?}");
            assert_eq!(parse_cursor(text.as_bytes(), Release::V7_4).ok(), new, "{text:?}");
        }
    }
}
