//! Memcached nodes that listen: one, or a master and its standby behind one address.

mod connection;

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock, Weak};

use memcached::node::Host;
use memcached::shard::Garbage;
use memcached::{Access, Node, Settings};
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};

pub(crate) use connection::{Place, serve};

use crate::clock::Clock;
use crate::node::{Counter, Door, LAST_WORDS, Service, StartError};
use crate::workers::Workers;

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
}

/// A memcached node that listens; dropping it ends its connections and, somewhat later, frees its port.
#[derive(Debug)]
pub struct Memcached {
    node: Arc<Node>,
    place: Place,
    /// Ends its connections.
    stop: watch::Sender<()>,
    door: Door,
}

/// The world around a node.
#[derive(Debug)]
struct NodeHost {
    clock: Arc<Clock>,
    timers: Handle,
    node: OnceLock<Weak<Node>>,
    wake_at: OnceLock<watch::Sender<i64>>,
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
        // Whoever cannot have a thread drops it where it is.
        let _ = std::thread::Builder::new().name("free".into()).spawn(move || drop(garbage));
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
        let host = host(workers, clock);
        let node = Node::new(
            order.seed,
            clock.wall_ms(),
            order.settings,
            order.access,
            Arc::clone(&host) as Arc<dyn Host>,
        );
        let node = Arc::new(node);
        let _ = host.node.set(Arc::downgrade(&node));
        let (stop, _) = watch::channel(());
        let place = Place { node: Arc::clone(&node), clock: Arc::clone(clock), shut_down: Arc::default() };
        let memcached = Memcached { node, place, stop, door };
        memcached.door.serve(Some(memcached.counter()));
        Ok(memcached)
    }

    fn counter(&self) -> Counter {
        Counter { service: Service::Memcached(self.place.clone()), stopped: self.stop.subscribe() }
    }

    /// The node.
    pub fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.door.address()
    }

    /// Ready when a client has ended it, which its settings may allow.
    pub fn shut_down_asked(&self) -> impl Future<Output = ()> + use<> {
        let asked: Arc<Notify> = Arc::clone(&self.place.shut_down);
        async move { asked.notified().await }
    }

    /// Ends its connections, and waits until its port is free and what they were doing is done.
    pub async fn stop(self) {
        let Memcached { stop, door, .. } = self;
        stop.send_replace(());
        door.close().await;
        let _ = tokio::time::timeout(LAST_WORDS, stop.closed()).await;
    }
}

fn host(workers: &Arc<Workers>, clock: &Arc<Clock>) -> Arc<NodeHost> {
    Arc::new(NodeHost {
        clock: Arc::clone(clock),
        timers: workers.next().clone(),
        node: OnceLock::new(),
        wake_at: OnceLock::new(),
    })
}
