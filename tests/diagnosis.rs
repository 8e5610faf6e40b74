//! What a node tells of itself: slow log, latency, durations, digests, memory.

use testkit::{Client, Program, Reply};

fn bulk(text: &str) -> Reply {
    Reply::Bulk(text.as_bytes().to_vec())
}

fn array(reply: Reply) -> Vec<Reply> {
    match reply {
        Reply::Array(elements) => elements,
        other => panic!("not an array: {other:?}"),
    }
}

fn integer(reply: &Reply) -> i64 {
    match reply {
        Reply::Integer(value) => *value,
        other => panic!("not an integer: {other:?}"),
    }
}

fn node(release: &str) -> (Program, Client) {
    let mut config = vec![("slowlog-log-slower-than", "0")];
    if release == "7.0" {
        config.push(("enable-debug-command", "yes"));
    }
    let node = Program::redis(release, &config);
    let client = node.client();
    (node, client)
}

#[test]
fn the_slow_log_tells_who_sent_what_without_secrets() {
    for (release, fields, password) in [("3.0", 4, "secret"), ("4.0", 6, "secret"), ("7.0", 6, "(redacted)")]
    {
        let (_node, mut client) = node(release);
        client.say("CLIENT SETNAME me");
        client.say("SLOWLOG RESET");
        client.say("AUTH secret");
        client.say("NOSUCH");
        client.say("LPUSH list a");
        client.say("GET list");
        let entries = array(client.say("SLOWLOG GET"));
        let of = |entry: &Reply| array(entry.clone());
        let commands: Vec<_> = entries.iter().map(|entry| of(entry)[3].clone()).collect();
        let expected = ["GET list", "LPUSH list a", &format!("AUTH {password}"), "SLOWLOG RESET"]
            .map(|line| Reply::Array(line.split(' ').map(bulk).collect()));
        assert_eq!(commands, expected, "{release}");
        let newest = of(&entries[0]);
        assert_eq!(newest.len(), fields, "{release}");
        assert_eq!(integer(&newest[0]) - integer(&of(&entries[3])[0]), 3);
        if fields == 6 {
            assert_eq!(newest[5], bulk("me"));
        }
        // Itself, and the one that asked before.
        assert_eq!(integer(&client.say("SLOWLOG LEN")), 5);
        assert_eq!(array(client.say("SLOWLOG GET 2")).len(), 2);
    }
}

#[test]
fn a_sleep_is_slow_and_holds_up_nobody_else() {
    let (node, mut sleeper) = node("7.0");
    sleeper.say("CONFIG SET slowlog-log-slower-than 10000 latency-monitor-threshold 50");
    sleeper.say("SLOWLOG RESET");
    sleeper.send(&["DEBUG", "SLEEP", "0.2"]);
    let mut other = node.client();
    for number in 0..100 {
        assert_eq!(other.say(&format!("SET key:{number} x")), Reply::Status(b"OK".to_vec()));
    }
    assert_eq!(array(other.say("SLOWLOG GET")), []);
    assert_eq!(sleeper.read(), Reply::Status(b"OK".to_vec()));
    // The reply goes out first.
    assert_eq!(sleeper.say("PING"), Reply::Status(b"PONG".to_vec()));
    let slow = array(other.say("SLOWLOG GET"));
    assert_eq!(slow.len(), 1);
    let took_us = integer(&array(slow[0].clone())[2]);
    assert!((190_000..5_000_000).contains(&took_us), "{took_us} us");
    let latest = array(array(other.say("LATENCY LATEST"))[0].clone());
    assert_eq!(latest[0], bulk("command"));
    assert!((190..5000).contains(&integer(&latest[3])), "{latest:?}");
    assert_eq!(array(other.say("LATENCY HISTORY command")).len(), 1);
    assert_eq!(other.say("LATENCY RESET"), Reply::Integer(1));
    assert_eq!(array(other.say("LATENCY LATEST")), []);
}

#[test]
fn durations_are_kept_by_command() {
    let (_node, mut client) = node("7.0");
    client.say("SET k v");
    client.say("GET k");
    client.say("GET k");
    client.say("CLIENT ID");
    client.say("HELLO 3");
    let histogram = client.say("LATENCY HISTOGRAM get client nosuch set");
    let Reply::Map(commands) = histogram else { panic!("not a map: {histogram:?}") };
    let calls: Vec<_> = commands
        .iter()
        .map(|(name, value)| match value {
            Reply::Map(fields) => (name.clone(), integer(&fields[0].1)),
            other => panic!("not a map: {other:?}"),
        })
        .collect();
    assert_eq!(calls, [(bulk("get"), 2), (bulk("client|id"), 1), (bulk("set"), 1)]);
    client.say("CONFIG RESETSTAT");
    assert_eq!(client.say("LATENCY HISTOGRAM get"), Reply::Map(vec![]));
}
