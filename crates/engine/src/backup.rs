//! Backups of a node: files that hold all its keys and are complete in themselves, and the way back.
//!
//! Where several nodes share the keys, each of them has a file; whatever the files say, a key that comes back goes to the
//! node that has its slot now.
//!
//! Invariants:
//! - Files have checksums, whatever the configuration says, and are compared with them.
//! - Nothing of any node is replaced before all of all files has proven sound.
//!
//! Not here: where the files lie, and who wants them.

use crate::append_base;
use crate::execute::{Worker, settle};
use crate::load::{LoadError, Loading};
use crate::node::Node;
use crate::save::{Failure, Save, version};
use keyspace::Moment;
use keyspace::slots::slot_of;
use rdb::{Event, FileReader, ReadError, Reader};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// While another snapshot is being taken, it is looked this often whether it has ended.
const LOOK_FOR_OTHER: Duration = Duration::from_millis(5);
/// So often it is looked whether an append-only file has begun anew.
const LOOKS_FOR_REWRITE: u32 = 12_000;

/// Why nothing has been restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// A file cannot be read, or is damaged.
    #[error("{path}: {error}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: LoadError,
    },
    /// Nobody has the slot of a key.
    #[error("slot {0} is served by nobody")]
    NoOwner(u16),
    /// A node is no master any more.
    #[error("a node has become a replica meanwhile")]
    Follows,
}

/// What files hold that is to take the place of what nodes have.
pub struct Restoring<'n> {
    nodes: &'n [Arc<Node>],
    loadings: Vec<Loading>,
}

impl Node {
    /// Writes all keys as they are at one moment to a new file, as long as `goes_on`; gives its length in bytes. The thread
    /// must hold no shards, and no connection may wait for it.
    ///
    /// # Errors
    /// [`Failure`]; what has been written until then is no complete file.
    pub fn back_up(&self, path: &Path, goes_on: impl Fn() -> bool) -> Result<u64, Failure> {
        let file = File::create_new(path)?;
        let mut save = loop {
            let mut held = self.keyspace.lock_blocking(self.keyspace.all());
            let now_ms = self.host.wall_us().div_euclid(1000);
            if let Ok(save) = Save::begin(self, &mut held, now_ms) {
                break save;
            }
            drop(held);
            if !goes_on() {
                return Err(Failure::Cancelled);
            }
            std::thread::sleep(LOOK_FOR_OTHER);
        };
        // Whoever is filled from it begins a stream of its own.
        save.position = None;
        let file = save.with_checksum().write(self, file, |_| goes_on())?;
        file.sync_all()?;
        Ok(file.metadata()?.len())
    }

    /// Writes commands to a new file that make the keys of a file that [`Node::back_up`] has written; gives its length in
    /// bytes.
    ///
    /// # Errors
    /// Those of reading and writing.
    pub fn write_as_commands(&self, keys: &Path, path: &Path) -> io::Result<u64> {
        let mut to = BufWriter::new(File::create_new(path)?);
        append_base::write_commands(self, File::open(keys)?, &mut to)?;
        to.flush()?;
        let file = to.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        Ok(file.metadata()?.len())
    }
}

impl Node {
    /// Saves all keys, if the node has a directory, as soon as no other snapshot is being taken, and waits until its
    /// append-only file has begun anew with them, if it has one; whether that has been done. The thread must hold no shards,
    /// and no connection may wait for it.
    pub fn keep(&self) -> bool {
        if !self.has_directory() {
            return true;
        }
        if !self.save_when_free().unwrap_or(false) {
            return false;
        }
        for _ in 0..LOOKS_FOR_REWRITE {
            if !self.append_file.is_on() || self.rewriting.state().is_complete() {
                return true;
            }
            std::thread::sleep(LOOK_FOR_OTHER);
        }
        false
    }
}

impl<'n> Restoring<'n> {
    /// Reads files that [`Node::back_up`] has written on nodes of the same release. The nodes, of which there is at least
    /// one, share the keys: `owner` says whose a slot is. The thread must hold no shards.
    ///
    /// # Errors
    /// [`RestoreError`]
    pub fn read(
        nodes: &'n [Arc<Node>],
        owner: impl Fn(u16) -> Option<usize>,
        files: &[PathBuf],
    ) -> Result<Self, RestoreError> {
        let begin = |node: &Arc<Node>| {
            let held = node.keyspace.lock_blocking(node.keyspace.all());
            Loading::begin(node, &held, false)
        };
        let mut restoring = Restoring { nodes, loadings: nodes.iter().map(begin).collect() };
        for path in files {
            restoring.read_file(&owner, path)?;
        }
        Ok(restoring)
    }

    fn read_file(&mut self, owner: &impl Fn(u16) -> Option<usize>, path: &Path) -> Result<(), RestoreError> {
        let failed = |error: LoadError| RestoreError::File { path: path.to_owned(), error };
        let file = File::open(path).map_err(|error| failed(ReadError::from(error).into()))?;
        let mut reader = FileReader::new(Reader::new(version(self.nodes[0].release)), file);
        loop {
            let offset = reader.reader().offset();
            let event = reader.next_event().map_err(|error| failed(error.into()))?;
            let Some(event) = event else { return Ok(()) };
            match event {
                Event::Key(key) if self.nodes.len() > 1 => {
                    let slot = slot_of(&key.name);
                    let own = owner(slot).ok_or(RestoreError::NoOwner(slot))?;
                    self.loadings[own].take(offset, Event::Key(key)).map_err(failed)?;
                }
                Event::Key(key) => self.loadings[0].take(offset, Event::Key(key)).map_err(failed)?,
                Event::Library(library) => {
                    for loading in &mut self.loadings {
                        loading.take_library(&library);
                    }
                }
                Event::ModuleAux(module) => {
                    return Err(failed(LoadError::Module { offset, module }));
                }
                _ => {}
            }
        }
    }

    /// Puts what has been read in the place of all that the nodes have. Their replicas are sent all of it.
    ///
    /// # Errors
    /// [`RestoreError::Follows`]
    pub fn replace(self, worker: &mut Worker) -> Result<(), RestoreError> {
        if self.nodes.iter().any(|node| node.follows()) {
            return Err(RestoreError::Follows);
        }
        for (node, loading) in self.nodes.iter().zip(self.loadings) {
            let mut held = node.keyspace.lock_blocking(node.keyspace.all());
            worker.begin(node);
            worker.begin_command(node);
            loading.put_in_place(node, &mut held, &mut worker.effects);
            node.rewrite_replaced();
            node.begin_stream_anew(&held);
            let moment = Moment::at(node.host.wall_us().div_euclid(1000));
            drop(settle(node, held, worker, moment, None));
        }
        Ok(())
    }
}
