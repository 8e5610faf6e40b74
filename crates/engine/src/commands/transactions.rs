//! Transactions: commands that are queued and run together.
//!
//! `EXEC` holds the shards of all queued commands' keys, and of the watched ones, so that nothing comes in between.

use crate::commands::family;
use crate::execute::run_queued;
use crate::session::{Multi, Watching};
use crate::{BASE, Command, CommandError, Cx};
use command::{Access, Category, Flags, Former, Group, KeySpec, Range, Release, v};
use resp::{Args, Reply};
use std::sync::atomic::Ordering;

family!(MULTI, EXEC, DISCARD, WATCH, UNWATCH);

/// What the commands of this family have in common.
const COMMON: Flags =
    Flags::NOSCRIPT.union(Flags::LOADING).union(Flags::STALE).union(Flags::FAST).union(Flags::ALLOW_BUSY);

/// How they differed in earlier releases.
const FORMER: &[Former] = &[
    Former::before(Release::V7_0).without(Flags::ALLOW_BUSY),
    Former::before(Release::V6_2).without(Flags::LOADING.union(Flags::STALE)),
    Former::before(Release::V4_0).with(Flags::READONLY),
];

/// `MULTI`: OK.
pub static MULTI: Command = Command {
    name: "multi",
    summary: "Begins a transaction: further commands are queued.",
    since: v(1, 2, 0),
    group: Group::Transactions,
    arity: 1,
    flags: COMMON.union(Flags::NOT_QUEUED),
    categories: Category::TRANSACTION,
    former: FORMER,
    handler: multi,
    ..BASE
};

/// `EXEC`: the replies of all queued commands; nil if a watched key has changed.
pub static EXEC: Command = Command {
    name: "exec",
    summary: "Runs the commands of a transaction, with nothing in between.",
    complexity: "That of the queued commands.",
    since: v(1, 2, 0),
    group: Group::Transactions,
    arity: 1,
    flags: Flags::NOSCRIPT
        .union(Flags::LOADING)
        .union(Flags::STALE)
        .union(Flags::SKIP_SLOWLOG)
        .union(Flags::NOT_QUEUED)
        .union(Flags::UNWATCHES)
        .union(Flags::RUNS_QUEUE),
    categories: Category::TRANSACTION,
    former: &[Former::before(Release::V6_2)
        .with(Flags::SKIP_MONITOR)
        .without(Flags::LOADING.union(Flags::STALE).union(Flags::SKIP_SLOWLOG))],
    handler: exec,
    ..BASE
};

/// `DISCARD`: OK.
pub static DISCARD: Command = Command {
    name: "discard",
    summary: "Ends a transaction without running its commands.",
    complexity: "O(N) for N queued commands.",
    since: v(2, 0, 0),
    group: Group::Transactions,
    arity: 1,
    flags: COMMON.union(Flags::NOT_QUEUED).union(Flags::UNWATCHES),
    categories: Category::TRANSACTION,
    former: FORMER,
    handler: discard,
    ..BASE
};

/// `WATCH key [key ...]`: OK.
pub static WATCH: Command = Command {
    name: "watch",
    summary: "Makes the next transaction depend on keys that do not change before it is run.",
    complexity: "O(1) for each key.",
    since: v(2, 2, 0),
    group: Group::Transactions,
    arity: -2,
    syntax: "key...",
    flags: COMMON.union(Flags::NOT_QUEUED),
    categories: Category::TRANSACTION,
    keys: &[KeySpec::range(1, -1, 1, Access::RO)],
    range: Range::ALL,
    former: FORMER,
    handler: watch,
    ..BASE
};

/// `UNWATCH`: OK.
pub static UNWATCH: Command = Command {
    name: "unwatch",
    summary: "Forgets the keys that are watched.",
    since: v(2, 2, 0),
    group: Group::Transactions,
    arity: 1,
    flags: COMMON.union(Flags::UNWATCHES),
    categories: Category::TRANSACTION,
    former: FORMER,
    handler: unwatch,
    ..BASE
};

fn multi(cx: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    if cx.session.multi.is_some() {
        return Err(CommandError::NestedMulti);
    }
    cx.session.set_multi(Some(Box::default()));
    reply.ok();
    Ok(())
}

fn exec(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let Some(multi) = cx.session.set_multi(None) else { return Err(CommandError::ExecWithoutMulti) };
    let broken = is_broken(cx);
    cx.session.unwatch(&mut cx.locked);
    let Multi { queue, aborted, refused } = *multi;
    // What may not run is not looked at.
    if let Some(error) = refused {
        return Err(if error.is_of_exec() { error } else { error.of_exec() });
    }
    if aborted {
        return Err(CommandError::ExecAbort);
    }
    if broken {
        reply.null_array();
        return Ok(());
    }
    reply.array(queue.len());
    cx.begin_transaction();
    // Commands inside do not wait: their time is up at once.
    cx.may_wait = false;
    queue.iter().for_each(|queued| run_queued(cx, queued, reply));
    cx.end_transaction(args);
    Ok(())
}

/// Whether a watched key has changed, or has expired since it is watched.
fn is_broken(cx: &Cx) -> bool {
    let Some(watching) = &cx.session.watching else { return false };
    watching.watch.is_broken()
        || watching.keys.iter().any(|(db, key, was_expired)| {
            let key = cx.key(key);
            !was_expired && cx.locked.shard(&key).is_expired(cx.moment, *db, &key)
        })
}

fn discard(cx: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    if cx.session.set_multi(None).is_none() {
        return Err(CommandError::DiscardWithoutMulti);
    }
    cx.session.unwatch(&mut cx.locked);
    reply.ok();
    Ok(())
}

fn watch(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    if cx.session.multi.is_some() {
        return Err(CommandError::WatchInMulti);
    }
    let db = cx.session.db;
    for bytes in args.iter_from(1) {
        let key = cx.key(bytes);
        let shard = cx.locked.shard_mut(&key);
        let was_expired = shard.is_expired(cx.moment, db, &key);
        let Watching { watch, keys } = &mut **cx.session.watching.get_or_insert_default();
        if !keys.iter().any(|(own_db, own, _)| *own_db == db && **own == *bytes) {
            shard.interest(db).watch(bytes, watch);
            keys.push((db, bytes.into(), was_expired));
        }
    }
    let watched = cx.session.watching.as_ref().map_or(0, |watching| watching.keys.len());
    cx.session.client.gauges.watched.store(watched as u32, Ordering::Relaxed);
    reply.ok();
    Ok(())
}

fn unwatch(cx: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    cx.session.unwatch(&mut cx.locked);
    reply.ok();
    Ok(())
}
