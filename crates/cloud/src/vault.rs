//! Where the files of backups lie: `backups/<instance>/<backup>/` below the data directory, or in a directory of the
//! system's temporary files that goes with the process.
//!
//! Invariant: whatever lies in the directory belongs to a backup that there is a record of, from when the cloud has been
//! opened.
//!
//! Deliberately not here: what is in the files.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use uuid::Uuid;

use crate::backup::{Backup, State};

/// The directory's name in the data directory.
const DIRECTORY: &str = "backups";
/// The file of the key that seals links.
const KEY: &str = "links.key";

/// Where the files of backups lie.
#[derive(Debug)]
pub struct Vault {
    root: Root,
    /// What seals links.
    key: OnceLock<Vec<u8>>,
}

#[derive(Debug)]
enum Root {
    Kept(PathBuf),
    /// Made when it is needed first.
    Temporary(OnceLock<PathBuf>),
}

impl Vault {
    /// Below a data directory; without one the files go with the vault.
    pub fn new(data: Option<&Path>) -> Self {
        let root = match data {
            Some(data) => Root::Kept(data.join(DIRECTORY)),
            None => Root::Temporary(OnceLock::new()),
        };
        Vault { root, key: OnceLock::new() }
    }

    /// The directory of all backups, if there is one yet.
    fn root(&self) -> Option<&Path> {
        match &self.root {
            Root::Kept(path) => Some(path),
            Root::Temporary(path) => path.get().map(PathBuf::as_path),
        }
    }

    /// The directory of a backup's files, which need not be there.
    pub(crate) fn directory_of(&self, backup: &Backup) -> Option<PathBuf> {
        Some(self.root()?.join(&backup.instance_id).join(&backup.id))
    }

    /// Makes an empty directory for the files of a backup. It may block the thread for as long as the disk takes.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn make(&self, backup: &Backup) -> io::Result<PathBuf> {
        if let Root::Temporary(path) = &self.root {
            path.get_or_init(|| std::env::temp_dir().join(format!("carnelian-{}", Uuid::new_v4())));
        }
        let directory = self.directory_of(backup).unwrap_or_default();
        remove(&directory)?;
        make_private(&directory)?;
        Ok(directory)
    }

    /// The key that seals links; it is made when it is needed first, and lies with the backups if they are kept.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn key(&self) -> io::Result<Vec<u8>> {
        if let Some(key) = self.key.get() {
            return Ok(key.clone());
        }
        let new = || [Uuid::new_v4(), Uuid::new_v4()].map(Uuid::into_bytes).concat();
        let key = match &self.root {
            Root::Temporary(_) => new(),
            Root::Kept(path) => {
                make_private(path)?;
                let file = path.join(KEY);
                match fs::read(&file) {
                    Ok(key) if !key.is_empty() => key,
                    _ => {
                        let key = new();
                        write_private(&file, &key)?;
                        key
                    }
                }
            }
        };
        Ok(self.key.get_or_init(|| key).clone())
    }

    /// Removes the files of a backup.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn remove(&self, backup: &Backup) -> io::Result<()> {
        self.directory_of(backup).map_or(Ok(()), |directory| remove(&directory))
    }

    /// Removes the files of all backups of an instance.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn remove_all(&self, instance_id: &str) -> io::Result<()> {
        self.root().map_or(Ok(()), |root| remove(&root.join(instance_id)))
    }

    /// Removes what belongs to none of these backups: it was written when a process was killed.
    pub(crate) fn sweep<'a>(&self, backups: impl Iterator<Item = &'a Backup>) {
        let Some(root) = self.root() else { return };
        let known: HashSet<PathBuf> = backups
            .filter(|backup| backup.state == State::Succeeded)
            .map(|backup| root.join(&backup.instance_id).join(&backup.id))
            .collect();
        for instance in children(root) {
            let own = children(&instance);
            let (kept, left): (Vec<_>, Vec<_>) = own.into_iter().partition(|path| known.contains(path));
            let gone = if kept.is_empty() { vec![instance] } else { left };
            for path in gone {
                if let Err(error) = remove(&path) {
                    tracing::warn!("{} cannot be removed: {error}", path.display());
                }
            }
        }
    }

    /// Removes files that are to go with the process.
    pub(crate) fn close(&self) {
        if let Root::Temporary(path) = &self.root
            && let Some(path) = path.get()
            && let Err(error) = remove(path)
        {
            tracing::warn!("{} cannot be removed: {error}", path.display());
        }
    }
}

impl Drop for Vault {
    fn drop(&mut self) {
        self.close();
    }
}

fn children(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

fn remove(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Writes a file that nobody but its owner can read.
fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    io::Write::write_all(&mut options.open(path)?, bytes)
}

/// Makes a directory, and those above it, that nobody but its owner can read.
fn make_private(directory: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}
