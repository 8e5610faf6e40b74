//! Having the standby of an instance take its master's place.

use crate::world::{Answered, Setup, World};
use cloud::policy::{Effect, Rights, Statement};
use cloud::store::Store;
use cloud::task::Profile;
use serde_json::{Value, json};

async fn pair(world: &World) -> String {
    world.create(json!({"name": "dcs-pair", "product_id": "OTC_DCS_MS"})).await
}

async fn swap(world: &World, id: &str) -> Answered {
    world.call(&format!("POST /v2/{{p}}/instances/{id}/swap"), &Value::Null).await
}

#[tokio::test]
async fn a_pair_swaps_and_nothing_else_does() {
    let world = World::new().await;
    let (pair, single) = (pair(&world).await, world.create(json!({})).await);
    assert_eq!(swap(&world, &pair).await.status, 204);
    assert_eq!(swap(&world, &single).await.error_of_v2(), (400, "DCS.4855".to_owned()));
    let nobodys = swap(&world, "00000000-0000-4000-8000-000000000000").await;
    assert_eq!(nobodys.error_of_v2(), (404, "DCS.4022".to_owned()));
    assert_eq!(swap(&world, "x").await.error_of_v2(), (400, "DCS.4061".to_owned()));
    world.nodes.lag(true);
    assert_eq!(swap(&world, &pair).await.error_of_v2(), (500, "DCS.5094".to_owned()));
}

#[tokio::test]
async fn an_instance_at_work_or_out_of_order_does_not_swap() {
    let world = World::with(Setup { profile: Profile::Realistic, ..Setup::default() }).await;
    let id = pair(&world).await;
    assert_eq!(swap(&world, &id).await.error_of_v2(), (400, "DCS.4118".to_owned()));

    let world = World::new().await;
    world.nodes.be_silent(true);
    let id = pair(&world).await;
    assert_eq!(swap(&world, &id).await.error_of_v2(), (400, "DCS.4026".to_owned()));
}

#[tokio::test]
async fn only_who_may_swap_does() {
    let statements = ["dcs:instance:create", "dcs:instance:get"]
        .map(|action| Statement::of(Effect::Allow, vec![action.to_owned()]));
    let rights = Rights { statements: statements.to_vec(), read_only: false };
    let world = World::with(Setup { rights, ..Setup::default() }).await;
    let id = pair(&world).await;
    assert_eq!(swap(&world, &id).await.error_of_v2(), (403, "DCS.2007".to_owned()));
    let anyone = world.ask(&format!("POST /v2/{}/instances/{id}/swap", crate::world::PROJECT), &[], "").await;
    assert_eq!(anyone.error_of_v2(), (401, "DCS.1003".to_owned()));
}

#[tokio::test]
async fn a_swap_that_cannot_be_recorded_is_told_as_such() {
    let directory = tempfile::tempdir().unwrap();
    let setup = Setup { store: Store::open(directory.path()).unwrap(), ..Setup::default() };
    let world = World::with(setup).await;
    let id = pair(&world).await;
    world.cloud.close();
    assert_eq!(swap(&world, &id).await.error_of_v2(), (500, "DCS.5017".to_owned()));
}
