//! Another form for a node that runs: its memory, a standby, its shards and their replicas.
//!
//! Invariants:
//! - What is refused has changed nothing.
//! - There is room for all keys at every moment: memory grows first and shrinks last.
//!
//! Deliberately not here: how servers hand keys to each other, which they do themselves, and how a node begins anew with all
//! that it has ([`crate::renewal`]).

use std::sync::Arc;

use cloud::data_plane::{NodeSpec, ResizeError};
use cloud::inspection::ServerId;
use cloud::topology::Topology;
use server::{Order, Pair};

use crate::deployed::Deployed;
use crate::deployed::redis::{config, parts, release_of};
use crate::nodes::Nodes;

/// What a node is, as far as it can become something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    topology: Topology,
    shards: u32,
    copies: u32,
}

/// What has to be done for another form, beside memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    /// Nothing.
    None,
    /// Standbys come or go, until each master has so many.
    Standbys(usize),
    /// Shards or their replicas do.
    Shards,
    /// It begins anew with all that it has.
    Whole,
}

impl Form {
    pub(crate) fn of(node: &NodeSpec) -> Self {
        let copies = match node.topology {
            Topology::Single => 1,
            Topology::MasterStandby => node.copies.max(2),
            Topology::Proxy | Topology::Cluster => node.copies.max(1),
        };
        Form { topology: node.topology, shards: node.shards.max(1), copies }
    }

    /// How many standbys, or replicas, each master has.
    pub(crate) fn standbys(self) -> usize {
        self.copies as usize - 1
    }

    /// How often each shard exists.
    pub(crate) fn copies(self) -> u32 {
        self.copies
    }

    /// The same node as one of this form, whose data may take so much.
    pub(crate) fn apply(self, memory_limit_bytes: u64, node: &NodeSpec) -> NodeSpec {
        let Form { topology, shards, copies } = self;
        NodeSpec { topology, shards, copies, memory_limit_bytes, ..node.clone() }
    }

    /// How one becomes the other, if it can.
    fn change(self, to: Form) -> Option<Change> {
        match (self.topology, to.topology) {
            (Topology::Single | Topology::MasterStandby, Topology::Single | Topology::MasterStandby) => {
                Some(if self == to { Change::None } else { Change::Standbys(to.standbys()) })
            }
            (Topology::Proxy, Topology::Proxy) if self == to => Some(Change::None),
            (Topology::Proxy, Topology::Proxy) if self.shards == to.shards => {
                Some(Change::Standbys(to.standbys()))
            }
            (Topology::Proxy | Topology::MasterStandby, Topology::Proxy) => Some(Change::Whole),
            (Topology::Cluster, Topology::Cluster) if self == to => Some(Change::None),
            (Topology::Cluster, Topology::Cluster) => Some(Change::Shards),
            _ => None,
        }
    }
}

impl Nodes {
    /// Whether a node can be given this form: [`cloud::data_plane::DataPlane::can_resize`].
    pub(crate) fn admits(&self, wanted: &NodeSpec) -> Result<(), ResizeError> {
        let running = self.running.lock();
        let node = running.get(&wanted.id).ok_or(ResizeError::NotRunning)?;
        let to = Form::of(wanted);
        let change = node.form.change(to).ok_or(ResizeError::NotSupported)?;
        if let Deployed::Memcached(own) = &node.running {
            if !matches!(change, Change::None | Change::Standbys(0 | 1)) {
                return Err(ResizeError::NotSupported);
            }
            let used = own.statistics().map_or(0, |statistics| statistics.used_memory_bytes);
            return if used > wanted.memory_limit_bytes { Err(ResizeError::TooSmall) } else { Ok(()) };
        }
        let masters = node.running.nodes().into_iter().filter(|node| !node.follows());
        let used: Vec<u64> = masters.map(|node| node.keyspace.used_bytes() as u64).collect();
        // Shards that stay keep what they have; those that do not divide all.
        let shares = u64::from(to.shards);
        let fits = if to.shards == node.form.shards {
            used.iter().all(|used| *used <= wanted.memory_limit_bytes / shares)
        } else {
            used.iter().sum::<u64>() <= wanted.memory_limit_bytes
        };
        if fits { Ok(()) } else { Err(ResizeError::TooSmall) }
    }

    /// Gives a node this form: [`cloud::data_plane::DataPlane::resize`].
    pub(crate) async fn reshape(&self, wanted: NodeSpec, leaving: Vec<ServerId>) -> Result<(), ResizeError> {
        self.admits(&wanted)?;
        let limit = wanted.memory_limit_bytes / parts(&wanted);
        let (change, present) = {
            let running = self.running.lock();
            let node = running.get(&wanted.id).ok_or(ResizeError::NotRunning)?;
            let change = node.form.change(Form::of(&wanted)).ok_or(ResizeError::NotSupported)?;
            (change, node.limit)
        };
        if limit > present {
            self.limit(&wanted, limit).await?;
        }
        match change {
            Change::None => {}
            Change::Standbys(count) => self.keep_standbys(&wanted, count, &leaving).await?,
            Change::Shards => self.reshard(&wanted).await?,
            Change::Whole => {
                self.knows_databases(&wanted).await?;
                return self.begin_anew(&wanted).await;
            }
        }
        if limit < present {
            self.limit(&wanted, limit).await?;
        }
        let mut running = self.running.lock();
        let node = running.get_mut(&wanted.id).ok_or(ResizeError::NotRunning)?;
        (node.form, node.parts, node.limit) = (Form::of(&wanted), parts(&wanted), limit);
        Ok(())
    }

    /// Lets each server hold so much.
    async fn limit(&self, wanted: &NodeSpec, bytes: u64) -> Result<(), ResizeError> {
        let configured = {
            let running = self.running.lock();
            let node = running.get(&wanted.id).ok_or(ResizeError::NotRunning)?;
            if let Deployed::Memcached(own) = &node.running {
                return own.configure(&[], Some(bytes)).map_err(|error| failed(&error));
            }
            node.running.configure(vec![("maxmemory".to_owned(), bytes.to_string())])
        };
        configured.await.map_err(|error| failed(&error))
    }

    /// Whether all keys are in databases that there are in another form, too.
    async fn knows_databases(&self, wanted: &NodeSpec) -> Result<(), ResizeError> {
        for node in self.masters(&wanted.id).ok_or(ResizeError::NotRunning)? {
            let own = server::owner::databases(&node).await;
            if let Some((number, ..)) =
                own.into_iter().find(|(number, keys, _)| *number >= wanted.databases && *keys > 0)
            {
                return Err(failed(&format_args!("there are keys in database {number}")));
            }
        }
        Ok(())
    }

    /// Gives each master so many standbys; those go first that are leaving.
    async fn keep_standbys(
        &self,
        wanted: &NodeSpec,
        count: usize,
        leaving: &[ServerId],
    ) -> Result<(), ResizeError> {
        let kept: std::pin::Pin<Box<dyn Future<Output = ()> + Send>> = {
            let mut running = self.running.lock();
            let mut node = running.remove(&wanted.id).ok_or(ResizeError::NotRunning)?;
            if let Deployed::One(one) = node.running {
                let order = Order {
                    release: wanted.release.map_or(command::Release::V7_4, release_of),
                    address: one.address(),
                    seed: rand::random(),
                    config: config(wanted),
                    directory: self.files.of(&wanted.id),
                    seat: None,
                    admission: Arc::clone(&node.admission),
                    withheld: self.withheld(wanted),
                };
                node.running = Deployed::Pair(Pair::of(one, &self.workers, &self.clock, &order));
            }
            let kept: std::pin::Pin<Box<dyn Future<Output = ()> + Send>> = match &node.running {
                Deployed::Pair(pair) => {
                    let place = |server: &ServerId| match server {
                        ServerId::Copy { copy, .. } => Some(*copy as usize),
                        ServerId::Proxy => None,
                    };
                    let leaving: Vec<usize> = leaving.iter().filter_map(place).collect();
                    Box::pin(pair.keep_standbys(count, &leaving))
                }
                Deployed::Proxy(proxy) => Box::pin(proxy.keep_standbys(count)),
                Deployed::Memcached(own) => Box::pin(own.memcached.keep_standby(count > 0)),
                _ => Box::pin(std::future::ready(())),
            };
            running.insert(wanted.id.clone(), node);
            kept
        };
        kept.await;
        Ok(())
    }

    /// Gives a cluster another number of shards or of replicas.
    async fn reshard(&self, wanted: &NodeSpec) -> Result<(), ResizeError> {
        let resized = {
            let running = self.running.lock();
            let own: Vec<u16> = running.values().flat_map(|node| node.running.ports()).collect();
            let reserved = wanted.reserved_ports.clone();
            let is_free = move |port: u16| !own.contains(&port) && !reserved.contains(&port);
            let node = running.get(&wanted.id).ok_or(ResizeError::NotRunning)?;
            let Deployed::Cluster(cluster) = &node.running else { return Err(ResizeError::NotSupported) };
            let (masters, replicas) = (wanted.shards.max(1) as usize, wanted.copies.max(1) as usize - 1);
            cluster.resize(masters, replicas, is_free)
        };
        resized.await.map_err(|error| failed(&error))
    }
}

pub(crate) fn failed(error: &impl std::fmt::Display) -> ResizeError {
    ResizeError::Failed(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_becomes_what_and_how() {
        let form = |topology, shards, copies| Form { topology, shards, copies };
        let (single, pair) = (form(Topology::Single, 1, 1), form(Topology::MasterStandby, 1, 2));
        let (proxy, cluster) = (form(Topology::Proxy, 8, 2), form(Topology::Cluster, 3, 2));
        for (from, to, change) in [
            (single, single, Some(Change::None)),
            (single, pair, Some(Change::Standbys(1))),
            (pair, single, Some(Change::Standbys(0))),
            (pair, pair, Some(Change::None)),
            (pair, form(Topology::MasterStandby, 1, 3), Some(Change::Standbys(2))),
            (form(Topology::MasterStandby, 1, 6), pair, Some(Change::Standbys(1))),
            (proxy, proxy, Some(Change::None)),
            (proxy, form(Topology::Proxy, 8, 1), Some(Change::Standbys(0))),
            (proxy, form(Topology::Proxy, 16, 2), Some(Change::Whole)),
            (cluster, cluster, Some(Change::None)),
            (cluster, form(Topology::Cluster, 3, 1), Some(Change::Shards)),
            (cluster, form(Topology::Cluster, 6, 2), Some(Change::Shards)),
            (single, cluster, None),
            (cluster, pair, None),
            (pair, proxy, Some(Change::Whole)),
            (single, proxy, None),
            (proxy, pair, None),
        ] {
            assert_eq!(from.change(to), change, "{from:?} {to:?}");
        }
    }
}
