//! Another password for an instance, or none, with or without the present one.

use cloud::identity::Secret;
use cloud::instance::Access;
use cloud::{Pending, task};
use operation::schema::{FIELD, Field, Kind};
use operation::{Answer, Failure, Method, Operation, Reply, Route};
use serde_json::json;

use super::{V2_INSTANCE, reference};
use crate::code;
use crate::dcs::Dcs;
use crate::endpoint::Request;
use crate::field::{CALLER_ERRORS, PROJECT_ERRORS, text};
use crate::password;
use crate::refusal::{self, BUSY};
use crate::v1::password::{OUTCOME, PASSWORD_ERRORS, PASSWORDS, change};

pub(crate) static CHANGE_PASSWORD: Operation = Operation {
    id: "UpdatePassword",
    summary: "Changes the password of an instance.",
    route: Route::Path { method: Method::Put, template: "/v2/{project_id}/instances/{instance_id}/password" },
    permission: Some("dcs:instance:modifyAuthInfo"),
    body: Some(PASSWORDS),
    answers: &[Answer { status: 200, about: "Whether it was changed.", body: Some(OUTCOME) }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, BUSY, PASSWORD_ERRORS],
    source: reference("Changing the Password"),
    ..V2_INSTANCE
}
.checked();

pub(crate) static RESET_PASSWORD: Operation = Operation {
    id: "ResetPassword",
    summary: "Gives an instance another password, or lets clients in without one, whatever it was.",
    route: Route::Path {
        method: Method::Post,
        template: "/v2/{project_id}/instances/{instance_id}/password/reset",
    },
    permission: Some("dcs:instance:resetAuthInfo"),
    body: Some(&[
        Field {
            name: "new_password",
            invalid: Some(&code::WEAK_PASSWORD),
            about: "The new password; left out where there is to be none.",
            ..FIELD
        },
        Field {
            name: "no_password_access",
            kind: Kind::Flag,
            invalid: Some(&code::NO_PASSWORD_ACCESS),
            about: "Whether clients come in without a password; not unless it says so.",
            ..FIELD
        },
    ]),
    answers: &[Answer {
        status: 200,
        about: "Whether it was changed.",
        body: Some(&[
            text("code", "success or failed."),
            text("message", "The same in words."),
            text("ext_message", "Not used."),
            text(
                "retry_times_left",
                "How many further wrong passwords lock the instance; a reset needs none.",
            ),
            text("lock_time", "Always 0."),
            text("lock_time_left", "Always 0."),
        ]),
    }],
    errors: &[
        CALLER_ERRORS,
        PROJECT_ERRORS,
        BUSY,
        &[
            &code::EMPTY_BODY,
            &code::WEAK_PASSWORD,
            &code::PASSWORD,
            &code::NEEDLESS_PASSWORD,
            &code::NO_PASSWORD_ACCESS,
        ],
    ],
    source: reference("Resetting the Password"),
    ..V2_INSTANCE
}
.checked();

pub(super) fn change_password<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(change(dcs, request, "success"))
}

pub(super) fn reset_password<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let (project_id, id) = (request.project_id(), request.instance_id());
        let instance = dcs.instance(&request)?;
        let is_open = request.body.boolean("no_password_access") == Some(true);
        let access = match request.body.text("new_password") {
            Some(_) if is_open => return Err((&code::NEEDLESS_PASSWORD).into()),
            None if is_open => Access::Open,
            None => return Err((&code::PASSWORD).into()),
            Some(new) if password::is_strong(new, instance.access_user.as_deref()) => {
                Access::Password(Secret::new(new))
            }
            Some(_) => return Err((&code::WEAK_PASSWORD).into()),
        };
        let task = dcs.cloud.set_access(project_id, id, access).await;
        let task = task.map_err(|error| refusal::of_task(&error))?;
        let (code, message) = match task.state {
            task::State::Failed => ("failed", "Reset DCSInstance password failed."),
            task::State::Running | task::State::Succeeded => {
                ("success", "Reset DCSInstance password success.")
            }
        };
        Ok(Reply::ok(json!({
            "code": code,
            "message": message,
            "ext_message": "",
            "retry_times_left": "5",
            "lock_time": "0",
            "lock_time_left": "0",
        })))
    })
}
