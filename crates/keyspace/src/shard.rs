//! A shard: the part of every database whose keys' hashes begin alike.
//!
//! Invariants: `used_bytes` is what tables, entries, wheels and the index of slots take; a database's sums agree with its
//! entries.

use crate::access;
use crate::change::Spot;
use crate::effects::{Class, Effects, Event, Garbage, Gone, Happening, Loss};
use crate::evict::Pool;

use crate::interest::Interest;
use crate::locked::Key;
use crate::params::Params;
use crate::slots::SlotIndex;
use crate::snapshot::{Progress, Walk};
use arrayvec::ArrayVec;
use std::sync::Arc;
use structures::entry::{Entry, Kind, Object, ValueRef};
use structures::hash::Hash;
use structures::table::{Item, Place, Ref, Table};
use structures::wheel::{Wheel, fragment};

/// Fields of a hash that go in one step of active expiry.
const FIELDS_A_STEP: usize = 64;

/// When a command runs, and how it treats keys.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// The time, in ms since the epoch.
    pub now_ms: i64,
    /// Whether expired keys go when they are met; a replica only hides them.
    pub expire: bool,
    /// Whether expired keys are as good as others: when a master says what to do with them, they are alive there.
    pub revive: bool,
    /// Whether reading a key counts as using it.
    pub touch: bool,
}

/// Whether a key or a field that expires at a time has expired: at that very millisecond it is still there, as in real servers, and is told
/// to have none left.
#[inline]
fn has_passed(at_ms: i64, now_ms: i64) -> bool {
    at_ms < now_ms
}

/// From when on a key or a field that expires at a time has expired.
#[inline]
pub(crate) fn gone_from(at_ms: i64) -> i64 {
    at_ms.saturating_add(1)
}

impl Moment {
    /// A moment at which everything is as usual.
    pub fn at(now_ms: i64) -> Self {
        Moment { now_ms, expire: true, revive: false, touch: true }
    }
}

/// A shard; see the module.
pub struct Shard {
    pub(crate) dbs: Vec<Db>,
    pub(crate) params: Arc<Params>,
    seed: u64,
    /// Bits of the hash that chose the shard.
    pub(crate) skip: u8,
    used_bytes: usize,
    random: u64,
    pub(crate) pool: Pool,
    /// Clients that wait for keys here and need keys elsewhere to be served.
    far_waiters: usize,
    /// The keys by their slots, on a node of a cluster: it has one database only.
    slots: Option<Box<SlotIndex>>,
    /// The shard's part of the snapshot that is being taken.
    pub(crate) walk: Option<Box<Walk>>,
}

/// The part of a database that lies in a shard.
pub struct Db {
    pub(crate) table: Table<Entry>,
    /// Keys that expire.
    pub(crate) volatile: usize,
    /// The sum of their expiries, in ms.
    volatile_sum_ms: i128,
    /// Hashes of which fields expire.
    fading: usize,
    pub(crate) wheel: Wheel,
    interest: Option<Box<Interest>>,
    /// How far the snapshot has come, if it has yet to walk here.
    pub(crate) progress: Option<Box<Progress>>,
}

/// Numbers of a database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DbStats {
    /// Keys.
    pub keys: usize,
    /// Keys that expire.
    pub volatile: usize,
    /// The sum of their expiries, in ms since the epoch.
    pub volatile_sum_ms: i128,
    /// Hashes of which fields expire.
    pub fading: usize,
}

impl Shard {
    /// An empty shard whose keys' hashes share their first `skip` bits.
    pub fn new(seed: u64, skip: u8, number: usize, params: Arc<Params>) -> Self {
        let random = seed.wrapping_add(number as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        Shard {
            dbs: Vec::new(),
            params,
            seed,
            skip,
            used_bytes: 0,
            random,
            pool: Pool::default(),
            far_waiters: 0,
            slots: None,
            walk: None,
        }
    }

    /// What the configuration says.
    #[inline]
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// Gives the shard another configuration.
    pub fn set_params(&mut self, params: Arc<Params>) {
        self.params = params;
    }

    /// What the shard's keys take, in bytes.
    pub fn used_bytes(&self) -> usize {
        self.used_bytes
    }

    /// The shard's part of a database, if it was ever used.
    #[inline]
    pub fn db(&self, db: u32) -> Option<&Db> {
        self.dbs.get(db as usize)
    }

    /// The shard's part of a database.
    #[inline]
    pub(crate) fn db_mut(&mut self, db: u32) -> &mut Db {
        let db = db as usize;
        if db >= self.dbs.len() {
            self.add_dbs(db);
        }
        &mut self.dbs[db]
    }

    #[cold]
    fn add_dbs(&mut self, up_to: usize) {
        while self.dbs.len() <= up_to {
            self.dbs.push(Db::new(self.seed, self.skip));
        }
    }

    /// The numbers of the databases that were ever used.
    pub fn dbs(&self) -> std::ops::Range<u32> {
        0..self.dbs.len() as u32
    }

    /// Numbers of a database.
    pub fn stats(&self, db: u32) -> DbStats {
        self.db(db).map_or_else(DbStats::default, |db| DbStats {
            keys: db.table.len(),
            volatile: db.volatile,
            volatile_sum_ms: db.volatile_sum_ms,
            fading: db.fading,
        })
    }

    /// What the table of a database takes beside its entries, and what knows when they expire, in bytes.
    pub fn overhead_bytes(&self, db: u32) -> (usize, usize) {
        self.db(db).map_or((0, 0), |db| (db.table.heap_bytes(), db.wheel.heap_bytes()))
    }

    /// The number of keys of a database.
    #[inline]
    pub fn len(&self, db: u32) -> usize {
        self.db(db).map_or(0, |db| db.table.len())
    }

    /// Whether a database has no keys.
    pub fn is_empty(&self, db: u32) -> bool {
        self.len(db) == 0
    }

    /// Where a key is, dead or alive.
    #[inline]
    pub(crate) fn find(&self, db: u32, key: &Key<'_>) -> Option<Place> {
        self.dbs.get(db as usize)?.table.find(key.hash, key.bytes)
    }

    /// Where a key is that is alive; an expired one goes, or is hidden.
    #[inline]
    pub(crate) fn find_live(
        &mut self,
        effects: &mut Effects,
        moment: Moment,
        db: u32,
        key: &Key<'_>,
    ) -> Option<Place> {
        let (place, entry) = self.dbs.get(db as usize)?.table.find_item(key.hash, key.bytes)?;
        match entry.expire_at_ms() {
            Some(at_ms) if has_passed(at_ms, moment.now_ms) && !moment.revive => {
                if moment.expire {
                    self.expire_key(effects, db, place);
                }
                None
            }
            _ => Some(place),
        }
    }

    /// Where a key is that is alive; this counts as using it. Fields of a hash that have expired go first, and the hash
    /// with the last of them.
    #[inline]
    pub fn locate(&mut self, effects: &mut Effects, moment: Moment, db: u32, key: &Key<'_>) -> Option<Place> {
        let place = self.find_live(effects, moment, db, key)?;
        let kind = if moment.touch {
            self.touch(moment.now_ms, db, place)
        } else {
            self.dbs[db as usize].table.at(place).kind()
        };
        if kind == Kind::Hash && !self.purge_hash(effects, moment, db, place) {
            return None;
        }
        Some(place)
    }

    /// The entry at a place that [`Shard::locate`] gave; nothing may have changed since.
    #[inline]
    pub fn at(&self, db: u32, place: Place) -> Ref<'_, Entry> {
        self.dbs[db as usize].table.at(place)
    }

    /// The entry of a key that is alive, for reading; this counts as using it.
    #[inline]
    pub fn get(
        &mut self,
        effects: &mut Effects,
        moment: Moment,
        db: u32,
        key: &Key<'_>,
    ) -> Option<Ref<'_, Entry>> {
        let place = self.locate(effects, moment, db, key)?;
        Some(self.at(db, place))
    }

    /// Removes the fields of a hash that have expired; whether the hash is still there.
    #[inline]
    fn purge_hash(&mut self, effects: &mut Effects, moment: Moment, db: u32, place: Place) -> bool {
        match soonest_field_ms(&self.dbs[db as usize].table.at(place)) {
            Some(at_ms) if has_passed(at_ms, moment.now_ms) && moment.expire => {
                self.expire_fields(effects, moment.now_ms, db, place, usize::MAX)
            }
            _ => true,
        }
    }

    /// The entry of a key that is alive, as it is: for looking at several keys at once after each has been read.
    #[inline]
    pub fn peek(&self, moment: Moment, db: u32, key: &Key<'_>) -> Option<Ref<'_, Entry>> {
        let place = self.find(db, key)?;
        let entry = self.dbs[db as usize].table.at(place);
        match entry.expire_at_ms() {
            Some(at_ms) if has_passed(at_ms, moment.now_ms) && !moment.revive => None,
            _ => Some(entry),
        }
    }

    /// Whether a key is there whose time has come.
    pub fn is_expired(&self, moment: Moment, db: u32, key: &Key<'_>) -> bool {
        self.find(db, key).is_some_and(|place| {
            let at_ms = self.at(db, place).expire_at_ms();
            at_ms.is_some_and(|at_ms| has_passed(at_ms, moment.now_ms) && !moment.revive)
        })
    }

    /// A key's place, for changing it; this counts as using it.
    #[inline]
    pub fn spot<'a>(
        &'a mut self,
        effects: &'a mut Effects,
        moment: Moment,
        db: u32,
        key: Key<'a>,
    ) -> Spot<'a> {
        let place = self.locate(effects, moment, db, &key);
        Spot::new(self, effects, moment, db, key, place)
    }

    /// Takes note that a key has been used, and gives what it holds.
    #[inline]
    fn touch(&mut self, now_ms: i64, db: u32, place: Place) -> Kind {
        let mut entry = self.dbs[db as usize].table.at_mut(place);
        let old = entry.clock();
        let random = &mut self.random;
        let new = access::used(&self.params, old, now_ms, || next_random(random));
        if new != old {
            entry.set_clock(new);
        }
        entry.kind()
    }

    /// A random number.
    #[inline]
    pub fn draw(&mut self) -> u64 {
        next_random(&mut self.random)
    }

    /// Random numbers for what is drawn while the shard is borrowed.
    pub fn draws(&mut self) -> impl FnMut() -> u64 + use<> {
        // A state must not be zero.
        let mut state = self.draw() | 1;
        move || next_random(&mut state)
    }

    /// The clock of a key that is created now.
    #[inline]
    pub(crate) fn initial_clock(&self, now_ms: i64) -> u32 {
        access::initial(self.params.policy, now_ms)
    }

    /// Puts an entry into the table: its key is not there. Its expiry is recorded.
    pub(crate) fn insert(
        &mut self,
        effects: &mut Effects,
        now_ms: i64,
        db: u32,
        hash: u64,
        entry: Entry,
    ) -> Place {
        let (bytes, expiry) = (entry.heap_bytes(), entry.expire_at_ms());
        let field_expiry = soonest_field_ms(&entry);
        self.pass_over(db, hash);
        let indexed = self.slots.as_mut().map_or(0, |slots| slots.add(entry.key(), hash));
        let own = self.db_mut(db);
        let before = own.table.heap_bytes();
        let place = own.table.insert_new(hash, entry);
        let change = bytes as isize + own.table.heap_bytes() as isize - before as isize + indexed;
        self.account(effects, change);
        if expiry.is_some() {
            self.count_expiry(effects, now_ms, db, hash, None, expiry);
        }
        if let Some(at_ms) = field_expiry {
            self.count_fading(db, None, field_expiry);
            self.record_expiry(effects, now_ms, db, hash, None, at_ms);
        }
        place
    }

    /// Takes an entry out of the table.
    pub(crate) fn take(&mut self, effects: &mut Effects, db: u32, place: Place) -> Entry {
        self.preserve(db, place);
        let own = &mut self.dbs[db as usize];
        let before = own.table.heap_bytes();
        let entry = own.table.remove(place);
        let change = own.table.heap_bytes() as isize - before as isize - entry.heap_bytes() as isize;
        if let Some(at_ms) = entry.expire_at_ms() {
            own.volatile -= 1;
            own.volatile_sum_ms -= i128::from(at_ms);
        }
        own.fading -= usize::from(soonest_field_ms(&entry).is_some());
        let is_last = own.table.is_empty();
        let table = &own.table;
        let indexed =
            self.slots.as_mut().map_or(0, |slots| slots.remove(entry.key(), table.hash(entry.key())));
        self.account(effects, change + indexed);
        if is_last {
            self.forget_expiries(effects, db);
        }
        entry
    }

    /// Forgets when keys of an empty database expire: they have gone.
    #[cold]
    fn forget_expiries(&mut self, effects: &mut Effects, db: u32) {
        let wheel = std::mem::take(&mut self.dbs[db as usize].wheel);
        self.account(effects, -(wheel.heap_bytes() as isize));
    }

    /// Adds to the memory in use.
    #[inline]
    pub(crate) fn account(&mut self, effects: &mut Effects, change: isize) {
        self.used_bytes = self.used_bytes.wrapping_add_signed(change);
        effects.bytes += change;
    }

    /// Takes note that a key's expiry has changed in its entry.
    pub(crate) fn count_expiry(
        &mut self,
        effects: &mut Effects,
        now_ms: i64,
        db: u32,
        hash: u64,
        old: Option<i64>,
        new: Option<i64>,
    ) {
        let own = &mut self.dbs[db as usize];
        own.volatile = own.volatile + usize::from(new.is_some()) - usize::from(old.is_some());
        own.volatile_sum_ms += i128::from(new.unwrap_or(0)) - i128::from(old.unwrap_or(0));
        if let Some(at_ms) = new {
            self.record_expiry(effects, now_ms, db, hash, old.map(gone_from), gone_from(at_ms));
        }
    }

    /// Takes note that the first expiry of a field of a hash has changed in its entry.
    #[inline]
    pub(crate) fn count_fading(&mut self, db: u32, old: Option<i64>, new: Option<i64>) {
        let own = &mut self.dbs[db as usize];
        own.fading = own.fading + usize::from(new.is_some()) - usize::from(old.is_some());
    }

    /// Has the wheel look at a key when it, or a field of it, has expired.
    pub(crate) fn record_expiry(
        &mut self,
        effects: &mut Effects,
        now_ms: i64,
        db: u32,
        hash: u64,
        old: Option<i64>,
        at_ms: i64,
    ) {
        self.tidy_wheel(effects, now_ms, db);
        let wheel = &mut self.dbs[db as usize].wheel;
        let before = wheel.heap_bytes();
        let due_ms = wheel.add(fragment(hash, self.skip), old, at_ms, now_ms);
        let change = wheel.heap_bytes() as isize - before as isize;
        if let Some(due_ms) = due_ms {
            effects.due_at_ms(due_ms);
            self.account(effects, change);
        }
    }

    /// Makes a new wheel where too many records are without a key.
    #[inline]
    pub(crate) fn tidy_wheel(&mut self, effects: &mut Effects, now_ms: i64, db: u32) {
        let own = &mut self.dbs[db as usize];
        if own.is_littered() {
            self.renew_wheel(effects, now_ms, db);
        }
    }

    #[cold]
    fn renew_wheel(&mut self, effects: &mut Effects, now_ms: i64, db: u32) {
        let own = &mut self.dbs[db as usize];
        let before = own.wheel.heap_bytes();
        own.rebuild_wheel(self.skip, now_ms);
        let change = own.wheel.heap_bytes() as isize - before as isize;
        self.account(effects, change);
    }

    /// Tells those who watch or wait that a key has changed.
    #[inline]
    pub(crate) fn changed(&mut self, effects: &mut Effects, db: u32, key: &[u8]) {
        if self.dbs[db as usize].interest.is_some() {
            self.tell(effects, db, key);
        }
    }

    #[inline(never)]
    fn tell(&self, effects: &mut Effects, db: u32, key: &[u8]) {
        if let Some(interest) = &self.dbs[db as usize].interest
            && interest.changed(key)
        {
            effects.ready.push((db, key.into()));
        }
    }

    /// Tells those who wait for a key to look at it again.
    pub(crate) fn wake(&self, effects: &mut Effects, db: u32, key: &[u8]) {
        if let Some(interest) = &self.dbs[db as usize].interest
            && interest.is_awaited(key)
        {
            effects.ready.push((db, key.into()));
        }
    }

    /// Records an event, if its class is one that the configuration names.
    #[inline]
    pub(crate) fn notify(&self, effects: &mut Effects, event: Event, db: u32, key: &[u8]) {
        if self.params.notify.contains(event.0) {
            effects.notify = self.params.notify;
            effects.happenings.push(Happening { event, db, key: key.into() });
        }
    }

    /// Records that a read missed its key.
    #[inline]
    pub fn missed(&self, effects: &mut Effects, db: u32, key: &[u8]) {
        effects.misses += 1;
        self.notify(effects, Event(Class::KEY_MISS, "keymiss"), db, key);
    }

    /// Removes a key whose time has come.
    fn expire_key(&mut self, effects: &mut Effects, db: u32, place: Place) {
        let entry = self.take(effects, db, place);
        effects.expired += 1;
        self.gone(effects, db, entry, Event(Class::EXPIRED, "expired"), self.params.lazy_expire);
    }

    /// What follows when a key has gone without a command.
    pub(crate) fn gone(&mut self, effects: &mut Effects, db: u32, entry: Entry, event: Event, lazily: bool) {
        if effects.keep_gone {
            effects.gone.push(Gone { db, key: entry.key().into(), loss: Loss::Key { lazily } });
        }
        self.vanished(effects, db, entry, event, lazily);
    }

    /// As [`Shard::gone`], where others need not be told.
    fn vanished(&mut self, effects: &mut Effects, db: u32, entry: Entry, event: Event, lazily: bool) {
        self.notify(effects, event, db, entry.key());
        self.changed(effects, db, entry.key());
        effects.discard(entry, lazily);
    }

    /// Removes fields of a hash whose time has come, at most `most`; whether the hash is still there.
    fn expire_fields(
        &mut self,
        effects: &mut Effects,
        now_ms: i64,
        db: u32,
        place: Place,
        most: usize,
    ) -> bool {
        self.preserve(db, place);
        let own = &mut self.dbs[db as usize];
        let mut entry = own.table.at_mut(place);
        let before = entry.heap_bytes();
        let Some(mut hash) = entry.take_object::<Hash>() else { return true };
        let mut removed = 0;
        let first = hash.soonest_ms();
        let mut fields = Vec::new();
        hash.remove_expired(now_ms, most, |field| {
            removed += 1;
            if effects.keep_gone {
                fields.push(Box::from(field));
            }
        });
        let (empty, soonest) = (hash.is_empty(), hash.soonest_ms());
        entry.put_object(hash);
        let change = entry.heap_bytes() as isize - before as isize;
        let key: Box<[u8]> = entry.key().into();
        drop(entry);
        let gone = |field| Gone { db, key: key.clone(), loss: Loss::Field(field) };
        effects.gone.extend(fields.into_iter().map(gone));
        let key_hash = own.table.hash(&key);
        self.count_fading(db, first, soonest);
        self.account(effects, change);
        effects.expired_fields += removed;
        self.notify(effects, Event(Class::HASH, "hexpired"), db, &key);
        if empty {
            // Whoever removes its last field has no hash either.
            let entry = self.take(effects, db, place);
            self.vanished(effects, db, entry, Event(Class::GENERIC, "del"), self.params.lazy_expire);
            return false;
        }
        self.changed(effects, db, &key);
        if let Some(at_ms) = soonest {
            self.record_expiry(effects, now_ms, db, key_hash, None, gone_from(at_ms));
        }
        true
    }

    /// Removes keys and fields whose time has come, looking at no more than `most` records. Gives the time at which
    /// to come again, if something will expire: now, if there is more to do.
    pub fn expire_due(&mut self, effects: &mut Effects, now_ms: i64, most: usize) -> Option<i64> {
        if !self.params.active_expire {
            return None;
        }
        let mut left = most;
        for db in self.dbs() {
            while left > 0 {
                let wheel = &mut self.dbs[db as usize].wheel;
                let before = wheel.heap_bytes();
                let Some(fragment) = wheel.pop(now_ms) else { break };
                let change = wheel.heap_bytes() as isize - before as isize;
                self.account(effects, change);
                left -= 1;
                self.look_at(effects, now_ms, db, fragment);
            }
        }
        self.first_due_ms()
    }

    /// The earliest time at which keys or fields are to be looked at because they may expire, in ms since the epoch.
    pub fn first_due_ms(&self) -> Option<i64> {
        self.dbs.iter().filter_map(|db| db.wheel.first_ms()).min()
    }

    /// Looks at the keys of a record: those whose time has come go, the others are recorded anew.
    fn look_at(&mut self, effects: &mut Effects, now_ms: i64, db: u32, fragment: u32) {
        let due = |entry: &Entry| entry.expire_at_ms().is_some_and(|at_ms| has_passed(at_ms, now_ms));
        // Keys that share the fragment are rare, but all of them may stand behind this record.
        while let Some(place) = self.dbs[db as usize].table.find_fragment(fragment, due) {
            self.expire_key(effects, db, place);
        }
        let expires = |entry: &Entry| entry.expire_at_ms().is_some() || soonest_field_ms(entry).is_some();
        let table = &self.dbs[db as usize].table;
        let Some(place) = table.find_fragment(fragment, expires) else { return };
        let entry = table.at(place);
        let (expiry, soonest_ms, hash) =
            (entry.expire_at_ms(), soonest_field_ms(&entry), table.hash(entry.key()));
        if let Some(at_ms) = expiry {
            self.record_expiry(effects, now_ms, db, hash, None, gone_from(at_ms));
        }
        match soonest_ms {
            Some(at_ms) if has_passed(at_ms, now_ms) => {
                self.expire_fields(effects, now_ms, db, place, FIELDS_A_STEP);
            }
            Some(at_ms) => self.record_expiry(effects, now_ms, db, hash, None, gone_from(at_ms)),
            None => {}
        }
    }

    /// Empties a database; gives its keys to be freed, if no snapshot needs them.
    pub fn flush(&mut self, effects: &mut Effects, db: u32) -> Option<Garbage> {
        let (seed, skip) = (self.seed, self.skip);
        let own = self.dbs.get_mut(db as usize)?;
        if own.table.is_empty() {
            return None;
        }
        if let Some(interest) = &own.interest {
            for key in interest.watched_keys() {
                if own.table.find(own.table.hash(key), key).is_some() {
                    interest.changed(key);
                }
            }
            for key in interest.awaited_keys() {
                effects.ready.push((db, key.into()));
            }
        }
        let fresh = Db { interest: own.interest.take(), ..Db::new(seed, skip) };
        let keys = own.table.len();
        let others: usize = self.dbs.iter().map(|own| own.table.len()).sum::<usize>() - keys;
        // Whichever is less work: to add up what goes, or what stays.
        let bytes = if others < keys {
            let stays =
                |(number, own): (usize, &Db)| if number == db as usize { 0 } else { own.heap_bytes() };
            let index = self.slots.as_ref().map_or(0, |slots| slots.heap_bytes());
            self.used_bytes - index - self.dbs.iter().enumerate().map(stays).sum::<usize>()
        } else {
            self.dbs[db as usize].heap_bytes()
        };
        let old = std::mem::replace(&mut self.dbs[db as usize], fresh);
        let indexed = self.slots.as_mut().map_or(0, |slots| slots.clear());
        self.account(effects, indexed - bytes as isize);
        self.detach(old.table, old.progress).map(Garbage::Table)
    }

    /// Takes over the keys of a shard that nobody else has seen; there must be none here. Watches and queues stay, and
    /// learn of it.
    pub(crate) fn adopt(&mut self, effects: &mut Effects, other: Shard) {
        debug_assert!(self.dbs().all(|db| self.is_empty(db)), "its own keys have gone");
        let Shard { dbs, slots, used_bytes, .. } = other;
        let own_bytes = self.used_bytes;
        for (number, db) in (0..).zip(dbs) {
            let own = self.db_mut(number);
            *own = Db { interest: own.interest.take(), ..db };
            let Some(interest) = &own.interest else { continue };
            let holds = |key: &&[u8]| own.table.find(own.table.hash(key), key).is_some();
            interest.watched_keys().filter(holds).for_each(|key| _ = interest.changed(key));
            effects.ready.extend(interest.awaited_keys().filter(holds).map(|key| (number, key.into())));
        }
        self.slots = slots;
        self.account(effects, used_bytes as isize - own_bytes as isize);
        debug_assert_eq!(self.used_bytes, used_bytes);
    }

    /// Exchanges two databases; watches and queues stay with the numbers, and learn of it.
    pub fn swap(&mut self, effects: &mut Effects, a: u32, b: u32) {
        self.db_mut(a.max(b));
        if a == b {
            return;
        }
        self.dbs.swap(a as usize, b as usize);
        let (low, high) = (a.min(b) as usize, a.max(b) as usize);
        let (front, back) = self.dbs.split_at_mut(high);
        std::mem::swap(&mut front[low].interest, &mut back[0].interest);
        for (here, there) in [(low, high), (high, low)] {
            let Some(interest) = &self.dbs[here].interest else { continue };
            let holds = |db: usize, key: &[u8]| {
                let table = &self.dbs[db].table;
                table.find(table.hash(key), key).is_some()
            };
            for key in interest.watched_keys().filter(|key| holds(here, key) || holds(there, key)) {
                interest.changed(key);
            }
            for key in interest.awaited_keys().filter(|key| holds(here, key) || holds(there, key)) {
                effects.ready.push((here as u32, key.into()));
            }
        }
    }

    /// Those interested in keys of a database, to add to them.
    pub fn interest(&mut self, db: u32) -> &mut Interest {
        self.db_mut(db).interest.get_or_insert_default()
    }

    /// Forgets a database's interest if there is none left.
    pub fn forget_interest(&mut self, db: u32) {
        if let Some(own) = self.dbs.get_mut(db as usize)
            && own.interest.as_ref().is_some_and(|interest| interest.is_empty())
        {
            own.interest = None;
        }
    }

    /// The numbers of keys that are watched, and of those that somebody waits for.
    pub fn keys_of_interest(&self) -> (usize, usize) {
        let interests = self.dbs.iter().filter_map(|db| db.interest.as_ref());
        interests.fold((0, 0), |(watched, awaited), interest| {
            (watched + interest.watched_keys().count(), awaited + interest.awaited_keys().count())
        })
    }

    /// Whether anybody who waits for a key here needs keys elsewhere to be served.
    #[inline]
    pub fn has_far_waiters(&self) -> bool {
        self.far_waiters > 0
    }

    /// Takes note of a client that waits for a key here and needs keys elsewhere to be served.
    pub fn add_far_waiter(&mut self) {
        self.far_waiters += 1;
    }

    /// Undoes [`Shard::add_far_waiter`].
    pub fn remove_far_waiter(&mut self) {
        self.far_waiters -= 1;
    }

    /// The clients that wait for a key, first come first.
    pub fn waiters(&self, db: u32, key: &[u8]) -> Vec<u64> {
        let interest = self.db(db).and_then(|db| db.interest.as_ref());
        interest.map_or_else(Vec::new, |interest| interest.waiters(key).collect())
    }

    /// Visits keys of a database in hash order and gives the position from which to go on, zero at the end of the
    /// shard; see [`Table::scan`].
    pub fn scan(&self, db: u32, position: u64, visit: impl FnMut(&Entry)) -> u64 {
        self.db(db).map_or(0, |db| db.table.scan(position, visit))
    }

    /// Keeps an index of the keys by their slots from now on; there must be none yet.
    pub fn index_slots(&mut self) {
        debug_assert!(self.dbs().all(|db| self.is_empty(db)), "keys that came before are not indexed");
        self.slots = Some(Box::default());
    }

    /// Whether the keys are indexed by their slots.
    pub(crate) fn indexes_slots(&self) -> bool {
        self.slots.is_some()
    }

    /// The number of keys of a slot, dead ones included; zero without an index.
    pub fn keys_in_slot(&self, slot: u16) -> usize {
        self.slots.as_ref().map_or(0, |slots| slots.count(slot))
    }

    /// The keys of a slot, dead ones included; none without an index.
    pub fn slot(&self, slot: u16) -> impl Iterator<Item = Ref<'_, Entry>> {
        let indexed = self.db(0).zip(self.slots.as_ref());
        indexed.into_iter().flat_map(move |(db, slots)| {
            let place = move |hash| {
                let same = |entry: &Entry| db.table.hash(entry.key()) == hash;
                db.table.find_fragment(fragment(hash, self.skip), same)
            };
            slots.hashes(slot).filter_map(place).map(move |place| db.table.at(place))
        })
    }

    /// A key of a database, drawn from all alike, dead or alive.
    pub fn random(&mut self, db: u32) -> Option<Ref<'_, Entry>> {
        let place = self.draw_key(db)?;
        Some(self.dbs[db as usize].table.at(place))
    }

    /// The place of a key drawn from all alike.
    pub(crate) fn draw_key(&mut self, db: u32) -> Option<Place> {
        let Shard { dbs, random, .. } = self;
        dbs.get(db as usize)?.table.random(|| next_random(random))
    }

    /// The places of keys drawn from all alike, at least so many but `N` at most; see [`Table::random_places`].
    pub(crate) fn draw_keys<const N: usize>(&mut self, db: u32, count: usize) -> ArrayVec<Place, N> {
        let Shard { dbs, random, .. } = self;
        let own = dbs.get(db as usize);
        own.map(|own| own.table.random_places(count, || next_random(random))).unwrap_or_default()
    }

    /// All keys of a database, dead or alive.
    pub fn iter(&self, db: u32) -> impl Iterator<Item = Ref<'_, Entry>> {
        self.db(db).into_iter().flat_map(|db| db.table.iter())
    }

    /// Asks the processor to fetch a key's bucket, or, once that is there, its entry.
    #[inline]
    pub(crate) fn prefetch(&self, db: u32, key: &Key<'_>, entry: bool) {
        match self.db(db) {
            Some(db) if entry => db.table.prefetch_item(key.hash),
            Some(db) => db.table.prefetch(key.hash),
            None => {}
        }
    }

    /// Checks the invariants; for tests.
    pub fn check_invariants(&self) {
        let mut used = 0;
        for db in &self.dbs {
            db.table.check_invariants();
            db.wheel.check_invariants();
            used += db.table.heap_bytes() + db.wheel.heap_bytes();
            let (mut volatile, mut sum, mut fading) = (0, 0, 0);
            for entry in db.table.iter() {
                used += entry.heap_bytes();
                match entry.value() {
                    ValueRef::Text(_) | ValueRef::Stream(_) => {}
                    ValueRef::List(list) => assert!(!list.is_empty()),
                    ValueRef::Set(set) => assert!(!set.is_empty()),
                    ValueRef::Hash(hash) => assert!(!hash.is_empty()),
                    ValueRef::ZSet(zset) => assert!(!zset.is_empty()),
                }
                if let Some(at_ms) = entry.expire_at_ms() {
                    volatile += 1;
                    sum += i128::from(at_ms);
                }
                fading += usize::from(soonest_field_ms(&entry).is_some());
            }
            assert_eq!((volatile, sum, fading), (db.volatile, db.volatile_sum_ms, db.fading));
        }
        if let Some(slots) = &self.slots {
            used += slots.heap_bytes();
            assert_eq!(slots.heap_bytes(), self.len(0) * SlotIndex::default().add(b"", 0) as usize);
        }
        assert_eq!(used, self.used_bytes);
    }
}

impl Db {
    fn new(seed: u64, skip: u8) -> Self {
        Db {
            table: Table::new(seed, skip),
            volatile: 0,
            volatile_sum_ms: 0,
            fading: 0,
            wheel: Wheel::default(),
            interest: None,
            progress: None,
        }
    }

    /// What table, entries and wheel take, in bytes.
    fn heap_bytes(&self) -> usize {
        self.wheel.heap_bytes()
            + self.table.heap_bytes()
            + self.table.iter().map(|entry| entry.heap_bytes()).sum::<usize>()
    }

    /// Whether the wheel has so many records without a key that a new one pays.
    #[inline]
    fn is_littered(&self) -> bool {
        self.wheel.is_littered(self.volatile + self.fading, self.table.len())
    }

    /// A wheel with one record for every key that needs one.
    fn rebuild_wheel(&mut self, skip: u8, now_ms: i64) {
        let mut wheel = Wheel::default();
        for entry in self.table.iter() {
            for at_ms in entry.expire_at_ms().into_iter().chain(soonest_field_ms(&entry)) {
                wheel.add(fragment(self.table.hash(entry.key()), skip), None, gone_from(at_ms), now_ms);
            }
        }
        self.wheel = wheel;
    }
}

/// When the first field of a hash expires; other values have none.
#[inline]
fn soonest_field_ms(entry: &Entry) -> Option<i64> {
    entry.object::<Hash>()?.soonest_ms()
}

/// The next of a sequence of random numbers (xorshift64*).
#[inline]
fn next_random(state: &mut u64) -> u64 {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    state.wrapping_mul(0x2545_F491_4F6C_DD1D)
}

#[cfg(test)]
mod tests {
    use super::*;
    use structures::hash::Expiry;
    use structures::table;

    #[test]
    fn keys_are_found_by_their_slots_until_they_go() {
        let mut shard = Shard::new(7, 0, 0, Arc::new(Params::new(7)));
        shard.index_slots();
        let mut effects = Effects::default();
        let key = |bytes| Key { bytes, hash: table::hash(7, bytes) };
        let names: Vec<String> = (0..500).map(|number| format!("{{tag{}}}:{number}", number % 5)).collect();
        let slot = crate::slots::slot_of(b"tag3");
        let listed = |shard: &Shard| {
            let mut listed: Vec<Vec<u8>> = shard.slot(slot).map(|entry| entry.key().to_vec()).collect();
            listed.sort_unstable();
            listed
        };
        for name in &names {
            let mut spot = shard.spot(&mut effects, Moment::at(1), 0, key(name.as_bytes()));
            spot.replace(Entry::new(name.as_bytes(), structures::entry::Value::Text(b"value")));
            spot.commit_silently();
        }
        shard.check_invariants();
        let mut expected: Vec<Vec<u8>> = names
            .iter()
            .filter(|name| name.starts_with("{tag3}"))
            .map(|name| name.clone().into_bytes())
            .collect();
        expected.sort_unstable();
        assert_eq!((shard.keys_in_slot(slot), listed(&shard)), (100, expected.clone()));
        for name in &names[..250] {
            let mut spot = shard.spot(&mut effects, Moment::at(1), 0, key(name.as_bytes()));
            assert!(spot.delete(false));
            spot.commit_silently();
        }
        shard.check_invariants();
        expected.retain(|name| !names[..250].iter().any(|gone| gone.as_bytes() == name));
        assert_eq!((shard.keys_in_slot(slot), listed(&shard)), (50, expected));
        assert!(shard.flush(&mut effects, 0).is_some());
        shard.check_invariants();
        assert_eq!((shard.keys_in_slot(slot), listed(&shard).len()), (0, 0));
    }

    #[test]
    fn hashes_of_which_fields_expire_do_not_litter_the_wheel() {
        let params = Arc::new(Params::new(7));
        let mut shard = Shard::new(7, 0, 0, Arc::clone(&params));
        let mut effects = Effects::default();
        for number in 0..3000i64 {
            let bytes = number.to_be_bytes();
            let key = Key { bytes: &bytes, hash: table::hash(7, &bytes) };
            let spot = shard.spot(&mut effects, Moment::at(1), 0, key);
            let mut hash = spot.object::<Hash>().expect("there is none yet");
            hash.set(b"field", b"value", Expiry::Clear, &params.hash);
            hash.set_expire_at_ms(b"field", Some(1_000_000 + number));
            hash.commit(Event(Class::HASH, "hexpire"));
        }
        assert_eq!(shard.stats(0).fading, 3000);
        assert!(!shard.dbs[0].is_littered(), "a new wheel for every further expiry");
    }
}
