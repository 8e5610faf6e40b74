//! Migrations as they are shown, one by one and in lists.

use cloud::Pending;
use cloud::migration::{From, Level, Migration, State};
use operation::schema::{Field, Kind, Need, TEXT};
use operation::{Answer, Failure, Method, Operation, Reply, Route};
use serde_json::{Value, json};

use super::{BASE, TASK_ID, field, named};
use crate::dcs::Dcs;
use crate::endpoint::Request;
use crate::field::{
    OFFSET, PROJECT_ID, integer, limit, list as list_field, object, page, text, text_or_null,
};
use crate::time;
use crate::v2::reference;

/// An instance or servers as they are shown.
const PLACE: &[Field] = &[
    text_or_null("id", "The id of the instance."),
    text_or_null("name", "The name of the instance."),
    text_or_null("addrs", "The addresses, with ports, separated by commas."),
    text_or_null("ip", "The host of the first address."),
    text_or_null("port", "The port of the first address."),
    text("task_status", "How far the migration is."),
];

/// A migration in full.
pub(super) const SHOWN: &[Field] = &[
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

pub(in crate::v2) fn list<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
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

pub(in crate::v2) fn show<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move { Ok(Reply::ok(shown(dcs, &request, &*named(dcs, &request)?))) })
}

pub(super) fn status(state: State) -> &'static str {
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

pub(super) fn shown(dcs: &Dcs, request: &Request<'_>, migration: &Migration) -> Value {
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
    let error = if migration.state == State::Failed {
        let lines = dcs.cloud.migration_progress(migration).lines;
        lines.into_iter().rev().find(|line| line.level == Level::Error).map(|line| line.text)
    } else {
        None
    };
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
        "error_message": error,
        "released_at": null,
        "version": "2.0",
        "resume_mode": resume_mode(migration),
        "supported_features": [],
    })
}
