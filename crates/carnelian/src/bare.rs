//! `carnelian redis`: a node without a control plane.

use std::process::ExitCode;

use anyhow::bail;
use server::{Clock, Cluster, ClusterOrder, Order, Workers};
use std::sync::Arc;
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
    let threads = match settings.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    };
    let workers = Workers::start(threads)?;
    let order = ClusterOrder {
        nodes: Order {
            release: data_plane::release_of(settings.release),
            address: (settings.bind, settings.port).into(),
            seed: rand::random(),
            config: settings.config.clone(),
            directory: None,
            seat: None,
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

/// There is no Memcached yet.
pub(crate) fn memcached() -> anyhow::Result<ExitCode> {
    bail!("Memcached nodes are not there yet; carnelian redis runs a Redis node")
}
