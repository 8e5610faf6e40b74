//! Tasks that are at work, and the end of their wait where somebody has to end it.
//!
//! - `GET /admin/tasks`: those of all projects, oldest first, as `[{"id": "...", "instance_id": "...", "instance_name":
//!   "...", "kind": "Create", "progress_percent": 0}]`.
//! - `POST /admin/tasks/{id}/step`: a task of the stepped profile waits no more; 204.
//! - `POST /admin/tasks/step`: all that wait; answers the number of them as `{"stepped": N}`.
//!
//! Errors are 404, with the reason as `{"error": "..."}`.

use cloud::{Cloud, Pending};
use http::StatusCode;
use operation::schema::{FIELD, Field, INTEGER, Kind, Need, Query};
use operation::{Answer, Call, ErrorCode, Failure, Method, Operation, Reply, Route};
use serde_json::{Value, json};

use super::{ADMIN, ERRORS, code, part};

static NO_TASK: ErrorCode =
    code(404, "no task", "no such task waits: under --tasks stepped GET /admin/tasks lists those that do");

const fn text(name: &'static str, about: &'static str) -> Field {
    Field { name, need: Need::Required, about, ..FIELD }
}

const TASK: Kind = Kind::Object(&[
    text("id", "The id of the task."),
    text("instance_id", "The id of the instance."),
    text("instance_name", "The name of the instance."),
    text("kind", "What it does."),
    Field { kind: Kind::Integer(INTEGER), ..text("progress_percent", "How far it is.") },
]);

pub(super) static LIST: Operation = Operation {
    id: "AdminListTasks",
    summary: "Lists the tasks of all projects that are at work, oldest first.",
    route: Route::Path { method: Method::Get, template: "/admin/tasks" },
    answers: &[Answer {
        status: 200,
        about: "The tasks.",
        body: Some(&[Field { kind: Kind::List { of: &TASK, min_items: 0 }, ..text("", "The tasks.") }]),
    }],
    ..ADMIN
}
.checked();

pub(super) static STEP: Operation = Operation {
    id: "AdminStepTask",
    summary: "Has a task of the stepped profile wait no more.",
    route: Route::Path { method: Method::Post, template: "/admin/tasks/{id}/step" },
    path: &[part("id", &NO_TASK, "The id of the task.")],
    answers: &[Answer { status: 204, about: "It goes on.", body: None }],
    errors: &[ERRORS, &[&NO_TASK]],
    ..ADMIN
}
.checked();

pub(super) static STEP_ALL: Operation = Operation {
    id: "AdminStepAllTasks",
    summary: "Has all tasks of the stepped profile wait no more.",
    route: Route::Path { method: Method::Post, template: "/admin/tasks/step" },
    answers: &[Answer {
        status: 200,
        about: "They go on.",
        body: Some(&[Field { kind: Kind::Integer(INTEGER), ..text("stepped", "How many there were.") }]),
    }],
    ..ADMIN
}
.checked();

pub(super) fn list<'a>(cloud: &'a Cloud, _: &'a Call, _: Query) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let now_ms = cloud.clock().now_ms();
        let tasks = cloud.running_tasks();
        let shown = tasks.iter().map(|task| {
            json!({
                "id": task.id,
                "instance_id": task.instance_id,
                "instance_name": task.instance_name,
                "kind": task.kind,
                "progress_percent": task.progress_percent(now_ms),
            })
        });
        Ok(Reply::ok(Value::from_iter(shown)))
    })
}

pub(super) fn step<'a>(cloud: &'a Cloud, call: &'a Call, _: Query) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        if cloud.step(call.parameter("id")) {
            Ok(Reply::empty(StatusCode::NO_CONTENT))
        } else {
            Err((&NO_TASK).into())
        }
    })
}

pub(super) fn step_all<'a>(cloud: &'a Cloud, _: &'a Call, _: Query) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let stepped = cloud.running_tasks().iter().filter(|task| cloud.step(&task.id)).count();
        Ok(Reply::ok(json!({ "stepped": stepped })))
    })
}
