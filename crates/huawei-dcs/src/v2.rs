//! DCS v2: its table of operations, and what their records share.

pub(crate) mod counts;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod flavors;
pub(crate) mod list;
pub(crate) mod modify;
pub(crate) mod quota;
pub(crate) mod region;
pub(crate) mod resize;
pub(crate) mod show;
pub(crate) mod status;
pub(crate) mod swap;
pub(crate) mod tags;
pub(crate) mod tasks;
pub(crate) mod unsupported;

use operation::schema::Field;
use operation::{Access, BASE, Operation, Source};

use crate::dcs::Dcs;
use crate::endpoint::Endpoint;
use crate::field::{CALLER_ERRORS, INSTANCE_ID, PROJECT_ERRORS, PROJECT_ID, text, text_or_null};
use crate::v1;

/// The operations, in the order of the reference.
pub(crate) static TABLE: &[Endpoint<Dcs>] = &[
    Endpoint { operation: &create::CREATE, handler: create::create },
    Endpoint { operation: &delete::DELETE, handler: v1::delete::delete },
    Endpoint { operation: &delete::BATCH_DELETE, handler: v1::batch_delete::batch_delete },
    Endpoint { operation: &show::SHOW, handler: show::show },
    Endpoint { operation: &list::LIST, handler: list::list },
    Endpoint { operation: &modify::MODIFY, handler: modify::modify },
    Endpoint { operation: &resize::RESIZE, handler: resize::resize },
    Endpoint { operation: &tasks::LIST, handler: v1::tasks::list },
    Endpoint { operation: &tasks::DELETE, handler: tasks::delete },
    Endpoint { operation: &tags::LIST_ALL, handler: v1::tags::list_all },
    Endpoint { operation: &tags::CHANGE, handler: tags::change },
    Endpoint { operation: &tags::LIST_ONE, handler: v1::tags::list_one },
    Endpoint { operation: &status::CHANGE_STATUS, handler: v1::status::change_status },
    Endpoint { operation: &status::STATISTIC, handler: v1::statistics::statistic },
    Endpoint { operation: &counts::COUNT_BY_STATUS, handler: counts::count_by_status },
    Endpoint { operation: &swap::SWAP, handler: swap::swap },
    Endpoint { operation: &flavors::FLAVORS, handler: flavors::flavors },
    Endpoint { operation: &quota::QUOTA, handler: quota::quota },
    Endpoint { operation: &region::WINDOWS, handler: v1::maintenance::windows },
    Endpoint { operation: &region::ZONES, handler: region::zones },
];

/// What the records have in common; each names its section.
pub(crate) const V2_PROJECT: Operation = Operation {
    access: Access::Project,
    path: &[PROJECT_ID],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS],
    error_body: ERROR_BODY,
    source: reference(""),
    ..BASE
};

/// The same for operations on an instance.
pub(crate) const V2_INSTANCE: Operation = Operation { path: &[PROJECT_ID, INSTANCE_ID], ..V2_PROJECT };

/// A section of the reference of the present version.
pub(crate) const fn reference(section: &'static str) -> Source {
    Source { document: "DCS API Reference (V2)", section }
}

const ERROR_BODY: &[Field] = &[
    text("error_code", "The code."),
    text("error_msg", "Its message."),
    text_or_null("error_ext_msg", "Not used."),
];
