//! Nodes that run get another form: a single one a standby, a cluster other numbers of masters and replicas. Clients go on
//! meanwhile, and find all that they have written.

mod orders;
mod wait;

use command::Release;
use orders::order_of;
use server::{Clock, Cluster, ClusterOrder, Order, Pair, Running, Workers};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use testkit::{Client, Reply, Writers};
use wait::until;

fn order(directory: Option<PathBuf>, config: &[(&str, &str)]) -> Order {
    order_of(Release::V5_0, directory, config)
}

/// A client of a cluster that goes where it is sent, and back to the node that stays when the one it is at has gone.
struct Walker {
    password: Option<&'static str>,
    home: SocketAddr,
    at: SocketAddr,
    clients: HashMap<SocketAddr, Client>,
}

impl Walker {
    fn new(home: SocketAddr, password: Option<&'static str>) -> Self {
        Walker { password, home, at: home, clients: HashMap::new() }
    }

    /// The connection to a node, unless it has gone.
    fn client(&mut self, at: SocketAddr) -> Option<&mut Client> {
        Some(match self.clients.entry(at) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(vacant) => {
                let mut client = Client::try_connect(at).ok()?;
                if let Some(password) = self.password {
                    client.run(&["AUTH", password]);
                }
                vacant.insert(client)
            }
        })
    }

    fn say(&mut self, line: &str) -> Reply {
        let (mut at, mut asks) = (self.at, false);
        for _ in 0..100 {
            let reply = self.client(at).map_or(Reply::Closed, |client| {
                if asks {
                    client.say("ASKING");
                }
                client.say(line)
            });
            if reply == Reply::Closed {
                // A node that has gone served no slot any more, so it has done nothing of what it was asked.
                assert_ne!(at, self.home, "{line}: the node that stays has gone");
                self.clients.remove(&at);
                (self.at, at, asks) = (self.home, self.home, false);
                continue;
            }
            let Reply::Error(error) = &reply else { return reply };
            let error = String::from_utf8_lossy(error);
            let words: Vec<&str> = error.split(' ').collect();
            match words[..] {
                ["MOVED", _, to] => (at, asks) = (to.parse().unwrap(), false),
                ["ASK", _, to] => (at, asks) = (to.parse().unwrap(), true),
                _ => panic!("{line}: {error}"),
            }
            self.at = if asks { self.at } else { at };
        }
        panic!("{line} is sent from node to node")
    }
}

#[tokio::test]
async fn a_node_gets_a_standby_and_loses_it_and_nobody_notices() {
    let workers = Workers::start(2).unwrap();
    let clock = Arc::new(Clock::new());
    let order = order(None, &[("requirepass", "secret")]);
    let running = Running::start(&workers, &clock, &order).unwrap();
    let address = running.address();
    let open = Order { config: Vec::new(), ..order.clone() };
    let mut client = Client::connect(address);
    client.run(&["AUTH", "secret"]);
    assert_eq!(client.say("SET a 1"), Reply::Status("OK".into()));
    let pair = Pair::of(running, &workers, &clock, &order);
    assert!(pair.standby().is_none());
    for _ in 0..3 {
        pair.keep_standbys(1, &[]).await;
        assert!(pair.standby().is_some_and(|standby| standby.master.is_up()));
        assert_eq!(client.say("GET a").text(), "1", "the connection is the same");
        pair.keep_standbys(0, &[]).await;
        assert!(pair.standby().is_none());
        assert!(pair.failover(None).await.is_err());
        assert!(matches!(client.say("INCR b"), Reply::Integer(_)));
    }
    pair.keep_standbys(1, &[]).await;
    pair.failover(None).await.unwrap();
    for wanted in [2, 3, 2] {
        pair.keep_standbys(1, &[]).await;
        // Standbys that come or go are no failover: one that is ordered meanwhile waits for them.
        let (failed_over, ()) = tokio::join!(pair.failover(None), pair.keep_standbys(wanted, &[]));
        assert_eq!(failed_over, Ok(()));
    }
    let mut client = Client::connect(address);
    client.run(&["AUTH", "secret"]);
    assert_eq!(client.say("GET a").text(), "1");
    assert_eq!(client.say("GET b").text(), "3");
    pair.stop().await;

    // And under load, again and again, begun as soon as the node is a pair.
    for _ in 0..10 {
        let running = Running::start(&workers, &clock, &open).unwrap();
        let writers = Writers::start(running.address(), &["a"]);
        let pair = Pair::of(running, &workers, &clock, &open);
        pair.keep_standbys(1, &[]).await;
        let standby = pair.standby().unwrap();
        assert!(standby.master.is_up(), "it is the one that stays");
        pair.failover(None).await.unwrap();
        let before = writers.least();
        until("all write again", || writers.least() > before + 20).await;
        tokio::task::spawn_blocking(|| writers.stop()).await.unwrap();
        pair.stop().await;
    }
}

fn started(workers: &Arc<Workers>, directory: Option<PathBuf>, masters: usize, replicas: usize) -> Cluster {
    let config = [("requirepass", "secret"), ("masterauth", "secret")];
    let order = ClusterOrder {
        nodes: order(directory, &config),
        name: "test".to_owned(),
        masters,
        replicas,
        ports: Vec::new(),
    };
    Cluster::start(workers, &Arc::new(Clock::new()), &order, |_| true).unwrap()
}

/// The numbers of masters and of replicas; each master has its part of the slots, and as many replicas as the others.
fn shape(cluster: &Cluster) -> (usize, usize) {
    let mut client = Client::connect(cluster.address());
    client.run(&["AUTH", "secret"]);
    let nodes = client.say("CLUSTER NODES").text();
    let rows: Vec<Vec<&str>> = nodes.lines().map(|line| line.split(' ').collect()).collect();
    let masters: Vec<_> = rows.iter().filter(|row| row[2].contains("master")).collect();
    let mut all = 0;
    for master in &masters {
        let slots: usize = master[8..]
            .iter()
            .map(|range| {
                let (first, last) = range.split_once('-').unwrap_or((range, range));
                last.parse::<usize>().unwrap() + 1 - first.parse::<usize>().unwrap()
            })
            .sum();
        assert!(slots.abs_diff(16_384 / masters.len()) <= 1, "{nodes}");
        let followers = rows.iter().filter(|row| row[3] == master[0]).count();
        assert_eq!(followers * masters.len(), rows.len() - masters.len(), "{nodes}");
        all += slots;
    }
    assert_eq!(all, 16_384, "{nodes}");
    (masters.len(), rows.len() - masters.len())
}

const FORMS: [(usize, usize); 6] = [(6, 1), (6, 0), (3, 2), (4, 0), (1, 1), (3, 1)];

#[tokio::test]
async fn a_cluster_gets_other_forms_while_clients_write() {
    let workers = Workers::start(2).unwrap();
    let cluster = started(&workers, None, 3, 1);
    cluster.loaded().await.unwrap();
    let address = cluster.address();
    let done = Arc::new(AtomicBool::new(false));
    let writing = std::thread::spawn({
        let done = Arc::clone(&done);
        move || {
            let mut walker = Walker::new(address, Some("secret"));
            let mut rounds = 0;
            while !done.load(Ordering::Relaxed) {
                rounds += 1;
                for key in 0..200 {
                    let reply = walker.say(&format!("INCR key:{key}"));
                    assert_eq!(reply, Reply::Integer(rounds), "key:{key}");
                }
            }
            rounds
        }
    });
    for (masters, replicas) in FORMS {
        cluster.resize(masters, replicas, |_| true).await.unwrap();
        assert_eq!(shape(&cluster), (masters, masters * replicas));
        assert_eq!(cluster.address(), address);
    }
    done.store(true, Ordering::Relaxed);
    let rounds = tokio::task::spawn_blocking(|| writing.join()).await.unwrap().unwrap();
    let mut walker = Walker::new(address, Some("secret"));
    for key in 0..200 {
        assert_eq!(walker.say(&format!("GET key:{key}")).text(), rounds.to_string());
    }
    cluster.stop().await;
}

#[tokio::test]
async fn who_rests_at_a_node_that_goes_finds_the_keys_at_another() {
    let workers = Workers::start(2).unwrap();
    let cluster = started(&workers, None, 3, 0);
    cluster.loaded().await.unwrap();
    let (home, last) = (cluster.address(), cluster.addresses()[2]);
    let mut walker = Walker::new(home, Some("secret"));
    let key = (0..100).map(|number| format!("key:{number}")).find(|key| {
        assert_eq!(walker.say(&format!("INCR {key}")), Reply::Integer(1));
        walker.at == last
    });
    let key = key.expect("a third of the slots is there");
    cluster.resize(2, 0, |_| true).await.unwrap();
    assert_eq!(walker.client(last).unwrap().say("PING"), Reply::Closed);
    assert_eq!(walker.say(&format!("INCR {key}")), Reply::Integer(2));
    assert!(Client::try_connect(last).is_err());
    cluster.stop().await;
}

#[tokio::test]
async fn a_cluster_that_has_got_another_form_begins_again_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let workers = Workers::start(2).unwrap();
    let own = || Some(directory.path().to_owned());
    let mut before = (3, 1);
    for form in [(5, 1), (2, 0), (3, 1)] {
        // Told the form that it had before, it begins with the nodes that it has.
        let cluster = started(&workers, own(), before.0, before.1);
        cluster.loaded().await.unwrap();
        let mut walker = Walker::new(cluster.address(), Some("secret"));
        for key in 0..50 {
            walker.say(&format!("SET key:{key} {key}"));
        }
        cluster.resize(form.0, form.1, |_| true).await.unwrap();
        assert!(cluster.stop_and_save(true).await);
        let again = started(&workers, own(), form.0, form.1);
        again.loaded().await.unwrap();
        assert_eq!(shape(&again), (form.0, form.0 * form.1));
        let mut walker = Walker::new(again.address(), Some("secret"));
        for key in 0..50 {
            assert_eq!(walker.say(&format!("GET key:{key}")).text(), key.to_string());
        }
        assert!(again.stop_and_save(true).await);
        before = form;
    }
    // A process that was killed before it could say that there are more nodes.
    let cluster = started(&workers, own(), 3, 1);
    cluster.resize(4, 1, |_| true).await.unwrap();
    assert!(cluster.stop_and_save(true).await);
    let again = started(&workers, own(), 3, 1);
    again.loaded().await.unwrap();
    again.resize(3, 1, |_| true).await.unwrap();
    assert_eq!(shape(&again), (3, 3));
    let mut walker = Walker::new(again.address(), Some("secret"));
    for key in 0..50 {
        assert_eq!(walker.say(&format!("GET key:{key}")).text(), key.to_string());
    }
    again.stop().await;
}
