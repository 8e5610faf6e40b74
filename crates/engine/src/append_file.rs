//! The file to which all changes are appended while a node runs (`appendonly`).
//!
//! What commands have changed gathers in a buffer while shards are held, as the stream of changes has it. Before replies
//! go out the buffer is written, so that whoever has been answered finds the change again after the process has been
//! killed; under `appendfsync always` replies wait until the disk has it. One thread for each such file has the system
//! put it on the disk, and sleeps while there is nothing to put there.
//!
//! Locks: the target, then the buffer. The buffer is a leaf lock that is taken under shards, too; whoever takes the
//! target, which is held while something is written, holds no shards.
//!
//! Not here: what the file consists of ([`crate::append_manifest`]), beginning and rewriting it
//! ([`crate::append_rewrite`]), and loading it ([`crate::append_load`]).

use crate::feed::Tap;
use parking_lot::Condvar;
use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use structures::ranked::{Mutex, rank};

/// How long data may wait for the disk under `appendfsync everysec`, and how long after a failure it is tried again.
const SECOND: Duration = Duration::from_secs(1);

/// When appended changes are put on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Policy {
    /// Once a second.
    EverySecond,
    /// Before the client is answered.
    Always,
    /// When the system likes to.
    Never,
}

/// An append-only file; see the module.
#[derive(Default)]
pub struct AppendFile {
    is_on: AtomicBool,
    inner: Arc<Inner>,
}

/// What the tap and the thread share with the node.
#[derive(Default)]
struct Inner {
    policy: AtomicU8,
    buffer: Mutex<Buffer, { rank::APPENDED }>,
    target: Mutex<Option<Target>, { rank::APPEND_FILE }>,
    /// How much has been appended, in bytes since the node began.
    appended: AtomicU64,
    /// How much of it has been written.
    written: AtomicU64,
    /// How much of it is on the disk.
    synced: AtomicU64,
    /// What the file holds, in bytes.
    size: AtomicU64,
    /// What files hold that were written to before it since the keys were last written as a base, in bytes.
    earlier: AtomicU64,
    /// Connections that wait for the disk.
    waiting: Mutex<Vec<Waker>>,
    /// What went wrong when it was last tried to write.
    failure: Mutex<Option<String>>,
    fails: AtomicBool,
    /// Whether the thread has something to do, and whether it is to end.
    duty: parking_lot::Mutex<Duty>,
    called: Condvar,
    is_called: AtomicBool,
}

#[derive(Default)]
struct Duty {
    calls: bool,
    ends: bool,
}

/// What has not been written yet.
#[derive(Default)]
struct Buffer {
    bytes: Vec<u8>,
    /// From where on it goes elsewhere.
    turn: Option<(usize, Turn)>,
}

/// Where changes are written.
struct Target {
    file: Arc<File>,
    /// What the file holds, in bytes.
    size: u64,
    /// Files that were written to and that the disk may not have.
    unsynced: Vec<Arc<File>>,
    /// A second file that gets the same: what has changed while the first is rewritten.
    tail: Option<(File, u64)>,
}

/// What a rewrite does with changes from its cut on.
#[derive(Debug)]
pub enum Turn {
    /// They go to this file instead.
    Next(File),
    /// They go to this file as well.
    Tail(File),
}

/// What takes the stream of changes.
struct Line<T> {
    inner: Arc<Inner>,
    /// Tells the time, in s since the epoch, where notes of it are wanted.
    time: T,
    /// The time that was noted last.
    noted_s: i64,
}

impl<T: Fn() -> Option<i64> + Send> Tap for Line<T> {
    fn put(&mut self, requests: &[u8]) {
        // One note a second, as redis 7.0 writes it.
        let now_s = (self.time)().filter(|&now_s| now_s > self.noted_s);
        let note = now_s.map(note_of_time).unwrap_or_default();
        self.noted_s = now_s.unwrap_or(self.noted_s);
        let mut buffer = self.inner.buffer.lock();
        buffer.bytes.extend_from_slice(note.as_bytes());
        buffer.bytes.extend_from_slice(requests);
        self.inner.appended.fetch_add((note.len() + requests.len()) as u64, Ordering::Release);
    }
}

/// A line that says when what follows it was done, in s since the epoch (`aof-timestamp-enabled`).
pub(crate) fn note_of_time(now_s: i64) -> String {
    format!("#TS:{now_s}\r\n")
}

impl AppendFile {
    /// Whether changes are appended.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Relaxed)
    }

    /// Sets when changes are put on the disk.
    pub fn set_policy(&self, policy: Policy) {
        self.inner.policy.store(policy as u8, Ordering::Relaxed);
        self.inner.call();
    }

    /// Begins to append to a file that holds `size` bytes; `time` tells it, in s since the epoch, where notes of it are
    /// wanted. Gives what takes the stream, and what a thread is to do as long as changes are appended.
    pub(crate) fn begin<T: Fn() -> Option<i64> + Send + 'static>(
        &self,
        file: File,
        size: u64,
        time: T,
    ) -> (Box<dyn Tap>, impl FnOnce() + Send + use<T>) {
        let inner = Arc::clone(&self.inner);
        *inner.buffer.lock() = Buffer::default();
        inner.size.store(size, Ordering::Relaxed);
        inner.earlier.store(0, Ordering::Relaxed);
        let target = Target { file: Arc::new(file), size, unsynced: Vec::new(), tail: None };
        *inner.target.lock() = Some(target);
        *inner.duty.lock() = Duty::default();
        // Nobody has called the thread that is about to be there.
        inner.is_called.store(false, Ordering::Release);
        self.is_on.store(true, Ordering::Relaxed);
        let thread = Arc::clone(&inner);
        (Box::new(Line { inner, time, noted_s: 0 }), move || thread.run())
    }

    /// Appends no more: what there is, is written and put on the disk.
    ///
    /// # Errors
    /// Those of writing.
    pub(crate) fn end(&self) -> io::Result<()> {
        if !self.is_on.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        let outcome = self.inner.sync();
        self.inner.duty.lock().ends = true;
        self.inner.called.notify_all();
        *self.inner.target.lock() = None;
        self.inner.wake();
        outcome
    }

    /// From now on changes go where this says; all shards are held.
    pub(crate) fn turn(&self, turn: Turn) {
        let mut buffer = self.inner.buffer.lock();
        buffer.turn = Some((buffer.bytes.len(), turn));
    }

    /// Has what was begun with [`Turn::Tail`] end: `finish` gets the tail's file and says which file changes go to from
    /// now on, and what it holds. Nothing is written meanwhile.
    pub(crate) fn end_tail(
        &self,
        finish: impl FnOnce(&mut File, u64) -> io::Result<(File, u64)>,
    ) -> io::Result<()> {
        self.inner.write_out()?;
        let mut target = self.inner.target.lock();
        let Some(target) = &mut *target else { return Err(io::Error::other("the file has been ended")) };
        // What has not gotten all would take the place of what has.
        let Some((mut tail, len)) = target.tail.take() else {
            return Err(io::Error::other("what has changed meanwhile could not be written"));
        };
        let (file, size) = finish(&mut tail, len)?;
        let old = std::mem::replace(&mut target.file, Arc::new(file));
        (target.size, target.unsynced) = (size, Vec::new());
        self.inner.size.store(size, Ordering::Relaxed);
        drop(old);
        Ok(())
    }

    /// Forgets a turn that came to nothing, taken or not.
    pub(crate) fn drop_tail(&self) {
        let mut target = self.inner.target.lock();
        let mut buffer = self.inner.buffer.lock();
        buffer.turn.take_if(|(_, turn)| matches!(turn, Turn::Tail(_)));
        if let Some(target) = &mut *target {
            target.tail = None;
        }
    }

    /// Writes what has been appended until now, so that a turn has been taken: the files before it get nothing any more.
    ///
    /// # Errors
    /// Those of writing.
    pub(crate) fn settle_turn(&self) -> io::Result<()> {
        let outcome = self.inner.write_out();
        // Whoever appended it finds it written, and does not ask for more.
        self.inner.call();
        outcome
    }

    /// What has to be on the disk before commands that have run may be answered; nothing if it need not be, or is there.
    pub fn must_be_synced(&self) -> Option<u64> {
        let inner = &self.inner;
        let appended = inner.appended.load(Ordering::Acquire);
        let waits = inner.policy.load(Ordering::Relaxed) == Policy::Always as u8;
        (waits && appended > inner.synced.load(Ordering::Acquire)).then_some(appended)
    }

    /// Writes what has been appended, unless replies wait for the disk anyway. What goes wrong is remembered, and tried
    /// again by the thread.
    pub fn write(&self) {
        let inner = &self.inner;
        if inner.policy.load(Ordering::Relaxed) != Policy::Always as u8
            && inner.appended.load(Ordering::Acquire) > inner.written.load(Ordering::Acquire)
        {
            let _ = inner.write_out();
            inner.call();
        }
    }

    /// Has what was appended written and put on the disk soon, though nobody waits for it.
    #[inline]
    pub fn write_soon(&self) {
        if self.is_on()
            && self.inner.appended.load(Ordering::Relaxed) > self.inner.written.load(Ordering::Relaxed)
        {
            self.inner.call();
        }
    }

    /// Ready when so much is on the disk, or nothing is appended any more; pending as long as it cannot be put there.
    pub fn poll_synced(&self, position: u64, cx: &Context<'_>) -> Poll<()> {
        let inner = &self.inner;
        if inner.synced.load(Ordering::Acquire) >= position || !self.is_on() {
            return Poll::Ready(());
        }
        {
            let mut waiting = inner.waiting.lock();
            if !waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
                waiting.push(cx.waker().clone());
            }
        }
        // It may have been put there in between.
        if inner.synced.load(Ordering::Acquire) >= position {
            return Poll::Ready(());
        }
        inner.call();
        Poll::Pending
    }

    /// How much has been appended, and how much of it is on the disk, in bytes since the node began.
    pub fn positions(&self) -> (u64, u64) {
        (self.inner.appended.load(Ordering::Acquire), self.inner.synced.load(Ordering::Acquire))
    }

    /// Why it could not be written last, if it could not.
    pub fn failure(&self) -> Option<String> {
        self.inner.failure.lock().clone()
    }

    /// Whether it could not be written last.
    #[inline]
    pub fn fails(&self) -> bool {
        self.inner.fails.load(Ordering::Relaxed)
    }

    /// What the file holds that changes are appended to, with those before it that have not been rewritten, in bytes.
    #[inline]
    pub fn size(&self) -> u64 {
        self.inner.size.load(Ordering::Relaxed) + self.inner.earlier.load(Ordering::Relaxed)
    }

    /// The files before that to which changes are appended have been rewritten.
    pub(crate) fn forget_earlier(&self) {
        self.inner.earlier.store(0, Ordering::Relaxed);
    }

    /// What waits to be written, in bytes.
    pub fn buffered(&self) -> u64 {
        self.inner.buffer.lock().bytes.len() as u64
    }
}

impl Drop for AppendFile {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

impl Inner {
    /// Has the thread look for something to do.
    fn call(&self) {
        if !self.is_called.swap(true, Ordering::AcqRel) {
            self.duty.lock().calls = true;
            self.called.notify_one();
        }
    }

    /// What the thread does until it is told to end.
    fn run(&self) {
        loop {
            {
                let mut duty = self.duty.lock();
                while !duty.calls && !duty.ends {
                    self.called.wait(&mut duty);
                }
                if duty.ends {
                    return;
                }
                duty.calls = false;
                self.is_called.store(false, Ordering::Release);
            }
            let policy = self.policy.load(Ordering::Relaxed);
            let outcome = if policy == Policy::Never as u8 { self.write_out() } else { self.sync() };
            let failed = outcome.is_err();
            if failed || policy != Policy::Always as u8 {
                let mut duty = self.duty.lock();
                self.called.wait_while_for(&mut duty, |duty| !duty.ends, SECOND);
                duty.calls |= failed;
            }
        }
    }

    /// Writes what has been appended.
    fn write_out(&self) -> io::Result<()> {
        let mut target = self.target.lock();
        let Some(target) = &mut *target else { return Ok(()) };
        let (bytes, mut turn, appended) = {
            let mut buffer = self.buffer.lock();
            let Buffer { bytes, turn } = std::mem::take(&mut *buffer);
            (bytes, turn, self.appended.load(Ordering::Acquire))
        };
        let before = turn.as_ref().map_or(bytes.len(), |(at, _)| *at);
        let mut done = 0;
        let mut write = || {
            target.append(&bytes[..before])?;
            done = before;
            if let Some((_, turn)) = turn.take() {
                self.earlier.fetch_add(target.take_turn(turn), Ordering::Relaxed);
            }
            target.append(&bytes[before..])
        };
        let outcome = write();
        self.size.store(target.size, Ordering::Relaxed);
        if outcome.is_ok() {
            self.written.store(appended, Ordering::Release);
            // The memory of a buffer of usual size serves again.
            let mut buffer = self.buffer.lock();
            if buffer.bytes.is_empty() && bytes.capacity() <= 1 << 20 {
                let mut bytes = bytes;
                bytes.clear();
                buffer.bytes = bytes;
            }
        } else {
            let mut buffer = self.buffer.lock();
            let rest = bytes[done..].to_vec();
            let newer = std::mem::replace(&mut buffer.bytes, rest);
            // Whoever turned meanwhile did so in what comes later. The earlier turn has come to nothing then: what it
            // was for is over.
            let offset = buffer.bytes.len();
            let later = buffer.turn.take().map(|(at, turn)| (at + offset, turn));
            buffer.turn = later.or(turn.map(|turn| (before - done, turn.1)));
            buffer.bytes.extend_from_slice(&newer);
        }
        self.remember(&outcome);
        outcome
    }

    /// Writes what has been appended and puts it on the disk.
    fn sync(&self) -> io::Result<()> {
        self.write_out()?;
        let (mut files, written) = {
            let mut target = self.target.lock();
            let Some(target) = &mut *target else { return Ok(()) };
            let mut files = std::mem::take(&mut target.unsynced);
            files.push(Arc::clone(&target.file));
            (files, self.written.load(Ordering::Acquire))
        };
        if written > self.synced.load(Ordering::Acquire) {
            let outcome = files.iter().try_for_each(|file| file.sync_data());
            self.remember(&outcome);
            if outcome.is_err() {
                // None of them counts as being on the disk.
                files.pop();
                if let Some(target) = &mut *self.target.lock() {
                    target.unsynced.extend(files);
                }
            }
            outcome?;
            self.synced.fetch_max(written, Ordering::AcqRel);
        }
        self.wake();
        Ok(())
    }

    fn remember(&self, outcome: &io::Result<()>) {
        self.fails.store(outcome.is_err(), Ordering::Relaxed);
        *self.failure.lock() = outcome.as_ref().err().map(crate::error::of_system);
    }

    fn wake(&self) {
        let waiting = std::mem::take(&mut *self.waiting.lock());
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl Target {
    /// Appends all of this or, if that cannot be done, none of it.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        if let Err(error) = (&*self.file).write_all(bytes) {
            // A request that is there in part would be the end of the file when it is loaded.
            let _ = self.file.set_len(self.size);
            return Err(error);
        }
        self.size += bytes.len() as u64;
        if let Some((tail, len)) = &mut self.tail {
            // Without its tail a rewrite fails; nothing is lost by that.
            match tail.write_all(bytes) {
                Ok(()) => *len += bytes.len() as u64,
                Err(_) => self.tail = None,
            }
        }
        Ok(())
    }

    /// Gives what the file holds to which nothing goes any more, in bytes.
    fn take_turn(&mut self, turn: Turn) -> u64 {
        match turn {
            Turn::Next(file) => {
                let old = std::mem::replace(&mut self.file, Arc::new(file));
                self.unsynced.push(old);
                std::mem::take(&mut self.size)
            }
            Turn::Tail(file) => {
                self.tail = Some((file, 0));
                0
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn open(path: &std::path::Path) -> File {
        File::options().create(true).append(true).open(path).unwrap()
    }

    #[test]
    fn changes_are_on_the_disk_before_they_are_answered_if_they_have_to_be() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let append = AppendFile::default();
        append.set_policy(Policy::Always);
        let (mut tap, thread) = append.begin(open(&path), 0, || None);
        let thread = std::thread::spawn(thread);
        assert_eq!(append.must_be_synced(), None);
        tap.put(b"one");
        let position = append.must_be_synced().expect("it is not there yet");
        let cx = &Context::from_waker(Waker::noop());
        while append.poll_synced(position, cx).is_pending() {
            std::thread::yield_now();
        }
        assert_eq!(fs::read(&path).unwrap(), b"one");
        append.set_policy(Policy::Never);
        tap.put(b"two");
        assert_eq!(append.must_be_synced(), None);
        append.write();
        assert_eq!(fs::read(&path).unwrap(), b"onetwo");
        append.end().unwrap();
        thread.join().unwrap();
    }

    #[test]
    fn what_a_turn_had_written_goes_on_the_disk_though_nobody_appends_more() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let append = AppendFile::default();
        let (mut tap, thread) = append.begin(open(&path("a")), 0, || None);
        let thread = std::thread::spawn(thread);
        append.turn(Turn::Next(open(&path("b"))));
        tap.put(b"1");
        append.settle_turn().unwrap();
        append.write();
        append.write_soon();
        while append.positions() != (1, 1) {
            std::thread::yield_now();
        }
        append.end().unwrap();
        thread.join().unwrap();
    }

    #[test]
    fn changes_go_elsewhere_from_a_turn_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let append = AppendFile::default();
        let (mut tap, _) = append.begin(open(&path("a")), 0, || None);
        tap.put(b"1");
        append.turn(Turn::Next(open(&path("b"))));
        tap.put(b"2");
        append.write();
        assert_eq!(
            (fs::read(path("a")).unwrap(), fs::read(path("b")).unwrap()),
            (b"1".to_vec(), b"2".to_vec())
        );
        assert_eq!(append.size(), 2, "the first file counts until it has been rewritten");
        append.forget_earlier();
        assert_eq!(append.size(), 1);
        tap.put(b"3");
        append.turn(Turn::Tail(open(&path("tail"))));
        tap.put(b"4");
        append.write();
        tap.put(b"5");
        append
            .end_tail(|_, len| {
                assert_eq!((len, fs::read(path("tail")).unwrap()), (2, b"45".to_vec()));
                Ok((open(&path("c")), 0))
            })
            .unwrap();
        tap.put(b"6");
        append.end().unwrap();
        assert_eq!(
            (fs::read(path("b")).unwrap(), fs::read(path("c")).unwrap()),
            (b"2345".to_vec(), b"6".to_vec())
        );
    }

    #[test]
    fn a_file_that_has_not_gotten_all_takes_nobodys_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let append = AppendFile::default();
        let (mut tap, _) = append.begin(open(&path("a")), 0, || None);
        fs::write(path("tail"), b"").unwrap();
        append.turn(Turn::Tail(File::open(path("tail")).unwrap()));
        tap.put(b"1");
        append.write();
        assert!(append.end_tail(|_, _| panic!("it takes nothing")).is_err());
        // A turn that was not taken is forgotten, too.
        append.turn(Turn::Tail(open(&path("tail"))));
        append.drop_tail();
        tap.put(b"2");
        append.end().unwrap();
        assert_eq!(
            (fs::read(path("a")).unwrap(), fs::read(path("tail")).unwrap()),
            (b"12".to_vec(), Vec::new())
        );
    }

    #[test]
    fn of_two_turns_that_could_not_be_taken_the_later_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("a"), b"").unwrap();
        let append = AppendFile::default();
        let (mut tap, _) = append.begin(File::open(path("a")).unwrap(), 0, || None);
        tap.put(b"1");
        append.turn(Turn::Next(open(&path("b"))));
        tap.put(b"2");
        append.write();
        assert!(append.fails() && append.settle_turn().is_err());
        append.turn(Turn::Next(open(&path("c"))));
        tap.put(b"3");
        append.inner.target.lock().as_mut().unwrap().file = Arc::new(open(&path("a")));
        append.settle_turn().unwrap();
        let read = |name: &str| String::from_utf8(fs::read(path(name)).unwrap()).unwrap();
        assert_eq!((read("a"), read("b"), read("c")), ("12".into(), String::new(), "3".into()));
    }

    #[test]
    fn what_cannot_be_written_is_kept_and_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, b"").unwrap();
        let append = AppendFile::default();
        // Opened for reading, it takes nothing.
        let (mut tap, _) = append.begin(File::open(&path).unwrap(), 0, || None);
        tap.put(b"one");
        append.write();
        assert!(append.fails() && append.failure().is_some());
        append.inner.target.lock().as_mut().unwrap().file = Arc::new(open(&path));
        tap.put(b"two");
        append.write();
        assert!(!append.fails() && append.failure().is_none());
        assert_eq!(fs::read(&path).unwrap(), b"onetwo");
    }
}
