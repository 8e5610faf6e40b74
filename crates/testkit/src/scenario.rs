//! Scenarios whose answers real servers have given.
//!
//! A corpus is text: a command a line, with shell-like quotes; `#` begins a comment, `## name` or an empty line a
//! scenario, which starts on fresh connections and an empty keyspace. `A> command` runs on the connection A. A mark in
//! front says how the reply is compared: `~` in any order, `?` by its type only, `!` not at all.
//!
//! Expected answers are JSON, one to a line: `s` the scenario, `m` the mark, `c` the command, `r` the reply.

use crate::client::Client;
use crate::reply::Reply;
use serde_json::Value;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

/// How long a reply may take before it is recorded as none.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a named connection is given to have its command run.
const STEP: Duration = Duration::from_millis(5);

/// A named sequence of lines.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The corpus and the scenario's own name.
    pub name: String,
    lines: Vec<String>,
}

/// An answer that differs from the expected one.
#[derive(Clone, Debug)]
pub struct Difference {
    /// The scenario.
    pub scenario: String,
    /// The command.
    pub command: String,
    /// What a real server answered.
    pub expected: Value,
    /// What was answered.
    pub answered: Value,
}

/// The scenarios of a corpus.
pub fn scenarios(corpus: &str, text: &str) -> Vec<Scenario> {
    let mut all: Vec<Scenario> = Vec::new();
    let mut lines: Vec<String> = Vec::new();
    let mut title = String::from("0");
    let mut count = 0;
    let mut finish = |title: &str, lines: &mut Vec<String>| {
        if !lines.is_empty() {
            all.push(Scenario { name: format!("{corpus}:{title}"), lines: std::mem::take(lines) });
        }
    };
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("## ") {
            finish(&title, &mut lines);
            count += 1;
            title = name.trim().to_owned();
        } else if line.trim().is_empty() {
            finish(&title, &mut lines);
            count += 1;
            title = count.to_string();
        } else if !line.starts_with('#') {
            lines.push(line.to_owned());
        }
    }
    finish(&title, &mut lines);
    all
}

/// Runs scenarios against a server and gives what differs from the expected answers, and how many agree.
pub fn check(address: SocketAddr, scenarios: &[Scenario], expected: &str) -> (Vec<Difference>, usize) {
    let answers: HashMap<&str, Vec<(String, Reply)>> =
        scenarios.iter().map(|scenario| (scenario.name.as_str(), run(address, scenario))).collect();
    let mut at: HashMap<String, usize> = HashMap::new();
    let (mut differences, mut agreed) = (Vec::new(), 0);
    for line in expected.lines() {
        let row: Value = serde_json::from_str(line).expect("expected answers are JSON");
        let name = row["s"].as_str().expect("a scenario has a name");
        let Some(answers) = answers.get(name) else { continue };
        let index = at.entry(name.to_owned()).or_default();
        let answered = answers.get(*index).map_or(Value::from("nothing"), |(_, reply)| reply.to_json());
        *index += 1;
        let mark = row["m"].as_str().unwrap_or_default();
        if agrees(mark, &row["r"], &answered) {
            agreed += 1;
        } else {
            differences.push(Difference {
                scenario: name.to_owned(),
                command: row["c"].as_str().unwrap_or_default().to_owned(),
                expected: row["r"].clone(),
                answered,
            });
        }
    }
    (differences, agreed)
}

fn run(address: SocketAddr, scenario: &Scenario) -> Vec<(String, Reply)> {
    let connect = || {
        let client = Client::connect(address);
        client.set_patience(PATIENCE);
        client
    };
    let mut clients: HashMap<String, Client> = HashMap::from([(String::new(), connect())]);
    for line in ["FLUSHALL", "SELECT 0"] {
        clients.get_mut("").expect("the first connection").say(line);
    }
    let mut answers = Vec::new();
    for line in &scenario.lines {
        let line = line.strip_prefix(['~', '?', '!']).unwrap_or(line);
        let bytes = line.as_bytes();
        let named = bytes.len() > 2 && bytes[0].is_ascii_alphabetic() && matches!(bytes[1], b'>' | b'<');
        let (name, rest) =
            if named { (line[..1].to_owned(), line[2..].trim()) } else { (String::new(), line) };
        let client = clients.entry(name).or_insert_with(connect);
        let reply = if named && bytes[1] == b'<' { client.read() } else { client.run(&words(rest)) };
        if named {
            // The reply may be one to an earlier command, if that had several: this one is run within the time.
            std::thread::sleep(STEP);
        }
        let ended = reply == Reply::Timeout;
        answers.push((line.to_owned(), reply));
        if ended {
            break;
        }
    }
    answers
}

/// Splits a line as the corpus is quoted.
fn words(line: &str) -> Vec<Vec<u8>> {
    let bytes = line.as_bytes();
    let (mut words, mut index) = (Vec::new(), 0);
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    while index < bytes.len() {
        if blank(&bytes[index]) {
            index += 1;
            continue;
        }
        let mut word = Vec::new();
        if bytes[index] == b'"' {
            index += 1;
            while bytes[index] != b'"' {
                if bytes[index] != b'\\' {
                    word.push(bytes[index]);
                    index += 1;
                    continue;
                }
                if bytes[index + 1] == b'x' {
                    let hex = &line[index + 2..index + 4];
                    word.push(u8::from_str_radix(hex, 16).expect("an escape has two hexadecimal digits"));
                    index += 4;
                    continue;
                }
                word.push(match bytes[index + 1] {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'0' => 0,
                    other => other,
                });
                index += 2;
            }
            index += 1;
        } else {
            while index < bytes.len() && !blank(&bytes[index]) {
                word.push(bytes[index]);
                index += 1;
            }
        }
        words.push(word);
    }
    words
}

fn agrees(mark: &str, expected: &Value, answered: &Value) -> bool {
    match mark {
        "!" => true,
        "?" => shape(expected) == shape(answered),
        "~" => match (expected.as_array(), answered.as_array()) {
            (Some(a), Some(b)) => {
                let sorted = |all: &Vec<Value>| {
                    let mut all: Vec<String> = all.iter().map(Value::to_string).collect();
                    all.sort();
                    all
                };
                sorted(a) == sorted(b)
            }
            _ => expected == answered,
        },
        _ => expected == answered,
    }
}

/// What kind of reply it is; of an error, its code.
fn shape(reply: &Value) -> String {
    match reply {
        Value::Object(fields) => match fields.get("error").and_then(Value::as_str) {
            Some(error) => format!("error:{}", error.split(' ').next().unwrap_or_default()),
            None => fields.keys().next().cloned().unwrap_or_default(),
        },
        Value::Null => "null".into(),
        Value::Number(_) => "number".into(),
        Value::String(_) => "string".into(),
        Value::Array(_) => "array".into(),
        Value::Bool(_) => "bool".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_corpus_is_split_into_scenarios_and_words() {
        let all =
            scenarios("c.txt", "## one\nSET k \"a b\\x00\"\n# a comment\nGET k\n\nPING\n## two\n~KEYS *\n");
        let names: Vec<&str> = all.iter().map(|scenario| &*scenario.name).collect();
        assert_eq!(names, ["c.txt:one", "c.txt:2", "c.txt:two"]);
        assert_eq!(words(&all[0].lines[0]), [&b"SET"[..], b"k", b"a b\0"]);
    }
}
