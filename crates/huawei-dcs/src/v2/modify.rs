//! Modifying what is known of an instance, as v1.0 does it.
//!
//! Deliberately not here: another port and other names of commands for a node that runs. They may be sent as they are.

use cloud::Pending;
use cloud::instance::Instance;
use http::StatusCode;
use operation::schema::{self, FIELD, Field, Fields, Integer, Kind, TEXT};
use operation::{Answer, Failure, Method, Operation, Reply, Route};

use super::create::{DIALECT, POLICY, plan_is_there};
use super::{V2_INSTANCE, reference};
use crate::code;
use crate::dcs::Dcs;
use crate::endpoint::Request;
use crate::field::{CALLER_ERRORS, PROJECT_ERRORS, backup_policy_of};
use crate::refusal::BUSY;
use crate::v1::create::backup_policy;
use crate::v1::modify;

pub(crate) static MODIFY: Operation = Operation {
    id: "UpdateInstance",
    summary: "Changes the name, description, maintenance window, backup policy or security group of an instance.",
    route: Route::Path { method: Method::Put, template: "/v2/{project_id}/instances/{instance_id}" },
    permission: Some("dcs:instance:modify"),
    body: Some(&BODY),
    answers: &[Answer { status: 204, about: "The instance is changed.", body: None }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, &[&code::EMPTY_BODY, &code::NAME_TAKEN], BUSY],
    source: reference("Modifying an Instance"),
    ..V2_INSTANCE
}
.checked();

const BODY: [Field; SHARED.len() + MORE.len()] = schema::joined(&SHARED, MORE);

const SHARED: [Field; modify::FIELDS.len() - 1] = schema::without(&modify::FIELDS, "instance_backup_policy");

const MORE: &[Field] = &[
    backup_policy_of(POLICY),
    Field {
        name: "port",
        kind: Kind::Integer(Integer { min: 1, max: 65_535, or_text: true }),
        invalid: Some(&code::PARAMETER),
        about: "The port that it has: another one is refused.",
        ..FIELD
    },
    Field {
        name: "rename_commands",
        kind: Kind::Map(&Kind::Text(TEXT)),
        invalid: Some(&code::PARAMETER),
        about: "The names that commands have: others are refused.",
        ..FIELD
    },
];

pub(super) fn modify<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let instance = dcs.instance(&request)?;
        plan_is_there(&request.body)?;
        stays(&request.body, &instance)?;
        let policy = backup_policy(&request.body, instance.topology, &DIALECT)?;
        modify::change(dcs, &request, &instance, policy).await?;
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    })
}

/// What a node that runs has, it keeps.
fn stays(body: &Fields<'_>, instance: &Instance) -> Result<(), Failure> {
    let port = body.integer("port").filter(|port| instance.port.map(i64::from) != Some(*port));
    if port.is_some() {
        return Err(code::PARAMETER.of("port"));
    }
    let is_new = |(command, name): (&str, &str)| {
        instance.renamed_commands.get(&command.to_ascii_lowercase()).is_none_or(|has| has != name)
    };
    if body.pairs("rename_commands").any(is_new) {
        return Err(code::PARAMETER.of("rename_commands"));
    }
    Ok(())
}
