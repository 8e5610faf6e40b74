//! Random values come back as they were, and no bytes do harm.

#[path = "contents/mod.rs"]
mod contents;
#[path = "contents/saved.rs"]
mod saved;
#[path = "contents/values.rs"]
mod values;

use contents::{Bytes, Contents, limits};
use proptest::prelude::*;
use rdb::Version;
use saved::as_saved;
use structures::entry::Entry;
use values::{Own, VERSIONS, is_known, value};

fn written(entry: &Entry, version: Version, compresses: bool) -> Bytes {
    let mut out = Vec::new();
    rdb::value(&mut out, entry, version, compresses);
    out
}

fn read(data: &[u8], version: Version) -> Result<Entry, rdb::Error> {
    rdb::entry(b"key", data, version, &limits())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_value_comes_back_in_every_version(Own(entry) in value(), compresses in any::<bool>()) {
        for version in VERSIONS.into_iter().filter(|version| is_known(&entry, *version)) {
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
