//! What a background save costs a server that is written to as fast as it can be: memory, and the slowest command.
//!
//! Keys are strings of 512 bytes, overwritten at random by redis-benchmark while they are saved. Memory is the proportional
//! set size of the server and, where there is one, of its child. The slowest command is what the server's own slow log
//! says; a probe measures from outside how long a `PING` takes, which counts what the machine does to both as well.

use crate::client::Client;
use crate::program::redis_tool;
use std::fs;
use std::net::SocketAddr;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// The length of a value, in bytes.
const VALUE_BYTES: usize = 512;
/// About what a key with its value takes, in bytes.
pub const KEY_BYTES: usize = 600;
/// Requests sent at once while a server is filled.
const BATCH: usize = 1000;
/// How often memory is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// Longer than any save takes.
const PATIENCE: Duration = Duration::from_secs(300);
/// Commands that take longer are seen, in microseconds.
const SLOW_US: &str = "200";

/// What a save has cost.
#[derive(Clone, Copy, Debug)]
pub struct SaveCost {
    /// The memory when it began, in bytes.
    pub bytes_before: u64,
    /// The most that there was meanwhile, in bytes.
    pub bytes_at_most: u64,
    /// How long it took.
    pub time: Duration,
    /// Commands that were served meanwhile.
    pub commands: u64,
    /// How long the slowest command took while there was no save but the same load: what the machine does anyway.
    pub slowest_before: Duration,
    /// How long the slowest command took meanwhile.
    pub slowest: Duration,
    /// How long the slowest answer to a `PING` took.
    pub longest_ping: Duration,
}

impl SaveCost {
    /// By how much memory grew, as a part of what it was.
    pub fn growth(&self) -> f64 {
        self.bytes_at_most as f64 / self.bytes_before as f64 - 1.0
    }
}

/// Fills a server, the process with this number, with so many keys; then it can be measured.
#[derive(Debug)]
pub struct Loaded {
    client: Client,
    process: u32,
    load: Child,
}

impl Loaded {
    /// Makes so many keys, and begins to overwrite them. Nothing if there is no redis-benchmark.
    pub fn begin(address: SocketAddr, process: u32, keys: usize) -> Option<Loaded> {
        let mut command = redis_tool("redis-benchmark", address)?;
        let mut client = Client::connect(address);
        client.set_patience(PATIENCE);
        fill(&mut client, keys);
        for line in [format!("slowlog-log-slower-than {SLOW_US}"), "slowlog-max-len 100000".to_owned()] {
            client.say(&format!("CONFIG SET {line}"));
        }
        command.args(["-c", "50", "-P", "16", "-n", "2000000000", "-r", &keys.to_string()]);
        command.args(["SET", "key:__rand_int__", &"y".repeat(VALUE_BYTES)]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let load = command.spawn().expect("redis-benchmark starts");
        Some(Loaded { client, process, load })
    }

    /// A client of the server.
    pub fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    /// Saves once, after so long under load.
    pub fn save(&mut self, warm_up: Duration) -> SaveCost {
        self.client.say("SLOWLOG RESET");
        std::thread::sleep(warm_up);
        let slowest_before = slowest(&mut self.client);
        self.client.say("SLOWLOG RESET");
        let (bytes_before, commands_before) = (memory(self.process), commands(&mut self.client));
        let (mut bytes_at_most, mut longest_ping) = (bytes_before, Duration::ZERO);
        let reply = self.client.say("BGSAVE");
        assert!(!reply.is_error(), "{}", reply.text());
        let (began, mut looked) = (now(), now());
        while self.client.info("rdb_bgsave_in_progress") == "1" {
            let asked = now();
            self.client.say("PING");
            longest_ping = longest_ping.max(asked.elapsed());
            if looked.elapsed() >= LOOK {
                looked = now();
                bytes_at_most = bytes_at_most.max(memory(self.process));
            }
            assert!(began.elapsed() < PATIENCE, "the save does not come to an end");
            std::thread::sleep(Duration::from_millis(1));
        }
        let time = began.elapsed();
        assert!(matches!(self.load.try_wait(), Ok(None)), "the load ended before the save did");
        SaveCost {
            bytes_before,
            bytes_at_most,
            time,
            commands: commands(&mut self.client) - commands_before,
            slowest_before,
            slowest: slowest(&mut self.client),
            longest_ping,
        }
    }
}

impl Drop for Loaded {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.load.kill();
        let _ = self.load.wait();
    }
}

fn fill(client: &mut Client, keys: usize) {
    let value = "x".repeat(VALUE_BYTES);
    for first in (0..keys).step_by(BATCH) {
        let numbers = first..keys.min(first + BATCH);
        let requests: Vec<u8> = numbers
            .clone()
            .flat_map(|number| {
                // As redis-benchmark names them.
                let key = format!("key:{number:012}");
                let (name, len) = (key.len(), value.len());
                format!("*3\r\n$3\r\nSET\r\n${name}\r\n{key}\r\n${len}\r\n{value}\r\n").into_bytes()
            })
            .collect();
        client.send_bytes(&requests);
        numbers.for_each(|_| _ = client.read());
    }
}

/// How long the slowest command took that the slow log knows.
fn slowest(client: &mut Client) -> Duration {
    let slow = client.say("SLOWLOG GET 100000");
    let longest_us = slow.elements().iter().map(|entry| entry.elements()[2].integer()).max();
    Duration::from_micros(longest_us.unwrap_or(0).unsigned_abs())
}

fn commands(client: &mut Client) -> u64 {
    client.info("total_commands_processed").parse().expect("it is a number")
}

/// The proportional set size of a process and its children, in bytes.
fn memory(process: u32) -> u64 {
    let path = format!("/proc/{process}/task/{process}/children");
    let children = fs::read_to_string(path).unwrap_or_default();
    let children = children.split_whitespace().filter_map(|child| child.parse().ok());
    // A child may have ended by now.
    let theirs: u64 = children.filter_map(proportional_bytes).sum();
    proportional_bytes(process).expect("the server runs") + theirs
}

/// The memory of a process that is resident, where each of several processes that share a page counts its part of it; in
/// bytes.
fn proportional_bytes(process: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kib * 1024)
}

#[allow(clippy::disallowed_methods, reason = "what is measured is real time")]
fn now() -> Instant {
    Instant::now()
}
