//! What a command brings about beside its reply.

use structures::entry::Entry;
use structures::table::Table;

bitflags::bitflags! {
    /// Classes of keyspace events, and the two ways of publishing them; each has its letter in
    /// `notify-keyspace-events`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Class: u32 {
        /// `K`: published per key.
        const KEYSPACE = 1 << 0;
        /// `E`: published per event.
        const KEYEVENT = 1 << 1;
        /// `g`: commands of no type, such as `DEL`.
        const GENERIC = 1 << 2;
        /// `$`: strings.
        const STRING = 1 << 3;
        /// `l`: lists.
        const LIST = 1 << 4;
        /// `s`: sets.
        const SET = 1 << 5;
        /// `h`: hashes.
        const HASH = 1 << 6;
        /// `z`: sorted sets.
        const ZSET = 1 << 7;
        /// `x`: keys that have expired.
        const EXPIRED = 1 << 8;
        /// `e`: keys that have been evicted.
        const EVICTED = 1 << 9;
        /// `t`: streams.
        const STREAM = 1 << 10;
        /// `m`: reads of keys that are not there.
        const KEY_MISS = 1 << 11;
        /// `n`: new keys.
        const NEW = 1 << 12;
        /// `d`: values of modules.
        const MODULE = 1 << 13;
    }
}

/// An event: its class, and its name as it is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event(pub Class, pub &'static str);

/// An event that has happened to a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    /// The event.
    pub event: Event,
    /// The database.
    pub db: u32,
    /// The key.
    pub key: Box<[u8]>,
}

/// What commands have brought about since it was last drained.
#[derive(Default)]
pub struct Effects {
    /// Changes, as `rdb_changes_since_last_save` counts them.
    pub dirty: u64,
    /// By how much the shards' memory has changed, in bytes.
    pub bytes: isize,
    /// Reads that found their key.
    pub hits: u64,
    /// Reads that did not.
    pub misses: u64,
    /// Keys that have expired.
    pub expired: u64,
    /// Fields of hashes that have expired.
    pub expired_fields: u64,
    /// Keys that have been evicted.
    pub evicted: u64,
    /// Events to publish, of the classes that the configuration names.
    pub happenings: Vec<Happening>,
    /// What the configuration said about events when the last of them happened.
    pub notify: Class,
    /// What went without a command: that is to be repeated elsewhere, before the command.
    pub gone: Vec<Gone>,
    /// Whether `gone` is kept.
    pub keep_gone: bool,
    /// Keys that somebody waits for, and that may be ready now.
    pub ready: Vec<(u32, Box<[u8]>)>,
    /// The earliest time at which something expires that was given an expiry, in ms since the epoch.
    pub due_ms: Option<i64>,
    /// Values to be freed where nobody waits.
    pub garbage: Vec<Garbage>,
}

/// Something that went because its time had come, or for want of memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gone {
    /// The database.
    pub db: u32,
    /// The key.
    pub key: Box<[u8]>,
    /// What of it.
    pub loss: Loss,
}

/// What of a key went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loss {
    /// All of it.
    Key {
        /// Whether the value is freed elsewhere.
        lazily: bool,
    },
    /// A field of a hash.
    Field(Box<[u8]>),
}

/// Values to be freed.
pub enum Garbage {
    /// One key.
    Entry(Entry),
    /// A whole part of a database.
    Table(Table<Entry>),
}

impl Garbage {
    /// The number of keys.
    pub fn len(&self) -> usize {
        match self {
            Garbage::Entry(_) => 1,
            Garbage::Table(table) => table.len(),
        }
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// From this size on it pays to free a value elsewhere, in bytes.
const LAZY_BYTES: usize = 16 * 1024;
/// From this size on a value is freed elsewhere, wanted or not, in bytes: clients can tell only by the time it takes.
const HUGE_BYTES: usize = 1 << 20;

impl Effects {
    /// Frees an entry; elsewhere if that is wanted and it is large, or if it is huge.
    #[inline]
    pub fn discard(&mut self, entry: Entry, lazily: bool) {
        if entry.heap_bytes() >= if lazily { LAZY_BYTES } else { HUGE_BYTES } {
            self.garbage.push(Garbage::Entry(entry));
        }
    }

    /// Takes note that something will expire.
    #[inline]
    pub fn due_at_ms(&mut self, at_ms: i64) {
        self.due_ms = Some(self.due_ms.map_or(at_ms, |due_ms| due_ms.min(at_ms)));
    }
}
