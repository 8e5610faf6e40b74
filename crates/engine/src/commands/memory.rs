//! `MEMORY`: what takes how much memory.
//!
//! Keys are accounted for exactly, from what the allocator gives them; the other numbers are those of `INFO memory`.

use crate::commands::{family, help, no_subcommand};
use crate::info::View;
use crate::parse::is_word;
use crate::{BASE, Command, CommandError, Cx, float, parse};
use command::{Access, Flags, Former, Group, KeySpec, Range, Refusal, Release, v};
use resp::{Args, Deferred, Reply};
use structures::entry::Entry;

family!(MEMORY);

/// How clients of many shards ask some subcommands.
const TIPS: &[&str] = &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"];

/// `MEMORY subcommand`: see the subcommands.
pub static MEMORY: Command = Command {
    name: "memory",
    summary: "Shows what takes how much memory.",
    complexity: "That of the subcommand.",
    since: v(4, 0, 0),
    group: Group::Server,
    arity: -2,
    flags: Flags::CONTAINER,
    handler: no_subcommand,
    former: &[
        Former::before(Release::V7_0).with(Flags::READONLY.union(Flags::RANDOM).union(Flags::MOVABLEKEYS)),
        Former::before(Release::V6_2).without(Flags::MOVABLEKEYS),
        Former::before(Release::V5_0).without(Flags::RANDOM),
    ],
    subcommands: &[&DOCTOR, &HELP, &MALLOC_STATS, &PURGE, &STATS, &USAGE],
    refusals: &[(Release::V5_0, Refusal::Syntax)],
    ..BASE
};

/// What all subcommands have in common.
const SUBCOMMAND: Command = Command { since: v(4, 0, 0), group: Group::Server, ..BASE };

/// `MEMORY USAGE key [SAMPLES count]`: bytes, or nil.
pub static USAGE: Command = Command {
    name: "usage",
    summary: "Tells how much memory a key takes, with its value.",
    arity: -3,
    syntax: "key [SAMPLES count:int]",
    flags: Flags::READONLY,
    keys: &[KeySpec::at(2, Access::RO)],
    range: Range::new(2, 2, 1),
    handler: usage,
    ..SUBCOMMAND
};

/// `MEMORY STATS`: a map of what takes how many bytes.
pub static STATS: Command = Command {
    name: "stats",
    summary: "Tells how much memory each part of the server takes.",
    arity: 2,
    flags: Flags::KEYSPACE,
    tips: TIPS,
    handler: stats,
    ..SUBCOMMAND
};

/// `MEMORY DOCTOR`: a report to read.
pub static DOCTOR: Command = Command {
    name: "doctor",
    summary: "Reports on what is unusual about the server's memory.",
    arity: 2,
    flags: Flags::KEYSPACE,
    tips: TIPS,
    handler: doctor,
    ..SUBCOMMAND
};

/// `MEMORY MALLOC-STATS`: what the allocator tells of itself.
pub static MALLOC_STATS: Command = Command {
    name: "malloc-stats",
    summary: "Gives what the allocator tells of itself.",
    arity: 2,
    tips: TIPS,
    handler: malloc_stats,
    ..SUBCOMMAND
};

/// `MEMORY PURGE`: OK.
pub static PURGE: Command = Command {
    name: "purge",
    summary: "Asks the allocator to give back what it does not need.",
    arity: 2,
    tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
    handler: purge,
    ..SUBCOMMAND
};

/// `MEMORY HELP`: lines of text.
pub static HELP: Command = Command {
    name: "help",
    summary: "Explains the subcommands.",
    arity: 2,
    flags: Flags::LOADING.union(Flags::STALE),
    handler: explain,
    ..SUBCOMMAND
};

/// What a table takes for each entry beside it, in bytes: its place in a bucket.
const SLOT_BYTES: usize = size_of::<Entry>();

fn usage(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let mut options = args.iter_from(3);
    while let Some(option) = options.next() {
        match options.next() {
            // All of a value is counted, however many samples are wanted.
            Some(samples) if is_word(option, "samples") => {
                if parse::integer(samples)? < 0 {
                    return Err(CommandError::Syntax);
                }
            }
            _ => return Err(CommandError::Syntax),
        }
    }
    match cx.peek(args.at(2)) {
        Some(entry) => reply.integer((entry.heap_bytes() + SLOT_BYTES) as i64),
        None => reply.null(),
    }
    Ok(())
}

/// The tables of databases that have keys, without the keys themselves, and what knows when they expire, in bytes.
fn tables(cx: &Cx) -> Vec<(u32, usize, usize)> {
    let dbs = (0..cx.locked.dbs()).filter(|&db| cx.locked.stats(db).keys > 0);
    dbs.map(|db| {
        let bytes = cx.locked.iter().map(|shard| shard.overhead_bytes(db));
        let (tables, wheels) = bytes.fold((0, 0), |sum, (table, wheel)| (sum.0 + table, sum.1 + wheel));
        (db, tables, wheels)
    })
    .collect()
}

/// Writes the pairs of a map, and counts them.
struct Fields<'a> {
    reply: &'a mut Reply,
    map: Deferred,
    count: usize,
    release: Release,
}

impl<'a> Fields<'a> {
    fn new(reply: &'a mut Reply, release: Release) -> Self {
        Fields { map: reply.defer(), reply, count: 0, release }
    }

    fn bytes(&mut self, name: &str, bytes: u64) {
        self.reply.bulk(name);
        self.reply.integer(bytes as i64);
        self.count += 1;
    }

    /// How much larger something is than what it is for: as a ratio, and in bytes.
    fn excess(&mut self, name: &str, suffix: &str, whole: u64, part: u64) {
        self.ratio(&format!("{name}{suffix}"), whole, part, 1.0);
        self.bytes(&format!("{name}.bytes"), whole.wrapping_sub(part));
    }

    fn ratio(&mut self, name: &str, part: u64, whole: u64, scale: f64) {
        let ratio = if whole == 0 { 0.0 } else { part as f64 * scale / whole as f64 };
        self.reply.bulk(name);
        self.reply.double(float::format(ratio, self.release));
        self.count += 1;
    }

    fn end(self) {
        self.reply.deferred_map(self.map, self.count);
    }
}

fn stats(cx: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let release = cx.release();
    let (memory, tables) = (View::new(cx), tables(cx));
    let keys: usize = (0..cx.locked.dbs()).map(|db| cx.locked.stats(db).keys).sum();
    let (used, peak, resident) = (memory.used(), memory.peak(), memory.resident());
    let grown = used.saturating_sub(memory.startup());
    let (v5, v7, v7_4) = (release >= Release::V5_0, release >= Release::V7_0, release >= Release::V7_4);
    let mut fields = Fields::new(reply, release);
    fields.bytes("peak.allocated", peak);
    fields.bytes("total.allocated", used);
    fields.bytes("startup.allocated", memory.startup());
    fields.bytes("replication.backlog", memory.backlog_bytes());
    fields.bytes("clients.slaves", 0);
    fields.bytes("clients.normal", memory.client_bytes() as u64);
    if v7 {
        fields.bytes("cluster.links", 0);
    }
    fields.bytes("aof.buffer", 0);
    if v5 {
        fields.bytes("lua.caches", 0);
    }
    if v7 {
        fields.bytes("functions.caches", 0);
    }
    for (db, table, wheel) in &tables {
        fields.reply.bulk(format!("db.{db}"));
        fields.count += 1;
        let mut db = Fields::new(fields.reply, release);
        db.bytes("overhead.hashtable.main", *table as u64);
        db.bytes("overhead.hashtable.expires", *wheel as u64);
        if v7 && !v7_4 {
            db.bytes("overhead.hashtable.slot-to-keys", 0);
        }
        db.end();
    }
    if v7_4 {
        fields.bytes("overhead.db.hashtable.lut", tables.iter().map(|(_, table, _)| *table as u64).sum());
        fields.bytes("overhead.db.hashtable.rehashing", 0);
    }
    fields.bytes("overhead.total", memory.overhead());
    if v7_4 {
        fields.bytes("db.dict.rehashing.count", 0);
    }
    fields.bytes("keys.count", keys as u64);
    fields.bytes("keys.bytes-per-key", grown.checked_div(keys as u64).unwrap_or(0));
    fields.bytes("dataset.bytes", memory.dataset());
    fields.ratio("dataset.percentage", memory.dataset(), grown, 100.0);
    fields.ratio("peak.percentage", used, peak, 100.0);
    if v5 {
        fields.bytes("allocator.allocated", used);
        fields.bytes("allocator.active", resident);
        fields.bytes("allocator.resident", resident);
        if v7_4 {
            fields.bytes("allocator.muzzy", 0);
        }
        fields.excess("allocator-fragmentation", ".ratio", resident, used);
        fields.excess("allocator-rss", ".ratio", resident, resident);
        fields.excess("rss-overhead", ".ratio", resident, resident);
        fields.excess("fragmentation", "", resident, used);
    } else {
        fields.ratio("fragmentation", resident, used, 1.0);
    }
    fields.end();
    Ok(())
}

/// Below this much memory nothing can be said, in bytes.
const LITTLE: u64 = 5 << 20;
/// Buffers of clients that are large, in bytes each.
const LARGE_BUFFERS: usize = 200 << 10;

fn doctor(cx: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let memory = View::new(cx);
    let clients = cx.node.clients.len();
    let report = if memory.used() < LITTLE {
        "There is too little data for a report.\n".to_owned()
    } else if memory.client_bytes() > clients * LARGE_BUFFERS {
        format!(
            "The buffers of {clients} clients hold {} bytes: some send or receive too much at once, or do not read \
             what they asked for. CLIENT LIST shows which.\n",
            memory.client_bytes()
        )
    } else if memory.peak() > memory.used() * 3 / 2 {
        format!(
            "{} bytes were in use at the peak, and {} are now: what was given back is used again when it is needed.\n",
            memory.peak(),
            memory.used()
        )
    } else {
        format!("Keys take {} bytes; nothing about it is unusual.\n", memory.dataset())
    };
    reply.verbatim("txt", report);
    Ok(())
}

fn malloc_stats(_: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    reply.bulk("Stats not supported for the current allocator");
    Ok(())
}

fn purge(_: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    // The allocator gives back by itself.
    reply.ok();
    Ok(())
}

fn explain(_: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    const SUBCOMMANDS: &[(&str, &str)] = &[
        ("DOCTOR", "Report on what is unusual."),
        ("MALLOC-STATS", "Give what the allocator tells of itself."),
        ("PURGE", "Have the allocator give back what it does not need."),
        ("STATS", "Tell how much memory each part takes."),
        ("USAGE <key> [SAMPLES <count>]", "Tell how much memory a key takes, with its value."),
    ];
    help(reply, "MEMORY", SUBCOMMANDS);
    Ok(())
}
