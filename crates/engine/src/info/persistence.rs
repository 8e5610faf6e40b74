//! How what is saved stands.

use super::{FIELD, Field, SECTION, Section, View};
use crate::node::Gates;
use crate::saving::State;
use command::v;

pub(super) static PERSISTENCE: Section = Section { title: "Persistence", fields: FIELDS, ..SECTION };

static FIELDS: &[Field] = &[
    Field {
        name: "loading",
        value: |view| u8::from(view.node.gates().contains(Gates::LOADING)).to_string(),
        ..FIELD
    },
    Field { name: "async_loading", since: v(7, 0, 0), ..FIELD },
    Field { name: "current_cow_peak", since: v(7, 0, 0), ..FIELD },
    Field { name: "current_cow_size", since: v(6, 2, 0), ..FIELD },
    Field { name: "current_cow_size_age", since: v(6, 2, 0), ..FIELD },
    Field { name: "current_fork_perc", since: v(6, 2, 0), value: |_| "0.00".into(), ..FIELD },
    Field { name: "current_save_keys_processed", since: v(6, 2, 0), ..FIELD },
    Field { name: "current_save_keys_total", since: v(6, 2, 0), ..FIELD },
    Field {
        name: "rdb_changes_since_last_save",
        value: |view| view.node.unsaved_changes().to_string(),
        ..FIELD
    },
    Field {
        name: "rdb_bgsave_in_progress",
        value: |view| u8::from(background_s(view).is_some()).to_string(),
        ..FIELD
    },
    Field { name: "rdb_last_save_time", value: |view| state(view).last_s.to_string(), ..FIELD },
    Field {
        name: "rdb_last_bgsave_status",
        value: |view| if state(view).succeeded { "ok" } else { "err" }.into(),
        ..FIELD
    },
    Field { name: "rdb_last_bgsave_time_sec", value: |view| state(view).took_s.to_string(), ..FIELD },
    Field {
        name: "rdb_current_bgsave_time_sec",
        value: |view| background_s(view).unwrap_or(-1).to_string(),
        ..FIELD
    },
    Field { name: "rdb_saves", since: v(7, 0, 0), value: |view| state(view).saves.to_string(), ..FIELD },
    Field { name: "rdb_last_cow_size", since: v(4, 0, 0), ..FIELD },
    Field {
        name: "rdb_last_load_keys_expired",
        since: v(7, 0, 0),
        value: |view| state(view).loaded.1.to_string(),
        ..FIELD
    },
    Field {
        name: "rdb_last_load_keys_loaded",
        since: v(7, 0, 0),
        value: |view| state(view).loaded.0.to_string(),
        ..FIELD
    },
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

fn state(view: &View) -> State {
    view.node.saving.state()
}

/// For how long the keys have been being saved in the background, in s.
fn background_s(view: &View) -> Option<i64> {
    let now_s = view.node.host.wall_us().div_euclid(1_000_000);
    state(view).running.filter(|(_, is_background)| *is_background).map(|(began_s, _)| now_s - began_s)
}
