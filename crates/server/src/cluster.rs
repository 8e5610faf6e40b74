//! The nodes of a cluster, all in this process: they share the map of its slots.
//!
//! A master that is stopped hands over to one of its replicas first, so nothing that it has answered is lost. One that
//! fails is replaced by the replica that is furthest, and begins anew as a replica of that. That a node hangs is looked into
//! when a client is kept waiting by it.

use crate::clock::Clock;
use crate::configure::{Values, alike, configure, put};
use crate::node::{Order, Running, StartError};
use crate::pair::{AT_ONCE, DRAIN, FailoverError, Fault, catch_up, lives};
use crate::takeover::take_over;
use crate::watch::is_lifeless;
use crate::workers::Workers;
use engine::cluster::{ClusterMap, Seat, id_of};
use engine::{BadParameter, Node};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use structures::ranked::{Mutex, rank};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

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
/// So many nodes a cluster has at most.
const MOST_NODES: usize = 1_000;
/// So long after a change it is written, in ms: others may follow.
const SETTLE_MS: i64 = 50;

/// A cluster that listens; dropping it ends its nodes.
#[derive(Debug)]
pub struct Cluster {
    shared: Arc<Shared>,
    address: SocketAddr,
    watching: JoinHandle<()>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) workers: Arc<Workers>,
    pub(crate) clock: Arc<Clock>,
    /// What distinguishes it from other clusters.
    pub(crate) name: String,
    pub(crate) map: Arc<ClusterMap>,
    /// Where it is remembered who serves which slot.
    file: Option<PathBuf>,
    /// The masters in the order of their slots, then their replicas in the same order; what came later comes after them.
    pub(crate) nodes: Mutex<Vec<Place>, { rank::NODES }>,
    /// Held while a node is replaced.
    pub(crate) turning: tokio::sync::Mutex<()>,
    /// Notified when a node has stopped or may hang.
    pub(crate) suspicion: Arc<Notify>,
}

/// The place of a node.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) order: Order,
    pub(crate) id: String,
    pub(crate) running: Option<Running>,
    pub(crate) has_stopped: bool,
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
        let suspicion: Arc<Notify> = Arc::default();
        let file = order.nodes.directory.as_ref().map(|directory| directory.join(FILE));
        let remembered = file.as_ref().and_then(|file| std::fs::read_to_string(file).ok());
        let mut config = vec![AT_ONCE.map(str::to_owned).into()];
        config.extend(order.nodes.config.iter().cloned());
        let id = |what: &str, number: usize| id_of(&format!("{} {what} {number}", order.name));
        let mut places: Vec<Place> = Vec::new();
        let mut address = order.nodes.address;
        let ordered = order.masters * (1 + order.replicas);
        // One that ended while it got another form may have more nodes than it was ordered with.
        let known = remembered
            .as_ref()
            .map(|text| ClusterMap::remembered(text, (0..MOST_NODES).map(|number| id("node", number))));
        for number in 0..ordered.max(known.unwrap_or(0)) {
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
            let mut node = Order {
                seed: order.nodes.seed.wrapping_add(number as u64),
                directory: order.nodes.directory.as_ref().map(|below| below.join(number.to_string())),
                config: config.clone(),
                seat: Some(seat),
                ..order.nodes.clone()
            };
            let may_differ = number > 0 && known.is_none();
            let running = begin(workers, clock, &mut node, &mut address, may_differ, &is_free)?;
            running.suspect_to(&suspicion);
            let place =
                Place { order: node, id: id("node", number), running: Some(running), has_stopped: false };
            places.push(place);
            if address.port() != 0 {
                next(&mut address, &is_free);
            }
        }
        match remembered.filter(|text| map.import(text)) {
            Some(_) => places.iter().filter_map(|place| place.running.as_ref()).for_each(|running| {
                if let Some(member) = &running.node().member {
                    member.follow_blocking(running.node());
                }
            }),
            None => {
                let ids: Vec<&str> = places[..order.masters].iter().map(|place| place.id.as_str()).collect();
                map.divide(&ids);
            }
        }
        if let Some(file) = &file {
            remember(&map, file);
            let changed = Arc::<Notify>::default();
            let told = Arc::clone(&changed);
            map.watch(move || told.notify_one());
            workers.next().spawn(keep(Arc::downgrade(&map), Arc::clone(clock), changed, file.clone()));
        }
        let address = places.first().map_or(order.nodes.address, |place| place.order.address);
        let shared = Arc::new(Shared {
            workers: Arc::clone(workers),
            clock: Arc::clone(clock),
            name: order.name.clone(),
            map,
            file,
            nodes: Mutex::new(places),
            turning: tokio::sync::Mutex::new(()),
            suspicion,
        });
        let watching = workers.next().spawn(Arc::clone(&shared).watch());
        Ok(Cluster { shared, address, watching })
    }

    /// Where the first of its nodes listens, or listened.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where its nodes listen, the masters that there were in the beginning first.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.shared.nodes.lock().iter().map(|place| place.order.address).collect()
    }

    /// Its nodes that run, in the same order.
    pub fn nodes(&self) -> Vec<Arc<Node>> {
        let nodes = self.shared.nodes.lock();
        let running = nodes.iter().filter_map(|place| place.running.as_ref());
        running.map(|running| Arc::clone(running.node())).collect()
    }

    /// Has all nodes run with other values of these parameters from now on, and those that take their places.
    pub fn configure(&self, values: Values) -> impl Future<Output = Result<(), BadParameter>> + use<> {
        let shared = Arc::clone(&self.shared);
        async move {
            // A node that begins anew meanwhile would not know of it.
            let _turning = shared.turning.lock().await;
            let nodes: Vec<Arc<Node>> = {
                let places = shared.nodes.lock();
                let running = places.iter().filter_map(|place| place.running.as_ref());
                running.map(|running| Arc::clone(running.node())).collect()
            };
            configure(&alike(nodes, &values)).await?;
            shared.nodes.lock().iter_mut().for_each(|place| put(&mut place.order.config, &values));
            Ok(())
        }
    }

    /// Its nodes with the addresses at which they listen, or nothing for those that begin anew at the moment, in the same
    /// order.
    pub fn members(&self) -> Vec<(SocketAddr, Option<Arc<Node>>)> {
        let nodes = self.shared.nodes.lock();
        let node = |place: &Place| place.running.as_ref().map(|running| Arc::clone(running.node()));
        nodes.iter().map(|place| (place.order.address, node(place))).collect()
    }

    /// Waits until all have loaded the keys that they had when they ended.
    ///
    /// # Errors
    /// Why one has not, in a sentence.
    pub fn loaded(&self) -> impl Future<Output = Result<(), String>> + use<> {
        let nodes = self.shared.nodes.lock();
        let all: Vec<_> = nodes.iter().filter_map(|place| Some(place.running.as_ref()?.loaded())).collect();
        async move {
            for loaded in all {
                loaded.await?;
            }
            Ok(())
        }
    }

    /// Lets clients end the nodes, which they may not otherwise: for each, what is ready when one has asked for it.
    pub fn shut_down_asked(&self) -> Vec<impl Future<Output = ()> + use<>> {
        let nodes = self.shared.nodes.lock();
        nodes.iter().filter_map(|place| Some(place.running.as_ref()?.shut_down_asked())).collect()
    }

    /// Stops a node, by its number; a master hands over to one of its replicas first. It is known as one that has failed
    /// afterwards.
    pub async fn stop_node(&self, number: usize) {
        let _turning = self.shared.turning.lock().await;
        let (running, id) = {
            let mut nodes = self.shared.nodes.lock();
            let Some(place) = nodes.get_mut(number) else { return };
            (place.running.take(), place.id.clone())
        };
        let Some(running) = running else { return };
        if let Some(replica) = self.shared.best_replica(running.node()) {
            let clock = Arc::clone(&self.shared.clock);
            // It does so as well as it can; what is left is for the clients to see.
            let _ = tokio::task::spawn_blocking(move || take_over(&replica, &clock, false)).await;
        }
        self.shared.map.set_down(&id, true);
        running.stop().await;
    }

    /// Has the best replica of a shard's master take its place, without losing anything. Shards are counted from 0 in the
    /// order of their slots; without a number it is the first one that has replicas.
    ///
    /// # Errors
    /// [`FailoverError`]; then everything is as it was.
    pub fn failover(&self, shard: Option<usize>) -> impl Future<Output = Result<(), FailoverError>> + use<> {
        let shared = Arc::clone(&self.shared);
        async move {
            let _turning = shared.turning.try_lock().map_err(|_| FailoverError::Busy)?;
            let (_, replica) = shared.pair(shard)?;
            shared.promote(replica).await
        }
    }

    /// Has this replica take its master's place, as [`Cluster::failover`] has the best one.
    ///
    /// # Errors
    /// [`FailoverError`]; then everything is as it was.
    pub fn promote(&self, replica: Arc<Node>) -> impl Future<Output = Result<(), FailoverError>> + use<> {
        let shared = Arc::clone(&self.shared);
        async move {
            let _turning = shared.turning.try_lock().map_err(|_| FailoverError::Busy)?;
            shared.promote(replica).await
        }
    }

    /// Gives it another number of masters and of replicas of each, without losing a key. The first node keeps its port; new
    /// ones get ports for which `is_free` holds. Once begun it comes to its end, whoever still waits for it.
    ///
    /// # Errors
    /// What did not succeed, in a sentence. All keys are served then, by more nodes than were wanted.
    pub fn resize<F: Fn(u16) -> bool + Send + Sync + 'static>(
        &self,
        masters: usize,
        replicas: usize,
        is_free: F,
    ) -> impl Future<Output = Result<(), String>> + Send + use<F> {
        let shared = Arc::clone(&self.shared);
        async move {
            let workers = Arc::clone(&shared.workers);
            let resized = workers
                .next()
                .spawn(async move { crate::reshard::reshard(&shared, masters, replicas, &is_free).await });
            resized.await.unwrap_or_else(|_| Err("it ended unexpectedly".to_owned()))
        }
    }

    /// Has a shard's master fail, to see what happens. Which one it is, [`Cluster::failover`] says.
    ///
    /// # Errors
    /// [`FailoverError`], if nobody can take its place.
    pub fn fail(&self, shard: Option<usize>, fault: Fault) -> Result<(), FailoverError> {
        let (number, _) = self.shared.pair(shard)?;
        let mut nodes = self.shared.nodes.lock();
        let place = &mut nodes[number];
        let Some(running) = &place.running else { return Err(FailoverError::NoStandby) };
        match fault {
            Fault::Hang => running.node().pause.hang(running.node()),
            Fault::Stop => {
                running.cut_off();
                place.has_stopped = true;
                self.shared.suspicion.notify_one();
            }
        }
        Ok(())
    }

    /// Ends all nodes, and waits until their ports are free.
    pub async fn stop(self) {
        for running in self.end().await {
            running.stop().await;
        }
    }

    /// The same; then saves the keys, as [`Running::stop_and_save`] does. Whether nothing has been lost.
    pub async fn stop_and_save(self, always: bool) -> bool {
        let saving = self.end().await.into_iter().map(|running| running.stop_and_save(always));
        let saved = saving.collect::<tokio::task::JoinSet<bool>>().join_all().await;
        saved.into_iter().all(|saved| saved)
    }

    /// Takes out all nodes that run, when nothing is going on with them.
    async fn end(self) -> Vec<Running> {
        let _turning = self.shared.turning.lock().await;
        self.watching.abort();
        if let Some(file) = &self.shared.file {
            remember(&self.shared.map, file);
        }
        self.shared.take_nodes()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.watching.abort();
        // What watches may be in the midst of something, and hold the nodes for a moment longer.
        drop(self.shared.take_nodes());
    }
}

impl Shared {
    /// Has a replica take its master's place without losing anything.
    async fn promote(&self, replica: Arc<Node>) -> Result<(), FailoverError> {
        if !replica.master.is_up() {
            return Err(FailoverError::NoStandby);
        }
        let clock = Arc::clone(&self.clock);
        let promoted = tokio::task::spawn_blocking(move || {
            take_over(&replica, &clock, false);
            replica.member.as_ref().is_some_and(|member| !member.is_replica())
        });
        if promoted.await.unwrap_or(false) { Ok(()) } else { Err(FailoverError::TooSlow) }
    }

    fn take_nodes(&self) -> Vec<Running> {
        self.nodes.lock().iter_mut().filter_map(|place| place.running.take()).collect()
    }

    /// The replica of a node that is furthest, if it has one that has ever been in step.
    fn best_replica(&self, master: &Arc<Node>) -> Option<Arc<Node>> {
        let nodes = self.nodes.lock();
        let follows = |node: &&Arc<Node>| {
            let member = node.member.as_ref();
            let own = member.and_then(|member| member.master());
            own.is_some_and(|own| Arc::ptr_eq(&own, master)) && !node.master.state().never_up()
        };
        let running = nodes.iter().filter_map(|place| Some(place.running.as_ref()?.node()));
        running.filter(follows).max_by_key(|node| node.replicas.offset()).cloned()
    }

    /// The number of a shard's master, and the best of its replicas; without a shard, of the first one that has replicas.
    fn pair(&self, shard: Option<usize>) -> Result<(usize, Arc<Node>), FailoverError> {
        let mut masters: Vec<(u16, usize, Arc<Node>, bool)> = {
            let nodes = self.nodes.lock();
            let master = |(number, place): (usize, &Place)| {
                let node = place.running.as_ref()?.node();
                let first_slot = node.member.as_ref()?.first_slot()?;
                Some((first_slot, number, Arc::clone(node), place.has_stopped))
            };
            // While a replica takes over, its slots would be seen with both or with neither.
            self.map.look(|_| nodes.iter().enumerate().filter_map(master).collect())
        };
        masters.sort_by_key(|(first_slot, ..)| *first_slot);
        let best = |(_, number, master, has_stopped): (u16, usize, Arc<Node>, bool)| {
            // One that has stopped keeps its number until it has been replaced.
            if has_stopped { None } else { Some((number, self.best_replica(&master)?)) }
        };
        match shard {
            Some(shard) if shard >= masters.len() => Err(FailoverError::NoShard),
            Some(shard) => best(masters.swap_remove(shard)).ok_or(FailoverError::NoStandby),
            None => masters.into_iter().find_map(best).ok_or(FailoverError::NoStandby),
        }
    }

    /// Looks after the nodes whenever something seems to be wrong with one of them.
    async fn watch(self: Arc<Self>) {
        loop {
            self.suspicion.notified().await;
            let count = self.nodes.lock().len();
            for number in 0..count {
                let (node, has_stopped) = {
                    let nodes = self.nodes.lock();
                    let Some(place) = nodes.get(number) else { continue };
                    let Some(running) = &place.running else { continue };
                    (Arc::clone(running.node()), place.has_stopped)
                };
                if has_stopped || is_lifeless(lives(&node)).await {
                    let _turning = self.turning.lock().await;
                    self.replace(number, node).await;
                }
            }
        }
    }

    /// Has a replica take the place of a node that has failed, which begins anew.
    async fn replace(&self, number: usize, failed: Arc<Node>) {
        let running =
            self.nodes.lock().get(number).and_then(|place| Some(Arc::clone(place.running.as_ref()?.node())));
        if !running.is_some_and(|node| Arc::ptr_eq(&node, &failed)) {
            // Somebody else has come to its place, or its place is gone.
            return;
        }
        if let Some(replica) = self.best_replica(&failed) {
            let caught_up = catch_up(&failed, &replica);
            let _ = tokio::time::timeout(DRAIN, caught_up).await;
            let taken = tokio::task::spawn_blocking(move || {
                if let Some(member) = &replica.member {
                    member.take_over_alone(&replica, true);
                }
            });
            let _ = taken.await;
        }
        drop(failed);
        let (running, order) = {
            let mut nodes = self.nodes.lock();
            let Some(place) = nodes.get_mut(number) else { return };
            tracing::warn!("the node at {} has stopped or hangs: it begins anew", place.order.address);
            let Some(running) = place.running.take() else { return };
            (running, place.order.clone())
        };
        let (workers, clock) = (Arc::clone(&self.workers), Arc::clone(&self.clock));
        let begun = tokio::task::spawn_blocking(move || running.begin_anew(&workers, &clock, &order)).await;
        match begun {
            Ok(Ok(running)) => {
                running.suspect_to(&self.suspicion);
                let mut nodes = self.nodes.lock();
                nodes[number].running = Some(running);
                nodes[number].has_stopped = false;
            }
            Ok(Err(error)) => tracing::error!("a node of the cluster does not begin anew: {error}"),
            Err(error) => tracing::error!("a node of the cluster does not begin anew: {error}"),
        }
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

/// Starts a node at an address or, if another port will do, at the next that is free.
pub(crate) fn begin(
    workers: &Arc<Workers>,
    clock: &Arc<Clock>,
    node: &mut Order,
    address: &mut SocketAddr,
    may_differ: bool,
    is_free: impl Fn(u16) -> bool,
) -> Result<Running, StartError> {
    if let Some(directory) = &node.directory {
        std::fs::create_dir_all(directory)
            .map_err(|error| StartError::NoDirectory(directory.clone(), error))?;
    }
    let running = loop {
        node.address = *address;
        match Running::start(workers, clock, node) {
            Err(StartError::PortInUse(_)) if may_differ && address.port() < u16::MAX => {
                next(address, &is_free);
            }
            started => break started?,
        }
    };
    node.address = running.address();
    Ok(running)
}

/// Goes on to the next port that may be had.
pub(crate) fn next(address: &mut SocketAddr, is_free: impl Fn(u16) -> bool) {
    let port = (address.port().saturating_add(1)..=u16::MAX).find(|&port| is_free(port));
    address.set_port(port.unwrap_or(u16::MAX));
}
