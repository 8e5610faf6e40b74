//! Another form for an instance: more or less capacity, other numbers of shards and replicas, a standby.
//!
//! Invariant: whatever cannot be done is refused before anything has changed, and an instance whose task fails has the form
//! that it had.
//!
//! Deliberately not here: which forms are sold, and what becomes what. Providers know the former, the data plane the
//! latter.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::capacity::Capacity;
use crate::cloud::{Cloud, TaskError, node_of};
use crate::data_plane::ResizeError;
use crate::inspection::ServerId;
use crate::instance::{Instance, Order, Status};
use crate::quota::Exceeded;
use crate::task;
use crate::topology::Topology;

/// What of an order makes the form of an instance. The fields are those of [`Order`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Form {
    pub topology: Topology,
    pub capacity: Capacity,
    pub shards: u32,
    pub copies: u32,
    pub databases: u32,
    pub spec_code: String,
    pub product_id: String,
}

/// A change of form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resize {
    /// What the instance is.
    pub from: Form,
    /// What it is to be.
    pub to: Form,
    /// Those of its servers that go first if it has fewer then.
    #[serde(default)]
    pub leaving: Vec<ServerId>,
}

/// Why an instance does not get another form.
#[derive(Debug, thiserror::Error)]
pub enum RefusedResize {
    /// No task can begin.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// The project's quota does not allow it.
    #[error("the quota does not allow it")]
    Quota(Exceeded),
    /// It holds more than it could then.
    #[error("the instance holds more than that")]
    TooSmall,
}

impl Order {
    /// The form that was ordered.
    pub fn form(&self) -> Form {
        Form {
            topology: self.topology,
            capacity: self.capacity,
            shards: self.shards,
            copies: self.copies,
            databases: self.databases,
            spec_code: self.spec_code.clone(),
            product_id: self.product_id.clone(),
        }
    }

    /// Orders another form.
    pub fn take_form(&mut self, form: Form) {
        self.topology = form.topology;
        self.capacity = form.capacity;
        self.shards = form.shards;
        self.copies = form.copies;
        self.databases = form.databases;
        self.spec_code = form.spec_code;
        self.product_id = form.product_id;
    }
}

impl Resize {
    /// By how much the capacity grows, in MB; 0 where it shrinks.
    pub(crate) fn growth_mb(&self) -> u64 {
        u64::from(self.to.capacity.mb().saturating_sub(self.from.capacity.mb()))
    }
}

impl Cloud {
    /// Gives an instance another form, which must be one of its engine and release. Its keys, its address and its port stay.
    /// Where it has fewer standbys then, those that are leaving go first. Under the instant profile it has the form when this
    /// returns.
    ///
    /// # Errors
    /// [`RefusedResize`]
    pub async fn resize(
        self: &Arc<Self>,
        project_id: &str,
        id: &str,
        form: Form,
        leaving: Vec<ServerId>,
    ) -> Result<(), RefusedResize> {
        let instance = self.instance(project_id, id).ok_or(TaskError::NotFound)?;
        // Whether it can become that is known only of one that runs and has nothing else to do.
        if instance.task.is_none() && instance.status == Status::Running {
            let mut wanted = Instance::clone(&instance);
            wanted.order.take_form(form.clone());
            self.data_plane.can_resize(&self.node_spec(&wanted)).map_err(|error| match error {
                ResizeError::TooSmall => RefusedResize::TooSmall,
                ResizeError::NotSupported => TaskError::NotSupported.into(),
                ResizeError::NotRunning => TaskError::WrongStatus(Status::Error).into(),
                ResizeError::Failed(_) => TaskError::Failed.into(),
            })?;
        }
        let resize = Resize { from: instance.form(), to: form, leaving };
        let claim = {
            let mut state = self.state.write();
            let usage = state.usage(project_id);
            let before = state.find(project_id, id).map(|before| before.form());
            if before.as_ref() != Some(&resize.from) {
                // Another one has come between.
                return Err(TaskError::Busy(task::Kind::Extend).into());
            }
            let is_free = state.find(project_id, id).is_some_and(|before| before.task.is_none());
            let quota_mb = u64::from(self.settings.quota.memory_gb) * 1024;
            if is_free && resize.growth_mb() > 0 && usage.memory_mb + resize.growth_mb() > quota_mb {
                return Err(RefusedResize::Quota(Exceeded::Memory));
            }
            state.claim(
                project_id,
                id,
                task::Kind::Extend,
                task::Details { resize: Some(resize), ..task::Details::default() },
                self.clock.now_ms(),
                self.settings.profile,
            )?
        };
        tracing::info!(id, name = %claim.instance.name, "an instance gets another form");
        match self.run(claim).await.map_err(TaskError::from)? {
            task::State::Running | task::State::Succeeded => Ok(()),
            task::State::Failed => Err(TaskError::Failed.into()),
        }
    }

    /// Does the work of the task. Answers whether it is done, and the instance as it is then.
    pub(crate) async fn reshape(&self, instance: Instance, resize: Option<&Resize>) -> (bool, Instance) {
        let Some(resize) = resize else { return (false, instance) };
        let node = node_of(&instance);
        let mut wanted = instance.clone();
        wanted.order.take_form(resize.to.clone());
        match self.data_plane.resize(self.node_spec(&wanted), resize.leaving.clone()).await {
            Ok(()) => {
                wanted.node_ports = self.data_plane.further_ports(&node);
                (true, wanted)
            }
            Err(error) => {
                tracing::warn!(id = %instance.id, %error, "the instance keeps the form that it has");
                match self.data_plane.endpoint(&node) {
                    Some(_) => (false, instance),
                    None => (false, self.launch(&instance, Status::Error).await),
                }
            }
        }
    }
}
