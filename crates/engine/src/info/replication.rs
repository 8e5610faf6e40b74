//! The node's part in replication.

use super::{FIELD, Field, SECTION, Section};
use command::v;

pub(super) static REPLICATION: Section = Section { title: "Replication", fields: FIELDS, ..SECTION };

static FIELDS: &[Field] = &[
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
