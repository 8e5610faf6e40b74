//! Backups and restores, as their records in the store.
//!
//! Invariants:
//! - A record is never changed in place: the cloud replaces it by a new one.
//! - A backup has files as long as it is [`State::Succeeded`], and none in any other state but while it is made.
//! - Records of an instance go with the instance.
//!
//! Deliberately not here: the files ([`crate::vault`]), and names and codes that a provider's documents decide.

use serde::{Deserialize, Serialize};

use crate::backup_policy::BackupKind;
use crate::engine::{Engine, Release};

/// A backup of all that an instance held at one time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// Its id, a UUID.
    pub id: String,
    /// Its place in the order of creation.
    pub sequence: u64,
    /// The project of its instance.
    pub project_id: String,
    /// The instance that it is of.
    pub instance_id: String,
    /// The name that the instance had.
    pub instance_name: String,
    /// What kind of cache the instance is.
    pub engine: Engine,
    /// Which release of it, for Redis.
    pub release: Option<Release>,
    /// Who started it.
    pub kind: BackupKind,
    /// What its files are.
    pub format: Format,
    /// What its owner says about it.
    pub remark: Option<String>,
    /// The hour of the schedule in which it was made, as the schedule has it.
    pub period: Option<String>,
    /// How far it is.
    pub state: State,
    /// Why it failed.
    pub fault: Option<Fault>,
    /// When it was asked for.
    pub created_at_ms: u64,
    /// When it began.
    pub started_at_ms: Option<u64>,
    /// When it ended, or when its files went.
    pub updated_at_ms: u64,
    /// When its files go by themselves.
    pub expires_at_ms: Option<u64>,
    /// Its files, in the order of the shards.
    pub files: Vec<File>,
    /// All of it in one file, if that has been made.
    #[serde(default)]
    pub exported: Option<File>,
    /// The task that makes it, or has made it.
    #[serde(default)]
    pub task_id: Option<String>,
}

/// A file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Its name in the backup's directory.
    pub name: String,
    /// Its size.
    pub size_bytes: u64,
}

/// What the files of a backup are. Those of a Memcached instance have a format of their own, whatever is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Keys, as Redis saves them.
    #[default]
    Rdb,
    /// Commands that make the keys.
    Aof,
}

/// How far a backup or a restore is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It has not begun.
    Waiting,
    /// It goes on.
    Running,
    /// It is done.
    Succeeded,
    /// It came to nothing.
    Failed,
    /// The files were kept for as long as the policy says.
    Expired,
    /// Somebody has deleted the files.
    Deleted,
}

/// Why a backup or a restore failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// It could not be begun: the instance does not run, or there is no place for the files.
    NotStarted,
    /// It took too long.
    TimedOut,
    /// The files are not there when they have been written.
    NoFiles,
    /// What was saved cannot be loaded, or does not reach all nodes.
    NotSynchronised,
    /// Its time came while the instance did something else.
    InstanceBusy,
}

/// The filling of an instance with what a backup holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restore {
    /// Its id, a UUID.
    pub id: String,
    /// Its place in the order of creation.
    pub sequence: u64,
    /// The project of its instance.
    pub project_id: String,
    /// The instance that is filled.
    pub instance_id: String,
    /// The name that it had.
    pub instance_name: String,
    /// The backup.
    pub backup_id: String,
    /// When the backup was asked for: the backup may be gone.
    pub backup_created_at_ms: u64,
    /// What its owner says about the backup.
    pub backup_remark: Option<String>,
    /// What its owner says about the restore.
    pub remark: Option<String>,
    /// How far it is.
    pub state: State,
    /// Why it failed.
    pub fault: Option<Fault>,
    /// When it was asked for.
    pub created_at_ms: u64,
    /// When it ended.
    pub updated_at_ms: u64,
    /// The task that does it, or has done it.
    #[serde(default)]
    pub task_id: Option<String>,
}

/// What is asked for with a backup.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackupOrder {
    /// What its owner says about it.
    pub remark: Option<String>,
    /// What its files are to be.
    pub format: Format,
    /// For how many days they are kept, whatever the policy says.
    pub save_days: Option<u8>,
}

impl Backup {
    /// What its files take together.
    pub fn size_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size_bytes).sum()
    }
}
