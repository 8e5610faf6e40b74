//! A node without sockets, and a client of it.

#![allow(dead_code, reason = "no test uses all of it")]

use command::Release;
use engine::blocking::{Waiter, forget};
use engine::cluster::Seat;
use engine::execute::expire_due;
use engine::host::{Background, Host, Process};
use engine::node::{Node, Spec};
use engine::session::State;
use engine::{BadParameter, Client, Session, Step, Worker, execute};
use keyspace::effects::Garbage;
use resp::{OwnedArgs, Reply};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A world whose clock stands still unless it is moved, and in which nothing happens by itself.
struct World {
    now_us: AtomicI64,
    /// Keys whose values have been freed elsewhere.
    reclaimed: AtomicUsize,
    /// What the node has had logged.
    logged: Mutex<Vec<String>>,
}

impl Host for World {
    fn wall_us(&self) -> i64 {
        self.now_us.load(Ordering::Relaxed)
    }

    fn ns_per_giga_tick(&self) -> u64 {
        1_000_000_000
    }

    fn expire_at(&self, _: i64) {}

    fn process(&self) -> Process {
        Process { id: 7, resident_bytes: Some(1 << 20), ..Process::default() }
    }

    fn directory(&self) -> String {
        "/data".to_owned()
    }

    fn log(&self, message: &str) {
        self.logged.lock().unwrap().push(message.to_owned());
    }

    fn tend_at(&self, _: i64) {}

    fn stream_begun(&self) {}

    fn failover_begun(&self) {}

    fn master_changed(&self) {}

    fn take_over(&self, _: bool) {}

    fn background(&self, _: &'static str, _: Background) {}

    fn detached(&self, _: &'static str, _: Box<dyn FnOnce() + Send>) -> bool {
        false
    }

    fn suspected(&self) {}

    fn may_shut_down(&self) -> bool {
        false
    }

    fn shut_down(&self) {}

    fn reclaim(&self, garbage: Vec<Garbage>) {
        self.reclaimed.fetch_add(garbage.iter().map(Garbage::len).sum(), Ordering::Relaxed);
    }
}

/// A client of a node that nobody else uses.
pub(crate) struct Caller {
    pub(crate) node: Arc<Node>,
    world: Arc<World>,
    session: Session,
    worker: Worker,
}

impl Caller {
    /// A client of a node of a release, with these parameters.
    pub(crate) fn new(release: Release, config: &[(&str, &str)]) -> Result<Caller, BadParameter> {
        Caller::seated(release, config, 6379, None)
    }

    /// A client of a node that listens on a port, and that may have a place in a cluster.
    pub(crate) fn seated(
        release: Release,
        config: &[(&str, &str)],
        port: u16,
        seat: Option<Seat>,
    ) -> Result<Caller, BadParameter> {
        let config = config.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let address = ([127, 0, 0, 1], port).into();
        let spec = Spec {
            withheld: &[],
            release,
            shards: 4,
            workers: 2,
            seed: 7,
            address,
            config: config.collect(),
            directory: None,
            seat,
        };
        let world = Arc::new(World {
            now_us: AtomicI64::new(1_800_000_000_000_000),
            reclaimed: AtomicUsize::new(0),
            logged: Mutex::default(),
        });
        let node = Arc::new(Node::new(&spec, Arc::clone(&world) as Arc<dyn Host>)?);
        if let Some(member) = &node.member {
            member.adopt(&node);
        }
        let client =
            Arc::new(Client::new(node.clients.next_id(), 9, ([127, 0, 0, 1], 5000).into(), address, 0));
        assert!(node.clients.add(Arc::clone(&client), 10));
        let mut session = Session::new(client);
        session.begin(&node);
        Ok(Caller { node, world, session, worker: Worker::new(0) })
    }

    /// Moves the clock.
    pub(crate) fn pass_ms(&self, ms: i64) {
        self.world.now_us.fetch_add(ms * 1000, Ordering::Relaxed);
    }

    /// The keys whose values have been freed elsewhere since this was last asked.
    pub(crate) fn reclaimed(&self) -> usize {
        self.world.reclaimed.swap(0, Ordering::Relaxed)
    }

    /// What the node has had logged since this was last asked.
    pub(crate) fn logged(&self) -> Vec<String> {
        std::mem::take(&mut self.world.logged.lock().unwrap())
    }

    /// Whether what is run comes from a master from now on.
    pub(crate) fn obey(&mut self, obeys: bool) {
        self.session.state.set(State::MASTER, obeys);
    }

    /// Puts the clock, in ms since the epoch.
    pub(crate) fn set_ms(&self, ms: i64) {
        self.world.now_us.store(ms * 1000, Ordering::Relaxed);
    }

    /// The reply to a command, as it goes over the wire. If it waits, its time is up at once.
    pub(crate) fn run<A: AsRef<[u8]>>(&mut self, args: &[A]) -> Vec<u8> {
        let args = OwnedArgs::new(args.iter().map(AsRef::as_ref));
        let mut reply = Reply::new(self.session.protocol);
        self.worker.begin(&self.node);
        loop {
            let step = execute(&self.node, &mut self.worker, &mut self.session, args.as_args(), &mut reply);
            match step {
                Step::Done => break,
                // Long work is begun again where nobody waits for it.
                Step::Offload => self.session.state.insert(State::OFFLOADED),
                Step::Blocked(waiter) => {
                    assert!(waiter.time_out(&self.node), "nobody serves it");
                    forget(&self.node, &waiter).expect("nobody holds a shard");
                    reply.raw(&waiter.take_reply().expect("its time is up"));
                    break;
                }
                other => panic!("{other:?}"),
            }
        }
        self.session.state.remove(State::OFFLOADED);
        reply.into_bytes()
    }

    /// The reply to a command, of text.
    pub(crate) fn call(&mut self, args: &[&str]) -> String {
        String::from_utf8(self.run(args)).expect("a reply of text")
    }

    /// The reply to a command of words.
    pub(crate) fn say(&mut self, line: &str) -> String {
        self.call(&line.split_whitespace().collect::<Vec<_>>())
    }

    /// Has all go whose time has come, as it does by itself.
    pub(crate) fn expire(&mut self) {
        let now_ms = self.world.now_us.load(Ordering::Relaxed) / 1000;
        for shard in 0..self.node.keyspace.shards() {
            expire_due(&self.node, &mut self.worker, shard, now_ms, usize::MAX).expect("nobody holds it");
        }
    }

    /// Has another client run a command of words; what it waits with, if it has to.
    pub(crate) fn wait(&mut self, line: &str) -> Option<Arc<Waiter>> {
        let address = ([127, 0, 0, 1], 6379).into();
        let id = self.node.clients.next_id();
        let client = Arc::new(Client::new(id, 9, ([127, 0, 0, 1], 5001).into(), address, 0));
        let mut session = Session::new(client);
        session.begin(&self.node);
        let args = OwnedArgs::new(line.split_whitespace().map(str::as_bytes));
        let mut reply = Reply::new(session.protocol);
        self.worker.begin(&self.node);
        match execute(&self.node, &mut self.worker, &mut session, args.as_args(), &mut reply) {
            Step::Blocked(waiter) => Some(waiter),
            _ => None,
        }
    }

    /// Has a client that waits go.
    pub(crate) fn give_up(&self, waiter: &Waiter) {
        waiter.abandon();
        forget(&self.node, waiter).expect("nobody holds a shard");
    }

    /// The strings of an array that a command answers.
    pub(crate) fn strings(&mut self, args: &[&str]) -> Vec<String> {
        let reply = self.call(args);
        assert!(reply.starts_with('*'), "{reply}");
        let mut rest = reply.split_once("\r\n").expect("a header ends").1;
        let mut strings = Vec::new();
        while let Some(length) = rest.strip_prefix('$') {
            let (length, after) = length.split_once("\r\n").expect("a header ends");
            let (string, after) = after.split_at(length.parse().expect("a length"));
            strings.push(string.to_owned());
            rest = after.strip_prefix("\r\n").expect("a string ends");
        }
        strings
    }
}
