//! How what is saved stands.

use super::{FIELD, Field, SECTION, Section};
use command::v;

pub(super) static PERSISTENCE: Section = Section { title: "Persistence", fields: FIELDS, ..SECTION };

static FIELDS: &[Field] = &[
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
