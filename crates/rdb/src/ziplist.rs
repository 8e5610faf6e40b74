//! Ziplists and zipmaps: what releases before 7.0 packed small collections into. They are only read.

use crate::Damaged;
use structures::packed::Item;

/// Bytes of the list, where its last entry is, and the number of entries.
const HEADER_BYTES: usize = 10;
const CLOSE: u8 = 0xFF;
/// The length of the entry before this one takes four more bytes.
const LONG_BEFORE: u8 = 0xFE;
/// From here on entries are not counted.
const COUNT_UNKNOWN: u16 = u16::MAX;

/// The entries of a ziplist, checked from end to end.
pub(crate) fn entries(bytes: &[u8]) -> Result<impl Iterator<Item = Item<'_>>, Damaged> {
    check(bytes).ok_or(Damaged)?;
    let mut at = HEADER_BYTES;
    Ok(std::iter::from_fn(move || {
        let (_, item, after) = entry(bytes, at)?;
        at = after;
        Some(item)
    }))
}

fn check(bytes: &[u8]) -> Option<()> {
    let total = u32::from_le_bytes(*bytes.first_chunk()?) as usize;
    let last = u32::from_le_bytes(bytes.get(4..8)?.try_into().ok()?) as usize;
    let announced = u16::from_le_bytes(bytes.get(8..10)?.try_into().ok()?);
    let (mut at, mut own_last, mut before, mut count) = (HEADER_BYTES, HEADER_BYTES, 0, 0usize);
    while *bytes.get(at)? != CLOSE {
        let (own_before, _, after) = entry(bytes, at)?;
        if own_before != before {
            return None;
        }
        (own_last, before, at) = (at, after - at, after);
        count += 1;
    }
    let counted = announced == COUNT_UNKNOWN || usize::from(announced) == count;
    (total == bytes.len() && at + 1 == total && last == own_last && counted).then_some(())
}

/// The length of the entry before the one at a position, that one, and the position after it; nothing at the end.
fn entry(bytes: &[u8], at: usize) -> Option<(usize, Item<'_>, usize)> {
    let (before, at) = match *bytes.get(at)? {
        CLOSE => return None,
        LONG_BEFORE => (u32::from_le_bytes(*bytes.get(at + 1..)?.first_chunk()?) as usize, at + 5),
        before => (before.into(), at + 1),
    };
    let rest = bytes.get(at..)?;
    let (&first, data) = rest.split_first()?;
    let (header, len): (usize, usize) = match first >> 6 {
        0 => (1, usize::from(first & 0x3F)),
        1 => (2, usize::from(first & 0x3F) << 8 | usize::from(*data.first()?)),
        2 => (5, u32::from_be_bytes(*data.first_chunk()?) as usize),
        _ => {
            let (value, size) = match first {
                0xC0 => (i16::from_le_bytes(*data.first_chunk()?).into(), 2),
                0xD0 => (i32::from_le_bytes(*data.first_chunk()?).into(), 4),
                0xE0 => (i64::from_le_bytes(*data.first_chunk()?), 8),
                0xF0 => {
                    let &[a, b, c] = data.first_chunk()?;
                    (i64::from(i32::from_le_bytes([0, a, b, c]) >> 8), 3)
                }
                0xFE => (i8::from_le_bytes(*data.first_chunk()?).into(), 1),
                0xF1..=0xFD => (i64::from(first & 0x0F) - 1, 0),
                _ => return None,
            };
            return Some((before, Item::Int(value), at + 1 + size));
        }
    };
    let text = rest.get(header..header.checked_add(len)?)?;
    Some((before, Item::Str(text), at + header + len))
}

/// Calls `each` with every field and value of a zipmap; only in the end it is known to be one.
pub(crate) fn zipmap(
    bytes: &[u8],
    mut each: impl FnMut(&[u8], &[u8]) -> Result<(), Damaged>,
) -> Result<(), Damaged> {
    let (&announced, mut rest) = bytes.split_first().ok_or(Damaged)?;
    let mut count = 0;
    while rest != [CLOSE] {
        let (field, after) = zipmap_string(rest, false).ok_or(Damaged)?;
        let (value, after) = zipmap_string(after, true).ok_or(Damaged)?;
        each(field, value)?;
        count += 1;
        rest = after;
    }
    if announced < LONG_BEFORE && usize::from(announced) != count { Err(Damaged) } else { Ok(()) }
}

/// A string of a zipmap, and what follows it; values may have unused bytes behind them.
fn zipmap_string(bytes: &[u8], has_slack: bool) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    let (len, rest) = match first {
        CLOSE => return None,
        LONG_BEFORE => {
            let (len, rest) = rest.split_first_chunk()?;
            (u32::from_le_bytes(*len) as usize, rest)
        }
        len => (len.into(), rest),
    };
    let (slack, rest) = if has_slack { rest.split_first()? } else { (&0, rest) };
    let (text, rest) = rest.split_at_checked(len)?;
    Some((text, rest.get(usize::from(*slack)..)?))
}
