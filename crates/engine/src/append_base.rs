//! A base of commands: the keys of a file as commands that make them (`aof-use-rdb-preamble no`, and release 3.0).

use crate::append_file::note_of_time;
use crate::{Node, append_commands};
use rdb::{Event, FileReader, Limits, Reader};
use std::io::{self, Read, Write};
use std::sync::atomic::Ordering;

/// Reads a file of keys that this node has written, and writes commands that make them.
pub(crate) fn write_commands(node: &Node, keys: impl Read, to: &mut impl Write) -> io::Result<()> {
    let version = crate::save::version(node.release);
    let mut reader = FileReader::new(Reader::new(version).without_checksum(), keys);
    let mut selected = None;
    if node.rewriting.notes_time.load(Ordering::Relaxed) {
        to.write_all(note_of_time(node.now_s()).as_bytes())?;
    }
    crate::libraries::write(node, to)?;
    let params = node.configuration.params(0);
    let limits = Limits { list: params.list, set: params.set, hash: params.hash, zset: params.zset };
    while let Some(event) = reader.next_event().map_err(io::Error::other)? {
        let Event::Key(key) = event else { continue };
        let database = key.database;
        let Some(entry) = key.entry(&limits).map_err(io::Error::other)? else { continue };
        if selected != Some(database) {
            selected = Some(database);
            append_commands::write_select(to, database)?;
        }
        append_commands::write(to, &entry, node.release)?;
    }
    Ok(())
}
