//! Which outcomes of which operations no test has met: `tests/data/untested.tsv` lists them, and may only become shorter.
//!
//! Nobody says what is tested: all tests of this program are run once more, and every answer that one of them gets is
//! written down with its operation ([`record`]). An outcome is success, or an error that the operation declares. With
//! `CARNELIAN_WRITE_DOCS=1` in the environment what is tested by now is taken out of the list; nothing puts anything in.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use operation::schema::{Field, Kind, Need};
use operation::{ErrorCode, Operation, Support};
use serde_json::Value;

/// The variable that names the file in which outcomes are written down.
const SEEN: &str = "CARNELIAN_OUTCOMES";

/// Success, as the list calls it.
const SUCCESS: &str = "success";

/// Writes down what an operation has answered, if somebody wants to know.
pub(crate) fn record(operation: &Operation, status: u16, body: &Value) {
    let Some(file) = std::env::var_os(SEEN) else { return };
    let code = body["error_code"].as_str().or(body["error"]["title"].as_str());
    let outcome = match code {
        Some(code) if status >= 400 => format!("{status} {code}"),
        _ if status < 400 => SUCCESS.to_owned(),
        _ => return,
    };
    let line = format!("{}\t{outcome}\n", operation.id);
    // One call writes a line whole, so those of other threads do not come between.
    let mut file = OpenOptions::new().append(true).create(true).open(file).unwrap();
    file.write_all(line.as_bytes()).unwrap();
}

/// What an operation can answer, as far as a test can have it do so.
fn outcomes(operation: &'static Operation) -> BTreeSet<String> {
    let asks = operation.permission.is_some();
    let mut errors: Vec<_> = operation.errors.iter().flat_map(|group| group.iter().copied()).collect();
    gather(operation.path, true, &mut errors);
    gather(operation.query, true, &mut errors);
    gather(operation.body.unwrap_or_default(), false, &mut errors);
    let errors = errors.into_iter().filter(|error| match error.code {
        // Nobody is refused where no permission is asked for, and readers are not where nothing changes.
        "DCS.2007" => asks,
        "DCS.3002" => asks && operation.changes(),
        // What only a mistake in the program answers.
        "DCS.5000" => false,
        _ => error.status != 500 || error.code.starts_with("DCS."),
    });
    let success = (operation.support != Support::Refused).then(|| SUCCESS.to_owned());
    errors.map(|error| format!("{} {}", error.status, error.code)).chain(success).collect()
}

/// Adds the errors of those fields that some value does not fit. In a path or a query every value is a text.
fn gather(fields: &'static [Field], is_text: bool, errors: &mut Vec<&'static ErrorCode>) {
    for field in fields {
        let takes_all = match field.kind {
            Kind::Text(text) => {
                text.pattern.is_none()
                    && text.one_of.is_empty()
                    && text.min_chars == 0
                    && text.max_chars == usize::MAX
            }
            Kind::Boolean | Kind::Flag => true,
            _ => false,
        };
        // Nobody leaves a part of a path out.
        let is_needed = field.need == Need::Required && !field.name.ends_with("_id");
        if !(is_text && takes_all && !is_needed) {
            errors.extend(field.invalid);
        }
        let mut inner = &field.kind;
        while let Kind::List { of, .. } | Kind::Map(of) = inner {
            inner = of;
        }
        if let Kind::Object(fields) = inner {
            gather(fields, false, errors);
        }
    }
}

#[test]
fn what_no_test_has_met_becomes_less() {
    if std::env::var_os(SEEN).is_some() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("seen");
    let run =
        Command::new(std::env::current_exe().unwrap()).args(["--skip", "ratchet"]).env(SEEN, &file).output();
    let run = run.unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stdout));
    let seen = std::fs::read_to_string(&file).unwrap();
    let seen: BTreeSet<&str> = seen.lines().collect();
    let groups = huawei_dcs::operations();
    let operations = groups.iter().flat_map(|(_, operations)| operations);
    let all = operations.flat_map(|operation| {
        outcomes(operation).into_iter().map(|outcome| format!("{}\t{outcome}", operation.id))
    });
    let untested: BTreeSet<String> = all.filter(|pair| !seen.contains(pair.as_str())).collect();

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/untested.tsv");
    let listed = std::fs::read_to_string(&path).unwrap();
    let listed: BTreeSet<String> = listed.lines().map(str::to_owned).collect();
    let grown: Vec<_> = untested.difference(&listed).collect();
    assert!(grown.is_empty(), "no test meets these: {grown:#?}");
    let tested: Vec<_> = listed.difference(&untested).collect();
    if !tested.is_empty() && std::env::var_os("CARNELIAN_WRITE_DOCS").is_some() {
        let left: String = untested.iter().map(|pair| format!("{pair}\n")).collect();
        std::fs::write(&path, left).unwrap();
        return;
    }
    assert!(
        tested.is_empty(),
        "these are tested by now; CARNELIAN_WRITE_DOCS=1 cargo test -p huawei-dcs ratchet takes them out: {tested:#?}"
    );
}
