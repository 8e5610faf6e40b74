//! Backups and restores as both versions tell of them.
//!
//! The documents have two sets of names for the states; clients know those of the examples, which stand here.

use cloud::backup::{Backup, Fault, Restore, State};
use cloud::backup_policy::BackupKind;
use cloud::engine::Engine;
use cloud::topology::Topology;
use operation::ErrorCode;
use operation::schema::{FIELD, Field, Kind, Need, Query, TEXT, Text};
use serde_json::{Value, json};

use crate::code;
use crate::dcs::Dcs;
use crate::endpoint::Request;
use crate::field::{integer, text, text_or_null};
use crate::time;

/// The id of a backup in a path.
pub(crate) const BACKUP_ID: Field = Field {
    name: "backup_id",
    need: Need::Required,
    invalid: Some(&code::PARAMETER),
    about: "The id of the backup.",
    ..FIELD
};

/// What the owner says about a backup or a restore.
pub(crate) const REMARK: Field = Field {
    name: "remark",
    kind: Kind::Text(Text { max_chars: 128, ..TEXT }),
    invalid: Some(&code::REMARK),
    about: "What the owner says about it, at most 128 characters.",
    ..FIELD
};

/// A backup in an answer of v1.0; v2 has one more field.
pub(crate) const BACKUP: &[Field] = &[
    text("status", "waiting, backuping, succeed, failed, expired or deleted."),
    text_or_null("remark", "What the owner says about it."),
    text_or_null("period", "The hour of the schedule in which it was made."),
    text("progress", "How much of it is done, in percent."),
    integer("size", "What its files take, in bytes."),
    text("instance_id", "The id of the instance."),
    text("backup_id", "The id of the backup."),
    text("created_at", "When it was asked for, in UTC."),
    text("updated_at", "When it ended, in UTC."),
    text_or_null("execution_at", "When it began, in UTC."),
    text("backup_type", "manual or auto."),
    text("backup_name", "Its name, made of the time."),
    text_or_null("error_code", "Why it failed."),
    text("is_support_restore", "TRUE or FALSE: whether it can be restored."),
];

/// A restore in an answer of v2; v1.0 has two more fields.
pub(crate) const RESTORE: &[Field] = &[
    text("status", "waiting, restoring, succeed or failed."),
    text("progress", "How much of it is done, in percent."),
    text("restore_id", "The id of the restore."),
    text("backup_id", "The id of the backup."),
    text_or_null("restore_remark", "What the owner says about the restore."),
    text_or_null("backup_remark", "What the owner says about the backup."),
    text("created_at", "When it was asked for, in UTC."),
    text("updated_at", "When it ended, in UTC."),
    text("restore_name", "Its name, made of the time."),
    text("backup_name", "The name of the backup."),
    text_or_null("error_code", "Why it failed."),
];

/// The times between which a query asks for, in ms; parameters have several names.
pub(crate) fn between(query: &Query, begins: &[&str], ends: &[&str]) -> std::ops::RangeInclusive<u64> {
    let at = |names: &[&str]| names.iter().find_map(|name| query.text(name)).and_then(time::from_digits);
    // The second that is named counts as a whole.
    at(begins).unwrap_or(0)..=at(ends).map_or(u64::MAX, |at_ms| at_ms + 999)
}

/// Sees that the instance of a request is one that is backed up: whatever is no single node (section 8.1).
pub(crate) fn see_that_it_is_backed_up(dcs: &Dcs, request: &Request<'_>) -> Result<(), &'static ErrorCode> {
    let instance = dcs.instance(request)?;
    if instance.topology == Topology::Single { Err(&code::NO_BACKUPS) } else { Ok(()) }
}

/// The name of a backup that was asked for at this time.
pub(crate) fn backup_name(created_at_ms: u64) -> String {
    format!("backup_{}", time::digits(created_at_ms))
}

/// What clients are to call a backup's file.
pub(crate) fn file_name(backup: &Backup, number: usize) -> String {
    let stored = &backup.files[number].name;
    let suffix = stored.rsplit_once('.').map_or("rdb", |(_, suffix)| suffix);
    let engine = match backup.engine {
        Engine::Redis => "redis",
        Engine::Memcached => "memcached",
    };
    let at = time::digits(backup.created_at_ms);
    match backup.files.len() {
        1 => format!("{at}_{engine}.{suffix}"),
        _ => format!("{at}_{engine}_{number}.{suffix}"),
    }
}

pub(crate) fn backup(dcs: &Dcs, backup: &Backup) -> Value {
    json!({
        "status": match backup.state {
            State::Waiting => "waiting",
            State::Running => "backuping",
            State::Succeeded => "succeed",
            State::Failed => "failed",
            State::Expired => "expired",
            State::Deleted => "deleted",
        },
        "remark": backup.remark,
        "period": backup.period,
        "progress": progress(dcs, backup.state, backup.task_id.as_deref()),
        "size": backup.size_bytes(),
        "instance_id": backup.instance_id,
        "backup_id": backup.id,
        "created_at": time::with_millis(backup.created_at_ms),
        "updated_at": time::with_millis(backup.updated_at_ms),
        "execution_at": backup.started_at_ms.map(time::with_millis),
        "backup_type": match backup.kind {
            BackupKind::Auto => "auto",
            BackupKind::Manual => "manual",
        },
        "backup_name": backup_name(backup.created_at_ms),
        "error_code": backup.fault.map(fault_code),
        "is_support_restore": if backup.state == State::Succeeded { "TRUE" } else { "FALSE" },
    })
}

pub(crate) fn restore(dcs: &Dcs, restore: &Restore) -> Value {
    json!({
        "status": match restore.state {
            State::Waiting => "waiting",
            State::Running => "restoring",
            State::Succeeded => "succeed",
            State::Failed | State::Expired | State::Deleted => "failed",
        },
        "progress": progress(dcs, restore.state, restore.task_id.as_deref()),
        "restore_id": restore.id,
        "backup_id": restore.backup_id,
        "restore_remark": restore.remark,
        "backup_remark": restore.backup_remark,
        "created_at": time::with_millis(restore.created_at_ms),
        "updated_at": time::with_millis(restore.updated_at_ms),
        "restore_name": format!("restore_{}", time::digits(restore.created_at_ms)),
        "backup_name": backup_name(restore.backup_created_at_ms),
        "error_code": restore.fault.map(fault_code),
    })
}

fn progress(dcs: &Dcs, state: State, task_id: Option<&str>) -> String {
    let percent = match state {
        State::Waiting => 0,
        State::Running => dcs.cloud.progress_of(task_id).min(99),
        State::Succeeded | State::Expired | State::Deleted => 100,
        State::Failed => 0,
    };
    format!("{percent}.00")
}

/// The code that a record shows for what went wrong (table 8-12).
fn fault_code(fault: Fault) -> &'static str {
    match fault {
        Fault::NotStarted => "dcs.08.0001",
        Fault::TimedOut => "dcs.08.0002",
        Fault::NoFiles => "dcs.08.0006",
        Fault::NotSynchronised => "dcs.08.0007",
        Fault::InstanceBusy => "dcs.08.0008",
    }
}
