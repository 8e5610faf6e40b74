//! Passwords of instances: changed by those who know them, locked against those who guess, and reset.

use crate::world::{Answered, Setup, World};
use cloud::identity::Secret;
use cloud::instance::Access;
use cloud::store::Store;
use cloud::task::Profile;
use serde_json::{Value, json};

const OLD: &str = "First_Pw1";
const NEW: &str = "Second_Pw2";
const MINUTE_MS: u64 = 60_000;

async fn change(world: &World, version: &str, id: &str, old: &str, new: &str) -> Answered {
    let line = format!("PUT /{version}/{{p}}/instances/{id}/password");
    world.call(&line, &json!({"old_password": old, "new_password": new})).await
}

async fn reset(world: &World, id: &str, body: Value) -> Answered {
    world.call(&format!("POST /v2/{{p}}/instances/{id}/password/reset"), &body).await
}

fn access(world: &World) -> Access {
    world.nodes.nodes()[0].access.clone()
}

fn password(text: &str) -> Access {
    Access::Password(Secret::new(text))
}

#[tokio::test]
async fn the_password_is_changed_by_who_knows_it() {
    let world = World::new().await;
    let id = world.create(json!({})).await;
    for (version, old, new, result) in [("v1.0", OLD, NEW, "Success"), ("v2", NEW, OLD, "success")] {
        let changed = change(&world, version, &id, old, new).await;
        let expected = json!({
            "result": result,
            "message": "Modify DCSInstance password success.",
            "retry_times_left": "5",
            "lock_time": "0",
            "lock_time_left": "0",
        });
        assert_eq!((changed.status, changed.body), (200, expected));
        assert_eq!(access(&world), password(new));
    }
}

#[tokio::test]
async fn five_wrong_ones_lock_it_for_five_minutes() {
    let world = World::new().await;
    let id = world.create(json!({})).await;
    for left in ["4", "3", "2", "1", "0"] {
        let refused = change(&world, "v1.0", &id, "Wrong_Pw1", NEW).await;
        let expected = json!({
            "result": "passwordFailed",
            "message": "verify password failed.",
            "retry_times_left": left,
            "lock_time": "5",
            "lock_time_left": "5",
        });
        assert_eq!((refused.status, refused.body), (200, expected));
    }
    for (passed_ms, left) in [(0, "5"), (MINUTE_MS, "4"), (4 * MINUTE_MS - 1, "1")] {
        world.clock.advance(passed_ms);
        let locked = change(&world, "v2", &id, OLD, NEW).await;
        assert_eq!(locked.status, 200);
        assert_eq!(
            (&locked.body["result"], &locked.body["lock_time_left"]),
            (&json!("Locked"), &json!(left))
        );
        assert_eq!((&locked.body["lock_time"], &locked.body["retry_times_left"]), (&json!("5"), &json!("0")));
    }
    assert_eq!(access(&world), password(OLD));
    world.clock.advance(1);
    assert_eq!(change(&world, "v1.0", &id, "Wrong_Pw1", NEW).await.body["retry_times_left"], "4");
    assert_eq!(change(&world, "v1.0", &id, OLD, NEW).await.body["result"], "Success");
    assert_eq!(change(&world, "v1.0", &id, OLD, NEW).await.body["retry_times_left"], "4", "counted anew");
}

#[tokio::test]
async fn a_lock_outlives_the_process_and_ends_with_a_reset() {
    let directory = tempfile::tempdir().unwrap();
    let store = || Store::open(directory.path()).unwrap();
    let id = {
        let world = World::with(Setup { store: store(), ..Setup::default() }).await;
        let id = world.create(json!({})).await;
        for _ in 0..5 {
            change(&world, "v1.0", &id, "Wrong_Pw1", NEW).await;
        }
        world.cloud.close();
        id
    };
    let world = World::with(Setup { store: store(), ..Setup::default() }).await;
    assert_eq!(change(&world, "v1.0", &id, OLD, NEW).await.body["result"], "Locked");
    assert_eq!(reset(&world, &id, json!({"new_password": OLD})).await.status, 200);
    assert_eq!(change(&world, "v1.0", &id, OLD, NEW).await.body["result"], "Success");
    world.cloud.close();
    assert_eq!(change(&world, "v1.0", &id, "Wrong_Pw1", NEW).await.error(), (500, "DCS.5017".to_owned()));
}

#[tokio::test]
async fn a_reset_needs_no_old_password_and_may_leave_none() {
    let world = World::new().await;
    let id = world.create(json!({})).await;
    let done = reset(&world, &id, json!({"new_password": NEW})).await;
    assert_eq!((done.status, &done.body["code"]), (200, &json!("success")));
    assert_eq!(access(&world), password(NEW));
    assert_eq!(reset(&world, &id, json!({"no_password_access": true})).await.status, 200);
    assert_eq!(access(&world), Access::Open);
    assert_eq!(world.show(&id).await["no_password_access"], "true");
    assert_eq!(change(&world, "v1.0", &id, NEW, OLD).await.error(), (400, "DCS.4850".to_owned()));
    let body = json!({"new_password": OLD, "no_password_access": "false"});
    assert_eq!(reset(&world, &id, body).await.status, 200);
    assert_eq!(access(&world), password(OLD));
    for (body, code) in [
        (json!({}), "DCS.4845"),
        (json!({"new_password": ""}), "DCS.4845"),
        (json!({"new_password": "weak"}), "DCS.4019"),
        (json!({"new_password": NEW, "no_password_access": true}), "DCS.4849"),
        (json!({"no_password_access": "maybe"}), "DCS.4843"),
    ] {
        assert_eq!(reset(&world, &id, body.clone()).await.error_of_v2(), (400, code.to_owned()), "{body}");
    }
    assert_eq!(access(&world), password(OLD));
}

#[tokio::test]
async fn what_is_weak_or_missing_is_no_try() {
    let world = World::new().await;
    let id = world.create(json!({})).await;
    let line = format!("PUT /v1.0/{{p}}/instances/{id}/password");
    for (body, code) in [
        (json!({"new_password": NEW}), "DCS.4062"),
        (json!({"old_password": OLD}), "DCS.4019"),
        (json!({"old_password": "Wrong_Pw1", "new_password": "weak"}), "DCS.4019"),
    ] {
        assert_eq!(world.call(&line, &body).await.error(), (400, code.to_owned()), "{body}");
    }
    assert_eq!(change(&world, "v1.0", &id, "Wrong_Pw1", NEW).await.body["retry_times_left"], "4");
    let nobodys = "00000000-0000-4000-8000-000000000000";
    assert_eq!(change(&world, "v1.0", nobodys, OLD, NEW).await.error(), (404, "DCS.4022".to_owned()));
    assert_eq!(reset(&world, nobodys, json!({"new_password": NEW})).await.error_of_v2().0, 404);
}

#[tokio::test]
async fn a_change_keeps_others_out_and_one_that_fails_changes_nothing() {
    let world = World::with(Setup { profile: Profile::Realistic, ..Setup::default() }).await;
    let id = world.create(json!({})).await;
    assert_eq!(change(&world, "v1.0", &id, OLD, NEW).await.error(), (400, "DCS.4118".to_owned()));
    world.clock.advance(MINUTE_MS);
    world.settle(&id).await;
    assert_eq!(change(&world, "v1.0", &id, OLD, NEW).await.body["result"], "Success");
    assert_eq!(access(&world), password(OLD), "it takes its time");
    // Nobody may guess meanwhile.
    assert_eq!(change(&world, "v1.0", &id, "Wrong_Pw1", NEW).await.error(), (400, "DCS.4115".to_owned()));
    world.clock.advance(MINUTE_MS);
    world.settle(&id).await;
    assert_eq!(access(&world), password(NEW));

    let world = World::new().await;
    let id = world.create(json!({})).await;
    world.nodes.be_stubborn(true);
    assert_eq!(change(&world, "v1.0", &id, OLD, NEW).await.body["result"], "Failed");
    assert_eq!(reset(&world, &id, json!({"new_password": NEW})).await.body["code"], "failed");
    world.nodes.be_stubborn(false);
    assert_eq!(change(&world, "v1.0", &id, OLD, NEW).await.body["result"], "Success");
}
