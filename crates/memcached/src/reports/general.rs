//! `stats`: what belongs to the node as a whole.

use memcache_wire::VERSION;
use std::sync::atomic::Ordering::Relaxed;

use super::{Line, line};
use crate::clock::{BEGIN, Now};
use crate::node::Node;

/// What has passed when a node begins, in seconds, so that nobody divides by zero.
const AT_BEGIN_S: u32 = 2;

/// The report. Threads and processor time are those of the process, whose nodes share them.
pub(super) fn lines(node: &Node, now: Now) -> Vec<Line> {
    let counts = node.counts();
    let traffic = &node.traffic;
    let (watchers, told) = node.watchers.counts();
    let (read, written) = node.bytes();
    let (accepted, rejected) = node.comers();
    let began_s = node.clock.since_epoch_s(BEGIN);
    let (user_us, system_us) = node.host().processor_us();
    let seconds = now.second.saturating_sub(BEGIN);
    let mut lines = vec![
        line("pid", std::process::id()),
        line("uptime", seconds + AT_BEGIN_S),
        line("time", began_s + i64::from(seconds)),
        line("version", VERSION),
        line("pointer_size", usize::BITS),
        line("rusage_user", seconds_of(user_us)),
        line("rusage_system", seconds_of(system_us)),
        line("max_connections", node.settings.connections.load(Relaxed)),
        line("curr_connections", node.clients.len()),
        line("total_connections", accepted),
        line("rejected_connections", rejected),
        // Each connection has one, and the socket that listens; none is kept for those to come.
        line("connection_structures", node.clients.len() + 1),
        line("cmd_get", counts.cmd_get),
        line("cmd_set", counts.cmd_set),
        line("cmd_flush", traffic.cmd_flush.load(Relaxed)),
        line("cmd_touch", counts.cmd_touch),
        line("cmd_meta", counts.cmd_meta),
        line("get_hits", counts.get_hits),
        line("get_misses", counts.get_misses),
        line("get_expired", counts.get_expired),
        line("get_flushed", counts.get_flushed),
        line("delete_misses", counts.delete_misses),
        line("delete_hits", counts.delete_hits),
        line("incr_misses", counts.incr_misses),
        line("incr_hits", counts.incr_hits),
        line("decr_misses", counts.decr_misses),
        line("decr_hits", counts.decr_hits),
        line("cas_misses", counts.cas_misses),
        line("cas_hits", counts.cas_hits),
        line("cas_badval", counts.cas_badval),
        line("touch_hits", counts.touch_hits),
        line("touch_misses", counts.touch_misses),
        line("store_too_large", counts.store_too_large),
        line("store_no_memory", counts.store_no_memory),
        line("auth_cmds", traffic.auth_cmds.load(Relaxed)),
        line("auth_errors", traffic.auth_errors.load(Relaxed)),
        line("idle_kicks", traffic.idle_kicks.load(Relaxed)),
        line("bytes_read", read),
        line("bytes_written", written),
        line("limit_maxbytes", node.settings.memory_bytes.load(Relaxed)),
        // Who comes when there are too many is told so: listening never ends.
        line("accepting_conns", 1),
        line("listen_disabled_num", 0),
        line("time_in_listen_disabled_us", 0),
        line("threads", node.host().surroundings().threads),
        line("hash_bytes", node.index_bytes()),
        line("malloc_fails", 0),
        line("log_worker_dropped", 0),
        line("log_worker_written", told.written),
        line("log_watcher_skipped", told.skipped),
        line("log_watcher_sent", told.sent),
        line("log_watchers", watchers),
        line("bytes", node.items_bytes()),
        line("curr_items", node.items()),
        line("total_items", counts.total_items),
        line("expired_unfetched", counts.expired_unfetched),
        line("evicted_unfetched", counts.evicted_unfetched),
        line("evicted_active", counts.evicted_active),
        line("evictions", counts.evictions),
        line("reclaimed", counts.reclaimed),
    ];
    if node.settings.idle_s.load(Relaxed) == 0 {
        lines.retain(|(name, _)| name != "idle_kicks");
    }
    lines
}

/// Microseconds as seconds.
fn seconds_of(us: u64) -> String {
    format!("{}.{:06}", us / 1_000_000, us % 1_000_000)
}
