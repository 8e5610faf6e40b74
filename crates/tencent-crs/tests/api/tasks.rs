//! Tasks on instances: passwords, clearing, and how tasks are told of.

use cloud::instance::Access;
use cloud::task::Profile;
use serde_json::{Value, json};

use crate::world::{Setup, World};

const PASSWORD: &str = "49A2d!e@f12e";
const NEW: &str = "12D3E@!r5ed";

/// The id of the task that an answer names.
fn task(answer: &Value) -> String {
    let id = answer["data"]["requestId"].as_u64().unwrap_or_else(|| panic!("{answer}"));
    assert_eq!(*answer, json!({"code": 0, "message": "", "codeDesc": "Success", "data": {"requestId": id}}));
    id.to_string()
}

impl World {
    fn password(&self, id: &str) -> String {
        match &self.cloud.instance("crs", id).unwrap().access {
            Access::Password(password) => password.reveal().to_owned(),
            Access::Open => panic!("there is a password"),
        }
    }
}

#[tokio::test]
async fn passwords_are_changed_and_reset() {
    let world = World::new().await;
    let id = world.create(&[]).await;
    let change = |old: &'static str, new: &'static str| {
        vec![("redisId", id.as_str()), ("oldPassword", old), ("password", new)]
    };
    for (parameters, expected) in [
        (change("", NEW), "4000 10501 PasswordEmpty"),
        (change(PASSWORD, ""), "4000 10501 PasswordEmpty"),
        (change("other", "short"), "5100 10502 OldPasswordError"),
        (change(PASSWORD, "short"), "4000 11058 PasswordRuleError"),
        (vec![("redisId", "crs-00000000")], "5000 10701 InstanceNotExists"),
        (vec![("oldPassword", PASSWORD), ("password", NEW)], "4000 11201 InvalidParameter"),
    ] {
        assert_eq!(world.refused("ModfiyRedisPassword", &parameters).await, expected, "{parameters:?}");
    }
    let changed = task(&world.call("ModfiyRedisPassword", &change(PASSWORD, NEW)).await);
    assert_eq!(world.password(&id), NEW);
    let info = world.call("DescribeTaskInfo", &[("requestId", &changed)]).await;
    assert_eq!(info, json!({"code": 0, "message": "", "codeDesc": "Success", "data": {"status": 2}}));

    task(&world.call("ResetRedisPassword", &[("redisId", &id), ("password", PASSWORD)]).await);
    assert_eq!(world.password(&id), PASSWORD);
    for (parameters, expected) in [
        (&[("redisId", id.as_str())][..], "4000 11058 PasswordRuleError"),
        (&[("redisId", &id), ("password", "12345678")], "4000 11058 PasswordRuleError"),
        (&[("redisId", "crs-x"), ("password", NEW)], "5000 10701 InstanceNotExists"),
        (&[("password", NEW)], "4000 11201 InvalidParameter"),
    ] {
        assert_eq!(world.refused("ResetRedisPassword", parameters).await, expected, "{parameters:?}");
    }
}

#[tokio::test]
async fn an_instance_is_cleared_by_who_knows_its_password() {
    let world = World::new().await;
    let id = world.create(&[]).await;
    for (parameters, expected) in [
        (&[("redisId", id.as_str())][..], "4000 10501 PasswordEmpty"),
        (&[("redisId", &id), ("password", NEW)], "5100 10712 PasswordError"),
        (&[("redisId", "crs-x"), ("password", PASSWORD)], "5000 10701 InstanceNotExists"),
        (&[("password", PASSWORD)], "4000 11201 InvalidParameter"),
    ] {
        assert_eq!(world.refused("ClearRedis", parameters).await, expected, "{parameters:?}");
    }
    assert!(world.nodes.flushed().is_empty());
    task(&world.call("ClearRedis", &[("redisId", &id), ("password", PASSWORD)]).await);
    assert_eq!(world.nodes.flushed().len(), 1);
}

#[tokio::test]
async fn one_task_at_a_time() {
    let world = World::with(Setup { profile: Profile::Realistic, ..Setup::default() }).await;
    let id = world.create(&[]).await;
    let abnormal = "5100 10702 InstanceStatusAbnormal";
    let clear = [("redisId", id.as_str()), ("password", PASSWORD)];
    assert_eq!(world.refused("ClearRedis", &clear).await, abnormal, "it is being made");
    assert_eq!(world.refused("ModifyRedisName", &[("redisId", &id), ("redisName", "a")]).await, abnormal);
    world.clock.advance(60_000);
    world.until(&id, Some("2")).await;
    let running = task(&world.call("ClearRedis", &clear).await);
    let info = world.call("DescribeTaskInfo", &[("requestId", &running)]).await;
    assert_eq!(info["data"]["status"], 1);
    assert_eq!(world.show(&id).await["status"], "1");
    let locked = "5100 10707 InstanceLockedError";
    assert_eq!(world.refused("ClearRedis", &clear).await, locked);
    assert_eq!(world.refused("ResetRedisPassword", &[("redisId", &id), ("password", NEW)]).await, locked);
    let renewal = world.refused("RenewRedis", &[("redisId", &id), ("period", "1")]).await;
    assert_eq!(renewal, "5100 11056 InstanceBeenLocked");
    world.clock.advance(10_000);
    world.until(&id, Some("2")).await;
    let info = world.call("DescribeTaskInfo", &[("requestId", &running)]).await;
    assert_eq!(info["data"]["status"], 2);
}

#[tokio::test]
async fn tasks_are_listed_as_in_the_example() {
    let world = World::new().await;
    let id = world.create(&[]).await;
    world.call("ModifyRedisName", &[("redisId", &id), ("redisName", "for_API_test")]).await;
    world.call("ModifyRedisProject", &[("redisIds.0", &id), ("projectId", "7")]).await;
    world.clock.advance(3_600_000);
    world.call("ClearRedis", &[("redisId", &id), ("password", PASSWORD)]).await;
    let other = world.create(&[]).await;
    let list = |more: &[(&'static str, &str)]| {
        let more: Vec<(String, String)> =
            more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let world = &world;
        async move {
            let mut parameters = vec![("limit", "10"), ("offset", "0")];
            parameters.extend(more.iter().map(|(name, value)| (name.as_str(), value.as_str())));
            let list = world.call("GetRedisTaskList", &parameters).await;
            let set = list["data"]["redisTaskSet"].as_array().unwrap().clone();
            assert_eq!(list["totalCount"], set.len());
            set.iter().map(|task| task["taskName"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        }
    };
    assert_eq!(list(&[]).await, ["newInstance", "cleanInstance", "newInstance"]);
    assert_eq!(list(&[("redisId", &other)]).await, ["newInstance"]);
    assert_eq!(list(&[("redisName", "for_API_test")]).await, ["cleanInstance", "newInstance"]);
    assert_eq!(
        list(&[("taskType.0", "task_cleanInstance"), ("taskType.1", "task_backupInstance")]).await,
        ["cleanInstance"]
    );
    assert_eq!(list(&[("taskStatus.0", "2")]).await.len(), 3);
    assert!(list(&[("taskStatus.0", "3"), ("taskStatus.1", "-1")]).await.is_empty());
    let begin = ("beginTime", "2016-07-12 22:10:11");
    assert_eq!(list(&[begin]).await, ["newInstance", "cleanInstance"]);
    assert_eq!(list(&[("endTime", "2016-07-12 21:10:11")]).await, ["newInstance"]);
    assert_eq!(list(&[begin, ("endTime", "2016-07-12 22:10:11")]).await.len(), 2);
    let cleared = world.call("GetRedisTaskList", &[("limit", "1"), ("offset", "0"), ("redisId", &id)]).await
        ["data"]["redisTaskSet"][0]
        .clone();
    let expected = json!({
        "startTime": "2016-07-12 22:10:11",
        "taskName": "cleanInstance",
        "redisName": "for_API_test",
        "redisId": id,
        "projectId": 7,
        "status": 2,
        "progress": 1,
    });
    assert_eq!(cleared, expected);
    for wrong in
        [("limit", "x"), ("beginTime", "2016-07-12"), ("taskStatus.0", "4"), ("taskType.0", "cleanInstance")]
    {
        let parameters = crate::world::with(&[("limit", "10"), ("offset", "0")], &[wrong]);
        assert_eq!(
            world.refused("GetRedisTaskList", &parameters).await,
            "4000 11201 InvalidParameter",
            "{wrong:?}"
        );
    }
    for wrong in ["0", "999999", "x"] {
        let refused = world.refused("DescribeTaskInfo", &[("requestId", wrong)]).await;
        assert_eq!(refused, "4000 11201 InvalidParameter", "{wrong}");
    }
}
