//! Querying how much a project may have, and has.

use cloud::Pending;
use operation::{Answer, Failure, Method, Operation, Reply, Route};
use serde_json::json;

use super::{V2_PROJECT, reference};
use crate::dcs::Dcs;
use crate::endpoint::Request;
use crate::field::object;
use crate::v1::quota::{RESOURCES, resources};

pub(crate) static QUOTA: Operation = Operation {
    id: "ShowQuotaOfTenant",
    summary: "Shows how many instances and how much memory a project may have, and has.",
    route: Route::Path { method: Method::Get, template: "/v2/{project_id}/quota" },
    answers: &[Answer {
        status: 200,
        about: "The quotas.",
        body: Some(&[object("quotas", &[RESOURCES], "The quotas.")]),
    }],
    source: reference("Querying the Tenant Quotas"),
    ..V2_PROJECT
}
.checked();

pub(super) fn quota<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(
        async move { Ok(Reply::ok(json!({"quotas": {"resources": resources(dcs, request.project_id())}}))) },
    )
}
