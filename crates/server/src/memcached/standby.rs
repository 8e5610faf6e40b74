//! A memcached master, the node that stands by to take its place, and the door before both.
//!
//! The standby is told of every change while the master's shard is held, before the client is answered: what has been
//! answered it has, as soon as it has been given what there was when it came. So a failover loses nothing even where
//! the master fails; one that is ordered lets the master's connections come to the end of what they are doing.
//!
//! Invariants: whoever is behind the door is the master; a standby that does not have everything never is.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Weak};

use memcached::Node;
use memcached::node::Host;
use structures::ranked::{Mutex, rank};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::seat::{Ears, NodeHost, Seat};
use super::{file, lives};
use crate::clock::Clock;
use crate::node::Door;
use crate::pair::{DRAIN, FailoverError, Fault};
use crate::watch::{Watched, is_lifeless, watch};
use crate::workers::Workers;

/// What a master and its standby have in common.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) workers: Arc<Workers>,
    pub(super) clock: Arc<Clock>,
    pub(super) address: SocketAddr,
    /// Where items are kept while the node does not run.
    pub(super) file: Option<PathBuf>,
    pub(super) ears: Ears,
    /// Taken when nobody is to come any more.
    pub(super) door: Mutex<Option<Door>>,
    pub(super) seats: Mutex<Seats, { rank::NODES }>,
    /// Whether there is to be a standby.
    pub(super) wants_standby: AtomicBool,
    /// Held during a failover.
    pub(super) turning: tokio::sync::Mutex<()>,
}

/// Who serves, and who stands by.
#[derive(Debug)]
pub(super) struct Seats {
    pub(super) master: Option<Seat>,
    standby: Option<Seat>,
    /// Whether the standby has all that the master has.
    has_all: bool,
    /// Whether the master has stopped.
    has_stopped: bool,
    pub(super) failovers: u64,
}

impl Seats {
    /// A master without a standby.
    pub(super) fn of(master: Seat) -> Seats {
        Seats { master: Some(master), standby: None, has_all: false, has_stopped: false, failovers: 0 }
    }

    /// The standby, if it can take the master's place.
    pub(super) fn ready(&self) -> Option<&Seat> {
        self.standby.as_ref().filter(|_| self.has_all)
    }

    /// Takes both out.
    pub(super) fn take(&mut self) -> (Option<Seat>, Option<Seat>) {
        (self.master.take(), self.standby.take())
    }
}

impl Shared {
    /// Has the master fail. Whether somebody can take its place.
    pub(super) fn fail(&self, fault: Fault) -> bool {
        let mut seats = self.seats.lock();
        let (Some(master), Some(_)) = (&seats.master, seats.ready()) else { return false };
        match fault {
            Fault::Hang => master.hang(),
            Fault::Stop => {
                master.end_connections();
                self.serve(None);
                seats.has_stopped = true;
                self.ears.suspicion.notify_one();
            }
        }
        true
    }

    /// Says who serves those who come.
    fn serve(&self, seat: Option<&Seat>) {
        if let Some(door) = &*self.door.lock() {
            door.serve(seat.map(Seat::counter));
        }
    }

    /// Has the master begin with the items that were kept, if there are any, and serve.
    ///
    /// # Errors
    /// Why they are not loaded, in a sentence.
    pub(super) async fn load(&self) -> Result<(), String> {
        let node = self.seats.lock().master.as_ref().map(|master| Arc::clone(&master.node));
        if let (Some(path), Some(node)) = (self.file.clone(), node)
            && path.exists()
        {
            let clock = Arc::clone(&self.clock);
            read(node, clock, path).await?;
        }
        self.serve(self.seats.lock().master.as_ref());
        Ok(())
    }

    /// Has a node with the items of a file, and no others, take the master's place.
    ///
    /// # Errors
    /// Why the file is not taken, in a sentence; then everything is as it was.
    pub(super) async fn restore(self: &Arc<Self>, path: PathBuf) -> Result<u64, String> {
        let _turning = self.turning.lock().await;
        let seat = {
            let seats = self.seats.lock();
            let master = seats.master.as_ref().ok_or("the node does not run")?;
            self.sibling(&master.node)
        };
        let items = read(Arc::clone(&seat.node), Arc::clone(&self.clock), path).await?;
        let (old, standby) = {
            let mut seats = self.seats.lock();
            self.serve(None);
            seats.has_all = false;
            seats.take()
        };
        for old in old.iter().chain(&standby) {
            old.hang_up().await;
        }
        {
            let mut seats = self.seats.lock();
            self.serve(Some(&seat));
            seats.master = Some(seat);
            seats.has_stopped = false;
        }
        if standby.is_some()
            && let Some(copying) = self.replace_standby()
        {
            // Whoever takes over has what was restored.
            let _ = copying.await;
        }
        let _ = tokio::task::spawn_blocking(move || drop((old, standby))).await;
        Ok(items)
    }

    /// A node like this one, without items.
    fn sibling(&self, node: &Node) -> Seat {
        let host = NodeHost::new(&self.workers, &self.clock, self.address);
        let sibling = node.sibling(Arc::clone(&host) as Arc<dyn Host>);
        Seat::new(sibling, &host, &self.clock, &self.ears)
    }

    /// Has a standby follow the master, if there is to be one, and looks after both whenever something seems to be wrong with it.
    pub(super) async fn stand_by(self: Arc<Self>) {
        {
            let _turning = self.turning.lock().await;
            if self.wants_standby.load(Relaxed) && !self.has_standby() {
                self.replace_standby();
            }
        }
        watch(self).await;
    }

    fn has_standby(&self) -> bool {
        self.seats.lock().standby.is_some()
    }

    /// Has a standby follow the master from now on, or none. Ready when it has everything, or has gone.
    pub(super) async fn keep_standby(self: &Arc<Self>, wanted: bool) {
        let _turning = self.turning.lock().await;
        self.wants_standby.store(wanted, Relaxed);
        if wanted && !self.has_standby() {
            if let Some(copying) = self.replace_standby() {
                let _ = copying.await;
            }
        } else if !wanted {
            let (master, gone) = {
                let mut seats = self.seats.lock();
                seats.has_all = false;
                (seats.master.as_ref().map(|master| Arc::clone(&master.node)), seats.standby.take())
            };
            if let Some(master) = master {
                master.set_standby(None);
            }
            let _ = tokio::task::spawn_blocking(move || drop(gone)).await;
        }
    }

    /// Has the standby take the master's place: without waiting for the master if that has failed, and if it is still
    /// the master.
    pub(super) async fn fail_over(
        self: &Arc<Self>,
        failed: Option<&Weak<Node>>,
    ) -> Result<(), FailoverError> {
        let _turning = self.turning.try_lock().map_err(|_| FailoverError::Busy)?;
        let old = {
            let mut seats = self.seats.lock();
            let master = seats.master.as_ref().map(|master| Arc::as_ptr(&master.node));
            if failed.is_some_and(|failed| Some(failed.as_ptr()) != master) {
                return Ok(());
            }
            if seats.ready().is_none() {
                return Err(FailoverError::NoStandby);
            }
            self.serve(None);
            seats.master.take()
        };
        if let Some(old) = &old {
            // Until they end, whatever they change goes to the standby as well.
            let ending = old.hang_up();
            if failed.is_none() {
                ending.await;
            } else {
                let _ = tokio::time::timeout(DRAIN, ending).await;
            }
        }
        {
            let mut seats = self.seats.lock();
            let new = seats.standby.take();
            self.serve(new.as_ref());
            seats.master = new;
            seats.has_all = false;
            seats.has_stopped = false;
            seats.failovers += 1;
        }
        tracing::info!("the standby of {} has taken its master's place", self.address);
        let _ = tokio::task::spawn_blocking(move || drop(old)).await;
        if self.wants_standby.load(Relaxed) {
            self.replace_standby();
        }
        Ok(())
    }

    /// Has a fresh standby follow the master. Gives what ends when it has everything.
    fn replace_standby(self: &Arc<Self>) -> Option<JoinHandle<()>> {
        let (master, standby) = {
            let mut seats = self.seats.lock();
            let master = Arc::clone(&seats.master.as_ref()?.node);
            let seat = self.sibling(&master);
            let standby = Arc::clone(&seat.node);
            seats.standby = Some(seat);
            seats.has_all = false;
            (master, standby)
        };
        master.set_standby(Some(&standby));
        let shared = Arc::downgrade(self);
        let copying = self.workers.next().spawn(async move {
            copy(&master, &standby).await;
            let Some(shared) = shared.upgrade() else { return };
            let mut seats = shared.seats.lock();
            let is_own =
                |seat: &Option<Seat>, node| seat.as_ref().is_some_and(|seat| Arc::ptr_eq(&seat.node, node));
            seats.has_all |= is_own(&seats.master, &master) && is_own(&seats.standby, &standby);
        });
        Some(copying)
    }
}

impl Watched for Shared {
    type Node = Node;

    fn address(&self) -> SocketAddr {
        self.address
    }

    fn suspicion(&self) -> &Notify {
        &self.ears.suspicion
    }

    async fn failed(&self) -> Option<Weak<Node>> {
        if !self.wants_standby.load(Relaxed) {
            // Nobody could take its place.
            return None;
        }
        let (node, hangs, has_stopped) = {
            let seats = self.seats.lock();
            let master = seats.master.as_ref()?;
            (Arc::clone(&master.node), master.hangs(), seats.has_stopped)
        };
        (has_stopped || is_lifeless(lives(&hangs, &node)).await).then(|| Arc::downgrade(&node))
    }

    async fn replace(self: &Arc<Self>, failed: &Weak<Node>) -> Result<(), FailoverError> {
        self.fail_over(Some(failed)).await
    }
}

/// Reads a file into a node. How many items there are.
async fn read(node: Arc<Node>, clock: Arc<Clock>, path: PathBuf) -> Result<u64, String> {
    let load = move || match file::load(&node, &clock, &path) {
        Ok(items) => Ok(items),
        Err(error) => Err(format!("{}: {error}", path.display())),
    };
    tokio::task::spawn_blocking(load).await.unwrap_or_else(|_| Err("loading broke off".to_owned()))
}

/// Gives the standby what the master has, a few items at a time.
async fn copy(master: &Node, standby: &Node) {
    let mut place = Some((0, 0));
    while let Some(from) = place {
        match master.copy_to(standby, from) {
            Ok(next) => place = next,
            Err(shard) => std::future::poll_fn(|cx| master.poll_free(shard, cx)).await,
        }
        // Others get their turn.
        tokio::task::yield_now().await;
    }
}
