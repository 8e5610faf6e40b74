//! The commands, one file a family.

pub mod bitfield;
pub mod bitmaps;
pub mod client;
pub mod cluster;
pub mod command;
pub mod config;
pub mod connection;
pub mod counters;
pub mod databases;
pub mod debug;
pub mod dump;
pub mod expiry;
pub mod geo;
pub mod geo_search;
pub mod hash_expiry;
pub mod hashes;
pub mod hyperloglog;
pub mod info;
pub mod keys;
pub mod latency;
pub mod lcs;
pub mod list_blocking;
pub mod lists;
pub mod memory;
pub mod migrate;
pub mod monitor;
pub mod object;
pub mod persistence;
pub mod pubsub;
pub mod replication;
pub mod scan;
pub mod scripting;
pub mod server;
pub mod set_algebra;
pub mod sets;
pub mod slowlog;
pub mod sort;
pub mod stream_claims;
pub mod stream_groups;
pub mod stream_info;
pub mod stream_reads;
pub mod streams;
pub mod strings;
pub mod transactions;
pub mod zset_algebra;
pub mod zset_pops;
pub mod zset_ranges;
pub mod zsets;

use crate::{Command, CommandError, Cx};
use resp::{Args, Reply};
use structures::packed::Item;

/// Every command of every release.
pub fn all() -> impl Iterator<Item = &'static Command> {
    [
        bitfield::COMMANDS,
        bitmaps::COMMANDS,
        client::COMMANDS,
        cluster::COMMANDS,
        command::COMMANDS,
        config::COMMANDS,
        connection::COMMANDS,
        counters::COMMANDS,
        databases::COMMANDS,
        debug::COMMANDS,
        dump::COMMANDS,
        expiry::COMMANDS,
        geo::COMMANDS,
        geo_search::COMMANDS,
        hash_expiry::COMMANDS,
        hashes::COMMANDS,
        hyperloglog::COMMANDS,
        info::COMMANDS,
        keys::COMMANDS,
        latency::COMMANDS,
        lcs::COMMANDS,
        list_blocking::COMMANDS,
        lists::COMMANDS,
        memory::COMMANDS,
        migrate::COMMANDS,
        monitor::COMMANDS,
        object::COMMANDS,
        persistence::COMMANDS,
        pubsub::COMMANDS,
        replication::COMMANDS,
        scan::COMMANDS,
        scripting::COMMANDS,
        server::COMMANDS,
        set_algebra::COMMANDS,
        sets::COMMANDS,
        slowlog::COMMANDS,
        sort::COMMANDS,
        stream_claims::COMMANDS,
        stream_groups::COMMANDS,
        stream_info::COMMANDS,
        stream_reads::COMMANDS,
        streams::COMMANDS,
        strings::COMMANDS,
        transactions::COMMANDS,
        zset_algebra::COMMANDS,
        zset_pops::COMMANDS,
        zset_ranges::COMMANDS,
        zsets::COMMANDS,
    ]
    .into_iter()
    .flatten()
    .copied()
}

/// Writes an entry of a collection as a string.
#[inline]
pub(crate) fn bulk(reply: &mut Reply, item: Item) {
    match item {
        Item::Str(bytes) => reply.bulk(bytes),
        Item::Int(value) => reply.bulk_integer(value),
    }
}

/// The strings that a part of a reply consists of.
pub(crate) fn bulks(reply: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = reply;
    std::iter::from_fn(move || {
        let header = rest.iter().position(|&byte| byte == b'\n')?;
        debug_assert_eq!(rest[0], b'$', "only strings are looked for");
        // The reply is our own: its lengths are true.
        let digits = &rest[1..header - 1];
        let len = digits.iter().fold(0, |len, digit| 10 * len + usize::from(digit - b'0'));
        let (string, after) = rest[header + 1..].split_at(len);
        rest = &after[2..];
        Some(string)
    })
}

/// What a command with subcommands answers before 7.0 where it has none of the name, or not with so many arguments.
pub(crate) fn no_subcommand(cx: &mut Cx, args: Args, _: &mut Reply) -> Result<(), CommandError> {
    Err(cx.no_subcommand(args))
}

/// Writes the reply of a `HELP` subcommand: how the others are called, and what they do.
pub(crate) fn help(reply: &mut Reply, container: &str, subcommands: &[(&str, &str)]) {
    reply.array(3 + 2 * subcommands.len());
    reply.status(format!("{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"));
    for (usage, purpose) in subcommands.iter().chain(&[("HELP", "Print this help.")]) {
        reply.status(usage);
        reply.status(format!("    {purpose}"));
    }
}

/// The commands of a family, checked when they are compiled.
macro_rules! family {
    ($($name:ident),+ $(,)?) => {
        /// The commands of this family.
        pub static COMMANDS: &[&$crate::Command] = &[$(&$name),+];
        const _: () = { $($name.check();)+ };
    };
}
pub(crate) use family;
