//! Writing a file.
//!
//! What is written comes in this order: where the file is from, libraries, and for each database its number and sizes,
//! then its keys. Values are written member by member through a buffer; of a long string that is compressed there is
//! the compressed form beside it for a moment.
//!
//! Not here: which keys there are, and where the bytes go.

use crate::checksum::Checksum;
use crate::reader::SIGNATURE;
use crate::write::{Encoder, Sink};
use crate::{Access, EarlyLibrary, Key, Library, Version, code};
use std::io::{self, Write};
use structures::entry::Entry;
use structures::number::Decimal;
use structures::table::Item;

/// So many bytes are written at once.
const BUFFER_BYTES: usize = 64 << 10;
/// What 64-bit servers say of themselves.
const BITS: i64 = 64;

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// Its version: that of the release that writes it.
    pub version: Version,
    /// Whether strings are compressed where that saves something.
    pub compresses: bool,
    /// Whether it gets a checksum.
    pub has_checksum: bool,
}

/// Where a file is from; releases before 3.2 do not say it.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The release, as `INFO` calls it: `7.0.15`.
    pub release: &'a str,
    /// When the file is written, in s since the epoch.
    pub created_s: i64,
    /// What the server takes, in bytes.
    pub used_memory_bytes: u64,
    /// Where in the replication stream the file stands, for those that go on from there.
    pub position: Option<Position<'a>>,
    /// Whether commands are going to follow that were run since.
    pub is_aof_base: bool,
}

/// A place in a replication stream.
#[derive(Clone, Copy, Debug)]
pub struct Position<'a> {
    /// The database that is selected there.
    pub database: i64,
    /// The stream's id: forty characters.
    pub id: &'a str,
    /// How far it is, in bytes.
    pub offset: i64,
}

/// A file being written; see the module. If anything cannot be written, each later call fails, too. The file is complete
/// only after [`Writer::finish`].
pub struct Writer<W: Write> {
    form: Form,
    out: Output<W>,
}

/// A buffer before what is written to. What keeps it from being written is told later, since values are written by
/// closures that cannot fail; until then nothing is kept.
struct Output<W: Write> {
    to: W,
    buffer: Vec<u8>,
    /// If there is to be one.
    checksum: Option<Checksum>,
    /// How many bytes have gone to `to`.
    written: u64,
    failure: Option<io::Error>,
}

impl<W: Write> Writer<W> {
    /// Begins a file; `to` needs no buffer.
    pub fn new(to: W, form: Form) -> Self {
        let checksum = form.has_checksum.then(Checksum::new);
        let buffer = Vec::with_capacity(BUFFER_BYTES);
        let mut out = Output { to, buffer, checksum, written: 0, failure: None };
        out.put(SIGNATURE);
        out.put(format!("{:04}", form.version.0).as_bytes());
        Writer { form, out }
    }

    /// Says where the file is from, as a release of its version does.
    ///
    /// # Errors
    /// Those of writing.
    pub fn origin(&mut self, origin: &Origin<'_>) -> io::Result<()> {
        self.aux(b"redis-ver", origin.release.as_bytes())?;
        self.aux_number(b"redis-bits", BITS)?;
        self.aux_number(b"ctime", origin.created_s)?;
        self.aux_number(b"used-mem", origin.used_memory_bytes.cast_signed())?;
        if self.form.version < Version::V8 {
            return Ok(());
        }
        if let Some(position) = &origin.position {
            self.aux_number(b"repl-stream-db", position.database)?;
            self.aux(b"repl-id", position.id.as_bytes())?;
            self.aux_number(b"repl-offset", position.offset)?;
        }
        let name: &[u8] = if self.form.version < Version::V10 { b"aof-preamble" } else { b"aof-base" };
        self.aux_number(name, origin.is_aof_base.into())
    }

    /// Says something about the file. Nothing is written in versions before 7.
    ///
    /// # Errors
    /// Those of writing.
    pub fn aux(&mut self, name: &[u8], value: &[u8]) -> io::Result<()> {
        if self.form.version >= Version::V7 {
            let mut to = self.encoder();
            to.byte(code::AUX);
            to.string(name);
            to.string(value);
        }
        self.out.outcome()
    }

    fn aux_number(&mut self, name: &[u8], value: i64) -> io::Result<()> {
        self.aux(name, Decimal::new(value).as_bytes())
    }

    /// A library of functions, in the form that it was read in. Nothing is written in versions before 10.
    ///
    /// # Errors
    /// Those of writing.
    pub fn library(&mut self, library: &Library<'_>) -> io::Result<()> {
        if self.form.version >= Version::V10 {
            let mut to = self.encoder();
            match &library.early {
                None => to.byte(code::LIBRARY),
                Some(EarlyLibrary { name, engine, description }) => {
                    to.byte(code::LIBRARY_EARLY);
                    to.string(name);
                    to.string(engine);
                    to.number(description.is_some().into());
                    description.iter().for_each(|description| to.string(description));
                }
            }
            to.string(&library.code);
        }
        self.out.outcome()
    }

    /// Says that the keys that follow are of this database, and how many they are (from version 7 on): `expiring` of them
    /// expire.
    ///
    /// # Errors
    /// Those of writing.
    pub fn database(&mut self, database: u64, keys: u64, expiring: u64) -> io::Result<()> {
        let mut to = self.encoder();
        to.byte(code::DATABASE);
        to.number(database);
        if to.version >= Version::V7 {
            to.byte(code::SIZES);
            to.number(keys);
            to.number(expiring);
        }
        self.out.outcome()
    }

    /// Says that the keys that follow are of this slot of a cluster, and how many they are. Nothing is written in versions
    /// before 12.
    ///
    /// # Errors
    /// Those of writing.
    pub fn slot(&mut self, slot: u64, keys: u64, expiring: u64) -> io::Result<()> {
        if self.form.version >= Version::V12 {
            let mut to = self.encoder();
            to.byte(code::SLOT);
            [slot, keys, expiring].into_iter().for_each(|number| to.number(number));
        }
        self.out.outcome()
    }

    /// A key with its value, expiry, and how it was used (from version 9 on). Streams have a form from version 9 on.
    ///
    /// # Errors
    /// Those of writing.
    pub fn entry(&mut self, entry: &Entry, access: Option<Access>) -> io::Result<()> {
        self.encoder().entry(entry, access);
        self.out.outcome()
    }

    /// A key of a file of the same version, as it is there.
    ///
    /// # Errors
    /// Those of writing.
    pub(crate) fn copy(&mut self, key: &Key<'_>) -> io::Result<()> {
        let mut to = self.encoder();
        to.begin(key.expire_at_ms, key.access);
        to.byte(key.code);
        to.string(&key.name);
        to.bytes(&key.value);
        self.out.outcome()
    }

    /// Keys that [`record`] has written.
    ///
    /// # Errors
    /// Those of writing.
    pub fn records(&mut self, records: &[u8]) -> io::Result<()> {
        self.out.put(records);
        self.out.outcome()
    }

    /// What is written to. Behind what is there is still a buffer, unless the file is finished.
    pub fn sink(&mut self) -> &mut W {
        &mut self.out.to
    }

    /// How much has been written so far, what is in the buffer included, in bytes.
    pub fn written(&self) -> u64 {
        self.out.written + self.out.buffer.len() as u64
    }

    /// Ends the file and gives back what it was written to, flushed.
    ///
    /// # Errors
    /// Those of writing.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.put(&[code::END]);
        self.out.flush();
        let checksum = self.out.checksum.take();
        self.out.put(&checksum.map_or(0, |checksum| checksum.value()).to_le_bytes());
        self.out.flush();
        self.out.outcome()?;
        self.out.to.flush()?;
        Ok(self.out.to)
    }

    fn encoder(&mut self) -> Encoder<'_, Output<W>> {
        Encoder { out: &mut self.out, version: self.form.version, compresses: self.form.compresses }
    }
}

/// Writes a key with its value, expiry, and how it was used, as a file has it.
pub fn record(out: &mut Vec<u8>, entry: &Entry, access: Option<Access>, form: Form) {
    Encoder { out, version: form.version, compresses: form.compresses }.entry(entry, access);
}

impl<S: Sink> Encoder<'_, S> {
    fn entry(&mut self, entry: &Entry, access: Option<Access>) {
        self.begin(entry.expire_at_ms(), access);
        self.value(Some(entry.key()), &entry.value());
    }

    /// What stands before the type of a key.
    fn begin(&mut self, expire_at_ms: Option<i64>, access: Option<Access>) {
        if let Some(expire_at_ms) = expire_at_ms {
            self.byte(code::EXPIRES_MS);
            self.time_ms(expire_at_ms);
        }
        match access.filter(|_| self.version >= Version::V9) {
            Some(Access::IdleS(seconds)) => {
                self.byte(code::IDLE);
                self.number(seconds);
            }
            Some(Access::Frequency(frequency)) => {
                self.byte(code::FREQUENCY);
                self.byte(frequency);
            }
            None => {}
        }
    }
}

impl<W: Write> Sink for Output<W> {
    fn put(&mut self, bytes: &[u8]) {
        if self.buffer.len() + bytes.len() > BUFFER_BYTES {
            self.flush();
        }
        if bytes.len() > BUFFER_BYTES {
            self.write(bytes);
        } else {
            self.buffer.extend_from_slice(bytes);
        }
    }
}

impl<W: Write> Output<W> {
    fn flush(&mut self) {
        let mut buffer = std::mem::take(&mut self.buffer);
        self.write(&buffer);
        buffer.clear();
        self.buffer = buffer;
    }

    fn write(&mut self, bytes: &[u8]) {
        if self.failure.is_some() {
            return;
        }
        if let Some(checksum) = &mut self.checksum {
            checksum.add(bytes);
        }
        self.failure = self.to.write_all(bytes).err();
        self.written += bytes.len() as u64;
    }

    /// Whether all has been written so far, as far as that is known.
    fn outcome(&self) -> io::Result<()> {
        match &self.failure {
            None => Ok(()),
            Some(error) => Err(io::Error::new(error.kind(), error.to_string())),
        }
    }
}
