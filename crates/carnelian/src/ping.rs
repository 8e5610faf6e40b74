//! Asking a node whether it serves, the way a client would: over its port, with what it takes to be let in.

use std::net::SocketAddr;
use std::time::Duration;

use cloud::data_plane::PingError;
use cloud::engine::Engine;
use cloud::instance::Access;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::reachable::reachable;

/// How long a node may take to answer.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Asks the node that listens there.
///
/// # Errors
/// [`PingError`]
pub(crate) async fn ping(
    address: SocketAddr,
    engine: Engine,
    access: &Access,
    user: Option<&str>,
) -> Result<(), PingError> {
    let timeout_ms = u64::try_from(TIMEOUT.as_millis()).unwrap_or(u64::MAX);
    let answering = async {
        // Whoever may reach it otherwise.
        let (stream, _port) = server::admission::connect(reachable(address)).await?;
        let mut connection = BufReader::new(stream);
        match engine {
            Engine::Redis => redis(&mut connection, access).await,
            Engine::Memcached => memcached(&mut connection, access, user).await,
        }
    };
    let answered = tokio::time::timeout(TIMEOUT, answering);
    answered.await.unwrap_or(Err(PingError::TimedOut(timeout_ms)))
}

/// A client of Redis logs in where there is a password, and says `PING`.
async fn redis(connection: &mut BufReader<TcpStream>, access: &Access) -> Result<(), PingError> {
    if let Access::Password(password) = access {
        let password = password.reveal();
        let auth = format!("*2\r\n$4\r\nAUTH\r\n${}\r\n{password}\r\n", password.len());
        ask(connection, &auth, "+OK").await?;
    }
    ask(connection, "*1\r\n$4\r\nPING\r\n", "+PONG").await
}

/// A client of Memcached logs in where it is asked to, and asks which version it has come to.
async fn memcached(
    connection: &mut BufReader<TcpStream>,
    access: &Access,
    user: Option<&str>,
) -> Result<(), PingError> {
    if let Access::Password(password) = access {
        // Where any name will do, there must be one.
        let login = format!("{} {}", user.unwrap_or("owner"), password.reveal());
        ask(connection, &format!("set auth 0 0 {}\r\n{login}\r\n", login.len()), "STORED").await?;
    }
    ask(connection, "version\r\n", &format!("VERSION {}", memcache_wire::VERSION)).await
}

/// Sends a request, and sees that the next line of the answer is this.
pub(crate) async fn ask(
    connection: &mut BufReader<TcpStream>,
    request: &str,
    expected: &str,
) -> Result<(), PingError> {
    connection.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    connection.read_line(&mut answer).await?;
    if answer.trim_end() == expected { Ok(()) } else { Err(PingError::Unexpected(answer)) }
}
