//! The connections of the gateway: how they are accepted, and what a request knows of its own.

use std::io;
use std::net::SocketAddr;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::net::{TcpListener, TcpStream};

/// Accepts connections that send small answers at once.
pub(crate) struct Connections(pub(crate) TcpListener);

/// The server's end of a connection.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Local {
    /// Its address.
    pub(crate) address: Option<SocketAddr>,
    /// Whether what is sent there is encrypted.
    pub(crate) is_secure: bool,
}

impl Listener for Connections {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        // Waits and tries again where the process has no more file descriptors.
        let (connection, peer) = Listener::accept(&mut self.0).await;
        // Without it answers are late, not wrong.
        let _ = connection.set_nodelay(true);
        (connection, peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl Connected<IncomingStream<'_, Connections>> for Local {
    fn connect_info(connection: IncomingStream<'_, Connections>) -> Self {
        Local { address: connection.io().local_addr().ok(), is_secure: false }
    }
}
