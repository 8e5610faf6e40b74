//! The tables of the documents, row by row, against the records: every parameter and every field of an answer is declared
//! with its type, whether it is mandatory, and its limits; and nothing is declared that no table and no example has.
//!
//! `data/tables.tsv` has the rows; `data/table-deviations.tsv` has what is otherwise here, and why. A line there that is not
//! needed fails the test as well. That answers are as their records say is seen to by [`crate::world`], whatever a test
//! is about.

use std::cell::RefCell;
use std::collections::BTreeSet;

use operation::Operation;
use operation::schema::{Field, Integer, Kind, Need, Text};

use crate::examples;

/// A row of a table.
pub(crate) struct Row {
    pub(crate) operation: &'static str,
    /// `path`, `query`, `body`, `answer`, `error` or `status`.
    pub(crate) part: &'static str,
    /// The way to it: names with dots between them, and `[]` after that of a list.
    pub(crate) field: &'static str,
    kind: &'static str,
    /// `yes`, `no`, or nothing where the table does not say.
    mandatory: &'static str,
    limits: &'static str,
    source: &'static str,
}

/// All rows.
pub(crate) fn rows() -> impl Iterator<Item = Row> {
    include_str!("../data/tables.tsv").lines().skip(1).map(|line| {
        let mut cells = line.split('\t');
        let mut next = || cells.next().unwrap_or_else(|| panic!("a row lacks a cell: {line}"));
        Row {
            operation: next(),
            part: next(),
            field: next(),
            kind: next(),
            mandatory: next(),
            limits: next(),
            source: next(),
        }
    })
}

/// What is known to be otherwise: operation, part, field and in what. A field that ends in `*` is all that begin so.
pub(crate) struct Deviations {
    known: BTreeSet<[&'static str; 4]>,
    met: RefCell<BTreeSet<[&'static str; 4]>>,
}

impl Deviations {
    pub(crate) fn read(file: &'static str) -> Self {
        let lines = file.lines().skip(1).map(|line| {
            let cells: Vec<_> = line.split('\t').collect();
            let [operation, part, field, what, reason] = cells[..] else { panic!("not five cells: {line}") };
            assert!(!reason.is_empty(), "no reason: {line}");
            [operation, part, field, what]
        });
        Deviations { known: lines.collect(), met: RefCell::default() }
    }

    /// Whether it is known; then it has been met.
    pub(crate) fn has(&self, operation: &str, part: &str, field: &str, what: &str) -> bool {
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
    pub(crate) fn not_met(&self) -> Vec<String> {
        let met = self.met.borrow();
        self.known.difference(&met).map(|line| format!("not needed: {line:?}")).collect()
    }
}

/// The operation of this id.
pub(crate) fn operation(id: &str) -> &'static Operation {
    let all = huawei_dcs::operations().into_iter().flat_map(|(_, operations)| operations);
    all.into_iter().find(|operation| operation.id == id).unwrap_or_else(|| panic!("no operation {id}"))
}

/// The fields of a part of an operation.
pub(crate) fn fields(operation: &Operation, part: &str) -> &'static [Field] {
    match part {
        "path" => operation.path,
        "query" => operation.query,
        "body" => operation.body.unwrap_or_default(),
        "answer" => operation.answers.iter().find_map(|answer| answer.body).unwrap_or_default(),
        "error" => operation.error_body,
        other => panic!("no part {other}"),
    }
}

/// The field at the end of a way.
pub(crate) fn find(fields: &'static [Field], way: &str) -> Option<&'static Field> {
    let (name, rest) = way.split_once('.').map_or((way, None), |(name, rest)| (name, Some(rest)));
    let field = fields.iter().find(|field| field.name == name.trim_end_matches("[]"))?;
    match rest {
        Some(rest) => find(inner(&field.kind)?, rest),
        None => Some(field),
    }
}

/// The fields of the objects that a kind holds.
fn inner(kind: &'static Kind) -> Option<&'static [Field]> {
    match kind {
        Kind::Object(fields) => Some(fields),
        Kind::List { of, .. } => inner(of),
        _ => None,
    }
}

/// The ways to all fields.
pub(crate) fn ways(fields: &'static [Field], before: &str, all: &mut Vec<String>) {
    for field in fields {
        let way = format!("{before}{}", field.name);
        let list = if matches!(field.kind, Kind::List { .. }) { "[]" } else { "" };
        ways(inner(&field.kind).unwrap_or_default(), &format!("{way}{list}."), all);
        all.push(way);
    }
}

/// Whether a field has the type that a table says. What is sent may be taken in other forms, too.
fn has_kind(row: &Row, field: &Field) -> bool {
    let is_sent = row.part != "answer" && row.part != "error";
    match (row.kind, field.kind) {
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

/// Whether a field has the limits that a table says: `4..64 chars`, `1..7`, or `one|other`.
fn has_limits(limits: &str, field: &Field) -> bool {
    let bound = |text: &str, otherwise: i64| text.parse().unwrap_or(otherwise);
    match (limits, field.kind) {
        ("", _) => true,
        (limits, Kind::Text(Text { min_chars, max_chars, one_of, .. })) => {
            match limits.strip_suffix(" chars").and_then(|range| range.split_once("..")) {
                Some((least, most)) => {
                    bound(least, 0) as usize == min_chars && bound(most, 0) as usize == max_chars
                }
                None => one_of.iter().copied().eq(limits.split('|')),
            }
        }
        (limits, Kind::Integer(Integer { min, max, .. })) => {
            let (least, most) = limits.split_once("..").unwrap_or_else(|| panic!("no range: {limits}"));
            bound(least, i64::MIN) == min && bound(most, i64::MAX) == max
        }
        _ => false,
    }
}

#[test]
fn records_say_what_the_tables_say() {
    let deviations = Deviations::read(include_str!("../data/table-deviations.tsv"));
    let mut wrong = Vec::new();
    for row in rows() {
        let operation = operation(row.operation);
        if row.part == "status" {
            if !operation.answers.iter().any(|answer| answer.status.to_string() == row.field) {
                wrong.push(format!("{}: {} does not answer {}", row.source, row.operation, row.field));
            }
            continue;
        }
        let mut note = |what: &str, fits: bool| {
            if !fits && !deviations.has(row.operation, row.part, row.field, what) {
                let Row { operation, part, field, kind, mandatory, limits, source } = &row;
                let said = format!("{kind} {mandatory} {limits}");
                wrong.push(format!("{source}: {operation}\t{part}\t{field}\t{what}\t{said}"));
            }
        };
        let Some(field) = find(fields(operation, row.part), row.field) else {
            note("missing", false);
            continue;
        };
        note("kind", has_kind(&row, field));
        note("limits", has_limits(row.limits, field));
        match row.mandatory {
            "yes" => note("mandatory", field.need == Need::Required),
            "no" => note("mandatory", field.need == Need::Optional),
            // What an answer has is there, whatever its value.
            _ => note("left out", field.need != Need::Optional),
        }
    }

    let known: BTreeSet<_> = rows().map(|row| (row.operation, row.part, row.field.to_owned())).collect();
    let shown = examples::ways();
    let operations: BTreeSet<_> = rows().map(|row| row.operation).collect();
    for id in operations {
        for part in ["path", "query", "body", "answer"] {
            let mut all = Vec::new();
            ways(fields(operation(id), part), "", &mut all);
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
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
