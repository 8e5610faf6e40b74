//! What is tried with arbitrary bytes; the crate's tests try it with some, too.

use rdb::{Error, Event, Form, Limits, Reader, Version, Writer};
use structures::{hash, list, set, zset};

/// Reads bytes as a file that comes in pieces, whose size the first byte says, and writes and reads again what it holds.
/// Gives how many keys that were, and what was wrong.
pub(crate) fn read(data: &[u8]) -> (usize, Option<Error>) {
    let Some((size, file)) = data.split_first() else { return (0, None) };
    let (mut reader, mut copy) = (Reader::new(Version::V12), Copy::new());
    let mut wrong = None;
    for piece in file.chunks(usize::from(*size) * 16 + 1) {
        reader.feed(piece);
        wrong = copy.add(&mut reader).err();
        if wrong.is_some() {
            break;
        }
    }
    let wrong = wrong.or_else(|| reader.finish().err());
    if let Some(error) = &wrong {
        assert!(error.offset <= file.len() as u64, "{error}");
    }
    let again = copy.writer.finish().expect("there is room");
    let (mut reader, mut last) = (Reader::new(Version::V12), Copy::new());
    reader.feed(&again);
    last.add(&mut reader).expect("what is written can be read");
    reader.finish().expect("what is written is whole");
    assert_eq!(last.keys, copy.keys);
    (copy.keys, wrong)
}

/// What has been read, written again.
struct Copy {
    writer: Writer<Vec<u8>>,
    keys: usize,
}

impl Copy {
    fn new() -> Self {
        let form = Form { version: Version::V12, compresses: true, has_checksum: true };
        Copy { writer: Writer::new(Vec::new(), form), keys: 0 }
    }

    /// Adds all that there is.
    fn add(&mut self, reader: &mut Reader) -> Result<(), Error> {
        while let Some(event) = reader.next_event()? {
            let written = match event {
                Event::Key(key) => match key.entry(&LIMITS)? {
                    Some(entry) => {
                        self.keys += 1;
                        self.writer.entry(&entry, key.access)
                    }
                    None => Ok(()),
                },
                Event::Database(database) => self.writer.database(database, 0, 0),
                Event::Slot { slot, keys, expiring } => self.writer.slot(slot, keys, expiring),
                Event::Library(library) => self.writer.library(&library),
                Event::Aux { name, value } => self.writer.aux(&name, &value),
                Event::Version(_) | Event::Sizes { .. } | Event::ModuleAux(_) | Event::End { .. } => Ok(()),
            };
            written.expect("there is room");
        }
        Ok(())
    }
}

/// Limits that small values meet, too.
const LIMITS: Limits = Limits {
    list: list::Limit::Bytes(4096),
    set: set::Limits { ints: 8, packed_entries: 8, packed_value: 24, seed: 1 },
    hash: hash::Limits { packed_entries: 8, packed_value: 24, seed: 1 },
    zset: zset::Limits { packed_entries: 8, packed_value: 24, packed_minus_zero: true, seed: 1 },
};
