//! The support matrix: which operations work, as a page of Markdown.
//!
//! Invariant: the page follows from the tables alone, so a test can compare it with the one in `docs/`.

use std::fmt::Write;

use crate::operation::{Operation, Support};

/// The page, with one table for each of `groups`, in their order: a title and its operations.
pub fn page(groups: &[(&str, Vec<&'static Operation>)]) -> String {
    let mut page = String::from(
        "# Supported operations\n\n\
         Generated from the operation tables; a test keeps it current. What works differently from the documents \
         is in [differences.md](differences.md).\n",
    );
    for (title, operations) in groups {
        let _ = write!(page, "\n## {title}\n\n| operation | route | permission | source | status |\n");
        page.push_str("|---|---|---|---|---|\n");
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
                "| {} | `{}` | {permission} | {source} | {status} |",
                operation.id, operation.route
            );
        }
    }
    page
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

    #[test]
    fn what_is_refused_is_told() {
        let row = "| Paint | `PUT /v1/thing` | - | Things, 2 | not supported |\n";
        assert!(page(&[("Things", vec![&PAINT])]).ends_with(row));
    }

    #[test]
    fn every_operation_has_a_row() {
        let page = page(&[("Things", vec![&SHOW])]);
        assert!(page.contains("\n## Things\n"), "{page}");
        let row = "| Show | `GET /v1/thing` | - | Things, 1 | works, but for its colour |\n";
        assert!(page.ends_with(row), "{page}");
    }
}
