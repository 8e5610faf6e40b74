//! Random command sequences, run against a node and a real redis-server of its release: replies and keyspaces agree.
//!
//! `CARNELIAN_DIFFERENTIAL_COMMANDS` says how many commands are run (100,000 by default), `CARNELIAN_DIFFERENTIAL_SEED`
//! which, `CARNELIAN_DIFFERENTIAL_FAMILIES` the families whose keys begin with these letters (all by default). A
//! difference is shrunk to the shortest sequence that still shows it. `CARNELIAN_DIFFERENTIAL_REPORTS` says how many are told
//! before it ends (1 by default), each of another last command.

mod comparable;

use comparable::comparable;
use std::collections::{BTreeMap, VecDeque};
use testkit::client::encode;
use testkit::sequences::{Command, DATABASES, FAMILIES, Family, LIMITS, SEQUENCE, sequence, shown, shrink};
use testkit::{Client, Oracle, Program, Reply, Rng, number};

/// Whether the answer of a real server is another one for a reason that `docs/differences.md` tells, or because it is an earlier
/// server of its release than the one that is imitated.
fn is_known_to_differ(release: &str, command: &Command) -> bool {
    let words: Vec<String> =
        command.iter().map(|word| String::from_utf8_lossy(word).to_ascii_lowercase()).collect();
    let has = |wanted: &str| words[1..].iter().any(|word| word == wanted);
    let before = |other| release < other;
    match &*words[0] {
        "hsetnx" => before("7.0") && words.iter().any(|word| word.len() > 64),
        "hincrbyfloat" => before("6.2") && words[1..].iter().any(|word| word.contains("inf")),
        "georadius" | "georadiusbymember" | "georadius_ro" | "georadiusbymember_ro" => {
            before("6.2") && words.iter().any(|word| word.parse().is_ok_and(|radius: f64| radius >= 1000.0))
        }
        "geoadd" => before("6.2") && words.iter().any(|word| word.ends_with("85.05112878")),
        "lindex" => release == "3.0" && has("-9223372036854775808"),
        "xadd" => release == "5.0" && words[1..].iter().any(|word| matches!(&**word, "0" | "0-0")),
        _ => false,
    }
}

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

fn random_sequences_agree(release: &str, commands: u64) {
    let Some(oracle) = Oracle::of(release, &[]) else { return };
    // Before 7.0 it need not be allowed.
    let debug: &[_] = if release >= "7" { &[("enable-debug-command", "yes")] } else { &[] };
    let program = Program::redis(release, debug);
    let total = number("CARNELIAN_DIFFERENTIAL_COMMANDS", commands) as usize;
    let seed = number("CARNELIAN_DIFFERENTIAL_SEED", 1);
    let letters = std::env::var("CARNELIAN_DIFFERENTIAL_FAMILIES").ok();
    let chosen = |family: &&Family| letters.as_ref().is_none_or(|letters| letters.contains(family.prefix));
    let families: Vec<&Family> = FAMILIES.iter().filter(chosen).collect();
    assert!(!families.is_empty(), "no family's keys begin with one of {letters:?}");
    let (mut ours, mut theirs) = (program.client(), oracle.client());
    let mut rng = Rng::new(seed);
    let at_most = number("CARNELIAN_DIFFERENTIAL_REPORTS", 1) as usize;
    let mut reports: BTreeMap<String, String> = BTreeMap::new();
    for _ in 0..total.div_ceil(SEQUENCE) {
        let mut commands = sequence(&mut rng, &families);
        commands.retain(|command| !is_known_to_differ(release, command));
        if reports.len() == at_most {
            break;
        }
        let Some((at, ..)) = difference(&mut ours, &mut theirs, &commands) else { continue };
        commands.truncate(at + 1);
        let commands = shrink(commands, |commands| difference(&mut ours, &mut theirs, commands).is_some());
        let report = shown(&commands);
        let what = match difference(&mut ours, &mut theirs, &commands) {
            Some((at, ours, theirs)) => {
                format!("reply {at} differs:\n{report}ours   {ours:?}\ntheirs {theirs:?}")
            }
            None => format!("a difference does not come every time:\n{report}"),
        };
        let last = commands.last().map(|words| String::from_utf8_lossy(&words[0]).to_ascii_uppercase());
        reports.entry(last.unwrap_or_default()).or_insert(what);
    }
    let reports: Vec<String> = reports.into_values().collect();
    assert!(reports.is_empty(), "of seed {seed}: {}", reports.join("\n\n"));
}

macro_rules! releases {
    ($($test:ident: $release:literal, $commands:literal;)+) => {
        $(
            #[test]
            fn $test() {
                random_sequences_agree($release, $commands);
            }
        )+
    };
}

releases! {
    random_sequences_agree_with_a_real_3_0: "3.0", 20_000;
    random_sequences_agree_with_a_real_5_0: "5.0", 20_000;
    random_sequences_agree_with_a_real_6_2: "6.2", 20_000;
    random_sequences_agree_with_a_real_7_0: "7.0", 100_000;
    random_sequences_agree_with_a_real_7_4: "7.4", 20_000;
}
