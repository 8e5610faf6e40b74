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
use resp::Reply;
use std::sync::atomic::{AtomicU8, Ordering};
use structures::ranked::{Mutex, rank};

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
    lines: Mutex<Vec<Line>, { rank::FEED }>,
}

/// A tap, and what it has been told.
struct Line {
    audience: Audience,
    /// The database that is selected; nothing at the beginning.
    db: Option<u32>,
    tap: Box<dyn Tap>,
}

/// Requests, each for some.
#[derive(Default)]
struct Requests {
    ops: Vec<Op>,
    /// Clients write requests as servers write arrays of strings.
    bytes: Reply,
}

/// One of several requests.
struct Op {
    audience: Audience,
    db: u32,
    /// Where its bytes end.
    end: usize,
}

impl Requests {
    fn add<'a>(&mut self, audience: Audience, db: u32, args: impl ExactSizeIterator<Item = &'a [u8]>) {
        write(&mut self.bytes, args);
        self.ops.push(Op { audience, db, end: self.bytes.len() });
    }

    /// The database and the bytes of each that is for these.
    fn of(&self, audience: Audience) -> impl Iterator<Item = (u32, &[u8])> {
        let mut start = 0;
        self.ops.iter().filter_map(move |op| {
            let bytes = &self.bytes.bytes()[std::mem::replace(&mut start, op.end)..op.end];
            op.audience.contains(audience).then_some((op.db, bytes))
        })
    }

    fn clear(&mut self) {
        /// Larger buffers are given back.
        const KEPT_BYTES: usize = 64 << 10;
        self.ops.clear();
        if self.bytes.len() > KEPT_BYTES {
            self.bytes = Reply::default();
        }
        self.bytes.clear();
    }
}

/// What commands that have run add to the stream.
#[derive(Default)]
pub(crate) struct Pending {
    requests: Requests,
    /// Whether the command that runs has said how it is to be repeated.
    said: bool,
    /// The transaction that runs.
    transaction: Option<Transaction>,
}

/// A transaction as releases before 7.0 repeat it: `MULTI` and `EXEC` are requests of their own. Later ones put them
/// around whatever is done together.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Transaction {
    /// Nothing of it has been repeated.
    Silent,
    /// It has begun.
    Begun,
}

impl Pending {
    /// Repeats a request, in a database. What has `gone` by itself until now comes before it.
    pub(crate) fn add<'a>(
        &mut self,
        release: Release,
        gone: &mut Vec<Gone>,
        audience: Audience,
        db: u32,
        args: impl ExactSizeIterator<Item = &'a [u8]>,
    ) {
        self.add_gone(release, gone);
        self.begin_repeating(release, db);
        self.requests.add(audience, db, args);
        self.said = true;
    }

    /// Repeats what has gone by itself.
    fn add_gone(&mut self, release: Release, gone: &mut Vec<Gone>) {
        for Gone { db, key, loss } in gone.drain(..) {
            let all = Audience::all();
            self.begin_repeating(release, db);
            match loss {
                Loss::Key { lazily } => {
                    let name: &[u8] = if lazily { b"UNLINK" } else { b"DEL" };
                    self.requests.add(all, db, [name, &key].into_iter());
                }
                Loss::Field(field) => self.requests.add(all, db, [&b"HDEL"[..], &key, &field].into_iter()),
            }
        }
    }

    /// In 6.2 the first request of a transaction has it begin.
    fn begin_repeating(&mut self, release: Release, db: u32) {
        if self.transaction == Some(Transaction::Silent) && release == Release::V6_2 {
            self.begin(db);
        }
    }

    fn begin(&mut self, db: u32) {
        self.transaction = Some(Transaction::Begun);
        self.requests.add(Audience::all(), db, [&b"MULTI"[..]].into_iter());
    }

    /// Does not repeat the command that runs as it is.
    pub(crate) fn say_nothing(&mut self) {
        self.said = true;
    }

    /// Whether a transaction runs.
    pub(crate) fn is_in_transaction(&self) -> bool {
        self.transaction.is_some()
    }

    /// Whatever comes now is a part of a transaction.
    pub(crate) fn begin_transaction(&mut self) {
        self.transaction = Some(Transaction::Silent);
    }

    /// Before a command of a transaction. Up to 5.0 one that is not only for reading has it begin, whatever it does.
    pub(crate) fn begin_queued(&mut self, release: Release, db: u32, may_change: bool) {
        if may_change && self.transaction == Some(Transaction::Silent) && release < Release::V6_2 {
            self.begin(db);
        }
    }

    /// Ends a transaction, by this request in this database.
    pub(crate) fn end_transaction<'a>(&mut self, db: u32, args: impl ExactSizeIterator<Item = &'a [u8]>) {
        if self.transaction.take() == Some(Transaction::Begun) {
            self.requests.add(Audience::all(), db, args);
        }
    }

    /// Ends a command; if it has changed something and not said how it is to be repeated, it is repeated as it came.
    pub(crate) fn end_command<'a>(
        &mut self,
        release: Release,
        gone: &mut Vec<Gone>,
        has_changed: bool,
        db: u32,
        args: impl ExactSizeIterator<Item = &'a [u8]>,
    ) {
        if has_changed && !self.said {
            self.add(release, gone, Audience::all(), db, args);
        } else {
            self.add_gone(release, gone);
        }
        self.said = false;
    }

    fn clear(&mut self) {
        self.requests.clear();
        (self.said, self.transaction) = (false, None);
    }
}

impl Feed {
    /// Whether anybody takes the stream.
    #[inline]
    pub fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed) != 0
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

    /// Tells the taps of an audience of the selected database again: they begin anew. All shards must be held.
    pub(crate) fn select_again(&self, held: &Locked, audience: Audience) {
        debug_assert!(held.holds_all());
        let mut lines = self.lines.lock();
        lines.iter_mut().filter(|line| line.audience == audience).for_each(|line| line.db = None);
    }

    /// Adds what a command or a transaction has brought about, or, if `is_command` does not hold, what went by itself
    /// without any.
    #[cold]
    pub(crate) fn add(
        &self,
        release: Release,
        effects: &mut Effects,
        pending: &mut Pending,
        is_command: bool,
    ) {
        pending.add_gone(release, &mut effects.gone);
        let requests = &pending.requests;
        if !requests.ops.is_empty() {
            // Since 7.0 whatever comes of a command is done together, be it of a transaction or not.
            let together = is_command && release >= Release::V7_0 && requests.ops.len() > 1;
            self.lines.lock().iter_mut().for_each(|line| line.put(requests, together));
        }
        pending.clear();
    }
}

impl Line {
    /// Tells the tap of these.
    fn put(&mut self, requests: &Requests, together: bool) {
        if let [op] = &requests.ops[..]
            && self.db == Some(op.db)
            && op.audience.contains(self.audience)
        {
            // Most commands are repeated as one request, in the database of the one before.
            return self.tap.put(requests.bytes.bytes());
        }
        let mut out = Reply::default();
        let ends = requests.ops.first().zip(requests.ops.last()).filter(|_| together);
        if let Some((first, _)) = ends {
            self.select(first.db, &mut out);
            write(&mut out, [&b"MULTI"[..]].into_iter());
        }
        for (db, bytes) in requests.of(self.audience) {
            self.select(db, &mut out);
            out.raw(bytes);
        }
        if let Some((_, last)) = ends {
            self.select(last.db, &mut out);
            write(&mut out, [&b"EXEC"[..]].into_iter());
        }
        if !out.is_empty() {
            self.tap.put(out.bytes());
        }
    }

    fn select(&mut self, db: u32, out: &mut Reply) {
        if self.db != Some(db) {
            self.db = Some(db);
            write(out, [&b"SELECT"[..], db.to_string().as_bytes()].into_iter());
        }
    }
}

/// Writes a request.
fn write<'a>(out: &mut Reply, args: impl ExactSizeIterator<Item = &'a [u8]>) {
    out.array(args.len());
    args.for_each(|arg| out.bulk(arg));
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

    /// What replicas and files are told of what two commands bring about, a word each request.
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
        let mut pending = Pending::default();
        let mut effects = Effects::default();
        let key = |key: &&str| Gone { db: 0, key: key.as_bytes().into(), loss: Loss::Key { lazily: false } };
        effects.gone = gone.iter().map(key).collect();
        if is_transaction {
            pending.begin_transaction();
        }
        for (audience, db, word) in ops {
            pending.begin_queued(release, *db, true);
            pending.add(release, &mut effects.gone, *audience, *db, [word.as_bytes()].into_iter());
        }
        pending.end_transaction(0, [&b"exec"[..]].into_iter());
        feed.add(release, &mut effects, &mut pending, true);
        assert!(effects.gone.is_empty() && pending.requests.ops.is_empty());
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
        let (one, two) =
            ([(Audience::all(), 1, "a")], [(Audience::all(), 1, "a"), (Audience::REPLICAS, 1, "b")]);
        assert_eq!(told(Release::V7_0, true, &one, &[])[0], "SELECT 1 a");
        assert_eq!(told(Release::V7_0, true, &two, &[])[0], "SELECT 1 MULTI a b EXEC");
        assert_eq!(told(Release::V7_0, true, &two, &[])[1], "SELECT 1 MULTI a EXEC");
        assert_eq!(told(Release::V7_0, false, &one, &["k"])[0], "SELECT 0 MULTI DEL k SELECT 1 a EXEC");
        assert_eq!(told(Release::V7_0, true, &[], &[])[0], "");
    }

    #[test]
    fn before_7_0_a_transaction_begins_and_ends_in_its_databases() {
        let one = [(Audience::all(), 1, "a")];
        assert_eq!(told(Release::V6_2, true, &one, &[])[0], "SELECT 1 MULTI a SELECT 0 exec");
        assert_eq!(
            told(Release::V6_2, true, &one, &["k"])[0],
            "SELECT 0 MULTI DEL k SELECT 1 a SELECT 0 exec"
        );
        assert_eq!(told(Release::V6_2, false, &one, &["k"])[0], "SELECT 0 DEL k SELECT 1 a");
        assert_eq!(told(Release::V6_2, true, &[], &[])[0], "");
        assert_eq!(told(Release::V5_0, true, &one, &[])[0], "SELECT 1 MULTI a SELECT 0 exec");
    }
}
