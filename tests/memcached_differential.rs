//! Random requests in all protocols, sent to a Memcached node and a real memcached: answers and counters agree.
//!
//! `CARNELIAN_DIFFERENTIAL_COMMANDS` says how many requests are sent (40,000 by default), `CARNELIAN_DIFFERENTIAL_SEED`
//! which. A difference is shrunk to the shortest sequence that still shows it. What differs between servers that agree is
//! made the same by [`testkit::memcached_sequences::Comparable`].

use std::time::Duration;
use testkit::memcached_sequences::{
    Comparable, END_OF_TEXT, Kind, SEQUENCE, bytes, counters, end_request, forget, is_whole, sequence,
};
use testkit::sequences::{Command, shown, shrink};
use testkit::{Memcached, Rng, Wire, number};

/// What was heard of a request, as far as it can be compared.
type Heard = (Vec<u8>, bool);

/// Sends a sequence and gives what can be compared of each answer, and then of the counters.
fn run(server: &Memcached, kind: Kind, commands: &[Command]) -> (Vec<Heard>, Vec<String>) {
    let mut control = server.wire();
    for request in forget() {
        control.ask(&request, b"\r\n");
    }
    let mut comparable = Comparable::default();
    // A request that takes the one behind it for its data is given up soon.
    let connect = || {
        let wire: Wire = server.wire();
        wire.set_patience(Duration::from_secs(2));
        wire
    };
    let mut wire = connect();
    let mut all = Vec::new();
    for command in commands {
        let mut request = bytes(command, comparable.last_cas);
        request.extend_from_slice(&end_request(kind));
        wire.send(&request);
        let heard = wire.read_until(|heard| is_whole(kind, heard));
        all.push((comparable.of(kind, &heard.bytes), heard.is_closed));
        if !is_whole(kind, &heard.bytes) {
            wire = connect();
        }
    }
    (all, counters(&control.ask(b"stats\r\n", b"END\r\n")))
}

/// The first difference: which request (or, after them, which counter), and what was heard.
fn difference(
    ours: &Memcached,
    theirs: &Memcached,
    kind: Kind,
    commands: &[Command],
) -> Option<(usize, String, String)> {
    let ((ours, our_counters), (theirs, their_counters)) =
        (run(ours, kind, commands), run(theirs, kind, commands));
    let shown = |(bytes, is_closed): &Heard| {
        format!("\"{}\"{}", bytes.escape_ascii(), if *is_closed { " and closed" } else { "" })
    };
    let answers = ours.iter().zip(&theirs).position(|(ours, theirs)| ours != theirs);
    let answers = answers.map(|at| (at, shown(&ours[at]), shown(&theirs[at])));
    answers.or_else(|| {
        let at = our_counters.iter().zip(&their_counters).position(|(ours, theirs)| ours != theirs)?;
        Some((ours.len() + at, our_counters[at].clone(), their_counters[at].clone()))
    })
}

/// Two servers answer the same to random requests.
fn agree(ours: &Memcached, theirs: &Memcached, kind: Kind, total: usize) {
    let seed = number("CARNELIAN_DIFFERENTIAL_SEED", 1);
    let mut rng = Rng::new(seed);
    for _ in 0..total.div_ceil(SEQUENCE) {
        let commands = sequence(&mut rng, kind);
        if let Some(first) = difference(ours, theirs, kind, &commands) {
            let commands = shrink(commands, |commands| difference(ours, theirs, kind, commands).is_some());
            let report = shown(&commands);
            match difference(ours, theirs, kind, &commands) {
                Some((at, ours, theirs)) => {
                    panic!("answer {at} of seed {seed} differs:\n{report}ours   {ours}\ntheirs {theirs}")
                }
                None => panic!("a difference of seed {seed} does not come every time: {first:?}\n{report}"),
            }
        }
    }
}

/// A real memcached in which nothing happens by itself: whether a number is changed where it is, and keeps its length,
/// depends on whether somebody else looks at the item.
fn theirs() -> Option<Memcached> {
    Memcached::theirs(&["-o", "no_lru_maintainer,no_lru_crawler"])
}

fn total() -> usize {
    number("CARNELIAN_DIFFERENTIAL_COMMANDS", 40_000) as usize / 2
}

/// Whatever differs here differs by nature, and is to be made the same before it is compared.
#[test]
fn memcached_agrees_with_itself() {
    for kind in [Kind::Text, Kind::Binary] {
        let (Some(one), Some(other)) = (theirs(), theirs()) else { return };
        // That they do not begin with the same numbers is seen.
        other.wire().ask(b"set other 0 0 1\r\nx\r\n", b"\r\n");
        agree(&one, &other, kind, total() / 10);
    }
}

#[test]
fn a_node_agrees_with_memcached_in_text() {
    let Some(theirs) = theirs() else { return };
    agree(&Memcached::ours(&[]), &theirs, Kind::Text, total());
}

#[test]
fn a_node_agrees_with_memcached_in_frames() {
    let Some(theirs) = theirs() else { return };
    agree(&Memcached::ours(&[]), &theirs, Kind::Binary, total());
}

/// What a server answers to some requests, in one connection.
fn say_all(server: &Memcached, requests: &[&str]) -> Vec<String> {
    let mut wire = server.wire();
    // The number that the late values give is nobody's then.
    wire.ask(b"set first 0 0 1\r\n1\r\n", b"\r\n");
    let answer = |request: &&str| {
        let bytes = [request.as_bytes(), b"\r\n", END_OF_TEXT.0].concat();
        String::from_utf8_lossy(&wire.ask(&bytes, END_OF_TEXT.1)).into_owned()
    };
    requests.iter().map(answer).collect()
}

#[test]
fn a_value_that_comes_too_late_leaves_expiry_and_winner_as_they_are() {
    let Some(theirs) = theirs() else { return };
    let ours = Memcached::ours(&[]);
    let late = "ms a 4 I C1 T20000\r\nlate";
    for (requests, last) in [
        // Somebody has been told already: nobody else is.
        (&["ms a 3 T10000\r\nold", "md a I T5000", "mg a t v", late, "mg a s v"][..], "s4 Z X"),
        // Nobody has been told yet.
        (&["ms a 3 T10000\r\nold", "md a I T5000", late, "mg a s v", "mg a s v"], "s4 Z X"),
        (&["ms a 3 T10000\r\nold", late, "mg a s v", "mg a s v"], "s4 Z X"),
        (&["ms a 3\r\nold", late, "mg a t s v"], "t-1 s4 X W"),
        // Without a time the old one stays as well.
        (&["ms a 3 T10000\r\nold", "ms a 4 I C1\r\nlate", "mg a s v"], "s4 X W"),
        // Whoever made the item is the one who was told.
        (&["mg a N10000 v", late, "mg a s v"], "s4 Z X"),
        (&["ms a 3 T5000\r\nold", "mg a R10000", late, "mg a s v"], "s4 Z X"),
        (&["mg a N10000 v", late, "gat 0 a", "touch a 9000", "append a 0 0 1\r\nx", "mg a v"], "VA 5"),
        (&["mg a N10000 v", late, late, "ms a 3\r\nnew", "mg a t v"], "t-1"),
    ] {
        let seen: Vec<_> =
            [&ours, &theirs].map(|server| say_all(server, &[&["md a"], requests].concat())).into();
        assert_eq!(seen[0], seen[1], "{requests:?}");
        let answer = seen[0].last().and_then(|answer| answer.lines().next()).unwrap_or_default();
        assert!(answer.ends_with(last), "{requests:?}: {answer}");
        // When it expires, within the seconds that pass.
        let left = [&ours, &theirs].map(|server| {
            let answer = say_all(server, &["mg a t"]).concat();
            let left = answer.split_whitespace().find_map(|word| word.strip_prefix('t')?.parse::<i64>().ok());
            left.expect("it is there")
        });
        assert!((left[0] - left[1]).abs() < 100, "{requests:?}: {left:?}");
    }
}
