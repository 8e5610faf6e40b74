//! The actions, in the order of the document.

mod products;
mod zones;

use std::collections::HashMap;
use std::sync::LazyLock;

use operation::Operation;

use crate::action::{Action, Handler};

/// All actions.
pub(crate) const TABLE: &[Action] = &[
    Action { operation: &zones::ZONES, handler: zones::zones },
    Action { operation: &products::PRODUCTS, handler: products::products },
];

/// Their records.
pub(crate) fn operations() -> Vec<&'static Operation> {
    TABLE.iter().map(|action| action.operation).collect()
}

/// What an action does.
pub(crate) fn handler(operation: &'static Operation) -> Handler {
    static HANDLERS: LazyLock<HashMap<&'static str, Handler>> =
        LazyLock::new(|| TABLE.iter().map(|action| (action.operation.id, action.handler)).collect());
    HANDLERS[operation.id]
}
