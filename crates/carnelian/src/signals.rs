//! The signals that stop the program: the first asks it to, the second does not ask.

use std::process;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// Signals as they come in.
pub(crate) struct Signals(mpsc::Receiver<&'static str>);

/// The exit code after a second signal: what shells answer for one that was not handled.
const CUT_OFF: i32 = 130;

impl Signals {
    /// Listens from now on. The second signal ends the process, wherever it is.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        let (mut interrupt, mut terminate) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let (first, signals) = mpsc::channel(1);
        tokio::spawn(async move {
            loop {
                let name = tokio::select! {
                    _ = interrupt.recv() => "SIGINT",
                    _ = terminate.recv() => "SIGTERM",
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
