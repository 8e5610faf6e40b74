//! A memcached node with its timers and connections, which does not listen by itself.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock, Weak};

use memcached::Node;
use memcached::node::{Host, Surroundings};
use memcached::shard::Garbage;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};

use super::connection::Place;
use crate::clock::Clock;
use crate::node::{BACKLOG, Counter, LAST_WORDS, Service};
use crate::process;
use crate::reclaim;
use crate::workers::Workers;

/// The world around a node.
#[derive(Debug)]
pub(super) struct NodeHost {
    clock: Arc<Clock>,
    /// Where clients come to.
    address: SocketAddr,
    /// How many threads serve them.
    threads: usize,
    timers: Handle,
    node: OnceLock<Weak<Node>>,
    wake_at: OnceLock<watch::Sender<i64>>,
}

/// A node and its connections; dropping it ends them.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) node: Arc<Node>,
    place: Place,
    /// Ends its connections.
    stop: watch::Sender<()>,
}

/// Whom connections tell something.
#[derive(Clone, Debug, Default)]
pub(super) struct Ears {
    /// Notified when a client ends the node.
    pub(super) shut_down: Arc<Notify>,
    /// Notified when a client waits for a node that may hang.
    pub(super) suspicion: Arc<Notify>,
}

impl NodeHost {
    pub(super) fn new(workers: &Workers, clock: &Arc<Clock>, address: SocketAddr) -> Arc<NodeHost> {
        Arc::new(NodeHost {
            clock: Arc::clone(clock),
            address,
            threads: workers.count(),
            timers: workers.next().clone(),
            node: OnceLock::new(),
            wake_at: OnceLock::new(),
        })
    }
}

impl Host for NodeHost {
    fn wake_at(&self, at_ms: i64) {
        let sender = self.wake_at.get_or_init(|| {
            let (sender, receiver) = watch::channel(at_ms);
            if let Some(node) = self.node.get() {
                self.timers.spawn(expire(Weak::clone(node), Arc::clone(&self.clock), receiver));
            }
            sender
        });
        sender.send_if_modified(|own| std::mem::replace(own, at_ms) != at_ms);
    }

    fn discard(&self, garbage: Garbage) {
        reclaim::discard(garbage);
    }

    fn surroundings(&self) -> Surroundings {
        Surroundings { address: self.address, backlog: BACKLOG.unsigned_abs(), threads: self.threads }
    }

    fn processor_us(&self) -> (u64, u64) {
        process::processor_us()
    }
}

/// Removes what has expired when its time has come, as long as there is the node.
async fn expire(node: Weak<Node>, clock: Arc<Clock>, mut wake_at: watch::Receiver<i64>) {
    let mut at_ms = *wake_at.borrow_and_update();
    loop {
        tokio::select! {
            changed = wake_at.changed() => {
                if changed.is_err() {
                    return;
                }
                at_ms = at_ms.min(*wake_at.borrow_and_update());
                continue;
            }
            () = clock.sleep_until(at_ms) => {}
        }
        let Some(node) = node.upgrade() else { return };
        match node.expire_due(clock.wall_ms()) {
            Ok(next) => at_ms = next.unwrap_or(i64::MAX),
            Err(shard) => std::future::poll_fn(|cx| node.poll_free(shard, cx)).await,
        }
        // Others get their turn.
        tokio::task::yield_now().await;
    }
}

impl Seat {
    /// A node in the world that it was made for.
    pub(super) fn new(node: Node, host: &NodeHost, clock: &Arc<Clock>, ears: &Ears) -> Seat {
        let node = Arc::new(node);
        let _ = host.node.set(Arc::downgrade(&node));
        let (stop, _) = watch::channel(());
        let place = Place {
            node: Arc::clone(&node),
            clock: Arc::clone(clock),
            ears: ears.clone(),
            hangs: Arc::default(),
        };
        Seat { node, place, stop }
    }

    /// What serves those who connect.
    pub(super) fn counter(&self) -> Counter {
        Counter { service: Service::Memcached(self.place.clone()), stopped: self.stop.subscribe() }
    }

    /// Whether it answers nobody any more.
    pub(super) fn hangs(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.place.hangs)
    }

    /// Has it answer nobody any more.
    pub(super) fn hang(&self) {
        self.place.hangs.store(true, Relaxed);
        self.node.clients.wake();
    }

    /// Ends its connections soon.
    pub(super) fn end_connections(&self) {
        self.stop.send_replace(());
    }

    /// Ends its connections, and waits until what they were doing is done.
    pub(super) async fn hang_up(&self) {
        self.end_connections();
        if tokio::time::timeout(LAST_WORDS, self.stop.closed()).await.is_err() {
            tracing::warn!("{} connections were cut off", self.stop.receiver_count());
        }
    }
}
