//! Subcommands that there are not, or not with so many arguments: what real servers of each release answer, at once, in a
//! transaction, and in a cluster.

use testkit::{Client, Oracle, Program, REAL_RELEASES, Reply};

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
