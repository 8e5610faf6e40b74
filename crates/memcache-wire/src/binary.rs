//! The binary protocol: requests as frames of a header, extras, a key and a value; and the frames that answer them.
//!
//! A frame is given out as soon as its header, extras and key are there. Its value is a block of data like that of other
//! requests, whatever the command: what is not wanted is to be swallowed.
//!
//! Source: the binary protocol's description; observed on memcached 1.6.18.

use crate::KEY_MAX;
use crate::block::Block;
use crate::error::Status;

/// First byte of a request.
pub const REQUEST: u8 = 0x80;
/// First byte of a reply.
const RESPONSE: u8 = 0x81;
/// Length of a header, in bytes.
pub const HEADER: usize = 24;

/// The codes of commands, as far as replies or records of others need them.
#[allow(missing_docs)]
pub mod opcode {
    pub const GET: u8 = 0x00;
    pub const SET: u8 = 0x01;
    pub const ADD: u8 = 0x02;
    pub const REPLACE: u8 = 0x03;
    pub const DELETE: u8 = 0x04;
    pub const INCREMENT: u8 = 0x05;
    pub const DECREMENT: u8 = 0x06;
    pub const QUIT: u8 = 0x07;
    pub const FLUSH: u8 = 0x08;
    pub const GETQ: u8 = 0x09;
    pub const NOOP: u8 = 0x0A;
    pub const VERSION: u8 = 0x0B;
    pub const GETK: u8 = 0x0C;
    pub const GETKQ: u8 = 0x0D;
    pub const APPEND: u8 = 0x0E;
    pub const PREPEND: u8 = 0x0F;
    pub const STAT: u8 = 0x10;
    pub const SETQ: u8 = 0x11;
    pub const ADDQ: u8 = 0x12;
    pub const REPLACEQ: u8 = 0x13;
    pub const DELETEQ: u8 = 0x14;
    pub const INCREMENTQ: u8 = 0x15;
    pub const DECREMENTQ: u8 = 0x16;
    pub const QUITQ: u8 = 0x17;
    pub const FLUSHQ: u8 = 0x18;
    pub const APPENDQ: u8 = 0x19;
    pub const PREPENDQ: u8 = 0x1A;
    pub const TOUCH: u8 = 0x1C;
    pub const GAT: u8 = 0x1D;
    pub const GATQ: u8 = 0x1E;
    pub const SASL_LIST: u8 = 0x20;
    pub const SASL_AUTH: u8 = 0x21;
    pub const SASL_STEP: u8 = 0x22;
    pub const GATK: u8 = 0x23;
    pub const GATKQ: u8 = 0x24;
}

/// A request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// The code of the command, which its reply repeats: that of the quiet one if it is quiet.
    pub opcode: u8,
    /// What the client wants to find in the reply.
    pub opaque: [u8; 4],
    /// What the item must be; zero if anything will do.
    pub cas: u64,
    /// The key; of SASL commands, the mechanism.
    pub key: &'a [u8],
    /// What the command is, as far as the frame has the parts that belong to it.
    pub command: Command,
    value_len: u32,
    /// The value.
    pub block: Block<'a>,
}

/// A command, without what is the same for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Gives an item.
    Get {
        /// Whether the reply has the key.
        with_key: bool,
        /// When the item is to expire from now on, if that is to change.
        exptime: Option<u32>,
        /// Whether a miss is not to be answered.
        is_quiet: bool,
    },
    /// Changes when an item expires.
    Touch {
        /// As the client gave it.
        exptime: u32,
    },
    /// Stores the value.
    Store {
        /// When to store it.
        mode: Mode,
        /// What the client keeps beside the value.
        flags: u32,
        /// As the client gave it.
        exptime: u32,
        /// Whether success is not to be answered.
        is_quiet: bool,
    },
    /// Puts the value behind or before the one that there is.
    Extend {
        /// Whether behind.
        appends: bool,
        /// Whether success is not to be answered.
        is_quiet: bool,
    },
    /// Deletes an item.
    Delete {
        /// Whether success is not to be answered.
        is_quiet: bool,
    },
    /// Adds to a number or takes from it.
    Arithmetic {
        /// Whether it takes.
        decrements: bool,
        /// What it adds or takes.
        delta: u64,
        /// The value of an item that is made since there was none.
        initial: u64,
        /// When that is to expire; all ones if none is to be made.
        exptime: u32,
        /// Whether success is not to be answered.
        is_quiet: bool,
    },
    /// Invalidates all items.
    Flush {
        /// When, as the client gave it.
        exptime: u32,
        /// Whether success is not to be answered.
        is_quiet: bool,
    },
    /// Does nothing, and has everything answered.
    NoOp,
    /// Tells the version.
    Version,
    /// Tells statistics: all, or the report that the key names.
    Stat,
    /// Ends the connection.
    Quit {
        /// Whether that is not to be answered.
        is_quiet: bool,
    },
    /// Lists the mechanisms of authentication.
    SaslList,
    /// Begins an authentication; its data is the value.
    SaslAuth,
    /// Goes on with it.
    SaslStep,
    /// There is no such command: [`Status::Unknown`], and the connection goes on.
    Unknown,
    /// Lengths that contradict each other: [`Status::Unknown`], and the connection ends.
    Contradictory,
    /// Parts that do not belong to the command, or a key that is too long: [`Status::Invalid`], and the connection ends.
    Invalid,
}

/// When a value is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Whatever there is.
    Set,
    /// If there is no such item.
    Add,
    /// If there is one.
    Replace,
}

impl<'a> Request<'a> {
    /// The length of its value, in bytes.
    #[inline]
    pub fn value_len(&self) -> u32 {
        self.value_len
    }

    /// Whether the connection ends with the answer to it.
    pub fn ends_connection(&self) -> bool {
        matches!(self.command, Command::Contradictory | Command::Invalid | Command::Quit { .. })
    }
}

/// What a frame begins with, if it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frame<'a> {
    /// A request, without its value; and how many bytes it takes.
    Request(usize, Request<'a>),
    /// More is needed.
    Incomplete,
    /// It is no request.
    Broken,
}

/// Parses the beginning of a frame.
pub(crate) fn parse(input: &[u8]) -> Frame<'_> {
    // As memcached does, which looks at nothing of a header before all of it has come.
    let Some((header, rest)) = input.split_first_chunk::<HEADER>() else { return Frame::Incomplete };
    if header[0] != REQUEST {
        return Frame::Broken;
    }
    let [_, opcode, key_high, key_low, extras_len, _, _, _, rest_of_header @ ..] = header;
    let [b0, b1, b2, b3, o0, o1, o2, o3, cas @ ..] = rest_of_header;
    let body_len = u32::from_be_bytes([*b0, *b1, *b2, *b3]);
    let key_len = usize::from(u16::from_be_bytes([*key_high, *key_low]));
    let extras_len = usize::from(*extras_len);
    let mut request = Request {
        opcode: *opcode,
        opaque: [*o0, *o1, *o2, *o3],
        cas: u64::from_be_bytes(*cas),
        key: &[],
        command: Command::Invalid,
        value_len: 0,
        block: Block::Whole(&[]),
    };
    let Some(value_len) = body_len.checked_sub((key_len + extras_len) as u32) else {
        request.command = Command::Contradictory;
        return Frame::Request(HEADER, request);
    };
    // The connection ends with it: what else there is of it need not come.
    if key_len > KEY_MAX {
        return Frame::Request(HEADER, request);
    }
    let Some(rest) = rest.get(..extras_len + key_len) else { return Frame::Incomplete };
    let (extras, key) = rest.split_at(extras_len);
    request.key = key;
    request.value_len = value_len;
    request.block = Block::Follows;
    request.command = command(*opcode, extras, key_len, value_len);
    if request.ends_connection() {
        request.value_len = 0;
        request.block = Block::Whole(&[]);
    }
    Frame::Request(HEADER + extras_len + key_len, request)
}

/// What the command is, if these parts belong to it.
fn command(code: u8, extras: &[u8], key_len: usize, value_len: u32) -> Command {
    use opcode::*;
    let word =
        |at: usize| extras.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
    let long =
        |at: usize| extras.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes);
    let has_key = key_len > 0;
    let is_alone = extras.is_empty() && value_len == 0;
    let is_quiet = matches!(code, GETQ | GETKQ | GATQ | GATKQ) || (SETQ..=PREPENDQ).contains(&code);
    let command =
        match code {
            GET | GETQ | GETK | GETKQ if has_key && is_alone => {
                Some(Command::Get { with_key: matches!(code, GETK | GETKQ), exptime: None, is_quiet })
            }
            GAT | GATQ | GATK | GATKQ if has_key && extras.len() == 4 => word(0).map(|exptime| {
                Command::Get { with_key: matches!(code, GATK | GATKQ), exptime: Some(exptime), is_quiet }
            }),
            TOUCH if has_key && extras.len() == 4 => word(0).map(|exptime| Command::Touch { exptime }),
            SET | SETQ | ADD | ADDQ | REPLACE | REPLACEQ if has_key && extras.len() == 8 => {
                let mode = match code {
                    SET | SETQ => Mode::Set,
                    ADD | ADDQ => Mode::Add,
                    _ => Mode::Replace,
                };
                word(0).zip(word(4)).map(|(flags, exptime)| Command::Store { mode, flags, exptime, is_quiet })
            }
            APPEND | APPENDQ | PREPEND | PREPENDQ if has_key && extras.is_empty() => {
                Some(Command::Extend { appends: matches!(code, APPEND | APPENDQ), is_quiet })
            }
            DELETE | DELETEQ if has_key && is_alone => Some(Command::Delete { is_quiet }),
            INCREMENT | INCREMENTQ | DECREMENT | DECREMENTQ
                if has_key && extras.len() == 20 && value_len == 0 =>
            {
                let decrements = matches!(code, DECREMENT | DECREMENTQ);
                long(0).zip(long(8)).zip(word(16)).map(|((delta, initial), exptime)| Command::Arithmetic {
                    decrements,
                    delta,
                    initial,
                    exptime,
                    is_quiet,
                })
            }
            FLUSH | FLUSHQ if !has_key && value_len == 0 && matches!(extras.len(), 0 | 4) => {
                Some(Command::Flush { exptime: word(0).unwrap_or(0), is_quiet })
            }
            NOOP if !has_key && is_alone => Some(Command::NoOp),
            VERSION if !has_key && is_alone => Some(Command::Version),
            QUIT | QUITQ if !has_key && is_alone => Some(Command::Quit { is_quiet }),
            STAT if extras.is_empty() => Some(Command::Stat),
            SASL_LIST if !has_key && is_alone => Some(Command::SaslList),
            SASL_AUTH if has_key && extras.is_empty() => Some(Command::SaslAuth),
            SASL_STEP if has_key && extras.is_empty() => Some(Command::SaslStep),
            GET..=PREPENDQ | TOUCH..=GATQ | SASL_LIST..=GATKQ => None,
            _ => Some(Command::Unknown),
        };
    command.unwrap_or(Command::Invalid)
}

/// The parts of a reply that differ.
#[derive(Clone, Copy, Debug)]
pub struct Response<'a> {
    /// How it went.
    pub status: Status,
    /// What the item is for the next change that depends on it; zero if that makes no sense.
    pub cas: u64,
    /// The flags of an item, nothing for most commands.
    pub extras: &'a [u8],
    /// The key, if it was asked for.
    pub key: &'a [u8],
    /// The value.
    pub value: &'a [u8],
}

impl Default for Response<'_> {
    fn default() -> Self {
        Response { status: Status::Success, cas: 0, extras: &[], key: &[], value: &[] }
    }
}

/// Writes the reply to a request.
#[inline]
pub fn respond(out: &mut Vec<u8>, request: &Request, response: &Response) {
    let Response { extras, key, value, .. } = *response;
    out.reserve(HEADER + extras.len() + key.len() + value.len());
    respond_before(out, request, response, value.len());
    out.extend_from_slice(value);
}

/// Writes a reply up to its value, of so many bytes, which the caller writes behind it.
pub fn respond_before(out: &mut Vec<u8>, request: &Request, response: &Response, value_len: usize) {
    let Response { status, cas, extras, key, .. } = *response;
    let body_len = extras.len() + key.len() + value_len;
    out.extend_from_slice(&header(request, status, cas, extras.len(), key.len(), body_len));
    out.extend_from_slice(extras);
    out.extend_from_slice(key);
}

/// Writes a reply that is an error, with the text that belongs to it.
pub fn respond_error(out: &mut Vec<u8>, request: &Request, status: Status) {
    respond(out, request, &Response { status, value: status.text().as_bytes(), ..Response::default() });
}

/// The header of a reply whose parts, `body_len` bytes in all, are written behind it by the caller: extras, key, value.
#[inline]
fn header(
    request: &Request,
    status: Status,
    cas: u64,
    extras_len: usize,
    key_len: usize,
    body_len: usize,
) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[0] = RESPONSE;
    header[1] = request.opcode;
    header[2..4].copy_from_slice(&(key_len as u16).to_be_bytes());
    header[4] = extras_len as u8;
    header[6..8].copy_from_slice(&(status as u16).to_be_bytes());
    header[8..12].copy_from_slice(&(body_len as u32).to_be_bytes());
    header[12..16].copy_from_slice(&request.opaque);
    header[16..24].copy_from_slice(&cas.to_be_bytes());
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(code: u8, extras: &[u8], key: &[u8], value: &[u8]) -> Vec<u8> {
        let mut bytes = vec![REQUEST, code, 0, key.len() as u8, extras.len() as u8, 0, 0, 0];
        bytes.extend_from_slice(&((extras.len() + key.len() + value.len()) as u32).to_be_bytes());
        bytes.extend_from_slice(b"OPAQ");
        bytes.extend_from_slice(&7u64.to_be_bytes());
        bytes.extend_from_slice(&[extras, key, value].concat());
        bytes
    }

    #[test]
    fn frames_are_what_their_parts_say() {
        let bytes = frame(opcode::SETQ, &[0, 0, 0, 5, 0, 0, 0, 9], b"key", b"value");
        let Frame::Request(len, request) = parse(&bytes) else { panic!("it is a request") };
        assert_eq!((len, request.key, request.value_len(), request.cas), (35, &b"key"[..], 5, 7));
        assert_eq!(request.command, Command::Store { mode: Mode::Set, flags: 5, exptime: 9, is_quiet: true });
        for len in 0..35 {
            assert_eq!(parse(&bytes[..len]), Frame::Incomplete);
        }
        let command = |bytes: &[u8]| match parse(bytes) {
            Frame::Request(_, request) => request.command,
            other => panic!("{other:?}"),
        };
        assert_eq!(command(&frame(opcode::GET, b"x", b"k", b"")), Command::Invalid);
        assert_eq!(command(&frame(opcode::GET, b"", b"", b"")), Command::Invalid);
        assert_eq!(command(&frame(0x1B, b"", b"", b"")), Command::Unknown);
        assert_eq!(command(&frame(0xFF, b"", b"k", b"v")), Command::Unknown);
        assert_eq!(command(&frame(opcode::GET, b"", &[b'k'; 251], b"")), Command::Invalid);
        let mut contradictory = frame(opcode::GET, b"", b"key", b"");
        contradictory[11] = 2;
        assert_eq!(command(&contradictory), Command::Contradictory);
        assert_eq!(parse(b"get a\r\n"), Frame::Incomplete);
        assert_eq!(parse(&[0x81; HEADER - 1]), Frame::Incomplete);
        assert_eq!(parse(&[0x81; HEADER]), Frame::Broken);
    }

    #[test]
    fn a_reply_repeats_what_the_client_wants_to_find() {
        let bytes = frame(opcode::GETKQ, b"", b"key", b"");
        let Frame::Request(_, request) = parse(&bytes) else { panic!("it is a request") };
        let mut out = Vec::new();
        let response =
            Response { cas: 258, extras: &[0, 0, 0, 5], key: b"key", value: b"v", ..Response::default() };
        respond(&mut out, &request, &response);
        let mut want = vec![0x81, 0x0D, 0, 3, 4, 0, 0, 0, 0, 0, 0, 8];
        want.extend_from_slice(b"OPAQ\0\0\0\0\0\0\x01\x02\0\0\0\x05keyv");
        assert_eq!(out, want);
        out.clear();
        respond_error(&mut out, &request, Status::NotFound);
        assert_eq!((&out[6..8], &out[24..]), (&[0, 1][..], &b"Not found"[..]));
    }
}
