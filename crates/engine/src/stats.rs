//! Statistics of a node.
//!
//! Every worker thread counts for itself, in cells that it alone writes; whoever asks adds them up. A reset does not
//! write either: it remembers what the sums were.

use crate::table::Table;
use command::Release;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// A counter with one writer.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds to the counter. Only its one writer does.
    #[inline]
    pub fn add(&self, by: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(by), Ordering::Relaxed);
    }

    /// The sum so far.
    #[inline]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What is counted for each command.
#[derive(Debug, Default)]
pub struct CommandStats {
    /// Executions.
    pub calls: Counter,
    /// Time spent, in ticks of the processor's counter.
    pub ticks: Counter,
    /// Requests refused before they were run.
    pub rejected: Counter,
    /// Executions that ended with an error.
    pub failed: Counter,
}

/// What one worker thread counts for one node.
#[derive(Debug)]
pub struct WorkerStats {
    /// Commands run.
    pub commands: Counter,
    /// Connections accepted.
    pub connections: Counter,
    /// Bytes received.
    pub input_bytes: Counter,
    /// Bytes sent.
    pub output_bytes: Counter,
    /// Reads that found their key.
    pub hits: Counter,
    /// Reads that did not.
    pub misses: Counter,
    /// Keys that have expired.
    pub expired: Counter,
    /// Fields of hashes that have expired.
    pub expired_fields: Counter,
    /// Keys that have been evicted.
    pub evicted: Counter,
    /// Changes.
    pub dirty: Counter,
    /// Error replies.
    pub errors: Counter,
    /// By command, filled on first use.
    by_command: Box<[OnceLock<Box<CommandStats>>]>,
}

impl WorkerStats {
    fn new(commands: usize) -> Self {
        WorkerStats {
            commands: Counter::default(),
            connections: Counter::default(),
            input_bytes: Counter::default(),
            output_bytes: Counter::default(),
            hits: Counter::default(),
            misses: Counter::default(),
            expired: Counter::default(),
            expired_fields: Counter::default(),
            evicted: Counter::default(),
            dirty: Counter::default(),
            errors: Counter::default(),
            by_command: (0..commands).map(|_| OnceLock::new()).collect(),
        }
    }

    /// The statistics of a command.
    #[inline]
    pub fn command(&self, index: usize) -> &CommandStats {
        self.by_command[index].get_or_init(Box::default)
    }
}

/// Statistics of a node: those of its workers, and what is counted rarely.
#[derive(Debug)]
pub struct Stats {
    /// Connections refused because there were too many.
    pub rejected_connections: AtomicU64,
    /// Connections closed because of what they sent and was not processed.
    pub query_buffer_closes: AtomicU64,
    /// Connections closed because of what they did not receive.
    pub output_buffer_closes: AtomicU64,
    workers: Box<[OnceLock<Box<WorkerStats>>]>,
    commands: usize,
}

impl Stats {
    /// Nothing counted yet, by so many workers.
    pub fn new(workers: usize, release: Release) -> Self {
        Stats {
            rejected_connections: AtomicU64::new(0),
            query_buffer_closes: AtomicU64::new(0),
            output_buffer_closes: AtomicU64::new(0),
            workers: (0..workers).map(|_| OnceLock::new()).collect(),
            commands: Table::of(release).len(),
        }
    }

    /// What a worker counts.
    #[inline]
    pub fn worker(&self, worker: usize) -> &WorkerStats {
        self.workers[worker].get_or_init(|| Box::new(WorkerStats::new(self.commands)))
    }

    /// What the workers have counted so far.
    pub fn iter(&self) -> impl Iterator<Item = &WorkerStats> {
        self.workers.iter().filter_map(|worker| worker.get()).map(|worker| &**worker)
    }

    /// The sum of one counter over all workers.
    pub fn sum(&self, counter: impl Fn(&WorkerStats) -> &Counter) -> u64 {
        self.iter().map(|worker| counter(worker).get()).sum()
    }
}
