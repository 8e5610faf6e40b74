//! A client that sends whatever it is told to, and what all its answers have in common.

use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use testkit::Server;

/// A connection that is kept, and made anew when it has ended.
pub(crate) struct Client {
    pub(crate) address: String,
    pub(crate) connection: Option<TcpStream>,
    rest: Vec<u8>,
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Client {
    pub(crate) fn new(server: &Server) -> Self {
        let address = server.url.strip_prefix("http://").expect("it is a URL").to_owned();
        Client { address, connection: None, rest: Vec::new() }
    }

    /// Sends a request with a body of known length.
    pub(crate) fn ask(&mut self, method: &str, path: &str, body: &[u8]) -> Answer {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        let answer = self.send(&[head.as_bytes(), body].concat(), method == "HEAD");
        answer.unwrap_or_else(|| panic!("{method} {path} is not answered"))
    }

    /// Sends bytes, and reads an answer if there is one.
    pub(crate) fn send(&mut self, bytes: &[u8], is_head: bool) -> Option<Answer> {
        for _ in 0..2 {
            let connection = self.connection.take().or_else(|| {
                self.rest.clear();
                TcpStream::connect(&self.address).ok()
            });
            let mut connection = connection.expect("it listens");
            connection.set_read_timeout(Some(Duration::from_secs(20))).expect("the socket takes a timeout");
            // It may have ended since the last answer, or end before it has read all of this.
            let _ = connection.write_all(bytes);
            if let Some(answer) = self.read(&mut connection, is_head) {
                if !answer.head.to_ascii_lowercase().contains("connection: close") {
                    self.connection = Some(connection);
                }
                return Some(answer);
            }
        }
        None
    }

    fn read(&mut self, connection: &mut TcpStream, is_head: bool) -> Option<Answer> {
        let mut more = |rest: &mut Vec<u8>| {
            let mut buffer = [0; 16_384];
            let read = connection.read(&mut buffer).ok().filter(|read| *read > 0)?;
            rest.extend_from_slice(&buffer[..read]);
            Some(())
        };
        let end = loop {
            match self.rest.windows(4).position(|four| four == b"\r\n\r\n") {
                Some(end) => break end + 4,
                None => more(&mut self.rest)?,
            }
        };
        let head = String::from_utf8_lossy(&self.rest[..end]).into_owned();
        let status: u16 = head.get(9..12)?.parse().ok()?;
        self.rest.drain(..end);
        let length = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let length: usize = if is_head { 0 } else { length.unwrap_or(0) };
        while self.rest.len() < length {
            more(&mut self.rest)?;
        }
        Some(Answer { status, head, body: self.rest.drain(..length).collect() })
    }
}

/// Sees that an answer is none of the program's own faults, and an error in the form of the interface of the path.
pub(crate) fn check(what: &str, path: &str, answer: &Answer) {
    let Answer { status, body, .. } = answer;
    let text = String::from_utf8_lossy(body);
    let what: String = what.chars().take(300).collect();
    assert!(*status < 500, "{what}: {status} {text}");
    if *status < 400 {
        return;
    }
    let body: Value = serde_json::from_slice(body).unwrap_or_else(|_| panic!("{what}: {status} {text:?}"));
    let keys: Vec<&str> = body.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect();
    let is_text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    let fits = if path.starts_with("/v2/index.php") {
        body["code"].is_u64() && is_text(&body["message"]) && is_text(&body["codeDesc"])
    } else if path == "/v3" || path.starts_with("/v3/") {
        body["error"]["code"] == *status
            && is_text(&body["error"]["title"])
            && is_text(&body["error"]["message"])
    } else if path.starts_with("/v2/") {
        keys.len() == 3
            && is_text(&body["error_code"])
            && is_text(&body["error_msg"])
            && body["error_ext_msg"].is_null()
    } else {
        is_text(&body["error"]["code"]) && is_text(&body["error"]["message"]) && is_text(&body["error_code"])
    };
    assert!(fits, "{what}: {status} {text}");
}
