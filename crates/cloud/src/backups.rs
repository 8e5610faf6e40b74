//! Making, restoring and deleting backups.
//!
//! Invariants:
//! - A backup that fails, or that nobody can record, leaves no files.
//! - A restore that fails leaves the instance with what it held.
//! - Of what has gone, and of restores, the latest records are kept: [`RECORDS_KEPT`] for each instance.
//!
//! Deliberately not here: when backups are made and go by themselves ([`crate::schedule`]).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use uuid::Uuid;

use crate::backup::{Backup, BackupOrder, Fault, Restore, State};
use crate::backup_policy::BackupKind;
use crate::cloud::{Cloud, TaskError, node_of};
use crate::data_plane::OrderError;
use crate::instance::Instance;
use crate::state::Claim;
use crate::store::{Change, CommitError};
use crate::task::{self, Task};

/// How many records of what is over are kept for each instance.
const RECORDS_KEPT: usize = 500;
/// A backup that takes longer than this is given up.
const MOST_MS: u64 = 60 * 60 * 1000;
/// A day of keeping.
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// The records of backups and restores, by their place in the order of creation.
#[derive(Default)]
pub(crate) struct Records {
    pub(crate) backups: BTreeMap<u64, Arc<Backup>>,
    pub(crate) restores: BTreeMap<u64, Arc<Restore>>,
}

/// Why a restore does not begin.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The instance has no such backup.
    #[error("there is no such backup")]
    NoBackup,
    /// The backup has no files.
    #[error("the backup has not succeeded, or its files are gone")]
    NotSucceeded,
    /// The instance cannot do it now.
    #[error(transparent)]
    Task(#[from] TaskError),
}

/// Why a backup is not deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeleteBackupError {
    /// The project has no such instance.
    #[error("there is no such instance")]
    NoInstance,
    /// The instance has no such backup, or its files are gone already.
    #[error("there is no such backup")]
    NoBackup,
    /// It is being made, or restored.
    #[error("a task is at work on the backup")]
    Busy(task::Kind),
    /// Its files cannot be removed.
    #[error("its files cannot be removed: {0}")]
    Files(#[from] std::io::Error),
    /// It cannot be recorded.
    #[error(transparent)]
    Store(#[from] CommitError),
}

impl Records {
    /// What a store holds. What was being made by a task that is not there any more has failed.
    pub(crate) fn of(backups: Vec<Backup>, restores: Vec<Restore>, tasks: &BTreeMap<u64, Arc<Task>>) -> Self {
        let works = |id: &Option<String>| {
            let mut running = tasks.values().filter(|task| task.state == task::State::Running);
            id.as_ref().is_some_and(|id| running.any(|task| task.id == *id))
        };
        let is_lost = |state: State, task_id: &Option<String>| {
            matches!(state, State::Waiting | State::Running) && !works(task_id)
        };
        let mut records = Records::default();
        for mut backup in backups {
            if is_lost(backup.state, &backup.task_id) {
                (backup.state, backup.fault) = (State::Failed, Some(Fault::NotStarted));
            }
            records.put(&Arc::new(backup));
        }
        for mut restore in restores {
            if is_lost(restore.state, &restore.task_id) {
                (restore.state, restore.fault) = (State::Failed, Some(Fault::NotStarted));
            }
            records.put_restore(&Arc::new(restore));
        }
        records
    }

    pub(crate) fn backup(&self, id: &str) -> Option<&Arc<Backup>> {
        self.backups.values().rev().find(|backup| backup.id == id)
    }

    fn restore(&self, id: &str) -> Option<&Arc<Restore>> {
        self.restores.values().rev().find(|restore| restore.id == id)
    }

    pub(crate) fn put(&mut self, backup: &Arc<Backup>) {
        self.backups.insert(backup.sequence, backup.clone());
    }

    fn put_restore(&mut self, restore: &Arc<Restore>) {
        self.restores.insert(restore.sequence, restore.clone());
    }

    /// Adds to a change what the task makes or uses, as it is now.
    pub(crate) fn record(&self, task: &Task, change: &mut Change) {
        let Some(id) = &task.details.record else { return };
        match task.kind {
            task::Kind::Backup => change.put_backups.extend(self.backup(id).cloned()),
            task::Kind::Restore => change.put_restores.extend(self.restore(id).cloned()),
            _ => {}
        }
    }

    /// The same when the task is over; what is kept no longer goes.
    pub(crate) fn record_last(&mut self, task: &Task, change: &mut Change) {
        self.record(task, change);
        if task.details.record.is_some() {
            self.forget_old(&task.instance_id, change);
        }
    }

    /// Drops what a task was to make that has never been.
    pub(crate) fn undo(&mut self, task: &Task) {
        let Some(id) = &task.details.record else { return };
        match task.kind {
            task::Kind::Backup => self.backups.retain(|_, backup| backup.id != *id),
            task::Kind::Restore => self.restores.retain(|_, restore| restore.id != *id),
            _ => {}
        }
    }

    /// Adds to a change that all that belongs to an instance goes.
    pub(crate) fn list_all(&self, instance_id: &str, change: &mut Change) {
        let backups = self.backups.values().filter(|backup| backup.instance_id == instance_id);
        change.remove_backups.extend(backups.map(|backup| backup.id.clone()));
        let restores = self.restores.values().filter(|restore| restore.instance_id == instance_id);
        change.remove_restores.extend(restores.map(|restore| restore.id.clone()));
    }

    /// Drops all that belongs to an instance.
    pub(crate) fn remove_all(&mut self, instance_id: &str) {
        self.backups.retain(|_, backup| backup.instance_id != instance_id);
        self.restores.retain(|_, restore| restore.instance_id != instance_id);
    }

    /// Drops the oldest records of an instance beyond those that are kept, and adds that to a change.
    pub(crate) fn forget_old(&mut self, instance_id: &str, change: &mut Change) {
        let is_over = |backup: &Backup| {
            let has_files = matches!(backup.state, State::Waiting | State::Running | State::Succeeded);
            backup.instance_id == instance_id && !has_files
        };
        let over: Vec<u64> =
            self.backups.iter().filter(|(_, backup)| is_over(backup)).map(|(at, _)| *at).collect();
        for at in &over[..over.len().saturating_sub(RECORDS_KEPT)] {
            change.remove_backups.extend(self.backups.remove(at).map(|backup| backup.id.clone()));
        }
        let of_instance = self.restores.iter().filter(|(_, restore)| restore.instance_id == instance_id);
        let restores: Vec<u64> = of_instance.map(|(at, _)| *at).collect();
        for at in &restores[..restores.len().saturating_sub(RECORDS_KEPT)] {
            change.remove_restores.extend(self.restores.remove(at).map(|restore| restore.id.clone()));
        }
    }
}

impl Cloud {
    /// Begins a backup of an instance; under the instant profile it is over when this returns. The record says how it went.
    ///
    /// # Errors
    /// [`TaskError`], but for [`TaskError::Failed`]
    pub async fn back_up(
        self: &Arc<Self>,
        project_id: &str,
        instance_id: &str,
        order: BackupOrder,
    ) -> Result<Arc<Backup>, TaskError> {
        self.begin_backup(project_id, instance_id, order, BackupKind::Manual).await
    }

    /// The same, by whoever starts it.
    pub(crate) async fn begin_backup(
        self: &Arc<Self>,
        project_id: &str,
        instance_id: &str,
        order: BackupOrder,
        kind: BackupKind,
    ) -> Result<Arc<Backup>, TaskError> {
        let (now_ms, profile) = (self.clock.now_ms(), self.settings.profile);
        let id = Uuid::new_v4().to_string();
        let (claim, backup) = {
            let mut state = self.state.write();
            let details = task::Details { record: Some(id.clone()), ..task::Details::default() };
            let claim = state.claim(project_id, instance_id, task::Kind::Backup, details, now_ms, profile)?;
            let backup = Arc::new(Backup {
                id,
                sequence: state.next_sequence(),
                task_id: Some(claim.task.id.clone()),
                ..new_backup(&claim.instance, order, kind, now_ms)
            });
            state.records.put(&backup);
            (claim, backup)
        };
        tracing::info!(id = %backup.id, instance = instance_id, kind = kind.name(), "back up");
        self.run(claim).await?;
        self.schedule_changed();
        Ok(self.state.read().records.backup(&backup.id).cloned().unwrap_or(backup))
    }

    /// Records a backup of the schedule whose time came while the instance did something else.
    pub(crate) async fn miss_backup(&self, instance: &Instance) -> Result<(), CommitError> {
        let now_ms = self.clock.now_ms();
        let mut change = Change::default();
        {
            let mut state = self.state.write();
            let missed = new_backup(instance, BackupOrder::default(), BackupKind::Auto, now_ms);
            let missed = Arc::new(Backup {
                id: Uuid::new_v4().to_string(),
                sequence: state.next_sequence(),
                state: State::Failed,
                fault: Some(Fault::InstanceBusy),
                expires_at_ms: None,
                ..missed
            });
            state.records.put(&missed);
            state.records.forget_old(&instance.id, &mut change);
            change.put_backups.push(missed);
        }
        self.store.commit(change).await
    }

    /// Begins to put what a backup holds in the place of all that its instance holds; under the instant profile it is over
    /// when this returns. The record says how it went.
    ///
    /// # Errors
    /// [`RestoreError`]
    pub async fn restore(
        self: &Arc<Self>,
        project_id: &str,
        instance_id: &str,
        backup_id: &str,
        remark: Option<String>,
    ) -> Result<Arc<Restore>, RestoreError> {
        let (now_ms, profile) = (self.clock.now_ms(), self.settings.profile);
        let id = Uuid::new_v4().to_string();
        let (claim, restore) = {
            let mut state = self.state.write();
            state.find(project_id, instance_id).ok_or(TaskError::NotFound)?;
            let backup = state.records.backup(backup_id);
            let backup = backup.filter(|backup| backup.instance_id == instance_id);
            let backup = backup.ok_or(RestoreError::NoBackup)?.clone();
            if backup.state != State::Succeeded {
                return Err(RestoreError::NotSucceeded);
            }
            let details = task::Details { record: Some(id.clone()), ..task::Details::default() };
            let claim =
                state.claim(project_id, instance_id, task::Kind::Restore, details, now_ms, profile)?;
            let restore = Arc::new(Restore {
                id,
                sequence: state.next_sequence(),
                project_id: project_id.to_owned(),
                instance_id: instance_id.to_owned(),
                instance_name: claim.instance.name.clone(),
                backup_id: backup.id.clone(),
                backup_created_at_ms: backup.created_at_ms,
                backup_remark: backup.remark.clone(),
                remark,
                state: State::Waiting,
                fault: None,
                created_at_ms: now_ms,
                updated_at_ms: now_ms,
                task_id: Some(claim.task.id.clone()),
            });
            state.records.put_restore(&restore);
            (claim, restore)
        };
        tracing::info!(id = %restore.id, instance = instance_id, backup = backup_id, "restore");
        self.run(claim).await.map_err(TaskError::Store)?;
        Ok(self.state.read().records.restore(&restore.id).cloned().unwrap_or(restore))
    }

    /// Removes the files of a backup; its record stays.
    ///
    /// # Errors
    /// [`DeleteBackupError`]
    pub async fn delete_backup(
        &self,
        project_id: &str,
        instance_id: &str,
        backup_id: &str,
    ) -> Result<(), DeleteBackupError> {
        let instance = self.instance(project_id, instance_id).ok_or(DeleteBackupError::NoInstance)?;
        let found = self.state.read().records.backup(backup_id).cloned();
        let backup = found.filter(|backup| backup.instance_id == instance_id);
        let backup = backup.ok_or(DeleteBackupError::NoBackup)?;
        match backup.state {
            State::Waiting | State::Running => return Err(DeleteBackupError::Busy(task::Kind::Backup)),
            State::Expired | State::Deleted => return Err(DeleteBackupError::NoBackup),
            State::Succeeded | State::Failed => {}
        }
        if instance.task.is_some() && self.is_being_restored(backup_id) {
            return Err(DeleteBackupError::Busy(task::Kind::Restore));
        }
        tracing::info!(id = backup_id, instance = instance_id, "delete backup");
        self.discard(&backup, State::Deleted).await?;
        self.schedule_changed();
        Ok(())
    }

    fn is_being_restored(&self, backup_id: &str) -> bool {
        let state = self.state.read();
        let mut restores = state.records.restores.values();
        restores.any(|restore| {
            restore.backup_id == backup_id && matches!(restore.state, State::Waiting | State::Running)
        })
    }

    /// Removes the files of a backup, which is [`State::Expired`] or [`State::Deleted`] from now on.
    pub(crate) async fn discard(&self, backup: &Arc<Backup>, state: State) -> Result<(), DeleteBackupError> {
        let gone = Arc::new(Backup { state, updated_at_ms: self.clock.now_ms(), ..Backup::clone(backup) });
        // From here on nobody begins to restore it.
        self.state.write().records.put(&gone);
        let (vault, of) = (self.vault.clone(), backup.clone());
        let removed = tokio::task::spawn_blocking(move || vault.remove(&of)).await;
        if let Ok(Err(error)) = removed {
            self.state.write().records.put(backup);
            return Err(error.into());
        }
        let mut change = Change { put_backups: vec![gone], ..Change::default() };
        self.state.write().records.forget_old(&backup.instance_id, &mut change);
        Ok(self.store.commit(change).await?)
    }

    /// The backups of an instance, in the order of creation.
    pub fn backups(&self, instance_id: &str) -> Vec<Arc<Backup>> {
        let state = self.state.read();
        let all = state.records.backups.values();
        all.filter(|backup| backup.instance_id == instance_id).cloned().collect()
    }

    /// The backup of this id, of whichever instance.
    pub fn backup(&self, id: &str) -> Option<Arc<Backup>> {
        self.state.read().records.backup(id).cloned()
    }

    /// The restores of an instance, in the order of creation.
    pub fn restores(&self, instance_id: &str) -> Vec<Arc<Restore>> {
        let state = self.state.read();
        let all = state.records.restores.values();
        all.filter(|restore| restore.instance_id == instance_id).cloned().collect()
    }

    /// How much of a task is done, in percent; 100 for one that is not known any more.
    pub fn progress_of(&self, task_id: Option<&str>) -> u8 {
        let state = self.state.read();
        let task = state.tasks.values().rev().find(|task| Some(task.id.as_str()) == task_id);
        task.map_or(100, |task| task.progress_percent(self.clock.now_ms()))
    }

    /// The path of a backup's file, as long as the backup has files.
    pub fn backup_file(&self, backup_id: &str, name: &str) -> Option<PathBuf> {
        let backup = self.backup(backup_id).filter(|backup| backup.state == State::Succeeded)?;
        let file = backup.files.iter().chain(&backup.exported).find(|file| file.name == name)?;
        Some(self.vault.directory_of(&backup)?.join(&file.name))
    }

    /// Removes the files of all backups of an instance that is gone.
    pub(crate) async fn remove_backups(&self, instance_id: &str) {
        let (vault, id) = (self.vault.clone(), instance_id.to_owned());
        let removed = tokio::task::spawn_blocking(move || vault.remove_all(&id)).await;
        if let Ok(Err(error)) = removed {
            tracing::warn!(instance = instance_id, %error, "the backups of an instance are left");
        }
    }

    /// The record of what a task works at says that it has begun.
    pub(crate) fn begin_record(&self, task: &Task) {
        let Some(id) = &task.details.record else { return };
        let now_ms = self.clock.now_ms();
        let mut state = self.state.write();
        if let Some(backup) = state.records.backup(id) {
            let begun =
                Backup { state: State::Running, started_at_ms: Some(now_ms), ..Backup::clone(backup) };
            state.records.put(&Arc::new(begun));
        }
        if let Some(restore) = state.records.restore(id) {
            let begun = Restore { state: State::Running, ..Restore::clone(restore) };
            state.records.put_restore(&Arc::new(begun));
        }
    }

    /// Does the work of a backup's task. The record says how it went.
    pub(crate) async fn make_backup(&self, Claim { instance, task, .. }: &Claim) -> task::State {
        let found = task.details.record.as_ref().and_then(|id| self.backup(id));
        let Some(backup) = found else { return task::State::Failed };
        let made = self.write_backup(instance, &backup).await;
        let mut over = Backup { updated_at_ms: self.clock.now_ms(), ..Backup::clone(&backup) };
        match made {
            Ok(files) => (over.state, over.files) = (State::Succeeded, files),
            Err(fault) => {
                (over.state, over.fault, over.expires_at_ms) = (State::Failed, Some(fault), None);
                let vault = self.vault.clone();
                let removed = tokio::task::spawn_blocking(move || vault.remove(&backup)).await;
                if let Ok(Err(error)) = removed {
                    tracing::warn!(id = %over.id, %error, "files of a backup that failed are left");
                }
            }
        }
        let state = ended(over.state);
        self.state.write().records.put(&Arc::new(over));
        state
    }

    async fn write_backup(
        &self,
        instance: &Instance,
        backup: &Arc<Backup>,
    ) -> Result<Vec<crate::backup::File>, Fault> {
        let (vault, of) = (self.vault.clone(), backup.clone());
        let made = tokio::task::spawn_blocking(move || vault.make(&of)).await;
        let directory = made.unwrap_or_else(|error| Err(std::io::Error::other(error))).map_err(|error| {
            tracing::error!(id = %backup.id, %error, "there is no place for a backup");
            Fault::NotStarted
        })?;
        let node = node_of(instance);
        let until_ms = self.clock.now_ms() + MOST_MS;
        let written = tokio::select! {
            written = self.data_plane.back_up(&node, &directory, backup.format) => written,
            () = self.clock.sleep_until(until_ms) => {
                tracing::error!(id = %backup.id, "a backup takes too long");
                return Err(Fault::TimedOut);
            }
        };
        let files = written.map_err(|error| {
            tracing::error!(id = %backup.id, %error, "a backup failed");
            Fault::NotStarted
        })?;
        let is_there = |file: &crate::backup::File| {
            let data = std::fs::metadata(directory.join(&file.name));
            data.is_ok_and(|data| data.len() == file.size_bytes)
        };
        if files.iter().all(is_there) { Ok(files) } else { Err(Fault::NoFiles) }
    }

    /// Does the work of a restore's task. The record says how it went.
    pub(crate) async fn do_restore(&self, Claim { instance, task, .. }: &Claim) -> task::State {
        let found = {
            let state = self.state.read();
            task.details.record.as_ref().and_then(|id| state.records.restore(id).cloned())
        };
        let Some(restore) = found else { return task::State::Failed };
        let outcome = self.load_backup(instance, &restore).await;
        let mut over = Restore { updated_at_ms: self.clock.now_ms(), ..Restore::clone(&restore) };
        over.state = if outcome.is_ok() { State::Succeeded } else { State::Failed };
        over.fault = outcome.err();
        let state = ended(over.state);
        self.state.write().records.put_restore(&Arc::new(over));
        state
    }

    async fn load_backup(&self, instance: &Instance, restore: &Restore) -> Result<(), Fault> {
        let backup = self.backup(&restore.backup_id).ok_or(Fault::NotSynchronised)?;
        let directory = self.vault.directory_of(&backup).ok_or(Fault::NotSynchronised)?;
        let files: Vec<_> = backup.files.iter().map(|file| directory.join(&file.name)).collect();
        self.data_plane.restore(&node_of(instance), &files).await.map_err(|error| {
            tracing::error!(id = %restore.id, %error, "a restore failed");
            match error {
                OrderError::NotRunning => Fault::NotStarted,
                OrderError::Refused(_) => Fault::NotSynchronised,
            }
        })
    }
}

/// A backup that is still to be made; what identifies it is to be filled in.
fn new_backup(instance: &Instance, order: BackupOrder, kind: BackupKind, now_ms: u64) -> Backup {
    let policy = instance.backup_policy.as_ref().filter(|policy| policy.kind == kind);
    let days = order.save_days.or(policy.and_then(|policy| policy.save_days));
    Backup {
        id: String::new(),
        sequence: 0,
        project_id: instance.project_id.clone(),
        instance_id: instance.id.clone(),
        instance_name: instance.name.clone(),
        engine: instance.engine,
        release: instance.release,
        kind,
        format: order.format,
        remark: order.remark,
        period: policy.filter(|_| kind == BackupKind::Auto).map(|policy| policy.plan.begin_at.clone()),
        state: State::Waiting,
        fault: None,
        created_at_ms: now_ms,
        started_at_ms: None,
        updated_at_ms: now_ms,
        expires_at_ms: days.map(|days| now_ms + u64::from(days) * DAY_MS),
        files: Vec::new(),
        exported: None,
        task_id: None,
    }
}

fn ended(state: State) -> task::State {
    if state == State::Succeeded { task::State::Succeeded } else { task::State::Failed }
}
