//! What is told of each command and of each code of errors.

use super::{SECTION, Section, View};
use crate::special_values::decimal;
use crate::stats::CommandSums;
use crate::table::Table;
use command::v;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::Ordering::Relaxed;

pub(super) static COMMANDS: Section =
    Section { title: "Commandstats", default: false, lines: commands, ..SECTION };

pub(super) static ERRORS: Section =
    Section { title: "Errorstats", since: v(6, 2, 0), lines: errors, ..SECTION };

pub(super) static LATENCIES: Section =
    Section { title: "Latencystats", since: v(7, 0, 0), default: false, lines: latencies, ..SECTION };

/// Writes a line for each command that was run or refused. Up to 6.2 subcommands count for their containers.
fn commands(view: &View, text: &mut String) {
    let (node, release) = (view.node, view.release());
    let table = Table::of(release);
    let mut sums: BTreeMap<&str, CommandSums> = BTreeMap::new();
    for index in 0..table.len() {
        let own = node.stats.command_sums(index);
        let sum = sums.entry(&table.entry(index).full_name).or_default();
        sum.calls += own.calls;
        sum.ticks += own.ticks;
        sum.rejected += own.rejected;
        sum.failed += own.failed;
    }
    let tells_failures = release.has(v(6, 2, 0));
    for (name, sum) in sums {
        if sum.calls == 0 && !(tells_failures && sum.rejected + sum.failed > 0) {
            continue;
        }
        let us = node.ticks_to_us(sum.ticks);
        let mean_us = if sum.calls == 0 { 0.0 } else { us as f64 / sum.calls as f64 };
        let _ = write!(text, "cmdstat_{name}:calls={},usec={us},usec_per_call={mean_us:.2}", sum.calls);
        if tells_failures {
            let _ = write!(text, ",rejected_calls={},failed_calls={}", sum.rejected, sum.failed);
        }
        text.push_str("\r\n");
    }
}

/// Writes a line for each code of errors that were answered.
fn errors(view: &View, text: &mut String) {
    for (code, count) in view.node.stats.error_codes() {
        // A code may come from a script: it must not look like something else.
        let safe = code.iter().map(|byte| if b":#\r\n".contains(byte) { '_' } else { char::from(*byte) });
        let _ = write!(text, "errorstat_{}:count={count}\r\n", safe.collect::<String>());
    }
}

/// Writes percentiles of how long each command took.
fn latencies(view: &View, text: &mut String) {
    let node = view.node;
    if !node.settings.latency_tracking.load(Relaxed) {
        return;
    }
    let table = Table::of(view.release());
    let ns_per_giga_tick = node.host.ns_per_giga_tick();
    let percentiles = node.settings.percentiles.read().clone();
    for index in 0..table.len() {
        let Some(durations) = node.stats.durations(index, ns_per_giga_tick) else { continue };
        let list: Vec<String> = percentiles
            .iter()
            .map(|percent| {
                format!("p{}={:.3}", decimal(*percent), durations.percentile_ns(*percent) as f64 / 1e3)
            })
            .collect();
        let name = &table.entry(index).full_name;
        let _ = write!(text, "latency_percentiles_usec_{name}:{}\r\n", list.join(","));
    }
}
