//! What `stats` tells of a node without a server around it, where time and memory are what the test says.

use std::collections::BTreeMap;

use memcached::{Access, Node, Policy, Settings};
use world::{node, node_with, say, say_at, set, set_at};

#[allow(dead_code, reason = "the tests of nodes need more of it")]
mod world;

/// A report so many ms after the beginning.
fn report_at(node: &Node, report: &str, after_ms: i64) -> BTreeMap<String, String> {
    let told = say_at(node, format!("{report}\r\n").as_bytes(), after_ms);
    let lines = told.lines().filter_map(|line| line.strip_prefix("STAT ")?.split_once(' '));
    lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// What the classes have of something, all together.
fn sum(report: &BTreeMap<String, String>, name: &str) -> u64 {
    let own = report.iter().filter(|(own, _)| own.rsplit(':').next() == Some(name));
    own.map(|(_, value)| value.parse::<u64>().unwrap()).sum()
}

fn number(report: &BTreeMap<String, String>, name: &str) -> u64 {
    report[name].parse().unwrap()
}

/// A node of 8 MB in which items of all sizes, some of which expire, are read or not, have been put for so long that many
/// were given up.
fn crowded(policy: Policy) -> Node {
    let settings = Settings { memory_bytes: (8 << 20).into(), policy: policy.into(), ..Settings::default() };
    let node = node_with(settings, Access::default());
    for number in 0..4_000 {
        let len = [10, 300, 4_000, 40_000, 600_000][number % 5] / (1 + number % 7);
        let expiry = if number % 3 == 0 { 20 + number % 100 } else { 0 };
        let value = "v".repeat(len);
        let after_ms = number as i64 * 10;
        say_at(&node, format!("set {number} 0 {expiry} {len}\r\n{value}\r\n").as_bytes(), after_ms);
        for _ in 0..2 * (number % 2) {
            say_at(&node, format!("get {number}\r\n").as_bytes(), after_ms);
        }
    }
    node.expire_due(world::NOW_MS + 40_000).unwrap();
    node
}

#[test]
fn classes_add_up() {
    for policy in [Policy::AllKeysLru, Policy::VolatileTtl, Policy::NoEviction] {
        let node = crowded(policy);
        let all = report_at(&node, "stats", 40_000);
        let by_class = report_at(&node, "stats items", 40_000);
        for (general, of_class) in [
            ("curr_items", "number"),
            ("bytes", "mem_requested"),
            ("evictions", "evicted"),
            ("evicted_unfetched", "evicted_unfetched"),
            ("evicted_active", "evicted_active"),
            ("expired_unfetched", "expired_unfetched"),
            ("reclaimed", "reclaimed"),
            ("store_no_memory", "outofmemory"),
        ] {
            assert_eq!(number(&all, general), sum(&by_class, of_class), "{general} under {policy:?}");
        }
        // Those that expire first go before they do.
        assert_eq!(number(&all, "reclaimed") > 0, policy != Policy::VolatileTtl, "{policy:?}");
        let evicts = policy != Policy::NoEviction;
        assert_eq!(number(&all, "evictions") > 0, evicts);
        assert_eq!(number(&all, "store_no_memory") > 0, policy != Policy::AllKeysLru);
        let only_expiring = policy == Policy::VolatileTtl;
        assert!(!only_expiring || sum(&by_class, "evicted_nonzero") == number(&all, "evictions"));

        let slabs = report_at(&node, "stats slabs", 40_000);
        assert_eq!(sum(&slabs, "used_chunks"), number(&all, "curr_items"));
        assert_eq!(sum(&slabs, "cmd_set"), number(&all, "cmd_set"));
        assert_eq!(sum(&slabs, "total_chunks"), number(&all, "curr_items"));
        let pages = sum(&slabs, "total_pages");
        let least = number(&all, "bytes") >> 20;
        assert!((least..=least + number(&slabs, "active_slabs")).contains(&pages), "{pages} pages");

        assert_eq!(say(&node, b"stats reset\r\n"), "RESET\r\n");
        let (all, by_class) = (report_at(&node, "stats", 40_000), report_at(&node, "stats items", 40_000));
        assert_eq!(sum(&report_at(&node, "stats slabs", 40_000), "cmd_set"), 0);
        for name in ["evicted", "evicted_nonzero", "evicted_time", "outofmemory", "reclaimed"] {
            assert_eq!(sum(&by_class, name), 0, "{name}");
        }
        assert_eq!(sum(&by_class, "number"), number(&all, "curr_items"));
    }
}

/// Observed on 1.6.18.
#[test]
fn what_is_found_to_have_expired_counts_as_that_alone() {
    let node = node();
    say(&node, b"set a 0 1 1\r\nx\r\nset b 0 1 1\r\nx\r\n");
    say_at(&node, b"get a\r\ntouch a 1\r\n", 2_000);
    let told = |names: [&str; 4]| {
        let general = report_at(&node, "stats", 2_000);
        names.map(|name| number(&general, name))
    };
    let names = ["get_expired", "get_misses", "reclaimed", "expired_unfetched"];
    assert_eq!(told(names), [1, 1, 0, 0]);
    node.expire_due(world::NOW_MS + 2_000).unwrap();
    assert_eq!(told(names), [1, 1, 1, 1]);
}

#[test]
fn the_age_of_a_class_is_how_long_ago_its_oldest_item_was_used() {
    let node = node();
    set_at(&node, "a", 10, 0);
    set_at(&node, "b", 10, 2_000);
    set_at(&node, "c", 1_000, 3_000);
    let ages = |after_ms| {
        let items = report_at(&node, "stats items", after_ms);
        items
            .iter()
            .filter(|(name, _)| name.ends_with(":age"))
            .map(|(_, age)| age.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(ages(9_000), ["6", "9"]);
    say_at(&node, b"get a\r\n", 10_000);
    assert_eq!(ages(12_000), ["9", "10"]);
}

#[test]
fn among_many_items_those_that_are_drawn_tell_the_age() {
    let node = node();
    for number in 0..20_000 {
        set_at(&node, &number.to_string(), 10, i64::from(number));
    }
    let age: u64 = sum(&report_at(&node, "stats items", 30_000), "age");
    // Of thousands that are drawn one is among the oldest tenth.
    assert!((28..=30).contains(&age), "{age} seconds");
}

#[test]
fn what_was_given_up_last_tells_for_how_long_it_was_not_used() {
    let settings = Settings { memory_bytes: (8 << 20).into(), ..Settings::default() };
    let node = node_with(settings, Access::default());
    let mut number = 0;
    let mut fill = |after_ms| {
        for _ in 0..100 {
            number += 1;
            set_at(&node, &number.to_string(), 100_000, after_ms);
        }
    };
    fill(0);
    let report = report_at(&node, "stats items", 0);
    assert!(sum(&report, "evicted") > 0 && sum(&report, "evicted_time") == 0, "{report:?}");
    fill(50_000);
    let (evicted, time_s) = {
        let report = report_at(&node, "stats items", 60_000);
        (sum(&report, "evicted"), sum(&report, "evicted_time"))
    };
    assert!(
        evicted > 100 && (time_s == 50 || time_s == 0),
        "{evicted} items, the last not used for {time_s} s"
    );
}

/// Observed on 1.6.18: the second before the flush, counted from 62 on.
#[test]
fn the_latest_flush_and_verbosity_are_told() {
    let node = node();
    let told = |name: &str| report_at(&node, "stats settings", 9_000)[name].clone();
    assert_eq!((told("oldest"), told("verbosity")), ("0".into(), "0".into()));
    for (exptime, want) in [("", 66), ("-1", 66), ("0", 66), ("10", 76), ("2592001", 0), ("1800000060", 121)]
    {
        assert_eq!(say_at(&node, format!("flush_all {exptime}\r\n").as_bytes(), 5_000), "OK\r\n");
        assert_eq!(told("oldest"), want.to_string(), "flush_all {exptime}");
    }
    for (level, want) in
        [("1", "1"), ("5", "2"), ("x", "2"), ("4294967295", "2"), ("1 noreply", "1"), ("0", "0")]
    {
        say(&node, format!("verbosity {level}\r\n").as_bytes());
        assert_eq!(told("verbosity"), want, "verbosity {level}");
    }
    say(&node, b"stats reset\r\n");
    assert_eq!(told("oldest"), "121");
}

#[test]
fn what_the_world_says_of_the_process_is_told() {
    let node = node();
    set(&node, "a", 1);
    let general = report_at(&node, "stats", 0);
    let told = |name: &str| general[name].as_str();
    // As in memcached, so that nobody divides by zero.
    assert_eq!(told("uptime"), "2");
    assert_eq!((told("rusage_user"), told("rusage_system"), told("threads")), ("1.500000", "0.000020", "1"));
    let conns = say_at(&node, b"stats conns\r\n", 3_000);
    assert_eq!(
        conns,
        "STAT 0:addr tcp:127.0.0.1:11211\r\nSTAT 0:state conn_listening\r\nSTAT 0:secs_since_last_cmd 3\r\nEND\r\n"
    );
}
