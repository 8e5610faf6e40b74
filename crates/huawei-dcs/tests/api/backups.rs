//! Backups of instances: made, listed, fetched, restored, deleted; in both versions.

use axum::body::Body;
use cloud::policy::{Effect, Rights, Statement};
use cloud::store::Store;
use cloud::task::Profile;
use http::Request;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::world::{Answered, PROJECT, Setup, World};

const NOBODYS: &str = "00000000-0000-4000-8000-000000000000";

async fn pair(world: &World) -> String {
    world.create(json!({"name": "dcs-pair", "product_id": "OTC_DCS_MS"})).await
}

async fn back_up(world: &World, id: &str, body: Value) -> Answered {
    world.call(&format!("POST /v1.0/{{p}}/instances/{id}/backups"), &body).await
}

async fn backup_of(world: &World, id: &str) -> String {
    let answered = back_up(world, id, json!({"remark": "001"})).await;
    assert_eq!(answered.status, 200, "{}", answered.body);
    answered.body["backup_id"].as_str().unwrap().to_owned()
}

async fn restore(world: &World, id: &str, backup: &str) -> Answered {
    let body = json!({"backup_id": backup, "remark": "restore instance"});
    world.call(&format!("POST /v1.0/{{p}}/instances/{id}/restores"), &body).await
}

async fn listed(world: &World, id: &str, query: &str) -> Value {
    let answered = world.call(&format!("GET /v1.0/{{p}}/instances/{id}/backups{query}"), &Value::Null).await;
    assert_eq!(answered.status, 200, "{}", answered.body);
    answered.body
}

/// Fetches a link as anybody does.
async fn fetch(world: &World, link: &str) -> (u16, Vec<u8>) {
    let path = link.strip_prefix("http://127.0.0.1:18080").unwrap();
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = world.gateway.app().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    (status, response.into_body().collect().await.unwrap().to_bytes().to_vec())
}

#[tokio::test]
async fn records_are_as_in_the_examples() {
    let world = World::new().await;
    let id = pair(&world).await;
    let backup = backup_of(&world, &id).await;
    let record = json!({
        "status": "succeed",
        "remark": "001",
        "period": null,
        "progress": "100.00",
        "size": format!("all of {id}").len(),
        "instance_id": id,
        "backup_id": backup,
        "created_at": "2026-11-22T06:14:52.000Z",
        "updated_at": "2026-11-22T06:14:52.000Z",
        "execution_at": "2026-11-22T06:14:52.000Z",
        "backup_type": "manual",
        "backup_name": "backup_20261122061452",
        "error_code": null,
        "is_support_restore": "TRUE",
    });
    assert_eq!(listed(&world, &id, "").await, json!({"backup_record_response": [record], "total_num": 1}));

    let restored = restore(&world, &id, &backup).await;
    assert_eq!(restored.status, 200, "{}", restored.body);
    let restores = world.call(&format!("GET /v1.0/{{p}}/instances/{id}/restores"), &Value::Null).await;
    let record = json!({
        "status": "succeed",
        "progress": "100.00",
        "restore_id": restored.body["restore_id"],
        "backup_id": backup,
        "restore_remark": "restore instance",
        "backup_remark": "001",
        "created_at": "2026-11-22T06:14:52.000Z",
        "updated_at": "2026-11-22T06:14:52.000Z",
        "restore_name": "restore_20261122061452",
        "backup_name": "backup_20261122061452",
        "sourceInstanceId": id,
        "sourceInstanceName": "dcs-pair",
        "error_code": null,
    });
    assert_eq!(restores.body, json!({"restore_record_response": [record], "total_num": 1}));
    assert_eq!(world.nodes.restored()[0].1, [format!("all of {id}")]);
}

#[tokio::test]
async fn lists_have_pages_and_times() {
    let world = World::new().await;
    let id = pair(&world).await;
    let mut made = Vec::new();
    for _ in 0..12 {
        made.push(backup_of(&world, &id).await);
        world.clock.advance(60_000);
    }
    let ids = |list: &Value| -> Vec<String> {
        let records = list["backup_record_response"].as_array().unwrap();
        records.iter().map(|record| record["backup_id"].as_str().unwrap().to_owned()).collect()
    };
    let newest: Vec<_> = made.iter().rev().cloned().collect();
    let first = listed(&world, &id, "").await;
    assert_eq!((ids(&first), first["total_num"].clone()), (newest[..10].to_vec(), json!(12)));
    assert_eq!(ids(&listed(&world, &id, "?start=11&limit=5").await), newest[10..]);
    for (begin, end) in [("beginTime", "endTime"), ("begin_time", "end_time")] {
        let query = format!("?{begin}=20261122061552&{end}=20261122061652");
        assert_eq!(ids(&listed(&world, &id, &query).await), [made[2].clone(), made[1].clone()]);
    }
    for bad in ["start=0", "limit=0", "limit=x", "beginTime=2026-11-22", "end_time=20261322000000"] {
        for of in ["backups", "restores"] {
            let line = format!("GET /v1.0/{{p}}/instances/{id}/{of}?{bad}");
            assert_eq!(world.call(&line, &Value::Null).await.error(), (400, "DCS.4062".to_owned()), "{line}");
        }
    }
    let second =
        world.call(&format!("GET /v2/{{p}}/instances/{id}/backups?offset=10&limit=10"), &Value::Null).await;
    assert_eq!((ids(&second.body), second.body["total_num"].clone()), (newest[10..].to_vec(), json!(12)));
    assert_eq!(second.body["backup_record_response"][0]["backup_format"], "rdb");
}

#[tokio::test]
async fn what_cannot_be_backed_up_or_restored_says_why() {
    let world = World::new().await;
    let (id, single) = (pair(&world).await, world.create(json!({})).await);
    let other = world.create(json!({"name": "dcs-other", "product_id": "OTC_DCS_MS"})).await;
    let backup = backup_of(&world, &id).await;
    assert_eq!(back_up(&world, &single, json!({})).await.error(), (400, "DCS.4095".to_owned()));
    assert_eq!(restore(&world, &single, &backup).await.error(), (400, "DCS.4095".to_owned()));
    assert_eq!(back_up(&world, NOBODYS, json!({})).await.error(), (404, "DCS.4022".to_owned()));
    assert_eq!(restore(&world, NOBODYS, &backup).await.error(), (404, "DCS.4022".to_owned()));
    assert_eq!(back_up(&world, "x", json!({})).await.error(), (400, "DCS.4061".to_owned()));
    assert_eq!(back_up(&world, &id, Value::Null).await.error(), (400, "DCS.4004".to_owned()));
    let long = json!({"remark": "é".repeat(129)});
    assert_eq!(back_up(&world, &id, long).await.error(), (400, "DCS.4098".to_owned()));
    assert_eq!(back_up(&world, &id, json!({"remark": "é".repeat(128)})).await.status, 200);
    assert_eq!(restore(&world, &id, NOBODYS).await.error(), (400, "DCS.4062".to_owned()));
    assert_eq!(restore(&world, &other, &backup).await.error(), (400, "DCS.4062".to_owned()));
    let long = json!({"backup_id": backup, "remark": "é".repeat(129)});
    for version in ["v1.0", "v2"] {
        let line = format!("POST /{version}/{{p}}/instances/{id}/restores");
        let refused = world.call(&line, &long).await;
        assert_eq!((refused.status, &refused.body["error_code"]), (400, &json!("DCS.4098")), "{version}");
    }
    let without = world.call(&format!("POST /v1.0/{{p}}/instances/{id}/restores"), &json!({})).await;
    assert_eq!(without.error(), (400, "DCS.4062".to_owned()));
    for list in ["backups", "restores"] {
        for version in ["v1.0", "v2"] {
            let line = format!("GET /{version}/{{p}}/instances/{NOBODYS}/{list}");
            assert_eq!(world.call(&line, &Value::Null).await.status, 404);
        }
    }

    world.nodes.refuse_backups(Some("no"));
    let failed = backup_of(&world, &id).await;
    assert_eq!(
        listed(&world, &id, "?limit=1").await["backup_record_response"][0]["error_code"],
        "dcs.08.0001"
    );
    assert_eq!(restore(&world, &id, &failed).await.error(), (400, "DCS.4087".to_owned()));
    let body = json!({"backup_id": failed});
    let of_v2 = world.call(&format!("POST /v2/{{p}}/instances/{id}/restores"), &body).await;
    assert_eq!(of_v2.error_of_v2(), (400, "DCS.4087".to_owned()));
    assert_eq!(restore(&world, &id, &backup).await.status, 200);
    let restores = world.call(&format!("GET /v2/{{p}}/instances/{id}/restores"), &Value::Null).await;
    let record = &restores.body["restore_record_response"][0];
    assert_eq!((&record["status"], &record["error_code"]), (&json!("failed"), &json!("dcs.08.0007")));
    assert_eq!(world.show(&id).await["status"], "RUNNING");
}

#[tokio::test]
async fn one_thing_at_a_time() {
    let world = World::with(Setup { profile: Profile::Realistic, ..Setup::default() }).await;
    let id = pair(&world).await;
    assert_eq!(back_up(&world, &id, json!({})).await.error(), (400, "DCS.4118".to_owned()));
    world.clock.advance(60_000);
    while world.show(&id).await["status"] != "RUNNING" {
        tokio::task::yield_now().await;
    }
    let backup = backup_of(&world, &id).await;
    let refusals_to_delete = async || {
        let first = format!("DELETE /v1.0/{{p}}/instances/{id}/backups/{backup}");
        let second = first.replace("v1.0", "v2");
        let (first, second) =
            (world.call(&first, &Value::Null).await, world.call(&second, &Value::Null).await);
        assert_eq!(first.error(), second.error_of_v2());
        first.error()
    };
    assert_eq!(back_up(&world, &id, json!({})).await.error(), (400, "DCS.4096".to_owned()));
    assert_eq!(refusals_to_delete().await, (400, "DCS.4096".to_owned()));
    assert_eq!(restore(&world, &id, &backup).await.error(), (400, "DCS.4087".to_owned()));
    world.clock.advance(15_000);
    assert_eq!(listed(&world, &id, "").await["backup_record_response"][0]["progress"], "50.00");
    assert_eq!(listed(&world, &id, "").await["backup_record_response"][0]["status"], "backuping");
    world.clock.advance(15_000);
    while listed(&world, &id, "").await["backup_record_response"][0]["status"] != "succeed" {
        tokio::task::yield_now().await;
    }
    while restore(&world, &id, &backup).await.status != 200 {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.show(&id).await["status"], "RESTORING");
    assert_eq!(back_up(&world, &id, json!({})).await.error(), (400, "DCS.4097".to_owned()));
    assert_eq!(restore(&world, &id, &backup).await.error(), (400, "DCS.4097".to_owned()));
    assert_eq!(refusals_to_delete().await, (400, "DCS.4097".to_owned()));
}

#[tokio::test]
async fn files_are_deleted_and_records_stay() {
    let world = World::new().await;
    let id = pair(&world).await;
    for (version, status, body) in [("v1.0", 200, json!({"message": ""})), ("v2", 204, Value::Null)] {
        let backup = backup_of(&world, &id).await;
        let delete = format!("DELETE /{version}/{{p}}/instances/{id}/backups/{backup}");
        let deleted = world.call(&delete, &Value::Null).await;
        assert_eq!((deleted.status, deleted.body), (status, body));
        let record = listed(&world, &id, "?limit=1").await["backup_record_response"][0].clone();
        assert_eq!((&record["status"], &record["is_support_restore"]), (&json!("deleted"), &json!("FALSE")));
        let again = world.call(&delete, &Value::Null).await;
        assert_eq!((again.status, again.body["error_code"].clone()), (400, json!("DCS.4062")));
    }
    let nobodys = format!("DELETE /v2/{{p}}/instances/{NOBODYS}/backups/{NOBODYS}");
    assert_eq!(world.call(&nobodys, &Value::Null).await.error_of_v2(), (404, "DCS.4022".to_owned()));
    let nobodys = nobodys.replace("v2", "v1.0");
    assert_eq!(world.call(&nobodys, &Value::Null).await.error(), (404, "DCS.4022".to_owned()));
}

#[tokio::test]
async fn whoever_has_a_link_fetches_the_file_for_a_time() {
    let world = World::new().await;
    let id = pair(&world).await;
    let backup = backup_of(&world, &id).await;
    let links = |backup: &str| format!("POST /v2/{{p}}/instances/{id}/backups/{backup}/links");
    let answered = world.call(&links(&backup), &json!({"expiration": 300})).await;
    assert_eq!(answered.status, 200, "{}", answered.body);
    assert_eq!(answered.body["bucket_name"], "backups");
    assert_eq!(answered.body["file_path"], format!("{id}/20261122061452_redis.rdb"));
    let link = answered.body["links"][0]["link"].as_str().unwrap().to_owned();
    assert_eq!(answered.body["links"][0]["file_name"], "20261122061452_redis.rdb");
    assert_eq!(fetch(&world, &link).await, (200, format!("all of {id}").into_bytes()));
    for bad in [link.replace("expires=1", "expires=2"), link.replace("0.rdb/", "1.rdb/"), format!("{link}0")]
    {
        assert_eq!(fetch(&world, &bad).await.0, 403, "{bad}");
    }
    world.clock.advance(299_999);
    assert_eq!(fetch(&world, &link).await.0, 200);
    world.clock.advance(1);
    assert_eq!(fetch(&world, &link).await.0, 403);

    for bad in [json!({}), json!({"expiration": 299}), json!({"expiration": 86_401})] {
        let refused = world.call(&links(&backup), &bad).await;
        assert_eq!(refused.error_of_v2(), (400, "DCS.4062".to_owned()), "{bad}");
    }
    let unknown = world.call(&links(NOBODYS), &json!({"expiration": 300})).await;
    assert_eq!(unknown.error_of_v2(), (400, "DCS.4062".to_owned()));
    let nobodys = links(&backup).replace(&id, NOBODYS);
    let unknown = world.call(&nobodys, &json!({"expiration": 300})).await;
    assert_eq!(unknown.error_of_v2(), (404, "DCS.4022".to_owned()));
    let answered = world.call(&links(&backup), &json!({"expiration": 86_400})).await;
    let link = answered.body["links"][0]["link"].as_str().unwrap().to_owned();
    world.call(&format!("DELETE /v2/{{p}}/instances/{id}/backups/{backup}"), &Value::Null).await;
    assert_eq!(fetch(&world, &link).await.0, 404);
    let gone = world.call(&links(&backup), &json!({"expiration": 300})).await;
    assert_eq!(gone.error_of_v2(), (400, "DCS.4087".to_owned()));
}

#[tokio::test]
async fn what_cannot_be_recorded_or_removed_is_told_as_such() {
    let directory = tempfile::tempdir().unwrap();
    let setup = Setup { store: Store::open(directory.path()).unwrap(), ..Setup::default() };
    let world = World::with(setup).await;
    let id = pair(&world).await;
    let (backup, other) = (backup_of(&world, &id).await, backup_of(&world, &id).await);
    // A file in the place of the backup's directory is none of the vault's, and stays.
    let own = directory.path().join("backups").join(&id).join(&backup);
    let aside = directory.path().join("aside");
    std::fs::rename(&own, &aside).unwrap();
    std::fs::write(&own, b"").unwrap();
    let delete = format!("DELETE /v1.0/{{p}}/instances/{id}/backups/{backup}");
    assert_eq!(world.call(&delete, &Value::Null).await.error(), (500, "DCS.4101".to_owned()));
    let delete = delete.replace("v1.0", "v2");
    assert_eq!(world.call(&delete, &Value::Null).await.error_of_v2(), (500, "DCS.4101".to_owned()));
    std::fs::remove_file(&own).unwrap();
    std::fs::rename(&aside, &own).unwrap();

    world.cloud.close();
    assert_eq!(back_up(&world, &id, json!({})).await.error(), (500, "DCS.5090".to_owned()));
    assert_eq!(restore(&world, &id, &backup).await.error(), (500, "DCS.5092".to_owned()));
    assert_eq!(listed(&world, &id, "").await["total_num"], 2, "it is as if there had been no attempt");
    assert_eq!(world.call(&delete, &Value::Null).await.error_of_v2(), (500, "DCS.5090".to_owned()));
    let delete = format!("DELETE /v1.0/{{p}}/instances/{id}/backups/{other}");
    assert_eq!(world.call(&delete, &Value::Null).await.error(), (500, "DCS.5090".to_owned()));
}

#[tokio::test]
async fn only_who_may_does() {
    let statements = ["dcs:instance:create", "dcs:instance:get"]
        .map(|action| Statement::of(Effect::Allow, vec![action.to_owned()]));
    let rights = Rights { statements: statements.to_vec(), read_only: false };
    let world = World::with(Setup { rights, ..Setup::default() }).await;
    let id = pair(&world).await;
    let body = json!({"backup_id": NOBODYS, "expiration": 300});
    for (method, rest) in [
        ("POST", "backups".to_owned()),
        ("GET", "backups".to_owned()),
        ("POST", "restores".to_owned()),
        ("GET", "restores".to_owned()),
        ("DELETE", format!("backups/{NOBODYS}")),
        ("POST", format!("backups/{NOBODYS}/links")),
    ] {
        for version in ["v1.0", "v2"] {
            if version == "v1.0" && rest.ends_with("links") {
                continue;
            }
            let line = format!("{method} /{version}/{{p}}/instances/{id}/{rest}");
            let denied = world.call(&line, &body).await;
            assert_eq!(
                (denied.status, denied.body["error_code"].clone()),
                (403, json!("DCS.2007")),
                "{line}"
            );
            let anyone = world.ask(&line.replace("{p}", PROJECT), &[], &body.to_string()).await;
            assert_eq!(
                (anyone.status, anyone.body["error_code"].clone()),
                (401, json!("DCS.1003")),
                "{line}"
            );
        }
    }
}
