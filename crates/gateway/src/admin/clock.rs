//! The clock of the cloud and of all nodes.
//!
//! - `GET /admin/clock`: what it shows, as `{"now": "2026-01-31T12:00:00Z", "now_ms": N, "machine_ms": N, "rate": 1}`.
//!   `machine_ms` is what other programs see; `rate` is how many times faster than real time it runs, 0 while it stands.
//! - `POST /admin/clock` with `{"rate": R}`, `{"advance_ms": N}` or both: it runs so many times faster from now on, and
//!   moves forward by so much. Answers what `GET` does.
//!
//! Errors are 400, with the reason as `{"error": "..."}`.

use cloud::clock::Steering;
use cloud::{Cloud, Pending};
use jiff::Timestamp;
use operation::schema::{FIELD, Field, INTEGER, Kind, Need, Query};
use operation::{Answer, Call, ErrorCode, Failure, Method, Operation, Reply, Route};
use serde_json::{Map, Value, json};

use super::{ADMIN, ERRORS, code};

/// It runs no faster than so many times.
const FASTEST: f64 = 1_000_000.0;
/// It moves by no more than a hundred years at once, in ms.
const FARTHEST_MS: u64 = 100 * 366 * 24 * 3_600_000;

static NOT_UNDERSTOOD: ErrorCode = code(
    400,
    "clock",
    "a clock takes {\"rate\": R} with R from 0 to 1000000, {\"advance_ms\": N} with N from 0 on, or both",
);
static UNSTEERABLE: ErrorCode = code(400, "unsteerable", "this clock cannot be steered");

const CLOCK: &[Field] = &[
    Field { name: "now", need: Need::Nullable, about: "The time, in UTC.", ..FIELD },
    Field {
        kind: Kind::Integer(INTEGER),
        name: "now_ms",
        need: Need::Required,
        about: "The same in ms.",
        ..FIELD
    },
    Field {
        kind: Kind::Integer(INTEGER),
        name: "machine_ms",
        need: Need::Required,
        about: "The machine's.",
        ..FIELD
    },
    Field { kind: Kind::Number, name: "rate", need: Need::Required, about: "How fast it runs.", ..FIELD },
];

pub(super) static SHOW: Operation = Operation {
    id: "AdminShowClock",
    summary: "Tells the time of the cloud and of all nodes.",
    route: Route::Path { method: Method::Get, template: "/admin/clock" },
    answers: &[Answer { status: 200, about: "The clock.", body: Some(CLOCK) }],
    ..ADMIN
}
.checked();

pub(super) static STEER: Operation = Operation {
    id: "AdminSteerClock",
    summary: "Moves the clock of the cloud and of all nodes forward, or has it run at another rate.",
    route: Route::Path { method: Method::Post, template: "/admin/clock" },
    body: Some(&[
        Field {
            kind: Kind::Number,
            name: "rate",
            invalid: Some(&NOT_UNDERSTOOD),
            about: "How fast it runs from now on: 1 as a rule, 0 to stop it.",
            ..FIELD
        },
        Field {
            kind: Kind::Integer(INTEGER),
            name: "advance_ms",
            invalid: Some(&NOT_UNDERSTOOD),
            about: "By how much it moves forward.",
            ..FIELD
        },
    ]),
    answers: &[Answer { status: 200, about: "The clock as it is now.", body: Some(CLOCK) }],
    errors: &[ERRORS, &[&UNSTEERABLE]],
    ..ADMIN
}
.checked();

pub(super) fn show<'a>(cloud: &'a Cloud, _: &'a Call, _: Query) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move { Ok(shown(cloud)) })
}

pub(super) fn steer<'a>(cloud: &'a Cloud, call: &'a Call, _: Query) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let wanted = serde_json::from_slice(&call.body).ok();
        let wanted = wanted.and_then(|body: Map<String, Value>| steering(&body)).ok_or(&NOT_UNDERSTOOD)?;
        if !cloud.clock().steer(wanted) {
            return Err((&UNSTEERABLE).into());
        }
        tracing::info!(?wanted, "the clock is steered");
        Ok(shown(cloud))
    })
}

fn shown(cloud: &Cloud) -> Reply {
    let clock = cloud.clock();
    let now_ms = clock.now_ms();
    let now = i64::try_from(now_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    Reply::ok(json!({
        "now": now.map(|now| now.to_string()),
        "now_ms": now_ms,
        "machine_ms": clock.machine_ms(),
        "rate": clock.rate() as f64 / 1000.0,
    }))
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
