//! Consumer groups: how far a group has read, its consumers, and the entries that they have yet to acknowledge.
//!
//! Invariants: every pending entry belongs to a consumer, and stands in the group's list and in that consumer's, and in
//! no other; `consumer_bytes` is what the consumers take.

use super::pending::Sorted;
use super::{Entries, Pending, StreamId, grow_by_half, taken, vec_bytes};
use crate::block;

/// A consumer within its group, for as long as it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConsumerId(u32);

/// A consumer group; see the module.
pub struct Group {
    name: Box<[u8]>,
    /// The last entry that was delivered to any consumer.
    last_id: StreamId,
    /// How many entries have been delivered, if that is known.
    entries_read: Option<u64>,
    pending: Sorted<Pending>,
    /// By their numbers.
    consumers: Vec<Option<Box<Consumer>>>,
    /// The consumers' numbers, in the order of their names.
    by_name: Vec<ConsumerId>,
    /// What the consumers take from the allocator, in bytes.
    consumer_bytes: usize,
}

/// A consumer.
#[derive(Clone)]
pub struct Consumer {
    name: Box<[u8]>,
    /// When it was last heard of, in ms since the epoch.
    seen_ms: i64,
    /// When it last got something, in ms since the epoch.
    active_ms: Option<i64>,
    pending: Sorted<StreamId>,
}

impl Consumer {
    /// Its name.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// When it was last heard of, in ms since the epoch.
    pub fn seen_ms(&self) -> i64 {
        self.seen_ms
    }

    /// When it last got something, in ms since the epoch.
    pub fn active_ms(&self) -> Option<i64> {
        self.active_ms
    }

    /// The number of entries that it has yet to acknowledge.
    pub fn pending_len(&self) -> usize {
        self.pending.len()
    }

    /// The ids of entries that it has yet to acknowledge, from one on.
    pub fn pending_from(&self, id: StreamId) -> impl Iterator<Item = StreamId> {
        self.pending.iter_from(id).copied()
    }

    fn heap_bytes(&self) -> usize {
        block::class(size_of::<Consumer>()) + taken(self.name.len()) + self.pending.heap_bytes()
    }
}

impl Group {
    pub(super) fn new(name: &[u8], last_id: StreamId, entries_read: Option<u64>) -> Group {
        Group {
            name: name.into(),
            last_id,
            entries_read,
            pending: Sorted::new(),
            consumers: Vec::new(),
            by_name: Vec::new(),
            consumer_bytes: 0,
        }
    }

    /// The group's name.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// What the group holds takes from the allocator, in bytes.
    pub fn heap_bytes(&self) -> usize {
        taken(self.name.len())
            + self.pending.heap_bytes()
            + vec_bytes(&self.consumers)
            + vec_bytes(&self.by_name)
            + self.consumer_bytes
    }

    /// The last entry that was delivered.
    #[inline]
    pub fn last_id(&self) -> StreamId {
        self.last_id
    }

    /// How many entries have been delivered, of all that were ever added, if that is known.
    pub fn entries_read(&self) -> Option<u64> {
        self.entries_read
    }

    /// Says how far the group has read.
    pub fn set_last_id(&mut self, last_id: StreamId, entries_read: Option<u64>) {
        self.last_id = last_id;
        self.entries_read = entries_read;
    }

    /// Takes note that an entry is delivered; nothing if it is not after the last one.
    pub fn advance(&mut self, entries: &Entries, id: StreamId) {
        if id <= self.last_id {
            return;
        }
        match self.entries_read {
            Some(read) if !entries.has_gap_from(id) => self.entries_read = Some(read.wrapping_add(1)),
            _ if entries.added() > 0 => self.entries_read = entries.ordinal(id),
            _ => {}
        }
        self.last_id = id;
    }

    /// How many entries have yet to be delivered, if that can be told.
    pub fn lag(&self, entries: &Entries) -> Option<i64> {
        if entries.added() == 0 {
            return Some(0);
        }
        let read = self.entries_read.filter(|_| !entries.has_gap_from(self.last_id));
        let read = read.or_else(|| entries.ordinal(self.last_id))?;
        Some(entries.added().wrapping_sub(read) as i64)
    }

    /// The consumer of a name.
    pub fn consumer(&self, name: &[u8]) -> Option<ConsumerId> {
        self.find(name).ok().map(|index| self.by_name[index])
    }

    /// The consumer with a number that this group has given.
    #[inline]
    pub fn consumer_at(&self, id: ConsumerId) -> &Consumer {
        self.consumers[id.0 as usize].as_ref().expect("a number is given up only with its consumer")
    }

    /// The consumers, in the order of their names.
    pub fn consumers(&self) -> impl ExactSizeIterator<Item = &Consumer> {
        self.by_name.iter().map(|&id| self.consumer_at(id))
    }

    /// Adds a consumer of a name that no other has; it is seen now.
    pub fn create_consumer(&mut self, name: &[u8], now_ms: i64) -> ConsumerId {
        let (Ok(index) | Err(index)) = self.find(name);
        let has_free = self.by_name.len() < self.consumers.len();
        let free = if has_free { self.consumers.iter().position(Option::is_none) } else { None };
        let id = ConsumerId(free.unwrap_or(self.consumers.len()) as u32);
        let consumer = Box::new(Consumer {
            name: name.into(),
            seen_ms: now_ms,
            active_ms: None,
            pending: Sorted::new(),
        });
        self.consumer_bytes += consumer.heap_bytes();
        if free.is_none() {
            grow_by_half(&mut self.consumers);
            self.consumers.push(None);
        }
        self.consumers[id.0 as usize] = Some(consumer);
        grow_by_half(&mut self.by_name);
        self.by_name.insert(index, id);
        id
    }

    /// Removes a consumer with all that is pending for it; gives how many entries those were.
    pub fn remove_consumer(&mut self, name: &[u8]) -> Option<usize> {
        let index = self.find(name).ok()?;
        let id = self.by_name.remove(index);
        let consumer = self.consumers[id.0 as usize].take()?;
        self.consumer_bytes -= consumer.heap_bytes();
        for &entry in consumer.pending.iter() {
            self.pending.remove(entry);
        }
        Some(consumer.pending.len())
    }

    /// Takes note that a consumer was heard of.
    pub fn see(&mut self, consumer: ConsumerId, now_ms: i64) {
        self.consumer_mut(consumer).seen_ms = now_ms;
    }

    /// Takes note that a consumer got something.
    pub fn activate(&mut self, consumer: ConsumerId, now_ms: i64) {
        self.consumer_mut(consumer).active_ms = Some(now_ms);
    }

    /// The number of entries that are pending.
    pub fn pending_len(&self) -> usize {
        self.pending.len()
    }

    /// The number of entries that are pending for the consumer of a name.
    pub fn pending_len_of(&self, name: &[u8]) -> usize {
        self.consumer(name).map_or(0, |consumer| self.consumer_at(consumer).pending_len())
    }

    /// The first and the last entry that are pending.
    pub fn pending_ends(&self) -> Option<(StreamId, StreamId)> {
        let first = self.pending.iter().next()?;
        Some((first.id, self.pending.last()?.id))
    }

    /// Entries that are pending, from an id on.
    pub fn pending_from(&self, id: StreamId) -> impl Iterator<Item = &Pending> {
        self.pending.iter_from(id)
    }

    /// An entry that is pending.
    pub fn pending(&self, id: StreamId) -> Option<&Pending> {
        self.pending.get(id)
    }

    /// Makes an entry pending, whether it is already or not, and whoever had it.
    pub fn assign(&mut self, new: Pending) {
        match self.pending.get_mut(new.id) {
            Some(own) => {
                let former = std::mem::replace(own, new).consumer;
                if former == new.consumer {
                    return;
                }
                self.change_list(former, |list| {
                    list.remove(new.id);
                });
            }
            None => self.pending.insert(new),
        }
        self.change_list(new.consumer, |list| list.insert(new.id));
    }

    /// Takes an entry out of those that are pending; whether it was one.
    pub fn acknowledge(&mut self, id: StreamId) -> bool {
        let Some(pending) = self.pending.remove(id) else { return false };
        self.change_list(pending.consumer, |list| {
            list.remove(id);
        });
        true
    }

    fn change_list(&mut self, consumer: ConsumerId, change: impl FnOnce(&mut Sorted<StreamId>)) {
        let list = &mut self.consumer_mut(consumer).pending;
        let before = list.heap_bytes();
        change(list);
        let after = list.heap_bytes();
        self.consumer_bytes = self.consumer_bytes - before + after;
    }

    fn consumer_mut(&mut self, id: ConsumerId) -> &mut Consumer {
        self.consumers[id.0 as usize].as_mut().expect("a number is given up only with its consumer")
    }

    fn find(&self, name: &[u8]) -> Result<usize, usize> {
        self.by_name.binary_search_by(|&id| (*self.consumer_at(id).name).cmp(name))
    }

    /// Checks the invariants; for tests.
    pub fn check_invariants(&self) {
        assert!(self.consumers().map(Consumer::name).is_sorted_by(|a, b| a < b));
        assert_eq!(self.consumers.iter().flatten().count(), self.by_name.len());
        self.pending.check_invariants();
        self.consumers().for_each(|consumer| consumer.pending.check_invariants());
        assert_eq!(self.consumers().map(Consumer::pending_len).sum::<usize>(), self.pending.len());
        for pending in self.pending.iter() {
            assert!(self.consumer_at(pending.consumer).pending.get(pending.id).is_some());
        }
        assert_eq!(self.consumer_bytes, self.consumers().map(Consumer::heap_bytes).sum::<usize>());
    }
}

impl Clone for Group {
    fn clone(&self) -> Self {
        let mut copy = Group {
            name: self.name.clone(),
            pending: self.pending.clone(),
            consumers: self.consumers.clone(),
            by_name: self.by_name.clone(),
            ..*self
        };
        // Copies take no more than they hold.
        copy.consumer_bytes = copy.consumers().map(Consumer::heap_bytes).sum();
        copy
    }
}
