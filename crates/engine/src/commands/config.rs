//! `CONFIG`: the configuration of a node that runs.
//!
//! Which parameters there are stands in [`crate::parameters`]. `CONFIG SET` holds all shards, so that a change comes
//! between two commands. There is no configuration file, hence nothing to rewrite.

use crate::commands::{family, help, no_subcommand};
use crate::error::BadValue;
use crate::parameter::Settable;
use crate::{BASE, Command, CommandError, Cx};
use command::{Category, Flags, Former, Group, Refusal, Release, Secrets, v};
use resp::{Args, Reply};
use structures::glob;

family!(CONFIG);

/// What the subcommands have in common.
const COMMON: Flags = Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE);

/// `CONFIG subcommand`: see the subcommands.
pub static CONFIG: Command = Command {
    name: "config",
    summary: "Tells and changes the server's configuration.",
    complexity: "That of the subcommand.",
    since: v(2, 0, 0),
    group: Group::Server,
    arity: -2,
    flags: Flags::CONTAINER,
    handler: no_subcommand,
    former: &[
        Former::before(Release::V7_0).with(COMMON),
        Former::before(Release::V5_0).without(Flags::NOSCRIPT),
        Former::before(Release::V4_0).with(Flags::READONLY).without(Flags::LOADING),
    ],
    subcommands: &[&GET, &SET, &RESETSTAT, &REWRITE, &HELP],
    refusals: &[
        (Release::V6_2, Refusal::Quoted),
        (Release::V5_0, Refusal::OneOf("GET, SET, RESETSTAT, REWRITE")),
    ],
    ..BASE
};

/// What all subcommands have in common.
const SUBCOMMAND: Command =
    Command { group: Group::Server, flags: COMMON, categories: Category::empty(), ..BASE };

/// `CONFIG GET parameter [parameter ...]`: a map of names and values.
pub static GET: Command = Command {
    name: "get",
    summary: "Tells the values of parameters, given by names or patterns.",
    complexity: "O(N*M) for N patterns and M parameters.",
    since: v(2, 0, 0),
    arity: -3,
    syntax: "(parameter)...",
    former: &[Former::before(Release::V7_0).arity(3)],
    handler: get,
    ..SUBCOMMAND
};

/// `CONFIG SET parameter value [parameter value ...]`: OK.
pub static SET: Command = Command {
    name: "set",
    summary: "Gives parameters values, all or none of them.",
    complexity: "O(N) for N parameters.",
    since: v(2, 0, 0),
    arity: -4,
    syntax: "(parameter value)...",
    flags: COMMON.union(Flags::KEYSPACE),
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    secrets: Secrets::After(&[
        ("masterauth", 1),
        ("masteruser", 1),
        ("requirepass", 1),
        ("tls-client-key-file-pass", 1),
        ("tls-key-file-pass", 1),
    ]),
    former: &[Former::before(Release::V7_0).arity(4)],
    handler: set,
    ..SUBCOMMAND
};

/// `CONFIG RESETSTAT`: OK.
pub static RESETSTAT: Command = Command {
    name: "resetstat",
    summary: "Begins the statistics of the server anew.",
    since: v(2, 0, 0),
    arity: 2,
    handler: resetstat,
    ..SUBCOMMAND
};

/// `CONFIG REWRITE`: an error, as there is no configuration file.
pub static REWRITE: Command = Command {
    name: "rewrite",
    summary: "Would write the configuration to its file.",
    since: v(2, 8, 0),
    arity: 2,
    handler: rewrite,
    ..SUBCOMMAND
};

/// `CONFIG HELP`: lines of text.
pub static HELP: Command = Command {
    name: "help",
    summary: "Explains the subcommands.",
    since: v(5, 0, 0),
    arity: 2,
    flags: Flags::LOADING.union(Flags::STALE),
    handler: explain,
    ..SUBCOMMAND
};

fn get(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let (release, configuration) = (cx.release(), &cx.node.configuration);
    let parameters = configuration.parameters();
    // Every parameter once, by a name that the client may have written in capitals.
    let mut found: Vec<(Vec<u8>, usize)> = Vec::new();
    let mut add = |name: &[u8], number: usize| {
        if !found.iter().any(|(own, _)| own.eq_ignore_ascii_case(name)) {
            found.push((name.to_vec(), number));
        }
    };
    for pattern in args.iter_from(2) {
        let plain = !pattern.iter().any(|byte| matches!(byte, b'*' | b'?' | b'['));
        if plain && release >= Release::V7_0 {
            let named = parameters.find(pattern);
            if let Some((_, number)) = named.filter(|(_, number)| parameters.row(*number).parameter.is_told())
            {
                add(pattern, number);
            }
            continue;
        }
        let matches = if release == Release::V3_0 { glob::matches } else { glob::matches_nocase };
        for (name, number) in parameters.names() {
            if parameters.row(number).parameter.is_listed(release) && matches(pattern, name.as_bytes()) {
                add(name.as_bytes(), number);
            }
        }
    }
    reply.map(found.len());
    for (name, number) in found {
        reply.bulk(name);
        reply.bulk(configuration.show(number));
    }
    Ok(())
}

fn set(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let release = cx.release();
    let pairs = args.slice(2..args.len());
    if !pairs.len().is_multiple_of(2) {
        return Err(CommandError::Syntax);
    }
    let pairs: Vec<(&[u8], &[u8])> =
        (0..pairs.len()).step_by(2).map(|at| (pairs.at(at), pairs.at(at + 1))).collect();
    let rows = rows(cx, &pairs)?;
    let mut draft = cx.node.configuration.draft();
    for ((name, number), (written, value)) in rows.iter().zip(&pairs) {
        draft.set(*number, value).map_err(|error| {
            let name = if release >= Release::V7_0 { name.as_bytes() } else { written };
            CommandError::bad_value(release, name, value, error)
        })?;
    }
    let rows: Vec<usize> = rows.into_iter().map(|(_, number)| number).collect();
    cx.node.configure(&mut cx.locked, draft, &rows);
    reply.ok();
    Ok(())
}

/// The names of parameters and the numbers of their rows, if all of them can be set now. A name that there is not counts
/// before all else that may be wrong.
fn rows(cx: &Cx, pairs: &[(&[u8], &[u8])]) -> Result<Vec<(&'static str, usize)>, CommandError> {
    let release = cx.release();
    let parameters = cx.node.configuration.parameters();
    let mut rows: Vec<(&'static str, usize)> = Vec::new();
    for (written, _) in pairs {
        let found = parameters.find(written).filter(|(_, number)| {
            let parameter = parameters.row(*number).parameter;
            parameter.is_told() && (release >= Release::V7_0 || is_settable(cx, parameter.settable).is_ok())
        });
        rows.push(found.ok_or_else(|| CommandError::unknown_parameter(release, written))?);
    }
    for (index, ((name, number), (written, value))) in rows.iter().zip(pairs).enumerate() {
        let twice = rows[..index].iter().any(|(earlier, _)| earlier == name);
        let result = is_settable(cx, parameters.row(*number).parameter.settable);
        let result = result.and(if twice { Err(BadValue::Duplicate) } else { Ok(()) });
        result.map_err(|error| CommandError::bad_value(release, written, value, error))?;
    }
    Ok(rows)
}

/// Whether a parameter can be set now.
fn is_settable(cx: &Cx, settable: Settable) -> Result<(), BadValue> {
    match settable {
        Settable::Since(version) if cx.release().has(version) => Ok(()),
        Settable::Since(_) | Settable::Start | Settable::Directive => Err(BadValue::Immutable),
        Settable::Protected if cx.node.settings.protected_configs.allows(&cx.session.client) => Ok(()),
        Settable::Protected => Err(BadValue::Protected),
    }
}

fn resetstat(cx: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    cx.node.stats.reset();
    reply.ok();
    Ok(())
}

fn rewrite(_: &mut Cx, _: Args, _: &mut Reply) -> Result<(), CommandError> {
    Err(CommandError::NoConfigFile)
}

fn explain(_: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    help(
        reply,
        "CONFIG",
        &[
            ("GET <pattern>", "The parameters whose names match, and their values."),
            ("SET <directive> <value>", "Gives a parameter a value."),
            ("RESETSTAT", "Begins the statistics that INFO tells anew."),
            ("REWRITE", "Writes the configuration to its file."),
        ],
    );
    Ok(())
}
