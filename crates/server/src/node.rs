//! A node that listens.

use crate::admission::{Admission, OwnPort};
use crate::clock::Clock;
use crate::configure::{Values, configure};
use crate::connection::{self, Place};
use crate::host::NodeHost;
use crate::memcached;
use crate::workers::Workers;
use command::Release;
use engine::cluster::Seat;
use engine::node::Gates;
use engine::{BadParameter, Node, Worker};
use socket2::{Domain, SockRef, Socket, TcpKeepalive, Type};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

/// Lock stripes of a node.
const SHARDS: usize = 16;
/// Connections that the system keeps until they are accepted.
pub(crate) const BACKLOG: i32 = 511;

/// So long a node that ends waits for what its connections are doing.
pub(crate) const LAST_WORDS: Duration = Duration::from_secs(10);

/// Why a node does not start.
#[derive(Debug)]
pub enum StartError {
    /// Somebody else listens there.
    PortInUse(SocketAddr),
    /// The system refuses.
    Listen(SocketAddr, std::io::Error),
    /// There is no directory for its files.
    NoDirectory(PathBuf, std::io::Error),
    /// It does not take its configuration.
    BadParameter(BadParameter),
}

/// What a node is to be.
#[derive(Clone, Debug)]
pub struct Order {
    /// The release that it imitates.
    pub release: Release,
    /// Where it listens; port zero lets the system choose.
    pub address: SocketAddr,
    /// Keys hashes and random choices.
    pub seed: u64,
    /// Parameters and their values, as a configuration file has them.
    pub config: Vec<(String, String)>,
    /// Where its files lie, unless `dir` says otherwise; without one it writes none.
    pub directory: Option<PathBuf>,
    /// Its place in a cluster that is there already.
    pub seat: Option<Seat>,
    /// From where it may be reached.
    pub admission: Arc<Admission>,
    /// Commands, and subcommands as `container|subcommand`, that its clients do not know, but for those of this process.
    pub withheld: &'static [&'static str],
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StartError::PortInUse(address) => write!(f, "{address} is in use: choose another port"),
            StartError::Listen(address, error) => write!(f, "cannot listen on {address}: {error}"),
            StartError::NoDirectory(path, error) => write!(f, "cannot write to {}: {error}", path.display()),
            StartError::BadParameter(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StartError {}

/// A node with its threads and timers, which does not listen by itself; dropping it ends its connections.
#[derive(Debug)]
pub(crate) struct Resident {
    pub(crate) node: Arc<Node>,
    pub(crate) host: Arc<NodeHost>,
    /// Ends its connections.
    stop: watch::Sender<()>,
    /// Dropped with the node: it follows no master any more.
    _end: watch::Sender<()>,
    /// How loading has ended, when it has.
    loaded: watch::Receiver<Option<Result<(), String>>>,
    place: Place,
}

impl Resident {
    /// Starts a node that is reached at an address.
    ///
    /// # Errors
    /// [`StartError`]
    pub(crate) fn start(
        workers: &Arc<Workers>,
        clock: &Arc<Clock>,
        order: &Order,
        address: SocketAddr,
    ) -> Result<Resident, StartError> {
        Resident::made(workers, clock, order, address, SHARDS, |_| {})
    }

    /// The same, of a node that has so many lock stripes, and to which something is done before anybody knows of it.
    ///
    /// # Errors
    /// [`StartError`]
    pub(crate) fn made(
        workers: &Arc<Workers>,
        clock: &Arc<Clock>,
        order: &Order,
        address: SocketAddr,
        stripes: usize,
        prepare: impl FnOnce(&mut Node),
    ) -> Result<Resident, StartError> {
        let host = Arc::new(NodeHost::new(
            Arc::clone(clock),
            workers.next().clone(),
            workers.slots(),
            Arc::clone(workers.numbers()),
        ));
        let spec = engine::node::Spec {
            release: order.release,
            shards: stripes,
            workers: workers.slots() + 1,
            seed: order.seed,
            address,
            config: order.config.clone(),
            directory: order.directory.clone(),
            seat: order.seat.clone(),
            withheld: order.withheld,
        };
        let node = Node::new(&spec, Arc::clone(&host) as Arc<dyn engine::Host>);
        let mut node = node.map_err(StartError::BadParameter)?;
        prepare(&mut node);
        let node = Arc::new(node);
        let (stop, _) = watch::channel(());
        let (end, ended) = watch::channel(());
        host.adopt(&node, ended);
        node.set_gates(Gates::LOADING, node.has_files());
        node.follow_configured();
        let loaded = load(&node, workers);
        if let Some(member) = &node.member {
            member.adopt(&node);
            member.follow_blocking(&node);
        } else {
            node.follow_configured();
        }
        let place = Place {
            node: Arc::clone(&node),
            clock: Arc::clone(clock),
            numbers: Arc::clone(workers.numbers()),
            syncs: Arc::default(),
            proxy: None,
            admission: Arc::clone(&order.admission),
        };
        Ok(Resident { node, host, stop, _end: end, loaded, place })
    }

    /// What its connections have in common.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// What serves those who connect.
    pub(crate) fn counter(&self) -> Counter {
        Counter { service: Service::Redis(self.place.clone()), stopped: self.stop.subscribe() }
    }

    /// Waits until the keys have been loaded that the node had when it ended.
    ///
    /// # Errors
    /// Why they have not been, in a sentence. The node is of no use then: it goes on saying that it loads.
    pub(crate) fn loaded(&self) -> impl Future<Output = Result<(), String>> + use<> {
        let mut loaded = self.loaded.clone();
        async move {
            let outcome = loaded.wait_for(Option::is_some).await.map(|outcome| (*outcome).clone());
            outcome.ok().flatten().unwrap_or_else(|| Err("loading broke off".to_owned()))
        }
    }

    /// Ends its connections soon.
    pub(crate) fn end_connections(&self) {
        self.stop.send_replace(());
    }

    /// Ends its connections, and waits until they have ended.
    pub(crate) async fn hang_up(&self) {
        self.end_connections();
        if tokio::time::timeout(LAST_WORDS, self.stop.closed()).await.is_err() {
            tracing::warn!("{} connections were cut off", self.stop.receiver_count());
        }
    }

    /// Saves the keys after the last connection has ended, if the node has a directory, and rules unless it is `always`
    /// to be done. Whether nothing has been lost.
    pub(crate) async fn save(self, always: bool) -> bool {
        if self.node.gates().contains(Gates::LOADING) {
            // What has not been loaded is still where it was.
            return true;
        }
        let node = Arc::clone(&self.node);
        let end = move || {
            let closed = node.close_append_file();
            node.save_at_end(always) && closed.is_ok()
        };
        tokio::task::spawn_blocking(end).await.unwrap_or(false)
    }
}

/// A connection of this process to a node that listens nowhere: nobody else reaches what serves it.
///
/// # Errors
/// The system has no sockets left.
pub(crate) fn private_line(counter: Counter, workers: &Workers) -> std::io::Result<std::net::TcpStream> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let own = std::net::TcpStream::connect(listener.local_addr()?)?;
    let port = OwnPort::of(&own)?;
    let stream = loop {
        let (stream, peer) = listener.accept()?;
        // Somebody else may have found the port.
        if peer == own.local_addr()? {
            break stream;
        }
    };
    for stream in [&own, &stream] {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
    }
    counter.serve(stream, workers, Some(port));
    Ok(own)
}

/// Who serves those who connect.
#[derive(Clone, Debug)]
pub(crate) enum Service {
    Redis(Place),
    Memcached(memcached::Place),
}

impl Service {
    /// Whether a connection is served.
    fn admits(&self, stream: &std::net::TcpStream) -> bool {
        match (self, stream.peer_addr(), stream.local_addr()) {
            (Service::Redis(place), Ok(peer), Ok(local)) => place.admission.admits(peer, local),
            (Service::Redis(_), ..) => false,
            (Service::Memcached(_), ..) => true,
        }
    }

    /// How long a client is silent before it is asked whether it is there, in seconds; zero if it is not asked.
    fn keepalive_s(&self) -> u32 {
        match self {
            Service::Redis(place) => place.node.settings.keepalive_s.load(Ordering::Relaxed),
            Service::Memcached(_) => 0,
        }
    }
}

/// Where those who connect are served.
#[derive(Clone, Debug)]
pub(crate) struct Counter {
    pub(crate) service: Service,
    /// Changes when the node's connections are to end.
    pub(crate) stopped: watch::Receiver<()>,
}

impl Counter {
    /// Serves a connection, on whichever worker is next; this process keeps the port, if it is its own, until it has ended.
    fn serve(self, stream: std::net::TcpStream, workers: &Workers, port: Option<OwnPort>) {
        let Counter { service, mut stopped } = self;
        match service {
            Service::Redis(place) => workers.next().spawn(async move {
                let _port = port;
                tokio::select! {
                    () = connection::serve(place, stream) => {}
                    _ = stopped.changed() => {}
                }
            }),
            Service::Memcached(place) => workers.next().spawn(async move {
                tokio::select! {
                    () = memcached::serve(place, stream) => {}
                    _ = stopped.changed() => {}
                }
            }),
        };
    }
}

/// A node that listens; dropping it ends its connections and, somewhat later, frees its port.
#[derive(Debug)]
pub struct Running {
    resident: Resident,
    door: Door,
}

/// A port, and whoever serves those who come to it.
#[derive(Debug)]
pub(crate) struct Door {
    address: SocketAddr,
    /// Who serves; nobody for a while, if there is nothing. Dropped with the door.
    counter: watch::Sender<Option<Counter>>,
    /// Ends when nobody listens any more.
    accepting: JoinHandle<()>,
}

impl Door {
    /// Listens at an address. Whoever comes waits until somebody serves.
    ///
    /// # Errors
    /// [`StartError`]
    pub(crate) fn open(workers: &Arc<Workers>, address: SocketAddr) -> Result<Door, StartError> {
        let listener = listen(address)?;
        let own = listener.local_addr().map_err(|error| StartError::Listen(address, error))?;
        let (counter, served) = watch::channel(None);
        let accepting = workers.next().spawn(accept(listener, Arc::clone(workers), served));
        Ok(Door { address: own, counter, accepting })
    }

    /// Where it is.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Says who serves those who come from now on.
    pub(crate) fn serve(&self, counter: Option<Counter>) {
        self.counter.send_replace(counter);
    }

    /// Waits until the port is free.
    pub(crate) async fn close(self) {
        drop(self.counter);
        // A worker that has ended itself listens no more either.
        let _ = self.accepting.await;
    }
}

impl Running {
    /// Starts a node.
    ///
    /// # Errors
    /// [`StartError`]
    pub fn start(workers: &Arc<Workers>, clock: &Arc<Clock>, order: &Order) -> Result<Running, StartError> {
        let door = Door::open(workers, order.address)?;
        let resident = Resident::start(workers, clock, order, door.address())?;
        door.serve(Some(resident.counter()));
        Ok(Running { resident, door })
    }

    /// The node.
    pub fn node(&self) -> &Arc<Node> {
        &self.resident.node
    }

    /// Waits until the keys have been loaded that the node had when it ended.
    ///
    /// # Errors
    /// Why they have not been, in a sentence. The node is of no use then: it goes on saying that it loads.
    pub fn loaded(&self) -> impl Future<Output = Result<(), String>> + use<> {
        self.resident.loaded()
    }

    /// Lets clients end the node, which they may not otherwise. Ready when one has asked for it.
    pub fn shut_down_asked(&self) -> impl Future<Output = ()> + use<> {
        let asked = self.resident.host.allow_shut_down();
        async move { asked.notified().await }
    }

    /// The node, and the port at which it listens.
    pub(crate) fn into_parts(self) -> (Resident, Door) {
        (self.resident, self.door)
    }

    /// What serves those who connect.
    pub(crate) fn counter(&self) -> Counter {
        self.resident.counter()
    }

    /// Whom to tell that the node may hang.
    pub(crate) fn suspect_to(&self, suspicion: &Arc<Notify>) {
        self.resident.host.suspect_to(suspicion);
    }

    /// Ends its connections soon, and serves nobody any more.
    pub(crate) fn cut_off(&self) {
        self.door.serve(None);
        self.resident.end_connections();
    }

    /// Has another node serve in its place, as this one does not write any more. This may block the thread.
    ///
    /// # Errors
    /// [`StartError`]; then nobody listens.
    pub(crate) fn begin_anew(
        self,
        workers: &Arc<Workers>,
        clock: &Arc<Clock>,
        order: &Order,
    ) -> Result<Running, StartError> {
        self.cut_off();
        let Running { resident, door } = self;
        resident.node.give_up_files();
        drop(resident);
        let resident = Resident::start(workers, clock, order, door.address())?;
        door.serve(Some(resident.counter()));
        Ok(Running { resident, door })
    }

    /// Has it run with other values of these parameters from now on.
    pub fn configure(&self, values: Values) -> impl Future<Output = Result<(), BadParameter>> + use<> {
        let node = Arc::clone(&self.resident.node);
        async move { configure(&[(node, values)]).await }
    }

    /// Ends its connections, and waits until its port is free.
    pub async fn stop(self) {
        let Running { resident, door } = self;
        drop(resident);
        door.close().await;
    }

    /// As [`Running::stop`]; then saves the keys, if the node has a directory, and rules unless it is `always` to be
    /// done. Whether nothing has been lost.
    pub async fn stop_and_save(self, always: bool) -> bool {
        let Running { resident, door } = self;
        door.close().await;
        // What connections have been answered until they end is to be saved.
        resident.hang_up().await;
        resident.save(always).await
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.door.address()
    }
}

/// Has a node load its keys, if it has any, on a thread of their own. Clients are told so meanwhile.
pub(crate) fn load(node: &Arc<Node>, workers: &Workers) -> watch::Receiver<Option<Result<(), String>>> {
    let (done, loaded) = watch::channel(None);
    if !node.has_files() {
        node.open();
        done.send_replace(Some(Ok(())));
        return loaded;
    }
    node.set_gates(Gates::LOADING, true);
    let (node, numbers) = (Arc::clone(node), Arc::clone(workers.numbers()));
    let run = move || {
        let outcome = numbers.with(|number| node.load_files(&mut Worker::new(number)));
        if outcome.is_ok() {
            node.open();
        }
        done.send_replace(Some(outcome));
    };
    // Without the thread the sender is gone, which says that loading broke off.
    let _ = std::thread::Builder::new().name("load".into()).spawn(run);
    loaded
}

fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    let listen = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(TcpListener::from(socket))
    };
    listen().map_err(|error: std::io::Error| match error.kind() {
        ErrorKind::AddrInUse => StartError::PortInUse(address),
        _ => StartError::Listen(address, error),
    })
}

/// Asks a client that has been silent for so long three times whether it is still there, within as long again.
fn keepalive(seconds: u32) -> TcpKeepalive {
    let time = Duration::from_secs(seconds.into());
    TcpKeepalive::new().with_time(time).with_interval((time / 3).max(Duration::from_secs(1))).with_retries(3)
}

/// Accepts connections and hands them to the workers in turn, until the door is closed.
async fn accept(listener: TcpListener, workers: Arc<Workers>, mut served: watch::Receiver<Option<Counter>>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = closed(&mut served) => return,
        };
        let stream = match accepted.and_then(|(stream, _)| stream.into_std()) {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!("a connection was not accepted: {error}");
                // Out of descriptors, most likely: others must close first.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Ok(counter) = served.wait_for(Option::is_some).await.map(|counter| (*counter).clone()) else {
            return;
        };
        let Some(counter) = counter.filter(|counter| counter.service.admits(&stream)) else { continue };
        // Replies are small and wanted at once.
        let _ = stream.set_nodelay(true);
        let keepalive_s = counter.service.keepalive_s();
        if keepalive_s > 0 {
            let _ = SockRef::from(&stream).set_tcp_keepalive(&keepalive(keepalive_s));
        }
        counter.serve(stream, &workers, None);
    }
}

/// Ready when the door is closed.
async fn closed(served: &mut watch::Receiver<Option<Counter>>) {
    while served.changed().await.is_ok() {}
}
