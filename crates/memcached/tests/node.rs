//! A node without a server around it: memory, expiry, and a standby.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use memcache_wire::Reply;
use memcache_wire::binary::opcode;
use memcached::settings::SHARD_BITS_MAX;
use memcached::{Access, Credentials, Next, Node, Policy, Session, Settings};
use proptest::prelude::*;
use world::{NOW_MS, Nobody, frame, node, node_with, say, say_at, set, set_at};

mod world;

/// All that can be seen of the items of a node.
fn contents(node: &Node, after_ms: i64) -> BTreeMap<Vec<u8>, (Vec<u8>, u32, Option<i64>)> {
    let (mut all, mut place) = (BTreeMap::new(), Some((0, 0)));
    while let Some(from) = place {
        place = node
            .walk(from, node.clock.at(NOW_MS + after_ms), |item| {
                all.insert(item.key.to_vec(), (item.value.to_vec(), item.flags, item.expires_s));
            })
            .expect("nobody else is there");
    }
    all
}

#[test]
fn no_more_memory_is_taken_than_may_be_and_what_is_used_stays() {
    let settings = Settings { memory_bytes: (8 << 20).into(), ..Settings::default() };
    let node = node_with(settings, Access::default());
    assert_eq!(set(&node, "used", 100), "STORED\r\n");
    for number in 0..40_000 {
        let after_ms = number as i64;
        assert_eq!(set_at(&node, &format!("key{number}"), 20 + number * 7 % 3_000, after_ms), "STORED\r\n");
        // The table may grow with an item.
        assert!(node.used_bytes() <= (8 << 20) + 4_096, "{} bytes", node.used_bytes());
        assert!(say_at(&node, b"get used\r\n", after_ms).starts_with("VALUE"), "after {number} others");
    }
    assert!(node.counts().evictions > 10_000);
    node.check_invariants();
}

#[test]
fn without_evictions_what_does_not_fit_is_refused() {
    let settings =
        Settings { memory_bytes: (8 << 20).into(), policy: Policy::NoEviction.into(), ..Settings::default() };
    let node = node_with(settings, Access::default());
    let answers: Vec<_> = (0..20).map(|number| set(&node, &format!("key{number}"), 1_000_000)).collect();
    assert_eq!(answers.iter().filter(|answer| *answer == "STORED\r\n").count(), 8);
    assert_eq!(answers[19], "SERVER_ERROR out of memory storing object\r\n");
    // What could not be replaced is not left as it was.
    assert_eq!(set(&node, "key0", 1_040_000), "SERVER_ERROR out of memory storing object\r\n");
    assert_eq!(say(&node, b"get key0\r\n"), "END\r\n");
}

/// A node that has 8 MB, and the keys of it that there are.
fn full(policy: Policy, expiry_of: impl Fn(usize) -> u32) -> (Vec<bool>, String) {
    const ITEMS: usize = 12_000;
    let settings = Settings {
        memory_bytes: (8 << 20).into(),
        policy: policy.into(),
        shard_bits: 1,
        ..Settings::default()
    };
    let node = node_with(settings, Access::default());
    let mut last = String::new();
    for number in 0..ITEMS {
        let mut request = format!("set {number} 0 {} 1000\r\n", expiry_of(number)).into_bytes();
        request.resize(request.len() + 1000, b'v');
        request.extend_from_slice(b"\r\n");
        last = say(&node, &request);
        if last != "STORED\r\n" {
            break;
        }
    }
    node.check_invariants();
    let all = contents(&node, 0);
    ((0..ITEMS).map(|number| all.contains_key(number.to_string().as_bytes())).collect(), last)
}

#[test]
fn a_policy_says_what_may_go() {
    let stored = "STORED\r\n";
    let count = |kept: &[bool]| kept.iter().filter(|kept| **kept).count();
    let (kept, last) = full(Policy::NoEviction, |_| 0);
    assert!(last.starts_with("SERVER_ERROR out of memory") && kept[0] && count(&kept) > 5_000, "{last}");
    // Every item finds room, and what has no expiry stays if only others may go: every third, here.
    let every_third = |number: usize| if number.is_multiple_of(3) { 0 } else { 1_000 };
    for policy in [Policy::VolatileLru, Policy::VolatileRandom, Policy::VolatileTtl] {
        let (kept, last) = full(policy, every_third);
        assert_eq!(last, stored, "{policy:?}");
        assert!(kept.iter().step_by(3).all(|kept| *kept), "{policy:?}");
        assert!(count(&kept) < 8_000, "{policy:?}");
    }
    let (kept, last) = full(Policy::AllKeysRandom, every_third);
    assert!(last == stored && !kept.iter().step_by(3).all(|kept| *kept));
    // Of few that expire most are found.
    let every_500th = |number: usize| if number.is_multiple_of(500) { 1_000 } else { 0 };
    for policy in [Policy::VolatileLru, Policy::VolatileRandom] {
        let (kept, _) = full(policy, every_500th);
        let stored = kept.iter().rposition(|kept| *kept).unwrap();
        let (rare, left) = (stored / 500 + 1, count(&kept.iter().copied().step_by(500).collect::<Vec<_>>()));
        assert!(left * 3 < rare, "{policy:?}: {left} of {rare}");
    }
    // Nothing expires, and nothing else may go.
    let (_, last) = full(Policy::VolatileLru, |_| 0);
    assert!(last.starts_with("SERVER_ERROR out of memory"), "{last}");
    // Of those that expire, half do so much sooner.
    let (kept, _) = full(Policy::VolatileTtl, |number| if number.is_multiple_of(2) { 100 } else { 10_000 });
    let (sooner, later) = (count(&kept.iter().copied().step_by(2).collect::<Vec<_>>()), count(&kept));
    assert!(sooner * 3 < later, "{sooner} of {later}");
}

#[test]
fn what_has_expired_gives_its_memory_back_by_itself() {
    let node = node();
    for number in 0..5_000 {
        let exptime = if number % 2 == 0 { 10 } else { 0 };
        say(&node, format!("set key{number} 0 {exptime} 5\r\nvalue\r\n").as_bytes());
    }
    let before = node.used_bytes();
    let mut at_ms = NOW_MS + 9_000;
    while at_ms <= NOW_MS + 12_000 {
        node.expire_due(at_ms).expect("nobody else is there");
        at_ms += 100;
    }
    assert_eq!(node.items(), 2_500);
    assert!(node.used_bytes() < before * 2 / 3);
    assert_eq!(node.expire_due(NOW_MS + 12_000), Ok(None), "nothing is left to be looked at");
    node.check_invariants();
}

/// What a client wanted to replace is out of date, whether or not there is room for what it sent.
#[test]
fn what_was_to_be_replaced_goes_where_what_comes_is_too_large() {
    let node = node();
    node.settings.item_bytes.store(100, Relaxed);
    let value = "v".repeat(100);
    let framed = |opcode, cas| frame(opcode, &[0; 8], "a", value.as_bytes(), cas);
    let line = |line: &str| format!("{line}\r\n{value}\r\n").into_bytes();
    for (request, stays) in [
        (line("set a 0 0 100"), false),
        (line("add a 0 0 100"), true),
        (line("replace a 0 0 100"), true),
        (line("append a 0 0 100"), true),
        (line("cas a 0 0 100 1"), true),
        (line("ms a 100"), false),
        (line("ms a 100 C1"), false),
        (line("ms a 100 ME"), false),
        (line("ms a 100 MA"), false),
        (line("ms a 100 MZ"), true),
        (framed(opcode::SET, 0), false),
        (framed(opcode::SET, 1), false),
        (framed(opcode::SETQ, 1), false),
        (framed(opcode::ADD, 0), true),
        (framed(opcode::REPLACE, 1), true),
    ] {
        assert_eq!(say(&node, b"set a 0 0 1\r\nx\r\n"), "STORED\r\n");
        say(&node, &request);
        assert_eq!(say(&node, b"mg a s\r\n") == "HD s1\r\n", stays, "{}", request.escape_ascii());
    }
}

/// Whether a value is too large is seen before its end, and by what a key in base64 stands for.
#[test]
fn what_is_too_large_is_so_however_it_comes() {
    let node = node();
    node.settings.item_bytes.store(200, Relaxed);
    let value = "v".repeat(200);
    let (large, fits) = ("SERVER_ERROR object too large for cache\r\nERROR\r\n", "HD\r\n");
    let key = "YWFh".repeat(20);
    for (line, len, end, want) in [
        ("set a 0 0 200".to_owned(), 200, "xx\r\n", large),
        ("ms a 200".to_owned(), 200, "xx\r\n", large),
        ("set a 0 0 20".to_owned(), 20, "xx\r\n", "CLIENT_ERROR bad data chunk\r\nERROR\r\n"),
        (format!("ms {key} 80 b"), 80, "\r\n", fits),
    ] {
        let bytes = format!("{line}\r\n{}{end}", &value[..len]).into_bytes();
        assert_eq!(say(&node, &bytes), want, "{line}");
        let (mut session, mut reply, mut from) = (Session::new(&node), Reply::new(), 0);
        for until in 0..=bytes.len() {
            from += session.run(&node, &bytes[from..until], node.clock.at(NOW_MS), &mut reply).0;
        }
        assert_eq!(String::from_utf8_lossy(&reply.to_vec()), want, "{line}, byte by byte");
    }
}

#[test]
fn a_flush_may_wait() {
    let node = node();
    let ask = |bytes: &[u8], after_ms| say_at(&node, bytes, after_ms);
    ask(b"set a 0 0 1\r\nx\r\nflush_all 3\r\n", 0);
    assert!(ask(b"get a\r\n", 1_999).starts_with("VALUE"));
    ask(b"set b 0 0 1\r\nx\r\n", 1_000);
    assert_eq!(
        ask(b"get a\r\n", 2_000),
        "END\r\n",
        "a second before the time that was said, as in memcached"
    );
    assert_eq!(ask(b"get a b\r\n", 2_500), "END\r\n");
    ask(b"set c 0 0 1\r\nx\r\n", 2_500);
    assert!(ask(b"get c\r\n", 5_000).starts_with("VALUE"), "it was over by then");
    assert_eq!(ask(b"flush_all 1\r\nget c\r\n", 5_000), "OK\r\nEND\r\n");
}

/// Before that there was nothing that could go.
#[test]
fn a_flush_of_a_time_before_the_node_began_takes_back_another() {
    let node = node();
    let ask = |bytes: &[u8], after_ms| say_at(&node, bytes, after_ms);
    ask(b"set a 0 0 1\r\nx\r\nflush_all 9\r\nflush_all 99999999\r\n", 0);
    assert!(ask(b"get a\r\n", 20_000).starts_with("VALUE"));
    let began_s = NOW_MS / 1000;
    assert_eq!(ask(format!("flush_all {began_s}\r\nget a\r\n").as_bytes(), 20_000), "OK\r\nEND\r\n");
}

/// Whether the standby was there when the flush was ordered or came later, and whoever looks at it first.
#[test]
fn a_flush_that_waits_is_the_standbys_too() {
    for comes_first in [true, false] {
        let master = node();
        let standby = Arc::new(master.sibling(Arc::new(Nobody)));
        if comes_first {
            master.set_standby(Some(&standby));
        }
        say(&master, b"set a 0 0 1\r\nx\r\nflush_all 3\r\n");
        master.set_standby(Some(&standby));
        let mut place = Some((0, 0));
        while let Some(from) = place {
            place = master.copy_to(&standby, from).expect("nobody else is there");
        }
        assert_eq!(standby.flush_due_s(), Some(NOW_MS / 1000 + 2));
        drop(master);
        assert!(say_at(&standby, b"get a\r\n", 1_500).starts_with("VALUE"));
        assert!(standby.expire_due(NOW_MS + 2_000).is_ok());
        assert_eq!((standby.items(), standby.flush_due_s()), (0, None));
        say_at(&standby, b"set b 0 0 1\r\nx\r\n", 2_500);
        assert!(say_at(&standby, b"get b\r\n", 5_000).starts_with("VALUE"), "it was over by then");
        standby.check_invariants();
    }
}

/// What the master has taken back or done already, the standby does not do later.
#[test]
fn a_flush_that_is_over_is_over_for_the_standby() {
    for last in ["flush_all\r\n", "flush_all -1\r\n", "flush_all 3\r\n", "flush_all 99999999\r\n"] {
        let master = node();
        let standby = Arc::new(master.sibling(Arc::new(Nobody)));
        master.set_standby(Some(&standby));
        say(&master, format!("flush_all 2\r\n{last}").as_bytes());
        // The same shard is met, and then others.
        say_at(&master, b"get a\r\nset a 0 0 1\r\nx\r\n", 2_500);
        assert!(say_at(&standby, b"get a\r\n", 9_000).starts_with("VALUE"), "{last}");
    }
}

#[test]
fn a_node_of_many_shards_has_each_item_once() {
    let node = node_with(Settings { shard_bits: SHARD_BITS_MAX, ..Settings::default() }, Access::default());
    for number in 0..5_000 {
        assert_eq!(set(&node, &format!("key:{number}"), number % 100), "STORED\r\n");
    }
    for number in 0..5_000 {
        let got = say(&node, format!("get key:{number}\r\n").as_bytes());
        assert!(got.starts_with(&format!("VALUE key:{number} 0 {}\r\n", number % 100)), "{got}");
    }
    assert_eq!((node.items(), contents(&node, 0).len()), (5_000, 5_000));
    node.check_invariants();
    assert_eq!(say(&node, b"flush_all\r\n"), "OK\r\n");
    assert_eq!((node.items(), contents(&node, 0).len()), (0, 0));
}

#[test]
fn whoever_has_to_log_in_does_so_first() {
    let credentials = Credentials { user: "user".to_owned(), password: "secret".to_owned() };
    let node = node_with(Settings::default(), Access::new(vec![credentials]));
    let (mut session, mut reply) = (Session::new(&node), Reply::new());
    let mut ask = |request: &[u8]| {
        session.run(&node, request, node.clock.at(NOW_MS), &mut reply);
        String::from_utf8(std::mem::take(&mut reply).to_vec()).expect("answers are text")
    };
    assert_eq!(ask(b"get a\r\n"), "CLIENT_ERROR unauthenticated\r\n");
    assert_eq!(ask(b"set a 0 0 9\r\nuser nope\r\n"), "CLIENT_ERROR authentication failure\r\n");
    assert_eq!(ask(b"set a 0 0 11\r\nuser secret\r\n"), "STORED\r\n");
    assert_eq!(ask(b"get a\r\n"), "END\r\n");
    assert_eq!((node.traffic.auth_cmds.load(Relaxed), node.traffic.auth_errors.load(Relaxed)), (2, 1));
}

/// As SASL has it: what PLAIN needs comes at once, or in a step after a beginning without it.
#[test]
fn whoever_logs_in_by_sasl_goes_by_its_steps() {
    let credentials = Credentials { user: "user".to_owned(), password: "secret".to_owned() };
    let node = node_with(Settings::default(), Access::new(vec![credentials]));
    let (auth, step, get) = (opcode::SASL_AUTH, opcode::SASL_STEP, opcode::GET);
    let (right, wrong) = ("\0user\0secret", "\0user\0nope");
    let (yes, no, more, invalid, missing) = (0x00, 0x20, 0x21, 0x04, 0x01);
    let long = "P".repeat(33);
    for frames in [
        &[(auth, "PLAIN", right, yes), (get, "a", "", missing)][..],
        &[(auth, "PLAIN", "", more), (step, "PLAIN", right, yes), (get, "a", "", missing)],
        &[(auth, "PLAIN", "", more), (step, "PLAIN", wrong, no), (step, "PLAIN", right, no)],
        &[(auth, "PLAIN", "", more), (get, "a", "", no)],
        &[(step, "PLAIN", right, no), (auth, "PLAIN", right, yes)],
        &[
            (auth, "LOGIN", right, no),
            (auth, "PLAIN", right, yes),
            (auth, "PLAIN", wrong, no),
            (get, "a", "", no),
        ],
        &[(auth, "PLAIN", right, yes), (auth, "PLAIN", "", more), (get, "a", "", no)],
        &[(auth, &long, right, invalid), (auth, "PLAIN", right, yes)],
        &[(opcode::SASL_LIST, "", "", yes), (opcode::VERSION, "", "", yes), (opcode::NOOP, "", "", no)],
        &[(opcode::QUIT, "", "", no)],
        &[(opcode::QUITQ, "", "", no)],
        &[(0x50, "", "", no)],
    ] {
        let mut session = Session::new(&node);
        for &(opcode, key, value, status) in frames {
            let mut reply = Reply::new();
            let request = frame(opcode, &[], key, value.as_bytes(), 0);
            let (_, next) = session.run(&node, &request, node.clock.at(NOW_MS), &mut reply);
            let answer = reply.to_vec();
            assert_eq!((answer[1], answer[7]), (opcode, status), "{frames:?}");
            let is_refused = status == no && opcode != auth && opcode != step;
            assert_eq!(next, if is_refused { Next::Close } else { Next::Read }, "{frames:?}");
        }
    }
    assert_eq!((node.traffic.auth_cmds.load(Relaxed), node.traffic.auth_errors.load(Relaxed)), (11, 5));
}

/// Requests that change something.
fn request() -> impl Strategy<Value = String> {
    let key = || prop::sample::select(vec!["a", "b", "c", "d"]);
    prop_oneof![
        4 => (key(), 0u32..3, prop::sample::select(vec![0, 0, 5, -1]), "[0-9]{0,4}")
            .prop_map(|(key, flags, exptime, value)| {
                format!("set {key} {flags} {exptime} {}\r\n{value}\r\n", value.len())
            }),
        1 => (key(), "[a-z]{1,300}").prop_map(|(key, value)| format!("append {key} 0 0 {}\r\n{value}\r\n", value.len())),
        1 => key().prop_map(|key| format!("delete {key}\r\n")),
        2 => (key(), 0u64..2_000).prop_map(|(key, by)| format!("incr {key} {by}\r\n")),
        1 => (key(), 0..9).prop_map(|(key, exptime)| format!("touch {key} {exptime}\r\n")),
        1 => key().prop_map(|key| format!("mg {key} N7 T3 v\r\n")),
        1 => key().prop_map(|key| format!("md {key} I T30\r\n")),
        1 => Just("flush_all\r\n".to_owned()),
        1 => Just("flush_all 3\r\n".to_owned()),
    ]
}

proptest! {
    /// A standby that comes at any time has what its master has.
    #[test]
    fn a_standby_has_what_its_master_has(
        requests in prop::collection::vec((request(), 0i64..1_500), 1..60),
        comes_after in 0usize..60,
    ) {
        let master = node();
        let standby = Arc::new(master.sibling(Arc::new(Nobody)));
        let mut after_ms = 0;
        for (number, (request, pass_ms)) in requests.iter().enumerate() {
            if number == comes_after {
                master.set_standby(Some(&standby));
                let mut place = Some((0, 0));
                while let Some(from) = place {
                    place = master.copy_to(&standby, from).expect("nobody else is there");
                }
            }
            after_ms += pass_ms;
            say_at(&master, request.as_bytes(), after_ms);
            if number >= comes_after {
                prop_assert_eq!(contents(&standby, after_ms), contents(&master, after_ms), "{}", request);
                prop_assert_eq!(standby.flush_due_s(), master.flush_due_s(), "{}", request);
            }
        }
        master.check_invariants();
        standby.check_invariants();
    }

    /// However requests are cut, they are answered alike.
    #[test]
    fn requests_are_answered_alike_however_they_come(
        requests in prop::collection::vec(request(), 1..20),
        cuts in prop::collection::vec(1usize..40, 1..60),
    ) {
        let bytes = requests.concat().into_bytes();
        let whole = say(&node(), &bytes);
        let node = node();
        let (mut session, mut reply) = (Session::new(&node), Reply::new());
        let (mut kept, mut rest) = (Vec::new(), &bytes[..]);
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, others) = rest.split_at((*cut).min(rest.len()));
            kept.extend_from_slice(piece);
            rest = others;
            let (taken, _) = session.run(&node, &kept, node.clock.at(NOW_MS), &mut reply);
            kept.drain(..taken);
        }
        let answered = reply.to_vec();
        prop_assert_eq!(String::from_utf8_lossy(&answered), whole);
    }
}
