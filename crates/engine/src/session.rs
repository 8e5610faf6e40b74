//! One connection's side of the conversation.

use crate::clients::{Client, Marks};
use crate::error::CommandError;
use crate::node::Node;
use crate::proxy::Underway;
use crate::pubsub::Kind;
use crate::table::{self, Entry, Names};
use keyspace::interest::Watch;
use keyspace::{Locked, ShardSet};
use replication::Replica;
use resp::{OwnedArgs, Protocol};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

bitflags::bitflags! {
    /// The state of a session. While no flag is set, a command runs without further checks.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct State: u32 {
        /// The client has yet to log in.
        const UNAUTHENTICATED = 1 << 0;
        /// Commands are queued.
        const MULTI = 1 << 1;
        /// The client has subscribed to channels.
        const SUBSCRIBED = 1 << 2;
        /// The connection ends after this reply.
        const CLOSING = 1 << 3;
        /// Commands may take as long as they like: no other connection waits for this thread.
        const OFFLOADED = 1 << 4;
        /// Replies are not sent.
        const REPLY_OFF = 1 << 5;
        /// The reply of the next command is not sent.
        const REPLY_SKIP_NEXT = 1 << 6;
        /// The reply of this command is not sent.
        const REPLY_SKIP = 1 << 7;
        /// Reading keys does not count as using them.
        const NO_TOUCH = 1 << 8;
        /// The client sees all commands, and sends none.
        const MONITOR = 1 << 9;
        /// The client is a replica: it gets the stream of changes.
        const REPLICA = 1 << 10;
        /// The client is the master, whose stream of changes is followed.
        const MASTER = 1 << 11;
        /// The next command may be about a slot that is on its way here.
        const ASKING = 1 << 12;
        /// The client reads what another node serves, where this one repeats its changes.
        const READONLY = 1 << 13;
        /// Commands are those of a file: nothing keeps them from being run, and nothing expires meanwhile.
        const REPLAYING = 1 << 14;
    }
}

/// A connection's side of the conversation.
#[derive(Debug)]
pub struct Session {
    /// What others see of the connection.
    pub client: Arc<Client>,
    /// The database in use.
    pub db: u32,
    /// The protocol that the client speaks.
    pub protocol: Protocol,
    /// The state.
    pub state: State,
    /// The transaction being queued.
    pub multi: Option<Box<Multi>>,
    /// The keys being watched.
    pub watching: Option<Box<Watching>>,
    /// What the client listens to, by kind.
    pub subscriptions: Option<Box<[ChannelNames; 3]>>,
    /// What the client has said of itself as a replica.
    pub replica: Option<Box<Replica>>,
    /// How far the stream was after its last command, in bytes: what it has written is before.
    pub written: u64,
    /// The same of the append-only file.
    pub appended: u64,
    /// What a master has sent that has yet to be passed on.
    pub upstream: Vec<u8>,
    /// What it is in the middle of, if it speaks to a proxy.
    pub(crate) underway: Option<Box<Underway>>,
    /// The command of the last request, and its name as the client wrote it.
    last: Option<(&'static Entry, LastName)>,
    /// Whether it is a client of the node's own process, which knows commands that others do not.
    pub is_own: bool,
}

/// Names of channels or patterns.
pub type ChannelNames = HashSet<Box<[u8]>, foldhash::fast::RandomState>;

/// A transaction being queued.
#[derive(Debug, Default)]
pub struct Multi {
    /// The commands so far.
    pub queue: Vec<Queued>,
    /// Whether one was refused: the transaction will be.
    pub aborted: bool,
    /// Why the transaction is refused though none of its commands was.
    pub refused: Option<CommandError>,
}

/// A queued command.
#[derive(Debug)]
pub struct Queued {
    /// The command.
    pub entry: &'static Entry,
    /// Its arguments.
    pub args: OwnedArgs,
}

/// Keys being watched.
#[derive(Debug, Default)]
pub struct Watching {
    /// Broken by the first change.
    pub watch: Arc<Watch>,
    /// The databases and keys, and whether they had expired when the watch began.
    pub keys: Vec<(u32, Box<[u8]>, bool)>,
}

/// A name of one to sixteen bytes, in a form that is compared without a loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct LastName {
    len: usize,
    /// Its first bytes and its last, which overlap.
    ends: [u64; 2],
}

impl LastName {
    #[inline]
    fn new(name: &[u8]) -> Option<Self> {
        let ends = match name.len() {
            8..=16 => [*name.first_chunk()?, *name.last_chunk()?].map(u64::from_le_bytes),
            4..=7 => {
                [*name.first_chunk()?, *name.last_chunk()?].map(|end| u64::from(u32::from_le_bytes(end)))
            }
            2..=3 => {
                [*name.first_chunk()?, *name.last_chunk()?].map(|end| u64::from(u16::from_le_bytes(end)))
            }
            1 => [u64::from(name[0]); 2],
            _ => return None,
        };
        Some(LastName { len: name.len(), ends })
    }

    #[inline]
    fn is(&self, name: &[u8]) -> bool {
        self.len == name.len() && LastName::new(name).is_some_and(|other| other == *self)
    }
}

impl Session {
    /// The session of a client that has just come.
    pub fn new(client: Arc<Client>) -> Self {
        Session {
            client,
            db: 0,
            protocol: Protocol::Resp2,
            state: State::default(),
            multi: None,
            watching: None,
            subscriptions: None,
            replica: None,
            written: 0,
            appended: 0,
            upstream: Vec::new(),
            underway: None,
            last: None,
            is_own: false,
        }
    }

    /// Begins anew: whether the client must log in depends on the node.
    pub fn begin(&mut self, node: &Node) {
        self.set_protocol(Protocol::Resp2);
        self.state = State::default();
        self.state.set(State::UNAUTHENTICATED, node.settings.password.read().is_some());
        self.client.mark(Marks::MONITOR | Marks::NO_EVICT | Marks::NO_TOUCH, false);
    }

    /// The command of a name. Clients tend to send the same again: the last one is not looked up.
    #[inline]
    pub fn find(&mut self, names: &Names, name: &[u8]) -> Option<&'static Entry> {
        if let Some((entry, last)) = self.last
            && last.is(name)
        {
            return Some(entry);
        }
        let entry = table::find(names, name)?;
        self.last = LastName::new(name).map(|last| (entry, last));
        Some(entry)
    }

    /// Chooses a database.
    pub fn select(&mut self, db: u32) {
        self.db = db;
        self.client.gauges.db.store(db, Ordering::Relaxed);
    }

    /// Speaks another protocol from the next reply on.
    pub fn set_protocol(&mut self, protocol: Protocol) {
        self.protocol = protocol;
        self.client.set_protocol(protocol);
    }

    /// Begins or ends a transaction.
    pub fn set_multi(&mut self, multi: Option<Box<Multi>>) -> Option<Box<Multi>> {
        self.state.set(State::MULTI, multi.is_some());
        self.client.mark(Marks::MULTI, multi.is_some());
        self.client.gauges.queued.store(u32::from(multi.is_some()), Ordering::Relaxed);
        self.client.gauges.queued_bytes.store(0, Ordering::Relaxed);
        std::mem::replace(&mut self.multi, multi)
    }

    /// The number of channels, patterns or shard channels that the client listens to.
    pub fn subscribed(&self, kind: Kind) -> usize {
        self.subscriptions.as_ref().map_or(0, |all| all[kind as usize].len())
    }

    /// Listens to a name; whether that is new.
    pub fn subscribe(&mut self, node: &Node, kind: Kind, name: &[u8]) -> bool {
        let new = self.subscriptions.get_or_insert_default()[kind as usize].insert(name.into());
        if new {
            node.pubsub.subscribe(kind, name, &self.client);
            self.subscriptions_changed();
        }
        new
    }

    /// No longer listens to a name; whether it did.
    pub fn unsubscribe(&mut self, node: &Node, kind: Kind, name: &[u8]) -> bool {
        let old = self.subscriptions.as_mut().is_some_and(|all| all[kind as usize].remove(name));
        if old {
            node.pubsub.unsubscribe(kind, name, &self.client);
            self.subscriptions_changed();
        }
        old
    }

    /// No longer listens to shard channels that have gone to another node, as the client has been told already.
    pub(crate) fn forget_lost_channels(&mut self) {
        let lost = self.client.take_lost_channels();
        if lost.is_empty() {
            return;
        }
        if let Some(all) = &mut self.subscriptions {
            all[Kind::Shard as usize].retain(|name| !lost.contains(name));
        }
        self.subscriptions_changed();
    }

    fn subscriptions_changed(&mut self) {
        let counts = Kind::ALL.map(|kind| self.subscribed(kind));
        for (gauge, count) in self.client.gauges.subscriptions.iter().zip(counts) {
            gauge.store(count as u32, Ordering::Relaxed);
        }
        let listens = counts.iter().sum::<usize>() > 0;
        self.state.set(State::SUBSCRIBED, listens);
        self.client.mark(Marks::PUBSUB, listens);
        if !listens {
            self.subscriptions = None;
        }
    }

    /// No longer listens to anything.
    pub fn unsubscribe_all(&mut self, node: &Node) {
        let Some(all) = self.subscriptions.take() else { return };
        for (kind, names) in Kind::ALL.into_iter().zip(all.iter()) {
            names.iter().for_each(|name| node.pubsub.unsubscribe(kind, name, &self.client));
        }
        self.subscriptions_changed();
    }

    /// The shards of the watched keys.
    pub fn watched_shards(&self, node: &Node) -> ShardSet {
        let mut set = ShardSet::NONE;
        for (_, key, _) in self.watching.iter().flat_map(|watching| &watching.keys) {
            set.insert(node.keyspace.shard_of(node.keyspace.key(key).hash));
        }
        set
    }

    /// Watches no keys any more; their shards are held.
    pub fn unwatch(&mut self, locked: &mut Locked) {
        let Some(watching) = self.watching.take() else { return };
        for (db, key, _) in &watching.keys {
            let key = locked.keyspace().key(key);
            let shard = locked.shard_mut(&key);
            shard.interest(*db).unwatch(key.bytes, &watching.watch);
            shard.forget_interest(*db);
        }
        self.client.gauges.watched.store(0, Ordering::Relaxed);
        self.client.mark(Marks::BROKEN, false);
    }

    /// Takes note of how far the stream and the file are: what the client has written is before.
    pub fn wrote(&mut self, node: &Node) {
        self.written = node.replicas.offset();
        self.appended = node.append_file.positions().0;
    }

    /// Leaves nothing behind in the node: the connection ends.
    ///
    /// # Errors
    /// The number of a shard that somebody else holds: to be tried again when it is free.
    pub fn leave(&mut self, node: &Node) -> Result<(), usize> {
        self.unsubscribe_all(node);
        if self.watching.is_some() {
            let mut locked = node.keyspace.lock(self.watched_shards(node))?;
            self.unwatch(&mut locked);
        }
        if self.state.contains(State::MONITOR) {
            node.monitors.remove(node, self.client.id);
        }
        node.clients.remove(self.client.id);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_if_all_their_bytes_are() {
        let names: Vec<Vec<u8>> = (1..=16)
            .flat_map(|len| {
                let plain = vec![b'a'; len];
                let changed = (0..len).map(move |at| {
                    let mut name = vec![b'a'; len];
                    name[at] = b'b';
                    name
                });
                std::iter::once(plain).chain(changed)
            })
            .collect();
        for name in &names {
            let last = LastName::new(name).unwrap();
            for other in &names {
                assert_eq!(last.is(other), name == other);
            }
        }
        assert!(LastName::new(b"").is_none() && LastName::new(&[b'x'; 17]).is_none());
    }
}
