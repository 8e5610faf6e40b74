//! An operation with what it does, and the steps that every operation of this crate goes through.
//!
//! Invariant: a handler sees a request that fits its operation's declaration: the parameters of the path and of the
//! query, and the body.

use std::collections::HashMap;

use cloud::Pending;
use cloud::identity::Caller;
use operation::schema::{self, Fields, Query};
use operation::{Call, ErrorCode, Failure, Operation, Reply};
use serde_json::{Map, Value};

/// An operation and what it does.
pub(crate) struct Endpoint<S: 'static> {
    /// The record.
    pub(crate) operation: &'static Operation,
    /// The deed.
    pub(crate) handler: Handler<S>,
}

/// What an operation of the service `S` does.
pub(crate) type Handler<S> = for<'a> fn(&'a S, Request<'a>) -> Pending<'a, Result<Reply, Failure>>;

/// A request that fits its operation's declaration.
pub(crate) struct Request<'a> {
    /// The operation that it is for.
    pub(crate) operation: &'static Operation,
    /// The request as it came.
    pub(crate) call: &'a Call,
    /// The query.
    pub(crate) query: Query,
    /// The body; empty where the operation takes none.
    pub(crate) body: Fields<'a>,
    caller: Option<&'a Caller>,
}

/// The endpoints of a service, by operation.
pub(crate) struct Endpoints<S: 'static> {
    tables: Vec<&'static [Endpoint<S>]>,
    handlers: HashMap<&'static str, Handler<S>>,
    empty_body: &'static ErrorCode,
    not_json: &'static ErrorCode,
}

impl<S> Endpoints<S> {
    /// The endpoints of `tables`; the two errors answer a body that is missing or no JSON object.
    pub(crate) fn new(
        tables: &[&'static [Endpoint<S>]],
        empty_body: &'static ErrorCode,
        not_json: &'static ErrorCode,
    ) -> Self {
        let endpoints = tables.iter().copied().flatten();
        let handlers = endpoints.map(|endpoint| (endpoint.operation.id, endpoint.handler)).collect();
        Endpoints { tables: tables.to_vec(), handlers, empty_body, not_json }
    }

    /// The records, in the order of the tables.
    pub(crate) fn operations(&self) -> Vec<&'static Operation> {
        self.tables.iter().copied().flat_map(operations).collect()
    }

    /// Checks a call against its operation's declaration and does what the operation does.
    pub(crate) async fn serve(
        &self,
        service: &S,
        operation: &'static Operation,
        caller: Option<Caller>,
        call: Call,
    ) -> Result<Reply, Failure> {
        for field in operation.path {
            schema::check_parameter(field, call.parameter(field.name))?;
        }
        let query = schema::check_query(operation.query, call.query())?;
        let object = match operation.body {
            Some(_) if operation.body_optional && call.body.trim_ascii().is_empty() => Map::new(),
            Some(_) => self.parse(&call)?,
            None => Map::new(),
        };
        let body = schema::check(operation.body.unwrap_or_default(), &object)?;
        let handler =
            self.handlers.get(operation.id).expect("the gateway asks for this service's operations");
        handler(service, Request { operation, call: &call, query, body, caller: caller.as_ref() }).await
    }

    fn parse(&self, call: &Call) -> Result<Map<String, Value>, Failure> {
        if call.body.trim_ascii().is_empty() {
            return Err(self.empty_body.into());
        }
        match serde_json::from_slice(&call.body) {
            Ok(Value::Object(object)) => Ok(object),
            Ok(_) | Err(_) => Err(self.not_json.into()),
        }
    }
}

impl<'a> Request<'a> {
    /// Who calls. Operations that anyone may call do not ask.
    pub(crate) fn caller(&self) -> &'a Caller {
        self.caller.expect("the gateway proves the caller of an operation that is not public")
    }

    /// The id of the project that the path names.
    pub(crate) fn project_id(&self) -> &'a str {
        self.call.parameter("project_id")
    }

    /// The id of the instance that the path names.
    pub(crate) fn instance_id(&self) -> &'a str {
        self.call.parameter("instance_id")
    }
}

/// The records of a table, in its order.
pub(crate) fn operations<S>(table: &'static [Endpoint<S>]) -> Vec<&'static Operation> {
    table.iter().map(|endpoint| endpoint.operation).collect()
}
