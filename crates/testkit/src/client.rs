//! A plain client, which waits for each reply.

use crate::reply::Reply;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long a reply may take: much longer than any should.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    /// Connects.
    pub fn connect(address: SocketAddr) -> Client {
        Client::try_connect(address).unwrap_or_else(|error| panic!("{address} cannot be reached: {error}"))
    }

    /// Connects to a server that may have gone.
    ///
    /// # Errors
    /// What the system says when nobody listens there.
    pub fn try_connect(address: SocketAddr) -> std::io::Result<Client> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        stream.set_nodelay(true).expect("delays can be turned off");
        Ok(Client { stream: BufReader::new(stream) })
    }

    /// Waits no longer than this for replies.
    pub fn set_patience(&self, patience: Duration) {
        self.stream.get_ref().set_read_timeout(Some(patience)).expect("a timeout can be set");
    }

    /// Sends a command and waits for its reply.
    pub fn run<A: AsRef<[u8]>>(&mut self, args: &[A]) -> Reply {
        self.send(args);
        self.read()
    }

    /// Sends a command given as words separated by spaces.
    pub fn say(&mut self, line: &str) -> Reply {
        let args: Vec<&str> = line.split_whitespace().collect();
        self.run(&args)
    }

    /// A field of `INFO`.
    pub fn info(&mut self, name: &str) -> String {
        let text = self.say("INFO").text();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.unwrap_or_else(|| panic!("INFO has no {name}")).to_owned()
    }

    /// The digest of all keys.
    pub fn digest(&mut self) -> String {
        let about = self.say("INFO").text();
        if about.contains("redis_version:3.0.") {
            self.have_tables_grown(&about);
        }
        self.say("DEBUG DIGEST").text()
    }

    /// Looks at every database so often that a table which is growing has grown: a real server of 3.0 ends itself where that
    /// goes on while it makes a digest.
    fn have_tables_grown(&self, about: &str) {
        let mut other = Client::connect(self.stream.get_ref().peer_addr().expect("it is connected"));
        for line in about.lines().filter_map(|line| line.strip_prefix("db")) {
            let Some((db, rest)) = line.split_once(":keys=") else { continue };
            let keys = rest.split(',').next().and_then(|keys| keys.parse().ok()).unwrap_or(0);
            other.run(&["SELECT", db]);
            let looks = encode(&["EXISTS", "x"]).repeat(keys + 4);
            other.send_bytes(&looks);
            (0..keys + 4).for_each(|_| drop(other.read()));
        }
    }

    /// Sends a command and does not wait.
    pub fn send<A: AsRef<[u8]>>(&mut self, args: &[A]) {
        self.send_bytes(&encode(args));
    }

    /// Sends bytes as they are.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        // A server that has hung up is noticed when its reply is read.
        let _ = self.stream.get_mut().write_all(bytes);
    }

    /// Waits for a reply.
    pub fn read(&mut self) -> Reply {
        match self.try_read() {
            Ok(reply) => reply,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Reply::Timeout
            }
            Err(_) => Reply::Closed,
        }
    }

    /// Reads the snapshot that a replica is sent, of a length that is told before or of an end that is.
    pub fn skip_snapshot(&mut self) {
        let mut header = Vec::new();
        while matches!(&header[..], b"" | b"\n") {
            // Empty lines say that it is still being made.
            header.clear();
            self.stream.read_until(b'\n', &mut header).expect("a snapshot comes");
        }
        let header = String::from_utf8_lossy(&header).trim_end().to_owned();
        match header.strip_prefix("$EOF:") {
            Some(end) => {
                let mut bytes = Vec::new();
                while !bytes.ends_with(end.as_bytes()) {
                    let mut next = [0];
                    self.stream.read_exact(&mut next).expect("a snapshot ends");
                    bytes.push(next[0]);
                }
            }
            None => {
                let len = header.strip_prefix('$').and_then(|len| len.parse().ok());
                let mut bytes = vec![0; len.unwrap_or_else(|| panic!("a snapshot begins with {header:?}"))];
                self.stream.read_exact(&mut bytes).expect("a snapshot comes as announced");
            }
        }
    }

    fn try_read(&mut self) -> std::io::Result<Reply> {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line)?;
        while line == b"\n" {
            // A server tells a replica so that it is still there.
            line.clear();
            self.stream.read_until(b'\n', &mut line)?;
        }
        if !line.ends_with(b"\r\n") {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        line.truncate(line.len() - 2);
        let rest = line.split_off(1);
        let number = || {
            String::from_utf8_lossy(&rest).parse::<i64>().unwrap_or_else(|_| panic!("a length in {rest:?}"))
        };
        Ok(match line[0] {
            b'+' => Reply::Status(rest),
            b'-' => Reply::Error(rest),
            b':' => Reply::Integer(number()),
            b'$' if number() < 0 => Reply::Nil,
            b'$' => Reply::Bulk(self.read_bytes(number() as usize)?),
            b'*' if number() < 0 => Reply::NilArray,
            b'*' => Reply::Array(self.read_many(number())?),
            b'~' => Reply::Set(self.read_many(number())?),
            b'>' => Reply::Push(self.read_many(number())?),
            b'%' => {
                let flat = self.read_many(2 * number())?;
                Reply::Map(flat.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect())
            }
            b'_' => Reply::Null,
            b',' => Reply::Double(rest),
            b'#' => Reply::Boolean(rest),
            b'(' => Reply::BigNumber(rest),
            b'=' => Reply::Verbatim(self.read_bytes(number() as usize)?),
            other => panic!("a reply does not begin with {:?}", char::from(other)),
        })
    }

    fn read_many(&mut self, count: i64) -> std::io::Result<Vec<Reply>> {
        (0..count).map(|_| self.try_read()).collect()
    }

    fn read_bytes(&mut self, len: usize) -> std::io::Result<Vec<u8>> {
        let mut bytes = vec![0; len + 2];
        self.stream.read_exact(&mut bytes)?;
        bytes.truncate(len);
        Ok(bytes)
    }
}

/// A command as it goes over the wire.
pub fn encode<A: AsRef<[u8]>>(args: &[A]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        let arg = arg.as_ref();
        bytes.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        bytes.extend_from_slice(arg);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}
