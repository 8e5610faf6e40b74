//! What a node needs of the world that it runs in.

use keyspace::effects::Garbage;

/// The world of a node: clocks, timers, threads.
pub trait Host: Send + Sync {
    /// The wall clock, in microseconds since the epoch. It may be frozen, moved or run faster.
    fn wall_us(&self) -> i64;

    /// Nanoseconds in a billion ticks of [`structures::ticks`], as well as it is known.
    fn ns_per_giga_tick(&self) -> u64;

    /// Has [`crate::Node::expire_due`] called at this time, in ms since the epoch, or soon after.
    fn expire_at(&self, at_ms: i64);

    /// The directory in which the process runs.
    fn directory(&self) -> String;

    /// Writes a line to the program's log.
    fn log(&self, message: &str);

    /// Ends the node because a client wants it. Whether it may: a node that is managed is not its clients' to end.
    fn shut_down(&self) -> bool;

    /// Frees values where no connection waits for it.
    fn reclaim(&self, garbage: Vec<Garbage>);
}
