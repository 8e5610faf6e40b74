//! Writing all keys of a node as an RDB file.
//!
//! Two ways lead there. A [`Save`] begins with a cut, for which all shards are held for a moment, and is written by any
//! thread while commands go on. [`write_held`] writes while all shards stay held: for `DEBUG RELOAD`, and for `SAVE` in
//! a transaction.
//!
//! Not here: where the file lies ([`crate::saving`]), and when it is written.

use crate::Node;
use command::Release;
use keyspace::snapshot::Busy;
use keyspace::{Cut, Locked, Part, Snapshot};
use rdb::{Form, Library, Origin, Position, Version, Writer};
use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::atomic::Ordering::Relaxed;

/// The version of the format that a release writes; it reads none that are later.
pub fn version(release: Release) -> Version {
    match release {
        Release::V3_0 => Version::V6,
        Release::V4_0 => Version::V8,
        Release::V5_0 | Release::V6_2 => Version::V9,
        Release::V7_0 => Version::V10,
        Release::V7_4 => Version::V12,
    }
}

/// A snapshot that is to be written. Until it is, commands save what they change.
#[derive(Debug)]
pub struct Save {
    cut: Cut,
    form: Form,
    libraries: Vec<Library<'static>>,
    /// Whether commands are going to follow that were run since the cut.
    pub is_aof_base: bool,
    /// Where in the replication stream the cut is: the selected database, the id, the offset.
    pub position: Option<(i64, String, i64)>,
}

/// Why a file has not been written.
#[derive(Debug)]
pub enum Failure {
    /// It could not be.
    Io(io::Error),
    /// It is not wanted any more.
    Cancelled,
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Io(error)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Io(error) => error.fmt(f),
            Failure::Cancelled => f.write_str("it is not wanted any more"),
        }
    }
}

impl Node {
    /// How files of this node are written.
    pub fn form(&self) -> Form {
        Form {
            version: version(self.release),
            compresses: self.settings.rdb_compresses.load(Relaxed),
            has_checksum: self.settings.rdb_has_checksum.load(Relaxed),
        }
    }
}

impl Save {
    /// Begins a snapshot of the keys as they are now; all shards must be held.
    ///
    /// # Errors
    /// [`Busy`], if there is one already.
    pub fn begin(node: &Node, held: &mut Locked<'_>, now_ms: i64) -> Result<Save, Busy> {
        let form = node.form();
        let cut = held.cut(now_ms, form)?;
        let libraries = node.libraries.lock().clone();
        let position =
            node.place().map(|place| (place.db.into(), place.id.to_string(), place.offset.cast_signed()));
        Ok(Save { cut, form, libraries, is_aof_base: false, position })
    }

    /// The same with a checksum at the end of the file, whatever the configuration says.
    #[must_use]
    pub(crate) fn with_checksum(mut self) -> Self {
        self.form.has_checksum = true;
        self
    }

    /// Ends the snapshot without writing it.
    pub fn abandon(self, node: &Node) {
        drop(Snapshot::of(&node.keyspace, self.cut));
    }

    /// The same file without any keys.
    ///
    /// # Errors
    /// Those of writing.
    pub fn write_without_keys<W: Write>(&self, node: &Node, to: W) -> io::Result<W> {
        let mut writer = Writer::new(to, self.form);
        begin_file(node, &mut writer, self.place(), false, &self.libraries)?;
        writer.finish()
    }

    fn place(&self) -> Option<Position<'_>> {
        let (database, id, offset) = self.position.as_ref()?;
        Some(Position { database: *database, id, offset: *offset })
    }

    /// Writes the snapshot, as long as `goes_on` says so, and gives back what it was written to. It takes the shards in
    /// turn, so the thread must hold none. `to` needs no buffer.
    ///
    /// # Errors
    /// [`Failure`]; what has been written until then is no complete file.
    pub fn write<W: Write>(
        self,
        node: &Node,
        to: W,
        mut goes_on: impl FnMut(u64) -> bool,
    ) -> Result<W, Failure> {
        let mut snapshot = Snapshot::of(&node.keyspace, self.cut);
        let mut writer = Writer::new(to, self.form);
        let position = self.position.as_ref();
        let position =
            position.map(|(database, id, offset)| Position { database: *database, id, offset: *offset });
        begin_file(node, &mut writer, position, self.is_aof_base, &self.libraries)?;
        // Keys that commands have saved may be of any database, so each may come more than once.
        let (mut sizes, mut at) = (HashMap::new(), None);
        let mut put = |part: Part<'_>| {
            let (number, records) = match part {
                Part::Database(number, stats) => {
                    sizes.insert(number, (stats.keys as u64, stats.volatile as u64));
                    return Ok(());
                }
                Part::Records(number, records) => (number, records),
            };
            if at != Some(number) {
                at = Some(number);
                let (keys, expiring) = sizes.get(&number).copied().unwrap_or_default();
                writer.database(number.into(), keys, expiring)?;
            }
            writer.records(records)
        };
        let mut steps = 0;
        while snapshot.step(&mut put)? {
            steps += 1;
            if !goes_on(steps) {
                return Err(Failure::Cancelled);
            }
        }
        drop(snapshot);
        Ok(writer.finish()?)
    }
}

/// Writes all keys while all shards are held, and gives back what they were written to.
///
/// # Errors
/// Those of writing.
pub fn write_held<W: Write>(node: &Node, held: &Locked<'_>, to: W) -> io::Result<W> {
    debug_assert!(held.holds_all());
    let mut writer = Writer::new(to, node.form());
    begin_file(node, &mut writer, None, false, &node.libraries.lock())?;
    let now_ms = node.host.wall_us().div_euclid(1000);
    for db in 0..held.dbs() {
        let stats = held.stats(db);
        if stats.keys == 0 {
            continue;
        }
        writer.database(db.into(), stats.keys as u64, stats.volatile as u64)?;
        for shard in held.iter() {
            for entry in shard.iter(db) {
                writer.entry(&entry, keyspace::snapshot::access_of(shard.params(), &entry, now_ms))?;
            }
        }
    }
    writer.finish()
}

fn begin_file<W: Write>(
    node: &Node,
    writer: &mut Writer<W>,
    position: Option<Position<'_>>,
    is_aof_base: bool,
    libraries: &[Library<'_>],
) -> io::Result<()> {
    writer.origin(&Origin {
        release: &node.release.version().to_string(),
        created_s: node.now_s(),
        used_memory_bytes: node.used_bytes() as u64,
        position,
        is_aof_base,
    })?;
    libraries.iter().try_for_each(|library| writer.library(library))
}
