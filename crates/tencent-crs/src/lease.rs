//! A lease: an instance as it was bought, for as long as it is paid for. The cloud knows the instance itself, under the same
//! id.
//!
//! Invariant: what a lease says about the instance's service is what is wanted; the steward sees that the cloud follows.

use cloud::instance::{Instance, Status};
use serde::{Deserialize, Serialize};

use crate::catalogue::Type;

/// A lease.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Lease {
    /// The id of the instance, such as `crs-ifmymj41`.
    pub(crate) redis_id: String,
    /// The name that its owner gave it; need not be unique.
    pub(crate) name: String,
    /// The project that it belongs to; 0 for the default one.
    pub(crate) project_id: u32,
    /// Its zone.
    pub(crate) zone_id: u32,
    /// Its type.
    pub(crate) kind: Type,
    /// Its capacity, in MB.
    pub(crate) mem_mb: u32,
    /// Where it lies in the virtual network.
    pub(crate) place: Place,
    /// When it was bought.
    pub(crate) created_at_ms: u64,
    /// Until when it is paid for.
    pub(crate) deadline_ms: u64,
    /// What happens then.
    pub(crate) renewal: Renewal,
    /// Whether it serves.
    pub(crate) standing: Standing,
}

/// A place in a virtual private cloud; 0 and blank in the basic network. Both ids of a thing are kept: the old number and the
/// new text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) vpc_id: u32,
    pub(crate) un_vpc_id: String,
    pub(crate) subnet_id: u32,
    pub(crate) un_subnet_id: String,
}

/// What happens when the time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Renewal {
    /// It is isolated, and the owner is told; nobody is told here.
    Notify,
    /// It is renewed for a month, if there is the money.
    Auto,
    /// It is isolated.
    Never,
}

/// Whether an instance serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Standing {
    /// It does, or is to.
    Active,
    /// It is out of service since its time was over.
    Isolated {
        /// Since when.
        since_ms: u64,
    },
    /// It is gone.
    Released,
}

/// For how long an instance that is not paid for is kept before it is released.
pub(crate) const KEPT_MS: u64 = 7 * 24 * 60 * 60 * 1000;

impl Lease {
    /// The status on the wire: its number and its description. `instance` is what the cloud knows.
    pub(crate) fn status(&self, instance: Option<&Instance>) -> (i32, &'static str) {
        match (self.standing, instance) {
            (Standing::Isolated { .. } | Standing::Released, _) => (-2, "Isolated"),
            (Standing::Active, None) => (0, "To be initialized"),
            (Standing::Active, Some(instance)) => match instance.status {
                Status::Creating | Status::CreateFailed => (0, "To be initialized"),
                Status::Running if instance.task.is_none() => (2, "Running"),
                _ => (1, "In process"),
            },
        }
    }

    /// When something is to happen to it by itself.
    pub(crate) fn due_ms(&self) -> Option<u64> {
        match self.standing {
            Standing::Active => Some(self.deadline_ms),
            Standing::Isolated { since_ms } => Some(since_ms + KEPT_MS),
            Standing::Released => None,
        }
    }
}

impl Renewal {
    /// The mode of this number.
    pub(crate) fn of(flag: i64) -> Option<Self> {
        match flag {
            0 => Some(Renewal::Notify),
            1 => Some(Renewal::Auto),
            2 => Some(Renewal::Never),
            _ => None,
        }
    }
}
