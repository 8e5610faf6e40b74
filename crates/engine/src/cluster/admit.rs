//! Whether a command may run on a node of a cluster, or where its client is to go instead.

use super::member::{Member, View};
use crate::keys::{self, Plan};
use crate::node::Node;
use crate::session::{Session, State};
use crate::table::Entry;
use crate::{CommandError, Step};
use command::{Access, Flags, Release};
use keyspace::slots::slot_of;
use keyspace::{Locked, Moment};
use resp::Args;
use std::sync::atomic::Ordering::Relaxed;

/// What is known of the keys of a command, or of all commands of a transaction.
struct Found<'a> {
    /// The first key and its slot.
    first: Option<(&'a [u8], u16)>,
    view: View,
    /// Whether there are different keys.
    is_several: bool,
    /// Whether there is a channel among them.
    has_channel: bool,
    /// Keys that are here, and keys that are not; counted only while their slot moves.
    present: usize,
    missing: usize,
}

/// Whether a command may run here; the shards of its keys are held.
///
/// # Errors
/// What tells the client where to go, or that it asks for too much.
pub(crate) fn admit(
    node: &Node,
    member: &Member,
    session: &Session,
    entry: &'static Entry,
    args: Args,
    locked: &Locked,
    moment: Moment,
) -> Result<(), CommandError> {
    if let Plan::One(index) = entry.plan
        && member.view(slot_of(args.at(index))) == View::Mine
        && !member.is_down()
    {
        return Ok(());
    }
    let mut found = Found {
        first: None,
        view: View::Mine,
        is_several: false,
        has_channel: false,
        present: 0,
        missing: 0,
    };
    let mut writes = entry.is(Flags::WRITE);
    if entry.is(Flags::RUNS_QUEUE) {
        for queued in session.multi.iter().flat_map(|multi| &multi.queue) {
            find(node, member, queued.entry, queued.args.as_args(), locked, moment, &mut found)?;
            writes |= queued.entry.is(Flags::WRITE);
        }
    } else {
        find(node, member, entry, args, locked, moment, &mut found)?;
    }
    judge(node, member, session, entry, writes, &found)
}

/// As [`admit`], for a command that is to be queued. What the step is if its keys' shards are not to be had.
pub(crate) fn admit_queued(
    node: &Node,
    member: &Member,
    session: &Session,
    entry: &'static Entry,
    args: Args,
    moment: Moment,
) -> Result<Option<Step>, CommandError> {
    match node.keyspace.lock(keys::shards(node, session, entry, args)) {
        Ok(locked) => admit(node, member, session, entry, args, &locked, moment).map(|()| None),
        Err(shard) => Ok(Some(Step::Contended(shard))),
    }
}

/// Looks at the keys and channels of a command.
fn find<'a>(
    node: &Node,
    member: &Member,
    entry: &'static Entry,
    args: Args<'a>,
    locked: &Locked,
    moment: Moment,
    found: &mut Found<'a>,
) -> Result<(), CommandError> {
    for (index, access) in keys::routed(entry.record, args) {
        let Some(key) = args.get(index) else { continue };
        // The first release looks at its state before it looks at slots.
        if node.release < Release::V4_0 && member.is_down() {
            return Err(CommandError::ClusterDown);
        }
        let slot = slot_of(key);
        let is_channel = access.contains(Access::NOT_KEY);
        found.has_channel |= is_channel;
        match found.first {
            None => {
                found.first = Some((key, slot));
                found.view = member.view(slot);
                let served = |number| member.map.look(|groups| groups.owner(number, slot).is_some());
                let is_served = match found.view {
                    View::Unassigned => false,
                    View::Importing => served(member.number),
                    _ => true,
                };
                if !is_served {
                    return Err(CommandError::SlotNotServed);
                }
            }
            Some((_, first)) if first != slot => return Err(CommandError::CrossSlot),
            Some((first, _)) => found.is_several |= first != key,
        }
        if matches!(found.view, View::Migrating | View::Importing) && !is_channel {
            let key = node.keyspace.key(key);
            let is_present = locked.shard(&key).peek(moment, 0, &key).is_some();
            *(if is_present { &mut found.present } else { &mut found.missing }) += 1;
        }
    }
    Ok(())
}

fn judge(
    node: &Node,
    member: &Member,
    session: &Session,
    entry: &'static Entry,
    writes: bool,
    found: &Found,
) -> Result<(), CommandError> {
    let Some((_, slot)) = found.first else { return Ok(()) };
    if member.is_down() {
        match () {
            () if found.has_channel && member.channels_when_down.load(Relaxed) => {}
            () if found.has_channel || !member.reads_when_down.load(Relaxed) => {
                return Err(CommandError::ClusterDown);
            }
            () if writes => return Err(CommandError::ClusterReadsOnly),
            () => {}
        }
    }
    let local = session.client.local.ip();
    let moves = entry.is(Flags::MOVES_KEYS) && matches!(found.view, View::Migrating | View::Importing);
    match found.view {
        View::Mine => Ok(()),
        _ if moves => Ok(()),
        View::Migrating if found.missing == 0 => Ok(()),
        View::Migrating if found.present > 0 && Member::knows_halves(node.release) => {
            Err(CommandError::TryAgain)
        }
        View::Migrating => member.map.look(|groups| {
            match groups.node(member.number).migrating.get(&slot) {
                Some(&to) => {
                    let (host, port) = member.endpoint(groups, to, local);
                    Err(CommandError::Ask(slot, host.unwrap_or_default().into(), port))
                }
                // It has been decided meanwhile: the client finds out how by asking again.
                None => Err(CommandError::TryAgain),
            }
        }),
        View::Importing if session.state.contains(State::ASKING) || entry.is(Flags::ASKING) => {
            if found.is_several && found.missing > 0 { Err(CommandError::TryAgain) } else { Ok(()) }
        }
        View::Masters if (session.state.contains(State::READONLY) || found.has_channel) && !writes => Ok(()),
        View::Importing | View::Elsewhere | View::Masters | View::Unassigned => {
            Err(member.map.look(|groups| member.moved(groups, slot, local)))
        }
    }
}
