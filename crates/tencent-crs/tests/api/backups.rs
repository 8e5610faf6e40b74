//! Backups: made by hand and at night, listed, downloaded, exported and restored.

use cloud::task::Profile;
use serde_json::{Value, json};

use crate::world::{Setup, World, with};

const PASSWORD: &str = "49A2d!e@f12e";
const HOUR_MS: u64 = 60 * 60 * 1000;
const STANDALONE: &[(&str, &str)] = &[("typeId", "2")];

impl World {
    async fn back_up(&self, id: &str) -> String {
        let answer = self.call("ManualBackupInstance", &[("redisId", id), ("remark", "test_api")]).await;
        answer["data"]["requestId"].as_u64().unwrap_or_else(|| panic!("{answer}")).to_string()
    }

    async fn backups(&self, id: &str, more: &[(&str, &str)]) -> Vec<Value> {
        let parameters = with(&[("redisId", id), ("limit", "50"), ("offset", "0")], more);
        let list = self.call("GetRedisBackupList", &parameters).await;
        list["data"]["redisBackupSet"].as_array().unwrap_or_else(|| panic!("{list}")).clone()
    }

    async fn last_backup(&self, id: &str) -> String {
        self.backups(id, &[]).await.last().unwrap()["backupId"].as_str().unwrap().to_owned()
    }

    async fn task_status(&self, id: &str) -> i64 {
        self.call("DescribeTaskInfo", &[("requestId", id)]).await["data"]["status"].as_i64().unwrap()
    }

    /// Waits until the task has ended well.
    async fn done(&self, id: &str) {
        for _ in 0..5_000 {
            match self.task_status(id).await {
                2 => return,
                1 => tokio::time::sleep(std::time::Duration::from_millis(1)).await,
                status => panic!("the task ended with {status}"),
            }
        }
        panic!("the task does not end");
    }
}

#[tokio::test]
async fn backups_are_listed_as_in_the_example() {
    let world = World::new().await;
    let id = world.create(STANDALONE).await;
    let task = world.back_up(&id).await;
    assert_eq!(world.task_status(&task).await, 2);
    world.clock.advance(HOUR_MS);
    world.call("ManualBackupInstance", &[("redisId", &id)]).await;
    let list = world.call("GetRedisBackupList", &[("redisId", &id), ("limit", "1"), ("offset", "0")]).await;
    let backup_id = list["data"]["redisBackupSet"][0]["backupId"].as_str().unwrap().to_owned();
    let expected = json!({
        "code": 0,
        "message": "",
        "codeDesc": "Success",
        "totalCount": 2,
        "data": {"redisBackupSet": [{
            "startTime": "2016-07-12 21:10:11",
            "backupId": backup_id,
            "backupType": "manualBackupInstance",
            "status": 2,
            "remark": "test_api",
            "locked": 0,
        }]},
    });
    assert_eq!(list, expected);
    assert_eq!(world.backups(&id, &[]).await[1]["remark"], "");
    let begin = ("beginTime", "2016-07-12 21:10:12");
    assert_eq!(world.backups(&id, &[begin]).await.len(), 1);
    assert_eq!(world.backups(&id, &[begin, ("endTime", "2016-07-12 22:10:10")]).await.len(), 0);
    for wrong in
        [("redisId", "crs-x"), ("redisId", "-"), ("limit", "-"), ("offset", "-"), ("beginTime", "today")]
    {
        let parameters = with(&[("redisId", id.as_str()), ("limit", "50"), ("offset", "0")], &[wrong]);
        assert_eq!(
            world.refused("GetRedisBackupList", &parameters).await,
            "4000 11201 InvalidParameter",
            "{wrong:?}"
        );
    }
}

#[tokio::test]
async fn twenty_four_backups_a_day() {
    let world = World::new().await;
    let id = world.create(STANDALONE).await;
    for _ in 0..24 {
        world.back_up(&id).await;
    }
    assert_eq!(world.refused("ManualBackupInstance", &[("redisId", &id)]).await, "4400  Quota exceeded");
    // The day ends in Beijing, before the night's own backup.
    world.clock.advance(2 * HOUR_MS + 50 * 60 * 1000);
    world.back_up(&id).await;
    assert_eq!(world.refused("ManualBackupInstance", &[]).await, "4000 11201 InvalidParameter");
    let unknown = world.refused("ManualBackupInstance", &[("redisId", "crs-x")]).await;
    assert_eq!(unknown, "5000 10701 InstanceNotExists");
}

#[tokio::test]
async fn the_night_makes_backups_that_are_kept_for_a_week() {
    let world = World::new().await;
    let id = world.create(STANDALONE).await;
    world.back_up(&id).await;
    world.clock.advance(6 * HOUR_MS);
    for _ in 0..5_000 {
        if world.backups(&id, &[]).await.len() == 2 && world.backups(&id, &[]).await[1]["status"] == 2 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    let backups = world.backups(&id, &[]).await;
    assert_eq!(backups[1]["backupType"], "systemBackupInstance", "{backups:?}");
    assert!(world.cloud.backups(&id).iter().all(|backup| backup.expires_at_ms.is_some()));
    world.clock.advance(7 * 24 * HOUR_MS);
    let left = world.backups(&id, &[]).await;
    assert!(left.iter().all(|backup| backup["backupType"] == "systemBackupInstance"), "{left:?}");
}

#[tokio::test]
async fn a_backup_is_restored_into_its_own_instance() {
    let world = World::new().await;
    let (id, other) = (world.create(STANDALONE).await, world.create(STANDALONE).await);
    world.back_up(&id).await;
    let backup = world.last_backup(&id).await;
    let restore = |id: &str, password: &'static str, backup: &str| {
        vec![("redisId", id.to_owned()), ("password", password.to_owned()), ("backupId", backup.to_owned())]
    };
    for (parameters, expected) in [
        (restore("crs-x", PASSWORD, &backup), "5000 10701 InstanceNotExists"),
        (restore(&id, "other", &backup), "5100 10712 PasswordError"),
        (restore(&id, PASSWORD, "x"), "5000 11213 BackupNotExists"),
        (restore(&other, PASSWORD, &backup), "5000 11213 BackupNotExists"),
        (restore(&id, "", &backup), "4000 11201 InvalidParameter"),
        (restore(&id, PASSWORD, ""), "4000 11201 InvalidParameter"),
    ] {
        let parameters: Vec<_> = parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(world.refused("RestoreInstance", &parameters).await, expected, "{parameters:?}");
    }
    let answer = world
        .call("RestoreInstance", &[("redisId", &id), ("password", PASSWORD), ("backupId", &backup)])
        .await;
    world.done(&answer["data"]["requestId"].to_string()).await;
    assert_eq!(world.nodes.restored().len(), 1);
    world.cloud.delete_backup("crs", &id, &backup).await.unwrap();
    let gone = world
        .refused("RestoreInstance", &[("redisId", &id), ("password", PASSWORD), ("backupId", &backup)])
        .await;
    assert_eq!(gone, "5100 10711 BackupStatusAbnormal");
    assert_eq!(world.backups(&id, &[]).await[0]["status"], -1);
}

#[tokio::test]
async fn while_a_backup_is_made_it_is_locked_and_so_is_the_instance() {
    let world = World::with(Setup { profile: Profile::Realistic, ..Setup::default() }).await;
    let id = world.create(STANDALONE).await;
    world.clock.advance(60_000);
    world.until(&id, Some("2")).await;
    let task = world.back_up(&id).await;
    assert_eq!(world.task_status(&task).await, 1);
    let backups = world.backups(&id, &[]).await;
    assert_eq!((backups[0]["status"].clone(), backups[0]["locked"].clone()), (json!(1), json!(1)));
    let locked = "5100 10707 InstanceLockedError";
    assert_eq!(world.refused("ManualBackupInstance", &[("redisId", &id)]).await, locked);
    let backup = world.last_backup(&id).await;
    let asked = [("redisId", id.as_str()), ("password", PASSWORD), ("backupId", &backup)];
    assert_eq!(world.refused("RestoreInstance", &asked).await, "5100 10710 BackupLockedError");
    let abnormal = "5100 10711 BackupStatusAbnormal";
    assert_eq!(world.refused("GetBackupDownloadUrl", &[asked[0], asked[2]]).await, abnormal);
    world.clock.advance(10 * 60_000);
    world.done(&task).await;
    assert_eq!(world.backups(&id, &[]).await[0]["status"], 2);
}

#[tokio::test]
async fn a_backup_can_be_downloaded_for_twelve_hours() {
    let world = World::new().await;
    let id = world.create(STANDALONE).await;
    world.back_up(&id).await;
    let backup = world.last_backup(&id).await;
    let asked = [("redisId", id.as_str()), ("backupId", backup.as_str())];
    let answer = world.call("GetBackupDownloadUrl", &asked).await;
    let address = answer["data"]["extranet"].as_str().unwrap().to_owned();
    let data = json!({"intranet": address, "extranet": address});
    assert_eq!(answer, json!({"code": 0, "message": "", "codeDesc": "Success", "data": data}));
    assert!(address.contains("/dump.rdb?"), "{address}");
    let path = address.strip_prefix("http://redis.api.qcloud.com").unwrap().to_owned();
    assert_eq!(world.fetch(&path).await, (200, format!("all of {id}")));
    world.clock.advance(12 * HOUR_MS - 1000);
    assert_eq!(world.fetch(&path).await.0, 200);
    world.clock.advance(1000);
    assert_eq!(world.fetch(&path).await.0, 403);
    for (parameters, expected) in [
        (&[("redisId", "crs-x"), asked[1]][..], "5000 10701 InstanceNotExists"),
        (&[asked[0], ("backupId", "x")], "5000 11213 BackupNotExists"),
        (&[asked[0]], "4000 11201 InvalidParameter"),
        (&[asked[1]], "4000 11201 InvalidParameter"),
    ] {
        assert_eq!(world.refused("GetBackupDownloadUrl", parameters).await, expected, "{parameters:?}");
    }
}

#[tokio::test]
async fn a_cluster_is_exported_before_it_is_downloaded() {
    let world = World::with(Setup { profile: Profile::Realistic, ..Setup::default() }).await;
    let id = world.create(&[]).await;
    let standalone = world.create(STANDALONE).await;
    world.clock.advance(60_000);
    world.until(&id, Some("2")).await;
    world.until(&standalone, Some("2")).await;
    let tasks = [world.back_up(&id).await, world.back_up(&standalone).await];
    let (backup, other) = (world.last_backup(&id).await, world.last_backup(&standalone).await);
    let asked = [("redisId", id.as_str()), ("backupId", backup.as_str())];
    let invalid = "5100 10711 BackupStatusInvalid";
    assert_eq!(world.refused("ExportRedisBackup", &asked).await, invalid, "it is being made");
    world.clock.advance(60_000);
    for task in &tasks {
        world.done(task).await;
    }
    world.until(&id, Some("2")).await;
    for (parameters, expected) in [
        (&[("redisId", "crs-x"), asked[1]][..], "5000 10701 InstanceNotExists"),
        (&[asked[0], ("backupId", &other)], "5000 11213 BackupNotExists"),
        (&[("redisId", &standalone), ("backupId", &other)], "5100 11214 OnlyClusterInstanceCanExportBackup"),
        (&[asked[0]], "4000 11201 InvalidParameter"),
        (&[asked[1]], "4000 11201 InvalidParameter"),
    ] {
        assert_eq!(world.refused("ExportRedisBackup", parameters).await, expected, "{parameters:?}");
    }
    let abnormal = "5100 10711 BackupStatusAbnormal";
    assert_eq!(world.refused("GetBackupDownloadUrl", &asked).await, abnormal, "it is not exported");

    let answer = world.call("ExportRedisBackup", &asked).await;
    let task = answer["data"]["requestId"].to_string();
    let backups = world.backups(&id, &[]).await;
    assert_eq!((backups[0]["status"].clone(), backups[0]["locked"].clone()), (json!(3), json!(1)));
    assert_eq!(world.refused("ExportRedisBackup", &asked).await, invalid);
    assert_eq!(world.refused("GetBackupDownloadUrl", &asked).await, abnormal);
    world.clock.advance(10_000);
    world.done(&task).await;
    world.until(&id, Some("2")).await;
    let backups = world.backups(&id, &[]).await;
    assert_eq!((backups[0]["status"].clone(), backups[0]["locked"].clone()), (json!(4), json!(0)));
    assert_eq!(world.refused("ExportRedisBackup", &asked).await, invalid);
    let answer = world.call("GetBackupDownloadUrl", &asked).await;
    let path = answer["data"]["intranet"]
        .as_str()
        .unwrap()
        .strip_prefix("http://redis.api.qcloud.com")
        .unwrap()
        .to_owned();
    assert_eq!(world.fetch(&path).await, (200, format!("all of {id}, joined")));
    // It can still be restored.
    let restored = world.call("RestoreInstance", &[asked[0], asked[1], ("password", PASSWORD)]).await;
    world.clock.advance(60_000);
    world.done(&restored["data"]["requestId"].to_string()).await;
    let list = world.call("GetRedisTaskList", &[("limit", "2"), ("offset", "0"), asked[0]]).await;
    let names: Vec<_> = list["data"]["redisTaskSet"]
        .as_array()
        .unwrap()
        .iter()
        .map(|task| task["taskName"].clone())
        .collect();
    assert_eq!(names, ["restoreBackup", "exportBackup"]);
}
