//! What is tried with arbitrary bytes; the crate's tests try it with some, too.

use memcache_wire::Reply;
use memcached::node::{Host, Surroundings};
use memcached::shard::Garbage;
use memcached::{Access, Credentials, Next, Node, Policy, Session, Settings};
use std::collections::BTreeMap;
use std::sync::Arc;

const NOW_MS: i64 = 1_800_000_000_000;
/// The most that a node answers before the client has to read, in bytes: a large item may come on top of what is much
/// already, and a report is as long as it is.
const REPLY_BYTES: usize = 2 << 20;
/// A longer line, in bytes, is answered if all of it comes at once, and ends the connection if not: as in memcached.
const LINE_MAX: usize = 2048;

/// What the first byte says of a node.
#[derive(Clone, Copy)]
struct Kind(u8);

impl Kind {
    /// Whether memory is so short that items go.
    fn is_small(self) -> bool {
        self.0 & 1 != 0
    }

    /// Whether items stay however short memory is; then input is given up where there is none for it.
    fn refuses(self) -> bool {
        self.0 & 2 != 0
    }

    /// Whether one has to log in. Of text that comes at once before that only the last request is answered.
    fn is_restricted(self) -> bool {
        self.0 & 4 != 0
    }

    /// Whether clients may end it, but not flush it.
    fn shuts_down(self) -> bool {
        self.0 & 8 != 0
    }

    /// Whether what it says depends on how its input is cut.
    fn is_fickle(self) -> bool {
        self.is_restricted() || (self.is_small() && self.refuses())
    }

    fn node(self) -> Node {
        let settings = Settings {
            memory_bytes: if self.is_small() { 48 << 10 } else { 64 << 20 }.into(),
            item_bytes: if self.is_small() { 2_000 } else { 1 << 20 }.into(),
            policy: if self.refuses() { Policy::NoEviction } else { Policy::AllKeysLru }.into(),
            shuts_down: self.shuts_down().into(),
            flushes: (!self.shuts_down()).into(),
            ..Settings::default()
        };
        let credentials = Credentials { user: "a".to_owned(), password: "b".to_owned() };
        let access = Access::new(if self.is_restricted() { vec![credentials] } else { Vec::new() });
        Node::new(7, NOW_MS, settings, access, Arc::new(Nobody))
    }
}

#[derive(Debug)]
struct Nobody;

impl Host for Nobody {
    fn wake_at(&self, _: i64) {}

    fn discard(&self, _: Garbage) {}

    fn surroundings(&self) -> Surroundings {
        Surroundings { address: ([127, 0, 0, 1], 11_211).into(), backlog: 1, threads: 1 }
    }

    fn processor_us(&self) -> (u64, u64) {
        (0, 0)
    }
}

/// Has a client say bytes to a node, of the kind that the first byte says and in pieces of the size that the second one
/// says, and once more all at once, and holds that it is answered alike, and that the standby has what the node has. Gives
/// how many bytes were answered.
pub(crate) fn converse(data: &[u8]) -> usize {
    let [kind, size, bytes @ ..] = data else { return 0 };
    let kind = Kind(*kind);
    let whole = answers(kind, bytes, bytes.len());
    let pieces = answers(kind, bytes, usize::from(*size) + 1);
    let has_long_line = bytes.split(|&byte| byte == b'\n').any(|line| line.len() > LINE_MAX);
    // Whether others have been answered just before is something that `watch` looks at.
    let watches = bytes.windows(5).any(|word| word == b"watch");
    if !kind.is_fickle() && !has_long_line && !watches {
        assert_eq!(String::from_utf8_lossy(&whole), String::from_utf8_lossy(&pieces));
    }
    whole.len()
}

/// What a client is answered who says bytes in pieces of a size.
fn answers(kind: Kind, bytes: &[u8], size: usize) -> Vec<u8> {
    let node = kind.node();
    let standby = Arc::new(node.sibling(Arc::new(Nobody)));
    node.set_standby(Some(&standby));
    let now = node.clock.at(NOW_MS);
    let (mut session, mut all) = (Session::new(&node), Vec::new());
    // As a connection does it: what is not processed is kept, as far as there is memory for it.
    let (mut input, mut kept) = (Vec::new(), 0);
    let mut pieces = bytes.chunks(size.max(1));
    let mut next = Next::Read;
    loop {
        if next == Next::Read {
            let Some(piece) = pieces.next() else { break };
            input.extend_from_slice(piece);
        }
        let mut reply = Reply::new();
        let mut taken;
        (taken, next) = session.run(&node, &input, now, &mut reply);
        input.drain(..taken);
        if next == Next::Flush {
            assert!(!reply.is_empty(), "there is something to be sent");
        }
        if !node.keep(kept, input.len(), now) {
            (taken, next) = session.give_up(&node, &input, now, &mut reply);
            input.drain(..taken);
            assert!(next != Next::Read || node.keep(kept, input.len(), now), "what is given up is not kept");
        }
        kept = input.len();
        assert!(reply.len() < REPLY_BYTES, "{} bytes at once", reply.len());
        all.extend_from_slice(&reply.to_vec());
        match next {
            Next::Read | Next::Flush | Next::Yield => {}
            Next::Watch | Next::Close | Next::ShutDown => break,
            Next::Contended(shard) => panic!("nobody else holds {shard}"),
        }
    }
    node.forget_kept(kept);
    node.check_invariants();
    standby.check_invariants();
    assert_eq!(contents(&standby), contents(&node));
    let expired = node.expire_due(NOW_MS + 100_000);
    assert!(expired.is_ok());
    node.check_invariants();
    all
}

/// The items of a node: what they hold, their flags and when they expire.
fn contents(node: &Node) -> BTreeMap<Vec<u8>, (Vec<u8>, u32, Option<i64>)> {
    let (mut all, mut place) = (BTreeMap::new(), Some((0, 0)));
    while let Some(from) = place {
        place = node
            .walk(from, node.clock.at(NOW_MS), |item| {
                all.insert(item.key.to_vec(), (item.value.to_vec(), item.flags, item.expires_s));
            })
            .expect("nobody else is there");
    }
    all
}
