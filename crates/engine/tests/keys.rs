//! Keys of any type: expiry, iteration, deletion, databases.

mod node;

use command::Release;
use node::Caller;
use std::collections::BTreeSet;

const OK: &str = "+OK\r\n";

fn caller(release: Release) -> Caller {
    Caller::new(release, &[]).expect("defaults are allowed")
}

/// The replies to lines.
fn replies(caller: &mut Caller, lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| caller.say(line).replace("\r\n", " ").trim_end().to_owned()).collect()
}

/// The cursor and the elements of a step of an iteration.
fn step(caller: &mut Caller, line: &str) -> (String, Vec<String>) {
    let reply = caller.say(line);
    let mut parts = reply.split("\r\n");
    assert_eq!(parts.next(), Some("*2"), "{reply}");
    // The length of the cursor.
    parts.next();
    let cursor = parts.next().expect("a cursor").to_owned();
    let elements: Vec<_> = parts.skip(1).filter(|part| !part.is_empty()).collect();
    (cursor, elements.chunks(2).map(|element| element[1].to_owned()).collect())
}

#[test]
fn a_dead_key_is_never_seen_and_counts_until_it_is_met() {
    for release in Release::ALL {
        for (line, want) in [
            ("KEYS *", "*1 $4 live"),
            ("KEYS dead", "*0"),
            ("SCAN 0 COUNT 1000", "*2 $1 0 *1 $4 live"),
            ("EXISTS dead live", ":1"),
            ("TYPE dead", "+none"),
            ("TTL dead", ":-2"),
            ("RENAME dead x", "-ERR no such key"),
            ("RENAMENX live dead", ":1"),
            ("MOVE dead 1", ":0"),
            ("DEL dead", ":0"),
            ("PERSIST dead", ":0"),
            ("EXPIRE dead 100", ":0"),
            ("OBJECT ENCODING dead", "$-1"),
            ("SORT dead", "*0"),
            ("SSCAN dead 0", "*2 $1 0 *0"),
        ] {
            let mut caller = caller(release);
            replies(&mut caller, &["SET live 1", "SADD dead 1 2 3", "PEXPIRE dead 100"]);
            caller.pass_ms(101);
            assert_eq!(replies(&mut caller, &["DBSIZE", line]), [":2", want], "{release}");
        }
    }
}

#[test]
fn drawing_and_iterating_removes_the_dead() {
    let mut caller = caller(Release::V7_0);
    caller.say("SET live 1");
    for number in 0..300 {
        caller.say(&format!("SET dead{number} 1"));
        caller.say(&format!("PEXPIRE dead{number} 100"));
    }
    caller.pass_ms(200);
    assert_eq!(caller.say("DBSIZE"), ":301\r\n");
    assert_eq!(step(&mut caller, "SCAN 0 COUNT 1000 MATCH dead*1"), ("0".into(), Vec::new()));
    assert_eq!(caller.say("DBSIZE"), ":271\r\n", "those that match have gone");
    assert_eq!(caller.say("RANDOMKEY"), "$4\r\nlive\r\n");
    assert_eq!(step(&mut caller, "SCAN 0 COUNT 1000"), ("0".into(), vec!["live".into()]));
    assert_eq!(caller.say("DBSIZE"), ":1\r\n");
    caller.say("DEL live");
    assert_eq!(caller.say("RANDOMKEY"), "$-1\r\n");
}

#[test]
fn whatever_is_there_throughout_is_iterated_over() {
    for (add, remove, scan) in [
        ("SET {} 1", "DEL {}", "SCAN {} COUNT 10"),
        ("SADD t {}", "SREM t {}", "SSCAN t {} COUNT 10"),
        ("HSET t {} 1", "HDEL t {}", "HSCAN t {} COUNT 10 NOVALUES"),
        ("ZADD t 1 {}", "ZREM t {}", "ZSCAN t {} COUNT 10"),
    ] {
        let mut caller = caller(Release::V7_4);
        let change = |caller: &mut Caller, line: &str, names: std::ops::Range<usize>, prefix: &str| {
            for number in names {
                caller.say(&line.replace("{}", &format!("{prefix}{number}")));
            }
        };
        change(&mut caller, add, 0..600, "stays");
        for grows in [true, false] {
            if !grows {
                change(&mut caller, add, 0..5000, "other");
            }
            let (mut cursor, mut seen, mut steps) = ("0".to_owned(), BTreeSet::new(), 0);
            loop {
                let (next, elements) = step(&mut caller, &scan.replace("{}", &cursor));
                assert!(elements.len() < 60, "{scan}: {} at once", elements.len());
                seen.extend(elements.into_iter().filter(|name| name.starts_with("stays")));
                if next == "0" {
                    break;
                }
                let others = 50 * steps..50 * (steps + 1);
                change(&mut caller, if grows { add } else { remove }, others, "other");
                (cursor, steps) = (next, steps + 1);
            }
            assert_eq!(seen.len(), 600, "{scan}");
            assert!(steps < 1000, "{scan}: {steps} steps");
        }
    }
}

#[test]
fn large_sets_print_scores_in_the_old_way() {
    let mut small = Caller::new(Release::V7_4, &[]).expect("defaults are allowed");
    let mut large = Caller::new(Release::V7_4, &[("zset-max-listpack-entries", "0")]).expect("it is allowed");
    for caller in [&mut small, &mut large] {
        caller.say("ZADD z 0.1 m");
    }
    assert_eq!(step(&mut small, "ZSCAN z 0").1, ["m", "0.1"]);
    assert_eq!(step(&mut large, "ZSCAN z 0").1, ["m", "0.10000000000000001"]);
}

#[test]
fn values_are_freed_elsewhere_where_that_is_wanted() {
    let large = "x".repeat(100_000);
    let huge = "x".repeat(2_000_000);
    for (config, value, line, want) in [
        (None, &large, "DEL k", 0),
        (Some("lazyfree-lazy-user-del"), &large, "DEL k", 1),
        (None, &huge, "DEL k", 1),
        (None, &large, "UNLINK k", 1),
        (None, &large, "RENAME other k", 0),
        (Some("lazyfree-lazy-server-del"), &large, "RENAME other k", 1),
        (None, &large, "COPY other k REPLACE", 0),
        (Some("lazyfree-lazy-server-del"), &large, "COPY other k REPLACE", 1),
        (None, &large, "EXPIRE k -1", 0),
        (Some("lazyfree-lazy-expire"), &large, "EXPIRE k -1", 1),
        (None, &large, "FLUSHALL", 0),
        (None, &large, "FLUSHALL ASYNC", 2),
        (Some("lazyfree-lazy-user-flush"), &large, "FLUSHDB", 2),
        (Some("lazyfree-lazy-user-flush"), &large, "FLUSHDB SYNC", 0),
    ] {
        let config: Vec<_> = config.iter().map(|&name| (name, "yes")).collect();
        let mut caller = Caller::new(Release::V7_0, &config).expect("it is allowed");
        caller.call(&["SET", "k", value]);
        caller.say("SET other 1");
        let reply = caller.say(line);
        assert!(!reply.starts_with('-'), "{line}: {reply}");
        assert_eq!(caller.reclaimed(), want, "{line} {config:?}");
    }
}

#[test]
fn flushing_leaves_other_databases_and_the_account_as_they_are() {
    for (here, there) in [(10, 1000), (1000, 10), (500, 500)] {
        let mut caller = caller(Release::V7_0);
        for (db, keys) in [(0, here), (5, there)] {
            caller.say(&format!("SELECT {db}"));
            for number in 0..keys {
                caller.say(&format!("RPUSH {number} a b c"));
            }
        }
        let before = caller.node.keyspace.used_bytes();
        caller.say("FLUSHDB");
        assert_eq!(replies(&mut caller, &["DBSIZE", "SELECT 0", "DBSIZE"])[2], format!(":{here}"));
        let after = caller.node.keyspace.used_bytes();
        assert!(0 < after && after < before);
        caller.say("FLUSHALL");
        assert_eq!(caller.node.keyspace.used_bytes(), 0);
    }
}

#[test]
fn watches_are_broken_by_whatever_changes_a_key() {
    for (lines, broken) in [
        (&["RENAME k other"][..], true),
        (&["RENAME other k"], true),
        (&["COPY other k REPLACE"], true),
        (&["COPY k other REPLACE"], false),
        (&["MOVE k 1"], true),
        (&["SORT l STORE k"], true),
        (&["SORT none STORE k"], true),
        (&["EXPIRE k 100"], true),
        (&["EXPIRE k 100 XX"], false),
        (&["PERSIST k"], false),
        (&["FLUSHDB"], true),
        (&["SWAPDB 0 1"], true),
        (&["SWAPDB 2 3"], false),
        (&["SELECT 1", "FLUSHDB", "SELECT 0"], false),
        (&["TOUCH k", "OBJECT ENCODING k", "SORT l", "RENAME k k"], false),
    ] {
        let mut caller = caller(Release::V7_0);
        replies(&mut caller, &["SET k 1", "SET other 2", "RPUSH l 2 1", "WATCH k"]);
        replies(&mut caller, lines);
        replies(&mut caller, &["MULTI", "PING"]);
        let want = if broken { "*-1\r\n" } else { "*1\r\n+PONG\r\n" };
        assert_eq!(caller.say("EXEC"), want, "{lines:?}");
    }
}

#[test]
fn sorting_makes_small_sorted_sets_large() {
    for release in Release::ALL {
        let mut caller = caller(release);
        replies(&mut caller, &["ZADD z 2 a 1 b", "SORT z ALPHA"]);
        assert_eq!(caller.say("OBJECT ENCODING z"), "$8\r\nskiplist\r\n");
        assert_eq!(caller.say("SORT z BY nosort DESC LIMIT 0 1"), "*1\r\n$1\r\na\r\n");
    }
}

#[test]
fn what_releases_do_with_lists_that_are_not_to_be_sorted() {
    for release in Release::ALL {
        let mut caller = caller(release);
        replies(&mut caller, &["RPUSH l b c a", "SORT l BY nosort STORE stored"]);
        let in_order = release > Release::V3_0;
        let stored = if in_order { ["b", "c", "a"] } else { ["a", "b", "c"] };
        assert_eq!(caller.strings(&["LRANGE", "stored", "0", "-1"]), stored);
        let reversed = if in_order { ["c", "b"] } else { ["c", "a"] };
        let line = ["SORT", "l", "BY", "nosort", "DESC", "LIMIT", "1", "2"];
        assert_eq!(caller.strings(&line), reversed, "{release}");
    }
}

#[test]
fn the_type_is_looked_at_before_the_options_only_in_old_releases() {
    for release in Release::ALL {
        let mut caller = caller(release);
        caller.say("SET text 1");
        let syntax = caller.say("SORT text FOO") == "-ERR syntax error\r\n";
        assert_eq!(syntax, release >= Release::V6_2, "{release}");
    }
}

#[test]
fn used_and_idle_keys() {
    let mut caller = caller(Release::V7_0);
    caller.say("SET k 1");
    caller.pass_ms(20_000);
    for line in ["EXISTS k", "TYPE k", "TTL k", "OBJECT ENCODING k", "EXPIRETIME k"] {
        caller.say(line);
        assert_eq!(caller.say("OBJECT IDLETIME k"), ":20\r\n", "{line} does not use the key");
    }
    caller.say("TOUCH k");
    assert_eq!(caller.say("OBJECT IDLETIME k"), ":0\r\n");
    assert!(caller.say("OBJECT FREQ k").starts_with("-ERR An LFU maxmemory policy is not selected"));
    let mut lfu = Caller::new(Release::V7_0, &[("maxmemory-policy", "allkeys-lfu")]).expect("it is allowed");
    lfu.say("SET k 1");
    assert_eq!(lfu.say("OBJECT FREQ k"), ":5\r\n");
    assert!(lfu.say("OBJECT IDLETIME k").starts_with("-ERR An LFU maxmemory policy is selected"));
    assert_eq!(replies(&mut lfu, &["OBJECT FREQ none", "OBJECT IDLETIME none"]), ["$-1", "$-1"]);
}

#[test]
fn small_integers_are_shared_unless_keys_go_by_their_clocks() {
    let limited = [("maxmemory", "100mb"), ("maxmemory-policy", "allkeys-lru")];
    let random = [("maxmemory", "100mb"), ("maxmemory-policy", "allkeys-random")];
    for (config, value, want) in [
        (&[][..], "0", ":2147483647"),
        (&[], "9999", ":2147483647"),
        (&[], "10000", ":1"),
        (&[], "-1", ":1"),
        (&[], "text", ":1"),
        (&limited, "5", ":1"),
        (&random, "5", ":2147483647"),
    ] {
        let mut caller = Caller::new(Release::V7_0, config).expect("it is allowed");
        assert_eq!(caller.call(&["SET", "k", value]), OK);
        assert_eq!(replies(&mut caller, &["OBJECT REFCOUNT k"]), [want], "{value} {config:?}");
    }
}

#[test]
fn refusals_of_object() {
    for (release, want) in [
        (Release::V3_0, "-ERR Syntax error. Try OBJECT (refcount|encoding|idletime)"),
        (
            Release::V4_0,
            "-ERR Unknown subcommand or wrong number of arguments for 'FREQUENCY'. Try OBJECT help",
        ),
        (
            Release::V5_0,
            "-ERR Unknown subcommand or wrong number of arguments for 'FREQUENCY'. Try OBJECT HELP.",
        ),
        (
            Release::V6_2,
            "-ERR Unknown subcommand or wrong number of arguments for 'FREQUENCY'. Try OBJECT HELP.",
        ),
        (Release::V7_0, "-ERR unknown subcommand 'FREQUENCY'. Try OBJECT HELP."),
    ] {
        assert_eq!(replies(&mut caller(release), &["OBJECT FREQUENCY k"]), [want]);
    }
}

#[test]
fn expiries_that_are_too_late_become_others_in_old_releases() {
    for release in Release::ALL {
        let mut caller = caller(release);
        let want = match release {
            Release::V3_0 | Release::V4_0 | Release::V5_0 => [":1", ":0"].map(str::to_owned),
            Release::V6_2 => ["expire", "pexpire"].map(|name| format!("-ERR invalid expire time in {name}")),
            _ => ["expire", "pexpire"].map(|name| format!("-ERR invalid expire time in '{name}' command")),
        };
        caller.say("SET k 1");
        let lines = ["EXPIRE k 9223372036854775807", "PEXPIRE k 9223372036854775807"];
        assert_eq!(replies(&mut caller, &lines), want);
    }
}

#[test]
fn expiries_are_told_in_rounded_seconds() {
    let mut caller = caller(Release::V7_0);
    for (at_ms, expiretime, ttl) in [
        (1_800_000_001_499, 1_800_000_001, 1),
        (1_800_000_001_500, 1_800_000_002, 2),
        (1_800_000_000_499, 1_800_000_000, 0),
        (i64::MAX, 9_223_372_036_854_776, 9_223_370_236_854_776),
    ] {
        replies(&mut caller, &["SET k 1", &format!("PEXPIREAT k {at_ms}")]);
        let want = [expiretime, ttl, at_ms].map(|number: i64| format!(":{number}"));
        assert_eq!(replies(&mut caller, &["EXPIRETIME k", "TTL k", "PEXPIRETIME k"]), want);
    }
}

#[test]
fn options_that_a_release_does_not_have_are_syntax_errors() {
    for (line, since) in [
        ("SCAN 0 TYPE string", Release::V6_2),
        ("FLUSHALL SYNC", Release::V6_2),
        ("FLUSHDB sync", Release::V6_2),
        ("HSCAN h 0 NOVALUES", Release::V7_4),
    ] {
        for release in Release::ALL {
            let mut caller = caller(release);
            caller.say("HMSET h f v");
            let reply = caller.say(line);
            let known = reply != "-ERR syntax error\r\n" && !reply.starts_with("-ERR wrong number");
            assert_eq!(known, release >= since, "{release} {line}: {reply}");
        }
    }
    let mut caller = caller(Release::V7_4);
    let refused = ["-ERR NOVALUES option can only be used in HSCAN"; 2];
    caller.say("SADD s 1");
    assert_eq!(replies(&mut caller, &["SCAN 0 NOVALUES", "SSCAN s 0 NOVALUES"]), refused);
}

#[test]
fn a_damaged_payload_is_logged_with_the_place_and_changes_nothing() {
    for release in Release::ALL {
        let mut caller = caller(release);
        caller.say("SET key old");
        // A list that announces more than there is.
        let mut payload = b"\x01\x05\x01a\x01b".to_vec();
        rdb::payload::seal(&mut payload, engine::save::version(release));
        let reply = caller.run(&[&b"RESTORE"[..], b"key", b"0", &payload, b"REPLACE"]);
        assert_eq!(reply, b"-ERR Bad data format\r\n");
        assert_eq!(
            caller.logged(),
            ["a value was not restored: at byte 6: the value of key 'key', of type 1, is damaged"]
        );
        let end = payload.len() - 8;
        payload[end] ^= 1;
        for (sealed, place) in [
            (&payload[..], format!("at byte {end}: the checksum is not that of what stands before it")),
            (&payload[..7], "at byte 7: it ends before its version and checksum".to_owned()),
        ] {
            let reply = caller.run(&[&b"RESTORE"[..], b"key", b"0", sealed, b"REPLACE"]);
            assert_eq!(reply, b"-ERR DUMP payload version or checksum are wrong\r\n");
            assert_eq!(caller.logged(), [format!("a value was not restored: {place}")]);
        }
        assert_eq!(caller.say("GET key"), "$3\r\nold\r\n");
    }
}
