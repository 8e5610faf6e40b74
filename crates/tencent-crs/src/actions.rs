//! The actions, in the order of the document.

mod backups;
mod clear;
mod create;
mod deals;
mod list;
mod owner;
mod password;
mod price;
mod products;
mod purchase;
mod renew;
mod tasks;
mod upgrade;
mod zones;

use std::collections::HashMap;
use std::sync::LazyLock;

use operation::Operation;

use crate::action::{Action, Handler};

/// All actions.
pub(crate) const TABLE: &[Action] = &[
    Action { operation: &zones::ZONES, handler: zones::zones },
    Action { operation: &products::PRODUCTS, handler: products::products },
    Action { operation: &price::PRICE, handler: price::price },
    Action { operation: &create::CREATE, handler: create::create },
    Action { operation: &renew::RENEW, handler: renew::renew },
    Action { operation: &upgrade::UPGRADE_PRICE, handler: upgrade::upgrade_price },
    Action { operation: &upgrade::UPGRADE, handler: upgrade::upgrade },
    Action { operation: &deals::DEALS, handler: deals::deals },
    Action { operation: &list::LIST, handler: list::list_instances },
    Action { operation: &renew::AUTO_RENEW, handler: renew::auto_renew },
    Action { operation: &owner::RENAME, handler: owner::rename },
    Action { operation: &password::CHANGE, handler: password::change },
    Action { operation: &password::RESET, handler: password::reset },
    Action { operation: &clear::CLEAR, handler: clear::clear },
    Action { operation: &owner::MOVE, handler: owner::move_to },
    Action { operation: &backups::BACK_UP, handler: backups::back_up },
    Action { operation: &backups::DOWNLOAD, handler: backups::download },
    Action { operation: &backups::BACKUPS, handler: backups::backups },
    Action { operation: &backups::RESTORE, handler: backups::restore },
    Action { operation: &tasks::TASKS, handler: tasks::tasks },
    Action { operation: &backups::EXPORT, handler: backups::export },
    Action { operation: &tasks::TASK_INFO, handler: tasks::task_info },
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
