//! Copying keys from elsewhere into what runs behind an address: from files of keys or commands, and from servers that run.
//!
//! A server that speaks `PSYNC` takes this for a replica, and sends its keys and then, for as long as that is wanted, what
//! changes. One that does not is asked for its keys one by one (`SCAN`, `DUMP`), which misses what changes meanwhile. Keys
//! that there are already stay, but for those that come: these are replaced.
//!
//! What comes is run as commands on the nodes themselves, so that standbys, files and clients that wait learn of it, and
//! whoever takes a master's place meanwhile goes on. Everything here blocks its thread, which belongs to nobody else.
//!
//! Not here: who wants it, and what becomes of what it tells.

use std::io;
use std::path::Path;
use std::sync::Arc;

use engine::{Client, Node, Session, Step, Worker, execute};
use rdb::{Event, FileReader, Key, Limits, Reader, Version};
use resp::{Args, OwnedArgs, Parsed, Parser, Protocol, Reply};

use crate::offload::Numbers;
use crate::workers::Workers;
use keyspace::slots::slot_of;
use std::fs::File;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

mod source;

pub use source::Server;

/// How much of a file is read at once, in bytes.
const PIECE_BYTES: usize = 64 << 10;
/// So many commands run before it is looked whether the nodes of a cluster are still the same ones; others are looked at
/// before each command.
const LOOK_EVERY: u32 = 64;
/// While somebody else holds up a command it is tried again this often.
const AGAIN: Duration = Duration::from_millis(1);
/// Commands of which the keys may be of several slots, and how many arguments belong to each key: nodes of a cluster get
/// them key by key.
const SPLIT: [(&[u8], usize); 3] = [(b"del", 1), (b"unlink", 1), (b"mset", 2)];
/// Commands that concern no key, and are for every node.
const FOR_ALL: [&[u8]; 2] = [b"flushall", b"flushdb"];
/// What holds commands together that may be of several slots, and what only keeps a stream alive.
const LEFT_OUT: [&[u8]; 5] = [b"multi", b"exec", b"ping", b"replconf", b"publish"];

/// Where keys are copied to.
#[derive(Clone, Debug)]
pub enum Target {
    /// To nodes that share the slots: for each slot, the number of the one that has it. Nothing where one node has all.
    Nodes(Vec<Arc<Node>>, Vec<Option<usize>>),
    /// To shards behind a proxy.
    Proxy(Arc<engine::Proxy>),
}

/// What finds the target as it is now; nothing if it does not run any more.
pub type Find = Arc<dyn Fn() -> Option<Target> + Send + Sync>;

/// Why copying has ended before its time.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It is not wanted any more.
    #[error("it has been stopped")]
    Stopped,
    /// The target does not run any more.
    #[error("the target does not run")]
    NoTarget,
    /// A file cannot be read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// A file, or what a server sends, is damaged.
    #[error("{0}")]
    Damaged(String),
    /// The source refuses.
    #[error("the source refuses: {0}")]
    Refused(String),
}

/// Who is told how copying goes.
pub trait Watcher: Send + Sync {
    /// Whether it is still wanted.
    fn goes_on(&self) -> bool;
    /// How much of what there was in the beginning has been copied, in percent.
    fn percent(&self, percent: u8);
    /// How many keys the source says that it has.
    fn source_keys(&self, keys: u64);
    /// From now on what changes is copied.
    fn follows(&self);
    /// How far the stream of changes is, in bytes.
    fn offset(&self, offset: u64);
    /// Something that could not be copied, or is worth knowing.
    fn note(&self, is_warning: bool, text: &str);
}

/// What runs commands on a target.
pub struct Import {
    find: Find,
    target: Target,
    numbers: Arc<Numbers>,
    /// One for each node, or one for the proxy.
    sessions: Vec<Session>,
    db: u32,
    commands: u32,
    reply: Reply,
    watcher: Arc<dyn Watcher>,
}

impl Import {
    /// Begins to copy to a target.
    ///
    /// # Errors
    /// [`ImportError::NoTarget`]
    pub fn new(workers: &Workers, find: Find, watcher: Arc<dyn Watcher>) -> Result<Import, ImportError> {
        let target = find().ok_or(ImportError::NoTarget)?;
        let reply = Reply::new(Protocol::Resp2);
        let numbers = Arc::clone(workers.numbers());
        let sessions = Vec::new();
        let mut import = Import { find, target, numbers, sessions, db: 0, commands: 0, reply, watcher };
        import.log_in();
        Ok(import)
    }

    /// Copies what a file holds: keys, commands, or keys and then commands.
    ///
    /// # Errors
    /// [`ImportError`]; what has been copied until then stays.
    pub fn file(&mut self, path: &Path) -> Result<(), ImportError> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len().max(1);
        let mut begin = Vec::new();
        file.by_ref().take(5).read_to_end(&mut begin)?;
        let mut commands = Commands::default();
        if begin == b"REDIS" {
            let mut reader = FileReader::new(Reader::new(Version::V12), begin.as_slice().chain(&mut file));
            loop {
                let offset = reader.reader().offset();
                let event = reader.next_event().map_err(|error| ImportError::Damaged(error.to_string()))?;
                let Some(event) = event else { break };
                self.event(event)?;
                self.watcher.percent(percent(offset, length));
            }
            let (reader, _) = reader.into_parts();
            commands.input = reader.rest().to_vec();
            self.select(0)?;
        } else {
            commands.input = begin;
        }
        loop {
            self.run_all(&mut commands)?;
            let read = file.by_ref().take(PIECE_BYTES as u64).read_to_end(&mut commands.input)?;
            if read == 0 {
                break;
            }
            let position = io::Seek::stream_position(&mut file)?;
            self.watcher.percent(percent(position, length));
        }
        if !commands.input.is_empty() {
            self.watcher.note(true, &format!("{} breaks off in the midst of a command", path.display()));
        }
        self.watcher.percent(100);
        Ok(())
    }

    /// Takes a part of a file of keys.
    fn event(&mut self, event: Event<'_>) -> Result<(), ImportError> {
        match event {
            Event::Key(key) => self.key(key),
            Event::Library(_) => {
                self.watcher.note(true, "a library of functions is left out");
                Ok(())
            }
            Event::ModuleAux(module) => {
                self.watcher.note(true, &format!("data of the module '{module}' is left out"));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Puts a key in the place of the one that there is, if there is one.
    fn key(&mut self, key: Key<'_>) -> Result<(), ImportError> {
        let node = self.node();
        let now_ms = node.host.wall_us().div_euclid(1000);
        let params = node.configuration.params(0);
        let limits = Limits { list: params.list, set: params.set, hash: params.hash, zset: params.zset };
        let ttl_ms = key.expire_at_ms.map_or(0, |at_ms| at_ms - now_ms);
        if key.expire_at_ms.is_some() && ttl_ms <= 0 {
            return Ok(());
        }
        let entry = key.entry(&limits).map_err(|error| ImportError::Damaged(error.to_string()))?;
        let Some(entry) = entry else { return Ok(()) };
        let version = engine::save::version(node.release);
        let mut payload = Vec::new();
        rdb::value(&mut payload, &entry, version, false);
        rdb::payload::seal(&mut payload, version);
        let database = u32::try_from(key.database).unwrap_or(u32::MAX);
        self.restore(database, &key.name, ttl_ms, &payload)
    }

    /// The same of a payload that a server has dumped.
    fn restore(&mut self, database: u32, key: &[u8], ttl_ms: i64, payload: &[u8]) -> Result<(), ImportError> {
        if !self.watcher.goes_on() {
            return Err(ImportError::Stopped);
        }
        self.select(database)?;
        let ttl = ttl_ms.to_string();
        self.run(&[b"RESTORE", key, ttl.as_bytes(), payload, b"REPLACE"])
    }

    /// Goes on in another database.
    fn select(&mut self, database: u32) -> Result<(), ImportError> {
        if self.db == database {
            return Ok(());
        }
        self.db = database;
        self.select_everywhere()
    }

    fn select_everywhere(&mut self) -> Result<(), ImportError> {
        let number = self.db.to_string();
        let request = OwnedArgs::new([&b"SELECT"[..], number.as_bytes()].into_iter());
        for at in 0..self.sessions.len() {
            // It pauses only where everything does.
            while !self.run_on(at, request.as_args()) {
                std::thread::sleep(AGAIN);
            }
            if let Some(error) = self.error() {
                return Err(ImportError::Damaged(format!("the target has no database {number}: {error}")));
            }
        }
        Ok(())
    }

    /// Runs all commands that are complete.
    fn run_all(&mut self, commands: &mut Commands) -> Result<(), ImportError> {
        while let Some(request) = commands.next()? {
            if !self.watcher.goes_on() {
                return Err(ImportError::Stopped);
            }
            let args: Vec<&[u8]> = request.as_args().iter().collect();
            let name = args[0].to_ascii_lowercase();
            if name == b"select" {
                let number = args.get(1).and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
                self.select(number.unwrap_or(0))?;
            } else if !LEFT_OUT.contains(&name.as_slice()) {
                self.run(&args)?;
            }
        }
        Ok(())
    }

    /// Runs a command wherever its keys are. What is refused is noted, and passed over.
    fn run(&mut self, args: &[&[u8]]) -> Result<(), ImportError> {
        self.commands = self.commands.wrapping_add(1);
        let is_cluster = matches!(&self.target, Target::Nodes(nodes, _) if nodes.len() > 1);
        if !is_cluster || self.commands.is_multiple_of(LOOK_EVERY) {
            self.look()?;
        }
        // Writes pause while somebody else takes a node's place, who is to have this one then.
        while !self.run_where_it_belongs(args)? {
            std::thread::sleep(AGAIN);
            self.look()?;
        }
        Ok(())
    }

    /// Whether a command has been run; if not, writes pause.
    fn run_where_it_belongs(&mut self, args: &[&[u8]]) -> Result<bool, ImportError> {
        let name = args[0].to_ascii_lowercase();
        let request = OwnedArgs::new(args.iter().copied());
        let Target::Nodes(nodes, slots) = &self.target else {
            return Ok(self.run_once(0, request.as_args(), args));
        };
        if nodes.len() == 1 {
            return Ok(self.run_once(0, request.as_args(), args));
        }
        if FOR_ALL.contains(&name.as_slice()) {
            // Those that have been emptied may be emptied again.
            let all = 0..nodes.len();
            return Ok(all.into_iter().all(|at| self.run_once(at, request.as_args(), args)));
        }
        if let Some((_, step)) = SPLIT.iter().find(|(split, _)| *split == name.as_slice())
            && args.len() > 1 + step
        {
            for part in args[1..].chunks(*step) {
                self.run(&[&args[..1], part].concat())?;
            }
            return Ok(true);
        }
        // The first key of nearly all commands that change something.
        let at = usize::from(name == b"bitop") + 1;
        let slot = args.get(at).map_or(0, |key| slot_of(key));
        match slots.get(usize::from(slot)).copied().flatten() {
            Some(own) => Ok(self.run_once(own, request.as_args(), args)),
            None => Err(ImportError::Damaged(format!("slot {slot} is served by nobody"))),
        }
    }

    /// Runs a command on a node, and notes what is refused. Whether it has been run; if not, writes pause.
    fn run_once(&mut self, at: usize, request: Args<'_>, args: &[&[u8]]) -> bool {
        let has_run = self.run_on(at, request);
        if has_run {
            self.note_error(args);
        }
        has_run
    }

    /// Runs a command on a node, or by the proxy. Whether it has been run; if not, writes pause.
    fn run_on(&mut self, at: usize, args: Args<'_>) -> bool {
        let Import { target, numbers, sessions, reply, .. } = self;
        numbers.with(|number| {
            let mut worker = Worker::new(number);
            loop {
                reply.clear();
                let step = match target {
                    Target::Nodes(nodes, _) => {
                        worker.begin(&nodes[at]);
                        execute(&nodes[at], &mut worker, &mut sessions[at], args, reply)
                    }
                    Target::Proxy(proxy) => {
                        worker.begin(proxy.front());
                        proxy.execute(&mut worker, &mut sessions[at], args, reply).0
                    }
                };
                match step {
                    Step::Contended(_) => std::thread::yield_now(),
                    Step::InFlight => std::thread::sleep(AGAIN),
                    Step::Paused(_) => return false,
                    Step::Blocked(waiter) => {
                        waiter.abandon();
                        return true;
                    }
                    // Whatever else a command would have a connection do, nobody here wants it.
                    _ => return true,
                }
            }
        })
    }

    /// What the last reply says, if it is an error.
    fn error(&self) -> Option<String> {
        let error = self.reply.bytes().strip_prefix(b"-")?;
        Some(String::from_utf8_lossy(error).trim_end().to_owned())
    }

    fn note_error(&self, args: &[&[u8]]) {
        if let Some(error) = self.error() {
            let key = args.get(1).map(|key| key.escape_ascii().to_string()).unwrap_or_default();
            let name = args[0].escape_ascii();
            self.watcher.note(true, &format!("{name} {key}: {error}"));
        }
    }

    /// A node that says how values are kept.
    fn node(&self) -> Arc<Node> {
        match &self.target {
            Target::Nodes(nodes, _) => Arc::clone(&nodes[0]),
            Target::Proxy(proxy) => Arc::clone(&proxy.shards()[0]),
        }
    }

    /// Goes on with the nodes that there are now.
    fn look(&mut self) -> Result<(), ImportError> {
        let now = (self.find)().ok_or(ImportError::NoTarget)?;
        let is_same = match (&self.target, &now) {
            (Target::Nodes(old, old_slots), Target::Nodes(new, new_slots)) => {
                old.len() == new.len()
                    && old.iter().zip(new).all(|(old, new)| Arc::ptr_eq(old, new))
                    && old_slots == new_slots
            }
            (Target::Proxy(old), Target::Proxy(new)) => Arc::ptr_eq(old, new),
            _ => false,
        };
        if is_same {
            return Ok(());
        }
        self.target = now;
        self.log_in();
        if self.db == 0 { Ok(()) } else { self.select_everywhere() }
    }

    /// Begins a session on each node: nobody's, who may do anything.
    fn log_in(&mut self) {
        let count = match &self.target {
            Target::Nodes(nodes, _) => nodes.len(),
            Target::Proxy(_) => 1,
        };
        let now_ms = self.node().host.wall_us().div_euclid(1000);
        let session = || {
            let nobody = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
            let mut session = Session::new(Arc::new(Client::new(0, -1, nobody, nobody, now_ms)));
            session.state.insert(engine::session::State::OFFLOADED);
            session
        };
        self.sessions = (0..count).map(|_| session()).collect();
    }
}

/// Commands that come in pieces.
#[derive(Default)]
struct Commands {
    input: Vec<u8>,
    /// How much of it has been done.
    at: usize,
    parsed: Parsed,
}

impl Commands {
    /// The next command that is complete.
    fn next(&mut self) -> Result<Option<OwnedArgs>, ImportError> {
        let limits =
            resp::Limits { bulk_bytes: 512 << 20, arguments: i64::from(i32::MAX), unauthenticated: false };
        loop {
            match self.input.get(self.at) {
                // A note between commands, a line long.
                Some(b'#') => match self.input[self.at..].iter().position(|&byte| byte == b'\n') {
                    Some(end) => {
                        self.at += end + 1;
                        continue;
                    }
                    None => break,
                },
                Some(b'*' | b'\r' | b'\n') => {}
                Some(_) => {
                    return Err(ImportError::Damaged("this is no file of keys or commands".to_owned()));
                }
                None => break,
            }
            self.parsed.clear();
            let request = Parser::new().parse(&self.input[self.at..], &limits, &mut self.parsed);
            let request = request.map_err(|error| ImportError::Damaged(error.to_string()))?;
            let Some(request) = request else { break };
            let owned =
                (!request.is_empty()).then(|| self.parsed.args(&self.input[self.at..], request).to_owned());
            self.at += request.len;
            if owned.is_some() {
                return Ok(owned);
            }
        }
        self.input.drain(..self.at);
        self.at = 0;
        Ok(None)
    }
}

fn percent(of: u64, all: u64) -> u8 {
    u8::try_from(of.saturating_mul(100) / all.max(1)).unwrap_or(100).min(99)
}
