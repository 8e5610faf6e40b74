//! What a cloud knows of its instances and tasks, in memory.
//!
//! Nothing here waits or reaches the data plane: whoever holds the lock around it decides something and lets go.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use tokio::sync::oneshot;
use uuid::Uuid;

use crate::backups::Records;
use crate::cloud::{CreateError, TaskError};
use crate::instance::{Instance, Order, Status};
use crate::password::Tries;
use crate::quota::{Quota, Usage};
use crate::resize::Resize;
use crate::store::Contents;
use crate::task::{self, Profile, Task};
use crate::whitelist::Whitelist;

/// How many finished tasks are remembered.
const FINISHED_TASKS_KEPT: usize = 1_000;

/// Instances and tasks, by their place in the order of creation.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) instances: BTreeMap<u64, Arc<Instance>>,
    by_id: HashMap<String, u64>,
    pub(crate) tasks: BTreeMap<u64, Arc<Task>>,
    /// What ends the wait of a stepped task, by the task's id.
    pub(crate) steps: HashMap<String, oneshot::Sender<()>>,
    /// Backups and restores.
    pub(crate) records: Records,
    last_sequence: u64,
}

/// A task that has its instance to itself from now on.
#[derive(Clone)]
pub(crate) struct Claim {
    /// The instance as it was; `None` where the task makes it.
    pub(crate) before: Option<Arc<Instance>>,
    /// As it is while the task is at work.
    pub(crate) instance: Arc<Instance>,
    /// The task.
    pub(crate) task: Arc<Task>,
}

impl State {
    pub(crate) fn of(contents: Contents) -> Self {
        let mut state = State::default();
        for instance in contents.instances {
            state.put(Arc::new(instance));
        }
        for task in contents.tasks {
            state.tasks.insert(task.sequence, Arc::new(task));
        }
        state.records = Records::of(contents.backups, contents.restores, &state.tasks);
        let last = |sequence: Option<&u64>| sequence.copied().unwrap_or(0);
        let sequences = [
            last(state.instances.keys().last()),
            last(state.tasks.keys().last()),
            last(state.records.backups.keys().last()),
            last(state.records.restores.keys().last()),
        ];
        state.last_sequence = sequences.into_iter().max().unwrap_or(0);
        state
    }

    pub(crate) fn instance(&self, id: &str) -> Option<&Arc<Instance>> {
        self.instances.get(self.by_id.get(id)?)
    }

    /// The instance of this id, if it is the project's.
    pub(crate) fn find(&self, project_id: &str, id: &str) -> Option<&Arc<Instance>> {
        self.instance(id).filter(|instance| instance.project_id == project_id)
    }

    /// What the task does that is at work on an instance.
    pub(crate) fn work_on(&self, instance: &Instance) -> Option<task::Kind> {
        let task_id = instance.task.as_ref()?;
        let kind = self.tasks.values().rev().find(|task| task.id == *task_id).map(|task| task.kind);
        Some(kind.unwrap_or(task::Kind::Delete))
    }

    /// Whether another instance of the project has this name, by which it is known.
    pub(crate) fn is_taken(&self, project_id: &str, name: &str, own_id: Option<&str>) -> bool {
        let has_it =
            |other: &Arc<Instance>| other.project_id == project_id && other.name == name && other.counts();
        self.instances.values().any(|other| has_it(other) && Some(other.id.as_str()) != own_id)
    }

    pub(crate) fn put(&mut self, instance: Arc<Instance>) {
        self.by_id.insert(instance.id.clone(), instance.sequence);
        self.instances.insert(instance.sequence, instance);
    }

    pub(crate) fn remove(&mut self, id: &str) {
        if let Some(sequence) = self.by_id.remove(id) {
            self.instances.remove(&sequence);
        }
    }

    /// The ports that others have, whether their nodes run or not, or asked for before this instance could have one.
    /// What it has itself, it has.
    pub(crate) fn ports_kept_from(&self, instance: &Instance) -> BTreeSet<u16> {
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

    pub(crate) fn usage(&self, project_id: &str) -> Usage {
        let of_project = self.instances.values().filter(|instance| instance.project_id == project_id);
        let usage = Usage::of(of_project.map(Arc::as_ref));
        // What instances are about to have counts as well.
        let running = self.tasks.values().filter(|task| task.state == task::State::Running);
        let growing = running.filter(|task| task.project_id == project_id);
        let growth_mb =
            growing.filter_map(|task| task.details.resize.as_ref()).map(Resize::growth_mb).sum::<u64>();
        Usage { memory_mb: usage.memory_mb + growth_mb, ..usage }
    }

    /// Takes an order in, if name and quota allow it.
    pub(crate) fn admit(
        &mut self,
        id: String,
        order: Order,
        quota: &Quota,
        now_ms: u64,
        profile: Profile,
    ) -> Result<Claim, CreateError> {
        if self.is_taken(&order.project_id, &order.name, None) {
            return Err(CreateError::NameTaken);
        }
        self.usage(&order.project_id).admits(order.capacity, quota).map_err(CreateError::Quota)?;
        let mut instance = Instance {
            id,
            sequence: self.next_sequence(),
            order,
            status: Status::Creating,
            fault: None,
            port: None,
            node_ports: Vec::new(),
            created_at_ms: now_ms,
            launched_at_ms: None,
            updated_at_ms: None,
            task: None,
            changes: Vec::new(),
            tries: Tries::default(),
            whitelist: Whitelist::default(),
        };
        let details = task::Details::default();
        let task = self.new_task(&mut instance, task::Kind::Create, details, now_ms, profile);
        let instance = Arc::new(instance);
        self.put(instance.clone());
        Ok(Claim { before: None, instance, task })
    }

    /// Makes it as if a claim that nobody works on had never been.
    pub(crate) fn withdraw(&mut self, claim: &Claim) {
        self.tasks.remove(&claim.task.sequence);
        self.records.undo(&claim.task);
        match &claim.before {
            Some(before) => self.put(before.clone()),
            None => self.remove(&claim.instance.id),
        }
    }

    /// Puts an instance back as it was, unless it has changed again meanwhile.
    pub(crate) fn put_back(&mut self, after: &Arc<Instance>, before: Arc<Instance>) {
        if self.instance(&after.id).is_some_and(|present| Arc::ptr_eq(present, after)) {
            self.put(before);
        }
    }

    /// The instance, if it is the project's, can do this, and has nothing else to do.
    pub(crate) fn admits(
        &self,
        project_id: &str,
        id: &str,
        kind: task::Kind,
    ) -> Result<Arc<Instance>, TaskError> {
        let before = self.find(project_id, id).ok_or(TaskError::NotFound)?.clone();
        if !kind.suits(&before) {
            return Err(TaskError::NotSupported);
        }
        if let Some(kind) = self.work_on(&before) {
            return Err(TaskError::Busy(kind));
        }
        if !kind.begins_in().contains(&before.status) {
            return Err(TaskError::WrongStatus(before.status));
        }
        Ok(before)
    }

    /// Puts a task on an instance, if [`State::admits`] it.
    pub(crate) fn claim(
        &mut self,
        project_id: &str,
        id: &str,
        kind: task::Kind,
        details: task::Details,
        now_ms: u64,
        profile: Profile,
    ) -> Result<Claim, TaskError> {
        let before = self.admits(project_id, id, kind)?;
        let mut instance = (*before).clone();
        instance.status = kind.status().unwrap_or(instance.status);
        let task = self.new_task(&mut instance, kind, details, now_ms, profile);
        let instance = Arc::new(instance);
        self.put(instance.clone());
        Ok(Claim { before: Some(before), instance, task })
    }

    /// A task that was at work when the process ended, and its instance, which has been started again meanwhile.
    pub(crate) fn take_up(&mut self, task: Arc<Task>) -> Option<Claim> {
        let found = self.instance(&task.instance_id)?.clone();
        let before = (task.kind != task::Kind::Create)
            .then(|| Arc::new(Instance { task: None, ..Instance::clone(&found) }));
        let mut instance = Instance::clone(&found);
        if instance.status == Status::Running {
            instance.status = task.kind.status().unwrap_or(instance.status);
        }
        let instance = Arc::new(instance);
        self.put(instance.clone());
        Some(Claim { before, instance, task })
    }

    fn new_task(
        &mut self,
        instance: &mut Instance,
        kind: task::Kind,
        details: task::Details,
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
            details,
        });
        instance.task = Some(task.id.clone());
        self.tasks.insert(task.sequence, task.clone());
        task
    }

    /// Drops the oldest of the finished tasks beyond those that are remembered, and answers their ids.
    pub(crate) fn forget_old_tasks(&mut self) -> Vec<String> {
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

    /// What comes is numbered after this.
    pub(crate) fn pass_sequence(&mut self, sequence: u64) {
        self.last_sequence = self.last_sequence.max(sequence);
    }

    pub(crate) fn next_sequence(&mut self) -> u64 {
        self.last_sequence += 1;
        self.last_sequence
    }
}
