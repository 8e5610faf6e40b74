//! Modifying what is known of an instance: its name, description, maintenance window, backup policy and security group.
//!
//! What a request leaves out stays; a description that is sent empty goes. None of it concerns the instance's node.

use cloud::Pending;
use cloud::backup_policy::BackupPolicy;
use cloud::engine::Release;
use cloud::instance::{Instance, Order};
use http::StatusCode;
use operation::schema::{FIELD, Field, Fields, Kind, TEXT, Text};
use operation::{Answer, Failure, Method, Operation, Reply, Route};

use super::V1_PROJECT;
use super::create::{BACKUP_POLICY, ID, NAME_FORM, V1_DIALECT, backup_policy, maintenance};
use crate::code;
use crate::dcs::Dcs;
use crate::endpoint::Request;
use crate::field::{
    CALLER_ERRORS, INSTANCE_ID, MAINTAIN_BEGIN, MAINTAIN_END, PROJECT_ERRORS, PROJECT_ID, backup_policy_of,
    reference,
};
use crate::refusal::{self, BUSY};

pub(crate) static MODIFY: Operation = Operation {
    id: "UpdateInstanceV1",
    summary: "Changes the name, description, maintenance window, backup policy or security group of an instance.",
    route: Route::Path { method: Method::Put, template: "/v1.0/{project_id}/instances/{instance_id}" },
    path: &[PROJECT_ID, INSTANCE_ID],
    permission: Some("dcs:instance:modify"),
    body: Some(&FIELDS),
    answers: &[Answer { status: 204, about: "The instance is changed.", body: None }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, &[&code::EMPTY_BODY, &code::NAME_TAKEN], BUSY],
    source: reference("4.6"),
    ..V1_PROJECT
}
.checked();

/// What may be changed.
pub(crate) const FIELDS: [Field; 6] = [
    Field {
        name: "name",
        kind: Kind::Text(Text { min_chars: 4, max_chars: 64, pattern: Some(&NAME_FORM), ..TEXT }),
        invalid: Some(&code::NAME),
        about: "The name: 4 to 64 letters, digits, underscores and hyphens, the first a letter.",
        ..FIELD
    },
    Field {
        name: "description",
        kind: Kind::Text(Text { max_chars: 1024, ..TEXT }),
        invalid: Some(&code::DESCRIPTION),
        about: "What the owner says about it, in up to 1024 characters.",
        ..FIELD
    },
    backup_policy_of(BACKUP_POLICY),
    MAINTAIN_BEGIN,
    MAINTAIN_END,
    Field {
        name: "security_group_id",
        kind: Kind::Text(ID),
        invalid: Some(&code::SECURITY_GROUP_ID),
        about: "The security group, with release 3.0.",
        ..FIELD
    },
];

pub(crate) fn modify<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let instance = dcs.instance(&request)?;
        let policy = backup_policy(&request.body, instance.topology, &V1_DIALECT)?;
        change(dcs, &request, &instance, policy).await?;
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    })
}

/// Makes the changes of a request, whose backup policy has been read.
pub(crate) async fn change(
    dcs: &Dcs,
    request: &Request<'_>,
    instance: &Instance,
    policy: Option<BackupPolicy>,
) -> Result<(), Failure> {
    let body = &request.body;
    let window = match (body.text("maintain_begin"), body.text("maintain_end")) {
        (None, None) => None,
        _ => Some(maintenance(body)?),
    };
    let group = security_group(body, instance)?;
    let apply = |order: &mut Order| {
        if let Some(name) = body.text("name") {
            name.clone_into(&mut order.name);
        }
        if let Some(description) = body.text("description") {
            order.description = Some(description.to_owned());
        } else if body.is_blank("description") {
            order.description = None;
        }
        order.maintenance = window.unwrap_or(order.maintenance);
        if body.object("instance_backup_policy").is_some() {
            order.backup_policy = policy;
        }
        if group.is_some() {
            order.network.security_group_id = group;
        }
        true
    };
    let changed = dcs.cloud.update(request.project_id(), request.instance_id(), apply).await;
    changed.map(|_| ()).map_err(|error| refusal::of_update(&error).into())
}

/// The other security group. Only instances of release 3.0 and of Memcached have one that matters; what others were created
/// with may be sent again.
fn security_group(body: &Fields<'_>, instance: &Instance) -> Result<Option<String>, Failure> {
    let asked = body.text("security_group_id");
    let has_one = matches!(instance.release, None | Some(Release::V3_0));
    if !has_one && asked.is_some() && asked != instance.network.security_group_id.as_deref() {
        return Err((&code::SECURITY_GROUP_ID).into());
    }
    Ok(asked.map(str::to_owned))
}
