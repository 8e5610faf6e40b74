//! What a node begins with: the keys that were saved, or its append-only file.
//!
//! A file is loaded beside the keys that there are, and takes their place when all of it has proven sound.
//!
//! Not here: what is in a file ([`crate::load`], [`crate::append_load`]), and on which thread it is loaded.

use crate::load::{LoadError, Loading};
use crate::node::Gates;
use crate::{Node, Worker};
use keyspace::{Effects, Locked};
use std::fs::File;
use std::io::{self, Read};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// How far files have been loaded with which a node begins.
#[derive(Default)]
pub struct Progress {
    /// When it began, in s since the epoch.
    pub began_s: AtomicI64,
    /// What is to be loaded, in bytes.
    pub total_bytes: AtomicU64,
    /// How much of it has been read, in bytes.
    pub read_bytes: AtomicU64,
    /// What the keys took in memory where the file was written, if it says so, in bytes.
    pub used_bytes: AtomicU64,
}

impl Progress {
    /// Begins to load so many bytes.
    pub(crate) fn begin(&self, now_s: i64, total_bytes: u64) {
        self.began_s.store(now_s, Ordering::Relaxed);
        self.total_bytes.store(total_bytes, Ordering::Relaxed);
        self.read_bytes.store(0, Ordering::Relaxed);
    }

    /// Counts what is read from a file.
    pub(crate) fn count<R: Read>(&self, from: R) -> impl Read {
        Counted(from, self)
    }
}

struct Counted<'p, R>(R, &'p Progress);

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.0.read(buffer)?;
        self.1.read_bytes.fetch_add(len as u64, Ordering::Relaxed);
        Ok(len)
    }
}

impl Node {
    /// Whether there is something to be loaded.
    pub fn has_files(&self) -> bool {
        let has_keys = || self.file().is_some_and(|path| path.exists());
        self.has_directory() && (self.rewriting.is_wanted() || has_keys())
    }

    /// Loads the keys that the node had when it ended. The thread must hold no shards.
    ///
    /// # Errors
    /// Why they have not been loaded, in a sentence that names the file.
    pub fn load_files(&self, worker: &mut Worker) -> Result<(), String> {
        if self.rewriting.is_wanted() && self.has_directory() {
            return self.open_append_file(worker);
        }
        let name = self.file().map_or_else(String::new, |path| path.display().to_string());
        self.load_file(worker).map_err(|error| format!("{name} cannot be loaded: {error}"))
    }

    /// The node begins to serve: what there was has been loaded.
    pub fn open(&self) {
        self.set_gates(Gates::LOADING, false);
        self.open_for_changes();
    }

    /// Loads the keys that were saved, if there is a file. The thread must hold no shards.
    ///
    /// # Errors
    /// [`LoadError`]; then the node has the keys that it had.
    pub fn load_file(&self, worker: &mut Worker) -> Result<(), LoadError> {
        let Some(file) = self.open_file()? else { return Ok(()) };
        let all = self.keyspace.all();
        // A replica waits until its master says what has expired.
        let mut loading = Loading::begin(self, &self.keyspace.lock_blocking(all), self.follows());
        let progress = &self.saving.progress;
        progress.begin(self.now_s(), file.metadata().map_or(0, |data| data.len()));
        loading.read(self, progress.count(file))?;
        self.count_loaded(&loading);
        let place = loading.place();
        loading.replace(self, worker);
        if let Some(place) = place
            && (self.follows() || self.release >= command::Release::V7_0)
        {
            self.take_up(&self.keyspace.lock_blocking(all), place, self.now_s() * 1000);
        }
        Ok(())
    }

    /// Loads the keys from the file, or from `saved`, while all shards are held.
    ///
    /// # Errors
    /// [`LoadError`]
    pub(crate) fn reload(
        &self,
        held: &mut Locked<'_>,
        effects: &mut Effects,
        saved: Option<&[u8]>,
    ) -> Result<(), LoadError> {
        let mut loading = Loading::begin(self, held, false);
        match saved {
            Some(bytes) => _ = loading.read(self, bytes)?,
            None => {
                if let Some(file) = self.open_file()? {
                    loading.read(self, file)?;
                }
            }
        }
        self.count_loaded(&loading);
        loading.put_in_place(self, held, effects);
        Ok(())
    }

    fn open_file(&self) -> Result<Option<File>, LoadError> {
        let Some(path) = self.file() else { return Ok(None) };
        match File::open(path) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(LoadError::Read(error.into())),
        }
    }

    fn count_loaded(&self, loading: &Loading) {
        self.saving.count_loaded(loading.keys(), loading.expired);
    }
}
