//! What there is after an example whose answer has no body, or tells little: what it asked for has come about.

use serde_json::{Value, json};

use super::scene::Scene;

/// Sees that what an example asked for with this body, as it was sent, is so.
pub(super) async fn is_there(example: &str, scene: &Scene, sent: &Value) {
    let world = &scene.world;
    let id = || scene.here("{instance_id}");
    match example {
        "4.2" | "4.3" => {
            let left = world.call("GET /v1.0/{p}/instances?includeFailure=true", &Value::Null).await;
            assert_eq!(left.body["instance_num"], 0, "{example}");
        }
        "4.6-1" | "4.6-2" => {
            let shown = world.show(id()).await;
            for (name, value) in sent.as_object().unwrap() {
                let mut expected = value.clone();
                if name == "instance_backup_policy" {
                    let plan = &mut expected["periodical_backup_plan"];
                    // Days are texts in the request; a zone is shown where there is none.
                    plan["backup_at"] = json!([1, 2, 3, 4, 6, 7]);
                    plan["timezone_offset"] = Value::Null;
                }
                assert_eq!(shown[name], expected, "{example} {name}");
            }
        }
        "4.7" => {
            let shown = world.show(id()).await;
            let told = json!({"spec_code": shown["resource_spec_code"], "new_capacity": shown["capacity"]});
            assert_eq!(&told, sent);
        }
        "5.4-1" | "5.4-2" => {
            let [node] = &world.nodes.nodes()[..] else { panic!("one instance has one node") };
            let cloud::instance::Access::Password(password) = &node.access else { panic!("it has one") };
            let new = sent["new_password"].as_str().unwrap();
            assert_eq!(password.is(new), example == "5.4-1", "{example}");
        }
        "6.1" => {
            let line = format!("GET /v1.0/{{p}}/instances/{}/configs", id());
            let shown = world.call(&line, &Value::Null).await.body;
            let parameters = shown["redis_config"].as_array().unwrap();
            for wish in sent["redis_config"].as_array().unwrap() {
                let is_meant = |shown: &&Value| shown["param_name"] == wish["param_name"];
                let shown = parameters.iter().find(is_meant).unwrap();
                assert_eq!(shown["param_value"], wish["param_value"]);
            }
        }
        "8.2" => assert_eq!(world.nodes.restored().len(), 1),
        "8.5" => {
            let line = format!("GET /v1.0/{{p}}/instances/{}/backups", id());
            let shown = world.call(&line, &Value::Null).await.body;
            assert_eq!(shown["backup_record_response"][0]["status"], "deleted");
        }
        "9.2" | "9.5" => assert_eq!(world.show(id()).await["tags"], sent["tags"], "{example}"),
        _ => {}
    }
}
