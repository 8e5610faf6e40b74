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

/// Runs the script that has `openstack dcs` and its package drive a cloud that keeps what it has.
fn openstack(https: bool) {
    let Some(mut command) = script("python3", "openstack_dcs.py") else { return };
    let directory = tempfile::tempdir().expect("there is room for a directory");
    let server = Server::start(&["--data-dir", directory.path().to_str().expect("its name is text")]);
    if https {
        let line = server.https.as_deref().and_then(|line| line.split_once(", trusted by "));
        let (address, authority) = line.expect("it says where it serves https, and who vouches for it");
        command.args([address.trim_start_matches("https "), authority]);
    } else {
        command.arg(&server.url);
    }
    assert_eq!(said(command), "done\n");
}

#[test]
fn openstack_drives_the_life_of_instances() {
    openstack(false);
}

#[test]
fn openstack_does_so_by_https() {
    openstack(true);
}

#[test]
fn the_sdk_of_v2_drives_the_life_of_instances() {
    python("dcs_lifecycle.py", &Server::start(&["--ephemeral"]));
}
