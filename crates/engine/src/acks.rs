//! Waiting until others have what a client has written: replicas, and files.

use crate::node::Node;
use resp::Reply;

/// What a client waits for.
#[derive(Clone, Copy, Debug)]
pub struct Acks {
    /// The place in the stream that they are to have reached, in bytes.
    pub offset: u64,
    /// The place in the node's own file that the disk is to have, in bytes, as that counts them.
    pub appended: u64,
    /// How many replicas.
    pub replicas: usize,
    /// Whether the node's own file is to have it, too.
    pub locally: bool,
    /// Whether it is files that count, the replicas' and the node's own; otherwise it is what replicas have in memory.
    pub in_files: bool,
}

impl Acks {
    /// Whether the node's own file has it, and how many replicas have.
    fn count(&self, node: &Node) -> (bool, usize) {
        if self.in_files {
            let is_there = node.append_file.is_on() && node.append_file.positions().1 >= self.appended;
            (is_there, node.replicas.having_in_files(self.offset))
        } else {
            (true, node.replicas.having(self.offset))
        }
    }

    /// Whether all have it.
    pub(crate) fn are_there(&self, node: &Node) -> bool {
        let (locally, replicas) = self.count(node);
        replicas >= self.replicas && (locally || !self.locally)
    }

    /// Writes the reply: how many have it.
    pub(crate) fn write(&self, node: &Node, reply: &mut Reply) {
        let (locally, replicas) = self.count(node);
        if self.in_files {
            reply.array(2);
            reply.integer(locally.into());
        }
        reply.count(replicas);
    }
}

impl Node {
    /// Answers clients that wait for replicas or files, as far as those have what they are to have.
    pub fn serve_acks(&self) {
        if self.waiters.for_acks() == 0 {
            return;
        }
        for waiter in self.waiters.all() {
            if let Some(acks) = waiter.acks().filter(|acks| acks.are_there(self)) {
                waiter.give_up(|reply| acks.write(self, reply));
            }
        }
    }
}
