//! What `stats` tells. Numbers that make no sense here, of slabs and of threads that there are not, are left out; the
//! others have the names, the order and the form of memcached 1.6.18.

use memcache_wire::binary::{Request, Response, respond, respond_error};
use memcache_wire::{Error, Reply, Status, VERSION, Words};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;
use structures::table::Item;

use crate::clock::Now;
use crate::items;
use crate::node::Node;
use crate::policy::Policy;
use crate::shard::{CLASSES, class_bytes};

/// Sizes of items are told in steps of so many bytes.
const SIZE_STEP: usize = 32;

/// A line of a report.
type Line = (String, String);

/// What was asked for.
enum Report {
    Lines(Vec<Line>),
    /// One line, after which memcached writes no end.
    Endless(Line),
    /// One word says it.
    Word(&'static str),
    Wrong(Error),
}

/// Writes what `stats` with these words tells.
pub(crate) fn stats(node: &Node, words: Words, now: Now, reply: &mut Reply) {
    match report(node, words, now) {
        Report::Lines(lines) => {
            lines.iter().for_each(|(name, value)| reply.stat(name, value));
            reply.end();
        }
        Report::Endless((name, value)) => reply.stat(&name, &value),
        Report::Word(word) => reply.line(word),
        Report::Wrong(error) => reply.error(error),
    }
}

/// The same as frames: one for each line, and an empty one where a report has an end.
pub(crate) fn stats_binary(node: &Node, request: &Request, now: Now, reply: &mut Reply) {
    let (lines, has_end) = match report(node, Words::new(request.key), now) {
        Report::Lines(lines) => (lines, true),
        Report::Endless(line) => (vec![line], false),
        Report::Word(_) => (Vec::new(), true),
        Report::Wrong(_) => return respond_error(reply.buffer(), request, Status::NotFound),
    };
    for (name, value) in &lines {
        let line = Response { key: name.as_bytes(), value: value.as_bytes(), ..Response::default() };
        respond(reply.buffer(), request, &line);
    }
    if has_end {
        respond(reply.buffer(), request, &Response::default());
    }
}

fn report(node: &Node, mut words: Words, now: Now) -> Report {
    match words.next() {
        None => Report::Lines(general(node, now)),
        Some(b"reset") => {
            node.forget_counts();
            Report::Word("RESET")
        }
        Some(b"settings") => Report::Lines(settings(node)),
        Some(b"items") => Report::Lines(items_by_class(node)),
        Some(b"slabs") => Report::Lines(classes(node)),
        Some(b"sizes_enable") => {
            node.count_sizes(true);
            Report::Endless(line("sizes_status", "enabled"))
        }
        Some(b"sizes_disable") => {
            node.count_sizes(false);
            Report::Endless(line("sizes_status", "disabled"))
        }
        Some(b"sizes") => Report::Lines(sizes(node)),
        Some(b"conns") => Report::Lines(connections(node, now)),
        Some(b"detail") => match words.next() {
            Some(b"on" | b"off") => Report::Word("OK"),
            Some(b"dump") => Report::Lines(Vec::new()),
            _ => Report::Wrong(Error::StatsDetailUsage),
        },
        Some(_) => Report::Wrong(Error::Unknown),
    }
}

fn line(name: &str, value: impl std::fmt::Display) -> Line {
    (name.to_owned(), value.to_string())
}

fn general(node: &Node, now: Now) -> Vec<Line> {
    let counts = node.counts();
    let traffic = &node.traffic;
    let (read, written) = node.bytes();
    let (accepted, rejected) = node.comers();
    let began_s = node.clock.since_epoch_s(crate::clock::BEGIN);
    let seconds = now.second.saturating_sub(crate::clock::BEGIN);
    let mut lines = vec![
        line("pid", std::process::id()),
        line("uptime", seconds),
        line("time", began_s + i64::from(seconds)),
        line("version", VERSION),
        line("pointer_size", usize::BITS),
        line("max_connections", node.settings.connections.load(Relaxed)),
        line("curr_connections", node.clients.len()),
        line("total_connections", accepted),
        line("rejected_connections", rejected),
        // Each connection has one, and none is kept for those to come.
        line("connection_structures", node.clients.len()),
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
        line("hash_bytes", node.index_bytes()),
        line("malloc_fails", 0),
        line("log_worker_dropped", 0),
        line("log_worker_written", 0),
        line("log_watcher_skipped", 0),
        line("log_watcher_sent", 0),
        line("log_watchers", 0),
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

fn settings(node: &Node) -> Vec<Line> {
    let yes = |flag: bool| if flag { "yes" } else { "no" };
    let settings = &node.settings;
    let is_restricted = node.access.is_restricted();
    vec![
        line("maxbytes", settings.memory_bytes.load(Relaxed)),
        line("maxconns", settings.connections.load(Relaxed)),
        line("udpport", 0),
        line("verbosity", settings.verbosity.load(Relaxed)),
        line("evictions", if settings.policy.load() == Policy::NoEviction { "off" } else { "on" }),
        line("domain_socket", "NULL"),
        line("shutdown_command", yes(settings.shuts_down.load(Relaxed))),
        line("detail_enabled", "no"),
        line("cas_enabled", "yes"),
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
        line("track_sizes", yes(node.sizes_since().is_some())),
        line("inline_ascii_response", "no"),
        line("ssl_enabled", "no"),
        line("memory_file", "(null)"),
    ]
}

fn connections(node: &Node, now: Now) -> Vec<Line> {
    let mut lines = Vec::new();
    for client in node.clients.all() {
        let id = client.id;
        let silent_ms = now.ms - client.active_ms.load(Relaxed);
        lines.push(line(&format!("{id}:addr"), format_args!("tcp:{}", client.peer)));
        lines.push(line(&format!("{id}:listen_addr"), format_args!("tcp:{}", client.local)));
        // Who has been heard at this very moment is being served; that is so for whoever asks.
        let state = if silent_ms <= 0 { "conn_parse_cmd" } else { "conn_read" };
        lines.push(line(&format!("{id}:state"), state));
        lines.push(line(&format!("{id}:secs_since_last_cmd"), silent_ms.max(0) / 1000));
    }
    lines
}

/// The classes that have items, with their numbers.
fn taken(node: &Node) -> impl Iterator<Item = (usize, u64)> {
    let by_class: [u64; CLASSES] = node.by_class();
    by_class.into_iter().enumerate().filter(|(_, count)| *count > 0)
}

fn items_by_class(node: &Node) -> Vec<Line> {
    let taken: Vec<(usize, u64)> = taken(node).collect();
    let mut lines = Vec::new();
    for (class, count) in taken {
        lines.push(line(&format!("items:{class}:number"), count));
        // Items of the last class are of many sizes.
        if class < CLASSES - 1 {
            lines.push(line(&format!("items:{class}:mem_requested"), count * class_bytes(class) as u64));
        }
    }
    lines
}

fn classes(node: &Node) -> Vec<Line> {
    let mut lines = Vec::new();
    for (class, count) in taken(node) {
        lines.push(line(&format!("{class}:chunk_size"), class_bytes(class)));
        lines.push(line(&format!("{class}:used_chunks"), count));
    }
    let classes = taken(node).count();
    lines.push(line("active_slabs", classes));
    lines.push(line("total_malloced", node.used_bytes()));
    lines
}

/// How many items there are of each size, in steps of 32 bytes as memcached would keep them: of those that have been
/// stored since somebody wanted to know. Nothing is counted before; all items are looked at when it is asked for.
fn sizes(node: &Node) -> Vec<Line> {
    let Some(since) = node.sizes_since() else { return vec![line("sizes_status", "disabled")] };
    let mut counts = BTreeMap::new();
    node.visit_since(&since, |item| {
        let bytes = items::memcached_bytes(item.key().len(), item.value().len(), item.flags());
        *counts.entry(bytes.next_multiple_of(SIZE_STEP)).or_insert(0_u64) += 1;
    });
    counts.into_iter().map(|(bytes, count)| line(&bytes.to_string(), count)).collect()
}
