//! Which outcomes of which operations no test has met: `tests/data/untested.tsv` lists them. An outcome is success, or an error
//! that the operation declares.

use std::collections::BTreeSet;
use std::path::Path;

use operation::{Operation, outcome};
use serde_json::Value;
use testkit::ratchet;

/// Success, as the list calls it.
const SUCCESS: &str = "success";

/// Writes down what an operation has answered, if somebody wants to know.
pub(crate) fn record(operation: &Operation, status: u16, body: &Value) {
    let code = body["error_code"].as_str().or(body["error"]["title"].as_str());
    let outcome = match code {
        Some(code) if status >= 400 => format!("{status} {code}"),
        _ if status < 400 => SUCCESS.to_owned(),
        _ => return,
    };
    ratchet::met(&format!("{}\t{outcome}", operation.id));
}

/// What an operation can answer, as far as a test can have it do so, each with the operation in a line.
pub(crate) fn outcomes(operation: &'static Operation) -> BTreeSet<String> {
    let errors =
        outcome::errors(operation).into_iter().filter(|error| huawei_dcs::can_answer(operation, error));
    let told = errors.map(|error| format!("{}\t{} {}", operation.id, error.status, error.code));
    told.chain(outcome::can_succeed(operation).then(|| format!("{}\t{SUCCESS}", operation.id))).collect()
}

#[test]
fn what_no_test_has_met_becomes_less() {
    let groups = huawei_dcs::operations();
    let all = groups.into_iter().flat_map(|(_, operations)| operations).flat_map(outcomes).collect();
    ratchet::check(&all, &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/untested.tsv"));
}
