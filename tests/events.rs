//! Keyspace events: which commands publish, in which order. Checked against a real redis-server too, where there is one.

use std::fmt::Write;
use std::net::SocketAddr;
use testkit::{Client, Oracle, Program, Reply};

/// A command, and the events that it publishes: their names and keys.
type Case = (&'static str, &'static [&'static str]);

/// The events of a command, as somebody hears them who listens to all.
fn events_of(client: &mut Client, listener: &mut Client, command: &str) -> Vec<String> {
    client.say(command);
    client.say("PUBLISH __keyevent@0__: end");
    let mut events = Vec::new();
    loop {
        let message = listener.read();
        let [_, _, channel, key] = message.elements() else { panic!("{message:?}") };
        let name = channel.text().trim_start_matches("__keyevent@0__:").to_owned();
        if name.is_empty() {
            return events;
        }
        events.push(format!("{name} {}", key.text()));
    }
}

fn check(address: SocketAddr, classes: &str, cases: &[Case]) {
    let (mut client, mut listener) = (Client::connect(address), Client::connect(address));
    assert_eq!(client.say(&format!("CONFIG SET notify-keyspace-events {classes}")).text(), "OK");
    assert!(matches!(listener.say("PSUBSCRIBE __keyevent@0__:*"), Reply::Array(_)));
    for (command, want) in cases {
        assert_eq!(events_of(&mut client, &mut listener, command), *want, "{command}");
    }
}

fn check_with_real_server(cases: &[Case]) {
    check(Program::redis("7.0", &[]).address(), "KEAnm", cases);
    if let Some(oracle) = Oracle::start() {
        check(oracle.address(), "KEAnm", cases);
    }
}

#[test]
fn sets() {
    check_with_real_server(&[
        ("SADD s a b a", &["new s", "sadd s"]),
        ("SADD s a", &[]),
        ("SREM s z", &[]),
        ("SREM s a b", &["srem s", "del s"]),
        ("SADD s a b", &["new s", "sadd s"]),
        ("SMOVE s t a", &["srem s", "new t", "sadd t"]),
        ("SMOVE t t a", &[]),
        ("SMOVE t s z", &[]),
        ("SADD s a", &["sadd s"]),
        ("SMOVE s t a", &["srem s"]),
        ("SMOVE s t b", &["srem s", "del s", "sadd t"]),
        ("SPOP t 0", &[]),
        ("SPOP t 1", &["spop t"]),
        ("SPOP t", &["spop t", "del t"]),
        ("SADD t 1 2 3", &["new t", "sadd t"]),
        ("SPOP t 5", &["spop t", "del t"]),
        ("SPOP t 5", &[]),
        ("SMEMBERS t", &["keymiss t"]),
        ("SADD a 1 2 3", &["new a", "sadd a"]),
        ("SADD b 2 3 4", &["new b", "sadd b"]),
        ("SINTERSTORE d a b", &["new d", "sinterstore d"]),
        ("SINTERSTORE d a none", &["keymiss none", "del d"]),
        ("SINTERSTORE d a none", &["keymiss none"]),
        ("SUNIONSTORE d a b", &["new d", "sunionstore d"]),
        ("SDIFFSTORE d a b", &["sdiffstore d"]),
        ("SDIFFSTORE d a a", &["del d"]),
        ("SET text x", &["new text", "set text"]),
        ("SUNIONSTORE text a", &["sunionstore text"]),
    ]);
}

#[test]
fn hashes() {
    check_with_real_server(&[
        ("HSET h a 1 b 2", &["new h", "hset h"]),
        ("HSET h a 1", &["hset h"]),
        ("HMSET h c 1", &["hset h"]),
        ("HSETNX h c 2", &[]),
        ("HSETNX g d 2", &["new g", "hset g"]),
        ("HDEL g z", &[]),
        ("HDEL g d", &["hdel g", "del g"]),
        ("HINCRBY h a 5", &["hincrby h"]),
        ("HINCRBY i a 5", &["new i", "hincrby i"]),
        ("HINCRBYFLOAT h a 5", &["hincrbyfloat h"]),
        ("HINCRBY h a x", &[]),
        ("HGETALL none", &["keymiss none"]),
        ("HDEL h a b c", &["hdel h", "del h"]),
    ]);
}

#[test]
fn sources_of_what_is_stored_are_not_missed_before_release_7() {
    check(
        Program::redis("6.2", &[]).address(),
        "KEAm",
        &[("SADD a 1", &["sadd a"]), ("SINTERSTORE d a none", &[]), ("SINTER a none", &["keymiss none"])],
    );
}

#[test]
fn fields_that_expire() {
    check(
        Program::redis("7.4", &[]).address(),
        "KEAnm",
        &[
            ("HSET h a 1 b 2 c 3", &["new h", "hset h"]),
            ("HEXPIRE h 100 FIELDS 2 a z", &["hexpire h"]),
            ("HEXPIRE h 100 NX FIELDS 2 a z", &[]),
            ("HPEXPIRE h 100000 FIELDS 1 b", &["hexpire h"]),
            ("HPERSIST h FIELDS 2 a c", &["hpersist h"]),
            ("HPERSIST h FIELDS 2 a c", &[]),
            ("HEXPIREAT h 1 FIELDS 2 a b", &["hdel h"]),
            ("HPEXPIREAT h 1 FIELDS 1 c", &["hdel h", "del h"]),
            ("HEXPIRE h 100 FIELDS 1 a", &[]),
        ],
    );
}

#[test]
fn sorted_sets() {
    check_with_real_server(&[
        ("ZADD z 1 a 2 b", &["new z", "zadd z"]),
        ("ZADD z 1 a", &[]),
        ("ZADD z XX 5 c", &[]),
        ("ZADD none XX 5 c", &[]),
        ("ZADD z INCR 1 a", &["zincr z"]),
        ("ZINCRBY z 0 a", &[]),
        ("ZINCRBY z 2 c", &["zincr z"]),
        ("ZREM z x", &[]),
        ("ZREM z a x", &["zrem z"]),
        ("ZREMRANGEBYRANK z 5 6", &[]),
        ("ZREMRANGEBYRANK z 0 0", &["zremrangebyrank z"]),
        ("ZREMRANGEBYSCORE z -inf inf", &["zremrangebyscore z", "del z"]),
        ("ZADD z 0 a 0 b 0 c 0 d 0 e", &["new z", "zadd z"]),
        ("ZREMRANGEBYLEX z [a [a", &["zremrangebylex z"]),
        ("ZRANGESTORE d z 0 1", &["new d", "zrangestore d"]),
        ("ZRANGESTORE d z 0 1", &["zrangestore d"]),
        ("ZRANGESTORE d z 7 8", &["del d"]),
        ("ZRANGESTORE d none 0 1", &["keymiss none"]),
        ("ZPOPMIN z 0", &[]),
        ("ZPOPMIN z", &["zpopmin z"]),
        ("BZPOPMAX z 0", &["zpopmax z"]),
        ("ZMPOP 2 none z MAX COUNT 9", &["zpopmax z", "del z"]),
        ("ZSCORE z a", &["keymiss z"]),
        ("ZADD a 1 x 2 y", &["new a", "zadd a"]),
        ("SADD s x", &["new s", "sadd s"]),
        ("ZUNIONSTORE d 2 a s", &["new d", "zunionstore d"]),
        ("ZINTERSTORE d 2 a s", &["zinterstore d"]),
        ("ZDIFFSTORE d 2 a s", &["zdiffstore d"]),
        ("ZDIFFSTORE d 2 a a", &["del d"]),
        ("ZINTERSTORE d 2 a none", &["keymiss none"]),
        ("ZUNION 2 none a", &["keymiss none"]),
    ]);
}

#[test]
fn places() {
    check_with_real_server(&[
        ("GEOADD g 13 38 a 15 37 b", &["new g", "zadd g"]),
        ("GEOADD g 13 38 a", &[]),
        ("GEORADIUS g 15 37 200 km STORE d", &["new d", "georadiusstore d"]),
        ("GEORADIUSBYMEMBER g a 200 km STOREDIST d", &["georadiusstore d"]),
        ("GEORADIUS g 0 0 1 km STORE d", &["del d"]),
        ("GEOSEARCHSTORE d g FROMMEMBER a BYBOX 9 9 km", &["new d", "geosearchstore d"]),
        ("GEOSEARCHSTORE d none FROMMEMBER a BYBOX 9 9 km", &["keymiss none", "del d"]),
    ]);
    // What is stored was published as if it were a list, once.
    let store = "GEORADIUS g 15 37 200 km STORE d";
    for (release, classes, events) in
        [("5.0", "KEl", &["georadiusstore d"][..]), ("5.0", "KEz", &[]), ("6.2", "KEl", &[])]
    {
        let program = Program::redis(release, &[]);
        Client::connect(program.address()).say("GEOADD g 15 37 a");
        check(program.address(), classes, &[(store, events)]);
    }
}

/// What a listener to everything hears of a command: channels and messages.
fn heard([client, publisher, listener]: &mut [Client; 3], command: &str) -> Vec<String> {
    let words: Vec<&str> = command.split(' ').map(|word| if word == "''" { "" } else { word }).collect();
    client.run(&words);
    publisher.say("PUBLISH __keyspace@0__: end");
    let mut heard = Vec::new();
    loop {
        let message = listener.read();
        let [_, _, channel, text] = message.elements() else { panic!("{message:?}") };
        if channel.text() == "__keyspace@0__:" {
            return heard;
        }
        heard.push(format!("{} {}", channel.text(), text.text()));
    }
}

/// Commands of all families, from an empty keyspace on.
const COMMANDS: &str = "
    # Strings.
    SET s x; SET s y; SET s z XX; SET s z NX; SET s z GET; SET s 1 EX 100; SET s 1 KEEPTTL; SET s 1 EXAT 99999999999
    SET s 1 PXAT 1; GET s; SET s 1 EX 100; SETNX s 2; SETNX n 2; SETEX e 100 v; PSETEX e 100000 v; GETSET s 5; GETSET t 6
    GETDEL t; GETDEL none; GETEX s; GETEX s EX 100; GETEX s PERSIST; GETEX s PERSIST; GETEX s EXAT 1; APPEND a x
    APPEND a y; STRLEN none; SETRANGE r 3 x; SETRANGE r 0 x; SETRANGE none 0 ''; INCR i; INCRBY i 5; DECR i; DECRBY i 5
    INCRBYFLOAT i 0.5; INCR a; MSET m1 x m2 y; MSET m1 z; MSETNX m1 x m3 y; MSETNX m3 x m4 y; MGET m1 none; GET none
    GETRANGE none 0 1; LCS m1 m2; SUBSTR m1 0 0
    # Bits and HyperLogLogs.
    SETBIT b 3 1; SETBIT b 3 1; GETBIT b 3; BITCOUNT b; BITCOUNT none; BITPOS none 1; BITOP AND bd b a; BITOP NOT bd none
    BITOP OR bd none none2; BITFIELD bf SET u8 0 255; BITFIELD bf GET u8 0; BITFIELD bf INCRBY u8 0 1
    BITFIELD bf OVERFLOW FAIL INCRBY u8 0 300; BITFIELD_RO bf GET u8 0; PFADD p a b; PFADD p a; PFADD p2 c; PFADD p3
    PFCOUNT p; PFCOUNT p p2; PFCOUNT none; PFMERGE pd p p2; PFMERGE pd none; PFMERGE pe none
    # Lists.
    RPUSH l a b c d; LPUSH l z; LPUSHX l y; RPUSHX none y; LPUSHX none y; LPOP l; RPOP l 2; LPOP none; LRANGE l 0 -1
    LINDEX l 0; LINDEX none 0; LSET l 0 q; LSET l 99 q; LINSERT l BEFORE q w; LINSERT l AFTER nope w; LREM l 0 q
    LREM l 0 nope; LTRIM l 0 0; LTRIM l 5 6; RPUSH l a b c; RPOPLPUSH l k; RPOPLPUSH k k; LMOVE l k LEFT RIGHT
    LMOVE l k LEFT RIGHT; LMOVE none k LEFT LEFT; LMPOP 2 none k LEFT COUNT 2; LMPOP 1 k LEFT COUNT 9; LPOS none a
    RPUSH l a b; BLPOP none l 1; BRPOP l 1; RPUSH l a b; BRPOPLPUSH l k 1; BLMOVE l k LEFT LEFT 1; BLMPOP 1 1 k LEFT
    BLMPOP 1 1 k LEFT; LLEN none
    # Sets.
    SADD t a b c; SADD t a; SREM t a z; SADD u b d; SMOVE t u c; SMOVE t u nope; SPOP one; SADD one x; SPOP one
    SINTERSTORE sd t u; SINTERSTORE sd t none; SUNIONSTORE sd t u; SDIFFSTORE sd t u; SDIFFSTORE sd t t; SREM t b
    SUNIONSTORE s u; SRANDMEMBER none; SISMEMBER none a; SMISMEMBER none a b; SINTERCARD 2 u none; SCARD none
    # Hashes.
    HSET h f v g w; HSET h f v; HSETNX h f x; HSETNX h i x; HMSET h j 1; HINCRBY h j 1; HINCRBYFLOAT h j 1.5; HDEL h f g
    HDEL h nope; HDEL h i j; HGET none f; HMGET none f; HGETALL none; HEXISTS none f; HSTRLEN none f; HRANDFIELD none
    HKEYS none; HLEN none
    # Sorted sets.
    ZADD z 1 a 2 b 3 c; ZADD z 1 a; ZADD z XX 5 a; ZADD z NX 5 a; ZADD z XX 1 nope; ZADD z GT CH 1 a; ZADD z INCR 2 a
    ZADD z NX INCR 2 a; ZINCRBY z 1 b; ZINCRBY zn 1 b; ZREM z c nope; ZREM z nope; ZADD z 1 d 2 e 3 f 4 g 5 h
    ZPOPMIN z; ZPOPMAX z 2; ZREMRANGEBYRANK z 0 0; ZREMRANGEBYSCORE z 100 200; ZREMRANGEBYSCORE z -inf 4
    ZREMRANGEBYLEX z - +; ZREM zn b; ZADD z 1 a 2 b; ZADD y 1 b 2 c; ZUNIONSTORE zd 2 z y; ZINTERSTORE zd 2 z y
    ZINTERSTORE zd 2 z none; ZDIFFSTORE zd 2 z y; ZDIFFSTORE zd 1 none; ZRANGESTORE zd z 0 -1; ZRANGESTORE zd z 5 6
    ZMPOP 2 none z MIN; ZMPOP 1 z MAX COUNT 9; BZPOPMIN y 1; BZPOPMAX y 1; ZADD y 1 a 2 b; BZMPOP 1 1 y MIN COUNT 9
    ZSCORE none a; ZRANK none a; ZRANGE none 0 1; ZCARD none; ZRANDMEMBER none; ZUNION 2 none none2; ZCOUNT none 0 1
    ZADD zl 0 a 0 b 0 c; ZREMRANGEBYLEX zl [a [b; ZUNIONSTORE m1 1 zl; ZMSCORE none a
    # Places.
    GEOADD g 13.361389 38.115556 P 15.087269 37.502669 C; GEOADD g 13.361389 38.115556 P; GEOADD g XX CH 13.4 38.1 P
    GEOSEARCHSTORE gd g FROMMEMBER P BYRADIUS 500 km; GEOSEARCHSTORE gd g FROMLONLAT 0 0 BYRADIUS 1 km
    GEOSEARCHSTORE gd g FROMMEMBER P BYRADIUS 500 km STOREDIST; GEORADIUS g 15 37 500 km STORE gd
    GEORADIUS g 0 0 1 km STORE gd; GEORADIUSBYMEMBER g P 500 km STOREDIST gd; GEOPOS none a; GEODIST none a b
    # Streams.
    XADD x 1-1 a b; XADD x 1-2 a b; XADD x NOMKSTREAM 1-3 a b; XADD none NOMKSTREAM 1-3 a b; XADD x MAXLEN 2 1-4 a b
    XADD x MAXLEN 9 1-5 a b; XDEL x 1-5; XDEL x 9-9; XTRIM x MAXLEN 1; XTRIM x MAXLEN 5; XSETID x 9-9; XLEN none
    XGROUP CREATE x G 0; XGROUP CREATE xg G 0 MKSTREAM; XGROUP CREATE x G 0; XGROUP SETID x G 0
    XGROUP CREATECONSUMER x G C; XGROUP CREATECONSUMER x G C; XREADGROUP GROUP G C STREAMS x >
    XREADGROUP GROUP G D STREAMS x >; XREADGROUP GROUP G E COUNT 1 STREAMS x 0; XACK x G 1-4; XACK x G 1-4
    XCLAIM x G D 0 1-4; XADD x 10-1 a b; XREADGROUP GROUP G C STREAMS x >; XCLAIM x G D 0 10-1; XAUTOCLAIM x G F 0 0
    XGROUP DELCONSUMER x G C; XGROUP DELCONSUMER x G nope; XGROUP DESTROY x G; XGROUP DESTROY x G; XREAD STREAMS none 0
    XRANGE none - +; XTRIM x MAXLEN 0; XINFO STREAM x
    # Keys of any type.
    SET k1 x; SET k2 y; DEL k1 none; UNLINK k2 none; SET k1 x; RENAME k1 k2; RENAME k2 k2; SET k1 x; RENAME k1 k2
    RENAMENX k2 k3; SET k2 x; RENAMENX k2 k3; COPY k3 k4; COPY k3 k4; COPY k3 k4 REPLACE; COPY k3 k5 DB 1; MOVE k4 1
    MOVE k4 1; EXPIRE k3 100; EXPIRE k3 100 NX; EXPIRE k3 200 GT; PEXPIRE k3 100000; EXPIREAT k3 99999999999
    PERSIST k3; PERSIST k3; EXPIRE none 5; EXPIRE k3 -1; SET k3 x; EXPIREAT k3 1; SET k3 x; PEXPIREAT k3 1; TTL none
    TYPE none; EXISTS none; TOUCH none; OBJECT ENCODING none; SORT u ALPHA STORE sorted; SORT none STORE sorted
    SORT none STORE sorted; SORT none; RANDOMKEY; SCAN 0 COUNT 1; KEYS nope*; DBSIZE; MEMORY USAGE none
    # What comes together, elsewhere, and by itself.
    MULTI; SET q 1; INCR q; DEL q; GET q; EXEC; SELECT 2; SET other x; DEL other; SELECT 0; SWAPDB 0 2; SET k x; SWAPDB 0 2
    SET p 1 PX 1; DEBUG SLEEP 0.02; GET p; GET p; RPUSH left x; EXPIRE left 100; SET left y; FLUSHDB; FLUSHALL; SET s x
    SETRANGE s 0 ''; SETRANGE none 0 ''; APPEND none ''; DEL none; SORT none STORE none2; PFMERGE hll; BITFIELD nobits
    BITFIELD bits SET u8 0 0; LTRIM none 0 1; SPOP none 3; ZREMRANGEBYRANK none 0 1; HDEL none a; COPY none none2
";

#[test]
fn all_families_publish_what_a_real_server_publishes() {
    let Some(oracle) = Oracle::start() else { return };
    let ours = Program::redis("7.0", &[("enable-debug-command", "yes")]);
    let [mut ours, mut theirs] = [ours.address(), oracle.address()].map(|address| {
        let mut clients = [(); 3].map(|()| Client::connect(address));
        assert_eq!(clients[0].say("CONFIG SET notify-keyspace-events KEAnm").text(), "OK");
        // Keys go when they are met, and not at a moment of the server's choosing.
        assert_eq!(clients[0].say("DEBUG SET-ACTIVE-EXPIRE 0").text(), "OK");
        assert!(matches!(clients[2].say("PSUBSCRIBE __key*__:*"), Reply::Array(_)));
        clients
    });
    let mut differences = String::new();
    let mut messages = 0;
    let lines = COMMANDS.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    for command in lines.flat_map(|line| line.split("; ")).filter(|command| !command.is_empty()) {
        let (ours, theirs) = (heard(&mut ours, command), heard(&mut theirs, command));
        messages += theirs.len();
        if ours != theirs {
            let _ = writeln!(differences, "{command}\n  ours   {ours:?}\n  theirs {theirs:?}");
        }
    }
    assert!(differences.is_empty(), "{messages} messages; these differ:\n{differences}");
    assert!(messages > 500, "only {messages} messages");
}

#[test]
fn a_key_that_goes_when_memory_is_short_is_told() {
    let oracle = Oracle::start();
    let ours = Program::redis("7.0", &[]);
    for address in [Some(ours.address()), oracle.as_ref().map(Oracle::address)].into_iter().flatten() {
        let (mut client, mut listener) = (Client::connect(address), Client::connect(address));
        client.say("CONFIG SET notify-keyspace-events Ee");
        assert!(matches!(listener.say("PSUBSCRIBE __key*__:*"), Reply::Array(_)));
        for command in
            ["SET k x", "CONFIG SET maxmemory-policy allkeys-lru", "CONFIG SET maxmemory 1", "SET j x"]
        {
            client.say(command);
        }
        client.say("PUBLISH __keyspace@0__: end");
        let heard: Vec<String> = (0..2).map(|_| listener.read().elements()[2].text()).collect();
        assert_eq!(heard, ["__keyevent@0__:evicted", "__keyspace@0__:"]);
    }
}

#[test]
fn strings() {
    check_with_real_server(&[
        ("SET k v", &["new k", "set k"]),
        ("SET k v EX 100", &["set k", "expire k"]),
        ("SET k v NX", &[]),
        ("SET k v XX GET KEEPTTL", &["set k"]),
        ("SET none v XX GET", &["keymiss none"]),
        ("SETNX k v", &[]),
        ("PSETEX k 100000 v", &["set k", "expire k"]),
        ("GETEX k", &[]),
        ("GETEX k PERSIST", &["persist k"]),
        ("GETEX k PERSIST", &[]),
        ("GETEX k PX 100000", &["expire k"]),
        ("GETEX k EXAT 1", &["del k"]),
        ("GETEX k EX 100", &["keymiss k"]),
        ("GETSET k v", &["keymiss k", "new k", "set k"]),
        ("GETDEL k", &["del k"]),
        ("GETDEL k", &["keymiss k"]),
        ("MSET a 1 a 2 b 3", &["new a", "set a", "set a", "new b", "set b"]),
        ("MSETNX a 1 c 2", &[]),
        ("MSETNX c 1 d 2", &["new c", "set c", "new d", "set d"]),
        ("MGET a none", &["keymiss none"]),
        ("APPEND n x", &["new n", "append n"]),
        ("APPEND n x", &["append n"]),
        ("SETRANGE n 5 x", &["setrange n"]),
        ("SETRANGE o 5 x", &["new o", "setrange o"]),
        ("INCR i", &["new i", "incrby i"]),
        ("DECRBY i 5", &["incrby i"]),
        ("INCR n", &[]),
        ("INCRBYFLOAT i 1.5", &["incrbyfloat i"]),
        ("LCS a none", &["keymiss none"]),
        ("LPUSH list x", &["new list", "lpush list"]),
        ("SET list x", &["set list"]),
    ]);
}

#[test]
fn bits() {
    check_with_real_server(&[
        ("SETBIT b 7 0", &["new b", "setbit b"]),
        ("SETBIT b 7 0", &[]),
        ("SETBIT b 7 1", &["setbit b"]),
        ("SETBIT b 9 0", &["setbit b"]),
        ("BITFIELD b GET u8 0", &[]),
        ("BITFIELD b SET u8 0 1 GET u8 0", &[]),
        ("BITFIELD b SET u8 0 2 SET u8 8 0", &["setbit b"]),
        ("BITFIELD b SET u8 100 0", &["setbit b"]),
        ("BITFIELD b OVERFLOW FAIL INCRBY u8 0 300", &[]),
        ("BITFIELD c OVERFLOW FAIL INCRBY u8 0 300", &["new c"]),
        ("BITFIELD none GET u8 0", &["keymiss none"]),
        ("BITOP AND d none", &["keymiss none"]),
        ("BITOP OR d b", &["new d", "set d"]),
        ("BITOP NOT d d", &["set d"]),
        ("BITOP AND d none", &["keymiss none", "del d"]),
    ]);
    // Before 7.0 everything but reading counted as a change.
    check(
        Program::redis("6.2", &[]).address(),
        "KEAm",
        &[
            ("SETBIT b 7 1", &["setbit b"]),
            ("SETBIT b 7 1", &["setbit b"]),
            ("BITFIELD b SET u8 0 1", &["setbit b"]),
            ("BITFIELD b OVERFLOW FAIL INCRBY u8 0 300", &["setbit b"]),
            ("BITFIELD b GET u8 0", &[]),
        ],
    );
}

#[test]
fn hyperloglogs() {
    check_with_real_server(&[
        ("PFADD h", &["new h", "pfadd h"]),
        ("PFADD h", &[]),
        ("PFADD h a b", &["pfadd h"]),
        ("PFADD h a", &[]),
        ("PFCOUNT h", &[]),
        ("PFCOUNT h none", &["keymiss none"]),
        ("PFMERGE g h", &["keymiss g", "new g", "pfadd g"]),
        ("PFMERGE g", &["pfadd g"]),
        ("PFDEBUG TODENSE g", &[]),
    ]);
}
