//! What runs for a node of the control plane: one server, a master and its standby, all servers of a Redis
//! Cluster, a proxy and its shards, or Memcached.

mod backup;
pub(crate) mod memcached;
pub(crate) mod redis;
pub(crate) mod withheld;

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

pub(crate) use backup::join;
use server::configure::Values;
use server::{BadParameter, Cluster, FailoverError, Fault, Pair, Proxy, Running};

/// What runs for a node of the control plane.
pub(crate) enum Deployed {
    /// One server.
    One(Running),
    /// A master and its standby behind one address.
    Pair(Pair),
    /// Those of a cluster; the first one's address stands for all.
    Cluster(Cluster),
    /// A proxy; its shards listen nowhere.
    Proxy(Proxy),
    /// A Memcached server, with its standby if it has one.
    Memcached(memcached::Instance),
}

/// What will be known later.
type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

impl Deployed {
    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        match self {
            Deployed::One(running) => running.address(),
            Deployed::Pair(pair) => pair.address(),
            Deployed::Cluster(cluster) => cluster.address(),
            Deployed::Proxy(proxy) => proxy.address(),
            Deployed::Memcached(own) => own.memcached.address(),
        }
    }

    /// All its ports, the first one's first.
    pub(crate) fn ports(&self) -> Vec<u16> {
        match self {
            Deployed::One(running) => vec![running.address().port()],
            Deployed::Pair(pair) => vec![pair.address().port()],
            Deployed::Cluster(cluster) => cluster.addresses().iter().map(SocketAddr::port).collect(),
            Deployed::Proxy(proxy) => vec![proxy.address().port()],
            Deployed::Memcached(own) => vec![own.memcached.address().port()],
        }
    }

    /// The Redis servers that clients reach; of a proxy itself, which has the clients, and its shards.
    pub(crate) fn nodes(&self) -> Vec<Arc<engine::Node>> {
        match self {
            Deployed::One(running) => vec![Arc::clone(running.node())],
            Deployed::Pair(pair) => pair.master().into_iter().collect(),
            Deployed::Cluster(cluster) => cluster.nodes(),
            Deployed::Proxy(proxy) => {
                std::iter::once(Arc::clone(proxy.node())).chain(proxy.shards()).collect()
            }
            Deployed::Memcached(_) => Vec::new(),
        }
    }

    /// The Memcached server that clients reach, if it is one; nothing in the midst of a failover.
    pub(crate) fn memcached(&self) -> Option<Option<Arc<::memcached::Node>>> {
        match self {
            Deployed::Memcached(own) => Some(own.memcached.node()),
            _ => None,
        }
    }

    /// Has a standby of a shard take its master's place: the one that is furthest, or that of this place among the copies, which
    /// are not counted in a cluster. Shards are counted from 0 in the order of their slots; what is no cluster has one.
    ///
    /// # Errors
    /// [`FailoverError`], if it is known at once that it does not.
    pub(crate) fn failover(
        &self,
        shard: Option<usize>,
        copy: Option<usize>,
    ) -> Result<Later<Result<(), FailoverError>>, FailoverError> {
        match self {
            Deployed::Cluster(cluster) => Ok(Box::pin(cluster.failover(shard))),
            Deployed::Proxy(proxy) => Ok(Box::pin(proxy.failover(shard, copy)?)),
            _ if shard.is_some_and(|shard| shard > 0) => Err(FailoverError::NoShard),
            Deployed::Pair(pair) => Ok(Box::pin(pair.failover(copy))),
            Deployed::Memcached(own) => Ok(Box::pin(own.memcached.failover())),
            Deployed::One(_) => Err(FailoverError::NoStandby),
        }
    }

    /// Has the master of a shard fail.
    ///
    /// # Errors
    /// [`FailoverError`], if there is nobody to take its place.
    pub(crate) fn fail(&self, shard: Option<usize>, fault: Fault) -> Result<(), FailoverError> {
        match self {
            Deployed::Cluster(cluster) => cluster.fail(shard, fault),
            Deployed::Proxy(proxy) => proxy.fail(shard, fault),
            _ if shard.is_some_and(|shard| shard > 0) => Err(FailoverError::NoShard),
            Deployed::Pair(pair) if pair.fail(fault) => Ok(()),
            Deployed::Memcached(own) if own.memcached.fail(fault) => Ok(()),
            Deployed::Pair(_) | Deployed::One(_) | Deployed::Memcached(_) => Err(FailoverError::NoStandby),
        }
    }

    /// Has all servers run with other values of these parameters from now on, all of them or none, and those that take
    /// their places. `maxmemory` is what a server of a cluster may take, and what the shards of a proxy may together.
    pub(crate) fn configure(&self, values: Values) -> Later<Result<(), BadParameter>> {
        match self {
            Deployed::One(running) => Box::pin(running.configure(values)),
            Deployed::Pair(pair) => Box::pin(pair.configure(values)),
            Deployed::Cluster(cluster) => Box::pin(cluster.configure(values)),
            Deployed::Proxy(proxy) => Box::pin(proxy.configure(values)),
            // It has settings, which are changed by other means.
            Deployed::Memcached(_) => Box::pin(std::future::ready(Ok(()))),
        }
    }

    /// Lets clients end it, if it is one server. Ready when one has asked for it.
    pub(crate) fn shut_down_asked(&self) -> Option<impl Future<Output = ()> + use<>> {
        match self {
            Deployed::One(running) => Some(running.shut_down_asked()),
            _ => None,
        }
    }

    /// Waits until all have loaded their keys.
    ///
    /// # Errors
    /// Why one has not, in a sentence.
    pub(crate) fn loaded(&self) -> impl Future<Output = Result<(), String>> + use<> {
        let all: Vec<Later<Result<(), String>>> = match self {
            Deployed::One(running) => vec![Box::pin(running.loaded())],
            Deployed::Pair(pair) => vec![Box::pin(pair.loaded())],
            Deployed::Cluster(cluster) => vec![Box::pin(cluster.loaded())],
            Deployed::Proxy(proxy) => vec![Box::pin(proxy.loaded())],
            Deployed::Memcached(own) => vec![Box::pin(own.memcached.loaded())],
        };
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
            Deployed::Pair(pair) => pair.stop().await,
            Deployed::Cluster(cluster) => cluster.stop().await,
            Deployed::Proxy(proxy) => proxy.stop().await,
            Deployed::Memcached(own) => own.memcached.stop().await,
        }
    }

    /// The same; then saves the keys. Whether nothing has been lost.
    pub(crate) async fn stop_and_save(self, always: bool) -> bool {
        match self {
            Deployed::One(running) => running.stop_and_save(always).await,
            Deployed::Pair(pair) => pair.stop_and_save(always).await,
            Deployed::Cluster(cluster) => cluster.stop_and_save(always).await,
            Deployed::Proxy(proxy) => proxy.stop_and_save(always).await,
            Deployed::Memcached(own) => own.memcached.stop_and_save().await,
        }
    }
}
