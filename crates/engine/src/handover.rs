//! The files of a node go over to another one, which takes its place.
//!
//! What is acknowledged has to be there afterwards, so the first node ends its part while all its shards are held, at a moment
//! when the other has everything ([`Node::retire`]): commands that were let in before and have not got their shards yet,
//! on whichever thread, do not run.
//!
//! An append-only file that holds just the keys that the other node has is continued by it: whatever has been put on
//! the disk stays there, whenever the process is killed. For that the first node ends its changes at a moment when the
//! other has all of them ([`Node::end_changes`]). Otherwise the file begins anew with the keys of the other node.
//!
//! Not here: who takes whose place, and when.

use crate::Node;
use crate::feed::Audience;
use crate::node::Gates;
use keyspace::Locked;
use std::path::PathBuf;

impl Node {
    /// Runs no commands any more, whatever let them in: another node takes its place, as things are now. All shards must
    /// be held.
    pub fn retire(&self, held: &Locked<'_>) {
        debug_assert!(held.holds_all());
        self.set_gates(Gates::RETIRED, true);
    }

    /// Appends no more; all shards must be held. Whether the append-only file holds the keys as they are now, as soon as
    /// the node has given its files up.
    pub fn end_changes(&self, held: &Locked<'_>) -> bool {
        self.feed.detach(held, Audience::FILE);
        self.append_file.is_on() && self.rewriting.state().is_complete()
    }

    /// Writes no files any more: another node is going to have them. What is being written is given up, what has been
    /// appended is put on the disk; whether it is there. The thread must hold no shards.
    pub fn give_up_files(&self) -> bool {
        *self.directory.write() = None;
        self.cancel_save();
        let closed = self.close_append_file();
        if let Err(error) = &closed {
            self.host.log(&format!("the append-only file could not be ended: {error}"));
        }
        self.leave_append_files();
        closed.is_ok()
    }

    /// Has files in a directory from now on, in the place of a node that has given them up. If changes are to be
    /// appended they are, when this returns: to the file that is there, if it `continues` with the keys of this node, or
    /// to one that has been begun with them. The thread must hold no shards.
    pub fn take_files(&self, directory: PathBuf, continues: bool) {
        let text = directory.display().to_string();
        *self.directory.write() = Some(directory);
        let parameters = self.configuration.parameters();
        let mut draft = self.configuration.draft();
        if let Some((_, row)) = parameters.find(b"dir")
            && draft.set(row, text.as_bytes()).is_ok()
        {
            let mut held = self.keyspace.lock_blocking(self.keyspace.all());
            self.configure(&mut held, draft, &[]);
        }
        self.look_at_rules();
        if continues && let Err(error) = self.continue_append_file() {
            self.host.log(&format!("the append-only file could not be continued: {error}"));
        }
        self.open_for_changes_now();
    }
}
