//! When the backups of an instance are made, and how long they are kept.
//!
//! Deliberately not here: making them.

use serde::{Deserialize, Serialize};

/// The backup policy of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupPolicy {
    /// Who starts backups.
    pub kind: BackupKind,
    /// For how many days a backup is kept, 1 to 7.
    pub save_days: Option<u8>,
    /// When scheduled backups are made.
    pub plan: BackupPlan,
}

/// Who starts backups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackupKind {
    /// The schedule.
    Auto,
    /// The user.
    Manual,
}

/// A weekly schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupPlan {
    /// The hour at which a backup starts, as `hh:mm-hh:mm`.
    pub begin_at: String,
    /// The days on which one is made; 1 is Monday, 7 is Sunday.
    pub weekdays: Vec<u8>,
    /// The time zone that `begin_at` is in, as sent; UTC where there is none.
    pub timezone_offset: Option<String>,
}

impl BackupKind {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            BackupKind::Auto => "auto",
            BackupKind::Manual => "manual",
        }
    }
}
