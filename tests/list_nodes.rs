//! How lists are reported: as one listpack, or as a quicklist of how many nodes.
//!
//! A real redis-server 7.0 has the same nodes as later releases, and tells how many they are.

use testkit::{Client, Oracle, Program, Reply, Rng};

/// Entries of a node.
const NODE_ENTRIES: &str = "4";

/// A random command on the list `k`.
fn command(rng: &mut Rng) -> Vec<String> {
    let value = |rng: &mut Rng| match rng.below(8) {
        0 => "x".repeat(300),
        1 => rng.below(70_000).to_string(),
        _ => char::from(b'a' + rng.below(6) as u8).to_string(),
    };
    let index = |rng: &mut Rng| (rng.below(24) as i64 - 12).to_string();
    let word = |rng: &mut Rng, words: &[&str]| (*rng.pick(words)).to_owned();
    match rng.below(10) {
        0..=2 => vec![word(rng, &["LPUSH", "RPUSH"]), "k".to_owned(), value(rng), value(rng)],
        3 => vec![word(rng, &["LPOP", "RPOP"]), "k".to_owned(), rng.below(4).to_string()],
        4 => vec![word(rng, &["LPOP", "RPOP"]), "k".to_owned()],
        5 | 6 => {
            let side = word(rng, &["BEFORE", "AFTER"]);
            vec!["LINSERT".to_owned(), "k".to_owned(), side, value(rng), value(rng)]
        }
        7 => vec!["LREM".to_owned(), "k".to_owned(), (rng.below(5) as i64 - 2).to_string(), value(rng)],
        8 => vec!["LSET".to_owned(), "k".to_owned(), index(rng), value(rng)],
        _ if rng.one_in(3) => vec!["LTRIM".to_owned(), "k".to_owned(), index(rng), index(rng)],
        _ => vec!["RPOPLPUSH".to_owned(), "k".to_owned(), "k".to_owned()],
    }
}

/// The number of nodes of the list `k`, if it is there.
fn nodes(client: &mut Client) -> Option<String> {
    match client.say("DEBUG OBJECT k") {
        Reply::Status(text) => {
            let text = String::from_utf8_lossy(&text).into_owned();
            text.split(' ').find_map(|field| field.strip_prefix("ql_nodes:")).map(str::to_owned)
        }
        _ => None,
    }
}

#[test]
fn lists_have_the_nodes_that_they_have_in_a_real_server() {
    let Some(oracle) = Oracle::start() else { return };
    let program = Program::redis("7.0", &[("enable-debug-command", "yes")]);
    let (mut ours, mut theirs) = (program.client(), oracle.client());
    for client in [&mut ours, &mut theirs] {
        client.run(&["CONFIG", "SET", "list-max-listpack-size", NODE_ENTRIES]);
    }
    let mut most = 0;
    for seed in 0..100 {
        let mut rng = Rng::new(seed);
        let mut done = Vec::new();
        for client in [&mut ours, &mut theirs] {
            client.say("DEL k");
        }
        for _ in 0..60 {
            let line = command(&mut rng);
            done.push(line.join(" "));
            assert_eq!(ours.run(&line), theirs.run(&line), "seed {seed}: {done:#?}");
            let expected = nodes(&mut theirs);
            assert_eq!(nodes(&mut ours), expected, "nodes, seed {seed}: {done:#?}");
            most = most.max(expected.and_then(|nodes| nodes.parse().ok()).unwrap_or(0));
        }
    }
    assert!(most > 5, "the lists were short");
}

#[test]
fn lists_are_small_again_when_one_half_filled_node_is_left() {
    let program = Program::redis("7.4", &[("list-max-listpack-size", NODE_ENTRIES)]);
    let mut client = program.client();
    let mut encoding_after = |lines: &[&str]| {
        lines.iter().for_each(|line| assert!(!client.say(line).is_error(), "{line}"));
        client.say("OBJECT ENCODING k").text()
    };
    assert_eq!(encoding_after(&["RPUSH k 1 2 3 4"]), "listpack");
    assert_eq!(encoding_after(&["RPUSH k 5"]), "quicklist");
    assert_eq!(encoding_after(&["LPOP k 3"]), "quicklist", "two nodes of one entry each");
    assert_eq!(encoding_after(&["LPOP k"]), "listpack");
    assert_eq!(encoding_after(&["DEL k", "RPUSH k 1 2 3 4 5 6", "RPOP k 2"]), "quicklist", "more than half");
    assert_eq!(encoding_after(&["RPOP k 2"]), "listpack");
    assert_eq!(encoding_after(&["DEL k", "RPUSH k 1 2 3 4 5 6", "LTRIM k 1 2"]), "listpack");
    assert_eq!(encoding_after(&["DEL k", "RPUSH k 1 2 3 4 5 6", "LREM k 1 6", "LREM k 1 5"]), "quicklist");
    assert_eq!(
        encoding_after(&["DEL k", "RPUSH k a", "SET s x", "SORT k BY nosort GET s STORE k"]),
        "listpack"
    );
}
