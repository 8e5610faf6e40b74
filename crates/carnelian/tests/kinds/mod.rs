//! All kinds of instances: ordered, filled, and looked into, as clients do it.

use std::net::SocketAddr;

use serde_json::{Value, json};
use testkit::memcached::Wire;
use testkit::{Client, Reply, Server};

/// How many keys an instance has.
pub(crate) const KEYS: u32 = 100;

/// The kinds of instances, and what an order says of them.
pub(crate) fn orders() -> Vec<(&'static str, Value)> {
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
pub(crate) fn ask(address: SocketAddr, words: &[&str]) -> Reply {
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
pub(crate) fn fill(address: SocketAddr, is_memcached: bool) {
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
pub(crate) fn has_all(address: SocketAddr, is_memcached: bool) -> bool {
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
pub(crate) fn create(server: &Server, token: &str, name: &str, mut order: Value) -> (String, SocketAddr) {
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
