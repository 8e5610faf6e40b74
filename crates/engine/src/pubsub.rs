//! Channels, and those who listen.
//!
//! A message is written once for each protocol, whoever listens. A client that publishes to itself gets the message
//! into its own replies, before that of the command: others get theirs by mail.

use crate::clients::Client;
use bytes::Bytes;
use resp::{Protocol, Reply};
use smallvec::SmallVec;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use structures::glob;
use structures::ranked::{RwLock, rank};

/// Those who listen, by channel.
type Channels = HashMap<Box<[u8]>, Listeners, foldhash::fast::RandomState>;

/// Those who listen to a channel.
#[derive(Debug, Default)]
struct Listeners {
    /// Which of all channels it was that somebody began to listen to: matching patterns are gone through in this order.
    number: u64,
    clients: Vec<Arc<Client>>,
}

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
    channels: [RwLock<Channels, { rank::LISTENERS }>; 3],
    /// How many channels somebody has begun to listen to.
    begun: AtomicU64,
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
            let channels = self.channels[Kind::Channel as usize].read();
            if let Some(Listeners { clients, .. }) = channels.get(channel) {
                receivers += clients.len();
                Message::new(&[b"message", channel, message]).send(clients, &mut own);
            }
        }
        let patterns = self.channels[Kind::Pattern as usize].read();
        let matching = patterns.iter().filter(|(pattern, _)| glob::matches(pattern, channel));
        let mut matching: SmallVec<[_; 8]> = matching.collect();
        matching.sort_unstable_by_key(|(_, listeners)| listeners.number);
        for (pattern, Listeners { clients, .. }) in matching {
            receivers += clients.len();
            Message::new(&[b"pmessage", pattern, channel, message]).send(clients, &mut own);
        }
        receivers
    }

    /// Sends a message to all who listen to a shard channel; gives how many they are.
    pub fn publish_in_shard(&self, channel: &[u8], message: &[u8], mut own: Option<Own<'_>>) -> usize {
        let channels = self.channels[Kind::Shard as usize].read();
        let Some(Listeners { clients, .. }) = channels.get(channel) else { return 0 };
        Message::new(&[b"smessage", channel, message]).send(clients, &mut own);
        clients.len()
    }

    /// Has a client listen.
    pub fn subscribe(&self, kind: Kind, name: &[u8], client: &Arc<Client>) {
        let mut channels = self.channels[kind as usize].write();
        let begin = || Listeners { number: self.begun.fetch_add(1, Relaxed), clients: Vec::new() };
        channels.entry(name.into()).or_insert_with(begin).clients.push(Arc::clone(client));
    }

    /// Has a client no longer listen.
    pub fn unsubscribe(&self, kind: Kind, name: &[u8], client: &Client) {
        let mut channels = self.channels[kind as usize].write();
        if let Some(Listeners { clients, .. }) = channels.get_mut(name) {
            clients.retain(|own| own.id != client.id);
            if clients.is_empty() {
                channels.remove(name);
            }
        }
    }

    /// Has nobody listen any more to the shard channels that are lost; those who did are told.
    pub(crate) fn leave_shard_channels(&self, is_lost: impl Fn(&[u8]) -> bool) {
        let mut lost = Vec::new();
        self.channels[Kind::Shard as usize].write().retain(|name, listeners| {
            let keeps = !is_lost(name);
            if !keeps {
                lost.push((name.clone(), std::mem::take(&mut listeners.clients)));
            }
            keeps
        });
        for (name, clients) in lost {
            clients.iter().for_each(|client| client.lose_channel(&name));
        }
    }

    /// The names that somebody listens to, and that match a pattern if one is given.
    pub fn names(&self, kind: Kind, pattern: Option<&[u8]>) -> Vec<Box<[u8]>> {
        let channels = self.channels[kind as usize].read();
        channels
            .keys()
            .filter(|name| pattern.is_none_or(|pattern| glob::matches(pattern, name)))
            .cloned()
            .collect()
    }

    /// The number of names that somebody listens to.
    pub fn len(&self, kind: Kind) -> usize {
        self.channels[kind as usize].read().len()
    }

    /// The number of clients that listen to a name.
    pub fn listeners(&self, kind: Kind, name: &[u8]) -> usize {
        self.channels[kind as usize].read().get(name).map_or(0, |listeners| listeners.clients.len())
    }
}
