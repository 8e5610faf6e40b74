//! What records consist of, as data: enough to find where one ends without making anything of it.
//!
//! A record is a byte that says what it is and what belongs to that, for a key its name and its value. A [`Walk`]
//! goes through the bytes of one and can stop wherever they end for now; it takes up no more than a few words.
//!
//! Not here: what records mean, and whether what they hold is sound.

use crate::code;
use crate::cursor::{Cursor, Fault};
use arrayvec::ArrayVec;

/// A part of a record.
#[derive(Debug)]
enum Token {
    /// A length or another number.
    Number,
    /// A string in any of its forms.
    Text,
    /// A score as text.
    TextualScore,
    /// So many bytes.
    Bytes(u64),
    /// A number, and as many times these.
    Repeated(&'static [Token]),
    /// A module's data: parts up to one that says that they end.
    Parts,
}

use Token::{Bytes, Number, Parts, Repeated, Text, TextualScore};

/// The id of an entry.
const ID: Token = Bytes(16);
const TIME: Token = Bytes(8);
const SCORE: Token = Bytes(8);

/// A consumer with what is pending for it.
const CONSUMER: &[Token] = &[Text, TIME, Repeated(&[ID])];
const CONSUMER_3: &[Token] = &[Text, TIME, TIME, Repeated(&[ID])];
/// What is pending for a group: with the time and the number of deliveries.
const PENDING: &[Token] = &[ID, TIME, Number];
const GROUP: &[Token] = &[Text, Number, Number, Repeated(PENDING), Repeated(CONSUMER)];
const GROUP_2: &[Token] = &[Text, Number, Number, Number, Repeated(PENDING), Repeated(CONSUMER)];
const GROUP_3: &[Token] = &[Text, Number, Number, Number, Repeated(PENDING), Repeated(CONSUMER_3)];
/// The nodes of a stream, each with its first id.
const NODES: Token = Repeated(&[Text, Text]);

/// What follows the byte that says what a record is; nothing if there is no such record.
fn shape(code: u8) -> Option<&'static [Token]> {
    Some(match code {
        code::STRING
        | code::HASH_ZIPMAP
        | code::LIST_ZIPLIST
        | code::SET_INTSET
        | code::ZSET_ZIPLIST
        | code::HASH_ZIPLIST
        | code::HASH_LISTPACK
        | code::ZSET_LISTPACK
        | code::SET_LISTPACK
        | code::HASH_LISTPACK_EXPIRING_EARLY => &[Text, Text],
        code::LIST | code::SET | code::LIST_QUICKLIST => &[Text, Repeated(&[Text])],
        code::LIST_QUICKLIST_2 => &[Text, Repeated(&[Number, Text])],
        code::ZSET => &[Text, Repeated(&[Text, TextualScore])],
        code::ZSET_2 => &[Text, Repeated(&[Text, SCORE])],
        code::HASH => &[Text, Repeated(&[Text, Text])],
        code::HASH_EXPIRING_EARLY => &[Text, Repeated(&[Number, Text, Text])],
        code::HASH_EXPIRING => &[Text, TIME, Repeated(&[Number, Text, Text])],
        code::HASH_LISTPACK_EXPIRING => &[Text, TIME, Text],
        // Behind the nodes: the number of entries and the last id; later also the first one, the last that was deleted,
        // and how many were ever added.
        code::STREAM => &[Text, NODES, Number, Number, Number, Repeated(GROUP)],
        code::STREAM_2 => {
            &[Text, NODES, Number, Number, Number, Number, Number, Number, Number, Number, Repeated(GROUP_2)]
        }
        code::STREAM_3 => {
            &[Text, NODES, Number, Number, Number, Number, Number, Number, Number, Number, Repeated(GROUP_3)]
        }
        // Up to the module's id: what follows is for the module.
        code::MODULE | code::MODULE_2 => &[Text, Number],
        // The id, and whether it is told before the keys or after them.
        code::MODULE_AUX => &[Number, Number, Number, Parts],
        code::SLOT => &[Number, Number, Number],
        code::LIBRARY => &[Text],
        code::LIBRARY_EARLY => &[Text, Text, Repeated(&[Text]), Text],
        code::IDLE | code::DATABASE => &[Number],
        code::FREQUENCY => &[Bytes(1)],
        code::AUX => &[Text, Text],
        code::SIZES => &[Number, Number],
        code::EXPIRES_MS => &[TIME],
        code::EXPIRES_S => &[Bytes(4)],
        code::END => &[],
        _ => return None,
    })
}

/// Whether a record of this kind is a key with its value.
pub(crate) fn is_key(code: u8) -> bool {
    code < code::SLOT && shape(code).is_some()
}

/// What is pending for a consumer of a group of a stream.
const DEEPEST: usize = 4;

/// A way through one record.
#[derive(Debug)]
pub(crate) struct Walk {
    /// The parts that are being gone through, the innermost last.
    open: ArrayVec<Open, DEEPEST>,
    /// How many bytes have been passed.
    position: usize,
}

/// Parts that come so many times yet, this time included.
#[derive(Debug)]
struct Open {
    tokens: &'static [Token],
    next: usize,
    times: u64,
}

impl Walk {
    /// A way through a record of this kind, past its first byte; nothing if there is no such record.
    pub(crate) fn through(code: u8) -> Option<Walk> {
        let open = [Open { tokens: shape(code)?, next: 0, times: 1 }].into_iter().collect();
        Some(Walk { open, position: 1 })
    }

    /// How many bytes of the record have been passed.
    pub(crate) fn position(&self) -> usize {
        self.position
    }

    /// Goes on through `bytes`, which begin where the record does and are at least those of the last time. Gives the
    /// length of the record.
    ///
    /// # Errors
    /// [`Fault::Short`] if the record goes on behind the bytes: call again with more.
    pub(crate) fn go_on(&mut self, bytes: &[u8]) -> Result<usize, Fault> {
        let mut cursor = Cursor::at(bytes, self.position);
        while let Some(open) = self.open.last_mut() {
            let Some(token) = open.tokens.get(open.next) else {
                (open.next, open.times) = (0, open.times - 1);
                if open.times == 0 {
                    self.open.pop();
                }
                continue;
            };
            let mut inner = None;
            let mut is_whole = true;
            match *token {
                Number => drop(cursor.number()?),
                Text => cursor.skip_string()?,
                TextualScore => cursor.skip_textual_score()?,
                Bytes(count) => drop(cursor.bytes(count)?),
                Repeated(tokens) => inner = Some((tokens, cursor.number()?)),
                Parts => is_whole = !skip_part(&mut cursor)?,
            }
            // Only now: what is short is gone through again from its beginning.
            self.position = cursor.position();
            open.next += usize::from(is_whole);
            if let Some((tokens, times @ 1..)) = inner {
                self.open.push(Open { tokens, next: 0, times });
            }
        }
        Ok(self.position)
    }
}

/// Passes a part of a module's data; false if it was the last.
fn skip_part(cursor: &mut Cursor<'_>) -> Result<bool, Fault> {
    match cursor.number()? {
        code::PART_END => return Ok(false),
        code::PART_SIGNED | code::PART_UNSIGNED => drop(cursor.number()?),
        code::PART_FLOAT => drop(cursor.bytes(4)?),
        code::PART_DOUBLE => drop(cursor.bytes(8)?),
        code::PART_STRING => cursor.skip_string()?,
        _ => return Err(Fault::Damaged),
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_of_a_value_has_a_shape() {
        for code in 0..=u8::MAX {
            if code::since(code).is_some() {
                assert!(is_key(code), "{code}");
            }
        }
    }

    #[test]
    fn a_walk_goes_on_where_it_stopped() {
        // A stream without nodes; a group with one id pending, for its only consumer.
        let pending = [&[1][..], &[7; 16], &[8; 8], &[1]].concat();
        let consumer = [&b"\x01\x01c"[..], &[8; 8], &[8; 8], &[1], &[7; 16]].concat();
        let group = [&b"\x01\x01g\x05\x06\x07"[..], &pending, &consumer].concat();
        let record = [&b"\x15\x03key\x00\x00\x05\x06\x00\x00\x00\x00\x00"[..], &group].concat();
        let mut walk = Walk::through(record[0]).expect("it is a stream");
        for len in 1..record.len() {
            match walk.go_on(&record[..len]) {
                Err(Fault::Short(missing)) => assert!(missing as usize <= record.len() - len, "{len}"),
                other => panic!("{other:?} after {len} bytes"),
            }
        }
        assert_eq!(walk.go_on(&record), Ok(record.len()));
        assert_eq!(walk.position(), record.len());
    }

    #[test]
    fn what_is_missing_is_known_as_soon_as_it_is_announced() {
        let mut walk = Walk::through(code::STRING).expect("it is a string");
        assert_eq!(walk.go_on(b"\x00\x03key\x80\x00\x0f\x00\x00v"), Err(Fault::Short((15 << 16) - 1)));
        let mut walk = Walk::through(code::STRING).expect("it is a string");
        assert_eq!(walk.go_on(b"\x00\x03key\x81\xff\xff\xff\xff\xff\xff\xff\xff"), Err(Fault::Damaged));
    }

    #[test]
    fn parts_of_modules_are_passed() {
        let data = b"\xf7\x81\x01\x02\x03\x04\x05\x06\x07\x08\x02\x01\x01\x05\x02\x06\x03....\x04........\x05\x02ab\x00";
        let mut walk = Walk::through(data[0]).expect("it is a module's");
        assert_eq!(walk.go_on(data), Ok(data.len()));
        let mut walk = Walk::through(data[0]).expect("it is a module's");
        assert_eq!(walk.go_on(b"\xf7\x01\x02\x01\x06"), Err(Fault::Damaged));
    }
}
