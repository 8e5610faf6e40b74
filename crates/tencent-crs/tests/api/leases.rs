//! What happens when the time of an instance is over.

use cloud::clock::Clock;
use cloud::task::Profile;
use serde_json::json;

use crate::world::{NOW_MS, Setup, World};

const HOUR_MS: u64 = 60 * 60 * 1000;
const DAY_MS: u64 = 24 * HOUR_MS;

async fn time_goes_by(world: &World, days: u64) {
    world.clock.advance(days * DAY_MS);
}

#[tokio::test]
async fn an_instance_is_isolated_renewed_isolated_again_and_released() {
    let world = World::new().await;
    let id = world.create(&[("period", "1"), ("typeId", "2")]).await;
    time_goes_by(&world, 30).await;
    // July has another day.
    world.until(&id, Some("2")).await;
    time_goes_by(&world, 1).await;
    let isolated = world.until(&id, Some("-2")).await;
    assert_eq!(
        (isolated["statusDesc"].as_str(), isolated["port"].as_str()),
        (Some("Isolated"), Some("6379"))
    );
    for _ in 0..1000 {
        if world.nodes.nodes().is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    assert!(world.nodes.nodes().is_empty() && world.nodes.removed().is_empty());
    for (action, parameters, expected) in [
        (
            "SetRedisAutoRenew",
            &[("redisIds.0", id.as_str()), ("isAutoRenew", "1")][..],
            "5100 11061 InstanceIsolated",
        ),
        ("ModifyRedisName", &[("redisId", &id), ("redisName", "a")], "5100 11061 InstanceIsolated"),
        (
            "ResetRedisPassword",
            &[("redisId", &id), ("password", "12D3E@!r5ed")],
            "5100 10702 InstanceStatusAbnormal",
        ),
        (
            "ClearRedis",
            &[("redisId", &id), ("password", "49A2d!e@f12e")],
            "5100 10702 InstanceStatusAbnormal",
        ),
        ("UpgradeRedis", &[("redisId", &id), ("memSize", "4096")], "5100 10702 InstanceStatusAbnormal"),
    ] {
        assert_eq!(world.refused(action, parameters).await, expected, "{action}");
    }

    time_goes_by(&world, 6).await;
    let deal = world.buy("RenewRedis", &[("redisId", &id), ("period", "1")]).await;
    assert_eq!(deal["goodsDetail"]["curDeadline"], "2016-08-12 21:10:11");
    let again = world.until(&id, Some("2")).await;
    assert_eq!(
        (again["port"].as_str(), again["deadlineTime"].as_str()),
        (Some("6379"), Some("2016-09-18 21:10:11"))
    );

    time_goes_by(&world, 31).await;
    world.until(&id, Some("-2")).await;
    time_goes_by(&world, 7).await;
    world.until(&id, None).await;
    let names = world.call("GetRedisTaskList", &[("limit", "3"), ("offset", "0")]).await;
    for _ in 0..1000 {
        if world.cloud.instances("crs").is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    assert!(world.cloud.instances("crs").is_empty(), "{names}");
    for (action, parameters, expected) in [
        ("RenewRedis", &[("redisId", id.as_str()), ("period", "1")][..], "5000 11055 InstanceDeleted"),
        ("SetRedisAutoRenew", &[("redisIds.0", &id), ("isAutoRenew", "1")], "5000 11055 InstanceDeleted"),
        ("ModifyRedisName", &[("redisId", &id), ("redisName", "a")], "5000 11055 InstanceDeleted"),
        (
            "ClearRedis",
            &[("redisId", &id), ("password", "49A2d!e@f12e")],
            "5100 10702 InstanceStatusAbnormal",
        ),
        ("ModifyRedisProject", &[("redisIds.0", &id), ("projectId", "1")], "5000 10701 InstanceNotExists"),
    ] {
        assert_eq!(world.refused(action, parameters).await, expected, "{action}");
    }
    let list = world.call("GetRedisTaskList", &[("limit", "10"), ("offset", "0"), ("redisId", &id)]).await;
    let tasks = list["data"]["redisTaskSet"].as_array().unwrap();
    let names: Vec<_> = tasks.iter().map(|task| task["taskName"].as_str().unwrap()).collect();
    // Backups of the night may have come between.
    let names: Vec<_> = names.into_iter().filter(|name| *name != "backupInstance").collect();
    assert_eq!(names, ["deleteInstance", "closeInstance", "startInstance", "closeInstance", "newInstance"]);
}

#[tokio::test]
async fn an_instance_renews_itself_while_there_is_money() {
    let world = World::with(Setup { balance_cny: 160 + 2 * 80, ..Setup::default() }).await;
    let id = world.create(&[]).await;
    assert_eq!(world.show(&id).await["autoRenewFlag"], 0);
    let answer = world.call("SetRedisAutoRenew", &[("redisIds.0", &id), ("isAutoRenew", "1")]).await;
    assert_eq!(answer, json!({"code": "0", "message": "", "codeDesc": "Success"}));
    assert_eq!(world.show(&id).await["autoRenewFlag"], 1);
    time_goes_by(&world, 62).await;
    for _ in 0..1000 {
        if world.show(&id).await["deadlineTime"] == "2016-10-12 21:10:11" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    let deal = world.deal("432584").await;
    assert_eq!((deal["price"].clone(), deal["status"].clone()), (json!(8000), json!(4)));
    assert_eq!(deal["goodsDetail"]["curDeadline"], "2016-09-12 21:10:11");
    // It is renewed once more and then the money is out, however long nobody looked.
    time_goes_by(&world, 65).await;
    world.until(&id, Some("-2")).await;
    assert_eq!(world.show(&id).await["deadlineTime"], "2016-11-12 21:10:11");
    assert!(world.clock.now_ms() > 0);
}

#[tokio::test]
async fn what_is_at_work_ends_before_an_instance_is_isolated() {
    let world = World::with(Setup { profile: Profile::Realistic, ..Setup::default() }).await;
    let id = world.create(&[("period", "1")]).await;
    world.clock.advance(60_000);
    world.until(&id, Some("2")).await;
    world.clock.advance(31 * DAY_MS - HOUR_MS);
    // The night's backup goes first.
    while world.show(&id).await["status"] != "2" {
        world.clock.advance(10_000);
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    world.clock.advance(NOW_MS + 31 * DAY_MS - 1_000 - world.clock.now_ms());
    world.call("ResetRedisPassword", &[("redisId", &id), ("password", "12D3E@!r5ed")]).await;
    world.until(&id, Some("1")).await;
    world.clock.advance(1_000);
    world.until(&id, Some("-2")).await;
    assert_eq!(world.nodes.nodes().len(), 1);
    for _ in 0..1000 {
        if world.nodes.nodes().is_empty() {
            return;
        }
        world.clock.advance(1_000);
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    panic!("the instance is not isolated");
}

#[tokio::test]
async fn modes_of_renewal_are_checked() {
    let world = World::new().await;
    let id = world.create(&[]).await;
    for (parameters, expected) in [
        (&[("redisIds.0", id.as_str()), ("isAutoRenew", "3")][..], "4000 11060 IsAutoRenewError"),
        (&[("redisIds.0", &id), ("isAutoRenew", "-1")], "4000 11060 IsAutoRenewError"),
        (&[("redisIds.0", &id)], "4000 11201 InvalidParameter"),
        (&[("isAutoRenew", "1")], "4000 11201 InvalidParameter"),
        (
            &[("redisIds.0", &id), ("redisIds.1", "crs-x"), ("isAutoRenew", "1")],
            "5000 10701 InstanceNotExists",
        ),
    ] {
        assert_eq!(world.refused("SetRedisAutoRenew", parameters).await, expected, "{parameters:?}");
    }
    assert_eq!(world.show(&id).await["autoRenewFlag"], 0, "all of it or nothing");
    for (mode, flag) in [("1", 1), ("2", 0), ("0", 0)] {
        world.call("SetRedisAutoRenew", &[("redisIds.0", &id), ("isAutoRenew", mode)]).await;
        assert_eq!(world.show(&id).await["autoRenewFlag"], flag);
    }
    for (parameters, expected) in [
        (&[("redisId", "crs-x"), ("period", "1")][..], "5000 10701 InstanceNotExists"),
        (&[("redisId", &id), ("period", "48")], "4000 11065 PeriodExceedMaxLimit"),
        (&[("redisId", &id), ("period", "0")], "4000 11066 PeriodLessThanMinLimit"),
        (&[("period", "1")], "4000  Invalid request parameters"),
    ] {
        assert_eq!(world.refused("RenewRedis", parameters).await, expected, "{parameters:?}");
    }
}
