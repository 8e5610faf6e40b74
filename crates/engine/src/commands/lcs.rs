//! What two strings have in common: their longest common subsequence.
//!
//! There may be several of the same length. Which one is given, and as which ranges, follows from the order in which
//! the table of lengths is walked back: from both ends, and where their last bytes differ, first along the second
//! string as long as the length stays what it is. Of the table nothing is kept but where a length grows along the second
//! string, a bit for each pair of positions; these bits are computed 64 at a time (Hyyrö, "Bit-parallel LCS-length
//! computation revisited", 2004).

use crate::commands::family;
use crate::commands::strings::{LengthLimit, STRING};
use crate::parse::is_word;
use crate::{Command, CommandError, Cx};
use command::{Access, Find, Flags, KeySpec, Range, v};
use resp::{Args, Reply};
use std::borrow::Cow;

family!(LCS, STRALGO);

/// `LCS key1 key2 [LEN | IDX] [MINMATCHLEN length] [WITHMATCHLEN]`: the subsequence; with `LEN` its length; with `IDX`
/// a map of `matches`, ranges in both strings from the last to the first, and `len`.
pub static LCS: Command = Command {
    name: "lcs",
    summary: "Finds the longest subsequence that two strings have in common.",
    complexity: "O(N*M) for strings of N and M bytes.",
    since: v(7, 0, 0),
    arity: -3,
    syntax: "key1:key key2:key0 [LEN] [IDX] [MINMATCHLEN len:int] [WITHMATCHLEN]",
    flags: Flags::READONLY,
    keys: &[KeySpec::range(1, 1, 1, Access::RO.union(Access::ACCESS))],
    range: Range::new(1, 2, 1),
    handler: lcs,
    ..STRING
};

/// `STRALGO LCS KEYS key1 key2 | STRINGS string1 string2 [LEN | IDX] [MINMATCHLEN length] [WITHMATCHLEN]`: as [`LCS`].
pub static STRALGO: Command = Command {
    name: "stralgo",
    since: v(6, 0, 0),
    until: Some(v(7, 0, 0)),
    arity: -2,
    syntax: "",
    flags: Flags::READONLY.union(Flags::MOVABLEKEYS),
    keys: &[KeySpec {
        find: Find::Range { last: 1, step: 1, limit: 0 },
        ..KeySpec::after("KEYS", 2, Access::RO.union(Access::ACCESS))
    }],
    range: Range::NONE,
    handler: stralgo,
    ..LCS
};

/// What is told of the subsequence.
#[derive(Default)]
struct Options {
    len: bool,
    idx: bool,
    with_match_len: bool,
    min_match_len: i64,
}

impl Options {
    /// Parses an option, and what belongs to it; whether it is one.
    fn parse<'a>(
        &mut self,
        cx: &Cx,
        word: &[u8],
        words: &mut (impl Iterator<Item = &'a [u8]> + Clone),
    ) -> Result<bool, CommandError> {
        if is_word(word, "IDX") {
            self.idx = true;
        } else if is_word(word, "LEN") {
            self.len = true;
        } else if is_word(word, "WITHMATCHLEN") {
            self.with_match_len = true;
        } else if is_word(word, "MINMATCHLEN") {
            let Some(text) = words.next() else { return Ok(false) };
            self.min_match_len = cx.integer(text)?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }
}

fn lcs(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let keys = [args.at(1), args.at(2)];
    check_types(cx, keys)?;
    let mut options = Options::default();
    let mut words = args.iter_from(3);
    while let Some(word) = words.next() {
        if !options.parse(cx, word, &mut words)? {
            return Err(CommandError::Syntax);
        }
    }
    answer(cx, Source::Keys(keys), &options, reply)
}

fn stralgo(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    if !is_word(args.at(1), "LCS") {
        return Err(CommandError::Syntax);
    }
    let mut options = Options::default();
    let mut source = None;
    let mut words = args.iter_from(2);
    while let Some(word) = words.next() {
        if options.parse(cx, word, &mut words)? {
            continue;
        }
        let keys = is_word(word, "KEYS");
        if !keys && !is_word(word, "STRINGS") {
            return Err(CommandError::Syntax);
        }
        let (Some(a), Some(b)) = (words.next(), words.next()) else { return Err(CommandError::Syntax) };
        if source.is_some() {
            return Err(CommandError::LcsStringsOrKeys);
        }
        if keys {
            check_types(cx, [a, b])?;
        }
        source = Some(if keys { Source::Keys([a, b]) } else { Source::Strings([a, b]) });
    }
    answer(cx, source.ok_or(CommandError::LcsWithoutStrings)?, &options, reply)
}

/// Where the two strings are.
enum Source<'a> {
    Keys([&'a [u8]; 2]),
    Strings([&'a [u8]; 2]),
}

/// Reads both keys: they hold strings, or nothing.
fn check_types(cx: &mut Cx, keys: [&[u8]; 2]) -> Result<(), CommandError> {
    let is_string = keys.map(|key| cx.read(key).is_none_or(|entry| entry.kind().is_string()));
    if is_string == [true, true] { Ok(()) } else { Err(CommandError::LcsWrongType) }
}

fn answer(cx: &Cx, source: Source, options: &Options, reply: &mut Reply) -> Result<(), CommandError> {
    /// As much work as one member of a collection.
    const CELLS_A_MEMBER: usize = 4096;
    /// What Redis' table takes for a pair of positions.
    const CELL_BYTES: u64 = 4;
    if options.len && options.idx {
        return Err(CommandError::LcsLenAndIdx);
    }
    let entries;
    let [a, b]: [Cow<[u8]>; 2] = match source {
        Source::Strings(strings) => strings.map(Cow::Borrowed),
        Source::Keys(keys) => {
            entries = keys.map(|key| cx.peek(key));
            entries.each_ref().map(|entry| {
                let text = entry.as_ref().and_then(|entry| entry.text());
                text.map_or(Cow::Borrowed(&b""[..]), |text| text.to_bytes())
            })
        }
    };
    let cells = (a.len() as u64 + 1).saturating_mul(b.len() as u64 + 1);
    if cells.saturating_mul(CELL_BYTES) > LengthLimit::of(cx).bytes {
        return Err(CommandError::LcsTooLong);
    }
    cx.weigh(cells as usize / CELLS_A_MEMBER)?;
    if options.len {
        reply.count(common_len(&a, &b, |_| {}));
        return Ok(());
    }
    let (len, matches) = common(&a, &b);
    if !options.idx {
        let common: Vec<u8> =
            matches.iter().rev().flat_map(|run| &a[run.a..run.a + run.len]).copied().collect();
        reply.bulk(common);
        return Ok(());
    }
    let long_enough = |run: &&Match| run.len as i64 >= options.min_match_len;
    reply.map(2);
    reply.bulk("matches");
    reply.array(matches.iter().filter(long_enough).count());
    for run in matches.iter().filter(long_enough) {
        reply.array(2 + usize::from(options.with_match_len));
        for start in [run.a, run.b] {
            reply.array(2);
            reply.count(start);
            reply.count(start + run.len - 1);
        }
        if options.with_match_len {
            reply.count(run.len);
        }
    }
    reply.bulk("len");
    reply.count(len);
    Ok(())
}

/// A part that two strings have in common: where it begins in each, and its length.
#[derive(Debug, PartialEq, Eq)]
struct Match {
    a: usize,
    b: usize,
    len: usize,
}

/// The length of the longest common subsequence. Gives, for each beginning of `a`, where the length does not grow with
/// the bytes of `b`: a bit for each of them that is set, and set bits after them.
fn common_len(a: &[u8], b: &[u8], mut each: impl FnMut(&[u64])) -> usize {
    const NONE: usize = usize::MAX;
    let words = b.len().div_ceil(64);
    if words == 0 {
        return 0;
    }
    // Where each byte of `a` stands in `b`.
    let mut numbers = [NONE; 256];
    let mut different = 0;
    for byte in a {
        let number = &mut numbers[usize::from(*byte)];
        if *number == NONE {
            *number = different;
            different += 1;
        }
    }
    let mut places = vec![0u64; different * words];
    for (index, byte) in b.iter().enumerate() {
        match numbers[usize::from(*byte)] {
            NONE => {}
            number => places[number * words + index / 64] |= 1 << (index % 64),
        }
    }
    let mut row = vec![u64::MAX; words];
    for byte in a {
        let number = numbers[usize::from(*byte)];
        let mut carry = false;
        for (word, place) in row.iter_mut().zip(&places[number * words..]) {
            let (sum, over) = word.overflowing_add(*word & place);
            let (sum, over_by_carry) = sum.overflowing_add(u64::from(carry));
            carry = over | over_by_carry;
            *word = sum | *word & !place;
        }
        each(&row);
    }
    row.iter().map(|word| word.count_zeros() as usize).sum()
}

/// The length of the longest common subsequence, and its parts, the last first.
fn common(a: &[u8], b: &[u8]) -> (usize, Vec<Match>) {
    let width = b.len().div_ceil(8);
    let mut rows: Vec<u8> = Vec::with_capacity(a.len() * width + 8);
    let len = common_len(a, b, |row| {
        let end = rows.len() + width;
        row.iter().for_each(|word| rows.extend_from_slice(&word.to_le_bytes()));
        rows.truncate(end);
    });
    let grows = |i: usize, j: usize| rows[i * width + j / 8] >> (j % 8) & 1 == 0;
    let mut matches: Vec<Match> = Vec::new();
    let (mut i, mut j) = (a.len(), b.len());
    let mut joins = false;
    while i > 0 && j > 0 {
        if a[i - 1] == b[j - 1] {
            (i, j) = (i - 1, j - 1);
            match matches.last_mut().filter(|_| joins) {
                Some(last) => *last = Match { a: i, b: j, len: last.len + 1 },
                None => matches.push(Match { a: i, b: j, len: 1 }),
            }
            joins = true;
        } else {
            if grows(i - 1, j - 1) {
                i -= 1
            } else {
                j -= 1
            }
            joins = false;
        }
    }
    (len, matches)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_subsequence_is_the_one_of_a_real_server() {
        let (len, matches) = common(b"ohmytext", b"mynewtext");
        assert_eq!(len, 6);
        assert_eq!(matches, [Match { a: 4, b: 5, len: 4 }, Match { a: 2, b: 0, len: 2 }]);
        assert_eq!(common(b"", b"abc"), (0, Vec::new()));
        assert_eq!(common(b"abc", b"abc"), (3, vec![Match { a: 0, b: 0, len: 3 }]));
    }
    /// The same from the whole table of lengths.
    fn from_table(a: &[u8], b: &[u8]) -> (usize, Vec<Match>) {
        let mut table = vec![vec![0; b.len() + 1]; a.len() + 1];
        for (i, byte_a) in a.iter().enumerate() {
            for (j, byte_b) in b.iter().enumerate() {
                table[i + 1][j + 1] =
                    if byte_a == byte_b { table[i][j] + 1 } else { table[i][j + 1].max(table[i + 1][j]) };
            }
        }
        let (mut i, mut j, mut joins) = (a.len(), b.len(), false);
        let mut matches: Vec<Match> = Vec::new();
        while i > 0 && j > 0 {
            let equal = a[i - 1] == b[j - 1];
            if equal {
                (i, j) = (i - 1, j - 1);
                let len = if joins { matches.pop().map_or(0, |last| last.len) } else { 0 };
                matches.push(Match { a: i, b: j, len: len + 1 });
            } else if table[i - 1][j] > table[i][j - 1] {
                i -= 1;
            } else {
                j -= 1;
            }
            joins = equal;
        }
        (table[a.len()][b.len()], matches)
    }

    #[test]
    fn bits_say_what_the_table_says() {
        let mut random = 1u64;
        let mut draw = |below: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % below
        };
        for round in 0..300 {
            let letters = 1 + round % 7;
            let [a, b] = [0, 1].map(|_| {
                let len = draw(200);
                (0..len).map(|_| b'a' + draw(letters) as u8).collect::<Vec<u8>>()
            });
            assert_eq!(common(&a, &b), from_table(&a, &b), "{a:?} {b:?}");
        }
    }
}
