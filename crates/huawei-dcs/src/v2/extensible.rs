//! Asking whether an instance can be extended.

use cloud::Pending;
use cloud::instance::Status;
use operation::schema::{FIELD, Field, Kind, TEXT, Text};
use operation::{Answer, Failure, Method, Operation, Reply, Route};
use serde_json::json;

use super::flavors::can_become;
use super::{V2_INSTANCE, reference};
use crate::catalogue;
use crate::code;
use crate::dcs::Dcs;
use crate::endpoint::Request;
use crate::field::{CALLER_ERRORS, PROJECT_ERRORS, boolean, list, text, text_or_null};
use crate::refusal;

pub(crate) static OPERATIONS: Operation = Operation {
    id: "ListInstanceOperations",
    summary: "Shows whether an instance can be extended.",
    route: Route::Path {
        method: Method::Get,
        template: "/v2/{project_id}/instances/{instance_id}/operations",
    },
    permission: Some("dcs:instance:get"),
    query: &[Field {
        name: "operation",
        kind: Kind::Text(Text { one_of: &["extend"], ..TEXT }),
        invalid: Some(&code::PARAMETER),
        about: "What is asked about: extend.",
        ..FIELD
    }],
    answers: &[Answer {
        status: 200,
        about: "Whether it can.",
        body: Some(&[
            text("instance_id", "The id of the instance."),
            list(
                "operations",
                &Kind::Object(&[
                    text("operation", "What: extend."),
                    boolean("is_support", "Whether it can be done now."),
                    text_or_null("cause_id", "The code of the reason why not."),
                ]),
                "One item.",
            ),
        ]),
    }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, &[&code::UNKNOWN_INSTANCE]],
    source: reference("Checking Whether an Instance Can Be Scaled Up"),
    ..V2_INSTANCE
}
.checked();

pub(super) fn operations<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let project_id = request.project_id();
        let instance =
            dcs.cloud.instance(project_id, request.instance_id()).ok_or(&code::UNKNOWN_INSTANCE)?;
        let at_work = instance.task.as_ref().and_then(|id| {
            dcs.cloud.tasks(project_id).iter().find(|task| task.id == *id).map(|task| task.kind)
        });
        let cause = match (at_work, instance.status) {
            (Some(kind), _) => Some(refusal::of_busy(kind)),
            (None, Status::Running) => {
                let mut sold = catalogue::specifications().iter();
                (!sold.any(|row| can_become(&instance, row))).then_some(&code::NOT_SUPPORTED)
            }
            (None, _) => Some(&code::WRONG_STATUS),
        };
        Ok(Reply::ok(json!({
            "instance_id": instance.id,
            "operations": [{
                "operation": "extend",
                "is_support": cause.is_none(),
                "cause_id": cause.map(|code| code.code),
            }],
        })))
    })
}
