//! Nodes without a server around them.

use std::sync::Arc;

use memcache_wire::Reply;
use memcached::node::{Host, Surroundings};
use memcached::shard::Garbage;
use memcached::{Access, Next, Node, Session, Settings};

/// When nodes begin, in ms since the epoch.
pub(crate) const NOW_MS: i64 = 1_800_000_000_000;

/// The world of a node that nobody serves.
#[derive(Debug)]
pub(crate) struct Nobody;

impl Host for Nobody {
    fn wake_at(&self, _: i64) {}

    fn discard(&self, _: Garbage) {}

    fn surroundings(&self) -> Surroundings {
        let address = ([127, 0, 0, 1], 11_211).into();
        Surroundings { address, backlog: 1, threads: 1 }
    }

    fn processor_us(&self) -> (u64, u64) {
        (1_500_000, 20)
    }
}

pub(crate) fn node_with(settings: Settings, access: Access) -> Node {
    Node::new(7, NOW_MS, settings, access, Arc::new(Nobody))
}

pub(crate) fn node() -> Node {
    node_with(Settings::default(), Access::default())
}

/// What a new connection is answered to these bytes, so many ms after the beginning.
pub(crate) fn say_at(node: &Node, bytes: &[u8], after_ms: i64) -> String {
    let (mut session, mut reply) = (Session::new(node), Reply::new());
    let (taken, next) = session.run(node, bytes, node.clock.at(NOW_MS + after_ms), &mut reply);
    assert!(taken == bytes.len() || next == Next::Read, "{next:?}");
    String::from_utf8_lossy(&reply.to_vec()).into_owned()
}

pub(crate) fn say(node: &Node, bytes: &[u8]) -> String {
    say_at(node, bytes, 0)
}

pub(crate) fn set(node: &Node, key: &str, len: usize) -> String {
    set_at(node, key, len, 0)
}

pub(crate) fn set_at(node: &Node, key: &str, len: usize, after_ms: i64) -> String {
    let mut request = format!("set {key} 0 0 {len}\r\n").into_bytes();
    request.resize(request.len() + len, b'v');
    request.extend_from_slice(b"\r\n");
    say_at(node, &request, after_ms)
}

/// A frame of the binary protocol.
pub(crate) fn frame(opcode: u8, extras: &[u8], key: &str, value: &[u8], cas: u64) -> Vec<u8> {
    let mut bytes = vec![0x80, opcode, 0, key.len() as u8, extras.len() as u8, 0, 0, 0];
    bytes.extend_from_slice(&((extras.len() + key.len() + value.len()) as u32).to_be_bytes());
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&cas.to_be_bytes());
    [&bytes[..], extras, key.as_bytes(), value].concat()
}
