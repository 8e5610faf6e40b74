//! Deleting one instance.

use cloud::instance::Status;
use cloud::{Pending, TaskError, task};
use http::StatusCode;
use operation::{Answer, Failure, Method, Operation, Reply, Route};

use super::V1_PROJECT;
use crate::code;
use crate::dcs::Dcs;
use crate::endpoint::Request;
use crate::field::{CALLER_ERRORS, INSTANCE_ID, PROJECT_ERRORS, PROJECT_ID, reference};

pub(crate) static DELETE: Operation = Operation {
    id: "DeleteInstanceV1",
    summary: "Deletes an instance and its data.",
    route: Route::Path { method: Method::Delete, template: "/v1.0/{project_id}/instances/{instance_id}" },
    path: &[PROJECT_ID, INSTANCE_ID],
    permission: Some("dcs:instance:delete"),
    answers: &[Answer { status: 204, about: "The instance is deleted, or is being deleted.", body: None }],
    errors: &[
        CALLER_ERRORS,
        PROJECT_ERRORS,
        &[
            &code::UNKNOWN_INSTANCE,
            &code::NOT_DELETABLE,
            &code::TASK_RUNNING,
            &code::WRONG_STATUS,
            &code::NOT_SAVED,
        ],
    ],
    source: reference("4.2"),
    ..V1_PROJECT
}
.checked();

pub(super) fn delete<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let deleted = dcs.cloud.delete(request.project_id(), request.instance_id()).await;
        deleted.map_err(|error| match error {
            TaskError::NotFound => &code::UNKNOWN_INSTANCE,
            TaskError::Busy(task::Kind::Create) => &code::NOT_DELETABLE,
            TaskError::WrongStatus(Status::Creating | Status::Restarting) => &code::NOT_DELETABLE,
            TaskError::Busy(_) => &code::TASK_RUNNING,
            TaskError::WrongStatus(_) => &code::WRONG_STATUS,
            TaskError::NotSupported | TaskError::Failed => &code::BROKEN,
            TaskError::Store(_) => &code::NOT_SAVED,
        })?;
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    })
}
