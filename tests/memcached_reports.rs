//! What `stats` tells, beside a real memcached: the same names in the same order, less those that are listed here with
//! why they are left out, and the same answers where they do not depend on how memory is divided.

use std::path::Path;
use std::process::Command;
use testkit::{Memcached, Wire};

/// A report, and the names that are left out of it.
struct Report {
    name: &'static str,
    left_out: &'static [&'static str],
}

/// Names that have no true value for a node without slabs, lists of items by use, files, TLS and pools of buffers, and
/// those of what is not counted.
static REPORTS: [Report; 4] = [
    Report {
        name: "stats",
        left_out: &[
            // The library that memcached waits with.
            "libevent",
            // Pools of buffers and descriptors.
            "response_obj_oom",
            "response_obj_count",
            "response_obj_bytes",
            "read_buf_count",
            "read_buf_bytes",
            "read_buf_bytes_free",
            "read_buf_oom",
            "reserved_fds",
            // Who yields is not counted.
            "conn_yields",
            // There is no one hash table that grows as a whole.
            "hash_power_level",
            "hash_is_expanding",
            // Slabs and those that move them; lists by use and those that walk them.
            "slab_reassign_rescues",
            "slab_reassign_chunk_rescues",
            "slab_reassign_evictions_nomem",
            "slab_reassign_inline_reclaim",
            "slab_reassign_busy_items",
            "slab_reassign_busy_deletes",
            "slab_reassign_running",
            "slabs_moved",
            "lru_crawler_running",
            "lru_crawler_starts",
            "lru_maintainer_juggles",
            // Threads by queue of a network card.
            "unexpected_napi_ids",
            "round_robin_fallback",
            "slab_global_page_pool",
            "crawler_reclaimed",
            "crawler_items_checked",
            "lrutail_reflocked",
            "moves_to_cold",
            "moves_to_warm",
            "moves_within_lru",
            "direct_reclaims",
            "lru_bumps_dropped",
        ],
    },
    Report {
        name: "stats settings",
        left_out: &[
            // There are neither sockets in files nor UDP.
            "umask",
            // Slabs.
            "growth_factor",
            "chunk_size",
            "num_threads_per_udp",
            // Requests are served as far as they have come.
            "reqs_per_event",
            // There is no one hash table: each shard has its own.
            "hashpower_init",
            // Slabs and lists by use.
            "slab_automove_ratio",
            "slab_automove_window",
            "slab_chunk_max",
            "lru_crawler_sleep",
            "lru_crawler_tocrawl",
            "tail_repair_time",
            "hash_algorithm",
            "hot_lru_pct",
            "warm_lru_pct",
            "hot_max_factor",
            "warm_max_factor",
            "temporary_ttl",
            // Logs and buffers.
            "worker_logbuf_size",
            "read_buf_mem_limit",
            // Items on disks.
            "ext_item_size",
            "ext_item_age",
            "ext_low_ttl",
            "ext_recache_rate",
            "ext_wbuf_size",
            "ext_compact_under",
            "ext_drop_under",
            "ext_max_sleep",
            "ext_max_frag",
            "slab_automove_freeratio",
            "ext_drop_unread",
            // TLS.
            "ssl_chain_cert",
            "ssl_key",
            "ssl_verify_mode",
            "ssl_keyformat",
            "ssl_ciphers",
            "ssl_ca_cert",
            "ssl_wbuf_size",
            "ssl_session_cache",
            "ssl_kernel_tls",
            "ssl_min_version",
            // Threads by queue of a network card.
            "num_napi_ids",
        ],
    },
    Report {
        name: "stats items",
        left_out: &[
            // Lists by use, and those that walk them.
            "number_hot",
            "number_warm",
            "number_cold",
            "age_hot",
            "age_warm",
            "crawler_reclaimed",
            "crawler_items_checked",
            "lrutail_reflocked",
            "moves_to_cold",
            "moves_to_warm",
            "moves_within_lru",
            "direct_reclaims",
            "hits_to_hot",
            "hits_to_warm",
            "hits_to_cold",
            "hits_to_temp",
        ],
    },
    Report { name: "stats slabs", left_out: &[] },
];

/// The lines of a report, names and values.
fn lines(server: &Memcached, report: &str) -> Vec<(String, String)> {
    let heard = server.wire().ask(format!("{report}\r\n").as_bytes(), b"END\r\n");
    let heard = String::from_utf8(heard).unwrap();
    let lines = heard.lines().filter_map(|line| line.strip_prefix("STAT ")?.split_once(' '));
    lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The names of a report, without the number of a class.
fn names(server: &Memcached, report: &str) -> Vec<String> {
    let name = |name: &str| name.rsplit(':').next().unwrap().to_owned();
    lines(server, report).iter().map(|(own, _)| name(own)).collect()
}

#[test]
fn reports_have_the_names_of_memcached() {
    let Some(theirs) = Memcached::theirs(&[]) else { return };
    let ours = Memcached::ours(&[]);
    for server in [&ours, &theirs] {
        assert_eq!(server.wire().say("set a 0 0 1\r\nx"), "STORED");
    }
    for report in &REPORTS {
        let (ours, theirs) = (names(&ours, report.name), names(&theirs, report.name));
        let mut rest = ours.iter().peekable();
        let missing: Vec<_> = theirs.iter().filter(|name| rest.next_if_eq(name).is_none()).collect();
        assert_eq!(missing, report.left_out, "{}", report.name);
        assert_eq!(rest.next(), None, "{} has what memcached has not", report.name);
    }
}

/// What the classes of a report have of something, all together.
fn sum(server: &Memcached, report: &str, name: &str) -> u64 {
    let lines = lines(server, report);
    let own = lines.iter().filter(|(own, _)| own.rsplit(':').next() == Some(name));
    own.map(|(_, value)| value.parse::<u64>().unwrap()).sum()
}

#[test]
fn what_is_counted_by_class_follows_what_clients_did() {
    let Some(theirs) = Memcached::theirs(&["-M", "-m", "8"]) else { return };
    let ours = Memcached::ours(&["--memory", "8", "--disable-evictions"]);
    for server in [&ours, &theirs] {
        let mut wire = server.wire();
        let value = "v".repeat(100_000);
        let mut refused = 0;
        for number in 0..120 {
            match wire.say(&format!("set {number} 0 0 {}\r\n{value}", value.len())).as_str() {
                "STORED" => {}
                "SERVER_ERROR out of memory storing object" => refused += 1,
                answer => panic!("{answer}"),
            }
        }
        assert!(refused > 20, "{refused} items");
        assert_eq!(sum(server, "stats items", "number"), 120 - refused);
        assert_eq!(sum(server, "stats items", "outofmemory"), refused);
        assert_eq!(wire.stat("", "store_no_memory"), refused.to_string());
        for name in ["evicted", "evicted_time", "tailrepairs", "reclaimed"] {
            assert_eq!(sum(server, "stats items", name), 0, "{name}");
        }
        assert_eq!(wire.say("stats reset"), "RESET");
        assert_eq!(sum(server, "stats items", "number"), 120 - refused);
        assert_eq!(sum(server, "stats items", "outofmemory"), 0);
    }
}

#[test]
fn what_clients_did_is_counted_by_class_as_there() {
    let Some(theirs) = Memcached::theirs(&[]) else { return };
    let ours = Memcached::ours(&[]);
    let value = "x".repeat(2000);
    let [ours, theirs] = [&ours, &theirs].map(|server| {
        let mut wire = server.wire();
        for request in [
            "set a 0 0 2\r\n10".to_owned(),
            format!("set b 5 100 2000\r\n{value}"),
            format!("add b 0 0 2000\r\n{value}"),
            "add c 0 0 1\r\nx".to_owned(),
            "replace nosuch 0 0 1\r\nx".to_owned(),
            "append b 0 0 3\r\nabc".to_owned(),
            "set bad 0 0 1\r\nxyz".to_owned(),
            "cas a 0 0 1 999999\r\nx".to_owned(),
            "cas nosuch 0 0 1 1\r\nx".to_owned(),
            "incr a 1".to_owned(),
            "incr a 1000".to_owned(),
            "incr c 1".to_owned(),
            "incr nosuch 1".to_owned(),
            "decr a 5".to_owned(),
            "touch b 1000".to_owned(),
            "touch nosuch 1000".to_owned(),
            "gat 1000 a b nosuch".to_owned(),
            "get a b nosuch".to_owned(),
            "gets b a".to_owned(),
            "mg a v".to_owned(),
            "mg nosuch v".to_owned(),
            "mg b s k".to_owned(),
            "mg made v N100".to_owned(),
            "mg b s T100".to_owned(),
            "mg new s N100 T100".to_owned(),
            "ms m 3\r\nabc".to_owned(),
            "ms m 3 C999999\r\nabc".to_owned(),
            "ms m 3 I C1\r\nabc".to_owned(),
            "ms bad 1\r\nxyz".to_owned(),
            "ma a".to_owned(),
            "ma counter N0 J7".to_owned(),
            "ma a MD".to_owned(),
            "delete c".to_owned(),
            "delete nosuch".to_owned(),
            "md b I T30".to_owned(),
            "md b".to_owned(),
        ] {
            wire.ask(format!("{request}\r\nmn\r\n").as_bytes(), b"MN\r\n");
        }
        let gets = String::from_utf8(wire.ask(b"gets a\r\n", b"END\r\n")).unwrap();
        let cas = gets.lines().next().unwrap().rsplit(' ').next().unwrap().to_owned();
        assert_eq!(wire.say(&format!("cas a 0 0 1 {cas}\r\nx")), "STORED");
        let names = [
            "get_hits",
            "cmd_set",
            "delete_hits",
            "incr_hits",
            "decr_hits",
            "cas_hits",
            "cas_badval",
            "touch_hits",
        ];
        let sums = names.map(|name| (name, sum(server, "stats slabs", name)));
        for (name, sum) in sums {
            assert_eq!(wire.stat("", name), sum.to_string(), "{name}");
        }
        assert_eq!(wire.say("stats reset"), "RESET");
        for name in names {
            assert_eq!(sum(server, "stats slabs", name), 0, "{name}");
        }
        sums
    });
    assert_eq!(ours, theirs);
}

#[test]
fn whatever_is_asked_for_is_answered_as_memcached_does() {
    let Some(theirs) = Memcached::theirs(&[]) else { return };
    let ours = Memcached::ours(&[]);
    let [ours, theirs] = [&ours, &theirs].map(|server| {
        let mut wire = server.wire();
        let mut heard: Vec<String> = Vec::new();
        for words in [
            "nosuch",
            "nosuch more",
            "noreply",
            "noreply noreply",
            "reset noreply",
            "reset x",
            "sizes x",
            "sizes_enable x",
            "sizes_disable",
            "items x",
            "extstore",
            "malloc",
            "maps",
            "SETTINGS",
            "settingsx",
            "set",
            "settings\tx",
        ] {
            heard.push(wire.say(&format!("stats {words}")));
            // No answer has more than one line, but for the ends of some.
            wire.ask(b"mn\r\n", b"MN\r\n");
        }
        for (request, name) in [
            ("flush_all 2592001", "oldest"),
            ("flush_all 4102444800", "cmd_flush"),
            ("verbosity 1", "verbosity"),
            ("verbosity 7", "verbosity"),
            ("verbosity 1 noreply", "verbosity"),
            ("verbosity 2 1", "verbosity"),
            ("verbosity x", "verbosity"),
            ("verbosity 0", "verbosity"),
            ("verbosity 0 0 0", "verbosity"),
        ] {
            wire.send(format!("{request}\r\n").as_bytes());
            heard.push(String::from_utf8(wire.ask(b"mn\r\n", b"MN\r\n")).unwrap());
            heard.push(wire.stat(if name == "cmd_flush" { "" } else { "settings" }, name));
        }
        // Frames name reports by their beginnings, or exactly.
        for key in [
            "reset",
            "resetx",
            "nosuch",
            " settings",
            "slabs x",
            "itemsx",
            "items",
            "sizes",
            "sizes_enable",
            "sizes_disable",
            "conns",
            "extstore",
            "RESET",
            "detail",
            "detailx",
        ] {
            let mut frame = vec![0x80, 0x10, 0, key.len() as u8, 0, 0, 0, 0, 0, 0, 0, key.len() as u8];
            frame.resize(24, 0);
            frame.extend_from_slice(key.as_bytes());
            // A version comes after all others.
            frame.extend_from_slice(&[0x80, 0x0B]);
            frame.resize(frame.len() + 22, 0);
            let answer = server.wire().ask(&frame, b"1.6.18");
            heard.push(answer.escape_ascii().to_string());
        }
        heard
    });
    assert_eq!(ours, theirs);
}

#[test]
fn the_socket_that_listens_is_told_of_first() {
    let Some(theirs) = Memcached::theirs(&[]) else { return };
    for server in [Memcached::ours(&[]), theirs] {
        let lines = lines(&server, "stats conns");
        let told: Vec<_> =
            lines.iter().map(|(name, value)| (name.split_once(':').unwrap().1, value)).collect();
        let address = format!("tcp:{}", server.address());
        assert_eq!(told[..2], [("addr", &address), ("state", &"conn_listening".to_owned())]);
        assert_eq!(told[2].0, "secs_since_last_cmd");
        // Those that have gone may still be there.
        for connection in told[3..].chunks(4) {
            let names: Vec<_> = connection.iter().map(|(name, _)| *name).collect();
            assert_eq!(names, ["addr", "listen_addr", "state", "secs_since_last_cmd"]);
            assert_eq!(connection[1].1, &address);
        }
        let mut wire = server.wire();
        assert_eq!(wire.stat("settings", "tcpport"), server.address().port().to_string());
        assert_eq!(wire.stat("settings", "inter"), server.address().ip().to_string());
    }
}

#[test]
fn threads_are_those_that_were_asked_for() {
    let Some(theirs) = Memcached::theirs(&["-t", "3"]) else { return };
    for server in [Memcached::ours(&["--threads", "3"]), theirs] {
        let mut wire = server.wire();
        assert_eq!(
            (wire.stat("", "threads"), wire.stat("settings", "num_threads")),
            ("3".into(), "3".into())
        );
    }
}

/// The tool that comes with memcached.
const TOOL: &str = "/usr/share/memcached/scripts/memcached-tool";

#[test]
fn the_tool_of_memcached_finds_what_it_looks_for() {
    if !Path::new(TOOL).exists() {
        eprintln!("SKIPPED: there is no {TOOL}");
        return;
    }
    let server = Memcached::ours(&["--threads", "2"]);
    let mut wire = server.wire();
    wire.ask(b"stats sizes_enable\r\n", b"\r\n");
    for key in ["a", "b"] {
        assert_eq!(wire.say(&format!("set {key} 0 0 1000\r\n{}", "x".repeat(1000))), "STORED");
    }
    let says = |mode: &str| {
        let output = Command::new(TOOL).args([&server.address().to_string(), mode]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let rows = String::from_utf8(output.stdout).unwrap();
        rows.lines().map(|row| row.split_whitespace().map(str::to_owned).collect()).collect::<Vec<Vec<_>>>()
    };
    // The class, its size, age, pages, items, whether it is full, and what was given up or found no room.
    assert_eq!(says("display")[1..], [["20", "1.0K", "0s", "1", "2", "yes", "0", "0", "0"]]);
    for (mode, row) in [
        ("stats", ["curr_items", "2"]),
        ("stats", ["threads", "2"]),
        ("settings", ["maxbytes", "67108864"]),
        ("sizes", ["1088", "2"]),
    ] {
        assert!(says(mode).contains(&row.map(str::to_owned).to_vec()), "{row:?}: {:?}", says(mode));
    }
}

#[test]
fn sizes_are_told_when_somebody_wants_to_know() {
    let Some(theirs) = Memcached::theirs(&[]) else { return };
    let ours = Memcached::ours(&[]);
    let [ours, theirs] = [&ours, &theirs].map(|server| {
        let mut wire = server.wire();
        let mut heard = Vec::new();
        assert_eq!(wire.say("set before 0 0 1\r\nx"), "STORED");
        heard.push(wire.ask(b"stats sizes\r\n", b"END\r\n"));
        // No end comes after these.
        heard.push(wire.ask(b"stats sizes_enable\r\n", b"\r\n"));
        heard.push(wire.ask(b"stats sizes\r\n", b"END\r\n"));
        for (key, flags, len) in [("a", 0, 3), ("b", 0, 300), ("c", 0, 4), ("d", 7, 8), ("e", 0, 5000)] {
            assert_eq!(wire.say(&format!("set {key} {flags} 0 {len}\r\n{}", "1".repeat(len))), "STORED");
        }
        assert_eq!(wire.say("delete b"), "DELETED");
        assert_eq!(wire.say("incr a 1"), "112");
        heard.push(wire.ask(b"stats sizes_enable\r\n", b"\r\n"));
        heard.push(wire.ask(b"stats sizes\r\n", b"END\r\n"));
        heard.push(wire.ask(b"stats sizes_disable\r\n", b"\r\n"));
        heard.push(wire.ask(b"stats sizes\r\n", b"END\r\n"));
        heard.into_iter().map(|heard| String::from_utf8(heard).unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(ours, theirs);
}

#[test]
fn the_socket_that_listens_is_a_connection_until_counts_are_forgotten() {
    let Some(theirs) = Memcached::theirs(&["-t", "1"]) else { return };
    for server in [Memcached::ours(&[]), theirs] {
        let mut wire = server.wire();
        // Whoever looked whether it listens has come before.
        let told = |wire: &mut Wire, name: &str| wire.stat("", name).parse::<u64>().unwrap();
        let before = told(&mut wire, "total_connections");
        assert!(before >= 2, "{before} connections");
        assert_eq!(told(&mut server.wire(), "total_connections"), before + 1);
        assert!(told(&mut wire, "connection_structures") > told(&mut wire, "curr_connections"));
        assert_eq!(wire.say("stats reset"), "RESET");
        assert_eq!(told(&mut server.wire(), "total_connections"), 1);
    }
}

#[test]
fn connections_and_items_that_there_were_are_forgotten() {
    let Some(theirs) = Memcached::theirs(&[]) else { return };
    for server in [Memcached::ours(&[]), theirs] {
        let mut wire = server.wire();
        assert_eq!(wire.say("set a 0 0 1\r\nx"), "STORED");
        assert_eq!(wire.say("stats reset"), "RESET");
        for (name, want) in [("total_items", "0"), ("total_connections", "0"), ("curr_items", "1")] {
            assert_eq!(wire.stat("", name), want, "{name}");
        }
    }
}
