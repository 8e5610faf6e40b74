//! What lies in the directory of a Redis node, and how it is divided among its servers. A directory says so itself: whoever
//! starts again after a process was killed may have been promised another form than the files are in.
//!
//! Beside the directory there may be a *reserve*: all keys in files that are complete in themselves. While it is there it
//! counts, and whatever the directory holds does not.
//!
//! Not here: who makes one of the other ([`crate::renewal`]).

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use cloud::data_plane::NodeSpec;
use cloud::engine::Engine;
use cloud::topology::Topology;

/// The file of a directory that says how it is divided.
const FILE: &str = "layout";

/// How the files of a node are divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// One server has them.
    One,
    /// Each of so many shards behind a proxy has a directory.
    Shards(u32),
    /// Each node of a cluster has; how many there are the cluster remembers.
    Cluster,
}

impl Layout {
    /// That of a node which is what this says; nothing for Memcached, whose form has no part in it.
    pub(crate) fn of(node: &NodeSpec) -> Option<Layout> {
        match (node.engine, node.topology) {
            (Engine::Memcached, _) => None,
            (Engine::Redis, Topology::Single | Topology::MasterStandby) => Some(Layout::One),
            (Engine::Redis, Topology::Proxy) => Some(Layout::Shards(node.shards.max(1))),
            (Engine::Redis, Topology::Cluster) => Some(Layout::Cluster),
        }
    }

    /// That of a directory, if it says.
    pub(crate) fn read(directory: &Path) -> Option<Layout> {
        let text = fs::read_to_string(directory.join(FILE)).ok()?;
        match text.trim().split_once(' ') {
            None if text.trim() == "one" => Some(Layout::One),
            None if text.trim() == "cluster" => Some(Layout::Cluster),
            Some(("shards", count)) => Some(Layout::Shards(count.parse().ok().filter(|count| *count > 0)?)),
            _ => None,
        }
    }

    /// Has a directory say so.
    ///
    /// # Errors
    /// Those of the file system; then it says what it said.
    pub(crate) fn write(self, directory: &Path) -> io::Result<()> {
        let text = match self {
            Layout::One => "one\n".to_owned(),
            Layout::Shards(count) => format!("shards {count}\n"),
            Layout::Cluster => "cluster\n".to_owned(),
        };
        let draft = directory.join(format!("{FILE}.tmp"));
        fs::write(&draft, text)?;
        fs::rename(&draft, directory.join(FILE))
    }

    /// The same node as one whose files are divided so.
    pub(crate) fn apply(self, node: &NodeSpec) -> NodeSpec {
        let (topology, shards) = match self {
            Layout::One => (Topology::Single, 1),
            Layout::Shards(count) => (Topology::Proxy, count),
            Layout::Cluster => (Topology::Cluster, node.shards),
        };
        NodeSpec { topology, shards, copies: 1, ..node.clone() }
    }
}

/// The reserve of a node: where it lies if there is one.
#[derive(Clone, Debug)]
pub(crate) struct Reserve {
    complete: PathBuf,
    draft: PathBuf,
}

impl Reserve {
    /// That of the node whose files lie in this directory.
    pub(crate) fn beside(directory: &Path) -> Reserve {
        let beside = |what: &str| {
            let mut name = directory.file_name().unwrap_or_default().to_owned();
            name.push(what);
            directory.with_file_name(name)
        };
        Reserve { complete: beside(".reserve"), draft: beside(".draft") }
    }

    /// The files of keys or items in it, if it is there.
    pub(crate) fn files(&self) -> Option<Vec<PathBuf>> {
        let entries = fs::read_dir(&self.complete).ok()?;
        let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        files.retain(|path| {
            path.extension().is_some_and(|extension| extension == "rdb" || extension == "items")
        });
        Some(files)
    }

    /// Removes what a process was writing when it was killed.
    pub(crate) fn sweep(&self) {
        // It takes some room, and whether it can be removed makes no difference.
        let _ = remove_all(&self.draft);
    }

    /// An empty directory to which it is written.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn begin(&self) -> io::Result<PathBuf> {
        remove_all(&self.draft)?;
        fs::create_dir_all(&self.draft)?;
        Ok(self.draft.clone())
    }

    /// What has been written is the reserve from now on. It must be on the disk.
    ///
    /// # Errors
    /// Those of the file system; then there is none.
    pub(crate) fn complete(&self) -> io::Result<Vec<PathBuf>> {
        fs::rename(&self.draft, &self.complete)?;
        if let Some(parent) = self.complete.parent() {
            File::open(parent)?.sync_all()?;
        }
        Ok(self.files().unwrap_or_default())
    }

    /// Does away with it, all at once.
    ///
    /// # Errors
    /// Those of the file system; then it may still be there.
    pub(crate) fn remove(&self) -> io::Result<()> {
        remove_all(&self.draft)?;
        match fs::rename(&self.complete, &self.draft) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
            // It counts no more; that it takes some room makes no difference.
            Ok(()) => remove_all(&self.draft).or(Ok(())),
        }
    }
}

fn remove_all(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_says_how_it_is_divided() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(Layout::read(directory.path()), None);
        for layout in [Layout::One, Layout::Shards(12), Layout::Cluster] {
            layout.write(directory.path()).unwrap();
            assert_eq!(Layout::read(directory.path()), Some(layout));
        }
        for damaged in ["", "shards", "shards 0", "shards x", "two"] {
            fs::write(directory.path().join(FILE), damaged).unwrap();
            assert_eq!(Layout::read(directory.path()), None, "{damaged:?}");
        }
    }

    #[test]
    fn a_reserve_is_whole_or_not_there() {
        let below = tempfile::tempdir().unwrap();
        let reserve = Reserve::beside(&below.path().join("some-id"));
        assert_eq!(reserve.files(), None);
        reserve.remove().unwrap();
        fs::write(reserve.begin().unwrap().join("old.rdb"), "x").unwrap();
        let draft = reserve.begin().unwrap();
        assert_eq!(reserve.files(), None);
        for name in ["0.rdb", "1.rdb", "1.aof"] {
            fs::write(draft.join(name), "x").unwrap();
        }
        let mut names: Vec<_> = reserve.complete().unwrap();
        names.sort();
        assert_eq!(
            names,
            [below.path().join("some-id.reserve/0.rdb"), below.path().join("some-id.reserve/1.rdb")]
        );
        reserve.remove().unwrap();
        assert_eq!((reserve.files(), fs::read_dir(below.path()).unwrap().count()), (None, 0));
    }
}
