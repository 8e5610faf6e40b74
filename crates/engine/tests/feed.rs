//! The stream of changes, as those who take it are told.

mod node;

use command::Release;
use engine::cluster::{ClusterMap, Seat};
use engine::feed::{Audience, Tap};
use node::Caller;
use parking_lot::Mutex;
use std::sync::Arc;

#[derive(Clone, Default)]
struct Taken(Arc<Mutex<Vec<u8>>>);

impl Tap for Taken {
    fn put(&mut self, requests: &[u8]) {
        self.0.lock().extend_from_slice(requests);
    }
}

impl Taken {
    /// From now on, what a node's commands change.
    fn from(caller: &Caller) -> Self {
        Taken::as_told(caller, Audience::REPLICAS)
    }

    /// The same, as an audience is told of it.
    fn as_told(caller: &Caller, audience: Audience) -> Self {
        let (taken, node) = (Taken::default(), &caller.node);
        let held = node.keyspace.lock_blocking(node.keyspace.all());
        node.feed.attach(&held, audience, Box::new(taken.clone()));
        taken
    }

    /// The words that came since this was last asked.
    fn words(&self) -> String {
        let bytes = std::mem::take(&mut *self.0.lock());
        let text = String::from_utf8(bytes).expect("requests of text");
        text.split("\r\n").filter(|part| !part.starts_with(['*', '$'])).collect::<Vec<_>>().join(" ")
    }
}

fn run(caller: &mut Caller, lines: &[&str]) {
    lines.iter().for_each(|line| drop(caller.say(line)));
}

#[test]
fn what_ran_before_somebody_listened_is_not_a_part_of_what_comes_then() {
    for release in Release::ALL {
        let mut caller = Caller::new(release, &[]).expect("defaults are allowed");
        run(&mut caller, &["MULTI", "SET a 1", "EXEC"]);
        let taken = Taken::from(&caller);
        caller.say("SET b 2");
        assert_eq!(taken.words(), "SELECT 0 SET b 2 ", "{release}");
    }
}

#[test]
fn changes_are_repeated_and_nothing_else() {
    for release in Release::ALL {
        let mut caller = Caller::new(release, &[]).expect("defaults are allowed");
        let taken = Taken::from(&caller);
        run(&mut caller, &["SET a 1", "GET a", "DEL none", "LPUSH a x", "SELECT 3", "INCR n"]);
        assert_eq!(taken.words(), "SELECT 0 SET a 1 SELECT 3 INCR n ", "{release}");
        run(&mut caller, &["MULTI", "INCR n", "GET n", "INCR m", "EXEC", "INCR n"]);
        assert_eq!(taken.words(), "MULTI INCR n INCR m EXEC INCR n ", "{release}");
        caller.say("PEXPIRE n 10");
        taken.words();
        caller.pass_ms(11);
        caller.say("GET n");
        assert_eq!(taken.words(), "DEL n ", "{release}");
    }
}

#[test]
fn what_goes_by_itself_is_repeated_one_by_one() {
    for release in Release::ALL {
        let mut caller = Caller::new(release, &[]).expect("defaults are allowed");
        let taken = Taken::from(&caller);
        run(
            &mut caller,
            &["SET a 1", "SET b 1", "PEXPIRE a 10", "PEXPIRE b 10", "HSET h a 1", "HPEXPIRE h 10 FIELDS 1 a"],
        );
        taken.words();
        caller.pass_ms(200);
        caller.expire();
        let words = taken.words();
        let mut words: Vec<&str> = words.split_whitespace().collect();
        words.sort_unstable();
        let with_field = ["DEL", "DEL", "HDEL", "a", "a", "b", "h"];
        let without = ["DEL", "DEL", "a", "b"];
        assert_eq!(words, if release < Release::V7_4 { &without[..] } else { &with_field[..] }, "{release}");
    }
}

#[test]
fn nodes_of_a_cluster_do_not_repeat_messages_that_they_hand_to_each_other() {
    let map: Arc<ClusterMap> = Arc::default();
    let seat = Seat { map: Arc::clone(&map), id: "1".repeat(40), shard_id: "2".repeat(40), replica_of: None };
    let mut caller = Caller::seated(Release::V7_0, &[], 7001, Some(seat)).expect("defaults are allowed");
    map.divide(&[&"1".repeat(40)]);
    let taken = Taken::from(&caller);
    run(&mut caller, &["PUBLISH a b", "SPUBLISH a b", "SET a 1"]);
    assert_eq!(taken.words(), "SELECT 0 SET a 1 ");
}

/// Whether words are those that are wanted, of which `*` is any.
fn agree(words: &str, wanted: &str) -> bool {
    let wanted = if wanted == "-" { "" } else { wanted };
    let (words, wanted) = (words.split_whitespace(), wanted.split_whitespace());
    words.clone().count() == wanted.clone().count()
        && words.zip(wanted).all(|(word, wanted)| wanted == "*" || word == wanted)
}

/// The releases from one to another, as `5.0-7.0`, or one alone.
fn releases(range: &str) -> Vec<Release> {
    let (from, to) = range.split_once('-').unwrap_or((range, range));
    let named = |name: &str| Release::ALL.into_iter().find(|release| release.to_string() == name).unwrap();
    Release::ALL.into_iter().filter(|release| (named(from)..=named(to)).contains(release)).collect()
}

#[test]
fn commands_are_repeated_as_the_release_does() {
    let mut wrong = Vec::new();
    let mut forms = 0;
    for paragraph in include_str!("feed/forms.txt").split("\n\n") {
        let lines = || paragraph.lines().filter(|line| !line.starts_with('#'));
        for told in lines().filter(|line| line.starts_with(|first: char| first.is_ascii_digit())) {
            let (range, wanted) = told.split_once(": ").expect("what is told stands after the releases");
            let (to_replicas, to_files) = wanted.split_once(" | ").unwrap_or((wanted, wanted));
            for release in releases(range) {
                forms += 1;
                let mut caller = Caller::new(release, &[]).expect("defaults are allowed");
                let taken =
                    [Audience::REPLICAS, Audience::FILE].map(|audience| Taken::as_told(&caller, audience));
                let clear = || taken.iter().for_each(|taken| drop(taken.words()));
                caller.say("SET begins here");
                clear();
                for line in lines() {
                    match line.split_at(line.len().min(2)) {
                        ("+ ", line) => {
                            match line.strip_prefix("PASS ") {
                                Some(ms) => caller.pass_ms(ms.parse().expect("a time in ms")),
                                None => drop(caller.say(line)),
                            }
                            clear();
                        }
                        ("@ ", line) => assert!(caller.wait(line).is_some(), "{line} does not wait"),
                        ("> ", line) => drop(caller.say(line)),
                        _ => {}
                    }
                }
                for (taken, wanted) in taken.iter().zip([to_replicas, to_files]) {
                    let words = taken.words();
                    if !agree(&words, wanted) {
                        wrong.push(format!("{release}: {paragraph}\n  wanted {wanted}\n  but is {words}"));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}\n{} of {forms} are wrong", wrong.join("\n\n"), wrong.len());
}
