//! Strings as arrays of bits.
//!
//! Whatever goes over whole strings does so by words: see [`bits`].

use crate::commands::family;
use crate::commands::strings::{EXCHANGES, LengthLimit, clip, is_backward};
use crate::parse::is_word;
use crate::{BASE, Command, CommandError, Cx};
use command::{Access, Category, Flags, Group, KeySpec, Range, Release, v};
use keyspace::{Class, Event};
use resp::{Args, Reply};
use structures::bits::{self, Combine};

family!(SETBIT, GETBIT, BITCOUNT, BITPOS, BITOP);

/// On which the records of this family, and of bit fields, are built.
pub(super) const BITMAP: Command =
    Command { group: Group::Bitmap, categories: Category::BITMAP, range: Range::ONE, ..BASE };

/// The event of a string whose bits are changed.
pub(super) const SETBIT_EVENT: Event = Event(Class::STRING, "setbit");

/// `SETBIT key offset value`: the bit that was there.
pub static SETBIT: Command = Command {
    name: "setbit",
    summary: "Sets or clears a bit of the string at a key, which grows as is needed.",
    since: v(2, 2, 0),
    arity: 4,
    syntax: "key offset:int value:int",
    flags: Flags::WRITE.union(Flags::DENYOOM),
    keys: &[KeySpec::at(1, EXCHANGES)],
    handler: setbit,
    ..BITMAP
};

/// `GETBIT key offset`: the bit; 0 beyond the end.
pub static GETBIT: Command = Command {
    name: "getbit",
    summary: "Gives a bit of the string at a key.",
    since: v(2, 2, 0),
    arity: 3,
    syntax: "key offset:int",
    flags: Flags::READONLY.union(Flags::FAST),
    keys: &[KeySpec::at(1, Access::RO.union(Access::ACCESS))],
    handler: getbit,
    ..BITMAP
};

/// `BITCOUNT key [start end [BYTE | BIT]]`: how many bits are set.
pub static BITCOUNT: Command = Command {
    name: "bitcount",
    summary: "Counts the bits that are set in a string, or in a part of it.",
    complexity: "O(N) for N bytes.",
    since: v(2, 6, 0),
    arity: -2,
    syntax: "key index=[start:int end:int index_unit=[BYTE | BIT]@7.0.0]",
    flags: Flags::READONLY,
    keys: &[KeySpec::at(1, Access::RO.union(Access::ACCESS))],
    handler: bitcount,
    ..BITMAP
};

/// `BITPOS key bit [start [end [BYTE | BIT]]]`: where the first such bit is; -1 if there is none.
pub static BITPOS: Command = Command {
    name: "bitpos",
    summary: "Finds the first bit that is set, or clear, in a string or in a part of it.",
    complexity: "O(N) for N bytes.",
    since: v(2, 8, 7),
    arity: -3,
    syntax: "key bit:int index=[start:int end_index=[end:int index_unit=[BYTE | BIT]@7.0.0]]",
    flags: Flags::READONLY,
    keys: &[KeySpec::at(1, Access::RO.union(Access::ACCESS))],
    handler: bitpos,
    ..BITMAP
};

/// `BITOP AND | OR | XOR | NOT destkey key [key ...]`: the length of the result.
pub static BITOP: Command = Command {
    name: "bitop",
    summary: "Combines strings bit by bit and stores the result.",
    complexity: "O(N) for N bytes of all strings.",
    since: v(2, 6, 0),
    arity: -4,
    syntax: "operation destkey:key key...",
    flags: Flags::WRITE.union(Flags::DENYOOM),
    keys: &[
        KeySpec::at(2, Access::OW.union(Access::UPDATE)),
        KeySpec::range(3, -1, 1, Access::RO.union(Access::ACCESS)),
    ],
    range: Range::new(2, -1, 1),
    handler: bitop,
    ..BITMAP
};

fn setbit(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let key = args.at(1);
    let at = offset(cx, args.at(2), None)?;
    let bit = match cx.integer(args.at(3)) {
        Ok(bit @ (0 | 1)) => bit as u64,
        _ => return Err(CommandError::BitValue),
    };
    let len = (at / 8 + 1) as usize;
    cx.weigh_growth(key, len as u64)?;
    let tells_changes = cx.release() >= Release::V7_0;
    let mut spot = cx.spot(key);
    let grows = spot.text(|text| text.is_none_or(|text| text.len() < len))?;
    let mut text = spot.text_mut(len)?;
    let bytes = text.bytes();
    let old = bits::read(bytes, at, 1);
    bits::write(bytes, at, 1, bit);
    drop(text);
    // Before 7.0 everything counted as a change.
    if tells_changes && !grows && old == bit {
        spot.leave();
    } else {
        spot.commit(SETBIT_EVENT);
    }
    reply.integer(old as i64);
    Ok(())
}

fn getbit(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let at = offset(cx, args.at(2), None)?;
    let bit = cx.read_text(args.at(1))?.map_or(0, |text| text.with_bytes(|bytes| bits::read(bytes, at, 1)));
    reply.integer(bit as i64);
    Ok(())
}

/// The position of a bit that a string may have. For a field of so many bits it may be given as `#` and the number of
/// the field.
pub(super) fn offset(cx: &Cx, text: &[u8], field_bits: Option<u32>) -> Result<u64, CommandError> {
    let (number, scale) = match (text.strip_prefix(b"#"), field_bits) {
        (Some(number), Some(bits)) => (number, i64::from(bits)),
        _ => (text, 1),
    };
    let number = cx.integer(number).map_err(|_| CommandError::BitOffset)?;
    // A product that is too large goes round.
    u64::try_from(number.wrapping_mul(scale))
        .ok()
        .filter(|at| at / 8 < LengthLimit::of(cx).bytes)
        .ok_or(CommandError::BitOffset)
}

/// The part of a string that is looked at.
#[derive(Clone, Copy)]
struct Part {
    start: i64,
    end: i64,
    /// Positions are those of bits rather than bytes.
    bits: bool,
}

impl Part {
    /// The bits of it in a string of `len` bytes; nothing if it is empty.
    fn clip(self, len: usize) -> Option<std::ops::Range<u64>> {
        let scale = if self.bits { 1 } else { 8 };
        let (first, last) = clip(self.start, self.end, len as u64 * 8 / scale)?;
        Some(first * scale..(last + 1) * scale)
    }
}

/// Whether positions are those of bits.
fn unit(word: &[u8]) -> Result<bool, CommandError> {
    if is_word(word, "BIT") {
        Ok(true)
    } else if is_word(word, "BYTE") {
        Ok(false)
    } else {
        Err(CommandError::Syntax)
    }
}

/// Whether a release looks at the key only after it has found the arguments to be right.
fn checks_arguments_first(cx: &Cx) -> bool {
    cx.release().has(v(7, 4, 0))
}

fn bitcount(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let key = args.at(1);
    let part = counted_part(cx, args);
    if part.is_err() && checks_arguments_first(cx) {
        return part.map(drop);
    }
    cx.weigh_strings([key].into_iter())?;
    let Some(text) = cx.read_text(key)? else {
        reply.integer(0);
        return Ok(());
    };
    let part = part?;
    let count = text.with_bytes(|bytes| Some(bits::count_range(bytes, part?.clip(bytes.len())?)));
    reply.integer(count.unwrap_or(0) as i64);
    Ok(())
}

/// The part of a string in which `BITCOUNT` counts, if it is not empty in any string.
fn counted_part(cx: &Cx, args: Args) -> Result<Option<Part>, CommandError> {
    let (start, end) = match args.len() {
        2 => (0, -1),
        5 if cx.release() < Release::V7_0 => return Err(CommandError::Syntax),
        4 | 5 => (cx.integer(args.at(2))?, cx.integer(args.at(3))?),
        _ => return Err(CommandError::Syntax),
    };
    let backward = is_backward(start, end, cx.release());
    if backward && !checks_arguments_first(cx) {
        // Nothing is counted, and the last word not looked at.
        return Ok(None);
    }
    let bits = args.get(4).map_or(Ok(false), unit)?;
    Ok((!backward).then_some(Part { start, end, bits }))
}

fn bitpos(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let key = args.at(1);
    let bit = match cx.integer(args.at(2))? {
        0 => false,
        1 => true,
        _ => return Err(CommandError::BitArgument),
    };
    let part = searched_part(cx, args);
    if part.is_err() && checks_arguments_first(cx) {
        return part.map(drop);
    }
    cx.weigh_strings([key].into_iter())?;
    let Some(text) = cx.read_text(key)? else {
        // The string that is not there begins with zeros.
        reply.integer(if bit { -1 } else { 0 });
        return Ok(());
    };
    let part = part?;
    let open_ended = args.len() < 5;
    let position = text.with_bytes(|bytes| {
        let range = part.clip(bytes.len())?;
        // Where no end was given a clear bit follows the last one.
        let beyond = (!bit && open_ended).then_some(bytes.len() as u64 * 8);
        bits::find(bytes, bit, range).or(beyond)
    });
    reply.integer(position.map_or(-1, |position| position as i64));
    Ok(())
}

/// The part of a string in which `BITPOS` looks.
fn searched_part(cx: &Cx, args: Args) -> Result<Part, CommandError> {
    let most = if cx.release() >= Release::V7_0 { 6 } else { 5 };
    if args.len() > most {
        return Err(CommandError::Syntax);
    }
    let start = args.get(3).map_or(Ok(0), |text| cx.integer(text))?;
    let bits = args.get(5).map_or(Ok(false), unit)?;
    let end = args.get(4).map_or(Ok(-1), |text| cx.integer(text))?;
    Ok(Part { start, end, bits })
}

fn bitop(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let operation = args.at(1);
    let combine = if is_word(operation, "AND") {
        Some(Combine::And)
    } else if is_word(operation, "OR") {
        Some(Combine::Or)
    } else if is_word(operation, "XOR") {
        Some(Combine::Xor)
    } else if is_word(operation, "NOT") {
        None
    } else {
        return Err(CommandError::Syntax);
    };
    if combine.is_none() && args.len() != 4 {
        return Err(CommandError::BitopNot);
    }
    let sources = args.iter_from(3);
    cx.weigh_strings(sources.clone())?;
    let mut len = 0;
    for key in sources.clone() {
        len = len.max(cx.read_text(key)?.map_or(0, |text| text.len()));
    }
    let mut result = Vec::with_capacity(len);
    for (index, key) in sources.enumerate() {
        let entry = cx.peek(key);
        let mut add = |bytes: &[u8]| match combine {
            Some(combine) if index > 0 => bits::combine(&mut result, bytes, combine),
            _ => {
                result.extend_from_slice(bytes);
                result.resize(len, 0);
            }
        };
        match entry.as_ref().and_then(|entry| entry.text()) {
            Some(text) => text.with_bytes(add),
            None => add(b""),
        }
    }
    if combine.is_none() {
        bits::invert(&mut result);
    }
    let mut spot = cx.spot(args.at(2));
    if len > 0 {
        spot.set_raw(result);
        spot.set_expiry(None);
        spot.commit(Event(Class::STRING, "set"));
    } else if spot.exists() {
        let lazily = spot.params().lazy_server_del;
        spot.delete(lazily);
        spot.commit(Event(Class::GENERIC, "del"));
    } else {
        spot.leave();
    }
    reply.count(len);
    Ok(())
}
