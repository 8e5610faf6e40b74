//! Backups of all kinds of instances, in both forms: restored, and read by real servers.

mod kinds;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use kinds::{KEYS, ask, create, fill, has_all, orders};
use serde_json::{Value, json};
use testkit::memcached::Wire;
use testkit::{Oracle, Reply, Server};

/// What a link leads to.
fn download(link: &str) -> Vec<u8> {
    let (address, path) = link.strip_prefix("http://").and_then(|link| link.split_once('/')).unwrap();
    let mut connection = TcpStream::connect(address).unwrap();
    write!(connection, "GET /{path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", answer[..40].escape_ascii());
    let head = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
    answer.split_off(head + 4)
}

/// Has all keys or items go, and another one come.
fn spoil(address: SocketAddr, is_memcached: bool) {
    if is_memcached {
        let mut client = Wire::connect(address);
        assert_eq!(client.say("flush_all"), "OK");
        assert_eq!(client.say("set other 0 0 1\r\nx"), "STORED");
        return;
    }
    for number in 0..KEYS {
        assert_eq!(ask(address, &["DEL", &format!("key:{number}")]), Reply::Integer(1));
    }
    assert_eq!(ask(address, &["SET", "other", "x"]), Reply::Status(b"OK".to_vec()));
}

/// Whether the other one is there.
fn is_spoilt(address: SocketAddr, is_memcached: bool) -> bool {
    if is_memcached {
        Wire::connect(address).ask(b"get other\r\n", b"END\r\n") != b"END\r\n"
    } else {
        ask(address, &["EXISTS", "other"]) == Reply::Integer(1)
    }
}

/// How many keys real servers find in these files, one each. Nothing where there are none.
fn found_by_real_servers(links: &[Value]) -> Option<i64> {
    let mut found = 0;
    for link in links {
        let name = link["file_name"].as_str().unwrap();
        let name = name.rsplit('/').next().unwrap();
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(name), download(link["link"].as_str().unwrap())).unwrap();
        let mut arguments = vec!["--dir", directory.path().to_str().unwrap()];
        if name.ends_with(".aof") {
            arguments.extend(["--appendonly", "yes", "--appendfilename", name]);
        } else {
            arguments.extend(["--dbfilename", name]);
        }
        let server = Oracle::start_with(&arguments)?;
        let Reply::Integer(size) = server.client().say("DBSIZE") else { panic!("it tells no number") };
        found += size;
    }
    Some(found)
}

#[test]
fn what_is_backed_up_comes_back_to_instances_of_each_kind() {
    let server = Server::start(&["--ephemeral"]);
    let token = server.token();
    for (name, order) in orders() {
        let (id, address) = create(&server, &token, name, order);
        let is_memcached = name == "memcached";
        let path = format!("/v2/{}/instances/{id}", server.project_id);
        let post = |what: &str, body: Value| server.ask("POST", &format!("{path}/{what}"), &token, &body);
        fill(address, is_memcached);
        for form in ["rdb", "aof"] {
            let made = post("backups", json!({"remark": form, "backup_format": form}));
            if name == "single" {
                // The documents have it so.
                assert_eq!(made.body["error_code"], "DCS.4095");
                continue;
            }
            let backup = made.body["backup_id"].as_str().unwrap_or_else(|| panic!("{name}: {}", made.body));
            let links = post(&format!("backups/{backup}/links"), json!({"expiration": 3600})).body;
            let links = links["links"].as_array().unwrap();
            if !is_memcached && let Some(found) = found_by_real_servers(links) {
                assert_eq!(found, i64::from(KEYS), "{name}, {form}");
            }
            spoil(address, is_memcached);
            let restored = post("restores", json!({"backup_id": backup, "remark": "again"}));
            assert_eq!(restored.status, 200, "{name}: {}", restored.body);
            testkit::until("it is restored", || {
                server.ask("GET", &path, &token, &Value::Null).body["status"] == "RUNNING"
            });
            assert!(has_all(address, is_memcached), "{name}, {form}");
            assert!(!is_spoilt(address, is_memcached), "{name}, {form}");
        }
        assert_eq!(server.ask("DELETE", &path, &token, &Value::Null).status, 204, "{name}");
    }
}
