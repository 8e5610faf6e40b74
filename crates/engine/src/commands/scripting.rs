//! Scripts. They cannot be run yet: what is here tells clients and proxies where a script's keys are, and refuses to
//! run it.

use crate::commands::family;
use crate::{BASE, Command, CommandError, Cx};
use command::{Access, Category, Flags, Former, Group, KeySpec, Release, v};
use resp::{Args, Reply};

family!(EVAL, EVAL_RO, EVALSHA, EVALSHA_RO);

const COMMON: Command = Command {
    complexity: "That of the script.",
    since: v(2, 6, 0),
    group: Group::Scripting,
    arity: -3,
    flags: Flags::NOSCRIPT
        .union(Flags::STALE)
        .union(Flags::SKIP_MONITOR)
        .union(Flags::NO_MANDATORY_KEYS)
        .union(Flags::MOVABLEKEYS),
    categories: Category::SCRIPTING,
    keys: &[KeySpec::counted(2, Access::RW.union(Access::ACCESS).union(Access::UPDATE))],
    former: &[
        Former::before(Release::V7_0)
            .with(Flags::MAY_REPLICATE)
            .without(Flags::STALE.union(Flags::NO_MANDATORY_KEYS)),
        Former::before(Release::V6_2).without(Flags::SKIP_MONITOR.union(Flags::MAY_REPLICATE)),
    ],
    handler: refuse,
    ..BASE
};

const READ_ONLY: Command = Command {
    since: v(7, 0, 0),
    flags: COMMON.flags.union(Flags::READONLY),
    keys: &[KeySpec::counted(2, Access::RO.union(Access::ACCESS))],
    former: &[],
    ..COMMON
};

/// `EVAL script numkeys [key ...] [arg ...]`: an error, since scripts cannot be run yet.
pub static EVAL: Command = Command {
    name: "eval",
    summary: "Runs a script.",
    syntax: "script numkeys:int [key...] [arg...]",
    keys: &[KeySpec::counted(2, Access::RW.union(Access::ACCESS).union(Access::UPDATE))
        .noted("We cannot tell how the keys will be used so we assume the worst, RW and UPDATE")],
    ..COMMON
};

/// `EVAL_RO script numkeys [key ...] [arg ...]`: an error, since scripts cannot be run yet.
pub static EVAL_RO: Command = Command {
    name: "eval_ro",
    summary: "Runs a script that does not write.",
    syntax: "script numkeys:int [key...] [arg...]",
    keys: &[KeySpec::counted(2, Access::RO.union(Access::ACCESS))
        .noted("We cannot tell how the keys will be used so we assume the worst, RO and ACCESS")],
    ..READ_ONLY
};

/// `EVALSHA sha1 numkeys [key ...] [arg ...]`: an error, since scripts cannot be run yet.
pub static EVALSHA: Command = Command {
    name: "evalsha",
    summary: "Runs a script that the server knows by its digest.",
    syntax: "sha1 numkeys:int [key...] [arg...]",
    ..COMMON
};

/// `EVALSHA_RO sha1 numkeys [key ...] [arg ...]`: an error, since scripts cannot be run yet.
pub static EVALSHA_RO: Command = Command {
    name: "evalsha_ro",
    summary: "Runs a script that does not write and that the server knows by its digest.",
    syntax: "sha1 numkeys:int [key...] [arg...]",
    ..READ_ONLY
};

fn refuse(_: &mut Cx, _: Args, _: &mut Reply) -> Result<(), CommandError> {
    Err(CommandError::ScriptsUnsupported)
}
