//! Changes to what is known of an instance, which take no time: its name, its tags and the like. And forgetting tasks.
//!
//! Invariants:
//! - A change is made to an instance that no task is at work on, and is in the store when it is answered.
//! - Changes are in the store in the order in which they are seen in memory.
//!
//! Deliberately not here: whatever the instance's node is told of. That is a task.

use std::sync::Arc;

use crate::cloud::{Cloud, TaskError};
use crate::instance::{Instance, Order, Status};
use crate::store::{Change, CommitError};
use crate::task;

/// Why an instance is not changed.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// Another instance of the project has the name.
    #[error("an instance of this name exists")]
    NameTaken,
    /// Whoever asked does not want the change, after all.
    #[error("the change does not suit the instance")]
    Refused,
    /// What would keep a task from the instance.
    #[error(transparent)]
    Task(#[from] TaskError),
}

/// Why a task is not forgotten.
#[derive(Debug, thiserror::Error)]
pub enum ForgetError {
    /// The instance has no such task.
    #[error("there is no such task")]
    NotFound,
    /// It is still at work.
    #[error("the task is at work")]
    Running,
    /// It cannot be recorded.
    #[error(transparent)]
    Store(#[from] CommitError),
}

impl Cloud {
    /// Changes what is known of an instance. `change` sees the present order while nobody else changes it, and answers
    /// whether it is to be changed at all.
    ///
    /// # Errors
    /// [`UpdateError`]; then nothing has changed.
    pub async fn update(
        &self,
        project_id: &str,
        id: &str,
        change: impl FnOnce(&mut Order) -> bool,
    ) -> Result<Arc<Instance>, UpdateError> {
        let (before, after, recorded) = {
            let mut state = self.state.write();
            let before = state.find(project_id, id).ok_or(TaskError::NotFound)?.clone();
            if let Some(kind) = state.work_on(&before) {
                return Err(TaskError::Busy(kind).into());
            }
            if before.status == Status::CreateFailed {
                return Err(TaskError::WrongStatus(before.status).into());
            }
            let mut after = Instance::clone(&before);
            if !change(&mut after.order) {
                return Err(UpdateError::Refused);
            }
            if state.is_taken(project_id, &after.name, Some(id)) {
                return Err(UpdateError::NameTaken);
            }
            after.updated_at_ms = Some(self.clock.now_ms());
            let after = Arc::new(after);
            state.put(after.clone());
            let change = Change { put_instances: vec![after.clone()], ..Change::default() };
            (before, after, self.store.commit(change))
        };
        let recorded = recorded.await;
        if let Err(error) = recorded {
            let mut state = self.state.write();
            if state.instance(id).is_some_and(|now| Arc::ptr_eq(now, &after)) {
                state.put(before);
            }
            return Err(TaskError::from(error).into());
        }
        self.schedule_changed();
        Ok(after)
    }

    /// Forgets a task of an instance that is over.
    ///
    /// # Errors
    /// [`ForgetError`]
    pub async fn forget_task(
        &self,
        project_id: &str,
        instance_id: &str,
        task_id: &str,
    ) -> Result<(), ForgetError> {
        let (forgotten, recorded) = {
            let mut state = self.state.write();
            let known = state.tasks.values().find(|task| {
                task.id == task_id && task.project_id == project_id && task.instance_id == instance_id
            });
            let task = known.ok_or(ForgetError::NotFound)?.clone();
            if task.state == task::State::Running {
                return Err(ForgetError::Running);
            }
            state.tasks.remove(&task.sequence);
            let change = Change { remove_tasks: vec![task.id.clone()], ..Change::default() };
            (task, self.store.commit(change))
        };
        if let Err(error) = recorded.await {
            self.state.write().tasks.insert(forgotten.sequence, forgotten);
            return Err(error.into());
        }
        Ok(())
    }
}
