//! Another password for an instance, for those who know the present one.
//!
//! Deliberately not here: counting wrong ones, which the cloud does.

use cloud::identity::Secret;
use cloud::password::{LockOut, Verdict};
use cloud::{Pending, TaskError, task};
use operation::schema::{FIELD, Field, Need};
use operation::{Answer, ErrorCode, Failure, Method, Operation, Reply, Route};
use serde_json::{Value, json};

use super::V1_PROJECT;
use crate::code;
use crate::dcs::Dcs;
use crate::endpoint::Request;
use crate::field::{CALLER_ERRORS, INSTANCE_ID, PROJECT_ERRORS, PROJECT_ID, reference, text};
use crate::password;
use crate::refusal::{self, BUSY};

/// Five wrong passwords lock an instance for five minutes (section 5.4).
const LOCK_OUT: LockOut = LockOut { tries: 5, locked_ms: LOCKED_MINUTES * MINUTE_MS };
const LOCKED_MINUTES: u64 = 5;
const MINUTE_MS: u64 = 60_000;

/// The passwords (table 5-14).
pub(crate) const PASSWORDS: &[Field] = &[
    Field {
        name: "old_password",
        need: Need::Required,
        invalid: Some(&code::PARAMETER),
        about: "The present password.",
        ..FIELD
    },
    NEW_PASSWORD,
];

/// The new password.
pub(crate) const NEW_PASSWORD: Field = Field {
    name: "new_password",
    need: Need::Required,
    invalid: Some(&code::WEAK_PASSWORD),
    about: "The new password: 8 to 32 characters of three kinds (lower case, upper case, digits, special characters).",
    ..FIELD
};

/// What became of it (table 5-15).
pub(crate) const OUTCOME: &[Field] = &[
    text(
        "result",
        "Whether the password was changed: Success (success in v2), passwordFailed, Locked or Failed.",
    ),
    text("message", "The same in words."),
    text("retry_times_left", "How many further wrong passwords lock the instance."),
    text("lock_time", "For how long that would be, or is, in minutes; 0 after a change."),
    text(
        "lock_time_left",
        "For how long it is still locked, in minutes; as long as it would be if it is not.",
    ),
];

/// What a change may be answered besides.
pub(crate) const PASSWORD_ERRORS: &[&ErrorCode] =
    &[&code::EMPTY_BODY, &code::WEAK_PASSWORD, &code::NO_PASSWORD];

pub(crate) static CHANGE_PASSWORD: Operation = Operation {
    id: "UpdatePasswordV1",
    summary: "Changes the password of an instance.",
    route: Route::Path {
        method: Method::Put,
        template: "/v1.0/{project_id}/instances/{instance_id}/password",
    },
    path: &[PROJECT_ID, INSTANCE_ID],
    permission: Some("dcs:instance:modifyAuthInfo"),
    body: Some(PASSWORDS),
    answers: &[Answer { status: 200, about: "Whether it was changed.", body: Some(OUTCOME) }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, BUSY, PASSWORD_ERRORS],
    source: reference("5.4"),
    ..V1_PROJECT
}
.checked();

pub(super) fn change_password<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(change(dcs, request, "Success"))
}

/// Changes the password that a request tells, and answers so, or why not; versions call success differently.
pub(crate) async fn change(dcs: &Dcs, request: Request<'_>, success: &'static str) -> Result<Reply, Failure> {
    let (project_id, id) = (request.project_id(), request.instance_id());
    let instance = dcs.instance(&request)?;
    let old = request.body.text("old_password").unwrap_or_default();
    let new = request.body.text("new_password").unwrap_or_default();
    if !password::is_strong(new, instance.access_user.as_deref()) {
        return Err((&code::WEAK_PASSWORD).into());
    }
    let verdict = dcs.cloud.change_password(project_id, id, old, Secret::new(new), LOCK_OUT).await;
    let verdict = verdict.map_err(|error| match error {
        TaskError::NotSupported => &code::NO_PASSWORD,
        error => refusal::of_task(&error),
    })?;
    Ok(Reply::ok(outcome(&verdict, success)))
}

fn outcome(verdict: &Verdict, success: &str) -> Value {
    let (result, message, tries_left, minutes, left) = match verdict {
        Verdict::Right(task) if task.state == task::State::Failed => {
            ("Failed", "Modify DCSInstance password failed.", LOCK_OUT.tries, 0, 0)
        }
        Verdict::Right(_) => (success, "Modify DCSInstance password success.", LOCK_OUT.tries, 0, 0),
        Verdict::Wrong { tries_left } => {
            ("passwordFailed", "verify password failed.", *tries_left, LOCKED_MINUTES, LOCKED_MINUTES)
        }
        Verdict::Locked { left_ms } => {
            ("Locked", "The account has been locked.", 0, LOCKED_MINUTES, left_ms.div_ceil(MINUTE_MS))
        }
    };
    json!({
        "result": result,
        "message": message,
        "retry_times_left": tries_left.to_string(),
        "lock_time": minutes.to_string(),
        "lock_time_left": left.to_string(),
    })
}
