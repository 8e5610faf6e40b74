//! What an instance of several servers is said to hold and to have done.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};
use testkit::Server;

/// What a client is told that says these lines.
fn talk(port: u16, lines: &str) -> String {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).unwrap();
    connection.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    connection.write_all(format!("{lines}QUIT\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn replicas_are_not_counted_again() {
    let server = Server::start(&["--ephemeral"]);
    let token = server.token();
    let order = |name: &str, spec_code: &str| {
        let order = json!({
            "name": name, "engine": "Redis", "engine_version": "5.0", "capacity": 4, "spec_code": spec_code,
            "no_password_access": true, "vpc_id": "v", "subnet_id": "s",
            "available_zones": ["ae04cf9d61544df3806a3feeb401b204"],
        });
        let created = server.ask("POST", &server.instances(), &token, &order);
        assert_eq!(created.status, 200, "{}", created.body);
        let path = format!("{}/{}", server.instances(), created.body["instance_id"].as_str().unwrap());
        let shown = server.ask("GET", &path, &token, &Value::Null).body;
        u16::try_from(shown["port"].as_u64().unwrap()).unwrap()
    };
    let value = "x".repeat(10_000);
    // All keys are of one slot: 5061 is the first node's.
    let sets: String = (0..1000).map(|number| format!("SET {{bar}}{number} {value}\r\n")).collect();
    for (name, spec_code) in
        [("dcs-a", "redis.cluster.xu1.large.r1.4"), ("dcs-b", "redis.cluster.xu1.large.r5.4")]
    {
        let port = order(name, spec_code);
        assert_eq!(talk(port, &sets).matches("+OK").count(), 1001);
        // Replicas have them soon.
        assert!(
            talk(
                port,
                &format!("SET {{bar}}last 1\r\nWAIT {} 5000\r\n", if name == "dcs-b" { 4 } else { 0 })
            )
            .starts_with("+OK")
        );
    }
    let all = server.ask("GET", &format!("{}/statistic", server.instances()), &token, &Value::Null).body;
    let all = all["statistics"].as_array().unwrap().clone();
    assert_eq!(all.len(), 2);
    let field = |at: usize, name: &str| -> u64 {
        all[at][name].as_u64().or_else(|| all[at][name].as_str()?.parse().ok()).unwrap()
    };
    for at in 0..2 {
        assert_eq!(field(at, "cmd_set_count"), 1001);
        assert_eq!(field(at, "keys"), 1001);
        let mb = field(at, "used_memory");
        assert!((9..=20).contains(&mb), "{mb} MB: ten of them are values");
    }
}
