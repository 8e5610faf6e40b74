//! HyperLogLogs: strings that estimate how many different elements they have seen.
//!
//! What stands in them, and how it is changed and counted, is in [`hll`].

use crate::commands::family;
use crate::error::printed;
use crate::parse::is_word;
use crate::{BASE, Command, CommandError, Cx};
use command::{Access, Category, Flags, Former, Group, KeySpec, Range, Release, v};
use keyspace::{Class, Event, Spot};
use resp::{Args, Reply};
use structures::entry::Kind;
use structures::hll::{self, Encoding, Estimator, REGISTERS, Sketch};
use structures::packed::Item as Text;

family!(PFADD, PFCOUNT, PFMERGE, PFDEBUG, PFSELFTEST);

/// On which the records of this family are built.
const HYPERLOGLOG: Command = Command {
    since: v(2, 8, 9),
    group: Group::HyperLogLog,
    categories: Category::HYPERLOGLOG,
    range: Range::ONE,
    ..BASE
};

/// The event of all changes: merging, too, adds elements.
const PFADD_EVENT: Event = Event(Class::STRING, "pfadd");

/// `PFADD key [element ...]`: 1 if the estimate may have changed, 0 if not.
pub static PFADD: Command = Command {
    name: "pfadd",
    summary: "Adds elements to a HyperLogLog, which is created if there is none.",
    complexity: "O(1) for each element.",
    arity: -2,
    syntax: "key [element...]",
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    keys: &[KeySpec::at(1, Access::RW.union(Access::INSERT))],
    handler: pfadd,
    ..HYPERLOGLOG
};

/// `PFCOUNT key [key ...]`: the estimated number of elements that any of them has seen.
pub static PFCOUNT: Command = Command {
    name: "pfcount",
    summary: "Estimates how many different elements HyperLogLogs have seen.",
    complexity: "O(1) for one key, with the last estimate kept; O(N) for N keys.",
    arity: -2,
    syntax: "key...",
    flags: Flags::READONLY.union(Flags::MAY_REPLICATE),
    keys: &[KeySpec::range(1, -1, 1, Access::RW.union(Access::ACCESS))
        .noted("RW because it may change the internal representation of the key, and propagate to replicas")],
    range: Range::ALL,
    former: &[Former::before(Release::V6_2).without(Flags::MAY_REPLICATE)],
    handler: pfcount,
    ..HYPERLOGLOG
};

/// `PFMERGE destkey [sourcekey ...]`: OK.
pub static PFMERGE: Command = Command {
    name: "pfmerge",
    summary: "Adds to a HyperLogLog all elements that others have seen.",
    complexity: "O(N) for N keys.",
    arity: -2,
    syntax: "destkey:key sourcekey:key...",
    flags: Flags::WRITE.union(Flags::DENYOOM),
    keys: &[
        KeySpec::at(1, Access::RW.union(Access::ACCESS).union(Access::INSERT)),
        KeySpec::range(2, -1, 1, Access::RO.union(Access::ACCESS)),
    ],
    range: Range::ALL,
    handler: pfmerge,
    ..HYPERLOGLOG
};

/// `PFDEBUG GETREG | DECODE | ENCODING | TODENSE key`: the registers; the runs of a sparse one, as text; `sparse` or
/// `dense`; 1 if it was sparse and is dense now.
pub static PFDEBUG: Command = Command {
    name: "pfdebug",
    summary: "Shows what a HyperLogLog is made of.",
    complexity: "O(1), for all registers.",
    arity: 3,
    syntax: "subcommand key",
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::ADMIN),
    keys: &[KeySpec::at(2, Access::RW.union(Access::ACCESS))],
    range: Range::new(2, 2, 1),
    former: &[
        Former::before(Release::V7_0).arity(-3),
        Former::before(Release::V6_2).without(Flags::DENYOOM.union(Flags::ADMIN)).range(0, 0, 0),
    ],
    handler: pfdebug,
    ..HYPERLOGLOG
};

/// `PFSELFTEST`: OK.
pub static PFSELFTEST: Command = Command {
    name: "pfselftest",
    summary: "Checks that HyperLogLogs keep their registers and estimate well.",
    complexity: "A fixed amount of work that takes milliseconds.",
    arity: 1,
    flags: Flags::ADMIN,
    range: Range::NONE,
    former: &[Former::before(Release::V4_0).without(Flags::ADMIN).with(Flags::READONLY)],
    handler: pfselftest,
    ..HYPERLOGLOG
};

fn pfadd(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    cx.weigh(args.len())?;
    let mut elements = args.iter_from(2).map(hll::observe);
    let mut spot = cx.spot(args.at(1));
    let most = spot.params().hll_sparse_bytes;
    let mut changes = 0;
    let mut sketch = match inspect(&spot)? {
        Some(Encoding::Dense) => {
            let mut text = spot.text_mut(0)?;
            let bytes = text.bytes();
            for (register, rank) in elements {
                changes += u64::from(hll::raise_dense(bytes, register, rank));
            }
            if changes > 0 {
                hll::invalidate(bytes);
            }
            drop(text);
            return finish(spot, changes, reply);
        }
        Some(Encoding::Sparse) => {
            // Most elements have been seen before: the string is copied when one of them has not.
            let mut sketch = None;
            if let Some(entry) = spot.entry() {
                let (bytes, _) = bytes_of(entry.text())?;
                for (register, rank) in elements.by_ref() {
                    if hll::is_below(bytes, register, rank)? {
                        let mut copy = Sketch::of(bytes);
                        changes += u64::from(copy.raise(register, rank, most)?);
                        sketch = Some(copy);
                        break;
                    }
                }
            }
            match sketch {
                Some(sketch) => sketch,
                None => {
                    // It counts as changed in place all the same.
                    spot.text_mut(0)?;
                    return finish(spot, changes, reply);
                }
            }
        }
        None => {
            changes += 1;
            Sketch::new()
        }
    };
    for (register, rank) in elements {
        changes += u64::from(sketch.raise(register, rank, most)?);
    }
    sketch.invalidate();
    spot.set_raw(sketch.into_bytes());
    finish(spot, changes, reply)
}

fn finish(spot: Spot, changes: u64, reply: &mut Reply) -> Result<(), CommandError> {
    if changes > 0 {
        spot.commit_many(PFADD_EVENT, changes);
    } else {
        spot.leave();
    }
    reply.integer(i64::from(changes > 0));
    Ok(())
}

fn pfcount(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let estimator = estimator(cx.release());
    if args.len() > 2 {
        let mut registers = [0; REGISTERS];
        merge(cx, args, &mut registers)?;
        reply.integer(hll::count_registers(&registers, estimator) as i64);
        return Ok(());
    }
    let key = args.at(1);
    let Some(entry) = cx.read(key) else {
        reply.integer(0);
        return Ok(());
    };
    let as_set = entry.kind() == Kind::Inline;
    let cached = hll::cached(bytes_of(entry.into_text())?.0);
    if let Some(count) = cached.filter(|_| !as_set) {
        reply.integer(count as i64);
        return Ok(());
    }
    // The estimate is kept in the string, which thereby counts as changed in place.
    let mut spot = cx.spot(key);
    let mut text = spot.text_mut(0)?;
    let bytes = text.bytes();
    let count = cached.map_or_else(|| hll::count(bytes, estimator), Ok);
    if let (None, Ok(count)) = (cached, count) {
        hll::cache(bytes, count);
        drop(text);
        spot.commit_silently();
    } else {
        drop(text);
        spot.leave();
    }
    reply.integer(count? as i64);
    Ok(())
}

/// Merges the HyperLogLogs at all keys of a request; whether one of them is dense.
fn merge(cx: &mut Cx, args: Args, registers: &mut hll::Registers) -> Result<bool, CommandError> {
    /// As much work as one member of a collection.
    const KEYS_A_MEMBER: usize = 100;
    cx.weigh(args.len() * KEYS_A_MEMBER)?;
    let mut dense = false;
    for key in args.iter_from(1) {
        let Some(entry) = cx.read(key) else { continue };
        let (bytes, encoding) = bytes_of(entry.into_text())?;
        dense |= encoding == Encoding::Dense;
        hll::merge(registers, bytes)?;
    }
    Ok(dense)
}

fn pfmerge(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let mut registers = [0; REGISTERS];
    // Before 4.0 what is merged is dense.
    let dense = merge(cx, args, &mut registers)? || cx.release() < Release::V4_0;
    let mut spot = cx.spot(args.at(1));
    let mut sketch = sketch_of(&spot)?.unwrap_or_default();
    if dense {
        sketch.densify()?;
    }
    sketch.raise_all(&registers, spot.params().hll_sparse_bytes)?;
    sketch.invalidate();
    spot.set_raw(sketch.into_bytes());
    spot.commit(PFADD_EVENT);
    reply.ok();
    Ok(())
}

fn pfdebug(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let subcommand = args.at(1);
    let mut spot = cx.spot(args.at(2));
    let mut sketch = sketch_of(&spot)?.ok_or(CommandError::PfdebugNoKey)?;
    let known = ["GETREG", "DECODE", "ENCODING", "TODENSE"].iter().any(|name| is_word(subcommand, name));
    if !known {
        return Err(CommandError::PfdebugSubcommand(printed(subcommand)));
    }
    if args.len() != 3 {
        return Err(CommandError::PfdebugArity(printed(subcommand)));
    }
    let sparse = inspect(&spot)? == Some(Encoding::Sparse);
    if is_word(subcommand, "ENCODING") {
        spot.leave();
        reply.status(if sparse { "sparse" } else { "dense" });
        return Ok(());
    }
    if is_word(subcommand, "DECODE") {
        spot.leave();
        if !sparse {
            return Err(CommandError::PfdebugNotSparse);
        }
        reply.bulk(decode(&sketch.into_bytes()));
        return Ok(());
    }
    let converted = sketch.densify()?;
    let bytes = sketch.into_bytes();
    if is_word(subcommand, "GETREG") {
        let mut registers = [0; REGISTERS];
        hll::merge(&mut registers, &bytes)?;
        reply.array(REGISTERS);
        registers.iter().for_each(|register| reply.integer(i64::from(*register)));
    } else {
        reply.integer(i64::from(converted));
    }
    if converted {
        spot.set_raw(bytes);
        spot.commit_silently();
    } else {
        spot.leave();
    }
    Ok(())
}

/// The runs of a sparse HyperLogLog as text: `z` and `Z` for zeros in one and in two bytes, `v` for a value.
fn decode(bytes: &[u8]) -> String {
    let runs = hll::all_runs(bytes).map(|run| match (run.value, run.bytes) {
        (0, 1) => format!("z:{}", run.len),
        (0, _) => format!("Z:{}", run.len),
        (value, _) => format!("v:{value},{}", run.len),
    });
    runs.collect::<Vec<_>>().join(" ")
}

fn pfselftest(cx: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    cx.weigh(usize::MAX)?;
    if !hll::self_test() {
        return Err(CommandError::PfselftestFailed);
    }
    reply.ok();
    Ok(())
}

/// How a release estimates.
fn estimator(release: Release) -> Estimator {
    match release {
        Release::V3_0 => Estimator::HarmonicMean,
        Release::V4_0 => Estimator::LogLogBeta,
        _ => Estimator::Improved,
    }
}

/// The bytes of a HyperLogLog, given what an entry holds.
fn bytes_of(text: Option<Text<'_>>) -> Result<(&[u8], Encoding), CommandError> {
    match text {
        None => Err(CommandError::WrongType),
        Some(Text::Int(_)) => Err(CommandError::NotHyperLogLog),
        Some(Text::Str(bytes)) => {
            hll::encoding(bytes).map(|encoding| (bytes, encoding)).ok_or(CommandError::NotHyperLogLog)
        }
    }
}

/// How the HyperLogLog at a key is stored, if there is the key.
fn inspect(spot: &Spot) -> Result<Option<Encoding>, CommandError> {
    let inspect = |entry: &structures::entry::Entry| bytes_of(entry.text()).map(|(_, encoding)| encoding);
    spot.entry().map(|entry| inspect(&entry)).transpose()
}

/// A copy of the HyperLogLog at a key, if there is the key.
fn sketch_of(spot: &Spot) -> Result<Option<Sketch>, CommandError> {
    let copy = |entry: &structures::entry::Entry| bytes_of(entry.text()).map(|(bytes, _)| Sketch::of(bytes));
    spot.entry().map(|entry| copy(&entry)).transpose()
}
