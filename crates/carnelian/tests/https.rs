//! The gateway's other address: encrypted, and vouched for by an authority that stays.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use testkit::Server;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// What is answered to a `GET` by whoever is called `name` at this port, if those certificates are trusted.
fn get(trusted: &str, name: &str, port: u16, path: &str) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(trusted.as_bytes()) {
        roots.add(certificate.unwrap()).unwrap();
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let client = ClientConnection::new(Arc::new(config), name).unwrap();
    let connection = TcpStream::connect(("127.0.0.1", port))?;
    connection.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut encrypted = StreamOwned::new(client, connection);
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost:{port}\r\nconnection: close\r\n\r\n");
    encrypted.write_all(request.as_bytes())?;
    let mut answer = String::new();
    encrypted.read_to_string(&mut answer)?;
    Ok(answer)
}

/// The port of https, if there is one.
fn port(server: &Server) -> Option<u16> {
    let (address, _) = server.https.as_ref()?.split_once(',')?;
    address.rsplit_once(':')?.1.parse().ok()
}

#[test]
fn clients_that_trust_the_authority_are_served_also_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().to_str().unwrap();
    let mut trusted = None;
    for _ in 0..2 {
        let server = Server::start(&["--data-dir", data_dir]);
        let path = directory.path().join("ca.pem");
        assert!(server.https.as_ref().is_some_and(|told| told.ends_with(path.to_str().unwrap())));
        let port = port(&server).unwrap();
        let trusted = trusted.get_or_insert_with(|| std::fs::read_to_string(&path).unwrap());
        for name in ["localhost", "127.0.0.1"] {
            let answer = get(trusted, name, port, "/healthz").unwrap();
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        }
        // Links lead to where the client is.
        let versions = get(trusted, "localhost", port, "/v3").unwrap();
        assert!(versions.contains(&format!("\"https://localhost:{port}/v3/\"")), "{versions}");
        assert!(get(trusted, "example.org", port, "/healthz").is_err(), "the certificate is for nobody else");
        assert!(get("", "localhost", port, "/healthz").is_err(), "nobody vouches for it");
        // Whoever does not speak it keeps nobody else waiting.
        let _silent = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let mut plain = TcpStream::connect(("127.0.0.1", port)).unwrap();
        plain.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        assert!(get(trusted, "localhost", port, "/healthz").is_ok());
    }
}

#[test]
fn nothing_is_encrypted_where_nothing_is_kept_unless_it_is_asked_for() {
    let server = Server::start(&["--ephemeral"]);
    assert_eq!(port(&server), None);
    assert_eq!(server.ask("GET", "/ca.pem", "", &Value::Null).status, 404);
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start_in(directory.path(), &["--ephemeral", "--tls-listen", "127.0.0.1:0"]);
    let (own, port) = (server.url.strip_prefix("http://").unwrap(), port(&server).unwrap());
    let mut connection = TcpStream::connect(own).unwrap();
    connection.write_all(b"GET /ca.pem HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    let trusted = &answer[answer.find("-----BEGIN").unwrap()..];
    assert!(get(trusted, "localhost", port, "/healthz").is_ok());
    assert!(is_empty(directory.path()));
    let off = Server::start_in(directory.path(), &["--data-dir", "d", "--tls-listen", "off"]);
    assert_eq!(off.https, None);
    assert!(!directory.path().join("d/ca.pem").exists());
}

fn is_empty(directory: &Path) -> bool {
    std::fs::read_dir(directory).unwrap().next().is_none()
}
