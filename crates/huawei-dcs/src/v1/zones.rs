//! Querying the availability zones.

use cloud::Pending;
use operation::schema::Kind;
use operation::{Answer, Failure, Method, Operation, Reply, Route};
use serde_json::json;

use super::V1;
use crate::dcs::Dcs;
use crate::endpoint::Request;
use crate::field::{list, reference, text};

pub(crate) static ZONES: Operation = Operation {
    id: "ListAvailableZonesV1",
    summary: "Lists the availability zones of the region.",
    route: Route::Path { method: Method::Get, template: "/v1.0/availableZones" },
    answers: &[Answer {
        status: 200,
        about: "The zones.",
        body: Some(&[
            text("regionId", "The region."),
            list(
                "available_zones",
                &Kind::Object(&[
                    text("id", "The id."),
                    text("code", "The code."),
                    text("name", "The name."),
                    text("port", "The zone's port number."),
                    text("resource_availability", "Whether it has room for release 3.0: true or false."),
                    text("resource_availability_dcs2", "The same for releases 4.0 and 5.0."),
                ]),
                "The zones.",
            ),
        ]),
    }],
    source: reference("10.4"),
    ..V1
}
.checked();

pub(super) fn zones<'a>(dcs: &'a Dcs, _: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let zones = dcs.zones.iter().map(|zone| {
            json!({
                "id": zone.id,
                "code": zone.code,
                "name": zone.name,
                "port": zone.port.to_string(),
                "resource_availability": "true",
                "resource_availability_dcs2": "true",
            })
        });
        let region = &dcs.authority.directory().region;
        Ok(Reply::ok(json!({"regionId": region, "available_zones": zones.collect::<Vec<_>>()})))
    })
}
