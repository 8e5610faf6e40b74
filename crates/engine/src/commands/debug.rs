//! `DEBUG`: what only tests and the curious want.
//!
//! To the outside it is one command without subcommands in every release; inside, each subcommand is a row of
//! [`SUBCOMMANDS`].

use crate::blocking::Wait;
use crate::commands::family;
use crate::digest::Digest;
use crate::{BASE, Command, CommandError, Cx, Handler, float};
use command::{Flags, Former, Group, Refusal, Release, Version, v};
use keyspace::Moment;
use resp::{Args, Reply};
use std::ops::RangeInclusive;
use std::sync::Arc;

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

/// A subcommand.
struct Subcommand {
    name: &'static str,
    since: Version,
    /// How many arguments it takes, those before it included.
    arguments: RangeInclusive<usize>,
    run: Handler,
}

/// The version of whatever is older than all releases here.
const ALWAYS: Version = v(1, 0, 0);

const SUBCOMMANDS: &[Subcommand] = &[
    Subcommand { name: "digest", since: ALWAYS, arguments: 2..=2, run: digest },
    Subcommand { name: "digest-value", since: v(5, 0, 0), arguments: 2..=usize::MAX, run: digest_value },
    Subcommand { name: "jmap", since: ALWAYS, arguments: 2..=2, run: ok },
    Subcommand { name: "set-active-expire", since: ALWAYS, arguments: 3..=3, run: set_active_expire },
    Subcommand { name: "sleep", since: ALWAYS, arguments: 3..=3, run: sleep },
];

fn debug(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    if !cx.node.settings.debug_command.allows(&cx.session.client) {
        return Err(CommandError::DebugNotAllowed);
    }
    let name = args.get(1).unwrap_or_default();
    let subcommand = SUBCOMMANDS.iter().find(|own| own.name.as_bytes().eq_ignore_ascii_case(name));
    match subcommand {
        Some(own) if cx.release().has(own.since) && own.arguments.contains(&args.len()) => {
            (own.run)(cx, args, reply)
        }
        _ => Err(cx.bad_subcommand(args)),
    }
}

fn ok(_: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
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
        // Before all time no key has expired.
        let key = cx.key(key);
        let entry = cx.locked.shard(&key).peek(Moment::at(i64::MIN), cx.session.db, &key);
        let digest = entry.map_or_else(Digest::default, |entry| Digest::of_value(&entry, cx.release()));
        reply.status(digest.to_string());
    }
    Ok(())
}

fn set_active_expire(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    // What is not a number is zero.
    let on = structures::number::parse_i64(args.at(2)).unwrap_or(0) != 0;
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
    let wait = Wait {
        keys: Vec::new(),
        // The longest sleep is longer than anybody waits.
        timeout_ms: Some((seconds * 1000.0).ceil() as i64),
        serve: |_, _, _, _| Ok(false),
        needs_other_keys: false,
        serves_gone_keys: false,
        timed_out: Reply::ok,
    };
    cx.wait(wait, reply);
    Ok(())
}
