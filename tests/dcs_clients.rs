//! The SDKs of the cloud, against the program: what they send and read is what their users have.

use serde_json::json;
use testkit::Server;
use testkit::library::{said, script};

/// Runs a script of `tests/clients` against a cloud, if there are the libraries for it.
fn python(file: &str, server: &Server) {
    let Some(mut command) = script("python3", file) else { return };
    let address = server.url.strip_prefix("http://").and_then(|address| address.split_once(':'));
    let (host, port) = address.expect("it serves at an address");
    command.args([host, port, &server.project_id, "carnelian-access-key", "carnelian-secret-key"]);
    assert_eq!(said(command), "done\n");
}

#[test]
fn openstack_drives_the_life_of_instances() {
    let Some(mut command) = script("python3", "openstack_dcs.py") else { return };
    let server = Server::start(&["--ephemeral"]);
    command.arg(&server.url);
    assert_eq!(said(command), "done\n");
}

#[test]
fn openstack_does_so_by_https() {
    let Some(mut command) = script("python3", "openstack_dcs.py") else { return };
    let directory = tempfile::tempdir().expect("there is room for a directory");
    let server = Server::start(&["--data-dir", directory.path().to_str().expect("its name is text")]);
    command.args(server.encrypted());
    assert_eq!(said(command), "done\n");
}

#[test]
fn the_sdk_of_v2_drives_the_life_of_instances() {
    python("dcs_lifecycle.py", &Server::start(&["--ephemeral"]));
}

/// Has a cloud's tasks take their time, which goes by two hundred times as fast.
fn hurry(server: &Server) {
    let answer = server.ask("POST", "/admin/clock", "", &json!({"rate": 200}));
    assert_eq!(answer.status, 200);
}

#[test]
fn every_operation_of_the_sdk_is_answered_or_refused() {
    let Some(mut command) = script("python3", "dcs_operations.py") else { return };
    let directory = tempfile::tempdir().expect("there is room for a directory");
    let server = Server::start(&["--data-dir", directory.path().to_str().expect("its name is text")]);
    let [url, authority] = server.encrypted();
    command.args([url, &server.project_id, "carnelian-access-key", "carnelian-secret-key"]);
    command.arg(directory.path().join("buckets")).arg(authority);
    assert_eq!(said(command), "done\n");
}

#[test]
fn every_operation_is_so_where_tasks_take_their_time() {
    let Some(mut command) = script("python3", "dcs_operations.py") else { return };
    let directory = tempfile::tempdir().expect("there is room for a directory");
    let buckets = directory.path().to_str().expect("its name is text");
    let server = Server::start(&["--ephemeral", "--buckets", buckets, "--tasks", "realistic"]);
    hurry(&server);
    command.args([&server.url, &server.project_id, "carnelian-access-key", "carnelian-secret-key", buckets]);
    assert_eq!(said(command), "done\n");
}
