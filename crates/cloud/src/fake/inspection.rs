//! What stands inside the nodes of a fake data plane: as many servers as were ordered, and what tests put there.

use std::collections::HashMap;
use std::net::SocketAddr;

use super::FakeDataPlane;
use crate::Pending;
use crate::data_plane::{FailoverError, NodeId, NodeSpec, Statistics};
use crate::engine::{Engine, Release};
use crate::inspection::{Connection, Database, Inspection, Role, Server, ServerId, SlowCommand};
use crate::topology::Topology;
use crate::whitelist::Whitelist;

/// What tests have put into nodes, and what was done there.
#[derive(Default)]
pub(super) struct Inside {
    /// The copy that is the master, of shards that have changed it.
    masters: HashMap<(NodeId, u32), u32>,
    slow: Vec<SlowCommand>,
    /// Who is connected, by address and the list's line.
    connections: Vec<(NodeId, ServerId, SocketAddr)>,
    whitelists: HashMap<NodeId, Whitelist>,
}

impl FakeDataPlane {
    /// Has a node's servers remember this.
    pub fn be_slow(&self, slow: SlowCommand) {
        self.0.lock().inside.slow.push(slow);
    }

    /// Connects a client.
    pub fn connect(&self, node: &str, server: ServerId, peer: SocketAddr) {
        self.0.lock().inside.connections.push((NodeId(node.to_owned()), server, peer));
    }

    /// From where a node may be reached, as it was told last.
    pub fn whitelist(&self, node: &str) -> Option<Whitelist> {
        let state = self.0.lock();
        let node = NodeId(node.to_owned());
        let started = state.nodes.get(&node).map(|(spec, _)| spec.whitelist.clone());
        state.inside.whitelists.get(&node).cloned().or(started)
    }
}

impl Inspection for FakeDataPlane {
    fn version(&self, engine: Engine, release: Option<Release>) -> String {
        format!("{}.9", release.map_or(engine.name(), Release::name))
    }

    fn servers(&self, node: &NodeId) -> Vec<Server> {
        let state = self.0.lock();
        let Some((spec, endpoint)) = state.nodes.get(node) else { return Vec::new() };
        let mut servers = Vec::new();
        if spec.topology == Topology::Proxy {
            servers.push(server(spec, ServerId::Proxy, Role::Proxy, Some(endpoint.address.port())));
        }
        for shard in 0..spec.shards {
            let master = state.inside.masters.get(&(node.clone(), shard)).copied().unwrap_or(0);
            let mut copies: Vec<u32> = (0..spec.copies).collect();
            copies.sort_by_key(|copy| *copy != master);
            for copy in copies {
                let is_standby = copy != master;
                let role =
                    if is_standby { Role::Standby { is_in_step: !state.lagging } } else { Role::Master };
                let is_reached = match spec.topology {
                    Topology::Cluster => true,
                    Topology::Proxy => false,
                    Topology::Single | Topology::MasterStandby => !is_standby,
                };
                let port = is_reached.then(|| endpoint.address.port());
                servers.push(server(spec, ServerId::Copy { shard, copy }, role, port));
            }
        }
        servers
    }

    fn databases<'a>(&'a self, node: &'a NodeId, _: ServerId) -> Pending<'a, Vec<Database>> {
        let runs = self.0.lock().nodes.contains_key(node);
        Box::pin(
            async move { if runs { vec![Database { number: 0, keys: 7, expiring: 2 }] } else { Vec::new() } },
        )
    }

    fn slow_commands(&self, node: &NodeId) -> Vec<SlowCommand> {
        let state = self.0.lock();
        if state.nodes.contains_key(node) { state.inside.slow.clone() } else { Vec::new() }
    }

    fn connections(&self, node: &NodeId, server: ServerId) -> Option<Vec<Connection>> {
        let state = self.0.lock();
        state.nodes.get(node)?;
        let own =
            state.inside.connections.iter().zip(3..).filter(|((of, to, _), _)| of == node && *to == server);
        let line = |((_, _, peer), id): (&(NodeId, ServerId, SocketAddr), i32)| {
            let age = 100 - id;
            Connection::from_line(&format!(
                "id={id} addr={peer} fd=8 name= age={age} idle=1 flags=N db=0 sub=0 psub=0 multi=-1 qbuf=0 \
                 qbuf-free=0 obl=0 oll=0 omem=0 events=r cmd=get"
            ))
        };
        Some(own.map(line).collect())
    }

    fn disconnect(&self, node: &NodeId, server: ServerId, peers: Option<&[SocketAddr]>) -> usize {
        let connections = &mut self.0.lock().inside.connections;
        let before = connections.len();
        connections.retain(|(of, to, peer)| {
            of != node || *to != server || peers.is_some_and(|peers| !peers.contains(peer))
        });
        before - connections.len()
    }

    fn promote<'a>(&'a self, node: &'a NodeId, server: ServerId) -> Pending<'a, Result<(), FailoverError>> {
        Box::pin(async move {
            let mut state = self.0.lock();
            if state.lagging {
                return Err(FailoverError::TooSlow);
            }
            let ServerId::Copy { shard, copy } = server else { return Err(FailoverError::NoStandby) };
            state.inside.masters.insert((node.clone(), shard), copy);
            Ok(())
        })
    }

    fn admit(&self, node: &NodeId, whitelist: &Whitelist) {
        let inside = &mut self.0.lock().inside;
        inside.whitelists.insert(node.clone(), whitelist.clone());
        inside.connections.retain(|(of, _, peer)| of != node || whitelist.admits(peer.ip()));
    }
}

fn server(spec: &NodeSpec, id: ServerId, role: Role, port: Option<u16>) -> Server {
    Server {
        id,
        role,
        port,
        memory_limit_bytes: spec.memory_limit_bytes / u64::from(spec.shards),
        databases: spec.databases,
        commands_per_s: 12,
        statistics: Statistics {
            used_memory_bytes: 33 << 20,
            input_bytes_per_s: 200,
            ..Statistics::default()
        },
        priority: 100,
    }
}
