//! Instances that are restarted and flushed, counted and measured.

use cloud::task::Profile;
use serde_json::{Value, json};

use crate::world::{Answered, Setup, World};

const NOBODYS: &str = "00000000-0000-4000-8000-000000000000";

async fn change(world: &World, version: &str, action: &str, ids: &[&str]) -> Answered {
    let body = json!({"action": action, "instances": ids});
    world.call(&format!("PUT /{version}/{{p}}/instances/status"), &body).await
}

fn results(answered: &Answered) -> Vec<(&str, &str)> {
    assert_eq!(answered.status, 200, "{}", answered.body);
    let results = answered.body["results"].as_array().unwrap().iter();
    results.map(|item| (item["instance"].as_str().unwrap(), item["result"].as_str().unwrap())).collect()
}

/// An instance of release 5.0.
async fn late(world: &World, name: &str) -> String {
    let code = "redis.single.xu1.large.2";
    let order = json!({"name": name, "engine_version": "5.0", "product_id": "-", "spec_code": code, "security_group_id": "-"});
    world.create(order).await
}

#[tokio::test]
async fn each_instance_has_its_own_result() {
    let world = World::new().await;
    let (early, late) = (world.create(json!({})).await, late(&world, "dcs-late").await);
    for version in ["v1.0", "v2"] {
        let restarted = change(&world, version, "restart", &[&late, NOBODYS, &early]).await;
        assert_eq!(results(&restarted), [(&*late, "success"), (NOBODYS, "failed"), (&early, "success")]);
        let flushed = change(&world, version, "flush", &[&early, &late]).await;
        assert_eq!(results(&flushed), [(&*early, "failed"), (&late, "success")], "3.0 cannot be flushed");
    }
    let flushed: Vec<_> = world.nodes.flushed().into_iter().map(|node| node.0).collect();
    assert_eq!(flushed, [late.clone(), late.clone()]);
    assert_eq!(world.show(&late).await["status"], "RUNNING");
}

#[tokio::test]
async fn what_is_asked_for_must_be_there() {
    let world = World::new().await;
    let id = world.create(json!({})).await;
    assert_eq!(change(&world, "v1.0", "stop", &[&id]).await.error(), (400, "DCS.4064".to_owned()));
    assert_eq!(change(&world, "v1.0", "restart", &[]).await.error(), (400, "DCS.4065".to_owned()));
    assert_eq!(change(&world, "v1.0", "restart", &["x"]).await.error(), (400, "DCS.4065".to_owned()));
    assert_eq!(change(&world, "v2", "stop", &[&id]).await.error_of_v2(), (400, "DCS.4064".to_owned()));
    assert_eq!(change(&world, "v2", "restart", &[]).await.error_of_v2(), (400, "DCS.4065".to_owned()));
}

#[tokio::test]
async fn the_states_are_counted() {
    let world = World::with(Setup { profile: Profile::Realistic, ..Setup::default() }).await;
    late(&world, "dcs-made").await;
    let count = |query: &'static str| {
        let world = &world;
        async move { world.call(&format!("GET /v1.0/{{p}}/instances/status{query}"), &Value::Null).await.body }
    };
    assert_eq!(count("").await["creating_count"], 1);
    world.nodes.be_silent(true);
    world.clock.advance(60_000);
    let failed = "?includeFailure=true";
    let mut counted = count(failed).await;
    while counted["createfailed_count"] != 1 {
        tokio::task::yield_now().await;
        counted = count(failed).await;
    }
    assert_eq!(counted["creating_count"], 0);
    assert_eq!(count("").await["createfailed_count"], 0, "failures are told to those who ask");
    assert_eq!(count("?includeFailure=false").await["createfailed_count"], 0);
}

#[tokio::test]
async fn what_runs_is_measured() {
    let world = World::new().await;
    let id = world.create(json!({})).await;
    world.nodes.be_silent(true);
    world.create(json!({"name": "dcs-broken"})).await;
    world.clock.advance(10_000);
    for version in ["v1.0", "v2"] {
        let answered = world.call(&format!("GET /{version}/{{p}}/instances/statistic"), &Value::Null).await;
        let expected = json!({
            "keys": 7,
            "instance_id": id,
            "used_memory": 33,
            "max_memory": 1536,
            "cmd_get_count": 5,
            "cmd_set_count": 3,
            "used_cpu": "2.5",
            "input_kbps": "1.6",
            "output_kbps": "0.0",
        });
        assert_eq!(answered.body, json!({"statistics": [expected]}));
    }
}
