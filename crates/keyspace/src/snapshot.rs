//! All keys as they were at one moment, taken while commands go on.
//!
//! A [`Snapshot`] begins with a *cut*: for a moment all shards are held, and each is told of it. Then it walks the keys
//! of one shard after the other, a few at a time and in hash order. Whoever changes a key that the walk has not reached
//! yet saves it first, as it was ([`Shard::preserve`]); keys that did not exist at the cut are passed over. So every
//! key of the cut is saved once, with the value that it had then, and no command waits for longer than a step takes.
//!
//! Keys that the walk has not reached and that have changed are known by their hashes: of 64 bits, keyed by a random
//! seed. Two keys of the same hash would be taken for one; among a billion keys there are two with odds of one in forty.
//!
//! Not here: who wants the snapshot, and where its bytes go.

use crate::access;
use crate::locked::{Keyspace, Locked, ShardSet};
use crate::params::{Params, Policy};
use crate::shard::{DbStats, Shard};
use rdb::{Access, Form};
use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};
use structures::entry::Entry;
use structures::table::{Item, Place, Table};

/// About so much is saved while a shard is held, in bytes.
const STEP_BYTES: usize = 16 << 10;
/// So many buckets are visited at most while a shard is held.
const STEP_BUCKETS: usize = 256;
/// After so much has been saved, what commands have saved meanwhile is fetched from all shards, in bytes.
const COLLECT_BYTES: usize = 1 << 20;

/// What a snapshot consists of, in the order in which it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// The walk comes to this database, which had so many keys at the cut.
    Database(u32, DbStats),
    /// Keys of a database, as a file has them: not only of the one that the walk is in.
    Records(u32, &'a [u8]),
}

/// There is a snapshot of this keyspace already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

/// The cut with which a snapshot begins. From then on commands save what they change, until a [`Snapshot`] of it ends.
#[derive(Debug)]
#[must_use = "what commands change is saved until the snapshot ends"]
pub struct Cut {
    /// The databases that had keys.
    databases: Vec<(u32, DbStats)>,
}

/// A snapshot being taken; see the module. It ends when it is dropped, complete or not.
pub struct Snapshot<'k> {
    keyspace: &'k Keyspace,
    /// The databases that had keys at the cut, those that are left.
    databases: std::vec::IntoIter<(u32, DbStats)>,
    /// Where the walk is: the database and the shard.
    at: Option<(u32, usize)>,
    saved: Vec<u8>,
    since_collected: usize,
}

/// A shard's part of a snapshot.
pub(crate) struct Walk {
    form: Form,
    /// When the cut was, in ms since the epoch.
    now_ms: i64,
    /// What commands have saved, by the number that the database had at the cut.
    early: Vec<(u32, Vec<u8>)>,
    /// Databases that have been emptied since the cut, as they were.
    detached: Vec<(Table<Entry>, Progress)>,
}

/// How far the walk has come in a shard's part of a database.
pub(crate) struct Progress {
    /// The number that the database had at the cut.
    number: u32,
    /// Hashes below this position, as [`Table::scan`] has it, have been walked; nothing when all have.
    position: Option<u64>,
    /// Hashes of keys that the walk passes over: saved already, or newer than the cut.
    passed: HashSet<u64, BuildHasherDefault<Itself>>,
}

/// A hash is its own hash.
#[derive(Default)]
pub(crate) struct Itself(u64);

impl Hasher for Itself {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("only hashes are looked up");
    }

    fn write_u64(&mut self, hash: u64) {
        // The first bits chose the shard; what finds the place in a set has to differ.
        self.0 = hash.rotate_left(32);
    }
}

impl Progress {
    fn new(number: u32) -> Self {
        Progress { number, position: Some(0), passed: HashSet::default() }
    }

    /// Whether the walk has yet to come to keys of this hash. `skip` bits of it chose the shard.
    fn is_ahead(&self, hash: u64, skip: u8) -> bool {
        self.position.is_some_and(|position| hash << skip >= position << skip)
    }

    /// Walks on, through about one step's worth of keys.
    fn step(&mut self, table: &Table<Entry>, skip: u8, mut save: impl FnMut(&Entry) -> usize) {
        let Some(begin) = self.position else { return };
        let (mut position, mut saved) = (begin, 0);
        for _ in 0..STEP_BUCKETS {
            let from = position;
            position = table.scan(position, |entry| {
                let hash = table.hash(entry.key());
                // A table that has shrunk is scanned in larger steps, which may begin with what has been walked.
                if hash << skip >= from << skip && !self.passed.remove(&hash) {
                    saved += save(entry);
                }
            });
            if position == 0 {
                self.position = None;
                self.passed = HashSet::default();
                return;
            }
            if saved >= STEP_BYTES {
                break;
            }
        }
        self.position = Some(position);
    }
}

impl Walk {
    /// Where records of a database go.
    fn early(&mut self, number: u32) -> &mut Vec<u8> {
        if self.early.last().is_none_or(|(last, _)| *last != number) {
            self.early.push((number, Vec::new()));
        }
        &mut self.early.last_mut().expect("it has just been added").1
    }
}

/// How a key was used, as far as the eviction policy wants to know.
pub fn access_of(params: &Params, entry: &Entry, now_ms: i64) -> Option<Access> {
    match params.policy {
        Policy::AllKeysLru | Policy::VolatileLru => {
            Some(Access::IdleS((access::idle_ms(entry.clock(), now_ms) / 1000) as u64))
        }
        policy if policy.is_lfu() => {
            Some(Access::Frequency(access::frequency(params, entry.clock(), now_ms) as u8))
        }
        _ => None,
    }
}

impl Shard {
    /// Tells the shard of a cut.
    fn begin_walk(&mut self, now_ms: i64, form: Form) {
        for (number, db) in (0..).zip(&mut self.dbs) {
            db.progress = (!db.table.is_empty()).then(|| Box::new(Progress::new(number)));
        }
        self.walk = Some(Box::new(Walk { form, now_ms, early: Vec::new(), detached: Vec::new() }));
    }

    fn end_walk(&mut self) {
        self.walk = None;
        self.dbs.iter_mut().for_each(|db| db.progress = None);
    }

    /// Saves a key for the snapshot before it is changed or goes, if that has to be.
    #[inline]
    pub(crate) fn preserve(&mut self, db: u32, place: Place) {
        if self.walk.is_some() {
            self.preserve_now(db, place);
        }
    }

    #[cold]
    fn preserve_now(&mut self, db: u32, place: Place) {
        let (Some(walk), db) = (&mut self.walk, &mut self.dbs[db as usize]) else { return };
        let Some(progress) = &mut db.progress else { return };
        let entry = db.table.at(place);
        let hash = db.table.hash(entry.key());
        if progress.is_ahead(hash, self.skip) && progress.passed.insert(hash) {
            let (form, access) = (walk.form, access_of(&self.params, &entry, walk.now_ms));
            rdb::record(walk.early(progress.number), &entry, access, form);
        }
    }

    /// Has the snapshot pass over a key that is newer than the cut.
    #[inline]
    pub(crate) fn pass_over(&mut self, db: u32, hash: u64) {
        if self.walk.is_some()
            && let Some(progress) = self.dbs.get_mut(db as usize).and_then(|db| db.progress.as_mut())
            && progress.is_ahead(hash, self.skip)
        {
            progress.passed.insert(hash);
        }
    }

    /// Keeps a database that is emptied for the snapshot, if it has yet to be walked. Gives it back if not.
    pub(crate) fn detach(
        &mut self,
        table: Table<Entry>,
        progress: Option<Box<Progress>>,
    ) -> Option<Table<Entry>> {
        match (&mut self.walk, progress) {
            (Some(walk), Some(progress)) if progress.position.is_some() => {
                walk.detached.push((table, *progress));
                None
            }
            _ => Some(table),
        }
    }

    /// What commands have saved since this was last asked.
    fn take_early(&mut self) -> Vec<(u32, Vec<u8>)> {
        self.walk.as_mut().map_or_else(Vec::new, |walk| std::mem::take(&mut walk.early))
    }

    /// Walks on in what was database `number` at the cut, and saves keys. Whether there are more.
    fn step(&mut self, number: u32, out: &mut Vec<u8>) -> bool {
        let Some(walk) = &mut self.walk else { return false };
        let (form, now_ms, params) = (walk.form, walk.now_ms, &self.params);
        let mut save = |entry: &Entry| {
            let before = out.len();
            rdb::record(out, entry, access_of(params, entry, now_ms), form);
            out.len() - before
        };
        let skip = self.skip;
        if let Some(at) = walk.detached.iter().position(|(_, progress)| progress.number == number) {
            let (table, progress) = &mut walk.detached[at];
            progress.step(table, skip, &mut save);
            if progress.position.is_none() {
                walk.detached.swap_remove(at);
            }
            return true;
        }
        let is_it = |progress: &&mut Box<Progress>| progress.number == number;
        for db in &mut self.dbs {
            if let Some(progress) = db.progress.as_mut().filter(is_it) {
                progress.step(&db.table, skip, &mut save);
                return progress.position.is_some();
            }
        }
        false
    }
}

impl Locked<'_> {
    /// Whether a snapshot is being taken; all shards must be held.
    pub fn is_cut(&self) -> bool {
        debug_assert!(self.holds_all());
        self.iter().any(|shard| shard.walk.is_some())
    }

    /// Begins a snapshot, its records written in this form; all shards must be held. The time says for how long keys
    /// have not been used.
    ///
    /// # Errors
    /// [`Busy`], if there is one already.
    pub fn cut(&mut self, now_ms: i64, form: Form) -> Result<Cut, Busy> {
        if self.is_cut() {
            return Err(Busy);
        }
        self.iter_mut().for_each(|shard| shard.begin_walk(now_ms, form));
        let databases = (0..self.dbs()).map(|db| (db, self.stats(db)));
        Ok(Cut { databases: databases.filter(|(_, stats)| stats.keys > 0).collect() })
    }
}

impl<'k> Snapshot<'k> {
    /// The snapshot that begins with this cut of a keyspace.
    pub fn of(keyspace: &'k Keyspace, cut: Cut) -> Self {
        let databases = cut.databases.into_iter();
        Snapshot { keyspace, databases, at: None, saved: Vec::new(), since_collected: 0 }
    }

    /// Takes another step, and gives what has been saved to `to`. Whether there is more to come.
    ///
    /// # Errors
    /// Those of `to`; the snapshot is not complete then.
    pub fn step<E>(&mut self, mut to: impl FnMut(Part<'_>) -> Result<(), E>) -> Result<bool, E> {
        let Some((number, shard)) = self.at else {
            let Some((number, stats)) = self.databases.next() else { return Ok(false) };
            self.at = Some((number, 0));
            to(Part::Database(number, stats))?;
            return Ok(true);
        };
        self.saved.clear();
        let saved = &mut self.saved;
        let (more, early) = on_shard(self.keyspace, shard, |own| (own.step(number, saved), own.take_early()));
        self.since_collected += self.saved.len();
        if !self.saved.is_empty() {
            to(Part::Records(number, &self.saved))?;
        }
        for (number, records) in &early {
            to(Part::Records(*number, records))?;
        }
        if !more {
            let next = shard + 1;
            self.at = (next < self.keyspace.shards()).then_some((number, next));
        }
        if self.since_collected >= COLLECT_BYTES || self.at.is_none() {
            self.since_collected = 0;
            self.collect(&mut to)?;
        }
        Ok(true)
    }

    /// Fetches what commands have saved.
    fn collect<E>(&self, to: &mut impl FnMut(Part<'_>) -> Result<(), E>) -> Result<(), E> {
        for shard in 0..self.keyspace.shards() {
            for (number, records) in &on_shard(self.keyspace, shard, Shard::take_early) {
                to(Part::Records(*number, records))?;
            }
        }
        Ok(())
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        for shard in 0..self.keyspace.shards() {
            on_shard(self.keyspace, shard, Shard::end_walk);
        }
    }
}

/// Does something with a shard while it is held.
fn on_shard<R>(keyspace: &Keyspace, shard: usize, act: impl FnOnce(&mut Shard) -> R) -> R {
    let mut set = ShardSet::NONE;
    set.insert(shard);
    act(keyspace.lock_blocking(set).iter_mut().next().expect("it is held"))
}
