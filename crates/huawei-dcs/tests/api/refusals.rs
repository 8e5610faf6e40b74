//! Requests with one thing wrong with them, and the code that says which.

use cloud::quota::Quota;
use cloud::store::Store;
use cloud::task::Profile;
use serde_json::{Value, json};

use crate::world::{Setup, World, order_with};

const NOBODYS: &str = "00000000-0000-4000-8000-000000000000";

/// A single node of release 5.0.
async fn single(world: &World, name: &str) -> String {
    let code = "redis.single.xu1.large.2";
    let order = json!({"name": name, "engine_version": "5.0", "product_id": "-", "spec_code": code, "security_group_id": "-"});
    world.create(order).await
}

/// An order of v2 with these fields changed.
fn order(changes: &Value) -> Value {
    let mut order = json!({
        "name": "dcs-v2", "engine": "Redis", "engine_version": "5.0", "capacity": 2,
        "spec_code": "redis.ha.xu1.large.r2.2", "az_codes": ["my-kualalumpur-1a"], "vpc_id": "v", "subnet_id": "s",
        "password": "First_Pw1",
    });
    for (name, value) in changes.as_object().unwrap() {
        order[name] = value.clone();
    }
    order
}

/// A backup policy with one field changed, of its plan if it has it.
fn policy(name: &str, value: Value) -> Value {
    let mut policy = json!({
        "save_days": 2, "backup_type": "auto",
        "periodical_backup_plan": {"begin_at": "00:00-01:00", "period_type": "weekly", "backup_at": [1]},
    });
    if policy.get(name).is_some() {
        policy[name] = value;
    } else {
        policy["periodical_backup_plan"][name] = value;
    }
    json!({"instance_backup_policy": policy})
}

fn policies() -> [(Value, &'static str); 5] {
    [
        (policy("save_days", json!(9)), "DCS.4072"),
        (policy("backup_type", json!("never")), "DCS.4073"),
        (policy("period_type", json!("daily")), "DCS.4074"),
        (policy("backup_at", json!([8])), "DCS.4075"),
        (policy("begin_at", json!("noon")), "DCS.4076"),
    ]
}

fn many_tags() -> Value {
    (0..21).map(|number| json!({"key": format!("k{number}"), "value": ""})).collect()
}

async fn refused(world: &World, line: &str, body: &Value) -> String {
    let answered = world.call(line, body).await;
    assert!(answered.status >= 400, "{line} {body} is taken");
    answered.body["error_code"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_change_has_one_thing_wrong_with_it() {
    let world = World::new().await;
    let id = single(&world, "dcs-one").await;
    single(&world, "dcs-other").await;
    let fields = [
        (json!({"name": "x"}), "DCS.4010"),
        (json!({"name": "dcs-other"}), "DCS.4060"),
        (json!({"description": "x".repeat(1025)}), "DCS.4011"),
        (json!({"security_group_id": 5}), "DCS.4014"),
        (json!({"maintain_begin": "01:00:00", "maintain_end": "soon"}), "DCS.4106"),
    ];
    for (body, code) in fields.into_iter().chain(policies()) {
        for version in ["v1.0", "v2"] {
            let line = format!("PUT /{version}/{{p}}/instances/{id}");
            assert_eq!(refused(&world, &line, &body).await, code, "{line} {body}");
        }
    }
}

#[tokio::test]
async fn an_order_of_v2_has_one_thing_wrong_with_it() {
    let world = World::new().await;
    let fields = [
        (json!({"description": "x".repeat(1025)}), "DCS.4011"),
        (json!({"vpc_id": 5}), "DCS.4013"),
        (json!({"security_group_id": 5}), "DCS.4014"),
        (json!({"subnet_id": 5}), "DCS.4016"),
        (json!({"no_password_access": "maybe"}), "DCS.4843"),
        (json!({"access_user": 5}), "DCS.4844"),
        (json!({"tags": many_tags()}), "DCS.4039"),
    ];
    for (changes, code) in fields.into_iter().chain(policies()) {
        let body = order(&changes);
        assert_eq!(refused(&world, "POST /v2/{p}/instances", &body).await, code, "{changes}");
    }
    let body = order_with(json!({"tags": many_tags()}));
    assert_eq!(refused(&world, "POST /v1.0/{p}/instances", &body).await, "DCS.4039");
    assert!(world.cloud.instances(crate::world::PROJECT).is_empty());
}

#[tokio::test]
async fn lists_of_instances_and_tags_have_limits() {
    let world = World::new().await;
    let id = single(&world, "dcs-one").await;
    for (body, code) in
        [(json!({"instances": []}), "DCS.4065"), (json!({"instances": vec![NOBODYS; 51]}), "DCS.4100")]
    {
        assert_eq!(refused(&world, "DELETE /v2/{p}/instances", &body).await, code);
    }
    for (tags, code) in [(many_tags(), "DCS.4039"), (json!([{"key": "", "value": "v"}]), "DCS.4062")] {
        let body = json!({"action": "create", "tags": tags});
        assert_eq!(refused(&world, &format!("POST /v2/{{p}}/dcs/{id}/tags/action"), &body).await, code);
    }
}

#[tokio::test]
async fn nobodys_instance_has_neither_tasks_nor_tags() {
    let world = World::new().await;
    for line in [
        "GET /v1.0/{p}/instances/{id}/tasks",
        "GET /v2/{p}/instances/{id}/tasks",
        "DELETE /v1.0/{p}/instances/{id}/tasks/{id}",
        "DELETE /v2/{p}/instances/{id}/tasks/{id}",
        "GET /v1.0/{p}/instances/{id}/tags",
        "GET /v2/{p}/instances/{id}/tags",
    ] {
        assert_eq!(refused(&world, &line.replace("{id}", NOBODYS), &Value::Null).await, "DCS.4022", "{line}");
    }
}

#[tokio::test]
async fn tasks_are_listed_and_forgotten_when_they_are_over() {
    let world = World::with(Setup { profile: Profile::Realistic, ..Setup::default() }).await;
    let id = single(&world, "dcs-one").await;
    let listed = world.call(&format!("GET /v1.0/{{p}}/instances/{id}/tasks"), &Value::Null).await;
    assert_eq!(listed.status, 200, "{}", listed.body);
    let task = world.cloud.tasks(crate::world::PROJECT)[0].id.clone();
    for version in ["v1.0", "v2"] {
        let line = format!("DELETE /{version}/{{p}}/instances/{id}/tasks/{task}");
        assert_eq!(refused(&world, &line, &Value::Null).await, "DCS.4017", "{version}");
        for (query, code) in [("limit=0", "DCS.4800"), ("start_time=soon", "DCS.4062")] {
            let line = format!("GET /{version}/{{p}}/instances/{id}/tasks?{query}");
            assert_eq!(refused(&world, &line, &Value::Null).await, code, "{version}");
        }
    }
}

async fn resized(world: &World, id: &str, body: Value) -> String {
    refused(world, &format!("POST /v2/{{p}}/instances/{id}/resize"), &body).await
}

#[tokio::test]
async fn an_instance_does_not_become_what_it_cannot_be() {
    let world =
        World::with(Setup { quota: Quota { instances: 10, memory_gb: 20 }, ..Setup::default() }).await;
    let id = single(&world, "dcs-one").await;
    for (body, code) in [
        (json!({"new_capacity": 8, "spec_code": "dcs.single_node"}), "DCS.4008"),
        (json!({"new_capacity": 8, "spec_code": "dcs.memcached.single_node"}), "DCS.4022"),
        (json!({"new_capacity": 24, "spec_code": "redis.single.xu1.large.24"}), "DCS.4036"),
        (json!({"new_capacity": 8, "spec_code": "redis.cluster.xu1.large.r2.8"}), "DCS.4102"),
    ] {
        assert_eq!(resized(&world, &id, body.clone()).await, code, "{body}");
    }
    world.nodes.be_silent(true);
    let body = json!({"new_capacity": 4, "spec_code": "redis.single.xu1.large.4"});
    assert_eq!(resized(&world, &id, body).await, "DCS.4842");
}

#[tokio::test]
async fn what_cannot_be_recorded_is_told_as_such() {
    let directory = tempfile::tempdir().unwrap();
    let world =
        World::with(Setup { store: Store::open(directory.path()).unwrap(), ..Setup::default() }).await;
    let id = single(&world, "dcs-one").await;
    let task = world.cloud.tasks(crate::world::PROJECT)[0].id.clone();
    world.cloud.close();
    assert_eq!(refused(&world, "POST /v2/{p}/instances", &order(&json!({}))).await, "DCS.5017");
    for version in ["v1.0", "v2"] {
        let line = format!("DELETE /{version}/{{p}}/instances/{id}/tasks/{task}");
        assert_eq!(refused(&world, &line, &Value::Null).await, "DCS.5017", "{version}");
    }
    let line = format!("DELETE /v2/{{p}}/tasks/{task}");
    assert_eq!(refused(&world, &line, &Value::Null).await, "DCS.5017");
}

#[tokio::test]
async fn parameters_have_one_thing_wrong_with_them_in_each_form() {
    let world = World::new().await;
    let id = world.create(json!({"product_id": "OTC_DCS_MS"})).await;
    let item = |id: &str, name: &str, value: &str| json!({"redis_config": [{"param_id": id, "param_name": name, "param_value": value}]});
    let put = async |form: &str, body: &Value| {
        refused(&world, &format!("PUT /v2/{{p}}/instances/{id}/{form}"), body).await
    };
    for form in ["configs", "async-configs"] {
        assert_eq!(put(form, &json!({})).await, "DCS.4062", "{form}");
        assert_eq!(put(form, &item("1", "timeout", "7201")).await, "DCS.4066", "{form}");
        world.nodes.hold(1 << 30);
        assert_eq!(put(form, &item("12", "reserved-memory", "600")).await, "DCS.4105", "{form}");
    }
    world.nodes.be_stubborn(true);
    assert_eq!(put("configs", &item("1", "timeout", "1")).await, "DCS.4842");
    let line = format!("GET /v1.0/{{p}}/instances/{NOBODYS}/configs");
    assert_eq!(refused(&world, &line, &Value::Null).await, "DCS.4022");
}

#[tokio::test]
async fn a_password_of_v2_has_one_thing_wrong_with_it() {
    let world = World::new().await;
    let id = single(&world, "dcs-one").await;
    let line = format!("PUT /v2/{{p}}/instances/{id}/password");
    for (body, code) in [
        (json!({"new_password": "Second_Pw2"}), "DCS.4062"),
        (json!({"old_password": "First_Pw1", "new_password": "weak"}), "DCS.4019"),
    ] {
        assert_eq!(refused(&world, &line, &body).await, code, "{body}");
    }
    let reset = format!("POST /v2/{{p}}/instances/{id}/password/reset");
    assert_eq!(world.call(&reset, &json!({"no_password_access": true})).await.status, 200);
    let body = json!({"old_password": "First_Pw1", "new_password": "Second_Pw2"});
    assert_eq!(refused(&world, &line, &body).await, "DCS.4850");
}

#[tokio::test]
async fn backups_of_v2_are_made_and_restored_or_have_one_thing_wrong_with_them() {
    let world = World::new().await;
    let (id, single) =
        (world.create(json!({"product_id": "OTC_DCS_MS"})).await, single(&world, "dcs-one").await);
    let backups = format!("POST /v2/{{p}}/instances/{id}/backups");
    let made = world.call(&backups, &json!({"remark": "001"})).await;
    assert_eq!(made.status, 200, "{}", made.body);
    let restores = format!("POST /v2/{{p}}/instances/{id}/restores");
    let body = json!({"backup_id": made.body["backup_id"], "remark": "again"});
    assert_eq!(world.call(&restores, &body).await.status, 200);
    let long = "x".repeat(129);
    for (line, body, code) in [
        (&backups, json!({"remark": long}), "DCS.4098"),
        (&backups, json!({"backup_format": "zip"}), "DCS.4062"),
        (&backups.replace(&id, &single), json!({}), "DCS.4095"),
        (&restores, json!({"backup_id": made.body["backup_id"], "remark": long}), "DCS.4098"),
        (&restores, json!({}), "DCS.4062"),
        (&restores.replace(&id, &single), body, "DCS.4095"),
    ] {
        assert_eq!(refused(&world, line, &body).await, code, "{line} {body}");
    }
    for list in ["backups", "restores"] {
        for (query, code) in [("limit=0", "DCS.4800"), ("begin_time=soon", "DCS.4062")] {
            let line = format!("GET /v2/{{p}}/instances/{id}/{list}?{query}");
            assert_eq!(refused(&world, &line, &Value::Null).await, code, "{line}");
        }
    }
}
