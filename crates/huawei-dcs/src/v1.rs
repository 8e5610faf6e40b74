//! DCS v1.0: its table of operations, and what their records share.

pub(crate) mod backups;
pub(crate) mod batch_delete;
pub(crate) mod configs;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod extend;
pub(crate) mod list;
pub(crate) mod maintenance;
pub(crate) mod modify;
pub(crate) mod password;
pub(crate) mod products;
pub(crate) mod quota;
pub(crate) mod show;
pub(crate) mod statistics;
pub(crate) mod status;
pub(crate) mod tags;
pub(crate) mod tasks;
pub(crate) mod zones;

use operation::schema::Field;
use operation::{Access, BASE, Operation};

use crate::dcs::Dcs;
use crate::endpoint::Endpoint;
use crate::field::{CALLER_ERRORS, PROJECT_ERRORS, PROJECT_ID, object, reference, text, text_or_null};

/// The operations, in the order of the reference.
pub(crate) static TABLE: &[Endpoint<Dcs>] = &[
    Endpoint { operation: &create::CREATE, handler: create::create },
    Endpoint { operation: &delete::DELETE, handler: delete::delete },
    Endpoint { operation: &batch_delete::BATCH_DELETE, handler: batch_delete::batch_delete },
    Endpoint { operation: &show::SHOW, handler: show::show },
    Endpoint { operation: &list::LIST, handler: list::list },
    Endpoint { operation: &modify::MODIFY, handler: modify::modify },
    Endpoint { operation: &extend::EXTEND, handler: extend::extend },
    Endpoint { operation: &status::CHANGE_STATUS, handler: status::change_status },
    Endpoint { operation: &statistics::STATISTIC, handler: statistics::statistic },
    Endpoint { operation: &status::COUNT_BY_STATUS, handler: status::count_by_status },
    Endpoint { operation: &password::CHANGE_PASSWORD, handler: password::change_password },
    Endpoint { operation: &configs::CONFIGURE, handler: configs::configure },
    Endpoint { operation: &configs::CONFIGURATION, handler: configs::configuration },
    Endpoint { operation: &tasks::LIST, handler: tasks::list },
    Endpoint { operation: &tasks::DELETE, handler: tasks::delete },
    Endpoint { operation: &tags::LIST_ALL, handler: tags::list_all },
    Endpoint { operation: &tags::CHANGE, handler: tags::change_v1 },
    Endpoint { operation: &tags::LIST_ONE, handler: tags::list_one },
    Endpoint { operation: &backups::BACK_UP, handler: backups::back_up },
    Endpoint { operation: &backups::RESTORE_ONE, handler: backups::restore },
    Endpoint { operation: &backups::LIST, handler: backups::list },
    Endpoint { operation: &backups::LIST_RESTORES, handler: backups::list_restores },
    Endpoint { operation: &backups::DELETE, handler: backups::delete },
    Endpoint { operation: &products::PRODUCTS, handler: products::products },
    Endpoint { operation: &quota::QUOTA, handler: quota::quota },
    Endpoint { operation: &maintenance::WINDOWS, handler: maintenance::windows },
    Endpoint { operation: &zones::ZONES, handler: zones::zones },
];

/// What the records of v1.0 have in common; each names its section.
pub(crate) const V1: Operation = Operation {
    access: Access::Caller,
    errors: &[CALLER_ERRORS],
    error_body: ERROR_BODY,
    source: reference(""),
    ..BASE
};

/// The same for operations on a project.
pub(crate) const V1_PROJECT: Operation = Operation {
    access: Access::Project,
    path: &[PROJECT_ID],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS],
    ..V1
};

const ERROR_BODY: &[Field] = &[
    object(
        "error",
        &[text("code", "The former code."), text("message", "Its message.")],
        "The form of v1.0.",
    ),
    text("error_code", "The code."),
    text("error_msg", "Its message."),
    text_or_null("error_ext_msg", "Not used."),
];

#[cfg(test)]
mod tests {
    #[test]
    fn every_operation_has_a_section_and_an_id_of_its_own() {
        let mut ids = std::collections::HashSet::new();
        for operation in crate::operations().into_iter().flat_map(|(_, operations)| operations) {
            assert!(!operation.source.section.is_empty(), "{} has no section", operation.id);
            assert!(ids.insert(operation.id), "{} is there twice", operation.id);
            // A record that left out its own check would be found here.
            assert_eq!(operation.checked().id, operation.id);
        }
    }
}
