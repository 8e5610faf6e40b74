//! An action with what it does, and the steps that every action goes through.
//!
//! Invariant: a handler sees parameters that fit its action's declaration.

use cloud::Pending;
use cloud::identity::Caller;
use operation::schema::Fields;
use operation::{Call, Failure, Operation, Reply};
use serde_json::{Map, Value, json};

use crate::crs::Crs;

/// An action and what it does.
pub(crate) struct Action {
    /// The record.
    pub(crate) operation: &'static Operation,
    /// The deed.
    pub(crate) handler: Handler,
}

/// What an action does.
pub(crate) type Handler = for<'a> fn(&'a Crs, Request<'a>) -> Pending<'a, Result<Reply, Failure>>;

/// A request that fits its action's declaration.
pub(crate) struct Request<'a> {
    /// The request as it came.
    pub(crate) call: &'a Call,
    /// Its parameters.
    pub(crate) parameters: Fields<'a>,
    /// Who makes it.
    pub(crate) caller: &'a Caller,
}

impl<'a> Request<'a> {
    /// A text; empty if it was left out.
    pub(crate) fn text(&self, name: &str) -> &'a str {
        self.parameters.text(name).unwrap_or_default()
    }

    /// A whole number; 0 if it was left out.
    pub(crate) fn integer(&self, name: &str) -> i64 {
        self.parameters.integer(name).unwrap_or_default()
    }
}

/// An answer whose code is a number, as most actions have it.
pub(crate) fn numbered(more: Value) -> Reply {
    answer(0.into(), more)
}

/// An answer whose code is a text, as the examples of some actions have it.
pub(crate) fn texted(more: Value) -> Reply {
    answer("0".into(), more)
}

fn answer(code: Value, more: Value) -> Reply {
    let mut body = Map::new();
    body.insert("code".to_owned(), code);
    body.insert("message".to_owned(), "".into());
    body.insert("codeDesc".to_owned(), "Success".into());
    if let Value::Object(more) = more {
        body.extend(more);
    }
    Reply::ok(body)
}

/// The body of an error.
pub(crate) fn error_body(failure: &Failure) -> Value {
    let (common, message) = failure.former();
    let common: u32 = common.parse().unwrap_or(6000);
    json!({"code": common, "message": message.trim_end(), "codeDesc": failure.code.code})
}
