//! Random files, in pieces of random sizes.

#[path = "contents/mod.rs"]
mod contents;
#[path = "contents/renamed.rs"]
mod renamed;
#[path = "contents/saved.rs"]
mod saved;
#[path = "contents/summary.rs"]
mod summary;
#[path = "contents/values.rs"]
mod values;

use contents::Contents;
use proptest::prelude::*;
use rdb::{Access, Form, Version, Writer};
use renamed::renamed;
use saved::as_saved;
use std::collections::BTreeMap;
use summary::{Saved, Summary};
use values::{Own, VERSIONS, is_known, value};

fn access() -> impl Strategy<Value = Option<Access>> {
    prop_oneof![
        Just(None),
        any::<u64>().prop_map(|seconds| Some(Access::IdleS(seconds))),
        any::<u8>().prop_map(|frequency| Some(Access::Frequency(frequency))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_file_comes_back_whatever_its_pieces(
        keys in prop::collection::vec((0u64..4, value(), prop::option::of(any::<i64>()), access()), 0..8),
        version in prop::sample::select(VERSIONS.to_vec()),
        compresses in any::<bool>(),
        has_checksum in any::<bool>(),
        sizes in prop::collection::vec(1usize..5000, 1..5),
    ) {
        let form = Form { version, compresses, has_checksum };
        let mut writer = Writer::new(Vec::new(), form);
        let mut expected = BTreeMap::new();
        for (index, (database, Own(entry), expire_at_ms, access)) in keys.iter().enumerate() {
            if !is_known(entry, version) {
                continue;
            }
            let name = format!("{index}").into_bytes();
            let mut entry = renamed(entry, &name);
            entry.set_expire_at_ms(*expire_at_ms);
            writer.database(*database, 1, 0).expect("there is room");
            writer.entry(&entry, *access).expect("there is room");
            let saved = Saved {
                expire_at_ms: *expire_at_ms,
                access: access.filter(|_| version >= Version::V9),
                contents: as_saved(Contents::of(&entry), version),
            };
            expected.insert((*database, name), saved);
        }
        let len = writer.written() as usize;
        let file = writer.finish().expect("there is room");
        prop_assert_eq!(len + 9, file.len());
        let summary = Summary::of(&file, &sizes).expect("it is a file");
        prop_assert_eq!(summary.version, version.0);
        prop_assert_eq!(summary.is_verified, has_checksum);
        prop_assert_eq!(summary.keys, expected);
    }
}
