//! The stream of changes: commands that make others hold the same keys.
//!
//! A command that has changed something is repeated as it came, unless it says how: one that depends on the time, on
//! chance or on who waits is repeated as what it did. What a command brought about goes into the stream while its
//! shards are held, so the order of the stream is one in which the commands could have run.
//!
//! [`Taps`](Tap) take the stream: replicas, append-only files. Each is told of the selected database for itself.
//!
//! Invariant: taps are added and removed while all shards are held, so that a stream begins at a cut.
//!
//! Not here: where the stream goes.

use command::Release;
use keyspace::Locked;
use keyspace::effects::{Effects, Gone, Loss};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};
use structures::number::Decimal;

bitflags::bitflags! {
    /// For whom a part of the stream is.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Audience: u8 {
        /// Other servers.
        const REPLICAS = 1 << 0;
        /// Append-only files.
        const FILE = 1 << 1;
    }
}

/// Something that takes the stream.
pub trait Tap: Send {
    /// Takes what comes next: whole requests. Shards are held meanwhile, so it has to be quick.
    fn put(&mut self, requests: &[u8]);
}

/// The stream of a node; see the module.
#[derive(Default)]
pub struct Feed {
    /// For whom there are taps.
    wanted: AtomicU8,
    lines: Mutex<Vec<Line>>,
}

/// A tap, and what it has been told.
struct Line {
    audience: Audience,
    /// The database that is selected; nothing at the beginning.
    db: Option<u32>,
    tap: Box<dyn Tap>,
}

/// What commands that have run add to the stream.
#[derive(Default)]
pub(crate) struct Pending {
    ops: Vec<Op>,
    /// The requests.
    bytes: Vec<u8>,
    /// Whether the command that runs has said how it is to be repeated.
    said: bool,
    /// Whether they are those of a transaction.
    is_transaction: bool,
}

struct Op {
    audience: Audience,
    /// Nothing if the request is the same in all databases.
    db: u32,
    /// Where its bytes end.
    end: usize,
}

impl Pending {
    /// Repeats a request, in a database.
    pub(crate) fn add<'a>(
        &mut self,
        audience: Audience,
        db: u32,
        args: impl ExactSizeIterator<Item = &'a [u8]>,
    ) {
        write_request(&mut self.bytes, args);
        self.ops.push(Op { audience, db, end: self.bytes.len() });
        self.said = true;
    }

    /// Does not repeat the command that runs as it is.
    pub(crate) fn say_nothing(&mut self) {
        self.said = true;
    }

    /// Whatever comes now is a part of a transaction.
    pub(crate) fn begin_transaction(&mut self) {
        self.is_transaction = true;
    }

    /// Ends a command: whether it has said how it is to be repeated.
    #[inline]
    pub(crate) fn end_command(&mut self) -> bool {
        std::mem::take(&mut self.said)
    }

    fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    fn clear(&mut self) {
        self.ops.clear();
        self.bytes.clear();
        (self.said, self.is_transaction) = (false, false);
    }
}

impl Feed {
    /// Whether anybody takes the stream.
    #[inline]
    pub fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed) != 0
    }

    /// Whether any of these takes the stream.
    #[inline]
    pub fn is_wanted_by(&self, audience: Audience) -> bool {
        self.wanted.load(Ordering::Relaxed) & audience.bits() != 0
    }

    /// Adds a tap, from now on; all shards must be held.
    pub fn attach(&self, held: &Locked, audience: Audience, tap: Box<dyn Tap>) {
        debug_assert!(held.holds_all());
        let mut lines = self.lines.lock();
        lines.push(Line { audience, db: None, tap });
        self.wanted.fetch_or(audience.bits(), Ordering::Relaxed);
    }

    /// Removes the taps of an audience; all shards must be held.
    pub fn detach(&self, held: &Locked, audience: Audience) {
        debug_assert!(held.holds_all());
        self.lines.lock().retain(|line| line.audience != audience);
        self.wanted.fetch_and(!audience.bits(), Ordering::Relaxed);
    }

    /// Has the database selected anew with the next request for these: a reader begins there.
    pub fn select_anew(&self, audience: Audience) {
        self.lines.lock().iter_mut().filter(|line| line.audience == audience).for_each(|line| line.db = None);
    }

    /// Adds requests to the stream that are the same in every database, as they are: `PING`, `REPLCONF`.
    pub fn say(&self, audience: Audience, args: &[&[u8]]) {
        let mut bytes = Vec::new();
        write_request(&mut bytes, args.iter().copied());
        let mut lines = self.lines.lock();
        lines.iter_mut().filter(|line| line.audience == audience).for_each(|line| line.tap.put(&bytes));
    }

    /// Adds what commands have brought about.
    #[cold]
    pub(crate) fn add(&self, release: Release, effects: &mut Effects, pending: &mut Pending) {
        // What went by itself went before anything was done with it.
        let mut went = Pending::default();
        for Gone { db, key, loss } in effects.gone.drain(..) {
            let all = Audience::all();
            match loss {
                Loss::Key { lazily } => {
                    let name: &[u8] = if lazily { b"UNLINK" } else { b"DEL" };
                    went.add(all, db, [name, &key].into_iter());
                }
                Loss::Field(field) => went.add(all, db, [&b"HDEL"[..], &key, &field].into_iter()),
            }
        }
        if went.is_empty() && pending.is_empty() {
            return pending.clear();
        }
        for line in &mut *self.lines.lock() {
            let out = line.requests(release, &went, pending);
            if !out.is_empty() {
                line.tap.put(&out);
            }
        }
        pending.clear();
    }
}

impl Line {
    /// What the tap is told of these.
    fn requests(&mut self, release: Release, went: &Pending, pending: &Pending) -> Vec<u8> {
        let audience = self.audience;
        let count = |of: &Pending| of.ops.iter().filter(|op| op.audience.contains(audience)).count();
        let (lost, done) = (count(went), count(pending));
        let mut out = Vec::with_capacity(went.bytes.len() + pending.bytes.len() + 64);
        // Since 7.0 whatever comes together is done together, be it a transaction or not.
        let together =
            if release >= Release::V7_0 { lost + done > 1 } else { pending.is_transaction && done > 0 };
        let begin = |own: &mut Self, out: &mut Vec<u8>| {
            if release < Release::V7_0
                && let Some(op) = pending.ops.first()
            {
                own.select(op.db, out);
            }
            write_request(out, [&b"MULTI"[..]].into_iter());
        };
        if together && release >= Release::V7_0 {
            begin(self, &mut out);
        }
        self.copy(went, &mut out);
        if together && release < Release::V7_0 {
            begin(self, &mut out);
        }
        self.copy(pending, &mut out);
        if together {
            write_request(&mut out, [&b"EXEC"[..]].into_iter());
        }
        out
    }

    fn copy(&mut self, from: &Pending, out: &mut Vec<u8>) {
        let mut start = 0;
        for op in &from.ops {
            if op.audience.contains(self.audience) {
                self.select(op.db, out);
                out.extend_from_slice(&from.bytes[start..op.end]);
            }
            start = op.end;
        }
    }

    fn select(&mut self, db: u32, out: &mut Vec<u8>) {
        if self.db != Some(db) {
            self.db = Some(db);
            write_request(out, [&b"SELECT"[..], db.to_string().as_bytes()].into_iter());
        }
    }
}

/// Writes a request as clients send them.
pub fn write_request<'a>(out: &mut Vec<u8>, args: impl ExactSizeIterator<Item = &'a [u8]>) {
    let head = |out: &mut Vec<u8>, sign: u8, number: usize| {
        out.push(sign);
        out.extend_from_slice(Decimal::new(number as i64).as_bytes());
        out.extend_from_slice(b"\r\n");
    };
    head(out, b'*', args.len());
    for arg in args {
        head(out, b'$', arg.len());
        out.extend_from_slice(arg);
        out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Tap for Shared {
        fn put(&mut self, requests: &[u8]) {
            self.0.lock().extend_from_slice(requests);
        }
    }

    /// What replicas and files are told of requests, a word each.
    fn told(
        release: Release,
        is_transaction: bool,
        ops: &[(Audience, u32, &str)],
        gone: &[&str],
    ) -> [String; 2] {
        let (feed, sinks) = (Feed::default(), [Shared::default(), Shared::default()]);
        for (audience, sink) in [Audience::REPLICAS, Audience::FILE].into_iter().zip(&sinks) {
            feed.lines.lock().push(Line { audience, db: None, tap: Box::new(sink.clone()) });
        }
        let mut pending = Pending { is_transaction, ..Pending::default() };
        ops.iter()
            .for_each(|(audience, db, word)| pending.add(*audience, *db, [word.as_bytes()].into_iter()));
        let mut effects = Effects::default();
        let key = |key: &&str| Gone { db: 0, key: key.as_bytes().into(), loss: Loss::Key { lazily: false } };
        effects.gone = gone.iter().map(key).collect();
        feed.add(release, &mut effects, &mut pending);
        assert!(effects.gone.is_empty() && pending.is_empty());
        sinks.map(|sink| {
            let bytes = sink.0.lock();
            let text = String::from_utf8_lossy(&bytes);
            let words = text.split("\r\n").filter(|part| !part.starts_with(['*', '$']));
            words.collect::<Vec<_>>().join(" ").trim_end().to_owned()
        })
    }

    #[test]
    fn each_audience_is_told_of_its_own_and_of_the_database() {
        let ops = [(Audience::all(), 0, "a"), (Audience::REPLICAS, 3, "b"), (Audience::FILE, 0, "c")];
        let [replicas, file] = told(Release::V6_2, false, &ops, &[]);
        assert_eq!(replicas, "SELECT 0 a SELECT 3 b");
        assert_eq!(file, "SELECT 0 a c");
    }

    #[test]
    fn what_comes_together_is_done_together() {
        let one = [(Audience::all(), 1, "a")];
        assert_eq!(told(Release::V7_0, true, &one, &[])[0], "SELECT 1 a");
        assert_eq!(told(Release::V7_0, false, &one, &["k"])[0], "MULTI SELECT 0 DEL k SELECT 1 a EXEC");
        assert_eq!(told(Release::V6_2, true, &one, &[])[0], "SELECT 1 MULTI a EXEC");
        assert_eq!(told(Release::V6_2, false, &one, &["k"])[0], "SELECT 0 DEL k SELECT 1 a");
        assert_eq!(told(Release::V7_0, true, &[], &[])[0], "");
    }
}
