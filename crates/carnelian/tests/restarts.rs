//! Instances whose servers end and begin again, seen from outside: they have what they had, whether or not the cloud outlives
//! the process.

use std::net::SocketAddr;

use serde_json::{Value, json};
use testkit::memcached::Wire;
use testkit::{Client, Reply, Server};

/// How many keys an instance has.
const KEYS: u32 = 100;

/// What is restarted, and what the order says of it.
fn orders() -> Vec<(&'static str, Value)> {
    let redis = |version: &str, capacity: u32, spec: &str| json!({"engine": "Redis", "engine_version": version, "capacity": capacity, "spec_code": spec});
    vec![
        ("single", redis("5.0", 1, "redis.single.xu1.large.1")),
        ("pair", redis("5.0", 1, "redis.ha.xu1.large.r2.1")),
        ("cluster", redis("5.0", 24, "redis.cluster.xu1.large.r2.24")),
        ("proxy", redis("3.0", 64, "dcs.cluster")),
        (
            "memcached",
            json!({"engine": "Memcached", "capacity": 2, "spec_code": "dcs.memcached.master_standby"}),
        ),
    ]
}

/// The answer to a command on a key, from the server of a cluster that has it.
fn ask(address: SocketAddr, words: &[&str]) -> Reply {
    let answer = Client::connect(address).run(words);
    let moved = match &answer {
        Reply::Error(text) => String::from_utf8_lossy(text).strip_prefix("MOVED ").map(str::to_owned),
        _ => None,
    };
    match moved.as_deref().and_then(|moved| moved.split_once(' ')) {
        Some((_, other)) => Client::connect(other.parse().unwrap()).run(words),
        None => answer,
    }
}

/// Writes some keys, or items.
fn fill(address: SocketAddr, is_memcached: bool) {
    for number in 0..KEYS {
        let key = format!("key:{number}");
        if is_memcached {
            assert_eq!(Wire::connect(address).say(&format!("set {key} 7 0 3\r\nabc")), "STORED");
        } else {
            assert_eq!(ask(address, &["SET", &key, "abc", "EX", "1000"]), Reply::Status(b"OK".to_vec()));
        }
    }
}

/// Whether all of them are there.
fn has_all(address: SocketAddr, is_memcached: bool) -> bool {
    (0..KEYS).all(|number| {
        let key = format!("key:{number}");
        if is_memcached {
            let answer = Wire::connect(address).ask(format!("get {key}\r\n").as_bytes(), b"END\r\n");
            answer == format!("VALUE {key} 7 3\r\nabc\r\nEND\r\n").as_bytes()
        } else {
            matches!(ask(address, &["TTL", &key]), Reply::Integer(900..=1000))
        }
    })
}

/// Makes an instance. Answers its id and its address.
fn create(server: &Server, token: &str, name: &str, mut order: Value) -> (String, SocketAddr) {
    let common = json!({
        "name": format!("dcs-{name}"), "vpc_id": "v", "subnet_id": "s", "security_group_id": "g",
        "no_password_access": true, "available_zones": ["ae04cf9d61544df3806a3feeb401b204"],
    });
    order.as_object_mut().unwrap().extend(common.as_object().unwrap().clone());
    let created = server.ask("POST", &server.instances(), token, &order);
    let id = created.body["instance_id"].as_str().unwrap_or_else(|| panic!("{name}: {}", created.body));
    let shown = server.ask("GET", &format!("{}/{id}", server.instances()), token, &Value::Null).body;
    (id.to_owned(), format!("127.0.0.1:{}", shown["port"]).parse().unwrap())
}

/// Whether all kinds of instances keep what they have when they are restarted, twice.
fn keep_what_they_have(arguments: &[&str]) {
    let server = Server::start(arguments);
    let token = server.token();
    for (name, order) in orders() {
        let (id, address) = create(&server, &token, name, order);
        let path = format!("{}/{id}", server.instances());
        let is_memcached = name == "memcached";
        fill(address, is_memcached);
        for _ in 0..2 {
            let restart = json!({"action": "restart", "instances": [id]});
            let answer = server.ask("PUT", &format!("{}/status", server.instances()), &token, &restart);
            assert_eq!(answer.body["results"][0]["result"], "success", "{name}");
            let again = server.ask("GET", &path, &token, &Value::Null).body;
            assert_eq!(
                (&again["status"], &again["port"]),
                (&json!("RUNNING"), &json!(address.port())),
                "{name}"
            );
            assert!(has_all(address, is_memcached), "{name}");
        }
        assert_eq!(server.ask("DELETE", &path, &token, &Value::Null).status, 204, "{name}");
    }
}

#[test]
fn instances_keep_what_they_have_where_nothing_is_written() {
    keep_what_they_have(&["--ephemeral"]);
}

#[test]
fn instances_keep_what_they_have_where_all_is_written() {
    let directory = tempfile::tempdir().unwrap();
    keep_what_they_have(&["--data-dir", directory.path().to_str().unwrap()]);
}

#[test]
fn standbys_take_over_one_after_the_other() {
    let server = Server::start(&["--ephemeral"]);
    let token = server.token();
    for (name, order) in orders() {
        if name == "single" {
            continue;
        }
        let (id, address) = create(&server, &token, name, order);
        let is_memcached = name == "memcached";
        fill(address, is_memcached);
        // Nobody waits until the next standby has everything.
        for _ in 0..10 {
            let turned = server.ask("POST", &format!("/admin/instances/{id}/failover"), "", &Value::Null);
            assert_eq!(turned.status, 204, "{name}: {}", turned.body);
        }
        assert!(has_all(address, is_memcached), "{name}");
    }
}
