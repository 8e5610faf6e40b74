//! The cloud: instances and the tasks that work on them.
//!
//! Invariants:
//! - What is in memory is what is in the store, but for an instance that is being made under the instant profile:
//!   it is stored when it is finished, and a process that dies before that has told nobody of it.
//! - Names are unique within a project, and a project stays within its quota, however many requests come at once:
//!   both are decided under one lock with the insertion.
//! - An instance is [`Status::Running`] only after its node answered a ping.
//! - A creation that fails leaves a [`Status::CreateFailed`] record and nothing in the data plane.
//! - No lock is held across an `await`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use parking_lot::RwLock;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::clock::Clock;
use crate::data_plane::{DataPlane, FailoverError, Failure, NodeId, NodeSpec, Port, Statistics};
use crate::engine::{Engine, Release};
use crate::instance::{Fault, Instance, Order, Status};
use crate::quota::{Exceeded, Quota, Usage};
use crate::store::{Change, CommitError, Contents, Store};
use crate::task::{self, Profile, Task};

/// So many instances load their keys at once when a cloud is opened again.
const STARTED_AT_ONCE: usize = 16;

/// What a cloud is like.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long tasks take.
    pub profile: Profile,
    /// What each project may have.
    pub quota: Quota,
    /// The first port that an instance gets which asked for none.
    pub base_port: u16,
    /// The address that nodes are bound to.
    pub bind: IpAddr,
    /// The host that clients are told, where it is not the one that they reached the cloud by.
    pub advertise: Option<String>,
}

/// The cloud.
pub struct Cloud {
    settings: Settings,
    clock: Arc<dyn Clock>,
    data_plane: Arc<dyn DataPlane>,
    store: Store,
    state: RwLock<State>,
}

/// Why an instance is not created.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// Another instance of the project has the name.
    #[error("an instance of this name exists")]
    NameTaken,
    /// The project's quota does not allow it.
    #[error("the quota does not allow it")]
    Quota(Exceeded),
    /// It cannot be recorded.
    #[error(transparent)]
    Store(#[from] CommitError),
}

/// Why an instance is not deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeleteError {
    /// The project has no such instance.
    #[error("there is no such instance")]
    NotFound,
    /// A task is at work on it.
    #[error("a task is at work on the instance")]
    Busy(task::Kind),
    /// Its state does not allow it.
    #[error("the instance is {}", .0.name())]
    WrongStatus(Status),
    /// It cannot be recorded.
    #[error(transparent)]
    Store(#[from] CommitError),
}

/// How many finished tasks are remembered.
const FINISHED_TASKS_KEPT: usize = 1_000;

#[derive(Default)]
struct State {
    instances: BTreeMap<u64, Arc<Instance>>,
    by_id: HashMap<String, u64>,
    tasks: BTreeMap<u64, Arc<Task>>,
    /// What ends the wait of a stepped task, by the task's id.
    steps: HashMap<String, oneshot::Sender<()>>,
    last_sequence: u64,
}

impl Cloud {
    /// A cloud that holds what `contents` says: its nodes are started again on the ports that they had, and its
    /// unfinished tasks go on.
    pub async fn open(
        settings: Settings,
        clock: Arc<dyn Clock>,
        data_plane: Arc<dyn DataPlane>,
        (store, contents): (Store, Contents),
    ) -> Arc<Self> {
        let state = RwLock::new(State::of(contents));
        let cloud = Arc::new(Cloud { settings, clock, data_plane, store, state });
        cloud.start_again().await;
        cloud
    }

    /// Creates an instance. Under the instant profile it has been made, or has failed, when this returns;
    /// otherwise a task makes it.
    pub async fn create(self: &Arc<Self>, order: Order) -> Result<Arc<Instance>, CreateError> {
        let (instance, task) = self.state.write().admit(
            order,
            &self.settings.quota,
            self.clock.now_ms(),
            self.settings.profile,
        )?;
        tracing::info!(id = %instance.id, name = %instance.name, spec = %instance.spec_code, "create instance");
        self.run(&instance, &task).await?;
        Ok(self.instance(&instance.project_id, &instance.id).unwrap_or(instance))
    }

    /// Deletes an instance. Under the instant profile it is gone when this returns; otherwise it stays as it is
    /// until a task has removed it.
    pub async fn delete(self: &Arc<Self>, project_id: &str, id: &str) -> Result<(), DeleteError> {
        let (instance, task) = self.state.write().claim_for_deletion(
            project_id,
            id,
            self.clock.now_ms(),
            self.settings.profile,
        )?;
        tracing::info!(id = %instance.id, name = %instance.name, "delete instance");
        Ok(self.run(&instance, &task).await?)
    }

    /// Has the standby of an instance of this id, of whichever project, take its master's place. The address stays.
    ///
    /// # Errors
    /// [`FailoverError`]
    pub async fn failover(&self, id: &str) -> Result<(), FailoverError> {
        tracing::info!(id, "failover");
        self.data_plane.failover(&NodeId(id.to_owned())).await
    }

    /// Has the master of an instance of this id, of whichever project, fail.
    ///
    /// # Errors
    /// [`FailoverError`]
    pub fn fail(&self, id: &str, failure: Failure) -> Result<(), FailoverError> {
        tracing::info!(id, ?failure, "the master fails, as wanted");
        self.data_plane.fail(&NodeId(id.to_owned()), failure)
    }

    /// The instance of this id, if it is the project's.
    pub fn instance(&self, project_id: &str, id: &str) -> Option<Arc<Instance>> {
        let state = self.state.read();
        state.instance(id).filter(|instance| instance.project_id == project_id).cloned()
    }

    /// The project's instances, in the order of creation.
    pub fn instances(&self, project_id: &str) -> Vec<Arc<Instance>> {
        let state = self.state.read();
        state.instances.values().filter(|instance| instance.project_id == project_id).cloned().collect()
    }

    /// The place in the order of creation of the project's instance of this id, which may be gone as long as one of its
    /// tasks is remembered.
    pub fn place_of(&self, project_id: &str, id: &str) -> Option<u64> {
        if let Some(instance) = self.instance(project_id, id) {
            return Some(instance.sequence);
        }
        let state = self.state.read();
        let mut tasks = state.tasks.values();
        let task = tasks.find(|task| task.instance_id == id && task.project_id == project_id)?;
        Some(task.instance_sequence).filter(|sequence| *sequence > 0)
    }

    /// How many instances there are in each state, in all projects.
    pub fn count_by_status(&self) -> Vec<(Status, usize)> {
        let state = self.state.read();
        let count = |status| state.instances.values().filter(|instance| instance.status == status).count();
        Status::ALL.into_iter().map(|status| (status, count(status))).collect()
    }

    /// The project's tasks that are under way or finished lately, in the order of creation.
    pub fn tasks(&self, project_id: &str) -> Vec<Arc<Task>> {
        let state = self.state.read();
        state.tasks.values().filter(|task| task.project_id == project_id).cloned().collect()
    }

    /// What the project may have, and has.
    pub fn quota(&self, project_id: &str) -> (Quota, Usage) {
        (self.settings.quota, self.state.read().usage(project_id))
    }

    /// What the instance's node has and has done; `None` if it does not run.
    pub fn statistics(&self, instance: &Instance) -> Option<Statistics> {
        self.data_plane.statistics(&node_of(instance))
    }

    /// Whether nodes of this engine and release have a command of this name, in any case.
    pub fn has_command(&self, engine: Engine, release: Option<Release>, name: &str) -> bool {
        self.data_plane.has_command(engine, release, name)
    }

    /// The host by which a client reaches nodes, who reached the cloud itself at `local`.
    pub fn host_for(&self, local: Option<SocketAddr>) -> String {
        match (&self.settings.advertise, self.settings.bind, local) {
            (Some(host), ..) => host.clone(),
            (None, bind, _) if !bind.is_unspecified() => bind.to_string(),
            (None, _, Some(local)) => local.ip().to_canonical().to_string(),
            (None, ..) => Ipv4Addr::LOCALHOST.to_string(),
        }
    }

    /// The cloud's clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Ends the wait of a task under the stepped profile; answers whether such a task was waiting.
    pub fn step(&self, task_id: &str) -> bool {
        let waiting = self.state.write().steps.remove(task_id);
        waiting.is_some_and(|waiting| waiting.send(()).is_ok())
    }

    /// Closes the store: whatever happens from now on is not recorded.
    pub fn close(&self) {
        self.store.close();
    }

    /// Runs a task, and waits until it has ended (under the instant profile) or is recorded and goes on in the
    /// background. It runs all the same when the caller no longer waits. An error means that nothing was recorded and
    /// nothing has changed.
    async fn run(self: &Arc<Self>, instance: &Arc<Instance>, task: &Arc<Task>) -> Result<(), CommitError> {
        let (told, outcome) = oneshot::channel();
        let (cloud, gate) = (self.clone(), self.gate(task));
        let (of, work) = (instance.clone(), task.clone());
        tokio::spawn(async move {
            // Nobody may be waiting any more.
            if cloud.settings.profile == Profile::Instant {
                let _ = told.send(cloud.work(&of, &work, gate).await);
                return;
            }
            let recorded = cloud.store.commit(Change::put(&of, &work)).await;
            if recorded.is_err() {
                cloud.undo(&of, &work).await;
            }
            let go_on = recorded.is_ok();
            let _ = told.send(recorded);
            if go_on {
                // What went wrong is in the log.
                let _ = cloud.work(&of, &work, gate).await;
            }
        });
        match outcome.await {
            Ok(outcome) => outcome,
            Err(_) => {
                self.undo(instance, task).await;
                panic!("the task {} panicked", task.id)
            }
        }
    }

    /// Waits for the task's time, does its work and records the outcome. What cannot be recorded is undone.
    async fn work(
        &self,
        instance: &Instance,
        task: &Task,
        gate: Option<oneshot::Receiver<()>>,
    ) -> Result<(), CommitError> {
        match gate {
            // The other end lies in the state, and goes only when it is used.
            Some(stepped) => stepped.await.unwrap_or_default(),
            None => self.clock.sleep_until(task.created_at_ms + task.duration_ms).await,
        }
        let outcome = match task.kind {
            task::Kind::Create => {
                let made = self.launch(instance, Status::CreateFailed).await;
                let state = if made.fault.is_none() { task::State::Succeeded } else { task::State::Failed };
                self.finish(task, state, Some(made)).await
            }
            task::Kind::Delete => {
                let outcome = self.finish(task, task::State::Succeeded, None).await;
                if outcome.is_ok() {
                    self.data_plane.remove(&node_of(instance)).await;
                }
                outcome
            }
        };
        if let Err(error) = &outcome {
            tracing::error!(task = %task.id, instance = %instance.id, %error, "a task is undone");
            self.undo(instance, task).await;
        }
        outcome
    }

    /// Makes it as if the task had never been.
    async fn undo(&self, instance: &Instance, task: &Task) {
        if task.kind == task::Kind::Create {
            self.data_plane.remove(&node_of(instance)).await;
        }
        let mut state = self.state.write();
        state.tasks.remove(&task.sequence);
        match task.kind {
            task::Kind::Create => state.remove(&instance.id),
            task::Kind::Delete => state.put(Arc::new(Instance { task: None, ..instance.clone() })),
        }
    }

    /// What a task waits for under the stepped profile.
    fn gate(&self, task: &Task) -> Option<oneshot::Receiver<()>> {
        if self.settings.profile != Profile::Stepped {
            return None;
        }
        let (step, stepped) = oneshot::channel();
        self.state.write().steps.insert(task.id.clone(), step);
        Some(stepped)
    }

    /// Starts the instance's node and sees that it answers. What comes back runs, or is `failed` and has no node.
    async fn launch(&self, instance: &Instance, failed: Status) -> Instance {
        let node = node_of(instance);
        let mut instance = instance.clone();
        instance.task = None;
        let fault = match self.data_plane.start(self.node_spec(&instance)).await {
            Ok(endpoint) => {
                instance.port = Some(endpoint.address.port());
                instance.node_ports = self.data_plane.further_ports(&node);
                match self.data_plane.ping(&node).await {
                    Ok(()) => None,
                    Err(error) => {
                        tracing::warn!(id = %instance.id, %error, "the instance's node does not answer");
                        self.data_plane.stop(&node).await;
                        Some(Fault::NotReachable)
                    }
                }
            }
            Err(error) => {
                tracing::warn!(id = %instance.id, %error, "the instance's node does not start");
                Some(Fault::NotDeployed)
            }
        };
        instance.fault = fault;
        match fault {
            Some(_) => instance.status = failed,
            None => {
                instance.status = Status::Running;
                instance.launched_at_ms.get_or_insert(self.clock.now_ms());
            }
        }
        instance
    }

    /// Records a finished task and what became of its instance: a new record, or `None` where it is gone.
    async fn finish(
        &self,
        task: &Task,
        state: task::State,
        instance: Option<Instance>,
    ) -> Result<(), CommitError> {
        let mut task = task.clone();
        task.state = state;
        task.finished_at_ms = Some(self.clock.now_ms());
        let (task, instance) = (Arc::new(task), instance.map(Arc::new));
        let mut change = Change { put_tasks: vec![task.clone()], ..Change::default() };
        match &instance {
            Some(instance) => change.put_instances.push(instance.clone()),
            None => change.remove_instances.push(task.instance_id.clone()),
        }
        change.remove_tasks = self.state.write().forget_old_tasks();
        self.store.commit(change).await?;
        let mut memory = self.state.write();
        match instance {
            Some(instance) => memory.put(instance),
            None => memory.remove(&task.instance_id),
        }
        memory.tasks.insert(task.sequence, task);
        Ok(())
    }

    fn node_spec(&self, instance: &Instance) -> NodeSpec {
        let port = match (instance.port, instance.requested_port) {
            (Some(port), _) | (None, Some(port)) => Port::Exactly(port),
            (None, None) => Port::FirstFreeFrom(self.settings.base_port),
        };
        let renamed = instance.renamed_commands.iter();
        NodeSpec {
            id: node_of(instance),
            engine: instance.engine,
            release: instance.release,
            topology: instance.topology,
            shards: instance.shards,
            copies: instance.copies,
            further_ports: instance.node_ports.clone(),
            memory_limit_bytes: instance.memory_limit_bytes(),
            port,
            reserved_ports: self.state.read().ports_kept_from(instance),
            access: instance.access.clone(),
            renamed_commands: renamed.map(|(command, name)| (command.clone(), name.clone())).collect(),
            databases: instance.databases,
            parameters: Vec::new(),
        }
    }

    /// Starts the nodes of a store that was opened, and takes up its unfinished tasks.
    async fn start_again(self: &Arc<Self>) {
        let (instances, unfinished) = {
            let state = self.state.read();
            let instances: Vec<_> = state.instances.values().cloned().collect();
            let running = |task: &&Arc<Task>| task.state == task::State::Running;
            (instances, state.tasks.values().filter(running).cloned().collect::<Vec<_>>())
        };
        // Whoever has many keys to load does not keep the others waiting.
        let mut starting = JoinSet::new();
        for instance in instances {
            if matches!(instance.status, Status::CreateFailed | Status::Creating) {
                continue;
            }
            if starting.len() >= STARTED_AT_ONCE {
                starting.join_next().await;
            }
            let cloud = self.clone();
            starting.spawn(async move {
                let mut again = cloud.launch(&instance, Status::Error).await;
                again.task.clone_from(&instance.task);
                cloud.state.write().put(Arc::new(again));
            });
        }
        while starting.join_next().await.is_some() {}
        for task in unfinished {
            let instance = self.state.read().instance(&task.instance_id).cloned();
            if let Some(instance) = instance {
                let gate = self.gate(&task);
                let cloud = self.clone();
                tokio::spawn(async move { cloud.work(&instance, &task, gate).await });
            }
        }
    }
}

impl State {
    fn of(contents: Contents) -> Self {
        let mut state = State::default();
        for instance in contents.instances {
            state.put(Arc::new(instance));
        }
        for task in contents.tasks {
            state.tasks.insert(task.sequence, Arc::new(task));
        }
        let last = |sequence: Option<&u64>| sequence.copied().unwrap_or(0);
        state.last_sequence = last(state.instances.keys().last()).max(last(state.tasks.keys().last()));
        state
    }

    fn instance(&self, id: &str) -> Option<&Arc<Instance>> {
        self.instances.get(self.by_id.get(id)?)
    }

    fn put(&mut self, instance: Arc<Instance>) {
        self.by_id.insert(instance.id.clone(), instance.sequence);
        self.instances.insert(instance.sequence, instance);
    }

    fn remove(&mut self, id: &str) {
        if let Some(sequence) = self.by_id.remove(id) {
            self.instances.remove(&sequence);
        }
    }

    /// The ports that others have, whether their nodes run or not, or asked for before this instance could have one.
    /// What it has itself, it has.
    fn ports_kept_from(&self, instance: &Instance) -> BTreeSet<u16> {
        if instance.port.is_some() {
            return BTreeSet::new();
        }
        let others = self.instances.values().filter(|other| other.id != instance.id && other.counts());
        let kept = |other: &Arc<Instance>| {
            let first = instance.requested_port.is_none() || other.sequence < instance.sequence;
            other.port.or(other.requested_port.filter(|_| first))
        };
        others.flat_map(|other| kept(other).into_iter().chain(other.node_ports.iter().copied())).collect()
    }

    fn usage(&self, project_id: &str) -> Usage {
        let of_project = self.instances.values().filter(|instance| instance.project_id == project_id);
        Usage::of(of_project.map(Arc::as_ref))
    }

    /// Takes an order in, if name and quota allow it.
    fn admit(
        &mut self,
        order: Order,
        quota: &Quota,
        now_ms: u64,
        profile: Profile,
    ) -> Result<(Arc<Instance>, Arc<Task>), CreateError> {
        let taken = |other: &Arc<Instance>| {
            other.project_id == order.project_id && other.name == order.name && other.counts()
        };
        if self.instances.values().any(taken) {
            return Err(CreateError::NameTaken);
        }
        self.usage(&order.project_id).admits(order.capacity, quota).map_err(CreateError::Quota)?;
        let mut instance = Instance {
            id: Uuid::new_v4().to_string(),
            sequence: self.next_sequence(),
            order,
            status: Status::Creating,
            fault: None,
            port: None,
            node_ports: Vec::new(),
            created_at_ms: now_ms,
            launched_at_ms: None,
            task: None,
        };
        let task = self.new_task(&mut instance, task::Kind::Create, now_ms, profile);
        let instance = Arc::new(instance);
        self.put(instance.clone());
        Ok((instance, task))
    }

    /// Puts a deletion on an instance.
    fn claim_for_deletion(
        &mut self,
        project_id: &str,
        id: &str,
        now_ms: u64,
        profile: Profile,
    ) -> Result<(Arc<Instance>, Arc<Task>), DeleteError> {
        let found = self.instance(id).filter(|instance| instance.project_id == project_id);
        let before = found.ok_or(DeleteError::NotFound)?.clone();
        if let Some(task_id) = &before.task {
            let kind = self.tasks.values().find(|task| task.id == *task_id).map(|task| task.kind);
            return Err(DeleteError::Busy(kind.unwrap_or(task::Kind::Delete)));
        }
        if !matches!(before.status, Status::Running | Status::Error | Status::CreateFailed | Status::Frozen) {
            return Err(DeleteError::WrongStatus(before.status));
        }
        let mut instance = (*before).clone();
        let task = self.new_task(&mut instance, task::Kind::Delete, now_ms, profile);
        let instance = Arc::new(instance);
        self.put(instance.clone());
        Ok((instance, task))
    }

    fn new_task(
        &mut self,
        instance: &mut Instance,
        kind: task::Kind,
        now_ms: u64,
        profile: Profile,
    ) -> Arc<Task> {
        let task = Arc::new(Task {
            id: Uuid::new_v4().to_string(),
            sequence: self.next_sequence(),
            project_id: instance.project_id.clone(),
            instance_id: instance.id.clone(),
            instance_sequence: instance.sequence,
            instance_name: instance.name.clone(),
            kind,
            state: task::State::Running,
            created_at_ms: now_ms,
            duration_ms: profile.duration_ms(kind),
            finished_at_ms: None,
        });
        instance.task = Some(task.id.clone());
        self.tasks.insert(task.sequence, task.clone());
        task
    }

    /// Drops the oldest of the finished tasks beyond those that are remembered, and answers their ids.
    fn forget_old_tasks(&mut self) -> Vec<String> {
        if self.tasks.len() <= FINISHED_TASKS_KEPT {
            return Vec::new();
        }
        let finished = self.tasks.values().filter(|task| task.state != task::State::Running);
        let surplus = finished.clone().count().saturating_sub(FINISHED_TASKS_KEPT);
        let old: Vec<_> = finished.take(surplus).cloned().collect();
        for task in &old {
            self.tasks.remove(&task.sequence);
        }
        old.iter().map(|task| task.id.clone()).collect()
    }

    fn next_sequence(&mut self) -> u64 {
        self.last_sequence += 1;
        self.last_sequence
    }
}

fn node_of(instance: &Instance) -> NodeId {
    NodeId(instance.id.clone())
}
