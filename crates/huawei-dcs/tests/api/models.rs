//! What the public SDK of v2 sends and reads, against the records: every parameter of a query, every field of a body and of an
//! answer is declared with the type that the SDK's models have, and nothing is declared that they do not know.
//!
//! `data/v2-operations.tsv` and `data/v2-models.tsv` have the SDK's side; `data/model-deviations.tsv` has what is otherwise
//! here, and why. That answers are as their records say is seen to by [`crate::world`].

use std::collections::HashMap;

use operation::Support;
use operation::schema::{Field, Integer, Kind, Need};
use operation::tables::{Deviations, fields, ways};

use crate::tables::operation;

/// The fields of a model with their types, by its name.
type Models = HashMap<&'static str, Vec<(&'static str, &'static str)>>;

/// An operation of the SDK.
struct Called {
    id: &'static str,
    query: &'static str,
    body: &'static str,
    answer: &'static str,
}

fn models() -> Models {
    let mut models = Models::new();
    for line in include_str!("../data/v2-models.tsv").lines() {
        let mut cells = line.split('\t');
        let mut next = || cells.next().unwrap();
        models.entry(next()).or_default().push((next(), next()));
    }
    models
}

fn called() -> impl Iterator<Item = Called> {
    include_str!("../data/v2-operations.tsv").lines().map(|line| {
        let cells: Vec<_> = line.split('\t').collect();
        let [id, _, _, query, body, answer] = cells[..] else { panic!("not six cells: {line}") };
        Called { id, query, body, answer }
    })
}

/// One comparison: what the SDK knows, and what a record declares.
struct Comparison<'a> {
    models: &'a Models,
    deviations: &'a Deviations,
    id: &'static str,
    part: &'static str,
    /// The ways to all that the SDK knows.
    known: Vec<String>,
    wrong: &'a mut Vec<String>,
}

impl Comparison<'_> {
    fn note(&mut self, way: &str, what: &str, said: &str) {
        if !self.deviations.has(self.id, self.part, way, what) {
            self.wrong.push(format!("{}\t{}\t{way}\t{what}\t{said}", self.id, self.part));
        }
    }

    fn object(&mut self, before: &str, model: &[(&'static str, &'static str)], declared: &'static [Field]) {
        for (name, kind) in model {
            let way = format!("{before}{name}");
            self.known.push(way.clone());
            let Some(field) = declared.iter().find(|field| field.name == *name) else {
                self.note(&way, "missing", kind);
                continue;
            };
            if self.part == "answer" && field.need == Need::Optional {
                self.note(&way, "left out", kind);
            }
            self.value(&way, kind, &field.kind);
        }
    }

    fn value(&mut self, way: &str, said: &'static str, declared: &'static Kind) {
        let is_sent = self.part != "answer";
        let inner = said.strip_prefix("list[").and_then(|said| said.strip_suffix(']'));
        let fits = match (said, declared) {
            ("str", Kind::Text(_))
            | ("int", Kind::Integer(_))
            | ("float", Kind::Number)
            | ("bool", Kind::Boolean)
            | ("object" | "dict(str,str)", Kind::Object(_) | Kind::Map(_)) => true,
            ("str" | "bool", Kind::Flag) | ("str", Kind::Integer(Integer { or_text: true, .. })) => is_sent,
            ("int", Kind::Number) => is_sent,
            (_, Kind::List { of, .. }) if inner.is_some() => {
                self.value(&format!("{way}[]"), inner.unwrap_or_default(), of);
                true
            }
            (model, Kind::Object(fields)) if self.models.contains_key(model) => {
                let models = self.models;
                self.object(&format!("{way}."), &models[model], fields);
                true
            }
            // Free names, whichever the SDK lists.
            (model, Kind::Map(_)) => self.models.contains_key(model),
            _ => false,
        };
        if !fits {
            self.note(way, "kind", said);
        }
    }
}

#[test]
fn records_say_what_the_models_say() {
    let (models, mut wrong) = (models(), Vec::new());
    let deviations = Deviations::read(include_str!("../data/model-deviations.tsv"));
    for called in called() {
        let operation = operation(called.id);
        if operation.support == Support::Refused {
            continue;
        }
        for part in ["query", "body", "answer"] {
            let declared = fields(operation, part);
            let mut comparison = Comparison {
                models: &models,
                deviations: &deviations,
                id: called.id,
                part,
                known: Vec::new(),
                wrong: &mut wrong,
            };
            match part {
                "query" => {
                    for name in called.query.split_whitespace() {
                        comparison.known.push(name.to_owned());
                        if !declared.iter().any(|field| field.name == name) {
                            comparison.note(name, "missing", "");
                        }
                    }
                }
                "body" if called.body.is_empty() => {}
                "body" => comparison.object("", &models[called.body], declared),
                _ => {
                    let answer: Vec<_> = called
                        .answer
                        .split_whitespace()
                        .map(|field| field.split_once(':').unwrap())
                        .collect();
                    match (&answer[..], declared) {
                        // The body itself.
                        ([("body", kind)], [Field { name: "", kind: declared, .. }]) => {
                            comparison.value("", kind, declared);
                            comparison.known.push(String::new());
                        }
                        // The model does not say what it is.
                        ([("body", "object" | "str")], _) => continue,
                        _ => comparison.object("", &answer, declared),
                    }
                }
            }
            let mut all = Vec::new();
            ways(declared, "", &mut all);
            for way in all {
                let is_known = comparison.known.contains(&way)
                    || comparison.known.contains(&way.trim_start_matches("[].").to_owned());
                if !is_known {
                    comparison.note(&way, "extra", "");
                }
            }
        }
    }
    wrong.extend(deviations.not_met());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
