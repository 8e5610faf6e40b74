//! Clusters, from outside: beside a real one of release 7.0, under redis-cli, redis-py and ioredis, and across networks.

use serde_json::{Value, json};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use testkit::library::script;
use testkit::{Client, Oracle, Program, Reply, Server, redis_program, until};

/// A cluster of this program.
fn cluster(masters: usize, replicas: usize) -> Program {
    let (masters, replicas) = (masters.to_string(), replicas.to_string());
    Program::redis_with(&["--release", "7.0", "--cluster", &masters, "--replicas", &replicas], &[])
}

/// The addresses and ids of the nodes that serve slots, in the order of their slots.
fn masters(any: &mut Client) -> Vec<(SocketAddr, String)> {
    let slots = any.say("CLUSTER SLOTS");
    let mut masters: Vec<(SocketAddr, String)> = Vec::new();
    for range in slots.elements() {
        let [host, port, id, ..] = range.elements()[2].elements() else { panic!("{range:?}") };
        let address = format!("{}:{}", host.text(), port.integer()).parse().expect("an address");
        if !masters.iter().any(|(own, _)| *own == address) {
            masters.push((address, id.text()));
        }
    }
    masters
}

/// What moves slots from one master to another, for redis-cli.
fn reshard<'a>(any: &'a str, from: &'a str, to: &'a str, slots: &'a str) -> [&'a str; 9] {
    ["reshard", any, "--cluster-from", from, "--cluster-to", to, "--cluster-slots", slots, "--cluster-yes"]
}

/// Whether a node is connected with all others of a cluster of so many, both ways.
fn are_linked(node: &mut Client, nodes: usize) -> bool {
    node.say("CLUSTER LINKS").elements().len() == 2 * (nodes - 1)
}

/// What a program prints; it has to succeed.
fn output(command: &mut Command) -> String {
    let done = command.stdin(Stdio::null()).output().expect("the program starts");
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{command:?}: {said}{}", String::from_utf8_lossy(&done.stderr));
    said
}

/// What `redis-cli --cluster` prints.
fn manage(args: &[&str]) -> Option<String> {
    let mut cli = redis_program("redis-cli")?;
    Some(output(cli.arg("--cluster").args(args)))
}

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("carnelian-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("there is room for files");
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A real node of a cluster that knows no other.
fn real_node(folder: &Folder, number: usize) -> Option<Oracle> {
    let directory = folder.0.join(number.to_string());
    std::fs::create_dir_all(&directory).expect("there is room for files");
    let directory = directory.to_str().expect("its name is text");
    let at_once = ["--repl-diskless-sync-delay", "0"];
    Oracle::start_with(&[&["--cluster-enabled", "yes", "--dir", directory], &at_once[..]].concat())
}

/// A real cluster of so many masters with so many replicas each, in which all know all; the masters and then the replicas,
/// as redis-cli has made them.
fn real_cluster(folder: &Folder, masters: usize, replicas: usize) -> Option<Vec<Oracle>> {
    let real: Vec<Oracle> =
        (0..masters * (1 + replicas)).map_while(|number| real_node(folder, number)).collect();
    let count = masters * (1 + replicas);
    if real.len() < count {
        return None;
    }
    let addresses: Vec<String> = real.iter().map(|node| node.address().to_string()).collect();
    let replicas_of_each = replicas.to_string();
    let mut create = vec!["create"];
    create.extend(addresses.iter().map(String::as_str));
    create.extend(["--cluster-replicas", &replicas_of_each, "--cluster-yes"]);
    manage(&create)?;
    for node in &real {
        let mut client = node.client();
        until("all real nodes know all", || {
            let slots = client.say("CLUSTER SLOTS");
            slots.elements().len() == masters
                && slots.elements().iter().all(|range| range.elements().len() == 3 + replicas)
                && client.say("CLUSTER INFO").text().contains("cluster_state:ok")
                && are_linked(&mut client, count)
        });
    }
    Some(real)
}

/// Commands that are answered alike by a node that stands alone in its cluster; `$me` is its own id.
const ALONE: &[&str] = &[
    "CLUSTER SLOTS",
    "CLUSTER LINKS",
    "CONFIG GET cluster-enabled",
    "SET a 1",
    "CLUSTER ADDSLOTS",
    "CLUSTER ADDSLOTS x",
    "CLUSTER ADDSLOTS 16384",
    "CLUSTER ADDSLOTS 1 1",
    "CLUSTER ADDSLOTS 1 2",
    "CLUSTER ADDSLOTS 2 3",
    "CLUSTER DELSLOTS 5",
    "CLUSTER DELSLOTS 1 1",
    "CLUSTER DELSLOTS 1",
    "CLUSTER ADDSLOTSRANGE 5 3",
    "CLUSTER ADDSLOTSRANGE 5 7 8",
    "CLUSTER ADDSLOTSRANGE 5 7 7 9",
    "CLUSTER ADDSLOTSRANGE 1 9",
    "CLUSTER DELSLOTSRANGE 5 3",
    "CLUSTER DELSLOTSRANGE 5 6",
    "CLUSTER KEYSLOT abc",
    "CLUSTER COUNTKEYSINSLOT 16384",
    "CLUSTER COUNTKEYSINSLOT x",
    "CLUSTER GETKEYSINSLOT 1 -1",
    "CLUSTER GETKEYSINSLOT 1 x",
    "CLUSTER SETSLOT 3 MIGRATING nosuch",
    "CLUSTER SETSLOT 2 MIGRATING nosuch",
    "CLUSTER SETSLOT 2 IMPORTING nosuch",
    "CLUSTER SETSLOT 3 IMPORTING nosuch",
    "CLUSTER SETSLOT 2 NODE nosuch",
    "CLUSTER SETSLOT 2 FOO",
    "CLUSTER SETSLOT 2 STABLE",
    "CLUSTER SETSLOT 99999 STABLE",
    "CLUSTER SETSLOT 3 IMPORTING $me",
    "CLUSTER SETSLOT 2 MIGRATING $me",
    "CLUSTER SETSLOT 2 IMPORTING $me",
    "CLUSTER SETSLOT 2 NODE $me",
    "CLUSTER SETSLOT 3 NODE $me",
    "CLUSTER SLOTS",
    "CLUSTER NODES",
    "CLUSTER SHARDS",
    "CLUSTER FORGET nosuch",
    "CLUSTER FORGET $me",
    "CLUSTER REPLICATE nosuch",
    "CLUSTER REPLICATE $me",
    "CLUSTER REPLICAS nosuch",
    "CLUSTER SLAVES $me",
    "CLUSTER COUNT-FAILURE-REPORTS nosuch",
    "CLUSTER COUNT-FAILURE-REPORTS $me",
    "CLUSTER FAILOVER",
    "CLUSTER FAILOVER foo",
    "CLUSTER FAILOVER force takeover",
    "CLUSTER MEET 127.0.0.1 b",
    "CLUSTER MEET 127.0.0.1 99999",
    "CLUSTER MEET foo 1000",
    "CLUSTER SET-CONFIG-EPOCH x",
    "CLUSTER SET-CONFIG-EPOCH -1",
    "CLUSTER SET-CONFIG-EPOCH 5",
    "CLUSTER BUMPEPOCH",
    "CLUSTER SAVECONFIG",
    "CLUSTER RESET foo",
    "CLUSTER FOO",
    "CLUSTER",
    "CLUSTER NODES x",
    "READONLY",
    "READWRITE",
    "ASKING",
    "SELECT 0",
    "SELECT 1",
    "SELECT x",
    "SWAPDB 0 1",
    "MIGRATE 127.0.0.1 1 k 0 100 keys a b",
    "REPLICAOF 127.0.0.1 1",
    "FAILOVER",
    "CLUSTER FLUSHSLOTS",
    "CLUSTER RESET",
    "CLUSTER ADDSLOTSRANGE 0 16382",
    "GET a",
    "CONFIG SET cluster-require-full-coverage no",
];

/// Commands that are answered alike by the first node of a cluster of three; the slots of `bar`, `k3` and `k2` are its
/// own, those of `foo` the third one's. Sequences are separated by semicolons.
const TOGETHER: &[&str] = &[
    "SET foo 1",
    "GET bar",
    "MGET a b",
    "MOVE bar 1",
    "COPY bar x{bar} DB 1",
    "SORT bar BY x",
    "SORT bar BY x_*",
    "SORT bar GET #",
    "SORT_RO bar BY x_*",
    "PUBLISH a b",
    "SPUBLISH bar b",
    "SPUBLISH foo b",
    "SSUBSCRIBE foo",
    "MULTI;SET bar 1;SET foo 1;EXEC",
    "MULTI;SET bar 1;SET a{6} 1;GET a{bar};EXEC",
    "MULTI;GET bar;GET k3;GET k8;EXEC;GET bar",
    "MULTI;SELECT 1;GET bar;EXEC",
    "WATCH bar;MULTI;GET k2;GET k6;EXEC;GET bar",
    "WATCH bar k3",
    "READONLY;GET foo;READWRITE",
    "ASKING;GET foo;GET foo",
    "MULTI;SET bar 1;SPUBLISH k2 x;EXEC",
    "MIGRATE 127.0.0.1 1 bar 0 x",
    "MIGRATE 127.0.0.1 1 bar x 1",
    "MIGRATE 127.0.0.1 1 bar 0 100 foo",
    "MIGRATE 127.0.0.1 1 bar 0 100 auth",
    "MIGRATE 127.0.0.1 1 bar 0 100",
    "SET bar 1",
    "MIGRATE 127.0.0.1 $port2 bar 0 1000",
    "MIGRATE 127.0.0.1 x bar 0 100",
    "MIGRATE 127.0.0.1 1 bar 0 100",
    "MIGRATE 127.0.0.1 $port2 bar 1 1000",
    "MIGRATE 127.0.0.1 $port2 bar 0 1000 AUTH x",
    "MIGRATE 127.0.0.1 1 $empty 0 100 KEYS bar foo",
    "MIGRATE 127.0.0.1 1 $empty 0 100 KEYS keys x{keys}",
    "MIGRATE 127.0.0.1 1 $empty 0 100 KEYS",
    "EXISTS bar",
    "CLUSTER SETSLOT 5061 MIGRATING $id2",
    "GET bar",
    "GET {bar}x",
    "MGET bar {bar}x",
    "MULTI;GET bar;GET {bar}x;EXEC",
    "MULTI;GET {bar}x;EXEC",
    "CLUSTER SETSLOT 5061 NODE $id2",
    "CLUSTER SETSLOT 5061 STABLE",
    "CLUSTER SETSLOT 12182 IMPORTING $id3",
    "GET foo",
    "ASKING;GET foo",
    "ASKING;SET foo 1",
    "ASKING;MGET foo {foo}x",
    "ASKING;MULTI;GET foo;EXEC;GET foo",
    "DEL bar",
    "ASKING;DEL foo",
    "CLUSTER SETSLOT 12182 STABLE",
    "CLUSTER KEYSLOT bar",
    "CLUSTER SLOTS",
    "CLUSTER NODES",
    "CLUSTER SHARDS",
    "CLUSTER REPLICAS $id2",
    "CLUSTER LINKS",
    "CONFIG GET cluster-enabled",
    "SUBSCRIBE news;GET foo;SET k2 1;GET nosuch;MGET bar foo;PING;SPUBLISH foo x;UNSUBSCRIBE news;GET k3",
    "MULTI;SUBSCRIBE news;EXEC;GET foo;EXEC;MULTI;RESET;GET k3",
    "CLUSTER FLUSHSLOTS",
];

/// Commands that are answered alike by the replica of the first node of a cluster of three.
const REPLICA: &[&str] = &[
    "CLUSTER SLOTS",
    "CLUSTER NODES",
    "CLUSTER SHARDS",
    "CLUSTER REPLICAS $me",
    "GET bar",
    "SET bar 1",
    "READONLY;GET bar;SET bar 1;GET foo;MGET bar foo;READWRITE;GET bar",
    "READONLY;MULTI;GET bar;EXEC;MULTI;GET bar;SET bar 2;EXEC;RESET;GET bar",
    "MULTI;GET bar;EXEC",
    "READONLY;MULTI;GET bar;GET k2;EXEC;READWRITE",
    "CLUSTER ADDSLOTS 1",
    "CLUSTER SETSLOT 1 STABLE",
    "CLUSTER SETSLOT 1 NODE $id3",
    "CLUSTER SETSLOT 1 MIGRATING $id3",
    "CLUSTER REPLICATE $me",
    "CLUSTER REPLICATE $id2",
    "CLUSTER FORGET $id2",
    "CLUSTER FORGET $me",
    "CLUSTER COUNTKEYSINSLOT 5061",
    "CLUSTER SAVECONFIG",
    "REPLICAOF NO ONE",
    "SSUBSCRIBE bar;SUNSUBSCRIBE bar",
    "SPUBLISH bar x",
    "MIGRATE 127.0.0.1 $port2 bar 0 1000",
];

/// The same, of the first node, in the third version of the protocol.
const THIRD: &[&str] = &[
    "CLUSTER SLOTS",
    "CLUSTER SHARDS",
    "CLUSTER LINKS",
    "CLUSTER REPLICAS $nosuch",
    "CLUSTER GETKEYSINSLOT 5061 5",
    "GET foo",
    "SPUBLISH bar x",
    "SSUBSCRIBE foo",
    "SSUBSCRIBE bar foo",
];

/// The same, of the first node, when one of its slots is served by nobody.
const DOWN: &[&str] = &[
    "GET k2",
    "SET k2 2",
    "GET foo",
    "SPUBLISH k2 x",
    "SSUBSCRIBE k2;SUNSUBSCRIBE k2",
    "PUBLISH k2 x",
    "MULTI;GET k2;EXEC",
    "MULTI;PING;EXEC",
    "WATCH k2",
    "CONFIG SET cluster-allow-pubsubshard-when-down no",
    "SPUBLISH k2 x",
    "CONFIG SET cluster-allow-reads-when-down yes",
    "GET k2",
    "SET k2 2",
    "MGET k2 {k2}2",
    "GET {k2}2",
    "GET foo",
    "SPUBLISH k2 x",
    "MULTI;GET k2;SET k2 1;EXEC",
    "DBSIZE",
    "CLUSTER SLOTS",
];

/// A node to compare: its ports and ids have other names.
struct Side {
    client: Client,
    names: HashMap<String, String>,
}

impl Side {
    fn of(nodes: &[(SocketAddr, String)]) -> Side {
        let mut names = HashMap::from([("empty".to_owned(), String::new())]);
        for (number, (address, id)) in (1..).zip(nodes) {
            names.insert(format!("port{number}"), address.port().to_string());
            names.insert(format!("id{number}"), id.clone());
        }
        names.insert("me".to_owned(), nodes[0].1.clone());
        Side { client: Client::connect(nodes[0].0), names }
    }

    /// Answers to some commands, in words that are the same on both sides.
    fn say(&mut self, commands: &str) -> Vec<String> {
        let mut answers = Vec::new();
        for command in commands.split(';') {
            let words = command.split(' ').map(|word| match word.strip_prefix('$') {
                Some(name) => self.names[name].clone(),
                None => word.to_owned(),
            });
            let reply = self.client.run(&words.collect::<Vec<_>>());
            answers.push(self.told(command, &reply));
        }
        answers
    }

    fn told(&self, command: &str, reply: &Reply) -> String {
        let mut told = format!("{reply:?}");
        match command {
            // The order is any, times and epochs depend on how it came to this.
            "CLUSTER NODES" => {
                let text = reply.text();
                let lines: Vec<String> = text
                    .lines()
                    .map(|line| {
                        let words: Vec<&str> = line.split(' ').collect();
                        [&words[..4], &words[7..]].concat().join(" ")
                    })
                    .collect();
                told = lines.join("\n");
            }
            "CLUSTER LINKS" => {
                // What comes behind depends on when they began.
                let link = |link: &Reply| {
                    format!("{link:?}").split("create-time").next().map(str::to_owned).unwrap_or_default()
                };
                told = reply.elements().iter().map(link).collect::<Vec<_>>().join("\n");
            }
            "CLUSTER SHARDS" => {
                let shards: Vec<String> = reply.elements().iter().map(|shard| format!("{shard:?}")).collect();
                told = shards.join("\n");
            }
            _ => {}
        }
        let bus = |port: &String| (port.parse::<u32>().expect("a port") + 10_000).to_string();
        let is_masked = |(name, _): &(&String, &String)| *name != "empty" && *name != "me";
        let mut masked: Vec<_> = self.names.iter().filter(is_masked).collect();
        // Ids first: one may have the digits of a port in it.
        masked.sort_unstable_by_key(|(_, value)| Reverse(value.len()));
        for (name, value) in masked {
            // Numbers, text, and bytes as they are printed.
            for value in [value.clone(), if name.starts_with("port") { bus(value) } else { String::new() }] {
                if !value.is_empty() {
                    let bytes: Vec<String> = value.bytes().map(|byte| byte.to_string()).collect();
                    told = told
                        .replace(&bytes.join(", "), &format!("<{name}>"))
                        .replace(&value, &format!("<{name}>"));
                }
            }
        }
        let mut lines: Vec<&str> = told.lines().collect();
        lines.sort_unstable();
        let told = lines.join("\n");
        // Offsets of streams are nobody's business.
        let offset = "\"replication-offset\",";
        let mut parts = told.split(offset);
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |text, part| {
            text + offset + part.trim_start_matches(|char: char| char.is_ascii_digit())
        })
    }
}

fn compare(commands: &[&str], mut ours: Side, mut real: Side) {
    let mut report = String::new();
    for commands in commands {
        let (own, expected) = (ours.say(commands), real.say(commands));
        if own != expected {
            report += &format!("{commands}\n  is   {own:?}\n  not  {expected:?}\n");
        }
    }
    assert!(report.is_empty(), "{report}");
}

#[test]
fn a_node_alone_answers_as_a_real_one() {
    let folder = Folder::new("alone");
    let Some(real) = real_node(&folder, 0) else { return };
    let ours = Program::redis("7.0", &[("cluster-enabled", "yes")]);
    let side = |address: SocketAddr| {
        let id = Client::connect(address).say("CLUSTER MYID").text();
        Side::of(&[(address, id)])
    };
    let (mut own, mut other) = (side(ours.address()), side(real.address()));
    // A real node does not know its own address before others tell it.
    for side in [&mut own, &mut other] {
        side.say("CONFIG SET cluster-announce-ip 127.0.0.1");
    }
    compare(ALONE, own, other);
}

#[test]
fn a_cluster_answers_as_a_real_one() {
    let folder = Folder::new("together");
    let Some(real) = real_cluster(&folder, 3, 0) else { return };
    let ours = cluster(3, 0);
    let (own, other) = (masters(&mut ours.client()), masters(&mut real[0].client()));
    compare(TOGETHER, Side::of(&own), Side::of(&other));
}

#[test]
fn replicas_and_a_cluster_that_is_down_answer_as_real_ones() {
    let folder = Folder::new("replicas");
    let Some(real) = real_cluster(&folder, 3, 1) else { return };
    let ours = cluster(3, 1);
    // The replica of the first master, the masters in the order of their slots, the other replicas.
    let side = |any: SocketAddr| {
        until("all know all", || {
            let slots = Client::connect(any).say("CLUSTER SLOTS");
            slots.elements().len() == 3 && slots.elements().iter().all(|range| range.elements().len() == 4)
        });
        let slots = Client::connect(any).say("CLUSTER SLOTS");
        let replicas: Vec<(SocketAddr, String)> = slots
            .elements()
            .iter()
            .map(|range| {
                let [host, port, id, ..] = range.elements()[3].elements() else { panic!("{range:?}") };
                let at = format!("{}:{}", host.text(), port.integer());
                (at.parse().expect("an address"), id.text())
            })
            .collect();
        let at = replicas[0].0;
        let mut client = Client::connect(at);
        until("the replica is in step", || client.say("INFO replication").text().contains("link_status:up"));
        until("the replica knows the cluster", || {
            let replicas = |range: &Reply| range.elements().len() == 4;
            client.say("CLUSTER SLOTS").elements().iter().all(replicas)
                && client.say("CLUSTER INFO").text().contains("cluster_state:ok")
        });
        let mut nodes = masters(&mut Client::connect(any));
        nodes.insert(0, replicas[0].clone());
        nodes.extend_from_slice(&replicas[1..]);
        nodes
    };
    let (own, other) = (side(ours.address()), side(real[0].address()));
    compare(REPLICA, Side::of(&own), Side::of(&other));
    let of_masters = |nodes: &[(SocketAddr, String)]| {
        let mut nodes = nodes.to_vec();
        nodes.rotate_left(1);
        let mut side = Side::of(&nodes);
        side.names.insert("nosuch".to_owned(), "nosuch".to_owned());
        side
    };
    let third = |nodes: &[(SocketAddr, String)]| {
        let mut side = of_masters(nodes);
        side.client.say("HELLO 3");
        side
    };
    compare(THIRD, third(&own), third(&other));
    for nodes in [&own, &other] {
        let mut client = Client::connect(nodes[1].0);
        client.say("SET k2 1");
        client.say("CLUSTER DELSLOTS 5000");
        until("the cluster is down", || client.say("CLUSTER INFO").text().contains("cluster_state:fail"));
    }
    compare(DOWN, of_masters(&own), of_masters(&other));
}

/// Commands of the first of three nodes while the slot of `bar` goes to the second one.
const WATCHING: &[&str] = &[
    "SET bar 1",
    "WATCH bar;CLUSTER SETSLOT 5061 MIGRATING $id2;MULTI;GET bar;EXEC",
    "WATCH bar {bar}2",
    "UNWATCH",
    "WATCH {bar}2",
    "WATCH bar;MIGRATE 127.0.0.1 $port2 bar 0 1000;MULTI;PING;EXEC",
    "WATCH bar",
    "MULTI;GET bar;EXEC",
    "WATCH {1}none;CLUSTER SETSLOT 9842 NODE $id2;MULTI;PING;EXEC",
    "WATCH k3;CLUSTER SETSLOT 5061 NODE $id2;MULTI;GET k3;EXEC",
    "WATCH bar",
];

#[test]
fn watches_over_a_slot_that_moves_end_as_on_a_real_node() {
    let folder = Folder::new("watching");
    let Some(real) = real_cluster(&folder, 3, 0) else { return };
    let ours = cluster(3, 0);
    let side = |any: &mut Client| {
        let nodes = masters(any);
        let importing = ["CLUSTER", "SETSLOT", "5061", "IMPORTING", &nodes[0].1];
        assert!(!Client::connect(nodes[1].0).run(&importing).is_error());
        Side::of(&nodes)
    };
    compare(WATCHING, side(&mut ours.client()), side(&mut real[0].client()));
}

#[test]
fn replicas_take_over_with_force_as_real_ones_do() {
    let folder = Folder::new("force");
    let Some(real) = real_cluster(&folder, 3, 1) else { return };
    let ours = cluster(3, 1);
    for any in [ours.address(), real[0].address()] {
        let slots = Client::connect(any).say("CLUSTER SLOTS");
        let [mut master, mut replica] = [2, 3].map(|at| {
            let [host, port, ..] = slots.elements()[0].elements()[at].elements() else { panic!("{slots:?}") };
            let address = format!("{}:{}", host.text(), port.integer());
            Client::connect(address.parse().expect("an address"))
        });
        let in_step = |replica: &mut Client| {
            until("it is in step", || replica.say("INFO replication").text().contains("link_status:up"));
        };
        for (round, how) in ["FORCE", "TAKEOVER"].iter().enumerate() {
            in_step(&mut replica);
            assert_eq!(master.run(&["SET", "bar", &round.to_string()]), Reply::Status(b"OK".to_vec()));
            assert_eq!(master.say("WAIT 1 10000").integer(), 1);
            let refused = master.say(&format!("CLUSTER FAILOVER {how}"));
            assert_eq!(refused.text(), "ERR You should send CLUSTER FAILOVER to a replica");
            let taken = replica.say(&format!("CLUSTER FAILOVER {how}"));
            assert_eq!(taken, Reply::Status(b"OK".to_vec()), "{how}");
            until("it serves the slots", || !replica.say("GET bar").is_error());
            assert_eq!(replica.say("GET bar").text(), round.to_string());
            assert_eq!(replica.say("SET bar more"), Reply::Status(b"OK".to_vec()));
            until("the other follows", || master.say("ROLE").elements()[0].text() == "slave");
            assert!(master.say("SET bar 1").text().starts_with("MOVED 5061 "));
            (master, replica) = (replica, master);
        }
    }
}

/// What `redis-cli --cluster fix` prints, with all that it asks for granted.
fn fix(any: &str) -> String {
    let mut command = redis_program("redis-cli").expect("redis-cli is there");
    let command = command.args(["--cluster", "fix", any]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut cli = command.spawn().expect("the program starts");
    // It asks as often as there are kinds of slots that nobody serves, or never.
    let _ = cli.stdin.take().expect("its input is piped").write_all(b"yes\nyes\nyes\n");
    let done = cli.wait_with_output().expect("it ends");
    String::from_utf8_lossy(&done.stdout).into_owned()
}

#[test]
fn redis_cli_mends_slots_that_are_open_or_uncovered() {
    let program = cluster(3, 0);
    let nodes = masters(&mut program.client());
    let any = nodes[0].0.to_string();
    let Some(_) = manage(&["check", &any]) else { return };
    let mut clients: Vec<Client> = nodes.iter().map(|(address, _)| Client::connect(*address)).collect();
    let ids: Vec<&str> = nodes.iter().map(|(_, id)| id.as_str()).collect();
    // `redis-cli --cluster check` fails where something is wrong.
    let is_sound = || {
        let checked =
            redis_program("redis-cli").map(|mut cli| cli.args(["--cluster", "check", &any]).output());
        checked.is_some_and(|checked| checked.expect("it starts").status.success())
    };
    for number in 0..200 {
        assert!(!Writer::new(nodes[0].0).run(&["SET", &format!("k{number}"), "1"]).is_error());
    }
    assert_eq!(clients[0].say("SET bar 1"), Reply::Status(b"OK".to_vec()));
    // Each breaks the slots in its own way: node, command.
    let (second, third) = (ids[1], ids[2]);
    let broken: &[(&str, &[(usize, &str)])] = &[
        ("migrating with keys", &[(0, "CLUSTER SETSLOT 5061 MIGRATING $second")]),
        ("importing", &[(0, "CLUSTER SETSLOT 12182 IMPORTING $third")]),
        (
            "both",
            &[(0, "CLUSTER SETSLOT 5061 MIGRATING $second"), (1, "CLUSTER SETSLOT 5061 IMPORTING $first")],
        ),
        (
            "one key has gone",
            &[
                (0, "SET {k2}2 1"),
                (0, "CLUSTER SETSLOT 449 MIGRATING $second"),
                (1, "CLUSTER SETSLOT 449 IMPORTING $first"),
                (0, "MIGRATE 127.0.0.1 $port2 {k2}2 0 5000"),
            ],
        ),
        (
            "migrating to one and importing elsewhere",
            &[(0, "CLUSTER SETSLOT 100 MIGRATING $second"), (2, "CLUSTER SETSLOT 100 IMPORTING $first")],
        ),
        ("served by nobody, without keys", &[(1, "CLUSTER DELSLOTS 9842")]),
        ("served by nobody, with keys", &[(2, "CLUSTER DELSLOTS 12182"), (1, "CLUSTER DELSLOTS 5798 5799")]),
    ];
    for (what, commands) in broken {
        for (node, line) in *commands {
            let line = line
                .replace("$first", ids[0])
                .replace("$second", second)
                .replace("$third", third)
                .replace("$port2", &nodes[1].0.port().to_string());
            let reply = clients[*node].say(&line);
            assert!(!reply.is_error(), "{what}, {line}: {reply:?}");
        }
        assert!(!is_sound(), "{what}: nothing is wrong");
        let fixed = fix(&any);
        assert!(is_sound(), "{what}: {fixed}");
    }
    let mut reader = Writer::new(nodes[0].0);
    assert_eq!(reader.run(&["GET", "{k2}2"]).text(), "1");
    for number in 0..200 {
        assert_eq!(reader.run(&["GET", &format!("k{number}")]).text(), "1", "k{number}");
    }
}

/// Writes by this test's own client of a cluster, which knows redirections.
struct Writer {
    nodes: HashMap<SocketAddr, Client>,
    at: SocketAddr,
}

impl Writer {
    fn new(at: SocketAddr) -> Writer {
        Writer { nodes: HashMap::new(), at }
    }

    fn run(&mut self, args: &[&str]) -> Reply {
        let (mut at, mut asks) = (self.at, false);
        loop {
            let client = self.nodes.entry(at).or_insert_with(|| Client::connect(at));
            if asks {
                client.say("ASKING");
            }
            let reply = client.run(args);
            let text = if reply.is_error() { reply.text() } else { return reply };
            let words: Vec<&str> = text.split(' ').collect();
            match words[..] {
                ["MOVED", _, address] => (at, asks) = (address.parse().expect("an address"), false),
                ["ASK", _, address] => (at, asks) = (address.parse().expect("an address"), true),
                ["TRYAGAIN", ..] => std::thread::sleep(Duration::from_millis(1)),
                _ => panic!("{args:?}: {text}"),
            }
        }
    }
}

#[test]
fn redis_cli_manages_a_cluster_while_it_is_written_to() {
    let program = cluster(3, 0);
    let nodes = masters(&mut program.client());
    let any = nodes[0].0.to_string();
    let Some(checked) = manage(&["check", &any]) else { return };
    assert!(checked.contains("All 16384 slots covered"), "{checked}");
    let stopped = Arc::new(AtomicBool::new(false));
    let writer = {
        let (stopped, at) = (Arc::clone(&stopped), nodes[0].0);
        std::thread::spawn(move || {
            let mut writer = Writer::new(at);
            let mut written = 0_i64;
            while !stopped.load(Ordering::Relaxed) || written < 500 {
                let key = format!("key:{}", written % 500);
                writer.run(&["INCR", &key]);
                if written % 7 == 0 {
                    writer.run(&["RPUSH", &format!("list:{{{key}}}"), "x"]);
                }
                written += 1;
            }
            written
        })
    };
    let run = |args: &[&str]| manage(args).expect("redis-cli is there");
    let [(_, first), (_, second), _] = &nodes[..] else { panic!("{nodes:?}") };
    run(&reshard(&any, first, second, "200"));
    run(&["rebalance", &any, "--cluster-threshold", "1"]);
    let mut client = Client::connect(nodes[0].0);
    // What is left half done is put in order.
    client.run(&["CLUSTER", "SETSLOT", "100", "MIGRATING", second]);
    Client::connect(nodes[1].0).run(&["CLUSTER", "SETSLOT", "100", "IMPORTING", first]);
    let fixed = run(&["fix", &any]);
    assert!(fixed.contains("All 16384 slots covered"), "{fixed}");
    stopped.store(true, Ordering::Relaxed);
    let written = writer.join().expect("every write is acknowledged");
    let checked = run(&["check", &any]);
    assert!(checked.contains("All 16384 slots covered") && !checked.contains("WARNING"), "{checked}");
    let mut reader = Writer::new(nodes[2].0);
    let sum: i64 = (0..500)
        .map(|number| reader.run(&["GET", &format!("key:{number}")]).text().parse::<i64>().expect("a number"))
        .sum();
    assert_eq!(sum, written);
    let pushed: i64 =
        (0..500).map(|number| reader.run(&["LLEN", &format!("list:{{key:{number}}}")]).integer()).sum();
    assert_eq!(pushed, (written + 6) / 7);
}

#[test]
fn transactions_that_watch_lose_nothing_while_their_slots_move() {
    let program = cluster(3, 0);
    let nodes = masters(&mut program.client());
    let any = nodes[0].0.to_string();
    let Some(_) = manage(&["check", &any]) else { return };
    let stopped = Arc::new(AtomicBool::new(false));
    let keys: Vec<String> = (0..40).map(|number| format!("n{number}")).collect();
    let counting: Vec<_> = (0..3)
        .map(|_| {
            let (stopped, at, keys) = (Arc::clone(&stopped), nodes[0].0, keys.clone());
            std::thread::spawn(move || {
                let (mut known, mut counted) = (HashMap::new(), vec![0; keys.len()]);
                let mut place = vec![at; keys.len()];
                while !stopped.load(Ordering::Relaxed) {
                    for (number, key) in keys.iter().enumerate() {
                        let at = place[number];
                        let client = known.entry(at).or_insert_with(|| Client::connect(at));
                        match count_up(client, key) {
                            Ok(done) => counted[number] += i64::from(done),
                            Err(elsewhere) => place[number] = elsewhere.unwrap_or(at),
                        }
                    }
                }
                counted
            })
        })
        .collect();
    let [(_, first), (_, second), (_, third)] = &nodes[..] else { panic!("{nodes:?}") };
    for (from, to) in [(first, second), (second, third), (third, first)] {
        manage(&reshard(&any, from, to, "1000")).expect("redis-cli is there");
    }
    stopped.store(true, Ordering::Relaxed);
    let counted: Vec<Vec<i64>> =
        counting.into_iter().map(|thread| thread.join().expect("it goes on")).collect();
    let mut reader = Writer::new(nodes[0].0);
    for (number, key) in keys.iter().enumerate() {
        let sum: i64 = counted.iter().map(|own| own[number]).sum();
        assert!(sum > 0, "{key} is counted up");
        assert_eq!(reader.run(&["GET", key]).text(), sum.to_string(), "{key}");
    }
}

/// Counts a key up as who has read it and finds it unchanged: whether it has been. Otherwise where it is now, as far as
/// that is known: while its slot moves it is to be tried again.
fn count_up(client: &mut Client, key: &str) -> Result<bool, Option<SocketAddr>> {
    let told = |reply: Reply| match reply {
        Reply::Error(_) => match reply.text().split(' ').collect::<Vec<_>>()[..] {
            ["MOVED", _, address] => Err(Some(address.parse().expect("an address"))),
            ["ASK" | "TRYAGAIN" | "EXECABORT", ..] => Err(None),
            _ => panic!("{key}: {reply:?}"),
        },
        reply => Ok(reply),
    };
    let mut attempt = || {
        told(client.run(&["WATCH", key]))?;
        let value = match told(client.run(&["GET", key]))? {
            Reply::Nil => 0,
            value => value.text().parse::<i64>().expect("a number"),
        };
        client.say("MULTI");
        told(client.run(&["SET", key, &(value + 1).to_string()]))?;
        Ok(matches!(told(client.say("EXEC"))?, Reply::Array(_)))
    };
    let done = attempt();
    if done.is_err() {
        client.say("DISCARD");
        client.say("UNWATCH");
    }
    done
}

#[test]
fn who_waits_for_a_slot_that_goes_is_sent_on() {
    let program = cluster(3, 0);
    let nodes = masters(&mut program.client());
    let mut waiting = Client::connect(nodes[0].0);
    waiting.send(&["BLPOP", "{bar}list", "0"]);
    let mut listening = Client::connect(nodes[0].0);
    listening.run(&["SSUBSCRIBE", "bar"]);
    listening.run(&["SSUBSCRIBE", "k3"]);
    let mut client = Client::connect(nodes[0].0);
    until("the client waits", || client.say("INFO clients").text().contains("blocked_clients:1"));
    let moved = client.run(&["CLUSTER", "SETSLOT", "5061", "NODE", &nodes[1].1]);
    assert_eq!(moved, Reply::Status(b"OK".to_vec()));
    let told = format!("MOVED 5061 {}", nodes[1].0);
    assert_eq!(waiting.read().text(), told);
    let gone = listening.read();
    assert_eq!(gone.elements()[0].text(), "sunsubscribe");
    assert_eq!((gone.elements()[1].text().as_str(), gone.elements()[2].integer()), ("bar", 1));
    assert_eq!(listening.run(&["SSUBSCRIBE", "bar"]).text(), told);
    assert_eq!(client.run(&["PUBSUB", "SHARDCHANNELS"]).elements().len(), 1);
}

#[test]
fn keys_go_to_and_come_from_a_real_server() {
    let Some(real) = Oracle::start() else { return };
    let ours = Program::redis("7.0", &[]);
    // A real server keeps the connection, and need not log in again.
    for (mut from, mut to, port, logs_in) in [
        (ours.client(), real.client(), real.address().port(), true),
        (real.client(), ours.client(), ours.address().port(), false),
    ] {
        let port = port.to_string();
        let migrate = |from: &mut Client, rest: &[&str]| {
            let args = [&["MIGRATE", "127.0.0.1", &port][..], rest].concat();
            from.run(&args).text()
        };
        let refused = |error: &str| format!("ERR Target instance replied with error: {error}");
        assert_eq!(migrate(&mut from, &["none", "0", "1000"]), "NOKEY");
        from.say("MSET a 1 b 2 c 3");
        from.say("RPUSH list x y");
        from.say("PEXPIRE b 100000");
        assert_eq!(migrate(&mut from, &["a", "3", "1000", "COPY"]), "OK");
        let busy = refused("BUSYKEY Target key name already exists.");
        assert_eq!(migrate(&mut from, &["a", "3", "1000"]), busy);
        assert_eq!(migrate(&mut from, &["a", "3", "1000", "REPLACE"]), "OK");
        assert_eq!(migrate(&mut from, &["", "3", "1000", "KEYS", "b", "nosuch", "list"]), "OK");
        assert_eq!(migrate(&mut from, &["c", "99", "1000"]), refused("ERR DB index is out of range"));
        assert_eq!(from.say("KEYS *").elements().len(), 1);
        to.say("SELECT 3");
        assert_eq!((to.say("GET a").text(), to.say("LLEN list").integer()), ("1".to_owned(), 2));
        assert!((90_000..=100_000).contains(&to.say("PTTL b").integer()));
        to.say("FLUSHALL");
        if logs_in {
            to.say("CONFIG SET requirepass secret");
            assert_eq!(migrate(&mut from, &["c", "3", "1000"]), refused("NOAUTH Authentication required."));
            assert_eq!(migrate(&mut from, &["c", "3", "1000", "AUTH", "secret"]), "OK");
            from.say("SET c 4");
            let login = ["c", "3", "1000", "REPLACE", "AUTH2", "default", "secret"];
            assert_eq!(migrate(&mut from, &login), "OK");
            assert_eq!((from.say("EXISTS c").integer(), to.say("GET c").text()), (0, "4".to_owned()));
            to.run(&["CONFIG", "SET", "requirepass", ""]);
            to.say("FLUSHALL");
        }
    }
}

/// A client library that runs against a cluster until it is told to stop.
struct Live(Child, BufReader<std::process::ChildStdout>);

impl Live {
    /// Nothing if the libraries have not been installed; fails instead where the environment requires it.
    fn start(interpreter: &str, file: &str, at: SocketAddr) -> Option<Live> {
        let mut process = script(interpreter, file)?
            .args([&at.ip().to_string(), &at.port().to_string(), PASSWORD])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the interpreter starts");
        let output = BufReader::new(process.stdout.take().expect("its output is piped"));
        let mut live = Live(process, output);
        assert_eq!(live.line(), "ready", "{file}");
        Some(live)
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.1.read_line(&mut line).expect("it goes on");
        line.trim_end().to_owned()
    }

    /// Tells it to stop; what it says of its writes. It has to find all of them.
    fn stop(mut self) -> String {
        drop(self.0.stdin.take());
        let said = self.line();
        assert!(self.0.wait().expect("it ends").success(), "{said}");
        said
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The password of clusters that are made over REST.
const PASSWORD: &str = "First_Pw1";

/// A connection to a node of such a cluster.
fn connected(at: SocketAddr) -> Client {
    let mut client = Client::connect(at);
    client.run(&["AUTH", PASSWORD]);
    client
}

/// Makes a cluster of three masters with a replica each over REST: its id, and where its first master listens.
fn instance(server: &Server) -> (String, SocketAddr) {
    let token = server.token();
    let order = json!({
        "name": "dcs-c", "engine": "Redis", "engine_version": "5.0", "capacity": 4,
        "spec_code": "redis.cluster.xu1.large.r2.4", "password": PASSWORD, "vpc_id": "v", "subnet_id": "s",
        "available_zones": ["ae04cf9d61544df3806a3feeb401b204"],
    });
    let created = server.ask("POST", &server.instances(), &token, &order);
    let id = created.body["instance_id"].as_str().expect("it is made").to_owned();
    let shown = server.ask("GET", &format!("{}/{id}", server.instances()), &token, &Value::Null).body;
    let port = shown["port"].as_u64().and_then(|port| u16::try_from(port).ok()).expect("it has a port");
    (id, SocketAddr::from(([127, 0, 0, 1], port)))
}

#[test]
fn clients_lose_no_write_while_slots_move_and_replicas_take_over() {
    // As users have it: an instance that was made over REST, whose nodes ask for a password.
    let server = Server::start(&["--ephemeral", "--all-commands"]);
    let (id, at) = instance(&server);
    let nodes = masters(&mut connected(at));
    assert_eq!((nodes.len(), nodes[0].0), (3, at));
    let replicas: Vec<SocketAddr> = connected(at)
        .say("CLUSTER SLOTS")
        .elements()
        .iter()
        .map(|range| {
            format!("127.0.0.1:{}", range.elements()[3].elements()[1].integer()).parse().expect("an address")
        })
        .collect();
    let in_step = |replica: SocketAddr| {
        let mut client = connected(replica);
        until("the replica is in step", || {
            client.say("INFO replication").text().contains("master_link_status:up")
        });
    };
    replicas.iter().for_each(|replica| in_step(*replica));
    let Some(python) = Live::start("python3", "live.py", at) else { return };
    let Some(node) = Live::start("node", "live.mjs", at) else { return };
    let Some(mut cli) = redis_program("redis-cli") else { return };
    let [(_, first), (_, second), (third, _)] = &nodes[..] else { panic!("{nodes:?}") };
    let any = at.to_string();
    output(cli.env("REDISCLI_AUTH", PASSWORD).arg("--cluster").args(reshard(&any, first, second, "300")));

    // A replica asks to take over, the owner of the machine has one take over, and a master ends, and one hangs.
    let is_master = |at: SocketAddr| {
        let mut client = connected(at);
        until("the replica is a master", || client.say("ROLE").elements()[0].text() == "master");
    };
    assert_eq!(connected(replicas[1]).run(&["CLUSTER", "FAILOVER"]), Reply::Status(b"OK".to_vec()));
    is_master(replicas[1]);
    for (what, status) in [("failover?shard=2", 204), ("fail/stop?shard=2", 202), ("fail/hang?shard=2", 202)]
    {
        let heir = if what.starts_with("fail/stop") { *third } else { replicas[2] };
        in_step(heir);
        let path = format!("/admin/instances/{id}/{what}");
        let answer = server.ask("POST", &path, "", &Value::Null);
        assert_eq!(answer.status, status, "{what}: {}", answer.body);
        is_master(heir);
    }
    // Each goes on for a while with the cluster as it is now.
    std::thread::sleep(Duration::from_millis(300));
    for client in [python, node] {
        let said = client.stop();
        let writes: u64 = said.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0);
        assert!(writes >= 300 && said.ends_with("writes are kept"), "{said}");
    }
}

/// A second network, which reaches this one by an address of its own.
struct Network {
    name: String,
    link: String,
    address: String,
    /// With which clients there log in.
    password: Option<&'static str>,
}

impl Network {
    /// Makes it; the test has to be root for that.
    fn new(password: Option<&'static str>) -> Network {
        let number = std::process::id() % 100_000;
        // Tests that run at the same time have networks of their own.
        let subnet = format!("10.231.{}", number % 250);
        let address = format!("{subnet}.1");
        let network =
            Network { name: format!("carn{number}"), link: format!("cv{number}"), address, password };
        let (name, link) = (&network.name, &network.link);
        let (own, other) = (format!("{subnet}.1/24"), format!("{subnet}.2/24"));
        let peer = format!("{link}p");
        for words in [
            &["netns", "add", name][..],
            &["link", "add", link, "type", "veth", "peer", "name", &peer],
            &["link", "set", &peer, "netns", name],
            &["addr", "add", &own, "dev", link],
            &["link", "set", link, "up"],
            &["-n", name, "addr", "add", &other, "dev", &peer],
            &["-n", name, "link", "set", &peer, "up"],
        ] {
            output(Command::new("ip").args(words));
        }
        network
    }

    /// redis-cli, run there.
    fn cli(&self, port: u16, args: &[&str]) -> String {
        let port = port.to_string();
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, "redis-cli", "-h", &self.address, "-p", &port]);
        if let Some(password) = self.password {
            command.env("REDISCLI_AUTH", password);
        }
        output(command.args(args))
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for words in [["link", "del", &self.link], ["netns", "del", &self.name]] {
            let _ = Command::new("ip").args(words).status();
        }
    }
}

#[test]
fn a_cluster_is_reached_from_two_networks_at_once() {
    if redis_program("redis-cli").is_none() {
        return;
    }
    let network = Network::new(None);
    let program = Program::redis_with(&["--release", "7.0", "--cluster", "3", "--bind", "0.0.0.0"], &[]);
    let port = program.address().port();
    let mut client = Client::connect(([127, 0, 0, 1], port).into());
    let nodes = masters(&mut client);
    assert!(nodes.iter().all(|(address, _)| address.ip().to_string() == "127.0.0.1"), "{nodes:?}");
    let moved = |host: &str| format!("MOVED 5061 {host}:{}", nodes[0].0.port());
    assert_eq!(client.say("GET bar").text(), moved("127.0.0.1"));
    assert_eq!(network.cli(port, &["GET", "bar"]).trim_end(), moved(&network.address));
    // Each follows what it is told, and both see the same keys.
    for number in 0..30 {
        let (key, value) = (format!("key:{number}"), format!("value:{number}"));
        assert_eq!(network.cli(port, &["-c", "SET", &key, &value]).trim_end(), "OK");
        let mut reader = Writer::new(nodes[0].0);
        assert_eq!(reader.run(&["GET", &key]).text(), value);
    }
    for command in ["SLOTS", "NODES", "SHARDS"] {
        let told = network.cli(port, &["CLUSTER", command]);
        assert!(told.contains(&network.address) && !told.contains("127.0.0.1"), "{command}: {told}");
        let told = format!("{:?}", client.run(&["CLUSTER", command]));
        assert!(!told.contains(&network.address), "{command}: {told}");
    }
    // What is configured is told to all.
    client.say("CONFIG SET cluster-announce-ip 192.0.2.7");
    let own = network.cli(port, &["CLUSTER", "NODES"]);
    assert!(own.contains(&format!("192.0.2.7:{port}@")), "{own}");
}

#[test]
fn a_cluster_that_was_made_over_rest_is_reached_from_two_networks_at_once() {
    let Some(_) = redis_program("redis-cli") else { return };
    let network = Network::new(Some(PASSWORD));
    let server = Server::start(&["--ephemeral", "--bind", "0.0.0.0"]);
    let (_, at) = instance(&server);
    let mut client = connected(at);
    let nodes = masters(&mut client);
    assert!(nodes.iter().all(|(address, _)| address.ip().to_string() == "127.0.0.1"), "{nodes:?}");
    let second = nodes[1].0.port();
    let moved = |host: &str| format!("MOVED 9842 {host}:{second}");
    assert_eq!(client.say("GET 1").text(), moved("127.0.0.1"));
    assert_eq!(network.cli(at.port(), &["GET", "1"]).trim_end(), moved(&network.address));
    // What one writes while it is sent from node to node the other reads, at the same time.
    std::thread::scope(|scope| {
        let there = scope.spawn(|| {
            for number in 0..60 {
                let (key, value) = (format!("key:{number}"), format!("value:{number}"));
                assert_eq!(network.cli(at.port(), &["-c", "SET", &key, &value]).trim_end(), "OK");
            }
        });
        for number in 0..60 {
            let key = format!("key:{number}");
            let value = || {
                let told = output(Command::new("redis-cli").env("REDISCLI_AUTH", PASSWORD).args([
                    "-c",
                    "-p",
                    &at.port().to_string(),
                    "GET",
                    &key,
                ]));
                told.trim_end() == format!("value:{number}")
            };
            until("what was written there is read here", value);
        }
        there.join().expect("it goes on");
    });
    for command in ["SLOTS", "NODES"] {
        let told = network.cli(at.port(), &["CLUSTER", command]);
        assert!(told.contains(&network.address) && !told.contains("127.0.0.1"), "{command}: {told}");
    }
}

/// A server that takes keys when it is told to; what it was sent, for each connection.
fn slow_server() -> (u16, std::sync::mpsc::Sender<()>, std::thread::JoinHandle<Vec<String>>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let port = listener.local_addr().expect("it is bound").port();
    let (take, told) = std::sync::mpsc::channel::<()>();
    let server = std::thread::spawn(move || {
        let mut sent = Vec::new();
        while told.recv().is_ok() {
            let (mut stream, _) = listener.accept().expect("somebody comes");
            let mut bytes = Vec::new();
            let mut buffer = [0; 4096];
            while !String::from_utf8_lossy(&bytes).contains("RESTORE") {
                let len = stream.read(&mut buffer).expect("somebody sends");
                bytes.extend_from_slice(&buffer[..len]);
            }
            stream.write_all(b"+OK\r\n+OK\r\n").expect("somebody reads");
            sent.push(String::from_utf8_lossy(&bytes).into_owned());
        }
        sent
    });
    (port, take, server)
}

#[test]
fn keys_on_their_way_are_read_and_not_written() {
    let program = Program::redis("7.0", &[]);
    let (port, take, server) = slow_server();
    let port = port.to_string();
    let (mut client, mut mover, mut writer) = (program.client(), program.client(), program.client());
    client.say("RPUSH list a");
    mover.send(&["MIGRATE", "127.0.0.1", &port, "list", "0", "10000"]);
    until("the key is on its way", || client.say("CLIENT LIST").text().contains("cmd=migrate"));
    writer.send(&["RPUSH", "list", "b"]);
    let mut transaction = program.client();
    transaction.say("MULTI");
    transaction.say("DEL list");
    transaction.send(&["EXEC"]);
    // Others are served, and it can be read.
    assert_eq!(client.say("LRANGE list 0 -1").elements().len(), 1);
    assert_eq!(client.say("SET other 1"), Reply::Status(b"OK".to_vec()));
    assert_eq!(client.say("EXISTS list").integer(), 1);
    take.send(()).expect("the server waits");
    assert_eq!(mover.read(), Reply::Status(b"OK".to_vec()));
    // Both come after it has left, in any order.
    assert_eq!(writer.read().integer(), 1);
    let deleted = transaction.read().elements()[0].integer();
    assert_eq!(client.say("EXISTS list").integer(), 1 - deleted);
    drop(take);
    assert_eq!(server.join().expect("the server ends").len(), 1);
}

#[test]
fn what_changes_on_its_way_is_sent_again() {
    let program = Program::redis("7.0", &[]);
    let (port, take, server) = slow_server();
    let port = port.to_string();
    let (mut client, mut mover, mut waiting) = (program.client(), program.client(), program.client());
    client.say("RPUSH list a");
    waiting.send(&["BLMOVE", "source", "list", "LEFT", "RIGHT", "0"]);
    until("the client waits", || client.say("INFO clients").text().contains("blocked_clients:1"));
    mover.send(&["MIGRATE", "127.0.0.1", &port, "list", "0", "10000"]);
    until("the key is on its way", || client.say("CLIENT LIST").text().contains("cmd=migrate"));
    // Whoever is served cannot be held back.
    assert_eq!(client.say("RPUSH source b").integer(), 1);
    assert_eq!(waiting.read().text(), "b");
    assert_eq!(client.say("LLEN list").integer(), 2);
    for _ in 0..2 {
        take.send(()).expect("the server waits");
    }
    assert_eq!(mover.read(), Reply::Status(b"OK".to_vec()));
    assert_eq!(client.say("EXISTS list").integer(), 0);
    drop(take);
    let sent = server.join().expect("the server ends");
    assert_eq!(sent.iter().map(|bytes| bytes.contains("REPLACE")).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn a_server_that_does_not_answer_gets_no_key() {
    let program = Program::redis("7.0", &[]);
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let port = silent.local_addr().expect("it is bound").port().to_string();
    let mut client = program.client();
    client.say("SET k 1");
    let reply = client.run(&["MIGRATE", "127.0.0.1", &port, "k", "0", "50"]);
    assert_eq!(reply.text(), "IOERR error or timeout reading to target instance");
    assert_eq!(client.say("INCR k").integer(), 2);
}

#[test]
fn keys_of_a_slot_that_is_taken_away_are_deleted() {
    let program = cluster(3, 0);
    let nodes = masters(&mut program.client());
    let (mut loser, mut taker) = (Client::connect(nodes[0].0), Client::connect(nodes[1].0));
    loser.say("SET bar 1");
    loser.say("SET k3 1");
    for command in ["CLUSTER DELSLOTS 5061", "CLUSTER ADDSLOTS 5061", "CLUSTER BUMPEPOCH"] {
        assert!(!taker.say(command).is_error(), "{command}");
    }
    until("the key is gone", || loser.say("CLUSTER COUNTKEYSINSLOT 5061").integer() == 0);
    assert_eq!(loser.say("GET k3").text(), "1");
    assert_eq!(loser.say("GET bar").text(), format!("MOVED 5061 {}", nodes[1].0));
}

#[test]
fn redis_cli_takes_nodes_out_and_puts_them_back() {
    let program = cluster(2, 1);
    let nodes = masters(&mut program.client());
    let any = nodes[0].0.to_string();
    let own = program.client().say("CLUSTER MYID").text();
    let known = |client: &mut Client| client.say("CLUSTER NODES").text().lines().count();
    let Some(_) = manage(&["del-node", &any, &own]) else { return };
    let (mut first, mut replica) = (Client::connect(nodes[0].0), program.client());
    assert_eq!((known(&mut first), known(&mut replica)), (3, 1));
    assert_eq!(replica.say("ROLE").elements()[0].text(), "master");
    let address = program.address().to_string();
    first.say("SET {bar} 1");
    manage(&["add-node", &address, &any, "--cluster-slave", "--cluster-master-id", &nodes[0].1]);
    assert_eq!(known(&mut first), 4);
    until("the replica has the keys of its new master", || {
        replica.say("READONLY");
        replica.say("EXISTS {bar}").integer() == 1
    });
    assert_eq!(replica.say("CLUSTER FAILOVER"), Reply::Status(b"OK".to_vec()));
    until("it is the master", || replica.say("SET {bar} 2") == Reply::Status(b"OK".to_vec()));
    let checked = manage(&["check", &address]).expect("redis-cli is there");
    assert!(checked.contains("All 16384 slots covered") && !checked.contains("ERR"), "{checked}");
}
