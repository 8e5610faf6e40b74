//! Every example of the documents: what it asks for is sent, in the state that it supposes, and the answer is compared with the
//! documented one, field by field.
//!
//! `data/examples.tsv` lists all examples there are: name, document, section, operation. `data/examples/` has each as its
//! document has it (`repaired` says what the document lacks to be JSON), [`scene`] what there is before, [`effect`] what there
//! is after, and [`testkit::documented`] compares. What is otherwise stands in `data/example-deviations.tsv`, with its reason:
//! all else is the same, no field more and none less, with the same values. A line there that is not needed fails the test,
//! and so does an example without a scene.

mod effect;
mod scene;

use std::collections::BTreeSet;

use operation::Access;
use operation::tables::Place;
use serde_json::Value;
use testkit::documented::{Comparison, Rules, ways_of};

use crate::tables;

/// An example: a request, and what is answered.
pub(crate) struct Example {
    pub(crate) name: &'static str,
    pub(crate) operation: &'static str,
    /// Method and path, with names in braces where the document has them.
    line: String,
    headers: Vec<(String, String)>,
    body: Option<Value>,
    status: u64,
    answer: Value,
    answer_headers: Vec<(String, String)>,
    /// Whether the document shows a part of the answer only.
    is_part: bool,
}

/// All of them, in the order of the documents.
fn all() -> impl Iterator<Item = Example> {
    include_str!("../data/examples.tsv").lines().map(|line| {
        let cells: Vec<_> = line.split('\t').collect();
        let [name, document, section, operation] = cells[..] else { panic!("not four cells: {line}") };
        let path = format!("{}/tests/data/examples/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let read: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
        for (field, said) in [("document", document), ("section", section), ("operation", operation)] {
            assert_eq!(read[field], said, "{name}");
        }
        let pairs = |value: &Value| {
            let pairs = value.as_object().into_iter().flatten();
            pairs.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect()
        };
        let (request, answer) = (&read["request"], &read["answer"]);
        Example {
            name,
            operation,
            line: request["line"].as_str().unwrap().to_owned(),
            headers: pairs(&request["headers"]),
            body: request.get("body").cloned(),
            status: answer["status"].as_u64().unwrap(),
            answer: answer["body"].clone(),
            answer_headers: pairs(&answer["headers"]),
            is_part: answer["part"] == true,
        }
    })
}

/// The ways to all fields that examples show, as in tables: operation, part and way.
pub(crate) fn ways() -> BTreeSet<Place> {
    let mut all_ways = BTreeSet::new();
    for example in all() {
        let body = example.body.unwrap_or_default();
        for (part, value) in [("answer", &example.answer), ("body", &body)] {
            let mut ways = Vec::new();
            ways_of(value, "", &mut ways);
            all_ways.extend(ways.into_iter().map(|way| (example.operation.to_owned(), part, way)));
        }
    }
    all_ways
}

#[tokio::test]
async fn every_example_is_answered_as_documented() {
    let rules = Rules::read(include_str!("../data/example-deviations.tsv"));
    let documented = Documented::new();
    let mut wrong = Vec::new();
    for example in all() {
        let scene = scene::of(&example).await;
        let mut line = example.line.clone();
        for (documented, here) in &scene.names {
            line = line.replace(documented, here);
        }
        let body = example.body.clone().or(scene.body.clone()).map(|body| {
            let body = rules.apply(example.name, body);
            scene.named(body)
        });
        let operation = tables::operation(example.operation);
        let mut headers: Vec<_> =
            example.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        if operation.access != Access::Public {
            headers.push(("x-auth-token", &scene.world.token));
        }
        let text = body.as_ref().map(Value::to_string).unwrap_or_default();
        let answered = scene.world.ask(&line, &headers, &text).await;
        if u64::from(answered.status) != example.status {
            wrong.push(format!("{}: {} {}", example.name, answered.status, answered.body));
            continue;
        }
        for (name, value) in &example.answer_headers {
            let has = answered.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
            // A token is another one each time.
            let fits = if name == "x-subject-token" { !has.is_empty() } else { has == value };
            if !fits {
                wrong.push(format!("{}: the header {name} is {has:?}", example.name));
            }
        }
        let mut comparison = Comparison {
            example: example.name,
            rules: &rules,
            is_known: &|way| documented.has(example.operation, way),
            is_part: example.is_part,
            wrong: &mut wrong,
        };
        comparison.compare(&mut Vec::new(), Some(&scene.named(example.answer)), Some(&answered.body));
        effect::is_there(example.name, &scene, &body.unwrap_or_default()).await;
    }
    wrong.extend(rules.not_met());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The fields of answers that some table or some example has.
struct Documented(BTreeSet<(String, String)>);

impl Documented {
    fn new() -> Self {
        let tables = tables::rows().filter(|row| row.part == "answer");
        let tables = tables.map(|row| (row.operation.to_owned(), row.field.to_owned()));
        let examples = ways().into_iter().filter(|(_, part, _)| *part == "answer");
        Documented(tables.chain(examples.map(|(operation, _, way)| (operation, way))).collect())
    }

    fn has(&self, operation: &str, way: &str) -> bool {
        self.0.contains(&(operation.to_owned(), way.to_owned()))
    }
}

#[test]
fn every_file_is_an_example_of_the_list() {
    let listed: BTreeSet<_> = all().map(|example| format!("{}.json", example.name)).collect();
    let directory = format!("{}/tests/data/examples", env!("CARGO_MANIFEST_DIR"));
    let files = std::fs::read_dir(directory).unwrap();
    let files: BTreeSet<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(files, listed);
}
