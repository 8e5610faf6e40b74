//! Events of keys of any type, and keys that expire, seen from outside.
//!
//! What release 7.0 does is checked against a real redis-server as well, where there is one.

use std::net::SocketAddr;
use std::time::Duration;
use testkit::{Client, Oracle, Program, Reply};

const RELEASES: [&str; 6] = ["3.0", "4.0", "5.0", "6.2", "7.0", "7.4"];

/// Runs a test against a node of each release that publishes these events, and against a real server of 7.0.
fn on_all(events: &str, test: impl Fn(SocketAddr, &str)) {
    for release in RELEASES {
        let program = Program::redis(release, &[("notify-keyspace-events", events)]);
        eprintln!("release {release}");
        test(program.address(), release);
    }
    if let Some(oracle) = Oracle::start() {
        eprintln!("a real server");
        oracle.client().run(&["CONFIG", "SET", "notify-keyspace-events", events]);
        test(oracle.address(), "7.0");
    }
}

/// The events that lines bring about, as `database:event key`.
fn events(address: SocketAddr, lines: &[&str]) -> Vec<String> {
    let (mut client, mut listener) = (Client::connect(address), Client::connect(address));
    client.say("FLUSHALL");
    listener.say("PSUBSCRIBE __keyevent@*");
    for line in lines {
        client.say(line);
    }
    client.say("PUBLISH __keyevent@ end");
    let mut events = Vec::new();
    loop {
        let message = listener.read();
        let [_, _, channel, key] = message.elements() else { panic!("{message:?} is not a message") };
        if key.text() == "end" {
            return events;
        }
        let event = channel.text().replace("__keyevent@", "").replace("__", "");
        events.push(format!("{event} {}", key.text()));
    }
}

#[test]
fn every_change_of_a_key_is_published_as_the_release_does() {
    on_all("Eg", |address, release| {
        let since = |first: &str, events: &[&'static str]| -> Vec<&'static str> {
            if release >= first { events.to_vec() } else { Vec::new() }
        };
        for (lines, want) in [
            (&["SET a 1", "DEL none a"][..], vec!["0:del a"]),
            (&["SET a 1", "UNLINK a none"], since("4.0", &["0:del a"])),
            (&["SET a 1", "RENAME a b", "RENAME none b"], vec!["0:rename_from a", "0:rename_to b"]),
            (&["SET a 1", "SET b 2", "RENAME a b"], vec!["0:rename_from a", "0:rename_to b"]),
            (&["SET a 1", "RENAME a a"], vec![]),
            (&["SET a 1", "SET b 2", "RENAMENX a b"], vec![]),
            (&["SET a 1", "RENAMENX a b"], vec!["0:rename_from a", "0:rename_to b"]),
            (&["SET a 1", "MOVE a 3"], since("6.2", &["0:move_from a", "3:move_to a"])),
            (&["SET a 1", "COPY a b", "COPY a b"], since("6.2", &["0:copy_to b"])),
            (&["SET a 1", "COPY a b DB 2"], since("6.2", &["2:copy_to b"])),
            (&["SET a 1", "EXPIRE a 100", "EXPIRE none 100"], vec!["0:expire a"]),
            (&["SET a 1", "EXPIRE a -1"], vec!["0:del a"]),
            (&["SET a 1", "PEXPIREAT a 1"], vec!["0:del a"]),
            (&["SET a 1", "PERSIST a"], vec![]),
            (&["SET a 1", "FLUSHALL"], vec![]),
            (&["SET a 1", "SWAPDB 0 1"], vec![]),
            (&["SET a 1", "SORT none STORE a"], vec!["0:del a"]),
        ] {
            assert_eq!(events(address, lines), want, "{lines:?}");
        }
        let mut want = vec!["0:expire a"];
        want.extend(since("6.2", &["0:persist a"]));
        assert_eq!(events(address, &["SET a 1", "EXPIRE a 100", "PERSIST a", "PERSIST a"]), want);
    });
}

#[test]
fn what_is_sorted_is_published_as_a_list() {
    on_all("El", |address, _| {
        let lines = ["RPUSH l 2 1", "SORT l STORE stored", "SORT l STORE stored", "SORT none STORE stored"];
        assert_eq!(events(address, &lines), ["0:rpush l", "0:sortstore stored", "0:sortstore stored"]);
    });
}

#[test]
fn a_key_is_new_if_none_had_its_name() {
    for release in ["7.0", "7.4"] {
        let program = Program::redis(release, &[("notify-keyspace-events", "En")]);
        check(program.address());
    }
    if let Some(oracle) = Oracle::start() {
        oracle.client().say("CONFIG SET notify-keyspace-events En");
        check(oracle.address());
    }

    fn check(address: SocketAddr) {
        for (lines, want) in [
            (&["SET a 1", "SET a 2", "LPUSH l 1"][..], &["0:new a", "0:new l"][..]),
            (&["LPUSH a 1", "SET a 2"], &["0:new a"]),
            (&["LPUSH l 1", "SET a 2", "SORT l STORE a"], &["0:new l", "0:new a"]),
            (&["SET a 1", "SET b 1", "RENAME a b"], &["0:new a", "0:new b", "0:new b"]),
            (&["SET a 1", "SET b 1", "COPY a b REPLACE"], &["0:new a", "0:new b", "0:new b"]),
            (&["SET a 1", "MOVE a 1"], &["0:new a", "1:new a"]),
        ] {
            assert_eq!(events(address, lines), want, "{lines:?}");
        }
    }
}

#[test]
fn reads_of_keys_that_are_not_there_are_published() {
    for (release, stores) in [("6.2", false), ("7.0", true)] {
        let program = Program::redis(release, &[("notify-keyspace-events", "Em")]);
        check(program.address(), stores);
    }
    if let Some(oracle) = Oracle::start() {
        oracle.client().say("CONFIG SET notify-keyspace-events Em");
        check(oracle.address(), true);
    }

    fn check(address: SocketAddr, stores: bool) {
        for line in ["EXISTS k", "TOUCH k", "TYPE k", "TTL k", "SORT k", "SSCAN k 0", "COPY k x"] {
            assert_eq!(events(address, &[line]), ["0:keymiss k"], "{line}");
        }
        for line in
            ["OBJECT ENCODING k", "DEL k", "RENAME k x", "MOVE k 1", "EXPIRE k 1", "PERSIST k", "KEYS k"]
        {
            assert_eq!(events(address, &[line]).len(), 0, "{line}");
        }
        let want = if stores { vec!["0:keymiss k"] } else { vec![] };
        assert_eq!(events(address, &["SORT k STORE x"]), want);
        let lines = ["RPUSH l 1", "SORT l BY w_* GET o_* GET #"];
        assert_eq!(events(address, &lines), ["0:keymiss w_1", "0:keymiss o_1"]);
    }
}

#[test]
fn keys_expire_by_themselves() {
    on_all("Ex", |address, _| {
        let (mut client, mut listener) = (Client::connect(address), Client::connect(address));
        listener.say("PSUBSCRIBE __keyevent@*");
        client.say("SELECT 4");
        for line in ["SET k 1", "SADD other 1", "PEXPIRE k 20", "PEXPIRE other 30"] {
            client.say(line);
        }
        client.set_patience(Duration::from_secs(10));
        let mut expired: Vec<String> = (0..2)
            .map(|_| {
                let message = listener.read();
                assert_eq!(message.elements()[2].text(), "__keyevent@4__:expired");
                message.elements()[3].text()
            })
            .collect();
        expired.sort();
        assert_eq!(expired, ["k", "other"]);
        assert_eq!(client.say("DBSIZE"), Reply::Integer(0));
    });
}

/// Keys of which one has to be met in its last millisecond: a third of them are, where nothing else goes on.
const MOST_KEYS: usize = 5_000;

#[test]
fn a_key_is_there_until_its_last_millisecond_is_over() {
    on_all("", |address, release| {
        let mut client = Client::connect(address);
        let is_met = (0..MOST_KEYS).any(|_| {
            client.say("SET k v PX 2");
            loop {
                match client.say("PTTL k").integer() {
                    0 => return true,
                    // It has gone meanwhile.
                    ..0 => return false,
                    _ => {}
                }
            }
        });
        assert!(is_met, "{release}");
    });
}
