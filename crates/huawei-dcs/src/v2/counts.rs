//! How many instances there are in each state: of each engine, and of both.

use std::sync::Arc;

use cloud::Pending;
use cloud::engine::Engine;
use cloud::instance::{Instance, Status};
use operation::schema::{self, FIELD, Field};
use operation::{Answer, Failure, Method, Operation, Reply, Route};
use serde_json::{Map, Value};

use super::{V2_PROJECT, reference};
use crate::code;
use crate::dcs::Dcs;
use crate::endpoint::Request;
use crate::field::{integer, object};

pub(crate) static COUNT_BY_STATUS: Operation = Operation {
    id: "ListNumberOfInstancesInDifferentStatus",
    summary: "Shows how many instances are in each state.",
    route: Route::Path { method: Method::Get, template: "/v2/{project_id}/instances/status" },
    query: &[Field {
        name: "include_failure",
        invalid: Some(&code::PARAMETER),
        about: "\"true\" counts those too that could not be created.",
        ..FIELD
    }],
    answers: &[Answer {
        status: 200,
        about: "The numbers.",
        body: Some(&schema::joined::<{ ENGINES.len() + COUNTS.len() }>(ENGINES, COUNTS)),
    }],
    source: reference("Querying the Instance Status"),
    ..V2_PROJECT
}
.checked();

const ENGINES: &[Field] =
    &[object("redis", COUNTS, "Those of Redis."), object("memcached", COUNTS, "Those of Memcached.")];

const COUNTS: &[Field] = &[
    integer("paying_count", "That are being paid for: none here."),
    integer("freezing_count", "That are being frozen: none here, since it takes no time."),
    integer("migrating_count", "That are being moved: none here."),
    integer("flushing_count", "Whose data is being removed."),
    integer("upgrading_count", "That are being upgraded: none here."),
    integer("restoring_count", "That a backup is being restored into."),
    integer("extending_count", "Whose capacity is being changed."),
    integer("creating_count", "That are being made."),
    integer("running_count", "That serve."),
    integer("error_count", "That should run and do not."),
    integer("frozen_count", "That are out of service until they are paid for."),
    integer("createfailed_count", "That could not be created; 0 unless asked for."),
    integer("restarting_count", "That are being restarted."),
];

/// The state that a number counts; none where instances here are never in it.
const COUNTED: [(&str, Option<Status>); COUNTS.len()] = [
    ("paying_count", None),
    ("freezing_count", None),
    ("migrating_count", None),
    ("flushing_count", Some(Status::Flushing)),
    ("upgrading_count", None),
    ("restoring_count", Some(Status::Restoring)),
    ("extending_count", Some(Status::Extending)),
    ("creating_count", Some(Status::Creating)),
    ("running_count", Some(Status::Running)),
    ("error_count", Some(Status::Error)),
    ("frozen_count", Some(Status::Frozen)),
    ("createfailed_count", Some(Status::CreateFailed)),
    ("restarting_count", Some(Status::Restarting)),
];

pub(super) fn count_by_status<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let with_failed = request.query.text("include_failure") == Some("true");
        let mut instances = dcs.cloud.instances(request.project_id());
        instances.retain(|instance| with_failed || instance.status != Status::CreateFailed);
        let mut body = counts(&instances, |_| true);
        for (name, engine) in [("redis", Engine::Redis), ("memcached", Engine::Memcached)] {
            let of_engine = counts(&instances, |instance| instance.engine == engine);
            body.insert(name.to_owned(), of_engine.into());
        }
        Ok(Reply::ok(Value::Object(body)))
    })
}

fn counts(instances: &[Arc<Instance>], is_meant: impl Fn(&Instance) -> bool) -> Map<String, Value> {
    let count = |status: Option<Status>| {
        instances.iter().filter(|instance| Some(instance.status) == status && is_meant(instance)).count()
    };
    COUNTED.iter().map(|(name, status)| ((*name).to_owned(), count(*status).into())).collect()
}
