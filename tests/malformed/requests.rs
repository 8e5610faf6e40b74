//! Requests that are no HTTP, or too long.

use crate::client::Client;
use crate::server;
use std::io::Write;
use std::net::TcpStream;

#[test]
fn requests_that_are_no_http_or_too_long_end_their_connection_alone() {
    let (server, ids) = server();
    let mut client = Client::new(&server);
    let instances = server.instances();
    let own = format!("{instances}/{}", ids[0]);
    let token = "x".repeat(60_000);
    let chunked = |body: &str| {
        format!("POST {instances} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n{body}")
            .into_bytes()
    };
    let chunk = format!("100000\r\n{}\r\n", "x".repeat(0x10_0000));
    let oversize = [chunked(""), chunk.repeat(13).into_bytes(), b"0\r\n\r\n".to_vec()].concat();
    let lines: [(&str, Vec<u8>); 12] = [
        ("a chunk whose length is no number", chunked("zz\r\n{}\r\n0\r\n\r\n")),
        ("a chunk that is too long", chunked("fffffffffffffffff\r\n{}\r\n0\r\n\r\n")),
        ("thirteen megabytes in chunks", oversize),
        (
            "a length that is no number",
            format!("POST {instances} HTTP/1.1\r\nhost: a\r\ncontent-length: x\r\n\r\n").into(),
        ),
        (
            "a negative length",
            format!("POST {instances} HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n").into(),
        ),
        (
            "two lengths",
            format!(
                "POST {instances} HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{{}}"
            )
            .into(),
        ),
        (
            "a token of 60 KB",
            format!("GET {own} HTTP/1.1\r\nhost: a\r\nx-auth-token: {token}\r\n\r\n").into(),
        ),
        ("a path of 100 KB", format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "a".repeat(100_000)).into()),
        (
            "a thousand headers",
            format!("GET {own} HTTP/1.1\r\nhost: a\r\n{}\r\n", "a: b\r\n".repeat(1_000)).into(),
        ),
        ("a header with NUL", format!("GET {own} HTTP/1.1\r\nhost: a\r\nx-auth-token: a\0b\r\n\r\n").into()),
        ("no version", format!("GET {own}\r\n\r\n").into()),
        ("nothing of it", b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n\r\n".to_vec()),
    ];
    for (what, bytes) in lines {
        client.connection = None;
        let answer = client.send(&bytes, false);
        // What is no request at all may be answered by the end of the connection.
        let status = answer.map_or(400, |answer| answer.status);
        assert!((400..500).contains(&status) || what.starts_with("a token"), "{what}: {status}");
    }
    let cut = format!("POST {instances} HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n{{");
    let mut connection = TcpStream::connect(&client.address).expect("it listens");
    connection.write_all(cut.as_bytes()).expect("it reads");
    drop(connection);
    client.connection = None;
    assert_eq!(client.ask("GET", "/healthz", b"").status, 200);
}
