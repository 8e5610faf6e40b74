//! Bytes being read.

use crate::{Damaged, code, lzf};
use std::borrow::Cow;
use structures::number::Decimal;
use structures::stream::StreamId;

/// The longest string that is made of compressed bytes.
const MOST_BYTES: u64 = 512 << 20;

/// What is left to read.
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Cursor { rest: bytes }
    }

    pub(crate) fn bytes(&mut self, count: u64) -> Result<&'a [u8], Damaged> {
        let count = usize::try_from(count).map_err(|_| Damaged)?;
        let (bytes, rest) = self.rest.split_at_checked(count).ok_or(Damaged)?;
        self.rest = rest;
        Ok(bytes)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Damaged> {
        let (array, rest) = self.rest.split_first_chunk().ok_or(Damaged)?;
        self.rest = rest;
        Ok(*array)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Damaged> {
        Ok(self.array::<1>()?[0])
    }

    /// A length or another number.
    pub(crate) fn number(&mut self) -> Result<u64, Damaged> {
        let first = self.byte()?;
        self.number_after(first)
    }

    fn number_after(&mut self, first: u8) -> Result<u64, Damaged> {
        let low = first & 0x3F;
        match first >> 6 {
            code::LENGTH_6_BITS => Ok(low.into()),
            code::LENGTH_14_BITS => Ok(u16::from_be_bytes([low, self.byte()?]).into()),
            code::LENGTH_IN_BYTES if first == code::LENGTH_32_BITS => {
                Ok(u32::from_be_bytes(self.array()?).into())
            }
            code::LENGTH_IN_BYTES if first == code::LENGTH_64_BITS => Ok(u64::from_be_bytes(self.array()?)),
            _ => Err(Damaged),
        }
    }

    /// A string in any of its forms.
    pub(crate) fn string(&mut self) -> Result<Cow<'a, [u8]>, Damaged> {
        let int = match self.byte()? {
            code::INT_8 => i8::from_le_bytes(self.array()?).into(),
            code::INT_16 => i16::from_le_bytes(self.array()?).into(),
            code::INT_32 => i32::from_le_bytes(self.array()?).into(),
            code::COMPRESSED => {
                let (compressed_len, len) = (self.number()?, self.number()?);
                let compressed = self.bytes(compressed_len)?;
                let len = usize::try_from(len.min(MOST_BYTES + 1)).map_err(|_| Damaged)?;
                return lzf::decompress(compressed, len).map(Cow::Owned).ok_or(Damaged);
            }
            first => {
                let len = self.number_after(first)?;
                return self.bytes(len).map(Cow::Borrowed);
            }
        };
        Ok(Cow::Owned(Decimal::new(int).as_bytes().to_vec()))
    }

    /// A time in ms since the epoch.
    pub(crate) fn time_ms(&mut self) -> Result<i64, Damaged> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    /// A score as eight bytes.
    pub(crate) fn score(&mut self) -> Result<f64, Damaged> {
        Ok(f64::from_le_bytes(self.array()?))
    }

    /// A score as text.
    pub(crate) fn textual_score(&mut self) -> Result<f64, Damaged> {
        match self.byte()? {
            code::SCORE_NAN => Ok(f64::NAN),
            code::SCORE_INFINITE => Ok(f64::INFINITY),
            code::SCORE_MINUS_INFINITE => Ok(f64::NEG_INFINITY),
            len => parse_score(self.bytes(len.into())?),
        }
    }

    /// The id of an entry, as two numbers.
    pub(crate) fn id(&mut self) -> Result<StreamId, Damaged> {
        Ok(StreamId::new(self.number()?, self.number()?))
    }

    /// The id of an entry, as sixteen bytes.
    pub(crate) fn raw_id(&mut self) -> Result<StreamId, Damaged> {
        Ok(StreamId::new(u64::from_be_bytes(self.array()?), u64::from_be_bytes(self.array()?)))
    }
}

/// A score that somebody has written.
pub(crate) fn parse_score(text: &[u8]) -> Result<f64, Damaged> {
    std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or(Damaged)
}
