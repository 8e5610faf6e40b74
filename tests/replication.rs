//! Replication, with a real redis-server on the other side: it as our replica, we as its replica. Mostly it is of release
//! 7.0; servers of the other releases show that each speaks with its like.
//!
//! Tests wait for states that both sides tell of, and end in equal digests.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use testkit::{Client, Oracle, Program, Proxy, REAL_RELEASES, Reply, Rng, signal, until};

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
    real_of("7.0")
}

fn real_of(release: &str) -> Option<Oracle> {
    let args: Vec<String> =
        quick(release).iter().flat_map(|(name, value)| [format!("--{name}"), (*value).into()]).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    Oracle::of(release, &args)
}

/// A field of `INFO`; an empty text if the connection has ended.
fn info(client: &mut Client, field: &str) -> String {
    let reply = client.say("INFO");
    let text = if reply == Reply::Closed { String::new() } else { reply.text() };
    let value = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    value.unwrap_or_default().trim_end().to_owned()
}

fn follow(replica: &mut Client, master: SocketAddr) {
    let reply = replica.run(&["REPLICAOF", "127.0.0.1", &master.port().to_string()]);
    assert_eq!(reply, Reply::Status(b"OK".to_vec()));
}

/// Waits until a replica has all of its master's stream, and compares what they have.
fn in_step(master: &mut Client, replica: &mut Client) {
    until("the link is up", || info(replica, "master_link_status") == "up");
    // What expires in between changes the master before the replica.
    let mut digests = Vec::new();
    for _ in 0..20 {
        until("the replica has everything", || {
            info(replica, "slave_repl_offset") == info(master, "master_repl_offset")
        });
        digests = vec![master.digest(), replica.digest()];
        if digests[0] == digests[1] {
            return;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(digests[0], digests[1]);
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
                    let in_transaction = rng.one_in(10);
                    if in_transaction {
                        client.say("MULTI");
                        client.run(&change(&mut rng));
                    }
                    client.run(&change(&mut rng));
                    if in_transaction {
                        client.say("EXEC");
                    }
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

/// A command that changes something: keys of all types, one or several, for ever or not for long.
fn change(rng: &mut Rng) -> Vec<String> {
    let forms = [
        "SET s# @",
        "SET s# @ PX @",
        "APPEND a# @",
        "SETRANGE a# 10 @",
        "GETDEL s#",
        "GETEX s# PX @",
        "MSET s# @ s# @ s# @",
        "INCRBY n# @",
        "INCRBYFLOAT f# 0.@",
        "SETBIT b# @ 1",
        "BITOP OR b# b# b#",
        "PFADD p# @ @",
        "PFMERGE p# p# p#",
        "RPUSH l# @ @ @",
        "LPOP l#",
        "RPOPLPUSH l# l#",
        "LMPOP 2 l# l# LEFT COUNT 2",
        "LREM l# 1 @",
        "SORT l# STORE l#",
        "SADD set# @ @",
        "SREM set# @",
        "SPOP set#",
        "SPOP set# 3",
        "SMOVE set# set# @",
        "SINTERSTORE set# set# set#",
        "HSET h# ^ @",
        "HINCRBYFLOAT h# float 0.5",
        "HDEL h# ^",
        "ZADD z# ^ @",
        "ZPOPMIN z#",
        "ZUNIONSTORE z# 2 z# z#",
        "ZRANGESTORE z# z# 0 5",
        "GEOADD g# 1.^ 2.^ @",
        "XADD x# MAXLEN 50 * f @",
        "XADD x# MAXLEN ~ 50 * f @",
        "XTRIM x# MAXLEN 10",
        "XGROUP CREATE x# g $ MKSTREAM",
        "XREADGROUP GROUP g c COUNT 2 STREAMS x# >",
        "XREADGROUP GROUP g d NOACK COUNT 2 STREAMS x# >",
        "XAUTOCLAIM x# g d 0 0 COUNT 2",
        "DEL s# l# set#",
        "UNLINK z#",
        "RENAME s# s#",
        "COPY l# l# REPLACE",
        "PEXPIRE n# @",
        "EXPIRE h# 1000",
        "PERSIST n#",
    ];
    let mut words = Vec::new();
    for word in rng.pick(&forms).split(' ') {
        words.push(match word {
            "@" => rng.below(1000).to_string(),
            word => word
                .replace('#', &rng.below(100).to_string())
                .replace('^', &rng.below(50).to_string())
                .replace('@', &rng.below(1000).to_string()),
        });
    }
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

#[test]
fn we_follow_a_real_server_under_load_and_go_on_after_cuts() {
    let Some(real) = real() else { return };
    let proxy = Proxy::to(real.address());
    let program = master();
    let (mut ours, mut theirs) = (program.client(), real.client());
    ours.say("SET old value");
    theirs.say("DEBUG POPULATE 20000");
    let load = Load::on(real.address(), 3);
    follow(&mut ours, proxy.address());
    until("the link is up", || info(&mut ours, "master_link_status") == "up");
    for cuts in 1..=3 {
        proxy.cut();
        until("the link is down", || info(&mut ours, "master_link_status") == "down");
        proxy.restore();
        until("the link is up", || info(&mut ours, "master_link_status") == "up");
        assert_eq!(info(&mut theirs, "sync_partial_ok"), cuts.to_string());
    }
    assert!(load.stop() > 100);
    in_step(&mut theirs, &mut ours);
    assert_eq!(info(&mut theirs, "sync_full"), "1");
    assert_eq!(ours.say("GET old"), Reply::Nil);
    assert_eq!(ours.say("SET a b"), error("READONLY You can't write against a read only replica."));
    assert!(ours.say("CLIENT LIST TYPE master").text().contains(" flags=M "));
    let role = ours.say("ROLE");
    let port = Reply::Integer(proxy.address().port().into());
    assert_eq!(role.elements()[..4], [bulk("slave"), bulk("127.0.0.1"), port, bulk("connected")]);
    assert!(role.elements()[4].integer() > 0);
    assert_eq!(theirs.say("WAIT 1 1000"), Reply::Integer(1));
}

fn bulk(text: &str) -> Reply {
    Reply::Bulk(text.as_bytes().to_vec())
}

fn error(text: &str) -> Reply {
    Reply::Error(text.as_bytes().to_vec())
}

/// A server of a chain.
enum Server {
    Ours(Program),
    Real(Oracle),
}

impl Server {
    fn client(&self) -> Client {
        Client::connect(self.address())
    }

    fn address(&self) -> SocketAddr {
        match self {
            Server::Ours(program) => program.address(),
            Server::Real(oracle) => oracle.address(),
        }
    }
}

/// Chains of three servers, of which we are some.
fn chains() -> Vec<[Server; 3]> {
    let all = [[false, true, false], [true, false, true], [true, true, true]];
    let server =
        |is_ours: bool| if is_ours { Some(Server::Ours(master())) } else { real().map(Server::Real) };
    let chain = |[a, b, c]: [bool; 3]| Some([server(a)?, server(b)?, server(c)?]);
    all.into_iter().filter_map(chain).collect()
}

#[test]
fn replicas_of_replicas_have_the_same_stream() {
    for chain in chains() {
        let [mut first, mut second, mut third] = chain.each_ref().map(Server::client);
        first.say("DEBUG POPULATE 1000");
        let load = Load::on(chain[0].address(), 2);
        follow(&mut second, chain[0].address());
        until("the link is up", || info(&mut second, "master_link_status") == "up");
        follow(&mut third, chain[1].address());
        until("the link is up", || info(&mut third, "master_link_status") == "up");
        load.stop();
        in_step(&mut first, &mut second);
        in_step(&mut first, &mut third);
        for client in [&mut second, &mut third] {
            assert_eq!(info(client, "master_replid"), info(&mut first, "master_replid"));
        }
    }
}

#[test]
fn a_promoted_replica_goes_on_with_the_stream() {
    for chain in chains() {
        let [mut old, mut new, mut other] = chain.each_ref().map(Server::client);
        let stream = |client: &mut Client| info(client, "master_replid");
        // The old master must not go on by itself: what it alone has nobody can go on with.
        old.say("CONFIG SET repl-ping-replica-period 3600");
        old.say("DEBUG SET-ACTIVE-EXPIRE 0");
        follow(&mut new, chain[0].address());
        follow(&mut other, chain[0].address());
        let load = Load::on(chain[0].address(), 2);
        until("both follow", || info(&mut old, "connected_slaves") == "2");
        until("the link is up", || info(&mut new, "master_link_status") == "up");
        until("the link is up", || info(&mut other, "master_link_status") == "up");
        load.stop();
        in_step(&mut old, &mut new);
        in_step(&mut old, &mut other);
        let before = stream(&mut old);
        assert_eq!(new.say("REPLICAOF NO ONE"), Reply::Status(b"OK".to_vec()));
        assert_eq!(info(&mut new, "master_replid2"), before);
        assert_ne!(stream(&mut new), before);
        let load = Load::on(chain[1].address(), 2);
        let full = info(&mut new, "sync_full");
        for (count, replica) in [&mut other, &mut old].into_iter().enumerate() {
            follow(replica, chain[1].address());
            until("the link is up", || info(replica, "master_link_status") == "up");
            assert_eq!(info(&mut new, "sync_partial_ok"), (count + 1).to_string());
        }
        load.stop();
        for replica in [&mut other, &mut old] {
            in_step(&mut new, replica);
            assert_eq!(stream(replica), stream(&mut new));
        }
        assert_eq!(info(&mut new, "sync_full"), full);
    }
}

#[test]
fn what_expires_goes_when_the_master_says_so() {
    let Some(real) = real() else { return };
    let program = master();
    let (mut ours, mut theirs) = (program.client(), real.client());
    theirs.say("DEBUG SET-ACTIVE-EXPIRE 0");
    follow(&mut ours, real.address());
    in_step(&mut theirs, &mut ours);
    theirs.say("SET k 5 PX 100");
    theirs.say("SET other v PX 100");
    assert_eq!(theirs.say("WAIT 1 5000"), Reply::Integer(1));
    until("it has expired", || ours.say("GET k") == Reply::Nil);
    assert_eq!(ours.say("DBSIZE"), Reply::Integer(2), "the replica only hides it");
    assert_eq!(ours.say("EXISTS k"), Reply::Integer(0));
    until("the master finds it expired", || theirs.say("GET k") == Reply::Nil);
    in_step(&mut theirs, &mut ours);
    assert_eq!(ours.say("DBSIZE"), Reply::Integer(1));
    ours.say("REPLICAOF NO ONE");
    until("a master lets it go", || ours.say("DBSIZE") == Reply::Integer(0));
}

#[test]
fn fields_that_expire_are_hidden_until_the_master_deletes_them() {
    let [first, second] = [(); 2].map(|()| Program::redis("7.4", QUICK));
    let (mut master, mut replica) = (first.client(), second.client());
    master.say("DEBUG SET-ACTIVE-EXPIRE 0");
    follow(&mut replica, first.address());
    in_step(&mut master, &mut replica);
    master.say("HSET h lasting 1 passing 2");
    master.say("HSET all passing 3");
    assert_eq!(master.say("HPEXPIRE all 20 FIELDS 1 passing"), Reply::Array(vec![Reply::Integer(1)]));
    assert_eq!(master.say("HPEXPIRE h 20 FIELDS 1 passing"), Reply::Array(vec![Reply::Integer(1)]));
    in_step(&mut master, &mut replica);
    until("it is hidden", || replica.say("HGET h passing") == Reply::Nil);
    let lasting = || vec![bulk("lasting"), bulk("1")];
    for (request, want) in [
        ("HMGET h lasting passing", Reply::Array(vec![bulk("1"), Reply::Nil])),
        ("HGETALL h", Reply::Array(lasting())),
        ("HKEYS h", Reply::Array(vec![bulk("lasting")])),
        ("HVALS h", Reply::Array(vec![bulk("1")])),
        ("HEXISTS h passing", Reply::Integer(0)),
        ("HSTRLEN h passing", Reply::Integer(0)),
        ("HSCAN h 0", Reply::Array(vec![bulk("0"), Reply::Array(lasting())])),
        ("HRANDFIELD h", bulk("lasting")),
        ("HRANDFIELD h 5 WITHVALUES", Reply::Array(lasting())),
        ("HRANDFIELD h -2", Reply::Array(vec![bulk("lasting"), bulk("lasting")])),
        ("HPTTL h FIELDS 2 lasting passing", Reply::Array(vec![Reply::Integer(-1), Reply::Integer(-2)])),
        ("HGETALL all", Reply::Array(vec![])),
        ("HRANDFIELD all", Reply::Nil),
        ("HRANDFIELD all -3", Reply::Array(vec![])),
        ("HLEN h", Reply::Integer(2)),
        ("EXISTS all", Reply::Integer(1)),
    ] {
        assert_eq!(replica.say(request), want, "{request}");
    }
    until("the master finds it expired", || master.say("HGET h passing") == Reply::Nil);
    in_step(&mut master, &mut replica);
    assert_eq!(replica.say("HLEN h"), Reply::Integer(1));
}

#[test]
fn a_replica_that_has_lost_its_master_says_so_if_it_is_to() {
    let Some(real) = real() else { return };
    let proxy = Proxy::to(real.address());
    let program = master();
    let (mut ours, mut theirs) = (program.client(), real.client());
    theirs.say("CONFIG SET requirepass secret");
    theirs.say("AUTH secret");
    theirs.say("SET k v");
    ours.say("CONFIG SET masterauth secret");
    follow(&mut ours, proxy.address());
    in_step(&mut theirs, &mut ours);
    ours.say("CONFIG SET replica-serve-stale-data no");
    assert_eq!(ours.say("GET k"), bulk("v"));
    proxy.cut();
    until("the link is down", || info(&mut ours, "master_link_status") == "down");
    let down = "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.";
    assert_eq!(ours.say("GET k"), error(down));
    assert_eq!(ours.say("PING").text(), down);
    ours.say("CONFIG SET replica-serve-stale-data yes");
    assert_eq!(ours.say("GET k"), bulk("v"));
}

#[test]
fn clients_wait_for_replicas() {
    let Some(real) = real() else { return };
    let (program, second) = (master(), master());
    let (mut ours, mut theirs) = (program.client(), real.client());
    assert_eq!(ours.say("WAIT 1 20"), Reply::Integer(0));
    follow(&mut theirs, program.address());
    follow(&mut second.client(), program.address());
    until("both are online", || {
        info(&mut ours, "slave0").contains("online") && info(&mut ours, "slave1").contains("online")
    });
    ours.say("SET k v");
    assert_eq!(ours.say("WAIT 2 10000"), Reply::Integer(2));
    assert_eq!(theirs.say("GET k"), bulk("v"));
    assert_eq!(ours.say("WAIT 3 20"), Reply::Integer(2));
    assert_eq!(ours.say("WAIT 0 0"), Reply::Integer(2));
    ours.say("MULTI");
    ours.say("SET k w");
    ours.say("WAIT 3 0");
    assert!(matches!(ours.say("EXEC"), Reply::Array(_)), "nothing waits in a transaction");
    let error_of = |server: &mut Client| server.say("WAIT 1 0").text();
    assert_eq!(error_of(&mut theirs), error_of(&mut second.client()));
}

#[test]
fn waiting_is_refused_as_by_real_servers() {
    for release in REAL_RELEASES {
        let Some(real) = real_of(release) else { return };
        let program = Program::redis(release, &quick(release));
        let [ours, theirs] = [program.address(), real.address()].map(|address| {
            let mut client = Client::connect(address);
            let lines =
                ["WAIT", "WAIT 1", "WAIT x 0", "WAIT 1 x", "WAIT 1 -1", "WAIT 0 0", "WAIT -1 0", "WAIT 1 10"];
            let mut replies = lines.map(|line| client.say(line)).to_vec();
            client.say("SLAVEOF 127.0.0.1 1");
            replies.push(client.say("WAIT 1 10"));
            replies
        });
        assert_eq!(ours, theirs, "{release}");
    }
}

#[test]
fn writes_need_as_many_replicas_as_they_are_to() {
    let Some(real) = real() else { return };
    let program = master();
    let (mut ours, mut theirs) = (program.client(), real.client());
    for server in [&mut ours, &mut theirs] {
        server.say("CONFIG SET min-replicas-to-write 1");
        assert_eq!(server.say("SET k v"), error("NOREPLICAS Not enough good replicas to write."));
        assert_eq!(server.say("GET k"), Reply::Nil);
    }
    follow(&mut theirs, program.address());
    until("it is online", || info(&mut ours, "slave0").contains("online"));
    assert_eq!(ours.say("SET k v"), Reply::Status(b"OK".to_vec()));
    assert_eq!(info(&mut ours, "min_slaves_good_slaves"), "1");
    theirs.say("REPLICAOF NO ONE");
    until("it has gone", || info(&mut ours, "connected_slaves") == "0");
    assert_eq!(ours.say("SET k v"), error("NOREPLICAS Not enough good replicas to write."));
}

#[test]
fn clients_that_wait_are_let_go_when_their_server_becomes_a_replica() {
    let Some(real) = real() else { return };
    let program = master();
    let texts = [program.address(), real.address()].map(|address| {
        let (mut client, mut waiting) = (Client::connect(address), Client::connect(address));
        waiting.send(&["BLPOP", "k", "0"]);
        until("it waits", || info(&mut client, "blocked_clients") == "1");
        client.say("REPLICAOF 127.0.0.1 1");
        (waiting.read(), waiting.read())
    });
    assert_eq!(texts[0], texts[1]);
    assert_eq!(texts[0].1, Reply::Closed);
}

/// A replica of a master that takes nothing of what it is sent, and is sent much; its limits are these. It stays as long as
/// what this gives.
fn overfed(program: &Program, limits: &str) -> (Client, Client) {
    let mut client = program.client();
    client.say("CONFIG SET repl-backlog-size 16384");
    client.say("CONFIG SET repl-timeout 3600");
    client.run(&["CONFIG", "SET", "client-output-buffer-limit", limits]);
    let mut replica = program.client();
    replica.send(&["SYNC"]);
    until("it is online", || info(&mut client, "slave0").contains("online"));
    let value = "x".repeat(100_000);
    // The system keeps some megabytes for it.
    for _ in 0..400 {
        client.run(&["SET", "k", &value]);
    }
    (client, replica)
}

#[test]
fn a_replica_that_takes_nothing_costs_no_memory_without_end() {
    let program = master();
    let (mut client, _replica) = overfed(&program, "replica 4194304 0 0");
    until("it is dropped", || info(&mut client, "connected_slaves") == "0");
    assert!(info(&mut client, "repl_backlog_histlen").parse::<u64>().expect("a number") <= 16384);
}

#[test]
fn a_replica_that_is_behind_for_too_long_is_dropped_in_time() {
    let program = master();
    // Nothing comes after what it has been sent.
    let (mut client, _replica) = overfed(&program, "replica 0 1048576 2");
    assert_eq!(info(&mut client, "connected_slaves"), "1", "two seconds have not gone by");
    until("it is dropped", || info(&mut client, "connected_slaves") == "0");
}

#[test]
fn handing_over_loses_nothing() {
    for chain in chains() {
        let [mut old, mut new, _] = chain.each_ref().map(Server::client);
        follow(&mut new, chain[0].address());
        until("it is online", || info(&mut old, "slave0").contains("online"));
        // Each client counts, until it is told that it talks to a replica.
        let count = |number: usize| {
            let mut client = chain[0].client();
            std::thread::spawn(move || {
                let mut last = 0;
                loop {
                    match client.run(&["INCR", &format!("n{number}")]) {
                        Reply::Integer(value) => last = value,
                        other => return (last, other.text()),
                    }
                }
            })
        };
        let clients: Vec<_> = (0..4).map(count).collect();
        until("they count", || old.say("EXISTS n0 n1 n2 n3") == Reply::Integer(4));
        assert_eq!(old.say("FAILOVER TIMEOUT 20000"), Reply::Status(b"OK".to_vec()));
        until("the roles have changed", || {
            info(&mut new, "role") == "master" && info(&mut old, "role") == "slave"
        });
        let counted: Vec<_> = clients.into_iter().map(|client| client.join().expect("it counts")).collect();
        for (number, (last, text)) in counted.iter().enumerate() {
            assert_eq!(text, "READONLY You can't write against a read only replica.");
            assert_eq!(new.say(&format!("GET n{number}")), bulk(&last.to_string()));
        }
        in_step(&mut new, &mut old);
        assert_eq!(info(&mut old, "master_failover_state"), "no-failover");
        assert_eq!(info(&mut new, "sync_full"), "0");
    }
}

#[test]
fn handing_over_is_refused_and_given_up_as_by_a_real_server() {
    HAND_OVER.into_iter().for_each(refused_and_given_up);
}

/// The releases that know of `FAILOVER`.
const HAND_OVER: [&str; 3] = ["6.2", "7.0", "7.4"];

fn refused_and_given_up(release: &str) {
    let Some(real) = real_of(release) else { return };
    let [program, replica] = [(); 2].map(|()| Program::redis(release, &quick(release)));
    let mut replies = Vec::new();
    let lines = [
        "FAILOVER ABORT",
        "FAILOVER FORCE",
        "FAILOVER TO 127.0.0.1 1",
        "FAILOVER TIMEOUT 0",
        "FAILOVER TO here there",
        "FAILOVER TO 127.0.0.1 99999",
        "FAILOVER ABORT FORCE",
        "FAILOVER TO 127.0.0.1",
        "FAILOVER TIMEOUT 1 TIMEOUT 2",
    ];
    for address in [program.address(), real.address()] {
        let (mut server, mut follower) = (Client::connect(address), replica.client());
        let mut own: Vec<Reply> = lines.iter().map(|line| server.say(line)).collect();
        follow(&mut follower, address);
        until("it is online", || info(&mut server, "slave0").contains("online"));
        own.extend(lines.iter().map(|line| server.say(line)));
        own.push(follower.say("FAILOVER"));
        own.push(server.say("REPLICAOF NO ONE"));
        own.push(server.say("REPLCONF rdb-only 2"));
        follower.say("REPLICAOF NO ONE");
        replies.push(own);
    }
    assert_eq!(replies[0], replies[1], "{release}");
}

#[test]
fn writes_wait_while_a_server_hands_over() {
    HAND_OVER.into_iter().for_each(writes_wait);
}

fn writes_wait(release: &str) {
    let Some(real) = real_of(release) else { return };
    let program = Program::redis(release, &quick(release));
    for address in [program.address(), real.address()] {
        let (mut server, mut writer) = (Client::connect(address), Client::connect(address));
        // One that never says how far it is.
        let mut replica = Client::connect(address);
        replica.send(&["SYNC"]);
        until("it is online", || info(&mut server, "slave0").contains("online"));
        for ends in ["FAILOVER ABORT", "PING"] {
            let timeout = if ends == "PING" { "300" } else { "100000" };
            server.say("SET k before");
            assert_eq!(server.run(&["FAILOVER", "TIMEOUT", timeout]), Reply::Status(b"OK".to_vec()));
            assert_eq!(info(&mut server, "master_failover_state"), "waiting-for-sync");
            assert_eq!(server.say("FAILOVER"), error("ERR FAILOVER already in progress."));
            writer.send(&["SET", "k", "after"]);
            // That a client ends pauses of clients changes nothing here, but for a real server of 6.2.
            if release >= "7.0" {
                assert_eq!(server.say("CLIENT UNPAUSE"), Reply::Status(b"OK".to_vec()));
            }
            assert_eq!(server.say("GET k"), bulk("before"));
            server.say(ends);
            assert_eq!(writer.read(), Reply::Status(b"OK".to_vec()));
            assert_eq!(info(&mut server, "master_failover_state"), "no-failover");
            assert_eq!(info(&mut server, "role"), "master");
        }
    }
}

#[test]
fn a_replica_that_was_stopped_goes_on_where_it_was() {
    let Some(real) = real() else { return };
    let directory = tempfile::tempdir().expect("there is room for a directory");
    let mut theirs = real.client();
    let config: Vec<_> = QUICK.iter().copied().chain([("save", "3600 1")]).collect();
    let program = Program::redis_in(directory.path(), "7.0", &config);
    // No stream has what this makes.
    theirs.say("DEBUG POPULATE 1000");
    follow(&mut program.client(), real.address());
    theirs.say("SELECT 3");
    theirs.say("SET k v");
    in_step(&mut theirs, &mut program.client());
    assert!(program.stop());
    theirs.say("APPEND k w");
    let master = format!("127.0.0.1 {}", real.address().port());
    let config: Vec<_> = config.into_iter().chain([("replicaof", &*master)]).collect();
    let program = Program::redis_in(directory.path(), "7.0", &config);
    in_step(&mut theirs, &mut program.client());
    assert_eq!(info(&mut theirs, "sync_full"), "1");
    assert_eq!(info(&mut theirs, "sync_partial_ok"), "1");
    assert_eq!(program.client().run(&["CONFIG", "GET", "replicaof"]).elements()[1], bulk(&master));
}

#[test]
fn replicas_go_on_with_a_master_that_was_stopped() {
    let directory = tempfile::tempdir().expect("there is room for a directory");
    let config: Vec<_> = QUICK.iter().copied().chain([("save", "3600 1")]).collect();
    let program = Program::redis_in(directory.path(), "7.0", &config);
    let replica = master();
    let mut client = replica.client();
    program.client().say("DEBUG POPULATE 1000");
    follow(&mut client, program.address());
    in_step(&mut program.client(), &mut client);
    assert!(program.stop());
    let program = Program::redis_in(directory.path(), "7.0", &config);
    follow(&mut client, program.address());
    program.client().say("SET k v");
    in_step(&mut program.client(), &mut client);
    assert_eq!(info(&mut program.client(), "sync_partial_ok"), "1");
    assert_eq!(info(&mut program.client(), "sync_full"), "0");
}

/// What a node of a release is told so that tests need not wait.
fn quick(release: &str) -> Vec<(&'static str, &'static str)> {
    let known = QUICK.iter().copied().filter(|(name, _)| *name != "enable-debug-command" || release >= "7.0");
    let named = known.map(|(name, value)| match name {
        "repl-ping-replica-period" if release < "5.0" => ("repl-ping-slave-period", value),
        name => (name, value),
    });
    named.collect()
}

/// Some changes of all kinds that a release knows.
fn changes(client: &mut Client, release: &str, rng: &mut Rng) {
    for _ in 0..1000 {
        let words = change(rng);
        // What it leaves in the first release has another representation in later ones.
        if release > "3.0" || words[0] != "PFMERGE" {
            client.run(&words);
        }
        if release == "7.4" {
            let (hash, ms) = (format!("h{}", rng.below(100)), (1 + rng.below(1000)).to_string());
            let field = rng.below(50).to_string();
            client.run(&["HPEXPIRE", &hash, &ms, "FIELDS", "1", &field]);
        }
    }
    for line in ["MULTI", "SPOP set1", "INCR n1", "EXEC", "SELECT 5", "SET other db", "SET short v PX 1"] {
        client.say(line);
    }
    client.say("SELECT 0");
}

/// Has one server of a release follow another, whose link is cut and restored while both change.
fn follows_through_a_cut(release: &str, master: SocketAddr, replica: SocketAddr) {
    eprintln!("release {release}");
    let proxy = Proxy::to(master);
    let (mut master, mut replica) = (Client::connect(master), Client::connect(replica));
    let mut rng = Rng::new(2);
    changes(&mut master, release, &mut rng);
    replica.say("SET of my own");
    replica.run(&["SLAVEOF", "127.0.0.1", &proxy.address().port().to_string()]);
    until("the link is up", || info(&mut replica, "master_link_status") == "up");
    changes(&mut master, release, &mut rng);
    for cuts in 1..=2 {
        proxy.cut();
        until("the link is down", || info(&mut replica, "master_link_status") == "down");
        changes(&mut master, release, &mut rng);
        proxy.restore();
        until("the link is up", || info(&mut replica, "master_link_status") == "up");
        assert_eq!(info(&mut master, "sync_partial_ok"), cuts.to_string(), "{release}");
    }
    changes(&mut master, release, &mut rng);
    in_step(&mut master, &mut replica);
    assert_eq!(info(&mut master, "sync_full"), "1", "{release}");
    assert_eq!(replica.say("GET of"), Reply::Nil);
    assert_eq!(master.say("WAIT 1 10000"), Reply::Integer(1), "{release}");
    let role = replica.say("ROLE");
    assert_eq!([&role.elements()[0], &role.elements()[3]], [&bulk("slave"), &bulk("connected")]);
}

#[test]
fn every_release_follows_its_like() {
    for release in ["3.0", "4.0", "5.0", "6.2", "7.0", "7.4"] {
        let config = quick(release);
        let programs = [(); 2].map(|()| Program::redis(release, &config));
        let [master, replica] = programs.each_ref().map(Program::address);
        follows_through_a_cut(release, master, replica);
    }
}

#[test]
fn every_release_follows_a_real_server_of_it() {
    for release in REAL_RELEASES {
        let Some(real) = real_of(release) else { return };
        let program = Program::redis(release, &quick(release));
        follows_through_a_cut(release, real.address(), program.address());
    }
}

#[test]
fn a_real_server_of_every_release_follows_ours() {
    for release in REAL_RELEASES {
        let Some(real) = real_of(release) else { return };
        let program = Program::redis(release, &quick(release));
        follows_through_a_cut(release, program.address(), real.address());
    }
}

#[test]
fn real_servers_follow_every_release_that_they_understand() {
    for [master, replica] in [["3.0", "5.0"], ["4.0", "5.0"], ["5.0", "6.2"], ["6.2", "7.0"], ["7.0", "7.4"]]
    {
        let Some(real) = real_of(replica) else { return };
        let program = Program::redis(master, &quick(master));
        let (mut ours, mut theirs) = (program.client(), real.client());
        let mut rng = Rng::new(1);
        changes(&mut ours, master, &mut rng);
        follow(&mut theirs, program.address());
        until("the link is up", || info(&mut theirs, "master_link_status") == "up");
        changes(&mut ours, master, &mut rng);
        assert_eq!(ours.say("WAIT 1 10000"), Reply::Integer(1), "{master}");
        until("what expires has gone", || theirs.digest() == ours.digest());
    }
}

#[test]
fn clients_wait_for_files() {
    let directory = tempfile::tempdir().expect("there is room for a directory");
    let folders = ["a", "b"].map(|name| directory.path().join(name));
    let programs = folders.each_ref().map(|folder| {
        std::fs::create_dir(folder).expect("there is room for a directory");
        let config: Vec<_> = QUICK.iter().copied().chain([("appendonly", "yes")]).collect();
        Program::redis_in(folder, "7.4", &config)
    });
    let [mut ours, mut replica] = programs.each_ref().map(Program::client);
    let both = |local, replicas| Reply::Array(vec![Reply::Integer(local), Reply::Integer(replicas)]);
    ours.say("SET k v");
    assert_eq!(ours.say("WAITAOF 1 0 10000"), both(1, 0));
    follow(&mut replica, programs[0].address());
    in_step(&mut ours, &mut replica);
    ours.say("SET k w");
    assert_eq!(ours.say("WAITAOF 1 1 20000"), both(1, 1));
    ours.say("CONFIG SET appendonly no");
    let off = "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.";
    assert_eq!(ours.say("WAITAOF 1 0 0"), error(off));
    let bad = "ERR value is out of range, value must between 0 and 1";
    assert_eq!(ours.say("WAITAOF 2 0 0"), error(bad));
    let of_replica = "ERR WAITAOF cannot be used with replica instances. Please also note that writes to replicas \
                      are just local and are not propagated.";
    assert_eq!(replica.say("WAITAOF 0 0 0"), error(of_replica));
}

#[test]
fn waiting_for_files_is_as_on_a_real_server() {
    let folder = tempfile::tempdir().expect("there is room for a directory");
    let config: Vec<_> = QUICK.iter().copied().chain([("appendonly", "yes")]).collect();
    let program = Program::redis_in(folder.path(), "7.4", &config);
    wait_for_files(program.address());
    if let Some(oracle) = Oracle::of("7.4", &["--appendonly", "yes"]) {
        wait_for_files(oracle.address());
    }
}

fn wait_for_files(address: SocketAddr) {
    let mut client = Client::connect(address);
    for (line, text) in [
        ("WAITAOF x 0 0", "ERR value is not an integer or out of range"),
        ("WAITAOF -1 0 0", "ERR value is out of range, value must between 0 and 1"),
        ("WAITAOF 1 -1 0", "ERR value is out of range, must be positive"),
        ("WAITAOF 1 0 -1", "ERR timeout is negative"),
        ("WAITAOF 1 0 x", "ERR timeout is not an integer or out of range"),
        ("WAITAOF 1 0", "ERR wrong number of arguments for 'waitaof' command"),
    ] {
        assert_eq!(client.say(line), error(text), "{line}");
    }
    let both = |local, replicas| Reply::Array(vec![Reply::Integer(local), Reply::Integer(replicas)]);
    // Whoever has written nothing waits for nothing.
    assert_eq!(client.say("WAITAOF 1 0 0"), both(1, 0));
    // The reply tells what there is, also where that is not waited for, and after the timeout.
    client.say("SET k v");
    until("the disk has it", || client.say("WAITAOF 0 0 0") == both(1, 0));
    client.say("SET k w");
    assert_eq!(client.say("WAITAOF 1 0 20000"), both(1, 0));
    assert_eq!(client.say("WAITAOF 0 1 50"), both(1, 0));
    assert_eq!(client.say("WAITAOF 1 5 50"), both(1, 0));
    // A transaction waits for nobody.
    for line in ["MULTI", "SET k x", "WAITAOF 1 5 0"] {
        client.say(line);
    }
    let Reply::Array(replies) = client.say("EXEC") else { panic!("it runs") };
    assert_eq!(replies[1].elements()[1], Reply::Integer(0));
    // Each client waits for its own writes, however many others there are.
    let mut other = Client::connect(address);
    other.say("SET k y");
    other.send(&["WAITAOF", "1", "1", "0"]);
    until("it waits", || info(&mut client, "blocked_clients") == "1");
    client.say("SET k z");
    assert_eq!(client.say("WAITAOF 1 0 20000"), both(1, 0));
    let id = client.say("CLIENT LIST").text();
    let id =
        id.lines().find(|line| line.contains("cmd=waitaof")).and_then(|line| line.split(['=', ' ']).nth(1));
    client.say(&format!("CLIENT UNBLOCK {}", id.expect("it waits")));
    assert_eq!(other.read(), both(1, 0), "as if its time were up");
}

#[test]
fn the_file_of_a_replica_holds_what_its_master_has() {
    let Some(real) = real() else { return };
    let directory = tempfile::tempdir().expect("there is room for a directory");
    let mut theirs = real.client();
    let config: Vec<_> =
        QUICK.iter().copied().chain([("appendonly", "yes"), ("appendfsync", "always")]).collect();
    let program = Program::redis_in(directory.path(), "7.0", &config);
    program.client().say("SET of my own");
    theirs.say("DEBUG POPULATE 1000");
    follow(&mut program.client(), real.address());
    in_step(&mut theirs, &mut program.client());
    theirs.say("LPUSH l a b c");
    in_step(&mut theirs, &mut program.client());
    until("the file is rewritten", || info(&mut program.client(), "aof_rewrite_in_progress") == "0");
    assert!(program.stop());
    let program = Program::redis_in(directory.path(), "7.0", &config);
    until("it has loaded", || program.client().say("PING") == Reply::Status(b"PONG".to_vec()));
    assert_eq!(program.client().digest(), theirs.digest());
}

/// A process that ends with the test.
struct Ends(std::process::Child);

impl Drop for Ends {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_sentinel_promotes_a_replica_when_the_master_is_gone() {
    let Some(mut sentinel) = testkit::redis_program("redis-server") else { return };
    let programs: Vec<Program> = (0..3).map(|_| master()).collect();
    let master = programs[0].address();
    for program in &programs[1..] {
        follow(&mut program.client(), master);
        in_step(&mut programs[0].client(), &mut program.client());
    }
    let directory = tempfile::tempdir().expect("there is room for a directory");
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    let address = port.expect("there is a free port");
    let text = format!(
        "port {}\nbind 127.0.0.1\nsentinel monitor m 127.0.0.1 {} 1\nsentinel down-after-milliseconds m 500\n\
         sentinel failover-timeout m 10000\n",
        address.port(),
        master.port()
    );
    let file = directory.path().join("sentinel.conf");
    std::fs::write(&file, text).expect("there is room for a file");
    let null = std::process::Stdio::null;
    sentinel.arg(&file).arg("--sentinel").current_dir(&directory).stdout(null()).stderr(null());
    let _sentinel = Ends(sentinel.spawn().expect("it starts"));
    until("it listens", || std::net::TcpStream::connect(address).is_ok());
    let mut sentinel = Client::connect(address);
    until("it knows both replicas", || {
        let replicas = sentinel.say("SENTINEL REPLICAS m");
        replicas.elements().len() == 2 && !format!("{replicas:?}").contains("s_down")
    });
    programs[0].client().say("SET k v");
    until("they have everything", || {
        programs[1..].iter().all(|program| program.client().say("GET k") == bulk("v"))
    });
    let mut programs = programs;
    drop(programs.remove(0));
    until("one is the master and the other follows", || {
        let roles = [0, 1].map(|index| info(&mut programs[index].client(), "role"));
        let links = [0, 1].map(|index| info(&mut programs[index].client(), "master_link_status"));
        roles.contains(&"master".to_owned()) && links.contains(&"up".to_owned())
    });
    let new = programs.iter().position(|program| info(&mut program.client(), "role") == "master");
    let new = new.expect("there is one");
    let (mut new, mut other) = (programs[new].client(), programs[1 - new].client());
    assert_eq!(new.say("SET k w"), Reply::Status(b"OK".to_vec()));
    in_step(&mut new, &mut other);
    assert_eq!(info(&mut new, "sync_full"), "0");
}

#[test]
fn redis_cli_takes_snapshots_of_all_keys_or_none() {
    let program = master();
    program.client().say("DEBUG POPULATE 1000");
    let directory = tempfile::tempdir().expect("there is room for a directory");
    let file = directory.path().join("x.rdb");
    let Some(mut cli) = testkit::redis_tool("redis-cli", program.address()) else { return };
    assert!(cli.arg("--rdb").arg(&file).output().expect("it runs").status.success());
    let Some(mut check) = testkit::redis_program("redis-check-rdb") else { return };
    let output = check.arg(&file).output().expect("it runs");
    assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("1000 keys read"));
    let mut client = program.client();
    for line in ["REPLCONF capa eof", "REPLCONF rdb-filter-only functions"] {
        assert_eq!(client.say(line), Reply::Status(b"OK".to_vec()));
    }
    let unknown = "ERR Unsupported rdb-filter-only option: keys";
    assert_eq!(client.say("REPLCONF rdb-filter-only keys"), error(unknown));
    client.send(&["REPLCONF", "listening-port", "1"]);
    client.read();
    let mut replica = std::net::TcpStream::connect(program.address()).expect("it listens");
    replica.write_all(b"REPLCONF rdb-filter-only functions\r\nSYNC\r\n").expect("it takes it");
    until("it is online", || info(&mut client, "slave0").contains("online"));
    replica.shutdown(std::net::Shutdown::Write).expect("it can be");
    let mut sent = Vec::new();
    replica.read_to_end(&mut sent).expect("it sends it");
    let text = String::from_utf8_lossy(&sent);
    assert!(text.starts_with("+OK\r\n$") && text.contains("REDIS0010") && !text.contains("key:"), "{text}");
}

#[test]
fn what_is_evicted_goes_from_replicas_too() {
    let Some(real) = real() else { return };
    let program = master();
    let (mut ours, mut theirs) = (program.client(), real.client());
    follow(&mut theirs, program.address());
    in_step(&mut ours, &mut theirs);
    ours.say("CONFIG SET maxmemory-policy allkeys-lru");
    ours.say("CONFIG SET maxmemory 4mb");
    let value = "x".repeat(1000);
    for number in 0..8000 {
        ours.run(&["SET", &format!("key {number}"), &value]);
    }
    assert_ne!(info(&mut ours, "evicted_keys"), "0");
    in_step(&mut ours, &mut theirs);
    // A replica leaves it to its master, however little memory it may use itself.
    let second = master();
    let mut replica = second.client();
    follow(&mut replica, program.address());
    replica.say("CONFIG SET maxmemory 1mb");
    replica.say("CONFIG SET maxmemory-policy allkeys-lru");
    in_step(&mut ours, &mut replica);
    assert_eq!(info(&mut replica, "evicted_keys"), "0");
}

#[test]
fn messages_reach_those_who_listen_to_replicas() {
    for chain in chains() {
        let [mut first, mut second, mut third] = chain.each_ref().map(Server::client);
        follow(&mut second, chain[0].address());
        until("the link is up", || info(&mut second, "master_link_status") == "up");
        follow(&mut third, chain[1].address());
        until("the link is up", || info(&mut third, "master_link_status") == "up");
        third.say("CONFIG SET notify-keyspace-events KEA");
        let mut listener = chain[2].client();
        listener.say("SUBSCRIBE c");
        listener.run(&["PSUBSCRIBE", "__keyevent@0__:*"]);
        first.say("PUBLISH c hello");
        first.say("SET k v");
        let told = |words: &[&str]| Reply::Array(words.iter().map(|word| bulk(word)).collect());
        assert_eq!(listener.read(), told(&["message", "c", "hello"]));
        let pattern = "__keyevent@0__:*";
        assert_eq!(listener.read(), told(&["pmessage", pattern, "__keyevent@0__:set", "k"]));
    }
}

#[test]
fn a_stream_that_goes_by_another_name_is_another_one() {
    let Some(real) = real() else { return };
    let program = master();
    let proxy = Proxy::to(program.address());
    let (mut ours, mut theirs) = (program.client(), real.client());
    follow(&mut theirs, proxy.address());
    in_step(&mut ours, &mut theirs);
    proxy.cut();
    until("the link is down", || info(&mut theirs, "master_link_status") == "down");
    let before = info(&mut ours, "master_replid");
    assert_eq!(ours.say("DEBUG CHANGE-REPL-ID"), Reply::Status(b"OK".to_vec()));
    assert_ne!(info(&mut ours, "master_replid"), before);
    proxy.restore();
    in_step(&mut ours, &mut theirs);
    assert_eq!(info(&mut ours, "sync_full"), "2");
    ours.say("CONFIG SET repl-backlog-ttl 1");
    theirs.say("REPLICAOF NO ONE");
    until("the stream is forgotten", || info(&mut ours, "repl_backlog_active") == "0");
}

/// A request that a replica sends to its master.
fn request(from: &mut impl BufRead) -> Vec<String> {
    let mut line = || {
        let mut line = String::new();
        from.read_line(&mut line).expect("it sends requests");
        line.trim_end().to_owned()
    };
    let count: usize = line().trim_start_matches('*').parse().expect("a number of words");
    (0..count).map(|_| (line(), line()).1).collect()
}

/// Answers a replica as a master does, up to the question where the stream goes on; gives that.
fn greet(stream: &std::net::TcpStream) -> Vec<String> {
    let mut from = BufReader::new(stream);
    let mut to = stream;
    loop {
        let words = request(&mut from);
        match words[0].as_str() {
            "PSYNC" => return words,
            "PING" => to.write_all(b"+PONG\r\n").expect("it takes it"),
            _ => to.write_all(b"+OK\r\n").expect("it takes it"),
        }
    }
}

#[test]
fn a_replica_trusts_no_master_and_misses_nothing() {
    let program = master();
    let mut client = program.client();
    client.say("SET old value");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    follow(&mut client, listener.local_addr().expect("it listens"));
    let accept = || listener.accept().expect("the replica comes").0;
    let id = "0123456789".repeat(4);
    let full = format!("+FULLRESYNC {id} 0\r\n");
    // Snapshots that are none, or end too early: what was there stays.
    let empty = b"REDIS0010\xff\0\0\0\0\0\0\0\0";
    for snapshot in
        [&b"$5\r\nHELLO"[..], b"$18\r\nREDIS0010\xfe\x01\x07\x02\xff\0\0\0\0", b"$100\r\nREDIS0010"]
    {
        let mut stream = accept();
        greet(&stream);
        stream.write_all(&[full.as_bytes(), snapshot].concat()).expect("it takes it");
        // It hangs up itself, or the master does.
        stream.shutdown(std::net::Shutdown::Write).expect("it can be");
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert_eq!(client.say("GET old"), bulk("value"));
        assert_eq!(info(&mut client, "master_link_status"), "down");
    }
    let mut sent = accept();
    greet(&sent);
    let header = format!("{full}${}\r\n", empty.len());
    sent.write_all(&[header.as_bytes(), empty].concat()).expect("it takes it");
    until("it is loaded", || client.say("GET old") == Reply::Nil);
    drop(sent);
    // The stream breaks off after every byte, and goes on where the replica says.
    let requests: &[&[&str]] = &[
        &["SELECT", "3"],
        &["INCR", "n"],
        &["MULTI"],
        &["INCR", "n"],
        &["APPEND", "text", "\r\n*3\r\n"],
        &["EXEC"],
        &["PING"],
        &["INCR", "n"],
    ];
    let whole: Vec<u8> = requests.iter().flat_map(|request| testkit::client::encode(request)).collect();
    for end in (0..=whole.len()).chain([whole.len()]) {
        let mut stream = accept();
        let words = greet(&stream);
        assert_eq!(words[1], id);
        let next: usize = words[2].parse().expect("a number");
        assert!(next <= end.max(1) + 1, "it asks for what it has not been sent");
        stream.write_all(format!("+CONTINUE {id}\r\n").as_bytes()).expect("it takes it");
        if next <= end {
            stream.write_all(&whole[next - 1..end]).expect("it takes it");
        }
        if end == whole.len() {
            until("it has everything", || info(&mut client, "slave_repl_offset") == end.to_string());
        }
    }
    client.say("SELECT 3");
    assert_eq!((client.say("GET n"), client.say("GET text")), (bulk("3"), bulk("\r\n*3\r\n")));
    assert_eq!(info(&mut client, "master_replid"), id);
}

#[test]
fn transactions_that_may_not_run_any_more_say_why() {
    let Some(real) = real() else { return };
    let program = master();
    let replies = [program.address(), real.address()].map(|address| {
        let (mut client, mut other) = (Client::connect(address), Client::connect(address));
        let mut replies = Vec::new();
        let changes = [
            ["CONFIG SET min-replicas-to-write 1", "CONFIG SET min-replicas-to-write 0"],
            ["REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE"],
            ["CONFIG SET replica-serve-stale-data no", "CONFIG SET replica-serve-stale-data yes"],
        ];
        for (change, back) in changes.map(|[change, back]| (change, back)) {
            for queued in ["SET k v", "GET k"] {
                if change.ends_with("data no") {
                    other.say("REPLICAOF 127.0.0.1 1");
                }
                for line in ["MULTI", "GET k", "WATCH x", queued] {
                    replies.push(client.say(line));
                }
                other.say(change);
                replies.push(client.say("EXEC"));
                // It is over, whatever came of it.
                replies.push(client.say("EXEC"));
                other.say(back);
                other.say("REPLICAOF NO ONE");
            }
        }
        replies
    });
    assert_eq!(replies[0], replies[1]);
}

#[test]
fn replicas_that_come_together_get_one_snapshot() {
    let program = master();
    let replicas = [master(), master(), master()];
    let mut ours = program.client();
    ours.say("CONFIG SET repl-diskless-sync-delay 3600");
    ours.say("CONFIG SET repl-diskless-sync-max-replicas 2");
    ours.say("SET k v");
    follow(&mut replicas[0].client(), program.address());
    until("it waits for another", || info(&mut ours, "slave0").contains("state=wait_bgsave"));
    assert_eq!(replicas[0].client().say("GET k"), Reply::Nil);
    follow(&mut replicas[1].client(), program.address());
    for replica in &replicas[..2] {
        in_step(&mut ours, &mut replica.client());
    }
    ours.say("CONFIG SET repl-diskless-sync no");
    follow(&mut replicas[2].client(), program.address());
    in_step(&mut ours, &mut replicas[2].client());
    assert_eq!(info(&mut ours, "sync_full"), "3");
}

#[test]
fn whoever_hangs_is_given_up_and_comes_again() {
    let Some(real) = real() else { return };
    let program = master();
    let (mut ours, mut theirs) = (program.client(), real.client());
    for (master, replica) in [(true, false), (false, true)] {
        let (first, second) = if master { (&mut ours, &mut theirs) } else { (&mut theirs, &mut ours) };
        let address = if master { program.address() } else { real.address() };
        for client in [&mut *first, &mut *second] {
            client.say("CONFIG SET repl-timeout 2");
            client.say("REPLICAOF NO ONE");
        }
        follow(second, address);
        in_step(first, second);
        let before = info(first, "sync_partial_ok");
        // The real one hangs, whichever it is.
        signal(real.id(), "STOP");
        if replica {
            until("the link is given up", || info(second, "master_link_status") == "down");
        } else {
            until("the replica is given up", || info(first, "connected_slaves") == "0");
        }
        signal(real.id(), "CONT");
        first.say("INCR n");
        in_step(first, second);
        assert_ne!(info(first, "sync_partial_ok"), before);
    }
}

#[test]
fn links_that_clients_end_are_made_again() {
    let Some(real) = real() else { return };
    let program = master();
    let (mut ours, mut theirs) = (program.client(), real.client());
    follow(&mut theirs, program.address());
    in_step(&mut ours, &mut theirs);
    assert_eq!(ours.say("CLIENT KILL TYPE replica"), Reply::Integer(1));
    until("it has come again", || info(&mut ours, "sync_partial_ok") == "1");
    assert_eq!(theirs.say("REPLICAOF NO ONE"), Reply::Status(b"OK".to_vec()));
    follow(&mut ours, real.address());
    in_step(&mut theirs, &mut ours);
    let before: u64 = info(&mut theirs, "sync_partial_ok").parse().expect("a number");
    assert_eq!(ours.say("CLIENT KILL TYPE master"), Reply::Integer(1));
    until("we have come again", || info(&mut theirs, "sync_partial_ok") == (before + 1).to_string());
    theirs.say("INCR n");
    in_step(&mut theirs, &mut ours);
}

#[test]
fn clients_that_greet_are_told_which_part_a_server_plays() {
    let program = master();
    let mut client = program.client();
    let role = |client: &mut Client| client.say("HELLO").elements()[11].text();
    assert_eq!(role(&mut client), "master");
    client.say("REPLICAOF 127.0.0.1 1");
    assert_eq!(role(&mut client), "replica");
    client.say("REPLICAOF NO ONE");
    assert_eq!(role(&mut client), "master");
}
