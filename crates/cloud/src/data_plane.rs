//! The data plane, as the control plane sees it: nodes that are started, asked and stopped. There is no other way
//! from here to there.
//!
//! Invariants that an implementation keeps:
//! - The methods are called from the control plane's runtime and do not block it: whatever may take long happens on
//!   the data plane's own threads, and the returned future waits for it.
//! - When `start` returns an endpoint, connections to it are accepted; when it returns an error, nothing is left of
//!   the node, and its port is free.
//! - When the future of `stop` is done, the port is free and the memory is given back or on its way.
//! - A future that is dropped half-way leaves no node behind that `stop` does not find.
//!
//! Deliberately not here: instances. A node knows its own settings, and neither names, projects nor specifications.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::iter::Sum;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::Pending;
use crate::backup::{File, Format};
use crate::engine::{Engine, Release};
use crate::inspection::{Inspection, ServerId};
use crate::instance::Access;
use crate::migration::{Copying, Source};
use crate::topology::Topology;
use crate::whitelist::Whitelist;

/// Starts, stops and asks nodes.
pub trait DataPlane: Inspection {
    /// Starts a node and answers where it listens.
    fn start(&self, node: NodeSpec) -> Pending<'_, Result<Endpoint, StartError>>;

    /// Stops a node and closes its connections. What it has saved stays. A node that does not run is stopped already.
    fn stop<'a>(&'a self, node: &'a NodeId) -> Pending<'a, ()>;

    /// Stops a node as [`DataPlane::stop`] does, and drops all that it has saved, whether it ran or not.
    fn remove<'a>(&'a self, node: &'a NodeId) -> Pending<'a, ()>;

    /// Saves a node's data, as far as anything is saved at all, and stops it. Whether nothing is lost. A node that does
    /// not run has lost nothing.
    fn shut_down<'a>(&'a self, node: &'a NodeId) -> Pending<'a, bool>;

    /// Removes all that a node holds.
    fn flush<'a>(&'a self, node: &'a NodeId) -> Pending<'a, Result<(), OrderError>>;

    /// Whether a node that runs can be given the form of this specification, which names the node: its memory, its number of
    /// shards and copies, its topology. Everything else is as it was.
    ///
    /// # Errors
    /// [`ResizeError`]
    fn can_resize(&self, node: &NodeSpec) -> Result<(), ResizeError>;

    /// Gives a node that runs another form, without losing a key. Address and port stay; connections may drop. Where one
    /// master has fewer standbys then, those that are leaving go first.
    ///
    /// # Errors
    /// [`ResizeError`]; then the node has the form that it had, or does not run any more.
    fn resize(&self, node: NodeSpec, leaving: Vec<ServerId>) -> Pending<'_, Result<(), ResizeError>>;

    /// Has a node run with other values of its parameters from now on, all of them or none, and with another limit of what
    /// its data may take, in bytes, if there is one: on all its servers, standbys included, and on those that take their
    /// places.
    fn configure<'a>(
        &'a self,
        node: &'a NodeId,
        parameters: &'a [(String, String)],
        memory_limit_bytes: Option<u64>,
    ) -> Pending<'a, Result<(), OrderError>>;

    /// Has clients prove in another way who they are, from now on. Those that are connected stay.
    fn set_access<'a>(&'a self, node: &'a NodeId, access: &'a Access) -> Pending<'a, Result<(), OrderError>>;

    /// Saves all that a node holds as files in `directory`, which is there and empty, as it is at one moment for each of
    /// its shards: a file for each, in their order, checksummed. Clients are served meanwhile. A future that is dropped
    /// has the files given up.
    ///
    /// # Errors
    /// [`OrderError`]; what is in the directory then is of no use.
    fn back_up<'a>(
        &'a self,
        node: &'a NodeId,
        directory: &'a Path,
        format: Format,
    ) -> Pending<'a, Result<Vec<File>, OrderError>>;

    /// Puts what files hold that [`DataPlane::back_up`] has written in the place of all that a node holds, wherever its
    /// slots are now. Done when its standbys have it, too.
    ///
    /// # Errors
    /// [`OrderError`], with a file that is damaged as well; then the node holds what it held.
    fn restore<'a>(&'a self, node: &'a NodeId, files: &'a [PathBuf]) -> Pending<'a, Result<(), OrderError>>;

    /// Makes one file, which is not there yet, of those that [`DataPlane::back_up`] has written for the shards of a node, in
    /// the format of a single one. Answers its length in bytes.
    ///
    /// # Errors
    /// Those of the file system, and [`io::ErrorKind::InvalidData`] where a file is damaged.
    fn join<'a>(&'a self, files: &'a [PathBuf], into: &'a Path) -> Pending<'a, io::Result<u64>>;

    /// Begins to copy keys into a node from elsewhere, beside those that it has; what comes back tells how it goes.
    ///
    /// # Errors
    /// [`OrderError`]
    fn copy(&self, node: &NodeId, source: Source) -> Result<Arc<Copying>, OrderError>;

    /// Where a node listens; `None` if it does not run.
    fn endpoint(&self, node: &NodeId) -> Option<Endpoint>;

    /// The ports of a node's servers beside the first, if it has several that clients know of.
    fn further_ports(&self, _: &NodeId) -> Vec<u16> {
        Vec::new()
    }

    /// What a node has and has done; `None` if it does not run. Cheap: lists of a thousand instances ask for each.
    fn statistics(&self, node: &NodeId) -> Option<Statistics>;

    /// How many keys a node holds, in all databases; `None` if it does not run.
    fn keys<'a>(&'a self, node: &'a NodeId) -> Pending<'a, Option<u64>>;

    /// Whether nodes of this engine and release have a command of this name, in any case.
    fn has_command(&self, engine: Engine, release: Option<Release>, name: &str) -> bool;

    /// Has the standby of a node take its place behind the address, without losing a write that was acknowledged. Done
    /// when clients are served again. Where a node is several shards, they are counted from 0 in the order of their slots;
    /// without a number it is the first that has a standby.
    fn failover<'a>(
        &'a self,
        node: &'a NodeId,
        shard: Option<usize>,
    ) -> Pending<'a, Result<(), FailoverError>>;

    /// Has a node fail, or one of its shards, so that its standby takes its place.
    ///
    /// # Errors
    /// [`FailoverError`], if there is no standby to do so.
    fn fail(&self, node: &NodeId, shard: Option<usize>, failure: Failure) -> Result<(), FailoverError>;

    /// Connects to a node as a client would and waits for its answer to `PING`: whether it is ready.
    fn ping<'a>(&'a self, node: &'a NodeId) -> Pending<'a, Result<(), PingError>>;
}

/// Names a node. An instance of one node has its instance's id.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NodeId(pub String);

/// What a node is to be.
#[derive(Clone, Debug)]
pub struct NodeSpec {
    /// Its name; unique among the nodes that run.
    pub id: NodeId,
    /// What kind of cache.
    pub engine: Engine,
    /// The release that it imitates, for Redis.
    pub release: Option<Release>,
    /// The part that it has in its instance.
    pub topology: Topology,
    /// How many shards share its keys. In a Redis Cluster each is a server with a port of its own; behind a proxy they have
    /// none.
    pub shards: u32,
    /// How often each shard exists, its master included.
    pub copies: u32,
    /// The ports of its servers beside the first, if it has had several before.
    pub further_ports: Vec<u16>,
    /// What its data may take (`maxmemory`); zero for any.
    pub memory_limit_bytes: u64,
    /// Where it listens.
    pub port: Port,
    /// Ports that it does not get: other nodes', which need not run.
    pub reserved_ports: BTreeSet<u16>,
    /// How clients prove who they are.
    pub access: Access,
    /// The name that clients give beside the password; nothing for any. For Memcached.
    pub access_user: Option<String>,
    /// From where it may be reached.
    pub whitelist: Whitelist,
    /// Commands under other names: the command, in lower case, and its new name.
    pub renamed_commands: Vec<(String, String)>,
    /// The number of databases.
    pub databases: u32,
    /// Other parameters of the engine and their values.
    pub parameters: Vec<(String, String)>,
}

/// Which port a node listens on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// This one.
    Exactly(u16),
    /// The first that is free, from this one up.
    FirstFreeFrom(u16),
}

/// Where a node listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The address that it is bound to; unspecified (`0.0.0.0`) where it listens on all.
    pub address: SocketAddr,
}

/// What a node has and has done since it started. Counters never go back while it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Memory that its data takes.
    pub used_memory_bytes: u64,
    /// Connections.
    pub clients: u64,
    /// Commands that were run.
    pub commands: u64,
    /// GET commands that were run.
    pub gets: u64,
    /// SET commands that were run.
    pub sets: u64,
    /// Bytes that clients sent.
    pub input_bytes: u64,
    /// Bytes that were sent to clients.
    pub output_bytes: u64,
    /// Bytes that clients sent, in a second, lately.
    pub input_bytes_per_s: u64,
    /// Bytes that were sent to clients, in a second, lately.
    pub output_bytes_per_s: u64,
    /// Time that its commands took, in microseconds.
    pub busy_us: u64,
}

impl Sum for Statistics {
    fn sum<I: Iterator<Item = Statistics>>(all: I) -> Statistics {
        all.fold(Statistics::default(), |sum, other| Statistics {
            used_memory_bytes: sum.used_memory_bytes + other.used_memory_bytes,
            clients: sum.clients + other.clients,
            commands: sum.commands + other.commands,
            gets: sum.gets + other.gets,
            sets: sum.sets + other.sets,
            input_bytes: sum.input_bytes + other.input_bytes,
            output_bytes: sum.output_bytes + other.output_bytes,
            input_bytes_per_s: sum.input_bytes_per_s + other.input_bytes_per_s,
            output_bytes_per_s: sum.output_bytes_per_s + other.output_bytes_per_s,
            busy_us: sum.busy_us + other.busy_us,
        })
    }
}

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another node or program has the port.
    #[error("port {0} is in use")]
    PortInUse(u16),
    /// Every port from this one up is in use.
    #[error("no port from {0} up is free")]
    NoFreePort(u16),
    /// A node of this name runs.
    #[error("node {0} runs already")]
    AlreadyRunning(NodeId),
    /// The data plane has no such engine or release.
    #[error("{0} is not offered")]
    NotOffered(String),
    /// The data that it had cannot be loaded.
    #[error("{0}")]
    NotLoaded(String),
    /// Its files have no place.
    #[error("{path} cannot be used: {source}", path = path.display())]
    NoDirectory {
        /// The directory.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// A setting has a value that the engine refuses.
    #[error("{name} {reason}")]
    BadParameter {
        /// The setting.
        name: String,
        /// What is wrong with it, to go on from its name.
        reason: String,
    },
    /// Listening failed for another reason.
    #[error("cannot listen on port {port}: {source}")]
    Listen {
        /// The port.
        port: u16,
        /// The reason.
        source: io::Error,
    },
}

/// What may go wrong with a node because somebody wants it to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It ends, as a process that is killed does.
    Stop,
    /// It answers nobody any more.
    Hang,
}

/// Why a node does not do what it is told.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// No such node runs.
    #[error("the node does not run")]
    NotRunning,
    /// It cannot.
    #[error("{0}")]
    Refused(String),
}

/// Why a node does not get another form.
#[derive(Debug, thiserror::Error)]
pub enum ResizeError {
    /// No such node runs.
    #[error("the node does not run")]
    NotRunning,
    /// Nodes of its kind cannot become what is wanted.
    #[error("the node cannot become that")]
    NotSupported,
    /// It holds more than it could then.
    #[error("the node holds more than that")]
    TooSmall,
    /// It did not succeed.
    #[error("{0}")]
    Failed(String),
}

/// Why no standby takes the place of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FailoverError {
    /// No such node runs.
    #[error("the node does not run")]
    NotRunning,
    /// It has no standby, or one that is not in step with it.
    #[error("the node has no standby that is in step with it")]
    NoStandby,
    /// The standby has not caught up while writes waited.
    #[error("the standby did not catch up in time")]
    TooSlow,
    /// Another one is going on.
    #[error("a failover is going on")]
    Busy,
    /// It has fewer shards.
    #[error("the node has no such shard")]
    NoShard,
}

/// Why a node is not ready.
#[derive(Debug, thiserror::Error)]
pub enum PingError {
    /// No such node runs.
    #[error("the node does not run")]
    NotRunning,
    /// It cannot be reached, or hung up.
    #[error("the node cannot be reached: {0}")]
    Unreachable(#[from] io::Error),
    /// It answered something else.
    #[error("the node answered {0:?}")]
    Unexpected(String),
    /// It did not answer in time.
    #[error("the node did not answer within {0} ms")]
    TimedOut(u64),
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
