//! The clock of the cloud and of all nodes.
//!
//! - `GET /admin/clock`: what it shows, as `{"now": "2026-01-31T12:00:00Z", "now_ms": N, "machine_ms": N, "rate": 1}`.
//!   `machine_ms` is what other programs see; `rate` is how many times faster than real time it runs, 0 while it stands.
//! - `POST /admin/clock` with `{"rate": R}`, `{"advance_ms": N}` or both: it runs so many times faster from now on, and
//!   moves forward by so much. Answers what `GET` does.
//!
//! Errors are 400, with the reason as `{"error": "..."}`.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use cloud::clock::Steering;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::told;
use crate::Gateway;

/// It runs no faster than so many times.
const FASTEST: f64 = 1_000_000.0;
/// It moves by no more than a hundred years at once, in ms.
const FARTHEST_MS: u64 = 100 * 366 * 24 * 3_600_000;

/// The paths.
pub(super) fn routes() -> Router<Arc<Gateway>> {
    Router::new().route("/admin/clock", get(show).post(steer))
}

async fn show(State(gateway): State<Arc<Gateway>>) -> Response {
    let clock = gateway.cloud.clock();
    let now_ms = clock.now_ms();
    let now = i64::try_from(now_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    let shown = json!({
        "now": now.map(|now| now.to_string()),
        "now_ms": now_ms,
        "machine_ms": clock.machine_ms(),
        "rate": clock.rate() as f64 / 1000.0,
    });
    ([(CONTENT_TYPE, "application/json")], shown.to_string()).into_response()
}

async fn steer(State(gateway): State<Arc<Gateway>>, body: Bytes) -> Response {
    let wanted = serde_json::from_slice(&body).ok().and_then(|body: Map<String, Value>| steering(&body));
    let Some(wanted) = wanted else {
        return told(
            StatusCode::BAD_REQUEST,
            "a clock takes {\"rate\": R} with R from 0 to 1000000, {\"advance_ms\": N} with N from 0 on, or both",
        );
    };
    if !gateway.cloud.clock().steer(wanted) {
        return told(StatusCode::BAD_REQUEST, "this clock cannot be steered");
    }
    tracing::info!(?wanted, "the clock is steered");
    show(State(gateway)).await
}

/// What a request asks for; nothing if it is not understood.
fn steering(body: &Map<String, Value>) -> Option<Steering> {
    let mut wanted = Steering::default();
    for (name, value) in body {
        match name.as_str() {
            "rate" => {
                let rate = value.as_f64().filter(|rate| (0.0..=FASTEST).contains(rate))?;
                // The range was just checked.
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                let thousandths = (rate * 1000.0).round() as u64;
                wanted.rate = Some(thousandths);
            }
            "advance_ms" => wanted.advance_ms = value.as_u64().filter(|ms| *ms <= FARTHEST_MS)?,
            _ => return None,
        }
    }
    Some(wanted).filter(|_| !body.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_understood_is_not_half_done() {
        let of =
            |text: &str| serde_json::from_str(text).ok().and_then(|body: Map<String, Value>| steering(&body));
        assert_eq!(of(r#"{"rate": 0.5}"#), Some(Steering { rate: Some(500), advance_ms: 0 }));
        assert_eq!(of(r#"{"rate": 0, "advance_ms": 7}"#), Some(Steering { rate: Some(0), advance_ms: 7 }));
        for bad in [
            "{}",
            "[]",
            "",
            r#"{"rate": -1}"#,
            r#"{"rate": "1"}"#,
            r#"{"advance_ms": -1}"#,
            r#"{"advance_ms": 1.5}"#,
            r#"{"advance_ms": 1, "to": 2}"#,
            r#"{"rate": 1e9}"#,
            r#"{"advance_ms": 18446744073709551615}"#,
        ] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }
}
