//! The parameters of an instance that its owner has changed.
//!
//! Invariants:
//! - The record of an instance has the values with which its nodes run, and start the next time.
//! - A change is in force on all nodes or on none.
//!
//! Deliberately not here: which parameters there are, and which values they take. Providers know the former, engines
//! the latter.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::cloud::{Cloud, TaskError, node_of};
use crate::instance::Instance;
use crate::task::{self, Task};

/// So many changes of an instance are remembered.
const CHANGES_KEPT: usize = 100;

/// Values that are to change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Parameters of the engine, and what they are to be.
    pub parameters: BTreeMap<String, String>,
    /// Memory that is to be kept from data, in MB, if that changes.
    pub reserved_mb: Option<u32>,
    /// The same as the provider calls it: what was changed, from what, and to what. For the record.
    pub told: Vec<Told>,
}

/// One value that was changed, as its provider calls it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The parameter.
    pub name: String,
    /// What it was.
    pub from: String,
    /// What it was to be.
    pub to: String,
}

/// A change that was made, or was tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// The id of its task.
    pub id: String,
    /// When its task began.
    pub at_ms: u64,
    /// Whether it is in force.
    pub succeeded: bool,
    /// What was changed.
    pub told: Vec<Told>,
}

impl Cloud {
    /// Changes the parameters of an instance. Under the instant profile they are in force, or it has failed, when this
    /// returns: the task says which.
    ///
    /// # Errors
    /// [`TaskError`], but for [`TaskError::Failed`]
    pub async fn configure(
        self: &Arc<Self>,
        project_id: &str,
        id: &str,
        change: Change,
    ) -> Result<Arc<Task>, TaskError> {
        let details = task::Details { configure: Some(change), ..task::Details::default() };
        self.carry_out(project_id, id, task::Kind::Configure, details).await
    }

    /// Has the nodes of an instance take a change; whether they have, and the instance as it is then.
    pub(crate) async fn take_change(&self, task: &Task, mut instance: Instance) -> (bool, Instance) {
        let Some(change) = &task.details.configure else { return (false, instance) };
        let mut changed = instance.clone();
        changed.order.parameters.extend(change.parameters.clone());
        changed.order.reserved_mb = change.reserved_mb.unwrap_or(instance.reserved_mb);
        let parameters: Vec<_> =
            change.parameters.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let limit_bytes = change.reserved_mb.map(|_| changed.data_limit_bytes());
        let taken = self.data_plane.configure(&node_of(&instance), &parameters, limit_bytes).await;
        if let Err(error) = &taken {
            tracing::warn!(id = %instance.id, %error, "the instance is not configured");
        }
        let succeeded = taken.is_ok();
        if succeeded {
            instance = changed;
        }
        let made =
            Made { id: task.id.clone(), at_ms: task.created_at_ms, succeeded, told: change.told.clone() };
        instance.changes.push(made);
        let surplus = instance.changes.len().saturating_sub(CHANGES_KEPT);
        instance.changes.drain(..surplus);
        (succeeded, instance)
    }
}
