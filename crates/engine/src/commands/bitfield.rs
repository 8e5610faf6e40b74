//! Numbers of any width at any position of a string.
//!
//! A field is a signed number of up to 64 bits or an unsigned one of up to 63, the most significant bit first. Beyond
//! the end of the string there are zeros.

use crate::commands::bitmaps::{BITMAP, SETBIT_EVENT, offset};
use crate::commands::family;
use crate::commands::strings::EXCHANGES;
use crate::parse::is_word;
use crate::{Command, CommandError, Cx};
use command::{Access, Flags, KeySpec, Release, Untold, v};
use resp::{Args, Reply};
use smallvec::SmallVec;
use structures::{bits, number};

family!(BITFIELD, BITFIELD_RO);

/// `BITFIELD key [GET type offset] [OVERFLOW WRAP | SAT | FAIL] [SET type offset value] [INCRBY type offset increment]
/// ...`: an array with what each operation found: the number, the old number, the new number; nil where it did not fit.
pub static BITFIELD: Command = Command {
    name: "bitfield",
    summary: "Reads, sets and adds to numbers of any width in the string at a key.",
    complexity: "O(1) for each operation.",
    since: v(3, 2, 0),
    arity: -2,
    syntax: "key operation=[GET (encoding offset:int) | write=([OVERFLOW (WRAP | SAT | FAIL)] \
             write_operation=(SET (encoding offset:int value:int) | INCRBY (encoding offset:int \
             increment:int)))]...",
    flags: Flags::WRITE.union(Flags::DENYOOM),
    keys: &[KeySpec::at(1, EXCHANGES.union(Access::VARIABLE_FLAGS))
        .noted("This command allows both access and modification of the key")
        .knowing(Untold::Without(&["set", "incrby"], Access::RO.union(Access::ACCESS)))],
    handler: bitfield,
    ..BITMAP
};

/// `BITFIELD_RO key [GET type offset ...]`: as [`BITFIELD`].
pub static BITFIELD_RO: Command = Command {
    name: "bitfield_ro",
    summary: "Reads numbers of any width in the string at a key.",
    complexity: "O(1) for each operation.",
    since: v(6, 0, 0),
    arity: -2,
    syntax: "key [GET (encoding offset:int)]...",
    flags: Flags::READONLY.union(Flags::FAST),
    keys: &[KeySpec::at(1, Access::RO.union(Access::ACCESS))],
    handler: bitfield_ro,
    ..BITMAP
};

fn bitfield(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    run(cx, args, reply, true)
}

fn bitfield_ro(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    run(cx, args, reply, false)
}

fn run(cx: &mut Cx, args: Args, reply: &mut Reply, may_write: bool) -> Result<(), CommandError> {
    let operations = parse(cx, args)?;
    let (key, release) = (args.at(1), cx.release());
    let Some(end) = operations.iter().filter(|operation| operation.writes()).map(|one| one.field.end()).max()
    else {
        let text = cx.read_text(key)?;
        reply.array(operations.len());
        let mut read = |bytes: &[u8]| {
            operations.iter().for_each(|operation| reply.integer(operation.field.read(bytes, release)))
        };
        match text {
            Some(text) => text.with_bytes(read),
            None => read(b""),
        }
        return Ok(());
    };
    if !may_write {
        return Err(CommandError::BitfieldReadOnly);
    }
    let len = end.div_ceil(8) as usize;
    cx.weigh_growth(key, len as u64)?;
    let tells_changes = release >= Release::V7_0;
    let mut spot = cx.spot(key);
    let grows = spot.text(|text| text.is_none_or(|text| text.len() < len))?;
    let mut text = spot.text_mut(len)?;
    let bytes = text.bytes();
    let mut changes = 0;
    reply.array(operations.len());
    for operation in &operations {
        let (given, changed) = operation.run(bytes, release);
        match given {
            Some(number) => reply.integer(number),
            None => reply.null(),
        }
        // Before 7.0 everything but reading counted as a change.
        let counts = if tells_changes { given.is_some() && (grows || changed) } else { true };
        changes += u64::from(operation.writes() && counts);
    }
    drop(text);
    if changes > 0 {
        spot.commit_many(SETBIT_EVENT, changes);
    } else {
        spot.leave();
    }
    Ok(())
}

/// Where a number stands in a string, and how.
#[derive(Clone, Copy)]
struct Field {
    signed: bool,
    bits: u32,
    at: u64,
}

impl Field {
    fn end(self) -> u64 {
        self.at + u64::from(self.bits)
    }

    /// The smallest and the largest number of the field.
    fn limits(self) -> (i64, i64) {
        let max = (u64::MAX >> (64 - self.bits) >> u32::from(self.signed)) as i64;
        (if self.signed { -max - 1 } else { 0 }, max)
    }

    fn read(self, bytes: &[u8], release: Release) -> i64 {
        let raw = bits::read(bytes, self.at, self.bits);
        let number = self.wrap(raw as i64);
        // Before 6.0 a shift too wide made all negative numbers of 64 bits one.
        if self.bits == 64 && number < 0 && !release.has(v(6, 0, 0)) { -1 } else { number }
    }

    /// A number cut off to the width of the field.
    fn wrap(self, number: i64) -> i64 {
        let unused = 64 - self.bits;
        if self.signed { number << unused >> unused } else { ((number as u64) << unused >> unused) as i64 }
    }
}

/// What is done with a number.
#[derive(Clone, Copy)]
enum Action {
    Get,
    Set(i64),
    Add(i64),
}

/// What becomes of a number that is too large for its field.
#[derive(Clone, Copy)]
enum Overflow {
    Wrap,
    Saturate,
    Fail,
}

struct Operation {
    field: Field,
    action: Action,
    overflow: Overflow,
}

impl Operation {
    fn writes(&self) -> bool {
        !matches!(self.action, Action::Get)
    }

    /// Runs it on a string that is long enough. Gives the number to reply, and whether the string has changed.
    fn run(&self, bytes: &mut [u8], release: Release) -> (Option<i64>, bool) {
        let old = self.field.read(bytes, release);
        let new = match self.action {
            Action::Get => return (Some(old), false),
            Action::Set(number) => self.fit(number, 0),
            Action::Add(increment) => self.fit(old, increment),
        };
        let Some(new) = new else { return (None, false) };
        bits::write(bytes, self.field.at, self.field.bits, new as u64);
        let given = if matches!(self.action, Action::Set(_)) { old } else { new };
        (Some(given), old != new)
    }

    /// The sum, as it fits into the field.
    fn fit(&self, number: i64, increment: i64) -> Option<i64> {
        let field = self.field;
        let (min, max) = field.limits();
        let sum = i128::from(number) + i128::from(increment);
        let (above, below) = if field.signed {
            // The distance of a number far below to the maximum does not fit into 64 bits, and is taken for one far above.
            let wraps = field.bits < 64 && max.checked_sub(number).is_none();
            (sum > i128::from(max) || wraps, sum < i128::from(min))
        } else {
            // A negative number that is set is taken for a large one.
            let above = sum > i128::from(max) || number < 0;
            (above, sum < 0)
        };
        match self.overflow {
            _ if !above && !below => Some(sum as i64),
            Overflow::Wrap => Some(field.wrap(sum as i64)),
            Overflow::Saturate => Some(if above { max } else { min }),
            Overflow::Fail => None,
        }
    }
}

fn parse(cx: &Cx, args: Args) -> Result<SmallVec<[Operation; 4]>, CommandError> {
    let mut operations = SmallVec::new();
    let mut overflow = Overflow::Wrap;
    let mut words = args.iter_from(2);
    while let Some(word) = words.next() {
        if is_word(word, "OVERFLOW") {
            overflow = match words.next().ok_or(CommandError::Syntax)? {
                word if is_word(word, "WRAP") => Overflow::Wrap,
                word if is_word(word, "SAT") => Overflow::Saturate,
                word if is_word(word, "FAIL") => Overflow::Fail,
                _ => return Err(CommandError::BitfieldOverflow),
            };
            continue;
        }
        let action: fn(i64) -> Action = if is_word(word, "GET") && words.len() >= 2 {
            |_| Action::Get
        } else if is_word(word, "SET") && words.len() >= 3 {
            Action::Set
        } else if is_word(word, "INCRBY") && words.len() >= 3 {
            Action::Add
        } else {
            return Err(CommandError::Syntax);
        };
        let (Some(kind), Some(at)) = (words.next(), words.next()) else { return Err(CommandError::Syntax) };
        let (signed, bits) = width(kind).ok_or(CommandError::BitfieldType)?;
        let field = Field { signed, bits, at: offset(cx, at, Some(bits))? };
        let action = match action(0) {
            Action::Get => Action::Get,
            _ => action(cx.integer(words.next().ok_or(CommandError::Syntax)?)?),
        };
        operations.push(Operation { field, action, overflow });
    }
    Ok(operations)
}

/// Whether numbers of a type are signed, and their bits.
fn width(kind: &[u8]) -> Option<(bool, u32)> {
    let (signed, most) = match kind.first()? {
        b'i' => (true, 64),
        b'u' => (false, 63),
        _ => return None,
    };
    let bits = number::parse_i64(&kind[1..]).filter(|bits| (1..=most).contains(bits))?;
    Some((signed, bits as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(kind: &str, overflow: Overflow, number: i64, increment: i64) -> Option<i64> {
        let (signed, bits) = width(kind.as_bytes()).unwrap();
        let field = Field { signed, bits, at: 0 };
        Operation { field, action: Action::Get, overflow }.fit(number, increment)
    }

    #[test]
    fn numbers_fit_as_in_a_real_server() {
        use Overflow::{Fail, Saturate, Wrap};
        for (kind, number, increment, wrapped, saturated, fails) in [
            ("i4", 7, 1, -8, 7, true),
            ("i4", -8, -1, 7, -8, true),
            ("i4", -9, 0, 7, -8, true),
            ("i4", 3, 4, 7, 7, false),
            ("i4", i64::MIN, 0, 0, 7, true),
            ("i4", i64::MIN + 8, 0, -8, -8, true),
            ("i63", i64::MIN, 0, 0, (1 << 62) - 1, true),
            ("i64", i64::MAX, 1, i64::MIN, i64::MAX, true),
            ("i64", i64::MIN, -1, i64::MAX, i64::MIN, true),
            ("i64", i64::MIN, 0, i64::MIN, i64::MIN, false),
            ("u4", 15, 1, 0, 15, true),
            ("u4", 3, -4, 15, 0, true),
            ("u4", -1, 0, 15, 15, true),
            ("u63", i64::MAX, 1, 0, i64::MAX, true),
            ("u63", -9, 0, i64::MAX - 8, i64::MAX, true),
        ] {
            assert_eq!(fit(kind, Wrap, number, increment), Some(wrapped), "{kind} {number} {increment}");
            assert_eq!(
                fit(kind, Saturate, number, increment),
                Some(saturated),
                "{kind} {number} {increment}"
            );
            assert_eq!(fit(kind, Fail, number, increment).is_none(), fails, "{kind} {number} {increment}");
        }
    }
}
