//! One record per REST operation, and everything that can be derived from such records.
//!
//! An [`Operation`] is plain `static` data: its route, the permission that it asks for, what it takes and answers,
//! the errors that it may answer and the document that describes it. From a table of records this crate derives the
//! [`Router`], the check of a request against its declaration ([`schema`]), the OpenAPI document ([`openapi`]) and
//! the support matrix ([`support`]).
//!
//! Invariants:
//! - A record that contradicts itself does not compile ([`Operation::checked`]); tables that contradict themselves
//!   do not make a router ([`Conflict`]).
//! - Nothing here knows a provider, a cloud or a socket: a [`Call`] and a [`Reply`] are values.
//!
//! Deliberately not here: handlers (a provider's crate binds them to its records), authentication, and the wire
//! form of an error (a provider renders its [`Failure`]s).

mod call;
pub mod conform;
mod error;
pub mod openapi;
mod operation;
pub mod outcome;
mod route;
mod router;
pub mod schema;
pub mod support;
pub mod tables;

pub use call::{Call, PathParameters, Reply};
pub use error::{ErrorCode, Failure, Former};
pub use operation::{Access, Answer, BASE, Operation, Source, Support};
pub use route::{Method, Route};
pub use router::{Actions, Conflict, Found, Router};
