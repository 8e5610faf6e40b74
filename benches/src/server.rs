//! Servers that are measured.

use anyhow::{Context, Result, bail, ensure};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use testkit::{Client, Reply, Wire};

/// How a server is started: its name in tables, and its command with `{port}` for the port.
#[derive(Clone, Debug)]
pub struct Kind {
    /// Its name.
    pub name: String,
    /// Its command line.
    pub command: Vec<String>,
    /// What it speaks.
    pub speaks: Speaks,
}

/// What a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// As redis-server does.
    Redis,
    /// As memcached does.
    Memcached,
}

impl Kind {
    /// Our node, with some options more.
    ///
    /// # Errors
    /// The program cannot be built.
    pub fn carnelian(options: &[&str]) -> Result<Kind> {
        let program = carnelian()?.display().to_string();
        let mut command: Vec<String> =
            [&program, "redis", "--ephemeral", "--port", "{port}"].map(str::to_owned).to_vec();
        command.extend(options.iter().map(|option| (*option).to_owned()));
        Ok(Kind { name: "carnelian".into(), command, speaks: Speaks::Redis })
    }

    /// Our node with its files in a directory; it saves when it is told to.
    ///
    /// # Errors
    /// The program cannot be built.
    pub fn carnelian_in(directory: &str) -> Result<Kind> {
        let program = carnelian()?.display().to_string();
        let options = ["redis", "--port", "{port}", "--config", "save", "", "--config", "dir", directory];
        let command = std::iter::once(program).chain(options.map(str::to_owned)).collect();
        Ok(Kind { name: "carnelian".into(), command, speaks: Speaks::Redis })
    }

    /// The redis-server of this machine, with some options more.
    pub fn redis(options: &[&str]) -> Kind {
        let mut command: Vec<String> =
            ["redis-server", "--port", "{port}", "--save", "", "--appendonly", "no", "--daemonize", "no"]
                .map(str::to_owned)
                .to_vec();
        command.extend(options.iter().map(|option| (*option).to_owned()));
        Kind { name: "redis-server".into(), command, speaks: Speaks::Redis }
    }

    /// Our Memcached node, with some options more.
    ///
    /// # Errors
    /// The program cannot be built.
    pub fn carnelian_memcached(options: &[&str]) -> Result<Kind> {
        let program = carnelian()?.display().to_string();
        let mut command: Vec<String> =
            [&program, "memcached", "--port", "{port}"].map(str::to_owned).to_vec();
        command.extend(options.iter().map(|option| (*option).to_owned()));
        Ok(Kind { name: "carnelian".into(), command, speaks: Speaks::Memcached })
    }

    /// The memcached of this machine, with some options more.
    pub fn memcached(options: &[&str]) -> Kind {
        let mut command: Vec<String> =
            ["memcached", "-u", "nobody", "-l", "127.0.0.1", "-U", "0", "-p", "{port}"]
                .map(str::to_owned)
                .to_vec();
        command.extend(options.iter().map(|option| (*option).to_owned()));
        Kind { name: "memcached".into(), command, speaks: Speaks::Memcached }
    }

    /// Another server, given as `name=command` with `{port}` in the command.
    ///
    /// # Errors
    /// It is given otherwise.
    pub fn parse(text: &str) -> Result<Kind> {
        let (name, command) = text.split_once('=').context("a peer is given as name=command")?;
        let command: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
        ensure!(command.iter().any(|word| word.contains("{port}")), "the command of {name} has no {{port}}");
        Ok(Kind { name: name.into(), command, speaks: Speaks::Redis })
    }
}

/// The program, built for release.
fn carnelian() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let program = own.parent().context("a program lies in a folder")?.join("carnelian");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo).args(["build", "--release", "--quiet", "-p", "carnelian"]).status()?;
    ensure!(built.success() && program.exists(), "{} could not be built", program.display());
    Ok(program)
}

/// A server that runs; it ends with this.
#[derive(Debug)]
pub struct Server {
    process: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Server {
    /// Starts a server, on one processor if one is given, and waits until it answers.
    ///
    /// # Errors
    /// It does not start, or does not answer.
    pub fn start(kind: &Kind, processor: Option<usize>) -> Result<Server> {
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let port = address.port().to_string();
        let words: Vec<String> = kind.command.iter().map(|word| word.replace("{port}", &port)).collect();
        let mut command = match processor {
            Some(processor) => {
                let mut command = Command::new("taskset");
                command.args(["-c", &processor.to_string()]).args(&words);
                command
            }
            None => {
                let mut command = Command::new(&words[0]);
                command.args(&words[1..]);
                command
            }
        };
        command.stdout(Stdio::null()).stderr(Stdio::null()).stdin(Stdio::null());
        let process = command.spawn().with_context(|| format!("{} does not start", kind.name))?;
        let mut server = Server { process, address };
        for _ in 0..2_000 {
            if TcpStream::connect(address).is_ok() && server.answers(kind.speaks) {
                return Ok(server);
            }
            if let Some(status) = server.process.try_wait()? {
                bail!("{} ended at once: {status}", kind.name);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        bail!("{} does not answer on {address}", kind.name)
    }

    fn answers(&self, speaks: Speaks) -> bool {
        match speaks {
            Speaks::Redis => self.client().say("PING") == Reply::Status(b"PONG".to_vec()),
            Speaks::Memcached => Wire::connect(self.address).say("version").starts_with("VERSION"),
        }
    }

    /// A connection to it.
    pub fn client(&self) -> Client {
        Client::connect(self.address)
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
