//! Snapshots for replicas that have nothing to go on from.
//!
//! Replicas that ask for all keys while a snapshot is being sent wait for the next one, which they get together: each
//! piece goes to all of them, at the pace of the slowest. No file is written, whatever `repl-diskless-sync` says; to
//! replicas that have to be told the length first the snapshot is sent from memory.
//!
//! A keeper tells replicas that their master is there (`repl-ping-replica-period`), and forgets the stream when there has
//! been none for long (`repl-backlog-ttl`). While there is neither, nothing happens.

use crate::clock::Clock;
use crate::connection::Place;
use crate::hold::hold;
use bytes::Bytes;
use engine::Node;
use engine::save::Save;
use replication::{Capabilities, Replica, Stage};
use std::future::poll_fn;
use std::io::{Error, ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;
use structures::ranked::Mutex;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::{Notify, oneshot};

/// Pieces of a snapshot that wait for a replica at most.
const PIECES: usize = 8;
/// The size of a piece that is sent from memory, in bytes.
const PIECE: usize = 64 << 10;
/// While it is waited for further replicas it is looked this often whether those that came are still there, in ms.
const STILL_WAITS_MS: i64 = 1_000;
/// How long to wait while something else takes a snapshot, in ms.
const BUSY_MS: u64 = 10;

/// What a replica is to be sent.
#[derive(Debug)]
pub(crate) enum Part {
    /// A piece.
    Bytes(Bytes),
    /// That was all; how far the replica has come by that.
    End(Stage),
}

/// Snapshots for the replicas of a node; see the module.
#[derive(Debug, Default)]
pub(crate) struct Syncs {
    state: Mutex<State>,
    joined: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<Waiting>,
    /// Whether somebody takes care of those who wait.
    runs: bool,
}

#[derive(Debug)]
struct Waiting {
    client: u64,
    to: Sender<Part>,
}

/// Why a snapshot cannot be begun yet.
enum Delay {
    /// Somebody holds this shard.
    Shard(usize),
    /// There is another snapshot.
    Busy,
}

impl Syncs {
    /// Has a replica sent all keys.
    pub(crate) fn join(self: &Arc<Self>, place: &Place, client: u64) -> Receiver<Part> {
        let (to, from) = channel(PIECES);
        let mut state = self.state.lock();
        state.waiting.push(Waiting { client, to });
        self.joined.notify_one();
        if !std::mem::replace(&mut state.runs, true) {
            tokio::spawn(run(Arc::clone(self), place.clone()));
        }
        from
    }

    /// After how long a silent replica or master is given up, in ms.
    pub(crate) fn timeout_ms(&self, node: &Node) -> i64 {
        number(node, "repl-timeout") * 1000
    }
}

/// The value of a parameter that is a number; zero in releases that do not have it.
pub(crate) fn number(node: &Node, name: &str) -> i64 {
    node.configuration.recorded(name).map_or(0, |value| value.number() as i64)
}

/// Sends snapshots as long as somebody waits for one.
async fn run(syncs: Arc<Syncs>, place: Place) {
    let node = &place.node;
    loop {
        wait_for_more(&syncs, &place).await;
        let waiting = std::mem::take(&mut syncs.state.lock().waiting);
        let mut group: Vec<(Waiting, Replica)> = Vec::new();
        for waiting in waiting.into_iter().filter(|waiting| !waiting.to.is_closed()) {
            if let Some(replica) = node.replicas.replica(waiting.client) {
                group.push((waiting, replica));
            }
        }
        if !group.is_empty() {
            send(&place, group).await;
        }
        let mut state = syncs.state.lock();
        if state.waiting.is_empty() {
            state.runs = false;
            return;
        }
    }
}

/// Gives further replicas some time to come, so that they get the same snapshot.
async fn wait_for_more(syncs: &Syncs, place: &Place) {
    let node = &place.node;
    let is_diskless = node.configuration.named("repl-diskless-sync").is_some_and(|value| value.is_on());
    if !is_diskless {
        return;
    }
    let until_ms = place.clock.wall_ms() + number(node, "repl-diskless-sync-delay") * 1000;
    let most = number(node, "repl-diskless-sync-max-replicas");
    loop {
        let waiting = {
            let mut state = syncs.state.lock();
            state.waiting.retain(|waiting| !waiting.to.is_closed());
            state.waiting.len()
        };
        let now_ms = place.clock.wall_ms();
        if waiting == 0 || most > 0 && waiting as i64 >= most || now_ms >= until_ms {
            return;
        }
        tokio::select! {
            () = place.clock.sleep_until(until_ms.min(now_ms + STILL_WAITS_MS)) => {}
            () = syncs.joined.notified() => {}
        }
    }
}

/// Sends a snapshot to some replicas.
async fn send(place: &Place, group: Vec<(Waiting, Replica)>) {
    let node = &place.node;
    let clients: Vec<u64> = group.iter().map(|(waiting, _)| waiting.client).collect();
    let (save, position) = loop {
        match begin(place, &clients) {
            Ok(begun) => break begun,
            Err(Delay::Shard(shard)) => poll_fn(|cx| node.keyspace.poll_free(shard, cx)).await,
            Err(Delay::Busy) => tokio::time::sleep(Duration::from_millis(BUSY_MS)).await,
        }
    };
    let (done, is_done) = oneshot::channel();
    let work = move |node: &Node| {
        write(node, save, position, group);
        node.do_what_waited();
        // Whoever waited for it may have gone.
        let _ = done.send(());
    };
    node.host.background("sync", Box::new(work));
    let _ = is_done.await;
}

/// Begins a snapshot.
fn begin(place: &Place, clients: &[u64]) -> Result<(Save, engine::replicas::Place), Delay> {
    let node = &place.node;
    let mut held = node.keyspace.lock(node.keyspace.all()).map_err(Delay::Shard)?;
    let mut save = Save::begin(node, &mut held, place.clock.wall_ms()).map_err(|_| Delay::Busy)?;
    let position = node.begin_sync(&held, clients);
    let offset = position.offset.cast_signed();
    save.position = Some((position.db.into(), position.id.to_string(), offset));
    Ok((save, position))
}

/// Writes a snapshot for some replicas.
fn write(node: &Node, save: Save, position: engine::replicas::Place, group: Vec<(Waiting, Replica)>) {
    let (bare, full): (Vec<_>, Vec<_>) = group.into_iter().partition(|(_, replica)| replica.wants_no_keys);
    if !bare.is_empty()
        && let Ok(fan) = save.write_without_keys(node, Fan::new(node, position, bare))
    {
        fan.end();
    }
    if full.is_empty() {
        return save.abandon(node);
    }
    match save.write(node, Fan::new(node, position, full), |_| true) {
        Ok(fan) => fan.end(),
        // Their connections end with what they are sent from.
        Err(failure) => tracing::warn!("a snapshot for replicas was not finished: {failure}"),
    }
}

/// Replicas that are sent the same.
struct Fan {
    /// Those who find the end by its mark.
    marked: Vec<Sender<Part>>,
    /// Those who have to be told the length first.
    counted: Vec<Sender<Part>>,
    /// What is kept for those.
    spool: Vec<u8>,
    mark: String,
}

impl Fan {
    /// Tells replicas what they are about to be sent.
    fn new(node: &Node, position: engine::replicas::Place, group: Vec<(Waiting, Replica)>) -> Self {
        let engine::replicas::Place { id, offset, .. } = position;
        let mark = node.identity(&format!("mark {offset} {}", node.host.wall_us()));
        let mut fan = Fan { marked: Vec::new(), counted: Vec::new(), spool: Vec::new(), mark };
        for (Waiting { client, to }, replica) in group {
            let is_marked = replica.capabilities.contains(Capabilities::EOF);
            let mut begin =
                if replica.is_old { String::new() } else { format!("+FULLRESYNC {id} {offset}\r\n") };
            if is_marked {
                begin += &format!("$EOF:{}\r\n", fan.mark);
            }
            tracing::info!("a snapshot is sent to the replica of connection {client}");
            if to.blocking_send(Part::Bytes(begin.into())).is_ok() {
                if is_marked { &mut fan.marked } else { &mut fan.counted }.push(to);
            }
        }
        fan
    }

    /// Tells replicas that this was all. Those that have gone do not matter.
    fn end(self) {
        let Fan { marked, counted, spool, mark } = self;
        for to in marked {
            let _ = to.blocking_send(Part::Bytes(mark.clone().into()));
            let _ = to.blocking_send(Part::End(Stage::Confirms));
        }
        let spool = Bytes::from(spool);
        for to in counted {
            let _ = to.blocking_send(Part::Bytes(format!("${}\r\n", spool.len()).into()));
            let mut rest = spool.clone();
            while !rest.is_empty() {
                if to.blocking_send(Part::Bytes(rest.split_to(rest.len().min(PIECE)))).is_err() {
                    break;
                }
            }
            let _ = to.blocking_send(Part::End(Stage::Online));
        }
    }
}

impl Write for Fan {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if !self.marked.is_empty() {
            let piece = Bytes::copy_from_slice(bytes);
            self.marked.retain(|to| to.blocking_send(Part::Bytes(piece.clone())).is_ok());
        }
        self.counted.retain(|to| !to.is_closed());
        if !self.counted.is_empty() {
            self.spool.extend_from_slice(bytes);
        } else if self.marked.is_empty() {
            // Nobody wants it any more.
            return Err(Error::from(ErrorKind::BrokenPipe));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Who looks after the stream of a node.
#[derive(Debug, Default)]
pub(crate) struct Keeper {
    runs: AtomicBool,
    called: Notify,
}

impl Keeper {
    /// Has somebody look after the stream.
    pub(crate) fn call(self: &Arc<Self>, timers: &Handle, node: &Weak<Node>, clock: &Arc<Clock>) {
        if self.runs.swap(true, Ordering::AcqRel) {
            self.called.notify_one();
        } else {
            timers.spawn(keep(Arc::clone(self), Weak::clone(node), Arc::clone(clock)));
        }
    }
}

/// Looks after replicas, and after the stream when there are none any more, until that has been forgotten.
async fn keep(keeper: Arc<Keeper>, node: Weak<Node>, clock: Arc<Clock>) {
    loop {
        let Some(own) = node.upgrade() else { return };
        let until_ms = if own.replicas.is_empty() {
            match end_stream(&own, clock.wall_ms()).await {
                Some(until_ms) => until_ms,
                None => {
                    keeper.runs.store(false, Ordering::Release);
                    // Who has come meanwhile has found a keeper.
                    if own.replicas.is_empty() || keeper.runs.swap(true, Ordering::AcqRel) {
                        return;
                    }
                    continue;
                }
            }
        } else {
            clock.wall_ms() + number(&own, "repl-ping-replica-period") * 1000
        };
        drop(own);
        tokio::select! {
            () = clock.sleep_until(until_ms) => {
                if let Some(own) = node.upgrade() {
                    own.ping_replicas();
                }
            }
            () = keeper.called.notified() => {}
        }
    }
}

/// Forgets the stream if it is time. Gives when to look again, in ms since the epoch, if it may be then.
async fn end_stream(node: &Node, now_ms: i64) -> Option<i64> {
    let ttl_ms = number(node, "repl-backlog-ttl") * 1000;
    node.end_stream(&hold(node).await, now_ms, ttl_ms)
}
