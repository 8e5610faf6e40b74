//! Which instances a call is about, before it is served: rights may differ between them.
//!
//! Invariant: whatever an operation would change is here if the call names it, by its path, its body or the migration that it
//! names.
//!
//! Deliberately not here: whether any of it exists or is well formed.

use cloud::instance::Status;
use operation::schema;
use operation::{Call, Operation};
use serde_json::Value;

use crate::dcs::Dcs;

/// The ids of the instances that a call names.
pub(crate) fn instances(dcs: &Dcs, operation: &Operation, call: &Call) -> Vec<String> {
    let named = call.parameter("instance_id");
    if !named.is_empty() {
        return vec![named.to_owned()];
    }
    let project_id = call.parameter("project_id");
    if all_failed(operation, call) {
        let all = dcs.cloud.instances(project_id).into_iter();
        let failed = all.filter(|instance| instance.status == Status::CreateFailed);
        return failed.map(|instance| instance.id.clone()).collect();
    }
    let mut found = Vec::new();
    let mut add_target = |migration_id: &str| {
        let migration = dcs.cloud.migration(project_id, migration_id);
        found.extend(migration.and_then(|migration| migration.target_id.clone()));
    };
    add_target(call.parameter("task_id"));
    if operation.body.is_none() {
        return found;
    }
    let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
    let texts = |name: &str| {
        body[name].as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>()
    };
    for name in ["migration_tasks", "task_id_list"] {
        texts(name).into_iter().for_each(&mut add_target);
    }
    found.extend(texts("instances").into_iter().map(str::to_owned));
    for place in ["source_instance", "target_instance"] {
        found.extend(body[place]["id"].as_str().map(str::to_owned));
    }
    found
}

/// Whether a call is about all that could not be created.
fn all_failed(operation: &Operation, call: &Call) -> bool {
    let query = schema::check_query(operation.query, call.query());
    query.is_ok_and(|query| query.flag("allFailure") || query.flag("all_failure"))
}
