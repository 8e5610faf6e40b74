//! What real servers of six releases answered, and what a node of that release answers.
//!
//! `tests/golden` holds the scenarios and the answers; see [`testkit::scenario`] for their form.

use std::fmt::Write;
use std::path::Path;
use testkit::Program;
use testkit::scenario::{check, scenarios};

/// Corpora whose every answer agrees, on every release. `scripting.txt` and `server.txt` wait for scripting, access
/// control, tracking and replication.
const WHOLE: [&str; 7] = ["strings", "generic", "lists", "sets-hashes", "zsets", "streams", "pubsub-tx"];

fn check_release(release: &str, recorded_from: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let read = |name: String| {
        std::fs::read_to_string(folder.join(&name))
            .unwrap_or_else(|error| panic!("{name} cannot be read: {error}"))
    };
    let expected = read(format!("expected-{recorded_from}.jsonl"));
    // Before 7.0 it need not be allowed.
    let debug: &[_] = if release >= "7" { &[("enable-debug-command", "yes")] } else { &[] };
    let program = Program::redis(release, debug);
    let mut report = String::new();
    let mut agreed = 0;
    for corpus in WHOLE {
        let name = format!("{corpus}.txt");
        let (differences, same) = check(program.address(), &scenarios(&name, &read(name.clone())), &expected);
        agreed += same;
        for difference in differences {
            let _ = writeln!(
                report,
                "{} | {}\n  expected {}\n  answered {}",
                difference.scenario, difference.command, difference.expected, difference.answered
            );
        }
    }
    assert!(report.is_empty(), "{agreed} answers agree; these do not:\n{report}");
    assert!(agreed > 700, "only {agreed} answers were compared");
}

macro_rules! releases {
    ($($test:ident: $release:literal as $recorded:literal,)+) => {
        $(
            #[test]
            fn $test() {
                check_release($release, $recorded);
            }
        )+
    };
}

releases! {
    answers_of_release_3_0: "3.0" as "3.0.7",
    answers_of_release_4_0: "4.0" as "4.0.14",
    answers_of_release_5_0: "5.0" as "5.0.14",
    answers_of_release_6_2: "6.2" as "6.2.14",
    answers_of_release_7_0: "7.0" as "7.0.15",
    answers_of_release_7_4: "7.4" as "7.4.1",
}
