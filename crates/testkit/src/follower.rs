//! A replica that keeps no keys: it reads what a server tells its replicas.

use crate::client::{Client, encode};
use crate::reply::Reply;
use std::net::SocketAddr;

/// A replica of a server, which is told all that changes from now on.
#[derive(Debug)]
pub struct Follower {
    client: Client,
}

/// A request of the stream: its words.
pub type Request = Vec<Vec<u8>>;

/// The requests that bytes consist of.
pub fn requests(bytes: &[u8]) -> Vec<Request> {
    let mut rest = bytes;
    let header = |sign: u8, rest: &mut &[u8]| {
        assert_eq!(rest[0], sign);
        let end = rest.iter().position(|&byte| byte == b'\r').expect("a header ends");
        let number = String::from_utf8_lossy(&rest[1..end]).parse::<usize>().expect("a number");
        *rest = &rest[end + 2..];
        number
    };
    let mut requests = Vec::new();
    while !rest.is_empty() {
        let words = header(b'*', &mut rest);
        let word = |_| {
            let len = header(b'$', &mut rest);
            let word = rest[..len].to_vec();
            rest = &rest[len + 2..];
            word
        };
        requests.push((0..words).map(word).collect());
    }
    requests
}

impl Follower {
    /// Follows the server at an address. Its snapshot is read and forgotten.
    pub fn of(address: SocketAddr) -> Follower {
        let mut client = Client::connect(address);
        assert_eq!(client.say("REPLCONF capa eof capa psync2"), Reply::Status(b"OK".to_vec()));
        client.send(&["PSYNC", "?", "-1"]);
        match client.read() {
            Reply::Status(text) if text.starts_with(b"FULLRESYNC ") => {}
            other => panic!("a full synchronisation is not begun with {other:?}"),
        }
        client.skip_snapshot();
        // A server says nothing before it has heard that it is listened to, once it has sent all.
        let mut other = Client::connect(address);
        while !other.say("INFO replication").text().contains("state=online") {
            client.send_bytes(&encode(&["REPLCONF", "ACK", "0"]));
            std::thread::yield_now();
        }
        // A real one has to hear it once it knows that all is sent: what it heard before does not count.
        client.send_bytes(&encode(&["REPLCONF", "ACK", "0"]));
        Follower { client }
    }

    /// The requests up to the one that `is_last`, which is left out; `PING` is too.
    pub fn until(&mut self, is_last: impl Fn(&Request) -> bool) -> Vec<Request> {
        let mut requests = Vec::new();
        loop {
            let request = match self.client.read() {
                Reply::Array(words) => words.iter().map(|word| word.bytes().to_vec()).collect::<Request>(),
                other => panic!("the stream consists of requests, not of {other:?}"),
            };
            if is_last(&request) {
                return requests;
            }
            if request[0] != b"PING" {
                requests.push(request);
            }
        }
    }
}
