//! One provider's interface, as the gateway sees it: operations, and what they do when they are called.
//!
//! The gateway runs every call in one order: it finds the operation, asks the service who calls, checks the
//! operation's permission against the caller's rights, and only then has the service serve the call. A service
//! never has to remember that order.

use operation::{Call, Failure, Operation, Reply};

use crate::Pending;
use crate::identity::Caller;

/// One provider's interface.
pub trait Service: Send + Sync + 'static {
    /// Its operations, in the order of its documents.
    fn operations(&self) -> Vec<&'static Operation>;

    /// The starts of the paths that are its own, for requests that no operation answers. The longest of all
    /// services decides.
    fn prefixes(&self) -> &'static [&'static str];

    /// Who makes the call, proven by its credentials, and allowed to name the project in its path. Not asked for
    /// public operations.
    fn authenticate(&self, operation: &'static Operation, call: &Call) -> Result<Caller, Failure>;

    /// The ids of the instances that a call is about, as far as it names any. Asked for callers whose rights differ
    /// between instances; what the call names may be wrong.
    fn instances(&self, operation: &'static Operation, call: &Call) -> Vec<String>;

    /// Does what the operation says. `caller` is there unless the operation is public. Only errors that the
    /// operation declares are returned.
    fn serve<'a>(
        &'a self,
        operation: &'static Operation,
        caller: Option<Caller>,
        call: Call,
    ) -> Pending<'a, Result<Reply, Failure>>;

    /// The provider's error for what the gateway itself refuses.
    fn refuse(&self, refusal: Refusal) -> Failure;

    /// An error as this provider writes it on this path.
    fn render(&self, failure: &Failure, path: &str) -> Reply;
}

/// What the gateway refuses by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No operation has the path, or the action.
    UnknownPath,
    /// The path is one of actions, and the request names none.
    NoAction,
    /// The path is known, but not with this method.
    WrongMethod,
    /// The body is longer than allowed, or did not come whole.
    BadBody,
    /// The caller may not do this.
    Denied {
        /// The operation's permission.
        action: &'static str,
    },
    /// The caller may change nothing.
    ReadOnly,
    /// The service itself failed.
    Broken,
}
