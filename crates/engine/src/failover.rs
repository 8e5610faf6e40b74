//! Handing over to a replica, in which nothing is lost.
//!
//! Writes are held back until the replica has all of the stream; then the node becomes its replica, and asks it to be the
//! master (`PSYNC ... FAILOVER`). Who has been held back writes to the wrong server then, and is told so.
//!
//! Lock order: shards, then the one lock here.

use crate::master::Address;
use crate::node::Node;
use crate::pause::{Reason, Scope};
use crate::replicas::Member;
use keyspace::Locked;
use replication::Stage;
use structures::ranked::{Mutex, rank};

/// Writes are held back until somebody lets them go.
const UNTIL_MS: i64 = i64::MAX - 1;

/// How far a node is with handing over.
#[derive(Debug, Default)]
pub struct Failover(Mutex<State, { rank::FAILOVER }>);

/// To whom a node hands over.
#[derive(Clone, Debug, Default)]
pub(crate) struct Target {
    /// The replica; any if none.
    pub(crate) address: Option<Address>,
    /// Until when it may take, in ms since the epoch.
    pub(crate) until_ms: Option<i64>,
    /// Whether it is done then whatever the replica has; otherwise it is given up.
    pub(crate) forces: bool,
}

#[derive(Clone, Debug, Default)]
enum State {
    #[default]
    No,
    /// Until the replica has everything.
    Waits(Target),
    /// Until the replica has become the master.
    HandsOver,
}

/// What is to be done now.
enum Due {
    Nothing,
    Abort,
    HandOver(Address),
}

impl Failover {
    /// As `INFO` calls it.
    pub fn name(&self) -> &'static str {
        match *self.0.lock() {
            State::No => "no-failover",
            State::Waits(_) => "waiting-for-sync",
            State::HandsOver => "failover-in-progress",
        }
    }

    /// Whether the node is handing over.
    pub fn is_going_on(&self) -> bool {
        !matches!(*self.0.lock(), State::No)
    }

    /// Whether the node asks the replica to become the master.
    pub fn hands_over(&self) -> bool {
        matches!(*self.0.lock(), State::HandsOver)
    }
}

/// Where a replica listens.
fn address(member: &Member) -> Address {
    Address { host: member.ip().into(), port: member.replica.port }
}

impl Node {
    /// The replica at an address.
    pub(crate) fn replica_at(&self, at: &Address) -> Option<Member> {
        self.replicas.view().members.into_iter().find(|member| address(member) == *at)
    }

    /// Begins to hand over.
    pub(crate) fn begin_failover(&self, target: Target) {
        *self.failover.0.lock() = State::Waits(target);
        self.pause.begin(self, Reason::Failover, Scope::Writes, UNTIL_MS);
        self.replicas.ask();
        self.host.failover_begun();
    }

    /// What is to be done about handing over.
    fn due_failover(&self, now_ms: i64) -> Due {
        let State::Waits(target) = &*self.failover.0.lock() else { return Due::Nothing };
        let view = self.replicas.view();
        let offset = view.history.offset();
        let is_late = target.until_ms.is_some_and(|until_ms| now_ms >= until_ms);
        if let (true, true, Some(address)) = (is_late, target.forces, &target.address) {
            return Due::HandOver(address.clone());
        }
        let has_all = |member: &&Member| {
            let is_it = target.address.as_ref().is_none_or(|own| *own == address(member));
            is_it && member.replica.stage == Stage::Online && member.replica.offset == offset
        };
        match view.members.iter().find(has_all) {
            _ if is_late => Due::Abort,
            Some(member) => Due::HandOver(address(member)),
            None => Due::Nothing,
        }
    }

    /// Whether [`Node::go_on_with_failover`] would do something.
    pub fn is_failover_due(&self, now_ms: i64) -> bool {
        !matches!(self.due_failover(now_ms), Due::Nothing)
    }

    /// Whether it is still being waited for a replica to have everything.
    pub fn waits_for_failover(&self) -> bool {
        matches!(*self.failover.0.lock(), State::Waits(_))
    }

    /// Hands over if the replica has everything, gives up if it takes too long. All shards must be held, so that what the
    /// replica has is what there is.
    pub fn go_on_with_failover(&self, held: &mut Locked<'_>, now_ms: i64) {
        match self.due_failover(now_ms) {
            Due::Nothing => {}
            Due::Abort => self.end_failover(),
            Due::HandOver(address) => {
                *self.failover.0.lock() = State::HandsOver;
                self.follow(held, Some(address));
            }
        }
    }

    /// Gives up handing over: the node stays the master, or becomes it again. All shards must be held.
    pub fn abort_failover(&self, held: &mut Locked<'_>) {
        if self.failover.hands_over() {
            self.follow(held, None);
        }
        self.end_failover();
    }

    /// The replica has become the master, if it was to.
    pub fn handed_over(&self) {
        if self.failover.hands_over() {
            self.end_failover();
        }
    }

    fn end_failover(&self) {
        *self.failover.0.lock() = State::No;
        self.pause.end(self, Reason::Failover);
    }
}
