//! Backups of an instance, as v2 has them, and links by which their files are fetched.

use cloud::Pending;
use cloud::backup::{Format, State};
use http::StatusCode;
use operation::schema::{FIELD, Field, Integer, Kind, Need, TEXT, Text, joined};
use operation::{Answer, Failure, Method, Operation, Reply, Route};
use serde_json::{Value, json};

use super::{V2_INSTANCE, reference};
use crate::backup_form::{self, BACKUP, BACKUP_ID, REMARK, RESTORE, between};
use crate::code;
use crate::dcs::Dcs;
use crate::endpoint::Request;
use crate::field::{
    CALLER_ERRORS, INSTANCE_ID, OFFSET, PROJECT_ERRORS, PROJECT_ID, integer, limit, list as list_field,
    moment, page, text,
};
use crate::refusal::{BUSY_TO_BACK_UP, BUSY_TO_RESTORE};
use crate::v1;
use crate::v1::backups::{BACK_UP_ERRORS, DELETE_ERRORS, RESTORE_BODY, RESTORE_ERRORS};

const QUERY: &[Field] = &[
    moment("begin_time", "Only what was asked for then or later, as yyyyMMddHHmmss in UTC."),
    moment("end_time", "Only what was asked for then or earlier, as yyyyMMddHHmmss in UTC."),
    OFFSET,
    limit(1000, "How many records a page has at most. 10 if left out."),
];

/// A backup, and what its files are.
const BACKUP_AND_FORMAT: &[Field] = &{
    const FORMAT: &[Field] = &[text("backup_format", "rdb or aof.")];
    joined::<{ BACKUP.len() + FORMAT.len() }>(BACKUP, FORMAT)
};

/// The name of the bucket in which backups are said to lie.
const BUCKET: &str = "backups";

pub(crate) static BACK_UP: Operation = Operation {
    id: "CopyInstance",
    summary: "Backs up an instance that is no single node.",
    route: Route::Path { method: Method::Post, template: "/v2/{project_id}/instances/{instance_id}/backups" },
    permission: Some("dcs:instance:backupData"),
    body: Some(&[
        REMARK,
        Field {
            name: "backup_format",
            kind: Kind::Text(Text { one_of: &["rdb", "aof"], ..TEXT }),
            invalid: Some(&code::PARAMETER),
            about: "What its files are: rdb or aof; rdb if left out.",
            ..FIELD
        },
    ]),
    answers: &[Answer {
        status: 200,
        about: "The backup has been made, or is being made.",
        body: Some(&[text("backup_id", "The id of the backup.")]),
    }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, BUSY_TO_BACK_UP, BACK_UP_ERRORS],
    source: reference("Backing Up a DCS Instance"),
    ..V2_INSTANCE
}
.checked();

pub(crate) static LIST: Operation = Operation {
    id: "ListBackupRecords",
    summary: "Lists the backups of an instance, the latest first.",
    route: Route::Path { method: Method::Get, template: "/v2/{project_id}/instances/{instance_id}/backups" },
    permission: Some("dcs:instance:getDataBackupLog"),
    query: QUERY,
    answers: &[Answer {
        status: 200,
        about: "One page of the backups.",
        body: Some(&[
            list_field(
                "backup_record_response",
                &Kind::Object(BACKUP_AND_FORMAT),
                "The backups of the page.",
            ),
            integer("total_num", "How many backups there are on all pages."),
        ]),
    }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, &[&code::UNKNOWN_INSTANCE]],
    source: reference("Querying DCS Instance Backup Records"),
    ..V2_INSTANCE
}
.checked();

pub(crate) static RESTORE_ONE: Operation = Operation {
    id: "RestoreInstance",
    summary: "Puts what a backup holds in the place of all that its instance holds.",
    route: Route::Path {
        method: Method::Post,
        template: "/v2/{project_id}/instances/{instance_id}/restores",
    },
    permission: Some("dcs:instance:restoreData"),
    body: Some(RESTORE_BODY),
    answers: &[Answer {
        status: 200,
        about: "The backup has been restored, or is being restored.",
        body: Some(&[text("restore_id", "The id of the restore.")]),
    }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, BUSY_TO_RESTORE, RESTORE_ERRORS],
    source: reference("Restoring a DCS Instance"),
    ..V2_INSTANCE
}
.checked();

pub(crate) static LIST_RESTORES: Operation = Operation {
    id: "ListRestoreRecords",
    summary: "Lists the restores of an instance, the latest first.",
    route: Route::Path { method: Method::Get, template: "/v2/{project_id}/instances/{instance_id}/restores" },
    permission: Some("dcs:instance:getDataRestoreLog"),
    query: QUERY,
    answers: &[Answer {
        status: 200,
        about: "One page of the restores.",
        body: Some(&[
            list_field("restore_record_response", &Kind::Object(RESTORE), "The restores of the page."),
            integer("total_num", "How many restores there are on all pages."),
        ]),
    }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, &[&code::UNKNOWN_INSTANCE]],
    source: reference("Querying DCS Instance Restoration Records"),
    ..V2_INSTANCE
}
.checked();

pub(crate) static DELETE: Operation = Operation {
    id: "DeleteBackupFile",
    summary: "Deletes the files of a backup; its record stays.",
    route: Route::Path {
        method: Method::Delete,
        template: "/v2/{project_id}/instances/{instance_id}/backups/{backup_id}",
    },
    path: &[PROJECT_ID, INSTANCE_ID, BACKUP_ID],
    permission: Some("dcs:instance:deleteDataBackupFile"),
    answers: &[Answer { status: 204, about: "The files are deleted.", body: None }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, DELETE_ERRORS],
    source: reference("Deleting a Backup File"),
    ..V2_INSTANCE
}
.checked();

pub(crate) static LINKS: Operation = Operation {
    id: "ListBackupFileLinks",
    summary: "Gives links by which whoever has them may fetch the files of a backup, for a time.",
    route: Route::Path {
        method: Method::Post,
        template: "/v2/{project_id}/instances/{instance_id}/backups/{backup_id}/links",
    },
    path: &[PROJECT_ID, INSTANCE_ID, BACKUP_ID],
    permission: Some("dcs:instance:downloadBackupData"),
    body: Some(&[Field {
        name: "expiration",
        kind: Kind::Integer(Integer { min: 5 * 60, max: 24 * 60 * 60, or_text: true }),
        need: Need::Required,
        invalid: Some(&code::PARAMETER),
        about: "For how long the links are valid, in seconds: 5 minutes to 24 hours.",
    }]),
    answers: &[Answer {
        status: 200,
        about: "The links.",
        body: Some(&[
            text("file_path", "Where the first file lies in the bucket."),
            text("bucket_name", "The bucket."),
            list_field(
                "links",
                &Kind::Object(&[
                    text("file_name", "The name of the file."),
                    text("link", "The address by which it is fetched."),
                ]),
                "A link for each file, in the order of the shards.",
            ),
        ]),
    }],
    errors: &[
        CALLER_ERRORS,
        PROJECT_ERRORS,
        &[&code::EMPTY_BODY, &code::UNKNOWN_INSTANCE, &code::BACKUP_NOT_SUCCEEDED, &code::BROKEN],
    ],
    source: reference("Obtaining the Backup File URL"),
    ..V2_INSTANCE
}
.checked();

pub(super) fn list<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let instance = dcs.instance(&request)?;
        let times = between(&request.query, &["begin_time"], &["end_time"]);
        let mut all = dcs.cloud.backups(&instance.id);
        all.retain(|backup| times.contains(&backup.created_at_ms));
        all.reverse();
        let total = all.len();
        let shown = page(all, &request.query).map(|backup| {
            let mut shown = backup_form::backup(dcs, &backup);
            shown["backup_format"] = match backup.format {
                Format::Rdb => "rdb".into(),
                Format::Aof => "aof".into(),
            };
            shown
        });
        let shown: Vec<Value> = shown.collect();
        Ok(Reply::ok(json!({"backup_record_response": shown, "total_num": total})))
    })
}

pub(super) fn list_restores<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let instance = dcs.instance(&request)?;
        let times = between(&request.query, &["begin_time"], &["end_time"]);
        let mut all = dcs.cloud.restores(&instance.id);
        all.retain(|restore| times.contains(&restore.created_at_ms));
        all.reverse();
        let total = all.len();
        let shown: Vec<Value> =
            page(all, &request.query).map(|restore| backup_form::restore(dcs, &restore)).collect();
        Ok(Reply::ok(json!({"restore_record_response": shown, "total_num": total})))
    })
}

pub(super) fn delete<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        v1::backups::remove(dcs, &request).await?;
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    })
}

pub(super) fn links<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let instance = dcs.instance(&request)?;
        let found = dcs.cloud.backup(request.call.parameter("backup_id"));
        let backup = found.filter(|backup| backup.instance_id == instance.id);
        let backup = backup.ok_or_else(|| code::PARAMETER.of("backup_id"))?;
        if backup.state != State::Succeeded {
            return Err((&code::BACKUP_NOT_SUCCEEDED).into());
        }
        let seconds = request.body.integer("expiration").unwrap_or(0);
        let valid_ms = u64::try_from(seconds).unwrap_or(0) * 1000;
        let base = request.call.base_url();
        let mut links = Vec::new();
        for (number, file) in backup.files.iter().enumerate() {
            let name = backup_form::file_name(&backup, number);
            let link = dcs.cloud.link(&backup, &file.name, &name, valid_ms).map_err(|error| {
                tracing::error!(%error, "links cannot be sealed");
                &code::BROKEN
            })?;
            links.push(json!({"file_name": name, "link": format!("{base}{link}")}));
        }
        let first = links.first().and_then(|link| link["file_name"].as_str()).unwrap_or_default();
        let path = format!("{}/{first}", instance.id);
        Ok(Reply::ok(json!({"file_path": path, "bucket_name": BUCKET, "links": links})))
    })
}
