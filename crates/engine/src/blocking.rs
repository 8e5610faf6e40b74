//! Clients that wait for keys.
//!
//! A command that finds nothing to take leaves a [`Waiter`] in the queues of its keys, while it holds their shards.
//! Whoever makes such a key ready serves the queue before letting go of the shards, so that nobody comes in between:
//! first come, first served.
//!
//! A wait ends once: it is served, its time is up, it is ended by another client, or its own client goes. Whoever is
//! first, under the waiter's own lock, decides; what the others would have given or taken stays where it is.
//!
//! Lock order: shards, then a waiter's stage.

use crate::acks::Acks;
use crate::clients::{Client, Marks};
use crate::context::Cx;
use crate::error::CommandError;
use crate::execute::{Worker, record, write_error};
use crate::float;
use crate::node::Node;
use crate::session::{Session, State};
use crate::table::Entry;
use command::{Flags, Release, v};
use keyspace::{Locked, Moment, ShardSet};
use resp::{Args, OwnedArgs, Protocol, Reply};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use structures::ranked::{Mutex, rank};
use structures::{number, ticks};

/// Tries to serve a waiting command from one key; whether it did, and wrote its reply.
pub type Serve = fn(&mut Cx, Args, &[u8], &mut Reply) -> Result<bool, CommandError>;

/// What a command waits for.
#[derive(Debug)]
pub struct Wait {
    /// The keys, any of which will do.
    pub keys: Vec<Box<[u8]>>,
    /// For how long, in ms; for ever if none.
    pub timeout_ms: Option<i64>,
    /// Tries to serve the command.
    pub serve: Serve,
    /// Whether serving needs keys beside the one that is ready. They may be touched only once the ready key turns out
    /// to hold what is waited for: keys that go without a command, go while their own shard alone is held.
    pub needs_other_keys: bool,
    /// Whether the command may be served by a key that has gone.
    pub serves_gone_keys: bool,
    /// Writes the reply when the time is up, unless that depends on who has what.
    pub timed_out: fn(&mut Reply),
    /// What others are to have.
    pub acks: Option<Acks>,
}

/// A command that waits.
#[derive(Debug)]
pub struct Waiter {
    /// Whose command it is.
    pub client: Arc<Client>,
    entry: &'static Entry,
    args: OwnedArgs,
    db: u32,
    protocol: Protocol,
    /// Whether the client does not want the reply.
    mute: bool,
    wait: Wait,
    /// When it began to wait, in ticks.
    since_ticks: u64,
    /// Whether the wait counts as part of the command, which therefore took long.
    counts: AtomicBool,
    stage: Mutex<Stage, { rank::STAGE }>,
    /// Whether the stage is [`Stage::Waiting`]: changed with it, for those who only count.
    waits: AtomicBool,
}

/// How far a waiting command has come. It goes on to the next stage once, whoever is first to take it there.
#[derive(Debug)]
enum Stage {
    /// It waits.
    Waiting,
    /// It has its reply, which has not been taken yet.
    Replied(Vec<u8>),
    /// The reply has been taken, or is not wanted any more.
    Over,
}

impl Wait {
    /// Waits for any of some keys, which alone serves the command; when the time is up, the reply is a null array.
    pub fn for_keys<'a>(
        keys: impl IntoIterator<Item = &'a [u8]>,
        timeout_ms: Option<i64>,
        serve: Serve,
    ) -> Self {
        Wait {
            keys: keys.into_iter().map(Into::into).collect(),
            timeout_ms,
            serve,
            needs_other_keys: false,
            serves_gone_keys: false,
            timed_out: Reply::null_array,
            acks: None,
        }
    }

    /// Waits for nothing but the time.
    pub fn for_time(timeout_ms: Option<i64>, timed_out: fn(&mut Reply)) -> Self {
        Wait { timed_out, ..Wait::for_keys([], timeout_ms, |_, _, _, _| Ok(false)) }
    }

    /// Waits until others have what the client has written.
    pub fn for_acks(timeout_ms: Option<i64>, acks: Acks) -> Self {
        Wait { acks: Some(acks), ..Wait::for_keys([], timeout_ms, |_, _, _, _| Ok(false)) }
    }

    /// Writes the reply when the time is up.
    pub(crate) fn time_out(&self, node: &Node, reply: &mut Reply) {
        match &self.acks {
            Some(acks) => acks.write(node, reply),
            None => (self.timed_out)(reply),
        }
    }
}

impl Waiter {
    /// The reply, once there is one; it is there to be taken once.
    pub fn take_reply(&self) -> Option<Vec<u8>> {
        let mut stage = self.stage.lock();
        match std::mem::replace(&mut *stage, Stage::Over) {
            Stage::Replied(reply) => Some(reply),
            other => {
                *stage = other;
                None
            }
        }
    }

    /// For how long the command waits, in ms; for ever if none.
    pub fn timeout_ms(&self) -> Option<i64> {
        self.wait.timeout_ms
    }

    /// Whether the command can still be served.
    pub fn waits(&self) -> bool {
        self.waits.load(Ordering::Acquire) && !self.client.is_killed()
    }

    /// Ends the wait with a reply, unless it has ended already. Gives whether it ended so.
    pub fn give_up(&self, write: impl FnOnce(&mut Reply)) -> bool {
        let mut stage = self.stage.lock();
        let waits = matches!(*stage, Stage::Waiting);
        if waits {
            let mut writer = Reply::new(self.protocol);
            write(&mut writer);
            self.reply(&mut stage, writer);
        }
        waits
    }

    /// Ends the wait if one of its keys has gone to another node, as `lost` says, given the address by which the client
    /// has come.
    pub(crate) fn give_up_lost(&self, lost: impl Fn(&[u8], IpAddr) -> Option<CommandError>) {
        let local = self.client.local.ip();
        if let Some(error) = self.wait.keys.iter().find_map(|key| lost(key, local)) {
            self.give_up(|reply| reply.error(error.to_wire()));
        }
    }

    /// Ends the wait because its time is up; whether it ended so.
    pub fn time_out(&self, node: &Node) -> bool {
        self.give_up(|reply| self.wait.time_out(node, reply))
    }

    /// The place in the node's file that is waited for, if that is.
    pub fn awaits_file(&self) -> Option<u64> {
        self.acks().filter(|acks| acks.locally).map(|acks| acks.appended)
    }

    /// Whether the command may have written something when it was served.
    pub fn writes(&self) -> bool {
        self.entry.is(Flags::WRITE)
    }

    /// What others are to have, if that is waited for.
    pub(crate) fn acks(&self) -> Option<&Acks> {
        self.wait.acks.as_ref()
    }

    /// Ends the wait of a client that has gone: what comes from now on is for others.
    pub fn abandon(&self) {
        *self.stage.lock() = Stage::Over;
        self.end();
    }

    fn reply(&self, stage: &mut Stage, reply: Reply) {
        *stage = Stage::Replied(if self.mute { Vec::new() } else { reply.into_bytes() });
        self.end();
        self.client.wake();
    }

    fn end(&self) {
        self.waits.store(false, Ordering::Release);
        self.client.mark(Marks::BLOCKED, false);
    }
}

/// The waiting commands of a node, by their clients' numbers.
#[derive(Debug, Default)]
pub struct Waiters {
    by_client: Mutex<HashMap<u64, Arc<Waiter>, foldhash::fast::RandomState>>,
    /// How many of them may be served by keys that have gone.
    for_gone_keys: AtomicUsize,
    /// How many of them wait for others to have what they have written.
    for_acks: AtomicUsize,
}

impl Waiters {
    /// The number of clients that wait.
    pub fn len(&self) -> usize {
        self.by_client.lock().values().filter(|waiter| waiter.waits()).count()
    }

    /// The number of clients that wait, and not for ever.
    pub fn timed(&self) -> usize {
        let waiters = self.by_client.lock();
        waiters.values().filter(|waiter| waiter.waits() && waiter.timeout_ms().is_some()).count()
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The waiting command of a client.
    pub fn get(&self, client: u64) -> Option<Arc<Waiter>> {
        self.by_client.lock().get(&client).cloned()
    }

    /// Ends all waits for keys that have gone to another node, as `lost` says.
    pub(crate) fn give_up_lost(&self, lost: impl Fn(&[u8], IpAddr) -> Option<CommandError>) {
        let waiters: Vec<Arc<Waiter>> = self.by_client.lock().values().cloned().collect();
        waiters.iter().for_each(|waiter| waiter.give_up_lost(&lost));
    }

    /// How many wait for others to have what they have written.
    pub(crate) fn for_acks(&self) -> usize {
        self.for_acks.load(Ordering::Acquire)
    }

    /// All waiting commands.
    pub(crate) fn all(&self) -> Vec<Arc<Waiter>> {
        self.by_client.lock().values().cloned().collect()
    }

    fn add(&self, waiter: Arc<Waiter>) {
        self.for_gone_keys.fetch_add(usize::from(waiter.wait.serves_gone_keys), Ordering::Relaxed);
        self.for_acks.fetch_add(usize::from(waiter.wait.acks.is_some()), Ordering::Release);
        self.by_client.lock().insert(waiter.client.id, waiter);
    }

    fn remove(&self, waiter: &Waiter) {
        self.for_gone_keys.fetch_sub(usize::from(waiter.wait.serves_gone_keys), Ordering::Relaxed);
        self.for_acks.fetch_sub(usize::from(waiter.wait.acks.is_some()), Ordering::Release);
        self.by_client.lock().remove(&waiter.client.id);
    }
}

/// A timeout in seconds, as commands that wait for keys take it: in ms; none for ever.
///
/// # Errors
/// Those of a number, as the release words them. Observed on redis 6.2 and 7.0: decimals are cut off in 6.2 and rounded
/// up later, and what does not fit into 64 bits counts as negative before 7.2.
pub fn timeout(cx: &Cx, seconds: &[u8]) -> Result<Option<i64>, CommandError> {
    if !cx.release().has(v(6, 0, 0)) {
        let seconds = number::parse_i64(seconds).ok_or(CommandError::TimeoutNotAnInteger)?;
        return match seconds {
            ..0 => Err(CommandError::TimeoutNegative),
            0 => Ok(None),
            // These releases compute without a check: a time that overflows lies in the past.
            _ => Ok(Some(
                seconds.checked_mul(1000).filter(|ms| ms.checked_add(cx.now_ms()).is_some()).unwrap_or(0),
            )),
        };
    }
    let ms = match number::parse_i64(seconds) {
        Some(seconds) => seconds.checked_mul(1000),
        None => {
            let ms = float::parse_any(seconds).ok_or(CommandError::TimeoutNotAFloat)? * 1000.0;
            let ms = if cx.release().has(v(7, 0, 0)) { ms.ceil() } else { ms.trunc() };
            // This is 2^63, the first double that is too large; what is too small is negative all the same.
            (ms < i64::MAX as f64).then_some(ms as i64)
        }
    };
    match ms {
        Some(ms) => in_range(cx, ms),
        None if cx.release().has(v(7, 2, 0)) && !seconds.starts_with(b"-") => {
            Err(CommandError::TimeoutOutOfRange)
        }
        None => Err(CommandError::TimeoutNegative),
    }
}

/// A timeout in ms, as `XREAD` takes it: none for ever.
///
/// # Errors
/// Those of a number, as the release words them.
pub fn timeout_ms(cx: &Cx, ms: &[u8]) -> Result<Option<i64>, CommandError> {
    in_range(cx, number::parse_i64(ms).ok_or(CommandError::TimeoutNotAnInteger)?)
}

fn in_range(cx: &Cx, ms: i64) -> Result<Option<i64>, CommandError> {
    match ms {
        ..0 => Err(CommandError::TimeoutNegative),
        0 => Ok(None),
        _ if ms > i64::MAX - cx.now_ms() && cx.release().has(v(7, 2, 0)) => {
            Err(CommandError::TimeoutOutOfRange)
        }
        _ => Ok(Some(ms)),
    }
}

/// Has a command wait for keys whose shards are held.
pub(crate) fn wait(
    node: &Node,
    session: &Session,
    locked: &mut Locked,
    entry: &'static Entry,
    args: OwnedArgs,
    wait: Wait,
) -> Arc<Waiter> {
    let waiter = Arc::new(Waiter {
        client: Arc::clone(&session.client),
        entry,
        args,
        db: session.db,
        protocol: session.protocol,
        mute: session.state.intersects(State::REPLY_OFF | State::REPLY_SKIP),
        since_ticks: ticks::now(),
        // To wait for nothing but the time is what the command does.
        counts: AtomicBool::new(wait.keys.is_empty()),
        wait,
        stage: Mutex::new(Stage::Waiting),
        waits: AtomicBool::new(true),
    });
    session.client.mark(Marks::BLOCKED, true);
    node.waiters.add(Arc::clone(&waiter));
    for key in &waiter.wait.keys {
        let shard = locked.shard_mut(&node.keyspace.key(key));
        shard.interest(session.db).wait(key, session.client.id);
        if waiter.wait.needs_other_keys {
            shard.add_far_waiter();
        }
    }
    if waiter.wait.acks.is_some() {
        // What they say from now on is noticed.
        node.replicas.ask();
        node.serve_acks();
    }
    waiter
}

/// Takes a command that waits no longer out of all queues.
///
/// # Errors
/// The number of a shard that somebody else holds: to be tried again when it is free.
pub fn forget(node: &Node, waiter: &Waiter) -> Result<(), usize> {
    debug_assert!(!waiter.waits(), "a command that waits is not forgotten");
    let mut set = ShardSet::NONE;
    for key in &waiter.wait.keys {
        set.insert(node.keyspace.shard_of(node.keyspace.key(key).hash));
    }
    let mut locked = node.keyspace.lock(set)?;
    node.waiters.remove(waiter);
    for key in &waiter.wait.keys {
        let shard = locked.shard_mut(&node.keyspace.key(key));
        shard.interest(waiter.db).stop_waiting(key, waiter.client.id);
        shard.forget_interest(waiter.db);
        if waiter.wait.needs_other_keys {
            shard.remove_far_waiter();
        }
    }
    drop(locked);
    if waiter.counts.load(Ordering::Relaxed) {
        let took = ticks::now().saturating_sub(waiter.since_ticks);
        record(node, &waiter.client, waiter.entry, waiter.args.as_args(), took);
    }
    Ok(())
}

/// Serves those who wait for keys that have become ready. Serving may make further keys ready.
pub(crate) fn serve_ready<'a>(
    node: &'a Node,
    locked: Locked<'a>,
    worker: &mut Worker,
    moment: Moment,
) -> Locked<'a> {
    let mut locked = locked;
    let mut ready = std::mem::take(&mut worker.effects.ready);
    while !ready.is_empty() {
        ready.dedup();
        for (db, bytes) in ready.drain(..) {
            let key = node.keyspace.key(&bytes);
            for id in locked.shard(&key).waiters(db, &bytes) {
                let gone = locked.shard(&key).peek(moment, db, &key).is_none();
                if gone && node.waiters.for_gone_keys.load(Ordering::Relaxed) == 0 {
                    break;
                }
                let serves =
                    |waiter: &Arc<Waiter>| waiter.db == db && (!gone || waiter.wait.serves_gone_keys);
                if let Some(waiter) = node.waiters.get(id).filter(serves) {
                    locked = serve(node, locked, worker, moment, &waiter, &bytes);
                }
            }
        }
        ready.append(&mut worker.effects.ready);
    }
    locked
}

fn serve<'a>(
    node: &'a Node,
    locked: Locked<'a>,
    worker: &mut Worker,
    moment: Moment,
    waiter: &Waiter,
    key: &[u8],
) -> Locked<'a> {
    let mut stage = waiter.stage.lock();
    // A client that is killed gets nothing from then on, though its connection has yet to notice.
    if !matches!(*stage, Stage::Waiting) || waiter.client.is_killed() {
        return locked;
    }
    let mut session = Session::new(Arc::clone(&waiter.client));
    session.db = waiter.db;
    session.protocol = waiter.protocol;
    // What is ready is taken at once, however much it is: nobody else waits longer for it.
    session.state = State::OFFLOADED;
    let mut reply = Reply::new(waiter.protocol);
    let dirty = std::mem::take(&mut worker.effects.dirty);
    let mut cx = Cx::new(node, &mut session, locked, worker, moment, waiter.entry);
    let result = (waiter.wait.serve)(&mut cx, waiter.args.as_args(), key, &mut reply);
    let mut locked = cx.locked;
    if worker.effects.keep_gone {
        worker.end_command(node, waiter.db, waiter.args.as_args());
        worker.feed(node, true);
    }
    worker.effects.dirty += dirty;
    match result {
        Ok(false) => return locked,
        Ok(true) => {}
        Err(error) => {
            reply.clear();
            write_error(node.stats.worker(worker.id), &error, &mut reply);
        }
    }
    waiter.counts.store(node.release >= Release::V7_0, Ordering::Relaxed);
    waiter.reply(&mut stage, reply);
    drop(stage);
    let shard = locked.shard_mut(&node.keyspace.key(key));
    shard.interest(waiter.db).stop_waiting(key, waiter.client.id);
    locked
}
