//! What the measuring programs share: servers that are started on one processor, and what the system says of them.

pub mod flood;
pub mod memcache;
pub mod process;
pub mod server;
pub mod stats;
pub mod trace;
