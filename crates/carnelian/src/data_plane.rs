//! The data plane, attached: what the control plane asks of its nodes and has done with them.
//!
//! What begins has bound its ports before that is answered, and what is asked whether it answers is asked as a client
//! would. Deliberately not here: what a node is made of ([`crate::deployed`]).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cloud::Pending;
use cloud::backup::{File, Format};
use cloud::data_plane::{
    DataPlane, Endpoint, FailoverError, Failure, NodeId, NodeSpec, OrderError, PingError, ResizeError,
    StartError, Statistics,
};
use cloud::engine::{Engine, Release};
use cloud::inspection::ServerId;
use cloud::instance::Access;
use cloud::migration::{Copying, Source};
use engine::table::{self, Table};
use server::Fault;
use server::backup::Written;

use crate::copying;
use crate::deployed::redis::{passwords, release_of, statistics};
use crate::deployed::{Deployed, memcached};
use crate::files::Files;
use crate::layout::Reserve;
use crate::nodes::Nodes;
use crate::ping::ping;

/// For so long a failover waits for a standby that has begun just now, and how often.
const STANDBY_LOOK: Duration = Duration::from_millis(10);
const STANDBY_LOOKS: u32 = 500;

impl DataPlane for Nodes {
    fn start(&self, node: NodeSpec) -> Pending<'_, Result<Endpoint, StartError>> {
        Box::pin(self.start_with_files(node))
    }

    fn stop<'a>(&'a self, node: &'a NodeId) -> Pending<'a, ()> {
        Box::pin(async move {
            let stopped = self.running.lock().remove(node);
            if let Some(stopped) = stopped {
                stopped.running.stop().await;
            }
        })
    }

    fn remove<'a>(&'a self, node: &'a NodeId) -> Pending<'a, ()> {
        Box::pin(async move {
            self.discard(node).await;
            if let Some(directory) = self.own_directory(node)
                && let Err(error) = Reserve::beside(&directory).remove()
            {
                tracing::warn!("what node {node} has set aside is left: {error}");
            }
        })
    }

    fn back_up<'a>(
        &'a self,
        node: &'a NodeId,
        directory: &'a Path,
        format: Format,
    ) -> Pending<'a, Result<Vec<File>, OrderError>> {
        Box::pin(async move {
            let writing = {
                let running = self.running.lock();
                let node = running.get(node).ok_or(OrderError::NotRunning)?;
                node.running.back_up(directory.to_owned(), format == Format::Aof)
            };
            let written = writing.await.map_err(OrderError::Refused)?;
            let file = |file: Written| File { name: file.name, size_bytes: file.bytes };
            Ok(written.into_iter().map(file).collect())
        })
    }

    fn restore<'a>(&'a self, node: &'a NodeId, files: &'a [PathBuf]) -> Pending<'a, Result<(), OrderError>> {
        Box::pin(async move {
            let restoring = {
                let running = self.running.lock();
                let node = running.get(node).ok_or(OrderError::NotRunning)?;
                node.running.restore(&self.workers, files.to_owned())
            };
            restoring.await.map(drop).map_err(OrderError::Refused)
        })
    }

    fn join<'a>(&'a self, files: &'a [PathBuf], into: &'a Path) -> Pending<'a, io::Result<u64>> {
        let (files, into) = (files.to_owned(), into.to_owned());
        Box::pin(async move {
            let joining = tokio::task::spawn_blocking(move || crate::deployed::join(&files, &into));
            joining.await.unwrap_or_else(|error| Err(io::Error::other(error)))
        })
    }

    fn copy(&self, node: &NodeId, source: Source) -> Result<Arc<Copying>, OrderError> {
        match self.running.lock().get(node).map(|node| node.running.memcached().is_some()) {
            None => return Err(OrderError::NotRunning),
            Some(true) => return Err(OrderError::Refused("keys are copied to Redis only".to_owned())),
            Some(false) => {}
        }
        copying::copy(self, node, source)
    }

    fn can_resize(&self, node: &NodeSpec) -> Result<(), ResizeError> {
        self.admits(node)
    }

    fn resize(&self, node: NodeSpec, leaving: Vec<ServerId>) -> Pending<'_, Result<(), ResizeError>> {
        Box::pin(self.reshape(node, leaving))
    }

    fn endpoint(&self, node: &NodeId) -> Option<Endpoint> {
        self.running.lock().get(node).map(|node| Endpoint { address: node.running.address() })
    }

    fn further_ports(&self, node: &NodeId) -> Vec<u16> {
        let running = self.running.lock();
        running.get(node).map_or_else(Vec::new, |node| node.running.ports().split_off(1))
    }

    fn shut_down<'a>(&'a self, node: &'a NodeId) -> Pending<'a, bool> {
        Box::pin(async move {
            if let Files::Nowhere = self.files {
                return self.stop_and_set_aside(node).await;
            }
            let stopped = self.running.lock().remove(node);
            match stopped {
                Some(stopped) => stopped.running.stop_and_save(true).await,
                None => true,
            }
        })
    }

    fn flush<'a>(&'a self, node: &'a NodeId) -> Pending<'a, Result<(), OrderError>> {
        Box::pin(async move {
            let memcached = self.running.lock().get(node).and_then(|node| node.running.memcached());
            if let Some(memcached) = memcached {
                return memcached::flush(memcached, &self.clock).await;
            }
            for node in self.masters(node).ok_or(OrderError::NotRunning)? {
                let flushed = server::owner::order(&node, &self.workers, "flushall", &[]).await;
                flushed.map_err(OrderError::Refused)?;
            }
            Ok(())
        })
    }

    fn configure<'a>(
        &'a self,
        node: &'a NodeId,
        parameters: &'a [(String, String)],
        memory_limit_bytes: Option<u64>,
    ) -> Pending<'a, Result<(), OrderError>> {
        Box::pin(async move {
            let configured = {
                let running = self.running.lock();
                let node = running.get(node).ok_or(OrderError::NotRunning)?;
                if let Deployed::Memcached(own) = &node.running {
                    return own.configure(parameters, memory_limit_bytes);
                }
                let limit = memory_limit_bytes.map(|bytes| (bytes / node.parts).to_string());
                let limit = limit.map(|limit| ("maxmemory".to_owned(), limit));
                node.running.configure(parameters.iter().cloned().chain(limit).collect())
            };
            configured.await.map_err(|error| OrderError::Refused(error.to_string()))
        })
    }

    fn set_access<'a>(&'a self, node: &'a NodeId, access: &'a Access) -> Pending<'a, Result<(), OrderError>> {
        Box::pin(async move {
            let set = {
                let running = self.running.lock();
                let node = running.get(node).ok_or(OrderError::NotRunning)?;
                match &node.running {
                    Deployed::Memcached(own) => {
                        own.set_access(access, node.access_user.as_deref())?;
                        None
                    }
                    running => {
                        let is_cluster = matches!(running, Deployed::Cluster(_));
                        Some(running.configure(passwords(access, is_cluster)))
                    }
                }
            };
            if let Some(set) = set {
                set.await.map_err(|error| OrderError::Refused(error.to_string()))?;
            }
            if let Some(node) = self.running.lock().get_mut(node) {
                node.access = access.clone();
            }
            Ok(())
        })
    }

    fn keys<'a>(&'a self, node: &'a NodeId) -> Pending<'a, Option<u64>> {
        Box::pin(async move {
            let memcached = self.running.lock().get(node).and_then(|node| node.running.memcached());
            if let Some(memcached) = memcached {
                return Some(memcached?.items() as u64);
            }
            let mut keys = 0;
            for node in self.masters(node)? {
                keys += server::owner::keys(&node).await;
            }
            Some(keys)
        })
    }

    fn statistics(&self, node: &NodeId) -> Option<Statistics> {
        let running = self.running.lock();
        let running = &running.get(node)?.running;
        if let Deployed::Memcached(own) = running {
            return own.statistics();
        }
        // What a replica holds, and sets again, its master holds and has set.
        let own = |node: &Arc<engine::Node>| match statistics(node) {
            own if node.follows() => Statistics { used_memory_bytes: 0, sets: 0, ..own },
            own => own,
        };
        Some(running.nodes().iter().map(own).sum())
    }

    fn has_command(&self, engine: Engine, release: Option<Release>, name: &str) -> bool {
        let names = release.map(|release| Table::of(release_of(release)).names());
        engine == Engine::Redis && names.is_some_and(|names| table::find(names, name.as_bytes()).is_some())
    }

    fn failover<'a>(
        &'a self,
        node: &'a NodeId,
        shard: Option<usize>,
    ) -> Pending<'a, Result<(), FailoverError>> {
        Box::pin(async move {
            let mut looks = 0;
            loop {
                let (failover, has_standbys) = match self.running.lock().get(node) {
                    Some(node) => (node.running.failover(shard, None), node.form.copies() > 1),
                    None => return Err(FailoverError::NotRunning),
                };
                let outcome = failover.map_err(no_failover)?.await.map_err(no_failover);
                // After a failover another standby begins, which has everything soon.
                if !matches!(outcome, Err(FailoverError::NoStandby))
                    || !has_standbys
                    || looks == STANDBY_LOOKS
                {
                    return outcome;
                }
                looks += 1;
                tokio::time::sleep(STANDBY_LOOK).await;
            }
        })
    }

    fn fail(&self, node: &NodeId, shard: Option<usize>, failure: Failure) -> Result<(), FailoverError> {
        let running = self.running.lock();
        let node = running.get(node).ok_or(FailoverError::NotRunning)?;
        let fault = match failure {
            Failure::Stop => Fault::Stop,
            Failure::Hang => Fault::Hang,
        };
        node.running.fail(shard, fault).map_err(no_failover)
    }

    fn ping<'a>(&'a self, node: &'a NodeId) -> Pending<'a, Result<(), PingError>> {
        Box::pin(async move {
            let known = self.running.lock().get(node).map(|node| {
                (node.running.address(), node.engine, node.access.clone(), node.access_user.clone())
            });
            let (address, engine, access, user) = known.ok_or(PingError::NotRunning)?;
            ping(address, engine, &access, user.as_deref()).await
        })
    }
}

pub(crate) fn no_failover(error: server::FailoverError) -> FailoverError {
    match error {
        server::FailoverError::NoStandby => FailoverError::NoStandby,
        server::FailoverError::TooSlow => FailoverError::TooSlow,
        server::FailoverError::Busy => FailoverError::Busy,
        server::FailoverError::NoShard => FailoverError::NoShard,
    }
}
