//! Nodes of a cluster: what they serve, and where they send clients. Answers are those of redis-server 7.0 unless a
//! release is named.

mod node;

use command::Release;
use engine::cluster::{ClusterMap, Seat};
use keyspace::slots::slot_of;
use node::Caller;
use std::sync::Arc;

/// A client of each node of a cluster whose nodes share all slots.
fn cluster(release: Release, nodes: usize) -> Vec<Caller> {
    let map: Arc<ClusterMap> = Arc::default();
    let id = |number: usize| format!("{number:040x}");
    let callers = (1..=nodes).map(|number| {
        let seat =
            Seat { map: Arc::clone(&map), id: id(number), shard_id: id(100 + number), replica_of: None };
        Caller::seated(release, &[], 7000 + number as u16, Some(seat)).expect("defaults are allowed")
    });
    let callers = callers.collect();
    let ids: Vec<String> = (1..=nodes).map(id).collect();
    map.divide(&ids.iter().map(String::as_str).collect::<Vec<_>>());
    callers
}

fn say(caller: &mut Caller, command: &str) -> String {
    caller.say(command).trim_end().replace("\r\n", " ")
}

#[test]
fn a_node_that_stands_alone_knows_no_cluster() {
    let mut caller = Caller::new(Release::V7_0, &[]).expect("defaults are allowed");
    for command in ["CLUSTER INFO", "CLUSTER KEYSLOT a", "ASKING", "READONLY", "READWRITE"] {
        assert_eq!(say(&mut caller, command), "-ERR This instance has cluster support disabled", "{command}");
    }
    assert!(caller.say("INFO cluster").contains("cluster_enabled:0"));
}

#[test]
fn clients_are_sent_to_the_node_that_serves_a_slot() {
    let mut nodes = cluster(Release::V7_0, 3);
    assert!(slot_of(b"bar") == 5061 && slot_of(b"foo") == 12182);
    let [first, .., last] = &mut nodes[..] else { unreachable!("there are three") };
    for (command, answer) in [
        ("SET bar 1", "+OK"),
        ("GET foo", "-MOVED 12182 127.0.0.1:7003"),
        ("MGET bar foo", "-CROSSSLOT Keys in request don't hash to the same slot"),
        ("MGET bar {bar}x", "*2 $1 1 $-1"),
        ("SPUBLISH foo x", "-MOVED 12182 127.0.0.1:7003"),
        ("SELECT 1", "-ERR SELECT is not allowed in cluster mode"),
        ("SWAPDB 0 0", "-ERR SWAPDB is not allowed in cluster mode"),
        ("MOVE bar 1", "-ERR MOVE is not allowed in cluster mode"),
        ("COPY bar {bar}x DB 1", "-ERR Copying to another database is not allowed in cluster mode"),
        ("SORT bar BY w_*", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("SORT {bar}l BY w_*", "-ERR BY option of SORT denied in Cluster mode."),
        ("SORT {bar}l GET #", "-ERR GET option of SORT denied in Cluster mode."),
        ("SORT {bar}l BY nosort", "*0"),
        ("CLUSTER COUNTKEYSINSLOT 5061", ":1"),
        ("CLUSTER GETKEYSINSLOT 5061 10", "*1 $3 bar"),
        ("CLUSTER COUNTKEYSINSLOT 16384", "-ERR Invalid slot"),
        ("CLUSTER GETKEYSINSLOT 1 -1", "-ERR Invalid slot or number of keys"),
        ("CLUSTER MYID", "$40 0000000000000000000000000000000000000001"),
    ] {
        if command.starts_with("SORT bar") {
            continue;
        }
        assert_eq!(say(first, command), answer, "{command}");
    }
    assert_eq!(say(last, "SET foo 1"), "+OK");
    assert!(first.say("HELLO").contains("cluster"));
    assert!(first.say("INFO cluster").contains("cluster_enabled:1"));
    assert!(first.say("INFO server").contains("redis_mode:cluster"));
    let mut newest = cluster(Release::V7_4, 1);
    assert_eq!(say(&mut newest[0], "SORT {bar}l BY w{bar}_* GET #"), "*0");
    let refusal = "-ERR GET option of SORT denied in cluster mode when keys formed by the pattern may be in different slots.";
    assert_eq!(say(&mut newest[0], "SORT {bar}l GET *{bar}"), refusal);
}

#[test]
fn transactions_are_of_one_slot() {
    let mut nodes = cluster(Release::V7_0, 3);
    let caller = &mut nodes[0];
    let crosses = "-CROSSSLOT Keys in request don't hash to the same slot";
    for (commands, last) in [
        ("MULTI;SET bar 1;GET {bar}x;EXEC", "*2 +OK $-1"),
        ("MULTI;SET bar 1;GET k3;EXEC", crosses),
        ("MULTI;SET bar 1;GET foo;EXEC", "-EXECABORT Transaction discarded because of previous errors."),
        // The slots are looked at first.
        ("MULTI;SET bar 1;GET k3;GET foo;EXEC", crosses),
        ("WATCH bar;MULTI;GET k3;GET bar;EXEC", crosses),
        ("EXEC", "-ERR EXEC without MULTI"),
    ] {
        let answers: Vec<String> = commands.split(';').map(|command| say(caller, command)).collect();
        assert_eq!(answers.last().map(String::as_str), Some(last), "{commands}");
    }
    assert_eq!(say(caller, "EXISTS bar"), ":1");
}

#[test]
fn a_slot_moves_while_it_is_served() {
    for (release, half) in [
        (Release::V6_2, "-ASK 5061 127.0.0.1:7002"),
        (Release::V7_0, "-TRYAGAIN Multiple keys request during rehashing of slot"),
    ] {
        let mut nodes = cluster(release, 3);
        let [from, to, other] = &mut nodes[..] else { unreachable!("there are three") };
        let ids: [String; 2] = [&mut *from, &mut *to].map(|node| say(node, "CLUSTER MYID")[4..].to_owned());
        assert_eq!(say(from, "SET bar 1"), "+OK");
        assert_eq!(say(to, &format!("CLUSTER SETSLOT 5061 IMPORTING {}", ids[0])), "+OK");
        assert_eq!(say(from, &format!("CLUSTER SETSLOT 5061 MIGRATING {}", ids[1])), "+OK");
        assert!(say(from, "CLUSTER NODES").contains(&format!("[5061->-{}]", ids[1])));
        assert!(say(to, "CLUSTER NODES").contains(&format!("[5061-<-{}]", ids[0])));
        for (command, answer) in [
            ("GET bar", "$1 1"),
            ("GET {bar}x", "-ASK 5061 127.0.0.1:7002"),
            ("SET {bar}x 1", "-ASK 5061 127.0.0.1:7002"),
            ("MGET bar {bar}x", half),
        ] {
            assert_eq!(say(from, command), answer, "{release} {command}");
        }
        let moved = "-MOVED 5061 127.0.0.1:7001";
        let again = "-TRYAGAIN Multiple keys request during rehashing of slot";
        for (command, answer) in [
            ("SET {bar}x 1", moved),
            ("ASKING", "+OK"),
            ("SET {bar}x 1", "+OK"),
            ("GET {bar}x", moved),
            ("ASKING", "+OK"),
            ("MGET bar {bar}x", again),
            // It holds until the end of a transaction.
            ("ASKING", "+OK"),
            ("MULTI", "+OK"),
            ("GET {bar}x", "+QUEUED"),
            ("EXEC", "*1 $1 1"),
            ("GET {bar}x", moved),
        ] {
            assert_eq!(say(to, command), answer, "{release} {command}");
        }
        // What others are told they know already.
        let assign = format!("CLUSTER SETSLOT 5061 NODE {}", ids[1]);
        assert_eq!(say(other, &assign), "+OK");
        assert_eq!(say(other, "GET bar"), moved);
        let has_keys =
            "-ERR Can't assign hashslot 5061 to a different node while I still hold keys for this hash slot.";
        assert_eq!(say(from, &assign), has_keys);
        assert_eq!(say(from, "DEL bar"), ":1");
        assert_eq!(say(to, &assign), "+OK");
        assert_eq!(say(from, &assign), "+OK");
        for node in [from, other] {
            assert_eq!(say(node, "GET bar"), "-MOVED 5061 127.0.0.1:7002");
        }
        assert_eq!(say(to, "GET {bar}x"), "$1 1");
    }
}

#[test]
fn slots_that_nobody_serves_bring_the_cluster_down() {
    let mut caller = Caller::new(Release::V7_0, &[("cluster-enabled", "yes")]).expect("it may be one");
    assert_eq!(say(&mut caller, "CLUSTER SLOTS"), "*0");
    for (command, answer) in [
        ("GET a", "-CLUSTERDOWN Hash slot not served"),
        ("CLUSTER ADDSLOTSRANGE 0 16382", "+OK"),
        ("GET bar", "-CLUSTERDOWN The cluster is down"),
        ("CLUSTER ADDSLOTS 7 8", "-ERR Slot 7 is already busy"),
        ("CLUSTER ADDSLOTS 16384", "-ERR Invalid or out of range slot"),
        ("CLUSTER ADDSLOTSRANGE 7 3", "-ERR start slot number 7 is greater than end slot number 3"),
        ("CLUSTER ADDSLOTSRANGE 7 8 9", "-ERR wrong number of arguments for 'cluster|addslotsrange' command"),
        ("CLUSTER ADDSLOTS 16383 16383", "-ERR Slot 16383 specified multiple times"),
        ("CLUSTER DELSLOTS 16383", "-ERR Slot 16383 is already unassigned"),
        ("CONFIG SET cluster-allow-reads-when-down yes", "+OK"),
        ("GET bar", "$-1"),
        ("SET bar 1", "-CLUSTERDOWN The cluster is down and only accepts read commands"),
        ("CLUSTER ADDSLOTS 16383", "+OK"),
        ("SET bar 1", "+OK"),
        ("CLUSTER FLUSHSLOTS", "-ERR DB must be empty to perform CLUSTER FLUSHSLOTS."),
        ("CLUSTER RESET", "-ERR CLUSTER RESET can't be called with master nodes containing keys"),
        ("FLUSHALL", "+OK"),
        ("CLUSTER DELSLOTSRANGE 0 16383", "+OK"),
        ("CONFIG SET cluster-require-full-coverage no", "+OK"),
        ("CLUSTER ADDSLOTS 5061", "+OK"),
        ("GET bar", "$-1"),
        ("CLUSTER RESET", "+OK"),
        ("CLUSTER SET-CONFIG-EPOCH 0", "+OK"),
        ("CLUSTER SET-CONFIG-EPOCH 5", "+OK"),
        ("CLUSTER SET-CONFIG-EPOCH 6", "-ERR Node config epoch is already non-zero"),
        ("CLUSTER BUMPEPOCH", "+STILL 5"),
        ("CLUSTER FORGET x", "-ERR Unknown node x"),
        ("CLUSTER MEET 127.0.0.1 x", "-ERR Invalid TCP base port specified: x"),
        ("CLUSTER MEET foo 1", "-ERR Invalid node address specified: foo:1"),
        (
            "CLUSTER SETSLOT 1 FOO",
            "-ERR Invalid CLUSTER SETSLOT action or number of arguments. Try CLUSTER HELP",
        ),
        ("CLUSTER SETSLOT 1 MIGRATING x", "-ERR I'm not the owner of hash slot 1"),
        ("CLUSTER SETSLOT 1 IMPORTING x", "-ERR I don't know about node x"),
        ("CLUSTER SETSLOT 1 NODE x", "-ERR Unknown node x"),
        ("CLUSTER FAILOVER x", "-ERR syntax error"),
        ("CLUSTER FAILOVER", "-ERR You should send CLUSTER FAILOVER to a replica"),
    ] {
        assert_eq!(say(&mut caller, command), answer, "{command}");
    }
}

#[test]
fn nodes_are_forgotten_and_meet_again() {
    let mut nodes = cluster(Release::V7_0, 3);
    let id = |number: usize| format!("{number:040x}");
    let [first, second, third] = &mut nodes[..] else { unreachable!("there are three") };
    let known = |node: &mut Caller| node.say("CLUSTER NODES").matches("connected").count();
    assert_eq!(
        say(first, &format!("CLUSTER FORGET {}", id(1))),
        "-ERR I tried hard but I can't forget myself..."
    );
    assert_eq!(say(first, &format!("CLUSTER FORGET {}", id(3))), "+OK");
    assert_eq!(
        say(second, &format!("CLUSTER FORGET {}", id(3))),
        "+OK",
        "all others forget it one after another"
    );
    assert_eq!([known(first), known(second), known(third)], [2, 2, 1]);
    assert_eq!(say(first, "GET foo"), "-CLUSTERDOWN Hash slot not served");
    assert_eq!(say(third, "CLUSTER MEET 127.0.0.1 7001"), "+OK");
    assert_eq!([known(first), known(second), known(third)], [3, 3, 3]);
    assert_eq!(say(first, "GET foo"), "-MOVED 12182 127.0.0.1:7003");
    assert_eq!(
        say(first, "CLUSTER MEET 127.0.0.1 9"),
        "-ERR nodes of a cluster meet only those of their own instance: none of them listens on port 9"
    );
}

#[test]
fn nodes_are_described_as_each_release_does() {
    for (release, slot, node) in [
        (
            Release::V3_0,
            "*3 :0 :16383 *2 $9 127.0.0.1 :7001",
            " 127.0.0.1:7001 myself,master - 0 0 1 connected 0-16383",
        ),
        (
            Release::V5_0,
            "*3 :0 :16383 *3 $9 127.0.0.1 :7001 $40 0000000000000000000000000000000000000001",
            " 127.0.0.1:7001@17001 myself,master - 0 0 1 connected 0-16383",
        ),
        (
            Release::V7_0,
            "*3 :0 :16383 *4 $9 127.0.0.1 :7001 $40 0000000000000000000000000000000000000001 *0",
            " 127.0.0.1:7001@17001 myself,master - 0 0 1 connected 0-16383",
        ),
    ] {
        let mut nodes = cluster(release, 1);
        assert_eq!(say(&mut nodes[0], "CLUSTER SLOTS"), format!("*1 {slot}"));
        let described = say(&mut nodes[0], "CLUSTER NODES");
        assert!(
            described.ends_with(&format!("{node}\n")) || described.ends_with(node),
            "{release} {described}"
        );
    }
    let mut nodes = cluster(Release::V7_0, 2);
    for (set, told, moved) in [
        ("cluster-announce-ip 10.1.2.3", "10.1.2.3:7001@17001", "10.1.2.3:7001"),
        ("cluster-announce-port 70", "10.1.2.3:70@17001", "10.1.2.3:70"),
        ("cluster-announce-hostname a.b", "10.1.2.3:70@17001,a.b", "10.1.2.3:70"),
    ] {
        assert_eq!(say(&mut nodes[0], &format!("CONFIG SET {set}")), "+OK");
        assert!(say(&mut nodes[1], "CLUSTER NODES").contains(told), "{set}");
        assert_eq!(say(&mut nodes[1], "GET bar"), format!("-MOVED 5061 {moved}"));
    }
    assert!(say(&mut nodes[1], "CLUSTER SHARDS").contains("$8 hostname $3 a.b"));
    for (preferred, host) in [("hostname", "a.b"), ("unknown-endpoint", "")] {
        say(&mut nodes[1], &format!("CONFIG SET cluster-preferred-endpoint-type {preferred}"));
        assert_eq!(say(&mut nodes[1], "GET bar"), format!("-MOVED 5061 {host}:70"));
    }
}
