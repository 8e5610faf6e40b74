//! What holds for every action alike: who may call it, how often, and what it says of an instance that is in no state for it
//! or of a store that takes nothing.

use cloud::clock::Clock;
use cloud::policy::Rights;
use cloud::store::Store;
use cloud::task::Profile;
use operation::Operation;

use crate::world::{ORDER, SECRET_ID, SECRET_KEY, Setup, World, error, sign};

const PASSWORD: &str = "49A2d!e@f12e";

/// What is answered to a request for an action with a key of this id and with this secret, and without the parameter `without`.
async fn ask(world: &World, action: &str, (id, secret): (&str, &str), nonce: &str, without: &str) -> String {
    let timestamp = (world.clock.now_ms() / 1000).to_string();
    let all = [("Action", action), ("SecretId", id), ("Timestamp", &timestamp), ("Nonce", nonce)];
    let pairs: Vec<_> = all.into_iter().filter(|(name, _)| *name != without).collect();
    let query = sign("GET", &pairs, secret);
    let (status, body) = world.ask("GET", &format!("/v2/index.php?{query}"), String::new()).await;
    assert_eq!(status, 200);
    error(&body)
}

fn operations() -> Vec<&'static Operation> {
    tencent_crs::operations()
}

#[tokio::test]
async fn nobody_calls_it_who_is_not_proven() {
    let world = World::new().await;
    let own = (SECRET_ID, SECRET_KEY);
    for operation in operations() {
        for name in ["SecretId", "Timestamp", "Nonce"] {
            let said = ask(&world, operation.id, own, "1", name).await;
            assert_eq!(said, "4000  Invalid request parameters", "{} without {name}", operation.id);
        }
        let said = ask(&world, operation.id, (SECRET_ID, "other"), "1", "").await;
        assert_eq!(said, "4100  Authentication failed", "{}", operation.id);
        let said = ask(&world, operation.id, ("AKIDother", SECRET_KEY), "1", "").await;
        assert_eq!(said, "4104  SecretId does not exist", "{}", operation.id);
    }
}

#[tokio::test]
async fn nobody_calls_it_twice_in_the_same_way() {
    let world = World::new().await;
    for (number, operation) in operations().into_iter().enumerate() {
        let nonce = number.to_string();
        let first = ask(&world, operation.id, (SECRET_ID, SECRET_KEY), &nonce, "").await;
        let again = ask(&world, operation.id, (SECRET_ID, SECRET_KEY), &nonce, "").await;
        assert_eq!(again, "4500  Replay attack error", "{} after {first}", operation.id);
        assert_ne!(first, again, "{}", operation.id);
    }
}

#[tokio::test]
async fn nobody_calls_it_who_may_not() {
    let rights = Rights { statements: Vec::new(), read_only: false };
    let nobody = World::with(Setup { rights, ..Setup::default() }).await;
    let rights = Rights { read_only: true, ..Rights::everything() };
    let reader = World::with(Setup { rights, ..Setup::default() }).await;
    let denied = "4101  Not authorized by the developer to access this API";
    for operation in operations() {
        assert!(operation.permission.is_some(), "{}", operation.id);
        assert_eq!(nobody.refused(operation.id, &[]).await, denied, "{}", operation.id);
        let said = reader.refused(operation.id, &[]).await;
        assert_eq!(said == denied, operation.changes(), "{}: {said}", operation.id);
    }
}

/// For each action that has a task, what nothing is wrong with, but for the instance.
fn tasks<'a>(id: &'a str, backup: &'a str) -> [(&'static str, Vec<(&'static str, &'a str)>); 5] {
    [
        ("ClearRedis", vec![("redisId", id), ("password", PASSWORD)]),
        (
            "ModfiyRedisPassword",
            vec![("redisId", id), ("oldPassword", PASSWORD), ("password", "12D3E@!r5ed")],
        ),
        ("ResetRedisPassword", vec![("redisId", id), ("password", "12D3E@!r5ed")]),
        ("ManualBackupInstance", vec![("redisId", id)]),
        ("RestoreInstance", vec![("redisId", id), ("password", PASSWORD), ("backupId", backup)]),
    ]
}

/// An instance with a backup that has been made.
async fn with_backup(world: &World) -> (String, String) {
    let id = world.create(&[("period", "1")]).await;
    world.clock.advance(60_000);
    world.until(&id, Some("2")).await;
    world.call("ManualBackupInstance", &[("redisId", &id)]).await;
    world.clock.advance(60_000);
    world.until(&id, Some("2")).await;
    let list = world.call("GetRedisBackupList", &[("redisId", &id), ("limit", "9"), ("offset", "0")]).await;
    let backup = list["data"]["redisBackupSet"][0]["backupId"].as_str().unwrap().to_owned();
    (id, backup)
}

#[tokio::test]
async fn whoever_has_something_to_do_does_nothing_else() {
    let world = World::with(Setup { profile: Profile::Realistic, ..Setup::default() }).await;
    let (id, backup) = with_backup(&world).await;
    world.call("ClearRedis", &[("redisId", &id), ("password", PASSWORD)]).await;
    for (action, parameters) in tasks(&id, &backup) {
        assert_eq!(world.refused(action, &parameters).await, "5100 10707 InstanceLockedError", "{action}");
    }
}

#[tokio::test]
async fn whoever_is_isolated_does_nothing() {
    let world = World::new().await;
    let (id, backup) = with_backup(&world).await;
    world.clock.advance(31 * 24 * 60 * 60 * 1000);
    world.until(&id, Some("-2")).await;
    for (action, parameters) in tasks(&id, &backup) {
        let abnormal = "5100 10702 InstanceStatusAbnormal";
        assert_eq!(world.refused(action, &parameters).await, abnormal, "{action}");
    }
}

#[tokio::test]
async fn a_backup_that_is_being_made_is_locked_for_a_restore() {
    let world = World::with(Setup { profile: Profile::Realistic, ..Setup::default() }).await;
    let (id, first) = with_backup(&world).await;
    world.call("ManualBackupInstance", &[("redisId", &id)]).await;
    let second = world.cloud.backups(&id)[1].id.clone();
    for (backup, expected) in
        [(&first, "5100 10707 InstanceLockedError"), (&second, "5100 10710 BackupLockedError")]
    {
        let parameters = [("redisId", id.as_str()), ("password", PASSWORD), ("backupId", backup)];
        assert_eq!(world.refused("RestoreInstance", &parameters).await, expected);
    }
}

#[tokio::test]
async fn what_cannot_be_recorded_is_an_error_of_the_server_and_not_shown() {
    let directory = tempfile::tempdir().unwrap();
    let setup = Setup { store: Store::open(directory.path()).unwrap(), ..Setup::default() };
    let world = World::with(setup).await;
    let (id, backup) = with_backup(&world).await;
    world.cloud.close();
    let id = id.as_str();
    let others = [
        ("CreateRedis", ORDER.to_vec()),
        ("RenewRedis", vec![("redisId", id), ("period", "1")]),
        ("UpgradeRedis", vec![("redisId", id), ("memSize", "2048")]),
        ("SetRedisAutoRenew", vec![("redisIds.0", id), ("isAutoRenew", "1")]),
        ("ModifyRedisName", vec![("redisId", id), ("redisName", "other")]),
        ("ModifyRedisProject", vec![("redisIds.0", id), ("projectId", "7")]),
        ("ExportRedisBackup", vec![("redisId", id), ("backupId", &backup)]),
    ];
    let all: Vec<_> = tasks(id, &backup).into_iter().chain(others).collect();
    let changing = operations().into_iter().filter(|operation| operation.changes());
    assert!(changing.into_iter().all(|operation| all.iter().any(|(action, _)| *action == operation.id)));
    let before = world.show(id).await;
    for (action, parameters) in all {
        assert_eq!(world.refused(action, &parameters).await, "6000  Server error", "{action}");
    }
    assert_eq!(world.show(id).await, before);
}
