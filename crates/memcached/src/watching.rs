//! Who watches what a node does, and what they are told: `watch`.
//!
//! Invariants:
//! - While nobody watches, a lookup costs nothing more: a shard knows by its [`Attention`], which it looks at anyway,
//!   whether there is anything to tell.
//! - A watcher that reads slowly costs [`LINES_BYTES`] twice: what comes beyond is skipped, and it is told how much.
//!
//! Deliberately not here: what memcached tells of threads that a node has not (`sysevents`) and of its proxy. It may be
//! watched for, and nothing comes.
//!
//! Source: observed on memcached 1.6.18.

use std::cell::Cell;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};

use memcache_wire::{Error, Words, percent};
use structures::ranked::Mutex;

use crate::attention::Attention;
use crate::clients::Client;
use crate::clock::Now;

/// The most watchers, as in memcached.
const WATCHERS_MAX: usize = 20;
/// What waits to be sent to one watcher, in bytes, as in memcached.
pub(crate) const LINES_BYTES: usize = 256 << 10;

/// What can be watched, by the words of `watch`.
static WATCHED: [(&[u8], Attention); 9] = [
    (b"fetchers", Attention::FETCHERS),
    (b"mutations", Attention::MUTATIONS),
    (b"evictions", Attention::EVICTIONS),
    (b"connevents", Attention::CONNECTIONS),
    (b"sysevents", Attention::empty()),
    (b"proxyreqs", Attention::empty()),
    (b"proxyevents", Attention::empty()),
    (b"proxyuser", Attention::empty()),
    (b"rawcmds", Attention::empty()),
];

thread_local! {
    /// Whom this thread serves: the number of a connection.
    static SERVED: Cell<u64> = const { Cell::new(0) };
}

/// Takes note of whom this thread serves from now on.
#[inline]
pub(crate) fn serve(client: u64) {
    SERVED.set(client);
}

/// What the words of `watch` mean: lookups if there are none.
pub(crate) fn wanted(words: Words) -> Result<Attention, Error> {
    if words.is_empty() {
        return Ok(Attention::FETCHERS);
    }
    let mut all = Attention::empty();
    for word in words {
        let known = WATCHED.iter().find(|(name, _)| *name == word);
        all |= known.ok_or(Error::Unknown)?.1;
    }
    Ok(all)
}

/// The watchers of a node.
#[derive(Debug, Default)]
pub(crate) struct Watchers {
    /// What any of them wants, for those who do not want to wait to know that.
    wanted: AtomicU8,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    all: Vec<Watcher>,
    last_id: u64,
    /// The number of the last line.
    last_line: u64,
    /// The line that is being told.
    line: Vec<u8>,
    counts: Counts,
}

/// What is counted of lines.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// Lines that somebody watched for.
    pub(crate) written: u64,
    /// Lines that were given to watchers, and that were not.
    pub(crate) sent: u64,
    pub(crate) skipped: u64,
}

#[derive(Debug)]
struct Watcher {
    id: u64,
    wants: Attention,
    /// What has yet to be sent.
    lines: Vec<u8>,
    /// Lines that found no room behind these.
    skipped: u64,
    /// Wakes whoever sends, once.
    waker: Option<Waker>,
}

/// One who watches; no longer when it is dropped.
#[derive(Debug)]
pub struct Watch {
    watchers: Arc<Watchers>,
    id: u64,
}

impl Watch {
    /// What is to be sent next. Ready when there is something.
    pub(crate) fn poll_lines(&self, context: &Context<'_>) -> Poll<Vec<u8>> {
        let mut state = self.watchers.state.lock();
        let Some(watcher) = state.all.iter_mut().find(|watcher| watcher.id == self.id) else {
            return Poll::Pending;
        };
        if watcher.lines.is_empty() {
            watcher.waker = Some(context.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(std::mem::take(&mut watcher.lines))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut state = self.watchers.state.lock();
        state.all.retain(|watcher| watcher.id != self.id);
        self.watchers.note_wanted(&state);
    }
}

impl Watchers {
    /// Has somebody watch from now on, as far as shards know of it.
    ///
    /// # Errors
    /// There are too many already.
    pub(crate) fn add(self: &Arc<Self>, wants: Attention) -> Result<Watch, Error> {
        let mut state = self.state.lock();
        if state.all.len() == WATCHERS_MAX {
            return Err(Error::WatchersTooMany);
        }
        state.last_id += 1;
        let id = state.last_id;
        state.all.push(Watcher { id, wants, lines: Vec::new(), skipped: 0, waker: None });
        self.note_wanted(&state);
        Ok(Watch { watchers: Arc::clone(self), id })
    }

    fn note_wanted(&self, state: &State) {
        let all = state.all.iter().fold(Attention::empty(), |all, watcher| all | watcher.wants);
        self.wanted.store(all.bits(), Relaxed);
    }

    /// What any of them wants.
    #[inline]
    pub(crate) fn wanted(&self) -> Attention {
        Attention::from_bits_truncate(self.wanted.load(Relaxed))
    }

    /// How many there are, and what was counted.
    pub(crate) fn counts(&self) -> (usize, Counts) {
        let state = self.state.lock();
        (state.all.len(), state.counts)
    }

    /// Forgets what was counted.
    pub(crate) fn forget_counts(&self) {
        self.state.lock().counts = Counts::default();
    }

    /// Tells those who want such lines what `write` writes behind time and number.
    #[cold]
    fn tell(&self, what: Attention, now: Now, write: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.state.lock();
        let State { all, last_line, line, counts, .. } = &mut *state;
        *last_line += 1;
        line.clear();
        let (second, ms) = (now.ms.div_euclid(1000), now.ms.rem_euclid(1000));
        // A vector takes everything that is written here.
        let _ = write!(line, "ts={second}.{ms:03}000 gid={last_line} ");
        write(line);
        line.push(b'\n');
        counts.written += 1;
        for watcher in all.iter_mut().filter(|watcher| watcher.wants.contains(what)) {
            let begin = watcher.lines.len();
            if watcher.skipped > 0 {
                let _ = writeln!(watcher.lines, "skipped={}", watcher.skipped);
            }
            if watcher.lines.len() + line.len() > LINES_BYTES {
                watcher.lines.truncate(begin);
                watcher.skipped += 1;
                counts.skipped += 1;
                continue;
            }
            watcher.lines.extend_from_slice(line);
            watcher.skipped = 0;
            counts.sent += 1;
            if let Some(waker) = watcher.waker.take() {
                waker.wake();
            }
        }
    }

    /// Tells that an item was looked up.
    #[cold]
    pub(crate) fn tell_lookup(&self, key: &[u8], status: &str, class: usize, bytes: usize, now: Now) {
        self.tell(Attention::FETCHERS, now, |line| {
            line.extend_from_slice(b"type=item_get key=");
            percent::encode(key, line);
            let client = SERVED.get();
            let _ = write!(line, " status={status} clsid={class} cfd={client} size={bytes}");
        });
    }

    /// Tells what became of an item that was to be stored.
    #[cold]
    pub(crate) fn tell_store(&self, key: &[u8], stored: &Told, now: Now) {
        self.tell(Attention::MUTATIONS, now, |line| {
            let Told { status, command, expires, class, bytes } = *stored;
            line.extend_from_slice(b"type=item_store key=");
            percent::encode(key, line);
            let ttl_s = if expires == 0 { 0 } else { expires.wrapping_sub(now.second) };
            let client = SERVED.get();
            let _ = write!(
                line,
                " status={status} cmd={command} ttl={ttl_s} clsid={class} cfd={client} size={bytes}"
            );
        });
    }

    /// Tells that an item was evicted.
    #[cold]
    pub(crate) fn tell_eviction(&self, item: &Evicted<'_>, now: Now) {
        self.tell(Attention::EVICTIONS, now, |line| {
            let Evicted { key, is_fetched, expires, unused_s, class, bytes } = *item;
            line.extend_from_slice(b"type=eviction key=");
            percent::encode(key, line);
            let ttl_s = if expires == 0 { -1 } else { i64::from(expires) - i64::from(now.second) };
            let fetch = if is_fetched { "yes" } else { "no" };
            let _ = write!(line, " fetch={fetch} ttl={ttl_s} la={unused_s} clsid={class} size={bytes}");
        });
    }

    /// Tells that a connection has been made, if anybody wants to know.
    pub(crate) fn tell_coming(&self, client: &Client, now: Now) {
        self.tell_connection("conn_new", client, "", now);
    }

    /// Tells that a connection has ended and why, if anybody wants to know.
    pub(crate) fn tell_leaving(&self, client: &Client, why: Ended, now: Now) {
        let reason = match why {
            Ended::Normally => " reason=normal",
            Ended::Idle => " reason=idle_timeout",
            Ended::Wrongly => " reason=error",
        };
        self.tell_connection("conn_close", client, reason, now);
    }

    fn tell_connection(&self, what: &str, client: &Client, reason: &str, now: Now) {
        if self.wanted().contains(Attention::CONNECTIONS) {
            self.tell(Attention::CONNECTIONS, now, |line| {
                let (ip, port, id) = (client.peer.ip(), client.peer.port(), client.id);

                let _ = write!(line, "type={what} rip={ip} rport={port} transport=tcp{reason} cfd={id}");
            });
        }
    }
}

/// What is told of an item that was to be stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told<'a> {
    pub(crate) status: &'a str,
    pub(crate) command: &'a str,
    /// The second at which it expires; zero for never.
    pub(crate) expires: u32,
    pub(crate) class: usize,
    /// The length of its value.
    pub(crate) bytes: usize,
}

/// What is told of an item that was evicted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Evicted<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) is_fetched: bool,
    /// The second at which it would have expired; zero for never.
    pub(crate) expires: u32,
    /// How long it had not been used, in seconds.
    pub(crate) unused_s: u32,
    pub(crate) class: usize,
    /// The length of its value.
    pub(crate) bytes: usize,
}

/// Why a connection has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Either side has hung up.
    Normally,
    /// The client said nothing for too long.
    Idle,
    /// Nothing could be read or sent, or what came made no sense.
    Wrongly,
}
