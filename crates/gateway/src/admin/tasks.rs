//! Tasks that are at work, and the end of their wait where somebody has to end it.
//!
//! - `GET /admin/tasks`: those of all projects, oldest first, as `[{"id": "...", "instance_id": "...", "instance_name":
//!   "...", "kind": "Create", "progress_percent": 0}]`.
//! - `POST /admin/tasks/{id}/step`: a task of the stepped profile waits no more; 204.
//! - `POST /admin/tasks/step`: all that wait; answers the number of them as `{"stepped": N}`.
//!
//! Errors are 404, with the reason as `{"error": "..."}`.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};

use super::told;
use crate::Gateway;

/// The paths.
pub(super) fn routes() -> Router<Arc<Gateway>> {
    Router::new()
        .route("/admin/tasks", get(list))
        .route("/admin/tasks/step", post(step_all))
        .route("/admin/tasks/{id}/step", post(step))
}

async fn list(State(gateway): State<Arc<Gateway>>) -> Response {
    let now_ms = gateway.cloud.clock().now_ms();
    let tasks = gateway.cloud.running_tasks();
    let shown = tasks.iter().map(|task| {
        json!({
            "id": task.id,
            "instance_id": task.instance_id,
            "instance_name": task.instance_name,
            "kind": task.kind,
            "progress_percent": task.progress_percent(now_ms),
        })
    });
    ([(CONTENT_TYPE, "application/json")], Value::from_iter(shown).to_string()).into_response()
}

async fn step(State(gateway): State<Arc<Gateway>>, Path(id): Path<String>) -> Response {
    if gateway.cloud.step(&id) {
        return StatusCode::NO_CONTENT.into_response();
    }
    told(
        StatusCode::NOT_FOUND,
        "no such task waits: under --tasks stepped GET /admin/tasks lists those that do",
    )
}

async fn step_all(State(gateway): State<Arc<Gateway>>) -> Response {
    let stepped = gateway.cloud.running_tasks().iter().filter(|task| gateway.cloud.step(&task.id)).count();
    ([(CONTENT_TYPE, "application/json")], json!({ "stepped": stepped }).to_string()).into_response()
}
