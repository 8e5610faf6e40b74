//! Client libraries and tools that people use with memcached, against a Memcached node: pymemcache,
//! python-binary-memcached, and those of libmemcached.
//!
//! What they are to find is held against memcached itself, too.

use std::path::Path;
use std::process::{Command, Output};
use testkit::{Memcached, tool};

/// What a program says; it has to succeed.
fn said(mut command: Command) -> String {
    let Output { status, stdout, stderr } = command.output().expect("it starts");
    let said = String::from_utf8_lossy(&stdout).into_owned();
    assert!(status.success(), "{command:?}\n{said}{}", String::from_utf8_lossy(&stderr));
    said
}

/// Runs a script of `tests/clients` against a server. Skipped if the libraries have not been installed; fails instead where
/// the environment requires them.
fn python(script: &str, server: &Memcached, arguments: &[&str]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests lie in the workspace");
    let clients = root.join("target/clients");
    if !clients.join("installed").exists() {
        let is_required = std::env::var_os("CARNELIAN_REQUIRE_ORACLE").is_some();
        assert!(!is_required, "scripts/clients has not been run");
        eprintln!("SKIPPED: scripts/clients installs what this needs");
        return;
    }
    let address = server.address();
    let mut command = Command::new("python3");
    command
        .arg(root.join("tests/clients").join(script))
        .args([address.ip().to_string(), address.port().to_string()])
        .args(arguments)
        .env("PYTHONPATH", clients.join("python"));
    assert_eq!(said(command), "done\n");
}

/// A tool of libmemcached with the address of a server.
fn libmemcached(name: &str, server: &Memcached, arguments: &[&str]) -> Option<Command> {
    let mut command = tool(name)?;
    command.arg(format!("--servers={}", server.address())).args(arguments);
    Some(command)
}

/// A value is copied to the server, looked at, and removed, through the text or the binary protocol.
fn tools(server: &Memcached, protocol: &[&str]) {
    let directory = tempfile::tempdir().expect("there is room for a directory");
    let file = directory.path().join("value");
    std::fs::write(&file, "what is in it\n").expect("there is room for a file");
    let file = file.to_str().expect("its name is text");
    let with = |name: &str, more: &[&str]| {
        let arguments: Vec<&str> = protocol.iter().chain(more).copied().collect();
        libmemcached(name, server, &arguments).expect("it is there if others are")
    };
    if tool("memccat").is_none() {
        return;
    }
    said(with("memccp", &[file]));
    assert_eq!(said(with("memccat", &["value"])).trim_end(), "what is in it");
    said(with("memcexist", &["value"]));
    said(with("memctouch", &["--expire=100", "value"]));
    // It knows of no other protocol.
    said(libmemcached("memcping", server, &[]).expect("it is there if others are"));
    let report = said(with("memcstat", &[]));
    for field in ["pid: ", "version: 1.6.", "curr_items: 1", "get_hits: "] {
        assert!(report.contains(field), "{field} is not in\n{report}");
    }
    said(with("memcrm", &["value"]));
    assert!(!with("memccat", &["value"]).output().expect("it starts").status.success());
    said(with("memcflush", &[]));
}

/// What libmemcached holds every server to that says it speaks these protocols.
fn capable(server: &Memcached) {
    let Some(mut command) = tool("memccapable") else { return };
    let address = server.address();
    command.args(["-h", &address.ip().to_string(), "-p", &address.port().to_string()]);
    let report = said(command);
    assert!(report.contains("All tests passed") && !report.contains("FAIL"), "{report}");
}

/// All of it.
fn serves(server: &Memcached) {
    tools(server, &[]);
    tools(server, &["--binary"]);
    capable(server);
    python("memcached.py", server, &[]);
    python("memcached_binary.py", server, &[]);
}

#[test]
fn memcached_serves_libraries_and_tools() {
    let Some(server) = Memcached::theirs(&[]) else { return };
    serves(&server);
}

#[test]
fn a_node_serves_libraries_and_tools() {
    serves(&Memcached::ours(&[]));
}

#[test]
fn a_node_lets_only_those_in_that_it_knows() {
    let directory = tempfile::tempdir().expect("there is room for a directory");
    let file = directory.path().join("users");
    std::fs::write(&file, "somebody:secret\n").expect("there is room for a file");
    let server = Memcached::ours(&["--auth-file", file.to_str().expect("its name is text")]);
    python("memcached_binary.py", &server, &["somebody", "secret"]);
}
