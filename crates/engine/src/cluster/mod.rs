//! A node's part in a Redis Cluster: which node serves a slot, and where a client is sent.
//!
//! All nodes of an instance live in one process and share one [`ClusterMap`]; there is no bus between them, so what one
//! node is told of the slots, all know at once. Each has its own view of every slot beside it, a byte a slot
//! ([`View`]), which is all that a command has to look at on the node that serves it.
//!
//! Invariants:
//! - Slots are looked at when the shards of a command's keys are held: a slot that moves does so under the shards of the
//!   node that is told, so nothing is written to it afterwards that was let in before.
//! - Only the node that serves a slot, the one that imports it, or the one that is to serve it, changes who does; what
//!   others are told of it is what they know already.
//! - Clients that wait for a slot, or listen to its channels, where it is no longer served are told at once.
//!
//! Not here: gossip, votes, and nodes of other processes. How changes get to a replica: [`crate::replicas`].

mod admit;
mod lost;
mod map;
mod member;
mod memory;
mod takeover;

pub(crate) use admit::{admit, admit_queued};
pub use map::{ClusterMap, Groups, NodeNumber, NodeRecord, Refusal, Role, Seat, id_of};
pub use member::{Member, View};
