//! Memcached nodes that listen: one, or a master and its standby behind one address.

mod connection;
mod file;
mod output;
mod seat;
mod standby;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use memcached::node::Host;
use memcached::{Access, Node, Settings};
use structures::ranked::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub(crate) use connection::{Place, serve};

use crate::clock::Clock;
use crate::node::{Door, StartError};
use crate::pair::{FailoverError, Fault};
use crate::workers::Workers;
use seat::{Ears, NodeHost, Seat};
use standby::Shared;

/// What a memcached node is to be.
#[derive(Debug)]
pub struct MemcachedOrder {
    /// Where it listens; port zero lets the system choose.
    pub address: SocketAddr,
    /// Keys hashes and random choices.
    pub seed: u64,
    /// What it is like.
    pub settings: Settings,
    /// Who may use it.
    pub access: Access,
    /// Whether another node stands by to take its place.
    pub has_standby: bool,
    /// Where its items are kept while it does not run; it begins with those that are there. Without one they are not.
    pub file: Option<PathBuf>,
}

/// A memcached node that listens, and its standby if it has one; dropping it ends its connections and, somewhat later,
/// frees its port.
#[derive(Debug)]
pub struct Memcached {
    shared: Arc<Shared>,
    /// Has the node load its items, and looks after it if there is a standby.
    watching: JoinHandle<()>,
    /// How loading has ended, when it has.
    loaded: watch::Receiver<Option<Result<(), String>>>,
}

impl Memcached {
    /// Starts a node.
    ///
    /// # Errors
    /// [`StartError`]
    pub fn start(
        workers: &Arc<Workers>,
        clock: &Arc<Clock>,
        order: MemcachedOrder,
    ) -> Result<Memcached, StartError> {
        let door = Door::open(workers, order.address)?;
        let host = NodeHost::new(workers, clock, door.address());
        let own = Arc::clone(&host) as Arc<dyn Host>;
        let node = Node::new(order.seed, clock.wall_ms(), order.settings, order.access, own);
        let ears = Ears::default();
        let master = Seat::new(node, &host, clock, &ears);
        let shared = Arc::new(Shared {
            workers: Arc::clone(workers),
            clock: Arc::clone(clock),
            address: door.address(),
            file: order.file,
            ears,
            door: Mutex::new(Some(door)),
            seats: Mutex::new(standby::Seats::of(master)),
            wants_standby: AtomicBool::new(order.has_standby),
            turning: tokio::sync::Mutex::default(),
        });
        let (told, loaded) = watch::channel(None);
        let watched = Arc::clone(&shared);
        let watching = workers.next().spawn(async move {
            let outcome = watched.load().await;
            let is_loaded = outcome.is_ok();
            told.send_replace(Some(outcome));
            if is_loaded {
                watched.stand_by().await;
            }
        });
        Ok(Memcached { shared, watching, loaded })
    }

    /// Waits until the items have been loaded that the node had when it ended. Until then nobody is served.
    ///
    /// # Errors
    /// Why they have not been, in a sentence. Then nobody ever is.
    pub fn loaded(&self) -> impl Future<Output = Result<(), String>> + use<> {
        let mut loaded = self.loaded.clone();
        async move {
            let outcome = loaded.wait_for(Option::is_some).await.map(|outcome| (*outcome).clone());
            outcome.ok().flatten().unwrap_or_else(|| Err("loading broke off".to_owned()))
        }
    }

    /// The node that clients come to; nothing in the midst of a failover.
    pub fn node(&self) -> Option<Arc<Node>> {
        self.shared.seats.lock().master.as_ref().map(|master| Arc::clone(&master.node))
    }

    /// The node that stands by, when it has all that the master has.
    pub fn standby(&self) -> Option<Arc<Node>> {
        self.shared.seats.lock().ready().map(|standby| Arc::clone(&standby.node))
    }

    /// Has a node stand by from now on, or none. Done when it has all items, or has gone; clients do not notice.
    pub fn keep_standby(&self, wanted: bool) -> impl Future<Output = ()> + Send + use<> {
        let shared = Arc::clone(&self.shared);
        async move {
            let workers = Arc::clone(&shared.workers);
            // Once begun it comes to its end, whoever still waits for it.
            let _ = workers.next().spawn(async move { shared.keep_standby(wanted).await }).await;
        }
    }

    /// How often the standby has taken the master's place.
    pub fn failovers(&self) -> u64 {
        self.shared.seats.lock().failovers
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// Ready when a client has ended it, which its settings may allow.
    pub fn shut_down_asked(&self) -> impl Future<Output = ()> + use<> {
        let asked = Arc::clone(&self.shared.ears.shut_down);
        async move { asked.notified().await }
    }

    /// Has the standby take the master's place, without losing anything. Done when clients are served again.
    ///
    /// # Errors
    /// [`FailoverError`]; then everything is as it was.
    pub fn failover(&self) -> impl Future<Output = Result<(), FailoverError>> + use<> {
        let shared = Arc::clone(&self.shared);
        async move {
            let workers = Arc::clone(&shared.workers);
            // Once begun it comes to its end, whoever still waits for it.
            let turning = workers.next().spawn(async move { shared.fail_over(None).await });
            turning.await.unwrap_or(Err(FailoverError::Busy))
        }
    }

    /// Has the master fail, to see what happens. Whether somebody can take its place.
    pub fn fail(&self, fault: Fault) -> bool {
        self.shared.fail(fault)
    }

    /// Writes what it holds to a file, beside requests. How many items that are.
    ///
    /// # Errors
    /// The file cannot be written, or there is no node.
    pub fn back_up(&self, path: PathBuf) -> impl Future<Output = std::io::Result<u64>> + use<> {
        let (node, clock) = (self.node(), Arc::clone(&self.shared.clock));
        async move {
            let node = node.ok_or(ErrorKind::NotConnected)?;
            blocking(move || file::save(&node, &clock, &path, false)).await
        }
    }

    /// Has it hold what is in a file, and nothing else. Connections are ended. How many items that are.
    ///
    /// # Errors
    /// Why the file is not taken, in a sentence; then everything is as it was.
    pub fn restore(&self, path: PathBuf) -> impl Future<Output = Result<u64, String>> + use<> {
        let shared = Arc::clone(&self.shared);
        async move {
            let workers = Arc::clone(&shared.workers);
            let restoring = workers.next().spawn(async move { shared.restore(path).await });
            restoring.await.unwrap_or_else(|_| Err("restoring broke off".to_owned()))
        }
    }

    /// Ends its connections, and waits until its port is free and what they were doing is done.
    pub async fn stop(self) {
        self.end().await;
    }

    /// As [`Memcached::stop`]; then saves the items, if there is a file for them. Whether nothing has been lost.
    pub async fn stop_and_save(self) -> bool {
        let is_loaded = self.loaded.borrow().as_ref().is_some_and(Result::is_ok);
        let (clock, path) = (Arc::clone(&self.shared.clock), self.shared.file.clone());
        let Some(node) = self.end().await else { return true };
        // What has not been loaded is still where it was.
        let Some(path) = path.filter(|_| is_loaded) else { return true };
        let saved = blocking(move || file::save(&node, &clock, &path, true)).await;
        if let Err(error) = &saved {
            tracing::error!("the items of a node cannot be saved: {error}");
        }
        saved.is_ok()
    }

    /// As [`Memcached::stop`]; gives back the node, which nobody changes any more.
    async fn end(self) -> Option<Arc<Node>> {
        // A failover that is going on comes to its end first.
        let turning = self.shared.turning.lock().await;
        self.watching.abort();
        let (master, standby) = self.shared.seats.lock().take();
        let door = self.shared.door.lock().take();
        drop((turning, standby));
        if let Some(door) = door {
            door.close().await;
        }
        let master = master?;
        master.hang_up().await;
        Some(Arc::clone(&master.node))
    }
}

impl Drop for Memcached {
    fn drop(&mut self) {
        self.watching.abort();
        // What watches may be in the midst of something, and hold the nodes for a moment longer.
        drop((self.shared.seats.lock().take(), self.shared.door.lock().take()));
    }
}

/// Runs what blocks its thread.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> std::io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(ErrorKind::Interrupted.into()))
}

/// Waits until each shard of a node has been free once; for ever if it answers nobody.
async fn lives(hangs: &AtomicBool, node: &Node) {
    if hangs.load(Relaxed) {
        std::future::pending::<()>().await;
    }
    let mut from = 0;
    while let Some(held) = node.held_from(from) {
        std::future::poll_fn(|cx| node.poll_free(held, cx)).await;
        from = held + 1;
    }
}
