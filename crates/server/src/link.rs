//! The link to a master: a replica's connection, seen from the replica.
//!
//! One task of a node follows whichever master it is told to ([`engine::master`]): it connects, agrees on where the stream
//! goes on, loads a snapshot if one comes, has the node do what the stream says, and tells the master how far it has come.
//! If anything breaks it tries again.
//!
//! A snapshot is loaded beside the keys that there are, which are told until it takes their place.

use crate::admission::{self, OwnPort};
use crate::clock::Clock;
use crate::hold::{hold, hold_some};
use crate::host::Dial;
use crate::offload::{self, Numbers};
use crate::sync::number;
use command::v;
use engine::clients::Marks;
use engine::execute::pass_on;
use engine::load::{LoadError, Loading};
use engine::master::{self, Address};
use engine::node::Gates;
use engine::session::State;
use engine::{Client, Node, Session, Step, Worker, execute};
use rdb::Reader;
use replication::{Event, Failure, Id, Link};
use resp::{Args, Limits, Parsed, Parser, Protocol, Reply};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Weak};
use std::task::Poll;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};

/// After a link has broken so long is waited before the next, in ms.
const AGAIN_MS: i64 = 1_000;
/// The master is told how far the replica has come this often, in ms.
const TELL_MS: i64 = 1_000;
/// While keys are loaded from files it is looked this often whether that is over, in ms.
const LOADS_MS: i64 = 20;
/// What is read at once, in bytes.
const READ_BYTES: usize = 64 << 10;
/// The same while little comes.
const FEW_BYTES: usize = 1 << 10;
/// Most arguments of a request.
const ARGUMENTS: i64 = i32::MAX as i64;
/// The largest request buffer that is kept, in bytes.
const INPUT_KEPT: usize = 1 << 20;

/// Why a link has ended.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("{0}")]
    Refused(#[from] Failure),
    #[error("the snapshot cannot be loaded: {0}")]
    Load(#[from] LoadError),
    #[error("the master has been silent for too long")]
    Silent,
    #[error("the master has closed the connection")]
    Closed,
    #[error("the master sends what is no stream: {0}")]
    NoStream(String),
    #[error("it has been ended")]
    Killed,
}

/// What a link is made with.
struct Following {
    node: Arc<Node>,
    clock: Arc<Clock>,
    numbers: Arc<Numbers>,
    dial: Option<Dial>,
    worker: Worker,
    /// Which order it follows.
    order: u64,
}

/// Follows whichever master the node is told to, as long as there is the node.
pub(crate) async fn follow(
    node: Weak<Node>,
    clock: Arc<Clock>,
    number: usize,
    numbers: Arc<Numbers>,
    dial: Option<Dial>,
    changed: Arc<Notify>,
    mut ended: watch::Receiver<()>,
) {
    loop {
        let Some(own) = node.upgrade() else { return };
        let master::State { address, order, .. } = own.master.state();
        let Some(address) = address else {
            drop(own);
            tokio::select! {
                () = changed.notified() => continue,
                _ = ended.changed() => return,
            }
        };
        let worker = Worker::new(number);
        let (clock, numbers, dial) = (Arc::clone(&clock), Arc::clone(&numbers), dial.clone());
        let mut following = Following { node: own, clock, numbers, dial, worker, order };
        tokio::select! {
            () = following.try_on(&address) => {}
            () = another(&node, &changed, order) => {}
            _ = ended.changed() => return,
        }
        following.end();
    }
}

impl Following {
    /// Follows a master, and waits before it is tried again.
    async fn try_on(&mut self, address: &Address) {
        while self.node.gates().contains(Gates::LOADING) {
            self.clock.sleep_until(self.clock.wall_ms() + LOADS_MS).await;
        }
        let hands_over = self.node.failover.hands_over();
        let outcome = self.link(address).await;
        if hands_over && matches!(outcome, Err(Broken::Refused(_))) {
            self.stay_master().await;
        }
        let Address { host, port } = address;
        if let Err(broken) = outcome {
            tracing::warn!("the link to the master at {host}:{port} is broken: {broken}");
        }
        let client = self.end();
        let again_ms = self.clock.wall_ms() + AGAIN_MS;
        // One that was up is tried again at once.
        if client.is_none() {
            self.clock.sleep_until(again_ms).await;
        }
    }

    /// The replica that was to become the master does not: this one is it again.
    async fn stay_master(&self) {
        self.node.abort_failover(&mut hold(&self.node).await);
    }

    /// The link is down; gives the connection that there was.
    fn end(&self) -> Option<Arc<Client>> {
        let mut client = None;
        let now_ms = self.clock.wall_ms();
        self.node.master.update(self.order, |state| {
            if state.link == master::Link::Up {
                state.down_since_ms = Some(now_ms);
            }
            state.link = master::Link::Down;
            client = state.client.take();
        });
        if let Some(client) = &client {
            self.node.clients.remove(client.id);
        }
        client
    }

    fn set_link(&self, link: master::Link) {
        let now_ms = self.clock.wall_ms();
        self.node.master.update(self.order, |state| (state.link, state.heard_ms) = (link, now_ms));
    }

    /// Talks to a master until the link breaks.
    async fn link(&mut self, address: &Address) -> Result<(), Broken> {
        self.set_link(master::Link::Connects);
        let (node, clock) = (Arc::clone(&self.node), Arc::clone(&self.clock));
        let timeout_ms = || number(&node, "repl-timeout") * 1000;
        let connect = async {
            match (&self.dial, address.host.parse::<IpAddr>()) {
                (Some(dial), _) => Ok((TcpStream::from_std(dial()?)?, None)),
                // It may be a node of this process.
                (None, Ok(ip)) => {
                    let (stream, port) = admission::connect((ip, address.port).into()).await?;
                    Ok((stream, Some(port)))
                }
                (None, Err(_)) => Ok((TcpStream::connect((&*address.host, address.port)).await?, None)),
            }
        };
        let connected: std::io::Result<(TcpStream, Option<OwnPort>)> = tokio::select! {
            connected = connect => connected,
            () = clock.sleep_until(clock.wall_ms() + timeout_ms()) => return Err(Broken::Silent),
        };
        let (mut stream, _port) = connected?;
        let _ = stream.set_nodelay(true);
        self.set_link(master::Link::Negotiates);
        let client = self.client(&stream)?;
        let mut link = Link::new(node.terms());
        let mut flow = Flow::new(Session::new(Arc::clone(&client)));
        let (mut at, mut load): (Option<(Id, u64)>, Option<Load>) = (None, None);
        let (mut heard_ms, mut told_ms, mut is_up) = (clock.wall_ms(), 0, false);
        let mut buffer = vec![0; FEW_BYTES];
        let mut told = None;
        loop {
            stream.write_all(&link.take_output()).await?;
            let now_ms = clock.wall_ms();
            if is_up && (now_ms - told_ms >= TELL_MS || node.master.was_asked()) {
                told_ms = now_ms;
                let offset = node.replicas.offset();
                let text = flow.told(&node);
                // If the master takes nothing it will be told later.
                told = stream.try_write(&text).is_ok_and(|len| len == text.len()).then_some(offset);
            }
            // A master of the same owner in this process need not hear again that nothing has come.
            let rests = node.master.is_own() && told == Some(node.replicas.offset());
            let tell_ms = if is_up && !rests { told_ms + TELL_MS } else { i64::MAX };
            let silent_ms = heard_ms + timeout_ms();
            let len = tokio::select! {
                len = stream.read(&mut buffer) => len?,
                () = killed(&client) => return Err(Broken::Killed),
                () = clock.sleep_until(tell_ms.min(silent_ms + 1)) => {
                    if clock.wall_ms() > silent_ms {
                        return Err(Broken::Silent);
                    }
                    if buffer.len() > FEW_BYTES {
                        buffer = vec![0; FEW_BYTES];
                    }
                    continue;
                }
            };
            if len == 0 {
                return Err(Broken::Closed);
            }
            heard_ms = clock.wall_ms();
            node.replicas.counts.input_bytes.fetch_add(len as u64, Relaxed);
            node.master.update(self.order, |state| state.heard_ms = heard_ms);
            let is_full = len == buffer.len();
            let mut input = &buffer[..len];
            loop {
                let (taken, event) = link.step(input)?;
                input = &input[taken..];
                let Some(event) = event else { break };
                match event {
                    Event::Continue(id) => {
                        node.handed_over();
                        tracing::info!("the master goes on with its stream");
                        flow.session.as_mut().expect("it is here").select(node.resume(id));
                        is_up = self.comes_up(&client, &stream);
                    }
                    Event::Full(from) => {
                        node.handed_over();
                        at = from;
                        load = Some(self.begin_load().await);
                        self.set_link(master::Link::Loads);
                    }
                    Event::Begin(total) => {
                        tracing::info!("the master sends a snapshot");
                        node.master.update(self.order, |state| state.snapshot = (0, total));
                    }
                    Event::Snapshot(bytes) => {
                        node.master.update(self.order, |state| state.snapshot.0 += bytes.len() as u64);
                        load.as_mut().expect("a snapshot was announced").take(bytes)?;
                    }
                    Event::End => {
                        let loading = load.take().expect("a snapshot was announced").end()?;
                        let Some(db) = self.adopt(loading, at).await else { return Ok(()) };
                        flow.session.as_mut().expect("it is here").select(db);
                        is_up = self.comes_up(&client, &stream);
                        told_ms = 0;
                    }
                    Event::Stream(bytes) => flow.input.extend_from_slice(bytes),
                }
            }
            flow.run(self).await?;
            if is_full && len < READ_BYTES {
                buffer.resize(READ_BYTES, 0);
            }
        }
    }

    /// The connection to the master, as clients see it.
    fn client(&self, stream: &TcpStream) -> Result<Arc<Client>, Broken> {
        let (peer, local) = (stream.peer_addr()?, stream.local_addr()?);
        let id = self.node.clients.next_id();
        let client = Client::new(id, stream.as_raw_fd(), peer, local, self.clock.wall_ms());
        client.mark(Marks::MASTER, true);
        Ok(Arc::new(client))
    }

    /// From now on the stream comes. Gives whether it does.
    fn comes_up(&self, client: &Arc<Client>, stream: &TcpStream) -> bool {
        let now_ms = self.clock.wall_ms();
        if let (Some(own), Ok(local)) = (self.node.master.own(), stream.local_addr()) {
            own.replicas.adopt_own(local);
        }
        self.node.clients.add(Arc::clone(client), usize::MAX);
        self.node.master.update(self.order, |state| {
            (state.link, state.heard_ms) = (master::Link::Up, now_ms);
            state.client = Some(Arc::clone(client));
        })
    }

    /// Begins to load a snapshot.
    async fn begin_load(&self) -> Load {
        let mut one = keyspace::ShardSet::NONE;
        one.insert(0);
        let loading = Loading::begin(&self.node, &hold_some(&self.node, one).await, true);
        Load { reader: loading.reader(&self.node), loading }
    }

    /// Puts what has been loaded in its place. Gives the database that is selected then, unless another order has been
    /// given.
    async fn adopt(&mut self, loading: Loading, at: Option<(Id, u64)>) -> Option<u32> {
        let mut loading = Some(loading);
        loop {
            match self.node.adopt(&mut self.worker, self.order, &mut loading, at) {
                Ok(db) => return db,
                Err(shard) => poll_fn(|cx| self.node.keyspace.poll_free(shard, cx)).await,
            }
        }
    }
}

/// A snapshot that is being loaded.
struct Load {
    reader: Reader,
    loading: Loading,
}

impl Load {
    fn take(&mut self, bytes: &[u8]) -> Result<(), LoadError> {
        self.reader.feed(bytes);
        loop {
            let offset = self.reader.offset();
            let Some(event) = self.reader.next_event().map_err(rdb::ReadError::from)? else { return Ok(()) };
            self.loading.take(offset, event)?;
        }
    }

    fn end(self) -> Result<Loading, LoadError> {
        self.reader.finish().map_err(rdb::ReadError::from)?;
        Ok(self.loading)
    }
}

/// The stream, as it is done.
struct Flow {
    /// There is none while a command runs elsewhere.
    session: Option<Session>,
    parser: Parser,
    /// What has not been done yet.
    input: Vec<u8>,
    reply: Reply,
    /// Places in the file of which the disk may not have everything, and where in the stream they are.
    appended: VecDeque<(u64, u64)>,
    /// How far the file is on the disk, as a place in the stream.
    saved: Option<u64>,
}

/// What is to be done before the stream goes on.
enum Next {
    /// Somebody holds this shard.
    Contended(usize),
    /// The command takes long.
    Offload(resp::OwnedArgs),
}

impl Flow {
    fn new(session: Session) -> Self {
        let mut session = session;
        session.state = State::MASTER;
        Flow {
            session: Some(session),
            parser: Parser::new(),
            input: Vec::new(),
            reply: Reply::new(Protocol::Resp2),
            appended: VecDeque::new(),
            saved: None,
        }
    }

    /// Tells how far the replica has come, and its file, if it has one and the release tells.
    fn told(&mut self, node: &Node) -> Vec<u8> {
        let offset = node.replicas.offset();
        let mut args = vec!["REPLCONF".to_owned(), "ACK".to_owned(), offset.to_string()];
        if node.append_file.is_on() && node.release.has(v(7, 2, 0)) {
            let (appended, synced) = node.append_file.positions();
            self.appended.push_back((appended, offset));
            while self.appended.front().is_some_and(|(appended, _)| *appended <= synced) {
                self.saved = self.appended.pop_front().map(|(_, offset)| offset);
            }
            node.append_file.write_soon();
            args.extend(self.saved.iter().flat_map(|offset| ["FACK".to_owned(), offset.to_string()]));
        }
        let mut told = Reply::new(Protocol::Resp2);
        told.array(args.len());
        args.iter().for_each(|arg| told.bulk(arg));
        told.into_bytes()
    }

    /// Does what has come of the stream, as far as it is complete.
    async fn run(&mut self, following: &mut Following) -> Result<(), Broken> {
        while !self.input.is_empty() {
            match self.step(&following.node, &mut following.worker)? {
                None => break,
                Some(Next::Contended(shard)) => {
                    poll_fn(|cx| following.node.keyspace.poll_free(shard, cx)).await;
                }
                Some(Next::Offload(args)) => {
                    let session = self.session.take().expect("it is here");
                    let (node, numbers) = (Arc::clone(&following.node), Arc::clone(&following.numbers));
                    let execute =
                        move |worker: &mut Worker, session: &mut Session, args: Args, reply: &mut Reply| {
                            worker.begin(&node);
                            (execute(&node, worker, session, args, reply), 0)
                        };
                    let done = offload::run(numbers, session, args, execute).await;
                    let (session, ..) = done.ok_or(Broken::Killed)?;
                    self.session = Some(session);
                }
            }
        }
        Ok(())
    }

    /// Does as much as can be done at once. Gives what has to be done first; nothing if there has to come more.
    fn step(&mut self, node: &Node, worker: &mut Worker) -> Result<Option<Next>, Broken> {
        let Flow { session, parser, input, reply, .. } = self;
        let session = session.as_mut().expect("it is here");
        let bulk_bytes = node.settings.bulk_bytes.load(Relaxed);
        let limits = Limits { bulk_bytes, arguments: ARGUMENTS, unauthenticated: false };
        let (mut parsed, mut at, mut next) = (Parsed::default(), 0, None);
        worker.begin(node);
        while next.is_none() {
            parsed.clear();
            let request = parser.parse(&input[at..], &limits, &mut parsed);
            let Some(request) = request.map_err(|error| Broken::NoStream(error.to_string()))? else { break };
            let bytes = &input[at..at + request.len];
            if request.is_empty() {
                session.upstream.extend_from_slice(bytes);
                at += request.len;
                continue;
            }
            let args = parsed.args(&input[at..], request);
            // What has been begun has been taken note of.
            let begun = session.upstream.len();
            session.upstream.extend_from_slice(bytes);
            match execute(node, worker, session, args, reply) {
                Step::Contended(shard) => {
                    session.upstream.truncate(begun);
                    parser.restart();
                    next = Some(Next::Contended(shard));
                    break;
                }
                Step::Offload => next = Some(Next::Offload(args.to_owned())),
                Step::Close => return Err(Broken::Killed),
                Step::Done | Step::Replicate | Step::Blocked(_) | Step::Paused(_) => {}
                // A master repeats neither, and nothing holds its commands back.
                Step::Migrate(_) | Step::InFlight => {}
            }
            if next.is_none() {
                if reply.bytes().starts_with(b"-") {
                    let error = String::from_utf8_lossy(reply.bytes()).trim_end().to_owned();
                    tracing::error!("a command of the master failed: {error}");
                }
                pass_on(node, session);
            }
            reply.clear();
            at += request.len;
        }
        self.input.drain(..at);
        if self.input.is_empty() && self.input.capacity() > INPUT_KEPT {
            self.input = Vec::new();
        }
        Ok(next)
    }
}

/// Ready when another order than this one has been given.
async fn another(node: &Weak<Node>, changed: &Notify, order: u64) {
    while node.upgrade().is_some_and(|node| node.master.state().order == order) {
        changed.notified().await;
    }
}

/// Ready when somebody ends the connection.
async fn killed(client: &Client) {
    poll_fn(|cx| {
        client.register(cx.waker());
        if client.is_killed() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
