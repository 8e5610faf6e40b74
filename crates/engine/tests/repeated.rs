//! Whoever repeats the stream of changes of random sequences has the same keys, in all releases.
//!
//! `CARNELIAN_REPEATED_SEQUENCES` says how many sequences are run for each (50 by default), `CARNELIAN_REPEATED_SEED`
//! which.

mod node;

use command::Release;
use engine::feed::{Audience, Tap};
use node::Caller;
use parking_lot::Mutex;
use std::fmt::Write;
use std::sync::Arc;
use testkit::Rng;
use testkit::follower::Request;
use testkit::sequences::{Command, DATABASES, FAMILIES, Family, sequence};

#[derive(Clone, Default)]
struct Taken(Arc<Mutex<Vec<u8>>>);

impl Tap for Taken {
    fn put(&mut self, requests: &[u8]) {
        self.0.lock().extend_from_slice(requests);
    }
}

impl Taken {
    fn from(caller: &Caller) -> Self {
        let (taken, node) = (Taken::default(), &caller.node);
        let held = node.keyspace.lock_blocking(node.keyspace.all());
        node.feed.attach(&held, Audience::REPLICAS, Box::new(taken.clone()));
        taken
    }

    /// The requests that came since this was last asked.
    fn requests(&self) -> Vec<Request> {
        let bytes = std::mem::take(&mut *self.0.lock());
        let mut rest = &bytes[..];
        let header = |sign: u8, rest: &mut &[u8]| {
            assert_eq!(rest[0], sign);
            let end = rest.iter().position(|&byte| byte == b'\r').expect("a header ends");
            let number = String::from_utf8_lossy(&rest[1..end]).parse::<usize>().expect("a number");
            *rest = &rest[end + 2..];
            number
        };
        let mut requests = Vec::new();
        while !rest.is_empty() {
            let words = header(b'*', &mut rest);
            let word = |_| {
                let len = header(b'$', &mut rest);
                let word = rest[..len].to_vec();
                rest = &rest[len + 2..];
                word
            };
            requests.push((0..words).map(word).collect());
        }
        requests
    }
}

fn shown<'a>(requests: impl IntoIterator<Item = &'a Request>) -> String {
    let mut text = String::new();
    for request in requests {
        let words: Vec<String> =
            request.iter().map(|word| format!("{:?}", String::from_utf8_lossy(word))).collect();
        let _ = writeln!(text, "  {}", words.join(" "));
    }
    text
}

/// The shortest sequence that was found to be one of those that are looked for.
fn shrink(commands: Vec<Command>, mut is_one: impl FnMut(&[Command]) -> bool) -> Vec<Command> {
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

fn number(variable: &str, default: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable} is a number, not {text:?}")),
        Err(_) => default,
    }
}

/// The digests of a node's keys, and of those of one that has repeated what the first has told of a sequence.
fn digests(release: Release, commands: &[Command]) -> [String; 2] {
    let [mut first, mut second] = [(); 2].map(|()| Caller::new(release, &[]).expect("defaults are allowed"));
    let taken = Taken::from(&first);
    commands.iter().for_each(|command| drop(first.run(command)));
    first.say("DISCARD");
    second.obey(true);
    for request in taken.requests() {
        let reply = second.run(&request);
        assert!(!reply.starts_with(b"-"), "{}{}", shown([&request]), String::from_utf8_lossy(&reply));
    }
    second.obey(false);
    [first, second].map(|mut caller| {
        // What has expired and was not met is the same as nothing.
        for db in 0..DATABASES {
            caller.say(&format!("SELECT {db}"));
            caller.say("SCAN 0 COUNT 10000");
        }
        caller.say("DEBUG DIGEST")
    })
}

#[test]
fn whoever_repeats_it_has_the_same_keys() {
    let sequences = number("CARNELIAN_REPEATED_SEQUENCES", 50);
    let families: Vec<&Family> = FAMILIES.iter().collect();
    for release in Release::ALL {
        let mut rng = Rng::new(number("CARNELIAN_REPEATED_SEED", 1));
        for _ in 0..sequences {
            let mut commands = sequence(&mut rng, &families);
            // Before 6.0 others lost the expiry.
            commands.retain(|command| release >= Release::V6_2 || command[0] != b"INCRBYFLOAT");
            let [ours, theirs] = digests(release, &commands);
            if ours != theirs {
                let commands = shrink(commands, |commands| {
                    let [ours, theirs] = digests(release, commands);
                    ours != theirs
                });
                panic!("{release}: the keys differ after\n{}", shown(&commands));
            }
        }
    }
}
