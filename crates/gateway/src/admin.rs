//! What the owner of the machine may do to instances, whichever project has them: nobody else reaches these paths, as
//! they are as little proven as those of health and metrics.
//!
//! - `POST /admin/instances/{id}/failover`: the standby takes its master's place; 204 when clients are served again.
//! - `POST /admin/instances/{id}/fail/stop` and `fail/hang`: the master ends, or answers nobody any more; 202.
//!
//! Errors are 404, 409 or 400, with the reason as `{"error": "..."}`.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use cloud::data_plane::{FailoverError, Failure};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::json;

use crate::Gateway;

/// The paths.
pub(crate) fn routes() -> Router<Arc<Gateway>> {
    Router::new()
        .route("/admin/instances/{id}/failover", post(failover))
        .route("/admin/instances/{id}/fail/{how}", post(fail))
}

async fn failover(State(gateway): State<Arc<Gateway>>, Path(id): Path<String>) -> Response {
    match gateway.cloud.failover(&id).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => refused(error),
    }
}

async fn fail(State(gateway): State<Arc<Gateway>>, Path((id, how)): Path<(String, String)>) -> Response {
    let failure = match how.as_str() {
        "stop" => Failure::Stop,
        "hang" => Failure::Hang,
        _ => return told(StatusCode::BAD_REQUEST, "a master fails by 'stop' or 'hang'"),
    };
    match gateway.cloud.fail(&id, failure) {
        Ok(()) => StatusCode::ACCEPTED.into_response(),
        Err(error) => refused(error),
    }
}

fn refused(error: FailoverError) -> Response {
    let status = match error {
        FailoverError::NotRunning => StatusCode::NOT_FOUND,
        FailoverError::NoStandby | FailoverError::TooSlow | FailoverError::Busy => StatusCode::CONFLICT,
    };
    told(status, &error.to_string())
}

fn told(status: StatusCode, reason: &str) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], json!({ "error": reason }).to_string()).into_response()
}
