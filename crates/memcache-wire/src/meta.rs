//! Meta commands: `mg`, `ms`, `md`, `ma`, `me`.
//!
//! A request has its flags as they came; [`Meta::options`] says what they mean. What is wrong with them is known only
//! then: with `ms`, the data that follows belongs to the request nevertheless.

use crate::KEY_MAX;
use crate::block::Block;
use crate::error::Error;
use crate::number;
use crate::text::{BLOCK_MAX, Request};
use crate::words::Words;

/// Most words of a request, its name included.
const WORDS_MAX: usize = 19;
/// Longest opaque, with the letter before it, in bytes.
const OPAQUE_MAX: usize = 32;
/// Longest key that base64 of [`KEY_MAX`] bytes can stand for.
pub const KEY_ROOM: usize = KEY_MAX.div_ceil(4) * 3;

/// Which meta command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetaVerb {
    /// `mg`
    Get,
    /// `ms`
    Set,
    /// `md`
    Delete,
    /// `ma`
    Arithmetic,
    /// `me`
    Debug,
}

/// A meta command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meta<'a> {
    /// Which.
    pub verb: MetaVerb,
    /// The key as it came: it may be base64.
    key: &'a [u8],
    /// Its flags.
    flags: Words<'a>,
    /// The length of the data of [`MetaVerb::Set`], in bytes.
    pub len: u32,
    /// The data of [`MetaVerb::Set`].
    pub block: Block<'a>,
}

/// What the flags of a request mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options<'a> {
    flags: Words<'a>,
    /// Which flags there are: a bit for each letter.
    given: u128,
    /// `T`: when the item is to expire, as the client gave it.
    pub exptime: Option<i32>,
    /// `N`: an item is to be made if there is none, and when it is to expire.
    pub vivify: Option<i32>,
    /// `R`: somebody is to make the value anew if the item expires sooner than this, in seconds.
    pub recache: Option<i32>,
    /// `F`: what the client keeps beside the value.
    pub client_flags: u32,
    /// `C`: what the item must be.
    pub cas: Option<u64>,
    /// `M`: how `ms` stores or what `ma` does; a letter that the command knows.
    pub mode: Option<u8>,
    /// `J`: the value that `ma` begins with.
    pub initial: u64,
    /// `D`: what `ma` adds or takes away.
    pub delta: u64,
}

impl<'a> Options<'a> {
    /// Whether there is this flag.
    #[inline]
    pub fn has(&self, flag: u8) -> bool {
        debug_assert!(flag < 128);
        self.given >> flag & 1 == 1
    }

    /// The flags in their order: letters, and what stands behind each.
    #[inline]
    pub fn flags(&self) -> impl Iterator<Item = (u8, &'a [u8])> + Clone + use<'a> {
        self.flags.map(|word| (word[0], &word[1..]))
    }

    /// Whether the key is base64.
    #[inline]
    pub fn is_base64(&self) -> bool {
        self.has(b'b')
    }
}

impl<'a> Meta<'a> {
    /// Parses what stands behind the name `m` and `kind`.
    pub(crate) fn parse(kind: u8, mut words: Words<'a>) -> Request<'a> {
        let verb = match kind {
            b'g' => MetaVerb::Get,
            b's' => MetaVerb::Set,
            b'd' => MetaVerb::Delete,
            b'a' => MetaVerb::Arithmetic,
            b'e' => MetaVerb::Debug,
            _ => return Request::Wrong(Error::Unknown),
        };
        let count = 1 + words.take(WORDS_MAX).count();
        let Some(key) = words.next() else {
            let error = if verb == MetaVerb::Debug { Error::Format } else { Error::Unknown };
            return Request::Wrong(error);
        };
        if key.len() > KEY_MAX {
            return Request::Wrong(Error::Format);
        }
        let mut len = 0;
        if verb == MetaVerb::Set && words.is_empty() {
            return Request::Wrong(Error::Format);
        }
        if count > WORDS_MAX && verb != MetaVerb::Debug {
            let is_get = verb == MetaVerb::Get;
            return Request::Wrong(if is_get { Error::GetFlagsTooMany } else { Error::FlagsTooMany });
        }
        if verb == MetaVerb::Set {
            match words.next().and_then(number::signed_32) {
                Some(number @ 0..=BLOCK_MAX) => len = number as u32,
                _ => return Request::Wrong(Error::Format),
            }
        }
        Request::Meta(Meta { verb, key, flags: words, len, block: Block::Follows })
    }

    /// The length of the data that belongs to it, if data does.
    #[inline]
    pub(crate) fn block_len(&self) -> Option<u32> {
        (self.verb == MetaVerb::Set).then_some(self.len)
    }

    /// What its flags mean. `me` looks at one only.
    ///
    /// # Errors
    /// What is to be answered; nothing is to be done then.
    pub fn options(&self) -> Result<Options<'a>, Error> {
        let mut options = Options {
            flags: self.flags,
            given: 0,
            exptime: None,
            vivify: None,
            recache: None,
            client_flags: 0,
            cas: None,
            mode: None,
            initial: 0,
            delta: 1,
        };
        match self.verb {
            MetaVerb::Debug => {
                options.flags = Words::default();
                if self.flags.clone().next() == Some(b"b".as_slice()) {
                    if decoded_len(self.key).is_none() {
                        return Err(Error::Format);
                    }
                    options.given = 1 << b'b';
                }
                return Ok(options);
            }
            MetaVerb::Delete | MetaVerb::Arithmetic => {
                options.read(self.key).map_err(|_| Error::FlagOrTwice)?;
            }
            MetaVerb::Get | MetaVerb::Set => options.read(self.key)?,
        }
        if options.flags().any(|(letter, value)| letter == b'O' && value.len() >= OPAQUE_MAX) {
            return Err(Error::Opaque);
        }
        match (self.verb, options.mode) {
            (MetaVerb::Set, Some(mode)) if !b"EAPRS".contains(&mode) => Err(Error::SetMode),
            (MetaVerb::Arithmetic, Some(mode)) if !b"I+D-".contains(&mode) => Err(Error::ArithmeticMode),
            _ => Ok(options),
        }
    }

    /// The key, for which `room` is used if it is base64.
    #[inline]
    pub fn key<'b>(&self, options: &Options, room: &'b mut [u8; KEY_ROOM]) -> &'b [u8]
    where
        'a: 'b,
    {
        if !options.is_base64() {
            return self.key;
        }
        let len = decode(self.key, room).unwrap_or(0);
        &room[..len]
    }

    /// The key as it came, for those who need only know whose turn it is.
    #[inline]
    pub fn key_word(&self) -> &'a [u8] {
        self.key
    }
}

impl Options<'_> {
    /// Reads all flags. Of several things that are wrong, the last is told; a flag that there is not, or that was given
    /// before, ends it.
    fn read(&mut self, key: &[u8]) -> Result<(), Error> {
        let mut wrong = None;
        for (letter, value) in self.flags() {
            if letter >= 127 || self.has(letter) {
                return Err(Error::FlagTwice);
            }
            self.given |= 1 << letter;
            let result = match letter {
                b'b' => decoded_len(key).map(drop).ok_or(Error::KeyEncoding),
                b'N' => keep(&mut self.vivify, number::signed_32(value), Error::Token),
                b'T' => keep(&mut self.exptime, number::signed_32(value), Error::Token),
                b'R' => keep(&mut self.recache, number::signed_32(value), Error::Token),
                b'C' => keep(&mut self.cas, number::unsigned(value), Error::Token),
                b'F' => match number::unsigned_32(value) {
                    Some(flags) => {
                        self.client_flags = flags;
                        Ok(())
                    }
                    // It has no text of its own.
                    None => Err(wrong.unwrap_or(Error::Format)),
                },
                b'J' => number::unsigned(value).map(|value| self.initial = value).ok_or(Error::Initial),
                b'D' => number::unsigned(value).map(|value| self.delta = value).ok_or(Error::DeltaValue),
                b'M' => match value {
                    [mode] => {
                        self.mode = Some(*mode);
                        Ok(())
                    }
                    _ => Err(Error::ModeLength),
                },
                b'l' | b'O' | b'P' | b'L' | b'k' | b's' | b't' | b'c' | b'f' | b'v' | b'h' | b'u' | b'q'
                | b'I' => Ok(()),
                _ => return Err(Error::Flag),
            };
            if let Err(error) = result {
                wrong = Some(error);
            }
        }
        wrong.map_or(Ok(()), Err)
    }
}

fn keep<T>(place: &mut Option<T>, value: Option<T>, error: Error) -> Result<(), Error> {
    *place = value;
    if place.is_some() { Ok(()) } else { Err(error) }
}

/// What a character of base64 stands for; `=` for nothing.
fn sextet(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        b'=' => 0,
        _ => return None,
    })
}

/// How long what base64 stands for is; nothing if it is none, or stands for nothing.
fn decoded_len(text: &[u8]) -> Option<usize> {
    decode(text, &mut [0; KEY_ROOM])
}

/// Decodes base64 as memcached does: other characters are skipped, all four of a group must be there, and what follows a
/// group that is filled up is not looked at.
fn decode(text: &[u8], room: &mut [u8; KEY_ROOM]) -> Option<usize> {
    let mut len = 0;
    let known = || text.iter().filter(|&&byte| sextet(byte).is_some());
    let count = known().count();
    if count == 0 || count % 4 != 0 || count > KEY_ROOM / 3 * 4 {
        return None;
    }
    let mut letters = known();
    while let (Some(a), Some(b), Some(c), Some(d)) =
        (letters.next(), letters.next(), letters.next(), letters.next())
    {
        let group = [a, b, c, d].map(|&byte| u32::from(sextet(byte).unwrap_or(0)));
        let bits = group.iter().fold(0, |bits, sextet| bits << 6 | sextet);
        let filled = [a, b, c, d].iter().filter(|&&&byte| byte == b'=').count();
        if filled > 2 {
            return None;
        }
        let bytes = &bits.to_be_bytes()[1..4 - filled];
        room[len..len + bytes.len()].copy_from_slice(bytes);
        len += bytes.len();
        if filled > 0 {
            break;
        }
    }
    (len > 0).then_some(len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::parse_line;

    fn meta(line: &str) -> Meta<'_> {
        match parse_line(line.as_bytes()) {
            Some(Request::Meta(meta)) => meta,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn flags_mean_what_they_mean_to_memcached() {
        let meta = meta("ms YWI= 2 b F4294967297 T-1 C7 MA q O12 k");
        let options = meta.options().unwrap();
        assert_eq!((meta.verb, meta.len), (MetaVerb::Set, 2));
        assert_eq!(meta.key(&options, &mut [0; KEY_ROOM]), b"ab");
        assert_eq!((options.client_flags, options.exptime, options.cas), (1, Some(-1), Some(7)));
        assert_eq!((options.mode, options.has(b'q'), options.has(b'v')), (Some(b'A'), true, false));
        let letters: Vec<u8> = options.flags().map(|(letter, _)| letter).collect();
        assert_eq!(letters, b"bFTCMqOk");
    }

    #[test]
    fn what_is_wrong_with_flags_is_told_as_memcached_does() {
        let long = format!("mg a O{}", "x".repeat(32));
        for (line, want) in [
            ("mg a v v", Error::FlagTwice),
            ("mg a \u{80}", Error::FlagTwice),
            ("mg a x", Error::Flag),
            ("mg a Tx x", Error::Flag),
            ("mg a E5", Error::Flag),
            ("mg a Tx", Error::Token),
            ("mg a N", Error::Token),
            ("mg a Cx", Error::Token),
            ("mg a Fx", Error::Format),
            ("mg a Tx Fx", Error::Token),
            ("mg a Fx Tx", Error::Token),
            ("mg a Tx b", Error::KeyEncoding),
            ("mg a b Tx", Error::Token),
            ("mg a Dx", Error::DeltaValue),
            ("mg a Jx", Error::Initial),
            ("mg a M", Error::ModeLength),
            (&long, Error::Opaque),
            ("ms a 2 Mset", Error::ModeLength),
            ("ms a 2 MZ", Error::SetMode),
            ("ms a 2 Ma", Error::SetMode),
            ("ms a 2 MZ x", Error::Flag),
            ("ma a MZ", Error::ArithmeticMode),
            ("ma a Mi", Error::ArithmeticMode),
            ("ma a M", Error::FlagOrTwice),
            ("ma a N", Error::FlagOrTwice),
            ("md a x", Error::FlagOrTwice),
            ("md a I b", Error::FlagOrTwice),
            ("me !! b", Error::Format),
        ] {
            assert_eq!(meta(line).options(), Err(want), "{line}");
        }
        let whole = meta("me !! bx").options().map(|options| options.is_base64());
        assert_eq!(whole, Ok(false), "to `me`, a flag is a letter alone");
        for line in ["mg a MX", "ma a M+", "ma a M-", "ms a 2 N5 R6 D7", "me a x x", "ms a 2 L", "mg a kk vx"]
        {
            assert!(meta(line).options().is_ok(), "{line}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_line_is_told_before_its_data() {
        let many = "k s t f c h l v u T A B D E G H P S".to_owned();
        let key = "k".repeat(251);
        for (line, want) in [
            ("mg".to_owned(), Error::Unknown),
            ("ms".to_owned(), Error::Unknown),
            ("me".to_owned(), Error::Format),
            ("ms a".to_owned(), Error::Format),
            ("ms a abc".to_owned(), Error::Format),
            ("ms a -1".to_owned(), Error::Format),
            ("ms a 2147483646".to_owned(), Error::Format),
            (format!("mg {key}"), Error::Format),
            (format!("mg a {many}"), Error::GetFlagsTooMany),
            (format!("ms a 2 {many}"), Error::FlagsTooMany),
            (format!("md a {many}"), Error::FlagsTooMany),
        ] {
            assert_eq!(parse_line(line.as_bytes()), Some(Request::Wrong(want)), "{line}");
        }
    }

    #[test]
    fn base64_is_read_as_memcached_reads_it() {
        for (text, want) in [
            ("YQ==", Some(&b"a"[..])),
            ("YWI=", Some(b"ab")),
            ("YWJj", Some(b"abc")),
            ("YWI=YWI=", Some(b"ab")),
            ("a", None),
            ("YQ", None),
            ("YQ=", None),
            ("!!", None),
            ("====", None),
        ] {
            let mut room = [0; KEY_ROOM];
            let got = decode(text.as_bytes(), &mut room).map(|len| room[..len].to_vec());
            assert_eq!(got.as_deref(), want, "{text}");
        }
        let most = "A".repeat(248);
        assert_eq!(decode(most.as_bytes(), &mut [0; KEY_ROOM]), Some(186));
    }
}
