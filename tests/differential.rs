//! Random command sequences, run against a node of release 7.0 and a real redis-server 7.0: replies and keyspaces agree.
//!
//! `CARNELIAN_DIFFERENTIAL_COMMANDS` says how many commands are run (100,000 by default), `CARNELIAN_DIFFERENTIAL_SEED`
//! which, `CARNELIAN_DIFFERENTIAL_FAMILIES` the families whose keys begin with these letters (all by default). A
//! difference is shrunk to the shortest sequence that still shows it.

mod comparable;

use comparable::comparable;
use std::collections::VecDeque;
use testkit::client::encode;
use testkit::sequences::{Command, DATABASES, FAMILIES, Family, LIMITS, SEQUENCE, sequence, shown, shrink};
use testkit::{Client, Oracle, Program, Reply, Rng, number};

/// Runs a sequence and gives what can be compared of each reply, and then of the keyspace.
fn run(client: &mut Client, commands: &[Command]) -> Vec<Reply> {
    for line in ["DISCARD", "UNWATCH", "FLUSHALL", "SELECT 0", LIMITS] {
        client.say(line);
    }
    let bytes: Vec<u8> = commands.iter().flat_map(|command| encode(command)).collect();
    client.send_bytes(&bytes);
    let mut queue: VecDeque<Command> = VecDeque::new();
    let mut replies = Vec::new();
    for command in commands {
        let reply = client.read();
        let name = String::from_utf8_lossy(&command[0]).to_ascii_uppercase();
        let reply = match (&*name, reply) {
            ("EXEC", Reply::Array(inner)) => Reply::Array(
                inner
                    .into_iter()
                    .map(|reply| comparable(&queue.pop_front().expect("as many as were queued"), reply))
                    .collect(),
            ),
            (_, reply) if reply == Reply::Status(b"QUEUED".to_vec()) => {
                queue.push_back(command.clone());
                reply
            }
            (_, reply) => comparable(command, reply),
        };
        if matches!(&*name, "EXEC" | "DISCARD") {
            queue.clear();
        }
        replies.push(reply);
    }
    client.say("DISCARD");
    for db in 0..DATABASES {
        client.run(&["SELECT", &db.to_string()]);
        let mut keys: Vec<Reply> = match client.say("KEYS *") {
            Reply::Array(keys) => keys,
            other => vec![other],
        };
        keys.sort();
        for key in &keys {
            let encoding = client.run(&[&b"OBJECT"[..], b"ENCODING", key.bytes()]);
            let digest = client.run(&[&b"DEBUG"[..], b"DIGEST-VALUE", key.bytes()]);
            replies.push(Reply::Array(vec![key.clone(), encoding, digest]));
        }
    }
    replies
}

/// The first difference: which command (or, after them, which part of the keyspace), and the two replies.
fn difference(ours: &mut Client, theirs: &mut Client, commands: &[Command]) -> Option<(usize, Reply, Reply)> {
    let (ours, theirs) = (run(ours, commands), run(theirs, commands));
    let same = ours.iter().zip(&theirs).position(|(a, b)| a != b);
    let at = same.or_else(|| (ours.len() != theirs.len()).then_some(ours.len().min(theirs.len())))?;
    let get = |all: &[Reply]| all.get(at).cloned().unwrap_or(Reply::Closed);
    Some((at, get(&ours), get(&theirs)))
}

#[test]
fn random_sequences_agree_with_a_real_server() {
    let Some(oracle) = Oracle::start() else { return };
    let program = Program::redis("7.0", &[("enable-debug-command", "yes")]);
    let total = number("CARNELIAN_DIFFERENTIAL_COMMANDS", 100_000) as usize;
    let seed = number("CARNELIAN_DIFFERENTIAL_SEED", 1);
    let letters = std::env::var("CARNELIAN_DIFFERENTIAL_FAMILIES").ok();
    let chosen = |family: &&Family| letters.as_ref().is_none_or(|letters| letters.contains(family.prefix));
    let families: Vec<&Family> = FAMILIES.iter().filter(chosen).collect();
    assert!(!families.is_empty(), "no family's keys begin with one of {letters:?}");
    let (mut ours, mut theirs) = (program.client(), oracle.client());
    let mut rng = Rng::new(seed);
    for _ in 0..total.div_ceil(SEQUENCE) {
        let commands = sequence(&mut rng, &families);
        if difference(&mut ours, &mut theirs, &commands).is_some() {
            let commands =
                shrink(commands, |commands| difference(&mut ours, &mut theirs, commands).is_some());
            let report = shown(&commands);
            match difference(&mut ours, &mut theirs, &commands) {
                Some((at, ours, theirs)) => {
                    panic!("reply {at} of seed {seed} differs:\n{report}ours   {ours:?}\ntheirs {theirs:?}")
                }
                None => panic!("a difference of seed {seed} does not come every time:\n{report}"),
            }
        }
    }
}
