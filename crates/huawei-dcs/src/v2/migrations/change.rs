//! Changing, stopping, beginning again and forgetting migrations.

use cloud::migration::Migration;
use cloud::{MigrationError, Pending};
use http::StatusCode;
use operation::schema::{Field, Kind, Need, TEXT};
use operation::{Answer, Failure, Method, Operation, Reply, Route};
use serde_json::{Value, json};

use super::begin::NAMED;
use super::show::{SHOWN, shown};
use super::{BASE, RESUME, STATE_ERRORS, TASK_ID, field, refused};
use crate::code;
use crate::dcs::Dcs;
use crate::endpoint::Request;
use crate::field::{CALLER_ERRORS, PROJECT_ERRORS, PROJECT_ID, list as list_field, text};
use crate::v2::reference;

pub(crate) static UPDATE: Operation = Operation {
    id: "UpdateMigrationTask",
    summary: "Says whether a migration begins again by itself when the program has been started again.",
    route: Route::Path { method: Method::Put, template: "/v2/{project_id}/migration-task/{task_id}" },
    path: &[PROJECT_ID, TASK_ID],
    body: Some(&[Field { need: Need::Required, ..RESUME }]),
    answers: &[Answer { status: 200, about: "It is so.", body: Some(&[text("result", "success.")]) }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, &[&code::EMPTY_BODY, &code::NOT_SAVED]],
    source: reference("Modifying a Migration Task"),
    ..BASE
}
.checked();

pub(crate) static STOP: Operation = Operation {
    id: "StopMigrationTask",
    summary: "Ends a migration.",
    route: Route::Path { method: Method::Post, template: "/v2/{project_id}/migration-task/{task_id}/stop" },
    path: &[PROJECT_ID, TASK_ID],
    answers: &[Answer { status: 200, about: "It has ended.", body: Some(SHOWN) }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, STATE_ERRORS],
    source: reference("Stopping a Migration Task"),
    ..BASE
}
.checked();

pub(crate) static STOP_SYNC: Operation = Operation {
    id: "StopMigrationTaskSync",
    summary: "Ends a migration.",
    route: Route::Path {
        method: Method::Post,
        template: "/v2/{project_id}/migration-task/{task_id}/sync-stop",
    },
    path: &[PROJECT_ID, TASK_ID],
    answers: &[Answer { status: 204, about: "It has ended.", body: None }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, STATE_ERRORS],
    source: reference("Stopping a Migration Task Synchronously"),
    ..BASE
}
.checked();

const IDS: Field = Field {
    kind: Kind::List { of: &Kind::Text(TEXT), min_items: 1 },
    need: Need::Required,
    ..field("migration_tasks", "The ids of the migrations.")
};

const RESULTS: &[Field] = &[list_field(
    "migration_tasks",
    &Kind::Object(NAMED),
    "An item for each migration, in the order of the request.",
)];

/// What is done to several migrations, each of which has a result of its own.
const BATCH: Operation = Operation {
    body: Some(&[IDS]),
    answers: &[Answer { status: 200, about: "What became of each.", body: Some(RESULTS) }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, &[&code::EMPTY_BODY]],
    ..BASE
};

pub(crate) static BATCH_STOP: Operation = Operation {
    id: "BatchStopMigrationTasks",
    summary: "Ends several migrations.",
    route: Route::Path { method: Method::Post, template: "/v2/{project_id}/migration-task/batch-stop" },
    source: reference("Stopping Migration Tasks in Batches"),
    ..BATCH
}
.checked();

pub(crate) static BATCH_RESTART: Operation = Operation {
    id: "BatchRestartOnlineMigrationTasks",
    summary: "Begins several migrations again.",
    route: Route::Path { method: Method::Post, template: "/v2/{project_id}/migration-tasks/batch-restart" },
    source: reference("Restarting Online Migration Tasks in Batches"),
    ..BATCH
}
.checked();

pub(crate) static DELETE: Operation = Operation {
    id: "DeleteMigrationTask",
    summary: "Forgets migrations that are over.",
    route: Route::Path { method: Method::Delete, template: "/v2/{project_id}/migration-tasks/delete" },
    body: Some(&[Field { name: "task_id_list", ..IDS }]),
    answers: &[Answer {
        status: 200,
        about: "They are forgotten.",
        body: Some(&[list_field("task_id_list", &Kind::Text(TEXT), "The ids of the migrations.")]),
    }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, STATE_ERRORS, &[&code::EMPTY_BODY]],
    source: reference("Deleting Migration Tasks"),
    ..BASE
}
.checked();

pub(in crate::v2) fn update<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let resumes = request.body.text("resume_mode") != Some("manual");
        let id = request.call.parameter("task_id");
        let changed = dcs.cloud.set_migration_resumes(request.project_id(), id, resumes).await;
        changed.map_err(|error| refused(&error))?;
        Ok(Reply::ok(json!({"result": "success"})))
    })
}

pub(in crate::v2) fn stop<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let id = request.call.parameter("task_id");
        let stopped = dcs.cloud.stop_migration(request.project_id(), id).await;
        let stopped = stopped.map_err(|error| refused(&error))?;
        Ok(Reply::ok(shown(dcs, &request, &stopped)))
    })
}

pub(in crate::v2) fn stop_sync<'a>(
    dcs: &'a Dcs,
    request: Request<'a>,
) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let id = request.call.parameter("task_id");
        let stopped = dcs.cloud.stop_migration(request.project_id(), id).await;
        stopped.map_err(|error| refused(&error))?;
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    })
}

pub(in crate::v2) fn batch_stop<'a>(
    dcs: &'a Dcs,
    request: Request<'a>,
) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let mut results = Vec::new();
        for id in request.body.texts("migration_tasks") {
            results.push(result(id, dcs.cloud.stop_migration(request.project_id(), id).await));
        }
        Ok(Reply::ok(json!({"migration_tasks": results})))
    })
}

pub(in crate::v2) fn batch_restart<'a>(
    dcs: &'a Dcs,
    request: Request<'a>,
) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let mut results = Vec::new();
        for id in request.body.texts("migration_tasks") {
            results.push(result(id, dcs.cloud.restart_migration(request.project_id(), id).await));
        }
        Ok(Reply::ok(json!({"migration_tasks": results})))
    })
}

pub(in crate::v2) fn delete<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let ids: Vec<String> = request.body.texts("task_id_list").map(str::to_owned).collect();
        let forgotten = dcs.cloud.forget_migrations(request.project_id(), &ids).await;
        forgotten.map_err(|error| refused(&error))?;
        Ok(Reply::ok(json!({"task_id_list": ids})))
    })
}

fn result(id: &str, outcome: Result<std::sync::Arc<Migration>, MigrationError>) -> Value {
    let failure = outcome.err().map(|error| refused(&error));
    json!({
        "result": if failure.is_none() { "success" } else { "failed" },
        "task_id": id,
        "error_code": failure.as_ref().map(|failure| failure.code.code),
        "error_msg": failure.as_ref().map(Failure::message),
    })
}
