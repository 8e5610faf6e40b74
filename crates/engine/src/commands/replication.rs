//! What clients ask of replication. There are no replicas yet, and so none acknowledges anything.

use crate::blocking::{self, Wait};
use crate::commands::family;
use crate::{BASE, Command, CommandError, Cx, parse};
use command::{Category, Flags, Former, Group, Release, v};
use resp::{Args, Reply};

family!(WAIT);

/// `WAIT numreplicas timeout`: how many replicas have acknowledged what the client has written.
pub static WAIT: Command = Command {
    name: "wait",
    summary: "Waits until replicas have acknowledged what the client has written.",
    since: v(3, 0, 0),
    group: Group::Generic,
    arity: 3,
    syntax: "numreplicas:int timeout:int",
    flags: Flags::BLOCKING,
    categories: Category::CONNECTION,
    tips: &["request_policy:all_shards", "response_policy:agg_min"],
    former: &[
        Former::before(Release::V7_4).with(Flags::NOSCRIPT).without(Flags::BLOCKING),
        Former::before(Release::V7_0).categories(Category::KEYSPACE),
        Former::before(Release::V4_0).with(Flags::READONLY),
    ],
    handler: wait,
    ..BASE
};

fn wait(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let replicas = parse::integer(args.at(1))?;
    let timeout_ms = blocking::timeout_ms(cx, args.at(2))?;
    if replicas <= 0 {
        reply.integer(0);
        return Ok(());
    }
    cx.wait(Wait::for_time(timeout_ms, |reply| reply.integer(0)), reply);
    Ok(())
}
