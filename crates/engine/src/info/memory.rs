//! What memory is in use, and for what.
//!
//! The allocator belongs to all nodes of the process: what it is told to hold is what this node uses.

use super::{FIELD, Field, SECTION, Section, View};
use crate::node::CLIENT_BYTES;
use command::v;
use std::sync::atomic::Ordering::Relaxed;

pub(super) static MEMORY: Section = Section { title: "Memory", fields: FIELDS, ..SECTION };

static FIELDS: &[Field] = &[
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
        ..FIELD
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
        value: |view| view.buffered().to_string(),
        ..FIELD
    },
    Field {
        name: "mem_replication_backlog",
        since: v(5, 0, 0),
        value: |view| view.backlog_bytes().to_string(),
        ..FIELD
    },
    Field {
        name: "mem_total_replication_buffers",
        since: v(7, 0, 0),
        value: |view| view.stream().kept_bytes.to_string(),
        ..FIELD
    },
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

impl View<'_, '_> {
    /// The memory in use, in bytes.
    pub(crate) fn used(&self) -> u64 {
        (self.node.used_bytes() + self.buffered()) as u64
    }

    /// What waits to be sent or processed, and the stream that is kept, in bytes.
    fn buffered(&self) -> usize {
        self.clients().buffered + self.stream().kept_bytes
    }

    /// What is kept of the stream whoever reads it, in bytes.
    pub(crate) fn backlog_bytes(&self) -> u64 {
        let stream = self.stream();
        stream.kept.map_or(0, |(_, len)| len).min(stream.kept_bytes as u64)
    }

    /// The most memory that was in use, in bytes.
    pub(crate) fn peak(&self) -> u64 {
        self.used().max((self.node.keyspace.peak_bytes() + self.node.own_bytes()) as u64)
    }

    /// The memory that the system has given, in bytes. Where several nodes share it, that in use has to do.
    pub(crate) fn resident(&self) -> u64 {
        self.process().resident_bytes.unwrap_or_else(|| self.used())
    }

    pub(crate) fn startup(&self) -> u64 {
        self.node.startup_bytes() as u64
    }

    /// The memory of keys and values, in bytes.
    pub(crate) fn dataset(&self) -> u64 {
        self.node.keyspace.used_bytes() as u64
    }

    pub(crate) fn overhead(&self) -> u64 {
        self.used() - self.dataset()
    }

    fn fragmentation(&self) -> i64 {
        self.resident() as i64 - self.used() as i64
    }

    pub(crate) fn client_bytes(&self) -> usize {
        self.node.clients.len() * CLIENT_BYTES + self.clients().buffered
    }
}

fn percent(part: u64, whole: u64) -> String {
    format!("{:.2}%", 100.0 * part as f64 / whole.max(1) as f64)
}

fn ratio(a: u64, b: u64) -> String {
    format!("{:.2}", a as f64 / b.max(1) as f64)
}

/// A number of bytes in the largest unit of which there is one.
pub(crate) fn human(bytes: u64) -> String {
    let units = ["K", "M", "G", "T", "P"];
    match units.iter().enumerate().rev().find(|(power, _)| bytes >> (10 * (power + 1)) > 0) {
        Some((power, unit)) => format!("{:.2}{unit}", bytes as f64 / (1u64 << (10 * (power + 1))) as f64),
        None => format!("{bytes}B"),
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
