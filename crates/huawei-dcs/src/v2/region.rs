//! Querying what the region has, whoever asks: its availability zones and the maintenance windows.

use cloud::Pending;
use operation::schema::Kind;
use operation::{Access, Answer, Failure, Method, Operation, Reply, Route};
use serde_json::json;

use super::{V2_PROJECT, reference};
use crate::dcs::Dcs;
use crate::endpoint::Request;
use crate::field::{CALLER_ERRORS, list, text};
use crate::v1::maintenance::WINDOW_LIST;

/// What both have in common: they belong to no project.
const V2: Operation = Operation { access: Access::Caller, path: &[], errors: &[CALLER_ERRORS], ..V2_PROJECT };

pub(crate) static ZONES: Operation = Operation {
    id: "ListAvailableZones",
    summary: "Lists the availability zones of the region.",
    route: Route::Path { method: Method::Get, template: "/v2/available-zones" },
    answers: &[Answer {
        status: 200,
        about: "The zones.",
        body: Some(&[
            text("region_id", "The region."),
            list(
                "available_zones",
                &Kind::Object(&[
                    text("code", "The code."),
                    text("port", "The zone's port number."),
                    text("name", "The name."),
                    text("id", "The id."),
                    text("resource_availability", "Whether it has room: true or false."),
                ]),
                "The zones.",
            ),
        ]),
    }],
    source: reference("Querying AZs"),
    ..V2
}
.checked();

pub(crate) static WINDOWS: Operation = Operation {
    id: "ListMaintenanceWindows",
    summary: "Lists the times of day at which maintenance may be done.",
    route: Route::Path { method: Method::Get, template: "/v2/instances/maintain-windows" },
    answers: &[Answer { status: 200, about: "The windows.", body: Some(&[WINDOW_LIST]) }],
    source: reference("Listing Maintenance Time Windows"),
    ..V2
}
.checked();

pub(super) fn zones<'a>(dcs: &'a Dcs, _: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let zones = dcs.zones.iter().map(|zone| {
            json!({
                "code": zone.code,
                "port": zone.port.to_string(),
                "name": zone.name,
                "id": zone.id,
                "resource_availability": "true",
            })
        });
        let region = &dcs.authority.directory().region;
        Ok(Reply::ok(json!({"region_id": region, "available_zones": zones.collect::<Vec<_>>()})))
    })
}
