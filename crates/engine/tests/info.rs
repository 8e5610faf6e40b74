//! `INFO`, beside what real servers of six releases told.

mod node;

use command::Release;
use node::Caller;
use std::path::Path;

fn caller(release: Release) -> Caller {
    Caller::new(release, &[]).expect("defaults are allowed")
}

/// Titles and names of fields, those of sections whose lines vary left out.
fn names(text: &str) -> Vec<String> {
    let varies = ["cmdstat_", "errorstat_", "latency_percentiles_usec_", "db"];
    text.lines()
        .map(|line| line.split(':').next().unwrap_or(line).to_owned())
        .filter(|name| !name.is_empty() && !varies.iter().any(|prefix| name.starts_with(prefix)))
        .collect()
}

fn field(text: &str, name: &str) -> String {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.unwrap_or_else(|| panic!("no {name} in {text}")).to_owned()
}

#[test]
fn every_release_has_its_fields_in_order() {
    for release in Release::ALL {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join(format!("../../tests/facts/info-{}.txt", release.version()));
        let facts =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let own = caller(release).call(&["INFO", "all"]);
        let (_, own) = own.split_once("\r\n").expect("a header ends");
        assert_eq!(names(own), names(&facts), "{release}");
    }
}

#[test]
fn sections_are_told_as_they_are_asked_for() {
    let titles = |caller: &mut Caller, args: &[&str]| -> Vec<String> {
        let reply = caller.call(args);
        reply.lines().filter_map(|line| line.strip_prefix("# ")).map(str::to_owned).collect()
    };
    let mut new = caller(Release::V7_0);
    assert_eq!(titles(&mut new, &["INFO", "keyspace", "SERVER"]), ["Server", "Keyspace"]);
    assert_eq!(new.call(&["INFO", "nothing"]), "$0\r\n\r\n");
    let default = titles(&mut new, &["INFO"]);
    assert!(!default.contains(&"Commandstats".to_owned()) && !default.contains(&"Latencystats".to_owned()));
    assert_eq!(titles(&mut new, &["INFO", "default"]), default);
    assert_eq!(titles(&mut new, &["INFO", "everything"]).len(), default.len() + 2);
    let mut old = caller(Release::V6_2);
    assert_eq!(old.call(&["INFO", "server", "keyspace"]), "-ERR syntax error\r\n");
    assert_eq!(titles(&mut old, &["INFO", "commandstats"]), ["Commandstats"]);
    assert_eq!(titles(&mut caller(Release::V3_0), &["INFO", "everything"]), Vec::<String>::new());
    let text = new.call(&["INFO", "cluster", "keyspace"]);
    assert_eq!(text, "$44\r\n# Cluster\r\ncluster_enabled:0\r\n\r\n# Keyspace\r\n\r\n");
    new.call(&["HELLO", "3"]);
    assert!(new.call(&["INFO", "cluster"]).starts_with("=34\r\ntxt:# Cluster\r\n"));
}

#[test]
fn what_has_been_done_is_told_and_can_begin_anew() {
    let mut caller = caller(Release::V7_4);
    for command in ["SET a 1", "GET a", "GET b", "INCR a", "LPUSH a x", "CONFIG GET port", "NOSUCH", "GET"] {
        caller.call(&command.split(' ').collect::<Vec<_>>());
    }
    let text = caller.call(&["INFO", "all"]);
    for (name, value) in [
        ("connected_clients", "1"),
        ("total_commands_processed", "6"),
        ("keyspace_hits", "1"),
        ("keyspace_misses", "1"),
        ("total_error_replies", "3"),
        ("rdb_changes_since_last_save", "2"),
        ("errorstat_ERR", "count=2"),
        ("errorstat_WRONGTYPE", "count=1"),
        ("db0", "keys=1,expires=0,avg_ttl=0,subexpiry=0"),
        ("used_memory_rss", "1048576"),
        ("tcp_port", "6379"),
        ("listener0", "name=tcp,bind=127.0.0.1,port=6379"),
    ] {
        assert_eq!(field(&text, name), value, "{name}");
    }
    let statistics = |name: &str| field(&text, &format!("cmdstat_{name}"));
    assert!(
        statistics("get").starts_with("calls=2,")
            && statistics("get").ends_with("rejected_calls=1,failed_calls=0")
    );
    assert!(statistics("lpush").ends_with("rejected_calls=0,failed_calls=1"));
    assert!(statistics("config|get").starts_with("calls=1,"));
    assert!(field(&text, "latency_percentiles_usec_set").starts_with("p50="));
    assert_eq!(field(&text, "run_id").len(), 40);
    assert_ne!(field(&text, "run_id"), field(&text, "master_replid"));

    caller.call(&["CONFIG", "RESETSTAT"]);
    let text = caller.call(&["INFO", "everything"]);
    assert_eq!(field(&text, "total_commands_processed"), "1");
    assert_eq!(field(&text, "keyspace_hits"), "0");
    assert!(!text.contains("errorstat_") && !text.contains("cmdstat_get:"), "{text}");
    assert_eq!(field(&text, "rdb_changes_since_last_save"), "2");
}

#[test]
fn subcommands_count_for_their_containers_up_to_6_2() {
    let mut caller = caller(Release::V5_0);
    caller.call(&["CONFIG", "GET", "port"]);
    caller.call(&["CONFIG", "RESETSTAT"]);
    caller.call(&["CONFIG", "GET", "port"]);
    caller.call(&["CLIENT", "ID"]);
    let text = caller.call(&["INFO", "commandstats"]);
    assert!(field(&text, "cmdstat_config").starts_with("calls=2,usec="), "{text}");
    assert!(
        !field(&text, "cmdstat_config").contains("rejected_calls")
            && text.contains("cmdstat_client:calls=1,")
    );
}

#[test]
fn used_memory_is_that_of_keys_and_of_the_node() {
    let mut caller = caller(Release::V7_0);
    let number = |caller: &mut Caller, name: &str| -> i64 {
        field(&caller.call(&["INFO", "memory"]), name).parse().expect("a number")
    };
    let before = number(&mut caller, "used_memory");
    assert!(before > number(&mut caller, "used_memory_startup") - 1 && before < 256 << 10, "{before}");
    let value = "v".repeat(100_000);
    caller.call(&["SET", "a", &value]);
    let grown = number(&mut caller, "used_memory") - before;
    assert!((100_000..130_000).contains(&grown), "{grown}");
    caller.call(&["DEL", "a"]);
    assert!(number(&mut caller, "used_memory_peak") >= before + grown);
    assert!(number(&mut caller, "used_memory") < before + 20_000);
}
