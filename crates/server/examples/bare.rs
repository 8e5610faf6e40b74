//! A bare node, for trying things out.
use std::sync::Arc;
#[global_allocator]
static GLOBAL: structures::allocator::Allocator = structures::allocator::Allocator;
fn main() {
    let port: u16 = std::env::args().nth(1).and_then(|port| port.parse().ok()).unwrap_or(6400);
    let threads: usize = std::env::args().nth(2).and_then(|n| n.parse().ok()).unwrap_or(1);
    let workers = server::Workers::start(threads).unwrap();
    let clock = Arc::new(server::Clock::new());
    let order = server::Order {
        release: command::Release::V7_0,
        address: ([127, 0, 0, 1], port).into(),
        seed: 7,
        config: Vec::new(),
        directory: None,
        seat: None,
        admission: Arc::default(),
        withheld: &[],
    };
    let running = server::Running::start(&workers, &clock, &order).unwrap();
    println!("{}", running.address());
    loop {
        std::thread::park();
    }
}
