//! Restarting and flushing instances, and how many there are in each state.

use cloud::engine::{Engine, Release};
use cloud::instance::{Instance, Status};
use cloud::{Pending, TaskError};
use operation::schema::{FIELD, Field, Kind, Need, TEXT, Text};
use operation::{Answer, Failure, Method, Operation, Reply, Route};
use serde_json::{Map, Value, json};

use super::V1_PROJECT;
use crate::code;
use crate::dcs::Dcs;
use crate::endpoint::Request;
use crate::field::{CALLER_ERRORS, INSTANCE_ID, PROJECT_ERRORS, integer, list, reference, text};

/// What is asked for: an action, and the instances that it is for.
pub(crate) const CHANGE: &[Field] = &[
    Field {
        name: "action",
        kind: Kind::Text(Text { one_of: &["restart", "flush"], ..TEXT }),
        need: Need::Required,
        invalid: Some(&code::ACTION),
        about: "restart or flush.",
    },
    Field {
        name: "instances",
        kind: Kind::List { of: &INSTANCE_ID.kind, min_items: 1 },
        need: Need::Required,
        invalid: Some(&code::NO_INSTANCES),
        about: "The ids of the instances.",
    },
];

/// What became of each instance.
pub(crate) const RESULTS: &[Field] = &[list(
    "results",
    &Kind::Object(&[text("instance", "The id of the instance."), text("result", "success or failed.")]),
    "An item for each instance, in the order of the request.",
)];

pub(crate) static CHANGE_STATUS: Operation = Operation {
    id: "ChangeInstanceStatusV1",
    summary: "Restarts instances, or removes all that they hold.",
    route: Route::Path { method: Method::Put, template: "/v1.0/{project_id}/instances/status" },
    permission: Some("dcs:instance:modifyStatus"),
    body: Some(CHANGE),
    answers: &[Answer { status: 200, about: "What became of each instance.", body: Some(RESULTS) }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, &[&code::EMPTY_BODY]],
    source: reference("5.1"),
    ..V1_PROJECT
}
.checked();

pub(crate) fn change_status<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let flushes = request.body.text("action") == Some("flush");
        let mut results = Vec::new();
        for id in request.body.texts("instances") {
            let outcome = change(dcs, request.project_id(), id, flushes).await;
            let result = if outcome.is_ok() { "success" } else { "failed" };
            results.push(json!({"instance": id, "result": result}));
        }
        Ok(Reply::ok(json!({"results": results})))
    })
}

async fn change(dcs: &Dcs, project_id: &str, id: &str, flushes: bool) -> Result<(), TaskError> {
    if !flushes {
        return dcs.cloud.restart(project_id, id).await;
    }
    let instance = dcs.cloud.instance(project_id, id).ok_or(TaskError::NotFound)?;
    if !may_be_flushed(&instance) {
        return Err(TaskError::NotSupported);
    }
    dcs.cloud.flush(project_id, id).await
}

/// Redis 3.0 has no such operation (table 5-2). By that table Memcached has none either; here it has, as its clients may
/// flush it anyway.
fn may_be_flushed(instance: &Instance) -> bool {
    match instance.engine {
        Engine::Redis => instance.release > Some(Release::V3_0),
        Engine::Memcached => true,
    }
}

/// The states that are counted, in the order of the document.
const COUNTED: [(&str, Option<Status>); 7] = [
    ("extending_count", Some(Status::Extending)),
    ("creating_count", Some(Status::Creating)),
    // An instance that is being deleted stays in its state here.
    ("deleting_count", None),
    ("running_count", Some(Status::Running)),
    ("error_count", Some(Status::Error)),
    ("restarting_count", Some(Status::Restarting)),
    ("createfailed_count", Some(Status::CreateFailed)),
];

pub(crate) static COUNT_BY_STATUS: Operation = Operation {
    id: "ListNumberOfInstancesInDifferentStatusV1",
    summary: "Shows how many instances are in each state.",
    route: Route::Path { method: Method::Get, template: "/v1.0/{project_id}/instances/status" },
    query: &[Field {
        name: "includeFailure",
        invalid: Some(&code::PARAMETER),
        about: "\"true\" counts those too that could not be created.",
        ..FIELD
    }],
    answers: &[Answer {
        status: 200,
        about: "The numbers.",
        body: Some(&[
            integer("extending_count", "Whose capacity is being changed."),
            integer("creating_count", "That are being made."),
            integer("deleting_count", "That are being removed."),
            integer("running_count", "That serve."),
            integer("error_count", "That should run and do not."),
            integer("restarting_count", "That are being restarted."),
            integer("createfailed_count", "That could not be created; 0 unless asked for."),
        ]),
    }],
    source: reference("5.3"),
    ..V1_PROJECT
}
.checked();

pub(super) fn count_by_status<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let with_failed = request.query.text("includeFailure") == Some("true");
        let instances = dcs.cloud.instances(request.project_id());
        let count = |status: Option<Status>| {
            let is_counted = status != Some(Status::CreateFailed) || with_failed;
            instances.iter().filter(|instance| is_counted && Some(instance.status) == status).count()
        };
        let counts = COUNTED.iter().map(|(name, status)| ((*name).to_owned(), count(*status).into()));
        Ok(Reply::ok(Value::Object(counts.collect::<Map<_, _>>())))
    })
}
