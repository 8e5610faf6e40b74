//! DCS v2: its table of operations, and what their records share.

pub(crate) mod counts;
pub(crate) mod flavors;
pub(crate) mod quota;
pub(crate) mod region;
pub(crate) mod status;
pub(crate) mod swap;
pub(crate) mod unsupported;

use operation::schema::Field;
use operation::{Access, BASE, Operation, Source};

use crate::dcs::Dcs;
use crate::endpoint::Endpoint;
use crate::field::{CALLER_ERRORS, INSTANCE_ID, PROJECT_ERRORS, PROJECT_ID, text, text_or_null};
use crate::v1;

/// The operations, in the order of the reference.
pub(crate) static TABLE: &[Endpoint<Dcs>] = &[
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
