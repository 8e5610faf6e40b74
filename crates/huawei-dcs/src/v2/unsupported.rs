//! What the clients of v2 can ask for that is not here: it is known, so that it is refused in the documented way, and
//! stands in the matrix of what is supported.
//!
//! Invariants: an instance that there is not is answered as such, by these as by all others; what refuses an operation is the
//! last error that it declares.

mod accounts;
mod keys;
mod migrations;
mod network;
mod reports;

use std::sync::LazyLock;

use cloud::Pending;
use operation::schema::{FIELD, Field, Need};
use operation::{Failure, Operation, Reply, Support};

use super::V2_PROJECT;
use crate::code;
use crate::dcs::Dcs;
use crate::endpoint::{Endpoint, Request};
use crate::field::{CALLER_ERRORS, INSTANCE_ID, PROJECT_ERRORS, PROJECT_ID};

/// The operations that are refused, by what they are about.
pub(crate) fn table() -> &'static [Endpoint<Dcs>] {
    static TABLE: LazyLock<Vec<Endpoint<Dcs>>> = LazyLock::new(|| {
        let operations = [
            accounts::OPERATIONS,
            keys::OPERATIONS,
            migrations::OPERATIONS,
            network::OPERATIONS,
            reports::OPERATIONS,
        ]
        .concat();
        operations.into_iter().map(|operation| Endpoint { operation, handler: refuse }).collect()
    });
    &TABLE
}

/// What the records have in common.
const REFUSED: Operation = Operation {
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, &[&code::NOT_SUPPORTED]],
    support: Support::Refused,
    ..V2_PROJECT
};

/// The same for operations on an instance.
const REFUSED_INSTANCE: Operation = Operation {
    path: &[PROJECT_ID, INSTANCE_ID],
    errors: &[CALLER_ERRORS, PROJECT_ERRORS, &[&code::UNKNOWN_INSTANCE, &code::NOT_SUPPORTED]],
    ..REFUSED
};

/// The id of something that there is none of, whatever it is.
const fn id(name: &'static str, about: &'static str) -> Field {
    Field { name, need: Need::Required, invalid: Some(&code::NOT_SUPPORTED), about, ..FIELD }
}

/// Refuses, by the last error that the operation declares.
fn refuse<'a>(dcs: &'a Dcs, request: Request<'a>) -> Pending<'a, Result<Reply, Failure>> {
    Box::pin(async move {
        let id = request.instance_id();
        if !id.is_empty() && dcs.cloud.instance(request.project_id(), id).is_none() {
            return Err((&code::UNKNOWN_INSTANCE).into());
        }
        let last = request.operation.errors.last().and_then(|group| group.last());
        Err((*last.unwrap_or(&&code::NOT_SUPPORTED)).into())
    })
}
