//! A node of a stream: entries whose ids lie close together, in one packed list.
//!
//! The list is the one that Redis saves, and its format is public, so that streams are saved and loaded by copying and
//! `stream-node-max-bytes` cuts where it cuts there:
//!
//! ```text
//! head:  entries | deleted entries | N | N names | 0
//! entry: flags | ms, less the node's | seq, less the node's | N values                    | items before this one
//!        flags | ms, less the node's | seq, less the node's | M | M names with their values | items before this one
//! ```
//!
//! An entry whose fields have the names in the head, in that order, leaves them out, and is flagged so. A deleted entry
//! is flagged and stays where it is until the whole node goes.
//!
//! Invariants: the ids of entries that are not deleted ascend, from the node's own on; the counts in the head are right.
//! A deleted entry may have a later id than those after it, since a stream can be told to give ids again.

use super::StreamId;
use crate::packed::{Item, Malformed, Packed};

/// The entry is deleted.
const DELETED: i64 = 1;
/// The names of the entry's fields are those in the head.
const SAME_NAMES: i64 = 2;
/// Items of an entry before its fields.
const ENTRY_ITEMS: usize = 3;
/// Most bytes that a list adds to a string.
pub(super) const ITEM_OVERHEAD: usize = 10;
/// More bytes than head and entry take beside names and values.
pub(super) const NODE_OVERHEAD: usize = 128;

/// A node; see the module.
#[derive(Clone)]
pub(super) struct Node {
    /// The id of the first entry that was ever in it; the others' are stored as differences.
    pub(super) id: StreamId,
    pub(super) list: Packed,
}

/// What a list begins with.
#[derive(Clone, Copy, Default)]
pub(super) struct Head {
    pub(super) live: usize,
    pub(super) deleted: usize,
    /// The number of names.
    names: usize,
    names_at: usize,
    /// Where the first entry is.
    pub(super) start: usize,
}

/// Where an entry is, and what it begins with.
#[derive(Clone, Copy)]
pub(super) struct Place {
    at: usize,
    pub(super) id: StreamId,
    flags: i64,
    /// The number of fields.
    fields: usize,
    fields_at: usize,
    /// Where the next entry is.
    pub(super) after: usize,
}

impl Place {
    #[inline]
    pub(super) fn start(&self) -> usize {
        self.at
    }

    #[inline]
    pub(super) fn is_deleted(&self) -> bool {
        self.flags & DELETED != 0
    }
}

impl Node {
    /// A node with one entry; `fields` are names and values by turns.
    pub(super) fn new<'a>(id: StreamId, fields: impl Iterator<Item = &'a [u8]> + Clone) -> Node {
        let names = fields.clone().step_by(2);
        let mut list = Packed::new();
        let count = Item::Int(names.clone().count() as i64);
        list.extend([Item::Int(0), Item::Int(0), count].into_iter());
        list.extend(names.map(Item::of).chain([Item::Int(0)]));
        let mut node = Node { id, list };
        node.append(id, fields);
        node
    }

    /// A node of a list that somebody has saved.
    ///
    /// # Errors
    /// [`Malformed`] where the list is not a node's, or its entries are not in order.
    pub(super) fn from_list(id: StreamId, list: Packed) -> Result<Node, Malformed> {
        let node = Node { id, list };
        node.validate()?;
        Ok(node)
    }

    /// Adds an entry at the end.
    pub(super) fn append<'a>(&mut self, id: StreamId, fields: impl Iterator<Item = &'a [u8]> + Clone) {
        let head = self.head();
        let start = |flags: i64| {
            let (ms, seq) = (id.ms.wrapping_sub(self.id.ms), id.seq.wrapping_sub(self.id.seq));
            [Item::Int(flags), Item::Int(ms as i64), Item::Int(seq as i64)].into_iter()
        };
        if self.has_names(&head, fields.clone().step_by(2)) {
            let end = [Item::Int((ENTRY_ITEMS + head.names) as i64)];
            self.list.extend(start(SAME_NAMES).chain(fields.skip(1).step_by(2).map(Item::of)).chain(end));
        } else {
            let items = fields.clone().count();
            let count = [Item::Int(items as i64 / 2)];
            let end = [Item::Int((ENTRY_ITEMS + 1 + items) as i64)];
            self.list.extend(start(0).chain(count).chain(fields.map(Item::of)).chain(end));
        }
        self.set_counts(head.live + 1, head.deleted);
    }

    fn has_names<'a>(&self, head: &Head, names: impl Iterator<Item = &'a [u8]>) -> bool {
        let mut at = head.names_at;
        let mut left = head.names;
        for name in names {
            if left == 0 {
                return false;
            }
            let (own, after) = self.list.entry(at);
            if !own.is(name) {
                return false;
            }
            (at, left) = (after, left - 1);
        }
        left == 0
    }

    /// What the list begins with.
    #[inline]
    pub(super) fn head(&self) -> Head {
        let (live, at) = self.count(self.list.start());
        let (deleted, at) = self.count(at);
        let (names, names_at) = self.count(at);
        Head { live, deleted, names, names_at, start: self.skip(names_at, names + 1) }
    }

    /// The entry at a position.
    #[inline]
    pub(super) fn place(&self, head: &Head, at: usize) -> Place {
        let (flags, next) = self.int(at);
        let (ms, next) = self.int(next);
        let (seq, next) = self.int(next);
        let id = StreamId::new(self.id.ms.wrapping_add(ms as u64), self.id.seq.wrapping_add(seq as u64));
        let (fields, fields_at, items) = if flags & SAME_NAMES != 0 {
            (head.names, next, head.names)
        } else {
            let (fields, fields_at) = self.count(next);
            (fields, fields_at, 2 * fields)
        };
        Place { at, id, flags, fields, fields_at, after: self.skip(fields_at, items + 1) }
    }

    /// The entry before a position, which is not that of the first.
    #[inline]
    pub(super) fn place_before(&self, head: &Head, at: usize) -> Place {
        let mut start = self.list.prev(at).unwrap_or(head.start);
        for _ in 0..self.count(start).0 {
            start = self.list.prev(start).unwrap_or(head.start);
        }
        self.place(head, start.max(head.start))
    }

    /// The id of the last entry, deleted or not.
    pub(super) fn last_id(&self) -> StreamId {
        self.place_before(&self.head(), self.list.end()).id
    }

    /// What there is at a place.
    #[inline]
    pub(super) fn entry(&self, head: &Head, place: &Place) -> Entry<'_> {
        let names_at = (place.flags & SAME_NAMES != 0).then_some(head.names_at);
        Entry {
            id: place.id,
            fields: Fields { list: &self.list, names_at, at: place.fields_at, left: place.fields },
        }
    }

    /// The entry of an id, if it is not deleted.
    pub(super) fn find(&self, head: &Head, id: StreamId) -> Option<Place> {
        let mut at = head.start;
        while at < self.list.end() {
            let place = self.place(head, at);
            if place.id >= id && !place.is_deleted() {
                return (place.id == id).then_some(place);
            }
            at = place.after;
        }
        None
    }

    /// Deletes an entry that is not deleted; another one is left.
    pub(super) fn delete(&mut self, head: &Head, place: &Place) {
        self.flag_deleted(place);
        self.set_counts(head.live - 1, head.deleted + 1);
    }

    /// Deletes entries from the first on while `goes` says so, without all going; gives how many.
    pub(super) fn delete_while(&mut self, mut goes: impl FnMut(StreamId) -> bool) -> usize {
        let head = self.head();
        let mut at = head.start;
        let mut deleted = 0;
        while at < self.list.end() {
            let place = self.place(&head, at);
            if !place.is_deleted() {
                if !goes(place.id) {
                    break;
                }
                self.flag_deleted(&place);
                deleted += 1;
            }
            at = place.after;
        }
        if deleted > 0 {
            self.set_counts(head.live - deleted, head.deleted + deleted);
        }
        deleted
    }

    /// Flags take one byte, whichever they are: nothing moves.
    fn flag_deleted(&mut self, place: &Place) {
        self.list.replace_item(place.at, Item::Int(place.flags | DELETED));
    }

    fn set_counts(&mut self, live: usize, deleted: usize) {
        let at = self.list.replace_item(self.list.start(), Item::Int(live as i64));
        if self.count(at).0 != deleted {
            self.list.replace_item(at, Item::Int(deleted as i64));
        }
    }

    #[inline]
    fn int(&self, at: usize) -> (i64, usize) {
        match self.list.entry(at) {
            (Item::Int(value), after) => (value, after),
            (Item::Str(_), after) => {
                debug_assert!(false, "a string where a number belongs");
                (0, after)
            }
        }
    }

    #[inline]
    fn count(&self, at: usize) -> (usize, usize) {
        let (value, after) = self.int(at);
        (value as usize, after)
    }

    /// The position after `items` items.
    #[inline]
    fn skip(&self, at: usize, items: usize) -> usize {
        (0..items).fold(at, |at, _| self.list.next(at))
    }

    /// Checks everything that the other functions rest on.
    fn validate(&self) -> Result<(), Malformed> {
        let end = self.list.end();
        let item = |at: usize| if at < end { Ok(self.list.entry(at)) } else { Err(Malformed { offset: at }) };
        let int = |at: usize| match item(at)? {
            (Item::Int(value), after) => Ok((value, after)),
            (Item::Str(_), _) => Err(Malformed { offset: at }),
        };
        // No list has more items than bytes.
        let count = |at: usize| match int(at)? {
            (value, after) if (0..=end as i64).contains(&value) => Ok((value as usize, after)),
            _ => Err(Malformed { offset: at }),
        };
        let skip = |at: usize, items: usize| (0..items).try_fold(at, |at, _| Ok(item(at)?.1));
        let (live, at) = count(self.list.start())?;
        let (deleted, at) = count(at)?;
        let (names, at) = count(at)?;
        let (zero, mut at) = int(skip(at, names)?)?;
        let (mut own_live, mut own_deleted) = (0, 0);
        let mut last = None;
        while at < end {
            let here = at;
            let (flags, next) = int(at)?;
            let (ms, next) = int(next)?;
            let (seq, next) = int(next)?;
            let id = StreamId::new(self.id.ms.wrapping_add(ms as u64), self.id.seq.wrapping_add(seq as u64));
            let (items, next) = if flags & SAME_NAMES != 0 {
                (names, skip(next, names)?)
            } else {
                let (fields, next) = count(next)?;
                (2 * fields + 1, skip(next, 2 * fields)?)
            };
            let (back, next) = count(next)?;
            if !(0..4).contains(&flags) || back != ENTRY_ITEMS + items {
                return Err(Malformed { offset: here });
            }
            if flags & DELETED != 0 {
                own_deleted += 1;
            } else if last >= Some(id) || id < self.id {
                return Err(Malformed { offset: here });
            } else {
                own_live += 1;
                last = Some(id);
            }
            at = next;
        }
        if zero != 0 || live + deleted == 0 || (own_live, own_deleted) != (live, deleted) {
            return Err(Malformed { offset: self.list.start() });
        }
        Ok(())
    }

    /// Checks the invariants; for tests.
    pub(super) fn check_invariants(&self) {
        self.list.check_invariants();
        assert_eq!(self.validate(), Ok(()));
    }
}

/// An entry of a stream.
#[derive(Clone)]
pub struct Entry<'a> {
    /// Its id.
    pub id: StreamId,
    /// Its fields: names with their values.
    pub fields: Fields<'a>,
}

/// The fields of an entry, in the order in which they were given: names with their values.
#[derive(Clone)]
pub struct Fields<'a> {
    list: &'a Packed,
    /// Where the next name is, if not before the value.
    names_at: Option<usize>,
    at: usize,
    left: usize,
}

impl<'a> Iterator for Fields<'a> {
    type Item = (Item<'a>, Item<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let name = match &mut self.names_at {
            Some(at) => {
                let (name, after) = self.list.entry(*at);
                *at = after;
                name
            }
            None => {
                let (name, after) = self.list.entry(self.at);
                self.at = after;
                name
            }
        };
        let (value, after) = self.list.entry(self.at);
        self.at = after;
        Some((name, value))
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Fields<'_> {}
