//! Removing all that an instance holds.

use cloud::Pending;
use operation::{Failure, Operation, Reply};
use serde_json::json;

use super::password::{PASSWORD, TASK_ERRORS, TASKED};
use crate::action::{Request, numbered};
use crate::code;
use crate::crs::{Crs, refused};
use crate::delivery::{PROJECT, opens};
use crate::field::{ACTION, COMMON_ERRORS, action, chapter, redis_id};

pub(super) static CLEAR: Operation = Operation {
    id: "ClearRedis",
    summary: "Removes all that an instance holds.",
    route: action("ClearRedis"),
    permission: Some("crs:instance:ClearRedis"),
    query: &[redis_id(&code::INVALID_PARAMETER), PASSWORD],
    answers: TASKED,
    errors: &[COMMON_ERRORS, TASK_ERRORS, &[&code::PASSWORD_EMPTY, &code::WRONG_PASSWORD]],
    source: chapter("Clear CRS Instance"),
    ..ACTION
}
.checked();

pub(super) fn clear<'a>(crs: &'a Crs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let instance = crs.serving(request.text("redisId"))?;
        match request.text("password") {
            "" => return Err((&code::PASSWORD_EMPTY).into()),
            password if !opens(&instance, password) => return Err((&code::WRONG_PASSWORD).into()),
            _ => {}
        }
        let task = crs.cloud.clear(PROJECT, &instance.id).await.map_err(refused)?;
        Ok(numbered(json!({"data": {"requestId": task.sequence}})))
    })
}
