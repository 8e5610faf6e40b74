//! The support matrix: which operations work, as a page of Markdown.
//!
//! Invariant: the page follows from the tables alone, so a test can compare it with the one in `docs/`.

use std::collections::HashSet;
use std::fmt::Write;

use crate::error::ErrorCode;
use crate::operation::{Operation, Support};
use crate::outcome;

/// The operations of an interface.
pub struct Group {
    /// What it is called.
    pub title: &'static str,
    /// Its operations, in the order of its documents.
    pub operations: Vec<&'static Operation>,
    /// Whether an operation can answer an error that it declares.
    pub can_answer: fn(&Operation, &ErrorCode) -> bool,
}

/// The page, with one table for each of `groups`, in their order.
pub fn page(groups: &[Group]) -> String {
    let mut page = String::from(
        "# Supported operations\n\n\
         Generated from the operation tables; a test keeps it current. What works differently from the documents \
         is in [differences.md](differences.md). The last column says what tests meet of each operation by its cause: \
         success, and the errors that it can answer; a test sees to it that it is all of them.\n",
    );
    for Group { title, operations, can_answer } in groups {
        let _ =
            write!(page, "\n## {title}\n\n| operation | route | permission | source | status | tests |\n");
        page.push_str("|---|---|---|---|---|---|\n");
        for operation in operations {
            let permission = operation.permission.map_or("-".to_owned(), |name| format!("`{name}`"));
            let status = match operation.support {
                Support::Full => "works".to_owned(),
                Support::Partial(missing) => format!("works, but for {missing}"),
                Support::Refused => "not supported".to_owned(),
            };
            let source = format!("{}, {}", operation.source.document, operation.source.section);
            let _ = writeln!(
                page,
                "| {} | `{}` | {permission} | {source} | {status} | {} |",
                operation.id,
                operation.route,
                tested(operation, *can_answer)
            );
        }
    }
    page
}

/// What tests meet of an operation.
fn tested(operation: &'static Operation, can_answer: fn(&Operation, &ErrorCode) -> bool) -> String {
    let errors = outcome::errors(operation).into_iter().filter(|error| can_answer(operation, error));
    let errors: HashSet<_> = errors.map(|error| (error.status, error.code, error.message)).collect();
    let errors = match errors.len() {
        1 => "1 error".to_owned(),
        count => format!("{count} errors"),
    };
    if outcome::can_succeed(operation) { format!("success, {errors}") } else { errors }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::{Answer, BASE, Source};
    use crate::route::{Method, Route};

    static SHOW: Operation = Operation {
        id: "Show",
        summary: "Shows a thing.",
        route: Route::Path { method: Method::Get, template: "/v1/thing" },
        answers: &[Answer { status: 200, about: "It.", body: None }],
        source: Source { document: "Things", section: "1" },
        support: Support::Partial("its colour"),
        ..BASE
    }
    .checked();

    static PAINT: Operation = Operation {
        id: "Paint",
        summary: "Paints a thing.",
        route: Route::Path { method: Method::Put, template: "/v1/thing" },
        source: Source { document: "Things", section: "2" },
        support: Support::Refused,
        ..BASE
    }
    .checked();

    fn group(operation: &'static Operation) -> Group {
        Group { title: "Things", operations: vec![operation], can_answer: |_, _| true }
    }

    #[test]
    fn what_is_refused_is_told() {
        let row = "| Paint | `PUT /v1/thing` | - | Things, 2 | not supported | 0 errors |\n";
        assert!(page(&[group(&PAINT)]).ends_with(row));
    }

    #[test]
    fn every_operation_has_a_row() {
        let page = page(&[group(&SHOW)]);
        assert!(page.contains("\n## Things\n"), "{page}");
        let row =
            "| Show | `GET /v1/thing` | - | Things, 1 | works, but for its colour | success, 0 errors |\n";
        assert!(page.ends_with(row), "{page}");
    }
}
