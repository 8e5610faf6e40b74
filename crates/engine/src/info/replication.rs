//! The node's part in replication.

use super::{FIELD, Field, SECTION, Section, View};
use crate::master::Link;
use ::replication::Id;
use command::v;
use std::fmt::Write;

pub(super) static REPLICATION: Section = Section { title: "Replication", fields: FIELDS, ..SECTION };

static FIELDS: &[Field] = &[
    Field {
        name: "role",
        value: |view| if view.node.follows() { "slave".into() } else { "master".into() },
        ..FIELD
    },
    Field { name: "master_host", value: |view| view.master_address().0, ..OF_REPLICAS },
    Field { name: "master_port", value: |view| view.master_address().1.to_string(), ..OF_REPLICAS },
    Field {
        name: "master_link_status",
        value: |view| if view.is_linked() { "up".into() } else { "down".into() },
        ..OF_REPLICAS
    },
    Field {
        name: "master_last_io_seconds_ago",
        value: |view| {
            if view.is_linked() { view.since_s(view.master().heard_ms).to_string() } else { "-1".into() }
        },
        ..OF_REPLICAS
    },
    Field {
        name: "master_sync_in_progress",
        value: |view| u8::from(view.master().link == Link::Loads).to_string(),
        ..OF_REPLICAS
    },
    Field { name: "slave_read_repl_offset", since: v(7, 0, 0), value: offset, ..OF_REPLICAS },
    Field { name: "slave_repl_offset", value: offset, ..OF_REPLICAS },
    Field {
        name: "master_sync_total_bytes",
        since: v(6, 2, 0),
        value: |view| view.master().snapshot.1.unwrap_or(0).to_string(),
        ..OF_LOADING
    },
    Field {
        name: "master_sync_read_bytes",
        since: v(6, 2, 0),
        value: |view| view.master().snapshot.0.to_string(),
        ..OF_LOADING
    },
    Field {
        name: "master_sync_left_bytes",
        value: |view| {
            let (read, total) = view.master().snapshot;
            total.map_or_else(|| "-1".into(), |total| total.saturating_sub(read).to_string())
        },
        ..OF_LOADING
    },
    Field {
        name: "master_sync_perc",
        since: v(6, 2, 0),
        value: |view| {
            let (read, total) = view.master().snapshot;
            let part = total.filter(|total| *total > 0).map_or(0.0, |total| read as f64 / total as f64);
            format!("{:.2}", part * 100.0)
        },
        ..OF_LOADING
    },
    Field {
        name: "master_sync_last_io_seconds_ago",
        value: |view| view.since_s(view.master().heard_ms).to_string(),
        ..OF_LOADING
    },
    Field {
        name: "master_link_down_since_seconds",
        shown: |view| view.node.follows() && !view.is_linked(),
        value: |view| {
            let since_ms = view.master().down_since_ms;
            since_ms.map_or_else(|| "-1".into(), |since_ms| view.since_s(since_ms).to_string())
        },
        ..FIELD
    },
    Field { name: "slave_priority", value: |view| view.parameter_of_replicas("priority"), ..OF_REPLICAS },
    Field {
        name: "slave_read_only",
        value: |view| if view.parameter_of_replicas("read-only") == "yes" { "1".into() } else { "0".into() },
        ..OF_REPLICAS
    },
    Field {
        name: "replica_announced",
        since: v(6, 2, 0),
        value: |view| if view.parameter("replica-announced") == "yes" { "1".into() } else { "0".into() },
        ..OF_REPLICAS
    },
    Field {
        name: "connected_slaves",
        value: |view| view.stream().members.len().to_string(),
        lines: |view, text| {
            if view.node.settings.needs_replicas().is_none() {
                replicas(view, text)
            }
        },
        ..FIELD
    },
    Field {
        name: "min_slaves_good_slaves",
        shown: |view| view.node.settings.needs_replicas().is_some(),
        lines: replicas,
        value: |view| {
            let (_, lag_s) = view.node.settings.needs_replicas().unwrap_or_default();
            view.node.replicas.good(view.now_ms, lag_s).to_string()
        },
        ..FIELD
    },
    Field {
        name: "master_failover_state",
        since: v(6, 2, 0),
        value: |view| view.node.failover.name().into(),
        ..FIELD
    },
    Field {
        name: "master_replid",
        since: v(4, 0, 0),
        value: |view| view.stream().history.id().to_string(),
        ..FIELD
    },
    Field {
        name: "master_replid2",
        since: v(4, 0, 0),
        value: |view| view.stream().history.former().map_or(Id::NONE, |(id, _)| id).to_string(),
        ..FIELD
    },
    Field { name: "master_repl_offset", value: offset, ..FIELD },
    Field {
        name: "second_repl_offset",
        since: v(4, 0, 0),
        value: |view| {
            view.stream().history.former().map_or_else(|| "-1".into(), |(_, until)| until.to_string())
        },
        ..FIELD
    },
    Field {
        name: "repl_backlog_active",
        value: |view| u8::from(view.stream().kept.is_some()).to_string(),
        ..FIELD
    },
    Field { name: "repl_backlog_size", value: |view| view.parameter("repl-backlog-size"), ..FIELD },
    Field {
        name: "repl_backlog_first_byte_offset",
        // Bytes are counted from one.
        value: |view| view.stream().kept.map_or(0, |(start, _)| start + 1).to_string(),
        ..FIELD
    },
    Field {
        name: "repl_backlog_histlen",
        value: |view| view.stream().kept.map_or(0, |(_, len)| len).to_string(),
        ..FIELD
    },
];

/// A field that replicas have.
const OF_REPLICAS: Field = Field { shown: |view| view.node.follows(), ..FIELD };
/// A field that replicas have while they get a snapshot.
const OF_LOADING: Field =
    Field { shown: |view| view.node.follows() && view.master().link == Link::Loads, ..FIELD };

fn offset(view: &View) -> String {
    view.stream().history.offset().to_string()
}

/// A line for each replica.
fn replicas(view: &View, text: &mut String) {
    for (number, member) in view.stream().members.iter().enumerate() {
        let replica = &member.replica;
        let _ = write!(
            text,
            "slave{number}:ip={},port={},state={},offset={},lag={}\r\n",
            member.ip(),
            replica.port,
            replica.stage.name(),
            replica.offset,
            replica.lag_s(view.now_ms, view.stream().history.offset()),
        );
    }
}

impl View<'_, '_> {
    fn master_address(&self) -> (String, u16) {
        let address = self.master().address.as_ref();
        address.map_or_else(Default::default, |address| (address.host.to_string(), address.port))
    }

    fn is_linked(&self) -> bool {
        self.master().link == Link::Up
    }

    /// The seconds since some time in ms since the epoch.
    fn since_s(&self, at_ms: i64) -> i64 {
        (self.now_ms - at_ms).max(0) / 1000
    }

    /// The value of a parameter that is about replicas, by the name that the release has for them.
    fn parameter_of_replicas(&self, name: &str) -> String {
        let word = if self.release().has(v(5, 0, 0)) { "replica" } else { "slave" };
        self.parameter(&format!("{word}-{name}"))
    }
}
