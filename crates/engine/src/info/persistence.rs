//! How what is saved stands.

use super::{FIELD, Field, SECTION, Section, View};
use crate::node::Gates;
use crate::saving::State;
use command::{Release, v};
use std::fmt::Write;
use std::sync::atomic::Ordering;

pub(super) static PERSISTENCE: Section = Section { title: "Persistence", fields: FIELDS, lines, ..SECTION };

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
    Field {
        name: "aof_enabled",
        value: |view| u8::from(view.node.rewriting.is_wanted()).to_string(),
        ..FIELD
    },
    Field {
        name: "aof_rewrite_in_progress",
        value: |view| u8::from(rewriting(view).running_since_s.is_some()).to_string(),
        ..FIELD
    },
    Field {
        name: "aof_rewrite_scheduled",
        value: |view| u8::from(rewriting(view).is_scheduled).to_string(),
        ..FIELD
    },
    Field {
        name: "aof_last_rewrite_time_sec",
        value: |view| rewriting(view).took_s.unwrap_or(-1).to_string(),
        ..FIELD
    },
    Field {
        name: "aof_current_rewrite_time_sec",
        value: |view| rewriting_for_s(view).unwrap_or(-1).to_string(),
        ..FIELD
    },
    Field {
        name: "aof_last_bgrewrite_status",
        value: |view| if rewriting(view).failures > 0 { "err" } else { "ok" }.into(),
        ..FIELD
    },
    Field {
        name: "aof_rewrites",
        since: v(7, 0, 0),
        value: |view| rewriting(view).rewrites.to_string(),
        ..FIELD
    },
    Field {
        name: "aof_rewrites_consecutive_failures",
        since: v(7, 0, 0),
        value: |view| rewriting(view).failures.to_string(),
        ..FIELD
    },
    Field {
        name: "aof_last_write_status",
        value: |view| if view.node.append_file.fails() { "err" } else { "ok" }.into(),
        ..FIELD
    },
    Field { name: "aof_last_cow_size", since: v(4, 0, 0), ..FIELD },
    Field { name: "module_fork_in_progress", since: v(6, 2, 0), ..FIELD },
    Field { name: "module_fork_last_cow_size", since: v(6, 2, 0), ..FIELD },
];

fn state(view: &View) -> State {
    view.node.saving.state()
}

/// For how long the keys have been being saved in the background, in s.
fn background_s(view: &View) -> Option<i64> {
    let now_s = view.node.now_s();
    state(view).running.filter(|(_, is_background)| *is_background).map(|(began_s, _)| now_s - began_s)
}

/// What is told of the append-only file while there is one, and of loading while it lasts.
fn lines(view: &View, text: &mut String) {
    append_file(view, text);
    if view.node.gates().contains(Gates::LOADING) {
        loading(view, text);
    }
}

/// How far loading is, as observed on redis 7.0.
fn loading(view: &View, text: &mut String) {
    let progress = &view.node.saving.progress;
    let total = progress.total_bytes.load(Ordering::Relaxed);
    let read = progress.read_bytes.load(Ordering::Relaxed);
    let (began_s, used) =
        (progress.began_s.load(Ordering::Relaxed), progress.used_bytes.load(Ordering::Relaxed));
    let _ = write!(text, "loading_start_time:{began_s}\r\nloading_total_bytes:{total}\r\n");
    if view.release() >= Release::V7_0 {
        let _ = write!(text, "loading_rdb_used_mem:{used}\r\n");
    }
    let percent = read as f64 * 100.0 / total.max(1) as f64;
    let took_s = (view.node.now_s() - began_s).max(0);
    // Nobody knows in the first second.
    let left_s =
        if took_s == 0 { 1.0 } else { took_s as f64 * total.saturating_sub(read) as f64 / (read + 1) as f64 };
    let _ = write!(
        text,
        "loading_loaded_bytes:{read}\r\nloading_loaded_perc:{percent:.2}\r\nloading_eta_seconds:{}\r\n",
        left_s as i64
    );
}

/// What is told of the append-only file while there is one.
fn append_file(view: &View, text: &mut String) {
    let node = view.node;
    if !node.rewriting.is_wanted() {
        return;
    }
    let is_scheduled = u8::from(rewriting(view).is_scheduled);
    let (current, buffered) = (node.append_bytes(), node.append_file.buffered());
    let base = node.rewriting.base_bytes.load(Ordering::Relaxed);
    let _ = write!(
        text,
        "aof_current_size:{current}\r\naof_base_size:{base}\r\naof_pending_rewrite:{is_scheduled}\r\n\
         aof_buffer_length:{buffered}\r\n"
    );
    if view.release() < Release::V7_0 {
        text.push_str("aof_rewrite_buffer_length:0\r\n");
    }
    text.push_str("aof_pending_bio_fsync:0\r\naof_delayed_fsync:0\r\n");
}

fn rewriting(view: &View) -> crate::append_rewrite::State {
    view.node.rewriting.state()
}

/// For how long the append-only file has been being rewritten, in s.
fn rewriting_for_s(view: &View) -> Option<i64> {
    let now_s = view.node.now_s();
    rewriting(view).running_since_s.map(|began_s| now_s - began_s)
}
