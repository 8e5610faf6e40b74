//! The replicas of a node, and the stream that they get.
//!
//! The stream is what the node's commands have changed, or, while the node follows a master itself, what that master
//! sends. It is kept from the first replica on, until there has been none for some time (`repl-backlog-ttl`); a node
//! without replicas has no stream, and its offset stands still.
//!
//! Each replica's connection fetches the stream at its own pace ([`Replicas::read`]); whoever adds to it waits for
//! nobody, and a replica that is too far behind is dropped.
//!
//! Lock order: shards, the lines of the stream of changes, then the one lock here, under which nothing else is locked.

use crate::clients::{Client, Marks};
use crate::feed::{Audience, Tap};
use crate::node::Node;
use keyspace::Locked;
use replication::{Backlog, History, Id, Replica, Stage};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use structures::ranked::{Mutex, rank};

/// The replicas of a node; see the module.
#[derive(Debug)]
pub struct Replicas {
    inner: Mutex<Inner, { rank::REPLICAS }>,
    /// How far the stream has come, as in `inner`.
    offset: AtomicU64,
    /// The number of replicas, as in `inner`.
    len: AtomicUsize,
    /// How many bytes a replica may be behind (`client-output-buffer-limit`); zero for any.
    limit: AtomicU64,
    /// What has happened, for `INFO`.
    pub counts: Counts,
}

/// What has happened to replicas so far.
#[derive(Debug, Default)]
pub struct Counts {
    /// Replicas that were sent all keys.
    pub full: AtomicU64,
    /// Replicas that went on from where they were.
    pub partial: AtomicU64,
    /// Replicas that wanted to, and could not.
    pub refused: AtomicU64,
    /// Bytes that replicas were sent.
    pub output_bytes: AtomicU64,
    /// Bytes that a master sent.
    pub input_bytes: AtomicU64,
}

#[derive(Debug)]
struct Inner {
    history: History,
    /// The stream's end, from the first replica on.
    backlog: Option<Backlog>,
    /// How much of the stream is kept, in bytes.
    size: u64,
    /// The database that is selected at the end of a stream that comes from a master.
    db: u32,
    all: Vec<Member>,
    /// Since when there are no replicas, in ms since the epoch.
    alone_since_ms: i64,
}

/// A replica, and its connection.
#[derive(Clone, Debug)]
pub struct Member {
    /// The connection.
    pub client: Arc<Client>,
    /// What is known of the replica.
    pub replica: Replica,
    /// Whether its connection has read all there is, and is to be woken when more comes.
    waits: bool,
}

impl Member {
    /// Where the replica can be reached: where it says, or where it comes from.
    pub fn ip(&self) -> String {
        self.replica.address.as_deref().map_or_else(|| self.client.peer.ip().to_string(), str::to_owned)
    }
}

/// The stream as it is.
#[derive(Clone, Debug)]
pub struct View {
    /// Which stream it is, and how far.
    pub history: History,
    /// What is kept of it: where that begins, and how long it is, in bytes; nothing if nothing is.
    pub kept: Option<(u64, u64)>,
    /// The memory that this takes, in bytes.
    pub kept_bytes: usize,
    /// The replicas, in the order in which they came.
    pub members: Vec<Member>,
}

/// Where a snapshot for replicas stands in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The stream.
    pub id: Id,
    /// How far it is, in bytes.
    pub offset: u64,
    /// The database that is selected there.
    pub db: u32,
}

/// The tap through which what the node's commands change goes to its replicas.
struct Spout(Arc<Replicas>);

impl Tap for Spout {
    fn put(&mut self, requests: &[u8]) {
        self.0.append(requests);
    }
}

impl Replicas {
    /// A node without replicas, whose stream would be this one.
    pub(crate) fn new(id: Id) -> Self {
        Replicas {
            inner: Mutex::new(Inner {
                history: History::new(id),
                backlog: None,
                size: 1 << 20,
                db: 0,
                all: Vec::new(),
                alone_since_ms: 0,
            }),
            offset: AtomicU64::new(0),
            len: AtomicUsize::new(0),
            limit: AtomicU64::new(0),
            counts: Counts::default(),
        }
    }

    /// How far the stream has come, in bytes.
    #[inline]
    pub fn offset(&self) -> u64 {
        self.offset.load(Ordering::Acquire)
    }

    /// The number of replicas, whatever they are about.
    #[inline]
    pub fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The stream as it is.
    pub fn view(&self) -> View {
        let inner = self.inner.lock();
        let kept = inner.backlog.as_ref().map(|backlog| (backlog.start(), backlog.end() - backlog.start()));
        let kept_bytes = inner.backlog.as_ref().map_or(0, Backlog::heap_bytes);
        View { history: inner.history.clone(), kept, kept_bytes, members: inner.all.clone() }
    }

    /// Gives a stream that nobody has another id.
    pub(crate) fn rename(&self, id: Id) {
        self.inner.lock().history.forget(id);
    }

    /// Keeps so much of the stream, in bytes.
    pub(crate) fn keep(&self, bytes: u64) {
        let mut inner = self.inner.lock();
        inner.size = bytes;
        if let Some(backlog) = &mut inner.backlog {
            backlog.resize(bytes);
        }
    }

    /// Drops replicas that are so many bytes behind; zero for none.
    pub(crate) fn limit(&self, bytes: u64) {
        self.limit.store(bytes, Ordering::Relaxed);
    }

    /// Adds requests to the stream.
    pub(crate) fn append(&self, requests: &[u8]) {
        let mut inner = self.inner.lock();
        self.append_to(&mut inner, requests);
    }

    /// As [`Replicas::append`], with what a master has sent; this database is selected afterwards.
    pub fn relay(&self, requests: &[u8], db: u32) {
        let mut inner = self.inner.lock();
        inner.db = db;
        self.append_to(&mut inner, requests);
    }

    fn append_to(&self, inner: &mut Inner, requests: &[u8]) {
        inner.history.advance(requests.len());
        self.offset.store(inner.history.offset(), Ordering::Release);
        let Some(backlog) = &mut inner.backlog else { return };
        let dropped = backlog.append(requests, self.limit.load(Ordering::Relaxed));
        for member in &mut inner.all {
            if std::mem::take(&mut member.waits) {
                member.client.wake();
            }
            if dropped.contains(&member.client.id) {
                member.client.kill();
            }
        }
    }

    /// Takes a connection as that of a replica which has all of stream `id` before byte `next`, counted from one. Gives
    /// the stream's id now if it can go on from there; otherwise nothing is done.
    pub(crate) fn resume(
        &self,
        client: &Arc<Client>,
        replica: &Replica,
        id: Id,
        next: u64,
        now_ms: i64,
    ) -> Option<Id> {
        let mut inner = self.inner.lock();
        let offset = next.checked_sub(1)?;
        let own = inner.history.id();
        if !inner.history.shares(id, next) {
            return None;
        }
        let backlog = inner.backlog.as_mut().filter(|backlog| backlog.has(offset))?;
        backlog.hold(client.id, offset);
        let replica = Replica { stage: Stage::Online, offset, heard_ms: now_ms, ..replica.clone() };
        self.join(&mut inner, client, replica);
        self.counts.partial.fetch_add(1, Ordering::Relaxed);
        Some(own)
    }

    /// Takes a connection as that of a replica which has to be sent all keys.
    pub(crate) fn admit(&self, client: &Arc<Client>, replica: &Replica, now_ms: i64) {
        let replica = Replica { stage: Stage::WaitsForSnapshot, heard_ms: now_ms, ..replica.clone() };
        self.join(&mut self.inner.lock(), client, replica);
        self.counts.full.fetch_add(1, Ordering::Relaxed);
    }

    /// A replica wanted to go on from where it was, and cannot.
    pub(crate) fn refused(&self) {
        self.counts.refused.fetch_add(1, Ordering::Relaxed);
    }

    fn join(&self, inner: &mut Inner, client: &Arc<Client>, replica: Replica) {
        inner.all.push(Member { client: Arc::clone(client), replica, waits: false });
        self.len.store(inner.all.len(), Ordering::Relaxed);
        client.mark(Marks::REPLICA, true);
    }

    /// A replica's connection has ended.
    pub fn leave(&self, client: u64, now_ms: i64) {
        let mut inner = self.inner.lock();
        if let Some(backlog) = &mut inner.backlog {
            backlog.release(client);
        }
        inner.all.retain(|member| member.client.id != client);
        self.len.store(inner.all.len(), Ordering::Relaxed);
        if inner.all.is_empty() {
            inner.alone_since_ms = now_ms;
        }
    }

    /// Ends the connections of all replicas: they come again, and learn of another stream.
    pub(crate) fn dismiss(&self) {
        self.inner.lock().all.iter().for_each(|member| member.client.kill());
    }

    /// Begins another stream in the place of this one, which nobody can go on with. It is further than the former, so that
    /// whoever has all of that is not taken for one that has this.
    fn begin_anew(&self, id: Id) {
        let mut inner = self.inner.lock();
        inner.history.forget(id);
        inner.history.advance(1);
        let (size, offset) = (inner.size, inner.history.offset());
        self.offset.store(offset, Ordering::Release);
        if let Some(backlog) = &mut inner.backlog {
            *backlog = Backlog::new(size, offset);
        }
        // They come again, and are sent all keys.
        inner.all.iter().for_each(|member| member.client.kill());
    }

    /// Begins an own stream, which goes on with that of the master so far; whether there was one.
    pub(crate) fn branch(&self, id: Id, now_ms: i64) -> bool {
        let mut inner = self.inner.lock();
        inner.history.branch(id);
        inner.alone_since_ms = now_ms;
        inner.backlog.is_some()
    }

    /// What is there, and the stream from which it came: another server gave all of it.
    pub(crate) fn adopt(&self, history: History, db: u32) {
        let mut inner = self.inner.lock();
        inner.backlog = Some(Backlog::new(inner.size, history.offset()));
        inner.db = db;
        self.offset.store(history.offset(), Ordering::Release);
        inner.history = history;
    }

    /// The stream goes on under this id; whether that is another one than before. Gives the database that is selected,
    /// too.
    pub(crate) fn resumed(&self, id: Option<Id>) -> (bool, u32) {
        let mut inner = self.inner.lock();
        if inner.backlog.is_none() {
            inner.backlog = Some(Backlog::new(inner.size, inner.history.offset()));
        }
        let changed = id.is_some_and(|id| id != inner.history.id());
        if let Some(id) = id {
            inner.history.rename(id);
        }
        (changed, inner.db)
    }

    /// What is known of a replica.
    pub fn replica(&self, client: u64) -> Option<Replica> {
        let inner = self.inner.lock();
        inner.all.iter().find(|member| member.client.id == client).map(|member| member.replica.clone())
    }

    /// Changes what is known of a replica; whether there is such a one.
    pub fn update(&self, client: u64, change: impl FnOnce(&mut Replica)) -> bool {
        let mut inner = self.inner.lock();
        let member = inner.all.iter_mut().find(|member| member.client.id == client);
        member.map(|member| change(&mut member.replica)).is_some()
    }

    /// The replica that has come from an address is in this process.
    pub fn adopt_own(&self, peer: SocketAddr) {
        let mut inner = self.inner.lock();
        let member = inner.all.iter_mut().find(|member| member.client.peer == peer);
        if let Some(member) = member {
            member.replica.is_own = true;
        }
    }

    /// A replica says how much of the stream it has.
    pub(crate) fn acknowledge(&self, client: &Client, offset: u64, saved: Option<u64>, now_ms: i64) {
        let begins = &mut false;
        self.update(client.id, |replica| {
            replica.saved_offset = replica.saved_offset.max(saved);
            *begins = replica.acknowledge(offset, now_ms);
        });
        if *begins {
            client.wake();
        }
    }

    /// How many replicas follow closely enough to count.
    pub fn good(&self, now_ms: i64, most_lag_s: i64) -> usize {
        let inner = self.inner.lock();
        let end = inner.history.offset();
        inner.all.iter().filter(|member| member.replica.is_good(now_ms, most_lag_s, end)).count()
    }

    /// How many replicas say that they have the stream up to here.
    pub fn having(&self, offset: u64) -> usize {
        let inner = self.inner.lock();
        let has = |replica: &Replica| replica.stage == Stage::Online && replica.offset >= offset;
        inner.all.iter().filter(|member| has(&member.replica)).count()
    }

    /// How many replicas say that their files have the stream up to here.
    pub(crate) fn having_in_files(&self, offset: u64) -> usize {
        let inner = self.inner.lock();
        let has = |replica: &Replica| replica.stage == Stage::Online && replica.saved_offset >= Some(offset);
        inner.all.iter().filter(|member| has(&member.replica)).count()
    }

    /// Asks all replicas how far they have come.
    pub(crate) fn ask(&self) {
        if !self.is_empty() {
            self.append(b"*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n");
        }
    }

    /// What comes next in the stream for a replica that is online is added to `to`: some kilobytes at most. If there is
    /// nothing its connection is woken as soon as there is. Nothing if the replica is not to be served any more.
    pub fn read(&self, client: u64, to: &mut Vec<u8>) -> Option<usize> {
        let mut inner = self.inner.lock();
        let Inner { backlog, all, .. } = &mut *inner;
        let member = all.iter_mut().find(|member| member.client.id == client)?;
        let read = backlog.as_mut()?.read(client, to)?;
        member.waits = read == 0;
        self.counts.output_bytes.fetch_add(read as u64, Ordering::Relaxed);
        Some(read)
    }

    /// How many bytes a replica is behind; nothing if it is not to be served any more.
    pub fn lag_bytes(&self, client: u64) -> Option<u64> {
        self.inner.lock().backlog.as_ref()?.lag(client)
    }
}

impl Node {
    /// Begins a snapshot for these replicas, of those that wait for one; all shards must be held. From here on they are
    /// given the stream once they have loaded it.
    pub fn begin_sync(&self, held: &Locked<'_>, clients: &[u64]) -> Place {
        debug_assert!(held.holds_all());
        if !self.follows() {
            self.write_stream(held, true);
        }
        let mut inner = self.replicas.inner.lock();
        if inner.backlog.is_none() {
            if !self.follows() {
                // What has changed so far is in no stream.
                inner.history.forget(self.new_stream_id());
            }
            inner.backlog = Some(Backlog::new(inner.size, inner.history.offset()));
        }
        let Inner { history, backlog, all, db, .. } = &mut *inner;
        for member in all.iter_mut().filter(|member| clients.contains(&member.client.id)) {
            member.replica.stage = Stage::Loads;
            if !member.replica.wants_snapshot_only {
                backlog.as_mut().expect("it has begun").hold(member.client.id, history.offset());
            }
        }
        Place { id: history.id(), offset: history.offset(), db: *db }
    }

    /// Has what the node's commands change go to its replicas, or not; all shards must be held. A tap that is new tells of
    /// the selected database again: replicas that are new do not know it.
    pub(crate) fn write_stream(&self, held: &Locked<'_>, writes: bool) {
        self.feed.detach(held, Audience::REPLICAS);
        if writes {
            self.feed.attach(held, Audience::REPLICAS, Box::new(Spout(Arc::clone(&self.replicas))));
        }
    }

    /// All keys have been replaced in a way of which the stream does not tell: another one begins. All shards must be held.
    pub(crate) fn begin_stream_anew(&self, held: &Locked<'_>) {
        debug_assert!(held.holds_all() && !self.follows());
        self.replicas.begin_anew(self.new_stream_id());
    }

    /// Keeps no stream any more if there has been no replica for so long; all shards must be held. Gives when to ask
    /// again, in ms since the epoch, if that may be of use.
    pub fn end_stream(&self, held: &Locked<'_>, now_ms: i64, ttl_ms: i64) -> Option<i64> {
        debug_assert!(held.holds_all());
        let mut inner = self.replicas.inner.lock();
        if inner.backlog.is_none() || !inner.all.is_empty() || ttl_ms == 0 || self.follows() {
            return None;
        }
        let until_ms = inner.alone_since_ms + ttl_ms;
        if now_ms < until_ms {
            return Some(until_ms);
        }
        inner.backlog = None;
        // What changes from now on is in no stream, so nobody may take what comes later for its continuation.
        inner.history.forget(self.new_stream_id());
        drop(inner);
        self.write_stream(held, false);
        None
    }

    /// Where the stream is that replicas get, if there is one: what a snapshot that is taken now goes with. All shards must
    /// be held.
    pub(crate) fn place(&self) -> Option<Place> {
        let inner = self.replicas.inner.lock();
        let (id, offset, db) = (inner.history.id(), inner.history.offset(), inner.db);
        inner.backlog.as_ref().map(|_| Place { id, offset, db })
    }

    /// Goes on with a stream in which the keys that have been loaded have this place: a replica with its master's, a master
    /// with its own, which it gives another name. All shards must be held.
    pub(crate) fn take_up(&self, held: &Locked<'_>, place: Place, now_ms: i64) {
        self.replicas.adopt(History::at(place.id, place.offset), place.db);
        if !self.follows() {
            self.replicas.branch(self.new_stream_id(), now_ms);
            self.write_stream(held, true);
            self.host.stream_begun();
        }
    }

    /// Tells replicas that their master is there.
    pub fn ping_replicas(&self) {
        // What is handed over must not grow.
        if !self.follows() && !self.replicas.is_empty() && !self.failover.is_going_on() {
            self.replicas.append(b"*1\r\n$4\r\nPING\r\n");
        }
    }
}
