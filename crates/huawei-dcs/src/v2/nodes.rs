//! Querying the nodes of instances: what they are, where they are, and what they have and do.

use cloud::Pending;
use cloud::engine::Release;
use cloud::inspection::{Role, Server, ServerId};
use cloud::instance::Instance;
use operation::schema::{Field, Kind, Need};
use operation::{Answer, Failure, Method, Operation, Reply, Route};
use serde_json::{Value, json};

use super::server::{
    DIMENSIONS, dimensions, group_id, group_name, logical_node_id, node_id, replication_id, role_name,
    status, zone_code,
};
use super::{V2_INSTANCE, V2_PROJECT, reference};
use crate::code;
use crate::dcs::Dcs;
use crate::endpoint::Request;
use crate::field::{
    CALLER_ERRORS, OFFSET, PROJECT_ERRORS, boolean, boolean_or_null, integer, limit, list, object, page,
    text, text_or_null,
};

pub(crate) static NODES: Operation = Operation {
    id: "ShowNodesInformation",
    summary: "Shows the nodes of an instance.",
    route: Route::Path {
        method: Method::Get,
        template: "/v2/{project_id}/instances/{instance_id}/logical-nodes",
    },
    permission: Some("dcs:instance:get"),
    answers: &[Answer {
        status: 200,
        about: "The nodes; none while the instance is being made.",
        body: Some(&[
            text("instance_id", "The id of the instance."),
            integer("total", "How many nodes it has."),
            list("nodes", &Kind::Object(NODE), "The nodes."),
        ]),
    }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, &[&code::UNKNOWN_INSTANCE, &code::NOT_SUPPORTED]],
    source: reference("Querying Instance Nodes"),
    ..V2_INSTANCE
}
.checked();

pub(crate) static ALL_NODES: Operation = Operation {
    id: "BatchShowNodesInformation",
    summary: "Shows the nodes of all instances of a project.",
    route: Route::Path { method: Method::Get, template: "/v2/{project_id}/instances-logical-nodes" },
    permission: Some("dcs:instance:list"),
    query: &[OFFSET, limit(1_000, "How many instances a page has at most. 10 if left out.")],
    answers: &[Answer {
        status: 200,
        about: "One page of the instances of release 4.0 and later.",
        body: Some(&[
            integer("count", "How many instances there are on all pages."),
            list(
                "instances",
                &Kind::Object(&[
                    text("instance_id", "The id of the instance."),
                    integer("node_count", "How many nodes it has."),
                    list("nodes", &Kind::Object(NODE), "The nodes."),
                ]),
                "The instances of the page.",
            ),
        ]),
    }],
    source: reference("Querying Instance Nodes in Batches"),
    ..V2_PROJECT
}
.checked();

const NODE: &[Field] = &[
    text("logical_node_id", "The id of the node's place."),
    text("name", "The name."),
    text("status", "How it is: Active or Inactive."),
    text_or_null("az_code", "The code of its availability zone."),
    text("node_role", "What it is: redis-server or redis-proxy."),
    text("node_type", "What it does: master, slave or proxy."),
    text("node_ip", "Its address."),
    text_or_null("node_port", "Its port; null if clients do not reach it."),
    text("node_id", "The id."),
    Field {
        need: Need::Nullable,
        ..integer("priority_weight", "How readily it becomes the master: 1 first, 0 never.")
    },
    boolean("is_access", "Whether clients reach it."),
    text_or_null("group_id", "The id of its shard."),
    text_or_null("group_name", "The name of its shard."),
    boolean_or_null("is_remove_ip", "Whether it has been taken out of the name for readers."),
    text_or_null("replication_id", "Its id as a replica."),
    list("dimensions", &Kind::Object(DIMENSIONS), "By what its measurements are found."),
];

pub(crate) static TOPOLOGY: Operation = Operation {
    id: "ShowInstanceTopology",
    summary: "Shows the nodes of an instance with what they have and do.",
    route: Route::Path { method: Method::Get, template: "/v2/{project_id}/instances/{instance_id}/nodes" },
    permission: Some("dcs:instance:get"),
    answers: &[Answer {
        status: 200,
        about: "The nodes, by what they are.",
        body: Some(&[
            list("redis_server", &Kind::Object(MEASURED), "Those that have keys."),
            list("cluster_lvs", &Kind::Object(MEASURED), "Not used."),
            list("cluster_admin", &Kind::Object(MEASURED), "Not used."),
            list("cluster_proxy", &Kind::Object(MEASURED), "The proxies."),
            list(
                "master",
                &Kind::Object(MEASURED),
                "The masters among those that have keys, of release 3.0.",
            ),
            list("vpcendpoint", &Kind::Object(MEASURED), "Not used."),
            list("elb", &Kind::Object(MEASURED), "Not used."),
        ]),
    }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, &[&code::UNKNOWN_INSTANCE]],
    source: reference("Querying the Topology of a Cluster Instance"),
    ..V2_INSTANCE
}
.checked();

const MEASURED: &[Field] = &[
    text("node_id", "The id."),
    text("node_name", "The name."),
    text("ip", "Its address."),
    text_or_null("port", "Its port; null if clients do not reach it."),
    text("node_type", "What it does: master, slave or proxy."),
    text("max_memory", "The memory that its data may take, in MB."),
    text("used_memory", "The memory that its data takes, in MB."),
    text("qps", "Commands in a second."),
    object(
        "bandwidth",
        &[
            text("input", "What clients send, in kbit/s."),
            text("output", "What is sent to clients, in kbit/s."),
        ],
        "Its traffic.",
    ),
    text("db_num", "How many databases it has."),
    Field {
        need: Need::Nullable,
        ..object(
            "dbs",
            &[
                text("db_idx", "Its number."),
                text("keys", "Its keys."),
                text("expires", "How many of them expire."),
                text_or_null("avg_ttl", "Not used."),
            ],
            "The first of its databases that holds keys.",
        )
    },
    text_or_null("relation_ip", "The address of its master, or of its standby."),
    text_or_null("relation_port", "The port of its master, or of its standby."),
    text_or_null("group_id", "The id of its shard."),
    text("status", "How it is: Active or Inactive."),
    object(
        "dims",
        &[text("dim_k", "What the dimension is."), text("dim_v", "Which one.")],
        "By what its measurements are found.",
    ),
];

pub(super) fn nodes<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let instance = dcs.instance(&request)?;
        if !has_nodes(&instance) {
            return Err((&code::NOT_SUPPORTED).into());
        }
        let host = dcs.cloud.host_for(request.call.local);
        let nodes = all(dcs, &instance, &host);
        Ok(Reply::ok(json!({"instance_id": instance.id, "total": nodes.len(), "nodes": nodes})))
    })
}

pub(super) fn all_nodes<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let host = dcs.cloud.host_for(request.call.local);
        let mut instances = dcs.cloud.instances(request.project_id());
        instances.retain(|instance| has_nodes(instance));
        let count = instances.len();
        let shown = page(instances, &request.query).map(|instance| {
            let nodes = all(dcs, &instance, &host);
            json!({"instance_id": instance.id, "node_count": nodes.len(), "nodes": nodes})
        });
        Ok(Reply::ok(json!({"count": count, "instances": shown.collect::<Vec<_>>()})))
    })
}

/// Whether the documents know of nodes of an instance: from release 4.0 on.
pub(super) fn has_nodes(instance: &Instance) -> bool {
    instance.release > Some(Release::V3_0)
}

fn all(dcs: &Dcs, instance: &Instance, host: &str) -> Vec<Value> {
    dcs.cloud.servers(instance).iter().map(|server| node(dcs, instance, server, host)).collect()
}

fn node(dcs: &Dcs, instance: &Instance, server: &Server, host: &str) -> Value {
    let shard = match server.id {
        ServerId::Proxy => None,
        ServerId::Copy { shard, .. } => Some(shard),
    };
    json!({
        "logical_node_id": logical_node_id(instance, server.id),
        "name": name(server, host),
        "status": status(server.role),
        "az_code": zone_code(dcs, instance, server.id),
        "node_role": if server.role == Role::Proxy { "redis-proxy" } else { "redis-server" },
        "node_type": role_name(server.role),
        "node_ip": host,
        "node_port": server.port.map(|port| port.to_string()),
        "node_id": node_id(instance, server.id),
        "priority_weight": shard.map(|_| server.priority),
        "is_access": server.port.is_some(),
        "group_id": shard.map(|shard| group_id(instance, shard)),
        "group_name": shard.map(group_name),
        "is_remove_ip": shard.map(|_| false),
        "replication_id": shard.map(|_| replication_id(instance, server.id)),
        "dimensions": dimensions(instance, server.id),
    })
}

/// What a node is called: what it does, and where.
fn name(server: &Server, host: &str) -> String {
    let role = match server.role {
        Role::Proxy => "proxy",
        Role::Master => "master",
        Role::Standby { .. } => "replica",
    };
    format!("({role}){host}")
}

pub(super) fn topology<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let instance = dcs.instance(&request)?;
        let host = dcs.cloud.host_for(request.call.local);
        let servers = dcs.cloud.servers(&instance);
        let (mut with_keys, mut proxies, mut masters) = (Vec::new(), Vec::new(), Vec::new());
        for server in &servers {
            let shown = measured(dcs, &instance, server, &servers, &host).await;
            if server.role == Role::Master && !has_nodes(&instance) {
                masters.push(shown.clone());
            }
            if server.role == Role::Proxy { proxies.push(shown) } else { with_keys.push(shown) }
        }
        Ok(Reply::ok(json!({
            "redis_server": with_keys,
            "cluster_lvs": [],
            "cluster_admin": [],
            "cluster_proxy": proxies,
            "master": masters,
            "vpcendpoint": [],
            "elb": [],
        })))
    })
}

async fn measured(dcs: &Dcs, instance: &Instance, server: &Server, all: &[Server], host: &str) -> Value {
    let shard = |server: &Server| match server.id {
        ServerId::Proxy => None,
        ServerId::Copy { shard, .. } => Some(shard),
    };
    let own = shard(server);
    let related = all.iter().find(|other| own.is_some() && shard(other) == own && other.id != server.id);
    let related = match server.role {
        Role::Standby { .. } => all.iter().find(|other| shard(other) == own && other.role == Role::Master),
        _ => related,
    };
    let databases = dcs.cloud.databases(instance, server.id).await;
    let statistics = &server.statistics;
    let dimensions = dimensions(instance, server.id);
    json!({
        "node_id": node_id(instance, server.id),
        "node_name": name(server, host),
        "ip": host,
        "port": server.port.map(|port| port.to_string()),
        "node_type": role_name(server.role),
        "max_memory": (server.memory_limit_bytes >> 20).to_string(),
        "used_memory": (statistics.used_memory_bytes >> 20).to_string(),
        "qps": server.commands_per_s.to_string(),
        "bandwidth": {
            "input": kbit(statistics.input_bytes_per_s),
            "output": kbit(statistics.output_bytes_per_s),
        },
        "db_num": server.databases.to_string(),
        "dbs": databases.first().map(|database| json!({
            "db_idx": database.number.to_string(),
            "keys": database.keys.to_string(),
            "expires": database.expiring.to_string(),
            "avg_ttl": null,
        })),
        "relation_ip": related.map(|_| host),
        "relation_port": related.and_then(|other| other.port).map(|port| port.to_string()),
        "group_id": own.map(|shard| group_id(instance, shard)),
        "status": status(server.role),
        "dims": {"dim_k": dimensions[1]["name"], "dim_v": dimensions[1]["value"]},
    })
}

fn kbit(bytes: u64) -> String {
    format!("{:.2}", bytes as f64 * 8.0 / 1_000.0)
}
