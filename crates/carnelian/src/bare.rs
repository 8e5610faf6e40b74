//! `carnelian redis` and `carnelian memcached`: nodes without a control plane.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use cloud::data_plane::{NodeId, NodeSpec, Port, StartError};
use cloud::engine::{Engine, Release};
use cloud::identity::Secret;
use cloud::instance::Access;
use cloud::topology::Topology;
use cloud::whitelist::Whitelist;
use memcached::settings::SHARD_BITS_MAX;
use memcached::{Credentials, Policy};
use server::{Clock, Cluster, ClusterOrder, Memcached, MemcachedOrder, Order, Workers};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;

use crate::deployed::Deployed;
use crate::deployed::redis::release_of;
use crate::files::Files;
use crate::nodes::Nodes;
use crate::options::Settings;
use crate::signals::{self, Signals};

/// Runs a bare Redis node until a signal comes.
pub(crate) fn redis(settings: &Settings) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let signals = Signals::listen()?;
        signals::ignore_hangup()?;
        if settings.cluster > 0 {
            return cluster(settings, signals).await;
        }
        let directory = (!settings.ephemeral).then(std::env::current_dir).transpose()?;
        let nodes = Nodes::new(
            settings.worker_threads(),
            settings.bind,
            directory.map_or(Files::Nowhere, Files::In),
        )?;
        let stop = async {
            signals.next().await;
        };
        run(&nodes, spec(settings), settings.release, stop).await
    })
}

/// What a bare node or proxy is to be, in the words of the control plane.
fn spec(settings: &Settings) -> NodeSpec {
    let password = settings.config.iter().rev().find(|(name, _)| name.eq_ignore_ascii_case("requirepass"));
    NodeSpec {
        id: NodeId("bare".to_owned()),
        engine: Engine::Redis,
        release: Some(settings.release),
        topology: if settings.proxy > 0 { Topology::Proxy } else { Topology::Single },
        shards: settings.proxy.max(1),
        copies: 1,
        further_ports: Vec::new(),
        memory_limit_bytes: 0,
        port: Port::Exactly(settings.port),
        reserved_ports: BTreeSet::new(),
        access: password.map_or(Access::Open, |(_, text)| Access::Password(Secret::new(text))),
        access_user: None,
        whitelist: Whitelist::default(),
        renamed_commands: Vec::new(),
        databases: 16,
        parameters: settings.config.clone(),
    }
}

/// Runs a node until `stop` is done or a client has ended it.
async fn run(
    nodes: &Nodes,
    node: NodeSpec,
    release: Release,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let id = node.id.clone();
    let mut stop = std::pin::pin!(stop);
    let endpoint = nodes.launch(node).map_err(|error| match error {
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
    println!("Redis {release} is ready on {}", endpoint.address);
    tokio::select! {
        () = &mut stop => anyhow::ensure!(nodes.stop_all().await, "the keys could not be saved"),
        // Whatever was to be saved has been.
        () = &mut asked => nodes.running.lock().clear(),
    }
    Ok(())
}

/// Runs the bare nodes of a cluster until a signal comes.
async fn cluster(settings: &Settings, signals: Signals) -> anyhow::Result<()> {
    let workers = Workers::start(settings.worker_threads())?;
    let order = ClusterOrder {
        nodes: Order {
            release: release_of(settings.release),
            address: (settings.bind, settings.port).into(),
            seed: rand::random(),
            config: settings.config.clone(),
            directory: None,
            seat: None,
            admission: Arc::default(),
            withheld: &[],
        },
        name: format!("{}:{}", settings.bind, settings.port),
        masters: settings.cluster,
        replicas: settings.replicas,
        ports: Vec::new(),
    };
    let cluster = Cluster::start(&workers, &Arc::new(Clock::new()), &order, |_| true)?;
    let addresses: Vec<String> = cluster.addresses().iter().map(ToString::to_string).collect();
    let mut asked = JoinSet::new();
    for (number, ends) in cluster.shut_down_asked().into_iter().enumerate() {
        asked.spawn(async move {
            ends.await;
            number
        });
    }
    println!("Redis {} is ready as a cluster on {}", settings.release, addresses.join(" "));
    let stop = signals.next();
    tokio::pin!(stop);
    loop {
        // The nodes are their clients' to end, one by one.
        tokio::select! {
            _ = &mut stop => break,
            Some(Ok(number)) = asked.join_next() => cluster.stop_node(number).await,
            else => break,
        }
    }
    cluster.stop().await;
    Ok(())
}

/// Runs a bare Memcached node until a signal comes, or until a client ends it.
pub(crate) fn memcached(settings: &Settings) -> anyhow::Result<()> {
    let wanted = &settings.memcached;
    let credentials = match &wanted.auth_file {
        None => Vec::new(),
        Some(path) => credentials(path)?,
    };
    let defaults = memcached::Settings::default();
    let order = MemcachedOrder {
        address: (settings.bind, wanted.port).into(),
        seed: rand::random(),
        settings: memcached::Settings {
            shard_bits: if settings.worker_threads() > 1 { SHARD_BITS_MAX } else { defaults.shard_bits },
            memory_bytes: ((wanted.memory_mb as usize) << 20).into(),
            item_bytes: wanted.max_item_bytes.into(),
            policy: if wanted.disable_evictions { Policy::NoEviction } else { Policy::AllKeysLru }.into(),
            connections: wanted.connections.into(),
            idle_s: wanted.idle_timeout.into(),
            shuts_down: wanted.enable_shutdown.into(),
            ..defaults
        },
        access: memcached::Access::new(credentials),
        has_standby: false,
        file: None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let signals = Signals::listen()?;
        let hangup = signal(SignalKind::hangup())?;
        let workers = Workers::start(settings.worker_threads())?;
        let node = Memcached::start(&workers, &Arc::new(Clock::new()), order)?;
        node.loaded().await.map_err(anyhow::Error::msg)?;
        println!("Memcached {} is ready on {}", memcache_wire::VERSION, node.address());
        tokio::select! {
            _ = signals.next() => {}
            () = node.shut_down_asked() => {}
            () = admit_anew(&node, wanted.auth_file.as_deref(), hangup) => {}
        }
        node.stop().await;
        Ok(())
    })
}

/// Has those log in whom the file names at each SIGHUP, as memcached does. Who is in stays; a file that is no good changes
/// nothing.
async fn admit_anew(node: &Memcached, file: Option<&Path>, mut hangup: Signal) {
    while hangup.recv().await.is_some() {
        let Some((file, node)) = file.zip(node.node()) else { continue };
        match credentials(file) {
            Ok(credentials) => node.access.set(credentials),
            Err(error) => tracing::warn!("the names and passwords stay as they are: {error:#}"),
        }
    }
}

/// The names and passwords of a file, one pair to a line.
fn credentials(path: &Path) -> anyhow::Result<Vec<Credentials>> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("{} cannot be read; name one that can with --auth-file", path.display()))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty()).enumerate();
    let credentials = lines.map(|(number, line)| match line.split_once(':') {
        Some((user, password)) if !user.is_empty() => {
            Ok(Credentials { user: user.to_owned(), password: password.to_owned() })
        }
        _ => bail!("{}: pair {} is not name:password", path.display(), number + 1),
    });
    let credentials = credentials.collect::<anyhow::Result<Vec<_>>>()?;
    anyhow::ensure!(!credentials.is_empty(), "{} has nobody in it; lines are name:password", path.display());
    Ok(credentials)
}
