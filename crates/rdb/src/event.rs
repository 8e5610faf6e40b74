//! What files consist of.

use crate::cursor::Cursor;
use crate::{Error, Limits, ModuleId, Problem, Version, read};
use std::borrow::Cow;
use structures::entry::Entry;

/// A part of a file, in the order of which they come.
#[derive(Clone, Debug, PartialEq)]
pub enum Event<'a> {
    /// The file begins, and is of this version.
    Version(Version),
    /// Something about the file or its writer; see [`crate::Origin`]. Names that are not known mean nothing. May come
    /// between or after keys.
    Aux {
        /// What it is.
        name: Cow<'a, [u8]>,
        /// What it says.
        value: Cow<'a, [u8]>,
    },
    /// A library of functions.
    Library(Library<'a>),
    /// The keys that follow are of this database.
    Database(u64),
    /// What the database is going to hold; a hint that may be wrong.
    Sizes {
        /// How many keys.
        keys: u64,
        /// How many of them expire.
        expiring: u64,
    },
    /// What a slot is going to hold, in a cluster; a hint that may be wrong.
    Slot {
        /// The slot.
        slot: u64,
        /// How many keys.
        keys: u64,
        /// How many of them expire.
        expiring: u64,
    },
    /// A module keeps data beside keys; it has been skipped. A server without the module does not load such a file.
    ModuleAux(ModuleId),
    /// A key with its value.
    Key(Key<'a>),
    /// The file ends.
    End {
        /// Whether it had a checksum that was compared.
        is_verified: bool,
    },
}

/// A library of functions, as it is saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Library<'a> {
    /// Its code.
    pub code: Cow<'a, [u8]>,
    /// What candidates of 7.0 saved beside the code; since then the code says it.
    pub early: Option<EarlyLibrary<'a>>,
}

/// What candidates of 7.0 saved beside the code of a library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EarlyLibrary<'a> {
    /// What it is called.
    pub name: Cow<'a, [u8]>,
    /// What runs it.
    pub engine: Cow<'a, [u8]>,
    /// What it is for.
    pub description: Option<Cow<'a, [u8]>>,
}

impl Library<'_> {
    /// The same, to be kept while reading goes on.
    pub fn into_owned(self) -> Library<'static> {
        let owned = |text: Cow<'_, [u8]>| Cow::Owned(text.into_owned());
        let early = self.early.map(|early| EarlyLibrary {
            name: owned(early.name),
            engine: owned(early.engine),
            description: early.description.map(owned),
        });
        Library { code: owned(self.code), early }
    }
}

/// How a key was used, as far as an eviction policy wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// For so many seconds it has not been.
    IdleS(u64),
    /// So often, on the scale of `OBJECT FREQ`.
    Frequency(u8),
}

/// A key with its value, which is read by [`Key::entry`]; that can as well happen elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key<'a> {
    /// The number of its database.
    pub database: u64,
    /// The key.
    pub name: Cow<'a, [u8]>,
    /// When it goes, in ms since the epoch; that may be over.
    pub expire_at_ms: Option<i64>,
    /// How it was used, if the file says so.
    pub access: Option<Access>,
    pub(crate) code: u8,
    /// The value without its type, and where in the file it begins.
    pub(crate) value: Cow<'a, [u8]>,
    pub(crate) offset: u64,
}

impl Key<'_> {
    /// The key with value and expiry. Nothing if the value is a collection without members: some releases have saved
    /// such, later ones pass over them.
    ///
    /// # Errors
    /// [`Problem::Value`], whatever of the value is wrong; packed collections are checked from end to end.
    pub fn entry(&self, limits: &Limits) -> Result<Option<Entry>, Error> {
        let mut from = Cursor::new(&self.value);
        let read = read::value(&self.name, self.code, &mut from, limits);
        let mut entry = read.map_err(|_| Error {
            offset: self.offset + from.position() as u64,
            problem: Problem::Value { key: self.name.as_ref().into(), code: self.code },
        })?;
        if let Some(entry) = &mut entry {
            debug_assert_eq!(from.position(), self.value.len(), "the value is as long as its shape");
            entry.set_expire_at_ms(self.expire_at_ms);
        }
        Ok(entry)
    }

    /// What the value takes in the file, in bytes.
    pub fn value_bytes(&self) -> usize {
        self.value.len()
    }

    /// The same, to be kept while reading goes on.
    pub fn into_owned(self) -> Key<'static> {
        Key { name: Cow::Owned(self.name.into_owned()), value: Cow::Owned(self.value.into_owned()), ..self }
    }
}
