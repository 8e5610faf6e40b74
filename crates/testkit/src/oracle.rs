//! Real redis-servers to compare with: this machine's, of release 7.0, and those of other releases that `scripts/servers` installs.

use crate::client::Client;
use crate::library::root;
use crate::program::REQUIRE_ORACLE;
use crate::reply::Reply;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The releases of which there is a real server. Of 4.0 there is none.
pub const REAL_RELEASES: [&str; 5] = ["3.0", "5.0", "6.2", "7.0", "7.4"];

/// The release of this machine's redis-server.
const OWN: &str = "7.0";

/// A real redis-server; it ends with the test.
#[derive(Debug)]
pub struct Oracle {
    process: Child,
    address: SocketAddr,
    /// Where it leaves the files that replicas write.
    _directory: tempfile::TempDir,
}

impl Oracle {
    /// Starts the redis-server of this machine. Says so and gives nothing if there is none, so that the test can be
    /// skipped; fails instead where the environment requires it.
    pub fn start() -> Option<Oracle> {
        Oracle::start_with(&[])
    }

    /// The same, with further arguments.
    pub fn start_with(args: &[&str]) -> Option<Oracle> {
        Oracle::of(OWN, args)
    }

    /// The same, of one of [`REAL_RELEASES`].
    pub fn of(release: &str, args: &[&str]) -> Option<Oracle> {
        for _ in 0..20 {
            // Somebody else may take the port in between; then another is tried.
            let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr());
            let address = port.expect("there is a free port");
            let directory = tempfile::tempdir().expect("there is room for a directory");
            let mut command = real_program(release, "redis-server")?;
            command
                .current_dir(&directory)
                .args(["--port", &address.port().to_string()])
                .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
                // Its clock ticks often, so that timeouts end when they should.
                .args(["--hz", "500"])
                // Before 7.0 it need not be allowed.
                .args(if release >= "7" { &["--enable-debug-command", "yes"][..] } else { &[] })
                .args(args);
            let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
            let process = process.unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
            let mut oracle = Oracle { process, address, _directory: directory };
            if oracle.is_ready() {
                return Some(oracle);
            }
        }
        panic!("redis-server does not answer");
    }

    fn is_ready(&mut self) -> bool {
        for _ in 0..500 {
            if TcpStream::connect(self.address).is_ok() {
                let mut client = Client::connect(self.address);
                if client.run(&["PING"]) == Reply::Status(b"PONG".to_vec()) {
                    return true;
                }
            }
            if !matches!(self.process.try_wait(), Ok(None)) {
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// A connection to it.
    pub fn client(&self) -> Client {
        Client::connect(self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A program that comes with one of [`REAL_RELEASES`]: `redis-server`, `redis-check-rdb` or `redis-check-aof`. Says so and
/// gives nothing if it is not there, so that the test can be skipped; fails instead where the environment requires it.
pub fn real_program(release: &str, name: &str) -> Option<Command> {
    if release == OWN {
        return crate::program::tool(name);
    }
    let servers = root().join("target/servers");
    let program = servers.join(release).join(name);
    if !servers.join("installed").exists() {
        assert!(std::env::var_os(REQUIRE_ORACLE).is_none(), "scripts/servers has not been run");
        eprintln!("SKIPPED: scripts/servers installs what this needs");
        return None;
    }
    assert!(program.exists(), "{} is not there", program.display());
    let mut command = Command::new(program);
    command.env("LD_LIBRARY_PATH", servers.join("lib"));
    Some(command)
}
