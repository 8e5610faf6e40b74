//! Migrations: keys that are copied into an instance from files or from servers elsewhere, as records, and how copying goes.
//!
//! Invariant: a record is never changed in place: the cloud replaces it by a new one.
//!
//! Deliberately not here: the copying, which is the data plane's.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::identity::Secret;

/// Lines of a migration's log that are kept.
const LINES_KEPT: usize = 1_000;

/// A migration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Migration {
    /// Its id.
    pub id: String,
    /// Its place in the order of creation.
    pub sequence: u64,
    /// The project of its target.
    pub project_id: String,
    /// What it is called.
    pub name: String,
    /// What its owner says about it.
    pub description: Option<String>,
    /// What is copied, once that is known.
    pub from: Option<From>,
    /// The instance into which it is copied, once that is known.
    pub target_id: Option<String>,
    /// The name that the instance had.
    pub target_name: Option<String>,
    /// Whether what changes is copied, too, until somebody ends it.
    pub follows: bool,
    /// Whether it begins again by itself when the process has been started again.
    pub resumes: bool,
    /// What may be read in a second, in MB.
    pub bandwidth_mb: Option<u64>,
    /// How far it is.
    pub state: State,
    /// When it was asked for.
    pub created_at_ms: u64,
    /// When it last changed.
    pub updated_at_ms: u64,
    /// What its provider keeps of the request.
    pub request: String,
}

/// What is copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum From {
    /// Files of a bucket.
    Bucket {
        /// The bucket.
        bucket: String,
        /// Their names in it, in the order in which they are copied.
        files: Vec<String>,
    },
    /// The files of a backup.
    Backup {
        /// Its id.
        id: String,
    },
    /// Servers.
    Servers {
        /// Where they are: name or address, and port.
        addresses: Vec<(String, u16)>,
        /// The password, if they ask for one.
        password: Option<Secret>,
    },
    /// Another instance.
    Instance {
        /// Its id.
        id: String,
    },
}

/// How far a migration is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It waits to be told what to copy.
    Waiting,
    /// It has begun.
    Running,
    /// What there was is copied.
    Full,
    /// What changes is copied.
    Following,
    /// Somebody wants it to end.
    Stopping,
    /// Somebody has ended it.
    Stopped,
    /// Everything is copied.
    Succeeded,
    /// It came to nothing.
    Failed,
}

impl State {
    /// Whether something is being copied.
    pub const fn is_at_work(self) -> bool {
        matches!(self, State::Running | State::Full | State::Following | State::Stopping)
    }
}

/// A line of a migration's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// When it was written.
    pub at_ms: u64,
    /// How much it matters.
    pub level: Level,
    /// What it says.
    pub text: String,
}

/// How much a line of a log matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Level {
    /// It tells how things go.
    Info,
    /// Something has been left out.
    Warning,
    /// It ends here.
    Error,
}

/// What is to be copied, as the data plane sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Files, one after the other.
    Files(Vec<PathBuf>),
    /// Servers, at once.
    Servers {
        /// Where they are.
        addresses: Vec<(String, u16)>,
        /// The password, if they ask for one.
        password: Option<String>,
        /// Whether what changes is copied, too.
        follows: bool,
        /// What may be read of each in a second, in bytes; zero for any.
        bytes_per_s: u64,
    },
}

/// How copying goes: the data plane tells it, the cloud asks, and ends it. Dropped when nobody copies any more.
#[derive(Debug)]
pub struct Copying {
    is_unwanted: AtomicBool,
    progress: Mutex<Progress>,
    /// Grows whenever there is something new.
    news: watch::Sender<u64>,
}

/// How far copying is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// How much of what there was is copied, in percent.
    pub percent: u8,
    /// How many keys the source had.
    pub source_keys: Option<u64>,
    /// Whether what changes is being copied.
    pub follows: bool,
    /// How far the stream of changes is, in bytes.
    pub offset: u64,
    /// What was to be told.
    pub lines: Vec<Line>,
    /// How it has ended: without a reason if well.
    pub ended: Option<Result<(), String>>,
}

impl Default for Copying {
    fn default() -> Self {
        Copying {
            is_unwanted: AtomicBool::new(false),
            progress: Mutex::default(),
            news: watch::Sender::new(0),
        }
    }
}

impl Copying {
    /// Whether it is still wanted.
    pub fn goes_on(&self) -> bool {
        !self.is_unwanted.load(Ordering::Relaxed)
    }

    /// Ends it soon.
    pub fn stop(&self) {
        self.is_unwanted.store(true, Ordering::Relaxed);
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        self.progress.lock().clone()
    }

    /// Changes what is known. Whoever waits is told if it `matters`.
    pub fn tell(&self, matters: bool, change: impl FnOnce(&mut Progress)) {
        {
            let mut progress = self.progress.lock();
            change(&mut progress);
            let surplus = progress.lines.len().saturating_sub(LINES_KEPT);
            progress.lines.drain(..surplus);
        }
        if matters {
            self.news.send_modify(|news| *news += 1);
        }
    }

    /// Ready when there is news since `seen`, which is brought up to date.
    pub async fn news(&self, seen: &mut u64) {
        let mut news = self.news.subscribe();
        // The sender is here, so this cannot fail.
        if let Ok(now) = news.wait_for(|now| *now != *seen).await {
            *seen = *now;
        }
    }
}
