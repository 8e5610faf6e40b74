//! Fields of hashes that expire, from release 7.4 on.

use std::net::SocketAddr;
use std::thread::sleep;
use std::time::Duration;
use testkit::{Client, Oracle, Program, Reply};

/// Runs a test on a small hash and on a table.
fn on_both(test: impl Fn(&mut Client, &'static str)) {
    for (entries, encoding) in [("512", "listpackex"), ("0", "hashtable")] {
        let program = Program::redis("7.4", &[("hash-max-listpack-entries", entries)]);
        test(&mut program.client(), encoding);
    }
}

fn integers(client: &mut Client, command: &str) -> Vec<i64> {
    client.say(command).elements().iter().map(Reply::integer).collect()
}

fn texts(client: &mut Client, command: &str) -> Vec<String> {
    client.say(command).elements().iter().map(Reply::text).collect()
}

/// Waits until a command gives this.
fn until(client: &mut Client, command: &str, want: &Reply) {
    for _ in 0..5_000 {
        if client.say(command) == *want {
            return;
        }
        sleep(Duration::from_millis(2));
    }
    panic!("{command} does not give {want:?}");
}

#[test]
fn conditions_and_codes() {
    on_both(|client, encoding| {
        client.say("HSET h a 1 b 2 c 3");
        assert_eq!(integers(client, "HEXPIRE h 100 FIELDS 2 a none"), [1, -2]);
        assert_eq!(client.say("OBJECT ENCODING h").text(), encoding);
        assert_eq!(integers(client, "HPEXPIRE h 200000 nx fields 2 a b"), [0, 1]);
        assert_eq!(integers(client, "HEXPIRE h 150 XX FIELDS 2 a c"), [1, 0]);
        assert_eq!(integers(client, "HEXPIRE h 160 GT FIELDS 3 a b c"), [1, 0, 0]);
        assert_eq!(integers(client, "HEXPIRE h 170 LT FIELDS 3 a b c"), [0, 1, 1]);
        assert_eq!(integers(client, "HTTL h FIELDS 4 a b c none"), [160, 170, 170, -2]);
        assert_eq!(integers(client, "HPERSIST h FIELDS 3 a a none"), [1, -1, -2]);
        assert_eq!(integers(client, "HTTL h FIELDS 1 a"), [-1]);
        assert_eq!(integers(client, "HEXPIREAT h 2000000000 FIELDS 1 a"), [1]);
        assert_eq!(integers(client, "HEXPIRETIME h FIELDS 1 a"), [2_000_000_000]);
        assert_eq!(integers(client, "HPEXPIREAT h 2000000000001 FIELDS 1 a"), [1]);
        assert_eq!(integers(client, "HPEXPIRETIME h FIELDS 1 a"), [2_000_000_000_001]);
        assert_eq!(integers(client, "HEXPIRETIME h FIELDS 1 a"), [2_000_000_001]);
        // A time that has come removes, but only where the condition is met.
        assert_eq!(integers(client, "HPEXPIREAT h 1 NX FIELDS 2 a b"), [0, 0]);
        assert_eq!(integers(client, "HEXPIRE h 0 FIELDS 3 a b none"), [2, 2, -2]);
        assert_eq!(integers(client, "HEXPIRE h 0 FIELDS 2 c c"), [2, -2]);
        assert_eq!(client.say("EXISTS h"), Reply::Integer(0));
        for command in ["HEXPIRE h 9 FIELDS 2 a b", "HPTTL h FIELDS 2 a b", "HPERSIST h FIELDS 2 a b"] {
            assert_eq!(integers(client, command), [-2, -2], "{command}");
        }
    });
}

#[test]
fn wrong_requests() {
    let program = Program::redis("7.4", &[]);
    let mut client = program.client();
    client.say("HSET h a 1");
    client.say("SET text x");
    let missing = "ERR Mandatory argument FIELDS is missing or not at the right position";
    let count = "ERR The `numfields` parameter must match the number of arguments";
    let none = "ERR Parameter `numFields` should be greater than 0";
    for (command, want) in [
        ("HEXPIRE h 10 a b c", missing),
        ("HEXPIRE h 10 XX GT FIELDS 1 a", missing),
        ("HEXPIRE h 10 NX FIELDS 1", count),
        ("HEXPIRE h 10 FIELDS 1 a b", count),
        ("HEXPIRE h 10 FIELDS 0 a", none),
        ("HEXPIRE h 10 FIELDS x a", none),
        ("HEXPIRE h x FIELDS 1 a", "ERR value is not an integer or out of range"),
        ("HEXPIRE h -1 FIELDS 1 a", "ERR invalid expire time, must be >= 0"),
        ("HEXPIRE h 9223372036854775807 FIELDS 1 a", "ERR invalid expire time in 'hexpire' command"),
        ("HPEXPIRE h 70368744177663 FIELDS 1 a", "ERR invalid expire time in 'hpexpire' command"),
        ("HPEXPIREAT h 70368744177664 FIELDS 1 a", "ERR invalid expire time in 'hpexpireat' command"),
        ("HEXPIREAT h 70368744178 FIELDS 1 a", "ERR invalid expire time in 'hexpireat' command"),
        ("HTTL h a 1 b", missing),
        ("HTTL h FIELDS 2 a", count),
        ("HPERSIST h FIELDS 0 a", "ERR Number of fields must be a positive integer"),
        ("HPERSIST h FIELDS 1", "ERR wrong number of arguments for 'hpersist' command"),
        ("HEXPIRE text x FIELDS 1 a", "WRONGTYPE Operation against a key holding the wrong kind of value"),
    ] {
        assert_eq!(client.say(command), Reply::Error(want.into()), "{command}");
    }
    assert_eq!(integers(&mut client, "HPEXPIREAT h 70368744177663 FIELDS 1 a"), [1]);
}

#[test]
fn what_keeps_an_expiry_and_what_does_not() {
    on_both(|client, _| {
        client.say("HSET h a 1 b 2 c 3");
        let still = |client: &mut Client| {
            integers(client, "HTTL h FIELDS 2 a b").into_iter().map(|ttl| ttl > 0).collect::<Vec<_>>()
        };
        client.say("HEXPIRE h 100 FIELDS 2 a b");
        client.say("HINCRBY h a 1");
        client.say("HINCRBYFLOAT h b 1");
        client.say("HSETNX h a 1");
        assert_eq!(still(client), [true, true]);
        client.say("HSET h a 5 c 4");
        assert_eq!(still(client), [false, true]);
        client.say("HDEL h b");
        client.say("HSET h b 1");
        assert_eq!(still(client), [false, false]);
    });
}

#[test]
fn fields_go_by_themselves_and_the_hash_with_the_last() {
    on_both(|client, _| {
        client.say("HSET h a 1 b 2 c 3 d 4");
        client.say("HPEXPIRE h 20 FIELDS 2 a b");
        client.say("HPEXPIRE h 40 FIELDS 2 c d");
        until(client, "HLEN h", &Reply::Integer(2));
        assert_eq!(client.say("HGET h a"), Reply::Nil);
        assert_eq!(client.say("HGET h c").text(), "3");
        until(client, "DBSIZE", &Reply::Integer(0));
        // A field that has expired is new again.
        client.say("HSET h a 1 b 2");
        client.say("HPEXPIRE h 1 FIELDS 1 a");
        until(client, "HEXISTS h a", &Reply::Integer(0));
        assert_eq!(client.say("HINCRBY h a 7"), Reply::Integer(7));
        assert_eq!(integers(client, "HTTL h FIELDS 2 a b"), [-1, -1]);
    });
}

#[test]
fn lazy_and_active_expiry_publish_the_same() {
    for active in ["1", "0"] {
        let program =
            Program::redis("7.4", &[("notify-keyspace-events", "Kgh"), ("enable-debug-command", "yes")]);
        let (mut client, mut listener) = (program.client(), program.client());
        listener.say("SUBSCRIBE __keyspace@0__:h");
        client.say(&format!("DEBUG SET-ACTIVE-EXPIRE {active}"));
        client.say("HSET h a 1 b 2");
        client.say("HPEXPIRE h 10 FIELDS 1 a");
        until(&mut client, "HEXISTS h a", &Reply::Integer(0));
        client.say("HPEXPIRE h 10 FIELDS 1 b");
        until(&mut client, "HEXISTS h b", &Reply::Integer(0));
        for want in ["hset", "hexpire", "hexpired", "hexpire", "hexpired", "del"] {
            assert_eq!(listener.read().elements()[2].text(), want, "active expiry {active}");
        }
    }
}

#[test]
fn small_hashes_are_in_the_order_of_expiry() {
    let program = Program::redis("7.4", &[]);
    let mut client = program.client();
    client.say("HSET h a 1 b 2 c 3 d 4");
    assert_eq!(client.say("OBJECT ENCODING h").text(), "listpack");
    // Being asked to expire is enough, even if no field does.
    client.say("HEXPIRE h 100 FIELDS 1 none");
    assert_eq!(client.say("OBJECT ENCODING h").text(), "listpackex");
    client.say("HEXPIRE h 200 FIELDS 1 c");
    client.say("HEXPIRE h 100 FIELDS 1 d");
    client.say("HEXPIRE h 300 FIELDS 1 a");
    assert_eq!(texts(&mut client, "HKEYS h"), ["d", "c", "a", "b"]);
    client.say("HPERSIST h FIELDS 1 d");
    assert_eq!(texts(&mut client, "HKEYS h"), ["c", "a", "b", "d"]);
    assert_eq!(client.say("OBJECT ENCODING h").text(), "listpackex");
}

/// So many fields are tried before one is met in its last millisecond, at most.
const MOST_FIELDS: usize = 2_000;

/// What is told of a field in its last millisecond: its value, how many there are, its time left.
fn last_words(address: SocketAddr) -> [Reply; 3] {
    let [mut client, mut clock] = [(); 2].map(|()| Client::connect(address));
    let time_ms = |reply: &Reply| {
        let parts: Vec<i64> = reply.elements().iter().map(|part| part.text().parse().unwrap()).collect();
        parts[0] * 1000 + parts[1] / 1000
    };
    client.say("DEBUG SET-ACTIVE-EXPIRE 0");
    for _ in 0..MOST_FIELDS {
        let at_ms = time_ms(&clock.say("TIME")) + 2;
        client.say("HSET h f v g v");
        client.say(&format!("HPEXPIREAT h {at_ms} FIELDS 1 f"));
        for line in ["MULTI", "TIME", "HGET h f", "HLEN h", "HPTTL h FIELDS 1 f", "TIME"] {
            client.say(line);
        }
        while time_ms(&clock.say("TIME")) < at_ms {}
        let Reply::Array(replies) = client.say("EXEC") else { panic!("a transaction runs") };
        if [&replies[0], &replies[4]].iter().all(|time| time_ms(time) == at_ms) {
            return [replies[1].clone(), replies[2].clone(), replies[3].clone()];
        }
    }
    panic!("no field is met in its last millisecond");
}

#[test]
fn a_field_is_there_until_its_last_millisecond_is_over() {
    for entries in ["512", "0"] {
        let config = [("hash-max-listpack-entries", entries), ("enable-debug-command", "yes")];
        let program = Program::redis("7.4", &config);
        let ours = last_words(program.address());
        assert_eq!(ours[0], Reply::Bulk(b"v".to_vec()));
        if let Some(oracle) = Oracle::of("7.4", &["--hash-max-listpack-entries", entries]) {
            assert_eq!(ours, last_words(oracle.address()), "{entries}");
        }
    }
}
