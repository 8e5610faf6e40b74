//! Running a request.
//!
//! The path of a command: it is looked up and its arity checked; if anything out of the ordinary is going on
//! ([`Gates`], [`State`]) it is checked whether the command may run now; the shards of its keys are taken; the handler
//! runs; what it brought about is settled while the shards are still held; statistics are kept.

use crate::blocking::{self, Waiter};
use crate::clients::Client;
use crate::cluster;
#[cfg(doc)]
use crate::commands;
use crate::context::Cx;
use crate::error::CommandError;
use crate::feed::Pending;
use crate::keys::{self, Plan};
use crate::latency;
use crate::migration::Parcel;
use crate::monitors::shown;
use crate::node::{Gates, Node};
use crate::pubsub::Own;
use crate::session::{Multi, Queued, Session, State};
use crate::stats::WorkerStats;
use crate::table::Entry;
use command::{Flags, Release};
use keyspace::effects::Garbage;
use keyspace::{Class, Effects, Event, Happening, Key, Locked, Moment, ShardSet};
use resp::{Args, Protocol, Reply};
use smallvec::SmallVec;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use structures::ticks;

/// What a connection is to do after a request.
#[derive(Debug)]
pub enum Step {
    /// Go on with the next one.
    Done,
    /// Send what there is and end.
    Close,
    /// Wait until this shard may be free, then try the request again.
    Contended(usize),
    /// Run the request again where no other connection waits for the thread.
    Offload,
    /// The client is a replica, which gets the stream of changes from now on.
    Replicate,
    /// Wait until the command is served or its time is up.
    Blocked(Arc<Waiter>),
    /// Send keys to another server; [`crate::migration::finish`] writes the reply.
    Migrate(Box<Parcel>),
    /// Wait until keys have landed that are on their way to another server, then try the request again.
    InFlight,
    /// Wait until the pause is over, at this time in ms since the epoch at the latest; then try the request again.
    Paused(i64),
}

/// What a thread that runs commands keeps from one to the next.
#[derive(Default)]
pub struct Worker {
    /// The thread's number, by which it counts.
    pub id: usize,
    pub(crate) effects: Effects,
    pub(crate) pending: Pending,
    now_ms: i64,
    /// When the last command ended, in ticks.
    ticks: u64,
    /// The shard from which a key was evicted last.
    shard: usize,
    /// Ticks from which on it may have to be recorded that a command took as long.
    notable_ticks: u64,
    /// Whether the durations of all commands are recorded.
    tracks: bool,
    /// Whether the command that is about to run is to be shown to monitors.
    shows: bool,
}

impl Worker {
    /// The worker of a thread.
    pub fn new(id: usize) -> Self {
        Worker { id, ..Worker::default() }
    }

    /// Reads the clocks, before a batch of requests.
    #[inline]
    pub fn begin(&mut self, node: &Node) {
        self.now_ms = node.host.wall_us().div_euclid(1000);
        self.notable_ticks = node.notable_ticks();
        node.stats.worker(self.id).begin(self.now_ms);
        self.tracks = node.settings.latency_tracking.load(Ordering::Relaxed);
        self.ticks = ticks::now();
    }

    /// Before a request that runs on another node than the one that the batch has begun with.
    #[inline]
    pub(crate) fn visit(&self, node: &Node) {
        node.stats.worker(self.id).begin(self.now_ms);
    }

    /// Before a command, or what is done without one, when its shards are held: finds out whether it is repeated
    /// elsewhere, which stays so until it has been settled.
    #[inline]
    pub(crate) fn begin_command(&mut self, node: &Node) {
        self.effects.keep_gone = node.feed.is_wanted();
    }

    /// After a command that is repeated elsewhere if it has changed something.
    #[cold]
    pub(crate) fn end_command(&mut self, node: &Node, db: u32, args: Args) {
        let Effects { gone, dirty, .. } = &mut self.effects;
        self.pending.end_command(node.release, gone, *dirty > 0, db, args.iter());
    }

    /// Has others repeat what has been brought about, by a command or without one.
    #[cold]
    pub(crate) fn feed(&mut self, node: &Node, is_command: bool) {
        node.feed.add(node.release, &mut self.effects, &mut self.pending, is_command);
    }

    /// The moment at which commands of a session run now.
    #[inline]
    pub(crate) fn moment(&self, node: &Node, session: &Session) -> Moment {
        let touch = !session.state.contains(State::NO_TOUCH);
        let revive = session.state.contains(State::MASTER);
        let expire = !node.follows() && !session.state.contains(State::REPLAYING);
        Moment { touch, revive, expire, ..Moment::at(self.now_ms) }
    }
}

/// Runs a request, or finds out what must happen before it can run. Its reply is appended to `reply`.
#[inline]
pub fn execute(
    node: &Node,
    worker: &mut Worker,
    session: &mut Session,
    args: Args,
    reply: &mut Reply,
) -> Step {
    let found = session.find(&node.names, args.at(0));
    let Some(entry) = found.or_else(|| find_own(node, session, args)) else {
        let error = CommandError::unknown_command(node.release, args.at(0), args.iter_from(1));
        return refuse(node, worker, session, None, &error, reply);
    };
    let entry = if entry.is(Flags::CONTAINER) && args.len() > 1 {
        match subcommand(node, entry, args) {
            Ok(own) if node.withholds(entry, own) && !session.is_own => {
                let error = CommandError::unknown_subcommand(node.release, entry.record, args.at(1));
                return refuse(node, worker, session, Some(entry), &error, reply);
            }
            Ok(entry) => entry,
            Err(error) => return refuse(node, worker, session, Some(entry), &error, reply),
        }
    } else {
        entry
    };
    perform(node, worker, session, entry, args, reply)
}

/// A command that only clients of the node's own process know, if this is one.
#[cold]
fn find_own(node: &Node, session: &mut Session, args: Args) -> Option<&'static Entry> {
    if session.is_own { session.find(&node.own_names, args.at(0)) } else { None }
}

/// As [`execute`], for a request whose command is known.
#[inline]
pub(crate) fn perform(
    node: &Node,
    worker: &mut Worker,
    session: &mut Session,
    entry: &'static Entry,
    args: Args,
    reply: &mut Reply,
) -> Step {
    session.client.gauges.command.store(entry.index + 1, Ordering::Relaxed);
    if !entry.shape.allows(args.len()) {
        let error = CommandError::Arity(entry.full_name.clone());
        return refuse(node, worker, session, Some(entry), &error, reply);
    }
    if !is_usual(node, session) {
        match check(node, worker, session, entry, args, reply) {
            Ok(None) => {}
            Ok(Some(step)) => return step,
            Err(error) => return refuse(node, worker, session, Some(entry), &error, reply),
        }
    }
    run(node, worker, session, entry, args, reply)
}

/// Whether commands run without further checks. That memory is limited is usual, as long as there is enough of it.
#[inline]
fn is_usual(node: &Node, session: &Session) -> bool {
    let gates = node.gates();
    session.state.is_empty() && (gates.is_empty() || gates == Gates::MAXMEMORY && has_room(node))
}

/// Whether no more memory is in use than may be.
#[inline]
fn has_room(node: &Node) -> bool {
    let limit = node.settings.maxmemory.load(Ordering::Relaxed);
    limit == 0 || node.used_bytes() as u64 <= limit
}

/// While keys are loaded, none expires; then it is looked again, in ms.
const LOADING_MS: i64 = 100;
/// From this many bytes of keys on they are not in the processor's caches anyway.
const PREFETCH_FROM_BYTES: usize = 1 << 20;

/// Whether a node has so many keys that [`prefetch`] does something.
#[inline]
pub(crate) fn is_large(node: &Node) -> bool {
    node.keyspace.used_bytes() >= PREFETCH_FROM_BYTES
}

/// Has the processor fetch what requests that are about to run will need: first all buckets, then all entries; and what
/// is inside of a collection, where all of them are about the same.
pub fn prefetch<'a>(node: &Node, db: u32, requests: impl Iterator<Item = Args<'a>> + Clone) {
    if !is_large(node) {
        return;
    }
    let mut keys: SmallVec<[Key; 32]> = SmallVec::new();
    let mut repeated = false;
    // The first argument of nearly all commands is a key; where it is not, a fetch is wasted.
    for bytes in requests.clone().filter_map(|args| args.get(1)) {
        if keys.last().is_some_and(|last| last.bytes == bytes) {
            repeated = true;
            continue;
        }
        keys.push(node.keyspace.key(bytes));
    }
    node.keyspace.prefetch(db, &keys);
    if let [key] = &keys[..]
        && repeated
    {
        let argument = |at: usize| requests.clone().filter_map(move |args| args.get(at));
        node.keyspace.prefetch_members(db, key, argument(2), argument(3));
    }
}

/// The subcommand that a request names. Before 7.0 there was no talk of subcommands: where there is none of the name, or not
/// with so many arguments, it is the command itself that runs and says so ([`commands::no_subcommand`]).
pub(crate) fn subcommand(
    node: &Node,
    container: &'static Entry,
    args: Args,
) -> Result<&'static Entry, CommandError> {
    let name = args.at(1);
    match container.subcommand(name) {
        Some(entry) if node.release >= Release::V7_0 || entry.shape.allows(args.len()) => Ok(entry),
        _ if node.release < Release::V7_0 => Ok(container),
        _ => Err(CommandError::unknown_subcommand(node.release, container.record, name)),
    }
}

/// Answers a request that is not run.
#[cold]
pub(crate) fn refuse(
    node: &Node,
    worker: &mut Worker,
    session: &mut Session,
    entry: Option<&'static Entry>,
    error: &CommandError,
    reply: &mut Reply,
) -> Step {
    if let Some(multi) = &mut session.multi {
        multi.aborted = true;
    }
    let stats = node.stats.worker(worker.id);
    if let Some(entry) = entry {
        stats.command(entry.index).rejected.add(1);
    }
    let before = reply.len();
    write_error(stats, error, reply);
    mute(session, reply, before);
    Step::Done
}

/// Writes an error reply, and counts it.
pub(crate) fn write_error(stats: &WorkerStats, error: &CommandError, reply: &mut Reply) {
    let text = error.to_wire();
    stats.error(&text);
    reply.error(text);
}

/// Whether a command may run now, where not everything is as usual. Gives the step if that is all there is to do.
#[cold]
fn check(
    node: &Node,
    worker: &mut Worker,
    session: &mut Session,
    entry: &'static Entry,
    args: Args,
    reply: &mut Reply,
) -> Result<Option<Step>, CommandError> {
    if session.state.contains(State::SUBSCRIBED) {
        session.forget_lost_channels();
    }
    let (state, gates) = (session.state, node.gates());
    if state.contains(State::REPLAYING) {
        return Ok(queue(session, entry, args, reply).then_some(Step::Done));
    }
    if state.contains(State::UNAUTHENTICATED) && !entry.is(Flags::NO_AUTH) {
        return Err(CommandError::NoAuth);
    }
    if state.contains(State::SUBSCRIBED)
        && session.protocol == Protocol::Resp2
        && !entry.is(Flags::SUBSCRIBED)
    {
        // Whoever is at the wrong node is told so first.
        if let Some(member) = membership(node, session) {
            let moment = worker.moment(node, session);
            if let Some(step) = cluster::admit_queued(node, member, session, entry, args, moment)? {
                return Ok(Some(step));
            }
        }
        let name = entry.full_name.clone();
        let error = match node.release {
            Release::V7_0 | Release::V7_4 => CommandError::Subscribed7(name),
            Release::V6_2 => CommandError::Subscribed6(name),
            _ => CommandError::Subscribed5,
        };
        // There is no transaction: it would have been ended before anything was subscribed to.
        let is_exec = entry.is(Flags::RUNS_QUEUE) && node.release >= Release::V6_2;
        return Err(if is_exec { error.of_exec() } else { error });
    }
    if gates.contains(Gates::MAXMEMORY) && !leaves_memory(node) {
        match make_room(node, worker, state.contains(State::OFFLOADED)) {
            Room::Enough => {}
            Room::Later => return Ok(Some(Step::Offload)),
            Room::Contended(shard) => return Ok(Some(Step::Contended(shard))),
            Room::Short => refuse_if_short(node.release, session, entry)?,
        }
    }
    if state.contains(State::MONITOR) && entry.shape.flags.intersects(Flags::WRITE | Flags::READONLY) {
        return Err(CommandError::Monitoring);
    }
    if gates.contains(Gates::UNSAVED)
        && !node.follows()
        && (entry.is(Flags::NEEDS_DISK) || writes(session, entry))
    {
        let is_late = node.release >= Release::V7_0;
        let error = if is_late { CommandError::Unsaved7 } else { CommandError::Unsaved6 };
        refuse_alike(node.release, session, entry, error)?;
    }
    if gates.intersects(Gates::FOLLOWS | Gates::REPLICAS) && !state.contains(State::MASTER) {
        check_role(node, worker, session, entry)?;
    }
    if gates.contains(Gates::APPEND_FAILS) && (entry.is(Flags::NEEDS_DISK) || writes(session, entry)) {
        let error = CommandError::AppendFails(node.append_file.failure().unwrap_or_default().into());
        refuse_alike(node.release, session, entry, error)?;
    }
    if gates.contains(Gates::LOADING)
        && !(entry.is(Flags::LOADING) && all_queued(session, entry, Flags::LOADING))
    {
        refuse_alike(node.release, session, entry, CommandError::Loading)?;
    }
    let queues = state.contains(State::MULTI) && !entry.is(Flags::NOT_QUEUED);
    // What has been handed to another thread has begun already.
    let is_never_paused = State::OFFLOADED | State::MASTER | State::REPLICA;
    if gates.contains(Gates::PAUSED) && !state.intersects(is_never_paused) {
        let writes = match &session.multi {
            Some(multi) if !queues => multi.queue.iter().any(|queued| may_write(queued.entry)),
            _ => may_write(entry),
        };
        if let Some(until_ms) = node.pause.holds_until(node, writes, worker.now_ms) {
            if node.pause.hangs() {
                node.host.suspected();
            }
            return Ok(Some(Step::Paused(until_ms)));
        }
    }
    if queues {
        if entry.is(Flags::NO_MULTI) {
            return Err(CommandError::NotInMulti);
        }
        if let Some(member) = membership(node, session) {
            let moment = worker.moment(node, session);
            if let Some(step) = cluster::admit_queued(node, member, session, entry, args, moment)? {
                return Ok(Some(step));
            }
        }
        if queue(session, entry, args, reply) {
            return Ok(Some(Step::Done));
        }
    }
    worker.shows = gates.contains(Gates::MONITORS) && is_shown(entry);
    Ok(None)
}

/// The cluster that says which keys are here, if the node is one of a cluster and it is neither a master nor a file that
/// speaks.
#[inline]
fn membership<'n>(node: &'n Node, session: &Session) -> Option<&'n cluster::Member> {
    node.member.as_deref().filter(|_| !session.state.intersects(State::MASTER | State::REPLAYING))
}

/// Whether it is left to a master to evict keys.
fn leaves_memory(node: &Node) -> bool {
    node.follows() && node.settings.replica_ignores_maxmemory.load(Ordering::Relaxed)
}

/// Queues a command if there is a transaction that it belongs to; whether there is.
fn queue(session: &mut Session, entry: &'static Entry, args: Args, reply: &mut Reply) -> bool {
    let Some(multi) = session.multi.as_mut().filter(|_| !entry.is(Flags::NOT_QUEUED)) else { return false };
    let before = reply.len();
    let args = args.to_owned();
    let gauges = &session.client.gauges;
    gauges.queued_bytes.fetch_add(args.heap_bytes(), Ordering::Relaxed);
    gauges.queued.fetch_add(1, Ordering::Relaxed);
    multi.queue.push(Queued { entry, args });
    reply.status("QUEUED");
    mute(session, reply, before);
    true
}

/// Whether a command writes: a transaction does if one of its commands does.
fn writes(session: &Session, entry: &Entry) -> bool {
    let queued = |multi: &Multi| multi.queue.iter().any(|queued| queued.entry.is(Flags::WRITE));
    entry.is(Flags::WRITE) || entry.is(Flags::RUNS_QUEUE) && session.multi.as_deref().is_some_and(queued)
}

/// Whether all commands of a transaction that is about to run have these flags.
fn all_queued(session: &Session, entry: &Entry, flags: Flags) -> bool {
    let queued = |multi: &Multi| multi.queue.iter().all(|queued| queued.entry.is(flags));
    !entry.is(Flags::RUNS_QUEUE) || session.multi.as_deref().is_none_or(queued)
}

/// Whether a command may run on a node that follows a master, or needs replicas.
fn check_role(
    node: &Node,
    worker: &Worker,
    session: &mut Session,
    entry: &Entry,
) -> Result<(), CommandError> {
    let (writes, is_old) = (writes(session, entry), node.release < Release::V5_0);
    let refuse = |session: &mut Session, error| refuse_alike(node.release, session, entry, error);
    if !node.follows() {
        let needs = node.settings.needs_replicas().filter(|_| writes);
        let lacks = needs.is_some_and(|(least, lag_s)| node.replicas.good(worker.now_ms, lag_s) < least);
        return match lacks {
            false => Ok(()),
            true if is_old => refuse(session, CommandError::TooFewReplicas4),
            true => refuse(session, CommandError::TooFewReplicas),
        };
    }
    // Whoever writes a key is sent to the node that serves it, where its shards are held.
    let is_sent_on = node.member.is_some() && (!entry.record.keys.is_empty() || entry.is(Flags::RUNS_QUEUE));
    if writes && !is_sent_on && node.settings.replica_is_read_only.load(Ordering::Relaxed) {
        return refuse(
            session,
            match entry.is(Flags::RUNS_QUEUE) && node.release < Release::V6_2 {
                true if is_old => CommandError::ReadOnlyExec4,
                true => CommandError::ReadOnlyExec,
                false if is_old => CommandError::ReadOnly4,
                false => CommandError::ReadOnly,
            },
        );
    }
    let is_stale = !node.master.is_up() && !node.settings.serves_stale.load(Ordering::Relaxed);
    if is_stale && !(entry.is(Flags::STALE) && all_queued(session, entry, Flags::STALE)) {
        let error = if is_old { CommandError::MasterDown4 } else { CommandError::MasterDown };
        return refuse(session, error);
    }
    Ok(())
}

/// Refuses a command for what the node is, or has trouble with. A transaction that is to run ends by that, and says why;
/// before 6.2 only where it would write to a replica.
fn refuse_alike(
    release: Release,
    session: &mut Session,
    entry: &Entry,
    error: CommandError,
) -> Result<(), CommandError> {
    let ends = release >= Release::V6_2 || error.is_of_exec();
    match session.multi.as_mut().filter(|_| ends && entry.is(Flags::RUNS_QUEUE)) {
        Some(multi) => {
            multi.refused.get_or_insert(error);
            Ok(())
        }
        None => Err(error),
    }
}

/// Whether monitors are shown a command.
fn is_shown(entry: &Entry) -> bool {
    let skips = entry.is(Flags::SKIP_MONITOR) && !entry.is(Flags::RUNS_QUEUE);
    !skips && !entry.is(Flags::ADMIN)
}

/// Whether monitors are shown a command before it is run, as by releases before 6.2, or afterwards.
fn is_shown_before(node: &Node, entry: &Entry) -> bool {
    node.release < Release::V6_2 && !entry.is(Flags::RUNS_QUEUE)
}

/// Shows a command to the monitors.
#[cold]
fn show(node: &Node, session: &Session, entry: &'static Entry, args: Args) {
    let args = shown(node.release, entry, args);
    node.monitors.show(&session.client, session.db, args, node.host.wall_us());
}

/// Whether a pause of writes holds a command back.
fn may_write(entry: &Entry) -> bool {
    entry.shape.flags.intersects(Flags::WRITE | Flags::MAY_REPLICATE)
}

/// Takes back a reply that the client does not want.
#[inline]
pub(crate) fn mute(session: &mut Session, reply: &mut Reply, before: usize) {
    if session.state.intersects(State::REPLY_OFF | State::REPLY_SKIP | State::REPLY_SKIP_NEXT) {
        mute_now(session, reply, before);
    }
}

#[cold]
fn mute_now(session: &mut Session, reply: &mut Reply, before: usize) {
    if session.state.intersects(State::REPLY_OFF | State::REPLY_SKIP) {
        reply.truncate(before);
    }
    let skip_next = session.state.contains(State::REPLY_SKIP_NEXT);
    session.state.remove(State::REPLY_SKIP_NEXT);
    session.state.set(State::REPLY_SKIP, skip_next);
}

/// Whether there is room for more.
enum Room {
    /// There is.
    Enough,
    /// There is not, and nothing may go.
    Short,
    /// There may be once this shard, which somebody else holds, is free.
    Contended(usize),
    /// There will be, but it takes too long while others wait.
    Later,
}

/// Most keys that are evicted while other connections wait for the thread.
const EVICTIONS: usize = 500;

/// Evicts keys until memory suffices, if it does not.
fn make_room(node: &Node, worker: &mut Worker, offloaded: bool) -> Room {
    if has_room(node) {
        Room::Enough
    } else if node.settings.evicts.load(Ordering::Relaxed) {
        evict(node, worker, if offloaded { usize::MAX } else { EVICTIONS })
    } else {
        Room::Short
    }
}

#[cold]
fn evict(node: &Node, worker: &mut Worker, most: usize) -> Room {
    let began = ticks::now();
    let moment = Moment::at(worker.now_ms);
    let shards = node.keyspace.shards();
    let (mut barren, mut contended, mut count) = (0, None, 0);
    // Twice around: first only those shards give that have more than their share, so that all stay alike, and what
    // goes is about the worst of all keys.
    while !has_room(node) && barren < 2 * shards && count < most {
        let share = if barren < shards { node.keyspace.used_bytes() / shards } else { 0 };
        worker.shard = (worker.shard + 1) % shards;
        let mut set = ShardSet::NONE;
        set.insert(worker.shard);
        let evicted = match node.keyspace.lock(set) {
            Ok(mut locked) => {
                if leaves_memory(node) {
                    return Room::Enough;
                }
                worker.begin_command(node);
                let began = ticks::now();
                let effects = &mut worker.effects;
                let evicted = locked
                    .iter_mut()
                    .any(|shard| shard.used_bytes() >= share && shard.evict(effects, moment.now_ms));
                drop(settle(node, locked, worker, moment, None));
                record_since(node, latency::Event::EvictionDel, began);
                evicted
            }
            Err(shard) => {
                contended = Some(shard);
                false
            }
        };
        barren = if evicted { 0 } else { barren + 1 };
        count += usize::from(evicted);
    }
    count_effects(node.stats.worker(worker.id), &mut worker.effects);
    record_since(node, latency::Event::EvictionCycle, began);
    match contended {
        _ if has_room(node) => Room::Enough,
        _ if count == most => Room::Later,
        Some(shard) => Room::Contended(shard),
        None => Room::Short,
    }
}

/// Refuses a command that may need memory while it is short. In a transaction all are refused that would be queued, and
/// the transaction itself if it has such a command.
#[cold]
fn refuse_if_short(release: Release, session: &mut Session, entry: &Entry) -> Result<(), CommandError> {
    let error = CommandError::OutOfMemory;
    let queues = session.state.contains(State::MULTI) && !entry.is(Flags::NOT_QUEUED);
    if entry.is(Flags::DENYOOM) || queues && release >= Release::V5_0 {
        return Err(error);
    }
    if let Some(multi) = &mut session.multi
        && entry.is(Flags::RUNS_QUEUE)
        && release >= Release::V6_2
        && multi.queue.iter().any(|queued| queued.entry.is(Flags::DENYOOM))
    {
        multi.refused = Some(error);
    }
    Ok(())
}

/// Takes the shards of a command's keys and runs it.
#[inline]
fn run(
    node: &Node,
    worker: &mut Worker,
    session: &mut Session,
    entry: &'static Entry,
    args: Args,
    reply: &mut Reply,
) -> Step {
    let (set, known) = match entry.plan {
        Plan::One(index) => {
            let key = node.keyspace.key(args.at(index));
            (node.keyspace.set_of(&key), Some(key))
        }
        _ => (keys::shards(node, session, entry, args), None),
    };
    let mut locked = match node.keyspace.lock(set) {
        Ok(locked) => locked,
        Err(shard) => return Step::Contended(shard),
    };
    if locked.iter().any(|shard| shard.has_far_waiters()) && !locked.holds_all() {
        // Whoever waits for one of these keys needs others too, to be served before they are let go.
        drop(locked);
        locked = match node.keyspace.lock(node.keyspace.all()) {
            Ok(locked) => locked,
            Err(shard) => return Step::Contended(shard),
        };
    }
    let mut asks = false;
    if let Some(member) = membership(node, session) {
        let moment = worker.moment(node, session);
        if let Err(error) = cluster::admit(node, member, session, entry, args, &locked, moment) {
            if entry.is(Flags::RUNS_QUEUE) {
                session.set_multi(None);
                session.unwatch(&mut locked);
            }
            session
                .state
                .set(State::ASKING, session.state.contains(State::ASKING) && session.multi.is_some());
            return refuse(node, worker, session, Some(entry), &error, reply);
        }
        // It holds for one command, which may be a transaction.
        asks = session.state.contains(State::ASKING);
        session.state.remove(State::ASKING);
    }
    let gates = node.gates();
    if gates.contains(Gates::RETIRED) {
        return Step::Close;
    }
    if gates.contains(Gates::IN_FLIGHT)
        && !session.state.contains(State::MASTER)
        && node.flights.hold(node, session, entry, args)
    {
        session.state.set(State::ASKING, asks);
        return Step::InFlight;
    }
    // What has been begun elsewhere has been shown here.
    let shown_before = worker.shows && is_shown_before(node, entry);
    if shown_before && !session.state.contains(State::OFFLOADED) {
        show(node, session, entry, args);
    }
    let before = reply.len();
    let moment = worker.moment(node, session);
    let is_masters = session.state.contains(State::MASTER);
    if is_masters && session.client.is_killed() {
        // Another master is followed now, or none.
        return Step::Close;
    }
    // It may have begun to follow a master since it was looked whether the command may run.
    if !moment.expire
        && !is_masters
        && let Err(error) = check_role(node, worker, session, entry)
    {
        drop(locked);
        return refuse(node, worker, session, Some(entry), &error, reply);
    }
    worker.begin_command(node);
    let mut cx = Cx::new(node, session, locked, worker, moment, entry);
    cx.may_wait = !is_masters;
    if let Some(key) = known {
        cx.know(key);
    }
    let result = (entry.record.handler)(&mut cx, args, reply);
    let Cx { mut locked, wait, after, parcel, .. } = cx;
    if asks && (session.multi.is_some() || matches!(result, Err(CommandError::Offload))) {
        session.state.insert(State::ASKING);
    }
    if matches!(result, Err(CommandError::Offload)) {
        reply.truncate(before);
        // It will look at its keys again, and then it counts. What has gone meanwhile, has gone.
        (worker.effects.hits, worker.effects.misses) = (0, 0);
        drop(settle(node, locked, worker, moment, None));
        return Step::Offload;
    }
    if worker.shows {
        worker.shows = false;
        if !shown_before {
            show(node, session, entry, args);
        }
    }
    let waiter = wait.map(|(wait, own)| {
        let args = own.unwrap_or_else(|| args.to_owned());
        blocking::wait(node, session, &mut locked, entry, args, wait)
    });
    let failed = result.is_err();
    if let Err(error) = result {
        reply.truncate(before);
        write_error(node.stats.worker(worker.id), &error, reply);
    }
    if worker.effects.keep_gone {
        worker.end_command(node, session.db, args);
    }
    if is_masters {
        pass_on(node, session);
    }
    // Who is served by a master's command is no master.
    let moment = Moment { revive: false, ..moment };
    let is_fed = worker.effects.keep_gone;
    drop(settle(node, locked, worker, moment, Some((session.client.id, before, reply))));
    // What a command that waits has written is known when it is served.
    if is_fed && waiter.is_none() {
        session.wrote(node);
    }
    let mut failed = failed;
    if let Some(after) = after
        && let Err(error) = after(node)
    {
        failed = true;
        session.state.remove(State::CLOSING);
        reply.truncate(before);
        write_error(node.stats.worker(worker.id), &error, reply);
    }
    let took = count(node, worker, entry, failed);
    if let Some(parcel) = parcel {
        return Step::Migrate(parcel);
    }
    // What waits has not finished yet.
    if took >= worker.notable_ticks && waiter.is_none() {
        record(node, &session.client, entry, args, took);
    }
    session.client.gauges.active_ms.store(moment.now_ms, Ordering::Relaxed);
    if session.protocol != reply.protocol() {
        reply.set_protocol(session.protocol);
    }
    mute(session, reply, before);
    if session.state.intersects(State::CLOSING | State::REPLICA) {
        let closes = session.state.contains(State::CLOSING);
        return if closes { Step::Close } else { Step::Replicate };
    }
    match waiter {
        // A slot may have gone elsewhere just before there was anybody to tell.
        Some(waiter) => {
            if let Some(member) = &node.member {
                waiter.give_up_lost(|key, local| member.lost(keyspace::slots::slot_of(key), local));
            }
            Step::Blocked(waiter)
        }
        None => Step::Done,
    }
}

/// Passes on to replicas what a master has sent, now that it has been done; a transaction when all of it has been. The
/// shards of what it has changed are still held: a snapshot for replicas has either both or neither.
#[cold]
pub fn pass_on(node: &Node, session: &mut Session) {
    if session.multi.is_none() && !session.upstream.is_empty() {
        node.replicas.relay(&session.upstream, session.db);
        session.upstream.clear();
    }
}

/// Runs a queued command while the shards of its keys are held. Its reply is written, whatever it is.
pub(crate) fn run_queued(cx: &mut Cx, queued: &Queued, reply: &mut Reply) {
    let args = queued.args.as_args();
    let (node, entry) = (cx.node, queued.entry);
    let shows = node.gates().contains(Gates::MONITORS) && is_shown(entry);
    if shows && is_shown_before(node, entry) {
        show(node, cx.session, entry, args);
    }
    let before = reply.len();
    let outer = std::mem::replace(&mut cx.entry, entry);
    // What follows as soon as it can is done at once: nobody else waits longer for it.
    let offloaded = cx.session.state.contains(State::OFFLOADED);
    cx.session.state.insert(State::OFFLOADED);
    if cx.is_repeated() {
        let may_change = !entry.shape.flags.intersects(Flags::READONLY | Flags::ADMIN);
        cx.worker.pending.begin_queued(node.release, cx.session.db, may_change);
    }
    let result = (entry.record.handler)(cx, args, reply);
    cx.session.state.set(State::OFFLOADED, offloaded);
    cx.entry = outer;
    if shows && !is_shown_before(node, entry) {
        show(node, cx.session, entry, args);
    }
    if cx.session.protocol != reply.protocol() {
        reply.set_protocol(cx.session.protocol);
    }
    let failed = result.is_err();
    if let Err(error) = result {
        reply.truncate(before);
        write_error(node.stats.worker(cx.worker.id), &error, reply);
    }
    if cx.is_repeated() {
        cx.worker.end_command(node, cx.session.db, args);
    }
    let took = count(node, cx.worker, entry, failed);
    if took >= cx.worker.notable_ticks {
        record(node, &cx.session.client, entry, args, took);
    }
}

/// Keeps statistics of a command that has run. Gives how long it took, in ticks.
#[inline]
fn count(node: &Node, worker: &mut Worker, entry: &'static Entry, failed: bool) -> u64 {
    let now = ticks::now();
    let took = now.saturating_sub(worker.ticks);
    worker.ticks = now;
    let stats = node.stats.worker(worker.id);
    let command = stats.command(entry.index);
    command.calls.add(1);
    command.ticks.add(took);
    if worker.tracks {
        command.took.add(took);
    }
    stats.commands.add(1);
    if failed {
        command.failed.add(1);
    }
    if worker.effects.dirty != 0 && node.saving.sleeps() {
        count_effects(stats, &mut worker.effects);
        node.notice_change();
    }
    count_effects(stats, &mut worker.effects);
    took
}

/// Records how long something took that began at some number of ticks, if it is long enough.
fn record_since(node: &Node, event: latency::Event, began: u64) {
    if node.settings.latency_ms.load(Ordering::Relaxed) > 0 {
        node.record_latency(event, node.ticks_to_us(ticks::now().saturating_sub(began)));
    }
}

/// Records that a command took long, if it is long enough.
#[cold]
pub(crate) fn record(node: &Node, client: &Client, entry: &'static Entry, args: Args, took: u64) {
    let took_us = node.ticks_to_us(took);
    let slow_us = node.settings.slowlog_us.load(Ordering::Relaxed);
    if slow_us >= 0 && took_us >= slow_us && !entry.is(Flags::SKIP_SLOWLOG) {
        let at_s = node.now_s();
        let most = node.settings.slowlog_len.load(Ordering::Relaxed);
        node.slowlog.add(client, shown(node.release, entry, args), at_s, took_us, most);
    }
    let fast = entry.is(Flags::FAST);
    node.record_latency(if fast { latency::Event::FastCommand } else { latency::Event::Command }, took_us);
}

/// Keeps statistics of what commands, or nobody, have brought about.
#[inline]
fn count_effects(stats: &WorkerStats, effects: &mut Effects) {
    let all = effects.hits | effects.misses | effects.dirty | effects.expired | effects.evicted;
    if all | effects.expired_fields != 0 {
        stats.hits.add(std::mem::take(&mut effects.hits));
        stats.misses.add(std::mem::take(&mut effects.misses));
        stats.dirty.add(std::mem::take(&mut effects.dirty));
        stats.expired.add(std::mem::take(&mut effects.expired));
        stats.evicted.add(std::mem::take(&mut effects.evicted));
        stats.expired_fields.add(std::mem::take(&mut effects.expired_fields));
    }
}

/// Lets keys of one shard expire whose time has come, looking at no more than `most`. Gives when to do so again, if
/// ever: now, if there is more to do.
///
/// # Errors
/// The shard's number, if somebody else holds it.
pub fn expire_due(
    node: &Node,
    worker: &mut Worker,
    shard: usize,
    now_ms: i64,
    most: usize,
) -> Result<Option<i64>, usize> {
    if node.gates().contains(Gates::LOADING) {
        // What is being loaded may say that a key does not expire after all.
        return Ok(Some(now_ms + LOADING_MS));
    }
    let mut set = ShardSet::NONE;
    set.insert(shard);
    let mut locked = node.keyspace.lock(set)?;
    if node.follows() {
        // The master says what goes.
        return Ok(None);
    }
    worker.begin_command(node);
    let began = ticks::now();
    let effects = &mut worker.effects;
    let next_ms = locked.iter_mut().find_map(|shard| shard.expire_due(effects, now_ms, most));
    drop(settle(node, locked, worker, Moment::at(now_ms), None));
    count_effects(node.stats.worker(worker.id), &mut worker.effects);
    record_since(node, latency::Event::ExpireCycle, began);
    node.append_file.write_soon();
    Ok(next_ms)
}

/// The client whose command it was, and where its reply begins in all replies.
type Caller<'a> = (u64, usize, &'a mut Reply);

/// Settles what has been brought about, while the shards are held: those who wait are served, events are published.
#[inline]
pub(crate) fn settle<'a>(
    node: &'a Node,
    locked: Locked<'a>,
    worker: &mut Worker,
    moment: Moment,
    caller: Option<Caller>,
) -> Locked<'a> {
    let mut locked = locked;
    if worker.effects.keep_gone {
        worker.feed(node, caller.is_some());
    }
    if !worker.effects.ready.is_empty() {
        locked = blocking::serve_ready(node, locked, worker, moment);
    }
    let effects = &mut worker.effects;
    node.keyspace.account(effects);
    if !effects.happenings.is_empty() {
        publish(node, effects, caller);
    }
    if let Some(due_ms) = effects.due_ms.take() {
        node.schedule_expiry(due_ms);
    }
    if !effects.garbage.is_empty() {
        let keys: usize = effects.garbage.iter().map(Garbage::len).sum();
        node.stats.lazily_freed.fetch_add(keys as u64, Ordering::Relaxed);
        node.host.reclaim(std::mem::take(&mut effects.garbage));
    }
    locked
}

/// Publishes keyspace events, per key and per event. Those to the client itself come before its reply.
#[cold]
fn publish(node: &Node, effects: &mut Effects, caller: Option<Caller>) {
    let mut own_messages = Vec::new();
    let own_id = caller.as_ref().map(|(id, ..)| *id);
    for Happening { event: Event(_, name), db, key } in effects.happenings.drain(..) {
        let mut send = |channel: &[u8], message: &[u8]| {
            let own = own_id.map(|id| Own { id, messages: &mut own_messages });
            node.pubsub.publish(channel, message, own);
        };
        let notify = effects.notify;
        if notify.contains(Class::KEYSPACE) {
            send(&[format!("__keyspace@{db}__:").as_bytes(), &key].concat(), name.as_bytes());
        }
        if notify.contains(Class::KEYEVENT) {
            send(format!("__keyevent@{db}__:{name}").as_bytes(), &key);
        }
    }
    if let Some((_, before, reply)) = caller
        && !own_messages.is_empty()
    {
        let rest = reply.bytes()[before..].to_vec();
        reply.truncate(before);
        reply.raw(&own_messages);
        reply.raw(&rest);
    }
}
