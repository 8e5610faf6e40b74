//! Publish and subscribe.

use crate::commands::{family, help, no_subcommand};
use crate::feed::Audience;
use crate::pubsub::{Kind, Own};
use crate::{BASE, Command, CommandError, Cx};
use command::{Access, Flags, Former, Group, KeySpec, Range, Refusal, Release, v};
use resp::{Args, Reply};

family!(
    PUBLISH,
    SPUBLISH,
    SUBSCRIBE,
    PSUBSCRIBE,
    SSUBSCRIBE,
    UNSUBSCRIBE,
    PUNSUBSCRIBE,
    SUNSUBSCRIBE,
    PUBSUB
);

/// What commands that listen have in common.
const LISTENS: Flags =
    Flags::PUBSUB.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE).union(Flags::SUBSCRIBED);

/// What commands that ask or send have in common.
const ASKS: Flags = Flags::PUBSUB.union(Flags::LOADING).union(Flags::STALE);

const READONLY_BEFORE_4: &[Former] = &[Former::before(Release::V4_0).with(Flags::READONLY)];

/// `PUBLISH channel message`: how many clients got it.
pub static PUBLISH: Command = Command {
    name: "publish",
    summary: "Sends a message to all clients that listen to a channel.",
    complexity: "O(N+M) for N listeners and M patterns that anybody listens to.",
    since: v(2, 0, 0),
    group: Group::PubSub,
    arity: 3,
    syntax: "channel message",
    flags: ASKS.union(Flags::FAST).union(Flags::MAY_REPLICATE),
    former: &[
        Former::before(Release::V6_2).without(Flags::MAY_REPLICATE),
        Former::before(Release::V4_0).with(Flags::READONLY),
    ],
    handler: publish,
    ..BASE
};

/// `SPUBLISH shardchannel message`: how many clients got it.
pub static SPUBLISH: Command = Command {
    name: "spublish",
    summary: "Sends a message to all clients that listen to a shard channel.",
    complexity: "O(N) for N listeners.",
    since: v(7, 0, 0),
    group: Group::PubSub,
    arity: 3,
    syntax: "shardchannel message",
    flags: ASKS.union(Flags::FAST),
    keys: &[KeySpec::at(1, Access::NOT_KEY)],
    range: Range::ONE,
    handler: spublish,
    ..BASE
};

/// `SUBSCRIBE channel [channel ...]`: a push of three for each: `subscribe`, the channel, and to how many channels and
/// patterns the client now listens.
pub static SUBSCRIBE: Command = Command {
    name: "subscribe",
    summary: "Listens to channels.",
    complexity: "O(N) for N channels.",
    since: v(2, 0, 0),
    group: Group::PubSub,
    arity: -2,
    syntax: "channel...",
    flags: LISTENS,
    former: READONLY_BEFORE_4,
    handler: subscribe,
    ..BASE
};

/// `PSUBSCRIBE pattern [pattern ...]`: as [`SUBSCRIBE`].
pub static PSUBSCRIBE: Command = Command {
    name: "psubscribe",
    summary: "Listens to all channels whose names match patterns.",
    syntax: "(pattern:pattern)...",
    complexity: "O(N) for N patterns.",
    handler: psubscribe,
    ..SUBSCRIBE
};

/// `SSUBSCRIBE shardchannel [shardchannel ...]`: as [`SUBSCRIBE`], counting shard channels.
pub static SSUBSCRIBE: Command = Command {
    name: "ssubscribe",
    summary: "Listens to shard channels.",
    syntax: "shardchannel...",
    complexity: "O(N) for N shard channels.",
    since: v(7, 0, 0),
    keys: &[KeySpec::range(1, -1, 1, Access::NOT_KEY)],
    range: Range::ALL,
    former: &[],
    handler: ssubscribe,
    ..SUBSCRIBE
};

/// `UNSUBSCRIBE [channel ...]`: as [`SUBSCRIBE`]; without channels, all.
pub static UNSUBSCRIBE: Command = Command {
    name: "unsubscribe",
    summary: "No longer listens to channels.",
    complexity: "O(N) for N channels.",
    arity: -1,
    syntax: "[channel...]",
    handler: unsubscribe,
    ..SUBSCRIBE
};

/// `PUNSUBSCRIBE [pattern ...]`: as [`UNSUBSCRIBE`].
pub static PUNSUBSCRIBE: Command = Command {
    name: "punsubscribe",
    summary: "No longer listens to patterns.",
    complexity: "O(N) for N patterns.",
    arity: -1,
    syntax: "[pattern:pattern...]",
    handler: punsubscribe,
    ..SUBSCRIBE
};

/// `SUNSUBSCRIBE [shardchannel ...]`: as [`UNSUBSCRIBE`].
pub static SUNSUBSCRIBE: Command = Command {
    name: "sunsubscribe",
    summary: "No longer listens to shard channels.",
    complexity: "O(N) for N shard channels.",
    since: v(7, 0, 0),
    arity: -1,
    syntax: "[shardchannel...]",
    keys: &[KeySpec::range(1, -1, 1, Access::NOT_KEY)],
    range: Range::ALL,
    former: &[],
    handler: sunsubscribe,
    ..SUBSCRIBE
};

/// `PUBSUB subcommand`: see the subcommands.
pub static PUBSUB: Command = Command {
    name: "pubsub",
    summary: "Tells who listens to what.",
    complexity: "That of the subcommand.",
    since: v(2, 8, 0),
    group: Group::PubSub,
    arity: -2,
    flags: Flags::RANDOM.union(Flags::CONTAINER),
    handler: no_subcommand,
    former: &[Former::before(Release::V7_0).with(ASKS), Former::before(Release::V4_0).with(Flags::READONLY)],
    subcommands: &[&NUMSUB, &HELP, &CHANNELS, &NUMPAT, &SHARDNUMSUB, &SHARDCHANNELS],
    refusals: &[(Release::V7_0, Refusal::Quoted), (Release::V5_0, Refusal::Named)],
    ..BASE
};

/// `PUBSUB CHANNELS [pattern]`: the channels that somebody listens to.
pub static CHANNELS: Command = Command {
    name: "channels",
    summary: "Lists the channels that somebody listens to.",
    complexity: "O(N) for N channels.",
    since: v(2, 8, 0),
    group: Group::PubSub,
    arity: -2,
    syntax: "[pattern:pattern]",
    flags: ASKS,
    handler: channels,
    ..BASE
};

/// `PUBSUB NUMSUB [channel ...]`: each channel and how many listen to it.
pub static NUMSUB: Command = Command {
    name: "numsub",
    summary: "Counts the clients that listen to channels.",
    syntax: "[channel...]",
    complexity: "O(N) for N channels.",
    handler: numsub,
    ..CHANNELS
};

/// `PUBSUB NUMPAT`: how many patterns anybody listens to.
pub static NUMPAT: Command = Command {
    name: "numpat",
    summary: "Counts the patterns that somebody listens to.",
    complexity: "O(1)",
    arity: 2,
    syntax: "",
    handler: numpat,
    ..CHANNELS
};

/// `PUBSUB SHARDCHANNELS [pattern]`: the shard channels that somebody listens to.
pub static SHARDCHANNELS: Command = Command {
    name: "shardchannels",
    summary: "Lists the shard channels that somebody listens to.",
    complexity: "O(N) for N shard channels.",
    since: v(7, 0, 0),
    handler: shardchannels,
    ..CHANNELS
};

/// `PUBSUB SHARDNUMSUB [shardchannel ...]`: each shard channel and how many listen to it.
pub static SHARDNUMSUB: Command = Command {
    name: "shardnumsub",
    summary: "Counts the clients that listen to shard channels.",
    syntax: "[shardchannel...]",
    complexity: "O(N) for N shard channels.",
    since: v(7, 0, 0),
    handler: shardnumsub,
    ..CHANNELS
};

/// `PUBSUB HELP`: lines of text.
pub static HELP: Command = Command {
    name: "help",
    summary: "Explains the subcommands.",
    complexity: "O(1)",
    since: v(6, 2, 0),
    group: Group::PubSub,
    arity: 2,
    flags: Flags::LOADING.union(Flags::STALE),
    handler: explain,
    ..BASE
};

fn publish(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let mut messages = Vec::new();
    let own = Own { id: cx.session.client.id, messages: &mut messages };
    let receivers = cx.node.pubsub.publish(args.at(1), args.at(2), Some(own));
    repeat(cx, args);
    // Those who listen at other nodes get it as well, and are not counted.
    for node in cx.node.member.iter().flat_map(|member| member.others(false)) {
        node.pubsub.publish(args.at(1), args.at(2), None);
    }
    reply.raw(&messages);
    reply.count(receivers);
    Ok(())
}

/// Repeats a message. Nodes of a cluster hand messages to each other, replicas among them.
fn repeat(cx: &mut Cx, args: Args) {
    if cx.node.member.is_none() {
        cx.repeat_for(Audience::REPLICAS, args.iter());
    }
}

fn spublish(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let mut messages = Vec::new();
    let own = Own { id: cx.session.client.id, messages: &mut messages };
    let receivers = cx.node.pubsub.publish_in_shard(args.at(1), args.at(2), Some(own));
    repeat(cx, args);
    for node in cx.node.member.iter().flat_map(|member| member.others(true)) {
        node.pubsub.publish_in_shard(args.at(1), args.at(2), None);
    }
    reply.raw(&messages);
    reply.count(receivers);
    Ok(())
}

fn subscribe(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    listen(cx, Kind::Channel, "subscribe", args, reply)
}

fn psubscribe(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    listen(cx, Kind::Pattern, "psubscribe", args, reply)
}

fn ssubscribe(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    listen(cx, Kind::Shard, "ssubscribe", args, reply)
}

fn unsubscribe(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    stop_listening(cx, Kind::Channel, "unsubscribe", args, reply)
}

fn punsubscribe(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    stop_listening(cx, Kind::Pattern, "punsubscribe", args, reply)
}

fn sunsubscribe(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    stop_listening(cx, Kind::Shard, "sunsubscribe", args, reply)
}

fn listen(cx: &mut Cx, kind: Kind, verb: &str, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    for name in args.iter_from(1) {
        cx.session.subscribe(cx.node, kind, name);
        confirm(cx, kind, verb, Some(name), reply);
    }
    if let Some(member) = cx.node.member.as_ref().filter(|_| kind == Kind::Shard) {
        // A slot may have gone elsewhere just before there was anybody to tell.
        member.leave_lost_channels(cx.node);
    }
    Ok(())
}

fn stop_listening(
    cx: &mut Cx,
    kind: Kind,
    verb: &str,
    args: Args,
    reply: &mut Reply,
) -> Result<(), CommandError> {
    if args.len() > 1 {
        for name in args.iter_from(1) {
            cx.session.unsubscribe(cx.node, kind, name);
            confirm(cx, kind, verb, Some(name), reply);
        }
        return Ok(());
    }
    let all: Vec<Box<[u8]>> =
        cx.session.subscriptions.iter().flat_map(|all| all[kind as usize].iter().cloned()).collect();
    if all.is_empty() {
        confirm(cx, kind, verb, None, reply);
    }
    for name in all {
        cx.session.unsubscribe(cx.node, kind, &name);
        confirm(cx, kind, verb, Some(&name), reply);
    }
    Ok(())
}

/// Says what the client now listens to, or no longer does.
fn confirm(cx: &Cx, kind: Kind, verb: &str, name: Option<&[u8]>, reply: &mut Reply) {
    reply.push(3);
    reply.bulk(verb);
    match name {
        Some(name) => reply.bulk(name),
        None => reply.null(),
    }
    let count = match kind {
        Kind::Shard => cx.session.subscribed(Kind::Shard),
        _ => cx.session.subscribed(Kind::Channel) + cx.session.subscribed(Kind::Pattern),
    };
    reply.count(count);
}

fn channels(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    list(cx, Kind::Channel, args, reply)
}

fn shardchannels(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    list(cx, Kind::Shard, args, reply)
}

fn list(cx: &mut Cx, kind: Kind, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    if args.len() > 3 {
        return Err(cx.bad_subcommand(args));
    }
    let names = cx.node.pubsub.names(kind, args.get(2));
    reply.array(names.len());
    names.iter().for_each(|name| reply.bulk(name));
    Ok(())
}

fn numsub(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    count(cx, Kind::Channel, args, reply)
}

fn shardnumsub(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    count(cx, Kind::Shard, args, reply)
}

fn count(cx: &mut Cx, kind: Kind, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let names = args.iter_from(2);
    reply.array(names.len() * 2);
    for name in names {
        reply.bulk(name);
        reply.count(cx.node.pubsub.listeners(kind, name));
    }
    Ok(())
}

fn numpat(cx: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    reply.count(cx.node.pubsub.len(Kind::Pattern));
    Ok(())
}

fn explain(_: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    help(
        reply,
        "PUBSUB",
        &[
            ("CHANNELS [<pattern>]", "The channels that somebody listens to (all, or those that match)."),
            ("NUMPAT", "The number of patterns that somebody listens to."),
            ("NUMSUB [<channel> ...]", "The number of clients that listen to each channel."),
            ("SHARDCHANNELS [<pattern>]", "The shard channels that somebody listens to."),
            ("SHARDNUMSUB [<shardchannel> ...]", "The number of clients that listen to each shard channel."),
        ],
    );
    Ok(())
}
