//! What goes when memory is short, and what must not: each policy, as clients see it. And memory that goes back.

use testkit::client::encode;
use testkit::{Client, Program, Reply, resident_bytes, until};

/// Large enough that what the node itself takes does not matter.
const LIMIT: i64 = 2 << 20;
/// By how much a command may exceed the limit beside its own data: the table that holds its key may grow by a step.
const STEP: i64 = 16 << 10;
const VALUE: i64 = 500;
/// Several times as many keys as fit.
const KEYS: usize = 8_000;
/// How often a key is read that is to stay.
const READS: usize = 3;

const POLICIES: [&str; 8] = [
    "noeviction",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
];

fn start(policy: &str) -> Program {
    let limit = LIMIT.to_string();
    Program::redis("7.0", &[("maxmemory", &limit), ("maxmemory-policy", policy), ("maxmemory-samples", "10")])
}

fn field(client: &mut Client, section: &str, name: &str) -> i64 {
    let text = client.run(&["INFO", section]).text();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name} in {text}"))
}

/// By how much memory exceeds the limit, in bytes; buffers are not limited.
fn overshoot(client: &mut Client) -> i64 {
    field(client, "memory", "used_memory") - field(client, "memory", "mem_not_counted_for_evict") - LIMIT
}

fn key(number: usize) -> String {
    format!("key:{number:06}")
}

fn set(client: &mut Client, number: usize) -> Reply {
    client.run(&["SET", &key(number), &"v".repeat(VALUE as usize)])
}

/// Sets a key that expires, the later the higher its number; whether there was room.
fn set_volatile(client: &mut Client, number: usize) -> bool {
    let done = set(client, number) == Reply::Status(b"OK".to_vec());
    client.run(&["EXPIRE", &key(number), &(100_000 + number).to_string()]);
    done
}

/// How many of these keys are there.
fn survivors(client: &mut Client, keys: impl IntoIterator<Item = usize>) -> i64 {
    let command: Vec<String> =
        std::iter::once("EXISTS".to_owned()).chain(keys.into_iter().map(key)).collect();
    match client.run(&command) {
        Reply::Integer(number) => number,
        other => panic!("EXISTS: {other:?}"),
    }
}

#[test]
fn memory_never_exceeds_its_limit_by_more_than_a_command() {
    for policy in &POLICIES[1..] {
        let program = start(policy);
        let mut client = program.client();
        let mut most = i64::MIN;
        for number in 0..KEYS {
            assert!(set_volatile(&mut client, number), "{policy}");
            if number % 40 == 0 {
                most = most.max(overshoot(&mut client));
            }
        }
        assert!(most <= VALUE + STEP, "{policy}: {most} bytes too many");
        let keys = field(&mut client, "memory", "used_memory_dataset");
        assert!(keys > LIMIT * 8 / 10, "{policy}: {keys} bytes are far below the limit");
        assert!(field(&mut client, "stats", "evicted_keys") > KEYS as i64 / 2, "{policy}");

        // One large value, then whatever command comes next.
        let large = 300_000;
        assert_eq!(client.run(&["SET", "large", &"v".repeat(large)]), Reply::Status(b"OK".to_vec()));
        client.run(&["PING"]);
        let over = overshoot(&mut client);
        assert!(over <= STEP, "{policy}: {over} bytes too many after a large value");
    }
}

#[test]
fn without_eviction_commands_that_need_memory_are_refused() {
    let program = start("noeviction");
    let mut client = program.client();
    let mut number = 0;
    let refused = loop {
        match set(&mut client, number) {
            Reply::Status(_) => number += 1,
            other => break other,
        }
    };
    let oom = Reply::Error(b"OOM command not allowed when used memory > 'maxmemory'.".to_vec());
    assert_eq!(refused, oom);
    assert!(number > 3_000, "only {number} keys fit");
    let over = overshoot(&mut client);
    assert!((1..=VALUE + STEP).contains(&over), "{over}");
    assert_eq!(client.say("LPUSH list x"), oom);
    assert_eq!(client.say("HSET hash field x"), oom);
    assert_eq!(survivors(&mut client, 0..number), number as i64);
    assert_eq!(client.say("GET key:000000").bytes().len() as i64, VALUE);
    // Reading, deleting and expiring go on, and make room.
    for gone in 0..100 {
        assert_eq!(client.run(&["DEL", &key(gone)]), Reply::Integer(1));
    }
    assert_eq!(set(&mut client, 0), Reply::Status(b"OK".to_vec()));
    assert_eq!(field(&mut client, "stats", "evicted_keys"), 0);
    // A higher limit is in force at once, and so is a policy.
    assert_eq!(client.say("CONFIG SET maxmemory 1mb"), Reply::Status(b"OK".to_vec()));
    assert_eq!(set(&mut client, 0), oom);
    assert_eq!(client.say("CONFIG SET maxmemory-policy allkeys-random"), Reply::Status(b"OK".to_vec()));
    assert_eq!(set(&mut client, 0), Reply::Status(b"OK".to_vec()));
    assert!(field(&mut client, "memory", "used_memory") <= (1 << 20) + VALUE + STEP);
}

#[test]
fn policies_for_volatile_keys_spare_the_others() {
    for policy in POLICIES.iter().filter(|policy| policy.starts_with("volatile")) {
        let program = start(policy);
        let mut client = program.client();
        let lasting = 1_500;
        for number in 0..lasting {
            set(&mut client, number);
        }
        for number in lasting..KEYS {
            assert!(set_volatile(&mut client, number), "{policy}");
        }
        assert_eq!(survivors(&mut client, 0..lasting), lasting as i64, "{policy}");
        // Once none is left that expires, there is nothing to evict.
        let mut number = KEYS;
        while set(&mut client, number) == Reply::Status(b"OK".to_vec()) {
            number += 1;
            assert!(number < 2 * KEYS, "{policy} evicts keys that do not expire");
        }
        let text = client.run(&["INFO", "keyspace"]).text();
        assert!(text.contains(",expires=0,"), "{policy}: {text}");
        assert_eq!(
            survivors(&mut client, (0..lasting).chain(KEYS..number)),
            (lasting + number - KEYS) as i64
        );
    }
}

#[test]
fn a_much_lower_limit_is_reached_without_anybody_waiting() {
    let program = Program::redis("7.0", &[("maxmemory-policy", "allkeys-random")]);
    let mut client = program.client();
    for number in 0..KEYS {
        set(&mut client, number);
    }
    assert_eq!(client.say("CONFIG SET maxmemory 200kb"), Reply::Status(b"OK".to_vec()));
    // A batch whose first command has to wait until there is room.
    client.send_bytes(b"PING\r\nDBSIZE\r\nINFO memory\r\n");
    assert_eq!(client.read(), Reply::Status(b"PONG".to_vec()));
    let Reply::Integer(left) = client.read() else { panic!("no number of keys") };
    assert!((100..400).contains(&left), "{left} keys are left");
    assert!(field(&mut program.client(), "memory", "used_memory") <= 200 << 10);
}

#[test]
fn keys_that_are_used_stay() {
    for policy in ["allkeys-lru", "allkeys-lfu", "volatile-lru", "volatile-lfu"] {
        let program = start(policy);
        let mut client = program.client();
        let hot = 0..300;
        for number in hot.clone() {
            set_volatile(&mut client, number);
        }
        for number in 300..KEYS {
            set_volatile(&mut client, number);
            if number % 100 == 0 {
                // Under LRU policies an access counts by the clock, which has moved on since.
                std::thread::sleep(std::time::Duration::from_millis(10));
                for _ in 0..READS {
                    let reads: Vec<String> =
                        std::iter::once("MGET".to_owned()).chain(hot.clone().map(key)).collect();
                    if client.run(&reads).is_error() {
                        hot.clone().for_each(|number| drop(client.run(&["GET", &key(number)])));
                    }
                }
            }
        }
        let alive = survivors(&mut client, hot.clone());
        assert!(alive >= 270, "{policy}: of 300 keys that are used {alive} are left");
    }
}

#[test]
fn keys_that_expire_soonest_go_first() {
    let program = start("volatile-ttl");
    let mut client = program.client();
    for number in 0..KEYS {
        set_volatile(&mut client, number);
    }
    let kept = survivors(&mut client, 0..KEYS) as usize;
    let latest = survivors(&mut client, KEYS - kept..KEYS) as usize;
    assert!(latest * 10 >= kept * 9, "of {kept} keys {latest} are those that expire last");
}

#[test]
fn what_goes_is_told_to_listeners() {
    let program = start("allkeys-random");
    let mut client = program.client();
    let mut listener = program.client();
    client.say("CONFIG SET notify-keyspace-events Ee");
    listener.say("SUBSCRIBE __keyevent@0__:evicted");
    for number in 0..KEYS / 2 {
        set(&mut client, number);
    }
    let evicted = field(&mut client, "stats", "evicted_keys");
    assert!(evicted > 0);
    for _ in 0..evicted {
        let Reply::Array(message) = listener.read() else { panic!("no message") };
        assert_eq!(survivors(&mut client, [message[2].text()[4..].parse().expect("a number")]), 0);
    }
    assert_eq!(client.say("DBSIZE"), Reply::Integer(KEYS as i64 / 2 - evicted));
}

/// Somebody asks the node all the time how much it takes, or nobody asks it for anything.
#[test]
fn the_memory_of_all_keys_goes_back_when_they_go() {
    const KEYS: usize = 60_000;
    let keys: Vec<String> = (0..KEYS).map(|number| format!("key:{number}")).collect();
    let all = |name: &str| {
        let words = std::iter::once(name).chain(keys.iter().map(String::as_str));
        encode(&words.collect::<Vec<_>>())
    };
    let expiring = keys.iter().flat_map(|key| encode(&["PEXPIRE", key, "500"])).collect();
    for (name, requests) in [
        ("FLUSHALL", encode(&["FLUSHALL"])),
        ("FLUSHALL ASYNC", encode(&["FLUSHALL", "ASYNC"])),
        ("DEL", all("DEL")),
        ("UNLINK", all("UNLINK")),
        ("PEXPIRE", expiring),
    ] {
        for is_asked in [true, false] {
            let node = Program::redis_with(&["--threads", "1"], &[("enable-debug-command", "yes")]);
            let mut client = node.client();
            let resident = |client: &mut Client| match is_asked {
                true => client.info("used_memory_rss").parse().expect("bytes"),
                false => resident_bytes(node.id()),
            };
            let before = resident(&mut client);
            assert_eq!(client.say(&format!("DEBUG POPULATE {KEYS} key 1000")).text(), "OK");
            let filled = resident(&mut client);
            assert!(filled > before + (40 << 20), "{before} then {filled}");
            client.send_bytes(&requests);
            client.send(&["PING"]);
            while client.read() != Reply::Status(b"PONG".to_vec()) {}
            until(&format!("it is given back after {name}"), || resident(&mut client) < before + (16 << 20));
        }
    }
}
