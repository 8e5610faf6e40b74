//! The items of a Memcached node as `lru_crawler metadump` and `stats cachedump` tell them, beside a real memcached's.

use std::collections::BTreeMap;
use testkit::{Memcached, Wire, resident_bytes, until};

/// What each line of a list says, word by word, in the order of the keys.
type Lines = Vec<Vec<String>>;

/// Numbers of size classes that a server may have.
const CLASSES: usize = 64;

/// Keys that are read and such that are not, with and without end, in words and in bytes.
fn fill(server: &Memcached) {
    let mut wire = server.wire();
    for line in ["set read 5 0 3\r\nabc", "set plain 0 0 0\r\n", "set k%/+~-._ 0 0 1\r\nx"] {
        assert_eq!(wire.say(line), "STORED", "{line}");
    }
    wire.ask(b"set \"\xC3\xA9\x01 0 0 1\r\nx\r\n", b"STORED\r\n");
    assert_eq!(wire.say(&format!("set ends 0 2000 300\r\n{}", "y".repeat(300))), "STORED");
    assert_eq!(wire.say("set over 0 -1 1\r\nx"), "STORED");
    wire.ask(b"get read\r\n", b"END\r\n");
    // A key that is `a b`.
    assert_eq!(wire.say("ms YSBi 2 b\r\nhi"), "HD");
}

/// A server asked for a list, which ends as all do.
fn list(wire: &mut Wire, request: &str) -> String {
    let mut heard = Vec::new();
    until("nobody else walks over the items", || {
        wire.send(format!("{request}\r\n").as_bytes());
        heard = wire.read_until(|heard| heard.ends_with(b"END\r\n") || heard.starts_with(b"BUSY")).bytes;
        heard.ends_with(b"END\r\n")
    });
    String::from_utf8_lossy(&heard).into_owned()
}

/// The lines of a metadump, less what is each server's own: the cas id, the class and the size of an item in memory.
/// Times are from now on, in steps of half a minute: memcached does not take note of each use.
fn metadump(server: &Memcached) -> Lines {
    let mut wire = server.wire();
    let now: i64 = wire.stat("", "time").parse().expect("it is a number");
    let list = list(&mut wire, "lru_crawler metadump all");
    let list = list.strip_suffix("END\r\n").expect("it ends so");
    assert!(!list.contains('\r'), "{list}");
    let mut lines: Lines = list
        .lines()
        .map(|line| {
            let words = line.split(' ').map(|word| {
                let (name, value) = word.split_once('=').expect("each word has a name");
                match (name, value.parse::<i64>()) {
                    ("cas" | "cls" | "size", Ok(1..)) => name.to_owned(),
                    ("exp", Ok(-1)) => word.to_owned(),
                    ("exp" | "la", Ok(second)) => format!("{name}={}", (second - now + 15).div_euclid(30)),
                    _ => word.to_owned(),
                }
            });
            words.collect()
        })
        .collect();
    lines.sort();
    lines
}

/// The lines of the cachedumps of all classes, less those of an item that is over: it is told as long as nobody has
/// found it so.
fn cachedump(server: &Memcached) -> Lines {
    let mut wire = server.wire();
    let now: i64 = wire.stat("", "time").parse().expect("it is a number");
    let mut lines = Lines::new();
    for class in 0..CLASSES {
        let list = list(&mut wire, &format!("stats cachedump {class} 0"));
        let list = list.strip_suffix("END\r\n").expect("it ends so");
        for line in list.split_terminator("\r\n").filter(|line| !line.starts_with("ITEM over ")) {
            let words = line.split(' ').map(|word| match word.parse::<i64>() {
                Ok(second) if second > now => ((second - now + 15) / 30).to_string(),
                _ => word.to_owned(),
            });
            lines.push(words.collect());
        }
    }
    lines.sort();
    lines
}

#[test]
fn items_are_told_as_memcached_tells_them() {
    // Otherwise it does not tell those of which it does not know yet how long ago they were used.
    let Some(theirs) = Memcached::theirs(&["-o", "no_lru_maintainer"]) else { return };
    let ours = Memcached::ours(&[]);
    for server in [&ours, &theirs] {
        fill(server);
    }
    let own = metadump(&ours);
    assert_eq!(own, metadump(&theirs));
    assert_eq!(own.len(), 6, "{own:?}");
    assert!(own.iter().any(|line| line[0] == "key=a%20b" && line[1] == "exp=-1"), "{own:?}");
    let own = cachedump(&ours);
    assert_eq!(own, cachedump(&theirs));
    assert_eq!(own.len(), 5, "{own:?}");
}

#[test]
fn requests_behind_a_list_are_answered_behind_it() {
    let server = Memcached::ours(&[]);
    let mut wire = server.wire();
    for number in 0..2_000 {
        wire.send(format!("set key:{number} 0 0 1 noreply\r\nx\r\n").as_bytes());
    }
    wire.ask(b"mn\r\n", b"MN\r\n");
    let request =
        b"mn\r\nlru_crawler metadump all\r\nget key:7\r\nlru_crawler metadump hash\r\nset late 0 0 5\r\nab";
    wire.send(request);
    let mut heard = wire.ask(b"cde\r\nmn\r\n", b"STORED\r\nMN\r\n");
    heard = String::from_utf8(heard).expect("it is text").replace('\r', "").into_bytes();
    let heard = String::from_utf8(heard).expect("it is text");
    let other: Vec<_> = heard.lines().filter(|line| !line.starts_with("key=")).collect();
    assert_eq!(other, ["MN", "END", "VALUE key:7 0 1", "x", "END", "END", "STORED", "MN"]);
    assert_eq!(heard.lines().count() - other.len(), 4_000);
}

#[test]
fn a_cachedump_is_no_longer_than_memcached_makes_it() {
    let Some(theirs) = Memcached::theirs(&["-o", "no_lru_maintainer"]) else { return };
    let seen = [Memcached::ours(&[]), theirs].map(|server| {
        let mut wire = server.wire();
        for number in 0..10_000 {
            wire.send(format!("set {number:0>250} 0 0 1 noreply\r\nx\r\n").as_bytes());
        }
        wire.ask(b"mn\r\n", b"MN\r\n");
        let longest = |wire: &mut Wire, items: &str| {
            let lists =
                (0..CLASSES).map(|class| list(wire, &format!("stats cachedump {class} {items}")).len());
            lists.max().unwrap_or_default()
        };
        ["0", "5", "9999", "4294967297"].map(|items| longest(&mut wire, items))
    });
    assert_eq!(seen[0], seen[1]);
}

#[test]
fn whoever_reads_a_list_slowly_costs_little_and_misses_nothing() {
    const ITEMS: usize = 16_000;
    let server = Memcached::ours(&["--threads", "1"]);
    let mut wire = server.wire();
    // Keys that are three times as long when they are told.
    for number in 0..ITEMS {
        wire.send(format!("set {number:/>250} 0 0 1 noreply\r\nx\r\n").as_bytes());
    }
    wire.ask(b"mn\r\n", b"MN\r\n");
    let before = resident_bytes(server.id());
    let mut readers: Vec<Wire> = (0..4).map(|_| server.wire()).collect();
    for reader in &mut readers {
        reader.send(b"lru_crawler metadump all\r\nmn\r\n");
    }
    // Meanwhile others are served, items come and go, and the table grows and shrinks.
    for round in 0..2 {
        for number in 0..ITEMS {
            let request = match round {
                0 => format!("set other:{number} 0 0 1 noreply\r\nx\r\n"),
                _ => format!("delete other:{number} noreply\r\n"),
            };
            wire.send(request.as_bytes());
        }
        wire.ask(b"mn\r\n", b"MN\r\n");
        let grown = resident_bytes(server.id()).saturating_sub(before);
        assert!(grown < 12 << 20, "{} MB", grown >> 20);
    }
    for mut reader in readers {
        let heard = reader.read_until(|heard| heard.ends_with(b"MN\r\n")).bytes;
        assert!(heard.ends_with(b"END\r\nMN\r\n"));
        let mut told = BTreeMap::new();
        for line in heard.split(|&byte| byte == b'\n').filter(|line| line.starts_with(b"key=%2F")) {
            let key = line.split(|&byte| byte == b' ').next().expect("it has words").to_vec();
            *told.entry(key).or_insert(0) += 1;
        }
        assert!(told.len() == ITEMS && told.values().all(|count| *count == 1), "{}", told.len());
    }
}
