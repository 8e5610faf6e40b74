//! The background tasks of an instance: listed, and forgotten when they are over.

use cloud::Pending;
use operation::{Answer, Failure, Method, Operation, Reply, Route};
use serde_json::json;

use super::{V2_INSTANCE, reference};
use crate::code;
use crate::dcs::Dcs;
use crate::endpoint::Request;
use crate::field::{CALLER_ERRORS, INSTANCE_ID, PROJECT_ERRORS, PROJECT_ID, text};
use crate::v1::tasks::{PAGE, QUERY, TASK_ID, forget};

pub(crate) static LIST: Operation = Operation {
    id: "ListBackgroundTask",
    summary: "Lists the tasks of an instance.",
    route: Route::Path { method: Method::Get, template: "/v2/{project_id}/instances/{instance_id}/tasks" },
    permission: Some("dcs:instance:getBackgroundTask"),
    query: QUERY,
    answers: &[Answer { status: 200, about: "One page of the tasks.", body: Some(PAGE) }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, &[&code::UNKNOWN_INSTANCE]],
    source: reference("Querying Background Tasks"),
    ..V2_INSTANCE
}
.checked();

pub(crate) static DELETE: Operation = Operation {
    id: "DeleteBackgroundTask",
    summary: "Forgets a task of an instance that is over.",
    route: Route::Path {
        method: Method::Delete,
        template: "/v2/{project_id}/instances/{instance_id}/tasks/{task_id}",
    },
    path: &[PROJECT_ID, INSTANCE_ID, TASK_ID],
    permission: Some("dcs:instance:deleteBackgroundTask"),
    answers: &[Answer {
        status: 200,
        about: "The task is forgotten.",
        body: Some(&[text("message", "That it is.")]),
    }],
    errors: &[
        CALLER_ERRORS,
        PROJECT_ERRORS,
        &[&code::UNKNOWN_INSTANCE, &code::TASK_RUNNING, &code::NOT_SAVED],
    ],
    source: reference("Deleting a Background Task"),
    ..V2_INSTANCE
}
.checked();

pub(super) fn delete<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        forget(dcs, &request).await?;
        Ok(Reply::ok(json!({"message": "success"})))
    })
}
