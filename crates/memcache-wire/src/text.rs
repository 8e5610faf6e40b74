//! Requests of the text protocol, a line each.
//!
//! A line is parsed by [`parse_line`]; the two commonest requests are also recognised where they stand in the input,
//! without looking for the line's end first ([`short_get`], [`short_set`]). These say nothing of what they do not
//! recognise, and a test holds them to give what `parse_line` gives.
//!
//! An error that is not to be answered since the request says `noreply` is [`Request::Ignored`].

use crate::KEY_MAX;
use crate::binary;
use crate::block::Block;
use crate::error::Error;
use crate::meta::Meta;
use crate::number;
use crate::words::{First, Words};

/// Largest length of a block of data that can be announced.
pub(crate) const BLOCK_MAX: i32 = i32::MAX - 2;

/// A request, of any of the protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// `get`, `gets`, `gat`, `gats`.
    Get(Get<'a>),
    /// `set` and those like it. Data follows.
    Store(Store<'a>),
    /// `delete`.
    Delete {
        /// The item.
        key: &'a [u8],
        /// Whether nothing is to be answered.
        noreply: bool,
    },
    /// `incr`, `decr`.
    Arithmetic {
        /// The item.
        key: &'a [u8],
        /// What is to be added or taken away.
        delta: u64,
        /// Whether it is to be taken away.
        decrements: bool,
        /// Whether nothing is to be answered.
        noreply: bool,
    },
    /// `touch`.
    Touch {
        /// The item.
        key: &'a [u8],
        /// As the client gave it.
        exptime: i32,
        /// Whether nothing is to be answered.
        noreply: bool,
    },
    /// `mg`, `ms`, `md`, `ma`, `me`. Data may follow.
    Meta(Meta<'a>),
    /// `mn`: answered at once, whatever else waits.
    NoOp,
    /// `flush_all`.
    FlushAll {
        /// As the client gave it: seconds, or seconds since the epoch.
        exptime: Option<i32>,
        /// Whether nothing is to be answered.
        noreply: bool,
    },
    /// `verbosity`.
    Verbosity {
        /// As the client gave it; there are fewer levels than numbers.
        level: u32,
        /// Whether nothing is to be answered.
        noreply: bool,
    },
    /// `version`.
    Version,
    /// `quit`.
    Quit,
    /// `cache_memlimit`.
    MemoryLimit {
        /// The limit, in MB.
        megabytes: u32,
        /// Whether nothing is to be answered.
        noreply: bool,
    },
    /// Commands about the server, and the words behind their names.
    Admin(Admin, Words<'a>),
    /// A frame of the binary protocol. Data may follow.
    Binary(binary::Request<'a>),
    /// What cannot be understood, and what is to be answered.
    Wrong(Error),
    /// What cannot be understood and is not to be answered.
    Ignored,
}

impl<'a> Request<'a> {
    /// The length of the block of data that belongs to it, without its end, if one does.
    #[inline]
    pub fn block_len(&self) -> Option<u32> {
        match self {
            Request::Store(store) => Some(store.len),
            Request::Meta(meta) => meta.block_len(),
            Request::Binary(frame) => Some(frame.value_len()),
            _ => None,
        }
    }

    /// Its block of data, if one belongs to it.
    #[inline]
    pub fn block(&self) -> Option<Block<'a>> {
        match self {
            Request::Store(store) => Some(store.block),
            Request::Meta(meta) => meta.block_len().map(|_| meta.block),
            Request::Binary(frame) => Some(frame.block),
            _ => None,
        }
    }

    /// The same with this block of data.
    #[inline]
    #[must_use]
    pub fn with_block(mut self, block: Block<'a>) -> Self {
        match &mut self {
            Request::Store(store) => store.block = block,
            Request::Meta(meta) => meta.block = block,
            Request::Binary(frame) => frame.block = block,
            _ => debug_assert!(false, "no data belongs to it"),
        }
        self
    }
}

/// Which command stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Whatever there is.
    Set,
    /// If there is no such item.
    Add,
    /// If there is one.
    Replace,
    /// Behind the value that there is.
    Append,
    /// Before the value that there is.
    Prepend,
    /// If the item has not changed.
    Cas,
}

/// A request that stores something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Store<'a> {
    /// The command.
    pub verb: Verb,
    /// The item.
    pub key: &'a [u8],
    /// What the client keeps beside the value.
    pub flags: u32,
    /// As the client gave it: seconds, seconds since the epoch, or negative for what has expired already.
    pub exptime: i32,
    /// The length of the value, in bytes.
    pub len: u32,
    /// What the item must be for [`Verb::Cas`]; zero for others.
    pub cas: u64,
    /// Whether nothing is to be answered.
    pub noreply: bool,
    /// The value.
    pub block: Block<'a>,
}

/// A request for items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Get<'a> {
    /// Which. None is too long; there may be none at all behind `gat`.
    pub keys: Words<'a>,
    /// Whether it is to be told what each item must be for [`Verb::Cas`].
    pub with_cas: bool,
    /// The time that items are to expire at, as the client gave it, if it is to change.
    pub exptime: Option<i32>,
}

/// Commands about the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admin {
    /// `stats`
    Stats,
    /// `shutdown`
    Shutdown,
    /// `slabs`
    Slabs,
    /// `lru`
    Lru,
    /// `lru_crawler`
    LruCrawler,
    /// `watch`
    Watch,
    /// `refresh_certs`
    RefreshCerts,
    /// `extstore`
    Extstore,
}

/// Parses a line, which is given without its end. Nothing if it is one at which the connection ends.
pub(crate) fn parse_line(line: &[u8]) -> Option<Request<'_>> {
    // The line ends at a NUL, as a string in C does.
    let line = memchr::memchr(0, line).map_or(line, |end| &line[..end]);
    let mut words = Words::new(line);
    let Some(name) = words.next() else { return Some(Request::Wrong(Error::Unknown)) };
    Some(match name {
        b"get" | b"bget" => get(words, false, false),
        b"gets" => get(words, true, false),
        b"gat" => get(words, false, true),
        b"gats" => get(words, true, true),
        b"set" => store(Verb::Set, words),
        b"add" => store(Verb::Add, words),
        b"replace" => store(Verb::Replace, words),
        b"append" => store(Verb::Append, words),
        b"prepend" => store(Verb::Prepend, words),
        b"cas" => store(Verb::Cas, words),
        b"mn" => Request::NoOp,
        [b'm', kind] => Meta::parse(*kind, words),
        b"delete" => delete(words),
        b"incr" => arithmetic(words, false),
        b"decr" => arithmetic(words, true),
        b"touch" => touch(words),
        b"flush_all" => flush_all(words),
        b"verbosity" => verbosity(words),
        b"version" => Request::Version,
        b"quit" => Request::Quit,
        b"cache_memlimit" => memory_limit(words),
        b"stats" => Request::Admin(Admin::Stats, words),
        b"shutdown" => Request::Admin(Admin::Shutdown, words),
        b"slabs" => Request::Admin(Admin::Slabs, words),
        b"lru" => Request::Admin(Admin::Lru, words),
        b"lru_crawler" => Request::Admin(Admin::LruCrawler, words),
        b"watch" => Request::Admin(Admin::Watch, words),
        b"refresh_certs" => Request::Admin(Admin::RefreshCerts, words),
        b"extstore" => Request::Admin(Admin::Extstore, words),
        // A browser, most likely: what follows are headers.
        _ if is_http(name, words) => return None,
        _ => Request::Wrong(Error::Unknown),
    })
}

/// Whether the line could be the first of an HTTP request, among those that are no commands.
fn is_http(name: &[u8], words: Words) -> bool {
    let may_be = name.len() > 1 && !matches!(name[0], b'g' | b's' | b'a' | b'c' | b'i' | b'd' | b't');
    may_be && words.last().is_some_and(|word| word.starts_with(b"HTTP/"))
}

fn get(mut words: Words, with_cas: bool, touches: bool) -> Request {
    let mut keys = words;
    let Some(first) = words.next() else { return Request::Wrong(Error::Unknown) };
    let mut exptime = None;
    if touches {
        let Some(number) = number::signed_32(first) else { return Request::Wrong(Error::Exptime) };
        (keys, exptime) = (words, Some(number));
    }
    // Half an answer cannot be taken back: keys are looked at before any item is.
    let mut left = keys;
    if left.rest().len() > KEY_MAX && left.any(|key| key.len() > KEY_MAX) {
        return Request::Wrong(Error::Format);
    }
    Request::Get(Get { keys, with_cas, exptime })
}

/// What is answered to something wrong.
fn wrong<'a>(error: Error, noreply: bool) -> Request<'a> {
    if noreply { Request::Ignored } else { Request::Wrong(error) }
}

fn is_noreply(word: &[u8]) -> bool {
    word == b"noreply"
}

fn store(verb: Verb, words: Words) -> Request {
    let words = First::<6>::of(words);
    let least = if verb == Verb::Cas { 5 } else { 4 };
    if !(least..=least + 1).contains(&words.count) {
        return Request::Wrong(Error::Unknown);
    }
    let noreply = is_noreply(words.last());
    let parse = || {
        let len = number::signed_32(words[3]).filter(|len| (0..BLOCK_MAX + 1).contains(len))?;
        Some(Store {
            verb,
            key: Some(words[0]).filter(|key| key.len() <= KEY_MAX)?,
            flags: number::unsigned_32(words[1])?,
            exptime: number::signed_32(words[2])?,
            len: len as u32,
            cas: if verb == Verb::Cas { number::unsigned(words[4])? } else { 0 },
            noreply,
            block: Block::Follows,
        })
    };
    parse().map_or_else(|| wrong(Error::Format, noreply), Request::Store)
}

fn delete(words: Words) -> Request {
    let words = First::<3>::of(words);
    let noreply = words.count > 1 && is_noreply(words.last());
    let is_valid = match words.count {
        1 => true,
        // A time once stood here, for which the key could not be added again.
        2 => noreply || words[1] == b"0",
        3 => noreply && words[1] == b"0",
        _ => return Request::Wrong(Error::Unknown),
    };
    match words[0] {
        _ if !is_valid => wrong(Error::DeleteUsage, noreply),
        key if key.len() > KEY_MAX => wrong(Error::Format, noreply),
        key => Request::Delete { key, noreply },
    }
}

fn arithmetic(words: Words, decrements: bool) -> Request {
    let words = First::<3>::of(words);
    if !(2..=3).contains(&words.count) {
        return Request::Wrong(Error::Unknown);
    }
    let noreply = is_noreply(words.last());
    match (words[0], number::unsigned(words[1])) {
        (key, _) if key.len() > KEY_MAX => wrong(Error::Format, noreply),
        (_, None) => wrong(Error::Delta, noreply),
        (key, Some(delta)) => Request::Arithmetic { key, delta, decrements, noreply },
    }
}

fn touch(words: Words) -> Request {
    let words = First::<3>::of(words);
    if !(2..=3).contains(&words.count) {
        return Request::Wrong(Error::Unknown);
    }
    let noreply = is_noreply(words.last());
    match (words[0], number::signed_32(words[1])) {
        (key, _) if key.len() > KEY_MAX => wrong(Error::Format, noreply),
        (_, None) => wrong(Error::Exptime, noreply),
        (key, Some(exptime)) => Request::Touch { key, exptime, noreply },
    }
}

fn flush_all(words: Words) -> Request {
    let words = First::<2>::of(words);
    if words.count > 2 {
        return Request::Wrong(Error::Unknown);
    }
    let noreply = is_noreply(words.last());
    if words.count == usize::from(noreply) {
        return Request::FlushAll { exptime: None, noreply };
    }
    match number::signed_32(words[0]) {
        None => wrong(Error::Exptime, noreply),
        exptime => Request::FlushAll { exptime, noreply },
    }
}

fn verbosity(words: Words) -> Request {
    let words = First::<2>::of(words);
    if !(1..=2).contains(&words.count) {
        return Request::Wrong(Error::Unknown);
    }
    let noreply = is_noreply(words.last());
    match number::unsigned_32(words[0]) {
        None => wrong(Error::Format, noreply),
        Some(level) => Request::Verbosity { level, noreply },
    }
}

fn memory_limit(words: Words) -> Request {
    let words = First::<2>::of(words);
    if !(1..=2).contains(&words.count) {
        return Request::Wrong(Error::Unknown);
    }
    let noreply = is_noreply(words.last());
    match number::unsigned_32(words[0]) {
        None => wrong(Error::Unknown, noreply),
        Some(megabytes) => Request::MemoryLimit { megabytes, noreply },
    }
}

/// Where the first byte is that a plain key cannot have: white space, or a control character.
#[inline]
fn key_end(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    let mut at = 0;
    while let Some(chunk) = bytes[at..].first_chunk::<8>() {
        let word = u64::from_le_bytes(*chunk);
        // Bytes below 0x21 have their high bit set here; of those behind the first, others may have it too.
        let found = word.wrapping_sub(ONES * 0x21) & !word & HIGH;
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    bytes[at..].iter().position(|&byte| byte < 0x21).map(|end| at + end)
}

/// A request for one item, if the input begins with one that is plain and complete: its length and its key.
#[inline]
pub(crate) fn short_get(input: &[u8]) -> Option<(usize, Request<'_>)> {
    let rest = input.strip_prefix(b"get ")?;
    let end = key_end(rest)?;
    if !(1..=KEY_MAX).contains(&end) || rest.get(end..end + 2)? != b"\r\n" {
        return None;
    }
    let keys = Words::new(&rest[..end]);
    Some((4 + end + 2, Request::Get(Get { keys, with_cas: false, exptime: None })))
}

/// A number of at most nine digits, and what ends it behind it.
#[inline]
fn short_number<'a>(bytes: &'a [u8], end: &[u8]) -> Option<(u32, &'a [u8])> {
    let mut value = 0;
    for (len, &byte) in bytes.iter().take(10).enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return (len > 0).then_some((value, bytes[len..].strip_prefix(end)?));
        }
        if len < 9 {
            value = value * 10 + u32::from(digit);
        }
    }
    None
}

/// A `set`, if the input begins with one whose line is plain and complete: the line's length, and the request without
/// its data.
#[inline]
pub(crate) fn short_set(input: &[u8]) -> Option<(usize, Store<'_>)> {
    let rest = input.strip_prefix(b"set ")?;
    let end = key_end(rest)?;
    if !(1..=KEY_MAX).contains(&end) || rest[end] != b' ' {
        return None;
    }
    let key = &rest[..end];
    let (flags, rest) = short_number(&rest[end + 1..], b" ")?;
    let (exptime, rest) = short_number(rest, b" ")?;
    let (len, rest) = short_number(rest, b"\r\n")?;
    let store = Store {
        verb: Verb::Set,
        key,
        flags,
        exptime: exptime as i32,
        len,
        cas: 0,
        noreply: false,
        block: Block::Follows,
    };
    Some((input.len() - rest.len(), store))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(text: &str) -> Request<'_> {
        parse_line(text.as_bytes()).expect("the connection goes on")
    }

    #[test]
    fn what_is_wrong_is_answered_as_memcached_does() {
        let long = "k".repeat(251);
        let ignored = [
            "set x -1 0 1 noreply".into(),
            format!("set {long} 0 0 1 noreply"),
            "verbosity noreply".into(),
            "delete x 1 noreply".into(),
            "incr x 1a noreply".into(),
            "touch x foo noreply".into(),
        ];
        for text in &ignored {
            assert_eq!(line(text), Request::Ignored, "{text}");
        }
        for (text, want) in [
            ("", Error::Unknown),
            ("  ", Error::Unknown),
            ("\r", Error::Unknown),
            ("x", Error::Unknown),
            ("mx a", Error::Unknown),
            ("mnn", Error::Unknown),
            ("get", Error::Unknown),
            ("gat foo a", Error::Exptime),
            ("gat", Error::Unknown),
            ("set a 0 0", Error::Unknown),
            ("set a 0 0 -1", Error::Format),
            ("set a 0 0 abc", Error::Format),
            ("set a -1 0 1", Error::Format),
            ("set a 0x10 0 1", Error::Format),
            ("set a 0 0 2147483646", Error::Format),
            ("set a 0 0 1 noreply foo", Error::Unknown),
            ("cas a 0 0 1", Error::Unknown),
            ("cas a 0 0 1 abc", Error::Format),
            ("delete", Error::Unknown),
            ("delete a 10", Error::DeleteUsage),
            ("delete a noreply 0", Error::DeleteUsage),
            ("delete a 0 0 0", Error::Unknown),
            ("incr a", Error::Unknown),
            ("incr a abc", Error::Delta),
            ("incr a -1", Error::Delta),
            ("touch a abc", Error::Exptime),
            ("flush_all abc", Error::Exptime),
            ("flush_all 1 2 3", Error::Unknown),
            ("verbosity", Error::Unknown),
            ("verbosity foo", Error::Format),
            ("cache_memlimit foo", Error::Unknown),
            ("a b c HTTP/1.1", Error::Unknown),
            ("GET a", Error::Unknown),
        ] {
            assert_eq!(line(text), Request::Wrong(want), "{text:?}");
        }
        assert_eq!(parse_line(b"GET / HTTP/1.1"), None);
    }

    #[test]
    fn words_mean_what_they_mean_to_memcached() {
        let text = "cas k 4294967297 2147483648 3 18446744073709551615 noreply";
        let Request::Store(store) = line(text) else { panic!("it stores") };
        assert_eq!(
            store,
            Store {
                verb: Verb::Cas,
                key: b"k",
                flags: 1,
                exptime: i32::MIN,
                len: 3,
                cas: u64::MAX,
                noreply: true,
                block: Block::Follows,
            }
        );
        let Request::Get(get) = line("gats 100 a  b") else { panic!("it gets") };
        assert_eq!((get.with_cas, get.exptime), (true, Some(100)));
        assert_eq!(get.keys.collect::<Vec<_>>(), [b"a", b"b"]);
        let Request::Get(get) = line("gat 100") else { panic!("it gets") };
        assert!(get.keys.is_empty());
        assert_eq!(line("delete a 0 noreply"), Request::Delete { key: b"a", noreply: true });
        assert_eq!(line("flush_all noreply"), Request::FlushAll { exptime: None, noreply: true });
        assert_eq!(line("flush_all -1 x"), Request::FlushAll { exptime: Some(-1), noreply: false });
        assert_eq!(line("mn\0y 0"), Request::NoOp);
        assert_eq!(line("verbosity 4294967295 1"), Request::Verbosity { level: u32::MAX, noreply: false });
        assert_eq!(line("version foo"), Request::Version);
        assert_eq!(line("cache_memlimit 64 x"), Request::MemoryLimit { megabytes: 64, noreply: false });
    }

    #[test]
    fn a_line_of_keys_is_wrong_if_one_of_them_is() {
        let long = format!("get a {}", "k".repeat(251));
        assert_eq!(line(&long), Request::Wrong(Error::Format));
        let most = format!("get a {}", "k".repeat(250));
        assert!(matches!(line(&most), Request::Get(_)));
    }

    proptest! {
        #[test]
        fn the_short_ways_give_what_the_long_one_gives(
            text in "(get|set) [ -~\\x01\\x80]{0,20}( [0-9]{1,10}){0,4}\r?\n?",
        ) {
            let bytes = text.as_bytes();
            let end = memchr::memchr(b'\n', bytes);
            let long = |end: usize| {
                parse_line(bytes[..end].strip_suffix(b"\r").unwrap_or(&bytes[..end])).expect("no HTTP")
            };
            if let Some((len, request)) = short_get(bytes) {
                prop_assert_eq!(Some(len), end.map(|end| end + 1));
                let Request::Get(short) = request else { panic!("it gets") };
                let Request::Get(long) = long(len - 1) else { panic!("it gets") };
                prop_assert!(short.keys.eq(long.keys));
            }
            if let Some((len, store)) = short_set(bytes) {
                prop_assert_eq!(Some(len), end.map(|end| end + 1));
                prop_assert_eq!(Request::Store(store), long(len - 1));
            }
        }

        #[test]
        fn a_key_ends_where_it_ends(bytes in prop::collection::vec(
            prop_oneof![8 => any::<u8>(), 1 => Just(b' '), 1 => Just(0x21u8)], 0..40)) {
            prop_assert_eq!(key_end(&bytes), bytes.iter().position(|&byte| byte < 0x21));
        }
    }
}
