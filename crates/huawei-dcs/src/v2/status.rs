//! Restarting and flushing instances, and what those that run have and do, as v1.0 does it.

use operation::{Answer, Method, Operation, Route};

use super::{V2_PROJECT, reference};
use crate::code;
use crate::field::{CALLER_ERRORS, PROJECT_ERRORS};
use crate::v1::statistics::STATISTICS;
use crate::v1::status::{CHANGE, RESULTS};

pub(crate) static CHANGE_STATUS: Operation = Operation {
    id: "RestartOrFlushInstances",
    summary: "Restarts instances, or removes all that they hold.",
    route: Route::Path { method: Method::Put, template: "/v2/{project_id}/instances/status" },
    permission: Some("dcs:instance:modifyStatus"),
    body: Some(CHANGE),
    answers: &[Answer { status: 200, about: "What became of each instance.", body: Some(RESULTS) }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, &[&code::EMPTY_BODY]],
    source: reference("Restarting DCS Instances or Clearing DCS Instance Data"),
    ..V2_PROJECT
}
.checked();

pub(crate) static STATISTIC: Operation = Operation {
    id: "ListStatisticsOfRunningInstances",
    summary: "Shows what all instances that run have and do.",
    route: Route::Path { method: Method::Get, template: "/v2/{project_id}/instances/statistic" },
    answers: &[Answer { status: 200, about: "The numbers.", body: Some(STATISTICS) }],
    source: reference("Querying Statistics of All Running Instances"),
    ..V2_PROJECT
}
.checked();
