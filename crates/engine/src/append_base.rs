//! A base of commands: the keys of a file as commands that make them (`aof-use-rdb-preamble no`, and release 3.0).

use crate::Node;
use rdb::{Event, FileReader, Limits, Reader};
use resp::Reply;
use std::io::{self, Read, Write};

/// Reads a file of keys that this node has written, and writes commands that make them.
pub(crate) fn write_commands(node: &Node, keys: impl Read, to: &mut impl Write) -> io::Result<()> {
    let version = crate::save::version(node.release);
    let mut reader = FileReader::new(Reader::new(version).without_checksum(), keys);
    let mut selected = None;
    let params = node.configuration.params(0);
    let limits = Limits { list: params.list, set: params.set, hash: params.hash, zset: params.zset };
    let mut out = Reply::default();
    while let Some(event) = reader.next_event().map_err(io::Error::other)? {
        let Event::Key(key) = event else { continue };
        let database = key.database;
        let Some(entry) = key.entry(&limits).map_err(io::Error::other)? else { continue };
        out.clear();
        if selected != Some(database) {
            selected = Some(database);
            command(&mut out, &[b"SELECT", database.to_string().as_bytes()]);
        }
        let mut payload = Vec::new();
        rdb::value(&mut payload, &entry, version, true);
        rdb::payload::seal(&mut payload, version);
        command(&mut out, &[b"RESTORE", structures::table::Item::key(&entry), b"0", &payload]);
        if let Some(at_ms) = entry.expire_at_ms() {
            let key = structures::table::Item::key(&entry);
            command(&mut out, &[b"PEXPIREAT", key, at_ms.to_string().as_bytes()]);
        }
        to.write_all(out.bytes())?;
    }
    Ok(())
}

fn command(out: &mut Reply, args: &[&[u8]]) {
    out.array(args.len());
    args.iter().for_each(|arg| out.bulk(arg));
}
