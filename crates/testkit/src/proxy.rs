//! A connection between two servers that a test can cut.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Passes on what comes to it, until it is cut; see the module.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    to: SocketAddr,
    is_cut: AtomicBool,
    ends: AtomicBool,
    streams: Mutex<Vec<TcpStream>>,
    connections: AtomicU64,
}

impl Proxy {
    /// A proxy to whoever listens at this address.
    pub fn to(address: SocketAddr) -> Proxy {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a free port");
        let own = listener.local_addr().expect("it listens somewhere");
        let shared = Arc::new(Shared {
            to: address,
            is_cut: AtomicBool::new(false),
            ends: AtomicBool::new(false),
            streams: Mutex::default(),
            connections: AtomicU64::new(0),
        });
        let theirs = Arc::clone(&shared);
        std::thread::spawn(move || theirs.accept(&listener));
        Proxy { address: own, shared }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends all connections, and takes no others until it is restored.
    pub fn cut(&self) {
        self.shared.is_cut.store(true, Ordering::SeqCst);
        self.shared.end_all();
    }

    /// Takes connections again.
    pub fn restore(&self) {
        self.shared.is_cut.store(false, Ordering::SeqCst);
    }

    /// How many connections it has passed on so far.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ends.store(true, Ordering::SeqCst);
        self.shared.end_all();
        // The thread that accepts is woken; if it has gone that is as well.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for stream in listener.incoming() {
            if self.ends.load(Ordering::SeqCst) {
                return;
            }
            let Ok(stream) = stream else { continue };
            if self.is_cut.load(Ordering::SeqCst) {
                continue;
            }
            let Ok(other) = TcpStream::connect(self.to) else { continue };
            self.connections.fetch_add(1, Ordering::SeqCst);
            for (from, to) in [(&stream, &other), (&other, &stream)] {
                let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) else { continue };
                std::thread::spawn(move || pass_on(from, to));
            }
            self.streams.lock().expect("nobody panics with it").extend([stream, other]);
            if self.is_cut.load(Ordering::SeqCst) {
                self.end_all();
            }
        }
    }

    fn end_all(&self) {
        for stream in self.streams.lock().expect("nobody panics with it").drain(..) {
            // It may have ended already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn pass_on(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = [0; 16 << 10];
    while let Ok(len @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..len]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
