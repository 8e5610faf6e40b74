//! The shards of an instance and their replicas: what there is, which could go, and having one take its master's place.

use cloud::engine::Engine;
use cloud::inspection::{Role, Server, ServerId};
use cloud::instance::Instance;
use cloud::topology::Topology;
use cloud::{Pending, TaskError};
use operation::schema::{Field, Kind};
use operation::{Answer, Failure, Method, Operation, Reply, Route};
use serde_json::{Value, json};

use super::nodes::has_nodes;
use super::server::{
    DIMENSIONS, GROUP_ID, NODE_ID, dimensions, find, group_id, group_name, node_id, replication_id,
    role_name, status, zone_code, zone_id,
};
use super::{JOB, V2_INSTANCE, job, reference};
use crate::code;
use crate::dcs::Dcs;
use crate::endpoint::Request;
use crate::field::{
    CALLER_ERRORS, INSTANCE_ID, PROJECT_ERRORS, PROJECT_ID, boolean, integer, list, text, text_or_null,
};
use crate::refusal::{self, BUSY};

pub(crate) static GROUPS: Operation = Operation {
    id: "ListGroupReplicationInfo",
    summary: "Lists the shards of an instance and their replicas.",
    route: Route::Path { method: Method::Get, template: "/v2/{project_id}/instance/{instance_id}/groups" },
    permission: Some("dcs:instance:get"),
    answers: &[Answer {
        status: 200,
        about: "The shards.",
        body: Some(&[
            list(
                "group_list",
                &Kind::Object(&[
                    text("group_id", "The id of the shard."),
                    text("group_name", "Its name."),
                    list(
                        "replication_list",
                        &Kind::Object(REPLICATION),
                        "Its replicas, the master among them.",
                    ),
                ]),
                "The shards.",
            ),
            integer("group_count", "How many there are."),
        ]),
    }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, &[&code::UNKNOWN_INSTANCE, &code::NOT_SUPPORTED]],
    source: reference("Querying Details of Shards"),
    ..V2_INSTANCE
}
.checked();

pub(crate) static STATES: Operation = Operation {
    id: "ShowReplicationStates",
    summary: "Shows the replicas of a shard.",
    route: Route::Path {
        method: Method::Get,
        template: "/v2/{project_id}/instance/{instance_id}/groups/{group_id}/group-nodes-state",
    },
    path: &[PROJECT_ID, INSTANCE_ID, GROUP_ID],
    permission: Some("dcs:instance:get"),
    answers: &[Answer {
        status: 200,
        about: "The replicas, the master among them.",
        body: Some(&[list("", &Kind::Object(REPLICATION), "The replicas.")]),
    }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, &[&code::UNKNOWN_INSTANCE, &code::NOT_SUPPORTED]],
    source: reference("Querying the Replica Status"),
    ..V2_INSTANCE
}
.checked();

const REPLICATION: &[Field] = &[
    text("replication_role", "What it does: master or slave."),
    text("replication_ip", "Its address."),
    boolean("is_replication", "Whether it has been added just now."),
    text("replication_id", "The id."),
    text("node_id", "The id of the node."),
    text("status", "How it is: Active or Inactive."),
    text_or_null("az_code", "The code of its availability zone."),
    list("dimensions", &Kind::Object(DIMENSIONS), "By what its measurements are found."),
];

pub(crate) static SWITCH_OVER: Operation = Operation {
    id: "ExecuteClusterSwitchover",
    summary: "Has a replica of a cluster's shard take its master's place.",
    route: Route::Path {
        method: Method::Post,
        template: "/v2/{project_id}/instance/{instance_id}/groups/{group_id}/replications/{node_id}/async-switchover",
    },
    path: &[PROJECT_ID, INSTANCE_ID, GROUP_ID, NODE_ID],
    permission: Some("dcs:instance:swap"),
    answers: &[Answer { status: 200, about: "It does, or is about to.", body: Some(JOB) }],
    errors: &[
        CALLER_ERRORS,
        PROJECT_ERRORS,
        BUSY,
        &[&code::NO_SWAP, &code::NOT_SUPPORTED, &code::BROKEN],
    ],
    source: reference("Switching Over a Cluster Shard"),
    ..V2_INSTANCE
}
.checked();

pub(crate) static DELETABLE: Operation = Operation {
    id: "ValidateDeletableReplica",
    summary: "Shows which replicas could be deleted.",
    route: Route::Path {
        method: Method::Get,
        template: "/v2/{project_id}/instances/{instance_id}/deletable-replication",
    },
    permission: Some("dcs:instance:scale"),
    answers: &[Answer {
        status: 200,
        about: "The replicas.",
        body: Some(&[
            boolean("check_result", "Whether there is one."),
            text_or_null("available_zone", "The id of the availability zone of those that could go."),
            list(
                "replication_list",
                &Kind::Object(&[
                    text("replication_id", "The id."),
                    text("node_id", "The id of the node."),
                    text("replication_ip", "Its address and port."),
                    text("group_id", "The id of its shard."),
                    text("group_name", "The name of its shard."),
                    text_or_null("available_zone", "The id of its availability zone."),
                ]),
                "Those that could go.",
            ),
        ]),
    }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, &[&code::UNKNOWN_INSTANCE, &code::NOT_SUPPORTED]],
    source: reference("Obtaining Deletable Replicas"),
    ..V2_INSTANCE
}
.checked();

pub(super) fn groups<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let instance = sharded(dcs, &request)?;
        let host = dcs.cloud.host_for(request.call.local);
        let servers = dcs.cloud.servers(&instance);
        let with_keys: Vec<_> = servers.iter().filter_map(|server| Some((shard(server)?, server))).collect();
        let groups = with_keys.chunk_by(|left, right| left.0 == right.0).map(|own| {
            let shard = own[0].0;
            let replications = own.iter().map(|(_, server)| replication(dcs, &instance, server, &host));
            json!({
                "group_id": group_id(&instance, shard),
                "group_name": group_name(shard),
                "replication_list": replications.collect::<Vec<_>>(),
            })
        });
        let groups: Vec<_> = groups.collect();
        Ok(Reply::ok(json!({"group_count": groups.len(), "group_list": groups})))
    })
}

pub(super) fn states<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let instance = sharded(dcs, &request)?;
        let host = dcs.cloud.host_for(request.call.local);
        let group = request.call.parameter("group_id");
        let servers = dcs.cloud.servers(&instance);
        let own = servers
            .iter()
            .filter(|server| shard(server).is_some_and(|shard| group_id(&instance, shard) == group));
        let own: Vec<_> = own.map(|server| replication(dcs, &instance, server, &host)).collect();
        if own.is_empty() { Err(code::PARAMETER.of("group_id")) } else { Ok(Reply::ok(own)) }
    })
}

pub(super) fn switch_over<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let instance = sharded(dcs, &request)?;
        if instance.topology.has_one_master() {
            return Err((&code::NOT_SUPPORTED).into());
        }
        let servers = dcs.cloud.servers(&instance);
        let server = find(&instance, &servers, request.call.parameter("node_id"))
            .map(|server| (server.id, server.role));
        let group = request.call.parameter("group_id");
        let (server, role) = match server {
            Some((ServerId::Copy { shard, copy }, role)) if group_id(&instance, shard) == group => {
                (ServerId::Copy { shard, copy }, role)
            }
            // What keeps it from running is told by whoever would have it do something.
            _ if servers.is_empty() => {
                (ServerId::Copy { shard: 0, copy: 1 }, Role::Standby { is_in_step: false })
            }
            Some((ServerId::Copy { .. }, _)) => return Err(code::PARAMETER.of("group_id")),
            _ => return Err(code::PARAMETER.of("node_id")),
        };
        if !matches!(role, Role::Standby { .. }) {
            return Err((&code::NO_SWAP).into());
        }
        let begun = dcs.cloud.promote(request.project_id(), request.instance_id(), server).await;
        let id = begun.map_err(|error| match error {
            TaskError::NotSupported => &code::NO_SWAP,
            error => refusal::of_task(&error),
        })?;
        Ok(job(&id))
    })
}

pub(super) fn deletable<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let instance = sharded(dcs, &request)?;
        let host = dcs.cloud.host_for(request.call.local);
        let servers = dcs.cloud.servers(&instance);
        // One replica stays with each master.
        let copies = |of: u32| servers.iter().filter(|other| shard(other) == Some(of)).count();
        let spare: Vec<_> = servers
            .iter()
            .filter(|server| matches!(server.role, Role::Standby { .. }))
            .filter_map(|server| Some((shard(server)?, server)))
            .filter(|(shard, _)| copies(*shard) > 2)
            .collect();
        let shown = spare.iter().map(|(shard, server)| {
            json!({
                "replication_id": replication_id(&instance, server.id),
                "node_id": node_id(&instance, server.id),
                "replication_ip": match server.port {
                    Some(port) => format!("{host}:{port}"),
                    None => host.clone(),
                },
                "group_id": group_id(&instance, *shard),
                "group_name": group_name(*shard),
                "available_zone": zone_id(&instance, server.id),
            })
        });
        Ok(Reply::ok(json!({
            "check_result": !spare.is_empty(),
            "available_zone": spare.first().and_then(|(_, server)| zone_id(&instance, server.id)),
            "replication_list": shown.collect::<Vec<_>>(),
        })))
    })
}

/// The instance of a request, if it is of a kind that has shards or replicas that the documents know of.
fn sharded(dcs: &Dcs, request: &Request<'_>) -> Result<std::sync::Arc<Instance>, Failure> {
    let instance = dcs.instance(request)?;
    let is_known = instance.engine == Engine::Redis && has_nodes(&instance);
    if is_known && instance.topology != Topology::Single {
        Ok(instance)
    } else {
        Err((&code::NOT_SUPPORTED).into())
    }
}

fn shard(server: &Server) -> Option<u32> {
    match server.id {
        ServerId::Proxy => None,
        ServerId::Copy { shard, .. } => Some(shard),
    }
}

fn replication(dcs: &Dcs, instance: &Instance, server: &Server, host: &str) -> Value {
    json!({
        "replication_role": role_name(server.role),
        "replication_ip": host,
        "is_replication": false,
        "replication_id": replication_id(instance, server.id),
        "node_id": node_id(instance, server.id),
        "status": status(server.role),
        "az_code": zone_code(dcs, instance, server.id),
        "dimensions": dimensions(instance, server.id),
    })
}
