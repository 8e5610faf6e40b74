//! Commands that clients of the cloud's instances do not know.
//!
//! Source: "Commands Supported and Disabled by DCS for Redis 3.0", the same for 4.0 and for 5.0, of Huawei Cloud's "Distributed
//! Cache Service, Service Overview": the tables of disabled commands of single nodes and master/standby instances, and of Redis
//! Clusters. They name `SLAVEOF`; `REPLICAOF`, which is the same, goes with it. Later releases withhold what 5.0 does.
//!
//! Deliberately not here: what Proxy Clusters do not know, which follows from how commands go through a proxy
//! (`engine::proxy`).

use cloud::data_plane::NodeSpec;
use cloud::engine::Release;
use cloud::topology::Topology;

use crate::nodes::Nodes;

/// Of one server and of a master with standbys, in release 3.0.
const OLD: &[&str] =
    &["bgrewriteaof", "bgsave", "command", "debug", "lastsave", "migrate", "save", "shutdown", "slaveof"];

/// The same, from release 4.0 on.
const ONE: &[&str] = &[
    "bgrewriteaof",
    "bgsave",
    "debug",
    "lastsave",
    "migrate",
    "psync",
    "replicaof",
    "save",
    "shutdown",
    "slaveof",
    "sync",
];

/// Of a Redis Cluster: those, and what makes another cluster of it.
const CLUSTER: &[&str] = &[
    "bgrewriteaof",
    "bgsave",
    "cluster|addslots",
    "cluster|addslotsrange",
    "cluster|bumpepoch",
    "cluster|count-failure-reports",
    "cluster|delslots",
    "cluster|delslotsrange",
    "cluster|failover",
    "cluster|flushslots",
    "cluster|forget",
    "cluster|meet",
    "cluster|replicate",
    "cluster|reset",
    "cluster|saveconfig",
    "cluster|set-config-epoch",
    "cluster|setslot",
    "debug",
    "lastsave",
    "migrate",
    "psync",
    "replicaof",
    "save",
    "shutdown",
    "slaveof",
    "sync",
];

/// The commands, and subcommands as `container|subcommand`, that are withheld from clients of a node.
fn of(node: &NodeSpec) -> &'static [&'static str] {
    match (node.topology, node.release) {
        (Topology::Proxy, _) => &[],
        (Topology::Cluster, _) => CLUSTER,
        (Topology::Single | Topology::MasterStandby, Some(Release::V3_0)) => OLD,
        (Topology::Single | Topology::MasterStandby, _) => ONE,
    }
}

impl Nodes {
    /// What its clients do not know of the commands of a node.
    pub(crate) fn withheld(&self, node: &NodeSpec) -> &'static [&'static str] {
        if self.withholds { of(node) } else { &[] }
    }
}

#[cfg(test)]
mod tests {
    use engine::table::{Table, find};

    use super::*;

    #[test]
    fn all_that_is_withheld_is_there_in_some_release_and_in_order() {
        for (names, release) in
            [(OLD, command::Release::V3_0), (ONE, command::Release::V5_0), (CLUSTER, command::Release::V7_0)]
        {
            assert!(names.is_sorted());
            let table = Table::of(release);
            for name in names {
                let (container, sub) =
                    name.split_once('|').map_or((*name, None), |(own, sub)| (own, Some(sub)));
                let entry = find(table.names(), container.as_bytes()).unwrap_or_else(|| panic!("{name}"));
                assert!(sub.is_none_or(|sub| entry.subcommand(sub.as_bytes()).is_some()), "{name}");
            }
        }
    }
}
