//! Documented examples whose numbers come from nodes, asked of the program that runs; `huawei-dcs` has all of them over nodes
//! that tests steer.

use std::net::SocketAddr;

use serde_json::{Value, json};
use testkit::documented::{Comparison, Rules};
use testkit::{Client, Server, until};

/// What is otherwise than in the examples, and why.
const RULES: &str = "example\tside\tway\trule\treason
5.2\tanswer\tstatistics.0.max_memory\tis 1536\twhat the specification gives
5.2\tanswer\tstatistics.1.max_memory\tis 1536\twhat the specification gives
5.2\tanswer\tstatistics.2.max_memory\tis 1536\twhat the specification gives
5.2\tanswer\tstatistics.2.input_kbps\tis \"0.0\"\tnobody sends it anything
5.2\tanswer\tstatistics.2.output_kbps\tis \"0.0\"\tnobody sends it anything
5.2\tanswer\tstatistics.*.instance_id\tuuid\tanother one each time
8.3\tanswer\tbackup_record_response.0.size\tinteger\tof what the instance holds
8.3\tanswer\tbackup_record_response.0.instance_id\tuuid\tanother one each time
8.3\tanswer\tbackup_record_response.0.backup_id\tuuid\tanother one each time
8.3\tanswer\tbackup_record_response.0.created_at\ttext\tnow
8.3\tanswer\tbackup_record_response.0.updated_at\ttext\tnow
8.3\tanswer\tbackup_record_response.0.execution_at\ttext\tnow
8.3\tanswer\tbackup_record_response.0.backup_name\ttext\tmade of the time
";

/// What an answer has otherwise than the example of this section.
fn differences(section: &str, example: &str, answered: &Value) -> Vec<String> {
    let example: Value = serde_json::from_str(example).expect("an example is JSON");
    let mut wrong = Vec::new();
    let mut comparison = Comparison {
        example: section,
        rules: &Rules::read(RULES),
        is_known: &|_| false,
        is_part: false,
        wrong: &mut wrong,
    };
    comparison.compare(&mut Vec::new(), Some(&example["answer"]["body"]), Some(answered));
    wrong
}

/// Orders an instance of release 3.0 and gives its id.
fn ordered(server: &Server, token: &str, changes: &Value) -> String {
    let mut order = json!({
        "engine": "Redis", "engine_version": "3.0", "capacity": 2, "product_id": "OTC_DCS_SINGLE",
        "no_password_access": true, "vpc_id": "v", "subnet_id": "s", "security_group_id": "g",
        "available_zones": ["ae04cf9d61544df3806a3feeb401b204"],
    });
    for (name, value) in changes.as_object().expect("changes are an object") {
        order[name] = value.clone();
    }
    let created = server.ask("POST", &server.instances(), token, &order);
    created.body["instance_id"].as_str().unwrap_or_else(|| panic!("{}", created.body)).to_owned()
}

fn client(server: &Server, token: &str, id: &str) -> Client {
    let shown = server.ask("GET", &format!("{}/{id}", server.instances()), token, &Value::Null).body;
    let port = shown["port"].as_u64().and_then(|port| u16::try_from(port).ok()).expect("it has a port");
    Client::connect(SocketAddr::from(([127, 0, 0, 1], port)))
}

#[test]
fn what_nodes_have_and_do_is_told_as_documented() {
    let server = Server::start(&["--ephemeral"]);
    let token = server.token();
    let ids: Vec<String> = [2, 2, 2, 8]
        .into_iter()
        .enumerate()
        .map(|(at, gb)| ordered(&server, &token, &json!({"name": format!("dcs-{at}"), "capacity": gb})))
        .collect();
    let statistics =
        || server.ask("GET", &format!("{}/statistic", server.instances()), &token, &Value::Null).body;
    // They were asked whether they answer when they were made.
    let example = include_str!("../crates/huawei-dcs/tests/data/examples/5.2.json");
    let mut said = Vec::new();
    for _ in 0..500 {
        said = differences("5.2", example, &statistics());
        if said.is_empty() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert!(said.is_empty(), "{}", said.join("\n"));

    let mut client = client(&server, &token, &ids[2]);
    let value = vec![b'v'; 10_000];
    for number in 0..1_000 {
        client.run(&[b"SET", format!("key:{number}").as_bytes(), value.as_slice()]);
    }
    for _ in 0..20 {
        client.run(&[b"GET".as_slice(), b"key:7"]);
    }
    let memory: f64 = client.info("used_memory").parse().expect("it is a number");
    let told = statistics()["statistics"][2].clone();
    assert_eq!(
        ["keys", "cmd_set_count", "cmd_get_count"].map(|name| told[name].as_u64()),
        [Some(1_000), Some(1_000), Some(20)]
    );
    let used_mb = told["used_memory"].as_f64().expect("it is a number");
    assert!((used_mb - memory / f64::from(1 << 20)).abs() <= 1.0 && used_mb >= 10.0, "{told} {memory}");
    let kbps = |name: &str| told[name].as_str().and_then(|text| text.parse::<f64>().ok());
    for name in ["input_kbps", "output_kbps"] {
        assert!(kbps(name).is_some_and(|kbps| kbps > 0.0), "{told}");
    }
    let shown = server.ask("GET", &format!("{}/{}", server.instances(), ids[2]), &token, &Value::Null).body;
    assert_eq!(shown["used_memory"], told["used_memory"]);
    assert_eq!(statistics()["statistics"][0]["keys"], 0, "others have none of it");
}

#[test]
fn a_backup_is_told_as_documented() {
    let directory = tempfile::tempdir().expect("there is room for a directory");
    let server = Server::start(&["--data-dir", directory.path().to_str().expect("its name is text")]);
    let token = server.token();
    let id = ordered(&server, &token, &json!({"name": "dcs-pair", "product_id": "OTC_DCS_MS"}));
    client(&server, &token, &id).say("SET key value");
    let path = format!("{}/{id}/backups", server.instances());
    let made = server.ask("POST", &path, &token, &json!({"remark": "001"}));
    assert_eq!(made.status, 200, "{}", made.body);
    let example = include_str!("../crates/huawei-dcs/tests/data/examples/8.3.json");
    let listed = || server.ask("GET", &path, &token, &Value::Null).body;
    until("it is made", || listed()["backup_record_response"][0]["status"] == "succeed");
    let said = differences("8.3", example, &listed());
    assert!(said.is_empty(), "{}", said.join("\n"));
}
