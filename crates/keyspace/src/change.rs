//! The ritual of a write.
//!
//! Every change of a key goes through a [`Spot`] (strings, expiries, whole values) or a [`Change`] (the inside of a
//! collection), and ends with `commit`. In this order, while the shard is held, a commit drops a container that has
//! become empty, accounts memory, breaks watches and tells those who wait, and records events. A spot that is not
//! going to be changed is put down with `leave`; a changed one that is dropped without commit is a bug.

use crate::effects::{Class, Effects, Event};
use crate::locked::Key;
use crate::params::Params;
use crate::shard::{Moment, Shard, gone_from};
use std::ops::{Deref, DerefMut};
use structures::entry::{Entry, Kind, Object, Value};
use structures::packed::Item as Text;
use structures::table::{Place, Ref, RefMut};

/// The key holds another type than the command is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongType;

/// A key's place in its shard, for changing it.
#[must_use = "a spot is committed or left"]
pub struct Spot<'a> {
    shard: &'a mut Shard,
    effects: &'a mut Effects,
    moment: Moment,
    db: u32,
    key: Key<'a>,
    place: Option<Place>,
    /// What the entry took before it was changed, in bytes; nothing while what it takes is accounted.
    before: Option<usize>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Untouched,
    Changed,
    Done,
}

impl<'a> Spot<'a> {
    #[inline]
    pub(crate) fn new(
        shard: &'a mut Shard,
        effects: &'a mut Effects,
        moment: Moment,
        db: u32,
        key: Key<'a>,
        place: Option<Place>,
    ) -> Self {
        Spot { shard, effects, moment, db, key, place, before: None, state: State::Untouched }
    }

    /// Whether the key exists.
    #[inline]
    pub fn exists(&self) -> bool {
        self.place.is_some()
    }

    /// The key.
    pub fn key(&self) -> &'a [u8] {
        self.key.bytes
    }

    /// The entry, if the key exists.
    #[inline]
    pub fn entry(&self) -> Option<Ref<'_, Entry>> {
        let place = self.place?;
        Some(self.shard.db(self.db)?.table.at(place))
    }

    /// What the configuration says.
    #[inline]
    pub fn params(&self) -> &Params {
        self.shard.params()
    }

    /// A random number.
    pub fn draw(&mut self) -> u64 {
        self.shard.draw()
    }

    /// The value, if it is a string.
    ///
    /// # Errors
    /// [`WrongType`] if the key holds something else.
    #[inline]
    pub fn text<R>(&self, read: impl FnOnce(Option<Text<'_>>) -> R) -> Result<R, WrongType> {
        match self.entry() {
            None => Ok(read(None)),
            Some(entry) => entry.text().map(|text| read(Some(text))).ok_or(WrongType),
        }
    }

    #[inline]
    fn entry_mut(&mut self) -> Option<RefMut<'_, Entry>> {
        let place = self.place?;
        self.state = State::Changed;
        self.shard.preserve(self.db, place);
        let entry = self.shard.db_mut(self.db).table.at_mut(place);
        self.before.get_or_insert_with(|| entry.heap_bytes());
        Some(entry)
    }

    /// Makes the value this string, whatever it was; a new key does not expire, an old one goes on as it did.
    #[inline]
    pub fn set_text(&mut self, bytes: &[u8]) {
        let Some((expiry, is_string)) =
            self.entry().map(|entry| (entry.expire_at_ms(), entry.kind().is_string()))
        else {
            return self.put(Entry::new(self.key.bytes, Value::Text(bytes)));
        };
        if !is_string {
            self.replace(Entry::new(self.key.bytes, Value::Text(bytes)));
            self.set_expiry(expiry);
        } else if let Some(mut entry) = self.entry_mut() {
            entry.set_text(bytes);
        }
    }

    /// As [`Spot::set_text`], for an integer.
    #[inline]
    pub fn set_int(&mut self, value: i64) {
        if let Some(place) = self.place
            && self.shard.db_mut(self.db).table.at(place).kind() == Kind::Int
        {
            // It takes what it took.
            self.shard.preserve(self.db, place);
            self.shard.db_mut(self.db).table.at_mut(place).set_int(value);
            self.state = State::Changed;
        } else if let Some(mut entry) = self.entry_mut() {
            entry.set_int(value);
        } else {
            self.put(Entry::new(self.key.bytes, Value::Int(value)));
        }
    }

    /// As [`Spot::set_text`], but what looks like an integer is none.
    pub fn set_verbatim(&mut self, bytes: &[u8]) {
        self.overwrite(|entry| entry.set_verbatim(bytes));
    }

    /// As [`Spot::set_text`], for a string that counts as changed in place.
    pub fn set_raw(&mut self, buffer: Vec<u8>) {
        self.overwrite(|entry| entry.set_raw(buffer));
    }

    fn overwrite(&mut self, set: impl FnOnce(&mut Entry)) {
        // Whatever is no string goes first, and a string takes its place.
        if !self.entry().is_some_and(|entry| entry.kind().is_string()) {
            self.set_text(b"");
        }
        if let Some(mut entry) = self.entry_mut() {
            set(&mut entry);
        }
    }

    /// The value as a string of at least `len` bytes to be changed in place; what is added is zero.
    ///
    /// # Errors
    /// [`WrongType`] if the key holds something else.
    pub fn text_mut(&mut self, len: usize) -> Result<TextMut<'_>, WrongType> {
        if self.place.is_none() {
            self.put(Entry::new(self.key.bytes, Value::Text(b"")));
        }
        let mut entry = self.entry_mut().ok_or(WrongType)?;
        match entry.text_mut(len) {
            Some(_) => Ok(TextMut { entry, len }),
            None => Err(WrongType),
        }
    }

    /// Gives the key another expiry, in ms since the epoch, or none; nothing if there is no key.
    #[inline]
    pub fn set_expiry(&mut self, expire_at_ms: Option<i64>) {
        let Some(old) = self.entry().map(|entry| entry.expire_at_ms()) else { return };
        if old == expire_at_ms {
            self.state = State::Changed;
            return;
        }
        if let Some(mut entry) = self.entry_mut() {
            entry.set_expire_at_ms(expire_at_ms);
        }
        let now_ms = self.moment.now_ms;
        self.shard.count_expiry(self.effects, now_ms, self.db, self.key.hash, old, expire_at_ms);
    }

    /// Sets the access clock.
    pub fn set_clock(&mut self, clock: u32) {
        if let Some(mut entry) = self.entry_mut() {
            entry.set_clock(clock);
        }
    }

    /// Puts a whole entry in the place of whatever is there; its key is this one. It brings its own expiry along. A key
    /// is new only if there was none.
    pub fn replace(&mut self, mut entry: Entry) {
        if let Some(old) = self.take_out() {
            let lazily = self.shard.params().lazy_server_del;
            if entry.clock() == 0 {
                // How often a key has been used does not depend on what it holds.
                entry.set_clock(old.clock());
            }
            self.effects.discard(old, lazily);
            self.settle_in(entry);
        } else {
            self.put(entry);
        }
    }

    /// Takes the entry out; what follows a deletion comes with the commit.
    pub fn take(&mut self) -> Option<Entry> {
        self.take_out()
    }

    /// Deletes the key; it is freed elsewhere if that is wanted and it is large. Whether there was one.
    pub fn delete(&mut self, lazily: bool) -> bool {
        match self.take_out() {
            Some(entry) => {
                self.effects.discard(entry, lazily);
                true
            }
            None => false,
        }
    }

    fn take_out(&mut self) -> Option<Entry> {
        let place = self.place.take()?;
        self.settle_accounts(place);
        self.state = State::Changed;
        Some(self.shard.take(self.effects, self.db, place))
    }

    #[inline]
    fn put(&mut self, entry: Entry) {
        self.settle_in(entry);
        self.event(Event(Class::NEW, "new"));
    }

    #[inline]
    fn settle_in(&mut self, mut entry: Entry) {
        debug_assert!(self.place.is_none());
        if entry.clock() == 0 {
            entry.set_clock(self.shard.initial_clock(self.moment.now_ms));
        }
        self.place = Some(self.shard.insert(self.effects, self.moment.now_ms, self.db, self.key.hash, entry));
        self.state = State::Changed;
    }

    #[inline]
    fn settle_accounts(&mut self, place: Place) {
        if let Some(before) = self.before.take() {
            let bytes = self.shard.db_mut(self.db).table.at(place).heap_bytes();
            self.shard.account(self.effects, bytes as isize - before as isize);
        }
    }

    /// Records an event before those of the commit.
    #[inline]
    pub fn event(&mut self, event: Event) {
        self.shard.notify(self.effects, event, self.db, self.key.bytes);
    }

    /// Records an event of another key, which has changed together with this one.
    pub fn event_of(&mut self, event: Event, db: u32, key: &[u8]) {
        self.shard.notify(self.effects, event, db, key);
    }

    /// The inside of a collection; an empty one if there is no key.
    ///
    /// # Errors
    /// [`WrongType`] if the key holds something else.
    #[inline]
    pub fn object<O: Object>(mut self) -> Result<Change<'a, O>, WrongType> {
        let object = match self.place {
            None => Some(O::empty()),
            Some(place) => {
                self.settle_accounts(place);
                self.state = State::Changed;
                self.shard.preserve(self.db, place);
                self.shard.db_mut(self.db).table.at_mut(place).take_object()
            }
        };
        match object {
            Some(object) => Ok(Change {
                soonest_ms: object.soonest_ms(),
                before: object.heap_bytes(),
                spot: self,
                object: Some(object),
            }),
            None => {
                self.leave();
                Err(WrongType)
            }
        }
    }

    /// Puts a collection back where it was taken from.
    #[inline]
    fn restore<O: Object>(&mut self, object: O) {
        if let Some(place) = self.place {
            self.shard.db_mut(self.db).table.at_mut(place).put_object(object);
        }
    }

    /// Ends the change with one event.
    #[inline]
    pub fn commit(self, event: Event) {
        self.commit_many(event, 1);
    }

    /// Ends the change with one event, as so many changes.
    #[inline]
    pub fn commit_many(mut self, event: Event, changes: u64) {
        self.event(event);
        self.finish(changes);
    }

    /// Ends the change without further events.
    #[inline]
    pub fn commit_silently(mut self) {
        self.finish(1);
    }

    /// Ends the change as a part of that of another key, which counts and records events for both.
    #[inline]
    pub fn commit_as_part(mut self) {
        self.finish(0);
    }

    #[inline]
    fn finish(&mut self, changes: u64) {
        self.finish_aside(changes);
        self.shard.changed(self.effects, self.db, self.key.bytes);
    }

    /// As [`Spot::finish`], without telling those who watch or wait.
    #[inline]
    fn finish_aside(&mut self, changes: u64) {
        if let Some(place) = self.place {
            self.settle_accounts(place);
        }
        self.effects.dirty += changes;
        self.state = State::Done;
    }

    /// Puts the spot down: nothing has been changed.
    #[inline]
    pub fn leave(mut self) {
        self.settle();
    }

    fn settle(&mut self) {
        if self.state == State::Changed
            && let Some(place) = self.place
        {
            // Looking may have changed how the value is stored, but not what it is.
            self.settle_accounts(place);
        }
        self.state = State::Done;
    }
}

impl Drop for Spot<'_> {
    #[inline]
    fn drop(&mut self) {
        debug_assert!(
            self.state != State::Changed || std::thread::panicking(),
            "a change of {:?} was not committed",
            String::from_utf8_lossy(self.key.bytes)
        );
    }
}

/// A string being changed in place.
pub struct TextMut<'a> {
    entry: RefMut<'a, Entry>,
    len: usize,
}

impl TextMut<'_> {
    /// The string's bytes.
    #[inline]
    pub fn bytes(&mut self) -> &mut [u8] {
        self.entry.text_mut(self.len).unwrap_or_default()
    }
}

/// The inside of a collection, being changed.
#[must_use = "a change is committed or left"]
pub struct Change<'a, O: Object> {
    spot: Spot<'a>,
    /// Taken out of the entry; always there until the change ends.
    object: Option<O>,
    /// What it took before the change, in bytes.
    before: usize,
    /// When the first of its members expired by itself, before the change.
    soonest_ms: Option<i64>,
}

impl<'a, O: Object> Change<'a, O> {
    /// Whether the key existed before.
    #[inline]
    pub fn existed(&self) -> bool {
        self.spot.exists()
    }

    /// The collection and what the configuration says.
    #[inline]
    pub fn parts(&mut self) -> (&mut O, &Params) {
        (self.object.as_mut().expect("it is there until the change ends"), self.spot.shard.params())
    }

    /// What the configuration says.
    #[inline]
    pub fn params(&self) -> &Params {
        self.spot.shard.params()
    }

    /// A random number.
    pub fn draw(&mut self) -> u64 {
        self.spot.shard.draw()
    }

    /// Random numbers; see [`Shard::draws`].
    pub fn draws(&mut self) -> impl FnMut() -> u64 + use<O> {
        self.spot.shard.draws()
    }

    /// Records an event before those of the commit.
    #[inline]
    pub fn event(&mut self, event: Event) {
        self.spot.event(event);
    }

    /// Ends the change with one event, and that of the deletion if nothing is left.
    #[inline]
    pub fn commit(self, event: Event) {
        self.commit_many(event, 1);
    }

    /// Ends the change with one event, as so many changes.
    #[inline]
    pub fn commit_many(mut self, event: Event, changes: u64) {
        if self.put_back() {
            self.spot.event(event);
        } else {
            self.spot.event(event);
            self.spot.event(Event(Class::GENERIC, "del"));
        }
        self.spot.finish(changes);
    }

    /// Ends the change without further events but that of the deletion if nothing is left.
    #[inline]
    pub fn commit_silently(mut self) {
        if !self.put_back() {
            self.spot.event(Event(Class::GENERIC, "del"));
        }
        self.spot.finish(1);
    }

    /// Ends the change as so many changes without any event, not even that of the deletion if nothing is left.
    #[inline]
    pub fn commit_unnoticed(mut self, changes: u64) {
        self.put_back();
        self.spot.finish(changes);
    }

    /// Ends the change with these events, in this order, and that of the deletion if nothing is left; as so many changes.
    #[inline]
    pub fn commit_all(mut self, events: &[Event], changes: u64) {
        let stays = self.put_back();
        events.iter().for_each(|&event| self.spot.event(event));
        if !stays {
            self.spot.event(Event(Class::GENERIC, "del"));
        }
        self.spot.finish(changes);
    }

    /// As [`Change::commit_all`], where what has changed does not count as the value, such as the groups of a stream:
    /// those who watch the key are not told, nor are those who wait for it, unless by [`Change::wake`]. A key that did
    /// not exist is a change of the usual kind.
    #[inline]
    pub fn commit_aside(mut self, events: &[Event], changes: u64) {
        if !self.existed() {
            return self.commit_all(events, changes);
        }
        self.put_back();
        events.iter().for_each(|&event| self.spot.event(event));
        self.spot.finish_aside(changes);
    }

    /// Has those who wait for the key look at it again when the command ends.
    pub fn wake(&mut self) {
        let Spot { shard, effects, db, key, .. } = &mut self.spot;
        shard.wake(effects, *db, key.bytes);
    }

    /// Puts the collection down: nothing has been changed. A key that did not exist does not exist.
    #[inline]
    pub fn leave(mut self) {
        if self.spot.exists() {
            self.put_back();
        }
        self.object = None;
        self.spot.settle();
    }

    /// Puts the collection back into its entry, or makes one; whether the key exists then.
    #[inline]
    fn put_back(&mut self) -> bool {
        let Some(object) = self.object.take() else { return true };
        let vanishes = O::KIND != Kind::Stream && object.is_empty();
        if self.spot.place.is_some() {
            let (soonest_ms, bytes) = (object.soonest_ms(), object.heap_bytes());
            self.spot.restore(object);
            self.spot.shard.account(self.spot.effects, bytes as isize - self.before as isize);
            if soonest_ms != self.soonest_ms {
                self.spot.shard.count_fading(self.spot.db, self.soonest_ms, soonest_ms);
            }
            if vanishes {
                self.spot.delete(true);
                return false;
            }
            if let Some(at_ms) = soonest_ms
                && soonest_ms != self.soonest_ms
            {
                let Spot { shard, effects, moment, db, key, .. } = &mut self.spot;
                let old = self.soonest_ms.map(gone_from);
                shard.record_expiry(effects, moment.now_ms, *db, key.hash, old, gone_from(at_ms));
            }
            return true;
        }
        if vanishes {
            return false;
        }
        self.spot.put(Entry::with_object(self.spot.key.bytes, object));
        true
    }
}

impl<O: Object> Deref for Change<'_, O> {
    type Target = O;

    #[inline]
    fn deref(&self) -> &O {
        self.object.as_ref().expect("it is there until the change ends")
    }
}

impl<O: Object> DerefMut for Change<'_, O> {
    #[inline]
    fn deref_mut(&mut self) -> &mut O {
        self.object.as_mut().expect("it is there until the change ends")
    }
}

impl<O: Object> Drop for Change<'_, O> {
    fn drop(&mut self) {
        // A panic in between: the keyspace stays whole.
        if self.object.is_some() && self.spot.exists() {
            self.put_back();
        }
    }
}
