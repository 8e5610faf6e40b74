//! Another password for an instance.

use cloud::Pending;
use cloud::identity::Secret;
use cloud::instance::Access;
use operation::schema::{FIELD, Field, joined};
use operation::{Answer, ErrorCode, Failure, Operation, Reply};
use serde_json::json;

use crate::action::{Request, numbered};
use crate::code;
use crate::crs::{Crs, refused};
use crate::delivery::{PROJECT, opens};
use crate::field::{ACTION, COMMON_ERRORS, NUMBERED, TASK, action, chapter, redis_id};
use crate::password;

pub(super) static CHANGE: Operation = Operation {
    id: "ModfiyRedisPassword",
    summary: "Gives an instance another password, if the present one is told.",
    route: action("ModfiyRedisPassword"),
    permission: Some("crs:instance:ModfiyRedisPassword"),
    query: &[redis_id(&code::INVALID_PARAMETER), Field { name: "oldPassword", ..PASSWORD }, PASSWORD],
    answers: TASKED,
    errors: &[
        COMMON_ERRORS,
        TASK_ERRORS,
        &[&code::PASSWORD_EMPTY, &code::OLD_PASSWORD, &code::PASSWORD_RULE],
    ],
    source: chapter("Change CRS Instance Password"),
    ..ACTION
}
.checked();

pub(super) static RESET: Operation = Operation {
    id: "ResetRedisPassword",
    summary: "Gives an instance another password.",
    route: action("ResetRedisPassword"),
    permission: Some("crs:instance:ResetRedisPassword"),
    query: &[redis_id(&code::INVALID_PARAMETER), PASSWORD],
    answers: TASKED,
    errors: &[COMMON_ERRORS, TASK_ERRORS, &[&code::PASSWORD_RULE]],
    source: chapter("Reset CRS Instance Password"),
    ..ACTION
}
.checked();

pub(super) const PASSWORD: Field = Field {
    name: "password",
    invalid: Some(&code::INVALID_PARAMETER),
    about: "A password: 8 to 16 characters of at least two kinds.",
    ..FIELD
};

/// An answer with a task.
pub(super) const TASKED: &[Answer] =
    &[Answer { status: 200, about: "A task does it.", body: Some(&TASKED_BODY) }];

const TASKED_BODY: [Field; 4] = joined(NUMBERED, &[TASK]);

/// Why no task begins.
pub(super) const TASK_ERRORS: &[&ErrorCode] = &[&code::NO_INSTANCE, &code::LOCKED, &code::STATUS_ABNORMAL];

pub(super) fn change<'a>(crs: &'a Crs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let instance = crs.serving(request.text("redisId"))?;
        let (old, new) = (request.text("oldPassword"), request.text("password"));
        if old.is_empty() || new.is_empty() {
            return Err((&code::PASSWORD_EMPTY).into());
        }
        if !opens(&instance, old) {
            return Err((&code::OLD_PASSWORD).into());
        }
        set(crs, &instance.id, new).await
    })
}

pub(super) fn reset<'a>(crs: &'a Crs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let instance = crs.serving(request.text("redisId"))?;
        set(crs, &instance.id, request.text("password")).await
    })
}

async fn set(crs: &Crs, id: &str, new: &str) -> Result<Reply, Failure> {
    if !password::is_good(new) {
        return Err((&code::PASSWORD_RULE).into());
    }
    let access = Access::Password(Secret::new(new));
    let task = crs.cloud.set_access(PROJECT, id, access).await.map_err(refused)?;
    Ok(numbered(json!({"data": {"requestId": task.sequence}})))
}
