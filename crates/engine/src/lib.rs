//! A Redis node, apart from its sockets.
//!
//! A [`Node`] holds keys, clients and settings; a [`Session`] is one connection's side of the conversation;
//! [`execute::execute`] runs one request of a session against the node and says what the connection is to do next.
//! Commands are declared and implemented family by family in [`commands`].
//!
//! Invariants: a command runs synchronously, while the shards of its keys are held; it does not wait, sleep, or read a
//! clock or a socket: what a node needs of the world comes through [`Host`]. Files are written and read by threads that
//! the host provides, and that hold no shards meanwhile.

pub mod acks;
mod append_base;
pub mod append_commands;
pub mod append_file;
mod append_load;
pub mod append_manifest;
pub mod append_rewrite;
pub mod backup;
pub mod blocking;
pub mod clients;
pub mod cluster;
pub mod commands;
pub mod configuration;
pub mod context;
pub mod digest;
pub mod error;
pub mod execute;
pub mod extended;
pub mod failover;
pub mod feed;
pub mod float;
pub mod geohash;
mod grisu;
mod handover;
pub mod histogram;
pub mod host;
mod info;
pub mod keys;
pub mod latency;
mod libraries;
pub mod load;
pub mod master;
pub mod migration;
pub mod monitors;
pub mod node;
pub mod parameter;
pub mod parameters;
pub mod parse;
pub mod pause;
pub mod proxy;
pub mod pubsub;
pub mod replicas;
pub mod save;
pub mod saving;
pub mod session;
pub mod settings;
pub mod slowlog;
mod special_values;
pub mod start;
pub mod stats;
pub mod table;

pub use clients::Client;
pub use configuration::{BadParameter, Configuration};
pub use context::Cx;
pub use error::CommandError;
pub use execute::{Step, Worker, execute};
pub use host::Host;
pub use node::Node;
pub use proxy::Proxy;
pub use session::Session;
pub use settings::Settings;

use resp::{Args, Reply};

/// What runs a command: it writes one reply, or fails and writes none.
pub type Handler = fn(&mut Cx, Args, &mut Reply) -> Result<(), CommandError>;

/// A command of a node.
pub type Command = command::Command<Handler>;

/// The command on which all records are built; it is not one itself.
pub const BASE: Command = Command::base(unreachable);

fn unreachable(_: &mut Cx, _: Args, _: &mut Reply) -> Result<(), CommandError> {
    unreachable!("a record without a handler")
}
