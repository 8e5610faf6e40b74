//! The identity service, as far as the clients of DCS call it: finding it, getting a token, finding a project.
//!
//! Deliberately not here: managing users, groups and policies. They come from the configuration.

mod catalog;
mod code;
mod discovery;
mod projects;
mod tokens;

use std::sync::Arc;

use cloud::Pending;
use cloud::identity::Caller;
use cloud::service::{Refusal, Service};
use operation::schema::{FIELD, Field, INTEGER, Kind, Need};
use operation::{BASE, Call, ErrorCode, Failure, Operation, Reply, Source};
use serde_json::json;

use crate::authority::{Authority, Unproven};
use crate::endpoint::{Endpoint, Endpoints};

/// The service.
pub(crate) struct Iam {
    authority: Arc<Authority>,
    endpoints: Endpoints<Iam>,
}

/// The operations, in the order in which a client calls them.
pub(crate) static TABLE: &[Endpoint<Iam>] = &[
    Endpoint { operation: &discovery::VERSIONS, handler: discovery::versions },
    Endpoint { operation: &discovery::VERSION, handler: discovery::version },
    Endpoint { operation: &tokens::CREATE_TOKEN, handler: tokens::create_token },
    Endpoint { operation: &projects::PROJECTS, handler: projects::projects },
    Endpoint { operation: &projects::OWN_PROJECTS, handler: projects::projects },
    Endpoint { operation: &catalog::CATALOG, handler: catalog::catalog },
];

/// What the records have in common.
const IAM: Operation = Operation { errors: &[ERRORS], error_body: ERROR_BODY, ..BASE };

/// What every operation may answer.
const ERRORS: &[&ErrorCode] = &[&code::NOT_JSON, &code::BROKEN];

/// What every operation with a known caller may answer besides.
const CALLER_ERRORS: &[&ErrorCode] = &[&code::UNPROVEN];

/// A chapter of the OpenStack Identity API, which clients of DCS v1.0 speak.
const fn identity_api(section: &'static str) -> Source {
    Source { document: "OpenStack Identity API v3", section }
}

const ERROR_BODY: &[Field] = &[Field {
    name: "error",
    kind: Kind::Object(&[
        Field { name: "code", kind: Kind::Integer(INTEGER), need: Need::Required, ..FIELD },
        Field { name: "title", need: Need::Required, ..FIELD },
        Field { name: "message", need: Need::Required, ..FIELD },
    ]),
    need: Need::Required,
    ..FIELD
}];

impl Iam {
    pub(crate) fn new(authority: Arc<Authority>) -> Self {
        Iam { authority, endpoints: Endpoints::new(&[TABLE], &code::NOT_JSON, &code::NOT_JSON) }
    }
}

impl Service for Iam {
    fn operations(&self) -> Vec<&'static Operation> {
        self.endpoints.operations()
    }

    fn prefixes(&self) -> &'static [&'static str] {
        &["/v3"]
    }

    fn authenticate(&self, _: &'static Operation, call: &Call) -> Result<Caller, Failure> {
        match self.authority.prove(call) {
            Ok(proof) => Ok(proof.into_caller()),
            Err(Unproven::Missing | Unproven::Wrong | Unproven::Expired) => Err((&code::UNPROVEN).into()),
        }
    }

    fn instances(&self, _: &'static Operation, _: &Call) -> Vec<String> {
        Vec::new()
    }

    fn serve<'a>(
        &'a self,
        operation: &'static Operation,
        caller: Option<Caller>,
        call: Call,
    ) -> Pending<'a, Result<Reply, Failure>> {
        Box::pin(self.endpoints.serve(self, operation, caller, call))
    }

    fn refuse(&self, refusal: Refusal) -> Failure {
        match refusal {
            Refusal::UnknownPath | Refusal::NoAction => &code::NOT_FOUND,
            Refusal::WrongMethod => &code::WRONG_METHOD,
            Refusal::BadBody => &code::NOT_JSON,
            Refusal::Denied { .. } | Refusal::ReadOnly => &code::FORBIDDEN,
            Refusal::Broken => &code::BROKEN,
        }
        .into()
    }

    fn render(&self, failure: &Failure, _: &str) -> Reply {
        let error =
            json!({"code": failure.code.status, "title": failure.code.code, "message": failure.message()});
        Reply::json(failure.status(), json!({"error": error}))
    }
}
