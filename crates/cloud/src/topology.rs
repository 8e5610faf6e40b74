//! How the nodes of an instance stand to each other.

use serde::{Deserialize, Serialize};

/// The forms of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Topology {
    /// One node.
    Single,
    /// A master and its replicas behind one address.
    MasterStandby,
    /// Shards behind a proxy with one address.
    Proxy,
    /// A Redis Cluster: shards that clients know of.
    Cluster,
}

impl Topology {
    /// Whether the instance has one node, or one master.
    pub const fn has_one_master(self) -> bool {
        matches!(self, Topology::Single | Topology::MasterStandby)
    }
}
