//! Channels, and those who listen.
//!
//! A message is written once for each protocol, whoever listens. A client that publishes to itself gets the message
//! into its own replies, before that of the command: others get theirs by mail.

use crate::clients::Client;
use bytes::Bytes;
use parking_lot::RwLock;
use resp::{Protocol, Reply};
use std::collections::HashMap;
use std::sync::Arc;
use structures::glob;

/// Those who listen, by channel.
type Listeners = HashMap<Box<[u8]>, Vec<Arc<Client>>, foldhash::fast::RandomState>;

/// What can be listened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A channel.
    Channel,
    /// All channels whose names match a pattern.
    Pattern,
    /// A channel that belongs to a slot.
    Shard,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 3] = [Kind::Channel, Kind::Pattern, Kind::Shard];
}

/// The channels of a node that somebody listens to.
#[derive(Debug, Default)]
pub struct PubSub {
    /// By kind.
    listeners: [RwLock<Listeners>; 3],
}

/// A message in both protocols, each written when it is first wanted.
struct Message<'a> {
    parts: &'a [&'a [u8]],
    written: [Option<Bytes>; 2],
}

impl<'a> Message<'a> {
    fn new(parts: &'a [&'a [u8]]) -> Self {
        Message { parts, written: [None, None] }
    }

    fn bytes(&mut self, protocol: Protocol) -> Bytes {
        let written = &mut self.written[usize::from(protocol == Protocol::Resp3)];
        written
            .get_or_insert_with(|| {
                let mut reply = Reply::new(protocol);
                reply.push(self.parts.len());
                self.parts.iter().for_each(|part| reply.bulk(part));
                reply.into_bytes().into()
            })
            .clone()
    }

    fn send(&mut self, listeners: &[Arc<Client>], own: &mut Option<Own<'_>>) {
        for client in listeners {
            let bytes = self.bytes(client.protocol());
            match own {
                Some(own) if own.id == client.id => own.messages.extend_from_slice(&bytes),
                _ => client.send(bytes),
            }
        }
    }
}

/// The client that publishes, and where messages to itself go.
pub struct Own<'a> {
    /// Its number.
    pub id: u64,
    /// Messages that come before the reply of its command.
    pub messages: &'a mut Vec<u8>,
}

impl PubSub {
    /// Sends a message to all who listen to a channel, directly or by a pattern; gives how many they are.
    pub fn publish(&self, channel: &[u8], message: &[u8], mut own: Option<Own<'_>>) -> usize {
        let mut receivers = 0;
        {
            let channels = self.listeners[Kind::Channel as usize].read();
            if let Some(listeners) = channels.get(channel) {
                receivers += listeners.len();
                Message::new(&[b"message", channel, message]).send(listeners, &mut own);
            }
        }
        let patterns = self.listeners[Kind::Pattern as usize].read();
        for (pattern, listeners) in patterns.iter().filter(|(pattern, _)| glob::matches(pattern, channel)) {
            receivers += listeners.len();
            Message::new(&[b"pmessage", pattern, channel, message]).send(listeners, &mut own);
        }
        receivers
    }

    /// Sends a message to all who listen to a shard channel; gives how many they are.
    pub fn publish_in_shard(&self, channel: &[u8], message: &[u8], mut own: Option<Own<'_>>) -> usize {
        let channels = self.listeners[Kind::Shard as usize].read();
        let Some(listeners) = channels.get(channel) else { return 0 };
        Message::new(&[b"smessage", channel, message]).send(listeners, &mut own);
        listeners.len()
    }

    /// Has a client listen.
    pub fn subscribe(&self, kind: Kind, name: &[u8], client: &Arc<Client>) {
        self.listeners[kind as usize].write().entry(name.into()).or_default().push(Arc::clone(client));
    }

    /// Has a client no longer listen.
    pub fn unsubscribe(&self, kind: Kind, name: &[u8], client: &Client) {
        let mut all = self.listeners[kind as usize].write();
        if let Some(listeners) = all.get_mut(name) {
            listeners.retain(|own| own.id != client.id);
            if listeners.is_empty() {
                all.remove(name);
            }
        }
    }

    /// The names that somebody listens to, and that match a pattern if one is given.
    pub fn names(&self, kind: Kind, pattern: Option<&[u8]>) -> Vec<Box<[u8]>> {
        let all = self.listeners[kind as usize].read();
        all.keys()
            .filter(|name| pattern.is_none_or(|pattern| glob::matches(pattern, name)))
            .cloned()
            .collect()
    }

    /// The number of names that somebody listens to.
    pub fn len(&self, kind: Kind) -> usize {
        self.listeners[kind as usize].read().len()
    }

    /// The number of clients that listen to a name.
    pub fn listeners(&self, kind: Kind, name: &[u8]) -> usize {
        self.listeners[kind as usize].read().get(name).map_or(0, Vec::len)
    }
}
