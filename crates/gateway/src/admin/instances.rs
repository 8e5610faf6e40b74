//! Masters that fail, and standbys that take their place.
//!
//! - `POST /admin/instances/{id}/failover`: the standby takes its master's place; 204 when clients are served again.
//! - `POST /admin/instances/{id}/fail/stop` and `fail/hang`: the master ends, or answers nobody any more; 202.
//!
//! Both take `?shard=N` for instances that share their slots out: shards are counted from 0 in the order of their slots, and
//! without a number it is the first that has a standby.

use cloud::data_plane::{FailoverError, Failure as MasterFailure};
use cloud::{Cloud, Pending};
use http::StatusCode;
use operation::schema::{FIELD, Field, Integer, Kind, Query, TEXT, Text};
use operation::{Answer, Call, ErrorCode, Failure, Method, Operation, Reply, Route};

use super::{ADMIN, ERRORS, code, part};

static NOT_THERE: ErrorCode = code(404, "not there", "{0}");
static NOT_NOW: ErrorCode = code(409, "not now", "{0}");
static SHARD: ErrorCode = code(400, "shard", "a shard is told by its number, counted from 0");
static HOW: ErrorCode = code(400, "how", "a master fails by 'stop' or 'hang'");

const ID: Field = part("id", &NOT_THERE, "The id of the instance.");

const QUERY: &[Field] = &[Field {
    name: "shard",
    kind: Kind::Integer(Integer { min: 0, max: u32::MAX as i64, or_text: true }),
    invalid: Some(&SHARD),
    about: "The shard, counted from 0; the first that has a standby if left out.",
    ..FIELD
}];

const FAILOVER_ERRORS: &[&ErrorCode] = &[&NOT_THERE, &NOT_NOW];

pub(super) static FAILOVER: Operation = Operation {
    id: "AdminFailover",
    summary: "Has the standby of an instance of any project take its master's place.",
    route: Route::Path { method: Method::Post, template: "/admin/instances/{id}/failover" },
    path: &[ID],
    query: QUERY,
    answers: &[Answer { status: 204, about: "Clients are served by it.", body: None }],
    errors: &[ERRORS, FAILOVER_ERRORS],
    ..ADMIN
}
.checked();

pub(super) static FAIL: Operation = Operation {
    id: "AdminFail",
    summary: "Has the master of an instance of any project end, or answer nobody any more.",
    route: Route::Path { method: Method::Post, template: "/admin/instances/{id}/fail/{how}" },
    path: &[
        ID,
        Field {
            kind: Kind::Text(Text { one_of: &["stop", "hang"], ..TEXT }),
            ..part("how", &HOW, "stop, or hang.")
        },
    ],
    query: QUERY,
    answers: &[Answer { status: 202, about: "It has failed.", body: None }],
    errors: &[ERRORS, FAILOVER_ERRORS],
    ..ADMIN
}
.checked();

pub(super) fn failover<'a>(
    cloud: &'a Cloud,
    call: &'a Call,
    query: Query,
) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        cloud.failover(call.parameter("id"), shard(&query)).await.map_err(refused)?;
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    })
}

pub(super) fn fail<'a>(
    cloud: &'a Cloud,
    call: &'a Call,
    query: Query,
) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let failure = match call.parameter("how") {
            "hang" => MasterFailure::Hang,
            _ => MasterFailure::Stop,
        };
        cloud.fail(call.parameter("id"), shard(&query), failure).map_err(refused)?;
        Ok(Reply::empty(StatusCode::ACCEPTED))
    })
}

fn shard(query: &Query) -> Option<usize> {
    query.integer("shard").and_then(|shard| usize::try_from(shard).ok())
}

fn refused(error: FailoverError) -> Failure {
    let code = match error {
        FailoverError::NotRunning | FailoverError::NoShard => &NOT_THERE,
        FailoverError::NoStandby | FailoverError::TooSlow | FailoverError::Busy => &NOT_NOW,
    };
    code.of(error.to_string())
}
