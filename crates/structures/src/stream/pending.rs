//! Entries that have been delivered and not acknowledged, in the order of their ids.
//!
//! Few lie in one vector, many in a tree: most consumers have hardly any.

use super::{ConsumerId, StreamId, vec_bytes};
use crate::order::Order;
use std::cmp::Ordering;

/// More than these are many.
const FEW: usize = 32;

/// An entry that a consumer of the group has yet to acknowledge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The entry's id; it may have been deleted meanwhile.
    pub id: StreamId,
    /// When it was delivered last, in ms since the epoch.
    pub delivered_ms: i64,
    /// How often it has been delivered.
    pub deliveries: u64,
    /// To whom.
    pub consumer: ConsumerId,
}

impl Pending {
    /// How long ago the entry was delivered, in ms; negative if the clock has been set back.
    #[inline]
    pub fn idle_ms(&self, now_ms: i64) -> i64 {
        now_ms.saturating_sub(self.delivered_ms)
    }
}

/// What has an id.
pub(super) trait Identified: Copy + PartialEq {
    fn id(&self) -> StreamId;
}

impl Identified for Pending {
    #[inline]
    fn id(&self) -> StreamId {
        self.id
    }
}

impl Identified for StreamId {
    #[inline]
    fn id(&self) -> StreamId {
        *self
    }
}

/// Things in the order of their ids.
pub(super) enum Sorted<T> {
    Few(Vec<T>),
    Many(Order<T>),
}

impl<T: Identified> Sorted<T> {
    pub(super) const fn new() -> Self {
        Sorted::Few(Vec::new())
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        match self {
            Sorted::Few(few) => few.len(),
            Sorted::Many(many) => many.len(),
        }
    }

    /// What it takes from the allocator, in bytes.
    #[inline]
    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Sorted::Few(few) => vec_bytes(few),
            Sorted::Many(many) => many.heap_bytes(),
        }
    }

    /// How many come before an id.
    #[inline]
    fn rank(&self, id: StreamId) -> usize {
        match self {
            Sorted::Few(few) => few.partition_point(|own| own.id() < id),
            Sorted::Many(many) => many.count_while(|own| own.id() < id),
        }
    }

    pub(super) fn get(&self, id: StreamId) -> Option<&T> {
        let rank = self.rank(id);
        let found = match self {
            Sorted::Few(few) => few.get(rank),
            Sorted::Many(many) => many.get(rank),
        };
        found.filter(|own| own.id() == id)
    }

    /// What has this id, for changing everything but that.
    pub(super) fn get_mut(&mut self, id: StreamId) -> Option<&mut T> {
        let rank = self.rank(id);
        let found = match self {
            Sorted::Few(few) => few.get_mut(rank),
            Sorted::Many(many) => many.get_mut(rank),
        };
        found.filter(|own| own.id() == id)
    }

    /// Adds something whose id is not there.
    pub(super) fn insert(&mut self, new: T) {
        if let Sorted::Few(few) = self {
            if few.len() < FEW {
                if few.len() == few.capacity() {
                    few.reserve_exact(few.len().max(1));
                }
                few.insert(few.partition_point(|own| own.id() < new.id()), new);
                return;
            }
            let mut many = Order::new();
            few.iter().for_each(|&own| many.insert(own, &compare));
            *self = Sorted::Many(many);
        }
        if let Sorted::Many(many) = self {
            many.insert(new, &compare);
        }
    }

    pub(super) fn remove(&mut self, id: StreamId) -> Option<T> {
        let removed = *self.get(id)?;
        match self {
            Sorted::Few(few) => {
                few.retain(|own| own.id() != id);
                if few.is_empty() {
                    *few = Vec::new();
                }
            }
            Sorted::Many(many) => {
                many.remove(&removed, &compare);
                if many.len() <= FEW / 4 {
                    *self = Sorted::Few(many.iter_from(0).copied().collect());
                }
            }
        }
        Some(removed)
    }

    /// Those from an id on.
    pub(super) fn iter_from(&self, id: StreamId) -> impl Iterator<Item = &T> {
        let rank = self.rank(id);
        let (few, many) = match self {
            Sorted::Few(few) => (&few[rank..], None),
            Sorted::Many(many) => (&[][..], Some(many.iter_from(rank))),
        };
        few.iter().chain(many.into_iter().flatten())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.iter_from(StreamId::MIN)
    }

    pub(super) fn last(&self) -> Option<&T> {
        match self {
            Sorted::Few(few) => few.last(),
            Sorted::Many(many) => many.get(many.len() - 1),
        }
    }

    /// Checks the invariants; for tests.
    pub(super) fn check_invariants(&self) {
        match self {
            Sorted::Few(few) => assert!(few.len() <= FEW && few.is_sorted_by(|a, b| a.id() < b.id())),
            Sorted::Many(many) => many.check_invariants(&compare),
        }
    }
}

impl<T: Identified> Clone for Sorted<T> {
    fn clone(&self) -> Self {
        let mut copy = Sorted::new();
        self.iter().for_each(|&own| copy.insert(own));
        copy
    }
}

#[inline]
fn compare<T: Identified>(a: &T, b: &T) -> Ordering {
    a.id().cmp(&b.id())
}
