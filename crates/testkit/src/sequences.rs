//! Random sequences of commands, to be run against two servers that are to agree.

use crate::rng::Rng;
use crate::template::{Vocabulary, fill};
use std::fmt::Write;

/// Commands of a sequence, which begins with an empty keyspace.
pub const SEQUENCE: usize = 120;
/// What sequences may change of the configuration, as it is by default.
pub const LIMITS: &str = "CONFIG SET set-max-intset-entries 512 hash-max-listpack-entries 512 \
     hash-max-listpack-value 64 stream-node-max-entries 100";
/// The databases that sequences use.
pub const DATABASES: usize = 3;

/// A command: its words.
pub type Command = Vec<Vec<u8>>;

/// The shortest sequence that was found to be one of those that are looked for.
pub fn shrink(commands: Vec<Command>, mut is_one: impl FnMut(&[Command]) -> bool) -> Vec<Command> {
    let mut commands = commands;
    let mut chunk = commands.len() / 2;
    while chunk > 0 {
        let mut start = 0;
        while start < commands.len() {
            let mut shorter = commands.clone();
            shorter.drain(start..(start + chunk).min(commands.len()));
            if is_one(&shorter) {
                commands = shorter;
            } else {
                start += chunk;
            }
        }
        chunk /= 2;
    }
    commands
}

/// Commands, or requests of a stream, to be read: a line each.
pub fn shown<'a>(commands: impl IntoIterator<Item = &'a Command>) -> String {
    let mut text = String::new();
    for command in commands {
        let words: Vec<String> =
            command.iter().map(|word| format!("{:?}", String::from_utf8_lossy(word))).collect();
        let _ = writeln!(text, "  {}", words.join(" "));
    }
    text
}

/// Templates of a family, and the prefix of the keys that it mostly uses.
#[derive(Debug)]
pub struct Family {
    /// What its keys begin with.
    pub prefix: &'static str,
    /// Its commands.
    pub templates: &'static [&'static str],
}

/// All families. The last goes with every other: what is done with keys of any type.
pub const FAMILIES: &[Family] = &[
    Family {
        prefix: "s",
        templates: &[
            "SET $k $v",
            "SET $k $v {NX|XX} [GET]",
            "SET $k $v {EX $t|PX $t000|KEEPTTL|EX $i000}",
            "SET $k $v [GET] EXAT 99999999999",
            "GET $k",
            "GETSET $k $v",
            "SETNX $k $v",
            "SETEX $k $t $v",
            "PSETEX $k $t000 $v",
            "SETEX $k $i000 $v",
            "GETDEL $k",
            "GETEX $k [{EX $t|PERSIST|PX $t000|EXAT 99999999999}]",
            "APPEND $k $v",
            "STRLEN $k",
            "GETRANGE $k $i $i",
            "SUBSTR $k $i $i",
            "SETRANGE $k $n $v",
            "INCR $k",
            "DECR $k",
            "INCRBY $k $i",
            "DECRBY $k $i",
            "INCRBYFLOAT $k $f",
            "MSET ($k $v)*",
            "MSETNX ($k $v)*",
            "MGET ($k)*",
            "SETBIT $k $n {0|1}",
            "GETBIT $k $n",
            "BITCOUNT $k [$i $i [{BIT|BYTE}]]",
            "BITPOS $k {0|1} [$i [$i [{BIT|BYTE}]]]",
            "BITOP {AND|OR|XOR} $k ($k)*",
            "BITOP NOT $k $k",
            "BITFIELD $k (GET {u|i}{1|4|8|13|63} [#]$n)* [OVERFLOW {WRAP|SAT|FAIL}] [SET {u8|i5|i64} [#]$n $i] [INCRBY {u2|i8|i63} [#]$n $i]",
            "BITFIELD_RO $k GET u{3|8|16} $n",
            "LCS $k $k [{LEN|IDX [MINMATCHLEN $n] [WITHMATCHLEN]}]",
        ],
    },
    Family {
        prefix: "p",
        templates: &[
            "PFADD $k ($m)*",
            "PFADD $k ($m)* ($m)* ($m)*",
            "PFCOUNT ($k)*",
            "PFMERGE $k ($k)*",
            "GET $k",
            "STRLEN $k",
            "PFADD $k",
        ],
    },
    Family {
        prefix: "l",
        templates: &[
            "{LPUSH|RPUSH} $k ($v)*",
            "{LPUSHX|RPUSHX} $k ($v)*",
            "{LPOP|RPOP} $k [$i]",
            "LLEN $k",
            "LRANGE $k $i $i",
            "LINDEX $k $i",
            "LSET $k $i $v",
            "LINSERT $k {BEFORE|AFTER} $v $v",
            "LREM $k $i $v",
            "LTRIM $k $i $i",
            "RPOPLPUSH $k $k",
            "LMOVE $k $k {LEFT|RIGHT} {LEFT|RIGHT}",
            "LPOS $k $v [RANK $i] [COUNT $n] [MAXLEN $n]",
            "LPOS $k $v {RANK|COUNT|MAXLEN} $i {RANK|COUNT|MAXLEN}",
            "{LPOP|RPOP} $k $n $n",
            "LINSERT $k AROUND $v $v",
            "LMOVE $k $k {LEFT|RIGHT|UP} {LEFT|RIGHT|DOWN}",
            "LMPOP $i ($k)* {LEFT|RIGHT|UP} [COUNT $i]",
            "BLMPOP {-1|x} $i ($k)* {LEFT|RIGHT|UP} [COUNT $i]",
            "{BLPOP|BRPOP} ($k)* {-1|inf|1e30|x}",
            "BLMOVE $k $k {LEFT|RIGHT|UP} {LEFT|RIGHT} {-1|x}",
            "LMPOP 2 $k $k {LEFT|RIGHT} [COUNT $n]",
            "{BLPOP|BRPOP} $k $k 0.002",
            "BLMOVE $k $k LEFT RIGHT 0.002",
            "BLMPOP 0.002 2 $k $k LEFT COUNT 2",
            "BRPOPLPUSH $k $k 0.002",
            "SORT $k [LIMIT $i $n] [{ASC|DESC}] [ALPHA]",
            "SORT $k ALPHA STORE $k",
            "SORT $k BY nosort [GET #] [GET s$n]",
        ],
    },
    Family {
        prefix: "t",
        templates: &[
            "SADD $k ($m)*",
            "SADD $k ($m)* ($m)* ($m)*",
            "SADD $k ($n)* ($n)* ($n)*",
            "SREM $k ($m)*",
            "SISMEMBER $k $m",
            "SMISMEMBER $k ($m)*",
            "SCARD $k",
            "SMEMBERS $k",
            "SMOVE $k $k $m",
            "{SINTER|SUNION|SDIFF} ($k)*",
            "{SINTERSTORE|SUNIONSTORE|SDIFFSTORE} $k ($k)*",
            "SDIFFSTORE $k $k ($k)* ($k)*",
            "SINTERCARD 2 $k $k [LIMIT $n]",
            "SINTERCARD $i ($k)* [LIMIT $i] [LIMIT $n]",
            "SRANDMEMBER $k [$i]",
            "SPOP $k 1000",
            "SPOP $k {0|-1|abc} [1]",
            "CONFIG SET set-max-intset-entries {512|4|7}",
            "SSCAN $k 0 COUNT 1000 [MATCH $g]",
            "SORT $k ALPHA",
        ],
    },
    Family {
        prefix: "h",
        templates: &[
            "HSET $k ($m $v)*",
            "HMSET $k ($m $v)*",
            "HSETNX $k $m $v",
            "HGET $k $m",
            "HMGET $k ($m)*",
            "HGETALL $k",
            "HDEL $k ($m)*",
            "HEXISTS $k $m",
            "HLEN $k",
            "{HKEYS|HVALS} $k",
            "HINCRBY $k $m $i",
            "HINCRBYFLOAT $k $m $f",
            "HSTRLEN $k $m",
            "HRANDFIELD $k [$i [WITHVALUES]]",
            "HRANDFIELD $k 1000 [WITHVALUES] [$v]",
            "CONFIG SET hash-max-listpack-entries {512|3|6}",
            "CONFIG SET hash-max-listpack-value {64|5|40}",
            "HSCAN $k 0 COUNT 1000 [MATCH $g]",
        ],
    },
    Family {
        prefix: "z",
        templates: &[
            "ZADD $k [{NX|XX|GT|LT}] [CH] ($s $m)*",
            "ZADD $k ($s $m)* ($s $m)* ($s $m)*",
            "ZADD $k [{XX|NX}] INCR $s $m",
            "ZADD $k {NX|XX|GT|LT} {XX|GT|LT|CH|INCR} $s $m",
            "ZINCRBY $k $s $m",
            "ZREM $k ($m)*",
            "ZSCORE $k $m",
            "ZMSCORE $k ($m)*",
            "ZCARD $k",
            "{ZRANK|ZREVRANK} $k $m",
            "{ZRANGE|ZREVRANGE} $k $i $i [WITHSCORES]",
            "ZRANGE $k $i $i REV [WITHSCORES]",
            "ZRANGE $k $i $i [BYSCORE] LIMIT $i $i",
            "ZRANGE $k $r $r BYSCORE [LIMIT $i $i] [WITHSCORES]",
            "ZRANGE $k $r $r BYSCORE REV",
            "{ZRANGEBYSCORE|ZREVRANGEBYSCORE} $k $r $r [WITHSCORES] [LIMIT $i $i]",
            "ZCOUNT $k $r $r",
            "ZREMRANGEBYRANK $k $i $i",
            "ZREMRANGEBYSCORE $k $r $r",
            "{ZPOPMIN|ZPOPMAX} $k [$i]",
            "{BZPOPMIN|BZPOPMAX} $k $k 0.002",
            "ZMPOP 2 $k $k {MIN|MAX} [COUNT $n]",
            "BZMPOP 0.002 2 $k $k MIN",
            "ZRANGESTORE $k $k $i $i [REV]",
            "ZRANGESTORE $k $k $r $r BYSCORE [REV] [LIMIT $n $i]",
            "{ZUNIONSTORE|ZINTERSTORE} $k 2 $k $k [WEIGHTS $f $f] [AGGREGATE {SUM|MIN|MAX}]",
            "{ZUNION|ZINTER} 2 $k $k [WEIGHTS $f $f] [AGGREGATE {SUM|MIN|MAX}] [WITHSCORES]",
            "{ZUNION|ZINTER|ZDIFF} {1|3} $k t1 $k [WITHSCORES] [WEIGHTS $f $f $f]",
            "ZDIFF 2 $k $k [WITHSCORES]",
            "ZDIFFSTORE $k 2 $k $k",
            "ZINTERCARD 2 $k $k [LIMIT $n]",
            "ZRANDMEMBER $k [$i [WITHSCORES]]",
            "ZSCAN $k 0 COUNT 1000",
            "ZUNIONSTORE $k 2 t1 $k",
            "SORT $k ALPHA [BY nosort]",
        ],
    },
    // Ranges of members have a meaning only where all scores are the same; elsewhere a real server's answer is chance.
    Family {
        prefix: "e",
        templates: &[
            "ZADD e{0|1|2} 0 $m 0 $m 0 $m",
            "ZADD e{0|1|2} 0 $m 0 $v",
            "ZREM e{0|1|2} ($m)*",
            "ZRANGE e{0|1|2} $x $x BYLEX [REV] [LIMIT $i $i]",
            "{ZRANGEBYLEX|ZREVRANGEBYLEX} e{0|1|2} $x $x [LIMIT $i $i]",
            "{ZRANGEBYLEX|ZREVRANGEBYLEX} e{0|1|2} $x $x {WITHSCORES|LIMIT $i}",
            "ZLEXCOUNT e{0|1|2} $x $x",
            "ZREMRANGEBYLEX e{0|1|2} $x $x",
            "ZRANGESTORE e{0|1|2} e{0|1|2} $x $x BYLEX [REV] [LIMIT $n $i]",
            "ZRANGE e{0|1|2} 0 -1",
        ],
    },
    // No two members are at the same place: which of them COUNT leaves out depends on how a real server sorts.
    Family {
        prefix: "g",
        templates: &[
            "GEOADD $k [{NX|XX}] [CH] ($o $a $m)*",
            "GEODIST $k $m $m [{m|km|ft|mi}]",
            "GEOPOS $k ($m)*",
            "GEOHASH $k ($m)*",
            "GEORADIUS $k $o $a $d {m|km} [WITHDIST] [WITHCOORD] [WITHHASH] [COUNT $n] {ASC|DESC}",
            "GEORADIUSBYMEMBER $k $m $d km ASC",
            "GEOSEARCH $k FROMLONLAT $o $a BYRADIUS $d km ASC [WITHDIST] [WITHCOORD]",
            "GEOSEARCH $k FROMMEMBER $m BYBOX $d $d km DESC [COUNT $n]",
            "GEOSEARCHSTORE $k $k FROMLONLAT $o $a BYRADIUS $d km ASC [STOREDIST]",
            "GEOSEARCHSTORE $k $k FROMMEMBER $m BYBOX $d $d {mi|ft} [COUNT $n [ANY]]",
            "GEORADIUS $k $o $a $d km STORE $k",
            "GEORADIUS $k $o $a $d km STOREDIST $k [STORE $k]",
            "{GEORADIUS|GEORADIUS_RO} $k $o $a $d {m|km} [WITHDIST] [WITHHASH] [COUNT $n ANY]",
            "{GEORADIUSBYMEMBER|GEORADIUSBYMEMBER_RO} $k $m $d mi [WITHCOORD] [COUNT $n] [DESC]",
            "GEOSEARCH $k {FROMMEMBER $m|FROMLONLAT $o $a} {BYRADIUS $d KM|BYBOX $d $d km} [WITHDIST] [COUNT $n ANY]",
            "GEOSEARCH $k FROMLONLAT $o $a BYBOX $d $d $m [WITHHASH]",
            "GEOADD $k $o 85.05112878 $m $o -85.05112878 $m 180 $a $m -180 $a $m",
        ],
    },
    Family {
        prefix: "x",
        templates: &[
            "XADD $k [NOMKSTREAM] [{MAXLEN|MINID} [{=|~}] $n [LIMIT $i]] $e ($m $v)*",
            "XADD $k [{MAXLEN|MINID} [{=|~}] $n] {1|3|5|7|9|11|12}-* ($m $v)*",
            "XADD $k $e f $v",
            "XADD $k 12-* f $n g $v",
            "XADD $k 12-* f $n g $v",
            "XADD $k 12-* f $n",
            "XADD $k $e f",
            "XADD $k $i ($m $v)*",
            "XLEN $k",
            "XRANGE $k $y $y [COUNT $i]",
            "XREVRANGE $k $y $y [COUNT $i]",
            "XDEL $k ($e)*",
            "XDEL $k 12-$n",
            "XTRIM $k {MAXLEN|MINID} [{=|~}] $n [LIMIT $i]",
            "XTRIM $k MINID [{=|~}] 12-$n",
            "XTRIM $k MAXLEN ~ $n LIMIT 0",
            "XTRIM $k {MAXLEN $i|MINID $e|LIMIT $n} {MAXLEN $n|MINID $e|LIMIT $n}",
            "XSETID $k $e [ENTRIESADDED $n MAXDELETEDID 0-$n]",
            "XSETID $k $e [{ENTRIESADDED $i|MAXDELETEDID $e}]",
            "XREAD [COUNT $n] STREAMS $k $k $e $e",
            "XREAD [COUNT $i] STREAMS $k {0|$!|$e|>}",
            "XREAD [BLOCK 1] [NOACK] [COUNT $n] STREAMS $k $k $e",
            "XREAD BLOCK 1 STREAMS $k {$!|$e}",
            "XGROUP CREATE $k {a|b} {0|$!|$e} [MKSTREAM] [ENTRIESREAD $n]",
            "XGROUP CREATE $k a 0",
            "XGROUP CREATE $k {a|b} {0|$e|-|+} [{MKSTREAM|ENTRIESREAD $i|$v}]",
            "XGROUP SETID $k {a|b} {0|$!|$e|-|+} [ENTRIESREAD $i]",
            "XGROUP DESTROY $k b",
            "XGROUP CREATECONSUMER $k {a|b} {c|d}",
            "XGROUP DELCONSUMER $k {a|b} {c|d}",
            "XREADGROUP GROUP {a|b} {c|d} [COUNT $n] [NOACK] STREAMS $k {>|0|$e}",
            "XREADGROUP GROUP a {c|d} [COUNT $n] STREAMS $k >",
            "XREADGROUP GROUP a {c|d|e} [COUNT $i] STREAMS $k {0|12-$n|$!}",
            "XREADGROUP GROUP {a|b} c [BLOCK 1] STREAMS $k $k {> >|0 >|> $e}",
            "XACK $k {a|b} ($e)*",
            "XACK $k a 12-$n 12-$n",
            "XPENDING $k {a|b}",
            "XPENDING $k {a|b} - + 10 [{c|d}]",
            "XPENDING $k {a|b} [IDLE {0|50000|-1|abc}] $y $y $i [{c|d|e}]",
            "XCLAIM $k {a|b} {c|d} 0 ($e)* [JUSTID] [FORCE]",
            "XCLAIM $k a {c|d|e} {0|50000} 12-$n 12-$n [IDLE {100000|-1|$i}] [RETRYCOUNT $i] [FORCE] [JUSTID] [LASTID $e]",
            "XCLAIM $k a {c|d} 0 12-$n {TIME 1|TIME $i|IDLE|FORCE JUSTID|$v}",
            "XAUTOCLAIM $k {a|b} {c|d} 0 {0|$e} [COUNT $n] [JUSTID]",
            "XAUTOCLAIM $k a {c|d|e} {0|50000|-1|abc} {$y|0|12-$n} [COUNT $i] [JUSTID]",
            "XINFO GROUPS $k",
            "XINFO STREAM $k [FULL [COUNT $i]]",
            "XINFO STREAM $k",
            "XINFO CONSUMERS $k {a|b}",
            "CONFIG SET stream-node-max-entries {100|1|2|3|5}",
        ],
    },
    Family {
        prefix: "s",
        templates: &[
            "DEL ($K)*",
            "UNLINK ($K)*",
            "EXISTS ($K)*",
            "TYPE $K",
            "TOUCH ($K)*",
            "RENAME $K $K",
            "RENAMENX $K $K",
            "COPY $K $K [DB $b] [REPLACE]",
            "MOVE $K $b",
            "SELECT $b",
            "SWAPDB $b $b",
            "DBSIZE",
            "KEYS $g",
            "SCAN 0 COUNT 1000 [MATCH $g] [TYPE {string|list|set|zset|hash|stream}]",
            "EXPIRE $K $t [{NX|XX|GT|LT}]",
            "PEXPIRE $K $t000 [{NX|XX|GT|LT}] [{NX|XX|GT|LT}]",
            "EXPIREAT $K 99999999999 [{NX|XX|GT|LT}]",
            "PEXPIREAT $K 99999999999000 [{NX|XX|GT|LT}]",
            "EXPIRE $K $i000",
            "{PEXPIRE|EXPIREAT|PEXPIREAT} $K {0|-1|x|9223372036854775807|-9223372036854775807}",
            "TTL $K",
            "PTTL $K",
            "EXPIRETIME $K",
            "PEXPIRETIME $K",
            "PERSIST $K",
            "OBJECT ENCODING $K",
            "OBJECT ENCODING $K",
            "OBJECT {REFCOUNT|FREQ} $K",
            "SORT $K [LIMIT $i $n] [{ASC|DESC}] [ALPHA]",
            "{SORT|SORT_RO} $K BY {s*|h*->m1} [GET #] [GET h*->m$n] [DESC] [LIMIT $i $n]",
            "SORT $K [BY s*] [GET #] [GET s*] [LIMIT $i $n] STORE $K",
            "{SSCAN|HSCAN|ZSCAN} $K 0 COUNT 1000 [MATCH $g]",
            "RANDOMKEY",
            "MULTI",
            "EXEC",
            "EXEC",
            "DISCARD",
            "WATCH $K",
            "UNWATCH",
            "FLUSHDB [{ASYNC|SYNC}]",
            "PING",
            "ECHO $v",
            "NOSUCH $v",
            "GET",
            "SET $K",
        ],
    },
];

/// The words of sequences: few enough that commands meet the same keys and members.
#[derive(Debug)]
pub struct Words {
    /// What `$k` begins with.
    pub prefix: &'static str,
}

/// One of some words.
fn one(rng: &mut Rng, words: &[&str]) -> Vec<u8> {
    rng.pick(words).as_bytes().to_vec()
}

impl Vocabulary for Words {
    fn word(&self, letter: char, rng: &mut Rng) -> Vec<u8> {
        let text = |text: &str| text.as_bytes().to_vec();
        match letter {
            'k' if rng.one_in(25) => self.word('K', rng),
            'k' => format!("{}{}", self.prefix, rng.below(3)).into_bytes(),
            'K' => format!("{}{}", rng.pick(&["s", "p", "l", "t", "h", "z", "g", "x"]), rng.below(3))
                .into_bytes(),
            'v' => match rng.below(12) {
                0 => Vec::new(),
                1 => vec![b'x'; 30 + rng.below(60)],
                2 => vec![b'y'; 1000 + rng.below(9000)],
                3 => vec![0, 255, b'\r', b'\n', 7],
                4 => text("3.5"),
                5 => one(
                    rng,
                    &[
                        "9223372036854775807",
                        "-9223372036854775808",
                        "9223372036854775808",
                        "1e5",
                        " 1",
                        "007",
                        "-0",
                    ],
                ),
                6 | 7 => (rng.below(300) as i64 - 100).to_string().into_bytes(),
                _ => one(rng, &["a", "b", "c", "hello", "ohmytext", "mynewtext"]),
            },
            'm' => match rng.below(10) {
                0 => vec![b'm'; 60 + rng.below(10)],
                1..=3 => rng.below(40).to_string().into_bytes(),
                _ => format!("m{}", rng.below(12)).into_bytes(),
            },
            'i' => match rng.below(16) {
                0 => one(
                    rng,
                    &[
                        "abc",
                        "",
                        "1.5",
                        "9223372036854775807",
                        "-9223372036854775808",
                        "99999999999999999999",
                    ],
                ),
                _ => (rng.below(16) as i64 - 6).to_string().into_bytes(),
            },
            'n' => rng.below(9).to_string().into_bytes(),
            't' => (1000 + rng.below(9000)).to_string().into_bytes(),
            'b' => rng.below(DATABASES).to_string().into_bytes(),
            'f' => one(
                rng,
                &["1", "-2.5", "0.1", "3", "1e3", "-0.25", "nan", "inf", "abc", "100000000000000000000"],
            ),
            // None out of a double's range: a real server that has met one goes on to refuse what it sorts.
            's' => one(
                rng,
                &[
                    "1",
                    "2",
                    "3",
                    "-1",
                    "0",
                    "2.5",
                    "0.1",
                    "1e20",
                    "inf",
                    "-inf",
                    "1",
                    "2",
                    "17179869184",
                    "x",
                    "-0",
                    "0x1p3",
                    " 1",
                    "1.",
                    ".5",
                    "3479099956230698",
                    "-infinity",
                    "nan(1)",
                    "",
                ],
            ),
            'r' => one(
                rng,
                &["-inf", "+inf", "0", "1", "2", "(1", "(2", "3", "2.5", "x", "", " 1", "(", "(-inf", "nan"],
            ),
            'x' => one(rng, &["-", "+", "[a", "[m1", "(m1", "[m5", "(m5", "[z", "x"]),
            'g' => one(rng, &["*", "s*", "?1", "[lh]*", "m[0-4]", "nomatch"]),
            'e' if rng.one_in(30) => text("abc"),
            'e' => format!("{}-{}", 1 + rng.below(12), 1 + rng.below(3)).into_bytes(),
            'y' => match rng.below(5) {
                0 | 1 => text("-"),
                2 | 3 => text("+"),
                _ => format!("{}{}", rng.pick(&["", "("]), 1 + rng.below(12)).into_bytes(),
            },
            'o' => format!("{}.{}", rng.below(300) as i64 - 150, rng.below(1000)).into_bytes(),
            'a' => format!("{}.{}", rng.below(160) as i64 - 80, rng.below(1000)).into_bytes(),
            'd' => rng.pick(&["1", "100", "5000", "20000", "0"]).as_bytes().to_vec(),
            '!' => text("$"),
            other => panic!("a template has ${other}"),
        }
    }
}

/// A random sequence of commands of some families.
pub fn sequence(rng: &mut Rng, families: &[&Family]) -> Vec<Command> {
    // A sequence stays with few families, so that their commands meet.
    let families = [*rng.pick(families), *rng.pick(families), families[families.len() - 1]];
    (0..SEQUENCE)
        .map(|_| {
            let family = *rng.pick(&families);
            let template = *rng.pick(family.templates);
            fill(template, &Words { prefix: family.prefix }, rng)
        })
        .collect()
}
