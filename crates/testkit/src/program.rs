//! Programs that tests start: Carnelian itself, and tools.

use crate::client::Client;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// Set where a missing redis-server or tool is a failure rather than a reason to skip.
pub(crate) const REQUIRE_ORACLE: &str = "CARNELIAN_REQUIRE_ORACLE";

/// A bare Redis node of the built program; it ends with the test.
#[derive(Debug)]
pub struct Program {
    process: Child,
    address: SocketAddr,
}

/// The built program.
pub fn carnelian() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    let folder = test.ancestors().nth(2).expect("tests lie two folders below the target's profile");
    let program = folder.join("carnelian");
    assert!(program.exists(), "{} is not there: build it with `cargo build -p carnelian`", program.display());
    program
}

/// Where the program says that it listens: its first line ends with that.
pub(crate) fn said_address(process: &mut Child) -> SocketAddr {
    let mut line = String::new();
    let stdout = process.stdout.take().expect("its output is piped");
    BufReader::new(stdout).read_line(&mut line).expect("it says where it listens");
    let address = line.trim_end().rsplit(' ').next().and_then(|word| word.parse().ok());
    address.unwrap_or_else(|| panic!("the program did not say where it listens: {line:?}"))
}

impl Program {
    /// Starts a node of a release, with parameters.
    pub fn redis(release: &str, config: &[(&str, &str)]) -> Program {
        Program::redis_with(&["--release", release], config)
    }

    /// Starts a node of a release, with parameters, whose files lie in a directory. Without one it writes none.
    pub fn redis_in(directory: &std::path::Path, release: &str, config: &[(&str, &str)]) -> Program {
        let mut command = Command::new(carnelian());
        command.current_dir(directory).args(["redis", "--port", "0", "--release", release]);
        Program::started(command, config)
    }

    /// Starts what these options say, with parameters, whose files lie in a directory.
    pub fn redis_in_with(directory: &std::path::Path, options: &[&str], config: &[(&str, &str)]) -> Program {
        let mut command = Command::new(carnelian());
        command.current_dir(directory).args(["redis", "--port", "0"]).args(options);
        Program::started(command, config)
    }

    /// Starts a node in a directory, in which it writes nothing.
    pub fn ephemeral_in(directory: &std::path::Path) -> Program {
        let mut command = Command::new(carnelian());
        command.current_dir(directory).args(["redis", "--port", "0", "--ephemeral"]);
        Program::started(command, &[])
    }

    /// Starts a node with these options and parameters.
    pub fn redis_with(options: &[&str], config: &[(&str, &str)]) -> Program {
        let mut command = Command::new(carnelian());
        command.args(["redis", "--port", "0", "--ephemeral"]).args(options);
        Program::started(command, config)
    }

    fn started(mut command: Command, config: &[(&str, &str)]) -> Program {
        command.env_clear().stdout(Stdio::piped());
        for (name, value) in config {
            command.args(["--config", name, value]);
        }
        let mut process = command.spawn().expect("the program starts");
        let address = said_address(&mut process);
        Program { process, address }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A connection to it.
    pub fn client(&self) -> Client {
        Client::connect(self.address)
    }

    /// Has it end as a signal of the system does, and waits until it has; whether all went well.
    pub fn stop(mut self) -> bool {
        signal(self.id(), "TERM");
        self.process.wait().expect("it can be waited for").success()
    }

    /// Waits until it has ended because a client wanted it; whether all went well.
    pub fn ended(mut self) -> bool {
        self.process.wait().expect("it can be waited for").success()
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }
}

/// Sends a process a signal of the system, such as `TERM`.
pub fn signal(process: u32, name: &str) {
    let sent = Command::new("kill").args(["-s", name, &process.to_string()]).status();
    assert!(sent.expect("there is a kill").success(), "there is such a process");
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A command of Debian's redis-tools, such as redis-cli, to be run against this address. Says so and gives nothing if it
/// is not installed, so that the test can be skipped; fails instead where the environment requires it.
pub fn redis_tool(name: &str, address: SocketAddr) -> Option<Command> {
    let mut command = redis_program(name)?;
    command.args(["-h", &address.ip().to_string(), "-p", &address.port().to_string()]);
    Some(command)
}

/// A program that comes with Redis. Says so and gives nothing if there is none; fails instead where the environment
/// requires it.
pub fn redis_program(name: &str) -> Option<Command> {
    tool(name)
}

/// A program of this machine that says its version. Says so and gives nothing if there is none; fails instead where the
/// environment requires it.
pub fn tool(name: &str) -> Option<Command> {
    if let Err(error) = Command::new(name).arg("--version").stdout(Stdio::null()).status() {
        assert!(std::env::var_os(REQUIRE_ORACLE).is_none(), "{name} does not start: {error}");
        eprintln!("SKIPPED: there is no {name} ({error})");
        return None;
    }
    Some(Command::new(name))
}

/// What a process takes of memory, in bytes.
pub fn resident_bytes(id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("it runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("its memory is told");
    let kilobytes = line.split_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok());
    kilobytes.expect("in kilobytes") * 1024
}
