//! Loading an append-only file: commands are run again, one after the other.
//!
//! A file may begin with an RDB file, for the keys that there were when it was rewritten. One that ends in the midst of a
//! request, or of a transaction, was being written when its server was killed: what is incomplete is cut off with a
//! warning if the configuration allows it (`aof-load-truncated`), and refused if not.

use crate::clients::Client;
use crate::execute::{Step, Worker, execute};
use crate::load::{LoadError, Loading};
use crate::session::State;
use crate::{Node, Session};
use resp::{Limits, Parsed, Parser, Reply};
use std::fs::File;
use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// How much is read at once, in bytes.
const PIECE_BYTES: usize = 256 << 10;
/// The longest argument that a file may have, in bytes.
const ARGUMENT_BYTES: i64 = 512 << 20;
/// What a file with keys begins with.
const KEYS: &[u8] = b"REDIS";

/// Why a file is not loaded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplayError {
    /// It cannot be read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The keys at its beginning are damaged.
    #[error("{0}")]
    Keys(#[from] LoadError),
    /// It holds something else than requests.
    #[error("at byte {0}: this is no request")]
    Damaged(u64),
    /// It ends in the midst of a request or a transaction, and must not.
    #[error("at byte {0}: the file breaks off; aof-load-truncated would have the rest cut off")]
    BreaksOff(u64),
    /// There is no such command in this release.
    #[error("at byte {0}: there is no command '{1}'")]
    Unknown(u64, String),
}

/// Runs commands of files on a node.
pub(crate) struct Replay<'n> {
    node: &'n Node,
    session: Session,
    parser: Parser,
    parsed: Parsed,
    reply: Reply,
}

impl<'n> Replay<'n> {
    /// What runs commands as nobody's.
    pub(crate) fn new(node: &'n Node) -> Self {
        let nobody = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let client = Client::new(0, -1, nobody, nobody, node.host.wall_us().div_euclid(1000));
        let mut session = Session::new(Arc::new(client));
        session.state = State::REPLAYING | State::OFFLOADED;
        let reply = Reply::new(session.protocol);
        Replay { node, session, parser: Parser::new(), parsed: Parsed::default(), reply }
    }

    /// Loads a file. `may_break_off` says whether it may end in the midst of a request; where the file is sound up to
    /// there is where it is cut off.
    ///
    /// # Errors
    /// [`ReplayError`]
    pub(crate) fn load(
        &mut self,
        worker: &mut Worker,
        path: &Path,
        may_break_off: bool,
    ) -> Result<(), ReplayError> {
        let mut file = File::options().read(true).write(may_break_off).open(path)?;
        self.session.select(0);
        let mut kept = Vec::new();
        read_more(&mut file, &mut kept, KEYS.len())?;
        // Where in the file `kept` begins.
        let mut offset = 0;
        if kept == KEYS {
            let begin = self.node.keyspace.lock_blocking(self.node.keyspace.all());
            let mut loading = Loading::begin(self.node, &begin, true);
            drop(begin);
            let counted = self.node.saving.progress.count(&mut file);
            let (_, rest) = loading.read(self.node, kept.as_slice().chain(counted))?;
            loading.replace(self.node, worker);
            offset = io::Seek::stream_position(&mut file)? - rest.len() as u64;
            kept = rest;
        }
        let sound = self.run(worker, &mut file, kept, offset)?;
        let len = file.metadata()?.len();
        if sound < len {
            if !may_break_off {
                return Err(ReplayError::BreaksOff(sound));
            }
            self.node.host.log(&format!(
                "{} breaks off: the last {} of {len} bytes are no whole command, and are cut off",
                path.display(),
                len - sound
            ));
            file.set_len(sound)?;
            file.sync_all()?;
        }
        Ok(())
    }

    /// Runs all commands of a file; gives the place up to which they are whole, in bytes from its beginning.
    fn run(
        &mut self,
        worker: &mut Worker,
        file: &mut File,
        mut kept: Vec<u8>,
        mut offset: u64,
    ) -> Result<u64, ReplayError> {
        let limits =
            Limits { bulk_bytes: ARGUMENT_BYTES, arguments: i64::from(i32::MAX), unauthenticated: false };
        self.parser.restart();
        // Where the transaction begins that has not come to its end.
        let mut transaction = None;
        loop {
            let mut taken = 0;
            loop {
                let here = offset + taken as u64;
                match kept.get(taken) {
                    Some(b'*') => {}
                    // A note between commands, a line long.
                    Some(b'#') => match kept[taken..].iter().position(|&byte| byte == b'\n') {
                        Some(end) => {
                            taken += end + 1;
                            continue;
                        }
                        None => break,
                    },
                    Some(_) => return Err(ReplayError::Damaged(here)),
                    None => break,
                }
                self.parsed.clear();
                let request = match self.parser.parse(&kept[taken..], &limits, &mut self.parsed) {
                    Ok(Some(request)) => request,
                    Ok(None) => break,
                    Err(_) => return Err(ReplayError::Damaged(here)),
                };
                if !request.is_empty() {
                    let was_open = self.session.multi.is_some();
                    self.run_one(worker, &kept[taken..], request, here)?;
                    match (was_open, self.session.multi.is_some()) {
                        (false, true) => transaction = Some(here),
                        (true, false) => transaction = None,
                        _ => {}
                    }
                }
                taken += request.len;
            }
            kept.drain(..taken);
            offset += taken as u64;
            let read = read_more(file, &mut kept, PIECE_BYTES)?;
            self.node.saving.progress.read_bytes.fetch_add(read as u64, Relaxed);
            if read == 0 {
                self.session.set_multi(None);
                return Ok(transaction.unwrap_or(offset));
            }
        }
    }

    fn run_one(
        &mut self,
        worker: &mut Worker,
        bytes: &[u8],
        request: resp::Request,
        here: u64,
    ) -> Result<(), ReplayError> {
        let args = self.parsed.args(bytes, request);
        if self.session.find(&self.node.names, args.at(0)).is_none() {
            if crate::libraries::replay(self.node, args) {
                return Ok(());
            }
            return Err(ReplayError::Unknown(here, args.at(0).escape_ascii().to_string()));
        }
        worker.begin(self.node);
        loop {
            self.reply.clear();
            match execute(self.node, worker, &mut self.session, args, &mut self.reply) {
                Step::Contended(_) | Step::InFlight => std::thread::yield_now(),
                Step::Blocked(waiter) => {
                    // What waits is not written to such a file; whoever did it all the same has waited in vain.
                    waiter.abandon();
                    while crate::blocking::forget(self.node, &waiter).is_err() {
                        std::thread::yield_now();
                    }
                    return Ok(());
                }
                // Whatever else a command would have a connection do, a file wants none of it.
                _ => return Ok(()),
            }
        }
    }
}

/// Reads up to so many bytes more; gives how many there were.
fn read_more(file: &mut File, kept: &mut Vec<u8>, most: usize) -> io::Result<usize> {
    file.take(most as u64).read_to_end(kept)
}
