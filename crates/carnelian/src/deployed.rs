//! What runs for a node of the control plane: one server, or all servers of a Redis Cluster.

use std::net::SocketAddr;
use std::sync::Arc;

use server::{Cluster, Running};
use tokio::task::JoinSet;

/// What runs for a node of the control plane.
pub(crate) enum Deployed {
    /// One server.
    One(Running),
    /// Those of a cluster; the first one's address stands for all.
    Cluster(Cluster),
}

impl Deployed {
    fn running(&self) -> Vec<&Running> {
        match self {
            Deployed::One(running) => vec![running],
            Deployed::Cluster(cluster) => cluster.nodes().map(|(_, node)| node).collect(),
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        match self {
            Deployed::One(running) => running.address(),
            Deployed::Cluster(cluster) => cluster.address(),
        }
    }

    /// All its ports, the first one's first.
    pub(crate) fn ports(&self) -> Vec<u16> {
        self.running().iter().map(|node| node.address().port()).collect()
    }

    /// Its servers.
    pub(crate) fn nodes(&self) -> Vec<Arc<engine::Node>> {
        self.running().iter().map(|node| Arc::clone(node.node())).collect()
    }

    /// Lets clients end it, if it is one server. Ready when one has asked for it.
    pub(crate) fn shut_down_asked(&self) -> Option<impl Future<Output = ()> + use<>> {
        match self {
            Deployed::One(running) => Some(running.shut_down_asked()),
            Deployed::Cluster(_) => None,
        }
    }

    /// Waits until all have loaded their keys.
    ///
    /// # Errors
    /// Why one has not, in a sentence.
    pub(crate) fn loaded(&self) -> impl Future<Output = Result<(), String>> + use<> {
        let all: Vec<_> = self.running().iter().map(|node| node.loaded()).collect();
        async move {
            for loaded in all {
                loaded.await?;
            }
            Ok(())
        }
    }

    /// Ends all connections, and waits until all ports are free.
    pub(crate) async fn stop(self) {
        match self {
            Deployed::One(running) => running.stop().await,
            Deployed::Cluster(cluster) => {
                let mut stopping: JoinSet<()> = cluster.into_nodes().map(Running::stop).collect();
                while stopping.join_next().await.is_some() {}
            }
        }
    }

    /// The same; then saves the keys. Whether nothing has been lost.
    pub(crate) async fn stop_and_save(self, always: bool) -> bool {
        match self {
            Deployed::One(running) => running.stop_and_save(always).await,
            Deployed::Cluster(cluster) => {
                let saving = cluster.into_nodes().map(|node| node.stop_and_save(always));
                let saved: Vec<bool> = saving.collect::<JoinSet<bool>>().join_all().await;
                saved.into_iter().all(|saved| saved)
            }
        }
    }
}
