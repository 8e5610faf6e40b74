//! The whole program, with its REST interface, as a test starts it.

use crate::program::{carnelian, signal};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

/// A server that is killed when its test is over.
#[derive(Debug)]
pub struct Server {
    /// Its process.
    pub process: Child,
    /// Where its REST interface is.
    pub url: String,
    /// The id of its only project.
    pub project_id: String,
    /// What it says of https, if it is reached by that.
    pub https: Option<String>,
}

/// What the REST interface answers.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The status line and the headers.
    pub head: String,
    /// The body; null if it is no JSON.
    pub body: Value,
}

impl Server {
    /// A server on a port of the system's choosing, whose nodes start from another.
    pub fn start(arguments: &[&str]) -> Self {
        Server::start_in(Path::new("."), arguments)
    }

    /// The same, running in a directory.
    pub fn start_in(directory: &Path, arguments: &[&str]) -> Self {
        Server::started(Command::new(carnelian()).current_dir(directory), arguments)
    }

    /// The same, which outlives its terminal.
    pub fn start_to_outlive_terminal(arguments: &[&str]) -> Self {
        Server::started(Command::new("nohup").arg(carnelian()), arguments)
    }

    fn started(command: &mut Command, arguments: &[&str]) -> Self {
        let base_port = base_port().to_string();
        let mut process = command
            .args(["--listen", "127.0.0.1:0", "--base-port", &base_port])
            .args(arguments)
            .env_clear()
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        let stdout = BufReader::new(process.stdout.take().expect("its output is piped"));
        let mut lines = stdout.lines().map(|line| line.expect("it says how it is reached"));
        let mut word = |line: &str, before: &str| {
            let line = lines.find(|own| own.starts_with(line)).expect("it says how it is reached");
            line.split(before).nth(1).expect("the line is as it should be").trim().to_owned()
        };
        let url = word("Carnelian", " at ");
        let project_id = word("project", ", id ");
        let mut facts = lines.take_while(|line| !line.is_empty());
        let https = facts.find(|line| line.starts_with("https"));
        Server { process, url, project_id, https }
    }

    /// Sends a request, with a JSON body unless it is null.
    pub fn ask(&self, method: &str, path: &str, token: &str, body: &Value) -> Answer {
        let address = self.url.strip_prefix("http://").expect("it is a URL");
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut connection = TcpStream::connect(address).expect("it listens");
        connection.set_read_timeout(Some(Duration::from_secs(10))).expect("the socket takes a timeout");
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\nx-auth-token: {token}\r\n\
             content-length: {length}\r\n\r\n{body}"
        );
        connection.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).expect("it answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
        Answer {
            status: head[9..12].parse().expect("a status is a number"),
            head: head.to_owned(),
            body: serde_json::from_str(body).unwrap_or(Value::Null),
        }
    }

    /// The address at which it serves https, and the file of the authority that vouches for it.
    pub fn encrypted(&self) -> [&str; 2] {
        let said =
            self.https.as_deref().and_then(|line| line.strip_prefix("https ")?.split_once(", trusted by "));
        let (address, authority) = said.expect("it says where it serves https, and who vouches for it");
        [address.trim(), authority]
    }

    /// A token of the only user.
    pub fn token(&self) -> String {
        let user = json!({"name": "carnelian", "password": "carnelian", "domain": {"name": "carnelian"}});
        let request = json!({"auth": {
            "identity": {"methods": ["password"], "password": {"user": user}},
            "scope": {"project": {"id": self.project_id}},
        }});
        let answer = self.ask("POST", "/v3/auth/tokens", "", &request);
        let line = answer.head.lines().find_map(|line| line.strip_prefix("x-subject-token: "));
        line.expect("the user is known").to_owned()
    }

    /// The path of the project's instances in version 1.0 of DCS.
    pub fn instances(&self) -> String {
        format!("/v1.0/{}/instances", self.project_id)
    }

    /// Sends it a signal of the system.
    pub fn signal(&self, name: &str) {
        signal(self.process.id(), name);
    }
}

/// A port from which on nodes may listen. A server that is started again has to find its ports free, so they are none that the
/// system gives to whoever connects or listens meanwhile, nor, if it can be helped, those of another test.
fn base_port() -> u16 {
    static STARTED: AtomicU16 = AtomicU16::new(0);
    /// Below those that Linux gives away by itself.
    const FIRST: u16 = 12_000;
    /// So many ports for each server, and so many servers.
    const EACH: u16 = 25;
    const SERVERS: u32 = 800;
    let number = std::process::id().wrapping_mul(3) + u32::from(STARTED.fetch_add(1, Ordering::Relaxed));
    FIRST + EACH * (number % SERVERS) as u16
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
