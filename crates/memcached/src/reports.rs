//! What `stats` tells: which report is asked for, and how it is written. Each report is a file of its own.
//!
//! Invariant: names, order and form are those of memcached 1.6.18; what has no true value here is left out.

use memcache_wire::binary::{Request, Response, respond, respond_error};
use memcache_wire::{Error, Reply, Status, Words};

use crate::clock::Now;
use crate::node::Node;

mod classes;
mod conns;
mod general;
mod settings;
mod sizes;

/// A line of a report.
type Line = (String, String);

/// What was asked for.
enum Report {
    Lines(Vec<Line>),
    /// One line, after which memcached writes no end.
    Endless(Line),
    /// One word says it.
    Word(&'static str),
    /// Lines of another form.
    Prefixes(Vec<u8>),
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
        Report::Prefixes(lines) => {
            reply.raw(&lines);
            reply.end();
        }
        Report::Wrong(error) => reply.error(error),
    }
}

/// The same as frames: one for each line, and an empty one where a report has an end.
pub(crate) fn stats_binary(node: &Node, request: &Request, now: Now, reply: &mut Reply) {
    let report =
        asked_by(request.key).map_or(Report::Wrong(Error::Unknown), |words| report(node, words, now));
    let (lines, has_end) = match report {
        Report::Lines(lines) => (lines, true),
        Report::Endless(line) => (vec![line], false),
        Report::Word(_) => (Vec::new(), true),
        Report::Prefixes(lines) => {
            let value = [&lines[..], b"END\r\n"].concat();
            let all = Response { key: b"detailed", value: &value, ..Response::default() };
            respond(reply.buffer(), request, &all);
            (Vec::new(), true)
        }
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

/// The words for which a key stands; nothing if for none: some are told by their beginning, the others have no further words,
/// and some are not told in frames.
fn asked_by(key: &[u8]) -> Option<Words<'_>> {
    let told_by_beginning: [&[u8]; 2] = [b"reset", b"settings"];
    if let Some(name) = told_by_beginning.into_iter().find(|name| key.starts_with(name)) {
        return Some(Words::new(name));
    }
    let is_known = key.starts_with(b"detail") || !key.contains(&b' ');
    let is_only_text = matches!(key, b"conns" | b"extstore");
    (is_known && !is_only_text).then(|| Words::new(key))
}

fn report(node: &Node, mut words: Words, now: Now) -> Report {
    match words.next() {
        None => Report::Lines(general::lines(node, now)),
        Some(b"reset") => {
            node.forget_counts();
            Report::Word("RESET")
        }
        Some(b"settings") => Report::Lines(settings::lines(node)),
        Some(b"items") => Report::Lines(classes::items(node, now)),
        Some(b"slabs") => Report::Lines(classes::slabs(node)),
        Some(b"sizes_enable") => {
            node.count_sizes(true);
            Report::Endless(line("sizes_status", "enabled"))
        }
        Some(b"sizes_disable") => {
            node.count_sizes(false);
            Report::Endless(line("sizes_status", "disabled"))
        }
        Some(b"sizes") => Report::Lines(sizes::lines(node)),
        // There are no items on disks.
        Some(b"extstore") => Report::Lines(Vec::new()),
        Some(b"conns") => Report::Lines(conns::lines(node, now)),
        Some(b"detail") => match words.next() {
            Some(wanted @ (b"on" | b"off")) => {
                node.prefixes.count(wanted == b"on");
                Report::Word("OK")
            }
            Some(b"dump") => Report::Prefixes(node.prefixes.report()),
            _ => Report::Wrong(Error::StatsDetailUsage),
        },
        Some(_) => Report::Wrong(Error::Unknown),
    }
}

fn line(name: &str, value: impl std::fmt::Display) -> Line {
    (name.to_owned(), value.to_string())
}
