//! The built program, as its users see it: what it prints, serves, keeps and says when something is wrong.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use testkit::Server;

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_carnelian"));
    command.args(arguments).env_clear();
    command
}

fn run(arguments: &[&str]) -> Output {
    program(arguments).output().unwrap()
}

/// A port that nothing listens on.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn order(name: &str) -> Value {
    json!({
        "name": name, "engine": "Redis", "engine_version": "5.0", "capacity": 2,
        "spec_code": "redis.single.xu1.large.2", "password": "First_Pw1", "vpc_id": "v", "subnet_id": "s",
        "available_zones": ["ae04cf9d61544df3806a3feeb401b204"],
    })
}

/// What a node answers to these lines.
fn talk(port: u64, lines: &str) -> String {
    let mut connection = TcpStream::connect(("127.0.0.1", u16::try_from(port).unwrap())).unwrap();
    connection.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    connection.write_all(lines.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn an_instance_is_created_used_and_deleted() {
    let server = Server::start(&["--ephemeral"]);
    let token = server.token();
    let created = server.ask("POST", &server.instances(), &token, &order("dcs-a"));
    assert_eq!(created.status, 200, "{}", created.body);
    let path = format!("{}/{}", server.instances(), created.body["instance_id"].as_str().unwrap());
    let shown = server.ask("GET", &path, &token, &Value::Null);
    assert_eq!((shown.status, &shown.body["status"]), (200, &json!("RUNNING")));
    let port = shown.body["port"].as_u64().unwrap();
    assert_eq!(talk(port, "AUTH First_Pw1\r\nPING\r\nQUIT\r\n"), "+OK\r\n+PONG\r\n+OK\r\n");
    // An instance is the cloud's to end, not its clients'.
    let refused = talk(port, "AUTH First_Pw1\r\nSHUTDOWN NOSAVE\r\nQUIT\r\n");
    assert!(refused.starts_with("+OK\r\n-ERR unknown command `SHUTDOWN`"), "{refused}");
    assert_eq!(server.ask("DELETE", &path, &token, &Value::Null).status, 204);
    assert_eq!(server.ask("GET", &path, &token, &Value::Null).status, 404);
    assert!(TcpStream::connect(("127.0.0.1", u16::try_from(port).unwrap())).is_err());
}

#[test]
fn a_killed_server_comes_back_with_its_instances() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().to_str().unwrap();
    let server = Server::start(&["--data-dir", data_dir]);
    let token = server.token();
    let created = server.ask("POST", &server.instances(), &token, &order("dcs-a"));
    let before = server.ask("GET", &server.instances(), &token, &Value::Null).body;
    assert_eq!(before["instances"][0]["instance_id"], created.body["instance_id"]);
    server.signal("KILL");
    drop(server);

    let server = Server::start(&["--data-dir", data_dir]);
    // The token still says what it said.
    let after = server.ask("GET", &server.instances(), &token, &Value::Null).body;
    assert_eq!(after, before);
    let port = after["instances"][0]["port"].as_u64().unwrap();
    assert_eq!(talk(port, "AUTH First_Pw1\r\nPING\r\nQUIT\r\n"), "+OK\r\n+PONG\r\n+OK\r\n");
}

#[test]
fn what_cannot_be_created_leaves_a_record_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(&["--data-dir", directory.path().to_str().unwrap()]);
    let token = server.token();
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    for (name, spec_code, gb) in [
        ("dcs-single", "redis.single.xu1.large.2", 2),
        ("dcs-pair", "redis.ha.xu1.large.r2.2", 2),
        ("dcs-cluster", "redis.cluster.xu1.large.r2.4", 4),
    ] {
        let mut order = order(name);
        (order["spec_code"], order["capacity"], order["port"]) = (spec_code.into(), gb.into(), port.into());
        let created = server.ask("POST", &server.instances(), &token, &order);
        assert_eq!(created.status, 200, "{}", created.body);
    }
    let all = format!("{}?includeFailure=true", server.instances());
    let failed = server.ask("GET", &all, &token, &Value::Null).body["instances"].clone();
    let failed = failed.as_array().unwrap();
    assert_eq!(failed.len(), 3);
    for one in failed {
        assert_eq!((&one["status"], &one["error_code"]), (&json!("CREATEFAILED"), &json!("dcs.04.0002")));
    }
    let nodes = directory.path().join("nodes");
    let left: Vec<_> =
        std::fs::read_dir(nodes).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    assert!(left.is_empty(), "{left:?}");
    let cleared =
        server.ask("DELETE", &format!("{}?allFailure=true", server.instances()), &token, &Value::Null);
    assert_eq!(cleared.status, 204);
    assert_eq!(server.ask("GET", &all, &token, &Value::Null).body["instance_num"], 0);
}

#[test]
fn an_ephemeral_server_writes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start_in(directory.path(), &["--ephemeral", "--all-commands"]);
    let token = server.token();
    for order in [order("dcs-a"), order_of_two("dcs-b")] {
        let created = server.ask("POST", &server.instances(), &token, &order);
        let path = format!("{}/{}", server.instances(), created.body["instance_id"].as_str().unwrap());
        let port = server.ask("GET", &path, &token, &Value::Null).body["port"].as_u64().unwrap();
        let said = talk(port, "AUTH First_Pw1\r\nSET a 1\r\nSAVE\r\nCONFIG SET appendonly yes\r\nQUIT\r\n");
        assert_eq!(said, "+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n");
    }
    server.signal("TERM");
    assert_eq!(server.process.wait().unwrap().code(), Some(0));
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn the_keys_of_instances_come_back_with_them() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().to_str().unwrap();
    let mut server = Server::start(&["--data-dir", data_dir]);
    let token = server.token();
    let ports: Vec<u64> = ["dcs-a", "dcs-b"]
        .iter()
        .map(|name| {
            let created = server.ask("POST", &server.instances(), &token, &order(name));
            let path = format!("{}/{}", server.instances(), created.body["instance_id"].as_str().unwrap());
            server.ask("GET", &path, &token, &Value::Null).body["port"].as_u64().unwrap()
        })
        .collect();
    for (number, port) in ports.iter().enumerate() {
        let set = format!("AUTH First_Pw1\r\nSET kept {number}\r\nQUIT\r\n");
        assert_eq!(talk(*port, &set), "+OK\r\n+OK\r\n+OK\r\n");
    }
    server.signal("TERM");
    assert_eq!(server.process.wait().unwrap().code(), Some(0));

    let server = Server::start(&["--data-dir", data_dir]);
    for (number, port) in ports.iter().enumerate() {
        let got = talk(*port, "AUTH First_Pw1\r\nGET kept\r\nSET lost 1\r\nQUIT\r\n");
        assert_eq!(got, format!("+OK\r\n$1\r\n{number}\r\n+OK\r\n+OK\r\n"));
    }
    // What was saved is what a killed server finds; a deleted instance leaves no file.
    server.signal("KILL");
    drop(server);
    let server = Server::start(&["--data-dir", data_dir]);
    assert_eq!(talk(ports[0], "AUTH First_Pw1\r\nDBSIZE\r\nQUIT\r\n"), "+OK\r\n:1\r\n+OK\r\n");
    let listed = server.ask("GET", &server.instances(), &token, &Value::Null).body;
    let nodes = directory.path().join("nodes");
    for instance in listed["instances"].as_array().unwrap() {
        let id = instance["instance_id"].as_str().unwrap();
        assert!(nodes.join(id).join("dump.rdb").exists());
        let path = format!("{}/{id}", server.instances());
        assert_eq!(server.ask("DELETE", &path, &token, &Value::Null).status, 204);
    }
    assert_eq!(std::fs::read_dir(nodes).unwrap().count(), 0);
}

/// An order of a master with a standby.
fn order_of_two(name: &str) -> Value {
    let mut order = order(name);
    order["spec_code"] = json!("redis.ha.xu1.large.r2.2");
    order
}

#[test]
fn a_standby_takes_its_masters_place_behind_the_same_address() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().to_str().unwrap();
    let mut server = Server::start(&["--data-dir", data_dir]);
    let token = server.token();
    let created = server.ask("POST", &server.instances(), &token, &order_of_two("dcs-a"));
    assert_eq!(created.status, 200, "{}", created.body);
    let id = created.body["instance_id"].as_str().unwrap().to_owned();
    let path = format!("{}/{id}", server.instances());
    let shown = server.ask("GET", &path, &token, &Value::Null).body;
    assert_eq!(shown["cache_mode"], "ha");
    let port = shown["port"].as_u64().unwrap();
    let say = |line: &str| talk(port, &format!("AUTH First_Pw1\r\n{line}\r\nQUIT\r\n"));
    let admin = |what: &str| server.ask("POST", &format!("/admin/instances/{id}/{what}"), "", &Value::Null);
    let swap =
        || server.ask("POST", &format!("{}/swap", path.replace("/v1.0/", "/v2/")), &token, &Value::Null);
    assert!(say("SET number 0").contains("+OK\r\n+OK"));
    for (number, what, status) in
        [(1, "failover", 204), (2, "fail/stop", 202), (3, "fail/hang", 202), (4, "swap", 204)]
    {
        // A standby that has just been started needs a moment to get in step.
        while !say("INFO replication").contains("state=online") {
            std::thread::sleep(Duration::from_millis(5));
        }
        let run_id = |info: &str| info.lines().find(|line| line.starts_with("run_id:")).unwrap().to_owned();
        let before = run_id(&say("INFO server"));
        let answer = if what == "swap" { swap() } else { admin(what) };
        assert_eq!(answer.status, status, "{what}: {}", answer.body);
        // A client that was waiting for a master that hangs is hung up on, and connects again.
        let mut increased = say("INCR number");
        while increased.is_empty() {
            increased = say("INCR number");
        }
        assert_eq!(increased, format!("+OK\r\n:{number}\r\n+OK\r\n"), "{what}");
        assert_ne!(run_id(&say("INFO server")), before, "{what}: another node serves");
    }
    assert_eq!(server.ask("GET", &path, &token, &Value::Null).body, shown, "nobody sees it from outside");
    assert_eq!(admin("fail/politely").status, 400);
    let nobody = server.ask("POST", "/admin/instances/none/failover", "", &Value::Null);
    assert_eq!((nobody.status, &nobody.body["error"]), (404, &json!("the node does not run")));
    let single = server.ask("POST", &server.instances(), &token, &order("dcs-b")).body;
    let single = single["instance_id"].as_str().unwrap();
    let alone = server.ask("POST", &format!("/admin/instances/{single}/failover"), "", &Value::Null);
    assert_eq!(alone.status, 409);

    server.signal("TERM");
    assert_eq!(server.process.wait().unwrap().code(), Some(0));
    let _server = Server::start(&["--data-dir", data_dir]);
    assert_eq!(say("GET number"), "+OK\r\n$1\r\n4\r\n+OK\r\n");
}

#[test]
fn instances_are_restarted_flushed_and_measured() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(&["--data-dir", directory.path().to_str().unwrap()]);
    let token = server.token();
    let mut renamed = order_of_two("dcs-a");
    renamed["rename_commands"] = json!({"flushall": "flushall001"});
    let ids: Vec<String> = [renamed, order("dcs-b")]
        .iter()
        .map(|order| {
            let created = server.ask("POST", &server.instances(), &token, order);
            assert_eq!(created.status, 200, "{}", created.body);
            created.body["instance_id"].as_str().unwrap().to_owned()
        })
        .collect();
    let port = |id: &str| {
        let path = format!("{}/{id}", server.instances());
        server.ask("GET", &path, &token, &Value::Null).body["port"].as_u64().unwrap()
    };
    let ports = [port(&ids[0]), port(&ids[1])];
    let say = |port: u64, line: &str| talk(port, &format!("AUTH First_Pw1\r\n{line}\r\nQUIT\r\n"));
    for port in ports {
        assert_eq!(
            say(port, "MSET a 1 b 2\r\nSELECT 3\r\nSET c 3\r\nGET c"),
            "+OK\r\n+OK\r\n+OK\r\n+OK\r\n$1\r\n3\r\n+OK\r\n"
        );
    }
    let statistic = || {
        let path = format!("{}/statistic", server.instances());
        let body = server.ask("GET", &path, &token, &Value::Null).body;
        body["statistics"]
            .as_array()
            .unwrap()
            .iter()
            .map(|of| {
                assert!(of["input_kbps"].as_str().unwrap().parse::<f64>().is_ok(), "{of}");
                (
                    of["keys"].as_u64().unwrap(),
                    of["cmd_get_count"].as_u64().unwrap(),
                    of["cmd_set_count"].as_u64().unwrap(),
                )
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(statistic(), [(3, 1, 1), (3, 1, 1)]);
    let change = |action: &str| {
        let body = json!({"action": action, "instances": ids});
        let results =
            server.ask("PUT", &format!("{}/status", server.instances()), &token, &body).body["results"]
                .clone();
        assert!(results.as_array().unwrap().iter().all(|item| item["result"] == "success"), "{results}");
    };
    let run_id =
        |port| say(port, "INFO server").lines().find(|line| line.starts_with("run_id:")).map(str::to_owned);
    let before = run_id(ports[0]);
    change("restart");
    assert_ne!(run_id(ports[0]), before, "it has ended and begun");
    assert_eq!([port(&ids[0]), port(&ids[1])], ports);
    assert_eq!(statistic(), [(3, 0, 0), (3, 0, 0)], "a restart keeps what there was");
    change("flush");
    assert_eq!(statistic(), [(0, 0, 0), (0, 0, 0)]);
    // The standby has heard of it, by the name that it knows.
    while !say(ports[0], "INFO replication").contains("state=online") {
        std::thread::sleep(Duration::from_millis(5));
    }
    let swapped = server.ask(
        "POST",
        &format!("{}/{}/swap", server.instances().replace("/v1.0/", "/v2/"), ids[0]),
        &token,
        &Value::Null,
    );
    assert_eq!(swapped.status, 204, "{}", swapped.body);
    assert_eq!(statistic()[0].0, 0);
}

#[test]
fn a_cluster_instance_shares_its_slots_and_keeps_them() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().to_str().unwrap();
    let mut server = Server::start(&["--all-commands", "--data-dir", data_dir]);
    let token = server.token();
    let mut order = order("dcs-c");
    order["spec_code"] = json!("redis.cluster.xu1.large.r2.4");
    order["capacity"] = json!(4);
    let created = server.ask("POST", &server.instances(), &token, &order);
    assert_eq!(created.status, 200, "{}", created.body);
    let path = format!("{}/{}", server.instances(), created.body["instance_id"].as_str().unwrap());
    let port = server.ask("GET", &path, &token, &Value::Null).body["port"].as_u64().unwrap();
    let ask = |port: u64, line: &str| talk(port, &format!("AUTH First_Pw1\r\n{line}\r\nQUIT\r\n"));
    let nodes = |port: u64| -> Vec<String> {
        let described = ask(port, "CLUSTER NODES");
        let lines = described.lines().filter(|line| line.contains("connected")).map(|line| {
            // When they last answered is of no interest.
            let words: Vec<&str> = line.split(' ').collect();
            [&words[..2], &[words[2].trim_start_matches("myself,")], &words[3..4], &words[6..]]
                .concat()
                .join(" ")
        });
        lines.collect()
    };
    let fresh = nodes(port);
    assert_eq!(fresh.len(), 6, "{fresh:?}");
    assert!(fresh[0].ends_with("connected 0-5460") && fresh[3].contains("slave"), "{fresh:?}");
    // Slot 5061 goes to the second master, which then hands over to its replica.
    let port_of = |line: &String| -> u64 {
        line.split(['@', ' ']).nth(1).unwrap().rsplit(':').next().unwrap().parse().unwrap()
    };
    let id = fresh[1].split(' ').next().unwrap();
    assert!(ask(port, &format!("CLUSTER SETSLOT 5061 NODE {id}")).starts_with("+OK\r\n+OK"));
    assert!(ask(port_of(&fresh[1]), "SET bar kept").starts_with("+OK\r\n+OK"));
    let replica = port_of(&fresh[4]);
    // It is refused until the replica is in step, and takes a moment afterwards.
    while !ask(replica, "CLUSTER FAILOVER").starts_with("+OK\r\n+OK") {
        std::thread::sleep(Duration::from_millis(20));
    }
    while !ask(replica, "GET bar").contains("kept") {
        std::thread::sleep(Duration::from_millis(5));
    }
    let before = nodes(port);
    assert!(before[1].contains("slave") && before[4].contains(" 5061 5461-10922"), "{before:?}");
    server.signal("TERM");
    assert_eq!(server.process.wait().unwrap().code(), Some(0));

    let server = Server::start(&["--all-commands", "--data-dir", data_dir]);
    assert_eq!(nodes(port), before);
    assert!(ask(replica, "GET bar").contains("kept"));
    assert!(ask(port, "GET bar").contains(&format!("-MOVED 5061 127.0.0.1:{replica}")));
    assert_eq!(server.ask("DELETE", &path, &token, &Value::Null).status, 204);
    for line in &before {
        assert!(TcpStream::connect(("127.0.0.1", u16::try_from(port_of(line)).unwrap())).is_err(), "{line}");
    }
}

#[test]
fn a_cluster_that_is_killed_after_a_failover_comes_back_as_it_was_saved() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().to_str().unwrap();
    let server = Server::start(&["--all-commands", "--data-dir", data_dir]);
    let token = server.token();
    let mut order = order("dcs-c");
    order["spec_code"] = json!("redis.cluster.xu1.large.r2.4");
    order["capacity"] = json!(4);
    let created = server.ask("POST", &server.instances(), &token, &order);
    let id = created.body["instance_id"].as_str().unwrap();
    let shown = server.ask("GET", &format!("{}/{id}", server.instances()), &token, &Value::Null).body;
    let port = shown["port"].as_u64().unwrap();
    let ask = |port: u64, line: &str| talk(port, &format!("AUTH First_Pw1\r\n{line}\r\nQUIT\r\n"));
    // Where each node is, what it is, and its slots.
    let roles = |port: u64| -> Vec<[String; 3]> {
        let nodes = ask(port, "CLUSTER NODES");
        let described = nodes.lines().filter(|line| line.contains("connected")).map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            let role = words[2].trim_start_matches("myself,");
            [words[1].to_owned(), format!("{role} of {}", words[3]), words[8..].join(" ")]
        });
        let mut roles: Vec<_> = described.collect();
        roles.sort();
        roles
    };
    let serving = |roles: &[[String; 3]], slots: &str| -> u64 {
        let [address, ..] = roles.iter().find(|[_, _, own]| own.starts_with(slots)).unwrap();
        address.split(['@', ':']).nth(1).unwrap().parse().unwrap()
    };
    assert_eq!(serving(&roles(port), "0-5460"), port);
    assert!(ask(port, "SET bar first").starts_with("+OK\r\n+OK"));
    while !ask(port, "INFO replication").contains("state=online") {
        std::thread::sleep(Duration::from_millis(5));
    }
    let failover = format!("/admin/instances/{id}/failover?shard=0");
    assert_eq!(server.ask("POST", &failover, "", &Value::Null).status, 204);
    let after = roles(port);
    let (heir, other) = (serving(&after, "0-5460"), serving(&after, "5461-"));
    assert_ne!(heir, port);
    assert!(ask(heir, "SET bar second\r\nSAVE").starts_with("+OK\r\n+OK\r\n+OK"));
    assert!(ask(other, "SET 1 saved\r\nSAVE\r\nSET {1}2 lost").contains("+OK\r\n+OK\r\n+OK"));
    // Who serves which slot is written down soon, without being asked.
    let map = directory.path().join("nodes").join(id).join("cluster-map");
    let written = || std::fs::read_to_string(&map).unwrap();
    let first = written();
    for _ in 0..200 {
        if written() != first {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    server.signal("KILL");
    drop(server);

    let _server = Server::start(&["--all-commands", "--data-dir", data_dir]);
    assert_eq!(roles(port), after);
    assert_eq!(ask(heir, "GET bar"), "+OK\r\n$6\r\nsecond\r\n+OK\r\n");
    assert_eq!(ask(other, "GET 1\r\nEXISTS {1}2"), "+OK\r\n$5\r\nsaved\r\n:0\r\n+OK\r\n");
    assert!(ask(port, "GET bar").contains(&format!("-MOVED 5061 127.0.0.1:{heir}")));
    // The old master follows its heir, and takes over from it again.
    while !ask(heir, "INFO replication").contains("state=online") {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(ask(heir, "SET bar third\r\nWAIT 1 5000").contains("+OK\r\n:1\r\n"));
    assert!(ask(port, "CLUSTER FAILOVER").starts_with("+OK\r\n+OK"));
    while !ask(port, "GET bar").contains("third") {
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn nodes_of_a_cluster_are_told_by_the_name_that_is_advertised() {
    for release in ["4.0", "5.0"] {
        let server = Server::start(&["--ephemeral", "--advertise", "localhost"]);
        let token = server.token();
        let mut order = order("dcs-c");
        order["spec_code"] = json!("redis.cluster.xu1.large.r2.4");
        order["engine_version"] = json!(release);
        order["capacity"] = json!(4);
        let created = server.ask("POST", &server.instances(), &token, &order);
        assert_eq!(created.status, 200, "{release}: {}", created.body);
        let id = created.body["instance_id"].as_str().unwrap();
        let shown = server.ask("GET", &format!("{}/{id}", server.instances()), &token, &Value::Null).body;
        let port = shown["port"].as_u64().unwrap();
        let ask = |line: &str| talk(port, &format!("AUTH First_Pw1\r\n{line}\r\nQUIT\r\n"));
        for line in ["CLUSTER SLOTS", "CLUSTER NODES"] {
            let told = ask(line);
            assert_eq!(told.matches("localhost").count(), 6, "{line}: {told}");
            assert!(!told.contains("127.0.0.1"), "{line}: {told}");
        }
        let moved = ask("GET 1");
        let place = moved.split("-MOVED 9842 ").nth(1).and_then(|rest| rest.split("\r\n").next()).unwrap();
        let (host, other) = place.split_once(':').unwrap();
        assert_eq!(host, "localhost");
        // The name leads to the node that has the slot.
        let there = talk(other.parse().unwrap(), "AUTH First_Pw1\r\nSET 1 x\r\nQUIT\r\n");
        assert_eq!(there, "+OK\r\n+OK\r\n+OK\r\n");
        if let Some(mut cli) = testkit::redis_program("redis-cli") {
            let cli = cli.env("REDISCLI_AUTH", "First_Pw1").args(["-c", "-p", &port.to_string(), "GET", "1"]);
            assert_eq!(String::from_utf8_lossy(&cli.output().unwrap().stdout).trim(), "x");
        }
    }
}

#[test]
fn redis_cli_manages_a_cluster_instance() {
    let Some(_) = testkit::redis_program("redis-cli") else { return };
    let server = Server::start(&["--all-commands", "--ephemeral"]);
    let token = server.token();
    let mut order = order("dcs-c");
    order["spec_code"] = json!("redis.cluster.xu1.large.r2.4");
    order["capacity"] = json!(4);
    let created = server.ask("POST", &server.instances(), &token, &order);
    let path = format!("{}/{}", server.instances(), created.body["instance_id"].as_str().unwrap());
    let port = server.ask("GET", &path, &token, &Value::Null).body["port"].as_u64().unwrap();
    let cli = |arguments: &[&str]| {
        let output =
            Command::new("redis-cli").env("REDISCLI_AUTH", "First_Pw1").args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{arguments:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
        said
    };
    let (address, port) = (format!("127.0.0.1:{port}"), port.to_string());
    for number in 0..200 {
        let (key, value) = (format!("k{number}"), number.to_string());
        assert_eq!(cli(&["-c", "-p", &port, "SET", &key, &value]).trim(), "OK");
    }
    let covered = "All 16384 slots covered";
    assert!(cli(&["--cluster", "check", &address]).contains(covered));
    let nodes = cli(&["-p", &port, "CLUSTER", "NODES"]);
    let masters: Vec<&str> = nodes
        .lines()
        .filter(|line| line.contains("master"))
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    let [from, to] = [masters[0], masters[2]];
    let reshard = [
        "--cluster",
        "reshard",
        &address,
        "--cluster-from",
        from,
        "--cluster-to",
        to,
        "--cluster-slots",
        "700",
    ];
    cli(&[&reshard[..], &["--cluster-yes"]].concat());
    cli(&["--cluster", "rebalance", &address, "--cluster-threshold", "1"]);
    cli(&["--cluster", "fix", &address]);
    let checked = cli(&["--cluster", "check", &address]);
    assert!(checked.contains(covered) && checked.contains("All nodes agree about slots"), "{checked}");
    for number in 0..200 {
        assert_eq!(cli(&["-c", "-p", &port, "GET", &format!("k{number}")]).trim(), number.to_string());
    }
}

#[test]
fn a_proxy_cluster_instance_has_its_shards_behind_one_port_and_keeps_them() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().to_str().unwrap();
    let mut server = Server::start(&["--data-dir", data_dir]);
    let token = server.token();
    let mut order = order("dcs-p");
    order["engine_version"] = json!("3.0");
    order["spec_code"] = json!("dcs.cluster");
    order["security_group_id"] = json!("6fd2f8a0-0000-4000-8000-00000000000b");
    order["capacity"] = json!(64);
    let created = server.ask("POST", &server.instances(), &token, &order);
    assert_eq!(created.status, 200, "{}", created.body);
    let path = format!("{}/{}", server.instances(), created.body["instance_id"].as_str().unwrap());
    let port = server.ask("GET", &path, &token, &Value::Null).body["port"].as_u64().unwrap();
    let ask = |line: &str| talk(port, &format!("AUTH First_Pw1\r\n{line}\r\nQUIT\r\n"));
    assert!(ask("MSET a 1 b 2 c 3 d 4 e 5 f 6 g 7 h 8").starts_with("+OK\r\n+OK"));
    assert!(ask("MGET a b c d e f g h").contains("*8\r\n$1\r\n1\r\n$1\r\n2\r\n"));
    assert!(ask("RENAME a b").contains("-CROSSSLOT "));
    assert!(ask("BLPOP a 0").contains("-ERR unknown command"));
    assert!(ask("SELECT 1").contains("-ERR "));
    assert!(ask("CONFIG GET maxmemory").contains(&(64_u64 << 30).to_string()));
    let shown = server.ask("GET", &path, &token, &Value::Null);
    assert_eq!(shown.body["cache_mode"], "proxy", "{}", shown.body);
    server.signal("TERM");
    assert_eq!(server.process.wait().unwrap().code(), Some(0));
    let below = directory.path().join("nodes").join(created.body["instance_id"].as_str().unwrap());
    let shards = std::fs::read_dir(&below).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_dir());
    assert_eq!(shards.count(), 8);

    let server = Server::start(&["--data-dir", data_dir]);
    assert!(ask("MGET a b c d e f g h").contains("*8\r\n$1\r\n1\r\n$1\r\n2\r\n"));
    assert!(ask("DBSIZE").contains(":8\r\n"));
    assert_eq!(server.ask("DELETE", &path, &token, &Value::Null).status, 204);
    assert!(TcpStream::connect(("127.0.0.1", u16::try_from(port).unwrap())).is_err());
    assert!(!below.exists());
}

#[test]
fn shards_of_a_proxy_cluster_instance_have_standbys() {
    let server = Server::start(&["--ephemeral"]);
    let token = server.token();
    let mut order = order("dcs-p");
    order["engine_version"] = json!("3.0");
    order["spec_code"] = json!("dcs.cluster");
    order["security_group_id"] = json!("6fd2f8a0-0000-4000-8000-00000000000b");
    order["capacity"] = json!(64);
    let created = server.ask("POST", &server.instances(), &token, &order);
    let id = created.body["instance_id"].as_str().unwrap().to_owned();
    let shown = server.ask("GET", &format!("{}/{id}", server.instances()), &token, &Value::Null).body;
    let port = shown["port"].as_u64().unwrap();
    let ask = |line: &str| talk(port, &format!("AUTH First_Pw1\r\n{line}\r\nQUIT\r\n"));
    let admin = |what: &str| server.ask("POST", &format!("/admin/instances/{id}/{what}"), "", &Value::Null);
    let mut expected = 0;
    for (what, status) in
        [("failover", 204), ("failover?shard=7", 204), ("fail/stop?shard=3", 202), ("fail/hang?shard=0", 202)]
    {
        expected += 1;
        assert!(
            ask(&format!("MSET a {expected} b {expected} c {expected} d {expected} e {expected}"))
                .contains("+OK\r\n+OK")
        );
        // A standby that has not had the keys yet takes nobody's place.
        let answer = loop {
            let answer = admin(what);
            if answer.status != 409 {
                break answer;
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        assert_eq!(answer.status, status, "{what}: {}", answer.body);
        // Whoever is cut off comes again.
        let told = loop {
            let told = ask("MGET a b c d e");
            if told.contains("*5") {
                break told;
            }
        };
        assert_eq!(told.matches(&format!("$1\r\n{expected}\r\n")).count(), 5, "{what}: {told}");
    }
    for (what, status) in [("failover?shard=8", 404), ("failover?shard=x", 400), ("fail/hang?shard=-1", 400)]
    {
        assert_eq!(admin(what).status, status, "{what}");
    }
}

#[test]
fn a_replica_of_a_cluster_takes_over_from_a_master_that_fails() {
    let server = Server::start(&["--ephemeral", "--advertise", "127.0.0.1"]);
    let token = server.token();
    let mut order = order("dcs-c");
    order["spec_code"] = json!("redis.cluster.xu1.large.r2.4");
    order["capacity"] = json!(4);
    let created = server.ask("POST", &server.instances(), &token, &order);
    let id = created.body["instance_id"].as_str().unwrap().to_owned();
    let shown = server.ask("GET", &format!("{}/{id}", server.instances()), &token, &Value::Null).body;
    // A node that fails hangs up; whoever is not answered comes again.
    let ask = |port: u64, line: &str| {
        let mut answer = Vec::new();
        if let Ok(mut connection) = TcpStream::connect(("127.0.0.1", u16::try_from(port).unwrap())) {
            connection.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            let _ = connection.write_all(format!("AUTH First_Pw1\r\n{line}\r\nQUIT\r\n").as_bytes());
            let _ = connection.read_to_end(&mut answer);
        }
        String::from_utf8(answer).unwrap()
    };
    let first = shown["port"].as_u64().unwrap();
    // The replica of the first master listens on some later port.
    let nodes = ask(first, "CLUSTER NODES");
    let own = nodes.lines().find(|line| line.contains("myself")).unwrap().split(' ').next().unwrap();
    let line = nodes.lines().find(|line| line.contains("slave") && line.contains(own)).unwrap();
    let second: u64 = line.split(['@', ':']).nth(1).unwrap().parse().unwrap();
    let (mut master, mut expected) = (first, 0);
    for (what, status) in
        [("failover", 204), ("fail/stop", 202), ("fail/hang", 202), ("fail/stop", 202), ("failover", 204)]
    {
        while !ask(master, "INFO replication").contains("state=online") {
            std::thread::sleep(Duration::from_millis(5));
        }
        expected += 1;
        // What has reached the replica is there afterwards.
        let written = ask(master, "INCR {bar}\r\nWAIT 1 5000");
        assert_eq!(written, format!("+OK\r\n:{expected}\r\n:1\r\n+OK\r\n"));
        let answer = server.ask("POST", &format!("/admin/instances/{id}/{what}"), "", &Value::Null);
        assert_eq!(answer.status, status, "{what}: {}", answer.body);
        // Whoever serves the slot now has what was written, and the other one is its replica soon.
        let other = if master == first { second } else { first };
        expected += 1;
        let told = loop {
            // A node that hangs is found out when a client waits for it.
            let told = ask(other, "INCR {bar}");
            if what == "fail/hang" && told.contains("MOVED") {
                drop(ask(master, "GET {bar}"));
            }
            if !told.contains("MOVED") && !told.contains("CLUSTERDOWN") && !told.is_empty() {
                break told;
            }
        };
        assert_eq!(told, format!("+OK\r\n:{expected}\r\n+OK\r\n"), "{what}");
        master = other;
    }
    let nodes = ask(first, "CLUSTER NODES");
    assert_eq!((nodes.matches(" connected").count(), nodes.matches("fail").count()), (6, 0), "{nodes}");
    assert_eq!(nodes.matches("slave ").count(), 3, "{nodes}");
}

#[test]
fn a_server_is_healthy_until_it_is_asked_to_stop() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start(&["--data-dir", directory.path().to_str().unwrap()]);
    let healthy = || run(&["healthcheck", "--url", &format!("{}/healthz", server.url)]);
    assert_eq!(healthy().status.code(), Some(0));
    let listen = server.url.strip_prefix("http://").unwrap();
    let by_variable = program(&["healthcheck"]).env("CARNELIAN_LISTEN", listen).status().unwrap();
    assert_eq!(by_variable.code(), Some(0));
    server.signal("TERM");
    assert_eq!(server.process.wait().unwrap().code(), Some(0));
    let url = server.url.clone();
    let gone = run(&["healthcheck", "--url", &url]);
    assert_eq!(gone.status.code(), Some(1));
    assert_one_line(&gone, "is not ready");
}

#[test]
fn a_second_signal_does_not_wait_for_requests() {
    let mut server = Server::start(&["--ephemeral"]);
    // A request that never ends keeps the server from stopping by itself.
    let mut pending = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).unwrap();
    pending.write_all(b"POST /v3/auth/tokens HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n").unwrap();
    std::thread::sleep(Duration::from_millis(100));
    server.signal("INT");
    std::thread::sleep(Duration::from_millis(100));
    assert!(server.process.try_wait().unwrap().is_none());
    server.signal("INT");
    assert_eq!(server.process.wait().unwrap().code(), Some(130));
}

#[test]
fn a_bare_node_answers() {
    let port = free_port();
    let mut process = program(&["redis", "--ephemeral", "--port", &port.to_string(), "--release", "5.0"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut ready = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut ready).unwrap();
    assert!(ready.contains(&port.to_string()), "{ready}");
    assert_eq!(talk(port.into(), "PING\r\nQUIT\r\n"), "+PONG\r\n+OK\r\n");
    assert!(Command::new("kill").arg(process.id().to_string()).status().unwrap().success());
    assert_eq!(process.wait().unwrap().code(), Some(0));
}

#[test]
fn a_client_ends_a_bare_node() {
    let port = free_port();
    let mut process = program(&["redis", "--ephemeral", "--port", &port.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(talk(port.into(), "SHUTDOWN NOSAVE\r\nPING\r\n"), "");
    assert_eq!(process.wait().unwrap().code(), Some(0));
}

#[test]
fn what_is_wrong_is_said_in_one_line_with_exit_code_2() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, port) =
        (taken.local_addr().unwrap().to_string(), taken.local_addr().unwrap().port().to_string());
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let damaged = directory.path().join("damaged");
    std::fs::create_dir(&damaged).unwrap();
    std::fs::write(damaged.join("carnelian.redb"), "x".repeat(10_000)).unwrap();
    let in_use = directory.path().join("in-use");
    let _server = Server::start(&["--data-dir", text(&in_use)]);
    for (arguments, expected) in [
        (&["--ephemeral", "--listen", &address][..], "is in use; stop the program that listens there"),
        (&["redis", "--port", &port], "is in use; stop the program that listens there"),
        (
            &["--listen", "127.0.0.1:0", "--data-dir", text(&file)],
            "is no directory; choose a directory that can be written with --data-dir",
        ),
        (
            &["--listen", "127.0.0.1:0", "--data-dir", text(&damaged)],
            "choose another directory with --data-dir",
        ),
        (&["--listen", "127.0.0.1:0", "--data-dir", text(&in_use)], "is in use by another process"),
        // An address for documentation: no machine has it.
        (
            &["--ephemeral", "--listen", "127.0.0.1:0", "--bind", "192.0.2.1"],
            "192.0.2.1 is no address of this machine; choose one of its own with --bind",
        ),
        (&["--listen", "nowhere"], "--listen takes an address and a port"),
        (&["--colour"], "there is no option --colour"),
        (&["--config-file", "/nothing"], "cannot be read"),
        (
            &["redis", "--ephemeral", "--port", "0", "--config", "maxmemory-policy", "lru"],
            "maxmemory-policy takes one of volatile-lru, volatile-lfu, ",
        ),
        (
            &["redis", "--ephemeral", "--port", "0", "--config", "max-memory", "1gb"],
            "max-memory is no parameter of release 7.4",
        ),
        (&["memcached", "--memory", "1"], "--memory takes a number of megabytes, 8 or more, not \"1\""),
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_one_line(&output, expected);
    }
}

#[test]
fn help_and_version_go_to_the_standard_output() {
    for arguments in [&["--help"][..], &["redis", "--help"], &["--version"]] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(0));
        assert!(!output.stdout.is_empty() && output.stderr.is_empty());
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn assert_one_line(output: &Output, expected: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.starts_with("carnelian: ") && said.contains(expected), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn keys_and_tokens_go_by_the_clock_of_the_owner() {
    let server = Server::start(&["--ephemeral"]);
    let token = server.token();
    let created = server.ask("POST", &server.instances(), &token, &order("dcs-a"));
    let path = format!("{}/{}", server.instances(), created.body["instance_id"].as_str().unwrap());
    let port = server.ask("GET", &path, &token, &Value::Null).body["port"].as_u64().unwrap();
    assert_eq!(talk(port, "AUTH First_Pw1\r\nSET a 1 EX 3600\r\nQUIT\r\n"), "+OK\r\n+OK\r\n+OK\r\n");
    let steer = |wanted: Value| server.ask("POST", "/admin/clock", "", &wanted);
    let stopped = steer(json!({"rate": 0}));
    assert_eq!((stopped.status, &stopped.body["rate"]), (200, &json!(0.0)));
    let shown = |body: &Value| (body["now"].clone(), body["now_ms"].clone(), body["rate"].clone());
    assert_eq!(shown(&server.ask("GET", "/admin/clock", "", &Value::Null).body), shown(&stopped.body));
    steer(json!({"advance_ms": 3_599_000}));
    let left = talk(port, "AUTH First_Pw1\r\nTTL a\r\nGET a\r\nQUIT\r\n");
    assert!(left.ends_with("$1\r\n1\r\n+OK\r\n"), "{left}");
    steer(json!({"advance_ms": 3_601_000 - 3_599_000}));
    assert_eq!(talk(port, "AUTH First_Pw1\r\nGET a\r\nQUIT\r\n"), "+OK\r\n$-1\r\n+OK\r\n");
    assert_eq!(server.ask("GET", &path, &token, &Value::Null).status, 200);
    steer(json!({"advance_ms": 24 * 3_600_000}));
    assert_eq!(server.ask("GET", &path, &token, &Value::Null).status, 401, "a token is valid for a day");
    for bad in [json!({}), json!({"rate": -1}), json!({"advance": 1})] {
        assert_eq!(steer(bad).status, 400);
    }
}

#[test]
fn a_stepped_task_waits_for_the_owner() {
    let server = Server::start(&["--ephemeral", "--tasks", "stepped"]);
    let token = server.token();
    let tasks = || server.ask("GET", "/admin/tasks", "", &Value::Null).body;
    assert_eq!(tasks(), json!([]));
    let created = server.ask("POST", &server.instances(), &token, &order("dcs-a"));
    let id = created.body["instance_id"].as_str().unwrap();
    let path = format!("{}/{id}", server.instances());
    let status = || server.ask("GET", &path, &token, &Value::Null).body["status"].clone();
    assert_eq!(status(), "CREATING");
    let task = tasks()[0].clone();
    assert_eq!((&task["instance_id"], &task["kind"]), (&json!(id), &json!("Create")));
    let step = format!("/admin/tasks/{}/step", task["id"].as_str().unwrap());
    assert_eq!(server.ask("POST", &step, "", &Value::Null).status, 204);
    testkit::until("it runs", || status() == "RUNNING");
    assert_eq!(server.ask("POST", &step, "", &Value::Null).status, 404, "it waits no more");
    assert_eq!(server.ask("DELETE", &path, &token, &Value::Null).status, 204);
    assert_eq!(status(), "RUNNING");
    assert_eq!(server.ask("POST", "/admin/tasks/step", "", &Value::Null).body, json!({"stepped": 1}));
    testkit::until("it is gone", || server.ask("GET", &path, &token, &Value::Null).status == 404);
}
