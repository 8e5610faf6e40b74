//! The changes of an instance's parameters that have been made, or were tried.

use cloud::Pending;
use cloud::configuration::Made;
use operation::schema::{FIELD, Field, Kind, Need};
use operation::{Answer, Failure, Method, Operation, Reply, Route};
use serde_json::{Value, json};

use super::{V2_INSTANCE, reference};
use crate::code;
use crate::dcs::Dcs;
use crate::endpoint::Request;
use crate::field::{
    CALLER_ERRORS, INSTANCE_ID, OFFSET, PROJECT_ERRORS, PROJECT_ID, integer, limit, list as list_field, page,
    text,
};
use crate::time;

pub(crate) static LIST: Operation = Operation {
    id: "ListConfigHistories",
    summary: "Lists the changes of an instance's parameters.",
    route: Route::Path {
        method: Method::Get,
        template: "/v2/{project_id}/instances/{instance_id}/config-histories",
    },
    permission: Some("dcs:instance:get"),
    query: &[OFFSET, limit(1_000, "How many changes a page has at most. 10 if left out.")],
    answers: &[Answer {
        status: 200,
        about: "One page of the changes, the latest first.",
        body: Some(&[
            integer("history_num", "How many there are on all pages."),
            list_field("histories", &Kind::Object(HISTORY), "The changes of the page."),
        ]),
    }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, &[&code::UNKNOWN_INSTANCE]],
    source: reference("Querying the List of Instance Parameter Modification Records"),
    ..V2_INSTANCE
}
.checked();

const HISTORY: &[Field] = &[
    text("history_id", "The id of the change."),
    text("type", "What has changed: config_param."),
    text("created_at", "When it began, in UTC."),
    text("status", "SUCCESS or FAILURE."),
];

pub(crate) static SHOW: Operation = Operation {
    id: "ShowConfigHistoryDetail",
    summary: "Shows a change of an instance's parameters.",
    route: Route::Path {
        method: Method::Get,
        template: "/v2/{project_id}/instances/{instance_id}/config-histories/{history_id}",
    },
    path: &[
        PROJECT_ID,
        INSTANCE_ID,
        Field {
            name: "history_id",
            need: Need::Required,
            invalid: Some(&code::PARAMETER),
            about: "The id of the change.",
            ..FIELD
        },
    ],
    permission: Some("dcs:instance:get"),
    answers: &[Answer {
        status: 200,
        about: "The change.",
        body: Some(&[
            text("history_id", "The id of the change."),
            text("type", "What has changed: config_param."),
            text("created_at", "When it began, in UTC."),
            text("status", "SUCCESS or FAILURE."),
            list_field(
                "params",
                &Kind::Object(&[
                    text("param_name", "The parameter."),
                    text("old_value", "What it was."),
                    text("new_value", "What it was to be."),
                ]),
                "What has changed.",
            ),
        ]),
    }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, &[&code::UNKNOWN_INSTANCE, &code::PARAMETER]],
    source: reference("Querying an Instance Parameter Modification Record"),
    ..V2_INSTANCE
}
.checked();

pub(super) fn list<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let instance = dcs.instance(&request)?;
        let all: Vec<_> = instance.changes.iter().rev().collect();
        let count = all.len();
        let histories: Vec<_> = page(all, &request.query).map(shown).collect();
        Ok(Reply::ok(json!({"history_num": count, "histories": histories})))
    })
}

pub(super) fn show<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let instance = dcs.instance(&request)?;
        let id = request.call.parameter("history_id");
        let made = instance.changes.iter().find(|made| made.id == id);
        let made = made.ok_or_else(|| code::PARAMETER.of("history_id"))?;
        let params = made
            .told
            .iter()
            .map(|told| json!({"param_name": told.name, "old_value": told.from, "new_value": told.to}));
        let mut about = shown(made);
        about["params"] = params.collect();
        Ok(Reply::ok(about))
    })
}

fn shown(made: &Made) -> Value {
    json!({
        "history_id": made.id,
        "type": "config_param",
        "created_at": time::with_millis(made.at_ms),
        "status": if made.succeeded { "SUCCESS" } else { "FAILURE" },
    })
}
