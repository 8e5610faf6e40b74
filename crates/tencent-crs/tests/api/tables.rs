//! The tables of the document, row by row, against the records. `data/tables.tsv` has the rows, in the words of the document but
//! for misprints; `data/table-deviations.tsv` has what is otherwise here, and why. A line there that is not needed fails the
//! test as well.

use operation::Operation;
use operation::tables::{Deviations, Row, differences};

use crate::examples;

#[test]
fn records_say_what_the_tables_say() {
    let operations: Vec<&'static Operation> = tencent_crs::operations();
    let rows: Vec<_> = Row::all(include_str!("../data/tables.tsv")).collect();
    let deviations = Deviations::read(include_str!("../data/table-deviations.tsv"));
    let wrong = differences(&rows, &operations, &examples::ways(), &deviations);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
