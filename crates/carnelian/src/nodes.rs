//! The nodes of this process, by their instances.
//!
//! All of them share the worker threads and the clock. How one begins is [`crate::launch`]'s, what the control plane has
//! done with them [`crate::data_plane`]'s.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use cloud::data_plane::NodeId;
use cloud::engine::Engine;
use cloud::instance::Access;
use server::{Admission, Clock, Workers};
use structures::ranked::{Mutex, rank};

use crate::aside::Aside;
use crate::deployed::Deployed;
use crate::files::Files;
use crate::resize::Form;

/// The nodes of this process.
pub(crate) struct Nodes {
    pub(crate) bind: IpAddr,
    /// What clients of a cluster are told of its servers, if not where they came to.
    pub(crate) advertise: Option<String>,
    /// Whether clients do not know the commands that the cloud withholds.
    pub(crate) withholds: bool,
    /// Below it each node has a directory of its own; without one nothing is written.
    pub(crate) files: Files,
    pub(crate) workers: Arc<Workers>,
    /// The clock by which the nodes go.
    pub(crate) clock: Arc<Clock>,
    pub(crate) running: Arc<Mutex<HashMap<NodeId, Node>, { rank::INSTANCES }>>,
    /// What those had that have ended for the moment, and write no files.
    pub(crate) aside: Mutex<HashMap<NodeId, Aside>>,
}

/// What runs for a node, and how it was ordered.
pub(crate) struct Node {
    pub(crate) running: Deployed,
    /// From where it may be reached.
    pub(crate) admission: Arc<Admission>,
    pub(crate) engine: Engine,
    pub(crate) access: Access,
    pub(crate) access_user: Option<String>,
    /// How many servers share what its data may take, each with a limit of its own.
    pub(crate) parts: u64,
    /// That limit, in bytes.
    pub(crate) limit: u64,
    /// Its topology, its shards and how often each exists.
    pub(crate) form: Form,
}

impl Nodes {
    /// No nodes yet, and the threads that will run them.
    pub(crate) fn new(threads: usize, bind: IpAddr, files: Files) -> anyhow::Result<Self> {
        Ok(Nodes {
            bind,
            advertise: None,
            withholds: false,
            files,
            workers: Workers::start(threads)?,
            clock: Arc::new(Clock::new()),
            running: Arc::default(),
            aside: Mutex::default(),
        })
    }

    /// Has clients not know the commands that the cloud withholds.
    pub(crate) fn withhold(self, withholds: bool) -> Self {
        Nodes { withholds, ..self }
    }

    /// Tells clients of a cluster that its servers are at this host.
    pub(crate) fn advertise(self, host: Option<String>) -> Self {
        Nodes { advertise: host, ..self }
    }

    /// Stops every node; its keys are saved. Whether nothing has been lost.
    pub(crate) async fn stop_all(&self) -> bool {
        let nodes: Vec<_> = self.running.lock().drain().collect();
        let always = matches!(self.files, Files::Below(_));
        let mut stopping = tokio::task::JoinSet::new();
        for (id, node) in nodes {
            stopping.spawn(async move { (id, node.running.stop_and_save(always).await) });
        }
        let mut all = true;
        while let Some(stopped) = stopping.join_next().await {
            let saved = stopped.as_ref().is_ok_and(|(_, saved)| *saved);
            if let (false, Ok((id, _))) = (saved, stopped) {
                tracing::error!("the keys of node {id} could not be saved");
            }
            all &= saved;
        }
        all
    }

    /// The servers of a node that have its keys; nothing if it does not run.
    pub(crate) fn masters(&self, node: &NodeId) -> Option<Vec<Arc<engine::Node>>> {
        let nodes = self.running.lock().get(node)?.running.nodes();
        Some(nodes.into_iter().filter(|node| !node.follows()).collect())
    }
}
