//! Tencent's SDK of API 2017 against the whole program: what it buys, changes, backs up and restores are real instances.

use testkit::Server;
use testkit::library::{said, script};

/// Runs `tests/clients/crs.py`, if there are the libraries for it.
fn life_cycle(arguments: &[&str]) {
    let Some(mut command) = script("python3", "crs.py") else { return };
    let server = Server::start(arguments);
    command.arg(server.url.strip_prefix("http://").expect("it is a URL"));
    if server.https.is_some() {
        let [url, authority] = server.encrypted();
        command.args([url.strip_prefix("https://").expect("it is a URL"), authority]);
    }
    assert_eq!(said(command), "done\n");
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
