//! What `stats` tells, beside a real memcached: the same names in the same order, less those that are listed here with
//! why they are left out, and the same answers where they do not depend on how memory is divided.

use testkit::Memcached;

/// A report, and the beginnings of the names that are left out of it.
struct Report {
    name: &'static str,
    left_out: &'static [&'static str],
}

/// Names that make no sense for a node without slabs, lists of items by use, files, TLS and pools of buffers, and those
/// of what is not counted by class.
static REPORTS: [Report; 3] = [
    Report {
        name: "stats",
        left_out: &[
            // The library that memcached waits with, and the time of a process that may have other nodes too.
            "libevent",
            "rusage_",
            "threads",
            // Pools of buffers and descriptors.
            "response_obj_",
            "read_buf_",
            "reserved_fds",
            // Who yields is not counted.
            "conn_yields",
            // One hash table that grows as a whole.
            "hash_power_level",
            "hash_is_expanding",
            // Slabs and those that move them.
            "slab_",
            "slabs_moved",
            // Lists by use and those that walk them; what is used is marked where it is.
            "lru_",
            "lrutail_",
            "crawler_",
            "moves_",
            "direct_reclaims",
            // Threads by queue of a network card.
            "unexpected_napi_ids",
            "round_robin_fallback",
        ],
    },
    Report {
        name: "stats settings",
        left_out: &[
            // What the node is not told of: where it listens, and with what.
            "tcpport",
            "inter",
            "umask",
            "num_threads",
            "tcp_backlog",
            "reqs_per_event",
            // The oldest item would have to be looked for.
            "oldest",
            // Counts by prefix are not kept.
            "stat_key_prefix",
            // Slabs and lists by use.
            "growth_factor",
            "chunk_size",
            "slab_automove_",
            "slab_chunk_max",
            "lru_crawler_",
            "hot_",
            "warm_",
            "tail_repair_time",
            "temporary_ttl",
            // There is no one hash table: each shard has its own.
            "hashpower_init",
            "hash_algorithm",
            // Logs, buffers and network cards.
            "watcher_logbuf_size",
            "worker_logbuf_size",
            "read_buf_mem_limit",
            "num_napi_ids",
            // Items on disks, and TLS.
            "ext_",
            "ssl_chain_cert",
            "ssl_key",
            "ssl_verify_mode",
            "ssl_ciphers",
            "ssl_ca_cert",
            "ssl_wbuf_size",
            "ssl_session_cache",
            "ssl_kernel_tls",
            "ssl_min_version",
        ],
    },
    Report {
        name: "stats items",
        left_out: &[
            // Lists by use.
            "number_",
            "age",
            "tailrepairs",
            "crawler_",
            "lrutail_",
            "moves_",
            "direct_reclaims",
            "hits_to_",
            // Counted for the whole node.
            "evicted",
            "outofmemory",
            "reclaimed",
            "expired_unfetched",
        ],
    },
];

/// The names of a report, without the number of a class.
fn names(server: &Memcached, report: &str) -> Vec<String> {
    let heard = server.wire().ask(format!("{report}\r\n").as_bytes(), b"END\r\n");
    let heard = String::from_utf8(heard).unwrap();
    let names = heard.lines().filter_map(|line| line.strip_prefix("STAT ")?.split(' ').next());
    names.map(|name| name.rsplit(':').next().unwrap().to_owned()).collect()
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
        let is_left_out = |name: &str| report.left_out.iter().any(|left_out| name.starts_with(left_out));
        let want: Vec<_> = theirs.iter().filter(|name| !is_left_out(name)).cloned().collect();
        assert_eq!(ours, want, "{}", report.name);
        for left_out in report.left_out {
            assert!(theirs.iter().any(|name| name.starts_with(left_out)), "{left_out} of {}", report.name);
        }
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
