//! Worker threads.

use crate::offload::Numbers;
use crate::reclaim;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::runtime::{Builder, Handle};
use tokio::sync::watch;

/// Threads that run offloaded commands, for each worker.
const OFFLOAD_THREADS: usize = 4;

/// The threads that serve connections. Dropping them ends all connections.
#[derive(Debug)]
pub struct Workers {
    handles: Vec<Handle>,
    next: AtomicUsize,
    stop: watch::Sender<bool>,
    numbers: Arc<Numbers>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Workers {
    /// Starts so many threads, at least one.
    ///
    /// # Errors
    /// What the system says when it has no more threads.
    pub fn start(count: usize) -> std::io::Result<Arc<Workers>> {
        let (stop, _) = watch::channel(false);
        let count = count.max(1);
        let numbers = Arc::new(Numbers::new(count..count * (1 + OFFLOAD_THREADS)));
        let mut workers =
            Workers { handles: Vec::new(), next: AtomicUsize::new(0), stop, numbers, threads: Vec::new() };
        for number in 0..count {
            let runtime = Builder::new_current_thread()
                .on_thread_park(reclaim::rest)
                .enable_all()
                .max_blocking_threads(OFFLOAD_THREADS)
                .thread_name(format!("offload-{number}"))
                .build()?;
            workers.handles.push(runtime.handle().clone());
            let mut stopped = workers.stop.subscribe();
            let thread = std::thread::Builder::new().name(format!("worker-{number}")).spawn(move || {
                crate::connection::set_worker(number);
                runtime.block_on(async {
                    // Whether it is told to stop or forgotten, it is over.
                    let _ = stopped.wait_for(|stop| *stop).await;
                });
                runtime.shutdown_background();
            })?;
            workers.threads.push(thread);
        }
        Ok(Arc::new(workers))
    }

    /// The number of threads.
    pub fn count(&self) -> usize {
        self.handles.len()
    }

    /// The numbers of offload threads.
    pub(crate) fn numbers(&self) -> &Arc<Numbers> {
        &self.numbers
    }

    /// How many numbers threads that run commands count by: workers, then their offload threads.
    pub(crate) fn slots(&self) -> usize {
        self.handles.len() * (1 + OFFLOAD_THREADS)
    }

    /// The event loop of the worker whose turn it is.
    pub(crate) fn next(&self) -> &Handle {
        let number = self.next.fetch_add(1, Ordering::Relaxed) % self.handles.len();
        &self.handles[number]
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        for thread in self.threads.drain(..) {
            // A worker that drops the last reference to the workers cannot wait for itself.
            if thread.thread().id() != std::thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}
