//! What stands inside the nodes of this process: their servers, what took these long, and who is connected.
//!
//! The copies of a shard are told apart by their places, which they keep: of a pair the master has the place 0 at first,
//! and the other one after each failover; a node that begins anew does so in the place of the one that it follows upon.

use std::cmp::Reverse;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use cloud::Pending;
use cloud::data_plane::{FailoverError, NodeId};
use cloud::engine::{Engine, Release};
use cloud::inspection::{Connection, Database, Inspection, Role, Server, ServerId, SlowCommand};
use cloud::whitelist::Whitelist;
use engine::Client;
use engine::clients::Marks;
use engine::commands::client::describe;
use server::Member;
use server::admission::Rule;

use crate::data_plane::no_failover;
use crate::deployed::redis::{release_of, statistics};
use crate::deployed::{self, Deployed};
use crate::nodes::Nodes;

/// A server that runs, with its place.
struct Found {
    id: ServerId,
    role: Role,
    port: Option<u16>,
    node: Arc<engine::Node>,
}

/// From where a node may be reached, as its servers are told.
pub(crate) fn rule(whitelist: &Whitelist) -> Option<Rule> {
    if !whitelist.is_enabled {
        return None;
    }
    let own = whitelist.clone();
    Some(Arc::new(move |address: IpAddr| own.admits(address)))
}

impl Nodes {
    /// The Redis servers of a node.
    fn found(&self, node: &NodeId) -> Vec<Found> {
        match self.running.lock().get(node) {
            Some(node) => found(&node.running),
            None => Vec::new(),
        }
    }

    fn server(&self, node: &NodeId, server: ServerId) -> Option<Arc<engine::Node>> {
        self.found(node).into_iter().find(|found| found.id == server).map(|found| found.node)
    }
}

impl Inspection for Nodes {
    fn version(&self, engine: Engine, release: Option<Release>) -> String {
        match (engine, release) {
            (Engine::Redis, Some(release)) => release_of(release).version().to_string(),
            (Engine::Redis, None) => command::Release::V7_4.version().to_string(),
            (Engine::Memcached, _) => memcached::VERSION.to_owned(),
        }
    }

    fn servers(&self, node: &NodeId) -> Vec<Server> {
        if let Some(running) = self.running.lock().get(node)
            && let Deployed::Memcached(own) = &running.running
        {
            return memcached_server(own).into_iter().collect();
        }
        self.found(node).iter().map(server).collect()
    }

    fn databases<'a>(&'a self, node: &'a NodeId, server: ServerId) -> Pending<'a, Vec<Database>> {
        Box::pin(async move {
            let Some(node) = self.server(node, server) else { return Vec::new() };
            let of = server::owner::databases(&node).await;
            of.into_iter().map(|(number, keys, expiring)| Database { number, keys, expiring }).collect()
        })
    }

    fn slow_commands(&self, node: &NodeId) -> Vec<SlowCommand> {
        let (mut slow, mut logs) = (Vec::new(), Vec::new());
        for found in self.found(node) {
            // The servers behind a proxy write into its log.
            if logs.iter().any(|seen| Arc::ptr_eq(seen, &found.node.slowlog)) {
                continue;
            }
            logs.push(Arc::clone(&found.node.slowlog));
            let own = found.node.slowlog.newest(usize::MAX);
            slow.extend(own.into_iter().map(|slow| SlowCommand {
                server: found.id,
                role: found.role,
                number: slow.id,
                at_ms: u64::try_from(slow.at_s).unwrap_or(0) * 1_000,
                took_us: u64::try_from(slow.took_us).unwrap_or(0),
                command: shown(&slow.args),
                peer: slow.peer,
            }));
        }
        slow
    }

    fn connections(&self, node: &NodeId, server: ServerId) -> Option<Vec<Connection>> {
        let node = self.server(node, server)?;
        let now_ms = node.host.wall_us().div_euclid(1_000);
        let line = |client: &Arc<Client>| Connection::from_line(&describe(&node, client, now_ms));
        Some(node.clients.all().iter().map(line).collect())
    }

    fn disconnect(&self, node: &NodeId, server: ServerId, peers: Option<&[SocketAddr]>) -> usize {
        let Some(node) = self.server(node, server) else { return 0 };
        let mut clients = node.clients.all();
        clients.retain(|client| match peers {
            Some(peers) => peers.contains(&client.peer),
            None => !client.marks().intersects(Marks::MASTER | Marks::REPLICA),
        });
        clients.iter().for_each(|client| client.kill());
        clients.len()
    }

    fn promote<'a>(&'a self, node: &'a NodeId, server: ServerId) -> Pending<'a, Result<(), FailoverError>> {
        Box::pin(async move {
            let found = self.found(node).into_iter().find(|found| found.id == server);
            let found = found.ok_or(FailoverError::NotRunning)?;
            let (ServerId::Copy { shard, copy }, Role::Standby { .. }) = (found.id, found.role) else {
                return Err(FailoverError::NoStandby);
            };
            let promoting: Pending<'_, Result<(), server::FailoverError>> = {
                let running = self.running.lock();
                match &running.get(node).ok_or(FailoverError::NotRunning)?.running {
                    Deployed::Cluster(cluster) => Box::pin(cluster.promote(found.node)),
                    other => {
                        other.failover(Some(shard as usize), Some(copy as usize)).map_err(no_failover)?
                    }
                }
            };
            promoting.await.map_err(no_failover)
        })
    }

    fn admit(&self, node: &NodeId, whitelist: &Whitelist) {
        let Some(admission) = self.running.lock().get(node).map(|node| Arc::clone(&node.admission)) else {
            return;
        };
        admission.set(rule(whitelist));
        for found in self.found(node) {
            // A link to a master is a connection of the server's own.
            let clients =
                found.node.clients.all().into_iter().filter(|client| !client.marks().contains(Marks::MASTER));
            clients
                .filter(|client| !admission.admits(client.peer, client.local))
                .for_each(|client| client.kill());
        }
    }
}

/// The Redis servers of what runs: a proxy first, then shard by shard in the order of their slots, masters first.
fn found(deployed: &Deployed) -> Vec<Found> {
    match deployed {
        Deployed::One(running) => {
            let port = Some(running.address().port());
            let id = ServerId::Copy { shard: 0, copy: 0 };
            vec![Found { id, role: Role::Master, port, node: Arc::clone(running.node()) }]
        }
        Deployed::Pair(pair) => copies(0, pair.members(), Some(pair.address().port())),
        Deployed::Proxy(proxy) => {
            let front = Arc::clone(proxy.node());
            let port = Some(proxy.address().port());
            let front = Found { id: ServerId::Proxy, role: Role::Proxy, port, node: front };
            let shards = proxy.members().into_iter().zip(0..);
            std::iter::once(front).chain(shards.flat_map(|(own, shard)| copies(shard, own, None))).collect()
        }
        Deployed::Cluster(cluster) => members(cluster),
        Deployed::Memcached(_) => Vec::new(),
    }
}

/// A master, which has this port, and its standbys.
fn copies(shard: u32, members: Vec<Member>, port: Option<u16>) -> Vec<Found> {
    let found = |Member { copy, is_master, node }: Member| {
        let (role, port) = match is_master {
            true => (Role::Master, port),
            false => (Role::Standby { is_in_step: node.master.is_up() }, None),
        };
        Found { id: ServerId::Copy { shard, copy: copy as u32 }, role, port, node }
    };
    members.into_iter().map(found).collect()
}

/// The servers of a cluster. Masters without slots come last.
fn members(cluster: &server::Cluster) -> Vec<Found> {
    let members = cluster.members().into_iter();
    let nodes: Vec<_> = members.filter_map(|(address, node)| Some((address.port(), node?))).collect();
    let master_of = |node: &Arc<engine::Node>| match &node.member {
        Some(member) if member.is_replica() => member.master(),
        _ => Some(Arc::clone(node)),
    };
    let first_slot = |node: &Arc<engine::Node>| node.member.as_ref().and_then(|member| member.first_slot());
    let mut masters: Vec<_> = nodes
        .iter()
        .map(|(_, node)| node)
        .filter(|node| node.member.as_ref().is_none_or(|member| !member.is_replica()))
        .collect();
    masters.sort_by_key(|node| (first_slot(node).is_none(), first_slot(node)));
    let mut found = Vec::new();
    for (master, shard) in masters.into_iter().zip(0..) {
        let own = nodes.iter().filter(|(_, node)| master_of(node).is_some_and(|of| Arc::ptr_eq(&of, master)));
        let mut copies: Vec<_> = own
            .zip(0..)
            .map(|((port, node), copy)| {
                let role = if Arc::ptr_eq(node, master) {
                    Role::Master
                } else {
                    Role::Standby { is_in_step: node.master.is_up() }
                };
                Found { id: ServerId::Copy { shard, copy }, role, port: Some(*port), node: Arc::clone(node) }
            })
            .collect();
        copies.sort_by_key(|found| Reverse(found.role == Role::Master));
        found.append(&mut copies);
    }
    found
}

fn server(found: &Found) -> Server {
    let node = &found.node;
    let now_ms = node.host.wall_us().div_euclid(1_000);
    let rates = node.stats.rates(now_ms, now_ms - node.started_us.div_euclid(1_000));
    let priority = ["replica-priority", "slave-priority"].into_iter();
    let priority =
        priority.filter_map(|name| node.configuration.recorded(name)).map(|value| value.number()).next();
    Server {
        id: found.id,
        role: found.role,
        port: found.port,
        memory_limit_bytes: node.settings.maxmemory.load(Relaxed),
        databases: node.settings.databases.load(Relaxed),
        commands_per_s: rates.commands as u64,
        statistics: statistics(node),
        priority: priority.map_or(100, |priority| priority as u32),
    }
}

/// What is told of a Memcached server, which has no standby that anybody could look at.
fn memcached_server(own: &deployed::memcached::Instance) -> Option<Server> {
    Some(Server {
        id: ServerId::Copy { shard: 0, copy: 0 },
        role: Role::Master,
        port: Some(own.memcached.address().port()),
        memory_limit_bytes: own.memory_limit_bytes()?,
        databases: 1,
        commands_per_s: 0,
        statistics: own.statistics()?,
        priority: 100,
    })
}

/// A command as it is shown: words between blanks; what is no text is replaced.
fn shown(args: &[Box<[u8]>]) -> String {
    let words: Vec<_> = args.iter().map(|arg| String::from_utf8_lossy(arg)).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use cloud::data_plane::{DataPlane, Port};
    use cloud::instance::Access;
    use cloud::topology::Topology;
    use cloud::whitelist::{Group, Network};
    use tokio::io::BufReader;
    use tokio::net::TcpStream;

    use super::*;
    use crate::files::Files;
    use crate::launch::tests::spec;
    use crate::ping::ask;

    const FIRST: ServerId = ServerId::Copy { shard: 0, copy: 0 };
    const SECOND: ServerId = ServerId::Copy { shard: 0, copy: 1 };

    fn id() -> NodeId {
        NodeId("a".to_owned())
    }

    async fn start(topology: Topology, port: u16) -> (Nodes, SocketAddr) {
        let nodes = Nodes::new(1, IpAddr::V4(Ipv4Addr::LOCALHOST), Files::Nowhere).unwrap();
        let mut order = spec("a", Port::FirstFreeFrom(port), Access::Open);
        order.topology = topology;
        order.copies = if topology == Topology::Single { 1 } else { 2 };
        order.shards = if topology.has_one_master() { 1 } else { 3 };
        let started = nodes.start(order).await.unwrap();
        let are_in_step = || {
            let standbys =
                nodes.servers(&id()).into_iter().filter(|server| matches!(server.role, Role::Standby { .. }));
            let roles: Vec<_> = standbys.map(|server| server.role).collect();
            (topology == Topology::Single || !roles.is_empty())
                && roles.iter().all(|role| *role == Role::Standby { is_in_step: true })
        };
        until(are_in_step).await;
        (nodes, started.address)
    }

    async fn until(holds: impl Fn() -> bool) {
        for _ in 0..2_000 {
            if holds() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("it does not come about");
    }

    async fn connect(address: SocketAddr) -> BufReader<TcpStream> {
        BufReader::new(TcpStream::connect(address).await.unwrap())
    }

    async fn answers(connection: &mut BufReader<TcpStream>) -> bool {
        ask(connection, "PING\r\n", "+PONG").await.is_ok()
    }

    fn only(network: &str) -> Whitelist {
        let networks = vec![Network::parse(network).unwrap()];
        Whitelist { is_enabled: true, groups: vec![Group { name: "office".to_owned(), networks }] }
    }

    #[tokio::test]
    async fn whoever_is_not_on_the_list_is_cut_off_and_kept_out() {
        for (topology, port) in [
            (Topology::Single, 31_000),
            (Topology::MasterStandby, 31_100),
            (Topology::Cluster, 31_200),
            (Topology::Proxy, 31_300),
        ] {
            let (nodes, address) = start(topology, port).await;
            let mut before = connect(address).await;
            assert!(answers(&mut before).await);
            nodes.admit(&id(), &only("10.0.0.0/8"));
            assert!(!answers(&mut before).await, "{topology:?}");
            assert!(!answers(&mut connect(address).await).await, "{topology:?}");
            // Whoever owns the node and those that follow it are no clients.
            nodes.ping(&id()).await.unwrap();
            let are_in_step = || {
                let mut servers = nodes.servers(&id()).into_iter();
                servers.all(|server| server.role != Role::Standby { is_in_step: false })
            };
            until(are_in_step).await;
            nodes.admit(&id(), &only("127.0.0.1"));
            assert!(answers(&mut connect(address).await).await, "{topology:?}");
            nodes.admit(&id(), &Whitelist::default());
            assert!(answers(&mut connect(address).await).await, "{topology:?}");
            nodes.stop_all().await;
        }
    }

    #[tokio::test]
    async fn a_node_begins_with_its_list() {
        let nodes = Nodes::new(1, IpAddr::V4(Ipv4Addr::LOCALHOST), Files::Nowhere).unwrap();
        let mut order = spec("a", Port::FirstFreeFrom(31_400), Access::Open);
        order.whitelist = only("10.0.0.0/8");
        let started = nodes.start(order).await.unwrap();
        nodes.ping(&id()).await.unwrap();
        assert!(!answers(&mut connect(started.address).await).await);
    }

    #[tokio::test]
    async fn connections_are_told_and_ended() {
        let (nodes, address) = start(Topology::MasterStandby, 31_500).await;
        let (mut first, mut second) = (connect(address).await, connect(address).await);
        assert!(answers(&mut first).await && answers(&mut second).await);
        let own = first.get_ref().local_addr().unwrap();
        let connections = nodes.connections(&id(), FIRST).unwrap();
        let one = connections.iter().find(|one| one.text("addr") == Some(&own.to_string())).unwrap();
        assert_eq!(
            (one.text("cmd"), one.text("flags"), one.number("db")),
            (Some("ping"), Some("N"), Some(0))
        );
        assert_eq!(nodes.disconnect(&id(), FIRST, Some(&[own])), 1);
        assert!(!answers(&mut first).await && answers(&mut second).await);
        assert_eq!(nodes.disconnect(&id(), FIRST, None), 1, "its standby is no client");
        assert!(!answers(&mut second).await);
        assert!(nodes.connections(&id(), ServerId::Proxy).is_none());
    }

    #[tokio::test]
    async fn places_stay_when_a_standby_takes_over() {
        for (topology, port) in
            [(Topology::MasterStandby, 31_600), (Topology::Proxy, 31_700), (Topology::Cluster, 31_800)]
        {
            let (nodes, _) = start(topology, port).await;
            let role = |wanted: ServerId| {
                nodes.servers(&id()).into_iter().find(|server| server.id == wanted).map(|server| server.role)
            };
            assert_eq!(role(FIRST), Some(Role::Master), "{topology:?}");
            assert!(
                matches!(nodes.promote(&id(), FIRST).await, Err(FailoverError::NoStandby)),
                "{topology:?}"
            );
            nodes.promote(&id(), SECOND).await.unwrap();
            assert_eq!(role(SECOND), Some(Role::Master), "{topology:?}");
            until(|| role(FIRST) == Some(Role::Standby { is_in_step: true })).await;
            let masters = nodes.servers(&id()).into_iter().filter(|server| server.role == Role::Master);
            assert_eq!(masters.count(), if topology.has_one_master() { 1 } else { 3 });
            nodes.stop_all().await;
        }
    }

    #[tokio::test]
    async fn what_took_long_and_what_is_held_is_told() {
        let (nodes, address) = start(Topology::Single, 31_900).await;
        let mut client = connect(address).await;
        for (request, answer) in [
            ("SET a 1\r\n", "+OK"),
            ("SETEX b 100 1\r\n", "+OK"),
            ("CONFIG SET slowlog-log-slower-than 0\r\n", "+OK"),
            ("EXISTS \"a b\" a\r\n", ":1"),
        ] {
            ask(&mut client, request, answer).await.unwrap();
        }
        let slow = nodes.slow_commands(&id());
        let last = slow.iter().max_by_key(|slow| slow.number).unwrap();
        assert_eq!((&*last.command, last.server, last.role), ("EXISTS a b a", FIRST, Role::Master));
        assert_eq!(last.peer, client.get_ref().local_addr().unwrap());
        let databases = nodes.databases(&id(), FIRST).await;
        assert_eq!(databases, [Database { number: 0, keys: 2, expiring: 1 }]);
        assert_eq!(nodes.version(Engine::Redis, Some(Release::V5_0)), "5.0.14");
    }
}
