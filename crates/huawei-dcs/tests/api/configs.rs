//! The parameters of instances: what is told, what may be changed, and what the nodes are told.

use crate::world::{Answered, Setup, World};
use cloud::store::Store;
use cloud::task::Profile;
use serde_json::{Value, json};

const PAIR: &str = "OTC_DCS_MS";

async fn pair(world: &World) -> String {
    world.create(json!({"name": "dcs-pair", "product_id": PAIR})).await
}

async fn put(world: &World, version: &str, id: &str, items: &[(u32, &str, &str)]) -> Answered {
    let items: Vec<_> = items
        .iter()
        .map(
            |(id, name, value)| json!({"param_id": id.to_string(), "param_name": name, "param_value": value}),
        )
        .collect();
    let line = format!("PUT /{version}/{{p}}/instances/{id}/configs");
    world.call(&line, &json!({"redis_config": items})).await
}

async fn get(world: &World, version: &str, id: &str) -> Value {
    let answered = world.call(&format!("GET /{version}/{{p}}/instances/{id}/configs"), &Value::Null).await;
    assert_eq!(answered.status, 200, "{}", answered.body);
    answered.body
}

fn value<'a>(shown: &'a Value, name: &str) -> &'a Value {
    let all = shown["redis_config"].as_array().unwrap();
    &all.iter().find(|parameter| parameter["param_name"] == name).unwrap()["param_value"]
}

/// What the one node that runs is told.
fn told(world: &World, name: &str) -> Option<String> {
    let node = world.nodes.nodes().remove(0);
    node.parameters.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone())
}

#[tokio::test]
async fn a_pair_of_the_first_release_has_all_of_the_table() {
    let world = World::new().await;
    let id = pair(&world).await;
    let shown = get(&world, "v1.0", &id).await;
    let rows: Vec<_> = shown["redis_config"]
        .as_array()
        .unwrap()
        .iter()
        .map(|parameter| {
            let text = |name: &str| parameter[name].as_str().unwrap().to_owned();
            assert_eq!(parameter["param_value"], parameter["default_value"]);
            assert_eq!(parameter["node_role"], Value::Null);
            (
                parameter["param_id"].as_u64().unwrap(),
                text("param_name"),
                text("default_value"),
                text("value_type"),
                text("value_range"),
            )
        })
        .collect();
    let policies = "volatile-lru,allkeys-lru,volatile-random,allkeys-random,volatile-ttl,noeviction";
    let expected = [
        (2, "maxmemory-policy", "noeviction", "String", policies),
        (3, "hash-max-ziplist-entries", "512", "Integer", "1-10000"),
        (4, "hash-max-ziplist-value", "64", "Integer", "1-10000"),
        (5, "list-max-ziplist-entries", "512", "Integer", "1-10000"),
        (6, "list-max-ziplist-value", "64", "Integer", "1-10000"),
        (7, "set-max-intset-entries", "512", "Integer", "1-10000"),
        (8, "zset-max-ziplist-entries", "128", "Integer", "1-10000"),
        (9, "zset-max-ziplist-value", "64", "Integer", "1-10000"),
        (1, "timeout", "0", "Integer", "0-7200"),
        (10, "latency-monitor-threshold", "0", "Integer", "0-86400000"),
        // Half of the 1.5 GB that 2 GB give.
        (12, "reserved-memory", "0", "Integer", "0-768"),
        (13, "notify-keyspace-events", "Ex", "regular", "([KE]+([A]|[g$lshzxe]+)){0,11}"),
    ];
    let expected = expected.map(|(id, name, default, kind, range)| {
        (id, name.to_owned(), default.to_owned(), kind.to_owned(), range.to_owned())
    });
    assert_eq!(rows, expected);
    for (name, expected) in [
        ("status", json!("RUNNING")),
        ("instance_id", json!(id)),
        ("config_status", json!("SUCCESS")),
        ("config_time", json!("")),
        ("cluster_v1", json!(false)),
    ] {
        assert_eq!(shown[name], expected, "{name}");
    }
    assert_eq!(told(&world, "notify-keyspace-events").as_deref(), Some("Ex"));
}

#[tokio::test]
async fn each_version_writes_numbers_in_its_own_way() {
    let world = World::new().await;
    let id = pair(&world).await;
    assert_eq!(get(&world, "v1.0", &id).await["redis_config"][0]["param_id"], 2);
    let second = get(&world, "v2", &id).await;
    assert_eq!(second["redis_config"][0]["param_id"], "2");
    assert_eq!(second.get("cluster_v1"), None);
}

#[tokio::test]
async fn what_is_changed_is_told_to_the_node_and_shown() {
    let world = World::new().await;
    let id = pair(&world).await;
    world.clock.advance(5_000);
    for version in ["v1.0", "v2"] {
        let changed =
            put(&world, version, &id, &[(1, "timeout", "100"), (13, "notify-keyspace-events", "Kl")]).await;
        assert_eq!(changed.status, 204, "{}", changed.body);
    }
    let shown = get(&world, "v1.0", &id).await;
    assert_eq!(
        (value(&shown, "timeout"), value(&shown, "notify-keyspace-events")),
        (&json!("100"), &json!("Kl"))
    );
    assert_eq!(
        (&shown["config_status"], &shown["config_time"]),
        (&json!("SUCCESS"), &json!("2026-11-22T06:14:57.000Z"))
    );
    assert_eq!(told(&world, "timeout").as_deref(), Some("100"));
    // An empty text stands for the default, also as a number and left out.
    let line = format!("PUT /v1.0/{{p}}/instances/{id}/configs");
    for item in [json!(""), Value::Null] {
        put(&world, "v1.0", &id, &[(13, "notify-keyspace-events", "KEA")]).await;
        let item = json!({"param_id": 13, "param_name": "notify-keyspace-events", "param_value": item});
        assert_eq!(world.call(&line, &json!({"redis_config": [item]})).await.status, 204);
        assert_eq!(value(&get(&world, "v1.0", &id).await, "notify-keyspace-events"), "Ex");
    }
    // What was set is there when it begins again.
    let restart = json!({"action": "restart", "instances": [id]});
    assert_eq!(world.call("PUT /v1.0/{p}/instances/status", &restart).await.status, 200);
    assert_eq!(told(&world, "timeout").as_deref(), Some("100"));
}

#[tokio::test]
async fn memory_is_reserved_up_to_half_and_no_more_than_is_free() {
    let world = World::new().await;
    let id = pair(&world).await;
    let limit = || world.nodes.nodes()[0].memory_limit_bytes;
    let all = limit();
    assert_eq!(put(&world, "v1.0", &id, &[(12, "reserved-memory", "500")]).await.status, 204);
    assert_eq!(limit(), all - (500 << 20));
    assert_eq!(value(&get(&world, "v1.0", &id).await, "reserved-memory"), "500");
    let too_much = put(&world, "v1.0", &id, &[(12, "reserved-memory", "769")]).await;
    assert_eq!(too_much.error(), (400, "DCS.4066".to_owned()));
    world.nodes.hold(1 << 30);
    let not_free = put(&world, "v1.0", &id, &[(12, "reserved-memory", "600")]).await;
    assert_eq!(not_free.error(), (400, "DCS.4105".to_owned()));
    assert_eq!(limit(), all - (500 << 20));
}

#[tokio::test]
async fn what_is_no_parameter_or_no_value_changes_nothing() {
    let world = World::new().await;
    let id = pair(&world).await;
    let later = json!({"name": "dcs-later", "engine_version": "5.0", "product_id": "-", "spec_code": "redis.single.xu1.large.2"});
    let later = world.create(later).await;
    for (items, code) in [
        (&[(1, "timeout", "7201")][..], "DCS.4066"),
        (&[(1, "timeout", "")], "DCS.4066"),
        (&[(1, "timeout", "-1")], "DCS.4066"),
        (&[(2, "timeout", "1")], "DCS.4066"),
        (&[(2, "maxmemory-policy", "lru")], "DCS.4066"),
        (&[(3, "hash-max-ziplist-entries", "0")], "DCS.4066"),
        (&[(13, "notify-keyspace-events", "AKEx")], "DCS.4066"),
        (&[(14, "maxclients", "1")], "DCS.4066"),
        (&[(1, "timeout", "1"), (3, "hash-max-ziplist-entries", "x")], "DCS.4066"),
        (&[(1, "timeout", "1"), (1, "timeout", "2")], "DCS.4066"),
        (&[], "DCS.4062"),
    ] {
        assert_eq!(put(&world, "v1.0", &id, items).await.error(), (400, code.to_owned()), "{items:?}");
    }
    assert_eq!(value(&get(&world, "v1.0", &id).await, "timeout"), "0");
    // Lists of later releases are kept in another way, and a single node reserves nothing.
    for (number, name) in [(5, "list-max-ziplist-entries"), (12, "reserved-memory")] {
        let refused = put(&world, "v2", &later, &[(number, name, "100")]).await;
        assert_eq!(refused.error_of_v2(), (400, "DCS.4066".to_owned()), "{name}");
        assert_eq!(refused.body["error_msg"], format!("Invalid value of the configure parameter {name}."));
    }
    let line = format!("PUT /v1.0/{{p}}/instances/{id}/configs");
    for body in
        [json!({}), json!({"redis_config": "x"}), json!({"redis_config": [{"param_name": "timeout"}]})]
    {
        assert_eq!(world.call(&line, &body).await.error(), (400, "DCS.4062".to_owned()), "{body}");
    }
    let nobodys = "00000000-0000-4000-8000-000000000000";
    assert_eq!(
        put(&world, "v1.0", nobodys, &[(1, "timeout", "1")]).await.error(),
        (404, "DCS.4022".to_owned())
    );
    let answered = world.call(&format!("GET /v2/{{p}}/instances/{nobodys}/configs"), &Value::Null).await;
    assert_eq!(answered.error_of_v2(), (404, "DCS.4022".to_owned()));
}

#[tokio::test]
async fn a_change_takes_its_time_and_keeps_others_out() {
    let world = World::with(Setup { profile: Profile::Realistic, ..Setup::default() }).await;
    let id = pair(&world).await;
    let line = format!("PUT /v2/{{p}}/instances/{id}/async-configs");
    let body = json!({"redis_config": [{"param_id": "1", "param_name": "timeout", "param_value": "9"}]});
    assert_eq!(world.call(&line, &body).await.error_of_v2(), (400, "DCS.4118".to_owned()));
    world.clock.advance(60_000);
    world.settle(&id).await;
    let begun = world.call(&line, &body).await;
    assert_eq!(begun.status, 200, "{}", begun.body);
    let shown = get(&world, "v1.0", &id).await;
    assert_eq!((&shown["config_status"], value(&shown, "timeout")), (&json!("UPDATING"), &json!("0")));
    assert_eq!(world.show(&id).await["task"], begun.body["job_id"]);
    assert_eq!(put(&world, "v1.0", &id, &[(1, "timeout", "1")]).await.error(), (500, "DCS.4069".to_owned()));
    let deleted = world.call(&format!("DELETE /v1.0/{{p}}/instances/{id}"), &Value::Null).await;
    assert_eq!(deleted.error(), (400, "DCS.4114".to_owned()));
    world.clock.advance(5_000);
    world.settle(&id).await;
    let shown = get(&world, "v1.0", &id).await;
    assert_eq!((&shown["config_status"], value(&shown, "timeout")), (&json!("SUCCESS"), &json!("9")));
}

#[tokio::test]
async fn a_change_that_fails_is_told_as_such_and_changes_nothing() {
    let world = World::new().await;
    let id = pair(&world).await;
    world.nodes.be_stubborn(true);
    assert_eq!(put(&world, "v1.0", &id, &[(1, "timeout", "1")]).await.error(), (500, "DCS.4842".to_owned()));
    let shown = get(&world, "v1.0", &id).await;
    assert_eq!((&shown["config_status"], value(&shown, "timeout")), (&json!("FAILURE"), &json!("0")));
    let body = json!({"redis_config": [{"param_id": "1", "param_name": "timeout", "param_value": "1"}]});
    let line = format!("PUT /v2/{{p}}/instances/{id}/async-configs");
    assert_eq!(world.call(&line, &body).await.error_of_v2(), (500, "DCS.4842".to_owned()));
}

#[tokio::test]
async fn what_was_set_outlives_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let id = {
        let world =
            World::with(Setup { store: Store::open(directory.path()).unwrap(), ..Setup::default() }).await;
        let id = pair(&world).await;
        assert_eq!(put(&world, "v1.0", &id, &[(1, "timeout", "77")]).await.status, 204);
        world.cloud.close();
        assert_eq!(
            put(&world, "v1.0", &id, &[(1, "timeout", "1")]).await.error(),
            (500, "DCS.5017".to_owned())
        );
        id
    };
    let world =
        World::with(Setup { store: Store::open(directory.path()).unwrap(), ..Setup::default() }).await;
    assert_eq!(value(&get(&world, "v1.0", &id).await, "timeout"), "77");
    assert_eq!(told(&world, "timeout").as_deref(), Some("77"));
}
