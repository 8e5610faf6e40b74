//! Who is in a cluster, and which node serves a slot.

use super::member::{Member, View};
use crate::Node;
use keyspace::slots::SLOTS;
use sha1::{Digest, Sha1};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::IpAddr;
use std::sync::{Arc, OnceLock, Weak};
use structures::ranked::RwLock;

/// The number of a node in its map; it is not given again.
pub type NodeNumber = u16;

/// The nodes that share one map, which are those of one instance.
///
/// Nodes that know each other are a group; a node that has been reset or forgotten is one of its own until it meets the
/// others again. The lock is a leaf: it is taken while shards are held, and nothing is waited for under it.
#[derive(Debug, Default)]
pub struct ClusterMap {
    groups: RwLock<Groups>,
    /// Told of every change.
    watcher: Watcher,
}

/// Somebody who is told of changes.
#[derive(Default)]
struct Watcher(OnceLock<Box<dyn Fn() + Send + Sync>>);

impl std::fmt::Debug for Watcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Watcher").field(&self.0.get().is_some()).finish()
    }
}

/// What a node of a cluster is to be.
#[derive(Clone, Debug)]
pub struct Seat {
    /// The map.
    pub map: Arc<ClusterMap>,
    /// Forty hexadecimal digits that name the node.
    pub id: String,
    /// Forty hexadecimal digits that name the nodes which have the same keys.
    pub shard_id: String,
    /// The node whose keys it repeats, if it does.
    pub replica_of: Option<String>,
}

/// Forty hexadecimal digits that follow from a text.
pub fn id_of(text: &str) -> String {
    Sha1::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The part of a node among those that have the same keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It may serve slots.
    Master,
    /// It repeats what this node changes.
    Replica(NodeNumber),
}

/// A node as the map knows it.
#[derive(Debug)]
pub struct NodeRecord {
    /// Forty hexadecimal digits.
    pub id: String,
    /// The same, of all nodes that have the same keys.
    pub shard_id: String,
    /// The port on which it listens.
    pub port: u16,
    /// The address on which it listens; unspecified where it listens on all.
    pub bound: IpAddr,
    /// The address that clients are told instead of that by which they came, if any.
    pub announced_ip: String,
    /// The port that they are told instead, unless it is zero.
    pub announced_port: u16,
    /// The port of a bus that they are told, unless it is zero.
    pub announced_bus_port: u16,
    /// The name that they are told, if any.
    pub hostname: String,
    /// Its part.
    pub role: Role,
    /// The epoch in which it got its slots.
    pub epoch: u64,
    /// Whether it has been stopped, or hangs.
    pub is_down: bool,
    /// The nodes that know each other.
    group: u32,
    /// Slots that are leaving, and where to.
    pub(crate) migrating: BTreeMap<u16, NodeNumber>,
    /// Slots that are coming, and where from.
    pub(crate) importing: BTreeMap<u16, NodeNumber>,
    /// Slots of others that the node has been told to forget.
    disowned: BTreeSet<u16>,
    member: Weak<Member>,
}

/// What the nodes of a group agree on.
#[derive(Debug)]
struct Group {
    owners: Box<[Option<NodeNumber>]>,
    epoch: u64,
    /// Names of nodes that have been forgotten.
    forgotten: HashSet<String>,
}

impl Default for Group {
    fn default() -> Self {
        Group { owners: vec![None; SLOTS.into()].into(), epoch: 0, forgotten: HashSet::new() }
    }
}

/// The nodes and groups of a map.
#[derive(Debug, Default)]
pub struct Groups {
    nodes: BTreeMap<NodeNumber, NodeRecord>,
    groups: BTreeMap<u32, Group>,
    next_node: NodeNumber,
    next_group: u32,
}

/// Why a map is not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such node.
    UnknownNode,
    /// It repeats another's changes.
    NotAMaster,
    /// Somebody serves the slot already.
    Busy(u16),
    /// Nobody serves the slot.
    Unassigned(u16),
    /// The node does not serve the slot.
    NotTheOwner,
    /// The node serves the slot.
    IsTheOwner,
    /// A node cannot forget itself.
    Myself,
    /// A node cannot forget the one whose changes it repeats.
    MyMaster,
    /// Nodes know each other, so one of them alone cannot choose its epoch.
    NotAlone,
    /// The node has an epoch.
    HasAnEpoch,
}

impl ClusterMap {
    /// Adds a node, or puts one back that has ended. A new one knows those that are there if `joins`; otherwise none.
    pub(crate) fn add(
        self: &Arc<Self>,
        id: String,
        shard_id: String,
        replica_of: Option<&str>,
        joins: bool,
    ) -> Arc<Member> {
        let mut groups = self.groups.write();
        let known = groups.all().find(|(_, node)| node.id == id).map(|(number, _)| number);
        if let Some(number) = known {
            // It has been there before, and has the part that it has been given since.
            let member = Arc::new(Member::new(Arc::clone(self), number));
            let node = groups.node_mut(number);
            node.member = Arc::downgrade(&member);
            node.is_down = false;
            groups.rejoin(number);
            return member;
        }
        let number = groups.next_node;
        groups.next_node += 1;
        let first = groups.nodes.values().next().map(|node| node.group).filter(|_| joins);
        let group = first.unwrap_or_else(|| groups.new_group());
        let role = replica_of.and_then(|id| groups.find(group, id)).map_or(Role::Master, Role::Replica);
        let member = Arc::new(Member::new(Arc::clone(self), number));
        let record = NodeRecord {
            id,
            shard_id,
            port: 0,
            bound: IpAddr::from([0, 0, 0, 0]),
            announced_ip: String::new(),
            announced_port: 0,
            announced_bus_port: 0,
            hostname: String::new(),
            role,
            epoch: 0,
            is_down: false,
            group,
            migrating: BTreeMap::new(),
            importing: BTreeMap::new(),
            disowned: BTreeSet::new(),
            member: Arc::downgrade(&member),
        };
        groups.nodes.insert(number, record);
        groups.refresh(group);
        member
    }

    /// Looks at the map.
    pub fn look<R>(&self, look: impl FnOnce(&Groups) -> R) -> R {
        look(&self.groups.read())
    }

    /// Changes the map; nodes that have lost slots by it are told. The shards of the node that asks for it are held.
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut Groups) -> R) -> R {
        let mut groups = self.groups.write();
        let result = change(&mut groups);
        let members: Vec<Arc<Member>> =
            groups.nodes.values().filter_map(|node| node.member.upgrade()).collect();
        drop(groups);
        members.iter().for_each(|member| member.give_up_lost());
        if let Some(watcher) = self.watcher.0.get() {
            watcher();
        }
        result
    }

    /// Has somebody told of every change from now on, while shards may be held; the first who asks for it.
    pub fn watch(&self, watcher: impl Fn() + Send + Sync + 'static) {
        let _ = self.watcher.0.set(Box::new(watcher));
    }

    /// Says that a node has ended, hangs, or is there again.
    pub fn set_down(&self, id: &str, is_down: bool) {
        self.change(|groups| {
            let number = groups.nodes.iter().find(|(_, node)| node.id == id).map(|(number, _)| *number);
            let Some(number) = number else { return };
            let node = groups.node_mut(number);
            node.is_down = is_down;
            let group = node.group;
            groups.refresh(group);
        });
    }

    /// Forgets a node that serves no slot, as if it had never been. It is to end.
    pub fn remove(&self, id: &str) {
        self.change(|groups| {
            let Some(number) = groups.numbered(id) else { return };
            groups.expel(number);
            let group = groups.node(number).group;
            groups.nodes.remove(&number);
            groups.groups.remove(&group);
            for group in groups.groups.values_mut() {
                group.forgotten.remove(id);
            }
        });
    }

    /// Says that slots leave a master and come to another, which are named by their ids. The shards of the one that they leave
    /// are held.
    pub fn send(&self, slots: &[u16], from: &str, to: &str) {
        self.change(|groups| {
            let (Some(from), Some(to)) = (groups.numbered(from), groups.numbered(to)) else { return };
            for &slot in slots {
                groups.mark(slot, to, false, from);
                groups.mark(slot, from, true, to);
            }
        });
    }

    /// Has a master, which is named by its id, serve slots whose keys have come to it. The shards of the one that
    /// they leave are held.
    pub fn give(&self, slots: &[u16], to: &str) {
        self.change(|groups| {
            let Some(to) = groups.numbered(to) else { return };
            groups.bump_epoch(to);
            groups.assign_all(slots.iter().copied(), to);
        });
    }

    /// How many of these nodes, which are named by their ids and all that there may be, have been remembered.
    pub fn remembered(text: &str, ids: impl Iterator<Item = String>) -> usize {
        let known: BTreeSet<&str> = text.lines().filter_map(|line| line.split(' ').next()).collect();
        ids.take_while(|id| known.contains(id.as_str())).count()
    }

    /// The masters, named by their ids, and how many slots each serves.
    pub fn shares(&self) -> Vec<(String, Vec<u16>)> {
        self.look(|groups| {
            let masters = groups.all().filter(|(_, node)| node.role == Role::Master);
            masters.map(|(number, node)| (node.id.clone(), groups.slots_of(number))).collect()
        })
    }

    /// The id of the master that a node repeats the changes of, if it is a replica.
    pub fn master_of(&self, id: &str) -> Option<String> {
        self.look(|groups| {
            let (_, node) = groups.all().find(|(_, node)| node.id == id)?;
            match node.role {
                Role::Replica(master) => Some(groups.node(master).id.clone()),
                Role::Master => None,
            }
        })
    }

    /// Divides all slots among some nodes, which are named by their ids, in ranges of about the same length.
    pub fn divide(&self, ids: &[&str]) {
        self.change(|groups| {
            let numbers: Vec<_> = groups
                .nodes
                .iter()
                .filter(|(_, node)| ids.contains(&node.id.as_str()))
                .map(|(&number, _)| number)
                .collect();
            // Ends are rounded as `redis-cli --cluster create` rounds them.
            let count = numbers.len();
            let end = |at: usize| ((2 * at * usize::from(SLOTS) + count) / (2 * count)) as u16;
            for (at, &number) in numbers.iter().enumerate() {
                groups.assign_all(end(at)..end(at + 1), number);
            }
            for &number in &numbers {
                groups.bump_epoch(number);
                groups.assigned(number);
            }
            // `redis-cli --cluster create` gives each node an epoch, replicas too, which then have that of their masters.
            if let Some(&first) = numbers.first() {
                let count = groups.known(first).count() as u64;
                let group = groups.group_mut(first);
                group.epoch = group.epoch.max(count);
            }
        });
    }
}

impl Groups {
    /// The number of a node.
    fn numbered(&self, id: &str) -> Option<NodeNumber> {
        self.nodes.iter().find(|(_, node)| node.id == id).map(|(number, _)| *number)
    }

    /// A node.
    pub fn node(&self, number: NodeNumber) -> &NodeRecord {
        &self.nodes[&number]
    }

    pub(crate) fn node_mut(&mut self, number: NodeNumber) -> &mut NodeRecord {
        self.nodes.get_mut(&number).expect("numbers are those of nodes that there are")
    }

    fn group(&self, number: NodeNumber) -> &Group {
        &self.groups[&self.node(number).group]
    }

    fn group_mut(&mut self, number: NodeNumber) -> &mut Group {
        let group = self.node(number).group;
        self.groups.get_mut(&group).expect("every node is in a group")
    }

    fn new_group(&mut self) -> u32 {
        self.next_group += 1;
        self.groups.insert(self.next_group, Group::default());
        self.next_group
    }

    /// All nodes, whoever knows them.
    pub(crate) fn all(&self) -> impl Iterator<Item = (NodeNumber, &NodeRecord)> {
        self.nodes.iter().map(|(&number, node)| (number, node))
    }

    /// Gives a node the epoch that it had.
    pub(crate) fn restore_epoch(&mut self, number: NodeNumber, epoch: u64) {
        self.node_mut(number).epoch = epoch;
        let group = self.group_mut(number);
        group.epoch = group.epoch.max(epoch);
    }

    /// The nodes that a node knows, itself included, in the order in which they came.
    pub fn known(&self, number: NodeNumber) -> impl Iterator<Item = (NodeNumber, &NodeRecord)> {
        let group = self.node(number).group;
        self.nodes.iter().filter(move |(_, node)| node.group == group).map(|(&number, node)| (number, node))
    }

    /// The nodes that a node knows, itself excluded: all that run, or those that have the same keys.
    pub(crate) fn others(&self, number: NodeNumber, same_shard: bool) -> Vec<Arc<Node>> {
        let shard_id = &self.node(number).shard_id;
        self.known(number)
            .filter(|(other, node)| *other != number && (!same_shard || node.shard_id == *shard_id))
            .filter_map(|(_, node)| node.member.upgrade()?.node())
            .collect()
    }

    /// The replicas of a node.
    pub fn replicas(&self, number: NodeNumber) -> impl Iterator<Item = (NodeNumber, &NodeRecord)> {
        self.known(number).filter(move |(_, node)| node.role == Role::Replica(number))
    }

    /// The node that another one knows by an id.
    pub fn find_known(&self, number: NodeNumber, id: &[u8]) -> Option<NodeNumber> {
        self.find(self.node(number).group, std::str::from_utf8(id).ok()?)
    }

    fn find(&self, group: u32, id: &str) -> Option<NodeNumber> {
        let mut nodes = self.nodes.iter().filter(|(_, node)| node.group == group);
        nodes.find(|(_, node)| node.id == id).map(|(&number, _)| number)
    }

    /// The node that serves a slot, as a node knows it.
    pub fn owner(&self, number: NodeNumber, slot: u16) -> Option<NodeNumber> {
        let owner = self.group(number).owners[usize::from(slot)];
        owner.filter(|_| !self.node(number).disowned.contains(&slot))
    }

    /// The slots of each node that one knows, in ranges: first, last and owner.
    pub fn ranges(&self, number: NodeNumber) -> Vec<(u16, u16, NodeNumber)> {
        let mut ranges: Vec<(u16, u16, NodeNumber)> = Vec::new();
        let (owners, disowned) = (&self.group(number).owners, &self.node(number).disowned);
        for slot in 0..SLOTS {
            let owner = owners[usize::from(slot)].filter(|_| !disowned.contains(&slot));
            let Some(owner) = owner else { continue };
            match ranges.last_mut() {
                Some((_, last, own)) if *own == owner && *last + 1 == slot => *last = slot,
                _ => ranges.push((slot, slot, owner)),
            }
        }
        ranges
    }

    /// The highest epoch that a node has heard of.
    pub fn current_epoch(&self, number: NodeNumber) -> u64 {
        self.group(number).epoch
    }

    /// How a node sees a slot that another one of its group, if any, serves.
    fn view_of(number: NodeNumber, node: &NodeRecord, owner: Option<NodeNumber>, slot: u16) -> View {
        match owner.filter(|_| !node.disowned.contains(&slot)) {
            Some(owner) if owner == number && node.migrating.contains_key(&slot) => View::Migrating,
            Some(owner) if owner == number => View::Mine,
            _ if node.importing.contains_key(&slot) => View::Importing,
            Some(owner) if node.role == Role::Replica(owner) => View::Masters,
            Some(_) => View::Elsewhere,
            None => View::Unassigned,
        }
    }

    /// Computes anew all that depends on the parts of the nodes that a node knows.
    pub(crate) fn rejoin(&mut self, number: NodeNumber) {
        let group = self.node(number).group;
        self.refresh(group);
    }

    /// A node, if it runs.
    pub(crate) fn running(&self, number: NodeNumber) -> Option<Arc<Node>> {
        self.nodes.get(&number)?.member.upgrade()?.node()
    }

    /// Has a node repeat the changes of another one, which is a master.
    pub(crate) fn follow(&mut self, number: NodeNumber, master: NodeNumber) {
        let shard_id = self.node(master).shard_id.clone();
        let node = self.node_mut(number);
        node.role = Role::Replica(master);
        node.shard_id = shard_id;
        self.rejoin(number);
    }

    /// Computes how the nodes of a group see some slots.
    fn refresh_slots(&self, group: u32, slots: std::ops::Range<u16>) {
        let Some(own) = self.groups.get(&group) else { return };
        for (&number, node) in self.nodes.iter().filter(|(_, node)| node.group == group) {
            let Some(member) = node.member.upgrade() else { continue };
            for slot in slots.clone() {
                member.set_view(slot, Self::view_of(number, node, own.owners[usize::from(slot)], slot));
            }
        }
    }

    /// Computes how the nodes of a group see a slot.
    fn refresh_slot(&mut self, group: u32, slot: u16) {
        self.refresh_slots(group, slot..slot + 1);
    }

    /// Computes how the nodes of a group see all slots, and whether it can serve.
    fn refresh(&mut self, group: u32) {
        self.refresh_slots(group, 0..SLOTS);
        self.refresh_health(group);
    }

    /// Computes whether a group can serve.
    fn refresh_health(&mut self, group: u32) {
        let Some(own) = self.groups.get(&group) else { return };
        let is_up = |number: &NodeNumber| self.nodes.get(number).is_some_and(|node| !node.is_down);
        let covered = own.owners.iter().all(|owner| owner.as_ref().is_some_and(is_up));
        let masters: BTreeSet<NodeNumber> = own.owners.iter().flatten().copied().collect();
        let reachable = masters.iter().filter(|number| is_up(number)).count();
        let has_majority = reachable > masters.len() / 2 || masters.is_empty();
        for node in self.nodes.values().filter(|node| node.group == group) {
            if let Some(member) = node.member.upgrade() {
                member.set_health(covered, has_majority);
            }
        }
    }

    /// Has a node serve a slot, whoever did before. Gives who that was. [`Groups::assigned`] is to follow.
    pub(crate) fn assign(&mut self, slot: u16, to: NodeNumber) -> Option<NodeNumber> {
        let before = self.group_mut(to).owners[usize::from(slot)].replace(to);
        self.node_mut(to).importing.remove(&slot);
        self.settle(slot, to);
        before
    }

    /// Has a node serve many slots, whoever did before, and computes all that depends on it.
    pub(crate) fn assign_all(&mut self, slots: impl Iterator<Item = u16>, to: NodeNumber) {
        let group = self.node(to).group;
        for slot in slots {
            self.group_mut(to).owners[usize::from(slot)] = Some(to);
        }
        let owners = self.group(to).owners.clone();
        for (&number, node) in self.nodes.iter_mut().filter(|(_, node)| node.group == group) {
            let serves = |slot: &u16| owners[usize::from(*slot)] == Some(number);
            node.migrating.retain(|slot, _| serves(slot));
            node.importing.retain(|slot, _| !serves(slot));
            node.disowned.retain(|slot| owners[usize::from(*slot)] != Some(to));
        }
        self.refresh(group);
    }

    /// Computes whether the nodes that a node knows can serve: to be called when slots have been given.
    pub(crate) fn assigned(&mut self, number: NodeNumber) {
        let group = self.node(number).group;
        self.refresh_health(group);
    }

    /// Forgets what nodes were told of a slot whose owner has changed.
    fn settle(&mut self, slot: u16, number: NodeNumber) {
        let group = self.node(number).group;
        let owner = self.group(number).owners[usize::from(slot)];
        for (&number, node) in self.nodes.iter_mut().filter(|(_, node)| node.group == group) {
            node.disowned.remove(&slot);
            if owner != Some(number) {
                node.migrating.remove(&slot);
            }
        }
        self.refresh_slot(group, slot);
    }

    /// Has a node serve slots that nobody serves as far as it knows. Gives those who served them all the same, and which.
    ///
    /// # Errors
    /// [`Refusal::Busy`], and then nothing has changed.
    pub(crate) fn claim(
        &mut self,
        slots: &[u16],
        to: NodeNumber,
    ) -> Result<BTreeMap<NodeNumber, Vec<u16>>, Refusal> {
        if let Some(&slot) = slots.iter().find(|&&slot| self.owner(to, slot).is_some()) {
            return Err(Refusal::Busy(slot));
        }
        let mut losers: BTreeMap<NodeNumber, Vec<u16>> = BTreeMap::new();
        for &slot in slots {
            if let Some(loser) = self.group(to).owners[usize::from(slot)] {
                losers.entry(loser).or_default().push(slot);
            }
        }
        self.assign_all(slots.iter().copied(), to);
        Ok(losers)
    }

    /// Has a node forget who serves slots. Where it serves them itself, nobody does afterwards.
    ///
    /// # Errors
    /// [`Refusal::Unassigned`], and then nothing has changed.
    pub(crate) fn disclaim(&mut self, slots: &[u16], number: NodeNumber) -> Result<(), Refusal> {
        if let Some(&slot) = slots.iter().find(|&&slot| self.owner(number, slot).is_none()) {
            return Err(Refusal::Unassigned(slot));
        }
        for &slot in slots {
            if self.owner(number, slot) == Some(number) {
                self.group_mut(number).owners[usize::from(slot)] = None;
                self.settle(slot, number);
            } else {
                self.node_mut(number).disowned.insert(slot);
                let group = self.node(number).group;
                self.refresh_slot(group, slot);
            }
        }
        self.assigned(number);
        Ok(())
    }

    /// The slots that a node serves.
    pub(crate) fn slots_of(&self, number: NodeNumber) -> Vec<u16> {
        let owners = &self.group(number).owners;
        let disowned = &self.node(number).disowned;
        (0..SLOTS)
            .filter(|slot| owners[usize::from(*slot)] == Some(number) && !disowned.contains(slot))
            .collect()
    }

    /// Says that a slot of a node is leaving, or coming.
    pub(crate) fn mark(&mut self, slot: u16, number: NodeNumber, leaves: bool, other: NodeNumber) {
        let node = self.node_mut(number);
        let moves = if leaves { &mut node.migrating } else { &mut node.importing };
        moves.insert(slot, other);
        let group = node.group;
        self.refresh_slot(group, slot);
    }

    /// Says that a slot of a node neither leaves nor comes.
    pub(crate) fn unmark(&mut self, slot: u16, number: NodeNumber) {
        let node = self.node_mut(number);
        node.migrating.remove(&slot);
        node.importing.remove(&slot);
        let group = node.group;
        self.refresh_slot(group, slot);
    }

    /// Gives a node the highest epoch, unless it has it. Whether it had not.
    pub(crate) fn bump_epoch(&mut self, number: NodeNumber) -> bool {
        let highest = self.known(number).map(|(_, node)| node.epoch).max().unwrap_or(0);
        let group = self.group_mut(number);
        let highest = highest.max(group.epoch);
        let own = self.node(number).epoch;
        if own != 0 && own == highest {
            return false;
        }
        let epoch = highest + 1;
        self.group_mut(number).epoch = epoch;
        self.node_mut(number).epoch = epoch;
        true
    }

    /// Gives a node that knows no others an epoch.
    ///
    /// # Errors
    /// [`Refusal::NotAlone`], [`Refusal::HasAnEpoch`]
    pub(crate) fn set_epoch(&mut self, number: NodeNumber, epoch: u64) -> Result<(), Refusal> {
        if self.known(number).count() > 1 {
            return Err(Refusal::NotAlone);
        }
        if self.node(number).epoch != 0 {
            return Err(Refusal::HasAnEpoch);
        }
        self.node_mut(number).epoch = epoch;
        let group = self.group_mut(number);
        group.epoch = group.epoch.max(epoch);
        Ok(())
    }

    /// Has all nodes of a group forget one of them, which from then on knows nobody but keeps its slots.
    ///
    /// # Errors
    /// [`Refusal::Myself`], [`Refusal::MyMaster`], [`Refusal::UnknownNode`]
    pub(crate) fn forget(&mut self, number: NodeNumber, id: &[u8]) -> Result<(), Refusal> {
        let Some(other) = self.find_known(number, id) else {
            let id = String::from_utf8_lossy(id);
            let forgotten = self.group(number).forgotten.contains(&*id);
            return if forgotten { Ok(()) } else { Err(Refusal::UnknownNode) };
        };
        if other == number {
            return Err(Refusal::Myself);
        }
        if self.node(number).role == Role::Replica(other) {
            return Err(Refusal::MyMaster);
        }
        let id = self.node(other).id.clone();
        self.group_mut(number).forgotten.insert(id);
        self.expel(other);
        Ok(())
    }

    /// Puts a node into a group of its own.
    fn expel(&mut self, number: NodeNumber) {
        let old = self.node(number).group;
        let slots = self.slots_of(number);
        let group = self.new_group();
        let epoch = self.groups[&old].epoch;
        for &slot in &slots {
            self.group_mut(number).owners[usize::from(slot)] = None;
        }
        self.node_mut(number).group = group;
        self.group_mut(number).epoch = epoch;
        for &slot in &slots {
            self.group_mut(number).owners[usize::from(slot)] = Some(number);
        }
        let node = self.node_mut(number);
        node.migrating.clear();
        node.importing.clear();
        node.disowned.clear();
        for node in self.nodes.values_mut().filter(|node| node.group == old) {
            node.migrating.retain(|_, other| *other != number);
            node.importing.retain(|_, other| *other != number);
            if node.role == Role::Replica(number) {
                node.role = Role::Master;
            }
        }
        if self.nodes.values().all(|node| node.group != old) {
            self.groups.remove(&old);
        }
        self.refresh(old);
        self.refresh(group);
    }

    /// Has a node forget all others, and its slots. Its id, if it is a new one, and its epochs go as well.
    pub(crate) fn reset(&mut self, number: NodeNumber, id: Option<String>) {
        self.expel(number);
        let group = self.node(number).group;
        self.group_mut(number).owners.fill(None);
        let node = self.node_mut(number);
        node.role = Role::Master;
        if let Some(id) = id {
            node.id = id;
            node.epoch = 0;
            self.group_mut(number).epoch = 0;
        }
        self.refresh(group);
    }

    /// Has a node and the one that listens on a port know each other, and all that either knows. Whether there is one.
    pub(crate) fn meet(&mut self, number: NodeNumber, port: u16) -> bool {
        let other = self.nodes.values().find(|node| node.port == port).map(|node| node.group);
        let own = self.node(number).group;
        let Some(other) = other else { return false };
        if other == own {
            return true;
        }
        let Some(theirs) = self.groups.remove(&other) else { return false };
        for node in self.nodes.values_mut().filter(|node| node.group == other) {
            node.group = own;
        }
        let epoch_of = |owner: Option<NodeNumber>| owner.map(|owner| self.nodes[&owner].epoch);
        let group = self.groups.get_mut(&own).expect("every node is in a group");
        group.epoch = group.epoch.max(theirs.epoch);
        // Where both have somebody serve a slot, the later epoch counts.
        for (mine, their) in group.owners.iter_mut().zip(theirs.owners) {
            if epoch_of(their) > epoch_of(*mine) {
                *mine = their;
            }
        }
        let owners = group.owners.clone();
        for (&number, node) in self.nodes.iter_mut().filter(|(_, node)| node.group == own) {
            node.migrating.retain(|slot, _| owners[usize::from(*slot)] == Some(number));
            node.importing.retain(|slot, _| owners[usize::from(*slot)] != Some(number));
        }
        let ids: Vec<String> = self.known(number).map(|(_, node)| node.id.clone()).collect();
        let group = self.group_mut(number);
        group.forgotten.retain(|id| !ids.contains(id));
        // No two nodes have the same epoch.
        let mut epochs = BTreeSet::new();
        let numbers: Vec<_> = self.known(number).map(|(number, _)| number).collect();
        for number in numbers {
            let epoch = self.node(number).epoch;
            if epoch != 0 && !epochs.insert(epoch) {
                self.bump_epoch(number);
                epochs.insert(self.node(number).epoch);
            }
        }
        self.refresh(own);
        true
    }
}

impl NodeRecord {
    /// The address that a client is told which has come by `local`: one by which it can reach this node too.
    pub fn ip(&self, local: IpAddr) -> String {
        if !self.announced_ip.is_empty() {
            self.announced_ip.clone()
        } else {
            local.to_canonical().to_string()
        }
    }

    /// The port that clients are told.
    pub fn told_port(&self) -> u16 {
        if self.announced_port > 0 { self.announced_port } else { self.port }
    }

    /// The port of a bus that they are told, though nobody listens there.
    pub fn told_bus_port(&self) -> u16 {
        if self.announced_bus_port > 0 { self.announced_bus_port } else { self.port.wrapping_add(10_000) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The nodes see every slot as the map says.
    fn check_invariants(map: &ClusterMap, members: &[Arc<Member>]) {
        map.look(|groups| {
            for member in members {
                for slot in 0..SLOTS {
                    let owner = groups.group(member.number).owners[usize::from(slot)];
                    let view = Groups::view_of(member.number, groups.node(member.number), owner, slot);
                    assert_eq!(member.view(slot), view, "slot {slot}");
                }
                let node = groups.node(member.number);
                for slot in node.migrating.keys() {
                    assert_eq!(groups.group(member.number).owners[usize::from(*slot)], Some(member.number));
                }
                assert!(node.epoch <= groups.current_epoch(member.number));
                if let Role::Replica(master) = node.role {
                    assert_eq!(groups.node(master).role, Role::Master);
                    assert!(groups.slots_of(member.number).is_empty());
                }
            }
        });
    }

    #[test]
    fn views_are_what_the_map_says_whatever_is_done() {
        let map: Arc<ClusterMap> = Arc::default();
        let members: Vec<_> =
            (0..4).map(|number| map.add(id_of(&number.to_string()), id_of("s"), None, true)).collect();
        for (port, member) in (7000..).zip(&members) {
            member.announce(|record| record.port = port);
        }
        let mut seed = 7_u64;
        let mut draw = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        for step in 0..300 {
            let (own, other) = (draw(4) as NodeNumber, draw(4) as NodeNumber);
            let slots: Vec<u16> =
                (0..1 + draw(5)).map(|_| draw(20) as u16).collect::<BTreeSet<_>>().into_iter().collect();
            let (slot, kind) = (slots[0], draw(12));
            map.change(|groups| {
                let is_master = groups.node(own).role == Role::Master;
                let knows = groups.known(own).any(|(number, _)| number == other);
                let other_is_master = groups.node(other).role == Role::Master;
                match kind {
                    0..=2 if is_master => _ = groups.claim(&slots, own),
                    3 => _ = groups.disclaim(&slots, own),
                    4 if is_master && knows && groups.owner(own, slot) == Some(own) => {
                        groups.mark(slot, own, true, other)
                    }
                    5 if is_master && knows && groups.owner(own, slot) != Some(own) => {
                        groups.mark(slot, own, false, other)
                    }
                    6 => groups.unmark(slot, own),
                    7 if knows && other_is_master => {
                        groups.assign(slot, other);
                        groups.assigned(other);
                    }
                    8 => _ = groups.bump_epoch(own),
                    9 if step % 5 == 0 => _ = groups.forget(own, id_of(&other.to_string()).as_bytes()),
                    10 => _ = groups.meet(own, 7000 + other),
                    11 if step % 7 == 0 => groups.reset(own, None),
                    _ => {}
                }
            });
            if step % 10 == 0 {
                check_invariants(&map, &members);
            }
        }
        (1..4).for_each(|other| map.change(|groups| _ = groups.meet(0, 7000 + other)));
        let text = map.export();
        let again: Arc<ClusterMap> = Arc::default();
        let members: Vec<_> =
            (0..4).map(|number| again.add(id_of(&number.to_string()), id_of("s"), None, true)).collect();
        assert!(again.import(&text));
        check_invariants(&again, &members);
        assert_eq!(again.export(), text);
        assert!(!again.import("nonsense") && !again.import(""));
    }

    #[test]
    fn a_replica_takes_all_that_its_master_had() {
        let map: Arc<ClusterMap> = Arc::default();
        let master = map.add(id_of("m"), id_of("s"), None, true);
        let replicas: Vec<_> =
            ["a", "b"].map(|name| map.add(id_of(name), id_of("s"), Some(&id_of("m")), true)).into();
        map.divide(&[&id_of("m")]);
        assert_eq!(replicas.iter().map(|member| member.view(7)).collect::<Vec<_>>(), [View::Masters; 2]);
        map.change(|groups| groups.promote(replicas[1].number));
        let views = [&master, &replicas[0], &replicas[1]].map(|member| member.view(7));
        assert_eq!(views, [View::Masters, View::Masters, View::Mine]);
        map.look(|groups| {
            assert_eq!(groups.node(master.number).role, Role::Replica(replicas[1].number));
            assert_eq!(groups.node(replicas[1].number).epoch, groups.current_epoch(master.number));
        });
        check_invariants(&map, &[master, replicas[0].clone(), replicas[1].clone()]);
        let text = map.export();
        assert!(map.import(&text) && map.export() == text);
    }
}
