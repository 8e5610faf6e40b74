//! The gateway's other address, for clients that speak https only.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, anyhow};
use gateway::Certificate;
use tokio::net::TcpListener;

use crate::certificates::Authority;
use crate::options::{Settings, Tls};

/// So much greater than the port of the one address is that of the other, unless something else is said.
const PORTS_ABOVE: u16 = 43;

/// An address, and what the gateway shows to those who come there.
pub(crate) struct Https {
    pub(crate) listener: TcpListener,
    pub(crate) address: SocketAddr,
    pub(crate) certificate: Certificate,
    /// The certificate of the authority that vouches for it.
    pub(crate) authority: String,
    /// Where that lies, if it is kept.
    pub(crate) path: Option<PathBuf>,
}

/// Opens it, if the settings want one beside the gateway's address. That nobody asked for it is no reason not to start: where
/// its port is in use there is none.
///
/// # Errors
/// It cannot be had where it was asked for, or the authority's files are of no use.
pub(crate) async fn open(settings: &Settings, beside: SocketAddr) -> anyhow::Result<Option<Https>> {
    let wanted = match settings.tls {
        Tls::Off => return Ok(None),
        Tls::Beside if settings.ephemeral => return Ok(None),
        Tls::Beside if settings.listen.port() == 0 => SocketAddr::new(beside.ip(), 0),
        Tls::Beside => match beside.port().checked_add(PORTS_ABOVE) {
            Some(port) => SocketAddr::new(beside.ip(), port),
            None => return Ok(None),
        },
        Tls::At(address) => address,
    };
    let listener = match (TcpListener::bind(wanted).await, settings.tls) {
        (Ok(listener), _) => listener,
        (Err(error), Tls::Beside) => {
            tracing::warn!("there is no https: cannot listen on {wanted}: {error}; see --tls-listen");
            return Ok(None);
        }
        (Err(error), _) if error.kind() == io::ErrorKind::AddrInUse => {
            return Err(anyhow!("{wanted} is in use; choose another address with --tls-listen"));
        }
        (Err(error), _) => {
            return Err(anyhow!(
                "cannot listen on {wanted}: {error}; choose another address with --tls-listen"
            ));
        }
    };
    let address = listener.local_addr()?;
    let directory = if settings.ephemeral { None } else { Some(std::path::absolute(&settings.data_dir)?) };
    let authority = Authority::open(directory.as_deref()).context("https cannot be offered")?;
    let hosts: Vec<_> = [address.ip().to_string()].into_iter().chain(settings.advertise.clone()).collect();
    let certificate = authority.issue(&hosts).context("https cannot be offered")?;
    Ok(Some(Https { listener, address, certificate, authority: authority.pem, path: authority.path }))
}
