//! Tasks: work on an instance that takes time in the cloud, and how much of it here.
//!
//! Invariant: a task that finished never runs again; one that is [`State::Running`] in the store when the process
//! starts is taken up again.

use serde::{Deserialize, Serialize};

use crate::configuration::Change;
use crate::engine::{Engine, Release};
use crate::inspection::ServerId;
use crate::instance::{Access, Instance, Status};
use crate::resize::Resize;
use crate::topology::Topology;
use crate::whitelist::Whitelist;

/// A task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Its id, a UUID.
    pub id: String,
    /// Its place in the order of creation.
    pub sequence: u64,
    /// The project of its instance.
    pub project_id: String,
    /// The instance that it works on.
    pub instance_id: String,
    /// The instance's place in the order of creation; 0 in records of a version that did not write it.
    #[serde(default)]
    pub instance_sequence: u64,
    /// The instance's name, which outlives the instance here.
    pub instance_name: String,
    /// What it does.
    pub kind: Kind,
    /// How far it is.
    pub state: State,
    /// When it began.
    pub created_at_ms: u64,
    /// How long its work is meant to take.
    pub duration_ms: u64,
    /// When it finished.
    pub finished_at_ms: Option<u64>,
    /// What it works with besides the instance itself.
    #[serde(default)]
    pub details: Details,
}

/// What a task works with besides the instance itself. It is in the store with the task, so that the task goes on when the
/// process has been started again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Details {
    /// The form that the instance has and the one that it is to have, for [`Kind::Extend`].
    pub resize: Option<Resize>,
    /// The parameters that are to change, for [`Kind::Configure`].
    pub configure: Option<Change>,
    /// How clients are to prove who they are, for [`Kind::SetAccess`]; until the task has ended.
    pub access: Option<Access>,
    /// The server of the instance that is meant, for [`Kind::Promote`]; the only one that is meant, for
    /// [`Kind::Disconnect`].
    pub server: Option<ServerId>,
    /// From where the instance is to be reached, for [`Kind::Admit`].
    pub whitelist: Option<Whitelist>,
    /// The id of the backup or restore that it makes.
    pub record: Option<String>,
    /// The id of the backup that it exports.
    pub export: Option<String>,
}

/// What a task does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// Makes the instance.
    Create,
    /// Removes it.
    Delete,
    /// Has its standby take its master's place.
    Swap,
    /// Has it end and begin again.
    Restart,
    /// Removes all that it holds.
    Flush,
    /// Gives it another form: a capacity, a number of shards or replicas.
    Extend,
    /// Changes its parameters.
    Configure,
    /// Changes how clients prove who they are.
    SetAccess,
    /// Takes it out of service. What it has saved stays.
    Freeze,
    /// Has it serve again that was out of service.
    Thaw,
    /// Has a standby of one of its shards take its master's place.
    Promote,
    /// Changes from where it may be reached.
    Admit,
    /// Asks who is connected.
    Survey,
    /// Ends its connections.
    Disconnect,
    /// Saves all that it holds as a backup.
    Backup,
    /// Puts what a backup holds in the place of all that it holds.
    Restore,
    /// Makes one file of those of a backup.
    Export,
}

impl Kind {
    /// Whether an instance is one that this can be done with.
    pub(crate) fn suits(self, instance: &Instance) -> bool {
        match self {
            Kind::Create
            | Kind::Delete
            | Kind::Restart
            | Kind::Flush
            | Kind::Extend
            | Kind::Configure
            | Kind::SetAccess
            | Kind::Freeze
            | Kind::Thaw
            | Kind::Backup
            | Kind::Restore
            | Kind::Export => true,
            Kind::Promote => !instance.topology.has_one_master() && instance.copies > 1,
            // Others have security groups instead.
            Kind::Admit => instance.release > Some(Release::V3_0),
            Kind::Survey | Kind::Disconnect => instance.engine == Engine::Redis,
            Kind::Swap => instance.topology == Topology::MasterStandby,
        }
    }

    /// The states in which an instance must be when this begins.
    pub(crate) const fn begins_in(self) -> &'static [Status] {
        match self {
            Kind::Create => &[],
            Kind::Delete => &[Status::Running, Status::Error, Status::CreateFailed, Status::Frozen],
            Kind::Swap | Kind::Flush | Kind::Extend | Kind::Configure | Kind::SetAccess => &[Status::Running],
            Kind::Restart | Kind::Freeze => &[Status::Running, Status::Error],
            Kind::Thaw => &[Status::Frozen],
            Kind::Promote | Kind::Admit | Kind::Survey | Kind::Disconnect => &[Status::Running],
            Kind::Backup | Kind::Restore => &[Status::Running],
            Kind::Export => &[Status::Running, Status::Error, Status::Frozen],
        }
    }

    /// The state that an instance shows meanwhile, if not the one that it is in.
    pub(crate) const fn status(self) -> Option<Status> {
        match self {
            Kind::Create => Some(Status::Creating),
            Kind::Delete | Kind::Swap | Kind::Configure | Kind::SetAccess | Kind::Backup => None,
            Kind::Freeze | Kind::Thaw | Kind::Export => None,
            Kind::Promote | Kind::Admit | Kind::Survey | Kind::Disconnect => None,
            Kind::Restart => Some(Status::Restarting),
            Kind::Flush => Some(Status::Flushing),
            Kind::Extend => Some(Status::Extending),
            Kind::Restore => Some(Status::Restoring),
        }
    }
}

/// How far a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// It works, or waits for its time.
    Running,
    /// It did what it should.
    Succeeded,
    /// It could not.
    Failed,
}

/// How long tasks take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// As long as the work takes; the request that starts a task is answered when it has finished.
    #[default]
    Instant,
    /// About as long as in the cloud, on the cloud's clock.
    Realistic,
    /// Until someone says that they are over ([`Cloud::step`](crate::Cloud::step)).
    Stepped,
}

impl Profile {
    /// How long a task of this kind is meant to take.
    pub const fn duration_ms(self, kind: Kind) -> u64 {
        match (self, kind) {
            (Profile::Instant | Profile::Stepped, _) => 0,
            (Profile::Realistic, Kind::Create | Kind::Extend) => 60_000,
            (Profile::Realistic, Kind::Delete | Kind::Swap | Kind::Flush | Kind::Freeze) => 10_000,
            (Profile::Realistic, Kind::Configure | Kind::SetAccess) => 5_000,
            (Profile::Realistic, Kind::Restart | Kind::Thaw | Kind::Backup | Kind::Restore) => 30_000,
            (Profile::Realistic, Kind::Export) => 10_000,
            (Profile::Realistic, Kind::Promote) => 10_000,
            (Profile::Realistic, Kind::Admit | Kind::Survey | Kind::Disconnect) => 1_000,
        }
    }
}

impl Task {
    /// How much of the work is done, in percent.
    pub fn progress_percent(&self, now_ms: u64) -> u8 {
        if self.state == State::Succeeded {
            return 100;
        }
        let passed_ms = self.finished_at_ms.unwrap_or(now_ms).saturating_sub(self.created_at_ms);
        let percent = (passed_ms * 100).checked_div(self.duration_ms).unwrap_or(0);
        // Only a task that succeeded is done.
        u8::try_from(percent).unwrap_or(u8::MAX).min(99)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_follows_the_clock_and_ends_with_success() {
        let mut task = Task {
            id: "t".to_owned(),
            sequence: 1,
            project_id: "p".to_owned(),
            instance_id: "i".to_owned(),
            instance_sequence: 1,
            instance_name: "n".to_owned(),
            kind: Kind::Create,
            state: State::Running,
            created_at_ms: 1_000,
            duration_ms: 60_000,
            finished_at_ms: None,
            details: Details::default(),
        };
        assert_eq!(task.progress_percent(500), 0);
        assert_eq!(task.progress_percent(31_000), 50);
        assert_eq!(task.progress_percent(u64::MAX / 1_000), 99);
        task.state = State::Failed;
        task.finished_at_ms = Some(31_000);
        assert_eq!(task.progress_percent(99_000), 50);
        task.state = State::Succeeded;
        assert_eq!(task.progress_percent(1_000), 100);
        task.state = State::Running;
        task.duration_ms = 0;
        task.finished_at_ms = None;
        assert_eq!(task.progress_percent(5_000), 0);
    }
}
