//! A Memcached node of the control plane: what it is to be, and what it has and has done.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use cloud::data_plane::{NodeSpec, OrderError, Statistics};
use cloud::instance::Access;
use cloud::topology::Topology;
use memcached::{Credentials, Node, Policy, Settings};
use server::{Clock, Memcached, MemcachedOrder};
use structures::ranked::Mutex;

/// Items of a node that does not run, in its directory.
const FILE: &str = "memcached.items";
/// The most connections of an instance, as the catalogue says.
const CONNECTIONS: u32 = 10_000;
/// Whoever asks again sooner is told the same rates, in ms.
const INTERVAL_MS: i64 = 1_000;

/// A node, and what it had done when it was asked last.
pub(crate) struct Instance {
    pub(crate) memcached: Memcached,
    clock: Arc<Clock>,
    sample: Mutex<Sample>,
}

/// Bytes that had been read and written at a time, and how many there were in a second before it.
#[derive(Clone, Copy, Default)]
struct Sample {
    at_ms: i64,
    bytes: (u64, u64),
    per_s: (u64, u64),
}

/// What the node of a specification is to be, but for where it listens.
pub(crate) fn order(
    node: &NodeSpec,
    address: std::net::SocketAddr,
    directory: Option<&Path>,
) -> MemcachedOrder {
    let settings = Settings {
        memory_bytes: bytes(node.memory_limit_bytes).into(),
        connections: CONNECTIONS.into(),
        // What the cloud's parameter says unless it is changed (table 6-8).
        policy: Policy::NoEviction.into(),
        ..Settings::default()
    };
    // One that it does not know is nothing that it could be started without.
    for (name, value) in &node.parameters {
        if let Ok(set) = setting(name, value) {
            set(&settings);
        }
    }
    MemcachedOrder {
        address,
        seed: rand::random(),
        settings,
        access: memcached::Access::new(credentials(&node.access, node.access_user.as_deref())),
        has_standby: node.topology == Topology::MasterStandby,
        file: directory.map(|directory| directory.join(FILE)),
    }
}

fn bytes(limit: u64) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

/// What gives a parameter its value.
type Setting = Box<dyn Fn(&Settings)>;

/// What gives a parameter, as the cloud calls it, its value.
///
/// # Errors
/// [`OrderError::Refused`]
fn setting(name: &str, value: &str) -> Result<Setting, OrderError> {
    let refused = || OrderError::Refused(format!("{name} cannot be {value:?}"));
    match name {
        "timeout" => {
            let idle_s: u32 = value.parse().map_err(|_| refused())?;
            Ok(Box::new(move |settings| settings.idle_s.store(idle_s, Relaxed)))
        }
        "maxmemory-policy" => {
            let policy: Policy = value.parse().map_err(|()| refused())?;
            Ok(Box::new(move |settings| settings.policy.store(policy)))
        }
        _ => Err(OrderError::Refused(format!("{name} is no parameter of Memcached"))),
    }
}

/// Who may use a node: everybody, or whoever knows the password, and the name if there is one.
fn credentials(access: &Access, user: Option<&str>) -> Vec<Credentials> {
    let user = user.unwrap_or_default();
    match access {
        Access::Open => Vec::new(),
        Access::Password(password) => {
            vec![Credentials { user: user.to_owned(), password: password.reveal().to_owned() }]
        }
    }
}

impl Instance {
    /// A node that has just been started.
    pub(crate) fn new(memcached: Memcached, clock: &Arc<Clock>) -> Instance {
        let sample = Mutex::new(Sample { at_ms: clock.wall_ms(), ..Sample::default() });
        Instance { memcached, clock: Arc::clone(clock), sample }
    }

    /// Has it run with other values of these parameters from now on, all of them or none; its standby shares them.
    ///
    /// # Errors
    /// [`OrderError`]
    pub(crate) fn configure(
        &self,
        parameters: &[(String, String)],
        memory_limit_bytes: Option<u64>,
    ) -> Result<(), OrderError> {
        let node = self.memcached.node().ok_or(OrderError::NotRunning)?;
        let all = parameters.iter().map(|(name, value)| setting(name, value));
        for set in all.collect::<Result<Vec<_>, _>>()? {
            set(&node.settings);
        }
        if let Some(limit) = memory_limit_bytes {
            node.settings.memory_bytes.store(bytes(limit), Relaxed);
        }
        node.clients.wake();
        Ok(())
    }

    /// Has clients prove in another way who they are; its standby shares it.
    ///
    /// # Errors
    /// [`OrderError::NotRunning`]
    pub(crate) fn set_access(&self, access: &Access, user: Option<&str>) -> Result<(), OrderError> {
        let node = self.memcached.node().ok_or(OrderError::NotRunning)?;
        node.access.set(credentials(access, user));
        Ok(())
    }

    /// What its items may take.
    pub(crate) fn memory_limit_bytes(&self) -> Option<u64> {
        Some(self.memcached.node()?.settings.memory_bytes.load(Relaxed) as u64)
    }

    /// What it has and has done.
    pub(crate) fn statistics(&self) -> Option<Statistics> {
        let node = self.memcached.node()?;
        let counts = node.all_counts();
        let bytes = node.clients.bytes();
        let rates = self.rates(bytes);
        let busy_ns = u128::from(node.clients.busy_ticks()) * u128::from(self.clock.ns_per_giga_tick());
        Some(Statistics {
            used_memory_bytes: node.used_bytes() as u64,
            clients: node.clients.len() as u64,
            commands: counts.cmd_get
                + counts.cmd_set
                + counts.cmd_touch
                + counts.delete_hits
                + counts.delete_misses
                + counts.incr_hits
                + counts.incr_misses
                + counts.decr_hits
                + counts.decr_misses
                + node.traffic.cmd_flush.load(Relaxed),
            gets: counts.cmd_get,
            sets: counts.cmd_set,
            input_bytes: bytes.0,
            output_bytes: bytes.1,
            input_bytes_per_s: rates.0,
            output_bytes_per_s: rates.1,
            busy_us: u64::try_from(busy_ns / 1_000_000_000_000).unwrap_or(u64::MAX),
        })
    }

    /// Bytes that are read and written in a second, since it was asked last.
    fn rates(&self, bytes: (u64, u64)) -> (u64, u64) {
        let mut sample = self.sample.lock();
        let now_ms = self.clock.wall_ms();
        let passed_ms = now_ms - sample.at_ms;
        if passed_ms >= INTERVAL_MS {
            let per_s = |now: u64, before: u64| now.saturating_sub(before) * 1000 / passed_ms.unsigned_abs();
            let per_s = (per_s(bytes.0, sample.bytes.0), per_s(bytes.1, sample.bytes.1));
            *sample = Sample { at_ms: now_ms, bytes, per_s };
        }
        sample.per_s
    }
}

/// Removes all items of a node.
///
/// # Errors
/// [`OrderError::NotRunning`]
pub(crate) async fn flush(node: Option<Arc<Node>>, clock: &Clock) -> Result<(), OrderError> {
    let node = node.ok_or(OrderError::NotRunning)?;
    while let Err(shard) = node.flush(0, node.clock.at(clock.wall_ms())) {
        std::future::poll_fn(|cx| node.poll_free(shard, cx)).await;
    }
    Ok(())
}
