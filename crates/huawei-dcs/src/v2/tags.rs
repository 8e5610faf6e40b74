//! The tags of instances, as v1.0 has them. An action is answered without a body here.

use cloud::Pending;
use http::StatusCode;
use operation::schema::{Field, Need};
use operation::{Answer, Failure, Method, Operation, Reply, Route};

use super::{V2_INSTANCE, V2_PROJECT};
use crate::code;
use crate::dcs::Dcs;
use crate::endpoint::Request;
use crate::field::{CALLER_ERRORS, PROJECT_ERRORS, reference};
use crate::refusal::BUSY;
use crate::v1::tags::{ACTION, OF_ALL, OF_ONE, change as change_tags};

pub(crate) static LIST_ALL: Operation = Operation {
    id: "ListTagsOfTenant",
    summary: "Lists the tags of all instances of a project.",
    route: Route::Path { method: Method::Get, template: "/v2/{project_id}/dcs/tags" },
    answers: &[Answer { status: 200, about: "The tags.", body: Some(OF_ALL) }],
    source: reference("9.4"),
    ..V2_PROJECT
}
.checked();

/// As in v1.0, but that the tags may be left out (table 9-9); then nothing is to be done.
const BODY: &[Field] = &[ACTION[0], Field { need: Need::Optional, ..ACTION[1] }];

pub(crate) static CHANGE: Operation = Operation {
    id: "BatchCreateOrDeleteTags",
    summary: "Adds tags to an instance, or deletes them.",
    route: Route::Path { method: Method::Post, template: "/v2/{project_id}/dcs/{instance_id}/tags/action" },
    permission: Some("dcs:instance:modify"),
    body: Some(BODY),
    answers: &[Answer { status: 204, about: "The tags are added or deleted.", body: None }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, &[&code::EMPTY_BODY, &code::QUOTA_REACHED], BUSY],
    source: reference("9.5"),
    ..V2_INSTANCE
}
.checked();

pub(crate) static LIST_ONE: Operation = Operation {
    id: "ShowTags",
    summary: "Lists the tags of an instance.",
    route: Route::Path { method: Method::Get, template: "/v2/{project_id}/instances/{instance_id}/tags" },
    permission: Some("dcs:instance:get"),
    answers: &[Answer { status: 200, about: "The tags.", body: Some(OF_ONE) }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, &[&code::UNKNOWN_INSTANCE]],
    source: reference("9.6"),
    ..V2_INSTANCE
}
.checked();

pub(super) fn change<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        change_tags(dcs, &request).await?;
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    })
}
