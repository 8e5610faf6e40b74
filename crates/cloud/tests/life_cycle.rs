//! Instances from their order to their end, over a data plane and a clock that the tests steer.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use cloud::capacity::Capacity;
use cloud::clock::Clock;
use cloud::data_plane::Port;
use cloud::engine::Release;
use cloud::fake::{self, FakeClock, FakeDataPlane};
use cloud::identity::Secret;
use cloud::instance::{Access, Fault, Instance, Order, Status};
use cloud::quota::{Exceeded, Quota};
use cloud::store::Store;
use cloud::task::{self, Profile};
use cloud::topology::Topology;
use cloud::{Cloud, CreateError, Settings, TaskError};

const PROJECT: &str = "0123456789abcdef0123456789abcdef";
const NOW_MS: u64 = 1_700_000_000_000;

struct World {
    cloud: Arc<Cloud>,
    clock: Arc<FakeClock>,
    nodes: Arc<FakeDataPlane>,
}

impl World {
    async fn new(profile: Profile) -> Self {
        World::with(profile, None, Quota::default(), |_| {}).await
    }

    async fn with(
        profile: Profile,
        directory: Option<&Path>,
        quota: Quota,
        prepare: impl FnOnce(&FakeDataPlane),
    ) -> Self {
        let settings = Settings { quota, ..fake::settings(profile) };
        let store = directory.map_or_else(Store::nowhere, |directory| Store::open(directory).unwrap());
        let (clock, nodes) = (Arc::new(FakeClock::at(NOW_MS)), Arc::new(FakeDataPlane::default()));
        prepare(&nodes);
        let cloud = Cloud::open(settings, clock.clone(), nodes.clone(), store).await;
        World { cloud, clock, nodes }
    }

    async fn create(&self, name: &str) -> Arc<Instance> {
        self.cloud.create(order(name)).await.unwrap()
    }

    fn show(&self, id: &str) -> Option<Arc<Instance>> {
        self.cloud.instance(PROJECT, id)
    }

    /// Lets background tasks run until the instance is as expected.
    async fn until(&self, id: &str, expected: impl Fn(Option<&Instance>) -> bool) {
        for _ in 0..5_000 {
            if expected(self.show(id).as_deref()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        panic!("the instance stays {:?}", self.show(id));
    }
}

fn order(name: &str) -> Order {
    Order {
        release: Some(Release::V3_0),
        topology: Topology::MasterStandby,
        spec_code: "dcs.master_standby".to_owned(),
        product_id: "OTC_DCS_MS".to_owned(),
        access: Access::Password(Secret::new("First_Pw1")),
        renamed_commands: BTreeMap::from([("keys".to_owned(), "keys001".to_owned())]),
        ..fake::order(PROJECT, name)
    }
}

#[tokio::test]
async fn instantly_an_instance_runs_when_it_is_created_and_is_gone_when_it_is_deleted() {
    let world = World::new(Profile::Instant).await;
    let instance = world.create("dcs-a").await;
    assert_eq!((instance.status, instance.port), (Status::Running, Some(6379)));
    assert_eq!((instance.created_at_ms, instance.launched_at_ms), (NOW_MS, Some(NOW_MS)));
    assert_eq!(instance.task, None);
    let [node] = &world.nodes.nodes()[..] else { panic!("one instance has one node") };
    assert_eq!(node.id.0, instance.id);
    assert_eq!(node.memory_limit_bytes, 3 << 29);
    assert_eq!(node.port, Port::FirstFreeFrom(6379));
    assert_eq!(node.renamed_commands, [("keys".to_owned(), "keys001".to_owned())]);
    assert_eq!(node.databases, 256);

    world.cloud.delete(PROJECT, &instance.id).await.unwrap();
    assert!(world.show(&instance.id).is_none());
    assert!(world.nodes.nodes().is_empty());
    let tasks: Vec<_> = world.cloud.tasks(PROJECT).iter().map(|task| (task.kind, task.state)).collect();
    use task::{Kind, State};
    assert_eq!(tasks, [(Kind::Create, State::Succeeded), (Kind::Delete, State::Succeeded)]);
}

#[tokio::test]
async fn instances_get_the_next_free_port_and_only_their_project_sees_them() {
    let world = World::with(Profile::Instant, None, Quota::default(), |nodes| nodes.take_port(6380)).await;
    let ports = [world.create("dcs-a").await.port, world.create("dcs-b").await.port];
    assert_eq!(ports, [Some(6379), Some(6381)]);
    let names: Vec<_> = world.cloud.instances(PROJECT).iter().map(|instance| instance.name.clone()).collect();
    assert_eq!(names, ["dcs-a", "dcs-b"]);
    assert!(world.cloud.instances("other").is_empty());
    let id = &world.cloud.instances(PROJECT)[0].id;
    assert!(world.cloud.instance("other", id).is_none());
    assert!(matches!(world.cloud.delete("other", id).await, Err(TaskError::NotFound)));
}

#[tokio::test]
async fn a_port_in_use_leaves_a_failed_record_that_frees_its_name_and_quota() {
    let quota = Quota { instances: 1, memory_gb: 100 };
    let world = World::with(Profile::Instant, None, quota, |nodes| nodes.take_port(7000)).await;
    let order_7000 = Order { requested_port: Some(7000), ..order("dcs-a") };
    let failed = world.cloud.create(order_7000).await.unwrap();
    assert_eq!((failed.status, failed.fault), (Status::CreateFailed, Some(Fault::NotDeployed)));
    assert_eq!(failed.launched_at_ms, None);
    assert!(world.nodes.nodes().is_empty());

    let again = world.create("dcs-a").await;
    assert_eq!(again.status, Status::Running);
    world.cloud.delete(PROJECT, &failed.id).await.unwrap();
    assert_eq!(world.cloud.instances(PROJECT).len(), 1);
}

#[tokio::test]
async fn a_node_that_does_not_answer_is_stopped() {
    let world = World::new(Profile::Instant).await;
    world.nodes.be_silent(true);
    let failed = world.create("dcs-a").await;
    assert_eq!((failed.status, failed.fault), (Status::CreateFailed, Some(Fault::NotReachable)));
    assert!(world.nodes.nodes().is_empty());
}

#[tokio::test]
async fn what_was_saved_stays_when_a_node_does_not_answer_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let id = {
        let world = World::with(Profile::Instant, Some(directory.path()), Quota::default(), |_| {}).await;
        world.create("dcs-a").await.id.clone()
    };
    let silent = |nodes: &FakeDataPlane| nodes.be_silent(true);
    let world = World::with(Profile::Instant, Some(directory.path()), Quota::default(), silent).await;
    assert_eq!(world.show(&id).unwrap().status, Status::Error);
    assert!(world.nodes.nodes().is_empty() && world.nodes.removed().is_empty());
    world.cloud.delete(PROJECT, &id).await.unwrap();
    assert_eq!(world.nodes.removed().len(), 1);
}

#[tokio::test]
async fn names_are_unique_and_quotas_hold_for_orders_that_come_at_once() {
    let world = World::with(Profile::Instant, None, Quota { instances: 5, memory_gb: 8 }, |_| {}).await;
    let create = |name: String| {
        let cloud = world.cloud.clone();
        tokio::spawn(async move { cloud.create(order(&name)).await })
    };
    let same: Vec<_> = (0..3).map(|_| create("dcs-a".to_owned())).collect();
    let other: Vec<_> = (0..9).map(|number| create(format!("dcs-{number}"))).collect();
    let (mut made, mut taken, mut over) = (0, 0, 0);
    for outcome in same.into_iter().chain(other) {
        match outcome.await.unwrap() {
            Ok(_) => made += 1,
            Err(CreateError::NameTaken) => taken += 1,
            Err(CreateError::Quota(Exceeded::Memory)) => over += 1,
            Err(error) => panic!("{error}"),
        }
    }
    // Four of 2 GB fit into 8 GB.
    assert_eq!((made, taken, over), (4, 2, 6));
    let (quota, usage) = world.cloud.quota(PROJECT);
    assert_eq!((quota.instances, usage.instances, usage.memory_gb()), (5, 4, 8));
}

#[tokio::test]
async fn realistically_a_task_takes_its_time_and_the_instance_follows() {
    let world = World::new(Profile::Realistic).await;
    let instance = world.create("dcs-a").await;
    assert_eq!((instance.status, instance.port), (Status::Creating, None));
    assert!(instance.task.is_some());
    let refused = world.cloud.delete(PROJECT, &instance.id).await;
    assert!(matches!(refused, Err(TaskError::Busy(task::Kind::Create))));

    world.clock.advance(30_000);
    tokio::task::yield_now().await;
    assert_eq!(world.show(&instance.id).unwrap().status, Status::Creating);
    assert_eq!(world.cloud.tasks(PROJECT)[0].progress_percent(world.clock.now_ms()), 50);

    world.clock.advance(30_000);
    world.until(&instance.id, |instance| instance.unwrap().status == Status::Running).await;
    assert_eq!(world.show(&instance.id).unwrap().launched_at_ms, Some(NOW_MS + 60_000));

    world.cloud.delete(PROJECT, &instance.id).await.unwrap();
    let refused = world.cloud.delete(PROJECT, &instance.id).await;
    assert!(matches!(refused, Err(TaskError::Busy(task::Kind::Delete))));
    assert_eq!(world.show(&instance.id).unwrap().status, Status::Running);
    world.clock.advance(10_000);
    world.until(&instance.id, |instance| instance.is_none()).await;
}

#[tokio::test]
async fn a_swap_is_a_task_that_only_pairs_have_use_for() {
    use task::{Kind, State};
    let world = World::new(Profile::Instant).await;
    let pair = world.create("dcs-a").await;
    world.cloud.swap(PROJECT, &pair.id).await.unwrap();
    world.nodes.lag(true);
    assert!(matches!(world.cloud.swap(PROJECT, &pair.id).await, Err(TaskError::Failed)));
    assert_eq!(*world.show(&pair.id).unwrap(), *pair, "the instance is as it was");
    let outcomes: Vec<_> = world.cloud.tasks(PROJECT).iter().map(|task| (task.kind, task.state)).collect();
    let expected =
        [(Kind::Create, State::Succeeded), (Kind::Swap, State::Succeeded), (Kind::Swap, State::Failed)];
    assert_eq!(outcomes, expected);

    let single = Order { topology: Topology::Single, ..order("dcs-b") };
    let single = world.cloud.create(single).await.unwrap();
    assert!(matches!(world.cloud.swap(PROJECT, &single.id).await, Err(TaskError::NotSupported)));
    assert!(matches!(world.cloud.swap("other", &pair.id).await, Err(TaskError::NotFound)));

    let world = World::new(Profile::Realistic).await;
    let pair = world.create("dcs-a").await;
    assert!(matches!(world.cloud.swap(PROJECT, &pair.id).await, Err(TaskError::Busy(Kind::Create))));
    world.clock.advance(60_000);
    world.until(&pair.id, |instance| instance.unwrap().status == Status::Running).await;
    world.cloud.swap(PROJECT, &pair.id).await.unwrap();
    assert_eq!(world.show(&pair.id).unwrap().status, Status::Running, "it serves all the time");
    assert!(matches!(world.cloud.delete(PROJECT, &pair.id).await, Err(TaskError::Busy(Kind::Swap))));
    world.clock.advance(10_000);
    world.until(&pair.id, |instance| instance.unwrap().task.is_none()).await;
}

#[tokio::test]
async fn an_instance_shows_that_it_restarts_or_is_flushed() {
    use task::Kind;
    let world = World::new(Profile::Realistic).await;
    let id = world.create("dcs-a").await.id.clone();
    world.clock.advance(60_000);
    world.until(&id, |instance| instance.unwrap().status == Status::Running).await;

    world.cloud.flush(PROJECT, &id).await.unwrap();
    assert_eq!(world.show(&id).unwrap().status, Status::Flushing);
    assert!(matches!(world.cloud.restart(PROJECT, &id).await, Err(TaskError::Busy(Kind::Flush))));
    world.clock.advance(10_000);
    world.until(&id, |instance| instance.unwrap().status == Status::Running).await;
    assert_eq!(world.nodes.flushed().len(), 1);

    world.cloud.restart(PROJECT, &id).await.unwrap();
    assert_eq!(world.show(&id).unwrap().status, Status::Restarting);
    // Meanwhile somebody else takes the port.
    world.nodes.take_port(6379);
    world.clock.advance(30_000);
    world.until(&id, |instance| instance.unwrap().status == Status::Error).await;
    assert_eq!(world.show(&id).unwrap().fault, Some(Fault::NotDeployed));
    assert!(matches!(world.cloud.flush(PROJECT, &id).await, Err(TaskError::WrongStatus(Status::Error))));
    // A restart is what helps then.
    world.nodes.free_port(6379);
    world.cloud.restart(PROJECT, &id).await.unwrap();
    world.clock.advance(30_000);
    world.until(&id, |instance| instance.unwrap().status == Status::Running).await;
    assert_eq!(world.show(&id).unwrap().fault, None);
}

#[tokio::test]
async fn a_restart_goes_on_when_the_process_has_been_started_again() {
    let directory = tempfile::tempdir().unwrap();
    let open = || World::with(Profile::Realistic, Some(directory.path()), Quota::default(), |_| {});
    let world = open().await;
    let id = world.create("dcs-a").await.id.clone();
    world.clock.advance(60_000);
    world.until(&id, |instance| instance.unwrap().status == Status::Running).await;
    world.cloud.restart(PROJECT, &id).await.unwrap();
    world.cloud.close();
    drop(world);
    let world = open().await;
    assert_eq!(world.show(&id).unwrap().status, Status::Restarting);
    world.clock.advance(120_000);
    world.until(&id, |instance| instance.unwrap().status == Status::Running).await;
    assert_eq!(world.show(&id).unwrap().task, None);
}

#[tokio::test]
async fn another_form_is_given_when_the_process_has_been_started_again() {
    let directory = tempfile::tempdir().unwrap();
    let quota = Quota { instances: 9, memory_gb: 8 };
    let open = || World::with(Profile::Realistic, Some(directory.path()), quota, |_| {});
    let world = open().await;
    let id = world.create("dcs-a").await.id.clone();
    world.clock.advance(60_000);
    world.until(&id, |instance| instance.unwrap().status == Status::Running).await;
    let mut form = world.show(&id).unwrap().form();
    (form.capacity, form.spec_code) = (Capacity::of_gb(8), "larger".to_owned());
    world.cloud.resize(PROJECT, &id, form.clone(), Vec::new()).await.unwrap();
    world.cloud.close();
    drop(world);
    let world = open().await;
    let extending = world.show(&id).unwrap();
    assert_eq!((extending.status, extending.capacity), (Status::Extending, Capacity::of_gb(2)));
    assert_eq!(world.cloud.quota(PROJECT).1.memory_gb(), 8, "what it is about to have counts");
    assert!(matches!(world.cloud.create(order("dcs-b")).await, Err(CreateError::Quota(_))));
    world.clock.advance(120_000);
    world.until(&id, |instance| instance.unwrap().status == Status::Running).await;
    let extended = world.show(&id).unwrap();
    assert_eq!((extended.form(), extended.port, &extended.task), (form, extending.port, &None));
    assert_eq!(world.nodes.nodes()[0].memory_limit_bytes, extended.memory_limit_bytes());
}

#[tokio::test]
async fn an_instance_that_is_frozen_has_no_node_until_it_serves_again() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::with(Profile::Instant, Some(directory.path()), Quota::default(), |_| {}).await;
    let instance = world.cloud.create_with_id("crs-1".to_owned(), order("a")).await.unwrap();
    assert_eq!(instance.id, "crs-1");
    let ended = *world.cloud.ended_tasks().borrow();
    world.cloud.freeze(PROJECT, "crs-1").await.unwrap();
    assert_eq!(*world.cloud.ended_tasks().borrow(), ended + 1);
    assert_eq!(world.show("crs-1").map(|frozen| frozen.status), Some(Status::Frozen));
    assert!(world.nodes.nodes().is_empty() && world.nodes.removed().is_empty());
    world.cloud.close();

    // It stays so when the process begins again.
    drop(world);
    let world = World::with(Profile::Instant, Some(directory.path()), Quota::default(), |_| {}).await;
    assert_eq!(world.show("crs-1").map(|frozen| frozen.status), Some(Status::Frozen));
    assert!(world.nodes.nodes().is_empty());
    let refused = world.cloud.flush(PROJECT, "crs-1").await;
    assert!(matches!(refused, Err(TaskError::WrongStatus(Status::Frozen))));
    world.cloud.thaw(PROJECT, "crs-1").await.unwrap();
    let again = world.show("crs-1").unwrap();
    assert_eq!((again.status, again.port), (Status::Running, instance.port));
}

#[tokio::test]
async fn notes_are_there_again_for_those_who_made_them() {
    let directory = tempfile::tempdir().unwrap();
    let open = || World::with(Profile::Instant, Some(directory.path()), Quota::default(), |_| {});
    let world = open().await;
    let note = |name: &str, text: &str| (name.to_owned(), Some(text.as_bytes().to_vec()));
    world.cloud.note(vec![note("a/1", "one"), note("a/2", "two"), note("b/1", "other")]).await.unwrap();
    world.cloud.note(vec![note("a/1", "changed"), ("a/2".to_owned(), None)]).await.unwrap();
    world.cloud.close();
    drop(world);
    let world = open().await;
    let expected = BTreeMap::from([("a/1".to_owned(), b"changed".to_vec())]);
    assert_eq!(world.cloud.take_notes("a/"), expected);
    assert!(world.cloud.take_notes("a/").is_empty());
    assert_eq!(world.cloud.take_notes("b/").len(), 1);
}

#[tokio::test]
async fn stepped_a_task_waits_for_its_step() {
    let world = World::new(Profile::Stepped).await;
    let instance = world.create("dcs-a").await;
    world.clock.advance(1_000_000_000);
    tokio::task::yield_now().await;
    assert_eq!(world.show(&instance.id).unwrap().status, Status::Creating);
    assert!(!world.cloud.step("no such task"));
    assert!(world.cloud.step(instance.task.as_ref().unwrap()));
    world.until(&instance.id, |instance| instance.unwrap().status == Status::Running).await;
    assert!(!world.cloud.step(instance.task.as_ref().unwrap()));
}

#[tokio::test]
async fn a_process_that_starts_again_has_the_same_instances_on_the_same_ports() {
    let directory = tempfile::tempdir().unwrap();
    let open = |profile| World::with(profile, Some(directory.path()), Quota::default(), |_| {});
    let world = open(Profile::Instant).await;
    let (first, second) = (world.create("dcs-a").await, world.create("dcs-b").await);
    world.cloud.delete(PROJECT, &first.id).await.unwrap();
    world.cloud.close();

    let world = open(Profile::Instant).await;
    assert_eq!(world.cloud.instances(PROJECT), std::slice::from_ref(&second));
    let [node] = &world.nodes.nodes()[..] else { panic!("one instance has one node") };
    assert_eq!((node.port, &node.id.0), (Port::Exactly(6380), &second.id));
    // Places in the order are not given twice.
    assert!(world.create("dcs-c").await.sequence > second.sequence);
}

#[tokio::test]
async fn an_instance_whose_port_was_taken_meanwhile_comes_back_in_error_and_recovers() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::with(Profile::Instant, Some(directory.path()), Quota::default(), |_| {}).await;
    let instance = world.create("dcs-a").await;
    world.cloud.close();

    let world = World::with(Profile::Instant, Some(directory.path()), Quota::default(), |nodes| {
        nodes.take_port(6379);
    })
    .await;
    let shown = world.show(&instance.id).unwrap();
    assert_eq!((shown.status, shown.fault), (Status::Error, Some(Fault::NotDeployed)));
    assert_eq!(shown.port, Some(6379));
    world.cloud.close();

    let world = World::with(Profile::Instant, Some(directory.path()), Quota::default(), |_| {}).await;
    assert_eq!(world.show(&instance.id).unwrap(), instance);
}

#[tokio::test]
async fn the_port_of_an_instance_that_does_not_run_stays_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::with(Profile::Instant, Some(directory.path()), Quota::default(), |_| {}).await;
    let instance = world.create("dcs-a").await;
    world.cloud.close();

    let world = World::with(Profile::Instant, Some(directory.path()), Quota::default(), |nodes| {
        nodes.take_port(6379);
    })
    .await;
    assert_eq!(world.show(&instance.id).unwrap().status, Status::Error);
    world.nodes.free_port(6379);
    assert_eq!(world.create("dcs-b").await.port, Some(6380));
    let asked = world.cloud.create(Order { requested_port: Some(6379), ..order("dcs-c") }).await.unwrap();
    assert_eq!((asked.status, asked.fault), (Status::CreateFailed, Some(Fault::NotDeployed)));
    world.cloud.close();

    let world = World::with(Profile::Instant, Some(directory.path()), Quota::default(), |_| {}).await;
    assert_eq!(world.show(&instance.id).unwrap(), instance);
}

#[tokio::test]
async fn a_port_that_was_asked_for_is_kept_while_the_instance_is_made() {
    let world = World::new(Profile::Stepped).await;
    let ask = |name| world.cloud.create(Order { requested_port: Some(6379), ..order(name) });
    let (first, second) = (ask("dcs-a").await.unwrap(), ask("dcs-b").await.unwrap());
    let third = world.create("dcs-c").await;
    for (instance, status, port) in [
        (&third, Status::Running, Some(6380)),
        (&second, Status::CreateFailed, None),
        (&first, Status::Running, Some(6379)),
    ] {
        assert!(world.cloud.step(instance.task.as_ref().unwrap()));
        world.until(&instance.id, |instance| instance.unwrap().status != Status::Creating).await;
        let made = world.show(&instance.id).unwrap();
        assert_eq!((made.status, made.port), (status, port), "{}", made.name);
    }
}

#[tokio::test]
async fn an_unfinished_task_goes_on_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::with(Profile::Realistic, Some(directory.path()), Quota::default(), |_| {}).await;
    let instance = world.create("dcs-a").await;
    world.cloud.close();

    let world = World::with(Profile::Realistic, Some(directory.path()), Quota::default(), |_| {}).await;
    assert_eq!(world.show(&instance.id).unwrap().status, Status::Creating);
    world.clock.advance(60_000);
    world.until(&instance.id, |instance| instance.unwrap().status == Status::Running).await;
}

#[tokio::test]
async fn a_creation_goes_on_when_nobody_waits_for_it() {
    let directory = tempfile::tempdir().unwrap();
    for profile in [Profile::Instant, Profile::Realistic] {
        let world = World::with(profile, Some(directory.path()), Quota::default(), |_| {}).await;
        let name = format!("dcs-{profile:?}");
        let mut creation = Box::pin(world.cloud.create(order(&name)));
        // Begins it, and drops it in the middle: the disk takes longer than this.
        assert!(
            std::future::poll_fn(|context| Poll::Ready(creation.as_mut().poll(context).is_pending())).await
        );
        drop(creation);
        let id = world.cloud.instances(PROJECT).last().unwrap().id.clone();
        // Recorded, a realistic task waits for the clock.
        tokio::time::sleep(Duration::from_millis(50)).await;
        world.clock.advance(60_000);
        world.until(&id, |instance| instance.unwrap().status == Status::Running).await;
        world.cloud.close();
    }
}

#[tokio::test]
async fn what_cannot_be_recorded_does_not_happen() {
    let directory = tempfile::tempdir().unwrap();
    for profile in [Profile::Instant, Profile::Realistic] {
        let world = World::with(Profile::Instant, Some(directory.path()), Quota::default(), |_| {}).await;
        let kept = world.create(&format!("dcs-{profile:?}")).await;
        world.cloud.close();
        assert!(matches!(world.cloud.create(order("dcs-b")).await, Err(CreateError::Store(_))));
        assert!(matches!(world.cloud.delete(PROJECT, &kept.id).await, Err(TaskError::Store(_))));
        assert_eq!(world.show(&kept.id).unwrap(), kept);
        assert_eq!(world.nodes.nodes().iter().filter(|node| node.id.0 == kept.id).count(), 1);
        assert!(world.cloud.instances(PROJECT).iter().all(|instance| instance.name != "dcs-b"));
    }
}

#[tokio::test]
async fn a_data_plane_that_panics_leaves_nothing_behind() {
    let world = World::new(Profile::Instant).await;
    world.nodes.panic(true);
    let cloud = world.cloud.clone();
    let outcome = tokio::spawn(async move { cloud.create(order("dcs-a")).await }).await;
    assert!(outcome.unwrap_err().is_panic());
    assert!(world.cloud.instances(PROJECT).is_empty());
    world.nodes.panic(false);
    assert_eq!(world.create("dcs-a").await.status, Status::Running);
}

#[tokio::test]
async fn only_the_last_thousand_finished_tasks_are_remembered() {
    let world = World::new(Profile::Instant).await;
    for number in 0..600 {
        let instance = world.create(&format!("dcs-{number}")).await;
        world.cloud.delete(PROJECT, &instance.id).await.unwrap();
    }
    let tasks = world.cloud.tasks(PROJECT);
    assert!((1_000..=1_001).contains(&tasks.len()), "{}", tasks.len());
    assert_eq!(tasks.last().unwrap().instance_name, "dcs-599");
}

#[tokio::test]
async fn clients_are_told_a_host_that_they_can_reach() {
    let local = Some("192.0.2.7:8400".parse().unwrap());
    let host = |bind: &str, advertise: Option<&str>| {
        let settings = Settings {
            bind: bind.parse().unwrap(),
            advertise: advertise.map(str::to_owned),
            ..fake::settings(Profile::Instant)
        };
        async move {
            let nodes = Arc::new(FakeDataPlane::default());
            let cloud = Cloud::open(settings, Arc::new(FakeClock::at(NOW_MS)), nodes, Store::nowhere()).await;
            [cloud.host_for(local), cloud.host_for(None)]
        }
    };
    assert_eq!(host("127.0.0.1", None).await, ["127.0.0.1", "127.0.0.1"]);
    assert_eq!(host("0.0.0.0", None).await, ["192.0.2.7", "127.0.0.1"]);
    assert_eq!(host("0.0.0.0", Some("cache.test")).await, ["cache.test", "cache.test"]);
}
