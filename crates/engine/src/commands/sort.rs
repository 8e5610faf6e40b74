//! `SORT`: the elements of a list, set or sorted set in some order, or what other keys hold for them.
//!
//! The elements are copied first, so that the keys that patterns find can be read while they are at hand. Which keys
//! these are follows from the elements: with `BY` or `GET` all shards are held.

use crate::commands::family;
use crate::commands::hashes::seen;
use crate::error::CommandError;
use crate::{BASE, Command, Cx, float, parse};
use command::{Access, Category, Flags, Group, KeySpec, Range, Release, Untold, v};
use keyspace::slots::slot_of;
use keyspace::{Class, Event};
use resp::{Args, Reply};
use std::cmp::Ordering;
use std::ops;
use structures::entry::{Entry, Kind, Object};
use structures::hash::Hash;
use structures::list::{List, Side};
use structures::packed::Item;
use structures::set::Set;
use structures::zset::ZSet;

family!(SORT, SORT_RO);

/// The keys that `BY` and `GET` find.
const FOUND: KeySpec = KeySpec::unknown(Access::RO.union(Access::ACCESS)).knowing(Untold::Words(&["by", "get"])).noted(
    "For the optional BY/GET keyword. It is marked 'unknown' because the key names derive from the content of the key we sort",
);

/// The key that `STORE` names.
const STORED: KeySpec = KeySpec::unknown(Access::OW.union(Access::UPDATE)).knowing(Untold::After("store")).noted(
    "For the optional STORE keyword. It is marked 'unknown' because the keyword can appear anywhere in the argument array",
);

/// `SORT key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] [ALPHA]
/// [STORE destination]`: the sorted elements, or how many were stored.
pub static SORT: Command = Command {
    name: "sort",
    summary: "Sorts the elements of a list, set or sorted set, and may store them.",
    complexity: "O(N+M*log(M)) for N elements of which M are given; O(N) if nothing is sorted.",
    group: Group::Generic,
    arity: -2,
    syntax: "key [BY pattern:pattern1] [LIMIT (offset:int count:int)] [GET pattern:pattern1]... \
             order=[ASC | DESC] sorting=[ALPHA] [STORE destination:key2]",
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::MOVABLEKEYS),
    categories: Category::SET.union(Category::SORTEDSET).union(Category::LIST).union(Category::DANGEROUS),
    keys: &[KeySpec::at(1, Access::RO.union(Access::ACCESS)), FOUND, STORED],
    range: Range::ONE,
    handler: sort,
    ..BASE
};

/// `SORT_RO key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] [ALPHA]`: the sorted
/// elements.
pub static SORT_RO: Command = Command {
    name: "sort_ro",
    summary: "Sorts the elements of a list, set or sorted set.",
    syntax: "key [BY pattern:pattern1] [LIMIT (offset:int count:int)] [GET pattern:pattern1]... \
             order=[ASC | DESC] sorting=[ALPHA]",
    since: v(7, 0, 0),
    flags: Flags::READONLY.union(Flags::MOVABLEKEYS),
    keys: &[KeySpec::at(1, Access::RO.union(Access::ACCESS)), FOUND],
    handler: sort_ro,
    ..SORT
};

fn sort(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    run(cx, args, reply, true)
}

fn sort_ro(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    run(cx, args, reply, false)
}

fn run(cx: &mut Cx, args: Args, reply: &mut Reply, stores: bool) -> Result<(), CommandError> {
    let key = args.at(1);
    let (kind, mut options) = if cx.release().has(v(6, 2, 0)) {
        let options = Options::parse(cx, args, stores)?;
        // For a while looking at what is sorted into another key did not count as reading it.
        let reads = options.store.is_none() || cx.release().has(v(7, 0, 0));
        (kind_of(cx, key, reads)?, options)
    } else {
        (kind_of(cx, key, true)?, Options::parse(cx, args, stores)?)
    };
    // What is stored is in a definite order, if the elements have none of their own.
    let has_order = match kind {
        Some(Kind::Set) => false,
        Some(Kind::List) => cx.release().has(v(3, 2, 0)),
        _ => true,
    };
    if options.unsorted && options.store.is_some() && !has_order {
        options = Options { unsorted: false, alpha: true, by: None, ..options };
    }
    let (mut elements, range) = load(cx, key, kind, &options)?;
    if !options.unsorted {
        elements.sort(cx, &options)?;
    }
    elements.list.truncate(range.end);
    elements.list.drain(..range.start);
    match options.store {
        Some(destination) => store(cx, destination, &elements, &options, reply),
        None => give(cx, &elements, &options, reply),
    }
    Ok(())
}

/// What the key holds, if that can be sorted.
fn kind_of(cx: &mut Cx, key: &[u8], reads: bool) -> Result<Option<Kind>, CommandError> {
    let entry = if reads { cx.read(key) } else { cx.peek(key) };
    match entry.map(|entry| entry.kind()) {
        kind @ (None | Some(Kind::List | Kind::Set | Kind::ZSet)) => Ok(kind),
        Some(_) => Err(CommandError::WrongType),
    }
}

/// What the client asks for.
#[derive(Debug, Default)]
struct Options<'a> {
    descending: bool,
    /// Whether elements are compared as text, not as numbers.
    alpha: bool,
    /// The first element to be given.
    offset: i64,
    /// How many are to be given; all if negative.
    count: i64,
    /// What to sort by, if not by the elements themselves.
    by: Option<Pattern<'a>>,
    /// Whether the elements are wanted in the order that they have.
    unsorted: bool,
    /// What is wanted of each element, if not itself.
    get: Vec<Pattern<'a>>,
    /// The key to store the elements at.
    store: Option<&'a [u8]>,
}

impl<'a> Options<'a> {
    fn parse(cx: &Cx, args: Args<'a>, stores: bool) -> Result<Self, CommandError> {
        let mut own = Options { count: -1, ..Options::default() };
        let key = args.at(1);
        let mut words = args.iter_from(2);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(CommandError::Syntax);
            match () {
                () if parse::is_word(word, "asc") => own.descending = false,
                () if parse::is_word(word, "desc") => own.descending = true,
                () if parse::is_word(word, "alpha") => own.alpha = true,
                () if parse::is_word(word, "limit") => {
                    let (offset, count) = (value()?, value()?);
                    (own.offset, own.count) = (cx.integer(offset)?, cx.integer(count)?);
                }
                () if parse::is_word(word, "by") => {
                    let text = value()?;
                    let pattern = Pattern::parse(text);
                    if matches!(pattern, Pattern::Key { .. }) {
                        may_be_elsewhere(cx, key, text, pattern, "BY")?;
                    }
                    own.unsorted |= !matches!(pattern, Pattern::Key { .. });
                    own.by = Some(pattern);
                }
                () if parse::is_word(word, "get") => {
                    let text = value()?;
                    let pattern = Pattern::parse(text);
                    may_be_elsewhere(cx, key, text, pattern, "GET")?;
                    own.get.push(pattern);
                }
                () if parse::is_word(word, "store") && stores => own.store = Some(value()?),
                () => return Err(CommandError::Syntax),
            }
        }
        Ok(own)
    }

    /// Which of so many elements are wanted.
    fn range(&self, len: usize) -> ops::Range<usize> {
        let start = usize::try_from(self.offset).unwrap_or(0).min(len);
        let count = usize::try_from(self.count).unwrap_or(len);
        start..start.saturating_add(count).min(len)
    }
}

/// Refuses a pattern on a node of a cluster where the keys that it finds may belong to other slots.
fn may_be_elsewhere(
    cx: &Cx,
    key: &[u8],
    text: &[u8],
    pattern: Pattern,
    option: &'static str,
) -> Result<(), CommandError> {
    if cx.node.member.is_none() {
        return Ok(());
    }
    if cx.release() < Release::V7_4 {
        return Err(CommandError::SortInCluster(option));
    }
    if pattern == Pattern::Element || slot_of_pattern(text) == Some(slot_of(key)) {
        return Ok(());
    }
    Err(CommandError::SortInCluster7(option))
}

/// The slot of all keys that match a pattern, if that is known: what is special comes after the tag.
fn slot_of_pattern(pattern: &[u8]) -> Option<u16> {
    let special = pattern.iter().position(|byte| b"*?[\\".contains(byte));
    let plain = &pattern[..special.unwrap_or(pattern.len())];
    let open = plain.iter().position(|&byte| byte == b'{');
    let closes = open.is_some_and(|open| plain[open + 1..].iter().position(|&byte| byte == b'}') > Some(0));
    (special.is_none() || closes).then(|| slot_of(plain))
}

/// What leads from an element to a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pattern<'a> {
    /// The element itself.
    Element,
    /// Nothing: the pattern names one key, whatever the element.
    Nothing,
    /// A string, or a field of a hash, at the key that has the element between these.
    Key { prefix: &'a [u8], postfix: &'a [u8], field: Option<&'a [u8]> },
}

impl<'a> Pattern<'a> {
    fn parse(pattern: &'a [u8]) -> Self {
        let find = |bytes: &[u8], needle: &[u8]| {
            up_to_zero(bytes).windows(needle.len()).position(|window| window == needle)
        };
        if pattern == b"#" {
            return Pattern::Element;
        }
        let Some(star) = find(pattern, b"*") else { return Pattern::Nothing };
        let (prefix, rest) = (&pattern[..star], &pattern[star + 1..]);
        match find(rest, b"->") {
            Some(arrow) if rest.get(arrow + 2).is_some_and(|&byte| byte != 0) => {
                Pattern::Key { prefix, postfix: &rest[..arrow], field: Some(&rest[arrow + 2..]) }
            }
            _ => Pattern::Key { prefix, postfix: rest, field: None },
        }
    }

    /// Shows what the pattern finds for an element, if anything; `key` is any buffer.
    fn find<R>(
        self,
        cx: &mut Cx,
        element: &[u8],
        key: &mut Vec<u8>,
        show: impl FnOnce(Item) -> R,
    ) -> Option<R> {
        match self {
            Pattern::Element => Some(show(Item::Str(element))),
            Pattern::Nothing => None,
            Pattern::Key { prefix, postfix, field } => {
                key.clear();
                [prefix, element, postfix].iter().for_each(|part| key.extend_from_slice(part));
                let hidden_ms = cx.hidden_until_ms();
                let entry = cx.read(key)?;
                match field {
                    Some(field) => {
                        let hash = entry.into_object::<Hash>()?;
                        seen(&hash, field, hidden_ms).map(show)
                    }
                    None => entry.into_text().map(show),
                }
            }
        }
    }
}

/// Copies of elements.
#[derive(Debug, Default)]
struct Elements {
    /// The bytes of all, and of what they are sorted by.
    bytes: Vec<u8>,
    list: Vec<Element>,
}

/// An element: where its bytes are, and what it is sorted by.
#[derive(Debug)]
struct Element {
    text: ops::Range<usize>,
    score: f64,
    by: Option<ops::Range<usize>>,
}

/// Copies the elements of a key, those that are wanted at least; gives which these are once they are sorted.
fn load(
    cx: &mut Cx,
    key: &[u8],
    kind: Option<Kind>,
    options: &Options,
) -> Result<(Elements, ops::Range<usize>), CommandError> {
    let mut elements = Elements::default();
    // Those that are not to be sorted are taken in their own order, if they have one, and no more than are wanted.
    let unsorted = options.unsorted;
    let range = match kind {
        Some(Kind::List) => {
            let has_order = cx.release().has(v(3, 2, 0));
            weigh::<List>(cx, key, List::len)?;
            let Some(list) = cx.peek_object::<List>(key) else { return Ok((elements, 0..0)) };
            let range = options.range(list.len());
            match (unsorted && has_order, options.descending) {
                (false, _) => list.iter().for_each(|item| elements.add(item)),
                (true, false) => {
                    list.iter_from(range.start).take(range.len()).for_each(|item| elements.add(item));
                }
                (true, true) => {
                    let back = list.iter_back_from((list.len() - range.start).saturating_sub(1));
                    back.take(range.len()).for_each(|item| elements.add(item));
                }
            }
            if unsorted && has_order { 0..range.len() } else { range }
        }
        Some(Kind::Set) => {
            weigh::<Set>(cx, key, Set::len)?;
            let Some(set) = cx.peek_object::<Set>(key) else { return Ok((elements, 0..0)) };
            set.for_each(|member| elements.add(member));
            options.range(set.len())
        }
        Some(Kind::ZSet) => {
            weigh::<ZSet>(cx, key, ZSet::len)?;
            spread(cx, key)?;
            let Some(zset) = cx.peek_object::<ZSet>(key) else { return Ok((elements, 0..0)) };
            let (len, range) = (zset.len(), options.range(zset.len()));
            match (unsorted, options.descending) {
                (false, _) => zset.for_each(|member, _| elements.add(member)),
                (true, false) => zset.for_range(range.start, range.end, |member, _| elements.add(member)),
                (true, true) => {
                    zset.for_range_back(len - range.end, len - range.start, |member, _| elements.add(member));
                }
            }
            if unsorted { 0..range.len() } else { range }
        }
        _ => 0..0,
    };
    Ok((elements, range))
}

fn weigh<O: Object>(cx: &Cx, key: &[u8], len: impl FnOnce(&O) -> usize) -> Result<(), CommandError> {
    cx.weigh(cx.peek_object::<O>(key).map_or(0, |object| len(&object)))
}

/// Makes a small sorted set a large one, as sorting does in all releases.
fn spread(cx: &mut Cx, key: &[u8]) -> Result<(), CommandError> {
    if cx.peek_object::<ZSet>(key).is_some_and(|zset| matches!(*zset, ZSet::Packed(_))) {
        let mut zset = cx.change::<ZSet>(key)?;
        let (own, params) = zset.parts();
        own.spread(params.zset.seed);
        zset.leave();
    }
    Ok(())
}

impl Elements {
    fn add(&mut self, item: Item) {
        let text = self.copy(item);
        self.list.push(Element { text, score: 0.0, by: None });
    }

    fn copy(&mut self, item: Item) -> ops::Range<usize> {
        let start = self.bytes.len();
        item.with_bytes(|bytes| self.bytes.extend_from_slice(bytes));
        start..self.bytes.len()
    }

    fn text(&self, element: &Element) -> &[u8] {
        &self.bytes[element.text.clone()]
    }

    /// Finds out what the elements are sorted by, and sorts them.
    fn sort(&mut self, cx: &mut Cx, options: &Options) -> Result<(), CommandError> {
        let mut key = Vec::new();
        for index in 0..self.list.len() {
            let text = self.list[index].text.clone();
            match (options.by, options.alpha) {
                (None, true) => break,
                (None, false) => self.list[index].score = score(Item::Str(&self.bytes[text]))?,
                (Some(by), false) => {
                    if let Some(found) = by.find(cx, &self.bytes[text], &mut key, score) {
                        self.list[index].score = found?;
                    }
                }
                (Some(by), true) => {
                    let found = by.find(cx, &self.bytes[text], &mut key, |item| item.to_bytes().into_owned());
                    self.list[index].by = found.map(|bytes| self.copy(Item::Str(&bytes)));
                }
            }
        }
        let Elements { bytes, list } = self;
        let text = |element: &Element| &bytes[element.text.clone()];
        // What is not stored is compared as text, which to C ends at its first zero.
        let shown = |range: &ops::Range<usize>| match options.store {
            None => up_to_zero(&bytes[range.clone()]),
            Some(_) => &bytes[range.clone()],
        };
        let compare = |a: &Element, b: &Element| match (options.alpha, options.by) {
            (true, Some(_)) => a.by.as_ref().map(shown).cmp(&b.by.as_ref().map(shown)),
            (true, None) => shown(&a.text).cmp(shown(&b.text)),
            (false, _) => {
                let scores = a.score.partial_cmp(&b.score).unwrap_or(Ordering::Equal);
                scores.then_with(|| text(a).cmp(text(b)))
            }
        };
        // Those that are alike stay in their order, in either direction.
        list.sort_by(|a, b| if options.descending { compare(b, a) } else { compare(a, b) });
        Ok(())
    }
}

/// The number that a string is for sorting: C's `strtod` must read all of it, without losing what it is.
fn score(item: Item) -> Result<f64, CommandError> {
    let bytes = match item {
        Item::Int(value) => return Ok(value as f64),
        Item::Str(bytes) => up_to_zero(bytes),
    };
    if bytes.is_empty() {
        return Ok(0.0);
    }
    let text = bytes.trim_ascii_start();
    let value = float::parse(text).ok_or(CommandError::NotSortable)?;
    let vanished = || {
        let digits = text.split(|byte| matches!(byte, b'e' | b'E' | b'p' | b'P')).next().unwrap_or_default();
        digits.iter().any(|byte| matches!(byte, b'1'..=b'9'))
    };
    let out_of_range = value.is_subnormal()
        || value.is_infinite() && text.iter().any(u8::is_ascii_digit)
        || value == 0.0 && vanished();
    if out_of_range { Err(CommandError::NotSortable) } else { Ok(value) }
}

/// What C sees of a string.
fn up_to_zero(bytes: &[u8]) -> &[u8] {
    bytes.split(|&byte| byte == 0).next().unwrap_or_default()
}

/// Gives the elements, or what is wanted of them, to the client.
fn give(cx: &mut Cx, elements: &Elements, options: &Options, reply: &mut Reply) {
    reply.array(elements.list.len() * options.get.len().max(1));
    let mut key = Vec::new();
    for element in &elements.list {
        let text = elements.text(element);
        if options.get.is_empty() {
            reply.bulk(text);
        }
        for pattern in &options.get {
            let found = pattern.find(cx, text, &mut key, |item| match item {
                Item::Str(bytes) => reply.bulk(bytes),
                Item::Int(value) => reply.bulk_integer(value),
            });
            if found.is_none() {
                reply.null();
            }
        }
    }
}

/// Stores the elements, or what is wanted of them, as a list; what is not there is stored as an empty string.
fn store(cx: &mut Cx, destination: &[u8], elements: &Elements, options: &Options, reply: &mut Reply) {
    let (mut list, mut longest) = (List::empty(), 0);
    let mut push = |bytes: &[u8]| {
        longest = bytes.len().max(longest);
        list.push(Side::Right, bytes);
    };
    let mut key = Vec::new();
    for element in &elements.list {
        let text = elements.text(element);
        if options.get.is_empty() {
            push(text);
        }
        for pattern in &options.get {
            if pattern.find(cx, text, &mut key, |item| item.with_bytes(&mut push)).is_none() {
                push(b"");
            }
        }
    }
    let stored = list.len();
    list.widen(cx.params().list, longest);
    let lazily = cx.params().lazy_server_del;
    let mut spot = cx.spot(destination);
    if stored > 0 {
        spot.replace(Entry::with_object(destination, list));
        spot.commit_many(Event(Class::LIST, "sortstore"), stored as u64);
    } else if spot.delete(lazily) {
        spot.commit(Event(Class::GENERIC, "del"));
    } else {
        spot.leave();
    }
    reply.count(stored);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_lead_to_keys_and_fields() {
        let key = |prefix: &'static str, postfix: &'static str, field: Option<&'static str>| Pattern::Key {
            prefix: prefix.as_bytes(),
            postfix: postfix.as_bytes(),
            field: field.map(str::as_bytes),
        };
        for (pattern, want) in [
            ("#", Pattern::Element),
            ("##", Pattern::Nothing),
            ("", Pattern::Nothing),
            ("nosort", Pattern::Nothing),
            ("no->sort", Pattern::Nothing),
            ("*", key("", "", None)),
            ("w_*", key("w_", "", None)),
            ("a*b*c", key("a", "b*c", None)),
            ("h*x->f", key("h", "x", Some("f"))),
            ("h*->", key("h", "->", None)),
            ("->*", key("->", "", None)),
            ("h*->a->b", key("h", "", Some("a->b"))),
            ("no\0*", Pattern::Nothing),
            ("h*\0->f", key("h", "\0->f", None)),
        ] {
            assert_eq!(Pattern::parse(pattern.as_bytes()), want, "{pattern:?}");
        }
    }

    #[test]
    fn scores_are_what_strtod_reads() {
        for (text, want) in [
            ("", Some(0.0)),
            (" 5", Some(5.0)),
            ("5 ", None),
            ("  ", None),
            ("0x10", Some(16.0)),
            ("-1.5e3", Some(-1500.0)),
            ("inf", Some(f64::INFINITY)),
            ("1e400", None),
            ("1e-320", None),
            ("1e-400", None),
            ("0e-400", Some(0.0)),
            ("nan", None),
            ("7\0x", Some(7.0)),
        ] {
            assert_eq!(score(Item::Str(text.as_bytes())).ok(), want, "{text:?}");
        }
    }

    #[test]
    fn limits_are_cut_to_the_elements() {
        for (offset, count, want) in [
            (0, -1, 0..5),
            (2, 2, 2..4),
            (4, 10, 4..5),
            (-3, 2, 0..2),
            (9, 1, 5..5),
            (i64::MAX, i64::MAX, 5..5),
            (1, i64::MAX, 1..5),
            (0, 0, 0..0),
        ] {
            assert_eq!(Options { offset, count, ..Options::default() }.range(5), want);
        }
    }
}
