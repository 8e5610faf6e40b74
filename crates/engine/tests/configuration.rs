//! `CONFIG`, beside what real servers of six releases told, and its effects.

mod node;

use command::Release;
use keyspace::Policy;
use node::Caller;
use std::collections::BTreeMap;
use std::path::Path;
use structures::list::Limit;

/// What depends on the machine, or on how the servers were started.
const OWN: [&str; 7] = ["bind", "dir", "enable-debug-command", "logfile", "pidfile", "port", "save"];

fn caller(release: Release) -> Caller {
    Caller::new(release, &[]).expect("defaults are allowed")
}

fn facts(release: Release) -> BTreeMap<String, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(format!("../../tests/facts/config-{}.json", release.version()));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).expect("facts are a map")
}

fn parameters(caller: &mut Caller) -> BTreeMap<String, String> {
    let flat = caller.strings(&["CONFIG", "GET", "*"]);
    let pairs = flat.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone()));
    let map: BTreeMap<_, _> = pairs.collect();
    assert_eq!(2 * map.len(), flat.len(), "a parameter is told twice");
    map
}

#[test]
fn every_release_has_its_parameters_and_defaults() {
    for release in Release::ALL {
        let mut own = parameters(&mut caller(release));
        own.retain(|name, _| !OWN.contains(&name.as_str()));
        let facts = facts(release);
        for (name, value) in &facts {
            assert_eq!(own.get(name), Some(value), "{release} {name}");
        }
        let extra: Vec<_> = own.keys().filter(|name| !facts.contains_key(*name)).collect();
        assert!(extra.is_empty(), "{release} has no {extra:?}");
    }
}

#[test]
fn a_node_knows_where_it_is() {
    let mut caller = caller(Release::V7_0);
    assert_eq!(
        caller.strings(&["CONFIG", "GET", "port", "dir", "BIND"])[..],
        ["port", "6379", "dir", "/data", "BIND", "127.0.0.1"]
    );
}

#[test]
fn a_node_begins_with_the_limits_of_its_release() {
    let limits = |release| {
        let node = caller(release).node;
        let locked = node.keyspace.lock_blocking(node.keyspace.all());
        let params = locked.iter().next().expect("a shard").params();
        (params.list, params.set.packed_entries, params.zset.packed_minus_zero)
    };
    assert_eq!(limits(Release::V3_0), (Limit::EntriesAndValue { entries: 512, value: 64 }, 0, true));
    assert_eq!(limits(Release::V6_2), (Limit::Bytes(8192), 0, true));
    assert_eq!(limits(Release::V7_4), (Limit::Bytes(8192), 128, false));
}

#[test]
fn either_name_of_a_parameter_sets_it() {
    let mut caller = caller(Release::V7_0);
    assert_eq!(caller.call(&["CONFIG", "SET", "hash-max-ziplist-entries", "3"]), "+OK\r\n");
    assert_eq!(
        caller.strings(&["CONFIG", "GET", "hash-max-*-entries"])[..],
        ["hash-max-listpack-entries", "3", "hash-max-ziplist-entries", "3"]
    );
    let locked = caller.node.keyspace.lock_blocking(caller.node.keyspace.all());
    assert!(locked.iter().all(|shard| shard.params().hash.packed_entries == 3));
}

#[test]
fn the_largest_values_do_no_harm() {
    let mut caller = caller(Release::V7_0);
    for (name, value) in [
        ("latency-monitor-threshold", i64::MAX),
        ("slowlog-log-slower-than", i64::MAX),
        ("proto-max-bulk-len", i64::MAX),
    ] {
        assert_eq!(caller.call(&["CONFIG", "SET", name, &value.to_string()]), "+OK\r\n");
        assert_eq!(caller.strings(&["CONFIG", "GET", name])[1], value.to_string());
    }
    // What cannot be had must not be asked of the allocator, which would end the process.
    for command in ["SETRANGE k 4611686018427387904 x", "SETRANGE k 1073741824 x"] {
        assert_eq!(
            caller.say(command),
            "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n",
            "{command}"
        );
    }
    assert_eq!(
        caller.say("SETBIT k 4611686018427387904 1"),
        "-ERR bit offset is not an integer or out of range\r\n"
    );
}

#[test]
fn all_values_are_set_or_none() {
    let mut caller = caller(Release::V7_4);
    let refused = caller.call(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lfu", "timeout", "-1"]);
    assert_eq!(
        refused,
        "-ERR CONFIG SET failed (possibly related to argument 'timeout') - argument must be between 0 and 2147483647 inclusive\r\n"
    );
    assert_eq!(caller.strings(&["CONFIG", "GET", "maxmemory-policy"])[1], "noeviction");
    assert_eq!(caller.call(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lfu", "timeout", "1"]), "+OK\r\n");
    let locked = caller.node.keyspace.lock_blocking(caller.node.keyspace.all());
    assert!(locked.iter().all(|shard| shard.params().policy == Policy::AllKeysLfu));
}

#[test]
fn a_transaction_can_change_the_configuration() {
    let mut caller = caller(Release::V6_2);
    for (command, reply) in [
        (&["MULTI"][..], "+OK\r\n"),
        (&["CONFIG", "SET", "maxmemory", "5mb"], "+QUEUED\r\n"),
        (&["CONFIG", "GET", "maxmemory"], "+QUEUED\r\n"),
        (&["EXEC"], "*2\r\n+OK\r\n*2\r\n$9\r\nmaxmemory\r\n$7\r\n5242880\r\n"),
    ] {
        assert_eq!(caller.call(command), reply);
    }
}

#[test]
fn what_cannot_be_set_is_refused_as_the_release_does() {
    for (release, name, reply) in [
        (Release::V5_0, "databases", "-ERR Unsupported CONFIG parameter: databases\r\n"),
        (Release::V5_0, "port", "-ERR Unsupported CONFIG parameter: port\r\n"),
        (Release::V5_0, "appendonly", "-ERR Invalid argument '7' for CONFIG SET 'appendonly'\r\n"),
        (
            Release::V6_2,
            "port",
            "-ERR Invalid argument '7' for CONFIG SET 'port' - Unable to listen on this port. Check server logs.\r\n",
        ),
        (
            Release::V7_0,
            "DATABASES",
            "-ERR CONFIG SET failed (possibly related to argument 'DATABASES') - can't set immutable config\r\n",
        ),
        (
            Release::V7_0,
            "dir",
            "-ERR CONFIG SET failed (possibly related to argument 'dir') - can't set protected config\r\n",
        ),
        (Release::V6_2, "dir", "-ERR Changing directory: No such file or directory\r\n"),
        (Release::V4_0, "dbfilename", "+OK\r\n"),
        (
            Release::V7_0,
            "rename-command",
            "-ERR Unknown option or number of arguments for CONFIG SET - 'rename-command'\r\n",
        ),
    ] {
        assert_eq!(caller(release).call(&["CONFIG", "SET", name, "7"]), reply, "{release} {name}");
    }
    assert_eq!(caller(Release::V5_0).call(&["CONFIG", "SET", "appendonly", "yes"]), "+OK\r\n");
    assert_eq!(
        caller(Release::V4_0).call(&["CONFIG", "SET", "dbfilename", "a/b"]),
        "-ERR dbfilename can't be a path, just a filename\r\n"
    );
    let mut open = Caller::new(Release::V7_0, &[("enable-protected-configs", "local")]).expect("a word");
    assert_eq!(open.call(&["CONFIG", "SET", "dir", "/tmp"]), "+OK\r\n");
}

#[test]
fn a_node_starts_with_what_it_is_given_or_says_what_is_allowed() {
    let config =
        [("databases", "3"), ("requirepass", "a b"), ("Timeout", "9"), ("rename-command", "get \"\"")];
    let mut given = Caller::new(Release::V5_0, &config).expect("allowed values");
    assert_eq!(given.call(&["PING"]), "-NOAUTH Authentication required.\r\n");
    assert_eq!(given.call(&["AUTH", "a b"]), "+OK\r\n");
    assert_eq!(given.call(&["SELECT", "3"]), "-ERR DB index is out of range\r\n");
    assert!(given.call(&["GET", "a"]).starts_with("-ERR unknown command"));
    assert_eq!(given.strings(&["CONFIG", "GET", "t*out"]), ["timeout", "9"]);
    for (name, value, expected) in [
        ("maxmemory", "much", "maxmemory takes a number of bytes such as 100mb, not \"much\""),
        ("databases", "0", "databases takes an integer from 1 to 2147483647, not \"0\""),
        ("max-memory", "1", "max-memory is no parameter of release 5.0; CONFIG GET * lists them"),
        ("dir", "/nowhere", "dir cannot be \"/nowhere\": No such file or directory"),
        ("rename-command", "nothing x", "rename-command takes a command, not \"nothing\""),
        ("rename-command", "get set", "rename-command takes a name that no command has, not \"set\""),
        (
            "rename-command",
            "get",
            "rename-command takes a command and its new name, or \"\" for none, not \"get\"",
        ),
    ] {
        let refused = Caller::new(Release::V5_0, &[(name, value)]).err().map(|error| error.to_string());
        assert_eq!(refused.as_deref(), Some(expected));
    }
}
