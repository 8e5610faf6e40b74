//! The SDKs of the cloud, against the program: what they send and read is what their users have.

use std::path::Path;
use std::process::Command;

use testkit::Server;

/// Runs a script of `tests/clients` against a cloud. Skipped if the libraries have not been installed; fails instead where
/// the environment requires them.
fn python(script: &str, server: &Server) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests lie in the workspace");
    let clients = root.join("target/clients");
    if !clients.join("installed").exists() {
        let is_required = std::env::var_os("CARNELIAN_REQUIRE_ORACLE").is_some();
        assert!(!is_required, "scripts/clients has not been run");
        eprintln!("SKIPPED: scripts/clients installs what this needs");
        return;
    }
    let address = server.url.strip_prefix("http://").and_then(|address| address.split_once(':'));
    let (host, port) = address.expect("it serves at an address");
    let mut command = Command::new("python3");
    command
        .arg(root.join("tests/clients").join(script))
        .args([host, port, &server.project_id, "carnelian-access-key", "carnelian-secret-key"])
        .env("PYTHONPATH", clients.join("python"));
    let output = command.output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(said, "done\n");
}

#[test]
fn the_sdk_of_v2_drives_the_life_of_instances() {
    python("dcs_lifecycle.py", &Server::start(&["--ephemeral"]));
}
