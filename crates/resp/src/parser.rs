//! The incremental parser of requests.
//!
//! The caller gives the bytes from the start of a request on, as many as have come; when they do not suffice, it
//! gives them again with more behind them, and the parser goes on where it stopped.
//!
//! Invariants: the work for a request is linear in its bytes, however they are cut; nothing is allocated for what a
//! client only announces.

use crate::args::{Args, Span};
use crate::inline;

/// Longest line, in bytes: an inline request, or the announcement of a length.
const LINE_MAX: usize = 64 * 1024;
/// Most arguments of a client that has yet to log in.
const UNAUTHENTICATED_ARGUMENTS: i64 = 10;
/// Longest argument of a client that has yet to log in, in bytes.
const UNAUTHENTICATED_BYTES: i64 = 16_384;
/// Most spans that an idle parser keeps allocated.
const SPANS_KEPT: usize = 64;

/// What a client may announce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest argument, in bytes (`proto-max-bulk-len`).
    pub bulk_bytes: i64,
    /// Most arguments.
    pub arguments: i64,
    /// Whether the client has yet to log in.
    pub unauthenticated: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { bulk_bytes: 512 << 20, arguments: i64::from(i32::MAX), unauthenticated: false }
    }
}

/// Why a request cannot be understood; the connection ends with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// A line without end, of an inline request.
    #[error("too big inline request")]
    InlineTooBig,
    /// A line without end, where the number of arguments should stand.
    #[error("too big mbulk count string")]
    CountTooBig,
    /// A line without end, where the length of an argument should stand.
    #[error("too big bulk count string")]
    LengthTooBig,
    /// The number of arguments is none, or above the limit.
    #[error("invalid multibulk length")]
    Count,
    /// More arguments than a client may send before it logs in.
    #[error("unauthenticated multibulk length")]
    UnauthenticatedCount,
    /// The length of an argument is none, or above the limit.
    #[error("invalid bulk length")]
    Length,
    /// A longer argument than a client may send before it logs in.
    #[error("unauthenticated bulk length")]
    UnauthenticatedLength,
    /// Not the length of an argument.
    #[error("expected '$', got '{}'", char::from(*.0))]
    ExpectedLength(u8),
    /// An inline request whose quotes do not match.
    #[error("unbalanced quotes in request")]
    Quotes,
}

impl ProtocolError {
    /// The text as it goes over the wire: characters are bytes, since one of the client's may be quoted.
    pub fn to_wire(&self) -> Vec<u8> {
        self.to_string().chars().map(|char| char as u32 as u8).collect()
    }
}

/// A request that is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// The number of bytes that it takes.
    pub len: usize,
    /// Where its spans begin among all.
    first: u32,
    /// The number of its arguments.
    count: u32,
    is_inline: bool,
}

impl Request {
    /// Whether it has no arguments: it is to be ignored.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// Arguments of requests that have been parsed and not run yet.
#[derive(Debug, Default)]
pub struct Parsed {
    spans: Vec<Span>,
    /// The words of inline requests.
    words: Vec<u8>,
}

impl Parsed {
    /// Forgets all requests, keeping a moderate amount of memory.
    pub fn clear(&mut self) {
        if self.spans.capacity() > SPANS_KEPT {
            self.spans = Vec::new();
        }
        self.spans.clear();
        self.words.clear();
    }

    /// The arguments of a request that begins at the start of `bytes`.
    #[inline]
    pub fn args<'a>(&'a self, bytes: &'a [u8], request: Request) -> Args<'a> {
        let spans = &self.spans[request.first as usize..(request.first + request.count) as usize];
        Args::new(if request.is_inline { &self.words } else { bytes }, spans)
    }
}

/// The parser of one connection.
#[derive(Debug, Default)]
pub struct Parser {
    /// Arguments found so far of a request that is not complete, relative to its start.
    spans: Vec<Span>,
    /// Bytes of the request that have been understood.
    position: usize,
    /// Bytes after `position` in which no line end was found.
    searched: usize,
    /// Arguments still to come; zero before the first line has been read.
    missing: i64,
    /// The length of the argument at `position`, once its line has been read.
    length: Option<usize>,
}

impl Parser {
    /// A parser at the start of a request.
    pub fn new() -> Self {
        Parser::default()
    }

    /// Goes on with the request at the start of `bytes`. Gives the request once all of it has come, and adds its
    /// arguments to `parsed`.
    ///
    /// # Errors
    /// [`ProtocolError`], with which the connection ends.
    #[inline]
    pub fn parse(
        &mut self,
        bytes: &[u8],
        limits: &Limits,
        parsed: &mut Parsed,
    ) -> Result<Option<Request>, ProtocolError> {
        let first = parsed.spans.len();
        if self.position == 0 {
            match bytes.first() {
                None => return Ok(None),
                Some(b'*') => {
                    let (position, missing) = parse_small(bytes, limits, &mut parsed.spans);
                    if position > 0 {
                        self.searched = 0;
                    }
                    if position > 0 && missing == 0 {
                        let count = (parsed.spans.len() - first) as u32;
                        return Ok(Some(Request {
                            len: position,
                            first: first as u32,
                            count,
                            is_inline: false,
                        }));
                    }
                    (self.position, self.missing) = (position, missing);
                }
                Some(_) => return self.parse_inline(bytes, parsed),
            }
        } else {
            parsed.spans.append(&mut self.spans);
        }
        if !self.parse_array(bytes, limits, &mut parsed.spans)? {
            self.spans = parsed.spans.split_off(first);
            return Ok(None);
        }
        let count = (parsed.spans.len() - first) as u32;
        Ok(Some(Request {
            len: std::mem::take(&mut self.position),
            first: first as u32,
            count,
            is_inline: false,
        }))
    }

    /// Forgets the request that has begun: its bytes will be given again from the start.
    pub fn restart(&mut self) {
        *self = Parser::default();
    }

    /// Whether a request has begun that is not complete.
    #[inline]
    pub fn is_mid_request(&self) -> bool {
        self.position > 0 || self.searched > 0
    }

    /// What the parser takes from the allocator, in bytes.
    pub fn heap_bytes(&self) -> usize {
        self.spans.capacity() * size_of::<Span>()
    }

    fn parse_array(
        &mut self,
        bytes: &[u8],
        limits: &Limits,
        spans: &mut Vec<Span>,
    ) -> Result<bool, ProtocolError> {
        if self.missing == 0 {
            let Some(count) = self.number(bytes, ProtocolError::CountTooBig)? else { return Ok(false) };
            let count = count.filter(|&count| count <= limits.arguments).ok_or(ProtocolError::Count)?;
            if count > UNAUTHENTICATED_ARGUMENTS && limits.unauthenticated {
                return Err(ProtocolError::UnauthenticatedCount);
            }
            if count <= 0 {
                return Ok(true);
            }
            self.missing = count;
        }
        while self.missing > 0 {
            let length = match self.length {
                Some(length) => length,
                None => {
                    match bytes.get(self.position) {
                        None => return Ok(false),
                        Some(b'$') => {}
                        // A line that never ends is noticed before what it begins with.
                        Some(&other) => {
                            return match self.number(bytes, ProtocolError::LengthTooBig)? {
                                Some(_) => Err(ProtocolError::ExpectedLength(other)),
                                None => Ok(false),
                            };
                        }
                    }
                    let Some(length) = self.number(bytes, ProtocolError::LengthTooBig)? else {
                        return Ok(false);
                    };
                    // Spans tell positions in 32 bits.
                    let most = limits.bulk_bytes.min(i64::from(u32::MAX) - self.position as i64);
                    let length =
                        length.filter(|length| (0..=most).contains(length)).ok_or(ProtocolError::Length)?;
                    if length > UNAUTHENTICATED_BYTES && limits.unauthenticated {
                        return Err(ProtocolError::UnauthenticatedLength);
                    }
                    length as usize
                }
            };
            if bytes.len() - self.position < length + 2 {
                self.length = Some(length);
                return Ok(false);
            }
            self.length = None;
            spans.push(Span { start: self.position as u32, len: length as u32 });
            // The two bytes after an argument are not looked at, as in Redis.
            self.position += length + 2;
            self.missing -= 1;
        }
        Ok(true)
    }

    /// Reads the line at `position` as a number, past its first byte: nothing while its end has not come, and no
    /// number if it is not one.
    fn number(
        &mut self,
        bytes: &[u8],
        too_long: ProtocolError,
    ) -> Result<Option<Option<i64>>, ProtocolError> {
        let line = &bytes[self.position..];
        let Some(end) = self.line_end(line, b'\r', too_long)? else { return Ok(None) };
        if line.len() < end + 2 {
            self.searched = end;
            return Ok(None);
        }
        self.position += end + 2;
        self.searched = 0;
        Ok(Some(line.get(1..end).and_then(parse_number)))
    }

    /// Where a line ends: nothing while its end has not come. It never comes after a NUL, as in Redis, which searches
    /// for it as in a string of C.
    fn line_end(
        &mut self,
        line: &[u8],
        end: u8,
        too_long: ProtocolError,
    ) -> Result<Option<usize>, ProtocolError> {
        let found = memchr::memchr2(end, 0, &line[self.searched..]).map(|at| at + self.searched);
        match found {
            Some(at) if line[at] == end => Ok(Some(at)),
            _ if line.len() > LINE_MAX => Err(too_long),
            _ => {
                self.searched = found.unwrap_or(line.len());
                Ok(None)
            }
        }
    }

    fn parse_inline(&mut self, bytes: &[u8], parsed: &mut Parsed) -> Result<Option<Request>, ProtocolError> {
        let Some(end) = self.line_end(bytes, b'\n', ProtocolError::InlineTooBig)? else { return Ok(None) };
        self.searched = 0;
        let line = bytes[..end].strip_suffix(b"\r").unwrap_or(&bytes[..end]);
        let words = inline::split_words(line).ok_or(ProtocolError::Quotes)?;
        let first = parsed.spans.len() as u32;
        let count = words.len() as u32;
        for word in words {
            parsed.spans.push(Span { start: parsed.words.len() as u32, len: word.len() as u32 });
            parsed.words.extend_from_slice(&word);
        }
        Ok(Some(Request { len: end + 1, first, count, is_inline: true }))
    }
}

/// Parses a request as far as it is there and has at most nine arguments, none of a thousand bytes: nearly always all of
/// it. Gives how many bytes that takes, and how many arguments are missing. Leaves what comes then, and what is wrong
/// with it, to [`Parser::parse_array`].
#[inline]
fn parse_small(bytes: &[u8], limits: &Limits, spans: &mut Vec<Span>) -> (usize, i64) {
    let &[b'*', count @ b'1'..=b'9', b'\r', _, ..] = bytes else { return (0, 0) };
    let digit = |byte: u8| usize::from(byte - b'0');
    let mut at = 4;
    for missing in (1..=i64::from(count - b'0')).rev() {
        let (start, len) = match bytes[at..] {
            [b'$', ones @ b'0'..=b'9', b'\r', _, ..] => (at + 4, digit(ones)),
            [b'$', tens @ b'1'..=b'9', ones @ b'0'..=b'9', b'\r', _, ..] => {
                (at + 5, digit(tens) * 10 + digit(ones))
            }
            [b'$', hundreds @ b'1'..=b'9', tens @ b'0'..=b'9', ones @ b'0'..=b'9', b'\r', _, ..] => {
                (at + 6, digit(hundreds) * 100 + digit(tens) * 10 + digit(ones))
            }
            _ => return (at, missing),
        };
        let end = start + len + 2;
        if end > bytes.len() || len as i64 > limits.bulk_bytes {
            return (at, missing);
        }
        spans.push(Span { start: start as u32, len: len as u32 });
        at = end;
    }
    (at, 0)
}

/// A number in canonical decimal form.
fn parse_number(digits: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(digits).ok()?;
    let canonical = matches!(digits, [b'0'] | [b'-', b'1'..=b'9', ..] | [b'1'..=b'9', ..]);
    text.parse().ok().filter(|_| canonical)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse_all(bytes: &[u8], limits: &Limits) -> Result<Vec<Vec<Vec<u8>>>, ProtocolError> {
        let mut parser = Parser::new();
        let mut parsed = Parsed::default();
        let (mut requests, mut rest) = (Vec::new(), bytes);
        while let Some(request) = parser.parse(rest, limits, &mut parsed)? {
            requests.push(parsed.args(rest, request).iter().map(<[u8]>::to_vec).collect());
            rest = &rest[request.len..];
        }
        Ok(requests)
    }

    #[test]
    fn requests_of_four_gigabytes_are_refused() {
        // All but the two heads is zeros that nobody touches.
        let mut bytes = vec![0; u32::MAX as usize + 100];
        let first = format!("*2\r\n${}\r\n", u32::MAX - 100);
        let second = first.len() + u32::MAX as usize - 98;
        bytes[..first.len()].copy_from_slice(first.as_bytes());
        bytes[second..second + 6].copy_from_slice(b"$100\r\n");
        let limits = Limits { bulk_bytes: i64::MAX, ..Limits::default() };
        let parsed = Parser::new().parse(&bytes, &limits, &mut Parsed::default());
        assert_eq!(parsed, Err(ProtocolError::Length));
    }

    #[test]
    fn requests_of_both_kinds() {
        let requests = parse_all(
            b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\nPING\r\n*0\r\n\r\nset k \"a b\"\n*1\r\n$0\r\n\r\n",
            &Limits::default(),
        );
        let want: Vec<Vec<&[u8]>> =
            vec![vec![b"GET", b"k"], vec![b"PING"], vec![], vec![], vec![b"set", b"k", b"a b"], vec![b""]];
        assert_eq!(requests.unwrap(), want);
    }

    #[test]
    fn errors_are_worded_as_in_redis() {
        let long = vec![b'1'; LINE_MAX + 2];
        let prefixed = |prefix: &[u8]| [prefix, &long].concat();
        let cases: Vec<(Vec<u8>, &str)> = vec![
            (b"*x\r\n".to_vec(), "invalid multibulk length"),
            (b"*01\r\n".to_vec(), "invalid multibulk length"),
            (b"*2147483648\r\n".to_vec(), "invalid multibulk length"),
            (b"*1\r\n:1\r\n".to_vec(), "expected '$', got ':'"),
            (b"*1\r\n\r\n".to_vec(), "expected '$', got '\r'"),
            (b"*1\r\n$-1\r\n".to_vec(), "invalid bulk length"),
            (b"*1\r\n$536870913\r\n".to_vec(), "invalid bulk length"),
            (b"*1\r\n$abc\r\n".to_vec(), "invalid bulk length"),
            (b"get \"k\r\n".to_vec(), "unbalanced quotes in request"),
            (prefixed(b"*"), "too big mbulk count string"),
            (prefixed(b"*1\r\n$"), "too big bulk count string"),
            (prefixed(b"get "), "too big inline request"),
        ];
        for (bytes, want) in cases {
            let error = parse_all(&bytes, &Limits::default()).unwrap_err();
            assert_eq!(error.to_string(), want);
        }
        assert_eq!(ProtocolError::ExpectedLength(0xFF).to_wire(), b"expected '$', got '\xFF'");
        let limits = Limits { unauthenticated: true, ..Limits::default() };
        for (bytes, want) in [
            (&b"*11\r\n"[..], "unauthenticated multibulk length"),
            (b"*1\r\n$16385\r\n", "unauthenticated bulk length"),
        ] {
            assert_eq!(parse_all(bytes, &limits).unwrap_err().to_string(), want);
        }
    }

    #[test]
    fn a_line_does_not_end_after_a_nul() {
        for line in [&b"PING\0 x\r\nPING\r\n"[..], b"*\x001\r\n", b"*1\r\n$\0\r\n", b"*1\r\n\0x\r\n"] {
            let mut parser = Parser::new();
            let mut bytes = line.to_vec();
            while bytes.len() <= LINE_MAX {
                assert_eq!(parser.parse(&bytes, &Limits::default(), &mut Parsed::default()), Ok(None));
                bytes.extend_from_slice(&[b'\n'; 4096]);
            }
            bytes.extend_from_slice(&[b'\n'; 10]);
            assert!(parser.parse(&bytes, &Limits::default(), &mut Parsed::default()).is_err());
        }
    }

    #[test]
    fn what_should_be_a_length_is_looked_at_when_its_line_has_come() {
        let mut parser = Parser::new();
        let parse = |parser: &mut Parser, bytes: &[u8]| {
            parser.parse(bytes, &Limits::default(), &mut Parsed::default())
        };
        assert_eq!(parse(&mut parser, b"*1\r\nx"), Ok(None));
        assert_eq!(parse(&mut parser, b"*1\r\nx\r"), Ok(None));
        assert_eq!(parse(&mut parser, b"*1\r\nx\r\n"), Err(ProtocolError::ExpectedLength(b'x')));
    }

    #[test]
    fn a_line_that_has_come_in_pieces_leaves_nothing_behind() {
        let mut parser = Parser::new();
        let mut parsed = Parsed::default();
        let limits = Limits::default();
        assert_eq!(parser.parse(b"*1\r", &limits, &mut parsed), Ok(None));
        let bytes = b"*1\r\n$4\r\nPING\r\n\nPING\n";
        let first = parser.parse(bytes, &limits, &mut parsed).unwrap().expect("it is complete");
        let empty = parser.parse(&bytes[first.len..], &limits, &mut parsed).unwrap().expect("it is complete");
        assert_eq!((first.len, empty.len), (14, 1));
    }

    #[test]
    fn an_announcement_allocates_nothing() {
        let mut parser = Parser::new();
        assert_eq!(
            parser.parse(b"*2147483647\r\n$536870912\r\nx", &Limits::default(), &mut Parsed::default()),
            Ok(None)
        );
        assert!(parser.heap_bytes() < 1024);
        assert!(parser.is_mid_request());
    }

    proptest! {
        #[test]
        fn cutting_a_request_changes_nothing(
            requests in prop::collection::vec(
                prop::collection::vec(
                    prop_oneof![
                        prop::collection::vec(any::<u8>(), 0..30),
                        prop::collection::vec(any::<u8>(), 90..130),
                        prop::collection::vec(any::<u8>(), 990..1010),
                    ],
                    1..12), 1..5),
            step in 1usize..9,
        ) {
            let mut bytes = Vec::new();
            for request in &requests {
                bytes.extend_from_slice(format!("*{}\r\n", request.len()).as_bytes());
                for arg in request {
                    bytes.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
                    bytes.extend_from_slice(arg);
                    bytes.extend_from_slice(b"\r\n");
                }
            }
            let mut parser = Parser::new();
            let mut parsed = Parsed::default();
            let (mut start, mut got) = (0, Vec::new());
            for end in (0..bytes.len()).step_by(step).chain([bytes.len()]) {
                while let Some(request) = parser.parse(&bytes[start..end], &Limits::default(), &mut parsed).unwrap() {
                    let args = parsed.args(&bytes[start..end], request).to_owned();
                    got.push(args.as_args().iter().map(<[u8]>::to_vec).collect::<Vec<_>>());
                    start += request.len;
                }
            }
            prop_assert_eq!(got, requests);
            prop_assert!(!parser.is_mid_request());
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(
            prop_oneof![any::<u8>(), Just(b'*'), Just(b'$'), Just(b'\r'), Just(b'\n'), b'0'..=b'9'], 0..80)) {
            let _ = parse_all(&bytes, &Limits::default());
        }
    }
}
