//! Which outcomes of which actions no test has met: `tests/data/untested.tsv` lists them. An outcome is success, or an error that
//! the action declares, told by its common code, its own number and its name.

use std::collections::BTreeSet;
use std::path::Path;

use operation::{Operation, outcome};
use serde_json::Value;
use testkit::ratchet;

use crate::world;

/// Success, as the list calls it.
const SUCCESS: &str = "success";

/// Writes down what a request with these parameters has been answered, if somebody wants to know.
pub(crate) fn record(parameters: &str, body: &Value) {
    let action = parameters.split(['&', '?']).find_map(|pair| pair.strip_prefix("Action="));
    let operations = tencent_crs::operations();
    let operation = operations.iter().find(|operation| Some(operation.id) == action);
    let Some(operation) = operation else { return };
    let is_good = matches!(body["code"].to_string().as_str(), "0" | "\"0\"");
    let outcome = if is_good { SUCCESS.to_owned() } else { world::error(body) };
    ratchet::met(&format!("{}\t{outcome}", operation.id));
}

fn outcomes(operation: &'static Operation) -> impl Iterator<Item = String> {
    let errors = outcome::errors(operation).into_iter();
    let errors = errors.filter(|error| tencent_crs::can_answer(operation, error));
    let told = errors.map(|error| {
        let common = error.former.as_ref().map_or("", |former| former.code);
        format!("{common} {} {}", world::number(error.message), error.code)
    });
    told.chain(std::iter::once(SUCCESS.to_owned()))
}

#[test]
fn what_no_test_has_met_becomes_less() {
    let mut all = BTreeSet::new();
    for operation in tencent_crs::operations() {
        all.extend(outcomes(operation).map(|outcome| format!("{}\t{outcome}", operation.id)));
    }
    ratchet::check(&all, &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/untested.tsv"));
}
