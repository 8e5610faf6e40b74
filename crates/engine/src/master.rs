//! The master that a node follows, if it does.
//!
//! What is here is what clients ask for and see; the conversation itself is held by the host, which is told when another
//! master is to be followed, and tells here how far it has come.
//!
//! Lock order: the one lock here is a leaf.

use crate::CommandError;
use crate::clients::{Client, Marks};
use crate::execute::{Worker, settle};
use crate::load::Loading;
use crate::node::{Gates, Node};
use crate::parse;
use keyspace::{Locked, Moment};
use replication::{History, Id, Terms};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use structures::ranked::Mutex;

/// The master that a node follows, if it does; see the module.
#[derive(Debug, Default)]
pub struct Master {
    state: Mutex<State>,
    /// Whether the link is up, as in `state`.
    is_up: AtomicBool,
    /// Whether the master has asked how far the node has come.
    is_asked: AtomicBool,
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
    /// The master itself, if it belongs to the node's owner and runs in this process; see [`Node::stand_by`].
    pub own: Option<Weak<Node>>,
}

impl State {
    /// Whether the stream of this master has never come.
    pub fn never_up(&self) -> bool {
        self.link != Link::Up && self.down_since_ms.is_none()
    }
}

/// The address by which this process reaches what listens at another.
pub fn reachable(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Its name or address.
    pub host: Box<str>,
    /// Its port.
    pub port: u16,
}

impl Address {
    /// An address as commands and the configuration have it.
    ///
    /// # Errors
    /// If the port is none.
    pub(crate) fn parse(host: &[u8], port: &[u8]) -> Result<Address, CommandError> {
        let number = parse::integer(port)?;
        let port = u16::try_from(number).map_err(|_| CommandError::MasterPort)?;
        Ok(Address { host: String::from_utf8_lossy(host).into(), port })
    }
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

    /// The master itself, if it belongs to the node's owner and runs in this process.
    pub fn own(&self) -> Option<Arc<Node>> {
        self.state.lock().own.as_ref().and_then(Weak::upgrade)
    }

    /// Whether there is [`Master::own`].
    pub fn is_own(&self) -> bool {
        self.state.lock().own.is_some()
    }

    /// The master asks how far the node has come.
    pub(crate) fn ask(&self) {
        self.is_asked.store(true, Ordering::Release);
    }

    /// Whether the master has asked how far the node has come, since this was last asked.
    pub fn was_asked(&self) -> bool {
        self.is_asked.swap(false, Ordering::AcqRel)
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

impl Node {
    /// Follows another master from now on, or none: then the node is one itself, and its stream goes on with that of its
    /// master. All shards must be held, so that no command sees a part of the change.
    pub fn follow(&self, held: &mut Locked<'_>, master: Option<Address>) {
        self.follow_one(held, master, None);
    }

    fn follow_one(&self, held: &mut Locked<'_>, master: Option<Address>, own: Option<Weak<Node>>) {
        debug_assert!(held.holds_all());
        let text =
            master.as_ref().map_or_else(String::new, |master| format!("{} {}", master.host, master.port));
        let followed = self.follows();
        let now_ms = self.host.wall_us().div_euclid(1000);
        {
            let mut state = self.master.state.lock();
            if let Some(client) = state.client.take() {
                client.kill();
            }
            let link = if master.is_some() { Link::Connects } else { Link::Down };
            *state = State { address: master.clone(), order: state.order + 1, link, own, ..State::default() };
            self.master.is_up.store(false, Ordering::Release);
        }
        self.set_gates(Gates::FOLLOWS, master.is_some());
        if master.is_some() {
            self.write_stream(held, false);
            self.unblock_all();
        } else if followed {
            let goes_on = self.replicas.branch(self.new_stream_id(), now_ms);
            // They learn that the stream goes by another name, and go on.
            self.replicas.dismiss();
            self.write_stream(held, goes_on);
            self.host.stream_begun();
            // What has expired meanwhile goes now.
            self.schedule_expiry(now_ms);
        }
        self.remember_master(held, &text);
        self.host.master_changed();
    }

    /// Follows a node of the same owner in this process, which is reached at an address, and logs in there by whatever
    /// password is in force: clients that change it do not part the two. All shards must be held.
    pub fn stand_by(&self, held: &mut Locked<'_>, address: Address, master: &Arc<Node>) {
        self.follow_one(held, Some(address), Some(Arc::downgrade(master)));
    }

    /// Follows the master that the configuration names, if it does; to be called when the node begins.
    pub fn follow_configured(&self) {
        let Some(value) = self.configuration.recorded("replicaof") else { return };
        let text = String::from_utf8_lossy(value.text()).into_owned();
        let mut words = text.split_ascii_whitespace();
        if let (Some(host), Some(port)) = (words.next(), words.next())
            && let Ok(address) = Address::parse(host.as_bytes(), port.as_bytes())
        {
            self.follow(&mut self.keyspace.lock_blocking(self.keyspace.all()), Some(address));
        }
    }

    /// Has the configuration tell of the master.
    fn remember_master(&self, held: &mut Locked<'_>, text: &str) {
        let Some(row) = self.configuration.row_of("replicaof") else { return };
        let mut draft = self.configuration.draft();
        if draft.set(row, text.as_bytes()).is_ok() {
            self.configure(held, draft, &[]);
        }
    }

    /// Ends all waits, since a master has become a replica.
    fn unblock_all(&self) {
        for waiter in self.waiters.all() {
            waiter.client.mark(Marks::CLOSING, true);
            if !waiter.give_up(|reply| reply.error(CommandError::RoleChanged.to_wire())) {
                waiter.client.mark(Marks::CLOSING, false);
            }
        }
    }

    /// What the node tells its master.
    pub fn terms(&self) -> Terms {
        let value = |name| self.configuration.recorded(name);
        let text = |name| value(name).map_or_else(Box::default, |value| value.text().into());
        let announced = value("replica-announce-port").map_or(0, |value| value.number());
        let history = self.replicas.view().history;
        let own = self.master.own();
        let (user, password) = match own {
            Some(own) => (Box::default(), own.settings.password.read().clone().unwrap_or_default()),
            None => (text("masteruser"), text("masterauth")),
        };
        Terms {
            user,
            password,
            port: if announced > 0 { announced as u16 } else { self.address.port() },
            address: text("replica-announce-ip"),
            has: Some((history.id(), history.offset())),
            hands_over: self.failover.hands_over(),
        }
    }

    /// Puts what a master has sent in the place of all keys; the stream goes on from here, if the master knows where that
    /// is. Gives the database that is selected there; nothing if another order has been given meanwhile.
    ///
    /// # Errors
    /// The number of a shard that somebody else holds: to be tried again when it is free.
    pub fn adopt(
        &self,
        worker: &mut Worker,
        order: u64,
        loading: &mut Option<Loading>,
        at: Option<(Id, u64)>,
    ) -> Result<Option<u32>, usize> {
        let mut held = self.keyspace.lock(self.keyspace.all())?;
        let Some(loading) = loading.take().filter(|_| self.master.state.lock().order == order) else {
            return Ok(None);
        };
        worker.begin(self);
        worker.begin_command(self);
        let db = loading.position.2.and_then(|db| u32::try_from(db).ok()).unwrap_or(0);
        let history = match at {
            Some((id, offset)) => History::at(id, offset),
            // Nobody else has this stream.
            None => History::new(self.new_stream_id()),
        };
        loading.put_in_place(self, &mut held, &mut worker.effects);
        self.rewrite_replaced();
        self.replicas.adopt(history, db);
        // What they have is of another stream.
        self.replicas.dismiss();
        let moment = Moment { expire: false, ..Moment::at(self.host.wall_us().div_euclid(1000)) };
        drop(settle(self, held, worker, moment, None));
        Ok(Some(db))
    }

    /// The stream goes on from where the node has it, under this id if the master says one. Gives the database that is
    /// selected there.
    pub fn resume(&self, id: Option<Id>) -> u32 {
        let (changed, db) = self.replicas.resumed(id);
        if changed {
            self.replicas.dismiss();
        }
        db
    }
}
