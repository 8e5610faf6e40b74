//! A proxy that listens, and the shards behind it, all in this process.
//!
//! Shards listen nowhere: the proxy's connections run commands on them; [`engine::proxy`] says which go where. Each may have
//! a standby, which reaches it by a connection of this process ([`crate::pair`]). When one takes its master's place, the
//! connections of the proxy drop, and whoever connects again finds all shards.
//!
//! Invariant: nobody is served while the place of a shard is empty.

use crate::clock::Clock;
use crate::configure::{Values, alike, configure};
use crate::connection::Place;
use crate::node::{Counter, Door, LAST_WORDS, Order, Resident, Service, StartError};
use crate::pair::{AT_ONCE, Couple, Entrance, FailoverError, Fault, Member};
use crate::workers::Workers;
use engine::proxy::{MAX_SHARDS, SILENT};
use engine::{BadParameter, Node};
use keyspace::slots::SLOTS;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use structures::ranked::{Mutex, rank};
use tokio::sync::watch;

/// Lock stripes of all shards together; each has some.
const STRIPES: usize = 64;
/// The most lock stripes of a shard.
const MOST_STRIPES: usize = 16;

/// What a proxy is to be.
#[derive(Clone, Debug)]
pub struct ProxyOrder {
    /// What its nodes have in common. The address is the proxy's. Directories of shards lie below the directory that is
    /// given. Shards divide the memory of which `maxmemory` speaks.
    pub nodes: Order,
    /// How many shards have the keys.
    pub shards: usize,
    /// How many standbys each shard has.
    pub standbys: usize,
}

/// A proxy that listens; dropping it ends its connections and, somewhat later, frees its port.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    front: Arc<Front>,
    /// The masters of the shards and their standbys, in the order of their slots.
    shards: Vec<Couple>,
    /// Ends its connections.
    stop: watch::Sender<()>,
}

/// What the clients of a proxy come to.
#[derive(Debug)]
struct Front {
    workers: Arc<Workers>,
    clock: Arc<Clock>,
    resident: Resident,
    /// The node on which sets are put together; it has threads of its own.
    _bench: Resident,
    /// Lock stripes of a shard.
    stripes: usize,
    state: Mutex<State, { rank::FRONT }>,
}

#[derive(Debug)]
struct State {
    proxy: Arc<engine::Proxy>,
    /// For each shard, whether its place is empty.
    vacant: Vec<bool>,
    /// The port, and what changes when connections are to end; nothing when they are.
    door: Option<(Door, watch::Receiver<()>)>,
}

/// The way by which clients come to a shard.
struct Gate {
    front: Arc<Front>,
    shard: usize,
}

impl Proxy {
    /// Starts a proxy and its shards; standbys follow when the shards have loaded their keys.
    ///
    /// # Errors
    /// [`StartError`], and then no node is left.
    pub fn start(
        workers: &Arc<Workers>,
        clock: &Arc<Clock>,
        order: &ProxyOrder,
    ) -> Result<Proxy, StartError> {
        let shards = order.shards.clamp(1, MAX_SHARDS);
        let door = Door::open(workers, order.nodes.address)?;
        let address = door.address();
        let stripes = (STRIPES / shards).next_power_of_two().clamp(1, MOST_STRIPES);
        let node = |number: usize, more: &[(&str, String)]| {
            let mut order = Order { directory: None, address, ..order.nodes.clone() };
            order.seed = order.seed.wrapping_add(number as u64);
            order.config.insert(0, AT_ONCE.map(str::to_owned).into());
            order.config.push(("cluster-enabled".into(), "no".into()));
            order.config.extend(more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
            order
        };
        let no = || ("appendonly", "no".to_owned());
        let front = Resident::made(workers, clock, &node(0, &[no()]), address, 1, engine::Proxy::lead)?;
        let memory = front.node.settings.maxmemory.load(Ordering::Relaxed);
        let mut residents = Vec::new();
        for number in 1..=shards {
            let own = memory.div_ceil(shards as u64).to_string();
            let mut shard = node(number, &[("maxmemory", own)]);
            shard.directory =
                order.nodes.directory.as_ref().map(|below| below.join((number - 1).to_string()));
            if let Some(directory) = &shard.directory {
                std::fs::create_dir_all(directory)
                    .map_err(|error| StartError::NoDirectory(directory.clone(), error))?;
            }
            let join = |node: &mut Node| engine::Proxy::join(&front.node, node);
            let resident = Resident::made(workers, clock, &shard, address, stripes, join)?;
            residents.push((shard, resident));
        }
        let unlimited = ("maxmemory", "0".to_owned());
        let join = |node: &mut Node| engine::Proxy::join(&front.node, node);
        let bench = node(shards + 1, &[unlimited, no()]);
        let bench = Resident::made(workers, clock, &bench, address, 1, join)?;
        let masters = residents.iter().map(|(_, resident)| &resident.node);
        let nodes = std::iter::once(&front.node).chain(masters).chain([&bench.node]).cloned().collect();
        let (stop, stopped) = watch::channel(());
        let front = Arc::new(Front {
            workers: Arc::clone(workers),
            clock: Arc::clone(clock),
            resident: front,
            _bench: bench,
            stripes,
            state: Mutex::new(State {
                proxy: Arc::new(engine::Proxy::new(nodes)),
                vacant: vec![false; shards],
                door: Some((door, stopped)),
            }),
        });
        front.serve(&front.state.lock());
        let standbys = order.standbys;
        let couple = |(shard, (order, resident))| {
            let gate = Box::new(Gate { front: Arc::clone(&front), shard });
            Couple::begin(workers, clock, order, resident, gate, standbys)
        };
        let shards = residents.into_iter().enumerate().map(couple).collect();
        Ok(Proxy { address, front, shards, stop })
    }

    /// The proxy's own node: clients and the configuration that they see.
    pub fn node(&self) -> &Arc<Node> {
        &self.front.resident.node
    }

    /// The nodes that have the keys.
    pub fn shards(&self) -> Vec<Arc<Node>> {
        self.front.state.lock().proxy.shards().to_vec()
    }

    /// Where keys are copied to that come from elsewhere.
    pub fn target(&self) -> crate::import::Target {
        crate::import::Target::Proxy(Arc::clone(&self.front.state.lock().proxy))
    }

    /// The shards, and for each slot the number of the one that has it, counted from 0.
    pub(crate) fn holders(&self) -> (Vec<Arc<Node>>, Vec<Option<usize>>) {
        let proxy = Arc::clone(&self.front.state.lock().proxy);
        (proxy.shards().to_vec(), (0..SLOTS).map(|slot| Some(proxy.shard_of(slot))).collect())
    }

    /// The standbys that there are at the moment, each with the number of its shard.
    pub fn standbys(&self) -> Vec<(usize, Arc<Node>)> {
        let shards = self.shards.iter().enumerate();
        let own =
            |(shard, couple): (usize, &Couple)| couple.standbys().into_iter().map(move |own| (shard, own));
        shards.flat_map(own).collect()
    }

    /// Has the proxy and its shards run with other values of these parameters from now on, and those that take their places.
    /// Shards divide the memory of which `maxmemory` speaks.
    pub fn configure(&self, values: Values) -> impl Future<Output = Result<(), BadParameter>> + use<> {
        let part = |bytes: u64| bytes.div_ceil(self.shards.len() as u64).to_string();
        let own = |(name, value): &(String, String)| match value.parse() {
            Ok(bytes) if name == "maxmemory" => (name.clone(), part(bytes)),
            _ => (name.clone(), value.clone()),
        };
        let shards: Values = values.iter().map(own).collect();
        let shards: Vec<_> =
            self.shards.iter().map(|couple| couple.configure(shards.clone(), &SILENT)).collect();
        let front = Arc::clone(self.node());
        async move {
            for configured in shards {
                configured.await?;
            }
            configure(&alike([front], &values)).await
        }
    }

    /// The masters and standbys of the shards, in the order of their slots.
    pub fn members(&self) -> Vec<Vec<Member>> {
        self.shards.iter().map(Couple::members).collect()
    }

    /// Has so many standbys follow each shard from now on. Done when they have all keys, and others have gone.
    pub fn keep_standbys(&self, wanted: usize) -> impl Future<Output = ()> + Send + use<> {
        let all: Vec<_> = self.shards.iter().map(|couple| couple.keep_standbys(wanted, &[])).collect();
        async move {
            for kept in all {
                kept.await;
            }
        }
    }

    /// How often standbys have taken their masters' places.
    pub fn failovers(&self) -> u64 {
        self.shards.iter().map(Couple::failovers).sum()
    }

    /// As [`crate::Running::loaded`], for all shards.
    ///
    /// # Errors
    /// Why the keys of a shard have not been loaded, in a sentence.
    pub fn loaded(&self) -> impl Future<Output = Result<(), String>> + use<> {
        let shards: Vec<_> = self.shards.iter().map(Couple::loaded).collect();
        async move {
            for loaded in shards {
                loaded.await?;
            }
            Ok(())
        }
    }

    /// Has a standby of a shard take its master's place, as [`crate::Pair::failover`] does. Shards are counted from 0 in the
    /// order of their slots; without a number it is the first.
    ///
    /// # Errors
    /// [`FailoverError`]; then everything is as it was.
    pub fn failover(
        &self,
        shard: Option<usize>,
        copy: Option<usize>,
    ) -> Result<impl Future<Output = Result<(), FailoverError>> + use<>, FailoverError> {
        Ok(self.shard(shard)?.failover(copy))
    }

    /// Has the master of a shard fail, to see what happens.
    ///
    /// # Errors
    /// [`FailoverError`], if there is nobody to take its place.
    pub fn fail(&self, shard: Option<usize>, fault: Fault) -> Result<(), FailoverError> {
        if self.shard(shard)?.fail(fault) { Ok(()) } else { Err(FailoverError::NoStandby) }
    }

    fn shard(&self, shard: Option<usize>) -> Result<&Couple, FailoverError> {
        self.shards.get(shard.unwrap_or(0)).ok_or(FailoverError::NoShard)
    }

    /// Ends its connections, and waits until its port is free.
    pub async fn stop(self) {
        let Proxy { front, shards, stop, .. } = self;
        drop(stop);
        for couple in shards {
            couple.end().await;
        }
        front.close().await;
    }

    /// As [`Proxy::stop`]; then saves the keys of each shard, as [`crate::Running::stop_and_save`] does. Whether
    /// nothing has been lost.
    pub async fn stop_and_save(self, always: bool) -> bool {
        let Proxy { front, shards, stop, .. } = self;
        stop.send_replace(());
        let mut masters = Vec::new();
        for couple in shards {
            masters.extend(couple.end().await);
        }
        front.close().await;
        // Connections end when they are looked at next, and what they have been answered is to be saved.
        if tokio::time::timeout(LAST_WORDS, stop.closed()).await.is_err() {
            tracing::warn!("{} connections were cut off", stop.receiver_count());
        }
        // One that fails keeps none of the others from being saved.
        let mut saved = true;
        for master in masters {
            master.hang_up().await;
            saved &= master.save(always).await;
        }
        saved
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Front {
    /// Has clients served, if all shards are there.
    fn serve(&self, state: &State) {
        let Some((door, stopped)) = &state.door else { return };
        if state.vacant.contains(&true) {
            return;
        }
        let place = Place { proxy: Some(Arc::clone(&state.proxy)), ..self.resident.place().clone() };
        door.serve(Some(Counter { service: Service::Redis(place), stopped: stopped.clone() }));
    }

    /// Waits until the port is free.
    async fn close(&self) {
        let door = self.state.lock().door.take();
        if let Some((door, _)) = door {
            door.close().await;
        }
    }
}

impl Entrance for Gate {
    fn close(&self) {
        let mut state = self.front.state.lock();
        state.vacant[self.shard] = true;
        if let Some((door, _)) = &state.door {
            door.serve(None);
        }
        state.proxy.end();
    }

    fn open(&self, master: &Resident) {
        let mut state = self.front.state.lock();
        state.proxy = Arc::new(state.proxy.with_shard(self.shard, Arc::clone(&master.node)));
        state.vacant[self.shard] = false;
        self.front.serve(&state);
    }

    fn stand_by(&self, order: &Order) -> Result<Resident, StartError> {
        let Front { workers, clock, resident, stripes, .. } = &*self.front;
        let mut order = order.clone();
        order.config.extend(SILENT.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let join = |node: &mut Node| engine::Proxy::join(&resident.node, node);
        Resident::made(workers, clock, &order, order.address, *stripes, join)
    }

    fn is_for_clients(&self) -> bool {
        true
    }
}
