//! Instances whose servers end and begin again, seen from outside: they have what they had, whether or not the cloud outlives
//! the process.

mod kinds;

use kinds::{create, fill, has_all, orders};
use serde_json::{Value, json};
use testkit::Server;

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
