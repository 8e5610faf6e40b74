//! What the configuration says about keys.

use crate::effects::Class;
use structures::{hash, list, set, zset};

/// Which keys go when memory is short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of maxmemory-policy")]
pub enum Policy {
    NoEviction,
    AllKeysLru,
    AllKeysLfu,
    AllKeysRandom,
    VolatileLru,
    VolatileLfu,
    VolatileRandom,
    VolatileTtl,
}

impl Policy {
    /// Whether access clocks hold frequencies rather than times.
    #[inline]
    pub fn is_lfu(self) -> bool {
        matches!(self, Policy::AllKeysLfu | Policy::VolatileLfu)
    }

    /// Whether keys go by their access clocks.
    pub fn uses_clocks(self) -> bool {
        matches!(self, Policy::AllKeysLru | Policy::VolatileLru) || self.is_lfu()
    }

    /// Whether only keys that expire may go.
    #[inline]
    pub fn is_volatile(self) -> bool {
        matches!(
            self,
            Policy::VolatileLru | Policy::VolatileLfu | Policy::VolatileRandom | Policy::VolatileTtl
        )
    }
}

/// What the configuration says about keys; the same in all shards of a node.
#[derive(Clone, Debug)]
pub struct Params {
    /// Events that are recorded (`notify-keyspace-events`).
    pub notify: Class,
    /// Which keys go when memory is short (`maxmemory-policy`).
    pub policy: Policy,
    /// Keys that are looked at for each one that goes (`maxmemory-samples`).
    pub samples: usize,
    /// How slowly frequencies grow (`lfu-log-factor`).
    pub lfu_log_factor: u32,
    /// Minutes after which a frequency is one less (`lfu-decay-time`).
    pub lfu_decay_minutes: u32,
    /// When lists are no longer small.
    pub list: list::Limit,
    /// Whether lists become small again.
    pub list_narrows: bool,
    /// When sets take their next representation.
    pub set: set::Limits,
    /// When hashes become tables.
    pub hash: hash::Limits,
    /// When sorted sets become tables.
    pub zset: zset::Limits,
    /// Most bytes of a stream's node (`stream-node-max-bytes`), zero for any number.
    pub stream_node_bytes: usize,
    /// Most entries of a stream's node (`stream-node-max-entries`), zero for any number.
    pub stream_node_entries: usize,
    /// Longest sparse HyperLogLog, in bytes (`hll-sparse-max-bytes`).
    pub hll_sparse_bytes: usize,
    /// Whether expired keys go by themselves (`DEBUG SET-ACTIVE-EXPIRE`).
    pub active_expire: bool,
    /// Whether expired values are freed elsewhere (`lazyfree-lazy-expire`).
    pub lazy_expire: bool,
    /// Whether evicted values are freed elsewhere (`lazyfree-lazy-eviction`).
    pub lazy_eviction: bool,
    /// Whether values that a command overwrites are freed elsewhere (`lazyfree-lazy-server-del`).
    pub lazy_server_del: bool,
    /// Whether `DEL` frees elsewhere (`lazyfree-lazy-user-del`).
    pub lazy_user_del: bool,
    /// Whether `FLUSHALL` frees elsewhere when not told how (`lazyfree-lazy-user-flush`).
    pub lazy_user_flush: bool,
}

impl Params {
    /// The defaults of the newest release, with hashes keyed by `seed`.
    pub fn new(seed: u64) -> Self {
        Params {
            notify: Class::empty(),
            policy: Policy::NoEviction,
            samples: 5,
            lfu_log_factor: 10,
            lfu_decay_minutes: 1,
            list: list::Limit::Bytes(8192),
            list_narrows: true,
            set: set::Limits { ints: 512, packed_entries: 128, packed_value: 64, seed },
            hash: hash::Limits { packed_entries: 512, packed_value: 64, seed },
            zset: zset::Limits { packed_entries: 128, packed_value: 64, packed_minus_zero: false, seed },
            stream_node_bytes: 4096,
            stream_node_entries: 100,
            hll_sparse_bytes: 3000,
            active_expire: true,
            lazy_expire: false,
            lazy_eviction: false,
            lazy_server_del: false,
            lazy_user_del: false,
            lazy_user_flush: false,
        }
    }
}
