//! Giving an instance another specification: more capacity or less, a standby, more shards or replicas.

use cloud::Pending;
use cloud::inspection::Role;
use cloud::instance::Instance;
use http::StatusCode;
use operation::schema::{FIELD, Field, Kind, Need, TEXT};
use operation::{Answer, Failure, Method, Operation, Reply, Route};

use super::create::AUTO_PAY;
use super::{V2_INSTANCE, reference, server};
use crate::catalogue::Sold;
use crate::code;
use crate::dcs::Dcs;
use crate::endpoint::Request;
use crate::field::{CALLER_ERRORS, PROJECT_ERRORS};
use crate::refusal::BUSY;
use crate::v1::extend::{NEW_CAPACITY, RESIZE_ERRORS, resize as give, sold};

pub(crate) static RESIZE: Operation = Operation {
    id: "ResizeInstance",
    summary: "Gives an instance another specification; its keys, its address and its port stay.",
    route: Route::Path { method: Method::Post, template: "/v2/{project_id}/instances/{instance_id}/resize" },
    permission: Some("dcs:instance:scale"),
    body: Some(&[
        Field {
            name: "spec_code",
            need: Need::Required,
            invalid: Some(&code::PARAMETER),
            about: "The specification.",
            ..FIELD
        },
        NEW_CAPACITY,
        Field {
            name: "change_type",
            invalid: Some(&code::PARAMETER),
            about: "What is to change: createReplication and deleteReplication must fit the specification.",
            ..FIELD
        },
        Field {
            name: "available_zones",
            kind: Kind::List { of: &Kind::Text(TEXT), min_items: 0 },
            invalid: Some(&code::PARAMETER),
            about: "The zones of new replicas, by id or code. All zones are this machine.",
            ..FIELD
        },
        Field {
            name: "node_list",
            kind: Kind::List { of: &Kind::Text(TEXT), min_items: 0 },
            invalid: Some(&code::NODE_LIST),
            about: "The ids of the replicas that are to go. Which of a shard's replicas go makes no difference.",
            ..FIELD
        },
        Field {
            name: "reserved_ip",
            kind: Kind::List { of: &Kind::Text(TEXT), min_items: 0 },
            invalid: Some(&code::PARAMETER),
            about: "The addresses that are to stay. All are this machine's.",
            ..FIELD
        },
        Field {
            name: "bss_param",
            kind: Kind::Object(&[AUTO_PAY]),
            invalid: Some(&code::PARAMETER),
            about: "How it is paid, where that is in advance.",
            ..FIELD
        },
        Field {
            name: "execute_immediately",
            kind: Kind::Flag,
            invalid: Some(&code::PARAMETER),
            about: "Whether it is done at once. It always is.",
            ..FIELD
        },
    ]),
    answers: &[Answer { status: 204, about: "The instance is changed, or is being changed.", body: None }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, RESIZE_ERRORS, &[&code::UNKNOWN_ZONE, &code::MASTER_NODE], BUSY],
    source: reference("Modifying Instance Specifications"),
    ..V2_INSTANCE
}
.checked();

pub(super) fn resize<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let instance = dcs.instance(&request)?;
        let sold = sold(&request, &instance)?;
        if sold.spec_code == instance.spec_code && sold.specification.capacity == instance.capacity {
            return Err((&code::NOT_LARGER).into());
        }
        if !fits(request.body.text("change_type"), &sold, &instance) {
            return Err(code::PARAMETER.of("change_type"));
        }
        let is_known =
            |name: &str| dcs.zones.iter().any(|zone| [&zone.id, &zone.code].contains(&&name.to_owned()));
        if !request.body.texts("available_zones").all(is_known) {
            return Err((&code::UNKNOWN_ZONE).into());
        }
        let servers = dcs.cloud.servers(&instance);
        let mut leaving = Vec::new();
        for id in request.body.texts("node_list") {
            match server::find(&instance, &servers, id) {
                None => return Err((&code::NODE_LIST).into()),
                Some(server) if server.role == Role::Master => return Err((&code::MASTER_NODE).into()),
                Some(server) => leaving.push(server.id),
            }
        }
        give(dcs, &instance, sold, leaving).await?;
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    })
}

/// Whether the specification is what is said to change.
fn fits(change: Option<&str>, sold: &Sold, instance: &Instance) -> bool {
    let copies = sold.specification.copies;
    match change {
        Some("createReplication") => copies > instance.copies,
        Some("deleteReplication") => copies < instance.copies,
        _ => true,
    }
}
