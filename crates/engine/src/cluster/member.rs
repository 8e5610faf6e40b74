//! A node's own view of the slots.

use super::map::{ClusterMap, Groups, NodeNumber};
use crate::{CommandError, Node};
use command::{Release, v};
use keyspace::slots::{SLOTS, slot_of};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, OnceLock, Weak};

/// How a node sees a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum View {
    /// It serves the slot.
    Mine,
    /// It serves the slot as far as it has the keys: others may have left already.
    Migrating,
    /// It serves the slot to those who ask for it.
    Importing,
    /// Another node serves it.
    Elsewhere,
    /// The node whose changes this one repeats serves it.
    Masters,
    /// Nobody serves it.
    Unassigned,
}

/// Which name clients are told of a node (`cluster-preferred-endpoint-type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Preferred {
    /// Its address.
    Ip,
    /// Its host name.
    Hostname,
    /// None: it is where the client is already.
    Unknown,
}

/// A node's part in a cluster.
#[derive(Debug)]
pub struct Member {
    /// The map that it shares.
    pub map: Arc<ClusterMap>,
    /// Its number there.
    pub number: NodeNumber,
    views: Box<[AtomicU8]>,
    /// Whether all slots are served by nodes that are up.
    is_covered: AtomicBool,
    has_majority: AtomicBool,
    /// Whether the cluster serves nothing while some slots are not served (`cluster-require-full-coverage`).
    pub(crate) needs_coverage: AtomicBool,
    /// Whether reads are served while the cluster is down (`cluster-allow-reads-when-down`).
    pub(crate) reads_when_down: AtomicBool,
    /// The same of shard channels (`cluster-allow-pubsubshard-when-down`).
    pub(crate) channels_when_down: AtomicBool,
    preferred: AtomicU8,
    node: OnceLock<Weak<Node>>,
}

impl Member {
    pub(crate) fn new(map: Arc<ClusterMap>, number: NodeNumber) -> Self {
        Member {
            map,
            number,
            views: (0..SLOTS).map(|_| AtomicU8::new(View::Unassigned as u8)).collect(),
            is_covered: AtomicBool::new(false),
            has_majority: AtomicBool::new(false),
            needs_coverage: AtomicBool::new(true),
            reads_when_down: AtomicBool::new(false),
            channels_when_down: AtomicBool::new(true),
            preferred: AtomicU8::new(Preferred::Ip as u8),
            node: OnceLock::new(),
        }
    }

    /// Says which node this is the part of: from then on it can be reached by the others.
    pub fn adopt(&self, node: &Arc<Node>) {
        let _ = self.node.set(Arc::downgrade(node));
    }

    /// The node, if it has been adopted and runs.
    pub(crate) fn node(&self) -> Option<Arc<Node>> {
        self.node.get()?.upgrade()
    }

    /// The other nodes that the node knows: all that run, or those that have the same keys.
    pub(crate) fn others(&self, same_shard: bool) -> Vec<Arc<Node>> {
        self.map.look(|groups| groups.others(self.number, same_shard))
    }

    /// How the node sees a slot.
    #[inline]
    pub fn view(&self, slot: u16) -> View {
        match self.views[usize::from(slot)].load(Ordering::Acquire) {
            0 => View::Mine,
            1 => View::Migrating,
            2 => View::Importing,
            3 => View::Elsewhere,
            4 => View::Masters,
            _ => View::Unassigned,
        }
    }

    /// The first slot that the node serves, if it serves any.
    pub fn first_slot(&self) -> Option<u16> {
        (0..SLOTS).find(|&slot| matches!(self.view(slot), View::Mine | View::Migrating))
    }

    pub(crate) fn set_view(&self, slot: u16, view: View) {
        self.views[usize::from(slot)].store(view as u8, Ordering::Release);
    }

    pub(crate) fn set_health(&self, is_covered: bool, has_majority: bool) {
        self.is_covered.store(is_covered, Ordering::Release);
        self.has_majority.store(has_majority, Ordering::Release);
    }

    /// Whether the cluster serves nothing.
    #[inline]
    pub fn is_down(&self) -> bool {
        !self.is_covered.load(Ordering::Acquire) && self.needs_coverage.load(Ordering::Relaxed)
            || !self.has_majority.load(Ordering::Acquire)
    }

    pub(crate) fn preferred(&self) -> Preferred {
        match self.preferred.load(Ordering::Relaxed) {
            1 => Preferred::Hostname,
            2 => Preferred::Unknown,
            _ => Preferred::Ip,
        }
    }

    pub(crate) fn prefer(&self, word: &str) {
        let preferred = match word {
            "hostname" => Preferred::Hostname,
            "unknown-endpoint" => Preferred::Unknown,
            _ => Preferred::Ip,
        };
        self.preferred.store(preferred as u8, Ordering::Relaxed);
    }

    /// Changes what the map says of this node.
    pub(crate) fn announce(&self, change: impl FnOnce(&mut super::NodeRecord)) {
        self.map.change(|groups| change(groups.node_mut(self.number)));
    }

    /// The name by which a client that has come by `local` finds a node, and its port.
    pub(crate) fn endpoint(
        &self,
        groups: &Groups,
        number: NodeNumber,
        local: IpAddr,
    ) -> (Option<String>, u16) {
        let node = groups.node(number);
        let host = match self.preferred() {
            Preferred::Ip => Some(node.ip(local)),
            Preferred::Hostname if node.hostname.is_empty() => Some("?".to_owned()),
            Preferred::Hostname => Some(node.hostname.clone()),
            Preferred::Unknown => None,
        };
        (host, node.told_port())
    }

    /// The error that sends a client to the node which serves a slot.
    pub(crate) fn moved(&self, groups: &Groups, slot: u16, local: IpAddr) -> CommandError {
        match groups.owner(self.number, slot) {
            Some(owner) => {
                let (host, port) = self.endpoint(groups, owner, local);
                CommandError::Moved(slot, host.unwrap_or_default().into(), port)
            }
            None => CommandError::SlotNotServed,
        }
    }

    /// Why a client may not wait for keys, or listen to a channel, of a slot here; nothing if it may.
    pub(crate) fn lost(&self, slot: u16, local: IpAddr) -> Option<CommandError> {
        match self.view(slot) {
            View::Mine | View::Migrating | View::Importing | View::Masters => None,
            View::Elsewhere | View::Unassigned => {
                Some(self.map.look(|groups| self.moved(groups, slot, local)))
            }
        }
    }

    /// Tells clients that wait for, or listen to, what has gone elsewhere.
    pub(crate) fn give_up_lost(&self) {
        let Some(node) = self.node() else { return };
        node.waiters.give_up_lost(|key, local| {
            if self.is_down() {
                return Some(CommandError::ClusterDown);
            }
            self.lost(slot_of(key), local)
        });
        self.leave_lost_channels(&node);
    }

    /// Tells clients that listen to channels of slots that have gone elsewhere.
    pub(crate) fn leave_lost_channels(&self, node: &Node) {
        node.pubsub.leave_shard_channels(|channel| {
            matches!(self.view(slot_of(channel)), View::Elsewhere | View::Unassigned)
        });
    }

    /// Whether commands with some keys here and some gone are told to wait, as from 7.0 on.
    pub(crate) fn knows_halves(release: Release) -> bool {
        release.has(v(7, 0, 0))
    }
}
