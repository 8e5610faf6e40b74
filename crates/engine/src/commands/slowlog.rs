//! `SLOWLOG`: the commands that took long.

use crate::commands::{family, help, no_subcommand};
use crate::{BASE, Command, CommandError, Cx, parse};
use command::{Flags, Former, Group, Refusal, Release, v};
use resp::{Args, Reply};

family!(SLOWLOG);

/// What most subcommands have in common.
const ADMIN: Flags = Flags::ADMIN.union(Flags::LOADING).union(Flags::STALE);

/// `SLOWLOG subcommand`: see the subcommands.
pub static SLOWLOG: Command = Command {
    name: "slowlog",
    summary: "Shows the commands that took long.",
    complexity: "That of the subcommand.",
    since: v(2, 2, 12),
    group: Group::Server,
    arity: -2,
    flags: Flags::CONTAINER,
    handler: no_subcommand,
    former: &[
        Former::before(Release::V7_0).with(ADMIN.union(Flags::RANDOM)),
        Former::before(Release::V6_2).without(Flags::LOADING.union(Flags::STALE)),
        Former::before(Release::V5_0).without(Flags::RANDOM),
        Former::before(Release::V4_0).with(Flags::READONLY).without(Flags::ADMIN),
    ],
    subcommands: &[&GET, &LEN, &RESET, &HELP],
    refusals: &[(Release::V7_0, Refusal::Quoted), (Release::V5_0, Refusal::Hash(" Try GET, RESET, LEN."))],
    ..BASE
};

/// What all subcommands have in common.
const SUBCOMMAND: Command = Command { since: v(2, 2, 12), group: Group::Server, flags: ADMIN, ..BASE };

/// `SLOWLOG GET [count]`: entries, newest first: id, time in s, duration in us, arguments; from 4.0 on also the client's
/// address and name.
pub static GET: Command = Command {
    name: "get",
    summary: "Gives the newest commands that took long.",
    complexity: "O(N) for N entries given.",
    arity: -2,
    syntax: "[count:int]",
    tips: &["request_policy:all_nodes", "nondeterministic_output"],
    handler: get,
    ..SUBCOMMAND
};

/// `SLOWLOG LEN`: how many entries there are.
pub static LEN: Command = Command {
    name: "len",
    summary: "Counts the commands that took long.",
    arity: 2,
    tips: &["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"],
    handler: len,
    ..SUBCOMMAND
};

/// `SLOWLOG RESET`: OK.
pub static RESET: Command = Command {
    name: "reset",
    summary: "Forgets the commands that took long.",
    complexity: "O(N) for N entries.",
    arity: 2,
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    handler: reset,
    ..SUBCOMMAND
};

/// `SLOWLOG HELP`: lines of text.
pub static HELP: Command = Command {
    name: "help",
    summary: "Explains the subcommands.",
    since: v(5, 0, 0),
    arity: 2,
    flags: Flags::LOADING.union(Flags::STALE),
    handler: explain,
    ..SUBCOMMAND
};

/// Entries that are given when no number is.
const DEFAULT_ENTRIES: usize = 10;

fn get(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    if args.len() > 3 {
        return Err(cx.bad_subcommand(args));
    }
    let most = match args.get(2) {
        None => DEFAULT_ENTRIES,
        Some(count) if cx.release() >= Release::V7_0 => {
            let count = parse::integer_in(count, -1..=i64::MAX, CommandError::CountBelowMinusOne)?;
            usize::try_from(count).unwrap_or(usize::MAX)
        }
        Some(count) => usize::try_from(parse::integer(count)?).unwrap_or(usize::MAX),
    };
    let entries = cx.node.slowlog.newest(most);
    let tells_client = cx.release().has(v(4, 0, 0));
    reply.array(entries.len());
    for slow in entries {
        reply.array(if tells_client { 6 } else { 4 });
        reply.integer(slow.id);
        reply.integer(slow.at_s);
        reply.integer(slow.took_us);
        reply.array(slow.args.len());
        slow.args.iter().for_each(|arg| reply.bulk(arg));
        if tells_client {
            reply.bulk(slow.peer.to_string());
            reply.bulk(slow.name);
        }
    }
    Ok(())
}

fn len(cx: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    reply.integer(cx.node.slowlog.len() as i64);
    Ok(())
}

fn reset(cx: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    cx.node.slowlog.clear();
    reply.ok();
    Ok(())
}

fn explain(_: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    const SUBCOMMANDS: &[(&str, &str)] = &[
        ("GET [<count>]", "Give the newest entries (10 unless told; -1 for all)."),
        ("LEN", "Count the entries."),
        ("RESET", "Forget all entries."),
    ];
    help(reply, "SLOWLOG", SUBCOMMANDS);
    Ok(())
}
