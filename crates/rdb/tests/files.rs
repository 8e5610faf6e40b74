//! Files that servers of six releases have saved, and such as are written in their place.

#[path = "contents/mod.rs"]
mod contents;
#[path = "contents/summary.rs"]
mod summary;
#[path = "contents/told.rs"]
mod told;

use contents::limits;
use rdb::{Access, Event, FileReader, Form, Library, Origin, Position, ReadError, Reader, Version, Writer};
use serde_json::Value;
use std::collections::BTreeMap;
use structures::entry::Entry;
use summary::Summary;

/// Releases, their versions, and what they have saved.
const FILES: [(&str, Version, &[u8]); 6] = [
    ("3.0.7", Version::V6, include_bytes!("files/3.0.7.rdb")),
    ("4.0.14", Version::V8, include_bytes!("files/4.0.14.rdb")),
    ("5.0.14", Version::V9, include_bytes!("files/5.0.14.rdb")),
    ("6.2.14", Version::V9, include_bytes!("files/6.2.14.rdb")),
    ("7.0.15", Version::V10, include_bytes!("files/7.0.15.rdb")),
    ("7.4.1", Version::V12, include_bytes!("files/7.4.1.rdb")),
];

const LIBRARY: &[u8] = b"#!lua name=lib1\nredis.register_function('f1', function(keys,args) return 'x' end)";

/// What a release said of its keys, by database and name.
fn told_of(release: &str) -> BTreeMap<(u64, Vec<u8>), Value> {
    let lines = include_str!("files/contents.jsonl").lines();
    let told = lines.map(|line| serde_json::from_str::<Value>(line).expect("a line is an object"));
    let own = told.filter(|key| key["releases"].as_array().expect("a list").contains(&release.into()));
    own.map(|key| ((key["database"].as_u64().expect("a number"), told::bytes(&key["key"])), key)).collect()
}

/// All entries of a file.
fn entries(file: &[u8]) -> Vec<(u64, Entry)> {
    let mut reader = FileReader::new(Reader::new(Version::V12), file);
    let mut entries = Vec::new();
    while let Some(event) = reader.next_event().expect("it is a file") {
        if let Event::Key(key) = event {
            entries
                .push((key.database, key.entry(&limits()).expect("it is a value").expect("it has members")));
        }
    }
    entries
}

/// A file with these entries, which stand together by database.
fn written(entries: &[(u64, Entry)], form: Form) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), form);
    for group in entries.chunk_by(|left, right| left.0 == right.0) {
        let expiring = group.iter().filter(|(_, entry)| entry.expire_at_ms().is_some()).count();
        writer.database(group[0].0, group.len() as u64, expiring as u64).expect("there is room");
        for (_, entry) in group {
            writer.entry(entry, None).expect("there is room");
        }
    }
    writer.finish().expect("there is room")
}

fn form(version: Version) -> Form {
    Form { version, compresses: true, has_checksum: true }
}

#[test]
fn files_hold_what_their_servers_say() {
    for (release, version, file) in FILES {
        let summary = Summary::of(file, &[]).expect("it is a file");
        assert_eq!((summary.version, summary.is_verified), (version.0, true), "{release}");
        let told = told_of(release);
        assert!(summary.keys.keys().eq(told.keys()), "{release}");
        for (name, told) in &told {
            let saved = &summary.keys[name];
            println!("{release} {}", name.1.escape_ascii());
            assert_eq!(saved.expire_at_ms.is_some(), told["expires"].as_bool().expect("a flag"));
            told::compare(&saved.contents, &told["value"]);
        }
        let aux: Vec<_> = summary.aux.iter().map(|(name, _)| String::from_utf8_lossy(name)).collect();
        match version {
            Version::V6 => assert!(aux.is_empty()),
            Version::V8 | Version::V9 => {
                assert_eq!(aux, ["redis-ver", "redis-bits", "ctime", "used-mem", "aof-preamble"]);
            }
            _ => assert_eq!(aux, ["redis-ver", "redis-bits", "ctime", "used-mem", "aof-base"]),
        }
        if version >= Version::V7 {
            assert_eq!(summary.aux[0].1, release.as_bytes());
            let count = |database| told.keys().filter(|(own, _)| *own == database).count() as u64;
            assert_eq!(summary.sizes, BTreeMap::from([(0, (count(0), 1)), (3, (count(3), 0))]));
        }
        let libraries = if version >= Version::V10 { vec![(LIBRARY.to_vec(), None)] } else { vec![] };
        assert_eq!(summary.libraries, libraries);
    }
}

#[test]
fn files_begin_as_those_of_their_release() {
    for (release, version, file) in FILES {
        let summary = Summary::of(file, &[]).expect("it is a file");
        let number = |name: &[u8]| {
            let own = summary.aux.iter().find(|(own, _)| own == name);
            own.map_or(0, |(_, value)| String::from_utf8_lossy(value).parse().expect("it is a number"))
        };
        let mut writer = Writer::new(Vec::new(), form(version));
        let origin = Origin {
            release,
            created_s: number(b"ctime"),
            used_memory_bytes: number(b"used-mem") as u64,
            position: None,
            is_aof_base: false,
        };
        writer.origin(&origin).expect("there is room");
        writer.library(&Library { code: LIBRARY.into(), early: None }).expect("there is room");
        let (keys, expiring) = summary.sizes.get(&0).copied().unwrap_or_default();
        writer.database(0, keys, expiring).expect("there is room");
        let len = writer.written() as usize;
        let own = writer.finish().expect("there is room");
        assert_eq!(own[..len].escape_ascii().to_string(), file[..len].escape_ascii().to_string());
    }
}

#[test]
fn what_is_read_is_written_and_read_again() {
    for (release, version, file) in FILES {
        let entries = entries(file);
        for (compresses, has_checksum) in [(true, true), (false, true), (true, false)] {
            let own = written(&entries, Form { version, compresses, has_checksum });
            let mut before = Summary::of(file, &[]).expect("it is a file");
            let after = Summary::of(&own, &[]).expect("it is a file");
            assert_eq!(after.is_verified, has_checksum);
            assert_eq!(after.keys, before.keys, "{release}");
            assert_eq!(after.sizes, std::mem::take(&mut before.sizes), "{release}");
        }
    }
}

#[test]
fn what_expires_and_how_it_is_used_are_saved() {
    let mut key = Entry::new(b"key", structures::entry::Value::Int(5));
    key.set_expire_at_ms(Some(1_700_000_000_123));
    let write = |version, access| {
        let mut writer = Writer::new(Vec::new(), form(version));
        writer.database(0, 1, 1).expect("there is room");
        writer.entry(&key, access).expect("there is room");
        writer.finish().expect("there is room")
    };
    for (version, access) in [
        (Version::V12, None),
        (Version::V9, Some(Access::IdleS(70_000))),
        (Version::V10, Some(Access::Frequency(255))),
        (Version::V8, Some(Access::Frequency(5))),
    ] {
        let summary = Summary::of(&write(version, access), &[]).expect("it is a file");
        let saved = &summary.keys[&(0, b"key".to_vec())];
        assert_eq!(saved.expire_at_ms, Some(1_700_000_000_123));
        assert_eq!(saved.access, access.filter(|_| version >= Version::V9));
    }
    // It is said of one key only.
    let mut two = write(Version::V12, Some(Access::IdleS(1)));
    two.truncate(two.len() - 9);
    two.extend(b"\x00\x05other\x01x\xff\0\0\0\0\0\0\0\0");
    let summary = Summary::of(&two, &[]).expect("it is a file");
    let other = &summary.keys[&(0, b"other".to_vec())];
    assert_eq!((other.expire_at_ms, other.access), (None, None));
    assert!(!summary.is_verified);
}

#[test]
fn all_other_records_come_back() {
    let mut writer = Writer::new(Vec::new(), form(Version::V12));
    let position = Position { database: -1, id: "0123456789abcdef0123456789abcdef01234567", offset: 1 << 40 };
    let origin = Origin {
        release: "7.4.1",
        created_s: 1,
        used_memory_bytes: 2,
        position: Some(position),
        is_aof_base: true,
    };
    let early = rdb::EarlyLibrary {
        name: b"early"[..].into(),
        engine: b"LUA"[..].into(),
        description: Some(b"why"[..].into()),
    };
    let libraries = [None, Some(rdb::EarlyLibrary { description: None, ..early.clone() }), Some(early)]
        .map(|early| Library { code: b"code"[..].into(), early });
    writer.origin(&origin).expect("there is room");
    for library in &libraries {
        writer.library(library).expect("there is room");
    }
    writer.database(1 << 40, 1 << 33, 0).expect("there is room");
    writer.slot(16_383, 3, 2).expect("there is room");
    writer.aux(b"lua", b"return 1").expect("there is room");
    let file = writer.finish().expect("there is room");
    let summary = Summary::of(&file, &[]).expect("it is a file");
    let aux = |name: &[u8], value: &[u8]| (name.to_vec(), value.to_vec());
    assert_eq!(
        summary.aux,
        [
            aux(b"redis-ver", b"7.4.1"),
            aux(b"redis-bits", b"64"),
            aux(b"ctime", b"1"),
            aux(b"used-mem", b"2"),
            aux(b"repl-stream-db", b"-1"),
            aux(b"repl-id", position.id.as_bytes()),
            aux(b"repl-offset", b"1099511627776"),
            aux(b"aof-base", b"1"),
            aux(b"lua", b"return 1"),
        ]
    );
    assert_eq!(summary.sizes, BTreeMap::from([(1 << 40, (1 << 33, 0))]));
    assert_eq!(summary.slots, BTreeMap::from([(16_383, (3, 2))]));
    let mut reader = FileReader::new(Reader::new(Version::V12), &file[..]);
    let mut read = Vec::new();
    while let Some(event) = reader.next_event().expect("it is a file") {
        if let Event::Library(library) = event {
            read.push(format!("{library:?}"));
        }
    }
    assert_eq!(read, libraries.map(|library| format!("{library:?}")));
}

#[test]
fn old_expiries_and_files_without_checksum_are_read() {
    let file = b"REDIS0003\xfe\x02\xfd\x10\x00\x00\x00\x00\x01k\x01v\xff";
    let summary = Summary::of(file, &[]).expect("it is a file");
    assert_eq!((summary.version, summary.is_verified), (3, false));
    assert_eq!(summary.keys[&(2, b"k".to_vec())].expire_at_ms, Some(16_000));
}

#[test]
fn collections_without_members_are_passed_over() {
    let file =
        b"REDIS0009\x02\x01s\x00\x0e\x01q\x00\x05\x01z\x00\x04\x01h\x00\x00\x01k\x01v\xff\0\0\0\0\0\0\0\0";
    let summary = Summary::of(file, &[]).expect("it is a file");
    assert_eq!(summary.empty, [b"s", b"q", b"z", b"h"]);
    assert_eq!(summary.keys.len(), 1);
}

/// The message and the place of what is wrong with a file.
fn wrong(file: &[u8], knows: Version) -> (String, u64) {
    let mut reader = FileReader::new(Reader::new(knows), file);
    loop {
        let key = match reader.next_event() {
            Ok(Some(Event::Key(key))) => key.entry(&limits()).map(drop),
            Ok(event) => {
                assert!(event.is_some(), "nothing is wrong with the file");
                Ok(())
            }
            Err(ReadError::Format(error)) => Err(error),
            Err(ReadError::Io(error)) => panic!("{error}"),
        };
        if let Err(error) = key {
            return (error.to_string(), error.offset);
        }
    }
}

#[test]
fn errors_say_what_is_wrong_and_where() {
    let module = b"\x81\x45\xe2\x52\x38\xdf\x91\x2c\x03";
    let of_module = [&b"REDIS0009\x07\x01k"[..], module].concat();
    let (message, _) = wrong(&of_module, Version::V12);
    assert_eq!(message, "at byte 21: the value of key 'k' is one of module 'ReJSON-RL', which is not there");
    let cases: [(&[u8], Version, &str); 14] = [
        (b"RESIS0009", Version::V12, "at byte 0: this is no RDB file"),
        (b"REDIS00x9", Version::V12, "at byte 0: this is no RDB file"),
        (b"REDIS0013", Version::V12, "at byte 0: RDB version 13 is none of those from 1 to 12"),
        (b"REDIS0012", Version::V10, "at byte 0: RDB version 12 is none of those from 1 to 10"),
        (b"REDIS0000", Version::V10, "at byte 0: RDB version 0 is none of those from 1 to 10"),
        (b"REDIS", Version::V12, "at byte 5: the file breaks off"),
        (b"REDIS0009\xfe", Version::V12, "at byte 10: the file breaks off"),
        (b"REDIS0009\x08\x01k", Version::V12, "at byte 9: type or opcode 8 is unknown"),
        (b"REDIS0009\xf3", Version::V12, "at byte 9: type or opcode 243 is unknown"),
        (b"REDIS0009\x10\x01k\x01v", Version::V9, "at byte 9: type or opcode 16 is unknown"),
        (
            b"REDIS0009\xfe\xc0",
            Version::V9,
            "at byte 10: opcode 254 is followed by something else than it should be",
        ),
        (
            b"REDIS0009\x02\x01k\x01\xc4",
            Version::V9,
            "at byte 13: the value of key 'k', of type 2, is damaged",
        ),
        (
            b"REDIS0009\x03\x01k\x01\x01m\x01x\xff",
            Version::V9,
            "at byte 17: the value of key 'k', of type 3, is damaged",
        ),
        (
            b"REDIS0009\xff\x01\0\0\0\0\0\0\0",
            Version::V9,
            "at byte 10: the checksum is 74ad0ffbbc7aac9a where the file says 0000000000000001",
        ),
    ];
    for (file, knows, message) in cases {
        assert_eq!(wrong(file, knows).0, message);
    }
}

#[test]
fn an_error_stays() {
    let compressed = b"REDIS0009\xfa\xc3\x01\x05a\x01v";
    for file in [&b"RESIS0009"[..], b"REDIS0009\x08", b"REDIS0009\x07\x01k\x01", compressed] {
        let mut reader = Reader::new(Version::V12);
        reader.feed(file);
        let error = loop {
            match reader.next_event() {
                Ok(event) => assert!(event.is_some(), "nothing is wrong"),
                Err(error) => break error,
            }
        };
        reader.feed(b"REDIS0009");
        assert_eq!(reader.next_event(), Err(error.clone()));
        assert_eq!(reader.finish(), Err(error));
    }
}

#[test]
fn data_of_modules_beside_keys_are_skipped() {
    let module = b"\x81\x45\xe2\x52\x38\xdf\x91\x2c\x03";
    let file = [&b"REDIS0009\xf7"[..], module, b"\x02\x01\x05\x02ab\x00\xff", &[0; 8]].concat();
    assert_eq!(Summary::of(&file, &[]).expect("it is a file").modules, ["ReJSON-RL"]);
}

#[test]
fn what_follows_a_file_is_left() {
    let mut file = written(&[], form(Version::V10));
    let len = file.len() as u64;
    file.extend(b"*1\r\n$4\r\nPING\r\n");
    let mut reader = FileReader::new(Reader::new(Version::V10), &file[..]);
    while reader.next_event().expect("it is a file").is_some() {}
    let (reader, rest) = reader.into_parts();
    assert_eq!([reader.rest(), rest].concat(), b"*1\r\n$4\r\nPING\r\n");
    assert_eq!((reader.offset(), reader.finish()), (len, Ok(())));
}

#[test]
fn a_writer_tells_that_it_cannot_write() {
    let mut entry = Entry::new(b"key", structures::entry::Value::Text(&[b'v'; 100_000]));
    entry.set_expire_at_ms(None);
    let mut room = [0; 50];
    let mut writer = Writer::new(&mut room[..], Form { compresses: false, ..form(Version::V12) });
    assert!(writer.entry(&entry, None).is_err());
    assert!(writer.database(1, 1, 1).is_err());
    assert!(writer.finish().is_err());
}

#[test]
fn files_of_one_version_are_joined_into_one() {
    for (release, version, file) in FILES {
        let written = |keys: &[(u64, Entry)]| {
            let form = Form { version, compresses: true, has_checksum: true };
            let mut writer = Writer::new(Vec::new(), form);
            let mut last = None;
            for (database, entry) in keys {
                if last != Some(*database) {
                    writer.database(*database, 0, 0).unwrap();
                    last = Some(*database);
                }
                writer.entry(entry, None).unwrap();
            }
            writer.finish().unwrap()
        };
        let all = entries(file);
        let (first, second) = all.split_at(all.len() / 2);
        let joined =
            rdb::join([&written(first)[..], &written(&[])[..], &written(second)[..]], Vec::new()).unwrap();
        // Each key is there with its value, expiry and encoding as it was.
        let all_of = |file: &[u8]| Summary::of(file, &[4096]).expect("the file is sound").keys;
        assert_eq!(all_of(&joined), all_of(&written(&all)), "{release}");
    }
    let [(.., older), .., (.., newer)] = FILES;
    assert!(rdb::join([older, newer], Vec::new()).is_err());
    assert!(rdb::join([&older[..older.len() - 9]], Vec::new()).is_err(), "it is cut off");
    assert!(rdb::join([&[][..]; 0], Vec::new()).is_err());
}
