//! How migrations begin: where keys come from and go to, and the requests that say so.

use std::sync::Arc;

use cloud::engine::Engine;
use cloud::identity::Secret;
use cloud::instance::{Access, Instance};
use cloud::migration::{From, Migration};
use cloud::{MigrationOrder, Pending};
use operation::schema::{Field, Fields, Integer, Kind, Need, TEXT, Text};
use operation::{Answer, Failure, Method, Operation, Reply, Route};
use serde_json::{Value, json};

use super::{BASE, BEGIN_ERRORS, BEGUN, METHOD, RESUME, STATE_ERRORS, TASK_ID, begun, field, named, refused};
use crate::code;
use crate::dcs::Dcs;
use crate::endpoint::Request;
use crate::field::{CALLER_ERRORS, PROJECT_ERRORS, PROJECT_ID, text, text_or_null};
use crate::v2::reference;

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

pub(super) const NAMED: &[Field] = &[
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

pub(in crate::v2) fn create<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
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

pub(in crate::v2) fn create_online<'a>(
    dcs: &'a Dcs,
    request: Request<'a>,
) -> Pending<'a, Result<Reply, Failure>> {
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

pub(in crate::v2) fn set_online<'a>(
    dcs: &'a Dcs,
    request: Request<'a>,
) -> Pending<'a, Result<Reply, Failure>> {
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
    Ok(From::Instance { id: instance(dcs, request, &place, name)?.id.clone() })
}

/// The instance that a place means. If a password is sent it must be right.
fn instance(
    dcs: &Dcs,
    request: &Request<'_>,
    place: &Fields<'_>,
    name: &'static str,
) -> Result<Arc<Instance>, Failure> {
    let id = place.text("id").ok_or_else(|| code::PARAMETER.of(name))?;
    let instance = dcs.cloud.instance(request.project_id(), id).ok_or(&code::UNKNOWN_INSTANCE)?;
    if instance.engine == Engine::Memcached {
        return Err((&code::ENGINE).into());
    }
    match (&instance.access, place.text("password")) {
        (Access::Password(own), Some(sent)) if !own.is(sent) => Err((&code::OTHER_PASSWORD).into()),
        _ => Ok(instance),
    }
}

/// The instance that keys are copied into. Its password must be sent, if it has one (table 7-6).
fn target(dcs: &Dcs, request: &Request<'_>) -> Result<String, Failure> {
    let target =
        request.body.object("target_instance").ok_or_else(|| code::PARAMETER.of("target_instance"))?;
    let found = instance(dcs, request, &target, "target_instance")?;
    match found.access {
        Access::Password(_) if target.text("password").is_none() => Err((&code::OTHER_PASSWORD).into()),
        _ => Ok(found.id.clone()),
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
