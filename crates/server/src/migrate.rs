//! Sending keys to another server, as `MIGRATE` does.

use crate::admission;
use crate::clock::Clock;
use engine::migration::{Failure, Outcome, Parcel};
use std::future::Future;
use std::net::IpAddr;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Longest line of a reply that is read, in bytes: an answer to `RESTORE` is much shorter.
const LINE_BYTES: usize = 64 * 1024;

/// Sends the copies of keys and waits for the replies.
pub(crate) async fn send(parcel: &Parcel, clock: &Clock) -> Outcome {
    let mut outcome = Outcome::default();
    let to = &parcel.destination;
    let connect = async {
        // Whatever is no port is one that nobody listens at.
        let port: u16 = to.port.parse().unwrap_or(0);
        // Nodes of an instance that few may reach hand keys to each other all the same.
        let (stream, own) = match to.host.parse::<IpAddr>() {
            Ok(ip) => admission::connect((ip, port).into()).await.map(|(stream, own)| (stream, Some(own)))?,
            Err(_) => (TcpStream::connect((to.host.as_str(), port)).await?, None),
        };
        stream.set_nodelay(true)?;
        Ok((stream, own))
    };
    let Some((mut stream, _own)) = within(clock, to.timeout_ms, connect).await else {
        outcome.failure = Some(Failure::Writing);
        return outcome;
    };
    let requests = parcel.requests();
    let (reading, mut writing) = stream.split();
    let write = async {
        writing.write_all(&requests).await?;
        Ok(())
    };
    // Both at once: a server that answers every request may stop to read when nobody reads its answers.
    let read = read_lines(BufReader::new(reading), clock, to.timeout_ms, parcel.replies());
    let (written, (lines, is_complete)) = tokio::join!(within(clock, to.timeout_ms, write), read);
    outcome.lines = lines;
    if written.is_none() {
        outcome.failure = Some(Failure::Writing);
    } else if !is_complete {
        outcome.failure = Some(Failure::Reading);
    }
    outcome
}

/// Reads so many lines; whether all came, each in time.
async fn read_lines(
    reader: impl AsyncBufReadExt + Unpin,
    clock: &Clock,
    timeout_ms: i64,
    count: usize,
) -> (Vec<Vec<u8>>, bool) {
    let (mut reader, mut lines) = (reader, Vec::new());
    while lines.len() < count {
        let read = async {
            let mut line = Vec::new();
            loop {
                let bytes = reader.fill_buf().await?;
                let end = bytes.iter().position(|&byte| byte == b'\n');
                let taken = end.map_or(bytes.len(), |end| end + 1);
                if taken == 0 || line.len() + taken > LINE_BYTES {
                    return Err(std::io::ErrorKind::InvalidData.into());
                }
                line.extend_from_slice(&bytes[..taken]);
                reader.consume(taken);
                if end.is_some() {
                    line.truncate(line.trim_ascii_end().len());
                    return Ok(line);
                }
            }
        };
        match within(clock, timeout_ms, read).await {
            Some(line) => lines.push(line),
            None => return (lines, false),
        }
    }
    (lines, true)
}

/// What comes of something, if it succeeds in time.
async fn within<T>(
    clock: &Clock,
    timeout_ms: i64,
    work: impl Future<Output = std::io::Result<T>>,
) -> Option<T> {
    tokio::select! {
        done = work => done.ok(),
        () = clock.sleep_until(clock.wall_ms().saturating_add(timeout_ms)) => None,
    }
}
