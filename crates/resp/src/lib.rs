//! The Redis protocol (RESP2 and RESP3) over bytes: an incremental parser of requests and a writer of replies.
//!
//! Nothing here reads sockets, knows commands, or keeps more than the client has sent: a length that a client
//! announces is compared with its limit and otherwise only remembered.
//!
//! Source: the protocol's specification, and what redis-server 3.0 to 7.4 answer to malformed requests.

pub mod args;
pub mod inline;
pub mod parser;
pub mod reply;

pub use args::{Args, OwnedArgs};
pub use parser::{Limits, Parsed, Parser, ProtocolError, Request};
pub use reply::{Deferred, Protocol, Reply};
