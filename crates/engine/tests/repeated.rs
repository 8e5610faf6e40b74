//! The stream of changes of random sequences: a real redis-server 7.0 tells its replicas the same, and whoever repeats
//! it has the same keys.
//!
//! `CARNELIAN_REPEATED_SEQUENCES` says how many sequences are run (200 by default), `CARNELIAN_REPEATED_SEED` which.

mod node;

use command::Release;
use engine::blocking::Waiter;
use engine::feed::{Audience, Tap};
use node::Caller;
use parking_lot::Mutex;
use std::fmt::Write;
use std::sync::Arc;
use testkit::client::encode;
use testkit::follower::{Follower, Request};
use testkit::sequences::{Command, DATABASES, FAMILIES, Family, LIMITS, sequence};
use testkit::template::{Vocabulary, fill};
use testkit::{Client, Oracle, Reply, Rng};

/// Times may differ by so much, in ms.
const TOLERANCE_MS: i64 = 20_000;
/// Numbers from here on are times.
const FIRST_TIME_MS: i64 = 1_600_000_000_000;
/// The channel of a message that ends what is compared.
const MARK: &str = "end";

/// What both servers begin a sequence with.
const BEGIN: [&str; 4] = ["DISCARD", "UNWATCH", "FLUSHALL", "SELECT 0"];
/// What both end one with.
const END: [&str; 3] = ["DISCARD", "SELECT 0", "PUBLISH end 1"];

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

/// Both servers.
struct Pair {
    ours: Caller,
    taken: Taken,
    oracle: Oracle,
    theirs: Client,
    follower: Follower,
}

impl Pair {
    fn start() -> Option<Pair> {
        let oracle = Oracle::start_with(&[
            "--repl-diskless-sync-delay",
            "0",
            "--repl-ping-replica-period",
            "3600",
            "--repl-timeout",
            "36000",
        ])?;
        let ours = Caller::new(Release::V7_0, &[("enable-debug-command", "yes")]).expect("it may be so");
        let mut theirs = oracle.client();
        // Nothing goes by itself but what is met.
        theirs.say("DEBUG SET-ACTIVE-EXPIRE 0");
        let follower = Follower::of(oracle.address());
        let taken = Taken::from(&ours);
        let mut pair = Pair { ours, taken, oracle, theirs, follower };
        pair.set_clock();
        Some(pair)
    }

    /// Has our time be theirs.
    fn set_clock(&mut self) {
        if let Reply::Array(parts) = self.theirs.say("TIME") {
            let part = |at: usize| parts[at].text().parse::<i64>().expect("a time");
            self.ours.set_ms(part(0) * 1000 + part(1) / 1000);
        }
    }

    fn say(&mut self, line: &str) {
        self.ours.say(line);
        self.theirs.say(line);
    }

    /// What both tell their replicas of a sequence.
    fn told(&mut self, commands: &[Command]) -> [Vec<Request>; 2] {
        self.set_clock();
        BEGIN.iter().chain(&[LIMITS]).chain(&[END[2]]).for_each(|line| self.say(line));
        self.rest();
        let bytes: Vec<u8> = commands.iter().flat_map(|command| encode(command)).collect();
        self.theirs.send_bytes(&bytes);
        commands.iter().for_each(|command| drop(self.ours.run(command)));
        commands.iter().for_each(|_| drop(self.theirs.read()));
        END.iter().for_each(|line| self.say(line));
        self.rest()
    }

    /// What both have told since, up to the mark.
    fn rest(&mut self) -> [Vec<Request>; 2] {
        let is_mark = |request: &Request| request.get(1).is_some_and(|word| word == MARK.as_bytes());
        let theirs = self.follower.until(is_mark);
        let mut ours = self.taken.requests();
        assert!(ours.pop().is_some_and(|last| is_mark(&last)), "the mark comes last");
        [ours, theirs]
    }
}

/// Where two streams differ first.
fn difference(ours: &[Request], theirs: &[Request]) -> Option<usize> {
    let same = |(a, b): (&Request, &Request)| {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a == b || is_same_time(a, b))
    };
    let at = ours.iter().zip(theirs).position(|pair| !same(pair));
    at.or((ours.len() != theirs.len()).then_some(ours.len().min(theirs.len())))
}

/// Whether two words are about the same time, in ms since the epoch.
fn is_same_time(a: &[u8], b: &[u8]) -> bool {
    let time =
        |word: &[u8]| std::str::from_utf8(word).ok()?.parse::<i64>().ok().filter(|&ms| ms > FIRST_TIME_MS);
    matches!((time(a), time(b)), (Some(a), Some(b)) if (a - b).abs() <= TOLERANCE_MS)
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

#[test]
fn a_real_server_tells_its_replicas_the_same() {
    let Some(mut pair) = Pair::start() else { return };
    let (sequences, seed) =
        (number("CARNELIAN_REPEATED_SEQUENCES", 200), number("CARNELIAN_REPEATED_SEED", 1));
    let families: Vec<&Family> = FAMILIES.iter().collect();
    let mut rng = Rng::new(seed);
    for _ in 0..sequences {
        let commands = sequence(&mut rng, &families);
        let [ours, theirs] = pair.told(&commands);
        if difference(&ours, &theirs).is_none() {
            continue;
        }
        let commands = shrink(commands, |commands| {
            let [ours, theirs] = pair.told(commands);
            difference(&ours, &theirs).is_some()
        });
        let [ours, theirs] = pair.told(&commands);
        panic!(
            "the stream of seed {seed} differs:\n{}ours\n{}theirs\n{}",
            shown(&commands),
            shown(&ours),
            shown(&theirs)
        );
    }
}

/// Commands that wait, and what makes keys ready that are waited for. A real server overlooks values of other types, and
/// chance orders what it finds in databases that are swapped: that is left out.
const WAITS: &[&str] = &[
    "{BLPOP|BRPOP} $k [$k] 0",
    "{BLPOP|BRPOP} $k 0",
    "BRPOPLPUSH $k $k 0",
    "BLMOVE $k $k {LEFT|right} {LEFT|right} 0",
    "BLMPOP 0 2 $k $k {LEFT|RIGHT} [COUNT 2]",
    "{BZPOPMIN|BZPOPMAX} $z [$z] 0",
    "BZMPOP 0 2 $z $z {MIN|MAX} [COUNT 2]",
    "XREADGROUP GROUP g {c|d} [COUNT 2] BLOCK 0 [NOACK] STREAMS x {> |>}",
];
const TRIGGERS: &[&str] = &[
    "{LPUSH|RPUSH} $k a",
    "{LPUSH|RPUSH} $k a b c",
    "ZADD $z 1 a 2 b 3 c",
    "ZADD $z 1 a",
    "XADD x $e a 1",
    "XADD x $e a 1",
    "ZPOPMIN $z",
    "DEL $k",
    "RENAME $k $k",
    "COPY $k $k REPLACE",
    "LMOVE $k $k LEFT LEFT",
    "RENAME $z $z",
    "MOVE {$k|$z} 1",
    "SELECT {0|1}",
    "MULTI",
    "EXEC",
    "EXEC",
    "XGROUP DESTROY x g",
    "DEL x",
];

/// Keys that few commands share.
struct Few;

impl Vocabulary for Few {
    fn word(&self, letter: char, rng: &mut Rng) -> Vec<u8> {
        match letter {
            'k' | 'z' => format!("{letter}{}", rng.below(3)).into_bytes(),
            'e' => format!("{}-{}", 1 + rng.below(30), 1 + rng.below(3)).into_bytes(),
            other => panic!("a template has ${other}"),
        }
    }
}

/// What is waited for, then what is done, as lines.
type Scene = (Vec<String>, Vec<String>);

fn line(templates: &[&str], rng: &mut Rng) -> String {
    let template = rng.pick(templates);
    let words = fill(template, &Few, rng);
    words.iter().map(|word| String::from_utf8_lossy(word)).collect::<Vec<_>>().join(" ")
}

fn scene(rng: &mut Rng) -> Scene {
    let waits = (0..1 + rng.below(3)).map(|_| line(WAITS, rng)).collect();
    let triggers = (0..1 + rng.below(10)).map(|_| line(TRIGGERS, rng)).collect();
    (waits, triggers)
}

/// What both tell their replicas of a scene.
fn told_of_scene(pair: &mut Pair, (waits, triggers): &Scene) -> [Vec<Request>; 2] {
    pair.set_clock();
    BEGIN.iter().chain(&["XGROUP CREATE x g $ MKSTREAM", END[2]]).for_each(|line| pair.say(line));
    pair.rest();
    let mut ours: Vec<Arc<Waiter>> = Vec::new();
    let mut theirs: Vec<Client> = Vec::new();
    for wait in waits {
        ours.extend(pair.ours.wait(wait));
        let mut client = pair.oracle.client();
        client.send(&wait.split_whitespace().collect::<Vec<_>>());
        theirs.push(client);
        wait_for_blocked(pair, ours.len());
    }
    triggers.iter().for_each(|line| pair.say(line));
    END.iter().for_each(|line| pair.say(line));
    let told = pair.rest();
    ours.iter().for_each(|waiter| pair.ours.give_up(waiter));
    drop(theirs);
    wait_for_blocked(pair, 0);
    told
}

/// Waits until so many clients of the real server wait.
fn wait_for_blocked(pair: &mut Pair, count: usize) {
    let wanted = format!("blocked_clients:{count}\r\n");
    while !pair.theirs.say("INFO clients").text().contains(&wanted) {
        std::thread::yield_now();
    }
}

#[test]
fn a_real_server_tells_its_replicas_the_same_of_those_who_wait() {
    let Some(mut pair) = Pair::start() else { return };
    let (scenes, seed) =
        (5 * number("CARNELIAN_REPEATED_SEQUENCES", 200), number("CARNELIAN_REPEATED_SEED", 1));
    let mut rng = Rng::new(seed);
    for _ in 0..scenes {
        let (waits, triggers) = scene(&mut rng);
        let [ours, theirs] = told_of_scene(&mut pair, &(waits.clone(), triggers.clone()));
        if difference(&ours, &theirs).is_none() {
            continue;
        }
        let commands: Vec<Command> = triggers
            .iter()
            .map(|line| line.split_whitespace().map(|word| word.as_bytes().to_vec()).collect())
            .collect();
        let lines = |commands: &[Command]| {
            let line = |command: &Command| String::from_utf8_lossy(&command.join(&b' ')).into_owned();
            (waits.clone(), commands.iter().map(line).collect())
        };
        let commands = shrink(commands, |commands| {
            let [ours, theirs] = told_of_scene(&mut pair, &lines(commands));
            difference(&ours, &theirs).is_some()
        });
        let [ours, theirs] = told_of_scene(&mut pair, &lines(&commands));
        panic!(
            "the stream of seed {seed} differs:\n{waits:#?}\n{}ours\n{}theirs\n{}",
            shown(&commands),
            shown(&ours),
            shown(&theirs)
        );
    }
}

/// The digests of a node's keys, and of those of one that has repeated what the first has told of a sequence.
fn digests(release: Release, commands: &[Command]) -> [String; 2] {
    let [mut first, mut second] = [(); 2].map(|()| Caller::new(release, &[]).expect("defaults are allowed"));
    let taken = Taken::from(&first);
    commands.iter().for_each(|command| drop(first.run(command)));
    first.say("DISCARD");
    for request in taken.requests() {
        let reply = second.run(&request);
        assert!(!reply.starts_with(b"-"), "{}{}", shown([&request]), String::from_utf8_lossy(&reply));
    }
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
    let sequences = number("CARNELIAN_REPEATED_SEQUENCES", 200).div_ceil(4);
    let families: Vec<&Family> = FAMILIES.iter().collect();
    for release in Release::ALL {
        let mut rng = Rng::new(number("CARNELIAN_REPEATED_SEED", 1));
        for _ in 0..sequences {
            let mut commands = sequence(&mut rng, &families);
            let named = |command: &Command, names: &[&[u8]]| names.contains(&&command[0][..]);
            let has = |command: &Command, word: &[u8]| command.iter().any(|own| own == word);
            commands.retain(|command| {
                // Only masters may say LIMIT with what is exact.
                !(named(command, &[b"XADD", b"XTRIM"]) && has(command, b"LIMIT"))
                    // Before 6.0 others lost the expiry.
                    && (release >= Release::V6_2 || !named(command, &[b"INCRBYFLOAT"]))
            });
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
