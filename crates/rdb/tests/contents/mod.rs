//! What tests compare: all that a value holds, however it is stored.

use rdb::Limits;
use std::collections::BTreeMap;
use structures::entry::{Entry, ValueRef};
use structures::packed::Item;
use structures::stream::{Stream, StreamId};
use structures::{hash, list, set, zset};

pub(crate) type Bytes = Vec<u8>;

/// All that a value holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Contents {
    Text(Bytes),
    List(Vec<Bytes>),
    /// In ascending order.
    Set(Vec<Bytes>),
    /// Values with expiries.
    Hash(BTreeMap<Bytes, (Bytes, Option<i64>)>),
    ZSet(Vec<(Bytes, f64)>),
    Stream(StreamContents),
}

/// All that a stream holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct StreamContents {
    pub(crate) entries: Vec<(StreamId, Vec<Bytes>)>,
    pub(crate) last_id: StreamId,
    pub(crate) max_deleted_id: StreamId,
    pub(crate) added: u64,
    pub(crate) groups: Vec<GroupContents>,
}

/// All that a group holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct GroupContents {
    pub(crate) name: Bytes,
    pub(crate) last_id: StreamId,
    pub(crate) read: Option<u64>,
    pub(crate) consumers: Vec<ConsumerContents>,
}

/// All that a consumer holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ConsumerContents {
    pub(crate) name: Bytes,
    pub(crate) seen_ms: i64,
    pub(crate) active_ms: Option<i64>,
    /// What is pending, with times and numbers of deliveries.
    pub(crate) pending: Vec<(StreamId, i64, u64)>,
}

fn bytes(item: Item<'_>) -> Bytes {
    item.to_bytes().into_owned()
}

impl Contents {
    /// What an entry holds; its invariants are checked.
    pub(crate) fn of(entry: &Entry) -> Contents {
        match entry.value() {
            ValueRef::Text(text) => Contents::Text(bytes(text)),
            ValueRef::List(list) => {
                list.check_invariants();
                Contents::List(list.iter().map(bytes).collect())
            }
            ValueRef::Set(set) => {
                set.check_invariants();
                let mut members = Vec::new();
                set.for_each(|member| members.push(bytes(member)));
                members.sort();
                Contents::Set(members)
            }
            ValueRef::Hash(hash) => {
                hash.check_invariants();
                let mut fields = BTreeMap::new();
                hash.for_each(|(field, value, expiry)| {
                    assert!(fields.insert(bytes(field), (bytes(value), expiry)).is_none(), "a field twice");
                });
                Contents::Hash(fields)
            }
            ValueRef::ZSet(zset) => {
                zset.check_invariants();
                let mut members = Vec::new();
                zset.for_each(|member, score| members.push((bytes(member), score)));
                Contents::ZSet(members)
            }
            ValueRef::Stream(stream) => {
                stream.check_invariants();
                Contents::Stream(StreamContents::of(&stream))
            }
        }
    }
}

impl StreamContents {
    fn of(stream: &Stream) -> StreamContents {
        let entries = stream.entries();
        let groups = stream.groups().map(|group| GroupContents {
            name: group.name().to_vec(),
            last_id: group.last_id(),
            read: group.entries_read(),
            consumers: group
                .consumers()
                .map(|consumer| {
                    let pending = consumer.pending_from(StreamId::MIN).map(|id| {
                        let pending = group.pending(id).expect("it is pending for the group");
                        (id, pending.delivered_ms, pending.deliveries)
                    });
                    ConsumerContents {
                        name: consumer.name().to_vec(),
                        seen_ms: consumer.seen_ms(),
                        active_ms: consumer.active_ms(),
                        pending: pending.collect(),
                    }
                })
                .collect(),
        });
        StreamContents {
            entries: entries
                .range(StreamId::MIN, StreamId::MAX)
                .map(|entry| {
                    (entry.id, entry.fields.flat_map(|(name, value)| [bytes(name), bytes(value)]).collect())
                })
                .collect(),
            last_id: entries.last_id(),
            max_deleted_id: entries.max_deleted_id(),
            added: entries.added(),
            groups: groups.collect(),
        }
    }
}

/// Limits that small values meet in tests, too.
pub(crate) fn limits() -> Limits {
    Limits {
        list: list::Limit::Bytes(8192),
        set: set::Limits { ints: 32, packed_entries: 16, packed_value: 24, seed: 1 },
        hash: hash::Limits { packed_entries: 32, packed_value: 24, seed: 1 },
        zset: zset::Limits { packed_entries: 16, packed_value: 24, packed_minus_zero: true, seed: 1 },
    }
}
