//! The master that a node follows, if it does.
//!
//! What is here is what clients ask for and see; the conversation itself is held by the host, which is told when another
//! master is to be followed, and tells here how far it has come.
//!
//! Lock order: the one lock here is a leaf.

use crate::clients::Client;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The master that a node follows, if it does; see the module.
#[derive(Debug, Default)]
pub struct Master {
    state: Mutex<State>,
    /// Whether the link is up, as in `state`.
    is_up: AtomicBool,
}

/// How it stands with the master.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The master; nothing if the node is one itself.
    pub address: Option<Address>,
    /// Grows with every order to follow another master, or none.
    pub order: u64,
    /// How far the link is.
    pub link: Link,
    /// When the link went down, in ms since the epoch; nothing if it has never been up.
    pub down_since_ms: Option<i64>,
    /// When something last came from the master, in ms since the epoch.
    pub heard_ms: i64,
    /// How much of a snapshot has come, and how long it is, in bytes, if that is known.
    pub snapshot: (u64, Option<u64>),
    /// The connection, while there is one.
    pub client: Option<Arc<Client>>,
}

/// Where a master listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Its name or address.
    pub host: Box<str>,
    /// Its port.
    pub port: u16,
}

/// How far the link to a master is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Link {
    /// There is none.
    #[default]
    Down,
    /// It is being connected.
    Connects,
    /// It is being negotiated how to go on.
    Negotiates,
    /// A snapshot comes.
    Loads,
    /// The stream comes.
    Up,
}

impl Link {
    /// As `ROLE` calls it.
    pub fn name(self) -> &'static str {
        match self {
            Link::Down => "connect",
            Link::Connects => "connecting",
            Link::Negotiates => "handshake",
            Link::Loads => "sync",
            Link::Up => "connected",
        }
    }
}

impl Master {
    /// How it stands with the master.
    pub fn state(&self) -> State {
        self.state.lock().clone()
    }

    /// Whether the stream comes from the master.
    #[inline]
    pub fn is_up(&self) -> bool {
        self.is_up.load(Ordering::Acquire)
    }

    /// Changes how it stands, unless another order has been given since `order`; whether it was changed.
    pub fn update(&self, order: u64, change: impl FnOnce(&mut State)) -> bool {
        let mut state = self.state.lock();
        let is_current = state.order == order;
        if is_current {
            change(&mut state);
            self.is_up.store(state.link == Link::Up, Ordering::Release);
        }
        is_current
    }
}
