//! Statistics of a node.
//!
//! Every worker thread counts for itself, in cells that it alone writes; whoever asks adds them up. A reset does not
//! write either: it remembers what the sums were.

use crate::histogram::{Durations, Histogram};
use crate::table::Table;
use command::Release;
use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use structures::ranked::Mutex;

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
    /// How long executions took, while that is recorded.
    pub took: Histogram,
}

/// Error replies by their codes.
pub type ErrorCodes = BTreeMap<Box<[u8]>, u64>;

/// Longest code of an error, in bytes; what begins with a longer word has none.
const LONGEST_CODE: usize = 30;
/// Most codes that are told apart.
const MOST_CODES: usize = 128;

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
    error_codes: Mutex<ErrorCodes>,
    /// Reads from sockets.
    pub reads: Counter,
    /// Writes to sockets.
    pub writes: Counter,
    slots: Slots,
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
            error_codes: Mutex::default(),
            reads: Counter::default(),
            writes: Counter::default(),
            slots: Slots::default(),
            by_command: (0..commands).map(|_| OnceLock::new()).collect(),
        }
    }

    /// The statistics of a command.
    #[inline]
    pub fn command(&self, index: usize) -> &CommandStats {
        self.by_command[index].get_or_init(Box::default)
    }

    /// Takes note of the time, at the beginning of a batch of commands.
    #[inline]
    pub(crate) fn begin(&self, now_ms: i64) {
        let slot = now_ms >> SLOT_SHIFT;
        if self.slots.last.load(Ordering::Relaxed) != slot {
            self.slots.begin(slot, [self.commands.get(), self.input_bytes.get(), self.output_bytes.get()]);
        }
    }

    /// Counts an error reply.
    pub fn error(&self, text: &[u8]) {
        self.errors.add(1);
        let code = match text.iter().position(|&byte| byte == b' ') {
            Some(len) if len <= LONGEST_CODE => &text[..len],
            _ => b"ERR",
        };
        let mut codes = self.error_codes.lock();
        if let Some(count) = codes.get_mut(code) {
            *count += 1;
        } else if codes.len() < MOST_CODES {
            codes.insert(code.into(), 1);
        }
    }
}

/// Slots of time are as long as a power of two, in ms.
const SLOT_SHIFT: u32 = 7;
/// Slots over which rates are told.
const SLOTS: usize = 12;

/// What had been counted when each of the last slots of time began, if anything was done in it: rates follow from it
/// without a clock that ticks.
#[derive(Debug, Default)]
struct Slots {
    last: AtomicI64,
    ring: [(AtomicI64, [AtomicU64; 3]); SLOTS],
}

impl Slots {
    #[cold]
    fn begin(&self, slot: i64, counts: [u64; 3]) {
        self.last.store(slot, Ordering::Relaxed);
        let (number, places) = &self.ring[slot.rem_euclid(SLOTS as i64) as usize];
        number.store(slot, Ordering::Relaxed);
        for (place, count) in places.iter().zip(counts) {
            place.store(count, Ordering::Relaxed);
        }
    }

    /// What had been counted when the first slot from `first` to `last` began in which anything was done.
    fn counts_at(&self, first: i64, last: i64) -> Option<[u64; 3]> {
        let slots = self.ring.iter().map(|(number, counts)| (number.load(Ordering::Relaxed), counts));
        let first =
            slots.filter(|(number, _)| (first..=last).contains(number)).min_by_key(|(number, _)| *number);
        first.map(|(_, counts)| std::array::from_fn(|index| counts[index].load(Ordering::Relaxed)))
    }
}

/// What has been done in a second, over the last one and a half.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// Commands run.
    pub commands: f64,
    /// Bytes received.
    pub input_bytes: f64,
    /// Bytes sent.
    pub output_bytes: f64,
}

/// Statistics of a node: those of its workers, and what is counted rarely.
#[derive(Debug)]
pub struct Stats {
    /// Connections refused because there were too many.
    pub rejected_connections: AtomicU64,
    /// Keys whose values were freed where nobody waits.
    pub lazily_freed: AtomicU64,
    /// Connections closed because of what they sent and was not processed.
    pub query_buffer_closes: AtomicU64,
    /// Connections closed because of what they did not receive.
    pub output_buffer_closes: AtomicU64,
    workers: Box<[OnceLock<Box<WorkerStats>>]>,
    commands: usize,
    /// The durations of commands that are no longer told, by the commands' numbers.
    forgotten: Mutex<BTreeMap<usize, Durations>>,
    /// What had been counted at the last reset.
    base: Mutex<Base>,
}

/// What had been counted at a reset.
#[derive(Debug, Default)]
struct Base {
    sums: Sums,
    /// By command; nothing before the first reset.
    commands: Box<[CommandSums]>,
}

/// Sums over all workers since the last reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the counters")]
pub struct Sums {
    pub commands: u64,
    pub connections: u64,
    pub input_bytes: u64,
    pub output_bytes: u64,
    pub hits: u64,
    pub misses: u64,
    pub expired: u64,
    pub expired_fields: u64,
    pub evicted: u64,
    pub errors: u64,
    pub reads: u64,
    pub writes: u64,
    pub rejected_connections: u64,
    pub query_buffer_closes: u64,
    pub output_buffer_closes: u64,
}

/// Sums of what is counted for a command, over all workers since the last reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the counters")]
pub struct CommandSums {
    pub calls: u64,
    pub ticks: u64,
    pub rejected: u64,
    pub failed: u64,
}

impl Stats {
    /// Nothing counted yet, by so many workers.
    pub fn new(workers: usize, release: Release) -> Self {
        Stats {
            rejected_connections: AtomicU64::new(0),
            lazily_freed: AtomicU64::new(0),
            query_buffer_closes: AtomicU64::new(0),
            output_buffer_closes: AtomicU64::new(0),
            workers: (0..workers).map(|_| OnceLock::new()).collect(),
            commands: Table::of(release).len(),
            forgotten: Mutex::default(),
            base: Mutex::default(),
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

    /// Error replies by their codes.
    pub fn error_codes(&self) -> ErrorCodes {
        let mut all = ErrorCodes::new();
        for worker in self.iter() {
            for (code, count) in &*worker.error_codes.lock() {
                *all.entry(code.clone()).or_default() += count;
            }
        }
        all
    }

    /// Forgets the codes of error replies.
    pub fn forget_error_codes(&self) {
        self.iter().for_each(|worker| worker.error_codes.lock().clear());
    }

    /// How long executions of a command took, with this many ns in a billion ticks; nothing if there were none.
    pub fn durations(&self, command: usize, ns_per_giga_tick: u64) -> Option<Durations> {
        let mut sum = self.all_durations(command, ns_per_giga_tick);
        if let Some(before) = self.forgotten.lock().get(&command) {
            sum.subtract(before);
        }
        (sum.count() > 0).then_some(sum)
    }

    /// Forgets how long executions took.
    pub fn forget_durations(&self) {
        let all = (0..self.commands).map(|command| (command, self.all_durations(command, 0)));
        *self.forgotten.lock() = all.filter(|(_, durations)| durations.count() > 0).collect();
    }

    /// What has been done in a second lately, by a node that has run for `uptime_ms`.
    pub fn rates(&self, now_ms: i64, uptime_ms: i64) -> Rates {
        let last = now_ms >> SLOT_SHIFT;
        let first = last - SLOTS as i64 + 1;
        let mut done = [0; 3];
        for worker in self.iter() {
            let Some(before) = worker.slots.counts_at(first, last) else { continue };
            let now = [worker.commands.get(), worker.input_bytes.get(), worker.output_bytes.get()];
            for (done, (now, before)) in done.iter_mut().zip(now.iter().zip(before)) {
                *done += now.saturating_sub(before);
            }
        }
        let took_ms = (now_ms - (first << SLOT_SHIFT)).min(uptime_ms).max(1);
        let [commands, input_bytes, output_bytes] = done.map(|count| count as f64 * 1000.0 / took_ms as f64);
        Rates { commands, input_bytes, output_bytes }
    }

    /// What a worker's counters take, in bytes.
    pub(crate) fn heap_bytes(&self) -> usize {
        size_of::<WorkerStats>() + self.commands * size_of::<OnceLock<Box<CommandStats>>>()
    }

    /// What has been counted since the last reset.
    pub fn sums(&self) -> Sums {
        let (now, base) = (self.all_sums(), self.base.lock().sums);
        Sums {
            commands: now.commands - base.commands,
            connections: now.connections - base.connections,
            input_bytes: now.input_bytes - base.input_bytes,
            output_bytes: now.output_bytes - base.output_bytes,
            hits: now.hits - base.hits,
            misses: now.misses - base.misses,
            expired: now.expired - base.expired,
            expired_fields: now.expired_fields - base.expired_fields,
            evicted: now.evicted - base.evicted,
            errors: now.errors - base.errors,
            reads: now.reads - base.reads,
            writes: now.writes - base.writes,
            rejected_connections: now.rejected_connections - base.rejected_connections,
            query_buffer_closes: now.query_buffer_closes - base.query_buffer_closes,
            output_buffer_closes: now.output_buffer_closes - base.output_buffer_closes,
        }
    }

    /// What has been counted for a command since the last reset.
    pub fn command_sums(&self, index: usize) -> CommandSums {
        let now = self.all_command_sums(index);
        let base = self.base.lock().commands.get(index).copied().unwrap_or_default();
        CommandSums {
            calls: now.calls - base.calls,
            ticks: now.ticks - base.ticks,
            rejected: now.rejected - base.rejected,
            failed: now.failed - base.failed,
        }
    }

    /// Begins anew: what has been counted so far no longer shows.
    pub fn reset(&self) {
        let commands = (0..self.commands).map(|index| self.all_command_sums(index)).collect();
        *self.base.lock() = Base { sums: self.all_sums(), commands };
        self.forget_error_codes();
        self.forget_durations();
    }

    fn all_sums(&self) -> Sums {
        Sums {
            commands: self.sum(|worker| &worker.commands),
            connections: self.sum(|worker| &worker.connections),
            input_bytes: self.sum(|worker| &worker.input_bytes),
            output_bytes: self.sum(|worker| &worker.output_bytes),
            hits: self.sum(|worker| &worker.hits),
            misses: self.sum(|worker| &worker.misses),
            expired: self.sum(|worker| &worker.expired),
            expired_fields: self.sum(|worker| &worker.expired_fields),
            evicted: self.sum(|worker| &worker.evicted),
            errors: self.sum(|worker| &worker.errors),
            reads: self.sum(|worker| &worker.reads),
            writes: self.sum(|worker| &worker.writes),
            rejected_connections: self.rejected_connections.load(Ordering::Relaxed),
            query_buffer_closes: self.query_buffer_closes.load(Ordering::Relaxed),
            output_buffer_closes: self.output_buffer_closes.load(Ordering::Relaxed),
        }
    }

    /// What has been counted for a command since the node began.
    pub fn all_command_sums(&self, index: usize) -> CommandSums {
        let mut sums = CommandSums::default();
        for command in self.iter().filter_map(|worker| worker.by_command[index].get()) {
            sums.calls += command.calls.get();
            sums.ticks += command.ticks.get();
            sums.rejected += command.rejected.get();
            sums.failed += command.failed.get();
        }
        sums
    }

    fn all_durations(&self, command: usize, ns_per_giga_tick: u64) -> Durations {
        let mut sum = Durations::new(ns_per_giga_tick);
        for stats in self.iter().filter_map(|worker| worker.by_command[command].get()) {
            sum.add(&stats.took);
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_counted_by_their_codes() {
        let stats = Stats::new(2, Release::V7_0);
        stats.worker(0).error(b"ERR no such key");
        stats.worker(1).error(b"ERR syntax error");
        stats.worker(1).error(b"WRONGTYPE Operation");
        stats.worker(1).error(b"nospace");
        stats.worker(1).error(b"awordthatislongerthanacodemaybe x");
        let codes = stats.error_codes();
        assert_eq!(
            codes.into_iter().collect::<Vec<_>>(),
            [(b"ERR"[..].into(), 4), (b"WRONGTYPE"[..].into(), 1)]
        );
        for number in 0..1000 {
            stats.worker(0).error(format!("CODE{number} x").as_bytes());
        }
        assert_eq!(stats.error_codes().len(), MOST_CODES + 1);
        stats.forget_error_codes();
        assert!(stats.error_codes().is_empty());
        assert_eq!(stats.sum(|worker| &worker.errors), 1005);
    }

    #[test]
    fn a_reset_begins_anew() {
        let stats = Stats::new(2, Release::V7_0);
        stats.worker(0).commands.add(3);
        stats.worker(1).commands.add(4);
        stats.worker(1).command(5).calls.add(4);
        assert_eq!((stats.sums().commands, stats.command_sums(5).calls), (7, 4));
        stats.reset();
        assert_eq!((stats.sums(), stats.command_sums(5)), (Sums::default(), CommandSums::default()));
        stats.worker(1).commands.add(1);
        stats.worker(1).command(5).calls.add(1);
        assert_eq!((stats.sums().commands, stats.command_sums(5).calls), (1, 1));
        assert_eq!(stats.all_command_sums(5).calls, 5);
    }

    #[test]
    fn rates_are_those_of_the_last_seconds() {
        let stats = Stats::new(2, Release::V7_0);
        let (worker, start_ms) = (stats.worker(0), 1_800_000_000_000 >> SLOT_SHIFT << SLOT_SHIFT);
        // A hundred commands every 100 ms.
        for batch in 0..50 {
            worker.begin(start_ms + batch * 100);
            worker.commands.add(100);
        }
        let end_ms = start_ms + 5_000;
        let rate = stats.rates(end_ms, 5_000).commands;
        assert!((900.0..1100.0).contains(&rate), "{rate}");
        let later = stats.rates(end_ms + 750, 5_750).commands;
        assert!(later < 0.6 * rate, "{later}");
        assert_eq!(stats.rates(end_ms + 60_000, 65_000), Rates::default());
        // A node that has just begun.
        let young = stats.rates(end_ms, 500).commands;
        assert!(young > 2.0 * rate, "{young}");
    }

    #[test]
    fn durations_are_summed_over_workers_and_forgotten() {
        let stats = Stats::new(2, Release::V7_0);
        stats.worker(0).command(3).took.add(1000);
        stats.worker(1).command(3).took.add(2000);
        assert_eq!(stats.durations(3, 1_000_000_000).unwrap().count(), 2);
        assert_eq!(stats.durations(4, 1_000_000_000), None);
        stats.forget_durations();
        assert_eq!(stats.durations(3, 1_000_000_000), None);
        stats.worker(0).command(3).took.add(5000);
        assert_eq!(stats.durations(3, 1_000_000_000).unwrap().distribution_us(), [(8, 1)]);
    }
}
