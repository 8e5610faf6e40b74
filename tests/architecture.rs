//! The crates depend on each other as `docs/ARCHITECTURE.md` draws it, and on nothing else; and every lock stands in the
//! order of `docs/threads.md`.

use cargo_metadata::{DependencyKind, MetadataCommand};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

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

/// Files of a directory and those below it.
fn files_below(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("the directory is there") {
        let path = entry.expect("it can be read").path();
        if path.is_dir() {
            files_below(&path, files);
        } else {
            files.push(path);
        }
    }
}

#[test]
fn every_lock_has_its_place_in_the_order() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests lie in the workspace");
    let order = fs::read_to_string(root.join("docs/threads.md")).expect("the order is written down");
    let mut files = Vec::new();
    files_below(&root.join("crates"), &mut files);
    let mut missing = Vec::new();
    for path in files {
        let within: Vec<&str> =
            path.strip_prefix(root).into_iter().flatten().filter_map(|part| part.to_str()).collect();
        let ["crates", krate, "src", modules @ ..] = &within[..] else { continue };
        if FOR_TESTS.contains(krate) {
            continue;
        }
        let source = fs::read_to_string(&path).expect("a source is text");
        let own = source.split("#[cfg(test)]").next().unwrap_or_default();
        if own.lines().any(|line| line.contains("Mutex<") || line.contains("RwLock<")) {
            let names = modules.iter().map(|name| name.trim_end_matches(".rs")).filter(|name| *name != "mod");
            let name: Vec<String> =
                std::iter::once(krate.replace('-', "_")).chain(names.map(str::to_owned)).collect();
            let name = name.join("::");
            if !order.contains(&format!("`{name}`")) {
                missing.push(name);
            }
        }
    }
    assert!(missing.is_empty(), "docs/threads.md does not say where these locks stand: {missing:?}");
}
