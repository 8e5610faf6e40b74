//! A node that listens.

use crate::clock::Clock;
use crate::connection::{self, Place};
use crate::host::NodeHost;
use crate::workers::Workers;
use command::Release;
use engine::Node;
use socket2::{Domain, Socket, Type};
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use tokio::sync::watch;

/// Lock stripes of a node.
const SHARDS: usize = 16;
/// Connections that the system keeps until they are accepted.
const BACKLOG: i32 = 511;

/// Why a node does not start.
#[derive(Debug)]
pub enum StartError {
    /// Somebody else listens there.
    PortInUse(SocketAddr),
    /// The system refuses.
    Listen(SocketAddr, std::io::Error),
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StartError::PortInUse(address) => write!(f, "{address} is in use: choose another port"),
            StartError::Listen(address, error) => write!(f, "cannot listen on {address}: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

/// A node that listens; dropping it ends its connections.
#[derive(Debug)]
pub struct Running {
    node: Arc<Node>,
    address: SocketAddr,
    /// Dropped with the node: listeners and connections end.
    _stop: watch::Sender<()>,
}

impl Running {
    /// Starts a node of a release on an address; port zero lets the system choose.
    ///
    /// # Errors
    /// [`StartError`]
    pub fn start(
        workers: &Arc<Workers>,
        clock: &Arc<Clock>,
        release: Release,
        address: SocketAddr,
        seed: u64,
    ) -> Result<Running, StartError> {
        let listener = listen(address)?;
        let address = listener.local_addr().map_err(|error| StartError::Listen(address, error))?;
        let host = Arc::new(NodeHost::new(Arc::clone(clock), workers.next().clone(), workers.slots()));
        let spec = engine::node::Spec { release, shards: SHARDS, workers: workers.slots() + 1, seed };
        let node = Arc::new(Node::new(&spec, Arc::clone(&host) as Arc<dyn engine::Host>));
        host.adopt(&node);
        let (stop, stopped) = watch::channel(());
        let place = Place {
            node: Arc::clone(&node),
            clock: Arc::clone(clock),
            numbers: Arc::clone(workers.numbers()),
        };
        workers.next().spawn(accept(listener, place, Arc::clone(workers), stopped));
        Ok(Running { node, address, _stop: stop })
    }

    /// The node.
    pub fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
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

/// Accepts connections and hands them to the workers in turn.
async fn accept(
    listener: TcpListener,
    place: Place,
    workers: Arc<Workers>,
    mut stopped: watch::Receiver<()>,
) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.changed() => return,
        };
        let stream = match accepted.and_then(|(stream, _)| stream.into_std()) {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!("a connection was not accepted: {error}");
                // Out of descriptors, most likely: others must close first.
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                continue;
            }
        };
        // Replies are small and wanted at once.
        let _ = stream.set_nodelay(true);
        let (place, mut stopped) = (place.clone(), stopped.clone());
        workers.next().spawn(async move {
            tokio::select! {
                () = connection::serve(place, stream) => {}
                _ = stopped.changed() => {}
            }
        });
    }
}
