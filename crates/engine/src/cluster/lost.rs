//! Keys of slots that a node has lost while it still had them: they are deleted, as nobody would find them.
//!
//! Where slots move as they should this does not happen, since the keys move first.

use super::member::{Member, View};
use crate::Node;
use crate::execute::{Worker, settle};
use keyspace::{Class, Event, Moment};
use resp::OwnedArgs;
use std::sync::Arc;
use structures::table::Item as _;

impl Member {
    /// Has the node delete the keys of slots that it has lost to this one, if it runs.
    pub(crate) fn clear_lost(&self, loser: super::NodeNumber, slots: Vec<u16>) {
        let node = self.map.look(|groups| groups.running(loser));
        if let Some(node) = node.filter(|_| !slots.is_empty()) {
            node.host.background(
                "lost-slots",
                Box::new(move |node| slots.iter().for_each(|&slot| clear(node, slot))),
            );
        }
    }

    /// Has nodes whose parts have been changed by others follow the masters that they have now.
    pub(crate) fn realign_others(&self) {
        let others: Vec<Arc<Node>> = self.map.look(|groups| {
            let others = groups.all().filter(|(number, _)| *number != self.number);
            others.filter_map(|(number, _)| groups.running(number)).collect()
        });
        for node in others {
            let work = |node: &Node| {
                if let Some(member) = &node.member {
                    member.follow_blocking(node);
                }
            };
            if node.member.as_ref().is_some_and(|member| member.is_astray(&node)) {
                node.host.background("follow", Box::new(work));
            }
        }
    }
}

/// Deletes the keys of a slot, unless it has come back.
fn clear(node: &Node, slot: u16) {
    let Some(member) = &node.member else { return };
    let mut locked = node.keyspace.lock_blocking(node.keyspace.all());
    let is_lost = matches!(member.view(slot), View::Elsewhere | View::Unassigned);
    if !is_lost || member.is_replica() {
        return;
    }
    let keys: Vec<Box<[u8]>> =
        locked.iter().flat_map(|shard| shard.slot(slot)).map(|entry| entry.key().into()).collect();
    // Nothing is counted, so it does not matter by which number.
    let mut worker = Worker::new(0);
    let moment = Moment::at(node.host.wall_us().div_euclid(1000));
    worker.begin_command(node);
    for key in &keys {
        let place = node.keyspace.key(key);
        let mut spot = locked.shard_mut(&place).spot(&mut worker.effects, moment, 0, place);
        if spot.delete(true) {
            spot.commit(Event(Class::GENERIC, "del"));
        } else {
            spot.leave();
        }
    }
    if worker.effects.keep_gone && !keys.is_empty() {
        let args: Vec<&[u8]> = std::iter::once(&b"DEL"[..]).chain(keys.iter().map(|key| &**key)).collect();
        worker.end_command(node, 0, OwnedArgs::new(args.into_iter()).as_args());
    }
    drop(settle(node, locked, &mut worker, moment, None));
}
