//! The description of the REST interface that the program serves, held to the standard that it says it follows, and the
//! program held to its description: whatever is made up from it is answered, and never as a fault of the program's own.

use serde_json::{Value, json};
use std::path::Path;
use testkit::Server;
use testkit::library::{interpreter, said};

/// Instances that there are to begin with.
const INSTANCES: [(&str, &str, u32); 4] = [
    ("dcs-single", "redis.single.xu1.large.2", 2),
    ("dcs-pair", "redis.ha.xu1.large.r2.2", 2),
    ("dcs-cluster", "redis.cluster.xu1.large.r2.4", 4),
    ("dcs-spare", "redis.single.xu1.large.2", 2),
];

/// What takes an instance away, after which nothing else could be asked about it.
const DELETES: [&str; 4] =
    ["DeleteInstanceV1", "BatchDeleteInstancesV1", "DeleteSingleInstance", "BatchDeleteInstances"];

/// The description, in a file of this directory.
fn description(server: &Server, directory: &Path) -> std::path::PathBuf {
    let served = server.ask("GET", "/openapi.json", "", &Value::Null);
    assert_eq!(served.status, 200);
    let file = directory.join("openapi.json");
    std::fs::write(&file, served.body.to_string()).expect("there is room for a file");
    file
}

#[test]
fn the_description_is_valid() {
    let Some(mut python) = interpreter("python3") else { return };
    let server = Server::start(&["--ephemeral"]);
    let directory = tempfile::tempdir().expect("there is room for a directory");
    let script = "import json, sys
from openapi_spec_validator import OpenAPIV31SpecValidator
for error in OpenAPIV31SpecValidator(json.load(open(sys.argv[1]))).iter_errors():
    print(list(error.absolute_path), error.message)";
    python.args(["-c", script]).arg(description(&server, directory.path()));
    assert_eq!(said(python), "");
}

#[test]
fn whatever_the_description_allows_or_forbids_is_answered() {
    let Some(_) = interpreter("python3") else { return };
    let server = Server::start(&["--ephemeral", "--base-port", "29500"]);
    let token = server.token();
    let ids = INSTANCES.map(|(name, code, gb)| {
        let order = json!({
            "name": name, "engine": "Redis", "engine_version": "5.0", "capacity": gb, "spec_code": code,
            "no_password_access": true, "vpc_id": "v", "subnet_id": "s",
            "available_zones": ["ae04cf9d61544df3806a3feeb401b204"],
        });
        let created = server.ask("POST", &server.instances(), &token, &order);
        assert_eq!(created.status, 200, "{}", created.body);
        created.body["instance_id"].as_str().expect("it has an id").to_owned()
    });
    let directory = tempfile::tempdir().expect("there is room for a directory");
    let description = description(&server, directory.path());
    let config = format!(
        "headers = {{ \"X-Auth-Token\" = \"{token}\" }}\n[parameters]\n\"path.project_id\" = \"{}\"\n\
         \"path.instance_id\" = {}\n",
        server.project_id,
        json!(ids)
    );
    let config_file = directory.path().join("schemathesis.toml");
    std::fs::write(&config_file, config).expect("there is room for a file");
    let run = |which: &str, examples: &str, seconds: &str| {
        let mut command = interpreter("python3").expect("it was there");
        let script = "import sys; from schemathesis.cli import schemathesis; sys.exit(schemathesis())";
        command.args(["-c", script, "--config-file"]).arg(&config_file).arg("run").arg(&description);
        command.args(["--url", &server.url, "--checks", "not_a_server_error", "--max-time", seconds]);
        command.args(["--phases", "fuzzing", "--max-examples", examples, "--seed", "1", "--no-color"]);
        command.args(["--suppress-health-check", "all"]);
        DELETES.iter().for_each(|id| _ = command.args([which, id]));
        command.current_dir(directory.path());
        said(command)
    };
    run("--exclude-operation-id", "12", "30");
    run("--include-operation-id", "5", "5");
    let alive = server.ask("GET", "/healthz", "", &Value::Null);
    assert_eq!(alive.status, 200);
}
