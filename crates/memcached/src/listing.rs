//! Lists of the items that there are, as clients ask for them: `lru_crawler metadump` and `stats cachedump`.
//!
//! Invariants:
//! - A list is made a few items at a time: what is written goes to the client before more is looked at, no shard is held
//!   meanwhile, and others are served. A client that reads slowly costs a piece.
//! - An item that is there throughout is told once.
//!
//! Deliberately not here: an order. memcached tells items by how long ago they were used, which nobody knows here.
//!
//! Source: observed on memcached 1.6.18, where `mgdump` is not known yet.

use memcache_wire::{Error, Reply, Words, number, percent};
use std::io::Write;
use std::sync::atomic::Ordering::Relaxed;
use structures::cached::{Cached, Marks};
use structures::table::Item;

use crate::classes::{CLASSES, class_of};
use crate::clock::{Now, TICKS};
use crate::node::Node;
use crate::tuning::{CLASSES_MAX, classes_of};

/// After so many bytes others are served.
const PIECE_BYTES: usize = 32 << 10;
/// After so many looks at some items each, too: there may be few that are told.
const LOOKS_AT_ONCE: usize = 16;
/// The most that `stats cachedump` tells, in bytes, with its end and a NUL behind it.
const CACHEDUMP_BYTES: usize = 2 << 20;
/// The end of that list with a NUL behind it, in bytes.
const CACHEDUMP_END: usize = 6;

/// A list that is being made.
#[derive(Debug)]
pub(crate) struct Listing {
    form: Form,
    /// Items of these size classes are told, a bit for each.
    classes: u64,
    /// Where it goes on; nothing at the end.
    place: Option<(usize, u64)>,
}

/// How items are told.
#[derive(Debug)]
enum Form {
    /// What is known of them beside their values.
    Metadump,
    /// Their sizes and when they expire.
    Cachedump {
        /// How many may still be told.
        items: u32,
        /// How long the rest of the list may be, in bytes.
        bytes: usize,
    },
}

impl Listing {
    /// `lru_crawler metadump` with the word behind it.
    pub(crate) fn metadump(node: &Node, classes: &[u8]) -> Result<Listing, Error> {
        if !node.settings.crawls.load(Relaxed) {
            return Err(Error::CrawlerDisabled);
        }
        // The order of the hash table is as good as any.
        let classes = if classes == b"hash" { u64::MAX } else { classes_of(classes)? };
        Ok(Listing { form: Form::Metadump, classes, place: Some((0, 0)) })
    }

    /// `stats cachedump` with the words behind it: a size class, and how many items are told, zero for all.
    pub(crate) fn cachedump(node: &Node, mut words: Words) -> Result<Listing, Error> {
        let (Some(class), Some(items)) = (words.next(), words.next()) else {
            return Err(Error::StatsDumpUsage);
        };
        let (Some(class), Some(items)) = (number::unsigned_32(class), number::unsigned_32(items)) else {
            return Err(Error::Format);
        };
        if class >= CLASSES_MAX {
            return Err(Error::StatsDumpClass);
        }
        let has_items = (class as usize) < CLASSES && node.has_class(class as usize);
        let items = if items == 0 { u32::MAX } else { items };
        let form = Form::Cachedump { items, bytes: CACHEDUMP_BYTES - CACHEDUMP_END };
        Ok(Listing { form, classes: 1 << class, place: has_items.then_some((0, 0)) })
    }

    /// Writes a piece of the list. Whether it is complete.
    ///
    /// # Errors
    /// The number of a shard that somebody else goes on holding; nothing has been written, and it goes on when it is free.
    pub(crate) fn go_on(&mut self, node: &Node, now: Now, reply: &mut Reply) -> Result<bool, usize> {
        let (begin, mut looks) = (reply.len(), 0);
        while let Some(place) = self.place {
            if looks == LOOKS_AT_ONCE || reply.len() - begin >= PIECE_BYTES {
                return Ok(false);
            }
            let Listing { form, classes, .. } = self;
            let mut is_full = false;
            let next = node.look(place, now, |item| {
                if !is_full && *classes & 1 << class_of(item.heap_bytes()) != 0 {
                    is_full = !form.tell(node, item, reply);
                }
            });
            match next {
                Ok(next) => self.place = next.filter(|_| !is_full),
                Err(_) if reply.len() > begin => return Ok(false),
                Err(shard) => return Err(shard),
            }
            looks += 1;
        }
        reply.end();
        Ok(true)
    }
}

impl Form {
    /// Tells an item. Whether others may be told behind it.
    fn tell(&mut self, node: &Node, item: &Cached, reply: &mut Reply) -> bool {
        let since_epoch_s = |second| node.clock.since_epoch_s(second);
        let out = reply.buffer();
        // A vector takes everything that is written here.
        match self {
            Form::Metadump => {
                let bytes = item.heap_bytes();
                out.extend_from_slice(b"key=");
                percent::encode(item.key(), out);
                let _ = writeln!(
                    out,
                    " exp={} la={} cas={} fetch={} cls={} size={bytes}",
                    if item.expires() == 0 { -1 } else { since_epoch_s(item.expires()) },
                    since_epoch_s(item.accessed() / TICKS as u32),
                    item.cas(),
                    if item.marks().contains(Marks::FETCHED) { "yes" } else { "no" },
                    class_of(bytes),
                );
            }
            // Such keys would not be told from what is around them.
            Form::Cachedump { .. } if item.marks().contains(Marks::BINARY_KEY) => {}
            Form::Cachedump { items, bytes } => {
                let begin = out.len();
                out.extend_from_slice(b"ITEM ");
                out.extend_from_slice(item.key());
                let expires_s = if item.expires() == 0 { 0 } else { since_epoch_s(item.expires()) };
                let _ = write!(out, " [{} b; {expires_s} s]\r\n", item.value().len());
                let Some(left) = bytes.checked_sub(out.len() - begin) else {
                    out.truncate(begin);
                    return false;
                };
                (*items, *bytes) = (*items - 1, left);
                return *items > 0;
            }
        }
        true
    }
}
