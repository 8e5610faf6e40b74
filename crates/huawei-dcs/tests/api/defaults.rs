//! What the documents say that a parameter is if it is left out: a request without it is answered as one with that value.

use serde_json::{Value, json};

use crate::world::{World, order_with};

/// What a request answers; where the world is unchanged the same request is answered alike.
async fn get(world: &World, line: &str) -> Value {
    let answered = world.call(line, &Value::Null).await;
    assert_eq!(answered.status, 200, "{line}: {}", answered.body);
    answered.body
}

#[tokio::test]
async fn lists_have_the_documented_pages_and_filters() {
    let world = World::new().await;
    let id = world.create(json!({"name": "dcs-pair", "product_id": "OTC_DCS_MS"})).await;
    world.nodes.take_port(7000);
    world
        .create(json!({"engine_version": "5.0", "product_id": "redis.single.xu1.large.2-h", "port": 7000}))
        .await;
    for at in 0..1_000 {
        world.create(json!({"name": format!("dcs-pair-{at}")})).await;
    }
    // The tasks of the latest are remembered.
    for _ in 0..11 {
        let line = format!("POST /v1.0/{{p}}/instances/{id}/backups");
        let made = world.call(&line, &json!({})).await;
        let body = json!({"backup_id": made.body["backup_id"]});
        let line = format!("POST /v1.0/{{p}}/instances/{id}/restores");
        assert_eq!(world.call(&line, &body).await.status, 200);
        world.clock.advance(1_000);
    }
    let of = |path: &str| format!("GET /{}", path.replace("{i}", &format!("{{p}}/instances/{id}")));
    for (path, defaults, others) in [
        // Table 4-19.
        (
            "v1.0/{p}/instances?name=dcs-",
            "start=1&limit=1000&includeFailure=false&isExactMatchName=false",
            &["limit=1001", "start=2", "includeFailure=true", "isExactMatchName=true"][..],
        ),
        // Table 5-10.
        ("v1.0/{p}/instances/status?", "includeFailure=false", &["includeFailure=true"]),
        // Tables 8-9 and 8-14.
        ("v1.0/{i}/backups?", "start=1&limit=10", &["limit=11", "start=2"]),
        ("v1.0/{i}/restores?", "start=1&limit=10", &["limit=11", "start=2"]),
        // Lists of v2.
        (
            "v2/{p}/instances?name=dcs-",
            "offset=0&limit=10&include_failure=false&name_equal=false",
            &["limit=11", "offset=1", "include_failure=true", "name_equal=true"],
        ),
        ("v2/{p}/instances/status?", "include_failure=false", &["include_failure=true"]),
        ("v2/{i}/backups?", "offset=0&limit=10", &["limit=11", "offset=1"]),
        ("v2/{i}/restores?", "offset=0&limit=10", &["limit=11", "offset=1"]),
        ("v2/{i}/tasks?", "offset=0&limit=10", &["limit=11", "offset=1"]),
        ("v2/{p}/tasks?", "offset=0&limit=10", &["limit=11", "offset=1"]),
    ] {
        let without = get(&world, &of(path)).await;
        assert_eq!(get(&world, &format!("{}&{defaults}", of(path))).await, without, "{path}");
        for other in others {
            assert_ne!(get(&world, &format!("{}&{other}", of(path))).await, without, "{path} {other}");
        }
    }
}

/// Tables 4-2 and 4-4, and the table of v2.
#[tokio::test]
async fn orders_have_the_documented_values() {
    let world = World::new().await;
    let plan = json!({"begin_at": "00:00-01:00", "period_type": "weekly", "backup_at": [1]});
    let policy = json!({"save_days": 1, "periodical_backup_plan": plan});
    let pair = json!({"product_id": "OTC_DCS_MS", "instance_backup_policy": policy});
    let shown = world.show(&world.create(pair).await).await;
    assert_eq!((&shown["maintain_begin"], &shown["maintain_end"]), (&json!("02:00:00"), &json!("06:00:00")));
    assert_eq!(shown["instance_backup_policy"]["backup_type"], "manual");
    assert_eq!(shown["no_password_access"], "false");
    let lacking = world.call("POST /v1.0/{p}/instances", &order_with(json!({"password": "-"}))).await;
    assert_eq!(lacking.error(), (400, "DCS.4845".to_owned()), "a password is needed");

    let mut order = order_with(json!({"name": "dcs-one", "product_id": "-", "available_zones": "-"}));
    order["spec_code"] = "dcs.single_node".into();
    order["az_codes"] = json!(["my-kualalumpur-1a"]);
    let made = world.call("POST /v2/{p}/instances", &order).await;
    assert_eq!(made.status, 200, "{}", made.body);
    let made = made.body["instances"].as_array().unwrap().clone();
    assert_eq!((made.len(), &made[0]["instance_name"]), (1, &json!("dcs-one")));
    let id = made[0]["instance_id"].as_str().unwrap();
    let shown = get(&world, &format!("GET /v2/{{p}}/instances/{id}")).await;
    for (name, value) in [
        ("no_password_access", json!("false")),
        ("charging_mode", json!(0)),
        ("enable_publicip", json!(false)),
        ("enable_ssl", json!(false)),
        ("maintain_begin", json!("02:00:00")),
        ("maintain_end", json!("06:00:00")),
    ] {
        assert_eq!(shown[name], value, "{name}");
    }
}
