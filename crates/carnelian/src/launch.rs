//! How a node begins: its files, its port, what runs for it.
//!
//! Ports are bound before it is said that a node runs, and two nodes never race for one: they begin one after the other.

use std::collections::HashSet;
use std::sync::Arc;

use cloud::data_plane::{Endpoint, NodeSpec, Port, StartError};
use cloud::engine::Engine;
use cloud::topology::Topology;
use server::{Cluster, ClusterOrder, Memcached, Order, Pair, Proxy, ProxyOrder, Running};

use crate::deployed::redis::{config, parts, release_of};
use crate::deployed::{Deployed, memcached};
use crate::files::{Files, remove_leftovers};
use crate::inspection;
use crate::nodes::{Node, Nodes};
use crate::resize::Form;

impl Nodes {
    /// Has a node run; it may still be loading its keys.
    ///
    /// # Errors
    /// [`StartError`]; then nothing of it runs.
    pub(crate) fn launch(&self, node: NodeSpec) -> Result<Endpoint, StartError> {
        let mut running = self.running.lock();
        if running.contains_key(&node.id) {
            return Err(StartError::AlreadyRunning(node.id));
        }
        let order = self.order(&node)?;
        let own: HashSet<u16> = running.values().flat_map(|node| node.running.ports()).collect();
        let is_free = |port: u16| !own.contains(&port) && !node.reserved_ports.contains(&port);
        let begin =
            |port| self.begin(&node, Order { address: (self.bind, port).into(), ..order.clone() }, is_free);
        let begun = match node.port {
            Port::Exactly(port) if node.reserved_ports.contains(&port) => {
                return Err(StartError::PortInUse(port));
            }
            Port::Exactly(port) => begin(port).map_err(|error| refused(port, error))?,
            Port::FirstFreeFrom(base) => {
                let mut free = (base..=u16::MAX).filter(|&port| is_free(port));
                loop {
                    let port = free.next().ok_or(StartError::NoFreePort(base))?;
                    match begin(port) {
                        Ok(begun) => break begun,
                        // Somebody else's, outside this process.
                        Err(server::StartError::PortInUse(_)) => {}
                        Err(error) => return Err(refused(port, error)),
                    }
                }
            }
        };
        let endpoint = Endpoint { address: begun.address() };
        let (parts, form) = (parts(&node), Form::of(&node));
        let limit = node.memory_limit_bytes / parts;
        let NodeSpec { id, engine, access, access_user, .. } = node;
        let admission = order.admission;
        running
            .insert(id, Node { running: begun, admission, engine, access, access_user, parts, limit, form });
        Ok(endpoint)
    }

    /// What each Redis server of a node is to be, but for its port. Its directory is there from now on.
    fn order(&self, node: &NodeSpec) -> Result<Order, StartError> {
        let order = Order {
            release: node.release.map_or(command::Release::V7_4, release_of),
            address: (self.bind, 0).into(),
            seed: rand::random(),
            config: config(node),
            directory: self.files.of(&node.id),
            seat: None,
            admission: Arc::default(),
            withheld: self.withheld(node),
        };
        order.admission.set(inspection::rule(&node.whitelist));
        if let Some(directory) = &order.directory {
            std::fs::create_dir_all(directory)
                .map_err(|source| StartError::NoDirectory { path: directory.clone(), source })?;
            if let Files::Below(_) = self.files {
                remove_leftovers(directory);
            }
        }
        Ok(order)
    }

    /// Has a node run where the order says. Further servers of it come to ports that are free, as `is_free` says.
    fn begin(
        &self,
        node: &NodeSpec,
        order: Order,
        is_free: impl Fn(u16) -> bool,
    ) -> Result<Deployed, server::StartError> {
        let (workers, clock) = (&self.workers, &self.clock);
        if node.engine == Engine::Memcached {
            let order = memcached::order(node, order.address, order.directory.as_deref());
            let memcached = Memcached::start(workers, clock, order)?;
            return Ok(Deployed::Memcached(memcached::Instance::new(memcached, clock)));
        }
        match node.topology {
            Topology::Single => Running::start(workers, clock, &order).map(Deployed::One),
            Topology::MasterStandby => {
                Pair::start(workers, clock, &order, Form::of(node).standbys()).map(Deployed::Pair)
            }
            Topology::Cluster => {
                Cluster::start(workers, clock, &self.cluster(order, node), is_free).map(Deployed::Cluster)
            }
            Topology::Proxy => {
                let standbys = Form::of(node).standbys();
                let order = ProxyOrder { nodes: order, shards: node.shards as usize, standbys };
                Proxy::start(workers, clock, &order).map(Deployed::Proxy)
            }
        }
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

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeSet;
    use std::net::{IpAddr, Ipv4Addr};
    use std::path::Path;

    use cloud::data_plane::{DataPlane, NodeId, PingError};
    use cloud::engine::Release;
    use cloud::identity::Secret;
    use cloud::instance::Access;
    use cloud::whitelist::Whitelist;
    use tokio::io::BufReader;
    use tokio::net::TcpStream;

    use super::*;
    use crate::ping::ask;

    /// A node of release 5.0 with nothing special about it.
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
