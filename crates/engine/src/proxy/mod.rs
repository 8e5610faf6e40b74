//! A proxy: one address, behind which several nodes share the hash slots.
//!
//! Its first node is the proxy itself: it has the clients, the channels, the configuration that clients see, and no keys.
//! The next ones are the shards. The last is a bench, on which sets that live in several shards are put together. All of
//! them live in this process, so a request goes to the node that has its keys by a function call, with the session of
//! its client: what the session is in the middle of, a login or a transaction, holds wherever it goes.
//!
//! How a command goes is data ([`routes`]). What concerns several nodes is an errand ([`errand`]): requests that are
//! run one after the other, each under the locks of its own node, so that the whole is not atomic. A transaction is: all
//! its keys, and those that are watched, belong to one slot.
//!
//! When a shard's standby takes its master's place, another proxy with the same front takes the place of this one, whose
//! clients come again: what they were in the midst of belonged to nodes of which one is gone.
//!
//! Deliberately not here: slots that move. A proxy has as many shards as it began with.

mod answer;
mod errand;
mod gather;
mod info;
mod routes;

use crate::error::CommandError;
use crate::execute::{Step, Worker, execute, is_large, mute, perform, prefetch, refuse, subcommand};
use crate::keys::{self, Plan};
use crate::node::Node;
use crate::session::{Session, State};
use crate::table::{Entry, Table, find};
use command::{Flags, Release};
use errand::Errand;
use keyspace::slots::{SLOTS, slot_of};
use resp::{Args, Protocol, Reply};
use routes::{Route, Routes};
use smallvec::SmallVec;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The most shards that a proxy has: cursors have room for no more.
pub const MAX_SHARDS: usize = 255;

/// The number of the proxy's own node.
const FRONT: usize = 0;

/// A proxy; see the module.
#[derive(Debug)]
pub struct Proxy {
    /// The proxy itself, its shards, its bench.
    nodes: Vec<Arc<Node>>,
    /// The number of the node that has a slot.
    slots: Box<[u8]>,
    routes: &'static Routes,
    /// Numbers that tell what is on the bench from each other, and that choices are drawn from.
    drawn: AtomicU64,
    /// Whether another one has taken its place.
    has_ended: AtomicBool,
}

/// What a session keeps that speaks to a proxy, while it is in the middle of something.
#[derive(Debug, Default)]
pub struct Underway {
    /// The slot of the transaction's keys, or of those that are watched.
    slot: Option<u16>,
    /// What has been begun.
    errand: Option<Errand>,
}

/// Parameters of a node that stands by behind a proxy: what it tells of its doings is the master's to tell.
pub const SILENT: [(&str, &str); 3] =
    [("notify-keyspace-events", ""), ("slowlog-log-slower-than", "-1"), ("latency-monitor-threshold", "0")];

/// A command that nodes use among themselves; it has its own name whatever clients call it.
fn own(release: Release, name: &str) -> &'static Entry {
    find(Table::of(release).names(), name.as_bytes()).expect("all releases have it")
}

impl Proxy {
    /// Makes a node the front of a proxy; it does not serve anybody yet.
    pub fn lead(front: &mut Node) {
        let routes = Routes::of(front.release);
        let mut names = (*front.names).clone();
        names.retain(|_, entry| routes.route(entry) != Route::Absent);
        front.names = Arc::new(names);
        front.own_names = Arc::clone(&front.names);
    }

    /// Makes a node one that can be behind a front; it does not serve anybody yet.
    pub fn join(front: &Node, node: &mut Node) {
        node.pubsub = Arc::clone(&front.pubsub);
        node.slowlog = Arc::clone(&front.slowlog);
    }

    /// The proxy of nodes that have been joined: itself, its shards, its bench.
    pub fn new(nodes: Vec<Arc<Node>>) -> Proxy {
        let shards = nodes.len() - 2;
        assert!((1..=MAX_SHARDS).contains(&shards), "a proxy has shards, and cursors room for them");
        // Ends are rounded as `redis-cli --cluster create` rounds them.
        let end = |at: usize| (2 * at * usize::from(SLOTS) + shards) / (2 * shards);
        let mut slots = vec![0; SLOTS.into()].into_boxed_slice();
        for at in 0..shards {
            slots[end(at)..end(at + 1)].fill(at as u8 + 1);
        }
        debug_assert!(slots.iter().all(|&number| number > 0));
        let routes = Routes::of(nodes[FRONT].release);
        Proxy { nodes, slots, routes, drawn: AtomicU64::new(0), has_ended: AtomicBool::new(false) }
    }

    /// The proxy that takes the place of this one when another node takes that of a shard, which is counted from 0.
    pub fn with_shard(&self, shard: usize, node: Arc<Node>) -> Proxy {
        let mut nodes = self.nodes.clone();
        nodes[shard + 1] = node;
        Proxy {
            nodes,
            slots: self.slots.clone(),
            routes: self.routes,
            drawn: AtomicU64::new(self.drawn.load(Ordering::Relaxed)),
            has_ended: AtomicBool::new(false),
        }
    }

    /// Another one takes its place: its clients end, and whoever comes late has to come again.
    pub fn end(&self) {
        self.has_ended.store(true, Ordering::SeqCst);
        self.front().clients.all().iter().for_each(|client| client.kill());
    }

    /// Whether another one has taken its place. Whoever has made itself known to the front before asking is told the truth
    /// or killed.
    pub fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::SeqCst)
    }

    /// A node by its number, as [`Proxy::execute`] gives it.
    #[inline]
    pub fn node(&self, number: usize) -> &Arc<Node> {
        &self.nodes[number]
    }

    /// The proxy's own node.
    pub fn front(&self) -> &Arc<Node> {
        &self.nodes[FRONT]
    }

    /// The nodes that have the keys.
    pub fn shards(&self) -> &[Arc<Node>] {
        &self.nodes[1..self.nodes.len() - 1]
    }

    /// The number of the node that has the keys of a slot.
    #[inline]
    fn owner(&self, slot: u16) -> usize {
        usize::from(self.slots[usize::from(slot)])
    }

    /// The number of the shard that has the keys of a slot, counted from 0.
    pub fn shard_of(&self, slot: u16) -> usize {
        self.owner(slot) - 1
    }

    /// The number of the bench.
    fn bench(&self) -> usize {
        self.nodes.len() - 1
    }

    /// A number unlike those before.
    fn draw(&self) -> u64 {
        // The finishing steps of SplitMix64.
        let mut mixed = self.drawn.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// As [`prefetch`], for requests that go to several nodes.
    pub fn prefetch<'a>(&self, db: u32, requests: impl Iterator<Item = Args<'a>> + Clone) {
        if !self.shards().iter().any(|node| is_large(node)) {
            return;
        }
        // The first argument of nearly all commands is a key; where it is not, a fetch is wasted.
        let owner = |args: Args| args.get(1).map_or(FRONT, |key| self.owner(slot_of(key)));
        let owners: SmallVec<[usize; 32]> = requests.clone().map(owner).collect();
        for (at, &number) in owners.iter().enumerate() {
            if number != FRONT && !owners[..at].contains(&number) {
                let own = requests.clone().zip(&owners).filter(move |(_, owner)| **owner == number);
                prefetch(&self.nodes[number], db, own.map(|(args, _)| args));
            }
        }
    }

    /// Runs a request. Its reply is appended to `reply`. What is to be done is about the node of this number.
    #[inline]
    pub fn execute(
        &self,
        worker: &mut Worker,
        session: &mut Session,
        args: Args,
        reply: &mut Reply,
    ) -> (Step, usize) {
        if session.underway.is_none()
            && session.state.is_empty()
            && let Some(entry) = session.find(&self.nodes[FRONT].names, args.at(0))
            && let Plan::One(index) = entry.plan
            && entry.shape.allows(args.len())
            && self.routes.route(entry) == Route::Slot
        {
            let number = self.owner(slot_of(args.at(index)));
            return (self.perform(number, worker, session, entry, args, reply), number);
        }
        self.direct(worker, session, args, reply)
    }

    /// Runs a request on a node.
    #[inline]
    fn perform(
        &self,
        number: usize,
        worker: &mut Worker,
        session: &mut Session,
        entry: &'static Entry,
        args: Args,
        reply: &mut Reply,
    ) -> Step {
        let node = &self.nodes[number];
        worker.visit(node);
        perform(node, worker, session, entry, args, reply)
    }

    /// As [`Proxy::execute`], for whatever there is.
    fn direct(
        &self,
        worker: &mut Worker,
        session: &mut Session,
        args: Args,
        reply: &mut Reply,
    ) -> (Step, usize) {
        if let Some(underway) = &mut session.underway
            && let Some(errand) = underway.errand.take()
        {
            return self.run(worker, session, errand, reply);
        }
        let front = &self.nodes[FRONT];
        let found = session.find(&front.names, args.at(0));
        let found = found.and_then(|entry| match entry.is(Flags::CONTAINER) && args.len() > 1 {
            // A command that has no such subcommand says so itself.
            true => subcommand(front, entry, args).ok().filter(|entry| !entry.is(Flags::CONTAINER)),
            false => Some(entry),
        });
        let listens = session.state.contains(State::SUBSCRIBED) && session.protocol == Protocol::Resp2;
        let may_not = session.state.intersects(State::UNAUTHENTICATED | State::MONITOR) || listens;
        let Some(entry) = found.filter(|entry| entry.shape.allows(args.len()) && !may_not) else {
            // The proxy's own node knows what is wrong.
            let was = session.state;
            let step = execute(front, worker, session, args, reply);
            self.follow(session, was);
            return (step, FRONT);
        };
        match self.route(session, entry, args) {
            Ok(Way::Node(number)) => {
                let was = session.state;
                let step = self.perform(number, worker, session, entry, args, reply);
                self.follow(session, was);
                (step, number)
            }
            Ok(Way::Errand(errand)) => self.run(worker, session, errand, reply),
            Err(error) => (refuse(front, worker, session, Some(entry), &error, reply), FRONT),
        }
    }

    /// Which way a request goes.
    fn route(&self, session: &mut Session, entry: &'static Entry, args: Args) -> Result<Way, CommandError> {
        let queues = session.state.contains(State::MULTI) && !entry.is(Flags::NOT_QUEUED);
        let route = self.routes.route(entry);
        match route {
            Route::Any => Ok(Way::Node(FRONT)),
            Route::Bound => {
                let slot = session.underway.as_ref().and_then(|underway| underway.slot);
                Ok(Way::Node(slot.map_or(FRONT, |slot| self.owner(slot))))
            }
            Route::Slot | Route::Watch | Route::Split(_) | Route::Gather => {
                self.route_keys(session, entry, args, route, queues)
            }
            _ if queues => Err(CommandError::NotInMulti),
            Route::Front | Route::Absent => Ok(Way::Node(FRONT)),
            Route::Shards(merge) => {
                let shards = 1..self.bench();
                Ok(Way::Errand(Errand::everywhere(shards, entry, args, merge)))
            }
            Route::Nodes(merge) => Ok(Way::Errand(Errand::everywhere(0..self.bench(), entry, args, merge))),
            Route::Bench(merge) => {
                Ok(Way::Errand(Errand::everywhere(0..self.nodes.len(), entry, args, merge)))
            }
            Route::Scan => Ok(Way::Errand(Errand::scan(self.bench(), entry, args))),
            Route::Draw => Ok(Way::Errand(Errand::draw(self, entry, args))),
        }
    }

    /// Which way a request goes that is about keys.
    fn route_keys(
        &self,
        session: &mut Session,
        entry: &'static Entry,
        args: Args,
        route: Route,
        queues: bool,
    ) -> Result<Way, CommandError> {
        let found = keys::routed(entry.record, args);
        let mut slots = found.iter().filter_map(|(at, _)| args.get(*at)).map(slot_of);
        // Without keys it makes no sense, as the proxy's own node will find.
        let Some(first) = slots.next() else { return Ok(Way::Node(FRONT)) };
        let is_one_slot = slots.all(|slot| slot == first);
        let binds = queues || route == Route::Watch;
        if !is_one_slot && !binds && !session.state.contains(State::MULTI) {
            match route {
                Route::Split(merge) if Errand::divides(entry, args) => {
                    return Ok(Way::Errand(Errand::split(self, entry, args, merge)));
                }
                Route::Gather => return Ok(Way::Errand(Errand::gather(self, entry, args, &found))),
                // It does not divide, which the node will find.
                Route::Split(_) => return Ok(Way::Node(FRONT)),
                _ => {}
            }
        }
        if !is_one_slot || entry.plan == Plan::KeysOrAll && keys::has_words(entry.record, args) {
            return Err(CommandError::CrossSlot);
        }
        if binds {
            let bound = &mut session.underway.get_or_insert_default().slot;
            if *bound.get_or_insert(first) != first {
                return Err(CommandError::CrossSlot);
            }
        }
        Ok(Way::Node(self.owner(first)))
    }

    /// Runs an errand, or goes on with it.
    fn run(
        &self,
        worker: &mut Worker,
        session: &mut Session,
        errand: Errand,
        reply: &mut Reply,
    ) -> (Step, usize) {
        let mut errand = errand;
        // What the client does not want is the reply, not the answers that it is made of.
        let muted = session.state & (State::REPLY_OFF | State::REPLY_SKIP | State::REPLY_SKIP_NEXT);
        session.state.remove(muted);
        let stopped = errand.go_on(self, worker, session, reply);
        session.state.insert(muted);
        let before = match stopped {
            Ok(before) => before,
            Err((step, number)) => {
                session.underway.get_or_insert_default().errand = Some(errand);
                return (step, number);
            }
        };
        mute(session, reply, before);
        session.client.gauges.command.store(errand.entry().index + 1, Ordering::Relaxed);
        self.follow(session, session.state);
        (Step::Done, FRONT)
    }

    /// After a request: what a session is no longer in the middle of is forgotten, and who has begun to see all commands
    /// of the proxy's own node, or sees them no more, sees those of its shards likewise.
    fn follow(&self, session: &mut Session, was: State) {
        if session.multi.is_none() && session.watching.is_none() {
            session.underway = None;
        }
        match (was.contains(State::MONITOR), session.state.contains(State::MONITOR)) {
            (false, true) => {
                self.shards().iter().for_each(|node| node.monitors.add(node, &session.client));
            }
            (true, false) => self.leave_monitors(session),
            _ => {}
        }
    }

    fn leave_monitors(&self, session: &Session) {
        self.shards().iter().for_each(|node| node.monitors.remove(node, session.client.id));
    }

    /// Leaves nothing behind: the connection ends.
    ///
    /// # Errors
    /// The number of a node, and of a shard of it that somebody else holds: to be tried again when it is free.
    pub fn leave(&self, session: &mut Session) -> Result<(), (usize, usize)> {
        if session.watching.is_some() {
            let slot = session.underway.as_ref().and_then(|underway| underway.slot);
            let number = slot.map_or(FRONT, |slot| self.owner(slot));
            let node = &self.nodes[number];
            let locked = node.keyspace.lock(session.watched_shards(node));
            session.unwatch(&mut locked.map_err(|shard| (number, shard))?);
        }
        if session.state.contains(State::MONITOR) {
            self.leave_monitors(session);
        }
        session.leave(&self.nodes[FRONT]).map_err(|shard| (FRONT, shard))
    }
}

/// Which way a request goes.
enum Way {
    /// To this node.
    Node(usize),
    /// To several.
    Errand(Errand),
}
