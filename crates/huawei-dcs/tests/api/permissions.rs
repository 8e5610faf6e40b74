//! Who may do what, for every operation: policies, tenants that only read, other projects, and no credentials at all.

use crate::world::{PROJECT, Setup, World, directory, order};
use cloud::identity::Secret;
use cloud::policy::{Effect, Rights, Statement};
use operation::{Access, Operation, Route};
use serde_json::{Value, json};

/// The actions of table 11-1, each with its interface; the table names none for the last four.
fn actions() -> impl Iterator<Item = (&'static str, &'static str)> {
    include_str!("../data/actions.tsv").lines().map(|row| row.split_once('\t').unwrap())
}

/// What stands for an interface where the table says that there is none.
const NONE: &str = "-";

/// The operations on projects, each with its method and template.
fn operations() -> Vec<(&'static Operation, String)> {
    let all = huawei_dcs::operations().into_iter().flat_map(|(_, operations)| operations);
    let on_projects = all.filter(|operation| operation.access == Access::Project);
    on_projects
        .filter_map(|operation| match operation.route {
            Route::Path { method, template } => Some((operation, format!("{} {template}", method.name()))),
            Route::Action { .. } => None,
        })
        .collect()
}

/// A line that asks for a template, with an id for each of its places.
fn line(template: &str, project_id: &str) -> String {
    let mut line = template.replace("{project_id}", project_id);
    while let (Some(from), Some(to)) = (line.find('{'), line.find('}')) {
        line.replace_range(from..=to, "00000000-0000-4000-8000-000000000000");
    }
    line
}

fn rights(statements: &[(Effect, &str)], read_only: bool) -> Rights {
    let statement = |(effect, action): &(Effect, &str)| Statement::of(*effect, vec![(*action).to_owned()]);
    Rights { statements: statements.iter().map(statement).collect(), read_only }
}

async fn world(rights: Rights) -> World {
    World::with(Setup { rights, ..Setup::default() }).await
}

#[test]
fn each_action_of_the_table_is_asked_for_where_the_table_says() {
    assert_eq!(actions().count(), 21);
    for (action, template) in actions() {
        if template == NONE {
            // Those of v2 ask for it.
            let asks = |(operation, _): &(&Operation, String)| operation.permission == Some(action);
            assert!(operations().iter().any(asks), "{action}");
            continue;
        }
        let found = operations().into_iter().find(|(_, own)| own == template);
        assert_eq!(found.map(|(operation, _)| operation.permission), Some(Some(action)), "{template}");
    }
}

#[tokio::test]
async fn without_a_policy_nothing_may_be_done_that_asks_for_one() {
    let nothing = world(rights(&[], false)).await;
    let denied = world(rights(&[(Effect::Allow, "*:*:*"), (Effect::Deny, "dcs:*:*")], false)).await;
    for (operation, template) in operations() {
        let Some(action) = operation.permission else { continue };
        for world in [&nothing, &denied] {
            let answered = world.call(&line(&template, PROJECT), &Value::Null).await;
            assert_eq!(
                (answered.status, &answered.body["error_code"]),
                (403, &json!("DCS.2007")),
                "{template}"
            );
            let message = format!("Policy does not allow {action} to be performed.");
            assert_eq!(answered.body["error_msg"], message, "{template}");
            if template.contains("/v1.0/") {
                assert_eq!(answered.body["error"]["code"], "111403003", "{template}");
            }
        }
    }
}

#[tokio::test]
async fn the_action_of_an_operation_is_enough_for_it() {
    for (action, template) in actions().filter(|(_, template)| *template != NONE) {
        let world = world(rights(&[(Effect::Allow, action)], false)).await;
        let answered = world.call(&line(template, PROJECT), &Value::Null).await;
        assert_ne!(answered.status, 403, "{template}");
        let (create, list) = ("POST /v1.0/{project_id}/instances", "GET /v1.0/{project_id}/instances");
        let other = if action == "dcs:instance:list" { create } else { list };
        assert_eq!(world.call(&line(other, PROJECT), &Value::Null).await.status, 403, "{action} for {other}");
    }
}

#[tokio::test]
async fn a_tenant_that_only_reads_changes_nothing() {
    let world = world(rights(&[(Effect::Allow, "*:*:*")], true)).await;
    for (operation, template) in operations() {
        if operation.permission.is_none() {
            continue;
        }
        let answered = world.call(&line(&template, PROJECT), &Value::Null).await;
        let is_refused = answered.status == 403;
        assert_eq!(is_refused, operation.changes(), "{template}");
        if is_refused {
            assert_eq!(answered.body["error_code"], "DCS.3002", "{template}");
        }
    }
}

#[tokio::test]
async fn a_token_is_for_its_project_alone() {
    let world = World::new().await;
    let other = "fedcba9876543210fedcba9876543210";
    for (_, template) in operations() {
        let answered = world.call(&line(&template, other), &Value::Null).await;
        assert_eq!((answered.status, &answered.body["error_code"]), (401, &json!("DCS.1004")), "{template}");
    }
}

#[tokio::test]
async fn without_a_proof_nobody_does_anything() {
    let world = World::new().await;
    for (_, template) in operations() {
        let answered = world.ask(&line(&template, PROJECT), &[], "").await;
        assert_eq!((answered.status, &answered.body["error_code"]), (401, &json!("DCS.1003")), "{template}");
    }
}

#[tokio::test]
async fn where_credentials_are_not_looked_at_anybody_may_do_anything_in_any_project() {
    let mut open = directory(Rights::everything());
    open.is_open = true;
    let world = World::in_directory(open, Setup::default()).await;
    let other = "fedcba9876543210fedcba9876543210";
    for headers in
        [&[][..], &[("x-auth-token", "nonsense")], &[("authorization", "SDK-HMAC-SHA256 Access=X")]]
    {
        for project in [PROJECT, other] {
            let answered = world.ask(&format!("GET /v1.0/{project}/instances"), headers, "").await;
            assert_eq!(answered.status, 200, "{}", answered.body);
        }
        assert_eq!(world.ask("GET /v1.0/products", headers, "").await.status, 200);
        assert_eq!(world.ask("GET /v3/projects", headers, "").await.status, 200);
    }
    let made = world.ask(&format!("POST /v1.0/{other}/instances"), &[], &order().to_string()).await;
    assert_eq!(made.status, 200, "{}", made.body);
    let list = |project: &str| format!("GET /v1.0/{project}/instances");
    assert_eq!(world.ask(&list(other), &[], "").await.body["instance_num"], 1);
    assert_eq!(world.ask(&list(PROJECT), &[], "").await.body["instance_num"], 0);
    // A client that asks for a token first gets one.
    let user = json!({"name": "nobody", "password": "x", "domain": {"name": "nowhere"}});
    let scope = json!({"project": {"name": "unknown"}});
    let token =
        json!({"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}});
    assert_eq!(world.ask("POST /v3/auth/tokens", &[], &token.to_string()).await.status, 201);
}

#[tokio::test]
async fn users_have_rights_of_their_own() {
    let mut account = directory(Rights::everything());
    let reader = rights(&[(Effect::Allow, "dcs:instance:list")], false);
    account.add_user("reader", Secret::new("reader-pass"), Vec::new(), reader);
    account.add_project("other");
    let world = World::in_directory(account, Setup::default()).await;
    let user = json!({"name": "reader", "password": "reader-pass", "domain": {"name": "demo-domain"}});
    let scope = |project: &str| {
        json!({"auth": {
            "identity": {"methods": ["password"], "password": {"user": user}},
            "scope": {"project": {"name": project}},
        }})
    };
    let token = async |project: &str| {
        let answered = world.ask("POST /v3/auth/tokens", &[], &scope(project).to_string()).await;
        assert_eq!(answered.status, 201, "{}", answered.body);
        answered.headers["x-subject-token"].to_str().unwrap().to_owned()
    };
    let own = token(crate::world::REGION).await;
    let headers = [("x-auth-token", own.as_str())];
    let list = format!("GET /v1.0/{PROJECT}/instances");
    assert_eq!(world.ask(&list, &headers, "").await.status, 200);
    let denied = world.ask(&format!("POST /v1.0/{PROJECT}/instances"), &headers, &order().to_string()).await;
    assert_eq!(denied.error(), (403, "DCS.2007".to_owned()));
    let other = token("other").await;
    let headers = [("x-auth-token", other.as_str())];
    assert_eq!(world.ask(&list, &headers, "").await.error(), (401, "DCS.1004".to_owned()));
}

/// What the rights of a user are who may do everything with these instances, and create others.
fn rights_to(ids: &[&str]) -> Rights {
    let resources = ids.iter().map(|id| format!("DCS:*:*:instance:{id}").parse().unwrap()).collect();
    let own = Statement { resources, ..Statement::of(Effect::Allow, vec!["dcs:*:*".to_owned()]) };
    Rights { statements: vec![own], read_only: false }
}

#[tokio::test]
async fn rights_may_be_to_some_instances_alone_however_a_request_names_them() {
    let (own, other) = ("00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002");
    let world = world(rights_to(&[own])).await;
    let is_denied = async |line: &str, body: Value| {
        let answered = world.call(line, &body).await;
        let is_denied = answered.status == 403;
        assert_eq!(is_denied, answered.body["error_code"] == "DCS.2007", "{line}: {}", answered.body);
        is_denied
    };
    for (operation, template) in operations().into_iter().filter(|(_, line)| line.contains("{instance_id}")) {
        if operation.permission.is_none() {
            continue;
        }
        for id in [own, other] {
            let line = line(&template.replace("{instance_id}", id), PROJECT);
            assert_eq!(is_denied(&line, json!({})).await, id == other, "{line}");
        }
    }
    for (version, flag) in [("v1.0", "allFailure"), ("v2", "all_failure")] {
        let restart = format!("PUT /{version}/{{p}}/instances/status");
        let delete = format!("DELETE /{version}/{{p}}/instances");
        for (ids, expected) in [(json!([own]), false), (json!([other]), true), (json!([own, other]), true)] {
            let body = json!({"action": "restart", "instances": ids});
            assert_eq!(is_denied(&restart, body.clone()).await, expected, "{restart} {body}");
            assert_eq!(is_denied(&delete, body.clone()).await, expected, "{delete} {body}");
        }
        assert!(is_denied(&format!("{delete}?{flag}=true"), json!({"instances": [own]})).await);
        assert!(
            is_denied(&format!("GET /{version}/{{p}}/instances"), Value::Null).await,
            "all are asked for"
        );
    }
    let migrate = "POST /v2/{p}/migration-task";
    let target = |id: &str| json!({"target_instance": {"id": id, "password": "First_Pw1"}});
    assert!(!is_denied(migrate, target(own)).await);
    assert!(is_denied(migrate, target(other)).await);
    let both = json!({"target_instance": {"id": own, "password": "First_Pw1"}, "source_instance": {"id": other, "password": "First_Pw1"}});
    assert!(is_denied(migrate, both).await);
}

#[tokio::test]
async fn a_migration_and_what_could_not_be_created_are_their_instances() {
    let mut account = directory(Rights::everything());
    let deny_all = |id: &str| {
        let resources = vec![format!("DCS:*:*:instance:{id}*").parse().unwrap()];
        let deny = Statement { resources, ..Statement::of(Effect::Deny, vec!["dcs:*:*".to_owned()]) };
        let mut statements = Rights::everything().statements;
        statements.push(deny);
        Rights { statements, read_only: false }
    };
    // Nobody knows the ids beforehand, so all that begin with a digit or a letter are denied.
    for first in "0123456789abcdef".chars() {
        account.add_user(
            &format!("not-{first}"),
            Secret::new("pw"),
            Vec::new(),
            deny_all(&first.to_string()),
        );
    }
    let world = World::in_directory(account, Setup::default()).await;
    let token = async |id: &str, world: &World| {
        let name = format!("not-{}", &id[..1]);
        let user = json!({"name": name, "password": "pw", "domain": {"name": "demo-domain"}});
        let scope = json!({"project": {"name": crate::world::REGION}});
        let identity = json!({"methods": ["password"], "password": {"user": user}});
        let body = json!({"auth": {"identity": identity, "scope": scope}}).to_string();
        let answered = world.ask("POST /v3/auth/tokens", &[], &body).await;
        answered.headers["x-subject-token"].to_str().unwrap().to_owned()
    };
    let target = world.create(json!({"name": "dcs-target", "product_id": "OTC_DCS_MS"})).await;
    let copy = json!({
        "task_name": "copy", "migration_type": "online_migration", "migration_method": "full_amount_migration",
        "source_instance": {"addrs": "127.0.0.1:1"}, "target_instance": {"id": target, "password": "First_Pw1"},
    });
    let migration = world.call("POST /v2/{p}/migration-task", &copy).await.body["id"].clone();
    let migration = migration.as_str().unwrap();
    world.nodes.be_silent(true);
    let failed = world.create(json!({"name": "dcs-failed"})).await;
    for (line, body, about) in [
        (format!("POST /v2/{PROJECT}/migration-task/{migration}/stop"), "", &target),
        (
            format!("POST /v2/{PROJECT}/migration-task/batch-stop"),
            &*json!({"migration_tasks": [migration]}).to_string(),
            &target,
        ),
        (
            format!("DELETE /v2/{PROJECT}/migration-tasks/delete"),
            &*json!({"task_id_list": [migration]}).to_string(),
            &target,
        ),
        (format!("DELETE /v1.0/{PROJECT}/instances?allFailure=true"), "", &failed),
        (format!("DELETE /v2/{PROJECT}/instances?all_failure=true"), "", &failed),
    ] {
        let token = token(about, &world).await;
        let answered = world.ask(&line, &[("x-auth-token", &token)], body).await;
        assert_eq!((answered.status, &answered.body["error_code"]), (403, &json!("DCS.2007")), "{line}");
    }
    assert_eq!(world.show(&failed).await["status"], "CREATEFAILED");
}
