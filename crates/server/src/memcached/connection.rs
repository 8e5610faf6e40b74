//! One connection of a memcached node.
//!
//! Invariants: input is processed when what was answered before has been sent, so that a client that does not read has
//! memory for the replies to one batch at most, and large values stay where they are; of a request that is not complete only
//! its bytes are kept, those of a large value where its item will have them. What is kept of both is counted by the node.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::{ErrorKind, Result, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll};

use memcache_wire::{Error, Reply};
use memcached::clients::Client;
use memcached::watching::Ended;
use memcached::{Next, Node, Now, Session};
use structures::cached::Draft;
use structures::ticks;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;

use super::output::Output;
use super::seat::Ears;
use crate::clock::Clock;
use crate::watch::LIFE_SIGN;

mod watching;

/// Bytes that are read at once.
const READ_BYTES: usize = 64 << 10;
/// A larger buffer is not kept for further replies, in bytes.
const REPLY_KEPT: usize = 64 << 10;
/// Buffers for replies that a thread keeps.
const BUFFERS_KEPT: usize = 64;
/// A larger buffer of input is given back when it is empty; smaller ones are not counted, in bytes.
const UNCOUNTED: usize = 4 << 10;

/// What connections of a node have in common.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) node: Arc<Node>,
    pub(crate) clock: Arc<Clock>,
    pub(super) ears: Ears,
    /// Whether nobody is answered any more.
    pub(super) hangs: Arc<AtomicBool>,
}

/// What the connections of a thread share.
struct Shared {
    input: Box<[u8]>,
    /// Buffers for replies that nobody uses.
    spare: Vec<Vec<u8>>,
}

thread_local! {
    static SHARED: RefCell<Shared> =
        RefCell::new(Shared { input: vec![0; READ_BYTES].into(), spare: Vec::new() });
}

/// A connection; see the module.
struct Connection {
    place: Place,
    stream: TcpStream,
    session: Session,
    client: Arc<Client>,
    /// Input that has not been processed.
    input: Vec<u8>,
    /// Replies that have not been sent.
    output: Output,
    /// Whether they wait for the client to read what it was sent before.
    is_blocked: bool,
    /// What the node knows to be kept of input and replies, in bytes.
    kept: usize,
    /// Whether what is to be sent waits for others to be served first.
    is_held_back: bool,
}

/// Serves a connection until it ends.
pub(crate) async fn serve(place: Place, stream: std::net::TcpStream) {
    let (Ok(peer), Ok(local)) = (stream.peer_addr(), stream.local_addr()) else { return };
    let node = Arc::clone(&place.node);
    let most = node.settings.connections.load(Relaxed);
    let Some(client) = node.clients.add(peer, local, most, place.clock.wall_ms()) else {
        // As much of it as the socket takes; the client is not waited for.
        let _ = (&stream).write(format!("{}\r\n", Error::Connections).as_bytes());
        return;
    };
    let clock = Arc::clone(&place.clock);
    let leaving = Leaving { node: &node, client: &client, clock: &clock, why: Cell::new(Ended::Normally) };
    node.tell_coming(&client, node.clock.at(clock.wall_ms()));
    if let Ok(stream) = TcpStream::from_std(stream) {
        let session = Session::new(&node).of(client.id);
        let mut connection = Connection {
            place,
            stream,
            session,
            client: Arc::clone(&client),
            input: Vec::new(),
            output: Output::default(),
            is_blocked: false,
            kept: 0,
            is_held_back: false,
        };
        // However the connection ends, there is nobody left to tell but those who watch.
        let outcome = connection.run().await;
        leaving.why.set(connection.ended(&outcome));
    }
    drop(leaving);
}

/// Reads what has come of a value to where it is kept; how many bytes.
fn read_to(stream: &TcpStream, draft: &mut Draft, cx: &mut Context<'_>) -> Poll<Result<usize>> {
    loop {
        std::task::ready!(stream.poll_read_ready(cx))?;
        match stream.try_read_buf(draft) {
            Ok(0) => return Poll::Ready(Err(ErrorKind::UnexpectedEof.into())),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            read => return Poll::Ready(read),
        }
    }
}

/// Takes a connection from those of its node when it is dropped, whoever drops it.
struct Leaving<'a> {
    node: &'a Node,
    client: &'a Client,
    clock: &'a Clock,
    why: Cell<Ended>,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.node.clients.remove(self.client);
        self.node.tell_leaving(self.client, self.why.get(), self.node.clock.at(self.clock.wall_ms()));
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.place.node.forget_kept(self.kept);
    }
}

impl Connection {
    async fn run(&mut self) -> Result<()> {
        let mut next = Next::Read;
        loop {
            next = match next {
                Next::Read => self.wait_for_input().await?,
                Next::Flush => {
                    self.flush().await?;
                    SHARED.with_borrow_mut(|shared| self.process(shared, None))?
                }
                Next::Yield => {
                    self.flush().await?;
                    tokio::task::yield_now().await;
                    if self.client.is_ended() {
                        return Ok(());
                    }
                    SHARED.with_borrow_mut(|shared| self.process(shared, None))?
                }
                Next::Contended(shard) => {
                    self.wait_for_shard(shard).await;
                    SHARED.with_borrow_mut(|shared| self.process(shared, None))?
                }
                Next::Watch => return self.watch().await,
                Next::Close => return self.flush().await,
                Next::ShutDown => {
                    self.place.ears.shut_down.notify_one();
                    return self.flush().await;
                }
            };
        }
    }

    /// Why the connection has ended, with this outcome.
    fn ended(&self, outcome: &Result<()>) -> Ended {
        match outcome.as_ref().map_err(std::io::Error::kind) {
            Ok(()) if self.session.is_broken() => Ended::Wrongly,
            Ok(()) | Err(ErrorKind::UnexpectedEof) => Ended::Normally,
            Err(ErrorKind::TimedOut) => Ended::Idle,
            Err(_) => Ended::Wrongly,
        }
    }

    /// Waits until nobody holds a shard. Whoever looks after the node is told if that takes long.
    async fn wait_for_shard(&self, shard: usize) {
        let node = &self.place.node;
        let free = poll_fn(|cx| node.poll_free(shard, cx));
        if tokio::time::timeout(LIFE_SIGN, free).await.is_err() {
            self.place.ears.suspicion.notify_one();
            poll_fn(|cx| node.poll_free(shard, cx)).await;
        }
    }

    /// Waits until there is input, and processes it. A client that says nothing for too long is closed.
    async fn wait_for_input(&mut self) -> Result<Next> {
        let idle_s = self.place.node.settings.idle_s.load(Relaxed);
        if idle_s == 0 {
            return poll_fn(|cx| self.poll_input(cx, idle_s)).await;
        }
        let until_ms = self.client.active_ms.load(Relaxed) + i64::from(idle_s) * 1000;
        let clock = Arc::clone(&self.place.clock);
        tokio::select! {
            biased;
            next = poll_fn(|cx| self.poll_input(cx, idle_s)) => next,
            () = clock.sleep_until(until_ms) => {
                self.place.node.traffic.idle_kicks.fetch_add(1, Relaxed);
                Err(ErrorKind::TimedOut.into())
            }
        }
    }

    /// Sends what was kept, and processes input as it comes. Ready without input when clients are idle for another time
    /// than this.
    fn poll_input(&mut self, cx: &mut Context<'_>, idle_s: u32) -> Poll<Result<Next>> {
        self.client.register(cx.waker());
        if self.client.is_ended() {
            return Poll::Ready(Ok(Next::Close));
        }
        if self.place.node.settings.idle_s.load(Relaxed) != idle_s {
            return Poll::Ready(Ok(Next::Read));
        }
        if std::mem::take(&mut self.is_held_back) {
            // Every reply may wake its client's thread, at a price: all whose input has come are served first.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        std::task::ready!(self.poll_send(cx))?;
        self.poll_read(cx)
    }

    /// Sends what was kept as the socket takes it.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        while !self.output.is_empty() {
            std::task::ready!(self.stream.poll_write_ready(cx))?;
            self.send_kept()?;
        }
        Poll::Ready(Ok(()))
    }

    /// Reads what has come and processes it.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<Next>> {
        if self.place.hangs.load(Relaxed) {
            std::task::ready!(self.stream.poll_read_ready(cx))?;
            self.place.ears.suspicion.notify_one();
            return Poll::Pending;
        }
        if let Some(draft) = self.session.room_for(READ_BYTES) {
            let len = std::task::ready!(read_to(&self.stream, draft, cx))?;
            self.session.took(len);
            self.client.has_sent(len);
            return Poll::Ready(SHARED.with_borrow_mut(|shared| self.process(shared, None)));
        }
        SHARED.with_borrow_mut(|shared| {
            let mut buffer = ReadBuf::new(&mut shared.input);
            let len = match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) => buffer.filled().len(),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            };
            if len == 0 {
                return Poll::Ready(Err(ErrorKind::UnexpectedEof.into()));
            }
            self.client.has_sent(len);
            Poll::Ready(self.process(shared, Some(len)))
        })
    }

    /// Processes input that was kept, and so many bytes of the shared buffer behind it.
    fn process(&mut self, shared: &mut Shared, fresh: Option<usize>) -> Result<Next> {
        let Shared { input: buffer, spare } = shared;
        let fresh = &buffer[..fresh.unwrap_or(0)];
        let now_ms = self.place.clock.wall_ms();
        self.client.active_ms.store(now_ms, Relaxed);
        let node = &*self.place.node;
        let now = node.clock.at(now_ms);
        let mut reply = Reply::with_buffer(spare.pop().unwrap_or_default());
        let began = ticks::now();
        let next = self.take(fresh, now, &mut reply);
        let next = self.do_without(now, &mut reply).unwrap_or(next);
        self.client.was_served(ticks::now().saturating_sub(began));
        let len = reply.len();
        let (copied, lent) = reply.into_parts();
        if len == 0 {
            spare.push(copied);
            return Ok(next);
        }
        self.client.was_sent(len);
        if self.output.is_empty() {
            self.is_held_back = next == Next::Read;
        }
        self.output.push(copied, lent);
        Ok(next)
    }

    /// Does as much as can be done with what was kept and what has come. What is next then.
    fn take(&mut self, mut fresh: &[u8], now: Now, reply: &mut Reply) -> Next {
        let node = &*self.place.node;
        while !self.input.is_empty() {
            // What was kept is mostly short of a little, and what has come behind that need not be kept.
            let missing = self
                .session
                .request_len()
                .map_or(fresh.len(), |len| len.saturating_sub(self.input.len()).max(1));
            let (missing, rest) = fresh.split_at(missing.min(fresh.len()));
            self.input.extend_from_slice(missing);
            let (taken, next) = self.session.run(node, &self.input, now, reply);
            self.input.drain(..taken);
            if self.input.is_empty() && self.input.capacity() > UNCOUNTED {
                self.input = Vec::new();
            }
            if next != Next::Read || rest.is_empty() {
                self.input.extend_from_slice(rest);
                return next;
            }
            fresh = rest;
        }
        let (taken, next) = self.session.run(node, fresh, now, reply);
        self.input.extend_from_slice(&fresh[taken..]);
        next
    }

    /// Where there is no memory for the input that is kept, gives it up. What is next then; nothing if it may be kept.
    fn do_without(&mut self, now: Now, reply: &mut Reply) -> Option<Next> {
        if self.keep(now) {
            return None;
        }
        let (taken, next) = self.session.give_up(&self.place.node, &self.input, now, reply);
        self.input.drain(..taken);
        if self.input.is_empty() {
            self.input = Vec::new();
        }
        self.keep(now);
        Some(next)
    }

    /// Tells the node how much is kept, if that is more than a little. Whether it may be.
    #[inline]
    fn keep(&mut self, now: Now) -> bool {
        let replies = if self.is_blocked { self.output.capacity() } else { 0 };
        let counted = |capacity| if capacity > UNCOUNTED { capacity } else { 0 };
        let kept = counted(self.input.capacity()) + counted(replies) + counted(self.session.kept_bytes());
        let may = kept == self.kept || self.place.node.keep(self.kept, kept, now);
        if may {
            self.kept = kept;
        }
        may
    }

    /// Sends of what was kept as much as the socket takes. A client that does not read goes where there is no memory to
    /// keep what it was to be sent.
    fn send_kept(&mut self) -> Result<()> {
        while !self.output.is_empty() {
            // One piece, as it mostly is, needs no list of pieces.
            let sent = match self.output.only_piece() {
                Some(piece) => self.stream.try_write(piece),
                None => self.stream.try_write_vectored(&self.output.pieces()),
            };
            match sent {
                Ok(len) => self.output.advance(len),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.is_blocked = true;
                    return if self.keep(self.now()) { Ok(()) } else { Err(ErrorKind::OutOfMemory.into()) };
                }
                Err(error) => return Err(error),
            }
        }
        self.recycle();
        if std::mem::take(&mut self.is_blocked) {
            self.keep(self.now());
        }
        Ok(())
    }

    /// The time of the node.
    fn now(&self) -> Now {
        self.place.node.clock.at(self.place.clock.wall_ms())
    }

    /// Gives the buffer of what has been sent to the next connection that needs one.
    fn recycle(&mut self) {
        let buffer = self.output.take_buffer();
        if (1..=REPLY_KEPT).contains(&buffer.capacity()) {
            SHARED.with_borrow_mut(|shared| {
                if shared.spare.len() < BUFFERS_KEPT {
                    shared.spare.push(buffer);
                }
            });
        }
    }

    /// Sends all that was kept.
    async fn flush(&mut self) -> Result<()> {
        while !self.output.is_empty() {
            self.stream.writable().await?;
            self.send_kept()?;
        }
        Ok(())
    }
}
