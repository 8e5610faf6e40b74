//! `DEBUG`: what only tests and the curious want.
//!
//! To the outside it is one command without subcommands in every release; inside, each subcommand is a row of
//! [`SUBCOMMANDS`].
//!
//! Deliberately not here: what ends the process or corrupts it, and what prints the inside of Redis' own structures.

use crate::blocking::Wait;
use crate::commands::object::encoding;
use crate::commands::{family, help};
use crate::digest::Digest;
use crate::parameter::memory;
use crate::parse::is_word;
use crate::save::write_held;
use crate::{BASE, Command, CommandError, Cx, Handler, float, parse};
use command::{Flags, Former, Group, Refusal, Release, Version, v};
use keyspace::{Moment, access};
use resp::{Args, Reply};
use std::fmt::Write;
use std::ops::RangeInclusive;
use std::sync::Arc;
use structures::entry::{Entry, ValueRef};
use structures::glob;
use structures::intset::IntSet;
use structures::list::List;
use structures::number::{self, Decimal};
use structures::packed::Packed;
use structures::table::{Item as _, Ref};
use structures::ticks;

family!(DEBUG);

/// `DEBUG subcommand ...`: see [`SUBCOMMANDS`].
pub static DEBUG: Command = Command {
    name: "debug",
    summary: "Looks into the server and disturbs it, for tests.",
    complexity: "That of the subcommand.",
    group: Group::Server,
    arity: -2,
    flags: Flags::ADMIN
        .union(Flags::NOSCRIPT)
        .union(Flags::LOADING)
        .union(Flags::STALE)
        .union(Flags::KEYSPACE),
    former: &[
        Former::before(Release::V6_2).without(Flags::LOADING.union(Flags::STALE)),
        Former::before(Release::V5_0).arity(-1),
        Former::before(Release::V4_0).arity(-2),
    ],
    refusals: &[(Release::V6_2, Refusal::Quoted), (Release::V5_0, Refusal::Named)],
    handler: debug,
    ..BASE
};

/// A moment at which no key has expired.
const BEFORE_ALL_TIME: Moment = Moment { now_ms: i64::MIN, expire: true, revive: false, touch: true };
/// Bits of the access clock that are told.
const CLOCK_MASK: i64 = (1 << 24) - 1;

/// A subcommand.
struct Subcommand {
    name: &'static str,
    since: Version,
    until: Option<Version>,
    /// How many arguments it takes, those before it included.
    arguments: RangeInclusive<usize>,
    run: Handler,
}

impl Subcommand {
    /// One that the oldest release has, with so many arguments.
    const fn new(name: &'static str, arguments: RangeInclusive<usize>, run: Handler) -> Self {
        Subcommand { name, since: v(1, 0, 0), until: None, arguments, run }
    }

    /// The same from a version on.
    const fn since(self, since: Version) -> Self {
        Subcommand { since, ..self }
    }

    /// The same before a version.
    const fn until(self, until: Version) -> Self {
        Subcommand { until: Some(until), ..self }
    }

    fn exists_in(&self, release: Release) -> bool {
        release.has(self.since) && !self.until.is_some_and(|until| release.has(until))
    }
}

const SUBCOMMANDS: &[Subcommand] = &[
    Subcommand::new("aof-flush-sleep", 3..=3, ok).since(v(7, 0, 0)),
    Subcommand::new("change-repl-id", 2..=2, change_stream).since(v(4, 0, 0)),
    Subcommand::new("digest", 2..=2, digest),
    Subcommand::new("digest-value", 2..=usize::MAX, digest_value).since(v(5, 0, 0)),
    Subcommand::new("error", 3..=3, error),
    Subcommand::new("help", 2..=2, explain).since(v(4, 0, 0)),
    Subcommand::new("htstats", 3..=3, htstats).since(v(3, 2, 0)),
    Subcommand::new("htstats-key", 3..=3, htstats_key).since(v(5, 0, 0)),
    // No release that is imitated has it, but test suites of others that speak the protocol send it.
    Subcommand::new("jmap", 2..=2, ok),
    Subcommand::new("listpack", 3..=3, listpack).since(v(7, 0, 0)),
    Subcommand::new("loadaof", 2..=2, unsupported),
    Subcommand::new("log", 3..=3, log).since(v(5, 0, 0)),
    Subcommand::new("object", 3..=3, object),
    Subcommand::new("pause-cron", 3..=3, ok).since(v(6, 2, 0)),
    Subcommand::new("populate", 3..=5, populate),
    Subcommand::new("protocol", 3..=3, protocol).since(v(6, 0, 0)),
    Subcommand::new("quicklist", 3..=4, quicklist).since(v(7, 0, 0)),
    Subcommand::new("quicklist-packed-threshold", 3..=3, packed_threshold).since(v(7, 0, 0)),
    Subcommand::new("reload", 2..=usize::MAX, reload),
    Subcommand::new("replybuffer", 4..=4, replybuffer).since(v(7, 0, 0)),
    Subcommand::new("set-active-expire", 3..=3, set_active_expire),
    Subcommand::new("set-skip-checksum-validation", 3..=3, ok).since(v(6, 2, 0)),
    Subcommand::new("sleep", 3..=3, sleep),
    Subcommand::new("stringmatch-len", 4..=4, stringmatch_len),
    Subcommand::new("stringmatch-test", 2..=2, stringmatch_test).since(v(5, 0, 0)),
    Subcommand::new("structsize", 2..=2, structsize).since(v(3, 2, 0)),
    Subcommand::new("ziplist", 3..=3, ziplist).since(v(4, 0, 0)).until(v(7, 0, 0)),
];

fn debug(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    if !cx.node.settings.debug_command.allows(&cx.session.client) {
        return Err(CommandError::DebugNotAllowed);
    }
    let Some(name) = args.get(1) else { return Err(CommandError::DebugWithoutSubcommand) };
    let subcommand = SUBCOMMANDS.iter().find(|own| is_word(name, own.name));
    match subcommand {
        Some(own) if own.exists_in(cx.release()) && own.arguments.contains(&args.len()) => {
            (own.run)(cx, args, reply)
        }
        _ => Err(cx.bad_subcommand(args)),
    }
}

/// What concerns parts that a node does not have, and therefore changes nothing.
fn ok(_: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    reply.ok();
    Ok(())
}

/// Gives the stream another name: replicas cannot go on with it after they have been away.
fn change_stream(cx: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    cx.node.replicas.rename(cx.node.new_stream_id());
    reply.ok();
    Ok(())
}

fn digest(cx: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    cx.weigh((0..cx.locked.dbs()).map(|db| cx.locked.stats(db).keys).sum())?;
    reply.status(Digest::of_keyspace(&cx.locked, cx.release()).to_string());
    Ok(())
}

fn digest_value(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    reply.array(args.len() - 2);
    for key in args.iter_from(2) {
        let entry = entry(cx, key).ok();
        let digest = entry.map_or_else(Digest::default, |entry| Digest::of_value(&entry, cx.release()));
        reply.status(digest.to_string());
    }
    Ok(())
}

/// What looks like an error, and is none: it does not count.
fn error(_: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    reply.error(args.at(2));
    Ok(())
}

/// Saves the keys and loads them again. All shards are held throughout, so that no change is lost in between.
fn reload(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let mut saves = true;
    for option in args.iter_from(2) {
        match option {
            _ if is_word(option, "nosave") => saves = false,
            // Loading in the midst of keys that stay is for those who test the loading itself.
            _ if is_word(option, "merge") || is_word(option, "noflush") => {
                return Err(CommandError::DebugUnsupported("RELOAD MERGE, NOFLUSH".into()));
            }
            _ => return Err(CommandError::ReloadOption),
        }
    }
    cx.offload()?;
    let node = cx.node;
    let mut saved = None;
    if saves && node.file().is_some() {
        node.cancel_save();
        if !node.save_held(&cx.locked) {
            return Err(CommandError::NotSaved);
        }
    } else if saves {
        let written = write_held(node, &cx.locked, Vec::new());
        saved = Some(written.map_err(|_| CommandError::NotSaved)?);
    }
    if let Err(error) = node.reload(&mut cx.locked, &mut cx.worker.effects, saved.as_deref()) {
        node.host.log(&format!("keys were not loaded: {error}"));
        let is_late = node.release >= Release::V7_0;
        return Err(if is_late { CommandError::NotReloaded7 } else { CommandError::NotReloaded });
    }
    reply.ok();
    Ok(())
}

/// What saves or loads keys, before there is anything to save them to.
fn unsupported(_: &mut Cx, args: Args, _: &mut Reply) -> Result<(), CommandError> {
    let name = args.at(1).iter().map(|&byte| char::from(byte.to_ascii_uppercase()));
    Err(CommandError::DebugUnsupported(name.collect()))
}

fn log(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    cx.node.host.log(&String::from_utf8_lossy(args.at(2)));
    reply.ok();
    Ok(())
}

/// The entry of a key, dead or alive: this does not count as using it.
fn entry<'a>(cx: &'a Cx, key: &[u8]) -> Result<Ref<'a, Entry>, CommandError> {
    let key = cx.key(key);
    cx.locked.shard(&key).peek(BEFORE_ALL_TIME, cx.session.db, &key).ok_or(CommandError::NoSuchKey)
}

fn object(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let (release, now_ms) = (cx.release(), cx.now_ms());
    let entry = entry(cx, args.at(2))?;
    let idle_s = access::idle_ms(entry.clock(), now_ms) / 1000;
    let (lru, idle_s) = match cx.params().policy.is_lfu() {
        true => (i64::from(entry.clock()), 0),
        false => (now_ms / 1000 - idle_s, idle_s),
    };
    let mut text = format!(
        "Value at:{:p} refcount:1 encoding:{} serializedlength:{} lru:{} lru_seconds_idle:{idle_s}",
        entry.key().as_ptr(),
        encoding(&entry, release),
        entry.heap_bytes(),
        lru & CLOCK_MASK
    );
    if encoding(&entry, release) == "quicklist"
        && let Some(list) = entry.object::<List>()
    {
        let nodes = list.redis_nodes();
        let _ = write!(
            text,
            " ql_nodes:{nodes} ql_avg_node:{:.2} ql_{}_max:-2 ql_compressed:0 ql_uncompressed_size:{}",
            list.len() as f64 / nodes as f64,
            if release >= Release::V7_0 { "listpack" } else { "ziplist" },
            list.nodes().map(|node| node.total() - 7).sum::<usize>() + 7 * nodes
        );
    }
    reply.status(text);
    Ok(())
}

fn listpack(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let release = cx.release();
    if encoding(&*entry(cx, args.at(2))?, release) != "listpack" {
        return Err(CommandError::NotEncodedAs("a listpack"));
    }
    reply.status("Listpack structure printed on stdout");
    Ok(())
}

fn ziplist(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let release = cx.release();
    if encoding(&*entry(cx, args.at(2))?, release) != "ziplist" {
        return Err(CommandError::NotASds);
    }
    reply.status("Ziplist structure printed on stdout");
    Ok(())
}

fn quicklist(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let release = cx.release();
    if encoding(&*entry(cx, args.at(2))?, release) != "quicklist" {
        return Err(CommandError::NotEncodedAs("a quicklist"));
    }
    reply.status("Quicklist structure printed on stdout");
    Ok(())
}

fn htstats(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let db = parse::integer(args.at(2))?;
    let databases = i64::from(cx.node.settings.databases());
    if !(0..databases).contains(&db) {
        return Err(CommandError::DebugDbOutOfRange);
    }
    let stats = cx.locked.stats(db as u32);
    let text = format!("[Dictionary HT]\n{}[Expires HT]\n{}", table(stats.keys), table(stats.volatile));
    reply.verbatim("txt", text);
    Ok(())
}

fn htstats_key(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let release = cx.release();
    let entry = entry(cx, args.at(2))?;
    let len = match (encoding(&entry, release), entry.value()) {
        ("hashtable", ValueRef::Set(set)) => set.len(),
        ("hashtable", ValueRef::Hash(hash)) => hash.len(),
        ("skiplist", ValueRef::ZSet(zset)) => zset.len(),
        _ => return Err(CommandError::NotAHashTable),
    };
    reply.verbatim("txt", table(len));
    Ok(())
}

/// What is told of a hash table.
fn table(len: usize) -> String {
    match len {
        0 => "No stats available for empty dictionaries\n".into(),
        _ => format!("Hash table 0 stats (main hash table):\n number of elements: {len}\n"),
    }
}

/// Longest text that patterns are tried on, in bytes.
const MATCHED_BYTES: i64 = 1 << 20;

/// Whether a pattern matches so many letters `a`: 1 or 0.
fn stringmatch_len(_: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let len = parse::integer_in(args.at(2), 0..=MATCHED_BYTES, CommandError::NotAnInteger)?;
    reply.integer(glob::matches(args.at(3), &vec![b'a'; len as usize]).into());
    Ok(())
}

/// Tries random patterns on random texts.
fn stringmatch_test(_: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    const WORDS: &[u8] = b"ab*?[]^\\-";
    let mut state = ticks::now() | 1;
    for _ in 0..10_000 {
        let mut word = || {
            // The upper bits of a linear congruence.
            let mut letter = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 33) as usize
            };
            (0..letter() % 32).map(|_| WORDS[letter() % WORDS.len()]).collect::<Vec<u8>>()
        };
        std::hint::black_box(glob::matches(&word(), &word()));
    }
    reply.status("Apparently Redis did not crash: test passed");
    Ok(())
}

fn structsize(_: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    reply.bulk(format!(
        "bits:{} entry:{} packed:{} intset:{} ",
        usize::BITS,
        size_of::<Entry>(),
        size_of::<Packed>(),
        size_of::<IntSet>()
    ));
    Ok(())
}

/// There are no nodes of one entry; any number of bytes up to 4 GB is as good as another.
fn packed_threshold(_: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let bytes = memory(args.at(2)).filter(|&bytes| bytes < 1 << 32);
    bytes.ok_or(CommandError::PackedThreshold)?;
    reply.ok();
    Ok(())
}

/// Reply buffers are shared, and shrink by themselves.
fn replybuffer(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    if is_word(args.at(2), "peak-reset-time") {
        if !is_word(args.at(3), "never") && !is_word(args.at(3), "reset") {
            parse::integer(args.at(3))?;
        }
    } else if !is_word(args.at(2), "resizing") {
        return Err(cx.bad_subcommand(args));
    }
    reply.ok();
    Ok(())
}

fn populate(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let number = |index: usize, default| match args.get(index) {
        None => Ok(default),
        Some(bytes) => parse::integer_in(bytes, 0..=i64::MAX, CommandError::NotPositive),
    };
    let (keys, size) = (number(2, 0)?, number(4, 0)? as usize);
    let prefix = args.get(3).unwrap_or(b"key");
    cx.weigh(keys as usize)?;
    cx.repeat_nothing();
    for number in 0..keys {
        let key = [prefix, b":", Decimal::new(number).as_bytes()].concat();
        let mut value = [b"value:", Decimal::new(number).as_bytes()].concat();
        if size > 0 {
            value.resize(size, 0);
        }
        let mut spot = cx.spot(&key);
        if spot.exists() {
            spot.leave();
        } else {
            spot.set_text(&value);
            spot.commit_silently();
        }
    }
    reply.ok();
    Ok(())
}

/// A type of replies by its name, and what writes one.
type Sample = (&'static str, fn(&mut Reply));

/// One reply of each type but doubles.
const REPLIES: &[Sample] = &[
    ("string", |reply| reply.bulk("Hello World")),
    ("integer", |reply| reply.integer(12345)),
    ("bignum", |reply| reply.big_number("1234567999999999999999999999999999999")),
    ("null", Reply::null),
    ("array", |reply| {
        reply.array(3);
        (0..3).for_each(|number| reply.integer(number));
    }),
    ("set", |reply| {
        reply.set(3);
        (0..3).for_each(|number| reply.integer(number));
    }),
    ("map", |reply| {
        reply.map(3);
        for number in 0..3 {
            reply.integer(number);
            reply.boolean(number == 1);
        }
    }),
    ("attrib", |reply| {
        if reply.is_resp3() {
            reply.attribute(1);
            reply.bulk("key-popularity");
            reply.array(2);
            reply.bulk("key:123");
            reply.integer(90);
        }
        reply.bulk("Some real reply following the attribute");
    }),
    ("push", |reply| {
        reply.push(2);
        reply.bulk("server-cpu-usage");
        reply.integer(42);
        // A push answers nothing.
        reply.bulk("Some real reply following the push reply");
    }),
    ("verbatim", |reply| reply.verbatim("txt", "This is a verbatim\nstring")),
    ("true", |reply| reply.boolean(true)),
    ("false", |reply| reply.boolean(false)),
];

fn protocol(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let release = cx.release();
    let name = args.at(2);
    if is_word(name, "double") {
        reply.double(if release >= Release::V7_0 { "3.141" } else { "3.1415926535900001" });
        return Ok(());
    }
    if is_word(name, "push") && release >= Release::V7_0 && !reply.is_resp3() {
        return Err(CommandError::OnlyResp3);
    }
    let (_, write) = REPLIES.iter().find(|(own, _)| is_word(name, own)).ok_or(CommandError::ProtocolType)?;
    write(reply);
    Ok(())
}

fn set_active_expire(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    // What is not a number is zero.
    let on = number::parse_i64(args.at(2)).unwrap_or(0) != 0;
    let params = Arc::new(keyspace::Params { active_expire: on, ..cx.params().clone() });
    let Cx { locked, worker, .. } = cx;
    for shard in locked.iter_mut() {
        shard.set_params(Arc::clone(&params));
        if let Some(due_ms) = shard.first_due_ms() {
            worker.effects.due_at_ms(due_ms);
        }
    }
    reply.ok();
    Ok(())
}

/// Only the client itself sleeps, and nothing is held meanwhile.
fn sleep(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let seconds = float::parse(args.at(2)).unwrap_or(0.0);
    // The longest sleep is longer than anybody waits.
    let timeout_ms = (seconds * 1000.0).ceil() as i64;
    cx.wait(Wait::for_time(Some(timeout_ms), Reply::ok), reply);
    Ok(())
}

fn explain(_: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    const SUBCOMMANDS: &[(&str, &str)] = &[
        ("CHANGE-REPL-ID", "Give the server another replication id."),
        ("DIGEST", "Digest all keys with their values."),
        ("DIGEST-VALUE <key> [<key> ...]", "Digest the values of keys."),
        ("ERROR <string>", "Answer this error."),
        ("HTSTATS <dbid>", "Describe the hash tables of a database."),
        ("HTSTATS-KEY <key>", "Describe the hash table of a value."),
        ("LOG <message>", "Write a message to the server's log."),
        ("OBJECT <key>", "Describe how a value is stored."),
        ("POPULATE <count> [<prefix>] [<size>]", "Create keys that hold strings, where there are none."),
        ("PROTOCOL <type>", "Answer a value of this type."),
        ("SET-ACTIVE-EXPIRE <0|1>", "Say whether keys that have expired go by themselves."),
        ("SLEEP <seconds>", "Answer after this time."),
        ("STRINGMATCH-LEN <len> <pattern>", "Say whether a pattern matches so many letters a."),
    ];
    help(reply, "DEBUG", SUBCOMMANDS);
    Ok(())
}
