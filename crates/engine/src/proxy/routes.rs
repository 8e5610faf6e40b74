//! Which way commands go through a proxy.
//!
//! Most go by their records: to the shard that has the slot of their keys, or, if they have none, to the proxy's own
//! node. What goes another way stands in one table here. Sources, facts of which it follows: Huawei Cloud, "Distributed
//! Cache Service, Service Overview": "Commands Supported and Disabled by DCS for Redis 5.0" (table 8: what a Proxy
//! Cluster does not have; taken for later releases, too) and "Command Restrictions" (table 3: commands with several keys that may belong to several
//! slots, and those that may not). What these leave open is told in `docs/differences.md`.

use crate::keys::Plan;
use crate::table::{Entry, Table};
use command::{Access, Release};
use std::sync::OnceLock;

/// Which way a command goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// To the shard that has its keys, which belong to one slot.
    Slot,
    /// The same; further keys that are watched, and those of the transaction, belong to that slot, too.
    Watch,
    /// To the shard of the transaction or of the keys that are watched, if any.
    Bound,
    /// A part to each shard that has some of its keys.
    Split(Merge),
    /// To the bench, where its keys are copied, unless they belong to one slot.
    Gather,
    /// To all shards.
    Shards(Merge),
    /// To the proxy's own node and all shards.
    Nodes(Merge),
    /// The same, and to the bench.
    Bench(Merge),
    /// To one shard after the other, as the cursor says.
    Scan,
    /// To a shard, drawn by the number of its keys.
    Draw,
    /// To the proxy's own node; not in a transaction.
    Front,
    /// To the proxy's own node, or to any other as a part of a transaction.
    Any,
    /// Nowhere: there is no such command.
    Absent,
}

/// How one reply is made of the answers of several nodes. An error is the reply, whatever the others say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Merge {
    /// The first.
    First,
    /// Numbers are added up.
    Sum,
    /// Lists are put one behind the other.
    Concat,
    /// Elements of lists are put in the order of the request's keys.
    Keyed,
    /// Fields are added up, as far as that makes sense.
    Info,
}

/// Commands that do not go by their records. The name of a subcommand has its container's in front.
static ROUTES: &[(Route, &[&str])] = &[
    (Route::Split(Merge::Sum), &["del", "exists", "touch", "unlink"]),
    (Route::Split(Merge::Keyed), &["mget"]),
    (Route::Split(Merge::First), &["mset"]),
    (
        Route::Gather,
        &[
            "sdiff",
            "sdiffstore",
            "sinter",
            "sinterstore",
            "sunion",
            "sunionstore",
            "zinterstore",
            "zunionstore",
        ],
    ),
    (Route::Watch, &["watch"]),
    (Route::Shards(Merge::First), &["flushall", "flushdb"]),
    (Route::Shards(Merge::Sum), &["dbsize"]),
    (Route::Shards(Merge::Concat), &["keys"]),
    (Route::Scan, &["scan"]),
    (Route::Draw, &["randomkey"]),
    (Route::Bench(Merge::Info), &["info"]),
    (Route::Bench(Merge::First), &["config|resetstat"]),
    (Route::Nodes(Merge::First), &["client|pause", "client|unpause", "config|set"]),
    (Route::Nodes(Merge::Sum), &["client|unblock"]),
    (Route::Any, &["echo", "ping", "publish", "select", "spublish", "time"]),
    (
        Route::Absent,
        &[
            "bgrewriteaof",
            "bgsave",
            "debug",
            "failover",
            "lastsave",
            "latency",
            "lolwut",
            "migrate",
            "module",
            "move",
            "psync",
            "replconf",
            "replicaof",
            "save",
            "shutdown",
            "slaveof",
            "swapdb",
            "sync",
            "wait",
            "waitaof",
        ],
    ),
];

/// What there is none of in release 3.0 either. Source: the same, "Commands Supported and Disabled by DCS for Redis 3.0",
/// where its list of what Proxy Clusters lack and its table of what they have disabled agree.
static ABSENT_IN_3_0: &[&str] = &["blpop", "brpop", "brpoplpush", "client", "monitor", "unwatch", "watch"];

/// The ways of the commands of a release.
#[derive(Debug)]
pub(super) struct Routes(Box<[Route]>);

impl Routes {
    /// Those of a release.
    pub(super) fn of(release: Release) -> &'static Routes {
        static ALL: [OnceLock<Routes>; 6] = [const { OnceLock::new() }; 6];
        ALL[release as usize].get_or_init(|| {
            let table = Table::of(release);
            Routes((0..table.len()).map(|index| route(release, table.entry(index))).collect())
        })
    }

    /// The way of a command.
    #[inline]
    pub(super) fn route(&self, entry: &Entry) -> Route {
        self.0[entry.index]
    }
}

/// The name by which the table calls a command.
fn name(entry: &Entry) -> String {
    let container = entry.container.map(|container| format!("{}|", container.name));
    container.unwrap_or_default() + entry.record.name
}

fn route(release: Release, entry: &Entry) -> Route {
    let name = name(entry);
    if release == Release::V3_0 && ABSENT_IN_3_0.contains(&&*name) {
        return Route::Absent;
    }
    let told = ROUTES.iter().find(|(_, names)| names.contains(&&*name));
    let is_key = |access: Access| !access.contains(Access::NOT_KEY);
    match told {
        Some((route, _)) => *route,
        None if matches!(entry.plan, Plan::Session { .. }) => Route::Bound,
        None if entry.record.keys.iter().any(|spec| is_key(spec.access)) => Route::Slot,
        None => Route::Front,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use command::Flags;

    #[test]
    fn what_the_table_names_is_there_once() {
        let all: Vec<&str> = ROUTES.iter().flat_map(|(_, names)| *names).copied().collect();
        for (at, own) in all.iter().enumerate() {
            assert!(!all[..at].contains(own), "{own} is there twice");
            let known = Release::ALL.into_iter().any(|release| {
                let table = Table::of(release);
                (0..table.len()).any(|index| name(table.entry(index)) == *own)
            });
            // Modules are nobody's yet.
            assert!(known || *own == "module", "no release has {own}");
        }
    }

    #[test]
    fn what_is_about_all_keys_does_not_go_to_the_proxy_alone() {
        for release in Release::ALL {
            let table = Table::of(release);
            for entry in (0..table.len()).map(|index| table.entry(index)) {
                let route = Routes::of(release).route(entry);
                let container = entry.container.is_some_and(|container| container.name == "cluster");
                // What has no such subcommand says no more than that.
                let container = container || entry.is(Flags::CONTAINER);
                if entry.plan == Plan::All && !container && route == Route::Front {
                    let told = ["config|get", "memory|stats", "memory|doctor", "client|kill"];
                    let is_absent = entry.container.is_some_and(|container| {
                        ROUTES
                            .iter()
                            .any(|(route, names)| *route == Route::Absent && names.contains(&container.name))
                    });
                    assert!(
                        told.contains(&&*name(entry)) || is_absent,
                        "{} holds all shards and has no way",
                        name(entry)
                    );
                }
                if matches!(route, Route::Split(_)) {
                    assert!(
                        entry.record.range.first == 1 && entry.record.range.last == -1,
                        "{}",
                        name(entry)
                    );
                }
                if route == Route::Absent {
                    assert!(!entry.is(Flags::FAST) || entry.record.keys.len() < 2, "{}", name(entry));
                }
            }
        }
    }
}
