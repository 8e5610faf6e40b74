//! Subcommands that there are not, or not with so many arguments: what real servers of each release answer, at once and in a
//! transaction; and what nodes of a cluster refuse.

use testkit::{Client, Oracle, Program, REAL_RELEASES, Reply, until};

const COMMANDS: &str = "CLIENT CONFIG OBJECT XGROUP XINFO CLUSTER COMMAND SLOWLOG LATENCY MEMORY PUBSUB";

/// What is asked of each: names that some of them have, with too many arguments, too few, or of keys that are not there.
const TAILS: &[&str] = &[
    "FOO",
    "FOO stream",
    "FOO text",
    "FOO none",
    "FOO stream group",
    "FOO none group",
    "FOO text group x",
    "GET",
    "SET",
    "KILL",
    "LIST x y z q",
    "CREATE stream",
    "CREATE stream group",
    "CREATE none group",
    "CREATE none group 0 MKSTREAM FOO",
    "CREATE stream other $ FOO",
    "CREATE none group 0 FOO",
    "CREATE text group 0 FOO",
    "CREATE stream other 0 ENTRIESREAD 1",
    "CREATECONSUMER stream group",
    "CREATECONSUMER none group c",
    "CREATECONSUMER stream none c",
    "CREATECONSUMER stream group c d",
    "DELCONSUMER stream none",
    "DELCONSUMER stream none c d",
    "DELCONSUMER none none c d",
    "DESTROY stream",
    "DESTROY stream none x",
    "DESTROY none none x",
    "SETID stream group",
    "SETID stream none",
    "SETID stream none $ x",
    "SETID stream group $ x",
    "STREAM",
    "STREAM stream x",
    "STREAM none x",
    "STREAM text x",
    "GROUPS stream x",
    "GROUPS none x",
    "CONSUMERS stream",
    "CONSUMERS none",
    "CONSUMERS stream none x",
    "CONSUMERS none none x",
    "FREQ",
    "IDLETIME",
    "INFO x",
    "KEYSLOT",
    "KEYSLOT a b",
    "NODES x",
    "SLOTS x",
    "NUMSUB",
    "CHANNELS a b",
    "NUMPAT x",
    "COUNT x",
    "GETKEYS",
    "DOCTOR x",
    "USAGE",
    "RESET x",
    "HISTORY",
    "LEN x",
    "GET a b",
    "TRACKING",
    "REPLY",
    "UNBLOCK",
    "CACHING",
    "SETNAME",
    "NO-EVICT",
    "PAUSE",
    "REWRITE x",
    "RESETSTAT x",
    "ENCODING",
    "REFCOUNT a b",
    "LATEST x",
    "GRAPH",
    "PURGE x",
];

/// What a server answers to each.
fn answers(client: &mut Client) -> Vec<(String, [Reply; 3])> {
    for line in [
        "CONFIG SET slowlog-log-slower-than -1",
        "SET text v",
        "XADD stream 1-1 f v",
        "XGROUP CREATE stream group $",
    ] {
        client.say(line);
    }
    let mut answers = Vec::new();
    for command in COMMANDS.split(' ') {
        for tail in TAILS {
            let line = format!("{command} {tail}");
            let at_once = client.say(&line);
            client.say("MULTI");
            let queued = client.say(&line);
            let run = client.say("EXEC");
            answers.push((line, [at_once, queued, run]));
        }
    }
    answers
}

fn compare(ours: &mut Client, theirs: &mut Client, release: &str) {
    for ((line, ours), (_, theirs)) in answers(ours).into_iter().zip(answers(theirs)) {
        assert_eq!(ours, theirs, "{release}: {line}");
    }
}

#[test]
fn subcommands_that_there_are_not_are_refused_as_by_real_servers() {
    for release in REAL_RELEASES {
        let Some(oracle) = Oracle::of(release, &[]) else { return };
        let program = Program::redis(release, &[]);
        compare(&mut program.client(), &mut oracle.client(), release);
    }
}

/// What is said to a node of a cluster that knows no other.
const CLUSTER: &str = "FOO;MYID x;SLOTS x;SHARDS x;LINKS x;NODES x;KEYSLOT;KEYSLOT a;KEYSLOT a b;COUNTKEYSINSLOT;COUNTKEYSINSLOT 1;\
    COUNTKEYSINSLOT -1;COUNTKEYSINSLOT 16384;COUNTKEYSINSLOT x;GETKEYSINSLOT 1;GETKEYSINSLOT 1 10;GETKEYSINSLOT 1 -1;\
    GETKEYSINSLOT x 1;GETKEYSINSLOT 99999 1;ADDSLOTS;ADDSLOTS x;ADDSLOTS 1 1;ADDSLOTS 16384;ADDSLOTS 1;ADDSLOTS 1;DELSLOTS;\
    DELSLOTS x;DELSLOTS 2;DELSLOTS 1 1;DELSLOTS 1;DELSLOTS 1;ADDSLOTSRANGE 1;ADDSLOTSRANGE 5 3;ADDSLOTSRANGE 1 3;\
    ADDSLOTSRANGE 3 4;DELSLOTSRANGE 1 3;FLUSHSLOTS x;ADDSLOTS 1 2 3;SETSLOT;SETSLOT 1;SETSLOT 1 FOO;SETSLOT 1 FOO x;\
    SETSLOT 1 NODE;SETSLOT 1 NODE x;SETSLOT x NODE x;SETSLOT 99999 STABLE;SETSLOT 1 STABLE;SETSLOT 1 STABLE x;\
    SETSLOT 1 MIGRATING;SETSLOT 1 MIGRATING x;SETSLOT 1 IMPORTING x;SETSLOT 5 IMPORTING x;SETSLOT 1 IMPORTING;\
    SET-CONFIG-EPOCH;SET-CONFIG-EPOCH x;SET-CONFIG-EPOCH -1;SAVECONFIG x;COUNT-FAILURE-REPORTS;COUNT-FAILURE-REPORTS x;FAILOVER;\
    FAILOVER FORCE;FAILOVER TAKEOVER;FAILOVER x;FAILOVER FORCE x;FORGET;FORGET x;REPLICAS;REPLICAS x;SLAVES;SLAVES x;REPLICATE;\
    REPLICATE x;MEET;MEET 127.0.0.1;MEET x 1;MEET 127.0.0.1 x;MEET 127.0.0.1 99999;MEET 127.0.0.1 1 x;RESET x;RESET HARD x";

/// What is asked of one afterwards.
const KEYS: &str = "SET a 1;GET a;MGET a b;MSET {x}a 1 {x}b 2;READONLY;READWRITE;ASKING;SELECT 1;SELECT 0;SWAPDB 0 1;MOVE a 1;\
    SSUBSCRIBE x;SPUBLISH x y;REPLICAOF 127.0.0.1 1;SLAVEOF NO ONE;SLAVEOF 127.0.0.1 1;COPY a b DB 1;COPY a b;RENAME a b;\
    SORT a BY x*;SORT a GET x*;OBJECT ENCODING a;RESTORE a 0 x;BLPOP a b 1;XREAD STREAMS a b 0 0;BITOP AND a b c;PFCOUNT a b;\
    SMOVE a b x;ZUNIONSTORE a 1 b;WAIT 0 0";

#[test]
fn a_node_of_a_cluster_refuses_as_a_real_one_of_its_release() {
    for release in REAL_RELEASES {
        let Some(oracle) = Oracle::of(release, &["--cluster-enabled", "yes"]) else { return };
        let program = Program::redis(release, &[("cluster-enabled", "yes")]);
        let (mut ours, mut theirs) = (program.client(), oracle.client());
        let mut compare = |line: &str| {
            assert_eq!(ours.say(line), theirs.say(line), "{release}: {line}");
        };
        for line in CLUSTER.split(';') {
            compare(&format!("CLUSTER {line}"));
        }
        KEYS.split(';').for_each(&mut compare);
        // And with all slots, where keys are of the same slot or not.
        let missing: Vec<String> =
            (0..16384).filter(|slot| !(1..=3).contains(slot)).map(|slot| slot.to_string()).collect();
        for client in [&mut program.client(), &mut oracle.client()] {
            let words: Vec<&str> =
                ["CLUSTER", "ADDSLOTS"].into_iter().chain(missing.iter().map(String::as_str)).collect();
            assert_eq!(client.run(&words).text(), "OK", "{release}");
            until("all slots are served", || client.say("CLUSTER INFO").text().contains("cluster_state:ok"));
        }
        KEYS.split(';').for_each(&mut compare);
    }
}
