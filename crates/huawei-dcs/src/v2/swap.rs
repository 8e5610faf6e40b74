//! Having the standby of an instance take its master's place.

use cloud::{Pending, TaskError};
use http::StatusCode;
use operation::{Answer, Failure, Method, Operation, Reply, Route};

use super::{JOB, V2_INSTANCE, job, reference};
use crate::code;
use crate::dcs::Dcs;
use crate::endpoint::Request;
use crate::field::{CALLER_ERRORS, PROJECT_ERRORS};
use crate::refusal::{self, BUSY};

pub(crate) static SWAP: Operation = Operation {
    id: "ChangeMasterStandby",
    summary: "Has the standby of a master/standby instance take its master's place; the address stays.",
    route: Route::Path { method: Method::Post, template: "/v2/{project_id}/instances/{instance_id}/swap" },
    permission: Some("dcs:instance:swap"),
    answers: &[Answer { status: 204, about: "The standby is the master, or is about to be.", body: None }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, BUSY, &[&code::NO_SWAP, &code::SWAP_FAILED]],
    source: reference("Master/Standby Switchover"),
    ..V2_INSTANCE
}
.checked();

pub(super) fn swap<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let swapped = dcs.cloud.swap(request.project_id(), request.instance_id()).await;
        swapped.map_err(|error| match error {
            TaskError::NotSupported => &code::NO_SWAP,
            TaskError::Failed => &code::SWAP_FAILED,
            error => refusal::of_task(&error),
        })?;
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    })
}

pub(crate) static SWAP_ASYNC: Operation = Operation {
    id: "ChangeMasterStandbyAsync",
    summary: "The same, as a job that can be asked about.",
    route: Route::Path {
        method: Method::Put,
        template: "/v2/{project_id}/instances/{instance_id}/async-swap",
    },
    answers: &[Answer {
        status: 200,
        about: "The standby is the master, or is about to be.",
        body: Some(JOB),
    }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, BUSY, &[&code::NO_SWAP, &code::BROKEN]],
    source: reference("Master/Standby Switchover as a Job"),
    ..SWAP
}
.checked();

pub(super) fn swap_async<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let begun = dcs.cloud.begin_swap(request.project_id(), request.instance_id()).await;
        let id = begun.map_err(|error| match error {
            TaskError::NotSupported => &code::NO_SWAP,
            error => refusal::of_task(&error),
        })?;
        Ok(job(&id))
    })
}
