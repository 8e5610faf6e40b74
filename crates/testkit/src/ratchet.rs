//! Which outcomes no test of a program has met: a file lists them, and may only become shorter.
//!
//! Nobody says what is tested: all tests of the program are run once more, and what they meet is written down ([`met`]). The
//! test that asks ([`check`]) has `ratchet` in its name, and does nothing in that run. With `CARNELIAN_WRITE_DOCS=1` in the
//! environment what is met by now is taken out of the list; nothing puts anything in.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::process::Command;

/// The variable that names the file in which outcomes are written down.
const SEEN: &str = "CARNELIAN_OUTCOMES";

/// Writes down that this outcome has been met, in a line, if somebody wants to know.
pub fn met(outcome: &str) {
    let Some(file) = std::env::var_os(SEEN) else { return };
    let line = format!("{outcome}\n");
    // One call writes a line whole, so those of other threads do not come between.
    let mut file = OpenOptions::new().append(true).create(true).open(file).expect("the file is there");
    file.write_all(line.as_bytes()).expect("the file takes a line");
}

/// Sees that those of all outcomes that no test meets are the ones that the file lists.
pub fn check(all: &BTreeSet<String>, list: &Path) {
    if std::env::var_os(SEEN).is_some() {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory can be made");
    let file = directory.path().join("seen");
    let own = std::env::current_exe().expect("a test has a program");
    let run = Command::new(own).args(["--skip", "ratchet"]).env(SEEN, &file).output();
    let run = run.expect("the program of the tests runs");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stdout));
    let seen = std::fs::read_to_string(&file).expect("tests meet something");
    let seen: BTreeSet<&str> = seen.lines().collect();
    let unmet: BTreeSet<&String> = all.iter().filter(|outcome| !seen.contains(outcome.as_str())).collect();
    let listed = std::fs::read_to_string(list).expect("there is a list");
    let listed: BTreeSet<String> = listed.lines().map(str::to_owned).collect();
    let grown: Vec<_> = unmet.iter().filter(|outcome| !listed.contains(**outcome)).collect();
    assert!(grown.is_empty(), "no test meets these: {grown:#?}");
    let met: Vec<_> = listed.iter().filter(|outcome| !unmet.contains(outcome)).collect();
    if !met.is_empty() && std::env::var_os("CARNELIAN_WRITE_DOCS").is_some() {
        let left: String = unmet.iter().map(|outcome| format!("{outcome}\n")).collect();
        std::fs::write(list, left).expect("the list can be written");
        return;
    }
    assert!(
        met.is_empty(),
        "these are met by now; CARNELIAN_WRITE_DOCS=1 takes them out of the list: {met:#?}"
    );
}
