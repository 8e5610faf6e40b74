//! `COMMAND`: what commands there are, and what they are like.
//!
//! What is told of a command follows from its record. Deliberately not there: its history (`COMMAND DOCS`).

use crate::commands::{family, help};
use crate::keys::{Positions, access, find as find_keys};
use crate::parse::is_word;
use crate::table::{Entry, find};
use crate::{BASE, Command, CommandError, Cx, Node};
use command::syntax::{self, Argument};
use command::{Access, Begin, Category, Find, Flags, Former, Group, KeySpec, Refusal, Release, v};
use resp::{Args, Reply};
use structures::glob;

family!(COMMAND);

/// What all subcommands have in common.
const COMMON: Flags = Flags::LOADING.union(Flags::STALE);

/// That the order of a reply means nothing.
const UNORDERED: &[&str] = &["nondeterministic_output_order"];

/// `COMMAND`: an array that describes each command; see [`INFO`].
pub static COMMAND: Command = Command {
    name: "command",
    summary: "Describes all commands.",
    complexity: "O(N) for N commands.",
    since: v(2, 8, 13),
    group: Group::Server,
    arity: -1,
    flags: COMMON.union(Flags::CONTAINER),
    categories: Category::CONNECTION,
    tips: UNORDERED,
    former: &[
        Former::before(Release::V7_0).with(Flags::RANDOM),
        Former::before(Release::V6_2).arity(0),
        Former::before(Release::V5_0).without(Flags::RANDOM),
        Former::before(Release::V4_0).with(Flags::READONLY),
    ],
    subcommands: &[&COUNT, &INFO, &GETKEYS, &GETKEYSANDFLAGS, &LIST, &DOCS, &HELP],
    refusals: &[(Release::V7_0, Refusal::Quoted), (Release::V5_0, Refusal::Plain)],
    handler: all,
    ..BASE
};

/// What all subcommands have in common.
const SUBCOMMAND: Command = Command {
    since: v(2, 8, 13),
    group: Group::Server,
    flags: COMMON,
    categories: Category::CONNECTION,
    ..BASE
};

/// `COMMAND COUNT`: how many commands there are.
pub static COUNT: Command =
    Command { name: "count", summary: "Counts the commands.", arity: 2, handler: count, ..SUBCOMMAND };

/// `COMMAND INFO [command-name ...]`: for each command its name, arity, flags, first and last key and the step between
/// two; from 6.0 on its access categories, from 7.0 on tips, key specifications and subcommands. Nil for no command.
pub static INFO: Command = Command {
    name: "info",
    summary: "Describes commands.",
    complexity: "O(N) for N commands.",
    arity: -2,
    syntax: "[command-name...]",
    tips: UNORDERED,
    handler: info,
    ..SUBCOMMAND
};

/// `COMMAND DOCS [command-name ...]`: a map of commands to maps of `summary`, `since` and so on.
pub static DOCS: Command = Command {
    name: "docs",
    summary: "Explains commands.",
    complexity: "O(N) for N commands.",
    since: v(7, 0, 0),
    arity: -2,
    syntax: "[command-name...]",
    tips: UNORDERED,
    handler: docs,
    ..SUBCOMMAND
};

/// `COMMAND LIST [FILTERBY MODULE module-name | ACLCAT category | PATTERN pattern]`: names.
pub static LIST: Command = Command {
    name: "list",
    summary: "Gives the names of commands.",
    complexity: "O(N) for N commands.",
    since: v(7, 0, 0),
    arity: -2,
    syntax: "filterby=[FILTERBY (MODULE module-name | ACLCAT category | PATTERN pattern:pattern)]",
    tips: UNORDERED,
    handler: list,
    ..SUBCOMMAND
};

/// `COMMAND GETKEYS command [arg ...]`: the arguments that are keys.
pub static GETKEYS: Command = Command {
    name: "getkeys",
    summary: "Finds the keys of a request.",
    complexity: "O(N) for N arguments.",
    arity: -3,
    former: &[Former::before(Release::V7_4).arity(-4), Former::before(Release::V7_0).arity(-3)],
    handler: getkeys,
    ..SUBCOMMAND
};

/// `COMMAND GETKEYSANDFLAGS command [arg ...]`: the arguments that are keys, and what is done with each.
pub static GETKEYSANDFLAGS: Command = Command {
    name: "getkeysandflags",
    summary: "Finds the keys of a request, and what it does with them.",
    since: v(7, 0, 0),
    handler: getkeysandflags,
    ..GETKEYS
};

/// `COMMAND HELP`: lines of text.
pub static HELP: Command = Command {
    name: "help",
    summary: "Explains the subcommands.",
    since: v(5, 0, 0),
    arity: 2,
    handler: explain,
    ..SUBCOMMAND
};

/// The command or, from 7.0 on, the subcommand of a name: `object|encoding`.
pub(crate) fn look_up(node: &Node, name: &[u8]) -> Option<&'static Entry> {
    match name.iter().position(|&byte| byte == b'|') {
        Some(bar) if node.release >= Release::V7_0 => {
            find(&node.names, &name[..bar])?.subcommand(&name[bar + 1..])
        }
        _ => find(&node.names, name),
    }
}

/// The commands that are listed, under their names.
fn listed(node: &Node) -> impl Iterator<Item = (&[u8], &'static Entry)> {
    node.names.iter().map(|(name, entry)| (&**name, *entry)).filter(|(_, entry)| !entry.is(Flags::HIDDEN))
}

fn all(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    if args.len() > 1 {
        return Err(cx.no_subcommand(args));
    }
    let release = cx.release();
    reply.array(listed(cx.node).count());
    listed(cx.node).for_each(|(name, entry)| describe(release, name, entry, reply));
    Ok(())
}

fn count(cx: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    reply.integer(listed(cx.node).count() as i64);
    Ok(())
}

fn info(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    if args.len() == 2 && cx.release() >= Release::V7_0 {
        return all(cx, args, reply);
    }
    reply.array(args.len() - 2);
    for name in args.iter_from(2) {
        match look_up(cx.node, name) {
            Some(entry) => describe(cx.release(), entry.full_name.as_bytes(), entry, reply),
            None => reply.null(),
        }
    }
    Ok(())
}

/// Writes what `COMMAND` tells of a command.
fn describe(release: Release, name: &[u8], entry: &Entry, reply: &mut Reply) {
    let shape = &entry.shape;
    reply.array(match release {
        Release::V7_0 | Release::V7_4 => 10,
        Release::V6_2 => 7,
        _ => 6,
    });
    reply.bulk(name);
    reply.integer(shape.arity.into());
    statuses(shape.flags.names(release), reply);
    for number in [shape.range.first, shape.range.last, shape.range.step] {
        reply.integer(number.into());
    }
    if release < Release::V6_2 {
        return;
    }
    statuses(shape.categories.names().map(|name| format!("@{name}")), reply);
    if release < Release::V7_0 {
        return;
    }
    reply.set(shape.tips.len());
    shape.tips.iter().for_each(|tip| reply.bulk(tip));
    reply.set(entry.shape.keys.len());
    entry.shape.keys.iter().for_each(|spec| describe_keys(spec, reply));
    match &*entry.subcommands {
        [] => reply.set(0),
        subcommands => {
            reply.array(subcommands.len());
            subcommands.iter().for_each(|sub| describe(release, sub.full_name.as_bytes(), sub, reply));
        }
    }
}

/// Writes a set of words.
fn statuses(words: impl Iterator<Item = impl AsRef<[u8]>>, reply: &mut Reply) {
    let set = reply.defer();
    let count = words.map(|word| reply.status(word)).count();
    reply.deferred_set(set, count);
}

/// Writes how keys are found.
fn describe_keys(spec: &KeySpec, reply: &mut Reply) {
    reply.map(if spec.notes.is_empty() { 3 } else { 4 });
    if !spec.notes.is_empty() {
        reply.bulk("notes");
        reply.bulk(spec.notes);
    }
    reply.bulk("flags");
    statuses(spec.access.names(), reply);
    reply.bulk("begin_search");
    match spec.begin {
        Begin::Index(index) => {
            search("index", 1, reply);
            field("index", index, reply);
        }
        Begin::Keyword(word, from) => {
            search("keyword", 2, reply);
            reply.bulk("keyword");
            reply.bulk(word);
            field("startfrom", from, reply);
        }
        Begin::Unknown => search("unknown", 0, reply),
    }
    reply.bulk("find_keys");
    match spec.find {
        Find::Range { last, step, limit } => {
            search("range", 3, reply);
            field("lastkey", last, reply);
            field("keystep", step, reply);
            field("limit", limit, reply);
        }
        Find::Count { count, first, step } => {
            search("keynum", 3, reply);
            field("keynumidx", count, reply);
            field("firstkey", first, reply);
            field("keystep", step, reply);
        }
        Find::Unknown => search("unknown", 0, reply),
    }
}

/// Writes the header of a way to search, which so many fields follow.
fn search(kind: &str, fields: usize, reply: &mut Reply) {
    reply.map(2);
    reply.bulk("type");
    reply.bulk(kind);
    reply.bulk("spec");
    reply.map(fields);
}

fn field(name: &str, value: i8, reply: &mut Reply) {
    reply.bulk(name);
    reply.integer(value.into());
}

fn docs(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let release = cx.release();
    if args.len() == 2 {
        reply.map(listed(cx.node).count());
        listed(cx.node).for_each(|(name, entry)| document(release, name, entry, reply));
        return Ok(());
    }
    let map = reply.defer();
    let known = args.iter_from(2).filter_map(|name| look_up(cx.node, name));
    let count = known.map(|entry| document(release, entry.full_name.as_bytes(), entry, reply)).count();
    reply.deferred_map(map, count);
    Ok(())
}

/// Writes a command's name and what `COMMAND DOCS` tells of it.
fn document(release: Release, name: &[u8], entry: &Entry, reply: &mut Reply) {
    let record = entry.record;
    let deprecated = record.deprecated.filter(|(version, _)| release.has(*version));
    let arguments = known(release, syntax::parse(record.syntax).unwrap_or_default());
    reply.bulk(name);
    reply.map(
        4 + if deprecated.is_some() { 3 } else { 0 }
            + usize::from(!arguments.is_empty())
            + usize::from(!entry.subcommands.is_empty()),
    );
    for (name, value) in [
        ("summary", record.summary),
        ("since", &record.since.to_string()),
        ("group", record.group.name()),
        ("complexity", record.complexity),
    ] {
        reply.bulk(name);
        reply.bulk(value);
    }
    if let Some((version, instead)) = deprecated {
        reply.bulk("doc_flags");
        statuses(["deprecated"].into_iter(), reply);
        reply.bulk("deprecated_since");
        reply.bulk(version.to_string());
        reply.bulk("replaced_by");
        reply.bulk(instead);
    }
    if !arguments.is_empty() {
        reply.bulk("arguments");
        reply.array(arguments.len());
        arguments.iter().for_each(|argument| document_argument(release, argument, reply));
    }
    if !entry.subcommands.is_empty() {
        reply.bulk("subcommands");
        reply.map(entry.subcommands.len());
        entry.subcommands.iter().for_each(|sub| document(release, sub.full_name.as_bytes(), sub, reply));
    }
}

/// The arguments that a release knows.
fn known(release: Release, arguments: Vec<Argument>) -> Vec<Argument> {
    let mut arguments = arguments;
    arguments.retain(|argument| argument.since.is_none_or(|since| release.has(since)));
    for argument in &mut arguments {
        argument.arguments = known(release, std::mem::take(&mut argument.arguments));
    }
    arguments
}

/// Writes what `COMMAND DOCS` tells of an argument.
fn document_argument(release: Release, argument: &Argument, reply: &mut Reply) {
    let Argument { name, kind, token, key_spec, since, arguments, .. } = argument;
    let shown = (release.has(v(7, 2, 0)) && !kind.is_container()).then_some(name);
    let flags = [
        (argument.optional, "optional"),
        (argument.multiple, "multiple"),
        (argument.multiple_token, "multiple_token"),
    ];
    let flags = flags.iter().filter(|(set, _)| *set).map(|(_, name)| name);
    let told = [
        shown.is_some(),
        key_spec.is_some(),
        token.is_some(),
        since.is_some(),
        flags.clone().next().is_some(),
        kind.is_container(),
    ];
    reply.map(2 + told.iter().filter(|told| **told).count());
    reply.bulk("name");
    reply.bulk(name);
    reply.bulk("type");
    reply.bulk(kind.name());
    if let Some(shown) = shown {
        reply.bulk("display_text");
        reply.bulk(shown);
    }
    if let Some(spec) = key_spec {
        reply.bulk("key_spec_index");
        reply.integer(i64::from(*spec));
    }
    if let Some(token) = token {
        reply.bulk("token");
        reply.bulk(token);
    }
    if let Some(since) = since {
        reply.bulk("since");
        reply.bulk(since.to_string());
    }
    if flags.clone().next().is_some() {
        reply.bulk("flags");
        statuses(flags, reply);
    }
    if kind.is_container() {
        reply.bulk("arguments");
        reply.array(arguments.len());
        arguments.iter().for_each(|argument| document_argument(release, argument, reply));
    }
}

/// Which commands a list is of.
enum Filter<'a> {
    All,
    /// Those of a module; there are none.
    Module,
    Category(Option<Category>),
    Pattern(&'a [u8]),
}

impl<'a> Filter<'a> {
    fn parse(kind: &[u8], value: &'a [u8]) -> Option<Self> {
        if is_word(kind, "module") {
            Some(Filter::Module)
        } else if is_word(kind, "aclcat") {
            let named = Category::NAMES.iter().find(|(_, name)| is_word(value, name));
            Some(Filter::Category(named.map(|(category, _)| *category)))
        } else {
            is_word(kind, "pattern").then_some(Filter::Pattern(value))
        }
    }

    fn keeps(&self, name: &[u8], entry: &Entry) -> bool {
        match *self {
            Filter::All => true,
            Filter::Module => false,
            Filter::Category(category) => category.is_some_and(|own| entry.shape.categories.contains(own)),
            Filter::Pattern(pattern) => glob::matches_nocase(pattern, name),
        }
    }
}

fn list(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let filter = match args.len() {
        2 => Filter::All,
        5 if is_word(args.at(2), "filterby") => {
            Filter::parse(args.at(3), args.at(4)).ok_or(CommandError::Syntax)?
        }
        _ => return Err(CommandError::Syntax),
    };
    let array = reply.defer();
    let with_subcommands = |(name, entry): (_, &'static Entry)| {
        let subcommands = entry.subcommands.iter().map(|&sub| (sub.full_name.as_bytes(), sub));
        [(name, entry)].into_iter().chain(subcommands)
    };
    let kept = listed(cx.node).flat_map(with_subcommands).filter(|(name, entry)| filter.keeps(name, entry));
    let count = kept.map(|(name, _)| reply.bulk(name)).count();
    reply.deferred_array(array, count);
    Ok(())
}

/// The keys of the request that follows the subcommand's name, and what is done with each.
fn keys<'a>(cx: &Cx, args: Args<'a>) -> Result<Vec<(&'a [u8], Access)>, CommandError> {
    let release = cx.release();
    let request = args.slice(2..args.len());
    let entry = find(&cx.node.names, request.at(0)).ok_or(CommandError::NoSuchCommand)?;
    let entry = match request.get(1) {
        Some(name) if !entry.subcommands.is_empty() => match entry.subcommand(name) {
            Some(sub) => sub,
            None if release >= Release::V7_0 => return Err(CommandError::NoSuchCommand),
            None => entry,
        },
        _ => entry,
    };
    let has_keys = entry.shape.keys.iter().any(|spec| !spec.access.contains(Access::NOT_KEY));
    if !has_keys && release >= Release::V5_0 {
        return Err(CommandError::NoKeyArguments);
    }
    if !entry.shape.allows(request.len()) {
        return Err(CommandError::InvalidNumberOfArguments);
    }
    let mut keys = Vec::new();
    // Before 7.0 keys that are counted came first.
    let counted_first = |spec: &&KeySpec| release < Release::V7_0 && !matches!(spec.find, Find::Count { .. });
    let mut specs: Vec<&KeySpec> =
        entry.shape.keys.iter().filter(|spec| !spec.access.contains(Access::NOT_KEY)).collect();
    specs.sort_by_key(counted_first);
    for spec in specs {
        let mut positions = Positions::new();
        if !find_keys(spec, request, &mut positions) {
            return Err(CommandError::InvalidArguments);
        }
        let access = access(spec, request) - (Access::VARIABLE_FLAGS | Access::INCOMPLETE);
        keys.extend(positions.iter().map(|(index, _)| (request.at(*index), access)));
    }
    if keys.is_empty() && !entry.is(Flags::NO_MANDATORY_KEYS) && release >= Release::V5_0 {
        return Err(CommandError::InvalidArguments);
    }
    Ok(keys)
}

fn getkeys(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let keys = keys(cx, args)?;
    reply.array(keys.len());
    keys.iter().for_each(|(key, _)| reply.bulk(key));
    Ok(())
}

fn getkeysandflags(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let keys = keys(cx, args)?;
    reply.array(keys.len());
    for (key, access) in keys {
        reply.array(2);
        reply.bulk(key);
        statuses(access.names(), reply);
    }
    Ok(())
}

fn explain(cx: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    const SUBCOMMANDS: &[(&str, &str)] = &[
        ("(no subcommand)", "Describe all commands."),
        ("COUNT", "Count the commands."),
        ("INFO [<command-name> ...]", "Describe some commands, or all."),
        ("GETKEYS <full-command>", "Find the keys of a request."),
        ("GETKEYSANDFLAGS <full-command>", "Find the keys of a request, and what it does with them."),
        ("LIST [FILTERBY MODULE|ACLCAT|PATTERN <value>]", "Give the names of some commands, or all."),
        ("DOCS [<command-name> ...]", "Explain some commands, or all."),
    ];
    let known = if cx.release() >= Release::V7_0 { SUBCOMMANDS.len() } else { 4 };
    help(reply, "COMMAND", &SUBCOMMANDS[..known]);
    Ok(())
}
