//! The stream of changes, as those who take it are told.

mod node;

use command::Release;
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
        let (taken, node) = (Taken::default(), &caller.node);
        let held = node.keyspace.lock_blocking(node.keyspace.all());
        node.feed.attach(&held, Audience::REPLICAS, Box::new(taken.clone()));
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
