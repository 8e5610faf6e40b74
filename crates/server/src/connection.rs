//! One connection.
//!
//! Requests are read into a buffer that all connections of a worker share; only what is incomplete is kept by the
//! connection itself. Replies gather in a shared buffer likewise, and go out once a batch; only what the socket does
//! not take is kept. An idle connection therefore keeps no buffers.

use crate::admission::{Admission, is_own};
use crate::clock::Clock;
use crate::migrate;
use crate::offload::{self, Numbers};
use crate::sync::Syncs;
use command::Release;
use engine::blocking::{self, Waiter};
use engine::clients::Marks;
use engine::execute::prefetch;
use engine::migration::{self, Finish, Parcel};
use engine::session::State;
use engine::settings::OutputLimit;
use engine::{Client, Node, Proxy, Session, Step, Worker, execute};
use resp::{Args, Limits, OwnedArgs, Parsed, Parser, ProtocolError, Reply, Request};
use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{Error, ErrorKind, Result, Write};
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;

mod replica;

/// What is read at once, in bytes.
const READ_BYTES: usize = 64 * 1024;
/// Replies that are sent before further requests are run, in bytes; also the largest reply buffer that is kept for
/// reuse.
const REPLY_KEPT: usize = 256 * 1024;
/// Output buffers that a thread keeps for reuse.
const BUFFERS_KEPT: usize = 64;
/// The largest of them, in bytes.
const BUFFER_BYTES_KEPT: usize = 16 * 1024;
/// What is read at most from a client whose command waits, in bytes.
const BLOCKED_INPUT: usize = 1 << 20;
/// Requests that are parsed before they are run, so that what they need can be fetched meanwhile.
const AHEAD: usize = 32;
/// How long the last replies may take on their way to a client that is being closed, in ms.
const LAST_REPLIES_MS: i64 = 5_000;
/// Most arguments of a request before release 7.0.
const ARGUMENTS_BEFORE_7: i64 = 1024 * 1024;

/// What the connections of a thread share.
struct Shared {
    worker: Worker,
    input: Box<[u8]>,
    output: Vec<u8>,
    /// Buffers for further output.
    spare: Vec<Vec<u8>>,
    batch: Batch,
}

/// Requests that are about to run.
#[derive(Default)]
struct Batch {
    /// Where each begins.
    requests: Vec<(usize, Request)>,
    parsed: Parsed,
}

impl Batch {
    fn clear(&mut self) {
        self.requests.clear();
        self.parsed.clear();
    }

    #[inline]
    fn args<'a>(&'a self, bytes: &'a [u8], number: usize) -> Args<'a> {
        let (start, request) = self.requests[number];
        self.parsed.args(&bytes[start..], request)
    }
}

thread_local! {
    static SHARED: RefCell<Shared> = RefCell::new(Shared {
        worker: Worker::new(0),
        input: vec![0; READ_BYTES].into(),
        output: Vec::new(),
        spare: Vec::new(),
        batch: Batch::default(),
    });
}

/// Says which worker this thread is.
pub(crate) fn set_worker(number: usize) {
    SHARED.with_borrow_mut(|shared| shared.worker = Worker::new(number));
}

/// What connections of a node have in common.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) node: Arc<Node>,
    pub(crate) clock: Arc<Clock>,
    pub(crate) numbers: Arc<Numbers>,
    pub(crate) syncs: Arc<Syncs>,
    /// The proxy that the node is the front of, if it is.
    pub(crate) proxy: Option<Arc<Proxy>>,
    /// From where it may be reached.
    pub(crate) admission: Arc<Admission>,
}

impl Place {
    /// The node of this number behind the proxy; the node itself if there is no proxy.
    #[inline]
    fn at(&self, number: usize) -> &Arc<Node> {
        self.proxy.as_ref().map_or(&self.node, |proxy| proxy.node(number))
    }

    /// The nodes that have keys.
    fn keepers(&self) -> &[Arc<Node>] {
        self.proxy.as_ref().map_or(std::slice::from_ref(&self.node), |proxy| proxy.shards())
    }

    /// As [`execute`], behind a proxy or not; and the number of the node that the step is about.
    #[inline]
    pub(crate) fn execute(
        &self,
        worker: &mut Worker,
        session: &mut Session,
        args: Args,
        reply: &mut Reply,
    ) -> (Step, usize) {
        match &self.proxy {
            None => (execute(&self.node, worker, session, args, reply), 0),
            Some(proxy) => proxy.execute(worker, session, args, reply),
        }
    }
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Place").field("node", &self.node).finish_non_exhaustive()
    }
}

/// A connection; see the module.
struct Connection {
    place: Place,
    stream: TcpStream,
    /// There is none while a command runs elsewhere.
    session: Option<Session>,
    client: Arc<Client>,
    parser: Parser,
    /// Input that has not been processed.
    input: Vec<u8>,
    /// Replies that have not been sent, from `sent` on.
    output: Vec<u8>,
    sent: usize,
    /// Whether the client is a replica that gets the stream of changes.
    is_replica: bool,
    /// Whether what is to be sent waits for others to be served first.
    is_held_back: bool,
    /// What the disk must have before anything is sent, as [`Node::must_be_synced`] gives it: by the numbers of those
    /// nodes of which it must have something.
    unsynced: Vec<(usize, u64)>,
    /// The number of the node behind the proxy that the last step is about.
    at: usize,
    /// Since when more replies wait than the soft limit allows, in ms since the epoch.
    soft_since_ms: Option<i64>,
}

/// What the time depends on for which input is waited for: when it changes, the time is computed anew.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Terms {
    /// Seconds after which an idle client is closed.
    timeout_s: u32,
    /// See [`Connection::soft_since_ms`].
    soft_since_ms: Option<i64>,
}

/// What is to happen next.
enum Next {
    /// Wait for more input.
    Read,
    /// Go on with the input that there is.
    Process,
    /// Wait until a shard may be free.
    Contended(usize),
    /// Run a command elsewhere.
    Offload(OwnedArgs),
    /// Send the stream of changes until the connection ends.
    Replicate,
    /// Wait for keys.
    Blocked(Arc<Waiter>),
    /// Send keys to another server.
    Migrate(Box<Parcel>),
    /// Wait until keys have landed that are on their way to another server.
    InFlight,
    /// Wait until a pause is over, at this time in ms since the epoch at the latest.
    Paused(i64),
    /// Tell what is wrong with the request, and end.
    Broken(ProtocolError),
    /// Send what there is and end.
    Close,
}

/// Where input is.
enum Input<'a> {
    /// So many bytes of the shared buffer.
    Shared(usize),
    /// What the connection kept.
    Kept(&'a [u8]),
}

/// Serves a connection until it ends.
pub(crate) async fn serve(place: Place, stream: std::net::TcpStream) {
    let (Ok(peer), Ok(local)) = (stream.peer_addr(), stream.local_addr()) else { return };
    let node = Arc::clone(&place.node);
    let client = Client::new(node.clients.next_id(), stream.as_raw_fd(), peer, local, place.clock.wall_ms());
    let client = Arc::new(client);
    let most = node.settings.maxclients.load(Relaxed) as usize;
    if !node.clients.add(Arc::clone(&client), most) {
        node.stats.rejected_connections.fetch_add(1, Relaxed);
        // As much of it as the socket takes; the client is not waited for.
        let _ = (&stream).write(b"-ERR max number of clients reached\r\n");
        return;
    }
    // Whoever is known to the node is cut off when this changes; until then it is looked at here.
    if !place.admission.admits(peer, local) || place.proxy.as_ref().is_some_and(|proxy| proxy.has_ended()) {
        return node.clients.remove(client.id);
    }
    let Ok(stream) = TcpStream::from_std(stream) else { return node.clients.remove(client.id) };
    let mut session = Session::new(Arc::clone(&client));
    session.begin(&node);
    session.is_own = is_own(peer, local);
    with_worker(|worker| node.stats.worker(worker.id).connections.add(1));
    let mut connection = Connection {
        place,
        stream,
        session: Some(session),
        client,
        parser: Parser::new(),
        input: Vec::new(),
        output: Vec::new(),
        sent: 0,
        is_replica: false,
        is_held_back: false,
        unsynced: Vec::new(),
        at: 0,
        soft_since_ms: None,
    };
    // However the connection ends, there is nobody left to tell.
    let _ = connection.run().await;
    let client_id = connection.client.id;
    if connection.is_replica || connection.wants_stream() {
        node.replicas.leave(client_id, connection.place.clock.wall_ms());
    }
    match &mut connection.session {
        Some(session) => {
            while let Err((number, shard)) = leave(&connection.place, session) {
                poll_fn(|cx| connection.place.at(number).keyspace.poll_free(shard, cx)).await;
            }
        }
        // A command that panicked took it along.
        None => node.clients.remove(connection.client.id),
    }
}

/// Has a session leave nothing behind. If somebody else holds what is needed for that: which node's, and which shard.
fn leave(place: &Place, session: &mut Session) -> std::result::Result<(), (usize, usize)> {
    match &place.proxy {
        None => session.leave(&place.node).map_err(|shard| (0, shard)),
        Some(proxy) => proxy.leave(session),
    }
}

fn with_worker<R>(f: impl FnOnce(&mut Worker) -> R) -> R {
    SHARED.with_borrow_mut(|shared| f(&mut shared.worker))
}

/// Keeps a buffer for further output.
fn recycle(mut buffer: Vec<u8>) {
    SHARED.with_borrow_mut(|shared| {
        if (1..=BUFFER_BYTES_KEPT).contains(&buffer.capacity()) && shared.spare.len() < BUFFERS_KEPT {
            buffer.clear();
            shared.spare.push(buffer);
        }
    });
}

fn killed() -> Error {
    ErrorKind::ConnectionAborted.into()
}

impl Connection {
    async fn run(&mut self) -> Result<()> {
        let mut next = Next::Read;
        loop {
            next = match next {
                Next::Read => self.wait_for_input().await?,
                Next::Process => SHARED.with_borrow_mut(|shared| self.process_kept(shared))?,
                Next::Contended(shard) => {
                    let node = self.place.at(self.at);
                    poll_fn(|cx| node.keyspace.poll_free(shard, cx)).await;
                    Next::Process
                }
                Next::Offload(args) => self.offload(args).await?,
                Next::Blocked(waiter) => self.wait_for_keys(waiter).await?,
                Next::Migrate(parcel) => Box::pin(self.migrate(parcel)).await?,
                Next::InFlight => self.wait_for_flights().await?,
                Next::Paused(until_ms) => self.wait_for_pause(until_ms).await?,
                // Others need not have room for what only replicas need.
                Next::Replicate => return Box::pin(self.serve_replica()).await,
                Next::Broken(_) | Next::Close => return self.flush().await,
            };
        }
    }

    /// Waits until there is input, and processes it. A client that is idle for too long is closed, and so is one for
    /// which too many replies wait for too long.
    async fn wait_for_input(&mut self) -> Result<Next> {
        let terms = self.terms();
        let idle_until_ms = self.idle_until_ms(terms.timeout_s);
        let until_ms = idle_until_ms.min(self.soft_until_ms());
        if until_ms == i64::MAX {
            return poll_fn(|cx| self.poll_input(cx, terms)).await;
        }
        let clock = Arc::clone(&self.place.clock);
        tokio::select! {
            biased;
            next = poll_fn(|cx| self.poll_input(cx, terms)) => next,
            () = clock.sleep_until(until_ms) => {
                self.check_output()?;
                if clock.wall_ms() < idle_until_ms { Ok(Next::Read) } else { Err(ErrorKind::TimedOut.into()) }
            }
        }
    }

    /// What the time depends on for which input is waited for.
    fn terms(&self) -> Terms {
        let timeout_s = self.place.node.settings.timeout_s.load(Relaxed);
        Terms { timeout_s, soft_since_ms: self.soft_since_ms }
    }

    /// When the client has been idle for too long, in ms since the epoch.
    fn idle_until_ms(&self, timeout_s: u32) -> i64 {
        let exempt = State::SUBSCRIBED | State::MONITOR;
        if timeout_s == 0 || self.session.as_ref().is_some_and(|session| session.state.intersects(exempt)) {
            return i64::MAX;
        }
        self.client.gauges.active_ms.load(Relaxed) + i64::from(timeout_s) * 1000
    }

    /// Passes messages on, sends what was kept, and processes input as it comes.
    fn poll_input(&mut self, cx: &mut Context<'_>, terms: Terms) -> Poll<Result<Next>> {
        self.client.register(cx.waker());
        loop {
            if self.client.is_killed() {
                return Poll::Ready(Err(killed()));
            }
            if self.client.has_mail() {
                self.take_mail()?;
            }
            if std::mem::take(&mut self.is_held_back) {
                // Every reply may wake its client's thread, at a price: all whose input has come are served first.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if self.poll_synced(cx).is_ready()
                && self.sent < self.output.len()
                && self.stream.poll_write_ready(cx)?.is_ready()
            {
                self.send_kept()?;
                continue;
            }
            if self.terms() != terms {
                return Poll::Ready(Ok(Next::Read));
            }
            return self.poll_read(cx);
        }
    }

    /// Reads what has come and processes it.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<Next>> {
        SHARED.with_borrow_mut(|shared| {
            let mut buffer = ReadBuf::new(&mut shared.input);
            // Reading this way spares asking again when less came than was asked for.
            let len = match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) => buffer.filled().len(),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            };
            if len == 0 {
                return Poll::Ready(Err(ErrorKind::UnexpectedEof.into()));
            }
            let stats = self.place.node.stats.worker(shared.worker.id);
            stats.input_bytes.add(len as u64);
            stats.reads.add(1);
            if self.input.is_empty() {
                return Poll::Ready(self.process(shared, Input::Shared(len)).1);
            }
            self.input.extend_from_slice(&shared.input[..len]);
            Poll::Ready(self.process_kept(shared))
        })
    }

    /// Processes input that was kept.
    fn process_kept(&mut self, shared: &mut Shared) -> Result<Next> {
        let input = std::mem::take(&mut self.input);
        let (taken, next) = self.process(shared, Input::Kept(&input));
        if taken < input.len() {
            self.input = input;
            self.input.drain(..taken);
            self.kept_input()?;
        } else {
            self.client.gauges.input_bytes.store(0, Relaxed);
        }
        next
    }

    /// Takes note of how much input is kept, and ends the connection if it is too much.
    fn kept_input(&self) -> Result<()> {
        self.client.gauges.input_bytes.store(self.input.len(), Relaxed);
        let most = self.place.node.settings.query_buffer_bytes.load(Relaxed);
        if self.input.len() as u64 > most {
            self.place.node.stats.query_buffer_closes.fetch_add(1, Relaxed);
            return Err(killed());
        }
        Ok(())
    }

    /// Runs the requests in some input; gives how much of it has been dealt with, and what is next. What is left of
    /// shared input is kept.
    fn process(&mut self, shared: &mut Shared, input: Input<'_>) -> (usize, Result<Next>) {
        if self.client.is_killed() {
            return (0, Err(killed()));
        }
        let Some(session) = &mut self.session else { return (0, Ok(Next::Close)) };
        let Shared { worker, input: buffer, output, spare, batch } = shared;
        let bytes = match input {
            Input::Shared(len) => &buffer[..len],
            Input::Kept(bytes) => bytes,
        };
        let node = &*self.place.node;
        let mut reply = Reply::with_buffer(std::mem::take(output), session.protocol);
        worker.begin(node);
        let mut parsed = 0;
        let (taken, next) = loop {
            batch.clear();
            let limits = limits(node, session);
            let end = loop {
                match self.parser.parse(&bytes[parsed..], &limits, &mut batch.parsed) {
                    Ok(Some(request)) => {
                        if !request.is_empty() {
                            batch.requests.push((parsed, request));
                        }
                        parsed += request.len;
                        // What is parsed after a login has other limits.
                        if batch.requests.len() == AHEAD || limits.unauthenticated {
                            break None;
                        }
                    }
                    Ok(None) => break Some(Next::Read),
                    Err(error) => break Some(Next::Broken(error)),
                }
            };
            if batch.requests.len() > 1 {
                let requests = (0..batch.requests.len()).map(|number| batch.args(bytes, number));
                match &self.place.proxy {
                    None => prefetch(node, session.db, requests),
                    Some(proxy) => proxy.prefetch(session.db, requests),
                }
            }
            let mut stopped = None;
            for number in 0..batch.requests.len() {
                let args = batch.args(bytes, number);
                let here = batch.requests[number].0;
                let after = batch.requests.get(number + 1).map_or(parsed, |&(start, _)| start);
                let step;
                (step, self.at) = self.place.execute(worker, session, args, &mut reply);
                stopped = match step {
                    Step::Done if reply.len() < REPLY_KEPT => continue,
                    Step::Done => Some((after, Next::Process)),
                    Step::Close => Some((after, Next::Close)),
                    Step::Contended(shard) => Some((here, Next::Contended(shard))),
                    Step::Replicate => Some((after, Next::Replicate)),
                    Step::Offload => Some((after, Next::Offload(args.to_owned()))),
                    Step::Blocked(waiter) => Some((after, Next::Blocked(waiter))),
                    Step::Migrate(parcel) => Some((after, Next::Migrate(parcel))),
                    Step::InFlight => Some((here, Next::InFlight)),
                    Step::Paused(until_ms) => Some((here, Next::Paused(until_ms))),
                };
                break;
            }
            match (stopped, end) {
                (Some((taken, next)), _) => {
                    // What was parsed ahead is parsed again.
                    self.parser.restart();
                    break (taken, next);
                }
                (None, Some(Next::Broken(error))) => {
                    reply.error([b"ERR Protocol error: ", &error.to_wire()[..]].concat());
                    break (parsed, Next::Close);
                }
                (None, Some(next)) => break (parsed, next),
                (None, None) => {}
            }
        };
        let mut kept = Ok(());
        if let Input::Shared(len) = input
            && taken < len
        {
            self.input.extend_from_slice(&buffer[taken..len]);
            kept = self.kept_input();
        }
        let mut replies = reply.into_bytes();
        let stats = node.stats.worker(worker.id);
        stats.output_bytes.add(replies.len() as u64);
        stats.writes.add(u64::from(!replies.is_empty()));
        if self.client.is_killed() {
            // Who kills a client, or itself, does not want it to be told.
            return (taken, Err(killed()));
        }
        if self.is_out_of_turn(&replies) {
            return (taken, Err(killed()));
        }
        if matches!(next, Next::Read) && self.output.is_empty() && !replies.is_empty() {
            self.output = replies;
            self.is_held_back = true;
            self.note_changes();
            *output = spare.pop().unwrap_or_default();
            return (taken, kept.map(|()| next));
        }
        let sent = self.send(&replies);
        replies.clear();
        if replies.capacity() <= REPLY_KEPT {
            *output = replies;
        }
        (taken, kept.and(sent).map(|()| next))
    }

    /// Ready when the disk has what it must have before anything is sent.
    fn poll_synced(&mut self, cx: &Context<'_>) -> Poll<()> {
        let keepers = self.place.keepers();
        while let Some(&(number, position)) = self.unsynced.last() {
            std::task::ready!(keepers[number].append_file.poll_synced(position, cx));
            self.unsynced.pop();
        }
        Poll::Ready(())
    }

    /// Replies are there: what the commands have changed has to be on the disk before they go out, if so configured.
    #[inline]
    fn note_changes(&mut self) {
        for (number, node) in self.place.keepers().iter().enumerate() {
            if let Some(position) = node.must_be_synced() {
                self.unsynced.retain(|(own, _)| *own != number);
                self.unsynced.push((number, position));
            }
        }
    }

    /// Whether replies may go out, as far as files are concerned.
    #[inline]
    fn may_send(&self) -> bool {
        self.place.keepers().iter().for_each(|node| node.write_appended());
        self.unsynced.is_empty()
    }

    /// Sends replies; what the socket does not take is kept.
    fn send(&mut self, replies: &[u8]) -> Result<()> {
        let mut rest = replies;
        if rest.is_empty() {
            return Ok(());
        }
        self.note_changes();
        if self.may_send() && self.sent == self.output.len() {
            while !rest.is_empty() {
                match self.stream.try_write(rest) {
                    Ok(len) => rest = &rest[len..],
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                }
            }
        }
        if rest.is_empty() {
            return Ok(());
        }
        self.output.extend_from_slice(rest);
        self.check_output()
    }

    /// Adds messages that have come for the client to what is to be sent.
    fn take_mail(&mut self) -> Result<()> {
        self.note_changes();
        for message in self.client.take_mail() {
            self.output.extend_from_slice(&message);
            if self.output.len() - self.sent >= REPLY_KEPT {
                self.send_kept()?;
            }
        }
        self.send_kept()
    }

    /// Sends what was kept, as far as the socket takes it.
    fn send_kept(&mut self) -> Result<()> {
        if self.sent < self.output.len() && !self.may_send() {
            return self.check_output();
        }
        while self.sent < self.output.len() {
            match self.stream.try_write(&self.output[self.sent..]) {
                Ok(len) => self.sent += len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return self.check_output(),
                Err(error) => return Err(error),
            }
        }
        recycle(std::mem::take(&mut self.output));
        self.sent = 0;
        self.check_output()
    }

    /// What the configuration says of replies that wait.
    fn output_limit(&self) -> &OutputLimit {
        let listens = self.client.marks().contains(Marks::PUBSUB);
        &self.place.node.settings.output_limits[usize::from(listens)]
    }

    /// When more replies have waited than the configuration allows for a time, and that time is up: in ms since the
    /// epoch.
    fn soft_until_ms(&self) -> i64 {
        self.soft_since_ms.map_or(i64::MAX, |since_ms| {
            since_ms + self.output_limit().soft_s.load(Relaxed) as i64 * 1000 + 1
        })
    }

    /// Ends the connection if more replies wait than the configuration allows, or for too long.
    fn check_output(&mut self) -> Result<()> {
        let waiting = self.output.len() - self.sent;
        self.client.gauges.output_bytes.store(waiting, Relaxed);
        if waiting == 0 {
            self.soft_since_ms = None;
            return Ok(());
        }
        if self.sent > waiting {
            self.output.drain(..self.sent);
            self.sent = 0;
        }
        let limit = self.output_limit();
        let over = |most: u64| most > 0 && waiting as u64 > most;
        let (too_many, many) = (over(limit.hard_bytes.load(Relaxed)), over(limit.soft_bytes.load(Relaxed)));
        let now_ms = self.place.clock.wall_ms();
        self.soft_since_ms = many.then(|| self.soft_since_ms.unwrap_or(now_ms));
        if too_many || now_ms >= self.soft_until_ms() {
            self.place.node.stats.output_buffer_closes.fetch_add(1, Relaxed);
            return Err(killed());
        }
        Ok(())
    }

    /// Sends all that was kept, unless the client takes too long to receive it.
    async fn flush(&mut self) -> Result<()> {
        let clock = Arc::clone(&self.place.clock);
        let until_ms = clock.wall_ms() + LAST_REPLIES_MS;
        let flush = async {
            while self.sent < self.output.len() {
                poll_fn(|cx| self.poll_synced(cx)).await;
                self.stream.writable().await?;
                self.send_kept()?;
            }
            Ok(())
        };
        tokio::select! {
            flushed = flush => flushed,
            () = clock.sleep_until(until_ms) => Err(ErrorKind::TimedOut.into()),
        }
    }

    /// Runs a long command elsewhere.
    async fn offload(&mut self, args: OwnedArgs) -> Result<Next> {
        let Some(session) = self.session.take() else { return Ok(Next::Close) };
        let place = self.place.clone();
        let execute = move |worker: &mut Worker, session: &mut Session, args: Args, reply: &mut Reply| {
            worker.begin(&place.node);
            place.execute(worker, session, args, reply)
        };
        let done = offload::run(Arc::clone(&self.place.numbers), session, args, execute).await;
        let Some((session, replies, (step, at))) = done else { return Ok(Next::Close) };
        self.session = Some(session);
        self.at = at;
        self.send(&replies)?;
        Ok(match step {
            Step::Blocked(waiter) => Next::Blocked(waiter),
            Step::Migrate(parcel) => Next::Migrate(parcel),
            Step::Close => Next::Close,
            Step::Replicate => Next::Replicate,
            _ => Next::Process,
        })
    }

    /// Sends keys to another server, and deletes those that have arrived. What the client does meanwhile is looked at
    /// afterwards.
    async fn migrate(&mut self, parcel: Box<Parcel>) -> Result<Next> {
        let mut parcel = parcel;
        let (node, clock) = (Arc::clone(self.place.at(self.at)), Arc::clone(&self.place.clock));
        loop {
            let outcome = migrate::send(&parcel, &clock).await;
            let finish = loop {
                let Some(session) = &mut self.session else { return Ok(Next::Close) };
                let mut reply = Reply::new(session.protocol);
                let finished = with_worker(|worker| {
                    migration::finish(&node, worker, session, &mut parcel, &outcome, &mut reply)
                });
                match finished {
                    Ok(finish) => break (finish, reply),
                    Err(shard) => poll_fn(|cx| node.keyspace.poll_free(shard, cx)).await,
                }
            };
            if let (Finish::Done, reply) = finish {
                drop(parcel);
                self.send(reply.bytes())?;
                return Ok(Next::Process);
            }
        }
    }

    /// Waits until keys have landed that are on their way to another server.
    async fn wait_for_flights(&mut self) -> Result<Next> {
        let node = Arc::clone(self.place.at(self.at));
        poll_fn(|cx| {
            self.client.register(cx.waker());
            if node.flights.poll_landed(cx).is_ready() {
                return Poll::Ready(Ok(Next::Process));
            }
            self.poll_ended(cx).map(Err)
        })
        .await
    }

    /// Waits until a command is served or its time is up.
    async fn wait_for_keys(&mut self, waiter: Arc<Waiter>) -> Result<Next> {
        let clock = Arc::clone(&self.place.clock);
        let deadline_ms = waiter.timeout_ms().map(|timeout_ms| clock.wall_ms().saturating_add(timeout_ms));
        let reply = tokio::select! {
            biased;
            reply = poll_fn(|cx| self.poll_served(cx, &waiter)) => reply,
            () = clock.sleep_until(deadline_ms.unwrap_or(i64::MAX)) => {
                // Served or not, there is a reply now.
                waiter.time_out(self.place.at(self.at));
                Ok(waiter.take_reply().unwrap_or_default())
            }
        };
        if reply.is_err() {
            waiter.abandon();
        }
        let node = self.place.at(self.at);
        while let Err(shard) = blocking::forget(node, &waiter) {
            poll_fn(|cx| node.keyspace.poll_free(shard, cx)).await;
        }
        if let Some(session) = self.session.as_mut().filter(|_| waiter.writes()) {
            session.wrote(node);
        }
        self.send(&reply?)?;
        Ok(if self.client.marks().contains(Marks::CLOSING) { Next::Close } else { Next::Process })
    }

    /// Ready with the reply of a command that has been served.
    fn poll_served(&mut self, cx: &mut Context<'_>, waiter: &Waiter) -> Poll<Result<Vec<u8>>> {
        self.client.register(cx.waker());
        if let Some(position) = waiter.awaits_file()
            && self.place.node.append_file.poll_synced(position, cx).is_ready()
        {
            self.place.node.serve_acks();
        }
        match waiter.take_reply() {
            Some(reply) => Poll::Ready(Ok(reply)),
            None => self.poll_ended(cx).map(Err),
        }
    }

    /// Ready when the connection ends while a command waits; meanwhile messages are passed on, what was kept is sent,
    /// and input is kept. The connection is registered to be woken.
    fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        loop {
            if self.client.is_killed() {
                return Poll::Ready(killed());
            }
            match self.poll_step(cx) {
                Ok(Poll::Ready(())) => {}
                Ok(Poll::Pending) => return Poll::Pending,
                Err(error) => return Poll::Ready(error),
            }
        }
    }

    /// Does what can be done for a connection while a command waits; pending if that is nothing.
    fn poll_step(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>> {
        if self.client.has_mail() {
            self.take_mail()?;
        }
        if self.poll_synced(cx).is_ready()
            && self.sent < self.output.len()
            && self.stream.poll_write_ready(cx)?.is_ready()
        {
            self.send_kept()?;
            return Ok(Poll::Ready(()));
        }
        if self.input.len() >= BLOCKED_INPUT {
            return Ok(Poll::Pending);
        }
        // That the client has gone is noticed at once.
        let mut buffer = [0; 4096];
        let mut buffer = ReadBuf::new(&mut buffer);
        if Pin::new(&mut self.stream).poll_read(cx, &mut buffer)?.is_pending() {
            return Ok(Poll::Pending);
        }
        let came = buffer.filled();
        if came.is_empty() {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        with_worker(|worker| self.place.node.stats.worker(worker.id).input_bytes.add(came.len() as u64));
        self.input.extend_from_slice(came);
        Ok(Poll::Ready(()))
    }

    /// Waits until a pause is over.
    async fn wait_for_pause(&mut self, until_ms: i64) -> Result<Next> {
        let (node, clock) = (Arc::clone(self.place.at(self.at)), Arc::clone(&self.place.clock));
        let over = poll_fn(|cx| {
            self.client.register(cx.waker());
            if node.pause.poll_over(cx, until_ms).is_ready() {
                return Poll::Ready(Ok(Next::Process));
            }
            self.poll_ended(cx).map(Err)
        });
        tokio::select! {
            next = over => next,
            () = clock.sleep_until(until_ms) => Ok(Next::Process),
        }
    }
}

/// What the client may announce.
#[inline]
fn limits(node: &Node, session: &Session) -> Limits {
    let arguments = if node.release < Release::V7_0 { ARGUMENTS_BEFORE_7 } else { i64::from(i32::MAX) };
    Limits {
        bulk_bytes: node.settings.bulk_bytes.load(Relaxed),
        arguments,
        unauthenticated: session.state.contains(State::UNAUTHENTICATED) && node.release >= Release::V5_0,
    }
}

#[cfg(test)]
mod tests {
    /// What a future takes that a function of two arguments gives.
    fn size<A, B, F: Future>(_: impl FnOnce(A, B) -> F) -> usize {
        size_of::<F>()
    }

    /// What only few connections do is not to be paid for by those that are idle: it is put into a box.
    #[test]
    fn an_idle_connection_takes_little() {
        let bytes = size(super::serve);
        assert!(bytes <= 1200, "{bytes} bytes");
    }
}
