//! Bytes being read, of which the rest may still have to come.

use crate::{Damaged, code, lzf};
use std::borrow::Cow;
use structures::number::Decimal;
use structures::packed;
use structures::stream::StreamId;

/// The longest string that is made of compressed bytes.
const MOST_BYTES: u64 = 512 << 20;

/// Why something could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It goes on behind the bytes that are there, for at least so many.
    Short(u64),
    /// It is nothing that could be read, whatever comes.
    Damaged,
}

impl From<Damaged> for Fault {
    fn from(_: Damaged) -> Self {
        Fault::Damaged
    }
}

/// Where all bytes are there, one that is missing is damage.
impl From<Fault> for Damaged {
    fn from(_: Fault) -> Self {
        Damaged
    }
}

/// Bytes, and how far they have been read.
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Cursor::at(bytes, 0)
    }

    /// Bytes of which so many have been read.
    pub(crate) fn at(bytes: &'a [u8], position: usize) -> Self {
        debug_assert!(position <= bytes.len());
        Cursor { bytes, position }
    }

    /// How many bytes have been read.
    pub(crate) fn position(&self) -> usize {
        self.position
    }

    fn rest(&self) -> &'a [u8] {
        &self.bytes[self.position..]
    }

    pub(crate) fn bytes(&mut self, count: u64) -> Result<&'a [u8], Fault> {
        // What is larger than memory never comes.
        let count = isize::try_from(count).map_err(|_| Fault::Damaged)? as usize;
        let rest = self.rest();
        let bytes = rest.get(..count).ok_or_else(|| Fault::Short((count - rest.len()) as u64))?;
        self.position += count;
        Ok(bytes)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let rest = self.rest();
        let array = rest.first_chunk().ok_or_else(|| Fault::Short((N - rest.len()) as u64))?;
        self.position += N;
        Ok(*array)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Fault> {
        Ok(self.array::<1>()?[0])
    }

    /// A length or another number.
    pub(crate) fn number(&mut self) -> Result<u64, Fault> {
        let first = self.byte()?;
        self.number_after(first)
    }

    fn number_after(&mut self, first: u8) -> Result<u64, Fault> {
        let low = first & 0x3F;
        match first >> 6 {
            code::LENGTH_6_BITS => Ok(low.into()),
            code::LENGTH_14_BITS => Ok(u16::from_be_bytes([low, self.byte()?]).into()),
            code::LENGTH_IN_BYTES if first == code::LENGTH_32_BITS => {
                Ok(u32::from_be_bytes(self.array()?).into())
            }
            code::LENGTH_IN_BYTES if first == code::LENGTH_64_BITS => Ok(u64::from_be_bytes(self.array()?)),
            _ => Err(Fault::Damaged),
        }
    }

    /// A string in any of its forms, if collections can hold it.
    pub(crate) fn string(&mut self) -> Result<Cow<'a, [u8]>, Fault> {
        let int = match self.byte()? {
            code::INT_8 => i8::from_le_bytes(self.array()?).into(),
            code::INT_16 => i16::from_le_bytes(self.array()?).into(),
            code::INT_32 => i32::from_le_bytes(self.array()?).into(),
            code::COMPRESSED => {
                let (compressed_len, len) = (self.number()?, self.number()?);
                let compressed = self.bytes(compressed_len)?;
                let len = usize::try_from(len.min(MOST_BYTES + 1)).map_err(|_| Fault::Damaged)?;
                return lzf::decompress(compressed, len).map(Cow::Owned).ok_or(Fault::Damaged);
            }
            first => {
                let len = self.number_after(first)?;
                if len > packed::ITEM_BYTES_MAX as u64 {
                    return Err(Fault::Damaged);
                }
                return self.bytes(len).map(Cow::Borrowed);
            }
        };
        Ok(Cow::Owned(Decimal::new(int).as_bytes().to_vec()))
    }

    /// Passes a string without making it.
    pub(crate) fn skip_string(&mut self) -> Result<(), Fault> {
        let len = match self.byte()? {
            code::INT_8 => 1,
            code::INT_16 => 2,
            code::INT_32 => 4,
            code::COMPRESSED => {
                let compressed_len = self.number()?;
                self.number()?;
                compressed_len
            }
            first => self.number_after(first)?,
        };
        self.bytes(len).map(drop)
    }

    /// A time in ms since the epoch.
    pub(crate) fn time_ms(&mut self) -> Result<i64, Fault> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    /// A score as eight bytes.
    pub(crate) fn score(&mut self) -> Result<f64, Fault> {
        Ok(f64::from_le_bytes(self.array()?))
    }

    /// A score as text.
    pub(crate) fn textual_score(&mut self) -> Result<f64, Fault> {
        match self.byte()? {
            code::SCORE_NAN => Ok(f64::NAN),
            code::SCORE_INFINITE => Ok(f64::INFINITY),
            code::SCORE_MINUS_INFINITE => Ok(f64::NEG_INFINITY),
            len => Ok(parse_score(self.bytes(len.into())?)?),
        }
    }

    /// Passes a score as text.
    pub(crate) fn skip_textual_score(&mut self) -> Result<(), Fault> {
        match self.byte()? {
            code::SCORE_NAN | code::SCORE_INFINITE | code::SCORE_MINUS_INFINITE => Ok(()),
            len => self.bytes(len.into()).map(drop),
        }
    }

    /// The id of an entry, as two numbers.
    pub(crate) fn id(&mut self) -> Result<StreamId, Fault> {
        Ok(StreamId::new(self.number()?, self.number()?))
    }

    /// The id of an entry, as sixteen bytes.
    pub(crate) fn raw_id(&mut self) -> Result<StreamId, Fault> {
        Ok(StreamId::new(u64::from_be_bytes(self.array()?), u64::from_be_bytes(self.array()?)))
    }
}

/// A score that somebody has written.
pub(crate) fn parse_score(text: &[u8]) -> Result<f64, Damaged> {
    std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or(Damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_that_no_collection_can_hold_are_not_waited_for() {
        let announce = |len: u64| [&[code::LENGTH_64_BITS][..], &len.to_be_bytes()].concat();
        let most = packed::ITEM_BYTES_MAX as u64;
        let read = |len| Cursor::new(&announce(len)).string().map(Cow::into_owned);
        assert_eq!(read(most), Err(Fault::Short(most)));
        assert_eq!(read(most + 1), Err(Fault::Damaged));
        assert_eq!(read(u64::MAX), Err(Fault::Damaged));
    }
}
