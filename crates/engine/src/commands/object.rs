//! `OBJECT`: how a value is stored and used.
//!
//! What is said of encodings is what the release in force says, not what structure there is: see [`encoding`].

use crate::commands::{family, help, no_subcommand};
use crate::{BASE, Command, CommandError, Cx};
use command::{Access, Category, Flags, Former, Group, KeySpec, Range, Refusal, Release, v};
use keyspace::{Moment, access};
use resp::{Args, Reply};
use structures::entry::{Entry, Kind, ValueRef};
use structures::hash::Hash;
use structures::packed::Item as Text;
use structures::set::Set;
use structures::zset::ZSet;

family!(OBJECT);

/// `OBJECT subcommand`: see the subcommands.
pub static OBJECT: Command = Command {
    name: "object",
    summary: "Looks into how values are stored.",
    complexity: "That of the subcommand.",
    since: v(2, 2, 3),
    group: Group::Generic,
    arity: -2,
    flags: Flags::CONTAINER,
    handler: no_subcommand,
    former: &[
        Former::before(Release::V7_0)
            .with(Flags::READONLY.union(Flags::RANDOM))
            .categories(Category::KEYSPACE)
            .range(2, 2, 1),
        Former::before(Release::V5_0).without(Flags::RANDOM).range(2, 2, 2),
        Former::before(Release::V4_0).arity(3),
    ],
    subcommands: &[&ENCODING, &FREQ, &HELP, &IDLETIME, &REFCOUNT],
    refusals: &[
        (Release::V6_2, Refusal::Quoted),
        (Release::V5_0, Refusal::QuotedLower),
        (Release::V4_0, Refusal::Lists("refcount|encoding|idletime")),
    ],
    ..BASE
};

/// What all subcommands but the help have in common.
const SUBCOMMAND: Command = Command {
    since: v(2, 2, 3),
    group: Group::Generic,
    arity: 3,
    flags: Flags::READONLY,
    categories: Category::KEYSPACE,
    keys: &[KeySpec::at(2, Access::RO)],
    range: Range::new(2, 2, 1),
    tips: &["nondeterministic_output"],
    ..BASE
};

/// `OBJECT ENCODING key`: how the value is stored, or nil.
pub static ENCODING: Command = Command {
    name: "encoding",
    summary: "Tells how a value is stored.",
    syntax: "key",
    handler: encoding_of,
    ..SUBCOMMAND
};

/// `OBJECT FREQ key`: the logarithmic counter of accesses, or nil.
pub static FREQ: Command = Command {
    name: "freq",
    summary: "Tells how often a key is used, on a logarithmic scale.",
    syntax: "key",
    since: v(4, 0, 0),
    handler: freq,
    ..SUBCOMMAND
};

/// `OBJECT IDLETIME key`: the seconds since the key was last used, or nil.
pub static IDLETIME: Command = Command {
    name: "idletime",
    summary: "Tells for how long a key has not been used.",
    syntax: "key",
    handler: idletime,
    ..SUBCOMMAND
};

/// `OBJECT REFCOUNT key`: 1, or more for a value that keys share, or nil.
pub static REFCOUNT: Command = Command {
    name: "refcount",
    summary: "Tells how many references to a value there are.",
    syntax: "key",
    handler: refcount,
    ..SUBCOMMAND
};

/// `OBJECT HELP`: how the subcommands are called.
pub static HELP: Command = Command {
    name: "help",
    summary: "Explains the subcommands.",
    since: v(4, 0, 0),
    group: Group::Generic,
    arity: 2,
    flags: Flags::LOADING.union(Flags::STALE),
    categories: Category::KEYSPACE,
    handler: help_object,
    ..BASE
};

/// Integers below this are shared by all keys that hold them.
const SHARED_BELOW: i64 = 10_000;
/// The longest string in one allocation with its header, in bytes, and up to 3.0.
const EMBEDDED: [usize; 2] = [44, 39];

/// Shows the entry of the key, which counts neither as reading nor as using it, or says nil.
fn show<R>(cx: &mut Cx, args: Args, reply: &mut Reply, look: impl FnOnce(&Entry) -> R) -> Option<R> {
    let (key, db) = (cx.key(args.at(2)), cx.session.db);
    let moment = Moment { touch: false, ..cx.moment };
    let seen = cx.locked.get(&mut cx.worker.effects, moment, db, &key).map(|entry| look(&entry));
    if seen.is_none() {
        reply.null();
    }
    seen
}

fn encoding_of(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let release = cx.release();
    if let Some(name) = show(cx, args, reply, |entry| encoding(entry, release)) {
        reply.bulk(name);
    }
    Ok(())
}

/// How a release says that a value is stored.
pub(crate) fn encoding(entry: &Entry, release: Release) -> &'static str {
    let packed = if release.has(v(7, 0, 0)) { "listpack" } else { "ziplist" };
    match entry.value() {
        ValueRef::Text(Text::Int(_)) => "int",
        ValueRef::Text(Text::Str(bytes)) => {
            let embedded = EMBEDDED[usize::from(!release.has(v(3, 2, 0)))];
            if entry.kind() == Kind::Inline && bytes.len() <= embedded { "embstr" } else { "raw" }
        }
        ValueRef::List(list) => match list.is_wide() {
            false if release.has(v(7, 2, 0)) => packed,
            false if !release.has(v(3, 2, 0)) => packed,
            true if !release.has(v(3, 2, 0)) => "linkedlist",
            _ => "quicklist",
        },
        ValueRef::Set(set) => match &*set {
            Set::Ints(_) => "intset",
            Set::Packed(_) => packed,
            Set::Table(_) => "hashtable",
        },
        ValueRef::Hash(hash) => match &*hash {
            Hash::Packed(_) => packed,
            Hash::Timed(_) => "listpackex",
            Hash::Table(_) => "hashtable",
        },
        ValueRef::ZSet(zset) => match &*zset {
            ZSet::Packed(_) => packed,
            ZSet::Table(_) => "skiplist",
        },
        // The release that brought streams did not name their encoding.
        ValueRef::Stream(_) if !release.has(v(6, 0, 0)) => "unknown",
        ValueRef::Stream(_) => "stream",
    }
}

fn freq(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let Some(clock) = show(cx, args, reply, Entry::clock) else { return Ok(()) };
    if !cx.params().policy.is_lfu() {
        return Err(CommandError::NotLfu);
    }
    reply.integer(access::frequency(cx.params(), clock, cx.now_ms()).into());
    Ok(())
}

fn idletime(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let Some(clock) = show(cx, args, reply, Entry::clock) else { return Ok(()) };
    if cx.params().policy.is_lfu() {
        return Err(CommandError::Lfu);
    }
    // Never less than it is: who waits for a second sees one.
    reply.integer((access::idle_ms(clock, cx.now_ms()) + access::RESOLUTION_MS) / 1000);
    Ok(())
}

fn refcount(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let is_shared = |entry: &Entry| matches!(entry.text(), Some(Text::Int(0..SHARED_BELOW)));
    let Some(shared) = show(cx, args, reply, is_shared) else { return Ok(()) };
    reply.integer(match shared && may_share(cx) {
        false => 1,
        true if cx.release() >= Release::V4_0 => i32::MAX.into(),
        true => 2,
    });
    Ok(())
}

/// Whether keys share small integers: not while keys are evicted by their own access clocks.
fn may_share(cx: &Cx) -> bool {
    let limited = cx.node.settings.maxmemory.load(std::sync::atomic::Ordering::Relaxed) > 0;
    !limited || !cx.params().policy.uses_clocks()
}

fn help_object(_: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    help(
        reply,
        "OBJECT",
        &[
            ("ENCODING <key>", "How the value of the key is stored."),
            ("FREQ <key>", "How often the key is used, on a logarithmic scale."),
            ("IDLETIME <key>", "The seconds since the key was last used."),
            ("REFCOUNT <key>", "The number of references to the value."),
        ],
    );
    Ok(())
}
