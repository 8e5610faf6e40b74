//! A node without sockets, and a client of it.

use command::Release;
use engine::host::{Host, Process};
use engine::node::{Node, Spec};
use engine::{BadParameter, Client, Session, Step, Worker, execute};
use keyspace::effects::Garbage;
use resp::{OwnedArgs, Reply};
use std::sync::Arc;

/// A world whose clock stands still.
struct World;

impl Host for World {
    fn wall_us(&self) -> i64 {
        1_800_000_000_000_000
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

    fn log(&self, _: &str) {}

    fn shut_down(&self) -> bool {
        false
    }

    fn reclaim(&self, _: Vec<Garbage>) {}
}

/// A client of a node that nobody else uses.
pub(crate) struct Caller {
    pub(crate) node: Node,
    session: Session,
    worker: Worker,
}

impl Caller {
    /// A client of a node of a release, with these parameters.
    pub(crate) fn new(release: Release, config: &[(&str, &str)]) -> Result<Caller, BadParameter> {
        let config = config.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let address = ([127, 0, 0, 1], 6379).into();
        let spec = Spec { release, shards: 4, workers: 2, seed: 7, address, config: config.collect() };
        let node = Node::new(&spec, Arc::new(World))?;
        let client =
            Arc::new(Client::new(node.clients.next_id(), 9, ([127, 0, 0, 1], 5000).into(), address, 0));
        assert!(node.clients.add(Arc::clone(&client), 10));
        let mut session = Session::new(client);
        session.begin(&node);
        Ok(Caller { node, session, worker: Worker::new(0) })
    }

    /// The reply to a command, as it goes over the wire.
    pub(crate) fn call(&mut self, args: &[&str]) -> String {
        let args = OwnedArgs::new(args.iter().map(|arg| arg.as_bytes()));
        let mut reply = Reply::new(self.session.protocol);
        self.worker.begin(&self.node);
        let step = execute(&self.node, &mut self.worker, &mut self.session, args.as_args(), &mut reply);
        assert!(matches!(step, Step::Done), "{step:?}");
        String::from_utf8(reply.into_bytes()).expect("a reply of text")
    }
}
