//! Every example of the document: what it asks for is sent, in the state that it supposes, and the answer is compared with the
//! documented one, field by field.
//!
//! `data/examples.tsv` lists all examples there are: name, document, chapter, action. `data/examples/` has each as the document
//! has it (`repaired` says what it lacks to be JSON), [`scene`] what there is before, and [`testkit::documented`] compares.
//! What is otherwise stands in `data/example-deviations.tsv`, with its reason: all else is the same, no field more and none
//! less, with the same values. A line there that is not needed fails the test, and so does an example without a scene.

mod scene;

use std::collections::BTreeSet;

use operation::tables::Place;
use serde_json::Value;
use testkit::documented::{Comparison, Rules, ways_of};

/// An example: an action with its parameters, and what is answered.
struct Example {
    name: &'static str,
    action: &'static str,
    parameters: Value,
    answer: Value,
}

/// All of them, in the order of the document.
fn all() -> impl Iterator<Item = Example> {
    include_str!("../data/examples.tsv").lines().map(|line| {
        let cells: Vec<_> = line.split('\t').collect();
        let [name, document, chapter, action] = cells[..] else { panic!("not four cells: {line}") };
        let path = format!("{}/tests/data/examples/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let mut read: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
        for (field, said) in [("document", document), ("chapter", chapter), ("action", action)] {
            assert_eq!(read[field], said, "{name}");
        }
        Example { name, action, parameters: read["parameters"].take(), answer: read["answer"].take() }
    })
}

/// The places of all fields that examples show.
pub(crate) fn ways() -> BTreeSet<Place> {
    let mut places = BTreeSet::new();
    for example in all() {
        let mut ways = Vec::new();
        ways_of(&example.answer, "", &mut ways);
        places.extend(ways.into_iter().map(|way| (example.action.to_owned(), "answer", way)));
    }
    places
}

#[tokio::test]
async fn every_example_is_answered_as_documented() {
    let rules = Rules::read(include_str!("../data/example-deviations.tsv"));
    let mut wrong = Vec::new();
    for example in all() {
        let scene = scene::of(&example).await;
        let parameters = scene.named(rules.apply(example.name, example.parameters));
        let parameters: Vec<_> = parameters
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
            .collect();
        let answered = scene.world.call(example.action, &parameters).await;
        let mut comparison = Comparison {
            example: example.name,
            rules: &rules,
            is_known: &|_| false,
            is_part: false,
            wrong: &mut wrong,
        };
        comparison.compare(&mut Vec::new(), Some(&scene.named(example.answer)), Some(&answered));
    }
    wrong.extend(rules.not_met());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_action_has_an_example_and_every_file_is_one() {
    let actions: BTreeSet<_> = all().map(|example| example.action).collect();
    let declared = tencent_crs::operations().into_iter().map(|operation| operation.id);
    assert_eq!(declared.collect::<BTreeSet<_>>(), actions);
    let listed: BTreeSet<_> = all().map(|example| format!("{}.json", example.name)).collect();
    let directory = format!("{}/tests/data/examples", env!("CARGO_MANIFEST_DIR"));
    let files = std::fs::read_dir(directory).unwrap();
    let files: BTreeSet<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(files, listed);
}
