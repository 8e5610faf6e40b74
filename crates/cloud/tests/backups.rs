//! Backups and restores, over a data plane and a clock that the tests steer.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cloud::backup::{Backup, BackupOrder, Fault, State};
use cloud::backup_policy::{BackupKind, BackupPlan, BackupPolicy};
use cloud::fake::{self, FakeClock, FakeDataPlane};
use cloud::instance::{Instance, Order, Status};
use cloud::store::Store;
use cloud::task::{self, Profile};
use cloud::topology::Topology;
use cloud::{Cloud, DeleteBackupError, RestoreError, TaskError};

const PROJECT: &str = "0123456789abcdef0123456789abcdef";
/// 2023-11-14T22:13:20Z, a Tuesday.
const NOW_MS: u64 = 1_700_000_000_000;
const HOUR_MS: u64 = 60 * 60 * 1000;

struct World {
    cloud: Arc<Cloud>,
    clock: Arc<FakeClock>,
    nodes: Arc<FakeDataPlane>,
}

impl World {
    async fn new(profile: Profile) -> Self {
        World::open(profile, None).await
    }

    async fn open(profile: Profile, directory: Option<&Path>) -> Self {
        let settings = fake::settings(profile);
        let store = directory.map_or_else(Store::nowhere, |directory| Store::open(directory).unwrap());
        let (clock, nodes) = (Arc::new(FakeClock::at(NOW_MS)), Arc::new(FakeDataPlane::default()));
        let cloud = Cloud::open(settings, clock.clone(), nodes.clone(), store).await;
        World { cloud, clock, nodes }
    }

    async fn create(&self, policy: Option<BackupPolicy>) -> Arc<Instance> {
        self.cloud.create(order(policy)).await.unwrap()
    }

    async fn back_up(&self, instance: &Instance) -> Arc<Backup> {
        let order = BackupOrder { remark: Some("r".to_owned()), ..BackupOrder::default() };
        self.cloud.back_up(PROJECT, &instance.id, order).await.unwrap()
    }

    fn status(&self, instance: &Instance) -> Status {
        self.cloud.instance(PROJECT, &instance.id).unwrap().status
    }

    fn states(&self, instance: &Instance) -> Vec<State> {
        self.cloud.backups(&instance.id).iter().map(|backup| backup.state).collect()
    }

    /// Lets background work run until something is so.
    async fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        for _ in 0..5_000 {
            if is_so() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        panic!("never: {what}");
    }
}

fn order(backup_policy: Option<BackupPolicy>) -> Order {
    Order {
        topology: Topology::MasterStandby,
        copies: 2,
        spec_code: "redis.ha.xu1.large.r2.2".to_owned(),
        product_id: "redis.ha.xu1.large.r2.2-h".to_owned(),
        backup_policy,
        ..fake::order(PROJECT, "dcs-a")
    }
}

fn daily_at_23(save_days: u8) -> BackupPolicy {
    BackupPolicy {
        kind: BackupKind::Auto,
        save_days: Some(save_days),
        plan: BackupPlan {
            begin_at: "23:00-00:00".to_owned(),
            weekdays: vec![1, 2, 3, 4, 5, 6, 7],
            timezone_offset: None,
        },
    }
}

fn path(world: &World, backup: &Backup) -> Option<std::path::PathBuf> {
    world.cloud.backup_file(&backup.id, "0.rdb")
}

#[tokio::test]
async fn what_was_backed_up_comes_back() {
    let world = World::new(Profile::Instant).await;
    let instance = world.create(None).await;
    let backup = world.back_up(&instance).await;
    assert_eq!((backup.state, backup.kind, backup.fault), (State::Succeeded, BackupKind::Manual, None));
    assert_eq!((backup.created_at_ms, backup.started_at_ms), (NOW_MS, Some(NOW_MS)));
    assert_eq!((backup.remark.as_deref(), backup.expires_at_ms), (Some("r"), None));
    let held = format!("all of {}", instance.id);
    assert_eq!(backup.size_bytes(), held.len() as u64);
    assert_eq!(std::fs::read_to_string(path(&world, &backup).unwrap()).unwrap(), held);
    assert!(world.cloud.backup_file(&backup.id, "../0.rdb").is_none());

    let restored = world.cloud.restore(PROJECT, &instance.id, &backup.id, Some("back".into())).await.unwrap();
    assert_eq!((restored.state, restored.backup_remark.as_deref()), (State::Succeeded, Some("r")));
    assert_eq!(world.nodes.restored(), [(cloud::data_plane::NodeId(instance.id.clone()), vec![held])]);
    assert_eq!(world.cloud.restores(&instance.id), [restored]);
    assert_eq!(world.status(&instance), Status::Running);
    let kinds: Vec<_> = world.cloud.tasks(PROJECT).iter().map(|task| (task.kind, task.state)).collect();
    assert_eq!(
        kinds[1..],
        [(task::Kind::Backup, task::State::Succeeded), (task::Kind::Restore, task::State::Succeeded)]
    );
}

#[tokio::test]
async fn a_backup_that_fails_says_why_and_leaves_nothing() {
    let world = World::new(Profile::Instant).await;
    let instance = world.create(None).await;
    let good = world.back_up(&instance).await;
    world.nodes.refuse_backups(Some("no"));
    let failed = world.back_up(&instance).await;
    assert_eq!((failed.state, failed.fault), (State::Failed, Some(Fault::NotStarted)));
    assert!(path(&world, &failed).is_none());
    let refused = world.cloud.restore(PROJECT, &instance.id, &failed.id, None).await;
    assert!(matches!(refused, Err(RestoreError::NotSucceeded)));
    let restore = world.cloud.restore(PROJECT, &instance.id, &good.id, None).await.unwrap();
    assert_eq!((restore.state, restore.fault), (State::Failed, Some(Fault::NotSynchronised)));
    assert_eq!(world.status(&instance), Status::Running);
}

#[tokio::test]
async fn a_backup_is_deleted_once_and_its_record_stays() {
    let world = World::new(Profile::Instant).await;
    let instance = world.create(None).await;
    let backup = world.back_up(&instance).await;
    let file = path(&world, &backup).unwrap();
    world.cloud.delete_backup(PROJECT, &instance.id, &backup.id).await.unwrap();
    assert!(!file.exists());
    assert_eq!(world.states(&instance), [State::Deleted]);
    let again = world.cloud.delete_backup(PROJECT, &instance.id, &backup.id).await;
    assert!(matches!(again, Err(DeleteBackupError::NoBackup)));
    let nobodys = world.cloud.delete_backup("other", &instance.id, &backup.id).await;
    assert!(matches!(nobodys, Err(DeleteBackupError::NoInstance)));
    let refused = world.cloud.restore(PROJECT, &instance.id, &backup.id, None).await;
    assert!(matches!(refused, Err(RestoreError::NotSucceeded)));
    let unknown = world.cloud.restore(PROJECT, &instance.id, "x", None).await;
    assert!(matches!(unknown, Err(RestoreError::NoBackup)));
}

#[tokio::test]
async fn one_thing_at_a_time_and_the_states_tell_of_it() {
    let world = World::new(Profile::Realistic).await;
    let instance = world.create(None).await;
    world.clock.advance(60_000);
    world.until("it runs", || world.status(&instance) == Status::Running).await;
    let backup = world.back_up(&instance).await;
    world.until("it begins", || world.states(&instance) == [State::Running]).await;
    assert_eq!(world.status(&instance), Status::Running);
    assert_eq!(world.cloud.progress_of(backup.task_id.as_deref()), 0);
    world.clock.advance(15_000);
    assert_eq!(world.cloud.progress_of(backup.task_id.as_deref()), 50);
    let busy = world.cloud.back_up(PROJECT, &instance.id, BackupOrder::default()).await;
    assert!(matches!(busy, Err(TaskError::Busy(task::Kind::Backup))));
    let busy = world.cloud.delete_backup(PROJECT, &instance.id, &backup.id).await;
    assert!(matches!(busy, Err(DeleteBackupError::Busy(task::Kind::Backup))));
    world.clock.advance(15_000);
    world.until("it succeeds", || world.states(&instance) == [State::Succeeded]).await;
    world.until("it is idle", || world.cloud.instance(PROJECT, &instance.id).unwrap().task.is_none()).await;

    let restore = world.cloud.restore(PROJECT, &instance.id, &backup.id, None).await.unwrap();
    assert_eq!(world.status(&instance), Status::Restoring);
    let busy = world.cloud.delete_backup(PROJECT, &instance.id, &backup.id).await;
    assert!(matches!(busy, Err(DeleteBackupError::Busy(task::Kind::Restore))));
    let busy = world.cloud.back_up(PROJECT, &instance.id, BackupOrder::default()).await;
    assert!(matches!(busy, Err(TaskError::Busy(task::Kind::Restore))));
    world.clock.advance(30_000);
    world.until("it runs again", || world.status(&instance) == Status::Running).await;
    assert_eq!(world.cloud.restores(&instance.id)[0].id, restore.id);
    assert_eq!(world.cloud.restores(&instance.id)[0].state, State::Succeeded);
}

#[tokio::test]
async fn backups_outlive_the_process_and_so_does_their_making() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::open(Profile::Instant, Some(directory.path())).await;
    let instance = world.create(None).await;
    let backup = world.back_up(&instance).await;
    world.cloud.close();
    drop(world);
    let left = directory.path().join("backups").join(&instance.id).join("half-made");
    std::fs::create_dir_all(&left).unwrap();

    let world = World::open(Profile::Stepped, Some(directory.path())).await;
    assert!(!left.exists(), "what belongs to no backup goes");
    assert_eq!(world.cloud.backups(&instance.id), std::slice::from_ref(&backup));
    assert!(path(&world, &backup).unwrap().exists());
    let second = world.back_up(&instance).await;
    assert_eq!(second.state, State::Waiting);
    world.cloud.close();
    drop(world);

    let world = World::open(Profile::Stepped, Some(directory.path())).await;
    assert_eq!(world.states(&instance), [State::Succeeded, State::Waiting]);
    world.until("it goes on", || world.cloud.step(second.task_id.as_deref().unwrap())).await;
    world.until("it is made", || world.states(&instance) == [State::Succeeded; 2]).await;
}

#[tokio::test]
async fn backups_go_with_their_instance_and_without_a_directory_with_the_cloud() {
    let world = World::new(Profile::Instant).await;
    let instance = world.create(None).await;
    let backup = world.back_up(&instance).await;
    let file = path(&world, &backup).unwrap();
    world.cloud.delete(PROJECT, &instance.id).await.unwrap();
    assert!(!file.exists());
    assert!(world.cloud.backups(&instance.id).is_empty() && world.cloud.backup(&backup.id).is_none());

    let instance = world.create(None).await;
    let backup = world.back_up(&instance).await;
    let file = path(&world, &backup).unwrap();
    assert!(file.exists());
    world.cloud.close();
    assert!(!file.exists());
}

#[tokio::test]
async fn a_policy_makes_backups_and_keeps_them_for_its_days() {
    let world = World::new(Profile::Instant).await;
    let instance = world.create(Some(daily_at_23(2))).await;
    let manual = world.back_up(&instance).await;
    assert_eq!(manual.expires_at_ms, None, "who makes it himself keeps it");
    tokio::task::yield_now().await;
    world.clock.advance(HOUR_MS);
    world.until("it is made", || world.states(&instance) == [State::Succeeded; 2]).await;
    let made = world.cloud.backups(&instance.id)[1].clone();
    assert_eq!((made.kind, made.period.as_deref()), (BackupKind::Auto, Some("23:00-00:00")));
    let file = path(&world, &made).unwrap();
    world.clock.advance(24 * HOUR_MS);
    world.until("another is made", || world.states(&instance).len() == 3).await;
    world.clock.advance(24 * HOUR_MS);
    world.until("the first goes", || world.states(&instance)[1] == State::Expired).await;
    world.until("its file has gone", || !file.exists()).await;
    assert_eq!(world.states(&instance)[0], State::Succeeded);
}

#[tokio::test]
async fn a_backup_of_the_schedule_does_not_wait_for_an_instance_at_work() {
    let world = World::new(Profile::Stepped).await;
    let instance = world.create(Some(daily_at_23(1))).await;
    let create = world.cloud.tasks(PROJECT)[0].id.clone();
    assert!(world.cloud.step(&create));
    world.until("it runs", || world.status(&instance) == Status::Running).await;
    world.cloud.schedule_changed();
    let mine = world.back_up(&instance).await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    world.clock.advance(HOUR_MS);
    world.until("it fails", || world.states(&instance).len() == 2).await;
    let missed = world.cloud.backups(&instance.id)[1].clone();
    assert_eq!((missed.state, missed.fault), (State::Failed, Some(Fault::InstanceBusy)));
    assert_eq!(missed.kind, BackupKind::Auto);
    assert!(world.cloud.step(mine.task_id.as_deref().unwrap()));
}

#[tokio::test]
async fn a_slot_that_was_before_the_instance_or_its_policy_makes_no_backup() {
    let world = World::new(Profile::Instant).await;
    let while_nothing_happens = || tokio::time::sleep(Duration::from_millis(50));
    while_nothing_happens().await;
    // It is past eleven, and there was nothing that the timer would have waited for.
    world.clock.advance(HOUR_MS);
    let new = world.create(Some(daily_at_23(1))).await;
    let changed = world.cloud.create(Order { name: "dcs-b".to_owned(), ..order(None) }).await.unwrap();
    while_nothing_happens().await;
    assert_eq!(world.states(&new), []);
    world.clock.advance(24 * HOUR_MS);
    world.until("the night's backup is made", || world.states(&new) == [State::Succeeded]).await;
    // It is past nine in the evening of the next day.
    world.clock.advance(22 * HOUR_MS);
    let change = |order: &mut Order| {
        let policy = daily_at_23(1);
        let plan = BackupPlan { begin_at: "20:00-21:00".to_owned(), ..policy.plan };
        order.backup_policy = Some(BackupPolicy { plan, ..policy });
        true
    };
    world.cloud.update(PROJECT, &changed.id, change).await.unwrap();
    world.cloud.schedule_changed();
    while_nothing_happens().await;
    assert_eq!(world.states(&changed), []);
    world.clock.advance(23 * HOUR_MS);
    world.until("it is backed up", || world.states(&changed) == [State::Succeeded]).await;
}
