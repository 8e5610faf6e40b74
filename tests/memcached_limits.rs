//! What happens at the limits of a Memcached node: of lengths, connections, idleness, memory, and of what clients may
//! leave unread or half said. What can be compared is compared with Debian's memcached, byte by byte.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;
use testkit::memcached::mixed_value_bytes;
use testkit::{Memcached, Rng, Wire, resident_bytes, signal, until};

/// What a line gets that asks for nothing: it comes after everything that was asked before.
const LAST: &[u8] = b"mn\r\n";
/// And its answer.
const LAST_ANSWER: &[u8] = b"MN\r\n";

/// Both servers with options that both know, the node's and memcached's in their own words.
fn both(ours: &[&str], theirs: &[&str]) -> Vec<Memcached> {
    let own = Memcached::ours(ours);
    std::iter::once(own).chain(Memcached::theirs(theirs)).collect()
}

/// What a server answers to these bytes over a fresh connection, until it hangs up or has said everything.
fn heard(server: &Memcached, bytes: &[u8]) -> (String, bool) {
    let mut wire = server.wire();
    wire.set_patience(Duration::from_secs(2));
    wire.send(bytes);
    wire.send(LAST);
    let heard = wire.read_until(|heard| heard.ends_with(b"MN\r\n"));
    (heard.bytes.escape_ascii().to_string(), heard.is_closed)
}

/// All servers answer alike; what they answer.
fn alike(servers: &[Memcached], bytes: &[u8]) -> (String, bool) {
    let answers: Vec<_> = servers.iter().map(|server| heard(server, bytes)).collect();
    for answer in &answers {
        assert_eq!(*answer, answers[0], "{}", bytes[..bytes.len().min(80)].escape_ascii());
    }
    answers[0].clone()
}

#[test]
fn what_is_too_long_is_answered_as_memcached_answers_it() {
    let servers = both(&[], &[]);
    let (key, long_key) = ("k".repeat(250), "k".repeat(251));
    let stored = alike(&servers, format!("set {key} 0 0 1\r\nx\r\nget {key}\r\n").as_bytes());
    assert!(stored.0.starts_with("STORED") && !stored.1);
    for request in [
        format!("set {long_key} 0 0 1\r\nx\r\n"),
        format!("get {long_key}\r\n"),
        format!("get a {long_key} b\r\n"),
        format!("delete {long_key}\r\n"),
        format!("touch {long_key} 1\r\n"),
        format!("incr {long_key} 1\r\n"),
        format!("gat 1 {long_key}\r\n"),
        format!("mg {long_key} v\r\n"),
        format!("ms {long_key} 1\r\nx\r\n"),
        format!("md {long_key}\r\n"),
        format!("ma {long_key}\r\n"),
    ] {
        let (answer, _) = alike(&servers, request.as_bytes());
        assert!(answer.contains("CLIENT_ERROR"), "{request}: {answer}");
    }
    // A block that is longer or shorter than was said.
    for request in [
        "set a 0 0 3\r\nabcd\r\nget a\r\n",
        "set a 0 0 3\r\nab\r\nget a\r\n",
        "set a 0 0 -1\r\n",
        "set a 0 0 abc\r\n",
        "set a 0 0\r\n",
        "set a 0 0 99999999999\r\n",
        "set a 4294967296 0 1\r\nx\r\n",
        "ms a abc\r\n",
        "ms a 3\r\nabcd\r\n",
    ] {
        alike(&servers, request.as_bytes());
    }
}

#[test]
fn an_item_that_is_too_large_is_swallowed_and_the_connection_goes_on() {
    let servers = both(&["--max-item-size", "1m"], &[]);
    for (len, is_stored) in [(1_000_000, true), (1 << 20, false), (3 << 20, false)] {
        let mut request = format!("set big 0 0 {len}\r\n").into_bytes();
        request.resize(request.len() + len, b'x');
        request.extend_from_slice(b"\r\nget none\r\n");
        let (answer, is_closed) = alike(&servers, &request);
        assert_eq!(answer.starts_with("STORED"), is_stored, "{len}: {answer}");
        assert!(answer.ends_with("END\\r\\nMN\\r\\n") && !is_closed, "{len}: {answer}");
    }
    // Appending beyond the limit, too.
    for server in &servers {
        let mut wire = server.wire();
        let part = "x".repeat(600_000);
        assert_eq!(wire.say(&format!("set grown 0 0 600000\r\n{part}")), "STORED");
        assert_eq!(wire.say(&format!("append grown 0 0 600000\r\n{part}")), "NOT_STORED");
    }
}

/// Values of more than a read, in pieces that end anywhere.
#[test]
fn large_values_come_in_pieces() {
    let servers = both(&[], &[]);
    let value = |len: usize, end: &str| {
        let bytes = (0..len).map(|at| b'a' + (at / 11 % 23) as u8);
        bytes.chain(end.bytes()).collect::<Vec<u8>>()
    };
    let mut requests = Vec::new();
    for (line, len, end) in [
        ("set a 7 0 300000", 300_000, "\r\n"),
        ("add a 0 0 100000", 100_000, "\r\n"),
        ("replace a 1 1000 900000", 900_000, "\r\n"),
        ("append a 0 0 20000", 20_000, "\r\n"),
        ("set b 0 0 70000", 70_000, "xx"),
        ("cas a 0 0 200000 1", 200_000, "\r\n"),
        ("set c 0 0 150000 noreply", 150_000, "\r\n"),
        ("ms d 150000 F9 T0 k", 150_000, "\r\n"),
        ("ms d 65536 I C1", 65_536, "\r\n"),
        ("ms d 200000 ME", 200_000, "\r\n"),
        ("set e 0 0 1048576", 1_048_576, "\r\n"),
        ("ms f 500000", 500_000, "\r\r"),
        ("set g 0 -1 400000", 400_000, "\r\n"),
        ("add h 0 0 16384", 16_384, "\r\n"),
    ] {
        requests.extend_from_slice(format!("{line}\r\n").as_bytes());
        requests.extend_from_slice(&value(len, end));
        requests.extend_from_slice(b"mg a s f\r\nmg d s f\r\n");
    }
    requests.extend_from_slice(b"get a b c d e f g h\r\nmn\r\n");
    for longest in [500_000, 100_000, 5_000] {
        let answers = answers_in_pieces(&servers, &requests, longest);
        let first = &answers[0];
        assert!(first.starts_with(b"STORED\r\nHD s300000 f7\r\nEN\r\nNOT_STORED\r\n"));
        assert!(answers.iter().all(|answer| answer == first), "pieces of {longest}");
    }
}

/// What servers answer to requests that come in pieces of up to so many bytes; the last is `mn`.
fn answers_in_pieces(servers: &[Memcached], requests: &[u8], longest: usize) -> Vec<Vec<u8>> {
    let mut rng = Rng::new(longest as u64);
    let pieces: Vec<usize> = (0..10_000).map(|_| 1 + rng.below(longest)).collect();
    servers
        .iter()
        .map(|server| {
            let mut wire = server.wire();
            assert_eq!(wire.say("flush_all"), "OK");
            let mut rest = requests;
            for &len in pieces.iter().cycle() {
                let (piece, others) = rest.split_at(len.min(rest.len()));
                wire.send(piece);
                rest = others;
                if rest.is_empty() {
                    break;
                }
            }
            wire.read_until(|heard| heard.ends_with(b"MN\r\n")).bytes
        })
        .collect()
}

/// Requests of a few bytes and of many are sent at once: where a read ends has no part in what is answered.
#[test]
fn requests_of_all_lengths_come_in_pieces() {
    let servers = both(&[], &[]);
    for (seed, longest) in [(1, 1_000_000), (2, 60_000), (3, 9_000), (4, 700), (5, 150_000), (6, 20_000)] {
        let mut rng = Rng::new(seed);
        let mut requests = Vec::new();
        for _ in 0..400 {
            let most = 100 << rng.below(10);
            let (key, len) = (rng.below(30), rng.below(most));
            let end = if rng.one_in(15) { "xx" } else { "\r\n" };
            let line = match rng.below(9) {
                0 | 1 => {
                    let line = format!("get k{key}\r\nmg k{key} s v\r\ndelete k{key}\r\ntouch k{key} 0\r\n");
                    requests.extend_from_slice(line.repeat(1 + rng.below(100)).as_bytes());
                    continue;
                }
                2 => format!("append k{key} 0 0 {len}\r\n"),
                3 => format!("ms k{key} {len} F{len}\r\n"),
                4 => format!("add k{key} 0 0 {len} noreply\r\n"),
                _ => format!("set k{key} {len} 0 {len}\r\n"),
            };
            requests.extend_from_slice(line.as_bytes());
            requests.extend((0..len).map(|at| b'a' + ((at + key) / 11 % 23) as u8));
            requests.extend_from_slice(end.as_bytes());
        }
        let keys: String = (0..30).map(|key| format!(" k{key}")).collect();
        requests.extend_from_slice(format!("get{keys}\r\nmn\r\n").as_bytes());
        let answers = answers_in_pieces(&servers, &requests, longest);
        assert!(answers.iter().all(|answer| *answer == answers[0]), "pieces of {longest}");
        assert!(answers[0].windows(8).any(|answer| answer == b"STORED\r\n"));
    }
}

#[test]
fn a_line_without_an_end_is_given_up_where_memcached_does_so() {
    let servers = both(&[], &[]);
    for request in [vec![b'x'; 4_096], [b"get ".to_vec(), vec![b'k'; 70_000]].concat(), vec![b' '; 5_000]] {
        let answers: Vec<_> = servers
            .iter()
            .map(|server| {
                let mut wire = server.wire();
                wire.set_patience(Duration::from_secs(1));
                wire.send(&request);
                let heard = wire.read_until(|_| false);
                (heard.bytes.escape_ascii().to_string(), heard.is_closed)
            })
            .collect();
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    }
}

#[test]
fn whoever_is_one_too_many_is_told_so() {
    let servers = both(&["--connections", "60"], &["-c", "60", "-t", "1"]);
    let refusals: Vec<_> = servers
        .iter()
        .map(|server| {
            // How many there may be besides their own is the servers' affair: they are filled up.
            let mut wires: Vec<Wire> = Vec::new();
            let refused = loop {
                let mut wire = server.wire();
                wire.send(LAST);
                let heard = wire.read_until(|heard| heard.ends_with(b"\r\n"));
                if heard.bytes != b"MN\r\n" {
                    break heard;
                }
                wires.push(wire);
                assert!(wires.len() <= 60, "more connections than allowed");
            };
            assert!(wires.len() >= 20, "{}", wires.len());
            // Those who are there are served on, and when one goes there is room for another.
            assert_eq!(wires[0].say("mn"), "MN");
            drop(wires.pop());
            until("there is room again", || {
                let mut wire = server.wire();
                wire.send(LAST);
                wire.read_until(|heard| heard.ends_with(b"\r\n")).bytes == b"MN\r\n"
            });
            assert_ne!(wires[0].stat("", "rejected_connections"), "0");
            refused.bytes
        })
        .collect();
    assert!(refusals.iter().all(|refused| refused == b"ERROR Too many open connections\r\n"), "{refusals:?}");
}

#[test]
fn whoever_says_nothing_for_too_long_is_closed() {
    for server in both(&["--idle-timeout", "1"], &["-o", "idle_timeout=1"]) {
        let (mut silent, mut busy) = (server.wire(), server.wire());
        silent.set_patience(Duration::from_millis(1));
        until("the silent one is closed", || {
            assert_eq!(busy.say("mn"), "MN");
            silent.read_until(|_| false).is_closed
        });
        assert_eq!(busy.say("mn"), "MN");
        assert_eq!(busy.stat("", "idle_kicks"), "1");
    }
}

#[test]
fn without_evictions_memory_runs_out_and_the_connection_goes_on() {
    let servers = both(&["--memory", "8", "--disable-evictions"], &["-m", "8", "-M"]);
    let value = "x".repeat(10_000);
    let refusals: Vec<_> = servers
        .iter()
        .map(|server| {
            let mut wire = server.wire();
            let refused = (0..2_000).find_map(|number| {
                let answer = wire.say(&format!("set key:{number} 0 0 10000\r\n{value}"));
                (answer != "STORED").then_some(answer)
            });
            assert_eq!(wire.say("mn"), "MN");
            assert!(wire.ask(b"get key:0\r\n", b"END\r\n").len() > 10_000, "nothing was given up");
            assert_eq!(wire.say("delete key:0"), "DELETED");
            assert_eq!(wire.say(&format!("set again 0 0 10000\r\n{value}")), "STORED");
            refused
        })
        .collect();
    let expected = Some("SERVER_ERROR out of memory storing object".to_owned());
    assert!(refusals.iter().all(|refused| *refused == expected), "{refusals:?}");
}

#[test]
fn a_flush_may_wait_for_its_time() {
    for server in both(&[], &[]) {
        let mut wire = server.wire();
        assert_eq!(wire.say("set a 0 0 1\r\n1"), "STORED");
        assert_eq!(wire.say("flush_all 2"), "OK");
        assert_eq!(wire.ask(b"get a\r\n", b"END\r\n"), b"VALUE a 0 1\r\n1\r\nEND\r\n");
        until("it is flushed", || wire.ask(b"get a\r\n", b"END\r\n") == b"END\r\n");
        // What is stored within the second of the flush may go, too.
        until("what comes later stays", || {
            assert_eq!(wire.say("set a 0 0 1\r\n2"), "STORED");
            wire.ask(b"get a\r\n", b"END\r\n") == b"VALUE a 0 1\r\n2\r\nEND\r\n"
        });
    }
}

#[test]
fn who_does_not_read_or_does_not_finish_costs_bounded_memory() {
    let server = Memcached::ours(&["--memory", "64"]);
    let mut wire = server.wire();
    let value = "x".repeat(500_000);
    assert_eq!(wire.say(&format!("set big 0 0 500000\r\n{value}")), "STORED");
    let before = resident_bytes(server.id());
    // Each asks for 50 MB and reads nothing.
    let request = b"get big\r\n".repeat(100);
    let mut idle: Vec<Wire> = (0..200).map(|_| server.wire()).collect();
    for wire in &mut idle {
        wire.send(&request);
    }
    // Each announces a value and sends little of it.
    let mut halves: Vec<Wire> = (0..200).map(|_| server.wire()).collect();
    for wire in &mut halves {
        wire.send(b"set half 0 0 1000000\r\nabc");
    }
    until("all have come", || wire.stat("", "curr_connections").parse().is_ok_and(|count: u32| count >= 401));
    until("all have asked", || wire.stat("", "get_hits").parse().is_ok_and(|count: u32| count >= 200));
    let grown = resident_bytes(server.id()).saturating_sub(before);
    assert!(grown < 12 << 20, "{} MB", grown >> 20);
    // They get all of it when they read, each value as it was when its turn came.
    assert_eq!(wire.say(&format!("set big 0 0 500000\r\n{}", "y".repeat(500_000))), "STORED");
    let value_len = "VALUE big 0 500000\r\n".len() + 500_000 + "\r\nEND\r\n".len();
    let last = idle.pop().map(|mut wire| wire.read(100 * value_len)).expect("there is one").bytes;
    assert_eq!(last.len(), 100 * value_len);
    let letters = last.chunks(value_len).map(|reply| {
        let letter = reply["VALUE big 0 500000\r\n".len()];
        let line =
            format!("VALUE big 0 500000\r\n{}\r\nEND\r\n", char::from(letter).to_string().repeat(500_000));
        assert!(reply == line.as_bytes());
        letter
    });
    let letters: Vec<u8> = letters.collect();
    assert!(letters.is_sorted() && letters[0] == b'x' && letters[99] == b'y');
}

#[test]
fn values_that_are_gone_but_not_read_to_their_end_count_against_the_limit() {
    const LIMIT: u64 = 16 << 20;
    let server = Memcached::ours(&["--memory", "16", "--threads", "1"]);
    let mut wire = server.wire();
    // What the program needs at all is not what is measured.
    assert_eq!(wire.say(&format!("set big 0 0 500000\r\n{}", "-".repeat(500_000))), "STORED");
    wire.ask(b"get big\r\nmn\r\n", b"MN\r\n");
    let before = resident_bytes(server.id());
    let (mut readers, mut answer) = (Vec::new(), String::new());
    // Each has asked for another value, more often than its socket takes, and reads nothing.
    while readers.len() < 100 {
        let value = char::from(b'a' + readers.len() as u8 % 26).to_string().repeat(500_000);
        answer = wire.say(&format!("set big 0 0 500000\r\n{value}"));
        if answer != "STORED" {
            break;
        }
        let mut reader = server.wire();
        reader.send(&b"get big\r\n".repeat(40));
        readers.push(reader);
        until("it is served", || wire.stat("", "get_hits").parse().is_ok_and(|hits| readers.len() <= hits));
    }
    assert_eq!(answer, "SERVER_ERROR out of memory storing object", "after {}", readers.len());
    assert!(readers.len() > 20, "{} readers", readers.len());
    until("buffers of requests are given back", || {
        assert_eq!(wire.say("set poke 0 0 1\r\n1"), "STORED");
        resident_bytes(server.id()).saturating_sub(before) < LIMIT * 3 / 2
    });
    let first = readers[0].read(500_000).bytes;
    assert!(first.starts_with(b"VALUE big 0 500000\r\naaaa") && first.ends_with(b"aaaa"));
    drop(readers);
    until("their values are given back", || {
        wire.say(&format!("set big 0 0 500000\r\n{}", "z".repeat(500_000))) == "STORED"
    });
}

#[test]
fn who_does_not_read_goes_where_there_is_no_memory_for_replies() {
    const LIMIT: u64 = 8 << 20;
    let server = Memcached::ours(&["--memory", "8", "--threads", "1"]);
    let mut wire = server.wire();
    for number in 0..30 {
        assert_eq!(wire.say(&format!("set {number} 0 0 10000\r\n{}", "v".repeat(10_000))), "STORED");
    }
    let before = resident_bytes(server.id());
    // 300 KB a line, and of that 60 MB in all: more than a socket takes.
    let keys: String = (0..30).map(|number| format!(" {number}")).collect();
    let request = format!("get{keys}\r\n").repeat(200);
    let mut readers: Vec<Wire> = (0..70).map(|_| server.wire()).collect();
    for reader in &mut readers {
        reader.send(request.as_bytes());
    }
    until("some have gone", || {
        wire.stat("", "curr_connections").parse().is_ok_and(|count: usize| count < readers.len())
    });
    assert_eq!(wire.say("set after 0 0 1\r\n1"), "STORED");
    let grown = resident_bytes(server.id()).saturating_sub(before);
    assert!(grown < 2 * LIMIT, "{} MB", grown >> 20);
}

#[test]
fn values_that_are_half_sent_count_against_the_limit() {
    const LIMIT: u64 = 16 << 20;
    let server = Memcached::ours(&["--memory", "16", "--threads", "1"]);
    let mut wire = server.wire();
    let before = resident_bytes(server.id());
    for number in 0..200 {
        assert_eq!(wire.say(&format!("set key:{number} 0 0 50000\r\n{}", "v".repeat(50_000))), "STORED");
    }
    // Together ten times as much as the node may take.
    let half = "x".repeat(900_000);
    let mut halves: Vec<Wire> = (0..180).map(|_| server.wire()).collect();
    for (number, wire) in halves.iter_mut().enumerate() {
        let request = match number % 2 {
            0 => format!("set half:{number} 0 0 1000000\r\n{half}"),
            _ => format!("ms half:{number} 1000000\r\n{half}"),
        };
        wire.send(request.as_bytes());
    }
    until("all has been read", || {
        wire.stat("", "bytes_read").parse().is_ok_and(|read: usize| read > halves.len() * half.len())
    });
    until("memory is given back", || {
        assert_eq!(wire.say("set poke 0 0 1\r\n1"), "STORED");
        resident_bytes(server.id()).saturating_sub(before) < 3 * LIMIT
    });
    // Those for whom there was room are stored, the others are told; all go on.
    let mut answers = std::collections::BTreeMap::new();
    for wire in &mut halves {
        let answer = wire.say(&"x".repeat(100_000));
        assert_eq!(wire.say("mn"), "MN");
        *answers.entry(answer).or_insert(0) += 1;
    }
    let refused = answers["SERVER_ERROR out of memory storing object"];
    let stored: i32 = ["STORED", "HD"].iter().filter_map(|answer| answers.get(*answer)).sum();
    assert!(stored > 0 && refused > 100 && stored + refused == 180, "{answers:?}");
    assert_eq!(wire.say("set after 0 0 1\r\n1"), "STORED");
}

#[test]
fn values_of_all_sizes_keep_resident_memory_near_the_limit() {
    const LIMIT: u64 = 64 << 20;
    let server = Memcached::ours(&["--memory", "64", "--threads", "1"]);
    let mut wire = server.wire();
    let before = resident_bytes(server.id());
    let (value, mut state) = (vec![b'v'; 8_000], 88_172_645_463_325_252_u64);
    for _ in 0..3_000 {
        let mut requests = Vec::new();
        for _ in 0..100 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let key = (state % 1_000_000) as u32;
            let len = mixed_value_bytes(key);
            requests.extend_from_slice(format!("set key:{key:010} 0 0 {len} noreply\r\n").as_bytes());
            requests.extend_from_slice(&value[..len]);
            requests.extend_from_slice(b"\r\n");
        }
        requests.extend_from_slice(LAST);
        wire.ask(&requests, LAST_ANSWER);
    }
    assert_ne!(wire.stat("", "evictions"), "0");
    // The allocator gives pages back some time after they have become empty, when somebody asks it for memory.
    until("what is not needed any more is given back", || {
        wire.ask(b"set a 0 0 1 noreply\r\n1\r\nmn\r\n", LAST_ANSWER);
        resident_bytes(server.id()).saturating_sub(before) < LIMIT * 9 / 8
    });
}

/// Values of all large sizes, and before that small ones that make way for them.
#[test]
fn large_values_keep_resident_memory_near_the_limit_at_any_moment() {
    const LIMIT: u64 = 64 << 20;
    for (small, most_bytes) in [(0, LIMIT * 9 / 8), (700_000, LIMIT * 5 / 4)] {
        let server = Memcached::ours(&["--memory", "64", "--threads", "1"]);
        let mut wire = server.wire();
        let before = resident_bytes(server.id());
        for start in (0..small).step_by(1_000) {
            let numbers = start..start + 1_000;
            let requests =
                numbers.map(|number| format!("set small:{number} 0 0 32 noreply\r\n{:032}\r\n", 0));
            wire.ask(&[requests.collect::<String>().as_bytes(), LAST].concat(), LAST_ANSWER);
        }
        let (value, mut rng, mut most) = (vec![b'v'; 500_000], Rng::new(1), 0);
        for number in 0..500 {
            let len = 20_000 + rng.below(480_000);
            let head = format!("set key:{number} 0 0 {len} noreply\r\n");
            wire.ask(&[head.as_bytes(), &value[..len], b"\r\n", LAST].concat(), LAST_ANSWER);
            most = most.max(resident_bytes(server.id()).saturating_sub(before));
        }
        assert_ne!(wire.stat("", "evictions"), "0");
        assert!(most < most_bytes, "{} MB behind {small} small ones", most >> 20);
    }
}

/// Nobody says anything to the node after its items have gone. Shards are freed one by one, and each time the last of them
/// must be given back, too, whoever gives memory back at that moment.
#[test]
fn memory_of_items_that_are_gone_is_given_back_though_nobody_asks() {
    let deletes: String = (0..40_000).map(|number| format!("delete k{number} noreply\r\n")).collect();
    let (deletes, flush) = (deletes + "mn\r\n", "flush_all noreply\r\nmn\r\n");
    for (exptime, last, times) in [(5, "mn\r\n", 1), (0, flush, 6), (0, &deletes, 2)] {
        let server = Memcached::ours(&["--memory", "64"]);
        let mut wire = server.wire();
        assert_eq!(wire.say("mn"), "MN");
        let before = resident_bytes(server.id());
        let grown = || resident_bytes(server.id()).saturating_sub(before);
        let value = "v".repeat(1_000);
        let requests: String = (0..40_000)
            .map(|number| format!("set k{number} 0 {exptime} 1000 noreply\r\n{value}\r\n"))
            .collect();
        for _ in 0..times {
            wire.send(requests.as_bytes());
            assert_eq!(wire.say("mn"), "MN");
            assert!(grown() > 20 << 20, "{} MB", grown() >> 20);
            wire.ask(last.as_bytes(), LAST_ANSWER);
            until("it is given back", || grown() < 16 << 20);
        }
    }
}

/// What those are answered who have yet to log in by text, with their requests in pieces and at once.
#[test]
fn whoever_has_to_log_in_is_answered_as_memcached_answers() {
    let directory = tempfile::tempdir().expect("there is room");
    let file = directory.path().join("users");
    std::fs::write(&file, "user:pass\n").expect("there is room");
    // It reads the file as somebody else.
    for (path, mode) in [(directory.path(), 0o755), (&file, 0o644)] {
        std::fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is there");
    }
    let file = file.to_str().expect("its name is text");
    let servers = both(&["--auth-file", file], &["-Y", file]);
    let token = |len: usize| format!("set k 0 0 {len}\r\nuser {}\r\n", "x".repeat(len - 5));
    let long_key = format!("set {} 0 0 9\r\nuser pass\r\n", "k".repeat(300));
    for (request, last) in [
        ("set k 0 0 9\r\nuser pass\r\n", "STORED"),
        ("set k x y 9 noreply\r\nuser pass\r\n", "STORED"),
        ("set k 0 0 12\r\n user  pass \r\n", "STORED"),
        (&long_key, "STORED"),
        ("mn\r\nset k 0 0 9\r\nuser pass\r\n", "STORED"),
        ("set k 0 0 9\r\nuser fail\r\nset k 0 0 9\r\nuser pass\r\n", "STORED"),
        ("add k 0 0 9\r\nuser pass\r\n", "CLIENT_ERROR unauthenticated"),
        ("replace k 0 0 9\r\nuser pass\r\n", "CLIENT_ERROR unauthenticated"),
        ("cas k 0 0 9 1\r\nuser pass\r\n", "CLIENT_ERROR unauthenticated"),
        ("ms k 9\r\nuser pass\r\n", "CLIENT_ERROR unauthenticated"),
        ("quit\r\n", "CLIENT_ERROR unauthenticated"),
        ("shutdown\r\n", "CLIENT_ERROR unauthenticated"),
        ("set k 0 0 4\r\nuser pass\r\n", "CLIENT_ERROR unauthenticated"),
        ("set k 0 0 -1\r\n", "CLIENT_ERROR unauthenticated"),
        ("set k 0 0 9\r\nuser fail\r\n", "CLIENT_ERROR authentication failure"),
        ("set k 0 0 8\r\nuserpass\r\n", "CLIENT_ERROR bad authentication token format"),
        ("set k 0 0 8\r\nuser pass\r\n", "CLIENT_ERROR bad command line termination"),
        (&token(16_382), "CLIENT_ERROR authentication failure"),
        // These end the connection.
        (&token(16_383), ""),
        (&token(70_000), ""),
    ] {
        for server in &servers {
            let mut wire = server.wire();
            wire.send(request.as_bytes());
            let answer = wire.read_until(|heard| heard.ends_with(b"\r\n"));
            let shown = request[..request.len().min(60)].escape_debug();
            assert_eq!(String::from_utf8_lossy(&answer.bytes).trim_end(), last, "{shown}");
            assert_eq!(answer.is_closed, last.is_empty(), "{shown}");
            if last.is_empty() {
                continue;
            }
            // Nothing else was answered, and the connection goes on.
            let next = if last == "STORED" { "MN" } else { "CLIENT_ERROR unauthenticated" };
            assert_eq!(wire.say("mn"), next, "{shown}");
        }
    }
}

/// A file that has changed counts from SIGHUP on, one that is no good does not; who has logged in stays.
#[test]
fn who_may_log_in_is_read_again_at_a_hangup() {
    let directory = tempfile::tempdir().expect("there is room for a file");
    let path = directory.path().join("users");
    let write = |text: &str| std::fs::write(&path, text).expect("there is room for a file");
    let hang_up = |server: &Memcached| {
        signal(server.id(), "HUP");
    };
    write("user:pass\n");
    for path in [directory.path(), &path] {
        let mode = if path.is_dir() { 0o755 } else { 0o644 };
        std::fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is there");
    }
    let file = path.to_str().expect("its name is text");
    for server in both(&["--auth-file", file], &["-Y", file]) {
        let says = |pair: &str| server.wire().say(&format!("set k 0 0 {}\r\n{pair}", pair.len()));
        write("user:pass\n");
        hang_up(&server);
        until("the first may log in", || says("user pass") == "STORED");
        let mut wire = server.wire();
        assert_eq!(wire.say("set k 0 0 9\r\nuser pass"), "STORED");
        write("other:word\n");
        assert_eq!(says("user pass"), "STORED", "nobody has looked");
        hang_up(&server);
        until("the other may log in", || says("other word") == "STORED");
        assert_eq!(says("user pass"), "CLIENT_ERROR authentication failure");
        write("nobody\n");
        hang_up(&server);
        assert_eq!((says("other word").as_str(), wire.say("mn").as_str()), ("STORED", "MN"));
    }
    for server in both(&[], &[]) {
        hang_up(&server);
        assert_eq!(server.wire().say("mn"), "MN", "nothing is to be read, and it goes on");
    }
}

/// Text behind a frame is a header that has not come yet, and then one that is none.
#[test]
fn text_behind_a_frame_is_waited_for_until_it_is_a_header() {
    let mut no_op = [0; 24];
    no_op[..2].copy_from_slice(&[0x80, 0x0A]);
    for server in both(&[], &[]) {
        let mut wire = server.wire();
        wire.send(&no_op);
        assert_eq!(wire.read(24).bytes[..2], [0x81, 0x0A]);
        // 23 bytes are no header.
        wire.send(b"get a\r\nget a\r\nget a\r\nge");
        wire.set_patience(Duration::from_millis(300));
        let heard = wire.read(1);
        assert!(heard.bytes.is_empty() && !heard.is_closed, "{:?}", heard.bytes);
        wire.send(b"t");
        wire.set_patience(Duration::from_secs(5));
        let heard = wire.read(1);
        assert!(heard.bytes.is_empty() && heard.is_closed, "{:?}", heard.bytes);
    }
}
