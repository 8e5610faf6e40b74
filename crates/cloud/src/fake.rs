//! A clock and a data plane that tests steer. Only in builds that ask for the feature `fake`.

mod inspection;

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::backup::{File, Format};
use crate::capacity::Capacity;
use crate::clock::{Clock, Steering};
use crate::data_plane::{
    DataPlane, Endpoint, FailoverError, Failure, NodeId, NodeSpec, OrderError, PingError, Port, ResizeError,
    StartError, Statistics,
};
use crate::engine::{Engine, Release};
use crate::inspection::ServerId;
use crate::instance::{Access, Network, Order, Owner};
use crate::maintenance::MaintenanceWindow;
use crate::migration::{Copying, Source};
use crate::quota::Quota;
use crate::task::Profile;
use crate::topology::Topology;
use crate::{Pending, Settings};

/// How a cloud is set up that has fake nodes: it knows this machine alone, and takes the ports from 6379 up.
pub fn settings(profile: Profile) -> Settings {
    Settings {
        profile,
        quota: Quota::default(),
        base_port: 6379,
        bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
        advertise: None,
    }
}

/// An order of a single Redis 5.0 node with 2 GB and nothing special about it.
pub fn order(project_id: &str, name: &str) -> Order {
    Order {
        project_id: project_id.to_owned(),
        name: name.to_owned(),
        description: None,
        engine: Engine::Redis,
        release: Some(Release::V5_0),
        topology: Topology::Single,
        capacity: Capacity::of_gb(2),
        gives_all: false,
        shards: 1,
        copies: 1,
        databases: 256,
        spec_code: "spec".to_owned(),
        product_id: "product".to_owned(),
        access: Access::Open,
        access_user: None,
        requested_port: None,
        renamed_commands: BTreeMap::new(),
        parameters: BTreeMap::new(),
        reserved_mb: 0,
        network: Network { vpc_id: "v".into(), subnet_id: "s".into(), security_group_id: None },
        zones: Vec::new(),
        maintenance: MaintenanceWindow::default(),
        backup_policy: None,
        tags: Vec::new(),
        owner: Owner { user_id: "u".to_owned(), user_name: "user".to_owned() },
        subscription: None,
        enterprise_project_id: None,
    }
}

/// A clock that stands still until it is advanced.
pub struct FakeClock(watch::Sender<u64>);

/// A data plane whose nodes are entries of a table: nothing listens.
#[derive(Default)]
pub struct FakeDataPlane(Mutex<State>);

/// The commands that its nodes have.
const COMMANDS: [&str; 6] = ["command", "keys", "flushdb", "flushall", "hgetall", "get"];

/// What each of its nodes holds.
const USED_BYTES: u64 = 33 << 20;

#[derive(Default)]
struct State {
    nodes: HashMap<NodeId, (NodeSpec, Endpoint)>,
    taken_ports: Vec<u16>,
    removed: Vec<NodeId>,
    flushed: Vec<NodeId>,
    /// What has been restored: the node, and what the files held.
    restored: Vec<(NodeId, Vec<String>)>,
    /// What is being copied where.
    copied: Vec<(NodeId, Source, Arc<Copying>)>,
    /// Why nodes are not backed up or restored.
    unwilling: Option<String>,
    silent: bool,
    panics: bool,
    lagging: bool,
    stubborn: bool,
    held_bytes: u64,
    /// What nodes have and do, where that is another than usual, and their keys.
    reported: HashMap<NodeId, (Statistics, u64)>,
    inside: inspection::Inside,
}

impl FakeClock {
    /// A clock that stands at `now_ms`.
    pub fn at(now_ms: u64) -> Self {
        FakeClock(watch::Sender::new(now_ms))
    }

    /// Moves the clock and wakes those whose time has come.
    pub fn advance(&self, by_ms: u64) {
        self.0.send_modify(|now_ms| *now_ms += by_ms);
    }
}

impl Clock for FakeClock {
    fn now_ms(&self) -> u64 {
        *self.0.borrow()
    }

    /// It can be moved, and does not run.
    fn steer(&self, wanted: Steering) -> bool {
        self.advance(wanted.advance_ms);
        wanted.rate.is_none()
    }

    fn sleep_until(&self, at_ms: u64) -> Pending<'_, ()> {
        let mut ticks = self.0.subscribe();
        Box::pin(async move {
            // The sender lives as long as the clock, so this cannot fail.
            let _ = ticks.wait_for(|now_ms| *now_ms >= at_ms).await;
        })
    }
}

impl FakeDataPlane {
    /// The nodes that run.
    pub fn nodes(&self) -> Vec<NodeSpec> {
        self.0.lock().nodes.values().map(|(spec, _)| spec.clone()).collect()
    }

    /// The nodes whose data has been dropped.
    pub fn removed(&self) -> Vec<NodeId> {
        self.0.lock().removed.clone()
    }

    /// The nodes that have been flushed, as often as they were.
    pub fn flushed(&self) -> Vec<NodeId> {
        self.0.lock().flushed.clone()
    }

    /// The nodes into which something has been restored, and what the files held.
    pub fn restored(&self) -> Vec<(NodeId, Vec<String>)> {
        self.0.lock().restored.clone()
    }

    /// What has been asked to be copied, and what tells how that goes.
    pub fn copied(&self) -> Vec<(NodeId, Source, Arc<Copying>)> {
        self.0.lock().copied.clone()
    }

    /// Why nodes are neither backed up nor restored, if they are not.
    pub fn refuse_backups(&self, reason: Option<&str>) {
        self.0.lock().unwilling = reason.map(str::to_owned);
    }

    /// Lets another program have this port.
    pub fn take_port(&self, port: u16) {
        self.0.lock().taken_ports.push(port);
    }

    /// Has the other program give it back.
    pub fn free_port(&self, port: u16) {
        self.0.lock().taken_ports.retain(|taken| *taken != port);
    }

    /// Whether nodes start and then do not answer.
    pub fn be_silent(&self, silent: bool) {
        self.0.lock().silent = silent;
    }

    /// Whether standbys are out of step with their masters.
    pub fn lag(&self, lagging: bool) {
        self.0.lock().lagging = lagging;
    }

    /// Has each node hold so much, when it is to hold less.
    pub fn hold(&self, bytes: u64) {
        self.0.lock().held_bytes = bytes;
    }

    /// Has the node of this instance have and do so much, and hold so many keys.
    pub fn report(&self, instance: &str, statistics: Statistics, keys: u64) {
        self.0.lock().reported.insert(NodeId(instance.to_owned()), (statistics, keys));
    }

    /// Whether nodes refuse to be changed.
    pub fn be_stubborn(&self, stubborn: bool) {
        self.0.lock().stubborn = stubborn;
    }

    /// Whether starting a node panics.
    pub fn panic(&self, panics: bool) {
        self.0.lock().panics = panics;
    }
}

impl FakeDataPlane {
    /// Changes a node that runs.
    fn change(&self, node: &NodeId, change: impl FnOnce(&mut NodeSpec)) -> Result<(), OrderError> {
        let mut state = self.0.lock();
        if state.stubborn {
            return Err(OrderError::Refused("the data plane was told to refuse".to_owned()));
        }
        let (spec, _) = state.nodes.get_mut(node).ok_or(OrderError::NotRunning)?;
        change(spec);
        Ok(())
    }

    /// Whether a node runs and may be backed up and restored.
    fn willing(&self, node: &NodeId) -> Result<(), OrderError> {
        let state = self.0.lock();
        match &state.unwilling {
            _ if !state.nodes.contains_key(node) => Err(OrderError::NotRunning),
            Some(reason) => Err(OrderError::Refused(reason.clone())),
            None => Ok(()),
        }
    }

    /// Whether a node runs that has a standby.
    fn standby_of(&self, node: &NodeId) -> Result<(), FailoverError> {
        let state = self.0.lock();
        match state.nodes.get(node) {
            None => Err(FailoverError::NotRunning),
            Some((spec, _)) if spec.topology != Topology::MasterStandby => Err(FailoverError::NoStandby),
            Some(_) if state.lagging => Err(FailoverError::TooSlow),
            Some(_) => Ok(()),
        }
    }
}

impl DataPlane for FakeDataPlane {
    fn start(&self, node: NodeSpec) -> Pending<'_, Result<Endpoint, StartError>> {
        Box::pin(async move {
            let mut state = self.0.lock();
            assert!(!state.panics, "the data plane was told to panic");
            if state.nodes.contains_key(&node.id) {
                return Err(StartError::AlreadyRunning(node.id));
            }
            let in_use = |port: u16| {
                state.taken_ports.contains(&port)
                    || node.reserved_ports.contains(&port)
                    || state.nodes.values().any(|(_, endpoint)| endpoint.address.port() == port)
            };
            let port = match node.port {
                Port::Exactly(port) if in_use(port) => return Err(StartError::PortInUse(port)),
                Port::Exactly(port) => port,
                Port::FirstFreeFrom(base) => {
                    (base..=u16::MAX).find(|port| !in_use(*port)).ok_or(StartError::NoFreePort(base))?
                }
            };
            let endpoint = Endpoint { address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port) };
            state.nodes.insert(node.id.clone(), (node, endpoint));
            Ok(endpoint)
        })
    }

    fn stop<'a>(&'a self, node: &'a NodeId) -> Pending<'a, ()> {
        Box::pin(async move {
            self.0.lock().nodes.remove(node);
        })
    }

    fn remove<'a>(&'a self, node: &'a NodeId) -> Pending<'a, ()> {
        Box::pin(async move {
            let mut state = self.0.lock();
            state.nodes.remove(node);
            state.removed.push(node.clone());
        })
    }

    fn shut_down<'a>(&'a self, node: &'a NodeId) -> Pending<'a, bool> {
        Box::pin(async move {
            self.0.lock().nodes.remove(node);
            true
        })
    }

    fn flush<'a>(&'a self, node: &'a NodeId) -> Pending<'a, Result<(), OrderError>> {
        Box::pin(async move {
            let mut state = self.0.lock();
            if !state.nodes.contains_key(node) {
                return Err(OrderError::NotRunning);
            }
            state.flushed.push(node.clone());
            Ok(())
        })
    }

    fn can_resize(&self, node: &NodeSpec) -> Result<(), ResizeError> {
        let state = self.0.lock();
        let (spec, _) = state.nodes.get(&node.id).ok_or(ResizeError::NotRunning)?;
        let becomes = spec.topology == node.topology
            || spec.topology.has_one_master() && node.topology.has_one_master()
            || (spec.topology, node.topology) == (Topology::MasterStandby, Topology::Proxy);
        if !becomes {
            return Err(ResizeError::NotSupported);
        }
        if node.memory_limit_bytes < USED_BYTES.max(state.held_bytes) {
            Err(ResizeError::TooSmall)
        } else {
            Ok(())
        }
    }

    fn resize(&self, node: NodeSpec, _: Vec<ServerId>) -> Pending<'_, Result<(), ResizeError>> {
        Box::pin(async move {
            self.can_resize(&node)?;
            if self.0.lock().silent {
                return Err(ResizeError::Failed("the data plane was told to be silent".to_owned()));
            }
            if let Some((spec, _)) = self.0.lock().nodes.get_mut(&node.id) {
                *spec = node;
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
            self.change(node, |spec| {
                spec.parameters.retain(|(name, _)| !parameters.iter().any(|(new, _)| new == name));
                spec.parameters.extend(parameters.iter().cloned());
                spec.memory_limit_bytes = memory_limit_bytes.unwrap_or(spec.memory_limit_bytes);
            })
        })
    }

    fn set_access<'a>(&'a self, node: &'a NodeId, access: &'a Access) -> Pending<'a, Result<(), OrderError>> {
        Box::pin(async move { self.change(node, |spec| spec.access = access.clone()) })
    }

    fn back_up<'a>(
        &'a self,
        node: &'a NodeId,
        directory: &'a Path,
        _: Format,
    ) -> Pending<'a, Result<Vec<File>, OrderError>> {
        Box::pin(async move {
            self.willing(node)?;
            let what = format!("all of {node}");
            std::fs::write(directory.join("0.rdb"), &what)
                .map_err(|error| OrderError::Refused(error.to_string()))?;
            Ok(vec![File { name: "0.rdb".to_owned(), size_bytes: what.len() as u64 }])
        })
    }

    fn restore<'a>(&'a self, node: &'a NodeId, files: &'a [PathBuf]) -> Pending<'a, Result<(), OrderError>> {
        Box::pin(async move {
            self.willing(node)?;
            let held = files.iter().map(std::fs::read_to_string).collect::<Result<Vec<_>, _>>();
            let held = held.map_err(|error| OrderError::Refused(error.to_string()))?;
            self.0.lock().restored.push((node.clone(), held));
            Ok(())
        })
    }

    fn join<'a>(&'a self, files: &'a [PathBuf], into: &'a Path) -> Pending<'a, std::io::Result<u64>> {
        Box::pin(async move {
            let held = files.iter().map(std::fs::read_to_string).collect::<Result<Vec<_>, _>>()?;
            let held = format!("{}, joined", held.join(" and "));
            std::fs::write(into, &held)?;
            Ok(held.len() as u64)
        })
    }

    fn copy(&self, node: &NodeId, source: Source) -> Result<Arc<Copying>, OrderError> {
        self.willing(node)?;
        let copying = Arc::new(Copying::default());
        self.0.lock().copied.push((node.clone(), source, copying.clone()));
        Ok(copying)
    }

    fn endpoint(&self, node: &NodeId) -> Option<Endpoint> {
        self.0.lock().nodes.get(node).map(|(_, endpoint)| *endpoint)
    }

    fn statistics(&self, node: &NodeId) -> Option<Statistics> {
        let state = self.0.lock();
        let usual = Statistics {
            used_memory_bytes: USED_BYTES.max(state.held_bytes),
            gets: 5,
            sets: 3,
            input_bytes_per_s: 200,
            busy_us: 250_000,
            ..Statistics::default()
        };
        let reported = state.reported.get(node).map_or(usual, |(statistics, _)| *statistics);
        state.nodes.contains_key(node).then_some(reported)
    }

    fn keys<'a>(&'a self, node: &'a NodeId) -> Pending<'a, Option<u64>> {
        Box::pin(async move {
            let state = self.0.lock();
            let keys = state.reported.get(node).map_or(7, |(_, keys)| *keys);
            state.nodes.contains_key(node).then_some(keys)
        })
    }

    fn has_command(&self, _: Engine, _: Option<Release>, name: &str) -> bool {
        COMMANDS.iter().any(|command| command.eq_ignore_ascii_case(name))
    }

    fn failover<'a>(&'a self, node: &'a NodeId, _: Option<usize>) -> Pending<'a, Result<(), FailoverError>> {
        Box::pin(async move { self.standby_of(node) })
    }

    fn fail(&self, node: &NodeId, _: Option<usize>, _: Failure) -> Result<(), FailoverError> {
        self.standby_of(node)
    }

    fn ping<'a>(&'a self, node: &'a NodeId) -> Pending<'a, Result<(), PingError>> {
        Box::pin(async move {
            let state = self.0.lock();
            if !state.nodes.contains_key(node) {
                return Err(PingError::NotRunning);
            }
            if state.silent { Err(PingError::TimedOut(1_000)) } else { Ok(()) }
        })
    }
}
