//! What `COMMAND` of six real servers said of each command, and what the records say.
//!
//! The facts stand in `tests/facts` of the workspace. A command that is not there yet stands in [`ABSENT`]; one that is
//! there must not.

use command::{Begin, Find, Flags, KeySpec, Release};
use engine::table::{Entry, Table};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

/// Commands that come with later work, and so do those of their subcommands that `container|sub` names.
const ABSENT: &[&str] = &[
    // Access control.
    "acl",    // Modules.
    "module", // Scripts and functions.
    "fcall", "fcall_ro", "function", "script",
];

fn facts(release: Release) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(format!("../../tests/facts/commands-{}.jsonl", release.version()));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines().map(|line| serde_json::from_str(line).expect("a line is an object")).collect()
}

/// Everything that a fact of this release may say of the command.
fn described(entry: &Entry, release: Release) -> Value {
    let shape = &entry.shape;
    let key_specs: Vec<Value> = shape.keys.iter().map(key_spec).collect();
    json!({
        "arity": shape.arity,
        "flags": sorted(shape.flags.names(release).map(str::to_owned)),
        "first": shape.range.first,
        "last": shape.range.last,
        "step": shape.range.step,
        "acl": sorted(shape.categories.names().map(|name| format!("@{name}"))),
        "tips": sorted(shape.tips.iter().map(|&tip| tip.to_owned())),
        "key_specs": key_specs,
    })
}

fn sorted(names: impl Iterator<Item = String>) -> Value {
    names.collect::<BTreeSet<String>>().into_iter().collect()
}

fn key_spec(spec: &KeySpec) -> Value {
    let flags: Vec<Value> = spec.access.names().map(|name| json!({ "status": name })).collect();
    let begin = match spec.begin {
        Begin::Index(index) => json!(["type", "index", "spec", ["index", index]]),
        Begin::Keyword(word, from) => {
            json!(["type", "keyword", "spec", ["keyword", word, "startfrom", from]])
        }
        Begin::Unknown => json!(["type", "unknown", "spec", []]),
    };
    let find = match spec.find {
        Find::Range { last, step, limit } => {
            json!(["type", "range", "spec", ["lastkey", last, "keystep", step, "limit", limit]])
        }
        Find::Count { count, first, step } => {
            json!(["type", "keynum", "spec", ["keynumidx", count, "firstkey", first, "keystep", step]])
        }
        Find::Unknown => json!(["type", "unknown", "spec", []]),
    };
    let mut parts = Vec::new();
    if !spec.notes.is_empty() {
        parts.extend([json!("notes"), json!(spec.notes)]);
    }
    parts.extend([json!("flags"), json!(flags), json!("begin_search"), begin, json!("find_keys"), find]);
    json!(parts)
}

/// A fact in the order in which [`described`] has it.
fn normal(name: &str, value: &Value) -> Value {
    match name {
        "flags" | "acl" | "tips" => {
            sorted(value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned))
        }
        _ => value.clone(),
    }
}

fn compare(fact: &Value, entry: &Entry, release: Release, report: &mut String) {
    let ours = described(entry, release);
    for (name, value) in fact.as_object().expect("a fact is an object") {
        let Some(own) = ours.get(name) else { continue };
        let value = normal(name, value);
        if value != *own {
            let _ = writeln!(report, "{release} {}: {name} is {value}, not {own}", entry.full_name);
        }
    }
}

#[test]
fn records_say_what_real_servers_said() {
    let mut report = String::new();
    let mut missing = BTreeSet::new();
    for release in Release::ALL {
        let table = Table::of(release);
        let mut known = BTreeSet::new();
        for fact in facts(release) {
            let name = fact["name"].as_str().expect("a command has a name");
            known.insert(name.to_owned());
            let Some(entry) = engine::table::find(table.names(), name.as_bytes()) else {
                missing.insert(name.to_owned());
                continue;
            };
            compare(&fact, entry, release, &mut report);
            for sub in fact["subcommands"].as_array().into_iter().flatten() {
                let full = sub["name"].as_str().expect("a subcommand has a name");
                let own = full.split_once('|').expect("a subcommand's name has two parts").1;
                match entry.subcommand(own.as_bytes()) {
                    Some(entry) => compare(sub, entry, release, &mut report),
                    None => {
                        missing.insert(full.to_owned());
                    }
                }
            }
        }
        for (name, entry) in table.names() {
            let name = String::from_utf8_lossy(name);
            if !known.contains(&*name) && !entry.is(Flags::HIDDEN) {
                let _ = writeln!(report, "{release} has no {name}");
            }
        }
    }
    for name in missing.iter().filter(|name| !ABSENT.contains(&name.as_str())) {
        let _ = writeln!(report, "{name} is missing");
    }
    for name in ABSENT.iter().filter(|name| !missing.contains(**name)) {
        let _ = writeln!(report, "{name} is not absent");
    }
    assert!(report.is_empty(), "{report}");
}
