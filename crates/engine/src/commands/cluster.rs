//! `CLUSTER`: who serves which slot, and how that is changed; what connections say to nodes of a cluster.

use crate::cluster::{Groups, Member, NodeNumber, NodeRecord, Refusal, Role};
use crate::commands::{family, help};
use crate::error::printed;
use crate::session::State;
use crate::{BASE, Command, CommandError, Cx, Node, parse};
use command::{Category, Flags, Former, Group, Refusal as Wording, Release, v};
use keyspace::Shard;
use keyspace::slots::{SLOTS, slot_of};
use resp::{Args, Reply};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::IpAddr;
use std::sync::Arc;
use structures::number;
use structures::table::Item as _;

family!(CLUSTER, ASKING, READONLY, READWRITE);

/// What subcommands have in common that ask.
const ASKS: Command =
    Command { since: v(3, 0, 0), group: Group::Cluster, arity: 2, flags: Flags::STALE, ..BASE };

/// What subcommands have in common that change something.
const CHANGES: Command =
    Command { flags: Flags::ADMIN.union(Flags::STALE).union(Flags::NO_ASYNC_LOADING), ..ASKS };

/// The same, where the slots or keys of the node are looked at meanwhile.
const MOVES: Command = Command { flags: CHANGES.flags.union(Flags::KEYSPACE), ..CHANGES };

const CHANCES: &[&str] = &["nondeterministic_output"];

const WORDING_BEFORE_5: Wording = Wording::Wrong;

/// `CLUSTER subcommand`: see the subcommands.
pub static CLUSTER: Command = Command {
    name: "cluster",
    summary: "Tells which node serves which slot, and changes it.",
    complexity: "That of the subcommand.",
    since: v(3, 0, 0),
    group: Group::Cluster,
    arity: -2,
    flags: Flags::RANDOM.union(Flags::CONTAINER),
    handler: no_cluster_subcommand,
    former: &[
        Former::before(Release::V7_0).with(Flags::ADMIN.union(Flags::STALE)),
        Former::before(Release::V6_2).without(Flags::RANDOM.union(Flags::STALE)),
        Former::before(Release::V4_0).with(Flags::READONLY),
    ],
    subcommands: &[
        &ADDSLOTS,
        &ADDSLOTSRANGE,
        &BUMPEPOCH,
        &COUNT_FAILURE_REPORTS,
        &COUNTKEYSINSLOT,
        &DELSLOTS,
        &DELSLOTSRANGE,
        &FAILOVER,
        &FLUSHSLOTS,
        &FORGET,
        &GETKEYSINSLOT,
        &HELP,
        &INFO,
        &KEYSLOT,
        &LINKS,
        &MEET,
        &MYID,
        &MYSHARDID,
        &NODES,
        &REPLICAS,
        &REPLICATE,
        &RESET,
        &SAVECONFIG,
        &SET_CONFIG_EPOCH,
        &SETSLOT,
        &SHARDS,
        &SLAVES,
        &SLOTS_,
    ],
    refusals: &[(Release::V6_2, Wording::Quoted), (Release::V5_0, WORDING_BEFORE_5)],
    ..BASE
};

/// `CLUSTER ADDSLOTS slot [slot ...]`: OK.
pub static ADDSLOTS: Command = Command {
    name: "addslots",
    summary: "Has the node serve slots that nobody serves.",
    complexity: "O(N) for N slots.",
    arity: -3,
    syntax: "slot:int...",
    handler: addslots,
    ..MOVES
};

/// `CLUSTER ADDSLOTSRANGE start end [start end ...]`: OK.
pub static ADDSLOTSRANGE: Command = Command {
    name: "addslotsrange",
    summary: "Has the node serve ranges of slots that nobody serves.",
    since: v(7, 0, 0),
    arity: -4,
    syntax: "(start-slot:int end-slot:int)...",
    handler: addslotsrange,
    ..ADDSLOTS
};

/// `CLUSTER DELSLOTS slot [slot ...]`: OK.
pub static DELSLOTS: Command = Command {
    name: "delslots",
    summary: "Has the node forget who serves slots.",
    handler: delslots,
    ..ADDSLOTS
};

/// `CLUSTER DELSLOTSRANGE start end [start end ...]`: OK.
pub static DELSLOTSRANGE: Command = Command {
    name: "delslotsrange",
    summary: "Has the node forget who serves ranges of slots.",
    handler: delslotsrange,
    ..ADDSLOTSRANGE
};

/// `CLUSTER FLUSHSLOTS`: OK.
pub static FLUSHSLOTS: Command =
    Command { name: "flushslots", summary: "Has the node serve no slots.", handler: flushslots, ..MOVES };

/// `CLUSTER SETSLOT slot (IMPORTING id | MIGRATING id | NODE id | STABLE)`: OK.
pub static SETSLOT: Command = Command {
    name: "setslot",
    summary: "Says that a slot moves, or who serves it.",
    arity: -4,
    syntax: "slot:int subcommand=(IMPORTING node-id | MIGRATING node-id | NODE node-id | STABLE)",
    handler: setslot,
    ..MOVES
};

/// `CLUSTER BUMPEPOCH`: `BUMPED` or `STILL`, and the epoch.
pub static BUMPEPOCH: Command = Command {
    name: "bumpepoch",
    summary: "Gives the node an epoch above all others.",
    tips: CHANCES,
    handler: bumpepoch,
    ..CHANGES
};

/// `CLUSTER SET-CONFIG-EPOCH epoch`: OK.
pub static SET_CONFIG_EPOCH: Command = Command {
    name: "set-config-epoch",
    summary: "Gives an epoch to a node that knows no other.",
    arity: 3,
    syntax: "config-epoch:int",
    handler: set_config_epoch,
    ..CHANGES
};

/// `CLUSTER MEET ip port [bus-port]`: OK.
pub static MEET: Command = Command {
    name: "meet",
    summary: "Has the node know another one of its instance.",
    arity: -4,
    former: &[Former::before(Release::V4_0).arity(4)],
    syntax: "ip port:int [cluster_bus_port:int@4.0.0]",
    handler: meet,
    ..MOVES
};

/// `CLUSTER FORGET id`: OK.
pub static FORGET: Command = Command {
    name: "forget",
    summary: "Has all nodes forget one of them.",
    arity: 3,
    syntax: "node-id",
    handler: forget,
    ..MOVES
};

/// `CLUSTER RESET [HARD | SOFT]`: OK.
pub static RESET: Command = Command {
    name: "reset",
    summary: "Has the node forget all others, and its slots.",
    complexity: "O(N) for N nodes.",
    arity: -2,
    syntax: "hard_soft=[HARD | SOFT]",
    flags: Flags::ADMIN.union(Flags::STALE).union(Flags::NOSCRIPT).union(Flags::KEYSPACE),
    handler: reset,
    ..ASKS
};

/// `CLUSTER REPLICATE id`: OK.
pub static REPLICATE: Command = Command {
    name: "replicate",
    summary: "Has the node repeat what another one changes.",
    arity: 3,
    syntax: "node-id",
    handler: replicate,
    ..MOVES
};

/// `CLUSTER FAILOVER [FORCE | TAKEOVER]`: OK.
pub static FAILOVER: Command = Command {
    name: "failover",
    summary: "Has a replica take over from its master.",
    arity: -2,
    syntax: "options=[FORCE | TAKEOVER]",
    handler: failover,
    ..CHANGES
};

/// `CLUSTER SAVECONFIG`: OK; there is nothing to save.
pub static SAVECONFIG: Command = Command {
    name: "saveconfig",
    summary: "Saves what the node knows of the cluster.",
    handler: saveconfig,
    ..CHANGES
};

/// `CLUSTER COUNTKEYSINSLOT slot`: how many.
pub static COUNTKEYSINSLOT: Command = Command {
    name: "countkeysinslot",
    summary: "Counts the keys of a slot.",
    arity: 3,
    syntax: "slot:int",
    flags: Flags::STALE.union(Flags::KEYSPACE),
    handler: countkeysinslot,
    ..ASKS
};

/// `CLUSTER GETKEYSINSLOT slot count`: keys.
pub static GETKEYSINSLOT: Command = Command {
    name: "getkeysinslot",
    summary: "Lists keys of a slot.",
    complexity: "O(N) for N keys that are wanted.",
    arity: 4,
    syntax: "slot:int count:int",
    tips: CHANCES,
    handler: getkeysinslot,
    ..COUNTKEYSINSLOT
};

/// `CLUSTER KEYSLOT key`: the slot.
pub static KEYSLOT: Command = Command {
    name: "keyslot",
    summary: "Computes the slot of a key.",
    complexity: "O(N) for a key of N bytes.",
    arity: 3,
    syntax: "key:string",
    handler: keyslot,
    ..ASKS
};

/// `CLUSTER COUNT-FAILURE-REPORTS id`: how many, which is none.
pub static COUNT_FAILURE_REPORTS: Command = Command {
    name: "count-failure-reports",
    summary: "Counts the nodes that think that another one has failed.",
    complexity: "O(N) for N reports.",
    arity: 3,
    syntax: "node-id",
    flags: Flags::ADMIN.union(Flags::STALE),
    tips: CHANCES,
    handler: count_failure_reports,
    ..ASKS
};

/// `CLUSTER INFO`: lines of text.
pub static INFO: Command =
    Command { name: "info", summary: "Tells how the cluster is.", tips: CHANCES, handler: info, ..ASKS };

/// `CLUSTER LINKS`: connections between nodes. There is one each way to every node that runs, as far as anybody can tell.
pub static LINKS: Command = Command {
    name: "links",
    summary: "Lists the connections between nodes.",
    complexity: "O(N) for N nodes.",
    since: v(7, 0, 0),
    tips: CHANCES,
    handler: links,
    ..ASKS
};

/// `CLUSTER MYID`: the node's id.
pub static MYID: Command = Command { name: "myid", summary: "Gives the node's id.", handler: myid, ..ASKS };

/// `CLUSTER MYSHARDID`: the id of the nodes that have the same keys.
pub static MYSHARDID: Command = Command {
    name: "myshardid",
    summary: "Gives the id that is common to the nodes with the same keys.",
    since: v(7, 2, 0),
    tips: CHANCES,
    handler: myshardid,
    ..ASKS
};

/// `CLUSTER NODES`: a line for each node.
pub static NODES: Command = Command {
    name: "nodes",
    summary: "Describes the nodes of the cluster.",
    complexity: "O(N) for N nodes.",
    tips: CHANCES,
    handler: nodes,
    ..ASKS
};

/// `CLUSTER REPLICAS id`: a line for each replica of a node.
pub static REPLICAS: Command = Command {
    name: "replicas",
    summary: "Describes the replicas of a node.",
    complexity: "O(N) for N replicas.",
    since: v(5, 0, 0),
    arity: 3,
    syntax: "node-id",
    flags: Flags::ADMIN.union(Flags::STALE),
    tips: CHANCES,
    handler: replicas,
    ..ASKS
};

/// `CLUSTER SLAVES id`: as `CLUSTER REPLICAS`.
pub static SLAVES: Command = Command {
    name: "slaves",
    since: v(3, 0, 0),
    deprecated: Some((v(5, 0, 0), "`CLUSTER REPLICAS`")),
    ..REPLICAS
};

/// `CLUSTER SHARDS`: for each group of nodes with the same keys, its slots and its nodes.
pub static SHARDS: Command = Command {
    name: "shards",
    summary: "Describes the slots of the cluster and the nodes that serve them.",
    complexity: "O(N) for N nodes.",
    since: v(7, 0, 0),
    flags: Flags::STALE.union(Flags::LOADING),
    tips: CHANCES,
    former: &[Former::before(Release::V7_4).without(Flags::LOADING)],
    handler: shards,
    ..ASKS
};

/// `CLUSTER SLOTS`: for each range of slots its first, its last, and the nodes that serve it, the master first.
pub static SLOTS_: Command = Command {
    name: "slots",
    summary: "Lists the ranges of slots and the nodes that serve them.",
    since: v(3, 0, 0),
    deprecated: Some((v(7, 0, 0), "`CLUSTER SHARDS`")),
    handler: slots,
    ..SHARDS
};

/// `CLUSTER HELP`: lines of text.
pub static HELP: Command = Command {
    name: "help",
    summary: "Explains the subcommands.",
    since: v(5, 0, 0),
    flags: Flags::LOADING.union(Flags::STALE),
    handler: explain,
    ..ASKS
};

/// `ASKING`: OK. The next command may be about a slot that is on its way here.
pub static ASKING: Command = Command {
    name: "asking",
    summary: "Says that the client was sent here by an ASK redirection.",
    since: v(3, 0, 0),
    group: Group::Cluster,
    arity: 1,
    flags: Flags::FAST,
    categories: Category::CONNECTION,
    former: &[
        Former::before(Release::V7_0).categories(Category::KEYSPACE),
        Former::before(Release::V4_0).with(Flags::READONLY).without(Flags::FAST),
    ],
    handler: asking,
    ..BASE
};

/// `READONLY`: OK. The client reads from a replica.
pub static READONLY: Command = Command {
    name: "readonly",
    summary: "Lets a connection read from a replica.",
    flags: Flags::FAST.union(Flags::LOADING).union(Flags::STALE),
    former: &[
        Former::before(Release::V7_0)
            .categories(Category::KEYSPACE)
            .without(Flags::LOADING.union(Flags::STALE)),
        Former::before(Release::V4_0).with(Flags::READONLY),
    ],
    handler: readonly,
    ..ASKING
};

/// `READWRITE`: OK. The client is sent to the master again.
pub static READWRITE: Command =
    Command { name: "readwrite", summary: "Ends what READONLY began.", handler: readwrite, ..READONLY };

/// Outside a cluster a server says so first.
fn no_cluster_subcommand(cx: &mut Cx, args: Args, _: &mut Reply) -> Result<(), CommandError> {
    member(cx)?;
    Err(cx.no_subcommand(args))
}

/// The node's part in a cluster.
fn member(cx: &Cx) -> Result<Arc<Member>, CommandError> {
    cx.node.member.clone().ok_or(CommandError::ClusterDisabled)
}

/// A slot, as most subcommands read it.
fn slot(bytes: &[u8]) -> Result<u16, CommandError> {
    let slot = number::parse_i64(bytes).and_then(|slot| u16::try_from(slot).ok());
    slot.filter(|&slot| slot < SLOTS).ok_or(CommandError::NotASlot)
}

/// The address by which the client has come.
fn local(cx: &Cx) -> IpAddr {
    cx.session.client.local.ip()
}

fn addslots(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    give(cx, args.iter_from(2).map(|arg| slot(arg).map(|slot| (slot, slot))).collect(), true, reply)
}

fn addslotsrange(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    give(cx, ranges(cx, args)?, true, reply)
}

fn delslots(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    give(cx, args.iter_from(2).map(|arg| slot(arg).map(|slot| (slot, slot))).collect(), false, reply)
}

fn delslotsrange(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    give(cx, ranges(cx, args)?, false, reply)
}

type Range = Result<(u16, u16), CommandError>;

/// Pairs of slots.
fn ranges(cx: &Cx, args: Args) -> Result<Vec<Range>, CommandError> {
    member(cx)?;
    if !args.len().is_multiple_of(2) {
        return Err(CommandError::Arity(cx.entry.full_name.clone()));
    }
    let mut ranges = Vec::new();
    let mut words = args.iter_from(2);
    while let (Some(first), Some(last)) = (words.next(), words.next()) {
        let (first, last) = (slot(first)?, slot(last)?);
        if first > last {
            return Err(CommandError::SlotRange(first, last));
        }
        ranges.push(Ok((first, last)));
    }
    Ok(ranges)
}

/// Has the node serve slots, or forget who serves them.
fn give(cx: &mut Cx, ranges: Vec<Range>, adds: bool, reply: &mut Reply) -> Result<(), CommandError> {
    let member = member(cx)?;
    let mut slots = BTreeSet::new();
    member.map.look(|groups| {
        for range in ranges {
            let (first, last) = range?;
            for slot in first..=last {
                match (adds, groups.owner(member.number, slot)) {
                    (true, Some(_)) => return Err(CommandError::SlotBusy(slot)),
                    (false, None) => return Err(CommandError::SlotUnassigned(slot)),
                    _ if !slots.insert(slot) => return Err(CommandError::SlotTwice(slot)),
                    _ => {}
                }
            }
        }
        Ok(())
    })?;
    let slots: Vec<u16> = slots.into_iter().collect();
    let change = |groups: &mut Groups| {
        if adds {
            groups.claim(&slots, member.number)
        } else {
            groups.disclaim(&slots, member.number).map(|()| BTreeMap::new())
        }
    };
    let losers = member.map.change(change).map_err(|refusal| refused(refusal, &[], 0))?;
    losers.into_iter().for_each(|(loser, slots)| member.clear_lost(loser, slots));
    reply.ok();
    Ok(())
}

/// The error for what the map refuses.
fn refused(refusal: Refusal, id: &[u8], slot: u16) -> CommandError {
    match refusal {
        Refusal::UnknownNode => CommandError::UnknownNode(printed(id)),
        Refusal::NotAMaster => CommandError::TargetNotMaster,
        Refusal::Busy(slot) => CommandError::SlotBusy(slot),
        Refusal::Unassigned(slot) => CommandError::SlotUnassigned(slot),
        Refusal::NotTheOwner => CommandError::NotSlotOwner(slot),
        Refusal::IsTheOwner => CommandError::IsSlotOwner(slot),
        Refusal::Myself => CommandError::ForgetMyself,
        Refusal::MyMaster => CommandError::ForgetMyMaster,
        Refusal::NotAlone => CommandError::EpochNotAlone,
        Refusal::HasAnEpoch => CommandError::EpochIsSet,
    }
}

fn flushslots(cx: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let member = member(cx)?;
    if keys(cx) > 0 {
        return Err(CommandError::FlushSlotsWithKeys);
    }
    let flush = |groups: &mut Groups| {
        let slots = groups.slots_of(member.number);
        groups.disclaim(&slots, member.number)
    };
    member.map.change(flush).map_err(|refusal| refused(refusal, &[], 0))?;
    reply.ok();
    Ok(())
}

/// The number of keys of the node.
fn keys(cx: &Cx) -> usize {
    cx.locked.iter().map(|shard| shard.len(0)).sum()
}

/// The number of keys of a slot.
fn keys_in(cx: &Cx, slot: u16) -> usize {
    cx.locked.iter().map(|shard: &Shard| shard.keys_in_slot(slot)).sum()
}

fn setslot(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let member = member(cx)?;
    let number = member.number;
    if member.map.look(|groups| groups.node(number).role != Role::Master) {
        return Err(CommandError::SetSlotOnReplica);
    }
    let slot = slot(args.at(2))?;
    let (word, id) = (args.at(3), args.get(4).unwrap_or_default());
    let (keys, release) = (keys_in(cx, slot), cx.release());
    let is = |name, len| parse::is_word(word, name) && args.len() == len;
    let change = |groups: &mut Groups| match () {
        () if is("migrating", 5) => {
            if groups.owner(number, slot) != Some(number) {
                return Err(CommandError::NotSlotOwner(slot));
            }
            let other = master(groups, number, id, CommandError::DoNotKnowNode)?;
            groups.mark(slot, number, true, other);
            Ok(None)
        }
        () if is("importing", 5) => {
            if groups.owner(number, slot) == Some(number) {
                return Err(CommandError::IsSlotOwner(slot));
            }
            // Before 5.0 the wrong word was told.
            let told = if release < Release::V5_0 { word } else { id };
            let unknown = |_| CommandError::DoNotKnowNode(printed(told));
            let other = master(groups, number, id, unknown)?;
            groups.mark(slot, number, false, other);
            Ok(None)
        }
        () if is("stable", 4) => {
            groups.unmark(slot, number);
            Ok(None)
        }
        () if is("node", 5) => {
            let to = master(groups, number, id, CommandError::UnknownNode)?;
            let owner = groups.owner(number, slot);
            if owner == Some(number) && to != number && keys > 0 {
                return Err(CommandError::SlotHasKeys(slot));
            }
            let imports = groups.node(number).importing.contains_key(&slot);
            // What others are told they know already.
            if owner == Some(number) || imports || to == number {
                if keys == 0 || to == number {
                    groups.unmark(slot, number);
                }
                if imports && to == number {
                    groups.bump_epoch(number);
                }
                let before = groups.assign(slot, to);
                groups.assigned(number);
                return Ok(before.filter(|before| *before != to && *before != number));
            }
            Ok(None)
        }
        () if release < Release::V5_0 => Err(CommandError::SetSlotAction4),
        () => Err(CommandError::SetSlotAction),
    };
    let loser = member.map.change(change)?;
    if let Some(loser) = loser {
        member.clear_lost(loser, vec![slot]);
    }
    reply.ok();
    Ok(())
}

/// The master that a node knows by an id.
fn master(
    groups: &Groups,
    number: NodeNumber,
    id: &[u8],
    unknown: impl FnOnce(Box<str>) -> CommandError,
) -> Result<NodeNumber, CommandError> {
    let found = groups.find_known(number, id).ok_or_else(|| unknown(printed(id)))?;
    if groups.node(found).role == Role::Master { Ok(found) } else { Err(CommandError::TargetNotMaster) }
}

fn bumpepoch(cx: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let member = member(cx)?;
    let (bumped, epoch) = member.map.change(|groups| {
        let bumped = groups.bump_epoch(member.number);
        (bumped, groups.node(member.number).epoch)
    });
    reply.status(format!("{} {epoch}", if bumped { "BUMPED" } else { "STILL" }));
    Ok(())
}

fn set_config_epoch(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let member = member(cx)?;
    let epoch = parse::integer(args.at(2))?;
    let epoch = u64::try_from(epoch).map_err(|_| CommandError::InvalidEpoch(epoch))?;
    let set = |groups: &mut Groups| groups.set_epoch(member.number, epoch);
    member.map.change(set).map_err(|refusal| refused(refusal, &[], 0))?;
    reply.ok();
    Ok(())
}

fn meet(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let member = member(cx)?;
    if args.len() > 5 {
        return Err(cx.bad_subcommand(args));
    }
    let (ip, port) = (args.at(2), args.at(3));
    let [base, bus_name] = match cx.release() {
        Release::V3_0 => ["TCP", ""],
        Release::V7_4 => ["base", "bus"],
        _ => ["TCP base", "TCP bus"],
    };
    let number = number::parse_i64(port).ok_or_else(|| CommandError::InvalidPort(base, printed(port)))?;
    if let Some(bus) = args.get(4)
        && number::parse_i64(bus).is_none()
    {
        return Err(CommandError::InvalidPort(bus_name, printed(bus)));
    }
    let address = std::str::from_utf8(ip).ok().and_then(|ip| ip.parse::<IpAddr>().ok());
    let port = match (address, u16::try_from(number)) {
        (Some(_), Ok(port @ 1..)) => port,
        _ => return Err(CommandError::InvalidNodeAddress(printed(ip), printed(port))),
    };
    if !member.map.change(|groups| groups.meet(member.number, port)) {
        return Err(CommandError::CannotMeet(port));
    }
    reply.ok();
    Ok(())
}

fn forget(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let (member, id) = (member(cx)?, args.at(2));
    let forget = |groups: &mut Groups| groups.forget(member.number, id);
    member.map.change(forget).map_err(|refusal| refused(refusal, id, 0))?;
    member.realign_others();
    reply.ok();
    Ok(())
}

fn reset(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let member = member(cx)?;
    let hard = match args.get(2) {
        _ if args.len() > 3 => return Err(cx.bad_subcommand(args)),
        None => false,
        Some(word) if parse::is_word(word, "hard") => true,
        Some(word) if parse::is_word(word, "soft") => false,
        Some(_) => return Err(CommandError::Syntax),
    };
    if member.is_replica() {
        // A replica has none that are not its master's.
        let effects = &mut cx.worker.effects;
        let garbage = cx.locked.iter_mut().filter_map(|shard| shard.flush(effects, 0)).collect::<Vec<_>>();
        cx.worker.effects.garbage.extend(garbage);
    } else if keys(cx) > 0 {
        return Err(CommandError::ResetWithKeys);
    }
    let id = hard.then(|| cx.node.identity(&format!("cluster since {}", cx.node.host.wall_us())));
    member.map.change(|groups| groups.reset(member.number, id));
    let node = cx.node;
    member.follow(node, &mut cx.locked);
    member.realign_others();
    reply.ok();
    Ok(())
}

fn replicate(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let (member, id, keys) = (member(cx)?, args.at(2), keys(cx));
    member.map.change(|groups| {
        let number = member.number;
        let unknown = || CommandError::UnknownNode(printed(id));
        let other = groups.find_known(number, id).ok_or_else(unknown)?;
        if other == number {
            return Err(CommandError::ReplicateMyself);
        }
        if groups.node(other).role != Role::Master {
            return Err(CommandError::ReplicateReplica);
        }
        let is_master = groups.node(number).role == Role::Master;
        if is_master && (keys > 0 || !groups.slots_of(number).is_empty()) {
            return Err(CommandError::ReplicateWithSlots);
        }
        groups.follow(number, other);
        Ok(())
    })?;
    let node = cx.node;
    member.follow(node, &mut cx.locked);
    reply.ok();
    Ok(())
}

fn failover(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let member = member(cx)?;
    let at_once = match args.get(2) {
        _ if args.len() > 3 => return Err(cx.bad_subcommand(args)),
        None => false,
        Some(word) if parse::is_word(word, "force") || parse::is_word(word, "takeover") => true,
        Some(_) => return Err(CommandError::Syntax),
    };
    if !member.is_replica() {
        let is_early = cx.release() < Release::V5_0;
        return Err(if is_early { CommandError::FailoverOnMaster4 } else { CommandError::FailoverOnMaster });
    }
    if !at_once && (member.master().is_none() || !cx.node.master.is_up()) {
        return Err(CommandError::FailoverWithoutMaster);
    }
    cx.node.host.take_over(at_once);
    reply.ok();
    Ok(())
}

fn saveconfig(cx: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    member(cx)?;
    reply.ok();
    Ok(())
}

fn countkeysinslot(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    member(cx)?;
    let slot = u16::try_from(parse::integer(args.at(2))?).ok().filter(|&slot| slot < SLOTS);
    reply.count(keys_in(cx, slot.ok_or(CommandError::InvalidSlot)?));
    Ok(())
}

fn getkeysinslot(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    member(cx)?;
    let (slot, count) = (parse::integer(args.at(2))?, parse::integer(args.at(3))?);
    let slot = u16::try_from(slot).ok().filter(|&slot| slot < SLOTS);
    let count = usize::try_from(count).ok();
    let (slot, count) = slot.zip(count).ok_or(CommandError::InvalidSlotOrCount)?;
    cx.weigh(count.min(keys_in(cx, slot)))?;
    let place = reply.defer();
    let mut written = 0;
    for entry in cx.locked.iter().flat_map(|shard| shard.slot(slot)).take(count) {
        reply.bulk(entry.key());
        written += 1;
    }
    reply.deferred_array(place, written);
    Ok(())
}

fn keyslot(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    member(cx)?;
    reply.integer(slot_of(args.at(2)).into());
    Ok(())
}

fn count_failure_reports(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let (member, id) = (member(cx)?, args.at(2));
    if member.map.look(|groups| groups.find_known(member.number, id).is_none()) {
        return Err(CommandError::UnknownNode(printed(id)));
    }
    reply.integer(0);
    Ok(())
}

fn info(cx: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let (member, release) = (member(cx)?, cx.release());
    let text = member.map.look(|groups| {
        let number = member.number;
        let ranges = groups.ranges(number);
        let slots = |wanted: &dyn Fn(NodeNumber) -> bool| -> usize {
            let of = ranges.iter().filter(|(.., owner)| wanted(*owner));
            of.map(|(first, last, _)| usize::from(last - first) + 1).sum()
        };
        let failed = slots(&|owner| groups.node(owner).is_down);
        let assigned = slots(&|_| true);
        let masters: BTreeSet<NodeNumber> = ranges.iter().map(|(.., owner)| *owner).collect();
        let own_epoch = match groups.node(number).role {
            Role::Master => groups.node(number).epoch,
            Role::Replica(master) => groups.node(master).epoch,
        };
        let mut text = String::new();
        let mut line = |name: &str, value: &dyn std::fmt::Display| {
            // Writing to a string does not fail.
            let _ = write!(text, "{name}:{value}\r\n");
        };
        line("cluster_state", &if member.is_down() { "fail" } else { "ok" });
        line("cluster_slots_assigned", &assigned);
        line("cluster_slots_ok", &(assigned - failed));
        line("cluster_slots_pfail", &0);
        line("cluster_slots_fail", &failed);
        line("cluster_known_nodes", &groups.known(number).count());
        line("cluster_size", &masters.len());
        line("cluster_current_epoch", &groups.current_epoch(number));
        line("cluster_my_epoch", &own_epoch);
        line("cluster_stats_messages_sent", &0);
        line("cluster_stats_messages_received", &0);
        if release >= Release::V7_0 {
            line("total_cluster_links_buffer_limit_exceeded", &0);
        }
        text
    });
    reply.verbatim("txt", text);
    Ok(())
}

fn links(cx: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let member = member(cx)?;
    let others = member.others(false);
    let since_ms = |node: &Node| node.started_us.div_euclid(1000);
    let ids = member.map.look(|groups| {
        let id = |node: &Arc<Node>| node.member.as_ref().map(|other| groups.node(other.number).id.clone());
        others.iter().map(id).collect::<Vec<_>>()
    });
    reply.array(2 * others.len());
    for (other, id) in others.iter().zip(ids) {
        for direction in ["to", "from"] {
            reply.map(6);
            reply.bulk("direction");
            reply.bulk(direction);
            reply.bulk("node");
            reply.bulk(id.as_deref().unwrap_or_default());
            reply.bulk("create-time");
            reply.integer(since_ms(cx.node).max(since_ms(other)));
            reply.bulk("events");
            reply.bulk("r");
            reply.bulk("send-buffer-allocated");
            reply.integer(0);
            reply.bulk("send-buffer-used");
            reply.integer(0);
        }
    }
    Ok(())
}

fn myid(cx: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let member = member(cx)?;
    member.map.look(|groups| reply.bulk(&groups.node(member.number).id));
    Ok(())
}

fn myshardid(cx: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let member = member(cx)?;
    member.map.look(|groups| reply.bulk(&groups.node(member.number).shard_id));
    Ok(())
}

fn nodes(cx: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let member = member(cx)?;
    let text = member.map.look(|groups| {
        let ranges = groups.ranges(member.number);
        let mut text = String::new();
        for (number, _) in groups.known(member.number) {
            text.push_str(&described(cx, &member, groups, &ranges, number));
            text.push('\n');
        }
        text
    });
    reply.verbatim("txt", text);
    Ok(())
}

fn replicas(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let (member, id) = (member(cx)?, args.at(2));
    let lines = member.map.look(|groups| {
        let of =
            groups.find_known(member.number, id).ok_or_else(|| CommandError::UnknownNode(printed(id)))?;
        if groups.node(of).role != Role::Master {
            return Err(CommandError::NodeNotMaster);
        }
        let ranges = groups.ranges(member.number);
        let line = |(number, _)| described(cx, &member, groups, &ranges, number);
        Ok(groups.replicas(of).map(line).collect::<Vec<_>>())
    })?;
    reply.array(lines.len());
    lines.iter().for_each(|line| reply.bulk(line));
    Ok(())
}

/// A line that describes a node: its id, address, flags, master, when it was asked and answered, epoch, link and slots.
fn described(
    cx: &Cx,
    member: &Member,
    groups: &Groups,
    ranges: &[(u16, u16, NodeNumber)],
    number: NodeNumber,
) -> String {
    let node = groups.node(number);
    let is_own = number == member.number;
    let mut line = format!("{} {}:{}", node.id, node.ip(local(cx)), node.told_port());
    // Writing to a string does not fail.
    if cx.release() >= Release::V4_0 {
        let _ = write!(line, "@{}", node.told_bus_port());
    }
    if !node.hostname.is_empty() {
        let _ = write!(line, ",{}", node.hostname);
    }
    let (role, master) = match node.role {
        Role::Master => ("master", "-"),
        Role::Replica(master) => ("slave", groups.node(master).id.as_str()),
    };
    let (own, failed) = (if is_own { "myself," } else { "" }, if node.is_down { ",fail" } else { "" });
    // Of itself a node tells a time as well, in whole seconds, once it has had somebody to talk to.
    let is_alone = groups.known(number).nth(1).is_none();
    let answered_ms = match is_own {
        true if is_alone || cx.release() < Release::V4_0 => 0,
        true => cx.now_ms() / 1000 * 1000,
        false => cx.now_ms(),
    };
    let link = if node.is_down { "disconnected" } else { "connected" };
    let _ = write!(line, " {own}{role}{failed} {master} 0 {answered_ms} {} {link}", epoch(groups, node));
    for (first, last, _) in ranges.iter().filter(|(.., owner)| *owner == number) {
        let _ = if first == last { write!(line, " {first}") } else { write!(line, " {first}-{last}") };
    }
    if is_own {
        for (slot, to) in &node.migrating {
            let _ = write!(line, " [{slot}->-{}]", groups.node(*to).id);
        }
        for (slot, from) in &node.importing {
            let _ = write!(line, " [{slot}-<-{}]", groups.node(*from).id);
        }
    }
    line
}

/// The epoch of a node: a replica has its master's.
fn epoch(groups: &Groups, node: &NodeRecord) -> u64 {
    match node.role {
        Role::Master => node.epoch,
        Role::Replica(master) => groups.node(master).epoch,
    }
}

fn slots(cx: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let (member, release, local) = (member(cx)?, cx.release(), local(cx));
    member.map.look(|groups| {
        let ranges = groups.ranges(member.number);
        reply.array(ranges.len());
        for (first, last, owner) in ranges {
            let replicas = groups.replicas(owner).filter(|(_, node)| !node.is_down).map(|(number, _)| number);
            let nodes: Vec<NodeNumber> = std::iter::once(owner).chain(replicas).collect();
            reply.array(2 + nodes.len());
            reply.integer(first.into());
            reply.integer(last.into());
            for number in nodes {
                let node = groups.node(number);
                reply.array(match release {
                    Release::V3_0 => 2,
                    Release::V4_0 | Release::V5_0 | Release::V6_2 => 3,
                    Release::V7_0 | Release::V7_4 => 4,
                });
                let (host, port) = member.endpoint(groups, number, local);
                match &host {
                    Some(host) => reply.bulk(host),
                    None => reply.null(),
                }
                reply.integer(port.into());
                if release >= Release::V4_0 {
                    reply.bulk(&node.id);
                }
                if release >= Release::V7_0 {
                    let ip = node.ip(local);
                    let ip = Some(("ip", &ip)).filter(|(_, ip)| host.as_ref() != Some(ip));
                    let name = Some(("hostname", &node.hostname))
                        .filter(|(_, name)| !name.is_empty() && host.as_ref() != Some(name));
                    let rest: Vec<_> = ip.into_iter().chain(name).collect();
                    reply.map(rest.len());
                    for (name, value) in rest {
                        reply.bulk(name);
                        reply.bulk(value);
                    }
                }
            }
        }
    });
    Ok(())
}

fn shards(cx: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let (member, local) = (member(cx)?, local(cx));
    member.map.look(|groups| {
        let mut ids: Vec<&str> = Vec::new();
        for (_, node) in groups.known(member.number) {
            if !ids.contains(&node.shard_id.as_str()) {
                ids.push(&node.shard_id);
            }
        }
        let ranges = groups.ranges(member.number);
        reply.array(ids.len());
        for id in ids {
            let nodes: Vec<(NodeNumber, &NodeRecord)> =
                groups.known(member.number).filter(|(_, node)| node.shard_id == id).collect();
            let own: Vec<_> =
                ranges.iter().filter(|(.., owner)| nodes.iter().any(|(number, _)| number == owner)).collect();
            reply.map(2);
            reply.bulk("slots");
            reply.array(2 * own.len());
            for (first, last, _) in own {
                reply.integer((*first).into());
                reply.integer((*last).into());
            }
            reply.bulk("nodes");
            reply.array(nodes.len());
            for (number, node) in nodes {
                shard_node(&member, groups, number, node, local, reply);
            }
        }
    });
    Ok(())
}

/// Writes what `CLUSTER SHARDS` tells of a node.
fn shard_node(
    member: &Member,
    groups: &Groups,
    number: NodeNumber,
    node: &NodeRecord,
    local: IpAddr,
    reply: &mut Reply,
) {
    let has_name = !node.hostname.is_empty();
    reply.map(7 + usize::from(has_name));
    reply.bulk("id");
    reply.bulk(&node.id);
    reply.bulk("port");
    reply.integer(node.told_port().into());
    reply.bulk("ip");
    reply.bulk(node.ip(local));
    reply.bulk("endpoint");
    match member.endpoint(groups, number, local).0 {
        Some(host) => reply.bulk(host),
        None => reply.null(),
    }
    if has_name {
        reply.bulk("hostname");
        reply.bulk(&node.hostname);
    }
    reply.bulk("role");
    reply.bulk(if node.role == Role::Master { "master" } else { "replica" });
    reply.bulk("replication-offset");
    reply.integer(groups.running(number).map_or(0, |node| node.replicas.offset() as i64));
    reply.bulk("health");
    reply.bulk(if node.is_down { "fail" } else { "online" });
}

fn explain(cx: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    member(cx)?;
    help(
        reply,
        "CLUSTER",
        &[
            ("ADDSLOTS <slot> [<slot> ...]", "Serve slots that nobody serves."),
            ("ADDSLOTSRANGE <start> <end> [<start> <end> ...]", "Serve ranges of slots that nobody serves."),
            ("BUMPEPOCH", "Take an epoch above all others."),
            ("COUNT-FAILURE-REPORTS <id>", "The number of nodes that think that one has failed: none."),
            ("COUNTKEYSINSLOT <slot>", "The number of keys of a slot."),
            ("DELSLOTS <slot> [<slot> ...]", "Forget who serves slots."),
            ("DELSLOTSRANGE <start> <end> [<start> <end> ...]", "Forget who serves ranges of slots."),
            ("FAILOVER [FORCE|TAKEOVER]", "Take over from the master of this replica."),
            ("FLUSHSLOTS", "Serve no slots."),
            ("FORGET <id>", "Have all nodes forget one of them."),
            ("GETKEYSINSLOT <slot> <count>", "Keys of a slot."),
            ("INFO", "How the cluster is."),
            ("KEYSLOT <key>", "The slot of a key."),
            ("LINKS", "The connections between nodes."),
            ("MEET <ip> <port> [<bus-port>]", "Know another node of this instance."),
            ("MYID", "The id of this node."),
            ("NODES", "A line for each node."),
            ("REPLICAS <id>", "A line for each replica of a node."),
            ("REPLICATE <id>", "Become a replica of a node."),
            ("RESET [HARD|SOFT]", "Forget all other nodes, and all slots."),
            ("SAVECONFIG", "Does nothing: there is no file."),
            ("SET-CONFIG-EPOCH <epoch>", "Choose the epoch of a node that knows no other."),
            ("SETSLOT <slot> (IMPORTING|MIGRATING|NODE <id> | STABLE)", "Move a slot, or say who serves it."),
            ("SHARDS", "The slots, and the nodes with the same keys that serve them."),
            ("SLOTS", "Ranges of slots, and the nodes that serve them."),
        ],
    );
    Ok(())
}

fn asking(cx: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    member(cx)?;
    cx.session.state.insert(State::ASKING);
    reply.ok();
    Ok(())
}

fn readonly(cx: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    member(cx)?;
    cx.session.state.insert(State::READONLY);
    reply.ok();
    Ok(())
}

fn readwrite(cx: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    member(cx)?;
    cx.session.state.remove(State::READONLY);
    reply.ok();
    Ok(())
}
