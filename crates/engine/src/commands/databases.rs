//! Databases as a whole: emptying and exchanging them.
//!
//! Emptying takes the tables out while all shards are held, which is little work whatever they hold; freeing them is
//! the long part, and is done elsewhere if the client wants it or nobody should wait for it.

use crate::commands::family;
use crate::feed::Audience;
use crate::{BASE, Command, CommandError, Cx, Node, parse};
use command::{Category, Flags, Former, Group, Release, v};
use resp::{Args, Reply};

family!(FLUSHDB, FLUSHALL, SWAPDB);

/// `FLUSHDB [ASYNC | SYNC]`: OK.
pub static FLUSHDB: Command = Command {
    name: "flushdb",
    summary: "Deletes all keys of the database.",
    complexity: "O(N) for N keys, most of it in the background if so wanted.",
    group: Group::Server,
    arity: -1,
    syntax: "async=[ASYNC@4.0.0 | SYNC@6.2.0]",
    flags: Flags::WRITE.union(Flags::KEYSPACE),
    categories: Category::KEYSPACE.union(Category::DANGEROUS),
    tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
    former: &[Former::before(Release::V4_0).arity(1)],
    handler: flushdb,
    ..BASE
};

/// `FLUSHALL [ASYNC | SYNC]`: OK.
pub static FLUSHALL: Command =
    Command { name: "flushall", summary: "Deletes all keys of all databases.", handler: flushall, ..FLUSHDB };

/// `SWAPDB index1 index2`: OK.
pub static SWAPDB: Command = Command {
    name: "swapdb",
    summary: "Exchanges the keys of two databases.",
    complexity: "O(N) for N keys that clients watch or wait for.",
    since: v(4, 0, 0),
    group: Group::Server,
    arity: 3,
    syntax: "index1:int index2:int",
    flags: Flags::WRITE.union(Flags::FAST).union(Flags::KEYSPACE),
    categories: Category::KEYSPACE.union(Category::DANGEROUS),
    handler: swapdb,
    ..BASE
};

/// From so many keys on they are freed elsewhere, asked or not: clients can tell only by the time it takes.
const MANY_KEYS: usize = 1_000;

fn flushdb(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let lazily = frees_lazily(cx, args)?;
    flush(cx, cx.session.db, lazily);
    // From 7.0 on it is repeated even if there was nothing.
    if cx.release() >= Release::V7_0 {
        cx.repeat_for(Audience::all(), args.iter());
    }
    reply.ok();
    Ok(())
}

fn flushall(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let lazily = frees_lazily(cx, args)?;
    saves_nothing(cx)?;
    for db in 0..cx.locked.dbs() {
        flush(cx, db, lazily);
    }
    // It counts as a change even if there was nothing.
    cx.effects().dirty += 1;
    reply.ok();
    Ok(())
}

/// What is being saved is not there any more, nor is it to come back: by the time of the reply the file has no keys.
fn saves_nothing(cx: &mut Cx) -> Result<(), CommandError> {
    if cx.node.file().is_none() {
        return Ok(());
    }
    let has_rules = cx.node.saving.has_rules();
    if has_rules && !cx.is_queued() {
        cx.offload()?;
        cx.after = Some(Box::new(|node| {
            node.save_now();
            Ok(())
        }));
    } else if has_rules {
        let save = |node: &Node| _ = node.save_now();
        cx.after = Some(Box::new(move |node| {
            node.host.background("save", Box::new(save));
            Ok(())
        }));
    }
    cx.node.cancel_save();
    Ok(())
}

/// Whether what is flushed is freed in the background.
fn frees_lazily(cx: &Cx, args: Args) -> Result<bool, CommandError> {
    match args.get(1) {
        None => Ok(cx.params().lazy_user_flush),
        Some(_) if args.len() > 2 => Err(CommandError::Syntax),
        Some(option) if parse::is_word(option, "async") => Ok(true),
        Some(option) if parse::is_word(option, "sync") && cx.release().has(v(6, 2, 0)) => Ok(false),
        Some(_) => Err(CommandError::Syntax),
    }
}

fn flush(cx: &mut Cx, db: u32, lazily: bool) {
    let effects = &mut cx.worker.effects;
    for shard in cx.locked.iter_mut() {
        let Some(garbage) = shard.flush(effects, db) else { continue };
        effects.dirty += garbage.len() as u64;
        if lazily || garbage.len() >= MANY_KEYS {
            effects.garbage.push(garbage);
        }
    }
}

fn swapdb(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    if cx.node.member.is_some() {
        return Err(CommandError::NotInCluster("SWAPDB"));
    }
    let a = parse::int32(args.at(1)).map_err(|_| CommandError::FirstDb)?;
    let b = parse::int32(args.at(2)).map_err(|_| CommandError::SecondDb)?;
    let databases = cx.node.settings.databases();
    let known =
        |db: i32| u32::try_from(db).ok().filter(|&db| db < databases).ok_or(CommandError::DbOutOfRange);
    let (a, b) = (known(a)?, known(b)?);
    let effects = &mut cx.worker.effects;
    cx.locked.iter_mut().for_each(|shard| shard.swap(effects, a, b));
    effects.dirty += 1;
    reply.ok();
    Ok(())
}
