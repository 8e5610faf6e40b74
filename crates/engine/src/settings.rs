//! The settings that are looked at while commands run, ready for use.

use crate::clients::Client;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use structures::ranked::RwLock;

/// Settings in the form in which they are used.
#[derive(Debug)]
pub struct Settings {
    /// Most memory for keys, in bytes; zero for any (`maxmemory`).
    pub maxmemory: AtomicU64,
    /// Whether keys may go when memory is short (`maxmemory-policy`).
    pub evicts: AtomicBool,
    /// Longest argument, in bytes (`proto-max-bulk-len`); no longer than every collection can hold it.
    pub bulk_bytes: AtomicI64,
    /// Commands that take as long go to the slow log, in microseconds; none if negative (`slowlog-log-slower-than`).
    pub slowlog_us: AtomicI64,
    /// Most entries of the slow log (`slowlog-max-len`).
    pub slowlog_len: AtomicUsize,
    /// Events that take as long are recorded, in ms; none if zero (`latency-monitor-threshold`).
    pub latency_ms: AtomicI64,
    /// Whether the times that commands take are kept by command (`latency-tracking`).
    pub latency_tracking: AtomicBool,
    /// The percentiles of those times that are told (`latency-tracking-info-percentiles`).
    pub percentiles: RwLock<Box<[f64]>>,
    /// Whether strings are compressed when they are saved (`rdbcompression`).
    pub rdb_compresses: AtomicBool,
    /// Whether files get a checksum, and are compared with it (`rdbchecksum`).
    pub rdb_has_checksum: AtomicBool,
    /// Whether nothing is written while keys cannot be saved (`stop-writes-on-bgsave-error`).
    pub stops_writes: AtomicBool,
    /// Number of databases (`databases`).
    pub databases: AtomicU32,
    /// Most clients (`maxclients`).
    pub maxclients: AtomicU32,
    /// Seconds after which an idle client is closed; none if zero (`timeout`).
    pub timeout_s: AtomicU32,
    /// Seconds after which a silent client is asked whether it is still there; never if zero (`tcp-keepalive`).
    pub keepalive_s: AtomicU32,
    /// What `INFO` tells of the frequency of a task that there is not (`hz`).
    pub hz: AtomicU32,
    /// Who may use `DEBUG` (`enable-debug-command`).
    pub debug_command: Guard,
    /// Who may set parameters that are protected (`enable-protected-configs`).
    pub protected_configs: Guard,
    /// Most bytes received from a client and not processed (`client-query-buffer-limit`).
    pub query_buffer_bytes: AtomicU64,
    /// The password of the default user (`requirepass`).
    pub password: RwLock<Option<Box<[u8]>>>,
    /// Whether clients may not write to a replica (`replica-read-only`).
    pub replica_is_read_only: AtomicBool,
    /// Whether a replica tells what it has while it has lost its master (`replica-serve-stale-data`).
    pub serves_stale: AtomicBool,
    /// Whether a replica leaves it to its master to evict keys (`replica-ignore-maxmemory`).
    pub replica_ignores_maxmemory: AtomicBool,
    /// How many replicas writes need, if any (`min-replicas-to-write`).
    pub least_replicas: AtomicU32,
    /// For how long nothing may have been heard of them, in s (`min-replicas-max-lag`).
    pub most_lag_s: AtomicU32,
    /// How many bytes of replies wait for a client before it is closed, for normal clients, for those that listen to
    /// channels, and for replicas (`client-output-buffer-limit`).
    pub output_limits: [OutputLimit; 3],
}

/// How many bytes of replies may wait for a client.
#[derive(Debug, Default)]
pub struct OutputLimit {
    /// At once; zero for any.
    pub hard_bytes: AtomicU64,
    /// For `soft_s` seconds; zero for any.
    pub soft_bytes: AtomicU64,
    /// See `soft_bytes`.
    pub soft_s: AtomicU64,
}

/// Who may do something dangerous: everybody, if the configuration says nothing.
#[derive(Debug, Default)]
pub struct Guard(AtomicU8);

impl Guard {
    const EVERYBODY: u8 = 0;
    const NOBODY: u8 = 1;
    const LOCAL: u8 = 2;

    /// Sets it to `yes`, `no` or `local`.
    pub fn set(&self, word: &str) {
        let who = match word {
            "yes" => Guard::EVERYBODY,
            "local" => Guard::LOCAL,
            _ => Guard::NOBODY,
        };
        self.0.store(who, Ordering::Relaxed);
    }

    /// Whether a client may.
    pub fn allows(&self, client: &Client) -> bool {
        match self.0.load(Ordering::Relaxed) {
            Guard::EVERYBODY => true,
            Guard::LOCAL => client.peer.ip().is_loopback(),
            _ => false,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            maxmemory: AtomicU64::new(0),
            evicts: AtomicBool::new(false),
            bulk_bytes: AtomicI64::new(512 << 20),
            slowlog_us: AtomicI64::new(10_000),
            slowlog_len: AtomicUsize::new(128),
            latency_ms: AtomicI64::new(0),
            latency_tracking: AtomicBool::new(false),
            percentiles: RwLock::new([50.0, 99.0, 99.9].into()),
            rdb_compresses: AtomicBool::new(true),
            rdb_has_checksum: AtomicBool::new(true),
            stops_writes: AtomicBool::new(true),
            databases: AtomicU32::new(16),
            maxclients: AtomicU32::new(10_000),
            timeout_s: AtomicU32::new(0),
            keepalive_s: AtomicU32::new(0),
            hz: AtomicU32::new(10),
            debug_command: Guard::default(),
            protected_configs: Guard::default(),
            query_buffer_bytes: AtomicU64::new(1 << 30),
            password: RwLock::new(None),
            replica_is_read_only: AtomicBool::new(true),
            serves_stale: AtomicBool::new(true),
            replica_ignores_maxmemory: AtomicBool::new(true),
            least_replicas: AtomicU32::new(0),
            most_lag_s: AtomicU32::new(10),
            output_limits: [
                OutputLimit::default(),
                OutputLimit {
                    hard_bytes: AtomicU64::new(32 << 20),
                    soft_bytes: AtomicU64::new(8 << 20),
                    soft_s: AtomicU64::new(60),
                },
                OutputLimit {
                    hard_bytes: AtomicU64::new(256 << 20),
                    soft_bytes: AtomicU64::new(64 << 20),
                    soft_s: AtomicU64::new(60),
                },
            ],
        }
    }
}

impl Settings {
    /// The shortest duration, in microseconds, that is recorded in the slow log or as an event; none if nothing is.
    #[inline]
    pub(crate) fn notable_us(&self) -> Option<u64> {
        let slow_us = u64::try_from(self.slowlog_us.load(Ordering::Relaxed)).ok();
        match self.latency_ms.load(Ordering::Relaxed) {
            ..=0 => slow_us,
            latency_ms => Some(slow_us.unwrap_or(u64::MAX).min((latency_ms as u64).saturating_mul(1000))),
        }
    }

    /// How many replicas writes need, and for how long nothing may have been heard of them, in s; nothing if they need
    /// none.
    pub fn needs_replicas(&self) -> Option<(usize, i64)> {
        let least = self.least_replicas.load(Ordering::Relaxed) as usize;
        let lag_s = i64::from(self.most_lag_s.load(Ordering::Relaxed));
        (least > 0 && lag_s > 0).then_some((least, lag_s))
    }

    /// The number of databases.
    #[inline]
    pub fn databases(&self) -> u32 {
        self.databases.load(Ordering::Relaxed)
    }

    /// Sets the password of the default user; an empty one is none.
    pub fn set_password(&self, password: &[u8]) {
        *self.password.write() = (!password.is_empty()).then(|| password.into());
    }

    /// Sets how many bytes of replies may wait: hard limit, soft limit and seconds for normal clients, for replicas, and
    /// for those that listen to channels.
    pub fn limit_output(&self, numbers: &[i64]) {
        let [normal, listeners, replicas] = &self.output_limits;
        for (limit, numbers) in [normal, replicas, listeners].into_iter().zip(numbers.chunks_exact(3)) {
            for (place, number) in
                [&limit.hard_bytes, &limit.soft_bytes, &limit.soft_s].into_iter().zip(numbers)
            {
                place.store(*number as u64, Ordering::Relaxed);
            }
        }
    }
}
