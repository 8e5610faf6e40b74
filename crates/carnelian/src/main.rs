//! Carnelian: a managed-cache cloud that runs on your own machine.
//!
//! This program reads its options ([`options`]), wires the control plane to the data plane ([`serve`]), or runs a
//! bare node ([`bare`]). What goes wrong before it serves is said in one line, with exit code 2.

mod aside;
mod banner;
mod bare;
mod certificates;
mod clock;
mod copying;
mod data_plane;
mod deployed;
#[cfg(test)]
mod docs;
mod files;
mod healthcheck;
mod https;
mod inspection;
mod launch;
mod layout;
mod nodes;
mod options;
mod ping;
mod policies;
mod reachable;
mod renewal;
mod resize;
mod serve;
mod signals;
mod users;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use structures::allocator::{Allocator, give_back_after, share_pages};
use tracing_subscriber::EnvFilter;

use crate::options::{Command, Invocation, Settings};

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

/// How long memory that is not needed is kept for what may need it next, in ms: long enough for the next value of the
/// same size, and short enough that a cache whose values change keeps near to its limit.
const KEPT_MS: u16 = 100;

fn main() -> ExitCode {
    give_back_after(KEPT_MS);
    match run() {
        Ok(code) => code,
        Err(error) => {
            let line = format!("{error:#}").lines().map(str::trim).collect::<Vec<_>>().join(" ");
            eprintln!("carnelian: {line}");
            ExitCode::from(2)
        }
    }
}

fn run() -> anyhow::Result<ExitCode> {
    let arguments = std::env::args_os().skip(1);
    let invocation =
        options::read(arguments, |name| std::env::var_os(name), |path| std::fs::read_to_string(path))?;
    match invocation {
        Invocation::Print(text) => {
            // A reader that went away, such as `head`, has seen enough.
            let _ = std::io::stdout().write_all(text.as_bytes());
            Ok(ExitCode::SUCCESS)
        }
        Invocation::Run(Command::Serve, settings) => {
            log(&settings);
            serve::serve(&settings).map(|()| ExitCode::SUCCESS)
        }
        Invocation::Run(Command::Redis, settings) => {
            log(&settings);
            bare::redis(&settings).map(|()| ExitCode::SUCCESS)
        }
        Invocation::Run(Command::Memcached, settings) => {
            log(&settings);
            // One thread by itself keeps its pages full.
            if settings.worker_threads() > 1 {
                share_pages();
            }
            bare::memcached(&settings).map(|()| ExitCode::SUCCESS)
        }
        Invocation::Run(Command::Healthcheck, settings) => Ok(healthcheck::healthcheck(&settings)),
    }
}

/// Writes the log to the standard error, so that the standard output has only what was asked for.
fn log(settings: &Settings) {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(&settings.log))
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
}
