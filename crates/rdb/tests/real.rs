//! Values that servers of six releases have saved, and what they hold.

#[path = "contents/mod.rs"]
mod contents;

use contents::{Contents, limits};
use rdb::Version;
use serde_json::Value;

/// Text with a character for each byte.
fn bytes(value: &Value) -> Vec<u8> {
    value.as_str().expect("a text").chars().map(|own| u8::try_from(u32::from(own)).expect("a byte")).collect()
}

fn list(value: &Value) -> Vec<Vec<u8>> {
    value.as_array().expect("a list").iter().map(bytes).collect()
}

/// Checks that contents are those that were told of a value.
fn compare(own: &Contents, told: &Value) {
    match own {
        Contents::Text(own) => assert_eq!(*own, bytes(told)),
        Contents::List(own) | Contents::Set(own) => assert_eq!(*own, list(told)),
        Contents::Hash(own) => {
            let told = told.as_object().expect("fields with values");
            assert_eq!(own.len(), told.len());
            for (field, value) in told {
                assert_eq!(own[field.as_bytes()].0, bytes(value));
            }
        }
        Contents::ZSet(own) => {
            let told = list(told);
            let told = told.chunks(2).map(|pair| {
                let score = std::str::from_utf8(&pair[1]).expect("a number");
                (pair[0].clone(), score.parse::<f64>().expect("a number"))
            });
            assert_eq!(*own, told.collect::<Vec<_>>());
        }
        Contents::Stream(own) => {
            let entries: Vec<_> = told["entries"].as_array().expect("a list").iter().collect();
            assert_eq!(own.entries.len(), entries.len());
            for ((id, fields), told) in own.entries.iter().zip(entries) {
                assert_eq!((id.text().as_ref().to_vec(), fields), (bytes(&told[0]), &list(&told[1])));
            }
            let groups: Vec<_> = told["groups"].as_array().expect("a list").iter().collect();
            assert_eq!(own.groups.len(), groups.len());
            for (group, told) in own.groups.iter().zip(groups) {
                let pending: usize = group.consumers.iter().map(|consumer| consumer.pending.len()).sum();
                assert_eq!(group.name, bytes(&told[0]));
                assert_eq!(pending as u64, told[1].as_u64().expect("a number"));
                assert_eq!(group.last_id.text().as_ref(), bytes(&told[2]));
            }
        }
    }
}

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
