//! Values that servers of six releases have saved, and what they hold.

#[path = "contents/mod.rs"]
mod contents;
#[path = "contents/told.rs"]
mod told;

use contents::{Contents, limits};
use rdb::Version;
use serde_json::Value;
use told::compare;

/// Calls `each` with all values: where they come from, version, bytes and what they hold.
fn for_each(mut each: impl FnMut(&str, Version, &[u8], &Value)) {
    let lines = include_str!("real.jsonl").lines();
    for line in lines {
        let told: Value = serde_json::from_str(line).expect("a line is an object");
        let source = format!("{} {}", told["release"], told["key"]);
        let data = hex::decode(told["data"].as_str().expect("a text")).expect("bytes");
        let version = Version(told["version"].as_u64().expect("a number") as u16);
        each(&source, version, &data, &told["value"]);
    }
}

#[test]
fn values_hold_what_their_servers_say() {
    let mut types = std::collections::BTreeSet::new();
    for_each(|source, version, data, told| {
        println!("{source}");
        let entry = rdb::entry(b"key", data, version, &limits()).expect("it is a value");
        types.insert(data[0]);
        compare(&Contents::of(&entry), told);
    });
    assert_eq!(
        types.into_iter().collect::<Vec<_>>(),
        [0, 2, 4, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 25]
    );
}

#[test]
fn no_value_is_whole_without_its_end() {
    for_each(|source, version, data, _| {
        for len in 0..data.len() {
            assert!(rdb::entry(b"key", &data[..len], version, &limits()).is_err(), "{source} {len}");
        }
    });
}

#[test]
fn types_of_later_versions_are_unknown() {
    for_each(|source, version, data, _| {
        let since = match data[0] {
            14 => 7,
            5 => 8,
            15 => 9,
            16..=19 => 10,
            20 | 21 => 11,
            22..=25 => 12,
            _ => 6,
        };
        for earlier in 6..version.0 {
            let read = rdb::entry(b"key", data, Version(earlier), &limits());
            assert_eq!(read.is_ok(), earlier >= since, "{source} {earlier}");
        }
    });
}
