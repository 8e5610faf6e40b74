//! A load of gets that takes next to nothing of a processor, for servers that have as many threads as there are processors.
//!
//! Requests are made once and sent in writes as large as the socket takes; replies are thrown away by the kernel, which is
//! told that nobody wants to see them (`MSG_TRUNC`), and only counted. Every key is there, so that all replies are of one
//! length: a miss or an error would be shorter, and the bytes would not add up.
//!
//! Invariant: after [`Flood::settle`] as many bytes have come as hits for all requests take, and the server has nothing to
//! do.

use crate::memcache::{Kind, Load};
use crate::process::now;
use anyhow::{Result, bail, ensure};
use socket2::{Domain, Socket, Type};
use std::io::{ErrorKind, Write};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::time::Duration;
use testkit::Rng;

/// Bytes of requests that are sent over and over, about.
const SCRIPT_BYTES: usize = 1 << 20;
/// What a socket may hold for each direction, in bytes, if the system lets it.
const SOCKET_BYTES: usize = 4 << 20;
/// Bytes that are thrown away at once.
const DISCARDED_BYTES: usize = 16 << 20;
/// How long the load sleeps between looks at its connections. Each time it wakes it takes a processor from a thread of the
/// server, and others wait for what that thread holds: better seldom and for longer.
const PAUSE: Duration = Duration::from_millis(15);
/// Items that a connection has asked for and not been given, at first and at most. There are to be twice as many as come in
/// a pause, so that no thread runs dry, but not many more, since a server is waited for in the end.
const ASKED_ITEMS: [usize; 2] = [1_000, 40_000];
/// Longer than all that is on the way takes to be answered.
const PATIENCE: Duration = Duration::from_secs(20);

/// A load; see the module.
#[derive(Debug)]
pub struct Flood {
    lines: Vec<Line>,
    /// Where replies would go if anybody looked at them.
    nowhere: Box<[MaybeUninit<u8>]>,
    request_len: usize,
    answer_len: usize,
    items: usize,
}

/// A connection.
#[derive(Debug)]
struct Line {
    socket: Socket,
    /// Its requests.
    script: Vec<u8>,
    sent: usize,
    received: usize,
    /// How much may be sent that has not been answered, in requests.
    asked: usize,
}

impl Flood {
    /// Connects so many times to servers that have so many keys, to one after the other.
    ///
    /// # Errors
    /// A server cannot be reached.
    pub fn connect(servers: &[SocketAddr], connections: usize, kind: Kind, keys: usize) -> Result<Flood> {
        let load = Load { kind, depth: 1, connections, requests: 1, keys };
        let items = if let Kind::GetMany(count) = kind { count } else { 1 };
        let mut request_len = 0;
        let mut line = |number: usize| {
            let address = servers[number % servers.len()];
            let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
            socket.set_recv_buffer_size(SOCKET_BYTES)?;
            socket.set_send_buffer_size(SOCKET_BYTES)?;
            socket.connect(&address.into())?;
            socket.set_nonblocking(true)?;
            socket.set_tcp_nodelay(true)?;
            let (mut script, mut rng) = (Vec::new(), Rng::new(number as u64));
            while script.len() < SCRIPT_BYTES {
                let before = script.len();
                load.add(&mut script, &mut rng);
                request_len = script.len() - before;
            }
            Ok(Line { socket, script, sent: 0, received: 0, asked: ASKED_ITEMS[0] / items })
        };
        Ok(Flood {
            lines: (0..connections).map(&mut line).collect::<Result<_>>()?,
            nowhere: Box::new_uninit_slice(DISCARDED_BYTES),
            request_len,
            answer_len: load.answer_len(),
            items,
        })
    }

    /// Keeps the server busy for so long.
    ///
    /// # Errors
    /// The server hangs up.
    pub fn run(&mut self, time: Duration) -> Result<()> {
        let start = now();
        while start.elapsed() < time {
            for line in &mut self.lines {
                let came = line.discard(&mut self.nowhere)? / self.answer_len;
                if 2 * came > line.asked {
                    line.asked = (2 * came).min(ASKED_ITEMS[1] / self.items);
                }
                line.send((line.received / self.answer_len + line.asked) * self.request_len)?;
            }
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// Completes the requests that have been begun and waits until all are answered.
    ///
    /// # Errors
    /// The replies are not as long as hits are.
    pub fn settle(&mut self) -> Result<()> {
        let start = now();
        for line in &mut self.lines {
            let end = line.sent.next_multiple_of(self.request_len);
            while line.sent < end || line.received < line.sent / self.request_len * self.answer_len {
                line.send(end)?;
                line.discard(&mut self.nowhere)?;
                ensure!(start.elapsed() < PATIENCE, "replies are shorter than hits are");
                std::thread::sleep(PAUSE / 10);
            }
            let wanted = line.sent / self.request_len * self.answer_len;
            ensure!(line.received == wanted, "replies have {} bytes, not {wanted}", line.received);
        }
        Ok(())
    }

    /// How many items have come.
    pub fn items(&self) -> f64 {
        let received: usize = self.lines.iter().map(|line| line.received).sum();
        received as f64 / self.answer_len as f64 * self.items as f64
    }
}

impl Line {
    /// Sends what the socket takes, until so many bytes have been sent.
    fn send(&mut self, end: usize) -> Result<()> {
        while self.sent < end {
            let rest = &self.script[self.sent % self.script.len()..];
            match (&self.socket).write(&rest[..rest.len().min(end - self.sent)]) {
                Ok(len) => self.sent += len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Throws away what has come. How many bytes that were.
    fn discard(&mut self, nowhere: &mut [MaybeUninit<u8>]) -> Result<usize> {
        match self.socket.recv_with_flags(nowhere, libc::MSG_TRUNC) {
            Ok(0) => bail!("the server has hung up"),
            Ok(len) => {
                self.received += len;
                Ok(len)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
            Err(error) => Err(error.into()),
        }
    }
}
