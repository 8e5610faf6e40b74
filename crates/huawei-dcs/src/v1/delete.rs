//! Deleting one instance.

use cloud::{Pending, TaskError, task};
use http::StatusCode;
use operation::{Answer, Failure, Method, Operation, Reply, Route};

use super::V1_PROJECT;
use crate::code;
use crate::dcs::Dcs;
use crate::endpoint::Request;
use crate::field::{CALLER_ERRORS, INSTANCE_ID, PROJECT_ERRORS, PROJECT_ID, reference};
use crate::refusal::{self, BUSY_TO_GO};

pub(crate) static DELETE: Operation = Operation {
    id: "DeleteInstanceV1",
    summary: "Deletes an instance and its data.",
    route: Route::Path { method: Method::Delete, template: "/v1.0/{project_id}/instances/{instance_id}" },
    path: &[PROJECT_ID, INSTANCE_ID],
    permission: Some("dcs:instance:delete"),
    answers: &[Answer { status: 204, about: "The instance is deleted, or is being deleted.", body: None }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, BUSY_TO_GO],
    source: reference("4.2"),
    ..V1_PROJECT
}
.checked();

pub(crate) fn delete<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let deleted = dcs.cloud.delete(request.project_id(), request.instance_id()).await;
        deleted.map_err(|error| match error {
            TaskError::Busy(task::Kind::Create | task::Kind::Restart) => &code::NOT_DELETABLE,
            error => refusal::of_task(&error),
        })?;
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    })
}
