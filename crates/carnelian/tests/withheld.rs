//! Commands that clients of the cloud's instances do not know, and those of bare nodes do.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};
use testkit::Server;

/// What a client is told that says these lines.
fn talk(port: u64, lines: &str) -> String {
    let mut connection = TcpStream::connect(("127.0.0.1", u16::try_from(port).unwrap())).unwrap();
    connection.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    connection.write_all(format!("{lines}\r\nQUIT\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer
}

/// The port of an instance that has been ordered.
fn ordered(server: &Server, token: &str, name: &str, release: &str, spec_code: &str, gb: u32) -> u64 {
    let order = json!({
        "name": name, "engine": "Redis", "engine_version": release, "capacity": gb, "spec_code": spec_code,
        "no_password_access": true, "vpc_id": "v", "subnet_id": "s",
        "security_group_id": "6fd2f8a0-0000-4000-8000-00000000000b",
        "available_zones": ["ae04cf9d61544df3806a3feeb401b204"],
    });
    let created = server.ask("POST", &server.instances(), token, &order);
    assert_eq!(created.status, 200, "{}", created.body);
    let path = format!("{}/{}", server.instances(), created.body["instance_id"].as_str().unwrap());
    server.ask("GET", &path, token, &Value::Null).body["port"].as_u64().unwrap()
}

/// Disabled for a single node and a master/standby instance of 3.0, and from 4.0 on.
const OLD: &str = "MIGRATE SLAVEOF SHUTDOWN LASTSAVE DEBUG COMMAND SAVE BGSAVE BGREWRITEAOF";
const ONE: &str = "MIGRATE SLAVEOF SHUTDOWN LASTSAVE DEBUG SAVE BGSAVE BGREWRITEAOF SYNC PSYNC";
/// Disabled for a Redis Cluster, beside those.
const CLUSTER: &str = "MEET FLUSHSLOTS ADDSLOTS DELSLOTS SETSLOT BUMPEPOCH SAVECONFIG FORGET REPLICATE \
                       COUNT-FAILURE-REPORTS FAILOVER SET-CONFIG-EPOCH RESET";

#[test]
fn what_the_cloud_disables_is_unknown_to_clients_of_its_instances() {
    let server = Server::start(&["--ephemeral"]);
    let token = server.token();
    let unknown = |port: u64, name: &str| talk(port, name).to_lowercase().contains("err unknown command");
    for (name, release, spec_code, gb, disabled, known) in [
        ("dcs-a", "3.0", "dcs.single_node", 2, OLD, "PSYNC"),
        ("dcs-b", "3.0", "dcs.master_standby", 2, OLD, "PSYNC"),
        ("dcs-c", "4.0", "redis.single.xu1.large.2", 2, ONE, "COMMAND"),
        ("dcs-d", "5.0", "redis.ha.xu1.large.r2.2", 2, ONE, "COMMAND"),
        ("dcs-e", "5.0", "redis.cluster.xu1.large.r1.4", 4, ONE, "COMMAND"),
    ] {
        let port = ordered(&server, &token, name, release, spec_code, gb);
        for command in disabled.split(' ') {
            assert!(unknown(port, command), "{name} {command}");
            // Names are known in any case, and so they are unknown.
            assert!(unknown(port, &command.to_lowercase()), "{name} {command}");
        }
        assert!(unknown(port, "REPLICAOF NO ONE"), "{name}: that is SLAVEOF");
        assert!(
            !unknown(port, known) && !unknown(port, "WAIT 0 0") && !unknown(port, "CONFIG GET save"),
            "{name}"
        );
        let in_transaction = talk(port, "MULTI\r\nSAVE\r\nEXEC");
        assert!(in_transaction.contains("-EXECABORT"), "{name}: {in_transaction}");
        if release != "3.0" {
            let listed = talk(port, "COMMAND");
            assert!(!listed.contains("\r\nslaveof\r\n") && listed.contains("\r\nget\r\n"), "{name}");
        }
        if name == "dcs-e" {
            for sub in CLUSTER.split(' ') {
                let told = talk(port, &format!("CLUSTER {sub}"));
                assert!(told.starts_with("-ERR Unknown subcommand"), "{sub}: {told}");
            }
            assert!(talk(port, "CLUSTER INFO").contains("cluster_state:ok"));
        }
    }
}

#[test]
fn they_know_all_commands_if_that_is_wanted() {
    let server = Server::start(&["--ephemeral", "--all-commands"]);
    let token = server.token();
    let port = ordered(&server, &token, "dcs-a", "5.0", "redis.ha.xu1.large.r2.2", 2);
    assert_eq!(talk(port, "SAVE\r\nDEBUG SLEEP 0"), "+OK\r\n+OK\r\n+OK\r\n");
}
