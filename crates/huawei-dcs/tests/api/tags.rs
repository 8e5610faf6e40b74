//! Tags of instances.

use crate::world::{Answered, World};
use serde_json::{Value, json};

async fn act(world: &World, id: &str, action: &str, tags: Value) -> Answered {
    let body = json!({"action": action, "tags": tags});
    world.call(&format!("POST /v1.0/{{p}}/dcs/{id}/tags/action"), &body).await
}

async fn tags(world: &World, line: &str) -> Value {
    let answered = world.call(line, &Value::Null).await;
    assert_eq!(answered.status, 200, "{}", answered.body);
    answered.body["tags"].clone()
}

#[tokio::test]
async fn tags_come_and_go_and_are_listed() {
    let world = World::new().await;
    let id = world.create(json!({"tags": [{"key": "dcs001", "value": "001"}]})).await;
    let other = world.create(json!({"name": "dcs-b", "tags": [{"key": "dcs001", "value": "x"}]})).await;
    let example = json!([{"key": "dcs001", "value": "002"}, {"key": "dcs003", "value": "004"}]);
    let answered = act(&world, &id, "create", example.clone()).await;
    assert_eq!((answered.status, &answered.body), (200, &Value::Null));
    assert_eq!(tags(&world, &format!("GET /v1.0/{{p}}/instances/{id}/tags")).await, example);
    assert_eq!(world.show(&id).await["tags"], example);
    let all = json!([{"key": "dcs001", "values": ["002", "x"]}, {"key": "dcs003", "values": ["004"]}]);
    assert_eq!(tags(&world, "GET /v1.0/{p}/dcs/tags").await, all);
    // One with another value stays; the one without goes whatever its value is.
    let gone = json!([{"key": "dcs001", "value": "other"}, {"key": "dcs003"}, {"key": "nobodys"}]);
    assert_eq!(act(&world, &id, "delete", gone).await.status, 200);
    assert_eq!(world.show(&id).await["tags"], json!([{"key": "dcs001", "value": "002"}]));
    assert_eq!(act(&world, &id, "create", json!([{"key": 7, "value": ""}])).await.status, 200);
    let shown = json!([{"key": "dcs001", "value": "002"}, {"key": "7", "value": ""}]);
    assert_eq!(world.show(&id).await["tags"], shown);
    let listed = world.call("GET /v1.0/{p}/instances?tags=dcs001=002,7=", &Value::Null).await;
    assert_eq!(
        (&listed.body["instance_num"], &listed.body["instances"][0]["instance_id"]),
        (&json!(1), &json!(id))
    );
    assert_eq!(world.show(&other).await["tags"], json!([{"key": "dcs001", "value": "x"}]));
}

#[tokio::test]
async fn limits_are_kept() {
    let world = World::new().await;
    let id = world.create(json!({})).await;
    let long = |chars: usize| "é".repeat(chars);
    for (action, sent) in [
        ("replace", json!([{"key": "a", "value": "b"}])),
        ("create", json!([])),
        ("create", json!([{"key": "", "value": "b"}])),
        ("create", json!([{"value": "b"}])),
        ("create", json!([{"key": "a"}])),
        ("create", json!([{"key": long(37), "value": "b"}])),
        ("create", json!([{"key": "a", "value": long(44)}])),
        ("create", json!([{"key": "a", "value": "b"}, {"key": "a", "value": "c"}])),
        ("delete", json!([{"key": long(37)}])),
    ] {
        let refused = act(&world, &id, action, sent.clone()).await;
        assert_eq!(refused.error(), (400, "DCS.4062".to_owned()), "{sent}");
    }
    assert_eq!(act(&world, &id, "create", json!([{"key": long(36), "value": long(43)}])).await.status, 200);
    let many = |from: usize, to: usize| {
        (from..to).map(|number| json!({"key": format!("k{number}"), "value": ""})).collect::<Value>()
    };
    assert_eq!(act(&world, &id, "create", many(0, 19)).await.status, 200);
    let refused = act(&world, &id, "create", many(18, 20)).await;
    assert_eq!(refused.error(), (400, "DCS.4039".to_owned()));
    assert_eq!(world.show(&id).await["tags"].as_array().unwrap().len(), 20);
    let nobodys = act(&world, "00000000-0000-4000-8000-000000000000", "create", many(0, 1)).await;
    assert_eq!(nobodys.error(), (404, "DCS.4022".to_owned()));
}

/// Table 9-9: v2 has no need of them.
#[tokio::test]
async fn an_action_of_v2_without_tags_does_nothing() {
    let world = World::new().await;
    let id = world.create(json!({"tags": [{"key": "a", "value": "b"}]})).await;
    let line = format!("POST /v2/{{p}}/dcs/{id}/tags/action");
    for action in ["create", "delete"] {
        assert_eq!(world.call(&line, &json!({"action": action})).await.status, 204);
    }
    assert_eq!(world.show(&id).await["tags"], json!([{"key": "a", "value": "b"}]));
    let first = act(&world, &id, "create", Value::Null).await;
    assert_eq!(first.error(), (400, "DCS.4062".to_owned()));
}
