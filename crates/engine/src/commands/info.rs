//! `INFO`: what a node tells of itself.
//!
//! A section is a record, and so is each of its fields, in the order in which releases give them; where no release told
//! what a field means here, as of a fork that there is not, it is zero. Names and order are compared with real servers'
//! in `tests/facts/info-*.txt`.

use crate::clients::Marks;
use crate::commands::family;
use crate::host::Process;
use crate::node::CLIENT_BYTES;
use crate::parse::is_word;
use crate::pubsub::Kind;
use crate::special_values::decimal;
use crate::stats::{CommandSums, Rates, Sums};
use crate::table::Table;
use crate::{BASE, Command, CommandError, Cx, Node};
use command::{Category, Flags, Former, Group, Release, Version, v};
use keyspace::Locked;
use resp::{Args, Reply};
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::Ordering::Relaxed;

family!(INFO);

/// `INFO [section ...]`: text, a field a line.
pub static INFO: Command = Command {
    name: "info",
    summary: "Tells of the server: its memory, clients, statistics.",
    group: Group::Server,
    arity: -1,
    syntax: "[section...]",
    // All shards are held to count their keys.
    flags: Flags::LOADING.union(Flags::STALE).union(Flags::KEYSPACE),
    categories: Category::DANGEROUS,
    tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
    former: &[
        Former::before(Release::V7_0).with(Flags::RANDOM),
        Former::before(Release::V5_0).without(Flags::RANDOM),
        Former::before(Release::V4_0).with(Flags::READONLY),
    ],
    handler: info,
    ..BASE
};

/// A section.
struct Section {
    /// Its name as it stands above it.
    title: &'static str,
    since: Version,
    /// Whether it is told when nobody asks for it.
    default: bool,
    fields: &'static [Field],
    /// Writes lines whose number varies.
    lines: fn(&View, &mut String),
}

/// The section on which records are built.
const SECTION: Section = Section { title: "", since: OLD, default: true, fields: &[], lines: |_, _| {} };

/// A field of a section.
struct Field {
    name: &'static str,
    since: Version,
    until: Option<Version>,
    value: fn(&View) -> String,
}

/// The field on which records are built: one that counts what there is not.
const FIELD: Field = Field { name: "", since: OLD, until: None, value: |_| "0".into() };

/// The version of whatever is older than all releases here.
const OLD: Version = v(1, 0, 0);

/// The sections in their order.
static SECTIONS: &[Section] = &[
    Section { title: "Server", fields: SERVER, ..SECTION },
    Section { title: "Clients", fields: CLIENTS, ..SECTION },
    Section { title: "Memory", fields: MEMORY, ..SECTION },
    Section { title: "Persistence", fields: PERSISTENCE, ..SECTION },
    Section { title: "Stats", fields: STATS, ..SECTION },
    Section { title: "Replication", fields: REPLICATION, ..SECTION },
    Section { title: "CPU", fields: CPU, ..SECTION },
    Section { title: "Modules", since: v(6, 0, 0), ..SECTION },
    Section { title: "Commandstats", default: false, lines: commands, ..SECTION },
    Section { title: "Errorstats", since: v(6, 2, 0), lines: errors, ..SECTION },
    Section { title: "Latencystats", since: v(7, 0, 0), default: false, lines: latencies, ..SECTION },
    Section { title: "Cluster", fields: CLUSTER, ..SECTION },
    Section { title: "Keyspace", lines: databases, ..SECTION },
];

static SERVER: &[Field] = &[
    Field { name: "redis_version", value: |view| view.node.release.version().to_string(), ..FIELD },
    Field { name: "redis_git_sha1", value: |_| "00000000".into(), ..FIELD },
    Field { name: "redis_git_dirty", ..FIELD },
    Field { name: "redis_build_id", ..FIELD },
    Field { name: "redis_mode", value: |_| "standalone".into(), ..FIELD },
    Field { name: "os", value: |view| view.process().system.clone(), ..FIELD },
    Field { name: "arch_bits", value: |_| usize::BITS.to_string(), ..FIELD },
    Field { name: "monotonic_clock", since: v(6, 2, 0), value: |_| "POSIX clock_gettime".into(), ..FIELD },
    Field { name: "multiplexing_api", value: |_| "epoll".into(), ..FIELD },
    Field { name: "atomicvar_api", since: v(4, 0, 0), value: |_| "c11-builtin".into(), ..FIELD },
    Field { name: "gcc_version", value: |_| "0.0.0".into(), ..FIELD },
    Field { name: "process_id", value: |view| view.process().id.to_string(), ..FIELD },
    Field { name: "process_supervised", since: v(6, 2, 0), value: |_| "no".into(), ..FIELD },
    Field { name: "run_id", value: |view| view.node.identity("run"), ..FIELD },
    Field { name: "tcp_port", value: |view| view.node.address.port().to_string(), ..FIELD },
    Field { name: "server_time_usec", since: v(6, 2, 0), value: |view| view.now_us.to_string(), ..FIELD },
    Field { name: "uptime_in_seconds", value: |view| view.uptime_s().to_string(), ..FIELD },
    Field { name: "uptime_in_days", value: |view| (view.uptime_s() / 86_400).to_string(), ..FIELD },
    Field { name: "hz", value: |view| view.hz(), ..FIELD },
    Field { name: "configured_hz", since: v(5, 0, 0), value: |view| view.hz(), ..FIELD },
    Field { name: "lru_clock", value: |view| ((view.now_us / 1_000_000) & 0xFF_FFFF).to_string(), ..FIELD },
    Field { name: "executable", since: v(4, 0, 0), value: |view| view.process().executable.clone(), ..FIELD },
    Field { name: "config_file", value: |_| String::new(), ..FIELD },
    Field { name: "io_threads_active", since: v(6, 2, 0), ..FIELD },
    Field {
        name: "listener0",
        since: v(7, 4, 0),
        value: |view| format!("name=tcp,bind={},port={}", view.node.address.ip(), view.node.address.port()),
        ..FIELD
    },
];

static CLIENTS: &[Field] = &[
    Field { name: "connected_clients", value: |view| view.node.clients.len().to_string(), ..FIELD },
    Field { name: "client_longest_output_list", until: Some(v(5, 0, 0)), ..FIELD },
    Field {
        name: "client_biggest_input_buf",
        until: Some(v(5, 0, 0)),
        value: |view| view.clients().longest_input.to_string(),
        ..FIELD
    },
    Field { name: "cluster_connections", since: v(6, 2, 0), ..FIELD },
    Field {
        name: "maxclients",
        since: v(6, 2, 0),
        value: |view| view.node.settings.maxclients.load(Relaxed).to_string(),
        ..FIELD
    },
    Field {
        name: "client_recent_max_input_buffer",
        since: v(5, 0, 0),
        value: |view| view.clients().longest_input.to_string(),
        ..FIELD
    },
    Field {
        name: "client_recent_max_output_buffer",
        since: v(5, 0, 0),
        value: |view| view.clients().longest_output.to_string(),
        ..FIELD
    },
    Field { name: "blocked_clients", value: |view| view.node.waiters.len().to_string(), ..FIELD },
    Field { name: "tracking_clients", since: v(6, 2, 0), ..FIELD },
    Field {
        name: "pubsub_clients",
        since: v(7, 4, 0),
        value: |view| view.clients().listening.to_string(),
        ..FIELD
    },
    Field {
        name: "watching_clients",
        since: v(7, 4, 0),
        value: |view| view.clients().watching.to_string(),
        ..FIELD
    },
    Field {
        name: "clients_in_timeout_table",
        since: v(6, 2, 0),
        value: |view| view.node.waiters.timed().to_string(),
        ..FIELD
    },
    Field {
        name: "total_watched_keys",
        since: v(7, 4, 0),
        value: |view| view.keys_of_interest().0.to_string(),
        ..FIELD
    },
    Field {
        name: "total_blocking_keys",
        since: v(7, 4, 0),
        value: |view| view.keys_of_interest().1.to_string(),
        ..FIELD
    },
    Field { name: "total_blocking_keys_on_nokey", since: v(7, 4, 0), ..FIELD },
];

static MEMORY: &[Field] = &[
    Field { name: "used_memory", value: |view| view.used().to_string(), ..FIELD },
    Field { name: "used_memory_human", value: |view| human(view.used()), ..FIELD },
    Field { name: "used_memory_rss", value: |view| view.resident().to_string(), ..FIELD },
    Field { name: "used_memory_rss_human", since: v(4, 0, 0), value: |view| human(view.resident()), ..FIELD },
    Field { name: "used_memory_peak", value: |view| view.peak().to_string(), ..FIELD },
    Field { name: "used_memory_peak_human", value: |view| human(view.peak()), ..FIELD },
    Field {
        name: "used_memory_peak_perc",
        since: v(4, 0, 0),
        value: |view| percent(view.used(), view.peak()),
        ..FIELD
    },
    Field {
        name: "used_memory_overhead",
        since: v(4, 0, 0),
        value: |view| view.overhead().to_string(),
        ..FIELD
    },
    Field {
        name: "used_memory_startup",
        since: v(4, 0, 0),
        value: |view| view.startup().to_string(),
        ..FIELD
    },
    Field {
        name: "used_memory_dataset",
        since: v(4, 0, 0),
        value: |view| view.dataset().to_string(),
        ..FIELD
    },
    Field {
        name: "used_memory_dataset_perc",
        since: v(4, 0, 0),
        value: |view| percent(view.dataset(), view.used() - view.startup()),
        ..FIELD
    },
    Field { name: "allocator_allocated", since: v(5, 0, 0), value: |view| view.used().to_string(), ..FIELD },
    Field { name: "allocator_active", since: v(5, 0, 0), value: |view| view.resident().to_string(), ..FIELD },
    Field {
        name: "allocator_resident",
        since: v(5, 0, 0),
        value: |view| view.resident().to_string(),
        ..FIELD
    },
    Field { name: "allocator_muzzy", since: v(7, 4, 0), ..FIELD },
    Field {
        name: "total_system_memory",
        since: v(4, 0, 0),
        value: |view| view.process().machine_bytes.to_string(),
        ..FIELD
    },
    Field {
        name: "total_system_memory_human",
        since: v(4, 0, 0),
        value: |view| human(view.process().machine_bytes),
        ..FIELD
    },
    Field { name: "used_memory_lua", ..FIELD },
    Field { name: "used_memory_vm_eval", since: v(7, 0, 0), ..FIELD },
    Field { name: "used_memory_lua_human", since: v(4, 0, 0), value: |_| human(0), ..FIELD },
    Field { name: "used_memory_scripts", since: v(5, 0, 0), until: Some(v(7, 0, 0)), ..FIELD },
    Field {
        name: "used_memory_scripts_human",
        since: v(5, 0, 0),
        until: Some(v(7, 0, 0)),
        value: |_| human(0),
    },
    Field { name: "number_of_cached_scripts", since: v(5, 0, 0), until: Some(v(7, 0, 0)), ..FIELD },
    Field { name: "used_memory_scripts_eval", since: v(7, 0, 0), ..FIELD },
    Field { name: "number_of_cached_scripts", since: v(7, 0, 0), ..FIELD },
    Field { name: "number_of_functions", since: v(7, 0, 0), ..FIELD },
    Field { name: "number_of_libraries", since: v(7, 0, 0), ..FIELD },
    Field { name: "used_memory_vm_functions", since: v(7, 0, 0), ..FIELD },
    Field { name: "used_memory_vm_total", since: v(7, 0, 0), ..FIELD },
    Field { name: "used_memory_vm_total_human", since: v(7, 0, 0), value: |_| human(0), ..FIELD },
    Field { name: "used_memory_functions", since: v(7, 0, 0), ..FIELD },
    Field { name: "used_memory_scripts", since: v(7, 0, 0), ..FIELD },
    Field { name: "used_memory_scripts_human", since: v(7, 0, 0), value: |_| human(0), ..FIELD },
    Field {
        name: "maxmemory",
        since: v(4, 0, 0),
        value: |view| view.node.settings.maxmemory.load(Relaxed).to_string(),
        ..FIELD
    },
    Field {
        name: "maxmemory_human",
        since: v(4, 0, 0),
        value: |view| human(view.node.settings.maxmemory.load(Relaxed)),
        ..FIELD
    },
    Field {
        name: "maxmemory_policy",
        since: v(4, 0, 0),
        value: |view| view.parameter("maxmemory-policy"),
        ..FIELD
    },
    Field {
        name: "allocator_frag_ratio",
        since: v(5, 0, 0),
        value: |view| ratio(view.resident(), view.used()),
        ..FIELD
    },
    Field {
        name: "allocator_frag_bytes",
        since: v(5, 0, 0),
        value: |view| view.fragmentation().to_string(),
        ..FIELD
    },
    Field { name: "allocator_rss_ratio", since: v(5, 0, 0), value: |_| ratio(1, 1), ..FIELD },
    Field { name: "allocator_rss_bytes", since: v(5, 0, 0), ..FIELD },
    Field { name: "rss_overhead_ratio", since: v(5, 0, 0), value: |_| ratio(1, 1), ..FIELD },
    Field { name: "rss_overhead_bytes", since: v(5, 0, 0), ..FIELD },
    Field { name: "mem_fragmentation_ratio", value: |view| ratio(view.resident(), view.used()), ..FIELD },
    Field {
        name: "mem_fragmentation_bytes",
        since: v(5, 0, 0),
        value: |view| view.fragmentation().to_string(),
        ..FIELD
    },
    Field {
        name: "mem_not_counted_for_evict",
        since: v(5, 0, 0),
        value: |view| view.clients().buffered.to_string(),
        ..FIELD
    },
    Field { name: "mem_replication_backlog", since: v(5, 0, 0), ..FIELD },
    Field { name: "mem_total_replication_buffers", since: v(7, 0, 0), ..FIELD },
    Field { name: "mem_clients_slaves", since: v(5, 0, 0), ..FIELD },
    Field {
        name: "mem_clients_normal",
        since: v(5, 0, 0),
        value: |view| view.client_bytes().to_string(),
        ..FIELD
    },
    Field { name: "mem_cluster_links", since: v(7, 0, 0), ..FIELD },
    Field { name: "mem_aof_buffer", since: v(5, 0, 0), ..FIELD },
    Field { name: "mem_allocator", value: |_| "mimalloc".into(), ..FIELD },
    Field { name: "mem_overhead_db_hashtable_rehashing", since: v(7, 4, 0), ..FIELD },
    Field { name: "active_defrag_running", since: v(4, 0, 0), ..FIELD },
    Field { name: "lazyfree_pending_objects", since: v(4, 0, 0), ..FIELD },
    Field {
        name: "lazyfreed_objects",
        since: v(6, 2, 0),
        value: |view| view.node.stats.lazily_freed.load(Relaxed).to_string(),
        ..FIELD
    },
];

static PERSISTENCE: &[Field] = &[
    Field { name: "loading", ..FIELD },
    Field { name: "async_loading", since: v(7, 0, 0), ..FIELD },
    Field { name: "current_cow_peak", since: v(7, 0, 0), ..FIELD },
    Field { name: "current_cow_size", since: v(6, 2, 0), ..FIELD },
    Field { name: "current_cow_size_age", since: v(6, 2, 0), ..FIELD },
    Field { name: "current_fork_perc", since: v(6, 2, 0), value: |_| "0.00".into(), ..FIELD },
    Field { name: "current_save_keys_processed", since: v(6, 2, 0), ..FIELD },
    Field { name: "current_save_keys_total", since: v(6, 2, 0), ..FIELD },
    Field {
        name: "rdb_changes_since_last_save",
        value: |view| view.node.stats.sum(|worker| &worker.dirty).to_string(),
        ..FIELD
    },
    Field { name: "rdb_bgsave_in_progress", ..FIELD },
    Field {
        name: "rdb_last_save_time",
        value: |view| (view.node.started_us / 1_000_000).to_string(),
        ..FIELD
    },
    Field { name: "rdb_last_bgsave_status", value: |_| "ok".into(), ..FIELD },
    Field { name: "rdb_last_bgsave_time_sec", value: |_| "-1".into(), ..FIELD },
    Field { name: "rdb_current_bgsave_time_sec", value: |_| "-1".into(), ..FIELD },
    Field { name: "rdb_saves", since: v(7, 0, 0), ..FIELD },
    Field { name: "rdb_last_cow_size", since: v(4, 0, 0), ..FIELD },
    Field { name: "rdb_last_load_keys_expired", since: v(7, 0, 0), ..FIELD },
    Field { name: "rdb_last_load_keys_loaded", since: v(7, 0, 0), ..FIELD },
    Field { name: "aof_enabled", ..FIELD },
    Field { name: "aof_rewrite_in_progress", ..FIELD },
    Field { name: "aof_rewrite_scheduled", ..FIELD },
    Field { name: "aof_last_rewrite_time_sec", value: |_| "-1".into(), ..FIELD },
    Field { name: "aof_current_rewrite_time_sec", value: |_| "-1".into(), ..FIELD },
    Field { name: "aof_last_bgrewrite_status", value: |_| "ok".into(), ..FIELD },
    Field { name: "aof_rewrites", since: v(7, 0, 0), ..FIELD },
    Field { name: "aof_rewrites_consecutive_failures", since: v(7, 0, 0), ..FIELD },
    Field { name: "aof_last_write_status", value: |_| "ok".into(), ..FIELD },
    Field { name: "aof_last_cow_size", since: v(4, 0, 0), ..FIELD },
    Field { name: "module_fork_in_progress", since: v(6, 2, 0), ..FIELD },
    Field { name: "module_fork_last_cow_size", since: v(6, 2, 0), ..FIELD },
];

static STATS: &[Field] = &[
    Field { name: "total_connections_received", value: |view| view.sums.connections.to_string(), ..FIELD },
    Field { name: "total_commands_processed", value: |view| view.sums.commands.to_string(), ..FIELD },
    Field { name: "instantaneous_ops_per_sec", value: |view| format!("{:.0}", view.rates.commands), ..FIELD },
    Field { name: "total_net_input_bytes", value: |view| view.sums.input_bytes.to_string(), ..FIELD },
    Field { name: "total_net_output_bytes", value: |view| view.sums.output_bytes.to_string(), ..FIELD },
    Field { name: "total_net_repl_input_bytes", since: v(7, 0, 0), ..FIELD },
    Field { name: "total_net_repl_output_bytes", since: v(7, 0, 0), ..FIELD },
    Field {
        name: "instantaneous_input_kbps",
        value: |view| format!("{:.2}", view.rates.input_bytes / 1024.0),
        ..FIELD
    },
    Field {
        name: "instantaneous_output_kbps",
        value: |view| format!("{:.2}", view.rates.output_bytes / 1024.0),
        ..FIELD
    },
    Field { name: "instantaneous_input_repl_kbps", since: v(7, 0, 0), value: |_| "0.00".into(), ..FIELD },
    Field { name: "instantaneous_output_repl_kbps", since: v(7, 0, 0), value: |_| "0.00".into(), ..FIELD },
    Field { name: "rejected_connections", value: |view| view.sums.rejected_connections.to_string(), ..FIELD },
    Field { name: "sync_full", ..FIELD },
    Field { name: "sync_partial_ok", ..FIELD },
    Field { name: "sync_partial_err", ..FIELD },
    Field {
        name: "expired_subkeys",
        since: v(7, 4, 0),
        value: |view| view.sums.expired_fields.to_string(),
        ..FIELD
    },
    Field { name: "expired_keys", value: |view| view.sums.expired.to_string(), ..FIELD },
    Field { name: "expired_stale_perc", since: v(4, 0, 0), value: |_| "0.00".into(), ..FIELD },
    Field { name: "expired_time_cap_reached_count", since: v(4, 0, 0), ..FIELD },
    Field { name: "expire_cycle_cpu_milliseconds", since: v(6, 2, 0), ..FIELD },
    Field { name: "evicted_keys", value: |view| view.sums.evicted.to_string(), ..FIELD },
    Field { name: "evicted_clients", since: v(7, 0, 0), ..FIELD },
    Field { name: "evicted_scripts", since: v(7, 4, 0), ..FIELD },
    Field { name: "total_eviction_exceeded_time", since: v(7, 0, 0), ..FIELD },
    Field { name: "current_eviction_exceeded_time", since: v(7, 0, 0), ..FIELD },
    Field { name: "keyspace_hits", value: |view| view.sums.hits.to_string(), ..FIELD },
    Field { name: "keyspace_misses", value: |view| view.sums.misses.to_string(), ..FIELD },
    Field { name: "pubsub_channels", value: |view| view.node.pubsub.len(Kind::Channel).to_string(), ..FIELD },
    Field { name: "pubsub_patterns", value: |view| view.node.pubsub.len(Kind::Pattern).to_string(), ..FIELD },
    Field {
        name: "pubsubshard_channels",
        since: v(7, 0, 0),
        value: |view| view.node.pubsub.len(Kind::Shard).to_string(),
        ..FIELD
    },
    Field { name: "latest_fork_usec", ..FIELD },
    Field { name: "total_forks", since: v(6, 2, 0), ..FIELD },
    Field { name: "migrate_cached_sockets", ..FIELD },
    Field { name: "slave_expires_tracked_keys", since: v(4, 0, 0), ..FIELD },
    Field { name: "active_defrag_hits", since: v(4, 0, 0), ..FIELD },
    Field { name: "active_defrag_misses", since: v(4, 0, 0), ..FIELD },
    Field { name: "active_defrag_key_hits", since: v(4, 0, 0), ..FIELD },
    Field { name: "active_defrag_key_misses", since: v(4, 0, 0), ..FIELD },
    Field { name: "total_active_defrag_time", since: v(7, 0, 0), ..FIELD },
    Field { name: "current_active_defrag_time", since: v(7, 0, 0), ..FIELD },
    Field { name: "tracking_total_keys", since: v(6, 2, 0), ..FIELD },
    Field { name: "tracking_total_items", since: v(6, 2, 0), ..FIELD },
    Field { name: "tracking_total_prefixes", since: v(6, 2, 0), ..FIELD },
    Field { name: "unexpected_error_replies", since: v(6, 2, 0), ..FIELD },
    Field {
        name: "total_error_replies",
        since: v(6, 2, 0),
        value: |view| view.sums.errors.to_string(),
        ..FIELD
    },
    Field { name: "dump_payload_sanitizations", since: v(6, 2, 0), ..FIELD },
    Field {
        name: "total_reads_processed",
        since: v(6, 2, 0),
        value: |view| view.sums.reads.to_string(),
        ..FIELD
    },
    Field {
        name: "total_writes_processed",
        since: v(6, 2, 0),
        value: |view| view.sums.writes.to_string(),
        ..FIELD
    },
    Field { name: "io_threaded_reads_processed", since: v(6, 2, 0), ..FIELD },
    Field { name: "io_threaded_writes_processed", since: v(6, 2, 0), ..FIELD },
    Field {
        name: "client_query_buffer_limit_disconnections",
        since: v(7, 4, 0),
        value: |view| view.sums.query_buffer_closes.to_string(),
        ..FIELD
    },
    Field {
        name: "client_output_buffer_limit_disconnections",
        since: v(7, 4, 0),
        value: |view| view.sums.output_buffer_closes.to_string(),
        ..FIELD
    },
    Field { name: "reply_buffer_shrinks", since: v(7, 0, 0), ..FIELD },
    Field { name: "reply_buffer_expands", since: v(7, 0, 0), ..FIELD },
    Field { name: "eventloop_cycles", since: v(7, 4, 0), value: |view| view.sums.reads.to_string(), ..FIELD },
    Field {
        name: "eventloop_duration_sum",
        since: v(7, 4, 0),
        value: |view| view.command_us().to_string(),
        ..FIELD
    },
    Field {
        name: "eventloop_duration_cmd_sum",
        since: v(7, 4, 0),
        value: |view| view.command_us().to_string(),
        ..FIELD
    },
    Field { name: "instantaneous_eventloop_cycles_per_sec", since: v(7, 4, 0), ..FIELD },
    Field { name: "instantaneous_eventloop_duration_usec", since: v(7, 4, 0), ..FIELD },
    Field { name: "acl_access_denied_auth", since: v(7, 4, 0), ..FIELD },
    Field { name: "acl_access_denied_cmd", since: v(7, 4, 0), ..FIELD },
    Field { name: "acl_access_denied_key", since: v(7, 4, 0), ..FIELD },
    Field { name: "acl_access_denied_channel", since: v(7, 4, 0), ..FIELD },
];

static REPLICATION: &[Field] = &[
    Field { name: "role", value: |_| "master".into(), ..FIELD },
    Field { name: "connected_slaves", ..FIELD },
    Field { name: "master_failover_state", since: v(6, 2, 0), value: |_| "no-failover".into(), ..FIELD },
    Field {
        name: "master_replid",
        since: v(4, 0, 0),
        value: |view| view.node.identity("replication"),
        ..FIELD
    },
    Field { name: "master_replid2", since: v(4, 0, 0), value: |_| "0".repeat(40), ..FIELD },
    Field { name: "master_repl_offset", ..FIELD },
    Field { name: "second_repl_offset", since: v(4, 0, 0), value: |_| "-1".into(), ..FIELD },
    Field { name: "repl_backlog_active", ..FIELD },
    Field { name: "repl_backlog_size", value: |view| view.parameter("repl-backlog-size"), ..FIELD },
    Field { name: "repl_backlog_first_byte_offset", ..FIELD },
    Field { name: "repl_backlog_histlen", ..FIELD },
];

static CPU: &[Field] = &[
    Field { name: "used_cpu_sys", value: |view| view.seconds(view.process().system_us), ..FIELD },
    Field { name: "used_cpu_user", value: |view| view.seconds(view.process().user_us), ..FIELD },
    Field { name: "used_cpu_sys_children", value: |view| view.seconds(0), ..FIELD },
    Field { name: "used_cpu_user_children", value: |view| view.seconds(0), ..FIELD },
    Field {
        name: "used_cpu_sys_main_thread",
        since: v(6, 2, 0),
        value: |view| view.seconds(view.process().system_us),
        ..FIELD
    },
    Field {
        name: "used_cpu_user_main_thread",
        since: v(6, 2, 0),
        value: |view| view.seconds(view.process().user_us),
        ..FIELD
    },
];

static CLUSTER: &[Field] = &[Field { name: "cluster_enabled", ..FIELD }];

fn info(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let release = cx.release();
    if args.len() > 2 && release < Release::V7_0 {
        return Err(CommandError::Syntax);
    }
    let asked = |section: &Section| {
        args.len() == 1 && section.default
            || args.iter_from(1).any(|word| {
                is_word(word, section.title)
                    || is_word(word, "default") && section.default
                    || is_word(word, "all")
                    || is_word(word, "everything") && release.has(v(6, 0, 0))
            })
    };
    let view = View::new(cx);
    let mut text = String::new();
    for section in SECTIONS.iter().filter(|section| release.has(section.since) && asked(section)) {
        let _ = write!(text, "{}# {}\r\n", if text.is_empty() { "" } else { "\r\n" }, section.title);
        for field in section.fields {
            if release.has(field.since) && !field.until.is_some_and(|until| release.has(until)) {
                // Writing to a string does not fail.
                let _ = write!(text, "{}:{}\r\n", field.name, (field.value)(&view));
            }
        }
        (section.lines)(&view, &mut text);
    }
    reply.verbatim("txt", text);
    Ok(())
}

/// What is told, as far as it was asked for.
pub(super) struct View<'a, 'n> {
    node: &'n Node,
    locked: &'a Locked<'n>,
    now_ms: i64,
    now_us: i64,
    sums: Sums,
    rates: Rates,
    process: OnceCell<Process>,
    clients: OnceCell<ClientSums>,
}

/// What clients tell of themselves, together.
#[derive(Clone, Copy, Default)]
struct ClientSums {
    /// How many listen to channels.
    listening: usize,
    /// How many watch keys.
    watching: usize,
    /// The most that one has sent and was not processed, in bytes.
    longest_input: usize,
    /// The most that one has yet to receive, in bytes.
    longest_output: usize,
    /// What all have sent or are to receive, in bytes.
    buffered: usize,
}

impl<'a, 'n> View<'a, 'n> {
    pub(super) fn new(cx: &'a Cx<'_, 'n>) -> Self {
        let now_us = cx.node.host.wall_us();
        let uptime_ms = (now_us - cx.node.started_us) / 1000;
        View {
            node: cx.node,
            locked: &cx.locked,
            now_ms: cx.now_ms(),
            now_us,
            sums: cx.node.stats.sums(),
            rates: cx.node.stats.rates(now_us / 1000, uptime_ms),
            process: OnceCell::new(),
            clients: OnceCell::new(),
        }
    }

    fn release(&self) -> Release {
        self.node.release
    }

    fn uptime_s(&self) -> i64 {
        (self.now_us - self.node.started_us).max(0) / 1_000_000
    }

    fn hz(&self) -> String {
        self.node.settings.hz.load(Relaxed).to_string()
    }

    /// The value of a parameter of this release.
    fn parameter(&self, name: &str) -> String {
        let configuration = &self.node.configuration;
        let found = configuration.parameters().find(name.as_bytes());
        found.map_or_else(String::new, |(_, number)| {
            String::from_utf8_lossy(&configuration.show(number)).into()
        })
    }

    fn process(&self) -> &Process {
        self.process.get_or_init(|| self.node.host.process())
    }

    fn clients(&self) -> &ClientSums {
        self.clients.get_or_init(|| {
            self.node.clients.all().iter().fold(ClientSums::default(), |sums, client| {
                let gauges = &client.gauges;
                let (input, output) = (gauges.input_bytes.load(Relaxed), gauges.output_bytes.load(Relaxed));
                let queued = gauges.queued_bytes.load(Relaxed);
                ClientSums {
                    listening: sums.listening + usize::from(client.marks().contains(Marks::PUBSUB)),
                    watching: sums.watching + usize::from(gauges.watched.load(Relaxed) > 0),
                    longest_input: sums.longest_input.max(input),
                    longest_output: sums.longest_output.max(output),
                    buffered: sums.buffered + input + output + queued,
                }
            })
        })
    }

    /// The numbers of keys that are watched, and of those that somebody waits for.
    fn keys_of_interest(&self) -> (usize, usize) {
        self.locked.iter().fold((0, 0), |sum, shard| {
            let (watched, awaited) = shard.keys_of_interest();
            (sum.0 + watched, sum.1 + awaited)
        })
    }

    /// The memory in use, in bytes.
    pub(super) fn used(&self) -> u64 {
        (self.node.used_bytes() + self.clients().buffered) as u64
    }

    /// The most memory that was in use, in bytes.
    pub(super) fn peak(&self) -> u64 {
        self.used().max((self.node.keyspace.peak_bytes() + self.node.own_bytes()) as u64)
    }

    /// The memory that the system has given, in bytes. Where several nodes share it, that in use has to do.
    pub(super) fn resident(&self) -> u64 {
        self.process().resident_bytes.unwrap_or_else(|| self.used())
    }

    pub(super) fn startup(&self) -> u64 {
        self.node.startup_bytes() as u64
    }

    /// The memory of keys and values, in bytes.
    pub(super) fn dataset(&self) -> u64 {
        self.node.keyspace.used_bytes() as u64
    }

    pub(super) fn overhead(&self) -> u64 {
        self.used() - self.dataset()
    }

    fn fragmentation(&self) -> i64 {
        self.resident() as i64 - self.used() as i64
    }

    pub(super) fn client_bytes(&self) -> usize {
        self.node.clients.len() * CLIENT_BYTES + self.clients().buffered
    }

    /// Microseconds as seconds; before 5.0 hundredths were enough.
    fn seconds(&self, us: u64) -> String {
        let digits = if self.release() < Release::V5_0 { 2 } else { 6 };
        format!("{:.digits$}", us as f64 / 1e6)
    }

    /// The time that commands have taken, in microseconds.
    fn command_us(&self) -> i64 {
        let all = 0..Table::of(self.release()).len();
        self.node.ticks_to_us(all.map(|index| self.node.stats.command_sums(index).ticks).sum())
    }
}

fn percent(part: u64, whole: u64) -> String {
    format!("{:.2}%", 100.0 * part as f64 / whole.max(1) as f64)
}

fn ratio(a: u64, b: u64) -> String {
    format!("{:.2}", a as f64 / b.max(1) as f64)
}

/// A number of bytes in the largest unit of which there is one.
fn human(bytes: u64) -> String {
    let units = ["K", "M", "G", "T", "P"];
    match units.iter().enumerate().rev().find(|(power, _)| bytes >> (10 * (power + 1)) > 0) {
        Some((power, unit)) => format!("{:.2}{unit}", bytes as f64 / (1u64 << (10 * (power + 1))) as f64),
        None => format!("{bytes}B"),
    }
}

/// Writes a line for each command that was run or refused. Up to 6.2 subcommands count for their containers.
fn commands(view: &View, text: &mut String) {
    let (node, release) = (view.node, view.release());
    let table = Table::of(release);
    let mut sums: BTreeMap<&str, CommandSums> = BTreeMap::new();
    for index in 0..table.len() {
        let own = node.stats.command_sums(index);
        let sum = sums.entry(&table.entry(index).full_name).or_default();
        sum.calls += own.calls;
        sum.ticks += own.ticks;
        sum.rejected += own.rejected;
        sum.failed += own.failed;
    }
    let tells_failures = release.has(v(6, 2, 0));
    for (name, sum) in sums {
        if sum.calls == 0 && !(tells_failures && sum.rejected + sum.failed > 0) {
            continue;
        }
        let us = node.ticks_to_us(sum.ticks);
        let mean_us = if sum.calls == 0 { 0.0 } else { us as f64 / sum.calls as f64 };
        let _ = write!(text, "cmdstat_{name}:calls={},usec={us},usec_per_call={mean_us:.2}", sum.calls);
        if tells_failures {
            let _ = write!(text, ",rejected_calls={},failed_calls={}", sum.rejected, sum.failed);
        }
        text.push_str("\r\n");
    }
}

/// Writes a line for each code of errors that were answered.
fn errors(view: &View, text: &mut String) {
    for (code, count) in view.node.stats.error_codes() {
        // A code may come from a script: it must not look like something else.
        let safe = code.iter().map(|byte| if b":#\r\n".contains(byte) { '_' } else { char::from(*byte) });
        let _ = write!(text, "errorstat_{}:count={count}\r\n", safe.collect::<String>());
    }
}

/// Writes percentiles of how long each command took.
fn latencies(view: &View, text: &mut String) {
    let node = view.node;
    if !node.settings.latency_tracking.load(Relaxed) {
        return;
    }
    let table = Table::of(view.release());
    let ns_per_giga_tick = node.host.ns_per_giga_tick();
    let percentiles = node.settings.percentiles.read();
    for index in 0..table.len() {
        let Some(durations) = node.stats.durations(index, ns_per_giga_tick) else { continue };
        let list: Vec<String> = percentiles
            .iter()
            .map(|percent| {
                format!("p{}={:.3}", decimal(*percent), durations.percentile_ns(*percent) as f64 / 1e3)
            })
            .collect();
        let name = &table.entry(index).full_name;
        let _ = write!(text, "latency_percentiles_usec_{name}:{}\r\n", list.join(","));
    }
}

/// Writes a line for each database that has keys.
fn databases(view: &View, text: &mut String) {
    let locked = &view.locked;
    for db in 0..locked.dbs() {
        let stats = locked.stats(db);
        if stats.keys == 0 {
            continue;
        }
        let (keys, volatile) = (stats.keys, stats.volatile);
        let mean_ms =
            stats.volatile_sum_ms.checked_div(volatile as i128).map(|mean| mean as i64 - view.now_ms);
        let mean_ms = mean_ms.unwrap_or(0).max(0);
        let _ = write!(text, "db{db}:keys={keys},expires={volatile},avg_ttl={mean_ms}");
        if view.release().has(v(7, 4, 0)) {
            let _ = write!(text, ",subexpiry={}", stats.fading);
        }
        text.push_str("\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_told_in_their_largest_unit() {
        for (bytes, shown) in [
            (0, "0B"),
            (1023, "1023B"),
            (1024, "1.00K"),
            (882_752, "862.06K"),
            (25_276_502_016, "23.54G"),
            (1 << 40, "1.00T"),
            (u64::MAX, "16384.00P"),
        ] {
            assert_eq!(human(bytes), shown);
        }
    }
}
