//! The course of a migration: its log, and what it has copied.

use cloud::Pending;
use cloud::migration::{Level, State};
use operation::schema::{Field, Kind, TEXT, Text};
use operation::{Answer, Failure, Method, Operation, Reply, Route};
use serde_json::{Value, json};

use super::{BASE, TASK_ID, field, named};
use crate::dcs::Dcs;
use crate::endpoint::Request;
use crate::field::{
    OFFSET, PROJECT_ID, boolean, integer, limit, list as list_field, page, text, text_or_null,
};
use crate::time;
use crate::v2::reference;

pub(crate) static LOGS: Operation = Operation {
    id: "ListMigrationTaskLogs",
    summary: "Shows what a migration has to tell, the latest first.",
    route: Route::Path { method: Method::Get, template: "/v2/{project_id}/migration-task/{task_id}/logs" },
    path: &[PROJECT_ID, TASK_ID],
    query: &[
        OFFSET,
        limit(1000, "How many lines a page has at most. 10 if left out."),
        Field {
            kind: Kind::Text(Text { one_of: &["error", "warning", "info"], ..TEXT }),
            ..field("log_level", "Only lines of this level: error, warning or info.")
        },
    ],
    answers: &[Answer {
        status: 200,
        about: "One page of the lines.",
        body: Some(&[
            integer("log_num", "How many lines there are on all pages."),
            list_field(
                "migration_logs",
                &Kind::Object(&[
                    text("created_at", "When it was written, in UTC."),
                    text("log_level", "error, warning or info."),
                    text("message", "What it says."),
                    text_or_null("log_code", "Null."),
                    list_field("keyword", &Kind::Text(TEXT), "Nothing."),
                ]),
                "The lines of the page.",
            ),
        ]),
    }],
    source: reference("Querying Online Migration Logs"),
    ..BASE
}
.checked();

pub(crate) static STATS: Operation = Operation {
    id: "ShowMigrationTaskStats",
    summary: "Shows how far a migration is.",
    route: Route::Path { method: Method::Get, template: "/v2/{project_id}/migration-task/{task_id}/stats" },
    path: &[PROJECT_ID, TASK_ID],
    answers: &[Answer {
        status: 200,
        about: "How far it is.",
        body: Some(&[
            text("full_migration_progress", "How much of what there was is copied, in percent."),
            text("offset", "How far the stream of changes is, in bytes."),
            text("source_dbsize", "How many keys the source had."),
            text("target_dbsize", "How many keys the instance has."),
            text("target_input_kbps", "What the instance reads in a second, in kbit."),
            text("target_ops", "How many commands the instance has run."),
            boolean("is_migrating", "Whether something is being copied."),
        ]),
    }],
    source: reference("Querying Migration Task Progress"),
    ..BASE
}
.checked();

pub(in crate::v2) fn logs<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let migration = named(dcs, &request)?;
        let mut lines = dcs.cloud.migration_progress(&migration).lines;
        if let Some(level) = request.query.text("log_level") {
            lines.retain(|line| level_name(line.level) == level);
        }
        lines.reverse();
        let count = lines.len();
        let line = |line: cloud::migration::Line| {
            json!({
                "created_at": time::with_millis(line.at_ms),
                "log_level": level_name(line.level),
                "message": line.text,
                "log_code": null,
                "keyword": [],
            })
        };
        let shown: Vec<Value> = page(lines, &request.query).map(line).collect();
        Ok(Reply::ok(json!({"log_num": count, "migration_logs": shown})))
    })
}

pub(in crate::v2) fn stats<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let migration = named(dcs, &request)?;
        let progress = dcs.cloud.migration_progress(&migration);
        let target_id = migration.target_id.as_deref().unwrap_or_default();
        let target = dcs.cloud.instance(request.project_id(), target_id);
        let (mut keys, mut kbps, mut commands) = (0, 0.0, 0);
        if let Some(target) = target {
            keys = dcs.cloud.keys(&target).await.unwrap_or(0);
            if let Some(statistics) = dcs.cloud.statistics(&target) {
                kbps = statistics.input_bytes_per_s as f64 * 8.0 / 1000.0;
                commands = statistics.commands;
            }
        }
        let percent = if migration.state == State::Succeeded { 100 } else { progress.percent };
        Ok(Reply::ok(json!({
            "full_migration_progress": percent.to_string(),
            "offset": progress.offset.to_string(),
            "source_dbsize": progress.source_keys.unwrap_or(0).to_string(),
            "target_dbsize": keys.to_string(),
            "target_input_kbps": format!("{kbps:.2}"),
            "target_ops": commands.to_string(),
            "is_migrating": migration.state.is_at_work(),
        })))
    })
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::Info => "info",
        Level::Warning => "warning",
        Level::Error => "error",
    }
}
