//! The lines of `docs/clients.md`, which are run as they stand there, but for the addresses.

use std::path::Path;

use testkit::Server;
use testkit::library::{interpreter, said};

const PAGE: &str = include_str!("../docs/clients.md");

/// The blocks of the page in this language.
fn blocks(language: &str) -> impl Iterator<Item = &'static str> {
    let begin = format!("```{language}\n");
    PAGE.split("```").enumerate().filter(|(number, _)| number % 2 == 1).filter_map(move |(_, block)| {
        let own = begin.trim_start_matches('`');
        block.strip_prefix(own)
    })
}

#[test]
fn what_is_documented_works() {
    let directory = tempfile::tempdir().expect("there is room for a directory");
    let data = directory.path().join("carnelian-data");
    let server = Server::start(&["--data-dir", data.to_str().expect("its name is text")]);
    let [https, _] = server.encrypted();
    let written = |text: &str| {
        let address = server.url.strip_prefix("http://").expect("it is a URL");
        let encrypted = https.strip_prefix("https://").expect("it is a URL");
        text.replace("127.0.0.1:8400", address).replace("127.0.0.1:8443", encrypted)
    };
    for block in blocks("python") {
        let Some(mut command) = interpreter("python3") else { return };
        command.current_dir(&directory).args(["-c", &written(block)]);
        let answer = said(command);
        assert!(answer.is_empty() || answer == "Success\n", "{answer}");
    }
    for block in blocks("sh") {
        let Some(mut command) = interpreter("bash") else { return };
        let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/clients/python/bin");
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default());
        command.current_dir(&directory).env("PATH", path).args(["-ec", &written(block)]);
        let answer = said(command);
        assert!(
            answer.contains("dcs-huawei") && answer.contains("dcs-otc") && answer.contains("ram"),
            "{answer}"
        );
    }
    let count = |path: &str| server.ask("GET", path, &server.token(), &serde_json::Value::Null).body;
    assert_eq!(count(&server.instances())["instance_num"], 2);
}
