//! Deleting instances by the dozen.

use crate::world::{PROJECT, World};
use serde_json::{Value, json};

const NOBODYS: &str = "00000000-0000-4000-8000-000000000000";

async fn exists(world: &World, id: &str) -> bool {
    world.call(&format!("GET /v1.0/{{p}}/instances/{id}"), &Value::Null).await.status == 200
}

#[tokio::test]
async fn each_instance_has_a_result_of_its_own() {
    let world = World::new().await;
    let (a, b) = (world.create(json!({"name": "dcs-a"})).await, world.create(json!({"name": "dcs-b"})).await);
    for line in ["DELETE /v1.0/{p}/instances?allFailure=false", "DELETE /v2/{p}/instances"] {
        let c = world.create(json!({"name": "dcs-c"})).await;
        let answered = world.call(line, &json!({"instances": [c, NOBODYS]})).await;
        assert_eq!(answered.status, 200);
        let results =
            json!([{"instance": c, "result": "success"}, {"instance": NOBODYS, "result": "failed"}]);
        assert_eq!(answered.body["results"], results);
        assert!(!exists(&world, &c).await && exists(&world, &a).await && exists(&world, &b).await);
    }
}

#[tokio::test]
async fn those_that_could_not_be_created_go_together() {
    let world = World::new().await;
    for line in ["DELETE /v1.0/{p}/instances?allFailure=true", "DELETE /v2/{p}/instances?all_failure=true"] {
        let kept = world.create(json!({"name": "dcs-kept"})).await;
        world.nodes.be_silent(true);
        let failed = world.create(json!({"name": "dcs-failed"})).await;
        world.nodes.be_silent(false);
        assert_eq!(world.show(&failed).await["status"], "CREATEFAILED");
        assert_eq!(world.call(line, &Value::Null).await.status, 204);
        assert!(!exists(&world, &failed).await && exists(&world, &kept).await);
        world.call(&format!("DELETE /v1.0/{{p}}/instances/{kept}"), &Value::Null).await;
    }
}

#[tokio::test]
async fn what_names_no_instances_or_too_many_is_refused() {
    let world = World::new().await;
    let line = "DELETE /v1.0/{p}/instances";
    for nothing in [Value::Null, json!({}), json!({"instances": []}), json!({"instances": null})] {
        assert_eq!(world.call(line, &nothing).await.error(), (400, "DCS.4065".to_owned()), "{nothing}");
    }
    assert_eq!(world.call(line, &json!({"instances": ["x"]})).await.error(), (400, "DCS.4065".to_owned()));
    let many = vec![NOBODYS; 51];
    assert_eq!(world.call(line, &json!({"instances": many})).await.error(), (400, "DCS.4100".to_owned()));
    let broken = world.ask(&line.replace("{p}", PROJECT), &[("x-auth-token", &world.token)], "[").await;
    assert_eq!(broken.error(), (400, "DCS.4005".to_owned()));
}
