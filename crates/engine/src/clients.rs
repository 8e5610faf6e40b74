//! The clients of a node: what others may see of a connection, and send to it.

use crate::pubsub::Kind;
use atomic_waker::AtomicWaker;
use bytes::Bytes;
use resp::{Protocol, Reply};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::task::Waker;
use structures::ranked::Mutex;

bitflags::bitflags! {
    /// What `CLIENT LIST` tells of a client by letters.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Marks: u32 {
        /// `O`: sees all commands.
        const MONITOR = 1 << 0;
        /// `P`: has subscribed to channels.
        const PUBSUB = 1 << 1;
        /// `x`: queues a transaction.
        const MULTI = 1 << 2;
        /// `b`: waits for keys.
        const BLOCKED = 1 << 3;
        /// `d`: a watched key has changed.
        const BROKEN = 1 << 4;
        /// `e`: is not closed to save memory.
        const NO_EVICT = 1 << 5;
        /// `T`: does not touch keys' access clocks.
        const NO_TOUCH = 1 << 6;
        /// `c`: ends after its reply.
        const CLOSING = 1 << 7;
        /// `S`: gets the stream of changes.
        const REPLICA = 1 << 8;
        /// `M`: sends the stream of changes.
        const MASTER = 1 << 9;
    }
}

/// What a connection tells of itself, as it changes.
#[derive(Debug, Default)]
pub struct Gauges {
    /// The database in use.
    pub db: AtomicU32,
    /// When it last sent a command, in ms since the epoch.
    pub active_ms: AtomicI64,
    /// The number of its last command and one; zero for none.
    pub command: AtomicUsize,
    /// Channels, patterns and shard channels that it listens to.
    pub subscriptions: [AtomicU32; 3],
    /// Commands queued, and one; zero outside of transactions.
    pub queued: AtomicU32,
    /// Bytes of queued commands.
    pub queued_bytes: AtomicUsize,
    /// Keys watched.
    pub watched: AtomicU32,
    /// Bytes of its last command's arguments.
    pub argument_bytes: AtomicUsize,
    /// Bytes received and not processed.
    pub input_bytes: AtomicUsize,
    /// Bytes of replies not sent.
    pub output_bytes: AtomicUsize,
    /// Letters.
    pub marks: AtomicU32,
}

/// What a client says of itself.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// `CLIENT SETNAME`.
    pub name: Box<[u8]>,
    /// `CLIENT SETINFO LIB-NAME`.
    pub library: Box<[u8]>,
    /// `CLIENT SETINFO LIB-VER`.
    pub library_version: Box<[u8]>,
}

/// The part of a connection that others may see and use.
#[derive(Debug)]
pub struct Client {
    /// Its number, by which it is known.
    pub id: u64,
    /// The number of its socket, as the system knows it.
    pub descriptor: i32,
    /// Where it comes from.
    pub peer: SocketAddr,
    /// Where it came to.
    pub local: SocketAddr,
    /// When it came, in ms since the epoch.
    pub since_ms: i64,
    /// What it says of itself.
    pub names: Mutex<Names>,
    /// What the connection tells of itself.
    pub gauges: Gauges,
    protocol: AtomicU8,
    killed: AtomicBool,
    /// Shard channels that have gone to another node, until the connection takes note.
    lost_channels: Mutex<Vec<Box<[u8]>>>,
    mail: Mutex<Vec<Bytes>>,
    has_mail: AtomicBool,
    waker: AtomicWaker,
}

impl Client {
    /// A client that has just come.
    pub fn new(id: u64, descriptor: i32, peer: SocketAddr, local: SocketAddr, since_ms: i64) -> Self {
        Client {
            id,
            descriptor,
            peer,
            local,
            since_ms,
            names: Mutex::new(Names::default()),
            gauges: Gauges { active_ms: AtomicI64::new(since_ms), ..Gauges::default() },
            protocol: AtomicU8::new(2),
            killed: AtomicBool::new(false),
            lost_channels: Mutex::new(Vec::new()),
            mail: Mutex::new(Vec::new()),
            has_mail: AtomicBool::new(false),
            waker: AtomicWaker::new(),
        }
    }

    /// The protocol that it speaks.
    pub fn protocol(&self) -> Protocol {
        if self.protocol.load(Ordering::Relaxed) == 3 { Protocol::Resp3 } else { Protocol::Resp2 }
    }

    /// Takes note of the protocol that it speaks.
    pub fn set_protocol(&self, protocol: Protocol) {
        self.protocol.store(if protocol == Protocol::Resp3 { 3 } else { 2 }, Ordering::Relaxed);
    }

    /// Sets or takes away letters.
    pub fn mark(&self, marks: Marks, on: bool) {
        if on {
            self.gauges.marks.fetch_or(marks.bits(), Ordering::Relaxed);
        } else {
            self.gauges.marks.fetch_and(!marks.bits(), Ordering::Relaxed);
        }
    }

    /// The letters that are set.
    pub fn marks(&self) -> Marks {
        Marks::from_bits_retain(self.gauges.marks.load(Ordering::Relaxed))
    }

    /// Sends it a message that answers no request.
    pub fn send(&self, message: Bytes) {
        self.mail.lock().push(message);
        self.has_mail.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// Tells it that a shard channel has gone to another node.
    pub(crate) fn lose_channel(&self, name: &[u8]) {
        let gauge = &self.gauges.subscriptions[Kind::Shard as usize];
        let left = gauge.fetch_sub(1, Ordering::Relaxed).saturating_sub(1);
        self.lost_channels.lock().push(name.into());
        let mut message = Reply::new(self.protocol());
        message.push(3);
        message.bulk("sunsubscribe");
        message.bulk(name);
        message.integer(left.into());
        self.send(message.into_bytes().into());
    }

    /// Takes out the names of shard channels that have gone to another node.
    pub(crate) fn take_lost_channels(&self) -> Vec<Box<[u8]>> {
        std::mem::take(&mut *self.lost_channels.lock())
    }

    /// Takes out the messages that have come.
    #[inline]
    pub fn take_mail(&self) -> Vec<Bytes> {
        if !self.has_mail.swap(false, Ordering::Acquire) {
            return Vec::new();
        }
        std::mem::take(&mut *self.mail.lock())
    }

    /// Whether messages have come.
    #[inline]
    pub fn has_mail(&self) -> bool {
        self.has_mail.load(Ordering::Acquire)
    }

    /// Ends the connection.
    pub fn kill(&self) {
        self.killed.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// Whether the connection is to end.
    #[inline]
    pub fn is_killed(&self) -> bool {
        self.killed.load(Ordering::Acquire)
    }

    /// Has `waker` woken when something comes for the connection.
    #[inline]
    pub fn register(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    /// Wakes the connection.
    pub fn wake(&self) {
        self.waker.wake();
    }
}

/// The clients of a node.
#[derive(Debug, Default)]
pub struct Clients {
    by_id: Mutex<HashMap<u64, Arc<Client>, foldhash::fast::RandomState>>,
    /// The number of them, which is asked for more often.
    len: AtomicUsize,
    last_id: AtomicU64,
}

impl Clients {
    /// A number for a client, above all before.
    pub fn next_id(&self) -> u64 {
        self.last_id.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Adds a client, unless there are `most` already.
    pub fn add(&self, client: Arc<Client>, most: usize) -> bool {
        let mut clients = self.by_id.lock();
        let room = clients.len() < most;
        if room {
            clients.insert(client.id, client);
            self.len.store(clients.len(), Ordering::Relaxed);
        }
        room
    }

    /// Removes a client.
    pub fn remove(&self, id: u64) {
        let mut clients = self.by_id.lock();
        clients.remove(&id);
        self.len.store(clients.len(), Ordering::Relaxed);
    }

    /// A client by its number.
    pub fn get(&self, id: u64) -> Option<Arc<Client>> {
        self.by_id.lock().get(&id).cloned()
    }

    /// The number of clients.
    #[inline]
    pub fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All clients, by their numbers.
    pub fn all(&self) -> Vec<Arc<Client>> {
        let mut all: Vec<_> = self.by_id.lock().values().cloned().collect();
        all.sort_unstable_by_key(|client| client.id);
        all
    }
}
