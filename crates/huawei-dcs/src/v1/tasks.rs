//! The background tasks of an instance: listed, and forgotten when they are over.
//!
//! The reference of v1.0 names these operations among its permissions and describes them nowhere: they are those of v2.

use std::sync::Arc;

use cloud::instance::Instance;
use cloud::task::{self, Task};
use cloud::{ForgetError, Pending};
use http::StatusCode;
use operation::schema::{Field, Integer, Kind, Need};
use operation::{Answer, Failure, Method, Operation, Reply, Route};
use serde_json::{Value, json};

use super::V1_PROJECT;
use crate::code;
use crate::dcs::Dcs;
use crate::endpoint::Request;
use crate::field;
use crate::field::{
    CALLER_ERRORS, INSTANCE_ID, OFFSET, PROJECT_ERRORS, PROJECT_ID, boolean, integer_or_null, limit,
    list as list_field, moment, object, reference, text, text_or_null,
};
use crate::time;
use crate::v1::show::cache_mode;

/// Which tasks are listed.
pub(crate) const QUERY: &[Field] = &[
    OFFSET,
    limit(1000, "How many tasks a page has at most. 10 if left out."),
    moment("start_time", "Only tasks that began then or later, as yyyyMMddHHmmss in UTC."),
    moment("end_time", "Only tasks that began then or earlier, as yyyyMMddHHmmss in UTC."),
];

/// A page of tasks.
pub(crate) const PAGE: &[Field] = &[
    text("task_count", "How many tasks there are on all pages."),
    list_field("tasks", &Kind::Object(TASK), "The tasks of the page, the latest first."),
];

/// A task.
pub(crate) const TASK: &[Field] = &[
    text("id", "The id of the task."),
    text("name", "What it does."),
    object(
        "details",
        &[
            text_or_null("old_capacity", "The capacity before, in GB."),
            text_or_null("new_capacity", "The capacity that was wanted, in GB."),
            text_or_null("old_resource_spec_code", "The specification before."),
            text_or_null("new_resource_spec_code", "The specification that was wanted."),
            text_or_null("old_cache_mode", "The form before."),
            text_or_null("new_cache_mode", "The form that was wanted."),
            Field {
                kind: Kind::Integer(Integer { min: 0, max: i64::MAX, or_text: false }),
                ..text_or_null("old_replica_num", "How often each shard existed.")
            },
            Field {
                kind: Kind::Integer(Integer { min: 0, max: i64::MAX, or_text: false }),
                ..text_or_null("new_replica_num", "How often each shard was to exist.")
            },
            integer_or_null("updated_config_length", "How many parameters were to change."),
        ],
        "What changes, where the specification or parameters do.",
    ),
    text_or_null("user_name", "The name of the instance's owner, as long as there is the instance."),
    text_or_null("user_id", "The id of the instance's owner, as long as there is the instance."),
    text_or_null("params", "Not used."),
    text("status", "RUNNING, SUCCESS or FAILED."),
    text("created_at", "When it began, in UTC."),
    text("updated_at", "When it ended, or began if it has not, in UTC."),
    boolean("enable_show", "Whether there is more to be shown."),
];

/// The id of a task.
pub(crate) const TASK_ID: Field = Field {
    name: "task_id",
    kind: INSTANCE_ID.kind,
    need: Need::Required,
    invalid: Some(&code::TASK_ID),
    about: "The id of the task.",
};

pub(crate) static LIST: Operation = Operation {
    id: "ListBackgroundTaskV1",
    summary: "Lists the tasks of an instance.",
    route: Route::Path { method: Method::Get, template: "/v1.0/{project_id}/instances/{instance_id}/tasks" },
    path: &[PROJECT_ID, INSTANCE_ID],
    permission: Some("dcs:instance:getBackgroundTask"),
    query: QUERY,
    answers: &[Answer { status: 200, about: "One page of the tasks.", body: Some(PAGE) }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, &[&code::UNKNOWN_INSTANCE]],
    source: reference("11"),
    ..V1_PROJECT
}
.checked();

pub(crate) static DELETE: Operation = Operation {
    id: "DeleteBackgroundTaskV1",
    summary: "Forgets a task of an instance that is over.",
    route: Route::Path {
        method: Method::Delete,
        template: "/v1.0/{project_id}/instances/{instance_id}/tasks/{task_id}",
    },
    path: &[PROJECT_ID, INSTANCE_ID, TASK_ID],
    permission: Some("dcs:instance:deleteBackgroundTask"),
    answers: &[Answer { status: 204, about: "The task is forgotten.", body: None }],
    errors: &[
        CALLER_ERRORS,
        PROJECT_ERRORS,
        &[&code::UNKNOWN_INSTANCE, &code::TASK_RUNNING, &code::NOT_SAVED],
    ],
    source: reference("11"),
    ..V1_PROJECT
}
.checked();

pub(crate) fn list<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let instance = dcs.instance(&request)?;
        let (count, tasks) = page(dcs, &request, |task| task.instance_id == instance.id);
        let tasks: Vec<_> = tasks.iter().map(|task| shown(task, Some(&instance))).collect();
        Ok(Reply::ok(json!({"task_count": count.to_string(), "tasks": tasks})))
    })
}

/// The tasks of a page, the latest first, of those that are meant and within the times that a request names; and how many
/// there are on all pages.
pub(crate) fn page(
    dcs: &Dcs,
    request: &Request<'_>,
    is_meant: impl Fn(&Task) -> bool,
) -> (usize, Vec<Arc<Task>>) {
    let at = |name| request.query.text(name).and_then(time::from_digits);
    let from_ms = at("start_time").unwrap_or(0);
    // The second that is named counts as a whole.
    let to_ms = at("end_time").map_or(u64::MAX, |at_ms| at_ms + 999);
    let mut tasks = dcs.cloud.tasks(request.project_id());
    tasks.retain(|task| is_meant(task) && (from_ms..=to_ms).contains(&task.created_at_ms));
    tasks.reverse();
    (tasks.len(), field::page(tasks, &request.query).collect())
}

pub(crate) fn delete<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        forget(dcs, &request).await?;
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    })
}

/// Forgets the task that a request names.
pub(crate) async fn forget(dcs: &Dcs, request: &Request<'_>) -> Result<(), Failure> {
    let (project_id, id) = (request.project_id(), request.instance_id());
    if dcs.cloud.instance(project_id, id).is_none() {
        return Err((&code::UNKNOWN_INSTANCE).into());
    }
    let forgotten = dcs.cloud.forget_task(project_id, id, request.call.parameter("task_id")).await;
    forgotten.map_err(|error| match error {
        ForgetError::NotFound => (&code::TASK_ID).into(),
        ForgetError::Running => (&code::TASK_RUNNING).into(),
        ForgetError::Store(_) => (&code::NOT_SAVED).into(),
    })
}

/// A task as [`TASK`] declares it, and its instance as long as there is one.
pub(crate) fn shown(task: &Task, instance: Option<&Instance>) -> Value {
    let mut details = task.details.resize.as_ref().map(|resize| {
        let (from, to) = (&resize.from, &resize.to);
        json!({
            "old_capacity": from.capacity.gb().to_string(),
            "new_capacity": to.capacity.gb().to_string(),
            "old_resource_spec_code": from.spec_code,
            "new_resource_spec_code": to.spec_code,
            "old_cache_mode": cache_mode(from.topology),
            "new_cache_mode": cache_mode(to.topology),
            "old_replica_num": from.copies,
            "new_replica_num": to.copies,
        })
    });
    let details = details.get_or_insert_with(nothing);
    details["updated_config_length"] = task.details.configure.as_ref().map(|change| change.told.len()).into();
    json!({
        "id": task.id,
        "name": name(task.kind),
        "details": details,
        "user_name": instance.map(|instance| &instance.owner.user_name),
        "user_id": instance.map(|instance| &instance.owner.user_id),
        "params": null,
        "status": status(task.state),
        "created_at": time::with_millis(task.created_at_ms),
        "updated_at": time::with_millis(task.finished_at_ms.unwrap_or(task.created_at_ms)),
        "enable_show": false,
    })
}

/// What tells of no change.
fn nothing() -> Value {
    json!({
        "old_capacity": null,
        "new_capacity": null,
        "old_resource_spec_code": null,
        "new_resource_spec_code": null,
        "old_cache_mode": null,
        "new_cache_mode": null,
        "old_replica_num": null,
        "new_replica_num": null,
    })
}

/// How far it is.
pub(crate) fn status(state: task::State) -> &'static str {
    match state {
        task::State::Running => "RUNNING",
        task::State::Succeeded => "SUCCESS",
        task::State::Failed => "FAILED",
    }
}

/// What it does.
pub(crate) fn name(kind: task::Kind) -> String {
    format!("{kind:?}").to_ascii_uppercase()
}
