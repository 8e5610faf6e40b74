//! Beginning, following, ending and forgetting migrations.
//!
//! Invariants:
//! - What is in memory is in the store, as notes named [`PREFIX`] and the id.
//! - A migration that was at work when the process ended begins again if it is one that resumes, and has failed otherwise.
//!
//! Deliberately not here: lines of logs in the store; they are about this process.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use uuid::Uuid;

use crate::cloud::{Cloud, node_of};
use crate::instance::{Instance, Status};
use crate::migration::{Copying, From, Level, Line, Migration, Progress, Source, State};
use crate::store::CommitError;

/// What names of notes about migrations begin with.
const PREFIX: &str = "migration/";

/// All migrations, by their place in the order of creation.
#[derive(Default)]
pub(crate) struct Migrations {
    all: Mutex<BTreeMap<u64, Known>>,
    /// Where buckets lie.
    buckets: OnceLock<PathBuf>,
}

#[derive(Clone)]
struct Known {
    record: Arc<Migration>,
    copying: Option<Arc<Copying>>,
    /// What this process has to tell of it beside what the data plane does.
    lines: Vec<Line>,
}

/// What is asked for with a migration.
#[derive(Clone, Debug, Default)]
pub struct MigrationOrder {
    /// What it is called.
    pub name: String,
    /// What its owner says about it.
    pub description: Option<String>,
    /// What is copied; nothing while that is not known.
    pub from: Option<From>,
    /// The id of the instance into which it is copied.
    pub target_id: Option<String>,
    /// Whether what changes is copied, too.
    pub follows: bool,
    /// Whether it begins again by itself.
    pub resumes: bool,
    /// What may be read in a second, in MB.
    pub bandwidth_mb: Option<u64>,
    /// What its provider keeps of the request.
    pub request: String,
}

/// Why a migration does not begin, or is not changed.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// The project has no such migration.
    #[error("there is no such migration")]
    NotFound,
    /// The project has no instance to copy to, or from.
    #[error("there is no such instance")]
    NoInstance,
    /// The instance does not run.
    #[error("the instance is {}", .0.name())]
    WrongStatus(Status),
    /// There is no such bucket or file.
    #[error("there is no file {0}")]
    NoFile(String),
    /// Its state does not allow it.
    #[error("the migration is in another state")]
    WrongState,
    /// The data plane cannot do it.
    #[error("{0}")]
    Refused(String),
    /// It cannot be recorded.
    #[error(transparent)]
    Store(#[from] CommitError),
}

impl Cloud {
    /// Says where buckets lie: directories below this one. Without it there are none.
    pub fn keep_buckets_in(&self, directory: PathBuf) {
        let _ = self.migrations.buckets.set(directory);
    }

    /// Begins a migration; one of which it is not said yet what it copies waits.
    ///
    /// # Errors
    /// [`MigrationError`]
    pub async fn migrate(
        self: &Arc<Self>,
        project_id: &str,
        order: MigrationOrder,
    ) -> Result<Arc<Migration>, MigrationError> {
        let now_ms = self.clock.now_ms();
        let target = match &order.target_id {
            Some(id) => Some(self.running(project_id, id)?),
            None => None,
        };
        if let Some(from) = &order.from {
            self.source(project_id, from, order.follows, order.bandwidth_mb)?;
        }
        let begins = order.from.is_some() && target.is_some();
        let record = Arc::new(Migration {
            id: Uuid::new_v4().simple().to_string(),
            sequence: self.state.write().next_sequence(),
            project_id: project_id.to_owned(),
            name: order.name,
            description: order.description,
            from: order.from,
            target_id: order.target_id,
            target_name: target.map(|target| target.name.clone()),
            follows: order.follows,
            resumes: order.resumes,
            bandwidth_mb: order.bandwidth_mb,
            state: if begins { State::Running } else { State::Waiting },
            created_at_ms: now_ms,
            updated_at_ms: now_ms,
            request: order.request,
        });
        self.put_migration(&record).await?;
        if begins { self.begin_copying(record).await } else { Ok(record) }
    }

    /// Says what a migration copies that waits for it, or has ended; it begins.
    ///
    /// # Errors
    /// [`MigrationError`]
    pub async fn configure_migration(
        self: &Arc<Self>,
        project_id: &str,
        id: &str,
        order: MigrationOrder,
    ) -> Result<Arc<Migration>, MigrationError> {
        let known = self.migration(project_id, id).ok_or(MigrationError::NotFound)?;
        if known.state.is_at_work() {
            return Err(MigrationError::WrongState);
        }
        let (Some(from), Some(target_id)) = (order.from, order.target_id) else {
            return Err(MigrationError::NoInstance);
        };
        let target = self.running(project_id, &target_id)?;
        self.source(project_id, &from, order.follows, order.bandwidth_mb)?;
        let record = Arc::new(Migration {
            from: Some(from),
            target_id: Some(target_id),
            target_name: Some(target.name.clone()),
            follows: order.follows,
            resumes: order.resumes,
            bandwidth_mb: order.bandwidth_mb,
            state: State::Running,
            updated_at_ms: self.clock.now_ms(),
            request: order.request,
            ..Migration::clone(&known)
        });
        self.put_migration(&record).await?;
        self.begin_copying(record).await
    }

    /// Begins a migration again that has ended.
    ///
    /// # Errors
    /// [`MigrationError`]
    pub async fn restart_migration(
        self: &Arc<Self>,
        project_id: &str,
        id: &str,
    ) -> Result<Arc<Migration>, MigrationError> {
        let known = self.migration(project_id, id).ok_or(MigrationError::NotFound)?;
        if known.state.is_at_work() || known.from.is_none() {
            return Err(MigrationError::WrongState);
        }
        let target_id = known.target_id.as_deref().unwrap_or_default();
        self.running(project_id, target_id)?;
        let updated_at_ms = self.clock.now_ms();
        let record = Arc::new(Migration { state: State::Running, updated_at_ms, ..Migration::clone(&known) });
        self.put_migration(&record).await?;
        self.begin_copying(record).await
    }

    /// Says whether a migration begins again by itself.
    ///
    /// # Errors
    /// [`MigrationError`]
    pub async fn set_migration_resumes(
        &self,
        project_id: &str,
        id: &str,
        resumes: bool,
    ) -> Result<(), MigrationError> {
        let known = self.migration(project_id, id).ok_or(MigrationError::NotFound)?;
        let record = Arc::new(Migration { resumes, ..Migration::clone(&known) });
        Ok(self.put_migration(&record).await?)
    }

    /// Has a migration end, and waits until it has.
    ///
    /// # Errors
    /// [`MigrationError`]
    pub async fn stop_migration(&self, project_id: &str, id: &str) -> Result<Arc<Migration>, MigrationError> {
        let known = self.migration(project_id, id).ok_or(MigrationError::NotFound)?;
        let updated_at_ms = self.clock.now_ms();
        if known.state == State::Waiting {
            let state = State::Stopped;
            let record = Arc::new(Migration { state, updated_at_ms, ..Migration::clone(&known) });
            self.put_migration(&record).await?;
            return Ok(record);
        }
        let copying = self.copying(known.sequence).filter(|_| known.state.is_at_work());
        let copying = copying.ok_or(MigrationError::WrongState)?;
        let state = State::Stopping;
        self.put_migration(&Arc::new(Migration { state, updated_at_ms, ..Migration::clone(&known) })).await?;
        copying.stop();
        let mut seen = u64::MAX;
        while self.migration(project_id, id).is_some_and(|now| now.state.is_at_work()) {
            copying.news(&mut seen).await;
            tokio::task::yield_now().await;
        }
        self.migration(project_id, id).ok_or(MigrationError::NotFound)
    }

    /// Forgets migrations that are over; answers which.
    ///
    /// # Errors
    /// [`MigrationError`], and then all stay.
    pub async fn forget_migrations(&self, project_id: &str, ids: &[String]) -> Result<(), MigrationError> {
        let mut gone = Vec::new();
        for id in ids {
            let known = self.migration(project_id, id).ok_or(MigrationError::NotFound)?;
            if known.state.is_at_work() {
                return Err(MigrationError::WrongState);
            }
            gone.push(known);
        }
        let names = gone.iter().map(|record| (format!("{PREFIX}{}", record.id), None));
        self.note(names.collect()).await?;
        let mut all = self.migrations.all.lock();
        gone.iter().for_each(|record| _ = all.remove(&record.sequence));
        Ok(())
    }

    /// The project's migrations, in the order of creation.
    pub fn migrations(&self, project_id: &str) -> Vec<Arc<Migration>> {
        let all = self.migrations.all.lock();
        let own = all.values().filter(|known| known.record.project_id == project_id);
        own.map(|known| known.record.clone()).collect()
    }

    /// The project's migration of this id.
    pub fn migration(&self, project_id: &str, id: &str) -> Option<Arc<Migration>> {
        let all = self.migrations.all.lock();
        let mut records = all.values().map(|known| &known.record);
        records.find(|record| record.id == id && record.project_id == project_id).cloned()
    }

    /// How far a migration is, as far as this process knows: nothing of one that has not begun in it.
    pub fn migration_progress(&self, migration: &Migration) -> Progress {
        let known = self.migrations.all.lock().get(&migration.sequence).cloned();
        let Some(known) = known else { return Progress::default() };
        let mut progress = known.copying.map(|copying| copying.progress()).unwrap_or_default();
        progress.lines.extend(known.lines);
        progress.lines.sort_by_key(|line| line.at_ms);
        progress
    }

    /// Takes up what the store holds of migrations. It is to be called once, when it has been said where buckets lie.
    pub async fn resume_migrations(self: &Arc<Self>) {
        for note in self.take_notes(PREFIX).into_values() {
            let Ok(record) = serde_json::from_slice::<Migration>(&note) else {
                tracing::error!("a migration of the store cannot be read");
                continue;
            };
            self.state.write().pass_sequence(record.sequence);
            let was_at_work = record.state.is_at_work();
            let known = Known { record: Arc::new(record), copying: None, lines: Vec::new() };
            self.migrations.all.lock().insert(known.record.sequence, known.clone());
            if !was_at_work {
                continue;
            }
            let record = known.record;
            self.line(record.sequence, Level::Warning, "the program has been started again");
            if record.resumes && record.state != State::Stopping {
                // What does not begin is in the log of the migration.
                let _ = self.begin_copying(record).await;
            } else {
                self.end_migration(&record, Err("it does not begin again by itself".to_owned())).await;
            }
        }
    }

    fn copying(&self, sequence: u64) -> Option<Arc<Copying>> {
        self.migrations.all.lock().get(&sequence)?.copying.clone()
    }

    /// The instance, which must run.
    fn running(&self, project_id: &str, id: &str) -> Result<Arc<Instance>, MigrationError> {
        let instance = self.instance(project_id, id).ok_or(MigrationError::NoInstance)?;
        if instance.status == Status::Running {
            Ok(instance)
        } else {
            Err(MigrationError::WrongStatus(instance.status))
        }
    }

    /// What a migration copies, as the data plane sees it.
    fn source(
        &self,
        project_id: &str,
        from: &From,
        follows: bool,
        bandwidth_mb: Option<u64>,
    ) -> Result<Source, MigrationError> {
        let bytes_per_s = bandwidth_mb.unwrap_or(0).saturating_mul(1 << 20);
        match from {
            From::Bucket { bucket, files } => {
                let path = |file: &String| {
                    let named = format!("{bucket}/{file}");
                    let found = self.migrations.buckets.get().map(|below| below.join(&named));
                    let found = found.filter(|path| is_below(Path::new(&named)) && path.is_file());
                    found.ok_or(MigrationError::NoFile(named))
                };
                files.iter().map(path).collect::<Result<_, _>>().map(Source::Files)
            }
            From::Backup { id } => {
                let backup = self.backup(id).filter(|backup| backup.project_id == project_id);
                let backup = backup.ok_or_else(|| MigrationError::NoFile(id.clone()))?;
                let path = |file: &crate::backup::File| self.backup_file(id, &file.name);
                let paths = backup.files.iter().map(path).collect::<Option<Vec<_>>>();
                paths
                    .filter(|paths| !paths.is_empty())
                    .map(Source::Files)
                    .ok_or_else(|| MigrationError::NoFile(id.clone()))
            }
            From::Servers { addresses, password } => Ok(Source::Servers {
                addresses: addresses.clone(),
                password: password.as_ref().map(|password| password.reveal().to_owned()),
                follows,
                bytes_per_s,
            }),
            From::Instance { id } => {
                let instance = self.running(project_id, id)?;
                let host = self.host_for(None);
                let masters = instance.shards.max(1) as usize;
                let ports = instance.port.into_iter().chain(instance.node_ports.iter().copied());
                let password = match &instance.access {
                    crate::instance::Access::Password(password) => Some(password.reveal().to_owned()),
                    crate::instance::Access::Open => None,
                };
                let addresses = ports.take(masters).map(|port| (host.clone(), port)).collect();
                Ok(Source::Servers { addresses, password, follows, bytes_per_s })
            }
        }
    }

    /// Has the data plane copy, and follows how that goes.
    async fn begin_copying(
        self: &Arc<Self>,
        record: Arc<Migration>,
    ) -> Result<Arc<Migration>, MigrationError> {
        let begun = self.try_copying(&record);
        let copying = match begun {
            Ok(copying) => copying,
            Err(error) => {
                self.end_migration(&record, Err(error.to_string())).await;
                return Err(error);
            }
        };
        if let Some(known) = self.migrations.all.lock().get_mut(&record.sequence) {
            known.copying = Some(copying.clone());
        }
        self.line(record.sequence, Level::Info, "the migration has begun");
        let (cloud, of) = (self.clone(), record.clone());
        tokio::spawn(async move { cloud.follow_copying(of, copying).await });
        Ok(record)
    }

    fn try_copying(&self, record: &Migration) -> Result<Arc<Copying>, MigrationError> {
        let target_id = record.target_id.as_deref().ok_or(MigrationError::NoInstance)?;
        let target = self.running(&record.project_id, target_id)?;
        let from = record.from.as_ref().ok_or(MigrationError::WrongState)?;
        let source = self.source(&record.project_id, from, record.follows, record.bandwidth_mb)?;
        let copying = self.data_plane.copy(&node_of(&target), source);
        copying.map_err(|error| MigrationError::Refused(error.to_string()))
    }

    async fn follow_copying(self: Arc<Self>, begun: Arc<Migration>, copying: Arc<Copying>) {
        let mut seen = u64::MAX;
        loop {
            copying.news(&mut seen).await;
            let progress = copying.progress();
            let now = self.migration(&begun.project_id, &begun.id);
            let Some(now) = now else { return copying.stop() };
            if let Some(ended) = progress.ended {
                return self.end_migration(&now, ended).await;
            }
            let state = match (now.state, progress.follows) {
                (State::Stopping, _) => continue,
                (_, true) => State::Following,
                (_, false) => State::Full,
            };
            let is_file = matches!(now.from, Some(From::Bucket { .. } | From::Backup { .. }));
            if state != now.state && !(is_file && state == State::Full) {
                let updated_at_ms = self.clock.now_ms();
                let next = Arc::new(Migration { state, updated_at_ms, ..Migration::clone(&now) });
                // It is not in the store: a process that begins again takes it up all the same.
                self.remember(&next);
            }
        }
    }

    async fn end_migration(&self, now: &Migration, ended: Result<(), String>) {
        let known = self.migration(&now.project_id, &now.id);
        let is_wanted = known.as_ref().map_or(now.state, |known| known.state) != State::Stopping;
        let state = match &ended {
            _ if !is_wanted => State::Stopped,
            Ok(()) => State::Succeeded,
            Err(_) => State::Failed,
        };
        match (&ended, state) {
            (Err(reason), State::Failed) => self.line(now.sequence, Level::Error, reason),
            (_, State::Stopped) => self.line(now.sequence, Level::Info, "the migration has been stopped"),
            _ => self.line(now.sequence, Level::Info, "everything has been copied"),
        }
        let now = known.as_deref().unwrap_or(now);
        let updated_at_ms = self.clock.now_ms();
        let over = Arc::new(Migration { state, updated_at_ms, ..now.clone() });
        if let Err(error) = self.put_migration(&over).await {
            tracing::error!(id = %over.id, %error, "the end of a migration is not recorded");
            self.remember(&over);
        }
        if let Some(copying) = self.copying(over.sequence) {
            // Whoever waits for the end finds it in the record.
            copying.tell(true, |_| {});
        }
    }

    fn line(&self, sequence: u64, level: Level, text: &str) {
        let line = Line { at_ms: self.clock.now_ms(), level, text: text.to_owned() };
        if let Some(known) = self.migrations.all.lock().get_mut(&sequence) {
            known.lines.push(line);
        }
    }

    fn remember(&self, record: &Arc<Migration>) {
        let mut all = self.migrations.all.lock();
        match all.get_mut(&record.sequence) {
            Some(known) => known.record = record.clone(),
            None => {
                let known = Known { record: record.clone(), copying: None, lines: Vec::new() };
                all.insert(record.sequence, known);
            }
        }
    }

    async fn put_migration(&self, record: &Arc<Migration>) -> Result<(), CommitError> {
        let note = serde_json::to_vec(record.as_ref()).expect("records have text keys and finite numbers");
        self.note(vec![(format!("{PREFIX}{}", record.id), Some(note))]).await?;
        self.remember(record);
        Ok(())
    }
}

/// Whether a path leads nowhere but below.
fn is_below(path: &Path) -> bool {
    path.components().all(|part| matches!(part, Component::Normal(_)))
}
