//! A proxy and the shards behind it, seen from outside.
//!
//! What a proxy does as one server does is compared with a real redis-server, where there is one. What it does
//! otherwise follows what is documented of Proxy Cluster instances; `docs/differences.md` says where.

mod comparable;

use comparable::comparable;
use std::collections::{BTreeSet, VecDeque};
use std::process::Stdio;
use std::time::Duration;
use testkit::client::encode;
use testkit::program::redis_tool;
use testkit::sequences::{Command, DATABASES, FAMILIES, Family, LIMITS, SEQUENCE, sequence};
use testkit::{Client, Oracle, Program, Reply, Rng, number};

const CROSS_SLOT: &str = "CROSSSLOT Keys in request don't hash to the same slot";

/// A proxy with shards behind it.
fn proxy(release: &str, config: &[(&str, &str)]) -> Program {
    Program::redis_with(&["--release", release, "--proxy", "4", "--threads", "2"], config)
}

fn until(mut holds: impl FnMut() -> bool) {
    for _ in 0..2000 {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("it never came about");
}

fn integer(value: i64) -> Reply {
    Reply::Integer(value)
}

fn is_refused(reply: &Reply) -> bool {
    let starts = ["CROSSSLOT", "ERR unknown command", "ERR Command not allowed inside a transaction"];
    reply.is_error() && starts.iter().any(|start| reply.text().starts_with(start))
}

/// What a database holds: keys, their types, encodings and contents.
fn contents(client: &mut Client) -> Vec<(Reply, Vec<Reply>)> {
    let mut all = Vec::new();
    for db in 0..DATABASES {
        client.run(&["SELECT", &db.to_string()]);
        let Reply::Array(mut keys) = client.say("KEYS *") else { panic!("no keys") };
        keys.sort();
        for key in keys {
            let kind = client.run(&[&b"TYPE"[..], key.bytes()]);
            let read: Vec<&str> = match &*kind.text() {
                "string" => vec!["GET", "$"],
                "list" => vec!["LRANGE", "$", "0", "-1"],
                "set" => vec!["SMEMBERS", "$"],
                "hash" => vec!["HGETALL", "$"],
                "zset" => vec!["ZRANGE", "$", "0", "-1", "WITHSCORES"],
                "stream" => vec!["XRANGE", "$", "-", "+"],
                other => panic!("{other} is no type"),
            };
            let words: Command = read
                .iter()
                .map(|word| if *word == "$" { key.bytes().to_vec() } else { word.as_bytes().to_vec() })
                .collect();
            let value = comparable(&words, client.run(&words));
            let encoding = client.run(&[&b"OBJECT"[..], b"ENCODING", key.bytes()]);
            let expires = client.run(&[&b"TTL"[..], key.bytes()]).integer() >= 0;
            all.push((key, vec![kind, encoding, value, Reply::Integer(expires.into())]));
        }
    }
    all
}

#[test]
fn random_sequences_agree_with_a_real_server() {
    let Some(oracle) = Oracle::start() else { return };
    let program = proxy("7.0", &[]);
    let (mut ours, mut theirs) = (program.client(), oracle.client());
    let families: Vec<&Family> = FAMILIES.iter().collect();
    let total = number("CARNELIAN_DIFFERENTIAL_COMMANDS", 18_000) as usize;
    let mut rng = Rng::new(number("CARNELIAN_DIFFERENTIAL_SEED", 5));
    let (mut compared, mut refused) = (0, 0);
    for _ in 0..total.div_ceil(SEQUENCE) {
        for client in [&mut ours, &mut theirs] {
            for line in ["DISCARD", "UNWATCH", "FLUSHALL", "SELECT 0", LIMITS] {
                client.say(line);
            }
        }
        let commands = sequence(&mut rng, &families);
        assert_eq!(commands.len(), SEQUENCE);
        let mut queue: Option<VecDeque<Command>> = None;
        for (at, command) in commands.iter().enumerate() {
            let name = String::from_utf8_lossy(&command[0]).to_ascii_uppercase();
            let reply = ours.run(command);
            if is_refused(&reply) {
                refused += 1;
                if queue.is_some() {
                    // The transaction is over for both.
                    assert!(theirs.say("NOSUCHCOMMAND").is_error());
                }
                continue;
            }
            let other = theirs.run(command);
            let (reply, other) = match (&*name, &mut queue) {
                ("EXEC", Some(queued)) => {
                    let each = |reply: Reply| match reply {
                        Reply::Array(inner) => Reply::Array(
                            inner
                                .into_iter()
                                .zip(&*queued)
                                .map(|(reply, command)| comparable(command, reply))
                                .collect(),
                        ),
                        other => other,
                    };
                    (each(reply), each(other))
                }
                // Which keys a step comes by is the server's own.
                ("SCAN", _) => (integer(0), integer(0)),
                _ => (comparable(command, reply), comparable(command, other)),
            };
            let shown = || {
                let sent = commands[..=at].iter().map(|words| {
                    words.iter().map(|word| String::from_utf8_lossy(word)).collect::<Vec<_>>().join(" ")
                });
                sent.collect::<Vec<_>>().join("\n")
            };
            assert_eq!(reply, other, "{}", shown());
            compared += 1;
            match &*name {
                "MULTI" if !reply.is_error() => queue = Some(VecDeque::new()),
                "EXEC" | "DISCARD" => queue = None,
                _ if reply == Reply::Status(b"QUEUED".to_vec()) => {
                    queue.as_mut().expect("a transaction").push_back(command.clone());
                }
                _ => {}
            }
        }
        for client in [&mut ours, &mut theirs] {
            client.say("DISCARD");
        }
        assert_eq!(contents(&mut ours), contents(&mut theirs), "{commands:?}");
    }
    assert!(compared > total / 2 && refused > total / 200, "{compared} {refused}");
}

#[test]
fn keys_of_several_shards_are_one_command() {
    for release in ["3.0", "5.0", "7.0"] {
        let program = proxy(release, &[]);
        let mut client = program.client();
        let pairs: Vec<String> = (0..500).flat_map(|n| [format!("k{n}"), format!("v{n}")]).collect();
        let mset: Vec<&str> = std::iter::once("MSET").chain(pairs.iter().map(String::as_str)).collect();
        assert_eq!(client.run(&mset).text(), "OK");
        assert_eq!(client.say("DBSIZE"), integer(500));
        let names: Vec<String> = (0..502).rev().map(|n| format!("k{n}")).collect();
        let mget: Vec<&str> = std::iter::once("MGET").chain(names.iter().map(String::as_str)).collect();
        let values = client.run(&mget);
        assert_eq!((values.elements().len(), &values.elements()[..2]), (502, &[Reply::Nil, Reply::Nil][..]));
        assert!((0..500).all(|n| values.elements()[501 - n].text() == format!("v{n}")));
        if release >= "4.0" {
            assert_eq!(client.run(&["TOUCH", "k1", "k2", "k3", "none"]), integer(3));
            assert_eq!(client.run(&["UNLINK", "k1", "k2", "k3", "none"]), integer(3));
        } else {
            assert_eq!(client.run(&["DEL", "k1", "k2", "k3", "none"]), integer(3));
        }
        // A key counts as often as it is named, but goes once.
        assert_eq!(client.run(&["EXISTS", "k4", "k5", "k4", "k1"]), integer(3));
        assert_eq!(client.run(&["DEL", "k4", "k5", "k4", "k6"]), integer(3));
        assert!(client.say("MSET a 1 b").text().contains("wrong number of arguments"));
        assert_eq!(client.say("DBSIZE"), integer(494));
        let Reply::Array(keys) = client.say("KEYS k1?") else { panic!("no keys") };
        assert_eq!(keys.iter().map(Reply::text).collect::<BTreeSet<_>>().len(), 10);
        let kept = client.say("FLUSHALL");
        assert_eq!((kept.text(), client.say("DBSIZE")), ("OK".to_owned(), integer(0)));
        assert_eq!(client.say("RANDOMKEY"), Reply::Nil);
    }
}

#[test]
fn sets_of_several_shards_are_put_together() {
    let program = proxy("7.0", &[]);
    let mut client = program.client();
    for line in
        ["SADD a 1 2 3", "SADD b 2 3 4", "SADD c 3", "ZADD z 1 x 2 y", "ZADD w 10 y", "SET s v", "SET old v"]
    {
        client.say(line);
    }
    let set = |reply: Reply| -> Vec<String> {
        let members: BTreeSet<String> = reply.elements().iter().map(Reply::text).collect();
        members.into_iter().collect()
    };
    assert_eq!(set(client.say("SUNION a b c none")), ["1", "2", "3", "4"]);
    assert_eq!(set(client.say("SINTER a b c")), ["3"]);
    assert_eq!(set(client.say("SDIFF a b")), ["1"]);
    assert!(client.say("SINTER a b none").elements().is_empty());
    assert!(client.say("SUNION a s").text().starts_with("WRONGTYPE"));
    assert_eq!(client.say("SUNIONSTORE old a b"), integer(4));
    assert_eq!(set(client.say("SMEMBERS old")), ["1", "2", "3", "4"]);
    assert_eq!(client.say("OBJECT ENCODING old").text(), "intset");
    assert_eq!(client.say("TTL old"), integer(-1));
    assert_eq!((client.say("SDIFFSTORE old a a"), client.say("EXISTS old")), (integer(0), integer(0)));
    assert_eq!(client.say("SINTERSTORE a a b c"), integer(1));
    assert_eq!(set(client.say("SMEMBERS a")), ["3"]);
    assert!(client.say("SUNIONSTORE old a s").text().starts_with("WRONGTYPE"));
    assert_eq!(client.say("EXISTS old"), integer(0));
    assert_eq!(client.say("ZUNIONSTORE old 3 z w a WEIGHTS 1 2 3 AGGREGATE MAX"), integer(3));
    let scores = client.say("ZRANGE old 0 -1 WITHSCORES");
    let scores: Vec<String> = scores.elements().iter().map(Reply::text).collect();
    assert_eq!(scores, ["x", "1", "3", "3", "y", "20"]);
    assert_eq!(client.say("ZINTERSTORE old 2 z w"), integer(1));
    assert!(client.say("ZUNIONSTORE old 0 z w").is_error());
    // Nothing is left of what was copied.
    let keys: BTreeSet<String> = client.say("KEYS *").elements().iter().map(Reply::text).collect();
    assert_eq!(keys.into_iter().collect::<Vec<_>>(), ["a", "b", "c", "old", "s", "w", "z"]);
}

#[test]
fn large_sets_of_several_shards_are_put_together_elsewhere() {
    let program = proxy("7.0", &[]);
    let mut client = program.client();
    for (key, from) in [("a", 0), ("a", 11_000), ("b", 20_000)] {
        let words = ["SADD".to_owned(), key.to_owned()].into_iter();
        let words: Vec<String> = words.chain((0..11_000).map(|n| (from + n).to_string())).collect();
        assert_eq!(client.run(&words), integer(11_000));
    }
    // What is asked meanwhile is answered in its order, and others do not wait.
    client.send(&["SUNIONSTORE", "all", "a", "b"]);
    client.send(&["SCARD", "all"]);
    client.send(&["SDIFF", "b", "a"]);
    assert_eq!(program.client().say("PING").text(), "PONG");
    assert_eq!((client.read(), client.read()), (integer(31_000), integer(31_000)));
    assert_eq!(client.read().elements().len(), 9_000);
    // One that goes in the middle of it leaves the others alone.
    client.send(&["SUNIONSTORE", "gone", "a", "b"]);
    drop(client);
    let mut other = program.client();
    assert_eq!(other.say("SINTERSTORE few a b"), integer(2_000));
    until(|| other.say("CLIENT LIST").text().lines().count() == 1);
    assert!(other.say("DBSIZE").integer() >= 4);
}

#[test]
fn many_clients_at_once_do_not_get_into_each_others_way() {
    let program = proxy("7.0", &[("maxmemory-policy", "allkeys-lru")]);
    let rounds = 150;
    let run = |number: usize| {
        let mut client = program.client();
        let mut rng = Rng::new(number as u64);
        for round in 0..rounds {
            let keys: Vec<String> = (0..12).map(|_| format!("k{}", rng.below(40))).collect();
            let mut mset = vec!["MSET".to_owned()];
            keys.iter().for_each(|key| mset.extend([key.clone(), round.to_string()]));
            assert_eq!(client.run(&mset).text(), "OK");
            let mget: Vec<String> = ["MGET".to_owned()].into_iter().chain(keys).collect();
            assert_eq!(client.run(&mget).elements().len(), 12);
            // Every transaction counts, whatever else goes on.
            for line in ["MULTI", "INCR {n}1", "INCR {n}2", "EXEC"] {
                assert!(!client.say(line).is_error());
            }
            client.run(&["SADD", &format!("s{}", rng.below(6)), &round.to_string()]);
            assert!(client.say("SUNIONSTORE union s0 s1 s2 s3 s4 s5").integer() > 0);
            assert!(client.say("SCAN 0 COUNT 100").elements().len() == 2);
            assert!(client.say("DBSIZE").integer() > 0);
            client.say("KEYS k*");
            client.run(&["DEL", "k1", "k2", "k3", "k4"]);
            client.run(&["RPUSH", "queue", "x"]);
            assert_eq!(client.say("BLPOP queue 0").elements().len(), 2);
            client.say("INFO");
        }
    };
    std::thread::scope(|scope| {
        (0..6).for_each(|number| {
            _ = scope.spawn({
                let run = &run;
                move || run(number)
            })
        })
    });
    let mut client = program.client();
    let all = (6 * rounds).to_string();
    assert_eq!((client.say("GET {n}1").text(), client.say("GET {n}2").text()), (all.clone(), all));
    let members = client.say("SMEMBERS union").elements().len();
    assert_eq!(client.say("SUNION s0 s1 s2 s3 s4 s5").elements().len(), members);
    assert_eq!(client.say("LLEN queue"), integer(0));
}

#[test]
fn what_needs_one_slot_says_so() {
    let program = proxy("7.0", &[]);
    let mut client = program.client();
    for line in [
        "RENAME a b",
        "RENAMENX a b",
        "SMOVE a b m",
        "RPOPLPUSH a b",
        "LMOVE a b LEFT RIGHT",
        "BLPOP a b 0",
        "BLMOVE a b LEFT RIGHT 0",
        "BZPOPMIN a b 0",
        "MSETNX a 1 b 2",
        "BITOP AND a b c",
        "PFCOUNT a b",
        "PFMERGE a b",
        "COPY a b",
        "GEOSEARCHSTORE a b FROMLONLAT 0 0 BYRADIUS 1 m",
        "ZRANGESTORE a b 0 -1",
        "XREAD STREAMS a b 0 0",
        "SORT a STORE b",
        "SORT a BY w_*",
        "SINTERCARD 2 a b",
        "ZUNION 2 a b",
        "LCS a b",
        "WATCH a b",
    ] {
        assert_eq!(client.say(line).text(), CROSS_SLOT, "{line}");
    }
    client.say("SET {a}1 v");
    assert_eq!(client.say("RENAME {a}1 {a}2").text(), "OK");
    assert_eq!(client.say("COPY {a}2 {a}3"), integer(1));
    for line in
        ["MOVE a 1", "SWAPDB 0 1", "SAVE", "BGSAVE", "LASTSAVE", "BGREWRITEAOF", "WAIT 0 0", "DEBUG OBJECT a"]
            .iter()
            .chain(&[
                "REPLICAOF NO ONE",
                "SYNC",
                "MIGRATE h 1 a 0 1",
                "SHUTDOWN NOSAVE",
                "LATENCY RESET",
                "LOLWUT",
            ])
    {
        let reply = client.say(line).text();
        assert!(reply.starts_with("ERR unknown command"), "{line}: {reply}");
    }
    let old = proxy("3.0", &[]);
    for line in ["BLPOP a 0", "BRPOPLPUSH {a}1 {a}2 0", "WATCH a", "UNWATCH", "MONITOR", "CLIENT LIST"] {
        let reply = old.client().say(line).text();
        assert!(reply.starts_with("ERR unknown command"), "{line}: {reply}");
    }
    let listed = client.say("COMMAND LIST");
    let listed: Vec<String> = listed.elements().iter().map(Reply::text).collect();
    assert!(listed.contains(&"get".to_owned()) && !listed.contains(&"move".to_owned()));
    assert!(client.say("CLUSTER INFO").text().contains("cluster support disabled"));
    for line in ["GET", "MGET", "NOSUCH a", "OBJECT NOSUCH a", "SCAN x", "SET a 1 b", "XREAD STREAMS a"] {
        assert!(client.say(line).is_error(), "{line}");
    }
}

#[test]
fn a_transaction_belongs_to_one_slot() {
    let program = proxy("7.0", &[]);
    let (mut client, mut other) = (program.client(), program.client());
    for line in ["MULTI", "SET {a}1 1", "INCR {a}1", "PING", "PUBLISH c m", "MGET {a}1 {a}2"] {
        client.say(line);
    }
    let replies = client.say("EXEC");
    assert_eq!(replies.elements()[1], integer(2));
    assert_eq!(replies.elements()[4].elements(), [Reply::Bulk(b"2".to_vec()), Reply::Nil]);
    // Keys of another slot spoil it, and so do commands about all keys.
    for bad in ["SET b 1", "MGET {a}1 b", "DEL a b", "SUNION a b", "RENAME {a}1 b"] {
        assert_eq!(client.say("MULTI").text(), "OK");
        assert_eq!(client.say("SET {a}1 7").text(), "QUEUED");
        assert_eq!(client.say(bad).text(), CROSS_SLOT, "{bad}");
        assert!(client.say("EXEC").text().starts_with("EXECABORT"), "{bad}");
        assert_eq!(other.say("GET {a}1").text(), "2");
    }
    for bad in ["KEYS *", "DBSIZE", "FLUSHALL", "SCAN 0", "RANDOMKEY", "INFO", "SUBSCRIBE c", "CONFIG GET *"]
    {
        client.say("MULTI");
        assert_eq!(client.say(bad).text(), "ERR Command not allowed inside a transaction", "{bad}");
        assert!(client.say("EXEC").text().starts_with("EXECABORT"), "{bad}");
    }
    // The slot is forgotten with the transaction.
    for line in ["MULTI", "SET b 1"] {
        client.say(line);
    }
    assert_eq!(client.say("EXEC").elements().len(), 1);
    for line in ["MULTI", "SET a 1", "DISCARD", "MULTI", "SET b 2"] {
        assert!(!client.say(line).is_error(), "{line}");
    }
    assert_eq!(client.say("EXEC").elements().len(), 1);
    // Watched keys belong to the slot, too; what is done meanwhile need not.
    for line in ["WATCH {a}1", "WATCH {a}2", "GET b", "SET c 1"] {
        assert!(!client.say(line).is_error(), "{line}");
    }
    assert_eq!(client.say("WATCH b").text(), CROSS_SLOT);
    other.say("SET {a}2 1");
    for line in ["MULTI", "SET {a}1 9"] {
        client.say(line);
    }
    assert_eq!(client.say("EXEC"), Reply::NilArray);
    assert_eq!(other.say("GET {a}1").text(), "2");
    for line in ["WATCH {a}1", "UNWATCH", "WATCH b", "MULTI", "SET b 3"] {
        assert!(!client.say(line).is_error(), "{line}");
    }
    assert_eq!(client.say("EXEC").elements().len(), 1);
    for line in ["WATCH {a}1", "MULTI"] {
        assert_eq!(client.say(line).text(), "OK");
    }
    assert_eq!(client.say("SET b 1").text(), CROSS_SLOT);
    assert_eq!(client.say("RESET").text(), "RESET");
    assert_eq!(client.say("SET b 1").text(), "OK");
    // One that goes in the middle leaves nothing.
    client.say("WATCH {a}1");
    drop(client);
    until(|| other.say("CLIENT LIST").text().lines().count() == 1);
    assert_eq!(other.say("SET {a}1 1").text(), "OK");
    for line in ["MULTI", "PING"] {
        other.say(line);
    }
    assert_eq!(other.say("EXEC").elements().len(), 1);
}

#[test]
fn everybody_hears_every_message() {
    let program = proxy("7.0", &[("notify-keyspace-events", "KEA")]);
    let (mut one, mut two, mut sender) = (program.client(), program.client(), program.client());
    one.say("SUBSCRIBE a b c d");
    for _ in 0..3 {
        one.read();
    }
    two.say("PSUBSCRIBE *");
    for channel in ["a", "b", "c", "d"] {
        assert_eq!(sender.run(&["PUBLISH", channel, "m"]), integer(2));
        assert_eq!(one.read().elements()[1].text(), channel);
        assert_eq!(two.read().elements()[2].text(), channel);
    }
    assert_eq!(sender.say("PUBSUB NUMPAT"), integer(1));
    assert_eq!(sender.say("PUBSUB CHANNELS").elements().len(), 4);
    assert!(one.say("GET k").text().contains("Can't execute 'get'"));
    // Events of all shards are heard.
    for key in ["k1", "k2", "k3", "k4", "k5"] {
        sender.run(&["SET", key, "v"]);
        assert_eq!(two.read().elements()[2].text(), format!("__keyspace@0__:{key}"));
        assert_eq!(two.read().elements()[3].text(), key);
    }
    // And by the client itself, before the reply.
    sender.say("HELLO 3");
    sender.say("SUBSCRIBE __keyevent@0__:del");
    assert_eq!(sender.say("DEL k1 k2 k3 k4 k5").elements()[0].text(), "message");
    for _ in 0..4 {
        assert_eq!(sender.read().elements()[0].text(), "message");
    }
    assert_eq!(sender.read(), integer(5));
}

#[test]
fn clients_wait_for_keys_behind_a_proxy() {
    let program = proxy("7.0", &[]);
    let (mut waiting, mut other) = (program.client(), program.client());
    let id = waiting.say("CLIENT ID").integer().to_string();
    let blocked = |other: &mut Client| other.say("INFO clients").text().contains("blocked_clients:1");
    for key in ["a", "b", "c", "d", "e"] {
        waiting.send(&["BLPOP", key, "0"]);
        // What comes meanwhile is done afterwards.
        waiting.send(&["ECHO", key]);
        until(|| blocked(&mut other));
        other.run(&["RPUSH", key, "v"]);
        assert_eq!(waiting.read().elements()[0].text(), key);
        assert_eq!(waiting.read().text(), key);
    }
    assert_eq!(waiting.say("BLPOP {a}1 {a}2 0.01"), Reply::NilArray);
    waiting.send(&["XREAD", "BLOCK", "0", "STREAMS", "s", "$"]);
    until(|| blocked(&mut other));
    assert_eq!(other.run(&["CLIENT", "UNBLOCK", &id]), integer(1));
    assert_eq!(waiting.read(), Reply::NilArray);
    assert_eq!(other.run(&["CLIENT", "UNBLOCK", &id]), integer(0));
    waiting.send(&["BLMOVE", "{x}1", "{x}2", "LEFT", "RIGHT", "0"]);
    until(|| blocked(&mut other));
    other.say("LPUSH {x}1 v");
    assert_eq!(waiting.read().text(), "v");
    // One that is ended while it waits.
    waiting.send(&["BLPOP", "a", "0"]);
    until(|| blocked(&mut other));
    assert_eq!(other.run(&["CLIENT", "KILL", "ID", &id]), integer(1));
    assert_eq!(waiting.read(), Reply::Closed);
    other.say("RPUSH a kept");
    assert_eq!(other.say("LPOP a").text(), "kept");
    // Pauses hold for all shards.
    let mut paused = program.client();
    assert_eq!(other.say("CLIENT PAUSE 60000 WRITE").text(), "OK");
    paused.send(&["SET", "a", "1"]);
    paused.send(&["SET", "b", "1"]);
    until(|| blocked(&mut other) || other.say("INFO clients").text().contains("blocked_clients:"));
    assert_eq!(other.say("GET a"), Reply::Nil);
    assert_eq!(other.say("CLIENT UNPAUSE").text(), "OK");
    assert_eq!((paused.read().text(), paused.read().text()), ("OK".into(), "OK".into()));
}

/// All keys that a scan finds.
fn scan(client: &mut Client, options: &[&str], mut between: impl FnMut(&mut Client)) -> Vec<String> {
    let mut cursor = "0".to_owned();
    let mut found = Vec::new();
    loop {
        let words: Vec<&str> = ["SCAN", &cursor].into_iter().chain(options.iter().copied()).collect();
        let reply = client.run(&words);
        found.extend(reply.elements()[1].elements().iter().map(Reply::text));
        cursor = reply.elements()[0].text();
        if cursor == "0" {
            return found;
        }
        between(client);
    }
}

#[test]
fn scans_see_the_keys_of_all_shards() {
    for release in ["3.0", "7.0", "7.4"] {
        let program = proxy(release, &[]);
        let mut client = program.client();
        assert!(scan(&mut client, &[], |_| {}).is_empty());
        for n in 0..1000 {
            client.run(&["SET", &format!("key:{n}"), "v"]);
        }
        let all: BTreeSet<String> = (0..1000).map(|n| format!("key:{n}")).collect();
        for count in ["1", "10", "5000"] {
            let found = scan(&mut client, &["COUNT", count], |_| {});
            assert_eq!(found.len(), 1000, "each once");
            assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), all);
        }
        let mut grown = 0;
        let found = scan(&mut client, &["COUNT", "20", "MATCH", "key:*"], |client| {
            for _ in 0..50 {
                grown += 1;
                client.run(&["SET", &format!("more:{grown}"), "v"]);
            }
        });
        assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), all);
        assert!(client.say("SCAN abc").is_error());
        // A cursor that nobody has given out ends somewhere.
        client.say("SCAN 255");
        client.say("SCAN 18446744073709551615");
        let drawn: BTreeSet<String> = (0..200).map(|_| client.say("RANDOMKEY").text()).collect();
        assert!(drawn.len() > 100, "{}", drawn.len());
        // Where one shard alone has keys, it is that one's.
        client.say("FLUSHALL");
        client.say("SET only v");
        assert!((0..20).all(|_| client.say("RANDOMKEY").text() == "only"));
    }
}

#[test]
fn pipelines_keep_their_order() {
    let program = proxy("7.0", &[]);
    let mut client = program.client();
    let mut rng = Rng::new(3);
    let mut bytes = Vec::new();
    let mut expected = Vec::new();
    let mut values = vec![None; 50];
    for n in 0..5000 {
        let key = rng.below(50);
        let name = format!("k{key}");
        let request = match rng.below(5) {
            0 | 1 => {
                values[key] = Some(n.to_string());
                expected.push(Reply::Status(b"OK".to_vec()));
                encode(&["SET", &name, &n.to_string()])
            }
            2 => {
                let other = rng.below(50);
                let get = |key: usize| {
                    values[key].clone().map_or(Reply::Nil, |value: String| Reply::Bulk(value.into_bytes()))
                };
                expected.push(Reply::Array(vec![get(key), get(other)]));
                encode(&["MGET", &name, &format!("k{other}")])
            }
            3 => {
                expected.push(Reply::Bulk(name.clone().into_bytes()));
                encode(&["ECHO", &name])
            }
            _ => {
                let other = rng.below(50);
                let gone =
                    usize::from(values[key].take().is_some()) + usize::from(values[other].take().is_some());
                expected.push(integer(gone as i64));
                encode(&["DEL", &name, &format!("k{other}")])
            }
        };
        bytes.extend(request);
    }
    client.send_bytes(&bytes);
    for expected in expected {
        assert_eq!(client.read(), expected);
    }
}

#[test]
fn a_proxy_tells_of_all_its_shards() {
    let program = proxy("7.0", &[("maxmemory", "400mb"), ("requirepass", "secret")]);
    let mut client = program.client();
    for line in ["GET a", "MGET a b", "DBSIZE", "SUNION a b", "MULTI"] {
        assert_eq!(client.say(line).text(), "NOAUTH Authentication required.", "{line}");
    }
    assert_eq!(client.say("AUTH secret").text(), "OK");
    assert_eq!(client.say("CONFIG GET maxmemory").elements()[1].text(), "419430400");
    let empty: u64 = field(&mut client, "used_memory");
    for n in 0..1000 {
        client.run(&["SET", &format!("k{n}"), &"v".repeat(100), "EX", "1000"]);
    }
    assert!(client.say("INFO keyspace").text().contains("db0:keys=1000,expires=1000,avg_ttl=9"));
    assert!(field(&mut client, "used_memory") > empty + 100_000);
    assert!(field(&mut client, "total_commands_processed") > 1000);
    assert!(client.say("INFO commandstats").text().contains("cmdstat_set:calls=1000,"));
    client.say("SUNION k1 k2");
    assert!(client.say("INFO commandstats").text().contains("cmdstat_sunion:calls=1,"));
    client.say("CONFIG RESETSTAT");
    client.run(&["GET", "k1"]);
    client.run(&["GET", "none"]);
    assert_eq!((field(&mut client, "keyspace_hits"), field(&mut client, "keyspace_misses")), (1, 1));
    client.say("CONFIG RESETSTAT");
    assert_eq!(field(&mut client, "keyspace_hits"), 0);
    // What is configured holds for all shards.
    assert_eq!(client.say("CONFIG SET list-max-listpack-size 1 hash-max-listpack-entries 1").text(), "OK");
    for n in 0..20 {
        client.run(&["HSET", &format!("h{n}"), "a", "1", "b", "2"]);
        assert_eq!(client.run(&["OBJECT", "ENCODING", &format!("h{n}")]).text(), "hashtable");
    }
    assert!(client.say("CONFIG SET maxmemory-policy nonsense").is_error());
    client.say("CONFIG SET slowlog-log-slower-than 0");
    client.say("SLOWLOG RESET");
    for n in 0..10 {
        client.run(&["GET", &format!("slow{n}")]);
    }
    let slow = client.say("SLOWLOG GET 100");
    let slow =
        slow.elements().iter().filter(|entry| entry.elements()[3].elements()[0].text() == "GET").count();
    assert_eq!(slow, 10);
    // Who looks on sees what all shards are told.
    let mut monitor = program.client();
    monitor.say("AUTH secret");
    assert_eq!(monitor.say("MONITOR").text(), "OK");
    for n in 0..5 {
        client.run(&["GET", &format!("seen{n}")]);
    }
    let mut seen = 0;
    while seen < 5 {
        seen += usize::from(monitor.read().text().contains("\"GET\" \"seen"));
    }
    monitor.send(&["RESET"]);
    while monitor.read().text() != "RESET" {}
    client.say("GET unseen");
    assert_eq!(monitor.say("AUTH secret").text(), "OK");
    // Replies that are not wanted are not sent, nor parts of them.
    for line in ["CLIENT REPLY OFF", "MSET a 1 b 2 c 3", "MGET a b c", "KEYS *"] {
        client.send(&line.split(' ').collect::<Vec<_>>());
    }
    assert_eq!(client.say("CLIENT REPLY ON").text(), "OK");
    for line in ["CLIENT REPLY SKIP", "MGET a b c"] {
        client.send(&line.split(' ').collect::<Vec<_>>());
    }
    assert_eq!(client.say("MGET a b c").elements().len(), 3);
}

/// A number that `INFO` tells.
fn field(client: &mut Client, name: &str) -> u64 {
    let text = client.say("INFO").text();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {name}")).parse().expect("a number")
}

#[test]
fn shards_divide_the_memory() {
    let program = proxy("7.0", &[("maxmemory", "20mb"), ("maxmemory-policy", "noeviction")]);
    let mut client = program.client();
    let value = "v".repeat(10_000);
    let refused =
        (0..4000).map(|n| client.run(&["SET", &format!("k{n}"), &value])).filter(Reply::is_error).count();
    assert!(refused > 1000, "{refused}");
    let used = field(&mut client, "used_memory");
    assert!((16 << 20..22 << 20).contains(&used), "{used}");
    assert!(client.say("MSET a 1 b 2 c 3 d 4 e 5 f 6 g 7").text().starts_with("OOM"));
    client.say("CONFIG SET maxmemory-policy allkeys-lru");
    let refused =
        (0..2000).map(|n| client.run(&["SET", &format!("m{n}"), &value])).filter(Reply::is_error).count();
    assert_eq!(refused, 0);
    assert!(field(&mut client, "evicted_keys") > 500);
}

#[test]
fn what_was_there_comes_back() {
    let directory = tempfile::tempdir().expect("a directory");
    let start = || Program::redis_in_with(directory.path(), &["--proxy", "4"], &[("save", "3600 1")]);
    let program = start();
    let mut client = program.client();
    for n in 0..300 {
        client.run(&["SET", &format!("k{n}"), &n.to_string()]);
    }
    assert!(program.stop());
    for shard in 0..4 {
        assert!(directory.path().join(shard.to_string()).join("dump.rdb").exists());
    }
    let program = start();
    let mut client = program.client();
    until(|| client.say("DBSIZE") == integer(300));
    assert!((0..300).all(|n| client.run(&["GET", &format!("k{n}")]).text() == n.to_string()));
}

#[test]
fn what_is_answered_is_on_the_disk() {
    let directory = tempfile::tempdir().expect("a directory");
    let config = [("appendonly", "yes"), ("appendfsync", "always"), ("save", "")];
    let start = || Program::redis_in_with(directory.path(), &["--proxy", "3"], &config);
    for round in 0..3 {
        let program = start();
        let mut client = program.client();
        until(|| client.say("DBSIZE") == integer(200 * round));
        for n in 0..100 {
            let (one, two) = (format!("r{round}:{n}"), format!("s{round}:{n}"));
            assert_eq!(client.run(&["MSET", &one, "v", &two, "v"]).text(), "OK");
        }
        // Killed: it has no last words.
        drop(program);
    }
}

#[test]
fn tools_work_with_a_proxy() {
    let program = proxy("7.0", &[]);
    let Some(mut benchmark) = redis_tool("redis-benchmark", program.address()) else { return };
    let output = benchmark
        .args(["-q", "-n", "2000", "-c", "10", "-P", "8", "-r", "1000", "--csv"])
        .args(["-t", "set,get,incr,lpush,rpop,sadd,hset,spop,zadd,mset"])
        .stderr(Stdio::null())
        .output()
        .expect("it runs");
    assert!(output.status.success());
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.lines().filter(|line| line.starts_with('"')).count() >= 10, "{text}");
    let mut client = program.client();
    let keys = client.say("DBSIZE").integer();
    let Some(mut cli) = redis_tool("redis-cli", program.address()) else { return };
    let output = cli.args(["--scan"]).output().expect("it runs");
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count() as i64, keys);
    for option in ["--bigkeys", "--memkeys"] {
        let Some(mut cli) = redis_tool("redis-cli", program.address()) else { return };
        let output = cli.arg(option).output().expect("it runs");
        assert!(output.status.success(), "{option}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("summary"), "{option}");
    }
}
