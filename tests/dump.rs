//! `DUMP` and `RESTORE`, seen from outside: between releases, and between this program and a real redis-server.

use std::net::SocketAddr;
use std::time::Duration;
use testkit::{Client, Oracle, Program, REAL_RELEASES, Reply, Rng};

const RELEASES: [&str; 6] = ["3.0", "4.0", "5.0", "6.2", "7.0", "7.4"];

/// Runs a test against a node of each release.
fn on_ours(test: impl Fn(SocketAddr, &str)) {
    for release in RELEASES {
        let program = Program::redis(release, &[]);
        eprintln!("release {release}");
        test(program.address(), release);
    }
}

/// The same, and then against real servers.
fn on_all(test: impl Fn(SocketAddr, &str)) {
    on_ours(&test);
    for release in REAL_RELEASES {
        let Some(oracle) = Oracle::of(release, &[]) else { return };
        eprintln!("a real server of {release}");
        test(oracle.address(), release);
    }
}

fn restore(client: &mut Client, key: &str, ttl: &str, payload: &[u8], options: &str) -> Reply {
    let mut args: Vec<&[u8]> = vec![b"RESTORE", key.as_bytes(), ttl.as_bytes(), payload];
    args.extend(options.split_whitespace().map(str::as_bytes));
    client.run(&args)
}

/// The payload of a string in the release of a server.
fn payload(client: &mut Client) -> Vec<u8> {
    client.say("FLUSHALL");
    // Not an integer, which a real server would share between keys with all that it knows of their use.
    client.say("SET a hello");
    client.say("DUMP a").bytes().to_vec()
}

const OK: &str = "OK";
const SYNTAX: &str = "ERR syntax error";
const BAD_PAYLOAD: &str = "ERR DUMP payload version or checksum are wrong";
const NOT_AN_INTEGER: &str = "ERR value is not an integer or out of range";
const BUSY: &str = "BUSYKEY Target key name already exists.";
const NEGATIVE_TTL: &str = "ERR Invalid TTL value, must be >= 0";

#[test]
fn options_are_checked_before_the_key_and_the_key_before_the_rest() {
    on_all(|address, release| {
        let mut client = Client::connect(address);
        let good = payload(&mut client);
        let options = release >= "5.0";
        let known = |reply| if options { reply } else { SYNTAX };
        for (key, ttl, payload, words, want) in [
            ("a", "x", &b"bad"[..], "FOO", SYNTAX),
            ("a", "x", b"bad", "REPLACE FOO", SYNTAX),
            ("a", "x", b"bad", "", BUSY),
            ("a", "x", b"bad", "REPLACE", NOT_AN_INTEGER),
            ("a", "-1", b"bad", "replace replace", NEGATIVE_TTL),
            ("a", "0", b"bad", "REPLACE", BAD_PAYLOAD),
            ("b", "x", b"bad", "", NOT_AN_INTEGER),
            ("b", "-1", b"bad", "", NEGATIVE_TTL),
            ("b", "0", b"", "", BAD_PAYLOAD),
            ("b", "0", b"bad", "", BAD_PAYLOAD),
            ("b", "0", &good[..good.len() - 1], "", BAD_PAYLOAD),
            ("b", "0", &good, "IDLETIME", SYNTAX),
            ("b", "0", &good, "IDLETIME x", known(NOT_AN_INTEGER)),
            ("b", "0", &good, "IDLETIME -1", known("ERR Invalid IDLETIME value, must be >= 0")),
            ("b", "0", &good, "FREQ", SYNTAX),
            ("b", "0", &good, "FREQ 256", known("ERR Invalid FREQ value, must be >= 0 and <= 255")),
            ("b", "0", &good, "FREQ -1", known("ERR Invalid FREQ value, must be >= 0 and <= 255")),
            ("b", "0", &good, "FREQ 1 IDLETIME 1", SYNTAX),
            ("b", "0", &good, "IDLETIME 1 FREQ 1", SYNTAX),
            ("b", "0", &good, "", OK),
            ("b", "0", &good, "", BUSY),
            ("b", "100000", &good, "REPLACE", OK),
            ("c", "99999999999999", &good, "ABSTTL", known(OK)),
            ("d", "0", &good, "ABSTTL IDLETIME 1000 IDLETIME 2000", known(OK)),
        ] {
            let reply = restore(&mut client, key, ttl, payload, words);
            assert_eq!(reply.text(), want, "RESTORE {key} {ttl} ... {words}");
        }
        assert_eq!(client.say("GET b").text(), "hello");
        assert!((99_000..=100_000).contains(&client.say("PTTL b").integer()));
        if options {
            assert!(client.say("PTTL c").integer() > 90_000_000_000_000);
            assert_eq!(client.say("PTTL d"), Reply::Integer(-1));
            let idle_s = client.say("OBJECT IDLETIME d").integer();
            assert!((2000..2010).contains(&idle_s), "{idle_s}");
            client.say("CONFIG SET maxmemory-policy allkeys-lfu");
            assert_eq!(restore(&mut client, "e", "0", &good, "FREQ 200").text(), OK);
            assert_eq!(client.say("OBJECT FREQ e"), Reply::Integer(200));
            client.say("CONFIG SET maxmemory-policy noeviction");
        }
        assert_eq!(client.say("DUMP none"), Reply::Nil);
    });
}

/// Events of generic commands that a `RESTORE` brings about, as `event key`.
fn events(address: SocketAddr, key: &str, ttl: &str, options: &str) -> Vec<String> {
    let (mut client, mut listener) = (Client::connect(address), Client::connect(address));
    let payload = payload(&mut client);
    client.say("CONFIG SET notify-keyspace-events Eg");
    listener.say("PSUBSCRIBE __keyevent@0__:*");
    assert_eq!(restore(&mut client, key, ttl, &payload, options).text(), OK);
    client.say("PUBLISH __keyevent@0__:end .");
    let mut events = Vec::new();
    loop {
        let message = listener.read();
        let [_, _, channel, key] = message.elements() else { panic!("{message:?} is not a message") };
        let event = channel.text().replace("__keyevent@0__:", "");
        if event == "end" {
            return events;
        }
        events.push(format!("{event} {}", key.text()));
    }
}

#[test]
fn what_is_restored_is_published_from_6_on() {
    on_all(|address, release| {
        let tells = |event: &'static str| if release >= "6.2" { vec![event] } else { vec![] };
        assert_eq!(events(address, "b", "0", ""), tells("restore b"));
        assert_eq!(events(address, "a", "1000", "REPLACE"), tells("restore a"));
        if release >= "5.0" {
            assert_eq!(events(address, "a", "1", "REPLACE ABSTTL"), tells("del a"));
            assert_eq!(Client::connect(address).say("EXISTS a"), Reply::Integer(0));
            assert_eq!(events(address, "b", "1", "ABSTTL"), Vec::<String>::new());
            assert_eq!(Client::connect(address).say("EXISTS b"), Reply::Integer(0));
        }
    });
}

#[test]
fn later_releases_read_what_earlier_ones_write() {
    let programs = RELEASES.map(|release| Program::redis(release, &[]));
    let versions = [6, 8, 9, 9, 10, 12];
    let payloads = programs.each_ref().map(|program| payload(&mut program.client()));
    for (writer, payload) in payloads.iter().enumerate() {
        assert_eq!(payload[payload.len() - 10..payload.len() - 8], [versions[writer], 0]);
        for (reader, program) in programs.iter().enumerate() {
            // The first takes no other version than its own.
            let reads =
                versions[reader] == versions[writer] || reader > 0 && versions[reader] > versions[writer];
            let reply = restore(&mut program.client(), "b", "0", payload, "REPLACE");
            let want = if reads { OK } else { BAD_PAYLOAD };
            assert_eq!(reply.text(), want, "{} to {}", RELEASES[writer], RELEASES[reader]);
        }
    }
}

#[test]
fn a_payload_without_a_value_changes_nothing() {
    // Strings shorter than announced, and a list of nothing, with checksums that are right.
    let damaged: [&[u8]; 2] = [
        b"\x00\x32abc\x06\x00\x6b\xbb\xf1\xf5\xa3\x18\xe2\x6d",
        b"\x01\x00\x06\x00\xcd\x15\x4d\x4c\x99\x42\x7f\xc5",
    ];
    // Real servers of early releases take them, or end.
    let test = |address: SocketAddr, _: &str| {
        let mut client = Client::connect(address);
        client.say("FLUSHALL");
        client.say("SET a 10");
        for payload in damaged {
            let reply = restore(&mut client, "a", "0", payload, "REPLACE");
            assert_eq!(reply.text(), "ERR Bad data format");
        }
        assert_eq!(client.say("GET a").text(), "10");
    };
    on_ours(test);
    if let Some(oracle) = Oracle::start() {
        test(oracle.address(), "7.0");
    }
}

#[test]
fn ages_may_be_as_old_as_can_be() {
    let program = Program::redis("7.4", &[]);
    let mut client = program.client();
    client.say("XADD x 1-1 f v");
    client.say("XGROUP CREATE x g 0");
    client.say("XREADGROUP GROUP g consumer STREAMS x >");
    let sealed = client.say("DUMP x").bytes().to_vec();
    let (value, version) = rdb::payload::open(&sealed, |_| true).expect("it is whole");
    let name = b"consumer";
    let at = value.windows(name.len()).position(|own| own == name).expect("it has a consumer") + name.len();
    let mut aged = value.to_vec();
    // When it was seen, and when it was active.
    aged[at..at + 8].copy_from_slice(&i64::MIN.to_le_bytes());
    aged[at + 8..at + 16].copy_from_slice(&(i64::MIN + 1).to_le_bytes());
    rdb::payload::seal(&mut aged, version);
    assert_eq!(restore(&mut client, "y", "0", &aged, "").text(), OK);
    let consumers = client.say("XINFO CONSUMERS y g");
    let [consumer] = consumers.elements() else { panic!("{consumers:?} is not one consumer") };
    assert_eq!(consumer.elements()[5], Reply::Integer(i64::MAX));
    assert_eq!(client.say("XINFO STREAM y FULL").elements().len(), 18);
}

#[test]
fn those_who_wait_get_what_is_restored() {
    on_all(|address, _| {
        let (mut client, mut waiter) = (Client::connect(address), Client::connect(address));
        client.say("FLUSHALL");
        client.say("RPUSH l a b");
        let payload = client.say("DUMP l").bytes().to_vec();
        waiter.say("PING");
        waiter.send(&["BLPOP", "k", "10"]);
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(restore(&mut client, "k", "0", &payload, "").text(), OK);
        assert_eq!(waiter.read().elements()[1].text(), "a");
    });
}

/// A word of a value: integers, short, long and binary ones.
fn word(rng: &mut Rng) -> Vec<u8> {
    match rng.below(8) {
        0 => (rng.draw() as i64).to_string().into_bytes(),
        1 => (rng.below(70_000) as i64 - 300).to_string().into_bytes(),
        2 => vec![b'x'; rng.below(400)],
        3 => (0..rng.below(100)).map(|_| rng.draw() as u8).collect(),
        4 => b"007".to_vec(),
        _ => format!("m{}", rng.below(1000)).into_bytes(),
    }
}

/// Makes a key of a random type of a release, and of a random size.
fn fill(client: &mut Client, release: &str, key: &str, rng: &mut Rng) {
    let len = *rng.pick(&[1, 3, 20, 130, 600]);
    let add = |client: &mut Client, args: &[&[u8]]| {
        let reply = client.run(args);
        assert!(!reply.is_error(), "{reply:?}");
    };
    let own = key.as_bytes();
    match rng.below(if release < "5.0" { 6 } else { 7 }) {
        0 => add(client, &[b"SET", own, &word(rng)]),
        1 => (0..len).for_each(|_| add(client, &[b"RPUSH", own, &word(rng)])),
        2 => (0..len).for_each(|_| add(client, &[b"SADD", own, &word(rng)])),
        3 => (0..len).for_each(|_| {
            add(client, &[b"SADD", own, (rng.draw() as i64 >> rng.below(64)).to_string().as_bytes()]);
        }),
        4 => (0..len).for_each(|_| add(client, &[b"HSET", own, &word(rng), &word(rng)])),
        5 => (0..len).for_each(|_| {
            let score = match rng.below(6) {
                0 => "inf".to_owned(),
                1 => "-1e-7".to_owned(),
                2 => (rng.below(1000) as f64 / 7.0).to_string(),
                _ => rng.below(100).to_string(),
            };
            add(client, &[b"ZADD", own, score.as_bytes(), &word(rng)]);
        }),
        _ => {
            for number in 1..=len {
                let id = format!("{}-{}", 5 * number, rng.below(3));
                add(client, &[b"XADD", own, id.as_bytes(), b"f", &word(rng), &word(rng), b"v"]);
            }
            add(client, &[b"XDEL", own, b"5-0", b"10-1", b"15-0"]);
            add(client, &[b"XGROUP", b"CREATE", own, b"g", b"0"]);
            add(client, &[b"XGROUP", b"CREATE", own, b"h", b"$"]);
            for consumer in ["c", "d", "c"] {
                let count = rng.below(20).max(1).to_string();
                let consumer = consumer.as_bytes();
                add(
                    client,
                    &[
                        b"XREADGROUP",
                        b"GROUP",
                        b"g",
                        consumer,
                        b"COUNT",
                        count.as_bytes(),
                        b"STREAMS",
                        own,
                        b">",
                    ],
                );
            }
        }
    }
}

/// All that can be told of a key, but for what depends on the time.
fn shown(client: &mut Client, release: &str, key: &str) -> Vec<Reply> {
    let mut shown: Vec<_> =
        ["OBJECT ENCODING", "TYPE"].map(|line| client.say(&format!("{line} {key}"))).into();
    if release < "5.0" {
        // It tells the digest of a keyspace only, and names count in it.
        let read: [&[&str]; 5] = [
            &["GET", key],
            &["LRANGE", key, "0", "-1"],
            &["ZRANGE", key, "0", "-1", "WITHSCORES"],
            &["SMEMBERS", key],
            &["HGETALL", key],
        ];
        let replies = read.map(|words| client.run(words));
        // Members of sets, and fields of hashes, come in any order.
        for (reply, width) in replies.into_iter().zip([1_000_000, 1_000_000, 1_000_000, 1, 2]) {
            shown.push(match reply {
                Reply::Array(items) => {
                    let mut groups: Vec<_> = items.chunks(width).map(<[Reply]>::to_vec).collect();
                    groups.sort();
                    Reply::Array(groups.concat())
                }
                other => other,
            });
        }
        return shown;
    }
    for line in ["DEBUG DIGEST-VALUE", "XINFO GROUPS", "XLEN"] {
        shown.push(client.say(&format!("{line} {key}")));
    }
    shown.push(client.say(&format!("XPENDING {key} g")));
    shown
}

#[test]
fn real_servers_and_this_one_read_each_other() {
    for release in REAL_RELEASES {
        let Some(oracle) = Oracle::of(release, &[]) else { return };
        let debug: &[_] = if release >= "7.0" { &[("enable-debug-command", "yes")] } else { &[] };
        let program = Program::redis(release, debug);
        let (mut real, mut own) = (oracle.client(), program.client());
        real.set_patience(Duration::from_secs(10));
        for seed in 0..150 {
            let mut rng = Rng::new(seed);
            if seed % 3 == 0 {
                let compresses = if seed % 2 == 0 { "yes" } else { "no" };
                for client in [&mut real, &mut own] {
                    client.say(&format!("CONFIG SET rdbcompression {compresses}"));
                }
            }
            real.say("FLUSHALL");
            own.say("FLUSHALL");
            fill(&mut real, release, "k", &mut rng);
            let there = real.say("DUMP k").bytes().to_vec();
            assert_eq!(restore(&mut own, "k", "0", &there, "").text(), OK, "{release} {seed}");
            let back = own.say("DUMP k").bytes().to_vec();
            // Before 7.0 packed values are written in their plain form, which all servers read.
            assert!(back[0] == there[0] || release < "7.0", "{release} {seed}: another type");
            assert_eq!(restore(&mut real, "back", "0", &back, "").text(), OK, "{release} {seed}");
            let want = shown(&mut real, release, "k");
            for (ours, want) in shown(&mut own, release, "k").iter().zip(&want) {
                assert_eq!(ours, want, "{release} {seed}");
            }
            for (back, want) in shown(&mut real, release, "back").iter().zip(&want) {
                assert_eq!(back, want, "{release} {seed}");
            }
        }
    }
}

#[test]
fn every_release_reads_itself() {
    for release in ["5.0", "6.2", "7.0", "7.4"] {
        let guarded = release >= "7.0";
        let config: &[_] = if guarded { &[("enable-debug-command", "yes")] } else { &[] };
        let program = Program::redis(release, config);
        let mut client = program.client();
        for seed in 1000..1040 {
            client.say("FLUSHALL");
            fill(&mut client, release, "k", &mut Rng::new(seed));
            let payload = client.say("DUMP k").bytes().to_vec();
            assert_eq!(restore(&mut client, "back", "0", &payload, "").text(), OK, "{release} {seed}");
            assert_eq!(client.say("DUMP back").bytes()[0], payload[0], "{release} {seed}");
            assert_eq!(
                shown(&mut client, release, "back"),
                shown(&mut client, release, "k"),
                "{release} {seed}"
            );
        }
    }
}
