//! No file does harm: cut off anywhere, damaged anywhere, or made to do it.

#[path = "../fuzz/body.rs"]
mod body;
#[path = "contents/mod.rs"]
mod contents;
#[path = "contents/renamed.rs"]
mod renamed;
#[path = "contents/values.rs"]
mod values;

use peak_alloc::PeakAlloc;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use rdb::{Access, Form, Problem, Reader, Version, Writer};
use renamed::renamed;
use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use testkit::Rng;
use values::{Own, VERSIONS, is_known, value};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const FILES: [&[u8]; 6] = [
    include_bytes!("files/3.0.7.rdb"),
    include_bytes!("files/4.0.14.rdb"),
    include_bytes!("files/5.0.14.rdb"),
    include_bytes!("files/6.2.14.rdb"),
    include_bytes!("files/7.0.15.rdb"),
    include_bytes!("files/7.4.1.rdb"),
];

/// So much memory any file may take, in bytes: buffers of writers and of what compresses.
const OWN_BYTES: usize = 1 << 20;
/// So much more each byte of a file may take: three bytes can stand for 264, which are there as they came, unpacked and
/// packed again.
const BYTES_A_BYTE: usize = 400;

/// Tests that measure do not run beside others.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does what the fuzzer does, and checks how much memory that takes. Gives how many keys the file had.
fn read(file: &[u8], what: &str) -> usize {
    let data = [&[3][..], file].concat();
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let (keys, wrong) = body::read(&data);
    let taken = MEMORY.peak_usage().saturating_sub(before);
    let allowed = OWN_BYTES + file.len() * BYTES_A_BYTE;
    assert!(taken <= allowed, "{what}: {taken} bytes where {allowed} are allowed ({wrong:?})");
    keys
}

/// A file with a short value of each of a version's types that random values have.
fn small(version: Version) -> Vec<u8> {
    const LONGEST_BYTES: usize = 320;
    const DRAWS: usize = 600;
    let mut runner = TestRunner::deterministic();
    let mut writer = Writer::new(Vec::new(), Form { version, compresses: true, has_checksum: true });
    writer.aux(b"redis-ver", b"7.4.1").expect("there is room");
    writer.database(3, 20, 20).expect("there is room");
    let mut types = BTreeSet::new();
    for _ in 0..DRAWS {
        let Own(entry) = value().new_tree(&mut runner).expect("there are values").current();
        let mut saved = Vec::new();
        rdb::value(&mut saved, &entry, version, true);
        if saved.len() <= LONGEST_BYTES && is_known(&entry, version) && types.insert(saved[0]) {
            let mut entry = renamed(&entry, format!("key{}", saved[0]).as_bytes());
            entry.set_expire_at_ms(Some(1_800_000_000_000));
            writer.entry(&entry, Some(Access::IdleS(5))).expect("there is room");
        }
    }
    assert!(types.len() >= 5, "{version:?}: {types:?}");
    writer.finish().expect("there is room")
}

#[test]
fn a_file_that_breaks_off_is_told_from_a_whole_one() {
    let _alone = alone();
    for file in VERSIONS.map(small) {
        for len in 0..file.len() {
            let data = [&[1][..], &file[..len]].concat();
            let (_, wrong) = body::read(&data);
            let wrong = wrong.expect("the end is missing");
            assert_eq!((wrong.offset, wrong.problem), (len as u64, Problem::BreaksOff));
        }
    }
    for file in [FILES[0], FILES[5]] {
        let mut reader = Reader::new(Version::V12);
        for (len, byte) in file.iter().enumerate() {
            let wrong = reader.finish().expect_err("the end is missing");
            assert_eq!((wrong.offset, wrong.problem), (len as u64, Problem::BreaksOff));
            reader.feed(&[*byte]);
            while reader.next_event().expect("it is a file").is_some() {}
        }
        assert_eq!(reader.finish(), Ok(()));
    }
}

#[test]
fn damage_does_no_harm() {
    const TIMES: usize = 700;
    const TIMES_FILE: usize = 10;
    let _alone = alone();
    let mut rng = Rng::new(11);
    let small = VERSIONS.map(small);
    let files = small.iter().map(|file| (&file[..], TIMES)).chain(FILES.map(|file| (file, TIMES_FILE)));
    for (file, times) in files {
        assert!(read(file, "a whole file") > 0);
        let mut damaged = file.to_vec();
        for _ in 0..times {
            let at = rng.below(file.len());
            let mask = 1 + rng.below(255) as u8;
            damaged[at] ^= mask;
            read(&damaged, &format!("byte {at} changed by {mask:#x}"));
            damaged[at] ^= mask;
        }
    }
}

#[test]
fn arbitrary_records_do_no_harm() {
    const TIMES: usize = 20_000;
    let _alone = alone();
    let mut rng = Rng::new(12);
    for _ in 0..TIMES {
        let mut file = b"REDIS0012".to_vec();
        let len = rng.below(100);
        for _ in 0..len {
            // Small numbers are lengths and types, and large ones opcodes, more often than chance would have it.
            let byte = rng.draw() as u8;
            file.push(match rng.below(4) {
                0 => byte,
                1 => byte % 6,
                2 => byte % 26,
                _ => 0xF4 + byte % 12,
            });
        }
        read(&file, &file.escape_ascii().to_string());
    }
}

#[test]
fn nothing_is_allocated_that_is_only_announced() {
    let _alone = alone();
    let most = b"\x81\x00\x00\x7f\xff\xff\xff\xff\xff";
    let many = b"\x80\xff\xff\xff\xff";
    let types = (0..26).filter(|code| !matches!(code, 6..=8));
    for code in types {
        for announced in [&most[..], many] {
            let key = [&b"REDIS0012"[..], &[code], b"\x01k"].concat();
            read(&[&key[..], announced].concat(), "a length");
            read(&[&key[..], &[0; 8], announced, announced].concat(), "a length behind a time");
            read(&[&key[..], announced, b"\x01x\x01y\x01z"].concat(), "a length with some members");
            read(&[&key[..], b"\xc3\x05", announced, b"\x00a\xe0\xff\x00"].concat(), "a compressed length");
            read(&[&key[..], b"\x01\x10", &[0; 16], announced].concat(), "a length behind an id");
        }
    }
    for opcode in [0xF4, 0xF5, 0xF6, 0xF7, 0xF8, 0xFA, 0xFB, 0xFE] {
        let file = [&b"REDIS0012"[..], &[opcode], most, many].concat();
        read(&file, "an opcode");
    }
    // As much as can stand behind few bytes: runs of one byte.
    let runs = [&[0x00, b'a'][..], &[0xE0, 0xFF, 0x00].repeat(5000)].concat();
    let len = 1 + 5000 * 264u32;
    let text =
        [&[0xC3, 0x80][..], &(runs.len() as u32).to_be_bytes(), &[0x80], &len.to_be_bytes(), &runs].concat();
    for code in [0, 1, 2, 4, 18] {
        let count: &[u8] = if code == 0 {
            b""
        } else if code == 18 {
            b"\x01\x01"
        } else {
            b"\x01"
        };
        let value: &[u8] = if code == 4 { b"\x01v" } else { b"" };
        let file = [&b"REDIS0012"[..], &[code], b"\x01k", count, &text, value, b"\xff", &[0; 8]].concat();
        assert_eq!(read(&file, "runs of one byte"), 1);
    }
}
