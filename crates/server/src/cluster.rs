//! The nodes of a cluster, all in this process: they share the map of its slots.
//!
//! A master that is stopped hands over to one of its replicas first, so nothing that it has answered is lost.

use crate::clock::Clock;
use crate::node::{Order, Running, StartError};
use crate::takeover::take_over;
use crate::workers::Workers;
use engine::cluster::{ClusterMap, Seat, id_of};
use std::net::SocketAddr;
use std::sync::Arc;

/// What a cluster is to be.
#[derive(Clone, Debug)]
pub struct ClusterOrder {
    /// What its nodes have in common. The address is that of the first: the others get the next ports that are free, or
    /// any if it is port zero. Directories of nodes lie below the directory that is given.
    pub nodes: Order,
    /// Distinguishes its nodes from those of other clusters; they have the same ids whenever they are started.
    pub name: String,
    /// How many masters share the slots.
    pub masters: usize,
    /// How many replicas each has.
    pub replicas: usize,
}

/// A master has no reason to wait for further replicas before it sends its keys: there are as many as there will be.
const AT_ONCE: [&str; 2] = ["repl-diskless-sync-delay", "0"];

/// A cluster that listens.
#[derive(Debug)]
pub struct Cluster {
    map: Arc<ClusterMap>,
    clock: Arc<Clock>,
    /// The masters in the order of their slots, then their replicas in the same order; with their ids.
    nodes: Vec<(String, Option<Running>)>,
}

impl Cluster {
    /// Starts the nodes of a cluster. Ports for which `is_free` does not hold are left out.
    ///
    /// # Errors
    /// [`StartError`], and then no node is left. That the first port is in use is an error, too.
    pub fn start(
        workers: &Arc<Workers>,
        clock: &Arc<Clock>,
        order: &ClusterOrder,
        is_free: impl Fn(u16) -> bool,
    ) -> Result<Cluster, StartError> {
        let map: Arc<ClusterMap> = Arc::default();
        let mut cluster = Cluster { map: Arc::clone(&map), clock: Arc::clone(clock), nodes: Vec::new() };
        let id = |what: &str, number: usize| id_of(&format!("{} {what} {number}", order.name));
        let mut address = order.nodes.address;
        let mut config = vec![AT_ONCE.map(str::to_owned).into()];
        config.extend(order.nodes.config.iter().cloned());
        for number in 0..order.masters * (1 + order.replicas) {
            let master = number % order.masters;
            let seat = Seat {
                map: Arc::clone(&map),
                id: id("node", number),
                shard_id: id("shard", master),
                replica_of: (number >= order.masters).then(|| id("node", master)),
            };
            let node = |address: SocketAddr| Order {
                address,
                seed: order.nodes.seed.wrapping_add(number as u64),
                directory: order.nodes.directory.as_ref().map(|below| below.join(number.to_string())),
                config: config.clone(),
                seat: Some(seat.clone()),
                ..order.nodes.clone()
            };
            let running = loop {
                match Running::start(workers, clock, &node(address)) {
                    Err(StartError::PortInUse(_)) if number > 0 && address.port() < u16::MAX => {
                        next(&mut address, &is_free);
                    }
                    started => break started?,
                }
            };
            cluster.nodes.push((seat.id, Some(running)));
            if address.port() != 0 {
                next(&mut address, &is_free);
            }
        }
        let ids: Vec<&str> = cluster.nodes[..order.masters].iter().map(|(id, _)| id.as_str()).collect();
        map.divide(&ids);
        Ok(cluster)
    }

    /// Its nodes that run: the masters that there were in the beginning, in the order of their slots, and the replicas.
    pub fn nodes(&self) -> impl Iterator<Item = (usize, &Running)> {
        self.nodes.iter().enumerate().filter_map(|(number, (_, running))| Some((number, running.as_ref()?)))
    }

    /// Stops a node, by its number; a master hands over to one of its replicas first. It is known as one that has failed
    /// afterwards.
    pub async fn stop_node(&mut self, number: usize) {
        let Some((id, running)) = self.nodes.get_mut(number).map(|(id, running)| (id.clone(), running))
        else {
            return;
        };
        let Some(running) = running.take() else { return };
        self.hand_over(&running).await;
        self.map.set_down(&id, true);
        running.stop().await;
    }

    /// Has the best replica of a node take its place, if it has replicas.
    async fn hand_over(&self, master: &Running) {
        let follows = |node: &&Running| {
            let member = node.node().member.as_ref();
            member.and_then(|member| member.master()).is_some_and(|own| Arc::ptr_eq(&own, master.node()))
        };
        let best = self
            .nodes()
            .map(|(_, node)| node)
            .filter(follows)
            .max_by_key(|node| node.node().replicas.offset());
        let Some(replica) = best.map(|best| Arc::clone(best.node())) else { return };
        let clock = Arc::clone(&self.clock);
        // It does so as well as it can; what is left is for the clients to see.
        let _ = tokio::task::spawn_blocking(move || take_over(&replica, &clock, false)).await;
    }

    /// All nodes that run, to be stopped one by one.
    pub fn into_nodes(self) -> impl Iterator<Item = Running> {
        self.nodes.into_iter().filter_map(|(_, running)| running)
    }
}

/// Goes on to the next port that may be had.
fn next(address: &mut SocketAddr, is_free: impl Fn(u16) -> bool) {
    let port = (address.port().saturating_add(1)..=u16::MAX).find(|&port| is_free(port));
    address.set_port(port.unwrap_or(u16::MAX));
}
