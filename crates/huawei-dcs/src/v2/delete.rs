//! Deleting instances, one or several, as v1.0 does it.

use operation::schema::{FIELD, Field, Kind};
use operation::{Answer, Method, Operation, Route};

use super::{V2_INSTANCE, V2_PROJECT, reference};
use crate::code;
use crate::field::{CALLER_ERRORS, PROJECT_ERRORS};
use crate::refusal::BUSY_TO_GO;
use crate::v1::batch_delete::{ANSWERS, INSTANCES};

pub(crate) static DELETE: Operation = Operation {
    id: "DeleteSingleInstance",
    summary: "Deletes an instance and its data.",
    route: Route::Path { method: Method::Delete, template: "/v2/{project_id}/instances/{instance_id}" },
    permission: Some("dcs:instance:delete"),
    answers: &[Answer { status: 204, about: "The instance is deleted, or is being deleted.", body: None }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, BUSY_TO_GO],
    source: reference("Deleting an Instance"),
    ..V2_INSTANCE
}
.checked();

pub(crate) static BATCH_DELETE: Operation = Operation {
    id: "BatchDeleteInstances",
    summary: "Deletes instances and their data, or the records of all that could not be created.",
    route: Route::Path { method: Method::Delete, template: "/v2/{project_id}/instances" },
    permission: Some("dcs:instance:delete"),
    query: &[Field {
        name: "all_failure",
        kind: Kind::Flag,
        invalid: Some(&code::PARAMETER),
        about: "\"true\" deletes all instances that could not be created, and no others.",
        ..FIELD
    }],
    body: Some(INSTANCES),
    body_optional: true,
    answers: ANSWERS,
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, &[&code::TOO_MANY_INSTANCES]],
    source: reference("Deleting Instances in Batches"),
    ..V2_PROJECT
}
.checked();
