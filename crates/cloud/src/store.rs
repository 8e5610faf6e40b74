//! The metadata store: what the cloud knows, in one database file, or nowhere.
//!
//! Invariants:
//! - A commit that was answered is on disk: neither a killed process nor a machine without power loses it.
//! - Commits happen in the order in which they were asked for. Those that wait while one is under way go to disk
//!   together, so many creations at once cost few waits for the disk.
//! - The file is readable by its owner alone, since it holds passwords.
//! - A commit that fails costs nobody else anything: the database, which takes nothing any more after an error of its
//!   file, is opened again, and the commit is tried once more.
//!
//! Deliberately not here: reading single records. The cloud keeps everything in memory and reads the store once,
//! when it opens.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use parking_lot::Mutex;
use redb::backends::FileBackend;
use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;

use crate::backup::{Backup, Restore};
use crate::instance::Instance;
use crate::task::Task;

/// The metadata store.
pub struct Store {
    medium: Medium,
    /// The directory that it lies in, for what lies beside it.
    directory: Option<PathBuf>,
}

/// Everything in the store, each list in the order of creation.
#[derive(Debug, Default)]
pub struct Contents {
    /// The instances.
    pub instances: Vec<Instance>,
    /// The tasks.
    pub tasks: Vec<Task>,
    /// What providers keep besides, by name.
    pub notes: BTreeMap<String, Vec<u8>>,
    /// The backups.
    pub backups: Vec<Backup>,
    /// The restores.
    pub restores: Vec<Restore>,
}

/// What one commit changes, all of it or nothing.
#[derive(Debug, Default)]
pub struct Change {
    /// Instances that are new or different.
    pub put_instances: Vec<Arc<Instance>>,
    /// Ids of instances that are gone.
    pub remove_instances: Vec<String>,
    /// Tasks that are new or different.
    pub put_tasks: Vec<Arc<Task>>,
    /// Ids of tasks that are gone.
    pub remove_tasks: Vec<String>,
    /// Notes of providers, by name; `None` for one that is gone.
    pub notes: Vec<(String, Option<Vec<u8>>)>,
    /// Backups that are new or different.
    pub put_backups: Vec<Arc<Backup>>,
    /// Ids of backups that are gone.
    pub remove_backups: Vec<String>,
    /// Restores that are new or different.
    pub put_restores: Vec<Arc<Restore>>,
    /// Ids of restores that are gone.
    pub remove_restores: Vec<String>,
}

/// Why the store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory cannot be made, or the file in it cannot be opened.
    #[error("{path}: {source}", path = path.display())]
    Unusable {
        /// The directory or file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// Something that is no directory is in its place.
    #[error("{path} is no directory", path = .0.display())]
    NoDirectory(PathBuf),
    /// Another process has it open.
    #[error("{path} is in use by another process", path = .0.display())]
    InUse(PathBuf),
    /// The file is not a store, or is damaged.
    #[error("{path} is not a store of this program: {reason}", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A later version wrote it.
    #[error("{path} was written by a later version of this program (its format is {found}, known is {FORMAT})", path = path.display())]
    Later {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u64,
    },
}

/// Why a change is not in the store.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CommitError {
    /// The database did not take it.
    #[error("the metadata store cannot be written: {0}")]
    Database(Arc<redb::Error>),
    /// The store is closed.
    #[error("the metadata store is closed")]
    Closed,
}

enum Medium {
    Nowhere,
    /// `None` once it is closed.
    File(Mutex<Option<Writer>>),
}

struct Writer {
    requests: mpsc::Sender<Request>,
    thread: JoinHandle<()>,
}

/// The database and the file that it is opened from: again, after an error of the file.
struct Journal<F> {
    open: F,
    /// `None` while it cannot be opened.
    database: Option<Database>,
}

struct Request {
    change: Change,
    done: oneshot::Sender<Result<(), CommitError>>,
}

/// The file's name in the data directory.
const FILE: &str = "carnelian.redb";

/// The format that this version writes and reads.
const FORMAT: u64 = 1;

const INSTANCES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("instances");
const TASKS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("tasks");
const NOTES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("notes");
const BACKUPS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("backups");
const RESTORES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("restores");
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");

impl Store {
    /// A store that keeps nothing.
    pub fn nowhere() -> (Self, Contents) {
        (Store { medium: Medium::Nowhere, directory: None }, Contents::default())
    }

    /// The store in `directory`, made if it is not there, and what it holds.
    pub fn open(directory: &Path) -> Result<(Self, Contents), OpenError> {
        let unusable = |path: &Path| {
            let path = path.to_owned();
            move |source| OpenError::Unusable { path, source }
        };
        fs::create_dir_all(directory).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
                OpenError::NoDirectory(directory.to_owned())
            }
            _ => unusable(directory)(error),
        })?;
        let path = directory.join(FILE);
        let file = open_private(&path).map_err(unusable(&path))?;
        Store::open_from(&path, move || FileBackend::new(file.try_clone()?))
    }

    /// The store at `path`, whose storage `open` opens.
    fn open_from<B: StorageBackend>(
        path: &Path,
        open: impl Fn() -> Result<B, DatabaseError> + Send + 'static,
    ) -> Result<(Self, Contents), OpenError> {
        let open = move || open().and_then(|backend| Database::builder().create_with_backend(backend));
        let database = open().map_err(|error| open_error(path, error))?;
        let contents = read(&database, path)?;
        let (requests, receiver) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || Journal { open, database: Some(database) }.write_until_closed(&receiver))
            .map_err(|source| OpenError::Unusable { path: path.to_owned(), source })?;
        let medium = Medium::File(Mutex::new(Some(Writer { requests, thread })));
        Ok((Store { medium, directory: path.parent().map(Path::to_owned) }, contents))
    }

    /// The directory that it lies in, if anywhere.
    pub fn directory(&self) -> Option<&Path> {
        self.directory.as_deref()
    }

    /// Makes a change; the future waits until it is on disk. The place in the order of changes is taken at once, so
    /// whoever holds a lock meanwhile has changes made in the order of the lock.
    pub fn commit(&self, change: Change) -> impl Future<Output = Result<(), CommitError>> + Send + use<> {
        let outcome = self.ask(change);
        async move {
            match outcome? {
                Some(outcome) => outcome.await.unwrap_or(Err(CommitError::Closed)),
                None => Ok(()),
            }
        }
    }

    /// What tells how a change has gone; nothing where nothing is kept.
    fn ask(&self, change: Change) -> Result<Option<oneshot::Receiver<Result<(), CommitError>>>, CommitError> {
        let Medium::File(writer) = &self.medium else { return Ok(None) };
        let (done, outcome) = oneshot::channel();
        match &*writer.lock() {
            Some(writer) => {
                writer.requests.send(Request { change, done }).map_err(|_| CommitError::Closed)?;
                Ok(Some(outcome))
            }
            None => Err(CommitError::Closed),
        }
    }

    /// Waits until everything that was asked for is on disk, and closes the file.
    pub fn close(&self) {
        let Medium::File(writer) = &self.medium else { return };
        let Some(Writer { requests, thread }) = writer.lock().take() else { return };
        drop(requests);
        if thread.join().is_err() {
            tracing::error!("the metadata store's thread panicked");
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.close();
    }
}

impl Change {
    /// A change to one instance and one task.
    pub(crate) fn put(instance: &Arc<Instance>, task: &Arc<Task>) -> Self {
        Change { put_instances: vec![instance.clone()], put_tasks: vec![task.clone()], ..Change::default() }
    }
}

/// Opens a file that nobody but its owner can read.
fn open_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn open_error(path: &Path, error: DatabaseError) -> OpenError {
    let path = path.to_owned();
    match error {
        DatabaseError::DatabaseAlreadyOpen => OpenError::InUse(path),
        DatabaseError::Storage(redb::StorageError::Io(source)) => {
            // Too short to be a database, or not beginning like one.
            if matches!(source.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) {
                OpenError::Damaged { path, reason: source.to_string() }
            } else {
                OpenError::Unusable { path, source }
            }
        }
        error => OpenError::Damaged { path, reason: error.to_string() },
    }
}

fn read(database: &Database, path: &Path) -> Result<Contents, OpenError> {
    let contents = try_read(database)
        .map_err(|reason| OpenError::Damaged { path: path.to_owned(), reason: reason.to_string() })?;
    match contents {
        Ok(contents) => Ok(contents),
        Err(found) => Err(OpenError::Later { path: path.to_owned(), found }),
    }
}

/// The contents, or the format if it is a later one.
fn try_read(database: &Database) -> Result<Result<Contents, u64>, Box<dyn std::error::Error>> {
    let transaction = database.begin_read()?;
    let format = match transaction.open_table(META) {
        Ok(meta) => meta.get("format")?.map_or(0, |format| format.value()),
        // A new database has no tables.
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Ok(Contents::default())),
        Err(error) => return Err(error.into()),
    };
    if format > FORMAT {
        return Ok(Err(format));
    }
    let mut contents = Contents {
        instances: read_table::<Instance>(&transaction.open_table(INSTANCES)?)?,
        tasks: read_table::<Task>(&transaction.open_table(TASKS)?)?,
        notes: BTreeMap::new(),
        backups: read_later_table::<Backup>(&transaction, BACKUPS)?,
        restores: read_later_table::<Restore>(&transaction, RESTORES)?,
    };
    match transaction.open_table(NOTES) {
        Ok(notes) => {
            for row in notes.iter()? {
                let (name, note) = row?;
                contents.notes.insert(name.value().to_owned(), note.value().to_vec());
            }
        }
        // An earlier version wrote the file.
        Err(redb::TableError::TableDoesNotExist(_)) => {}
        Err(error) => return Err(error.into()),
    }
    contents.instances.sort_by_key(|instance| instance.sequence);
    contents.tasks.sort_by_key(|task| task.sequence);
    contents.backups.sort_by_key(|backup| backup.sequence);
    contents.restores.sort_by_key(|restore| restore.sequence);
    Ok(Ok(contents))
}

fn read_table<T: DeserializeOwned>(
    table: &impl ReadableTable<&'static str, &'static [u8]>,
) -> Result<Vec<T>, Box<dyn std::error::Error>> {
    let mut records = Vec::new();
    for row in table.iter()? {
        records.push(serde_json::from_slice(row?.1.value())?);
    }
    Ok(records)
}

/// The same of a table that stores of earlier versions do not have.
fn read_later_table<T: DeserializeOwned>(
    transaction: &redb::ReadTransaction,
    table: TableDefinition<'static, &'static str, &'static [u8]>,
) -> Result<Vec<T>, Box<dyn std::error::Error>> {
    match transaction.open_table(table) {
        Ok(table) => read_table(&table),
        Err(redb::TableError::TableDoesNotExist(_)) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

impl<F: Fn() -> Result<Database, DatabaseError>> Journal<F> {
    fn write_until_closed(mut self, requests: &mpsc::Receiver<Request>) {
        while let Ok(first) = requests.recv() {
            let group: Vec<_> = std::iter::once(first).chain(requests.try_iter()).collect();
            let outcome = self.write(&group).map_err(|error| CommitError::Database(Arc::new(error)));
            for request in group {
                // Nobody may be waiting any more; the change is made all the same.
                let _ = request.done.send(outcome.clone());
            }
        }
    }

    /// Makes the changes, on the second attempt if need be. That the first may have made them does not matter, since
    /// they say what is to be, not what is to be done.
    fn write(&mut self, group: &[Request]) -> Result<(), redb::Error> {
        let changes = || group.iter().map(|request| &request.change);
        if let Some(database) = &self.database {
            match write(database, changes()) {
                Ok(()) => return Ok(()),
                Err(error) => tracing::warn!(%error, "the metadata store is opened again"),
            }
        }
        // The file is let go first: it can be opened once at a time.
        self.database = None;
        let database = self.database.insert((self.open)()?);
        let outcome = write(database, changes());
        if outcome.is_err() {
            self.database = None;
        }
        outcome
    }
}

fn write<'a>(database: &Database, changes: impl Iterator<Item = &'a Change>) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    {
        transaction.open_table(META)?.insert("format", FORMAT)?;
        let mut instances = transaction.open_table(INSTANCES)?;
        let mut tasks = transaction.open_table(TASKS)?;
        let mut notes = transaction.open_table(NOTES)?;
        let mut backups = transaction.open_table(BACKUPS)?;
        let mut restores = transaction.open_table(RESTORES)?;
        for change in changes {
            for instance in &change.put_instances {
                instances.insert(instance.id.as_str(), encode(instance.as_ref()).as_slice())?;
            }
            for id in &change.remove_instances {
                instances.remove(id.as_str())?;
            }
            for task in &change.put_tasks {
                tasks.insert(task.id.as_str(), encode(task.as_ref()).as_slice())?;
            }
            for id in &change.remove_tasks {
                tasks.remove(id.as_str())?;
            }
            for (name, note) in &change.notes {
                match note {
                    Some(note) => notes.insert(name.as_str(), note.as_slice())?,
                    None => notes.remove(name.as_str())?,
                };
            }
            for backup in &change.put_backups {
                backups.insert(backup.id.as_str(), encode(backup.as_ref()).as_slice())?;
            }
            for id in &change.remove_backups {
                backups.remove(id.as_str())?;
            }
            for restore in &change.put_restores {
                restores.insert(restore.id.as_str(), encode(restore.as_ref()).as_slice())?;
            }
            for id in &change.remove_restores {
                restores.remove(id.as_str())?;
            }
        }
    }
    transaction.commit()?;
    Ok(())
}

fn encode(record: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(record).expect("records have text keys and finite numbers")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::instance::{Status, tests::order};
    use crate::password::Tries;
    use crate::task;

    fn instance(id: &str, sequence: u64) -> Arc<Instance> {
        Arc::new(Instance {
            id: id.to_owned(),
            sequence,
            order: order(id),
            status: Status::Running,
            fault: None,
            port: Some(6379),
            node_ports: Vec::new(),
            created_at_ms: 1,
            launched_at_ms: Some(2),
            updated_at_ms: None,
            task: None,
            changes: Vec::new(),
            tries: Tries::default(),
            whitelist: crate::whitelist::Whitelist::default(),
        })
    }

    fn task(id: &str) -> Arc<Task> {
        Arc::new(Task {
            id: id.to_owned(),
            sequence: 9,
            project_id: "p".to_owned(),
            instance_id: "a".to_owned(),
            instance_sequence: 1,
            instance_name: "a".to_owned(),
            kind: task::Kind::Create,
            state: task::State::Succeeded,
            created_at_ms: 1,
            duration_ms: 0,
            finished_at_ms: Some(1),
            details: task::Details::default(),
        })
    }

    #[tokio::test]
    async fn what_was_committed_is_there_after_opening_again() {
        let directory = tempfile::tempdir().unwrap();
        let (store, contents) = Store::open(directory.path()).unwrap();
        assert!(contents.instances.is_empty() && contents.tasks.is_empty());
        // The ids sort against the order of creation.
        store.commit(Change::put(&instance("b", 1), &task("t"))).await.unwrap();
        store.commit(Change::put(&instance("a", 2), &task("u"))).await.unwrap();
        let removal = Change { remove_tasks: vec!["u".to_owned()], ..Change::default() };
        store.commit(removal).await.unwrap();
        drop(store);
        let (store, contents) = Store::open(directory.path()).unwrap();
        assert_eq!(contents.instances, [(*instance("b", 1)).clone(), (*instance("a", 2)).clone()]);
        assert_eq!(contents.tasks, [(*task("t")).clone()]);
        let removal = Change { remove_instances: vec!["b".to_owned()], ..Change::default() };
        store.commit(removal).await.unwrap();
        drop(store);
        assert_eq!(Store::open(directory.path()).unwrap().1.instances.len(), 1);
    }

    #[tokio::test]
    async fn many_commits_at_once_all_arrive() {
        let directory = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(directory.path()).unwrap();
        let store = Arc::new(store);
        let commits: Vec<_> = (0..200)
            .map(|number| {
                let store = store.clone();
                let change = Change::put(&instance(&format!("i{number}"), number), &task("t"));
                tokio::spawn(async move { store.commit(change).await })
            })
            .collect();
        for commit in commits {
            commit.await.unwrap().unwrap();
        }
        drop(store);
        assert_eq!(Store::open(directory.path()).unwrap().1.instances.len(), 200);
    }

    #[test]
    fn what_cannot_be_opened_says_why() {
        let directory = tempfile::tempdir().unwrap();
        let (_open, _) = Store::open(directory.path()).unwrap();
        assert!(matches!(Store::open(directory.path()), Err(OpenError::InUse(_))));

        let damaged = tempfile::tempdir().unwrap();
        fs::write(damaged.path().join(FILE), b"this is not a database").unwrap();
        assert!(matches!(Store::open(damaged.path()), Err(OpenError::Damaged { .. })));

        let file = damaged.path().join(FILE);
        assert!(matches!(Store::open(&file), Err(OpenError::NoDirectory(path)) if path == file));
        assert!(matches!(Store::open(&file.join("below")), Err(OpenError::NoDirectory(_))));
    }

    #[test]
    fn a_later_format_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(directory.path()).unwrap();
        drop(store);
        let database = Database::create(directory.path().join(FILE)).unwrap();
        let transaction = database.begin_write().unwrap();
        transaction.open_table(META).unwrap().insert("format", FORMAT + 1).unwrap();
        transaction.commit().unwrap();
        drop(database);
        let Err(error) = Store::open(directory.path()) else { panic!("a later format was read") };
        assert!(matches!(error, OpenError::Later { found, .. } if found == FORMAT + 1));
    }

    /// A file on a disk that is full, or at which something else is wrong, for as long as it is told so.
    #[derive(Debug)]
    struct Failing {
        file: FileBackend,
        full: Arc<AtomicBool>,
    }

    impl Failing {
        fn check(&self) -> io::Result<()> {
            let full = self.full.load(Ordering::SeqCst);
            if full { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
        }
    }

    impl StorageBackend for Failing {
        fn len(&self) -> io::Result<u64> {
            self.file.len()
        }

        fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
            self.file.read(offset, out)
        }

        fn set_len(&self, len: u64) -> io::Result<()> {
            self.check()?;
            self.file.set_len(len)
        }

        fn sync_data(&self) -> io::Result<()> {
            self.check()?;
            self.file.sync_data()
        }

        fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
            self.check()?;
            self.file.write(offset, data)
        }

        fn close(&self) -> io::Result<()> {
            self.file.close()
        }
    }

    #[tokio::test]
    async fn a_store_works_again_when_its_disk_does() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE);
        let (file, full) = (open_private(&path).unwrap(), Arc::new(AtomicBool::new(false)));
        let open = {
            let full = full.clone();
            move || Ok(Failing { file: FileBackend::new(file.try_clone()?)?, full: full.clone() })
        };
        let (store, _) = Store::open_from(&path, open).unwrap();
        store.commit(Change::put(&instance("a", 1), &task("t"))).await.unwrap();
        full.store(true, Ordering::SeqCst);
        for id in ["b", "c"] {
            let refused = store.commit(Change::put(&instance(id, 2), &task("t"))).await;
            assert!(matches!(refused, Err(CommitError::Database(_))), "{refused:?}");
        }
        full.store(false, Ordering::SeqCst);
        store.commit(Change::put(&instance("d", 3), &task("t"))).await.unwrap();
        store.commit(Change::put(&instance("e", 4), &task("t"))).await.unwrap();
        drop(store);
        let (_, contents) = Store::open(directory.path()).unwrap();
        let ids: Vec<_> = contents.instances.iter().map(|instance| instance.id.as_str()).collect();
        assert_eq!(ids, ["a", "d", "e"]);
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_the_file() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let _store = Store::open(directory.path()).unwrap();
        let mode = fs::metadata(directory.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[tokio::test]
    async fn nowhere_takes_everything() {
        let (store, _) = Store::nowhere();
        store.commit(Change::put(&instance("a", 1), &task("t"))).await.unwrap();
    }
}
