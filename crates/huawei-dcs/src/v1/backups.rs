//! Backups of an instance: made, listed, deleted, restored.

use cloud::backup::{BackupOrder, Format};
use cloud::{DeleteBackupError, Pending, RestoreError, TaskError};
use operation::schema::{Field, Kind, Need, joined};
use operation::{Answer, ErrorCode, Failure, Method, Operation, Reply, Route};
use serde_json::{Value, json};

use super::V1_PROJECT;
use super::list::at_least_one;
use crate::backup_form::{self, BACKUP, BACKUP_ID, REMARK, RESTORE, between, see_that_it_is_backed_up};
use crate::code;
use crate::dcs::Dcs;
use crate::endpoint::Request;
use crate::field::{
    CALLER_ERRORS, INSTANCE_ID, PROJECT_ERRORS, PROJECT_ID, count, integer, list as list_field, moment,
    reference, text,
};
use crate::refusal::{self, BUSY_TO_BACK_UP, BUSY_TO_RESTORE};

/// What operations on an instance have in common.
const BASE: Operation = Operation { path: &[PROJECT_ID, INSTANCE_ID], ..V1_PROJECT };

/// What may go wrong when a backup is begun.
pub(crate) const BACK_UP_ERRORS: &[&ErrorCode] =
    &[&code::EMPTY_BODY, &code::NO_BACKUPS, &code::BACKUP_NOT_SAVED];
/// What may go wrong when a restore is begun.
pub(crate) const RESTORE_ERRORS: &[&ErrorCode] = &[
    &code::EMPTY_BODY,
    &code::NO_BACKUPS,
    &code::PARAMETER,
    &code::BACKUP_NOT_SUCCEEDED,
    &code::RESTORE_NOT_SAVED,
];
/// What may go wrong when a backup is deleted.
pub(crate) const DELETE_ERRORS: &[&ErrorCode] = &[
    &code::UNKNOWN_INSTANCE,
    &code::PARAMETER,
    &code::BACKING_UP,
    &code::RESTORING,
    &code::BACKUP_NOT_DELETED,
    &code::BACKUP_NOT_SAVED,
];
/// What is asked for with a restore.
pub(crate) const RESTORE_BODY: &[Field] = &[Field { need: Need::Required, ..BACKUP_ID }, REMARK];

const QUERY: &[Field] = &[
    count("start", i64::MAX, "The number of the first record on the page, from 1."),
    count("limit", i64::MAX, "How many records a page has at most. 10 if left out."),
    moment("beginTime", "Only what was asked for then or later, as yyyyMMddHHmmss in UTC."),
    moment("endTime", "Only what was asked for then or earlier, as yyyyMMddHHmmss in UTC."),
    moment("begin_time", "As beginTime; OpenStack-style clients call it so."),
    moment("end_time", "As endTime; OpenStack-style clients call it so."),
];

/// A restore, and the instance that it filled.
const RESTORE_AND_SOURCE: &[Field] = &{
    const SOURCE: &[Field] = &[
        text("sourceInstanceId", "The id of the instance."),
        text("sourceInstanceName", "The name of the instance."),
    ];
    joined::<{ RESTORE.len() + SOURCE.len() }>(RESTORE, SOURCE)
};

pub(crate) static BACK_UP: Operation = Operation {
    id: "CopyInstanceV1",
    summary: "Backs up an instance that is no single node.",
    route: Route::Path {
        method: Method::Post,
        template: "/v1.0/{project_id}/instances/{instance_id}/backups",
    },
    permission: Some("dcs:instance:backupData"),
    body: Some(&[REMARK]),
    answers: &[Answer {
        status: 200,
        about: "The backup has been made, or is being made.",
        body: Some(&[text("backup_id", "The id of the backup.")]),
    }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, BUSY_TO_BACK_UP, BACK_UP_ERRORS],
    source: reference("8.1"),
    ..BASE
}
.checked();

pub(crate) static RESTORE_ONE: Operation = Operation {
    id: "RestoreInstanceV1",
    summary: "Puts what a backup holds in the place of all that its instance holds.",
    route: Route::Path {
        method: Method::Post,
        template: "/v1.0/{project_id}/instances/{instance_id}/restores",
    },
    permission: Some("dcs:instance:restoreData"),
    body: Some(RESTORE_BODY),
    answers: &[Answer {
        status: 200,
        about: "The backup has been restored, or is being restored.",
        body: Some(&[text("restore_id", "The id of the restore.")]),
    }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, BUSY_TO_RESTORE, RESTORE_ERRORS],
    source: reference("8.2"),
    ..BASE
}
.checked();

pub(crate) static LIST: Operation = Operation {
    id: "ListBackupRecordsV1",
    summary: "Lists the backups of an instance, the latest first.",
    route: Route::Path {
        method: Method::Get,
        template: "/v1.0/{project_id}/instances/{instance_id}/backups",
    },
    permission: Some("dcs:instance:getDataBackupLog"),
    query: QUERY,
    answers: &[Answer {
        status: 200,
        about: "One page of the backups.",
        body: Some(&[
            list_field("backup_record_response", &Kind::Object(BACKUP), "The backups of the page."),
            integer("total_num", "How many backups there are on all pages."),
        ]),
    }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, &[&code::UNKNOWN_INSTANCE]],
    source: reference("8.3"),
    ..BASE
}
.checked();

pub(crate) static LIST_RESTORES: Operation = Operation {
    id: "ListRestoreRecordsV1",
    summary: "Lists the restores of an instance, the latest first.",
    route: Route::Path {
        method: Method::Get,
        template: "/v1.0/{project_id}/instances/{instance_id}/restores",
    },
    permission: Some("dcs:instance:getDataRestoreLog"),
    query: QUERY,
    answers: &[Answer {
        status: 200,
        about: "One page of the restores.",
        body: Some(&[
            list_field(
                "restore_record_response",
                &Kind::Object(RESTORE_AND_SOURCE),
                "The restores of the page.",
            ),
            integer("total_num", "How many restores there are on all pages."),
        ]),
    }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, &[&code::UNKNOWN_INSTANCE]],
    source: reference("8.4"),
    ..BASE
}
.checked();

pub(crate) static DELETE: Operation = Operation {
    id: "DeleteBackupFileV1",
    summary: "Deletes the files of a backup; its record stays.",
    route: Route::Path {
        method: Method::Delete,
        template: "/v1.0/{project_id}/instances/{instance_id}/backups/{backup_id}",
    },
    path: &[PROJECT_ID, INSTANCE_ID, BACKUP_ID],
    permission: Some("dcs:instance:deleteDataBackupFile"),
    answers: &[Answer {
        status: 200,
        about: "The files are deleted.",
        body: Some(&[text("message", "Empty.")]),
    }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, DELETE_ERRORS],
    source: reference("8.5"),
    ..BASE
}
.checked();

pub(crate) fn back_up<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        see_that_it_is_backed_up(dcs, &request)?;
        let format = match request.body.text("backup_format") {
            Some("aof") => Format::Aof,
            _ => Format::Rdb,
        };
        let order = BackupOrder {
            remark: request.body.text("remark").map(str::to_owned),
            format,
            ..BackupOrder::default()
        };
        let begun = dcs.cloud.back_up(request.project_id(), request.instance_id(), order).await;
        let backup = begun.map_err(|error| match error {
            TaskError::Store(_) => &code::BACKUP_NOT_SAVED,
            TaskError::NotSupported => &code::NO_BACKUPS,
            error => refusal::of_task(&error),
        })?;
        Ok(Reply::ok(json!({"backup_id": backup.id})))
    })
}

pub(crate) fn restore<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        see_that_it_is_backed_up(dcs, &request)?;
        let backup_id = request.body.text("backup_id").unwrap_or_default();
        let remark = request.body.text("remark").map(str::to_owned);
        let begun = dcs.cloud.restore(request.project_id(), request.instance_id(), backup_id, remark).await;
        let restore = begun.map_err(|error| match error {
            RestoreError::NoBackup => code::PARAMETER.of("backup_id"),
            RestoreError::NotSucceeded => (&code::BACKUP_NOT_SUCCEEDED).into(),
            RestoreError::Task(TaskError::Store(_)) => (&code::RESTORE_NOT_SAVED).into(),
            RestoreError::Task(TaskError::NotSupported) => (&code::NO_BACKUPS).into(),
            RestoreError::Task(error) => Failure::from(refusal::of_task(&error)),
        })?;
        Ok(Reply::ok(json!({"restore_id": restore.id})))
    })
}

pub(crate) fn list<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let instance = dcs.instance(&request)?;
        let times = between(&request.query, &["beginTime", "begin_time"], &["endTime", "end_time"]);
        let mut all = dcs.cloud.backups(&instance.id);
        all.retain(|backup| times.contains(&backup.created_at_ms));
        let (first, most) = page(&request);
        let shown: Vec<_> = all.iter().rev().skip(first).take(most).collect();
        let shown: Vec<Value> = shown.iter().map(|backup| backup_form::backup(dcs, backup)).collect();
        Ok(Reply::ok(json!({"backup_record_response": shown, "total_num": all.len()})))
    })
}

pub(crate) fn list_restores<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let instance = dcs.instance(&request)?;
        let times = between(&request.query, &["beginTime", "begin_time"], &["endTime", "end_time"]);
        let mut all = dcs.cloud.restores(&instance.id);
        all.retain(|restore| times.contains(&restore.created_at_ms));
        let (first, most) = page(&request);
        let shown = all.iter().rev().skip(first).take(most).map(|restore| {
            let mut shown = backup_form::restore(dcs, restore);
            shown["sourceInstanceId"] = restore.instance_id.clone().into();
            shown["sourceInstanceName"] = restore.instance_name.clone().into();
            shown
        });
        let shown: Vec<Value> = shown.collect();
        Ok(Reply::ok(json!({"restore_record_response": shown, "total_num": all.len()})))
    })
}

pub(crate) fn delete<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        remove(dcs, &request).await?;
        Ok(Reply::ok(json!({"message": ""})))
    })
}

/// Deletes the files of the backup that a request names.
pub(crate) async fn remove(dcs: &Dcs, request: &Request<'_>) -> Result<(), Failure> {
    let backup_id = request.call.parameter("backup_id");
    let deleted = dcs.cloud.delete_backup(request.project_id(), request.instance_id(), backup_id).await;
    deleted.map_err(|error| match error {
        DeleteBackupError::NoInstance => (&code::UNKNOWN_INSTANCE).into(),
        DeleteBackupError::NoBackup => code::PARAMETER.of("backup_id"),
        DeleteBackupError::Busy(kind) => Failure::from(refusal::of_busy(kind)),
        DeleteBackupError::Files(_) => (&code::BACKUP_NOT_DELETED).into(),
        DeleteBackupError::Store(_) => (&code::BACKUP_NOT_SAVED).into(),
    })
}

/// How many records stand before the page, and how many it has at most.
fn page(request: &Request<'_>) -> (usize, usize) {
    let query = &request.query;
    (at_least_one(query.integer("start"), 1) - 1, at_least_one(query.integer("limit"), 10))
}
