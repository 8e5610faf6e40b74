//! Whoever repeats the stream of changes of random sequences has the same keys, in all releases.
//!
//! `CARNELIAN_REPEATED_SEQUENCES` says how many sequences are run for each (40 by default), `CARNELIAN_REPEATED_SEED`
//! which.

mod node;

use command::Release;
use engine::feed::{Audience, Tap};
use node::Caller;
use parking_lot::Mutex;
use std::sync::Arc;
use testkit::follower::{Request, requests};
use testkit::sequences::{Command, FAMILIES, Family, sequence, shown, shrink};
use testkit::{Rng, number};

#[derive(Clone, Default)]
struct Taken(Arc<Mutex<Vec<u8>>>);

impl Tap for Taken {
    fn put(&mut self, requests: &[u8]) {
        self.0.lock().extend_from_slice(requests);
    }
}

impl Taken {
    fn from(caller: &Caller, audience: Audience) -> Self {
        let (taken, node) = (Taken::default(), &caller.node);
        let held = node.keyspace.lock_blocking(node.keyspace.all());
        node.feed.attach(&held, audience, Box::new(taken.clone()));
        taken
    }

    /// The requests that came since this was last asked.
    fn requests(&self) -> Vec<Request> {
        requests(&std::mem::take(&mut *self.0.lock()))
    }
}

/// What expires soon, and fields that do.
const SOON: Family = Family {
    prefix: "h",
    templates: &[
        "HSET $k ($m $v)*",
        "HSET $k m1 1 m2 2 m3 3",
        "{HEXPIRE|HPEXPIRE} $k {0|90|1000} [{NX|XX|GT|LT}] FIELDS 2 $m m{1|2|3}",
        "HPEXPIRE $k {50|90|400} FIELDS 2 m1 m{2|3}",
        "{HEXPIREAT|HPEXPIREAT} $k {5|99999999} FIELDS 1 m{1|2}",
        "HPERSIST $k FIELDS 2 m1 m2",
        "HGET $k m{1|2|3}",
        "HINCRBYFLOAT $k m{1|2} 1.5",
        "SET s{0|1|2} $v PX {50|90|400}",
        "PEXPIRE $K {30|90|400}",
        "GETEX s{0|1} PX {30|90}",
        "PERSIST $K",
        "TYPE $K",
        "RENAME $K $K",
        "SPOP t{0|1} [$n]",
        "SADD t{0|1} ($m)* ($m)* ($m)*",
        "MULTI",
        "EXEC",
    ],
};

/// A node, and one that repeats at once what an audience of the first is told: the digests of their keys after a
/// sequence.
fn digests(release: Release, audience: Audience, commands: &[Command]) -> [String; 2] {
    let [mut first, mut second] = [(); 2].map(|()| Caller::new(release, &[]).expect("defaults are allowed"));
    let taken = Taken::from(&first, audience);
    second.obey(true);
    let end =
        ["DISCARD", "SELECT 0"].map(|line| line.split(' ').map(|word| word.as_bytes().to_vec()).collect());
    for (number, command) in commands.iter().chain(&end).enumerate() {
        // Time passes, for both alike.
        [&first, &second].iter().for_each(|caller| caller.pass_ms(number as i64 * 7 % 20));
        first.run(command);
        for request in taken.requests() {
            let reply = second.run(&request);
            assert!(!reply.starts_with(b"-"), "{}{}", shown([&request]), String::from_utf8_lossy(&reply));
        }
    }
    second.obey(false);
    [first, second].map(|mut caller| {
        // What has expired and was not met is the same as nothing.
        caller.pass_ms(200);
        caller.expire();
        caller.say("DEBUG DIGEST")
    })
}

#[test]
fn whoever_repeats_it_has_the_same_keys() {
    let sequences = number("CARNELIAN_REPEATED_SEQUENCES", 40);
    let families: Vec<&Family> = FAMILIES.iter().collect();
    let soon = [&SOON, &SOON, &SOON];
    for (release, audience) in Release::ALL
        .into_iter()
        .flat_map(|release| [(release, Audience::REPLICAS), (release, Audience::FILE)])
    {
        let mut rng = Rng::new(number("CARNELIAN_REPEATED_SEED", 1));
        for number in 0..sequences {
            let families = if number % 2 == 0 { &families[..] } else { &soon[..] };
            let mut commands = sequence(&mut rng, families);
            // Before 6.0 others lost the expiry.
            commands.retain(|command| release >= Release::V6_2 || command[0] != b"INCRBYFLOAT");
            let differ = |commands: &[Command]| {
                let [ours, theirs] = digests(release, audience, commands);
                ours != theirs
            };
            if differ(&commands) {
                let commands = shrink(commands, differ);
                panic!("{release}, {audience:?}: the keys differ after\n{}", shown(&commands));
            }
        }
    }
}
