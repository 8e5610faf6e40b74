//! Instances after their creation: shown, listed and deleted.

use std::time::Duration;

use crate::world::{Answered, PROJECT, Setup, World, ZONES, order_with};
use cloud::store::Store;
use cloud::task::Profile;
use serde_json::{Value, json};

const NOBODYS: &str = "00000000-0000-4000-8000-000000000000";

async fn listed(world: &World, query: &str) -> Answered {
    let answered = world.call(&format!("GET /v1.0/{{p}}/instances{query}"), &Value::Null).await;
    assert_eq!(answered.status, 200, "{}", answered.body);
    answered
}

async fn names(world: &World, query: &str) -> Vec<String> {
    let instances = listed(world, query).await.body["instances"].clone();
    instances
        .as_array()
        .unwrap()
        .iter()
        .map(|instance| instance["name"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn one_instance_shows_every_documented_field() {
    let world = World::new().await;
    let id = world.create(json!({"description": "Create a instance"})).await;
    let shown = world.show(&id).await;
    let user_id = shown["user_id"].as_str().unwrap();
    assert_eq!(user_id.len(), 32);
    assert_eq!(
        shown,
        json!({
            "name": "dcs-a11e",
            "engine": "Redis",
            "capacity": 2,
            "ip": "127.0.0.1",
            "port": 6379,
            "status": "RUNNING",
            "max_memory": 1536,
            "used_memory": 33,
            "instance_id": id,
            "resource_spec_code": "dcs.single_node",
            "engine_version": "3.0",
            "internal_version": null,
            "charging_mode": 0,
            "capacity_minor": null,
            "vpc_id": "27d99e17-42f2-4751-818f-5c8c6c03ff15",
            "vpc_name": "vpc-27d9",
            "created_at": "2026-11-22T06:14:52.000Z",
            "error_code": null,
            "user_id": user_id,
            "user_name": "demo",
            "maintain_begin": "02:00:00",
            "maintain_end": "06:00:00",
            "enable_ssl": false,
            "tags": [],
            "security_group_id": "1477393a-29c9-4de5-843f-18ef51257c7e",
            "domainName": "localhost",
            "libos": false,
            "description": "Create a instance",
            "task": null,
            "task_status": null,
            "no_password_access": "false",
            "access_user": null,
            "enable_publicip": false,
            "publicip_id": null,
            "publicip_address": null,
            "service_upgrade": false,
            "service_task_id": null,
            "is_free": null,
            "enterprise_project_id": "0",
            "product_type": "generic",
            "cpu_type": "x86_64",
            "storage_type": "DRAM",
            "cache_mode": "single",
            "launched_at": "2026-11-22T06:14:52.000Z",
            "available_zones": [ZONES[0]],
            "subnet_id": "ec2f34b9-20eb-4872-85bd-bea9fc943128",
            "backend_addrs": null,
            "cloud_service_type_code": "hws.service.type.dcs",
            "cloud_resource_type_code": "hws.resource.type.dcs",
            "product_id": "OTC_DCS_SINGLE",
            "spec_code": "dcs.single_node",
            "security_group_name": "sg-1477",
            "subnet_name": "subnet-ec2f",
            "order_id": null,
            "subnet_cidr": "127.0.0.0/24",
            "instance_backup_policy": null,
            "enterprise_project_name": null,
        })
    );
}

#[tokio::test]
async fn a_cluster_shows_the_addresses_behind_its_own() {
    let world = World::new().await;
    let id = world.create(json!({"product_id": "OTC_DCS_CL", "capacity": 64})).await;
    let shown = world.show(&id).await;
    assert_eq!((&shown["backend_addrs"], &shown["max_memory"]), (&json!("127.0.0.1:6379"), &json!(65_536)));
}

#[tokio::test]
async fn what_is_not_there_is_404_and_what_is_no_id_is_400() {
    let world = World::new().await;
    for method in ["GET", "DELETE"] {
        let ask = |id: &str| {
            let line = format!("{method} /v1.0/{{p}}/instances/{id}");
            let world = &world;
            async move { world.call(&line, &Value::Null).await.error() }
        };
        assert_eq!(ask(NOBODYS).await, (404, "DCS.4022".to_owned()));
        for no_id in ["dcs-a11e", "x", &NOBODYS[1..], "a%2Fb"] {
            assert_eq!(ask(no_id).await, (400, "DCS.4061".to_owned()), "{no_id}");
        }
    }
}

#[tokio::test]
async fn a_list_shows_the_documented_fields_in_the_order_of_creation() {
    let world = World::new().await;
    assert_eq!(listed(&world, "").await.body, json!({"instances": [], "instance_num": 0}));
    world.create(json!({"name": "dcs-b"})).await;
    world.create(json!({"name": "dcs-a"})).await;
    assert_eq!(names(&world, "").await, ["dcs-b", "dcs-a"]);
    let one = listed(&world, "?limit=1").await.body;
    assert_eq!(one["instance_num"], 2);
    let fields: Vec<_> = one["instances"][0].as_object().unwrap().keys().cloned().collect();
    assert_eq!(fields.len(), 25, "{fields:?}");
    for only_when_one_is_shown in ["description", "available_zones", "domainName"] {
        assert!(!fields.iter().any(|field| field == only_when_one_is_shown));
    }
}

#[tokio::test]
async fn filters_let_through_what_they_say() {
    let world = World::new().await;
    world.nodes.take_port(7000);
    let tag = |value: &str| json!([{"key": "dcs001", "value": value}, {"key": "dcs002", "value": "002"}]);
    let first = world.create(json!({"name": "dcs-one", "tags": tag("001")})).await;
    world.create(json!({"name": "dcs-one-more", "tags": tag("other")})).await;
    world
        .create(json!({
            "name": "dcs-failed", "port": 7000,
            "engine_version": "5.0", "product_id": "redis.single.xu1.large.2-h",
        }))
        .await;
    let (both, all): (&[&str], &[&str]) =
        (&["dcs-one", "dcs-one-more"], &["dcs-one", "dcs-one-more", "dcs-failed"]);
    let by_id = format!("?id={first}");
    let cases: [(&str, &[&str]); 22] = [
        ("", both),
        // The example of section 4.5.
        ("?start=1&limit=10&name=&status=&id=&includeFailure=true&isExactMatchName=false", all),
        ("?includeFailure=false", both),
        ("?includeFailure=others", both),
        ("?name=one", both),
        ("?name=dcs-one&isExactMatchName=true", &["dcs-one"]),
        ("?name=dcs-one&exactMatchName=True", &["dcs-one"]),
        ("?name=one&isExactMatchName=true", &[]),
        ("?name=ONE", &[]),
        (&by_id, &["dcs-one"]),
        ("?id=x", &[]),
        ("?status=RUNNING&includeFailure=true", both),
        ("?status=CREATEFAILED&includeFailure=true", &["dcs-failed"]),
        ("?status=CREATEFAILED", &[]),
        ("?status=CREATING", &[]),
        ("?ip=127.0.0.1", both),
        ("?ip=192.0.2.1", &[]),
        ("?tags=dcs001=001", &["dcs-one"]),
        ("?tags=dcs001=001,dcs002=002", &["dcs-one"]),
        ("?tags=dcs002%3D002", both),
        ("?tags=dcs001", both),
        ("?unknown=x", both),
    ];
    for (query, expected) in cases {
        assert_eq!(names(&world, query).await, expected, "{query}");
    }
    assert_eq!(names(&world, "?tags=dcs001=002").await, [""; 0]);
}

#[tokio::test]
async fn pages_begin_at_a_number_or_after_a_marker() {
    let world = World::new().await;
    let mut ids = Vec::new();
    for number in 1..=5 {
        ids.push(world.create(json!({"name": format!("dcs-{number}")})).await);
    }
    assert_eq!(names(&world, "?limit=2").await, ["dcs-1", "dcs-2"]);
    assert_eq!(names(&world, "?start=3&limit=2").await, ["dcs-3", "dcs-4"]);
    assert_eq!(names(&world, "?start=6").await, [""; 0]);
    assert_eq!(listed(&world, "?start=6").await.body["instance_num"], 5);
    assert_eq!(names(&world, &format!("?limit=2&marker={}", ids[2])).await, ["dcs-4", "dcs-5"]);
    assert_eq!(names(&world, &format!("?limit=50&marker={}", ids[4])).await, [""; 0]);
    assert_eq!(names(&world, &format!("?marker={NOBODYS}")).await, [""; 0]);
    // Who deletes while paging gets the rest all the same, and so does who filters the marker out.
    assert_eq!(names(&world, &format!("?name=dcs-5&marker={}", ids[2])).await, ["dcs-5"]);
    for id in &ids[..3] {
        let deleted = world.call(&format!("DELETE /v1.0/{{p}}/instances/{id}"), &Value::Null).await;
        assert_eq!(deleted.status, 204);
    }
    assert_eq!(names(&world, &format!("?limit=1&marker={}", ids[2])).await, ["dcs-4"]);
    assert_eq!(names(&world, &format!("?marker={}", ids[0])).await, ["dcs-4", "dcs-5"]);
}

#[tokio::test]
async fn a_query_that_makes_no_sense_is_refused() {
    let world = World::new().await;
    for query in ["start=0", "start=x", "limit=0", "limit=2001", "limit=1.5", "status=running", "status=GONE"]
    {
        let answered = world.call(&format!("GET /v1.0/{{p}}/instances?{query}"), &Value::Null).await;
        assert_eq!(answered.error(), (400, "DCS.4062".to_owned()), "{query}");
    }
}

#[tokio::test]
async fn a_deleted_instance_is_gone_at_once() {
    let world = World::new().await;
    let id = world.create(json!({})).await;
    let line = format!("DELETE /v1.0/{{p}}/instances/{id}");
    let deleted = world.call(&line, &Value::Null).await;
    assert_eq!((deleted.status, deleted.body), (204, Value::Null));
    assert!(world.nodes.nodes().is_empty());
    let shown = world.call(&line.replace("DELETE", "GET"), &Value::Null).await;
    assert_eq!(shown.error(), (404, "DCS.4022".to_owned()));
    world.create(json!({})).await;
}

#[tokio::test]
async fn an_instance_at_work_is_not_deleted() {
    let world = World::with(Setup { profile: Profile::Stepped, ..Setup::default() }).await;
    let id = world.create(json!({})).await;
    let shown = world.show(&id).await;
    assert_eq!((&shown["status"], &shown["port"]), (&json!("CREATING"), &Value::Null));
    assert_eq!(shown["task_status"], "RUNNING");
    let line = format!("DELETE /v1.0/{{p}}/instances/{id}");
    assert_eq!(world.call(&line, &Value::Null).await.error(), (400, "DCS.4099".to_owned()));

    assert!(world.cloud.step(shown["task"].as_str().unwrap()));
    while world.show(&id).await["status"] == "CREATING" {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(world.call(&line, &Value::Null).await.status, 204);
    assert_eq!(world.show(&id).await["status"], "RUNNING");
    assert_eq!(world.call(&line, &Value::Null).await.error(), (400, "DCS.4017".to_owned()));
    let task = world.show(&id).await["task"].as_str().unwrap().to_owned();
    assert!(world.cloud.step(&task));
    while world.cloud.instance(PROJECT, &id).is_some() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn the_port_that_was_asked_for_is_shown_from_the_start() {
    let world = World::with(Setup { profile: Profile::Stepped, ..Setup::default() }).await;
    let release_5 = json!({
        "engine_version": "5.0", "product_id": "redis.single.xu1.large.2-h", "port": 7000,
    });
    let id = world.create(release_5).await;
    let shown = world.show(&id).await;
    assert_eq!((&shown["status"], &shown["port"]), (&json!("CREATING"), &json!(7000)));
}

#[tokio::test]
async fn what_cannot_be_recorded_is_a_500_with_its_code() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let world = World::with(Setup { store, ..Setup::default() }).await;
    let id = world.create(json!({})).await;
    world.cloud.close();
    let delete = world.call(&format!("DELETE /v1.0/{{p}}/instances/{id}"), &Value::Null).await;
    let create = world.call("POST /v1.0/{p}/instances", &order_with(json!({"name": "dcs-2"}))).await;
    for answered in [delete, create] {
        assert_eq!(answered.error(), (500, "DCS.5017".to_owned()));
        assert_eq!(answered.body["error"]["message"], "Internal service error.");
    }
    assert_eq!(names(&world, "").await, ["dcs-a11e"]);
}
