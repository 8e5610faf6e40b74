//! All that a file holds, to be compared.

use crate::contents::{Bytes, Contents, limits};
use rdb::{Access, Event, Library, Reader, Version};
use std::collections::BTreeMap;

/// All that a file holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Summary {
    pub(crate) version: u16,
    pub(crate) aux: Vec<(Bytes, Bytes)>,
    /// The codes of libraries, with the names of those that have one beside it.
    pub(crate) libraries: Vec<(Bytes, Option<Bytes>)>,
    /// Databases with how many keys are announced, and how many that expire.
    pub(crate) sizes: BTreeMap<u64, (u64, u64)>,
    /// Slots with the same.
    pub(crate) slots: BTreeMap<u64, (u64, u64)>,
    /// Names of modules.
    pub(crate) modules: Vec<String>,
    /// By database and name.
    pub(crate) keys: BTreeMap<(u64, Bytes), Saved>,
    /// Keys whose collections have no members.
    pub(crate) empty: Vec<Bytes>,
    pub(crate) is_verified: bool,
}

/// What is saved with a key.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Saved {
    pub(crate) expire_at_ms: Option<i64>,
    pub(crate) access: Option<Access>,
    pub(crate) contents: Contents,
}

impl Summary {
    /// Adds what an event tells.
    pub(crate) fn add(&mut self, event: Event<'_>, database: &mut u64) -> Result<(), rdb::Error> {
        match event {
            Event::Version(version) => self.version = version.0,
            Event::Aux { name, value } => self.aux.push((name.into_owned(), value.into_owned())),
            Event::Library(Library { code, early }) => {
                self.libraries.push((code.into_owned(), early.map(|early| early.name.into_owned())));
            }
            Event::Database(own) => *database = own,
            Event::Sizes { keys, expiring } => {
                self.sizes.insert(*database, (keys, expiring));
            }
            Event::Slot { slot, keys, expiring } => {
                self.slots.insert(slot, (keys, expiring));
            }
            Event::ModuleAux(module) => self.modules.push(module.to_string()),
            Event::Key(key) => {
                assert_eq!(key.database, *database);
                match key.entry(&limits())? {
                    None => self.empty.push(key.name.into_owned()),
                    Some(entry) => {
                        assert_eq!(entry.expire_at_ms(), key.expire_at_ms);
                        let contents = Contents::of(&entry);
                        let saved = Saved { expire_at_ms: key.expire_at_ms, access: key.access, contents };
                        let before = self.keys.insert((key.database, key.name.into_owned()), saved);
                        assert!(before.is_none(), "a key twice");
                    }
                }
            }
            Event::End { is_verified } => self.is_verified = is_verified,
        }
        Ok(())
    }

    /// What a file holds that comes in pieces of these sizes, over and over; at once if there are none.
    pub(crate) fn of(file: &[u8], sizes: &[usize]) -> Result<Summary, rdb::Error> {
        let mut reader = Reader::new(Version::V12);
        let (mut summary, mut database, mut rest) = (Summary::default(), 0, file);
        let mut sizes = sizes.iter().cycle();
        loop {
            let size = sizes.next().copied().unwrap_or(usize::MAX);
            let (piece, after) = rest.split_at(size.min(rest.len()));
            reader.feed(piece);
            while let Some(event) = reader.next_event()? {
                summary.add(event, &mut database)?;
            }
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        reader.finish()?;
        assert_eq!(reader.offset(), file.len() as u64);
        assert_eq!(reader.rest(), b"");
        Ok(summary)
    }
}
