//! What strings, bits and HyperLogLogs do otherwise in some releases, seen from outside.
//!
//! What release 7.0 does is checked against a real redis-server as well, where there is one.

use testkit::{Client, Oracle, Program};

const RELEASES: [&str; 6] = ["3.0", "4.0", "5.0", "6.2", "7.0", "7.4"];

/// A command, and its replies from some releases on, the oldest first.
type Case<'a> = (&'a str, &'a [(&'a str, &'a str)]);

/// Runs commands one after the other in each release, and in a real server of 7.0.
fn check(cases: &[Case]) {
    for release in RELEASES {
        check_one(&mut Program::redis(release, &[]).client(), release, cases);
    }
    if let Some(oracle) = Oracle::start() {
        check_one(&mut oracle.client(), "7.0", cases);
    }
}

fn check_one(client: &mut Client, release: &str, cases: &[Case]) {
    for (line, replies) in cases {
        let want = replies.iter().rev().find(|(since, _)| release >= *since);
        let reply = client.say(line);
        let Some((_, want)) = want else { continue };
        assert_eq!(format!("{reply:?}"), *want, "{release}: {line}");
    }
}

const OK: &str = r#"{"status":"OK"}"#;
const SYNTAX: &str = r#"{"error":"ERR syntax error"}"#;
const NOT_AN_INTEGER: &str = r#"{"error":"ERR value is not an integer or out of range"}"#;

#[test]
fn options_of_set_exclude_each_other_since_4_0() {
    check(&[
        ("SET k v", &[("3.0", OK)]),
        ("SET k v NX XX", &[("3.0", "null"), ("4.0", SYNTAX)]),
        ("SET k v EX 100 PX 5000000", &[("3.0", OK), ("4.0", SYNTAX)]),
        ("SET k v EX 100 EX 200", &[("3.0", OK)]),
        ("SET k v XX XX", &[("3.0", OK)]),
        ("SET k v GET NX", &[("3.0", SYNTAX), ("7.0", r#""v""#)]),
        ("SET k v NX GET", &[("3.0", SYNTAX), ("7.0", r#""v""#)]),
        ("SET k v XX GET", &[("3.0", SYNTAX), ("6.2", r#""v""#)]),
        ("SET none v XX GET", &[("3.0", SYNTAX), ("6.2", "null")]),
        ("SET k v KEEPTTL EX 100", &[("3.0", SYNTAX)]),
        ("SET k v EX", &[("3.0", SYNTAX)]),
        ("SET k v EXAT 1 PXAT 1", &[("3.0", SYNTAX)]),
    ]);
}

#[test]
fn integers_are_read_leniently_before_4_0() {
    check(&[
        ("SET k +7", &[("3.0", OK)]),
        ("INCR k", &[("3.0", "8"), ("4.0", NOT_AN_INTEGER)]),
        ("INCRBY n 007", &[("3.0", "7"), ("4.0", NOT_AN_INTEGER)]),
        ("SETRANGE r +3 x", &[("3.0", "4"), ("4.0", NOT_AN_INTEGER)]),
        (
            "SETBIT b +8 1",
            &[("3.0", "0"), ("4.0", r#"{"error":"ERR bit offset is not an integer or out of range"}"#)],
        ),
    ]);
}

#[test]
fn decrements_that_cannot_be_negated_are_refused_since_7_0() {
    check(&[
        (
            "DECRBY k -9223372036854775808",
            &[("3.0", "-9223372036854775808"), ("7.0", r#"{"error":"ERR decrement would overflow"}"#)],
        ),
        (
            "MSETNX a 1 b",
            &[
                ("3.0", r#"{"error":"ERR wrong number of arguments for MSET"}"#),
                ("7.0", r#"{"error":"ERR wrong number of arguments for 'msetnx' command"}"#),
            ],
        ),
    ]);
}

#[test]
fn ranges_that_go_backwards_are_empty_since_3_2() {
    check(&[
        ("SET k foobar", &[("3.0", OK)]),
        ("GETRANGE k -50 -100", &[("3.0", r#""f""#), ("4.0", r#""""#)]),
        ("GETRANGE k -100 -50", &[("3.0", r#""f""#)]),
        ("BITCOUNT k -50 -100", &[("3.0", "4"), ("4.0", "0")]),
        ("BITPOS k 1 -50 -100", &[("3.0", "1")]),
    ]);
}

#[test]
fn bits_are_counted_and_found_by_arguments_that_each_release_checks() {
    check(&[
        ("SET k foobar", &[("3.0", OK)]),
        ("BITCOUNT none 0", &[("3.0", "0"), ("7.4", SYNTAX)]),
        ("BITCOUNT none a b", &[("3.0", "0"), ("7.4", NOT_AN_INTEGER)]),
        ("BITCOUNT k -1 -2 WORD", &[("3.0", SYNTAX), ("7.0", "0"), ("7.4", SYNTAX)]),
        ("BITCOUNT k 5 30 BIT", &[("3.0", SYNTAX), ("7.0", "17")]),
        ("BITCOUNT k 0 1 BYTE", &[("3.0", SYNTAX), ("7.0", "10")]),
        ("BITPOS none 1 a", &[("3.0", "-1"), ("7.4", NOT_AN_INTEGER)]),
        ("BITPOS none 0 0 1 WORD", &[("3.0", "0"), ("7.4", SYNTAX)]),
        ("BITPOS k 1 2 20 BIT", &[("3.0", SYNTAX), ("7.0", "2")]),
    ]);
}

#[test]
fn negative_numbers_of_64_bits_are_all_one_before_6_0() {
    check(&[
        ("BITFIELD k SET i64 0 -5", &[("4.0", "[0]")]),
        ("BITFIELD k GET i64 0 GET i63 0", &[("4.0", "[-1,-3]"), ("6.2", "[-5,-3]")]),
    ]);
}

#[test]
fn subsequences_are_stralgos_in_6_2() {
    let program = Program::redis("6.2", &[]);
    let mut client = program.client();
    for (line, want) in [
        ("MSET a ohmytext b mynewtext", OK),
        ("STRALGO LCS KEYS a b", r#""mytext""#),
        ("STRALGO LCS LEN KEYS a b", "6"),
        (
            "STRALGO LCS STRINGS ohmytext mynewtext IDX MINMATCHLEN 4 WITHMATCHLEN",
            r#"["matches",[[[4,7],[5,8],4]],"len",6]"#,
        ),
        ("STRALGO LCS KEYS a none", r#""""#),
        (
            "STRALGO LCS LEN",
            r#"{"error":"ERR Please specify two strings: STRINGS or KEYS options are mandatory"}"#,
        ),
        ("STRALGO LCS KEYS a b STRINGS c d", r#"{"error":"ERR Either use STRINGS or KEYS"}"#),
        ("STRALGO LCS KEYS a", SYNTAX),
        (
            "STRALGO LCS",
            r#"{"error":"ERR Please specify two strings: STRINGS or KEYS options are mandatory"}"#,
        ),
        ("STRALGO NONE", SYNTAX),
        ("LPUSH l x", "1"),
        ("STRALGO LCS KEYS a l", r#"{"error":"ERR The specified keys must contain string values"}"#),
    ] {
        assert_eq!(format!("{:?}", client.say(line)), want, "{line}");
    }
}

#[test]
fn merged_hyperloglogs_are_dense_before_4_0() {
    check(&[
        ("PFADD a 1 2 3", &[("3.0", "1")]),
        ("PFADD b 3 4 5", &[("3.0", "1")]),
        ("PFMERGE c a b", &[("3.0", OK)]),
        ("PFCOUNT c", &[("3.0", "5")]),
        ("PFDEBUG ENCODING c", &[("3.0", r#"{"status":"dense"}"#), ("4.0", r#"{"status":"sparse"}"#)]),
        ("PFDEBUG TODENSE c", &[("3.0", "0"), ("4.0", "1")]),
        ("PFMERGE a c", &[("3.0", OK)]),
        ("PFDEBUG ENCODING a", &[("3.0", r#"{"status":"dense"}"#)]),
        ("PFSELFTEST", &[("3.0", OK)]),
    ]);
}
