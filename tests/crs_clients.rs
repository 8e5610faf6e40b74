//! Tencent's SDK of API 2017 against the whole program: what it buys, changes, backs up and restores are real instances.

use std::path::Path;
use std::process::Command;
use testkit::Server;

/// Runs `tests/clients/crs.py`. Skipped if the libraries have not been installed; fails instead where the environment requires
/// them.
fn life_cycle(arguments: &[&str]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests lie in the workspace");
    let clients = root.join("target/clients");
    if !clients.join("python/QcloudApi").exists() {
        let is_required = std::env::var_os("CARNELIAN_REQUIRE_ORACLE").is_some();
        assert!(!is_required, "scripts/clients has not been run");
        eprintln!("SKIPPED: scripts/clients installs what this needs");
        return;
    }
    let server = Server::start(arguments);
    let address = server.url.strip_prefix("http://").expect("it is a URL");
    let run = Command::new("python3")
        .arg(root.join("tests/clients/crs.py"))
        .arg(address)
        .env("PYTHONPATH", clients.join("python"))
        .output()
        .expect("python starts");
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{said}{}", String::from_utf8_lossy(&run.stderr));
    assert_eq!(said, "done\n");
}

#[test]
fn the_sdk_drives_instances_through_their_lives() {
    life_cycle(&["--ephemeral"]);
}

#[test]
fn it_does_so_when_everything_is_kept() {
    let directory = tempfile::tempdir().expect("there is room for a directory");
    life_cycle(&["--data-dir", directory.path().to_str().expect("its name is text")]);
}
