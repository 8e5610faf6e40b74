//! The crates depend on each other as `docs/ARCHITECTURE.md` draws it, and on nothing else.

use cargo_metadata::{DependencyKind, MetadataCommand};
use std::collections::{BTreeMap, BTreeSet};

/// The drawing: each crate and those that stand directly below it. What is below something below is below it too.
const DRAWN: &[(&str, &[&str])] = &[
    ("carnelian", &["gateway", "huawei-dcs", "tencent-crs", "server"]),
    ("gateway", &["operation", "cloud"]),
    ("huawei-dcs", &["cloud"]),
    ("tencent-crs", &["cloud"]),
    ("cloud", &["operation"]),
    ("operation", &[]),
    ("server", &["engine", "memcached"]),
    ("engine", &["replication", "keyspace", "command", "resp"]),
    ("replication", &["keyspace", "resp"]),
    ("keyspace", &["rdb", "structures"]),
    ("rdb", &["structures"]),
    ("structures", &[]),
    ("command", &[]),
    ("memcached", &["memcache-wire", "structures"]),
    ("resp", &[]),
    ("memcache-wire", &[]),
    ("testkit", &[]),
];

/// Crates that only tests and measurements may use.
const FOR_TESTS: &[&str] = &["testkit"];
/// Members that are no part of the program.
const OUTSIDE: &[&str] = &["tests", "benches"];

/// All that is below a crate.
fn below(name: &str) -> BTreeSet<&'static str> {
    let direct = DRAWN.iter().find(|(own, _)| *own == name).map_or(&[][..], |(_, below)| below);
    direct.iter().flat_map(|own| below(own).into_iter().chain([*own])).collect()
}

#[test]
fn every_arrow_is_drawn() {
    let metadata = MetadataCommand::new().no_deps().exec().expect("cargo describes the workspace");
    let own: BTreeMap<&str, _> =
        metadata.packages.iter().map(|package| (package.name.as_str(), &package.dependencies)).collect();
    let mut wrong = Vec::new();
    for (name, dependencies) in &own {
        if OUTSIDE.contains(name) {
            continue;
        }
        if !DRAWN.iter().any(|(drawn, _)| drawn == name) {
            wrong.push(format!("{name} is not drawn"));
        }
        for dependency in dependencies.iter().filter(|dependency| own.contains_key(dependency.name.as_str()))
        {
            let to = dependency.name.as_str();
            let for_tests = dependency.kind == DependencyKind::Development;
            // A crate's own tests may look at it from above, or use what is for tests.
            if !for_tests && (!below(name).contains(to) || FOR_TESTS.contains(&to)) {
                wrong.push(format!("{name} -> {to} is not drawn"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
