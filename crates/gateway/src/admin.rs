//! What the owner of the machine may do, whichever project it concerns, as a service of its own: nobody else reaches these
//! paths, as they are as little proven as those of health and metrics. Time is steered in [`clock`], tasks are in [`tasks`],
//! [`instances`] fail or change over.
//!
//! Errors have the reason as `{"error": "..."}`. Deliberately not here: the description of the interfaces that clouds have does
//! not have these operations.

mod clock;
mod instances;
mod tasks;

use std::sync::Arc;

use cloud::identity::Caller;
use cloud::service::{Refusal, Service};
use cloud::{Cloud, Pending};
use operation::schema::{self, FIELD, Field, Need, Query};
use operation::{BASE, Call, ErrorCode, Failure, Operation, Reply, Source};
use serde_json::json;

/// The service.
pub(crate) struct Admin(pub(crate) Arc<Cloud>);

/// An operation and what it does.
struct Endpoint {
    operation: &'static Operation,
    handler: Handler,
}

/// What an operation does with a request that fits its record.
type Handler = for<'a> fn(&'a Cloud, &'a Call, Query) -> Pending<'a, Result<Reply, Failure>>;

const TABLE: [Endpoint; 7] = [
    Endpoint { operation: &instances::FAILOVER, handler: instances::failover },
    Endpoint { operation: &instances::FAIL, handler: instances::fail },
    Endpoint { operation: &clock::SHOW, handler: clock::show },
    Endpoint { operation: &clock::STEER, handler: clock::steer },
    Endpoint { operation: &tasks::LIST, handler: tasks::list },
    Endpoint { operation: &tasks::STEP_ALL, handler: tasks::step_all },
    Endpoint { operation: &tasks::STEP, handler: tasks::step },
];

const fn code(status: u16, code: &'static str, message: &'static str) -> ErrorCode {
    ErrorCode { status, code, message, former: None }
}

static UNKNOWN_PATH: ErrorCode = code(404, "unknown path", "there is nothing at this path");
static WRONG_METHOD: ErrorCode = code(405, "wrong method", "this path does not have the method");
static TOO_LONG: ErrorCode = code(400, "too long", "the body is too long, or did not come whole");
static BROKEN: ErrorCode = code(500, "broken", "the program is mistaken; its log says where");

/// What the records have in common.
const ADMIN: Operation = Operation {
    errors: &[ERRORS],
    error_body: &[Field { name: "error", need: Need::Required, about: "The reason.", ..FIELD }],
    source: Source { document: "differences.md", section: "Where this cloud is another one" },
    ..BASE
};

/// What each of them may answer.
const ERRORS: &[&ErrorCode] = &[&TOO_LONG, &BROKEN];

/// The operations, in the order of the page that describes them.
pub fn operations() -> Vec<&'static Operation> {
    TABLE.iter().map(|endpoint| endpoint.operation).collect()
}

/// Whether one of them can answer an error that it declares, unless the program is mistaken.
pub fn can_answer(_: &Operation, error: &ErrorCode) -> bool {
    error.status != 500
}

impl Service for Admin {
    fn operations(&self) -> Vec<&'static Operation> {
        operations()
    }

    fn prefixes(&self) -> &'static [&'static str] {
        &["/admin"]
    }

    fn authenticate(&self, _: &'static Operation, _: &Call) -> Result<Caller, Failure> {
        // Nobody asks, as all of them are public.
        Err((&BROKEN).into())
    }

    fn instances(&self, _: &'static Operation, _: &Call) -> Vec<String> {
        Vec::new()
    }

    fn serve<'a>(
        &'a self,
        operation: &'static Operation,
        _: Option<Caller>,
        call: Call,
    ) -> Pending<'a, Result<Reply, Failure>> {
        Box::pin(async move {
            for field in operation.path {
                schema::check_parameter(field, call.parameter(field.name))?;
            }
            let query = schema::check_query(operation.query, call.query())?;
            let endpoint = TABLE.iter().find(|endpoint| endpoint.operation.id == operation.id);
            let endpoint = endpoint.expect("the gateway asks for this service's operations");
            (endpoint.handler)(&self.0, &call, query).await
        })
    }

    fn refuse(&self, refusal: Refusal) -> Failure {
        match refusal {
            Refusal::UnknownPath | Refusal::NoAction => &UNKNOWN_PATH,
            Refusal::WrongMethod => &WRONG_METHOD,
            Refusal::BadBody => &TOO_LONG,
            Refusal::Denied { .. } | Refusal::ReadOnly | Refusal::Broken => &BROKEN,
        }
        .into()
    }

    fn render(&self, failure: &Failure, _: &str) -> Reply {
        Reply::json(failure.status(), json!({"error": failure.message()}))
    }
}

/// A text in a path.
const fn part(name: &'static str, invalid: &'static ErrorCode, about: &'static str) -> Field {
    Field { name, need: Need::Required, invalid: Some(invalid), about, ..FIELD }
}
