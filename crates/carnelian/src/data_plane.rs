//! The data plane, attached: the only file of the program that knows what a node is made of.
//!
//! Nodes of all instances share the worker threads; `start` binds before it answers, and `ping` asks as a client does.

use std::collections::{BTreeSet, HashMap};
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use cloud::Pending;
use cloud::backup::{File, Format};
use cloud::data_plane::{
    DataPlane, Endpoint, FailoverError, Failure, NodeId, NodeSpec, OrderError, PingError, Port, ResizeError,
    StartError, Statistics,
};
use cloud::engine::{Engine, Release};
use cloud::instance::Access;
use cloud::migration::{Copying, Source};
use cloud::topology::Topology;
use cloud::whitelist::Whitelist;
use engine::table::{self, Table};
use parking_lot::Mutex;
use server::backup::Written;
use server::import::{Find, Target};
use server::{
    Admission, Clock, Cluster, ClusterOrder, Fault, Memcached, Order, Pair, Proxy, ProxyOrder, Running,
    Workers,
};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::copying;
use crate::deployed::{Deployed, memcached};
use crate::inspection;
use crate::reachable::reachable;
use crate::resize::Form;

/// The nodes of this process.
pub(crate) struct Nodes {
    bind: IpAddr,
    /// What clients of a cluster are told of its servers, if not where they came to.
    advertise: Option<String>,
    /// Below it each node has a directory of its own; without one nothing is written.
    files: Files,
    workers: Arc<Workers>,
    clock: Arc<Clock>,
    pub(crate) running: Arc<Mutex<HashMap<NodeId, Node>>>,
}

/// Where the files of nodes lie.
pub(crate) enum Files {
    /// Nowhere: nothing is written.
    Nowhere,
    /// In a directory of its own for each node, below this one. All nodes save when they end.
    Below(PathBuf),
    /// In this directory: there is one node. It saves when it ends if its rules say that it saves at all.
    In(PathBuf),
}

impl Files {
    fn of(&self, node: &NodeId) -> Option<PathBuf> {
        match self {
            Files::Nowhere => None,
            Files::Below(directory) => Some(directory.join("nodes").join(&node.0)),
            Files::In(directory) => Some(directory.clone()),
        }
    }
}

/// What a node without a control plane is to be.
pub(crate) struct BareNode {
    /// The address to listen on.
    pub(crate) bind: IpAddr,
    /// The port.
    pub(crate) port: u16,
    /// The release to imitate.
    pub(crate) release: Release,
    /// How many threads run it; 0 is one for each processor.
    pub(crate) threads: usize,
    /// Its parameters.
    pub(crate) config: Vec<(String, String)>,
    /// Where its files lie; without a directory it writes none.
    pub(crate) directory: Option<PathBuf>,
    /// How many shards are behind it, if it is a proxy; 0 if it is none.
    pub(crate) shards: u32,
}

/// How long a node may take to answer a ping.
const PING_TIMEOUT: Duration = Duration::from_secs(1);

/// For so long a thread that copies keys waits for the end of a failover, and how often.
const FAILOVER_LOOK: Duration = Duration::from_millis(10);
const FAILOVER_LOOKS: u32 = 500;

pub(crate) struct Node {
    pub(crate) running: Deployed,
    /// From where it may be reached.
    pub(crate) admission: Arc<Admission>,
    engine: Engine,
    access: Access,
    access_user: Option<String>,
    /// How many servers share what its data may take, each with a limit of its own.
    pub(crate) parts: u64,
    /// That limit, in bytes.
    pub(crate) limit: u64,
    /// Its topology, its shards and how often each exists.
    pub(crate) form: Form,
}

impl Nodes {
    /// No nodes yet, and the threads that will run them; 0 threads are one for each processor.
    pub(crate) fn new(threads: usize, bind: IpAddr, files: Files) -> anyhow::Result<Self> {
        let threads = match threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        };
        Ok(Nodes {
            bind,
            advertise: None,
            files,
            workers: Workers::start(threads)?,
            clock: Arc::new(Clock::new()),
            running: Arc::default(),
        })
    }

    /// The clock by which the nodes go.
    pub(crate) fn clock(&self) -> Arc<Clock> {
        Arc::clone(&self.clock)
    }

    /// Tells clients of a cluster that its servers are at this host.
    pub(crate) fn advertise(self, host: Option<String>) -> Self {
        Nodes { advertise: host, ..self }
    }

    /// Stops every node; its keys are saved. Whether nothing has been lost.
    pub(crate) async fn stop_all(&self) -> bool {
        let nodes: Vec<_> = self.running.lock().drain().collect();
        let always = matches!(self.files, Files::Below(_));
        let mut stopping = tokio::task::JoinSet::new();
        for (id, node) in nodes {
            stopping.spawn(async move { (id, node.running.stop_and_save(always).await) });
        }
        let mut all = true;
        while let Some(stopped) = stopping.join_next().await {
            let saved = stopped.as_ref().is_ok_and(|(_, saved)| *saved);
            if let (false, Ok((id, _))) = (saved, stopped) {
                tracing::error!("the keys of node {id} could not be saved");
            }
            all &= saved;
        }
        all
    }

    /// Where the files of a node lie, if it has any.
    pub(crate) fn directory(&self, node: &NodeId) -> Option<PathBuf> {
        self.files.of(node)
    }

    pub(crate) fn workers(&self) -> &Arc<Workers> {
        &self.workers
    }

    fn launch(&self, node: NodeSpec) -> Result<Endpoint, StartError> {
        let mut running = self.running.lock();
        if running.contains_key(&node.id) {
            return Err(StartError::AlreadyRunning(node.id));
        }
        let order = Order {
            release: node.release.map_or(command::Release::V7_4, release_of),
            address: (self.bind, 0).into(),
            seed: rand::random(),
            config: config(&node),
            directory: self.files.of(&node.id),
            seat: None,
            admission: Arc::default(),
        };
        order.admission.set(inspection::rule(&node.whitelist));
        if let Some(directory) = &order.directory {
            std::fs::create_dir_all(directory)
                .map_err(|source| StartError::NoDirectory { path: directory.clone(), source })?;
            if let Files::Below(_) = self.files {
                remove_leftovers(directory, DEPTH);
            }
        }
        let own: Vec<u16> = running.values().flat_map(|node| node.running.ports()).collect();
        let is_free = |port: u16| !own.contains(&port) && !node.reserved_ports.contains(&port);
        let start = |port| {
            let order = Order { address: (self.bind, port).into(), ..order.clone() };
            if node.engine == Engine::Memcached {
                let order = memcached::order(&node, order.address, order.directory.as_deref());
                let started = Memcached::start(&self.workers, &self.clock, order)?;
                return Ok(Deployed::Memcached(memcached::Instance::new(started, &self.clock)));
            }
            match node.topology {
                Topology::Cluster => {
                    let order = self.cluster(order, &node);
                    Cluster::start(&self.workers, &self.clock, &order, is_free).map(Deployed::Cluster)
                }
                Topology::MasterStandby => {
                    Pair::start(&self.workers, &self.clock, &order).map(Deployed::Pair)
                }
                Topology::Proxy => {
                    let standbys = node.copies > 1;
                    let order = ProxyOrder { nodes: order, shards: node.shards as usize, standbys };
                    Proxy::start(&self.workers, &self.clock, &order).map(Deployed::Proxy)
                }
                Topology::Single => Running::start(&self.workers, &self.clock, &order).map(Deployed::One),
            }
        };
        let started = match node.port {
            Port::Exactly(port) if node.reserved_ports.contains(&port) => {
                return Err(StartError::PortInUse(port));
            }
            Port::Exactly(port) => start(port).map_err(|error| refused(port, error))?,
            Port::FirstFreeFrom(base) => {
                let mut free = (base..=u16::MAX).filter(|&port| is_free(port));
                loop {
                    let port = free.next().ok_or(StartError::NoFreePort(base))?;
                    match start(port) {
                        Ok(started) => break started,
                        Err(server::StartError::PortInUse(_)) => {}
                        Err(error) => return Err(refused(port, error)),
                    }
                }
            }
        };
        let endpoint = Endpoint { address: started.address() };
        let (parts, form) = (parts(&node), Form::of(&node));
        let limit = node.memory_limit_bytes / parts;
        let NodeSpec { id, engine, access, access_user, .. } = node;
        let admission = order.admission;
        running.insert(
            id,
            Node { running: started, admission, engine, access, access_user, parts, limit, form },
        );
        Ok(endpoint)
    }
}

/// Where keys are copied to that come for a node; waits for a failover to end.
fn find(running: &Mutex<HashMap<NodeId, Node>>, id: &NodeId) -> Option<Target> {
    for _ in 0..FAILOVER_LOOKS {
        let target = running.lock().get(id)?.running.import_target();
        if target.is_some() {
            return target;
        }
        std::thread::sleep(FAILOVER_LOOK);
    }
    None
}

/// How many levels of directories an instance has: one for each server, and one for its append-only file.
const DEPTH: usize = 2;

/// Removes files that processes were writing when they were killed. The directory belongs to an instance that does not
/// run, so nobody is writing any of them.
fn remove_leftovers(directory: &Path, depth: usize) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() && depth > 0 {
            remove_leftovers(&path, depth - 1);
        } else if entry.file_name().to_str().is_some_and(engine::saving::is_leftover) {
            // It takes some room, and whether it can be removed makes no difference.
            let _ = std::fs::remove_file(&path);
        }
    }
}

impl Nodes {
    /// The servers of a node that have its keys; nothing if it does not run.
    fn masters(&self, node: &NodeId) -> Option<Vec<Arc<engine::Node>>> {
        let nodes = self.running.lock().get(node)?.running.nodes();
        Some(nodes.into_iter().filter(|node| !node.follows()).collect())
    }

    /// What the servers of a cluster are to be.
    fn cluster(&self, nodes: Order, node: &NodeSpec) -> ClusterOrder {
        let mut nodes = nodes;
        if let Some(host) = &self.advertise
            && engine::parameters::exists("cluster-announce-ip", nodes.release)
        {
            nodes.config.push(("cluster-announce-ip".to_owned(), host.clone()));
        }
        ClusterOrder {
            nodes,
            name: node.id.0.clone(),
            masters: node.shards.max(1) as usize,
            replicas: node.copies.saturating_sub(1) as usize,
            ports: node.further_ports.clone(),
        }
    }
}

fn refused(port: u16, error: server::StartError) -> StartError {
    match error {
        server::StartError::PortInUse(_) => StartError::PortInUse(port),
        server::StartError::Listen(_, source) => StartError::Listen { port, source },
        server::StartError::NoDirectory(path, source) => StartError::NoDirectory { path, source },
        server::StartError::BadParameter(error) => {
            StartError::BadParameter { name: error.name, reason: error.reason }
        }
    }
}

pub(crate) fn no_failover(error: server::FailoverError) -> FailoverError {
    match error {
        server::FailoverError::NoStandby => FailoverError::NoStandby,
        server::FailoverError::TooSlow => FailoverError::TooSlow,
        server::FailoverError::Busy => FailoverError::Busy,
        server::FailoverError::NoShard => FailoverError::NoShard,
    }
}

/// How many servers share what the data of a node may take, each with a limit of its own.
pub(crate) fn parts(node: &NodeSpec) -> u64 {
    if node.topology == Topology::Cluster { u64::from(node.shards.max(1)) } else { 1 }
}

/// How clients prove who they are, as parameters. Servers of a cluster are clients of each other; elsewhere standbys know
/// what their master wants.
fn passwords(access: &Access, is_cluster: bool) -> Vec<(String, String)> {
    let password = match access {
        Access::Open => "",
        Access::Password(password) => password.reveal(),
    };
    let names: &[&str] = if is_cluster { &["requirepass", "masterauth"] } else { &["requirepass"] };
    names.iter().map(|name| ((*name).to_owned(), password.to_owned())).collect()
}

/// A node's settings as the parameters of its engine. What it is told last counts.
pub(crate) fn config(node: &NodeSpec) -> Vec<(String, String)> {
    let mut config = vec![
        ("databases".to_owned(), node.databases.to_string()),
        ("maxmemory".to_owned(), (node.memory_limit_bytes / parts(node)).to_string()),
    ];
    config.extend(passwords(&node.access, node.topology == Topology::Cluster));
    let renamed = node.renamed_commands.iter();
    config.extend(renamed.map(|(command, name)| ("rename-command".to_owned(), format!("{command} {name}"))));
    config.extend(node.parameters.iter().cloned());
    config
}

pub(crate) fn release_of(release: Release) -> command::Release {
    match release {
        Release::V3_0 => command::Release::V3_0,
        Release::V4_0 => command::Release::V4_0,
        Release::V5_0 => command::Release::V5_0,
        Release::V6_2 => command::Release::V6_2,
        Release::V7_0 => command::Release::V7_0,
        Release::V7_4 => command::Release::V7_4,
    }
}

/// What one server has and has done.
pub(crate) fn statistics(node: &engine::Node) -> Statistics {
    let table = Table::of(node.release);
    let calls = |name: &[u8]| {
        let entry = table::find(table.names(), name);
        entry.map_or(0, |entry| node.stats.all_command_sums(entry.index).calls)
    };
    let ticks: u64 = (0..table.len()).map(|index| node.stats.all_command_sums(index).ticks).sum();
    let now_us = node.host.wall_us();
    let rates = node.stats.rates(now_us.div_euclid(1000), (now_us - node.started_us) / 1000);
    Statistics {
        used_memory_bytes: node.keyspace.used_bytes() as u64,
        clients: node.clients.len() as u64,
        commands: node.stats.sum(|worker| &worker.commands),
        gets: calls(b"get"),
        sets: calls(b"set"),
        input_bytes: node.stats.sum(|worker| &worker.input_bytes),
        output_bytes: node.stats.sum(|worker| &worker.output_bytes),
        input_bytes_per_s: rates.input_bytes as u64,
        output_bytes_per_s: rates.output_bytes as u64,
        busy_us: node.ticks_to_us(ticks).unsigned_abs(),
    }
}

impl DataPlane for Nodes {
    fn start(&self, node: NodeSpec) -> Pending<'_, Result<Endpoint, StartError>> {
        Box::pin(async move {
            let id = node.id.clone();
            let endpoint = self.launch(node)?;
            let loaded = self.running.lock().get(&id).map(|node| node.running.loaded());
            let Some(loaded) = loaded else { return Ok(endpoint) };
            match loaded.await {
                Ok(()) => Ok(endpoint),
                Err(reason) => {
                    let stopped = self.running.lock().remove(&id);
                    if let Some(stopped) = stopped {
                        stopped.running.stop().await;
                    }
                    Err(StartError::NotLoaded(reason))
                }
            }
        })
    }

    fn stop<'a>(&'a self, node: &'a NodeId) -> Pending<'a, ()> {
        Box::pin(async move {
            let stopped = self.running.lock().remove(node);
            if let Some(stopped) = stopped {
                stopped.running.stop().await;
            }
        })
    }

    fn remove<'a>(&'a self, node: &'a NodeId) -> Pending<'a, ()> {
        Box::pin(async move {
            let nodes = self.running.lock().get(node).map(|node| node.running.nodes());
            self.stop(node).await;
            // What is being saved or rewritten comes to nothing, rather than begin the directory again.
            let give_up = move || nodes.into_iter().flatten().for_each(|node| _ = node.give_up_files());
            let _ = tokio::task::spawn_blocking(give_up).await;
            if let Files::Below(_) = self.files
                && let Some(directory) = self.files.of(node)
                && let Err(error) = std::fs::remove_dir_all(&directory)
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!("the files of node {node} are left in {}: {error}", directory.display());
            }
        })
    }

    fn back_up<'a>(
        &'a self,
        node: &'a NodeId,
        directory: &'a Path,
        format: Format,
    ) -> Pending<'a, Result<Vec<File>, OrderError>> {
        Box::pin(async move {
            let writing = {
                let running = self.running.lock();
                let node = running.get(node).ok_or(OrderError::NotRunning)?;
                node.running.back_up(directory.to_owned(), format == Format::Aof)
            };
            let written = writing.await.map_err(OrderError::Refused)?;
            let file = |file: Written| File { name: file.name, size_bytes: file.bytes };
            Ok(written.into_iter().map(file).collect())
        })
    }

    fn restore<'a>(&'a self, node: &'a NodeId, files: &'a [PathBuf]) -> Pending<'a, Result<(), OrderError>> {
        Box::pin(async move {
            let restoring = {
                let running = self.running.lock();
                let node = running.get(node).ok_or(OrderError::NotRunning)?;
                node.running.restore(&self.workers, files.to_owned())
            };
            restoring.await.map_err(OrderError::Refused)
        })
    }

    fn join<'a>(&'a self, files: &'a [PathBuf], into: &'a Path) -> Pending<'a, io::Result<u64>> {
        let (files, into) = (files.to_owned(), into.to_owned());
        Box::pin(async move {
            let joining = tokio::task::spawn_blocking(move || crate::deployed::join(&files, &into));
            joining.await.unwrap_or_else(|error| Err(io::Error::other(error)))
        })
    }

    fn copy(&self, node: &NodeId, source: Source) -> Result<Arc<Copying>, OrderError> {
        match self.running.lock().get(node).map(|node| node.running.memcached().is_some()) {
            None => return Err(OrderError::NotRunning),
            Some(true) => return Err(OrderError::Refused("keys are copied to Redis only".to_owned())),
            Some(false) => {}
        }
        let (running, id) = (Arc::clone(&self.running), node.clone());
        let find: Find = Arc::new(move || find(&running, &id));
        copying::copy(&self.workers, &self.clock, &find, source)
    }

    fn can_resize(&self, node: &NodeSpec) -> Result<(), ResizeError> {
        self.admits(node)
    }

    fn resize(&self, node: NodeSpec) -> Pending<'_, Result<(), ResizeError>> {
        Box::pin(self.reshape(node))
    }

    fn endpoint(&self, node: &NodeId) -> Option<Endpoint> {
        self.running.lock().get(node).map(|node| Endpoint { address: node.running.address() })
    }

    fn further_ports(&self, node: &NodeId) -> Vec<u16> {
        let running = self.running.lock();
        running.get(node).map_or_else(Vec::new, |node| node.running.ports().split_off(1))
    }

    fn shut_down<'a>(&'a self, node: &'a NodeId) -> Pending<'a, bool> {
        Box::pin(async move {
            let stopped = self.running.lock().remove(node);
            match stopped {
                Some(stopped) => stopped.running.stop_and_save(true).await,
                None => true,
            }
        })
    }

    fn flush<'a>(&'a self, node: &'a NodeId) -> Pending<'a, Result<(), OrderError>> {
        Box::pin(async move {
            let memcached = self.running.lock().get(node).and_then(|node| node.running.memcached());
            if let Some(memcached) = memcached {
                return memcached::flush(memcached, &self.clock).await;
            }
            for node in self.masters(node).ok_or(OrderError::NotRunning)? {
                let flushed = server::owner::order(&node, &self.workers, "flushall", &[]).await;
                flushed.map_err(OrderError::Refused)?;
            }
            Ok(())
        })
    }

    fn configure<'a>(
        &'a self,
        node: &'a NodeId,
        parameters: &'a [(String, String)],
        memory_limit_bytes: Option<u64>,
    ) -> Pending<'a, Result<(), OrderError>> {
        Box::pin(async move {
            let configured = {
                let running = self.running.lock();
                let node = running.get(node).ok_or(OrderError::NotRunning)?;
                if let Deployed::Memcached(own) = &node.running {
                    return own.configure(parameters, memory_limit_bytes);
                }
                let limit = memory_limit_bytes.map(|bytes| (bytes / node.parts).to_string());
                let limit = limit.map(|limit| ("maxmemory".to_owned(), limit));
                node.running.configure(parameters.iter().cloned().chain(limit).collect())
            };
            configured.await.map_err(|error| OrderError::Refused(error.to_string()))
        })
    }

    fn set_access<'a>(&'a self, node: &'a NodeId, access: &'a Access) -> Pending<'a, Result<(), OrderError>> {
        Box::pin(async move {
            let set = {
                let running = self.running.lock();
                let node = running.get(node).ok_or(OrderError::NotRunning)?;
                match &node.running {
                    Deployed::Memcached(own) => {
                        own.set_access(access, node.access_user.as_deref())?;
                        None
                    }
                    running => {
                        let is_cluster = matches!(running, Deployed::Cluster(_));
                        Some(running.configure(passwords(access, is_cluster)))
                    }
                }
            };
            if let Some(set) = set {
                set.await.map_err(|error| OrderError::Refused(error.to_string()))?;
            }
            if let Some(node) = self.running.lock().get_mut(node) {
                node.access = access.clone();
            }
            Ok(())
        })
    }

    fn keys<'a>(&'a self, node: &'a NodeId) -> Pending<'a, Option<u64>> {
        Box::pin(async move {
            let memcached = self.running.lock().get(node).and_then(|node| node.running.memcached());
            if let Some(memcached) = memcached {
                return Some(memcached?.items() as u64);
            }
            let mut keys = 0;
            for node in self.masters(node)? {
                keys += server::owner::keys(&node).await;
            }
            Some(keys)
        })
    }

    fn statistics(&self, node: &NodeId) -> Option<Statistics> {
        let running = self.running.lock();
        let running = &running.get(node)?.running;
        if let Deployed::Memcached(own) = running {
            return own.statistics();
        }
        Some(running.nodes().iter().map(|node| statistics(node)).sum())
    }

    fn has_command(&self, engine: Engine, release: Option<Release>, name: &str) -> bool {
        let names = release.map(|release| Table::of(release_of(release)).names());
        engine == Engine::Redis && names.is_some_and(|names| table::find(names, name.as_bytes()).is_some())
    }

    fn failover<'a>(
        &'a self,
        node: &'a NodeId,
        shard: Option<usize>,
    ) -> Pending<'a, Result<(), FailoverError>> {
        Box::pin(async move {
            let failover = match self.running.lock().get(node) {
                Some(node) => node.running.failover(shard),
                None => return Err(FailoverError::NotRunning),
            };
            failover.map_err(no_failover)?.await.map_err(no_failover)
        })
    }

    fn fail(&self, node: &NodeId, shard: Option<usize>, failure: Failure) -> Result<(), FailoverError> {
        let running = self.running.lock();
        let node = running.get(node).ok_or(FailoverError::NotRunning)?;
        let fault = match failure {
            Failure::Stop => Fault::Stop,
            Failure::Hang => Fault::Hang,
        };
        node.running.fail(shard, fault).map_err(no_failover)
    }

    fn ping<'a>(&'a self, node: &'a NodeId) -> Pending<'a, Result<(), PingError>> {
        Box::pin(async move {
            let known = self.running.lock().get(node).map(|node| {
                (node.running.address(), node.engine, node.access.clone(), node.access_user.clone())
            });
            let (address, engine, access, user) = known.ok_or(PingError::NotRunning)?;
            let timeout_ms = u64::try_from(PING_TIMEOUT.as_millis()).unwrap_or(u64::MAX);
            let answering = async {
                // Whoever may reach it otherwise.
                let (stream, _port) = server::admission::connect(reachable(address)).await?;
                let mut connection = BufReader::new(stream);
                match engine {
                    Engine::Redis => ping(&mut connection, &access).await,
                    Engine::Memcached => memcached::ping(&mut connection, &access, user.as_deref()).await,
                }
            };
            let answered = tokio::time::timeout(PING_TIMEOUT, answering);
            answered.await.unwrap_or(Err(PingError::TimedOut(timeout_ms)))
        })
    }
}

/// Runs a node without a control plane until `stop` is done.
pub(crate) async fn run_bare(node: BareNode, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
    let files = node.directory.map_or(Files::Nowhere, Files::In);
    let nodes = Nodes::new(node.threads, node.bind, files)?;
    let password = node.config.iter().rev().find(|(name, _)| name.eq_ignore_ascii_case("requirepass"));
    let id = NodeId("bare".to_owned());
    let spec = NodeSpec {
        id: id.clone(),
        engine: Engine::Redis,
        release: Some(node.release),
        topology: if node.shards > 0 { Topology::Proxy } else { Topology::Single },
        shards: node.shards.max(1),
        copies: 1,
        further_ports: Vec::new(),
        memory_limit_bytes: 0,
        port: Port::Exactly(node.port),
        reserved_ports: BTreeSet::new(),
        access: password
            .map_or(Access::Open, |(_, text)| Access::Password(cloud::identity::Secret::new(text))),
        access_user: None,
        whitelist: Whitelist::default(),
        renamed_commands: Vec::new(),
        databases: 16,
        parameters: node.config,
    };
    let mut stop = std::pin::pin!(stop);
    let endpoint = nodes.launch(spec).map_err(|error| match error {
        StartError::PortInUse(port) => {
            anyhow!(
                "port {port} is in use; stop the program that listens there, or choose another with --port"
            )
        }
        error => error.into(),
    })?;
    let (loaded, asked) = {
        let running = nodes.running.lock();
        let node = running.get(&id).map(|node| &node.running);
        (node.map(Deployed::loaded), node.and_then(Deployed::shut_down_asked))
    };
    // A bare node is its clients' to end.
    let asked = async {
        match asked {
            Some(asked) => asked.await,
            None => std::future::pending().await,
        }
    };
    let mut asked = std::pin::pin!(asked);
    if let Some(loaded) = loaded {
        tokio::select! {
            loaded = loaded => loaded.map_err(StartError::NotLoaded)?,
            // What has not been loaded is still where it was.
            () = &mut stop => return Ok(()),
            () = &mut asked => return Ok(()),
        }
    }
    println!("Redis {} is ready on {}", node.release, endpoint.address);
    tokio::select! {
        () = &mut stop => anyhow::ensure!(nodes.stop_all().await, "the keys could not be saved"),
        // Whatever was to be saved has been.
        () = &mut asked => nodes.running.lock().clear(),
    }
    Ok(())
}

/// Asks a Redis node as a client does.
async fn ping(connection: &mut BufReader<TcpStream>, access: &Access) -> Result<(), PingError> {
    if let Access::Password(password) = access {
        let password = password.reveal();
        let auth = format!("*2\r\n$4\r\nAUTH\r\n${}\r\n{password}\r\n", password.len());
        ask(connection, &auth, "+OK").await?;
    }
    ask(connection, "*1\r\n$4\r\nPING\r\n", "+PONG").await
}

/// Sends a request, and sees that the next line of the answer is this.
pub(crate) async fn ask(
    connection: &mut BufReader<TcpStream>,
    request: &str,
    expected: &str,
) -> Result<(), PingError> {
    connection.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    connection.read_line(&mut answer).await?;
    if answer.trim_end() == expected { Ok(()) } else { Err(PingError::Unexpected(answer)) }
}

/// A node of release 5.0 with nothing special about it.
#[cfg(test)]
pub(crate) fn spec(id: &str, port: Port, access: Access) -> NodeSpec {
    NodeSpec {
        id: NodeId(id.to_owned()),
        engine: Engine::Redis,
        release: Some(Release::V5_0),
        topology: Topology::Single,
        shards: 1,
        copies: 1,
        further_ports: Vec::new(),
        memory_limit_bytes: 1 << 30,
        port,
        reserved_ports: BTreeSet::new(),
        access,
        access_user: None,
        whitelist: Whitelist::default(),
        renamed_commands: Vec::new(),
        databases: 16,
        parameters: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use cloud::identity::Secret;

    use super::*;

    fn nodes() -> Nodes {
        Nodes::new(1, IpAddr::V4(Ipv4Addr::LOCALHOST), Files::Nowhere).unwrap()
    }

    #[tokio::test]
    async fn a_node_answers_from_its_start_to_its_stop() {
        let nodes = nodes();
        for access in [Access::Open, Access::Password(Secret::new("First_Pw1"))] {
            let id = NodeId("a".to_owned());
            assert!(matches!(nodes.ping(&id).await, Err(PingError::NotRunning)));
            let started = nodes.start(spec("a", Port::FirstFreeFrom(20_000), access)).await.unwrap();
            assert_eq!(nodes.endpoint(&id), Some(started));
            nodes.ping(&id).await.unwrap();
            assert!(nodes.statistics(&id).is_some());
            nodes.stop(&id).await;
            assert!(TcpStream::connect(started.address).await.is_err());
            assert_eq!(nodes.endpoint(&id), None);
        }
    }

    #[tokio::test]
    async fn a_node_has_the_limits_that_it_was_ordered_with() {
        let nodes = nodes();
        let ordered = NodeSpec {
            memory_limit_bytes: 3 << 29,
            renamed_commands: vec![("keys".to_owned(), "keys001".to_owned())],
            databases: 256,
            parameters: vec![("maxmemory-policy".to_owned(), "volatile-lru".to_owned())],
            ..spec("a", Port::FirstFreeFrom(22_000), Access::Password(Secret::new("First_Pw1")))
        };
        let started = nodes.start(ordered).await.unwrap();
        let mut connection = BufReader::new(TcpStream::connect(started.address).await.unwrap());
        for (request, answer) in [
            ("SELECT 255\r\n", "-NOAUTH Authentication required."),
            ("AUTH First_Pw1\r\n", "+OK"),
            ("SELECT 255\r\n", "+OK"),
            ("SELECT 256\r\n", "-ERR DB index is out of range"),
            ("KEYS *\r\n", "-ERR unknown command `KEYS`, with args beginning with: `*`, "),
            ("KEYS001 *\r\n", "*0"),
        ] {
            ask(&mut connection, request, answer.trim_end()).await.unwrap();
        }
        for (name, value) in [("maxmemory", "1610612736"), ("maxmemory-policy", "volatile-lru")] {
            ask(&mut connection, &format!("CONFIG GET {name}\r\n"), "*2").await.unwrap();
            for line in [name, value] {
                ask(&mut connection, "", &format!("${}", line.len())).await.unwrap();
                ask(&mut connection, "", line).await.unwrap();
            }
        }
        let bad = NodeSpec {
            parameters: vec![("maxmemory-policy".to_owned(), "none".to_owned())],
            ..spec("b", Port::FirstFreeFrom(22_000), Access::Open)
        };
        let refused = nodes.start(bad).await;
        assert!(matches!(refused, Err(StartError::BadParameter { name, .. }) if name == "maxmemory-policy"));
        assert_eq!(nodes.endpoint(&NodeId("b".to_owned())), None);
    }

    #[test]
    fn commands_are_those_of_the_release() {
        let has = |release, name| nodes().has_command(Engine::Redis, Some(release), name);
        assert!(has(Release::V4_0, "GET") && has(Release::V5_0, "zpopmin"));
        assert!(!has(Release::V4_0, "zpopmin") && !has(Release::V5_0, "keys001"));
        assert!(!nodes().has_command(Engine::Memcached, None, "get"));
    }

    #[tokio::test]
    async fn what_was_half_written_is_removed_before_a_node_begins() {
        let directory = tempfile::tempdir().unwrap();
        let own = directory.path().join("nodes/a");
        let parts = own.join("appendonlydir");
        std::fs::create_dir_all(&parts).unwrap();
        let (left, kept) = ("temp-4711-0.rdb", "temp-mine.rdb");
        for path in [own.join(left), own.join(kept), parts.join("temp-rewriteaof-4711-3.aof")] {
            std::fs::write(path, b"half").unwrap();
        }
        let files = Files::Below(directory.path().to_owned());
        let nodes = Nodes::new(1, IpAddr::V4(Ipv4Addr::LOCALHOST), files).unwrap();
        nodes.start(spec("a", Port::FirstFreeFrom(25_000), Access::Open)).await.unwrap();
        let names = |path: &Path| -> Vec<_> {
            let entries = std::fs::read_dir(path).unwrap();
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
        };
        assert!(names(&own).contains(&kept.to_owned()) && !names(&own).contains(&left.to_owned()));
        assert!(names(&parts).is_empty());
        let id = NodeId("a".to_owned());
        nodes.stop(&id).await;
        assert!(own.exists(), "what was saved stays");
        nodes.remove(&id).await;
        assert!(!own.exists());
    }

    #[tokio::test]
    async fn ports_are_given_once() {
        let nodes = nodes();
        let first = nodes.start(spec("a", Port::FirstFreeFrom(21_000), Access::Open)).await.unwrap();
        let second = nodes.start(spec("b", Port::FirstFreeFrom(21_000), Access::Open)).await.unwrap();
        assert!(second.address.port() > first.address.port());
        let taken = Port::Exactly(first.address.port());
        let refused = nodes.start(spec("c", taken, Access::Open)).await;
        assert!(matches!(refused, Err(StartError::PortInUse(port)) if port == first.address.port()));
        nodes.stop(&NodeId("a".to_owned())).await;
        assert_eq!(nodes.start(spec("c", taken, Access::Open)).await.unwrap(), first);
        nodes.stop_all().await;
        assert!(nodes.running.lock().is_empty());
    }

    #[tokio::test]
    async fn a_port_is_free_when_its_node_has_stopped() {
        let nodes = nodes();
        let id = NodeId("a".to_owned());
        let address =
            nodes.start(spec("a", Port::FirstFreeFrom(24_000), Access::Open)).await.unwrap().address;
        for _ in 0..100 {
            nodes.stop(&id).await;
            nodes.start(spec("a", Port::Exactly(address.port()), Access::Open)).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_reserved_port_is_not_given_though_nobody_listens_there() {
        let nodes = nodes();
        let free = nodes.start(spec("a", Port::FirstFreeFrom(23_000), Access::Open)).await.unwrap();
        let port = free.address.port();
        nodes.stop(&NodeId("a".to_owned())).await;
        let reserved =
            |asked| NodeSpec { reserved_ports: BTreeSet::from([port]), ..spec("b", asked, Access::Open) };
        let refused = nodes.start(reserved(Port::Exactly(port))).await;
        assert!(matches!(refused, Err(StartError::PortInUse(refused)) if refused == port));
        let next = nodes.start(reserved(Port::FirstFreeFrom(port))).await.unwrap();
        assert!(next.address.port() > port);
    }
}
