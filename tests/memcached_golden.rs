//! What memcached 1.6.18 answered, and what a Memcached node answers.
//!
//! `tests/golden/memcached` holds the exchanges. A line of the corpus is one chunk to send, an end of a line behind it;
//! `## name` or an empty line begins a scenario, on a fresh connection after `flush_all`. `!` marks answers of which only
//! the number of lines is compared, `+N` is a pause of N seconds.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;
use testkit::{Memcached, Wire};

/// A chunk that was sent and what was answered.
struct Exchange {
    chunk: String,
    is_compared: bool,
    answer: Vec<u8>,
}

/// What is done in a scenario.
enum Step {
    Pause(Duration),
    Exchange(Exchange),
}

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/memcached").join(name);
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{name} cannot be read: {error}"))
}

/// The scenarios, with the answers that belong to their chunks.
fn scenarios() -> Vec<(String, Vec<Step>)> {
    let expected = read("expected-1.6.18.jsonl");
    let mut expected = expected.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let mut all: Vec<(String, Vec<Step>)> = vec![(String::new(), Vec::new())];
    for line in read("corpus.txt").lines() {
        let is_title = line.starts_with("## ");
        if is_title || line.is_empty() {
            all.push((line.trim_start_matches("## ").to_owned(), Vec::new()));
            continue;
        }
        let pause = line.strip_prefix('+').and_then(|seconds| seconds.parse().ok());
        let step = match pause {
            Some(seconds) => Step::Pause(Duration::from_secs_f64(seconds)),
            None => {
                let row = expected.next().expect("every chunk has an answer");
                assert_eq!(row["c"], line, "the answers are those of the corpus");
                let answer = row["r"].as_str().expect("an answer is text");
                Step::Exchange(Exchange {
                    chunk: line.trim_start_matches('!').to_owned(),
                    is_compared: !line.starts_with('!'),
                    // A character is a byte.
                    answer: answer.chars().map(|char| char as u8).collect(),
                })
            }
        };
        all.last_mut().expect("there is one").1.push(step);
    }
    assert!(expected.next().is_none(), "every answer has a chunk");
    all
}

/// The bytes of a chunk: `\r`, `\n` and `\xNN` stand for what they stand for elsewhere.
fn bytes(chunk: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = chunk.as_bytes();
    loop {
        rest = match rest {
            [b'\\', b'r', rest @ ..] => {
                bytes.push(b'\r');
                rest
            }
            [b'\\', b'n', rest @ ..] => {
                bytes.push(b'\n');
                rest
            }
            [b'\\', b'x', high, low, rest @ ..] => {
                let digit = |byte: u8| (byte as char).to_digit(16).expect("an escape has two digits") as u8;
                bytes.push(digit(*high) << 4 | digit(*low));
                rest
            }
            [byte, rest @ ..] => {
                bytes.push(*byte);
                rest
            }
            [] => return [&bytes[..], b"\r\n"].concat(),
        };
    }
}

/// What differs from the expected answers, and how many agree. What is answered too much is noticed with the next answer,
/// or when the connection ends.
fn check(server: &Memcached) -> (String, usize) {
    let (mut report, mut agreed) = (String::new(), 0);
    for (name, steps) in scenarios() {
        let mut wire: Wire = server.wire();
        assert_eq!(wire.say("flush_all"), "OK");
        wire.set_patience(Duration::from_secs(3));
        for step in steps {
            let Exchange { chunk, is_compared, answer } = match step {
                Step::Pause(pause) => {
                    std::thread::sleep(pause);
                    continue;
                }
                Step::Exchange(exchange) => exchange,
            };
            wire.send(&bytes(&chunk));
            let lines = |bytes: &[u8]| bytes.iter().filter(|&&byte| byte == b'\n').count();
            let heard = if is_compared {
                wire.read(answer.len())
            } else {
                wire.read_until(|heard| lines(heard) >= lines(&answer))
            };
            if heard.bytes == answer || !is_compared && lines(&heard.bytes) == lines(&answer) {
                agreed += 1;
            } else {
                let _ = writeln!(
                    report,
                    "{name} | {chunk}\n  expected \"{}\"\n  answered {heard:?}",
                    answer.escape_ascii()
                );
            }
        }
        let rest = wire.finish();
        if !rest.bytes.is_empty() {
            let _ = writeln!(report, "{name} | at the end\n  answered {rest:?}");
        }
    }
    (report, agreed)
}

fn agrees(server: &Memcached) {
    let (report, agreed) = check(server);
    assert!(report.is_empty(), "{agreed} answers agree; these do not:\n{report}");
    assert!(agreed > 150, "only {agreed} answers were compared");
}

#[test]
fn memcached_answers_what_it_answered() {
    let Some(server) = Memcached::theirs(&[]) else { return };
    agrees(&server);
}

#[test]
fn a_node_answers_what_memcached_answered() {
    agrees(&Memcached::ours(&[]));
}
