//! Huawei Cloud DCS v1.0 and v2, and the calls of the identity service (IAM) that its clients make first.
//!
//! Invariants:
//! - What a document says stands in a record ([`operation::Operation`]), a table (`catalogue`) or a list of codes
//!   (`code`); handlers only do what is left.
//! - Only errors of the documents are answered, in the form that the clients of that version parse.
//!
//! Deliberately not here: HTTP, and what other clouds have in common with this one.

mod authority;
mod backup_form;
mod catalogue;
mod code;
mod dcs;
mod endpoint;
mod field;
mod iam;
mod parameters;
mod password;
mod refusal;
mod signature;
mod subject;
mod time;
mod token;
mod v1;
mod v2;

use std::sync::Arc;

use cloud::Cloud;
use cloud::identity::Directory;
use cloud::service::Service;
use operation::openapi::SecurityScheme;
use operation::{ErrorCode, Operation};

/// What answers requests: DCS, then IAM. DCS also answers for paths that are nobody's.
pub fn services(cloud: &Arc<Cloud>, directory: Directory) -> Vec<Arc<dyn Service>> {
    let authority = Arc::new(authority::Authority::new(directory, cloud.clock().clone()));
    vec![Arc::new(dcs::Dcs::new(cloud.clone(), authority.clone())), Arc::new(iam::Iam::new(authority))]
}

/// The operations of these services, by the interface that they belong to.
pub fn operations() -> Vec<(&'static str, Vec<&'static Operation>)> {
    vec![
        ("DCS v1.0", endpoint::operations(v1::TABLE)),
        (
            "DCS v2",
            [v2::TABLE, v2::unsupported::table()].into_iter().flat_map(endpoint::operations).collect(),
        ),
        ("IAM", endpoint::operations(iam::TABLE)),
    ]
}

/// Whether an operation can answer an error that it declares, unless the program is mistaken.
pub fn can_answer(operation: &Operation, error: &ErrorCode) -> bool {
    let asks = operation.permission.is_some();
    match error.code {
        // Nobody is refused where no permission is asked for, and readers are not where nothing changes.
        "DCS.2007" => asks,
        "DCS.3002" => asks && operation.changes(),
        // What only a mistake in the program answers.
        "DCS.5000" => false,
        _ => error.status != 500 || error.code.starts_with("DCS."),
    }
}

/// How callers of these services prove who they are.
pub const SECURITY_SCHEMES: [SecurityScheme; 2] = [
    SecurityScheme {
        name: "token",
        about: "A token from POST /v3/auth/tokens; valid for 24 hours.",
        header: "X-Auth-Token",
    },
    SecurityScheme {
        name: "signature",
        about: "A signature made with an access key: SDK-HMAC-SHA256.",
        header: "Authorization",
    },
];
