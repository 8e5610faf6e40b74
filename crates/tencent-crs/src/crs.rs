//! CRS: its actions behind one service, and the form of its errors.

use std::sync::Arc;

use cloud::identity::Caller;
use cloud::service::{Refusal, Service};
use cloud::{Cloud, Pending};
use operation::schema;
use operation::{Call, Failure, Operation, Reply};

use crate::action::{Request, error_body};
use crate::actions;
use crate::authority::Authority;
use crate::code;
use crate::field::PATH;
use crate::parameters::Parameters;

/// The service.
pub(crate) struct Crs {
    pub(crate) cloud: Arc<Cloud>,
    pub(crate) authority: Authority,
}

impl Service for Crs {
    fn operations(&self) -> Vec<&'static Operation> {
        actions::operations()
    }

    fn prefixes(&self) -> &'static [&'static str] {
        &[PATH]
    }

    fn authenticate(&self, _: &'static Operation, call: &Call) -> Result<Caller, Failure> {
        self.authority.prove(call)
    }

    fn serve<'a>(
        &'a self,
        operation: &'static Operation,
        caller: Option<Caller>,
        call: Call,
    ) -> Pending<'a, Result<Reply, Failure>> {
        Box::pin(async move {
            let caller = caller.expect("no action is public");
            let object = Parameters::of(&call).object(operation.query);
            let parameters = schema::check(operation.query, &object)?;
            let handler = actions::handler(operation);
            handler(self, Request { call: &call, parameters, caller: &caller }).await
        })
    }

    fn refuse(&self, refusal: Refusal) -> Failure {
        match refusal {
            Refusal::UnknownPath => (&code::UNKNOWN_ACTION).into(),
            Refusal::NoAction => code::PARAMETER.of("Action"),
            Refusal::WrongMethod => (&code::WRONG_METHOD).into(),
            Refusal::BadBody => code::PARAMETER.of("the body is too long"),
            Refusal::Denied { .. } | Refusal::ReadOnly => (&code::DENIED).into(),
            Refusal::Broken => (&code::BROKEN).into(),
        }
    }

    fn render(&self, failure: &Failure, _: &str) -> Reply {
        Reply::json(failure.status(), error_body(failure))
    }
}
