//! The memory layouts of Carnelian's values.
//!
//! Everything here is a passive structure: no clock, no knowledge of commands or of wire formats. This is the only
//! crate of the workspace with unsafe code, and only in the files whose subject is a memory layout; each says at
//! its top which invariants its unsafe blocks rest on.

pub mod allocator;
pub mod bits;
pub mod block;
pub mod cached;
mod draw;
pub mod entry;
mod extents;
pub mod glob;
pub mod hash;
pub mod hll;
pub mod intset;
mod length;
pub mod lent;
pub mod list;
pub mod lock;
pub mod member;
pub mod number;
pub mod order;
pub mod packed;
pub mod ranked;
mod seams;
pub mod set;
pub mod set_algebra;
pub mod stream;
pub mod table;
pub mod thin;
pub mod ticks;
pub mod wheel;
pub mod zset;
