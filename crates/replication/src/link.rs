//! A replica's side of the conversation with its master.
//!
//! The replica says who it is and which part of which stream it has; the master answers that the stream goes on from
//! there, or that a snapshot comes first. [`Link::step`] takes what the master has sent, in pieces of any size, and says
//! what it means; what is to be sent to the master gathers meanwhile ([`Link::take_output`]).
//!
//! Not here: when the master has been silent for too long, and what becomes of the snapshot and of the stream.

use crate::Id;
use memchr::{memchr, memmem};
use resp::{Protocol, Reply};
use std::collections::VecDeque;

/// The longest line that a master may answer, in bytes.
const LINE: usize = 1024;

/// What a replica tells its master.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// The user as whom it logs in; empty for the default one.
    pub user: Box<[u8]>,
    /// With this password; without one it does not log in.
    pub password: Box<[u8]>,
    /// Where it listens.
    pub port: u16,
    /// At which address, if not the one that it comes from.
    pub address: Box<[u8]>,
    /// The stream that it has, and how much of it.
    pub has: Option<(Id, u64)>,
    /// Whether the other one is to become the master, and this one its replica: it is no master yet.
    pub hands_over: bool,
}

/// What comes from the master.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// The stream goes on from where the replica has it; under this id, if the master says so.
    Continue(Option<Id>),
    /// A snapshot comes, after which the stream goes on from here; a master that does not know of such places does not
    /// say so.
    Full(Option<(Id, u64)>),
    /// The snapshot begins; it has so many bytes, if that is known.
    Begin(Option<u64>),
    /// A part of the snapshot.
    Snapshot(&'a [u8]),
    /// The snapshot is complete.
    End,
    /// A part of the stream.
    Stream(&'a [u8]),
}

/// Why a replica cannot follow its master, at least for now. The link is of no use any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The master does not talk to this replica.
    #[error("the master refuses: {0}")]
    Refused(Box<str>),
    /// The master cannot send anything now.
    #[error("the master is not ready: {0}")]
    NotReady(Box<str>),
    /// The master gave up on the snapshot.
    #[error("the master sends no snapshot: {0}")]
    NoSnapshot(Box<str>),
    /// This is no master.
    #[error("not an answer of a master: {0}")]
    Nonsense(Box<str>),
}

/// An answer that is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    Ping,
    Login,
    /// What a master may refuse, or not know, without harm.
    Courtesy,
    Position,
}

#[derive(Debug)]
enum Stage {
    /// Before the stream and the snapshot.
    Handshake,
    /// The line with which a snapshot begins.
    Header,
    /// So many bytes of the snapshot are left.
    Counted(u64),
    /// The snapshot ends with a mark.
    Marked(Box<[u8]>),
    /// The snapshot is complete.
    Ended,
    Stream,
}

/// A replica's side of the conversation; see the module.
#[derive(Debug)]
pub struct Link {
    terms: Terms,
    stage: Stage,
    awaited: VecDeque<Awaited>,
    output: Reply,
    /// The beginning of a line.
    line: Vec<u8>,
    /// What may be the beginning of a mark.
    held: Vec<u8>,
    /// What of the snapshot has last been told.
    told: Vec<u8>,
}

impl Link {
    /// A conversation that begins: there is something to send.
    pub fn new(terms: Terms) -> Self {
        let mut link = Link {
            terms,
            stage: Stage::Handshake,
            awaited: VecDeque::new(),
            output: Reply::new(Protocol::Resp2),
            line: Vec::new(),
            held: Vec::new(),
            told: Vec::new(),
        };
        link.ask(Awaited::Ping, &[b"PING"]);
        link
    }

    /// What is to be sent to the master.
    pub fn take_output(&mut self) -> Vec<u8> {
        self.output.take()
    }

    /// Takes from the beginning of `input` what tells of one event. Gives how many bytes that is, and the event; none if
    /// there has to come more.
    ///
    /// # Errors
    /// [`Failure`]
    pub fn step<'a>(&'a mut self, input: &'a [u8]) -> Result<(usize, Option<Event<'a>>), Failure> {
        let mut taken = 0;
        while matches!(self.stage, Stage::Handshake | Stage::Header) {
            let (len, line) = self.take_line(&input[taken..])?;
            taken += len;
            let Some(line) = line else { return Ok((taken, None)) };
            // Masters that take their time send empty lines.
            if line.is_empty() {
                continue;
            }
            let event = match self.stage {
                Stage::Header => Some(self.begin(&line)?),
                _ => self.answer(&line)?,
            };
            if event.is_some() {
                return Ok((taken, event));
            }
        }
        let input = &input[taken..];
        let (len, event) = match &mut self.stage {
            Stage::Counted(0) | Stage::Ended => {
                self.stage = Stage::Stream;
                (0, Some(Event::End))
            }
            _ if input.is_empty() => (0, None),
            Stage::Counted(left) => {
                let len = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                *left -= len as u64;
                (len, Some(Event::Snapshot(&input[..len])))
            }
            Stage::Marked(mark) => {
                let len_of_mark = mark.len();
                self.held.extend_from_slice(input);
                let found = memmem::find(&self.held, mark);
                let end = found.unwrap_or_else(|| self.held.len().saturating_sub(len_of_mark - 1));
                let rest = self.held.split_off(end);
                self.told = std::mem::replace(&mut self.held, rest);
                let mut len = input.len();
                if found.is_some() {
                    // What follows the mark has come just now.
                    len -= self.held.len() - len_of_mark;
                    self.held = Vec::new();
                    self.stage = Stage::Ended;
                }
                (len, Some(Event::Snapshot(&self.told)))
            }
            Stage::Handshake | Stage::Header | Stage::Stream => (input.len(), Some(Event::Stream(input))),
        };
        Ok((taken + len, event))
    }

    /// The next line, if it is complete, without its end; and how many bytes have been taken.
    fn take_line(&mut self, input: &[u8]) -> Result<(usize, Option<Vec<u8>>), Failure> {
        let end = memchr(b'\n', input);
        let len = end.map_or(input.len(), |end| end + 1);
        self.line.extend_from_slice(&input[..len]);
        if self.line.len() > LINE {
            return Err(nonsense(&self.line[..32]));
        }
        if end.is_none() {
            return Ok((len, None));
        }
        let mut line = std::mem::take(&mut self.line);
        while line.last().is_some_and(|byte| matches!(byte, b'\r' | b'\n')) {
            line.pop();
        }
        Ok((len, Some(line)))
    }

    fn ask(&mut self, awaited: Awaited, args: &[&[u8]]) {
        self.output.array(args.len());
        args.iter().for_each(|arg| self.output.bulk(arg));
        self.awaited.push_back(awaited);
    }

    /// Deals with an answer.
    fn answer(&mut self, line: &[u8]) -> Result<Option<Event<'static>>, Failure> {
        let Some(awaited) = self.awaited.pop_front() else { return Err(nonsense(line)) };
        match awaited {
            Awaited::Ping => {
                let logs_in = [&b"-NOAUTH"[..], b"-NOPERM", b"-ERR operation not permitted"];
                if !line.starts_with(b"+") && !logs_in.iter().any(|prefix| line.starts_with(prefix)) {
                    return Err(refused(line));
                }
                self.introduce();
            }
            Awaited::Login if !line.starts_with(b"+") => return Err(refused(line)),
            Awaited::Login | Awaited::Courtesy => {}
            Awaited::Position => return self.position(line).map(Some),
        }
        if self.awaited.is_empty() {
            self.ask_for_position();
        }
        Ok(None)
    }

    /// Says who this is.
    fn introduce(&mut self) {
        let Terms { user, password, port, address, .. } = self.terms.clone();
        match (user.is_empty(), password.is_empty()) {
            (_, true) => {}
            (true, false) => self.ask(Awaited::Login, &[b"AUTH", &password]),
            (false, false) => self.ask(Awaited::Login, &[b"AUTH", &user, &password]),
        }
        self.ask(Awaited::Courtesy, &[b"REPLCONF", b"listening-port", port.to_string().as_bytes()]);
        if !address.is_empty() {
            self.ask(Awaited::Courtesy, &[b"REPLCONF", b"ip-address", &address]);
        }
        self.ask(Awaited::Courtesy, &[b"REPLCONF", b"capa", b"eof", b"capa", b"psync2"]);
    }

    fn ask_for_position(&mut self) {
        let (id, next) = match self.terms.has {
            Some((id, offset)) => (id.to_string(), (offset + 1).to_string()),
            None => ("?".to_owned(), "-1".to_owned()),
        };
        let args = [&b"PSYNC"[..], id.as_bytes(), next.as_bytes(), b"FAILOVER"];
        self.ask(Awaited::Position, &args[..if self.terms.hands_over { 4 } else { 3 }]);
    }

    /// The answer to the question where the stream goes on.
    fn position(&mut self, line: &[u8]) -> Result<Event<'static>, Failure> {
        let mut words = line.split(|&byte| byte == b' ');
        let first = words.next().unwrap_or_default();
        match first {
            b"+FULLRESYNC" => {
                let id = words.next().and_then(Id::parse);
                let offset = words.next().and_then(number);
                let at = id.zip(offset).ok_or_else(|| nonsense(line))?;
                self.stage = Stage::Header;
                Ok(Event::Full(Some(at)))
            }
            b"+CONTINUE" => {
                self.stage = Stage::Stream;
                Ok(Event::Continue(words.next().and_then(Id::parse)))
            }
            b"-NOMASTERLINK" | b"-LOADING" => Err(Failure::NotReady(text(line))),
            _ if !line.starts_with(b"-") => Err(nonsense(line)),
            _ if self.terms.hands_over => Err(refused(line)),
            // It is too old to know the question.
            _ => {
                self.output.array(1);
                self.output.bulk(b"SYNC");
                self.stage = Stage::Header;
                Ok(Event::Full(None))
            }
        }
    }

    /// The line with which a snapshot begins.
    fn begin(&mut self, line: &[u8]) -> Result<Event<'static>, Failure> {
        if line.starts_with(b"-") {
            return Err(Failure::NoSnapshot(text(line)));
        }
        let length = line.strip_prefix(b"$").ok_or_else(|| nonsense(line))?;
        if let Some(mark) = length.strip_prefix(b"EOF:") {
            if mark.len() < Id::LEN {
                return Err(nonsense(line));
            }
            self.stage = Stage::Marked(mark[..Id::LEN].into());
            return Ok(Event::Begin(None));
        }
        let length = number(length).ok_or_else(|| nonsense(line))?;
        self.stage = Stage::Counted(length);
        Ok(Event::Begin(Some(length)))
    }
}

/// A number that is not negative.
fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn text(line: &[u8]) -> Box<str> {
    String::from_utf8_lossy(line.strip_prefix(b"-").unwrap_or(line)).into()
}

fn refused(line: &[u8]) -> Failure {
    Failure::Refused(text(line))
}

fn nonsense(line: &[u8]) -> Failure {
    Failure::Nonsense(text(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef01234567";
    const MARK: &str = "89abcdef0123456789abcdef0123456789abcdef";

    /// What a link sends that is given these pieces, and then what it tells: events as words.
    fn told<'p>(terms: &Terms, pieces: impl IntoIterator<Item = &'p [u8]>) -> Vec<String> {
        let mut link = Link::new(terms.clone());
        let (mut sent, mut all) = (link.take_output(), Vec::<String>::new());
        let mut add = |kind: &str, bytes: &[u8]| {
            let bytes = String::from_utf8_lossy(bytes);
            match all.last_mut() {
                // In how many parts something comes is no matter.
                Some(last) if last.starts_with(kind) => last.push_str(&bytes),
                _ => all.push(format!("{kind}{bytes}")),
            }
        };
        'pieces: for piece in pieces {
            let mut input = piece;
            loop {
                match link.step(input) {
                    Ok((_, None)) => break,
                    Ok((len, Some(event))) => {
                        input = &input[len..];
                        match event {
                            Event::Snapshot(bytes) => add("snapshot ", bytes),
                            Event::Stream(bytes) => add("stream ", bytes),
                            other => add(&format!("{other:?}"), b""),
                        }
                    }
                    Err(failure) => {
                        add(&failure.to_string(), b"");
                        break 'pieces;
                    }
                }
            }
            sent.extend(link.take_output());
        }
        sent.extend(link.take_output());
        all.retain(|line| line != "snapshot ");
        all.insert(0, String::from_utf8_lossy(&words(&sent)).into());
        all
    }

    /// The words of requests, one after the other.
    fn words(bytes: &[u8]) -> Vec<u8> {
        let text = String::from_utf8_lossy(bytes);
        let words: Vec<&str> = text.split("\r\n").filter(|word| !word.starts_with(['*', '$'])).collect();
        words.join(" ").into_bytes()
    }

    /// What is told must not depend on how the bytes come: all at once, one by one, in two parts.
    fn told_anyhow(terms: &Terms, bytes: &[u8]) -> Vec<String> {
        let one_by_one = told(terms, bytes.chunks(1));
        for at in 0..=bytes.len() {
            assert_eq!(told(terms, [&bytes[..at], &bytes[at..]]), one_by_one, "cut at {at}");
        }
        one_by_one
    }

    #[test]
    fn a_replica_that_has_nothing_gets_a_snapshot() {
        let bytes = format!("+PONG\r\n+OK\r\n+OK\r\n\n\n+FULLRESYNC {ID} 42\r\n\n$5\r\nREDIS*1\r\n");
        let terms = Terms { port: 6380, ..Terms::default() };
        let told = told_anyhow(&terms, bytes.as_bytes());
        assert_eq!(
            told,
            [
                "PING REPLCONF listening-port 6380 REPLCONF capa eof capa psync2 PSYNC ? -1 ",
                &format!("Full(Some(({ID}, 42)))"),
                "Begin(Some(5))",
                "snapshot REDIS",
                "End",
                "stream *1\r\n",
            ]
        );
    }

    #[test]
    fn a_snapshot_may_end_with_a_mark() {
        let almost = &MARK[..39];
        let bytes = format!(
            "+PONG\r\n+OK\r\n+OK\r\n+FULLRESYNC {ID} 0\r\n$EOF:{MARK}\r\nREDIS{almost}{MARK}*1\r\n$4\r\n"
        );
        let told = told_anyhow(&Terms::default(), bytes.as_bytes());
        assert_eq!(
            told[1..],
            [
                format!("Full(Some(({ID}, 0)))"),
                "Begin(None)".to_owned(),
                format!("snapshot REDIS{almost}"),
                "End".to_owned(),
                "stream *1\r\n$4\r\n".to_owned(),
            ]
        );
    }

    #[test]
    fn a_replica_goes_on_with_what_it_has() {
        let terms = Terms {
            user: b"someone"[..].into(),
            password: b"secret"[..].into(),
            port: 7,
            address: b"10.0.0.1"[..].into(),
            has: Some((Id::parse(ID.as_bytes()).expect("it is an id"), 99)),
            ..Terms::default()
        };
        let bytes = format!("-NOAUTH please\r\n+OK\r\n+OK\r\n-ERR what\r\n+OK\r\n+CONTINUE {MARK}\r\n*1\r\n");
        let told = told_anyhow(&terms, bytes.as_bytes());
        assert_eq!(
            told,
            [
                &format!(
                    "PING AUTH someone secret REPLCONF listening-port 7 REPLCONF ip-address 10.0.0.1 REPLCONF capa eof \
                     capa psync2 PSYNC {ID} 100 "
                ),
                &format!("Continue(Some({MARK}))"),
                "stream *1\r\n",
            ]
        );
        let old = b"+PONG\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n+CONTINUE\r\n";
        assert_eq!(told_anyhow(&terms, old)[1], "Continue(None)");
    }

    #[test]
    fn an_old_master_is_asked_in_the_old_way() {
        let bytes = b"+PONG\r\n-ERR\r\n-ERR\r\n-ERR unknown command 'PSYNC'\r\n$0\r\n*1\r\n";
        let told = told_anyhow(&Terms::default(), bytes);
        assert_eq!(told[1..], ["Full(None)", "Begin(Some(0))", "End", "stream *1\r\n"]);
        assert!(told[0].ends_with("PSYNC ? -1 SYNC "), "{}", told[0]);
    }

    #[test]
    fn whoever_hands_over_says_so() {
        let terms = Terms { hands_over: true, has: Some((Id::NONE, 0)), ..Terms::default() };
        let told = told_anyhow(&terms, b"+PONG\r\n+OK\r\n+OK\r\n-ERR not so\r\n");
        assert_eq!(told[1], "the master refuses: ERR not so");
        assert!(told[0].ends_with(&format!("PSYNC {} 1 FAILOVER ", Id::NONE)), "{}", told[0]);
    }

    #[test]
    fn what_is_no_answer_ends_the_conversation() {
        let nothing = Terms::default();
        let long = vec![b'x'; 4096];
        for (bytes, failure) in [
            (&b"-ERR go away\r\n"[..], "the master refuses: ERR go away"),
            (b"+PONG\r\n+OK\r\n+OK\r\n-LOADING wait\r\n", "the master is not ready: LOADING wait"),
            (b"+PONG\r\n+OK\r\n+OK\r\n-NOMASTERLINK none\r\n", "the master is not ready: NOMASTERLINK none"),
            (b"+PONG\r\n+OK\r\n+OK\r\n+FULLRESYNC x 1\r\n", "not an answer of a master: +FULLRESYNC x 1"),
            (b"+PONG\r\n+OK\r\n+OK\r\n+HELLO\r\n", "not an answer of a master: +HELLO"),
            (&long, "not an answer of a master: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
        ] {
            assert_eq!(told_anyhow(&nothing, bytes).last().map(String::as_str), Some(failure));
        }
        for (header, failure) in [
            ("-ERR no memory\r\n", "the master sends no snapshot: ERR no memory"),
            ("$-1\r\n", "not an answer of a master: $-1"),
            ("$EOF:short\r\n", "not an answer of a master: $EOF:short"),
            ("*1\r\n", "not an answer of a master: *1"),
        ] {
            let bytes = format!("+PONG\r\n+OK\r\n+OK\r\n+FULLRESYNC {ID} 1\r\n{header}");
            assert_eq!(told_anyhow(&nothing, bytes.as_bytes()).last().map(String::as_str), Some(failure));
        }
        let password = Terms { password: b"x"[..].into(), ..Terms::default() };
        let told = told_anyhow(&password, b"+PONG\r\n-WRONGPASS no\r\n");
        assert_eq!(told[1], "the master refuses: WRONGPASS no");
    }
}
