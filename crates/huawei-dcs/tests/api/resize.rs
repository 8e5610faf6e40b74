//! Other specifications for instances that run, and the tasks that give them these.

use crate::world::{Answered, Setup, World};
use cloud::quota::Quota;
use cloud::task::Profile;
use cloud::topology::Topology;
use serde_json::{Value, json};

async fn later(world: &World, spec_code: &str, gb: f64) -> String {
    let changes = json!({"name": "dcs-later", "engine_version": "5.0", "capacity": gb, "product_id": "-",
        "spec_code": spec_code});
    world.create(changes).await
}

async fn extend(world: &World, id: &str, body: Value) -> Answered {
    world.call(&format!("POST /v1.0/{{p}}/instances/{id}/extend"), &body).await
}

async fn resize(world: &World, id: &str, spec_code: &str, gb: f64) -> Answered {
    let body = json!({"spec_code": spec_code, "new_capacity": gb});
    world.call(&format!("POST /v2/{{p}}/instances/{id}/resize"), &body).await
}

fn to_8() -> Value {
    json!({"spec_code": "redis.single.xu1.large.8", "new_capacity": 8})
}

async fn tasks(world: &World, id: &str, query: &str) -> Value {
    let answered = world.call(&format!("GET /v2/{{p}}/instances/{id}/tasks{query}"), &Value::Null).await;
    assert_eq!(answered.status, 200, "{}", answered.body);
    answered.body
}

#[tokio::test]
async fn the_example_of_section_4_7_extends() {
    let world = World::new().await;
    let id = later(&world, "redis.single.au1.large.2", 2.0).await;
    let extended =
        extend(&world, &id, json!({"spec_code": "redis.single.au1.large.4", "new_capacity": 4})).await;
    assert_eq!((extended.status, &extended.body), (204, &Value::Null));
    let shown = world.show(&id).await;
    assert_eq!((&shown["capacity"], &shown["max_memory"]), (&json!(4), &json!(4096)));
    assert_eq!(
        (&shown["resource_spec_code"], &shown["port"]),
        (&json!("redis.single.au1.large.4"), &json!(6379))
    );
    assert_eq!(world.nodes.nodes()[0].memory_limit_bytes, 4 << 30);
    let to_8 = json!({"spec_code": "redis.single.au1.large.8", "new_capacity": 8});
    assert_eq!(extend(&world, &id, to_8).await.status, 204);
    assert_eq!(world.show(&id).await["resource_spec_code"], "redis.single.au1.large.8");
    // Release 3.0 may leave the specification out.
    let old = world.create(json!({})).await;
    assert_eq!(extend(&world, &old, json!({"new_capacity": 16})).await.status, 204);
    let shown = world.show(&old).await;
    assert_eq!(
        (&shown["resource_spec_code"], &shown["max_memory"]),
        (&json!("dcs.single_node"), &json!(13_926))
    );
    let task = &tasks(&world, &id, "?limit=1").await["tasks"][0];
    assert_eq!((&task["name"], &task["status"]), (&json!("EXTEND"), &json!("SUCCESS")));
    let details = &task["details"];
    assert_eq!((&details["old_capacity"], &details["new_capacity"]), (&json!("4"), &json!("8")));
}

#[tokio::test]
async fn what_cannot_be_extended_is_refused_before_anything_changes() {
    let quota = Quota { instances: 10, memory_gb: 20 };
    let world = World::with(Setup { quota, ..Setup::default() }).await;
    let id = later(&world, "redis.single.xu1.large.4", 4.0).await;
    for (body, code) in [
        (json!({}), "DCS.4012"),
        (json!({"new_capacity": "x"}), "DCS.4012"),
        (json!({"new_capacity": 3, "spec_code": "redis.single.xu1.large.4"}), "DCS.4012"),
        (json!({"new_capacity": 8, "spec_code": "none"}), "DCS.4062"),
        (json!({"new_capacity": 8, "spec_code": "redis.single.xu1.large.16"}), "DCS.4012"),
        (json!({"new_capacity": 8, "spec_code": "dcs.single_node"}), "DCS.4008"),
        (json!({"new_capacity": 8, "spec_code": "dcs.memcached.single_node"}), "DCS.4022"),
        (json!({"new_capacity": 8}), "DCS.4062"),
        (json!({"new_capacity": 4, "spec_code": "redis.single.xu1.large.4"}), "DCS.4103"),
        (json!({"new_capacity": 2, "spec_code": "redis.single.xu1.large.2"}), "DCS.4103"),
        (json!({"new_capacity": 8, "spec_code": "redis.cluster.xu1.large.r2.8"}), "DCS.4102"),
        (json!({"new_capacity": 24, "spec_code": "redis.single.xu1.large.24"}), "DCS.4036"),
    ] {
        assert_eq!(extend(&world, &id, body.clone()).await.error(), (400, code.to_owned()), "{body}");
    }
    assert_eq!(world.show(&id).await["capacity"], 4);
    assert_eq!(tasks(&world, &id, "").await["task_count"], "1", "the creation");
    let nobodys = extend(&world, "00000000-0000-4000-8000-000000000000", to_8()).await;
    assert_eq!(nobodys.error(), (404, "DCS.4022".to_owned()));
    world.nodes.be_silent(true);
    assert_eq!(extend(&world, &id, to_8()).await.error(), (500, "DCS.4842".to_owned()));
    let shown = world.show(&id).await;
    assert_eq!((&shown["capacity"], &shown["status"]), (&json!(4), &json!("RUNNING")));
    assert_eq!(tasks(&world, &id, "").await["tasks"][0]["status"], "FAILED");
}

#[tokio::test]
async fn v2_goes_down_as_well_and_adds_a_standby() {
    let world = World::new().await;
    let id = later(&world, "redis.single.xu1.large.4", 4.0).await;
    assert_eq!(resize(&world, &id, "redis.single.xu1.tiny.256", 0.25).await.status, 204);
    let shown = world.show(&id).await;
    assert_eq!((&shown["capacity"], &shown["capacity_minor"]), (&json!(0), &json!("0.25")));
    assert_eq!(resize(&world, &id, "redis.ha.xu1.tiny.r2.256", 0.25).await.status, 204);
    let shown = world.show(&id).await;
    assert_eq!(
        (&shown["cache_mode"], &shown["resource_spec_code"]),
        (&json!("ha"), &json!("redis.ha.xu1.tiny.r2.256"))
    );
    assert_eq!(world.nodes.nodes()[0].topology, Topology::MasterStandby);
    let same = resize(&world, &id, "redis.ha.xu1.tiny.r2.256", 0.25).await;
    assert_eq!(same.error_of_v2(), (400, "DCS.4103".to_owned()));
    let line = format!("POST /v2/{{p}}/instances/{id}/resize");
    let wrong = json!({"spec_code": "redis.single.xu1.tiny.256", "new_capacity": 0.25,
        "change_type": "createReplication"});
    assert_eq!(world.call(&line, &wrong).await.error_of_v2(), (400, "DCS.4062".to_owned()));
    let nowhere = json!({"spec_code": "redis.ha.xu1.tiny.r3.256", "new_capacity": 0.25,
        "change_type": "createReplication", "available_zones": ["nowhere"]});
    assert_eq!(world.call(&line, &nowhere).await.error_of_v2(), (400, "DCS.4042".to_owned()));
    // 33 MB are in use.
    let full = later_small(&world).await;
    world.nodes.hold(130 << 20);
    let small = resize(&world, &full, "redis.single.xu1.tiny.128", 0.125).await;
    assert_eq!(small.error_of_v2(), (400, "DCS.4012".to_owned()));
}

async fn later_small(world: &World) -> String {
    world
        .create(json!({"name": "dcs-small", "engine_version": "5.0", "capacity": 0.25, "product_id": "-",
            "spec_code": "redis.single.xu1.tiny.256"}))
        .await
}

#[tokio::test]
async fn an_instance_that_is_being_extended_has_no_time() {
    let quota = Quota { instances: 10, memory_gb: 10 };
    let world = World::with(Setup { profile: Profile::Stepped, quota, ..Setup::default() }).await;
    let step = |world: &World| {
        let tasks = world.cloud.tasks(crate::world::PROJECT);
        assert!(world.cloud.step(&tasks.last().unwrap().id));
    };
    let running = async |world: &World, id: &str, status: &str| {
        while world.show(id).await["status"] != status {
            tokio::task::yield_now().await;
        }
    };
    let id = later(&world, "redis.single.xu1.large.4", 4.0).await;
    let busy = extend(&world, &id, to_8()).await;
    assert_eq!(busy.error(), (400, "DCS.4118".to_owned()));
    step(&world);
    running(&world, &id, "RUNNING").await;
    assert_eq!(extend(&world, &id, to_8()).await.status, 204);
    let shown = world.show(&id).await;
    assert_eq!((&shown["status"], &shown["capacity"]), (&json!("EXTENDING"), &json!(4)));
    assert!(shown["task"].is_string());
    for (line, body) in [
        ("POST /v1.0/{p}/instances/{i}/extend", to_8()),
        ("PUT /v1.0/{p}/instances/{i}", json!({"name": "dcs-other"})),
        ("DELETE /v1.0/{p}/instances/{i}", Value::Null),
    ] {
        let busy = world.call(&line.replace("{i}", &id), &body).await;
        assert_eq!(busy.error(), (400, "DCS.4113".to_owned()), "{line}");
    }
    // What it is about to have counts.
    let more =
        world.call("POST /v1.0/{p}/instances", &crate::world::order_with(json!({"capacity": 4}))).await;
    assert_eq!(more.error(), (400, "DCS.4036".to_owned()));
    let listed = tasks(&world, &id, "").await;
    let task = listed["tasks"][0].clone();
    assert_eq!((&listed["task_count"], &task["status"]), (&json!("2"), &json!("RUNNING")));
    let forget = |task: &Value| {
        let line = format!("DELETE /v2/{{p}}/instances/{id}/tasks/{}", task["id"].as_str().unwrap());
        let world = &world;
        async move { world.call(&line, &Value::Null).await }
    };
    assert_eq!(forget(&task).await.error_of_v2(), (400, "DCS.4017".to_owned()));
    step(&world);
    running(&world, &id, "RUNNING").await;
    assert_eq!(world.show(&id).await["capacity"], 8);
    assert_eq!(forget(&task).await.body, json!({"message": "success"}));
    assert_eq!(forget(&task).await.error_of_v2(), (400, "DCS.4070".to_owned()));
    let old = &tasks(&world, &id, "?start_time=20261122061400&end_time=20261122061452").await["tasks"][0];
    let line = format!("DELETE /v1.0/{{p}}/instances/{id}/tasks/{}", old["id"].as_str().unwrap());
    assert_eq!(world.call(&line, &Value::Null).await.status, 204);
    assert_eq!(tasks(&world, &id, "").await["task_count"], "0");
    assert_eq!(tasks(&world, &id, "?start_time=20270101000000").await["tasks"], json!([]));
    let bad = world.call(&format!("DELETE /v1.0/{{p}}/instances/{id}/tasks/x"), &Value::Null).await;
    assert_eq!(bad.error(), (400, "DCS.4070".to_owned()));
    let bad = world.call(&format!("GET /v1.0/{{p}}/instances/{id}/tasks?start_time=now"), &Value::Null).await;
    assert_eq!(bad.error(), (400, "DCS.4062".to_owned()));
}

#[tokio::test]
async fn what_is_paid_in_advance_is_extended_by_one_order_at_a_time() {
    let world = World::with(Setup { profile: Profile::Stepped, ..Setup::default() }).await;
    let order = json!({
        "name": "dcs-paid",
        "engine": "Redis",
        "engine_version": "5.0",
        "capacity": 2,
        "spec_code": "redis.single.xu1.large.2",
        "az_codes": ["my-kualalumpur-1a"],
        "vpc_id": "27d99e17",
        "subnet_id": "ec2f34b9",
        "no_password_access": "true",
        "bss_param": {"charging_mode": "prePaid", "period_type": "year", "period_num": 1, "is_auto_pay": "true"},
    });
    let created = world.call("POST /v2/{p}/instances", &order).await;
    let id = created.body["instances"][0]["instance_id"].as_str().unwrap().to_owned();
    world.cloud.step(&world.cloud.tasks(crate::world::PROJECT)[0].id);
    while world.show(&id).await["status"] != "RUNNING" {
        tokio::task::yield_now().await;
    }
    assert_eq!(resize(&world, &id, "redis.single.xu1.large.4", 4.0).await.status, 204);
    let again = resize(&world, &id, "redis.single.xu1.large.8", 8.0).await;
    assert_eq!(again.error_of_v2(), (400, "DCS.4108".to_owned()));
    let again = extend(&world, &id, to_8()).await;
    assert_eq!(again.error(), (400, "DCS.4108".to_owned()));
}
