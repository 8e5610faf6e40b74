//! The nodes of a cluster, all in this process: they share the map of its slots.
//!
//! A master that is stopped hands over to one of its replicas first, so nothing that it has answered is lost.

use crate::clock::Clock;
use crate::node::{Order, Running, StartError};
use crate::takeover::take_over;
use crate::workers::Workers;
use engine::cluster::{ClusterMap, Seat, id_of};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use tokio::sync::Notify;

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
    /// The ports of the nodes after the first, as far as they are known.
    pub ports: Vec<u16>,
}

/// The file, in the directory of a cluster, that remembers who serves which slot.
const FILE: &str = "cluster-map";
/// So long after a change it is written, in ms: others may follow.
const SETTLE_MS: i64 = 50;
/// A master has no reason to wait for further replicas before it sends its keys: there are as many as there will be.
const AT_ONCE: [&str; 2] = ["repl-diskless-sync-delay", "0"];

/// A cluster that listens.
#[derive(Debug)]
pub struct Cluster {
    map: Arc<ClusterMap>,
    clock: Arc<Clock>,
    address: SocketAddr,
    /// Where it is remembered who serves which slot.
    file: Option<PathBuf>,
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
        let mut cluster = Cluster {
            map: Arc::clone(&map),
            clock: Arc::clone(clock),
            address: order.nodes.address,
            file: None,
            nodes: Vec::new(),
        };
        let id = |what: &str, number: usize| id_of(&format!("{} {what} {number}", order.name));
        let mut address = order.nodes.address;
        let mut config = vec![AT_ONCE.map(str::to_owned).into()];
        config.extend(order.nodes.config.iter().cloned());
        let file = order.nodes.directory.as_ref().map(|directory| directory.join(FILE));
        let remembered = file.as_ref().and_then(|file| std::fs::read_to_string(file).ok());
        for number in 0..order.masters * (1 + order.replicas) {
            let known = number.checked_sub(1).and_then(|at| order.ports.get(at));
            if let Some(&port) = known {
                address.set_port(port);
            }
            let master = number % order.masters;
            let seat = Seat {
                map: Arc::clone(&map),
                id: id("node", number),
                shard_id: id("shard", master),
                // What is remembered says who repeats whose changes.
                replica_of: (number >= order.masters && remembered.is_none()).then(|| id("node", master)),
            };
            let node = |address: SocketAddr| Order {
                address,
                seed: order.nodes.seed.wrapping_add(number as u64),
                directory: order.nodes.directory.as_ref().map(|below| below.join(number.to_string())),
                config: config.clone(),
                seat: Some(seat.clone()),
                ..order.nodes.clone()
            };
            if let Some(directory) = node(address).directory {
                std::fs::create_dir_all(&directory)
                    .map_err(|error| StartError::NoDirectory(directory, error))?;
            }
            let running = loop {
                match Running::start(workers, clock, &node(address)) {
                    Err(StartError::PortInUse(_))
                        if number > 0 && known.is_none() && address.port() < u16::MAX =>
                    {
                        next(&mut address, &is_free);
                    }
                    started => break started?,
                }
            };
            if number == 0 {
                cluster.address = running.address();
            }
            cluster.nodes.push((seat.id, Some(running)));
            if address.port() != 0 {
                next(&mut address, &is_free);
            }
        }
        match remembered.filter(|text| map.import(text)) {
            Some(_) => cluster.nodes().for_each(|(_, node)| {
                if let Some(member) = &node.node().member {
                    member.follow_blocking(node.node());
                }
            }),
            None => {
                let ids: Vec<&str> =
                    cluster.nodes[..order.masters].iter().map(|(id, _)| id.as_str()).collect();
                map.divide(&ids);
            }
        }
        if let Some(file) = file {
            remember(&map, &file);
            cluster.file = Some(file.clone());
            let changed = Arc::<Notify>::default();
            let told = Arc::clone(&changed);
            map.watch(move || told.notify_one());
            workers.next().spawn(keep(Arc::downgrade(&map), Arc::clone(clock), changed, file));
        }
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

    /// Where the first of its nodes listens, or listened.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// All nodes that run, to be stopped one by one.
    pub fn into_nodes(self) -> impl Iterator<Item = Running> {
        if let Some(file) = &self.file {
            remember(&self.map, file);
        }
        self.nodes.into_iter().filter_map(|(_, running)| running)
    }
}

/// Keeps the file up to date, until the map is gone.
async fn keep(map: Weak<ClusterMap>, clock: Arc<Clock>, changed: Arc<Notify>, file: PathBuf) {
    loop {
        changed.notified().await;
        // Slots move by the hundreds.
        clock.sleep_until(clock.wall_ms() + SETTLE_MS).await;
        let Some(map) = map.upgrade() else { return };
        let file = file.clone();
        let _ = tokio::task::spawn_blocking(move || remember(&map, &file)).await;
    }
}

/// Writes down what there is to remember of a map.
fn remember(map: &ClusterMap, file: &Path) {
    let draft = file.with_extension("tmp");
    let written = std::fs::write(&draft, map.export()).and_then(|()| std::fs::rename(&draft, file));
    if let Err(error) = written {
        tracing::error!("who serves which slot cannot be written to {}: {error}", file.display());
    }
}

/// Goes on to the next port that may be had.
fn next(address: &mut SocketAddr, is_free: impl Fn(u16) -> bool) {
    let port = (address.port().saturating_add(1)..=u16::MAX).find(|&port| is_free(port));
    address.set_port(port.unwrap_or(u16::MAX));
}
