//! What stands inside a node of the data plane: its servers, the commands that took them long, and who is connected.
//!
//! Invariant: nothing here is remembered or made up; it is what the servers say when they are asked.

use std::net::SocketAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::Pending;
use crate::cloud::{Cloud, TaskError, node_of};
use crate::data_plane::{FailoverError, NodeId, Statistics};
use crate::engine::{Engine, Release};
use crate::instance::Instance;
use crate::task;
use crate::whitelist::Whitelist;

/// Looks into nodes.
pub trait Inspection: Send + Sync + 'static {
    /// The exact version that nodes of this engine and release imitate, such as `5.0.14`.
    fn version(&self, engine: Engine, release: Option<Release>) -> String;

    /// The servers of a node: its proxy, if it has one, then shard by shard in the order of their slots, masters first. None
    /// if it does not run.
    fn servers(&self, node: &NodeId) -> Vec<Server>;

    /// How many keys each database of a server holds; nothing if it does not run.
    fn databases<'a>(&'a self, node: &'a NodeId, server: ServerId) -> Pending<'a, Vec<Database>>;

    /// The commands that took the servers of a node long, as far as they remember them.
    fn slow_commands(&self, node: &NodeId) -> Vec<SlowCommand>;

    /// Who is connected to a server, by age; `None` if it does not run.
    fn connections(&self, node: &NodeId, server: ServerId) -> Option<Vec<Connection>>;

    /// Ends connections to a server: those from these addresses, or all of clients. How many.
    fn disconnect(&self, node: &NodeId, server: ServerId, peers: Option<&[SocketAddr]>) -> usize;

    /// Has a standby take its master's place, as [`DataPlane::failover`](crate::data_plane::DataPlane::failover) does.
    fn promote<'a>(&'a self, node: &'a NodeId, server: ServerId) -> Pending<'a, Result<(), FailoverError>>;

    /// Has a node be reached from now on only from where this allows; whoever is connected from elsewhere is cut off. A
    /// node that does not run has nobody to cut off.
    fn admit(&self, node: &NodeId, whitelist: &Whitelist);
}

/// Names a server of a node, as long as there is the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ServerId {
    /// The proxy before the shards.
    Proxy,
    /// One that has keys.
    Copy {
        /// Which shard's, from 0.
        shard: u32,
        /// Which of those that have the same keys, from 0. A master that hands over stays what it is called.
        copy: u32,
    },
}

/// A server of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its name.
    pub id: ServerId,
    /// What it does.
    pub role: Role,
    /// The port at which clients reach it; nothing if they do not.
    pub port: Option<u16>,
    /// What its data may take, in bytes; 0 for any.
    pub memory_limit_bytes: u64,
    /// How many databases it has.
    pub databases: u32,
    /// Commands in a second, lately.
    pub commands_per_s: u64,
    /// What it has and has done.
    pub statistics: Statistics,
    /// How readily it takes its master's place: 1 first, 100 last, 0 never.
    pub priority: u32,
}

/// What a server does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It serves clients with the keys of others.
    Proxy,
    /// It has keys and serves clients.
    Master,
    /// It follows a master.
    Standby {
        /// Whether it is in step with it.
        is_in_step: bool,
    },
}

/// A database of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Database {
    /// Its number.
    pub number: u32,
    /// The keys that it holds.
    pub keys: u64,
    /// How many of them expire.
    pub expiring: u64,
}

/// A command that took a server long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlowCommand {
    /// Whose.
    pub server: ServerId,
    /// What that server was when it was asked.
    pub role: Role,
    /// Its number there; later ones have greater ones.
    pub number: i64,
    /// When it was run.
    pub at_ms: u64,
    /// How long it took, in microseconds.
    pub took_us: u64,
    /// The command and its arguments, shortened.
    pub command: String,
    /// Where it came from.
    pub peer: SocketAddr,
}

/// A connection to a server, as the engine's own list of clients tells it. The texts and numbers are the list's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connection {
    /// The names and values of the list, in its order.
    pub attributes: Vec<(String, String)>,
}

impl Connection {
    /// A connection from a line of the list.
    pub fn from_line(line: &str) -> Self {
        let pairs = line.split(' ').filter_map(|pair| pair.split_once('='));
        Connection { attributes: pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect() }
    }

    /// What the list says under this name; nothing if the release does not tell.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }

    /// The same as a number.
    pub fn number(&self, name: &str) -> Option<i64> {
        self.text(name)?.parse().ok()
    }
}

impl Cloud {
    /// The exact version that an instance's nodes imitate.
    pub fn version(&self, instance: &Instance) -> String {
        self.data_plane.version(instance.engine, instance.release)
    }

    /// The servers of an instance; none if it does not run.
    pub fn servers(&self, instance: &Instance) -> Vec<Server> {
        self.data_plane.servers(&node_of(instance))
    }

    /// The keys of a server of an instance, by database.
    pub async fn databases(&self, instance: &Instance, server: ServerId) -> Vec<Database> {
        self.data_plane.databases(&node_of(instance), server).await
    }

    /// The commands that took the servers of an instance long.
    pub fn slow_commands(&self, instance: &Instance) -> Vec<SlowCommand> {
        self.data_plane.slow_commands(&node_of(instance))
    }

    /// Who is connected to a server of an instance.
    pub fn connections(&self, instance: &Instance, server: ServerId) -> Option<Vec<Connection>> {
        self.data_plane.connections(&node_of(instance), server)
    }

    /// Ends connections to a server of an instance, as [`Inspection::disconnect`] does.
    pub fn disconnect(&self, instance: &Instance, server: ServerId, peers: Option<&[SocketAddr]>) -> usize {
        self.data_plane.disconnect(&node_of(instance), server, peers)
    }

    /// Has a standby of one of an instance's shards take its master's place; answers the task that does so.
    ///
    /// # Errors
    /// [`TaskError`], if it does not begin.
    pub async fn promote(
        self: &Arc<Self>,
        project_id: &str,
        id: &str,
        server: ServerId,
    ) -> Result<String, TaskError> {
        let details = task::Details { server: Some(server), ..task::Details::default() };
        Ok(self.carry_out(project_id, id, task::Kind::Promote, details).await?.id.clone())
    }

    /// Asks who is connected; answers the task that does so.
    ///
    /// # Errors
    /// [`TaskError`], if it does not begin.
    pub async fn survey(self: &Arc<Self>, project_id: &str, id: &str) -> Result<String, TaskError> {
        Ok(self.carry_out(project_id, id, task::Kind::Survey, task::Details::default()).await?.id.clone())
    }

    /// Ends all connections of clients to a server, or to all servers of an instance; answers the task that does so.
    ///
    /// # Errors
    /// [`TaskError`], if it does not begin.
    pub async fn disconnect_all(
        self: &Arc<Self>,
        project_id: &str,
        id: &str,
        server: Option<ServerId>,
    ) -> Result<String, TaskError> {
        let details = task::Details { server, ..task::Details::default() };
        Ok(self.carry_out(project_id, id, task::Kind::Disconnect, details).await?.id.clone())
    }

    pub(crate) async fn promote_server(
        &self,
        instance: &Instance,
        server: Option<ServerId>,
    ) -> Result<(), FailoverError> {
        let server = server.ok_or(FailoverError::NoShard)?;
        self.data_plane.promote(&node_of(instance), server).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_list_is_read() {
        let connection = Connection::from_line("id=3 addr=[::1]:52555 fd=8 name= age=855 cmd=client|list");
        assert_eq!((connection.number("id"), connection.text("addr")), (Some(3), Some("[::1]:52555")));
        assert_eq!((connection.text("name"), connection.number("name")), (Some(""), None));
        assert_eq!((connection.text("cmd"), connection.text("user")), (Some("client|list"), None));
    }
}
