//! The append-only file of a node whose snapshots are somebody else's for the moment, or whose files are.

mod disk;
mod orders;
mod wait;

use command::Release;
use disk::copied;
use engine::Node;
use keyspace::{Cut, Snapshot};
use orders::order_of;
use server::{Clock, Fault, Order, Pair, Running, Workers};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use testkit::Client;
use wait::until;

fn order(folder: &Path, config: &[(&str, &str)]) -> Order {
    order_of(Release::V7_4, Some(folder.to_owned()), config)
}

async fn started(workers: &Arc<Workers>, folder: &Path, config: &[(&str, &str)]) -> Running {
    let running = Running::start(workers, &Arc::new(Clock::new()), &order(folder, config)).unwrap();
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

/// Makes so many thousands of keys.
fn fill(client: &mut Client, thousands: usize) {
    for number in 0..thousands {
        let mut set = vec!["MSET".to_owned()];
        (0..1000).for_each(|key| set.extend([format!("{number}:{key}"), "value".to_owned()]));
        client.run(&set.iter().map(String::as_str).collect::<Vec<_>>());
    }
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
    fill(&mut client, 20);
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

#[tokio::test]
async fn what_is_acknowledged_after_a_failover_is_in_the_file_at_once() {
    for release in [Release::V5_0, Release::V7_4] {
        for fault in [None, Some(Fault::Stop), Some(Fault::Hang)] {
            let (folder, workers) = (tempfile::tempdir().unwrap(), Workers::start(2).unwrap());
            let config = [("appendonly", "yes"), ("appendfsync", "always")];
            let order = Order { release, ..order(folder.path(), &config) };
            let pair = Pair::start(&workers, &Arc::new(Clock::new()), &order, 1).unwrap();
            pair.loaded().await.unwrap();
            let in_step = || pair.standby().is_some_and(|standby| standby.master.is_up());
            let mut client = Client::connect(pair.address());
            // So much that a base of it takes a while.
            fill(&mut client, 4);
            client.say("SELECT 3");
            for round in 0..2 {
                until("the standby follows", in_step).await;
                client.say(&format!("SET before{round} 1"));
                // What has not reached the standby may go with its master.
                assert_eq!(client.say("WAIT 1 5000").integer(), 1);
                let before = pair.failovers();
                match fault {
                    None => pair.failover(None).await.unwrap(),
                    Some(fault) => assert!(pair.fail(fault)),
                }
                // That a master hangs is noticed when a client waits for it.
                let waits = std::thread::spawn(move || _ = client.say("GET waits"));
                until("the standby has taken over", || pair.failovers() > before).await;
                waits.join().unwrap();
                client = Client::connect(pair.address());
                client.say("SELECT 3");
                assert_eq!(client.say(&format!("SET after{round} 1")).text(), "OK");
                let killed = copied(folder.path());
                let again = Running::start(
                    &workers,
                    &Arc::new(Clock::new()),
                    &Order { directory: Some(killed.path().to_owned()), ..order.clone() },
                );
                let again = again.unwrap();
                again.loaded().await.unwrap();
                let mut other = Client::connect(again.address());
                other.say("SELECT 3");
                let found = other.say("DBSIZE").integer();
                assert_eq!(found, 2 * (round + 1), "{release:?} {fault:?}: after failover {round}");
                other.say("SELECT 0");
                assert_eq!(other.say("DBSIZE").integer(), 4_000);
                again.stop().await;
            }
            pair.stop().await;
        }
    }
}

#[tokio::test]
async fn a_file_that_a_client_has_begun_goes_on_with_whoever_serves() {
    for release in [Release::V5_0, Release::V7_4] {
        let (folder, workers) = (tempfile::tempdir().unwrap(), Workers::start(2).unwrap());
        let order = Order { release, ..order(folder.path(), &[]) };
        let pair = Pair::start(&workers, &Arc::new(Clock::new()), &order, 1).unwrap();
        pair.loaded().await.unwrap();
        let mut client = Client::connect(pair.address());
        client.say("SET before 1");
        assert_eq!(client.say("CONFIG SET appendonly yes").text(), "OK");
        until("changes are appended", || pair.master().unwrap().append_file.is_on()).await;
        for round in 0..2 {
            until("the standby follows", || pair.standby().is_some_and(|standby| standby.master.is_up()))
                .await;
            // The standby has no files of its own, whatever its master is told.
            assert!(!pair.standby().unwrap().append_file.is_on(), "{release:?}");
            pair.failover(None).await.unwrap();
            client = Client::connect(pair.address());
            let told = client.say("CONFIG GET appendonly");
            assert_eq!(told.elements()[1].text(), "yes", "{release:?}");
            assert_eq!(client.say(&format!("SET after{round} 1")).text(), "OK");
        }
        let killed = copied(folder.path());
        let config = vec![("appendonly".to_owned(), "yes".to_owned())];
        let again = Order { directory: Some(killed.path().to_owned()), config, ..order };
        let again = Running::start(&workers, &Arc::new(Clock::new()), &again).unwrap();
        again.loaded().await.unwrap();
        let found = Client::connect(again.address()).say("EXISTS before after0 after1").integer();
        assert_eq!(found, 3, "{release:?}");
        again.stop().await;
        // And it ends where a client wants it to, also after a failover.
        assert_eq!(client.say("CONFIG SET appendonly no").text(), "OK");
        until("nothing is appended", || !pair.master().unwrap().append_file.is_on()).await;
        until("the standby follows", || pair.standby().is_some_and(|standby| standby.master.is_up())).await;
        pair.failover(None).await.unwrap();
        assert!(!pair.master().unwrap().append_file.is_on(), "{release:?}");
        pair.stop().await;
    }
}

#[tokio::test]
async fn a_rewrite_that_fails_leaves_nothing_out_of_what_the_file_holds() {
    let (folder, workers) = (tempfile::tempdir().unwrap(), Workers::start(2).unwrap());
    let running = started(&workers, folder.path(), &[("appendonly", "yes")]).await;
    let parts = folder.path().join("appendonlydir");
    let all = || {
        let lens = files(&parts).into_iter().filter(|name| name.ends_with(".aof") || name.ends_with(".rdb"));
        lens.map(|name| fs::metadata(parts.join(name)).unwrap())
            .filter(fs::Metadata::is_file)
            .map(|data| data.len())
            .sum::<u64>()
    };
    let mut client = Client::connect(running.address());
    client.say("SET a 1");
    assert_eq!(client.info("aof_current_size"), all().to_string());
    // The place of the next base is taken.
    fs::create_dir(parts.join("appendonly.aof.2.base.rdb")).unwrap();
    for failures in 1..3 {
        client.say("BGREWRITEAOF");
        until("it fails", || running.node().rewriting.state().failures == failures).await;
        client.say("SET b 1");
        assert_eq!(client.info("aof_current_size"), all().to_string(), "after {failures} failures");
    }
    fs::remove_dir(parts.join("appendonly.aof.2.base.rdb")).unwrap();
    client.say("BGREWRITEAOF");
    until("it succeeds", || running.node().rewriting.state().failures == 0).await;
    until("the rest is gone", || files(&parts).len() == 3).await;
    assert_eq!(client.info("aof_current_size"), all().to_string());
    running.stop().await;
}
