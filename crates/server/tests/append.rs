//! The append-only file of a node whose snapshots are somebody else's for the moment, or whose files are.

use command::Release;
use engine::Node;
use keyspace::{Cut, Snapshot};
use server::{Clock, Order, Running, Workers};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use testkit::Client;

/// How often it is looked whether something has happened: much longer than it should take.
const LOOKS: usize = 6_000;

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..LOOKS {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("{what}");
}

async fn started(workers: &Arc<Workers>, folder: &Path, config: &[(&str, &str)]) -> Running {
    let config = config.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let order = Order {
        release: Release::V7_4,
        address: ([127, 0, 0, 1], 0).into(),
        seed: 7,
        config: config.collect(),
        directory: Some(folder.to_owned()),
        seat: None,
    };
    let running = Running::start(workers, &Arc::new(Clock::new()), &order).unwrap();
    running.loaded().await.unwrap();
    running
}

/// A snapshot that somebody takes and does not end.
fn cut(node: &Node) -> Cut {
    let form = node.form();
    node.keyspace.lock_blocking(node.keyspace.all()).cut(0, form).unwrap()
}

fn end(node: &Node, cut: Cut) {
    drop(Snapshot::of(&node.keyspace, cut));
    node.do_what_waited();
}

fn files(folder: &Path) -> BTreeSet<String> {
    let files = fs::read_dir(folder).unwrap();
    files.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn a_file_is_begun_as_soon_as_another_snapshot_has_ended() {
    let (folder, workers) = (tempfile::tempdir().unwrap(), Workers::start(2).unwrap());
    let running = started(&workers, folder.path(), &[]).await;
    let node = Arc::clone(running.node());
    let mut client = Client::connect(running.address());
    client.say("SET a 1");
    let other = cut(&node);
    assert_eq!(client.say("CONFIG SET appendonly yes").text(), "OK");
    // Whether it has been tried meanwhile or not makes no difference.
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!node.append_file.is_on());
    end(&node, other);
    until("changes are appended", || node.append_file.is_on()).await;
    until("the base is there", || folder.path().join("appendonlydir/appendonly.aof.manifest").exists()).await;
    running.stop().await;
}

#[tokio::test]
async fn a_file_that_grows_waits_for_another_snapshot_and_is_rewritten_once() {
    let (folder, workers) = (tempfile::tempdir().unwrap(), Workers::start(2).unwrap());
    let config = [("appendonly", "yes"), ("auto-aof-rewrite-min-size", "1")];
    let running = started(&workers, folder.path(), &config).await;
    let node = Arc::clone(running.node());
    let mut client = Client::connect(running.address());
    let other = cut(&node);
    for number in 0..500 {
        client.say(&format!("SET key{number} value"));
    }
    let parts = folder.path().join("appendonlydir");
    let increments = || files(&parts).iter().filter(|name| name.ends_with("incr.aof")).count();
    assert!(increments() <= 2, "{:?}", files(&parts));
    until("it waits", || node.rewriting.state().is_scheduled).await;
    assert_eq!(client.say("BGREWRITEAOF").text(), "Background append only file rewriting scheduled");
    end(&node, other);
    until("it is rewritten", || parts.join("appendonly.aof.2.base.rdb").exists()).await;
    until("the rest is gone", || increments() == 1).await;
    running.stop().await;
}

#[tokio::test]
async fn a_save_waits_for_another_snapshot() {
    let (folder, workers) = (tempfile::tempdir().unwrap(), Workers::start(2).unwrap());
    let running = started(&workers, folder.path(), &[]).await;
    let node = Arc::clone(running.node());
    let other = cut(&node);
    let mut client = Client::connect(running.address());
    client.say("SET a 1");
    let saving = std::thread::spawn(move || client.say("SAVE").text());
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert!(!saving.is_finished());
    end(&node, other);
    until("it is saved", || saving.is_finished()).await;
    assert_eq!(saving.join().unwrap(), "OK");
    assert!(folder.path().join("dump.rdb").exists());
    running.stop().await;
}

#[tokio::test]
async fn who_has_given_files_up_does_not_touch_them_any_more() {
    let (folder, workers) = (tempfile::tempdir().unwrap(), Workers::start(2).unwrap());
    let running = started(&workers, folder.path(), &[("appendonly", "yes")]).await;
    let node = Arc::clone(running.node());
    let mut client = Client::connect(running.address());
    for number in 0..20 {
        let mut set = vec!["MSET".to_owned()];
        (0..1000).for_each(|key| set.extend([format!("{number}:{key}"), "value".to_owned()]));
        client.run(&set.iter().map(String::as_str).collect::<Vec<_>>());
    }
    client.say("BGREWRITEAOF");
    let own = Arc::clone(&node);
    tokio::task::spawn_blocking(move || own.give_up_files()).await.unwrap();
    let parts = folder.path().join("appendonlydir");
    let manifest = fs::read_to_string(parts.join("appendonly.aof.manifest")).unwrap();
    let named: Vec<String> =
        manifest.lines().map(|line| line.split(' ').nth(1).unwrap().to_owned()).collect();
    let lens = || named.iter().map(|name| fs::metadata(parts.join(name)).unwrap().len()).collect::<Vec<_>>();
    let before = lens();
    until("nothing runs any more", || node.rewriting.state().running_since_s.is_none()).await;
    client.say("SET late 1");
    assert_eq!(fs::read_to_string(parts.join("appendonly.aof.manifest")).unwrap(), manifest);
    assert_eq!(lens(), before, "{named:?}");
    running.stop().await;
    let running = started(&workers, folder.path(), &[("appendonly", "yes")]).await;
    assert_eq!(Client::connect(running.address()).say("DBSIZE").integer(), 20_000);
    running.stop().await;
}
