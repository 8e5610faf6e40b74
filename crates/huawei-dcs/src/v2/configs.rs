//! The parameters of an instance, as v2 shows and changes them.

use cloud::Pending;
use operation::schema::{Field, Kind};
use operation::{Answer, Failure, Method, Operation, Reply, Route};
use serde_json::json;

use super::{V2_INSTANCE, reference};
use crate::code;
use crate::dcs::Dcs;
use crate::endpoint::Request;
use crate::field::{CALLER_ERRORS, PROJECT_ERRORS, list, text};
use crate::refusal::BUSY_OTHERWISE;
use crate::v1::configs::{self, CHANGE, CHANGE_ERRORS};

pub(crate) static CONFIGURE: Operation = Operation {
    id: "UpdateConfigurations",
    summary: "Changes parameters of an instance.",
    route: Route::Path { method: Method::Put, template: "/v2/{project_id}/instances/{instance_id}/configs" },
    permission: Some("dcs:instance:modifyConfiguration"),
    body: Some(CHANGE),
    answers: &[Answer { status: 204, about: "They are changed, or about to be.", body: None }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, BUSY_OTHERWISE, CHANGE_ERRORS],
    source: reference("Modifying Configuration Parameters"),
    ..V2_INSTANCE
}
.checked();

pub(crate) static CONFIGURE_ASYNC: Operation = Operation {
    id: "UpdateInstanceConfig",
    summary: "Changes parameters of an instance, and tells the task that does so.",
    route: Route::Path {
        method: Method::Put,
        template: "/v2/{project_id}/instances/{instance_id}/async-configs",
    },
    permission: Some("dcs:instance:modifyConfiguration"),
    body: Some(CHANGE),
    answers: &[Answer {
        status: 200,
        about: "The task that changes them.",
        body: Some(&[text("job_id", "The id of the task.")]),
    }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, BUSY_OTHERWISE, CHANGE_ERRORS],
    source: reference("Asynchronously Modifying Configuration Parameters"),
    ..V2_INSTANCE
}
.checked();

pub(crate) static CONFIGURATION: Operation = Operation {
    id: "ListConfigurations",
    summary: "Shows the parameters of an instance.",
    route: Route::Path { method: Method::Get, template: "/v2/{project_id}/instances/{instance_id}/configs" },
    permission: Some("dcs:instance:getConfiguration"),
    answers: &[Answer {
        status: 200,
        about: "The parameters.",
        body: Some(&[
            text("status", "The state of the instance."),
            text("instance_id", "The id of the instance."),
            list("redis_config", &Kind::Object(PARAMETER), "The parameters that instances of its kind have."),
            text("config_status", "UPDATING while a change is made; then SUCCESS or FAILURE."),
            text("config_time", "When the last change began; empty if there was none."),
        ]),
    }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, &[&code::UNKNOWN_INSTANCE]],
    source: reference("Querying Configuration Parameters"),
    ..V2_INSTANCE
}
.checked();

const PARAMETER: &[Field] = &[
    text("description", "What it does."),
    text("param_id", "Its number."),
    text("param_name", "Its name."),
    text("param_value", "Its value."),
    text("default_value", "The value that instances begin with."),
    text("value_type", "Integer, String, or regular for a regular expression."),
    text("value_range", "The values that it takes."),
];

pub(super) fn configure_async<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let task = configs::change(dcs, &request).await?;
        Ok(Reply::ok(json!({"job_id": task.id})))
    })
}

pub(super) fn configuration<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let instance = dcs.instance(&request)?;
        Ok(Reply::ok(configs::shown(dcs, &instance, |id| json!(id.to_string()))))
    })
}
