//! What a background save costs while clients write: memory, and the slowest command; beside redis-server's.
//!
//! `cargo run --release -p benches --bin snapshot [-- --megabytes 1024]`
//!
//! Each server is filled with strings of 512 bytes. Then redis-benchmark overwrites keys at random as fast as it can, and
//! in the midst of it the keys are saved. Memory is the proportional set size of the server and, where there is one, of
//! its child. The slowest command is what the server's own slow log says, and a probe measures from outside how long a
//! `PING` takes, which counts what the machine does to both as well. For the kernel's copying at a fork INFO is asked.

use anyhow::{Context, Result, bail};
use benches::process::{machine, now, proportional_bytes};
use benches::server::{Kind, Server};
use lexopt::prelude::*;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use testkit::{Client, Reply};

/// The length of a value, in bytes.
const VALUE_BYTES: usize = 512;
/// About what a key with its value takes, in bytes.
const KEY_BYTES: usize = 600;
/// Requests sent at once while a server is filled.
const BATCH: usize = 1000;
/// How long the load runs before the save begins: the slowest command of that time is what the machine does anyway.
const WARM_UP: Duration = Duration::from_secs(4);
/// How often memory is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// Longer than any save takes.
const PATIENCE: Duration = Duration::from_secs(300);

fn main() -> Result<()> {
    let mut megabytes = 1024;
    let mut parser = lexopt::Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Long("megabytes") => megabytes = parser.value()?.parse()?,
            _ => return Err(arg.unexpected().into()),
        }
    }
    println!("{}\n", machine());
    println!(
        "| server | keys | MB before | MB at most | growth | save s | slowest command before ms | slowest command ms | longest PING ms | fork ms |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    let folder = std::env::temp_dir().join(format!("snapshot-bench-{}", std::process::id()));
    for number in 0..2 {
        let own = folder.join(number.to_string());
        fs::create_dir_all(&own)?;
        let directory = own.display().to_string();
        let kind = match number {
            0 => Kind::carnelian_in(&directory)?,
            _ => Kind::redis(&["--dir", &directory, "--enable-debug-command", "yes"]),
        };
        measure(&kind, megabytes * (1 << 20) / KEY_BYTES)?;
        fs::remove_dir_all(&own)?;
    }
    let _ = fs::remove_dir(folder);
    Ok(())
}

fn measure(kind: &Kind, keys: usize) -> Result<()> {
    let server = Server::start(kind, None)?;
    let mut client = server.client();
    client.set_patience(PATIENCE);
    fill(&mut client, keys);
    for line in ["CONFIG SET slowlog-log-slower-than 200", "CONFIG SET slowlog-max-len 100000"] {
        client.say(line);
    }
    let mut load = load(&server, keys)?;
    std::thread::sleep(WARM_UP);
    let before_us = slowest_us(&mut client)?;
    client.say("SLOWLOG RESET");
    let before = memory(server.id())?;
    let (mut most, mut longest_us) = (before, 0);
    let reply = client.say("BGSAVE");
    if reply.is_error() {
        bail!("{}: {}", kind.name, reply.text());
    }
    let began = now();
    let mut looked = now();
    while field(&mut client, "rdb_bgsave_in_progress")? == 1 {
        let asked = now();
        client.say("PING");
        longest_us = longest_us.max(asked.elapsed().as_micros());
        if looked.elapsed() >= LOOK {
            looked = now();
            most = most.max(memory(server.id())?);
        }
        if began.elapsed() > PATIENCE {
            bail!("{} does not come to an end", kind.name);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let seconds = began.elapsed().as_secs_f64();
    let still_loaded = matches!(load.try_wait(), Ok(None));
    let _ = load.kill();
    let _ = load.wait();
    if !still_loaded {
        bail!("the load ended before the save did");
    }
    let slowest_us = slowest_us(&mut client)?;
    let fork_us = field(&mut client, "latest_fork_usec").unwrap_or(0);
    println!(
        "| {} | {} | {} | {} | {:.1} % | {seconds:.1} | {:.1} | {:.1} | {:.1} | {:.1} |",
        kind.name,
        client.say("DBSIZE").integer(),
        before >> 20,
        most >> 20,
        (most as f64 / before as f64 - 1.0) * 100.0,
        before_us as f64 / 1000.0,
        slowest_us as f64 / 1000.0,
        longest_us as f64 / 1000.0,
        fork_us as f64 / 1000.0,
    );
    Ok(())
}

/// How long the slowest command took that the slow log knows, in microseconds.
fn slowest_us(client: &mut Client) -> Result<i64> {
    let Reply::Array(slow) = client.say("SLOWLOG GET 100000") else { bail!("no slow log") };
    Ok(slow.iter().map(|entry| entry.elements()[2].integer()).max().unwrap_or(0))
}

fn key(number: usize) -> String {
    format!("key:{number:012}")
}

fn fill(client: &mut Client, keys: usize) {
    let value = "x".repeat(VALUE_BYTES);
    for first in (0..keys).step_by(BATCH) {
        let numbers = first..keys.min(first + BATCH);
        let requests: Vec<u8> = numbers
            .clone()
            .flat_map(|number| {
                let key = key(number);
                let (name, len) = (key.len(), value.len());
                format!("*3\r\n$3\r\nSET\r\n${name}\r\n{key}\r\n${len}\r\n{value}\r\n").into_bytes()
            })
            .collect();
        client.send_bytes(&requests);
        numbers.for_each(|_| _ = client.read());
    }
}

/// Overwrites keys at random until it is ended.
fn load(server: &Server, keys: usize) -> Result<Child> {
    let mut command = Command::new("redis-benchmark");
    command.args(["-h", &server.address.ip().to_string(), "-p", &server.address.port().to_string()]);
    command.args(["-c", "50", "-P", "16", "-n", "2000000000", "-r", &keys.to_string()]);
    command.args(["SET", "key:__rand_int__", &"y".repeat(VALUE_BYTES)]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().context("redis-benchmark does not start")
}

/// The proportional set size of a process and its children, in bytes.
fn memory(id: u32) -> Result<u64> {
    let path = format!("/proc/{id}/task/{id}/children");
    let children = fs::read_to_string(path).unwrap_or_default();
    let mut bytes = proportional_bytes(id)?;
    for child in children.split_whitespace() {
        // It may have ended by now.
        bytes += child.parse().ok().and_then(|child| proportional_bytes(child).ok()).unwrap_or(0);
    }
    Ok(bytes)
}

fn field(client: &mut Client, name: &str) -> Result<i64> {
    let text = client.say("INFO").text();
    let value = text.lines().find_map(|line| line.strip_prefix(&format!("{name}:")));
    Ok(value.with_context(|| format!("INFO has no {name}"))?.trim().parse()?)
}
