//! A memcached node: its items, the memory that they may take, and the commands on them.
//!
//! A [`Node`] is divided into shards by the keys' hashes, each behind one lock that is held for a command on one of its
//! keys. A [`Session`] is a connection's side: it takes bytes and writes replies.
//!
//! Invariants:
//! - Time is an argument ([`Now`]); nothing here reads a clock, sockets or files.
//! - Nobody waits with a shard in hand. Whoever holds a shard of a node may take the same shard of its standby, which
//!   nobody takes first.
//! - A client's bytes allocate what they are, never what they announce.
//!
//! Source of what commands answer: memcached's `protocol.txt`, and memcached 1.6.18 where it is silent.

pub mod access;
mod attention;
mod binary;
pub mod classes;
pub mod clients;
pub mod clock;
pub mod counts;
pub mod dump;
mod items;
mod listing;
mod login;
mod meta;
pub mod node;
pub mod policy;
mod prefixes;
mod reports;
pub mod session;
pub mod settings;
pub mod shard;
mod sparseness;
mod tallies;
mod text;
mod tuning;
mod unfinished;
pub mod watching;

pub use access::{Access, Credentials};
pub use clock::{Clock, Now};
pub use memcache_wire::VERSION;
pub use node::Node;
pub use policy::Policy;
pub use session::{Next, Session};
pub use settings::Settings;
