//! A load of `get` and `set` for servers that speak memcached's text protocol.
//!
//! Keys have 16 bytes, values 32. Each connection sends a number of requests in one write and waits for their answers,
//! whose length is known, so that the load looks at nothing that it reads and takes little of a processor.

use anyhow::{Context, Result, ensure};
use std::net::SocketAddr;
use std::process::Command;
use testkit::{Rng, Wire};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Length of the values, in bytes.
pub const VALUE_BYTES: usize = 32;
/// Length of the keys, in bytes.
pub const KEY_BYTES: usize = 16;
/// What `get` answers for an item, without the end of the answer.
const ITEM_ANSWER: usize = "VALUE  0 32\r\n".len() + KEY_BYTES + VALUE_BYTES + "\r\n".len();

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One item, which is there.
    Get,
    /// So many items in one request.
    GetMany(usize),
    /// One item is stored.
    Set,
}

/// A load.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// What is asked.
    pub kind: Kind,
    /// Requests in one write.
    pub depth: usize,
    /// Connections.
    pub connections: usize,
    /// Requests in all.
    pub requests: usize,
    /// Keys that there are.
    pub keys: usize,
}

/// Has this thread run on one processor only, and whatever it starts from now on.
///
/// # Errors
/// There is no `taskset`.
pub fn stay_on(processor: usize) -> Result<()> {
    let own = std::fs::read_link("/proc/thread-self")?;
    let own = own.file_name().context("the link ends with a number")?;
    let output = Command::new("taskset").args(["-cp", &processor.to_string()]).arg(own).output()?;
    ensure!(output.status.success(), "taskset: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// A key.
fn key(number: usize) -> [u8; KEY_BYTES] {
    let mut key = *b"key:000000000000";
    let (mut at, mut number) = (KEY_BYTES, number);
    while number > 0 {
        at -= 1;
        key[at] = b'0' + (number % 10) as u8;
        number /= 10;
    }
    key
}

/// Adds a request that stores an item.
pub fn add_set(out: &mut Vec<u8>, number: usize) {
    out.extend_from_slice(b"set ");
    out.extend_from_slice(&key(number));
    out.extend_from_slice(b" 0 0 32\r\n");
    out.extend_from_slice(&[b'v'; VALUE_BYTES]);
    out.extend_from_slice(b"\r\n");
}

/// Stores items.
///
/// # Errors
/// An item is not stored.
pub fn fill(address: SocketAddr, numbers: std::ops::Range<usize>) -> Result<()> {
    const BATCH: usize = 500;
    let mut wire = Wire::connect(address);
    let mut out = Vec::new();
    for start in numbers.clone().step_by(BATCH) {
        out.clear();
        let end = numbers.end.min(start + BATCH);
        (start..end).for_each(|number| add_set(&mut out, number));
        wire.send(&out);
        let heard = wire.read((end - start) * "STORED\r\n".len());
        ensure!(heard.bytes == b"STORED\r\n".repeat(end - start), "a set was answered with {heard:?}");
    }
    Ok(())
}

impl Load {
    /// Runs it.
    ///
    /// # Errors
    /// The server hangs up, or its answers are not what they should be.
    pub fn run(&self, address: SocketAddr) -> Result<()> {
        self.run_on(&[address])
    }

    /// The same against several servers: connections come to one after the other.
    ///
    /// # Errors
    /// As [`Load::run`].
    pub fn run_on(&self, servers: &[SocketAddr]) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let load = *self;
        runtime.block_on(async {
            let tasks: Vec<_> = (0..self.connections)
                .map(|number| {
                    let address = servers[number % servers.len()];
                    tokio::task::spawn(async move { load.connection(address, number as u64).await })
                })
                .collect();
            // The runtime has one thread.
            for task in tasks {
                task.await.context("a connection panicked")??;
            }
            Ok(())
        })
    }

    async fn connection(self, address: SocketAddr, seed: u64) -> Result<()> {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut rng = Rng::new(seed);
        let (mut out, mut answer) = (Vec::new(), vec![0; 256 * 1024]);
        let writes = self.requests / self.connections / self.depth;
        for _ in 0..writes {
            out.clear();
            for _ in 0..self.depth {
                self.add(&mut out, &mut rng);
            }
            stream.write_all(&out).await?;
            let mut left = self.depth * self.answer_len();
            let mut last = 0;
            while left > 0 {
                let most = answer.len().min(left);
                last = stream.read(&mut answer[..most]).await?;
                ensure!(last > 0, "the server has hung up");
                left -= last;
            }
            ensure!(answer[..last].ends_with(b"\r\n"), "an answer is not as long as it should be");
        }
        Ok(())
    }

    /// Adds a request.
    pub fn add(&self, out: &mut Vec<u8>, rng: &mut Rng) {
        let count = match self.kind {
            Kind::Set => return add_set(out, rng.below(self.keys)),
            Kind::Get => 1,
            Kind::GetMany(count) => count,
        };
        out.extend_from_slice(b"get");
        for _ in 0..count {
            out.push(b' ');
            out.extend_from_slice(&key(rng.below(self.keys)));
        }
        out.extend_from_slice(b"\r\n");
    }

    /// The length of a reply, in bytes.
    pub fn answer_len(&self) -> usize {
        match self.kind {
            Kind::Set => "STORED\r\n".len(),
            Kind::Get => ITEM_ANSWER + "END\r\n".len(),
            Kind::GetMany(count) => count * ITEM_ANSWER + "END\r\n".len(),
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn keys_are_of_one_length() {
        assert_eq!(super::key(0), *b"key:000000000000");
        assert_eq!(super::key(1_234_567), *b"key:000001234567");
    }
}
