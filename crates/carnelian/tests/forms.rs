//! What instances become when they are given another specification, with what they hold.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};
use testkit::Server;

/// A server with one instance.
struct World {
    server: Server,
    token: String,
    id: String,
    port: u16,
}

impl World {
    /// One that keeps nothing.
    fn new(order: &Value) -> World {
        let server = Server::start(&["--ephemeral"]);
        let token = server.token();
        let base = json!({
            "name": "dcs-a", "engine": "Redis", "capacity": 2, "password": "First_Pw1", "vpc_id": "v",
            "subnet_id": "s", "security_group_id": "6fd2f8a0-0000-4000-8000-00000000000b",
            "available_zones": ["ae04cf9d61544df3806a3feeb401b204"],
        });
        let mut body = base;
        body.as_object_mut().unwrap().extend(order.as_object().unwrap().clone());
        let created = server.ask("POST", &server.instances(), &token, &body);
        assert_eq!(created.status, 200, "{}", created.body);
        let id = created.body["instance_id"].as_str().unwrap().to_owned();
        let mut world = World { server, token, id, port: 0 };
        world.port = u16::try_from(world.shown()["port"].as_u64().unwrap()).unwrap();
        world
    }

    fn shown(&self) -> Value {
        let path = format!("{}/{}", self.server.instances(), self.id);
        self.server.ask("GET", &path, &self.token, &Value::Null).body
    }

    /// Gives it another specification; the status and the code of what is wrong.
    fn resize(&self, body: &Value) -> (u16, String) {
        let path = format!("/v2/{}/instances/{}/resize", self.server.project_id, self.id);
        let answer = self.server.ask("POST", &path, &self.token, body);
        (answer.status, answer.body["error_code"].as_str().unwrap_or_default().to_owned())
    }

    fn talk(&self, lines: &str) -> String {
        let mut connection = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        connection.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        connection.write_all(lines.as_bytes()).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        answer
    }

    /// What a Redis client is told after it has proven who it is.
    fn ask(&self, line: &str) -> String {
        let answer = self.talk(&format!("AUTH First_Pw1\r\n{line}\r\nQUIT\r\n"));
        answer.trim_start_matches("+OK\r\n").trim_end_matches("+OK\r\n").to_owned()
    }

    /// The ids of its replicas, in the order of their places.
    fn replicas(&self) -> Vec<String> {
        let path = format!("/v2/{}/instances/{}/logical-nodes", self.server.project_id, self.id);
        let nodes = self.server.ask("GET", &path, &self.token, &Value::Null).body["nodes"].clone();
        let nodes = nodes.as_array().unwrap().iter().filter(|node| node["node_type"] == "slave");
        nodes.map(|node| node["node_id"].as_str().unwrap().to_owned()).collect()
    }
}

const SET: &str = "MSET a 1 b 2 c 3 d 4 e 5 f 6 g 7 h 8";
const GET: &str = "MGET a b c d e f g h";
const GOT: &str =
    "*8\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n$1\r\n4\r\n$1\r\n5\r\n$1\r\n6\r\n$1\r\n7\r\n$1\r\n8\r\n";

#[test]
fn a_master_and_its_standby_become_a_proxy_cluster() {
    let world = World::new(&json!({"engine_version": "3.0", "spec_code": "dcs.master_standby"}));
    world.ask(SET);
    let wanted = json!({"spec_code": "dcs.cluster", "new_capacity": 64});
    // Only what is in the first database can be shared out.
    assert_eq!(world.ask("SELECT 3\r\nSET x 1"), "");
    assert_eq!(world.resize(&wanted), (500, "DCS.4842".to_owned()));
    let shown = world.shown();
    assert_eq!((&shown["cache_mode"], &shown["status"]), (&json!("ha"), &json!("RUNNING")));
    assert_eq!(world.ask(GET), GOT);
    assert_eq!(world.ask("SELECT 3\r\nDEL x"), ":1\r\n");
    assert_eq!(world.resize(&wanted), (204, String::new()));
    let shown = world.shown();
    assert_eq!(
        (&shown["cache_mode"], &shown["capacity"], &shown["status"]),
        (&json!("proxy"), &json!(64), &json!("RUNNING"))
    );
    assert_eq!(shown["port"], u64::from(world.port));
    assert_eq!(world.ask(GET), GOT);
    assert!(world.ask("RENAME a b").contains("CROSSSLOT"));
    // It does not become anything else again, and a single node does not become one.
    let back = json!({"spec_code": "dcs.master_standby", "new_capacity": 64});
    assert_eq!(world.resize(&back), (400, "DCS.4102".to_owned()));
    let single = World::new(&json!({"engine_version": "3.0", "spec_code": "dcs.single_node"}));
    assert_eq!(single.resize(&wanted), (400, "DCS.4102".to_owned()));
}

#[test]
fn a_memcached_node_gets_a_standby_and_loses_it() {
    let order =
        json!({"engine": "Memcached", "spec_code": "dcs.memcached.single_node", "no_password_access": true});
    let mut order = order;
    order["password"] = Value::Null;
    let world = World::new(&order);
    assert_eq!(world.talk("set a 0 0 1\r\n1\r\nquit\r\n"), "STORED\r\n");
    // The connection of a client stays.
    let mut client = TcpStream::connect(("127.0.0.1", world.port)).unwrap();
    let mut say = |lines: &str, length: usize| {
        client.write_all(lines.as_bytes()).unwrap();
        let mut answer = vec![0; length];
        client.read_exact(&mut answer).unwrap();
        String::from_utf8(answer).unwrap()
    };
    assert_eq!(say("version\r\n", 7), "VERSION");
    assert!(say("\r\n", 1).len() == 1);
    let wanted = json!({"spec_code": "dcs.memcached.master_standby", "new_capacity": 2});
    assert_eq!(world.resize(&wanted), (204, String::new()));
    assert_eq!(world.shown()["cache_mode"], "ha");
    let fail = format!("/admin/instances/{}/fail/stop", world.id);
    assert_eq!(world.server.ask("POST", &fail, "", &Value::Null).status, 202);
    let told = loop {
        // Connections that have come to the master end with it.
        let told = world.talk("get a\r\nquit\r\n");
        if !told.is_empty() {
            break told;
        }
    };
    assert_eq!(told, "VALUE a 0 1\r\n1\r\nEND\r\n");
    let back = json!({"spec_code": "dcs.memcached.single_node", "new_capacity": 2});
    assert_eq!(world.resize(&back), (204, String::new()));
    assert_eq!(world.server.ask("POST", &fail, "", &Value::Null).status, 409, "there is no standby");
    assert_eq!(world.talk("get a\r\nquit\r\n"), "VALUE a 0 1\r\n1\r\nEND\r\n");
}

#[test]
fn those_replicas_go_that_are_named() {
    let world = World::new(&json!({"engine_version": "5.0", "spec_code": "redis.ha.xu1.large.r5.2"}));
    world.ask(SET);
    let before = world.replicas();
    assert_eq!(before.len(), 4);
    let fewer = json!({"spec_code": "redis.ha.xu1.large.r3.2", "new_capacity": 2,
        "change_type": "deleteReplication", "node_list": [before[0], before[2]]});
    assert_eq!(world.resize(&fewer), (204, String::new()));
    assert_eq!(world.replicas(), [before[1].clone(), before[3].clone()]);
    let more = json!({"spec_code": "redis.ha.xu1.large.r5.2", "new_capacity": 2,
        "change_type": "createReplication"});
    assert_eq!(world.resize(&more), (204, String::new()));
    assert_eq!(world.replicas(), before);
    assert!(world.ask("INFO replication").contains("connected_slaves:4"));
    assert_eq!(world.ask(GET), GOT);
}
