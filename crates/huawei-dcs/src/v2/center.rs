//! The task centre: the tasks of all instances of a project, those of instances that are gone among them; and how far one is.

use cloud::task::Task;
use cloud::{ForgetError, Pending};
use http::StatusCode;
use operation::schema::{self, FIELD, Field, Kind};
use operation::{Answer, Failure, Method, Operation, Reply, Route};
use serde_json::json;

use super::{V2_INSTANCE, V2_PROJECT, reference};
use crate::code;
use crate::dcs::Dcs;
use crate::endpoint::Request;
use crate::field::{
    CALLER_ERRORS, INSTANCE_ID, PROJECT_ERRORS, PROJECT_ID, integer, list as list_field, text, text_or_null,
};
use crate::time;
use crate::v1::tasks::{QUERY, TASK, TASK_ID, name, page, shown, status};

pub(crate) static LIST: Operation = Operation {
    id: "ListCenterTask",
    summary: "Lists the tasks of all instances of a project.",
    route: Route::Path { method: Method::Get, template: "/v2/{project_id}/tasks" },
    permission: Some("dcs:instance:getBackgroundTask"),
    query: QUERY,
    answers: &[Answer {
        status: 200,
        about: "One page of the tasks.",
        body: Some(&[
            text("task_count", "How many tasks there are on all pages."),
            list_field("tasks", &Kind::Object(&CENTER_TASK), "The tasks of the page, the latest first."),
        ]),
    }],
    source: reference("Querying the Task Center"),
    ..V2_PROJECT
}
.checked();

const CENTER_TASK: [Field; TASK.len() + MORE.len()] = schema::joined(TASK, MORE);

const MORE: &[Field] = &[
    text_or_null("error_code", "The code of the reason why it failed."),
    text("job_id", "Its id as a job."),
];

pub(crate) static DELETE: Operation = Operation {
    id: "DeleteCenterTask",
    summary: "Forgets a task that is over.",
    route: Route::Path { method: Method::Delete, template: "/v2/{project_id}/tasks/{task_id}" },
    path: &[PROJECT_ID, TASK_ID],
    permission: Some("dcs:instance:deleteBackgroundTask"),
    body: Some(&[Field {
        name: "message",
        invalid: Some(&code::PARAMETER),
        about: "Why; it is not kept.",
        ..FIELD
    }]),
    body_optional: true,
    answers: &[Answer { status: 204, about: "The task is forgotten.", body: None }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, &[&code::TASK_RUNNING, &code::NOT_SAVED]],
    source: reference("Deleting a Task in the Task Center"),
    ..V2_PROJECT
}
.checked();

pub(crate) static PROGRESS: Operation = Operation {
    id: "ShowBackgroundTaskProgress",
    summary: "Shows how far a task is.",
    route: Route::Path {
        method: Method::Get,
        template: "/v2/{project_id}/instances/{instance_id}/tasks/{task_id}/progress",
    },
    path: &[PROJECT_ID, INSTANCE_ID, TASK_ID],
    permission: Some("dcs:instance:getBackgroundTask"),
    answers: &[Answer {
        status: 200,
        about: "How far it is.",
        body: Some(&[
            integer("progress", "How much of it is done, in percent."),
            integer("remain_time", "How long it is meant to take still, in seconds."),
            list_field("step_details", &Kind::Object(STEP), "The only step: all of it."),
        ]),
    }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, &[&code::UNKNOWN_INSTANCE]],
    source: reference("Querying the Progress of a Background Task"),
    ..V2_INSTANCE
}
.checked();

/// A step of a task.
const STEP: &[Field] = &[
    text("step_id", "The id of the task."),
    text("step_name", "What it does."),
    text("step_status", "RUNNING, SUCCESS or FAILED."),
    text("begin_time", "When it began, in UTC."),
    text_or_null("end_time", "When it ended, in UTC."),
    text_or_null("error_code", "Null."),
    list_field("sub_step_details", &Kind::Object(SUB_STEP), "Nothing."),
];

/// A part of a step, of which there is none.
const SUB_STEP: &[Field] = &[
    text("sub_step_id", "Its id."),
    text("sub_step_name", "What it does."),
    text("sub_step_status", "How far it is."),
    text("begin_time", "When it began, in UTC."),
    text_or_null("end_time", "When it ended, in UTC."),
    text_or_null("detail", "What there is to tell."),
    text_or_null("error_code", "Why it failed."),
];

pub(super) fn list<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let (count, tasks) = page(dcs, &request, |_| true);
        let tasks = tasks.iter().map(|task| {
            let instance = dcs.cloud.instance(request.project_id(), &task.instance_id);
            let mut about = shown(task, instance.as_deref());
            about["error_code"] = json!(null);
            about["job_id"] = json!(task.id);
            about
        });
        Ok(Reply::ok(json!({"task_count": count.to_string(), "tasks": tasks.collect::<Vec<_>>()})))
    })
}

pub(super) fn delete<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let task = task(dcs, &request, |_| true)?;
        let forgotten = dcs.cloud.forget_task(request.project_id(), &task.instance_id, &task.id).await;
        forgotten.map_err(|error| match error {
            ForgetError::NotFound => &code::TASK_ID,
            ForgetError::Running => &code::TASK_RUNNING,
            ForgetError::Store(_) => &code::NOT_SAVED,
        })?;
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    })
}

pub(super) fn progress<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let id = request.instance_id();
        if dcs.cloud.instance(request.project_id(), id).is_none() {
            return Err((&code::UNKNOWN_INSTANCE).into());
        }
        let task = task(dcs, &request, |task| task.instance_id == id)?;
        let now_ms = dcs.cloud.clock().now_ms();
        let left_ms = match task.finished_at_ms {
            Some(_) => 0,
            None => (task.created_at_ms + task.duration_ms).saturating_sub(now_ms),
        };
        Ok(Reply::ok(json!({
            "progress": task.progress_percent(now_ms),
            "remain_time": left_ms.div_ceil(1_000),
            "step_details": [{
                "step_id": task.id,
                "step_name": name(task.kind),
                "step_status": status(task.state),
                "begin_time": time::with_millis(task.created_at_ms),
                "end_time": task.finished_at_ms.map(time::with_millis),
                "error_code": null,
                "sub_step_details": [],
            }],
        })))
    })
}

/// The task that a request names, if it is one of these.
fn task(
    dcs: &Dcs,
    request: &Request<'_>,
    is_meant: impl Fn(&Task) -> bool,
) -> Result<std::sync::Arc<Task>, Failure> {
    let id = request.call.parameter("task_id");
    let tasks = dcs.cloud.tasks(request.project_id()).into_iter();
    let mut found = tasks.filter(|task| task.id == id && is_meant(task));
    // The table has no other code for a task that there is not.
    found.next().ok_or_else(|| (&code::TASK_ID).into())
}
