//! Table 12-2, code by code: what answers it and by which cause, or why nothing ever does.
//!
//! `data/error-codes.tsv` is the table; `data/error-causes.tsv` has for each of its codes in the present form the operation
//! with which a test meets it, and the cause, or no operation (`-`) and the reason. That each declared error is met is seen to
//! by [`crate::ratchet`].

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use operation::{ErrorCode, Operation};
use serde_json::Value;

use crate::ratchet;
use crate::world::World;

/// What stands for an operation where nothing answers a code.
const NOTHING: &str = "-";
/// What stands for an operation where a request reaches none.
const NO_OPERATION: &str = "no operation";

/// The rows of the table: status, code, text.
fn table() -> impl Iterator<Item = (u16, &'static str, &'static str)> {
    include_str!("../data/error-codes.tsv").lines().map(|row| {
        let mut cells = row.split('\t');
        let mut cell = || cells.next().unwrap();
        (cell().parse().unwrap(), cell(), cell())
    })
}

/// What answers each code, and why, by status and code.
fn causes() -> BTreeMap<(u16, &'static str), (&'static str, &'static str)> {
    let rows = include_str!("../data/error-causes.tsv").lines().map(|row| {
        let cells: Vec<_> = row.split('\t').collect();
        let [status, code, operation, cause] = cells[..] else { panic!("{row}") };
        ((status.parse().unwrap(), code), (operation, cause))
    });
    rows.collect()
}

fn operations() -> Vec<&'static Operation> {
    let groups = huawei_dcs::operations().into_iter().filter(|(name, _)| name.starts_with("DCS"));
    groups.flat_map(|(_, operations)| operations).collect()
}

fn is_present(code: &str) -> bool {
    code.starts_with("DCS.")
}

/// The former code of a present one that is not declared, by the rule that the table keeps.
fn former(status: u16, code: &str) -> String {
    format!("111{status}{}", &code[code.len() - 3..])
}

#[test]
fn every_code_of_the_table_has_a_cause_or_a_reason() {
    let causes = causes();
    let in_table: BTreeSet<_> =
        table().filter(|(_, code, _)| is_present(code)).map(|(status, code, _)| (status, code)).collect();
    assert_eq!(causes.keys().copied().collect::<BTreeSet<_>>(), in_table);
    assert!(causes.values().all(|(_, cause)| !cause.is_empty()));
}

#[test]
fn what_is_said_to_answer_a_code_declares_it_and_a_test_meets_it() {
    let operations = operations();
    for ((status, code), (id, _)) in causes() {
        if matches!(id, NOTHING | NO_OPERATION) {
            continue;
        }
        let operation = operations.iter().find(|operation| operation.id == id);
        let operation = operation.unwrap_or_else(|| panic!("{code}: {id} is no operation"));
        let outcome = format!("{id}\t{status} {code}");
        assert!(
            ratchet::outcomes(operation).contains(&outcome),
            "{id} is not held to answer {status} {code}"
        );
        assert!(!include_str!("../data/untested.tsv").contains(&outcome), "no test meets {outcome}");
    }
}

#[test]
fn what_is_declared_is_said_to_be_answered() {
    let causes = causes();
    for error in operations().into_iter().flat_map(|operation| operation.declared_errors()) {
        let (answers, _) = causes[&(error.status, error.code)];
        // A mistake in the program may be anywhere.
        assert_eq!(answers == NOTHING, error.code == "DCS.5000", "{error:?}");
    }
}

#[test]
fn every_former_code_goes_with_a_present_one() {
    let declared: Vec<&ErrorCode> =
        operations().into_iter().flat_map(|operation| operation.declared_errors()).collect();
    let causes = causes();
    for (status, code, _) in table().filter(|(_, code, _)| !is_present(code)) {
        let is_answered =
            declared.iter().any(|error| error.former.as_ref().is_some_and(|former| former.code == code));
        let sibling = causes
            .iter()
            .find(|((own, present), _)| *own == status && former(*own, present) == code)
            .map(|(_, (answers, _))| *answers);
        assert!(
            is_answered || matches!(sibling, Some(NOTHING | NO_OPERATION)),
            "{status} {code}: {sibling:?}"
        );
    }
}

#[test]
fn what_is_never_answered_stands_among_the_differences() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/differences.md");
    let page = std::fs::read_to_string(path).unwrap();
    for ((_, code), (answers, reason)) in causes() {
        let own = format!("`{code}`");
        let said = page
            .lines()
            .any(|line| line.starts_with("| `DCS.") && line.contains(&own) && line.contains(reason));
        assert!(answers != NOTHING || said, "docs/differences.md does not say why {code} is never answered");
    }
}

#[tokio::test]
async fn where_there_is_no_operation_there_are_codes_in_the_form_of_the_version() {
    let world = World::new().await;
    for (line, expected, former) in [
        ("GET /v1.0/{p}/nothing", (404, "DCS.4001"), "111404001"),
        ("PATCH /v1.0/{p}/instances", (405, "DCS.5001"), "111405001"),
    ] {
        let answered = world.call(line, &Value::Null).await;
        assert_eq!(answered.error(), (expected.0, expected.1.to_owned()));
        assert_eq!(answered.body["error"]["code"], former);
        let of_v2 = world.call(&line.replace("v1.0", "v2"), &Value::Null).await;
        assert_eq!(of_v2.error_of_v2(), (expected.0, expected.1.to_owned()));
    }
}
