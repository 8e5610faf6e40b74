//! What is written, before the programs that come with Redis 7.0.

#[path = "contents/mod.rs"]
mod contents;
#[path = "contents/renamed.rs"]
mod renamed;
#[path = "contents/summary.rs"]
mod summary;
#[path = "contents/values.rs"]
mod values;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use rdb::{Access, Form, Library, Origin, Position, Version, Writer};
use renamed::renamed;
use std::fs;
use std::io::Read;
use std::path::Path;
use structures::entry::{Entry, Value};
use summary::Summary;
use testkit::{Oracle, redis_program};
use values::{Own, VERSIONS, is_known, value};

/// A time that is not over.
const LATER_MS: i64 = 4_000_000_000_000;

/// Versions that 7.0 reads.
fn versions() -> impl Iterator<Item = Version> {
    VERSIONS.into_iter().filter(|version| *version <= Version::V10)
}

/// Writes a file with random values of all types in two databases.
fn write(path: &Path, version: Version, compresses: bool) {
    const KEYS: u64 = 150;
    let mut runner = TestRunner::deterministic();
    let file = fs::File::create(path).expect("the file can be written");
    let mut writer = Writer::new(file, Form { version, compresses, has_checksum: true });
    let origin = Origin {
        release: "7.0.15",
        created_s: 1_700_000_000,
        used_memory_bytes: 1 << 20,
        position: Some(Position { database: 0, id: "0123456789abcdef0123456789abcdef01234567", offset: 5 }),
        is_aof_base: false,
    };
    let code = b"#!lua name=lib\nredis.register_function('f', function() return 5 end)";
    writer.origin(&origin).expect("there is room");
    writer.library(&Library { code: code[..].into(), early: None }).expect("there is room");
    for database in [0, 9] {
        writer.database(database, KEYS, 0).expect("there is room");
        for index in 0..KEYS {
            let Own(entry) = value().new_tree(&mut runner).expect("there are values").current();
            if !is_known(&entry, version) {
                continue;
            }
            let mut entry = renamed(&entry, format!("key:{index}").as_bytes());
            entry.set_expire_at_ms((index % 3 == 0).then_some(LATER_MS + index as i64));
            let access = match index % 4 {
                0 => Some(Access::IdleS(index)),
                1 => Some(Access::Frequency(index as u8)),
                _ => None,
            };
            writer.entry(&entry, access).expect("there is room");
        }
    }
    writer.finish().expect("there is room");
}

fn read(path: &Path) -> Summary {
    let mut file = Vec::new();
    fs::File::open(path).and_then(|mut from| from.read_to_end(&mut file)).expect("the file can be read");
    Summary::of(&file, &[]).expect("it is a file")
}

#[test]
fn redis_check_rdb_finds_nothing_wrong() {
    let folder = tempfile::tempdir().expect("there is room");
    for version in versions() {
        for compresses in [true, false] {
            let path = folder.path().join(format!("{}-{compresses}.rdb", version.0));
            write(&path, version, compresses);
            let Some(mut check) = redis_program("redis-check-rdb") else { return };
            let done = check.arg(&path).output().expect("the tool starts");
            let said = String::from_utf8_lossy(&done.stdout);
            assert!(done.status.success(), "{version:?}: {said}");
            assert!(said.contains("Checksum OK") && said.contains("RDB looks OK"), "{version:?}: {said}");
        }
    }
}

#[test]
fn a_real_server_loads_and_saves_the_same() {
    let folder = tempfile::tempdir().expect("there is room");
    let dir = folder.path().to_str().expect("its name is a text");
    for version in versions() {
        let path = folder.path().join(format!("{}.rdb", version.0));
        write(&path, version, true);
        let before = read(&path);
        let name = format!("{}.rdb", version.0);
        let args = ["--dir", dir, "--dbfilename", &name, "--sanitize-dump-payload", "yes"];
        let Some(server) = Oracle::start_with(&args) else { return };
        assert_eq!(server.client().say("SAVE").text(), "OK");
        let after = read(&path);
        assert_eq!(after.libraries, before.libraries, "{version:?}");
        assert!(after.keys.keys().eq(before.keys.keys()), "{version:?}");
        for (name, saved) in &after.keys {
            let own = &before.keys[name];
            assert_eq!(saved.expire_at_ms, own.expire_at_ms, "{version:?} {name:?}");
            assert_eq!(saved.contents, own.contents, "{version:?} {name:?}");
        }
    }
}

#[test]
fn a_real_server_takes_over_how_keys_are_used() {
    let folder = tempfile::tempdir().expect("there is room");
    let dir = folder.path().to_str().expect("its name is a text");
    for (policy, access, question, answer) in [
        ("allkeys-lru", Access::IdleS(70_000), "OBJECT IDLETIME key", 70_000..70_100),
        ("allkeys-lfu", Access::Frequency(77), "OBJECT FREQ key", 77..78),
    ] {
        let file = fs::File::create(folder.path().join("dump.rdb")).expect("the file can be written");
        let form = Form { version: Version::V10, compresses: true, has_checksum: true };
        let mut writer = Writer::new(file, form);
        writer.database(0, 1, 0).expect("there is room");
        writer.entry(&Entry::new(b"key", Value::Int(5)), Some(access)).expect("there is room");
        writer.finish().expect("there is room");
        let Some(server) = Oracle::start_with(&["--dir", dir, "--maxmemory-policy", policy]) else { return };
        let said = server.client().say(question).integer();
        assert!(answer.contains(&said), "{policy}: {said}");
    }
}
