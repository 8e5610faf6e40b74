//! Clients that write whatever becomes of the server behind an address: what they were told, and for how long they were told
//! nothing.

use crate::client::Client;
use crate::reply::Reply;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How many write at the same time.
const WRITERS: usize = 4;

/// Clients that each count up keys of their own, one acknowledged step after the other, and connect again whenever they are
/// hung up on.
#[derive(Debug)]
pub struct Writers {
    address: SocketAddr,
    endings: &'static [&'static str],
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<Duration>>,
}

#[derive(Debug)]
struct Shared {
    ends: AtomicBool,
    /// What each writer was told last.
    acknowledged: [AtomicU64; WRITERS],
}

impl Writers {
    /// Begins to write to the server at an address. What a writer counts up at once are keys with these endings, more than
    /// one if they are to lie in several places.
    pub fn start(address: SocketAddr, endings: &'static [&'static str]) -> Writers {
        let shared = Arc::new(Shared { ends: AtomicBool::new(false), acknowledged: Default::default() });
        let threads = (0..WRITERS).map(|number| {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || shared.write(address, number, endings))
        });
        Writers { address, endings, threads: threads.collect(), shared }
    }

    /// How many writes have been acknowledged to the writer that has fewest.
    pub fn least(&self) -> u64 {
        let acknowledged = self.shared.acknowledged.iter().map(|own| own.load(Ordering::Acquire));
        acknowledged.min().unwrap_or(0)
    }

    /// Ends them, and looks for all that was acknowledged: it has to be there. The longest time for which one of them had
    /// no answer.
    pub fn stop(self) -> Duration {
        self.shared.ends.store(true, Ordering::Relaxed);
        let gaps = self.threads.into_iter().map(|thread| thread.join().expect("a writer goes on"));
        let longest = gaps.max().unwrap_or_default();
        let mut client = Client::connect(self.address);
        for (number, acknowledged) in self.shared.acknowledged.iter().enumerate() {
            let acknowledged = acknowledged.load(Ordering::Acquire);
            assert!(acknowledged > 0, "writer {number} was never answered");
            for key in keys(number, self.endings) {
                let told = client.run(&["GET", &key]);
                let value: u64 = match told {
                    Reply::Bulk(_) => told.text().parse().expect("it is a number"),
                    other => panic!("{key}: {other:?} where {acknowledged} was acknowledged"),
                };
                assert!(value >= acknowledged, "{key}: {value} where {acknowledged} was acknowledged");
            }
        }
        longest
    }
}

/// The keys of a writer.
fn keys(number: usize, endings: &[&str]) -> Vec<String> {
    endings.iter().map(|ending| format!("writer:{number}:{ending}")).collect()
}

impl Shared {
    fn write(&self, address: SocketAddr, number: usize, endings: &[&str]) -> Duration {
        let (mut client, keys) = (Client::connect(address), keys(number, endings));
        let acknowledged = &self.acknowledged[number];
        let (mut last, mut longest) = (now(), Duration::ZERO);
        while !self.ends.load(Ordering::Relaxed) {
            let next = acknowledged.load(Ordering::Relaxed) + 1;
            let value = next.to_string();
            let words = keys.iter().flat_map(|key| [key.as_str(), &value]);
            match client.run(&std::iter::once("MSET").chain(words).collect::<Vec<_>>()) {
                Reply::Status(_) => {
                    (longest, last) = (longest.max(last.elapsed()), now());
                    acknowledged.store(next, Ordering::Release);
                }
                Reply::Closed => client = Client::connect(address),
                other => panic!("{other:?}"),
            }
        }
        longest.max(last.elapsed())
    }
}

#[allow(clippy::disallowed_methods, reason = "what is measured is real time")]
fn now() -> Instant {
    Instant::now()
}
