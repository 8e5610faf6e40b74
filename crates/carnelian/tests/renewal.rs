//! Instances that get another form while the process that has them is killed.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::Server;

/// Keys that were saved before anything was changed.
const KEYS: usize = 6_000;

/// Orders a Proxy Cluster, and gives its id.
fn order(server: &Server, token: &str) -> String {
    let order = json!({
        "name": "dcs-p", "engine": "Redis", "engine_version": "3.0", "capacity": 64,
        "spec_code": "dcs.cluster", "password": "First_Pw1", "vpc_id": "v", "subnet_id": "s",
        "security_group_id": "6fd2f8a0-0000-4000-8000-00000000000b",
        "available_zones": ["ae04cf9d61544df3806a3feeb401b204"],
    });
    let created = server.ask("POST", &server.instances(), token, &order);
    assert_eq!(created.status, 200, "{}", created.body);
    created.body["instance_id"].as_str().unwrap().to_owned()
}

fn shown(server: &Server, token: &str, id: &str) -> Value {
    server.ask("GET", &format!("{}/{id}", server.instances()), token, &Value::Null).body
}

/// A client that has proven who it is, if it is let in.
fn connect(port: u16) -> Option<BufReader<TcpStream>> {
    let connection = TcpStream::connect(("127.0.0.1", port)).ok()?;
    connection.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut client = BufReader::new(connection);
    (ask(&mut client, "AUTH First_Pw1")? == "+OK").then_some(client)
}

/// The first line of an answer; nothing if the connection has ended.
fn ask(client: &mut BufReader<TcpStream>, line: &str) -> Option<String> {
    client.get_mut().write_all(format!("{line}\r\n").as_bytes()).ok()?;
    let mut answer = String::new();
    client.read_line(&mut answer).ok().filter(|bytes| *bytes > 0)?;
    Some(answer.trim_end().to_owned())
}

/// Writes the keys, which have their numbers as values.
fn fill(port: u16) {
    let mut client = connect(port).unwrap();
    for first in (0..KEYS).step_by(1000) {
        let lines: String = (first..first + 1000).map(|key| format!("SET k{key} {key}\r\n")).collect();
        client.get_mut().write_all(lines.as_bytes()).unwrap();
        let mut answers = vec![0; "+OK\r\n".len() * 1000];
        client.read_exact(&mut answers).unwrap();
    }
}

/// Looks whether all are there.
fn check(port: u16, when: &str) {
    let mut client = connect(port).unwrap_or_else(|| panic!("{when}: nobody is let in"));
    let keys = ask(&mut client, "DBSIZE").unwrap();
    assert!(keys[1..].parse::<usize>().unwrap() >= KEYS, "{when}: {keys}");
    for key in (0..KEYS).step_by(77) {
        assert_ne!(ask(&mut client, &format!("GET k{key}")).unwrap(), "$-1", "{when}: k{key}");
        let mut value = String::new();
        client.read_line(&mut value).unwrap();
        assert_eq!(value.trim_end(), key.to_string(), "{when}");
    }
}

/// Waits for a state that does not last.
#[allow(clippy::disallowed_methods, reason = "it is the patience of whoever runs the test")]
fn wait(what: &str, is_there: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_there() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{what}: that does not come");
        thread::yield_now();
    }
}

/// What is there when a process is killed in the midst of a change, and when to look for it.
type Moment = (&'static str, fn(nodes: &Path, id: &str) -> bool);

const MOMENTS: [Moment; 6] = [
    ("before anything", |_, _| true),
    ("while keys are set aside", |nodes, id| nodes.join(format!("{id}.draft")).exists()),
    ("when they have been", |nodes, id| nodes.join(format!("{id}.reserve")).exists()),
    ("when the old files are gone", |nodes, id| {
        nodes.join(format!("{id}.reserve")).exists() && !nodes.join(id).join("0/dump.rdb").exists()
    }),
    ("when some have been saved", |nodes, id| nodes.join(id).join("15").join("dump.rdb").exists()),
    ("when all have been", |nodes, id| {
        nodes.join(id).join("15").exists() && !nodes.join(format!("{id}.reserve")).exists()
    }),
];

#[test]
fn a_proxy_cluster_that_is_killed_while_its_shards_become_more_has_all_keys() {
    let kept = tempfile::tempdir().unwrap();
    let data_dir = kept.path().join("data");
    let data = data_dir.to_str().unwrap();
    let mut server = Server::start(&["--data-dir", data]);
    let token = server.token();
    let id = order(&server, &token);
    let port = u16::try_from(shown(&server, &token, &id)["port"].as_u64().unwrap()).unwrap();
    fill(port);
    server.signal("TERM");
    assert_eq!(server.process.wait().unwrap().code(), Some(0));
    let nodes = data_dir.join("nodes");
    let mut was_changed = Vec::new();
    for (moment, is_there) in MOMENTS {
        // The task of a change is recorded when it has been made, or before it is.
        let profiles: &[&str] = match moment {
            "when they have been" | "when all have been" => &["instant", "stepped"],
            _ => &["instant"],
        };
        for profile in profiles {
            let profile = *profile;
            let own = kept.path().join("own");
            let _ = fs::remove_dir_all(&own);
            copy(&data_dir, &own);
            let arguments = ["--data-dir", own.to_str().unwrap(), "--tasks", profile];
            let server = Server::start(&arguments);
            let path = format!("{}/{id}/extend", server.instances());
            let body = json!({"new_capacity": 128, "spec_code": "dcs.cluster"});
            let nodes = own.join("nodes");
            thread::scope(|scope| {
                let changing = scope.spawn(|| {
                    let mut connection =
                        TcpStream::connect(server.url.strip_prefix("http://").unwrap()).unwrap();
                    let (body, length) = (body.to_string(), body.to_string().len());
                    let request = format!(
                        "POST {path} HTTP/1.1\r\nhost: h\r\nconnection: close\r\nx-auth-token: {token}\r\n\
                         content-length: {length}\r\n\r\n{body}"
                    );
                    connection.write_all(request.as_bytes()).unwrap();
                    let mut answer = String::new();
                    // It is killed before it answers, or after.
                    let _ = connection.read_to_string(&mut answer);
                });
                if profile == "stepped" {
                    changing.join().unwrap();
                    assert_eq!(server.ask("POST", "/admin/tasks/step", "", &Value::Null).status, 200);
                }
                wait(moment, || is_there(&nodes, &id));
                server.signal("KILL");
            });
            drop(server);
            let when = format!("{moment}, {profile}");
            let server = Server::start(&arguments);
            let now = shown(&server, &token, &id);
            assert_ne!(now["status"], "ERROR", "{when}");
            check(port, &when);
            if profile == "stepped" && now["status"] == "EXTENDING" {
                // The task goes on when it is told to.
                assert_eq!(server.ask("POST", "/admin/tasks/step", "", &Value::Null).status, 200);
            }
            wait(&when, || shown(&server, &token, &id)["status"] == "RUNNING");
            let now = shown(&server, &token, &id);
            check(port, &when);
            let shards =
                fs::read_dir(nodes.join(&id)).unwrap().flatten().filter(|entry| entry.path().is_dir());
            assert_eq!(shards.count(), if now["capacity"] == 128 { 16 } else { 8 }, "{when}");
            assert_eq!(fs::read_dir(&nodes).unwrap().count(), 1, "{when}");
            was_changed.push(now["capacity"] == 128);
        }
    }
    assert!(nodes.exists());
    // Tasks that were recorded have been done, the others undone.
    assert!(was_changed.contains(&true) && was_changed.contains(&false), "{was_changed:?}");
}

/// Copies a directory that nobody writes to.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target)
        } else {
            _ = fs::copy(entry.path(), target).unwrap()
        }
    }
}

#[test]
fn nothing_that_was_answered_is_lost_while_shards_become_more() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(&["--data-dir", directory.path().to_str().unwrap()]);
    let token = server.token();
    let id = order(&server, &token);
    let port = u16::try_from(shown(&server, &token, &id)["port"].as_u64().unwrap()).unwrap();
    let (goes_on, answered) = (Arc::new(AtomicBool::new(true)), Arc::<AtomicU64>::default());
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let (goes_on, answered) = (Arc::clone(&goes_on), Arc::clone(&answered));
            thread::spawn(move || {
                let (mut client, mut last) = (None, 0_u64);
                while goes_on.load(Ordering::Relaxed) {
                    client = client.or_else(|| connect(port));
                    let Some(own) = &mut client else { continue };
                    if ask(own, &format!("SET w{writer}:{} x", last + 1)).as_deref() == Some("+OK") {
                        last += 1;
                        answered.fetch_add(1, Ordering::Relaxed);
                    } else {
                        client = None;
                    }
                }
                last
            })
        })
        .collect();
    let reach = |count: u64| {
        while answered.load(Ordering::Relaxed) < count {
            thread::sleep(Duration::from_millis(1));
        }
    };
    reach(1000);
    for gb in [128, 256] {
        let body = json!({"new_capacity": gb, "spec_code": "dcs.cluster"});
        let path = format!("{}/{id}/extend", server.instances());
        let extended = server.ask("POST", &path, &token, &body);
        assert_eq!(extended.status, 204, "{}", extended.body);
        reach(answered.load(Ordering::Relaxed) + 1000);
    }
    goes_on.store(false, Ordering::Relaxed);
    let mut client = connect(port).unwrap();
    for (writer, thread) in writers.into_iter().enumerate() {
        for key in 1..=thread.join().unwrap() {
            assert_eq!(
                ask(&mut client, &format!("EXISTS w{writer}:{key}")).unwrap(),
                ":1",
                "w{writer}:{key}"
            );
        }
    }
}
