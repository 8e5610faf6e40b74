//! A Redis node: one server's keys, clients and settings.

use crate::append_file::AppendFile;
use crate::append_rewrite::Rewriting;
use crate::blocking::Waiters;
use crate::clients::Clients;
use crate::cluster::{ClusterMap, Member, Seat};
use crate::configuration::{BadParameter, Configuration};
use crate::failover::Failover;
use crate::feed::Feed;
use crate::host::Host;
use crate::latency::{self, Latency};
use crate::master::Master;
use crate::migration::Flights;
use crate::monitors::Monitors;
use crate::pause::Pause;
use crate::pubsub::PubSub;
use crate::replicas::Replicas;
use crate::saving::Saving;
use crate::settings::Settings;
use crate::slowlog::SlowLog;
use crate::stats::Stats;
use crate::table::{Entry, Names, Table};
use command::Release;
use keyspace::{Keyspace, Shard};
use rdb::Library;
use replication::Id;
use sha1::{Digest, Sha1};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use structures::ranked::{Mutex, RwLock};

/// What a client takes that neither sends nor receives, in bytes: by how much the process grows with each of thousands.
pub const CLIENT_BYTES: usize = 3072;

bitflags::bitflags! {
    /// What keeps commands from being run without further checks.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Gates: u32 {
        /// Memory is limited.
        const MAXMEMORY = 1 << 0;
        /// Somebody wants to see all commands.
        const MONITORS = 1 << 1;
        /// Clients are not served for a while.
        const PAUSED = 1 << 2;
        /// Keys are being loaded.
        const LOADING = 1 << 3;
        /// Keys could not be saved, and nothing is to be written until they can.
        const UNSAVED = 1 << 4;
        /// The node follows a master.
        const FOLLOWS = 1 << 5;
        /// Writes need so many replicas.
        const REPLICAS = 1 << 6;
        /// Keys are on their way to other servers.
        const IN_FLIGHT = 1 << 7;
        /// Changes could not be appended to the file, and nothing is to be written until they can.
        const APPEND_FAILS = 1 << 8;
        /// Another node has taken its place: whatever has been let in does not run any more, and its client comes again.
        const RETIRED = 1 << 9;
    }
}

/// What a node is made of.
#[derive(Debug)]
pub struct Spec {
    /// The release that it imitates.
    pub release: Release,
    /// Lock stripes: a power of two, at most [`keyspace::locked::MAX_SHARDS`].
    pub shards: usize,
    /// Worker threads that serve its connections.
    pub workers: usize,
    /// Keys hashes and random choices.
    pub seed: u64,
    /// Where it listens.
    pub address: SocketAddr,
    /// Parameters and their values, as a configuration file has them.
    pub config: Vec<(String, String)>,
    /// Where its files lie, unless `dir` says otherwise; without one it writes none.
    pub directory: Option<PathBuf>,
    /// Its place in a cluster that is there already. A node whose configuration says that it is one of a cluster, and
    /// that has no place, begins a cluster of its own.
    pub seat: Option<Seat>,
    /// Commands, and subcommands as `container|subcommand`, that its clients do not know, but for those of its own process.
    pub withheld: &'static [&'static str],
}

/// A Redis node; see the module.
pub struct Node {
    /// The release that it imitates.
    pub release: Release,
    /// Its keys.
    pub keyspace: Keyspace,
    /// Its configuration.
    pub configuration: Configuration,
    /// Its settings: what of the configuration is looked at while commands run.
    pub settings: Settings,
    /// Its clients.
    pub clients: Clients,
    /// Clients that wait for keys.
    pub waiters: Waiters,
    /// Keys on their way to other servers.
    pub flights: Arc<Flights>,
    /// The stream of changes.
    pub feed: Feed,
    /// Its replicas, and what they get of the stream.
    pub replicas: Arc<Replicas>,
    /// How far it is with handing over to a replica.
    pub failover: Failover,
    /// The master that it follows, if it does.
    pub master: Master,
    /// Channels and those who listen, which nodes behind a proxy have in common.
    pub pubsub: Arc<PubSub>,
    /// Clients that see all commands.
    pub monitors: Monitors,
    /// The pause in which clients are not served.
    pub pause: Pause,
    /// Its statistics.
    pub stats: Stats,
    /// Commands that took long, which nodes behind a proxy have in common.
    pub slowlog: Arc<SlowLog>,
    /// Events that took long.
    pub latency: Latency,
    /// The world that it runs in.
    pub host: Arc<dyn Host>,
    /// Commands by name.
    pub names: Arc<Names>,
    /// The same, with those that only clients of its own process know.
    pub own_names: Arc<Names>,
    /// Commands and subcommands that other clients do not know.
    withheld: &'static [&'static str],
    /// When it began, in microseconds since the epoch.
    pub started_us: i64,
    /// Where it listens.
    pub address: SocketAddr,
    /// How saving stands.
    pub saving: Saving,
    /// The file to which changes are appended.
    pub append_file: AppendFile,
    /// How rewriting it stands.
    pub rewriting: Rewriting,
    /// Libraries of functions that came with the keys, and go with them.
    pub libraries: Mutex<Vec<Library<'static>>>,
    pub(crate) directory: RwLock<Option<PathBuf>>,
    /// Its part in a cluster, if it has one.
    pub member: Option<Arc<Member>>,
    seed: u64,
    /// What it takes without keys and clients, in bytes.
    startup_bytes: usize,
    gates: AtomicU32,
    /// The streams that it has begun.
    streams: AtomicU32,
    /// Ticks in a microsecond, rather too few than too many.
    ticks_per_us: u64,
    /// When the host has been asked to let keys expire, in ms since the epoch.
    expire_at_ms: AtomicI64,
}

impl Node {
    /// A node without keys or clients.
    ///
    /// # Errors
    /// [`BadParameter`], if it does not take its configuration.
    pub fn new(spec: &Spec, host: Arc<dyn Host>) -> Result<Self, BadParameter> {
        let directory =
            spec.directory.as_ref().map_or_else(|| host.directory(), |path| path.display().to_string());
        let (ip, port) = (spec.address.ip().to_string(), spec.address.port().to_string());
        let is_seated = if spec.seat.is_some() { "yes" } else { "no" };
        let known =
            [("bind", ip.as_str()), ("port", &port), ("dir", &directory), ("cluster-enabled", is_seated)];
        let configuration = Configuration::new(spec.release, &known, &spec.config)?;
        let ticks_per_us = 900_000_000_000 / host.ns_per_giga_tick().max(1);
        let stats = Stats::new(spec.workers, spec.release);
        let own_names = renamed(Table::of(spec.release).shared_names(), &configuration)?;
        let names = without(&own_names, spec.withheld);
        let mut node = Node {
            release: spec.release,
            keyspace: Keyspace::new(spec.shards, spec.seed, Arc::new(configuration.params(spec.seed))),
            configuration,
            settings: Settings::default(),
            clients: Clients::default(),
            waiters: Waiters::default(),
            flights: Arc::default(),
            feed: Feed::default(),
            replicas: Arc::new(Replicas::new(Id::NONE)),
            failover: Failover::default(),
            master: Master::default(),
            pubsub: Arc::default(),
            monitors: Monitors::default(),
            pause: Pause::default(),
            startup_bytes: size_of::<Node>() + stats.heap_bytes() + spec.shards * size_of::<Shard>(),
            stats,
            slowlog: Arc::default(),
            latency: Latency::default(),
            saving: Saving::new(host.wall_us().div_euclid(1_000_000)),
            append_file: AppendFile::default(),
            rewriting: Rewriting::default(),
            libraries: Mutex::default(),
            directory: RwLock::new(spec.directory.clone()),
            started_us: host.wall_us(),
            address: spec.address,
            member: None,
            seed: spec.seed,
            host,
            names,
            own_names,
            withheld: spec.withheld,
            gates: AtomicU32::new(0),
            streams: AtomicU32::new(0),
            ticks_per_us,
            expire_at_ms: AtomicI64::new(i64::MAX),
        };
        node.replicas.rename(node.new_stream_id());
        let wanted = node.configuration.named("cluster-enabled").is_some_and(|value| value.is_on());
        if wanted || spec.seat.is_some() {
            node.member = Some(node.join(spec));
        }
        node.configuration.apply(&node);
        Ok(node)
    }

    /// Takes the node's place in a cluster.
    fn join(&self, spec: &Spec) -> Arc<Member> {
        let mut locked = self.keyspace.lock_blocking(self.keyspace.all());
        locked.iter_mut().for_each(Shard::index_slots);
        let member = match &spec.seat {
            Some(Seat { map, id, shard_id, replica_of }) => {
                map.add(id.clone(), shard_id.clone(), replica_of.as_deref(), true)
            }
            None => {
                let map: Arc<ClusterMap> = Arc::default();
                map.add(self.identity("cluster"), self.identity("shard"), None, false)
            }
        };
        member.announce(|record| {
            record.port = spec.address.port();
            record.bound = spec.address.ip();
        });
        member
    }

    /// Whether clients do not know a subcommand, but for those of its own process.
    pub(crate) fn withholds(&self, container: &Entry, subcommand: &Entry) -> bool {
        self.withheld.iter().any(|withheld| {
            withheld
                .split_once('|')
                .is_some_and(|(own, sub)| own == container.record.name && sub == subcommand.record.name)
        })
    }

    /// What keeps commands from being run without further checks.
    #[inline]
    pub fn gates(&self) -> Gates {
        Gates::from_bits_retain(self.gates.load(Ordering::Relaxed))
    }

    /// Puts up or takes down gates.
    pub fn set_gates(&self, gates: Gates, up: bool) {
        if up {
            self.gates.fetch_or(gates.bits(), Ordering::Relaxed);
        } else {
            self.gates.fetch_and(!gates.bits(), Ordering::Relaxed);
        }
    }

    /// Ticks from which on it may have to be recorded that something took as long.
    #[inline]
    pub(crate) fn notable_ticks(&self) -> u64 {
        self.settings.notable_us().map_or(u64::MAX, |us| us.saturating_mul(self.ticks_per_us))
    }

    /// A number of ticks, in microseconds.
    pub fn ticks_to_us(&self, ticks: u64) -> i64 {
        (u128::from(ticks) * u128::from(self.host.ns_per_giga_tick()) / 1_000_000_000_000) as i64
    }

    /// Records that something took so long, if that is wanted.
    pub(crate) fn record_latency(&self, event: latency::Event, took_us: i64) {
        let least_ms = self.settings.latency_ms.load(Ordering::Relaxed);
        let took_ms = took_us / 1000;
        if least_ms > 0 && took_ms >= least_ms {
            self.latency.add(event, self.now_s(), took_ms);
        }
    }

    /// The memory in use, in bytes: what keys take, the node itself, and its clients, but for what they have sent or
    /// are to receive. This is what is limited.
    #[inline]
    pub fn used_bytes(&self) -> usize {
        self.keyspace.used_bytes() + self.own_bytes()
    }

    /// The memory that the node itself and its clients take, in bytes.
    #[inline]
    pub fn own_bytes(&self) -> usize {
        self.startup_bytes + self.clients.len() * CLIENT_BYTES
    }

    /// The memory that the node took when it began, in bytes.
    pub fn startup_bytes(&self) -> usize {
        self.startup_bytes
    }

    /// Forty hexadecimal digits that tell the node from all others, one such number for each `purpose`.
    pub fn identity(&self, purpose: &str) -> String {
        let mut digest = Sha1::new();
        for part in [&self.seed.to_le_bytes()[..], &self.started_us.to_le_bytes(), purpose.as_bytes()] {
            digest.update(part);
        }
        digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// An id for a stream that it begins.
    pub(crate) fn new_stream_id(&self) -> Id {
        let number = self.streams.fetch_add(1, Ordering::Relaxed);
        Id::parse(self.identity(&format!("stream {number}")).as_bytes()).expect("identities are ids")
    }

    /// Puts up or takes down the gate for writes that need replicas.
    pub(crate) fn gate_writes_by_replicas(&self) {
        self.set_gates(Gates::REPLICAS, self.settings.needs_replicas().is_some());
    }

    /// Whether the node follows a master.
    #[inline]
    pub fn follows(&self) -> bool {
        self.gates().contains(Gates::FOLLOWS)
    }

    /// Limits the memory in use, in bytes; zero for no limit.
    pub(crate) fn limit_memory(&self, bytes: u64) {
        self.settings.maxmemory.store(bytes, Ordering::Relaxed);
        self.set_gates(Gates::MAXMEMORY, bytes > 0);
    }

    /// Sets the seconds after which an idle client is closed. Those that are idle begin to wait anew.
    pub(crate) fn set_timeout(&self, seconds: u32) {
        if self.settings.timeout_s.swap(seconds, Ordering::Relaxed) != seconds {
            self.clients.all().iter().for_each(|client| client.wake());
        }
    }

    /// Asks the host to let keys expire at this time, unless it will do so before.
    pub(crate) fn schedule_expiry(&self, due_ms: i64) {
        if self.expire_at_ms.fetch_min(due_ms, Ordering::Relaxed) > due_ms {
            self.host.expire_at(due_ms);
        }
    }

    /// Forgets when the host was asked to let keys expire: it is about to do so, and will be asked again.
    pub fn begin_expiry(&self) {
        self.expire_at_ms.store(i64::MAX, Ordering::Relaxed);
    }

    /// Asks the host to let keys expire at this time.
    pub fn end_expiry(&self, next_ms: Option<i64>) {
        if let Some(next_ms) = next_ms {
            self.schedule_expiry(next_ms);
        }
    }
}

/// Commands but for those that are withheld.
fn without(names: &Arc<Names>, withheld: &[&str]) -> Arc<Names> {
    if withheld.is_empty() {
        return Arc::clone(names);
    }
    let mut names = Names::clone(names);
    names.retain(|_, entry| !withheld.contains(&entry.record.name));
    Arc::new(names)
}

/// Commands by the names that the configuration gives them.
fn renamed(names: &Arc<Names>, configuration: &Configuration) -> Result<Arc<Names>, BadParameter> {
    let renames = configuration.named("rename-command");
    let pairs = renames.as_ref().map_or(&[][..], |value| value.pairs());
    if pairs.is_empty() {
        return Ok(Arc::clone(names));
    }
    let mut names = Names::clone(names);
    for (command, name) in pairs {
        let bad = |reason: String| BadParameter { name: "rename-command".into(), reason };
        let (command, name) = (command.to_ascii_lowercase(), name.to_ascii_lowercase());
        let entry = names.remove(command.as_bytes());
        let entry = entry.ok_or_else(|| bad(format!("takes a command, not {command:?}")))?;
        if name.is_empty() {
            continue;
        }
        if names.insert(name.as_bytes().into(), entry).is_some() {
            return Err(bad(format!("takes a name that no command has, not {name:?}")));
        }
    }
    Ok(Arc::new(names))
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").field("release", &self.release).finish_non_exhaustive()
    }
}
