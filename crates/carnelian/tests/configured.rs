//! Parameters and passwords of instances that run: what their servers say after a change, after a failure and after a
//! restart.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};
use testkit::Server;
use testkit::wait::until;

const OLD: &str = "First_Pw1";
const NEW: &str = "Second_Pw2";

struct Instance<'a> {
    server: &'a Server,
    token: String,
    id: String,
    ports: Vec<u16>,
}

impl<'a> Instance<'a> {
    fn create(server: &'a Server, release: &str, capacity: u32, spec_code: &str) -> Self {
        let token = server.token();
        let order = json!({
            "name": "dcs-a", "engine": "Redis", "engine_version": release, "capacity": capacity,
            "spec_code": spec_code, "password": OLD, "vpc_id": "v", "subnet_id": "s", "security_group_id": "g",
            "available_zones": ["ae04cf9d61544df3806a3feeb401b204"],
        });
        let created = server.ask("POST", &server.instances(), &token, &order);
        assert_eq!(created.status, 200, "{}", created.body);
        let id = created.body["instance_id"].as_str().unwrap().to_owned();
        let mut own = Instance { server, token, id, ports: Vec::new() };
        let shown = own.ask("GET", "", &Value::Null);
        let first = u16::try_from(shown["port"].as_u64().unwrap()).unwrap();
        let nodes = own.talk(first, OLD, "CLUSTER NODES");
        let told =
            nodes.lines().filter_map(|line| line.split(' ').nth(1)?.split('@').next()?.rsplit_once(':'));
        own.ports = told.map(|(_, port)| port.parse().unwrap()).collect();
        if own.ports.is_empty() {
            own.ports.push(first);
        }
        own
    }

    fn ask(&self, method: &str, below: &str, body: &Value) -> Value {
        let path = format!("{}/{}{below}", self.server.instances(), self.id);
        let answer = self.server.ask(method, &path, &self.token, body);
        assert!(answer.status < 300, "{method} {path}: {} {}", answer.status, answer.body);
        answer.body
    }

    fn configure(&self, name: &str, id: u32, value: &str) {
        let change = json!({"param_id": id.to_string(), "param_name": name, "param_value": value});
        self.ask("PUT", "/configs", &json!({"redis_config": [change]}));
    }

    fn change_password(&self, old: &str, new: &str) -> Value {
        self.ask("PUT", "/password", &json!({"old_password": old, "new_password": new}))["result"].clone()
    }

    fn restart(&self) {
        let path = format!("{}/status", self.server.instances());
        let body = json!({"action": "restart", "instances": [self.id]});
        assert_eq!(self.server.ask("PUT", &path, &self.token, &body).body["results"][0]["result"], "success");
    }

    /// What a server of this port answers to a command, after a password.
    fn talk(&self, port: u16, password: &str, command: &str) -> String {
        let Ok(mut connection) = TcpStream::connect(("127.0.0.1", port)) else { return String::new() };
        connection.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        connection.write_all(format!("AUTH {password}\r\n{command}\r\nQUIT\r\n").as_bytes()).unwrap();
        let mut answer = String::new();
        // A server that ends meanwhile has nothing to say.
        let _ = connection.read_to_string(&mut answer);
        answer
    }

    /// Whether all servers have this value, and take this password.
    fn all_say(&self, password: &str, name: &str, value: &str) -> bool {
        let command = format!("CONFIG GET {name}");
        let said = |port: &u16| self.talk(*port, password, &command);
        let expected = format!("\r\n{value}\r\n");
        self.ports.iter().all(|port| said(port).starts_with("+OK") && said(port).contains(&expected))
    }
}

#[test]
fn what_is_changed_holds_on_all_servers_at_once_and_later() {
    let server = Server::start(&["--ephemeral"]);
    for (release, capacity, spec_code, servers) in [
        ("5.0", 2, "redis.single.xu1.large.2", 1),
        ("5.0", 2, "redis.ha.xu1.large.r2.2", 1),
        ("5.0", 4, "redis.cluster.xu1.large.r2.4", 6),
        ("3.0", 64, "dcs.cluster", 1),
    ] {
        let instance = Instance::create(&server, release, capacity, spec_code);
        assert_eq!(instance.ports.len(), servers, "{spec_code}");
        assert!(instance.all_say(OLD, "notify-keyspace-events", "xE"), "{spec_code}");
        instance.configure("timeout", 1, "100");
        instance.configure("notify-keyspace-events", 13, "KEA");
        assert!(instance.all_say(OLD, "timeout", "100"), "{spec_code}");
        assert!(instance.all_say(OLD, "notify-keyspace-events", "AKE"), "{spec_code}");

        let mut connected = TcpStream::connect(("127.0.0.1", instance.ports[0])).unwrap();
        connected.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        connected.write_all(format!("AUTH {OLD}\r\n").as_bytes()).unwrap();
        let mut answer = [0; 5];
        connected.read_exact(&mut answer).unwrap();
        assert_eq!(instance.change_password("Wrong_Pw1", NEW), "passwordFailed");
        assert_eq!(instance.change_password(OLD, NEW), "Success");
        for port in &instance.ports {
            assert!(instance.talk(*port, OLD, "PING").starts_with('-'), "{spec_code}");
            assert!(instance.talk(*port, NEW, "PING").starts_with("+OK\r\n+PONG"), "{spec_code}");
        }
        // Who is connected stays.
        connected.write_all(b"ECHO a\r\n").unwrap();
        let mut answer = [0; 7];
        connected.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"$1\r\na\r\n", "{spec_code}");

        instance.restart();
        assert!(instance.all_say(NEW, "timeout", "100"), "{spec_code}");
        instance.ask("DELETE", "", &Value::Null);
    }
}

#[test]
fn whoever_takes_a_masters_place_has_what_was_changed() {
    let server = Server::start(&["--ephemeral"]);
    for (release, capacity, spec_code) in [
        ("5.0", 2, "redis.ha.xu1.large.r2.2"),
        ("5.0", 4, "redis.cluster.xu1.large.r2.4"),
        ("3.0", 64, "dcs.cluster"),
    ] {
        let instance = Instance::create(&server, release, capacity, spec_code);
        instance.configure("timeout", 1, "77");
        assert_eq!(instance.change_password(OLD, NEW), "Success");
        let fail = format!("/admin/instances/{}/fail/stop", instance.id);
        // A standby that has just begun may need a moment.
        until("the master can fail", || server.ask("POST", &fail, "", &Value::Null).status == 202);
        // In a cluster the one that failed begins anew, and is a replica that logs in at its master.
        until("all have it", || instance.all_say(NEW, "timeout", "77"));
        if instance.ports.len() > 1 {
            let linked = |port: &u16| {
                let told = instance.talk(*port, NEW, "INFO replication");
                told.contains("role:master") || told.contains("master_link_status:up")
            };
            until("replicas log in", || instance.ports.iter().all(linked));
        }
        instance.ask("DELETE", "", &Value::Null);
    }
}
