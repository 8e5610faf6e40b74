//! Migrations: begun, shown, ended, forgotten.
//!
//! The states that stand for resources of a migration's own (`MIGRATION_SUCCESS`, `RELEASED` and others) do not occur: there
//! are none. Addresses are not exchanged.

use cloud::engine::Engine;
use cloud::identity::Secret;
use cloud::instance::Access;
use cloud::migration::{From, Level, Migration, State};
use cloud::{MigrationError, MigrationOrder, Pending};
use http::StatusCode;
use operation::schema::{FIELD, Field, Fields, Integer, Kind, Need, TEXT, Text};
use operation::{Answer, ErrorCode, Failure, Method, Operation, Reply, Route};
use serde_json::{Value, json};

use super::{V2_PROJECT, reference};
use crate::code;
use crate::dcs::Dcs;
use crate::endpoint::Request;
use crate::field::{
    CALLER_ERRORS, OFFSET, PROJECT_ERRORS, PROJECT_ID, boolean, integer, limit, list as list_field, object,
    page, text, text_or_null,
};
use crate::time;

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

/// Where keys come from: an instance, or servers elsewhere.
const SOURCE: &[Field] = &[
    field("id", "The id of an instance."),
    field("name", "The name of the instance."),
    field("addrs", "The addresses of servers, with ports, separated by commas."),
    field("password", "The password."),
];

/// Where they go to: an instance.
const TARGET: &[Field] = &[
    Field { need: Need::Required, ..field("id", "The id of the instance.") },
    field("name", "The name of the instance."),
    field("addrs", "The address of the instance, which its id tells as well."),
    field("password", "The password, if it has one."),
];

/// An instance or servers as they are shown.
const PLACE: &[Field] = &[
    text_or_null("id", "The id of the instance."),
    text_or_null("name", "The name of the instance."),
    text_or_null("addrs", "The addresses, with ports, separated by commas."),
    text_or_null("ip", "The host of the first address."),
    text_or_null("port", "The port of the first address."),
    text("task_status", "How far the migration is."),
];

const FILES: &[Field] = &[
    Field {
        kind: Kind::Text(Text { one_of: &["self_build_obs", "backup_record"], ..TEXT }),
        ..field("file_source", "self_build_obs, which is a bucket, or backup_record, which is a backup.")
    },
    field("bucket_name", "The bucket."),
    field("backup_id", "The id of the backup."),
    Field {
        kind: Kind::List {
            of: &Kind::Object(&[
                Field { need: Need::Required, ..field("file_name", "The name of the file.") },
                field("size", "The size of the file, in bytes."),
                field("update_at", "When the file was last modified."),
            ]),
            min_items: 0,
        },
        ..field("files", "The files, in the order in which they are imported.")
    },
];

/// What is answered where a migration has begun.
const BEGUN: &[Field] = &[
    text("id", "The id of the migration."),
    text("name", "What it is called."),
    text("status", "How far it is."),
];

/// A migration in full.
const SHOWN: &[Field] = &[
    text("task_id", "The id of the migration."),
    text("task_name", "What it is called."),
    text_or_null("description", "What its owner says about it."),
    text("status", "How far it is."),
    text("task_status", "The same."),
    text("migration_type", "backupfile_import or online_migration."),
    text("migration_method", "full_amount_migration or incremental_migration."),
    text_or_null("ecs_tenant_private_ip", "Null: a migration has no server of its own."),
    text_or_null("network_type", "As it came."),
    Field {
        need: Need::Nullable,
        ..object(
            "backup_files",
            &[
                text_or_null("file_source", "As it came."),
                text_or_null("bucket_name", "As it came."),
                text_or_null("backup_id", "As it came."),
                list_field(
                    "files",
                    &Kind::Object(&[
                        text("file_name", "The name of the file."),
                        text_or_null("size", "As it came."),
                        text_or_null("update_at", "As it came."),
                    ]),
                    "The files.",
                ),
            ],
            "What is imported.",
        )
    },
    Field { need: Need::Nullable, ..object("source_instance", PLACE, "What is copied.") },
    Field { need: Need::Nullable, ..object("target_instance", PLACE, "Where it is copied to.") },
    text("created_at", "When it was asked for, in UTC."),
    text("updated_at", "When it last changed, in UTC."),
    text_or_null("released_at", "Null: there is nothing to release."),
    text("version", "The version of the interface."),
    text("resume_mode", "auto or manual."),
    list_field("supported_features", &Kind::Text(TEXT), "Nothing."),
    text_or_null("tenant_vpc_id", "As it came."),
    text_or_null("tenant_subnet_id", "As it came."),
    text_or_null("tenant_security_group_id", "As it came."),
    text_or_null("bandwidth_limit_mb", "What may be read in a second, in MB."),
];

/// A migration in a list.
const LISTED: &[Field] = &[
    text("task_id", "The id of the migration."),
    text("task_name", "What it is called."),
    text("status", "How far it is."),
    text("migration_type", "backupfile_import or online_migration."),
    text("migration_method", "full_amount_migration or incremental_migration."),
    text_or_null("ecs_tenant_private_ip", "Null."),
    text_or_null("data_source", "The addresses or the bucket."),
    text_or_null("source_instance_name", "The name of the instance that is copied."),
    text_or_null("source_instance_id", "The id of the instance that is copied."),
    text_or_null("target_instance_addrs", "The address of the instance that is filled."),
    text_or_null("target_instance_name", "The name of the instance that is filled."),
    text_or_null("target_instance_id", "The id of the instance that is filled."),
    text("created_at", "When it was asked for, in UTC."),
    text_or_null("description", "What its owner says about it."),
    text_or_null("source_instance_subnet_id", "The subnet of the instance that is copied."),
    text_or_null("target_instance_subnet_id", "The subnet of the instance that is filled."),
    text_or_null("source_instance_spec_code", "The specification of the instance that is copied."),
    text_or_null("target_instance_spec_code", "The specification of the instance that is filled."),
    text_or_null("source_instance_status", "The state of the instance that is copied."),
    text_or_null("target_instance_status", "The state of the instance that is filled."),
    text_or_null("error_message", "Why it failed."),
    text_or_null("released_at", "Null."),
    text("version", "The version of the interface."),
    text("resume_mode", "auto or manual."),
    list_field("supported_features", &Kind::Text(TEXT), "Nothing."),
];

const NAMED: &[Field] = &[
    text("result", "success or failed."),
    text("task_id", "The id of the migration."),
    text_or_null("error_code", "Why not."),
    text_or_null("error_msg", "Why not."),
];

pub(crate) static CREATE: Operation = Operation {
    id: "CreateMigrationTask",
    summary: "Copies keys into an instance, from files or from servers that speak Redis.",
    route: Route::Path { method: Method::Post, template: "/v2/{project_id}/migration-task" },
    body: Some(&[
        Field {
            kind: Kind::Text(Text { min_chars: 1, ..TEXT }),
            need: Need::Required,
            ..field("task_name", "What it is called.")
        },
        field("description", "What its owner says about it."),
        Field {
            kind: Kind::Text(Text { one_of: &["backupfile_import", "online_migration"], ..TEXT }),
            need: Need::Required,
            ..field("migration_type", "backupfile_import or online_migration.")
        },
        METHOD,
        Field { kind: Kind::Object(FILES), ..field("backup_files", "What is imported.") },
        Field {
            kind: Kind::Text(Text { one_of: &["vpc", "vpn"], ..TEXT }),
            ..field("network_type", "vpc or vpn; without effect.")
        },
        Field { kind: Kind::Object(SOURCE), ..field("source_instance", "What is copied.") },
        Field {
            kind: Kind::Object(TARGET),
            need: Need::Required,
            ..field("target_instance", "Where it is copied to.")
        },
    ]),
    answers: &[Answer { status: 200, about: "It has begun.", body: Some(BEGUN) }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, BEGIN_ERRORS, &[&code::EMPTY_BODY, &code::NOT_SAVED]],
    source: crate::field::reference("7.1"),
    ..BASE
}
.checked();

pub(crate) static CREATE_ONLINE: Operation = Operation {
    id: "CreateOnlineMigrationTask",
    summary: "Makes a migration that is told later what it copies.",
    route: Route::Path { method: Method::Post, template: "/v2/{project_id}/migration/instance" },
    body: Some(&[
        Field {
            kind: Kind::Text(Text { min_chars: 1, ..TEXT }),
            need: Need::Required,
            ..field("name", "What it is called.")
        },
        field("description", "What its owner says about it."),
        field("vpc_id", "The virtual private cloud; without effect."),
        field("subnet_id", "The subnet; without effect."),
        field("security_group_id", "The security group; without effect."),
    ]),
    answers: &[Answer {
        status: 200,
        about: "It waits.",
        body: Some(&[text("instance_id", "The id of the migration.")]),
    }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, &[&code::EMPTY_BODY, &code::NOT_SAVED]],
    source: reference("Creating an Online Migration Task"),
    ..BASE
}
.checked();

pub(crate) static SET_ONLINE: Operation = Operation {
    id: "SetOnlineMigrationTask",
    summary: "Says what a migration copies, which begins.",
    route: Route::Path { method: Method::Post, template: "/v2/{project_id}/migration/{task_id}/task" },
    path: &[PROJECT_ID, TASK_ID],
    body: Some(&[
        METHOD,
        RESUME,
        Field {
            kind: Kind::Integer(Integer { min: 1, max: 10_241, or_text: true }),
            ..field("bandwidth_limit_mb", "What may be read in a second, in MB.")
        },
        Field {
            kind: Kind::Object(SOURCE),
            need: Need::Required,
            ..field("source_instance", "What is copied.")
        },
        Field {
            kind: Kind::Object(TARGET),
            need: Need::Required,
            ..field("target_instance", "Where it is copied to.")
        },
    ]),
    answers: &[Answer { status: 200, about: "It has begun.", body: Some(BEGUN) }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, BEGIN_ERRORS, STATE_ERRORS, &[&code::EMPTY_BODY]],
    source: reference("Configuring an Online Migration Task"),
    ..BASE
}
.checked();

pub(crate) static LIST: Operation = Operation {
    id: "ListMigrationTask",
    summary: "Lists the migrations of a project, the latest first.",
    route: Route::Path { method: Method::Get, template: "/v2/{project_id}/migration-tasks" },
    query: &[
        OFFSET,
        limit(1000, "How many migrations a page has at most. 10 if left out."),
        field("name", "The name, or a part of it."),
    ],
    answers: &[Answer {
        status: 200,
        about: "One page of the migrations.",
        body: Some(&[
            integer("count", "How many migrations there are on all pages."),
            list_field("migration_tasks", &Kind::Object(LISTED), "The migrations of the page."),
        ]),
    }],
    source: reference("Listing Migration Tasks"),
    ..BASE
}
.checked();

pub(crate) static SHOW: Operation = Operation {
    id: "ShowMigrationTask",
    summary: "Shows a migration.",
    route: Route::Path { method: Method::Get, template: "/v2/{project_id}/migration-task/{task_id}" },
    path: &[PROJECT_ID, TASK_ID],
    answers: &[Answer { status: 200, about: "The migration.", body: Some(SHOWN) }],
    source: reference("Querying Migration Task Details"),
    ..BASE
}
.checked();

pub(crate) static UPDATE: Operation = Operation {
    id: "UpdateMigrationTask",
    summary: "Says whether a migration begins again by itself when the program has been started again.",
    route: Route::Path { method: Method::Put, template: "/v2/{project_id}/migration-task/{task_id}" },
    path: &[PROJECT_ID, TASK_ID],
    body: Some(&[Field { need: Need::Required, ..RESUME }]),
    answers: &[Answer { status: 200, about: "It is so.", body: Some(&[text("result", "success.")]) }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, &[&code::EMPTY_BODY, &code::NOT_SAVED]],
    source: reference("Modifying a Migration Task"),
    ..BASE
}
.checked();

pub(crate) static STOP: Operation = Operation {
    id: "StopMigrationTask",
    summary: "Ends a migration.",
    route: Route::Path { method: Method::Post, template: "/v2/{project_id}/migration-task/{task_id}/stop" },
    path: &[PROJECT_ID, TASK_ID],
    answers: &[Answer { status: 200, about: "It has ended.", body: Some(SHOWN) }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, STATE_ERRORS],
    source: reference("Stopping a Migration Task"),
    ..BASE
}
.checked();

pub(crate) static STOP_SYNC: Operation = Operation {
    id: "StopMigrationTaskSync",
    summary: "Ends a migration.",
    route: Route::Path {
        method: Method::Post,
        template: "/v2/{project_id}/migration-task/{task_id}/sync-stop",
    },
    path: &[PROJECT_ID, TASK_ID],
    answers: &[Answer { status: 204, about: "It has ended.", body: None }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, STATE_ERRORS],
    source: reference("Stopping a Migration Task Synchronously"),
    ..BASE
}
.checked();

const IDS: Field = Field {
    kind: Kind::List { of: &Kind::Text(TEXT), min_items: 1 },
    need: Need::Required,
    ..field("migration_tasks", "The ids of the migrations.")
};

const RESULTS: &[Field] = &[list_field(
    "migration_tasks",
    &Kind::Object(NAMED),
    "An item for each migration, in the order of the request.",
)];

pub(crate) static BATCH_STOP: Operation = Operation {
    id: "BatchStopMigrationTasks",
    summary: "Ends several migrations.",
    route: Route::Path { method: Method::Post, template: "/v2/{project_id}/migration-task/batch-stop" },
    body: Some(&[IDS]),
    answers: &[Answer { status: 200, about: "What became of each.", body: Some(RESULTS) }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, &[&code::EMPTY_BODY]],
    source: reference("Stopping Migration Tasks in Batches"),
    ..BASE
}
.checked();

pub(crate) static BATCH_RESTART: Operation = Operation {
    id: "BatchRestartOnlineMigrationTasks",
    summary: "Begins several migrations again.",
    route: Route::Path { method: Method::Post, template: "/v2/{project_id}/migration-tasks/batch-restart" },
    body: Some(&[IDS]),
    answers: &[Answer { status: 200, about: "What became of each.", body: Some(RESULTS) }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, &[&code::EMPTY_BODY]],
    source: reference("Restarting Online Migration Tasks in Batches"),
    ..BASE
}
.checked();

pub(crate) static DELETE: Operation = Operation {
    id: "DeleteMigrationTask",
    summary: "Forgets migrations that are over.",
    route: Route::Path { method: Method::Delete, template: "/v2/{project_id}/migration-tasks/delete" },
    body: Some(&[Field { name: "task_id_list", ..IDS }]),
    answers: &[Answer {
        status: 200,
        about: "They are forgotten.",
        body: Some(&[list_field("task_id_list", &Kind::Text(TEXT), "The ids of the migrations.")]),
    }],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, STATE_ERRORS, &[&code::EMPTY_BODY]],
    source: reference("Deleting Migration Tasks"),
    ..BASE
}
.checked();

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

pub(super) fn create<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let body = &request.body;
        let from = match body.text("migration_type") {
            Some("backupfile_import") => files(body)?,
            _ => place(dcs, &request, body.object("source_instance"), "source_instance")?,
        };
        let order = MigrationOrder {
            name: body.text("task_name").unwrap_or_default().to_owned(),
            description: body.text("description").map(str::to_owned),
            from: Some(from),
            target_id: Some(target(dcs, &request)?),
            follows: body.text("migration_method") == Some("incremental_migration")
                && body.text("migration_type") == Some("online_migration"),
            resumes: true,
            bandwidth_mb: None,
            request: kept(&request),
        };
        begun(dcs.cloud.migrate(request.project_id(), order).await)
    })
}

pub(super) fn create_online<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let order = MigrationOrder {
            name: request.body.text("name").unwrap_or_default().to_owned(),
            description: request.body.text("description").map(str::to_owned),
            resumes: true,
            request: kept(&request),
            ..MigrationOrder::default()
        };
        let made = dcs.cloud.migrate(request.project_id(), order).await.map_err(|error| refused(&error))?;
        Ok(Reply::ok(json!({"instance_id": made.id})))
    })
}

pub(super) fn set_online<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let body = &request.body;
        let bandwidth = body.integer("bandwidth_limit_mb").and_then(|mb| u64::try_from(mb).ok());
        let order = MigrationOrder {
            from: Some(place(dcs, &request, body.object("source_instance"), "source_instance")?),
            target_id: Some(target(dcs, &request)?),
            follows: body.text("migration_method") == Some("incremental_migration"),
            resumes: body.text("resume_mode") != Some("manual"),
            bandwidth_mb: bandwidth,
            request: also_kept(&*named(dcs, &request)?, &request),
            ..MigrationOrder::default()
        };
        let id = request.call.parameter("task_id");
        begun(dcs.cloud.configure_migration(request.project_id(), id, order).await)
    })
}

pub(super) fn list<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let mut all = dcs.cloud.migrations(request.project_id());
        if let Some(name) = request.query.text("name") {
            all.retain(|migration| migration.name.contains(name));
        }
        all.reverse();
        let count = all.len();
        let shown: Vec<Value> =
            page(all, &request.query).map(|migration| listed(dcs, &request, &migration)).collect();
        Ok(Reply::ok(json!({"count": count, "migration_tasks": shown})))
    })
}

pub(super) fn show<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move { Ok(Reply::ok(shown(dcs, &request, &*named(dcs, &request)?))) })
}

pub(super) fn update<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let resumes = request.body.text("resume_mode") != Some("manual");
        let id = request.call.parameter("task_id");
        let changed = dcs.cloud.set_migration_resumes(request.project_id(), id, resumes).await;
        changed.map_err(|error| refused(&error))?;
        Ok(Reply::ok(json!({"result": "success"})))
    })
}

pub(super) fn stop<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let id = request.call.parameter("task_id");
        let stopped = dcs.cloud.stop_migration(request.project_id(), id).await;
        let stopped = stopped.map_err(|error| refused(&error))?;
        Ok(Reply::ok(shown(dcs, &request, &stopped)))
    })
}

pub(super) fn stop_sync<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let id = request.call.parameter("task_id");
        let stopped = dcs.cloud.stop_migration(request.project_id(), id).await;
        stopped.map_err(|error| refused(&error))?;
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    })
}

pub(super) fn batch_stop<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let mut results = Vec::new();
        for id in request.body.texts("migration_tasks") {
            results.push(result(id, dcs.cloud.stop_migration(request.project_id(), id).await));
        }
        Ok(Reply::ok(json!({"migration_tasks": results})))
    })
}

pub(super) fn batch_restart<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let mut results = Vec::new();
        for id in request.body.texts("migration_tasks") {
            results.push(result(id, dcs.cloud.restart_migration(request.project_id(), id).await));
        }
        Ok(Reply::ok(json!({"migration_tasks": results})))
    })
}

pub(super) fn delete<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let ids: Vec<String> = request.body.texts("task_id_list").map(str::to_owned).collect();
        let forgotten = dcs.cloud.forget_migrations(request.project_id(), &ids).await;
        forgotten.map_err(|error| refused(&error))?;
        Ok(Reply::ok(json!({"task_id_list": ids})))
    })
}

pub(super) fn logs<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
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

pub(super) fn stats<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
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

/// The migration that a path names.
fn named(dcs: &Dcs, request: &Request<'_>) -> Result<std::sync::Arc<Migration>, Failure> {
    let found = dcs.cloud.migration(request.project_id(), request.call.parameter("task_id"));
    found.ok_or_else(|| (&code::TASK_ID).into())
}

fn begun(outcome: Result<std::sync::Arc<Migration>, MigrationError>) -> Result<Reply, Failure> {
    let migration = outcome.map_err(|error| refused(&error))?;
    Ok(Reply::ok(json!({"id": migration.id, "name": migration.name, "status": status(migration.state)})))
}

fn result(id: &str, outcome: Result<std::sync::Arc<Migration>, MigrationError>) -> Value {
    let failure = outcome.err().map(|error| refused(&error));
    json!({
        "result": if failure.is_none() { "success" } else { "failed" },
        "task_id": id,
        "error_code": failure.as_ref().map(|failure| failure.code.code),
        "error_msg": failure.as_ref().map(Failure::message),
    })
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

/// The files that are to be imported.
fn files(body: &Fields<'_>) -> Result<From, Failure> {
    let files = body.object("backup_files").ok_or_else(|| code::PARAMETER.of("backup_files"))?;
    if files.text("file_source") == Some("backup_record") {
        let id = files.text("backup_id").ok_or_else(|| code::PARAMETER.of("backup_id"))?;
        return Ok(From::Backup { id: id.to_owned() });
    }
    let bucket = files.text("bucket_name").ok_or_else(|| code::PARAMETER.of("bucket_name"))?.to_owned();
    let names = files.objects("files").filter_map(|file| file.text("file_name").map(str::to_owned));
    let names: Vec<String> = names.collect();
    if names.is_empty() {
        Err(code::PARAMETER.of("files"))
    } else {
        Ok(From::Bucket { bucket, files: names })
    }
}

/// Servers, or an instance of the project.
fn place(
    dcs: &Dcs,
    request: &Request<'_>,
    place: Option<Fields<'_>>,
    name: &'static str,
) -> Result<From, Failure> {
    let place = place.ok_or_else(|| code::PARAMETER.of(name))?;
    if let Some(addresses) = place.text("addrs") {
        let address = |text: &str| {
            let (host, port) = text.trim().rsplit_once(':')?;
            let host = host.trim_start_matches('[').trim_end_matches(']');
            Some((host.to_owned(), port.parse::<u16>().ok().filter(|port| *port > 0)?))
        };
        let addresses: Option<Vec<_>> = addresses.split(',').map(address).collect();
        let addresses = addresses.ok_or_else(|| code::PARAMETER.of("addrs"))?;
        return Ok(From::Servers { addresses, password: place.text("password").map(Secret::new) });
    }
    Ok(From::Instance { id: instance(dcs, request, &place, name)? })
}

/// The instance that a place means. If a password is sent it must be right.
fn instance(
    dcs: &Dcs,
    request: &Request<'_>,
    place: &Fields<'_>,
    name: &'static str,
) -> Result<String, Failure> {
    let id = place.text("id").ok_or_else(|| code::PARAMETER.of(name))?;
    let instance = dcs.cloud.instance(request.project_id(), id).ok_or(&code::UNKNOWN_INSTANCE)?;
    if instance.engine == Engine::Memcached {
        return Err((&code::ENGINE).into());
    }
    match (&instance.access, place.text("password")) {
        (Access::Password(own), Some(sent)) if !own.is(sent) => Err((&code::OTHER_PASSWORD).into()),
        _ => Ok(id.to_owned()),
    }
}

/// The instance that keys are copied into. Its password must be sent, if it has one (table 7-6).
fn target(dcs: &Dcs, request: &Request<'_>) -> Result<String, Failure> {
    let target =
        request.body.object("target_instance").ok_or_else(|| code::PARAMETER.of("target_instance"))?;
    let id = instance(dcs, request, &target, "target_instance")?;
    let found = dcs.cloud.instance(request.project_id(), &id).ok_or(&code::UNKNOWN_INSTANCE)?;
    match found.access {
        Access::Password(_) if target.text("password").is_none() => Err((&code::OTHER_PASSWORD).into()),
        _ => Ok(id),
    }
}

/// What is kept of a request, to be shown again: all but passwords.
fn kept(request: &Request<'_>) -> String {
    let mut kept: Value = serde_json::from_slice(&request.call.body).unwrap_or_default();
    for place in ["source_instance", "target_instance"] {
        if let Some(place) = kept.get_mut(place).and_then(Value::as_object_mut) {
            place.remove("password");
        }
    }
    kept.to_string()
}

/// The same of a request that says more about a migration: what was kept before and is not said again stays.
fn also_kept(migration: &Migration, request: &Request<'_>) -> String {
    let read = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
    let (mut all, new) = (read(&migration.request), read(&kept(request)));
    if let (Some(all), Value::Object(new)) = (all.as_object_mut(), new) {
        all.extend(new);
    }
    all.to_string()
}

fn status(state: State) -> &'static str {
    match state {
        State::Waiting => "RUNNING",
        State::Running => "MIGRATING",
        State::Full => "FULLMIGRATING",
        State::Following => "INCRMIGEATING",
        State::Stopping => "TERMINATING",
        State::Stopped => "TERMINATED",
        State::Succeeded => "SUCCESS",
        State::Failed => "FAILED",
    }
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::Info => "info",
        Level::Warning => "warning",
        Level::Error => "error",
    }
}

fn kind(migration: &Migration) -> &'static str {
    match migration.from {
        Some(From::Bucket { .. } | From::Backup { .. }) => "backupfile_import",
        Some(From::Servers { .. } | From::Instance { .. }) | None => "online_migration",
    }
}

fn method(migration: &Migration, request: &Value) -> Value {
    match request["migration_method"].as_str() {
        Some(method) => method.into(),
        None if migration.follows => "incremental_migration".into(),
        None => "full_amount_migration".into(),
    }
}

/// The address of an instance, as this client reaches it.
fn address_of(dcs: &Dcs, request: &Request<'_>, id: Option<&str>) -> Option<String> {
    let instance = dcs.cloud.instance(request.project_id(), id?)?;
    Some(format!("{}:{}", dcs.cloud.host_for(request.call.local), instance.port?))
}

fn shown(dcs: &Dcs, request: &Request<'_>, migration: &Migration) -> Value {
    let sent: Value = serde_json::from_str(&migration.request).unwrap_or_default();
    let text = |value: &Value| value.as_str().map_or(Value::Null, Into::into);
    let files = sent["backup_files"].as_object().map(|files| {
        let all = files.get("files").and_then(Value::as_array).cloned().unwrap_or_default();
        let all: Vec<Value> = all
            .iter()
            .map(|file| {
                json!({
                    "file_name": file["file_name"].as_str().unwrap_or_default(),
                    "size": text(&file["size"]),
                    "update_at": text(&file["update_at"]),
                })
            })
            .collect();
        let of = |name: &str| files.get(name).map_or(Value::Null, text);
        json!({
            "file_source": of("file_source"),
            "bucket_name": of("bucket_name"),
            "backup_id": of("backup_id"),
            "files": all,
        })
    });
    let source = sent["source_instance"].as_object().map(|_| {
        let source = &sent["source_instance"];
        let id = source["id"].as_str();
        let addresses = source["addrs"].as_str().map(str::to_owned);
        let addresses = addresses.or_else(|| address_of(dcs, request, id));
        place_shown(id, source["name"].as_str(), addresses, migration)
    });
    let target = migration.target_id.as_deref().map(|id| {
        let address = address_of(dcs, request, Some(id));
        place_shown(Some(id), migration.target_name.as_deref(), address, migration)
    });
    json!({
        "task_id": migration.id,
        "task_name": migration.name,
        "description": migration.description,
        "status": status(migration.state),
        "task_status": status(migration.state),
        "migration_type": kind(migration),
        "migration_method": method(migration, &sent),
        "ecs_tenant_private_ip": null,
        "network_type": text(&sent["network_type"]),
        "backup_files": files,
        "source_instance": source,
        "target_instance": target,
        "created_at": time::with_millis(migration.created_at_ms),
        "updated_at": time::with_millis(migration.updated_at_ms),
        "released_at": null,
        "version": "2.0",
        "resume_mode": resume_mode(migration),
        "supported_features": [],
        "tenant_vpc_id": text(&sent["vpc_id"]),
        "tenant_subnet_id": text(&sent["subnet_id"]),
        "tenant_security_group_id": text(&sent["security_group_id"]),
        "bandwidth_limit_mb": migration.bandwidth_mb.map(|mb| mb.to_string()),
    })
}

/// An instance or servers as [`PLACE`] declares them.
fn place_shown(
    id: Option<&str>,
    name: Option<&str>,
    addresses: Option<String>,
    migration: &Migration,
) -> Value {
    let first = addresses.as_deref().and_then(|all| all.split(',').next()?.trim().rsplit_once(':'));
    json!({
        "id": id,
        "name": name,
        "addrs": addresses,
        "ip": first.map(|(host, _)| host),
        "port": first.map(|(_, port)| port),
        "task_status": status(migration.state),
    })
}

fn resume_mode(migration: &Migration) -> &'static str {
    if migration.resumes { "auto" } else { "manual" }
}

fn listed(dcs: &Dcs, request: &Request<'_>, migration: &Migration) -> Value {
    let sent: Value = serde_json::from_str(&migration.request).unwrap_or_default();
    let instance = |id: &str| dcs.cloud.instance(request.project_id(), id);
    let source = match &migration.from {
        Some(From::Instance { id }) => instance(id),
        _ => None,
    };
    let data_source = match &migration.from {
        Some(From::Servers { addresses, .. }) => {
            let all: Vec<_> = addresses.iter().map(|(host, port)| format!("{host}:{port}")).collect();
            Some(all.join(","))
        }
        Some(From::Bucket { bucket, .. }) => Some(bucket.clone()),
        Some(From::Backup { id }) => Some(id.clone()),
        Some(From::Instance { id }) => address_of(dcs, request, Some(id)),
        None => None,
    };
    let target = migration.target_id.as_deref().and_then(instance);
    let errors = dcs.cloud.migration_progress(migration).lines;
    let error = errors.iter().rev().find(|line| line.level == Level::Error).map(|line| line.text.clone());
    json!({
        "task_id": migration.id,
        "task_name": migration.name,
        "status": status(migration.state),
        "migration_type": kind(migration),
        "migration_method": method(migration, &sent),
        "ecs_tenant_private_ip": null,
        "data_source": data_source,
        "source_instance_name": source.as_ref().map(|source| source.name.clone()),
        "source_instance_id": source.as_ref().map(|source| source.id.clone()),
        "target_instance_addrs": address_of(dcs, request, migration.target_id.as_deref()),
        "target_instance_name": migration.target_name,
        "target_instance_id": migration.target_id,
        "created_at": time::with_millis(migration.created_at_ms),
        "description": migration.description,
        "source_instance_subnet_id": source.as_ref().map(|source| &source.network.subnet_id),
        "target_instance_subnet_id": target.as_ref().map(|target| &target.network.subnet_id),
        "source_instance_spec_code": source.as_ref().map(|source| &source.spec_code),
        "target_instance_spec_code": target.as_ref().map(|target| &target.spec_code),
        "source_instance_status": source.map(|source| source.status.name()),
        "target_instance_status": target.map(|target| target.status.name()),
        "error_message": error.filter(|_| migration.state == State::Failed),
        "released_at": null,
        "version": "2.0",
        "resume_mode": resume_mode(migration),
        "supported_features": [],
    })
}
