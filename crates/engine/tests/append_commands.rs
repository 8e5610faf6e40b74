//! Commands that make keys anew: whoever runs them has the same keys, in all releases, and a real redis-server 7.0 writes
//! the same.

mod node;

use command::Release;
use engine::append_commands::{write, write_select};
use node::Caller;
use std::collections::BTreeMap;
use testkit::follower::{Request, requests};
use testkit::sequences::{Command, DATABASES, FAMILIES, Family, sequence};
use testkit::{Oracle, Reply, Rng};

/// The commands that make all keys of a node.
fn rewritten(caller: &Caller) -> Vec<u8> {
    let mut out = Vec::new();
    let node = &caller.node;
    let held = node.keyspace.lock_blocking(node.keyspace.all());
    for db in 0..held.dbs() {
        write_select(&mut out, db.into()).expect("a buffer takes all");
        for entry in held.iter().flat_map(|shard| shard.iter(db)) {
            write(&mut out, &entry, node.release).expect("a buffer takes all");
        }
    }
    out
}

/// What can be told of a node's keys: digests, and all of streams but when consumers were seen last.
fn told(caller: &mut Caller) -> Vec<String> {
    let mut all = Vec::new();
    let release = caller.node.release;
    let mut ask = |line: &str| -> String {
        let words: Vec<&str> = line.split(' ').collect();
        String::from_utf8_lossy(&caller.run(&words)).into_owned()
    };
    for db in 0..DATABASES {
        ask(&format!("SELECT {db}"));
        // What has expired and was not met is the same as nothing.
        ask("SCAN 0 COUNT 10000");
        for key in (0..3).map(|number| format!("x{number}")) {
            all.push(ask(&format!("XINFO GROUPS {key}")));
            all.push(ask(&format!("XPENDING {key} a - + 1000")));
            if release >= Release::V7_0 {
                let stream = ask(&format!("XINFO STREAM {key}"));
                // How its nodes are packed may differ.
                let parts = stream.split("$17\r\nlast-generated-id");
                all.push(parts.skip(1).collect());
            }
        }
    }
    ask("SELECT 0");
    all.push(ask("HPEXPIRETIME hh FIELDS 2 a b"));
    all.push(ask("DEBUG DIGEST"));
    all
}

#[test]
fn whoever_runs_them_has_the_same_keys() {
    let families: Vec<&Family> = FAMILIES.iter().collect();
    for release in Release::ALL {
        let mut rng = Rng::new(1);
        for _ in 0..50 {
            let commands: Vec<Command> = sequence(&mut rng, &families);
            let [mut first, mut second] =
                [(); 2].map(|()| Caller::new(release, &[]).expect("defaults are allowed"));
            for command in &commands {
                // Nothing is pending of what has been deleted, and 5.0 loses consumers.
                if !matches!(&command[0][..], b"XDEL" | b"XTRIM" | b"XAUTOCLAIM") {
                    first.run(command);
                }
            }
            for line in ["DISCARD", "SELECT 0", "HSET hh a 1 b 2", "HPEXPIRE hh 100000 FIELDS 1 a"] {
                first.say(line);
            }
            if release < Release::V6_2 {
                (0..3).for_each(|number| drop(first.say(&format!("DEL x{number}"))));
            }
            second.obey(true);
            for request in requests(&rewritten(&first)) {
                let reply = second.run(&request);
                let shown = || String::from_utf8_lossy(&request.join(&b' ')).into_owned();
                assert!(!reply.starts_with(b"-"), "{release}: {} {reply:?}", shown());
            }
            second.obey(false);
            assert_eq!(told(&mut first), told(&mut second), "{release}");
        }
    }
}

/// Requests by database and key, in the order in which they came; of collections without order, all items sorted.
fn by_key(requests: Vec<Request>) -> BTreeMap<(Vec<u8>, Vec<u8>), Vec<Request>> {
    let mut all: BTreeMap<_, Vec<Request>> = BTreeMap::new();
    let mut db = Vec::new();
    for mut request in requests {
        if request[0] == b"SELECT" {
            db = request.remove(1);
            continue;
        }
        let width = match &request[0][..] {
            b"SADD" => 1,
            b"HMSET" | b"ZADD" => 2,
            _ => 0,
        };
        let key = request[if request[0] == b"XGROUP" { 2 } else { 1 }].clone();
        let own = all.entry((db.clone(), key)).or_default();
        if width == 0 {
            own.push(request);
            continue;
        }
        // How many items a command has counts, too.
        own.push(vec![request[0].clone(), request.len().to_string().into_bytes()]);
        own.extend(request[2..].chunks(width).map(<[Vec<u8>]>::to_vec));
    }
    all.values_mut().filter(|own| own[0][0] != b"RPUSH" && own[0][0] != b"XADD").for_each(|own| own.sort());
    all
}

/// A word; a time without what may have passed between the two servers.
fn rounded(word: &[u8]) -> String {
    let text = String::from_utf8_lossy(word).into_owned();
    match text.parse::<i64>() {
        Ok(ms) if ms > 1_600_000_000_000 && ms < 10_000_000_000_000 => {
            format!("about {}", ms / 1_000_000_000)
        }
        _ => text,
    }
}

#[test]
fn a_real_server_writes_the_same() {
    let Some(oracle) = Oracle::start_with(&["--appendonly", "yes", "--aof-use-rdb-preamble", "no"]) else {
        return;
    };
    let mut theirs = oracle.client();
    theirs.say("DEBUG SET-ACTIVE-EXPIRE 0");
    let directory = match theirs.say("CONFIG GET dir") {
        Reply::Array(parts) => std::path::PathBuf::from(parts[1].text()),
        other => panic!("a directory is not {other:?}"),
    };
    let mut ours = Caller::new(Release::V7_0, &[]).expect("defaults are allowed");
    if let Reply::Array(parts) = theirs.say("TIME") {
        ours.set_ms(parts[0].text().parse::<i64>().expect("a time") * 1000);
    }
    let families: Vec<&Family> = FAMILIES.iter().collect();
    let mut rng = Rng::new(1);
    for _ in 0..10 {
        for command in (0..5).flat_map(|_| sequence(&mut rng, &families)) {
            theirs.run(&command);
            ours.run(&command);
        }
        for line in ["DISCARD", "SELECT 0", "SADD many 1"] {
            theirs.say(line);
            ours.say(line);
        }
        for key in ["RPUSH l9", "SADD t9", "SADD t8 x", "HMSET h9 a b", "ZADD z9 1 x"] {
            let pairs = key.starts_with('H') || key.starts_with('Z');
            let items = (0..150)
                .map(|number| if pairs { format!(" {number} m{number}") } else { format!(" {number}") });
            let line = format!("{key}{}", items.collect::<String>());
            theirs.say(&line);
            ours.say(&line);
        }
        assert!(!theirs.say("BGREWRITEAOF").is_error());
        while !theirs.say("INFO persistence").text().contains("aof_rewrite_in_progress:0\r\n")
            || theirs.say("INFO persistence").text().contains("aof_rewrite_scheduled:1\r\n")
        {
            std::thread::yield_now();
        }
        let files = std::fs::read_dir(directory.join("appendonlydir")).expect("there are files");
        let base = files
            .map(|file| file.expect("a file").path())
            .find(|path| path.to_string_lossy().contains(".base."));
        let written = std::fs::read(base.expect("there is a base")).expect("it can be read");
        let shown = |bytes: &[u8]| -> Vec<String> {
            let all = by_key(requests(bytes));
            let line = |((db, key), request): ((&[u8], &[u8]), &Request)| {
                let words: Vec<String> = request.iter().map(|word| rounded(word)).collect();
                format!("{} {} {}", rounded(db), rounded(key), words.join(" "))
            };
            let flat = all
                .iter()
                .flat_map(|((db, key), own)| own.iter().map(move |request| ((&db[..], &key[..]), request)));
            flat.map(line).collect()
        };
        let (ours, theirs) = (shown(&rewritten(&ours)), shown(&written));
        for (ours, theirs) in ours.iter().zip(&theirs) {
            assert_eq!(ours, theirs);
        }
        assert_eq!(ours.len(), theirs.len());
    }
}
