//! Connections that are encrypted. Whoever is slow to agree on how keeps nobody else waiting, and not for ever.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_rustls::server::TlsStream;

use crate::connections::{Connections, Local};

/// So long a client may take to agree on how to encrypt.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// So many that have agreed wait to be served.
const READY: usize = 64;

/// Who a server says that it is: a certificate, those that vouch for it, and the key.
pub struct Certificate {
    /// The certificates in DER, the server's own first.
    pub chain: Vec<Vec<u8>>,
    /// The key in PKCS #8.
    pub key: Vec<u8>,
}

/// Encrypted connections.
pub(crate) struct Encrypted {
    local: SocketAddr,
    ready: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
    accepting: JoinHandle<()>,
}

impl Encrypted {
    /// Those that come to a listener.
    ///
    /// # Errors
    /// The certificate or the listener is of no use.
    pub(crate) fn new(listener: TcpListener, certificate: Certificate) -> io::Result<Self> {
        let local = listener.local_addr()?;
        let config = config(certificate).map_err(io::Error::other)?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let (told, ready) = mpsc::channel(READY);
        let accepting = tokio::spawn(async move {
            let mut connections = Connections(listener);
            loop {
                let (connection, peer) = Listener::accept(&mut connections).await;
                let (acceptor, told) = (acceptor.clone(), told.clone());
                tokio::spawn(async move {
                    match tokio::time::timeout(HANDSHAKE, acceptor.accept(connection)).await {
                        // Where nobody serves any more nobody is told.
                        Ok(Ok(encrypted)) => drop(told.send((encrypted, peer)).await),
                        Ok(Err(error)) => tracing::debug!(%peer, %error, "no encrypted connection"),
                        Err(_) => tracing::debug!(%peer, "no encrypted connection in time"),
                    }
                });
            }
        });
        Ok(Encrypted { local, ready, accepting })
    }
}

impl Drop for Encrypted {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn config(certificate: Certificate) -> Result<ServerConfig, rustls::Error> {
    let chain = certificate.chain.into_iter().map(CertificateDer::from).collect();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(certificate.key));
    let provider = Arc::new(ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = config.with_no_client_auth().with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

impl Listener for Encrypted {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        match self.ready.recv().await {
            Some(accepted) => accepted,
            // Whoever accepts ends only with this.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }
}

impl Connected<IncomingStream<'_, Encrypted>> for Local {
    fn connect_info(connection: IncomingStream<'_, Encrypted>) -> Self {
        Local { address: connection.io().get_ref().0.local_addr().ok(), is_secure: true }
    }
}
