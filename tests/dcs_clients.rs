//! The SDKs of the cloud, against the program: what they send and read is what their users have.

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
fn the_sdk_of_v2_drives_the_life_of_instances() {
    python("dcs_lifecycle.py", &Server::start(&["--ephemeral"]));
}
