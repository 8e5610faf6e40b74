//! Scaling up an instance.

use cloud::capacity::Capacity;
use cloud::engine::Release;
use cloud::inspection::ServerId;
use cloud::instance::Instance;
use cloud::resize::{Form, RefusedResize};
use cloud::{Pending, TaskError, task};
use http::StatusCode;
use operation::schema::{FIELD, Field, Kind, Need};
use operation::{Answer, ErrorCode, Failure, Method, Operation, Reply, Route};

use super::V1_PROJECT;
use crate::catalogue::{self, NotSold, Sold};
use crate::code;
use crate::dcs::Dcs;
use crate::endpoint::Request;
use crate::field::{CALLER_ERRORS, INSTANCE_ID, PROJECT_ERRORS, PROJECT_ID, reference};
use crate::refusal::{self, BUSY};

pub(crate) static EXTEND: Operation = Operation {
    id: "ExtendInstanceV1",
    summary: "Gives an instance a greater capacity; its keys, its address and its port stay.",
    route: Route::Path {
        method: Method::Post,
        template: "/v1.0/{project_id}/instances/{instance_id}/extend",
    },
    path: &[PROJECT_ID, INSTANCE_ID],
    permission: Some("dcs:instance:scale"),
    body: Some(&[
        NEW_CAPACITY,
        Field {
            name: "spec_code",
            invalid: Some(&code::PARAMETER),
            about: "The specification; release 3.0 and Memcached may leave it out, and keep theirs in the new capacity.",
            ..FIELD
        },
    ]),
    answers: &[Answer { status: 204, about: "The instance is extended, or is being extended.", body: None }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, RESIZE_ERRORS, BUSY],
    source: reference("4.7"),
    ..V1_PROJECT
}
.checked();

pub(crate) const NEW_CAPACITY: Field = Field {
    name: "new_capacity",
    kind: Kind::Number,
    need: Need::Required,
    invalid: Some(&code::CAPACITY),
    about: "The capacity in GB, one that the specification has.",
};

/// What may be answered to who wants another form.
pub(crate) const RESIZE_ERRORS: &[&ErrorCode] = &[
    &code::EMPTY_BODY,
    &code::ENGINE_VERSION,
    &code::CAPACITY,
    &code::PARAMETER,
    &code::ENGINE_MISMATCH,
    &code::MEMORY_QUOTA,
    &code::NO_RESIZE,
    &code::NOT_LARGER,
    &code::RESIZE_RUNNING,
    &code::JOB_NOT_DONE,
];

pub(crate) fn extend<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let instance = dcs.instance(&request)?;
        let sold = sold(&request, &instance)?;
        if sold.specification.capacity <= instance.capacity {
            return Err((&code::NOT_LARGER).into());
        }
        resize(dcs, &instance, sold, Vec::new()).await?;
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    })
}

/// The specification that a request names.
pub(crate) fn sold(request: &Request<'_>, instance: &Instance) -> Result<Sold, Failure> {
    let capacity = request.body.number("new_capacity").and_then(Capacity::from_gb);
    let found = match request.body.text("spec_code") {
        Some(spec_code) => catalogue::find(spec_code, capacity),
        // Table 4-27: optional for release 3.0, whose specifications come in all capacities.
        None if instance.release > Some(Release::V3_0) => return Err(code::PARAMETER.of("spec_code")),
        None => catalogue::in_capacity(&instance.spec_code, instance.release, capacity),
    };
    let sold = found.map_err(|error| match error {
        NotSold::UnknownCode => code::PARAMETER.of("spec_code"),
        NotSold::WrongCapacity => (&code::CAPACITY).into(),
    })?;
    if sold.specification.engine() != instance.engine {
        return Err((&code::ENGINE_MISMATCH).into());
    }
    let has = |release: Release| sold.specification.releases.contains(&release);
    if !instance.release.is_none_or(has) {
        return Err((&code::ENGINE_VERSION).into());
    }
    Ok(sold)
}

/// Gives an instance the form of a specification; of its standbys, if it has fewer then, those go first that are leaving.
pub(crate) async fn resize(
    dcs: &Dcs,
    instance: &Instance,
    sold: Sold,
    leaving: Vec<ServerId>,
) -> Result<(), Failure> {
    let form = Form {
        topology: sold.specification.topology(),
        capacity: sold.specification.capacity,
        shards: sold.specification.shards,
        copies: sold.specification.copies,
        databases: sold.specification.databases,
        spec_code: sold.spec_code,
        product_id: sold.product_id,
    };
    let is_ordered = instance.subscription.is_some();
    let resized = dcs.cloud.resize(&instance.project_id, &instance.id, form, leaving).await;
    resized.map_err(|error| {
        let refused: &'static ErrorCode = match error {
            RefusedResize::Quota(_) => &code::MEMORY_QUOTA,
            RefusedResize::TooSmall => &code::CAPACITY,
            RefusedResize::Task(TaskError::NotSupported) => &code::NO_RESIZE,
            // What is paid for in advance is extended by an order.
            RefusedResize::Task(TaskError::Busy(task::Kind::Extend)) if is_ordered => &code::RESIZE_RUNNING,
            RefusedResize::Task(TaskError::Failed) => &code::JOB_NOT_DONE,
            RefusedResize::Task(error) => refusal::of_task(&error),
        };
        refused.into()
    })
}
