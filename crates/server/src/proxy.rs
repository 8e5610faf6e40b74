//! A proxy that listens, and the shards behind it, all in this process.
//!
//! Shards listen nowhere: the proxy's connections run commands on them; [`engine::proxy`] says which go where.

use crate::clock::Clock;
use crate::connection::Place;
use crate::host::NodeHost;
use crate::node::{Counter, Door, LAST_WORDS, Order, StartError, load};
use crate::workers::Workers;
use engine::Node;
use engine::node::{Gates, Spec};
use engine::proxy::MAX_SHARDS;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
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
}

/// A proxy that listens; dropping it ends its connections and, somewhat later, frees its port.
#[derive(Debug)]
pub struct Proxy {
    proxy: Arc<engine::Proxy>,
    door: Door,
    /// Ends its connections.
    stop: watch::Sender<()>,
    /// Dropped with the proxy: timers end.
    _end: watch::Sender<()>,
    /// How loading has ended, by shard, when it has.
    loaded: Vec<watch::Receiver<Option<Result<(), String>>>>,
}

impl Proxy {
    /// Starts a proxy and its shards.
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
        let (end, ended) = watch::channel(());
        let mut hosts = Vec::new();
        let mut nodes: Vec<Node> = Vec::new();
        for number in 0..shards + 2 {
            let host = Arc::new(NodeHost::new(
                Arc::clone(clock),
                workers.next().clone(),
                workers.slots(),
                Arc::clone(workers.numbers()),
            ));
            let is_shard = (1..=shards).contains(&number);
            let mut config = order.nodes.config.clone();
            if let Some(front) = nodes.first() {
                let all = front.settings.maxmemory.load(Ordering::Relaxed);
                let own = if is_shard { all.div_ceil(shards as u64) } else { 0 };
                config.push(("maxmemory".into(), own.to_string()));
            }
            config.push(("cluster-enabled".into(), "no".into()));
            if !is_shard {
                config.push(("appendonly".into(), "no".into()));
            }
            let below = order.nodes.directory.as_ref().filter(|_| is_shard);
            let spec = Spec {
                release: order.nodes.release,
                shards: if is_shard { stripes } else { 1 },
                workers: workers.slots() + 1,
                seed: order.nodes.seed.wrapping_add(number as u64),
                address,
                config,
                directory: below.map(|below| below.join((number - 1).to_string())),
                seat: None,
            };
            if let Some(directory) = &spec.directory {
                std::fs::create_dir_all(directory)
                    .map_err(|error| StartError::NoDirectory(directory.clone(), error))?;
            }
            let node = Node::new(&spec, Arc::clone(&host) as Arc<dyn engine::Host>);
            nodes.push(node.map_err(StartError::BadParameter)?);
            hosts.push(host);
        }
        engine::Proxy::join(&mut nodes);
        let nodes: Vec<Arc<Node>> = nodes.into_iter().map(Arc::new).collect();
        for (node, host) in nodes.iter().zip(&hosts) {
            host.adopt(node, ended.clone());
        }
        let proxy = Arc::new(engine::Proxy::new(nodes));
        let loaded = proxy.shards().iter().map(|node| load(node, workers)).collect();
        let (stop, stopped) = watch::channel(());
        let place = Place {
            node: Arc::clone(proxy.front()),
            clock: Arc::clone(clock),
            numbers: Arc::clone(workers.numbers()),
            syncs: Arc::default(),
            proxy: Some(Arc::clone(&proxy)),
        };
        door.serve(Some(Counter { place, stopped }));
        Ok(Proxy { proxy, door, stop, _end: end, loaded })
    }

    /// The proxy's own node: clients and the configuration that they see.
    pub fn node(&self) -> &Arc<Node> {
        self.proxy.front()
    }

    /// The nodes that have the keys.
    pub fn shards(&self) -> &[Arc<Node>] {
        self.proxy.shards()
    }

    /// As [`crate::Running::loaded`], for all shards.
    ///
    /// # Errors
    /// Why the keys of a shard have not been loaded, in a sentence.
    pub fn loaded(&self) -> impl Future<Output = Result<(), String>> + use<> {
        let shards = self.loaded.clone();
        async move {
            for mut loaded in shards {
                let outcome = loaded.wait_for(Option::is_some).await.map(|outcome| (*outcome).clone());
                outcome.ok().flatten().unwrap_or_else(|| Err("loading broke off".to_owned()))?;
            }
            Ok(())
        }
    }

    /// Ends its connections, and waits until its port is free.
    pub async fn stop(self) {
        let Proxy { door, stop, .. } = self;
        drop(stop);
        door.close().await;
    }

    /// As [`Proxy::stop`]; then saves the keys of each shard, as [`crate::Running::stop_and_save`] does. Whether
    /// nothing has been lost.
    pub async fn stop_and_save(self, always: bool) -> bool {
        let Proxy { proxy, stop, door, .. } = self;
        stop.send_replace(());
        door.close().await;
        // Connections end when they are looked at next, and what they have been answered is to be saved.
        if tokio::time::timeout(LAST_WORDS, stop.closed()).await.is_err() {
            tracing::warn!("{} connections were cut off", stop.receiver_count());
        }
        let save = move || {
            let saved = proxy.shards().iter().map(|node| {
                if node.gates().contains(Gates::LOADING) {
                    // What has not been loaded is still where it was.
                    return true;
                }
                let closed = node.close_append_file();
                node.save_at_end(always) && closed.is_ok()
            });
            // One that fails keeps none of the others from being saved.
            saved.fold(true, |all, saved| all & saved)
        };
        tokio::task::spawn_blocking(save).await.unwrap_or(false)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.door.address()
    }
}
