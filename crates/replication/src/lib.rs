//! Replication as Redis servers speak it, apart from sockets, clocks and keys.
//!
//! A master's changes are a *stream* of requests. A place in it is a number of bytes since its beginning, and the stream
//! has a random [`Id`]; a replica that has a copy at some place of a stream goes on from there, if the master still has
//! what came since ([`Backlog`]), and gets a snapshot of all keys otherwise. A replica that becomes a master begins a
//! stream of its own, and remembers whose it went on with and until where ([`History`]).
//!
//! [`Replica`] is what a master knows of one of its replicas; [`Link`] is a replica's side of the conversation with its
//! master: bytes in, events out.
//!
//! Invariants: whoever is on the other side is not trusted, and what it announces is not allocated; nothing here waits or
//! knows the time.
//!
//! Not here: what the stream consists of, how keys are sent and loaded, who listens and connects.

mod backlog;
mod history;
mod id;
mod link;
mod replica;

pub use backlog::Backlog;
pub use history::History;
pub use id::Id;
pub use link::{Event, Failure, Link, Terms};
pub use replica::{Capabilities, Replica, Stage};
