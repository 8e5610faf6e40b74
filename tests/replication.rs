//! Replication, with a real redis-server of release 7.0 on the other side: it as our replica, we as its replica.
//!
//! Tests wait for states that both sides tell of, and end in equal digests.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use testkit::{Client, Oracle, Program, Proxy, Reply, Rng};

/// What a master is told so that tests need not wait.
const QUICK: &[(&str, &str)] = &[
    ("repl-diskless-sync-delay", "0"),
    ("repl-ping-replica-period", "1"),
    ("repl-timeout", "5"),
    ("repl-backlog-size", "67108864"),
    ("enable-debug-command", "yes"),
];

fn master() -> Program {
    Program::redis("7.0", QUICK)
}

fn real() -> Option<Oracle> {
    let args: Vec<String> =
        QUICK.iter().flat_map(|(name, value)| [format!("--{name}"), (*value).into()]).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    Oracle::start_with(&args)
}

/// Waits for a state.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..3000 {
        if is_so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("it did not come to this: {what}");
}

/// A field of `INFO`.
fn info(client: &mut Client, field: &str) -> String {
    let text = client.say("INFO").text();
    let value = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    value.unwrap_or_default().trim_end().to_owned()
}

fn digest(client: &mut Client) -> String {
    client.say("DEBUG DIGEST").text()
}

fn follow(replica: &mut Client, master: SocketAddr) {
    let reply = replica.run(&["REPLICAOF", "127.0.0.1", &master.port().to_string()]);
    assert_eq!(reply, Reply::Status(b"OK".to_vec()));
}

/// Waits until a replica has all of its master's stream, and compares what they have.
fn in_step(master: &mut Client, replica: &mut Client) {
    until("the link is up", || info(replica, "master_link_status") == "up");
    until("the replica has everything", || {
        info(replica, "slave_repl_offset") == info(master, "master_repl_offset")
    });
    assert_eq!(digest(master), digest(replica));
}

/// Clients that write all kinds of keys until they are told to stop.
struct Load {
    stops: Arc<AtomicBool>,
    threads: Vec<JoinHandle<u64>>,
}

impl Load {
    fn on(address: SocketAddr, clients: u64) -> Load {
        let stops = Arc::new(AtomicBool::new(false));
        let thread = |seed| {
            let stops = Arc::clone(&stops);
            std::thread::spawn(move || {
                let (mut client, mut rng, mut written) = (Client::connect(address), Rng::new(seed), 0);
                while !stops.load(Ordering::Relaxed) {
                    client.run(&change(&mut rng));
                    written += 1;
                }
                written
            })
        };
        let threads = (0..clients).map(thread).collect();
        Load { stops, threads }
    }

    /// Stops it, and gives how many commands there were.
    fn stop(self) -> u64 {
        self.stops.store(true, Ordering::Relaxed);
        self.threads.into_iter().map(|thread| thread.join().expect("a client does not panic")).sum()
    }
}

/// A command that changes something.
fn change(rng: &mut Rng) -> Vec<String> {
    let number = |rng: &mut Rng, below: usize| rng.below(below);
    let key = |kind: &str, rng: &mut Rng| format!("{kind}{}", number(rng, 200));
    let any = number(rng, 1000).to_string();
    let words: Vec<String> = match number(rng, 12) {
        0 => vec!["SET".into(), key("s", rng), any],
        1 => vec!["APPEND".into(), key("a", rng), any],
        2 => vec!["INCRBY".into(), key("n", rng), any],
        3 => vec!["RPUSH".into(), key("l", rng), any],
        4 => vec!["LPOP".into(), key("l", rng)],
        5 => vec!["SADD".into(), key("set", rng), any],
        6 => vec!["SREM".into(), key("set", rng), any],
        7 => vec!["HSET".into(), key("h", rng), number(rng, 50).to_string(), any],
        8 => vec!["ZADD".into(), key("z", rng), number(rng, 50).to_string(), any],
        9 => vec!["DEL".into(), key("s", rng)],
        10 => vec!["PEXPIRE".into(), key("n", rng), "100000".into()],
        _ => vec!["SETRANGE".into(), key("a", rng), "10".into(), any],
    };
    words
}

#[test]
fn a_real_server_follows_us_under_load() {
    let Some(real) = real() else { return };
    let program = master();
    let (mut ours, mut theirs) = (program.client(), real.client());
    ours.say("DEBUG POPULATE 20000");
    let load = Load::on(program.address(), 3);
    follow(&mut theirs, program.address());
    until("the link is up", || info(&mut theirs, "master_link_status") == "up");
    std::thread::sleep(Duration::from_millis(300));
    assert!(load.stop() > 100);
    in_step(&mut ours, &mut theirs);
    assert_eq!(info(&mut ours, "connected_slaves"), "1");
    until("it is online", || info(&mut ours, "slave0").contains("state=online"));
    let port = real.address().port();
    assert!(info(&mut ours, "slave0").starts_with(&format!("ip=127.0.0.1,port={port},state=online,offset=")));
    assert_eq!(info(&mut ours, "master_replid"), info(&mut theirs, "master_replid"));
    let Reply::Array(role) = ours.say("ROLE") else { panic!("ROLE is an array") };
    assert_eq!(role[0], Reply::Bulk(b"master".to_vec()));
    assert!(ours.say("CLIENT LIST TYPE replica").text().contains(" flags=S "));
}

#[test]
fn a_real_server_goes_on_where_its_link_was_cut() {
    let Some(real) = real() else { return };
    let program = master();
    let proxy = Proxy::to(program.address());
    let (mut ours, mut theirs) = (program.client(), real.client());
    follow(&mut theirs, proxy.address());
    until("the link is up", || info(&mut theirs, "master_link_status") == "up");
    let load = Load::on(program.address(), 2);
    for cuts in 1..=3 {
        proxy.cut();
        until("the link is down", || info(&mut theirs, "master_link_status") == "down");
        until("we have noticed", || info(&mut ours, "connected_slaves") == "0");
        proxy.restore();
        until("the link is up", || info(&mut theirs, "master_link_status") == "up");
        assert_eq!(info(&mut ours, "sync_partial_ok"), cuts.to_string());
    }
    load.stop();
    in_step(&mut ours, &mut theirs);
    assert_eq!(info(&mut ours, "sync_full"), "1");
}

#[test]
fn a_replica_that_stays_away_too_long_gets_everything_again() {
    let Some(real) = real() else { return };
    let program = master();
    let proxy = Proxy::to(program.address());
    let (mut ours, mut theirs) = (program.client(), real.client());
    ours.say("CONFIG SET repl-backlog-size 16384");
    follow(&mut theirs, proxy.address());
    in_step(&mut ours, &mut theirs);
    proxy.cut();
    until("the link is down", || info(&mut theirs, "master_link_status") == "down");
    for number in 0..2000 {
        ours.run(&["SET", &format!("key {number}"), "some value that takes room"]);
    }
    proxy.restore();
    in_step(&mut ours, &mut theirs);
    assert_eq!(info(&mut ours, "sync_full"), "2");
    // A server that becomes a replica asks for its own stream first.
    assert_eq!(info(&mut ours, "sync_partial_err"), "2");
    assert_eq!(info(&mut ours, "sync_partial_ok"), "0");
}
