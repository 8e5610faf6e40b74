//! Migrations: keys that are copied into instances.

use std::sync::Arc;

use cloud::migration::{Copying, Level, Line, Source};
use cloud::policy::{Effect, Rights, Statement};
use cloud::store::Store;
use serde_json::{Value, json};

use crate::world::{PROJECT, Setup, World};

const NOBODYS: &str = "00000000-0000-4000-8000-000000000000";

async fn target(world: &World) -> String {
    world.create(json!({"name": "dcs-test", "product_id": "OTC_DCS_MS"})).await
}

/// The first example of section 7.1, into this instance.
fn online(target: &str, method: &str) -> Value {
    json!({
        "task_name": "lmd-test",
        "description": "Test",
        "migration_type": "online_migration",
        "migration_method": method,
        "network_type": "vpc",
        "source_instance": {"addrs": "192.168.1.135:6379", "password": "xxxxxx"},
        "target_instance": {"name": "dcs-test", "id": target, "password": "First_Pw1"},
    })
}

/// The second example, whose end the document lacks.
fn import(target: &str, files: Value) -> Value {
    json!({
        "backup_files": {"bucket_name": "bucket-lmz", "file_source": "self_build_obs", "files": files},
        "task_name": "lmd-test",
        "migration_type": "backupfile_import",
        "migration_method": "full_amount_migration",
        "target_instance": {"id": target, "password": "First_Pw1"},
    })
}

async fn begin(world: &World, body: Value) -> String {
    let begun = world.call("POST /v2/{p}/migration-task", &body).await;
    assert_eq!(begun.status, 200, "{}", begun.body);
    let id = begun.body["id"].as_str().unwrap().to_owned();
    assert_eq!(id.len(), 32);
    assert_eq!(begun.body, json!({"id": id, "name": "lmd-test", "status": "MIGRATING"}));
    id
}

async fn show(world: &World, id: &str) -> Value {
    let shown = world.call(&format!("GET /v2/{{p}}/migration-task/{id}"), &Value::Null).await;
    assert_eq!(shown.status, 200, "{}", shown.body);
    shown.body
}

async fn until(world: &World, id: &str, status: &str) {
    for _ in 0..5_000 {
        if show(world, id).await["status"] == status {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("never {status}: {}", show(world, id).await);
}

fn copying(world: &World) -> (Source, Arc<Copying>) {
    let (_, source, copying) = world.nodes.copied().pop().unwrap();
    (source, copying)
}

fn end(copying: &Copying, outcome: Result<(), String>) {
    copying.tell(true, |progress| progress.ended = Some(outcome));
}

/// The id of an instance that nothing can be copied from or into.
async fn memcached(world: &World) -> String {
    let order = json!({
        "name": "dcs-memcached",
        "engine": "Memcached",
        "engine_version": "-",
        "product_id": "-",
        "spec_code": "dcs.memcached.master_standby",
    });
    world.create(order).await
}

#[tokio::test]
async fn a_migration_goes_through_its_states() {
    let world = World::new().await;
    let instance = target(&world).await;
    let id = begin(&world, online(&instance, "incremental_migration")).await;
    let (source, copying) = copying(&world);
    let addresses = vec![("192.168.1.135".to_owned(), 6379)];
    let password = Some("xxxxxx".to_owned());
    assert_eq!(source, Source::Servers { addresses, password, follows: true, bytes_per_s: 0 });
    copying.tell(true, |progress| (progress.percent, progress.source_keys) = (40, Some(70)));
    until(&world, &id, "FULLMIGRATING").await;
    copying.tell(true, |progress| {
        (progress.percent, progress.follows, progress.offset) = (100, true, 123);
        progress.lines.push(Line { at_ms: 1, level: Level::Warning, text: "SET a: no".to_owned() });
    });
    until(&world, &id, "INCRMIGEATING").await;
    let stats = world.call(&format!("GET /v2/{{p}}/migration-task/{id}/stats"), &Value::Null).await;
    let expected = json!({
        "full_migration_progress": "100",
        "offset": "123",
        "source_dbsize": "70",
        "target_dbsize": "7",
        "target_input_kbps": "1.60",
        "target_ops": "0",
        "is_migrating": true,
    });
    assert_eq!(stats.body, expected);
    let logs =
        world.call(&format!("GET /v2/{{p}}/migration-task/{id}/logs?log_level=warning"), &Value::Null).await;
    assert_eq!(
        (&logs.body["log_num"], &logs.body["migration_logs"][0]["message"]),
        (&json!(1), &json!("SET a: no"))
    );

    let shown = show(&world, &id).await;
    let source = json!({
        "id": null,
        "name": null,
        "addrs": "192.168.1.135:6379",
        "ip": "192.168.1.135",
        "port": "6379",
        "task_status": "INCRMIGEATING",
    });
    assert_eq!(shown["source_instance"], source);
    assert_eq!(shown["target_instance"]["addrs"], "127.0.0.1:6379");
    assert_eq!(
        (&shown["network_type"], &shown["migration_method"]),
        (&json!("vpc"), &json!("incremental_migration"))
    );
    assert!(!shown.to_string().contains("xxxxxx"), "passwords are not told");
    let delete = json!({"task_id_list": [id]});
    let busy = world.call("DELETE /v2/{p}/migration-tasks/delete", &delete).await;
    assert_eq!(busy.error_of_v2(), (400, "DCS.4017".to_owned()));

    // It ends when the data plane has seen that it is not wanted any more.
    let seen = copying.clone();
    let ends = tokio::spawn(async move {
        while seen.goes_on() {
            tokio::task::yield_now().await;
        }
        end(&seen, Err("it has been stopped".to_owned()));
    });
    let stopped = world.call(&format!("POST /v2/{{p}}/migration-task/{id}/stop"), &Value::Null).await;
    assert_eq!((stopped.status, &stopped.body["status"]), (200, &json!("TERMINATED")));
    ends.await.unwrap();
    let again = world.call(&format!("POST /v2/{{p}}/migration-task/{id}/sync-stop"), &Value::Null).await;
    assert_eq!(again.error_of_v2(), (400, "DCS.4017".to_owned()));
    let forgotten = world.call("DELETE /v2/{p}/migration-tasks/delete", &delete).await;
    assert_eq!((forgotten.status, forgotten.body), (200, delete));
    let gone = world.call(&format!("GET /v2/{{p}}/migration-task/{id}"), &Value::Null).await;
    assert_eq!(gone.error_of_v2(), (400, "DCS.4070".to_owned()));
}

#[tokio::test]
async fn files_come_from_buckets_and_from_nowhere_else() {
    let world = World::new().await;
    let instance = target(&world).await;
    let none =
        world.call("POST /v2/{p}/migration-task", &import(&instance, json!([{"file_name": "a.rdb"}]))).await;
    assert_eq!(none.error_of_v2(), (400, "DCS.4062".to_owned()), "there are no buckets");
    let directory = tempfile::tempdir().unwrap();
    let bucket = directory.path().join("buckets/bucket-lmz/folder");
    std::fs::create_dir_all(&bucket).unwrap();
    std::fs::write(bucket.join("a.rdb"), b"").unwrap();
    std::fs::write(directory.path().join("secret"), b"").unwrap();
    world.cloud.keep_buckets_in(directory.path().join("buckets"));
    for bad in ["b.rdb", "folder", "../../secret", "/etc/passwd", "folder/../../../secret"] {
        let body = import(&instance, json!([{"file_name": bad}]));
        let refused = world.call("POST /v2/{p}/migration-task", &body).await;
        assert_eq!(refused.error_of_v2(), (400, "DCS.4062".to_owned()), "{bad}");
    }
    let id = begin(&world, import(&instance, json!([{"file_name": "folder/a.rdb", "size": "0"}]))).await;
    let (source, copying) = copying(&world);
    assert_eq!(source, Source::Files(vec![bucket.join("a.rdb")]));
    copying.tell(true, |progress| progress.percent = 50);
    assert_eq!(show(&world, &id).await["status"], "MIGRATING");
    end(&copying, Ok(()));
    until(&world, &id, "SUCCESS").await;
    let shown = show(&world, &id).await;
    assert_eq!(shown["backup_files"]["files"][0]["file_name"], "folder/a.rdb");

    // A backup does as well.
    let backup = world.call(&format!("POST /v2/{{p}}/instances/{instance}/backups"), &json!({})).await;
    let mut body = import(&instance, json!([]));
    body["backup_files"] = json!({"file_source": "backup_record", "backup_id": backup.body["backup_id"]});
    let id = begin(&world, body).await;
    end(&self::copying(&world).1, Err("at byte 7: it is damaged".to_owned()));
    until(&world, &id, "FAILED").await;
    let list = world.call("GET /v2/{p}/migration-tasks?limit=1", &Value::Null).await;
    assert_eq!(list.body["count"], 2);
    assert_eq!(list.body["migration_tasks"][0]["error_message"], "at byte 7: it is damaged");
    let none = world.call("GET /v2/{p}/migration-tasks?name=other", &Value::Null).await;
    assert_eq!(none.body, json!({"count": 0, "migration_tasks": []}));
}

#[tokio::test]
async fn a_migration_may_be_made_before_it_is_known_what_it_copies() {
    let world = World::new().await;
    let instance = target(&world).await;
    let source = world.create(json!({"name": "dcs-from", "product_id": "OTC_DCS_MS"})).await;
    let body = json!({"name": "lmd-test", "vpc_id": "v", "subnet_id": "s", "security_group_id": "g"});
    let made = world.call("POST /v2/{p}/migration/instance", &body).await;
    let id = made.body["instance_id"].as_str().unwrap().to_owned();
    assert_eq!(show(&world, &id).await["status"], "RUNNING");
    let body = json!({
        "migration_method": "full_amount_migration",
        "resume_mode": "manual",
        "bandwidth_limit_mb": "2",
        "source_instance": {"id": source},
        "target_instance": {"id": instance, "password": "First_Pw1"},
    });
    let set = world.call(&format!("POST /v2/{{p}}/migration/{id}/task"), &body).await;
    assert_eq!(set.body, json!({"id": id, "name": "lmd-test", "status": "MIGRATING"}));
    let shown = show(&world, &id).await;
    let network = ["tenant_vpc_id", "tenant_subnet_id", "tenant_security_group_id"].map(|name| &shown[name]);
    assert_eq!(network, ["v", "s", "g"]);
    let addresses = vec![("127.0.0.1".to_owned(), 6380)];
    let password = Some("First_Pw1".to_owned());
    let expected = Source::Servers { addresses, password, follows: false, bytes_per_s: 2 << 20 };
    assert_eq!(copying(&world).0, expected);
    assert_eq!(show(&world, &id).await["resume_mode"], "manual");
    let auto = json!({"resume_mode": "auto"});
    assert_eq!(world.call(&format!("PUT /v2/{{p}}/migration-task/{id}"), &auto).await.status, 200);
    assert_eq!(show(&world, &id).await["resume_mode"], "auto");
    end(&copying(&world).1, Ok(()));
    until(&world, &id, "SUCCESS").await;
    let again = world
        .call("POST /v2/{p}/migration-tasks/batch-restart", &json!({"migration_tasks": [id, NOBODYS]}))
        .await;
    let results = again.body["migration_tasks"].as_array().unwrap();
    assert_eq!((&results[0]["result"], &results[1]["error_code"]), (&json!("success"), &json!("DCS.4070")));
    assert_eq!(world.nodes.copied().len(), 2);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let world = World::new().await;
    let instance = target(&world).await;
    let memcached = memcached(&world).await;
    let with = |name: &str, value: Value| {
        let mut body = online(&instance, "full_amount_migration");
        body[name] = value;
        body
    };
    for (body, status, code) in [
        (with("task_name", json!("")), 400, "DCS.4062"),
        (with("migration_type", json!("other")), 400, "DCS.4062"),
        (with("migration_method", json!(null)), 400, "DCS.4062"),
        (with("source_instance", json!(null)), 400, "DCS.4062"),
        (with("source_instance", json!({"addrs": "nowhere"})), 400, "DCS.4062"),
        (with("source_instance", json!({"addrs": "a:0"})), 400, "DCS.4062"),
        (with("source_instance", json!({"id": NOBODYS})), 404, "DCS.4022"),
        (with("target_instance", json!({})), 400, "DCS.4062"),
        (with("target_instance", json!({"id": NOBODYS})), 404, "DCS.4022"),
        (with("target_instance", json!({"id": memcached})), 400, "DCS.4007"),
        (with("target_instance", json!({"id": instance, "password": "Wrong_Pw1"})), 400, "DCS.4080"),
        (with("target_instance", json!({"id": instance})), 400, "DCS.4080"),
        (with("source_instance", json!({"id": instance, "password": "Wrong_Pw1"})), 400, "DCS.4080"),
    ] {
        let refused = world.call("POST /v2/{p}/migration-task", &body).await;
        assert_eq!(refused.error_of_v2(), (status, code.to_owned()), "{body}");
    }
    assert!(world.nodes.copied().is_empty());
    let missing = world.call("POST /v2/{p}/migration-task", &Value::Null).await;
    assert_eq!(missing.error_of_v2(), (400, "DCS.4004".to_owned()));
    world.nodes.refuse_backups(Some("no"));
    let refused =
        world.call("POST /v2/{p}/migration-task", &online(&instance, "full_amount_migration")).await;
    assert_eq!(refused.error_of_v2(), (500, "DCS.4842".to_owned()));
    let list = world.call("GET /v2/{p}/migration-tasks", &Value::Null).await;
    assert_eq!(list.body["migration_tasks"][0]["status"], "FAILED");
}

#[tokio::test]
async fn a_migration_begins_again_with_the_program_if_it_is_one_that_does() {
    let directory = tempfile::tempdir().unwrap();
    let open = || async {
        let setup = Setup { store: Store::open(directory.path()).unwrap(), ..Setup::default() };
        World::with(setup).await
    };
    let world = open().await;
    let instance = target(&world).await;
    let ids = [
        begin(&world, online(&instance, "incremental_migration")).await,
        begin(&world, online(&instance, "incremental_migration")).await,
    ];
    let manual = json!({"resume_mode": "manual"});
    world.call(&format!("PUT /v2/{{p}}/migration-task/{}", ids[1]), &manual).await;
    world.cloud.close();
    drop(world);

    let world = open().await;
    world.cloud.resume_migrations().await;
    assert_eq!(world.nodes.copied().len(), 1);
    until(&world, &ids[0], "FULLMIGRATING").await;
    assert_eq!(show(&world, &ids[1]).await["status"], "FAILED");
}

/// What says from where to where a migration copies that waits.
fn settings(target: &str) -> Value {
    json!({
        "migration_method": "incremental_migration",
        "source_instance": {"addrs": "192.168.1.135:6379"},
        "target_instance": {"id": target, "password": "First_Pw1"},
    })
}

async fn waiting(world: &World) -> String {
    let made = world.call("POST /v2/{p}/migration/instance", &json!({"name": "lmd-test"})).await;
    assert_eq!(made.status, 200, "{}", made.body);
    made.body["instance_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_migration_that_there_is_not_is_answered_as_such() {
    let world = World::new().await;
    let instance = target(&world).await;
    for (line, body) in [
        (format!("POST /v2/{{p}}/migration/{NOBODYS}/task"), settings(&instance)),
        (format!("GET /v2/{{p}}/migration-task/{NOBODYS}"), Value::Null),
        (format!("PUT /v2/{{p}}/migration-task/{NOBODYS}"), json!({"resume_mode": "auto"})),
        (format!("POST /v2/{{p}}/migration-task/{NOBODYS}/stop"), Value::Null),
        (format!("POST /v2/{{p}}/migration-task/{NOBODYS}/sync-stop"), Value::Null),
        (format!("GET /v2/{{p}}/migration-task/{NOBODYS}/logs"), Value::Null),
        (format!("GET /v2/{{p}}/migration-task/{NOBODYS}/stats"), Value::Null),
        ("DELETE /v2/{p}/migration-tasks/delete".to_owned(), json!({"task_id_list": [NOBODYS]})),
    ] {
        let answered = world.call(&line, &body).await;
        assert_eq!(answered.error_of_v2(), (400, "DCS.4070".to_owned()), "{line}");
    }
}

#[tokio::test]
async fn requests_that_do_not_fit_are_refused() {
    let world = World::new().await;
    target(&world).await;
    let id = waiting(&world).await;
    for (line, body, code) in [
        ("POST /v2/{p}/migration/instance".to_owned(), json!({}), "DCS.4062"),
        (format!("POST /v2/{{p}}/migration/{id}/task"), json!({}), "DCS.4062"),
        (format!("PUT /v2/{{p}}/migration-task/{id}"), json!({"resume_mode": "never"}), "DCS.4062"),
        ("POST /v2/{p}/migration-task/batch-stop".to_owned(), json!({}), "DCS.4062"),
        ("POST /v2/{p}/migration-tasks/batch-restart".to_owned(), json!({}), "DCS.4062"),
        ("DELETE /v2/{p}/migration-tasks/delete".to_owned(), json!({"task_id_list": []}), "DCS.4062"),
        (format!("GET /v2/{{p}}/migration-task/{id}/logs?log_level=loud"), Value::Null, "DCS.4062"),
        (format!("GET /v2/{{p}}/migration-task/{id}/logs?limit=0"), Value::Null, "DCS.4800"),
        ("GET /v2/{p}/migration-tasks?offset=x".to_owned(), Value::Null, "DCS.4800"),
    ] {
        let answered = world.call(&line, &body).await;
        assert_eq!(answered.error_of_v2(), (400, code.to_owned()), "{line}");
    }
}

#[tokio::test]
async fn the_state_of_a_migration_says_what_may_be_done_with_it() {
    let world = World::new().await;
    let instance = target(&world).await;
    let ids = [waiting(&world).await, waiting(&world).await, waiting(&world).await];
    let task = |id: &str| format!("POST /v2/{{p}}/migration/{id}/task");
    assert_eq!(world.call(&task(&ids[0]), &settings(&instance)).await.status, 200);
    let again = world.call(&task(&ids[0]), &settings(&instance)).await;
    assert_eq!(again.error_of_v2(), (400, "DCS.4017".to_owned()));
    let stop = world.call(&format!("POST /v2/{{p}}/migration-task/{}/sync-stop", ids[1]), &Value::Null).await;
    assert_eq!(stop.status, 204);
    assert_eq!(show(&world, &ids[1]).await["status"], "TERMINATED");
    let stop = world.call(&format!("POST /v2/{{p}}/migration-task/{}/stop", ids[1]), &Value::Null).await;
    assert_eq!(stop.error_of_v2(), (400, "DCS.4017".to_owned()));
    let both = json!({"migration_tasks": [ids[2], ids[1]]});
    let stopped = world.call("POST /v2/{p}/migration-task/batch-stop", &both).await;
    let results = stopped.body["migration_tasks"].as_array().unwrap();
    assert_eq!((&results[0]["result"], &results[1]["error_code"]), (&json!("success"), &json!("DCS.4017")));

    let mut to = settings(NOBODYS);
    assert_eq!(world.call(&task(&ids[1]), &to).await.error_of_v2(), (404, "DCS.4022".to_owned()));
    let memcached = memcached(&world).await;
    to["target_instance"]["id"] = memcached.into();
    assert_eq!(world.call(&task(&ids[1]), &to).await.error_of_v2(), (400, "DCS.4007".to_owned()));
    to["target_instance"] = json!({"id": instance, "password": "Wrong_Pw1"});
    assert_eq!(world.call(&task(&ids[1]), &to).await.error_of_v2(), (400, "DCS.4080".to_owned()));
    world.nodes.refuse_backups(Some("no"));
    let refused = world.call(&task(&ids[1]), &settings(&instance)).await;
    assert_eq!(refused.error_of_v2(), (500, "DCS.4842".to_owned()));

    world.nodes.be_silent(true);
    let broken = world.create(json!({"name": "dcs-broken", "product_id": "OTC_DCS_MS"})).await;
    let refused = world.call(&task(&ids[1]), &settings(&broken)).await;
    assert_eq!(refused.error_of_v2(), (400, "DCS.4026".to_owned()));
    let refused = world.call("POST /v2/{p}/migration-task", &online(&broken, "full_amount_migration")).await;
    assert_eq!(refused.error_of_v2(), (400, "DCS.4026".to_owned()));
}

#[tokio::test]
async fn what_cannot_be_recorded_is_told_as_such() {
    let directory = tempfile::tempdir().unwrap();
    let setup = Setup { store: Store::open(directory.path()).unwrap(), ..Setup::default() };
    let world = World::with(setup).await;
    let instance = target(&world).await;
    let id = waiting(&world).await;
    world.cloud.close();
    for (line, body) in [
        ("POST /v2/{p}/migration-task".to_owned(), online(&instance, "full_amount_migration")),
        ("POST /v2/{p}/migration/instance".to_owned(), json!({"name": "other"})),
        (format!("POST /v2/{{p}}/migration/{id}/task"), settings(&instance)),
        (format!("PUT /v2/{{p}}/migration-task/{id}"), json!({"resume_mode": "auto"})),
        (format!("POST /v2/{{p}}/migration-task/{id}/stop"), Value::Null),
        (format!("POST /v2/{{p}}/migration-task/{id}/sync-stop"), Value::Null),
        ("DELETE /v2/{p}/migration-tasks/delete".to_owned(), json!({"task_id_list": [id]})),
    ] {
        let answered = world.call(&line, &body).await;
        assert_eq!(answered.error_of_v2(), (500, "DCS.5017".to_owned()), "{line}");
    }
    assert_eq!(show(&world, &id).await["status"], "RUNNING");
}

#[tokio::test]
async fn only_who_may_migrates() {
    let statements = [Statement::of(Effect::Allow, vec!["dcs:instance:get".to_owned()])];
    let rights = Rights { statements: statements.to_vec(), read_only: false };
    let world = World::with(Setup { rights, ..Setup::default() }).await;
    for line in [
        "POST /v2/{p}/migration-task".to_owned(),
        "POST /v2/{p}/migration/instance".to_owned(),
        "GET /v2/{p}/migration-tasks".to_owned(),
        format!("GET /v2/{{p}}/migration-task/{NOBODYS}"),
        format!("POST /v2/{{p}}/migration-task/{NOBODYS}/stop"),
        "DELETE /v2/{p}/migration-tasks/delete".to_owned(),
    ] {
        let denied = world.call(&line, &json!({})).await;
        assert_eq!(denied.error_of_v2(), (403, "DCS.2007".to_owned()), "{line}");
        let anyone = world.ask(&line.replace("{p}", PROJECT), &[], "{}").await;
        assert_eq!(anyone.error_of_v2(), (401, "DCS.1003".to_owned()), "{line}");
    }
}
