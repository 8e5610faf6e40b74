//! A connection's side of the conversation: bytes in, replies out.
//!
//! Requests are parsed some ahead, so that the processor fetches their items while others run. What a request needs to run
//! is all there when it does: of a value that has come in part nothing is kept but the bytes themselves, those of a large one
//! where they will stay ([`crate::unfinished`]).

use arrayvec::ArrayVec;
use memcache_wire::meta::KEY_ROOM;
use memcache_wire::{Block, Error, Parsed, Parser, Protocol, Reply, Request, Status, binary};
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};

use crate::clock::Now;
use crate::items;
use crate::listing::Listing;
use crate::login::{self, Attempt};
use crate::node::Node;
use crate::unfinished::{Made, Unfinished};
use crate::watching::{self, Watch};

/// Requests that are parsed ahead, and keys of one that are looked at ahead.
pub(crate) const AHEAD: usize = 32;
/// How many requests or keys before it is needed a shard is fetched: soon enough to come, and not so soon that another thread
/// has it again.
pub(crate) const SHARDS_AHEAD: usize = 3;
/// Longer replies are sent before more is done, in bytes.
pub(crate) const REPLY_BYTES: usize = 48 << 10;

/// One connection.
#[derive(Debug)]
pub struct Session {
    pub(crate) parser: Parser,
    /// Whether the client may use the node.
    pub(crate) is_admitted: bool,
    /// Whether it has begun to log in by SASL, and a step is to follow.
    pub(crate) is_step_due: bool,
    /// As long as there are fewer bytes, nothing can be done.
    wanted: usize,
    /// What is to be answered when the data has come that is not wanted.
    pub(crate) deferred: Vec<u8>,
    /// A request whose value comes in pieces.
    pub(crate) unfinished: Option<Box<Unfinished>>,
    /// How many keys of the request have been answered already.
    pub(crate) answered: usize,
    /// Whether data is not waited for, since there is no memory for it.
    is_short: bool,
    /// The list that is being told.
    pub(crate) listing: Option<Box<Listing>>,
    /// What it watches.
    pub(crate) watch: Option<Watch>,
    /// The number of the connection.
    client: u64,
    /// Whether what came was no request.
    is_broken: bool,
}

/// What is to be done before a session can go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Wait for more input.
    Read,
    /// Send what there is, and go on.
    Flush,
    /// Send what there is, have others served, and go on.
    Yield,
    /// Wait until a shard may be free, and go on.
    Contended(usize),
    /// Send what there is, then what [`Session::poll_lines`] gives, and hear nothing until the client hangs up.
    Watch,
    /// Send what there is and end.
    Close,
    /// The client ends the node.
    ShutDown,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Done,
    Flush,
    /// A list begins.
    List,
    Watch,
    Close,
    ShutDown,
}

impl Session {
    /// A connection that has just been made.
    pub fn new(node: &Node) -> Self {
        Session {
            parser: Parser::new(),
            is_admitted: !node.access.is_restricted(),
            is_step_due: false,
            wanted: 0,
            deferred: Vec::new(),
            unfinished: None,
            answered: 0,
            is_short: false,
            listing: None,
            watch: None,
            client: 0,
            is_broken: false,
        }
    }

    /// The same for the connection of this number.
    #[must_use]
    pub fn of(self, client: u64) -> Self {
        Session { client, ..self }
    }

    /// Whether it was ended because what came was no request.
    pub fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// How long the request is that is not complete, in bytes; nothing where that is not known yet.
    pub fn request_len(&self) -> Option<usize> {
        (self.is_admitted && self.wanted > 0).then_some(self.wanted)
    }

    /// What the client is to be told next of what it watches. Ready when there is something.
    pub fn poll_lines(&self, context: &Context<'_>) -> Poll<Vec<u8>> {
        self.watch.as_ref().map_or(Poll::Pending, |watch| watch.poll_lines(context))
    }

    /// Whether a request has begun that is not complete.
    pub fn is_mid_request(&self) -> bool {
        self.wanted > 0 || self.parser.is_mid_request()
    }

    /// Does as much as can be done with the bytes that there are. Gives how many of them are done with, and what is next.
    pub fn run(&mut self, node: &Node, input: &[u8], now: Now, reply: &mut Reply) -> (usize, Next) {
        watching::serve(self.client);
        let (mut done, begin) = (0, reply.len());
        if let Some(listing) = &mut self.listing {
            match listing.go_on(node, now, reply) {
                Ok(true) => self.listing = None,
                Ok(false) => return (0, Next::Yield),
                Err(shard) => return (0, Next::Contended(shard)),
            }
        }
        loop {
            if self.has_finished()
                && let Err(shard) = self.finish(node, now, reply)
            {
                return (done, Next::Contended(shard));
            }
            if input.len() - done < self.wanted.max(1) && !self.is_full() {
                return (done, Next::Read);
            }
            self.wanted = 0;
            if !self.is_admitted && input.get(done).is_some_and(|&first| self.speaks_text(first)) {
                match self.hear(node, &input[done..], begin, reply) {
                    Ok(len) => done += len,
                    Err(next) => return (done, next),
                }
                continue;
            }
            let mut batch: ArrayVec<(usize, Request), AHEAD> = ArrayVec::new();
            let (at, end) = self.parse(node, input, done, &mut batch, now, reply);
            let hashes = if batch.len() > 1 { fetch(node, &batch) } else { ArrayVec::new() };
            for (number, &(after, request)) in batch.iter().enumerate() {
                node.prefetch_shard(hashes.get(number + SHARDS_AHEAD));
                let before = reply.len();
                match self.perform(node, request, None, now, reply) {
                    Ok(Step::Done) => {
                        self.answered = 0;
                        done = after;
                        if request.block() == Some(Block::Follows) {
                            self.deferred = reply.split_off(before);
                        }
                        if reply.len() > REPLY_BYTES {
                            return self.pause(done, at, Next::Flush);
                        }
                    }
                    Ok(Step::Flush) => return self.pause(done, at, Next::Flush),
                    Ok(Step::List) => return self.pause(after, at, Next::Yield),
                    Ok(Step::Watch) => return (after, Next::Watch),
                    Ok(Step::Close) => return (after, Next::Close),
                    Ok(Step::ShutDown) => return (after, Next::ShutDown),
                    Err(shard) => return self.pause(done, at, Next::Contended(shard)),
                }
            }
            // What was not wanted stands behind the requests.
            done = at;
            if let Some(next) = end {
                return (done, next);
            }
        }
    }

    /// Goes on without what belongs to the request that is not complete: there is no memory to keep it in. A request that
    /// cannot even be refused ends the connection. As [`Session::run`].
    #[cold]
    pub fn give_up(&mut self, node: &Node, input: &[u8], now: Now, reply: &mut Reply) -> (usize, Next) {
        if self.give_up_value() {
            return self.run(node, input, now, reply);
        }
        (self.wanted, self.is_short) = (0, true);
        self.parser.restart();
        let (done, next) = self.run(node, input, now, reply);
        self.is_short = false;
        if done > 0 || next != Next::Read {
            return (done, next);
        }
        reply.error(Error::NoMemoryRequest);
        (0, Next::Close)
    }

    /// Stops before all that has been parsed is done: it is parsed again.
    fn pause(&mut self, done: usize, parsed: usize, next: Next) -> (usize, Next) {
        if done < parsed {
            self.parser.restart();
            (self.wanted, self.unfinished) = (0, None);
        }
        (done, next)
    }

    /// Parses requests from a place on, each with the place behind it. Gives the place up to which bytes are done with
    /// then, and what is to be done then if that is known.
    fn parse<'a>(
        &mut self,
        node: &Node,
        input: &'a [u8],
        from: usize,
        batch: &mut ArrayVec<(usize, Request<'a>), AHEAD>,
        now: Now,
        reply: &mut Reply,
    ) -> (usize, Option<Next>) {
        let mut at = from;
        while !batch.is_full() {
            match self.parser.parse(&input[at..]) {
                Parsed::Incomplete => return (at, Some(Next::Read)),
                Parsed::Broken => {
                    self.is_broken = true;
                    return (at, Some(Next::Close));
                }
                Parsed::Data { len, bytes, end } => {
                    at += len;
                    self.take_piece(node, bytes, end, now);
                    if end.is_some() {
                        debug_assert!(batch.is_empty(), "it began earlier");
                        return (at, None);
                    }
                }
                Parsed::Swallowed { len, is_last } => {
                    debug_assert!(batch.is_empty(), "it comes first");
                    at += len;
                    if is_last {
                        reply.raw(&std::mem::take(&mut self.deferred));
                    }
                }
                Parsed::Request { len, request } if request.block() == Some(Block::Follows) => {
                    if self.is_wanted(node, &request) {
                        if self.begin_value(node, &request, &input[at..at + len], now) {
                            at += len;
                            continue;
                        }
                        let end = if matches!(request, Request::Binary(_)) { 0 } else { 2 };
                        self.wanted = len + request.block_len().unwrap_or(0) as usize + end;
                        self.parser.restart();
                        return (at, Some(Next::Read));
                    }
                    self.parser.swallow();
                    at += len;
                    batch.push((at, request));
                    // It is done before the data is looked at.
                    return (at, None);
                }
                Parsed::Request { len, request } => {
                    at += len;
                    batch.push((at, request));
                }
            }
        }
        (at, None)
    }

    /// Whether the data that belongs to a request is worth waiting for.
    fn is_wanted(&self, node: &Node, request: &Request) -> bool {
        match request {
            _ if self.is_short => false,
            Request::Store(store) => !items::is_too_large(node, store.key, store.flags, store.len as usize),
            Request::Meta(meta) => {
                let mut room = [0; KEY_ROOM];
                meta.options().is_ok_and(|options| {
                    let key = meta.key(&options, &mut room);
                    !items::is_too_large(node, key, options.client_flags, meta.len as usize)
                })
            }
            Request::Binary(frame) => match frame.command {
                binary::Command::Store { flags, .. } => {
                    self.is_admitted
                        && !items::is_too_large(node, frame.key, flags, frame.value_len() as usize)
                }
                binary::Command::Extend { .. } => {
                    self.is_admitted && !items::is_too_large(node, frame.key, 0, frame.value_len() as usize)
                }
                binary::Command::SaslAuth | binary::Command::SaslStep => frame.value_len() <= CREDENTIALS_MAX,
                _ => false,
            },
            _ => false,
        }
    }

    /// Does what a request says. An item that has been made for it is put in its place as it is, if it is to be stored.
    #[inline]
    pub(crate) fn perform(
        &mut self,
        node: &Node,
        request: Request,
        made: Option<&Made>,
        now: Now,
        reply: &mut Reply,
    ) -> Result<Step, usize> {
        match request {
            Request::Binary(frame) if !self.is_admitted => Ok(self.admit_binary(node, &frame, reply)),
            Request::Binary(frame) => self.perform_binary(node, &frame, made, now, reply),
            Request::Meta(meta) => crate::meta::perform(node, &meta, made, now, reply),
            request => self.perform_text(node, request, made, now, reply),
        }
    }

    /// Whether a client speaks text, who goes on with this byte.
    fn speaks_text(&self, first: u8) -> bool {
        match self.parser.protocol() {
            Protocol::Unknown => first != binary::REQUEST,
            protocol => protocol == Protocol::Text,
        }
    }

    /// Hears what a client says by text that has yet to log in, and answers in the place of what was answered to it from
    /// `begin` on: of what has come at once only the last is answered. How many bytes are done with, or what is next where
    /// there is nothing to answer.
    fn hear(&mut self, node: &Node, input: &[u8], begin: usize, reply: &mut Reply) -> Result<usize, Next> {
        let (len, refusal) = match login::attempt(input) {
            Attempt::Incomplete { wanted } => {
                self.wanted = wanted;
                return Err(Next::Read);
            }
            Attempt::Endless => return Err(Next::Close),
            Attempt::Refused { len, error } => (len, Some(error)),
            Attempt::Credentials { len, user, password } => {
                (len, (!self.log_in(node, Some((user, password)))).then_some(Error::Authentication))
            }
        };
        reply.truncate(begin);
        match refusal {
            None => reply.line("STORED"),
            Some(error) => reply.error(error),
        }
        Ok(len)
    }

    /// Logs in with name and password, if they could be read. Whether they are right.
    pub(crate) fn log_in(&mut self, node: &Node, credentials: Option<(&[u8], &[u8])>) -> bool {
        node.traffic.auth_cmds.fetch_add(1, Relaxed);
        self.is_admitted = credentials.is_some_and(|(user, password)| node.access.admits(user, password));
        if !self.is_admitted {
            node.traffic.auth_errors.fetch_add(1, Relaxed);
        }
        self.is_admitted
    }

    /// Does for a client that has yet to log in what it may do before. Anything else is refused and ends the connection.
    fn admit_binary(&mut self, node: &Node, frame: &binary::Request, reply: &mut Reply) -> Step {
        use binary::{Command, opcode};
        let is_open = matches!(frame.opcode, opcode::SASL_LIST..=opcode::SASL_STEP | opcode::VERSION);
        if is_open || frame.command == Command::Contradictory {
            return self.answer_binary(node, frame, reply);
        }
        binary::respond_error(reply.buffer(), frame, Status::Authentication);
        Step::Close
    }
}

/// Longest name and password, in bytes.
const CREDENTIALS_MAX: u32 = 2048;

/// Asks the processor to fetch what requests will need. Gives the hashes of their keys, of the first of each; one of no key
/// where there is none.
fn fetch(node: &Node, batch: &[(usize, Request)]) -> ArrayVec<u64, AHEAD> {
    let hash = |(_, request): &(usize, Request)| {
        let key = match request {
            Request::Get(get) => get.keys.clone().next(),
            Request::Store(store) => Some(store.key),
            Request::Delete { key, .. } | Request::Touch { key, .. } | Request::Arithmetic { key, .. } => {
                Some(*key)
            }
            Request::Meta(meta) => Some(meta.key_word()),
            Request::Binary(frame) => Some(frame.key),
            _ => None,
        };
        node.hash(key.unwrap_or_default())
    };
    let hashes: ArrayVec<u64, AHEAD> = batch.iter().map(hash).collect();
    node.prefetch(&hashes);
    hashes
}
