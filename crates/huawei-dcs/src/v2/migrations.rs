//! Migrations: begun ([`begin`]), shown ([`show`], [`course`]), ended and forgotten ([`change`]).
//!
//! The states that stand for resources of a migration's own (`MIGRATION_SUCCESS`, `RELEASED` and others) do not occur: there
//! are none. Addresses are not exchanged.

mod begin;
mod change;
mod course;
mod show;

use cloud::MigrationError;
use cloud::migration::Migration;
use operation::schema::{FIELD, Field, Kind, Need, TEXT, Text};
use operation::{ErrorCode, Failure, Operation, Reply};
use serde_json::json;

use super::V2_PROJECT;
use crate::code;
use crate::dcs::Dcs;
use crate::endpoint::Request;
use crate::field::text;
use show::status;

pub(crate) use begin::{CREATE, CREATE_ONLINE, SET_ONLINE};
pub(super) use begin::{create, create_online, set_online};
pub(crate) use change::{BATCH_RESTART, BATCH_STOP, DELETE, STOP, STOP_SYNC, UPDATE};
pub(super) use change::{batch_restart, batch_stop, delete, stop, stop_sync, update};
pub(crate) use course::{LOGS, STATS};
pub(super) use course::{logs, stats};
pub(crate) use show::{LIST, SHOW};
pub(super) use show::{list, show};

const PERMISSION: Option<&str> = Some("dcs:instance:migrateData");

/// What may go wrong when keys begin to be copied.
const BEGIN_ERRORS: &[&ErrorCode] =
    &[&code::UNKNOWN_INSTANCE, &code::ENGINE, &code::OTHER_PASSWORD, &code::WRONG_STATUS, &code::JOB_FAILED];
/// What may go wrong with a migration that is at work, or is not.
const STATE_ERRORS: &[&ErrorCode] = &[&code::TASK_ID, &code::TASK_RUNNING, &code::NOT_SAVED];

/// What the records have in common.
const BASE: Operation = Operation { permission: PERMISSION, ..V2_PROJECT };

/// The id of a migration in a path.
const TASK_ID: Field = Field {
    name: "task_id",
    kind: Kind::Text(Text { min_chars: 1, max_chars: 64, ..TEXT }),
    need: Need::Required,
    invalid: Some(&code::TASK_ID),
    about: "The id of the migration.",
};

const fn field(name: &'static str, about: &'static str) -> Field {
    Field { name, invalid: Some(&code::PARAMETER), about, ..FIELD }
}

const METHOD: Field = Field {
    kind: Kind::Text(Text { one_of: &["full_amount_migration", "incremental_migration"], ..TEXT }),
    need: Need::Required,
    ..field("migration_method", "full_amount_migration or incremental_migration.")
};

const RESUME: Field = Field {
    kind: Kind::Text(Text { one_of: &["auto", "manual"], ..TEXT }),
    ..field("resume_mode", "auto or manual: whether it begins again by itself.")
};

/// What is answered where a migration has begun.
const BEGUN: &[Field] = &[
    text("id", "The id of the migration."),
    text("name", "What it is called."),
    text("status", "How far it is."),
];

/// The migration that a path names.
fn named(dcs: &Dcs, request: &Request<'_>) -> Result<std::sync::Arc<Migration>, Failure> {
    let found = dcs.cloud.migration(request.project_id(), request.call.parameter("task_id"));
    found.ok_or_else(|| (&code::TASK_ID).into())
}

fn begun(outcome: Result<std::sync::Arc<Migration>, MigrationError>) -> Result<Reply, Failure> {
    let migration = outcome.map_err(|error| refused(&error))?;
    Ok(Reply::ok(json!({"id": migration.id, "name": migration.name, "status": status(migration.state)})))
}

fn refused(error: &MigrationError) -> Failure {
    match error {
        MigrationError::NotFound => (&code::TASK_ID).into(),
        MigrationError::NoInstance => (&code::UNKNOWN_INSTANCE).into(),
        MigrationError::WrongStatus(_) => (&code::WRONG_STATUS).into(),
        MigrationError::NoFile(_) => code::PARAMETER.of("backup_files"),
        MigrationError::WrongState => (&code::TASK_RUNNING).into(),
        MigrationError::Refused(_) => (&code::JOB_FAILED).into(),
        MigrationError::Store(_) => (&code::NOT_SAVED).into(),
    }
}
