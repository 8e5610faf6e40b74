//! Backups of what runs behind an address: a file for each node that has a part of the keys, and the way back.
//!
//! A restore begins another stream for replicas, which are sent all of it. It is over when the standbys have it, so that a
//! failover that comes right after loses nothing.
//!
//! Not here: where the files lie, and who wants them.

use crate::cluster::Cluster;
use crate::node::Running;
use crate::pair::{Pair, catch_up};
use crate::proxy::Proxy;
use crate::workers::Workers;
use engine::backup::Restoring;
use engine::cluster::View;
use engine::save::Failure;
use engine::{Node, Worker};
use keyspace::slots::SLOTS;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// For so long it is waited that standbys get what has been restored.
const STANDBYS: Duration = Duration::from_secs(60);

/// The nodes that have the keys behind one address, and which of them has which.
#[derive(Debug)]
pub struct Holders {
    nodes: Vec<Arc<Node>>,
    /// The number of the node that has a slot; empty where one node has all.
    slots: Vec<Option<usize>>,
    /// Masters and those that stand by for them.
    standbys: Vec<(Arc<Node>, Arc<Node>)>,
}

/// A file of a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its name in the directory.
    pub name: String,
    /// Its length, in bytes.
    pub bytes: u64,
}

/// What is set when nobody waits for a backup any more.
struct Unwanted(Arc<AtomicBool>);

impl Drop for Unwanted {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Holders {
    /// Those of one node.
    pub fn of_one(running: &Running) -> Holders {
        Holders { nodes: vec![Arc::clone(running.node())], slots: Vec::new(), standbys: Vec::new() }
    }

    /// Those of a pair; without a master in the midst of a failover.
    pub fn of_pair(pair: &Pair) -> Holders {
        let master = pair.master();
        let own = pair.standbys().into_iter();
        let standbys = own.filter_map(|standby| Some((Arc::clone(master.as_ref()?), standby)));
        Holders { standbys: standbys.collect(), nodes: master.into_iter().collect(), slots: Vec::new() }
    }

    /// Those of a proxy.
    pub fn of_proxy(proxy: &Proxy) -> Holders {
        let (nodes, slots) = proxy.holders();
        let standbys = proxy.standbys().into_iter();
        let standbys = standbys.map(|(shard, standby)| (Arc::clone(&nodes[shard]), standby)).collect();
        Holders { nodes, slots, standbys }
    }

    /// Those of a cluster.
    pub fn of_cluster(cluster: &Cluster) -> Holders {
        let all = cluster.nodes();
        let first_slot = |node: &Arc<Node>| node.member.as_ref().and_then(|member| member.first_slot());
        let mut nodes: Vec<_> = all.iter().filter(|node| first_slot(node).is_some()).cloned().collect();
        nodes.sort_by_key(first_slot);
        let owner = |slot: u16| {
            nodes.iter().position(|node| {
                let view = node.member.as_ref().map(|member| member.view(slot));
                matches!(view, Some(View::Mine | View::Migrating))
            })
        };
        let slots = (0..SLOTS).map(owner).collect();
        let master = |node: &Arc<Node>| node.member.as_ref().and_then(|member| member.master());
        let standbys = all.iter().filter_map(|node| Some((master(node)?, Arc::clone(node)))).collect();
        Holders { nodes, slots, standbys }
    }

    /// Where keys are copied to that come from elsewhere; nothing where there is no master. Those behind a proxy are
    /// reached by it instead.
    pub fn target(self) -> Option<crate::import::Target> {
        (!self.nodes.is_empty()).then(|| crate::import::Target::Nodes(self.nodes, self.slots))
    }

    /// Writes a file for each node to a directory that is empty, of keys or, beside that, of commands that make them: these
    /// are the files that it tells of then. Each has its node's keys as they are at one moment. When the future is dropped
    /// nothing more is written.
    ///
    /// # Errors
    /// Why not all have been written, in a sentence.
    pub async fn back_up(self, directory: &Path, as_commands: bool) -> Result<Vec<Written>, String> {
        if self.nodes.is_empty() {
            return Err("there is no master".to_owned());
        }
        let is_unwanted = Arc::<AtomicBool>::default();
        let _unwanted = Unwanted(Arc::clone(&is_unwanted));
        let directory = directory.to_owned();
        let write = move || {
            let mut written = Vec::new();
            for (number, node) in self.nodes.iter().enumerate() {
                let keys = directory.join(format!("{number}.rdb"));
                let failed = |error: Failure| format!("{}: {error}", keys.display());
                let mut bytes =
                    node.back_up(&keys, || !is_unwanted.load(Ordering::Relaxed)).map_err(failed)?;
                let mut name = format!("{number}.rdb");
                if as_commands {
                    name = format!("{number}.aof");
                    let commands = directory.join(&name);
                    bytes = node.write_as_commands(&keys, &commands).map_err(|error| failed(error.into()))?;
                }
                written.push(Written { name, bytes });
            }
            Ok(written)
        };
        tokio::task::spawn_blocking(write).await.unwrap_or_else(|_| Err("writing broke off".to_owned()))
    }

    /// Puts what [`Holders::back_up`] has written in the place of all keys. Once that has begun it comes to its end. Whether a
    /// process that is killed from then on comes back with it, where nodes have directories.
    ///
    /// # Errors
    /// Why it has not been done, in a sentence; then the nodes have what they had.
    pub async fn restore(self, workers: &Arc<Workers>, files: &[PathBuf]) -> Result<bool, String> {
        if self.nodes.is_empty() {
            return Err("there is no master".to_owned());
        }
        let Holders { nodes, slots, standbys } = self;
        // Commands have been made from the keys that lie beside them.
        let files: Vec<_> = files.iter().map(|file| file.with_extension("rdb")).collect();
        let (numbers, own) = (Arc::clone(workers.numbers()), nodes.clone());
        let restore = move || {
            let owner = |slot: u16| slots.get(usize::from(slot)).copied().flatten();
            let restoring = Restoring::read(&own, owner, &files).map_err(|error| error.to_string())?;
            let replaced = numbers.with(|number| restoring.replace(&mut Worker::new(number)));
            replaced.map_err(|error| error.to_string())
        };
        let restored = tokio::task::spawn_blocking(restore).await;
        restored.unwrap_or_else(|_| Err("loading broke off".to_owned()))?;
        let all = async {
            for (master, standby) in &standbys {
                catch_up(master, standby).await;
            }
        };
        if tokio::time::timeout(STANDBYS, all).await.is_err() {
            tracing::warn!("a standby does not have yet what has been restored");
        }
        // One that fails keeps none of the others from being saved.
        let keep = move || nodes.iter().filter(|node| !node.keep()).count() == 0;
        Ok(tokio::task::spawn_blocking(keep).await.unwrap_or(false))
    }
}
