//! Where the files of nodes lie.

use std::path::{Path, PathBuf};

use cloud::data_plane::NodeId;

/// Where the files of nodes lie.
pub(crate) enum Files {
    /// Nowhere: nothing is written.
    Nowhere,
    /// In a directory of its own for each node, below this one. All nodes save when they end.
    Below(PathBuf),
    /// In this directory: there is one node. It saves when it ends if its rules say that it saves at all.
    In(PathBuf),
}

impl Files {
    /// Where those of one node lie, if it has any.
    pub(crate) fn of(&self, node: &NodeId) -> Option<PathBuf> {
        match self {
            Files::Nowhere => None,
            Files::Below(directory) => Some(directory.join("nodes").join(&node.0)),
            Files::In(directory) => Some(directory.clone()),
        }
    }
}

/// How many levels of directories an instance has: one for each server, and one for its append-only file.
const DEPTH: usize = 2;

/// Removes files that processes were writing when they were killed. The directory belongs to an instance that does not
/// run, so nobody is writing any of them.
pub(crate) fn remove_leftovers(directory: &Path) {
    remove_leftovers_below(directory, DEPTH);
}

fn remove_leftovers_below(directory: &Path, depth: usize) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() && depth > 0 {
            remove_leftovers_below(&path, depth - 1);
        } else if entry.file_name().to_str().is_some_and(engine::saving::is_leftover) {
            // It takes some room, and whether it can be removed makes no difference.
            let _ = std::fs::remove_file(&path);
        }
    }
}
