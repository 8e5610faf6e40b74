//! A replica takes the place of its master.
//!
//! With the master's consent nothing is lost: it happens while the shards of both are held, at a moment at which the
//! replica has all that the master has written. Without it, what the replica has not got is lost, as in any cluster.
//!
//! Lock order: a replica's shards, then those of its master; nobody else holds shards of two nodes. A long command on the
//! replica holds up nobody else so.

use super::map::{Groups, NodeNumber, Role};
use super::member::Member;
use crate::Node;
use crate::master::{Address, reachable};
use keyspace::Locked;
use std::sync::Arc;

impl Groups {
    /// Has a replica take the place of its master: its slots, and its other replicas. Gives the master.
    pub(super) fn promote(&mut self, replica: NodeNumber) -> Option<NodeNumber> {
        let Role::Replica(master) = self.node(replica).role else { return None };
        self.node_mut(replica).role = Role::Master;
        let others: Vec<NodeNumber> = self.replicas(master).map(|(number, _)| number).collect();
        for number in others {
            self.node_mut(number).role = Role::Replica(replica);
        }
        let slots = self.slots_of(master);
        self.node_mut(master).role = Role::Replica(replica);
        self.bump_epoch(replica);
        self.assign_all(slots.into_iter(), replica);
        Some(master)
    }
}

impl Member {
    /// The master whose changes the node repeats, if there is one and it runs.
    pub fn master(&self) -> Option<Arc<Node>> {
        self.map.look(|groups| match groups.node(self.number).role {
            Role::Replica(master) if !groups.node(master).is_down => groups.running(master),
            _ => None,
        })
    }

    /// Whether the node repeats another's changes.
    pub fn is_replica(&self) -> bool {
        self.map.look(|groups| groups.node(self.number).role != Role::Master)
    }

    /// Where the master is whose changes the node is to repeat.
    fn wanted(&self) -> Option<Address> {
        self.map.look(|groups| match groups.node(self.number).role {
            Role::Master => None,
            Role::Replica(master) => Some(groups.node(master).reachable()),
        })
    }

    /// Whether the node follows another master than the map says, or one at all where it says none.
    pub(crate) fn is_astray(&self, node: &Node) -> bool {
        self.wanted() != node.master.state().address
    }

    /// Has the node follow the master that the map names, if it does. All its shards are held.
    pub(crate) fn follow(&self, node: &Node, held: &mut Locked<'_>) {
        if self.is_astray(node) {
            node.follow(held, self.wanted());
        }
    }

    /// The same, from a thread that serves no connections.
    pub fn follow_blocking(&self, node: &Node) {
        self.follow(node, &mut node.keyspace.lock_blocking(node.keyspace.all()));
    }

    /// Has the node, a replica, take the place of its master, if it has all that the master has written. Whether it
    /// does. To be called from a thread that serves no connections.
    pub fn take_over(&self, node: &Node, master: &Arc<Node>) -> bool {
        let mut own = node.keyspace.lock_blocking(node.keyspace.all());
        let mut theirs = master.keyspace.lock_beside(master.keyspace.all());
        if !node.master.is_up() || node.replicas.offset() != master.replicas.offset() {
            return false;
        }
        self.map.change(|groups| groups.promote(self.number));
        self.follow(node, &mut own);
        if let Some(member) = &master.member {
            member.follow(master, &mut theirs);
        }
        drop((own, theirs));
        self.lead(node);
        true
    }

    /// Has the node, a replica, take the place of its master, whatever the master says; which may have `failed`. To be
    /// called from a thread that serves no connections.
    pub fn take_over_alone(&self, node: &Node, failed: bool) {
        let mut own = node.keyspace.lock_blocking(node.keyspace.all());
        self.map.change(|groups| {
            let master = groups.promote(self.number);
            if let Some(master) = master.filter(|_| failed) {
                groups.node_mut(master).is_down = true;
                groups.rejoin(master);
            }
        });
        self.follow(node, &mut own);
        drop(own);
        self.lead(node);
    }

    /// Has all others that are to follow this node follow it.
    fn lead(&self, node: &Node) {
        let replicas = self.map.look(|groups| {
            let up = groups.replicas(self.number).filter(|(_, node)| !node.is_down);
            up.filter_map(|(number, _)| groups.running(number)).collect::<Vec<_>>()
        });
        // One that has failed is left alone: its shards may be held for ever.
        for replica in replicas.iter().filter(|replica| !std::ptr::eq(&raw const ***replica, node)) {
            if let Some(member) = &replica.member {
                member.follow_blocking(replica);
            }
        }
    }
}

impl super::NodeRecord {
    /// Where other nodes of this process reach it.
    fn reachable(&self) -> Address {
        Address { host: reachable(self.bound).to_string().into(), port: self.port }
    }
}
