//! Commands that take long, run on a thread of their own.

use engine::session::State;
use engine::{Session, Step, Worker};
use resp::{Args, OwnedArgs, Reply};
use std::sync::Arc;
use std::time::Duration;
use structures::ranked::Mutex;

/// The numbers by which offload threads count, while they are free.
#[derive(Debug)]
pub(crate) struct Numbers(Mutex<Vec<usize>>);

impl Numbers {
    /// As many numbers as there may be such commands at once.
    pub(crate) fn new(numbers: std::ops::Range<usize>) -> Self {
        Numbers(Mutex::new(numbers.collect()))
    }

    /// Does something with a number that nobody else has meanwhile.
    pub(crate) fn with<T>(&self, work: impl FnOnce(usize) -> T) -> T {
        let number = self.take();
        let result = work(number);
        self.0.lock().push(number);
        result
    }

    fn take(&self) -> usize {
        loop {
            // There are as many numbers as threads, so this ends at once.
            if let Some(number) = self.0.lock().pop() {
                return number;
            }
            std::thread::yield_now();
        }
    }
}

/// Runs a request where no connection waits for the thread, by `execute`, which gives the number of the node that the
/// step is about. Gives nothing if it panicked.
pub(crate) async fn run(
    numbers: Arc<Numbers>,
    session: Session,
    args: OwnedArgs,
    execute: impl Fn(&mut Worker, &mut Session, Args, &mut Reply) -> (Step, usize) + Send + 'static,
) -> Option<(Session, Vec<u8>, (Step, usize))> {
    let run = move || {
        let number = numbers.take();
        let mut worker = Worker::new(number);
        let mut session = session;
        let mut reply = Reply::new(session.protocol);
        session.state.insert(State::OFFLOADED);
        let step = loop {
            match execute(&mut worker, &mut session, args.as_args(), &mut reply) {
                (Step::Contended(_), _) => std::thread::yield_now(),
                // Somebody else's keys are on their way: a matter of milliseconds, mostly.
                (Step::InFlight, _) => std::thread::sleep(Duration::from_millis(1)),
                step => break step,
            }
        };
        session.state.remove(State::OFFLOADED);
        numbers.0.lock().push(number);
        (session, reply.into_bytes(), step)
    };
    tokio::task::spawn_blocking(run).await.ok()
}
