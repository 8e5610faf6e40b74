//! What is asked for, found, stored and deleted, by the beginnings of keys: `stats detail`.
//!
//! Invariant: nothing is counted, and nothing is locked, unless somebody wants to know.
//!
//! Deliberately not here: keys without [`DELIMITER`], and meta commands, `touch`, `incr` and `decr` of the text protocol,
//! which memcached does not count either.
//!
//! Source: observed on memcached 1.6.18.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use structures::ranked::Mutex;

/// What ends a prefix.
pub(crate) const DELIMITER: u8 = b':';
/// The most prefixes; what begins otherwise than these is not counted. memcached keeps all.
const PREFIXES_MAX: usize = 4_096;

/// Counts by prefix.
#[derive(Debug, Default)]
pub(crate) struct Prefixes {
    are_counted: AtomicBool,
    counts: Mutex<BTreeMap<Box<[u8]>, Counts>>,
}

/// What is counted of a prefix.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    gets: u64,
    hits: u64,
    sets: u64,
    deletes: u64,
}

impl Prefixes {
    /// Whether somebody wants to know.
    #[inline]
    pub(crate) fn are_counted(&self) -> bool {
        self.are_counted.load(Relaxed)
    }

    /// Counts from now on, or does not. What has been counted stays.
    pub(crate) fn count(&self, wanted: bool) {
        self.are_counted.store(wanted, Relaxed);
    }

    /// Takes note that an item was asked for.
    #[inline]
    pub(crate) fn got(&self, key: &[u8], is_found: bool) {
        if self.are_counted() {
            self.note(key, |counts| {
                counts.gets += 1;
                counts.hits += u64::from(is_found);
            });
        }
    }

    /// Takes note that an item was to be stored, whatever became of it.
    #[inline]
    pub(crate) fn set(&self, key: &[u8]) {
        if self.are_counted() {
            self.note(key, |counts| counts.sets += 1);
        }
    }

    /// Takes note that an item was to be deleted, whether there was one or not.
    #[inline]
    pub(crate) fn deleted(&self, key: &[u8]) {
        if self.are_counted() {
            self.note(key, |counts| counts.deletes += 1);
        }
    }

    #[cold]
    fn note(&self, key: &[u8], count: impl FnOnce(&mut Counts)) {
        let Some(len) = memchr::memchr(DELIMITER, key) else { return };
        let prefix = &key[..len];
        let mut all = self.counts.lock();
        if let Some(counts) = all.get_mut(prefix) {
            count(counts);
        } else if all.len() < PREFIXES_MAX {
            count(all.entry(prefix.into()).or_default());
        }
    }

    /// Forgets what has been counted.
    pub(crate) fn forget(&self) {
        self.counts.lock().clear();
    }

    /// What has been counted, a line for each prefix.
    pub(crate) fn report(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (prefix, counts) in &*self.counts.lock() {
            let Counts { gets, hits, sets, deletes } = counts;
            out.extend_from_slice(b"PREFIX ");
            out.extend_from_slice(prefix);
            // A vector takes everything.
            let _ = write!(out, " get {gets} hit {hits} set {sets} del {deletes}\r\n");
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_counted_while_somebody_wants_to_know() {
        let prefixes = Prefixes::default();
        prefixes.got(b"early:1", true);
        prefixes.count(true);
        prefixes.got(b"b:1:2", true);
        prefixes.got(b"b:3", false);
        prefixes.set(b"a:");
        prefixes.deleted(b":x");
        prefixes.set(b"none");
        prefixes.count(false);
        prefixes.set(b"late:1");
        let want = "PREFIX  get 0 hit 0 set 0 del 1\r\nPREFIX a get 0 hit 0 set 1 del 0\r\n\
                    PREFIX b get 2 hit 1 set 0 del 0\r\n";
        assert_eq!(String::from_utf8_lossy(&prefixes.report()), want);
        prefixes.forget();
        assert!(prefixes.report().is_empty());
    }

    #[test]
    fn there_are_only_so_many_prefixes() {
        let prefixes = Prefixes::default();
        prefixes.count(true);
        for number in 0..2 * PREFIXES_MAX {
            prefixes.set(format!("{number}:x").as_bytes());
        }
        prefixes.set(b"0:y");
        let report = String::from_utf8_lossy(&prefixes.report()).into_owned();
        assert_eq!(report.lines().count(), PREFIXES_MAX);
        assert!(report.starts_with("PREFIX 0 get 0 hit 0 set 2 del 0\r\n"));
    }
}
