//! The parameters of a node's configuration, one record each, in the order of their names.
//!
//! Values, ranges and whether a parameter can be set while the node runs were observed on redis-server 7.0; names and
//! defaults of all releases are compared with real servers' in `tests/facts/config-*.json`. A parameter without `keys`
//! and `apply` has no effect here: it is remembered and told.

use crate::Node;
use crate::append_file::Policy as AppendPolicy;
use crate::cluster::{Member, NodeRecord};
use crate::error::BadValue;
use crate::parameter::{BASE, Former, Kind, Parameter, Settable, Value};
use crate::special_values::{
    EVENTS, HOST_NAME, MASTER, OOM_SCORES, OUTPUT_LIMITS, PERCENTILES, RENAMES, SAVE_POINTS, TITLE,
};
use command::{Release, v};
use keyspace::Policy;
use std::sync::atomic::Ordering::Relaxed;
use structures::list::Limit;
use structures::packed;

const INT: i64 = i32::MAX as i64;
const LONG: u64 = i64::MAX as u64;
const SWITCH: Kind = Kind::Switch;
/// A number that is not negative.
const INTEGER: Kind = Kind::Integer { min: 0, max: INT };
/// A number that is not negative, and may be large.
const COUNT: Kind = Kind::Integer { min: 0, max: i64::MAX };
/// A number of bytes.
const SIZE: Kind = Kind::Memory { min: 0, max: LONG };
const PORT: Kind = Kind::Integer { min: 0, max: 65_535 };
/// Who may do something dangerous.
const GUARD: Kind = Kind::Word(&["no", "yes", "local"]);
const SHUTDOWN: Kind = Kind::Words(&["default", "save", "nosave", "now", "force"]);

/// The parameters of all releases.
pub static RECORDS: &[Parameter] = &[
    Parameter {
        name: "acl-pubsub-default",
        since: v(6, 2, 0),
        kind: Kind::Word(&["allchannels", "resetchannels"]),
        default: "resetchannels",
        former: &[Former::before(Release::V7_0).default("allchannels")],
        ..BASE
    },
    Parameter { name: "aclfile", since: v(6, 2, 0), settable: Settable::Start, ..BASE },
    Parameter { name: "acllog-max-len", since: v(6, 2, 0), kind: COUNT, default: "128", ..BASE },
    Parameter {
        name: "active-defrag-cycle-max",
        since: v(4, 0, 0),
        kind: Kind::Integer { min: 1, max: 99 },
        default: "25",
        former: &[Former::before(Release::V6_2).default("75")],
        ..BASE
    },
    Parameter {
        name: "active-defrag-cycle-min",
        since: v(4, 0, 0),
        kind: Kind::Integer { min: 1, max: 99 },
        default: "1",
        former: &[Former::before(Release::V6_2).default("5"), Former::before(Release::V5_0).default("25")],
        ..BASE
    },
    Parameter {
        name: "active-defrag-ignore-bytes",
        since: v(4, 0, 0),
        kind: Kind::Memory { min: 1, max: LONG },
        default: "104857600",
        ..BASE
    },
    Parameter {
        name: "active-defrag-max-scan-fields",
        since: v(5, 0, 0),
        kind: Kind::Integer { min: 1, max: i64::MAX },
        default: "1000",
        ..BASE
    },
    Parameter {
        name: "active-defrag-threshold-lower",
        since: v(4, 0, 0),
        kind: Kind::Integer { min: 0, max: 1000 },
        default: "10",
        ..BASE
    },
    Parameter {
        name: "active-defrag-threshold-upper",
        since: v(4, 0, 0),
        kind: Kind::Integer { min: 0, max: 1000 },
        default: "100",
        ..BASE
    },
    Parameter {
        name: "active-expire-effort",
        since: v(6, 2, 0),
        kind: Kind::Integer { min: 1, max: 10 },
        default: "1",
        ..BASE
    },
    Parameter {
        name: "activedefrag",
        since: v(4, 0, 0),
        kind: SWITCH,
        default: "no",
        adopt: |_, value| only_off(value, BadValue::NoDefragmentation),
        ..BASE
    },
    Parameter { name: "activerehashing", kind: SWITCH, default: "yes", ..BASE },
    Parameter {
        name: "always-show-logo",
        since: v(6, 2, 0),
        kind: SWITCH,
        default: "no",
        settable: Settable::Start,
        ..BASE
    },
    Parameter {
        name: "aof-disable-auto-gc",
        since: v(7, 0, 0),
        kind: SWITCH,
        default: "no",
        unlisted_since: Some(v(7, 2, 0)),
        ..BASE
    },
    Parameter { name: "aof-load-truncated", kind: SWITCH, default: "yes", ..BASE },
    Parameter {
        name: "aof-rewrite-cpulist",
        renamed: Some(("aof_rewrite_cpulist", v(7, 4, 0))),
        since: v(6, 2, 0),
        settable: Settable::Start,
        ..BASE
    },
    Parameter { name: "aof-rewrite-incremental-fsync", kind: SWITCH, default: "yes", ..BASE },
    Parameter {
        name: "aof-timestamp-enabled",
        since: v(7, 0, 0),
        kind: SWITCH,
        default: "no",
        apply: |node, value| node.rewriting.notes_time.store(value.is_on(), Relaxed),
        ..BASE
    },
    Parameter {
        name: "aof-use-rdb-preamble",
        since: v(4, 0, 0),
        kind: SWITCH,
        default: "yes",
        former: &[Former::before(Release::V5_0).default("no")],
        ..BASE
    },
    Parameter {
        name: "appenddirname",
        since: v(7, 0, 0),
        default: "appendonlydir",
        settable: Settable::Start,
        ..BASE
    },
    Parameter {
        name: "appendfilename",
        since: v(6, 2, 0),
        default: "appendonly.aof",
        settable: Settable::Start,
        ..BASE
    },
    Parameter {
        name: "appendfsync",
        kind: Kind::Word(&["everysec", "always", "no"]),
        default: "everysec",
        apply: |node, value| {
            node.append_file.set_policy(match value.word() {
                "always" => AppendPolicy::Always,
                "no" => AppendPolicy::Never,
                _ => AppendPolicy::EverySecond,
            });
        },
        ..BASE
    },
    Parameter {
        name: "appendonly",
        kind: SWITCH,
        default: "no",
        apply: |node, value| node.want_append_file(value.is_on()),
        ..BASE
    },
    Parameter {
        name: "auto-aof-rewrite-min-size",
        kind: SIZE,
        default: "67108864",
        apply: |node, value| node.rewriting.least_bytes.store(value.number(), Relaxed),
        ..BASE
    },
    Parameter {
        name: "auto-aof-rewrite-percentage",
        kind: INTEGER,
        default: "100",
        apply: |node, value| node.rewriting.growth_percent.store(value.number(), Relaxed),
        ..BASE
    },
    Parameter {
        name: "bgsave-cpulist",
        renamed: Some(("bgsave_cpulist", v(7, 4, 0))),
        since: v(6, 2, 0),
        settable: Settable::Start,
        ..BASE
    },
    Parameter {
        name: "bind",
        default: "127.0.0.1",
        settable: Settable::Since(v(6, 2, 0)),
        adopt: |old, value| only_as_it_is(old, value, BadValue::CannotBind),
        ..BASE
    },
    Parameter { name: "bind-source-addr", since: v(7, 0, 0), ..BASE },
    Parameter {
        name: "bio-cpulist",
        renamed: Some(("bio_cpulist", v(7, 4, 0))),
        since: v(6, 2, 0),
        settable: Settable::Start,
        ..BASE
    },
    Parameter {
        name: "busy-reply-threshold",
        renamed: Some(("lua-time-limit", v(7, 0, 0))),
        kind: COUNT,
        default: "5000",
        ..BASE
    },
    Parameter {
        name: "client-output-buffer-limit",
        kind: Kind::Special(&OUTPUT_LIMITS),
        default: "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
        apply: |node, value| {
            node.settings.limit_output(value.numbers());
            node.replicas.limit(node.settings.output_limits[2].hard_bytes.load(Relaxed));
        },
        ..BASE
    },
    Parameter {
        name: "client-query-buffer-limit",
        since: v(4, 0, 0),
        kind: Kind::Memory { min: 1 << 20, max: LONG },
        default: "1073741824",
        apply: |node, value| node.settings.query_buffer_bytes.store(value.number(), Relaxed),
        ..BASE
    },
    Parameter {
        name: "cluster-allow-pubsubshard-when-down",
        since: v(7, 0, 0),
        kind: SWITCH,
        default: "yes",
        apply: |node, value| {
            as_member(node, |member| member.channels_when_down.store(value.is_on(), Relaxed))
        },
        ..BASE
    },
    Parameter {
        name: "cluster-allow-reads-when-down",
        since: v(6, 2, 0),
        kind: SWITCH,
        default: "no",
        apply: |node, value| as_member(node, |member| member.reads_when_down.store(value.is_on(), Relaxed)),
        ..BASE
    },
    Parameter {
        name: "cluster-allow-replica-migration",
        since: v(6, 2, 0),
        kind: SWITCH,
        default: "yes",
        ..BASE
    },
    Parameter {
        name: "cluster-announce-bus-port",
        since: v(4, 0, 0),
        kind: PORT,
        default: "0",
        apply: |node, value| announce(node, |record| record.announced_bus_port = value.number() as u16),
        ..BASE
    },
    Parameter {
        name: "cluster-announce-hostname",
        since: v(7, 0, 0),
        kind: Kind::Special(&HOST_NAME),
        apply: |node, value| announce(node, |record| record.hostname = text(value)),
        ..BASE
    },
    Parameter { name: "cluster-announce-human-nodename", since: v(7, 2, 0), ..BASE },
    Parameter {
        name: "cluster-announce-ip",
        since: v(4, 0, 0),
        apply: |node, value| announce(node, |record| record.announced_ip = text(value)),
        ..BASE
    },
    Parameter {
        name: "cluster-announce-port",
        since: v(4, 0, 0),
        kind: PORT,
        default: "0",
        apply: |node, value| announce(node, |record| record.announced_port = value.number() as u16),
        ..BASE
    },
    Parameter { name: "cluster-announce-tls-port", since: v(6, 2, 0), kind: PORT, default: "0", ..BASE },
    Parameter {
        name: "cluster-config-file",
        since: v(7, 0, 0),
        default: "nodes.conf",
        settable: Settable::Start,
        ..BASE
    },
    Parameter {
        name: "cluster-enabled",
        until: Some(v(6, 2, 0)),
        kind: SWITCH,
        default: "no",
        settable: Settable::Directive,
        ..BASE
    },
    Parameter {
        name: "cluster-enabled",
        since: v(6, 2, 0),
        kind: SWITCH,
        default: "no",
        settable: Settable::Start,
        ..BASE
    },
    Parameter {
        name: "cluster-link-sendbuf-limit",
        since: v(7, 0, 0),
        kind: Kind::Memory { min: 0, max: u64::MAX },
        default: "0",
        ..BASE
    },
    Parameter { name: "cluster-migration-barrier", kind: INTEGER, default: "1", ..BASE },
    Parameter { name: "cluster-node-timeout", kind: COUNT, default: "15000", ..BASE },
    Parameter {
        name: "cluster-port",
        since: v(7, 0, 0),
        kind: PORT,
        default: "0",
        settable: Settable::Start,
        ..BASE
    },
    Parameter {
        name: "cluster-preferred-endpoint-type",
        since: v(7, 0, 0),
        kind: Kind::Word(&["ip", "hostname", "unknown-endpoint"]),
        default: "ip",
        apply: |node, value| as_member(node, |member| member.prefer(value.word())),
        ..BASE
    },
    Parameter {
        name: "cluster-replica-no-failover",
        renamed: Some(("cluster-slave-no-failover", v(5, 0, 0))),
        since: v(4, 0, 0),
        kind: SWITCH,
        default: "no",
        ..BASE
    },
    Parameter {
        name: "cluster-replica-validity-factor",
        renamed: Some(("cluster-slave-validity-factor", v(5, 0, 0))),
        kind: INTEGER,
        default: "10",
        ..BASE
    },
    Parameter {
        name: "cluster-require-full-coverage",
        kind: SWITCH,
        default: "yes",
        apply: |node, value| as_member(node, |member| member.needs_coverage.store(value.is_on(), Relaxed)),
        ..BASE
    },
    Parameter { name: "crash-log-enabled", since: v(6, 2, 0), kind: SWITCH, default: "yes", ..BASE },
    Parameter { name: "crash-memcheck-enabled", since: v(6, 2, 0), kind: SWITCH, default: "yes", ..BASE },
    Parameter { name: "daemonize", kind: SWITCH, default: "no", settable: Settable::Start, ..BASE },
    Parameter {
        name: "databases",
        kind: Kind::Integer { min: 1, max: INT },
        default: "16",
        settable: Settable::Start,
        apply: |node, value| node.settings.databases.store(value.number() as u32, Relaxed),
        ..BASE
    },
    Parameter {
        name: "dbfilename",
        default: "dump.rdb",
        settable: Settable::Protected,
        adopt: |_, value| if value.text().contains(&b'/') { Err(BadValue::NotAFileName) } else { Ok(value) },
        ..BASE
    },
    Parameter {
        name: "dir",
        default: "/",
        settable: Settable::Protected,
        adopt: |_, value| directory(&value),
        ..BASE
    },
    Parameter {
        name: "disable-thp",
        since: v(6, 2, 0),
        kind: SWITCH,
        default: "yes",
        settable: Settable::Start,
        ..BASE
    },
    Parameter { name: "dynamic-hz", since: v(5, 0, 0), kind: SWITCH, default: "yes", ..BASE },
    Parameter {
        name: "enable-debug-command",
        since: v(7, 0, 0),
        kind: GUARD,
        default: "no",
        settable: Settable::Start,
        apply: |node, value| node.settings.debug_command.set(value.word()),
        ..BASE
    },
    Parameter {
        name: "enable-module-command",
        since: v(7, 0, 0),
        kind: GUARD,
        default: "no",
        settable: Settable::Start,
        ..BASE
    },
    Parameter {
        name: "enable-protected-configs",
        since: v(7, 0, 0),
        kind: GUARD,
        default: "no",
        settable: Settable::Start,
        apply: |node, value| node.settings.protected_configs.set(value.word()),
        ..BASE
    },
    Parameter {
        name: "gopher-enabled",
        since: v(6, 2, 0),
        until: Some(v(7, 0, 0)),
        kind: SWITCH,
        default: "no",
        ..BASE
    },
    Parameter {
        name: "hash-max-listpack-entries",
        renamed: Some(("hash-max-ziplist-entries", v(7, 0, 0))),
        kind: COUNT,
        default: "512",
        keys: |params, value| params.hash.packed_entries = value.size(),
        ..BASE
    },
    Parameter {
        name: "hash-max-listpack-value",
        renamed: Some(("hash-max-ziplist-value", v(7, 0, 0))),
        kind: SIZE,
        default: "64",
        keys: |params, value| params.hash.packed_value = value.size(),
        ..BASE
    },
    Parameter { name: "hide-user-data-from-log", since: v(7, 4, 0), kind: SWITCH, default: "no", ..BASE },
    Parameter {
        name: "hll-sparse-max-bytes",
        kind: SIZE,
        default: "3000",
        keys: |params, value| params.hll_sparse_bytes = value.size(),
        ..BASE
    },
    Parameter {
        name: "hz",
        kind: INTEGER,
        default: "10",
        adopt: |_, value| Ok(Value::Integer(value.integer().clamp(1, 500))),
        apply: |node, value| node.settings.hz.store(value.number() as u32, Relaxed),
        ..BASE
    },
    Parameter { name: "ignore-warnings", since: v(6, 2, 0), ..BASE },
    Parameter {
        name: "io-threads",
        since: v(6, 2, 0),
        kind: Kind::Integer { min: 1, max: 128 },
        default: "1",
        settable: Settable::Start,
        ..BASE
    },
    Parameter {
        name: "io-threads-do-reads",
        since: v(6, 2, 0),
        kind: SWITCH,
        default: "no",
        settable: Settable::Start,
        ..BASE
    },
    Parameter { name: "jemalloc-bg-thread", since: v(6, 2, 0), kind: SWITCH, default: "yes", ..BASE },
    Parameter {
        name: "key-load-delay",
        since: v(6, 2, 0),
        kind: Kind::Integer { min: -(1 << 31), max: INT },
        default: "0",
        unlisted_since: Some(v(7, 0, 0)),
        ..BASE
    },
    Parameter {
        name: "latency-monitor-threshold",
        kind: COUNT,
        default: "0",
        apply: |node, value| node.settings.latency_ms.store(value.integer(), Relaxed),
        ..BASE
    },
    Parameter {
        name: "latency-tracking",
        since: v(7, 0, 0),
        kind: SWITCH,
        default: "yes",
        apply: |node, value| node.settings.latency_tracking.store(value.is_on(), Relaxed),
        ..BASE
    },
    Parameter {
        name: "latency-tracking-info-percentiles",
        since: v(7, 0, 0),
        kind: Kind::Special(&PERCENTILES),
        default: "50 99 99.9",
        apply: |node, value| *node.settings.percentiles.write() = value.decimals().into(),
        ..BASE
    },
    Parameter {
        name: "lazyfree-lazy-eviction",
        since: v(4, 0, 0),
        kind: SWITCH,
        default: "no",
        keys: |params, value| params.lazy_eviction = value.is_on(),
        ..BASE
    },
    Parameter {
        name: "lazyfree-lazy-expire",
        since: v(4, 0, 0),
        kind: SWITCH,
        default: "no",
        keys: |params, value| params.lazy_expire = value.is_on(),
        ..BASE
    },
    Parameter {
        name: "lazyfree-lazy-server-del",
        since: v(4, 0, 0),
        kind: SWITCH,
        default: "no",
        keys: |params, value| params.lazy_server_del = value.is_on(),
        ..BASE
    },
    Parameter {
        name: "lazyfree-lazy-user-del",
        since: v(6, 2, 0),
        kind: SWITCH,
        default: "no",
        keys: |params, value| params.lazy_user_del = value.is_on(),
        ..BASE
    },
    Parameter {
        name: "lazyfree-lazy-user-flush",
        since: v(6, 2, 0),
        kind: SWITCH,
        default: "no",
        keys: |params, value| params.lazy_user_flush = value.is_on(),
        ..BASE
    },
    Parameter {
        name: "lfu-decay-time",
        since: v(4, 0, 0),
        kind: INTEGER,
        default: "1",
        keys: |params, value| params.lfu_decay_minutes = value.number() as u32,
        ..BASE
    },
    Parameter {
        name: "lfu-log-factor",
        since: v(4, 0, 0),
        kind: INTEGER,
        default: "10",
        keys: |params, value| params.lfu_log_factor = value.number() as u32,
        ..BASE
    },
    Parameter { name: "list-compress-depth", since: v(4, 0, 0), kind: INTEGER, default: "0", ..BASE },
    Parameter {
        name: "list-max-listpack-size",
        renamed: Some(("list-max-ziplist-size", v(7, 0, 0))),
        since: v(4, 0, 0),
        kind: Kind::Integer { min: -(1 << 31), max: INT },
        default: "-2",
        keys: |params, value| params.list = list_limit(value.integer()),
        ..BASE
    },
    Parameter {
        name: "list-max-ziplist-entries",
        until: Some(v(3, 2, 0)),
        kind: COUNT,
        default: "512",
        keys: |params, value| params.list = with_entries(params.list, value.size()),
        ..BASE
    },
    Parameter {
        name: "list-max-ziplist-value",
        until: Some(v(3, 2, 0)),
        kind: COUNT,
        default: "64",
        keys: |params, value| params.list = with_value(params.list, value.size()),
        ..BASE
    },
    Parameter { name: "locale-collate", since: v(7, 2, 0), ..BASE },
    Parameter { name: "logfile", settable: Settable::Start, ..BASE },
    Parameter {
        name: "loglevel",
        kind: Kind::Word(&["debug", "verbose", "notice", "warning", "nothing"]),
        default: "notice",
        former: &[Former::before(Release::V7_4).kind(Kind::Word(&["debug", "verbose", "notice", "warning"]))],
        ..BASE
    },
    Parameter {
        name: "lua-enable-deprecated-api",
        since: v(7, 0, 0),
        kind: SWITCH,
        default: "no",
        settable: Settable::Start,
        unlisted_since: Some(v(7, 0, 0)),
        ..BASE
    },
    Parameter {
        name: "lua-replicate-commands",
        since: v(6, 2, 0),
        until: Some(v(7, 0, 0)),
        kind: SWITCH,
        default: "yes",
        ..BASE
    },
    Parameter { name: "masterauth", ..BASE },
    Parameter { name: "masteruser", since: v(6, 2, 0), ..BASE },
    Parameter {
        name: "max-new-connections-per-cycle",
        since: v(7, 4, 0),
        kind: Kind::Integer { min: 1, max: 1000 },
        default: "10",
        ..BASE
    },
    Parameter {
        name: "max-new-tls-connections-per-cycle",
        since: v(7, 4, 0),
        kind: Kind::Integer { min: 1, max: 1000 },
        default: "1",
        ..BASE
    },
    Parameter {
        name: "maxclients",
        kind: Kind::Integer { min: 1, max: 4_294_967_295 },
        default: "10000",
        apply: |node, value| node.settings.maxclients.store(value.number() as u32, Relaxed),
        ..BASE
    },
    Parameter {
        name: "maxmemory",
        kind: Kind::Memory { min: 0, max: u64::MAX },
        default: "0",
        apply: |node, value| node.limit_memory(value.number()),
        ..BASE
    },
    Parameter {
        name: "maxmemory-clients",
        since: v(7, 0, 0),
        kind: Kind::MemoryOrPercent,
        default: "0",
        ..BASE
    },
    Parameter {
        name: "maxmemory-eviction-tenacity",
        since: v(6, 2, 0),
        kind: Kind::Integer { min: 0, max: 100 },
        default: "10",
        ..BASE
    },
    Parameter {
        name: "maxmemory-policy",
        kind: Kind::Word(&[
            "volatile-lru",
            "volatile-lfu",
            "volatile-random",
            "volatile-ttl",
            "allkeys-lru",
            "allkeys-lfu",
            "allkeys-random",
            "noeviction",
        ]),
        default: "noeviction",
        former: &[Former::before(Release::V4_0).kind(Kind::Word(&[
            "volatile-lru",
            "volatile-random",
            "volatile-ttl",
            "allkeys-lru",
            "allkeys-random",
            "noeviction",
        ]))],
        keys: |params, value| params.policy = policy(value),
        apply: |node, value| node.settings.evicts.store(policy(value) != Policy::NoEviction, Relaxed),
        ..BASE
    },
    Parameter {
        name: "maxmemory-samples",
        kind: Kind::Integer { min: 1, max: INT },
        default: "5",
        keys: |params, value| params.samples = value.size(),
        ..BASE
    },
    Parameter {
        name: "min-replicas-max-lag",
        renamed: Some(("min-slaves-max-lag", v(5, 0, 0))),
        kind: INTEGER,
        default: "10",
        apply: |node, value| {
            node.settings.most_lag_s.store(value.number() as u32, Relaxed);
            node.gate_writes_by_replicas();
        },
        ..BASE
    },
    Parameter {
        name: "min-replicas-to-write",
        renamed: Some(("min-slaves-to-write", v(5, 0, 0))),
        kind: INTEGER,
        default: "0",
        apply: |node, value| {
            node.settings.least_replicas.store(value.number() as u32, Relaxed);
            node.gate_writes_by_replicas();
        },
        ..BASE
    },
    Parameter { name: "no-appendfsync-on-rewrite", kind: SWITCH, default: "no", ..BASE },
    Parameter {
        name: "notify-keyspace-events",
        kind: Kind::Special(&EVENTS),
        keys: |params, value| params.notify = value.events(),
        ..BASE
    },
    Parameter {
        name: "oom-score-adj",
        since: v(6, 2, 0),
        kind: Kind::Word(&["no", "yes", "relative", "absolute"]),
        default: "no",
        ..BASE
    },
    Parameter {
        name: "oom-score-adj-values",
        since: v(6, 2, 0),
        kind: Kind::Special(&OOM_SCORES),
        default: "0 200 800",
        ..BASE
    },
    Parameter { name: "pidfile", settable: Settable::Start, ..BASE },
    Parameter {
        name: "port",
        kind: PORT,
        default: "6379",
        settable: Settable::Since(v(6, 0, 0)),
        adopt: |old, value| only_as_it_is(old, value, BadValue::CannotListen),
        ..BASE
    },
    Parameter {
        name: "proc-title-template",
        since: v(6, 2, 0),
        kind: Kind::Special(&TITLE),
        default: "{title} {listen-addr} {server-mode}",
        ..BASE
    },
    Parameter {
        name: "propagation-error-behavior",
        since: v(7, 0, 0),
        kind: Kind::Word(&["ignore", "panic", "panic-on-replicas"]),
        default: "ignore",
        ..BASE
    },
    Parameter { name: "protected-mode", since: v(4, 0, 0), kind: SWITCH, default: "yes", ..BASE },
    Parameter {
        name: "proto-max-bulk-len",
        since: v(4, 0, 0),
        kind: Kind::Memory { min: 1 << 20, max: LONG },
        default: "536870912",
        apply: |node, value| {
            let most = packed::ITEM_BYTES_MAX as i64;
            node.settings.bulk_bytes.store(value.integer().min(most), Relaxed);
        },
        ..BASE
    },
    Parameter { name: "rdb-del-sync-files", since: v(6, 2, 0), kind: SWITCH, default: "no", ..BASE },
    Parameter {
        name: "rdb-key-save-delay",
        since: v(6, 2, 0),
        kind: Kind::Integer { min: -(1 << 31), max: INT },
        default: "0",
        unlisted_since: Some(v(7, 0, 0)),
        ..BASE
    },
    Parameter { name: "rdb-save-incremental-fsync", since: v(5, 0, 0), kind: SWITCH, default: "yes", ..BASE },
    Parameter {
        name: "rdbchecksum",
        kind: SWITCH,
        default: "yes",
        settable: Settable::Start,
        apply: |node, value| node.settings.rdb_has_checksum.store(value.is_on(), Relaxed),
        ..BASE
    },
    Parameter {
        name: "rdbcompression",
        kind: SWITCH,
        default: "yes",
        apply: |node, value| node.settings.rdb_compresses.store(value.is_on(), Relaxed),
        ..BASE
    },
    Parameter {
        name: "rename-command",
        kind: Kind::Special(&RENAMES),
        settable: Settable::Directive,
        ..BASE
    },
    Parameter {
        name: "repl-backlog-size",
        kind: Kind::Memory { min: 1, max: LONG },
        default: "1048576",
        adopt: |_, value| Ok(Value::Memory(value.number().max(16 << 10))),
        apply: |node, value| node.replicas.keep(value.number()),
        ..BASE
    },
    Parameter { name: "repl-backlog-ttl", kind: COUNT, default: "3600", ..BASE },
    Parameter { name: "repl-disable-tcp-nodelay", kind: SWITCH, default: "no", ..BASE },
    Parameter {
        name: "repl-diskless-load",
        since: v(6, 2, 0),
        kind: Kind::Word(&["disabled", "on-empty-db", "swapdb"]),
        default: "disabled",
        ..BASE
    },
    Parameter {
        name: "repl-diskless-sync",
        kind: SWITCH,
        default: "yes",
        former: &[Former::before(Release::V7_0).default("no")],
        ..BASE
    },
    Parameter { name: "repl-diskless-sync-delay", kind: INTEGER, default: "5", ..BASE },
    Parameter {
        name: "repl-diskless-sync-max-replicas",
        since: v(7, 0, 0),
        kind: INTEGER,
        default: "0",
        ..BASE
    },
    Parameter {
        name: "repl-ping-replica-period",
        renamed: Some(("repl-ping-slave-period", v(5, 0, 0))),
        kind: Kind::Integer { min: 1, max: INT },
        default: "10",
        ..BASE
    },
    Parameter { name: "repl-timeout", kind: Kind::Integer { min: 1, max: INT }, default: "60", ..BASE },
    Parameter {
        name: "replica-announce-ip",
        renamed: Some(("slave-announce-ip", v(5, 0, 0))),
        since: v(4, 0, 0),
        ..BASE
    },
    Parameter {
        name: "replica-announce-port",
        renamed: Some(("slave-announce-port", v(5, 0, 0))),
        since: v(4, 0, 0),
        kind: PORT,
        default: "0",
        ..BASE
    },
    Parameter { name: "replica-announced", since: v(6, 2, 0), kind: SWITCH, default: "yes", ..BASE },
    Parameter {
        name: "replica-ignore-disk-write-errors",
        since: v(7, 0, 0),
        kind: SWITCH,
        default: "no",
        ..BASE
    },
    Parameter {
        name: "replica-ignore-maxmemory",
        renamed: Some(("slave-ignore-maxmemory", v(5, 0, 0))),
        since: v(5, 0, 0),
        kind: SWITCH,
        default: "yes",
        apply: |node, value| node.settings.replica_ignores_maxmemory.store(value.is_on(), Relaxed),
        ..BASE
    },
    Parameter {
        name: "replica-lazy-flush",
        renamed: Some(("slave-lazy-flush", v(5, 0, 0))),
        since: v(4, 0, 0),
        kind: SWITCH,
        default: "no",
        ..BASE
    },
    Parameter {
        name: "replica-priority",
        renamed: Some(("slave-priority", v(5, 0, 0))),
        kind: INTEGER,
        default: "100",
        ..BASE
    },
    Parameter {
        name: "replica-read-only",
        renamed: Some(("slave-read-only", v(5, 0, 0))),
        kind: SWITCH,
        default: "yes",
        apply: |node, value| node.settings.replica_is_read_only.store(value.is_on(), Relaxed),
        ..BASE
    },
    Parameter {
        name: "replica-serve-stale-data",
        renamed: Some(("slave-serve-stale-data", v(5, 0, 0))),
        kind: SWITCH,
        default: "yes",
        apply: |node, value| node.settings.serves_stale.store(value.is_on(), Relaxed),
        ..BASE
    },
    Parameter {
        name: "replicaof",
        renamed: Some(("slaveof", v(7, 0, 0))),
        kind: Kind::Special(&MASTER),
        settable: Settable::Start,
        ..BASE
    },
    Parameter { name: "requirepass", apply: |node, value| node.settings.set_password(value.text()), ..BASE },
    Parameter {
        name: "sanitize-dump-payload",
        since: v(6, 2, 0),
        kind: Kind::Word(&["no", "yes", "clients"]),
        default: "no",
        ..BASE
    },
    Parameter {
        name: "save",
        kind: Kind::Special(&SAVE_POINTS),
        default: "3600 1 300 100 60 10000",
        apply: |node, value| node.set_save_rules(value.numbers()),
        ..BASE
    },
    Parameter {
        name: "server-cpulist",
        renamed: Some(("server_cpulist", v(7, 4, 0))),
        since: v(6, 2, 0),
        settable: Settable::Start,
        ..BASE
    },
    Parameter {
        name: "set-max-intset-entries",
        kind: COUNT,
        default: "512",
        keys: |params, value| params.set.ints = value.size(),
        ..BASE
    },
    Parameter {
        name: "set-max-listpack-entries",
        since: v(7, 2, 0),
        kind: COUNT,
        default: "128",
        keys: |params, value| params.set.packed_entries = value.size(),
        ..BASE
    },
    Parameter {
        name: "set-max-listpack-value",
        since: v(7, 2, 0),
        kind: SIZE,
        default: "64",
        keys: |params, value| params.set.packed_value = value.size(),
        ..BASE
    },
    Parameter {
        name: "set-proc-title",
        since: v(6, 2, 0),
        kind: SWITCH,
        default: "yes",
        settable: Settable::Start,
        ..BASE
    },
    Parameter { name: "shutdown-on-sigint", since: v(7, 0, 0), kind: SHUTDOWN, default: "default", ..BASE },
    Parameter { name: "shutdown-on-sigterm", since: v(7, 0, 0), kind: SHUTDOWN, default: "default", ..BASE },
    Parameter { name: "shutdown-timeout", since: v(7, 0, 0), kind: INTEGER, default: "10", ..BASE },
    Parameter {
        name: "slowlog-log-slower-than",
        kind: Kind::Integer { min: -1, max: i64::MAX },
        default: "10000",
        apply: |node, value| node.settings.slowlog_us.store(value.integer(), Relaxed),
        ..BASE
    },
    Parameter {
        name: "slowlog-max-len",
        kind: COUNT,
        default: "128",
        apply: |node, value| node.settings.slowlog_len.store(value.size(), Relaxed),
        ..BASE
    },
    Parameter {
        name: "socket-mark-id",
        since: v(7, 0, 0),
        kind: Kind::Integer { min: 0, max: 4_294_967_295 },
        default: "0",
        settable: Settable::Start,
        ..BASE
    },
    Parameter {
        name: "stop-writes-on-bgsave-error",
        kind: SWITCH,
        default: "yes",
        apply: |node, value| {
            node.settings.stops_writes.store(value.is_on(), Relaxed);
            node.gate_writes();
        },
        ..BASE
    },
    Parameter {
        name: "stream-node-max-bytes",
        since: v(5, 0, 0),
        kind: SIZE,
        default: "4096",
        keys: |params, value| params.stream_node_bytes = value.size(),
        ..BASE
    },
    Parameter {
        name: "stream-node-max-entries",
        since: v(5, 0, 0),
        kind: COUNT,
        default: "100",
        keys: |params, value| params.stream_node_entries = value.size(),
        ..BASE
    },
    Parameter {
        name: "supervised",
        since: v(4, 0, 0),
        kind: Kind::Word(&["upstart", "systemd", "auto", "no"]),
        default: "no",
        settable: Settable::Start,
        ..BASE
    },
    Parameter {
        name: "syslog-enabled",
        since: v(6, 2, 0),
        kind: SWITCH,
        default: "no",
        settable: Settable::Start,
        ..BASE
    },
    Parameter {
        name: "syslog-facility",
        since: v(4, 0, 0),
        kind: Kind::Word(&[
            "user", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
        ]),
        default: "local0",
        settable: Settable::Start,
        ..BASE
    },
    Parameter {
        name: "syslog-ident",
        since: v(6, 2, 0),
        default: "redis",
        settable: Settable::Start,
        ..BASE
    },
    Parameter { name: "tcp-backlog", kind: INTEGER, default: "511", settable: Settable::Start, ..BASE },
    Parameter {
        name: "tcp-keepalive",
        kind: INTEGER,
        default: "300",
        former: &[Former::before(Release::V4_0).default("0")],
        apply: |node, value| node.settings.keepalive_s.store(value.number() as u32, Relaxed),
        ..BASE
    },
    Parameter {
        name: "timeout",
        kind: INTEGER,
        default: "0",
        apply: |node, value| node.set_timeout(value.number() as u32),
        ..BASE
    },
    Parameter {
        name: "tls-auth-clients",
        since: v(7, 0, 0),
        kind: Kind::Word(&["no", "yes", "optional"]),
        default: "yes",
        ..BASE
    },
    Parameter { name: "tls-ca-cert-dir", since: v(7, 0, 0), ..BASE },
    Parameter { name: "tls-ca-cert-file", since: v(7, 0, 0), ..BASE },
    Parameter { name: "tls-cert-file", since: v(7, 0, 0), ..BASE },
    Parameter { name: "tls-ciphers", since: v(7, 0, 0), ..BASE },
    Parameter { name: "tls-ciphersuites", since: v(7, 0, 0), ..BASE },
    Parameter { name: "tls-client-cert-file", since: v(7, 0, 0), ..BASE },
    Parameter { name: "tls-client-key-file", since: v(7, 0, 0), ..BASE },
    Parameter { name: "tls-client-key-file-pass", since: v(7, 0, 0), ..BASE },
    Parameter {
        name: "tls-cluster",
        since: v(7, 0, 0),
        kind: SWITCH,
        default: "no",
        adopt: |_, value| only_off(value, BadValue::NoTls),
        ..BASE
    },
    Parameter { name: "tls-dh-params-file", since: v(7, 0, 0), ..BASE },
    Parameter { name: "tls-key-file", since: v(7, 0, 0), ..BASE },
    Parameter { name: "tls-key-file-pass", since: v(7, 0, 0), ..BASE },
    Parameter {
        name: "tls-port",
        since: v(7, 0, 0),
        kind: PORT,
        default: "0",
        adopt: |_, value| if value.number() == 0 { Ok(value) } else { Err(BadValue::NoTls) },
        ..BASE
    },
    Parameter { name: "tls-prefer-server-ciphers", since: v(7, 0, 0), kind: SWITCH, default: "no", ..BASE },
    Parameter { name: "tls-protocols", since: v(7, 0, 0), ..BASE },
    Parameter {
        name: "tls-replication",
        since: v(7, 0, 0),
        kind: SWITCH,
        default: "no",
        adopt: |_, value| only_off(value, BadValue::NoTls),
        ..BASE
    },
    Parameter { name: "tls-session-cache-size", since: v(7, 0, 0), kind: INTEGER, default: "20480", ..BASE },
    Parameter { name: "tls-session-cache-timeout", since: v(7, 0, 0), kind: INTEGER, default: "300", ..BASE },
    Parameter { name: "tls-session-caching", since: v(7, 0, 0), kind: SWITCH, default: "yes", ..BASE },
    Parameter { name: "tracking-table-max-keys", since: v(6, 2, 0), kind: COUNT, default: "1000000", ..BASE },
    Parameter { name: "unixsocket", settable: Settable::Start, ..BASE },
    Parameter { name: "unixsocketperm", kind: Kind::Octal, default: "0", settable: Settable::Start, ..BASE },
    Parameter {
        name: "use-exit-on-panic",
        since: v(6, 2, 0),
        kind: SWITCH,
        default: "no",
        unlisted_since: Some(v(7, 0, 0)),
        ..BASE
    },
    Parameter {
        name: "watchdog-period",
        kind: INTEGER,
        default: "0",
        unlisted_since: Some(v(7, 0, 0)),
        ..BASE
    },
    Parameter {
        name: "zset-max-listpack-entries",
        renamed: Some(("zset-max-ziplist-entries", v(7, 0, 0))),
        kind: COUNT,
        default: "128",
        keys: |params, value| params.zset.packed_entries = value.size(),
        ..BASE
    },
    Parameter {
        name: "zset-max-listpack-value",
        renamed: Some(("zset-max-ziplist-value", v(7, 0, 0))),
        kind: SIZE,
        default: "64",
        keys: |params, value| params.zset.packed_value = value.size(),
        ..BASE
    },
];

/// Whether a release has a parameter of this name.
pub fn exists(name: &str, release: Release) -> bool {
    RECORDS.iter().any(|record| record.name == name && record.exists_in(release))
}

/// Changes what the node does as one of a cluster, if it is one.
fn as_member(node: &Node, change: impl FnOnce(&Member)) {
    if let Some(member) = &node.member {
        change(member);
    }
}

/// Changes what clients are told of the node, if it is one of a cluster.
fn announce(node: &Node, change: impl FnOnce(&mut NodeRecord)) {
    as_member(node, |member| member.announce(change));
}

/// A value's text; what is not text is replaced.
fn text(value: &Value) -> String {
    String::from_utf8_lossy(value.text()).into_owned()
}

/// Refuses to turn something on that is not there.
fn only_off(value: Value, error: BadValue) -> Result<Value, BadValue> {
    if value == Value::Switch(true) { Err(error) } else { Ok(value) }
}

/// A directory, by the name that says where it is from the root on.
fn directory(value: &Value) -> Result<Value, BadValue> {
    let path = std::fs::canonicalize(String::from_utf8_lossy(value.text()).as_ref());
    let path = path.and_then(|path| std::fs::read_dir(&path).map(|_| path));
    match path {
        Ok(path) => Ok(Value::Text(path.display().to_string().into_bytes().into())),
        Err(error) => Err(BadValue::NoDirectory(crate::error::of_system(&error).into())),
    }
}

/// Refuses to change something that is as it is while the node runs.
fn only_as_it_is(old: &Value, value: Value, error: BadValue) -> Result<Value, BadValue> {
    if value == *old { Ok(value) } else { Err(error) }
}

fn policy(value: &Value) -> Policy {
    let policies = [
        ("volatile-lru", Policy::VolatileLru),
        ("volatile-lfu", Policy::VolatileLfu),
        ("volatile-random", Policy::VolatileRandom),
        ("volatile-ttl", Policy::VolatileTtl),
        ("allkeys-lru", Policy::AllKeysLru),
        ("allkeys-lfu", Policy::AllKeysLfu),
        ("allkeys-random", Policy::AllKeysRandom),
    ];
    let word = value.word();
    policies.iter().find(|(name, _)| *name == word).map_or(Policy::NoEviction, |(_, policy)| *policy)
}

/// When a list is no longer small: below zero are sizes from 4 KB, doubled up to 64 KB, else there is a number of
/// entries.
fn list_limit(size: i64) -> Limit {
    match size {
        ..0 => Limit::Bytes(4096 << (size.max(-5).unsigned_abs() - 1)),
        0.. => Limit::Entries(size.max(1) as usize),
    }
}

fn with_entries(limit: Limit, entries: usize) -> Limit {
    match limit {
        Limit::EntriesAndValue { value, .. } => Limit::EntriesAndValue { entries, value },
        _ => Limit::EntriesAndValue { entries, value: 0 },
    }
}

fn with_value(limit: Limit, value: usize) -> Limit {
    match limit {
        Limit::EntriesAndValue { entries, .. } => Limit::EntriesAndValue { entries, value },
        _ => Limit::EntriesAndValue { entries: 0, value },
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// What a node of a release makes of a value.
    pub(crate) fn canonical(release: Release, name: &str, text: &str) -> Result<String, BadValue> {
        let record = RECORDS.iter().find(|record| record.name == name).unwrap();
        let kind = record.kind(release);
        let old = kind.parse(release, &Value::Switch(false), record.default(release).as_bytes())?;
        let value = (record.adopt)(&old, kind.parse(release, &old, text.as_bytes())?)?;
        Ok(String::from_utf8(kind.show(&value)).unwrap())
    }

    #[test]
    fn records_are_sound() {
        for pair in RECORDS.windows(2) {
            // A parameter that was another one before has a record for each time.
            let follows = pair[0].name == pair[1].name && pair[0].until == Some(pair[1].since);
            assert!(pair[0].name < pair[1].name || follows, "{} before {}", pair[0].name, pair[1].name);
        }
        for record in RECORDS {
            assert!(Release::ALL.iter().any(|release| record.exists_in(*release)), "{}", record.name);
            for release in Release::ALL.into_iter().filter(|release| record.exists_in(*release)) {
                let default = record.default(release);
                assert_eq!(
                    canonical(release, record.name, default).as_deref(),
                    Ok(default),
                    "{}",
                    record.name
                );
            }
        }
    }

    #[test]
    fn sizes_of_lists_double_from_four_kilobytes() {
        assert_eq!(list_limit(-1), Limit::Bytes(4096));
        assert_eq!(list_limit(-5), Limit::Bytes(65_536));
        assert_eq!(list_limit(-9), Limit::Bytes(65_536));
        assert_eq!(list_limit(0), Limit::Entries(1));
        assert_eq!(list_limit(128), Limit::Entries(128));
    }
}
