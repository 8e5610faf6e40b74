//! Templates of parameters: those that there always are, and a project's own.

use cloud::store::Store;
use serde_json::{Value, json};

use crate::world::{Setup, World};

async fn get(world: &World, path: &str) -> Value {
    let answered = world.call(&format!("GET /v2/{{p}}/config-templates{path}"), &Value::Null).await;
    assert_eq!(answered.status, 200, "{path}: {}", answered.body);
    answered.body
}

async fn refused(world: &World, line: &str, body: &Value) -> (u16, String) {
    world.call(line, body).await.error_of_v2()
}

fn template(params: Value) -> Value {
    json!({"template_id": "1", "name": "own-template", "type": "sys", "description": "mine", "params": params})
}

#[tokio::test]
async fn every_release_has_a_template_for_each_of_its_forms() {
    let world = World::new().await;
    let body = get(&world, "?type=sys&engine=Redis&engine_version=4.0&cache_mode=single").await;
    let shown = &body["templates"][0];
    assert_eq!(
        (&body["template_num"], &shown["name"]),
        (&json!(1), &json!("Default-Redis-4.0-single-generic-DRAM"))
    );
    let id = shown["template_id"].as_str().unwrap();
    let whole = get(&world, &format!("/{id}?type=sys")).await;
    let timeout = json!({"param_name": "timeout", "param_value": "0"});
    assert!(whole["params"].as_array().unwrap().contains(&timeout), "{whole}");
    assert_eq!(get(&world, "?type=user").await, json!({"template_num": 0, "templates": []}));
    assert_eq!(get(&world, &format!("?template_id={id}")).await["template_num"], 1);
    for (query, code) in [
        ("?limit=0", "DCS.4800"),
        ("?type=ours", "DCS.4062"),
        ("/none", "DCS.4062"),
        ("/1?type=x", "DCS.4062"),
    ] {
        let line = format!("GET /v2/{{p}}/config-templates{query}");
        assert_eq!(refused(&world, &line, &Value::Null).await, (400, code.to_owned()), "{query}");
    }
}

#[tokio::test]
async fn a_project_makes_changes_and_deletes_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let store = || Store::open(directory.path()).unwrap();
    let world = World::with(Setup { store: store(), ..Setup::default() }).await;
    let line = "POST /v2/{p}/config-templates";
    let made = world.call(line, &template(json!({"timeout": "60"}))).await;
    let id = made.body["id"].as_str().unwrap().to_owned();
    world.cloud.close();
    let world = World::with(Setup { store: store(), ..Setup::default() }).await;
    let own = format!("/v2/{{p}}/config-templates/{id}");
    let value = async |name: &str| {
        let shown = get(&world, &format!("/{id}")).await;
        let params = shown["params"].as_array().unwrap();
        params.iter().find(|param| param["param_name"] == name).unwrap()["param_value"].clone()
    };
    assert_eq!(value("timeout").await, "60");
    let change = json!({"name": "other-name", "description": "ours", "params": {"timeout": "70"}});
    let changed = world.call(&format!("PUT {own}"), &change).await;
    assert_eq!((changed.status, &changed.body["result"]), (200, &json!("success")));
    assert_eq!(value("timeout").await, "70");
    let listed = get(&world, "?name=other&type=user&description=our").await;
    assert_eq!(
        (&listed["templates"][0]["template_id"], &listed["templates"][0]["type"]),
        (&json!(id), &json!("user"))
    );
    for (line, body, code) in [
        (line.to_owned(), template(json!({"timeout": "7201"})), "DCS.4066"),
        (line.to_owned(), template(json!({"shoe": "1"})), "DCS.4066"),
        (line.to_owned(), json!({"template_id": "none", "name": "third"}), "DCS.4062"),
        (line.to_owned(), json!({"template_id": "1", "name": "other-name"}), "DCS.4062"),
        (
            line.to_owned(),
            json!({"template_id": "1", "name": "some", "description": "x".repeat(1025)}),
            "DCS.4011",
        ),
        (format!("PUT {own}"), json!({"params": {"timeout": "x"}}), "DCS.4066"),
        (format!("PUT {own}"), json!({"description": "x".repeat(1025)}), "DCS.4011"),
        ("PUT /v2/{p}/config-templates/1".to_owned(), json!({"name": "mine"}), "DCS.4062"),
        ("DELETE /v2/{p}/config-templates/1".to_owned(), Value::Null, "DCS.4062"),
    ] {
        assert_eq!(refused(&world, &line, &body).await, (400, code.to_owned()), "{line} {body}");
    }
    world.cloud.close();
    for (line, body) in [
        (line.to_owned(), template(json!({}))),
        (format!("PUT {own}"), json!({"name": "third"})),
        (format!("DELETE {own}"), Value::Null),
    ] {
        assert_eq!(refused(&world, &line, &body).await, (500, "DCS.5017".to_owned()), "{line}");
    }
    let world = World::with(Setup { store: store(), ..Setup::default() }).await;
    assert_eq!(world.call(&format!("DELETE {own}"), &Value::Null).await.body, json!({"result": "success"}));
    assert_eq!(get(&world, "?type=user").await["template_num"], 0);
}

#[tokio::test]
async fn an_instance_begins_with_the_values_of_its_template() {
    let world = World::new().await;
    let standing = get(&world, "?type=sys&engine_version=5.0&cache_mode=ha").await;
    let template = json!({
        "template_id": standing["templates"][0]["template_id"], "name": "tmpl-a", "type": "sys",
        "params": {"timeout": "33"},
    });
    let made = world.call("POST /v2/{p}/config-templates", &template).await;
    let id = made.body["id"].as_str().unwrap_or_else(|| panic!("{}", made.body)).to_owned();
    let order = |template: &str, spec_code: &str| {
        json!({
            "name": "dcs-a", "engine": "Redis", "engine_version": "5.0", "capacity": 2, "spec_code": spec_code,
            "az_codes": ["my-kualalumpur-1a"], "vpc_id": "v", "subnet_id": "s", "password": "First_Pw1",
            "template_id": template,
        })
    };
    let line = "POST /v2/{p}/instances";
    for (template, spec_code) in
        [(id.as_str(), "redis.single.xu1.large.2"), ("99", "redis.ha.xu1.large.r2.2")]
    {
        let refused = world.call(line, &order(template, spec_code)).await;
        assert_eq!(refused.error_of_v2(), (400, "DCS.4062".to_owned()), "{template} {spec_code}");
    }
    let created = world.call(line, &order(&id, "redis.ha.xu1.large.r2.2")).await;
    assert_eq!(created.status, 200, "{}", created.body);
    let node = world.nodes.nodes().remove(0);
    let told =
        |name: &str| node.parameters.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone());
    assert_eq!(told("timeout").as_deref(), Some("33"));
    assert_eq!(told("notify-keyspace-events").as_deref(), Some("Ex"));
}
