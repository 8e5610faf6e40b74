//! Reading a file, or what another server sends in its place, as its bytes come.
//!
//! Bytes are fed in pieces of any size; whatever has come as a whole is given out as an [`Event`]. A record is first
//! looked for (`shape`), then read: what is kept is the record that has begun, as it came, and nothing of what it
//! announces.
//! Every error says at which byte it is, and is the last thing that a reader gives.
//!
//! Not here: where the bytes come from, and what becomes of the keys. A database's number, an expiry that is over and
//! a key that comes twice are for whoever loads them.

use crate::checksum::{self, Checksum};
use crate::cursor::{Cursor, Fault};
use crate::event::{Access, EarlyLibrary, Event, Key, Library};
use crate::shape::{self, Walk};
use crate::{Error, ModuleId, Problem, Version, code};
use std::io::{self, Read};
use std::ops::Range;

/// How a file begins; four digits follow.
pub(crate) const SIGNATURE: &[u8; 5] = b"REDIS";
const HEADER_BYTES: usize = 9;
/// Earlier versions have no checksum.
const CHECKSUM_SINCE: Version = Version(5);
/// Between records so much of a buffer is kept at most, in bytes.
const KEPT_BYTES: usize = 1 << 20;

/// A file being read; see the module.
pub struct Reader {
    /// Types and versions that are later are unknown.
    knows: Version,
    verifies: bool,
    /// What has been fed and not been given out, from `start` on.
    buffer: Vec<u8>,
    start: usize,
    /// Where in the file that is.
    offset: u64,
    /// So much has to be there for anything to go on, in bytes.
    needs: usize,
    stage: Stage,
    version: Version,
    checksum: Checksum,
    database: u64,
    /// What has been said of the key that comes next.
    expire_at_ms: Option<i64>,
    access: Option<Access>,
}

/// What comes next.
enum Stage {
    Header,
    /// A record that has not begun.
    Record,
    /// The rest of a record.
    Within(Walk),
    Checksum,
    /// Nothing.
    Over,
    Failed(Error),
}

/// A whole part that has been taken out of the buffer, whose bytes are still there.
pub(crate) struct Part {
    /// Which part of the buffer.
    range: Range<usize>,
    /// Where in the file it begins.
    offset: u64,
    content: Content,
}

/// What a part is.
enum Content {
    Version(Version),
    /// What begins with this byte.
    Record(u8),
    /// The end; whether the checksum was compared.
    End(bool),
}

impl Reader {
    /// A reader that knows what a server of this version does.
    pub fn new(knows: Version) -> Self {
        Reader {
            knows,
            verifies: true,
            buffer: Vec::new(),
            start: 0,
            offset: 0,
            needs: HEADER_BYTES,
            stage: Stage::Header,
            version: knows,
            checksum: Checksum::new(),
            database: 0,
            expire_at_ms: None,
            access: None,
        }
    }

    /// The same, without looking at checksums.
    pub fn without_checksum(self) -> Self {
        Reader { verifies: false, ..self }
    }

    /// Adds the bytes that come next.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.compact();
        self.buffer.extend_from_slice(bytes);
    }

    /// Adds what can be read at once, at most so many bytes. Gives how many there were: zero where no more come.
    ///
    /// # Errors
    /// Those of `from`.
    pub fn feed_from(&mut self, from: &mut impl Read, most: usize) -> io::Result<usize> {
        self.compact();
        let before = self.buffer.len();
        self.buffer.resize(before + most, 0);
        let read = loop {
            match from.read(&mut self.buffer[before..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        self.buffer.truncate(before + read.as_ref().copied().unwrap_or(0));
        read
    }

    /// The next part that is there as a whole; nothing until more bytes come, or if the file is [over](Self::is_over).
    ///
    /// # Errors
    /// What is wrong, from then on always.
    pub fn next_event(&mut self) -> Result<Option<Event<'_>>, Error> {
        match self.take()? {
            Some(part) => self.read(part).map(Some),
            None => Ok(None),
        }
    }

    /// Whether the file has come to its end. What was fed beyond it is the [rest](Self::rest).
    pub fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over)
    }

    /// Says that no more bytes come.
    ///
    /// # Errors
    /// [`Problem::BreaksOff`] if the file is not over; what was wrong before, if something was.
    pub fn finish(&self) -> Result<(), Error> {
        match &self.stage {
            Stage::Over => Ok(()),
            Stage::Failed(error) => Err(error.clone()),
            _ => Err(Error { offset: self.offset + self.rest().len() as u64, problem: Problem::BreaksOff }),
        }
    }

    /// What has been fed and does not belong to what was given out; at the end, what follows the file.
    pub fn rest(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    /// How much of the file has been given out, in bytes.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Drops what has been given out.
    fn compact(&mut self) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
            if self.buffer.capacity() > KEPT_BYTES {
                self.buffer.shrink_to(KEPT_BYTES);
            }
        }
    }

    /// Takes the next part that is given out of the buffer, if it is there as a whole.
    pub(crate) fn take(&mut self) -> Result<Option<Part>, Error> {
        let taken = self.take_unless_kept();
        if let Err(error) = &taken {
            self.stage = Stage::Failed(error.clone());
        }
        taken
    }

    fn take_unless_kept(&mut self) -> Result<Option<Part>, Error> {
        while let Some(part) = self.take_any()? {
            if let Some(part) = self.keep(part)? {
                return Ok(Some(part));
            }
        }
        Ok(None)
    }

    /// Takes the next part of any kind out of the buffer, if it is there as a whole.
    fn take_any(&mut self) -> Result<Option<Part>, Error> {
        if let Stage::Failed(error) = &self.stage {
            return Err(error.clone());
        }
        let here = self.offset;
        let bytes = &self.buffer[self.start..];
        if bytes.len() < self.needs {
            return Ok(None);
        }
        if let Stage::Record = self.stage {
            let unknown = Error { offset: here, problem: Problem::Unknown(bytes[0]) };
            if code::since(bytes[0]).is_some_and(|since| since > self.knows) {
                return Err(unknown);
            }
            self.stage = Stage::Within(Walk::through(bytes[0]).ok_or(unknown)?);
        }
        let (content, len) = match &mut self.stage {
            Stage::Header => (Content::Version(self.header()?), HEADER_BYTES),
            Stage::Within(walk) => match walk.go_on(bytes) {
                Ok(len) => (Content::Record(bytes[0]), len),
                Err(Fault::Short(missing)) => {
                    self.needs = bytes.len().saturating_add(usize::try_from(missing).unwrap_or(usize::MAX));
                    return Ok(None);
                }
                Err(Fault::Damaged) => {
                    let offset = here + walk.position() as u64;
                    return Err(Error { offset, problem: damage(bytes) });
                }
            },
            Stage::Checksum => (Content::End(self.verify()?), checksum::BYTES),
            Stage::Record | Stage::Over | Stage::Failed(_) => return Ok(None),
        };
        if self.verifies && !matches!(content, Content::End(_)) {
            self.checksum.add(&bytes[..len]);
        }
        let range = self.start..self.start + len;
        self.start = range.end;
        self.offset += len as u64;
        (self.stage, self.needs) = (Stage::Record, 1);
        Ok(Some(Part { range, offset: here, content }))
    }

    /// The version, which the header says.
    fn header(&self) -> Result<Version, Error> {
        let wrong = |problem| Error { offset: self.offset, problem };
        let digits = self.rest()[..HEADER_BYTES].strip_prefix(SIGNATURE).ok_or(wrong(Problem::Signature))?;
        let version = digits.iter().try_fold(0, |version, digit| {
            digit.is_ascii_digit().then(|| version * 10 + u16::from(digit - b'0'))
        });
        let version = version.ok_or(wrong(Problem::Signature))?;
        if !(1..=self.knows.0).contains(&version) {
            return Err(wrong(Problem::Version { version, most: self.knows.0 }));
        }
        Ok(Version(version))
    }

    /// Compares checksums; false if there is none, or nobody wants to know.
    fn verify(&self) -> Result<bool, Error> {
        let stored = self.rest().first_chunk().map_or(0, |stored| u64::from_le_bytes(*stored));
        if stored == 0 || !self.verifies {
            return Ok(false);
        }
        let computed = self.checksum.value();
        if stored != computed {
            return Err(Error { offset: self.offset, problem: Problem::Checksum { stored, computed } });
        }
        Ok(true)
    }

    /// Keeps what only says something of what follows; other parts are given back.
    fn keep(&mut self, part: Part) -> Result<Option<Part>, Error> {
        let code = match part.content {
            Content::Record(code) => code,
            Content::Version(version) => {
                self.version = version;
                return Ok(Some(part));
            }
            Content::End(_) => {
                (self.stage, self.needs) = (Stage::Over, 0);
                return Ok(Some(part));
            }
        };
        let mut from = Cursor::at(&self.buffer[part.range.clone()], 1);
        let mut keep = || {
            match code {
                code::EXPIRES_MS => self.expire_at_ms = Some(from.time_ms()?),
                code::EXPIRES_S => {
                    self.expire_at_ms = Some(i64::from(i32::from_le_bytes(from.array()?)) * 1000);
                }
                code::IDLE => self.access = Some(Access::IdleS(from.number()?)),
                code::FREQUENCY => self.access = Some(Access::Frequency(from.byte()?)),
                code::DATABASE => {
                    self.database = from.number()?;
                    return Ok(false);
                }
                _ => return Ok(code == code::END),
            }
            Ok(true)
        };
        let is_kept =
            keep().map_err(|_: Fault| Error { offset: part.offset, problem: Problem::Record(code) })?;
        if code == code::END && self.version < CHECKSUM_SINCE {
            (self.stage, self.needs) = (Stage::Over, 0);
            return Ok(Some(Part { content: Content::End(false), ..part }));
        }
        if code == code::END {
            (self.stage, self.needs) = (Stage::Checksum, checksum::BYTES);
        }
        Ok((!is_kept).then_some(part))
    }

    /// Reads a part that was taken.
    pub(crate) fn read(&mut self, part: Part) -> Result<Event<'_>, Error> {
        let code = match part.content {
            Content::Version(version) => return Ok(Event::Version(version)),
            Content::End(is_verified) => return Ok(Event::End { is_verified }),
            Content::Record(code) => code,
        };
        let bytes = &self.buffer[part.range];
        let mut from = Cursor::at(bytes, 1);
        let event = if shape::is_key(code) {
            let attributes = (self.expire_at_ms.take(), self.access.take());
            key(&mut from, bytes, code, part.offset).map(|key| {
                let (expire_at_ms, access) = attributes;
                Event::Key(Key { database: self.database, expire_at_ms, access, ..key })
            })
        } else {
            record(&mut from, code).map_err(|_| Problem::Record(code))
        };
        event.map_err(|problem| {
            let error = Error { offset: part.offset + from.position() as u64, problem };
            self.stage = Stage::Failed(error.clone());
            error
        })
    }
}

/// What is wrong with a record that is damaged so that its end is not found.
fn damage(bytes: &[u8]) -> Problem {
    let code = bytes[0];
    match Cursor::at(bytes, 1).string() {
        Ok(key) if shape::is_key(code) => Problem::Value { key: key.as_ref().into(), code },
        _ => Problem::Record(code),
    }
}

/// The libraries in what `FUNCTION DUMP` answers, without version and checksum; nothing if it is damaged.
pub fn libraries(bytes: &[u8]) -> Option<Vec<Library<'_>>> {
    let mut from = Cursor::new(bytes);
    let mut libraries = Vec::new();
    while from.position() < bytes.len() {
        let code = from.byte().ok()?;
        match record(&mut from, code) {
            Ok(Event::Library(library)) => libraries.push(library),
            _ => return None,
        }
    }
    Some(libraries)
}

/// Reads a key; what was said of it before is not known here.
fn key<'a>(from: &mut Cursor<'a>, bytes: &'a [u8], code: u8, offset: u64) -> Result<Key<'a>, Problem> {
    let name = from.string().map_err(|_| Problem::Record(code))?;
    if matches!(code, code::MODULE | code::MODULE_2) {
        let module = ModuleId(from.number().map_err(|_| Problem::Record(code))?);
        return Err(Problem::Module { key: name.as_ref().into(), module });
    }
    let at = from.position();
    Ok(Key {
        database: 0,
        name,
        expire_at_ms: None,
        access: None,
        code,
        value: bytes[at..].into(),
        offset: offset + at as u64,
    })
}

/// Reads what is not a key.
fn record<'a>(from: &mut Cursor<'a>, code: u8) -> Result<Event<'a>, Fault> {
    Ok(match code {
        code::AUX => Event::Aux { name: from.string()?, value: from.string()? },
        code::DATABASE => Event::Database(from.number()?),
        code::SIZES => Event::Sizes { keys: from.number()?, expiring: from.number()? },
        code::SLOT => Event::Slot { slot: from.number()?, keys: from.number()?, expiring: from.number()? },
        code::LIBRARY => Event::Library(Library { code: from.string()?, early: None }),
        code::LIBRARY_EARLY => {
            let (name, engine) = (from.string()?, from.string()?);
            let description = match from.number()? {
                0 => None,
                1 => Some(from.string()?),
                _ => return Err(Fault::Damaged),
            };
            let early = Some(EarlyLibrary { name, engine, description });
            Event::Library(Library { code: from.string()?, early })
        }
        code::MODULE_AUX => {
            let module = ModuleId(from.number()?);
            if from.number()? != code::PART_UNSIGNED {
                return Err(Fault::Damaged);
            }
            Event::ModuleAux(module)
        }
        _ => return Err(Fault::Damaged),
    })
}
