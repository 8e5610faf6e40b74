//! Keys that are copied from elsewhere: from files, from masters, and from servers that are none.

mod orders;
mod wait;

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use command::Release;
use orders::order_of;
use server::import::{Find, Import, ImportError, Server, Watcher};
use server::{Clock, Cluster, ClusterOrder, Holders, Order, Pair, Proxy, ProxyOrder, Running, Workers};
use testkit::{Client, Reply};
use wait::until;

#[derive(Default)]
struct Told {
    is_unwanted: AtomicBool,
    follows: AtomicBool,
    percent: AtomicU8,
    warnings: Mutex<Vec<String>>,
}

impl Watcher for Told {
    fn goes_on(&self) -> bool {
        !self.is_unwanted.load(Ordering::Relaxed)
    }

    fn percent(&self, percent: u8) {
        self.percent.store(percent, Ordering::Relaxed);
    }

    fn source_keys(&self, _: u64) {}

    fn follows(&self) {
        self.follows.store(true, Ordering::Relaxed);
    }

    fn offset(&self, _: u64) {}

    fn note(&self, is_warning: bool, text: &str) {
        if is_warning {
            self.warnings.lock().unwrap().push(text.to_owned());
        }
    }
}

struct World {
    workers: Arc<Workers>,
    clock: Arc<Clock>,
}

fn world() -> World {
    World { workers: Workers::start(2).unwrap(), clock: Arc::new(Clock::new()) }
}

fn order(release: Release, config: &[(&str, &str)]) -> Order {
    order_of(release, None, config)
}

/// A source that sends its keys at once.
fn source(world: &World) -> Running {
    let config = [("repl-diskless-sync-delay", "0"), ("requirepass", "pw")];
    Running::start(&world.workers, &world.clock, &order(Release::V7_4, &config)).unwrap()
}

fn server(running: &Running) -> Server {
    let password = Some("pw".to_owned());
    Server { host: "127.0.0.1".to_owned(), port: running.address().port(), password, bytes_per_s: 0 }
}

fn client(running: &Running) -> Client {
    let mut client = Client::connect(running.address());
    client.say("AUTH pw");
    client
}

fn pair(world: &World) -> Arc<Pair> {
    let pair = Pair::start(&world.workers, &world.clock, &order(Release::V5_0, &[]), 1).unwrap();
    Arc::new(pair)
}

fn find(pair: &Arc<Pair>) -> Find {
    let pair = Arc::clone(pair);
    Arc::new(move || {
        loop {
            // There is nobody in the midst of a failover.
            match Holders::of_pair(&pair).target() {
                Some(target) => return Some(target),
                None => std::thread::yield_now(),
            }
        }
    })
}

fn copy(
    world: &World,
    find: Find,
    told: &Arc<Told>,
    server: Server,
    follows: bool,
) -> JoinHandle<Result<(), ImportError>> {
    let (workers, clock, told) = (Arc::clone(&world.workers), Arc::clone(&world.clock), Arc::clone(told));
    std::thread::spawn(move || Import::new(&workers, find, told)?.server(&clock, &server, follows))
}

fn bulk(text: &str) -> Reply {
    Reply::Bulk(text.as_bytes().to_vec())
}

#[tokio::test]
async fn what_a_master_has_and_changes_is_copied_and_a_failover_does_not_matter() {
    let world = world();
    let (from, to, told) = (source(&world), pair(&world), Arc::<Told>::default());
    to.loaded().await.unwrap();
    until("the standby follows", || to.standby().is_some_and(|standby| standby.master.is_up())).await;
    let mut here = client(&from);
    for number in 0..300 {
        here.say(&format!("RPUSH list{number} a b {number}"));
        here.say(&format!("HSET hash{number} a 1 b 2"));
    }
    here.say("SET fleeting 1 EX 1000");
    here.say("SELECT 3");
    here.say("XADD stream 1-1 a b");
    let mut there = Client::connect(to.address());
    there.say("SET own 1");
    there.say("SET list1 old");
    let copying = copy(&world, find(&to), &told, server(&from), true);
    until("what there was is copied", || told.follows.load(Ordering::Relaxed)).await;
    assert_eq!(there.say("DBSIZE"), Reply::Integer(602));
    assert_eq!(there.say("LRANGE list1 2 2"), Reply::Array(vec![bulk("1")]));
    let Reply::Integer(ttl) = there.say("TTL fleeting") else { panic!("it has a time to live") };
    assert!((900..=1000).contains(&ttl), "{ttl}");

    here.say("MULTI");
    here.say("SET both 1");
    here.say("INCR both");
    here.say("EXEC");
    there.say("SELECT 3");
    until("what changes is copied", || there.say("GET both") == bulk("2")).await;
    assert_eq!(there.say("XLEN stream"), Reply::Integer(1));

    to.failover(None).await.unwrap();
    here.say("SET later 1");
    let mut there = Client::connect(to.address());
    there.say("SELECT 3");
    until("what changes reaches the new master", || there.say("GET later") == bulk("1")).await;
    until("another standby follows", || to.standby().is_some_and(|standby| standby.master.is_up())).await;
    // Nothing is lost of what comes while the master changes.
    let writing = std::thread::spawn(move || (0..2_000).for_each(|_| _ = here.say("INCR counter")));
    to.failover(None).await.unwrap();
    writing.join().unwrap();
    let mut there = Client::connect(to.address());
    there.say("SELECT 3");
    until("all that was written is copied", || there.say("GET counter") == bulk("2000")).await;
    told.is_unwanted.store(true, Ordering::Relaxed);
    assert!(matches!(copying.join().unwrap(), Err(ImportError::Stopped)));
    assert_eq!(*told.warnings.lock().unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_source_that_is_no_master_is_asked_key_by_key() {
    let world = world();
    let order = ProxyOrder { nodes: order(Release::V5_0, &[]), shards: 2, standbys: 0 };
    let proxy = Arc::new(Proxy::start(&world.workers, &world.clock, &order).unwrap());
    proxy.loaded().await.unwrap();
    let mut here = Client::connect(proxy.address());
    for number in 0..500 {
        here.say(&format!("ZADD zset{number} 1 a 2 {number}"));
    }
    here.say("SET fleeting 1 EX 1000");
    let (to, told) = (pair(&world), Arc::<Told>::default());
    to.loaded().await.unwrap();
    let from = Server { host: "127.0.0.1".to_owned(), port: proxy.address().port(), ..Server::default() };
    copy(&world, find(&to), &told, from.clone(), false).join().unwrap().unwrap();
    let mut there = Client::connect(to.address());
    assert_eq!(there.say("DBSIZE"), Reply::Integer(501));
    assert_eq!(there.say("ZSCORE zset7 7"), bulk("2"));
    assert!(matches!(there.say("TTL fleeting"), Reply::Integer(900..=1000)));
    assert_eq!(told.percent.load(Ordering::Relaxed), 100);
    // It cannot be followed, and that is said.
    let followed = copy(&world, find(&to), &told, from, true).join().unwrap();
    assert!(matches!(followed, Err(ImportError::Refused(_))));
}

#[tokio::test]
async fn keys_go_to_the_nodes_that_have_their_slots() {
    let world = world();
    let (from, told) = (source(&world), Arc::<Told>::default());
    let mut here = client(&from);
    for number in 0..300 {
        here.say(&format!("SET key{number} {number}"));
    }
    let cluster = ClusterOrder {
        nodes: order(Release::V5_0, &[("cluster-enabled", "yes")]),
        name: "import".to_owned(),
        masters: 3,
        replicas: 0,
        ports: Vec::new(),
    };
    let cluster = Arc::new(Cluster::start(&world.workers, &world.clock, &cluster, |_| true).unwrap());
    cluster.loaded().await.unwrap();
    let all = || -> i64 {
        let sizes = cluster.addresses().into_iter().map(|address| Client::connect(address).say("DBSIZE"));
        sizes.map(|size| if let Reply::Integer(keys) = size { keys } else { 0 }).sum()
    };
    let target = Arc::clone(&cluster);
    let find: Find = Arc::new(move || Holders::of_cluster(&target).target());
    let copying = copy(&world, find, &told, server(&from), true);
    until("what there was is copied", || told.follows.load(Ordering::Relaxed)).await;
    assert_eq!(all(), 300);
    here.say("MSET more1 1 more2 2 more3 3");
    here.say("DEL key1 key2 key3 key4");
    until("what changes is copied", || all() == 299).await;
    here.say("SELECT 1");
    here.say("SET elsewhere 1");
    // A cluster has one database.
    assert!(matches!(copying.join().unwrap(), Err(ImportError::Damaged(_))));
}

#[tokio::test]
async fn files_of_keys_and_of_commands_are_imported_beside_what_there_is() {
    let world = world();
    let (from, to, told) = (source(&world), pair(&world), Arc::<Told>::default());
    to.loaded().await.unwrap();
    let mut here = client(&from);
    here.say("SADD set a b c");
    here.say("SELECT 2");
    here.say("SET two 2");
    let directory = tempfile::tempdir().unwrap();
    Holders::of_one(&from).back_up(directory.path(), false).await.unwrap();
    let keys = directory.path().join("0.rdb");
    let commands = b"#TS:1\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n*2\r\n$4\r\nINCR\r\n$1\r\na\r\n";
    let own = |name: &str, bytes: &[u8]| {
        let path = directory.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let both = own("both.aof", &[&std::fs::read(&keys).unwrap()[..], commands].concat());
    let short = own("short.aof", &commands[..commands.len() - 4]);
    let nonsense = own("nonsense.aof", b"these are no commands");
    let mut there = Client::connect(to.address());
    there.say("SET own 1");
    let import = |path: &Path| {
        let (workers, told) = (Arc::clone(&world.workers), Arc::clone(&told));
        let (find, path) = (find(&to), path.to_owned());
        std::thread::spawn(move || Import::new(&workers, find, told)?.file(&path)).join().unwrap()
    };
    import(&both).unwrap();
    assert_eq!(there.say("DBSIZE"), Reply::Integer(3));
    assert_eq!((there.say("GET a"), there.say("SCARD set")), (bulk("2"), Reply::Integer(3)));
    there.say("SELECT 2");
    assert_eq!(there.say("GET two"), bulk("2"));
    import(&short).unwrap();
    assert_eq!(told.warnings.lock().unwrap().len(), 1, "the last command breaks off");
    assert!(matches!(import(&nonsense), Err(ImportError::Damaged(_))));
    assert!(matches!(import(Path::new("/nowhere")), Err(ImportError::Io(_))));
    let mut damaged = std::fs::read(&keys).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    assert!(matches!(import(&own("damaged.rdb", &damaged)), Err(ImportError::Damaged(_))));
}
