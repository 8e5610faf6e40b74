//! A connection over which a replica gets the stream of changes.
//!
//! First comes the snapshot, if there has to be one, and then the stream, both at the pace of the replica. Meanwhile it
//! says how far it has come; it may say nothing that would be answered.

use super::{Connection, Next, SHARED, killed};
use crate::sync::Part;
use engine::session::State;
use replication::Stage;
use std::future::poll_fn;
use std::io::{ErrorKind, Result};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};
use tokio::sync::mpsc::Receiver;

/// Pieces of the stream that are sent before other connections have their turn.
const TURN: usize = 32;
/// A replica that waits for its snapshot is told so often that it has not been forgotten, in ms.
const STILL_HERE_MS: i64 = 1_000;
/// How often it is looked how far a replica is behind that takes nothing, in ms.
const BEHIND_MS: i64 = 1_000;

/// How a replica is being served.
struct Service {
    /// Where the snapshot comes from, until it has been sent.
    snapshot: Option<Receiver<Part>>,
    /// When something was last sent, in ms since the epoch.
    sent_ms: i64,
    /// Since when the replica has been too far behind, in ms since the epoch.
    behind_since_ms: Option<i64>,
    /// Whether there was nothing to send.
    rests: bool,
    /// Whether the replica took nothing when it was last tried, and whether it did when it was last looked after.
    is_stuck: bool,
    was_stuck: bool,
}

impl Connection {
    /// Serves a replica until its connection ends.
    pub(super) async fn serve_replica(&mut self) -> Result<()> {
        self.is_replica = true;
        let (node, clock) = (Arc::clone(&self.place.node), Arc::clone(&self.place.clock));
        let waits = node.replicas.replica(self.client.id).map(|replica| replica.stage);
        let snapshot = (waits == Some(Stage::WaitsForSnapshot))
            .then(|| self.place.syncs.join(&self.place, self.client.id));
        let mut service = Service {
            snapshot,
            sent_ms: clock.wall_ms(),
            behind_since_ms: None,
            rests: false,
            is_stuck: false,
            was_stuck: false,
        };
        loop {
            let until_ms = self.look_after(&mut service)?;
            tokio::select! {
                biased;
                ended = poll_fn(|cx| self.poll_replica(cx, &mut service)) => ended?,
                () = clock.sleep_until(until_ms) => {}
            }
        }
    }

    /// Ends the connection of a replica that is too slow or silent. Gives when to look again, in ms since the epoch.
    fn look_after(&mut self, service: &mut Service) -> Result<i64> {
        let node = &self.place.node;
        let replica = node.replicas.replica(self.client.id).ok_or_else(killed)?;
        let now_ms = self.place.clock.wall_ms();
        let timeout_ms = self.place.syncs.timeout_ms(node);
        let silent_ms = match replica.stage {
            Stage::Handshake | Stage::WaitsForSnapshot => {
                if now_ms - service.sent_ms >= STILL_HERE_MS {
                    service.sent_ms = now_ms;
                    self.send(b"\n")?;
                }
                return Ok(service.sent_ms + STILL_HERE_MS);
            }
            Stage::Loads => service.sent_ms,
            // Old ones and those that only listen say nothing, and those in this process nothing needless.
            Stage::Confirms | Stage::Online if replica.answers && !replica.is_own => replica.heard_ms,
            Stage::Confirms | Stage::Online => now_ms,
        };
        let until_ms = silent_ms + timeout_ms;
        if now_ms > until_ms {
            tracing::warn!("the replica at {} has been silent for too long", self.client.peer);
            return Err(ErrorKind::TimedOut.into());
        }
        let limit = &node.settings.output_limits[2];
        let (most, most_s) = (limit.soft_bytes.load(Relaxed), limit.soft_s.load(Relaxed) as i64);
        let behind = node.replicas.lag_bytes(self.client.id).is_some_and(|lag| most > 0 && lag > most);
        service.behind_since_ms = behind.then(|| service.behind_since_ms.unwrap_or(now_ms));
        service.was_stuck = service.is_stuck;
        // It may come to be too far behind without anything else happening to its connection.
        let look_ms = if service.is_stuck && most > 0 { now_ms + BEHIND_MS } else { i64::MAX };
        let Some(since_ms) = service.behind_since_ms else {
            return Ok(until_ms.saturating_add(1).min(look_ms));
        };
        let drop_ms = since_ms + most_s * 1000;
        if now_ms > drop_ms {
            tracing::warn!("the replica at {} has been too far behind for too long", self.client.peer);
            node.stats.output_buffer_closes.fetch_add(1, Relaxed);
            return Err(killed());
        }
        Ok((until_ms.min(drop_ms) + 1).min(look_ms))
    }

    /// Sends what there is and takes what has come. Ready when the replica is to be looked after, or its connection ends.
    fn poll_replica(&mut self, cx: &mut Context<'_>, service: &mut Service) -> Poll<Result<()>> {
        self.client.register(cx.waker());
        if self.client.is_killed() {
            return Poll::Ready(Err(killed()));
        }
        if std::mem::take(&mut service.rests) {
            // Others are served first: what they change goes out at once, too.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        for _ in 0..TURN {
            match self.poll_send(cx, service) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending if service.is_stuck && !service.was_stuck => return Poll::Ready(Ok(())),
                Poll::Pending => return self.poll_answers(cx),
            }
        }
        cx.waker().wake_by_ref();
        self.poll_answers(cx)
    }

    /// Sends the next piece; pending if there is none, or the replica does not take it.
    fn poll_send(&mut self, cx: &mut Context<'_>, service: &mut Service) -> Poll<Result<()>> {
        if self.sent < self.output.len() {
            let ready = self.stream.poll_write_ready(cx);
            service.is_stuck = ready.is_pending();
            std::task::ready!(ready)?;
            let before = self.output.len() - self.sent;
            self.send_kept()?;
            if self.output.len() - self.sent < before {
                service.sent_ms = self.place.clock.wall_ms();
            }
            return Poll::Ready(Ok(()));
        }
        if let Some(snapshot) = &mut service.snapshot {
            match std::task::ready!(snapshot.poll_recv(cx)) {
                Some(Part::Bytes(bytes)) => {
                    let counts = &self.place.node.replicas.counts;
                    counts.output_bytes.fetch_add(bytes.len() as u64, Relaxed);
                    self.output.extend_from_slice(&bytes);
                }
                Some(Part::End(stage)) => {
                    service.snapshot = None;
                    let now_ms = self.place.clock.wall_ms();
                    self.place.node.replicas.update(self.client.id, |replica| {
                        replica.has_snapshot(stage, now_ms);
                    });
                }
                // Whoever made it has given up.
                None => return Poll::Ready(Err(ErrorKind::Interrupted.into())),
            }
            return Poll::Ready(Ok(()));
        }
        let replicas = &self.place.node.replicas;
        match replicas.replica(self.client.id) {
            Some(replica) if replica.stage == Stage::Online && !replica.wants_snapshot_only => {}
            Some(_) => return Poll::Pending,
            None => return Poll::Ready(Err(killed())),
        }
        match replicas.read(self.client.id, &mut self.output) {
            Some(0) => {
                service.rests = true;
                Poll::Pending
            }
            Some(_) => Poll::Ready(Ok(())),
            None => Poll::Ready(Err(killed())),
        }
    }

    /// Takes what the replica says.
    fn poll_answers(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        loop {
            let mut next = std::task::ready!(self.poll_read(cx))?;
            let now_ms = self.place.clock.wall_ms();
            self.place.node.replicas.update(self.client.id, |replica| replica.heard_ms = now_ms);
            loop {
                match next {
                    Next::Read => break,
                    Next::Replicate | Next::Process => {
                        next = SHARED.with_borrow_mut(|shared| self.process_kept(shared))?;
                    }
                    // Nothing that it may say waits for anything.
                    _ => return Poll::Ready(Err(killed())),
                }
            }
        }
    }

    /// Whether a replica has said something that it may not: what is answered.
    pub(super) fn is_out_of_turn(&self, replies: &[u8]) -> bool {
        self.is_replica && !replies.is_empty()
    }

    /// Whether the client has asked for the stream.
    pub(super) fn wants_stream(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.state.contains(State::REPLICA))
    }
}
