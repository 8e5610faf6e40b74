//! What tests of the built program share: clients, started programs, scenarios with known answers.
//!
//! Everything here panics with a sentence when it cannot go on: it is for tests only.

pub mod client;
pub mod documented;
pub mod follower;
pub mod library;
pub mod memcached;
pub mod memcached_sequences;
pub mod oracle;
pub mod program;
pub mod proxy;
pub mod ratchet;
pub mod reply;
pub mod rng;
pub mod save_cost;
pub mod scenario;
pub mod sequences;
pub mod server;
pub mod template;
pub mod variable;
pub mod wait;
pub mod writers;

pub use client::Client;
pub use follower::Follower;
pub use memcached::{Memcached, Wire};
pub use oracle::{Oracle, REAL_RELEASES, real_program};
pub use program::{Program, redis_program, redis_tool, resident_bytes, signal, tool};
pub use proxy::Proxy;
pub use reply::Reply;
pub use rng::Rng;
pub use save_cost::{Loaded, SaveCost};
pub use server::{Answer, Server};
pub use variable::number;
pub use wait::until;
pub use writers::Writers;
