//! The parameters of an instance: which values they have, and other values for them.

use std::sync::Arc;

use cloud::instance::Instance;
use cloud::task::{self, Task};
use cloud::{Pending, TaskError};
use http::StatusCode;
use operation::schema::{FIELD, Field, INTEGER, Integer, Kind, Need};
use operation::{Answer, ErrorCode, Failure, Method, Operation, Reply, Route};
use serde_json::{Value, json};

use super::V1_PROJECT;
use crate::code;
use crate::dcs::Dcs;
use crate::endpoint::Request;
use crate::field::{
    CALLER_ERRORS, INSTANCE_ID, PROJECT_ERRORS, PROJECT_ID, boolean, integer, list, reference, text,
    text_or_null,
};
use crate::parameters::{self, Wish};
use crate::refusal::{self, BUSY_OTHERWISE};
use crate::time;

/// What is asked for: parameters and their new values (table 6-3).
pub(crate) const CHANGE: &[Field] = &[Field {
    name: "redis_config",
    kind: Kind::List { of: &Kind::Object(WISH), min_items: 1 },
    need: Need::Required,
    invalid: Some(&code::PARAMETER),
    about: "The parameters that are to change.",
}];

const WISH: &[Field] = &[
    Field {
        name: "param_id",
        kind: Kind::Integer(Integer { or_text: true, ..INTEGER }),
        need: Need::Required,
        invalid: Some(&code::PARAMETER),
        about: "The number of the parameter, as a text or a number.",
    },
    Field {
        name: "param_name",
        need: Need::Required,
        invalid: Some(&code::PARAMETER),
        about: "Its name.",
        ..FIELD
    },
    Field {
        name: "param_value",
        invalid: Some(&code::PARAMETER),
        about: "Its new value; empty or left out only where an empty one stands for the default.",
        ..FIELD
    },
];

/// What a change may be answered besides.
pub(crate) const CHANGE_ERRORS: &[&ErrorCode] = &[
    &code::EMPTY_BODY,
    &code::CONFIGURATION,
    &code::RESERVED_MEMORY,
    &code::OTHER_CHANGE,
    &code::JOB_FAILED,
];

pub(crate) static CONFIGURE: Operation = Operation {
    id: "UpdateConfigurationsV1",
    summary: "Changes parameters of an instance.",
    route: Route::Path {
        method: Method::Put,
        template: "/v1.0/{project_id}/instances/{instance_id}/configs",
    },
    path: &[PROJECT_ID, INSTANCE_ID],
    permission: Some("dcs:instance:modifyConfiguration"),
    body: Some(CHANGE),
    answers: &[Answer { status: 204, about: "They are changed, or about to be.", body: None }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, BUSY_OTHERWISE, CHANGE_ERRORS],
    source: reference("6.1"),
    ..V1_PROJECT
}
.checked();

pub(crate) static CONFIGURATION: Operation = Operation {
    id: "ListConfigurationsV1",
    summary: "Shows the parameters of an instance.",
    route: Route::Path {
        method: Method::Get,
        template: "/v1.0/{project_id}/instances/{instance_id}/configs",
    },
    path: &[PROJECT_ID, INSTANCE_ID],
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
            boolean("cluster_v1", "Whether the instance is a Proxy Cluster of Redis 3.0."),
        ]),
    }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, &[&code::UNKNOWN_INSTANCE]],
    source: reference("6.2"),
    ..V1_PROJECT
}
.checked();

const PARAMETER: &[Field] = &[
    text("description", "What it does."),
    integer("param_id", "Its number."),
    text("param_name", "Its name."),
    text("param_value", "Its value."),
    text("default_value", "The value that instances begin with."),
    text("value_type", "Integer, String, or regular for a regular expression."),
    text("value_range", "The values that it takes."),
    text_or_null("node_role", "Which nodes it is for; null for those that have the keys."),
];

pub(crate) fn configure<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        change(dcs, &request).await?;
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    })
}

/// Makes the change that a request asks for. Under the instant profile it is in force when this returns.
pub(crate) async fn change(dcs: &Dcs, request: &Request<'_>) -> Result<Arc<Task>, Failure> {
    let (project_id, id) = (request.project_id(), request.instance_id());
    let instance = dcs.instance(request)?;
    let items: Vec<_> = request.body.objects("redis_config").collect();
    let wishes: Vec<_> = items
        .iter()
        .map(|item| Wish {
            id: item.integer("param_id").unwrap_or_default(),
            name: item.text("param_name").unwrap_or_default(),
            value: item.text("param_value").unwrap_or_default(),
        })
        .collect();
    let used_bytes = dcs.cloud.statistics(&instance).map_or(0, |statistics| statistics.used_memory_bytes);
    let change = parameters::change(&instance, used_bytes, &wishes)?;
    let task = dcs.cloud.configure(project_id, id, change).await.map_err(|error| match error {
        TaskError::Busy(task::Kind::Configure) => &code::OTHER_CHANGE,
        error => refusal::of_task(&error),
    })?;
    if task.state == task::State::Failed { Err((&code::JOB_FAILED).into()) } else { Ok(task) }
}

pub(super) fn configuration<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let instance = dcs.instance(&request)?;
        let mut shown = shown(dcs, &instance, |id| json!(id));
        for parameter in shown["redis_config"].as_array_mut().into_iter().flatten() {
            parameter["node_role"] = Value::Null;
        }
        shown["cluster_v1"] = json!(is_first_proxy(&instance));
        Ok(Reply::ok(shown))
    })
}

/// What both versions show of an instance's parameters; they write numbers of parameters differently.
pub(crate) fn shown(dcs: &Dcs, instance: &Instance, written: fn(i64) -> Value) -> Value {
    let shown: Vec<_> = parameters::of(instance)
        .map(|parameter| {
            json!({
                "description": parameter.about,
                "param_id": written(parameter.id),
                "param_name": parameter.name,
                "param_value": parameter.value(instance),
                "default_value": parameter.default,
                "value_type": parameter.range.kind(),
                "value_range": parameter.range.text(instance),
            })
        })
        .collect();
    let changing = dcs.cloud.work_on(instance).filter(|task| task.kind == task::Kind::Configure);
    let (status, at_ms) = match (changing, instance.changes.last()) {
        (Some(task), _) => ("UPDATING", Some(task.created_at_ms)),
        (None, Some(made)) => (if made.succeeded { "SUCCESS" } else { "FAILURE" }, Some(made.at_ms)),
        (None, None) => ("SUCCESS", None),
    };
    json!({
        "status": instance.status.name(),
        "instance_id": instance.id,
        "redis_config": shown,
        "config_status": status,
        "config_time": at_ms.map(time::with_millis).unwrap_or_default(),
    })
}

fn is_first_proxy(instance: &Instance) -> bool {
    use cloud::engine::Release;
    use cloud::topology::Topology;
    instance.topology == Topology::Proxy && instance.release == Some(Release::V3_0)
}
