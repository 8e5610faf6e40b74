//! What a node of release 7.0 tells its replicas of random sequences is what a real redis-server 7.0 tells them.
//!
//! `CARNELIAN_REPEATED_SEQUENCES` says how many sequences are run (200 by default), `CARNELIAN_REPEATED_SEED` which.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use testkit::client::encode;
use testkit::follower::{Follower, Request};
use testkit::sequences::{Command, FAMILIES, Family, LIMITS, sequence, shown, shrink};
use testkit::template::{Vocabulary, fill};
use testkit::{Client, Oracle, Program, Reply, Rng, number};

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

/// One of two servers, and a replica of it.
struct Side {
    address: SocketAddr,
    client: Client,
    follower: Follower,
}

impl Side {
    fn of(address: SocketAddr) -> Side {
        let mut client = Client::connect(address);
        // Nothing goes by itself but what is met.
        client.say("DEBUG SET-ACTIVE-EXPIRE 0");
        Side { address, client, follower: Follower::of(address) }
    }

    /// What it tells its replica, up to the mark.
    fn told(&mut self) -> Vec<Request> {
        self.follower.until(|request| request.get(1).is_some_and(|word| word == MARK.as_bytes()))
    }
}

/// A node and a real server.
struct Pair {
    _program: Program,
    _oracle: Oracle,
    sides: [Side; 2],
}

impl Pair {
    fn start() -> Option<Pair> {
        // Nobody is told that there is nothing to tell.
        let quiet = [("repl-ping-replica-period", "3600"), ("repl-timeout", "36000")];
        let args: Vec<String> =
            quiet.iter().flat_map(|(name, value)| [format!("--{name}"), (*value).to_owned()]).collect();
        let mut args: Vec<&str> = args.iter().map(String::as_str).collect();
        args.extend(["--repl-diskless-sync-delay", "0"]);
        let oracle = Oracle::start_with(&args)?;
        let config = [quiet[0], quiet[1], ("enable-debug-command", "yes")];
        let program = Program::redis("7.0", &config);
        let sides = [program.address(), oracle.address()].map(Side::of);
        Some(Pair { _program: program, _oracle: oracle, sides })
    }

    fn say(&mut self, line: &str) {
        self.sides.iter_mut().for_each(|side| drop(side.client.say(line)));
    }

    /// What both tell their replicas of a sequence.
    fn told_of(&mut self, commands: &[Command]) -> [Vec<Request>; 2] {
        BEGIN.iter().chain(&[LIMITS]).chain(&[END[2]]).for_each(|line| self.say(line));
        self.told();
        let bytes: Vec<u8> = commands.iter().flat_map(|command| encode(command)).collect();
        self.sides.iter_mut().for_each(|side| side.client.send_bytes(&bytes));
        for side in &mut self.sides {
            commands.iter().for_each(|_| drop(side.client.read()));
        }
        END.iter().for_each(|line| self.say(line));
        self.told()
    }

    /// What both have told since, up to the mark.
    fn told(&mut self) -> [Vec<Request>; 2] {
        self.sides.each_mut().map(Side::told)
    }

    /// Waits until so many clients of each side wait.
    fn wait_for_blocked(&mut self, counts: [usize; 2]) {
        for (side, count) in self.sides.iter_mut().zip(counts) {
            let wanted = format!("blocked_clients:{count}\r\n");
            while !side.client.say("INFO clients").text().contains(&wanted) {
                std::thread::yield_now();
            }
        }
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

#[test]
fn replicas_are_told_what_a_real_server_tells_them() {
    let Some(mut pair) = Pair::start() else { return };
    let (sequences, seed) =
        (number("CARNELIAN_REPEATED_SEQUENCES", 200), number("CARNELIAN_REPEATED_SEED", 1));
    let families: Vec<&Family> = FAMILIES.iter().collect();
    let mut rng = Rng::new(seed);
    for _ in 0..sequences {
        let commands = sequence(&mut rng, &families);
        let [ours, theirs] = pair.told_of(&commands);
        if difference(&ours, &theirs).is_none() {
            continue;
        }
        let commands = shrink(commands, |commands| {
            let [ours, theirs] = pair.told_of(commands);
            difference(&ours, &theirs).is_some()
        });
        let [ours, theirs] = pair.told_of(&commands);
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
    BEGIN.iter().chain(&["XGROUP CREATE x g $ MKSTREAM", END[2]]).for_each(|line| pair.say(line));
    pair.told();
    let mut waiting: Vec<Client> = Vec::new();
    for (index, wait) in waits.iter().enumerate() {
        for side in &pair.sides {
            let mut client = Client::connect(side.address);
            client.send(&wait.split_whitespace().collect::<Vec<_>>());
            waiting.push(client);
        }
        pair.wait_for_blocked([index + 1; 2]);
    }
    triggers.iter().for_each(|line| pair.say(line));
    END.iter().for_each(|line| pair.say(line));
    let told = pair.told();
    drop(waiting);
    pair.wait_for_blocked([0; 2]);
    told
}

#[test]
fn replicas_are_told_the_same_of_those_who_wait() {
    let Some(mut pair) = Pair::start() else { return };
    let (scenes, seed) =
        (2 * number("CARNELIAN_REPEATED_SEQUENCES", 200), number("CARNELIAN_REPEATED_SEED", 1));
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

/// Clients that change keys at once.
const CLIENTS: usize = 4;

#[test]
fn what_many_clients_change_at_once_is_repeated_in_an_order_that_could_have_been() {
    let config = [("enable-debug-command", "yes")];
    let [first, second] = [(); 2].map(|()| Program::redis_with(&["--release", "7.0"], &config));
    let mut side = Side::of(first.address());
    let sequences = number("CARNELIAN_REPEATED_SEQUENCES", 200).div_ceil(10);
    let seed = number("CARNELIAN_REPEATED_SEED", 1);
    let families: Vec<&Family> = FAMILIES.iter().collect();
    let busy = AtomicUsize::new(CLIENTS);
    let is_over = || busy.load(Ordering::Acquire) == 0;
    let requests = std::thread::scope(|scope| {
        for number in 0..CLIENTS as u64 {
            let (mut client, mut rng) = (first.client(), Rng::new(100 * seed + number));
            let (families, busy) = (&families, &busy);
            scope.spawn(move || {
                for _ in 0..sequences {
                    let mut commands = sequence(&mut rng, families);
                    // Only masters may say LIMIT with what is exact, and FLUSHDB would hide what went wrong.
                    commands.retain(|command| {
                        !command.iter().any(|word| word == b"LIMIT") && command[0] != b"FLUSHDB"
                    });
                    let bytes: Vec<u8> = commands.iter().flat_map(|command| encode(command)).collect();
                    client.send_bytes(&bytes);
                    commands.iter().for_each(|_| drop(client.read()));
                }
                client.say("DISCARD");
                busy.fetch_sub(1, Ordering::Release);
            });
        }
        // Some wait meanwhile, for what others push.
        for wait in ["BLMOVE l0 l1 LEFT RIGHT 0", "BRPOP l1 l2 0", "BZPOPMIN z0 z1 0", "BRPOPLPUSH l2 s0 0"] {
            let mut client = first.client();
            client.set_patience(Duration::from_millis(200));
            scope.spawn(move || {
                let words: Vec<&str> = wait.split_whitespace().collect();
                while !is_over() {
                    client.send(&words);
                    while matches!(client.read(), Reply::Timeout) && !is_over() {}
                }
            });
        }
        let told = scope.spawn(|| side.told());
        while !is_over() {
            std::thread::yield_now();
        }
        first.client().say(END[2]);
        told.join().expect("the stream is read")
    });
    let mut replica = second.client();
    replica.say("DEBUG SET-ACTIVE-EXPIRE 0");
    for requests in requests.chunks(1000) {
        let bytes: Vec<u8> = requests.iter().flat_map(|request| encode(request)).collect();
        replica.send_bytes(&bytes);
        for request in requests {
            let reply = replica.read();
            assert!(!reply.is_error(), "{}{reply:?}", shown([request]));
        }
    }
    let [ours, theirs] =
        [first.client(), second.client()].map(|mut client| client.say("DEBUG DIGEST").text());
    assert_eq!(ours, theirs, "after {} requests", requests.len());
}
