//! What a node needs of the world that it runs in.

use crate::Node;
use keyspace::effects::Garbage;

/// What the system tells of the process that a node runs in.
#[derive(Clone, Debug, Default)]
pub struct Process {
    /// Its number.
    pub id: u32,
    /// The program.
    pub executable: String,
    /// The system's name, its version, and the kind of processor.
    pub system: String,
    /// The memory that it has, in bytes; nothing if it is not the node's alone.
    pub resident_bytes: Option<u64>,
    /// The memory of the machine, in bytes.
    pub machine_bytes: u64,
    /// Processor time that it has used itself, in microseconds.
    pub user_us: u64,
    /// Processor time that the system has used for it, in microseconds.
    pub system_us: u64,
}

/// Work that takes long.
pub type Background = Box<dyn FnOnce(&Node) + Send>;

/// The world of a node: clocks, timers, threads.
pub trait Host: Send + Sync {
    /// The wall clock, in microseconds since the epoch. It may be frozen, moved or run faster.
    fn wall_us(&self) -> i64;

    /// Nanoseconds in a billion ticks of [`structures::ticks`], as well as it is known.
    fn ns_per_giga_tick(&self) -> u64;

    /// Has [`crate::execute::expire_due`] called at this time, in ms since the epoch, or soon after.
    fn expire_at(&self, at_ms: i64);

    /// Has [`Node::tend`] called at this time, in ms since the epoch, or soon after; this replaces what was asked before.
    fn tend_at(&self, at_ms: i64);

    /// Does something on a thread of its own, of which the system shows `name`. Not if the node is gone by then.
    fn background(&self, name: &'static str, work: Background);

    /// Has the stream looked after: replicas are told that their master is there ([`Node::ping_replicas`]), and when there
    /// has been none for long it is forgotten ([`Node::end_stream`]). Called when it begins and when a replica comes.
    fn stream_begun(&self);

    /// Has [`Node::go_on_with_failover`] called as long as the node waits for a replica to hand over to.
    fn failover_begun(&self);

    /// Talks to the master that the node is to follow from now on, if any, as [`crate::master`] says.
    fn master_changed(&self);

    /// The same, for what needs no node and goes on until it is told to end; whether there is a thread for it.
    fn detached(&self, name: &'static str, work: Box<dyn FnOnce() + Send>) -> bool;

    /// Has the node, a replica of a cluster, take the place of its master: when it has all that the master has written, or
    /// at once. It is not waited for.
    fn take_over(&self, at_once: bool);

    /// What the system tells of the process. It does not take long, as no device is asked.
    fn process(&self) -> Process;

    /// The directory in which the process runs.
    fn directory(&self) -> String;

    /// Writes a line to the program's log.
    fn log(&self, message: &str);

    /// A client is kept waiting by the node, which may hang.
    fn suspected(&self);

    /// Whether clients may end the node: one that is managed is not theirs to end.
    fn may_shut_down(&self) -> bool;

    /// Ends the node because a client wants it. Its keys have been saved if that was wanted.
    fn shut_down(&self);

    /// Frees values where no connection waits for it.
    fn reclaim(&self, garbage: Vec<Garbage>);
}
