//! Tencent Cloud CRS (Cloud Redis Store): the actions of its API 2017, at `/v2/index.php`.
//!
//! Invariants:
//! - What the document says of an action stands in a record ([`operation::Operation`]); what is sold stands in a table
//!   (`catalogue`). Handlers only do what is left.
//! - An answer has the form of the document's example, down to which numbers are texts.
//! - Only errors of the document are answered, with HTTP 200.
//!
//! Deliberately not here: HTTP, what other clouds have in common with this one, and the basic network and virtual
//! private clouds, of which only the ids are kept.

mod account;
mod action;
mod actions;
mod authority;
mod catalogue;
mod code;
mod crs;
mod deal;
mod delivery;
mod field;
mod lease;
mod ledger;
mod parameters;
mod password;
mod signature;
mod steward;
mod time;

use std::sync::Arc;

use cloud::Cloud;
use cloud::identity::Directory;
use cloud::service::Service;
use operation::{ErrorCode, Operation};

/// What answers requests. The access keys of the account's users are their SecretId and SecretKey. The account has
/// `opening_cny` before anything is bought. Needs a runtime, in which instances end when their time is over.
pub fn service(cloud: &Arc<Cloud>, directory: Directory, opening_cny: u64) -> Arc<dyn Service> {
    let authority = authority::Authority::new(directory, cloud.clock().clone());
    Arc::new(crs::Crs::new(cloud.clone(), authority, opening_cny.saturating_mul(100)))
}

/// Whether an action can answer an error that it declares, unless the program is mistaken: whoever only reads is told of no
/// fault of the server.
pub fn can_answer(operation: &Operation, error: &ErrorCode) -> bool {
    operation.changes() || error.code != "Server error"
}

/// The actions of this service.
pub fn operations() -> Vec<&'static Operation> {
    actions::operations()
}
