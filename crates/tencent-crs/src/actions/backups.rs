//! Backups of instances: made by hand, listed, downloaded, and restored.

use std::sync::Arc;

use cloud::backup::{Backup, BackupOrder, State};
use cloud::backup_policy::BackupKind;
use cloud::{ExportError, Pending, RestoreError, TaskError};
use operation::schema::{Field, Kind, joined};
use operation::{Answer, Failure, Operation, Reply};
use serde_json::{Value, json};

use super::password::{PASSWORD, TASK_ERRORS, TASKED};
use super::tasks::span;
use crate::action::{Request, numbered};
use crate::catalogue::Type;
use crate::code;
use crate::crs::{Crs, refused};
use crate::delivery::{BACKUPS_KEPT_DAYS, PROJECT, opens};
use crate::field::{
    ACTION, COMMON_ERRORS, LIMIT, NUMBERED, OFFSET, action, chapter, integer, list, object, optional,
    redis_id, text,
};
use crate::time;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// How often an instance can be backed up by hand on one day.
const A_DAY: usize = 24;

/// For how long a download's address is good, in ms.
const LINK_MS: u64 = DAY_MS / 2;

pub(super) static BACK_UP: Operation = Operation {
    id: "ManualBackupInstance",
    summary: "Backs an instance up, 24 times a day at most.",
    route: action("ManualBackupInstance"),
    permission: Some("crs:instance:ManualBackupInstance"),
    query: &[
        redis_id(&code::INVALID_PARAMETER),
        optional("remark", &code::INVALID_PARAMETER, "What the owner says about the backup."),
    ],
    answers: TASKED,
    errors: &[COMMON_ERRORS, TASK_ERRORS, &[&code::TOO_MANY]],
    source: chapter("Manual Backup of CRS Instance"),
    ..ACTION
}
.checked();

pub(super) fn back_up<'a>(crs: &'a Crs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let instance = crs.serving(request.text("redisId"))?;
        let since_ms = time::midnight(crs.cloud.clock().now_ms());
        let today = crs.cloud.backups(&instance.id).into_iter();
        let by_hand =
            today.filter(|backup| backup.kind == BackupKind::Manual && backup.created_at_ms >= since_ms);
        if by_hand.count() >= A_DAY {
            return Err((&code::TOO_MANY).into());
        }
        let remark = request.parameters.text("remark").map(str::to_owned);
        let order = BackupOrder { remark, save_days: Some(BACKUPS_KEPT_DAYS), ..BackupOrder::default() };
        let backup = crs.cloud.back_up(PROJECT, &instance.id, order).await.map_err(refused)?;
        Ok(tasked(crs, backup.task_id.as_deref()))
    })
}

pub(super) static DOWNLOAD: Operation = Operation {
    id: "GetBackupDownloadUrl",
    summary: "Tells where a backup can be downloaded for twelve hours.",
    route: action("GetBackupDownloadUrl"),
    permission: Some("crs:instance:GetBackupDownloadUrl"),
    reads_only: true,
    query: &[redis_id(&code::INVALID_PARAMETER), BACKUP_ID],
    answers: &[Answer {
        status: 200,
        about: "Where it can be downloaded.",
        body: Some(&joined::<4>(
            NUMBERED,
            &[object(
                "data",
                &[
                    text("intranet", "The address within the cloud."),
                    text("extranet", "The address from elsewhere, which is the same."),
                ],
                "The addresses.",
            )],
        )),
    }],
    errors: &[COMMON_ERRORS, &[&code::NO_INSTANCE, &code::BACKUP_STATUS, &code::NO_BACKUP]],
    source: chapter("Query Backup Download URL"),
    ..ACTION
}
.checked();

/// The backup that an action works on.
const BACKUP_ID: Field =
    Field { name: "backupId", about: "The id of the backup.", ..redis_id(&code::INVALID_PARAMETER) };

/// What a backup is called when it has been downloaded.
const FILE: &str = "dump.rdb";

pub(super) fn download<'a>(crs: &'a Crs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let lease = crs.existing(request.text("redisId"))?;
        let backup = found(crs, &lease.redis_id, request.text("backupId"))?;
        let file = match (lease.kind, status(crs, &backup)) {
            (Type::Standalone, Some(2)) => backup.files.first(),
            (Type::Cluster, Some(4)) => backup.exported.as_ref(),
            _ => None,
        };
        let file = file.ok_or(&code::BACKUP_STATUS)?;
        let link = crs.cloud.link(&backup, &file.name, FILE, LINK_MS).map_err(|error| {
            tracing::error!(%error, "links cannot be sealed");
            &code::BROKEN
        })?;
        let address = format!("{}{link}", request.call.base_url());
        Ok(numbered(json!({"data": {"intranet": address, "extranet": address}})))
    })
}

pub(super) static BACKUPS: Operation = Operation {
    id: "GetRedisBackupList",
    summary: "Lists the backups of an instance of the last seven days, the first of them first.",
    route: action("GetRedisBackupList"),
    permission: Some("crs:instance:GetRedisBackupList"),
    reads_only: true,
    query: &[
        LIMIT,
        OFFSET,
        redis_id(&code::INVALID_PARAMETER),
        optional("beginTime", &code::INVALID_PARAMETER, "When they began at the earliest."),
        optional("endTime", &code::INVALID_PARAMETER, "When they began at the latest."),
    ],
    answers: &[Answer {
        status: 200,
        about: "The backups.",
        body: Some(&joined::<5>(
            NUMBERED,
            &[
                integer("totalCount", "How many there are without limit and offset."),
                object(
                    "data",
                    &[list(
                        "redisBackupSet",
                        &Kind::Object(&[
                            text("startTime", "When it began."),
                            text("backupId", "The id."),
                            text("backupType", "manualBackupInstance or systemBackupInstance."),
                            integer(
                                "status",
                                "1 locked, 2 normal, 3 being exported, 4 exported, -1 expired.",
                            ),
                            text("remark", "What the owner says about it."),
                            integer("locked", "1 while a task is at work on it, or else 0."),
                        ]),
                        "The backups.",
                    )],
                    "The backups.",
                ),
            ],
        )),
    }],
    errors: &[COMMON_ERRORS],
    source: chapter("Query CRS Instance Backup List"),
    ..ACTION
}
.checked();

pub(super) fn backups<'a>(crs: &'a Crs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let lease =
            crs.existing(request.text("redisId")).map_err(|_| code::INVALID_PARAMETER.of("redisId"))?;
        let span = span(&request)?;
        let kept_ms = u64::from(BACKUPS_KEPT_DAYS) * DAY_MS;
        let since_ms = crs.cloud.clock().now_ms().saturating_sub(kept_ms);
        let mut found: Vec<Value> = Vec::new();
        for backup in crs.cloud.backups(&lease.redis_id) {
            let began_ms = backup.created_at_ms;
            let Some(status) =
                status(crs, &backup).filter(|_| began_ms >= since_ms && span.contains(&began_ms))
            else {
                continue;
            };
            let kind = match backup.kind {
                BackupKind::Manual => "manualBackupInstance",
                BackupKind::Auto => "systemBackupInstance",
            };
            found.push(json!({
                "startTime": time::written(began_ms),
                "backupId": backup.id,
                "backupType": kind,
                "status": status,
                "remark": backup.remark.as_deref().unwrap_or_default(),
                "locked": i32::from(matches!(status, 1 | 3)),
            }));
        }
        let total = found.len();
        let page = |name| usize::try_from(request.integer(name)).unwrap_or(usize::MAX);
        let items: Vec<Value> = found.into_iter().skip(page("offset")).take(page("limit")).collect();
        Ok(numbered(json!({"totalCount": total, "data": {"redisBackupSet": items}})))
    })
}

pub(super) static RESTORE: Operation = Operation {
    id: "RestoreInstance",
    summary: "Puts what a backup of an instance holds in the place of what the instance holds.",
    route: action("RestoreInstance"),
    permission: Some("crs:instance:RestoreInstance"),
    query: &[redis_id(&code::INVALID_PARAMETER), PASSWORD, BACKUP_ID],
    answers: TASKED,
    errors: &[
        COMMON_ERRORS,
        TASK_ERRORS,
        &[&code::BACKUP_STATUS, &code::BACKUP_LOCKED, &code::RESTORE_PASSWORD, &code::NO_BACKUP],
    ],
    source: chapter("Restore CRS Instance"),
    ..ACTION
}
.checked();

pub(super) fn restore<'a>(crs: &'a Crs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        // Whoever waits for a backup that is being made is told of it rather than of what makes it.
        let backup = found(crs, request.text("redisId"), request.text("backupId"));
        if let Ok(backup) = &backup
            && matches!(status(crs, backup), Some(1 | 3))
        {
            return Err((&code::BACKUP_LOCKED).into());
        }
        let instance = crs.serving(request.text("redisId"))?;
        let password =
            request.parameters.text("password").ok_or_else(|| code::INVALID_PARAMETER.of("password"))?;
        if !opens(&instance, password) {
            return Err((&code::RESTORE_PASSWORD).into());
        }
        let backup = backup?;
        if !matches!(status(crs, &backup), Some(2 | 4)) {
            return Err((&code::BACKUP_STATUS).into());
        }
        let restored = crs.cloud.restore(PROJECT, &instance.id, &backup.id, None).await;
        let restored = restored.map_err(|error| match error {
            RestoreError::NoBackup => (&code::NO_BACKUP).into(),
            RestoreError::NotSucceeded => (&code::BACKUP_STATUS).into(),
            RestoreError::Task(error) => refused(error),
        })?;
        Ok(tasked(crs, restored.task_id.as_deref()))
    })
}

pub(super) static EXPORT: Operation = Operation {
    id: "ExportRedisBackup",
    summary: "Makes one file of a cluster's backup, which can be downloaded then.",
    route: action("ExportRedisBackup"),
    permission: Some("crs:instance:ExportRedisBackup"),
    query: &[redis_id(&code::INVALID_PARAMETER), BACKUP_ID],
    answers: TASKED,
    errors: &[
        COMMON_ERRORS,
        &[&code::NO_INSTANCE, &code::NO_BACKUP, &code::ONLY_CLUSTERS, &code::BACKUP_INVALID],
    ],
    source: chapter("Export Backup of CRS Instance"),
    ..ACTION
}
.checked();

pub(super) fn export<'a>(crs: &'a Crs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let lease = crs.existing(request.text("redisId"))?;
        let backup = found(crs, &lease.redis_id, request.text("backupId"))?;
        if lease.kind != Type::Cluster {
            return Err((&code::ONLY_CLUSTERS).into());
        }
        if status(crs, &backup) != Some(2) {
            return Err((&code::BACKUP_INVALID).into());
        }
        let exported = crs.cloud.export(PROJECT, &lease.redis_id, &backup.id).await;
        let task = exported.map_err(|error| match error {
            ExportError::NoBackup => &code::NO_BACKUP,
            ExportError::Task(TaskError::NotFound) => &code::NO_INSTANCE,
            ExportError::Task(TaskError::Store(_) | TaskError::Failed) => &code::BROKEN,
            // The table has no code for an instance that does something else.
            ExportError::WrongState | ExportError::Task(_) => &code::BACKUP_INVALID,
        })?;
        Ok(numbered(json!({"data": {"requestId": task.sequence}})))
    })
}

/// The backup of this id, if it is the instance's.
fn found(crs: &Crs, redis_id: &str, backup_id: &str) -> Result<Arc<Backup>, Failure> {
    let backup = crs.cloud.backup(backup_id).filter(|backup| backup.instance_id == redis_id);
    backup.ok_or_else(|| (&code::NO_BACKUP).into())
}

/// The status of a backup on the wire; none for one that failed, which this service does not know of.
fn status(crs: &Crs, backup: &Backup) -> Option<i32> {
    let is_used = |restore: &cloud::backup::Restore| {
        restore.backup_id == backup.id && matches!(restore.state, State::Waiting | State::Running)
    };
    match backup.state {
        State::Waiting | State::Running => Some(1),
        State::Succeeded
            if crs.cloud.restores(&backup.instance_id).iter().any(|restore| is_used(restore)) =>
        {
            Some(1)
        }
        State::Succeeded if crs.cloud.is_being_exported(backup) => Some(3),
        State::Succeeded if backup.exported.is_some() => Some(4),
        State::Succeeded => Some(2),
        State::Expired | State::Deleted => Some(-1),
        State::Failed => None,
    }
}

/// An answer that names a task.
fn tasked(crs: &Crs, task_id: Option<&str>) -> Reply {
    numbered(json!({"data": {"requestId": crs.request_id(task_id)}}))
}
