//! Keys on their way to another server: `MIGRATE`, in three steps.
//!
//! The command copies the keys while it holds their shards ([`Parcel`]). The connection sends the copies, holding
//! nothing, and [`finish`] deletes what has arrived. Meanwhile the keys are in flight ([`Flights`]): they can be read, and
//! whoever would change them waits. What changes all the same, as nobody can make a client wait that is being served, is
//! sent again.
//!
//! Invariant: keys are in flight from when they are copied until their parcel is dropped, whatever becomes of it.
//!
//! Not here: sockets.

use crate::execute::{Worker, settle, write_error};
use crate::keys::{self, Plan};
use crate::node::{Gates, Node};
use crate::session::Session;
use crate::table::Entry;
use crate::{CommandError, Cx, commands};
use command::Flags;
use keyspace::interest::Watch;
use keyspace::{Class, Event, Locked, Moment, ShardSet};
use resp::{Args, OwnedArgs, Protocol, Reply};
use std::collections::HashSet;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use structures::ranked::Mutex;

/// The keys of a node that are in flight.
#[derive(Debug, Default)]
pub struct Flights(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Their names, whichever database they are in.
    keys: HashSet<Box<[u8]>, foldhash::fast::RandomState>,
    wakers: Vec<Waker>,
}

impl Flights {
    /// Ready when some keys have landed, or none is in flight.
    pub fn poll_landed(&self, context: &Context<'_>) -> Poll<()> {
        let mut inner = self.0.lock();
        if inner.keys.is_empty() {
            return Poll::Ready(());
        }
        if !inner.wakers.iter().any(|waker| waker.will_wake(context.waker())) {
            inner.wakers.push(context.waker().clone());
        }
        Poll::Pending
    }

    /// Whether a command, or the transaction that it runs, may change keys that are in flight.
    #[cold]
    pub(crate) fn hold(&self, node: &Node, session: &Session, entry: &'static Entry, args: Args) -> bool {
        let inner = self.0.lock();
        if inner.keys.is_empty() {
            // Under the same lock: another parcel may be about to be packed.
            node.set_gates(Gates::IN_FLIGHT, false);
            return false;
        }
        let holds = |entry: &'static Entry, args: Args| {
            let writes = entry.shape.flags.intersects(Flags::WRITE | Flags::MAY_REPLICATE);
            writes
                && match entry.plan {
                    Plan::None | Plan::Session { .. } => false,
                    Plan::All | Plan::KeysOrAll => true,
                    Plan::One(_) | Plan::Keys => keys::positions(entry.record, args)
                        .iter()
                        .any(|(at, _)| inner.keys.contains(args.at(*at))),
                }
        };
        match &session.multi {
            Some(multi) if entry.is(Flags::RUNS_QUEUE) => {
                multi.queue.iter().any(|queued| holds(queued.entry, queued.args.as_args()))
            }
            _ => holds(entry, args),
        }
    }
}

/// How a server is to be spoken to.
#[derive(Clone, Debug)]
pub struct Destination {
    /// Its name or address.
    pub host: String,
    /// Its port, as the client wrote it.
    pub port: String,
    /// How long it may take to accept, to receive and to answer, in ms each.
    pub timeout_ms: i64,
    /// The database that the keys go to.
    pub db: i64,
    /// What to log in with: a password, or a name and a password.
    pub login: Vec<Box<[u8]>>,
}

/// What is to become of the keys.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Terms {
    /// They stay here, too.
    pub(crate) copies: bool,
    /// They take the place of those that are there.
    pub(crate) replaces: bool,
}

/// Copies of keys, to be sent.
pub struct Parcel {
    /// Where to.
    pub destination: Destination,
    terms: Terms,
    flights: Arc<Flights>,
    /// Whether the other server is to take keys of a slot that is on its way there.
    asks: bool,
    db: u32,
    /// All keys that are in flight because of it.
    keys: Vec<Box<[u8]>>,
    /// What is to be sent next: the key, its copy, and what tells whether it has changed since.
    copies: Vec<Copy>,
    /// Whether the copies are of keys that have been sent before.
    is_again: bool,
}

/// A copy of a key.
struct Copy {
    key: Box<[u8]>,
    ttl_ms: i64,
    payload: Vec<u8>,
    changed: Arc<Watch>,
}

impl std::fmt::Debug for Parcel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parcel").field("destination", &self.destination).finish_non_exhaustive()
    }
}

/// What came of sending.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The first lines of the replies that came, without their ends.
    pub lines: Vec<Vec<u8>>,
    /// What broke off.
    pub failure: Option<Failure>,
}

/// Why not all replies came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The requests could not be sent.
    Writing,
    /// The replies did not come.
    Reading,
}

/// What is next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The reply has been written.
    Done,
    /// Send again: some keys have changed meanwhile.
    Again,
}

impl Parcel {
    /// Copies of keys whose shards are held, as far as there are such keys; nothing if there is none.
    pub(crate) fn pack(
        cx: &mut Cx,
        destination: Destination,
        terms: Terms,
        keys: &[&[u8]],
    ) -> Option<Parcel> {
        let mut parcel = Parcel {
            destination,
            terms,
            flights: Arc::clone(&cx.node.flights),
            asks: cx.node.member.is_some(),
            db: cx.session.db,
            keys: Vec::new(),
            copies: Vec::new(),
            is_again: false,
        };
        for &key in keys {
            // Reading lets go of what has expired.
            if cx.read(key).is_some() {
                parcel.keys.push(key.into());
            }
        }
        if parcel.keys.is_empty() {
            return None;
        }
        let mut inner = parcel.flights.0.lock();
        inner.keys.extend(parcel.keys.iter().cloned());
        cx.node.set_gates(Gates::IN_FLIGHT, true);
        drop(inner);
        let (node, keys, moment) = (cx.node, parcel.keys.clone(), cx.moment);
        let copies = keys.into_iter().filter_map(|key| parcel.copy(node, &mut cx.locked, moment, key));
        parcel.copies = copies.collect();
        Some(parcel)
    }

    /// A copy of a key, if there is such a key.
    fn copy(&self, node: &Node, locked: &mut Locked, moment: Moment, key: Box<[u8]>) -> Option<Copy> {
        let place = node.keyspace.key(&key);
        let entry = locked.shard(&place).peek(moment, self.db, &place)?;
        let ttl_ms = entry.expire_at_ms().map_or(0, |at_ms| (at_ms - moment.now_ms).max(1));
        let payload = commands::dump::sealed(node, &entry);
        let changed = Arc::default();
        locked.shard_mut(&place).interest(self.db).watch(&key, &changed);
        Some(Copy { key, ttl_ms, payload, changed })
    }

    /// The requests to be sent.
    pub fn requests(&self) -> Vec<u8> {
        let Destination { db, login, .. } = &self.destination;
        let mut requests = Reply::new(Protocol::Resp2);
        let mut request = |words: &[&[u8]]| {
            requests.array(words.len());
            words.iter().for_each(|word| requests.bulk(word));
        };
        if !login.is_empty() {
            let words = std::iter::once(&b"AUTH"[..]).chain(login.iter().map(|word| &**word));
            request(&words.collect::<Vec<_>>());
        }
        request(&[b"SELECT", db.to_string().as_bytes()]);
        let name: &[u8] = if self.asks { b"RESTORE-ASKING" } else { b"RESTORE" };
        for Copy { key, ttl_ms, payload, .. } in &self.copies {
            let ttl = ttl_ms.to_string();
            let replace = (self.terms.replaces || self.is_again).then_some(&b"REPLACE"[..]);
            let words = [name, key, ttl.as_bytes(), payload].into_iter().chain(replace);
            request(&words.collect::<Vec<_>>());
        }
        requests.into_bytes()
    }

    /// How many replies the requests have.
    pub fn replies(&self) -> usize {
        self.first_replies() + self.copies.len()
    }

    /// The number of replies before those that are about keys.
    fn first_replies(&self) -> usize {
        1 + usize::from(!self.destination.login.is_empty())
    }

    /// The shards of its keys.
    fn shards(&self, node: &Node) -> ShardSet {
        let mut set = ShardSet::NONE;
        for key in &self.keys {
            set.insert(node.keyspace.shard_of(node.keyspace.key(key).hash));
        }
        set
    }
}

impl Drop for Parcel {
    fn drop(&mut self) {
        let mut inner = self.flights.0.lock();
        self.keys.iter().for_each(|key| _ = inner.keys.remove(key));
        inner.wakers.drain(..).for_each(Waker::wake);
    }
}

/// Deletes the keys that have arrived, as far as they have not changed since, and writes the reply.
///
/// # Errors
/// The number of a shard that somebody else holds: to be tried again when it is free.
pub fn finish(
    node: &Node,
    worker: &mut Worker,
    session: &mut Session,
    parcel: &mut Parcel,
    outcome: &Outcome,
    reply: &mut Reply,
) -> Result<Finish, usize> {
    worker.begin(node);
    let mut locked = node.keyspace.lock(parcel.shards(node))?;
    let moment = worker.moment(node, session);
    worker.begin_command(node);
    let first = parcel.first_replies().min(outcome.lines.len());
    let (before, about_keys) = outcome.lines.split_at(first);
    let refusal = |line: &&Vec<u8>| line.first() == Some(&b'-');
    let mut error = before.iter().find(refusal);
    let takes_none = error.is_some();
    let mut gone: Vec<Box<[u8]>> = Vec::new();
    let mut again = Vec::new();
    let copies = std::mem::take(&mut parcel.copies);
    for (number, Copy { key, changed, .. }) in copies.into_iter().enumerate() {
        let place = node.keyspace.key(&key);
        let shard = locked.shard_mut(&place);
        shard.interest(parcel.db).unwatch(&key, &changed);
        shard.forget_interest(parcel.db);
        let line = about_keys.get(number);
        let has_arrived = !takes_none && line.is_some_and(|line| line.first() == Some(&b'+'));
        if !has_arrived {
            error = error.or(line.filter(|line| refusal(line)));
        } else if changed.is_broken() && !parcel.terms.copies {
            again.push(key);
        } else if !parcel.terms.copies {
            let mut spot = shard.spot(&mut worker.effects, moment, parcel.db, place);
            if spot.delete(false) {
                spot.commit(Event(Class::GENERIC, "del"));
                gone.push(key);
            } else {
                spot.leave();
            }
        }
    }
    parcel.copies = again.into_iter().filter_map(|key| parcel.copy(node, &mut locked, moment, key)).collect();
    if worker.effects.keep_gone {
        let args = std::iter::once(&b"DEL"[..]).chain(gone.iter().map(|key| &**key));
        let args = OwnedArgs::new(args.collect::<Vec<_>>().into_iter());
        worker.end_command(node, parcel.db, args.as_args());
    }
    drop(settle(node, locked, worker, moment, Some((session.client.id, reply.len(), reply))));
    if !parcel.copies.is_empty() && outcome.failure.is_none() && error.is_none() {
        parcel.is_again = true;
        return Ok(Finish::Again);
    }
    let error = match (error, outcome.failure) {
        (Some(line), _) => Some(CommandError::Target(crate::error::printed(&line[1..]))),
        (None, Some(Failure::Writing)) => Some(CommandError::TargetWriting),
        (None, Some(Failure::Reading)) => Some(CommandError::TargetReading),
        (None, None) => None,
    };
    match error {
        Some(error) => write_error(node.stats.worker(worker.id), &error, reply),
        None => reply.ok(),
    }
    Ok(Finish::Done)
}
