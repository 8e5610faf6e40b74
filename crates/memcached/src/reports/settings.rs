//! `stats settings`: what the node is like.

use std::sync::atomic::Ordering::Relaxed;

use super::{Line, line};
use crate::node::Node;
use crate::policy::Policy;
use crate::prefixes::DELIMITER;
use crate::watching::LINES_BYTES;

/// The report.
pub(super) fn lines(node: &Node) -> Vec<Line> {
    let yes = |flag: bool| if flag { "yes" } else { "no" };
    let settings = &node.settings;
    let around = node.host().surroundings();
    let is_restricted = node.access.is_restricted();
    vec![
        line("maxbytes", settings.memory_bytes.load(Relaxed)),
        line("maxconns", settings.connections.load(Relaxed)),
        line("tcpport", around.address.port()),
        line("udpport", 0),
        line("inter", around.address.ip()),
        line("verbosity", settings.verbosity.load(Relaxed)),
        line("oldest", settings.oldest.load(Relaxed)),
        line("evictions", if settings.policy.load() == Policy::NoEviction { "off" } else { "on" }),
        line("domain_socket", "NULL"),
        line("shutdown_command", yes(settings.shuts_down.load(Relaxed))),
        line("num_threads", around.threads),
        line("stat_key_prefix", char::from(DELIMITER)),
        line("detail_enabled", yes(node.prefixes.are_counted())),
        line("cas_enabled", "yes"),
        line("tcp_backlog", around.backlog),
        line("binding_protocol", "auto-negotiate"),
        line("auth_enabled_sasl", yes(is_restricted)),
        line("auth_enabled_ascii", yes(is_restricted)),
        line("item_size_max", settings.item_bytes.load(Relaxed)),
        line("maxconns_fast", "yes"),
        line("slab_reassign", "no"),
        line("slab_automove", 0),
        line("lru_crawler", yes(settings.crawls.load(Relaxed))),
        line("flush_enabled", yes(settings.flushes.load(Relaxed))),
        line("dump_enabled", "yes"),
        line("lru_maintainer_thread", "no"),
        line("lru_segmented", "no"),
        line("temp_lru", "no"),
        line("idle_timeout", settings.idle_s.load(Relaxed)),
        line("watcher_logbuf_size", LINES_BYTES),
        line("track_sizes", yes(node.sizes_since().is_some())),
        line("inline_ascii_response", "no"),
        line("ssl_enabled", "no"),
        line("memory_file", "(null)"),
    ]
}
