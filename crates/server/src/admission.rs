//! From where a node may be reached.
//!
//! The servers of an instance share one [`Admission`]. Connections of this process to its own nodes are always admitted:
//! replicas follow their masters and owners look after their nodes, whatever clients may do.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use structures::ranked::{Mutex, RwLock};
use tokio::net::{TcpSocket, TcpStream};

/// From where a node may be reached: from anywhere, unless it is told otherwise.
#[derive(Default)]
pub struct Admission(RwLock<Option<Rule>>);

/// Whether clients from an address may connect.
pub type Rule = Arc<dyn Fn(IpAddr) -> bool + Send + Sync>;

/// The ports from which this process connects to nodes, with those to which it does, and how often. Somebody else may connect
/// from such a port to another one.
static OWN: Mutex<BTreeMap<Ports, usize>> = Mutex::new(BTreeMap::new());

/// The ports of a connection: from where, and where to.
type Ports = (u16, u16);

/// The ports of a connection of this process; they are its own until this is dropped.
#[derive(Debug)]
pub struct OwnPort(Ports);

impl Admission {
    /// Says who may connect from now on. Those who are connected stay.
    pub fn set(&self, rule: Option<Rule>) {
        *self.0.write() = rule;
    }

    /// Whether a connection from `peer` may be made that has come to `local`.
    pub fn admits(&self, peer: SocketAddr, local: SocketAddr) -> bool {
        let admitted = self.0.read().as_ref().is_none_or(|rule| rule(peer.ip().to_canonical()));
        admitted || is_own(peer, local)
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Admission").field(&self.0.read().is_some()).finish()
    }
}

/// Whether a connection is one of this process to itself.
pub(crate) fn is_own(peer: SocketAddr, local: SocketAddr) -> bool {
    let (from, to) = (peer.ip().to_canonical(), local.ip().to_canonical());
    let from_here = from == to || from.is_loopback() && to.is_loopback();
    from_here && OWN.lock().contains_key(&(peer.port(), local.port()))
}

/// Connects to a node of this process, which admits the connection as long as the second of what this gives is kept.
///
/// # Errors
/// Those of connecting.
pub async fn connect(address: SocketAddr) -> io::Result<(TcpStream, OwnPort)> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.bind(origin(address))?;
    let port = OwnPort::new((socket.local_addr()?.port(), address.port()));
    Ok((socket.connect(address).await?, port))
}

/// The same, where nobody minds that the thread waits.
///
/// # Errors
/// Those of connecting; it may take so long.
pub(crate) fn connect_blocking(
    address: SocketAddr,
    timeout: Duration,
) -> io::Result<(std::net::TcpStream, OwnPort)> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.bind(&origin(address).into())?;
    let from = socket.local_addr()?.as_socket().ok_or(io::ErrorKind::AddrNotAvailable)?;
    let port = OwnPort::new((from.port(), address.port()));
    socket.connect_timeout(&address.into(), timeout)?;
    Ok((socket.into(), port))
}

/// Where a connection to an address may begin: at any port.
fn origin(address: SocketAddr) -> SocketAddr {
    let any = match address.ip() {
        ip if ip.is_loopback() => ip,
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    (any, 0).into()
}

impl OwnPort {
    /// The port from which a connection of this process has been made.
    ///
    /// # Errors
    /// The connection has no address any more.
    pub(crate) fn of(stream: &std::net::TcpStream) -> io::Result<Self> {
        Ok(OwnPort::new((stream.local_addr()?.port(), stream.peer_addr()?.port())))
    }

    fn new(ports: Ports) -> Self {
        *OWN.lock().entry(ports).or_default() += 1;
        OwnPort(ports)
    }
}

impl Drop for OwnPort {
    fn drop(&mut self) {
        let mut own = OWN.lock();
        if let Some(count) = own.get_mut(&self.0) {
            *count -= 1;
            if *count == 0 {
                own.remove(&self.0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_is_admitted_and_this_process_come_in() {
        let (here, there): (SocketAddr, SocketAddr) =
            ("127.0.0.1:6379".parse().unwrap(), "192.0.2.1:4040".parse().unwrap());
        let admission = Admission::default();
        assert!(admission.admits(there, here), "nobody is kept out");
        admission.set(Some(Arc::new(|ip| ip.is_loopback())));
        assert!(!admission.admits(there, here));
        assert!(admission.admits("[::ffff:127.0.0.1]:5".parse().unwrap(), here));
        admission.set(Some(Arc::new(|_| false)));
        let own: SocketAddr = "127.0.0.1:4141".parse().unwrap();
        assert!(!admission.admits(own, here));
        let port = OwnPort::new((4141, 6379));
        assert!(admission.admits(own, here));
        assert!(
            !admission.admits(own, "127.0.0.1:6380".parse().unwrap()),
            "somebody else's, to another node"
        );
        assert!(!admission.admits("192.0.2.1:4141".parse().unwrap(), here), "another machine's port");
        drop(port);
        assert!(!admission.admits(own, here));
    }
}
