//! How v2 names what stands inside an instance: its nodes, shards and replicas.
//!
//! Invariant: a name follows from the instance and the place of what it names, so it is the same whenever it is asked for,
//! and no two things have the same.

use cloud::inspection::{Role, Server, ServerId};
use cloud::instance::Instance;
use operation::schema::{FIELD, Field, Need};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::code;
use crate::dcs::Dcs;
use crate::field::text;

/// A node in a path.
pub(super) const NODE_ID: Field = Field {
    name: "node_id",
    need: Need::Required,
    invalid: Some(&code::PARAMETER),
    about: "The id of the node.",
    ..FIELD
};

/// A shard in a path.
pub(super) const GROUP_ID: Field = Field { name: "group_id", about: "The id of the shard.", ..NODE_ID };

/// The dimensions by which a node's measurements are found.
pub(super) const DIMENSIONS: &[Field] =
    &[text("name", "What the dimension is."), text("value", "Which one.")];

/// The id of a node: 32 hexadecimal digits.
pub(super) fn node_id(instance: &Instance, server: ServerId) -> String {
    hex::encode(digest(instance, "node", server))
}

/// The id of a node as a place: the same for whatever node stands there.
pub(super) fn logical_node_id(instance: &Instance, server: ServerId) -> String {
    hex::encode(digest(instance, "logical node", server))
}

/// The id of a replica, which a master is as well: a UUID.
pub(super) fn replication_id(instance: &Instance, server: ServerId) -> String {
    uuid(digest(instance, "replication", server))
}

/// The id of a shard: a UUID.
pub(super) fn group_id(instance: &Instance, shard: u32) -> String {
    uuid(digest(instance, "group", ServerId::Copy { shard, copy: 0 }))
}

/// The name of a shard.
pub(super) fn group_name(shard: u32) -> String {
    format!("group-{shard}")
}

/// The server of this node id among `servers`.
pub(super) fn find<'a>(instance: &Instance, servers: &'a [Server], id: &str) -> Option<&'a Server> {
    servers.iter().find(|server| node_id(instance, server.id) == id)
}

/// The code of the availability zone that a server is said to be in: copies take turns.
pub(super) fn zone_code(dcs: &Dcs, instance: &Instance, server: ServerId) -> Option<String> {
    let zone = zone_id(instance, server)?;
    dcs.zones.iter().find(|known| known.id == zone).map(|known| known.code.clone())
}

/// The same zone's id.
pub(super) fn zone_id(instance: &Instance, server: ServerId) -> Option<&str> {
    let turn = match server {
        ServerId::Proxy => 0,
        ServerId::Copy { copy, .. } => copy as usize,
    };
    let zones = &instance.zones;
    zones.get(turn.checked_rem(zones.len())?).map(String::as_str)
}

/// What a server is to a shard.
pub(super) fn role_name(role: Role) -> &'static str {
    match role {
        Role::Proxy => "proxy",
        Role::Master => "master",
        Role::Standby { .. } => "slave",
    }
}

/// How a server is: one that is not in step is not what it should be.
pub(super) fn status(role: Role) -> &'static str {
    if role == (Role::Standby { is_in_step: false }) { "Inactive" } else { "Active" }
}

/// The dimensions of a server.
pub(super) fn dimensions(instance: &Instance, server: ServerId) -> Value {
    let kind = if server == ServerId::Proxy { "dcs_cluster_proxy_node" } else { "dcs_cluster_redis_node" };
    json!([
        {"name": "dcs_instance_id", "value": instance.id},
        {"name": kind, "value": node_id(instance, server)},
    ])
}

fn digest(instance: &Instance, what: &str, server: ServerId) -> [u8; 16] {
    let place = match server {
        ServerId::Proxy => "proxy".to_owned(),
        ServerId::Copy { shard, copy } => format!("{shard}/{copy}"),
    };
    let whole = Sha256::digest(format!("{} {what} {place}", instance.id));
    let mut start = [0; 16];
    start.copy_from_slice(&whole[..16]);
    start
}

/// Sixteen bytes in the form of a random UUID.
pub(super) fn uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0F | 0x40;
    bytes[8] = bytes[8] & 0x3F | 0x80;
    let digits = hex::encode(bytes);
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_the_form_of_a_uuid() {
        assert_eq!(uuid([0xFF; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(uuid([0; 16]), "00000000-0000-4000-8000-000000000000");
    }
}
