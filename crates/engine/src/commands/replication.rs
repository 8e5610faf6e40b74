//! Replication, as replicas and clients ask for it.
//!
//! A replica says what it is (`REPLCONF`) and asks for the stream (`PSYNC`, in the old way `SYNC`); from then on its
//! connection gets it, and says from time to time how far it has come.

use crate::acks::Acks;
use crate::blocking::{self, Wait};
use crate::commands::family;
use crate::failover::Target;
use crate::master::Address;
use crate::parse::is_word;
use crate::session::State;
use crate::{BASE, Command, CommandError, Cx, parse};
use command::{Category, Flags, Former, Group, Release, v};
use replication::{Capabilities, Id, Replica, Stage};
use resp::{Args, Reply};

family!(REPLICAOF, SLAVEOF, FAILOVER, PSYNC, SYNC, REPLCONF, WAIT, WAITAOF);

/// The longest address that a replica may give, in bytes.
const ADDRESS: usize = 255;

/// `REPLICAOF host port | NO ONE`: OK.
pub static REPLICAOF: Command = Command {
    name: "replicaof",
    summary: "Makes the server a replica of another one, or a master.",
    since: v(5, 0, 0),
    group: Group::Server,
    arity: 3,
    syntax: "args=(host-port=(host port:int) | no-one=(NO ONE))",
    flags: Flags::ADMIN
        .union(Flags::NOSCRIPT)
        .union(Flags::STALE)
        .union(Flags::NO_ASYNC_LOADING)
        .union(Flags::KEYSPACE),
    former: &[Former::before(Release::V7_0).without(Flags::NO_ASYNC_LOADING)],
    handler: replicaof,
    ..BASE
};

/// `SLAVEOF host port | NO ONE`: as [`REPLICAOF`].
pub static SLAVEOF: Command = Command {
    name: "slaveof",
    since: v(1, 0, 0),
    deprecated: Some((v(5, 0, 0), "`REPLICAOF`")),
    ..REPLICAOF
};

/// `FAILOVER [TO host port [FORCE]] [ABORT] [TIMEOUT milliseconds]`: OK, when it has begun.
pub static FAILOVER: Command = Command {
    name: "failover",
    summary: "Hands over to a replica, in which nothing is lost.",
    since: v(6, 2, 0),
    group: Group::Server,
    arity: -1,
    syntax: "[TO target=(host port:int [FORCE])] [ABORT] [TIMEOUT milliseconds:int]",
    flags: Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::STALE).union(Flags::KEYSPACE),
    handler: failover,
    ..BASE
};

/// `PSYNC replicationid offset [FAILOVER]`: where the stream goes on, and then the stream.
pub static PSYNC: Command = Command {
    name: "psync",
    summary: "Asks for the stream of changes from some place on.",
    since: v(2, 8, 0),
    group: Group::Server,
    arity: -3,
    syntax: "replicationid offset:int",
    flags: Flags::ADMIN
        .union(Flags::NOSCRIPT)
        .union(Flags::NO_ASYNC_LOADING)
        .union(Flags::NO_MULTI)
        .union(Flags::KEYSPACE),
    former: &[
        Former::before(Release::V7_0).without(Flags::NO_ASYNC_LOADING.union(Flags::NO_MULTI)),
        Former::before(Release::V6_2).with(Flags::READONLY).arity(3),
    ],
    handler: psync,
    ..BASE
};

/// `SYNC`: a snapshot of all keys, and then the stream.
pub static SYNC: Command = Command {
    name: "sync",
    summary: "Asks for all keys and the stream of changes.",
    arity: 1,
    syntax: "",
    since: v(1, 0, 0),
    handler: sync,
    former: &[
        Former::before(Release::V7_0).without(Flags::NO_ASYNC_LOADING.union(Flags::NO_MULTI)),
        Former::before(Release::V6_2).with(Flags::READONLY),
    ],
    ..PSYNC
};

/// `REPLCONF option value ...`: OK; nothing where the option says how far a replica is.
pub static REPLCONF: Command = Command {
    name: "replconf",
    summary: "Tells what a replica is, and how far it has come.",
    since: v(3, 0, 0),
    group: Group::Server,
    arity: -1,
    flags: Flags::ADMIN
        .union(Flags::NOSCRIPT)
        .union(Flags::LOADING)
        .union(Flags::STALE)
        .union(Flags::ALLOW_BUSY),
    former: &[
        Former::before(Release::V7_0).without(Flags::ALLOW_BUSY),
        Former::before(Release::V4_0).with(Flags::READONLY),
    ],
    handler: replconf,
    ..BASE
};

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
    if cx.node.follows() && cx.release() >= Release::V4_0 {
        return Err(if cx.release() < Release::V5_0 {
            CommandError::WaitOnReplica4
        } else {
            CommandError::WaitOnReplica
        });
    }
    let replicas = usize::try_from(parse::integer(args.at(1))?).unwrap_or(0);
    let timeout_ms = blocking::timeout_ms(cx, args.at(2))?;
    let acks = Acks { offset: cx.session.written, appended: 0, replicas, locally: false, in_files: false };
    wait_for(cx, timeout_ms, acks, reply);
    Ok(())
}

fn waitaof(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let locally = match parse::integer(args.at(1))? {
        number @ 0..=1 => number == 1,
        _ => return Err(CommandError::NotBetween(0, 1)),
    };
    let replicas = usize::try_from(parse::integer(args.at(2))?).map_err(|_| CommandError::NotPositive)?;
    let timeout_ms = blocking::timeout_ms(cx, args.at(3))?;
    if cx.node.follows() {
        return Err(CommandError::WaitAofOnReplica);
    }
    if locally && !cx.node.configuration.named("appendonly").is_some_and(|value| value.is_on()) {
        return Err(CommandError::WaitAofWithoutFile);
    }
    let (offset, appended) = (cx.session.written, cx.session.appended);
    let acks = Acks { offset, appended, replicas, locally, in_files: true };
    wait_for(cx, timeout_ms, acks, reply);
    Ok(())
}

/// Has the client wait until others have what it has written, if they do not already.
fn wait_for(cx: &mut Cx, timeout_ms: Option<i64>, acks: Acks, reply: &mut Reply) {
    if acks.are_there(cx.node) {
        acks.write(cx.node, reply);
    } else {
        cx.wait(Wait::for_acks(timeout_ms, acks), reply);
    }
}

/// `WAITAOF numlocal numreplicas timeout`: whether the server's file has what the client has written, and how many
/// replicas' files have.
pub static WAITAOF: Command = Command {
    name: "waitaof",
    summary: "Waits until append-only files have what the client has written.",
    since: v(7, 2, 0),
    arity: 4,
    syntax: "numlocal:int numreplicas:int timeout:int",
    former: &[],
    handler: waitaof,
    ..WAIT
};

fn failover(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let node = cx.node;
    if node.member.is_some() {
        return Err(CommandError::FailoverInCluster);
    }
    if args.len() == 2 && is_word(args.at(1), "abort") {
        if !node.failover.is_going_on() {
            return Err(CommandError::NoFailover);
        }
        node.abort_failover(&mut cx.locked);
        reply.ok();
        return Ok(());
    }
    let mut target = Target::default();
    let mut at = 1;
    while at < args.len() {
        let left = args.len() - at - 1;
        match args.at(at) {
            word if is_word(word, "timeout") && left >= 1 && target.until_ms.is_none() => {
                let timeout_ms = parse::integer(args.at(at + 1))?;
                if timeout_ms <= 0 {
                    return Err(CommandError::FailoverTimeout);
                }
                target.until_ms = Some(cx.moment.now_ms.saturating_add(timeout_ms));
                at += 1;
            }
            word if is_word(word, "to") && left >= 2 && target.address.is_none() => {
                let port = parse::integer(args.at(at + 2))?;
                // No replica listens at one that is none.
                let port = u16::try_from(port).unwrap_or(0);
                let host = String::from_utf8_lossy(args.at(at + 1)).into();
                target.address = Some(Address { host, port });
                at += 2;
            }
            word if is_word(word, "force") && !target.forces => target.forces = true,
            _ => return Err(CommandError::Syntax),
        }
        at += 1;
    }
    if node.failover.is_going_on() {
        return Err(CommandError::FailoverGoesOn);
    }
    if node.follows() {
        return Err(CommandError::FailoverOfReplica);
    }
    if node.replicas.is_empty() {
        return Err(CommandError::FailoverWithoutReplicas);
    }
    if target.forces && (target.until_ms.is_none() || target.address.is_none()) {
        return Err(CommandError::FailoverForce);
    }
    if let Some(address) = &target.address {
        let member = node.replica_at(address).ok_or(CommandError::FailoverTarget)?;
        if member.replica.stage != Stage::Online {
            return Err(CommandError::FailoverTargetOffline);
        }
    }
    node.begin_failover(target);
    reply.ok();
    Ok(())
}

fn replicaof(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let node = cx.node;
    if node.member.is_some() {
        let is_early = node.release < Release::V5_0;
        return Err(if is_early { CommandError::SlaveOfInCluster } else { CommandError::ReplicaOfInCluster });
    }
    if node.failover.is_going_on() {
        return Err(CommandError::FailingOver);
    }
    if is_word(args.at(1), "no") && is_word(args.at(2), "one") {
        if node.follows() {
            node.follow(&mut cx.locked, None);
        }
        reply.ok();
        return Ok(());
    }
    if cx.session.state.contains(State::REPLICA) {
        return Err(CommandError::OfReplica);
    }
    let port = parse::integer(args.at(2)).ok();
    let port = match port.and_then(|port| u16::try_from(port).ok()) {
        Some(port) => port,
        None if cx.release() < Release::V7_0 && port.is_none() => return Err(CommandError::NotAnInteger),
        None => return Err(CommandError::MasterPort),
    };
    let master = Address { host: String::from_utf8_lossy(args.at(1)).into(), port };
    if node.master.state().address.as_ref() == Some(&master) {
        reply.status("OK Already connected to specified master");
        return Ok(());
    }
    node.follow(&mut cx.locked, Some(master));
    reply.ok();
    Ok(())
}

fn psync(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    if cx.session.state.contains(State::REPLICA) {
        return Ok(());
    }
    if args.get(3).is_some_and(|word| is_word(word, "failover")) {
        if !cx.node.follows() {
            return Err(CommandError::HandedToMaster);
        }
        if Id::parse(args.at(1)) != Some(cx.node.replicas.view().history.id()) {
            return Err(CommandError::HandedByStranger);
        }
        cx.node.follow(&mut cx.locked, None);
    }
    if cx.node.follows() && !cx.node.master.is_up() {
        return Err(CommandError::NoMasterLink);
    }
    let next = parse::integer(args.at(2))?;
    let resumed = Id::parse(args.at(1)).zip(u64::try_from(next).ok()).and_then(|(id, next)| {
        let replica = cx.session.replica.get_or_insert_default();
        cx.node.replicas.resume(&cx.session.client, replica, id, next, cx.moment.now_ms)
    });
    let Some(id) = resumed else {
        if args.at(1) != b"?" {
            cx.node.replicas.refused();
        }
        admit(cx);
        return Ok(());
    };
    let understands = |replica: &Replica| replica.capabilities.contains(Capabilities::PSYNC2);
    if cx.session.replica.as_deref().is_some_and(understands) {
        reply.status(format!("CONTINUE {id}"));
    } else {
        reply.status("CONTINUE");
    }
    cx.session.state.insert(State::REPLICA);
    cx.node.host.stream_begun();
    Ok(())
}

fn sync(cx: &mut Cx, _: Args, _: &mut Reply) -> Result<(), CommandError> {
    if cx.node.follows() && !cx.node.master.is_up() {
        return Err(CommandError::NoMasterLink);
    }
    if !cx.session.state.contains(State::REPLICA) {
        cx.session.replica.get_or_insert_default().is_old = true;
        admit(cx);
    }
    Ok(())
}

/// Has the client sent all keys, and then the stream.
fn admit(cx: &mut Cx) {
    let replica = cx.session.replica.get_or_insert_default();
    cx.node.replicas.admit(&cx.session.client, replica, cx.moment.now_ms);
    cx.session.state.insert(State::REPLICA);
    cx.node.host.stream_begun();
}

fn replconf(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    if args.len().is_multiple_of(2) {
        return Err(CommandError::Syntax);
    }
    for at in (1..args.len()).step_by(2) {
        let (option, value) = (args.at(at), args.at(at + 1));
        let replica = cx.session.replica.get_or_insert_default();
        match option {
            _ if is_word(option, "listening-port") => replica.port = parse::integer(value)? as u16,
            _ if is_word(option, "ip-address") => {
                if value.len() > ADDRESS {
                    return Err(CommandError::ReplicaAddress(value.len()));
                }
                replica.address = Some(String::from_utf8_lossy(value).into());
            }
            _ if is_word(option, "capa") => replica.capabilities |= Capabilities::named(value),
            _ if is_word(option, "rdb-only") && cx.node.release.has(v(6, 2, 0)) => {
                replica.wants_snapshot_only = match parse::integer(value)? {
                    number @ 0..=1 => number == 1,
                    _ => return Err(CommandError::NotBetween(0, 1)),
                };
            }
            _ if is_word(option, "rdb-filter-only") && cx.node.release.has(v(7, 0, 0)) => {
                // There are only keys that may be left out, and functions that may not.
                let unknown = value
                    .split(u8::is_ascii_whitespace)
                    .find(|word| !word.is_empty() && !is_word(word, "functions"));
                if let Some(word) = unknown {
                    return Err(CommandError::SnapshotFilter(String::from_utf8_lossy(word).into()));
                }
                replica.wants_no_keys = true;
            }
            _ if is_word(option, "version") && cx.node.release.has(v(7, 2, 0)) => {}
            _ if is_word(option, "ack") => {
                let number =
                    |text| structures::number::parse_i64(text).and_then(|number| u64::try_from(number).ok());
                let saved = args.get(at + 2).filter(|option| is_word(option, "fack")).and(args.get(at + 3));
                let (node, client) = (cx.node, &cx.session.client);
                let offset = number(value).unwrap_or(0);
                node.replicas.acknowledge(client, offset, saved.and_then(number), cx.moment.now_ms);
                node.serve_acks();
                return Ok(());
            }
            _ if is_word(option, "getack") => {
                if cx.session.state.contains(State::MASTER) {
                    cx.node.master.ask();
                }
                return Ok(());
            }
            _ => return Err(CommandError::ReplconfOption(String::from_utf8_lossy(option).into())),
        }
    }
    reply.ok();
    Ok(())
}
