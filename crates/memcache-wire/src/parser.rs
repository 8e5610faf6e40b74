//! The incremental parser of requests.
//!
//! The caller gives the bytes from where it is on, as many as have come, and takes away those that what it gets takes; when
//! they do not suffice, it gives them again with more behind them.
//!
//! A request that has data comes with its data if all of it is there. If not, the request comes at once and without, and
//! the parser gives the data next, in pieces as it comes. Whoever does not want it calls [`Parser::swallow`].
//!
//! Invariants: nothing is allocated; the work is linear in the bytes, however they are cut.

use crate::binary::{self, Frame};
use crate::block::{Block, BlockEnd};
use crate::text::{self, Request};

/// Longest beginning of a line that may be anything, in bytes: a longer line can only be one of keys.
const LINE_MAX: usize = 2048;
/// Most blanks before a line of keys that is longer.
const BLANKS_MAX: usize = 100;
/// Longest line of keys, in bytes.
pub const KEYS_LINE_MAX: usize = 16 << 20;

/// What a client speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// Nothing yet: its first byte will tell.
    #[default]
    Unknown,
    /// The text protocol, meta commands included.
    Text,
    /// The binary protocol.
    Binary,
}

/// What is next. `len` is the number of bytes that it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed<'a> {
    /// More bytes are needed.
    Incomplete,
    /// A request. If its block follows, the next are [`Parsed::Data`].
    Request {
        /// See above.
        len: usize,
        /// The request.
        request: Request<'a>,
    },
    /// A piece of a block that came in pieces.
    Data {
        /// See above; the end of the block is in it if there is one.
        len: usize,
        /// The piece; the last one may be empty.
        bytes: &'a [u8],
        /// How the block ended, with its last piece.
        end: Option<BlockEnd>,
    },
    /// Data that is not wanted.
    Swallowed {
        /// See above.
        len: usize,
        /// Whether no more of it follows.
        is_last: bool,
    },
    /// What no request begins with, or a line without end: the connection ends without an answer.
    Broken,
}

/// What comes before the next request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Before {
    #[default]
    Nothing,
    /// So many bytes of data, and the end of a line if `has_end`.
    Data { left: usize, has_end: bool },
    /// So many bytes that nobody wants.
    Unwanted { left: usize },
}

/// The parser of one connection.
#[derive(Clone, Debug, Default)]
pub struct Parser {
    protocol: Protocol,
    before: Before,
    /// Bytes in which no end of a line was found.
    searched: usize,
}

impl Parser {
    /// A parser at the start of a connection.
    pub fn new() -> Self {
        Parser::default()
    }

    /// What the client speaks, as far as it is known.
    #[inline]
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// The number of bytes of data that belong to the last request and have not been given, its end not counted.
    #[inline]
    pub fn data_left(&self) -> usize {
        match self.before {
            Before::Data { left, .. } => left,
            _ => 0,
        }
    }

    /// Takes note that the caller has taken so many bytes of data by itself, from where the parser did not see them.
    pub fn took_data(&mut self, len: usize) {
        match &mut self.before {
            Before::Data { left, .. } if *left >= len => *left -= len,
            _ => debug_assert!(len == 0, "there is not so much data left"),
        }
    }

    /// The data of the last request is not wanted, nor what is left of it.
    pub fn swallow(&mut self) {
        if let Before::Data { left, has_end } = self.before {
            self.before = Before::Unwanted { left: left + if has_end { 2 } else { 0 } };
        }
    }

    /// Begins again with a request that was given before, at its first byte.
    pub fn restart(&mut self) {
        self.before = Before::Nothing;
        self.searched = 0;
    }

    /// Whether a request or its data has begun that is not complete, as far as the parser knows.
    #[inline]
    pub fn is_mid_request(&self) -> bool {
        self.searched > 0 || self.before != Before::Nothing
    }

    /// What is next in `input`.
    #[inline]
    pub fn parse<'a>(&mut self, input: &'a [u8]) -> Parsed<'a> {
        if self.protocol == Protocol::Text && self.before == Before::Nothing {
            if let Some((len, request)) = text::short_get(input) {
                self.searched = 0;
                return Parsed::Request { len, request };
            }
            if let Some((line_len, store)) = text::short_set(input) {
                return self.with_block(line_len, Request::Store(store), store.len, true, input);
            }
        }
        self.parse_any(input)
    }

    fn parse_any<'a>(&mut self, input: &'a [u8]) -> Parsed<'a> {
        match self.before {
            Before::Data { left, has_end } => return self.data(input, left, has_end),
            Before::Unwanted { left } => return self.unwanted(input, left),
            Before::Nothing => {}
        }
        match (self.protocol, input.first()) {
            (_, None) => Parsed::Incomplete,
            (Protocol::Unknown, Some(&first)) => {
                let is_binary = first == binary::REQUEST;
                self.protocol = if is_binary { Protocol::Binary } else { Protocol::Text };
                self.parse(input)
            }
            (Protocol::Text, _) => self.line(input),
            (Protocol::Binary, _) => match binary::parse(input) {
                Frame::Incomplete => Parsed::Incomplete,
                Frame::Broken => Parsed::Broken,
                Frame::Request(len, request) if request.ends_connection() => {
                    Parsed::Request { len, request: Request::Binary(request) }
                }
                Frame::Request(len, request) => {
                    self.with_block(len, Request::Binary(request), request.value_len(), false, input)
                }
            },
        }
    }

    fn line<'a>(&mut self, input: &'a [u8]) -> Parsed<'a> {
        let searched = self.searched.min(input.len());
        let Some(end) = memchr::memchr(b'\n', &input[searched..]).map(|end| end + searched) else {
            if input.len() > LINE_MAX && !may_go_on(input) {
                return Parsed::Broken;
            }
            self.searched = input.len();
            return Parsed::Incomplete;
        };
        self.searched = 0;
        let line = &input[..end];
        match text::parse_line(line.strip_suffix(b"\r").unwrap_or(line)) {
            None => Parsed::Broken,
            Some(request) => match request.block_len() {
                None => Parsed::Request { len: end + 1, request },
                Some(data_len) => self.with_block(end + 1, request, data_len, true, input),
            },
        }
    }

    /// A request of which all but its data is the first `len` bytes.
    #[inline]
    fn with_block<'a>(
        &mut self,
        len: usize,
        request: Request<'a>,
        data_len: u32,
        has_end: bool,
        input: &'a [u8],
    ) -> Parsed<'a> {
        self.searched = 0;
        let rest = &input[len..];
        let data_len = data_len as usize;
        let all_len = data_len + if has_end { 2 } else { 0 };
        match rest.get(..all_len) {
            None => {
                self.before = Before::Data { left: data_len, has_end };
                Parsed::Request { len, request: request.with_block(Block::Follows) }
            }
            Some(all) => {
                let is_whole = !has_end || all.ends_with(b"\r\n");
                let block = if is_whole { Block::Whole(&all[..data_len]) } else { Block::Bad };
                Parsed::Request { len: len + all_len, request: request.with_block(block) }
            }
        }
    }

    fn data<'a>(&mut self, input: &'a [u8], left: usize, has_end: bool) -> Parsed<'a> {
        let (bytes, rest) = input.split_at(left.min(input.len()));
        let left = left - bytes.len();
        let end = match (left, has_end, rest) {
            (1.., ..) => None,
            (0, false, _) => Some((0, BlockEnd::Whole)),
            (0, true, [b'\r', b'\n', ..]) => Some((2, BlockEnd::Whole)),
            (0, true, [_, _, ..]) => Some((2, BlockEnd::Bad)),
            (0, true, _) => None,
        };
        match end {
            Some((end_len, end)) => {
                self.before = Before::Nothing;
                Parsed::Data { len: bytes.len() + end_len, bytes, end: Some(end) }
            }
            None if bytes.is_empty() => Parsed::Incomplete,
            None => {
                self.before = Before::Data { left, has_end };
                Parsed::Data { len: bytes.len(), bytes, end: None }
            }
        }
    }

    fn unwanted<'a>(&mut self, input: &'a [u8], left: usize) -> Parsed<'a> {
        let len = left.min(input.len());
        let is_last = len == left;
        if len == 0 && !is_last {
            return Parsed::Incomplete;
        }
        self.before = if is_last { Before::Nothing } else { Before::Unwanted { left: left - len } };
        Parsed::Swallowed { len, is_last }
    }
}

/// Whether a line may be as long as this and longer.
fn may_go_on(input: &[u8]) -> bool {
    let blanks = input.iter().take_while(|&&byte| byte == b' ').count();
    let rest = &input[blanks..];
    let has_keys = rest.starts_with(b"get ") || rest.starts_with(b"gets ");
    blanks <= BLANKS_MAX && has_keys && input.len() <= KEYS_LINE_MAX
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binary::opcode;
    use proptest::prelude::*;

    /// What a client has sent, without regard to where it was cut.
    #[derive(Debug, Default, PartialEq)]
    struct Heard {
        requests: Vec<(String, Option<Vec<u8>>)>,
        is_broken: bool,
        /// What is there of something that is not complete.
        rest: usize,
    }

    /// Hears bytes that come in pieces which end at these places.
    fn hear(bytes: &[u8], ends: impl Iterator<Item = usize>, swallows: bool) -> Heard {
        let mut heard = Heard::default();
        let mut parser = Parser::new();
        let (mut at, mut pending) = (0, Vec::new());
        for end in ends {
            loop {
                match parser.parse(&bytes[at..end]) {
                    Parsed::Incomplete => break,
                    Parsed::Broken => {
                        heard.is_broken = true;
                        return heard;
                    }
                    Parsed::Request { len, request } => {
                        at += len;
                        let block = request.block();
                        let text = match block {
                            None => format!("{request:?}"),
                            Some(_) => format!("{:?}", request.with_block(Block::Follows)),
                        };
                        match block {
                            Some(_) if swallows => {
                                parser.swallow();
                                heard.requests.push((text, None));
                            }
                            Some(Block::Whole(data)) => heard.requests.push((text, Some(data.to_vec()))),
                            Some(Block::Follows) => {
                                heard.requests.push((text, None));
                                pending.clear();
                            }
                            Some(Block::Bad) | None => heard.requests.push((text, None)),
                        }
                    }
                    Parsed::Data { len, bytes, end } => {
                        at += len;
                        pending.extend_from_slice(bytes);
                        if end == Some(BlockEnd::Whole) {
                            let last = heard.requests.last_mut().expect("the data is of a request");
                            last.1 = Some(std::mem::take(&mut pending));
                        }
                    }
                    Parsed::Swallowed { len, .. } => at += len,
                }
            }
        }
        heard.rest = bytes.len() - at;
        heard
    }

    fn whole(bytes: &[u8], swallows: bool) -> Heard {
        hear(bytes, std::iter::once(bytes.len()), swallows)
    }

    fn frame(code: u8, extras: &[u8], key: &[u8], value: &[u8]) -> Vec<u8> {
        let mut bytes = vec![binary::REQUEST, code, 0, key.len() as u8, extras.len() as u8, 0, 0, 0];
        bytes.extend_from_slice(&((extras.len() + key.len() + value.len()) as u32).to_be_bytes());
        bytes.extend_from_slice(b"OPAQ\0\0\0\0\0\0\0\x07");
        bytes.extend_from_slice(&[extras, key, value].concat());
        bytes
    }

    #[test]
    fn data_comes_with_its_request_or_behind_it() {
        let mut parser = Parser::new();
        let bytes = b"set k 1 2 3\r\nabc\r\nget k\r\n";
        let Parsed::Request { len: 18, request: Request::Store(store) } = parser.parse(bytes) else {
            panic!("it stores")
        };
        assert_eq!((store.key, store.block), (&b"k"[..], Block::Whole(b"abc")));
        let Parsed::Request { len: 13, request: Request::Store(store) } = parser.parse(&bytes[..15]) else {
            panic!("it stores")
        };
        assert_eq!((store.block, parser.data_left()), (Block::Follows, 3));
        assert_eq!(parser.parse(&bytes[13..15]), Parsed::Data { len: 2, bytes: b"ab", end: None });
        assert_eq!(parser.parse(&bytes[15..16]), Parsed::Data { len: 1, bytes: b"c", end: None });
        assert_eq!(parser.parse(&bytes[16..17]), Parsed::Incomplete);
        assert_eq!(
            parser.parse(&bytes[16..]),
            Parsed::Data { len: 2, bytes: b"", end: Some(BlockEnd::Whole) }
        );
        assert!(!parser.is_mid_request());
    }

    #[test]
    fn what_is_behind_data_that_is_too_long_is_read_as_requests() {
        let heard = whole(b"set a 0 0 3\r\nabcd\r\nmn\r\n", false);
        let texts: Vec<&str> = heard.requests.iter().map(|(text, _)| text.as_str()).collect();
        assert_eq!(texts[1..], ["Wrong(Unknown)", "NoOp"]);
        assert_eq!(heard.requests[0].1, None);
    }

    #[test]
    fn unwanted_data_is_swallowed_with_its_end() {
        let mut parser = Parser::new();
        let bytes = b"set a 0 0 100\r\nabc";
        let Parsed::Request { len: 15, .. } = parser.parse(bytes) else { panic!("it stores") };
        parser.swallow();
        assert_eq!(parser.parse(&bytes[15..]), Parsed::Swallowed { len: 3, is_last: false });
        assert_eq!(parser.parse(b""), Parsed::Incomplete);
        assert_eq!(parser.parse(&[b'x'; 200]), Parsed::Swallowed { len: 99, is_last: true });
        assert_eq!(parser.parse(b"mn\r\n"), Parsed::Request { len: 4, request: Request::NoOp });
    }

    #[test]
    fn data_may_be_taken_past_the_parser() {
        let mut parser = Parser::new();
        let Parsed::Request { .. } = parser.parse(b"set a 0 0 100\r\n") else { panic!("it stores") };
        parser.took_data(100);
        assert_eq!(parser.data_left(), 0);
        assert_eq!(parser.parse(b"\r\n"), Parsed::Data { len: 2, bytes: b"", end: Some(BlockEnd::Whole) });
    }

    #[test]
    fn only_lines_of_keys_may_be_long() {
        let line = |start: &str, len: usize| {
            let mut parser = Parser::new();
            let bytes = format!("{start}{}", "a".repeat(len - start.len()));
            parser.parse(bytes.as_bytes()) == Parsed::Broken
        };
        assert!(!line("", 2048));
        assert!(line("", 2049));
        assert!(!line("get ", 3000));
        assert!(!line("  gets ", 3000));
        assert!(line("gat 1 ", 3000));
        assert!(line(&format!("{}get ", " ".repeat(101)), 3000));
        assert!(line("get ", KEYS_LINE_MAX + 1));
        // Nothing is wrong with a line whose end is there.
        let bytes = format!("gat 1 {}\r\n", "a ".repeat(1900));
        assert!(matches!(Parser::new().parse(bytes.as_bytes()), Parsed::Request { .. }));
    }

    #[test]
    fn an_announcement_costs_nothing() {
        let mut parser = Parser::new();
        let request = b"set a 0 0 2147483645\r\n";
        assert!(matches!(parser.parse(request), Parsed::Request { len: 22, .. }));
        assert_eq!(parser.data_left(), 2_147_483_645);
        assert!(size_of::<Parser>() <= 40);
    }

    #[test]
    fn the_first_byte_says_what_is_spoken() {
        let mut parser = Parser::new();
        assert_eq!(parser.parse(b""), Parsed::Incomplete);
        assert_eq!(parser.protocol(), Protocol::Unknown);
        assert_eq!(parser.parse(b"\x80"), Parsed::Incomplete);
        assert_eq!(parser.protocol(), Protocol::Binary);
        assert_eq!(parser.parse(b"get a\r\n"), Parsed::Incomplete);
        assert_eq!(parser.parse(&b"get a\r\n".repeat(4)), Parsed::Broken);
    }

    /// Requests of the text protocol, right and wrong.
    fn texts() -> impl Strategy<Value = Vec<u8>> {
        let data = prop::collection::vec(any::<u8>(), 0..40);
        prop_oneof![
            "(get|gets|gat 5) k{1,3}( [a-c]{1,20}){0,3}".prop_map(|line| format!("{line}\r\n").into_bytes()),
            (
                "(set|add|replace|append|prepend) [a-z]{1,20} [0-9]{1,3} [0-9]{1,3}",
                data.clone(),
                any::<bool>()
            )
                .prop_map(|(line, data, noreply)| {
                    let noreply = if noreply { " noreply" } else { "" };
                    let mut bytes = format!("{line} {}{noreply}\r\n", data.len()).into_bytes();
                    bytes.extend_from_slice(&data);
                    bytes.extend_from_slice(b"\r\n");
                    bytes
                }),
            ("ms [a-z]{1,20}", data.clone(), "( [kqOc]){0,3}").prop_map(|(line, data, flags)| {
                let mut bytes = format!("{line} {}{flags}\r\n", data.len()).into_bytes();
                bytes.extend_from_slice(&data);
                bytes.extend_from_slice(b"\r\n");
                bytes
            }),
            "(delete|incr|touch|mg|md|ma|me|mn|version|flush_all|stats|foo)( [a-z0-9]{1,5}){0,3}\r?\n"
                .prop_map(String::into_bytes),
            "set a 0 0 3\r\n[a-z]{0,9}\r\n".prop_map(String::into_bytes),
        ]
    }

    /// Frames of the binary protocol.
    fn frames() -> impl Strategy<Value = Vec<u8>> {
        let part = |most| prop::collection::vec(any::<u8>(), 0..most);
        prop_oneof![
            (part(20), part(40)).prop_map(|(key, value)| frame(opcode::SET, &[0; 8], &key, &value)),
            (0..=opcode::GATKQ, prop_oneof![Just(0), Just(4), Just(8), Just(20)], part(9), part(9))
                .prop_map(|(code, extras, key, value)| frame(code, &vec![0; extras], &key, &value)),
            (opcode::GATKQ..=255, part(9)).prop_map(|(code, key)| frame(code, &[], &key, b"xyz")),
        ]
    }

    proptest! {
        #[test]
        fn cutting_changes_nothing(
            requests in prop_oneof![
                prop::collection::vec(texts(), 1..6),
                prop::collection::vec(frames(), 1..6),
            ],
            step in 1usize..30,
            swallows in any::<bool>(),
        ) {
            let bytes = requests.concat();
            let want = whole(&bytes, swallows);
            let ends = (0..bytes.len()).step_by(step).chain([bytes.len()]);
            prop_assert_eq!(&hear(&bytes, ends, swallows), &want);
            for cut in 0..bytes.len() {
                prop_assert_eq!(&hear(&bytes, [cut, bytes.len()].into_iter(), swallows), &want);
            }
        }

        #[test]
        fn no_bytes_make_it_panic(
            bytes in prop::collection::vec(
                prop_oneof![
                    4 => any::<u8>(),
                    2 => Just(b' '),
                    2 => Just(b'\r'),
                    2 => Just(b'\n'),
                    2 => b'0'..=b'9',
                    3 => prop::sample::select(&b"getsmsnoreplyTFCMbq"[..]),
                ], 0..200),
            is_binary in any::<bool>(),
        ) {
            let mut bytes = bytes;
            if is_binary {
                bytes.insert(0, binary::REQUEST);
            }
            let want = whole(&bytes, false);
            let got = hear(&bytes, 0..=bytes.len(), false);
            prop_assert_eq!(got.requests, want.requests);
            prop_assert_eq!(got.is_broken, want.is_broken);
        }
    }
}
