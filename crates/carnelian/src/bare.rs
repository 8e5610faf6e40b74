//! `carnelian redis` and `carnelian memcached`: nodes without a control plane.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use memcached::{Access, Credentials, Policy};
use server::{Clock, Cluster, ClusterOrder, Memcached, MemcachedOrder, Order, Workers};
use tokio::task::JoinSet;

use crate::data_plane;
use crate::options::Settings;
use crate::signals::Signals;

/// Runs a bare Redis node until a signal comes.
pub(crate) fn redis(settings: &Settings) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let signals = Signals::listen()?;
        if settings.cluster > 0 {
            return cluster(settings, signals).await;
        }
        let node = data_plane::BareNode {
            bind: settings.bind,
            port: settings.port,
            release: settings.release,
            threads: settings.threads,
            config: settings.config.clone(),
            directory: (!settings.ephemeral).then(std::env::current_dir).transpose()?,
            shards: settings.proxy,
        };
        data_plane::run_bare(node, async {
            signals.next().await;
        })
        .await
    })
}

/// Runs the bare nodes of a cluster until a signal comes.
async fn cluster(settings: &Settings, signals: Signals) -> anyhow::Result<()> {
    let workers = Workers::start(threads(settings))?;
    let order = ClusterOrder {
        nodes: Order {
            release: data_plane::release_of(settings.release),
            address: (settings.bind, settings.port).into(),
            seed: rand::random(),
            config: settings.config.clone(),
            directory: None,
            seat: None,
            admission: Arc::default(),
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
    let order = MemcachedOrder {
        address: (settings.bind, wanted.port).into(),
        seed: rand::random(),
        settings: memcached::Settings {
            memory_bytes: ((wanted.memory_mb as usize) << 20).into(),
            item_bytes: wanted.max_item_bytes.into(),
            policy: if wanted.disable_evictions { Policy::NoEviction } else { Policy::AllKeysLru }.into(),
            connections: wanted.connections.into(),
            idle_s: wanted.idle_timeout.into(),
            shuts_down: wanted.enable_shutdown.into(),
            ..memcached::Settings::default()
        },
        access: Access::new(credentials),
        has_standby: false,
        file: None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let signals = Signals::listen()?;
        let workers = Workers::start(threads(settings))?;
        let node = Memcached::start(&workers, &Arc::new(Clock::new()), order)?;
        node.loaded().await.map_err(anyhow::Error::msg)?;
        println!("Memcached {} is ready on {}", memcache_wire::VERSION, node.address());
        tokio::select! {
            _ = signals.next() => {}
            () = node.shut_down_asked() => {}
        }
        node.stop().await;
        Ok(())
    })
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

/// How many threads run nodes.
fn threads(settings: &Settings) -> usize {
    match settings.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    }
}
