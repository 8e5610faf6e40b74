//! The cloud: what can be asked of it and told it. What it knows is in `state`, and how its tasks work in `work`.
//!
//! Invariants:
//! - What is in memory is what is in the store, but for an instance that is being made under the instant profile:
//!   it is stored when it is finished, and a process that dies before that has told nobody of it.
//! - Names are unique within a project, and a project stays within its quota, however many requests come at once:
//!   both are decided under one lock with the insertion.
//! - An instance is [`Status::Running`] only after its node answered a ping.
//! - A creation that fails leaves a [`Status::CreateFailed`] record and nothing in the data plane.
//! - No lock is held across an `await`.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;
use uuid::Uuid;

use crate::busyness::Busyness;
use crate::clock::Clock;
use crate::data_plane::{DataPlane, FailoverError, Failure, NodeId, Statistics};
use crate::engine::{Engine, Release};
use crate::instance::{Instance, Order, Status};
use crate::migrations::Migrations;
use crate::quota::{Exceeded, Quota, Usage};
use crate::schedule::Bell;
use crate::state::{Claim, State};
use crate::store::{Change, CommitError, Contents, Store};
use crate::task::{self, Profile, Task};
use crate::vault::Vault;

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
    pub(crate) settings: Settings,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) data_plane: Arc<dyn DataPlane>,
    pub(crate) store: Store,
    pub(crate) state: RwLock<State>,
    pub(crate) busyness: Busyness,
    /// How many tasks have ended since the cloud was opened.
    pub(crate) ended: watch::Sender<u64>,
    /// Notes of the store that nobody has taken yet.
    notes: Mutex<BTreeMap<String, Vec<u8>>>,
    /// Where the files of backups lie.
    pub(crate) vault: Arc<Vault>,
    /// Keys that are copied from elsewhere.
    pub(crate) migrations: Migrations,
    /// Rings when something else may be due first.
    pub(crate) bell: Bell,
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

/// Why a task does not begin, or, under the instant profile, has not done what it should.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// The project has no such instance.
    #[error("there is no such instance")]
    NotFound,
    /// A task is at work on it.
    #[error("a task is at work on the instance")]
    Busy(task::Kind),
    /// Its state does not allow it.
    #[error("the instance is {}", .0.name())]
    WrongStatus(Status),
    /// Instances of its kind have no use for it.
    #[error("instances of this kind do not do that")]
    NotSupported,
    /// It could not be done; the log says why.
    #[error("the task failed")]
    Failed,
    /// It cannot be recorded.
    #[error(transparent)]
    Store(#[from] CommitError),
}

impl Cloud {
    /// A cloud that holds what `contents` says: its nodes are started again on the ports that they had, and its
    /// unfinished tasks go on.
    pub async fn open(
        settings: Settings,
        clock: Arc<dyn Clock>,
        data_plane: Arc<dyn DataPlane>,
        (store, mut contents): (Store, Contents),
    ) -> Arc<Self> {
        let notes = Mutex::new(std::mem::take(&mut contents.notes));
        let state = RwLock::new(State::of(contents));
        let vault = Arc::new(Vault::new(store.directory()));
        vault.sweep(state.read().records.backups.values().map(Arc::as_ref));
        let (busyness, ended, bell) = (Busyness::default(), watch::Sender::new(0), Bell::default());
        let cloud = Cloud {
            settings,
            clock,
            data_plane,
            store,
            state,
            busyness,
            vault,
            migrations: Migrations::default(),
            bell,
            ended,
            notes,
        };
        let cloud = Arc::new(cloud);
        cloud.start_again().await;
        cloud.keep_schedule();
        cloud
    }

    /// Creates an instance. Under the instant profile it has been made, or has failed, when this returns;
    /// otherwise a task makes it.
    pub async fn create(self: &Arc<Self>, order: Order) -> Result<Arc<Instance>, CreateError> {
        self.create_with_id(Uuid::new_v4().to_string(), order).await
    }

    /// The same, with an id that the provider has chosen. No other instance has or has had it.
    pub async fn create_with_id(
        self: &Arc<Self>,
        id: String,
        order: Order,
    ) -> Result<Arc<Instance>, CreateError> {
        let claim = self.state.write().admit(
            id,
            order,
            &self.settings.quota,
            self.clock.now_ms(),
            self.settings.profile,
        )?;
        let instance = claim.instance.clone();
        tracing::info!(id = %instance.id, name = %instance.name, spec = %instance.spec_code, "create instance");
        self.run(claim).await?;
        self.schedule_changed();
        Ok(self.instance(&instance.project_id, &instance.id).unwrap_or(instance))
    }

    /// Creates all these instances or, where name or quota do not allow one of them, none.
    ///
    /// # Errors
    /// [`CreateError`]
    pub async fn create_all(self: &Arc<Self>, orders: Vec<Order>) -> Result<Vec<Arc<Instance>>, CreateError> {
        let (now_ms, profile) = (self.clock.now_ms(), self.settings.profile);
        let claims = {
            let mut state = self.state.write();
            let mut claims: Vec<Claim> = Vec::new();
            for order in orders {
                let id = Uuid::new_v4().to_string();
                match state.admit(id, order, &self.settings.quota, now_ms, profile) {
                    Ok(claim) => claims.push(claim),
                    Err(error) => {
                        claims.iter().for_each(|claim| state.withdraw(claim));
                        return Err(error);
                    }
                }
            }
            claims
        };
        let (mut making, mut instances) = (tokio::task::JoinSet::new(), Vec::new());
        for claim in claims {
            let instance = claim.instance.clone();
            tracing::info!(id = %instance.id, name = %instance.name, spec = %instance.spec_code, "create instance");
            instances.push(instance);
            let cloud = self.clone();
            making.spawn(async move { cloud.run(claim).await });
        }
        for made in making.join_all().await {
            made?;
        }
        let now =
            |instance: Arc<Instance>| self.instance(&instance.project_id, &instance.id).unwrap_or(instance);
        Ok(instances.into_iter().map(now).collect())
    }

    /// Deletes an instance. Under the instant profile it is gone when this returns; otherwise it stays as it is
    /// until a task has removed it.
    ///
    /// # Errors
    /// [`TaskError`]
    pub async fn delete(self: &Arc<Self>, project_id: &str, id: &str) -> Result<(), TaskError> {
        self.act(project_id, id, task::Kind::Delete, task::Details::default()).await
    }

    /// Has the standby of an instance take its master's place. The address stays.
    ///
    /// # Errors
    /// [`TaskError`]
    pub async fn swap(self: &Arc<Self>, project_id: &str, id: &str) -> Result<(), TaskError> {
        self.act(project_id, id, task::Kind::Swap, task::Details::default()).await
    }

    /// As [`Cloud::swap`], for whoever looks at the task later: its id.
    ///
    /// # Errors
    /// [`TaskError`], if it does not begin.
    pub async fn begin_swap(self: &Arc<Self>, project_id: &str, id: &str) -> Result<String, TaskError> {
        let task = self.carry_out(project_id, id, task::Kind::Swap, task::Details::default()).await?;
        Ok(task.id.clone())
    }

    /// Has an instance end and begin again, with what it holds. Under the instant profile it serves again when this
    /// returns.
    ///
    /// # Errors
    /// [`TaskError`]
    pub async fn restart(self: &Arc<Self>, project_id: &str, id: &str) -> Result<(), TaskError> {
        self.act(project_id, id, task::Kind::Restart, task::Details::default()).await
    }

    /// Removes all that an instance holds.
    ///
    /// # Errors
    /// [`TaskError`]
    pub async fn flush(self: &Arc<Self>, project_id: &str, id: &str) -> Result<(), TaskError> {
        self.act(project_id, id, task::Kind::Flush, task::Details::default()).await
    }

    /// The same; answers the task, which has ended under the instant profile, one way or the other.
    ///
    /// # Errors
    /// [`TaskError`], but for [`TaskError::Failed`]
    pub async fn clear(self: &Arc<Self>, project_id: &str, id: &str) -> Result<Arc<Task>, TaskError> {
        self.carry_out(project_id, id, task::Kind::Flush, task::Details::default()).await
    }

    /// Takes an instance out of service, as one that has not been paid for. What it has saved stays.
    ///
    /// # Errors
    /// [`TaskError`]
    pub async fn freeze(self: &Arc<Self>, project_id: &str, id: &str) -> Result<(), TaskError> {
        self.act(project_id, id, task::Kind::Freeze, task::Details::default()).await
    }

    /// Has an instance serve again that was out of service.
    ///
    /// # Errors
    /// [`TaskError`]
    pub async fn thaw(self: &Arc<Self>, project_id: &str, id: &str) -> Result<(), TaskError> {
        self.act(project_id, id, task::Kind::Thaw, task::Details::default()).await
    }

    /// Puts a task on an instance. Under the instant profile it is done when this returns.
    pub(crate) async fn act(
        self: &Arc<Self>,
        project_id: &str,
        id: &str,
        kind: task::Kind,
        details: task::Details,
    ) -> Result<(), TaskError> {
        match self.carry_out(project_id, id, kind, details).await?.state {
            task::State::Running | task::State::Succeeded => Ok(()),
            task::State::Failed => Err(TaskError::Failed),
        }
    }

    /// The same; answers the task as it is then: under the instant profile it has ended, one way or the other.
    pub(crate) async fn carry_out(
        self: &Arc<Self>,
        project_id: &str,
        id: &str,
        kind: task::Kind,
        details: task::Details,
    ) -> Result<Arc<Task>, TaskError> {
        let (now_ms, profile) = (self.clock.now_ms(), self.settings.profile);
        let claim = self.state.write().claim(project_id, id, kind, details, now_ms, profile)?;
        tracing::info!(id, name = %claim.instance.name, task = ?claim.task.kind, "a task on an instance");
        let begun = claim.task.clone();
        let state = self.run(claim).await?;
        // It is forgotten at some time after its end.
        let task = self.state.read().tasks.get(&begun.sequence).cloned();
        Ok(task.unwrap_or_else(|| Arc::new(Task { state, ..Task::clone(&begun) })))
    }

    /// Has the standby of an instance of this id, of whichever project, take its master's place. The address stays. Which
    /// shard it is, [`crate::DataPlane::failover`] says.
    ///
    /// # Errors
    /// [`FailoverError`]
    pub async fn failover(&self, id: &str, shard: Option<usize>) -> Result<(), FailoverError> {
        tracing::info!(id, shard, "failover");
        self.data_plane.failover(&NodeId(id.to_owned()), shard).await
    }

    /// Has the master of an instance of this id, of whichever project, fail.
    ///
    /// # Errors
    /// [`FailoverError`]
    pub fn fail(&self, id: &str, shard: Option<usize>, failure: Failure) -> Result<(), FailoverError> {
        tracing::info!(id, shard, ?failure, "the master fails, as wanted");
        self.data_plane.fail(&NodeId(id.to_owned()), shard, failure)
    }

    /// The instance of this id, if it is the project's.
    pub fn instance(&self, project_id: &str, id: &str) -> Option<Arc<Instance>> {
        self.state.read().find(project_id, id).cloned()
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

    /// The task that is at work on an instance.
    pub fn work_on(&self, instance: &Instance) -> Option<Arc<Task>> {
        let id = instance.task.as_ref()?;
        let state = self.state.read();
        state.tasks.values().rev().find(|task| task.id == *id).cloned()
    }

    /// The project's tasks that are under way or finished lately, in the order of creation.
    pub fn tasks(&self, project_id: &str) -> Vec<Arc<Task>> {
        let state = self.state.read();
        state.tasks.values().filter(|task| task.project_id == project_id).cloned().collect()
    }

    /// Changes whenever a task has ended.
    pub fn ended_tasks(&self) -> watch::Receiver<u64> {
        self.ended.subscribe()
    }

    /// The notes of the store whose names begin with `prefix`, once: whoever made them keeps them from now on.
    pub fn take_notes(&self, prefix: &str) -> BTreeMap<String, Vec<u8>> {
        let mut notes = self.notes.lock();
        let (own, others) =
            std::mem::take(&mut *notes).into_iter().partition(|(name, _)| name.starts_with(prefix));
        *notes = others;
        own
    }

    /// Records notes of a provider, all of them or none: new contents, or `None` for one that is gone.
    ///
    /// # Errors
    /// [`CommitError`], and then none has changed.
    pub async fn note(&self, notes: Vec<(String, Option<Vec<u8>>)>) -> Result<(), CommitError> {
        self.store.commit(Change { notes, ..Change::default() }).await
    }

    /// What the project may have, and has.
    pub fn quota(&self, project_id: &str) -> (Quota, Usage) {
        (self.settings.quota, self.state.read().usage(project_id))
    }

    /// What the instance's node has and has done; `None` if it does not run.
    pub fn statistics(&self, instance: &Instance) -> Option<Statistics> {
        self.data_plane.statistics(&node_of(instance))
    }

    /// How many keys an instance holds; `None` if it does not run.
    pub async fn keys(&self, instance: &Instance) -> Option<u64> {
        self.data_plane.keys(&node_of(instance)).await
    }

    /// How busy an instance has been since this was asked last, or since it was launched: the time that its commands
    /// took, in percent of one processor.
    pub fn busy_percent(&self, instance: &Instance, statistics: &Statistics) -> f64 {
        let since_ms = instance.launched_at_ms.unwrap_or(instance.created_at_ms);
        self.busyness.percent(&instance.id, since_ms, self.clock.now_ms(), statistics.busy_us)
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

    /// The tasks that are at work in all projects, in the order of creation.
    pub fn running_tasks(&self) -> Vec<Arc<Task>> {
        let state = self.state.read();
        state.tasks.values().filter(|task| task.state == task::State::Running).cloned().collect()
    }

    /// Ends the wait of a task under the stepped profile; answers whether such a task was waiting.
    pub fn step(&self, task_id: &str) -> bool {
        let waiting = self.state.write().steps.remove(task_id);
        waiting.is_some_and(|waiting| waiting.send(()).is_ok())
    }

    /// Closes the store: whatever happens from now on is not recorded.
    pub fn close(&self) {
        self.store.close();
        self.vault.close();
    }
}

pub(crate) fn node_of(instance: &Instance) -> NodeId {
    NodeId(instance.id.clone())
}
