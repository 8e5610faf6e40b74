//! `COMMAND` and `DEBUG`, as releases answer them.

mod node;

use command::Release;
use node::Caller;

fn caller(release: Release) -> Caller {
    Caller::new(release, &[]).expect("defaults are allowed")
}

/// What a command answers, in a line: protocol bytes without line ends.
fn line(caller: &mut Caller, command: &str) -> String {
    caller.say(command).trim_end().replace("\r\n", " ")
}

#[test]
fn keys_of_requests_are_found_as_each_release_finds_them() {
    const ARITY: &str = "-ERR wrong number of arguments for 'command|getkeys' command";
    const NO_KEYS: &str = "-ERR The command has no key arguments";
    const INVALID: &str = "-ERR Invalid arguments specified for command";
    for (release, request, answer) in [
        (Release::V3_0, "PING", "*0"),
        (Release::V5_0, "PING", NO_KEYS),
        (Release::V7_0, "PING", ARITY),
        (Release::V7_4, "PING", NO_KEYS),
        (Release::V7_0, "NOSUCH a", "-ERR Invalid command specified"),
        (Release::V7_0, "GET a b", "-ERR Invalid number of arguments specified for command"),
        (Release::V7_0, "GET a", "*1 $1 a"),
        (Release::V7_0, "BLPOP a b 0", "*2 $1 a $1 b"),
        (Release::V7_0, "SORT l BY x STORE d", "*2 $1 l $1 d"),
        (Release::V7_0, "LMPOP 2 a b LEFT", "*2 $1 a $1 b"),
        (Release::V7_0, "LMPOP 0 a LEFT", INVALID),
        (Release::V7_0, "LMPOP 9 a LEFT", INVALID),
        (Release::V7_0, "XREAD COUNT 2 a b 0", INVALID),
        (Release::V7_0, "OBJECT ENCODING a", "*1 $1 a"),
        (Release::V7_0, "OBJECT NOSUCH a", "-ERR Invalid command specified"),
        (Release::V7_0, "OBJECT HELP", NO_KEYS),
        (Release::V7_0, "SPUBLISH channel x", NO_KEYS),
    ] {
        let request = format!("COMMAND GETKEYS {request}");
        assert_eq!(line(&mut caller(release), &request), answer, "{release} {request}");
    }
    let mut caller = caller(Release::V7_0);
    for (request, answer) in [
        ("SINTERSTORE d a", "*2 *2 $1 d *2 +RW +update *2 $1 a *2 +RO +access"),
        ("SET k v EX 1", "*1 *2 $1 k *2 +OW +update"),
        ("SET k v GET", "*1 *2 $1 k *3 +RW +access +update"),
        ("BITFIELD k GET u8 0", "*1 *2 $1 k *2 +RO +access"),
        ("BITFIELD k SET u8 0 1", "*1 *2 $1 k *3 +RW +access +update"),
    ] {
        assert_eq!(line(&mut caller, &format!("COMMAND GETKEYSANDFLAGS {request}")), answer, "{request}");
    }
}

#[test]
fn lists_of_commands_are_filtered() {
    let mut caller = caller(Release::V7_0);
    let mut names = caller.strings(&["COMMAND", "LIST", "FILTERBY", "PATTERN", "LPUSH*"]);
    names.sort();
    assert_eq!(names, ["lpush", "lpushx"]);
    let subcommands = caller.strings(&["COMMAND", "LIST", "FILTERBY", "PATTERN", "object|*"]);
    assert!(subcommands.contains(&"object|encoding".to_owned()), "{subcommands:?}");
    let connection = caller.strings(&["COMMAND", "LIST", "FILTERBY", "ACLCAT", "connection"]);
    assert!(connection.contains(&"client|id".to_owned()) && !connection.contains(&"lpush".to_owned()));
    for nothing in ["MODULE x", "ACLCAT nosuch", "PATTERN nosuch"] {
        assert_eq!(line(&mut caller, &format!("COMMAND LIST FILTERBY {nothing}")), "*0");
    }
    for wrong in ["FOO", "FILTERBY", "FILTERBY PATTERN", "FILTERBY FOO x", "FILTERBY PATTERN x y"] {
        assert_eq!(line(&mut caller, &format!("COMMAND LIST {wrong}")), "-ERR syntax error", "{wrong}");
    }
}

#[test]
fn commands_are_described_with_what_each_release_tells() {
    for (release, described) in [
        (Release::V5_0, "*6 $4 llen :2 *2 +readonly +fast :1 :1 :1"),
        (Release::V6_2, "*7 $4 llen :2 *2 +readonly +fast :1 :1 :1 *3 +@read +@list +@fast"),
        (
            Release::V7_0,
            "*10 $4 llen :2 *2 +readonly +fast :1 :1 :1 *3 +@read +@list +@fast *0 *1 *6 $5 flags *1 +RO \
             $12 begin_search *4 $4 type $5 index $4 spec *2 $5 index :1 $9 find_keys *4 $4 type $5 range \
             $4 spec *6 $7 lastkey :0 $7 keystep :1 $5 limit :0 *0",
        ),
    ] {
        assert_eq!(line(&mut caller(release), "COMMAND INFO llen nosuch"), format!("*2 {described} $-1"));
    }
    let docs = line(&mut caller(Release::V7_0), "COMMAND DOCS llen nosuch object|freq");
    assert!(docs.starts_with("*4 $4 llen *10 $7 summary "), "{docs}");
    assert!(docs.contains(" $5 since $5 1.0.0 $5 group $4 list $10 complexity $4 O(1)"), "{docs}");
    assert!(docs.contains(" $11 object|freq "), "{docs}");
    let key = "$9 arguments *1 *6 $4 name $3 key $4 type $3 key $14 key_spec_index :0";
    assert!(docs.contains(key), "{docs}");
    let since_7_2 = |release| line(&mut caller(release), "COMMAND DOCS zrank").contains("WITHSCORE");
    assert_eq!([Release::V7_0, Release::V7_4].map(since_7_2), [false, true]);
    let deprecated = line(&mut caller(Release::V7_0), "COMMAND DOCS rpoplpush");
    assert!(
        deprecated.contains(" $9 doc_flags *1 +deprecated $16 deprecated_since $5 6.2.0 $11 replaced_by ")
    );
    let mut all = caller(Release::V7_4);
    let count = line(&mut all, "COMMAND COUNT");
    let all = all.say("COMMAND");
    assert!(all.starts_with(&count.replace(':', "*")), "{count} commands are counted");
}

#[test]
fn samples_of_replies_are_given_in_both_protocols() {
    let mut caller = Caller::new(Release::V7_0, &[("enable-debug-command", "yes")]).expect("it may be set");
    let kinds = ["double", "map", "attrib", "push", "verbatim", "true", "bignum", "nosuch"];
    let resp2 = kinds.map(|kind| line(&mut caller, &format!("DEBUG PROTOCOL {kind}")));
    assert_eq!(
        resp2[..7],
        [
            "$5 3.141",
            "*6 :0 :0 :1 :1 :2 :0",
            "$39 Some real reply following the attribute",
            "-ERR RESP2 is not supported by this command",
            "$25 This is a verbatim\nstring",
            ":1",
            "$37 1234567999999999999999999999999999999",
        ]
    );
    assert!(resp2[7].starts_with("-ERR Wrong protocol type name."));
    caller.say("HELLO 3");
    let resp3 = kinds.map(|kind| line(&mut caller, &format!("DEBUG PROTOCOL {kind}")));
    assert_eq!(
        resp3[..7],
        [
            ",3.141",
            "%3 :0 #f :1 #t :2 #f",
            "|1 $14 key-popularity *2 $7 key:123 :90 $39 Some real reply following the attribute",
            ">2 $16 server-cpu-usage :42 $40 Some real reply following the push reply",
            "=29 txt:This is a verbatim\nstring",
            "#t",
            "(1234567999999999999999999999999999999",
        ]
    );
}

#[test]
fn debug_is_for_those_who_may() {
    let refusal = "-ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run \
                   it from a local connection, otherwise you need to set this option in the configuration file, and \
                   then restart the server.";
    assert_eq!(line(&mut caller(Release::V7_0), "DEBUG JMAP"), refusal);
    let mut local = Caller::new(Release::V7_0, &[("enable-debug-command", "local")]).expect("it may be set");
    assert_eq!(line(&mut local, "DEBUG SET-ACTIVE-EXPIRE 1"), "+OK");
    assert_eq!(line(&mut caller(Release::V6_2), "DEBUG SET-ACTIVE-EXPIRE 1"), "+OK");
    assert_eq!(
        line(&mut caller(Release::V4_0), "DEBUG"),
        "-ERR You must specify a subcommand for DEBUG. Try DEBUG HELP for info."
    );
    assert_eq!(line(&mut caller(Release::V6_2), "DEBUG RELOAD"), "+OK");
    assert_eq!(line(&mut caller(Release::V6_2), "DEBUG LOADAOF"), "-ERR DEBUG LOADAOF is not supported yet");
    assert_eq!(line(&mut local, "DEBUG JMAP"), "+OK");
    assert_eq!(line(&mut local, "DEBUG STRINGMATCH-LEN 1000 a*a*a*b"), ":0");
    assert_eq!(line(&mut local, "DEBUG STRINGMATCH-LEN 1000 a*a*a*"), ":1");
    let far = "-ERR value is not an integer or out of range";
    assert_eq!(line(&mut local, "DEBUG STRINGMATCH-LEN 99999999999 a"), far);
    assert!(line(&mut local, "DEBUG STRINGMATCH-TEST").starts_with("+Apparently"));
    // What only looks like an error does not count as one.
    let mut caller = caller(Release::V6_2);
    assert_eq!(caller.call(&["DEBUG", "ERROR", "CODE x\r\ny"]), "-CODE x  y\r\n");
    assert!(!caller.say("INFO errorstats").contains("CODE"));
}

#[test]
fn populate_leaves_what_is_there() {
    let mut caller = caller(Release::V6_2);
    caller.say("SET key:1 own");
    assert_eq!(line(&mut caller, "DEBUG POPULATE 30000"), "+OK");
    assert_eq!(line(&mut caller, "DBSIZE"), ":30000");
    assert_eq!(line(&mut caller, "GET key:1"), "$3 own");
    assert_eq!(line(&mut caller, "GET key:29999"), "$11 value:29999");
    assert_eq!(line(&mut caller, "DEBUG POPULATE 1 pre 8"), "+OK");
    assert_eq!(caller.say("GET pre:0"), "$8\r\nvalue:0\0\r\n");
    caller
        .node
        .keyspace
        .lock_blocking(caller.node.keyspace.all())
        .iter()
        .for_each(|shard| shard.check_invariants());
}
