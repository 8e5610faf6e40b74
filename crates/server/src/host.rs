//! The world of a node: the clock, a timer for keys that expire, a thread that frees values.

use crate::clock::Clock;
use crate::offload::Numbers;
use crate::reclaim;
use crate::sync::Keeper;
use crate::takeover;
use crate::{link, process};
use engine::execute::expire_due;
use engine::host::{Background, Process};
use engine::{Host, Node, Worker};
use keyspace::effects::Garbage;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;
use structures::ranked::Mutex;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};

/// Records that are looked at while a shard is held.
const EXPIRE_BATCH: usize = 200;

/// While a node hands over it is looked this often how far its replicas are, in ms.
const HAND_OVER_MS: i64 = 5;

/// After so long it is tried again to start a thread where the system gave none.
const THREAD_AGAIN: Duration = Duration::from_millis(100);

/// How a node reaches its master, if not by the address that it has been told.
pub(crate) type Dial = Arc<dyn Fn() -> std::io::Result<std::net::TcpStream> + Send + Sync>;

/// The world of one node.
pub(crate) struct NodeHost {
    clock: Arc<Clock>,
    /// The event loop on which the node's timer runs.
    timers: Handle,
    /// The number by which the timer counts.
    number: usize,
    node: OnceLock<Weak<Node>>,
    /// When keys are to expire next, in ms since the epoch; there is a timer once somebody has asked.
    expire_at: OnceLock<watch::Sender<i64>>,
    /// When the node is to be tended next, in ms since the epoch; there is a timer once somebody has asked.
    tend_at: OnceLock<watch::Sender<i64>>,
    /// Who looks after the stream that replicas get.
    keeper: Arc<Keeper>,
    /// Notified when another master is to be followed; there is somebody who does once one has been named.
    master: OnceLock<Arc<Notify>>,
    /// How the master is reached, if not by its address.
    dial: OnceLock<Dial>,
    /// Changes when the node ends.
    ended: OnceLock<watch::Receiver<()>>,
    /// Threads for commands that take long.
    numbers: Arc<Numbers>,
    /// Notified when a client ends the node; there only if somebody waits for that.
    shut_down: OnceLock<Arc<Notify>>,
    /// Notified when a client is kept waiting by a node that may hang; there only if somebody looks into that.
    suspicion: OnceLock<Arc<Notify>>,
}

impl NodeHost {
    pub(crate) fn new(clock: Arc<Clock>, timers: Handle, number: usize, numbers: Arc<Numbers>) -> Self {
        NODES.fetch_add(1, Ordering::Relaxed);
        NodeHost {
            clock,
            timers,
            number,
            node: OnceLock::new(),
            expire_at: OnceLock::new(),
            tend_at: OnceLock::new(),
            keeper: Arc::default(),
            master: OnceLock::new(),
            dial: OnceLock::new(),
            ended: OnceLock::new(),
            numbers,
            shut_down: OnceLock::new(),
            suspicion: OnceLock::new(),
        }
    }

    /// Says which node this is the world of, and what tells of its end.
    pub(crate) fn adopt(&self, node: &Arc<Node>, ended: watch::Receiver<()>) {
        let _ = self.node.set(Arc::downgrade(node));
        let _ = self.ended.set(ended);
    }

    /// Says whom to tell that the node may hang.
    pub(crate) fn suspect_to(&self, suspicion: &Arc<Notify>) {
        let _ = self.suspicion.set(Arc::clone(suspicion));
    }

    /// Says how the node reaches its master, whatever address it is told.
    pub(crate) fn dial_by(&self, dial: Dial) {
        let _ = self.dial.set(dial);
    }

    /// Lets clients end the node; what is notified when one does.
    pub(crate) fn allow_shut_down(&self) -> Arc<Notify> {
        Arc::clone(self.shut_down.get_or_init(Arc::default))
    }
}

impl std::fmt::Debug for NodeHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeHost").field("number", &self.number).finish_non_exhaustive()
    }
}

/// The number of nodes in this process.
static NODES: AtomicUsize = AtomicUsize::new(0);

impl Drop for NodeHost {
    fn drop(&mut self) {
        NODES.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Host for NodeHost {
    #[inline]
    fn wall_us(&self) -> i64 {
        self.clock.wall_us()
    }

    fn ns_per_giga_tick(&self) -> u64 {
        self.clock.ns_per_giga_tick()
    }

    fn expire_at(&self, at_ms: i64) {
        let sender = self.expire_at.get_or_init(|| {
            let (sender, receiver) = watch::channel(at_ms);
            if let Some(node) = self.node.get() {
                self.timers.spawn(expire(Weak::clone(node), Arc::clone(&self.clock), self.number, receiver));
            }
            sender
        });
        sender.send_replace(at_ms);
    }

    fn tend_at(&self, at_ms: i64) {
        let sender = self.tend_at.get_or_init(|| {
            let (sender, receiver) = watch::channel(at_ms);
            if let Some(node) = self.node.get() {
                self.timers.spawn(tend(Weak::clone(node), Arc::clone(&self.clock), receiver));
            }
            sender
        });
        sender.send_replace(at_ms);
    }

    fn stream_begun(&self) {
        if let Some(node) = self.node.get() {
            self.keeper.call(&self.timers, node, &self.clock);
        }
    }

    fn failover_begun(&self) {
        if let Some(node) = self.node.get() {
            self.timers.spawn(hand_over(Weak::clone(node), Arc::clone(&self.clock)));
        }
    }

    fn take_over(&self, at_once: bool) {
        let clock = Arc::clone(&self.clock);
        self.background("takeover", Box::new(move |node| takeover::take_over(node, &clock, at_once)));
    }

    fn master_changed(&self) {
        let changed = self.master.get_or_init(|| {
            let changed = Arc::<Notify>::default();
            if let Some(node) = self.node.get() {
                let clock = Arc::clone(&self.clock);
                let (numbers, changed) = (Arc::clone(&self.numbers), Arc::clone(&changed));
                let ended = self.ended.get().cloned().expect("the node has begun");
                let (node, dial) = (Weak::clone(node), self.dial.get().cloned());
                let follow = link::follow(node, clock, self.number, numbers, dial, changed, ended);
                self.timers.spawn(follow);
            }
            changed
        });
        changed.notify_one();
    }

    fn background(&self, name: &'static str, work: Background) {
        let Some(node) = self.node.get().cloned() else { return };
        let run = move || {
            if let Some(node) = node.upgrade() {
                work(&node);
            }
        };
        let job = Job::new(Box::new(run));
        if !job.begin(name, spawn) {
            // What was to be done may be what ends a snapshot: it must not be forgotten.
            self.timers.spawn(async move {
                while !job.begin(name, spawn) {
                    tokio::time::sleep(THREAD_AGAIN).await;
                }
            });
        }
    }

    fn detached(&self, name: &'static str, work: Box<dyn FnOnce() + Send>) -> bool {
        std::thread::Builder::new().name(name.into()).spawn(work).is_ok()
    }

    fn process(&self) -> Process {
        process::read(NODES.load(Ordering::Relaxed) == 1)
    }

    fn directory(&self) -> String {
        std::env::current_dir().map_or_else(|_| ".".to_owned(), |path| path.display().to_string())
    }

    fn log(&self, message: &str) {
        tracing::warn!("{message}");
    }

    fn suspected(&self) {
        if let Some(suspicion) = self.suspicion.get() {
            suspicion.notify_one();
        }
    }

    fn may_shut_down(&self) -> bool {
        self.shut_down.get().is_some()
    }

    fn shut_down(&self) {
        if let Some(asked) = self.shut_down.get() {
            asked.notify_one();
        }
    }

    fn reclaim(&self, garbage: Vec<Garbage>) {
        reclaim::discard(garbage);
    }
}

/// Work that waits for a thread.
struct Job(Arc<Mutex<Option<Work>>>);

type Work = Box<dyn FnOnce() + Send>;

impl Job {
    fn new(work: Work) -> Self {
        Job(Arc::new(Mutex::new(Some(work))))
    }

    /// Begins it on a thread of its own; whether there is one.
    fn begin(&self, name: &str, spawn: impl FnOnce(&str, Work) -> std::io::Result<()>) -> bool {
        let work = Arc::clone(&self.0);
        let run = move || {
            let work = work.lock().take();
            if let Some(work) = work {
                work();
            }
        };
        match spawn(name, Box::new(run)) {
            Ok(()) => true,
            Err(error) => {
                tracing::error!("there is no thread to {name}, which waits for one: {error}");
                false
            }
        }
    }
}

fn spawn(name: &str, work: Work) -> std::io::Result<()> {
    std::thread::Builder::new().name(name.into()).spawn(work).map(drop)
}

/// Waits until the time is there that was asked for last; whether somebody may still ask.
async fn is_due(clock: &Clock, at_ms: &mut watch::Receiver<i64>) -> bool {
    loop {
        let due_ms = *at_ms.borrow_and_update();
        tokio::select! {
            () = clock.sleep_until(due_ms) => return true,
            changed = at_ms.changed() => {
                if changed.is_err() {
                    return false;
                }
            }
        }
    }
}

/// Has a node tended when it wants to be, until it is gone.
async fn tend(node: Weak<Node>, clock: Arc<Clock>, mut at_ms: watch::Receiver<i64>) {
    while is_due(&clock, &mut at_ms).await {
        let Some(node) = node.upgrade() else { return };
        // It may wait for shards, which this thread must not.
        if tokio::task::spawn_blocking(move || node.tend()).await.is_err() || at_ms.changed().await.is_err() {
            return;
        }
    }
}

/// Lets the keys of a node expire when they are due, until the node is gone.
async fn expire(node: Weak<Node>, clock: Arc<Clock>, number: usize, mut at_ms: watch::Receiver<i64>) {
    let mut worker = Worker::new(number);
    while is_due(&clock, &mut at_ms).await {
        let Some(node) = node.upgrade() else { return };
        node.begin_expiry();
        let mut next_ms = None;
        for shard in 0..node.keyspace.shards() {
            loop {
                let now_ms = clock.wall_ms();
                match expire_due(&node, &mut worker, shard, now_ms, EXPIRE_BATCH) {
                    Ok(Some(shard_ms)) if shard_ms <= now_ms => tokio::task::yield_now().await,
                    Ok(shard_ms) => {
                        next_ms = [next_ms, shard_ms].into_iter().flatten().min();
                        break;
                    }
                    Err(shard) => std::future::poll_fn(|cx| node.keyspace.poll_free(shard, cx)).await,
                }
            }
        }
        node.end_expiry(next_ms);
        // Without a next time the timer sleeps until somebody asks again.
        if next_ms.is_none() && at_ms.changed().await.is_err() {
            return;
        }
    }
}

/// Has a node hand over as soon as a replica has everything.
async fn hand_over(node: Weak<Node>, clock: Arc<Clock>) {
    loop {
        let Some(node) = node.upgrade().filter(|node| node.waits_for_failover()) else { return };
        if node.is_failover_due(clock.wall_ms()) {
            let held = node.keyspace.lock(node.keyspace.all());
            match held {
                Ok(mut held) => node.go_on_with_failover(&mut held, clock.wall_ms()),
                Err(shard) => {
                    drop(held);
                    std::future::poll_fn(|cx| node.keyspace.poll_free(shard, cx)).await;
                }
            }
            continue;
        }
        drop(node);
        clock.sleep_until(clock.wall_ms() + HAND_OVER_MS).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn what_gets_no_thread_is_done_when_there_is_one() {
        let done = Arc::new(AtomicBool::new(false));
        let job = Job::new(Box::new({
            let done = Arc::clone(&done);
            move || done.store(true, Ordering::Relaxed)
        }));
        assert!(!job.begin("test", |_, _| Err(ErrorKind::WouldBlock.into())));
        assert!(!done.load(Ordering::Relaxed));
        let begun = job.begin("test", |_, work| {
            work();
            Ok(())
        });
        assert!(begun && done.load(Ordering::Relaxed));
    }
}
