//! Client libraries and tools that people use with memcached, against a Memcached node: pymemcache,
//! python-binary-memcached, and those of libmemcached.
//!
//! What they are to find is held against memcached itself, too.

use serde_json::{Value, json};
use std::net::SocketAddr;
use std::process::Command;
use testkit::library::{said, script};
use testkit::{Memcached, Server, Wire, tool, until};

/// Runs a script of `tests/clients` against a server, if there are the libraries for it.
fn python(file: &str, server: SocketAddr, arguments: &[&str]) {
    let Some(mut command) = script("python3", file) else { return };
    command.args([server.ip().to_string(), server.port().to_string()]).args(arguments);
    assert_eq!(said(command), "done\n");
}

/// A tool of libmemcached with the address of a server.
fn libmemcached(name: &str, server: SocketAddr, arguments: &[&str]) -> Option<Command> {
    let mut command = tool(name)?;
    command.arg(format!("--servers={}", server)).args(arguments);
    Some(command)
}

/// A value is copied to the server, looked at, and removed, through the text or the binary protocol.
fn tools(server: SocketAddr, protocol: &[&str]) {
    let directory = tempfile::tempdir().expect("there is room for a directory");
    let file = directory.path().join("value");
    std::fs::write(&file, "what is in it\n").expect("there is room for a file");
    let file = file.to_str().expect("its name is text");
    let with = |name: &str, more: &[&str]| {
        let arguments: Vec<&str> = protocol.iter().chain(more).copied().collect();
        libmemcached(name, server, &arguments).expect("it is there if others are")
    };
    if tool("memccat").is_none() {
        return;
    }
    said(with("memccp", &[file]));
    assert_eq!(said(with("memccat", &["value"])).trim_end(), "what is in it");
    said(with("memcexist", &["value"]));
    said(with("memctouch", &["--expire=100", "value"]));
    // It knows of no other protocol.
    said(libmemcached("memcping", server, &[]).expect("it is there if others are"));
    let report = said(with("memcstat", &[]));
    for field in ["pid: ", "version: 1.6.", "curr_items: 1", "get_hits: "] {
        assert!(report.contains(field), "{field} is not in\n{report}");
    }
    // It asks by text whatever it is told.
    let listed = said(libmemcached("memcdump", server, &[]).expect("it is there if others are"));
    assert_eq!(listed.trim_end(), "value");
    said(with("memcrm", &["value"]));
    assert!(!with("memccat", &["value"]).output().expect("it starts").status.success());
    said(with("memcflush", &[]));
}

/// What libmemcached holds every server to that says it speaks these protocols.
fn capable(server: SocketAddr) {
    let Some(mut command) = tool("memccapable") else { return };
    command.args(["-h", &server.ip().to_string(), "-p", &server.port().to_string()]);
    let report = said(command);
    assert!(report.contains("All tests passed") && !report.contains("FAIL"), "{report}");
}

/// All of it.
fn serves(server: SocketAddr) {
    tools(server, &[]);
    tools(server, &["--binary"]);
    capable(server);
    python("memcached.py", server, &[]);
    python("memcached_binary.py", server, &[]);
}

#[test]
fn memcached_serves_libraries_and_tools() {
    let Some(server) = Memcached::theirs(&[]) else { return };
    serves(server.address());
}

#[test]
fn a_node_serves_libraries_and_tools() {
    let server = Memcached::ours(&[]);
    serves(server.address());
}

#[test]
fn a_node_lets_only_those_in_that_it_knows() {
    let directory = tempfile::tempdir().expect("there is room for a directory");
    let file = directory.path().join("users");
    std::fs::write(&file, "somebody:secret\n").expect("there is room for a file");
    let server = Memcached::ours(&["--auth-file", file.to_str().expect("its name is text")]);
    python("memcached_binary.py", server.address(), &["somebody", "secret"]);
}

/// An instance that is ordered over REST: its id and its address.
fn ordered(server: &Server, token: &str, spec_code: &str, access: &Value) -> (String, SocketAddr) {
    let mut order = json!({
        "name": "dcs-memcached", "engine": "Memcached", "engine_version": "", "capacity": 2, "spec_code": spec_code,
        "vpc_id": "v", "subnet_id": "s", "security_group_id": "g",
        "available_zones": ["ae04cf9d61544df3806a3feeb401b204"],
    });
    let (Value::Object(order_fields), Value::Object(access)) = (&mut order, access.clone()) else {
        unreachable!()
    };
    order_fields.extend(access);
    let created = server.ask("POST", &server.instances(), token, &order);
    let id = created.body["instance_id"].as_str().unwrap_or_else(|| panic!("{}", created.body)).to_owned();
    let shown = server.ask("GET", &format!("{}/{id}", server.instances()), token, &Value::Null).body;
    assert_eq!((&shown["status"], &shown["engine"]), (&json!("RUNNING"), &json!("Memcached")));
    let port = shown["port"].as_u64().and_then(|port| u16::try_from(port).ok()).expect("it has a port");
    (id, ([127, 0, 0, 1], port).into())
}

#[test]
fn an_instance_made_over_rest_serves_libraries_and_tools() {
    let server = Server::start(&["--ephemeral"]);
    let token = server.token();
    let (id, address) =
        ordered(&server, &token, "dcs.memcached.single_node", &json!({"no_password_access": true}));
    serves(address);
    let statistics = server.ask("GET", &format!("{}/statistic", server.instances()), &token, &Value::Null);
    let own = &statistics.body["statistics"][0];
    assert_eq!(own["instance_id"], json!(id));
    for count in ["cmd_get_count", "cmd_set_count"] {
        assert!(own[count].as_u64().is_some_and(|count| count > 0), "{own}");
    }
    // It is no pair.
    let swapped =
        server.ask("POST", &format!("/v2/{}/instances/{id}/swap", server.project_id), &token, &Value::Null);
    assert_eq!(swapped.status, 400, "{}", swapped.body);
}

#[test]
fn a_pair_made_over_rest_keeps_items_address_and_password_in_failovers() {
    let server = Server::start(&["--ephemeral"]);
    let token = server.token();
    let access = json!({"password": "First_Pw1", "access_user": "somebody"});
    let (id, address) = ordered(&server, &token, "dcs.memcached.master_standby", &access);
    python("memcached_binary.py", address, &["somebody", "First_Pw1"]);
    // What a client gets that logs in; nothing if the server hangs up meanwhile.
    let ask = |request: &str| {
        let mut wire = Wire::connect(address);
        wire.send(b"set auth 0 0 18\r\nsomebody First_Pw1\r\n");
        wire.send(format!("{request}\r\nmn\r\n").as_bytes());
        let heard = wire.read_until(|bytes| bytes.ends_with(b"MN\r\n"));
        let answer = String::from_utf8(heard.bytes).expect("it is text");
        answer.strip_prefix("STORED\r\n").and_then(|answer| answer.strip_suffix("MN\r\n")).map(str::to_owned)
    };
    assert_eq!(ask("set key 5 0 5\r\nvalue").as_deref(), Some("STORED\r\n"));
    let admin = |path: &str| {
        server.ask("POST", &format!("/admin/instances/{id}/{path}"), &token, &Value::Null).status
    };
    let swap = || {
        let path = format!("/v2/{}/instances/{id}/swap", server.project_id);
        server.ask("POST", &path, &token, &Value::Null).status
    };
    for fail in
        [&swap as &dyn Fn() -> u16, &|| admin("failover"), &|| admin("fail/stop"), &|| admin("fail/hang")]
    {
        // A standby that does not have everything yet is no standby.
        until("a standby takes over", || matches!(fail(), 202 | 204));
        let kept = Some("VALUE key 5 5\r\nvalue\r\nEND\r\n");
        until("the item is there", || match ask("get key") {
            None => false,
            answer => {
                assert_eq!(answer.as_deref(), kept);
                true
            }
        });
    }
    let flush = json!({"action": "flush", "instances": [id]});
    let flushed = server.ask("PUT", &format!("{}/status", server.instances()), &token, &flush);
    assert_eq!(flushed.body["results"][0]["result"], json!("success"));
    assert_eq!(ask("get key").as_deref(), Some("END\r\n"));
}

#[test]
fn the_items_of_an_instance_come_back_with_it() {
    let directory = tempfile::tempdir().expect("there is room for a directory");
    let data_dir = directory.path().to_str().expect("its name is text");
    let mut server = Server::start(&["--data-dir", data_dir]);
    let token = server.token();
    let access = json!({"no_password_access": true});
    let (id, address) = ordered(&server, &token, "dcs.memcached.master_standby", &access);
    let value = b"VALUE kept 7 5\r\nvalue\r\nEND\r\n";
    assert_eq!(Wire::connect(address).say("set kept 7 0 5\r\nvalue"), "STORED");
    let restart = json!({"action": "restart", "instances": [id]});
    let restarted = server.ask("PUT", &format!("{}/status", server.instances()), &token, &restart);
    assert_eq!(restarted.body["results"][0]["result"], json!("success"));
    assert_eq!(Wire::connect(address).ask(b"get kept\r\n", b"END\r\n"), value);
    // The terminal that goes away is no crash.
    for signal in ["TERM", "HUP"] {
        server.signal(signal);
        assert_eq!(server.process.wait().expect("it ends").code(), Some(0));
        server = Server::start(&["--data-dir", data_dir]);
        assert_eq!(Wire::connect(address).ask(b"get kept\r\n", b"END\r\n"), value);
    }
    let path = format!("{}/{id}", server.instances());
    assert_eq!(server.ask("DELETE", &path, &token, &Value::Null).status, 204);
    assert!(!directory.path().join("nodes").join(&id).exists());
}

#[test]
fn parameters_and_the_password_of_an_instance_change_while_it_runs() {
    let server = Server::start(&["--ephemeral"]);
    let token = server.token();
    let access = json!({"password": "First_Pw1"});
    let (id, address) = ordered(&server, &token, "dcs.memcached.master_standby", &access);
    let path = format!("{}/{id}", server.instances());
    let connect = |password: &str| {
        let mut wire = Wire::connect(address);
        let login = format!("anybody {password}");
        (wire.say(&format!("set auth 0 0 {}\r\n{login}", login.len())) == "STORED").then_some(wire)
    };
    let configure = |id: u32, name: &str, value: &str| {
        let wanted = json!({"redis_config": [{"param_id": id, "param_name": name, "param_value": value}]});
        server.ask("PUT", &format!("{path}/configs"), &token, &wanted).status
    };
    let mut wire = connect("First_Pw1").expect("it is let in");
    assert_eq!(wire.stat("settings", "evictions"), "off");
    assert_eq!(configure(2, "maxmemory-policy", "allkeys-lru"), 204);
    assert_eq!(wire.stat("settings", "evictions"), "on");
    assert_eq!(configure(1, "timeout", "1"), 204);
    until("the silent are closed", || {
        let mut busy = connect("First_Pw1").expect("it is let in");
        busy.stat("settings", "idle_timeout") == "1" && busy.stat("", "idle_kicks") != "0"
    });
    // Redis has this one, Memcached has not.
    assert_eq!(configure(5, "appendonly", "yes"), 400);

    let change = json!({"old_password": "First_Pw1", "new_password": "Second_Pw2"});
    let changed = server.ask("PUT", &format!("{path}/password"), &token, &change);
    assert_eq!((changed.status, &changed.body["result"]), (200, &json!("Success")), "{}", changed.body);
    assert!(connect("First_Pw1").is_none() && connect("Second_Pw2").is_some());
    // What was set stays with whoever takes the master's place.
    until("there is a standby", || {
        server.ask("POST", &format!("/admin/instances/{id}/failover"), &token, &Value::Null).status == 204
    });
    let mut wire = connect("Second_Pw2").expect("it is let in");
    assert_eq!(
        (wire.stat("settings", "idle_timeout"), wire.stat("settings", "evictions")),
        ("1".into(), "on".into())
    );
    assert!(connect("First_Pw1").is_none());
}

#[test]
fn a_backup_of_an_instance_takes_the_place_of_what_it_holds() {
    let server = Server::start(&["--ephemeral"]);
    let token = server.token();
    let access = json!({"no_password_access": true});
    let (id, address) = ordered(&server, &token, "dcs.memcached.master_standby", &access);
    let path = format!("{}/{id}", server.instances());
    for number in 0..1_000 {
        assert_eq!(Wire::connect(address).say(&format!("set key:{number} {number} 0 5\r\nvalue")), "STORED");
    }
    let made = server.ask("POST", &format!("{path}/backups"), &token, &json!({"remark": "all of it"}));
    assert_eq!(made.status, 200, "{}", made.body);
    let backup = made.body["backup_id"].as_str().expect("it has an id").to_owned();
    let mut wire = Wire::connect(address);
    assert_eq!(wire.say("set key:1 0 0 5\r\nother"), "STORED");
    assert_eq!(wire.say("set later 0 0 5\r\nother"), "STORED");
    let restored = server.ask("POST", &format!("{path}/restores"), &token, &json!({"backup_id": backup}));
    assert_eq!(restored.status, 200, "{}", restored.body);
    let holds_the_backup = || {
        let mut wire = Wire::connect(address);
        assert_eq!(wire.stat("", "curr_items"), "1000");
        assert_eq!(wire.ask(b"get key:1\r\n", b"END\r\n"), b"VALUE key:1 1 5\r\nvalue\r\nEND\r\n");
        assert_eq!(wire.say("get later"), "END");
    };
    holds_the_backup();
    // Whoever takes over has it as well.
    let failover = server.ask("POST", &format!("/admin/instances/{id}/failover"), &token, &Value::Null);
    assert_eq!(failover.status, 204, "{}", failover.body);
    holds_the_backup();
}
