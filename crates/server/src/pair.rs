//! A master and its standbys behind one address, or behind a proxy.
//!
//! A standby is a node of this process that follows the master as any replica does; nobody else reaches it. A failover
//! has the one that is furthest take the master's place behind the address: connections drop, and whoever connects again is
//! served by what was the standby. The others follow it from then on, and a fresh one does.
//!
//! That a master has stopped is known at once. Whether one hangs is looked into when a client's command is kept waiting
//! by it: an instance that nobody uses costs nothing, and one that is used is mended before its clients give up.
//!
//! Invariants:
//! - Whoever is behind the address is a master.
//! - A failover that is ordered loses nothing: writes pause until the standby has all of them, and if it does not get
//!   there the master stays what it is. One that is forced keeps what had reached the standby.

use crate::clock::Clock;
use crate::configure::{Values, alike, configure, put};
use crate::hold::hold;
use crate::node::{Door, Order, Resident, Running, StartError, private_line};
use crate::watch::{Watched, is_lifeless, watch};
use crate::workers::Workers;
use engine::master::{Address, reachable};
use engine::pause::{Reason, Scope};
use engine::{BadParameter, Node};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;
use structures::ranked::{Mutex, rank};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// For so long an ordered failover may keep writes waiting, in ms.
const PAUSE_MS: i64 = 2_000;
/// For so long the standby may take to catch up meanwhile.
const CATCH_UP: Duration = Duration::from_millis(PAUSE_MS as u64 / 2);
/// For so long a forced failover waits for what is on its way to the standby.
pub(crate) const DRAIN: Duration = Duration::from_millis(20);
/// How often it is looked whether the standby has caught up.
const LOOK: Duration = Duration::from_micros(500);
/// So long it is waited for a new standby to have all keys; it gets them all the same.
const IN_STEP: Duration = Duration::from_secs(60);
/// Nobody is to be waited for before a replica is sent the keys.
pub(crate) const AT_ONCE: [&str; 2] = ["repl-diskless-sync-delay", "0"];

/// Why a failover does not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FailoverError {
    /// The standby does not follow the master.
    #[error("the standby is not in step with the master")]
    NoStandby,
    /// The standby has not caught up while writes waited.
    #[error("the standby did not catch up with the master in time")]
    TooSlow,
    /// Another failover is going on.
    #[error("a failover is going on")]
    Busy,
    /// There are fewer shards.
    #[error("there is no such shard")]
    NoShard,
}

/// What goes wrong with a master because somebody wants it to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It ends, as a process that is killed does.
    Stop,
    /// It answers nobody any more.
    Hang,
}

/// A master or one of its standbys.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its place among the copies, counted from 0. A node that begins anew has the place of the one that it follows upon.
    pub copy: usize,
    /// Whether it is the master.
    pub is_master: bool,
    /// The node.
    pub node: Arc<Node>,
}

/// A master and its standbys behind one address; dropping it ends all.
#[derive(Debug)]
pub struct Pair {
    couple: Couple,
    door: Arc<Mutex<Option<Door>>>,
}

/// The way by which clients come to a master, whichever node that is.
pub(crate) trait Entrance: Send + Sync {
    /// Nobody is served any more by who was the master.
    fn close(&self);

    /// Those who come from now on are served by this master.
    fn open(&self, master: &Resident);

    /// Starts the node of an order that is to stand by.
    ///
    /// # Errors
    /// [`StartError`]
    fn stand_by(&self, order: &Order) -> Result<Resident, StartError>;

    /// Whether nobody but clients comes this way: a standby then needs another.
    fn is_for_clients(&self) -> bool;
}

/// A master and its standbys, whichever way clients come to them; dropping it ends all.
#[derive(Debug)]
pub(crate) struct Couple {
    shared: Arc<Shared>,
    watching: JoinHandle<()>,
}

struct Shared {
    workers: Arc<Workers>,
    clock: Arc<Clock>,
    /// What nodes are to be that are still to come.
    order: Mutex<Order>,
    address: SocketAddr,
    entrance: Box<dyn Entrance>,
    nodes: Mutex<Nodes, { rank::NODES }>,
    /// How many standbys there are to be.
    wanted: AtomicUsize,
    /// Held by a failover from the moment it is ordered: a second one is refused.
    failing_over: tokio::sync::Mutex<()>,
    /// Held while nodes come, go, change places or get other parameters.
    turning: tokio::sync::Mutex<()>,
    /// Notified when the master has stopped or may hang.
    suspicion: Arc<Notify>,
}

struct Nodes {
    master: Option<Resident>,
    /// The place of the master, or of the one that there was.
    master_copy: usize,
    /// Those that stand by, each with its place, in the order of these.
    standbys: Vec<(usize, Resident)>,
    /// Whether the master has stopped.
    has_stopped: bool,
    failovers: u64,
}

impl Nodes {
    /// Who is to take the master's place: of those that have had its keys, and follow it unless that has failed, the one that is
    /// furthest; or the one of this place.
    fn furthest(&self, has_failed: bool, copy: Option<usize>) -> Option<Arc<Node>> {
        let may = |(own, standby): &&(usize, Resident)| {
            let master = &standby.node.master;
            copy.is_none_or(|copy| copy == *own)
                && !master.state().never_up()
                && (has_failed || master.is_up())
        };
        // Of several the first.
        let standbys = self.standbys.iter().rev().filter(may).map(|(_, standby)| &standby.node);
        standbys.max_by_key(|node| node.replicas.offset()).cloned()
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Entrance for (Arc<Mutex<Option<Door>>>, Arc<Workers>, Arc<Clock>) {
    fn close(&self) {
        if let Some(door) = &*self.0.lock() {
            door.serve(None);
        }
    }

    fn open(&self, master: &Resident) {
        if let Some(door) = &*self.0.lock() {
            door.serve(Some(master.counter()));
        }
    }

    fn stand_by(&self, order: &Order) -> Result<Resident, StartError> {
        Resident::start(&self.1, &self.2, order, order.address)
    }

    fn is_for_clients(&self) -> bool {
        false
    }
}

impl Pair {
    /// Starts a master, and so many standbys as soon as the master has loaded its keys.
    ///
    /// # Errors
    /// [`StartError`]
    pub fn start(
        workers: &Arc<Workers>,
        clock: &Arc<Clock>,
        order: &Order,
        standbys: usize,
    ) -> Result<Pair, StartError> {
        let mut order = order.clone();
        order.config.insert(0, AT_ONCE.map(str::to_owned).into());
        let door = Door::open(workers, order.address)?;
        order.address = door.address();
        let master = Resident::start(workers, clock, &order, order.address)?;
        door.serve(Some(master.counter()));
        let door = Arc::new(Mutex::new(Some(door)));
        let entrance = Box::new((Arc::clone(&door), Arc::clone(workers), Arc::clone(clock)));
        Ok(Pair { couple: Couple::begin(workers, clock, order, master, entrance, standbys), door })
    }

    /// Makes a node that runs the master of a pair; its clients do not notice. The order is what it has been started with.
    pub fn of(running: Running, workers: &Arc<Workers>, clock: &Arc<Clock>, order: &Order) -> Pair {
        let (master, door) = running.into_parts();
        let mut order = Order { address: door.address(), ..order.clone() };
        order.config.insert(0, AT_ONCE.map(str::to_owned).into());
        let door = Arc::new(Mutex::new(Some(door)));
        let entrance = Box::new((Arc::clone(&door), Arc::clone(workers), Arc::clone(clock)));
        Pair { couple: Couple::begin(workers, clock, order, master, entrance, 0), door }
    }

    /// Has so many standbys follow the master from now on. Done when they have all keys, and others have gone, first those of
    /// these places; clients do not notice.
    pub fn keep_standbys(&self, wanted: usize, leaving: &[usize]) -> impl Future<Output = ()> + Send + use<> {
        self.couple.keep_standbys(wanted, leaving)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.couple.shared.address
    }

    /// The node that is the master now; nothing in the midst of a failover.
    pub fn master(&self) -> Option<Arc<Node>> {
        self.couple.master()
    }

    /// The nodes that stand by.
    pub fn standbys(&self) -> Vec<Arc<Node>> {
        self.couple.standbys()
    }

    /// The first node that stands by, if there is one.
    pub fn standby(&self) -> Option<Arc<Node>> {
        self.standbys().into_iter().next()
    }

    /// Changes the parameters with which standbys start that are still to come. What can be set while a node runs they have
    /// of their master when they take its place, so this is for what cannot; the nodes that run stay as they are.
    pub fn reorder(&self, change: impl FnOnce(&mut Vec<(String, String)>)) {
        change(&mut self.couple.shared.order.lock().config);
    }

    /// Has all run with other values of these parameters from now on, and those that take their places.
    pub fn configure(&self, values: Values) -> impl Future<Output = Result<(), BadParameter>> + use<> {
        self.couple.configure(values, &[])
    }

    /// All nodes at one moment, the master first, which is missing in the midst of a failover.
    pub fn members(&self) -> Vec<Member> {
        self.couple.members()
    }

    /// How often a standby has taken the master's place.
    pub fn failovers(&self) -> u64 {
        self.couple.failovers()
    }

    /// Waits until the keys have been loaded that the master had when it ended.
    ///
    /// # Errors
    /// Why they have not been, in a sentence.
    pub fn loaded(&self) -> impl Future<Output = Result<(), String>> + use<> {
        self.couple.loaded()
    }

    /// Has the standby that is furthest take the master's place, or the one of this place, without losing anything. Done when
    /// clients are served again.
    ///
    /// # Errors
    /// [`FailoverError`]; then everything is as it was.
    pub fn failover(&self, copy: Option<usize>) -> impl Future<Output = Result<(), FailoverError>> + use<> {
        self.couple.failover(copy)
    }

    /// Has the master fail, to see what happens. Whether somebody can take its place.
    pub fn fail(&self, fault: Fault) -> bool {
        self.couple.fail(fault)
    }

    /// Ends all, and waits until the port is free.
    pub async fn stop(self) {
        self.end().await;
    }

    /// As [`Pair::stop`]; then saves the keys, if there is a directory, and rules unless it is `always` to be done.
    /// Whether nothing has been lost.
    pub async fn stop_and_save(self, always: bool) -> bool {
        match self.end().await {
            Some(master) => {
                master.hang_up().await;
                master.save(always).await
            }
            None => true,
        }
    }

    /// Ends the standbys, and the way to the master, which is given back.
    async fn end(self) -> Option<Resident> {
        let Pair { couple, door } = self;
        let master = couple.end().await;
        let door = door.lock().take();
        if let Some(door) = door {
            door.close().await;
        }
        master
    }
}

impl Couple {
    /// A master that clients come to by an entrance, and its standbys, which begin as soon as the master has loaded its
    /// keys. The address of the order is the one that the nodes tell.
    pub(crate) fn begin(
        workers: &Arc<Workers>,
        clock: &Arc<Clock>,
        order: Order,
        master: Resident,
        entrance: Box<dyn Entrance>,
        standbys: usize,
    ) -> Couple {
        let suspicion: Arc<Notify> = Arc::default();
        master.host.suspect_to(&suspicion);
        let loaded = master.loaded();
        let nodes = Nodes {
            master: Some(master),
            master_copy: 0,
            standbys: Vec::new(),
            has_stopped: false,
            failovers: 0,
        };
        let shared = Arc::new(Shared {
            workers: Arc::clone(workers),
            clock: Arc::clone(clock),
            address: order.address,
            order: Mutex::new(order),
            entrance,
            nodes: Mutex::new(nodes),
            wanted: AtomicUsize::new(standbys),
            failing_over: tokio::sync::Mutex::new(()),
            turning: tokio::sync::Mutex::new(()),
            suspicion,
        });
        let watched = Arc::clone(&shared);
        let watching = workers.next().spawn(async move {
            if loaded.await.is_ok() {
                {
                    let _turning = watched.turning.lock().await;
                    watched.begin_standbys();
                }
                watch(watched).await;
            }
        });
        Couple { shared, watching }
    }

    /// As [`Pair::master`].
    pub(crate) fn master(&self) -> Option<Arc<Node>> {
        self.shared.nodes.lock().master.as_ref().map(|master| Arc::clone(&master.node))
    }

    /// As [`Pair::standbys`].
    pub(crate) fn standbys(&self) -> Vec<Arc<Node>> {
        self.shared.nodes.lock().standbys.iter().map(|(_, standby)| Arc::clone(&standby.node)).collect()
    }

    /// As [`Pair::configure`]; standbys keep their own values of some parameters until they take their master's place.
    pub(crate) fn configure(
        &self,
        values: Values,
        kept: &'static [(&'static str, &'static str)],
    ) -> impl Future<Output = Result<(), BadParameter>> + use<> {
        let shared = Arc::clone(&self.shared);
        async move {
            // Whoever takes the master's place meanwhile would not know of it.
            let _turning = shared.turning.lock().await;
            let (master, standbys) = {
                let nodes = shared.nodes.lock();
                let standbys = nodes.standbys.iter().map(|(_, standby)| Arc::clone(&standby.node));
                (nodes.master.as_ref().map(|master| Arc::clone(&master.node)), standbys.collect::<Vec<_>>())
            };
            let is_own = |name: &str| kept.iter().any(|(own, _)| own.eq_ignore_ascii_case(name));
            let others: Values = values.iter().filter(|(name, _)| !is_own(name)).cloned().collect();
            let mut nodes = alike(master, &values);
            nodes.extend(alike(standbys, &others));
            configure(&nodes).await?;
            put(&mut shared.order.lock().config, &values);
            Ok(())
        }
    }

    /// As [`Pair::failovers`].
    pub(crate) fn failovers(&self) -> u64 {
        self.shared.nodes.lock().failovers
    }

    /// As [`Pair::members`].
    pub(crate) fn members(&self) -> Vec<Member> {
        let nodes = self.shared.nodes.lock();
        let master = nodes.master.iter().map(|master| (nodes.master_copy, true, master));
        let standbys = nodes.standbys.iter().map(|(copy, standby)| (*copy, false, standby));
        let member = |(copy, is_master, own): (usize, bool, &Resident)| Member {
            copy,
            is_master,
            node: Arc::clone(&own.node),
        };
        master.chain(standbys).map(member).collect()
    }

    /// As [`Pair::loaded`].
    pub(crate) fn loaded(&self) -> impl Future<Output = Result<(), String>> + use<> {
        let loaded = self.shared.nodes.lock().master.as_ref().map(Resident::loaded);
        async move {
            match loaded {
                Some(loaded) => loaded.await,
                None => Ok(()),
            }
        }
    }

    /// As [`Pair::failover`].
    pub(crate) fn failover(
        &self,
        copy: Option<usize>,
    ) -> impl Future<Output = Result<(), FailoverError>> + use<> {
        let shared = Arc::clone(&self.shared);
        async move {
            let workers = Arc::clone(&shared.workers);
            // Once begun it comes to its end, whoever still waits for it.
            let turning = workers.next().spawn(async move { shared.fail_over(None, copy).await });
            turning.await.unwrap_or(Err(FailoverError::Busy))
        }
    }

    /// As [`Pair::keep_standbys`].
    pub(crate) fn keep_standbys(
        &self,
        wanted: usize,
        leaving: &[usize],
    ) -> impl Future<Output = ()> + Send + use<> {
        let (shared, leaving) = (Arc::clone(&self.shared), leaving.to_vec());
        async move {
            let workers = Arc::clone(&shared.workers);
            // Once begun it comes to its end, whoever still waits for it.
            let _ = workers.next().spawn(async move { shared.keep_standbys(wanted, &leaving).await }).await;
        }
    }

    /// As [`Pair::fail`].
    pub(crate) fn fail(&self, fault: Fault) -> bool {
        let mut nodes = self.shared.nodes.lock();
        let ready = |(_, standby): &(usize, Resident)| !standby.node.master.state().never_up();
        let (Some(master), true) = (&nodes.master, nodes.standbys.iter().any(ready)) else {
            return false;
        };
        match fault {
            Fault::Hang => master.node.pause.hang(&master.node),
            Fault::Stop => {
                // The only connections to a shard behind a proxy are its standbys'. What clients have been answered is on its
                // way there, as bytes of a process that is killed are, and arrives before the standby takes over.
                if !self.shared.entrance.is_for_clients() {
                    master.end_connections();
                }
                self.shared.entrance.close();
                nodes.has_stopped = true;
                self.shared.suspicion.notify_one();
            }
        }
        true
    }

    /// Ends the standbys, and gives back the master, when nothing is going on with them.
    pub(crate) async fn end(self) -> Option<Resident> {
        // A failover that is going on comes to its end first.
        let turning = self.shared.turning.lock().await;
        self.watching.abort();
        let (master, standbys) = {
            let mut nodes = self.shared.nodes.lock();
            (nodes.master.take(), std::mem::take(&mut nodes.standbys))
        };
        drop((standbys, turning));
        master
    }
}

impl Drop for Couple {
    fn drop(&mut self) {
        self.watching.abort();
        // What watches may be in the midst of something, and hold the nodes for a moment longer.
        let mut nodes = self.shared.nodes.lock();
        drop((nodes.master.take(), std::mem::take(&mut nodes.standbys)));
    }
}

impl Watched for Shared {
    type Node = Node;

    fn address(&self) -> SocketAddr {
        self.address
    }

    fn suspicion(&self) -> &Notify {
        &self.suspicion
    }

    async fn failed(&self) -> Option<Weak<Node>> {
        if self.wanted.load(Ordering::Relaxed) == 0 {
            // Nobody could take its place.
            return None;
        }
        let (node, has_stopped) = {
            let nodes = self.nodes.lock();
            (Arc::clone(&nodes.master.as_ref()?.node), nodes.has_stopped)
        };
        (has_stopped || is_lifeless(lives(&node)).await).then(|| Arc::downgrade(&node))
    }

    async fn replace(self: &Arc<Self>, failed: &Weak<Node>) -> Result<(), FailoverError> {
        self.fail_over(Some(failed), None).await
    }
}

impl Shared {
    /// Has the standby that is furthest take the master's place, or the one of this place: whatever it lacks if the master has
    /// failed, and if it is still the master.
    async fn fail_over(
        self: &Arc<Self>,
        failed: Option<&Weak<Node>>,
        copy: Option<usize>,
    ) -> Result<(), FailoverError> {
        let _failing_over = self.failing_over.try_lock().map_err(|_| FailoverError::Busy)?;
        let _turning = self.turning.lock().await;
        let is_forced = failed.is_some();
        let (master, mut standby) = {
            let nodes = self.nodes.lock();
            let Some(master) = &nodes.master else { return Err(FailoverError::NoStandby) };
            if failed.is_some_and(|failed| failed.as_ptr() != Arc::as_ptr(&master.node)) {
                return Ok(());
            }
            let standby = nodes.furthest(is_forced, copy).ok_or(FailoverError::NoStandby)?;
            (Arc::clone(&master.node), standby)
        };
        let parted = if is_forced {
            let caught_up = catch_up(&master, &standby);
            let _ = tokio::time::timeout(DRAIN, caught_up).await;
            // Another one may have overtaken it.
            standby = self.nodes.lock().furthest(true, copy).unwrap_or(standby);
            None
        } else {
            master.pause.begin(&master, Reason::Failover, Scope::Writes, self.clock.wall_ms() + PAUSE_MS);
            let parted = part(&master, &standby, CATCH_UP).await;
            if parted.is_none() {
                master.pause.end(&master, Reason::Failover);
                return Err(FailoverError::TooSlow);
            }
            parted
        };
        let (old, directory) = {
            self.entrance.close();
            let mut nodes = self.nodes.lock();
            (nodes.master.take(), self.order.lock().directory.clone())
        };
        if let Some(old) = &old {
            old.end_connections();
        }
        // Before anybody is served, so that whatever is acknowledged is in a file that will be loaded again.
        let parted = match parted {
            None => leave(&master, &standby).await,
            parted => parted,
        };
        {
            let mut held = hold(&standby).await;
            standby.follow(&mut held, None);
            // What clients have configured stays.
            standby.configure_as(&mut held, &master);
        }
        if let Some(continues) = parted {
            hand_files_over(&master, &standby, &directory, continues).await;
        }
        {
            let mut nodes = self.nodes.lock();
            let at = nodes.standbys.iter().position(|(_, own)| Arc::ptr_eq(&own.node, &standby));
            let new = at.map(|at| nodes.standbys.remove(at));
            if let Some((copy, new)) = new {
                new.host.suspect_to(&self.suspicion);
                self.entrance.open(&new);
                (nodes.master, nodes.master_copy) = (Some(new), copy);
            }
            nodes.has_stopped = false;
            nodes.failovers += 1;
        }
        tracing::info!("a standby of {} has taken its master's place", self.address);
        if parted.is_none() {
            // A master that holds its keys keeps its files until it lets go of them.
            hand_files_over(&master, &standby, &directory, false).await;
        }
        let _ = tokio::task::spawn_blocking(move || drop((old, master))).await;
        self.follow(&standby).await;
        self.begin_standbys();
        Ok(())
    }

    /// Has those that stand by follow another master.
    async fn follow(&self, master: &Arc<Node>) {
        let standbys: Vec<Arc<Node>> = {
            let nodes = self.nodes.lock();
            nodes.standbys.iter().map(|(_, standby)| Arc::clone(&standby.node)).collect()
        };
        for standby in standbys {
            let mut held = hold(&standby).await;
            standby.stand_by(&mut held, self.reached_at(), master);
        }
    }

    /// Has fresh standbys follow the master until there are as many as there are to be. Nothing else is going on with them.
    fn begin_standbys(self: &Arc<Self>) {
        let lacks = || self.nodes.lock().standbys.len() < self.wanted.load(Ordering::Relaxed);
        while lacks() && self.add_standby() {}
    }

    /// As [`Pair::keep_standbys`].
    async fn keep_standbys(self: &Arc<Self>, wanted: usize, leaving: &[usize]) {
        let _turning = self.turning.lock().await;
        self.wanted.store(wanted, Ordering::Relaxed);
        let surplus = {
            let mut nodes = self.nodes.lock();
            let surplus = nodes.standbys.len().saturating_sub(wanted);
            let mut own: Vec<_> = std::mem::take(&mut nodes.standbys);
            own.sort_by_key(|(copy, _)| (leaving.contains(copy), *copy));
            let surplus = own.split_off(own.len() - surplus);
            own.sort_by_key(|(copy, _)| *copy);
            nodes.standbys = own;
            surplus
        };
        let _ = tokio::task::spawn_blocking(move || drop(surplus)).await;
        self.begin_standbys();
        let standbys: Vec<Arc<Node>> = {
            let nodes = self.nodes.lock();
            nodes.standbys.iter().map(|(_, standby)| Arc::clone(&standby.node)).collect()
        };
        let in_step = async {
            while !standbys.iter().all(|standby| standby.master.is_up()) {
                tokio::time::sleep(LOOK).await;
            }
        };
        let _ = tokio::time::timeout(IN_STEP, in_step).await;
    }

    /// Has one more standby follow the master; whether it does.
    fn add_standby(self: &Arc<Self>) -> bool {
        let (master, copy) = {
            let nodes = self.nodes.lock();
            let Some(master) = &nodes.master else { return false };
            let is_taken = |copy| copy == nodes.master_copy || nodes.standbys.iter().any(|own| own.0 == copy);
            (Arc::clone(&master.node), (0..).find(|copy| !is_taken(*copy)).unwrap_or_default())
        };
        let order = Order { directory: None, ..self.order.lock().clone() };
        match self.entrance.stand_by(&order) {
            Ok(standby) => {
                if self.entrance.is_for_clients() {
                    let couple = Arc::downgrade(self);
                    standby.host.dial_by(Arc::new(move || Shared::dial(&couple)));
                }
                let node = &standby.node;
                let mut held = node.keyspace.lock_blocking(node.keyspace.all());
                node.stand_by(&mut held, self.reached_at(), &master);
                drop(held);
                let mut nodes = self.nodes.lock();
                nodes.standbys.push((copy, standby));
                nodes.standbys.sort_by_key(|(copy, _)| *copy);
                true
            }
            Err(error) => {
                tracing::error!("a standby for {} does not begin: {error}", self.address);
                false
            }
        }
    }

    /// Where a standby reaches its master, unless it has a way of its own.
    fn reached_at(&self) -> Address {
        Address { host: reachable(self.address.ip()).to_string().into(), port: self.address.port() }
    }

    /// A connection to the master, whichever node that is now.
    fn dial(couple: &Weak<Shared>) -> std::io::Result<std::net::TcpStream> {
        let couple = couple.upgrade().ok_or(ErrorKind::NotConnected)?;
        let counter = {
            let nodes = couple.nodes.lock();
            nodes.master.as_ref().filter(|_| !nodes.has_stopped).map(Resident::counter)
        };
        private_line(counter.ok_or(ErrorKind::NotConnected)?, &couple.workers)
    }
}

/// Ready when a node shows that it is alive: it serves, and lets go of its shards.
pub(crate) async fn lives(node: &Node) {
    if node.pause.hangs() {
        std::future::pending::<()>().await;
    }
    drop(hold(node).await);
}

/// Ready when the standby has all that its master has told.
pub(crate) async fn catch_up(master: &Node, standby: &Node) {
    while standby.replicas.offset() < master.replicas.offset() {
        tokio::time::sleep(LOOK).await;
    }
}

/// Has the master end its part, at a moment when its standby has all that it has. Whether the standby can go on with its
/// append-only file; nothing if there is no such moment in this time, and then it stays what it is.
async fn part(master: &Node, standby: &Node, limit: Duration) -> Option<bool> {
    let parting = async {
        loop {
            catch_up(master, standby).await;
            let held = hold(master).await;
            if standby.replicas.offset() >= master.replicas.offset() {
                master.retire(&held);
                return master.end_changes(&held);
            }
            drop(held);
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(limit, parting).await.ok()
}

/// As [`part`], of a master that has failed: it ends its part even if the standby does not get all, and then cannot go on
/// with the file. Nothing if the master holds its keys for longer than is waited.
async fn leave(master: &Node, standby: &Node) -> Option<bool> {
    if let Some(continues) = part(master, standby, DRAIN).await {
        return Some(continues);
    }
    // Where there is a file that others are to find whole, it is worth a longer wait than a client should have otherwise.
    let limit = if master.append_file.is_on() { CATCH_UP } else { DRAIN };
    let held = tokio::time::timeout(limit, hold(master)).await.ok()?;
    master.retire(&held);
    Some(false)
}

/// The new master has the files of the old one from now on, which does not write any more.
async fn hand_files_over(old: &Arc<Node>, new: &Arc<Node>, directory: &Option<PathBuf>, continues: bool) {
    let (old, new, directory) = (Arc::clone(old), Arc::clone(new), directory.clone());
    let hand_over = move || {
        let is_whole = old.give_up_files();
        if let Some(directory) = directory {
            new.take_files(directory, continues && is_whole);
        }
    };
    let _ = tokio::task::spawn_blocking(hand_over).await;
}
