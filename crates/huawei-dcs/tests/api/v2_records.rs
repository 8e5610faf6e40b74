//! What is remembered of instances over v2: the tasks of all of them, and the changes of their parameters.

use cloud::task::Profile;
use serde_json::{Value, json};

use crate::world::{Setup, World};

const NOBODYS: &str = "00000000-0000-4000-8000-000000000000";

async fn get(world: &World, path: &str) -> Value {
    let answered = world.call(&format!("GET /v2/{{p}}/{path}"), &Value::Null).await;
    assert_eq!(answered.status, 200, "{path}: {}", answered.body);
    answered.body
}

async fn refused(world: &World, line: &str) -> (u16, String) {
    world.call(line, &Value::Null).await.error_of_v2()
}

#[tokio::test]
async fn tasks_of_all_instances_are_listed_those_of_gone_ones_among_them() {
    let world = World::new().await;
    let (kept, gone) = (world.create(json!({})).await, world.create(json!({"name": "dcs-gone"})).await);
    assert_eq!(world.call(&format!("DELETE /v2/{{p}}/instances/{gone}"), &Value::Null).await.status, 204);
    let body = get(&world, "tasks").await;
    let names: Value = body["tasks"].as_array().unwrap().iter().map(|task| task["name"].clone()).collect();
    assert_eq!((names, &body["task_count"]), (json!(["DELETE", "CREATE", "CREATE"]), &json!("3")));
    let (last, first) = (&body["tasks"][0], &body["tasks"][2]);
    assert_eq!((&last["user_name"], &first["user_name"]), (&json!(null), &json!("demo")));
    assert_eq!(last["job_id"], last["id"]);
    let page = get(&world, "tasks?offset=2&limit=1").await;
    assert_eq!((&page["tasks"][0], &page["tasks"][1]), (first, &json!(null)));
    let id = last["id"].as_str().unwrap();
    let line = format!("DELETE /v2/{{p}}/tasks/{id}");
    let malformed = world.call(&line, &json!({"message": 7})).await;
    assert_eq!(malformed.error_of_v2(), (400, "DCS.4062".to_owned()));
    assert_eq!(world.call(&line, &json!({"message": "old"})).await.status, 204);
    assert_eq!(refused(&world, &line).await, (400, "DCS.4070".to_owned()));
    assert_eq!(get(&world, "tasks").await["task_count"], "2");
    assert_eq!(refused(&world, "GET /v2/{p}/tasks?limit=0").await, (400, "DCS.4800".to_owned()));
    assert_eq!(refused(&world, "GET /v2/{p}/tasks?end_time=soon").await, (400, "DCS.4062".to_owned()));
    let done =
        get(&world, &format!("instances/{kept}/tasks/{}/progress", first["id"].as_str().unwrap())).await;
    let step = json!({
        "step_id": first["id"],
        "step_name": "CREATE",
        "step_status": "SUCCESS",
        "begin_time": first["created_at"],
        "end_time": first["updated_at"],
        "error_code": null,
        "sub_step_details": [],
    });
    assert_eq!(done, json!({"progress": 100, "remain_time": 0, "step_details": [step]}));
}

#[tokio::test]
async fn a_task_at_work_tells_how_far_it_is() {
    let world = World::with(Setup { profile: Profile::Realistic, ..Setup::default() }).await;
    let id = world.create(json!({})).await;
    world.clock.advance(15_000);
    let task = get(&world, "tasks").await["tasks"][0]["id"].as_str().unwrap().to_owned();
    let progress = get(&world, &format!("instances/{id}/tasks/{task}/progress")).await;
    assert_eq!((&progress["progress"], &progress["remain_time"]), (&json!(25), &json!(45)));
    let line = format!("DELETE /v2/{{p}}/tasks/{task}");
    assert_eq!(refused(&world, &line).await, (400, "DCS.4017".to_owned()));
    for (path, error) in [
        (format!("{NOBODYS}/tasks/{task}"), (404, "DCS.4022")),
        (format!("{id}/tasks/{NOBODYS}"), (400, "DCS.4070")),
    ] {
        let line = format!("GET /v2/{{p}}/instances/{path}/progress");
        assert_eq!(refused(&world, &line).await, (error.0, error.1.to_owned()), "{line}");
    }
}

#[tokio::test]
async fn changes_of_parameters_are_remembered() {
    let world = World::new().await;
    let id = world.create(json!({"product_id": "OTC_DCS_MS"})).await;
    let empty = json!({"history_num": 0, "histories": []});
    assert_eq!(get(&world, &format!("instances/{id}/config-histories")).await, empty);
    let line = format!("PUT /v2/{{p}}/instances/{id}/configs");
    let put = async |value: &str| {
        let item = json!({"param_id": "1", "param_name": "timeout", "param_value": value});
        world.call(&line, &json!({"redis_config": [item]})).await.status
    };
    assert_eq!(put("10").await, 204);
    world.nodes.be_stubborn(true);
    assert_eq!(put("20").await, 500);
    let body = get(&world, &format!("instances/{id}/config-histories")).await;
    let histories = body["histories"].as_array().unwrap();
    let statuses: Value = histories.iter().map(|history| history["status"].clone()).collect();
    assert_eq!((statuses, &body["history_num"]), (json!(["FAILURE", "SUCCESS"]), &json!(2)));
    let first = histories[1]["history_id"].as_str().unwrap();
    let change = get(&world, &format!("instances/{id}/config-histories/{first}")).await;
    assert_eq!(change["params"], json!([{"param_name": "timeout", "old_value": "0", "new_value": "10"}]));
    for (path, error) in [
        (format!("{id}/config-histories?limit=0"), (400, "DCS.4800")),
        (format!("{NOBODYS}/config-histories"), (404, "DCS.4022")),
        (format!("{id}/config-histories/x"), (400, "DCS.4062")),
        (format!("{NOBODYS}/config-histories/x"), (404, "DCS.4022")),
    ] {
        let line = format!("GET /v2/{{p}}/instances/{path}");
        assert_eq!(refused(&world, &line).await, (error.0, error.1.to_owned()), "{line}");
    }
}
