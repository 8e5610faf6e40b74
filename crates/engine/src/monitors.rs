//! Clients that see all commands.

use crate::clients::Client;
use crate::node::{Gates, Node};
use crate::table::Entry;
use bytes::Bytes;
use command::Release;
use resp::Args;
use std::sync::Arc;
use structures::ranked::{RwLock, rank};

/// The clients of a node that see all commands.
#[derive(Debug, Default)]
pub struct Monitors(RwLock<Vec<Arc<Client>>, { rank::LISTENERS }>);

impl Monitors {
    /// Has a client see all commands.
    pub fn add(&self, node: &Node, client: &Arc<Client>) {
        self.0.write().push(Arc::clone(client));
        node.set_gates(Gates::MONITORS, true);
    }

    /// Has a client see no more commands.
    pub fn remove(&self, node: &Node, id: u64) {
        let mut all = self.0.write();
        all.retain(|client| client.id != id);
        if all.is_empty() {
            node.set_gates(Gates::MONITORS, false);
        }
    }

    /// Shows a command to all who want to see: time, database, client, and the arguments in quotes.
    pub fn show<'a>(&self, client: &Client, db: u32, args: impl Iterator<Item = &'a [u8]>, wall_us: i64) {
        let mut line = format!("+{}.{:06} [{db} {}]", wall_us / 1_000_000, wall_us % 1_000_000, client.peer)
            .into_bytes();
        for arg in args {
            line.push(b' ');
            quote(arg, &mut line);
        }
        line.extend_from_slice(b"\r\n");
        let line = Bytes::from(line);
        self.0.read().iter().for_each(|monitor| monitor.send(line.clone()));
    }
}

/// The arguments of a command as logs and monitors show them: without secrets.
pub(crate) fn shown<'a>(
    release: Release,
    entry: &'static Entry,
    args: Args<'a>,
) -> impl ExactSizeIterator<Item = &'a [u8]> {
    let hides = release >= Release::V6_2;
    args.iter().enumerate().map(move |(index, arg)| {
        if hides && entry.record.secrets.hide(index, |index| args.at(index)) { b"(redacted)" } else { arg }
    })
}

/// Appends bytes in double quotes, those that do not print as escapes.
pub fn quote(bytes: &[u8], line: &mut Vec<u8>) {
    line.push(b'"');
    for &byte in bytes {
        match byte {
            b'\\' | b'"' => line.extend_from_slice(&[b'\\', byte]),
            b'\n' => line.extend_from_slice(b"\\n"),
            b'\r' => line.extend_from_slice(b"\\r"),
            b'\t' => line.extend_from_slice(b"\\t"),
            0x07 => line.extend_from_slice(b"\\a"),
            0x08 => line.extend_from_slice(b"\\b"),
            b' '..=b'~' => line.push(byte),
            _ => line.extend_from_slice(format!("\\x{byte:02x}").as_bytes()),
        }
    }
    line.push(b'"');
}

#[cfg(test)]
mod tests {
    #[test]
    fn quotes_show_what_does_not_print() {
        let mut line = Vec::new();
        super::quote(b"a\"b\\\n\x00\xff\x07", &mut line);
        assert_eq!(line, br#""a\"b\\\n\x00\xff\a""#);
    }
}
