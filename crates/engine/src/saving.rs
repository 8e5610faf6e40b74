//! When and where the keys of a node are saved: `SAVE`, `BGSAVE`, the `save` rules, the file `dbfilename` in `dir`.
//!
//! A file is written under another name, and takes its place when all of it is on the disk. A node without a directory
//! ([`crate::node::Spec`]) writes nothing: saving succeeds at once.
//!
//! Rules are looked at when something has changed, and once a second as long as something goes on changing; a node that
//! nobody writes to does nothing.
//!
//! Not here: loading what was saved ([`crate::start`]).

use crate::node::Gates;
use crate::save::{Failure, Save, write_held};
use crate::start::Progress;
use crate::{CommandError, Node};
use keyspace::Locked;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use structures::ranked::{Mutex, RwLock, rank};

/// After a save that failed, rules wait for so long, in seconds.
const RETRY_S: i64 = 5;
/// While keys change, rules whose time has come are looked at this often, in seconds.
const LOOK_S: i64 = 1;

/// While another snapshot is being taken, it is looked this often whether it has ended.
const LOOK_FOR_OTHER: Duration = Duration::from_millis(5);

/// How saving stands; see the module.
pub struct Saving {
    /// Whether nobody looks at the rules unless something changes.
    sleeps: AtomicBool,
    /// `save`: seconds, and changes.
    rules: RwLock<Box<[(i64, i64)]>>,
    /// What is being written in the background, to be told that it is not wanted any more.
    cancelled: AtomicBool,
    /// How far loading is.
    pub progress: Progress,
    /// Held while a file takes its place, so that what is not wanted does not take it any more.
    placing: Mutex<(), { rank::PLACING_KEYS }>,
    state: Mutex<State, { rank::SAVING }>,
}

/// How saving stands.
#[derive(Clone, Debug)]
pub struct State {
    /// When the keys were last saved, or the node began, in s since the epoch.
    pub last_s: i64,
    /// The changes that there had been then.
    pub saved_changes: u64,
    /// Those when the rules were last looked at.
    seen_changes: u64,
    /// When what is being written was begun, in s since the epoch, and whether in the background.
    pub running: Option<(i64, bool)>,
    /// When a background save was last begun, in s since the epoch.
    tried_s: i64,
    /// Whether the last background save succeeded.
    pub succeeded: bool,
    /// How long the last background save took, in s; negative if there was none.
    pub took_s: i64,
    /// How often the keys have been saved.
    pub saves: u64,
    /// Whether a background save follows when the append-only file has been rewritten.
    pub is_scheduled: bool,
    /// What was loaded last: keys, and those that had expired.
    pub loaded: (u64, u64),
}

impl Saving {
    /// Nothing has been saved yet.
    pub(crate) fn new(now_s: i64) -> Self {
        Saving {
            sleeps: AtomicBool::new(false),
            rules: RwLock::default(),
            cancelled: AtomicBool::new(false),
            progress: Progress::default(),
            placing: Mutex::new(()),
            state: Mutex::new(State {
                last_s: now_s,
                saved_changes: 0,
                seen_changes: 0,
                running: None,
                tried_s: 0,
                succeeded: true,
                took_s: -1,
                saves: 0,
                is_scheduled: false,
                loaded: (0, 0),
            }),
        }
    }

    /// Remembers what has been loaded: keys, and those that had expired.
    pub(crate) fn count_loaded(&self, keys: u64, expired: u64) {
        self.state.lock().loaded = (keys, expired);
    }

    /// How saving stands.
    pub fn state(&self) -> State {
        self.state.lock().clone()
    }

    /// Has the keys saved in the background when the append-only file has been rewritten.
    pub(crate) fn schedule(&self) {
        self.state.lock().is_scheduled = true;
    }

    /// Whether a background save was to follow; it is none any more.
    pub(crate) fn takes_scheduled(&self) -> bool {
        std::mem::take(&mut self.state.lock().is_scheduled)
    }

    /// Whether a change has to be noticed.
    #[inline]
    pub(crate) fn sleeps(&self) -> bool {
        self.sleeps.load(Ordering::Relaxed)
    }

    /// Whether there are rules by which keys are saved without being asked.
    pub fn has_rules(&self) -> bool {
        !self.rules.read().is_empty()
    }
}

/// Keys that are being saved.
#[derive(Debug)]
pub(crate) struct Run {
    save: Save,
    changes: u64,
    began_s: i64,
    is_background: bool,
}

impl Node {
    /// Changes since the keys were last saved.
    pub fn unsaved_changes(&self) -> u64 {
        self.changes().saturating_sub(self.saving.state.lock().saved_changes)
    }

    /// All changes that there have been.
    pub fn changes(&self) -> u64 {
        self.stats.sum(|worker| &worker.dirty)
    }

    /// The time, in s since the epoch.
    pub(crate) fn now_s(&self) -> i64 {
        self.host.wall_us().div_euclid(1_000_000)
    }

    /// Sets the rules by which keys are saved: seconds and changes in turn.
    pub(crate) fn set_save_rules(&self, numbers: &[i64]) {
        *self.saving.rules.write() = numbers.chunks_exact(2).map(|rule| (rule[0], rule[1])).collect();
        self.look_at_rules();
        self.gate_writes();
    }

    /// Puts up or takes down the gate that keeps writes out while keys cannot be saved.
    pub(crate) fn gate_writes(&self) {
        let stops = self.settings.stops_writes.load(Ordering::Relaxed);
        let failed = !self.saving.state.lock().succeeded;
        self.set_gates(Gates::UNSAVED, stops && failed && self.saving.has_rules());
    }

    /// Something has changed: has the rules looked at.
    #[cold]
    pub(crate) fn notice_change(&self) {
        if self.saving.sleeps.swap(false, Ordering::Relaxed) {
            self.look_at_rules();
        }
    }

    /// Finds out when the rules are to be looked at.
    pub(crate) fn look_at_rules(&self) {
        let matters = self.has_directory() && self.saving.has_rules();
        let changed = matters && self.unsaved_changes() > 0;
        self.saving.sleeps.store(matters && !changed, Ordering::Relaxed);
        // What has changed in between has found nobody asleep.
        if changed || matters && self.unsaved_changes() > 0 {
            let (now_s, last_s) = (self.now_s(), self.saving.state.lock().last_s);
            let due_s = self.saving.rules.read().iter().map(|rule| last_s + rule.0 + 1).min();
            self.host.tend_at(due_s.unwrap_or(now_s).max(now_s + LOOK_S) * 1000);
        }
    }

    /// Does what is due: saves the keys if a rule says so. The host calls this when it was asked to, on a thread where
    /// no connection waits.
    pub fn tend(&self) {
        let (changes, now_s) = (self.changes(), self.now_s());
        let rules = self.saving.rules.read().clone();
        let (is_due, goes_on, later_s) = {
            let mut state = self.saving.state.lock();
            let new = changes.saturating_sub(state.saved_changes);
            let rests = state.seen_changes == changes;
            state.seen_changes = changes;
            if new == 0 || state.running.is_some() || !self.has_directory() {
                // Whatever runs looks at the rules when it ends.
                self.saving.sleeps.store(self.has_directory(), Ordering::Relaxed);
                return;
            }
            let age_s = now_s - state.last_s;
            let may_try = state.succeeded || now_s - state.tried_s > RETRY_S;
            let is_due = rules.iter().any(|rule| age_s > rule.0 && new >= rule.1.max(1) as u64);
            let goes_on = is_due || !rests && rules.iter().any(|rule| age_s > rule.0);
            let later_s =
                rules.iter().filter(|rule| rule.0 >= age_s).map(|rule| state.last_s + rule.0 + 1).min();
            (is_due && may_try, goes_on, later_s)
        };
        // Should something else be going on, it is tried again.
        if is_due && self.save_in_background().is_ok() {
            return;
        }
        self.saving.sleeps.store(!goes_on, Ordering::Relaxed);
        let soon_s = goes_on.then_some(now_s + LOOK_S);
        if let Some(next_s) = soon_s.into_iter().chain(later_s).min() {
            self.host.tend_at(next_s * 1000);
        }
    }

    /// Begins to save the keys in the background, from a thread that holds no shards.
    ///
    /// # Errors
    /// As [`Node::begin_save`].
    pub fn save_in_background(&self) -> Result<(), CommandError> {
        let mut held = self.keyspace.lock_blocking(self.keyspace.all());
        let run = self.begin_save(&mut held, true)?;
        drop(held);
        self.run_in_background(run);
        Ok(())
    }

    /// Begins to save the keys; all shards must be held.
    ///
    /// # Errors
    /// [`CommandError::Saving`], [`CommandError::ChildActive`]
    pub(crate) fn begin_save(&self, held: &mut Locked<'_>, is_background: bool) -> Result<Run, CommandError> {
        let now_s = self.now_s();
        let mut state = self.saving.state.lock();
        if state.running.is_some() {
            return Err(CommandError::Saving);
        }
        let save = Save::begin(self, held, now_s * 1000).map_err(|_| CommandError::ChildActive)?;
        state.running = Some((now_s, is_background));
        if is_background {
            state.tried_s = now_s;
        }
        self.saving.cancelled.store(false, Ordering::Relaxed);
        Ok(Run { save, changes: self.changes(), began_s: now_s, is_background })
    }

    /// Writes the keys on a thread of their own.
    pub(crate) fn run_in_background(&self, run: Run) {
        self.host.background("save", Box::new(move |node| _ = node.finish_save(run)));
    }

    /// Writes the keys; whether they have been saved. The thread must hold no shards, and no connection may wait for it.
    pub(crate) fn finish_save(&self, run: Run) -> bool {
        let Run { save, changes, began_s, is_background } = run;
        let (mut save, cancelled) = (Some(save), &self.saving.cancelled);
        let outcome = match self.file() {
            Some(path) => self.write_file(&path, Some(cancelled), |to| match save.take() {
                Some(save) => save.write(self, to, |_| !cancelled.load(Ordering::Relaxed)).map(drop),
                None => Ok(()),
            }),
            None => Ok(()),
        };
        if let Some(save) = save {
            save.abandon(self);
        }
        if let Err(error) = &outcome {
            self.host.log(&format!("keys were not saved: {error}"));
        }
        let now_s = self.now_s();
        {
            let mut state = self.saving.state.lock();
            state.running = None;
            if is_background {
                state.took_s = now_s - began_s;
                // Somebody has ended it on purpose: that is no failure.
                state.succeeded = !matches!(outcome, Err(Failure::Io(_)));
            }
            if outcome.is_ok() {
                state.succeeded = true;
                (state.last_s, state.saved_changes) = (now_s, changes);
                state.saves += 1;
            }
        }
        self.gate_writes();
        self.look_at_rules();
        self.do_what_waited();
        outcome.is_ok()
    }

    /// Saves the keys while all shards are held; whether that has been possible.
    pub(crate) fn save_held(&self, held: &Locked<'_>) -> bool {
        let written = match self.file() {
            Some(path) => self.write_file(&path, None, |to| Ok(write_held(self, held, to).map(drop)?)),
            None => Ok(()),
        };
        if let Err(error) = &written {
            self.host.log(&format!("keys were not saved: {error}"));
            return false;
        }
        let mut state = self.saving.state.lock();
        (state.last_s, state.saved_changes, state.succeeded) = (self.now_s(), self.changes(), true);
        state.saves += 1;
        true
    }

    /// Has what is being written in the background given up.
    pub(crate) fn cancel_save(&self) {
        let _placing = self.saving.placing.lock();
        self.saving.cancelled.store(true, Ordering::Relaxed);
    }

    /// Saves the keys now, from a thread that holds no shards and for which no connection waits. What is being written
    /// already is given up. Whether the keys have been saved.
    pub fn save_now(&self) -> bool {
        loop {
            let mut held = self.keyspace.lock_blocking(self.keyspace.all());
            match self.begin_save(&mut held, false) {
                Ok(run) => {
                    drop(held);
                    return self.finish_save(run);
                }
                Err(CommandError::Saving) => self.cancel_save(),
                // A replica is being sent the keys: the file is written while nobody changes them.
                Err(_) => return self.save_held(&held),
            }
            drop(held);
            std::thread::yield_now();
        }
    }

    /// Saves the keys as soon as no other snapshot is being taken; whether they have been. For a thread that holds no
    /// shards and for which no connection waits but the one that asks.
    ///
    /// # Errors
    /// [`CommandError::Saving`]
    pub(crate) fn save_when_free(&self) -> Result<bool, CommandError> {
        loop {
            let mut held = self.keyspace.lock_blocking(self.keyspace.all());
            match self.begin_save(&mut held, false) {
                Err(CommandError::ChildActive) => {}
                begun => {
                    let run = begun?;
                    drop(held);
                    return Ok(self.finish_save(run));
                }
            }
            drop(held);
            std::thread::sleep(LOOK_FOR_OTHER);
        }
    }

    /// Saves the keys when the node ends, if that is wanted: it has a directory, and rules unless it is `always` to be
    /// done. Whether nothing has been lost.
    pub fn save_at_end(&self, always: bool) -> bool {
        if always || self.saving.has_rules() { self.save_now() } else { true }
    }

    /// Where the keys are saved, if anywhere.
    pub fn file(&self) -> Option<PathBuf> {
        let name = self.configuration.named("dbfilename")?;
        Some(self.directory()?.join(String::from_utf8_lossy(name.text()).as_ref()))
    }

    /// Whether the node writes files at all.
    pub(crate) fn has_directory(&self) -> bool {
        self.directory.read().is_some()
    }

    /// The directory of the node's files, if it has one.
    pub fn directory(&self) -> Option<PathBuf> {
        let own = self.directory.read().clone()?;
        let configured = self.configuration.named("dir")?;
        Some(own.join(String::from_utf8_lossy(configured.text()).as_ref()))
    }

    /// Writes a file under another name, puts it on the disk and gives it its name, unless it has been cancelled.
    fn write_file(
        &self,
        path: &Path,
        cancelled: Option<&AtomicBool>,
        write: impl FnOnce(&mut File) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let number = file_number();
        let temporary = path.with_file_name(format!("temp-{}-{number}.rdb", self.host.process().id));
        let mut file = File::create(&temporary)?;
        let written = write(&mut file).and_then(|()| {
            file.sync_all()?;
            let placing = self.saving.placing.lock();
            let is_cancelled = cancelled.is_some_and(|cancelled| cancelled.load(Ordering::Relaxed));
            if is_cancelled || !self.has_directory() {
                return Err(Failure::Cancelled);
            }
            fs::rename(&temporary, path)?;
            // Whoever cancels waits with all shards in hand, but not for the disk.
            drop(placing);
            Ok(sync_directory(path)?)
        });
        if written.is_err() {
            // What is left of it is of no use, and whether it can be removed makes no difference.
            let _ = fs::remove_file(&temporary);
        }
        written
    }
}

/// A number that no other temporary file of this process has: several nodes may write to one directory, one after the
/// other.
pub(crate) fn file_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Whether a file of this name is one that some process of ours was writing: nobody else calls files so.
pub fn is_leftover(name: &str) -> bool {
    let numbers = |text: &str| {
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        text.split_once('-').is_some_and(|(process, number)| is_number(process) && is_number(number))
    };
    let Some(rest) = name.strip_prefix("temp-") else { return false };
    match rest.strip_prefix("rewriteaof-") {
        Some("tail.aof") => true,
        Some(rest) => rest.strip_suffix(".keys").or(rest.strip_suffix(".aof")).is_some_and(numbers),
        None => rest.strip_suffix(".rdb").is_some_and(numbers),
    }
}

/// Puts the names of a file's directory on the disk.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
}
