//! Random values come back as they were, and no bytes do harm.

#[path = "contents/mod.rs"]
mod contents;

use contents::{Bytes, Contents, limits};
use proptest::prelude::*;
use rdb::{Damaged, Version};
use structures::entry::{Entry, Kind, Object, Value};
use structures::hash::{Expiry, Hash};
use structures::list::{List, Side};
use structures::set::Set;
use structures::stream::{NodeLimits, Pending, Stream, StreamId};
use structures::zset::ZSet;

const VERSIONS: [Version; 6] =
    [Version::V6, Version::V8, Version::V9, Version::V10, Version::V11, Version::V12];

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

fn small() -> impl Strategy<Value = Bytes> {
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
struct Own(Entry);

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

fn value() -> impl Strategy<Value = Own> {
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

fn written(entry: &Entry, version: Version, compresses: bool) -> Bytes {
    let mut out = Vec::new();
    rdb::value(&mut out, entry, version, compresses);
    out
}

fn read(data: &[u8], version: Version) -> Result<Entry, Damaged> {
    rdb::entry(b"key", data, version, &limits())
}

/// What a version saves of contents.
fn as_saved(contents: Contents, version: Version) -> Contents {
    match contents {
        Contents::Hash(mut fields) if version < Version::V12 => {
            fields.values_mut().for_each(|(_, expiry)| *expiry = None);
            Contents::Hash(fields)
        }
        Contents::Stream(mut stream) => {
            if version < Version::V10 {
                stream.max_deleted_id = StreamId::MIN;
                stream.added = stream.entries.len() as u64;
                // All that is known then is that the group has read as far as the stream goes.
                stream.groups.iter_mut().for_each(|group| group.read = Some(stream.added));
            }
            if version < Version::V11 {
                for consumer in stream.groups.iter_mut().flat_map(|group| &mut group.consumers) {
                    consumer.active_ms = Some(consumer.seen_ms);
                }
            }
            Contents::Stream(stream)
        }
        other => other,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_value_comes_back_in_every_version(Own(entry) in value(), compresses in any::<bool>()) {
        // Releases without streams have none to write.
        let is_known = |version: &Version| *version >= Version::V9 || entry.kind() != Kind::Stream;
        for version in VERSIONS.into_iter().filter(is_known) {
            let data = written(&entry, version, compresses);
            let back = read(&data, version).expect("it is a value");
            prop_assert_eq!(Contents::of(&back), as_saved(Contents::of(&entry), version), "{:?}", version);
            if version == Version::V12 {
                prop_assert_eq!(back.kind(), entry.kind());
            }
        }
    }

    #[test]
    fn no_bytes_do_harm(code in 0u8..30, bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let data = [&[code][..], &bytes].concat();
        if let Ok(entry) = read(&data, Version::V12) {
            Contents::of(&entry);
        }
    }

    #[test]
    fn no_damage_does_harm(
        Own(entry) in value(),
        version in prop::sample::select(VERSIONS.to_vec()),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut data = written(&entry, version, false);
        for (at, byte) in damage {
            let at = at.index(data.len());
            data[at] = byte;
        }
        if let Ok(entry) = read(&data, Version::V12) {
            // Whatever it is now, it is whole.
            let again = read(&written(&entry, Version::V12, true), Version::V12).expect("it is a value");
            prop_assert_eq!(format!("{:?}", Contents::of(&again)), format!("{:?}", Contents::of(&entry)));
        }
    }
}

/// A string, as it is written.
fn string(bytes: &[u8]) -> Bytes {
    [&[bytes.len() as u8][..], bytes].concat()
}

#[test]
fn zipmaps_are_read() {
    let zipmap = b"\x02\x01a\x01\x00x\x02bc\x03\x02123..\xff";
    let data = [&[9][..], &string(zipmap)].concat();
    let entry = read(&data, Version::V6).expect("it is a hash");
    let fields = [(b"a".to_vec(), (b"x".to_vec(), None)), (b"bc".to_vec(), (b"123".to_vec(), None))];
    assert_eq!(Contents::of(&entry), Contents::Hash(fields.into_iter().collect()));
    let long = [&b"\x01\x01a\xfe\x2c\x01\x00\x00\x00"[..], &[b'v'; 300], b"\xff"].concat();
    let data = [&[9, 0x41, long.len() as u8][..], &long].concat();
    assert!(read(&data, Version::V6).is_ok());
    for damaged in [
        &b"\x01\x01a\x01\x00x\x02bc\x03\x02123..\xff"[..],
        b"\x02\x01a\x01\x00x\x01a\x01\x00y\xff",
        b"\x00\xff",
        b"\x01\x01a\xff",
        b"",
    ] {
        assert!(read(&[&[9][..], &string(damaged)].concat(), Version::V6).is_err(), "{damaged:?}");
    }
}

#[test]
fn long_entries_of_lists_stand_alone() {
    let node = b"\x09\x00\x00\x00\x01\x00\x81b\x02\xff";
    let packed = [&[10, 0, 0, 0, 1, 0][..], &node[6..]].concat();
    let data = [&[18, 2, 1][..], &string(b"alone"), &[2], &string(&packed)].concat();
    let entry = read(&data, Version::V10).expect("it is a list");
    assert_eq!(Contents::of(&entry), Contents::List(vec![b"alone".to_vec(), b"b".to_vec()]));
    let unknown = [&[18, 1, 3][..], &string(b"alone")].concat();
    assert!(read(&unknown, Version::V10).is_err());
}

#[test]
fn expiries_of_candidates_are_read() {
    let entry = read(&[&[22, 1, 5][..], &string(b"f"), &string(b"v")].concat(), Version::V12);
    let fields = [(b"f".to_vec(), (b"v".to_vec(), Some(5)))].into_iter().collect();
    assert_eq!(Contents::of(&entry.expect("it is a hash")), Contents::Hash(fields));
    let later = [&[24, 9, 0, 0, 0, 0, 0, 0, 0, 1, 5][..], &string(b"f"), &string(b"v")].concat();
    let fields = [(b"f".to_vec(), (b"v".to_vec(), Some(13)))].into_iter().collect();
    assert_eq!(Contents::of(&read(&later, Version::V12).expect("it is a hash")), Contents::Hash(fields));
}

#[test]
fn what_is_no_value_is_refused() {
    for (data, why) in [
        (&b"\x01\x00"[..], "an empty list"),
        (b"\x02\x02\x01a\x01a", "a member twice"),
        (b"\x03\x01\x01a\xfd", "a score that is no number"),
        (b"\x04\x02\x01a\x01x\x01a\x01y", "a field twice"),
        (b"\x05\x01\x01a\x00\x00\x00\x00\x00\x00\xf8\x7f", "a score that is no number"),
        (b"\x02\x81\xff\xff\xff\xff\xff\xff\xff\xff\x01a", "fewer members than announced"),
        (b"\x00\x81\xff\xff\xff\xff\xff\xff\xff\xff", "a string that is not there"),
        (b"\x00\xc3\x02\x81\x00\x00\xff\xff\xff\xff\xff\xff\x00a", "a string that is not so long"),
        (b"\x0b\x0c\x02\x00\x00\x00\x02\x00\x00\x00\x02\x00\x01\x00", "integers out of order"),
        (b"\x0b\x0a\x02\x00\x00\x00\x02\x00\x00\x00\x02\x00", "an integer that is not there"),
        (b"\x10\x0a\x0a\x00\x00\x00\x01\x00\x81a\x02\xff", "a field without a value"),
        (b"\x06\x00", "a module's value"),
        (b"\x07\x00", "a module's value"),
        (b"\x1a\x00", "a type that there is not"),
    ] {
        assert!(read(data, Version::V12).is_err(), "{why}");
    }
}
