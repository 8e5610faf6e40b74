//! The keys of a node.
//!
//! A [`Keyspace`] is divided into shards by the keys' hashes; each shard holds its part of every database behind one
//! lock. Whoever holds the shards that a command's keys live in ([`Locked`]) reads entries and changes them through
//! a guard ([`Spot`], [`Change`]), whose `commit` is the one place where memory is accounted, watchers are told, events
//! are recorded and emptied containers go.
//!
//! Everything is deterministic: the time is an argument ([`Moment`]), random numbers come from a seed, and what a
//! command brought about beside its reply is handed to the caller ([`Effects`]).
//!
//! Not here: commands, clients, sockets, the wire.

pub mod access;
pub mod change;
pub mod effects;
pub mod evict;
pub mod interest;
pub mod locked;
pub mod params;
pub mod shard;
pub mod slots;
pub mod snapshot;
pub mod staging;

pub use change::{Change, Spot, WrongType};
pub use effects::{Class, Effects, Event, Happening};
pub use locked::{Key, Keyspace, Locked, ShardSet};
pub use params::{Params, Policy};
pub use shard::{Db, DbStats, Moment, Shard};
pub use snapshot::{Cut, Part, Snapshot};
pub use staging::Staging;
