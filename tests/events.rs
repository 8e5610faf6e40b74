//! Keyspace events: which commands publish, in which order. Checked against a real redis-server too, where there is one.

use std::net::SocketAddr;
use testkit::{Client, Oracle, Program, Reply};

/// A command, and the events that it publishes: their names and keys.
type Case = (&'static str, &'static [&'static str]);

/// The events of a command, as somebody hears them who listens to all.
fn events_of(client: &mut Client, listener: &mut Client, command: &str) -> Vec<String> {
    client.say(command);
    client.say("PUBLISH __keyevent@0__: end");
    let mut events = Vec::new();
    loop {
        let message = listener.read();
        let [_, _, channel, key] = message.elements() else { panic!("{message:?}") };
        let name = channel.text().trim_start_matches("__keyevent@0__:").to_owned();
        if name.is_empty() {
            return events;
        }
        events.push(format!("{name} {}", key.text()));
    }
}

fn check(address: SocketAddr, classes: &str, cases: &[Case]) {
    let (mut client, mut listener) = (Client::connect(address), Client::connect(address));
    assert_eq!(client.say(&format!("CONFIG SET notify-keyspace-events {classes}")).text(), "OK");
    assert!(matches!(listener.say("PSUBSCRIBE __keyevent@0__:*"), Reply::Array(_)));
    for (command, want) in cases {
        assert_eq!(events_of(&mut client, &mut listener, command), *want, "{command}");
    }
}

fn check_with_real_server(cases: &[Case]) {
    check(Program::redis("7.0", &[]).address(), "KEAnm", cases);
    if let Some(oracle) = Oracle::start() {
        check(oracle.address(), "KEAnm", cases);
    }
}

#[test]
fn sets() {
    check_with_real_server(&[
        ("SADD s a b a", &["new s", "sadd s"]),
        ("SADD s a", &[]),
        ("SREM s z", &[]),
        ("SREM s a b", &["srem s", "del s"]),
        ("SADD s a b", &["new s", "sadd s"]),
        ("SMOVE s t a", &["srem s", "new t", "sadd t"]),
        ("SMOVE t t a", &[]),
        ("SMOVE t s z", &[]),
        ("SADD s a", &["sadd s"]),
        ("SMOVE s t a", &["srem s"]),
        ("SMOVE s t b", &["srem s", "del s", "sadd t"]),
        ("SPOP t 0", &[]),
        ("SPOP t 1", &["spop t"]),
        ("SPOP t", &["spop t", "del t"]),
        ("SADD t 1 2 3", &["new t", "sadd t"]),
        ("SPOP t 5", &["spop t", "del t"]),
        ("SPOP t 5", &[]),
        ("SMEMBERS t", &["keymiss t"]),
        ("SADD a 1 2 3", &["new a", "sadd a"]),
        ("SADD b 2 3 4", &["new b", "sadd b"]),
        ("SINTERSTORE d a b", &["new d", "sinterstore d"]),
        ("SINTERSTORE d a none", &["keymiss none", "del d"]),
        ("SINTERSTORE d a none", &["keymiss none"]),
        ("SUNIONSTORE d a b", &["new d", "sunionstore d"]),
        ("SDIFFSTORE d a b", &["sdiffstore d"]),
        ("SDIFFSTORE d a a", &["del d"]),
        ("SET text x", &["new text", "set text"]),
        ("SUNIONSTORE text a", &["sunionstore text"]),
    ]);
}

#[test]
fn hashes() {
    check_with_real_server(&[
        ("HSET h a 1 b 2", &["new h", "hset h"]),
        ("HSET h a 1", &["hset h"]),
        ("HMSET h c 1", &["hset h"]),
        ("HSETNX h c 2", &[]),
        ("HSETNX g d 2", &["new g", "hset g"]),
        ("HDEL g z", &[]),
        ("HDEL g d", &["hdel g", "del g"]),
        ("HINCRBY h a 5", &["hincrby h"]),
        ("HINCRBY i a 5", &["new i", "hincrby i"]),
        ("HINCRBYFLOAT h a 5", &["hincrbyfloat h"]),
        ("HINCRBY h a x", &[]),
        ("HGETALL none", &["keymiss none"]),
        ("HDEL h a b c", &["hdel h", "del h"]),
    ]);
}

#[test]
fn sources_of_what_is_stored_are_not_missed_before_release_7() {
    check(
        Program::redis("6.2", &[]).address(),
        "KEAm",
        &[("SADD a 1", &["sadd a"]), ("SINTERSTORE d a none", &[]), ("SINTER a none", &["keymiss none"])],
    );
}

#[test]
fn fields_that_expire() {
    check(
        Program::redis("7.4", &[]).address(),
        "KEAnm",
        &[
            ("HSET h a 1 b 2 c 3", &["new h", "hset h"]),
            ("HEXPIRE h 100 FIELDS 2 a z", &["hexpire h"]),
            ("HEXPIRE h 100 NX FIELDS 2 a z", &[]),
            ("HPEXPIRE h 100000 FIELDS 1 b", &["hexpire h"]),
            ("HPERSIST h FIELDS 2 a c", &["hpersist h"]),
            ("HPERSIST h FIELDS 2 a c", &[]),
            ("HEXPIREAT h 1 FIELDS 2 a b", &["hdel h"]),
            ("HPEXPIREAT h 1 FIELDS 1 c", &["hdel h", "del h"]),
            ("HEXPIRE h 100 FIELDS 1 a", &[]),
        ],
    );
}

#[test]
fn sorted_sets() {
    check_with_real_server(&[
        ("ZADD z 1 a 2 b", &["new z", "zadd z"]),
        ("ZADD z 1 a", &[]),
        ("ZADD z XX 5 c", &[]),
        ("ZADD none XX 5 c", &[]),
        ("ZADD z INCR 1 a", &["zincr z"]),
        ("ZINCRBY z 0 a", &[]),
        ("ZINCRBY z 2 c", &["zincr z"]),
        ("ZREM z x", &[]),
        ("ZREM z a x", &["zrem z"]),
        ("ZREMRANGEBYRANK z 5 6", &[]),
        ("ZREMRANGEBYRANK z 0 0", &["zremrangebyrank z"]),
        ("ZREMRANGEBYSCORE z -inf inf", &["zremrangebyscore z", "del z"]),
        ("ZADD z 0 a 0 b 0 c 0 d 0 e", &["new z", "zadd z"]),
        ("ZREMRANGEBYLEX z [a [a", &["zremrangebylex z"]),
        ("ZRANGESTORE d z 0 1", &["new d", "zrangestore d"]),
        ("ZRANGESTORE d z 0 1", &["zrangestore d"]),
        ("ZRANGESTORE d z 7 8", &["del d"]),
        ("ZRANGESTORE d none 0 1", &["keymiss none"]),
        ("ZPOPMIN z 0", &[]),
        ("ZPOPMIN z", &["zpopmin z"]),
        ("BZPOPMAX z 0", &["zpopmax z"]),
        ("ZMPOP 2 none z MAX COUNT 9", &["zpopmax z", "del z"]),
        ("ZSCORE z a", &["keymiss z"]),
        ("ZADD a 1 x 2 y", &["new a", "zadd a"]),
        ("SADD s x", &["new s", "sadd s"]),
        ("ZUNIONSTORE d 2 a s", &["new d", "zunionstore d"]),
        ("ZINTERSTORE d 2 a s", &["zinterstore d"]),
        ("ZDIFFSTORE d 2 a s", &["zdiffstore d"]),
        ("ZDIFFSTORE d 2 a a", &["del d"]),
        ("ZINTERSTORE d 2 a none", &["keymiss none"]),
        ("ZUNION 2 none a", &["keymiss none"]),
    ]);
}

#[test]
fn places() {
    check_with_real_server(&[
        ("GEOADD g 13 38 a 15 37 b", &["new g", "zadd g"]),
        ("GEOADD g 13 38 a", &[]),
        ("GEORADIUS g 15 37 200 km STORE d", &["new d", "georadiusstore d"]),
        ("GEORADIUSBYMEMBER g a 200 km STOREDIST d", &["georadiusstore d"]),
        ("GEORADIUS g 0 0 1 km STORE d", &["del d"]),
        ("GEOSEARCHSTORE d g FROMMEMBER a BYBOX 9 9 km", &["new d", "geosearchstore d"]),
        ("GEOSEARCHSTORE d none FROMMEMBER a BYBOX 9 9 km", &["keymiss none", "del d"]),
    ]);
    // What is stored was published as if it were a list, once.
    let store = "GEORADIUS g 15 37 200 km STORE d";
    for (release, classes, events) in
        [("5.0", "KEl", &["georadiusstore d"][..]), ("5.0", "KEz", &[]), ("6.2", "KEl", &[])]
    {
        let program = Program::redis(release, &[]);
        Client::connect(program.address()).say("GEOADD g 15 37 a");
        check(program.address(), classes, &[(store, events)]);
    }
}
