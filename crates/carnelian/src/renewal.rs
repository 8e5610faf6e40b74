//! A node begins anew in another form with all that it has, since its keys are shared in another way.
//!
//! All keys are set aside first, in files beside the node's directory ([`Reserve`]), which is then made anew from these. A
//! process that is killed meanwhile begins with them when it is started again, in whichever form the node is to have by
//! then; one that is killed later finds a directory that says in which form it is, and converts that.
//!
//! Invariants:
//! - From the moment at which keys are set aside until the new servers have saved them nobody is answered by the node: what
//!   was acknowledged is in the files, and nothing is acknowledged that is not.
//! - What lies in a directory is removed only while all of it is in the reserve, and that only when all is in the directory.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cloud::backup::Format;
use cloud::data_plane::{DataPlane, Endpoint, NodeId, NodeSpec, ResizeError, StartError};
use cloud::whitelist::{Group, Network, Whitelist};
use engine::node::Gates;
use engine::pause::{Reason, Scope};

use crate::files::Files;
use crate::inspection::rule;
use crate::layout::{Layout, Reserve};
use crate::nodes::Nodes;
use crate::resize::failed;

/// For so long clients may be held back that write, in ms: it ends when the node begins anew.
const MOST_PAUSE_MS: i64 = 600_000;
/// How long what has begun may take to be written. What takes longer is noticed.
const SETTLE: Duration = Duration::from_millis(5);

impl Nodes {
    /// Starts a node with what it had when it ended, in whichever form that lies there.
    ///
    /// # Errors
    /// [`StartError`]; then it does not run, and what it had is where it was.
    pub(crate) async fn start_with_files(&self, node: NodeSpec) -> Result<Endpoint, StartError> {
        let Some(directory) = self.own_directory(&node.id) else {
            return self.start_from_aside(node).await;
        };
        let reserve = Reserve::beside(&directory);
        reserve.sweep();
        let renewed = if let Some(files) = reserve.files() {
            tracing::info!("node {} was killed while it got another form, and begins anew", node.id);
            self.replace(&node, &reserve, &files).await
        } else {
            match (Layout::read(&directory), Layout::of(&node)) {
                (Some(own), Some(wanted)) if own != wanted => {
                    tracing::info!("node {} has files in another form, and begins anew", node.id);
                    self.bring_up(closed(&own.apply(&node))).await?;
                    self.renew(&node, &reserve).await
                }
                _ => return self.bring_up(node).await,
            }
        };
        self.begun(&node.id, renewed).await
    }

    /// Where a node listens that has begun anew with what it had; one that has not does not run.
    pub(crate) async fn begun(
        &self,
        id: &NodeId,
        renewed: Result<(), String>,
    ) -> Result<Endpoint, StartError> {
        match (renewed, self.endpoint(id)) {
            (Ok(()), Some(endpoint)) => Ok(endpoint),
            (renewed, _) => {
                self.stop(id).await;
                Err(StartError::NotLoaded(renewed.err().unwrap_or_else(|| "it has ended".to_owned())))
            }
        }
    }

    /// Has a node begin anew in another form. Its clients are held back meanwhile if they write, lose their connections, and
    /// are not let in before everything is there again.
    ///
    /// # Errors
    /// [`ResizeError`]; then the node has the form that it had, or does not run.
    pub(crate) async fn begin_anew(&self, wanted: &NodeSpec) -> Result<(), ResizeError> {
        let (own, directory) = match self.own_directory(&wanted.id) {
            Some(directory) => (None, directory),
            None => {
                let own = tempfile::tempdir().map_err(|error| failed(&error))?;
                let directory = own.path().join("node");
                (Some(own), directory)
            }
        };
        let reserve = Reserve::beside(&directory);
        let before = {
            let running = self.running.lock();
            let node = running.get(&wanted.id).ok_or(ResizeError::NotRunning)?;
            node.form.apply(node.limit * node.parts, wanted)
        };
        let Err(error) = self.renew(wanted, &reserve).await else { return Ok(()) };
        tracing::warn!("node {} does not begin anew in another form: {error}", wanted.id);
        if let Some(files) = reserve.files()
            && let Err(error) = self.replace(&before, &reserve, &files).await
        {
            tracing::error!("node {} does not begin anew in the form that it had either: {error}", wanted.id);
            if let Some(own) = own {
                // Nothing else has its keys.
                tracing::error!("the keys of node {} are left in {}", wanted.id, own.keep().display());
            }
            self.stop(&wanted.id).await;
        }
        Err(failed(&error))
    }

    /// Sets aside what a node has, and has it begin anew as another.
    async fn renew(&self, wanted: &NodeSpec, reserve: &Reserve) -> Result<(), String> {
        let files = self.set_aside(&wanted.id, reserve).await?;
        self.replace(wanted, reserve, &files).await
    }

    /// Writes all keys of a node to its reserve. It runs no command any more, unless that fails.
    pub(crate) async fn set_aside(&self, id: &NodeId, reserve: &Reserve) -> Result<Vec<PathBuf>, String> {
        let until_ms = self.clock.wall_ms() + MOST_PAUSE_MS;
        let mut retired: Vec<Arc<engine::Node>> = Vec::new();
        let outcome = loop {
            let Some(nodes) = self.servers(id) else { break Err("the node does not run".to_owned()) };
            for node in &nodes {
                node.pause.begin(node, Reason::Shutdown, Scope::Writes, until_ms);
            }
            // Whoever was about to write has done so, mostly.
            tokio::time::sleep(SETTLE).await;
            let directory = match reserve.begin() {
                Ok(directory) => directory,
                Err(error) => break Err(error.to_string()),
            };
            let before = changes(&nodes);
            if let Err(error) = self.back_up(id, &directory, Format::Rdb).await {
                break Err(error.to_string());
            }
            let were_retired = is_same(&retired, &nodes);
            retired.clone_from(&nodes);
            let retiring = nodes.clone();
            let _ = tokio::task::spawn_blocking(move || retire(&retiring)).await;
            // A standby may have taken a place, or a write have slipped in.
            let is_whole = were_retired || changes(&nodes) == before;
            if is_whole && self.servers(id).is_some_and(|present| is_same(&nodes, &present)) {
                break reserve.complete().map_err(|error| error.to_string());
            }
        };
        if outcome.is_err() {
            let present = self.servers(id).unwrap_or_default();
            for node in retired.iter().chain(&present) {
                node.set_gates(Gates::RETIRED, false);
                node.pause.end(node, Reason::Shutdown);
            }
        }
        outcome
    }

    /// Has a node of this specification, with what is in the files of the reserve, take the place of the one that runs; then
    /// there is no reserve any more.
    pub(crate) async fn replace(
        &self,
        node: &NodeSpec,
        reserve: &Reserve,
        files: &[PathBuf],
    ) -> Result<(), String> {
        self.discard(&node.id).await;
        self.bring_up(closed(node)).await.map_err(|error| error.to_string())?;
        let restoring = {
            let running = self.running.lock();
            let own = running.get(&node.id).ok_or("the node does not run")?;
            own.running.restore(&self.workers, files.to_owned())
        };
        if !restoring.await? {
            return Err("what it holds cannot be saved".to_owned());
        }
        reserve.remove().map_err(|error| error.to_string())?;
        let running = self.running.lock();
        let own = running.get(&node.id).ok_or("the node does not run")?;
        own.admission.set(rule(&node.whitelist));
        Ok(())
    }

    /// Starts a node, and waits until it has loaded its keys.
    pub(crate) async fn bring_up(&self, node: NodeSpec) -> Result<Endpoint, StartError> {
        let (id, layout) = (node.id.clone(), Layout::of(&node));
        let endpoint = self.launch(node)?;
        let loaded = self.running.lock().get(&id).map(|node| node.running.loaded());
        let Some(loaded) = loaded else { return Ok(endpoint) };
        let outcome = match (loaded.await, self.own_directory(&id), layout) {
            (Err(reason), ..) => Err(StartError::NotLoaded(reason)),
            (Ok(()), Some(path), Some(layout)) => {
                layout.write(&path).map_err(|source| StartError::NoDirectory { path, source })
            }
            (Ok(()), ..) => Ok(()),
        };
        if outcome.is_err() {
            self.stop(&id).await;
        }
        outcome.map(|()| endpoint)
    }

    /// Stops a node, and removes the files that it has, if it has a directory of its own.
    pub(crate) async fn discard(&self, node: &NodeId) {
        let nodes = self.running.lock().get(node).map(|node| node.running.nodes());
        self.stop(node).await;
        self.aside.lock().remove(node);
        // What is being saved or rewritten comes to nothing, rather than begin the directory again.
        let give_up = move || nodes.into_iter().flatten().for_each(|node| _ = node.give_up_files());
        let _ = tokio::task::spawn_blocking(give_up).await;
        if let Some(directory) = self.own_directory(node)
            && let Err(error) = std::fs::remove_dir_all(&directory)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!("the files of node {node} are left in {}: {error}", directory.display());
        }
    }

    /// The directory that a node has to itself, if it has any.
    pub(crate) fn own_directory(&self, node: &NodeId) -> Option<PathBuf> {
        matches!(self.files, Files::Below(_)).then(|| self.files.of(node)).flatten()
    }

    /// The servers of a node that clients reach, directly or not.
    fn servers(&self, id: &NodeId) -> Option<Vec<Arc<engine::Node>>> {
        self.running.lock().get(id).map(|node| node.running.nodes())
    }
}

/// The same node, which lets nobody in: nobody connects from the address that stands for all.
fn closed(node: &NodeSpec) -> NodeSpec {
    let networks = Network::parse("255.255.255.255").into_iter().collect();
    let group = Group { name: String::new(), networks };
    NodeSpec { whitelist: Whitelist { is_enabled: true, groups: vec![group] }, ..node.clone() }
}

/// Has nodes run no command any more, whatever let them in.
fn retire(nodes: &[Arc<engine::Node>]) {
    for node in nodes {
        node.retire(&node.keyspace.lock_blocking(node.keyspace.all()));
    }
}

fn changes(nodes: &[Arc<engine::Node>]) -> u64 {
    nodes.iter().map(|node| node.changes()).sum()
}

fn is_same(some: &[Arc<engine::Node>], others: &[Arc<engine::Node>]) -> bool {
    some.len() == others.len() && some.iter().zip(others).all(|(one, other)| Arc::ptr_eq(one, other))
}
