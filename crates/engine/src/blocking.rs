//! Clients that wait for keys.
//!
//! A command that finds nothing to take leaves a [`Waiter`] in the queues of its keys, while it holds their shards.
//! Whoever makes such a key ready serves the queue before letting go of the shards, so that nobody comes in between:
//! first come, first served.
//!
//! Lock order: shards, then a waiter's state.

use crate::clients::Client;
use crate::context::Cx;
use crate::error::CommandError;
use crate::execute::Worker;
use crate::node::Node;
use crate::session::Session;
use crate::table::Entry;
use keyspace::{Locked, Moment, ShardSet};
use parking_lot::Mutex;
use resp::{Args, OwnedArgs, Protocol, Reply};
use std::collections::HashMap;
use std::sync::Arc;

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
    /// Whether serving needs keys beside the one that is ready.
    pub needs_other_keys: bool,
    /// Writes the reply when the time is up.
    pub timed_out: fn(&mut Reply),
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
    wait: Wait,
    /// The reply, once there is one.
    reply: Mutex<Option<Vec<u8>>>,
}

impl Waiter {
    /// The reply, if the command has been served.
    pub fn take_reply(&self) -> Option<Vec<u8>> {
        self.reply.lock().take()
    }

    /// For how long the command waits, in ms; for ever if none.
    pub fn timeout_ms(&self) -> Option<i64> {
        self.wait.timeout_ms
    }

    /// Ends the wait with a reply, unless the command has been served meanwhile.
    /// Gives whether it ended so.
    pub fn give_up(&self, write: impl FnOnce(&mut Reply)) -> bool {
        let mut reply = self.reply.lock();
        let waits = reply.is_none();
        if waits {
            let mut writer = Reply::new(self.protocol);
            write(&mut writer);
            *reply = Some(writer.into_bytes());
            self.client.wake();
        }
        waits
    }

    /// Ends the wait because its time is up; whether it ended so.
    pub fn time_out(&self) -> bool {
        self.give_up(self.wait.timed_out)
    }
}

/// The waiting commands of a node, by their clients' numbers.
#[derive(Debug, Default)]
pub struct Waiters(Mutex<HashMap<u64, Arc<Waiter>, foldhash::fast::RandomState>>);

impl Waiters {
    /// The number of clients that wait.
    pub fn len(&self) -> usize {
        self.0.lock().len()
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The waiting command of a client.
    pub fn get(&self, client: u64) -> Option<Arc<Waiter>> {
        self.0.lock().get(&client).cloned()
    }
}

/// Has a command wait for keys whose shards are held.
pub(crate) fn wait(
    node: &Node,
    session: &Session,
    locked: &mut Locked,
    entry: &'static Entry,
    args: Args,
    wait: Wait,
) -> Arc<Waiter> {
    let waiter = Arc::new(Waiter {
        client: Arc::clone(&session.client),
        entry,
        args: args.to_owned(),
        db: session.db,
        protocol: session.protocol,
        wait,
        reply: Mutex::new(None),
    });
    node.waiters.0.lock().insert(session.client.id, Arc::clone(&waiter));
    for key in &waiter.wait.keys {
        let shard = locked.shard_mut(&node.keyspace.key(key));
        shard.interest(session.db).wait(key, session.client.id);
        if waiter.wait.needs_other_keys {
            shard.add_far_waiter();
        }
    }
    waiter
}

/// Takes a command that waits no longer out of all queues.
///
/// # Errors
/// The number of a shard that somebody else holds: to be tried again when it is free.
pub fn forget(node: &Node, waiter: &Waiter) -> Result<(), usize> {
    let mut set = ShardSet::NONE;
    for key in &waiter.wait.keys {
        set.insert(node.keyspace.shard_of(node.keyspace.key(key).hash));
    }
    let mut locked = node.keyspace.lock(set)?;
    node.waiters.0.lock().remove(&waiter.client.id);
    for key in &waiter.wait.keys {
        let shard = locked.shard_mut(&node.keyspace.key(key));
        shard.interest(waiter.db).stop_waiting(key, waiter.client.id);
        shard.forget_interest(waiter.db);
        if waiter.wait.needs_other_keys {
            shard.remove_far_waiter();
        }
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
        for (db, key) in ready.drain(..) {
            let ids = locked.shard(&node.keyspace.key(&key)).waiters(db, &key);
            for id in ids {
                if let Some(waiter) = node.waiters.get(id).filter(|waiter| waiter.db == db) {
                    locked = serve(node, locked, worker, moment, &waiter, &key);
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
    let mut slot = waiter.reply.lock();
    if slot.is_some() {
        return locked;
    }
    let mut session = Session::new(Arc::clone(&waiter.client));
    session.db = waiter.db;
    session.protocol = waiter.protocol;
    let mut reply = Reply::new(waiter.protocol);
    let mut cx = Cx::new(node, &mut session, locked, worker, moment, waiter.entry);
    let result = (waiter.wait.serve)(&mut cx, waiter.args.as_args(), key, &mut reply);
    let mut locked = cx.locked;
    match result {
        Ok(false) => return locked,
        Ok(true) => {}
        Err(error) => {
            reply.clear();
            reply.error(error.to_wire());
        }
    }
    *slot = Some(reply.into_bytes());
    drop(slot);
    let shard = locked.shard_mut(&node.keyspace.key(key));
    shard.interest(waiter.db).stop_waiting(key, waiter.client.id);
    waiter.client.wake();
    locked
}
