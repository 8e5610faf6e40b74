//! `INFO`: what a node tells of itself; [`crate::info`] says what that is.

use crate::commands::family;
use crate::info::{SECTIONS, Section, View};
use crate::parse::is_word;
use crate::{BASE, Command, CommandError, Cx};
use command::{Category, Flags, Former, Group, Release, v};
use resp::{Args, Reply};

family!(INFO);

/// `INFO [section ...]`: text, a field a line.
pub static INFO: Command = Command {
    name: "info",
    summary: "Tells of the server: its memory, clients, statistics.",
    group: Group::Server,
    arity: -1,
    syntax: "[section...]",
    // All shards are held to count their keys.
    flags: Flags::LOADING.union(Flags::STALE).union(Flags::KEYSPACE),
    categories: Category::DANGEROUS,
    tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
    former: &[
        Former::before(Release::V7_0).with(Flags::RANDOM),
        Former::before(Release::V5_0).without(Flags::RANDOM),
        Former::before(Release::V4_0).with(Flags::READONLY),
    ],
    handler: info,
    ..BASE
};

fn info(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let release = cx.release();
    if args.len() > 2 && release < Release::V7_0 {
        return Err(CommandError::Syntax);
    }
    let asked = |section: &Section| {
        args.len() == 1 && section.default
            || args.iter_from(1).any(|word| {
                is_word(word, section.title)
                    || is_word(word, "default") && section.default
                    || is_word(word, "all")
                    || is_word(word, "everything") && release.has(v(6, 0, 0))
            })
    };
    let view = View::new(cx);
    let mut text = String::new();
    SECTIONS.iter().filter(|section| asked(section)).for_each(|section| section.write(&view, &mut text));
    reply.verbatim("txt", text);
    Ok(())
}
