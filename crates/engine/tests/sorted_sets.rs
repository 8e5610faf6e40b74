//! Sorted sets and places, release by release.
//!
//! What release 7.0 answers was compared byte by byte with a real server; here stands what differs from it in others.

mod node;

use command::Release;
use node::Caller;
use std::collections::BTreeMap;

fn caller(release: Release) -> Caller {
    Caller::new(release, &[]).expect("defaults are allowed")
}

/// The reply to a line, on one line.
fn reply(caller: &mut Caller, line: &str) -> String {
    caller.say(line).replace("\r\n", " ").trim_end().to_owned()
}

/// A line, and what some releases reply to it.
type Case<'a> = (&'a str, &'a [(&'a [Release], &'a str)]);

/// Checks what releases reply to lines, after some others.
fn check(prepare: &[&str], cases: &[Case]) {
    for release in Release::ALL {
        let mut caller = caller(release);
        for line in prepare {
            caller.say(line);
        }
        for (line, wants) in cases {
            for (_, want) in wants.iter().filter(|(releases, _)| releases.contains(&release)) {
                assert_eq!(reply(&mut caller, line), *want, "{release}: {line}");
            }
        }
    }
}

const UP_TO_5: &[Release] = &[Release::V3_0, Release::V4_0, Release::V5_0];
const FROM_6: &[Release] = &[Release::V6_2, Release::V7_0, Release::V7_4];
const FROM_7: &[Release] = &[Release::V7_0, Release::V7_4];
const UP_TO_6: &[Release] = &[Release::V3_0, Release::V4_0, Release::V5_0, Release::V6_2];
const UP_TO_7_0: &[Release] = &[Release::V3_0, Release::V4_0, Release::V5_0, Release::V6_2, Release::V7_0];
const WITH_GEO_UP_TO_5: &[Release] = &[Release::V4_0, Release::V5_0];
const WITH_GEO_UP_TO_6: &[Release] = &[Release::V4_0, Release::V5_0, Release::V6_2];

const SYNTAX: &str = "-ERR syntax error";
const NOT_AN_INTEGER: &str = "-ERR value is not an integer or out of range";
const NOT_A_FLOAT: &str = "-ERR value is not a valid float";

#[test]
fn options_come_with_their_release() {
    check(
        &["ZADD z 1 a 2 b 3 c"],
        &[
            ("ZADD z GT 5 a", &[(UP_TO_5, SYNTAX), (FROM_6, ":0")]),
            ("ZADD z LT CH 0 a", &[(UP_TO_5, NOT_A_FLOAT), (FROM_6, ":1")]),
            ("ZRANGE z 0 0 REV", &[(UP_TO_5, SYNTAX), (FROM_6, "*1 $1 c")]),
            ("ZRANGE z x 0 REV", &[(UP_TO_5, NOT_AN_INTEGER), (FROM_6, NOT_AN_INTEGER)]),
            // Limits were read before options once.
            ("ZRANGEBYSCORE z x 0 FOO", &[(UP_TO_5, "-ERR min or max is not a float"), (FROM_6, SYNTAX)]),
            ("ZRANGEBYSCORE z 0 3 REV", &[(UP_TO_6, SYNTAX), (FROM_7, SYNTAX)]),
            ("ZREVRANGE z 0 -1 LIMIT 0 -1", &[(UP_TO_5, SYNTAX), (FROM_6, "*3 $1 c $1 b $1 a")]),
            (
                "ZRANGEBYLEX z - + WITHSCORES",
                &[
                    (UP_TO_5, SYNTAX),
                    (FROM_6, "-ERR syntax error, WITHSCORES not supported in combination with BYLEX"),
                ],
            ),
            ("ZRANK z b WITHSCORES", &[(&[Release::V7_4], SYNTAX)]),
            (
                "ZRANK z b WITHSCORE x",
                &[(&[Release::V7_4], "-ERR wrong number of arguments for 'zrank' command")],
            ),
            ("ZREVRANK z b WITHSCORE", &[(&[Release::V7_4], "*2 :1 $1 2")]),
            ("ZREVRANK none b WITHSCORE", &[(&[Release::V7_4], "*-1")]),
        ],
    );
}

#[test]
fn pops_count_with_their_release() {
    check(
        &["ZADD z 1 a 2 b 3 c", "SET text x"],
        &[
            ("ZPOPMIN text 0", &[(&[Release::V5_0, Release::V6_2], "*0"), (FROM_7, WRONG_TYPE)]),
            ("ZPOPMIN z -1", &[(&[Release::V5_0, Release::V6_2], "*0"), (FROM_7, NOT_POSITIVE)]),
            ("ZPOPMIN z x", &[(&[Release::V5_0, Release::V6_2], NOT_AN_INTEGER), (FROM_7, NOT_POSITIVE)]),
            ("BZPOPMIN none 0.5", &[(&[Release::V5_0], "-ERR timeout is not an integer or out of range")]),
        ],
    );
}

const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value";
const NOT_POSITIVE: &str = "-ERR value is out of range, must be positive";

#[test]
fn scores_are_doubles_in_resp3_and_pairs_arrays() {
    for (release, lines) in [
        (
            Release::V6_2,
            &[
                ("ZRANGE z 0 0 WITHSCORES", "*1 *2 $1 a ,0.10000000000000001"),
                ("ZSCORE z b", ",inf"),
                ("ZSCORE z x", "_"),
                ("ZMSCORE z a x", "*2 ,0.10000000000000001 _"),
                ("ZADD z INCR 1 a", ",1.1000000000000001"),
                ("ZADD z NX INCR 1 a", "_"),
                ("ZUNION 1 z WITHSCORES", "*2 *2 $1 a ,1.1000000000000001 *2 $1 b ,inf"),
                ("ZRANDMEMBER z 5 WITHSCORES", "*2 *2 $1 b ,inf *2 $1 a ,1.1000000000000001"),
                ("GEOPOS z a x", "*2 *2 ,-179.99999731779098511 ,-85.05112497791824921 _"),
                ("ZPOPMAX z", "*2 $1 b ,inf"),
                ("ZPOPMIN z 5", "*1 *2 $1 a ,1.1000000000000001"),
                ("BZPOPMIN z 0", "_"),
            ][..],
        ),
        (
            Release::V7_4,
            &[
                ("ZRANGE z 0 0 WITHSCORES", "*1 *2 $1 a ,0.1"),
                ("ZRANK z a WITHSCORE", "*2 :0 ,0.1"),
                ("ZRANK z x WITHSCORE", "_"),
                ("ZADD z 1e17 a 1e23 b", ":0"),
                ("ZMSCORE z a b", "*2 ,100000000000000000 ,99999999999999990000000"),
                ("ZMPOP 1 z MAX", "*2 $1 z *1 *2 $1 b ,99999999999999990000000"),
                ("BZPOPMIN z 0", "*3 $1 z $1 a ,100000000000000000"),
            ],
        ),
    ] {
        let mut caller = caller(release);
        caller.say("HELLO 3");
        caller.say("ZADD z 0.1 a inf b");
        for (line, want) in lines {
            // Nobody waits in a transaction.
            if *want == "_" && line.starts_with('B') {
                caller.say("MULTI");
                caller.say(line);
                assert_eq!(reply(&mut caller, "EXEC"), "*1 _", "{release}: {line}");
            } else {
                assert_eq!(reply(&mut caller, line), *want, "{release}: {line}");
            }
        }
    }
}

#[test]
fn from_7_2_on_the_number_of_members_decides_before_they_are_looked_at() {
    let many = |key: &str| format!("ZADD {key} {}", "1 same ".repeat(129));
    check(
        &[&many("new"), "ZADD old 1 a", &many("old")],
        &[
            ("ZCARD new", &[(UP_TO_7_0, ":1"), (&[Release::V7_4], ":1")]),
            (
                "OBJECT ENCODING new",
                &[
                    (UP_TO_6, "$7 ziplist"),
                    (&[Release::V7_0], "$8 listpack"),
                    (&[Release::V7_4], "$8 skiplist"),
                ],
            ),
            (
                "OBJECT ENCODING old",
                &[
                    (UP_TO_6, "$7 ziplist"),
                    (&[Release::V7_0], "$8 listpack"),
                    (&[Release::V7_4], "$8 skiplist"),
                ],
            ),
        ],
    );
}

#[test]
fn results_are_small_again_if_they_can_be() {
    for (release, small) in [(Release::V5_0, "ziplist"), (Release::V7_0, "listpack")] {
        let mut caller = caller(release);
        let members: String = (0..200).map(|number| format!(" {number} m{number}")).collect();
        caller.say(&format!("ZADD big{members}"));
        caller.say("SADD set m1 m2 m3");
        for line in ["ZINTERSTORE d 2 big set", "ZUNIONSTORE d 1 set"] {
            assert_eq!(caller.say(line), ":3\r\n");
            assert_eq!(
                caller.say("OBJECT ENCODING d"),
                format!("$8\r\n{small}\r\n").replace("$8\r\nz", "$7\r\nz")
            );
        }
        assert_eq!(caller.say("ZUNIONSTORE d 2 big set"), ":200\r\n");
        assert_eq!(caller.say("OBJECT ENCODING d"), "$8\r\nskiplist\r\n");
    }
}

#[test]
fn places_are_asked_for_as_the_release_has_it() {
    check(
        &["GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania", "SET text x"],
        &[
            (
                "GEODIST g Palermo Catania KM",
                &[
                    (WITH_GEO_UP_TO_6, "-ERR unsupported unit provided. please use m, km, ft, mi"),
                    (FROM_7, "$8 166.2742"),
                ],
            ),
            (
                "GEOADD g NX 1 1 a 2",
                &[
                    (
                        WITH_GEO_UP_TO_5,
                        "-ERR syntax error. Try GEOADD key [x1] [y1] [name1] [x2] [y2] [name2] ...",
                    ),
                    (FROM_6, SYNTAX),
                ],
            ),
            (
                "GEORADIUS g 15 37 200 km COUNT 1 ANY",
                &[(WITH_GEO_UP_TO_5, SYNTAX), (FROM_6, "*1 $7 Palermo")],
            ),
            (
                "GEORADIUS g 15 37 200 km STORE d WITHDIST",
                &[
                    (
                        WITH_GEO_UP_TO_5,
                        "-ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORDS options",
                    ),
                    (
                        FROM_6,
                        "-ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options",
                    ),
                ],
            ),
            // Where there was no source, nothing was looked at.
            (
                "GEORADIUS none 200 100 x y STORE text",
                &[
                    (WITH_GEO_UP_TO_5, "*0"),
                    (FROM_6, "-ERR invalid longitude,latitude pair 200.000000,100.000000"),
                ],
            ),
            ("GEORADIUS none 15 37 1 km STORE text", &[(WITH_GEO_UP_TO_5, "*0"), (FROM_6, ":0")]),
            ("EXISTS text", &[(WITH_GEO_UP_TO_5, ":1"), (FROM_6, ":0")]),
        ],
    );
}

#[test]
fn long_work_is_done_whole_where_nobody_waits_for_it() {
    let mut caller = caller(Release::V7_4);
    let mut model = BTreeMap::new();
    for chunk in 0..30u64 {
        let mut line = String::from("ZADD big");
        for number in chunk * 1000..(chunk + 1) * 1000 {
            let score = number * 7919 % 30_011;
            line += &format!(" {score} m{number}");
            model.insert(score, number);
        }
        assert_eq!(caller.say(&line), ":1000\r\n");
    }
    let members: Vec<String> = model.values().map(|number| format!("m{number}")).collect();
    assert_eq!(caller.strings(&["ZRANGE", "big", "0", "-1"]), members);
    assert_eq!(
        caller.strings(&["ZRANGE", "big", "+inf", "-inf", "BYSCORE", "REV", "LIMIT", "29990", "50"]),
        {
            let mut last = members[..10].to_vec();
            last.reverse();
            last
        }
    );
    assert_eq!(caller.say("ZUNIONSTORE d 2 big big WEIGHTS 1 -1"), ":30000\r\n");
    assert_eq!(caller.say("ZCOUNT d 0 0"), ":30000\r\n");
    assert_eq!(caller.say("ZINTERCARD 2 big d"), ":30000\r\n");
    assert_eq!(caller.say("ZRANGESTORE copy big 5 29998"), ":29994\r\n");
    assert_eq!(caller.strings(&["ZDIFF", "2", "big", "copy"]), [&members[..5], &members[29_999..]].concat());
    assert_eq!(caller.say("ZREMRANGEBYRANK copy 0 29900"), ":29901\r\n");
    assert_eq!(caller.strings(&["ZRANGE", "copy", "0", "-1"]), members[29_906..29_999]);
    assert_eq!(caller.strings(&["ZPOPMAX", "big", "25000"]).len(), 50_000);
    assert_eq!(caller.strings(&["ZRANGE", "big", "0", "-1"]), members[..5_000]);
    assert_eq!(caller.say("ZRANK big m0"), ":0\r\n");
}
