//! How many clients there are, and what they send, await and listen to.

use super::{FIELD, Field, SECTION, Section, View};
use crate::clients::Marks;
use command::v;
use std::sync::atomic::Ordering::Relaxed;

pub(super) static CLIENTS: Section = Section { title: "Clients", fields: FIELDS, ..SECTION };

static FIELDS: &[Field] = &[
    Field {
        name: "connected_clients",
        value: |view| view.node.clients.len().saturating_sub(view.node.replicas.len()).to_string(),
        ..FIELD
    },
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

/// What clients tell of themselves, together.
#[derive(Clone, Copy, Default)]
pub(super) struct ClientSums {
    /// How many listen to channels.
    listening: usize,
    /// How many watch keys.
    watching: usize,
    /// The most that one has sent and was not processed, in bytes.
    longest_input: usize,
    /// The most that one has yet to receive, in bytes.
    longest_output: usize,
    /// What all have sent or are to receive, in bytes.
    pub(super) buffered: usize,
}

impl View<'_, '_> {
    pub(super) fn clients(&self) -> &ClientSums {
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
}
