//! Loading an RDB file.
//!
//! Keys are loaded beside those that there are and take their place at once when the file has come to its end
//! ([`Loading::replace`]): a file that is damaged, or that somebody wants to harm with, leaves everything as it was.
//!
//! Not here: where the file lies ([`crate::saving`]).

use crate::execute::{Worker, settle};
use crate::replicas::Place;
use crate::{Node, save};
use keyspace::{Effects, Locked, Moment, Staging};
use rdb::{Event, FileReader, Key, Library, Limits, ModuleId, ReadError, Reader};
use replication::Id;
use std::io::Read;
use std::sync::atomic::Ordering::Relaxed;

/// Why a file is not loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It cannot be read, or it is damaged.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It has something that only a module can read.
    #[error("at byte {offset}: it has data of module '{module}', which is not there")]
    Module {
        /// How far the file was understood, in bytes.
        offset: u64,
        /// The module.
        module: ModuleId,
    },
    /// A key comes twice.
    #[error("at byte {offset}: key '{}' comes twice in database {database}", key.escape_ascii())]
    Twice {
        /// How far the file was understood, in bytes.
        offset: u64,
        /// The key.
        key: Box<[u8]>,
        /// Its database.
        database: u64,
    },
    /// A database has a number that the node's configuration does not know.
    #[error("at byte {offset}: there are only {most} databases, and the file has number {database}")]
    Database {
        /// How far the file was understood, in bytes.
        offset: u64,
        /// Its number.
        database: u64,
        /// How many there are.
        most: u32,
    },
}

/// Keys from a file that are to take the place of those of a node.
pub struct Loading {
    staging: Staging,
    limits: Limits,
    now_ms: i64,
    databases: u32,
    /// Whether keys are kept whose time is over: a replica waits until its master says that they have gone.
    keeps_expired: bool,
    /// Keys whose time was over.
    pub expired: u64,
    /// Libraries of functions.
    libraries: Vec<Library<'static>>,
    /// The place in a replication stream that the file tells of: id, offset, selected database.
    pub position: (Option<Box<[u8]>>, Option<i64>, Option<i64>),
}

impl Loading {
    /// No keys yet. Some shard must be held, and is not needed afterwards.
    pub fn begin(node: &Node, held: &Locked<'_>, keeps_expired: bool) -> Self {
        let params = held.iter().next().expect("a shard is held").params();
        let limits = Limits { list: params.list, set: params.set, hash: params.hash, zset: params.zset };
        Loading {
            staging: Staging::of(held),
            limits,
            now_ms: node.host.wall_us().div_euclid(1000),
            databases: node.settings.databases(),
            keeps_expired,
            expired: 0,
            libraries: Vec::new(),
            position: (None, None, None),
        }
    }

    /// The number of keys.
    pub fn keys(&self) -> u64 {
        self.staging.keys()
    }

    /// Reads a file of a release that is not later than the node's, to its end. Gives what is read from and what has
    /// been read of it beyond that end.
    ///
    /// # Errors
    /// [`LoadError`]
    pub fn read<R: Read>(&mut self, node: &Node, from: R) -> Result<(R, Vec<u8>), LoadError> {
        let mut reader = FileReader::new(self.reader(node), from);
        loop {
            let offset = reader.reader().offset();
            let Some(event) = reader.next_event()? else { break };
            if let Event::Aux { name, value } = &event
                && &**name == b"used-mem"
            {
                let number = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                node.saving.progress.used_bytes.store(number.unwrap_or(0), Relaxed);
            }
            self.take(offset, event)?;
        }
        let (reader, from) = reader.into_parts();
        Ok((from, reader.rest().to_vec()))
    }

    /// What reads a file of a release that is not later than the node's.
    pub fn reader(&self, node: &Node) -> Reader {
        let reader = Reader::new(save::version(node.release));
        let compares = node.settings.rdb_has_checksum.load(Relaxed);
        if compares { reader } else { reader.without_checksum() }
    }

    /// Takes the next part of a file; `offset` is where in the file it is about.
    ///
    /// # Errors
    /// [`LoadError`]
    pub fn take(&mut self, offset: u64, event: Event<'_>) -> Result<(), LoadError> {
        match event {
            Event::Key(key) => self.put(offset, key),
            Event::Library(library) => {
                self.libraries.push(library.into_owned());
                Ok(())
            }
            Event::ModuleAux(module) => Err(LoadError::Module { offset, module }),
            Event::Aux { name, value } => {
                let number = || std::str::from_utf8(&value).ok()?.parse().ok();
                match &*name {
                    b"repl-id" => self.position.0 = Some(value.as_ref().into()),
                    b"repl-offset" => self.position.1 = number(),
                    b"repl-stream-db" => self.position.2 = number(),
                    _ => {}
                }
                Ok(())
            }
            Event::Version(_) | Event::Database(_) | Event::Sizes { .. } | Event::Slot { .. } => Ok(()),
            Event::End { .. } => Ok(()),
        }
    }

    /// Takes a library of functions, unless it is there.
    pub(crate) fn take_library(&mut self, library: &Library<'_>) {
        if !self.libraries.contains(library) {
            self.libraries.push(library.clone().into_owned());
        }
    }

    fn put(&mut self, offset: u64, key: Key<'_>) -> Result<(), LoadError> {
        let (database, access) = (key.database, key.access);
        let number = u32::try_from(database).ok().filter(|&number| number < self.databases);
        let number = number.ok_or(LoadError::Database { offset, database, most: self.databases })?;
        if !self.keeps_expired && key.expire_at_ms.is_some_and(|at_ms| at_ms < self.now_ms) {
            self.expired += 1;
            return Ok(());
        }
        let Some(entry) = key.entry(&self.limits).map_err(ReadError::from)? else { return Ok(()) };
        if self.staging.put(self.now_ms, number, entry, access) {
            Ok(())
        } else {
            Err(LoadError::Twice { offset, key: key.name.as_ref().into(), database })
        }
    }

    /// The place in a stream that the file tells of.
    pub(crate) fn place(&self) -> Option<Place> {
        let (id, offset, db) = &self.position;
        let id = Id::parse(id.as_deref()?)?;
        let db = db.and_then(|db| u32::try_from(db).ok()).unwrap_or(0);
        Some(Place { id, offset: u64::try_from((*offset)?).ok()?, db })
    }

    /// Puts what has been loaded in the place of all that the node has; all shards must be held. What waits for keys
    /// that are there now is in the effects.
    pub fn put_in_place(self, node: &Node, held: &mut Locked<'_>, effects: &mut Effects) {
        held.replace(effects, self.staging);
        *node.libraries.lock() = self.libraries;
    }

    /// As [`Loading::put_in_place`], for a thread that serves no connections.
    pub fn replace(self, node: &Node, worker: &mut Worker) {
        let mut held = node.keyspace.lock_blocking(node.keyspace.all());
        worker.begin_command(node);
        let moment = Moment::at(self.now_ms);
        self.put_in_place(node, &mut held, &mut worker.effects);
        node.rewrite_replaced();
        drop(settle(node, held, worker, moment, None));
    }
}
