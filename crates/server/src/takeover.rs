//! A replica of a cluster takes the place of its master.

use crate::clock::Clock;
use engine::Node;
use engine::pause::{Reason, Scope};
use std::time::Duration;

/// How long a master is kept from writing while its replica catches up, in ms.
const CONSENT_MS: i64 = 5_000;
/// How often it is looked whether the replica has caught up.
const LOOK: Duration = Duration::from_micros(500);

/// Has a node take the place of its master: when it has caught up, or at once. This blocks the thread.
pub(crate) fn take_over(node: &Node, clock: &Clock, at_once: bool) {
    let Some(member) = &node.member else { return };
    let master = member.master().filter(|_| !at_once);
    let Some(master) = master else {
        if member.is_replica() {
            member.take_over_alone(node, false);
        }
        return;
    };
    let until_ms = clock.wall_ms() + CONSENT_MS;
    master.pause.begin(&master, Reason::Failover, Scope::Writes, until_ms);
    let mut done = false;
    while !done && clock.wall_ms() < until_ms {
        done = member.take_over(node, &master);
        if !done {
            std::thread::sleep(LOOK);
        }
    }
    master.pause.end(&master, Reason::Failover);
    if !done {
        tracing::warn!("a replica does not catch up with its master, and does not take its place");
    }
}
