//! What the owner of the machine may do, whichever project it concerns: nobody else reaches these paths, as they are as
//! little proven as those of health and metrics. Time is steered in [`clock`], tasks are in [`tasks`]; here are instances.
//!
//! - `POST /admin/instances/{id}/failover`: the standby takes its master's place; 204 when clients are served again.
//! - `POST /admin/instances/{id}/fail/stop` and `fail/hang`: the master ends, or answers nobody any more; 202.
//!
//! Both take `?shard=N` for instances that share their slots out: shards are counted from 0 in the order of their slots, and
//! without a number it is the first that has a standby.
//!
//! Errors are 404, 409 or 400, with the reason as `{"error": "..."}`.

mod clock;
mod tasks;

use std::num::ParseIntError;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, RawQuery, State};
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
        .merge(clock::routes())
        .merge(tasks::routes())
}

/// Which shard of an instance is meant, if it is said.
///
/// # Errors
/// It is no number.
fn shard(query: Option<&str>) -> Result<Option<usize>, ParseIntError> {
    let given = query.unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix("shard="));
    given.map(str::parse).transpose()
}

async fn failover(
    State(gateway): State<Arc<Gateway>>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let Ok(shard) = shard(query.as_deref()) else { return no_number() };
    match gateway.cloud.failover(&id, shard).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => refused(error),
    }
}

async fn fail(
    State(gateway): State<Arc<Gateway>>,
    Path((id, how)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Response {
    let Ok(shard) = shard(query.as_deref()) else { return no_number() };
    let failure = match how.as_str() {
        "stop" => Failure::Stop,
        "hang" => Failure::Hang,
        _ => return told(StatusCode::BAD_REQUEST, "a master fails by 'stop' or 'hang'"),
    };
    match gateway.cloud.fail(&id, shard, failure) {
        Ok(()) => StatusCode::ACCEPTED.into_response(),
        Err(error) => refused(error),
    }
}

fn refused(error: FailoverError) -> Response {
    let status = match error {
        FailoverError::NotRunning | FailoverError::NoShard => StatusCode::NOT_FOUND,
        FailoverError::NoStandby | FailoverError::TooSlow | FailoverError::Busy => StatusCode::CONFLICT,
    };
    told(status, &error.to_string())
}

fn no_number() -> Response {
    told(StatusCode::BAD_REQUEST, "a shard is told by its number, counted from 0")
}

fn told(status: StatusCode, reason: &str) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], json!({ "error": reason }).to_string()).into_response()
}
