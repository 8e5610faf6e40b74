//! Deleting several instances at once, or all those that could not be created.

use cloud::Pending;
use cloud::instance::Status;
use http::StatusCode;
use operation::schema::{FIELD, Field, Kind};
use operation::{Answer, Failure, Method, Operation, Reply, Route};
use serde_json::json;

use super::V1_PROJECT;
use super::status::RESULTS;
use crate::code;
use crate::dcs::Dcs;
use crate::endpoint::Request;
use crate::field::{CALLER_ERRORS, INSTANCE_ID, PROJECT_ERRORS, reference};

pub(crate) static BATCH_DELETE: Operation = Operation {
    id: "BatchDeleteInstancesV1",
    summary: "Deletes instances and their data, or the records of all that could not be created.",
    route: Route::Path { method: Method::Delete, template: "/v1.0/{project_id}/instances" },
    permission: Some("dcs:instance:delete"),
    query: &[Field {
        name: "allFailure",
        kind: Kind::Flag,
        invalid: Some(&code::PARAMETER),
        about: "\"true\" deletes all instances that could not be created, and no others.",
        ..FIELD
    }],
    body: Some(INSTANCES),
    body_optional: true,
    answers: ANSWERS,
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, &[&code::TOO_MANY_INSTANCES]],
    source: reference("4.3"),
    ..V1_PROJECT
}
.checked();

/// Which instances are to go.
pub(crate) const INSTANCES: &[Field] = &[Field {
    name: "instances",
    kind: Kind::List { of: &INSTANCE_ID.kind, min_items: 0 },
    invalid: Some(&code::NO_INSTANCES),
    about: "The ids of the instances, at most 50; left out where all that could not be created are to go.",
    ..FIELD
}];

pub(crate) const ANSWERS: &[Answer] = &[
    Answer { status: 200, about: "What became of each instance.", body: Some(RESULTS) },
    Answer { status: 204, about: "The instances that could not be created are gone.", body: None },
];

/// So many instances are deleted at once at most.
const MOST: usize = 50;

pub(crate) fn batch_delete<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let project_id = request.project_id();
        if request.query.flag("allFailure") || request.query.flag("all_failure") {
            let failed = dcs.cloud.instances(project_id).into_iter();
            for instance in failed.filter(|instance| instance.status == Status::CreateFailed) {
                // One that is being deleted already goes without this.
                let _ = dcs.cloud.delete(project_id, &instance.id).await;
            }
            return Ok(Reply::empty(StatusCode::NO_CONTENT));
        }
        let ids: Vec<_> = request.body.texts("instances").collect();
        if ids.is_empty() {
            return Err((&code::NO_INSTANCES).into());
        }
        if ids.len() > MOST {
            return Err((&code::TOO_MANY_INSTANCES).into());
        }
        let mut results = Vec::new();
        for id in ids {
            let deleted = dcs.cloud.delete(project_id, id).await;
            let result = if deleted.is_ok() { "success" } else { "failed" };
            results.push(json!({"instance": id, "result": result}));
        }
        Ok(Reply::ok(json!({"results": results})))
    })
}
