//! Random values.

use crate::contents::{Bytes, Contents, limits};
use proptest::prelude::*;
use rdb::Version;
use structures::entry::{Entry, Kind, Object, Value};
use structures::hash::{Expiry, Hash};
use structures::list::{List, Side};
use structures::set::Set;
use structures::stream::{NodeLimits, Pending, Stream, StreamId};
use structures::zset::ZSet;

/// Versions that releases write.
pub(crate) const VERSIONS: [Version; 6] =
    [Version::V6, Version::V8, Version::V9, Version::V10, Version::V11, Version::V12];

/// Whether a version has a form for a value: releases without streams have none to write.
pub(crate) fn is_known(entry: &Entry, version: Version) -> bool {
    version >= Version::V9 || entry.kind() != Kind::Stream
}

/// Integers of all widths, short texts, and long ones that can be compressed or not.
fn text() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        any::<i64>().prop_map(|value| value.to_string().into_bytes()),
        (-70_000i32..70_000).prop_map(|value| value.to_string().into_bytes()),
        prop::collection::vec(any::<u8>(), 0..12),
        prop::collection::vec(prop::sample::select(b"ab".to_vec()), 0..400),
        prop::collection::vec(any::<u8>(), 0..5000),
    ]
}

pub(crate) fn small() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        4 => (-300i32..300).prop_map(|value| value.to_string().into_bytes()),
        4 => "[a-z]{0,6}".prop_map(String::into_bytes),
        1 => text(),
    ]
}

fn score() -> impl Strategy<Value = f64> {
    prop_oneof![
        (-50i32..50).prop_map(f64::from),
        prop::sample::select(vec![0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, 3e300, 1e-7, 0.1]),
        any::<f64>().prop_filter("scores are numbers", |score| !score.is_nan()),
    ]
}

/// An entry that shows what it holds.
pub(crate) struct Own(pub(crate) Entry);

impl std::fmt::Debug for Own {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Contents::of(&self.0).fmt(f)
    }
}

fn filled<O: Object>(object: O) -> Option<Own> {
    (!object.is_empty()).then(|| Own(Entry::with_object(b"key", object)))
}

fn list() -> impl Strategy<Value = Option<Own>> {
    prop::collection::vec(text(), 0..40).prop_map(|entries| {
        let mut list = List::empty();
        entries.iter().for_each(|entry| list.push(Side::Right, entry));
        filled(list)
    })
}

fn set() -> impl Strategy<Value = Option<Own>> {
    let int = any::<i64>().prop_map(|value| value.to_string().into_bytes());
    let ints = prop::collection::vec(prop_oneof![int, (0..9u8).prop_map(|one| vec![b'0' + one])], 0..40);
    prop_oneof![ints, prop::collection::vec(small(), 0..40)].prop_map(|members| {
        let mut set = Set::empty();
        members.iter().for_each(|member| {
            set.add(member, &limits().set);
        });
        filled(set)
    })
}

fn zset() -> impl Strategy<Value = Option<Own>> {
    prop::collection::vec((small(), score()), 0..40).prop_map(|members| {
        let mut zset = ZSet::empty();
        members.iter().for_each(|(member, score)| {
            zset.set(member, *score, &limits().zset);
        });
        filled(zset)
    })
}

/// A hash, some of whose fields may expire.
fn hash(expires: bool) -> impl Strategy<Value = Option<Own>> {
    let expiry = prop::option::of(1i64..1 << 48);
    prop::collection::vec((small(), text(), expiry), 0..60).prop_map(move |fields| {
        let mut hash = Hash::empty();
        for (field, value, expiry) in fields {
            hash.set(&field, &value, Expiry::Clear, &limits().hash);
            if expires {
                hash.set_expire_at_ms(&field, expiry);
            }
        }
        filled(hash)
    })
}

/// A stream with deleted entries and a group.
fn stream() -> impl Strategy<Value = Option<Own>> {
    let entry = (0u64..3, any::<bool>(), prop::collection::vec(small(), 1..4));
    let pending = (0usize..3, any::<u32>());
    (prop::collection::vec(entry, 0..40), prop::collection::vec(pending, 0..40), any::<bool>()).prop_map(
        |(entries, pending, knows)| {
            let mut stream = Stream::empty();
            let mut id = StreamId::new(1, 0);
            let mut ids = Vec::new();
            for (step, stays, fields) in entries {
                id =
                    if step == 0 { StreamId::new(id.ms, id.seq + 1) } else { StreamId::new(id.ms + step, 0) };
                let fields: Vec<_> = fields.iter().flat_map(|field| [&field[..], b"value"]).collect();
                let limits = NodeLimits { bytes: 4096, entries: 7 };
                let own = stream.entries_mut();
                own.append(id, fields.into_iter(), limits).expect("it is not too large");
                ids.push(id);
                if !stays {
                    own.delete(id);
                }
            }
            // A release that does not save it finds out how much a group has read.
            let entries = stream.entries();
            let read = if knows { Some(entries.len() as u64) } else { None };
            stream.create_group(b"group", id, read);
            let (_, mut group) = stream.open(b"group").expect("it is there");
            let consumers = ["1", "ann", "bob"].map(|name| group.create_consumer(name.as_bytes(), 1000));
            group.activate(consumers[1], 2000);
            for (id, (consumer, time)) in ids.into_iter().zip(pending) {
                group.assign(Pending {
                    id,
                    delivered_ms: time.into(),
                    deliveries: u64::from(time % 9),
                    consumer: consumers[consumer],
                });
            }
            drop(group);
            Some(Own(Entry::with_object(b"key", stream)))
        },
    )
}

/// A value of any type.
pub(crate) fn value() -> impl Strategy<Value = Own> {
    prop_oneof![
        text().prop_map(|text| Some(Own(Entry::new(b"key", Value::Text(&text))))),
        list(),
        set(),
        zset(),
        hash(false),
        hash(true),
        stream(),
    ]
    .prop_filter_map("empty collections are not kept", |entry| entry)
}
