//! The tables of the documents, row by row, against the records. `data/tables.tsv` has the rows; `data/table-deviations.tsv` has
//! what is otherwise here, and why. A line there that is not needed fails the test as well.

use operation::Operation;
use operation::tables::{Deviations, Row, differences};

use crate::examples;

/// All rows.
pub(crate) fn rows() -> impl Iterator<Item = Row> {
    Row::all(include_str!("../data/tables.tsv"))
}

fn operations() -> Vec<&'static Operation> {
    huawei_dcs::operations().into_iter().flat_map(|(_, operations)| operations).collect()
}

/// The operation of this id.
pub(crate) fn operation(id: &str) -> &'static Operation {
    let found = operations().into_iter().find(|operation| operation.id == id);
    found.unwrap_or_else(|| panic!("no operation {id}"))
}

#[test]
fn records_say_what_the_tables_say() {
    let deviations = Deviations::read(include_str!("../data/table-deviations.tsv"));
    let wrong = differences(&rows().collect::<Vec<_>>(), &operations(), &examples::ways(), &deviations);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
