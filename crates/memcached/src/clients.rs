//! The connections of a node, as far as others want to know of them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::task::Waker;

use structures::ranked::Mutex;

/// A connection. What is counted has one writer: whoever serves it.
#[derive(Debug)]
pub struct Client {
    /// Its number; no two connections of a node have the same.
    pub id: u64,
    /// Where it comes from.
    pub peer: SocketAddr,
    /// Where it came to.
    pub local: SocketAddr,
    /// When it said something last, in ms since the epoch.
    pub active_ms: AtomicI64,
    read: AtomicU64,
    written: AtomicU64,
    busy_ticks: AtomicU64,
    /// Wakes whoever serves it.
    waker: Mutex<Option<Waker>>,
    is_ended: AtomicBool,
    /// Whether it watches what the node does, and is not listened to.
    pub is_watching: AtomicBool,
}

impl Client {
    /// Has this waker woken when there is something to be looked at.
    #[inline]
    pub fn register(&self, waker: &Waker) {
        let mut own = self.waker.lock();
        if !own.as_ref().is_some_and(|own| own.will_wake(waker)) {
            *own = Some(waker.clone());
        }
    }

    /// Takes note of bytes that have come.
    #[inline]
    pub fn has_sent(&self, bytes: usize) {
        self.read.store(self.read.load(Relaxed) + bytes as u64, Relaxed);
    }

    /// Takes note of bytes that it has been sent.
    #[inline]
    pub fn was_sent(&self, bytes: usize) {
        self.written.store(self.written.load(Relaxed) + bytes as u64, Relaxed);
    }

    /// Takes note of ticks of the processor's counter for which its commands ran.
    #[inline]
    pub fn was_served(&self, ticks: u64) {
        self.busy_ticks.store(self.busy_ticks.load(Relaxed).wrapping_add(ticks), Relaxed);
    }

    /// Ends the connection soon.
    pub fn end(&self) {
        self.is_ended.store(true, Relaxed);
        self.wake();
    }

    /// Whether it is to end.
    #[inline]
    pub fn is_ended(&self) -> bool {
        self.is_ended.load(Relaxed)
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.lock().clone() {
            waker.wake();
        }
    }
}

/// The connections of a node.
#[derive(Debug, Default)]
pub struct Clients {
    all: Mutex<BTreeMap<u64, Arc<Client>>>,
    last_id: AtomicU64,
    /// Those that there were.
    pub accepted: AtomicU64,
    /// Those that were refused because there were too many.
    pub rejected: AtomicU64,
    /// What those that are gone had sent and were sent.
    gone: (AtomicU64, AtomicU64),
    /// For how long their commands ran.
    gone_ticks: AtomicU64,
}

impl Clients {
    /// A connection that has just been made; nothing if there are as many as there may be.
    pub fn add(&self, peer: SocketAddr, local: SocketAddr, most: u32, now_ms: i64) -> Option<Arc<Client>> {
        let mut all = self.all.lock();
        if all.len() >= most as usize {
            self.rejected.fetch_add(1, Relaxed);
            return None;
        }
        let id = self.last_id.fetch_add(1, Relaxed) + 1;
        let client = Arc::new(Client {
            id,
            peer,
            local,
            active_ms: AtomicI64::new(now_ms),
            read: AtomicU64::new(0),
            written: AtomicU64::new(0),
            busy_ticks: AtomicU64::new(0),
            waker: Mutex::new(None),
            is_ended: AtomicBool::new(false),
            is_watching: AtomicBool::new(false),
        });
        all.insert(id, Arc::clone(&client));
        self.accepted.fetch_add(1, Relaxed);
        Some(client)
    }

    /// A connection has ended.
    pub fn remove(&self, client: &Client) {
        if self.all.lock().remove(&client.id).is_some() {
            self.gone.0.fetch_add(client.read.load(Relaxed), Relaxed);
            self.gone.1.fetch_add(client.written.load(Relaxed), Relaxed);
            self.gone_ticks.fetch_add(client.busy_ticks.load(Relaxed), Relaxed);
        }
    }

    /// The number of connections.
    pub fn len(&self) -> usize {
        self.all.lock().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All connections, the oldest first.
    pub fn all(&self) -> Vec<Arc<Client>> {
        self.all.lock().values().cloned().collect()
    }

    /// Bytes that have come and that were sent, since the node began.
    pub fn bytes(&self) -> (u64, u64) {
        let gone = (self.gone.0.load(Relaxed), self.gone.1.load(Relaxed));
        self.all.lock().values().fold(gone, |(read, written), client| {
            (read + client.read.load(Relaxed), written + client.written.load(Relaxed))
        })
    }

    /// For how many ticks of the processor's counter commands have run since the node began.
    pub fn busy_ticks(&self) -> u64 {
        let gone = self.gone_ticks.load(Relaxed);
        self.all.lock().values().fold(gone, |sum, client| sum.wrapping_add(client.busy_ticks.load(Relaxed)))
    }

    /// Has all look at what has been changed.
    pub fn wake(&self) {
        self.all().iter().for_each(|client| client.wake());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_stays_when_connections_go() {
        let clients = Clients::default();
        let nobody = SocketAddr::from(([127, 0, 0, 1], 1));
        let [one, two] = [(); 2].map(|()| clients.add(nobody, nobody, 2, 0).unwrap());
        assert!(clients.add(nobody, nobody, 2, 0).is_none());
        one.has_sent(3);
        two.was_sent(4);
        two.has_sent(1);
        assert_eq!((clients.bytes(), clients.len()), ((4, 4), 2));
        clients.remove(&two);
        clients.remove(&two);
        assert_eq!((clients.bytes(), clients.len()), ((4, 4), 1));
        assert_eq!((clients.accepted.load(Relaxed), clients.rejected.load(Relaxed)), (2, 1));
    }
}
