//! The connections of the gateway: how they are accepted, and what a request knows of its own.

use std::io;
use std::net::SocketAddr;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::net::{TcpListener, TcpStream};

/// Accepts connections that send small answers at once.
pub(crate) struct Connections(pub(crate) TcpListener);

/// The server's own address on a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Local(Option<SocketAddr>);

impl Local {
    pub(crate) fn address(self) -> Option<SocketAddr> {
        self.0
    }
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
        Local(connection.io().local_addr().ok())
    }
}
