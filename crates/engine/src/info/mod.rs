//! What a node tells of itself: the sections of `INFO` and their fields, as records.
//!
//! A section is a file, and so each of its fields is a record there, in the order in which releases give them; where no
//! release told what a field means here, as of a fork that there is not, it is zero. Names and order are compared with
//! real servers' in `tests/facts/info-*.txt`.

mod clients;
mod commands;
mod cpu;
mod keyspace;
mod memory;
mod persistence;
mod replication;
mod server;
mod stats;

use crate::host::Process;
use crate::stats::{Rates, Sums};
use crate::{Cx, Node, master, replicas};
use ::keyspace::Locked;
use clients::ClientSums;
use command::{Release, Version, v};
pub(crate) use memory::human;
use std::cell::OnceCell;
use std::fmt::Write;

/// A section.
pub(crate) struct Section {
    /// Its name as it stands above it.
    pub(crate) title: &'static str,
    since: Version,
    /// Whether it is told when nobody asks for it.
    pub(crate) default: bool,
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
    /// Whether it is told, as things are.
    shown: fn(&View) -> bool,
    value: fn(&View) -> String,
    /// Writes lines that follow, whose number varies.
    lines: fn(&View, &mut String),
}

/// The field on which records are built: one that counts what there is not.
const FIELD: Field =
    Field { name: "", since: OLD, until: None, shown: |_| true, value: |_| "0".into(), lines: |_, _| {} };

/// Whether the node is one of a cluster.
const CLUSTER_ENABLED: Field = Field {
    name: "cluster_enabled",
    value: |view| u8::from(view.node.member.is_some()).to_string(),
    ..FIELD
};

/// The version of whatever is older than all releases here.
const OLD: Version = v(1, 0, 0);

/// The sections in their order.
pub(crate) static SECTIONS: &[&Section] = &[
    &server::SERVER,
    &clients::CLIENTS,
    &memory::MEMORY,
    &persistence::PERSISTENCE,
    &stats::STATS,
    &replication::REPLICATION,
    &cpu::CPU,
    &Section { title: "Modules", since: v(6, 0, 0), ..SECTION },
    &commands::COMMANDS,
    &commands::ERRORS,
    &commands::LATENCIES,
    &Section { title: "Cluster", fields: &[CLUSTER_ENABLED], ..SECTION },
    &keyspace::KEYSPACE,
];

impl Section {
    /// Writes the section, if the release has it.
    pub(crate) fn write(&self, view: &View, text: &mut String) {
        let release = view.release();
        if !release.has(self.since) {
            return;
        }
        // Writing to a string does not fail.
        let _ = write!(text, "{}# {}\r\n", if text.is_empty() { "" } else { "\r\n" }, self.title);
        for field in self.fields {
            let has = release.has(field.since) && !field.until.is_some_and(|until| release.has(until));
            if has && (field.shown)(view) {
                let _ = write!(text, "{}:{}\r\n", field.name, (field.value)(view));
                (field.lines)(view, text);
            }
        }
        (self.lines)(view, text);
    }
}

/// What is told, as far as it was asked for.
pub(crate) struct View<'a, 'n> {
    node: &'n Node,
    locked: &'a Locked<'n>,
    now_ms: i64,
    now_us: i64,
    sums: Sums,
    rates: Rates,
    process: OnceCell<Process>,
    stream: OnceCell<replicas::View>,
    master: OnceCell<master::State>,
    clients: OnceCell<ClientSums>,
}

impl<'a, 'n> View<'a, 'n> {
    pub(crate) fn new(cx: &'a Cx<'_, 'n>) -> Self {
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
            stream: OnceCell::new(),
            master: OnceCell::new(),
            clients: OnceCell::new(),
        }
    }

    fn release(&self) -> Release {
        self.node.release
    }

    /// The value of a parameter of this release.
    fn parameter(&self, name: &str) -> String {
        let configuration = &self.node.configuration;
        let found = configuration.parameters().find(name.as_bytes());
        found.map_or_else(String::new, |(_, number)| {
            String::from_utf8_lossy(&configuration.show(number)).into()
        })
    }

    /// The stream that replicas get, and the replicas.
    fn stream(&self) -> &replicas::View {
        self.stream.get_or_init(|| self.node.replicas.view())
    }

    /// How it stands with the master.
    fn master(&self) -> &master::State {
        self.master.get_or_init(|| self.node.master.state())
    }

    fn process(&self) -> &Process {
        self.process.get_or_init(|| self.node.host.process())
    }
}
