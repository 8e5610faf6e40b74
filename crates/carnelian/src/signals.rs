//! The signals that stop the program: the first asks it to, the second does not ask.

use std::{fs, process};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// Signals as they come in.
pub(crate) struct Signals(mpsc::Receiver<&'static str>);

/// The exit code after a second signal: what shells answer for one that was not handled.
const CUT_OFF: i32 = 130;

impl Signals {
    /// Listens from now on. The second signal ends the process, wherever it is.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        Signals::listen_to(None)
    }

    /// The same, and the terminal that goes away is a signal, too, unless the program was started so that it outlives that
    /// (`nohup`).
    pub(crate) fn listen_at_terminal() -> anyhow::Result<Self> {
        let hangup = if outlives_terminal() { None } else { Some(signal(SignalKind::hangup())?) };
        Signals::listen_to(hangup)
    }

    fn listen_to(mut hangup: Option<Signal>) -> anyhow::Result<Self> {
        let (mut interrupt, mut terminate) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let (first, signals) = mpsc::channel(1);
        tokio::spawn(async move {
            loop {
                let hung_up = async {
                    match &mut hangup {
                        Some(hangup) => hangup.recv().await,
                        None => std::future::pending().await,
                    }
                };
                let name = tokio::select! {
                    _ = interrupt.recv() => "SIGINT",
                    _ = terminate.recv() => "SIGTERM",
                    _ = hung_up => "SIGHUP",
                };
                if first.try_send(name).is_err() || first.is_closed() {
                    process::exit(CUT_OFF);
                }
            }
        });
        Ok(Signals(signals))
    }

    /// The name of the first signal, when it comes.
    pub(crate) async fn next(mut self) -> &'static str {
        let name = self.0.recv().await.unwrap_or("closed");
        self.0.close();
        name
    }
}

/// Has SIGHUP do nothing from now on, as in redis-server.
pub(crate) fn ignore_hangup() -> anyhow::Result<()> {
    // Whoever has once listened to a signal does not die of it any more.
    drop(signal(SignalKind::hangup())?);
    Ok(())
}

/// Whether SIGHUP was ignored by whoever started the program.
fn outlives_terminal() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.and_then(|set| u64::from_str_radix(set.trim(), 16).ok()).is_some_and(|set| set & 1 != 0)
}
