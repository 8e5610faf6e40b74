//! Querying the exact version that an instance runs.

use cloud::Pending;
use cloud::topology::Topology;
use operation::{Answer, Failure, Method, Operation, Reply, Route};
use serde_json::json;

use super::{V2_INSTANCE, reference};
use crate::code;
use crate::dcs::Dcs;
use crate::endpoint::Request;
use crate::field::{CALLER_ERRORS, PROJECT_ERRORS, boolean, text, text_or_null};

pub(crate) static VERSION: Operation = Operation {
    id: "ShowInstanceVersion",
    summary: "Shows the exact version that an instance runs.",
    route: Route::Path { method: Method::Get, template: "/v2/{project_id}/instances/{instance_id}/version" },
    permission: Some("dcs:instance:get"),
    answers: &[Answer {
        status: 200,
        about: "The versions.",
        body: Some(&[
            text("engine_minor_version", "The version of its nodes."),
            text("latest_engine_minor_version", "The latest version of its release."),
            text_or_null("proxy_minor_version", "The version of its proxies, if it has any."),
            text_or_null("latest_proxy_minor_version", "The latest version of proxies."),
            boolean("engine_minor_version_upgradable", "Whether its nodes could be later ones."),
            boolean("proxy_minor_version_upgradable", "Whether its proxies could be later ones."),
        ]),
    }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, &[&code::UNKNOWN_INSTANCE]],
    source: reference("Obtaining the Instance Engine Version by Instance ID"),
    ..V2_INSTANCE
}
.checked();

pub(super) fn version<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let instance = dcs.instance(&request)?;
        let version = dcs.cloud.version(&instance);
        // A proxy is of the same make as what is behind it.
        let proxy = (instance.topology == Topology::Proxy).then_some(&version);
        Ok(Reply::ok(json!({
            "engine_minor_version": version,
            "latest_engine_minor_version": version,
            "proxy_minor_version": proxy,
            "latest_proxy_minor_version": proxy,
            "engine_minor_version_upgradable": false,
            "proxy_minor_version_upgradable": false,
        })))
    })
}
