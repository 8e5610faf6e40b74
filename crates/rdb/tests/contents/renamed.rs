//! Values under other keys.

use crate::contents::limits;
use rdb::Version;
use structures::entry::Entry;

/// The same value under another key.
pub(crate) fn renamed(entry: &Entry, key: &[u8]) -> Entry {
    let mut saved = Vec::new();
    rdb::value(&mut saved, entry, Version::V12, false);
    rdb::entry(key, &saved, Version::V12, &limits()).expect("it is a value")
}
