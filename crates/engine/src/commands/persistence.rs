//! Saving keys because a client wants it.

use crate::commands::family;
use crate::parse::is_word;
use crate::{BASE, Command, CommandError, Cx};
use command::{Category, Flags, Former, Group, Release, v};
use resp::{Args, Reply};

family!(SAVE, BGSAVE, BGREWRITEAOF, LASTSAVE);

/// `SAVE`: OK when the keys have been saved. Other clients are served meanwhile.
pub static SAVE: Command = Command {
    name: "save",
    summary: "Saves all keys, and answers when that is done.",
    complexity: "O(N) for N keys.",
    group: Group::Server,
    arity: 1,
    flags: Flags::ADMIN
        .union(Flags::NOSCRIPT)
        .union(Flags::NO_ASYNC_LOADING)
        .union(Flags::NO_MULTI)
        .union(Flags::KEYSPACE),
    former: &[
        Former::before(Release::V7_0).without(Flags::NO_ASYNC_LOADING.union(Flags::NO_MULTI)),
        Former::before(Release::V4_0).with(Flags::READONLY),
    ],
    handler: save,
    ..BASE
};

/// `BGSAVE [SCHEDULE]`: a status; the keys are saved in the background.
pub static BGSAVE: Command = Command {
    name: "bgsave",
    summary: "Saves all keys in the background.",
    complexity: "O(1)",
    group: Group::Server,
    arity: -1,
    syntax: "[SCHEDULE]@3.2.2",
    flags: Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::NO_ASYNC_LOADING).union(Flags::KEYSPACE),
    former: &[
        Former::before(Release::V7_0).without(Flags::NO_ASYNC_LOADING),
        Former::before(Release::V5_0).without(Flags::NOSCRIPT),
        Former::before(Release::V4_0).with(Flags::READONLY).arity(1),
    ],
    handler: bgsave,
    ..BASE
};

/// `BGREWRITEAOF`: a status; the append-only file is written anew in the background, as short as can be.
pub static BGREWRITEAOF: Command = Command {
    name: "bgrewriteaof",
    summary: "Rewrites the append-only file in the background.",
    arity: 1,
    syntax: "",
    former: &[
        Former::before(Release::V7_0).without(Flags::NO_ASYNC_LOADING),
        Former::before(Release::V5_0).without(Flags::NOSCRIPT),
        Former::before(Release::V4_0).with(Flags::READONLY),
    ],
    handler: bgrewriteaof,
    ..BGSAVE
};

/// `LASTSAVE`: when the keys were last saved, in seconds since the epoch; when the server began if they were not.
pub static LASTSAVE: Command = Command {
    name: "lastsave",
    summary: "Tells when the keys were last saved.",
    group: Group::Server,
    arity: 1,
    flags: Flags::LOADING.union(Flags::STALE).union(Flags::FAST),
    categories: Category::ADMIN.union(Category::DANGEROUS),
    tips: &["nondeterministic_output"],
    former: &[
        Former::before(Release::V7_0).with(Flags::RANDOM),
        Former::before(Release::V6_2).without(Flags::LOADING.union(Flags::STALE)),
        Former::before(Release::V4_0).with(Flags::READONLY),
    ],
    handler: lastsave,
    ..BASE
};

fn save(cx: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    if cx.is_queued() {
        // Up to 6.2 a transaction may save; it holds all shards, and goes on doing so.
        if cx.node.saving.state().running.is_some() {
            return Err(CommandError::Saving);
        }
        if !cx.node.save_held(&cx.locked) {
            return Err(CommandError::NotSaved);
        }
    } else {
        cx.offload()?;
        let begun = cx.node.begin_save(&mut cx.locked, false);
        let saved = |saved: bool| if saved { Ok(()) } else { Err(CommandError::NotSaved) };
        cx.after = Some(match begun {
            // Another snapshot is none of the client's business: a replica is sent the keys, or a file is rewritten.
            Err(CommandError::ChildActive) => Box::new(move |node| saved(node.save_when_free()?)),
            begun => {
                let run = begun?;
                Box::new(move |node| saved(node.finish_save(run)))
            }
        });
    }
    reply.ok();
    Ok(())
}

fn bgsave(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let may_wait = match args.get(1) {
        None => false,
        Some(option) if args.len() == 2 && cx.release().has(v(3, 2, 2)) && is_word(option, "schedule") => {
            true
        }
        Some(_) => return Err(CommandError::Syntax),
    };
    if waits_for_exec(cx) && cx.node.saving.state().running.is_none() {
        cx.node.saving.schedule();
        do_what_waits(cx);
        reply.status("Background saving scheduled");
        return Ok(());
    }
    let run = match cx.node.begin_save(&mut cx.locked, true) {
        Err(CommandError::ChildActive) if may_wait => {
            cx.node.saving.schedule();
            reply.status("Background saving scheduled");
            return Ok(());
        }
        begun => begun?,
    };
    cx.node.run_in_background(run);
    reply.status("Background saving started");
    Ok(())
}

fn bgrewriteaof(cx: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    if cx.node.is_rewriting() {
        return Err(CommandError::Rewriting);
    }
    if cx.locked.is_cut() || waits_for_exec(cx) || cx.node.saving.state().running.is_some() {
        cx.node.schedule_rewrite();
        do_what_waits(cx);
        reply.status("Background append only file rewriting scheduled");
        return Ok(());
    }
    cx.node.rewrite_in_background()?;
    reply.status("Background append only file rewriting started");
    Ok(())
}

/// From 7.0 on nothing is begun within a transaction: it follows.
fn waits_for_exec(cx: &Cx) -> bool {
    cx.is_queued() && cx.release().has(v(7, 0, 0))
}

/// Has begun what has been scheduled, unless the end of another snapshot is going to do so.
fn do_what_waits(cx: &Cx) {
    if !cx.locked.is_cut() {
        cx.node.host.background("save", Box::new(crate::Node::do_what_waited));
    }
}

fn lastsave(cx: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    reply.integer(cx.node.saving.state().last_s);
    Ok(())
}
