//! `carnelian healthcheck`: asks a server whether it is ready.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::time::Duration;

use crate::options::Settings;
use crate::reachable::reachable;

/// How long connecting, and each wait for bytes, may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Exits with 0 if the server answers 200, and with 1 and one line if not.
pub(crate) fn healthcheck(settings: &Settings) -> ExitCode {
    let url =
        settings.url.clone().unwrap_or_else(|| format!("http://{}/healthz", reachable(settings.listen)));
    match ask(&url) {
        Ok(200) => ExitCode::SUCCESS,
        Ok(status) => {
            eprintln!("carnelian: {url} answered {status}");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("carnelian: {url} is not ready: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The status with which a server answers a GET.
fn ask(url: &str) -> io::Result<u16> {
    let invalid = |reason| io::Error::new(io::ErrorKind::InvalidInput, reason);
    let rest = url.strip_prefix("http://").ok_or_else(|| invalid("the address must begin with http://"))?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let with_port = if host.rsplit(']').next().is_some_and(|end| end.contains(':')) {
        host.to_owned()
    } else {
        format!("{host}:80")
    };
    let address = with_port.to_socket_addrs()?.next().ok_or_else(|| invalid("the host has no address"))?;
    let mut connection = TcpStream::connect_timeout(&address, PATIENCE)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    connection.set_write_timeout(Some(PATIENCE))?;
    let request = format!("GET /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    connection.write_all(request.as_bytes())?;
    let mut answer = [0; "HTTP/1.1 200".len()];
    connection.read_exact(&mut answer)?;
    let status = std::str::from_utf8(&answer).ok().and_then(|answer| answer.strip_prefix("HTTP/1.1 "));
    status.and_then(|status| status.parse().ok()).ok_or_else(|| invalid("the answer is not HTTP"))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    fn answered(answer: &'static str) -> io::Result<u16> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let mut connection = listener.accept().unwrap().0;
            let mut request = [0; 64];
            let length = connection.read(&mut request).unwrap();
            connection.write_all(answer.as_bytes()).unwrap();
            String::from_utf8_lossy(&request[..length]).into_owned()
        });
        let outcome = ask(&format!("http://{address}/healthz"));
        assert!(server.join().unwrap().starts_with("GET /healthz HTTP/1.1\r\n"));
        outcome
    }

    #[test]
    fn the_status_is_the_answer() {
        assert_eq!(answered("HTTP/1.1 200 OK\r\n\r\n").unwrap(), 200);
        assert_eq!(answered("HTTP/1.1 503 Later\r\n\r\n").unwrap(), 503);
        assert!(answered("SSH-2.0-something\r\n").is_err());
        assert!(answered("").is_err());
    }

    #[test]
    fn what_cannot_be_asked_is_an_error() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert!(ask(&format!("http://{free}/")).is_err());
        assert!(ask("https://127.0.0.1/").is_err());
        assert!(ask("http://").is_err());
    }
}
