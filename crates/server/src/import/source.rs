//! Servers from which keys are copied.

use super::{Commands, Import, ImportError, percent};
use crate::admission::{OwnPort, connect_blocking};
use crate::clock::Clock;
use rdb::{Event, Reader, Version};
use replication::{Failure, Link, Terms};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// For so long a server may take to be reached, and to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// It is looked this often whether copying is still wanted.
const LOOK: Duration = Duration::from_millis(100);
/// After so many pieces or looks the server is told how far this has come.
const TELL_EVERY: u32 = 10;
/// After so many looks at which nothing has come the server is given up: a minute.
const MOST_SILENT: u32 = 600;
/// So many keys are asked for at once.
const KEYS: usize = 200;
/// What is read at once, in bytes.
const PIECE_BYTES: usize = 64 << 10;

/// A server from which keys are copied.
#[derive(Clone, Debug, Default)]
pub struct Server {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The password, if it asks for one.
    pub password: Option<String>,
    /// How much may be read in a second, in bytes; zero for any.
    pub bytes_per_s: u64,
}

/// Why a server does not send a snapshot.
enum Broken {
    /// It does not speak so.
    NotSpoken(String),
    /// Copying has ended.
    Ended(ImportError),
}

impl From<ImportError> for Broken {
    fn from(error: ImportError) -> Self {
        Broken::Ended(error)
    }
}

impl From<std::io::Error> for Broken {
    fn from(error: std::io::Error) -> Self {
        Broken::Ended(error.into())
    }
}

impl Import {
    /// Copies all keys of a server, and, if it is to be followed, what changes from then on until that is not wanted any
    /// more.
    ///
    /// # Errors
    /// [`ImportError`], with [`ImportError::Stopped`] as the only end of following.
    pub fn server(&mut self, clock: &Clock, server: &Server, follows: bool) -> Result<(), ImportError> {
        match self.follow(clock, server, follows) {
            Ok(()) => Ok(()),
            Err(Broken::Ended(error)) => Err(error),
            Err(Broken::NotSpoken(reason)) if follows => Err(ImportError::Refused(reason)),
            Err(Broken::NotSpoken(reason)) => {
                self.watcher
                    .note(false, &format!("the source is no master ({reason}): it is asked key by key"));
                self.ask_for_all(server)
            }
        }
    }

    /// Copies as a replica does.
    fn follow(&mut self, clock: &Clock, server: &Server, follows: bool) -> Result<(), Broken> {
        let (mut stream, _port) = connect(server)?;
        stream.set_read_timeout(Some(LOOK))?;
        let password = server.password.clone().unwrap_or_default().into_bytes().into();
        let mut link = Link::new(Terms { password, ..Terms::default() });
        let mut reader = Reader::new(Version::V12);
        let (mut commands, mut offset, mut keys, mut total) = (Commands::default(), 0, 0, 0);
        // The clock may be frozen, or moved: how long it is silent is counted in looks.
        let (mut silent, mut untold, mut has_begun, mut is_up) = (0, 0, false, false);
        let mut pace = Pace::new(clock, server.bytes_per_s);
        let mut buffer = vec![0; PIECE_BYTES];
        loop {
            stream.write_all(&link.take_output())?;
            if is_up && untold >= TELL_EVERY {
                untold = 0;
                stream.write_all(&acknowledgement(offset))?;
            }
            if !self.watcher.goes_on() {
                return Err(ImportError::Stopped.into());
            }
            let len = match stream.read(&mut buffer) {
                Ok(0) => return Err(ImportError::Refused("it has closed the connection".to_owned()).into()),
                Ok(len) => len,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    (silent, untold) = (silent + 1, untold + 1);
                    // A master sends something every ten seconds.
                    if silent > MOST_SILENT {
                        return Err(ImportError::Refused("it has been silent for too long".to_owned()).into());
                    }
                    self.look()?;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            (silent, untold) = (0, untold + 1);
            pace.wait_for(clock, len);
            let mut input = &buffer[..len];
            loop {
                let (taken, event) = link.step(input).map_err(|failure| match failure {
                    Failure::Refused(reason) | Failure::NoSnapshot(reason) | Failure::Nonsense(reason)
                        if !has_begun =>
                    {
                        Broken::NotSpoken(reason.into())
                    }
                    failure => Broken::Ended(ImportError::Refused(failure.to_string())),
                })?;
                input = &input[taken..];
                let Some(event) = event else { break };
                match event {
                    replication::Event::Continue(_) => {}
                    replication::Event::Begin(_) => has_begun = true,
                    replication::Event::Full(from) => offset = from.map_or(0, |(_, offset)| offset),
                    replication::Event::Snapshot(bytes) => {
                        reader.feed(bytes);
                        loop {
                            let event = reader.next_event();
                            let event = event.map_err(|error| ImportError::Damaged(error.to_string()))?;
                            let Some(event) = event else { break };
                            if let Event::Sizes { keys, .. } = &event {
                                total += keys;
                                self.watcher.source_keys(total);
                            }
                            keys += u64::from(matches!(event, Event::Key(_)));
                            self.event(event)?;
                            self.watcher.percent(percent(keys, total));
                        }
                    }
                    replication::Event::End => {
                        reader.finish().map_err(|error| ImportError::Damaged(error.to_string()))?;
                        self.select(0)?;
                        self.watcher.percent(100);
                        if !follows {
                            return Ok(());
                        }
                        is_up = true;
                        self.watcher.follows();
                    }
                    replication::Event::Stream(bytes) => {
                        offset += bytes.len() as u64;
                        commands.input.extend_from_slice(bytes);
                    }
                }
            }
            if is_up {
                self.run_all(&mut commands)?;
                self.watcher.offset(offset);
            }
        }
    }

    /// Copies by asking for each key.
    fn ask_for_all(&mut self, server: &Server) -> Result<(), ImportError> {
        let mut line = Line::connect(server)?;
        let keyspace = line.ask(&[b"INFO", b"keyspace"])?.into_text()?;
        let sizes: Vec<(u32, u64)> = keyspace.lines().filter_map(size).collect();
        let all = sizes.iter().map(|(_, keys)| keys).sum();
        self.watcher.source_keys(all);
        let mut copied = 0;
        for (database, _) in sizes {
            line.ask(&[b"SELECT", database.to_string().as_bytes()])?;
            let mut cursor = b"0".to_vec();
            loop {
                let count = KEYS.to_string();
                let Answer::Array(parts) = line.ask(&[b"SCAN", &cursor, b"COUNT", count.as_bytes()])? else {
                    return Err(ImportError::Refused("it answers SCAN with something else".to_owned()));
                };
                let mut parts = parts.into_iter();
                let (Some(Answer::Bytes(next)), Some(Answer::Array(names))) = (parts.next(), parts.next())
                else {
                    return Err(ImportError::Refused("it answers SCAN with something else".to_owned()));
                };
                for name in names {
                    let Answer::Bytes(name) = name else { continue };
                    let ttl = line.ask(&[b"PTTL", &name])?;
                    let dumped = line.ask(&[b"DUMP", &name])?;
                    copied += 1;
                    // One that has gone meanwhile has neither.
                    if let (Answer::Integer(ttl_ms), Answer::Bytes(payload)) = (ttl, dumped) {
                        self.payload(database, &name, ttl_ms, &payload)?;
                    }
                    self.watcher.percent(percent(copied, all));
                }
                if next == b"0" {
                    break;
                }
                cursor = next;
            }
        }
        self.watcher.percent(100);
        Ok(())
    }

    /// Puts in what a server has dumped, in the form of the target's release.
    fn payload(
        &mut self,
        database: u32,
        name: &[u8],
        ttl_ms: i64,
        payload: &[u8],
    ) -> Result<(), ImportError> {
        let node = self.node();
        let params = node.configuration.params(0);
        let limits = rdb::Limits { list: params.list, set: params.set, hash: params.hash, zset: params.zset };
        let opened = rdb::payload::open(payload, |version| version <= Version::V12).ok();
        let opened = opened.and_then(|(value, from)| {
            let entry = rdb::entry(name, value, from, &limits).ok()?;
            let version = engine::save::version(node.release);
            let mut own = Vec::new();
            rdb::value(&mut own, &entry, version, false);
            rdb::payload::seal(&mut own, version);
            Some(own)
        });
        match opened {
            Some(own) => self.restore(database, name, ttl_ms.max(0), &own),
            None => {
                self.watcher.note(true, &format!("{}: its value cannot be read", name.escape_ascii()));
                Ok(())
            }
        }
    }
}

/// The number of a database and of its keys, in a line of `INFO keyspace`.
fn size(line: &str) -> Option<(u32, u64)> {
    let (number, rest) = line.strip_prefix("db")?.split_once(":keys=")?;
    Some((number.parse().ok()?, rest.split(',').next()?.trim_end().parse().ok()?))
}

fn acknowledgement(offset: u64) -> Vec<u8> {
    let offset = offset.to_string();
    format!("*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n${}\r\n{offset}\r\n", offset.len()).into_bytes()
}

/// A connection of this process, which is let in wherever that is a node of its own.
fn connect(server: &Server) -> Result<(TcpStream, OwnPort), ImportError> {
    let addresses = (server.host.as_str(), server.port).to_socket_addrs()?;
    let mut failed = ImportError::Refused(format!("{} is nowhere", server.host));
    for address in addresses {
        match connect_blocking(address, PATIENCE) {
            Ok((stream, port)) => {
                stream.set_nodelay(true)?;
                return Ok((stream, port));
            }
            Err(error) => failed = ImportError::Refused(format!("{address} cannot be reached: {error}")),
        }
    }
    Err(failed)
}

/// Keeps to what may be read in a second.
struct Pace {
    bytes_per_s: u64,
    began_ms: i64,
    bytes: u64,
}

impl Pace {
    fn new(clock: &Clock, bytes_per_s: u64) -> Self {
        Pace { bytes_per_s, began_ms: clock.wall_ms(), bytes: 0 }
    }

    fn wait_for(&mut self, clock: &Clock, len: usize) {
        if self.bytes_per_s == 0 {
            return;
        }
        self.bytes += len as u64;
        let due_ms = self.began_ms + (self.bytes * 1000 / self.bytes_per_s) as i64;
        let left_ms = (due_ms - clock.wall_ms()).clamp(0, 1_000);
        std::thread::sleep(Duration::from_millis(left_ms.unsigned_abs()));
    }
}

/// What a server answers.
enum Answer {
    Bytes(Vec<u8>),
    Integer(i64),
    Array(Vec<Answer>),
    Nothing,
}

impl Answer {
    fn into_text(self) -> Result<String, ImportError> {
        match self {
            Answer::Bytes(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            _ => Err(ImportError::Refused("it answers with something else than text".to_owned())),
        }
    }
}

/// A connection on which one asks and waits.
struct Line(BufReader<TcpStream>, #[allow(dead_code)] OwnPort);

impl Line {
    fn connect(server: &Server) -> Result<Line, ImportError> {
        let (stream, port) = connect(server)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut line = Line(BufReader::new(stream), port);
        if let Some(password) = &server.password {
            line.ask(&[b"AUTH", password.as_bytes()])?;
        }
        Ok(line)
    }

    fn ask(&mut self, args: &[&[u8]]) -> Result<Answer, ImportError> {
        let mut request = format!("*{}\r\n", args.len()).into_bytes();
        for arg in args {
            request.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
            request.extend_from_slice(arg);
            request.extend_from_slice(b"\r\n");
        }
        self.0.get_mut().write_all(&request)?;
        self.read(0)
    }

    fn read(&mut self, depth: usize) -> Result<Answer, ImportError> {
        let nonsense = || ImportError::Refused("it answers with something else than a reply".to_owned());
        let mut line = Vec::new();
        self.0.by_ref().take(PIECE_BYTES as u64).read_until(b'\n', &mut line)?;
        let line = line.strip_suffix(b"\r\n").ok_or_else(nonsense)?;
        let text = String::from_utf8_lossy(line.get(1..).unwrap_or_default()).into_owned();
        let number = || text.parse::<i64>().map_err(|_| nonsense());
        match line.first() {
            Some(b'-') => Err(ImportError::Refused(text)),
            Some(b'+') => Ok(Answer::Bytes(text.into_bytes())),
            Some(b':') => Ok(Answer::Integer(number()?)),
            Some(b'$') => {
                let Ok(len) = u64::try_from(number()?) else { return Ok(Answer::Nothing) };
                let mut bytes = Vec::new();
                self.0.by_ref().take(len + 2).read_to_end(&mut bytes)?;
                bytes.len().checked_sub(2).filter(|have| *have as u64 == len).ok_or_else(nonsense)?;
                bytes.truncate(bytes.len() - 2);
                Ok(Answer::Bytes(bytes))
            }
            Some(b'*') if depth < 3 => {
                let items = number()?.max(0);
                let mut all = Vec::new();
                for _ in 0..items {
                    all.push(self.read(depth + 1)?);
                }
                Ok(Answer::Array(all))
            }
            _ => Err(nonsense()),
        }
    }
}
