//! Memcached nodes of the built program, Debian's memcached to compare with, and a client that sends and gets bytes.

use crate::program::{REQUIRE_ORACLE, carnelian, said_address};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How long an answer may take: much longer than any should.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often it is looked whether a server listens.
const LOOK: Duration = Duration::from_millis(10);
/// How often at most.
const LOOKS: usize = 1_000;

/// The length of a key's value where sizes are to be mixed, in bytes: six of ten are small, three middling, one is large. At
/// most 8,000.
pub fn mixed_value_bytes(key: u32) -> usize {
    let mixed = key.wrapping_mul(2_654_435_769) as usize >> 8;
    let (least, spread) = match mixed % 10 {
        0..=5 => (20, 180),
        6..=8 => (200, 800),
        _ => (1_000, 7_000),
    };
    least + mixed / 10 % spread
}

/// A running server; it ends with the test.
#[derive(Debug)]
pub struct Memcached {
    process: Child,
    address: SocketAddr,
}

impl Memcached {
    /// A bare node of the built program, with further options.
    pub fn ours(options: &[&str]) -> Memcached {
        let mut command = Command::new(carnelian());
        command.args(["memcached", "--port", "0"]).args(options).env_clear();
        let mut process = command.stdout(Stdio::piped()).spawn().expect("the program starts");
        let address = said_address(&mut process);
        Memcached { process, address }
    }

    /// The memcached of this machine, with further options. Says so and gives nothing if there is none, so that the test
    /// can be skipped; fails instead where the environment requires it.
    pub fn theirs(options: &[&str]) -> Option<Memcached> {
        for _ in 0..20 {
            // Somebody else may take the port in between; then another is tried.
            let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr());
            let address = port.expect("there is a free port");
            let started = Command::new("memcached")
                // It refuses to be root.
                .args(["-u", "nobody", "-l", "127.0.0.1", "-U", "0", "-p", &address.port().to_string()])
                .args(options)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn();
            let process = match started {
                Ok(process) => process,
                Err(error) => {
                    let is_required = std::env::var_os(REQUIRE_ORACLE).is_some();
                    assert!(!is_required, "memcached does not start: {error}");
                    eprintln!("SKIPPED: there is no memcached to compare with ({error})");
                    return None;
                }
            };
            let mut server = Memcached { process, address };
            if server.is_ready() {
                return Some(server);
            }
        }
        panic!("memcached does not answer");
    }

    fn is_ready(&mut self) -> bool {
        for _ in 0..LOOKS {
            if TcpStream::connect(self.address).is_ok() {
                // Somebody else may be there, if it has ended.
                return matches!(self.process.try_wait(), Ok(None));
            }
            if !matches!(self.process.try_wait(), Ok(None)) {
                return false;
            }
            std::thread::sleep(LOOK);
        }
        false
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// A connection to it.
    pub fn wire(&self) -> Wire {
        Wire::connect(self.address)
    }
}

impl Drop for Memcached {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A connection over which bytes go as they are.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
}

/// What has come over a connection.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Heard {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Whether the server has hung up.
    pub is_closed: bool,
}

impl std::fmt::Debug for Heard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "\"{}\"{}", self.bytes.escape_ascii(), if self.is_closed { " and closed" } else { "" })
    }
}

impl Wire {
    /// Connects.
    pub fn connect(address: SocketAddr) -> Wire {
        let stream = TcpStream::connect(address)
            .unwrap_or_else(|error| panic!("{address} cannot be reached: {error}"));
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        stream.set_nodelay(true).expect("delays can be turned off");
        Wire { stream }
    }

    /// Waits no longer than this for anything.
    pub fn set_patience(&self, patience: Duration) {
        self.stream.set_read_timeout(Some(patience)).expect("a timeout can be set");
    }

    /// Sends bytes.
    pub fn send(&mut self, bytes: &[u8]) {
        // A server that has hung up is noticed when its answer is read.
        let _ = self.stream.write_all(bytes);
    }

    /// Reads until what has come is enough, the server hangs up, or it takes too long.
    pub fn read_until(&mut self, mut is_enough: impl FnMut(&[u8]) -> bool) -> Heard {
        let mut heard = Heard { bytes: Vec::new(), is_closed: false };
        let mut piece = [0; 65_536];
        while !is_enough(&heard.bytes) {
            match self.stream.read(&mut piece) {
                Ok(0) => heard.is_closed = true,
                Ok(len) => heard.bytes.extend_from_slice(&piece[..len]),
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::TimedOut => break,
                    _ => heard.is_closed = true,
                },
            }
            if heard.is_closed {
                break;
            }
        }
        heard
    }

    /// Reads so many bytes.
    pub fn read(&mut self, len: usize) -> Heard {
        let mut heard = Heard { bytes: vec![0; len], is_closed: false };
        let mut at = 0;
        while at < len {
            match self.stream.read(&mut heard.bytes[at..]) {
                Ok(0) => heard.is_closed = true,
                Ok(more) => at += more,
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::TimedOut => break,
                    _ => heard.is_closed = true,
                },
            }
            if heard.is_closed {
                break;
            }
        }
        heard.bytes.truncate(at);
        heard
    }

    /// Sends bytes and gives the answer, which ends with these.
    pub fn ask(&mut self, bytes: &[u8], end: &[u8]) -> Vec<u8> {
        self.send(bytes);
        let heard = self.read_until(|heard| heard.ends_with(end));
        assert!(heard.bytes.ends_with(end), "{} was answered with {heard:?}", bytes.escape_ascii());
        heard.bytes
    }

    /// Sends a line and gives the line that answers it, both without their ends.
    pub fn say(&mut self, line: &str) -> String {
        let answer = self.ask(format!("{line}\r\n").as_bytes(), b"\r\n");
        String::from_utf8_lossy(&answer).trim_end().to_owned()
    }

    /// A statistic of `stats`, or of the report `of`.
    pub fn stat(&mut self, of: &str, name: &str) -> String {
        let report = self.ask(format!("stats {of}\r\n").as_bytes(), b"END\r\n");
        let report = String::from_utf8_lossy(&report).into_owned();
        let value =
            report.lines().find_map(|line| line.strip_prefix("STAT ")?.strip_prefix(name)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("there is no {name} in {report}")).to_owned()
    }

    /// Sends nothing more, and gives what comes until the server hangs up.
    pub fn finish(mut self) -> Heard {
        let _ = self.stream.shutdown(Shutdown::Write);
        self.read_until(|_| false)
    }
}
