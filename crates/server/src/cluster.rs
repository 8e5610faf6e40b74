//! The nodes of a cluster, all in this process: they share the map of its slots.

use crate::clock::Clock;
use crate::node::{Order, Running, StartError};
use crate::workers::Workers;
use engine::cluster::{ClusterMap, Seat, id_of};
use std::net::SocketAddr;
use std::path::PathBuf;
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
}

/// A cluster that listens.
#[derive(Debug)]
pub struct Cluster {
    map: Arc<ClusterMap>,
    nodes: Vec<Running>,
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
        let mut cluster = Cluster { map: Arc::clone(&map), nodes: Vec::new() };
        let mut address = order.nodes.address;
        for number in 0..order.masters {
            let id = |what: &str| id_of(&format!("{} {what} {number}", order.name));
            let seat =
                Seat { map: Arc::clone(&map), id: id("node"), shard_id: id("shard"), replica_of: None };
            let node = |address: SocketAddr| Order {
                address,
                seed: order.nodes.seed.wrapping_add(number as u64),
                directory: order
                    .nodes
                    .directory
                    .as_ref()
                    .map(|below: &PathBuf| below.join(number.to_string())),
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
            cluster.nodes.push(running);
            if address.port() != 0 {
                next(&mut address, &is_free);
            }
        }
        let ids: Vec<String> =
            (0..order.masters).map(|number| id_of(&format!("{} node {number}", order.name))).collect();
        map.divide(&ids.iter().map(String::as_str).collect::<Vec<_>>());
        Ok(cluster)
    }

    /// Its nodes: the masters, in the order of their slots.
    pub fn nodes(&self) -> &[Running] {
        &self.nodes
    }

    /// The same, to be stopped one by one.
    pub fn into_nodes(self) -> Vec<Running> {
        self.nodes
    }

    /// The map that they share.
    pub fn map(&self) -> &Arc<ClusterMap> {
        &self.map
    }
}

/// Goes on to the next port that may be had.
fn next(address: &mut SocketAddr, is_free: impl Fn(u16) -> bool) {
    let port = (address.port().saturating_add(1)..=u16::MAX).find(|&port| is_free(port));
    address.set_port(port.unwrap_or(u16::MAX));
}
