//! Whether records say what the tables of a document say, row by row: for tests. Every parameter and every field of an answer is
//! declared with its type, whether it is mandatory, and its limits; and nothing is declared that no table and no example has.
//!
//! Rows, and what is known to be otherwise, are lines of files whose first line names the columns. That answers are as their
//! records say is what [`crate::conform`] looks at.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::operation::Operation;
use crate::schema::{Field, Integer, Kind, Need, Text};

/// A row of a table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The id of the operation.
    pub operation: &'static str,
    /// `path`, `query`, `body`, `answer`, `error`, or `status` of an answer.
    pub part: &'static str,
    /// The way to it: names with dots between them, `[]` after that of a list, `*` for any name of an object with free names.
    pub field: &'static str,
    /// Its type: text, integer, number, boolean, list or object.
    pub kind: &'static str,
    /// `yes`, `no`, or nothing where the table does not say.
    pub mandatory: &'static str,
    /// `4..64 chars`, `1..7`, `one|other`, or nothing.
    pub limits: &'static str,
    /// The table.
    pub source: &'static str,
}

/// A field that is documented: operation, part and way.
pub type Place = (String, &'static str, String);

/// What is known to be otherwise: operation, part, field and in what, and the reason. A field that ends in `*` is all that begin
/// so.
pub struct Deviations {
    known: BTreeSet<[&'static str; 4]>,
    met: RefCell<BTreeSet<[&'static str; 4]>>,
}

impl Row {
    /// The rows of a file.
    ///
    /// # Panics
    /// Where a line lacks a cell.
    pub fn all(file: &'static str) -> impl Iterator<Item = Row> {
        file.lines().skip(1).map(|line| {
            let cells: Vec<_> = line.split('\t').collect();
            let [operation, part, field, kind, mandatory, limits, source] = cells[..] else {
                panic!("not seven cells: {line}")
            };
            Row { operation, part, field, kind, mandatory, limits, source }
        })
    }
}

impl Deviations {
    /// Those of a file.
    ///
    /// # Panics
    /// Where a line has another number of cells than five, or no reason.
    pub fn read(file: &'static str) -> Self {
        let lines = file.lines().skip(1).map(|line| {
            let cells: Vec<_> = line.split('\t').collect();
            let [operation, part, field, what, reason] = cells[..] else { panic!("not five cells: {line}") };
            assert!(!reason.is_empty(), "no reason: {line}");
            [operation, part, field, what]
        });
        Deviations { known: lines.collect(), met: RefCell::default() }
    }

    /// Whether it is known; then it has been met.
    pub fn has(&self, operation: &str, part: &str, field: &str, what: &str) -> bool {
        let is_meant = |line: &&[&'static str; 4]| {
            let all_below = line[2].strip_suffix('*');
            let field = all_below.map_or(line[2] == field, |before| field.starts_with(before));
            field && [line[0], line[1], line[3]] == [operation, part, what]
        };
        let line = self.known.iter().find(is_meant);
        line.is_some_and(|line| {
            self.met.borrow_mut().insert(*line);
            true
        })
    }

    /// The lines that nothing needed.
    pub fn not_met(&self) -> Vec<String> {
        let met = self.met.borrow();
        self.known.difference(&met).map(|line| format!("not needed: {line:?}")).collect()
    }
}

/// What records say otherwise than the rows, and what they declare that is in none of `shown` either. Lines of `deviations` that
/// nothing needs are among it.
///
/// # Panics
/// Where a row is of an operation that is not among these.
pub fn differences(
    rows: &[Row],
    operations: &[&'static Operation],
    shown: &BTreeSet<Place>,
    deviations: &Deviations,
) -> Vec<String> {
    let operations: BTreeMap<_, _> = operations.iter().map(|operation| (operation.id, *operation)).collect();
    let mut wrong = Vec::new();
    for row in rows {
        let operation =
            operations.get(row.operation).unwrap_or_else(|| panic!("no operation {}", row.operation));
        if row.part == "status" {
            if !operation.answers.iter().any(|answer| answer.status.to_string() == row.field) {
                wrong.push(format!("{}: {} does not answer {}", row.source, row.operation, row.field));
            }
            continue;
        }
        let mut note = |what: &str, fits: bool| {
            if !fits && !deviations.has(row.operation, row.part, row.field, what) {
                let Row { operation, part, field, kind, mandatory, limits, source } = row;
                let said = format!("{kind} {mandatory} {limits}");
                wrong.push(format!("{source}: {operation}\t{part}\t{field}\t{what}\t{said}"));
            }
        };
        let Some(kind) = find(fields(operation, row.part), row.field) else {
            note("missing", false);
            continue;
        };
        let (kind, need) = kind;
        note("kind", has_kind(row, kind));
        note("limits", has_limits(row.limits, kind));
        match row.mandatory {
            "yes" => note("mandatory", need == Need::Required),
            "no" => note("mandatory", need == Need::Optional),
            // What an answer has is there, whatever its value.
            _ => note("left out", need != Need::Optional),
        }
    }

    let known: BTreeSet<_> = rows.iter().map(|row| (row.operation, row.part, row.field.to_owned())).collect();
    let documented: BTreeSet<_> = rows.iter().map(|row| row.operation).collect();
    for id in documented {
        for part in ["path", "query", "body", "answer"] {
            let mut all = Vec::new();
            ways(fields(operations[id], part), "", &mut all);
            for way in all {
                let is_documented = known.contains(&(id, part, way.clone()))
                    || shown.contains(&(id.to_owned(), part, way.clone()))
                    || deviations.has(id, part, &way, "extra");
                if !is_documented {
                    wrong.push(format!("no document: {id}\t{part}\t{way}\textra\t"));
                }
            }
        }
    }
    wrong.extend(deviations.not_met());
    wrong
}

/// The fields of a part of an operation.
///
/// # Panics
/// Where there is no such part.
pub fn fields(operation: &Operation, part: &str) -> &'static [Field] {
    match part {
        "path" => operation.path,
        "query" => operation.query,
        "body" => operation.body.unwrap_or_default(),
        "answer" => operation.answers.iter().find_map(|answer| answer.body).unwrap_or_default(),
        "error" => operation.error_body,
        other => panic!("no part {other}"),
    }
}

/// Adds the ways to all of these fields.
pub fn ways(fields: &'static [Field], before: &str, all: &mut Vec<String>) {
    for field in fields {
        let way = format!("{before}{}", field.name);
        ways_below(&field.kind, &way, all);
        all.push(way);
    }
}

fn ways_below(kind: &'static Kind, way: &str, all: &mut Vec<String>) {
    match kind {
        Kind::Object(fields) => ways(fields, &format!("{way}."), all),
        Kind::List { of, .. } => ways_below(of, &format!("{way}[]"), all),
        // Free names alone are no fields.
        Kind::Map(of) if matches!(of, Kind::Object(_)) => ways_below(of, &format!("{way}.*"), all),
        _ => {}
    }
}

/// What is at the end of a way, and whether it may be left out.
fn find(fields: &'static [Field], way: &str) -> Option<(&'static Kind, Need)> {
    let (name, rest) = way.split_once('.').map_or((way, None), |(name, rest)| (name, Some(rest)));
    let field = fields.iter().find(|field| field.name == name.trim_end_matches("[]"))?;
    let Some(rest) = rest else { return Some((&field.kind, field.need)) };
    let mut kind = &field.kind;
    while let Kind::List { of, .. } = kind {
        kind = of;
    }
    match kind {
        Kind::Object(fields) => find(fields, rest),
        Kind::Map(of) => match (rest.strip_prefix('*')?, *of) {
            ("", of) => Some((of, Need::Required)),
            (rest, Kind::Object(fields)) => find(fields, rest.strip_prefix('.')?),
            _ => None,
        },
        _ => None,
    }
}

/// Whether a field has the type that a row says. What is sent may be taken in other forms, too.
fn has_kind(row: &Row, kind: &Kind) -> bool {
    let is_sent = row.part != "answer" && row.part != "error";
    match (row.kind, kind) {
        // A query has texts alone.
        ("list" | "boolean" | "object", Kind::Text(_) | Kind::Flag) if row.part == "query" => true,
        ("text", Kind::Text(_))
        | ("integer", Kind::Integer(_))
        | ("number", Kind::Number)
        | ("boolean", Kind::Boolean)
        | ("list", Kind::List { .. })
        | ("object", Kind::Object(_) | Kind::Map(_)) => true,
        ("text" | "boolean", Kind::Flag)
        | ("text", Kind::Integer(Integer { or_text: true, .. }))
        | ("integer", Kind::Number) => is_sent,
        _ => false,
    }
}

/// Whether a field has the limits that a row says.
fn has_limits(limits: &str, kind: &Kind) -> bool {
    let bound = |text: &str, otherwise: i64| text.parse().unwrap_or(otherwise);
    match (limits, kind) {
        ("", _) => true,
        (limits, Kind::Text(Text { min_chars, max_chars, one_of, .. })) => {
            let chars = limits.strip_suffix(" chars").and_then(|range| range.split_once(".."));
            match chars {
                Some((least, most)) => {
                    least.parse().unwrap_or(0) == *min_chars && most.parse() == Ok(*max_chars)
                }
                None => one_of.iter().copied().eq(limits.split('|')),
            }
        }
        (limits, Kind::Integer(Integer { min, max, .. })) => limits
            .split_once("..")
            .is_some_and(|(least, most)| bound(least, i64::MIN) == *min && bound(most, i64::MAX) == *max),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use crate::operation::{Answer, BASE, Source};
    use crate::route::{Method, Route};
    use crate::schema::{FIELD, TEXT};

    static BAD: ErrorCode = ErrorCode { status: 400, code: "X.400", message: "Bad.", former: None };

    static OPERATION: Operation = Operation {
        id: "Do",
        summary: "Does it.",
        route: Route::Path { method: Method::Post, template: "/do" },
        body: Some(&[
            Field {
                name: "name",
                kind: Kind::Text(Text { min_chars: 1, max_chars: 4, ..TEXT }),
                need: Need::Required,
                invalid: Some(&BAD),
                ..FIELD
            },
            Field {
                name: "days",
                kind: Kind::List {
                    of: &Kind::Object(&[Field { name: "day", invalid: Some(&BAD), ..FIELD }]),
                    min_items: 0,
                },
                invalid: Some(&BAD),
                ..FIELD
            },
        ]),
        answers: &[Answer {
            status: 200,
            about: "Done.",
            body: Some(&[Field {
                name: "types",
                kind: Kind::Map(&Kind::Object(&[Field { name: "least", need: Need::Required, ..FIELD }])),
                need: Need::Required,
                ..FIELD
            }]),
        }],
        source: Source { document: "Doing", section: "1" },
        ..BASE
    }
    .checked();

    const ROWS: &str = "operation\tpart\tfield\tkind\tmandatory\tlimits\tsource
Do\tstatus\t200\t\t\t\t1
Do\tbody\tname\ttext\tyes\t1..4 chars\t2
Do\tbody\tdays\tlist\tno\t\t2
Do\tbody\tdays[].day\ttext\tno\t\t3
Do\tanswer\ttypes\tobject\t\t\t4
Do\tanswer\ttypes.*.least\ttext\t\t\t4
";

    fn said(rows: &'static str, deviations: &'static str) -> Vec<String> {
        let rows: Vec<_> = Row::all(rows).collect();
        differences(&rows, &[&OPERATION], &BTreeSet::new(), &Deviations::read(deviations))
    }

    #[test]
    fn a_record_that_says_the_same_has_no_differences() {
        assert_eq!(said(ROWS, ""), [""; 0]);
    }

    #[test]
    fn what_is_otherwise_is_told_unless_it_is_known_and_needed() {
        const OTHER: &str = "operation\tpart\tfield\tkind\tmandatory\tlimits\tsource
Do\tstatus\t204\t\t\t\t1
Do\tbody\tname\tinteger\tno\t1..9 chars\t2
Do\tbody\tmore\ttext\tno\t\t2
Do\tbody\tdays\tlist\tno\t\t2
Do\tanswer\ttypes\tobject\t\t\t4
";
        let found = said(OTHER, "");
        for part in
            ["answer 204", "kind", "limits", "mandatory", "more\tmissing", "days[].day\textra", "least"]
        {
            assert!(found.iter().any(|line| line.contains(part)), "{part}: {found:?}");
        }
        let known = said(ROWS, "the columns\nDo\tbody\tname\tkind\ta reason");
        assert_eq!(known, ["not needed: [\"Do\", \"body\", \"name\", \"kind\"]"]);
    }
}
