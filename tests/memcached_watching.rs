//! What `watch` tells of a Memcached node, beside what a real memcached tells.

use testkit::memcached_sequences::END_OF_TEXT;
use testkit::{Memcached, Wire, resident_bytes, until};

/// The key that is asked for when no more is to come.
const LAST: &str = "last";

/// Requests of a connection. memcached says nothing true of the class and the client of a value that is too large, so
/// there is none.
static REQUESTS: &[&str] = &[
    "get a",
    "set a 0 0 3\r\nabc",
    "get a",
    "gets a b",
    "gat 100 a",
    "touch a 0",
    "touch nope 0",
    "add a 0 0 1\r\nx",
    "add b 0 5000 1\r\nx",
    "replace b 0 0 2\r\nyy",
    "replace c 0 0 1\r\nz",
    "append b 0 0 1\r\nq",
    "append nope 0 0 1\r\nq",
    "prepend b 0 0 1\r\nq",
    "cas b 0 0 1 1\r\nx",
    "cas nope 0 0 1 1\r\nx",
    "set n 0 0 1\r\n9 noreply",
    "set n 0 0 1\r\n9",
    "incr n 1",
    "incr nope 1",
    "incr a 1",
    "decr n 1",
    "delete n",
    "delete n",
    "set bad 0 0 3\r\nabcdef",
    "mg a v",
    "mg a s k",
    "mg new v N30",
    "mg nope v",
    "ms m 2 T30\r\nhi",
    "ms m 2 ME\r\nhi",
    "ms m 2 C1\r\nhi",
    "ms m 2 C1 I\r\nhi",
    "ms m 1 MA\r\nz",
    "md m I",
    "mg m v",
    "md m q",
    "md m",
    "ma num",
    "ma num N0",
    "ma num",
    "me a",
    "me nope",
    "set e 0 -1 1\r\nx",
    "get e",
    "get e",
    "set a%~/\x01+ 0 0 1\r\nx",
    "get a%~/\x01+",
    "ms YSBi 1 b\r\nx",
    "mg YSBi b v",
    "flush_all",
    "verbosity 0",
    "mn",
];

/// A connection that watches.
fn watch(server: &Memcached, what: &str) -> Wire {
    let mut watcher = server.wire();
    assert_eq!(watcher.say(&format!("watch {what}")), "OK", "{what}");
    watcher
}

/// The lines that a watcher is told until the last key is asked for; memcached tells them some time later.
fn lines(watcher: &mut Wire) -> Vec<String> {
    let end = format!(" type=item_get key={LAST} ");
    let heard = watcher.read_until(|heard| {
        heard.ends_with(b"\n") && String::from_utf8_lossy(heard).lines().any(|line| line.contains(&end))
    });
    let heard = String::from_utf8(heard.bytes).expect("it is text");
    heard.lines().take_while(|line| !line.contains(&end)).map(str::to_owned).collect()
}

/// A line less what is each server's own: when it was, its number, the number of the client, and what size class it is,
/// where it is one. A time in the past is a number without sign, which depends on when the server began.
fn comparable(line: &str) -> String {
    let words = line.split(' ').filter_map(|word| match word.split_once('=')? {
        ("ts" | "gid" | "cfd" | "rport", value) => {
            assert!(value.parse::<f64>().is_ok(), "{line}");
            None
        }
        ("clsid", class) => Some(if class == "0" { "clsid=0" } else { "clsid" }.to_owned()),
        ("ttl", left) if left.parse::<u32>().is_ok_and(|left| left > u32::MAX / 2) => {
            Some("ttl=-".to_owned())
        }
        // A second may have passed.
        ("ttl", left) => Some(format!("ttl={}", left.parse::<i64>().map_or(0, |left| (left + 2) / 5))),
        _ => Some(word.to_owned()),
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn lookups_and_changes_are_told_as_memcached_tells_them() {
    // Nothing happens by itself then.
    let Some(theirs) = Memcached::theirs(&["-t", "1", "-o", "no_lru_maintainer,no_lru_crawler"]) else {
        return;
    };
    let seen = [&Memcached::ours(&[]), &theirs].map(|server| {
        let mut watchers = ["", "fetchers", "mutations", "mutations fetchers sysevents proxyreqs fetchers"]
            .map(|what| watch(server, what));
        let mut wire = server.wire();
        for request in REQUESTS {
            wire.ask(&[request.as_bytes(), b"\r\n", END_OF_TEXT.0].concat(), END_OF_TEXT.1);
        }
        // Those who do not watch lookups are told of nothing else then.
        watchers.swap(2, 3);
        wire.ask(format!("get {LAST}\r\n").as_bytes(), b"END\r\n");
        watchers[..3].iter_mut().map(lines).collect::<Vec<_>>()
    });
    let [own, other] = seen.map(|told| {
        // The lines come in the order of their numbers, each from one client.
        for lines in &told {
            let number =
                |line: &String| line.split(' ').find_map(|word| word.strip_prefix("gid=")?.parse().ok());
            assert!(lines.iter().map(number).collect::<Vec<Option<u64>>>().is_sorted(), "{lines:?}");
        }
        told.into_iter().map(|lines| lines.iter().map(|line| comparable(line)).collect::<Vec<_>>())
    });
    for (own, other) in own.zip(other) {
        for (own, other) in own.iter().zip(&other) {
            assert_eq!(own, other);
        }
        assert_eq!(own.len(), other.len());
        assert!(own.len() > 40, "{own:?}");
    }
}

/// A frame: its opcode, key, extras and value.
fn frame(opcode: u8, key: &str, extras: &[u8], value: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80, opcode, 0, key.len() as u8, extras.len() as u8, 0, 0, 0];
    frame.extend_from_slice(&((extras.len() + key.len() + value.len()) as u32).to_be_bytes());
    frame.extend_from_slice(&[0; 12]);
    frame.extend_from_slice(&[extras, key.as_bytes(), value].concat());
    frame
}

#[test]
fn lookups_and_changes_by_frames_are_told_as_memcached_tells_them() {
    let Some(theirs) = Memcached::theirs(&["-t", "1", "-o", "no_lru_maintainer,no_lru_crawler"]) else {
        return;
    };
    let sum = |exptime: u8| [&1u64.to_be_bytes()[..], &5u64.to_be_bytes(), &[exptime; 4]].concat();
    let (new, old) = (sum(0), sum(0xFF));
    let told = [&Memcached::ours(&[]), &theirs].map(|server| {
        let mut watcher = watch(server, "fetchers mutations");
        let mut wire = server.wire();
        for (opcode, key, extras, value) in [
            (0x00, "k", &[][..], &b""[..]),
            (0x01, "k", &[0; 8], b"value"),
            (0x00, "k", &[], b""),
            (0x0C, "k", &[], b""),
            (0x02, "k", &[0; 8], b"x"),
            (0x02, "other", &[0; 8], b"x"),
            (0x03, "k", &[0; 8], b"xx"),
            (0x03, "none", &[0; 8], b"x"),
            (0x0E, "k", &[], b"y"),
            (0x0F, "none", &[], b"y"),
            (0x1C, "k", &[0; 4], b""),
            (0x1C, "none", &[0; 4], b""),
            (0x1D, "k", &[0; 4], b""),
            (0x05, "n", &new, b""),
            (0x05, "n", &old, b""),
            (0x06, "none", &old, b""),
            (0x05, "k", &old, b""),
            (0x04, "k", &[], b""),
            (0x04, "k", &[], b""),
            (0x09, "other", &[], b""),
        ] {
            wire.send(&frame(opcode, key, extras, value));
        }
        // Nothing but the end is answered to the last.
        wire.send(&frame(0x0A, "", &[], b""));
        wire.read_until(|heard| heard.len() >= 24 && heard[heard.len() - 24..].starts_with(&[0x81, 0x0A]));
        server.wire().ask(format!("get {LAST}\r\n").as_bytes(), b"END\r\n");
        lines(&mut watcher).iter().map(|line| comparable(line)).collect::<Vec<_>>()
    });
    assert_eq!(told[0], told[1]);
    assert!(told[0].len() > 25, "{:?}", told[0]);
}

#[test]
fn who_comes_and_goes_is_told_as_memcached_tells_it() {
    let servers = [Some(Memcached::ours(&[])), Memcached::theirs(&["-t", "1"])];
    for server in servers.iter().flatten() {
        let mut watcher = watch(server, "connevents fetchers");
        let mut wire = server.wire();
        wire.ask(b"get a\r\n", b"END\r\n");
        wire.send(b"quit\r\n");
        assert!(wire.read_until(|_| false).is_closed);
        let mut broken = server.wire();
        broken.send(&[b'x'; 5_000]);
        assert!(broken.read_until(|_| false).is_closed);
        drop(server.wire().ask(b"mn\r\n", b"MN\r\n"));
        // The last of them is told when it has gone.
        let heard = watcher.read_until(|heard| {
            heard.ends_with(b"\n") && String::from_utf8_lossy(heard).matches("conn_close").count() == 3
        });
        let heard = String::from_utf8(heard.bytes).expect("it is text");
        let mut told: Vec<_> = heard.lines().map(comparable).collect();
        told.sort();
        let new = "type=conn_new rip=127.0.0.1 transport=tcp";
        let gone = |reason| format!("type=conn_close rip=127.0.0.1 transport=tcp reason={reason}");
        let mut want = vec![new.to_owned(); 3];
        want.extend(["error", "normal", "normal"].map(gone));
        want.sort();
        want.push("type=item_get key=a status=not_found clsid=0 size=0".to_owned());
        want.sort();
        assert_eq!(told, want, "{heard}");
        // Numbers and ports tell which is which.
        let of = |line: &str, name: &str| {
            line.split(' ').find_map(|word| word.strip_prefix(name)).map(str::to_owned)
        };
        let get = heard.lines().find(|line| line.contains("item_get")).expect("it is told");
        let first = heard.lines().find(|line| line.contains("conn_new")).expect("it is told");
        assert_eq!(of(get, "cfd="), of(first, "cfd="), "{heard}");
    }
}

#[test]
fn evictions_are_told_as_memcached_tells_them() {
    let servers = [
        Some(Memcached::ours(&["--memory", "8"])),
        Memcached::theirs(&["-t", "1", "-m", "8", "-o", "no_lru_maintainer"]),
    ];
    for server in servers.iter().flatten() {
        let mut watcher = watch(server, "evictions");
        let mut wire = server.wire();
        for number in 0..6_000 {
            let (expires, value) = (number % 2 * 1_000, "x".repeat(3_000));
            wire.ask(format!("set k%{number} 0 {expires} 3000\r\n{value}\r\n").as_bytes(), b"STORED\r\n");
        }
        let heard = watcher.read_until(|heard| heard.iter().filter(|&&byte| byte == b'\n').count() >= 50);
        let heard = String::from_utf8(heard.bytes).expect("it is text");
        for line in heard.lines().take(50) {
            let words: Vec<_> = line.split(' ').collect();
            assert!(words[0].starts_with("ts=") && words[1].starts_with("gid="), "{line}");
            assert!(words[3].starts_with("key=k%25"), "{line}");
            let left_s = words[5].strip_prefix("ttl=").and_then(|left| left.parse::<i64>().ok());
            assert!(left_s.is_some_and(|left| left == -1 || (900..=1_000).contains(&left)), "{line}");
            assert!(words[6].starts_with("la=") && words[7].starts_with("clsid="), "{line}");
            assert_eq!((words[2], words[4], words[8]), ("type=eviction", "fetch=no", "size=3000"), "{line}");
        }
    }
}

#[test]
fn what_cannot_be_watched_is_answered_as_memcached_answers_it() {
    let Some(theirs) = Memcached::theirs(&["-t", "1"]) else { return };
    let ours = Memcached::ours(&[]);
    for request in [
        "watch x",
        "watch fetchers x",
        "watch Fetchers",
        "watch deletions",
        "watch all",
        "watch noreply",
        "watch fetchers noreply",
        "version\r\nwatch fetchers",
        "watch x\r\nversion",
    ] {
        let bytes = [request.as_bytes(), b"\r\n", END_OF_TEXT.0].concat();
        let [own, other] = [&ours, &theirs].map(|server| server.wire().ask(&bytes, END_OF_TEXT.1));
        assert_eq!(own.escape_ascii().to_string(), other.escape_ascii().to_string(), "{request}");
    }
    for server in [&ours, &theirs] {
        let mut watchers: Vec<_> =
            ["fetchers", "mutations", "evictions", "connevents", "sysevents", "proxyreqs", "proxyevents"]
                .into_iter()
                .chain(std::iter::repeat("proxyuser rawcmds"))
                .take(20)
                .map(|what| watch(server, what))
                .collect();
        let mut late = server.wire();
        assert_eq!(late.say("watch"), "WATCHER_TOO_MANY log watcher limit reached");
        until("all are counted", || late.stat("", "log_watchers") == "20");
        let report = late.ask(b"stats conns\r\n", b"END\r\n");
        assert_eq!(String::from_utf8_lossy(&report).matches(":state conn_watch\r\n").count(), 20);
        // It is not listened to, but when it hangs up.
        watchers[1].send(b"version\r\nquit\r\n");
        late.ask(b"set a 0 0 1\r\nx\r\n", b"STORED\r\n");
        let heard = watchers[1].read_until(|heard| heard.ends_with(b"\n"));
        let heard = String::from_utf8_lossy(&heard.bytes).into_owned();
        assert!(heard.contains("type=item_store key=a ") && !heard.contains("VERSION"), "{heard}");
        drop(watchers);
        until("nobody watches", || late.stat("", "log_watchers") == "0");
        assert_eq!(late.say("watch"), "OK");
    }
}

#[test]
fn a_slow_watcher_is_told_how_much_it_missed_and_costs_little() {
    const LOOKUPS: usize = 200_000;
    let server = Memcached::ours(&["--threads", "1"]);
    let mut wire = server.wire();
    let mut watchers: Vec<_> = (0..4).map(|_| watch(&server, "fetchers")).collect();
    let before = resident_bytes(server.id());
    let request = format!("get {}\r\n", "/".repeat(250)).repeat(100);
    for _ in 0..LOOKUPS / 100 {
        wire.ask(&[request.as_bytes(), END_OF_TEXT.0].concat(), END_OF_TEXT.1);
    }
    let grown = resident_bytes(server.id()).saturating_sub(before);
    assert!(grown < 16 << 20, "{} MB", grown >> 20);
    let [written, sent, skipped] = ["log_worker_written", "log_watcher_sent", "log_watcher_skipped"]
        .map(|name| wire.stat("", name).parse::<usize>().expect("it is a number"));
    assert!(skipped > 0 && written == LOOKUPS && sent + skipped == 4 * LOOKUPS, "{written} {sent} {skipped}");
    let mut told = 0;
    for watcher in &mut watchers {
        // What comes after it has read all is told again, and before it how much was not.
        let mut heard = Vec::new();
        until("there is room for another line", || {
            wire.ask(format!("get {LAST}\r\n").as_bytes(), b"END\r\n");
            watcher.set_patience(std::time::Duration::from_millis(100));
            heard.extend(watcher.read_until(|_| false).bytes);
            heard.windows(9).any(|part| part == b"key=last ")
        });
        let heard = String::from_utf8(heard).expect("it is text");
        let mut missed = 0;
        for line in heard.lines() {
            match line.strip_prefix("skipped=") {
                Some(count) => missed += count.parse::<usize>().expect("it is a number"),
                None if line.contains(LAST) => break,
                None => told += 1,
            }
        }
        told += missed;
        assert!(missed > 0);
    }
    assert!((4 * LOOKUPS..4 * LOOKUPS + 1_000).contains(&told), "{told}");
    assert_eq!(wire.say("stats reset"), "RESET");
    assert_eq!(wire.stat("", "log_watcher_skipped"), "0");
}
