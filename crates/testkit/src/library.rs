//! Client libraries that `scripts/clients` installs, and the scripts of `tests/clients` that use them.

use crate::program::REQUIRE_ORACLE;
use std::path::Path;
use std::process::{Command, Output};

/// An interpreter, `python3` or `node`, that finds the libraries. Says so and gives nothing if they have not been installed,
/// so that the test can be skipped; fails instead where the environment requires them.
pub fn interpreter(name: &str) -> Option<Command> {
    let clients = root().join("target/clients");
    if !clients.join("installed").exists() {
        assert!(std::env::var_os(REQUIRE_ORACLE).is_none(), "scripts/clients has not been run");
        eprintln!("SKIPPED: scripts/clients installs what this needs");
        return None;
    }
    let mut command = Command::new(name);
    command.env("PYTHONPATH", clients.join("python")).env("CARNELIAN_CLIENTS", &clients);
    Some(command)
}

/// The same, which runs a script of `tests/clients`.
pub fn script(interpreter_name: &str, file: &str) -> Option<Command> {
    let mut command = interpreter(interpreter_name)?;
    command.arg(root().join("tests/clients").join(file));
    Some(command)
}

/// What a program says; it has to succeed.
pub fn said(mut command: Command) -> String {
    let Output { status, stdout, stderr } = command.output().expect("it starts");
    let said = String::from_utf8_lossy(&stdout).into_owned();
    assert!(status.success(), "{command:?}\n{said}{}", String::from_utf8_lossy(&stderr));
    said
}

/// The workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("this crate lies two folders below it")
}
