//! Sockets, threads and the clock under nodes.
//!
//! Every worker thread runs its own event loop; a connection belongs to one worker for life, and its commands run on
//! that thread. What takes long is done on a thread of its own meanwhile, so that nobody else's connection waits.

pub mod admission;
pub mod backup;
pub mod clock;
pub mod cluster;
pub mod configure;
mod connection;
mod hold;
mod host;
pub mod import;
mod link;
pub mod memcached;
mod migrate;
pub mod node;
mod offload;
pub mod owner;
pub mod pair;
mod process;
pub mod proxy;
mod reclaim;
mod reshard;
mod sync;
mod takeover;
mod watch;
pub mod workers;

pub use admission::Admission;
pub use backup::Holders;
pub use clock::Clock;
pub use cluster::{Cluster, ClusterOrder};
pub use engine::BadParameter;
pub use memcached::{Memcached, MemcachedOrder};
pub use node::{Order, Running, StartError};
pub use pair::{FailoverError, Fault, Member, Pair};
pub use proxy::{Proxy, ProxyOrder};
pub use workers::Workers;
