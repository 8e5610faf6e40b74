//! Querying how much a project may have, and has.

use cloud::Pending;
use operation::schema::{Field, Kind};
use operation::{Answer, Failure, Method, Operation, Reply, Route};
use serde_json::{Value, json};

use super::V1_PROJECT;
use crate::dcs::Dcs;
use crate::endpoint::Request;
use crate::field::{integer, list, object, reference, text, text_or_null};

pub(crate) static QUOTA: Operation = Operation {
    id: "ShowQuotaV1",
    summary: "Shows how many instances and how much memory a project may have, and has.",
    route: Route::Path { method: Method::Get, template: "/v1.0/{project_id}/quota" },
    answers: &[Answer {
        status: 200,
        about: "The quotas.",
        body: Some(&[object(
            "quotas",
            &[
                RESOURCES,
                object(
                    "resource_user",
                    &[text("tenant_id", "The project's id."), text("tenant_name", "The project's name.")],
                    "Whose they are.",
                ),
            ],
            "The quotas.",
        )]),
    }],
    source: reference("10.2"),
    ..V1_PROJECT
}
.checked();

/// What there is a quota of.
pub(crate) const RESOURCES: Field = list(
    "resources",
    &Kind::Object(&[
        integer("quota", "What the project may have."),
        integer("used", "What it has."),
        text("type", "Of what: instance or ram."),
        integer("min", "The least quota."),
        integer("max", "The greatest quota."),
        text_or_null("unit", "GB for memory."),
    ]),
    "The quotas.",
);

pub(super) fn quota<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let project = request.caller().project.as_ref();
        Ok(Reply::ok(json!({"quotas": {
            "resources": resources(dcs, request.project_id()),
            "resource_user": {
                "tenant_id": request.project_id(),
                "tenant_name": project.map(|project| &project.name),
            },
        }})))
    })
}

/// The quotas of a project, as [`RESOURCES`] declares them.
pub(crate) fn resources(dcs: &Dcs, project_id: &str) -> Value {
    let (quota, usage) = dcs.cloud.quota(project_id);
    let resource = |name: &str, quota: u32, used: u64, unit: Option<&str>| json!({"quota": quota, "used": used, "type": name, "min": 1, "max": quota, "unit": unit});
    json!([
        resource("instance", quota.instances, usage.instances.into(), None),
        resource("ram", quota.memory_gb, usage.memory_gb(), Some("GB")),
    ])
}
