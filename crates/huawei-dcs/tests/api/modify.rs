//! What is known of an instance, changed.

use crate::world::{Answered, Setup, World};
use cloud::store::Store;
use cloud::task::Profile;
use serde_json::{Value, json};

async fn modify(world: &World, id: &str, changes: Value) -> Answered {
    world.call(&format!("PUT /v1.0/{{p}}/instances/{id}"), &changes).await
}

#[tokio::test]
async fn the_examples_of_section_4_6_change_what_they_name() {
    let world = World::new().await;
    let id = world.create(json!({"name": "dcs-pair", "product_id": "OTC_DCS_MS"})).await;
    assert_eq!(modify(&world, &id, json!({"description": "instance description"})).await.status, 204);
    let shown = world.show(&id).await;
    assert_eq!((&shown["description"], &shown["name"]), (&json!("instance description"), &json!("dcs-pair")));
    let second = json!({
        "name": "dcs002",
        "description": "instance description",
        "instance_backup_policy": {
            "backup_type": "auto",
            "save_days": 1,
            "periodical_backup_plan": {
                "begin_at": "00:00-01:00",
                "period_type": "weekly",
                "backup_at": ["1", "2", "3", "4", "6", "7"],
            },
        },
        "security_group_id": "18e9309f-f81a-4749-bb21-f74576292162",
        "maintain_begin": "02:00:00",
        "maintain_end": "06:00:00",
    });
    assert_eq!(modify(&world, &id, second.clone()).await.status, 204);
    let shown = world.show(&id).await;
    for field in ["name", "description", "security_group_id", "maintain_begin", "maintain_end"] {
        assert_eq!(shown[field], second[field], "{field}");
    }
    let policy = &shown["instance_backup_policy"];
    assert_eq!(policy["periodical_backup_plan"]["backup_at"], json!([1, 2, 3, 4, 6, 7]));
    assert_eq!((&policy["save_days"], &policy["backup_type"]), (&json!(1), &json!("auto")));
    // The name is free for others now, and a description can be taken back.
    world.create(json!({"name": "dcs-pair"})).await;
    assert_eq!(modify(&world, &id, json!({"description": ""})).await.status, 204);
    assert_eq!(world.show(&id).await["description"], Value::Null);
}

#[tokio::test]
async fn a_change_that_does_not_fit_is_refused_and_nothing_changes() {
    let world = World::new().await;
    let id = world.create(json!({})).await;
    world.create(json!({"name": "dcs-other"})).await;
    let before = world.show(&id).await;
    let long = "x".repeat(1025);
    for (changes, code) in [
        (json!({"name": "dcs-other"}), "DCS.4060"),
        (json!({"name": "1abc"}), "DCS.4010"),
        (json!({"name": "abc"}), "DCS.4010"),
        (json!({"description": long}), "DCS.4011"),
        (json!({"maintain_begin": "02:00:00"}), "DCS.4106"),
        (json!({"maintain_begin": "02:00:00", "maintain_end": "07:00:00"}), "DCS.4106"),
        (json!({"name": "dcs-new", "security_group_id": "a b"}), "DCS.4014"),
        (json!({"instance_backup_policy": {"backup_type": "manual"}}), "DCS.4062"),
        (Value::Null, "DCS.4004"),
    ] {
        assert_eq!(modify(&world, &id, changes.clone()).await.error(), (400, code.to_owned()), "{changes}");
    }
    assert_eq!(world.show(&id).await, before);
    // Its own name is no other's.
    assert_eq!(modify(&world, &id, json!({"name": "dcs-a11e", "instance_id": id})).await.status, 204);
    let later = world
        .create(json!({"name": "dcs-later", "engine_version": "5.0", "capacity": 2,
        "product_id": "-", "spec_code": "redis.single.xu1.large.2"}))
        .await;
    let same = json!({"security_group_id": "1477393a-29c9-4de5-843f-18ef51257c7e"});
    assert_eq!(modify(&world, &later, same).await.status, 204);
    let other = json!({"security_group_id": "18e9309f-f81a-4749-bb21-f74576292162"});
    assert_eq!(modify(&world, &later, other).await.error(), (400, "DCS.4014".to_owned()));
    let nobodys = modify(&world, "00000000-0000-4000-8000-000000000000", json!({})).await;
    assert_eq!(nobodys.error(), (404, "DCS.4022".to_owned()));
}

#[tokio::test]
async fn an_instance_at_work_is_changed_later() {
    let world = World::with(Setup { profile: Profile::Stepped, ..Setup::default() }).await;
    let id = world.create(json!({})).await;
    let busy = modify(&world, &id, json!({"name": "dcs-new"})).await;
    assert_eq!(busy.error(), (400, "DCS.4118".to_owned()));
    let tags = json!({"action": "create", "tags": [{"key": "a", "value": ""}]});
    let busy = world.call(&format!("POST /v1.0/{{p}}/dcs/{id}/tags/action"), &tags).await;
    assert_eq!(busy.error(), (400, "DCS.4118".to_owned()));
}

#[tokio::test]
async fn a_change_is_in_the_store_when_it_is_answered() {
    let directory = tempfile::tempdir().unwrap();
    let setup = Setup { store: Store::open(directory.path()).unwrap(), ..Setup::default() };
    let world = World::with(setup).await;
    let id = world.create(json!({})).await;
    assert_eq!(modify(&world, &id, json!({"name": "dcs-new"})).await.status, 204);
    world.cloud.close();
    let refused = modify(&world, &id, json!({"name": "dcs-never"})).await;
    assert_eq!(refused.error(), (500, "DCS.5017".to_owned()));
    assert_eq!(world.show(&id).await["name"], "dcs-new");
    let (store, contents) = Store::open(directory.path()).unwrap();
    assert_eq!(contents.instances[0].name, "dcs-new");
    drop(store);
}
