//! What has been counted since the start.

use super::{FIELD, Field, SECTION, Section, View};
use crate::pubsub::Kind;
use crate::table::Table;
use command::v;
use std::sync::atomic::{AtomicU64, Ordering};

pub(super) static STATS: Section = Section { title: "Stats", fields: FIELDS, ..SECTION };

static FIELDS: &[Field] = &[
    Field { name: "total_connections_received", value: |view| view.sums.connections.to_string(), ..FIELD },
    Field { name: "total_commands_processed", value: |view| view.sums.commands.to_string(), ..FIELD },
    Field { name: "instantaneous_ops_per_sec", value: |view| format!("{:.0}", view.rates.commands), ..FIELD },
    Field { name: "total_net_input_bytes", value: |view| view.sums.input_bytes.to_string(), ..FIELD },
    Field { name: "total_net_output_bytes", value: |view| view.sums.output_bytes.to_string(), ..FIELD },
    Field {
        name: "total_net_repl_input_bytes",
        since: v(7, 0, 0),
        value: |view| count(&view.node.replicas.counts.input_bytes),
        ..FIELD
    },
    Field {
        name: "total_net_repl_output_bytes",
        since: v(7, 0, 0),
        value: |view| count(&view.node.replicas.counts.output_bytes),
        ..FIELD
    },
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
    Field { name: "sync_full", value: |view| count(&view.node.replicas.counts.full), ..FIELD },
    Field { name: "sync_partial_ok", value: |view| count(&view.node.replicas.counts.partial), ..FIELD },
    Field { name: "sync_partial_err", value: |view| count(&view.node.replicas.counts.refused), ..FIELD },
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

fn count(counter: &AtomicU64) -> String {
    counter.load(Ordering::Relaxed).to_string()
}

impl View<'_, '_> {
    /// The time that commands have taken, in microseconds.
    fn command_us(&self) -> i64 {
        let all = 0..Table::of(self.release()).len();
        self.node.ticks_to_us(all.map(|index| self.node.stats.command_sums(index).ticks).sum())
    }
}
