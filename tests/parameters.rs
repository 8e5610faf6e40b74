//! Parameters: what `CONFIG` answers beside a real server, and that they are in force at once.

use testkit::{Client, Oracle, Program, Reply};

/// Parameters and values that they take, or do not take, in some way worth a look.
const VALUES: &[(&str, &[&str])] = &[
    (
        "notify-keyspace-events",
        &[
            "KEg$lshzxetdmn",
            "An",
            "Kn",
            "Em",
            "g$lshzxet",
            "g$lshzxetd",
            "Kmn$",
            "mnA",
            "KK",
            "K ",
            "foo!",
            "",
        ],
    ),
    (
        "client-output-buffer-limit",
        &[
            "replica 1mb 2mb 3",
            "slave 1 2",
            "master 1 2 3",
            "foo 1 2 3",
            "normal 1 2 -3",
            "normal -1 2 3",
            "normal a 2 3",
            "NORMAL 1k 1kb 60 pubsub 5 6 7",
            " normal 1 1 1",
            "normal  2 2 2",
            "normal 1 1 1 slave 1 1 x",
            "",
        ],
    ),
    ("save", &["900 1", "900 1 300", "0 1", "900 -1", "a b", "900 1 300 10", " 900 1", "900  1", "1 0", ""]),
    (
        "latency-tracking-info-percentiles",
        &[
            "50 99.9 100",
            "100.1",
            "50.123456",
            "50.1234567",
            "a",
            "-1",
            "99.90",
            "1e1",
            "50  60",
            "inf",
            "1e-5",
            "",
        ],
    ),
    ("oom-score-adj-values", &["1 2", "100 50 20", "-2001 0 0", "a b c", "0 200 800 900", "0 200 800"]),
    ("maxmemory-clients", &["5%", "100%", "101%", "%", "-5%", "1mb", "0%", "5.5%", "007%", "0"]),
    (
        "maxmemory",
        &["1gb", "2G", "1.5mb", "1tb", " 1", "1 mb", "-1", "+5", "0x10", "18446744073709551616", "mb", "0"],
    ),
    ("timeout", &[" 1", "007", "+1", "1 ", "1.0", "-0", "-1", "2147483648", "100", "0"]),
    ("latency-tracking", &["NO", "Yes", "true", "1", ""]),
    ("appendfsync", &["ALWAYS", "Everysec", "never"]),
    ("maxmemory-policy", &["allkeys-lfu", "lru", "NOEVICTION"]),
    ("hz", &["0", "501", "-1", "10"]),
    ("repl-backlog-size", &["1", "0", "1mb"]),
    ("shutdown-on-sigterm", &["force save", "now", "default now", "what", "default"]),
    ("list-max-ziplist-size", &["128", "-3", "-2147483649", "-2"]),
    ("hash-max-listpack-value", &["1kb", "-1", "64"]),
    ("slowlog-log-slower-than", &["-1", "-2", "10000"]),
    ("client-query-buffer-limit", &["1kb", "1gb"]),
    ("appendonly", &["maybe", "no"]),
    ("tls-port", &["1", "0"]),
    ("tls-cluster", &["yes", "no"]),
    ("cluster-announce-hostname", &["a b", "a.b-c", ""]),
    ("proc-title-template", &["{foo}", "", "{title} {listen-addr} {server-mode}"]),
    ("databases", &["5"]),
    ("DataBases", &["5"]),
    ("dbfilename", &["x"]),
    ("nosuch", &["x"]),
];

/// Other commands.
const COMMANDS: &[&[&str]] = &[
    &["CONFIG", "SET", "timeout", "1", "timeout", "2"],
    &["CONFIG", "SET", "slave-priority", "1", "replica-priority", "2"],
    &["CONFIG", "GET", "slave-priority"],
    &["CONFIG", "SET", "timeout", "1", "loose"],
    &["CONFIG", "SET", "timeout", "7", "TIMEOUTS", "3"],
    &["CONFIG", "SET", "timeout", "7", "databases", "3"],
    &["CONFIG", "SET", "timeout", "abc", "nosuch", "1"],
    &["CONFIG", "SET", "timeout", "7", "maxmemory", "abc"],
    &["CONFIG", "GET", "timeout"],
    &["CONFIG", "GET", "TIMEOUT"],
    &["CONFIG", "GET", "TIME*"],
    &["CONFIG", "GET", "timeout", "timeout", "time*"],
    &["CONFIG", "GET", "nosuch", "no*such"],
    &["CONFIG", "GET", "watchdog-period"],
    &["CONFIG", "GET", "watchdog*"],
    &["CONFIG", "GET", "rename-command"],
    &["CONFIG", "GET", "["],
    &["CONFIG", "SET", "timeout"],
    &["CONFIG", "GET"],
    &["CONFIG", "REWRITE"],
    &["CONFIG", "REWRITE", "x"],
    &["CONFIG", "RESETSTAT", "x"],
    &["CONFIG", "RESETSTAT"],
    &["CONFIG", "NOSUCH"],
    &["CONFIG"],
    &["INFO", "nosuch"],
    &["INFO", "cluster", "keyspace", "nosuch"],
];

#[test]
fn configuration_is_answered_as_by_a_real_server() {
    let Some(oracle) = Oracle::start() else { return };
    let program = Program::redis("7.0", &[]);
    for protocol in ["2", "3"] {
        let (mut real, mut own) = (oracle.client(), program.client());
        for client in [&mut real, &mut own] {
            client.run(&["HELLO", protocol]);
        }
        let mut compare = |command: &[&str]| {
            assert_eq!(own.run(command), real.run(command), "{command:?}");
        };
        for (name, values) in VALUES {
            for value in *values {
                compare(&["CONFIG", "SET", name, value]);
                compare(&["CONFIG", "GET", name]);
            }
        }
        COMMANDS.iter().for_each(|command| compare(command));
    }
}

fn say(client: &mut Client, line: &str) {
    assert_eq!(client.say(line), Reply::Status(b"OK".to_vec()), "{line}");
}

#[test]
fn a_client_that_is_idle_already_is_closed_in_time() {
    let program = Program::redis("7.4", &[]);
    let (mut idle, mut listener) = (program.client(), program.client());
    idle.say("PING");
    listener.say("SUBSCRIBE channel");
    say(&mut program.client(), "CONFIG SET timeout 1");
    assert_eq!(idle.read(), Reply::Closed);
    listener.set_patience(std::time::Duration::from_millis(300));
    assert_eq!(listener.read(), Reply::Timeout);
}

#[test]
fn a_password_is_asked_of_those_who_come_after_it() {
    for release in ["3.0", "6.2", "7.4"] {
        let program = Program::redis(release, &[]);
        let mut before = program.client();
        before.say("PING");
        say(&mut before, "CONFIG SET requirepass secret");
        assert_eq!(before.say("PING"), Reply::Status(b"PONG".to_vec()));
        let mut after = program.client();
        assert_eq!(after.say("PING"), Reply::Error(b"NOAUTH Authentication required.".to_vec()));
        say(&mut after, "AUTH secret");
        assert_eq!(after.run(&["CONFIG", "SET", "requirepass", ""]), Reply::Status(b"OK".to_vec()));
        assert_eq!(program.client().say("PING"), Reply::Status(b"PONG".to_vec()));
    }
}

#[test]
fn limits_of_small_collections_decide_how_they_are_kept() {
    // A release, a parameter, what adds so many members, and the encodings of three members and of four.
    for (release, parameter, add, small, large) in [
        ("3.0", "list-max-ziplist-entries", "RPUSH", "ziplist", "linkedlist"),
        ("7.4", "list-max-listpack-size", "RPUSH", "listpack", "quicklist"),
        ("6.2", "hash-max-ziplist-entries", "HSET", "ziplist", "hashtable"),
        ("7.0", "hash-max-ziplist-entries", "HSET", "listpack", "hashtable"),
        ("7.0", "hash-max-listpack-entries", "HSET", "listpack", "hashtable"),
        ("5.0", "set-max-intset-entries", "SADD", "intset", "hashtable"),
        ("7.4", "set-max-listpack-entries", "SADD", "listpack", "hashtable"),
        ("7.0", "zset-max-ziplist-entries", "ZADD", "listpack", "skiplist"),
        ("4.0", "zset-max-ziplist-entries", "ZADD", "ziplist", "skiplist"),
    ] {
        let program = Program::redis(release, &[(parameter, "3")]);
        let mut client = program.client();
        let mut encodings = Vec::new();
        for number in 0..4 {
            let letter = ["a", "b", "c", "d"][number];
            let number = number.to_string();
            let member = if parameter.contains("intset") { &number } else { letter };
            let command = match add {
                "HSET" => vec![add, "key", member, "value"],
                "ZADD" => vec![add, "key", &number, member],
                _ => vec![add, "key", member],
            };
            client.run(&command);
            encodings.push(client.say("OBJECT ENCODING key").text());
        }
        assert_eq!(encodings, [small, small, small, large], "{release} {parameter}");
    }
}

#[test]
fn arguments_are_as_long_as_the_limit_allows() {
    let program = Program::redis("7.0", &[("proto-max-bulk-len", "1mb")]);
    let long = "v".repeat((1 << 20) + 1);
    assert_eq!(
        program.client().run(&["ECHO", &long]),
        Reply::Error(b"ERR Protocol error: invalid bulk length".to_vec())
    );
    say(&mut program.client(), "CONFIG SET proto-max-bulk-len 2mb");
    assert_eq!(program.client().run(&["ECHO", &long]), Reply::Bulk(long.into_bytes()));
}
